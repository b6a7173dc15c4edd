package payout_test

import (
	"net/http"
	"sync"
	"testing"

	"windlass/server/anchor"
)

// While an envelope waits for its ledger, the destinations of the next one are
// looked at, and not again when it is their turn. One that has changed since
// costs its neighbours a round, and nobody any money.
func TestDestinationsAreLookedAtAhead(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(150)
	var mu sync.Mutex
	asked, held := map[string]int{}, make(chan struct{})
	looked := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(asked)
	}
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if id := accountOf(r); id != "" && id != w.channels[0].Address() && id != w.distribution.Address() && id != w.fee.Address() {
			mu.Lock()
			asked[id]++
			mu.Unlock()
		}
		if r.Method == http.MethodPost {
			<-held // the ledger takes its time
		}
		return false
	})
	ids := w.deposits(to...)
	w.engine()
	w.until("all were looked at", func() bool { return looked() == len(to) })
	mu.Lock()
	for id, n := range asked {
		if n != 1 {
			t.Errorf("%s was asked for %d times", id, n)
		}
	}
	mu.Unlock()
	if got := w.balance(to[0].Address(), w.asset); got != 0 {
		t.Fatal("something was paid already")
	}
	last := len(to) - 1
	w.untrust(to[last])
	close(held)
	w.untilStatus(anchor.Completed, ids[:last]...)
	w.untilStatus(anchor.PendingTrust, ids[last])
	w.paidOnce(to[:last]...)
	mu.Lock()
	defer mu.Unlock()
	again := 0
	for _, k := range to[:99] {
		again += asked[k.Address()] - 1
	}
	if again != 0 {
		t.Errorf("destinations of the first envelope were asked for again %d times", again)
	}
	if p := w.intent(ids[last]); p.Attempts != 1 || p.Reason != "op_no_trust" {
		t.Errorf("the one that has changed was in %d envelopes, %q", p.Attempts, p.Reason)
	}
}
