package rail_test

import (
	"fmt"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

// completed is a withdrawal of 100 that the bank has paid, and its order.
func (w *world) completed(to string) (*anchor.Transaction, *anchor.BankPayout) {
	w.t.Helper()
	tr := w.paidWithdrawal("100", to)
	tr = w.await(tr.ID, "the bank's payment", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
	return tr, w.order(tr.ID)
}

// A transfer that was settled comes back in the statement: the withdrawal is
// open again, and staff choose what becomes of it.
func TestRecall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		choose func(*world, *anchor.Transaction) error
		end    func(*world, string)
		paid   string
	}{
		"a second attempt": {
			choose: func(w *world, tr *anchor.Transaction) error {
				return w.change(tr.ID, func(tx *store.Tx, a *anchor.Transaction) error { return tx.Release(a, w.terms, time.Now()) })
			},
			end: func(w *world, id string) {
				w.await(id, "the second payment", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed && t.Note == "" })
			},
			paid: "98.5",
		},
		"to another account": {
			choose: func(w *world, tr *anchor.Transaction) error {
				first := w.orders(anchor.CauseTransaction, tr.ID, anchor.ForPayout)[0]
				return w.books.Update(w.t.Context(), staff, func(tx *store.Tx) error {
					_, err := tx.RetryBankPayout(first.ID, map[string]string{"bank_account_number": "777"}, staff, time.Now())
					return err
				})
			},
			end: func(w *world, id string) {
				w.await(id, "the second payment", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
				if l := w.statement()[0]; l.Counterparty.Account != "777" {
					w.t.Errorf("%+v", l)
				}
			},
			paid: "98.5",
		},
		"a refund": {
			choose: func(w *world, tr *anchor.Transaction) error { return w.refund(tr.ID, "100", "0") },
			end: func(w *world, id string) {
				tr, err := w.books.Transaction(w.t.Context(), id)
				must(w.t, err)
				intents, err := w.books.PayoutsOf(w.t.Context(), anchor.CauseTransaction, id)
				must(w.t, err)
				if len(intents) != 1 || intents[0].Purpose != anchor.ForRefund || intents[0].Amount != 100*anchor.One || tr.AmountOut != 0 {
					w.t.Errorf("%+v %s", intents, tr.AmountOut)
				}
			},
			paid: "0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, time.Nanosecond)
			w.start(w.bank)
			tr, o := w.completed("12345678")
			must(t, w.payment(tr))
			must(t, w.bank.Recall(t.Context(), o.BankID))
			must(t, w.bank.Recall(t.Context(), o.BankID)) // which is the same one
			tr = w.await(tr.ID, "the recall", func(t *anchor.Transaction) bool { return t.Status() == anchor.OnHold })
			if tr.PaidOut() || tr.Note != "returned" || !tr.CompletedAt.IsZero() {
				t.Errorf("paid out %v, %q", tr.PaidOut(), tr.Note)
			}
			line := w.lines(1)[0]
			if line.State != anchor.Own || line.Reason != anchor.Returned || line.Order != o.ID || line.Transaction != tr.ID {
				t.Errorf("%+v", line)
			}
			if o := w.order(tr.ID); o.State != anchor.BankRefused || o.Reason != anchor.Returned {
				t.Errorf("%+v", o)
			}
			if b := balanced(t, w.books); b[anchor.Bank] != 0 || b[anchor.InFlight] != 0 || b[anchor.Customers] != -anchor.MustAmount("98.5") {
				t.Error(b)
			}
			must(t, c.choose(w, tr))
			c.end(w, tr.ID)
			w.paidOnce(anchor.MustAmount(c.paid))
			if b := balanced(t, w.books); b[anchor.Bank] != -anchor.MustAmount(c.paid) || b[anchor.InFlight] != 0 || b[anchor.Customers] != 0 {
				t.Error(b)
			}
		})
	}
}

// payment is the row of what came in on the ledger for a withdrawal.
func (w *world) payment(tr *anchor.Transaction) error {
	return w.books.Update(w.t.Context(), store.Ledger, func(tx *store.Tx) error {
		return tx.CreatePayment(&anchor.Payment{ID: "1", Account: account, From: account, Asset: tr.Asset, Amount: tr.AmountIn, Memo: tr.Memo,
			Hash: "hash " + tr.ID, Ledger: 1, At: time.Now(), State: anchor.Matched, Transaction: tr.ID})
	})
}

// The bank misbehaves by itself at one account number, and again at the second
// attempt.
func TestRecallingAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Millisecond)
	w.start(w.bank)
	tr := w.paidWithdrawal("100", rail.RecallingAccount)
	for range 2 {
		w.await(tr.ID, "the recall", func(t *anchor.Transaction) bool { return t.Status() == anchor.OnHold })
		must(t, w.change(tr.ID, func(tx *store.Tx, a *anchor.Transaction) error { return tx.Release(a, w.terms, time.Now()) }))
	}
	w.await(tr.ID, "the recall", func(t *anchor.Transaction) bool { return t.Status() == anchor.OnHold })
	if all := w.orders(anchor.CauseTransaction, tr.ID, anchor.ForPayout); len(all) != 3 || all[2].State != anchor.BankRefused {
		t.Errorf("%+v", all)
	}
	w.paidOnce(0)
	if b := balanced(t, w.books); b[anchor.Bank] != 0 || b[anchor.Customers] != -anchor.MustAmount("98.5") {
		t.Error(b)
	}
}

// What the bank says of an order that does not fit is money without an owner.
func TestUnknownReturn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	stop := w.start(w.bank)
	tr := w.paidWithdrawal("100", "12345678")
	w.await(tr.ID, "the order", func(t *anchor.Transaction) bool { return t.Status() == anchor.PendingExternal })
	must(t, w.bank.Settle(t.Context()))
	w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
	paid := w.order(tr.ID)
	stop()
	for name, change := range map[string]func(*rail.Credit){
		"of nobody":          func(c *rail.Credit) { c.Order = "nobody's" },
		"less than was paid": func(c *rail.Credit) { c.Order = paid.ID },
		"other money":        func(c *rail.Credit) { c.Order, c.Amount, c.Asset = paid.ID, paid.Amount, eur },
	} {
		w.payFrom("000123456789", "50", name)
		changed := amended{w.bank, func(c *rail.Credit) {
			if c.Reference == name {
				change(c)
			}
		}}
		stop := w.start(changed)
		w.eventually(name, func() bool {
			all, _, err := w.books.BankLines(t.Context(), false, store.Page{Limit: 1})
			must(t, err)
			return len(all) > 0 && all[0].Reference == name
		})
		stop()
		if l := w.lines(1)[0]; l.State != anchor.Unmatched || l.Reason != anchor.UnknownReturn || l.Order != "" {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if o := w.order(tr.ID); o.State != anchor.BankPaid {
		t.Errorf("%+v", o)
	}
	// The true one comes once.
	must(t, w.bank.Recall(t.Context(), paid.BankID))
	w.start(amended{w.bank, func(c *rail.Credit) {
		if c.Reference == "again" {
			c.Order, c.Amount = paid.ID, paid.Amount
		}
	}})
	w.await(tr.ID, "the recall", func(t *anchor.Transaction) bool { return t.Status() == anchor.OnHold })
	w.payFrom("000123456789", "50", "again")
	if l := w.lines(5)[0]; l.State != anchor.Unmatched || l.Reason != anchor.UnknownReturn || l.Order != "" {
		t.Errorf("%+v", l)
	}
	if b := balanced(t, w.books); b[anchor.Suspense] != -100*anchor.One-paid.Amount || b[anchor.Customers] != -anchor.MustAmount("98.5") {
		t.Error(b)
	}
}

// TestStaffSayWhatTheBankDid goes through what staff can say of an order in each
// state, and that saying it twice is saying it once.
func TestStaffSayWhatTheBankDid(t *testing.T) {
	t.Parallel()
	now := time.Now()
	settled := func(bankID string) func(*store.Tx, string) error {
		return func(tx *store.Tx, id string) error { return tx.BankPayoutSettled(id, bankID, now, now) }
	}
	returned := func(line string) func(*store.Tx, string) error {
		return func(tx *store.Tx, id string) error {
			return tx.BankPayoutReturned(id, line, "account_closed", now)
		}
	}
	for name, c := range map[string]struct {
		state  anchor.BankPayoutState // of the order, before
		bankID string
		say    func(*store.Tx, string) error
		code   string
		status anchor.Status
		paid   string
	}{
		"in doubt, and paid":               {anchor.BankInDoubt, "", settled("T1"), "", anchor.Completed, "98.5"},
		"in doubt, and never taken":        {anchor.BankInDoubt, "", returned(""), "", anchor.OnHold, "0"},
		"in doubt, paid, no name":          {anchor.BankInDoubt, "", settled(""), "bank_id_missing", anchor.PendingAnchor, "0"},
		"with the bank, and paid":          {anchor.BankAsked, "T1", settled("T1"), "", anchor.Completed, "98.5"},
		"with the bank, and paid, by name": {anchor.BankAsked, "T1", settled(""), "", anchor.Completed, "98.5"},
		"with the bank, under another":     {anchor.BankAsked, "T1", settled("T2"), "bank_id_differs", anchor.PendingExternal, "98.5"},
		"with the bank, and given back":    {anchor.BankAsked, "T1", returned(""), "", anchor.OnHold, "0"},
		"with the bank, back by a line":    {anchor.BankAsked, "T1", returned("back"), "", anchor.OnHold, "98.5"},
		"in doubt, back by a line":         {anchor.BankInDoubt, "", returned("back"), "", anchor.OnHold, "98.5"},
		"paid, and back by a line":         {anchor.BankPaid, "T1", returned("back"), "", anchor.OnHold, "98.5"},
		"paid, and back by nothing":        {anchor.BankPaid, "T1", returned(""), "line_missing", anchor.Completed, "98.5"},
		"paid, and back by too much":       {anchor.BankPaid, "T1", returned("more"), "does_not_fit", anchor.Completed, "98.5"},
		"paid, back by a line that is not": {anchor.BankPaid, "T1", returned("none"), "", anchor.Completed, "98.5"},
		"paid, under another name":         {anchor.BankPaid, "T1", settled("T2"), "bank_id_differs", anchor.Completed, "98.5"},
		"nobody was asked":                 {anchor.BankQueued, "", settled("T1"), "order_state_refused", anchor.PendingAnchor, "0"},
		"nobody was asked, back":           {anchor.BankQueued, "", returned(""), "order_state_refused", anchor.PendingAnchor, "0"},
		"refused, and paid":                {anchor.BankRefused, "", settled("T1"), "order_state_refused", anchor.OnHold, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, -1)
			tr := w.paidWithdrawal("100", "12345678")
			o := w.order(tr.ID)
			said := func(do func(tx *store.Tx) error) error { return w.books.Update(t.Context(), staff, do) }
			must(t, said(func(tx *store.Tx) error {
				for id, amount := range map[string]string{"back": "98", "more": "98.51"} {
					l := &anchor.BankLine{ID: id, At: now, Asset: usd, Amount: anchor.MustAmount(amount)}
					if err := tx.UnmatchedLine(l, anchor.UnknownReference); err != nil {
						return err
					}
				}
				o, err := tx.BankPayout(o.ID)
				if err != nil {
					return err
				}
				if o.Attempts = 1; c.state == anchor.BankQueued || c.state == anchor.BankInDoubt {
					o.State = c.state
					return tx.SaveBankPayout(o)
				}
				_, err = tx.RecordBankPayout(o, store.Outcome{State: c.state, BankID: c.bankID}, now)
				return err
			}))
			before := balanced(t, w.books)
			for n := range 2 {
				err := said(func(tx *store.Tx) error { return c.say(tx, o.ID) })
				if name == "paid, back by a line that is not" {
					if anchor.KindOf(err) != anchor.NotFound {
						t.Error(err)
					}
				} else if code(err) != c.code || (err == nil) != (c.code == "") {
					t.Errorf("said %d times: %v, want %q", n+1, err, c.code)
				}
			}
			if tr, err := w.books.Transaction(t.Context(), tr.ID); err != nil || tr.Status() != c.status || tr.PaidOut() != (c.status == anchor.Completed) {
				t.Error(tr.Status(), tr.PaidOut(), err)
			}
			b := balanced(t, w.books)
			if came := anchor.MustAmount("196.51"); b[anchor.Bank]-came != -anchor.MustAmount(c.paid) || c.code != "" && fmt.Sprint(b) != fmt.Sprint(before) {
				t.Errorf("%v, before %v", b, before)
			}
			if c.code == "" && c.status == anchor.OnHold && b[anchor.Customers] != -anchor.MustAmount("98.5") {
				t.Error("owed:", b[anchor.Customers])
			}
		})
	}
}

// A person who said by mistake that the bank has paid can take it back; the
// bank's own word cannot be taken back.
func TestSettledByMistake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	tr := w.paidWithdrawal("100", "12345678")
	o := w.order(tr.ID)
	now := time.Now()
	must(t, w.books.Update(t.Context(), staff, func(tx *store.Tx) error {
		o.State, o.Attempts = anchor.BankInDoubt, 1
		if err := tx.SaveBankPayout(o); err != nil {
			return err
		}
		return tx.BankPayoutSettled(o.ID, "T1", now, now)
	}))
	must(t, w.books.Update(t.Context(), staff, func(tx *store.Tx) error { return tx.BankPayoutReturned(o.ID, "", "mistake", now) }))
	if tr, err := w.books.Transaction(t.Context(), tr.ID); err != nil || tr.Status() != anchor.OnHold || tr.PaidOut() {
		t.Error(tr.Status(), tr.PaidOut(), err)
	}
	if b := balanced(t, w.books); b[anchor.Bank] != 0 || b[anchor.Customers] != -anchor.MustAmount("98.5") {
		t.Error(b)
	}
}

// One person's word that an order came back pays nobody above the limit: whatever
// takes the order's place waits for a second person.
func TestReturnedAboveTheLimit(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(*world, *store.Tx, *anchor.Transaction, *anchor.BankPayout) error{
		"released": func(w *world, tx *store.Tx, a *anchor.Transaction, _ *anchor.BankPayout) error {
			return tx.Release(a, w.terms, time.Now())
		},
		"made again": func(_ *world, tx *store.Tx, _ *anchor.Transaction, o *anchor.BankPayout) error {
			_, err := tx.RetryBankPayout(o.ID, nil, staff, time.Now())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, -1)
			w.terms.PayoutLimit = 50 * anchor.One
			w.books.Limit([]*anchor.Terms{w.terms})
			tr := w.paidWithdrawal("100", "12345678")
			o := w.order(tr.ID)
			must(t, w.books.Update(t.Context(), staff, func(tx *store.Tx) error {
				o.State, o.Attempts = anchor.BankInDoubt, 1
				if err := tx.SaveBankPayout(o); err != nil {
					return err
				}
				return tx.BankPayoutReturned(o.ID, "", "mistake", time.Now())
			}))
			must(t, w.change(tr.ID, func(tx *store.Tx, a *anchor.Transaction) error { return again(w, tx, a, o) }))
			all := w.orders(anchor.CauseTransaction, tr.ID, anchor.ForPayout)
			if len(all) != 2 || all[1].State != anchor.BankApproval || all[1].Reason != store.AbovePayoutLimit {
				t.Fatalf("%+v", all)
			}
			err := w.books.Update(t.Context(), staff, func(tx *store.Tx) error { return tx.ApproveBankPayout(all[1].ID, staff) })
			if code(err) != "four_eyes" {
				t.Error(err)
			}
		})
	}
}
