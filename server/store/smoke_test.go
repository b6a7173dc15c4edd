package store_test

import (
	"context"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

func TestSmoke(t *testing.T) {
	s := newStore(t)
	ctx := context.Background()
	now := time.Now()
	g := "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR"
	usdw := anchor.Asset{Scheme: "stellar", Code: "USDW", Issuer: g}
	usd := anchor.Asset{Scheme: "iso4217", Code: "USD"}
	side := anchor.Side{Enabled: true, Min: anchor.One, Max: 10000 * anchor.One, Fee: anchor.Schedule{Fixed: anchor.One, Percent: anchor.MustAmount("0.5")}}
	terms := &anchor.Terms{Asset: usdw, OffChain: usd, Decimals: 2, Account: g, Deposit: side, Withdraw: side}
	tr := anchor.Start(store.NewID(), anchor.Withdrawal, terms, anchor.Identity{Account: g}, anchor.Address(g), now.Add(time.Hour), now)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Update(ctx, store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(tr) }))
	wake, stop := s.Watch(tr.ID)
	defer stop()
	must(s.Update(ctx, store.Customer, func(tx *store.Tx) error {
		a, err := tx.Transaction(tr.ID)
		if err != nil {
			return err
		}
		must(a.SetAmount(terms, 100*anchor.One))
		a.Method, a.Reviewed = "bank_transfer", true
		must(a.Agree(anchor.Instructions{AnchorAccount: g, Memo: anchor.IDMemo(7), Deadline: now.Add(time.Hour)}, now))
		must(tx.SetDetails(a.ID, store.Details{Answers: map[string]string{"bank_account_number": "123456"}}))
		return tx.SaveTransaction(a)
	}))
	<-wake
	must(s.Update(ctx, store.Ledger, func(tx *store.Tx) error {
		a, err := tx.TransactionByMemo(g, anchor.IDMemo(7))
		if err != nil {
			return err
		}
		arr, err := tx.Receive(a, terms, 100*anchor.One, "hash", now, now)
		if arr != anchor.Accepted {
			t.Fatal(arr, err)
		}
		return err
	}))
	got, err := s.Transaction(ctx, tr.ID)
	must(err)
	if got.Status() != anchor.PendingAnchor || got.AmountOut.String() != "98.5" {
		t.Fatal(got.Status(), got.AmountOut)
	}
	due, err := s.BankPayoutsDue(ctx, anchor.BankQueued, now, 10)
	must(err)
	if len(due) != 1 || due[0].To["bank_account_number"] != "123456" {
		t.Fatal(due)
	}
	tl, err := s.Timeline(ctx, tr.ID)
	must(err)
	if len(tl) != 3 {
		t.Fatal(tl)
	}
	h, err := s.History(ctx, anchor.Identity{Account: g}, store.History{Limit: 5, Asset: usdw, NoOlderThan: now.Add(-time.Hour)})
	must(err)
	se, err := s.Search(ctx, store.Search{Text: tr.ID[:8], Statuses: []anchor.Status{anchor.PendingAnchor, anchor.Completed}, Limit: 3})
	must(err)
	if len(h) != 1 || len(se) != 1 {
		t.Fatal(h, se)
	}
	b, err := s.Balances(ctx)
	must(err)
	t.Log(b)
	must(s.Update(ctx, store.Wallet, func(tx *store.Tx) error { return tx.UseOnce("x", "y", now) }))
	err = s.Update(ctx, store.Wallet, func(tx *store.Tx) error { return tx.UseOnce("x", "y", now) })
	if anchor.KindOf(err) != anchor.Conflict {
		t.Fatal(err)
	}
	j, err := s.Journal(ctx, tr.ID)
	must(err)
	if len(j) != 1 || len(j[0].Postings) != 5 {
		t.Fatal(j)
	}
}
