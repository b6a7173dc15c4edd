package sandbox

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math"
	"slices"
	"strings"

	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// Constants of the network, as on the public one.
const (
	baseFee         = 100                       // stroops per operation, the minimum
	baseReserve     = 5_000_000                 // stroops, half a lumen
	totalCoins      = 1_000_000_000_000_000_000 // stroops: 100 billion lumens
	protocolVersion = 19
	maxSubEntries   = 1000
	maxSigners      = 20
)

// An accountID is an ed25519 public key.
type accountID [32]byte

// String is the G… address.
func (id accountID) String() string { return strkey.MustEncode(strkey.VersionByteAccountID, id[:]) }

// optional is the address, "" for nobody's.
func (id *accountID) optional() string {
	if id == nil {
		return ""
	}
	return id.String()
}

func idOf(a xdr.AccountId) accountID         { return accountID(*a.Ed25519) }
func idOfMuxed(m xdr.MuxedAccount) accountID { return idOf(m.ToAccountId()) }

// muxed is the account as operations name it, without a number.
func (id accountID) muxed() xdr.MuxedAccount {
	key := xdr.Uint256(id)
	return xdr.MuxedAccount{Type: xdr.CryptoKeyTypeKeyTypeEd25519, Ed25519: &key}
}

func (id accountID) xdr() xdr.AccountId {
	key := xdr.Uint256(id)
	return xdr.AccountId{Type: xdr.PublicKeyTypePublicKeyTypeEd25519, Ed25519: &key}
}

func (id accountID) signerKey() xdr.SignerKey {
	key := xdr.Uint256(id)
	return xdr.SignerKey{Type: xdr.SignerKeyTypeSignerKeyTypeEd25519, Ed25519: &key}
}

// An asset is comparable, unlike its XDR. The zero value is the lumen.
type asset struct {
	kind   xdr.AssetType
	code   [12]byte // padded with zeros
	issuer accountID
}

func assetOf(a xdr.Asset) asset {
	switch a.Type {
	case xdr.AssetTypeAssetTypeCreditAlphanum4:
		return creditAsset(a.Type, a.AlphaNum4.AssetCode[:], a.AlphaNum4.Issuer)
	case xdr.AssetTypeAssetTypeCreditAlphanum12:
		return creditAsset(a.Type, a.AlphaNum12.AssetCode[:], a.AlphaNum12.Issuer)
	}
	return asset{kind: a.Type}
}

func creditAsset(kind xdr.AssetType, code []byte, issuer xdr.AccountId) asset {
	a := asset{kind: kind, issuer: idOf(issuer)}
	copy(a.code[:], code)
	return a
}

func (a asset) xdr() xdr.Asset {
	switch a.kind {
	case xdr.AssetTypeAssetTypeCreditAlphanum4:
		return xdr.Asset{Type: a.kind, AlphaNum4: &xdr.AlphaNum4{AssetCode: xdr.AssetCode4(a.code[:4]), Issuer: a.issuer.xdr()}}
	case xdr.AssetTypeAssetTypeCreditAlphanum12:
		return xdr.Asset{Type: a.kind, AlphaNum12: &xdr.AlphaNum12{AssetCode: a.code, Issuer: a.issuer.xdr()}}
	}
	return xdr.Asset{Type: a.kind}
}

// codeOf is the asset with this code, without its issuer.
func codeOf(code string) (asset, bool) {
	a := asset{kind: xdr.AssetTypeAssetTypeCreditAlphanum4}
	if len(code) > 4 {
		a.kind = xdr.AssetTypeAssetTypeCreditAlphanum12
	}
	fits := copy(a.code[:], code) == len(code)
	return a, fits && a.valid() && a.codeString() == code
}

// parseAsset reads "native" or "CODE:G…".
func parseAsset(text string) (asset, bool) {
	if text == "native" {
		return asset{}, true
	}
	code, issuer, _ := strings.Cut(text, ":")
	key, err := strkey.Decode(strkey.VersionByteAccountID, issuer)
	a, ok := codeOf(code)
	if err != nil || !ok {
		return asset{}, false
	}
	a.issuer = accountID(key)
	return a, true
}

func (a asset) native() bool { return a.kind == xdr.AssetTypeAssetTypeNative }

// codeString is the code without its padding, "" for the lumen.
func (a asset) codeString() string { return string(bytes.TrimRight(a.code[:], "\x00")) }

// String is how Horizon writes an asset in one word.
func (a asset) String() string {
	if a.native() {
		return "native"
	}
	return a.codeString() + ":" + a.issuer.String()
}

// valid says whether the code is well-formed: letters and digits, then only
// padding, 1–4 characters for alphanum4 and 5–12 for alphanum12.
func (a asset) valid() bool {
	if a.native() {
		return true
	}
	code := a.codeString()
	for _, c := range []byte(code) {
		if !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z') {
			return false
		}
	}
	switch a.kind {
	case xdr.AssetTypeAssetTypeCreditAlphanum4:
		return len(code) >= 1
	case xdr.AssetTypeAssetTypeCreditAlphanum12:
		return len(code) >= 5
	}
	return false
}

func compareAssets(a, b asset) int {
	return cmp.Or(bytes.Compare(a.code[:], b.code[:]), cmp.Compare(a.kind, b.kind), bytes.Compare(a.issuer[:], b.issuer[:]))
}

// An account is everything the ledger holds under one key: the account entry
// and its trust lines. One that is reachable from a state or a view is never
// changed: edit a copy from view.edit, whose slices are shared until replaced.
type account struct {
	id         accountID
	balance    int64 // stroops
	sequence   int64
	seqLedger  uint32 // ledger and time of the last use of a sequence number
	seqTime    int64
	flags      xdr.AccountFlags
	thresholds [4]byte // weight of the master key; low, medium, high
	homeDomain string
	inflation  *accountID
	signers    []signer    // sorted by address
	lines      []trustline // sorted by asset
	data       []dataEntry // sorted by name
	sponsor    *accountID  // pays the reserve of the account itself
	sponsored  uint32      // base reserves of this account's entries that others pay
	sponsoring uint32      // base reserves this account pays for others' entries
	modified   uint32      // ledger
}

type signer struct {
	key     xdr.SignerKey
	weight  byte
	sponsor *accountID
}

type trustline struct {
	asset          asset
	balance, limit int64
	flags          xdr.TrustLineFlags
	sponsor        *accountID
	modified       uint32
}

type dataEntry struct {
	name     string
	value    []byte
	sponsor  *accountID
	modified uint32
}

// A balanceID names a claimable balance.
type balanceID [32]byte

// String is the id's XDR in hex, as Horizon writes it.
func (id balanceID) String() string {
	return "00000000" + hex.EncodeToString(id[:])
}

// A claimable is a claimable balance. Like an account it is never changed once
// it can be reached from a state or a view.
type claimable struct {
	id        balanceID
	asset     asset
	amount    int64
	claimants []xdr.Claimant
	sponsor   accountID
	clawback  bool // the issuer may take it back
	modified  uint32
}

func (l trustline) authorized() bool {
	return l.flags&xdr.TrustLineFlagsAuthorizedFlag != 0
}

// firstSequence is the number that accounts created in a ledger begin with.
func firstSequence(ledger uint32) int64 { return int64(ledger) << 32 }

func (a *account) subEntries() int { return len(a.lines) + len(a.signers) + len(a.data) }

// minBalance is the reserve that may not be spent.
func (a *account) minBalance() int64 {
	return (int64(2+a.subEntries()) + int64(a.sponsoring) - int64(a.sponsored)) * baseReserve
}

// available is what may be spent; negative if below the reserve.
func (a *account) available() int64 { return a.balance - a.minBalance() }

// line finds a trust line for reading, nil if there is none.
func (a *account) line(of asset) *trustline {
	if i, ok := slices.BinarySearchFunc(a.lines, of, byAsset); ok {
		return &a.lines[i]
	}
	return nil
}

func byAsset(l trustline, a asset) int { return compareAssets(l.asset, a) }

// setLine replaces or adds a trust line. The account must be an edit.
func (a *account) setLine(l trustline) {
	i, found := slices.BinarySearchFunc(a.lines, l.asset, byAsset)
	a.lines = slices.Clone(a.lines)
	if found {
		a.lines[i] = l
	} else {
		a.lines = slices.Insert(a.lines, i, l)
	}
}

// dropLine removes a trust line. The account must be an edit.
func (a *account) dropLine(of asset) {
	if i, ok := slices.BinarySearchFunc(a.lines, of, byAsset); ok {
		a.lines = slices.Delete(slices.Clone(a.lines), i, i+1)
	}
}

// datum finds a data entry for reading, nil if there is none.
func (a *account) datum(name string) *dataEntry {
	if i, ok := slices.BinarySearchFunc(a.data, name, byName); ok {
		return &a.data[i]
	}
	return nil
}

func byName(d dataEntry, name string) int { return cmp.Compare(d.name, name) }

// setDatum replaces or adds a data entry. The account must be an edit.
func (a *account) setDatum(d dataEntry) {
	i, found := slices.BinarySearchFunc(a.data, d.name, byName)
	a.data = slices.Clone(a.data)
	if found {
		a.data[i] = d
	} else {
		a.data = slices.Insert(a.data, i, d)
	}
}

// dropDatum removes a data entry. The account must be an edit.
func (a *account) dropDatum(name string) {
	if i, ok := slices.BinarySearchFunc(a.data, name, byName); ok {
		a.data = slices.Delete(slices.Clone(a.data), i, i+1)
	}
}

// weighted lists the keys that can sign for the account.
func (a *account) weighted() []signer {
	keys := slices.Clone(a.signers)
	if a.thresholds[0] > 0 {
		keys = append(keys, signer{key: a.id.signerKey(), weight: a.thresholds[0]})
	}
	return keys
}

// A state is the ledger's content after some ledger closed.
type state struct {
	accounts   map[accountID]*account
	claimables map[balanceID]*claimable
	index      *index
	feePool    int64
	hash       [32]byte // chained over all changes
}

// entries is what a view lies on: another view, or a state.
type entries interface {
	account(accountID) *account
	claimable(balanceID) *claimable
}

// A view is a set of changes on top of another view or of a state: the
// ledger's, a transaction's, an operation's. Dropping it undoes them.
type view struct {
	below    entries
	changed  map[accountID]*account   // nil value: the account is gone
	balances map[balanceID]*claimable // the same of claimable balances
}

func (s *state) account(id accountID) *account     { return s.accounts[id] }
func (s *state) claimable(id balanceID) *claimable { return s.claimables[id] }

// account loads an account for reading, nil if there is none.
func (v *view) account(id accountID) *account {
	if a, ok := v.changed[id]; ok {
		return a
	}
	return v.below.account(id)
}

// edit loads an account for changing, nil if there is none.
func (v *view) edit(id accountID) *account {
	if a, ok := v.changed[id]; ok {
		return a
	}
	a := v.below.account(id)
	if a == nil {
		return nil
	}
	c := *a
	v.put(&c)
	return &c
}

func (v *view) put(a *account)      { v.set(a.id, a) }
func (v *view) remove(id accountID) { v.set(id, nil) }

func (v *view) set(id accountID, a *account) {
	if v.changed == nil {
		v.changed = make(map[accountID]*account)
	}
	v.changed[id] = a
}

// claimable loads a claimable balance for reading, nil if there is none.
func (v *view) claimable(id balanceID) *claimable {
	if c, ok := v.balances[id]; ok {
		return c
	}
	return v.below.claimable(id)
}

func (v *view) putClaimable(c *claimable)  { v.setClaimable(c.id, c) }
func (v *view) dropClaimable(id balanceID) { v.setClaimable(id, nil) }

func (v *view) setClaimable(id balanceID, c *claimable) {
	if v.balances == nil {
		v.balances = make(map[balanceID]*claimable)
	}
	v.balances[id] = c
}

// child starts a view on top of this one.
func (v *view) child() *view { return &view{below: v} }

// into moves the changes one view down.
func (v *view) into(parent *view) {
	for id, a := range v.changed {
		parent.set(id, a)
	}
	for id, c := range v.balances {
		parent.setClaimable(id, c)
	}
}

// commit makes the changes of a view that lies on this state part of it.
func (s *state) commit(v *view) {
	s.index.update(s, v)
	for id, a := range v.changed {
		if a == nil {
			delete(s.accounts, id)
		} else {
			s.accounts[id] = a
		}
	}
	for id, c := range v.balances {
		if c == nil {
			delete(s.claimables, id)
		} else {
			s.claimables[id] = c
		}
	}
}

// sum adds two amounts of stroops and says whether the result is an amount.
func sum(a, b int64) (int64, bool) {
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return 0, false
	}
	return a + b, a+b >= 0
}
