package sandbox

import (
	"math"
	"math/bits"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// A moment is the ledger for which validity is asked: its number is known, its
// close time only within limits until it closes.
type moment struct {
	ledger           uint32
	earliest, latest int64
	rates            []rate // at which path payments exchange in it
}

// stage tells how far the common checks got; applying consumes the sequence
// number from pastSequence on.
type stage int

const (
	invalid stage = iota
	pastSequence
	pastAuth
	passed
)

// validate says what a submission is told at once: a valid transaction is
// txSUCCESS here, whatever its operations will do when applied.
func (t *transaction) validate(v *view, m moment) (xdr.TransactionResult, bool) {
	if !t.feeBump {
		code, ops := t.validateInner(v, m, baseFee)
		return t.result(code, ops, baseFee*int64(t.size()), 0), code == xdr.TransactionResultCodeTxSuccess
	}
	fee := int64(baseFee * t.size())
	if code, least := t.validateFeeBump(v); code != xdr.TransactionResultCodeTxSuccess {
		return xdr.TransactionResult{FeeCharged: xdr.Int64(max(fee, least)), Result: xdr.TransactionResultResult{Code: code}}, false
	}
	code, ops := t.validateInner(v, m, 0)
	return t.result(code, ops, fee, 0), code == xdr.TransactionResultCodeTxSuccess
}

// validateFeeBump checks what the outer envelope adds. If the fee is too low
// it also says which would do.
func (t *transaction) validateFeeBump(v *view) (code xdr.TransactionResultCode, least int64) {
	if t.fee < int64(baseFee*t.size()) {
		return xdr.TransactionResultCodeTxInsufficientFee, 0
	}
	// The bid per operation may not be below the inner one's.
	innerSize := max(1, len(t.operations))
	if compareRates(t.fee, t.size(), t.innerFee, innerSize) < 0 {
		return xdr.TransactionResultCodeTxInsufficientFee, mulDivUp(t.innerFee, t.size(), innerSize)
	}
	payer := v.account(t.feeSource)
	if payer == nil {
		return xdr.TransactionResultCodeTxNoAccount, 0
	}
	c := t.feeChecker(false)
	if !c.signed(payer.weighted(), payer.thresholds[1]) {
		return xdr.TransactionResultCodeTxBadAuth, 0
	}
	if payer.available() < t.fee {
		return xdr.TransactionResultCodeTxInsufficientBalance, 0
	}
	if !c.allUsed() {
		return xdr.TransactionResultCodeTxBadAuthExtra, 0
	}
	return xdr.TransactionResultCodeTxSuccess, 0
}

// validateInner checks the transaction itself; perOperation is 0 if a fee bump
// pays for it. Operations are told apart up to the first that fails.
func (t *transaction) validateInner(v *view, m moment, perOperation int64) (xdr.TransactionResultCode, []xdr.OperationResult) {
	c := t.checker(false)
	if code, _ := t.common(v, m, c, perOperation, false); code != xdr.TransactionResultCodeTxSuccess {
		return code, nil
	}
	results := t.blankResults()
	for i, op := range t.operations {
		result, ok := t.authorized(v, op, c)
		if ok {
			result, ok = t.wellFormed(op)
		}
		if !ok {
			results[i] = result
			return xdr.TransactionResultCodeTxFailed, results
		}
	}
	if !c.allUsed() {
		return xdr.TransactionResultCodeTxBadAuthExtra, nil
	}
	return xdr.TransactionResultCodeTxSuccess, results
}

// common holds the checks that are the same when submitted and when applied.
func (t *transaction) common(v *view, m moment, c *checker, perOperation int64, applying bool) (xdr.TransactionResultCode, stage) {
	if !t.cond.wellFormed() {
		return xdr.TransactionResultCodeTxMalformed, invalid
	}
	if len(t.operations) == 0 {
		return xdr.TransactionResultCodeTxMissingOperation, invalid
	}
	if t.cond.tooEarly(m) {
		return xdr.TransactionResultCodeTxTooEarly, invalid
	}
	if t.cond.tooLate(m) {
		return xdr.TransactionResultCodeTxTooLate, invalid
	}
	if t.innerFee < perOperation*int64(len(t.operations)) {
		return xdr.TransactionResultCodeTxInsufficientFee, invalid
	}
	source := v.account(t.source)
	if source == nil {
		return xdr.TransactionResultCodeTxNoAccount, invalid
	}
	if t.badSequence(source, m.ledger) {
		return xdr.TransactionResultCodeTxBadSeq, invalid
	}
	if t.cond.tooSoonAfter(source, m) {
		return xdr.TransactionResultCodeTxBadMinSeqAgeOrGap, pastSequence
	}
	if !c.signed(source.weighted(), source.thresholds[1]) {
		return xdr.TransactionResultCodeTxBadAuth, pastSequence
	}
	for _, key := range t.cond.extraSigners {
		if !c.signed([]signer{{key: key, weight: 1}}, 1) {
			return xdr.TransactionResultCodeTxBadAuth, pastSequence
		}
	}
	// When applying, the fee has been paid already.
	owed := t.fee
	if applying {
		owed = 0
	}
	if perOperation > 0 && source.available() < owed {
		return xdr.TransactionResultCodeTxInsufficientBalance, pastAuth
	}
	return xdr.TransactionResultCodeTxSuccess, passed
}

// badSequence says whether this number may not be used now: it must be the
// account's next, unless the transaction says from which on it may jump. A
// number that accounts created in this ledger start with is never free.
func (t *transaction) badSequence(source *account, ledger uint32) bool {
	if t.sequence == math.MaxInt64 || t.sequence == firstSequence(ledger) {
		return true
	}
	if t.cond.minSequence != nil {
		return source.sequence < int64(*t.cond.minSequence) || source.sequence >= t.sequence
	}
	return source.sequence+1 != t.sequence
}

func (c conditions) wellFormed() bool {
	for i, key := range c.extraSigners {
		if p := key.Ed25519SignedPayload; p != nil && len(p.Payload) == 0 {
			return false
		}
		if i > 0 && key.Equals(c.extraSigners[0]) {
			return false
		}
	}
	return true
}

func (c conditions) tooEarly(m moment) bool {
	return c.time != nil && uint64(c.time.MinTime) > uint64(m.earliest) ||
		c.ledger != nil && uint32(c.ledger.MinLedger) > m.ledger
}

// tooLate: the maximum time is inclusive, the maximum ledger is not.
func (c conditions) tooLate(m moment) bool {
	return c.time != nil && c.time.MaxTime != 0 && uint64(c.time.MaxTime) < uint64(m.latest) ||
		c.ledger != nil && c.ledger.MaxLedger != 0 && uint32(c.ledger.MaxLedger) <= m.ledger
}

func (c conditions) tooSoonAfter(source *account, m moment) bool {
	if c.minAge > uint64(m.earliest) {
		return true
	}
	return int64(c.minAge) > m.earliest-source.seqTime || int64(c.minGap) > int64(m.ledger)-int64(source.seqLedger)
}

// authorized checks the signatures one operation needs.
func (t *transaction) authorized(v *view, op xdr.Operation, c *checker) (xdr.OperationResult, bool) {
	rule, known := ruleOf(op.Body)
	if !known {
		return outer(xdr.OperationResultCodeOpNotSupported), false
	}
	id := t.sourceOf(op)
	source := v.account(id)
	switch {
	case source != nil:
		if !c.signed(source.weighted(), source.thresholds[rule.threshold(op.Body)]) {
			return outer(xdr.OperationResultCodeOpBadAuth), false
		}
	case op.SourceAccount == nil:
		return outer(xdr.OperationResultCodeOpNoAccount), false
	default:
		// An earlier operation may create it, with its own key as signer.
		if !c.signed([]signer{{key: id.signerKey(), weight: 1}}, 0) {
			return outer(xdr.OperationResultCodeOpBadAuth), false
		}
	}
	return xdr.OperationResult{}, true
}

// wellFormed checks an operation without looking at the ledger.
func (t *transaction) wellFormed(op xdr.Operation) (xdr.OperationResult, bool) {
	rule := rules[op.Body.Type]
	code := rule.check(t.sourceOf(op), op.Body)
	return inner(rule.result(code)), code == 0
}

// blankResults is a success for every operation, to be overwritten.
func (t *transaction) blankResults() []xdr.OperationResult {
	results := make([]xdr.OperationResult, len(t.operations))
	for i, op := range t.operations {
		if rule, known := ruleOf(op.Body); known {
			results[i] = inner(rule.result(0))
		} else {
			results[i] = outer(xdr.OperationResultCodeOpNotSupported)
		}
	}
	return results
}

func outer(code xdr.OperationResultCode) xdr.OperationResult { return xdr.OperationResult{Code: code} }

func inner(tr xdr.OperationResultTr) xdr.OperationResult {
	return xdr.OperationResult{Code: xdr.OperationResultCodeOpInner, Tr: &tr}
}

// result wraps the inner transaction's outcome as the ledger records it.
func (t *transaction) result(code xdr.TransactionResultCode, ops []xdr.OperationResult, fee, innerFee int64) xdr.TransactionResult {
	withOps := code == xdr.TransactionResultCodeTxSuccess || code == xdr.TransactionResultCodeTxFailed
	if !t.feeBump {
		r := xdr.TransactionResult{FeeCharged: xdr.Int64(fee), Result: xdr.TransactionResultResult{Code: code}}
		if withOps {
			r.Result.Results = &ops
		}
		return r
	}
	pair := xdr.InnerTransactionResultPair{
		TransactionHash: t.innerHash,
		Result:          xdr.InnerTransactionResult{FeeCharged: xdr.Int64(innerFee), Result: xdr.InnerTransactionResultResult{Code: code}},
	}
	outerCode := xdr.TransactionResultCodeTxFeeBumpInnerFailed
	if code == xdr.TransactionResultCodeTxSuccess {
		outerCode = xdr.TransactionResultCodeTxFeeBumpInnerSuccess
	}
	if withOps {
		pair.Result.Result.Results = &ops
	}
	return xdr.TransactionResult{FeeCharged: xdr.Int64(fee), Result: xdr.TransactionResultResult{Code: outerCode, InnerResultPair: &pair}}
}

// mulDivUp is a*b/c rounded up, at most the largest amount.
func mulDivUp(a int64, b, c int) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, uint64(c-1), 0)
	if hi += carry; hi >= uint64(c) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, math.MaxInt64))
}
