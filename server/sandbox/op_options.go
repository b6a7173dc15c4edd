package sandbox

import (
	"slices"
	"strings"

	"github.com/stellar/go-stellar-sdk/xdr"
)

const allAccountFlags = xdr.AccountFlagsAuthRequiredFlag | xdr.AccountFlagsAuthRevocableFlag |
	xdr.AccountFlagsAuthImmutableFlag | xdr.AccountFlagsAuthClawbackEnabledFlag

func thresholdOfSetOptions(body xdr.OperationBody) int {
	op := body.SetOptionsOp
	if op.MasterWeight != nil || op.LowThreshold != nil || op.MedThreshold != nil || op.HighThreshold != nil || op.Signer != nil {
		return high
	}
	return medium
}

func checkSetOptions(source accountID, body xdr.OperationBody) int32 {
	op := body.SetOptionsOp
	set, clear := flagsOf(op.SetFlags), flagsOf(op.ClearFlags)
	if (set|clear)&^allAccountFlags != 0 {
		return int32(xdr.SetOptionsResultCodeSetOptionsUnknownFlag)
	}
	if set&clear != 0 {
		return int32(xdr.SetOptionsResultCodeSetOptionsBadFlags)
	}
	for _, weight := range []*xdr.Uint32{op.MasterWeight, op.LowThreshold, op.MedThreshold, op.HighThreshold} {
		if weight != nil && *weight > 255 {
			return int32(xdr.SetOptionsResultCodeSetOptionsThresholdOutOfRange)
		}
	}
	if op.Signer != nil {
		payload := op.Signer.Key.Ed25519SignedPayload
		if op.Signer.Key.Equals(source.signerKey()) || op.Signer.Weight > 255 || payload != nil && len(payload.Payload) == 0 {
			return int32(xdr.SetOptionsResultCodeSetOptionsBadSigner)
		}
	}
	if op.HomeDomain != nil && !printable(string(*op.HomeDomain)) {
		return int32(xdr.SetOptionsResultCodeSetOptionsInvalidHomeDomain)
	}
	return 0
}

func flagsOf(flags *xdr.Uint32) xdr.AccountFlags {
	if flags == nil {
		return 0
	}
	return xdr.AccountFlags(*flags)
}

func applySetOptions(s *step, body xdr.OperationBody) int32 {
	op := body.SetOptionsOp
	a := s.edit(s.source)
	s.optionEffects(a, *op)
	a.modified = s.ledger

	if op.InflationDest != nil {
		id := idOf(*op.InflationDest)
		if s.account(id) == nil {
			return int32(xdr.SetOptionsResultCodeSetOptionsInvalidInflation)
		}
		a.inflation = &id
	}
	set, clear := flagsOf(op.SetFlags), flagsOf(op.ClearFlags)
	if set|clear != 0 && a.flags&xdr.AccountFlagsAuthImmutableFlag != 0 {
		return int32(xdr.SetOptionsResultCodeSetOptionsCantChange)
	}
	a.flags = a.flags&^clear | set
	if (op.SetFlags != nil || op.ClearFlags != nil) &&
		a.flags&xdr.AccountFlagsAuthClawbackEnabledFlag != 0 && a.flags&xdr.AccountFlagsAuthRevocableFlag == 0 {
		return int32(xdr.SetOptionsResultCodeSetOptionsAuthRevocableRequired)
	}
	if op.HomeDomain != nil {
		a.homeDomain = string(*op.HomeDomain)
	}
	for i, weight := range []*xdr.Uint32{op.MasterWeight, op.LowThreshold, op.MedThreshold, op.HighThreshold} {
		if weight != nil {
			a.thresholds[i] = byte(*weight)
		}
	}
	if op.Signer != nil {
		return s.setSigner(a, *op.Signer)
	}
	return 0
}

// setSigner adds, changes or (weight 0) removes a signer.
func (s *step) setSigner(a *account, want xdr.Signer) int32 {
	address := want.Key.Address()
	i, found := slices.BinarySearchFunc(a.signers, address, func(s signer, address string) int {
		return strings.Compare(s.key.Address(), address)
	})
	a.signers = slices.Clone(a.signers)
	switch {
	case want.Weight == 0 && found:
		s.release(a.signers[i].sponsor, a, 1, sponsoredSigner(a.id, want.Key))
		a.signers = slices.Delete(a.signers, i, i+1)
	case want.Weight == 0:
	case found:
		a.signers[i].weight = byte(want.Weight)
	case len(a.signers) >= maxSigners:
		return int32(xdr.SetOptionsResultCodeSetOptionsTooManySigners)
	default:
		sponsor, code := s.addSubentry(a, sponsoredSigner(a.id, want.Key), int32(xdr.SetOptionsResultCodeSetOptionsLowReserve))
		if code != 0 {
			return code
		}
		a.signers = slices.Insert(a.signers, i, signer{key: want.Key, weight: byte(want.Weight), sponsor: sponsor})
	}
	return 0
}
