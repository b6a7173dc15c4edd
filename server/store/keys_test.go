package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"windlass/server/anchor"
	"windlass/server/store"
)

// What is personal, wherever it travels.
var (
	personal = []string{"Zephyrine", "Quackenbush", "zephyrine@example.org", "XX00SECRETIBAN", "payer-name-77", "payer-account-78", "for my rent 79", "prefilled-80", "answered-81"}
	person   = map[string]string{"first_name": personal[0], "last_name": personal[1], "email_address": personal[2], "bank_account_number": personal[3]}
)

func writePersonal(t *testing.T, b *books) (withdrawal string) {
	t.Helper()
	id := b.waiting(t, anchor.Withdrawal, 7)
	b.do(t, func(tx *store.Tx) error {
		if err := tx.SaveCustomer(&anchor.Customer{ID: "c1", Owner: anchor.Identity{Account: alice}, Fields: person, Review: anchor.ReviewAccepted, Vetting: anchor.Vetted, Lang: "en", CreatedAt: noon, UpdatedAt: noon}); err != nil {
			return err
		}
		if err := tx.SaveCustomer(&anchor.Customer{ID: "c2", Owner: anchor.Identity{Account: bob}, Fields: map[string]string{"first_name": "Other"}, CreatedAt: noon, UpdatedAt: noon}); err != nil {
			return err
		}
		if err := tx.SetDetails(id, store.Details{Prefill: map[string]string{"a": personal[7]}, Answers: map[string]string{"bank_account_number": personal[3], "b": personal[8]}}); err != nil {
			return err
		}
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		if _, err := tx.Receive(a, offer(), 100*anchor.One, "hash", noon, noon); err != nil { // the order to the bank carries the answers
			return err
		}
		return tx.CreateBankLine(&anchor.BankLine{ID: "l1", At: noon, Asset: usd, Amount: 5, PayerName: personal[4], PayerAccount: personal[5], Reference: personal[6], State: anchor.Unmatched, Reason: anchor.UnknownReference})
	})
	return id
}

// TestEncryption: the files tell nobody's name, and the books do.
func TestEncryption(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	id := writePersonal(t, b)

	search := func(when string, names ...string) {
		t.Helper()
		seen := 0
		for _, name := range names {
			raw, err := os.ReadFile(filepath.Join(filepath.Dir(b.path), name))
			if err != nil {
				t.Fatal(err)
			}
			seen += len(raw)
			for _, p := range personal {
				if bytes.Contains(bytes.ToLower(raw), []byte(strings.ToLower(p))) {
					t.Errorf("%s: %s holds %q in clear", when, name, p)
				}
			}
			if when == "open" && name == "books.db-wal" && !bytes.Contains(raw, []byte(id)) {
				t.Error("the search does not find what is in clear either")
			}
		}
		if seen == 0 {
			t.Errorf("%s: nothing to search", when)
		}
	}
	search("open", "books.db", "books.db-wal", "books.db-shm")

	c, err := b.CustomerOf(ctx, anchor.Identity{Account: alice, Client: "any wallet"})
	if err != nil || gocmp.Diff(person, c.Fields) != "" || c.Review != anchor.ReviewAccepted || c.Lang != "en" || c.CreatedAt != noon {
		t.Errorf("%+v, %v", c, err)
	}
	d, err := b.Details(ctx, id)
	if err != nil || d.Prefill["a"] != personal[7] || d.Answers["b"] != personal[8] {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := b.Details(ctx, "nobody"); err != nil || d.Prefill != nil || d.Answers != nil {
		t.Errorf("%+v, %v", d, err)
	}
	orders, err := b.BankPayoutsOf(ctx, id)
	if err != nil || len(orders) != 1 || orders[0].To["bank_account_number"] != personal[3] {
		t.Errorf("%+v, %v", orders, err)
	}
	l, _, err := b.BankLines(ctx, false, store.Page{Limit: 5})
	if err != nil || len(l) != 1 || l[0].PayerName != personal[4] || l[0].PayerAccount != personal[5] || l[0].Reference != personal[6] || l[0].At != noon {
		t.Errorf("%+v, %v", l, err)
	}
	_, err = b.CustomerOf(ctx, anchor.Identity{Account: alice, Memo: "another user"})
	kindIs(t, err, anchor.NotFound, "not_found")

	// The same value twice is two different boxes.
	if n := b.count(t, `SELECT count(DISTINCT fields_box) FROM customers`); n != 2 {
		t.Errorf("%d boxes", n)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	search("closed", "books.db")
}

// TestMovedBox: a box opens in its own row and column only.
func TestMovedBox(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	id := writePersonal(t, b)
	raw := b.raw(t)
	for _, move := range []struct {
		sql  string
		read func() error
	}{
		{`UPDATE customers SET fields_box = (SELECT fields_box FROM customers WHERE id = 'c1') WHERE id = 'c2'`,
			func() error { _, err := b.CustomerOf(ctx, anchor.Identity{Account: bob}); return err }},
		{`UPDATE bank_payouts SET to_box = (SELECT fields_box FROM customers WHERE id = 'c1')`,
			func() error { _, err := b.BankPayoutsOf(ctx, id); return err }},
		{`UPDATE details SET data_box = (SELECT to_box FROM bank_payouts)`,
			func() error { _, err := b.Details(ctx, id); return err }},
		{`UPDATE bank_lines SET reference_box = payer_box`,
			func() error { _, _, err := b.BankLines(ctx, false, store.Page{Limit: 5}); return err }},
		{`UPDATE customers SET fields_box = x'00' WHERE id = 'c1'`,
			func() error { _, err := b.CustomerOf(ctx, anchor.Identity{Account: alice}); return err }},
	} {
		if err := move.read(); err != nil {
			t.Fatalf("before %s: %v", move.sql, err)
		}
		if _, err := raw.Exec(move.sql); err != nil {
			t.Fatal(err)
		}
		err := move.read()
		if err == nil || anchor.KindOf(err) != anchor.Internal {
			t.Errorf("%s: %v", move.sql, err)
			continue
		}
		for _, p := range personal {
			if strings.Contains(err.Error(), p) {
				t.Errorf("the error tells %q", p)
			}
		}
	}
}

// TestKeyFiles: another key reads nothing, and a key is never overwritten.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	writePersonal(t, b)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	other := filepath.Join(dir, "deeper", "key.json")
	if err := store.NewKeyFile(other); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(other); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	before, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.NewKeyFile(other); err == nil {
		t.Error("a key was overwritten")
	}
	if after, err := os.ReadFile(other); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key changed, %v", err)
	}
	keys, err := store.LoadKeys(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), b.path, keys)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if c, err := s.CustomerOf(context.Background(), anchor.Identity{Account: alice}); err == nil {
		t.Errorf("another key reads %+v", c)
	}
	for _, junk := range []string{"", "{}", "null", "not json"} {
		if _, err := store.ParseKeys([]byte(junk)); err == nil {
			t.Errorf("%q is a key", junk)
		}
	}
	if _, err := store.LoadKeys(filepath.Join(dir, "missing")); err == nil {
		t.Error("a missing key was read")
	}
}

// TestUnknownMoney: a line in money we do not know is a row like any other, and
// does not hide the others.
func TestUnknownMoney(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.do(t, func(tx *store.Tx) error {
		for i, asset := range []anchor.Asset{usd, {}, usd} {
			if err := tx.CreateBankLine(&anchor.BankLine{ID: string(rune('a' + i)), At: noon, Asset: asset, Amount: 5, State: anchor.Unmatched}); err != nil {
				return err
			}
		}
		return nil
	})
	if l, _, err := b.BankLines(context.Background(), false, store.Page{Limit: 9}); err != nil || len(l) != 3 || l[0].ID != "c" || l[1].Asset != (anchor.Asset{}) {
		t.Errorf("%v, %v", l, err)
	}
}

// TestAddKey: what one key has encrypted opens beside a newer one, and what the newer
// one has, without it does not. The file is its owner's only, and never half of one.
func TestAddKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBooks(t, dir)
	withdrawal := writePersonal(t, b)
	passport, err := b.attach(t, &anchor.Customer{ID: "ana", Owner: anchor.Identity{Account: alice, Memo: "1"}, CreatedAt: noon, UpdatedAt: noon}, "photo_id_front", photo(1))
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(b.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.json")
	if err := errors.Join(os.Symlink(b.key, link), os.WriteFile(b.key+".new", []byte("half a key"), 0o600), store.AddKey(link)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(b.key); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}

	b = openBooks(t, dir)
	owner := anchor.Identity{Account: alice}
	before, err := b.CustomerOf(t.Context(), owner)
	if err != nil || gocmp.Diff(person, before.Fields) != "" {
		t.Fatalf("%+v, %v", before, err)
	}
	if d, err := b.Details(t.Context(), withdrawal); err != nil || d.Answers["b"] != personal[8] {
		t.Errorf("%+v, %v", d, err)
	}
	if got, err := b.Content(t.Context(), passport.ID); err != nil || !bytes.Equal(got, photo(1)) {
		t.Errorf("%q, %v", got, err)
	}
	b.do(t, func(tx *store.Tx) error { return tx.SaveCustomer(before) })
	if after, err := b.CustomerOf(t.Context(), owner); err != nil || gocmp.Diff(person, after.Fields) != "" {
		t.Fatalf("%+v, %v", after, err)
	}
	if err := errors.Join(b.Close(), os.WriteFile(b.key, old, 0o600)); err != nil {
		t.Fatal(err)
	}
	b = openBooks(t, dir)
	if _, err := b.CustomerOf(t.Context(), owner); err == nil {
		t.Error("the old key opens what the new one has encrypted")
	}
	if _, err := b.CustomerOf(t.Context(), anchor.Identity{Account: bob}); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(b.key, []byte("no keys"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.AddKey(b.key); err == nil || !strings.Contains(err.Error(), "is not a Tink keyset") {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadFile(b.key); err != nil || string(left) != "no keys" {
		t.Errorf("%q, %v", left, err)
	}
}
