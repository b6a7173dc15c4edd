package payout_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/payout"
	"windlass/server/rig"
	"windlass/server/store"
)

// newChannels gives the world channels that are keys only.
func (w *world) newChannels(n int) {
	w.t.Helper()
	w.channels = nil
	for range n {
		w.channels = append(w.channels, rig.NewKey(w.t))
	}
}

// exist reports how many of the channels are on the ledger, and checks that they
// have cost the fee account their reserve only.
func (w *world) exist() (n int) {
	w.t.Helper()
	for _, k := range w.channels {
		a, err := w.plain.Account(w.t.Context(), k.Address())
		if err != nil && anchor.KindOf(err) == anchor.NotFound {
			continue
		}
		must(w.t, err)
		if b, _ := a.Balance(anchor.Native); b.Amount != 0 || a.Reserves != 0 {
			w.t.Errorf("the channel holds %s lumens and %d reserves of its own", b.Amount, a.Reserves)
		}
		n++
	}
	return n
}

// More channels than one transaction can make, cut off at every step.
func TestChannelsAreMade(t *testing.T) {
	w := newWorld(t, 0)
	w.newChannels(21)
	to := w.customers(3)
	ids := w.deposits(to...)
	var submitted atomic.Int32
	w.gate.Set(submits(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		switch submitted.Add(1) {
		case 1: // it never arrives
		case 2: // it does, and the answer is lost
			next.ServeHTTP(httptest.NewRecorder(), r)
		default:
			return false
		}
		problem(rw, http.StatusGatewayTimeout, "timeout")
		return true
	}))
	for i := range int32(2) {
		_, stop := w.engine(func(c *payout.Config) { c.Lifetime = 30 })
		w.until("making them was tried", func() bool { return submitted.Load() > i })
		stop()
	}
	e, _ := w.engine(func(c *payout.Config) { c.Lifetime = 30 })
	w.until("all are there", func() bool { return w.exist() == 21 })
	fee, err := w.plain.Account(t.Context(), w.fee.Address())
	must(t, err)
	if fee.Reserves != 2+2*21 {
		t.Errorf("the fee account keeps %d reserves", fee.Reserves)
	}
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	// The last attempt may still be looking whether it made them all.
	w.until("no alarm is left", func() bool { return len(e.Status().Alarms) == 0 })
}

// A channel that could not be made at first is made though no payout needs it.
func TestAnIdleChannelIsMade(t *testing.T) {
	w := newWorld(t, 0)
	w.newChannels(1)
	var submitted atomic.Int32
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if submitted.Add(1) > 1 {
			return false
		}
		problem(rw, http.StatusGatewayTimeout, "timeout")
		return true
	}))
	e, _ := w.engine(func(c *payout.Config) { c.Lifetime = 10 })
	w.until("it is there", func() bool { return w.exist() == 1 && len(e.Status().Alarms) == 0 })
}

// Somebody has merged a channel away: it is made anew, though its sequence number
// is then another than the books'.
func TestALostChannelIsMadeAgain(t *testing.T) {
	w := newWorld(t, 0)
	w.newChannels(1)
	to := w.customers(2)
	_, stop := w.engine()
	w.untilStatus(anchor.Completed, w.deposits(to[0])...)
	merge := []txnbuild.Operation{&txnbuild.AccountMerge{SourceAccount: w.channels[0].Address(), Destination: w.fee.Address()}}
	w.do(w.issuer, merge, w.channels[0])
	ids := w.deposits(to[1])
	w.untilStatus(anchor.Completed, ids...)
	stop()
	// An ordinary start has no doubt about it.
	w.engine(func(c *payout.Config) { c.Lifetime = 1_000_000 })
	w.untilStatus(anchor.Completed, w.deposits(to[0])...)
	if got := w.exist(); got != 1 {
		t.Errorf("%d channels", got)
	}
}

// What the program cannot repair is an alarm, and the other channels go on.
func TestAChannelThatIsNotOurs(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(2)
	w.do(w.channels[0], []txnbuild.Operation{&txnbuild.SetOptions{
		Signer:       &txnbuild.Signer{Address: w.issuer.Address(), Weight: 1},
		MasterWeight: new(txnbuild.Threshold),
	}})
	// Its sequence number is none of the books', but they have read everything.
	must(t, w.books.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
		return tx.SetCursor("read", anchor.Cursor{Value: "0", Ledger: 1 << 30})
	}))
	e, _ := w.engine(func(c *payout.Config) { c.Lifetime, c.Cursors = 20, []string{"read"} })
	ids := w.deposits(to[0])
	w.untilStatus(anchor.Completed, ids...)
	w.until("it is an alarm", func() bool {
		w.deposits(to[1])
		for _, a := range e.Status().Alarms {
			if a.Key == "channel "+w.channels[0].Address() && strings.Contains(a.Text, "signers") {
				return true
			}
		}
		return false
	})
}

// Without lumens nothing is made, which is an alarm until there are some.
func TestChannelsWaitForLumens(t *testing.T) {
	w := newWorld(t, 0)
	w.newChannels(2)
	away := rig.NewKey(t)
	w.fund(away)
	pay := func(from *keypair.Full, to, amount string) {
		w.do(from, []txnbuild.Operation{&txnbuild.Payment{Destination: to, Asset: txnbuild.NativeAsset{}, Amount: amount}})
	}
	pay(w.fee, away.Address(), "9996.5")
	to := w.customers(1)
	e, _ := w.engine()
	w.until("it is an alarm", func() bool { s := e.Status(); return len(s.Alarms) > 0 && s.Alarms[len(s.Alarms)-1].Key == "lumens" })
	if got := w.exist(); got != 0 {
		t.Errorf("%d channels were made", got)
	}
	pay(away, w.fee.Address(), "1000")
	ids := w.deposits(to...)
	w.untilStatus(anchor.Completed, ids...)
	w.until("the alarm is over", func() bool { return len(e.Status().Alarms) == 0 })
	if got := w.exist(); got == 0 {
		t.Error("no channel was made")
	}
}
