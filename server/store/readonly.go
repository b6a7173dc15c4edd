package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"windlass/server/anchor"
)

// errReadOnly is what becomes of an update of books that were opened to be read.
var errReadOnly = errors.New("store: these books are open for reading only")

// OpenReader opens books that another process may have open, to read them. It
// takes no lock, never migrates, and refuses a schema that is not exactly this
// version's. Every Update is an error.
//
// The connections could write, and are told not to: SQLite reads a write-ahead
// log only where it may make the index that belongs to it, and nobody has made
// that while the books are closed.
func OpenReader(ctx context.Context, path string, keys *Keys) (_ *Store, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there are no books at %s", path)
	}
	s := &Store{path: path, keys: keys, stop: make(chan struct{}), stopped: make(chan struct{})}
	close(s.stopped) // there is no writer
	s.watchers.byTopic = map[string]map[chan struct{}]struct{}{}
	if s.read, err = open(path, "rw", "deferred"); err != nil {
		return nil, err
	}
	if err := checkSchema(ctx, s.read); err != nil {
		return nil, errors.Join(err, s.read.Close())
	}
	if s.reads, err = openReaders(ctx, s.read, 2); err != nil {
		return nil, errors.Join(err, s.read.Close())
	}
	return s, nil
}

// checkSchema refuses a database of another version.
func checkSchema(ctx context.Context, db *sql.DB) error {
	has, known, err := versions(ctx, db)
	switch {
	case err != nil:
		return err
	case has < known:
		return fmt.Errorf("the database has version %d, this program needs version %d: `windlass migrate`, or a start, brings it there", has, known)
	case has > known:
		return newerSchema(has, known)
	}
	return nil
}

// versions are the schema that a database has, and the one that this program knows.
func versions(ctx context.Context, db *sql.DB) (has, known int64, err error) {
	p, err := migrationsOf(db)
	if err != nil {
		return 0, 0, err
	}
	sources := p.ListSources()
	known = sources[len(sources)-1].Version
	if err := db.QueryRowContext(ctx, `SELECT version_id FROM goose_db_version WHERE is_applied ORDER BY id DESC LIMIT 1`).Scan(&has); err != nil {
		return 0, 0, fmt.Errorf("read the database's version: %w", err)
	}
	return has, known, nil
}

// Snapshot gives fn the books as they are at one moment, whatever is written
// meanwhile. What fn gets is for reading, and valid inside fn only; fn must not
// wait for anything else, because the write-ahead log cannot shrink under it.
func (s *Store) Snapshot(ctx context.Context, fn func(*Store) error) (err error) {
	c, err := s.reads.take(ctx)
	if err != nil {
		return err
	}
	defer func() { s.reads.idle <- c }()
	one := &readers{idle: make(chan *readConn, 1), closed: s.reads.closed}
	one.idle <- c
	view := &Store{path: s.path, keys: s.keys, stop: s.stop, reads: one}
	view.watchers.byTopic = map[string]map[chan struct{}]struct{}{}
	// The first read fixes the moment.
	if err := c.exec(ctx, "BEGIN"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		<-one.idle // waits for a read that somebody left running
		err = errors.Join(err, c.exec(context.WithoutCancel(ctx), "ROLLBACK"))
	}()
	return fn(view)
}

// Line is one posting with what its entry says.
type Line struct {
	JournalEntry // without Postings
	anchor.Posting
}

// Lines hands every posting to a journal account, of entries dated since a time,
// to each, in the order in which they were written.
func (s *Store) Lines(ctx context.Context, account anchor.Ledger, since time.Time, each func(Line) error) error {
	return s.lines(ctx, each, `account = $1 AND at >= $2 ORDER BY journal.id, ordinal`, account, micros(since))
}

// LinesOfKind hands every posting of entries of a kind to each.
func (s *Store) LinesOfKind(ctx context.Context, kind string, each func(Line) error) error {
	return s.lines(ctx, each, `kind = $1 ORDER BY journal.id, ordinal`, kind)
}

func (s *Store) lines(ctx context.Context, each func(Line) error, where string, args ...any) error {
	return s.reader(ctx).each(func(r scanner) (bool, error) {
		var l Line
		var at int64
		var asset string
		err := r.Scan(&at, &l.Kind, &l.JournalEntry.Transaction, &l.Reference, &l.Account, &asset, &l.Amount)
		if err == nil {
			l.Asset, err = assets.parse(asset)
		}
		if err != nil {
			return false, err
		}
		l.At = instant(at)
		return true, each(l)
	}, `SELECT at, kind, transaction_id, reference, account, asset, amount FROM journal JOIN postings ON postings.entry_id = journal.id WHERE `+where, args...)
}

// Behind lists the transactions that something on the ledger or at the bank
// belongs to: a ledger transaction's hash, a statement line's or transfer's id,
// or an order's.
func (s *Store) Behind(ctx context.Context, reference string) ([]string, error) {
	return list(s.reader(ctx), func(r scanner, _ *Keys) (id string, err error) { return id, r.Scan(&id) }, `
		SELECT transaction_id FROM payments WHERE hash = $1 AND transaction_id <> ''
		UNION SELECT cause_id FROM payouts JOIN envelope_payouts ON payout_id = payouts.id JOIN envelopes ON envelopes.id = envelope_payouts.envelope_id
			WHERE hash = $1 AND cause_kind = 'transaction'
		UNION SELECT transaction_id FROM bank_lines WHERE id = $1 AND transaction_id <> ''
		UNION SELECT cause_id FROM bank_payouts WHERE (id = $1 OR bank_id = $1) AND cause_kind = 'transaction'
		ORDER BY 1`, reference)
}

// LastMoved is the newest time at which money of ours moved on the ledger, as
// far as the newest thousand entries tell: entries are written about in the
// order of what they tell of. Zero if it never did.
func (s *Store) LastMoved(ctx context.Context) (time.Time, error) {
	return one(s.reader(ctx), "entry", func(r scanner, _ *Keys) (time.Time, error) {
		var at int64
		err := r.Scan(&at)
		return instant(at), err
	}, `SELECT COALESCE(MAX(at), 0) FROM (
		SELECT at FROM journal JOIN postings ON postings.entry_id = journal.id
		WHERE journal.id > (SELECT COALESCE(MAX(id), 0) - 1000 FROM journal) AND account IN ('distribution', 'in_flight') AND asset LIKE 'stellar:%'
		GROUP BY journal.id, at, asset HAVING SUM(amount) <> 0) AS moved`)
}
