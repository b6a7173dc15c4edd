package sandbox

import "time"

// What may be done to the ledgers' clock, for all ports of the network.

const (
	maxJump = 100 * 365 * 24 * time.Hour
	// A last ledger so far in the future is one of a jump before the restart, or
	// of ledgers that were closed faster than time goes by.
	jumped = 2 * time.Second
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
	by = min(by, 2*maxJump) // so that nothing overflows
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

// countAhead takes ledgers that were closed faster than time goes by for a jump:
// no later one can go back behind them.
func (n *Network) countAhead() {
	n.closing.Lock()
	defer n.closing.Unlock()
	n.keepAhead(0)
}

// keepAhead goes on with a jump of which the last ledger tells, if it is more
// than so much. The caller holds closing, or nobody else has the network yet.
func (n *Network) keepAhead(least time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if by := n.history.last().closeTime - n.now(); by > int64(least/time.Second) {
		n.ahead += by
	}
}
