package store_test

import (
	"context"
	"fmt"
	"math"
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

// TestManyPaymentsForOne: a stranger who sends a transaction dust without end hides
// nothing that was taken for it, and has no more than so much of it read.
func TestManyPaymentsForOne(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := t.Context()
	const many = 100_000
	b.do(t, func(tx *store.Tx) error {
		for i, id := range []string{"1", "2"} {
			p := payment(id)
			p.State, p.Transaction, p.Reason = anchor.Matched, "t", ""
			if err := tx.CreatePayment(p); err != nil {
				return err
			}
			l := &anchor.BankLine{ID: id, At: noon.Add(time.Duration(i)), Asset: usd, Amount: 1, State: anchor.Matched, Transaction: "t"}
			if err := tx.CreateBankLine(l); err != nil {
				return err
			}
		}
		dust := payment("3")
		dust.State, dust.Transaction, dust.Reason = anchor.Unmatched, "t", string(anchor.Short)
		if err := tx.CreatePayment(dust); err != nil {
			return err
		}
		return tx.Exec(`WITH RECURSIVE n (i) AS (SELECT 4 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
			INSERT INTO payments (id, seq, account, sender, asset, amount, memo_type, memo, hash, ledger, at, state, reason, transaction_id, decide_at)
			SELECT i, i, account, sender, asset, amount, memo_type, memo, hash, ledger, at, state, reason, transaction_id, decide_at FROM n, payments WHERE id = '3'`, many)
	})
	of, err := b.PaymentsOfEach(ctx, []string{"other", "t"})
	got := of["t"]
	if err != nil || len(of) != 1 || len(got) != 200 || got[0].ID != "1" || got[1].ID != "2" || got[2].ID != fmt.Sprint(many-197) || got[199].ID != fmt.Sprint(many) {
		t.Errorf("%d, %v", len(got), err)
	}
	lines, err := b.BankLinesOfEach(ctx, []string{"t"})
	if err != nil || len(lines["t"]) != 2 || lines["t"][0].ID != "1" {
		t.Errorf("%v, %v", lines, err)
	}
	if none, err := b.PaymentsOfEach(ctx, nil); err != nil || len(none) != 0 {
		t.Errorf("%v, %v", none, err)
	}
	b.do(t, func(tx *store.Tx) error {
		taken, err := tx.PaymentsOf("t", anchor.Matched, 9)
		if len(taken) != 2 || taken[0].ID != "2" {
			t.Errorf("taken: %v", taken)
		}
		return err
	})
}

// TestSumsAtTheEdge: amounts that are large by themselves add up as long as their
// sum is one, whatever it was on its way; and one that is none names its account.
func TestSumsAtTheEdge(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	post := func(amount anchor.Amount, from, to anchor.Ledger) {
		t.Helper()
		b.do(t, func(tx *store.Tx) error { return tx.Post(noon, anchor.Move("x", "", "r", usd, amount, from, to)) })
	}
	sums := func() string {
		t.Helper()
		all, err := b.Balances(t.Context())
		if err != nil {
			return err.Error()
		}
		text := ""
		for _, s := range all {
			text += fmt.Sprintf("%s %d ", s.Account, s.Amount)
		}
		return text
	}
	const most = math.MaxInt64
	post(most, anchor.Suspense, anchor.Bank)
	if got, want := sums(), fmt.Sprintf("bank %d suspense %d ", most, -most); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// One stroop more than an amount can hold.
	post(1, anchor.Suspense, anchor.Bank)
	if got := sums(); !strings.Contains(got, "bank") || !strings.Contains(got, "iso4217:USD") {
		t.Error(got)
	}
	post(most, anchor.Suspense, anchor.Bank)
	post(most, anchor.Bank, anchor.Suspense)
	post(2, anchor.Bank, anchor.Suspense)
	if got, want := sums(), fmt.Sprintf("bank %d suspense %d ", most-1, -most+1); got != want {
		t.Errorf("%s, want %s", got, want)
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
