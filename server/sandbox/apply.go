package sandbox

import (
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// An applied transaction and what came of it.
type applied struct {
	tx      *transaction
	result  xdr.TransactionResult
	effects [][]effect // of each operation, nil if it failed
}

// succeeded says whether the operations took effect.
func succeeded(r xdr.TransactionResult) bool {
	return r.Result.Code == xdr.TransactionResultCodeTxSuccess || r.Result.Code == xdr.TransactionResultCodeTxFeeBumpInnerSuccess
}

// applyAll applies transactions in their order: first every fee is taken, then
// each one runs. expected holds the recorded results when replaying, which
// spares the signatures of what succeeded; nil else. It returns the fees taken.
func applyAll(v *view, m moment, perOperation int64, txs []*transaction, expected []xdr.TransactionResult) ([]applied, int64) {
	var fees int64
	out := make([]applied, len(txs))
	for i, t := range txs {
		out[i] = applied{tx: t}
		var fee int64
		if payer := v.edit(t.feeSource); payer != nil {
			fee = min(t.charge(perOperation), payer.balance)
			payer.balance -= fee
			payer.modified = m.ledger
		}
		out[i].result.FeeCharged = xdr.Int64(fee)
		fees += fee
	}
	for i, t := range txs {
		trusted := expected != nil && succeeded(expected[i])
		var code xdr.TransactionResultCode
		var ops []xdr.OperationResult
		code, ops, out[i].effects = t.apply(v, m, trusted)
		innerFee := min(t.innerFee, perOperation*int64(max(1, len(t.operations))))
		out[i].result = t.result(code, ops, int64(out[i].result.FeeCharged), innerFee)
	}
	return out, fees
}

// apply runs one transaction whose fee has been taken.
func (t *transaction) apply(ledger *view, m moment, trusted bool) (xdr.TransactionResultCode, []xdr.OperationResult, [][]effect) {
	perOperation := int64(baseFee)
	if t.feeBump {
		dropPreAuthorized(ledger, m, t.feeSource, t.hash)
		perOperation = 0
	}
	c := t.checker(trusted)
	code, reached := t.common(ledger, m, c, perOperation, true)
	if reached >= pastSequence {
		source := ledger.edit(t.source)
		source.sequence, source.seqLedger, source.seqTime = t.sequence, m.ledger, m.latest
		source.modified = m.ledger
	}
	if reached < pastAuth {
		return code, nil, nil
	}

	// All signatures are counted before the first operation: it may change
	// who signs.
	results := t.blankResults()
	allAuthorized := true
	if reached == passed {
		for i, op := range t.operations {
			if result, ok := t.authorized(ledger, op, c); !ok {
				results[i], allAuthorized = result, false
			}
		}
	}
	for _, op := range t.operations {
		dropPreAuthorized(ledger, m, t.sourceOf(op), t.innerHash)
	}
	dropPreAuthorized(ledger, m, t.source, t.innerHash)
	switch {
	case reached != passed:
		return code, nil, nil
	case !allAuthorized:
		return xdr.TransactionResultCodeTxFailed, results, nil
	case !c.allUsed():
		return xdr.TransactionResultCodeTxBadAuthExtra, nil, nil
	}

	return t.applyOperations(ledger, m, results)
}

// applyOperations runs them all even after one failed, so that each gets its
// result.
func (t *transaction) applyOperations(ledger *view, m moment, results []xdr.OperationResult) (xdr.TransactionResultCode, []xdr.OperationResult, [][]effect) {
	work := ledger.child()
	open := make(sponsors)
	effects := make([][]effect, len(t.operations))
	failed := false
	for i := range t.operations {
		v := work.child()
		ok := false
		results[i], effects[i], ok = t.run(v, m, i, open)
		if ok {
			v.into(work)
		}
		failed = failed || !ok
	}
	switch {
	case failed:
		return xdr.TransactionResultCodeTxFailed, results, nil
	case len(open) > 0:
		return xdr.TransactionResultCodeTxBadSponsorship, nil, nil
	}
	work.into(ledger)
	return xdr.TransactionResultCodeTxSuccess, results, effects
}

func (t *transaction) run(v *view, m moment, index int, open sponsors) (xdr.OperationResult, []effect, bool) {
	op := t.operations[index]
	source := t.sourceOf(op)
	if v.account(source) == nil {
		return outer(xdr.OperationResultCodeOpNoAccount), nil, false
	}
	if result, ok := t.wellFormed(op); !ok {
		return result, nil, false
	}
	rule := rules[op.Body.Type]
	s := &step{
		view: v, tx: t, index: index, ledger: m.ledger, closeTime: m.latest,
		source: source, actor: t.actorOf(op), sponsors: open, rates: m.rates,
	}
	code := rule.apply(s, op.Body)
	if s.refused != 0 {
		return outer(s.refused), nil, false
	}
	result := rule.result(code)
	if code == 0 && s.fill != nil {
		s.fill(&result)
	}
	return inner(result), append(s.effects, s.sponsored...), code == 0
}

// dropPreAuthorized removes the one-time signer that named this transaction.
func dropPreAuthorized(v *view, m moment, id accountID, hash [32]byte) {
	a := v.account(id)
	if a == nil {
		return
	}
	names := func(s signer) bool {
		return s.key.Type == xdr.SignerKeyTypeSignerKeyTypePreAuthTx && *s.key.PreAuthTx == hash
	}
	i := slices.IndexFunc(a.signers, names)
	if i < 0 {
		return
	}
	a = v.edit(id)
	if sponsor := a.signers[i].sponsor; sponsor != nil {
		releaseReserves(v, m.ledger, *sponsor, a, 1)
	}
	a.signers = slices.Delete(slices.Clone(a.signers), i, i+1)
	a.modified = m.ledger
}
