package payout

import (
	"context"
	"errors"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// errChanged says that an intent is no longer what it was when it was chosen.
var errChanged = errors.New("the intent was changed meanwhile")

// record writes a signed envelope down, with its intents' new state, their
// transactions' and the journal's entries. batch is what was signed.
func (e *Engine) record(tx *store.Tx, env *anchor.Envelope, batch []*anchor.Payout) error {
	if err := tx.CreateEnvelope(env); err != nil {
		return err
	}
	for _, signed := range batch {
		p, err := tx.Payout(signed.ID)
		if err != nil {
			return err
		}
		if p.State != anchor.PayoutQueued || p.Amount != signed.Amount || p.Operation != signed.Operation {
			return errChanged
		}
		p.State, p.Envelope, p.ResultID, p.NotBefore = anchor.PayoutInEnvelope, env.ID, signed.ResultID, signed.NotBefore
		p.Attempts++
		if err := tx.SavePayout(p); err != nil {
			return err
		}
		if err := post(tx, env.CreatedAt, p.Sent(env.Hash)); err != nil || !p.PaysOut() {
			if err != nil {
				return err
			}
			continue
		}
		a, err := tx.Transaction(p.CauseID)
		if err != nil {
			return err
		}
		if a.AmountOut != p.Amount {
			return errChanged
		}
		if err := a.PayoutSigned(env.CreatedAt); err != nil {
			return err
		}
		if err := tx.SaveTransaction(a); err != nil {
			return err
		}
	}
	return nil
}

// post leaves out the entry of an intent that moves nothing.
func post(tx *store.Tx, at time.Time, e *anchor.Entry) error {
	if e.Postings[0].Amount == 0 {
		return nil
	}
	return tx.Post(at, e)
}

// paid writes down that an intent was paid by the ledger transaction t.
func (e *Engine) paid(tx *store.Tx, id string, t *horizon.Transaction, now time.Time) error {
	p, err := tx.Payout(id)
	if err != nil {
		return err
	}
	p.State, p.Reason = anchor.PayoutPaid, ""
	if p.Operation != anchor.PayClaimable {
		p.NotBefore = time.Time{}
	}
	if err := tx.SavePayout(p); err != nil {
		return err
	}
	if err := post(tx, t.At, p.Arrived(t.Hash)); err != nil {
		return err
	}
	switch {
	case p.PaysOut():
		return e.paidOut(tx, p, t, now)
	case p.Purpose == anchor.ForRefund:
		refused, err := tx.RefundArrived(p.CauseKind, p.CauseID, t.Listed(), p.Amount, p.Fee, now)
		if refused != nil {
			e.logger.Error("a refund is in the ledger, but its transaction's status does not allow that", "payout", p.ID, "hash", t.Hash, "error", refused)
		}
		return err
	case p.Purpose == anchor.ForReclaim:
		return e.reclaimed(tx, p, t, now)
	}
	return nil
}

// paidOut completes the transaction. The money has left, whatever somebody made
// of it meanwhile: if the status does not allow it, the facts are kept all the
// same.
func (e *Engine) paidOut(tx *store.Tx, p *anchor.Payout, t *horizon.Transaction, now time.Time) error {
	a, err := tx.Transaction(p.CauseID)
	if err != nil {
		return err
	}
	if a.Status() == anchor.PendingAnchor { // a person has retried it while it was on its way
		if err := a.PayoutSigned(now); err != nil {
			return err
		}
	}
	if p.Operation == anchor.PayClaimable && !a.PaidOut() {
		a.BalanceID = p.ResultID
		if !p.NotBefore.IsZero() {
			if err := tx.CreatePayout(p.Reclaim(store.NewID(), now)); err != nil {
				return err
			}
		}
	}
	// Wallets look for the hash that the ledger lists the payment under.
	if err := a.PaidOnLedger(t.Listed(), t.At, now); err != nil {
		e.logger.Error("a payout is in the ledger, but its transaction's status does not allow that", "transaction", a.ID, "status", a.Status(), "hash", t.Hash)
	}
	return tx.SaveTransaction(a)
}

// reclaimed reopens the transaction whose claimable balance nobody claimed.
func (e *Engine) reclaimed(tx *store.Tx, p *anchor.Payout, t *horizon.Transaction, now time.Time) error {
	a, err := tx.Transaction(p.CauseID)
	if err != nil {
		return err
	}
	if err := a.Reclaimed(now); err != nil {
		e.logger.Error("a claimable balance was taken back, but its transaction's status does not allow that", "transaction", a.ID, "status", a.Status(), "hash", t.Hash)
	}
	return tx.SaveTransaction(a)
}

// giveBack writes down that an intent was not paid by an envelope that is dead,
// and what becomes of it.
func (e *Engine) giveBack(tx *store.Tx, id, hash string, f intentFate, now time.Time) error {
	p, err := tx.Payout(id)
	if err != nil {
		return err
	}
	if f.uncounted {
		p.Attempts--
	}
	if f.park == "" && p.Attempts >= e.MaxAttempts {
		f.park = parkedOften
	}
	if f.park == "" && !p.PaysOut() {
		f.park = f.wait // nobody was promised that it waits
	}
	p.State, p.Envelope, p.NotBefore = anchor.PayoutQueued, "", time.Time{}
	if p.Operation == anchor.PayClaimable {
		p.ResultID = ""
	}
	switch {
	case f.cancel != "":
		p.State, p.Reason = anchor.PayoutCancelled, f.cancel
	case f.park != "":
		p.State, p.Reason = anchor.PayoutParked, f.park
	case f.wait != "":
		p.State, p.Reason, p.NotBefore = anchor.PayoutWaiting, f.wait, now.Add(e.Poll+e.backoff(p.Attempts))
	default:
		p.NotBefore = now.Add(f.pause + e.backoff(p.Attempts))
		if f.alone != "" {
			p.Reason = f.alone
		}
	}
	if err := tx.SavePayout(p); err != nil {
		return err
	}
	if err := post(tx, now, p.Returned(hash)); err != nil {
		return err
	}
	if p.State == anchor.PayoutParked {
		e.logger.Error("a payout is parked for a person", "payout", p.ID, "reason", p.Reason)
	}
	if !p.PaysOut() {
		return nil
	}
	return e.cameBack(tx, p, hash, now)
}

// cameBack moves the transaction of a payout that was given back.
func (e *Engine) cameBack(tx *store.Tx, p *anchor.Payout, hash string, now time.Time) error {
	a, err := tx.Transaction(p.CauseID)
	if err != nil {
		return err
	}
	switch p.State {
	case anchor.PayoutParked:
		err = a.Fail("parked", now)
	case anchor.PayoutWaiting:
		err = a.TrustMissing(now.Add(e.TrustWindow), now)
	default:
		err = a.PayoutReturned(now)
	}
	if err != nil {
		// A person has moved the transaction meanwhile. The intent stays with it.
		e.logger.Error("a payout came back, but its transaction's status does not allow that", "transaction", a.ID, "status", a.Status(), "hash", hash)
	} else if err := tx.HoldOfDoubted(a, now); err != nil {
		return err
	}
	return tx.SaveTransaction(a)
}

// backoff is how long an intent waits after that many envelopes: not at all
// after the first, then longer each time.
func (e *Engine) backoff(attempts int) time.Duration {
	if attempts <= 1 {
		return 0
	}
	return min(e.Retry<<min(attempts-1, 10), 10*time.Minute)
}

// park gives an intent that is still queued to a person. One that was changed
// since it was chosen, as a refund of a part does, is looked at anew instead.
func (e *Engine) park(ctx context.Context, p *anchor.Payout, reason string) error {
	return e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		cur, err := tx.Payout(p.ID)
		if err != nil || cur.State != anchor.PayoutQueued || cur.Amount != p.Amount {
			return err
		}
		e.logger.ErrorContext(ctx, "a payout is parked for a person", "payout", p.ID, "reason", reason)
		cur.State, cur.Reason = anchor.PayoutParked, reason
		if err := tx.SavePayout(cur); err != nil || !cur.PaysOut() {
			return err
		}
		a, err := tx.Transaction(cur.CauseID)
		if err != nil {
			return err
		}
		if a.PaidOut() || a.Status().Final() {
			return nil
		}
		if err := a.Fail("parked", time.Now()); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
}

// obstructed lets a payout that was not signed wait for its destination. Any
// other intent is parked: nobody was promised that it waits.
func (e *Engine) obstructed(ctx context.Context, p *anchor.Payout, o outlook) error {
	if !p.PaysOut() {
		return e.park(ctx, p, o.obstacle)
	}
	now := time.Now()
	return e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		cur, err := tx.Payout(p.ID)
		if err != nil || cur.State != anchor.PayoutQueued {
			return err
		}
		a, err := tx.Transaction(cur.CauseID)
		if err != nil {
			return err
		}
		if err := a.TrustMissing(now.Add(e.TrustWindow), now); err != nil {
			return err
		}
		cur.State, cur.Reason, cur.NotBefore = anchor.PayoutWaiting, o.obstacle, now.Add(e.Poll)
		if err := tx.SavePayout(cur); err != nil {
			return err
		}
		if err := assist(tx, o.help); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
}
