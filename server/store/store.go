package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	// The SQLite driver registers itself.
	_ "github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"

	"windlass/server/anchor"
)

//go:embed migrations/*.sql
var migrations embed.FS

// updateLimit bounds the database work of one group commit.
const updateLimit = 30 * time.Second

// maxGroup is how many closures share one commit at the most.
const maxGroup = 256

// Store is the books on one SQLite file. Use Open.
type Store struct {
	path  string
	lock  *os.File
	keys  *Keys
	write *sql.DB // one connection
	read  *sql.DB

	limits map[anchor.Asset]limit // see Limit
	mails  bool                   // see WriteMails
	doubt  atomic.Bool            // see Doubt

	limit   time.Duration // of one group commit
	queue   chan *update
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once

	watchers watchers
	conn     *sql.Conn  // the writer's; nil after one had to be given up
	writes   statements // prepared on conn
	reads    *readers   // connections of read
}

// Open opens the database file, applies missing migrations and starts the
// writer. The file and its folder must be writable by this process only, and
// one Store at a time can have them: see lockBooks.
func Open(ctx context.Context, path string, keys *Keys) (_ *Store, err error) {
	lock, err := lockBooks(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	s := &Store{
		path: path, lock: lock, keys: keys, limit: updateLimit,
		queue: make(chan *update), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	s.watchers.byTopic = map[string]map[chan struct{}]struct{}{}
	if err := private(path); err != nil {
		return nil, err
	}
	if s.write, err = open(path, "rwc", "immediate"); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	if err := Migrate(ctx, s.write); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return nil, errors.Join(err, s.write.Close())
	}
	if s.read, err = open(path, "ro", "deferred"); err != nil {
		return nil, errors.Join(err, s.conn.Close(), s.write.Close())
	}
	// A read keeps a processor busy rather than waiting, so that more connections
	// than these only get in each other's way (measured).
	if s.reads, err = openReaders(ctx, s.read, max(4, runtime.GOMAXPROCS(0))); err != nil {
		return nil, errors.Join(err, s.read.Close(), s.conn.Close(), s.write.Close())
	}
	go s.commitLoop()
	if err := s.identify(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// lockBooks keeps a second windlass out, which SQLite alone would let in: two
// streamers and two payout engines over one set of books are saved from paying
// twice by the schema only, and get in each other's way. The lock ends with the
// process, however that ends. It has a file of its own, because closing any
// handle of the database would drop the locks that SQLite holds on it.
func lockBooks(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use by another windlass: %w", path, err), f.Close())
	}
	return f, nil
}

// private makes the file for this user only, before SQLite makes it for
// everybody. The files beside it get its permissions.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// open states every pragma in the DSN, because a pragma set by a statement
// would hold on one pooled connection only.
func open(path, mode, txlock string) (*sql.DB, error) {
	q := url.Values{
		"mode": {mode}, "_txlock": {txlock},
		"_journal_mode": {"WAL"}, "_synchronous": {"FULL"},
		"_foreign_keys": {"on"}, "_busy_timeout": {"10000"},
		"_cache_size": {"-20000"},
	}
	if mode != "rwc" {
		q.Del("_journal_mode")
		q.Set("_query_only", "true")
	}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// Migrate brings the schema up to date. It refuses a database that a newer
// version of the program has made.
func Migrate(ctx context.Context, db *sql.DB) error {
	p, err := migrationsOf(db)
	if err != nil {
		return err
	}
	for {
		reached("migrating")
		_, err := p.UpByOne(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			break
		}
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		reached("migrated")
	}
	has, known, err := p.GetVersions(ctx)
	if err == nil && has > known {
		err = newerSchema(has, known)
	}
	return err
}

func migrationsOf(db *sql.DB) (*goose.Provider, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, sub)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

func newerSchema(has, known int64) error {
	return fmt.Errorf("the database has version %d, this program knows versions up to %d: it was made by a newer one", has, known)
}

// Close waits for the writer and closes the database. Twice is fine.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		close(s.stop)
		<-s.stopped
		err = errors.Join(s.reads.close(), s.writes.close())
		if s.write == nil { // it was opened to be read
			err = errors.Join(err, s.read.Close())
			return
		}
		if s.conn != nil {
			err = errors.Join(err, s.conn.Close())
		}
		// The writer's pool last: it moves the write-ahead log into the database.
		err = errors.Join(err, s.read.Close(), s.write.Close(), s.lock.Close())
	})
	return err
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	return s.reader(ctx).each(func(scanner) (bool, error) { return true, nil }, "SELECT 1")
}

// preparer is a pool or a single connection.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statements caches prepared statements of one preparer by their text.
type statements struct {
	mu  sync.RWMutex
	all map[string]*sql.Stmt
}

func (c *statements) get(ctx context.Context, db preparer, query string) (*sql.Stmt, error) {
	c.mu.RLock()
	st := c.all[query]
	c.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	st, err := db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other := c.all[query]; other != nil {
		return other, st.Close() //nolint:sqlclosecheck // this one lost the race
	}
	if c.all == nil {
		c.all = map[string]*sql.Stmt{}
	}
	c.all[query] = st
	return st, nil
}

func (c *statements) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, st := range c.all {
		errs = append(errs, st.Close())
	}
	c.all = nil
	return errors.Join(errs...)
}

// source runs queries: the reader pool, or one update's transaction.
type source interface {
	// each hands row after row of a query to scan, until that wants no more.
	each(scan func(scanner) (more bool, err error), query string, args ...any) error
	box() *Keys
}

// reader is the pool under a caller's context.
type reader struct {
	s   *Store
	ctx context.Context
}

func (r reader) box() *Keys { return r.s.keys }

func (r reader) each(scan func(scanner) (bool, error), query string, args ...any) error {
	return r.s.reads.each(r.ctx, scan, query, args)
}

func (s *Store) reader(ctx context.Context) source { return reader{s, ctx} }

// scanner is what a row's scan function gets.
type scanner interface{ Scan(dest ...any) error }

// list runs a query and scans every row.
func list[T any](src source, scan func(scanner, *Keys) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	err := src.each(func(r scanner) (bool, error) {
		v, err := scan(r, src.box())
		if err != nil {
			return false, fmt.Errorf("scan: %w", err)
		}
		all = append(all, v)
		return true, nil
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return all, nil
}

// one scans the first row of a query; none is NotFound with the given name.
func one[T any](src source, what string, scan func(scanner, *Keys) (T, error), query string, args ...any) (v T, err error) {
	found := false
	err = src.each(func(r scanner) (bool, error) {
		found = true
		v, err = scan(r, src.box())
		return false, err
	}, query, args...)
	switch {
	case err != nil:
		return v, fmt.Errorf("query: %w", err)
	case !found:
		return v, &anchor.Error{Kind: anchor.NotFound, Code: "not_found", Message: "no such " + what}
	}
	return v, nil
}

// assets remembers the few assets that the books name, because checking an
// issuer's address costs more than reading the row.
var assets assetTable

type assetTable struct{ known sync.Map }

func (t *assetTable) parse(s string) (anchor.Asset, error) {
	if a, ok := t.known.Load(s); ok {
		return a.(anchor.Asset), nil //nolint:errcheck // only parse stores here
	}
	a, err := anchor.ParseAsset(s)
	if err == nil {
		t.known.Store(s, a)
	}
	return a, err
}

// micros and instant turn times into columns and back.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
