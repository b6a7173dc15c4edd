package sandbox

import (
	"bytes"
	"cmp"
	"crypto/sha256"
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

	maxTransactionOps = 100 // operations a transaction may have
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
	// The best paying one that had to go since the last ledger: whoever comes
	// now must pay more, even where there is room again. Its size is 0 if none
	// had to.
	evictedFee  int64
	evictedSize int

	late  []late // transactions that are submitted after a ledger
	surge Surge
}

type waiting struct {
	*transaction
	whole [32]byte // hash of the envelope, with its signatures
	age   int      // ledgers that closed without one of its account
}

func newQueue(maxOps int) *queue {
	return &queue{maxOps: maxOps, pending: make(map[accountID]*waiting), fees: make(map[accountID]int64)}
}

// add takes a transaction in, if the ledger's content (v) and the others
// pending allow. With statusError comes the result that says why.
func (q *queue) add(t *transaction, v *view, m moment) (status, xdr.TransactionResult) {
	none := xdr.TransactionResult{}
	w := &waiting{transaction: t, whole: sha256.Sum256(t.raw)}
	if q.isBanned(w.whole) {
		return statusTryAgain, none
	}
	if t.fee < 0 {
		return statusError, failure(xdr.TransactionResultCodeTxMalformed, 0)
	}
	old := q.pending[t.source]
	if old != nil {
		if st, result := old.displacedBy(w); st != statusPending {
			return st, result
		}
		w.age = old.age
	}

	if least := q.surge.least(t.size()); q.surge.Refuse && t.fee < least {
		return statusError, failure(xdr.TransactionResultCodeTxInsufficientFee, least)
	}
	evicted, least, fits := q.makeRoom(t, old)
	switch {
	case !fits && least > 0:
		q.ban(w)
		return statusError, failure(xdr.TransactionResultCodeTxInsufficientFee, least)
	case !fits:
		q.ban(w)
		return statusTryAgain, none
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
		return statusError, failure(xdr.TransactionResultCodeTxInsufficientBalance, int64(baseFee*t.size()))
	}

	if old != nil {
		q.drop(old)
	}
	for _, e := range evicted {
		q.drop(e)
		q.ban(e)
		q.evictedFee, q.evictedSize = e.fee, e.size()
	}
	q.pending[t.source] = w
	q.ops += t.size()
	q.fees[t.feeSource] += t.fee
	return statusPending, none
}

// displacedBy answers a transaction whose account has this one pending:
// statusPending if it is to take its place. That is only for a fee bump with
// the same sequence number that pays much more.
func (w *waiting) displacedBy(next *waiting) (status, xdr.TransactionResult) {
	none := xdr.TransactionResult{}
	switch {
	case w.whole == next.whole, w.feeBump && !next.feeBump && w.innerWhole() == next.whole:
		return statusDuplicate, none
	case next.sequence < w.sequence:
		return statusError, failure(xdr.TransactionResultCodeTxBadSeq, 0)
	case !next.feeBump || next.sequence != w.sequence:
		return statusTryAgain, none
	}
	if least := atLeast(replaceMultiple, w.transaction, next.size()); next.fee < least {
		return statusError, failure(xdr.TransactionResultCodeTxInsufficientFee, least)
	}
	return statusPending, none
}

// innerWhole is the hash of the envelope inside a fee bump.
func (w *waiting) innerWhole() [32]byte {
	inner := xdr.TransactionEnvelope{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: w.envelope.FeeBump.Tx.InnerTx.V1}
	raw, err := inner.MarshalBinary()
	if err != nil {
		return [32]byte{} // cannot be: it was read from XDR
	}
	return sha256.Sum256(raw)
}

// failure is a result without operations, of the outer envelope.
func failure(code xdr.TransactionResultCode, fee int64) xdr.TransactionResult {
	return xdr.TransactionResult{FeeCharged: xdr.Int64(fee), Result: xdr.TransactionResultResult{Code: code}}
}

// atLeast is the lowest fee for size operations at `times` the rate of t.
func atLeast(times int, t *transaction, size int) int64 {
	return mulDivUp(t.fee, times*size, t.size())
}

// makeRoom picks the cheapest pending transactions that must go for this one
// to fit. If it does not fit, least is the fee that would have done, 0 if none
// would.
func (q *queue) makeRoom(t *transaction, old *waiting) (out []*waiting, least int64, fits bool) {
	if q.evictedSize > 0 && compareRates(q.evictedFee, q.evictedSize, t.fee, t.size()) >= 0 {
		return nil, outbid(q.evictedFee, q.evictedSize, t.size()), false
	}
	all, needed := q.maxOps*queueLedgers, t.size()
	if old != nil {
		needed = max(0, needed-old.size())
	}
	if needed > all {
		return nil, 0, false
	}
	room := all - q.ops - needed
	if room >= 0 {
		return nil, 0, true
	}
	for _, w := range q.byRate(func(a, b *waiting) int { return compareWaiting(b, a) }) {
		if compareRates(t.fee, t.size(), w.fee, w.size()) <= 0 {
			return nil, outbid(w.fee, w.size(), t.size()), false
		}
		if w == old {
			break // it cannot make room for what takes its place
		}
		out = append(out, w)
		if room += w.size(); room >= 0 {
			return out, 0, true
		}
	}
	return nil, 0, false
}

// outbid is the lowest fee for size operations above the rate of another one.
func outbid(fee int64, others, size int) int64 {
	hi, lo := bits.Mul64(uint64(fee), uint64(size))
	if hi >= uint64(others) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(others))
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
// base fee they are charged: in a nearly full ledger what the least paying of
// them bid for an operation. What is not valid any more never reaches a ledger.
func (q *queue) choose(v *view, m moment) ([]*transaction, int64) {
	q.dropInvalid(v, m)
	var chosen []*transaction
	ops, lowest := 0, int64(math.MaxInt64)
	for _, w := range q.byRate(compareWaiting) {
		if w.skips(m.ledger) || ops+w.size() > q.maxOps || w.fee < q.surge.least(w.size()) {
			continue // a smaller one may fit
		}
		ops += w.size()
		lowest = min(lowest, mulDivUp(w.fee, 1, w.size()))
		chosen = append(chosen, w.transaction)
	}
	if ops > max(0, q.maxOps-maxTransactionOps) {
		return chosen, lowest
	}
	return chosen, max(baseFee, q.surge.BaseFee)
}

// skips says whether a transaction must let this ledger pass: accounts created
// in it begin with its sequence number.
func (w *waiting) skips(ledger uint32) bool { return w.sequence == firstSequence(ledger) }

// dropInvalid drops and bans what cannot get into the next ledger, and all of
// a payer who cannot pay for all of them any more.
func (q *queue) dropInvalid(v *view, m moment) {
	var invalid []*waiting
	owed := make(map[accountID]int64)
	for _, w := range q.pending {
		if w.skips(m.ledger) {
			continue
		}
		if _, ok := w.validate(v, m); ok {
			owed[w.feeSource] += w.fee
		} else {
			invalid = append(invalid, w)
		}
	}
	for _, w := range invalid {
		q.drop(w)
		q.ban(w)
	}
	for _, w := range q.pending {
		if fees, ok := owed[w.feeSource]; ok && !w.skips(m.ledger) && v.account(w.feeSource).available() < fees {
			q.drop(w)
			q.ban(w)
		}
	}
}

// closed tidies up after a ledger with these transactions, whose content is
// now v: what was applied or lost its sequence number to it goes, what waited
// too long or is not valid any more is dropped and banned.
func (q *queue) closed(txs []applied, v *view, m moment) {
	for _, a := range txs {
		if w := q.pending[a.tx.source]; w != nil && w.sequence <= a.tx.sequence {
			q.drop(w)
		}
	}
	copy(q.banned[1:], q.banned[:bannedLedgers-1])
	q.banned[0] = nil
	q.evictedFee, q.evictedSize = 0, 0
	q.surge = q.surge.next()
	for _, w := range q.pending {
		if w.age++; w.age >= pendingLedgers {
			q.drop(w)
			q.ban(w)
		}
	}
	q.dropInvalid(v, m)
}

func (q *queue) drop(w *waiting) {
	delete(q.pending, w.source)
	q.ops -= w.size()
	if q.fees[w.feeSource] -= w.fee; q.fees[w.feeSource] == 0 {
		delete(q.fees, w.feeSource)
	}
}

func (q *queue) ban(w *waiting) {
	if q.banned[0] == nil {
		q.banned[0] = make(map[[32]byte]bool)
	}
	q.banned[0][w.whole] = true
}

func (q *queue) isBanned(whole [32]byte) bool {
	for _, hashes := range q.banned {
		if hashes[whole] {
			return true
		}
	}
	return false
}
