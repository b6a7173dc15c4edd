package sandbox

import (
	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/xdr"
)

func checkChangeTrust(source accountID, body xdr.OperationBody) int32 {
	op := body.ChangeTrustOp
	of, ok := assetToTrust(op.Line)
	if !ok || !of.valid() || op.Limit < 0 || of.issuer == source {
		return int32(xdr.ChangeTrustResultCodeChangeTrustMalformed)
	}
	return 0
}

// assetToTrust is false for lumens, which no trust line holds.
func assetToTrust(line xdr.ChangeTrustAsset) (asset, bool) {
	if line.Type != xdr.AssetTypeAssetTypeCreditAlphanum4 && line.Type != xdr.AssetTypeAssetTypeCreditAlphanum12 {
		return asset{}, false
	}
	return assetOf(line.ToAsset()), true
}

// trustEffect tells what becomes of a trust line if the operation succeeds.
func (s *step) trustEffect(existed bool, of asset, limit int64) {
	kind := "trustline_created"
	switch {
	case existed && limit == 0:
		kind = "trustline_removed"
	case existed:
		kind = "trustline_updated"
	}
	s.effectOn(s.actor, kind, append(of.details(), detail{"limit", amount.StringFromInt64(limit)})...)
}

func applyChangeTrust(s *step, body xdr.OperationBody) int32 {
	op := body.ChangeTrustOp
	of, _ := assetToTrust(op.Line)
	limit := int64(op.Limit)
	source, issuer := s.edit(s.source), s.account(of.issuer)
	s.trustEffect(source.line(of) != nil, of, limit)

	if have := source.line(of); have != nil {
		if limit < have.balance {
			return int32(xdr.ChangeTrustResultCodeChangeTrustInvalidLimit)
		}
		if limit == 0 {
			s.release(have.sponsor, source, 1, sponsoredLine(s.source, of))
			source.dropLine(of)
			source.modified = s.ledger
			return 0
		}
		if issuer == nil {
			return int32(xdr.ChangeTrustResultCodeChangeTrustNoIssuer)
		}
		line := *have
		line.limit, line.modified = limit, s.ledger
		source.setLine(line)
		return 0
	}

	if limit == 0 {
		return int32(xdr.ChangeTrustResultCodeChangeTrustInvalidLimit)
	}
	if issuer == nil {
		return int32(xdr.ChangeTrustResultCodeChangeTrustNoIssuer)
	}
	sponsor, code := s.addSubentry(source, sponsoredLine(s.source, of), int32(xdr.ChangeTrustResultCodeChangeTrustLowReserve))
	if code != 0 {
		return code
	}
	line := trustline{asset: of, limit: limit, sponsor: sponsor, modified: s.ledger}
	if issuer.flags&xdr.AccountFlagsAuthRequiredFlag == 0 {
		line.flags |= xdr.TrustLineFlagsAuthorizedFlag
	}
	if issuer.flags&xdr.AccountFlagsAuthClawbackEnabledFlag != 0 {
		line.flags |= xdr.TrustLineFlagsTrustlineClawbackEnabledFlag
	}
	source.setLine(line)
	return 0
}
