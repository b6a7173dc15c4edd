package store_test

import (
	"strconv"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// TestRefundsOfASender: three in a day, each for its own cause, and none of
// another sender's counts; the books do not say who it was.
func TestRefundsOfASender(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	count := func(kind anchor.Cause, cause, sender string, now time.Time) (ok bool) {
		t.Helper()
		b.do(t, func(tx *store.Tx) (err error) {
			ok, err = tx.CountRefund(kind, cause, sender, 3, now)
			return err
		})
		return ok
	}
	for i := range 5 {
		if got := count(anchor.CausePayment, strconv.Itoa(i), alice, noon); got != (i < 3) {
			t.Errorf("the refund number %d: %v", i+1, got)
		}
	}
	if !count(anchor.CausePayment, "9", bob, noon) {
		t.Error("another sender's refunds were counted")
	}
	if !count(anchor.CauseLine, "9", bob, noon) {
		t.Error("a line and a payment of one number are two causes")
	}
	if count(anchor.CausePayment, "10", alice, noon.Add(24*time.Hour-time.Second)) {
		t.Error("a fourth within the day")
	}
	if !count(anchor.CausePayment, "10", alice, noon.Add(24*time.Hour)) {
		t.Error("none on the next day")
	}
	err := b.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
		_, err := tx.CountRefund(anchor.CausePayment, "9", bob, 3, noon.Add(48*time.Hour))
		return err
	})
	if anchor.KindOf(err) != anchor.Conflict {
		t.Errorf("a second refund of one payment: %v", err)
	}
	rows, err := b.Readers().QueryContext(t.Context(), `SELECT sender FROM automatic_refunds`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for ; rows.Next(); seen++ {
		var sender string
		if err := rows.Scan(&sender); err != nil || sender == alice || sender == bob || len(sender) < 40 {
			t.Errorf("the books name the sender %q, %v", sender, err)
		}
	}
	if err := rows.Err(); err != nil || seen != 6 {
		t.Errorf("%d refunds are counted, %v", seen, err)
	}
}
