package sandbox

import (
	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/xdr"
)

func checkCreateAccount(source accountID, body xdr.OperationBody) int32 {
	op := body.CreateAccountOp
	if op.StartingBalance < 0 || idOf(op.Destination) == source {
		return int32(xdr.CreateAccountResultCodeCreateAccountMalformed)
	}
	return 0
}

func applyCreateAccount(s *step, body xdr.OperationBody) int32 {
	op := body.CreateAccountOp
	id := idOf(op.Destination)
	if s.account(id) != nil {
		return int32(xdr.CreateAccountResultCodeCreateAccountAlreadyExist)
	}
	created := &account{
		id:         id,
		balance:    int64(op.StartingBalance),
		sequence:   firstSequence(s.ledger),
		thresholds: [4]byte{1},
		modified:   s.ledger,
	}
	const lowReserve = int32(xdr.CreateAccountResultCodeCreateAccountLowReserve)
	if sponsor := s.sponsorOf(id); sponsor != nil {
		if code := s.sponsor(sponsor, created, 2, sponsoredAccount(id), lowReserve); code != 0 {
			return code
		}
		created.sponsor = new(sponsor.id)
	} else if created.available() < 0 {
		return lowReserve
	}
	funder := s.edit(s.source)
	if funder.available() < int64(op.StartingBalance) {
		return int32(xdr.CreateAccountResultCodeCreateAccountUnderfunded)
	}
	s.effect(id, "account_created", detail{"starting_balance", amount.String(op.StartingBalance)})
	s.effectOn(s.actor, "account_debited", moved(asset{}, int64(op.StartingBalance))...)
	s.effect(id, "signer_created", detail{"weight", 1}, detail{"public_key", id.String()}, detail{"key", ""})
	funder.balance -= int64(op.StartingBalance)
	funder.modified = s.ledger
	s.put(created)
	return 0
}

func checkPayment(_ accountID, body xdr.OperationBody) int32 {
	op := body.PaymentOp
	if op.Amount <= 0 || !assetOf(op.Asset).valid() {
		return int32(xdr.PaymentResultCodePaymentMalformed)
	}
	return 0
}

func applyPayment(s *step, body xdr.OperationBody) int32 {
	op := body.PaymentOp
	to, what, amount := idOfMuxed(op.Destination), assetOf(op.Asset), int64(op.Amount)
	s.effectOn(op.Destination, "account_credited", moved(what, amount)...)
	s.effectOn(s.actor, "account_debited", moved(what, amount)...)
	if what.native() && to == s.source {
		return 0
	}
	// An issuer takes its own asset back even after its account is gone.
	if s.account(to) == nil && (what.native() || what.issuer != to) {
		return int32(xdr.PaymentResultCodePaymentNoDestination)
	}
	if code := s.give(op.Destination, what, amount); code != 0 {
		return code
	}
	return s.take(what, amount)
}

// give credits whom an operation pays, take debits who pays. Their codes are
// those of payments, which are the same numbers for path payments.
func (s *step) give(to xdr.MuxedAccount, what asset, amount int64) int32 {
	switch s.credit(idOfMuxed(to), what, amount) {
	case noLine:
		return int32(xdr.PaymentResultCodePaymentNoTrust)
	case notAuthorized:
		return int32(xdr.PaymentResultCodePaymentNotAuthorized)
	case outOfRange:
		return int32(xdr.PaymentResultCodePaymentLineFull)
	case changed:
	}
	return 0
}

func (s *step) take(what asset, amount int64) int32 {
	switch s.credit(s.source, what, -amount) {
	case noLine:
		return int32(xdr.PaymentResultCodePaymentSrcNoTrust)
	case notAuthorized:
		return int32(xdr.PaymentResultCodePaymentSrcNotAuthorized)
	case outOfRange:
		return int32(xdr.PaymentResultCodePaymentUnderfunded)
	case changed:
	}
	return 0
}

// What can come of changing a balance.
type balanceChange int

const (
	changed balanceChange = iota
	noLine
	notAuthorized
	outOfRange // below the reserve or zero, above the limit
)

// credit adds an amount, which may be negative, to an account's balance of an
// asset. An issuer's own asset is without bounds and leaves no trace.
func (s *step) credit(id accountID, what asset, amount int64) balanceChange {
	return s.change(id, what, amount, xdr.TrustLineFlagsAuthorizedFlag)
}

// change is credit where one of these flags is enough for a trust line.
func (s *step) change(id accountID, what asset, amount int64, allowed xdr.TrustLineFlags) balanceChange {
	if what.native() {
		a := s.edit(id)
		balance, ok := sum(a.balance, amount)
		if !ok || amount < 0 && a.available() < -amount {
			return outOfRange
		}
		a.balance, a.modified = balance, s.ledger
		return changed
	}
	if what.issuer == id {
		return changed
	}
	a := s.account(id)
	if a == nil || a.line(what) == nil {
		return noLine
	}
	line := *a.line(what)
	if line.flags&allowed == 0 {
		return notAuthorized
	}
	balance, ok := sum(line.balance, amount)
	if !ok || balance > line.limit && amount > 0 {
		return outOfRange
	}
	line.balance, line.modified = balance, s.ledger
	s.edit(id).setLine(line)
	return changed
}
