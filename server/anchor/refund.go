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
	case t.status == PendingStellar || t.status == PendingExternal || t.status == Refunded:
		return &Error{Kind: Conflict, Code: "state_refused", Message: "a " + string(t.Kind) + " that is " + string(t.status) + " cannot be refunded"}
	}
	return nil
}

// Refund decides that amount goes back to whoever paid, and that fee is kept for
// doing so; both are of the asset that came in. From here on AmountOut is what
// is left to pay. All that is left makes it a full refund: then the anchor's fee
// goes back too, and nothing is paid out. After a payout at most the fee can go
// back.
//
// The caller must know that no payout is on its way, and makes the intent, or
// the order to the bank. RefundArrived follows.
func (t *Transaction) Refund(terms *Terms, amount, fee Amount) (*Entry, error) {
	if err := t.MayRefund(); err != nil {
		return nil, err
	}
	switch {
	case amount <= 0:
		return nil, &Error{Kind: Invalid, Code: "refund_malformed", Field: "amount", Message: "the amount must be more than nothing"}
	case fee < 0:
		return nil, &Error{Kind: Invalid, Code: "refund_malformed", Field: "fee", Message: "the fee must not be negative"}
	case fee > t.Refundable() || amount > t.Refundable()-fee:
		return nil, &Error{Kind: Invalid, Code: "refund_too_large", Field: "amount",
			Message: "at most " + t.Refundable().String() + " can go back, the fee for it included"}
	}
	out, earned := t.AmountOut-amount-fee, t.AmountFee
	switch {
	case t.PaidOut():
		out, earned = t.AmountOut, t.AmountFee-amount-fee
	case amount+fee == t.left():
		out, earned = 0, 0
	case out <= 0:
		return nil, &Error{Kind: Invalid, Code: "refund_leaves_nothing", Field: "amount",
			Message: "after the fee nothing would be left to pay: refund all, or at most " + t.AmountOut.String()}
	case !out.IsWhole(terms.Decimals):
		return nil, &Error{Kind: Invalid, Code: "amount_too_precise", Field: "amount",
			Message: "what is left to pay would have more decimals than can be paid"}
	}
	e := entry("refund_owed", t.ID, "", Posting{Customers, t.Out(), t.AmountOut - out}, Posting{Exchange, t.Out(), out - t.AmountOut},
		Posting{Exchange, t.In(), t.AmountOut - out}, Posting{Fees, t.In(), t.AmountFee - earned - fee}, Posting{Refunds, t.In(), -amount})
	if earned != t.AmountFee {
		t.FeeLines = feeLinesOf(t.FeeLines, t.AmountFee-earned)
	}
	t.AmountOut, t.AmountFee = out, earned
	t.AmountRefunded += amount
	t.RefundFee += fee
	return e, nil
}

// feeLinesOf takes what goes back out of a fee's lines, from the last one on.
func feeLinesOf(lines []FeeLine, back Amount) []FeeLine {
	var kept []FeeLine
	for _, l := range slices.Backward(lines) {
		take := min(back, l.Amount)
		back -= take
		if rest := l.Amount - take; rest > 0 {
			kept = append(kept, FeeLine{l.Name, rest})
		}
	}
	slices.Reverse(kept)
	return kept
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

// RefundAgain says that a refund that came back is sent again.
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
// a fee, once for ever.
func (p *Payment) Refund(id, by string, fee Amount, now time.Time) *Payout {
	to, memo := p.RefundTo(Memo{})
	return &Payout{
		ID: id, CauseKind: CausePayment, CauseID: p.ID, Purpose: ForRefund, Operation: PayPayment,
		Asset: p.Asset, Amount: p.Amount - fee, Fee: fee, Source: p.Account, Destination: to, Memo: memo,
		State: PayoutQueued, RequestedBy: by, CreatedAt: now.UTC().Truncate(time.Microsecond),
	}
}
