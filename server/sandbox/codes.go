package sandbox

import (
	"strings"
	"unicode"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// Horizon's names for result codes are the XDR ones in snake case, but for
// these.
var renamed = map[string]string{
	"tx_no_account":             "tx_no_source_account",
	"tx_bad_min_seq_age_or_gap": "tx_bad_minseq_age_or_gap",
	"op_no_account":             "op_no_source_account",

	"CreateAccount/already_exist":               "op_already_exists",
	"ManageData/name_not_found":                 "op_data_name_not_found",
	"ManageData/invalid_name":                   "op_data_invalid_name",
	"AccountMerge/seqnum_too_far":               "op_seq_num_too_far",
	"SetTrustLineFlags/no_trust_line":           "op_no_trust",
	"AllowTrust/no_trust_line":                  "op_no_trust",
	"PathPaymentStrictSend/offer_cross_self":    "op_cross_self",
	"PathPaymentStrictSend/under_destmin":       "op_under_dest_min",
	"PathPaymentStrictReceive/offer_cross_self": "op_cross_self",
	"PathPaymentStrictReceive/over_sendmax":     "op_over_source_max",
	"ClawbackClaimableBalance/not_issuer":       "op_no_issuer",
}

// codesOf names a result's codes as Horizon does.
func codesOf(r xdr.TransactionResult) resultCodes {
	codes := resultCodes{Transaction: transactionCode(r.Result.Code)}
	if pair := r.Result.InnerResultPair; pair != nil {
		codes.Inner = transactionCode(pair.Result.Result.Code)
	}
	ops, _ := r.OperationResults()
	for _, op := range ops {
		codes.Operations = append(codes.Operations, operationCode(op))
	}
	return codes
}

func transactionCode(code xdr.TransactionResultCode) string {
	return rename(snake(strings.TrimPrefix(code.String(), "TransactionResultCode")))
}

func operationCode(r xdr.OperationResult) string {
	if r.Code != xdr.OperationResultCodeOpInner {
		return rename(snake(strings.TrimPrefix(r.Code.String(), "OperationResultCode")))
	}
	code, ok := innerCode(*r.Tr)
	if !ok {
		return "op_success"
	}
	// PaymentResultCodePaymentNoTrust: the kind, then its code.
	kind, name, _ := strings.Cut(code, "ResultCode")
	name = snake(strings.TrimPrefix(name, kind))
	if special, ok := renamed[kind+"/"+name]; ok {
		return special
	}
	return "op_" + name
}

// innerCode is the XDR name of an operation's own result code.
func innerCode(tr xdr.OperationResultTr) (string, bool) {
	switch tr.Type {
	case xdr.OperationTypeCreateAccount:
		return tr.CreateAccountResult.Code.String(), true
	case xdr.OperationTypePayment:
		return tr.PaymentResult.Code.String(), true
	case xdr.OperationTypePathPaymentStrictSend:
		return tr.PathPaymentStrictSendResult.Code.String(), true
	case xdr.OperationTypePathPaymentStrictReceive:
		return tr.PathPaymentStrictReceiveResult.Code.String(), true
	case xdr.OperationTypeChangeTrust:
		return tr.ChangeTrustResult.Code.String(), true
	case xdr.OperationTypeSetOptions:
		return tr.SetOptionsResult.Code.String(), true
	case xdr.OperationTypeManageData:
		return tr.ManageDataResult.Code.String(), true
	case xdr.OperationTypeCreateClaimableBalance:
		return tr.CreateClaimableBalanceResult.Code.String(), true
	case xdr.OperationTypeClaimClaimableBalance:
		return tr.ClaimClaimableBalanceResult.Code.String(), true
	case xdr.OperationTypeBeginSponsoringFutureReserves:
		return tr.BeginSponsoringFutureReservesResult.Code.String(), true
	case xdr.OperationTypeEndSponsoringFutureReserves:
		return tr.EndSponsoringFutureReservesResult.Code.String(), true
	case xdr.OperationTypeRevokeSponsorship:
		return tr.RevokeSponsorshipResult.Code.String(), true
	case xdr.OperationTypeClawbackClaimableBalance:
		return tr.ClawbackClaimableBalanceResult.Code.String(), true
	case xdr.OperationTypeSetTrustLineFlags:
		return tr.SetTrustLineFlagsResult.Code.String(), true
	case xdr.OperationTypeAllowTrust:
		return tr.AllowTrustResult.Code.String(), true
	case xdr.OperationTypeClawback:
		return tr.ClawbackResult.Code.String(), true
	case xdr.OperationTypeAccountMerge:
		return tr.AccountMergeResult.Code.String(), true
	case xdr.OperationTypeBumpSequence:
		return tr.BumpSeqResult.Code.String(), true
	}
	return "", false
}

func rename(name string) string {
	if special, ok := renamed[name]; ok {
		return special
	}
	return name
}

func snake(camel string) string {
	var b strings.Builder
	for i, r := range camel {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
