package store

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"windlass/server/anchor"
)

// Post writes journal entries. One that does not balance fails the update.
func (t *Tx) Post(at time.Time, entries ...*anchor.Entry) error {
	for _, e := range entries {
		if err := e.Balanced(); err != nil {
			return err
		}
		id, err := t.insert(`INSERT INTO journal (at, kind, transaction_id, reference) VALUES ($1, $2, $3, $4) RETURNING id`,
			micros(at), e.Kind, e.Transaction, e.Reference)
		if err != nil {
			return err
		}
		for i, p := range e.Postings {
			if _, err := t.exec(`INSERT INTO postings (entry_id, ordinal, account, asset, amount) VALUES ($1, $2, $3, $4, $5)`,
				id, i, p.Account, p.Asset.String(), p.Amount); err != nil {
				return err
			}
		}
	}
	return nil
}

// NetworkFee books what the network charged an account of ours for a transaction,
// once: inner is its inner hash, by which the payout engine knows it too.
func (t *Tx) NetworkFee(at time.Time, inner string, charged anchor.Amount) error {
	known, err := list(t, func(r scanner, _ *Keys) (id int64, err error) { return id, r.Scan(&id) },
		`SELECT id FROM journal WHERE kind = 'network_fee' AND reference = $1`, inner)
	if err != nil || len(known) > 0 {
		return err
	}
	return t.Post(at, anchor.Move("network_fee", "", inner, anchor.Native, charged, anchor.Distribution, anchor.NetworkFees))
}

// JournalEntry is an entry and when it was made.
type JournalEntry struct {
	anchor.Entry
	At time.Time
}

// Journal lists a transaction's entries, oldest first.
func (s *Store) Journal(ctx context.Context, transaction string) ([]JournalEntry, error) {
	each, err := s.JournalOfEach(ctx, []string{transaction})
	return each[transaction], err
}

// JournalOfEach lists the entries of many transactions at once, each one's oldest
// first.
func (s *Store) JournalOfEach(ctx context.Context, transactions []string) (map[string][]JournalEntry, error) {
	type line struct {
		id int64
		JournalEntry
		anchor.Posting
	}
	lines, err := list(s.reader(ctx), func(r scanner, _ *Keys) (line, error) {
		var l line
		var at int64
		var asset string
		err := r.Scan(&l.id, &at, &l.Kind, &l.Transaction, &l.Reference, &l.Account, &asset, &l.Amount)
		if err != nil {
			return l, err
		}
		l.At = instant(at)
		l.Asset, err = anchor.ParseAsset(asset)
		return l, err
	}, `SELECT journal.id, at, kind, transaction_id, reference, account, asset, amount FROM journal
		JOIN postings ON postings.entry_id = journal.id WHERE transaction_id IN (`+placeholders(len(transactions))+`) ORDER BY journal.id, ordinal`, values(transactions)...)
	if err != nil {
		return nil, err
	}
	each := map[string][]JournalEntry{}
	last := int64(-1)
	for _, l := range lines {
		entries := each[l.Transaction]
		if l.id != last {
			entries, last = append(entries, l.JournalEntry), l.id
		}
		e := &entries[len(entries)-1]
		e.Postings = append(e.Postings, l.Posting)
		each[l.Transaction] = entries
	}
	return each, nil
}

// sumOf adds amounts up, in two parts that do so without overflow: SQLite fails a
// sum that leaves int64 on its way, whatever comes after.
const sumOf = `COALESCE(SUM(amount / 10000000), 0), COALESCE(SUM(amount % 10000000), 0)`

// sum are its two parts: whole units, and the rest.
type sum struct{ whole, rest int64 }

// amount is the sum, where an amount can hold it.
func (s sum) amount() (a anchor.Amount, fits bool) {
	all := new(big.Int).Mul(big.NewInt(s.whole), big.NewInt(int64(anchor.One)))
	all.Add(all, big.NewInt(s.rest))
	return anchor.Amount(all.Int64()), all.IsInt64()
}

// Balance is one journal account's sum in one asset.
type Balance struct {
	Account anchor.Ledger
	Asset   anchor.Asset
	Amount  anchor.Amount
}

// Balances sums the journal. A sum that no amount can hold is an error that names
// the account and the asset.
func (s *Store) Balances(ctx context.Context) ([]Balance, error) {
	return list(s.reader(ctx), func(r scanner, _ *Keys) (Balance, error) {
		var b Balance
		var asset string
		var of sum
		if err := r.Scan(&b.Account, &asset, &of.whole, &of.rest); err != nil {
			return b, err
		}
		var fits bool
		if b.Amount, fits = of.amount(); !fits {
			return b, fmt.Errorf("the journal account %s has more %s than can be counted", b.Account, asset)
		}
		var err error
		b.Asset, err = anchor.ParseAsset(asset)
		return b, err
	}, `SELECT account, asset, `+sumOf+` FROM postings GROUP BY account, asset ORDER BY account, asset`)
}
