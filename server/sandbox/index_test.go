package sandbox

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

// indexed checks that the index, kept up ledger by ledger, is what the state
// gives when it is gone through as a whole.
func indexed(t interface{ Errorf(string, ...any) }, s *state) {
	fresh := &state{
		accounts: make(map[accountID]*account), claimables: make(map[balanceID]*claimable), index: newIndex(),
	}
	fresh.commit(&view{below: fresh, changed: s.accounts, balances: s.claimables})
	if want, got := fresh.index.describe(), s.index.describe(); !slices.Equal(want, got) {
		t.Errorf("the index (- from the whole state, + as kept up):\n%s", cmp.Diff(want, got))
	}
}

func (x *index) describe() []string {
	var out []string
	for key, l := range x.accounts {
		out = append(out, fmt.Sprint("accounts ", key, l.all))
	}
	for key, l := range x.balances {
		text := fmt.Sprint("balances ", key)
		for _, c := range l.all {
			text += fmt.Sprint(" ", c.modified, "-", c.id)
		}
		out = append(out, text)
	}
	for of, s := range x.assets {
		out = append(out, fmt.Sprint("stats ", of.String(), s.accounts, s.claimables, " ",
			bigAmount(&s.claimable), bigAmount(&s.amounts[0]), bigAmount(&s.amounts[1]), bigAmount(&s.amounts[2])))
	}
	slices.Sort(out)
	return append(out, fmt.Sprint("sorted ", x.sorted.all))
}

// Accounts are in the order of their addresses.
func TestAddressOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var a, b accountID
		for i := range a {
			a[i] = byte(random.Uint32())
		}
		b = a
		for range random.IntN(3) {
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		}
		if compareAddresses(a, b) != strings.Compare(a.String(), b.String()) {
			t.Fatalf("%s and %s", a, b)
		}
	}
}

// A listing after many changes at once is what sorting gives.
func TestListing(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	l := &listing[accountID]{compare: compareAddresses}
	for range 500 {
		want := slices.Clone(l.all)
		var in, out []accountID
		for i := range 60 {
			id := accountID{byte(i)}
			switch have := slices.Contains(want, id); {
			case random.IntN(10) > 0:
			case have:
				out = append(out, id)
			default:
				in = append(in, id)
			}
		}
		want = slices.DeleteFunc(append(want, in...), func(id accountID) bool { return slices.Contains(out, id) })
		slices.SortFunc(want, compareAddresses)
		l.remove(out)
		l.insert(in)
		if !slices.Equal(l.all, want) {
			t.Fatal(l.all, want)
		}
	}
}

// Accounts by signer and by asset follow what is added and removed, and page
// both ways.
func TestAccountsLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issuer, signer := key("issuer"), key("signer")
	names := make(map[string]string)
	w.fund("100", issuer, signer)
	for i := range 5 {
		k := key(fmt.Sprint("holder", i))
		names[k.Address()] = fmt.Sprint(i)
		w.fund("100", k)
		w.ok(w.send(w.tx(k, ops(trust(usd(issuer), "10"), &txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: signer.Address(), Weight: 1}}))))
	}
	names[signer.Address()] = "signer"
	addresses := slices.Sorted(maps.Keys(names))
	holders := slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return a == signer.Address() })
	list := func(path string) []string {
		t.Helper()
		var out []string
		for _, rec := range as[array](w.ok(w.get(path)).at("_embedded", "records")) {
			out = append(out, as[string](as[object](rec)["id"]))
		}
		return out
	}
	backwards := func(of []string) []string { of = slices.Clone(of); slices.Reverse(of); return of }
	same := func(path string, want []string) {
		t.Helper()
		if diff := cmp.Diff(want, list(path)); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", path, diff)
		}
	}
	asset := "/accounts?asset=USD:" + issuer.Address()
	by := "/accounts?signer=" + signer.Address()
	same(asset, holders)
	same(asset+"&order=desc&limit=2", backwards(holders)[:2])
	same(asset+"&limit=2&cursor="+holders[1], holders[2:4])
	same(asset+"&order=desc&cursor="+holders[2], backwards(holders[:2]))
	same(asset+"&cursor="+holders[4], nil)
	same(by, addresses)
	same(by+"&order=desc&limit=3", backwards(addresses)[:3])

	first := key("holder0")
	w.ok(w.send(w.tx(first, ops(trust(usd(issuer), "0"), &txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: signer.Address(), Weight: 0}}))))
	w.ok(w.send(w.tx(signer, ops(&txnbuild.SetOptions{MasterWeight: new(txnbuild.Threshold(0))}))))
	rest := slices.DeleteFunc(holders, func(a string) bool { return a == first.Address() })
	same(asset, rest)
	same(by, rest)
	same("/accounts?sponsor="+issuer.Address(), nil)

	// What is no filter, in Horizon's words.
	for path, reason := range map[string]string{
		"/accounts": "", by + "&sponsor=" + issuer.Address(): "",
		"/accounts?signer=" + muxedAddress(signer, 1): badAccount,
		"/accounts?asset=native":                      "you can't filter by asset: native",
		"/accounts?asset=USD":                         `Asset must be the string "native" or a string of the form "Code:IssuerAccountID" for issued assets.`,
		"/assets?asset_code=US-D":                     "US-D is not a valid asset code",
		"/assets?cursor=USD":                          "the cursor is not a valid paging_token",
		"/claimable_balances?claimant=x":              badAccount,
		"/claimable_balances?cursor=5":                "The first part should be a number higher than 0 and the second part should be a valid claimable balance ID",
		"/claimable_balances/00":                      "00 does not validate as claimableBalanceID",
	} {
		r := w.get(path)
		if got, _ := r.at("extras", "reason").(string); r.status != 400 || got != reason {
			t.Errorf("%s: %s", path, r.text)
		}
	}
}

// Claimable balances are found by all their filters at once, in the order of
// their last change, and counted with their asset; their history stays.
func TestClaimableLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issuer, one, two := key("issuer"), key("one"), key("two")
	w.fund("100", issuer, one, two)
	w.ok(w.send(w.tx(one, ops(trust(usd(issuer), "10")))))
	var ids, tokens []string
	offer := func(from *keypair.Full, amount string, what txnbuild.Asset, to ...*keypair.Full) {
		op := &txnbuild.CreateClaimableBalance{Amount: amount, Asset: what}
		for _, k := range to {
			op.Destinations = append(op.Destinations, txnbuild.NewClaimant(k.Address(), nil))
		}
		w.ok(w.send(w.tx(from, ops(op))))
		last := w.get("/claimable_balances?order=desc&limit=1")
		ids = append(ids, as[string](last.at("_embedded", "records", 0, "id")))
		tokens = append(tokens, as[string](last.at("_embedded", "records", 0, "paging_token")))
	}
	offer(issuer, "5", usd(issuer), one)
	offer(issuer, "7", usd(issuer), one, two)
	offer(two, "9", lumen, one)

	by := func(name string, k *keypair.Full) string { return "&" + name + "=" + k.Address() }
	dollars := "&asset=USD:" + issuer.Address()
	for query, want := range map[string][]string{
		"":                                   tokens,
		"&order=desc&cursor=" + tokens[2]:    {tokens[1], tokens[0]},
		"&cursor=" + tokens[0]:               tokens[1:],
		by("claimant", one):                  tokens,
		by("claimant", two):                  tokens[1:2],
		by("sponsor", two):                   tokens[2:],
		by("sponsor", two) + "&asset=native": tokens[2:],
		by("sponsor", two) + dollars:         nil,
		by("claimant", one) + dollars:        tokens[:2],
		by("claimant", issuer):               nil,
	} {
		var got []string
		for _, rec := range as[array](w.ok(w.get("/claimable_balances?"+strings.TrimPrefix(query, "&"))).at("_embedded", "records")) {
			got = append(got, as[string](as[object](rec)["paging_token"]))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", query, diff)
		}
	}
	stats := w.get("/assets?asset_code=USD").at("_embedded", "records", 0)
	if s := as[object](stats); s["num_claimable_balances"] != 2.0 || s["claimable_balances_amount"] != "12.0000000" {
		t.Error(stats)
	}

	w.ok(w.send(w.tx(one, ops(&txnbuild.ClaimClaimableBalance{BalanceID: ids[0]}))))
	raw, _ := parseBalanceID(ids[0])
	spelled := strkey.MustEncode(strkey.VersionByteClaimableBalance, append([]byte{0}, raw[:]...))
	for _, id := range []string{ids[0], spelled} {
		path := "/claimable_balances/" + id
		if r := w.get(path); r.status != 404 {
			t.Errorf("%s: %s", path, r.text)
		}
		kinds := w.get(path + "/operations?order=desc")
		if kinds.at("_embedded", "records", 0, "type") != "claim_claimable_balance" || kinds.at("_embedded", "records", 1, "type") != "create_claimable_balance" {
			t.Error(kinds.text)
		}
		if r := w.get(path + "/transactions?limit=1"); r.at("_embedded", "records", 0, "source_account") != issuer.Address() {
			t.Error(r.text)
		}
	}
	if r := w.get("/claimable_balances/" + ids[0][:70] + "00/operations"); r.status != 404 {
		t.Error(r.text)
	}
	if r := w.get("/claimable_balances?" + dollars); len(as[array](r.at("_embedded", "records"))) != 1 {
		t.Error(r.text)
	}

	// Without lines and balances an asset is no longer listed.
	w.ok(w.send(w.tx(one, ops(pay(issuer, "5", usd(issuer)), trust(usd(issuer), "0")))))
	w.ok(w.send(w.tx(two, ops(trust(usd(issuer), "10"), &txnbuild.ClaimClaimableBalance{BalanceID: ids[1]}, pay(issuer, "7", usd(issuer)), trust(usd(issuer), "0")))))
	if r := w.get("/assets"); len(as[array](r.at("_embedded", "records"))) > 0 {
		t.Errorf("nobody holds any: %s", r.text)
	}
}

// Accounts are found by who pays for any of their entries, and tell it.
func TestAccountsBySponsor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	sponsor, owner, issuer := key("sponsor"), key("owner"), key("issuer")
	w.fund("100", sponsor, issuer)
	by := func(op txnbuild.Operation) []txnbuild.Operation {
		return ops(&txnbuild.BeginSponsoringFutureReserves{SponsoredID: owner.Address()}, op,
			&txnbuild.EndSponsoringFutureReserves{SourceAccount: owner.Address()})
	}
	found := func() bool {
		t.Helper()
		records := as[array](w.ok(w.get("/accounts?sponsor="+sponsor.Address())).at("_embedded", "records"))
		return len(records) == 1 && as[object](records[0])["id"] == owner.Address()
	}
	w.ok(w.send(w.tx(sponsor, by(&txnbuild.CreateAccount{Destination: owner.Address(), Amount: "10"}), owner)))
	line := trust(usd(issuer), "10")
	line.SourceAccount = owner.Address()
	w.ok(w.send(w.tx(sponsor, by(line), owner)))
	if !found() {
		t.Error("not found")
	}
	r := w.get("/accounts/" + owner.Address())
	if r.at("sponsor") != sponsor.Address() || r.at("num_sponsored") != 3.0 || r.at("balances", 0, "sponsor") != sponsor.Address() {
		t.Error(r.text)
	}
	if r := w.get("/accounts/" + sponsor.Address()); r.at("num_sponsoring") != 3.0 {
		t.Error(r.text)
	}

	// Found as long as one entry is paid for.
	w.ok(w.send(w.tx(sponsor, ops(&txnbuild.RevokeSponsorship{
		SponsorshipType: txnbuild.RevokeSponsorshipTypeAccount, Account: new(owner.Address())}))))
	if !found() {
		t.Error("not found by the line")
	}
	w.ok(w.send(w.tx(owner, ops(trust(usd(issuer), "0")))))
	if found() {
		t.Error("found though nothing is paid for")
	}
}

// What cannot be on this network is listed as nothing, not as unknown paths.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nobody := key("nobody").Address()
	for _, path := range []string{"/offers?seller=" + nobody, "/accounts/" + nobody + "/offers", "/liquidity_pools",
		"/accounts?liquidity_pool=" + strings.Repeat("0", 64), "/claimable_balances", "/assets"} {
		if r := w.ok(w.get(path)); len(as[array](r.at("_embedded", "records"))) > 0 || r.header.Get("Latest-Ledger") == "" {
			t.Errorf("%s: %s", path, r.text)
		}
	}
}
