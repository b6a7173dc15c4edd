package store_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"windlass/server/anchor"
	"windlass/server/store"
)

// crashDir names the folder of the books that the test binary writes to until
// it is killed, when it is started once more by TestKill.
const crashDir = "WINDLASS_TEST_CRASH_DIR"

// crash writes for ever and says what it was told is written.
func crash(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(2)
		}
	}
	keys, err := store.LoadKeys(filepath.Join(dir, "key.json"))
	fail(err)
	s, err := store.Open(context.Background(), filepath.Join(dir, "books.db"), keys)
	fail(err)
	for range 8 {
		go func() {
			for {
				a := start(anchor.Deposit)
				fail(s.Update(context.Background(), store.Wallet, func(tx *store.Tx) error {
					if err := tx.CreateTransaction(a); err != nil {
						return err
					}
					if err := tx.SetDetails(a.ID, store.Details{Answers: map[string]string{"id": a.ID}}); err != nil {
						return err
					}
					return tx.Post(noon, anchor.Move("x", a.ID, "", usd, 7, anchor.Bank, anchor.Suspense))
				}))
				fmt.Println("written", a.ID)
			}
		}()
	}
	select {}
}

// TestKill kills a writing process and holds the books to what it was told.
func TestKill(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(b.path)
	ctx := context.Background()
	told := map[string]bool{}
	for _, after := range []int{1, 40, 200} { // each time on what the last one left
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := 0
		for in := bufio.NewScanner(out); in.Scan(); { // to the end of what it still said
			var id string
			if _, err := fmt.Sscanf(in.Text(), "written %s", &id); err != nil {
				if said >= after {
					continue // the last line may be cut off
				}
				t.Fatal(in.Text())
			}
			if len(id) == 36 {
				told[id] = true
			}
			if said++; said == after {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || said < after {
			t.Fatalf("it ended by itself after %d: %v", said, err)
		}

		again := openBooks(t, dir)
		for id := range told {
			d, err := again.Details(ctx, id)
			if err != nil || d.Answers["id"] != id {
				t.Errorf("%s was written, and is not there: %v", id, err)
			}
		}
		// What nobody was told of may be there, but whole.
		all := again.count(t, `SELECT count(*) FROM transactions`)
		for _, table := range []string{"details", "journal", "audit"} {
			if n := again.count(t, `SELECT count(*) FROM `+table); n != all {
				t.Errorf("%d transactions, %d rows in %s", all, n, table)
			}
		}
		if all < len(told) {
			t.Errorf("%d transactions, %d were told", all, len(told))
		}
		balanced(t, again)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
