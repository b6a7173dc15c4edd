package sandbox

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
	"pgregory.net/rapid"
)

// Whatever is done, no lumen is made or lost, and of each asset there is as
// much as its issuer paid out less what came back.
func TestConservation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := &gambler{T: t}
		for i := range 4 {
			g.keys = append(g.keys, key(fmt.Sprint("gambler", i)))
		}
		n, err := Open(Config{CloseEvery: -1, MaxOps: 18, Rates: g.rates()})
		if err != nil {
			t.Fatal(err)
		}
		g.net = n
		defer func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}()
		for i := range 6 {
			g.strangers = append(g.strangers, key(fmt.Sprint("fresh", i)))
		}
		g.start()
		for range rapid.IntRange(1, 6).Draw(t, "ledgers") {
			for range rapid.IntRange(0, 4).Draw(t, "transactions") {
				g.transaction()
			}
			n.CloseLedger()
			conserved(t, n)
		}
		for _, issuer := range g.keys[:2] {
			g.supplied(usd(issuer))
		}
		g.named()
	})
}

// A gambler draws transactions.
type gambler struct {
	*rapid.T
	net             *Network
	keys, strangers []*keypair.Full
}

// rates: an issuer sells its own asset, somebody else what they have.
func (g *gambler) rates() []Rate {
	first, second := canonical(usd(g.keys[0])), canonical(usd(g.keys[1]))
	return []Rate{rateOf(g.keys[0], first, "native", 1, 2), rateOf(g.keys[2], second, first, 7, 3), rateOf(g.keys[3], "native", second, 3, 7)}
}

// start gives everybody lumens, and lines for both assets, of which the first
// can be clawed back.
func (g *gambler) start() {
	root := must(rootKey(g.net.cfg.Passphrase))
	var list []txnbuild.Operation
	for _, k := range append(g.strangers[:3:3], g.keys...) {
		list = append(list, &txnbuild.CreateAccount{Destination: k.Address(), Amount: "20"})
	}
	list = append(list, by(g.keys[0], &txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthRevocable, txnbuild.AuthClawbackEnabled}}))
	for _, k := range g.keys[1:] {
		for _, issuer := range g.keys[:2] {
			if k != issuer {
				list = append(list, by(k, trust(usd(issuer), "30")), by(issuer, pay(k, "10", usd(issuer))))
			}
		}
	}
	g.submit(params(root, 2, list), append([]*keypair.Full{root}, g.keys...)...)
	g.net.CloseLedger()
}

func (g *gambler) transaction() {
	var list []txnbuild.Operation
	source := g.anyone("source")
	for range rapid.IntRange(1, 3).Draw(g.T, "steps") {
		if rapid.IntRange(0, 2).Draw(g.T, "sponsored") > 0 {
			actor, op := g.operation()
			list = append(list, by(actor, op))
			continue
		}
		sponsor := g.anyone("sponsor")
		actor, op := g.operation()
		if rapid.IntRange(0, 3).Draw(g.T, "new") == 0 {
			actor = g.stranger()
			op = by(sponsor, g.creation(actor))
		} else {
			op = by(actor, op)
		}
		list = append(list, begin(sponsor, actor), op)
		if rapid.IntRange(0, 9).Draw(g.T, "ended") > 0 {
			list = append(list, end(actor))
		}
	}
	signers := []*keypair.Full{source}
	for _, op := range list {
		for _, k := range slices.Concat(g.keys, g.strangers) {
			if op.GetSourceAccount() == k.Address() && !slices.Contains(signers, k) {
				signers = append(signers, k)
			}
		}
	}
	var last int64
	if a := g.net.state.account(idOf(xdr.MustAddress(source.Address()))); a != nil {
		last = a.sequence
	}
	g.submit(params(source, last+1, list), signers...)
}

func (g *gambler) anyone(role string) *keypair.Full {
	return rapid.SampledFrom(g.keys).Draw(g.T, role)
}

func (g *gambler) stranger() *keypair.Full {
	return rapid.SampledFrom(g.strangers).Draw(g.T, "stranger")
}

func (g *gambler) creation(of *keypair.Full) txnbuild.Operation {
	balance := rapid.SampledFrom([]string{"0", "1", "3.5"}).Draw(g.T, "balance")
	return &txnbuild.CreateAccount{Destination: of.Address(), Amount: balance}
}

// operation draws one, and who does it.
func (g *gambler) operation() (*keypair.Full, txnbuild.Operation) {
	actor, other := g.anyone("actor"), g.anyone("other")
	units := amount.StringFromInt64(rapid.Int64Range(1, 15_0000000).Draw(g.T, "amount"))
	credit := usd(g.keys[rapid.IntRange(0, 1).Draw(g.T, "issuer")])
	either := rapid.SampledFrom([]txnbuild.Asset{lumen, credit}).Draw(g.T, "asset")
	switch rapid.IntRange(0, 18).Draw(g.T, "kind") {
	case 0:
		return actor, g.creation(g.stranger())
	case 1:
		return actor, trust(credit, rapid.SampledFrom([]string{"0", "10", "", units}).Draw(g.T, "limit"))
	case 2:
		return actor, &txnbuild.SetOptions{HomeDomain: new("example.org")}
	case 3:
		return actor, signerOp(g.stranger(), txnbuild.Threshold(rapid.IntRange(0, 1).Draw(g.T, "weight")))
	case 4:
		return actor, rapid.SampledFrom([]*txnbuild.ManageData{setData("a", units), setData("b", units), dropData("a"), dropData("b")}).Draw(g.T, "data")
	case 5, 6:
		op := claimables(units, either, other)
		if other != actor {
			op.Destinations = append(op.Destinations, txnbuild.NewClaimant(actor.Address(), nil))
		}
		return actor, op
	case 7:
		if c := g.balance(); c != nil {
			claimant := rapid.SampledFrom(c.claimants).Draw(g.T, "claimant").V0.Destination
			return g.keyOf(idOf(claimant), actor), &txnbuild.ClaimClaimableBalance{BalanceID: c.id.String()}
		}
	case 8:
		if c := g.balance(); c != nil {
			return g.keyOf(c.asset.issuer, actor), &txnbuild.ClawbackClaimableBalance{BalanceID: c.id.String()}
		}
	case 9, 10:
		return g.revocation(actor)
	case 11:
		return g.keyOf(assetOf(must(credit.ToXDR())).issuer, actor), &txnbuild.Clawback{From: other.Address(), Amount: units, Asset: credit}
	case 12:
		return g.keyOf(assetOf(must(credit.ToXDR())).issuer, actor), g.flags(other, credit)
	case 13, 14:
		return g.stranger(), &txnbuild.AccountMerge{Destination: other.Address()}
	case 15:
		return actor, &txnbuild.AccountMerge{Destination: other.Address()}
	case 16, 17:
		return actor, g.pathPayment(other, units, either)
	}
	return actor, pay(other, units, either)
}

func (g *gambler) flags(trustor *keypair.Full, of txnbuild.Asset) txnbuild.Operation {
	all := [][]txnbuild.TrustLineFlag{nil, some(mayAll), some(mayMaintain)}
	return lineFlagsOp(trustor, of, rapid.SampledFrom(all).Draw(g.T, "set"), append(rapid.SampledFrom(all).Draw(g.T, "clear"), mayTakeBack))
}

// pathPayment is along the rates, or not.
func (g *gambler) pathPayment(to *keypair.Full, units string, from txnbuild.Asset) txnbuild.Operation {
	assets := []txnbuild.Asset{lumen, usd(g.keys[0]), usd(g.keys[1]), lumen}
	i := slices.Index(assets, from)
	path := assets[i+1 : rapid.IntRange(i+1, len(assets)).Draw(g.T, "hops")]
	in := from
	if len(path) > 0 {
		path, in = path[:len(path)-1], path[len(path)-1]
	}
	if rapid.Bool().Draw(g.T, "strict send") {
		return send(units, from, to, "0.0000001", in, path...)
	}
	return receive("1000", from, to, units, in, path...)
}

// keyOf finds an account's key, or that of another now and then.
func (g *gambler) keyOf(id accountID, other *keypair.Full) *keypair.Full {
	for _, k := range slices.Concat(g.keys, g.strangers) {
		if k.Address() == id.String() && rapid.IntRange(0, 9).Draw(g.T, "right") > 0 {
			return k
		}
	}
	return other
}

// balance is a claimable balance, nil if there is none.
func (g *gambler) balance() *claimable {
	ids := slices.SortedFunc(maps.Keys(g.net.state.claimables), func(a, b balanceID) int { return bytes.Compare(a[:], b[:]) })
	if len(ids) == 0 {
		return nil
	}
	return g.net.state.claimables[rapid.SampledFrom(ids).Draw(g.T, "balance")]
}

// revocation is of any entry there is, by who pays for it.
func (g *gambler) revocation(other *keypair.Full) (*keypair.Full, txnbuild.Operation) {
	if c := g.balance(); c != nil && rapid.IntRange(0, 3).Draw(g.T, "of a balance") == 0 {
		return g.keyOf(c.sponsor, other), &txnbuild.RevokeSponsorship{
			SponsorshipType: txnbuild.RevokeSponsorshipTypeClaimableBalance, ClaimableBalance: new(c.id.String())}
	}
	type choice struct {
		payer accountID
		op    txnbuild.RevokeSponsorship
	}
	var all []choice
	for _, k := range slices.Concat(g.keys, g.strangers) {
		a := g.net.state.account(idOf(xdr.MustAddress(k.Address())))
		if a == nil {
			continue
		}
		add := func(sponsor *accountID, op txnbuild.RevokeSponsorship) {
			if sponsor == nil {
				sponsor = &a.id
			}
			all = append(all, choice{*sponsor, op})
		}
		add(a.sponsor, txnbuild.RevokeSponsorship{SponsorshipType: txnbuild.RevokeSponsorshipTypeAccount, Account: new(k.Address())})
		for _, s := range a.signers {
			add(s.sponsor, txnbuild.RevokeSponsorship{SponsorshipType: txnbuild.RevokeSponsorshipTypeSigner,
				Signer: &txnbuild.SignerID{AccountID: k.Address(), SignerAddress: s.key.Address()}})
		}
		for _, d := range a.data {
			add(d.sponsor, txnbuild.RevokeSponsorship{SponsorshipType: txnbuild.RevokeSponsorshipTypeData,
				Data: &txnbuild.DataID{Account: k.Address(), DataName: d.name}})
		}
		for _, l := range a.lines {
			of := txnbuild.CreditAsset{Code: l.asset.codeString(), Issuer: l.asset.issuer.String()}
			add(l.sponsor, txnbuild.RevokeSponsorship{SponsorshipType: txnbuild.RevokeSponsorshipTypeTrustLine,
				TrustLine: &txnbuild.TrustLineID{Account: k.Address(), Asset: of.MustToTrustLineAsset()}})
		}
	}
	c := rapid.SampledFrom(all).Draw(g.T, "entry")
	return g.keyOf(c.payer, other), &c.op
}

func (g *gambler) submit(p txnbuild.TransactionParams, signers ...*keypair.Full) {
	text := must(must(must(txnbuild.NewTransaction(p)).Sign(g.net.cfg.Passphrase, signers...)).Base64())
	t := must(decodeBase64(text, g.net.cfg.Passphrase))
	if st, result := g.net.enqueue(t); st == statusError {
		g.Logf("refused: %v", codesOf(result))
	}
}

// supplied compares what is held of an asset with what its issuer gave, less
// what it got back, as the effects tell.
func (g *gambler) supplied(of txnbuild.CreditAsset) {
	what := assetOf(must(of.ToXDR()))
	var issued, held int64
	g.eachEffect(func(e effect) {
		if idOfMuxed(e.account) != what.issuer {
			return
		}
		switch told := detailsOf(e); {
		case e.kind == "account_debited":
			issued += told.amount("", what)
		case e.kind == "account_credited":
			issued -= told.amount("", what)
		case e.kind == "trade" && g.net.rates[must(strconv.Atoi(as[string](told["offer_id"])))-1].seller == what.issuer:
			issued += told.amount("sold_", what) - told.amount("bought_", what)
		}
	})
	for _, a := range g.net.state.accounts {
		if l := a.line(what); l != nil {
			held += l.balance
		}
	}
	for _, c := range g.net.state.claimables {
		if c.asset == what {
			held += c.amount
		}
	}
	if issued != held {
		g.Errorf("%d of %s are held, %d were issued", held, of.Code, issued)
	}
}

type told map[string]any

func detailsOf(e effect) told {
	out := make(told)
	for _, d := range e.details {
		out[d.key] = d.value
	}
	return out
}

// amount is how much of an asset is told of, nothing if it is another.
func (d told) amount(prefix string, of asset) int64 {
	if d[prefix+"asset_issuer"] != of.issuer.String() {
		return 0
	}
	return int64(amount.MustParse(as[string](d[prefix+"amount"])))
}

// named checks that no two claimable balances ever had the same id.
func (g *gambler) named() {
	seen := make(map[any]bool)
	g.eachEffect(func(e effect) {
		if e.kind != "claimable_balance_created" {
			return
		}
		id := e.details[slices.IndexFunc(e.details, func(d detail) bool { return d.key == "balance_id" })].value
		if seen[id] {
			g.Errorf("%v was created again", id)
		}
		seen[id] = true
	})
}

func (g *gambler) eachEffect(do func(effect)) {
	for _, l := range g.net.history.ledgers {
		for _, t := range l.txs {
			for _, e := range readEffects(t.raw, t.effects) {
				do(e.effect)
			}
		}
	}
}
