package incoming_test

import (
	"testing"

	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/rig"
)

// lumens offers lumens, one for one.
func (w *world) lumens() *anchor.Terms {
	terms := *w.terms
	terms.Asset, terms.Decimals, terms.OffChainDecimals = anchor.Native, 7, 7
	terms.Withdraw.RefundFee, terms.Withdraw.RefundMinimum = anchor.One/2, 2*anchor.One
	w.config.Terms = append(w.config.Terms, &terms)
	return &terms
}

// Lumens pay for a withdrawal of lumens as any asset does. What is nobody's goes back
// by their own terms, and what our accounts pay each other is never a customer's,
// whatever its memo.
func TestLumens(t *testing.T) {
	w := newWorld(t)
	w.refundAll()
	terms := w.lumens()
	w.follow()
	us, native := w.distribution.Address(), txnbuild.NativeAsset{}
	pay := func(amount string) []txnbuild.Operation {
		return []txnbuild.Operation{&txnbuild.Payment{Destination: us, Asset: native, Amount: amount}}
	}
	paid, paidMemo := w.withdrawalOf(terms, soon())
	adds, addsMemo := w.withdrawalOf(terms, soon())
	waits, waitsMemo := w.withdrawalOf(terms, soon())
	other, otherMemo := w.withdrawal(soon())
	gone := rig.NewKey(t)
	w.fund(gone)

	for _, c := range []struct {
		name   string
		hash   string
		state  anchor.Match
		reason string
		back   string // of what goes back, less the fee
	}{
		{"a payment", w.do(w.customer, paidMemo, pay("100")), anchor.Matched, "", ""},
		{"a second one", w.do(w.customer, paidMemo, pay("100")), anchor.Refunding, string(anchor.Second), "99.5"},
		{"to a muxed address", w.do(w.customer, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: muxed(us, uint64(addsMemo)), Asset: native, Amount: "30"}}), anchor.Unmatched, string(anchor.Short), ""},
		{"and the rest", w.do(w.customer, addsMemo, pay("70")), anchor.Matched, "", ""},
		{"no memo", w.do(w.customer, nil, pay("3")), anchor.Refunding, anchor.NoMemo, "2.5"},
		{"no memo, and less than goes back", w.do(w.customer, nil, pay("1.9999999")), anchor.Unmatched, anchor.NoMemo, ""},
		{"lumens where the asset was to come", w.do(w.customer, otherMemo, pay("100")), anchor.Refunding, anchor.WrongAsset, "99.5"},
		{"the asset where lumens were to come", w.do(w.customer, waitsMemo, []txnbuild.Operation{&txnbuild.Payment{Destination: us, Asset: w.line(), Amount: "100"}}), anchor.Refunding, anchor.WrongAsset, "100"},
		{"a merge", w.do(gone, waitsMemo, []txnbuild.Operation{&txnbuild.AccountMerge{Destination: us}}), anchor.Refunding, anchor.UnknownOperation, "9999.49999"},
		{"what a channel gives back", w.do(w.channel, waitsMemo, pay("100")), anchor.Own, "", ""},
		{"what the fee account gives back", w.do(w.fee, waitsMemo, pay("100")), anchor.Own, "", ""},
	} {
		p := w.untilDecided(c.hash)
		if c.reason == string(anchor.Short) {
			continue // it is taken together with the rest
		}
		if p.State != c.state || p.Reason != c.reason {
			t.Errorf("%s: it is %s %q", c.name, p.State, p.Reason)
		}
		intents := w.intents(anchor.CausePayment, p.ID)
		if c.back == "" && len(intents) == 0 {
			continue
		}
		if len(intents) != 1 || intents[0].Amount.String() != c.back || intents[0].Asset != p.Asset {
			t.Errorf("%s: what goes back is %+v", c.name, intents)
		}
	}
	w.untilStatus(anchor.PendingAnchor, paid, adds)
	for _, id := range []string{waits, other} {
		if s := w.transaction(id).Status(); s != anchor.PendingUserTransferStart {
			t.Errorf("what nobody has paid for is %s", s)
		}
	}
	if got := w.sums()["exchange native"]; got != -198*anchor.One { // two times 100 less a fee of 1
		t.Errorf("%s lumens were exchanged", got)
	}
	w.balanced()
}
