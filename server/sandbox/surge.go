package sandbox

import (
	"fmt"
	"math"
)

const (
	maxSurge    = math.MaxUint32 / maxTransactionOps // stroops: a full transaction can still bid it
	maxSurgeFor = 100_000                            // ledgers
)

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
