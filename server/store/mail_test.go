package store_test

import (
	"context"
	"fmt"
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

// TestMailOnce: the books hold one e-mail about a step, and take one about the next
// that leads to the same.
func TestMailOnce(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.WriteMails()
	b.waiting(t, anchor.Withdrawal, 1)
	again := func(version string) error {
		return b.Update(context.Background(), store.Operator, func(tx *store.Tx) error {
			return tx.Exec(`INSERT INTO outbox (transaction_id, kind, url, host, status, state, attempts, not_before, created_at, version)
				SELECT transaction_id, kind, url, host, status, 'delivered', 0, 0, 0, ` + version + ` FROM outbox WHERE kind = 'mail'`)
		})
	}
	if again("version") == nil {
		t.Error("two e-mails are about one step")
	}
	if err := again("version + 1"); err != nil {
		t.Error(err)
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
		if got := b.address(t, c.m, c.to, 1, c.at); got != c.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}

// TestMailsAreCountedAfterward: however soon messages are to be forgotten, an e-mail is
// not while it counts.
func TestMailsAreCountedAfterward(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.WriteMails()
	first, second := b.message(t, b.waiting(t, anchor.Deposit, 1)), b.message(t, b.waiting(t, anchor.Deposit, 2))
	b.address(t, first, "ana@w.example", 1, noon)
	b.do(t, func(tx *store.Tx) error { return tx.Delivered(first, store.Delivery{At: noon, Outcome: "accepted"}) })
	day := noon.Add(24 * time.Hour)
	for _, c := range []struct {
		now time.Time
		ok  bool
	}{{day.Add(-time.Minute), false}, {day.Add(time.Minute), true}} {
		b.do(t, func(tx *store.Tx) error { _, err := tx.SweepMessages(c.now, c.now, c.now, 9); return err })
		if ok := b.address(t, second, "ana@w.example", 1, c.now); ok != c.ok {
			t.Errorf("at %s: %v", c.now, ok)
		}
	}
	if n := b.count(t, `SELECT COUNT(*) FROM outbox WHERE state = 'delivered'`); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// address counts an e-mail against an address.
func (b *books) address(t *testing.T, m *store.Message, to string, most int, at time.Time) (ok bool) {
	t.Helper()
	b.do(t, func(tx *store.Tx) (err error) { ok, err = tx.Address(m, to, most, at); return err })
	return ok
}

// TestStrangersShareAnAddress: strangers have one share of an address between them,
// however many they are; who has paid once has one of their own, beside all that
// strangers did; and all together cannot flood it.
func TestStrangersShareAnAddress(t *testing.T) {
	t.Parallel()
	const most = 2
	b := newBooks(t)
	b.WriteMails()
	memo := uint64(0)
	of := func(name string, paid bool) *store.Message {
		memo++
		a := start(anchor.Deposit)
		a.Owner.Memo = name
		if err := agree(a, memo); err != nil {
			t.Fatal(err)
		}
		b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
		m := b.message(t, a.ID)
		if paid {
			b.do(t, func(tx *store.Tx) error {
				a, err := tx.Transaction(a.ID)
				if err != nil {
					return err
				}
				_, err = tx.Receive(a, offer(), 100*anchor.One, fmt.Sprint("ref-", memo), noon, noon)
				return err
			})
		}
		return m
	}
	write := func(name string, paid, want bool) {
		t.Helper()
		if got := b.address(t, of(name, paid), "ana@w.example", most, noon); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	write("stranger 1", false, true)
	write("stranger 2", false, true)
	write("stranger 3", false, false)
	write("Ana", true, true)
	write("Ana", false, true) // who is known by now, and not this one's money
	write("Ana", true, false)
	for i := range 8 {
		for range most {
			write(fmt.Sprint("known ", i), true, true)
		}
	}
	write("one more", true, false)
	if !b.address(t, of("Bea", false), "bea@w.example", most, noon) {
		t.Error("another address is none of this")
	}
}
