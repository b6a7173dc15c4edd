package sandbox

import (
	"strconv"

	"github.com/stellar/go-stellar-sdk/xdr"
)

func checkMerge(source accountID, body xdr.OperationBody) int32 {
	if idOfMuxed(*body.Destination) == source {
		return int32(xdr.AccountMergeResultCodeAccountMergeMalformed)
	}
	return 0
}

// applyMerge gives all the lumens of an account to another and ends it. Signers
// go with it, other entries must have gone before.
func applyMerge(s *step, body xdr.OperationBody) int32 {
	to := idOfMuxed(*body.Destination)
	if s.account(to) == nil {
		return int32(xdr.AccountMergeResultCodeAccountMergeNoAccount)
	}
	a := s.edit(s.source)
	switch {
	case a.flags.IsAuthImmutable():
		return int32(xdr.AccountMergeResultCodeAccountMergeImmutableSet)
	case a.subEntries() != len(a.signers):
		return int32(xdr.AccountMergeResultCodeAccountMergeHasSubEntries)
	case a.sequence >= firstSequence(s.ledger):
		// Created again now, its numbers would jump back.
		return int32(xdr.AccountMergeResultCodeAccountMergeSeqnumTooFar)
	case s.sponsors.pays(a.id), a.sponsoring > 0:
		return int32(xdr.AccountMergeResultCodeAccountMergeIsSponsor)
	}

	s.release(a.sponsor, a, 2, sponsoredAccount(a.id))
	for _, k := range a.signers {
		s.release(k.sponsor, a, 1, sponsoredSigner(a.id, k.key))
	}
	// A sponsor may be the one that gets the lumens: it is loaded only now.
	other, all := s.edit(to), a.balance
	balance, ok := sum(other.balance, all)
	if !ok {
		return int32(xdr.AccountMergeResultCodeAccountMergeDestFull)
	}
	other.balance, other.modified = balance, s.ledger
	s.remove(a.id)
	s.fill = func(r *xdr.OperationResultTr) { r.AccountMergeResult.SourceAccountBalance = new(xdr.Int64(all)) }

	s.effectOn(s.actor, "account_debited", moved(asset{}, all)...)
	s.effectOn(*body.Destination, "account_credited", moved(asset{}, all)...)
	s.effectOn(s.actor, "account_removed")
	return 0
}

func checkBumpSequence(_ accountID, body xdr.OperationBody) int32 {
	if body.BumpSequenceOp.BumpTo < 0 {
		return int32(xdr.BumpSequenceResultCodeBumpSequenceBadSeq)
	}
	return 0
}

// applyBumpSequence never goes back, but counts as a use of the number
// whatever it does.
func applyBumpSequence(s *step, body xdr.OperationBody) int32 {
	to := int64(body.BumpSequenceOp.BumpTo)
	a := s.edit(s.source)
	a.seqLedger, a.seqTime, a.modified = s.ledger, s.closeTime, s.ledger
	if to > a.sequence {
		a.sequence = to
		s.effectOn(s.actor, "sequence_bumped", detail{"new_seq", strconv.FormatInt(to, 10)})
	}
	return 0
}
