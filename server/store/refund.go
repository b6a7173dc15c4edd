package store

import (
	"cmp"
	"slices"
	"time"

	"windlass/server/anchor"
)

// Who is paid back by an order to the bank, besides SEP-9's names.
const (
	// PayerName is the name as the statement had it.
	PayerName = "account_holder"
	// PayerAccount is the account as the statement had it.
	PayerAccount = "bank_account_number"
)

// Refund decides that a part of what came in for a transaction, or all that is
// left of it, goes back to whoever paid, and does all that follows: the entry,
// the intent or order that brings it back, and what becomes of the payout. It is
// refused while a payout is on its way or in doubt. See anchor's
// Transaction.Refund for the amounts; by is the actor who asked, "" for the
// program.
func (t *Tx) Refund(a *anchor.Transaction, terms *anchor.Terms, amount, fee anchor.Amount, by string, now time.Time) error {
	entry, feeBack, err := a.Refund(terms, amount, fee)
	if err != nil {
		return err
	}
	if a.Kind == anchor.Deposit {
		err = t.refundAtBank(a, amount, fee, feeBack, by, now)
	} else {
		err = t.refundOnLedger(a, amount, fee, feeBack, by, now)
	}
	if err != nil {
		return err
	}
	if err := t.Post(now, entry); err != nil {
		return err
	}
	return t.SaveTransaction(a)
}

// refundOnLedger adjusts a withdrawal's order to the bank and writes the intent
// that brings the refund back.
func (t *Tx) refundOnLedger(a *anchor.Transaction, amount, fee anchor.Amount, feeBack []anchor.FeeLine, by string, now time.Time) error {
	orders, err := t.BankPayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForPayout)
	if err != nil {
		return err
	}
	for _, o := range orders {
		switch {
		case o.Stoppable():
			o.Amount = a.AmountOut
			if a.AmountOut == 0 {
				o.State = anchor.BankCancelled
			}
			if err := t.SaveBankPayout(o); err != nil {
				return err
			}
		case o.State == anchor.BankQueued || o.State == anchor.BankAsked || o.State == anchor.BankInDoubt:
			return underWay("order", o.ID)
		}
	}
	came, err := t.PaymentsOf(a.ID, anchor.Matched, 1)
	if err != nil {
		return err
	}
	if len(came) == 0 {
		return &anchor.Error{Kind: anchor.Conflict, Code: "sender_unknown", Message: "no payment of this transaction says where the money came from"}
	}
	ordinal, err := t.PayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForRefund)
	if err != nil {
		return err
	}
	to, memo := came[0].RefundTo(a.RefundMemo)
	return t.CreatePayout(&anchor.Payout{
		ID: NewID(), CauseKind: anchor.CauseTransaction, CauseID: a.ID, Purpose: anchor.ForRefund, Ordinal: len(ordinal), Operation: anchor.PayPayment,
		Asset: a.Asset, Amount: amount, Fee: fee, FeeBack: feeBack, Source: a.AnchorAccount, Destination: to, Memo: memo,
		State: anchor.PayoutQueued, RequestedBy: by, CreatedAt: now,
	})
}

// refundAtBank adjusts a deposit's intent and writes the order that brings the
// refund back.
func (t *Tx) refundAtBank(a *anchor.Transaction, amount, fee anchor.Amount, feeBack []anchor.FeeLine, by string, now time.Time) error {
	intents, err := t.PayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForPayout)
	if err != nil {
		return err
	}
	for _, p := range intents {
		switch {
		case p.State.Open():
			p.Amount = a.AmountOut
			if a.AmountOut == 0 {
				p.State = anchor.PayoutCancelled
			}
			if err := t.SavePayout(p); err != nil {
				return err
			}
		case p.State == anchor.PayoutInEnvelope:
			return underWay("payout", p.ID)
		}
	}
	if a.AmountOut == 0 {
		if err := t.cancelHelp(a); err != nil {
			return err
		}
	}
	came, err := t.BankLinesOf(a.ID, anchor.Matched, mostShort+1)
	if err != nil {
		return err
	}
	// The newest whose payer the statement has told, if there is one.
	slices.SortStableFunc(came, func(a, b *anchor.BankLine) int {
		return cmp.Compare(trust(b), trust(a))
	})
	if len(came) == 0 || came[0].PayerAccount == "" {
		return &anchor.Error{Kind: anchor.Conflict, Code: "sender_unknown", Message: "no line of the bank's statement says where the money came from"}
	}
	ordinal, err := t.BankPayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForRefund)
	if err != nil {
		return err
	}
	return t.createRefund(came[0], &anchor.BankPayout{
		ID:        orderID(anchor.CauseTransaction, a.ID, anchor.ForRefund, len(ordinal), a.StartedAt),
		CauseKind: anchor.CauseTransaction, CauseID: a.ID, Purpose: anchor.ForRefund, Ordinal: len(ordinal),
		Asset: a.OffChain, Amount: amount, Fee: fee, FeeBack: feeBack,
		State: anchor.BankQueued, RequestedBy: by, CreatedAt: now,
	})
}

// trust is how sure it is who paid a credit.
func trust(l *anchor.BankLine) int {
	switch {
	case l.PayerAccount == "":
		return 0
	case l.PayerTyped():
		return 1
	}
	return 2
}

// createRefund has a refund go to whoever paid a credit. Where only a person says
// who that was, another one must look, also at a refund that the program decides.
func (t *Tx) createRefund(l *anchor.BankLine, p *anchor.BankPayout) error {
	if p.To = payerOf(l); l.PayerTyped() {
		p.State, p.Reason = anchor.BankApproval, PayerTyped
		p.RequestedBy = cmp.Or(t.askedBy(p.RequestedBy), l.ConfirmedBy)
	}
	return t.CreateBankPayout(p)
}

// gifts loads what was to help the account of a deposit.
func (t *Tx) gifts(a *anchor.Transaction) (all []*anchor.Payout, err error) {
	for _, purpose := range []anchor.Purpose{anchor.ForCreate, anchor.ForTopUp} {
		some, err := t.PayoutsOf(anchor.CauseAccount, a.Account.Account(), purpose)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// cancelHelp takes back the lumens that the account of a deposit was to get, and
// the right to hold the asset, as far as they have not left: the deposit goes back.
// Another deposit to that account asks for them again.
func (t *Tx) cancelHelp(a *anchor.Transaction) error {
	all, err := t.gifts(a)
	if err != nil {
		return err
	}
	rights, err := t.PayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForAuthorize)
	if err != nil {
		return err
	}
	for _, p := range slices.Concat(all, rights) {
		if p.State.Open() {
			p.State = anchor.PayoutCancelled
			if err := t.SavePayout(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// KeptForGift is what is kept of a deposit that goes back because its customer
// never took it: the anchor's fee, if lumens were given to their account since it
// began. Else new accounts, which cost nothing to invent, could collect lumens with
// one deposit again and again.
func (t *Tx) KeptForGift(a *anchor.Transaction) (anchor.Amount, error) {
	if a.Kind != anchor.Deposit || a.PaidOut() || a.Refundable() == 0 {
		return 0, nil
	}
	all, err := t.gifts(a)
	if err != nil {
		return 0, err
	}
	for _, p := range all {
		if (p.State == anchor.PayoutPaid || p.State == anchor.PayoutInEnvelope) && !p.CreatedAt.Before(a.StartedAt) {
			return min(a.AmountFee, a.Refundable()-1), nil
		}
	}
	return 0, nil
}

func underWay(what, id string) error {
	return &anchor.Error{Kind: anchor.Conflict, Code: "payout_under_way", Message: "the " + what + " " + id + " may be paid at this moment; wait for its end"}
}

func payerOf(l *anchor.BankLine) map[string]string {
	return map[string]string{PayerName: l.PayerName, PayerAccount: l.PayerAccount}
}

// RefundPayment decides that an unmatched payment goes back to its sender, less
// a fee that is kept. It happens once for each payment, unless it is taken back
// (CancelPayout).
func (t *Tx) RefundPayment(p *anchor.Payment, fee anchor.Amount, by string, now time.Time) error {
	if err := returnable(p.State, p.Amount, fee); err != nil {
		return err
	}
	if _, err := anchor.ParseAddress(string(p.From)); err != nil {
		return &anchor.Error{Kind: anchor.Conflict, Code: "sender_unknown", Message: "the ledger does not say who could be paid back: " + string(p.From)}
	}
	if err := t.Post(now, anchor.GoesBack(p.Hash, p.Asset, p.Amount, fee)); err != nil {
		return err
	}
	p.State, p.DecideAt = anchor.Refunding, time.Time{}
	if err := t.SavePayment(p); err != nil {
		return err
	}
	before, err := t.PayoutsOf(anchor.CausePayment, p.ID, anchor.ForRefund)
	if err != nil {
		return err
	}
	return t.CreatePayout(p.Refund(NewID(), by, len(before), fee, now))
}

// RefundLine decides that an unmatched credit of the bank's statement goes back
// to its payer, less a fee that is kept. It happens once for each line, unless it
// is taken back (CancelBankPayout).
func (t *Tx) RefundLine(l *anchor.BankLine, fee anchor.Amount, by string, now time.Time) error {
	if err := returnable(l.State, l.Amount, fee); err != nil {
		return err
	}
	if l.PayerAccount == "" {
		return &anchor.Error{Kind: anchor.Conflict, Code: "sender_unknown", Message: "the statement does not say where the money came from"}
	}
	if err := t.Post(now, anchor.GoesBack(l.ID, l.Asset, l.Amount, fee)); err != nil {
		return err
	}
	l.State = anchor.Refunding
	if err := t.SaveBankLine(l); err != nil {
		return err
	}
	before, err := t.BankPayoutsOf(anchor.CauseLine, l.ID, anchor.ForRefund)
	if err != nil {
		return err
	}
	return t.createRefund(l, &anchor.BankPayout{
		ID:        orderID(anchor.CauseLine, l.ID, anchor.ForRefund, len(before), l.At),
		CauseKind: anchor.CauseLine, CauseID: l.ID, Purpose: anchor.ForRefund, Ordinal: len(before),
		Asset: l.Asset, Amount: l.Amount - fee, Fee: fee,
		State: anchor.BankQueued, RequestedBy: by, CreatedAt: now,
	})
}

func returnable(state anchor.Match, amount, fee anchor.Amount) error {
	switch {
	case state != anchor.Unmatched:
		return &anchor.Error{Kind: anchor.Conflict, Code: "not_unmatched", Message: "this money is " + string(state) + " already"}
	case amount <= 0:
		return &anchor.Error{Kind: anchor.Conflict, Code: "amount_unknown", Message: "how much came in is not known"}
	case fee < 0:
		return &anchor.Error{Kind: anchor.Invalid, Code: "refund_malformed", Field: "fee", Message: "the fee must not be negative"}
	case amount <= fee:
		return &anchor.Error{Kind: anchor.Invalid, Code: "refund_too_large", Field: "fee", Message: "the fee would eat the " + amount.String() + " that came in"}
	}
	return nil
}

// RefundArrived books that a refund reached the sender, for its cause: id is
// the ledger transaction's hash, or the bank's name for its transfer. The error
// of a transaction whose status does not allow it is answered, for the log, but
// the facts are kept.
func (t *Tx) RefundArrived(kind anchor.Cause, cause, id string, amount, fee anchor.Amount, now time.Time) (refused, err error) {
	switch kind {
	case anchor.CausePayment:
		p, err := t.Payment(cause)
		if err != nil {
			return nil, err
		}
		p.State = anchor.GoneBack
		return nil, t.SavePayment(p)
	case anchor.CauseLine:
		l, err := t.BankLine(cause)
		if err != nil {
			return nil, err
		}
		l.State = anchor.GoneBack
		return nil, t.SaveBankLine(l)
	case anchor.CauseTransaction, anchor.CauseAccount:
	}
	a, err := t.Transaction(cause)
	if err != nil {
		return nil, err
	}
	refused = a.RefundArrived(anchor.Refund{ID: id, Amount: amount, Fee: fee}, now)
	return refused, t.SaveTransaction(a)
}
