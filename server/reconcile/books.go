package reconcile

import (
	"context"
	"math"
	"slices"
	"time"

	"windlass/server/anchor"
	"windlass/server/incoming"
	"windlass/server/rail"
	"windlass/server/store"
)

// always is later than all that is due.
var always = time.UnixMicro(math.MaxInt64)

// margin is how far a bank's value times may lie behind the statement's progress.
const margin = 24 * time.Hour

// books is what the books said in one moment.
type books struct {
	taken     time.Time // just before
	sums      map[anchor.Ledger]map[anchor.Asset]anchor.Amount
	payments  map[string]anchor.Cursor // by account
	fees      map[string]anchor.Cursor // by account
	bank      anchor.Cursor
	live      map[string]*anchor.Envelope // by inner hash
	intents   map[string]*anchor.Payout   // of live envelopes, by id
	orders    map[string]*anchor.BankPayout
	refused   map[string]bool // ids of the bank's lines that no journal can hold
	lastMoved time.Time       // on the ledger

	unexplained []store.Line
	// entries are the journal's, by spot and reference: the bank's since the time
	// since, and all of all spots for a whole comparison.
	entries map[spot]map[string]*entry
	since   time.Time
}

// entry is what the journal has under one reference.
type entry struct {
	amount       anchor.Amount
	at           time.Time
	transactions []string
}

// readBooks reads all of it in one moment.
func (r *run) readBooks(ctx context.Context) (*books, error) {
	b := &books{
		taken: time.Now(), sums: map[anchor.Ledger]map[anchor.Asset]anchor.Amount{},
		payments: map[string]anchor.Cursor{}, fees: map[string]anchor.Cursor{},
		live: map[string]*anchor.Envelope{}, intents: map[string]*anchor.Payout{}, orders: map[string]*anchor.BankPayout{}, refused: map[string]bool{},
		entries: map[spot]map[string]*entry{},
	}
	return b, r.Store.Snapshot(ctx, func(s *store.Store) error {
		sums, err := s.Balances(ctx)
		if err != nil {
			return err
		}
		for _, sum := range sums {
			if b.sums[sum.Account] == nil {
				b.sums[sum.Account] = map[anchor.Asset]anchor.Amount{}
			}
			b.sums[sum.Account][sum.Asset] = sum.Amount
		}
		if err := b.readOpen(ctx, s, r.Accounts); err != nil {
			return err
		}
		if b.lastMoved, err = s.LastMoved(ctx); err != nil {
			return err
		}
		if err := b.readUnexplained(ctx, s); err != nil {
			return err
		}
		return r.readEntries(ctx, s, b)
	})
}

// readUnexplained reads what left us and nobody has explained in the books.
func (b *books) readUnexplained(ctx context.Context, s *store.Store) error {
	inSuspense := func(kind string, each func(store.Line)) error {
		return s.LinesOfKind(ctx, kind, func(l store.Line) error {
			if l.Account == anchor.Suspense {
				each(l)
			}
			return nil
		})
	}
	if err := inSuspense(anchor.LeftUnexplained, func(l store.Line) { b.unexplained = append(b.unexplained, l) }); err != nil {
		return err
	}
	return inSuspense(anchor.LeftExplained, func(l store.Line) {
		i := slices.IndexFunc(b.unexplained, func(u store.Line) bool {
			return u.Reference == l.Reference && u.Asset == l.Asset && u.Amount == -l.Amount
		})
		if i >= 0 {
			b.unexplained = slices.Delete(b.unexplained, i, i+1)
		}
	})
}

// readOpen reads how far everything was read, and what is on its way.
func (b *books) readOpen(ctx context.Context, s *store.Store, accounts []string) error {
	for _, a := range accounts {
		var known bool
		var err error
		if b.payments[a], _, err = s.Cursor(ctx, incoming.CursorName(a)); err != nil {
			return err
		}
		if b.fees[a], known, err = s.Cursor(ctx, incoming.FeesCursorName(a)); err == nil && !known {
			b.fees[a], err = incoming.FeesFrom(b.payments[a])
		}
		if err != nil {
			return err
		}
	}
	var err error
	if b.bank, _, err = s.Cursor(ctx, rail.Cursor); err != nil {
		return err
	}
	b.since = b.bank.ReadUntil
	refused, err := s.RefusedLines(ctx)
	if err != nil {
		return err
	}
	for _, l := range refused {
		b.refused[l.ID] = true
		if !l.At.IsZero() && l.At.Before(b.since) {
			b.since = l.At
		}
	}
	live, err := s.LiveEnvelopes(ctx)
	if err != nil {
		return err
	}
	for _, e := range live {
		b.live[e.Hash] = e
	}
	intents, err := s.PayoutsDue(ctx, anchor.PayoutInEnvelope, always, math.MaxInt32)
	if err != nil {
		return err
	}
	for _, p := range intents {
		b.intents[p.ID] = p
	}
	for _, state := range []anchor.BankPayoutState{anchor.BankQueued, anchor.BankAsked, anchor.BankInDoubt} {
		orders, err := s.BankPayoutsDue(ctx, state, always, math.MaxInt32)
		if err != nil {
			return err
		}
		for _, o := range orders {
			b.orders[o.ID] = o
			if o.CreatedAt.Before(b.since) {
				b.since = o.CreatedAt
			}
		}
	}
	return nil
}

// readEntries reads the journal's lines.
func (r *run) readEntries(ctx context.Context, s *store.Store, b *books) error {
	if !b.since.IsZero() {
		b.since = b.since.Add(-margin)
	}
	var since time.Time
	accounts := []anchor.Ledger{anchor.Bank, anchor.InFlight}
	if r.whole {
		b.since = time.Time{}
		accounts = append(accounts, anchor.Distribution, anchor.Issued)
	} else {
		since = b.since
	}
	for _, account := range accounts {
		if err := s.Lines(ctx, account, since, func(l store.Line) error {
			at := spot{OurAccounts, l.Asset}
			switch {
			case !l.Asset.OnLedger():
				at.place = Bank
			case account == anchor.Issued:
				at.place, l.Amount = Issued, -l.Amount
			}
			if b.entries[at] == nil {
				b.entries[at] = map[string]*entry{}
			}
			e := b.entries[at][l.Reference]
			if e == nil {
				e = &entry{at: l.At}
				b.entries[at][l.Reference] = e
			}
			r.add(&e.amount, l.Amount)
			if id := l.JournalEntry.Transaction; id != "" && (len(e.transactions) == 0 || e.transactions[len(e.transactions)-1] != id) {
				e.transactions = append(e.transactions, id)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// sum adds journal accounts up, asset by asset.
func (r *run) sum(accounts ...anchor.Ledger) map[anchor.Asset]anchor.Amount {
	all := map[anchor.Asset]anchor.Amount{}
	for _, account := range accounts {
		for asset, amount := range r.books.sums[account] {
			sum := all[asset]
			r.add(&sum, amount)
			all[asset] = sum
		}
	}
	return all
}
