package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/rail"
	"windlass/server/reconcile"
	"windlass/server/store"
)

type reconcileCommand struct {
	configFlag
	JSON      bool     `name:"json" help:"Print the report as JSON, with every item."`
	Explained []string `help:"Hashes of ledger transactions, or the bank's ids, that a person has looked into: they are listed, and are no difference." placeholder:"REFERENCE"`
}

// Help is what --help says besides.
func (c *reconcileCommand) Help() string {
	return `It reads only, and works whether the anchor runs or not. What has happened, but is not in the books yet, is listed and is no difference.

Exit status: 0 the journal agrees, 1 it differs, 2 it could not be compared, or not as a whole.`
}

// Run compares and prints. Whatever stands in the way is exit status 2, so that
// cron can tell a difference from a network that is down.
func (c *reconcileCommand) Run(ctx context.Context, p process) error {
	report, err := c.compare(ctx, p)
	if err == nil && c.JSON {
		e := json.NewEncoder(p.stdout)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else if err == nil {
		err = report.WriteText(p.stdout)
	}
	switch {
	case err != nil:
		return exitStatus{2, err}
	case !report.Agrees:
		return exitStatus{1, nil}
	case report.Incomplete: // somebody could issue what nobody looks at
		return exitStatus{2, errors.New("not all could be compared: the notes say what")}
	}
	return nil
}

func (c *reconcileCommand) compare(ctx context.Context, p process) (_ *reconcile.Report, err error) {
	cfg, logger, err := c.load(ctx, p)
	if err != nil {
		return nil, err
	}
	books, err := store.OpenReader(ctx, cfg.Database.Path, cfg.keys.Encryption)
	if err != nil {
		return nil, fmt.Errorf("open the books: %w", err)
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	// Opening the simulated bank makes it, where there is none.
	if _, err := os.Stat(cfg.Rail.Path); err != nil {
		return nil, fmt.Errorf("open the simulated bank: %w", err)
	}
	bank, err := openBank(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bank.Close()) }()
	ledger := horizon.New(horizon.Config{URLs: cfg.Network.Horizon, Passphrase: cfg.Network.Passphrase, Logger: logger.With("room", "horizon")})
	defer ledger.Close()
	return reconcile.Run(ctx, reconcile.Config{
		Accounts: followed(cfg), Own: append(cfg.keys.channels(), cfg.Accounts...), Assets: issued(cfg), Currencies: currencies(cfg.terms), Explained: c.Explained,
		Store: books, Ledger: ledger, Rail: bank,
	})
}

// followed are the accounts whose balances the journal keeps.
func followed(c *Config) []string {
	return []string{c.keys.Distribution.Address(), c.keys.Fee.Address()}
}

// issued are the assets of which the journal keeps how much there is: our own.
func issued(c *Config) (all []anchor.Asset) {
	for _, t := range c.terms {
		if t.Issues() {
			all = append(all, t.Asset)
		}
	}
	return all
}

// openBank opens the simulated bank.
func openBank(c *Config) (*rail.Simulated, error) {
	b, err := rail.OpenSimulated(c.Rail.Path, rail.SimulatedConfig{
		Holder: c.Rail.Holder, Number: c.Rail.AccountNumber, Bank: c.Rail.BankName, Page: c.PublicURL + "/bank", Currencies: currencies(c.terms),
	})
	if err != nil {
		return nil, fmt.Errorf("open the simulated bank: %w", err)
	}
	return b, nil
}
