package reconcile

import (
	"context"
	"iter"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
)

// nameable is how many items the books are asked about, who is behind them.
const nameable = 200

// facts are what has really happened, by spot and identity: a transaction's
// inner hash, or the bank's id.
type facts map[spot]map[string]*fact

type fact struct {
	amount    anchor.Amount
	at        time.Time
	reference string // for people: the hash that the ledger lists it under
}

func (r *run) fact(all facts, s spot, id string, amount anchor.Amount, at time.Time, reference string) {
	if all[s] == nil {
		all[s] = map[string]*fact{}
	}
	if all[s][id] == nil {
		all[s][id] = &fact{at: at, reference: reference}
	}
	r.add(&all[s][id].amount, amount)
}

// spots are those of a place that do not agree.
func (r *run) spots(place Place, actual facts) iter.Seq[spot] {
	return func(yield func(spot) bool) {
		all := map[spot]bool{}
		for s := range actual {
			all[s] = true
		}
		for s := range r.lines {
			all[s] = true
		}
		for s := range all {
			if s.place == place && r.lines[s] != nil && r.open(s) != 0 && !yield(s) {
				return
			}
		}
	}
}

// name finds out what is behind the differences that are left.
func (r *run) name(ctx context.Context) error {
	if err := r.nameLedger(ctx); err != nil {
		return err
	}
	for s := range r.lines {
		if rest := r.open(s); rest != 0 {
			r.list(Item{Place: s.place, Asset: s.asset, Amount: rest, Why: Unknown})
		}
	}
	named := 0
	for n := range r.report.Items {
		i := &r.report.Items[n]
		if i.NotBooked || len(i.Transactions) > 0 || i.Reference == "" || named == nameable {
			continue
		}
		named++
		for _, reference := range []string{i.Reference, i.hash} {
			if reference == "" || len(i.Transactions) > 0 {
				continue
			}
			var err error
			if i.Transactions, err = r.Store.Behind(ctx, reference); err != nil {
				return err
			}
		}
	}
	return nil
}

// nameLedger puts the ledger's history and the journal side by side.
func (r *run) nameLedger(ctx context.Context) error {
	differs := map[Place]bool{}
	for s := range r.lines {
		differs[s.place] = differs[s.place] || r.open(s) != 0
	}
	if !differs[OurAccounts] && !differs[Issued] {
		return nil
	}
	elder, err := r.elder(ctx)
	if err != nil {
		return err
	}
	actual, inner := facts{}, map[string]string{} // inner hash by the listed one
	read := func(account string, of func(horizon.Payment) []change) error {
		return r.payments(ctx, account, "", func(p horizon.Payment) error {
			inner[p.Hash] = p.Inner
			for _, c := range of(p) {
				r.fact(actual, c.spot, p.Inner, c.amount, p.At, p.Hash)
			}
			return nil
		})
	}
	if differs[OurAccounts] {
		for _, account := range r.Accounts {
			if err := read(account, func(p horizon.Payment) []change {
				if r.readAt(p) != account {
					return nil
				}
				return r.moved(p)
			}); err != nil {
				return err
			}
			if err := r.transactions(ctx, account, "", func(t horizon.Transaction) error {
				inner[t.Listed()] = t.Inner()
				if t.FeeAccount == account {
					r.fact(actual, spot{OurAccounts, anchor.Native}, t.Inner(), -anchor.Amount(t.FeeCharged), t.At, t.Listed())
				}
				besides, err := r.besides(ctx, account, t)
				for _, c := range besides {
					if c.place == OurAccounts {
						r.fact(actual, c.spot, t.Inner(), c.amount, t.At, t.Listed())
					}
				}
				return err
			}); err != nil {
				return err
			}
		}
	}
	if differs[Issued] {
		for _, asset := range r.Assets {
			if err := read(asset.Issuer, func(p horizon.Payment) (all []change) {
				for _, c := range issuedBy(p) {
					if c.asset == asset {
						all = append(all, c)
					}
				}
				return all
			}); err != nil {
				return err
			}
		}
	}
	for _, place := range []Place{OurAccounts, Issued} {
		for s := range r.spots(place, actual) {
			entries := map[string]*entry{}
			for reference, e := range r.books.entries[s] {
				if e.at.Before(elder) {
					continue
				}
				if id := inner[reference]; id != "" {
					reference = id
				}
				r.merge(entries, reference, e)
			}
			r.sideBySide(s, actual[s], entries, inner)
		}
	}
	return nil
}

// merge adds an entry to the one of the same identity.
func (r *run) merge(all map[string]*entry, id string, e *entry) {
	if all[id] == nil {
		all[id] = &entry{at: e.at}
	}
	r.add(&all[id].amount, e.amount)
	all[id].transactions = append(all[id].transactions, e.transactions...)
}

// sideBySide lists what is on one side only, or differs, and is not listed yet.
func (r *run) sideBySide(s spot, actual map[string]*fact, journal map[string]*entry, inner map[string]string) {
	listed := map[string]anchor.Amount{}
	for _, i := range r.report.Items {
		if i.Place == s.place && i.Asset == s.asset {
			id := i.hash
			if id == "" {
				id = i.Reference
			}
			if other := inner[id]; other != "" {
				id = other
			}
			sum := listed[id]
			r.add(&sum, i.Amount)
			listed[id] = sum
		}
	}
	for id, f := range actual {
		i := Item{Place: s.place, Asset: s.asset, Amount: f.amount, Why: NotInJournal, Reference: f.reference, At: f.at, hash: id}
		if e := journal[id]; e != nil {
			i.Transactions = e.transactions
			if e.amount != 0 {
				i.Why, i.Actual, i.Journal = AmountsDiffer, f.amount, e.amount
			}
			r.add(&i.Amount, -e.amount)
		}
		r.add(&i.Amount, -listed[id])
		r.list(i)
	}
	for id, e := range journal {
		if actual[id] != nil {
			continue
		}
		i := Item{Place: s.place, Asset: s.asset, Amount: -e.amount, Why: OnlyInJournal, Reference: id, At: e.at, Transactions: e.transactions}
		r.add(&i.Amount, -listed[id])
		r.list(i)
	}
}
