package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"windlass/server/anchor"
	"windlass/server/store"
)

func (b *books) reader(t *testing.T) *store.Store {
	t.Helper()
	keys, err := store.LoadKeys(b.key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := store.OpenReader(t.Context(), b.path, keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func earn(amount anchor.Amount) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		return tx.Post(noon, anchor.Move("own", "", "hash", usdw, amount, anchor.Capital, anchor.Distribution))
	}
}

func held(t *testing.T, s *store.Store) anchor.Amount {
	t.Helper()
	all, err := s.Balances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if b.Account == anchor.Distribution {
			return b.Amount
		}
	}
	return 0
}

// TestReader reads books that somebody writes, and goes on when they are closed.
func TestReader(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.do(t, earn(7))
	r := b.reader(t)
	if got := held(t, r); got != 7 {
		t.Errorf("it reads %s", got)
	}
	b.do(t, earn(4))
	if got := held(t, r); got != 11 {
		t.Errorf("it reads %s after another commit", got)
	}
	if err := r.Update(t.Context(), store.Operator, earn(1)); err == nil || !strings.Contains(err.Error(), "reading only") {
		t.Errorf("an update answers %v", err)
	}
	if at, err := r.LastMoved(t.Context()); err != nil || !at.Equal(noon) {
		t.Errorf("money moved last at %v, %v", at, err)
	}
	var lines []store.Line
	err := r.Lines(t.Context(), anchor.Distribution, noon, func(l store.Line) error { lines = append(lines, l); return nil })
	if err != nil || len(lines) != 2 || lines[1].Amount != 4 || lines[1].Reference != "hash" || lines[1].Asset != usdw || lines[1].Kind != "own" {
		t.Errorf("the lines are %+v, %v", lines, err)
	}
	if err := r.Lines(t.Context(), anchor.Distribution, late, func(l store.Line) error { t.Errorf("it is too old: %+v", l); return nil }); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := held(t, r); got != 11 {
		t.Errorf("it reads %s after the books were closed", got)
	}
	if got := held(t, b.reader(t)); got != 11 {
		t.Errorf("books that nobody has open say %s", got)
	}
}

// TestSnapshot: what is committed meanwhile is not in it.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.do(t, earn(7))
	for name, s := range map[string]*store.Store{"books": b.Store, "reader": b.reader(t)} {
		before := held(t, s)
		err := s.Snapshot(t.Context(), func(v *store.Store) error {
			if got := held(t, v); got != before {
				t.Errorf("%s: it begins with %s", name, got)
			}
			b.do(t, earn(5))
			if got := held(t, v); got != before {
				t.Errorf("%s: it has become %s", name, got)
			}
			if err := v.Update(t.Context(), store.Operator, earn(1)); err == nil {
				t.Errorf("%s: it can be written", name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := held(t, s); got != before+5 {
			t.Errorf("%s: afterwards it is %s", name, got)
		}
	}
}

// TestReaderRefuses: a schema that is not this version's, and nothing at all.
func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ change, says string }{
		{`DELETE FROM goose_db_version WHERE version_id > 0`, "windlass migrate"},
		{`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`, "a newer one"},
		{`DROP TABLE goose_db_version`, "version"},
	} {
		b := newBooks(t)
		if _, err := b.raw(t).ExecContext(t.Context(), c.change); err != nil {
			t.Fatal(err)
		}
		if _, err := store.OpenReader(t.Context(), b.path, nil); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.change, err)
		}
	}
	path := filepath.Join(t.TempDir(), "none.db")
	if _, err := store.OpenReader(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "there are no books") {
		t.Error(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was made")
	}
}

// TestBehind names the transactions behind what the ledger and the bank show.
func TestBehind(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	in, out := b.waiting(t, anchor.Deposit, 1), b.waiting(t, anchor.Withdrawal, 2)
	b.do(t, func(tx *store.Tx) error {
		p, intent := payment("77"), payout(in, "payout", 0)
		p.Hash, p.Transaction, p.State = "paid", out, anchor.Matched
		if err := tx.CreatePayment(p); err != nil {
			return err
		}
		if err := tx.CreatePayout(intent); err != nil {
			return err
		}
		if err := tx.CreateEnvelope(envelope(bob, "inner", intent.ID)); err != nil {
			return err
		}
		if err := tx.CreateBankLine(&anchor.BankLine{ID: "credit", Transaction: in}); err != nil {
			return err
		}
		return tx.CreateBankPayout(&anchor.BankPayout{ID: "order", CauseKind: anchor.CauseTransaction, CauseID: out, Asset: usd, BankID: "transfer"})
	})
	for reference, want := range map[string]string{"paid": out, "inner": in, "credit": in, "order": out, "transfer": out, "else": ""} {
		if got, err := b.Behind(t.Context(), reference); err != nil || strings.Join(got, " ") != want {
			t.Errorf("behind %s are %v, %v", reference, got, err)
		}
	}
}
