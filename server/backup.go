package main

import (
	"context"
	"fmt"

	"windlass/server/store"
)

type backupCommand struct {
	configFlag
	File string `arg:"" help:"The file to write; it must not exist yet." type:"path"`
}

// Help is what --help says besides.
func (c *backupCommand) Help() string {
	return `It copies the books, whole and of one moment, whether the anchor runs or not, and checks the copy. The secrets are not in it, and without encryption_key nobody can read what it says of customers.`
}

// Run writes a backup.
func (c *backupCommand) Run(ctx context.Context, p process) error {
	cfg, _, err := c.load(ctx, p)
	if err != nil {
		return err
	}
	if err := store.Backup(ctx, cfg.Database.Path, c.File); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s is a backup of %s\n", c.File, cfg.Database.Path)
	return err
}

type restoreCommand struct {
	configFlag
	From string `required:"" help:"The backup." placeholder:"FILE" type:"existingfile"`
}

// Help is what --help says besides.
func (c *restoreCommand) Help() string {
	return `It checks the backup, keeps the present books aside, and puts the backup in their place; the anchor must not run. The next start pays nothing until it is known what the backup has forgotten: docs/backup.md.`
}

// Run puts a backup in place.
func (c *restoreCommand) Run(ctx context.Context, p process) error {
	cfg, _, err := c.load(ctx, p)
	if err != nil {
		return err
	}
	aside, err := store.Restore(ctx, cfg.Database.Path, c.From)
	if err != nil {
		return err
	}
	if aside != "" {
		if _, err := fmt.Fprintf(p.stdout, "the former books are %s\n", aside); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(p.stdout, "%s is what %s was; start the anchor: it pays nothing until it knows what was paid since\n", cfg.Database.Path, c.From)
	return err
}
