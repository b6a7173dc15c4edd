package rail

import (
	"context"
	"errors"
	"sync"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

const (
	// batch is how many orders are read at a time, atOnce how many exchanges
	// with the bank run side by side.
	batch, atOnce = 100, 8
	// maxAsks is how often the bank is asked for one order that it then does
	// not know; after that a person decides.
	maxAsks = 10
	// The time between two looks at an order that the bank has grows with its
	// age, up to followAtMost.
	followAtMost = time.Minute
	// blockedWait is the time between two looks at an order whose transaction
	// does not allow it, because a person holds it.
	blockedWait = 30 * time.Second
)

// Reasons of orders, stable words for staff; the bank has its own.
const (
	reasonUnknown  = "outcome_unknown"   // the bank did not answer: it is looked up
	reasonLost     = "never_arrived"     // the bank was asked often and knows nothing
	reasonNoLookup = "cannot_look_up"    // this bank cannot be asked
	reasonBlocked  = "transaction_stops" // the transaction is held, or was ended
	reasonPaused   = store.ReasonPaused
)

// sendOrders brings every queued order to the bank.
func (e *Engine) sendOrders(ctx context.Context, _ bool) error {
	for {
		due, err := e.Store.BankPayoutsDue(ctx, anchor.BankQueued, time.Now(), batch)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := together(due, func(p *anchor.BankPayout) error { return e.send(ctx, p) }); err != nil {
			return err
		}
	}
}

// followOrders asks what became of orders that the bank has. When the bank
// itself says that there is news, none is left for later.
func (e *Engine) followOrders(ctx context.Context, news bool) error {
	until := time.Now()
	if news {
		until = until.Add(followAtMost)
	}
	asked, err := e.Store.BankPayoutsDue(ctx, anchor.BankAsked, until, batch)
	if err != nil {
		return err
	}
	return together(asked, func(p *anchor.BankPayout) error { return e.follow(ctx, p) })
}

// together does a few at a time and returns all that went wrong.
func together(all []*anchor.BankPayout, do func(*anchor.BankPayout) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(all))
	places := make(chan struct{}, atOnce)
	for i, p := range all {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			errs[i] = do(p)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// send asks the bank for an order. One that it may have been asked for before
// is looked up first.
func (e *Engine) send(ctx context.Context, p *anchor.BankPayout) error {
	var missing time.Time
	if p.Attempts > 0 {
		tr, err := e.lookup(ctx, p.ID)
		switch {
		case errors.Is(err, ErrNoLookup):
			return e.park(ctx, p.ID)
		case err != nil:
			return e.postpone(ctx, p, err)
		case tr.State != Missing:
			return e.record(ctx, p.ID, tr)
		}
		missing = tr.At
	}
	order, err := e.claim(ctx, p.ID, missing)
	if err != nil || order == nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, bankLimit)
	defer cancel()
	tr, err := e.Rail.Pay(asking, *order)
	if err == nil && tr.State == Missing {
		err = errTooLate
	}
	if err != nil {
		p.Attempts++
		return e.postpone(ctx, p, err)
	}
	return e.record(ctx, p.ID, tr)
}

var errTooLate = errors.New("the order reached the bank after the moment until which it may be taken: do the clocks agree?")

func (e *Engine) lookup(ctx context.Context, id string) (Transfer, error) {
	ctx, cancel := context.WithTimeout(ctx, bankLimit)
	defer cancel()
	return e.Rail.Lookup(ctx, id)
}

// claim writes down that the bank is about to be asked, and until when it may take
// the order: whoever finds it after a crash will look it up first. missing is the
// time as of which the bank did not have it, zero if that is not known. claim
// returns nil if the bank must not be asked.
func (e *Engine) claim(ctx context.Context, id string, missing time.Time) (*Order, error) {
	var order *Order
	lost := false
	err := e.Store.Update(ctx, store.BankRail, func(tx *store.Tx) error {
		order, lost = nil, false
		p, t, err := load(tx, id)
		if err != nil || p.State != anchor.BankQueued {
			return err
		}
		if missing.After(p.AskedUntil) {
			p.AskedUntil = time.Time{} // of all that was sent nothing can be taken any more
		}
		// When it is looked at again, if it must not be sent now: as soon as it can be
		// known that nothing of it is on its way.
		again := blockedWait
		if !p.AskedUntil.IsZero() {
			again = min(again, p.AskedUntil.Sub(missing)) + e.Retry
		}
		if p.Attempts >= maxAsks {
			if !p.AskedUntil.IsZero() && p.AskedUntil.Sub(missing) <= 2*e.Valid {
				return wait(tx, p, reasonUnknown, again)
			}
			lost = true
			return parked(tx, p, t, reasonLost)
		}
		if paused, err := tx.Paused(); err != nil {
			return err
		} else if paused {
			return wait(tx, p, reasonPaused, again)
		}
		if p.Payout() {
			if _, ok := anchor.Find(t, anchor.BankTold); !ok {
				return wait(tx, p, reasonBlocked, again)
			}
		}
		if until := time.Now().Add(e.Valid).UTC().Truncate(time.Microsecond); until.After(p.AskedUntil) {
			p.AskedUntil = until
		}
		order = &Order{ID: p.ID, Asset: p.Asset, Amount: p.Amount, To: p.To, Reference: p.CauseID, Until: p.AskedUntil}
		if p.Payout() {
			order.Method = t.Method
		}
		p.Attempts++
		p.Reason = ""
		return tx.SaveBankPayout(p)
	})
	if err == nil && lost {
		e.needsPerson(ctx, id, reasonLost)
	}
	return order, err
}

// wait leaves a queued order for later.
func wait(tx *store.Tx, p *anchor.BankPayout, reason string, long time.Duration) error {
	p.Reason, p.NotBefore = reason, time.Now().Add(long)
	return tx.SaveBankPayout(p)
}

// postpone leaves an order whose outcome is unknown for later. Nothing is
// concluded from silence.
func (e *Engine) postpone(ctx context.Context, p *anchor.BankPayout, cause error) error {
	again := max(e.backoff(p.Attempts), min(time.Since(p.CreatedAt)/4, maxRetry))
	e.Logger.WarnContext(ctx, "the bank does not say what became of an order", "order", p.ID, "error", cause, "again_in", again)
	return e.Store.Update(context.WithoutCancel(ctx), store.BankRail, func(tx *store.Tx) error {
		p, err := tx.BankPayout(p.ID)
		if err != nil || p.State != anchor.BankQueued {
			return err
		}
		return wait(tx, p, reasonUnknown, again)
	})
}

// park leaves an order to a person that this bank cannot be asked about. Nobody but
// the person can know whether the bank has it, however long that is ago.
func (e *Engine) park(ctx context.Context, id string) error {
	e.needsPerson(ctx, id, reasonNoLookup)
	return e.Store.Update(ctx, store.BankRail, func(tx *store.Tx) error {
		p, t, err := load(tx, id)
		if err != nil || p.State != anchor.BankQueued && p.State != anchor.BankApproval {
			return err
		}
		p.AskedUntil = anchor.ForEver
		return parked(tx, p, t, reasonNoLookup)
	})
}

func (e *Engine) needsPerson(ctx context.Context, id, reason string) {
	e.Logger.ErrorContext(ctx, "an order to the bank needs a person", "order", id, "reason", reason)
}

// parked leaves a queued order to a person. The transaction stays where it is.
func parked(tx *store.Tx, p *anchor.BankPayout, t *anchor.Transaction, reason string) error {
	p.State, p.Reason = anchor.BankInDoubt, reason
	if err := tx.SaveBankPayout(p); err != nil || t == nil {
		return err
	}
	t.Note = "parked"
	return tx.SaveTransaction(t)
}

// follow looks at an order that the bank has.
func (e *Engine) follow(ctx context.Context, p *anchor.BankPayout) error {
	tr, err := e.lookup(ctx, p.ID)
	if err != nil || tr.State == Missing {
		e.Logger.WarnContext(ctx, "cannot look up an order that the bank has", "order", p.ID, "state", tr.State, "error", err)
		tr = Transfer{State: Pending}
	}
	if tr.State != Pending && (tr.State != Ready || !tr.Pickup.Same(p.Pickup)) {
		return e.record(ctx, p.ID, tr)
	}
	return e.Store.Update(ctx, store.BankRail, func(tx *store.Tx) error {
		p, t, err := load(tx, p.ID)
		if err != nil || p.State != anchor.BankAsked {
			return err
		}
		// One that a person held, and has let go on, is where it was.
		if p.Pickup != nil && t.Status() != anchor.PendingUserTransferComplete && t.CashReady(p.Pickup.Until, time.Now()) == nil {
			if err := tx.SaveTransaction(t); err != nil {
				return err
			}
		}
		now := time.Now()
		p.NotBefore = now.Add(min(max(now.Sub(p.CreatedAt)/4, e.Poll), followAtMost))
		return tx.SaveBankPayout(p)
	})
}

// record books what the bank made of an order. The money has moved, or not,
// whatever happens here: a transaction that no longer allows the step keeps its
// status, and the rest is booked all the same.
func (e *Engine) record(ctx context.Context, id string, tr Transfer) error {
	out := store.Outcome{BankID: tr.ID, At: tr.At, Reason: tr.Reason}
	switch tr.State {
	case Pending:
		out.State = anchor.BankAsked
	case Ready:
		if tr.Pickup == nil || tr.Pickup.Code == "" {
			return &anchor.Error{Message: "the bank has cash ready and does not say how it is collected: " + id}
		}
		out.State, out.Pickup = anchor.BankAsked, tr.Pickup
	case Settled:
		out.State, out.Reason = anchor.BankPaid, ""
	case Returned:
		out.State = anchor.BankRefused
	case Refused:
		out.State, out.BankID = anchor.BankRefused, ""
	default:
		return &anchor.Error{Message: "the bank's transfer is in an unknown state: " + string(tr.State)}
	}
	// The answer is known and must not be lost because we are told to stop.
	ctx = context.WithoutCancel(ctx)
	var refused error
	err := e.Store.Update(ctx, store.BankRail, func(tx *store.Tx) error {
		refused = nil
		p, err := tx.BankPayout(id)
		if err != nil || p.State != anchor.BankQueued && p.State != anchor.BankAsked && p.State != anchor.BankApproval {
			return err
		}
		if out.Pickup != nil && !p.Payout() {
			return &anchor.Error{Message: "the bank has cash ready for what is no withdrawal: " + id}
		}
		if out.State == anchor.BankRefused {
			p.AskedUntil = time.Time{} // by its own word
		}
		refused, err = tx.RecordBankPayout(p, out, time.Now())
		return err
	})
	if err == nil && refused != nil {
		e.Logger.ErrorContext(ctx, "a transaction does not follow what the bank did with its order", "order", id, "transfer", tr.State, "error", refused)
	}
	return err
}

// load loads an order and, of one that pays a transaction out, the transaction.
func load(tx *store.Tx, id string) (*anchor.BankPayout, *anchor.Transaction, error) {
	p, err := tx.BankPayout(id)
	if err != nil || !p.Payout() {
		return p, nil, err
	}
	t, err := tx.Transaction(p.CauseID)
	return p, t, err
}
