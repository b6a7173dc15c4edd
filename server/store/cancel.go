package store

import (
	"time"

	"windlass/server/anchor"
)

// CancelPayout takes back, by a person's word, the decision that money goes back
// on the ledger, while no envelope has the intent and none can have it any more:
// it waits, is parked, or nobody has approved it. An unmatched payment is so again,
// and can be refunded by a next intent; for a withdrawal see anchor's
// Transaction.UndoRefund. What pays out is not cancelled: its transaction is held,
// or refunded. Nothing is cancelled while an operation has left us that nobody has
// explained: it may be this.
func (t *Tx) CancelPayout(id string, now time.Time) error {
	p, err := t.Payout(id)
	if err != nil {
		return err
	}
	switch {
	case p.Purpose != anchor.ForRefund:
		return notARefund
	case p.State == anchor.PayoutCancelled:
		return cancelledAlready
	case p.State == anchor.PayoutPaid:
		return &anchor.Error{Kind: anchor.Conflict, Code: "paid_already", Message: "it has gone back already"}
	case !p.State.Open():
		return underWay("payout", p.ID)
	}
	if err := t.allExplained(); err != nil {
		return err
	}
	p.State, p.Reason, p.NotBefore = anchor.PayoutCancelled, anchor.ByHand, time.Time{}
	if err := t.SavePayout(p); err != nil {
		return err
	}
	if p.CauseKind == anchor.CausePayment {
		return t.keepPayment(p, now)
	}
	return t.undoRefund(p.CauseID, p.Amount, p.Fee, p.FeeBack, now)
}

// CancelBankPayout is CancelPayout for an order to the bank which the bank never
// got and cannot get any more, or has refused or given back.
func (t *Tx) CancelBankPayout(id string, now time.Time) error {
	p, err := t.BankPayout(id)
	if err != nil {
		return err
	}
	switch {
	case p.Purpose != anchor.ForRefund:
		return notARefund
	case p.State == anchor.BankCancelled:
		return cancelledAlready
	case p.State == anchor.BankPaid:
		return &anchor.Error{Kind: anchor.Conflict, Code: "paid_already", Message: "the bank has paid it already"}
	case p.State == anchor.BankRefused:
		next, err := t.retryOf(p)
		if err != nil {
			return err
		}
		if next != nil {
			return retriedAlready(next)
		}
	case !p.Stoppable():
		return underWay("order", p.ID)
	}
	if err := t.allExplained(); err != nil {
		return err
	}
	p.State, p.Reason, p.NotBefore = anchor.BankCancelled, anchor.ByHand, time.Time{}
	if err := t.SaveBankPayout(p); err != nil {
		return err
	}
	if p.CauseKind == anchor.CauseLine {
		return t.keepLine(p, now)
	}
	return t.undoRefund(p.CauseID, p.Amount, p.Fee, p.FeeBack, now)
}

var (
	notARefund = &anchor.Error{Kind: anchor.Conflict, Code: "not_a_refund",
		Message: "only what brings money back is cancelled; to stop a payout hold its transaction, to end it refund that"}
	cancelledAlready = &anchor.Error{Kind: anchor.Conflict, Code: "cancelled_already", Message: "it is cancelled already"}
)

// keepPayment makes a payment unmatched again that was to go back by an intent.
// A person decides about it, no policy.
func (t *Tx) keepPayment(refund *anchor.Payout, now time.Time) error {
	p, err := t.Payment(refund.CauseID)
	if err != nil {
		return err
	}
	p.State, p.DecideAt = anchor.Unmatched, time.Time{}
	if err := t.SavePayment(p); err != nil {
		return err
	}
	return t.Post(now, anchor.StaysHere(p.Hash, p.Asset, p.Amount, refund.Fee))
}

// keepLine is keepPayment for a line of the bank's statement.
func (t *Tx) keepLine(refund *anchor.BankPayout, now time.Time) error {
	l, err := t.BankLine(refund.CauseID)
	if err != nil {
		return err
	}
	l.State, l.DecideAt = anchor.Unmatched, time.Time{}
	if err := t.SaveBankLine(l); err != nil {
		return err
	}
	return t.Post(now, anchor.StaysHere(l.ID, l.Asset, l.Amount, refund.Fee))
}

// undoRefund takes back a transaction's refund. If there is more to pay out by
// that, what was to pay the rest ends too: a release, or a retry, makes the next
// one, which the limits judge by what it is then.
func (t *Tx) undoRefund(id string, amount, fee anchor.Amount, feeBack []anchor.FeeLine, now time.Time) error {
	a, err := t.Transaction(id)
	if err != nil {
		return err
	}
	before := a.AmountOut
	entry, err := a.UndoRefund(amount, fee, feeBack, now)
	if err != nil {
		return err
	}
	if a.AmountOut != before {
		if err := t.endPayouts(a); err != nil {
			return err
		}
	}
	if err := t.Post(now, entry); err != nil {
		return err
	}
	return t.SaveTransaction(a)
}

// endPayouts cancels what was to pay a transaction out. It is refused while
// something may be paid.
func (t *Tx) endPayouts(a *anchor.Transaction) error {
	orders, err := t.BankPayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForPayout)
	if err != nil {
		return err
	}
	for _, o := range orders {
		switch {
		case o.State == anchor.BankRefused || o.State == anchor.BankCancelled:
			continue
		case o.Stoppable():
			o.State = anchor.BankCancelled
		default:
			return underWay("order", o.ID)
		}
		if err := t.SaveBankPayout(o); err != nil {
			return err
		}
	}
	intents, err := t.PayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForPayout)
	if err != nil {
		return err
	}
	for _, p := range intents {
		switch {
		case p.State == anchor.PayoutInEnvelope:
			return underWay("payout", p.ID)
		case !p.State.Open(): // one that was paid has come back, else it would be refused above
			continue
		}
		p.State = anchor.PayoutCancelled
		if err := t.SavePayout(p); err != nil {
			return err
		}
	}
	return nil
}
