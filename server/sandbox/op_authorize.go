package sandbox

import "github.com/stellar/go-stellar-sdk/xdr"

// What an issuer does with the trust lines of others: it lets them hold its
// asset, or only keep what they have, and takes back what it may.

// authFlags say what the holder of a trust line may do: all, or only what
// brings its balance down to what it promised. A line has one or none.
const authFlags = xdr.TrustLineFlagsAuthorizedFlag | xdr.TrustLineFlagsAuthorizedToMaintainLiabilitiesFlag

func checkSetTrustLineFlags(source accountID, body xdr.OperationBody) int32 {
	op := body.SetTrustLineFlagsOp
	of, set, clear := assetOf(op.Asset), xdr.TrustLineFlags(op.SetFlags), xdr.TrustLineFlags(op.ClearFlags)
	if of.native() || !of.valid() || of.issuer != source || idOf(op.Trustor) == source ||
		set&clear != 0 || set&^authFlags != 0 || set == authFlags ||
		clear&^(authFlags|xdr.TrustLineFlagsTrustlineClawbackEnabledFlag) != 0 {
		return int32(xdr.SetTrustLineFlagsResultCodeSetTrustLineFlagsMalformed)
	}
	return 0
}

// applySetTrustLineFlags: an issuer that did not say that it may revoke can
// give rights but take none.
func applySetTrustLineFlags(s *step, body xdr.OperationBody) int32 {
	op := body.SetTrustLineFlagsOp
	of, set, clear := assetOf(op.Asset), xdr.TrustLineFlags(op.SetFlags), xdr.TrustLineFlags(op.ClearFlags)
	if !s.account(s.source).flags.IsAuthRevocable() && clear&authFlags != 0 && !set.IsAuthorized() {
		return int32(xdr.SetTrustLineFlagsResultCodeSetTrustLineFlagsCantRevoke)
	}
	line := s.line(idOf(op.Trustor), of)
	if line == nil {
		return int32(xdr.SetTrustLineFlagsResultCodeSetTrustLineFlagsNoTrustLine)
	}
	flags := line.flags&^clear | set
	if flags&authFlags == authFlags {
		return int32(xdr.SetTrustLineFlagsResultCodeSetTrustLineFlagsInvalidState)
	}
	s.setFlags(idOf(op.Trustor), *line, flags)
	s.lineFlagsEffect(op.Trustor, of, set, clear)
	return 0
}

// line finds a trust line for reading, nil if there is none.
func (v *view) line(id accountID, of asset) *trustline {
	if a := v.account(id); a != nil {
		return a.line(of)
	}
	return nil
}

func (s *step) setFlags(trustor accountID, line trustline, flags xdr.TrustLineFlags) {
	line.flags, line.modified = flags, s.ledger
	s.edit(trustor).setLine(line)
}

// lineFlagsEffect tells what was asked for, changed or not. Horizon does not
// show the flag of maintaining liabilities, whose name it misspells.
func (s *step) lineFlagsEffect(trustor xdr.AccountId, of asset, set, clear xdr.TrustLineFlags) {
	details := append(of.details(), detail{"trustor", trustor.Address()})
	for _, f := range []struct {
		flag xdr.TrustLineFlags
		key  string
	}{
		{xdr.TrustLineFlagsAuthorizedFlag, "authorized_flag"},
		{xdr.TrustLineFlagsTrustlineClawbackEnabledFlag, "clawback_enabled_flag"},
	} {
		if (set|clear)&f.flag != 0 {
			details = append(details, detail{f.key, set&f.flag != 0})
		}
	}
	s.effectOn(s.actor, "trustline_flags_updated", details...)
}

func checkAllowTrust(source accountID, body xdr.OperationBody) int32 {
	op := body.AllowTrustOp
	flags := xdr.TrustLineFlags(op.Authorize)
	if !ownAsset(source, op.Asset).valid() || flags&^authFlags != 0 || flags == authFlags || idOf(op.Trustor) == source {
		return int32(xdr.AllowTrustResultCodeAllowTrustMalformed)
	}
	return 0
}

// ownAsset is the asset with this code that an account issues.
func ownAsset(issuer accountID, code xdr.AssetCode) asset {
	a := asset{kind: code.Type, issuer: issuer}
	if code.AssetCode4 != nil {
		copy(a.code[:], code.AssetCode4[:])
	} else if code.AssetCode12 != nil {
		copy(a.code[:], code.AssetCode12[:])
	}
	return a
}

// applyAllowTrust is the older way of setting the flags, all at once.
func applyAllowTrust(s *step, body xdr.OperationBody) int32 {
	op := body.AllowTrustOp
	of, allowed := ownAsset(s.source, op.Asset), xdr.TrustLineFlags(op.Authorize)
	revocable := s.account(s.source).flags.IsAuthRevocable()
	if !revocable && allowed == 0 {
		return int32(xdr.AllowTrustResultCodeAllowTrustCantRevoke)
	}
	line := s.line(idOf(op.Trustor), of)
	if line == nil {
		return int32(xdr.AllowTrustResultCodeAllowTrustNoTrustLine)
	}
	if !revocable && line.authorized() && !allowed.IsAuthorized() {
		return int32(xdr.AllowTrustResultCodeAllowTrustCantRevoke)
	}
	s.setFlags(idOf(op.Trustor), *line, line.flags&^authFlags|allowed)

	kind, cleared := "trustline_deauthorized", authFlags
	switch {
	case allowed.IsAuthorized():
		kind, cleared = "trustline_authorized", 0
	case allowed != 0:
		kind, cleared = "trustline_authorized_to_maintain_liabilities", 0
	}
	s.effectOn(s.actor, kind, append([]detail{{"trustor", op.Trustor.Address()}}, of.details()[:2]...)...)
	s.lineFlagsEffect(op.Trustor, of, allowed, cleared)
	return 0
}

func checkClawback(source accountID, body xdr.OperationBody) int32 {
	op := body.ClawbackOp
	of := assetOf(op.Asset)
	oneself := op.From.Type == xdr.CryptoKeyTypeKeyTypeEd25519 && idOfMuxed(op.From) == source
	if oneself || op.Amount <= 0 || of.native() || !of.valid() || of.issuer != source {
		return int32(xdr.ClawbackResultCodeClawbackMalformed)
	}
	return 0
}

// applyClawback takes from lines that are not authorized, too.
func applyClawback(s *step, body xdr.OperationBody) int32 {
	op := body.ClawbackOp
	from, of, amount := idOfMuxed(op.From), assetOf(op.Asset), int64(op.Amount)
	have := s.line(from, of)
	switch {
	case have == nil:
		return int32(xdr.ClawbackResultCodeClawbackNoTrust)
	case !have.flags.IsClawbackEnabledFlag():
		return int32(xdr.ClawbackResultCodeClawbackNotClawbackEnabled)
	case have.balance < amount:
		return int32(xdr.ClawbackResultCodeClawbackUnderfunded)
	}
	line := *have
	line.balance, line.modified = line.balance-amount, s.ledger
	s.edit(from).setLine(line)
	s.effectOn(s.actor, "account_credited", moved(of, amount)...)
	s.effectOn(op.From, "account_debited", moved(of, amount)...)
	return 0
}
