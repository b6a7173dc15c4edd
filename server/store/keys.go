package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Keys encrypt customers' data before it reaches the database. They live in a
// file of their own (a Tink keyset in JSON, which can hold several keys for
// rotation): the database without it tells nobody's name.
type Keys struct {
	aead tink.AEAD
}

// NewKeyFile makes a key file with permissions 0600. It fails if there is one.
func NewKeyFile(path string) error {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	var buf bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&buf)); err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
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
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		return nil, fmt.Errorf("the encryption key file is not a Tink keyset: %w", err)
	}
	a, err := aead.New(h)
	if err != nil {
		return nil, fmt.Errorf("the encryption key file: %w", err)
	}
	return &Keys{a}, nil
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
