package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

// TestDepositsExpireByTheStatement: the streamer and the rail are two rooms that
// only the wiring brings together. Where the one does not find how far the other
// has read the statement, no deposit would ever expire.
func TestDepositsExpireByTheStatement(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := devFiles(dir); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(filepath.Join(dir, configFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(t.Context(), cfg, devMode{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	now := time.Now()
	customer := cfg.keys.Signing.Address() // any account will do
	d := anchor.Start(store.NewID(), anchor.Deposit, cfg.terms[0], anchor.Identity{Account: customer}, anchor.Address(customer), now, now)
	if err := a.books.Update(t.Context(), store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(d) }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.rail.Run(ctx) }()
	eventually(t, "the statement is read", func() bool {
		c, known, err := a.books.Cursor(t.Context(), rail.Cursor)
		return err == nil && known && c.ReadUntil.After(now)
	})
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := a.incoming.Expire(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	got, err := a.books.Transaction(t.Context(), d.ID)
	if err != nil || got.Status() != anchor.Expired {
		t.Errorf("the deposit is %v, %v", got.Status(), err)
	}
}

// TestServeThatCannotStart: books that cannot be opened are told of, and who is
// told to stop before it has begun stops without a fault.
func TestServeThatCannotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := devFiles(dir); err != nil {
		t.Fatal(err)
	}
	serve := func(ctx context.Context, more ...string) (int, string) {
		var out strings.Builder
		code := execute(ctx, process{[]string{"serve", "--config", filepath.Join(dir, configFile)},
			append([]string{"WINDLASS_LISTEN_PUBLIC=127.0.0.1:0", "WINDLASS_LISTEN_ADMIN=127.0.0.1:0"}, more...), &out, &out})
		return code, out.String()
	}
	if code, said := serve(t.Context(), "WINDLASS_DATABASE_PATH="+dir); code != 1 || !strings.Contains(said, "open the books") {
		t.Errorf("books that are a folder: %d, %s", code, said)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if code, said := serve(stopped); code != 0 || strings.Contains(said, "panic") {
		t.Errorf("stopped before it began: %d, %s", code, said)
	}
}
