package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"

	"windlass/server/anchor"
)

// Actor is who makes a change, for the audit trail: one of the constants, or
// "staff:" and a name.
type Actor string

// The actors that are not people on our side.
const (
	Wallet   Actor = "wallet"
	Customer Actor = "customer"
	Ledger   Actor = "ledger" // the streamer
	Payouts  Actor = "payout" // the payout engine
	BankRail Actor = "bank"
	Clock    Actor = "clock"
	Operator Actor = "operator" // configuration and start-up
)

// Tx is one update's view of the books: reads see its own writes. It is valid
// inside its closure only.
type Tx struct {
	s      *Store
	w      *writer
	actor  Actor
	topics []string
	loaded map[*anchor.Transaction]known
	over   atomic.Bool // its closure has ended

	moved   identity         // see moves
	made    []*anchor.Payout // see IfCertain
	ordered []anchor.Purpose
}

// errClosed is what becomes of an update or a read after Close.
var errClosed = errors.New("store: closed")

type update struct {
	actor  Actor
	fn     func(*Tx) error
	done   chan error
	err    error
	topics []string
	moved  identity
}

// Update runs fn in a database transaction that it may share with other
// updates, and returns after the commit. An error from fn rolls back what fn
// did and is returned as it is. fn must not do I/O, call Update, keep the Tx,
// or depend on running once only.
//
// ctx bounds the wait for the writer. Once fn may have run, Update waits for
// the outcome.
func (s *Store) Update(ctx context.Context, actor Actor, fn func(*Tx) error) error {
	if s.queue == nil {
		return errReadOnly
	}
	// A select takes any case that is ready; what has ended must win.
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.stop:
		return errClosed
	default:
	}
	u := &update{actor: actor, fn: fn, done: make(chan error, 1)}
	select {
	case s.queue <- u:
		return <-u.done
	case <-ctx.Done():
		return ctx.Err()
	case <-s.stop:
		return errClosed
	}
}

// commitLoop commits groups of updates until Close.
func (s *Store) commitLoop() {
	defer close(s.stopped)
	for {
		var group []*update
		select {
		case u := <-s.queue:
			group = append(group, u)
		case <-s.stop:
			return
		}
	gather:
		for len(group) < maxGroup {
			select {
			case u := <-s.queue:
				group = append(group, u)
			default:
				break gather
			}
		}
		s.serve(group)
	}
}

// serve commits a group and tells each update what became of it.
func (s *Store) serve(group []*update) {
	err := s.commit(group)
	var last identity
	for _, u := range group {
		if u.moved.mark > last.mark {
			last = u.moved
		}
	}
	var unkept error
	if err == nil && last.mark > 0 {
		unkept = s.keepIdentity(last)
	}
	for _, u := range group {
		if u.err == nil && u.moved.mark > 0 {
			u.err = unkept // it is committed, and nobody may act on it
		}
		if u.err == nil {
			u.err = err
		}
		if u.err == nil {
			s.watchers.tell(u.topics)
		}
		u.done <- u.err
	}
}

// commit runs the group in one database transaction. Its error is that of the
// transaction itself; an update's own error is in the update.
func (s *Store) commit(group []*update) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	if s.conn == nil {
		if s.conn, err = s.write.Conn(ctx); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	w := &writer{conn: s.conn, ctx: ctx, stmts: &s.writes}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.rollback())
		}
	}()
	if _, err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	w.begun = true
	for _, u := range group {
		if err := s.runOne(w, u); err != nil {
			return err
		}
	}
	reached("committing")
	if _, err := w.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	reached("committed")
	return nil
}

// Moment is nil but in the crash harness. Set before Open, it is told that something has just not
// happened yet ("committing", "migrating") or has happened and nobody knows of it
// yet ("committed", "migrated"). The harness dies there.
var Moment func(name string)

func reached(moment string) {
	if Moment != nil {
		Moment(moment)
	}
}

// rollback ends what is left of a failed transaction. SQLite may have rolled it
// back by itself. A connection that cannot roll back is given up: it would
// refuse every transaction from now on.
func (s *Store) rollback() error {
	// The time limit may be what failed: rolling back must not share it.
	ctx := context.Background()
	open, err := inTransaction(s.conn)
	if err == nil && !open {
		return nil
	}
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "ROLLBACK")
	}
	if err == nil {
		return nil
	}
	_ = s.writes.close()
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn }) // which closes it
	s.conn = nil
	return fmt.Errorf("roll back: %w", err)
}

// inTransaction asks SQLite itself.
func inTransaction(conn *sql.Conn) (open bool, err error) {
	err = conn.Raw(func(c any) error {
		sqlite, ok := c.(*sqlite3.SQLiteConn)
		if !ok {
			return fmt.Errorf("store: the driver's connection is a %T", c)
		}
		open = !sqlite.AutoCommit()
		return nil
	})
	return open, err
}

// runOne runs an update inside a savepoint. It returns an error only if the
// whole transaction is lost.
func (s *Store) runOne(w *writer, u *update) error {
	if _, err := w.exec("SAVEPOINT one"); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	t := &Tx{s: s, w: w, actor: u.actor}
	u.err = guarded(u.fn, t)
	t.over.Store(true)
	if u.err != nil {
		if _, err := w.exec("ROLLBACK TO one"); err != nil {
			return fmt.Errorf("roll back: %w", err)
		}
	}
	if _, err := w.exec("RELEASE one"); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if u.topics = t.topics; u.err == nil {
		u.moved = t.moved
	}
	return nil
}

// guarded turns a panic of one closure into its error, so that it cannot take
// its neighbours or the writer down. A goroutine of its own keeps the writer
// alive even where a closure ends its goroutine, as a test's Fatal does.
func guarded(fn func(*Tx) error, t *Tx) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("store: update ended its goroutine")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("store: update panicked: %v\n%s", p, debug.Stack())
			}
			done <- err
		}()
		err = fn(t)
	}()
	return <-done
}

func (t *Tx) box() *Keys { return t.s.keys }

// errOver is what becomes of a Tx that somebody kept.
var errOver = errors.New("store: the update has ended")

func (t *Tx) each(scan func(scanner) (bool, error), query string, args ...any) (err error) {
	if t.over.Load() {
		return errOver
	}
	if err := t.w.alive(); err != nil {
		return err
	}
	st, err := t.w.stmts.get(t.w.ctx, t.w.conn, query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(t.w.ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if more, err := scan(rows); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

func (t *Tx) exec(query string, args ...any) (sql.Result, error) {
	if t.over.Load() {
		return nil, errOver
	}
	res, err := t.w.exec(query, args...)
	return res, duplicate(err)
}

// insert adds a row and answers the id that the database gave it: query ends in
// RETURNING id.
func (t *Tx) insert(query string, args ...any) (id int64, err error) {
	_, err = list(t, func(r scanner, _ *Keys) (int64, error) { return id, r.Scan(&id) }, query, args...)
	return id, duplicate(err)
}

// duplicate is the Conflict of a row that a unique index knows already; any other
// error stays what it is.
func duplicate(err error) error {
	if !isUnique(err) {
		return err
	}
	return &anchor.Error{Kind: anchor.Conflict, Code: "duplicate", Message: "it exists already", Err: err}
}

// writer is the one connection that writes, during one group commit.
type writer struct {
	conn  *sql.Conn
	ctx   context.Context
	stmts *statements
	begun bool
}

// alive refuses to go on once SQLite has rolled the transaction back by itself,
// which it does when the disk is full or a statement is cancelled: whatever a
// closure that overlooked the error did next would be committed alone.
func (w *writer) alive() error {
	if !w.begun {
		return nil
	}
	open, err := inTransaction(w.conn)
	if err == nil && !open {
		err = errors.New("store: the transaction was rolled back by the database")
	}
	return err
}

func (w *writer) exec(query string, args ...any) (sql.Result, error) {
	if err := w.alive(); err != nil {
		return nil, err
	}
	st, err := w.stmts.get(w.ctx, w.conn, query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(w.ctx, args...)
}

func isUnique(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// change runs a statement that must touch exactly one row; none is a Conflict:
// somebody else changed it first.
func (t *Tx) change(query string, args ...any) error {
	res, err := t.exec(query, args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != 1 {
		err = changedMeanwhile()
	}
	return err
}

func changedMeanwhile() error {
	return &anchor.Error{Kind: anchor.Conflict, Code: "changed_meanwhile", Message: "it was changed meanwhile; load it again"}
}

// Notify wakes those who watch a topic, after the commit.
func (t *Tx) Notify(topic string) { t.topics = append(t.topics, topic) }

// The topics that rooms wake each other with. A transaction's own topic is its id.
const (
	TopicPayouts     = "payouts"
	TopicBankPayouts = "bank payouts"
	TopicUnmatched   = "unmatched payments"
	TopicOutbox      = "outbox"
	TopicAny         = "any transaction"
)

// watchers are channels by topic. A channel holds one token: many changes while
// nobody looks are one wake-up.
type watchers struct {
	mu      sync.Mutex
	byTopic map[string]map[chan struct{}]struct{}
}

// Watch returns a channel that gets a token after every commit that touched
// the topic: a transaction's id, or one of the Topic constants. Look first,
// then wait. stop must be called.
func (s *Store) Watch(topic string) (wake <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	w := &s.watchers
	w.mu.Lock()
	if w.byTopic[topic] == nil {
		w.byTopic[topic] = map[chan struct{}]struct{}{}
	}
	w.byTopic[topic][ch] = struct{}{}
	w.mu.Unlock()
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.byTopic[topic], ch)
		if len(w.byTopic[topic]) == 0 {
			delete(w.byTopic, topic)
		}
	}
}

func (w *watchers) tell(topics []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, topic := range topics {
		for ch := range w.byTopic[topic] {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
	}
}
