package payout

import (
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
)

var someday = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// TestFates: what an operation's code means depends on the operation, and on what
// it was for.
func TestFates(t *testing.T) {
	t.Parallel()
	deposit := func(op anchor.Operation) *anchor.Payout {
		return &anchor.Payout{CauseKind: anchor.CauseTransaction, Purpose: anchor.ForPayout, Operation: op}
	}
	gift := (&anchor.Payout{Destination: "G"}).Gift("", anchor.ForCreate, 1, someday)
	authorize := (&anchor.Payout{}).Authorize("", 0, someday)
	reclaim := (&anchor.Payout{}).Reclaim("", someday)
	back := &anchor.Payout{CauseKind: anchor.CausePayment, Purpose: anchor.ForRefund, Operation: anchor.PayCreate}
	again := intentFate{pause: settleMost, uncounted: true}
	for _, c := range []struct {
		p    *anchor.Payout
		code string
		want intentFate
		ours bool
	}{
		{deposit(anchor.PayPayment), "op_success", intentFate{uncounted: true}, false},
		{deposit(anchor.PayPayment), "op_no_trust", intentFate{wait: "op_no_trust"}, false},
		{deposit(anchor.PayPayment), "op_no_destination", intentFate{wait: "op_no_destination"}, false},
		{deposit(anchor.PayPayment), "op_underfunded", again, true},
		{deposit(anchor.PayPayment), "op_malformed", intentFate{park: "op_malformed"}, false},
		{deposit(anchor.PayCreate), "op_already_exists", intentFate{pause: time.Second, alone: "op_already_exists"}, false},
		{deposit(anchor.PayCreate), "op_low_reserve", intentFate{wait: "op_low_reserve"}, false},
		{deposit(anchor.PayCreate), "op_underfunded", again, true},
		{back, "op_already_exists", intentFate{pause: time.Second, alone: "op_already_exists"}, false},
		{back, "op_low_reserve", intentFate{wait: "op_low_reserve"}, false},
		{gift, "op_already_exists", intentFate{cancel: "op_already_exists"}, false},
		{gift, "op_low_reserve", intentFate{park: "op_low_reserve"}, false},
		{deposit(anchor.PayClaimable), "op_no_trust", again, true},
		{deposit(anchor.PayClaimable), "op_low_reserve", again, true},
		{deposit(anchor.PayClaimable), "op_malformed", intentFate{park: "op_malformed"}, false},
		{authorize, "op_no_trust", intentFate{cancel: "op_no_trust"}, false},
		{authorize, "op_bad_auth", again, true},
		{authorize, "op_cant_revoke", intentFate{park: "op_cant_revoke"}, false},
		{reclaim, "op_does_not_exist", intentFate{cancel: "op_does_not_exist"}, false},
		{reclaim, "op_cannot_claim", intentFate{pause: settleMost}, false},
		{reclaim, "op_line_full", again, true},
	} {
		if got, ours := fateOf(c.p, c.code); got != c.want || ours != c.ours {
			t.Errorf("%s of a %s: %+v %t, want %+v %t", c.code, c.p.Operation, got, ours, c.want, c.ours)
		}
	}
}

// TestInnerCodes: results are spelled as Horizon spells them, so that a refusal at
// the door and a failure in the ledger mean the same.
func TestInnerCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tr   xdr.OperationResultTr
		want string
	}{
		{xdr.OperationResultTr{Type: xdr.OperationTypePayment, PaymentResult: &xdr.PaymentResult{Code: xdr.PaymentResultCodePaymentSrcNoTrust}}, "op_src_no_trust"},
		{xdr.OperationResultTr{Type: xdr.OperationTypePayment, PaymentResult: &xdr.PaymentResult{Code: xdr.PaymentResultCodePaymentSuccess}}, "op_success"},
		{xdr.OperationResultTr{Type: xdr.OperationTypeCreateAccount, CreateAccountResult: &xdr.CreateAccountResult{Code: xdr.CreateAccountResultCodeCreateAccountAlreadyExist}}, "op_already_exists"},
		{xdr.OperationResultTr{Type: xdr.OperationTypeCreateAccount, CreateAccountResult: &xdr.CreateAccountResult{Code: xdr.CreateAccountResultCodeCreateAccountLowReserve}}, "op_low_reserve"},
		{xdr.OperationResultTr{Type: xdr.OperationTypeCreateClaimableBalance, CreateClaimableBalanceResult: &xdr.CreateClaimableBalanceResult{Code: xdr.CreateClaimableBalanceResultCodeCreateClaimableBalanceUnderfunded}}, "op_underfunded"},
		{xdr.OperationResultTr{Type: xdr.OperationTypeSetTrustLineFlags, SetTrustLineFlagsResult: &xdr.SetTrustLineFlagsResult{Code: xdr.SetTrustLineFlagsResultCodeSetTrustLineFlagsNoTrustLine}}, "op_no_trust"},
		{xdr.OperationResultTr{Type: xdr.OperationTypeClaimClaimableBalance, ClaimClaimableBalanceResult: &xdr.ClaimClaimableBalanceResult{Code: xdr.ClaimClaimableBalanceResultCodeClaimClaimableBalanceDoesNotExist}}, "op_does_not_exist"},
		{xdr.OperationResultTr{Type: xdr.OperationTypeInflation}, "op_unknown"},
	} {
		if got := innerCode(&c.tr); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// TestOperationsThatCannotBe: what would lose a muxed address's id, or make an
// account with anything but lumens, is not built.
func TestOperationsThatCannotBe(t *testing.T) {
	t.Parallel()
	const g, m = "GBAPM27GZ3I3WII7S3L5I4LF6C3MFQKNR3XTYH4EXZHIMB46MLMNMMPZ", "MBAPM27GZ3I3WII7S3L5I4LF6C3MFQKNR3XTYH4EXZHIMB46MLMNMAAAAAAAAAAAMNVGW"
	usd := anchor.Asset{Scheme: anchor.Stellar, Code: "USD", Issuer: g}
	for name, p := range map[string]*anchor.Payout{
		"a muxed account":       {Operation: anchor.PayCreate, Asset: anchor.Native, Destination: m},
		"an account of dollars": {Operation: anchor.PayCreate, Asset: usd, Destination: g},
		"a muxed claimant":      {Operation: anchor.PayClaimable, Asset: usd, Destination: m},
		"nothing known":         {Operation: "odd", Asset: usd, Destination: g},
	} {
		if op, err := operation(p); err == nil {
			t.Errorf("%s became %v", name, op)
		}
	}
}
