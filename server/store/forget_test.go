package store_test

import (
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// Who gave up before agreeing to anything is forgotten, and the transaction is
// not; who agreed to something once, or is still at it, is known.
func TestWhoGivesUpIsForgotten(t *testing.T) {
	t.Parallel()
	expire := func(a *anchor.Transaction) error { return a.Expire(late.Add(time.Second)) }
	cancel := func(a *anchor.Transaction) error { return a.Cancel(noon) }
	for name, c := range map[string]struct {
		agreed  bool
		other   string // of the same customer's
		review  anchor.Review
		end     func(*anchor.Transaction) error
		details bool // are still there
		fields  bool
		want    anchor.Review
	}{
		"never came back":         {end: expire, review: anchor.ReviewAccepted},
		"cancelled":               {end: cancel, review: anchor.ReviewAccepted},
		"was waiting for a word":  {end: expire, review: anchor.ReviewPending},
		"was not accepted":        {end: expire, review: anchor.ReviewRejected, want: anchor.ReviewRejected},
		"agreed, and never paid":  {agreed: true, end: expire, review: anchor.ReviewAccepted, details: true, fields: true, want: anchor.ReviewAccepted},
		"agreed to another once":  {other: "agreed", end: expire, review: anchor.ReviewAccepted, fields: true, want: anchor.ReviewAccepted},
		"is entering another":     {other: "open", end: expire, review: anchor.ReviewAccepted, fields: true, want: anchor.ReviewAccepted},
		"gave up another as well": {other: "expired", end: expire, review: anchor.ReviewAccepted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			a, other := start(anchor.Withdrawal), start(anchor.Withdrawal)
			b.do(t, func(tx *store.Tx) error {
				if err := tx.SaveCustomer(&anchor.Customer{ID: "c", Owner: a.Owner, Review: c.review, Lang: "ar", Fields: map[string]string{"first_name": "Ana"}, CreatedAt: noon, UpdatedAt: noon}); err != nil {
					return err
				}
				if err := tx.CreateTransaction(a); err != nil {
					return err
				}
				return tx.SetDetails(a.ID, store.Details{Prefill: map[string]string{"last_name": "Ruiz"}, Answers: map[string]string{"bank_account_number": "1"}})
			})
			save := func(id string, change func(*anchor.Transaction) error) {
				b.do(t, func(tx *store.Tx) error {
					a, err := tx.Transaction(id)
					if err != nil {
						return err
					}
					if err := change(a); err != nil {
						return err
					}
					return tx.SaveTransaction(a)
				})
			}
			if c.agreed {
				save(a.ID, func(a *anchor.Transaction) error { return agree(a, 1) })
			}
			if c.other != "" {
				b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(other) })
			}
			switch c.other {
			case "agreed":
				save(other.ID, func(a *anchor.Transaction) error { return agree(a, 2) })
			case "expired":
				save(other.ID, expire)
			}
			save(a.ID, c.end)

			if got, err := b.Transaction(t.Context(), a.ID); err != nil || got.Status() != anchor.Expired {
				t.Errorf("the transaction is %v, %v", got, err)
			}
			d, err := b.Details(t.Context(), a.ID)
			if err != nil || (d.Answers["bank_account_number"] != "") != c.details || (d.Prefill["last_name"] != "") != c.details {
				t.Errorf("its details are %v, %v", d, err)
			}
			who, err := b.CustomerOf(t.Context(), a.Owner)
			if err != nil || (who.Fields["first_name"] != "") != c.fields || (who.Lang != "") != c.fields || who.Review != c.want {
				t.Errorf("the customer is %+v, %v", who, err)
			}
		})
	}
}
