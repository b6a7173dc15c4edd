package incoming

import (
	"context"
	"slices"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

const (
	// decideBatch is how many payments are decided about in one update.
	decideBatch = 100
	// decideAgain is when a short payment is looked at again whose transaction
	// still waits for money, though nobody said that it has ended.
	decideAgain = time.Minute
)

// What becomes of unmatched money by itself. A payment that a policy sends back
// gets a time at which it is decided about, when it is booked; all others wait
// for a person, whatever the policies are later. So a change of policy moves
// nothing that is old.
//
// Two anchors can send one payment to and fro for ever. What keeps us out of it:
// what came back (a memo of kind return, or perhaps of kind hash) is never sent
// back, nor is what answers a refund of ours; and in any case a sender gets only so
// many in a day.

// termsOf finds the terms of an asset on the ledger, nil if it is not offered.
func (in *Incoming) termsOf(asset anchor.Asset) *anchor.Terms {
	i := slices.IndexFunc(in.Terms, func(t *anchor.Terms) bool { return t.Asset == asset })
	if i < 0 {
		return nil
	}
	return in.Terms[i]
}

// decideAt is when the policy decides about a payment that could not be matched:
// now, or a short one once nothing waits for more. It is zero where a person does.
func (f *follower) decideAt(p horizon.Payment, reason string, meant *anchor.Transaction) time.Time {
	receives := slices.ContainsFunc(f.Terms, func(t *anchor.Terms) bool { return t.Account == f.account })
	r := row(p, anchor.Unmatched, reason)
	r.Memo = p.Memo // a muxed address hides it
	if _, refund := f.Policies.Refunds(reason, f.termsOf(p.Asset), p.Asset, p.Amount); !receives || !refund || !r.Returnable() {
		return time.Time{}
	}
	if reason == string(anchor.Short) && meant.Deadline.After(p.At) {
		return meant.Deadline
	}
	return p.At
}

func (in *Incoming) decideLoop(ctx context.Context) {
	wake, stop := in.store.Watch(store.TopicUnmatched)
	defer stop()
	for ctx.Err() == nil {
		more, err := in.Decide(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			in.logger.ErrorContext(ctx, "deciding about unmatched payments", "error", err)
		}
		if more && err == nil {
			continue
		}
		timer := time.NewTimer(in.DecideEvery)
		select {
		case <-wake:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Decide sends back the unmatched payments whose time has come. more says that
// there may be more of them. It can stop anywhere, and be done again.
func (in *Incoming) Decide(ctx context.Context, now time.Time) (more bool, err error) {
	due, err := in.store.Undecided(ctx, now, decideBatch)
	if err != nil || len(due) == 0 {
		return false, err
	}
	if err := in.decideAll(ctx, due, now); err == nil || ctx.Err() != nil {
		return len(due) == decideBatch, err
	}
	for _, p := range due { // one of them spoils it for the others
		err := in.decideAll(ctx, []*anchor.Payment{p}, now)
		if err != nil && anchor.KindOf(err) == anchor.Internal {
			return false, err
		}
		if err != nil {
			in.logger.ErrorContext(ctx, "a payment cannot go back by itself, and waits for a person", "payment", p.ID, "error", err)
			if err := in.hold(ctx, p.ID); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

func (in *Incoming) decideAll(ctx context.Context, due []*anchor.Payment, now time.Time) error {
	return in.store.Update(ctx, store.Clock, func(tx *store.Tx) error {
		for _, d := range due {
			if err := in.decide(tx, d.ID, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// decide sends a payment back, leaves it to a person, or lets it wait for more.
func (in *Incoming) decide(tx *store.Tx, id string, now time.Time) error {
	p, err := tx.Payment(id)
	if err != nil || p.State != anchor.Unmatched || p.DecideAt.IsZero() {
		return err
	}
	if p.Reason == string(anchor.Short) && p.Transaction != "" {
		a, err := tx.Transaction(p.Transaction)
		if err != nil {
			return err
		}
		if a.AwaitsMoney() {
			p.DecideAt = now.Add(decideAgain)
			return tx.SavePayment(p)
		}
	}
	fee, refund, err := in.mayRefund(tx, p, p.Reason, anchor.CausePayment, p.ID, p.Amount, now)
	if err != nil {
		return err
	}
	if refund {
		return tx.RefundPayment(p, fee, "", now)
	}
	p.DecideAt = time.Time{}
	return tx.SavePayment(p)
}

// mayRefund reports whether what a payment brought may go back by itself for a
// reason, and less what fee. If so it is counted.
func (in *Incoming) mayRefund(tx *store.Tx, p *anchor.Payment, reason string, cause anchor.Cause, id string, amount anchor.Amount, now time.Time) (fee anchor.Amount, ok bool, err error) {
	if fee, ok = in.Policies.Refunds(reason, in.termsOf(p.Asset), p.Asset, amount); !ok || !p.Returnable() {
		return 0, false, nil
	}
	if answers, err := tx.AnswersRefund(p, now); err != nil || answers {
		return 0, false, err
	}
	ok, err = tx.CountRefund(cause, id, p.From.Account(), in.Policies.PerSender, now)
	return fee, ok, err
}

func (in *Incoming) hold(ctx context.Context, id string) error {
	return in.store.Update(ctx, store.Clock, func(tx *store.Tx) error {
		p, err := tx.Payment(id)
		if err != nil || p.State != anchor.Unmatched {
			return err
		}
		p.DecideAt = time.Time{}
		return tx.SavePayment(p)
	})
}
