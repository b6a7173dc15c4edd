package anchor

import (
	"strconv"
	"strings"

	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// Address is a checked Stellar destination: a G… account, or an M… muxed
// account, which is a G… account and an id.
type Address string

// ParseAddress accepts G… and M… addresses with a valid checksum. Contract
// addresses (C…) and everything else are Invalid.
func ParseAddress(s string) (Address, error) {
	if IsAccount(s) || len(s) == 69 && spelled(s) && strkey.IsValidMuxedAccountEd25519PublicKey(s) {
		return Address(s), nil
	}
	if len(s) == 56 && s[0] == 'C' {
		return "", &Error{Kind: Invalid, Code: "account_contract", Field: "account",
			Message: "contract accounts (C…) are not supported; use a G… or M… address"}
	}
	return "", &Error{Kind: Invalid, Code: "account_malformed", Field: "account",
		Message: "the account must be a Stellar address that starts with G or M"}
}

// IsAccount reports whether a text is a G… address with a valid checksum.
func IsAccount(s string) bool {
	return len(s) == 56 && spelled(s) && strkey.IsValidEd25519PublicKey(s)
}

// spelled reports whether a text has the letters of an address only: the decoder
// below passes over line breaks, and with them one account would have many names.
func spelled(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') })
}

// Account is the address's G… account.
func (a Address) Account() string {
	if len(a) == 0 || a[0] != 'M' {
		return string(a)
	}
	m, err := xdr.AddressToMuxedAccount(string(a))
	if err != nil {
		return ""
	}
	g := m.ToAccountId()
	return g.Address()
}

// MuxedID is the id of an M… address; ok is false for a G… address.
func (a Address) MuxedID() (id uint64, ok bool) {
	if len(a) == 0 || a[0] != 'M' {
		return 0, false
	}
	m, err := xdr.AddressToMuxedAccount(string(a))
	if err != nil {
		return 0, false
	}
	n, err := m.GetId()
	return n, err == nil
}

// Short is the address for people: its first four and last four characters.
func (a Address) Short() string {
	if len(a) < 12 {
		return string(a)
	}
	return string(a[:4]) + "…" + string(a[len(a)-4:])
}

// Identity is who signed in with SEP-10: an account, and for shared accounts
// the memo or muxed id that tells its users apart (SEP-24, "Shared, Omnibus, or
// Pooled Accounts").
type Identity struct {
	Account string // G…
	Memo    string // decimal id of "G…:memo"; "" if none
	Muxed   string // the whole M… address when that was used; "" otherwise
	Client  string // the verified client_domain; "" if none
}

// ParseSubject reads a token's sub: "G…", "G…:memo" or "M…".
func ParseSubject(sub, clientDomain string) (Identity, error) {
	id := Identity{Account: sub, Client: clientDomain}
	if len(sub) > 57 && sub[56] == ':' {
		id.Account, id.Memo = sub[:56], sub[57:]
		if n, err := strconv.ParseUint(id.Memo, 10, 64); err != nil || strconv.FormatUint(n, 10) != id.Memo {
			return Identity{}, &Error{Kind: Unauthenticated, Message: "the token's subject is malformed"}
		}
	}
	a, err := ParseAddress(id.Account)
	if err != nil {
		return Identity{}, &Error{Kind: Unauthenticated, Message: "the token's subject is malformed"}
	}
	if _, muxed := a.MuxedID(); muxed {
		id.Muxed, id.Account = id.Account, a.Account()
	}
	return id, nil
}

// Subject is the identity as a token's sub.
func (i Identity) Subject() string {
	switch {
	case i.Muxed != "":
		return i.Muxed
	case i.Memo != "":
		return i.Account + ":" + i.Memo
	}
	return i.Account
}
