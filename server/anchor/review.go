package anchor

import "time"

// What a reviewer decides about the customer behind a transaction, while no money
// has come. window is the time that the customer gets for what they are to do
// next: the waiting for us does not count.

// The notes of reviews: keys of the catalogue.
const (
	NoteCorrection = "correction"
	NoteRejected   = "rejected"
	NoteReview     = "review"
	NotePriceMoved = "price_moved"
)

// AwaitsReview reports whether a reviewer is to say what becomes of it.
func (t *Transaction) AwaitsReview() bool { return t.status == PendingAnchor && !t.Funded() }

// AskCorrection sends a customer back to their details.
func (t *Transaction) AskCorrection(window time.Duration, now time.Time) error {
	return t.reviewed(CorrectionDue, NoteCorrection, window, now)
}

// Corrected says that the customer has done so, and that a reviewer looks again.
func (t *Transaction) Corrected(window time.Duration, now time.Time) error {
	return t.reviewed(Corrected, NoteReview, window, now)
}

// Accept says that the customer may go on. One who is still entering things is
// not stopped by a review, and goes on as they were. One who has agreed is told
// how to pay, if what they agreed to is what they would get today; else they are
// shown what it is now, and asked again.
func (t *Transaction) Accept(terms *Terms, how Instructions, now time.Time) error {
	window := terms.Side(t.Kind).Window
	if t.status == Incomplete && !t.Funded() {
		t.Reviewed, t.Deadline = true, t.later(window, now)
		return nil
	}
	was, note := *t, ""
	if t.agreed() && !t.holds(terms) {
		t.AgreedAt, t.Expected, note = time.Time{}, 0, NotePriceMoved
		_ = t.price(terms, t.AmountIn) // what cannot be priced is refused when they agree
	}
	if t.agreed() && !t.instructs(how) {
		*t = was
		return &Error{Kind: Internal, Message: "accepted without instructions"}
	}
	if err := t.reviewed(ReviewPassed, note, window, now); err != nil {
		*t = was
		return err
	}
	t.Reviewed = true
	if t.agreed() {
		t.instruct(how)
	}
	return nil
}

// holds reports whether today's terms give what was agreed to.
func (t *Transaction) holds(terms *Terms) bool {
	side := terms.Side(t.Kind)
	_, offered := side.Method(t.Method)
	p, err := terms.Price(t.Kind, t.Method, t.AmountIn)
	return side.Enabled && offered && terms.OffChain == t.OffChain && err == nil && terms.CheckAmount(t.Kind, t.Method, t.AmountIn) == nil &&
		p.Out == t.AmountOut && p.Rate.Price(t.Kind) == t.Rate.Price(t.Kind)
}

// Reject ends it: the customer is not accepted.
func (t *Transaction) Reject(now time.Time) error {
	err := t.reviewed(ReviewFailed, NoteRejected, 0, now)
	if err == nil {
		t.disagree()
		t.Deadline = time.Time{}
	}
	return err
}

func (t *Transaction) reviewed(ev Event, note string, window time.Duration, now time.Time) error {
	if err := t.fire(ev, now); err != nil {
		return err
	}
	t.Note, t.Reviewed, t.Deadline = note, false, t.later(window, now)
	return nil
}

// later is the deadline, or the end of a window from now if that is later.
func (t *Transaction) later(window time.Duration, now time.Time) time.Time {
	if end := now.Add(window).UTC().Truncate(time.Microsecond); end.After(t.Deadline) {
		return end
	}
	return t.Deadline
}
