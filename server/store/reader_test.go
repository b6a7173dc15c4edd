package store

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"

	"windlass/server/anchor"
)

// TestScan: what does not fit its destination is an error, not a wrong value.
func TestScan(t *testing.T) {
	t.Parallel()
	var (
		text  string
		kind  anchor.Kind
		big   int64
		small uint8
		bytes []byte
	)
	if err := (row{"a", "deposit", int64(-1), int64(255), []byte("x")}).Scan(&text, &kind, &big, &small, &bytes); err != nil ||
		text != "a" || kind != anchor.Deposit || big != -1 || small != 255 || string(bytes) != "x" {
		t.Error(text, kind, big, small, bytes, err)
	}
	for _, c := range []struct {
		value driver.Value
		dest  any
	}{
		{int64(1), &text}, {"1", &big}, {int64(256), &small}, {int64(-1), &small}, {"1", &small},
		{int64(1), &kind}, {nil, &text}, {nil, &big}, {1.5, &big}, {"x", &bytes},
	} {
		if err := (row{c.value}).Scan(c.dest); err == nil {
			t.Errorf("%#v fits %T", c.value, c.dest)
		}
	}
	if err := (row{int64(1)}).Scan(&big, &text); err == nil {
		t.Error("a column is missing and nobody says so")
	}
}

// TestPanicInScan: a handler that panics in a read, and is caught, costs no
// connection.
func TestPanicInScan(t *testing.T) {
	t.Parallel()
	pool, err := sql.Open("sqlite3", filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := openReaders(t.Context(), pool, 1)
	if err != nil {
		t.Fatal(err)
	}
	read := func(scan func(scanner) (bool, error)) (panicked any, err error) {
		defer func() { panicked = recover() }()
		return nil, r.each(t.Context(), scan, `SELECT 1`, nil)
	}
	for range 3 {
		if p, _ := read(func(scanner) (bool, error) { panic("ours") }); p != "ours" {
			t.Fatalf("the panic became %v", p)
		}
	}
	var n int64
	if p, err := read(func(s scanner) (bool, error) { return false, s.Scan(&n) }); err != nil || p != nil || n != 1 {
		t.Errorf("after it: %d %v %v", n, err, p)
	}
	if err := errors.Join(r.close(), pool.Close()); err != nil {
		t.Error(err)
	}
}
