package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"windlass/server/store"
)

// newStore opens an empty store in a folder of its own.
func newStore(t *testing.T) *store.Store {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key.json")
	if err := store.NewKeyFile(key); err != nil {
		t.Fatal(err)
	}
	keys, err := store.LoadKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), filepath.Join(dir, "books.db"), keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
