package graph

import (
	"context"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// What staff say of payouts.

// RetryPayout begins anew with a parked payout.
func (m mutation) RetryPayout(ctx context.Context, id, _ string, _ *string) (*anchor.Payout, error) {
	return m.payout(ctx, id, func(tx *store.Tx, _ string, now time.Time) error { return tx.RetryPayout(id, m.Options.Terms, now) })
}

// ApprovePayout is the second pair of eyes.
func (m mutation) ApprovePayout(ctx context.Context, id, _ string, _ *string) (*anchor.Payout, error) {
	return m.payout(ctx, id, func(tx *store.Tx, by string, _ time.Time) error { return tx.ApprovePayout(id, by) })
}

// CancelPayout takes back that money goes back.
func (m mutation) CancelPayout(ctx context.Context, id, _ string, _ *string) (*anchor.Payout, error) {
	return m.payout(ctx, id, func(tx *store.Tx, _ string, now time.Time) error { return tx.CancelPayout(id, now) })
}

// CancelBankPayout takes back that money goes back by the bank.
func (m mutation) CancelBankPayout(ctx context.Context, id, _ string, _ *string) (*anchor.BankPayout, error) {
	return m.order(ctx, id, func(tx *store.Tx, p *anchor.BankPayout, _ string, now time.Time) (string, error) {
		return p.ID, tx.CancelBankPayout(p.ID, now)
	})
}

// payout does something with a payout that is there.
func (m mutation) payout(ctx context.Context, id string, do func(tx *store.Tx, by string, now time.Time) error) (*anchor.Payout, error) {
	id, err := m.act(ctx, func(tx *store.Tx, by string, now time.Time) (store.Act, error) {
		p, err := tx.Payout(id)
		if err != nil {
			return store.Act{}, at("payout", err)
		}
		done := store.Act{Subject: "payout:" + p.ID, Answer: p.ID}
		if p.CauseKind == anchor.CauseTransaction {
			done.Transaction = p.CauseID
		}
		return done, do(tx, by, now)
	})
	if err != nil {
		return nil, err
	}
	return m.Store.Payout(ctx, id)
}

// ApproveBankPayout is the second pair of eyes.
func (m mutation) ApproveBankPayout(ctx context.Context, id, _ string, _ *string) (*anchor.BankPayout, error) {
	return m.order(ctx, id, func(tx *store.Tx, p *anchor.BankPayout, by string, _ time.Time) (string, error) {
		return p.ID, tx.ApproveBankPayout(p.ID, by)
	})
}

// PausePayouts stops all that is new from being paid. Why is in the audit trail,
// since people may be named there.
func (m mutation) PausePayouts(ctx context.Context, _ string, _ *string) ([]*anchor.Pause, error) {
	return m.pause(ctx, anchor.PausedByStaff, func(tx *store.Tx, by string) error {
		return tx.Pause(anchor.PausedByStaff, "staff paused payouts; the audit trail may say why", by)
	})
}

// ResumePayouts ends a pause.
func (m mutation) ResumePayouts(ctx context.Context, pause, _ string, _ *string) ([]*anchor.Pause, error) {
	return m.pause(ctx, pause, func(tx *store.Tx, _ string) error { return tx.Resume(pause) })
}

func (m mutation) pause(ctx context.Context, pause string, do func(tx *store.Tx, by string) error) ([]*anchor.Pause, error) {
	_, err := m.act(ctx, func(tx *store.Tx, by string, _ time.Time) (store.Act, error) {
		return store.Act{Subject: "pause:" + pause, Answer: pause}, at("pause", do(tx, by))
	})
	if err != nil {
		return nil, err
	}
	return query(m).Pauses(ctx)
}

// ExplainOutgoing says what an operation was that the books did not know.
func (m mutation) ExplainOutgoing(ctx context.Context, id string, as anchor.Explanation, payout *string, _ string, _ *string) (*anchor.Outgoing, error) {
	id, err := m.act(ctx, func(tx *store.Tx, by string, now time.Time) (store.Act, error) {
		done := store.Act{Subject: "operation:" + id, Answer: id}
		switch {
		case as != anchor.AsPayout && payout != nil:
			return done, &anchor.Error{Kind: anchor.Invalid, Code: "payout_needless", Field: "payout", Message: "a payout is named only for what paid one"}
		case as != anchor.AsPayout:
			return done, tx.Explain(id, as, by, now)
		case payout == nil:
			return done, &anchor.Error{Kind: anchor.Invalid, Code: "payout_missing", Field: "payout", Message: "name the payout that the operation paid"}
		}
		p, err := tx.Payout(*payout)
		if err != nil {
			return done, at("payout", err)
		}
		if p.CauseKind == anchor.CauseTransaction {
			done.Transaction = p.CauseID
		}
		return done, tx.ExplainAsPayout(id, p.ID, by, now)
	})
	if err != nil {
		return nil, err
	}
	return m.Store.OutgoingByID(ctx, id)
}
