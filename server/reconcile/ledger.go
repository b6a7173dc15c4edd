package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
)

const (
	settleTries = 50          // to get all answers as of one ledger
	lagTries    = 10          // to meet a Horizon that is as far as the books
	lagWait     = time.Second // between those
)

// state is our accounts and assets as of one ledger.
type state struct {
	sequence uint32
	closed   time.Time
	held     map[anchor.Asset]anchor.Amount
	supply   map[anchor.Asset]anchor.Amount
	// incomplete says that Horizon did not tell what exists of an asset.
	incomplete bool
	notes      []string
}

// compareLedger compares what we hold and what exists of our assets.
func (r *run) compareLedger(ctx context.Context) error {
	if err := r.sameNetwork(ctx); err != nil {
		return err
	}
	now, err := r.caughtUp(ctx)
	if err != nil {
		return err
	}
	r.report.Ledger, r.report.ClosedAt = now.sequence, now.closed
	r.report.Notes = append(r.report.Notes, now.notes...)
	r.report.Incomplete = now.incomplete
	for asset, amount := range r.sum(anchor.Distribution, anchor.InFlight) {
		if asset.OnLedger() {
			r.line(spot{OurAccounts, asset}).Journal = amount
		}
	}
	for asset, amount := range now.held {
		r.line(spot{OurAccounts, asset}).Actual = amount
	}
	issued := r.sum(anchor.Issued)
	for asset, amount := range now.supply {
		l := r.line(spot{Issued, asset})
		l.Journal, l.Actual = -issued[asset], amount
	}
	for _, account := range r.Accounts {
		if err := r.unread(ctx, account); err != nil {
			return err
		}
		if err := r.unreadFees(ctx, account); err != nil {
			return err
		}
	}
	for _, e := range r.books.live {
		if err := r.unsettled(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// sameNetwork makes sure that this is the ledger that the books have read.
func (r *run) sameNetwork(ctx context.Context) error {
	for _, c := range r.books.payments {
		if c.Ledger == 0 {
			continue
		}
		l, err := r.Ledger.Ledger(ctx, c.Ledger)
		switch {
		case err == nil && l.Hash != c.LedgerHash:
			return fmt.Errorf("ledger %d has the hash %s, but the books have read it as %s: this is another network, or one that was reset", c.Ledger, l.Hash, c.LedgerHash)
		case err != nil && anchor.KindOf(err) != anchor.NotFound:
			return err
		}
	}
	return nil
}

// caughtUp reads the ledger once it has all that the books tell of. One address
// may stand for several Horizons, some of which lag.
func (r *run) caughtUp(ctx context.Context) (*state, error) {
	for try := 1; ; try++ {
		now, err := r.settled(ctx)
		if err != nil {
			return nil, err
		}
		behind := r.books.lastMoved.After(now.closed)
		for _, c := range r.books.payments {
			behind = behind || c.Ledger > now.sequence
		}
		if !behind {
			return now, nil
		}
		if try == lagTries {
			return nil, fmt.Errorf("horizon is at ledger %d, closed at %s, and the books are further: it lags, or the network was reset", now.sequence, now.closed.Format(time.RFC3339))
		}
		select {
		case <-time.After(lagWait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// settled reads until all answers are of one ledger.
func (r *run) settled(ctx context.Context) (*state, error) {
	for range settleTries {
		now, same, err := r.look(ctx)
		if err != nil {
			return nil, err
		}
		if same {
			l, err := r.Ledger.Ledger(ctx, now.sequence)
			now.closed = l.ClosedAt
			return now, err
		}
	}
	return nil, errors.New("ledgers close faster than our accounts can be read as of one of them; try again")
}

// look reads everything once; same says that it is of one ledger.
func (r *run) look(ctx context.Context) (now *state, same bool, err error) {
	now = &state{held: map[anchor.Asset]anchor.Amount{}, supply: map[anchor.Asset]anchor.Amount{}}
	same = true
	of := func(ledger uint32) {
		if now.sequence == 0 {
			now.sequence = ledger
		}
		same = same && ledger == now.sequence
	}
	for _, id := range r.Accounts {
		a, err := r.Ledger.Account(ctx, id)
		if anchor.KindOf(err) == anchor.NotFound && err != nil {
			now.notes = append(now.notes, "the account "+id+" does not exist")
			continue
		}
		if err != nil {
			return nil, false, err
		}
		if a.LatestLedger == 0 {
			return nil, false, errors.New("horizon does not send the Latest-Ledger header, without which no two answers can be compared")
		}
		of(a.LatestLedger)
		for _, b := range a.Balances {
			if b.Asset == (anchor.Asset{}) {
				now.notes = append(now.notes, id+" has shares of a liquidity pool, which are not compared")
				continue
			}
			sum := now.held[b.Asset]
			r.add(&sum, b.Amount)
			now.held[b.Asset] = sum
		}
	}
	if now.sequence == 0 {
		return nil, false, errors.New("none of our accounts is on this ledger")
	}
	for _, asset := range r.Assets {
		supply, ledger, err := r.Ledger.Supply(ctx, asset)
		switch {
		case err != nil && anchor.KindOf(err) == anchor.NotFound:
			now.notes = append(now.notes, "what exists of "+asset.Code+" is not compared: this Horizon does not tell")
			now.incomplete = true
			continue
		case err != nil:
			return nil, false, err
		case ledger != 0:
			of(ledger)
		}
		now.supply[asset] = supply
	}
	return now, same, nil
}

// origin says who made a transaction that took something from us.
type origin int

const (
	foreign origin = iota // the payout engine did not
	booked                // it did, and the books have what became of it
	open                  // it did, and the books had it as live: see unsettled
	fresh                 // it did, after the books were read
)

func (r *run) origin(ctx context.Context, inner string) (origin, error) {
	if r.books.live[inner] != nil {
		return open, nil
	}
	e, err := r.Store.EnvelopeByHash(ctx, inner)
	switch {
	case err != nil && anchor.KindOf(err) == anchor.NotFound:
		return foreign, nil
	case err == nil && e.CreatedAt.After(r.books.taken):
		return fresh, nil
	}
	return booked, err
}

// unread lists the payments of an account that the books have not read.
func (r *run) unread(ctx context.Context, account string) error {
	return r.payments(ctx, account, r.books.payments[account].Value, func(p horizon.Payment) error {
		if p.Fault != "" || r.readAt(p) != account {
			return nil
		}
		why := NotRead
		if from := p.From.Account(); r.follows(from) && !r.follows(p.To) {
			o, err := r.origin(ctx, p.Inner)
			if err != nil || o == booked || o == open {
				return err
			}
			if o == foreign && !slices.Contains(r.Own, p.To) {
				why = LeftUnexplained
			}
		}
		for _, c := range append(r.moved(p), issuedBy(p)...) {
			if c.place == Issued && r.lines[c.spot] == nil {
				continue // it is not compared
			}
			r.list(Item{Place: c.place, Asset: c.asset, Amount: c.amount, Why: why, NotBooked: why == NotRead, Reference: p.Hash, At: p.At, hash: p.Inner})
		}
		return nil
	})
}

// payments hands the payments of an account after a cursor to each, up to the
// ledger that is compared.
func (r *run) payments(ctx context.Context, account, cursor string, each func(horizon.Payment) error) error {
	for {
		page, err := r.Ledger.Payments(ctx, account, cursor, horizon.PageSize)
		if err != nil && anchor.KindOf(err) == anchor.NotFound {
			return nil // it never existed
		}
		if err != nil {
			return err
		}
		for _, p := range page {
			if p.Ledger > r.report.Ledger {
				return nil
			}
			if err := each(p); err != nil {
				return err
			}
			cursor = p.ID
		}
		if len(page) < horizon.PageSize {
			return nil
		}
	}
}

// follows reports whether the journal keeps an account's balances.
func (r *run) follows(account string) bool { return slices.Contains(r.Accounts, account) }

// readAt is the account in whose payments a payment is read: both ends may be
// ours.
func (r *run) readAt(p horizon.Payment) string {
	if r.follows(p.To) {
		return p.To
	}
	return p.From.Account()
}

// change is what something did to a spot.
type change struct {
	spot
	amount anchor.Amount
}

// moved is what a payment did to our accounts.
func (r *run) moved(p horizon.Payment) (all []change) {
	if r.follows(p.To) && p.Asset != (anchor.Asset{}) {
		all = append(all, change{spot{OurAccounts, p.Asset}, p.Amount})
	}
	if r.follows(p.From.Account()) && p.SentAsset != (anchor.Asset{}) {
		all = append(all, change{spot{OurAccounts, p.SentAsset}, -p.SentAmount})
	}
	return all
}

// issuedBy is what a payment made or destroyed.
func issuedBy(p horizon.Payment) (all []change) {
	if p.SentAsset.Issuer != "" && p.From.Account() == p.SentAsset.Issuer {
		all = append(all, change{spot{Issued, p.SentAsset}, p.SentAmount})
	}
	if p.Asset.Issuer != "" && p.To == p.Asset.Issuer {
		all = append(all, change{spot{Issued, p.Asset}, -p.Amount})
	}
	return all
}

// unreadFees lists the network's fees that the books have not read, and what moved
// our money since without being a payment.
func (r *run) unreadFees(ctx context.Context, account string) error {
	return r.transactions(ctx, account, r.books.fees[account].Value, func(t horizon.Transaction) error {
		besides, err := r.besides(ctx, account, t)
		if err != nil || t.FeeAccount != account && len(besides) == 0 {
			return err
		}
		o, err := r.origin(ctx, t.Inner())
		if err != nil || o == booked || o == open {
			return err
		}
		if t.FeeAccount == account {
			r.list(feeItem(t, FeeNotRead))
		}
		for _, c := range besides {
			if c.place == Issued && r.lines[c.spot] == nil {
				continue // it is not compared
			}
			r.list(Item{Place: c.place, Asset: c.asset, Amount: c.amount, Why: NotRead, NotBooked: true, Reference: t.Listed(), At: t.At, hash: t.Inner()})
		}
		return nil
	})
}

// besides is what a transaction did to our accounts that is no payment.
func (r *run) besides(ctx context.Context, account string, t horizon.Transaction) (all []change, err error) {
	found, err := r.Ledger.Besides(ctx, &t, account)
	for _, b := range found {
		at := spot{OurAccounts, b.Asset}
		switch b.What {
		case horizon.Claimed:
			all = append(all, change{at, b.Amount})
		case horizon.SetAside:
			all = append(all, change{at, -b.Amount})
		case horizon.ClawedBack:
			all = append(all, change{at, -b.Amount}, change{spot{Issued, b.Asset}, -b.Amount})
		case horizon.Offered, horizon.Traded:
		}
	}
	return all, err
}

func feeItem(t horizon.Transaction, why Why) Item {
	return Item{Place: OurAccounts, Asset: anchor.Native, Amount: -anchor.Amount(t.FeeCharged), Why: why, NotBooked: true, Reference: t.Listed(), At: t.At, hash: t.Inner()}
}

// transactions hands the transactions that concern an account after a cursor to
// each, up to the ledger that is compared.
func (r *run) transactions(ctx context.Context, account, cursor string, each func(horizon.Transaction) error) error {
	for {
		page, err := r.Ledger.Transactions(ctx, account, cursor, horizon.PageSize)
		if err != nil && anchor.KindOf(err) == anchor.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		for _, t := range page {
			if t.Ledger > r.report.Ledger {
				return nil
			}
			if err := each(t); err != nil {
				return err
			}
			cursor = t.Cursor
		}
		if len(page) < horizon.PageSize {
			return nil
		}
	}
}

// unsettled lists what an envelope has done that the books had as live.
func (r *run) unsettled(ctx context.Context, e *anchor.Envelope) error {
	t, err := r.Ledger.Transaction(ctx, e.Hash)
	if err != nil && anchor.KindOf(err) == anchor.NotFound {
		return nil // it is still on its way
	}
	if err != nil || t.Ledger > r.report.Ledger {
		return err
	}
	if r.follows(t.FeeAccount) {
		fee := feeItem(*t, NotSettled)
		fee.hash = e.Hash
		r.list(fee)
	}
	if !t.Successful {
		return nil
	}
	for _, id := range e.Intents {
		p := r.books.intents[id]
		if p == nil {
			return errors.New("the envelope " + e.ID + " has the intent " + id + ", which the books do not have in one")
		}
		i := Item{Place: OurAccounts, Asset: p.Asset, Amount: -p.Amount, Why: NotSettled, NotBooked: true, Reference: t.Listed(), At: t.At, hash: e.Hash}
		if p.Purpose == anchor.ForReclaim {
			i.Amount = p.Amount // it has come back
		}
		if p.CauseKind == "transaction" {
			i.Transactions = []string{p.CauseID}
		}
		r.list(i)
	}
	return nil
}

// elder is the time before which this Horizon has forgotten what happened; zero
// if it never forgets.
func (r *run) elder(ctx context.Context) (time.Time, error) {
	root, err := r.Ledger.Root(ctx)
	if err != nil || root.Elder <= 3 { // some count from 2 or 3, and nothing happened before
		return time.Time{}, err
	}
	l, err := r.Ledger.Ledger(ctx, root.Elder)
	if err == nil {
		r.report.Notes = append(r.report.Notes, "this Horizon knows nothing before ledger "+strconv.FormatUint(uint64(root.Elder), 10)+": what differs since then is named, what is older is not")
	}
	return l.ClosedAt, err
}
