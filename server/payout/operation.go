package payout

import (
	"fmt"
	"time"

	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
)

// operation is what an intent becomes: one for each, so that an envelope's
// operations stand in the order of its intents.
func operation(p *anchor.Payout) (txnbuild.Operation, error) {
	amount, to := p.Amount.String(), p.Destination.Account()
	switch p.Operation {
	case anchor.PayPayment:
		return &txnbuild.Payment{SourceAccount: p.Source, Destination: string(p.Destination), Amount: amount, Asset: assetOf(p.Asset)}, nil
	case anchor.PayCreate:
		if !p.Asset.IsNative() || string(p.Destination) != to {
			return nil, fmt.Errorf("an account is made with lumens, and has no muxed address")
		}
		return &txnbuild.CreateAccount{SourceAccount: p.Source, Destination: to, Amount: amount}, nil
	case anchor.PayClaimable:
		if string(p.Destination) != to {
			return nil, fmt.Errorf("a muxed address cannot claim")
		}
		claimants := []txnbuild.Claimant{txnbuild.NewClaimant(to, nil)}
		if !p.NotBefore.IsZero() {
			later := txnbuild.NotPredicate(txnbuild.BeforeAbsoluteTimePredicate(p.NotBefore.Unix()))
			claimants = append(claimants, txnbuild.NewClaimant(p.Source, &later))
		}
		return &txnbuild.CreateClaimableBalance{SourceAccount: p.Source, Amount: amount, Asset: assetOf(p.Asset), Destinations: claimants}, nil
	case anchor.PayAuthorize:
		return &txnbuild.SetTrustLineFlags{SourceAccount: p.Source, Trustor: to, Asset: assetOf(p.Asset), SetFlags: []txnbuild.TrustLineFlag{txnbuild.TrustLineAuthorized}}, nil
	case anchor.PayReclaim:
		return &txnbuild.ClaimClaimableBalance{SourceAccount: p.Source, BalanceID: p.ResultID}, nil
	}
	return nil, fmt.Errorf("the operation %q is not known", p.Operation)
}

// claimants is how many can claim the balance that an intent makes, each of whom
// costs its source a reserve until somebody does.
func claimants(p *anchor.Payout) anchor.Amount {
	switch {
	case p.Operation != anchor.PayClaimable:
		return 0
	case p.NotBefore.IsZero():
		return 1
	}
	return 2
}

// takes is what an intent takes from its source while it is on its way.
func takes(p *anchor.Payout) map[anchor.Asset]anchor.Amount {
	need := map[anchor.Asset]anchor.Amount{}
	switch p.Operation {
	case anchor.PayAuthorize, anchor.PayReclaim:
	case anchor.PayClaimable:
		need[anchor.Native] = claimants(p) * baseReserve
		need[p.Asset] += p.Amount
	case anchor.PayPayment, anchor.PayCreate:
		need[p.Asset] = p.Amount
	}
	return need
}

// intentFate is what becomes of one intent of an envelope that paid nothing.
type intentFate struct {
	wait      string        // the destination cannot take it, for this reason
	park      string        // it can never be paid as it is
	cancel    string        // there is nothing left to do
	pause     time.Duration // before it is tried again
	alone     string        // and in an envelope of its own, for this reason
	uncounted bool          // the attempt does not count against it
}

// faults are the codes by which an operation says that the fault is ours.
var faults = map[string]bool{
	"op_underfunded": true, "op_src_no_trust": true, "op_src_not_authorized": true, "op_no_issuer": true,
	"op_bad_auth": true, "op_no_source_account": true,
}

// fateOf is what an operation's code means for its intent; ours says that we
// cannot pay.
func fateOf(p *anchor.Payout, code string) (f intentFate, ours bool) {
	own := intentFate{pause: settleMost, uncounted: true}
	switch {
	case code == "op_success":
		return intentFate{uncounted: true}, false // a neighbour failed it
	case faults[code]:
		return own, true
	}
	switch p.Operation {
	case anchor.PayPayment:
		switch code {
		case "op_no_trust", "op_not_authorized", "op_line_full", "op_no_destination":
			return intentFate{wait: code}, false
		}
	case anchor.PayCreate:
		switch {
		case code == "op_already_exists" && p.Purpose != anchor.ForCreate:
			// It is a payment now. Its customer could make and merge the account by turns.
			return intentFate{pause: time.Second, alone: code}, false
		case code == "op_already_exists":
			return intentFate{cancel: code}, false
		case code == "op_low_reserve" && p.Purpose != anchor.ForCreate:
			return intentFate{wait: code}, false
		}
	case anchor.PayClaimable: // whose codes are about its source
		switch code {
		case "op_no_trust", "op_not_authorized", "op_low_reserve":
			return own, true
		}
	case anchor.PayAuthorize:
		if code == "op_no_trust" {
			return intentFate{cancel: code}, false // the customer has closed the trustline
		}
	case anchor.PayReclaim:
		switch code {
		case "op_does_not_exist":
			return intentFate{cancel: code}, false // the customer was quicker
		case "op_cannot_claim":
			return intentFate{pause: settleMost}, false
		case "op_no_trust", "op_not_authorized", "op_line_full":
			return own, true
		}
	}
	return intentFate{park: code}, false
}

// innerCode is the name that Horizon has for what an operation came to.
func innerCode(tr *xdr.OperationResultTr) string {
	var code string
	switch tr.Type {
	case xdr.OperationTypePayment:
		code = spell("PaymentResultCodePayment", tr.PaymentResult.Code.String())
	case xdr.OperationTypeCreateAccount:
		code = spell("CreateAccountResultCodeCreateAccount", tr.CreateAccountResult.Code.String())
	case xdr.OperationTypeCreateClaimableBalance:
		code = spell("CreateClaimableBalanceResultCodeCreateClaimableBalance", tr.CreateClaimableBalanceResult.Code.String())
	case xdr.OperationTypeSetTrustLineFlags:
		code = spell("SetTrustLineFlagsResultCodeSetTrustLineFlags", tr.SetTrustLineFlagsResult.Code.String())
	case xdr.OperationTypeClaimClaimableBalance:
		code = spell("ClaimClaimableBalanceResultCodeClaimClaimableBalance", tr.ClaimClaimableBalanceResult.Code.String())
	default:
		return "op_unknown"
	}
	switch code {
	case "already_exist":
		code = "already_exists"
	case "no_trust_line":
		code = "no_trust"
	}
	return "op_" + code
}
