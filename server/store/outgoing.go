package store

import (
	"context"
	"strconv"
	"time"

	"windlass/server/anchor"
)

const outgoingColumns = `id, seq, account, destination, asset, amount, memo_type, memo, hash, ledger, at, explained, payout_id, explained_by, explained_at, balance_id, claim_back_at`

func scanOutgoing(r scanner, _ *Keys) (*anchor.Outgoing, error) {
	var (
		o                  anchor.Outgoing
		asset              string
		seq, at, byt, back int64
	)
	err := r.Scan(&o.ID, &seq, &o.Account, &o.Destination, &asset, &o.Amount, &o.Memo.Type, &o.Memo.Value, &o.Hash, &o.Ledger, &at,
		&o.Explained, &o.Payout, &o.By, &byt, &o.BalanceID, &back)
	if err != nil {
		return nil, err
	}
	o.At, o.ByAt, o.ClaimBackAt = instant(at), instant(byt), instant(back)
	if asset != "" {
		o.Asset, err = anchor.ParseAsset(asset)
	}
	return &o, err
}

// Outgoing lists operations that left an account of ours and that the books did
// not know; those that nobody has explained only if so asked.
func (s *Store) Outgoing(ctx context.Context, open bool, p Page) (all []*anchor.Outgoing, end string, err error) {
	return outgoing(s.reader(ctx), open, p)
}

func outgoing(src source, open bool, p Page) (all []*anchor.Outgoing, end string, err error) {
	var w where
	if open {
		w.add(`explained = ''`)
	}
	return outgoingList.page(src, w, p)
}

// Outgoing loads one operation.
func (t *Tx) Outgoing(id string) (*anchor.Outgoing, error) {
	return one(t, "operation", scanOutgoing, `SELECT `+outgoingColumns+` FROM outgoing WHERE id = $1`, id)
}

// LeftUnexplained writes down that an operation, which the books do not know,
// took something from an account of ours: it goes to suspense, and payouts pause
// until somebody has explained it. One that is written down already changes
// nothing.
func (t *Tx) LeftUnexplained(o *anchor.Outgoing) error {
	seq, err := strconv.ParseInt(o.ID, 10, 64)
	if err != nil {
		return &anchor.Error{Kind: anchor.Internal, Message: "operation id " + o.ID + " is not a paging token"}
	}
	res, err := t.exec(`INSERT INTO outgoing (`+outgoingColumns+`) VALUES (`+placeholders(17)+`) ON CONFLICT (id) DO NOTHING`,
		o.ID, seq, o.Account, o.Destination, o.Asset.String(), o.Amount, o.Memo.Type, o.Memo.Value, o.Hash, o.Ledger, micros(o.At), "", "", "", 0, o.BalanceID, micros(o.ClaimBackAt))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	if err := t.Pause(anchor.PausedUnexplained, "money left an account of ours by an operation that these books do not know: match it to a payout, or say what it was", string(t.actor)); err != nil {
		return err
	}
	if o.Amount == 0 || o.Asset == (anchor.Asset{}) {
		return nil
	}
	return t.Post(o.At, anchor.Move(anchor.LeftUnexplained, "", o.Hash, o.Asset, o.Amount, anchor.Distribution, anchor.Suspense))
}

// ExplainAsPayout says that an operation paid an intent which these books have
// as not paid: queued, waiting, parked or to be approved, with the same source,
// destination, asset and amount. The intent is paid by it and its cause goes on,
// as if the books had made it. by is the actor who says so.
func (t *Tx) ExplainAsPayout(operation, payout, by string, now time.Time) error {
	o, err := t.Outgoing(operation)
	if err != nil {
		return err
	}
	p, err := t.Payout(payout)
	if err != nil {
		return err
	}
	if err := o.Pays(p); err != nil {
		return err
	}
	p.State, p.Reason, p.NotBefore, p.ResultID = anchor.PayoutPaid, "", o.ClaimBackAt, o.BalanceID
	switch {
	case o.BalanceID != "":
		p.Operation = anchor.PayClaimable
	case p.Operation == anchor.PayClaimable:
		p.Operation = anchor.PayPayment
	}
	if err := t.SavePayout(p); err != nil {
		return err
	}
	if err := t.Post(o.At, anchor.Move(anchor.LeftExplained, "", o.Hash, o.Asset, o.Amount, anchor.Suspense, anchor.Distribution),
		p.Sent(o.Hash), p.Arrived(o.Hash)); err != nil {
		return err
	}
	switch {
	case p.CauseKind == anchor.CauseTransaction && p.Purpose == anchor.ForPayout:
		err = t.paidBefore(p, o, now)
	case p.Purpose == anchor.ForRefund:
		_, err = t.RefundArrived(p.CauseKind, p.CauseID, o.Hash, p.Amount, p.Fee, now)
	}
	if err != nil {
		return err
	}
	o.Payout = p.ID
	return t.explain(o, anchor.AsPayout, by, now)
}

// paidBefore completes the deposit that an operation has paid. What the ledger
// shows is a fact: a status that does not allow it keeps it all the same.
func (t *Tx) paidBefore(p *anchor.Payout, o *anchor.Outgoing, now time.Time) error {
	a, err := t.Transaction(p.CauseID)
	if err != nil {
		return err
	}
	if o.BalanceID != "" && !a.PaidOut() {
		a.BalanceID = o.BalanceID
		if !o.ClaimBackAt.IsZero() {
			if err := t.CreatePayout(p.Reclaim(NewID(), now)); err != nil {
				return err
			}
		}
	}
	again := map[anchor.Status]func(time.Time) error{anchor.PendingTrust: a.TrustReady, anchor.OnHold: a.Release}
	if step := again[a.Status()]; step != nil {
		if err := step(now); err != nil {
			return err
		}
	}
	if a.Status() == anchor.PendingAnchor {
		if err := a.PayoutSigned(now); err != nil {
			return err
		}
	}
	_ = a.PaidOnLedger(o.Hash, o.At, now)
	return t.SaveTransaction(a)
}

// TookBack says that an operation, which the books do not know, took back a
// claimable balance for its source. If an intent was to do that, it has: also one
// that was given up because the balance was gone. It reports whether one was.
func (t *Tx) TookBack(balance, source, hash string, at time.Time) (bool, error) {
	all, err := list(t, scanPayout, `SELECT `+payoutColumns+` FROM payouts WHERE result_id = $1 AND purpose = 'reclaim' AND result_id <> ''`, balance)
	if err != nil {
		return false, err
	}
	for _, p := range all {
		if p.Source != source || !p.State.Open() && p.State != anchor.PayoutCancelled {
			continue
		}
		p.State, p.Reason, p.NotBefore = anchor.PayoutPaid, "", time.Time{}
		if err := t.SavePayout(p); err != nil {
			return false, err
		}
		if err := t.Post(at, p.Arrived(hash)); err != nil {
			return false, err
		}
		a, err := t.Transaction(p.CauseID)
		if err != nil {
			return false, err
		}
		_ = a.Reclaimed(time.Now()) // a status that does not allow it keeps the fact: the journal owes it
		return true, t.SaveTransaction(a)
	}
	return false, nil
}

// Explain says what an operation was that paid no intent: a loss, or the
// operator's own movement. by is the actor who says so.
func (t *Tx) Explain(operation string, as anchor.Explanation, by string, now time.Time) error {
	against := as.Against()
	if against == "" {
		return &anchor.Error{Kind: anchor.Invalid, Field: "as", Message: "expected loss or own; for a payout name the payout"}
	}
	o, err := t.Outgoing(operation)
	if err != nil {
		return err
	}
	if o.Explained != "" {
		return &anchor.Error{Kind: anchor.Conflict, Code: "explained", Message: "the operation is explained already"}
	}
	if o.Amount != 0 && o.Asset != (anchor.Asset{}) {
		if err := t.Post(now, anchor.Move(anchor.LeftExplained, "", o.Hash, o.Asset, o.Amount, anchor.Suspense, against)); err != nil {
			return err
		}
	}
	return t.explain(o, as, by, now)
}

// explain writes an explanation down. The last one ends the pause.
func (t *Tx) explain(o *anchor.Outgoing, as anchor.Explanation, by string, now time.Time) error {
	if err := t.change(`UPDATE outgoing SET explained = $1, payout_id = $2, explained_by = $3, explained_at = $4 WHERE id = $5 AND explained = ''`,
		as, o.Payout, by, micros(now), o.ID); err != nil {
		return err
	}
	open, _, err := outgoing(t, true, Page{Limit: 1})
	if err != nil || len(open) > 0 {
		return err
	}
	err = t.resume(anchor.PausedUnexplained)
	switch {
	case err == nil: // it follows from the explanation, and nobody wished for it by itself
		return t.Audit("resumed", "", "pause:"+anchor.PausedUnexplained, "", now)
	case anchor.KindOf(err) == anchor.NotFound:
		return nil
	}
	return err
}
