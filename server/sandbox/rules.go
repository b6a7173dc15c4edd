package sandbox

import "github.com/stellar/go-stellar-sdk/xdr"

// Which of an account's thresholds an operation needs; the index into
// account.thresholds.
const (
	low = iota + 1
	medium
	high
)

// A rule is what the ledger knows of one kind of operation. Codes are those of
// the operation's own result union in XDR, 0 is success.
type rule struct {
	// name is Horizon's.
	name string
	// threshold the source account's signatures must reach.
	threshold func(xdr.OperationBody) int
	// check refuses what is wrong whatever the ledger holds.
	check func(source accountID, body xdr.OperationBody) int32
	// apply changes the ledger through the step's view, all or nothing: what
	// it did before failing is dropped.
	apply func(s *step, body xdr.OperationBody) int32
	// result wraps a code.
	result func(code int32) xdr.OperationResultTr
	// participants are the accounts concerned besides the source.
	participants func(body xdr.OperationBody) []accountID
	// payment: Horizon lists it under /payments.
	payment bool
	// creates: it may create an entry, whose reserve another may pay.
	creates bool
}

// A step is one operation being applied.
type step struct {
	*view
	tx        *transaction
	index     int // of the operation in it
	ledger    uint32
	closeTime int64 // of the ledger
	source    accountID
	actor     xdr.MuxedAccount // the source as the operation names it
	sponsors  sponsors
	rates     []rate // of exchange, for path payments
	// refused, if not 0, stands in the result instead of apply's code.
	refused xdr.OperationResultCode
	// fill, if set, puts into the result of a success what it tells beside it.
	fill    func(*xdr.OperationResultTr)
	effects []effect // what it did so far
	// sponsored are effects on who pays reserves, which come after all others.
	sponsored []effect
}

// refuse fails the operation with a code that belongs to no kind of operation.
func (s *step) refuse(code xdr.OperationResultCode) int32 {
	s.refused = code
	return -1
}

// rules is the table of operations. A new one is an entry here, its functions
// in an op_ file, its code names in codes.go and its resource in
// resource_operations.go.
var rules = map[xdr.OperationType]rule{
	xdr.OperationTypeCreateAccount: {
		name: "create_account", threshold: always(medium), check: checkCreateAccount, apply: applyCreateAccount, payment: true, creates: true,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeCreateAccount, CreateAccountResult: &xdr.CreateAccountResult{Code: xdr.CreateAccountResultCode(code)}}
		},
		participants: func(b xdr.OperationBody) []accountID { return []accountID{idOf(b.CreateAccountOp.Destination)} },
	},
	xdr.OperationTypePayment: {
		name: "payment", threshold: always(medium), check: checkPayment, apply: applyPayment, payment: true,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypePayment, PaymentResult: &xdr.PaymentResult{Code: xdr.PaymentResultCode(code)}}
		},
		participants: func(b xdr.OperationBody) []accountID { return []accountID{idOfMuxed(b.PaymentOp.Destination)} },
	},
	xdr.OperationTypePathPaymentStrictSend: {
		name: "path_payment_strict_send", threshold: always(medium), check: checkPathSend, apply: applyPathSend, payment: true,
		result: func(code int32) xdr.OperationResultTr {
			r := &xdr.PathPaymentStrictSendResult{Code: xdr.PathPaymentStrictSendResultCode(code)}
			if code == 0 {
				r.Success = new(xdr.PathPaymentStrictSendResultSuccess{Last: nothingPaid})
			}
			return xdr.OperationResultTr{Type: xdr.OperationTypePathPaymentStrictSend, PathPaymentStrictSendResult: r}
		},
		participants: func(b xdr.OperationBody) []accountID {
			return []accountID{idOfMuxed(b.PathPaymentStrictSendOp.Destination)}
		},
	},
	xdr.OperationTypePathPaymentStrictReceive: {
		name: "path_payment_strict_receive", threshold: always(medium), check: checkPathReceive, apply: applyPathReceive, payment: true,
		result: func(code int32) xdr.OperationResultTr {
			r := &xdr.PathPaymentStrictReceiveResult{Code: xdr.PathPaymentStrictReceiveResultCode(code)}
			if code == 0 {
				r.Success = new(xdr.PathPaymentStrictReceiveResultSuccess{Last: nothingPaid})
			}
			return xdr.OperationResultTr{Type: xdr.OperationTypePathPaymentStrictReceive, PathPaymentStrictReceiveResult: r}
		},
		participants: func(b xdr.OperationBody) []accountID {
			return []accountID{idOfMuxed(b.PathPaymentStrictReceiveOp.Destination)}
		},
	},
	xdr.OperationTypeChangeTrust: {
		name: "change_trust", threshold: always(medium), check: checkChangeTrust, apply: applyChangeTrust, creates: true,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeChangeTrust, ChangeTrustResult: &xdr.ChangeTrustResult{Code: xdr.ChangeTrustResultCode(code)}}
		},
		participants: nobody,
	},
	xdr.OperationTypeSetOptions: {
		name: "set_options", threshold: thresholdOfSetOptions, check: checkSetOptions, apply: applySetOptions, creates: true,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeSetOptions, SetOptionsResult: &xdr.SetOptionsResult{Code: xdr.SetOptionsResultCode(code)}}
		},
		participants: nobody,
	},
	xdr.OperationTypeManageData: {
		name: "manage_data", threshold: always(medium), check: checkManageData, apply: applyManageData, creates: true,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeManageData, ManageDataResult: &xdr.ManageDataResult{Code: xdr.ManageDataResultCode(code)}}
		},
		participants: nobody,
	},
	xdr.OperationTypeCreateClaimableBalance: {
		name: "create_claimable_balance", threshold: always(medium), check: checkCreateClaimable, apply: applyCreateClaimable, creates: true,
		result: func(code int32) xdr.OperationResultTr {
			r := &xdr.CreateClaimableBalanceResult{Code: xdr.CreateClaimableBalanceResultCode(code)}
			if code == 0 {
				r.BalanceId = new(balanceID{}.xdr())
			}
			return xdr.OperationResultTr{Type: xdr.OperationTypeCreateClaimableBalance, CreateClaimableBalanceResult: r}
		},
		participants: func(b xdr.OperationBody) (ids []accountID) {
			for _, c := range b.CreateClaimableBalanceOp.Claimants {
				ids = append(ids, idOf(c.V0.Destination))
			}
			return ids
		},
	},
	xdr.OperationTypeClaimClaimableBalance: {
		name: "claim_claimable_balance", threshold: always(low), check: anything, apply: applyClaim,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeClaimClaimableBalance, ClaimClaimableBalanceResult: &xdr.ClaimClaimableBalanceResult{Code: xdr.ClaimClaimableBalanceResultCode(code)}}
		},
		participants: nobody,
	},
	xdr.OperationTypeBeginSponsoringFutureReserves: {
		name: "begin_sponsoring_future_reserves", threshold: always(medium), check: checkBeginSponsoring, apply: applyBeginSponsoring,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeBeginSponsoringFutureReserves, BeginSponsoringFutureReservesResult: &xdr.BeginSponsoringFutureReservesResult{Code: xdr.BeginSponsoringFutureReservesResultCode(code)}}
		},
		participants: func(b xdr.OperationBody) []accountID {
			return []accountID{idOf(b.BeginSponsoringFutureReservesOp.SponsoredId)}
		},
	},
	xdr.OperationTypeEndSponsoringFutureReserves: {
		name: "end_sponsoring_future_reserves", threshold: always(medium), check: anything, apply: applyEndSponsoring,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeEndSponsoringFutureReserves, EndSponsoringFutureReservesResult: &xdr.EndSponsoringFutureReservesResult{Code: xdr.EndSponsoringFutureReservesResultCode(code)}}
		},
		participants: nobody,
	},
	xdr.OperationTypeRevokeSponsorship: {
		name: "revoke_sponsorship", threshold: always(medium), check: checkRevokeSponsorship, apply: applyRevokeSponsorship,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeRevokeSponsorship, RevokeSponsorshipResult: &xdr.RevokeSponsorshipResult{Code: xdr.RevokeSponsorshipResultCode(code)}}
		},
		participants: revokedFrom,
	},
	xdr.OperationTypeClawbackClaimableBalance: {
		name: "clawback_claimable_balance", threshold: always(medium), check: anything, apply: applyClawbackClaimable,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeClawbackClaimableBalance, ClawbackClaimableBalanceResult: &xdr.ClawbackClaimableBalanceResult{Code: xdr.ClawbackClaimableBalanceResultCode(code)}}
		},
		participants: nobody,
	},
	xdr.OperationTypeSetTrustLineFlags: {
		name: "set_trust_line_flags", threshold: always(low), check: checkSetTrustLineFlags, apply: applySetTrustLineFlags,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeSetTrustLineFlags, SetTrustLineFlagsResult: &xdr.SetTrustLineFlagsResult{Code: xdr.SetTrustLineFlagsResultCode(code)}}
		},
		participants: func(b xdr.OperationBody) []accountID { return []accountID{idOf(b.SetTrustLineFlagsOp.Trustor)} },
	},
	xdr.OperationTypeAllowTrust: {
		name: "allow_trust", threshold: always(low), check: checkAllowTrust, apply: applyAllowTrust,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeAllowTrust, AllowTrustResult: &xdr.AllowTrustResult{Code: xdr.AllowTrustResultCode(code)}}
		},
		participants: func(b xdr.OperationBody) []accountID { return []accountID{idOf(b.AllowTrustOp.Trustor)} },
	},
	xdr.OperationTypeClawback: {
		name: "clawback", threshold: always(medium), check: checkClawback, apply: applyClawback,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeClawback, ClawbackResult: &xdr.ClawbackResult{Code: xdr.ClawbackResultCode(code)}}
		},
		participants: func(b xdr.OperationBody) []accountID { return []accountID{idOfMuxed(b.ClawbackOp.From)} },
	},
	xdr.OperationTypeAccountMerge: {
		name: "account_merge", threshold: always(high), check: checkMerge, apply: applyMerge, payment: true,
		result: func(code int32) xdr.OperationResultTr {
			r := &xdr.AccountMergeResult{Code: xdr.AccountMergeResultCode(code)}
			if code == 0 {
				r.SourceAccountBalance = new(xdr.Int64)
			}
			return xdr.OperationResultTr{Type: xdr.OperationTypeAccountMerge, AccountMergeResult: r}
		},
		participants: func(b xdr.OperationBody) []accountID { return []accountID{idOfMuxed(*b.Destination)} },
	},
	xdr.OperationTypeBumpSequence: {
		name: "bump_sequence", threshold: always(low), check: checkBumpSequence, apply: applyBumpSequence,
		result: func(code int32) xdr.OperationResultTr {
			return xdr.OperationResultTr{Type: xdr.OperationTypeBumpSequence, BumpSeqResult: &xdr.BumpSequenceResult{Code: xdr.BumpSequenceResultCode(code)}}
		},
		participants: nobody,
	},
}

// ruleOf finds what is known of an operation, false if the network does not do
// it. It has no liquidity pools, so nobody can trust the shares of one.
func ruleOf(body xdr.OperationBody) (rule, bool) {
	r, known := rules[body.Type]
	shares := body.ChangeTrustOp != nil && body.ChangeTrustOp.Line.Type == xdr.AssetTypeAssetTypePoolShare
	return r, known && !shares
}

func always(level int) func(xdr.OperationBody) int {
	return func(xdr.OperationBody) int { return level }
}
func anything(accountID, xdr.OperationBody) int32 { return 0 }

func nobody(xdr.OperationBody) []accountID { return nil }
