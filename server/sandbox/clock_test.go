package sandbox

import (
	"errors"
	"math"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, _ := bubble(t, Config{})
		n.Pause()
		before := n.latest().seq
		time.Sleep(10 * time.Second) //nolint:forbidigo // the bubble's time, which nobody waits for
		n.CloseLedger()
		if got := n.latest().seq; got != before+1 || !n.Paused() {
			t.Errorf("%d ledgers closed while paused", got-before)
		}
		n.Resume()
		time.Sleep(1500 * time.Millisecond) //nolint:forbidigo // the bubble's time, which nobody waits for
		if got := n.latest().seq; got <= before+1 || n.Paused() {
			t.Error("no ledger closed after the pause")
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestJumpClock puts the clock forward, and restarts: close times rise, time
// bounds pass, and the jump stays.
func TestJumpClock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.Dir = dir })
	a := key("a")
	w.fund("100", a)
	envelope := w.tx(a, ops(pay(a, "1", lumen))) // valid for ten minutes
	before := w.net.latest().closeTime
	for _, by := range []time.Duration{0, -time.Second, 200 * 365 * 24 * time.Hour, math.MaxInt64, math.MinInt64} {
		if err := w.net.JumpClock(by); err == nil {
			t.Errorf("it jumped by %s", by)
		}
	}
	if err := w.net.JumpClock(time.Hour); err != nil {
		t.Fatal(err)
	}
	w.net.CloseLedger()
	if got := w.net.latest().closeTime - before; got < 3600 || got > 3660 || w.net.ClockAhead() != time.Hour {
		t.Errorf("the clock jumped by %d s", got)
	}
	if r := w.send(envelope); r.code() != "tx_too_late" {
		t.Errorf("a transaction of an hour ago: %d %s", r.status, r.code())
	}
	last := w.net.latest().closeTime
	if err := w.net.Close(); err != nil {
		t.Fatal(err)
	}
	again := newWorld(t, func(c *Config) { c.Dir = dir })
	again.net.CloseLedger()
	if got := again.net.latest().closeTime - last; got < 0 || got > 60 {
		t.Errorf("after a restart the clock went on by %d s", got)
	}
	if ahead := again.net.ClockAhead(); ahead < 59*time.Minute || ahead > time.Hour {
		t.Errorf("after a restart it is %s ahead", ahead)
	}
}

// TestSurge has two ledgers take only who pays 1,000 stroops an operation.
func TestSurgeOnDemand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := key("a"), key("b")
	w.fund("100", a, b)
	surge := func(s Surge) {
		t.Helper()
		if err := w.net.Surge(s); err != nil {
			t.Fatal(err)
		}
	}
	at := func(k string) any { return w.get("/fee_stats").at("fee_charged", k) }

	surge(Surge{BaseFee: 1000, Ledgers: 2})
	cheap := w.tx(b, ops(pay(a, "1", lumen)))
	if r := w.async(cheap); r.at("tx_status") != "PENDING" {
		t.Errorf("the cheap one: %s", r.text)
	}
	rich := params(a, w.sequence(a), ops(pay(b, "1", lumen), pay(b, "1", lumen)))
	rich.BaseFee = 5000
	if r := w.ok(w.send(w.build(rich, a))); r.at("fee_charged") != "2000" {
		t.Errorf("it paid %v", r.at("fee_charged"))
	}
	if at("mode") != "1000" || w.get("/fee_stats").at("last_ledger_base_fee") != "100" {
		t.Errorf("the statistics: %s", w.get("/fee_stats").text)
	}
	if left := w.net.SurgeLeft(); left.Ledgers != 1 {
		t.Errorf("left is %+v", left)
	}
	w.net.CloseLedger()
	before := w.sequence(b)
	w.net.CloseLedger() // the surge is over, and the cheap one's turn
	if w.sequence(b) != before+1 || w.net.SurgeLeft() != (Surge{}) {
		t.Error("the cheap one was not taken after the surge")
	}

	surge(Surge{BaseFee: 3000, Ledgers: 9, Refuse: true})
	if r := w.post("/transactions", url.Values{"tx": {w.tx(b, ops(pay(a, "1", lumen)))}}); r.code() != "tx_insufficient_fee" {
		t.Errorf("with the queue full: %d %s", r.status, r.text)
	}
	for range 5 {
		w.net.CloseLedger()
	}
	if stats := w.get("/fee_stats"); at("min") != "3000" || stats.at("max_fee", "p50") != "3000" || stats.at("ledger_capacity_usage") != "1" {
		t.Errorf("others' ledgers: %s", stats.text)
	}
	w.ok(w.fundedByBot(key("c").Address())) // friendbot pays what it takes
	surge(Surge{})
	w.ok(w.send(w.tx(b, ops(pay(a, "1", lumen)))))

	for _, s := range []Surge{{BaseFee: 100, Ledgers: 1}, {BaseFee: 1000}, {Ledgers: 1}, {BaseFee: math.MaxInt64, Ledgers: 1}, {BaseFee: 1000, Ledgers: -1}} {
		if err := w.net.Surge(s); !errors.As(err, new(*FieldError)) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// fundedByBot asks friendbot and closes the ledger.
func (w *world) fundedByBot(address string) (r reply) {
	w.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r = w.get("/friendbot?addr=" + address)
	}()
	w.until(ended, func() bool {
		w.net.queueMu.Lock()
		defer w.net.queueMu.Unlock()
		return len(w.net.waiting) > 0
	})
	w.net.CloseLedger()
	<-ended
	return r
}

// TestHorizonKeepsUp: whatever is done to the clock, what Horizon says of itself
// stays within some seconds of the last ledger.
func TestHorizonKeepsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, err := Open(Config{CloseEvery: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			name string
			do   func() error
		}{
			{"nothing", func() error { return nil }},
			{"a jump", func() error { return n.JumpClock(24 * time.Hour) }},
			{"a reset", n.Reset},
			{"many ledgers at once", func() error {
				for range 700 {
					n.CloseLedger()
				}
				n.countAhead()
				return nil
			}},
		} {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			<-time.After(5 * time.Second)
			n.mu.RLock()
			last, told := n.history.last().seq, n.noticed().seq
			n.mu.RUnlock()
			if told > last || last-told > 3 {
				t.Errorf("after %s Horizon tells of ledger %d, and the last is %d", step.name, told, last)
			}
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}
