package sandbox

import "github.com/stellar/go-stellar-sdk/xdr"

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

// effect notes that the operation changed an account. Those of an operation
// that fails are dropped.
func (s *step) effect(id accountID, kind string, details ...detail) {
	key := xdr.Uint256(id)
	s.effectOn(xdr.MuxedAccount{Type: xdr.CryptoKeyTypeKeyTypeEd25519, Ed25519: &key}, kind, details...)
}

// effectOn is effect for an account named by an operation, maybe muxed.
func (s *step) effectOn(account xdr.MuxedAccount, kind string, details ...detail) {
	s.effects = append(s.effects, effect{account, kind, details})
}
