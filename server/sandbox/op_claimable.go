package sandbox

import (
	"crypto/sha256"
	"math"

	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/xdr"
)

const maxPredicateDepth = 4

func checkCreateClaimable(_ accountID, body xdr.OperationBody) int32 {
	const malformed = int32(xdr.CreateClaimableBalanceResultCodeCreateClaimableBalanceMalformed)
	op := body.CreateClaimableBalanceOp
	if op.Amount <= 0 || !assetOf(op.Asset).valid() || len(op.Claimants) == 0 {
		return malformed
	}
	seen := make(map[accountID]bool)
	for _, c := range op.Claimants {
		id := idOf(c.V0.Destination)
		if seen[id] || !validPredicate(c.V0.Predicate, 1) {
			return malformed
		}
		seen[id] = true
	}
	return 0
}

func validPredicate(p xdr.ClaimPredicate, depth int) bool {
	if depth > maxPredicateDepth {
		return false
	}
	switch p.Type {
	case xdr.ClaimPredicateTypeClaimPredicateUnconditional:
		return true
	case xdr.ClaimPredicateTypeClaimPredicateAnd, xdr.ClaimPredicateTypeClaimPredicateOr:
		both := operands(p)
		return len(both) == 2 && validPredicate(both[0], depth+1) && validPredicate(both[1], depth+1)
	case xdr.ClaimPredicateTypeClaimPredicateNot:
		return *p.NotPredicate != nil && validPredicate(**p.NotPredicate, depth+1)
	case xdr.ClaimPredicateTypeClaimPredicateBeforeAbsoluteTime:
		return *p.AbsBefore >= 0
	case xdr.ClaimPredicateTypeClaimPredicateBeforeRelativeTime:
		return *p.RelBefore >= 0
	}
	return false
}

func operands(p xdr.ClaimPredicate) []xdr.ClaimPredicate {
	if p.Type == xdr.ClaimPredicateTypeClaimPredicateAnd {
		return *p.AndPredicates
	}
	return *p.OrPredicates
}

// fixed is a valid predicate with its relative times counted from a moment.
func fixed(p xdr.ClaimPredicate, from int64) xdr.ClaimPredicate {
	switch p.Type {
	case xdr.ClaimPredicateTypeClaimPredicateAnd, xdr.ClaimPredicateTypeClaimPredicateOr:
		both := operands(p)
		both = []xdr.ClaimPredicate{fixed(both[0], from), fixed(both[1], from)}
		if p.Type == xdr.ClaimPredicateTypeClaimPredicateAnd {
			p.AndPredicates = &both
		} else {
			p.OrPredicates = &both
		}
	case xdr.ClaimPredicateTypeClaimPredicateNot:
		not := new(fixed(**p.NotPredicate, from))
		p.NotPredicate = &not
	case xdr.ClaimPredicateTypeClaimPredicateBeforeRelativeTime:
		until, ok := sum(from, int64(*p.RelBefore))
		if !ok {
			until = math.MaxInt64
		}
		return xdr.ClaimPredicate{Type: xdr.ClaimPredicateTypeClaimPredicateBeforeAbsoluteTime, AbsBefore: new(xdr.Int64(until))}
	}
	return p
}

// holds says whether a fixed predicate is true at a ledger's close time.
func holds(p xdr.ClaimPredicate, now int64) bool {
	switch p.Type {
	case xdr.ClaimPredicateTypeClaimPredicateAnd:
		return holds((*p.AndPredicates)[0], now) && holds((*p.AndPredicates)[1], now)
	case xdr.ClaimPredicateTypeClaimPredicateOr:
		return holds((*p.OrPredicates)[0], now) || holds((*p.OrPredicates)[1], now)
	case xdr.ClaimPredicateTypeClaimPredicateNot:
		return !holds(**p.NotPredicate, now)
	case xdr.ClaimPredicateTypeClaimPredicateBeforeAbsoluteTime:
		return int64(*p.AbsBefore) > now
	}
	return true
}

func applyCreateClaimable(s *step, body xdr.OperationBody) int32 {
	op := body.CreateClaimableBalanceOp
	c := &claimable{
		id: s.balanceID(), asset: assetOf(op.Asset), amount: int64(op.Amount), modified: s.ledger,
	}
	switch s.credit(s.source, c.asset, -c.amount) {
	case noLine:
		return int32(xdr.CreateClaimableBalanceResultCodeCreateClaimableBalanceNoTrust)
	case notAuthorized:
		return int32(xdr.CreateClaimableBalanceResultCodeCreateClaimableBalanceNotAuthorized)
	case outOfRange:
		return int32(xdr.CreateClaimableBalanceResultCodeCreateClaimableBalanceUnderfunded)
	case changed:
	}
	payer := s.sponsorOf(s.source)
	if payer == nil {
		payer = s.edit(s.source)
	}
	c.sponsor = payer.id
	if code := s.sponsor(payer, nil, uint32(len(op.Claimants)), s.sponsoredBalance(c.id),
		int32(xdr.CreateClaimableBalanceResultCodeCreateClaimableBalanceLowReserve)); code != 0 {
		return code
	}
	c.clawback = s.clawbackEnabled(c.asset)
	for _, claimant := range op.Claimants {
		v0 := *claimant.V0
		v0.Predicate = fixed(v0.Predicate, s.closeTime)
		c.claimants = append(c.claimants, xdr.Claimant{Type: claimant.Type, V0: &v0})
	}
	s.putClaimable(c)
	s.fill = func(r *xdr.OperationResultTr) { r.CreateClaimableBalanceResult.BalanceId = new(c.id.xdr()) }

	about := []detail{{"asset", c.asset.String()}, {"balance_id", c.id.String()}, {"amount", amount.String(op.Amount)}}
	s.effectOn(s.actor, "claimable_balance_created", about...)
	for _, claimant := range op.Claimants {
		s.effect(idOf(claimant.V0.Destination), "claimable_balance_claimant_created",
			append(about[:3:3], detail{"predicate", claimant.V0.Predicate})...)
	}
	s.effectOn(s.actor, "account_debited", moved(c.asset, c.amount)...)
	return 0
}

// balanceID names what the operation creates: a hash over the transaction's
// source and number, and the operation's place in it.
func (s *step) balanceID() balanceID {
	return sha256.Sum256(mustEncode(xdr.HashIdPreimage{
		Type: xdr.EnvelopeTypeEnvelopeTypeOpId,
		OperationId: &xdr.HashIdPreimageOperationId{
			SourceAccount: s.tx.source.xdr(),
			SeqNum:        xdr.SequenceNumber(s.tx.sequence),
			OpNum:         xdr.Uint32(s.index),
		},
	}))
}

func (id balanceID) xdr() xdr.ClaimableBalanceId {
	hash := xdr.Hash(id)
	return xdr.ClaimableBalanceId{Type: xdr.ClaimableBalanceIdTypeClaimableBalanceIdTypeV0, V0: &hash}
}

// clawbackEnabled says whether the issuer may take back what the source sends.
func (s *step) clawbackEnabled(of asset) bool {
	if of.native() {
		return false
	}
	a := s.account(s.source)
	if of.issuer == s.source {
		return a.flags.IsAuthClawbackEnabled()
	}
	return a.line(of).flags&xdr.TrustLineFlagsTrustlineClawbackEnabledFlag != 0
}

func applyClaim(s *step, body xdr.OperationBody) int32 {
	c := s.claimable(balanceID(*body.ClaimClaimableBalanceOp.BalanceId.V0))
	if c == nil {
		return int32(xdr.ClaimClaimableBalanceResultCodeClaimClaimableBalanceDoesNotExist)
	}
	if !c.claimableBy(s.source, s.closeTime) {
		return int32(xdr.ClaimClaimableBalanceResultCodeClaimClaimableBalanceCannotClaim)
	}
	switch s.credit(s.source, c.asset, c.amount) {
	case noLine:
		return int32(xdr.ClaimClaimableBalanceResultCodeClaimClaimableBalanceNoTrust)
	case notAuthorized:
		return int32(xdr.ClaimClaimableBalanceResultCodeClaimClaimableBalanceNotAuthorized)
	case outOfRange:
		return int32(xdr.ClaimClaimableBalanceResultCodeClaimClaimableBalanceLineFull)
	case changed:
	}
	s.removeClaimable(c)
	s.effectOn(s.actor, "claimable_balance_claimed",
		detail{"asset", c.asset.String()}, detail{"balance_id", c.id.String()}, detail{"amount", amount.StringFromInt64(c.amount)})
	s.effectOn(s.actor, "account_credited", moved(c.asset, c.amount)...)
	return 0
}

func (c *claimable) claimableBy(id accountID, now int64) bool {
	for _, claimant := range c.claimants {
		if idOf(claimant.V0.Destination) == id {
			return holds(claimant.V0.Predicate, now)
		}
	}
	return false
}

func (s *step) removeClaimable(c *claimable) {
	s.dropClaimable(c.id)
	s.release(&c.sponsor, nil, c.reserves(), s.sponsoredBalance(c.id))
}

// reserves is how many its sponsor pays.
func (c *claimable) reserves() uint32 { return uint32(len(c.claimants)) }

func applyClawbackClaimable(s *step, body xdr.OperationBody) int32 {
	c := s.claimable(balanceID(*body.ClawbackClaimableBalanceOp.BalanceId.V0))
	if c == nil {
		return int32(xdr.ClawbackClaimableBalanceResultCodeClawbackClaimableBalanceDoesNotExist)
	}
	if c.asset.native() || c.asset.issuer != s.source {
		return int32(xdr.ClawbackClaimableBalanceResultCodeClawbackClaimableBalanceNotIssuer)
	}
	if !c.clawback {
		return int32(xdr.ClawbackClaimableBalanceResultCodeClawbackClaimableBalanceNotClawbackEnabled)
	}
	s.removeClaimable(c)
	s.effectOn(s.actor, "claimable_balance_clawed_back", detail{"balance_id", c.id.String()})
	s.effectOn(s.actor, "account_credited", moved(c.asset, c.amount)...)
	return 0
}
