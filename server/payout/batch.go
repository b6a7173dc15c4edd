package payout

import (
	"context"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// checksAtOnce bounds how many destinations of a batch are looked at together.
const checksAtOnce = 8

// split makes batches for up to n channels, oldest intents first. A batch has
// one source and one memo, since a Stellar transaction has one memo, and at
// most one payment to an account. An intent that spoiled a batch before goes
// alone, so that it cannot spoil another.
func split(due []*anchor.Payout, n int) [][]*anchor.Payout {
	type kind struct {
		source string
		memo   anchor.Memo
		alone  string
	}
	type batch struct {
		kind  kind
		to    map[string]bool
		batch []*anchor.Payout
	}
	var all []*batch
	open := map[kind][]*batch{}
next:
	for _, p := range due {
		k := kind{source: p.Source, memo: p.Memo}
		if p.Reason != "" {
			k.alone = p.ID
		}
		to := p.Destination.Account()
		if p.Operation == anchor.PayReclaim {
			to = p.ResultID // all of them come back to us, and none disturbs another
		}
		for _, b := range open[k] {
			if len(b.batch) < anchor.MaxBatch && !b.to[to] {
				b.batch, b.to[to] = append(b.batch, p), true
				continue next
			}
		}
		if len(all) == n {
			continue
		}
		b := &batch{kind: k, to: map[string]bool{to: true}, batch: []*anchor.Payout{p}}
		all, open[k] = append(all, b), append(open[k], b)
	}
	batches := make([][]*anchor.Payout, len(all))
	for i, b := range all {
		batches[i] = b.batch
	}
	return batches
}

// The reasons why an intent is parked. Those of the ledger begin with op_.
const (
	parkedOften  = "attempts_used_up"
	parkedAmount = "amount_changed"
	parkedLate   = "trust_deadline"  // its destination could not take it in time
	parkedOwn    = "own_account"     // it would go to an account of ours
	parkedBuild  = "cannot_be_built" // no operation can be made of it
)

// fit looks at each intent of a batch and returns those that can be paid now.
// The others are put where they belong. It asks the ledger before the ledger
// has to refuse, because one bad operation fails its whole batch.
func (e *Engine) fit(ctx context.Context, batch []*anchor.Payout) ([]*anchor.Payout, error) {
	outlooks, errs := make([]outlook, len(batch)), make([]error, len(batch))
	ready := make([]bool, len(batch))
	e.each(len(batch), func(i int) {
		if ready[i], errs[i] = e.ready(ctx, batch[i]); !ready[i] || errs[i] != nil {
			return
		}
		if e.lookout.knows(batch[i].ID) {
			outlooks[i].operation = batch[i].Operation
		} else {
			outlooks[i], errs[i] = e.look(ctx, batch[i])
		}
	})
	var good []*anchor.Payout
	for i, p := range batch {
		switch {
		case errs[i] != nil:
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			// This one alone is in trouble (or all are, which comes to the same):
			// it comes back later, and does not keep the others.
			e.logger.WarnContext(ctx, "a destination cannot be looked at", "payout", p.ID, "error", errs[i])
			if err := e.postpone(ctx, p, 5*e.Retry); err != nil {
				return nil, err
			}
		case !ready[i]:
		case outlooks[i].over:
			if err := e.cancel(ctx, p); err != nil {
				return nil, err
			}
		case outlooks[i].obstacle != "":
			if err := e.obstructed(ctx, p, outlooks[i]); err != nil {
				return nil, err
			}
		default:
			ok, err := e.reshape(ctx, p, outlooks[i])
			if err != nil {
				return nil, err
			}
			if ok {
				good = append(good, p)
			}
		}
	}
	return good, nil
}

// each runs fn for 0 to n-1, some at once.
func (e *Engine) each(n int, fn func(int)) { together(n, checksAtOnce, fn) }

// ready reports whether the books still want the intent paid now.
func (e *Engine) ready(ctx context.Context, p *anchor.Payout) (bool, error) {
	if e.sources[p.Source] == nil {
		e.raise(ctx, "no_key "+p.Source, "payouts from "+p.Source+" wait: its key is not configured")
		return false, e.postpone(ctx, p, time.Minute)
	}
	if e.own[p.Destination.Account()] && p.Purpose != anchor.ForReclaim {
		return false, e.park(ctx, p, parkedOwn)
	}
	if !p.PaysOut() {
		return true, nil
	}
	a, err := e.store.Transaction(ctx, p.CauseID)
	switch {
	case err != nil:
		return false, err
	case a.PaidOut() || a.Status() == anchor.Refunded || a.AmountOut != p.Amount:
		return false, e.park(ctx, p, parkedAmount)
	case a.Status() != anchor.PendingAnchor:
		// Held, or parked by a person: the intent waits for the decision.
		return false, e.postpone(ctx, p, 10*e.Poll)
	}
	return true, nil
}

// unbuildable sees to intents of which no envelope can be made. One of them is
// at fault: they go alone from now on, and one that is alone is parked.
func (e *Engine) unbuildable(ctx context.Context, batch []*anchor.Payout, cause error) error {
	e.logger.ErrorContext(ctx, "an envelope cannot be built", "intents", len(batch), "error", cause)
	if len(batch) == 1 {
		return e.park(ctx, batch[0], parkedBuild)
	}
	return e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		for _, p := range batch {
			cur, err := tx.Payout(p.ID)
			if err != nil {
				return err
			}
			if cur.State != anchor.PayoutQueued {
				continue
			}
			cur.Reason = parkedBuild
			if err := tx.SavePayout(cur); err != nil {
				return err
			}
		}
		return nil
	})
}

// postpone leaves an intent queued for a while.
func (e *Engine) postpone(ctx context.Context, p *anchor.Payout, d time.Duration) error {
	return e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		cur, err := tx.Payout(p.ID)
		if err != nil || cur.State != p.State {
			return err
		}
		cur.NotBefore = time.Now().Add(d)
		return tx.SavePayout(cur)
	})
}
