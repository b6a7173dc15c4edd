package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Keys encrypt customers' data before it reaches the database. They live in a
// file of their own (a Tink keyset in JSON; of several keys one encrypts, and each
// opens what it has encrypted, see [AddKey]): the database without it tells nobody's name.
type Keys struct {
	aead tink.AEAD
}

// NewKeyFile makes a key file with permissions 0600. It fails if there is one.
func NewKeyFile(path string) error {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return writeKeys(path, h)
}

// AddKey puts a new key into a key file: it encrypts from the next start on. Those
// before it stay, for what they have encrypted. The file is replaced as a whole, so
// that whatever happens it holds all that it held.
func AddKey(path string) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	h, err := readKeys(b)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(h)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err == nil {
		err = m.SetPrimary(id)
	}
	if err == nil {
		h, err = m.Handle()
	}
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeKeys(next, h); err != nil {
		return err
	}
	return errors.Join(os.Rename(next, path), syncDir(filepath.Dir(path)))
}

// writeKeys writes a key file that is not there yet.
func writeKeys(path string, h *keyset.Handle) error {
	var buf bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&buf)); err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(buf.Bytes())
	return errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(path)))
}

// syncDir makes a new file's name survive a power cut, as well as its contents:
// without the key, what it has encrypted is gone.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// LoadKeys reads a key file.
func LoadKeys(path string) (*Keys, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseKeys(b)
}

// ParseKeys reads the contents of a key file.
func ParseKeys(b []byte) (*Keys, error) {
	h, err := readKeys(b)
	if err != nil {
		return nil, err
	}
	a, err := aead.New(h)
	if err != nil {
		return nil, fmt.Errorf("the encryption key file: %w", err)
	}
	return &Keys{a}, nil
}

func readKeys(b []byte) (*keyset.Handle, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		return nil, fmt.Errorf("the encryption key file is not a Tink keyset: %w", err)
	}
	return h, nil
}

// seal encrypts a value as JSON. where ("customers:ID") is bound to it, so that
// a row's secret moved to another row does not open.
func (k *Keys) seal(where string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return k.aead.Encrypt(b, []byte(where))
}

func (k *Keys) open(where string, box []byte, v any) error {
	b, err := k.aead.Decrypt(box, []byte(where))
	if err != nil {
		return fmt.Errorf("decrypt %s: %w", where, err)
	}
	return json.Unmarshal(b, v)
}
