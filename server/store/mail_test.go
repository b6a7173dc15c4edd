package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// mails are the statuses of the e-mails that may be sent.
func (b *books) mails(t *testing.T, now time.Time) (of []anchor.Status) {
	t.Helper()
	all, err := b.MessagesDue(context.Background(), now, nil, 4, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.Kind == store.MailKind {
			of = append(of, m.Status)
		}
	}
	return of
}

// TestMailsWait: what most likely needs no word waits for a while, unless something
// happens that does; and without WriteMails there is none.
func TestMailsWait(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.funded(t, anchor.Deposit, 1)
	if got := b.mails(t, late); got != nil {
		t.Errorf("nobody asked for %v", got)
	}
	b.WriteMails()
	soon := noon.Add(10 * time.Minute)
	id := b.waiting(t, anchor.Withdrawal, 2)
	for _, c := range []struct {
		at   time.Time
		want []anchor.Status
	}{{noon, nil}, {soon.Add(-time.Microsecond), nil}, {soon, []anchor.Status{anchor.PendingUserTransferStart}}} {
		if got := b.mails(t, c.at); !slices.Equal(got, c.want) {
			t.Errorf("at %s: %v, want %v", c.at, got, c.want)
		}
	}
	b.do(t, func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		_, err = tx.Receive(a, offer(), 100*anchor.One, "ref", noon, noon)
		return err
	})
	// The first is looked at now, so that it keeps nothing back.
	if got := b.mails(t, noon); !slices.Equal(got, []anchor.Status{anchor.PendingUserTransferStart}) {
		t.Errorf("due are %v", got)
	}
	each, err := b.MessagesOfEach(context.Background(), []string{id})
	if err != nil || len(each[id]) != 2 {
		t.Fatal(each, err)
	}
	first := each[id][0]
	if overtaken, err := b.Overtaken(context.Background(), first); err != nil || !overtaken {
		t.Errorf("%v, %v", overtaken, err)
	}
	b.do(t, func(tx *store.Tx) error { return tx.Drop(first) })
	if got := b.mails(t, noon); got != nil {
		t.Errorf("due are %v", got)
	}
	if got := b.mails(t, soon); !slices.Equal(got, []anchor.Status{anchor.PendingAnchor}) {
		t.Errorf("due are %v", got)
	}
}

// TestMailsToAnAddress: each counts once, however often it is tried, for a day.
func TestMailsToAnAddress(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.WriteMails()
	var all []*store.Message
	for i := range 3 {
		all = append(all, b.message(t, b.waiting(t, anchor.Deposit, uint64(i+1))))
	}
	address := func(m *store.Message, to string, at time.Time) (ok bool) {
		t.Helper()
		b.do(t, func(tx *store.Tx) (err error) { ok, err = tx.Address(m, to, 1, at); return err })
		return ok
	}
	day := noon.Add(24 * time.Hour)
	for i, c := range []struct {
		m    *store.Message
		to   string
		at   time.Time
		want bool
	}{
		{all[0], "a.na+x@w.example", noon, true}, {all[0], "ana@w.example", noon, true}, {all[1], "ANA@w.example", noon, false},
		{all[1], "ana@w.example", day.Add(-time.Microsecond), false}, {all[1], "bea@w.example", noon, true}, {all[2], "ana@w.example", day, true},
	} {
		if got := address(c.m, c.to, c.at); got != c.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}
