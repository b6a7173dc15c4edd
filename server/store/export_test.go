package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// CommitTogether serves closures as one group, as if they had waited together.
// No Update may be under way.
func (s *Store) CommitTogether(actor Actor, fns ...func(*Tx) error) []error {
	group := make([]*update, len(fns))
	for i, fn := range fns {
		group[i] = &update{actor: actor, fn: fn, done: make(chan error, 1)}
	}
	s.serve(group)
	errs := make([]error, len(fns))
	for i, u := range group {
		errs[i] = <-u.done
	}
	return errs
}

// SetLimit bounds group commits to come. No Update may be under way.
func (s *Store) SetLimit(d time.Duration) { s.limit = d }

// Driver gives access to the writer's connection. No Update may be under way.
func (s *Store) Driver(fn func(*sqlite3.SQLiteConn)) error {
	return s.conn.Raw(func(c any) error {
		sqlite, ok := c.(*sqlite3.SQLiteConn)
		if !ok {
			return fmt.Errorf("a %T", c)
		}
		fn(sqlite)
		return nil
	})
}

// Writer and Readers are the connections themselves.
func (s *Store) Writer() *sql.Conn { return s.conn }
func (s *Store) Readers() *sql.DB  { return s.read }

// Pooled are the connections that read.
func (s *Store) Pooled() []*sql.Conn {
	all := make([]*sql.Conn, len(s.reads.all))
	for i, c := range s.reads.all {
		all[i] = c.conn
	}
	return all
}

// Exec runs any statement inside an update.
func (t *Tx) Exec(query string, args ...any) error {
	_, err := t.exec(query, args...)
	return err
}

// Statements are the texts of all that were run so far.
func (s *Store) Statements() []string {
	var all []string
	s.writes.mu.RLock()
	all = slices.AppendSeq(all, maps.Keys(s.writes.all))
	s.writes.mu.RUnlock()
	for range s.reads.all {
		c := <-s.reads.idle
		all = slices.AppendSeq(all, maps.Keys(c.statements))
		defer func() { s.reads.idle <- c }()
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// Plan is how SQLite runs a statement, one step a line.
func (s *Store) Plan(ctx context.Context, query string) (string, error) {
	args := make([]any, 0, 8)
	for i := 1; strings.Contains(query, fmt.Sprintf("$%d", i)); i++ {
		args = append(args, nil)
	}
	rows, err := s.read.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			return "", err
		}
		b.WriteString(step + "\n")
	}
	return b.String(), rows.Err()
}

// Generated are the statements that are put together when the program starts.
func Generated() map[string]string {
	return map[string]string{"insert": insertTransaction, "update": updateTransaction}
}

// Within are the statements that add up a day, by their tables.
func Within() map[string]string {
	return map[string]string{"payouts": payoutsWithin, "bank_payouts": ordersWithin}
}

// Step does something as an actor, has then look at the books, and takes all of it
// back. then is not called for what was refused.
func (t *Tx) Step(actor Actor, do func() error, then func()) (refused error) {
	was := t.actor
	if err := t.Exec("SAVEPOINT step"); err != nil {
		panic(err)
	}
	t.actor, t.loaded, t.topics = actor, nil, nil
	if refused = do(); refused == nil {
		then()
	}
	t.actor = was
	if err := errors.Join(t.Exec("ROLLBACK TO step"), t.Exec("RELEASE step")); err != nil {
		panic(err)
	}
	return refused
}
