package store

import (
	"maps"
	"time"

	"github.com/google/uuid"

	"windlass/server/anchor"
)

// NewID is a fresh UUIDv7.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Receive credits money that arrived to a transaction this Tx loaded, on the
// ledger or at the bank, and does all that follows from it in this update: the
// journal entry, the intent to pay (once, by its index) and the new state. See
// anchor's Transaction.Receive for ref, at and what the arrivals mean; Short,
// Second and Late change nothing.
func (t *Tx) Receive(a *anchor.Transaction, terms *anchor.Terms, in anchor.Amount, ref string, at, now time.Time) (anchor.Arrival, error) {
	arrival, entry, err := a.Receive(terms, in, ref, at, now)
	if err != nil || entry == nil {
		return arrival, err
	}
	if err := t.Post(at, entry); err != nil {
		return "", err
	}
	if arrival == anchor.Accepted {
		if err := t.pay(a, terms, now); err != nil {
			return "", err
		}
	}
	return arrival, t.SaveTransaction(a)
}

// pay writes the intent that pays a funded transaction out.
func (t *Tx) pay(a *anchor.Transaction, terms *anchor.Terms, now time.Time) error {
	if a.Kind == anchor.Deposit {
		p := a.Payout(NewID(), now)
		p.Source = terms.Account
		return t.CreatePayout(p)
	}
	to, err := t.payee(a)
	if err != nil {
		return err
	}
	return t.CreateBankPayout(a.BankPayout(NewID(), to, now))
}

// payee is where a withdrawal is paid to: the method's answers, and the
// customer's name. It is written into the order, so that what the customer
// answers later for another transaction does not change an order that was made.
func (t *Tx) payee(a *anchor.Transaction) (map[string]string, error) {
	to := map[string]string{}
	c, err := t.CustomerOf(a.Owner)
	switch {
	case err == nil:
		for _, name := range []string{"first_name", "last_name"} {
			if v := c.Fields[name]; v != "" {
				to[name] = v
			}
		}
	case anchor.KindOf(err) != anchor.NotFound:
		return nil, err
	}
	d, err := t.Details(a.ID)
	maps.Copy(to, d.Answers)
	return to, err
}
