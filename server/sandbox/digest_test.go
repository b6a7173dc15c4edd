package sandbox

import (
	"testing"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// Whatever differs in an entry differs in the hash of the ledger.
func TestDigest(t *testing.T) {
	t.Parallel()
	id, other, of := accountID{1}, accountID{2}, asset{kind: xdr.AssetTypeAssetTypeCreditAlphanum4, code: [12]byte{'A'}, issuer: accountID{3}}
	seen := make(map[[32]byte]string)
	digest := func(name string, v *view) {
		d := v.digest([32]byte{}, 0)
		if before, ok := seen[d]; ok {
			t.Errorf("%s hashes as %s", name, before)
		}
		seen[d] = name
	}
	for name, a := range map[string]*account{
		"nothing": nil, "account": {}, "balance": {balance: 1}, "sequence": {sequence: 1}, "its ledger": {seqLedger: 1}, "its time": {seqTime: 1},
		"flags": {flags: 1}, "thresholds": {thresholds: [4]byte{1}}, "home domain": {homeDomain: "a"}, "inflation": {inflation: &other},
		"sponsor": {sponsor: &other}, "sponsored": {sponsored: 1}, "sponsoring": {sponsoring: 1}, "modified": {modified: 1},
		"signer": {signers: []signer{{key: id.signerKey()}}}, "its weight": {signers: []signer{{key: id.signerKey(), weight: 1}}},
		"its sponsor": {signers: []signer{{key: id.signerKey(), sponsor: &other}}},
		"line":        {lines: []trustline{{asset: of}}}, "line's balance": {lines: []trustline{{asset: of, balance: 1}}},
		"line's limit": {lines: []trustline{{asset: of, limit: 1}}}, "line's flags": {lines: []trustline{{asset: of, flags: 1}}},
		"line's sponsor": {lines: []trustline{{asset: of, sponsor: &other}}}, "line's ledger": {lines: []trustline{{asset: of, modified: 1}}},
		"data": {data: []dataEntry{{name: "ab"}}}, "data's value": {data: []dataEntry{{name: "a", value: []byte("b")}}},
		"data's sponsor": {data: []dataEntry{{name: "ab", sponsor: &other}}}, "data's ledger": {data: []dataEntry{{name: "ab", modified: 1}}},
	} {
		if a != nil {
			a.id = id
		}
		digest(name, &view{changed: map[accountID]*account{id: a}})
	}
	claimants := func(destination accountID, p xdr.ClaimPredicateType) []xdr.Claimant {
		key := xdr.Uint256(destination)
		return []xdr.Claimant{{V0: &xdr.ClaimantV0{
			Destination: xdr.AccountId{Ed25519: &key}, Predicate: xdr.ClaimPredicate{Type: p, AbsBefore: new(xdr.Int64(1))}}}}
	}
	for name, c := range map[string]*claimable{
		"no claimable": nil, "claimable": {}, "its asset": {asset: of}, "its amount": {amount: 1}, "who pays for it": {sponsor: other},
		"clawback": {clawback: true}, "its ledger, too": {modified: 1}, "claimant": {claimants: claimants(id, 0)},
		"another": {claimants: claimants(other, 0)}, "a condition": {claimants: claimants(id, xdr.ClaimPredicateTypeClaimPredicateBeforeAbsoluteTime)},
	} {
		digest(name, &view{balances: map[balanceID]*claimable{{}: c}})
	}
}
