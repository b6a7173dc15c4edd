package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Backup writes a copy of the books at path into a new file, whole and of one
// moment, whether they are open or not, and checks it.
func Backup(ctx context.Context, path, into string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there are no books at %s: %w", path, err)
	}
	if _, err := os.Lstat(into); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s exists already: name a new file", into)
	}
	part := into + ".part"
	// SQLite takes an empty file for none, and leaves its permissions.
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeAll(part))
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	db, err := open(path, "rw", "deferred")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1) // which the pragma is for
	_, err = db.ExecContext(ctx, "PRAGMA query_only = off")
	if err == nil {
		_, err = db.ExecContext(ctx, "VACUUM INTO $1", part)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	if err := check(ctx, part); err != nil {
		return err
	}
	return place(part, into)
}

// Restore puts a backup in the place of the books at path, which nobody may have
// open, and keeps those aside. Whoever opens the books next knows that they are
// old. It returns where the former books are, "" if there were none.
func Restore(ctx context.Context, path, from string) (aside string, err error) {
	lock, err := lockBooks(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	next := path + ".restore"
	defer func() {
		if err != nil {
			err = errors.Join(err, removeAll(next))
		}
	}()
	if log, err := os.Stat(from + "-wal"); err == nil && log.Size() > 0 {
		return "", fmt.Errorf("%s is not whole without %s-wal beside it: open it once with the program that wrote it, or take a backup made by `windlass backup`", from, from)
	}
	if err := copyFile(from, next); err != nil {
		return "", err
	}
	if err := check(ctx, next); err != nil {
		return "", fmt.Errorf("%s will not do: %w", from, err)
	}
	// First of all: whatever happens from here on, the next start looks twice.
	if err := lock.Truncate(0); err != nil {
		return "", err
	}
	if _, err := lock.WriteAt([]byte(LostIdentity), 0); err != nil {
		return "", err
	}
	if err := lock.Sync(); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		aside = path + time.Now().UTC().Format(".before-20060102T150405.000000Z")
		if err := setAside(ctx, path, aside); err != nil {
			return "", err
		}
	}
	return aside, place(next, path)
}

// setAside gives the books another name besides. Their write-ahead log must not
// be taken for that of what comes in their place.
func setAside(ctx context.Context, path, aside string) error {
	// Books that are sound take their log in. Whether these are does not matter:
	// the log goes with them.
	if db, err := open(path, "rw", "deferred"); err == nil {
		_, _ = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		if err := db.Close(); err != nil {
			return err
		}
	}
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+end, aside+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Link(path, aside)
}

// check refuses a file that is not sound, or no books that this program can open.
func check(ctx context.Context, path string) (err error) {
	db, err := open(path, "rw", "deferred")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("it is no sound database: %w", err)
	}
	if verdict != "ok" {
		return errors.New("it is no sound database: " + verdict)
	}
	var table string
	err = db.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	if err == nil {
		return errors.New("it is no sound database: rows that " + table + " names are missing")
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	has, known, err := versions(ctx, db)
	if err != nil {
		return fmt.Errorf("these are no books: %w", err)
	}
	if has > known {
		return newerSchema(has, known)
	}
	return nil
}

// place makes a whole file durable under its name.
func place(file, name string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(file, name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, in.Close(), out.Close())
}

// removeAll removes an unfinished database and what SQLite put beside it.
func removeAll(path string) error {
	var errs []error
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
