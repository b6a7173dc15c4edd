package sandbox

import (
	"fmt"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// What setting options and trust lines can answer beside what TestFailures
// compares with recorded results.
func TestCodesOfOptionsAndTrust(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, frozen, poor, issuer, gone := key("user"), key("frozen"), key("poor"), key("issuer"), key("gone")
	w.fund("100", user, frozen, issuer, gone)
	w.fund("1.6", poor)
	lines := ops(trust(usd(issuer), ""), trust(usd(gone), ""))
	w.ok(w.send(w.tx(user, lines)))
	w.ok(w.send(w.tx(gone, ops(pay(user, "1", usd(gone)), &txnbuild.AccountMerge{Destination: user.Address()}))))
	w.ok(w.send(w.tx(poor, ops(setData("kyc", "ok")))))
	w.ok(w.send(w.tx(frozen, ops(&txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthImmutable}}))))

	changed := func(op txnbuild.Operation, change func(*xdr.OperationBody)) func(*keypair.Full) string {
		return func(source *keypair.Full) string {
			return edited(func() string { return w.tx(source, ops(op)) }, source, func(tx *xdr.Transaction) {
				change(&tx.Operations[0].Body)
			})()
		}
	}
	options := func(change func(*xdr.SetOptionsOp)) func(*keypair.Full) string {
		return changed(&txnbuild.SetOptions{}, func(body *xdr.OperationBody) { change(body.SetOptionsOp) })
	}
	does := func(list ...txnbuild.Operation) func(*keypair.Full) string {
		return func(source *keypair.Full) string { return w.tx(source, list) }
	}
	signers := func(n int) (list []txnbuild.Operation) {
		for i := range n {
			list = append(list, signerOp(key(fmt.Sprint("signer", i)), 1))
		}
		return list
	}
	payload := xdr.SignerKey{Type: xdr.SignerKeyTypeSignerKeyTypeEd25519SignedPayload, Ed25519SignedPayload: &xdr.SignerKeyEd25519SignedPayload{}}
	nobody := key("nobody").Address()
	shares := txnbuild.LiquidityPoolShareChangeTrustAsset{LiquidityPoolParameters: txnbuild.LiquidityPoolParameters{
		AssetA: lumen, AssetB: usd(issuer), Fee: txnbuild.LiquidityPoolFeeV18}}

	for name, c := range map[string]struct {
		source *keypair.Full
		tx     func(*keypair.Full) string
		code   string
	}{
		"unknown flag":            {user, options(func(op *xdr.SetOptionsOp) { op.SetFlags = new(xdr.Uint32(16)) }), "op_unknown_flag"},
		"unknown flag cleared":    {user, options(func(op *xdr.SetOptionsOp) { op.ClearFlags = new(xdr.Uint32(1 << 31)) }), "op_unknown_flag"},
		"threshold":               {user, options(func(op *xdr.SetOptionsOp) { op.HighThreshold = new(xdr.Uint32(256)) }), "op_threshold_out_of_range"},
		"weight":                  {user, options(func(op *xdr.SetOptionsOp) { op.MasterWeight = new(xdr.Uint32(256)) }), "op_threshold_out_of_range"},
		"weight of a signer":      {user, options(func(op *xdr.SetOptionsOp) { op.Signer = &xdr.Signer{Key: issuerKey(issuer), Weight: 256} }), "op_bad_signer"},
		"payload of nothing":      {user, options(func(op *xdr.SetOptionsOp) { op.Signer = &xdr.Signer{Key: payload, Weight: 1} }), "op_bad_signer"},
		"domain":                  {user, options(func(op *xdr.SetOptionsOp) { op.HomeDomain = new(xdr.String32("ex\tample")) }), "op_invalid_home_domain"},
		"inflation to nobody":     {user, does(&txnbuild.SetOptions{InflationDestination: &nobody}), "op_invalid_inflation"},
		"flags of the immutable":  {frozen, does(&txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthRequired}}), "op_cant_change"},
		"clearing that":           {frozen, does(&txnbuild.SetOptions{ClearFlags: []txnbuild.AccountFlag{txnbuild.AuthImmutable}}), "op_cant_change"},
		"no reserve for a signer": {poor, does(signers(1)...), "op_low_reserve"},
		"no reserve for a line":   {poor, does(trust(usd(issuer), "")), "op_low_reserve"},
		"pool shares":             {user, does(&txnbuild.ChangeTrust{Line: shares, Limit: "1"}), "op_not_supported"},
		"lumens": {user, changed(trust(usd(issuer), "1"), func(body *xdr.OperationBody) {
			body.ChangeTrustOp.Line = xdr.ChangeTrustAsset{Type: xdr.AssetTypeAssetTypeNative}
		}), "op_malformed"},
		"limit of a gone issuer's":  {user, does(trust(usd(gone), "5")), "op_no_issuer"},
		"new line to a gone issuer": {frozen, does(trust(usd(gone), "5")), "op_no_issuer"},
		"no new line, no issuer":    {frozen, does(trust(usd(gone), "0")), "op_invalid_limit"},
		"account below zero": {user, changed(&txnbuild.CreateAccount{Destination: nobody, Amount: "1"}, func(body *xdr.OperationBody) {
			body.CreateAccountOp.StartingBalance = -1
		}), "op_malformed"},
		"an account of one's own": {user, does(&txnbuild.CreateAccount{Destination: user.Address(), Amount: "1"}), "op_malformed"},
	} {
		if r := w.send(c.tx(c.source)); r.code() != "tx_failed ["+c.code+"]" {
			t.Errorf("%s: %q, want %s", name, r.code(), c.code)
		}
	}

	// Twenty signers and no more; what a gone issuer issued goes back to it, and
	// then its line can go.
	w.ok(w.send(w.tx(issuer, signers(maxSigners))))
	if r := w.send(w.tx(issuer, ops(signerOp(user, 1)))); r.code() != "tx_failed [op_too_many_signers]" {
		t.Errorf("one signer too many: %s", r.code())
	}
	w.ok(w.send(w.tx(issuer, ops(signerOp(key("signer0"), 2), signerOp(key("signer1"), 0), signerOp(user, 1)))))
	w.ok(w.send(w.tx(user, ops(pay(gone, "1", usd(gone)), trust(usd(gone), "0")))))
	w.ok(w.send(w.tx(frozen, ops(&txnbuild.SetOptions{HomeDomain: new("still.example")}))))
}

func issuerKey(k *keypair.Full) xdr.SignerKey { return idOf(xdr.MustAddress(k.Address())).signerKey() }
