package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Snapshots are files in a folder, each with the ledgers of one moment.

const (
	snapshotSuffix = ".snapshot"
	maxSnapshots   = 100
)

var snapshotName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`)

// open opens the folder, and nothing outside of it is reached through that.
func (c *Control) open() (*os.Root, error) {
	if c.folder == "" {
		return nil, &controlError{http.StatusConflict, FieldError{"snapshots", "this network has no folder to keep them in"}}
	}
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return nil, err
	}
	return os.OpenRoot(c.folder)
}

// kept lists the names of the snapshots.
func (c *Control) kept() ([]string, error) {
	names := []string{}
	files, err := os.ReadDir(c.folder)
	if c.folder == "" || errors.Is(err, fs.ErrNotExist) {
		return names, nil
	}
	for _, f := range files {
		if name, is := strings.CutSuffix(f.Name(), snapshotSuffix); is {
			names = append(names, name)
		}
	}
	return names, err
}

func (c *Control) snapshots(*http.Request) (any, error) {
	names, err := c.kept()
	return map[string]any{"snapshots": names}, err
}

// save keeps a snapshot. It appears whole, in the place of one of that name.
func (c *Control) save(r *http.Request) (_ any, err error) {
	var body struct {
		Name string `json:"name"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if !snapshotName.MatchString(body.Name) {
		return nil, &FieldError{"name", "must be 1 to 64 letters, digits, dashes, underscores or, within, dots"}
	}
	c.saving.Lock()
	defer c.saving.Unlock()
	names, err := c.kept()
	if err != nil {
		return nil, err
	}
	if len(names) >= maxSnapshots && !slices.Contains(names, body.Name) {
		return nil, &controlError{http.StatusConflict, FieldError{"name", fmt.Sprintf("there are %d snapshots already; forget some first", maxSnapshots)}}
	}
	root, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := c.write(root, body.Name+snapshotSuffix); err != nil {
		return nil, err
	}
	list, err := c.snapshots(r)
	return answer{http.StatusCreated, list}, err
}

func (c *Control) write(root *os.Root, name string) (err error) {
	part := name + ".part"
	file, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(c.network.Save(file), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, root.Remove(part))
	}
	return root.Rename(part, name)
}

// load has the network go on from a snapshot.
func (c *Control) load(r *http.Request) (_ any, err error) {
	root, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	file, err := root.Open(r.PathValue("name") + snapshotSuffix)
	if err != nil {
		return nil, noSnapshot(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := c.network.Load(file); err != nil {
		return nil, &FieldError{"name", "this snapshot cannot be loaded: " + err.Error()}
	}
	return c.ledgers(r)
}

func (c *Control) forget(r *http.Request) (_ any, err error) {
	root, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := root.Remove(r.PathValue("name") + snapshotSuffix); err != nil {
		return nil, noSnapshot(err)
	}
	return c.snapshots(r)
}

func noSnapshot(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &controlError{http.StatusNotFound, FieldError{"name", "no snapshot has it; GET /snapshots tells which there are"}}
	}
	return err
}
