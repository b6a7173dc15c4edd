package store

import (
	"time"

	"windlass/server/anchor"
)

// Reviewing is what a review needs to know of each transaction that it moves: its
// terms, and fresh instructions for one whose customer may pay now.
type Reviewing struct {
	// Seen is the version of the customer's answers that the reviewer saw: nobody is
	// accepted with others.
	Seen  string
	Terms func(*anchor.Transaction) *anchor.Terms
	Draw  func(*anchor.Transaction) anchor.Instructions
}

// Review writes down what a reviewer decided about the customer behind a transaction
// that this Tx has loaded, and moves it and the customer's others for which no money
// has come: an acceptance, of the answers that were seen, lets all go on that ask
// nothing more; a rejection, by whichever transaction, ends all that are still entered
// or reviewed; and a correction is asked for where the reviewer looked. Either of these
// two holds the money that is here and has not left. words are for the customer, and
// may be empty. Nobody who could be reviewed, or what was decided already, is a
// Conflict.
func (t *Tx) Review(a *anchor.Transaction, verdict anchor.Review, words string, how Reviewing, now time.Time) error {
	sideOf := func(a *anchor.Transaction) *anchor.Side { return how.Terms(a).Side(a.Kind) }
	c, err := t.CustomerOf(a.Owner)
	switch {
	case err != nil && anchor.KindOf(err) == anchor.NotFound:
		return customerMissing()
	case err != nil:
		return err
	case c.Review == anchor.ReviewNone:
		return customerMissing()
	case c.Decided(verdict) && !a.AwaitsReview():
		return &anchor.Error{Kind: anchor.Conflict, Code: "reviewed_already", Message: "the review of this customer is " + string(verdict) + " already"}
	case verdict == anchor.ReviewAccepted && how.Seen != c.Version():
		return &anchor.Error{Kind: anchor.Conflict, Code: "answers_changed", Field: "answersVersion", Message: "the customer has said something else since: look at the answers again, and name their version"}
	case verdict == anchor.ReviewAccepted && len(c.Missing(sideOf(a).FieldsFor(a.Foreseen()), now)) > 0:
		return customerMissing()
	}
	c.Judged(verdict, now)
	if err := t.SaveCustomer(c); err != nil {
		return err
	}
	decide := func(a *anchor.Transaction) error {
		switch verdict {
		case anchor.ReviewAccepted:
			a.CustomerID = c.ID
			return a.Accept(how.Terms(a), how.Draw(a), now)
		case anchor.ReviewRejected:
			return a.Reject(now)
		default:
			return a.AskCorrection(sideOf(a).Window, now)
		}
	}
	// A rejection is of the customer, whatever has become of this transaction.
	if _, ends := anchor.Find(a, anchor.ReviewFailed); ends || verdict != anchor.ReviewRejected {
		if err := decide(a); err != nil {
			return err
		}
		if err := t.SaveTransaction(a); err != nil {
			return err
		}
		if err := t.setWords(a.ID, words); err != nil {
			return err
		}
	}
	if verdict != anchor.ReviewAccepted {
		if err := t.holdAll(a.Owner, now); err != nil {
			return err
		}
	}
	if verdict == anchor.ReviewCorrection {
		return nil
	}
	others, err := list(t, scanTransaction, `SELECT `+transactionColumns+` FROM transactions
		WHERE owner_account = $1 AND owner_memo = $2 AND owner_muxed = $3 AND id <> $4 AND funded_at = 0 AND status IN ('incomplete', 'pending_user', 'pending_anchor')
		ORDER BY id`, a.Owner.Account, a.Owner.Memo, a.Owner.Muxed, a.ID)
	if err != nil {
		return err
	}
	for _, other := range others {
		if verdict == anchor.ReviewAccepted && len(c.Missing(sideOf(other).FieldsFor(other.Foreseen()), now)) > 0 {
			continue // it asks more than we know
		}
		t.remember(other)
		if err := decide(other); err != nil {
			return err
		}
		if err := t.SaveTransaction(other); err != nil {
			return err
		}
	}
	return nil
}

// holdAll holds the money of a customer that has come and not left yet.
func (t *Tx) holdAll(owner anchor.Identity, now time.Time) error {
	all, err := list(t, scanTransaction, `SELECT `+transactionColumns+` FROM transactions
		WHERE owner_account = $1 AND owner_memo = $2 AND owner_muxed = $3 AND funded_at <> 0 AND status IN ('pending_anchor', 'pending_trust')
		ORDER BY id`, owner.Account, owner.Memo, owner.Muxed)
	if err != nil {
		return err
	}
	for _, a := range all {
		t.remember(a)
		if err := hold(a, now); err != nil {
			return err
		}
		if err := t.SaveTransaction(a); err != nil {
			return err
		}
	}
	return nil
}

// HoldOfDoubted holds money that nearly left, and is here again, if its customer was
// doubted or turned away meanwhile. The caller saves the transaction.
func (t *Tx) HoldOfDoubted(a *anchor.Transaction, now time.Time) error {
	c, err := t.CustomerOf(a.Owner)
	if anchor.KindOf(err) == anchor.NotFound {
		return nil
	}
	if err != nil || !c.Doubted() {
		return err
	}
	return hold(a, now)
}

// hold is a no-op for what cannot be held: all of it is on its way back.
func hold(a *anchor.Transaction, now time.Time) error {
	if _, ok := anchor.Find(a, anchor.HeldForReview); !ok {
		return nil
	}
	return a.Hold(now)
}

func customerMissing() error {
	return &anchor.Error{Kind: anchor.Conflict, Code: "customer_missing", Message: "the customer has not said yet who they are"}
}

// setWords keeps a reviewer's words to the customer, with what the customer
// entered: encrypted, and forgotten together with it.
func (t *Tx) setWords(id, words string) error {
	d, err := t.Details(id)
	if err != nil || d.Words == words {
		return err
	}
	d.Words = words
	return t.SetDetails(id, d)
}
