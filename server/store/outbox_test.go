package store_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// told makes a transaction whose wallet is to be told of one change at an address.
func (b *books) told(t *testing.T, callback, onChange string) string {
	t.Helper()
	a := start(anchor.Deposit)
	a.Callback, a.OnChange = callback, onChange
	b.do(t, func(tx *store.Tx) error {
		if err := tx.CreateTransaction(a); err != nil {
			return err
		}
		if err := a.Fail("parked", noon); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
	return a.ID
}

// due are the addresses of the messages that may be sent.
func (b *books) due(t *testing.T, now time.Time, without ...string) (urls []string) {
	t.Helper()
	all, err := b.MessagesDue(context.Background(), now, without, 4, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		urls = append(urls, m.URL)
	}
	slices.Sort(urls)
	return urls
}

// message is the one about a transaction.
func (b *books) message(t *testing.T, id string) *store.Message {
	t.Helper()
	each, err := b.MessagesOfEach(context.Background(), []string{id})
	if err != nil || len(each[id]) == 0 {
		t.Fatal(each, err)
	}
	return each[id][0]
}

// TestHosts: messages are kept apart by whoever registered the domain, so that
// names that somebody makes up are all one.
func TestHosts(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for url, host := range map[string]string{
		"https://wallet.example/x":          "wallet.example",
		"https://a.b.wallet.example/x":      "wallet.example",
		"https://A.Wallet.Example:443/x":    "wallet.example",
		"https://wallet.example./x":         "wallet.example",
		"https://one.wallet.co.uk/x":        "wallet.co.uk",
		"https://two.wallet.co.uk/x":        "wallet.co.uk",
		"https://wallet.github.io/x":        "wallet.github.io", // each of them is somebody's
		"https://xn--bcher-kva.example/x":   "xn--bcher-kva.example",
		"https://10.0.0.1/x":                "10.0.0.1",
		"http://localhost:8000/x":           "localhost:8000",
		"http://127.0.0.1:8000/x":           "127.0.0.1:8000",
		"http://[::1]:8000/x":               "[::1]:8000",
		"https://co.uk/x":                   "co.uk",
		"https://" + string([]byte{0x7f}):   "",
		"https://wallet.example:8443/%zz/x": "",
	} {
		if m := b.message(t, b.told(t, "", url)); m.Host != host {
			t.Errorf("%s is of %q, want %q", url, m.Host, host)
		}
	}
}

// TestRest: which messages are due while a host fails. One that rests is not
// asked for what is new either, by whatever name below its domain.
func TestRest(t *testing.T) {
	t.Parallel()
	const old, fresh, other = "https://a.w.example/old", "https://b.w.example/new", "https://other.example/"
	later := noon.Add(time.Hour)
	rest := func(failures int) time.Time {
		if failures < 3 {
			return time.Time{}
		}
		return later
	}
	failing := func(n int) func(*store.Tx, *store.Message) error {
		return func(tx *store.Tx, m *store.Message) error {
			for range n {
				d := store.Delivery{At: noon, Outcome: "502"}
				if err := tx.HostFailed(m.Host, d, rest); err != nil {
					return err
				}
				if err := tx.NotDelivered(m, d, noon); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		before   int // failures in a row
		then     func(*store.Tx, *store.Message) error
		at       time.Time
		want     []string
		failures int
	}{
		"well":                   {before: 0, at: noon, want: []string{old, fresh, other}},
		"failing":                {before: 2, at: noon, want: []string{old, fresh, other}, failures: 2},
		"down":                   {before: 3, at: noon, want: []string{other}, failures: 3},
		"down for longer":        {before: 7, at: later.Add(-time.Microsecond), want: []string{other}, failures: 7},
		"rested":                 {before: 3, at: later, want: []string{old, fresh, other}, failures: 3},
		"rested, and down again": {before: 3, then: failing(1), at: noon, want: []string{other}, failures: 4},
		"it has taken one": {before: 3, at: noon, want: []string{fresh, other}, then: func(tx *store.Tx, m *store.Message) error {
			return tx.Delivered(m, store.Delivery{At: noon, Outcome: "200"})
		}},
		"staff ask for it": {before: 3, at: noon, want: []string{old, fresh, other}, failures: 3, then: func(tx *store.Tx, m *store.Message) error {
			return tx.RetryMessage(m, noon)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			m := b.message(t, b.told(t, "", old))
			b.do(t, func(tx *store.Tx) error { return failing(c.before)(tx, m) })
			b.told(t, "", fresh)
			b.told(t, "", other)
			if c.then != nil {
				b.do(t, func(tx *store.Tx) error { return c.then(tx, m) })
			}
			if got := b.due(t, c.at); !slices.Equal(got, c.want) {
				t.Errorf("due are %v, want %v", got, c.want)
			}
			if got := b.due(t, c.at, "w.example"); !slices.Equal(got, []string{other}) {
				t.Errorf("due to others are %v", got)
			}
			hosts, _, err := b.CallbackHosts(context.Background(), store.Page{})
			switch {
			case err != nil, len(hosts) > 1, len(hosts) == 0 && c.failures > 0:
				t.Errorf("%v, %v", hosts, err)
			case len(hosts) == 1 && (hosts[0].Failures != c.failures || hosts[0].Host != "w.example" || hosts[0].Waiting != 2 || !hosts[0].Since.Equal(noon)):
				t.Errorf("%+v", hosts[0])
			}
		})
	}
}

// TestDueByHost: a few of each host, and the order holds for each transaction and
// kind.
func TestDueByHost(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for i := range 10 {
		b.told(t, "", "https://one.example/"+strconv.Itoa(i))
	}
	id := b.told(t, "https://two.example/done", "https://two.example/change")
	b.do(t, func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		if err := a.Retry(noon); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
	want := []string{"https://one.example/0", "https://one.example/1", "https://one.example/2", "https://one.example/3", "https://two.example/change", "https://two.example/done"}
	if got := b.due(t, noon); !slices.Equal(got, want) {
		t.Errorf("due are %v", got)
	}
	all, err := b.MessagesDue(context.Background(), noon, nil, 1, 1)
	if err != nil || len(all) != 1 || all[0].URL != want[0] {
		t.Errorf("%v, %v", all, err)
	}
	// The first change waits, so the second does, and the callback does not.
	m := b.message(t, id)
	b.do(t, func(tx *store.Tx) error { return tx.NotDelivered(m, store.Delivery{At: noon}, late) })
	if got := b.due(t, noon, "one.example"); !slices.Equal(got, want[5:]) {
		t.Errorf("due are %v", got)
	}
}

// TestSweepMessages: what is long over is forgotten, a few at a time, and of a
// callback it stays known that there was one.
func TestSweepMessages(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	day := func(n int) time.Time { return noon.Add(time.Duration(n) * 24 * time.Hour) }
	delivered := func(m *store.Message, at time.Time) func(*store.Tx) error {
		return func(tx *store.Tx) error { return tx.Delivered(m, store.Delivery{At: at, Outcome: "200"}) }
	}
	givenUp := func(m *store.Message, at time.Time) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			d := store.Delivery{At: at, Outcome: "410"}
			if err := tx.HostFailed(m.Host, d, func(int) time.Time { return time.Time{} }); err != nil {
				return err
			}
			return tx.NotDelivered(m, d, time.Time{})
		}
	}
	var kept, gone []string
	for i := range 7 {
		for n, end := range []func(*store.Message, time.Time) func(*store.Tx) error{delivered, givenUp} {
			id := b.told(t, "", "https://w"+strconv.Itoa(n)+".example/")
			b.do(t, end(b.message(t, id), day(i)))
			if i < 3+2*n {
				gone = append(gone, id)
			} else {
				kept = append(kept, id)
			}
		}
	}
	kept = append(kept, b.told(t, "", "https://w.example/")) // due
	callback := b.told(t, "https://w.example/secret", "")
	b.do(t, delivered(b.message(t, callback), day(0)))
	gone = append(gone, callback)

	for swept, rounds := -1, 0; swept != 0; rounds++ {
		b.do(t, func(tx *store.Tx) (err error) { swept, err = tx.SweepMessages(day(3), day(5), day(8), 2); return err })
		if swept > 2*4 || rounds > 10 {
			t.Fatalf("%d at once", swept)
		}
	}
	each, err := b.MessagesOfEach(context.Background(), slices.Concat(kept, gone))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range kept {
		if len(each[id]) != 1 {
			t.Errorf("%s has %v", id, each[id])
		}
	}
	for _, id := range gone {
		if len(each[id]) != 0 {
			t.Errorf("%s has %+v", id, each[id][0])
		}
	}
	var rows, deliveries, urls int
	raw := b.raw(t)
	if err := raw.QueryRow(`SELECT (SELECT COUNT(*) FROM outbox), (SELECT COUNT(*) FROM deliveries), (SELECT COUNT(*) FROM outbox WHERE url LIKE '%secret%')`).Scan(&rows, &deliveries, &urls); err != nil {
		t.Fatal(err)
	}
	if rows != len(kept)+1 || deliveries != len(kept)-1 || urls != 0 {
		t.Errorf("%d rows, %d deliveries, %d addresses of it are left", rows, deliveries, urls)
	}
	// It leaves incomplete again, and the wallet has been called back already.
	b.do(t, func(tx *store.Tx) error {
		a, err := tx.Transaction(callback)
		if err != nil {
			return err
		}
		for _, step := range []func() error{func() error { return a.Retry(noon) }, func() error { return a.Fail("parked", noon) }} {
			if err := step(); err != nil {
				return err
			}
		}
		return tx.SaveTransaction(a)
	})
	if got := b.due(t, noon); !slices.Equal(got, []string{"https://w.example/"}) {
		t.Errorf("due are %v", got)
	}

	// A host whose last failure is as old, and for which nothing waits, is forgotten.
	for _, n := range []int{1, 0} {
		hosts, _, err := b.CallbackHosts(context.Background(), store.Page{})
		if err != nil || len(hosts) != n {
			t.Errorf("%d hosts, %v", len(hosts), err)
		}
		b.do(t, func(tx *store.Tx) error { _, err := tx.SweepMessages(day(3), day(7), day(8), 2); return err })
	}
}

// TestGiveUpMessages: what has waited for too long, for a host that has been in
// trouble for as long, is given up.
func TestGiveUpMessages(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	never := func(int) time.Time { return late }
	b.told(t, "", "https://gone.example/")
	b.told(t, "", "https://gone.example/")
	b.told(t, "", "https://new.example/")
	b.told(t, "", "https://well.example/")
	b.do(t, func(tx *store.Tx) error {
		if err := tx.HostFailed("gone.example", store.Delivery{At: noon}, never); err != nil {
			return err
		}
		if err := tx.HostFailed("new.example", store.Delivery{At: noon.Add(2 * time.Hour)}, never); err != nil {
			return err
		}
		return tx.HostFailed("gone.example", store.Delivery{At: noon.Add(2 * time.Hour)}, never)
	})
	for _, c := range []struct {
		before time.Time
		limit  int
		want   int
	}{{noon, 9, 0}, {noon.Add(time.Hour), 1, 1}, {noon.Add(time.Hour), 9, 1}, {noon.Add(time.Hour), 9, 0}} {
		n := 0
		b.do(t, func(tx *store.Tx) (err error) { n, err = tx.GiveUpMessages(c.before, noon, c.limit); return err })
		if n != c.want {
			t.Errorf("%+v: %d were given up", c, n)
		}
	}
	all, _, err := b.Messages(context.Background(), store.MessageGivenUp, "gone.example", store.Page{})
	if err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}
