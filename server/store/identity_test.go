package store_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// Books that are not the ones that were open here last begin with all payments
// paused, and others do not.
func TestOldBooksAreNoticed(t *testing.T) {
	t.Parallel()
	type files struct {
		t               *testing.T
		dir, path, lock string
	}
	read := func(f files, path string) []byte {
		b, err := os.ReadFile(path)
		must(f.t, err)
		return b
	}
	write := func(f files, path string, b []byte) { must(f.t, os.WriteFile(path, b, 0o600)) }
	// signs opens the books as yesterday's were never put back, and signs.
	signs := func(f files) {
		s := openBooks(f.t, f.dir)
		signOnce(f.t, s.Store)
		must(f.t, s.Close())
	}
	for name, tt := range map[string]struct {
		happens func(f files)
		noticed bool
	}{
		"nothing":         {func(files) {}, false},
		"more was signed": {signs, false},
		"yesterday's books": {func(f files) {
			old := read(f, f.path)
			signs(f)
			write(f, f.path, old)
		}, true},
		"yesterday's books, and nothing was signed since": {func(f files) {
			old := read(f, f.path)
			must(f.t, openBooks(f.t, f.dir).Close())
			write(f, f.path, old)
		}, false},
		"yesterday's books and lock file": {func(f files) {
			old, lock := read(f, f.path), read(f, f.lock)
			signs(f)
			write(f, f.path, old)
			write(f, f.lock, lock)
		}, false}, // the payout engine notices, by its channels
		"no lock file":             {func(f files) { must(f.t, os.Remove(f.lock)) }, true},
		"a lock file of nothing":   {func(f files) { write(f, f.lock, nil) }, true},
		"a spoilt lock file":       {func(f files) { write(f, f.lock, read(f, f.lock)[:30]) }, true},
		"a lock file of a restore": {func(f files) { write(f, f.lock, []byte(store.LostIdentity)) }, true},
		"new books":                {func(f files) { must(f.t, os.Remove(f.path)) }, true},
		"others' books": {func(f files) {
			other := openBooks(f.t, f.t.TempDir())
			signOnce(f.t, other.Store)
			signOnce(f.t, other.Store)
			must(f.t, other.Close())
			write(f, f.path, read(f, other.path))
		}, true},
		"a crash before the lock file was written": {func(f files) {
			lock := read(f, f.lock)
			signs(f)
			write(f, f.lock, lock)
		}, false},
		"yesterday's books, after such a crash and a start": {func(f files) {
			old, lock := read(f, f.path), read(f, f.lock)
			signs(f)
			write(f, f.lock, lock)
			must(f.t, openBooks(f.t, f.dir).Close()) // which may submit what was signed
			write(f, f.path, old)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBooks(t, t.TempDir())
			f := files{t, filepath.Dir(b.path), b.path, b.path + ".lock"}
			signOnce(t, b.Store)
			must(t, b.Close())
			tt.happens(f)
			s := openBooks(t, f.dir)
			want := 0
			if tt.noticed {
				want = 2
			}
			pauses(t, s.Store, want)
			must(t, s.Close())
			s = openBooks(t, f.dir) // they are the ones that were open here last, but nobody has ended the pauses
			pauses(t, s.Store, want)
			err := s.Update(t.Context(), "staff:sam", func(tx *store.Tx) error { return tx.Resume(anchor.PausedRestored) })
			if e, ok := errors.AsType[*anchor.Error](err); tt.noticed && (!ok || e.Code != "books_in_doubt") {
				t.Errorf("staff end the pause: %v", err)
			}
			must(t, s.Close())
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signOnce writes something down that moves money.
func signOnce(t *testing.T, s *store.Store) {
	t.Helper()
	must(t, s.Update(t.Context(), store.Payouts, func(tx *store.Tx) error {
		e := anchor.Envelope{ID: store.NewID(), Channel: store.NewID(), Sequence: 1, Hash: store.NewID(), State: anchor.EnvelopeLive, CreatedAt: time.Now()}
		return tx.CreateEnvelope(&e)
	}))
}

func pauses(t *testing.T, s *store.Store, want int) {
	t.Helper()
	all, err := s.Pauses(t.Context())
	must(t, err)
	if len(all) != want {
		t.Errorf("the pauses are %+v", all)
	}
}

// Books that have never paid anything, and a lock file that knows of nothing that
// was ever paid, are no books to doubt: their making was cut off.
func TestNewBooksAreNotDoubted(t *testing.T) {
	t.Parallel()
	for name, lock := range map[string]string{
		"none": "", "cut off": "\x00\x00\x00\x00", "of books that are gone": "0192f0c4-0000-7000-8000-000000000000 00000000000000000000\n",
	} {
		dir := t.TempDir()
		b := openBooks(t, dir)
		must(t, b.Close())
		must(t, os.WriteFile(b.path+".lock", []byte(lock), 0o600))
		b = openBooks(t, dir)
		pauses(t, b.Store, 0)
		must(t, b.Close())
		t.Log(name)
	}
}

// While the books may have forgotten what was paid, nothing is started but what
// decides again what was decided: a refund that an unexplained operation has made,
// to the stroop, or one at the bank once the ledger is certain.
func TestOnlyWhatWasDecidedIsDecidedAgain(t *testing.T) {
	t.Parallel()
	type act func(tx *store.Tx, deposit, withdrawal *anchor.Transaction) error
	back := func(amount anchor.Amount) act {
		return func(tx *store.Tx, _, w *anchor.Transaction) error {
			return tx.Refund(w, offer(), amount, 0, "staff:ada", noon)
		}
	}
	acts := map[string]act{
		"that refund": back(10 * anchor.One),
		"another":     back(11 * anchor.One),
		"at the bank": func(tx *store.Tx, d, _ *anchor.Transaction) error {
			return tx.Refund(d, offer(), 10*anchor.One, 0, "staff:ada", noon)
		},
		"both": func(tx *store.Tx, d, w *anchor.Transaction) error {
			return errors.Join(tx.Refund(d, offer(), 10*anchor.One, 0, "staff:ada", noon), tx.Refund(w, offer(), 10*anchor.One, 0, "staff:ada", noon))
		},
		"a payout": func(tx *store.Tx, d, _ *anchor.Transaction) error {
			return tx.CreatePayout(d.Payout(store.NewID(), alice, 7, noon))
		},
		"an order": func(tx *store.Tx, _, w *anchor.Transaction) error {
			return tx.CreateBankPayout(w.BankPayout("o", nil, 7, noon))
		},
		"neither, else": func(*store.Tx, *anchor.Transaction, *anchor.Transaction) error { return nil },
	}
	paused := func(key string) func(b *books) {
		return func(b *books) { b.do(t, func(tx *store.Tx) error { return tx.Pause(key, "", "x") }) }
	}
	for name, tt := range map[string]struct {
		doubt func(b *books)
		let   []string
	}{
		"no doubt":       {func(*books) {}, slices.Collect(maps.Keys(acts))},
		"staff's pause":  {paused(anchor.PausedByStaff), slices.Collect(maps.Keys(acts))},
		"the start":      {func(b *books) { b.Doubt(true) }, nil},
		"restored":       {paused(anchor.PausedRestored), nil},
		"the bank":       {paused(anchor.PausedRestoredBank), []string{"at the bank"}},
		"unknown orders": {paused(anchor.PausedUnknownOrders), []string{"at the bank"}},
		"unexplained": {func(b *books) {
			b.do(t, func(tx *store.Tx) error {
				return tx.LeftUnexplained(&anchor.Outgoing{ID: "4294967297", Account: alice, Destination: bob, Asset: usdw, Amount: 10 * anchor.One, Hash: "h", Ledger: 9, At: noon})
			})
		}, []string{"that refund"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			deposit, withdrawal := b.paidIn(t, anchor.Deposit, 7), b.paidIn(t, anchor.Withdrawal, 8)
			tt.doubt(b)
			undo := errors.New("undo")
			for what, act := range acts {
				err := b.Update(t.Context(), "staff:ada", func(tx *store.Tx) error {
					d, err := tx.Transaction(deposit)
					if err != nil {
						return err
					}
					w, err := tx.Transaction(withdrawal)
					if err != nil {
						return err
					}
					if err := tx.IfCertain(func() error { return act(tx, d, w) }); err != nil {
						return err
					}
					return undo
				})
				if slices.Contains(tt.let, what) {
					if !errors.Is(err, undo) {
						t.Errorf("%s: %v", what, err)
					}
					continue
				}
				kindIs(t, err, anchor.Unavailable, "books_in_doubt")
			}
		})
	}
}
