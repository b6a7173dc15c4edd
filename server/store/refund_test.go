package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/strkey"

	"windlass/server/anchor"
	"windlass/server/store"
)

// paidIn is a transaction whose money has come in, with the row that says from
// whom: 100, of which 1.50 is the fee.
func (b *books) paidIn(t *testing.T, kind anchor.Kind, memo uint64) string {
	t.Helper()
	id := b.waiting(t, kind, memo)
	b.do(t, func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		if _, err := tx.Receive(a, offer(), 100*anchor.One, "came-"+id, noon, noon); err != nil {
			return err
		}
		if kind == anchor.Deposit {
			return tx.CreateBankLine(&anchor.BankLine{ID: "came-" + id, At: noon, Asset: usd, Amount: 100 * anchor.One, Reference: a.Reference,
				PayerName: "Ada", PayerAccount: "777", State: anchor.Matched, Transaction: id})
		}
		p := payment(fmt.Sprint(4294967297 + 4096*memo))
		p.Amount, p.Hash, p.State, p.Reason, p.Transaction = 100*anchor.One, "came-"+id, anchor.Matched, "", id
		return tx.CreatePayment(p)
	})
	return id
}

func (b *books) refund(t *testing.T, id string, amount anchor.Amount) error {
	t.Helper()
	return b.Update(t.Context(), "staff:ada", func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		return tx.Refund(a, offer(), amount, 0, "staff:ada", noon)
	})
}

// balance is what the journal has in an account.
func (b *books) balance(t *testing.T, account anchor.Ledger, asset anchor.Asset) anchor.Amount {
	t.Helper()
	all, err := b.Balances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.Account == account && l.Asset == asset {
			return l.Amount
		}
	}
	return 0
}

// TestRefundOfAWithdrawal: the order to the bank shrinks or ends with what goes
// back, which is an intent to the sender; and what the bank may be paying at this
// moment cannot go back.
func TestRefundOfAWithdrawal(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	id := b.paidIn(t, anchor.Withdrawal, 7)
	order := func() *anchor.BankPayout {
		all, err := b.BankPayoutsOf(t.Context(), id)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d orders, %v", len(all), err)
		}
		return all[0]
	}
	if err := b.refund(t, id, 40*anchor.One); err != nil {
		t.Fatal(err)
	}
	if o := order(); o.Amount != anchor.MustAmount("58.5") || o.State != anchor.BankQueued {
		t.Errorf("the order is %s, %s", o.Amount, o.State)
	}
	intents, err := b.PayoutsOf(t.Context(), anchor.CauseTransaction, id)
	if err != nil || len(intents) != 1 {
		t.Fatalf("%d intents, %v", len(intents), err)
	}
	if p := intents[0]; p.Purpose != anchor.ForRefund || p.Amount != 40*anchor.One || p.Destination != bob || p.Source != alice || p.Memo != anchor.IDMemo(7) ||
		p.Asset != usdw || p.RequestedBy != "staff:ada" || p.State != anchor.PayoutQueued {
		t.Errorf("%+v", p)
	}

	// The bank is being asked.
	o := order()
	o.Attempts, o.AskedUntil = 1, noon
	b.do(t, func(tx *store.Tx) error { return tx.SaveBankPayout(o) })
	if err := b.refund(t, id, 60*anchor.One); anchor.KindOf(err) != anchor.Conflict {
		t.Errorf("refunded while the bank may be paying: %v", err)
	}
	if got := b.balance(t, anchor.Refunds, usdw); got != -40*anchor.One {
		t.Errorf("a refused refund is in the books: %s", got)
	}

	// It refuses, so that the rest goes back too, in an intent of its own.
	o.State = anchor.BankRefused
	b.do(t, func(tx *store.Tx) error {
		if err := tx.SaveBankPayout(o); err != nil {
			return err
		}
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		if err := a.BankGaveBack(noon); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
	if err := b.refund(t, id, 60*anchor.One); err != nil {
		t.Fatal(err)
	}
	if intents, err = b.PayoutsOf(t.Context(), anchor.CauseTransaction, id); err != nil || len(intents) != 2 || intents[1].Ordinal != 1 || intents[1].Amount != 60*anchor.One {
		t.Fatalf("%v, %v", intents, err)
	}
	for account, want := range map[anchor.Ledger]anchor.Amount{anchor.Refunds: -100 * anchor.One, anchor.Fees: 0, anchor.Exchange: 0, anchor.Customers: 0} {
		if got := b.balance(t, account, usdw); got != want {
			t.Errorf("%s has %s, want %s", account, got, want)
		}
	}
	if got := b.balance(t, anchor.Customers, usd); got != 0 {
		t.Errorf("%s are still owed", got)
	}
}

// TestRefundOfADeposit: the intent shrinks or ends, unless an envelope has it.
func TestRefundOfADeposit(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	id := b.paidIn(t, anchor.Deposit, 7)
	intent := func() *anchor.Payout {
		all, err := b.PayoutsOf(t.Context(), anchor.CauseTransaction, id)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d intents, %v", len(all), err)
		}
		return all[0]
	}
	if err := b.refund(t, id, 40*anchor.One); err != nil {
		t.Fatal(err)
	}
	p := intent()
	if p.Amount != anchor.MustAmount("58.5") || p.State != anchor.PayoutQueued {
		t.Errorf("the intent is %s, %s", p.Amount, p.State)
	}
	// A person parks it while an envelope has it: it may still be paid.
	p.State, p.Envelope = anchor.PayoutInEnvelope, "e"
	b.do(t, func(tx *store.Tx) error {
		if err := tx.CreateEnvelope(&anchor.Envelope{ID: "e", Channel: alice, Hash: "h", State: anchor.EnvelopeLive, Intents: []string{p.ID}}); err != nil {
			return err
		}
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		if err := a.Fail("parked", noon); err != nil {
			return err
		}
		return errors.Join(tx.SavePayout(p), tx.SaveTransaction(a))
	})
	if err := b.refund(t, id, 60*anchor.One); anchor.KindOf(err) != anchor.Conflict {
		t.Errorf("refunded while an envelope may pay it: %v", err)
	}
	p.State, p.Envelope = anchor.PayoutParked, ""
	b.do(t, func(tx *store.Tx) error { return tx.SavePayout(p) })
	if err := b.refund(t, id, 60*anchor.One); err != nil {
		t.Fatal(err)
	}
	if p := intent(); p.State != anchor.PayoutCancelled {
		t.Errorf("the intent is %s", p.State)
	}
	orders, err := b.BankPayoutsOf(t.Context(), id)
	if err != nil || len(orders) != 2 || orders[1].Purpose != anchor.ForRefund || orders[1].Amount != 60*anchor.One || orders[1].To[store.PayerAccount] != "777" {
		t.Errorf("%v, %v", orders, err)
	}
}

// TestRefundOfAnUnmatchedPayment happens once.
func TestRefundOfAnUnmatchedPayment(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	p := payment("4294967297")
	p.Amount = 100 * anchor.One
	b.do(t, func(tx *store.Tx) error {
		return errors.Join(tx.CreatePayment(p), tx.Post(noon, anchor.Move("unmatched", "", "h", usdw, p.Amount, anchor.Suspense, anchor.Distribution)))
	})
	refund := func(fee anchor.Amount) error {
		return b.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
			p, err := tx.Payment(p.ID)
			if err != nil {
				return err
			}
			return tx.RefundPayment(p, fee, "", noon)
		})
	}
	if err := refund(100 * anchor.One); anchor.KindOf(err) != anchor.Invalid {
		t.Errorf("a fee that eats it: %v", err)
	}
	if err := refund(anchor.One); err != nil {
		t.Fatal(err)
	}
	if err := refund(0); anchor.KindOf(err) != anchor.Conflict {
		t.Errorf("refunded twice: %v", err)
	}
	due, err := b.PayoutsDue(t.Context(), anchor.PayoutQueued, noon, 9)
	if err != nil || len(due) != 1 || due[0].CauseKind != anchor.CausePayment || due[0].Amount != 99*anchor.One || due[0].Destination != bob {
		t.Fatalf("%v, %v", due, err)
	}
	if s, r, f := b.balance(t, anchor.Suspense, usdw), b.balance(t, anchor.Refunds, usdw), b.balance(t, anchor.Fees, usdw); s != 0 || r != -99*anchor.One || f != -anchor.One {
		t.Errorf("suspense %s, refunds %s, fees %s", s, r, f)
	}
}

// TestAnOrderKeepsItsName: yesterday's books, put back, make the order that they
// have forgotten under the name by which the bank knows it.
func TestAnOrderKeepsItsName(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	id := b.waiting(t, anchor.Withdrawal, 7)
	yesterday := t.TempDir()
	if _, err := b.raw(t).Exec(`VACUUM INTO $1`, filepath.Join(yesterday, "books.db")); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(b.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(yesterday, "key.json"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, books := range []*books{b, openBooks(t, yesterday)} {
		books.do(t, func(tx *store.Tx) error {
			a, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			_, err = tx.Receive(a, offer(), 100*anchor.One, "h", noon, noon)
			return err
		})
		all, err := books.BankPayoutsOf(t.Context(), id)
		if err != nil || len(all) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
		names[all[0].ID] = true
	}
	if len(names) != 1 {
		t.Errorf("one order has the names %v", names)
	}
}

// TestHeldWhileTheBankIsAsked: the bank takes the order of a withdrawal that a
// person has held in that moment. Released, it goes on with that order.
func TestHeldWhileTheBankIsAsked(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	id := b.paidIn(t, anchor.Withdrawal, 7)
	step := func(fn func(*store.Tx, *anchor.Transaction, *anchor.BankPayout) error) anchor.Status {
		t.Helper()
		b.do(t, func(tx *store.Tx) error {
			a, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			all, err := tx.BankPayoutsOf(anchor.CauseTransaction, id, anchor.ForPayout)
			if err != nil {
				return err
			}
			return fn(tx, a, all[0])
		})
		a, err := b.Transaction(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return a.Status()
	}
	bankSays := func(state anchor.BankPayoutState) anchor.Status {
		return step(func(tx *store.Tx, _ *anchor.Transaction, o *anchor.BankPayout) error {
			_, err := tx.RecordBankPayout(o, store.Outcome{State: state, BankID: "b"}, noon)
			return err
		})
	}
	step(func(tx *store.Tx, a *anchor.Transaction, _ *anchor.BankPayout) error {
		return errors.Join(a.Hold(noon), tx.SaveTransaction(a))
	})
	if s := bankSays(anchor.BankAsked); s != anchor.OnHold {
		t.Fatalf("it is %s", s)
	}
	released := step(func(tx *store.Tx, a *anchor.Transaction, _ *anchor.BankPayout) error {
		return tx.Release(a, offer(), noon)
	})
	if released != anchor.PendingExternal {
		t.Errorf("released, it is %s", released)
	}
	if s := bankSays(anchor.BankPaid); s != anchor.Completed {
		t.Errorf("paid, it is %s", s)
	}
}

// TestNeighboursDoNotAddUp: two muxed addresses of one account are two people.
func TestNeighboursDoNotAddUp(t *testing.T) {
	t.Parallel()
	muxed := func(id uint64) anchor.Address {
		var m strkey.MuxedAccount
		if err := m.SetAccountID(bob); err != nil {
			t.Fatal(err)
		}
		m.SetID(id)
		s, err := m.Address()
		if err != nil {
			t.Fatal(err)
		}
		return anchor.Address(s)
	}
	for _, c := range []struct {
		second anchor.Address
		want   anchor.Arrival
	}{{muxed(1), anchor.Accepted}, {muxed(2), anchor.Short}, {bob, anchor.Short}} {
		b := newBooks(t)
		id := b.waiting(t, anchor.Withdrawal, 7)
		from := func(id string, from anchor.Address, amount anchor.Amount) *anchor.Payment {
			p := payment(id)
			p.From, p.Amount, p.Asset = from, amount, usdw
			return p
		}
		b.do(t, func(tx *store.Tx) error {
			p := from("4294967297", muxed(1), 60*anchor.One)
			p.Reason, p.Transaction = string(anchor.Short), id
			return errors.Join(tx.CreatePayment(p), tx.Post(noon, anchor.Move("unmatched", "", p.Hash, p.Asset, p.Amount, anchor.Suspense, anchor.Distribution)))
		})
		b.do(t, func(tx *store.Tx) error {
			a, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			got, err := tx.AddUp(a, offer(), from("4294967298", c.second, 40*anchor.One), noon)
			if got != c.want {
				t.Errorf("%s adds up to %s, want %s", c.second, got, c.want)
			}
			return err
		})
	}
}

// TestARefundInPartsIsOne: limits hold for the parts together, on the ledger and
// at the bank, what has arrived included.
func TestARefundInPartsIsOne(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	limited := offer()
	limited.PayoutLimit = 50 * anchor.One
	b.Limit([]*anchor.Terms{limited})
	withdrawal, deposit := b.paidIn(t, anchor.Withdrawal, 7), b.paidIn(t, anchor.Deposit, 8)
	for i, want := range []anchor.PayoutState{anchor.PayoutQueued, anchor.PayoutQueued, anchor.PayoutApproval} {
		if err := errors.Join(b.refund(t, withdrawal, 20*anchor.One), b.refund(t, deposit, 20*anchor.One)); err != nil {
			t.Fatal(err)
		}
		all, err := b.PayoutsOf(t.Context(), anchor.CauseTransaction, withdrawal)
		if err != nil || len(all) != i+1 || all[i].State != want {
			t.Fatalf("part %d: %v, %v", i, all, err)
		}
		b.do(t, func(tx *store.Tx) error {
			orders, err := tx.BankPayoutsOf(anchor.CauseTransaction, deposit, anchor.ForRefund)
			if err != nil || len(orders) != i+1 || string(orders[i].State) != string(want) {
				t.Fatalf("part %d at the bank: %v, %v", i, orders, err)
			}
			if i > 0 {
				return nil
			}
			_, err = tx.RecordBankPayout(orders[0], store.Outcome{State: anchor.BankPaid, BankID: "b"}, noon)
			return err
		})
	}
}

// TestRefundToNobody: a payment that names no sender who could be paid stays
// what it is.
func TestRefundToNobody(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for i, from := range []anchor.Address{"", "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM"} {
		p := payment(fmt.Sprint(4294967297 + i))
		p.From, p.Amount = from, anchor.One
		b.do(t, func(tx *store.Tx) error { return tx.CreatePayment(p) })
		err := b.Update(t.Context(), store.Ledger, func(tx *store.Tx) error { return tx.RefundPayment(p, 0, "", noon) })
		if e, ok := errors.AsType[*anchor.Error](err); !ok || e.Code != "sender_unknown" {
			t.Errorf("%q: %v", from, err)
		}
	}
}

// TestHelpOfADepositThatGoesBack: lumens and rights that have not been given stay
// with us, and for lumens that were given for it the fee is kept.
func TestHelpOfADepositThatGoesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		was  anchor.PayoutState
		ago  time.Duration
		kept anchor.Amount
		is   anchor.PayoutState
	}{
		"given":        {anchor.PayoutPaid, 0, anchor.MustAmount("1.5"), anchor.PayoutPaid},
		"leaving":      {anchor.PayoutInEnvelope, 0, anchor.MustAmount("1.5"), anchor.PayoutInEnvelope},
		"given before": {anchor.PayoutPaid, time.Hour, 0, anchor.PayoutPaid},
		"not given":    {anchor.PayoutQueued, 0, 0, anchor.PayoutCancelled},
		"waiting":      {anchor.PayoutWaiting, 0, 0, anchor.PayoutCancelled},
	} {
		b := newBooks(t)
		id, neighbour := b.paidIn(t, anchor.Deposit, 7), b.paidIn(t, anchor.Deposit, 8)
		b.do(t, func(tx *store.Tx) error {
			a, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			gift := payout(a.Account.Account(), anchor.ForCreate, 0)
			gift.CauseKind, gift.Asset, gift.State, gift.CreatedAt = anchor.CauseAccount, anchor.Native, c.was, noon.Add(-c.ago)
			right, theirs := payout(id, anchor.ForAuthorize, 0), payout(neighbour, anchor.ForAuthorize, 0)
			right.State, theirs.State = c.was, c.was
			if err := errors.Join(tx.CreatePayout(gift), tx.CreatePayout(right), tx.CreatePayout(theirs)); err != nil {
				return err
			}
			kept, err := tx.KeptForGift(a)
			if err != nil {
				return err
			}
			if kept != c.kept {
				t.Errorf("%s: %s is kept, want %s", name, kept, c.kept)
			}
			return tx.Refund(a, offer(), a.Refundable()-kept, kept, "", noon)
		})
		all, err := b.PayoutsOf(t.Context(), anchor.CauseAccount, bob)
		if err != nil || len(all) != 1 || all[0].State != c.is {
			t.Errorf("%s: %v, %v", name, all, err)
		}
		b.do(t, func(tx *store.Tx) error {
			for of, want := range map[string]anchor.PayoutState{id: c.is, neighbour: c.was} {
				rights, err := tx.PayoutsOf(anchor.CauseTransaction, of, anchor.ForAuthorize)
				if err != nil || len(rights) != 1 || rights[0].State != want {
					t.Errorf("%s, the right: %v, %v", name, rights, err)
				}
			}
			return nil
		})
	}
}
