package payout

import (
	"context"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// The reasons why an intent waits for its destination, or needs to do so no more.
const (
	noAccount     = "no_account"
	noTrust       = "no_trust"
	notAuthorized = "not_authorized"
	lineFull      = "line_full"
	doneAlready   = "done_already" // somebody else did it, or its time is over
)

// outlook is what the ledger says about an intent's destination.
type outlook struct {
	operation anchor.Operation // that reaches it
	obstacle  string           // why none does; "" if one does
	over      bool             // there is nothing left to do
	help      *anchor.Payout   // what we can do about what is in the way, nil if nothing
}

// plain reports whether an intent can be paid just as it is.
func (o outlook) plain(p *anchor.Payout) bool {
	return o.obstacle == "" && !o.over && o.help == nil && o.operation == p.Operation
}

// look asks the ledger what becomes of an intent. Only a payout can be helped:
// whoever it is for was promised that.
func (e *Engine) look(ctx context.Context, p *anchor.Payout) (outlook, error) {
	o := outlook{operation: p.Operation}
	if p.Operation == anchor.PayReclaim {
		if there, err := e.ledger.HasClaimableBalance(ctx, p.ResultID); err != nil || there {
			return o, err
		}
		// Whether the customer has it, or books that these have forgotten took it
		// back, is known once the ledger was read.
		pauses, err := e.store.Pauses(ctx)
		o.over = len(pauses) == 0 && !e.doubt.isOn()
		return o, err
	}
	a, err := e.ledger.Account(ctx, p.Destination.Account())
	if err != nil && anchor.KindOf(err) != anchor.NotFound {
		return o, err
	}
	if err != nil {
		a = nil
	}
	switch {
	case p.PaysOut():
		return e.lookOut(ctx, p, a)
	case p.Purpose == anchor.ForRefund:
		o.operation, o.obstacle = reaches(p, a)
	case p.Operation == anchor.PayCreate:
		o.over = a != nil
	case p.Operation == anchor.PayAuthorize:
		if a != nil {
			line, ok := a.Balance(p.Asset)
			o.over = !ok || line.Authorized
		}
	default:
		o.obstacle = inTheWay(p, a)
	}
	return o, nil
}

// inTheWay is why a payment to an account would fail; "" if it would not. The
// account is nil if there is none.
func inTheWay(p *anchor.Payout, a *horizon.Account) string {
	switch {
	case a == nil:
		return noAccount
	case a.ID == p.Asset.Issuer:
		return ""
	}
	line, ok := a.Balance(p.Asset)
	switch {
	case !ok:
		return noTrust
	case !line.Authorized:
		return notAuthorized
	case line.Room() < p.Amount:
		return lineFull
	}
	return ""
}

// reaches is the operation by which a payment reaches an account, and why it does
// not. Lumens make the account themselves: whoever merged theirs into ours has
// none any more. Its user's id would be lost.
func reaches(p *anchor.Payout, a *horizon.Account) (by anchor.Operation, obstacle string) {
	obstacle = inTheWay(p, a)
	_, muxed := p.Destination.MuxedID()
	if obstacle == noAccount && p.Asset.IsNative() && !muxed && p.Amount >= 2*baseReserve {
		return anchor.PayCreate, ""
	}
	return anchor.PayPayment, obstacle
}

// lookOut is look for a payout.
func (e *Engine) lookOut(ctx context.Context, p *anchor.Payout, a *horizon.Account) (outlook, error) {
	var o outlook
	o.operation, o.obstacle = reaches(p, a)
	terms, now := e.terms[p.Asset], time.Now()
	if terms == nil {
		terms = &anchor.Terms{}
	}
	switch {
	case o.obstacle == noAccount && p.Asset.IsNative():
		// They are too few to make the account, or its user's id would be lost.
		return e.claimable(ctx, p, o)
	case o.obstacle == noAccount && terms.CreateAccount > 0:
		o.help = p.Gift(store.NewID(), anchor.ForCreate, terms.CreateAccount, now)
	case o.obstacle == noTrust:
		if terms.TopUp > 0 && spendable(a) < baseReserve {
			o.help = p.Gift(store.NewID(), anchor.ForTopUp, terms.TopUp, now)
		}
		return e.claimable(ctx, p, o)
	case o.obstacle == notAuthorized && e.sources[p.Asset.Issuer] != nil:
		// Whom the issuer lets keep what they have was authorized before, and is
		// not any more: that was somebody's decision.
		if line, _ := a.Balance(p.Asset); !line.Maintains {
			o.help = p.Authorize(store.NewID(), 0, now)
		}
	}
	return o, nil
}

// claimable has a payout made as a claimable balance, if its wallet can claim one. A
// balance whose customer needs a permission could not be claimed, and what is
// claimed has no muxed id.
func (e *Engine) claimable(ctx context.Context, p *anchor.Payout, o outlook) (outlook, error) {
	if _, muxed := p.Destination.MuxedID(); muxed || e.Authorizers[p.Asset.Issuer] != nil {
		return o, nil
	}
	t, err := e.store.Transaction(ctx, p.CauseID)
	if err == nil && t.ClaimableBalance {
		o.operation, o.obstacle = anchor.PayClaimable, ""
	}
	return o, err
}

// assist writes down what was found to help a payout, unless it was tried before.
func assist(tx *store.Tx, help *anchor.Payout) error {
	if help == nil {
		return nil
	}
	before, err := tx.PayoutsOf(help.CauseKind, help.CauseID, help.Purpose)
	if err != nil {
		return err
	}
	for _, b := range before {
		if b.State != anchor.PayoutCancelled { // it is on its way, was given, or somebody undid it
			return nil
		}
	}
	help.Ordinal = len(before)
	return tx.CreatePayout(help)
}

// reshape gives a queued payout the operation that reaches its destination. It
// reports false if the payout is no longer what it was.
func (e *Engine) reshape(ctx context.Context, p *anchor.Payout, o outlook) (ok bool, err error) {
	if o.operation == p.Operation && o.help == nil {
		return true, nil
	}
	err = e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		cur, err := tx.Payout(p.ID)
		if ok = err == nil && cur.State == anchor.PayoutQueued; !ok {
			return err
		}
		cur.Operation = o.operation
		if err := tx.SavePayout(cur); err != nil {
			return err
		}
		return assist(tx, o.help)
	})
	p.Operation = o.operation
	return ok, err
}

// cancel ends an intent that has nothing left to do.
func (e *Engine) cancel(ctx context.Context, p *anchor.Payout) error {
	return e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		cur, err := tx.Payout(p.ID)
		if err != nil || cur.State != anchor.PayoutQueued && cur.State != anchor.PayoutWaiting {
			return err
		}
		cur.State, cur.Reason = anchor.PayoutCancelled, doneAlready
		return tx.SavePayout(cur)
	})
}
