package sandbox

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

// by is an operation with a source of its own.
func by(source *keypair.Full, op txnbuild.Operation) txnbuild.Operation {
	reflect.ValueOf(op).Elem().FieldByName("SourceAccount").SetString(source.Address())
	return op
}

func begin(sponsor, sponsored *keypair.Full) txnbuild.Operation {
	return by(sponsor, &txnbuild.BeginSponsoringFutureReserves{SponsoredID: sponsored.Address()})
}

func end(sponsored *keypair.Full) txnbuild.Operation {
	return by(sponsored, &txnbuild.EndSponsoringFutureReserves{})
}

// sponsored is operations whose reserves another pays.
func sponsored(sponsor, owner *keypair.Full, list ...txnbuild.Operation) []txnbuild.Operation {
	return append(append(ops(begin(sponsor, owner)), list...), end(owner))
}

// A bank pays the fees of a test, so that the balances of all others are known
// to the stroop.
type bank struct {
	*world
	key *keypair.Full
}

func newBank(t *testing.T) bank {
	t.Helper()
	b := bank{newWorld(t), key("bank")}
	b.fund("1000", b.key)
	return b
}

// open gives accounts balances.
func (b bank) open(lumens string, keys ...*keypair.Full) {
	b.Helper()
	var list []txnbuild.Operation
	for _, k := range keys {
		list = append(list, &txnbuild.CreateAccount{Destination: k.Address(), Amount: lumens})
	}
	b.does("", list)
}

// does sends a transaction that must end with this code, "" for success.
func (b bank) does(code string, list []txnbuild.Operation, signers ...*keypair.Full) string {
	b.Helper()
	envelope := b.tx(b.key, list, signers...)
	if got := b.send(envelope).code(); got != code {
		b.Errorf("%q, want %q", got, code)
	}
	return envelope
}

// reserves checks what an account pays for others and others for it, and what
// it has above its reserve.
func (b bank) reserves(k *keypair.Full, sponsoring, sponsored uint32, available int64) {
	b.Helper()
	a := b.entry(k)
	if a.sponsoring != sponsoring || a.sponsored != sponsored || a.available() != available {
		b.Errorf("%s: %d sponsoring, %d sponsored, %d stroops available, want %d, %d, %d",
			names([]*keypair.Full{k})[1], a.sponsoring, a.sponsored, a.available(), sponsoring, sponsored, available)
	}
}

// An anchor opens an account with a line for a customer who has no lumens.
func TestSponsoredCustomer(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	anchor, issuer, user := key("anchor"), key("issuer"), key("user")
	b.open("2.5", anchor)
	b.open("1", issuer)
	usd := usd(issuer)
	onboard := b.does("", sponsored(anchor, user,
		by(anchor, &txnbuild.CreateAccount{Destination: user.Address(), Amount: "0"}),
		by(user, trust(usd, "100"))), anchor, user)
	b.reserves(anchor, 3, 0, 0)
	b.reserves(user, 0, 3, 0)
	b.does("", ops(by(issuer, pay(user, "5", usd))), issuer)
	b.does("tx_failed [op_underfunded]", ops(by(anchor, pay(issuer, "0.0000001", lumen))), anchor)
	b.does("tx_failed [op_low_reserve]", ops(by(user, setData("k", "v"))), user)

	if diff := cmp.Diff([]string{
		"user account_created starting_balance=0.0000000",
		"anchor account_debited amount=0.0000000 asset_type=native",
		"user signer_created key= public_key=user weight=1",
		"user account_sponsorship_created sponsor=anchor",
		"user trustline_created asset_code=USD asset_issuer=issuer asset_type=credit_alphanum4 limit=100.0000000",
		"user trustline_sponsorship_created asset=USD:issuer asset_type= sponsor=anchor",
	}, b.tells(onboard, "ID", anchor, issuer, user)); diff != "" {
		t.Error(diff)
	}
	hash := b.hashOf(onboard)
	var shown []string
	words := strings.NewReplacer(names([]*keypair.Full{anchor, issuer, user})...)
	for _, rec := range as[array](b.get("/transactions/"+hash+"/operations").at("_embedded", "records")) {
		op, text := as[object](rec), ""
		for _, k := range []string{"type", "source_account", "sponsor", "sponsored_id", "begin_sponsor"} {
			if v, ok := op[k]; ok {
				text += " " + k + "=" + words.Replace(as[string](v))
			}
		}
		shown = append(shown, text[1:])
	}
	if diff := cmp.Diff([]string{
		"type=begin_sponsoring_future_reserves source_account=anchor sponsored_id=user",
		"type=create_account source_account=anchor sponsor=anchor",
		"type=change_trust source_account=user sponsor=anchor",
		"type=end_sponsoring_future_reserves source_account=user begin_sponsor=anchor",
	}, shown); diff != "" {
		t.Error(diff)
	}
	// The sponsor takes part in all four, the customer too.
	for _, k := range []*keypair.Full{anchor, user} {
		count := 0
		for _, rec := range as[array](b.get("/accounts/"+k.Address()+"/operations").at("_embedded", "records")) {
			if as[object](rec)["transaction_hash"] == hash {
				count++
			}
		}
		if count != 4 {
			t.Errorf("%s takes part in %d operations", words.Replace(k.Address()), count)
		}
	}

	// The line goes, and the reserve comes back.
	b.does("", ops(by(user, pay(issuer, "5", usd)), by(user, trust(usd, "0"))), user)
	b.reserves(anchor, 2, 0, 5000000)
	b.reserves(user, 0, 2, 0)

	// So does the account, into its sponsor.
	b.does("tx_failed [op_is_sponsor]", ops(by(anchor, &txnbuild.AccountMerge{Destination: user.Address()})), anchor)
	gone := b.does("", ops(by(user, &txnbuild.AccountMerge{Destination: anchor.Address()})), user)
	b.reserves(anchor, 0, 0, 1_5000000)
	if diff := cmp.Diff([]string{
		"user account_debited amount=0.0000000 asset_type=native",
		"anchor account_credited amount=0.0000000 asset_type=native",
		"user account_removed",
		"user account_sponsorship_removed former_sponsor=anchor",
	}, b.tells(gone, "ID", anchor, issuer, user)); diff != "" {
		t.Error(diff)
	}
}

// Whoever is to pay must have all of the reserve, and gets all of it back.
func TestReservesToTheStroop(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	issuer := key("issuer")
	b.open("1", issuer)
	usd := usd(issuer)
	for name, c := range map[string]struct {
		reserves int64
		create   func(owner *keypair.Full) txnbuild.Operation
		remove   func(owner *keypair.Full, id string) txnbuild.Operation
		subentry bool
	}{
		"line": {1, func(o *keypair.Full) txnbuild.Operation { return by(o, trust(usd, "1")) },
			func(o *keypair.Full, _ string) txnbuild.Operation { return by(o, trust(usd, "0")) }, true},
		"data": {1, func(o *keypair.Full) txnbuild.Operation { return by(o, setData("k", "v")) },
			func(o *keypair.Full, _ string) txnbuild.Operation { return by(o, dropData("k")) }, true},
		"signer": {1, func(o *keypair.Full) txnbuild.Operation { return by(o, signerOp(issuer, 1)) },
			func(o *keypair.Full, _ string) txnbuild.Operation { return by(o, signerOp(issuer, 0)) }, true},
		"balance": {3, func(o *keypair.Full) txnbuild.Operation {
			return by(o, claimables("0.0000001", lumen, o, issuer, b.key))
		}, func(o *keypair.Full, id string) txnbuild.Operation {
			return by(o, &txnbuild.ClaimClaimableBalance{BalanceID: id})
		}, false},
		"account": {2, func(o *keypair.Full) txnbuild.Operation {
			return by(b.key, &txnbuild.CreateAccount{Destination: o.Address(), Amount: "0"})
		}, nil, false},
	} {
		sponsor, owner := key(name+" sponsor"), key(name+" owner")
		create := c.create(owner)
		b.open("1", sponsor)
		if name != "account" {
			b.open("1.0000001", owner)
			b.does("tx_failed [op_low_reserve]", ops(create), owner)
		}
		top := func(stroops int64) {
			b.does("", ops(pay(sponsor, lumens(stroops), lumen)))
		}
		top(c.reserves*baseReserve - 1)
		ended := "op_success"
		if name == "account" {
			ended = "op_no_source_account"
		}
		b.does("tx_failed [op_success op_low_reserve "+ended+"]", sponsored(sponsor, owner, create), sponsor, owner)
		b.reserves(sponsor, 0, 0, c.reserves*baseReserve-1)
		top(1)
		envelope := b.does("", sponsored(sponsor, owner, create), sponsor, owner)
		b.reserves(sponsor, uint32(c.reserves), 0, 0)
		var has int64 = 1
		var counted uint32
		if c.subentry {
			counted = 1
		}
		switch name {
		case "account":
			counted, has = 2, 0
		case "balance":
			has = 0
		}
		b.reserves(owner, 0, counted, has)
		if c.remove == nil {
			continue
		}
		id := ""
		if name == "balance" {
			id = b.created(b.get("/transactions/"+b.hashOf(envelope)), 1)
		}
		b.does("", ops(c.remove(owner, id)), owner)
		b.reserves(sponsor, 0, 0, c.reserves*baseReserve)
		b.reserves(owner, 0, 0, 1)
	}
}

func signerOp(k *keypair.Full, weight txnbuild.Threshold) *txnbuild.SetOptions {
	return &txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: k.Address(), Weight: weight}}
}

func lumens(stroops int64) string {
	return amount.StringFromInt64(stroops)
}

func TestBeginAndEndSponsoring(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	x, y, z := key("x"), key("y"), key("z")
	b.open("10", x, y, z)
	data := func(k *keypair.Full) txnbuild.Operation { return by(k, setData("k", "v")) }
	for name, c := range map[string]struct {
		ops  []txnbuild.Operation
		code string
	}{
		"oneself":            {ops(begin(x, x)), "tx_failed [op_malformed]"},
		"nobody ends":        {ops(end(x)), "tx_failed [op_not_sponsored]"},
		"ended twice":        {ops(begin(x, y), end(y), end(y)), "tx_failed [op_success op_success op_not_sponsored]"},
		"by the sponsor":     {ops(begin(x, y), end(x)), "tx_failed [op_success op_not_sponsored]"},
		"two sponsors":       {ops(begin(x, z), begin(y, z)), "tx_failed [op_success op_already_sponsored]"},
		"twice":              {ops(begin(x, z), begin(x, z)), "tx_failed [op_success op_already_sponsored]"},
		"sponsored sponsors": {ops(begin(x, y), begin(y, z)), "tx_failed [op_success op_recursive]"},
		"sponsor sponsored":  {ops(begin(x, y), begin(z, x)), "tx_failed [op_success op_recursive]"},
		"in a circle":        {ops(begin(x, y), begin(y, x)), "tx_failed [op_success op_recursive]"},
		"not ended":          {ops(begin(x, y), data(y)), "tx_bad_sponsorship"},
		"one not ended":      {ops(begin(x, y), begin(x, z), end(y)), "tx_bad_sponsorship"},
		"another failed":     {ops(begin(x, y), by(y, dropData("none"))), "tx_failed [op_success op_data_name_not_found]"},
		"one after another":  {ops(begin(x, y), end(y), begin(y, x), end(x)), ""},
		"two at once":        {ops(begin(x, y), begin(x, z), end(z), end(y)), ""},
		"who is not there":   {ops(begin(x, key("nobody")), pay(x, "1", lumen)), "tx_bad_sponsorship"},
	} {
		before, sequence := b.entry(b.key), b.sequence(b.key)
		var signers []*keypair.Full
		for _, k := range []*keypair.Full{x, y, z} {
			for _, op := range c.ops {
				if reflect.ValueOf(op).Elem().FieldByName("SourceAccount").String() == k.Address() {
					signers = append(signers, k)
					break
				}
			}
		}
		envelope := b.tx(b.key, c.ops, signers...)
		r := b.send(envelope)
		if r.code() != c.code {
			t.Errorf("%s: %q, want %q", name, r.code(), c.code)
		}
		if c.code == "tx_bad_sponsorship" {
			// It is in the ledger, cost its fee and did nothing.
			after := b.entry(b.key)
			if b.sequence(b.key) != sequence+1 || after.balance != before.balance-int64(len(c.ops)*baseFee) {
				t.Errorf("%s: number %d, %d stroops, before %d, %d", name, after.sequence, after.balance, before.sequence, before.balance)
			}
			if found := b.get("/transactions/" + b.hashOf(envelope)); found.at("successful") != false || found.at("result_xdr") != r.at("extras", "result_xdr") {
				t.Errorf("%s: found as %s", name, found.text)
			}
		}
	}
	for _, k := range []*keypair.Full{x, y, z} {
		b.reserves(k, 0, 0, 9_0000000)
	}
}

// A revocable is an entry of an account, and how it is named.
type revocable struct {
	reserves int64
	create   txnbuild.Operation
	named    txnbuild.RevokeSponsorship
}

func (r revocable) revokedBy(k *keypair.Full) txnbuild.Operation {
	op := r.named
	return by(k, &op)
}

func TestRevokeSponsorship(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	issuer, s, next, owner := key("issuer"), key("sponsor"), key("next"), key("owner")
	address := owner.Address()
	b.open("1", issuer, next)
	b.open("10", s)
	usd := usd(issuer)
	kinds := map[string]revocable{
		"account": {2, by(b.key, &txnbuild.CreateAccount{Destination: address, Amount: "0"}), txnbuild.RevokeSponsorship{
			SponsorshipType: txnbuild.RevokeSponsorshipTypeAccount, Account: &address}},
		"trustline": {1, by(owner, trust(usd, "1")), txnbuild.RevokeSponsorship{
			SponsorshipType: txnbuild.RevokeSponsorshipTypeTrustLine, TrustLine: &txnbuild.TrustLineID{Account: address, Asset: usd.MustToTrustLineAsset()}}},
		"data": {1, by(owner, setData("k", "v")), txnbuild.RevokeSponsorship{
			SponsorshipType: txnbuild.RevokeSponsorshipTypeData, Data: &txnbuild.DataID{Account: address, DataName: "k"}}},
		"signer": {1, by(owner, signerOp(issuer, 1)), txnbuild.RevokeSponsorship{
			SponsorshipType: txnbuild.RevokeSponsorshipTypeSigner, Signer: &txnbuild.SignerID{AccountID: address, SignerAddress: issuer.Address()}}},
	}
	// The account first: the others are in it.
	for _, kind := range []string{"account", "trustline", "data", "signer"} {
		c := kinds[kind]
		n, cost := uint32(c.reserves), c.reserves*baseReserve
		b.does("tx_failed [op_does_not_exist]", ops(c.revokedBy(s)), s)
		b.does("", sponsored(s, owner, c.create), s, owner)
		b.reserves(s, n, 0, 9_0000000-cost)

		// Only who pays may, and only if the owner can.
		for _, other := range []*keypair.Full{owner, issuer} {
			b.does("tx_failed [op_not_sponsor]", ops(c.revokedBy(other)), other)
		}
		b.does("", ops(pay(owner, lumens(cost-1), lumen)))
		b.does("tx_failed [op_low_reserve]", ops(c.revokedBy(s)), s)
		b.does("", ops(pay(owner, "0.0000001", lumen)))
		told := b.does("", ops(c.revokedBy(s)), s)
		b.reserves(s, 0, 0, 9_0000000)
		b.reserves(owner, 0, 0, 0)
		b.changed(told, kind+"_sponsorship_removed", "former_sponsor=sponsor")

		// The owner pays now: may give it up without giving it to anybody,
		// which does nothing, or to a sponsor.
		b.does("tx_failed [op_not_sponsor]", ops(c.revokedBy(s)), s)
		b.does("", ops(c.revokedBy(owner)), owner)
		b.reserves(owner, 0, 0, 0)
		told = b.does("", sponsored(s, owner, c.revokedBy(owner)), s, owner)
		b.reserves(s, n, 0, 9_0000000-cost)
		b.reserves(owner, 0, n, cost)
		b.changed(told, kind+"_sponsorship_created", "sponsor=sponsor")

		// From one sponsor to the next, who must have the reserve.
		b.does("", ops(pay(next, lumens(cost-1), lumen)))
		b.does("tx_failed [op_success op_low_reserve op_success]", sponsored(next, s, c.revokedBy(s)), s, next)
		b.does("", ops(pay(next, "0.0000001", lumen)))
		told = b.does("", sponsored(next, s, c.revokedBy(s)), s, next)
		b.reserves(s, 0, 0, 9_0000000)
		b.reserves(next, n, 0, 0)
		b.reserves(owner, 0, n, cost)
		b.changed(told, kind+"_sponsorship_updated", "former_sponsor=sponsor new_sponsor=next")

		// Back to the owner by the owner's own sponsoring.
		b.does("", sponsored(owner, next, c.revokedBy(next)), owner, next)
		b.reserves(next, 0, 0, cost)
		b.reserves(owner, 0, 0, 0)
		b.does("", ops(by(next, pay(b.key, lumens(cost), lumen))), next)
	}

	for name, named := range map[string]txnbuild.RevokeSponsorship{
		"the issuer's line":   {SponsorshipType: txnbuild.RevokeSponsorshipTypeTrustLine, TrustLine: &txnbuild.TrustLineID{Account: issuer.Address(), Asset: usd.MustToTrustLineAsset()}},
		"a line for lumens":   {SponsorshipType: txnbuild.RevokeSponsorshipTypeTrustLine, TrustLine: &txnbuild.TrustLineID{Account: address, Asset: lumen.MustToTrustLineAsset()}},
		"data without a name": {SponsorshipType: txnbuild.RevokeSponsorshipTypeData, Data: &txnbuild.DataID{Account: address}},
		"an offer without id": {SponsorshipType: txnbuild.RevokeSponsorshipTypeOffer, Offer: &txnbuild.OfferID{SellerAccountAddress: address}},
	} {
		t.Log(name)
		b.does("tx_failed [op_malformed]", ops(revocable{named: named}.revokedBy(s)), s)
	}
	for name, named := range map[string]txnbuild.RevokeSponsorship{
		"an offer":     {SponsorshipType: txnbuild.RevokeSponsorshipTypeOffer, Offer: &txnbuild.OfferID{SellerAccountAddress: address, OfferID: 5}},
		"another line": {SponsorshipType: txnbuild.RevokeSponsorshipTypeTrustLine, TrustLine: &txnbuild.TrustLineID{Account: s.Address(), Asset: usd.MustToTrustLineAsset()}},
		"a signer":     {SponsorshipType: txnbuild.RevokeSponsorshipTypeSigner, Signer: &txnbuild.SignerID{AccountID: address, SignerAddress: s.Address()}},
		"a balance":    {SponsorshipType: txnbuild.RevokeSponsorshipTypeClaimableBalance, ClaimableBalance: new(balanceID{}.String())},
	} {
		t.Log(name)
		b.does("tx_failed [op_does_not_exist]", ops(revocable{named: named}.revokedBy(s)), s)
	}
}

// changed checks the only effect of a transaction on who pays.
func (b bank) changed(envelope, kind, details string) {
	b.Helper()
	got := b.tells(envelope, "ID", key("owner"), key("issuer"), key("sponsor"), key("next"))
	if len(got) != 1 || !strings.Contains(got[0], " "+kind+" ") || !strings.Contains(got[0], " "+details) {
		b.Errorf("it told %q, want %s %s", got, kind, details)
	}
}

// A claimable balance always has a sponsor: it can only go to another.
func TestSponsorOfClaimable(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	sender, next, user := key("sender"), key("next"), key("user")
	b.open("10", sender, next, user)
	create := b.does("", ops(by(sender, claimables("1", lumen, user, sender))), sender)
	id := b.created(b.get("/transactions/"+b.hashOf(create)), 0)
	r := revocable{named: txnbuild.RevokeSponsorship{SponsorshipType: txnbuild.RevokeSponsorshipTypeClaimableBalance, ClaimableBalance: &id}}
	b.reserves(sender, 2, 0, 7_0000000)
	b.does("tx_failed [op_only_transferable]", ops(r.revokedBy(sender)), sender)
	b.does("tx_failed [op_not_sponsor]", ops(r.revokedBy(user)), user)
	b.does("", sponsored(next, sender, r.revokedBy(sender)), sender, next)
	b.reserves(sender, 0, 0, 8_0000000)
	b.reserves(next, 2, 0, 8_0000000)
	b.does("tx_failed [op_not_sponsor]", ops(r.revokedBy(sender)), sender)
	b.does("", ops(by(user, &txnbuild.ClaimClaimableBalance{BalanceID: id})), user)
	b.reserves(next, 0, 0, 9_0000000)
	b.reserves(user, 0, 0, 10_0000000)
}

// A signer for one transaction is used up by it, and its reserve comes back.
func TestSponsoredPreAuthorization(t *testing.T) {
	t.Parallel()
	b := newBank(t)
	s, owner := key("sponsor"), key("owner")
	b.open("10", s, owner)
	later := b.build(params(owner, b.sequence(owner), ops(pay(s, "1", lumen))))
	hash := must(decodeBase64(later, b.net.cfg.Passphrase)).hash
	signer := must(strkey.Encode(strkey.VersionByteHashTx, hash[:]))
	b.does("", sponsored(s, owner, by(owner, &txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: signer, Weight: 1}})), s, owner)
	b.reserves(s, 1, 0, 8_5000000)
	b.reserves(owner, 0, 1, 9_0000000)
	b.ok(b.send(later))
	b.reserves(s, 0, 0, 10_0000000)
	b.reserves(owner, 0, 0, 8_0000000-baseFee)
}
