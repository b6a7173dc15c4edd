package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"windlass/server/anchor"
)

// orderID names an order to the bank by what it is for: books that have
// forgotten it, because they are yesterday's, name it the same, and the bank,
// whose idempotency key it is, pays it once. It begins with a time like other
// ids, the cause's, so that orders are listed about as they were made.
func orderID(kind anchor.Cause, id string, purpose anchor.Purpose, ordinal int, began time.Time) string {
	u := uuid.NewHash(sha256.New(), uuid.Nil, fmt.Appendf(nil, "%s/%s/%s/%d", kind, id, purpose, ordinal), 8)
	ms := binary.BigEndian.AppendUint64(nil, uint64(began.UnixMilli()))
	copy(u[:6], ms[2:])
	return u.String()
}

// timeOf is the time that an id begins with.
func timeOf(id string) time.Time {
	u, err := uuid.Parse(id)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, u[:6]...))))
}

// Outcome is what the bank, or a person who has asked it, says became of an
// order.
type Outcome struct {
	State  anchor.BankPayoutState // BankAsked, BankPaid or BankRefused
	BankID string                 // the bank's name for the transfer; empty if there never was one
	At     time.Time              // the value time of a settled one; zero is now
	Reason string                 // a stable word, of a refused one
	Pickup *anchor.Pickup         // of one that the bank has: how its cash is collected, if it lies ready
}

// RecordBankPayout books what became of an order that is queued, asked for or in
// doubt, and does to its cause what follows. The money has moved, or not,
// whatever the cause allows: refused is a step that it did not allow, for the
// log, and all facts are kept.
func (t *Tx) RecordBankPayout(p *anchor.BankPayout, o Outcome, now time.Time) (refused, err error) {
	at := o.At
	if at.IsZero() {
		at = now
	}
	if o.BankID != "" {
		p.BankID = o.BankID
	}
	var entries []*anchor.Entry
	asked := p.State == anchor.BankAsked
	if !asked && (o.State != anchor.BankRefused || o.BankID != "") {
		asked, entries = true, append(entries, p.Sent(p.BankID))
		if refused, err = t.told(p, now); err != nil {
			return nil, err
		}
	}
	var follows func(*anchor.BankPayout, time.Time, time.Time) (error, error)
	switch o.State {
	case anchor.BankPaid:
		entries, follows = append(entries, p.Arrived(p.BankID)), t.paidByBank
	case anchor.BankRefused:
		if follows = t.gaveBack; asked {
			entries = append(entries, p.Returned(p.BankID))
		}
	case anchor.BankAsked:
		if o.Pickup != nil {
			follows = t.cashReady
		}
	case anchor.BankQueued, anchor.BankInDoubt, anchor.BankApproval, anchor.BankCancelled:
	}
	p.State, p.Reason, p.NotBefore, p.Pickup = o.State, o.Reason, time.Time{}, o.Pickup
	if err := t.Post(at, entries...); err != nil {
		return nil, err
	}
	if err := t.SaveBankPayout(p); err != nil || follows == nil {
		return refused, err
	}
	more, err := follows(p, at, now)
	return errors.Join(refused, more), err
}

// told moves a withdrawal whose order the bank has now.
func (t *Tx) told(p *anchor.BankPayout, now time.Time) (refused, err error) {
	if !p.Payout() {
		return nil, nil
	}
	a, err := t.Transaction(p.CauseID)
	if err != nil {
		return nil, err
	}
	refused = a.BankTold(now)
	return refused, t.SaveTransaction(a)
}

// cashReady moves a withdrawal whose cash lies at a desk.
func (t *Tx) cashReady(p *anchor.BankPayout, _, now time.Time) (refused, err error) {
	a, err := t.Transaction(p.CauseID)
	if err != nil {
		return nil, err
	}
	refused = a.CashReady(p.Pickup.Until, now)
	return refused, t.SaveTransaction(a)
}

// paidByBank does to a paid order's cause what follows.
func (t *Tx) paidByBank(p *anchor.BankPayout, at, now time.Time) (refused, err error) {
	if !p.Payout() {
		return t.RefundArrived(p.CauseKind, p.CauseID, p.BankID, p.Amount, p.Fee, now)
	}
	a, err := t.Transaction(p.CauseID)
	if err != nil {
		return nil, err
	}
	refused = a.PaidByBank(p.BankID, at, now)
	return refused, t.SaveTransaction(a)
}

// gaveBack does to a refused order's cause what follows: the money is here, and
// what it was for is open again.
func (t *Tx) gaveBack(p *anchor.BankPayout, _, now time.Time) (refused, err error) {
	if p.CauseKind == anchor.CauseLine {
		l, err := t.BankLine(p.CauseID)
		if err != nil || l.State == anchor.Refunding {
			return nil, err
		}
		l.State = anchor.Refunding
		return nil, t.SaveBankLine(l)
	}
	a, err := t.Transaction(p.CauseID)
	if err != nil {
		return nil, err
	}
	if p.Payout() {
		refused = a.BankGaveBack(now)
	} else {
		refused = a.RefundCameBack(p.BankID, now)
	}
	return refused, t.SaveTransaction(a)
}

// BankPayoutSettled is a person's word that the bank has paid an order that it
// has, or that is in doubt. bankID is the bank's name for the transfer, at its
// value time. The same word again changes nothing.
func (t *Tx) BankPayoutSettled(id, bankID string, at, now time.Time) error {
	p, err := t.BankPayout(id)
	if err != nil {
		return err
	}
	if bankID == "" {
		bankID = p.BankID
	}
	switch {
	case bankID == "":
		return &anchor.Error{Kind: anchor.Invalid, Code: "bank_id_missing", Field: "bank_id", Message: "say under which name the bank's statement has the transfer"}
	case p.BankID != "" && p.BankID != bankID:
		return &anchor.Error{Kind: anchor.Conflict, Code: "bank_id_differs", Field: "bank_id", Message: "the bank calls the transfer of this order " + p.BankID}
	case p.State == anchor.BankPaid:
		return nil
	case p.State != anchor.BankAsked && p.State != anchor.BankInDoubt:
		return notOpen(p)
	case at.After(now):
		return &anchor.Error{Kind: anchor.Invalid, Code: "time_malformed", Field: "at", Message: "the value time lies in the future"}
	}
	others, err := list(t, scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts WHERE bank_id = $1 AND bank_id <> '' AND id <> $2 LIMIT 1`, bankID, p.ID)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return &anchor.Error{Kind: anchor.Conflict, Code: "bank_id_used", Field: "bank_id", Message: "the transfer " + bankID + " is that of the order " + others[0].ID}
	}
	_, err = t.RecordBankPayout(p, Outcome{State: anchor.BankPaid, BankID: bankID, At: at, Reason: anchor.ByHand}, now)
	return err
}

// BankPayoutReturned is a person's word that the money of an order is here: the
// bank never took it, or has given it back. reason is a stable word. line is the
// unmatched line of the statement that brought it, "" if none did; what the bank
// said it has paid comes back by a line only, as does cash that lies ready; what a
// person said so can be taken back. What the line lacks the bank has kept: a loss.
// The same word again changes nothing, but for a line: it is the one of an order
// whose money was here before.
func (t *Tx) BankPayoutReturned(id, line, reason string, now time.Time) error {
	p, err := t.BankPayout(id)
	if err != nil {
		return err
	}
	if p.State == anchor.BankRefused && line == "" {
		return nil
	}
	if line != "" {
		return t.returnedBy(p, line, reason, now)
	}
	switch {
	case p.Pickup != nil:
		// It would be refunded while whoever has the code can still collect it.
		return &anchor.Error{Kind: anchor.Conflict, Code: "cash_ready", Message: "the cash lies ready for its customer: have the bank take it back, which it tells by itself, or name the line that brought it back"}
	case p.State == anchor.BankAsked, p.State == anchor.BankInDoubt:
	case p.State == anchor.BankPaid && p.Reason == anchor.ByHand:
		_, err := t.cameBackBy(p, p.BankID, p.Amount, reason, anchor.Bank, now)
		return err
	case p.State == anchor.BankPaid:
		return &anchor.Error{Kind: anchor.Conflict, Code: "line_missing", Field: "line", Message: "the bank has paid this order: name the line of the statement that brought the money back"}
	default:
		return notOpen(p)
	}
	_, err = t.RecordBankPayout(p, Outcome{State: anchor.BankRefused, Reason: reason}, now)
	return err
}

// returnedBy is BankPayoutReturned by a line that nobody could tell what it was.
func (t *Tx) returnedBy(p *anchor.BankPayout, id, reason string, now time.Time) error {
	l, err := t.BankLine(id)
	if err != nil {
		return err
	}
	switch {
	case l.Order == p.ID:
		return nil
	case p.State != anchor.BankPaid && p.State != anchor.BankAsked && p.State != anchor.BankInDoubt && (!p.IsHere() || p.Attempts == 0):
		return notOpen(p)
	case l.State != anchor.Unmatched || l.Amount <= 0:
		return unassignable(l.State, true)
	case l.Asset != p.Asset || l.Amount > p.Amount:
		return &anchor.Error{Kind: anchor.Conflict, Code: "does_not_fit", Field: "line", Message: "the line brought more than the order, or other money"}
	}
	l.State, l.Order = anchor.Own, p.ID
	if p.CauseKind == anchor.CauseTransaction {
		l.Transaction = p.CauseID
	}
	if err := t.SaveBankLine(l); err != nil {
		return err
	}
	p.AskedUntil = time.Time{}
	if p.IsHere() { // only the line is new: it brought no more than what was here
		if err := t.SaveBankPayout(p); err != nil {
			return err
		}
		return t.Post(now, p.CameBack(l.ID, l.Amount, anchor.Suspense))
	}
	_, err = t.cameBackBy(p, l.ID, l.Amount, reason, anchor.Suspense, now)
	return err
}

// cameBackBy books that an order's money came back, under a name of the bank's.
func (t *Tx) cameBackBy(p *anchor.BankPayout, line string, amount anchor.Amount, reason string, booked anchor.Ledger, now time.Time) (refused, err error) {
	if err := t.Post(now, p.CameBack(line, amount, booked)); err != nil {
		return nil, err
	}
	p.State, p.Reason, p.NotBefore = anchor.BankRefused, reason, time.Time{}
	if err := t.SaveBankPayout(p); err != nil {
		return nil, err
	}
	return t.gaveBack(p, now, now)
}

func notOpen(p *anchor.BankPayout) error {
	return &anchor.Error{Kind: anchor.Conflict, Code: "order_state_refused",
		Message: "an order that is " + string(p.State) + " does not allow this; it must be with the bank, or in doubt"}
}

// retryOf is the order that has taken the place of a refused one, nil if none has.
func (t *Tx) retryOf(p *anchor.BankPayout) (*anchor.BankPayout, error) {
	all, err := t.BankPayoutsOf(p.CauseKind, p.CauseID, p.Purpose)
	for _, o := range all {
		if o.Retries == p.ID {
			return o, nil
		}
	}
	return nil, err
}

func retriedAlready(next *anchor.BankPayout) error {
	return &anchor.Error{Kind: anchor.Conflict, Code: "retried_already", Message: "the order " + next.ID + " has taken its place"}
}

// RetryBankPayout makes a new order in place of one that the bank refused or gave
// back, once: to the same payee, or to another if to is not nil. A withdrawal's
// must be on hold, and is released. by is the actor who asked.
func (t *Tx) RetryBankPayout(id string, to map[string]string, by string, now time.Time) (*anchor.BankPayout, error) {
	p, err := t.BankPayout(id)
	if err != nil {
		return nil, err
	}
	all, err := t.BankPayoutsOf(p.CauseKind, p.CauseID, p.Purpose)
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		switch {
		case o.Retries == p.ID:
			return nil, retriedAlready(o)
		case p.Payout() && o.State != anchor.BankRefused && o.State != anchor.BankCancelled:
			return nil, underWay("order", o.ID)
		}
	}
	if to == nil {
		to = p.To
	}
	switch {
	case p.State != anchor.BankRefused:
		return nil, &anchor.Error{Kind: anchor.Conflict, Code: "order_not_refused", Message: "only an order that the bank refused or gave back is made again; this one is " + string(p.State)}
	case p.Purpose == anchor.ForRefund && to[PayerAccount] == "":
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "payee_missing", Field: PayerAccount, Message: "say to which account"}
	}
	next := &anchor.BankPayout{
		ID:        orderID(p.CauseKind, p.CauseID, p.Purpose, len(all), timeOf(p.ID)),
		CauseKind: p.CauseKind, CauseID: p.CauseID, Purpose: p.Purpose, Ordinal: len(all), Retries: p.ID,
		Asset: p.Asset, Amount: p.Amount, Fee: p.Fee, FeeBack: p.FeeBack, To: to, State: anchor.BankQueued, RequestedBy: by, CreatedAt: now,
	}
	if p.Purpose == anchor.ForRefund {
		if told, err := t.toldPayer(p, to[PayerAccount]); err != nil {
			return nil, err
		} else if !told {
			next.State, next.Reason = anchor.BankApproval, PayerTyped
		}
	}
	if p.CauseKind == anchor.CauseTransaction {
		a, err := t.Transaction(p.CauseID)
		if err != nil {
			return nil, err
		}
		if !p.Payout() {
			a.RefundAgain()
		} else if err := a.Release(now); err != nil {
			return nil, err
		} else {
			next.Amount = a.AmountOut
		}
		if err := t.SaveTransaction(a); err != nil {
			return nil, err
		}
	}
	return next, t.CreateBankPayout(next)
}

// toldPayer reports whether the statement says that an account has paid what a refund
// brings back. That a second person has let an order to an account go before is not
// enough: the bank did not take it there, or the statement has named another since.
func (t *Tx) toldPayer(p *anchor.BankPayout, account string) (bool, error) {
	var came []*anchor.BankLine
	var err error
	if p.CauseKind == anchor.CauseTransaction {
		came, err = t.BankLinesOf(p.CauseID, anchor.Matched, mostShort+1)
	} else {
		var l *anchor.BankLine
		l, err = t.BankLine(p.CauseID)
		came = append(came, l)
	}
	return err == nil && slices.ContainsFunc(came, func(l *anchor.BankLine) bool { return !l.PayerTyped() && l.PaidFrom(account) }), err
}
