package sandbox

import (
	"bytes"
	"cmp"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// An index finds accounts and claimable balances by what they hold, and counts
// who holds an asset, so that no request has to go through all of them. It is
// brought up to date once a ledger.
type index struct {
	accounts map[indexKey]*listing[accountID]
	balances map[indexKey]*listing[*claimable]
	assets   map[asset]*assetStats
	sorted   listing[asset] // those in assets
}

// An indexKey is one thing to find by. The zero value finds all claimable
// balances.
type indexKey struct {
	by    indexedBy
	asset asset
	id    accountID
}

type indexedBy byte

const (
	findAll indexedBy = iota
	findByAsset
	findBySigner // but the account itself
	findBySponsor
	findByClaimant
)

func newIndex() *index {
	return &index{
		accounts: make(map[indexKey]*listing[accountID]),
		balances: make(map[indexKey]*listing[*claimable]),
		assets:   make(map[asset]*assetStats),
		sorted:   listing[asset]{compare: compareListed},
	}
}

// update takes in the changes that are about to become part of the state.
func (x *index) update(s *state, v *view) {
	accounts := make(changes[accountID])
	balances := make(changes[*claimable])
	for id, after := range v.changed {
		before := s.accounts[id]
		accounts.note(id, before.indexKeys(), id, after.indexKeys())
		x.count(before, after)
	}
	for id, after := range v.balances {
		before := s.claimables[id]
		balances.note(before, before.indexKeys(), after, after.indexKeys())
		x.countBalance(before, -1)
		x.countBalance(after, 1)
	}
	accounts.apply(x.accounts, compareAddresses)
	balances.apply(x.balances, compareBalances)
}

// indexKeys are those by which an account is found, each once; of none, none.
func (a *account) indexKeys() []indexKey {
	if a == nil {
		return nil
	}
	var keys []indexKey
	sponsored := func(id *accountID) {
		if key := (indexKey{by: findBySponsor}); id != nil {
			if key.id = *id; !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	sponsored(a.sponsor)
	for _, s := range a.signers {
		if s.key.Type == xdr.SignerKeyTypeSignerKeyTypeEd25519 {
			keys = append(keys, indexKey{by: findBySigner, id: accountID(*s.key.Ed25519)})
		}
		sponsored(s.sponsor)
	}
	for _, l := range a.lines {
		keys = append(keys, indexKey{by: findByAsset, asset: l.asset})
		sponsored(l.sponsor)
	}
	for _, d := range a.data {
		sponsored(d.sponsor)
	}
	return keys
}

// indexKeys is account.indexKeys for a claimable balance.
func (c *claimable) indexKeys() []indexKey {
	if c == nil {
		return nil
	}
	keys := []indexKey{{}, {by: findByAsset, asset: c.asset}, {by: findBySponsor, id: c.sponsor}}
	for _, claimant := range c.claimants {
		keys = append(keys, indexKey{by: findByClaimant, id: idOf(claimant.V0.Destination)})
	}
	return keys
}

// changes are what goes out of listings and what comes into them.
type changes[T any] map[indexKey]*struct{ out, in []T }

func (c changes[T]) note(before T, was []indexKey, after T, is []indexKey) {
	if slices.Equal(was, is) && any(before) == any(after) {
		return
	}
	of := func(key indexKey) *struct{ out, in []T } {
		if c[key] == nil {
			c[key] = new(struct{ out, in []T })
		}
		return c[key]
	}
	for _, key := range was {
		of(key).out = append(of(key).out, before)
	}
	for _, key := range is {
		of(key).in = append(of(key).in, after)
	}
}

func (c changes[T]) apply(listings map[indexKey]*listing[T], compare func(a, b T) int) {
	for key, change := range c {
		l := listings[key]
		if l == nil {
			l = &listing[T]{compare: compare}
			listings[key] = l
		}
		l.remove(change.out)
		l.insert(change.in)
		if len(l.all) == 0 {
			delete(listings, key)
		}
	}
}

// A listing is a sorted list that takes many changes in one pass.
type listing[T any] struct {
	all     []T
	compare func(a, b T) int
}

// list is the whole of it, of none nothing.
func (l *listing[T]) list() []T {
	if l == nil {
		return nil
	}
	return l.all
}

func (l *listing[T]) insert(in []T) {
	slices.SortFunc(in, l.compare)
	end := len(l.all)
	l.all = append(l.all, in...)
	for i, v := range slices.Backward(in) {
		at, _ := slices.BinarySearchFunc(l.all[:end], v, l.compare)
		copy(l.all[at+i+1:], l.all[at:end])
		l.all[at+i] = v
		end = at
	}
}

// remove takes out what is in the list.
func (l *listing[T]) remove(out []T) {
	slices.SortFunc(out, l.compare)
	kept, read := 0, 0
	for _, v := range out {
		at, found := slices.BinarySearchFunc(l.all[read:], v, l.compare)
		if !found {
			continue
		}
		at += read
		kept += copy(l.all[kept:], l.all[read:at])
		read = at + 1
	}
	kept += copy(l.all[kept:], l.all[read:])
	clear(l.all[kept:])
	l.all = l.all[:kept]
}

// compareAddresses orders as the G… addresses do, in which digits come before
// letters though they stand for larger numbers.
func compareAddresses(a, b accountID) int {
	for i := range a {
		if different := a[i] ^ b[i]; different != 0 {
			n := (8 + 8*i + bits.LeadingZeros8(different)) / 5
			return cmp.Compare(character(a, n), character(b, n))
		}
	}
	return 0
}

// character is the place of the n-th character of the address, from 1, in the
// order of characters. The version before the key ends in three zero bits, and
// the checksum behind it decides nothing.
func character(id accountID, n int) int {
	value := 0
	for bit := 5*n - 8; bit < 5*n-3; bit++ {
		value <<= 1
		if bit >= 0 && bit < 8*len(id) && id[bit/8]&(0x80>>(bit%8)) != 0 {
			value |= 1
		}
	}
	return (value + 6) % 32
}

func compareBalances(a, b *claimable) int {
	return cmp.Or(cmp.Compare(a.modified, b.modified), bytes.Compare(a.id[:], b.id[:]))
}

func compareListed(a, b asset) int {
	return cmp.Or(strings.Compare(a.codeString(), b.codeString()), compareAddresses(a.issuer, b.issuer))
}

// assetStats counts who holds an asset, by how far they are authorized.
type assetStats struct {
	accounts   [3]int
	amounts    [3]big.Int
	claimables int
	claimable  big.Int
}

const (
	authorized = iota
	maintaining
	unauthorized
)

func (l trustline) authorization() int {
	switch {
	case l.authorized():
		return authorized
	case l.flags&xdr.TrustLineFlagsAuthorizedToMaintainLiabilitiesFlag != 0:
		return maintaining
	}
	return unauthorized
}

// count moves an account's trust lines from what they were to what they are.
func (x *index) count(before, after *account) {
	for _, step := range []struct {
		a, other *account
		by       int
	}{{after, before, 1}, {before, after, -1}} {
		if step.a == nil {
			continue
		}
		for _, l := range step.a.lines {
			if step.other != nil {
				if same := step.other.line(l.asset); same != nil && same.balance == l.balance && same.flags == l.flags {
					continue
				}
			}
			x.change(l.asset, func(s *assetStats) {
				how := l.authorization()
				s.accounts[how] += step.by
				s.amounts[how].Add(&s.amounts[how], big.NewInt(int64(step.by)*l.balance))
			})
		}
	}
}

func (x *index) countBalance(c *claimable, by int) {
	if c == nil || c.asset.native() {
		return
	}
	x.change(c.asset, func(s *assetStats) {
		s.claimables += by
		s.claimable.Add(&s.claimable, big.NewInt(int64(by)*c.amount))
	})
}

// change changes an asset's counts. One that nobody holds is not listed.
func (x *index) change(of asset, change func(*assetStats)) {
	s := x.assets[of]
	if s == nil {
		s = new(assetStats)
		x.assets[of] = s
		x.sorted.insert([]asset{of})
	}
	change(s)
	if s.accounts == [3]int{} && s.claimables == 0 {
		delete(x.assets, of)
		x.sorted.remove([]asset{of})
	}
}
