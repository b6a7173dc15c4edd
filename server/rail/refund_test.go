package rail_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

const staff = "staff:kim"

// change is what a person does with a transaction.
func (w *world) change(id string, do func(*store.Tx, *anchor.Transaction) error) error {
	w.t.Helper()
	return w.books.Update(w.t.Context(), staff, func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		return do(tx, a)
	})
}

// refund is what a person sends back.
func (w *world) refund(id, amount, fee string) error {
	w.t.Helper()
	return w.change(id, func(tx *store.Tx, a *anchor.Transaction) error {
		return tx.Refund(a, w.terms, anchor.MustAmount(amount), anchor.MustAmount(fee), staff, time.Now())
	})
}

// funded is a deposit of 100 that somebody has paid from the account.
func (w *world) funded(from string) *anchor.Transaction {
	w.t.Helper()
	tr := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.payFrom(from, "100", tr.Reference)
	return w.await(tr.ID, "the money", func(t *anchor.Transaction) bool { return t.Funded() })
}

func (w *world) payFrom(account, amount, reference string) {
	w.t.Helper()
	body := `{"amount":"` + amount + `","currency":"USD","reference":"` + reference + `","payer_name":"Ana Díaz","payer_account":"` + account + `"}`
	if rec := call(w.bank, "POST", "/bank/api/transfers", body); rec.Code != 201 {
		w.t.Fatal(rec.Code, rec.Body)
	}
}

// shown is the statement as the bank's page shows it, newest first.
type shown struct {
	ID, Direction, Amount, Reference, State string
	Counterparty                            struct{ Name, Account string }
	Returns, Recalled                       bool
}

func (w *world) statement() []shown {
	w.t.Helper()
	var st struct{ Lines []shown }
	must(w.t, json.Unmarshal(call(w.bank, "GET", "/bank/api/statement", "").Body.Bytes(), &st))
	return st.Lines
}

// orders are a cause's orders of one purpose.
func (w *world) orders(kind anchor.Cause, id string, purpose anchor.Purpose) (all []*anchor.BankPayout) {
	w.t.Helper()
	must(w.t, w.books.Update(w.t.Context(), staff, func(tx *store.Tx) (err error) {
		all, err = tx.BankPayoutsOf(kind, id, purpose)
		return err
	}))
	return all
}

// refunds waits until a transaction's refunds are in these states.
func (w *world) refunds(id string, states ...anchor.BankPayoutState) (all []*anchor.BankPayout) {
	w.t.Helper()
	w.until(store.TopicBankPayouts, "the refund", func() bool {
		all = w.orders(anchor.CauseTransaction, id, anchor.ForRefund)
		same := len(all) == len(states)
		for i := range all {
			same = same && all[i].State == states[i]
		}
		return same
	})
	return all
}

func code(err error) string {
	e, ok := errors.AsType[*anchor.Error](err)
	if !ok {
		return ""
	}
	return e.Code
}

// The refund of a deposit goes to whoever paid it, to the account on the
// statement and under the name there.
func TestRefundOfDeposit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refunds [][2]string // amount, fee
		status  anchor.Status
		back    string
		owed    string // to the customer
	}{
		"all":             {[][2]string{{"100", "0"}}, anchor.Refunded, "100", "0"},
		"less a fee":      {[][2]string{{"99", "1"}}, anchor.Refunded, "99", "0"},
		"a part":          {[][2]string{{"40", "0"}}, anchor.PendingAnchor, "40", "58.5"},
		"in two parts":    {[][2]string{{"40", "0"}, {"60", "0"}}, anchor.Refunded, "100", "0"},
		"a part of parts": {[][2]string{{"40", "0"}, {"10", "1"}}, anchor.PendingAnchor, "50", "47.5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, time.Nanosecond)
			w.start(w.bank)
			tr := w.funded("000123456789")
			var paid []anchor.BankPayoutState
			for _, r := range c.refunds {
				must(t, w.refund(tr.ID, r[0], r[1]))
				paid = append(paid, anchor.BankPaid)
			}
			for _, o := range w.refunds(tr.ID, paid...) {
				if o.RequestedBy != staff || o.Attempts != 1 {
					t.Errorf("%+v", o)
				}
			}
			tr, err := w.books.Transaction(t.Context(), tr.ID)
			must(t, err)
			if tr.Status() != c.status || len(tr.Refunds) != len(c.refunds) || tr.Note != "" {
				t.Error(tr.Status(), tr.Refunds, tr.Note)
			}
			for _, l := range w.statement()[:len(c.refunds)] {
				if l.Direction != "out" || l.Counterparty.Account != "000123456789" || l.Counterparty.Name != "Ana Díaz" {
					t.Errorf("%+v", l)
				}
			}
			w.paidOnce(anchor.MustAmount(c.back) - 100*anchor.One)
			b := balanced(t, w.books)
			if b[anchor.Refunds] != 0 || b[anchor.InFlight] != 0 || b[anchor.Bank] != 100*anchor.One-anchor.MustAmount(c.back) {
				t.Error(b)
			}
			must(t, w.books.Update(t.Context(), staff, func(tx *store.Tx) error {
				intents, err := tx.PayoutsOf(anchor.CauseTransaction, tr.ID, anchor.ForPayout)
				if len(intents) != 1 || intents[0].Amount != anchor.MustAmount(c.owed) || (intents[0].State == anchor.PayoutCancelled) != (c.owed == "0") {
					t.Errorf("%+v", intents)
				}
				return err
			}))
		})
	}
}

// A refund whose outcome is not known is looked up, and sent once: after an
// answer that is lost, and after the end of the process that had asked.
func TestRefundIsSentOnce(t *testing.T) {
	t.Parallel()
	plain := func(ask func() (rail.Transfer, error)) (rail.Transfer, error) { return ask() }
	t.Run("the answer is lost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, time.Nanosecond)
		w.start(&unsure{Simulated: w.bank, lookup: plain, pay: func(_ context.Context, _ rail.Order, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
			_, _ = ask()
			return rail.Transfer{}, errLost
		}})
		tr := w.funded("000123456789")
		must(t, w.refund(tr.ID, "100", "0"))
		w.refunds(tr.ID, anchor.BankPaid)
		w.paidOnce(0)
		balanced(t, w.books)
	})
	t.Run("the process dies", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, time.Nanosecond)
		asked, dead := make(chan struct{}), make(chan struct{})
		stop := w.start(&unsure{Simulated: w.bank, lookup: plain, pay: func(_ context.Context, _ rail.Order, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
			tr, err := ask()
			close(asked)
			<-dead
			return tr, err
		}})
		tr := w.funded("000123456789")
		must(t, w.refund(tr.ID, "100", "0"))
		<-asked
		w.start(&unsure{Simulated: w.bank, lookup: plain, pay: func(context.Context, rail.Order, func() (rail.Transfer, error)) (rail.Transfer, error) {
			t.Error("asked again without need")
			return rail.Transfer{}, errLost
		}})
		w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status() == anchor.Refunded })
		close(dead)
		stop()
		w.paidOnce(0)
		balanced(t, w.books)
	})
	t.Run("nobody can look it up", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, time.Nanosecond)
		w.start(&unsure{Simulated: w.bank,
			lookup: func(func() (rail.Transfer, error)) (rail.Transfer, error) { return rail.Transfer{}, rail.ErrNoLookup },
			pay: func(_ context.Context, _ rail.Order, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
				_, _ = ask()
				return rail.Transfer{}, errLost
			}})
		tr := w.funded("000123456789")
		must(t, w.refund(tr.ID, "100", "0"))
		o := w.refunds(tr.ID, anchor.BankInDoubt)[0]
		sent, err := w.bank.Lookup(t.Context(), o.ID)
		must(t, err)
		for range 2 {
			must(t, w.books.Update(t.Context(), staff, func(tx *store.Tx) error { return tx.BankPayoutSettled(o.ID, sent.ID, sent.At, time.Now()) }))
		}
		w.refunds(tr.ID, anchor.BankPaid)
		if tr, err := w.books.Transaction(t.Context(), tr.ID); err != nil || tr.Status() != anchor.Refunded {
			t.Error(tr.Status(), err)
		}
		if b := balanced(t, w.books); b[anchor.Bank] != 0 || b[anchor.Refunds] != 0 {
			t.Error(b)
		}
	})
}

// A refund that the payer's bank does not take is still owed: staff send it again,
// once, to the same account or another.
func TestRefundThatCannotBeDelivered(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]string{"refused": rail.ClosedAccount, "returned": rail.ReturningAccount} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, time.Millisecond)
			w.start(w.bank)
			tr := w.funded(from)
			must(t, w.refund(tr.ID, "100", "0"))
			first := w.refunds(tr.ID, anchor.BankRefused)[0]
			tr = w.await(tr.ID, "the note", func(t *anchor.Transaction) bool { return t.Note != "" })
			if tr.Note != "refund_returned" || tr.Status() != anchor.PendingAnchor || len(tr.Refunds) != 0 {
				t.Error(tr.Note, tr.Status(), tr.Refunds)
			}
			if b := balanced(t, w.books); b[anchor.Bank] != 100*anchor.One || b[anchor.Refunds] != -100*anchor.One {
				t.Error(b)
			}
			again := func(id string, to map[string]string) (next *anchor.BankPayout, err error) {
				return next, w.books.Update(t.Context(), staff, func(tx *store.Tx) (err error) {
					next, err = tx.RetryBankPayout(id, to, staff, time.Now())
					return err
				})
			}
			if _, err := again(first.ID, map[string]string{store.PayerName: "Ana"}); code(err) != "payee_missing" {
				t.Error("to nobody:", err)
			}
			second, err := again(first.ID, nil)
			must(t, err)
			if second.Retries != first.ID || second.Ordinal != 1 || second.Amount != first.Amount || second.To[store.PayerAccount] != from {
				t.Errorf("%+v", second)
			}
			w.refunds(tr.ID, anchor.BankRefused, anchor.BankRefused)
			if _, err := again(first.ID, nil); code(err) != "retried_already" {
				t.Error("the first a second time:", err)
			}
			third, err := again(second.ID, map[string]string{store.PayerName: "Ana Díaz", store.PayerAccount: "000999"})
			must(t, err)
			w.approved(third)
			w.refunds(tr.ID, anchor.BankRefused, anchor.BankRefused, anchor.BankPaid)
			tr = w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status() == anchor.Refunded })
			if tr.Note != "" || len(tr.Refunds) != 1 {
				t.Error(tr.Note, tr.Refunds)
			}
			if l := w.statement()[0]; l.Counterparty.Account != "000999" {
				t.Errorf("%+v", l)
			}
			if _, err := again(second.ID, nil); code(err) != "retried_already" {
				t.Error("the second a second time:", err)
			}
			w.paidOnce(0)
			if b := balanced(t, w.books); b[anchor.Bank] != 0 || b[anchor.Refunds] != 0 {
				t.Error(b)
			}
		})
	}
}

// approved lets a refund go to an account that a person typed, which needs another
// one.
func (w *world) approved(p *anchor.BankPayout) {
	w.t.Helper()
	by := func(who string) error {
		return w.books.Update(w.t.Context(), store.Actor(who), func(tx *store.Tx) error { return tx.ApproveBankPayout(p.ID, who) })
	}
	if p.State != anchor.BankApproval || p.Reason != store.PayerTyped {
		w.t.Errorf("a typed account waits for nobody: %+v", p)
	}
	if err := by(staff); code(err) != "four_eyes" {
		w.t.Error("the one who typed it:", err)
	}
	must(w.t, by("staff:second"))
}

// A refund that had arrived comes back: the deposit is not refunded any more.
func TestRefundIsRecalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Nanosecond)
	w.start(w.bank)
	tr := w.funded(rail.RecallingAccount)
	must(t, w.refund(tr.ID, "100", "0"))
	tr = w.await(tr.ID, "the recall", func(t *anchor.Transaction) bool { return t.Status() == anchor.OnHold })
	if tr.Note != "refund_returned" || len(tr.Refunds) != 0 {
		t.Error(tr.Note, tr.Refunds)
	}
	o := w.refunds(tr.ID, anchor.BankRefused)[0]
	var next *anchor.BankPayout
	must(t, w.books.Update(t.Context(), staff, func(tx *store.Tx) (err error) {
		next, err = tx.RetryBankPayout(o.ID, map[string]string{store.PayerAccount: "000999"}, staff, time.Now())
		return err
	}))
	w.approved(next)
	w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status() == anchor.Refunded })
	w.paidOnce(0)
	if b := balanced(t, w.books); b[anchor.Bank] != 0 || b[anchor.Refunds] != 0 {
		t.Error(b)
	}
}
