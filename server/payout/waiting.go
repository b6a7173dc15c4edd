package payout

import (
	"context"
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

// lookAgain queues a waiting intent if its destination can take it now.
func (e *Engine) lookAgain(ctx context.Context, p *anchor.Payout) error {
	reason, err := e.obstacle(ctx, p)
	if err != nil {
		return err
	}
	now := time.Now()
	return e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		cur, err := tx.Payout(p.ID)
		if err != nil || cur.State != anchor.PayoutWaiting {
			return err
		}
		a, err := tx.Transaction(cur.CauseID)
		if err != nil {
			return err
		}
		if reason != "" || a.Status() != anchor.PendingTrust && a.Status() != anchor.PendingAnchor {
			// The status is not ours to change while a person holds it.
			cur.NotBefore = now.Add(e.patience(now.Sub(a.UpdatedAt)))
			return tx.SavePayout(cur)
		}
		cur.State, cur.NotBefore = anchor.PayoutQueued, time.Time{}
		if !strings.HasPrefix(cur.Reason, "op_") {
			cur.Reason = "" // it never spoiled a batch, and may join one
		}
		if err := tx.SavePayout(cur); err != nil || a.Status() == anchor.PendingAnchor {
			return err
		}
		if err := a.TrustReady(now); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
}

// patience is when to look again after having waited for so long.
func (e *Engine) patience(waited time.Duration) time.Duration {
	return min(max(waited/10, e.Poll), waitingMost)
}
