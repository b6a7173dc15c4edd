package payout_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
	"windlass/server/payout"
	"windlass/server/store"
)

func TestOneDepositIsPaid(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	w.engine()
	ids := w.deposits(to...)
	w.untilStatus(anchor.Completed, ids...)

	a := w.transaction(ids[0])
	if a.StellarID == "" || a.PaidOutAt.IsZero() || a.CompletedAt.IsZero() {
		t.Errorf("the transaction does not tell how it was paid: %q %v", a.StellarID, a.PaidOutAt)
	}
	if p := w.intent(ids[0]); p.State != anchor.PayoutPaid || p.Attempts != 1 {
		t.Errorf("the intent is %s after %d attempts", p.State, p.Attempts)
	}
	if seen, err := w.plain.Transaction(t.Context(), a.StellarID); err != nil || !seen.Successful || seen.FeeAccount != w.fee.Address() {
		t.Errorf("the ledger knows %+v, %v", seen, err)
	}
	w.paidOnce(to...)
	w.balanced()
}

func TestManyDepositsArePaidOverTwoChannels(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(250)
	ids := w.deposits(to...)
	w.engine()
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
	if n := w.envelopes(ids); n < 3 {
		t.Errorf("250 intents went in %d envelopes, which can hold 99 each", n)
	}
}

// envelopes counts the envelopes that paid the transactions.
func (w *world) envelopes(ids []string) int {
	seen := map[string]bool{}
	for _, id := range ids {
		seen[w.intent(id).Envelope] = true
	}
	return len(seen)
}

// A crash between writing an envelope down and submitting it, and one in the
// middle of submitting.
func TestACrashBeforeSubmitPaysOnce(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(5)
	ids := w.deposits(to...)
	w.gate.Set(submits(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice who leaves
		<-r.Context().Done()               // the process dies while it waits
		return true
	}))
	_, stop := w.engine()
	w.until("an envelope is written down", func() bool { return len(w.live()) > 0 })
	stop()
	before := w.live()
	if got := w.balance(to[0].Address(), w.asset); got != 0 {
		t.Fatalf("something was paid already: %s", got)
	}
	if s := w.transaction(ids[0]).Status(); s != anchor.PendingStellar {
		t.Errorf("the transaction is %s", s)
	}

	w.gate.Set(nil)
	w.engine()
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
	e, err := w.books.EnvelopeByHash(t.Context(), before[0].Hash)
	must(t, err)
	if e.State != anchor.EnvelopeApplied || e.Hash != before[0].Hash {
		t.Errorf("the envelope that was found is %s, not the one that paid", e.State)
	}
}

// The answer is lost, not the payment.
func TestA504ThatAppliedPaysOnce(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(3)
	var lost atomic.Int32
	w.gate.Set(submits(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		next.ServeHTTP(httptest.NewRecorder(), r)
		lost.Add(1)
		problem(rw, http.StatusGatewayTimeout, "timeout")
		return true
	}))
	w.engine()
	ids := w.deposits(to...)
	w.untilStatus(anchor.Completed, ids...)
	if lost.Load() == 0 {
		t.Error("no answer was lost")
	}
	w.paidOnce(to...)
	w.balanced()
}

// Nothing is ever in the ledger by the first answers: 504 without effect, then
// a Horizon that says "not found" for the hash for a while.
func TestNotFoundIsNoProof(t *testing.T) {
	w := newWorld(t, 3)
	to := w.customers(3)
	var unknown atomic.Int32
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		switch {
		case r.Method == http.MethodPost:
			next.ServeHTTP(httptest.NewRecorder(), r)
			problem(rw, http.StatusGatewayTimeout, "timeout")
			return true
		case len(r.URL.Path) == len("/transactions/")+64 && unknown.Add(1) < 8:
			problem(rw, http.StatusNotFound, "not_found")
			return true
		}
		return false
	})
	w.engine()
	ids := w.deposits(to...)
	w.untilStatus(anchor.Completed, ids...)
	for _, id := range ids {
		if p := w.intent(id); p.Attempts != 1 {
			t.Errorf("%d envelopes were made for one intent", p.Attempts)
		}
	}
	w.paidOnce(to...)
	w.balanced()
}

// One bad destination, found before it enters a batch.
func TestAMissingTrustlineWaits(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(3)
	w.untrust(to[1])
	w.engine()
	ids := w.deposits(to...)
	w.untilStatus(anchor.Completed, ids[0], ids[2])
	w.untilStatus(anchor.PendingTrust, ids[1])
	if p := w.intent(ids[1]); p.State != anchor.PayoutWaiting || p.Reason != "no_trust" || p.Attempts != 0 {
		t.Errorf("the intent is %s, %q after %d attempts", p.State, p.Reason, p.Attempts)
	}
	if w.transaction(ids[1]).Deadline.IsZero() {
		t.Error("it waits without a deadline")
	}
	w.trust(to[1])
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
}

// One bad destination that fails its whole batch in the ledger: the trustline
// goes away after it was looked at.
func TestOneBadOperationSparesItsBatch(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(4)
	var gone atomic.Bool
	w.gate.Set(submits(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if gone.CompareAndSwap(false, true) {
			w.untrust(to[2])
		}
		return false
	}))
	ids := w.deposits(to...)
	w.engine()
	w.untilStatus(anchor.Completed, ids[0], ids[1], ids[3])
	w.untilStatus(anchor.PendingTrust, ids[2])
	if p := w.intent(ids[2]); p.State != anchor.PayoutWaiting || p.Reason != "op_no_trust" {
		t.Errorf("the intent is %s, %q", p.State, p.Reason)
	}
	w.balanced() // the failed envelope cost a fee, which is in the journal too

	w.trust(to[2])
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
}

// The bound passes while nobody takes the envelope. It is rebuilt; and when the
// lost bytes turn up at the network after all, they are too late.
func TestAnEnvelopePastItsBoundIsRebuilt(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(2)
	var open atomic.Bool
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if open.Load() {
			return false
		}
		problem(rw, http.StatusGatewayTimeout, "timeout")
		return true
	}))
	short := func(c *payout.Config) { c.Lifetime = 4 }
	_, stop := w.engine(short)
	ids := w.deposits(to...)
	w.until("an envelope is written down", func() bool { return len(w.live()) > 0 })
	first := w.live()[0]
	w.until("it can no longer apply", func() bool {
		e, err := w.books.EnvelopeByHash(t.Context(), first.Hash)
		must(t, err)
		return e.State == anchor.EnvelopeImpossible
	})
	stop()
	if _, err := w.plain.Submit(t.Context(), first.XDR); err == nil {
		t.Fatal("an envelope was given up that could still apply")
	}
	open.Store(true)
	w.engine()
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
}

// Low funds pause payouts with an alarm, and fail nobody.
func TestLowFundsPause(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(2)
	var ids []string
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		ids = nil
		for range 11 { // more than there is, in amounts that the terms allow
			id, err := w.deposit(tx, anchor.Address(to[1].Address()), anchor.Memo{}, 100_000*anchor.One)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	}))
	e, _ := w.engine()
	w.until("there is an alarm", func() bool {
		s := e.Status()
		return len(s.Alarms) == 1 && s.Alarms[0].Key == "low_funds "+w.distribution.Address()+" "+w.asset.String()
	})
	for _, id := range ids {
		if s := w.transaction(id).Status(); s != anchor.PendingAnchor && s != anchor.Completed {
			t.Errorf("a customer sees %s", s)
		}
	}
	w.issue(supply)
	w.untilStatus(anchor.Completed, ids...)
	w.until("the alarm is over", func() bool { return len(e.Status().Alarms) == 0 })
	if got := w.balance(to[1].Address(), w.asset); got != 1_100_000*anchor.One {
		t.Errorf("the customer has %s", got)
	}
	w.balanced()
}

// Intents with memos go in envelopes of their own, and muxed addresses are paid
// as they are.
func TestMemosAndMuxedDestinations(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(2)
	m := muxed(t, to[1].Address(), 77)
	var ids []string
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		ids = nil
		for i, d := range []struct {
			to   anchor.Address
			memo anchor.Memo
		}{
			{anchor.Address(to[0].Address()), anchor.IDMemo(1)},
			{anchor.Address(to[0].Address()), anchor.Memo{Type: anchor.MemoText, Value: "grüezi"}},
			{anchor.Address(m), anchor.Memo{}},
			{anchor.Address(to[0].Address()), anchor.Memo{Type: anchor.MemoHash, Value: "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="}},
		} {
			id, err := w.deposit(tx, d.to, d.memo, amount(i))
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	}))
	w.engine()
	w.untilStatus(anchor.Completed, ids...)
	page, err := w.plain.Payments(t.Context(), to[0].Address(), "", 200)
	must(t, err)
	got := map[anchor.Memo]anchor.Amount{}
	for _, p := range page {
		got[p.Memo] += p.Amount
	}
	for i, memo := range []anchor.Memo{anchor.IDMemo(1), {Type: anchor.MemoText, Value: "grüezi"}, {}, {Type: anchor.MemoHash, Value: "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="}} {
		if i != 2 && got[memo] != amount(i) {
			t.Errorf("with the memo %v arrived %s", memo, got[memo])
		}
	}
	page, err = w.plain.Payments(t.Context(), to[1].Address(), "", 200)
	must(t, err)
	if last := page[len(page)-1]; last.MuxedID != "77" || last.Amount != amount(2) {
		t.Errorf("the muxed destination got %+v", last)
	}
	w.balanced()
}

// A transaction that a person holds keeps its intent waiting.
func TestAHeldTransactionIsNotPaid(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(2)
	ids := w.deposits(to...)
	change := func(do func(*anchor.Transaction) error) {
		must(t, w.books.Update(t.Context(), "staff:ada", func(tx *store.Tx) error {
			a, err := tx.Transaction(ids[1])
			if err != nil {
				return err
			}
			if err := do(a); err != nil {
				return err
			}
			return tx.SaveTransaction(a)
		}))
	}
	change(func(a *anchor.Transaction) error { return a.Hold(a.UpdatedAt) })
	w.engine()
	w.untilStatus(anchor.Completed, ids[0])
	if s := w.transaction(ids[1]).Status(); s != anchor.OnHold {
		t.Fatalf("it is %s", s)
	}
	change(func(a *anchor.Transaction) error { return a.Release(a.UpdatedAt) })
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
}

// Who is turned away while an envelope is on its way that never arrives is not paid
// by the next one, until a person says so.
func TestATurnedAwayCustomerIsNotPaidAnew(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(2)
	var open atomic.Bool
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if open.Load() {
			return false
		}
		problem(rw, http.StatusGatewayTimeout, "timeout")
		return true
	}))
	_, stop := w.engine(func(c *payout.Config) { c.Lifetime = 4 })
	ids := w.deposits(to...)
	w.untilStatus(anchor.PendingStellar, ids...)
	now := time.Now()
	must(t, w.books.Update(t.Context(), "staff:ada", func(tx *store.Tx) error {
		c := &anchor.Customer{ID: store.NewID(), Owner: anchor.Identity{Account: to[1].Address()}, CreatedAt: now}
		c.Judged(anchor.ReviewRejected, now)
		return tx.SaveCustomer(c)
	}))
	w.untilStatus(anchor.OnHold, ids[1])
	open.Store(true)
	stop()
	w.engine()
	w.untilStatus(anchor.Completed, ids[0])
	must(t, w.books.Update(t.Context(), "staff:ada", func(tx *store.Tx) error {
		a, err := tx.Transaction(ids[1])
		if err == nil {
			err = a.Release(time.Now())
		}
		if err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	}))
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
}

// A part of a deposit is refunded between the moment its intent is chosen and the
// moment it is looked at: the rest is paid, and nobody is called for it.
func TestARefundWhileTheBatchIsMade(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(12) // more than are looked at together, so that the last one waits
	refunded, asked := make(chan struct{}), make(chan struct{}, len(to))
	w.gate.Set(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if slices.ContainsFunc(to, func(k *keypair.Full) bool { return k.Address() == accountOf(r) }) {
			asked <- struct{}{}
			<-refunded
		}
		return false
	})
	ids := w.deposits(to...)
	last := ids[len(ids)-1]
	w.engine()
	<-asked // the batch is chosen
	must(t, w.books.Update(t.Context(), "staff:ada", func(tx *store.Tx) error {
		a, err := tx.Transaction(last)
		if err != nil {
			return err
		}
		if err := tx.CreateBankLine(&anchor.BankLine{ID: "bank-" + last, At: a.FundedAt, Asset: a.OffChain, Amount: a.AmountIn, PayerAccount: "1", State: anchor.Matched, Transaction: last}); err != nil {
			return err
		}
		return tx.Refund(a, w.terms, anchor.One, 0, "staff:ada", a.UpdatedAt)
	}))
	close(refunded)
	w.untilStatus(anchor.Completed, ids...)
	if a := w.transaction(last); a.AmountRefunded != anchor.One {
		t.Errorf("%s was refunded", a.AmountRefunded)
	}
	w.paidOnce(to[:len(to)-1]...)
	w.balanced()
}

func muxed(t *testing.T, account string, id uint64) string {
	t.Helper()
	g := xdr.MustAddress(account)
	m := xdr.MuxedAccount{Type: xdr.CryptoKeyTypeKeyTypeMuxedEd25519, Med25519: &xdr.MuxedAccountMed25519{Id: xdr.Uint64(id), Ed25519: *g.Ed25519}}
	return m.Address()
}
