package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/store"
)

type keysCommand struct {
	Dir      string `help:"The folder to write to; anchor.example.toml takes them from secrets." default:"secrets" type:"path"`
	Channels int    `help:"How many channel accounts: each can carry 99 payments in a ledger." default:"4"`
}

func (c *keysCommand) Run(_ context.Context, p process) error {
	if c.Channels < 1 || c.Channels > 1000 {
		return fmt.Errorf("--channels is %d; expected 1 to 1000", c.Channels)
	}
	made, err := makeKeys(c.Dir, c.Channels)
	if err != nil {
		return err
	}
	if len(made) == 0 {
		_, err = fmt.Fprintf(p.stdout, "%s holds every key already; nothing was changed\n", c.Dir)
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s holds new keys now: %s\nKeep a copy in a safe place: without encryption_key no customer's data can be read, and without the seeds no money moved.\n",
		c.Dir, strings.Join(made, ", "))
	return err
}

// makeKeys writes into dir every secret that the configuration needs and dir
// does not hold yet, one file each, and returns the names of those it made.
// What is there stays as it is: a key that is lost is lost for ever.
func makeKeys(dir string, channels int) (made []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make keys: %w", err)
	}
	files := []struct {
		name  string
		value func() (string, error) // nil: the books make it themselves
	}{
		{"encryption_key", nil},
		{"token_key", newKey},
		{"session_keys", newKey},
		{"signing_seed", newSeed},
		{"distribution_seed", newSeed},
		{"fee_seed", newSeed},
		{"channel_seeds", func() (string, error) {
			var seeds []string
			for range channels {
				seed, err := newSeed()
				if err != nil {
					return "", err
				}
				seeds = append(seeds, seed)
			}
			return strings.Join(seeds, "\n"), nil
		}},
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if f.value == nil {
			err = store.NewKeyFile(path)
		} else {
			err = newFile(path, f.value)
		}
		switch {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return made, fmt.Errorf("make %s: %w", f.name, err)
		default:
			made = append(made, f.name)
		}
	}
	return made, nil
}

func newKey() (string, error) {
	var key [32]byte
	_, err := rand.Read(key[:])
	return base64.StdEncoding.EncodeToString(key[:]), err
}

func newSeed() (string, error) {
	kp, err := keypair.Random()
	if err != nil {
		return "", err
	}
	return kp.Seed(), nil
}

// newFile writes a file that only its owner can read. It fails with
// fs.ErrExist when there is one.
func newFile(path string, value func() (string, error)) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	text, err := value()
	if err == nil {
		_, err = f.WriteString(text + "\n")
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path)) // half a key would be taken for a whole one
	}
	return err
}
