package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"windlass/server/anchor"
	"windlass/server/store"
)

// TestJournal: what does not balance is not written, nor what was with it.
func TestJournal(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	good := anchor.Move("good", "1", "r", usd, 5, anchor.Bank, anchor.Customers)
	two := &anchor.Entry{Kind: "two", Transaction: "1", Postings: append(good.Postings, anchor.Move("", "", "", usdw, 7, anchor.Issued, anchor.Distribution).Postings...)}
	bad := &anchor.Entry{Kind: "bad", Transaction: "1", Postings: []anchor.Posting{{Account: anchor.Bank, Asset: usd, Amount: 5}, {Account: anchor.Fees, Asset: usdw, Amount: -5}}}
	err := b.Update(ctx, store.Operator, func(tx *store.Tx) error { return tx.Post(noon, good, bad) })
	kindIs(t, err, anchor.Internal, "")
	if n := b.count(t, `SELECT count(*) FROM journal`) + b.count(t, `SELECT count(*) FROM postings`); n != 0 {
		t.Errorf("%d rows of what does not balance", n)
	}
	b.do(t, func(tx *store.Tx) error {
		return tx.Post(noon, good, two, anchor.Move("other", "2", "", usd, 1, anchor.Bank, anchor.Fees))
	})
	got, err := b.Journal(ctx, "1")
	if diff := gocmp.Diff([]store.JournalEntry{{Entry: *good, At: noon}, {Entry: *two, At: noon}}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	balances, err := b.Balances(ctx)
	want := []store.Balance{
		{Account: anchor.Bank, Asset: usd, Amount: -11}, {Account: anchor.Customers, Asset: usd, Amount: 10}, {Account: anchor.Distribution, Asset: usdw, Amount: 7},
		{Account: anchor.Fees, Asset: usd, Amount: 1}, {Account: anchor.Issued, Asset: usdw, Amount: -7},
	}
	if diff := gocmp.Diff(want, balances); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	balanced(t, b)
}

// TestBalances: the sums are those of what was posted.
func TestBalances(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	type key struct {
		account anchor.Ledger
		asset   anchor.Asset
	}
	model := map[key]anchor.Amount{}
	rapid.Check(t, func(t *rapid.T) {
		var entries []*anchor.Entry
		for range rapid.IntRange(1, 4).Draw(t, "entries") {
			e := &anchor.Entry{Kind: "x"}
			for range rapid.IntRange(1, 3).Draw(t, "moves") {
				accounts := rapid.SampledFrom([]anchor.Ledger{anchor.Bank, anchor.Customers, anchor.Fees, anchor.InFlight})
				asset := rapid.SampledFrom([]anchor.Asset{usd, usdw, anchor.Native}).Draw(t, "asset")
				amount := anchor.Amount(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "amount"))
				e.Postings = append(e.Postings, anchor.Move("", "", "", asset, amount, accounts.Draw(t, "from"), accounts.Draw(t, "to")).Postings...)
			}
			entries = append(entries, e)
		}
		if err := b.Update(ctx, store.Operator, func(tx *store.Tx) error { return tx.Post(noon, entries...) }); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			for _, p := range e.Postings {
				model[key{p.Account, p.Asset}] += p.Amount
			}
		}
	})
	all, err := b.Balances(ctx)
	if err != nil || len(all) != len(model) {
		t.Errorf("%d balances, want %d, %v", len(all), len(model), err)
	}
	for _, x := range all {
		if model[key{x.Account, x.Asset}] != x.Amount {
			t.Errorf("%+v, want %s", x, model[key{x.Account, x.Asset}])
		}
	}
	balanced(t, b)
}

// TestPayments: every payment is a row, what could not be read included.
func TestPayments(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	var ids []string
	for i := range 12 {
		p := payment(fmt.Sprint(95 + i)) // over a change of length: 99, 100
		switch i % 3 {
		case 1:
			p.State, p.Transaction, p.Reason = anchor.Matched, "t", ""
		case 2:
			p.Asset, p.Amount, p.Reason, p.Memo = anchor.Asset{}, 0, anchor.UnknownOperation, anchor.Memo{}
		}
		b.do(t, func(tx *store.Tx) error { return tx.CreatePayment(p) })
		ids = append([]string{p.ID}, ids...)
	}
	var open []string
	for _, id := range ids {
		var n int
		_, _ = fmt.Sscan(id, &n)
		if (n-95)%3 != 1 {
			open = append(open, id)
		}
	}
	for unmatched, want := range map[bool][]string{false: ids, true: open} {
		got := pages(t, false, func(p store.Page) ([]*anchor.Payment, string, error) { return b.Payments(ctx, unmatched, p) }, func(p *anchor.Payment) string { return p.ID })
		if got != strings.Join(want, " ") {
			t.Errorf("%v: %v", unmatched, got)
		}
	}
	all, _, err := b.Payments(ctx, false, store.Page{Limit: 3})
	if diff := gocmp.Diff(payment("104"), all[2]); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if err := b.Update(ctx, store.Ledger, func(tx *store.Tx) error { return tx.CreatePayment(payment("x")) }); anchor.KindOf(err) != anchor.Internal {
		t.Errorf("an id that is no token: %v", err)
	}
	of, err := b.PaymentsOfEach(ctx, []string{"t", ""})
	if err != nil || len(of["t"]) != 4 || of["t"][0].ID != "96" || len(of[""]) != 0 {
		t.Errorf("%v, %v", of, err)
	}
}

// TestDue: what may be looked at now, oldest first, in one state.
func TestDue(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	var ids []string
	for i := range 6 {
		p := payout(fmt.Sprint(i), "payout", 0)
		p.NotBefore = []time.Time{{}, noon, late}[i%3]
		if i == 4 {
			p.State, p.Reason = anchor.PayoutParked, "x"
		}
		b.do(t, func(tx *store.Tx) error { return tx.CreatePayout(p) })
		ids = append(ids, p.ID)
		got, err := b.PayoutsOf(ctx, "transaction", fmt.Sprint(i))
		if err != nil || len(got) != 1 || gocmp.Diff(p, got[0]) != "" {
			t.Errorf("%v, %v", got, err)
		}
	}
	due := func(s anchor.PayoutState, now time.Time, limit int) []string {
		t.Helper()
		all, err := b.PayoutsDue(ctx, s, now, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range all {
			got = append(got, p.ID)
		}
		return got
	}
	for _, c := range []struct {
		state anchor.PayoutState
		now   time.Time
		limit int
		want  []string
	}{
		{anchor.PayoutQueued, noon, 9, []string{ids[0], ids[1], ids[3]}},
		{anchor.PayoutQueued, noon.Add(-time.Second), 9, []string{ids[0], ids[3]}},
		{anchor.PayoutQueued, late, 2, []string{ids[0], ids[1]}},
		{anchor.PayoutParked, noon, 9, []string{ids[4]}},
		{anchor.PayoutPaid, late, 9, nil},
	} {
		if got := due(c.state, c.now, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("%s at %v: %v, want %v", c.state, c.now, got, c.want)
		}
	}
	b.do(t, func(tx *store.Tx) error {
		p, err := tx.Payout(ids[4])
		if err == nil && p.Reason != "x" {
			t.Errorf("%+v", p)
		}
		_, err2 := tx.Payout("nobody")
		kindIs(t, err2, anchor.NotFound, "not_found")
		_, err2 = tx.Envelope("nobody")
		kindIs(t, err2, anchor.NotFound, "not_found")
		_, err2 = tx.BankPayout("nobody")
		kindIs(t, err2, anchor.NotFound, "not_found")
		return err
	})
}
