package sandbox

import (
	"fmt"
	"math"
	"time"
)

// What anyone may do to the whole network, at all its ports.

const (
	maxJump     = 100 * 365 * 24 * time.Hour
	maxSurge    = math.MaxInt64 / 10_000 // stroops: no product with a transaction's size overflows
	maxSurgeFor = 100_000                // ledgers
	// A last ledger so far in the future is one of a jump before the restart.
	jumped = time.Minute
)

// Pause stops the closing of ledgers, but for CloseLedger, until Resume.
func (n *Network) Pause() { n.paused.Store(true) }

// Resume ends a pause.
func (n *Network) Resume() { n.paused.Store(false) }

// Paused says whether ledgers are closed by CloseLedger only.
func (n *Network) Paused() bool { return n.paused.Load() || n.cfg.CloseEvery < 0 }

// JumpClock lets the close times of ledgers from now on run ahead of the real
// time by that much more, in whole seconds. Time never goes back. An error is a
// *FieldError.
func (n *Network) JumpClock(by time.Duration) error {
	seconds := int64((by + time.Second - 1) / time.Second)
	n.closing.Lock()
	defer n.closing.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if by <= 0 || n.ahead+seconds > int64(maxJump/time.Second) {
		return &FieldError{"by", `must be a text such as "90s" or "24h", forward and at most a hundred years in all`}
	}
	n.ahead += seconds
	return nil
}

// ClockAhead is by how much close times run ahead of the real time.
func (n *Network) ClockAhead() time.Duration {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return time.Duration(n.ahead) * time.Second
}

// now is the network's time, in seconds since 1970. The caller holds closing
// or mu.
func (n *Network) now() int64 { return time.Now().Unix() + n.ahead }

// keepAhead goes on with a jump of which the last ledger tells. The caller holds
// closing, or nobody else has the network yet.
func (n *Network) keepAhead() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if by := n.history.last().closeTime - n.now(); by > int64(jumped/time.Second) {
		n.ahead += by
	}
}

// A Surge is a time in which a ledger takes only who pays enough, as if others
// filled it at that price.
type Surge struct {
	// BaseFee is the least fee for an operation, in stroops.
	BaseFee int64 `json:"base_fee"`
	// Ledgers is how many more it lasts.
	Ledgers int `json:"ledgers"`
	// Refuse has the queue full as well: who pays less is told at once, with
	// tx_insufficient_fee. Else such a transaction is pending, and dropped
	// after four ledgers.
	Refuse bool `json:"refuse"`
}

// Surge begins a surge, in place of the one that there may be. An error is a
// *FieldError. The zero value ends it.
func (n *Network) Surge(s Surge) error {
	switch {
	case s == Surge{}:
	case s.BaseFee <= baseFee || s.BaseFee > maxSurge:
		return &FieldError{"base_fee", fmt.Sprintf("must be above %d, the usual one, and at most %d stroops", baseFee, int64(maxSurge))}
	case s.Ledgers <= 0 || s.Ledgers > maxSurgeFor:
		return &FieldError{"ledgers", fmt.Sprintf("must be a number from 1 to %d", maxSurgeFor)}
	}
	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	n.queue.surge = s
	return nil
}

// SurgeLeft is what is left of a surge.
func (n *Network) SurgeLeft() Surge {
	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	return n.queue.surge
}

// least is the fee below which a ledger does not take so many operations.
func (s Surge) least(size int) int64 { return s.BaseFee * int64(size) }

// next is the surge after one more ledger.
func (s Surge) next() Surge {
	if s.Ledgers--; s.Ledgers <= 0 {
		return Surge{}
	}
	return s
}

// others is how many operations of others are as if they were in the ledger: it
// charged more than the usual fee, though there was room.
func (l *closedLedger) others() int {
	room := int(l.maxOps)
	for _, t := range l.txs {
		room -= t.size()
	}
	if l.perOp > baseFee && room >= min(maxTransactionOps, int(l.maxOps)) {
		return room
	}
	return 0
}
