package incoming

import (
	"context"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// expireBatch is how many transactions one look expires of each sort.
const expireBatch = 200

func (in *Incoming) expireLoop(ctx context.Context) {
	for wait(ctx, in.ExpireEvery) {
		if err := in.Expire(ctx, time.Now()); err != nil && ctx.Err() == nil {
			in.logger.ErrorContext(ctx, "expiring transactions", "error", err)
		}
	}
}

// Expire ends the transactions whose money never came. Late is judged by where
// money would have come: a withdrawal expires when the ledger was read past its
// deadline, a deposit when the bank's statement was. So downtime makes nobody
// late.
func (in *Incoming) Expire(ctx context.Context, now time.Time) error {
	statement, known, err := in.store.Cursor(ctx, in.Statement)
	if err != nil {
		return err
	}
	if known {
		if err := in.expire(ctx, anchor.Deposit, "", earlier(statement.ReadUntil, now), now); err != nil {
			return err
		}
	}
	// Nobody was told where to pay these.
	if err := in.expire(ctx, anchor.Withdrawal, "", now, now); err != nil {
		return err
	}
	for _, account := range in.Accounts {
		c, known, err := in.store.Cursor(ctx, CursorName(account))
		if err != nil {
			return err
		}
		if !known {
			continue
		}
		if err := in.expire(ctx, anchor.Withdrawal, account, earlier(c.ReadUntil.Add(-in.Margin), now), now); err != nil {
			return err
		}
	}
	return nil
}

func (in *Incoming) expire(ctx context.Context, kind anchor.Kind, account string, before, now time.Time) error {
	due, err := in.store.Expirable(ctx, kind, account, before, expireBatch)
	if err != nil {
		return err
	}
	for _, d := range due {
		err := in.store.Update(ctx, store.Clock, func(tx *store.Tx) error {
			a, err := tx.Transaction(d.ID)
			if err != nil {
				return err
			}
			if a.Deadline.IsZero() || !a.Deadline.Before(before) {
				return nil // somebody was quicker
			}
			if err := a.Expire(now); err != nil {
				return err
			}
			return tx.SaveTransaction(a)
		})
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // the others shall not wait for it
			in.logger.ErrorContext(ctx, "a transaction could not be expired", "transaction", d.ID, "error", err)
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
