package anchor

import "time"

// What a reviewer decides about the customer behind a transaction, while no money
// has come. window is the time that the customer gets for what they are to do
// next: the waiting for us does not count.

// The notes of reviews: keys of the catalogue.
const (
	NoteCorrection = "correction"
	NoteRejected   = "rejected"
)

// AwaitsReview reports whether a reviewer is to say what becomes of it.
func (t *Transaction) AwaitsReview() bool { return t.status == PendingAnchor && !t.Funded() }

// AskCorrection sends a customer back to their details.
func (t *Transaction) AskCorrection(window time.Duration, now time.Time) error {
	return t.reviewed(CorrectionDue, NoteCorrection, window, now)
}

// Corrected says that the customer has done so, and that a reviewer looks again.
func (t *Transaction) Corrected(window time.Duration, now time.Time) error {
	return t.reviewed(Corrected, "", window, now)
}

// Accept says that the customer may go on. One who is still entering things is
// not stopped by a review, and goes on as they were.
func (t *Transaction) Accept(window time.Duration, now time.Time) error {
	if t.status == Incomplete && !t.Funded() {
		t.Reviewed, t.Deadline = true, t.later(window, now)
		return nil
	}
	err := t.reviewed(ReviewPassed, "", window, now)
	t.Reviewed = t.Reviewed || err == nil
	return err
}

// Reject ends it: the customer is not accepted.
func (t *Transaction) Reject(now time.Time) error {
	err := t.reviewed(ReviewFailed, NoteRejected, 0, now)
	if err == nil {
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
