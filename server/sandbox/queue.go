package sandbox

import (
	"bytes"
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// How long and how much is waited for, as in stellar-core.
const (
	queueLedgers    = 2  // ledgers' worth of operations that may be pending
	pendingLedgers  = 4  // ledgers without being taken, then it is dropped
	bannedLedgers   = 10 // ledgers during which a dropped one is not taken back
	replaceMultiple = 10 // times the fee that replaces a pending transaction
)

// A status is what the queue answers to a transaction.
type status string

const (
	statusPending   status = "PENDING"
	statusDuplicate status = "DUPLICATE"
	statusError     status = "ERROR"
	statusTryAgain  status = "TRY_AGAIN_LATER"
)

// A queue holds the transactions that wait for a ledger, at most one for each
// source account. It is not safe for concurrent use.
type queue struct {
	maxOps  int // of a ledger
	pending map[accountID]*waiting
	ops     int                 // of all pending
	fees    map[accountID]int64 // bids of all pending by who pays
	banned  [bannedLedgers]map[[32]byte]bool
}

type waiting struct {
	*transaction
	age int // ledgers that closed without it
}

func newQueue(maxOps int) *queue {
	return &queue{maxOps: maxOps, pending: make(map[accountID]*waiting), fees: make(map[accountID]int64)}
}

// add takes a transaction in, if the ledger's content (v) and the others
// pending allow. With statusError comes the result that says why.
func (q *queue) add(t *transaction, v *view, m moment) (status, xdr.TransactionResult) {
	none := xdr.TransactionResult{}
	if q.isBanned(t.hash) {
		return statusTryAgain, none
	}

	old := q.pending[t.source]
	if old != nil {
		if old.hash == t.hash || old.feeBump && !t.feeBump && old.innerHash == t.hash {
			return statusDuplicate, none
		}
		if t.sequence < old.sequence {
			result := t.failure(xdr.TransactionResultCodeTxBadSeq, int64(baseFee*t.size()))
			return statusError, result
		}
		if !t.feeBump || t.sequence != old.sequence {
			return statusTryAgain, none
		}
		if least := atLeast(replaceMultiple, old.transaction, t.size()); t.fee < least {
			return statusError, t.failure(xdr.TransactionResultCodeTxInsufficientFee, least)
		}
	}

	evicted, least := q.makeRoom(t, old)
	if least > 0 {
		q.ban(t.hash)
		return statusError, t.failure(xdr.TransactionResultCodeTxInsufficientFee, least)
	}
	if result, ok := t.validate(v, m); !ok {
		return statusError, result
	}
	// The payer must be able to pay for all that is pending.
	owed := q.fees[t.feeSource] + t.fee
	if old != nil && old.feeSource == t.feeSource {
		owed -= old.fee
	}
	if v.account(t.feeSource).available() < owed {
		return statusError, t.failure(xdr.TransactionResultCodeTxInsufficientBalance, int64(baseFee*t.size()))
	}

	if old != nil {
		q.drop(old)
	}
	for _, w := range evicted {
		q.drop(w)
		q.ban(w.hash)
	}
	q.pending[t.source] = &waiting{transaction: t}
	q.ops += t.size()
	q.fees[t.feeSource] += t.fee
	return statusPending, none
}

// failure is a result without operations, of the outer envelope.
func (t *transaction) failure(code xdr.TransactionResultCode, fee int64) xdr.TransactionResult {
	return xdr.TransactionResult{FeeCharged: xdr.Int64(fee), Result: xdr.TransactionResultResult{Code: code}}
}

// atLeast is the lowest fee for size operations at `times` the rate of t.
func atLeast(times int, t *transaction, size int) int64 {
	return mulDivUp(t.fee, times*size, t.size())
}

// makeRoom picks the cheapest pending transactions that must go for this one
// to fit. If they are not all cheaper than it, the second result is the fee
// that would have done.
func (q *queue) makeRoom(t *transaction, old *waiting) ([]*waiting, int64) {
	room := q.maxOps*queueLedgers - q.ops - t.size()
	if old != nil {
		room += old.size()
	}
	if room >= 0 {
		return nil, 0
	}
	var out []*waiting
	for _, w := range q.byRate(func(a, b *waiting) int { return compareWaiting(b, a) }) {
		if w == old {
			continue
		}
		if compareRates(t.fee, t.size(), w.fee, w.size()) <= 0 {
			return nil, outbid(w.transaction, t.size())
		}
		out = append(out, w)
		if room += w.size(); room >= 0 {
			return out, 0
		}
	}
	return nil, math.MaxInt64 // larger than the whole queue
}

// outbid is the lowest fee for size operations above the rate of t.
func outbid(t *transaction, size int) int64 {
	hi, lo := bits.Mul64(uint64(t.fee), uint64(size))
	if hi >= uint64(t.size()) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(t.size()))
	return int64(min(q, math.MaxInt64-1)) + 1
}

// compareWaiting puts the higher fee per operation first.
func compareWaiting(a, b *waiting) int {
	return cmp.Or(compareRates(b.fee, b.size(), a.fee, a.size()), bytes.Compare(a.hash[:], b.hash[:]))
}

func (q *queue) byRate(order func(a, b *waiting) int) []*waiting {
	all := make([]*waiting, 0, len(q.pending))
	for _, w := range q.pending {
		all = append(all, w)
	}
	slices.SortFunc(all, order)
	return all
}

// choose picks the next ledger's transactions, the best paying first, and the
// base fee they are charged: what the least paying of them bid for an
// operation if something had to stay outside. What is not valid any more is
// dropped; it never reaches a ledger.
func (q *queue) choose(v *view, m moment) ([]*transaction, int64) {
	var chosen []*transaction
	room, full := q.maxOps, false
	spent := make(map[accountID]int64)
	for _, w := range q.byRate(compareWaiting) {
		payer := v.account(w.feeSource)
		if _, ok := w.validate(v, m); !ok || payer.available() < spent[w.feeSource]+w.fee {
			q.drop(w)
			q.ban(w.hash)
			continue
		}
		if w.size() > room {
			full = true
			continue
		}
		room -= w.size()
		spent[w.feeSource] += w.fee
		chosen = append(chosen, w.transaction)
	}
	fee := int64(baseFee)
	if full && len(chosen) > 0 {
		last := chosen[len(chosen)-1]
		fee = max(fee, mulDivUp(last.fee, 1, last.size()))
	}
	return chosen, fee
}

// closed tidies up after a ledger whose content is now v: what was applied or
// has lost its sequence number goes, what waited too long is dropped.
func (q *queue) closed(v *view) {
	copy(q.banned[1:], q.banned[:bannedLedgers-1])
	q.banned[0] = nil
	for _, w := range q.pending {
		source := v.account(w.source)
		if source == nil || source.sequence >= w.sequence {
			q.drop(w)
			continue
		}
		if w.age++; w.age >= pendingLedgers {
			q.drop(w)
			q.ban(w.hash)
		}
	}
}

func (q *queue) drop(w *waiting) {
	delete(q.pending, w.source)
	q.ops -= w.size()
	if q.fees[w.feeSource] -= w.fee; q.fees[w.feeSource] == 0 {
		delete(q.fees, w.feeSource)
	}
}

func (q *queue) ban(hash [32]byte) {
	if q.banned[0] == nil {
		q.banned[0] = make(map[[32]byte]bool)
	}
	q.banned[0][hash] = true
}

func (q *queue) isBanned(hash [32]byte) bool {
	for _, hashes := range q.banned {
		if hashes[hash] {
			return true
		}
	}
	return false
}
