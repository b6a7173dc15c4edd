package sandbox

import (
	"fmt"
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
		n, err := Open(Config{CloseEvery: -1, MaxOps: 12})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}()
		g := &gambler{T: t, net: n, sequences: make(map[string]int64)}
		for i := range 4 {
			g.keys = append(g.keys, key(fmt.Sprint("gambler", i)))
		}
		g.start()
		for range rapid.IntRange(1, 4).Draw(t, "ledgers") {
			for range rapid.IntRange(0, 4).Draw(t, "transactions") {
				g.transaction()
			}
			n.CloseLedger()
			conserved(t, n)
			for issuer := range g.keys[:2] {
				g.supplied(usd(g.keys[issuer]))
			}
		}
	})
}

// A gambler draws transactions.
type gambler struct {
	*rapid.T
	net       *Network
	keys      []*keypair.Full
	sequences map[string]int64
}

// start gives everybody lumens, and lines for both assets.
func (g *gambler) start() {
	root := must(rootKey(g.net.cfg.Passphrase))
	var list []txnbuild.Operation
	signers := []*keypair.Full{root}
	for _, k := range g.keys {
		list = append(list, &txnbuild.CreateAccount{Destination: k.Address(), Amount: "20"})
	}
	for i, k := range g.keys {
		for _, issuer := range g.keys[:2] {
			if k != issuer && i > 0 {
				op := trust(usd(issuer), "30")
				op.SourceAccount = k.Address()
				list = append(list, op)
			}
		}
		if i > 0 {
			signers = append(signers, k)
		}
	}
	g.submit(params(root, 2, list), signers...)
	g.net.CloseLedger()
}

func (g *gambler) transaction() {
	var list []txnbuild.Operation
	signers := make(map[*keypair.Full]bool)
	source := rapid.SampledFrom(g.keys).Draw(g.T, "source")
	signers[source] = true
	for range rapid.IntRange(1, 4).Draw(g.T, "operations") {
		actor := rapid.SampledFrom(g.keys).Draw(g.T, "actor")
		signers[actor] = true
		list = append(list, g.operation(actor))
	}
	var keys []*keypair.Full
	for _, k := range g.keys {
		if signers[k] {
			keys = append(keys, k)
		}
	}
	id := idOf(xdr.MustAddress(source.Address()))
	g.submit(params(source, g.net.state.account(id).sequence+1, list), keys...)
}

func (g *gambler) operation(actor *keypair.Full) txnbuild.Operation {
	other := rapid.SampledFrom(g.keys).Draw(g.T, "other")
	units := amount.StringFromInt64(rapid.Int64Range(1, 15_0000000).Draw(g.T, "amount"))
	credit := usd(g.keys[rapid.IntRange(0, 1).Draw(g.T, "issuer")])
	switch rapid.IntRange(0, 5).Draw(g.T, "kind") {
	case 0:
		fresh := key(fmt.Sprint("fresh", rapid.IntRange(0, 5).Draw(g.T, "fresh")))
		return &txnbuild.CreateAccount{Destination: fresh.Address(), Amount: units, SourceAccount: actor.Address()}
	case 1:
		op := trust(credit, rapid.SampledFrom([]string{"0", "10", "", units}).Draw(g.T, "limit"))
		op.SourceAccount = actor.Address()
		return op
	case 2:
		return &txnbuild.SetOptions{HomeDomain: new("example.org"), SourceAccount: actor.Address()}
	case 3:
		op := pay(other, units, lumen)
		op.SourceAccount = actor.Address()
		return op
	default:
		op := pay(other, units, credit)
		op.SourceAccount = actor.Address()
		return op
	}
}

func (g *gambler) submit(p txnbuild.TransactionParams, signers ...*keypair.Full) {
	text := must(must(must(txnbuild.NewTransaction(p)).Sign(g.net.cfg.Passphrase, signers...)).Base64())
	t := must(decodeBase64(text, g.net.cfg.Passphrase))
	if st, result := g.net.enqueue(t); st == statusError {
		g.Logf("refused: %v", codesOf(result))
	}
}

// supplied compares the balances of an asset with what its issuer paid.
func (g *gambler) supplied(of txnbuild.CreditAsset) {
	h := g.net.history
	what := assetOf(must(of.ToXDR()))
	var issued, held int64
	for _, p := range h.ops {
		c := h.at(p)
		tx := h.decode(c)
		op := tx.operations[p.op()-1]
		if pay := op.Body.PaymentOp; c.success && pay != nil && assetOf(pay.Asset) == what {
			if tx.sourceOf(op) == what.issuer {
				issued += int64(pay.Amount)
			}
			if idOfMuxed(pay.Destination) == what.issuer {
				issued -= int64(pay.Amount)
			}
		}
	}
	for _, a := range g.net.state.accounts {
		if l := a.line(what); l != nil {
			held += l.balance
		}
	}
	if issued != held {
		g.Errorf("%d of %s are held, %d were issued", held, of.Code, issued)
	}
}
