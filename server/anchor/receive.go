package anchor

import "time"

// Arrival is what became of money that came for a transaction.
type Arrival string

// The fates of arriving money.
const (
	Accepted Arrival = "accepted"  // within tolerance: funded and repriced to what arrived
	Held     Arrival = "held"      // over tolerance: funded, on hold
	Small    Arrival = "too_small" // below the minimum though close to what was expected: funded, to be refunded
	Large    Arrival = "too_large" // above the maximum: funded, to be refunded
	Short    Arrival = "short"     // under tolerance: nothing changes, the payment stays unmatched
	Second   Arrival = "second"    // it is already funded: the payment stays unmatched
	Late     Arrival = "late"      // it no longer waits for money: the payment stays unmatched
)

// Funds reports whether the money became the transaction's.
func (a Arrival) Funds() bool { return a == Accepted || a == Held || a == Small || a == Large }

// Receive books money that came for the transaction: a ledger payment's hash
// or the bank's name for its transfer is ref, at is when the ledger closed or
// the bank credited it.
//
// What was agreed to happens as it was agreed, whatever the terms are by then.
// Of any other amount the limits come first, then ±10 % of what was agreed to
// (SEP-24, "Basic Anchor Implementation"); it has the rate that was agreed to. Short, Second and Late change nothing and
// return no entry. What can only go back (Small, Large) bears no fee; Small is
// also what the fee would eat whole.
func (t *Transaction) Receive(terms *Terms, in Amount, ref string, at, now time.Time) (Arrival, *Entry, error) {
	switch {
	case t.Funded():
		return Second, nil, nil
	case !t.awaitsMoney(), at.After(t.Deadline) && !t.Deadline.IsZero():
		return Late, nil, nil
	case in == t.Expected:
		return t.take(Accepted, Price{In: in, Fee: t.AmountFee, Lines: t.FeeLines, Rate: t.Rate, Out: t.AmountOut}, ref, at, now)
	case in <= t.most(terms) && (in <= 0 || in < t.Expected-t.slack()):
		return Short, nil, nil
	}
	arrival, p := t.judge(terms, t.Rate, in)
	if arrival == Accepted && in-t.Expected > t.slack() {
		arrival = Held
	}
	return t.take(arrival, p, ref, at, now)
}

// Revive takes money that came after the deadline, at today's price, as the
// operator's policy allows: only if it would have been accepted in time. Anything
// else is Late, and changes nothing.
func (t *Transaction) Revive(terms *Terms, in Amount, ref string, at, now time.Time) (Arrival, *Entry, error) {
	arrival, p := t.judge(terms, terms.Side(t.Kind).Rate, in)
	off := max(in-t.Expected, t.Expected-in)
	switch {
	case t.Funded():
		return Second, nil, nil
	case t.status != Expired || !t.agreed() || arrival != Accepted || off > t.slack():
		return Late, nil, nil
	}
	return t.take(Accepted, p, ref, at, now)
}

// Assign takes money that a person says is for this transaction, though its
// memo, reference, amount or time did not: at today's price, if it still waits
// for money or has expired. Limits hold: what is outside of them is Small or
// Large. Second and Late change nothing.
func (t *Transaction) Assign(terms *Terms, in Amount, ref string, at, now time.Time) (Arrival, *Entry, error) {
	switch {
	case t.Funded():
		return Second, nil, nil
	case !t.MayAssign():
		return Late, nil, nil
	}
	arrival, p := t.judge(terms, terms.Side(t.Kind).Rate, in)
	return t.take(arrival, p, ref, at, now)
}

// MayAssign reports whether a person may give it money that came.
func (t *Transaction) MayAssign() bool {
	return t.AwaitsMoney() || !t.Funded() && t.status == Expired && t.agreed()
}

// AwaitsMoney reports whether money that comes may still become the transaction's.
func (t *Transaction) AwaitsMoney() bool { return !t.Funded() && t.awaitsMoney() }

func (t *Transaction) awaitsMoney() bool {
	return t.status == PendingUserTransferStart || t.status == PendingExternal
}

// slack is by how much what arrives may differ from what was agreed to.
func (t *Transaction) slack() Amount { return t.Expected / 10 }

// most is the most that its method takes.
func (t *Transaction) most(terms *Terms) Amount {
	_, most := terms.Side(t.Kind).Limits(t.Method)
	return most
}

// judge holds an amount against the limits, and prices it. It is no error that
// the fee would eat it whole: whoever reads the ledger could not go on. What can
// only go back bears no fee, and if nobody can count what it is worth, nothing.
func (t *Transaction) judge(terms *Terms, r Rate, in Amount) (Arrival, Price) {
	s := terms.Side(t.Kind)
	p, err := terms.priceAt(r, t.Kind, t.Method, in)
	least, most := s.Limits(t.Method)
	if in >= least && in <= most && err == nil {
		return Accepted, p
	}
	p = Price{In: in, Rate: r}
	if p.Out, err = r.Out(in); err != nil {
		p.Out = 0
	}
	if in > most {
		return Large, p
	}
	return Small, p
}

// take makes the money the transaction's.
func (t *Transaction) take(arrival Arrival, p Price, ref string, at, now time.Time) (Arrival, *Entry, error) {
	ev := FundsReceived
	switch {
	case arrival == Held:
		ev = HeldForReview
	case arrival == Small:
		ev = ArrivedSmall
	case arrival == Large:
		ev = ArrivedLarge
	case t.status == Expired:
		ev = Revived
	}
	err := t.fireWith(ev, now, func() {
		t.setPrice(p)
		t.FundedAt = at.UTC().Truncate(time.Microsecond)
		t.Deadline, t.Note = time.Time{}, ""
		if t.Kind == Deposit {
			t.ExternalID = ref
		} else {
			t.StellarID = ref
		}
	})
	if err != nil {
		return "", nil, err
	}
	return arrival, t.receivedEntry(), nil
}
