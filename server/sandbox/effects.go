package sandbox

import (
	"maps"
	"slices"

	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// An effect is one change that an operation made to one account, as Horizon
// tells it: kind is Horizon's name, such as "account_credited", details are the
// keys beside those that all effects have.
type effect struct {
	account xdr.MuxedAccount
	kind    string
	details []detail
}

// A detail is one key of an effect's JSON.
type detail struct {
	key   string
	value any
}

// effectKinds are the numbers of the names, type_i.
var effectKinds = map[string]int32{
	"account_created": 0, "account_removed": 1, "account_credited": 2, "account_debited": 3,
	"account_thresholds_updated": 4, "account_home_domain_updated": 5, "account_flags_updated": 6,
	"account_inflation_destination_updated": 7,
	"signer_created":                        10, "signer_removed": 11, "signer_updated": 12,
	"trustline_created": 20, "trustline_removed": 21, "trustline_updated": 22,
	"trustline_authorized": 23, "trustline_deauthorized": 24,
	"trustline_authorized_to_maintain_liabilities": 25, "trustline_flags_updated": 26,
	"trade":        33,
	"data_created": 40, "data_removed": 41, "data_updated": 42,
	"sequence_bumped":           43,
	"claimable_balance_created": 50, "claimable_balance_claimant_created": 51, "claimable_balance_claimed": 52,
	"account_sponsorship_created": 60, "account_sponsorship_updated": 61, "account_sponsorship_removed": 62,
	"trustline_sponsorship_created": 63, "trustline_sponsorship_updated": 64, "trustline_sponsorship_removed": 65,
	"data_sponsorship_created": 66, "data_sponsorship_updated": 67, "data_sponsorship_removed": 68,
	"claimable_balance_sponsorship_created": 69, "claimable_balance_sponsorship_updated": 70,
	"claimable_balance_sponsorship_removed": 71,
	"signer_sponsorship_created":            72, "signer_sponsorship_updated": 73, "signer_sponsorship_removed": 74,
	"claimable_balance_clawed_back": 80,
}

// effectNames is the other way round.
var effectNames = func() map[int32]string {
	names := make(map[int32]string)
	for name, number := range effectKinds {
		names[number] = name
	}
	return names
}()

// effect notes that the operation changed an account. Those of an operation
// that fails are dropped.
func (s *step) effect(id accountID, kind string, details ...detail) {
	s.effectOn(id.muxed(), kind, details...)
}

// effectOn is effect for an account named by an operation, maybe muxed; the
// source is s.actor.
func (s *step) effectOn(account xdr.MuxedAccount, kind string, details ...detail) {
	s.effects = append(s.effects, effect{account, kind, details})
}

// moved is an amount of an asset in the details of an effect.
func moved(what asset, stroops int64) []detail {
	return append(what.details(), detail{"amount", amount.StringFromInt64(stroops)})
}

func (a asset) details() []detail {
	b := a.resource()
	if a.native() {
		return []detail{{"asset_type", b.Type}}
	}
	return []detail{{"asset_type", b.Type}, {"asset_code", b.Code}, {"asset_issuer", b.Issuer}}
}

// optionEffects tells what the operation changes if it succeeds, in Horizon's
// order. Of flags Horizon shows only the first, and of the inflation
// destination nothing.
func (s *step) optionEffects(before *account, op xdr.SetOptionsOp) {
	if op.HomeDomain != nil {
		s.effectOn(s.actor, "account_home_domain_updated", detail{"home_domain", string(*op.HomeDomain)})
	}
	if op.LowThreshold != nil || op.MedThreshold != nil || op.HighThreshold != nil {
		s.effectOn(s.actor, "account_thresholds_updated",
			detail{"low_threshold", orZero(op.LowThreshold)},
			detail{"med_threshold", orZero(op.MedThreshold)},
			detail{"high_threshold", orZero(op.HighThreshold)})
	}
	if set, clear := flagsOf(op.SetFlags), flagsOf(op.ClearFlags); set|clear != 0 {
		var shown []detail
		if (set | clear).IsAuthRequired() {
			shown = []detail{{"auth_required_flag", set.IsAuthRequired()}}
		}
		s.effectOn(s.actor, "account_flags_updated", shown...)
	}
	if op.InflationDest != nil {
		s.effectOn(s.actor, "account_inflation_destination_updated")
	}
	s.signerEffects(before, op)
}

// orZero is 0 for a threshold that does not change, as Horizon shows it.
func orZero(n *xdr.Uint32) xdr.Uint32 {
	if n == nil {
		return 0
	}
	return *n
}

// signerEffects: first the keys that were signers before, then the new one.
func (s *step) signerEffects(before *account, op xdr.SetOptionsOp) {
	was, is := make(map[string]int), make(map[string]int)
	for _, k := range before.weighted() {
		was[k.key.Address()], is[k.key.Address()] = int(k.weight), int(k.weight)
	}
	if op.MasterWeight != nil {
		is[before.id.String()] = int(*op.MasterWeight)
	}
	if op.Signer != nil {
		is[op.Signer.Key.Address()] = int(op.Signer.Weight)
	}
	tell := func(kind, key string, weight int) {
		s.effectOn(s.actor, kind, detail{"weight", weight}, detail{"public_key", key}, detail{"key", ""})
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		switch weight := is[key]; {
		case weight == 0:
			tell("signer_removed", key, 0)
		case weight != was[key]:
			tell("signer_updated", key, weight)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(is)) {
		if was[key] == 0 && is[key] != 0 {
			tell("signer_created", key, is[key])
		}
	}
}
