package graph

import (
	"context"

	"windlass/server/anchor"
)

// Action is what staff may ask for: the name of a mutation.
type Action string

// The actions.
const (
	AssignPayment          Action = "assignPayment"
	AssignBankLine         Action = "assignBankLine"
	RefundTransaction      Action = "refundTransaction"
	RefundPayment          Action = "refundPayment"
	RefundBankLine         Action = "refundBankLine"
	DismissBankLine        Action = "dismissBankLine"
	Hold                   Action = "hold"
	Release                Action = "release"
	Retry                  Action = "retry"
	Expire                 Action = "expire"
	ConfirmBankFunds       Action = "confirmBankFunds"
	MarkBankPayoutSettled  Action = "markBankPayoutSettled"
	MarkBankPayoutReturned Action = "markBankPayoutReturned"
	RetryBankPayout        Action = "retryBankPayout"
	RetryPayout            Action = "retryPayout"
	ApprovePayout          Action = "approvePayout"
	ApproveBankPayout      Action = "approveBankPayout"
	CancelPayout           Action = "cancelPayout"
	CancelBankPayout       Action = "cancelBankPayout"
	ExplainOutgoing        Action = "explainOutgoing"
	RetryCallback          Action = "retryCallback"
	AcceptCustomer         Action = "acceptCustomer"
	AskCorrection          Action = "askCorrection"
	RejectCustomer         Action = "rejectCustomer"
)

// actionsOf are the actions that a transaction's status allows, and what the
// anchor thinks of its customer.
func actionsOf(t *anchor.Transaction, c *anchor.Customer) []Action {
	var all []Action
	may := func(a Action, allowed bool) {
		if allowed {
			all = append(all, a)
		}
	}
	event := func(a Action, ev anchor.Event) {
		_, ok := anchor.Find(t, ev)
		may(a, ok)
	}
	may(AssignPayment, t.Kind == anchor.Withdrawal && t.MayAssign())
	may(AssignBankLine, t.Kind == anchor.Deposit && t.MayAssign())
	may(RefundTransaction, t.MayRefund() == nil && t.Refundable() > 0)
	may(ConfirmBankFunds, t.Kind == anchor.Deposit && t.AwaitsMoney())
	event(Hold, anchor.HeldForReview)
	event(Release, anchor.ReleasedHold)
	event(Retry, anchor.Retried)
	event(Expire, anchor.DeadlinePassed)
	if c != nil && c.Review != anchor.ReviewNone {
		_, rejectable := anchor.Find(t, anchor.ReviewFailed)
		_, correctable := anchor.Find(t, anchor.CorrectionDue)
		may(AcceptCustomer, rejectable && (t.AwaitsReview() || !c.Decided(anchor.ReviewAccepted))) // from the same statuses
		may(AskCorrection, correctable && c.Review != anchor.ReviewCorrection)
		may(RejectCustomer, c.Review != anchor.ReviewRejected)
	}
	return all
}

// Actions are what may be done with money that arrived.
func (payment) Actions(_ context.Context, p *anchor.Payment) ([]Action, error) {
	if p.State != anchor.Unmatched || p.Amount <= 0 {
		return nil, nil
	}
	if _, err := anchor.ParseAddress(string(p.From)); err != nil {
		return []Action{AssignPayment}, nil // nobody is known who could be paid back
	}
	return []Action{AssignPayment, RefundPayment}, nil
}

// Actions are what may be done with money that arrived.
func (bankLine) Actions(_ context.Context, l *anchor.BankLine) ([]Action, error) {
	if l.State != anchor.Unmatched {
		return nil, nil
	}
	if l.Amount <= 0 {
		return []Action{DismissBankLine}, nil
	}
	if l.PayerAccount == "" {
		return []Action{AssignBankLine}, nil
	}
	return []Action{AssignBankLine, RefundBankLine}, nil
}

// Actions are what may be done with a payout.
func (payout) Actions(_ context.Context, p *anchor.Payout) ([]Action, error) {
	var all []Action
	switch p.State {
	case anchor.PayoutParked:
		all = append(all, RetryPayout)
	case anchor.PayoutApproval:
		all = append(all, ApprovePayout)
	case anchor.PayoutQueued, anchor.PayoutWaiting, anchor.PayoutInEnvelope, anchor.PayoutPaid, anchor.PayoutCancelled:
	}
	if p.Purpose == anchor.ForRefund && p.State.Open() {
		all = append(all, CancelPayout)
	}
	return all, nil
}

// Actions are what may be done with an order to the bank.
func (r bankPayout) Actions(ctx context.Context, p *anchor.BankPayout) ([]Action, error) {
	var all []Action
	stoppable := p.Stoppable()
	switch p.State {
	case anchor.BankAsked, anchor.BankInDoubt:
		all = append(all, MarkBankPayoutSettled, MarkBankPayoutReturned)
	case anchor.BankPaid:
		all = append(all, MarkBankPayoutReturned)
	case anchor.BankRefused:
		if next, err := r.ReplacedBy(ctx, p); next != nil || err != nil {
			return nil, err
		}
		all, stoppable = append(all, RetryBankPayout), true
	case anchor.BankApproval:
		all = append(all, ApproveBankPayout)
	case anchor.BankQueued, anchor.BankCancelled:
	}
	if p.Purpose == anchor.ForRefund && stoppable {
		all = append(all, CancelBankPayout)
	}
	return all, nil
}

// Actions are what may be done with what left.
func (outgoing) Actions(_ context.Context, o *anchor.Outgoing) ([]Action, error) {
	if o.Explained != "" {
		return nil, nil
	}
	return []Action{ExplainOutgoing}, nil
}
