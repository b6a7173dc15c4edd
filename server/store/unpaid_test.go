package store_test

import (
	"fmt"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// Who agreed and never paid is forgotten once all of it is long over, with their
// documents and what they entered; nobody else is, and never before.
func TestForgetUnpaid(t *testing.T) {
	t.Parallel()
	day := func(n int) time.Time { return late.Add(time.Duration(n) * 24 * time.Hour) }
	agreed := func(over int) func(*anchor.Transaction) error {
		return func(a *anchor.Transaction) error { return a.GiveUp(day(over)) }
	}
	waits := func(*anchor.Transaction) error { return nil }
	for i, c := range []struct {
		name    string
		vetting anchor.Vetting
		all     []func(*anchor.Transaction) error
		with    func(*testing.T, *books, *anchor.Transaction) // what else came of the last one
		kept    store.Kept
		forgets bool
	}{
		{"long over", anchor.Unvetted, []func(*anchor.Transaction) error{agreed(1), agreed(2)}, nil, store.Kept{Unpaid: day(3)}, true},
		{"one is not long over", anchor.Unvetted, []func(*anchor.Transaction) error{agreed(1), agreed(4)}, nil, store.Kept{Unpaid: day(3)}, false},
		{"one is under way", anchor.Unvetted, []func(*anchor.Transaction) error{agreed(1), waits}, nil, store.Kept{Unpaid: day(3)}, false},
		{"looked at", anchor.Vetted, []func(*anchor.Transaction) error{agreed(1)}, nil, store.Kept{Unpaid: day(3)}, false},
		{"looked at, not long ago", anchor.Doubted, []func(*anchor.Transaction) error{agreed(2)}, nil, store.Kept{Unpaid: day(3), Reviewed: day(1)}, false},
		{"looked at, long ago", anchor.Vetted, []func(*anchor.Transaction) error{agreed(1)}, nil, store.Kept{Unpaid: day(9), Reviewed: day(3)}, true},
		{"paid", anchor.Unvetted, []func(*anchor.Transaction) error{agreed(1), waits}, func(t *testing.T, b *books, a *anchor.Transaction) {
			t.Helper()
			b.do(t, func(tx *store.Tx) error {
				a, err := tx.Transaction(a.ID)
				if err != nil {
					return err
				}
				_, err = tx.Receive(a, offer(), 100*anchor.One, "paid", noon, noon)
				return err
			})
		}, store.Kept{Unpaid: day(3)}, false},
		{"paid, however it ended", anchor.Unvetted, []func(*anchor.Transaction) error{agreed(1), func(a *anchor.Transaction) error {
			err := a.GiveUp(day(1))
			a.FundedAt = noon
			return err
		}}, nil, store.Kept{Unpaid: day(3)}, false},
		{"came late, on the ledger", anchor.Unvetted, []func(*anchor.Transaction) error{agreed(1)}, func(t *testing.T, b *books, a *anchor.Transaction) {
			t.Helper()
			b.do(t, func(tx *store.Tx) error {
				return tx.CreatePayment(&anchor.Payment{ID: "1", Account: alice, From: bob, Asset: a.Asset, Amount: 1, Hash: "h", At: noon, State: anchor.Unmatched, Reason: string(anchor.Late), Transaction: a.ID})
			})
		}, store.Kept{Unpaid: day(3)}, false},
		{"came late, at the bank", anchor.Unvetted, []func(*anchor.Transaction) error{agreed(1)}, func(t *testing.T, b *books, a *anchor.Transaction) {
			t.Helper()
			b.do(t, func(tx *store.Tx) error {
				return tx.CreateBankLine(&anchor.BankLine{ID: "l", At: noon, Asset: usd, Amount: 5, State: anchor.Unmatched, Reason: string(anchor.Late), Transaction: a.ID})
			})
		}, store.Kept{Unpaid: day(3)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			ana := &anchor.Customer{ID: "ana", Owner: anchor.Identity{Account: alice}, Review: anchor.ReviewAccepted, Vetting: c.vetting, CreatedAt: noon, UpdatedAt: noon}
			other := &anchor.Customer{ID: "other", Owner: anchor.Identity{Account: alice, Memo: "1"}, CreatedAt: noon, UpdatedAt: noon}
			for _, customer := range []*anchor.Customer{ana, other} {
				if _, err := b.attach(t, customer, "photo_id_front", photo(1)); err != nil {
					t.Fatal(err)
				}
			}
			b.do(t, func(tx *store.Tx) error { // attaching takes what was said away
				ana.Vetting = c.vetting
				return tx.SaveCustomer(ana)
			})
			var last *anchor.Transaction
			for n, end := range c.all {
				a := start(anchor.Withdrawal)
				if err := agree(a, uint64(10*i+n+1)); err != nil {
					t.Fatal(err)
				}
				if err := end(a); err != nil {
					t.Fatal(err)
				}
				b.do(t, func(tx *store.Tx) error {
					if err := tx.CreateTransaction(a); err != nil {
						return err
					}
					return tx.SetDetails(a.ID, store.Details{Answers: map[string]string{"bank_account_number": "1"}})
				})
				last = a
			}
			if c.with != nil {
				c.with(t, b, last)
			}
			forgotten, err := b.ForgetUnpaid(t.Context(), c.kept, 10, day(10))
			if err != nil || forgotten > 0 != c.forgets {
				t.Errorf("%d are forgotten, %v", forgotten, err)
			}
			left := map[bool]string{true: "0 0 0", false: fmt.Sprint(1, len(c.all), len(c.all))}[c.forgets]
			got := fmt.Sprint(b.count(t, `SELECT COUNT(*) FROM files WHERE customer_id = 'ana'`), b.count(t, `SELECT COUNT(*) FROM details`),
				b.count(t, `SELECT COUNT(*) FROM transactions WHERE agreed_at <> 0`))
			if got != left {
				t.Errorf("documents, details and agreements: %s, want %s", got, left)
			}
			now, err := b.CustomerOf(t.Context(), ana.Owner)
			if err != nil || (len(now.Fields) == 0) != c.forgets || (now.Review == anchor.ReviewNone) != c.forgets {
				t.Errorf("%+v, %v", now, err)
			}
			if n := b.count(t, `SELECT COUNT(*) FROM files WHERE customer_id = 'other'`); n != 1 {
				t.Errorf("%d documents of somebody else", n)
			}
			if n, err := b.ForgetUnpaid(t.Context(), c.kept, 10, day(10)); err != nil || n != 0 {
				t.Errorf("again: %d, %v", n, err)
			}
			if !c.forgets {
				return
			}
			// What comes now is nobody's, and no person can take it for theirs.
			b.do(t, func(tx *store.Tx) error {
				a, err := tx.Transaction(last.ID)
				if err != nil {
					return err
				}
				if arrival, err := tx.Revive(a, offer(), 100*anchor.One, "late", day(11), day(11)); err != nil || arrival != anchor.Late || a.MayAssign() {
					t.Errorf("%s, %v", arrival, err)
				}
				return nil
			})
		})
	}
}
