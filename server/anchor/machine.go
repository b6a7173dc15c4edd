package anchor

import (
	"slices"
	"time"
)

// Status is a transaction's status, spelled as SEP-24 spells it.
type Status string

// SEP-24's statuses.
const (
	Incomplete                  Status = "incomplete"
	PendingUserTransferStart    Status = "pending_user_transfer_start"
	PendingUserTransferComplete Status = "pending_user_transfer_complete"
	PendingExternal             Status = "pending_external"
	PendingAnchor               Status = "pending_anchor"
	OnHold                      Status = "on_hold"
	PendingStellar              Status = "pending_stellar"
	PendingTrust                Status = "pending_trust"
	PendingUser                 Status = "pending_user"
	Completed                   Status = "completed"
	Refunded                    Status = "refunded"
	Expired                     Status = "expired"
	NoMarket                    Status = "no_market"
	TooSmall                    Status = "too_small"
	TooLarge                    Status = "too_large"
	Failed                      Status = "error"
)

// Statuses lists every status, in the order of a transaction's life.
var Statuses = []Status{Incomplete, PendingUser, PendingUserTransferStart, PendingExternal, PendingAnchor, OnHold,
	PendingTrust, PendingStellar, PendingUserTransferComplete, Completed, Refunded, Expired, NoMarket, TooSmall, TooLarge, Failed}

// Final reports whether nothing more happens by itself. Staff can still move
// some of these (an error is retried or refunded, a late payment revives).
func (s Status) Final() bool {
	return slices.Contains([]Status{Completed, Refunded, Expired, Failed}, s)
}

// Event is something that happened to a transaction.
type Event string

// The events, in the order of a transaction's life.
const (
	Submitted      Event = "submitted"       // everything is entered, a person must review it
	CorrectionDue  Event = "correction_due"  // a reviewer asks the customer to correct something
	Corrected      Event = "corrected"       // the customer did
	Agreed         Event = "agreed"          // everything is entered, accepted and agreed to
	ReviewPassed   Event = "review_passed"   // a reviewer accepted the customer
	ReviewFailed   Event = "review_failed"   // a reviewer rejected the customer
	CustomerSent   Event = "customer_sent"   // the customer says the bank transfer is on its way
	FundsReceived  Event = "funds_received"  // the money arrived: bank funds or a ledger payment
	HeldForReview  Event = "held"            // the money arrived, or is here, and needs a person
	ReleasedHold   Event = "released"        // a person released it
	ArrivedSmall   Event = "arrived_small"   // the money arrived, below the minimum
	ArrivedLarge   Event = "arrived_large"   // the money arrived, above the maximum
	MarketMissing  Event = "market_missing"  // no market to create the account
	TrustMissing   Event = "trust_missing"   // the destination cannot hold the asset yet
	TrustReady     Event = "trust_ready"     // now it can
	PayoutSigned   Event = "payout_signed"   // an envelope that pays it is about to be submitted
	PayoutReturned Event = "payout_returned" // that envelope can never apply, or failed; pay again
	PayoutApplied  Event = "payout_applied"  // the payment is in the ledger
	Reclaimed      Event = "reclaimed"       // nobody claimed the balance that paid it, and it is ours to keep safe again
	BankTold       Event = "bank_told"       // the bank has the order to pay
	BankSettled    Event = "bank_settled"    // the bank has paid
	BankReturned   Event = "bank_returned"   // the bank sent the money back
	RefundReturned Event = "refund_returned" // the bank sent a refund back that had ended it
	PickupReady    Event = "pickup_ready"    // cash can be collected
	PickedUp       Event = "picked_up"       // cash was collected
	DeadlinePassed Event = "deadline_passed" // the money never came
	Cancelled      Event = "cancelled"       // the customer cancelled before money moved
	Revived        Event = "revived"         // the money came after the deadline
	RefundDone     Event = "refund_done"     // everything that came in went back
	Broke          Event = "failed"          // something a person must look at
	Retried        Event = "retried"         // a person says: again
)

// Transition is one line of the state machine.
type Transition struct {
	Event Event
	Kinds []Kind // both when nil
	From  []Status
	Guard Guard // may be empty
	To    Status
	Why   string
}

// Guard is a named condition on a transaction's facts.
type Guard struct {
	Name  string
	Holds func(*Transaction) bool
}

var (
	agreed   = Guard{"agreed, not funded", func(t *Transaction) bool { return t.agreed() && !t.Funded() }}
	unagreed = Guard{"not agreed, not funded", func(t *Transaction) bool { return !t.agreed() && !t.Funded() }}
	unfunded = Guard{"not funded", func(t *Transaction) bool { return !t.Funded() }}
	arrived  = Guard{"agreed, funded, not paid out", func(t *Transaction) bool { return t.agreed() && t.Funded() && !t.PaidOut() }}
	funded   = Guard{"funded, not paid out, not all given back", func(t *Transaction) bool { return t.Funded() && !t.PaidOut() && t.left() > 0 }}
	paidOut  = Guard{"funded and paid out", func(t *Transaction) bool { return t.Funded() && t.PaidOut() }}
	refunded = Guard{"all that came in has gone back", func(t *Transaction) bool {
		return t.Funded() && !t.PaidOut() && t.left() == 0 && t.refundsArrived() == t.AmountRefunded
	}}
	unreturned = Guard{"not all that came in has gone back", func(t *Transaction) bool {
		return t.Funded() && !t.PaidOut() && (t.left() > 0 || t.refundsArrived() < t.AmountRefunded)
	}}
)

var (
	onlyDeposit    = []Kind{Deposit}
	onlyWithdrawal = []Kind{Withdrawal}
)

// Table is the whole state machine. For one event, kind and status at most one
// line's guard holds. What no line allows is refused. docs/state-machine.md is
// drawn from it.
//
// Why nobody can hold or refund what is pending_stellar, or a withdrawal that is
// pending_external or pending_user_transfer_complete: it may be paid at this moment. Only what the ledger or the
// bank proves leads on. And proof that comes late, after somebody parked the
// transaction, still completes it.
var Table = []Transition{
	{Submitted, nil, []Status{Incomplete}, unfunded, PendingAnchor, "a person reviews what was entered"},
	{CorrectionDue, nil, []Status{Incomplete, PendingAnchor}, unfunded, PendingUser, "the reviewer asks for a correction"},
	{Corrected, nil, []Status{PendingUser}, unfunded, PendingAnchor, "the correction waits for the reviewer"},
	{Agreed, nil, []Status{Incomplete, PendingUser}, agreed, PendingUserTransferStart, "the customer may pay now"},
	{ReviewPassed, nil, []Status{PendingAnchor, PendingUser}, agreed, PendingUserTransferStart, "accepted; the customer may pay now"},
	{ReviewPassed, nil, []Status{PendingAnchor, PendingUser}, unagreed, Incomplete, "accepted; the rest is still to be entered"},
	{ReviewFailed, nil, []Status{Incomplete, PendingAnchor, PendingUser}, unfunded, Failed, "the customer was not accepted"},

	{CustomerSent, onlyDeposit, []Status{PendingUserTransferStart}, unfunded, PendingExternal, "waiting for the bank"},
	{FundsReceived, onlyDeposit, []Status{PendingUserTransferStart, PendingExternal}, arrived, PendingAnchor, "the bank transfer arrived"},
	{FundsReceived, onlyWithdrawal, []Status{PendingUserTransferStart}, arrived, PendingAnchor, "the payment is in the ledger"},
	{Revived, nil, []Status{Expired}, arrived, PendingAnchor, "the money came late and is accepted at today's rate"},
	{ArrivedSmall, nil, []Status{PendingUserTransferStart, Expired}, arrived, TooSmall, "less than the minimum arrived; it is refunded"},
	{ArrivedSmall, onlyDeposit, []Status{PendingExternal}, arrived, TooSmall, "less than the minimum arrived; it is refunded"},
	{ArrivedLarge, nil, []Status{PendingUserTransferStart, Expired}, arrived, TooLarge, "more than the maximum arrived; it is refunded"},
	{ArrivedLarge, onlyDeposit, []Status{PendingExternal}, arrived, TooLarge, "more than the maximum arrived; it is refunded"},
	{HeldForReview, nil, []Status{PendingUserTransferStart, Expired}, arrived, OnHold, "money arrived and a person reviews it"},
	{HeldForReview, onlyDeposit, []Status{PendingExternal}, arrived, OnHold, "money arrived and a person reviews it"},
	{HeldForReview, nil, []Status{PendingAnchor}, funded, OnHold, "money is here and a person reviews it"},
	{HeldForReview, onlyDeposit, []Status{PendingTrust}, funded, OnHold, "money is here and a person reviews it"},
	{ReleasedHold, nil, []Status{OnHold}, funded, PendingAnchor, "a person released it"},

	{MarketMissing, onlyDeposit, []Status{PendingAnchor}, funded, NoMarket, "the account cannot be created; it is refunded"},
	{TrustMissing, onlyDeposit, []Status{PendingAnchor, PendingStellar}, funded, PendingTrust, "the destination cannot hold the asset yet"},
	{TrustReady, onlyDeposit, []Status{PendingTrust}, funded, PendingAnchor, "the destination can hold the asset now"},
	{PayoutSigned, onlyDeposit, []Status{PendingAnchor}, funded, PendingStellar, "the payment is on its way into the ledger"},
	{PayoutReturned, onlyDeposit, []Status{PendingStellar}, funded, PendingAnchor, "that payment can no longer apply; another is made"},
	{PayoutApplied, onlyDeposit, []Status{PendingStellar, Failed}, paidOut, Completed, "the payment is in the ledger"},
	{Reclaimed, onlyDeposit, []Status{Completed}, funded, OnHold, "nobody claimed the balance that paid it; a person decides"},

	{BankTold, onlyWithdrawal, []Status{PendingAnchor}, funded, PendingExternal, "the bank has the order"},
	{BankSettled, onlyWithdrawal, []Status{PendingExternal, OnHold, Failed}, paidOut, Completed, "the bank has paid"},
	{BankReturned, onlyWithdrawal, []Status{PendingAnchor, PendingExternal, PendingUserTransferComplete, Failed, Completed}, funded, OnHold, "the bank sent the money back, or nobody collected it; a person decides"},
	{PickupReady, onlyWithdrawal, []Status{PendingAnchor, PendingExternal}, funded, PendingUserTransferComplete, "the cash can be collected"},
	{PickedUp, onlyWithdrawal, []Status{PendingUserTransferComplete}, paidOut, Completed, "the cash was collected"},

	{DeadlinePassed, nil, []Status{Incomplete, PendingUser, PendingUserTransferStart, PendingExternal, PendingAnchor}, unfunded, Expired, "the money never came"},
	{Cancelled, nil, []Status{Incomplete, PendingUser, PendingUserTransferStart, PendingAnchor}, unfunded, Expired, "the customer cancelled"},
	{RefundDone, nil, []Status{PendingAnchor, OnHold, PendingTrust, NoMarket, TooSmall, TooLarge, Failed}, refunded, Refunded, "everything went back"},
	{RefundReturned, onlyDeposit, []Status{Refunded}, unreturned, OnHold, "the bank sent the refund back; a person decides"},
	{Broke, nil, []Status{Incomplete, PendingUser, PendingUserTransferStart, PendingExternal, PendingAnchor, OnHold, PendingTrust, PendingStellar, PendingUserTransferComplete, NoMarket, TooSmall, TooLarge}, Guard{}, Failed, "a person must look at it"},
	{Retried, nil, []Status{Failed}, funded, PendingAnchor, "a person says: pay again"},
	{Retried, nil, []Status{Failed}, agreed, PendingUserTransferStart, "a person says: wait for the money again"},
	{Retried, nil, []Status{Failed}, unagreed, Incomplete, "a person says: let it be entered again"},
}

// Find returns the table's line for an event on a transaction, if one allows it.
func Find(t *Transaction, ev Event) (Transition, bool) {
	for _, tr := range Table {
		if tr.Event == ev && (tr.Kinds == nil || slices.Contains(tr.Kinds, t.Kind)) &&
			slices.Contains(tr.From, t.status) && (tr.Guard.Holds == nil || tr.Guard.Holds(t)) {
			return tr, true
		}
	}
	return Transition{}, false
}

// Step is one move of a transaction, for its audit trail.
type Step struct {
	Event    Event
	From, To Status
	At       time.Time
}

// fire moves the transaction by the table, or refuses with Conflict.
func (t *Transaction) fire(ev Event, now time.Time) error {
	tr, ok := Find(t, ev)
	if !ok {
		return &Error{Kind: Conflict, Code: "state_refused",
			Message: "a " + string(t.Kind) + " that is " + string(t.status) + " does not allow " + string(ev)}
	}
	now = now.UTC().Truncate(time.Microsecond)
	t.trail = append(t.trail, Step{ev, t.status, tr.To, now})
	t.status, t.UpdatedAt = tr.To, now
	switch tr.To {
	case Completed, Refunded:
		t.CompletedAt = now
	default:
		t.CompletedAt = time.Time{}
	}
	return nil
}

// fireWith gathers facts that the event's guard needs and fires it. A refusal
// leaves the transaction as it was.
func (t *Transaction) fireWith(ev Event, now time.Time, gather func()) error {
	was := *t
	gather()
	err := t.fire(ev, now)
	if err != nil {
		*t = was
	}
	return err
}
