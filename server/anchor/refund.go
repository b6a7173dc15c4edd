package anchor

import (
	"slices"
	"time"
)

// Refund is a payment that brought money back to whoever had paid
// (SEP-24, "Refund Payment Object Schema").
type Refund struct {
	ID     string `json:"id"`     // the ledger transaction's hash, or the bank's name for its transfer
	Amount Amount `json:"amount"` // what the sender got
	Fee    Amount `json:"fee"`    // what was kept for it
}

// left is what came in and was not decided to go back.
func (t *Transaction) left() Amount { return t.AmountIn - t.AmountRefunded - t.RefundFee }

// Exchanged is what of AmountIn AmountOut is given for.
func (t *Transaction) Exchanged() Amount { return t.left() - t.AmountFee }

// Refundable is the most that can go back now, a fee for it included: all that
// is left, or after a payout the fee that was earned.
func (t *Transaction) Refundable() Amount {
	switch {
	case !t.Funded():
		return 0
	case t.PaidOut():
		return t.AmountFee
	}
	return t.left()
}

// refundsArrived is what of AmountRefunded has reached the sender.
func (t *Transaction) refundsArrived() (sum Amount) {
	for _, r := range t.Refunds {
		sum += r.Amount
	}
	return sum
}

// MayRefund is nil if the transaction's status allows a refund, of whatever is
// Refundable.
func (t *Transaction) MayRefund() error {
	switch {
	case !t.Funded():
		return &Error{Kind: Conflict, Code: "not_funded", Message: "no money has come in that could go back"}
	case t.underWay() || t.status == Refunded:
		return &Error{Kind: Conflict, Code: "state_refused", Message: "a " + string(t.Kind) + " that is " + string(t.status) + " cannot be refunded"}
	}
	return nil
}

// underWay reports whether a payout of the transaction may be paid at this moment.
func (t *Transaction) underWay() bool {
	return slices.Contains([]Status{PendingStellar, PendingExternal, PendingUserTransferComplete}, t.status)
}

// Refund decides that amount goes back to whoever paid, and that fee is kept for
// doing so; both are of the asset that came in. From here on AmountOut is what
// is left to pay. All that is left makes it a full refund: then the anchor's fee
// goes back too, and nothing is paid out. After a payout at most the fee can go
// back. back is what of the anchor's fee goes back with it.
//
// The caller must know that no payout is on its way, and makes the intent, or
// the order to the bank. RefundArrived follows, or UndoRefund.
func (t *Transaction) Refund(terms *Terms, amount, fee Amount) (_ *Entry, back []FeeLine, err error) {
	if err := t.MayRefund(); err != nil {
		return nil, nil, err
	}
	switch {
	case amount <= 0:
		return nil, nil, &Error{Kind: Invalid, Code: "refund_malformed", Field: "amount", Message: "the amount must be more than nothing"}
	case fee < 0:
		return nil, nil, &Error{Kind: Invalid, Code: "refund_malformed", Field: "fee", Message: "the fee must not be negative"}
	case fee > t.Refundable() || amount > t.Refundable()-fee:
		return nil, nil, &Error{Kind: Invalid, Code: "refund_too_large", Field: "amount",
			Message: "at most " + t.Refundable().String() + " can go back, the fee for it included"}
	}
	out, earned := t.AmountOut, t.AmountFee
	switch rest := t.Exchanged() - amount - fee; {
	case t.PaidOut():
		earned -= amount + fee
	case amount+fee == t.left():
		out, earned = 0, 0
	default:
		if out, err = t.Rate.Out(max(0, rest)); err != nil {
			return nil, nil, err
		}
		if out == 0 {
			return nil, nil, &Error{Kind: Invalid, Code: "refund_leaves_nothing", Field: "amount",
				Message: "after the fee nothing would be left to pay: refund all, or less than " + t.Exchanged().String()}
		}
		if !out.IsWhole(terms.DecimalsOf(t.Out())) {
			return nil, nil, &Error{Kind: Invalid, Code: "amount_too_precise", Field: "amount",
				Message: "what is left to pay would have more decimals than can be paid"}
		}
	}
	before := *t
	t.FeeLines, back = splitFee(t.FeeLines, t.AmountFee-earned)
	t.AmountOut, t.AmountFee = out, earned
	t.AmountRefunded += amount
	t.RefundFee += fee
	return t.movedBack(&before, "refund_owed"), back, nil
}

// movedBack is the entry for what a refund, or its end, changed.
func (t *Transaction) movedBack(was *Transaction, kind string) *Entry {
	out, in := was.AmountOut-t.AmountOut, was.Exchanged()-t.Exchanged()
	kept := was.AmountFee + was.RefundFee - t.AmountFee - t.RefundFee
	return entry(kind, t.ID, "", Posting{Customers, t.Out(), out}, Posting{Exchange, t.Out(), -out},
		Posting{Exchange, t.In(), in}, Posting{Fees, t.In(), kept}, Posting{Refunds, t.In(), was.AmountRefunded - t.AmountRefunded})
}

// splitFee takes what goes back out of a fee's lines, from the last one on.
func splitFee(lines []FeeLine, amount Amount) (kept, back []FeeLine) {
	for _, l := range slices.Backward(lines) {
		take := min(amount, l.Amount)
		amount -= take
		if take > 0 {
			back = append(back, FeeLine{l.Name, take})
		}
		if rest := l.Amount - take; rest > 0 {
			kept = append(kept, FeeLine{l.Name, rest})
		}
	}
	slices.Reverse(kept)
	slices.Reverse(back)
	return kept, back
}

// joinFee undoes splitFee.
func joinFee(kept, back []FeeLine) []FeeLine {
	lines := slices.Clone(kept)
	for _, b := range back {
		if i := slices.IndexFunc(lines, func(l FeeLine) bool { return l.Name == b.Name }); i >= 0 {
			lines[i].Amount += b.Amount
		} else {
			lines = append(lines, b)
		}
	}
	return lines
}

// UndoRefund takes back the decision of a Refund that has not left and never will,
// with the same amounts: what was to go back is owed to the customer again, and
// the anchor has earned again what it would have given back of its fee. Where
// there is more to pay out by that, it waits on hold until a person says so, or
// stays where a person must look at it.
//
// The caller must know that no payout is on its way, and ends what was to pay the
// amount that there was. Once the rest was paid out nothing would bring this to
// the customer, so that it stays owed to its sender: a Conflict with code "paid_out".
func (t *Transaction) UndoRefund(amount, fee Amount, back []FeeLine, now time.Time) (*Entry, error) {
	var earned Amount
	for _, l := range back {
		earned += l.Amount
	}
	more := amount + fee - earned // that is exchanged
	switch {
	case amount > t.AmountRefunded || fee > t.RefundFee || more < 0:
		return nil, &Error{Message: "the transaction " + t.ID + " does not know of the refund that is taken back"}
	case more > 0 && t.PaidOut():
		return nil, &Error{Kind: Conflict, Code: "paid_out", Message: "the rest was paid out, and nothing would bring this to the customer: it must go back"}
	case more > 0 && t.underWay():
		return nil, &Error{Kind: Conflict, Code: "payout_under_way", Message: "the rest may be paid at this moment; wait for its end"}
	}
	was := *t
	if more > 0 {
		out, err := t.Rate.Out(t.Exchanged() + more)
		if err != nil {
			return nil, err
		}
		t.AmountOut = out
	}
	t.AmountRefunded, t.RefundFee = t.AmountRefunded-amount, t.RefundFee-fee
	t.AmountFee, t.FeeLines = t.AmountFee+earned, joinFee(t.FeeLines, back)
	t.RefundAgain()
	if more > 0 && (t.status == PendingAnchor || t.status == PendingTrust) {
		if err := t.Hold(now); err != nil {
			return nil, err
		}
	}
	return t.movedBack(&was, RefundUndone), nil
}

// RefundArrived says that a refund reached the sender, and ends the transaction
// when that was all that came in. Where the status refuses that, the fact is
// kept all the same.
func (t *Transaction) RefundArrived(r Refund, now time.Time) error {
	t.Refunds = append(t.Refunds, r)
	t.RefundAgain()
	if t.left() > 0 || t.refundsArrived() < t.AmountRefunded {
		return nil // there is more to come, or to pay
	}
	if err := t.fire(RefundDone, now); err != nil {
		return err
	}
	t.Deadline = time.Time{}
	return nil
}

// refundReturned is the note of a transaction whose refund did not reach its
// sender.
const refundReturned = "refund_returned"

// RefundCameBack says that the bank refused a refund, or gave it back under the
// name that it had for it: it is still owed, and a person decides where it goes.
func (t *Transaction) RefundCameBack(id string, now time.Time) error {
	t.Note = refundReturned
	i := slices.IndexFunc(t.Refunds, func(r Refund) bool { return r.ID == id })
	if i < 0 || id == "" {
		return nil // it had not arrived
	}
	t.Refunds = slices.Delete(slices.Clone(t.Refunds), i, i+1)
	if t.status != Refunded {
		return nil
	}
	return t.fire(RefundReturned, now)
}

// RefundAgain says that a refund that came back is sent again, or was taken back.
func (t *Transaction) RefundAgain() {
	if t.Note == refundReturned {
		t.Note = ""
	}
}

// RefundTo is where what came in goes back to on the ledger: its sender. The
// memo is the wallet's refund memo, else the one the payment had (SEP-24,
// refund_memo). A muxed address is paid without one, since its id is its memo.
func (p *Payment) RefundTo(refundMemo Memo) (Address, Memo) {
	_, muxed := p.From.MuxedID()
	switch {
	case !refundMemo.IsZero():
		return Address(p.From.Account()), refundMemo
	case muxed:
		return p.From, Memo{}
	}
	return p.From, p.Memo
}

// Returnable reports whether a payment may go back without a person's word: to an
// address that can be paid, and only if it is not itself something that came
// back. A memo of kind return says that it is; one of kind hash may, since it can
// name the transaction that is returned.
func (p *Payment) Returnable() bool {
	_, err := ParseAddress(string(p.From))
	return err == nil && p.Memo.Type != MemoReturn && p.Memo.Type != MemoHash
}

// Refund is the intent that brings an unmatched payment back to its sender, less
// a fee, for the ordinal-th time that this is decided.
func (p *Payment) Refund(id, by string, ordinal int, fee Amount, now time.Time) *Payout {
	to, memo := p.RefundTo(Memo{})
	return &Payout{
		ID: id, CauseKind: CausePayment, CauseID: p.ID, Purpose: ForRefund, Ordinal: ordinal, Operation: PayPayment,
		Asset: p.Asset, Amount: p.Amount - fee, Fee: fee, Source: p.Account, Destination: to, Memo: memo,
		State: PayoutQueued, RequestedBy: by, CreatedAt: now.UTC().Truncate(time.Microsecond),
	}
}
