package payout

import (
	"context"
	"errors"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

const (
	waitingBatch = 64               // how many waiting intents one look takes
	waitingMost  = 15 * time.Minute // the longest time between two looks at one
)

// waitingLoop looks at the intents whose destination could not take them: often
// at first, while the customer is likely to be adding the trustline, then less
// and less.
func (e *Engine) waitingLoop(ctx context.Context) {
	for wait(ctx, e.Poll) {
		due, err := e.store.PayoutsDue(ctx, anchor.PayoutWaiting, time.Now(), waitingBatch)
		if err == nil {
			errs := make([]error, len(due))
			e.each(len(due), func(i int) { errs[i] = e.lookAgain(ctx, due[i]) })
			for i := range errs {
				if err == nil {
					err = errs[i]
				}
			}
		}
		if err != nil && ctx.Err() == nil {
			e.logger.WarnContext(ctx, "waiting payouts could not be looked at", "error", err)
		}
	}
}

// lookAgain queues a waiting intent if its destination can take it now. One whose
// destination could not until the deadline goes back to whoever paid.
func (e *Engine) lookAgain(ctx context.Context, p *anchor.Payout) error {
	o, err := e.look(ctx, p)
	if err != nil {
		return err
	}
	if o.over {
		return e.cancel(ctx, p)
	}
	now, overdue := time.Now(), false
	err = e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		overdue = false
		cur, err := tx.Payout(p.ID)
		if err != nil || cur.State != anchor.PayoutWaiting {
			return err
		}
		if !cur.PaysOut() {
			cur.State = anchor.PayoutQueued
			return tx.SavePayout(cur)
		}
		a, err := tx.Transaction(cur.CauseID)
		if err != nil {
			return err
		}
		if overdue = o.obstacle != "" && tooLate(a, now); overdue {
			return nil
		}
		if o.obstacle != "" || a.Status() != anchor.PendingTrust && a.Status() != anchor.PendingAnchor {
			// The status is not ours to change while a person holds it.
			cur.NotBefore = now.Add(e.patience(now.Sub(a.UpdatedAt)))
			if a.Deadline.After(now) && cur.NotBefore.After(a.Deadline) {
				cur.NotBefore = a.Deadline
			}
			if o.obstacle != "" && !spoilt(cur) {
				cur.Reason = o.obstacle
			}
			if err := tx.SavePayout(cur); err != nil {
				return err
			}
			return assist(tx, o.help)
		}
		cur.State, cur.NotBefore, cur.Operation = anchor.PayoutQueued, time.Time{}, o.operation
		if !spoilt(cur) {
			cur.Reason = "" // and it may join a batch
		}
		if err := tx.SavePayout(cur); err != nil {
			return err
		}
		if err := assist(tx, o.help); err != nil || a.Status() == anchor.PendingAnchor {
			return err
		}
		if err := a.TrustReady(now); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
	if err == nil && overdue {
		return e.giveUp(ctx, p, now)
	}
	return err
}

// spoilt reports whether an intent has failed a batch in the ledger, and goes
// alone from then on.
func spoilt(p *anchor.Payout) bool { return strings.HasPrefix(p.Reason, "op_") }

// tooLate reports whether a deposit has waited for its destination long enough.
func tooLate(a *anchor.Transaction, now time.Time) bool {
	return a.Status() == anchor.PendingTrust && !a.Deadline.IsZero() && now.After(a.Deadline)
}

// giveUp gives back what a deposit has brought whose destination could not take
// it until its deadline. Where that cannot be, a person must see to it. It waits
// while nothing may be signed: books that have forgotten a payout would give the
// money back besides.
func (e *Engine) giveUp(ctx context.Context, p *anchor.Payout, now time.Time) error {
	end := func(how func(*store.Tx, *anchor.Payout, *anchor.Transaction) error) error {
		return e.store.Update(ctx, store.Clock, func(tx *store.Tx) error {
			if err := e.stillMaySign(tx); err != nil {
				return err
			}
			cur, err := tx.Payout(p.ID)
			if err != nil || cur.State != anchor.PayoutWaiting {
				return err
			}
			a, err := tx.Transaction(cur.CauseID)
			if err != nil || !tooLate(a, now) {
				return err
			}
			return how(tx, cur, a)
		})
	}
	err := end(func(tx *store.Tx, _ *anchor.Payout, a *anchor.Transaction) error {
		terms := e.terms[a.Asset]
		if terms == nil {
			terms = a.BareTerms() // it is no longer offered
		}
		fee, err := tx.KeptForGift(a)
		if err != nil {
			return err
		}
		return tx.Refund(a, terms, a.Refundable()-fee, fee, "", now)
	})
	if err == nil {
		e.logger.WarnContext(ctx, "a deposit is given back: its destination could not take it until the deadline", "transaction", p.CauseID, "reason", p.Reason)
		return nil
	}
	if errors.Is(err, errNothingNew) {
		return nil
	}
	if anchor.KindOf(err) != anchor.Conflict && anchor.KindOf(err) != anchor.Invalid {
		return err
	}
	e.logger.ErrorContext(ctx, "a deposit whose destination cannot take it cannot be given back either", "transaction", p.CauseID, "payout", p.ID, "error", err)
	return end(func(tx *store.Tx, cur *anchor.Payout, a *anchor.Transaction) error {
		cur.State, cur.Reason = anchor.PayoutParked, parkedLate
		if err := tx.SavePayout(cur); err != nil {
			return err
		}
		if err := a.Fail("parked", now); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
}

// patience is when to look again after having waited for so long.
func (e *Engine) patience(waited time.Duration) time.Duration {
	return min(max(waited/10, e.Poll), waitingMost)
}
