package store

import (
	"strings"
	"time"

	"windlass/server/anchor"
)

// ReceiveLine books a credit that is for a deposit: as Receive does, with its
// row. Short ones of one payer add up. late is the policy for what comes after the
// deadline. One that does not fund the deposit changes nothing, and has no row.
func (t *Tx) ReceiveLine(l *anchor.BankLine, a *anchor.Transaction, terms *anchor.Terms, late anchor.Policy, now time.Time) (anchor.Arrival, error) {
	before := a.BankSide
	a.BankSide = anchor.MaskAccount(l.PayerAccount)
	arrival, err := t.Receive(a, terms, l.Amount, l.ID, l.At, now)
	switch {
	case err != nil:
		return "", err
	case arrival == anchor.Short:
		arrival, err = t.addUpLines(a, terms, l, now)
	case arrival == anchor.Late && late == anchor.PolicyRevive:
		arrival, err = t.Revive(a, terms, l.Amount, l.ID, l.At, now)
	}
	if err != nil {
		return "", err
	}
	if l.Transaction = a.ID; !arrival.Funds() {
		a.BankSide = before
		return arrival, nil
	}
	l.State = anchor.Matched
	return arrival, t.CreateBankLine(l)
}

// addUpLines is AddUp for credits at the bank.
func (t *Tx) addUpLines(a *anchor.Transaction, terms *anchor.Terms, l *anchor.BankLine, now time.Time) (anchor.Arrival, error) {
	all, err := t.BankLinesOf(a.ID, anchor.Unmatched, mostShort)
	if err != nil {
		return "", err
	}
	sum, before := l.Amount, all[:0]
	for _, b := range all {
		if b.Reason != string(anchor.Short) || !l.PaidFrom(b.PayerAccount) || b.Asset != l.Asset {
			continue
		}
		if sum, err = sum.Add(b.Amount); err != nil {
			return anchor.Short, nil //nolint:nilerr // more than an account can hold is not what anybody agreed to
		}
		before = append(before, b)
	}
	if len(before) == 0 {
		return anchor.Short, nil
	}
	arrival, err := t.Receive(a, terms, sum, l.ID, l.At, now)
	if err != nil || !arrival.Funds() {
		return arrival, err
	}
	for _, b := range before {
		if err := t.Post(l.At, anchor.Found(a.ID, b.ID, b.Asset, b.Amount, anchor.Bank)); err != nil {
			return "", err
		}
		b.State = anchor.Matched
		if err := t.SaveBankLine(b); err != nil {
			return "", err
		}
	}
	return arrival, nil
}

// UnmatchedLine books a credit that a person, or a policy, must decide about. It is
// no order's until that is decided, whatever the bank says.
func (t *Tx) UnmatchedLine(l *anchor.BankLine, reason string) error {
	if l.Amount <= 0 {
		return &anchor.Error{Message: "the statement has a credit of " + l.Amount.String()}
	}
	l.State, l.Reason, l.Order = anchor.Unmatched, reason, ""
	if err := t.CreateBankLine(l); err != nil {
		return err
	}
	return t.Post(l.At, anchor.Move("unmatched", "", l.ID, l.Asset, l.Amount, anchor.Suspense, anchor.Bank))
}

// RefuseLine makes a row of a credit that no journal can hold, such as one in
// unknown money: without an amount or postings. A person must look at it, and
// reconcile names it.
func (t *Tx) RefuseLine(l *anchor.BankLine) error {
	l.State, l.Reason, l.Amount, l.Transaction, l.Order = anchor.Unmatched, anchor.Refused, 0, "", ""
	return t.CreateBankLine(l)
}

// DismissLine puts a credit aside that no journal can hold, by a person's word. One
// with money in it is somebody's, and stays.
func (t *Tx) DismissLine(l *anchor.BankLine) error {
	switch {
	case l.State != anchor.Unmatched:
		return &anchor.Error{Kind: anchor.Conflict, Code: "not_unmatched", Message: "this money is " + string(l.State) + " already"}
	case l.Amount != 0:
		return &anchor.Error{Kind: anchor.Conflict, Code: "amount_known", Field: "line", Message: l.Amount.String() + " came in: assign it or refund it"}
	}
	l.State = anchor.Dismissed
	return t.SaveBankLine(l)
}

// ReturnedLine books a credit that brings the money of an order back, as the bank
// says: l.Order. One that does not fit stays unmatched. refused is a step that
// the order's cause did not allow.
func (t *Tx) ReturnedLine(l *anchor.BankLine, now time.Time) (refused, err error) {
	p, err := t.BankPayout(l.Order)
	if err != nil && anchor.KindOf(err) != anchor.NotFound {
		return nil, err
	}
	again, known := false, err == nil
	if known {
		if again, err = t.cameBack(p.ID); err != nil {
			return nil, err
		}
	}
	// What nobody was asked for cannot come back.
	if !known || again || p.Asset != l.Asset || p.Amount != l.Amount || p.Attempts == 0 {
		return nil, t.UnmatchedLine(l, anchor.UnknownReturn)
	}
	l.State, l.Reason = anchor.Own, anchor.Returned
	if p.CauseKind == anchor.CauseTransaction {
		l.Transaction = p.CauseID
	}
	// The bank, or a person, has said before that it is here: what left by this order
	// and what comes by this line are the same, however much of it the books saw.
	if err := t.CreateBankLine(l); err != nil {
		return nil, err
	}
	p.AskedUntil = time.Time{}
	if p.IsHere() {
		return nil, t.SaveBankPayout(p)
	}
	return t.cameBackBy(p, l.ID, l.Amount, anchor.Returned, anchor.Bank, now)
}

// ConfirmBankFunds is the word of a person, or of the anchor's own systems, that
// a credit has arrived for a deposit: its ID is the bank's own, which the
// statement will tell it by, its At the value time. Who paid may be left out,
// and is learned from the statement. It is received as any credit is.
//
// The same word again answers with the line as it is now; the same id with
// anything else is refused. by is the actor.
func (t *Tx) ConfirmBankFunds(l anchor.BankLine, a *anchor.Transaction, terms *anchor.Terms, by string, now time.Time) (*anchor.BankLine, error) {
	switch {
	case a.Kind != anchor.Deposit:
		return nil, &anchor.Error{Kind: anchor.Conflict, Code: "does_not_fit", Field: "transaction", Message: "a withdrawal gets no money from the bank"}
	case l.ID == "" || len(l.ID) > 255:
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "bank_id_missing", Field: "bank_id", Message: "say under which name the bank's statement has the credit, in at most 255 bytes"}
	case l.Amount <= 0 || !l.Amount.IsWhole(terms.OffChainDecimals):
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "amount_malformed", Field: "amount", Message: "the amount must be more than nothing, in whole units of what the bank moves"}
	case l.At.IsZero() || l.At.After(now):
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "time_malformed", Field: "at", Message: "say when the bank credited it; the future will not do"}
	}
	l.At, l.Asset, l.ConfirmedBy = l.At.UTC().Truncate(time.Microsecond), a.OffChain, by
	l.State, l.Reason, l.Transaction, l.Order, l.DecideAt = "", "", "", "", time.Time{}
	known, err := t.BankLine(l.ID)
	switch {
	case err == nil && confirms(&l, known, a.ID):
		return known, nil
	case err == nil:
		return nil, &anchor.Error{Kind: anchor.Conflict, Code: "bank_id_used", Field: "bank_id", Message: "the books have another credit under this name"}
	case anchor.KindOf(err) != anchor.NotFound:
		return nil, err
	}
	arrival, err := t.ReceiveLine(&l, a, terms, anchor.PolicyHold, now)
	if err == nil && !arrival.Funds() {
		err = t.UnmatchedLine(&l, string(arrival))
	}
	return &l, err
}

// confirms reports whether a person's word says the same as the books. Of a line
// that the statement told, only the statement knows the value time for sure.
func confirms(l, known *anchor.BankLine, transaction string) bool {
	return known.Asset == l.Asset && known.Amount == l.Amount && known.Transaction == transaction &&
		(known.ConfirmedBy == "" || known.At.Equal(l.At)) &&
		(l.PayerName == "" || l.PayerName == known.PayerName) && (l.PayerAccount == "" || l.PaidFrom(known.PayerAccount))
}

// ToldLine takes from the statement who paid a credit that a person had confirmed,
// whatever they typed; amount, asset and time stay what was booked. somebodyElse
// says that it was not the customer, as the operator wants it judged. What differs
// from the person's word is in the audit trail, where amount, asset or such a payer
// do, the deposit is held if it was not paid yet: two words disagree, and a person
// decides. A refund to a typed account that nobody has approved goes to the
// statement's. differs names what does.
func (t *Tx) ToldLine(known, told *anchor.BankLine, somebodyElse bool, now time.Time) (differs []string, err error) {
	var note []string
	differ := func(name, typed, tells string) {
		differs, note = append(differs, name), append(note, name+": "+typed+" was confirmed, the statement has "+tells)
	}
	if known.Asset != told.Asset {
		differ("asset", known.Asset.Code, told.Asset.Code)
	}
	if known.Amount != told.Amount {
		differ("amount", known.Amount.String(), told.Amount.String())
	}
	stop := len(differs) > 0 || somebodyElse
	if told.PayerAccount != "" && known.PayerAccount != "" && !told.PaidFrom(known.PayerAccount) {
		differ("payer_account", known.PayerAccount, told.PayerAccount)
	}
	if told.PayerName != "" && known.PayerName != "" && told.PayerName != known.PayerName {
		differ("payer_name", known.PayerName, told.PayerName)
	}
	if somebodyElse {
		differ("customer", "the customer's payment", "somebody else's")
	}
	line := *known
	line.Reference = told.Reference
	if told.PayerAccount != "" {
		line.PayerName, line.PayerAccount, line.Told = told.PayerName, told.PayerAccount, true
	}
	if somebodyElse {
		line.Reason = anchor.WrongPayer
	}
	if err := t.completeBankLine(&line); err != nil {
		return nil, err
	}
	if line.Told {
		if err := t.redirect(&line); err != nil {
			return nil, err
		}
	}
	if line.State == anchor.Matched {
		if err := t.toldDeposit(&line, stop, now); err != nil {
			return nil, err
		}
	}
	if len(differs) == 0 {
		return nil, nil
	}
	return differs, t.Audit("statementDiffers", line.Transaction, "line:"+line.ID, strings.Join(note, "; "), now)
}

// toldDeposit shows the deposit's account as the statement has it, and stops the
// deposit if it can be stopped.
func (t *Tx) toldDeposit(l *anchor.BankLine, stop bool, now time.Time) error {
	a, err := t.Transaction(l.Transaction)
	if err != nil {
		return err
	}
	a.BankSide = anchor.MaskAccount(l.PayerAccount)
	if _, may := anchor.Find(a, anchor.HeldForReview); stop && may {
		if err := a.Hold(now); err != nil {
			return err
		}
	}
	return t.SaveTransaction(a)
}

// redirect has refunds of a credit go to its payer that wait for a second look at
// an account that was typed.
func (t *Tx) redirect(l *anchor.BankLine) error {
	refunds, err := t.BankPayoutsOf(anchor.CauseLine, l.ID, anchor.ForRefund)
	if err != nil {
		return err
	}
	if l.State == anchor.Matched {
		if refunds, err = t.BankPayoutsOf(anchor.CauseTransaction, l.Transaction, anchor.ForRefund); err != nil {
			return err
		}
	}
	for _, p := range refunds {
		if p.State != anchor.BankApproval || p.Reason != PayerTyped || p.Retries != "" {
			continue // it has left, or staff were asked for another account
		}
		box, err := t.box().seal("bank_payouts:"+p.ID, payerOf(l))
		if err != nil {
			return err
		}
		if err := t.change(`UPDATE bank_payouts SET to_box = $1 WHERE id = $2 AND state = 'approval'`, box, p.ID); err != nil {
			return err
		}
	}
	return nil
}
