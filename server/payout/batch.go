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

// The reasons why an intent waits or is parked.
const (
	noAccount     = "no_account"
	noTrust       = "no_trust"
	notAuthorized = "not_authorized"
	lineFull      = "line_full"
	parkedOften   = "attempts_used_up"
	parkedAmount  = "amount_changed"
)

// fit looks at each intent of a batch and returns those that can be paid now.
// The others are put where they belong. It asks the ledger before the ledger
// has to refuse, because one bad operation fails its whole batch.
func (e *Engine) fit(ctx context.Context, batch []*anchor.Payout) ([]*anchor.Payout, error) {
	obstacles, errs := make([]string, len(batch)), make([]error, len(batch))
	ready := make([]bool, len(batch))
	e.each(len(batch), func(i int) {
		if ready[i], errs[i] = e.ready(ctx, batch[i]); ready[i] && errs[i] == nil && !e.lookout.knows(batch[i].ID) {
			obstacles[i], errs[i] = e.obstacle(ctx, batch[i])
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
		case obstacles[i] != "":
			if err := e.obstructed(ctx, p, obstacles[i]); err != nil {
				return nil, err
			}
		default:
			good = append(good, p)
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
	if !isPayout(p) {
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

// obstacle asks the ledger why an intent's destination cannot take it; "" if it
// can.
func (e *Engine) obstacle(ctx context.Context, p *anchor.Payout) (string, error) {
	a, err := e.ledger.Account(ctx, p.Destination.Account())
	switch {
	case err != nil && anchor.KindOf(err) == anchor.NotFound:
		return noAccount, nil
	case err != nil:
		return "", err
	case a.ID == p.Asset.Issuer:
		return "", nil
	}
	b, ok := a.Balance(p.Asset)
	switch {
	case !ok:
		return noTrust, nil
	case !b.Authorized:
		return notAuthorized, nil
	case b.Room() < p.Amount:
		return lineFull, nil
	}
	return "", nil
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
