package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"windlass/server/anchor"
	"windlass/server/store"
)

// mark writes a row that says that a closure was committed.
func mark(key string) func(*store.Tx) error {
	return func(tx *store.Tx) error { return tx.UseOnce("mark", key, late) }
}

func (b *books) marked(t testing.TB, key string) bool {
	t.Helper()
	return b.count(t, `SELECT count(*) FROM used WHERE purpose = 'mark' AND key = $1`, key) == 1
}

// TestGroup: closures that share a commit share nothing else.
func TestGroup(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	commits := 0
	if err := b.Driver(func(c *sqlite3.SQLiteConn) { c.RegisterCommitHook(func() int { commits++; return 0 }) }); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("mine")
	var kept *store.Tx
	after := func(key string, then func(*store.Tx) error) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			if err := mark(key)(tx); err != nil {
				return err
			}
			return then(tx)
		}
	}
	closures := []struct {
		key  string
		fn   func(*store.Tx) error
		want string // "" for success
	}{
		{"first", mark("first"), ""},
		{"fails", after("fails", func(*store.Tx) error { return mine }), "mine"},
		{"second", mark("second"), ""},
		{"panics", after("panics", func(*store.Tx) error { panic("boom") }), "boom"},
		{"goes", after("goes", func(*store.Tx) error { runtime.Goexit(); return nil }), "ended its goroutine"},
		{"again", after("again", mark("first")), "used already"},
		{"overlooks", after("overlooks", func(tx *store.Tx) error {
			// One statement that is refused spoils neither the rest nor the others.
			if err := tx.UseOnce("mark", "first", late); anchor.KindOf(err) != anchor.Conflict {
				return fmt.Errorf("a second use: %w", err)
			}
			kept = tx
			return nil
		}), ""},
		{"borrows", func(*store.Tx) error { return mark("borrows")(kept) }, "ended"},
		{"nothing", func(*store.Tx) error { return nil }, ""},
		{"last", mark("last"), ""},
	}
	fns := make([]func(*store.Tx) error, len(closures))
	for i, c := range closures {
		fns[i] = c.fn
	}
	for i, err := range b.CommitTogether(store.Operator, fns...) {
		c := closures[i]
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.key, err, c.want)
		}
		if there := b.marked(t, c.key); there != (c.want == "") && c.key != "nothing" {
			t.Errorf("%s: told %v, in the books %v", c.key, err, there)
		}
	}
	if commits != 1 {
		t.Errorf("%d commits for one group", commits)
	}
	// A Tx that somebody kept writes nothing, and reads nothing.
	if err := mark("kept")(kept); err == nil || b.marked(t, "kept") {
		t.Errorf("a Tx that is over writes: %v", err)
	}
	if _, err := kept.Transaction("x"); err == nil || anchor.KindOf(err) == anchor.NotFound {
		t.Errorf("a Tx that is over reads: %v", err)
	}
	b.do(t, mark("afterwards"))
	balanced(t, b)
}

// TestManyUpdates: what Update says is what the books hold, for many at once.
func TestManyUpdates(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	var wg sync.WaitGroup
	for who := range 32 {
		wg.Go(func() {
			for n := range 12 {
				key := fmt.Sprintf("%d-%d", who, n)
				a := start(anchor.Deposit)
				err := b.Update(ctx, store.Actor(key), func(tx *store.Tx) error {
					if err := mark(key)(tx); err != nil {
						return err
					}
					if err := tx.CreateTransaction(a); err != nil {
						return err
					}
					if err := tx.Post(noon, anchor.Move("x", a.ID, "", usd, 1, anchor.Bank, anchor.Suspense)); err != nil {
						return err
					}
					switch n % 4 {
					case 1:
						return errors.New("no")
					case 2:
						panic("boom")
					}
					return nil
				})
				if want := n%4 == 0 || n%4 == 3; (err == nil) != want {
					t.Errorf("%s: %v", key, err)
				}
				// Whoever was told can read it.
				_, read := b.Transaction(ctx, a.ID)
				if (read == nil) != (err == nil) {
					t.Errorf("%s: told %v, read %v", key, err, read)
				}
			}
		})
	}
	wg.Wait()
	const good = 32 * 12 / 2
	for _, table := range []string{"transactions", "journal", "audit", "used"} {
		if n := b.count(t, `SELECT count(*) FROM `+table); n != good {
			t.Errorf("%d rows in %s, want %d", n, table, good)
		}
	}
	balanced(t, b)
}

// TestReadsOwnWrites: a Tx sees what it did, nobody else before the commit.
func TestReadsOwnWrites(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	a := start(anchor.Deposit)
	b.do(t, func(tx *store.Tx) error {
		if err := tx.CreateTransaction(a); err != nil {
			return err
		}
		if _, err := b.Transaction(ctx, a.ID); anchor.KindOf(err) != anchor.NotFound {
			t.Errorf("others see it before the commit: %v", err)
		}
		got, err := tx.Transaction(a.ID)
		if err != nil {
			return err
		}
		if err := got.Cancel(noon); err != nil {
			return err
		}
		if err := tx.SaveTransaction(got); err != nil {
			return err
		}
		again, err := tx.Transaction(a.ID)
		if err == nil && again.Status() != anchor.Expired {
			t.Errorf("it reads %s", again.Status())
		}
		return err
	})
}

// TestUpdateContext: ctx bounds the wait, and nothing else.
func TestUpdateContext(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	holding := make(chan error, 1)
	holder, cancelHolder := context.WithCancel(context.Background())
	go func() {
		holding <- b.Update(holder, store.Operator, func(tx *store.Tx) error {
			close(inside)
			<-leave
			return mark("holder")(tx)
		})
	}()
	<-inside
	// The writer is busy: whoever waits may give up, and has done nothing.
	ctx, cancel := context.WithCancel(context.Background())
	waiting := make(chan error, 1)
	go func() { waiting <- b.Update(ctx, store.Operator, mark("waiting")) }()
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("waiting: %v", err)
	}
	// Who has begun is told the outcome, whatever becomes of its context.
	cancelHolder()
	close(leave)
	if err := <-holding; err != nil {
		t.Errorf("holding: %v", err)
	}
	for range 50 { // a context that ended before never runs, though the writer is free
		if err := b.Update(ctx, store.Operator, mark("ended")); !errors.Is(err, context.Canceled) {
			t.Fatalf("ended: %v", err)
		}
	}
	if !b.marked(t, "holder") || b.marked(t, "waiting") || b.marked(t, "ended") {
		t.Error("the books say otherwise")
	}
}

// lost commits a group of three whose middle one loses the whole transaction
// and overlooks it. Nobody may be told that it was committed, and nothing may
// be in the books: not what was before, nor what the closure did after.
func lost(t *testing.T, b *books, lose func(*store.Tx) error) {
	t.Helper()
	errs := b.CommitTogether(store.Operator,
		mark("before"),
		func(tx *store.Tx) error {
			if err := lose(tx); err == nil {
				t.Error("nothing was lost")
			}
			if err := mark("alone")(tx); err == nil {
				t.Error("a statement ran outside the transaction")
			}
			if _, err := tx.Transaction("x"); err == nil || anchor.KindOf(err) == anchor.NotFound {
				t.Errorf("a read ran outside the transaction: %v", err)
			}
			return nil
		},
		mark("after"),
	)
	for i, key := range []string{"before", "alone", "after"} {
		if errs[i] == nil || b.marked(t, key) {
			t.Errorf("%s: told %v, in the books %v", key, errs[i], b.marked(t, key))
		}
	}
}

// TestDiskFull: SQLite rolls back by itself when it cannot grow.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	id := b.waiting(t, anchor.Deposit, 1)
	limit := func(pages string) {
		t.Helper()
		if _, err := b.Writer().ExecContext(context.Background(), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // it does not shrink: no page more than there are
	lost(t, b, func(tx *store.Tx) error {
		return tx.SetDetails(id, store.Details{Answers: map[string]string{"name": strings.Repeat("x", 1<<20)}})
	})
	limit("1000000")
	b.do(t, mark("room again"))
	balanced(t, b)
}

// TestTimeLimit: a statement that takes too long is cancelled, and with it, in
// SQLite, the whole transaction.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.SetLimit(50 * time.Millisecond)
	lost(t, b, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO used (purpose, key, expires_at)
			WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT 'endless', n, 0 FROM c`)
	})
	b.SetLimit(10 * time.Second)
	b.do(t, mark("quick"))
	if n := b.count(t, `SELECT count(*) FROM used`); n != 1 {
		t.Errorf("%d rows", n)
	}
	balanced(t, b)
}

// TestCommitFails: nobody is told of a commit that was none.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	hook := func(fn func() int) {
		t.Helper()
		if err := b.Driver(func(c *sqlite3.SQLiteConn) { c.RegisterCommitHook(fn) }); err != nil {
			t.Fatal(err)
		}
	}
	wake, stop := b.Watch("topic")
	defer stop()
	hook(func() int { return 1 })
	for _, err := range b.CommitTogether(store.Operator, mark("one"), func(tx *store.Tx) error { tx.Notify("topic"); return nil }) {
		if err == nil {
			t.Error("committed")
		}
	}
	select {
	case <-wake:
		t.Error("somebody was woken for nothing")
	default:
	}
	hook(func() int { return 0 })
	if b.marked(t, "one") {
		t.Error("in the books")
	}
	b.do(t, mark("one"))
}

// TestRollbackFails: a connection that cannot roll back is replaced.
func TestRollbackFails(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	err := b.Driver(func(c *sqlite3.SQLiteConn) {
		c.RegisterAuthorizer(func(op int, what, _, _ string) int {
			if op == sqlite3.SQLITE_TRANSACTION && (what == "COMMIT" || what == "ROLLBACK") {
				return sqlite3.SQLITE_DENY
			}
			return sqlite3.SQLITE_OK
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if errs := b.CommitTogether(store.Operator, mark("one")); errs[0] == nil || b.marked(t, "one") {
		t.Errorf("told %v", errs[0])
	}
	// The new connection obeys, and the old one holds no lock.
	b.do(t, mark("one"))
	b.waiting(t, anchor.Deposit, 1)
	balanced(t, b)
}

// TestBusy: somebody else writes to the file. The update fails as a whole when
// that takes too long, and the next one works.
func TestBusy(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	if _, err := b.Writer().ExecContext(ctx, "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	other, err := b.raw(t).Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := other.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ran := false
	err = b.Update(ctx, store.Operator, func(tx *store.Tx) error { ran = true; return mark("busy")(tx) })
	if err == nil || ran || !strings.Contains(err.Error(), "locked") {
		t.Errorf("busy: %v, ran %v", err, ran)
	}
	if _, err := other.ExecContext(ctx, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	b.do(t, mark("busy"))
}

// TestWatch: whoever looks first and then waits misses nothing.
func TestWatch(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	wake, stop := b.Watch("topic")
	other, stopOther := b.Watch("other")
	defer stopOther()
	woken := func(ch <-chan struct{}) bool {
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
	notify := func(tx *store.Tx) error { tx.Notify("topic"); return nil }
	b.do(t, func(tx *store.Tx) error {
		tx.Notify("topic")
		if woken(wake) {
			t.Error("woken before the commit")
		}
		return nil
	})
	if !woken(wake) || woken(other) {
		t.Error("not woken by its own topic alone")
	}
	for range 10 {
		b.do(t, notify)
	}
	if !woken(wake) || woken(wake) {
		t.Error("ten changes while nobody looked are not one token")
	}
	if err := b.Update(ctx, store.Operator, func(tx *store.Tx) error { tx.Notify("topic"); return errors.New("no") }); err == nil || woken(wake) {
		t.Errorf("woken by what was rolled back: %v", err)
	}
	stop()
	stop()
	b.do(t, notify)
	if woken(wake) {
		t.Error("woken after stop")
	}

	// A transaction wakes those who watch it, and those who watch any.
	id := b.waiting(t, anchor.Deposit, 1)
	one, stopOne := b.Watch(id)
	defer stopOne()
	anyone, stopAny := b.Watch(store.TopicAny)
	defer stopAny()
	payouts, stopPayouts := b.Watch(store.TopicPayouts)
	defer stopPayouts()
	b.do(t, func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		_, err = tx.Receive(a, offer(), 100*anchor.One, "ref", noon, noon)
		return err
	})
	if !woken(one) || !woken(anyone) || !woken(payouts) {
		t.Error("an arrival woke not all")
	}

	// Many writers, and one who looks until it has seen all of them.
	counted, stopCounted := b.Watch("count")
	defer stopCounted()
	const writers, each = 8, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				err := b.Update(ctx, store.Operator, func(tx *store.Tx) error {
					tx.Notify("count")
					return mark(fmt.Sprint("count ", w, n))(tx)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for b.count(t, `SELECT count(*) FROM used WHERE key LIKE 'count%'`) < writers*each {
		<-counted
	}
	wg.Wait()
}
