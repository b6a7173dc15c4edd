package rail

import (
	"context"
	"slices"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// What becomes of unmatched credits by itself, as package incoming does it with
// payments on the ledger. A credit that a policy sends back gets a time at which
// it is decided about, when it is booked; all others wait for a person, whatever
// the policies are later. The money goes back to the account it came from, by an
// order to the bank. What answers a refund of ours is never sent back.

// decideAgain is when a short credit is looked at again whose deposit still waits
// for money, though nobody said that it has ended.
const decideAgain = time.Minute

// termsOf are the terms by which a credit is refunded: those of the transaction
// it came for, else the first ones of its money; nil if it is not offered.
func (e *Engine) termsOf(asset anchor.Asset, meant *anchor.Transaction) *anchor.Terms {
	if meant != nil && meant.OffChain == asset && e.terms[meant.Asset] != nil {
		return e.terms[meant.Asset]
	}
	for i := range e.Terms {
		if e.Terms[i].OffChain == asset {
			return e.Terms[i]
		}
	}
	return nil
}

// decideAt is when the policy decides about a credit that stays unmatched: now,
// or a short one once nothing waits for more. It is zero where a person does.
func (e *Engine) decideAt(l *anchor.BankLine, reason string, meant *anchor.Transaction) time.Time {
	if _, refund := e.Policies.Refunds(reason, e.termsOf(l.Asset, meant), l.Asset, l.Amount); !refund || l.Sender() == "" {
		return time.Time{}
	}
	if reason == string(anchor.Short) && meant.Deadline.After(l.At) {
		return meant.Deadline
	}
	return l.At
}

// decideDue sends back the unmatched credits whose time has come. It can stop
// anywhere, and be done again.
func (e *Engine) decideDue(ctx context.Context, _ bool) error {
	for {
		due, err := e.Store.UndecidedLines(ctx, time.Now(), batch)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, l := range due {
			decide := func(decide func(*store.Tx, *anchor.BankLine, time.Time) error) error {
				return e.Store.Update(ctx, store.Clock, func(tx *store.Tx) error {
					l, err := tx.BankLine(l.ID)
					if err != nil || l.State != anchor.Unmatched || l.DecideAt.IsZero() {
						return err
					}
					return decide(tx, l, time.Now())
				})
			}
			err := decide(e.decide)
			if err != nil && anchor.KindOf(err) != anchor.Internal {
				e.Logger.ErrorContext(ctx, "a credit cannot go back by itself, and waits for a person", "line", l.ID, "error", err)
				err = decide(hold)
			}
			if err != nil {
				return err
			}
		}
	}
}

// decide sends a credit back, leaves it to a person, or lets it wait for more.
func (e *Engine) decide(tx *store.Tx, l *anchor.BankLine, now time.Time) error {
	var meant *anchor.Transaction
	if l.Transaction != "" {
		var err error
		if meant, err = tx.Transaction(l.Transaction); err != nil {
			return err
		}
		if l.Reason == string(anchor.Short) && meant.AwaitsMoney() {
			l.DecideAt = now.Add(decideAgain)
			return tx.SaveBankLine(l)
		}
	}
	fee, refund, err := e.mayRefund(tx, l, l.Reason, meant, anchor.CauseLine, l.ID, l.Amount, now)
	if err != nil {
		return err
	}
	if refund {
		return tx.RefundLine(l, fee, "", now)
	}
	return hold(tx, l, now)
}

func hold(tx *store.Tx, l *anchor.BankLine, _ time.Time) error {
	l.DecideAt = time.Time{}
	return tx.SaveBankLine(l)
}

// mayRefund reports whether what a credit brought may go back by itself for a
// reason, and less what fee. If so it is counted.
func (e *Engine) mayRefund(tx *store.Tx, l *anchor.BankLine, reason string, meant *anchor.Transaction, cause anchor.Cause, id string, amount anchor.Amount, now time.Time) (fee anchor.Amount, ok bool, err error) {
	if fee, ok = e.Policies.Refunds(reason, e.termsOf(l.Asset, meant), l.Asset, amount); !ok || l.Sender() == "" {
		return 0, false, nil
	}
	if reason == string(anchor.Second) && meant != nil {
		// What a person confirmed under another name may be this very credit.
		confirmed, err := tx.ConfirmedLines(meant.ID)
		if err != nil || slices.ContainsFunc(confirmed, (*anchor.BankLine).PayerTyped) {
			return 0, false, err
		}
	}
	lately, err := tx.RefundsOfSender(l.Sender(), now)
	if err != nil {
		return 0, false, err
	}
	if slices.ContainsFunc(lately, l.Quotes) { // as our refund's reference
		return 0, false, nil
	}
	ok, err = tx.CountRefund(cause, id, l.Sender(), e.Policies.PerSender, now)
	return fee, ok, err
}

// outside gives money back that came outside the limits, where the policy is to.
func (e *Engine) outside(tx *store.Tx, t *anchor.Transaction, l *anchor.BankLine, arrival anchor.Arrival, now time.Time) error {
	fee, ok, err := e.mayRefund(tx, l, string(arrival), t, anchor.CauseTransaction, t.ID, t.AmountIn, now)
	if err != nil || !ok {
		return err
	}
	return tx.Refund(t, e.terms[t.Asset], t.AmountIn-fee, fee, "", now)
}

// wrongPayer reports whether somebody else than the customer paid, where the
// operator wants that looked at.
func (e *Engine) wrongPayer(tx *store.Tx, t *anchor.Transaction, l *anchor.BankLine) (bool, error) {
	if !e.CheckPayer {
		return false, nil
	}
	d, err := tx.Details(t.ID)
	if err != nil {
		return false, err
	}
	var names []string
	c, err := tx.CustomerOf(t.Owner)
	if err != nil && anchor.KindOf(err) != anchor.NotFound {
		return false, err
	}
	if err == nil {
		names = []string{c.Fields["first_name"], c.Fields["last_name"]}
	}
	return l.PaidBySomebodyElse(d.Answers[store.PayerAccount], names...), nil
}
