package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"windlass/server/anchor"
	"windlass/server/rig"
	"windlass/server/store"
)

var documents = []anchor.Field{
	{Name: "photo_id_front", Type: anchor.FieldFile}, {Name: "photo_id_back", Type: anchor.FieldFile},
	{Name: "proof_of_income", Type: anchor.FieldFile}, {Name: "proof_of_liveness", Type: anchor.FieldFile},
}

// attach stores a document as a customer's answer.
func (b *books) attach(t *testing.T, c *anchor.Customer, field string, content []byte) (*anchor.File, error) {
	t.Helper()
	f, kept, err := anchor.NewFile(store.NewID(), c.ID, field, content, noon)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := b.Seal(f, kept)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Update(t.Context(), store.Customer, func(tx *store.Tx) error {
		changed := *c
		if err := changed.Attach(documents, f, noon); err != nil {
			return err
		}
		if err := tx.SaveCustomer(&changed); err != nil {
			return err
		}
		c.Fields = changed.Fields
		return tx.AddFile(sealed, 3*anchor.MaxFile)
	})
	return f, err
}

func photo(size int) []byte {
	return rig.Picture("the photo of Ana's passport" + strings.Repeat("\x00", size))
}

// A document is there until it is not an answer any more; its content is in the
// books under their key only, and only as what it was stored as.
func TestFiles(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	a := start(anchor.Deposit)
	ana := &anchor.Customer{ID: "ana", Owner: a.Owner, CreatedAt: noon, UpdatedAt: noon}
	bob := &anchor.Customer{ID: "bob", Owner: anchor.Identity{Account: bob}, CreatedAt: noon, UpdatedAt: noon}
	first, err := b.attach(t, ana, "photo_id_front", photo(1))
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.attach(t, ana, "photo_id_front", photo(2)) // takes its place
	if err != nil {
		t.Fatal(err)
	}
	pdf, err := b.attach(t, ana, "photo_id_back", []byte("%PDF-1.7 Ana's passport %%EOF"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := b.attach(t, bob, "photo_id_front", photo(3))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Content(t.Context(), first.ID); anchor.KindOf(err) != anchor.NotFound {
		t.Errorf("what was replaced is there: %v", err)
	}
	for f, want := range map[*anchor.File][]byte{second: photo(2), theirs: photo(3), pdf: []byte("%PDF-1.7 Ana's passport %%EOF")} {
		got, err := b.Content(t.Context(), f.ID)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v", f.Field, got, err)
		}
	}
	all, err := b.FilesOfEach(t.Context(), []string{"ana", "bob", "nobody"})
	if err != nil || len(all["ana"]) != 2 || len(all["bob"]) != 1 || *all["bob"][0] != *theirs || theirs.MediaType != "image/jpeg" || pdf.MediaType != "application/pdf" {
		t.Errorf("%v, %v", all, err)
	}

	// Nothing of it is to be read in the books' files, whatever the pages hold.
	for _, path := range []string{b.path, b.path + "-wal"} {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("Ana's passport")) {
			t.Errorf("%s has the document in clear", filepath.Base(path))
		}
	}
	// One row's content in another row does not open.
	if _, err := b.raw(t).Exec(`UPDATE files SET content_box = (SELECT content_box FROM files WHERE id = $1) WHERE id = $2`, theirs.ID, second.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Content(t.Context(), second.ID); err == nil {
		t.Errorf("another's document opens: %q", got)
	}

	// Who gives up is forgotten with their documents, and nobody else's are.
	b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
	b.do(t, func(tx *store.Tx) error {
		a, err := tx.Transaction(a.ID)
		if err != nil {
			return err
		}
		if err := a.Cancel(noon); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
	if n := b.count(t, `SELECT COUNT(*) FROM files WHERE customer_id = 'ana'`); n != 0 {
		t.Errorf("%d documents of who gave up are there", n)
	}
	if n := b.count(t, `SELECT COUNT(*) FROM files WHERE customer_id = 'bob'`); n != 1 {
		t.Errorf("%d documents of somebody else are there", n)
	}
}

// A customer's documents are bounded together, and one that is too much changes
// nothing.
func TestFilesTogether(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	c := &anchor.Customer{ID: "ana", Owner: anchor.Identity{Account: alice}, CreatedAt: noon, UpdatedAt: noon}
	big := photo(anchor.MaxFile - len(photo(0)))
	for _, field := range []string{"photo_id_front", "photo_id_back", "photo_id_front"} { // the same one again is no more
		if _, err := b.attach(t, c, field, big); err != nil {
			t.Fatal(field, err)
		}
	}
	third, err := b.attach(t, c, "proof_of_income", big)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.attach(t, c, "proof_of_liveness", photo(0)); err == nil || anchor.KindOf(err) != anchor.Invalid {
		t.Errorf("a document too many: %v", err)
	}
	if _, err := b.Content(t.Context(), third.ID); err != nil {
		t.Errorf("a refusal erased another: %v", err)
	}
}
