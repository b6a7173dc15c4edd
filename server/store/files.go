package store

import (
	"context"
	"fmt"

	"windlass/server/anchor"
)

// A Document is a file whose content is encrypted already, so that no update waits
// for that. Use [Store.Seal].
type Document struct {
	*anchor.File
	box []byte
}

// Seal encrypts a file's content, bound to its id.
func (s *Store) Seal(f *anchor.File, content []byte) (*Document, error) {
	box, err := s.keys.aead.Encrypt(content, []byte("files:"+f.ID))
	return &Document{f, box}, err
}

const fileColumns = `id, customer_id, field, media_type, size, created_at`

func scanFile(r scanner, _ *Keys) (*anchor.File, error) {
	f, created := anchor.File{}, int64(0)
	err := r.Scan(&f.ID, &f.Customer, &f.Field, &f.MediaType, &f.Size, &created)
	f.CreatedAt = instant(created)
	return &f, err
}

// AddFile stores a file that is a saved customer's answer now; see [Tx.SaveCustomer]
// for the one before it, which counts no more. All of the customer's may have so many
// bytes together.
func (t *Tx) AddFile(d *Document, most int64) error {
	others, err := t.files(d.Customer)
	if err != nil {
		return err
	}
	total := int64(d.Size)
	for _, other := range others {
		total += int64(other.Size)
	}
	if total > most {
		return anchor.FilesTooLarge(d.Field, most)
	}
	_, err = t.exec(`INSERT INTO files (`+fileColumns+`, content_box) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		d.ID, d.Customer, d.Field, d.MediaType, d.Size, micros(d.CreatedAt), d.box)
	return err
}

// FilesSize is how many bytes the documents of all customers have.
func (t *Tx) FilesSize() (int64, error) {
	return one(t, "sum", func(r scanner, _ *Keys) (sum int64, err error) { return sum, r.Scan(&sum) }, `SELECT CAST(COALESCE(SUM(size), 0) AS bigint) FROM files`)
}

// File tells what a file is; none is NotFound.
func (t *Tx) File(id string) (*anchor.File, error) {
	return one(t, "file", scanFile, `SELECT `+fileColumns+` FROM files WHERE id = $1`, id)
}

func (t *Tx) files(customer string) ([]*anchor.File, error) {
	return list(t, scanFile, `SELECT `+fileColumns+` FROM files WHERE customer_id = $1`, customer)
}

// dropFiles erases the files that are no longer a customer's answers.
func (t *Tx) dropFiles(c *anchor.Customer) error {
	all, err := t.files(c.ID)
	for _, f := range all {
		if c.Fields[f.Field] != f.ID && err == nil {
			_, err = t.exec(`DELETE FROM files WHERE id = $1`, f.ID)
		}
	}
	return err
}

// FilesOfEach tells what the files of many customers are.
func (s *Store) FilesOfEach(ctx context.Context, customers []string) (map[string][]*anchor.File, error) {
	all, err := list(s.reader(ctx), scanFile, `SELECT `+fileColumns+` FROM files WHERE customer_id IN (`+placeholders(len(customers))+`)`, values(customers)...)
	return groupBy(all, func(f *anchor.File) string { return f.Customer }), err
}

// Content is what is in a file; none is NotFound.
func (s *Store) Content(ctx context.Context, id string) ([]byte, error) {
	return one(s.reader(ctx), "file", func(r scanner, k *Keys) ([]byte, error) {
		var box []byte
		if err := r.Scan(&box); err != nil {
			return nil, err
		}
		content, err := k.aead.Decrypt(box, []byte("files:"+id))
		if err != nil {
			err = fmt.Errorf("decrypt files:%s: %w", id, err)
		}
		return content, err
	}, `SELECT content_box FROM files WHERE id = $1`, id)
}
