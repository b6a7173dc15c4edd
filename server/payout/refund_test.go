package payout_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/payout"
	"windlass/server/rig"
	"windlass/server/store"
)

// came puts what somebody paid into the distribution account, and the row of it
// into the books.
func (w *world) came(tx *store.Tx, id int, from anchor.Address, in anchor.Amount, memo anchor.Memo, transaction string) (*anchor.Payment, error) {
	p := &anchor.Payment{
		ID: fmt.Sprint(id), Account: w.distribution.Address(), From: from, Asset: w.asset, Amount: in, Memo: memo,
		Hash: fmt.Sprintf("%064d", id), Ledger: 3, At: time.Now(), State: anchor.Matched, Transaction: transaction,
	}
	if transaction == "" {
		p.State, p.Reason = anchor.Unmatched, anchor.NoMemo
		if err := tx.Post(p.At, anchor.Move("unmatched", "", p.Hash, p.Asset, p.Amount, anchor.Suspense, anchor.Distribution)); err != nil {
			return nil, err
		}
	}
	return p, tx.CreatePayment(p)
}

// paysIn makes the payment of which came writes the row.
func (w *world) paysIn(in anchor.Amount) {
	w.t.Helper()
	w.do(w.issuer, []txnbuild.Operation{&txnbuild.Payment{Destination: w.distribution.Address(), Asset: w.line(), Amount: in.String()}})
}

// withdrawal is a withdrawal of 50 whose money has come from an account, with the
// memo n.
func (w *world) withdrawal(tx *store.Tx, n int, from anchor.Address, refundMemo anchor.Memo) (*anchor.Transaction, error) {
	const in = 50 * anchor.One
	now := time.Now()
	a := anchor.Start(store.NewID(), anchor.Withdrawal, w.terms, anchor.Identity{Account: from.Account()}, from, now.Add(time.Hour), now)
	a.Method, a.Reviewed, a.RefundMemo = "bank_transfer", true, refundMemo
	if err := a.SetAmount(w.terms, in); err != nil {
		return nil, err
	}
	if err := tx.CreateTransaction(a); err != nil {
		return nil, err
	}
	memo := anchor.IDMemo(uint64(n))
	if err := a.Agree(anchor.Instructions{AnchorAccount: w.distribution.Address(), Memo: memo, Deadline: now.Add(time.Hour)}, now); err != nil {
		return nil, err
	}
	if err := tx.SaveTransaction(a); err != nil {
		return nil, err
	}
	p, err := w.came(tx, n, from, in, memo, a.ID)
	if err != nil {
		return nil, err
	}
	_, err = tx.Receive(a, w.terms, in, p.Hash, now, now)
	return a, err
}

const hashMemo = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="

// staff does something as a person.
func (w *world) staff(do func(*store.Tx) error) {
	w.t.Helper()
	must(w.t, w.books.Update(w.t.Context(), "staff:ada", do))
}

// received are the payments of the asset that reached an account.
func (w *world) received(account string) (all []string) {
	w.t.Helper()
	page, err := w.plain.Payments(w.t.Context(), account, "", 200)
	must(w.t, err)
	for _, p := range page {
		if p.To == account && p.Asset == w.asset {
			all = append(all, fmt.Sprintf("%s %s%s%s", p.Amount, p.Memo.Type, p.Memo.Value, p.MuxedID))
		}
	}
	return all
}

// TestRefundsReachTheirSender: of all that can go back, where, with which memo,
// and what becomes of the transaction.
func TestRefundsReachTheirSender(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(6)
	w.paysIn(350 * anchor.One)
	refund := func(tx *store.Tx, a *anchor.Transaction, amount, fee anchor.Amount) error {
		return tx.Refund(a, w.terms, amount, fee, "staff:ada", time.Now())
	}
	shared := anchor.Address(muxed(t, to[4].Address(), 77))
	ids := make([]string, 5)
	w.staff(func(tx *store.Tx) error {
		for i, c := range []struct {
			from anchor.Address
			memo anchor.Memo
			do   func(*anchor.Transaction) error
		}{
			{anchor.Address(to[0].Address()), anchor.Memo{}, func(a *anchor.Transaction) error { return refund(tx, a, 50*anchor.One, 0) }},
			{anchor.Address(to[1].Address()), anchor.Memo{Type: anchor.MemoText, Value: "back"}, func(a *anchor.Transaction) error { return refund(tx, a, 20*anchor.One, anchor.One) }},
			{anchor.Address(to[2].Address()), anchor.Memo{}, func(a *anchor.Transaction) error { // the bank gave the money back
				now := time.Now()
				if err := a.BankTold(now); err != nil {
					return err
				}
				if err := a.BankGaveBack(now); err != nil {
					return err
				}
				orders, err := tx.BankPayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForPayout)
				if err != nil {
					return err
				}
				orders[0].State = anchor.BankRefused
				if err := tx.SaveBankPayout(orders[0]); err != nil {
					return err
				}
				return refund(tx, a, 50*anchor.One, 0)
			}},
			{shared, anchor.Memo{}, func(a *anchor.Transaction) error { return refund(tx, a, 50*anchor.One, 0) }},
			{shared, anchor.IDMemo(5), func(a *anchor.Transaction) error { return refund(tx, a, 50*anchor.One, 0) }},
		} {
			a, err := w.withdrawal(tx, 1000+i, c.from, c.memo)
			if err != nil {
				return err
			}
			ids[i] = a.ID
			if err := c.do(a); err != nil {
				return err
			}
		}
		// Two payments that nobody knows.
		for i, memo := range []anchor.Memo{anchor.IDMemo(9), {Type: anchor.MemoReturn, Value: hashMemo}} {
			p, err := w.came(tx, 2000+i, anchor.Address(to[5].Address()), 50*anchor.One, memo, "")
			if err != nil {
				return err
			}
			if err := tx.RefundPayment(p, anchor.One, "staff:ada", time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	w.engine()
	w.untilStatus(anchor.Refunded, ids[0], ids[2], ids[3], ids[4])
	w.until("all has gone back", func() bool { return len(w.open()) == 0 })
	for i, want := range [][]string{
		{"50 id1000"}, {"20 textback"}, {"50 id1002"}, nil, {"50 77", "50 id5"}, {"49 id9", "49 return" + hashMemo},
	} {
		got := map[string]bool{}
		for _, p := range w.received(to[i].Address()) {
			got[p] = true
		}
		if len(got) != len(want) {
			t.Errorf("account %d received %v, want %v", i, got, want)
		}
		for _, p := range want {
			if !got[p] {
				t.Errorf("account %d received %v, want %v", i, got, want)
			}
		}
	}
	for i, want := range []anchor.Amount{50, 20, 50, 50, 50} {
		a := w.transaction(ids[i])
		if len(a.Refunds) != 1 || a.Refunds[0].Amount != want*anchor.One || a.AmountRefunded != want*anchor.One || a.Refunds[0].ID == "" {
			t.Errorf("withdrawal %d tells of the refunds %+v", i, a.Refunds)
		}
	}
	if a := w.transaction(ids[1]); a.Status() != anchor.PendingAnchor || a.AmountOut != 29*anchor.One {
		t.Errorf("after a part of it went back the withdrawal is %s, and %s are to be paid", a.Status(), a.AmountOut)
	}
	for _, id := range []string{"2000", "2001"} {
		must(t, w.books.Update(t.Context(), store.Payouts, func(tx *store.Tx) error {
			p, err := tx.Payment(id)
			if err == nil && p.State != anchor.GoneBack {
				t.Errorf("payment %s is %s", id, p.State)
			}
			return err
		}))
	}
	w.balanced()
}

// Lumens go back to an account that has been merged, and make it again; too few
// of them to do so wait for a person.
func TestLumensGoBackToAnAccountThatIsGone(t *testing.T) {
	w := newWorld(t, 2)
	enough, little := rig.NewKey(t), rig.NewKey(t)
	for _, k := range []*keypair.Full{enough, little} {
		w.fund(k)
		w.do(k, []txnbuild.Operation{&txnbuild.AccountMerge{Destination: w.distribution.Address()}})
	}
	w.staff(func(tx *store.Tx) error {
		for i, c := range []struct {
			from *keypair.Full
			in   anchor.Amount
		}{{enough, 3 * anchor.One}, {little, anchor.One / 2}} {
			p := &anchor.Payment{
				ID: fmt.Sprint(3000 + i), Account: w.distribution.Address(), From: anchor.Address(c.from.Address()), Asset: anchor.Native, Amount: c.in,
				Hash: fmt.Sprintf("%064d", i), Ledger: 3, At: time.Now(), State: anchor.Unmatched, Reason: anchor.NoMemo,
			}
			if err := tx.Post(p.At, anchor.Move("unmatched", "", p.Hash, p.Asset, p.Amount, anchor.Suspense, anchor.Distribution)); err != nil {
				return err
			}
			if err := tx.CreatePayment(p); err != nil {
				return err
			}
			if err := tx.RefundPayment(p, 0, "staff:ada", time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	w.engine()
	w.until("one is paid, and one is parked", func() bool {
		all := w.open()
		return len(all) == 1 && all[0].State == anchor.PayoutParked
	})
	if p := w.open()[0]; p.Reason != "no_account" || p.CauseID != "3001" {
		t.Errorf("the refund of %s is parked for %s", p.CauseID, p.Reason)
	}
	if got := w.balance(enough.Address(), anchor.Native); got != 3*anchor.One {
		t.Errorf("the sender has %s lumens again", got)
	}
	w.balanced()
}

// open are the intents that are neither paid nor cancelled.
func (w *world) open() (all []*anchor.Payout) {
	w.t.Helper()
	every, _, err := w.books.Payouts(w.t.Context(), "", store.Page{Limit: 1000})
	must(w.t, err)
	for _, p := range every {
		if p.State != anchor.PayoutPaid && p.State != anchor.PayoutCancelled {
			all = append(all, p)
		}
	}
	return all
}

// A refund goes back once, though the answer is lost, the engine dies and the
// hash is not found at first.
func TestARefundGoesBackOnce(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(1)
	w.paysIn(50 * anchor.One)
	var id string
	w.staff(func(tx *store.Tx) error {
		a, err := w.withdrawal(tx, 1000, anchor.Address(to[0].Address()), anchor.Memo{})
		if err != nil {
			return err
		}
		id = a.ID
		return tx.Refund(a, w.terms, 50*anchor.One, 0, "staff:ada", time.Now())
	})
	w.gate.Set(submits(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done() // the process dies while it waits
		return true
	}))
	_, stop := w.engine()
	w.until("an envelope is written down", func() bool { return len(w.live()) > 0 })
	stop()
	var asked, unknown atomic.Int32
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		switch {
		case r.Method == http.MethodPost:
			asked.Add(1)
			next.ServeHTTP(httptest.NewRecorder(), r)
			problem(rw, http.StatusGatewayTimeout, "timeout")
			return true
		case len(r.URL.Path) == len("/transactions/")+64 && unknown.Add(1) < 5:
			problem(rw, http.StatusNotFound, "not_found")
			return true
		}
		return false
	})
	w.engine()
	w.untilStatus(anchor.Refunded, id)
	if asked.Load() == 0 || unknown.Load() == 0 {
		t.Error("nothing went wrong")
	}
	if got := w.received(to[0].Address()); len(got) != 1 {
		t.Errorf("the sender received %v", got)
	}
	w.balanced()
}

// A refund that cannot be delivered waits for a person, who can have it tried
// again; and so can a payout.
func TestWhatIsParkedIsRetried(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(2)
	w.paysIn(50 * anchor.One)
	w.untrust(to[0])
	var id string
	w.staff(func(tx *store.Tx) error {
		a, err := w.withdrawal(tx, 1000, anchor.Address(to[0].Address()), anchor.Memo{})
		if err != nil {
			return err
		}
		id = a.ID
		return tx.Refund(a, w.terms, 50*anchor.One, 0, "staff:ada", time.Now())
	})
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		problem(rw, http.StatusGatewayTimeout, "timeout")
		return true
	}))
	short := func(c *payout.Config) { c.Lifetime, c.MaxAttempts = 2, 1 }
	_, stop := w.engine(short)
	deposits := w.deposits(to[1])
	w.untilStatus(anchor.Failed, deposits...)
	w.until("both are parked", func() bool {
		all := w.open()
		return len(all) == 2 && all[0].State == anchor.PayoutParked && all[1].State == anchor.PayoutParked
	})
	for _, p := range w.open() {
		if want := map[anchor.Purpose]string{anchor.ForRefund: "no_trust", anchor.ForPayout: "attempts_used_up"}[p.Purpose]; p.Reason != want {
			t.Errorf("the %s is parked for %s", p.Purpose, p.Reason)
		}
	}
	stop()
	w.gate.Set(nil)
	w.trust(to[0])
	terms := []*anchor.Terms{w.terms}
	for _, p := range w.open() {
		w.staff(func(tx *store.Tx) error { return tx.RetryPayout(p.ID, terms, time.Now()) })
		err := w.books.Update(t.Context(), "staff:ada", func(tx *store.Tx) error { return tx.RetryPayout(p.ID, terms, time.Now()) })
		if anchor.KindOf(err) != anchor.Conflict {
			t.Errorf("what is queued was retried: %v", err)
		}
	}
	w.engine()
	w.untilStatus(anchor.Refunded, id)
	w.untilStatus(anchor.Completed, deposits...)
	if got := w.received(to[0].Address()); len(got) != 1 {
		t.Errorf("the sender received %v", got)
	}
	w.balanced()
}

// Whatever an intent says, no account of ours is paid; and an intent of which no
// operation can be made stops nobody but itself.
func TestOurOwnAccountsAreNotPaid(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(3)
	treasury := to[2].Address()
	ours := []string{w.distribution.Address(), w.fee.Address(), w.channels[0].Address(), w.issuer.Address(), treasury, muxed(t, w.issuer.Address(), 7)}
	var ids []string
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		ids = nil
		for i, a := range ours {
			id, err := w.deposit(tx, anchor.Address(a), anchor.Memo{}, amount(i))
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		odd, err := w.deposit(tx, anchor.Address(to[1].Address()), anchor.Memo{Type: anchor.MemoHash, Value: "AAAA"}, amount(0))
		ids = append(ids, odd)
		return err
	}))
	good := w.deposits(to[0])
	w.engine(func(c *payout.Config) { c.Own = []string{w.issuer.Address(), treasury} })
	w.untilStatus(anchor.Completed, good...)
	w.untilStatus(anchor.Failed, ids...)
	for i, id := range ids {
		want := "own_account"
		if i == len(ours) {
			want = "cannot_be_built"
		}
		if p := w.intent(id); p.State != anchor.PayoutParked || p.Reason != want || p.Attempts != 0 {
			t.Errorf("%d: the intent is %s after %d attempts, %q", i, p.State, p.Attempts, p.Reason)
		}
	}
	w.paidOnce(to[0])
	w.balanced()
}
