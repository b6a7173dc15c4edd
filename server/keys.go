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
	"slices"
	"strings"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/store"
)

type keysCommand struct {
	Dir      string `help:"The folder to write to; anchor.example.toml takes them from secrets." default:"secrets" type:"path"`
	Channels *int   `help:"How many channel accounts: each can carry 99 payments in a ledger. Seeds are added to a file that holds fewer. 10 if there is no file yet."`

	NewEncryptionKey bool `help:"Put a new key into encryption_key: it encrypts from the anchor's next start on. The keys before it stay there, and open what they have encrypted."`
}

// newChannels fill the ledgers of the public network; more than maxChannels
// could not.
const newChannels, maxChannels = 10, 1000

func (c *keysCommand) Run(_ context.Context, p process) error {
	if c.Channels != nil && (*c.Channels < 1 || *c.Channels > maxChannels) {
		return fmt.Errorf("--channels is %d; expected 1 to %d", *c.Channels, maxChannels)
	}
	channels := newChannels
	if c.Channels != nil {
		channels = *c.Channels
	}
	made, err := makeKeys(c.Dir, channels)
	if err != nil {
		return err
	}
	if c.Channels != nil {
		more, err := moreSeeds(filepath.Join(c.Dir, channelSeeds), channels)
		if err != nil {
			return err
		}
		if more > 0 {
			made = append(made, fmt.Sprintf("%d more in %s", more, channelSeeds))
		}
	}
	if c.NewEncryptionKey && !slices.Contains(made, encryptionKey) {
		if err := store.AddKey(filepath.Join(c.Dir, encryptionKey)); err != nil {
			return fmt.Errorf("add to %s: %w", encryptionKey, err)
		}
		made = append(made, "one more in "+encryptionKey)
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
		{encryptionKey, nil},
		{"token_key", newKey},
		{"session_keys", newKey},
		{"signing_seed", newSeed},
		{"distribution_seed", newSeed},
		{"fee_seed", newSeed},
		{channelSeeds, func() (string, error) { return newSeeds(channels) }},
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

// encryptionKey is the file with the keys of customers' data.
const encryptionKey = "encryption_key"

// channelSeeds is the file with the channels' seeds, one a line.
const channelSeeds = "channel_seeds"

func newSeeds(n int) (string, error) {
	seeds := make([]string, n)
	for i := range seeds {
		var err error
		if seeds[i], err = newSeed(); err != nil {
			return "", err
		}
	}
	return strings.Join(seeds, "\n"), nil
}

// moreSeeds adds seeds to a file that holds fewer than n, and returns how many.
// The file is replaced as a whole, so that whatever happens it holds all that it
// held, and no half of a seed.
func moreSeeds(path string, n int) (added int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("add to %s: %w", path, err)
		}
	}()
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return 0, err
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	if added = n - len(strings.Fields(string(old))); added <= 0 {
		return 0, nil
	}
	more, err := newSeeds(added)
	if err != nil {
		return 0, err
	}
	whole := strings.TrimRight(string(old), "\n") + "\n" + more
	if err := removeIfThere(path + ".new"); err != nil {
		return 0, err
	}
	if err := newFile(path+".new", func() (string, error) { return whole, nil }); err != nil {
		return 0, err
	}
	return added, os.Rename(path+".new", path)
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
