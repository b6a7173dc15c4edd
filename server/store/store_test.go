package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"windlass/server/anchor"
	"windlass/server/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crash(dir) // and never returns
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

const (
	alice = "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR"
	bob   = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
)

var (
	usdw = anchor.Asset{Scheme: "stellar", Code: "USDW", Issuer: alice}
	eurw = anchor.Asset{Scheme: "stellar", Code: "EURW", Issuer: alice}
	usd  = anchor.Asset{Scheme: "iso4217", Code: "USD"}
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	late = noon.Add(24 * time.Hour)
)

func offer() *anchor.Terms {
	side := anchor.Side{Enabled: true, Min: anchor.One, Max: 10_000 * anchor.One,
		Fee: anchor.Schedule{Fixed: anchor.One, Percent: anchor.MustAmount("0.5")}}
	return &anchor.Terms{Asset: usdw, OffChain: usd, Decimals: 2, OffChainDecimals: 2, Account: alice, Deposit: side, Withdraw: side}
}

// books is an open store and where it lies.
type books struct {
	*store.Store
	path, key string
}

// newBooks opens an empty store in a folder of its own.
func newBooks(t testing.TB) *books {
	t.Helper()
	return openBooks(t, t.TempDir())
}

// openBooks opens the store in a folder, and makes what is missing there.
func openBooks(t testing.TB, dir string) *books {
	t.Helper()
	b := &books{path: filepath.Join(dir, "books.db"), key: filepath.Join(dir, "key.json")}
	if err := store.NewKeyFile(b.key); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	keys, err := store.LoadKeys(b.key)
	if err != nil {
		t.Fatal(err)
	}
	if b.Store, err = store.Open(context.Background(), b.path, keys); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// do is an Update that must succeed.
func (b *books) do(t testing.TB, fn func(*store.Tx) error) {
	t.Helper()
	if err := b.Update(context.Background(), store.Operator, fn); err != nil {
		t.Fatal(err)
	}
}

// raw is the database past the store.
func (b *books) raw(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+b.path+"?_busy_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// count is the answer of a query that counts.
func (b *books) count(t testing.TB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := b.Readers().QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// balanced is the invariant at the end of every story: the books add up.
func balanced(t testing.TB, b *books) {
	t.Helper()
	all, err := b.Balances(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	sums := map[anchor.Asset]anchor.Amount{}
	for _, x := range all {
		sums[x.Asset] += x.Amount
	}
	for asset, sum := range sums {
		if sum != 0 {
			t.Errorf("the books are out of balance by %s %s", sum, asset)
		}
	}
	if n := b.count(t, `SELECT count(*) FROM journal WHERE NOT EXISTS (SELECT 1 FROM postings WHERE entry_id = journal.id)`); n != 0 {
		t.Errorf("%d entries without postings", n)
	}
	var ok string
	if err := b.Readers().QueryRow("PRAGMA integrity_check").Scan(&ok); err != nil || ok != "ok" {
		t.Errorf("integrity: %s, %v", ok, err)
	}
}

// kindIs fails the test unless err is an anchor error of that kind and code.
func kindIs(t testing.TB, err error, kind anchor.ErrorKind, code string) {
	t.Helper()
	var e *anchor.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code {
		t.Errorf("error %v, want %s %q", err, kind, code)
	}
}

// start is a new transaction, not stored.
func start(kind anchor.Kind) *anchor.Transaction {
	return anchor.Start(store.NewID(), kind, offer(), anchor.Identity{Account: alice}, anchor.Address(bob), late, noon)
}

// agree enters all and agrees; the instructions are the transaction's own.
func agree(a *anchor.Transaction, memo uint64) error { return agreeBy(offer(), a, memo) }

func agreeBy(terms *anchor.Terms, a *anchor.Transaction, memo uint64) error {
	if err := a.SetAmount(terms, 100*anchor.One); err != nil {
		return err
	}
	a.Method, a.Reviewed = "bank_transfer", true
	return a.Agree(anchor.Instructions{Reference: fmt.Sprint("WL-", memo), AnchorAccount: alice, Memo: anchor.IDMemo(memo), Deadline: late}, noon)
}

// waiting stores a transaction whose customer may pay now.
func (b *books) waiting(t testing.TB, kind anchor.Kind, memo uint64) string {
	t.Helper()
	a := start(kind)
	if err := agree(a, memo); err != nil {
		t.Fatal(err)
	}
	b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
	return a.ID
}

// funded stores a transaction whose money is here.
func (b *books) funded(t testing.TB, kind anchor.Kind, memo uint64) string {
	t.Helper()
	id := b.waiting(t, kind, memo)
	b.do(t, func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		_, err = tx.Receive(a, offer(), 100*anchor.One, fmt.Sprint("ref-", memo), noon, noon)
		return err
	})
	return id
}

// TestOpen: the files are for their owner only, wherever they lie.
func TestOpen(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain", "a b", "100%", "what?", "a#b", "ünï", "semi;colon&amp=1"} {
		dir := filepath.Join(t.TempDir(), name)
		b := openBooks(t, dir)
		b.waiting(t, anchor.Deposit, 1)
		if _, _, err := b.Search(context.Background(), store.Search{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var found []string
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s has permissions %v", name, d.Name(), info.Mode().Perm())
			}
			found = append(found, d.Name())
			return err
		})
		want := []string{"books.db", "books.db-shm", "books.db-wal", "books.db.lock", "key.json"}
		if err != nil || !slices.Equal(found, want) {
			t.Errorf("%s: files %v, %v", name, found, err)
		}
	}
	keys, err := store.LoadKeys(newBooks(t).key)
	if err != nil {
		t.Fatal(err)
	}
	b := newBooks(t)
	if s, err := store.Open(context.Background(), b.path, keys); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("one set of books was opened twice: %v", err)
		_ = s.Close()
	}
	b.waiting(t, anchor.Deposit, 2) // and the first is none the worse
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err := store.Open(context.Background(), b.path, keys); err != nil || s.Close() != nil {
		t.Errorf("closed books cannot be opened: %v", err)
	}
	if s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "missing", "books.db"), keys); err == nil {
		t.Error("opened in a folder that is not there", s.Close())
	}
	junk := filepath.Join(t.TempDir(), "junk.db")
	if err := os.WriteFile(junk, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := store.Open(context.Background(), junk, keys); err == nil {
		t.Error("opened what is not a database", s.Close())
	}
}

// TestPragmas: every connection of both pools says what it must.
func TestPragmas(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	conns := map[string]*sql.Conn{"writer": b.Writer()}
	for i, c := range b.Pooled() {
		conns[fmt.Sprint("reader ", i)] = c
	}
	for name, c := range conns {
		want := map[string]string{"foreign_keys": "1", "synchronous": "2", "journal_mode": "wal", "busy_timeout": "10000", "query_only": "1"}
		if name == "writer" {
			want["query_only"] = "0"
		}
		for pragma, value := range want {
			var got string
			if err := c.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil || got != value {
				t.Errorf("%s: %s is %s, %v; want %s", name, pragma, got, err, value)
			}
		}
		if name != "writer" {
			if _, err := c.ExecContext(ctx, "DELETE FROM used"); err == nil {
				t.Errorf("%s writes", name)
			}
		}
	}
	// And what the foreign keys are for: an envelope without its intent.
	err := b.Update(ctx, store.Payouts, func(tx *store.Tx) error { return tx.CreateEnvelope(envelope(alice, "h", "nobody")) })
	if err == nil || anchor.KindOf(err) != anchor.Internal {
		t.Errorf("an envelope of an intent that is not there: %v", err)
	}
}

// TestClose: what was written is in the one file, and nothing is taken any more.
func TestClose(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	id := b.waiting(t, anchor.Deposit, 1)
	ctx := context.Background()
	if err := b.Ping(ctx); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := b.Ping(ctx); err == nil {
		t.Error("a closed store answers")
	}
	ran := false
	for range 20 {
		if err := b.Update(ctx, store.Wallet, func(*store.Tx) error { ran = true; return nil }); err == nil || ran {
			t.Fatal("a closed store writes")
		}
	}
	if _, err := os.Stat(b.path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the write-ahead log is left: %v", err)
	}
	again := openBooks(t, filepath.Dir(b.path))
	if a, err := again.Transaction(ctx, id); err != nil || a.Status() != anchor.PendingUserTransferStart {
		t.Errorf("%v, %v", a, err)
	}
}

// TestCloseUnderWay: updates that are running when the store closes end, one
// way or the other, and what they were told is true.
func TestCloseUnderWay(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	type result struct {
		key string
		err error
	}
	results := make(chan result, 200)
	begun := make(chan struct{}, 200)
	for i := range 200 {
		go func() {
			key := fmt.Sprint(i)
			begun <- struct{}{}
			results <- result{key, b.Update(ctx, store.Wallet, func(tx *store.Tx) error { return tx.UseOnce("x", key, late) })}
		}()
	}
	for range 100 {
		<-begun
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	want := map[string]bool{}
	for range 200 {
		r := <-results
		want[r.key] = r.err == nil
	}
	again := openBooks(t, filepath.Dir(b.path))
	for key, there := range want {
		if n := again.count(t, `SELECT count(*) FROM used WHERE key = $1`, key); (n == 1) != there {
			t.Errorf("update %s was told %v, the books hold %d", key, there, n)
		}
	}
}

// TestNewerDatabase: an older program does not touch what a newer one made.
func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.raw(t).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`); err != nil {
		t.Fatal(err)
	}
	keys, err := store.LoadKeys(b.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), b.path, keys)
	if err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("opened the database of a newer program: %v", err)
	}
	if s != nil {
		_ = s.Close()
	}
}

// TestNewID: ids sort in the order in which they were made.
func TestNewID(t *testing.T) {
	t.Parallel()
	last := ""
	for range 10_000 {
		id := store.NewID()
		if id <= last || len(id) != 36 || id[14] != '7' {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}
