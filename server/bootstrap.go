package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
)

// devSupply is how much of its asset the anchor of dev issues to itself.
const devSupply = 10_000_000 * anchor.One

// bootstrap makes, on a test network, what the anchor of the configuration
// needs: its accounts, by friendbot, and then in one transaction the
// distribution account's trustline, the issuer's home domain and the supply. The
// channel accounts are made by the payout engine.
// That transaction is the mark that it is done: where the trustline is, nothing
// is issued again, whenever a start was cut off.
func bootstrap(ctx context.Context, c *Config, issuer *keypair.Full, client *http.Client, logger *slog.Logger) error {
	ledger := horizon.New(horizon.Config{URLs: c.Network.Horizon, HTTP: client, Logger: logger})
	defer ledger.Close()
	accounts := []string{issuer.Address(), c.keys.Distribution.Address(), c.keys.Fee.Address()}
	made := make(chan error, len(accounts))
	for _, id := range accounts {
		go func() { made <- makeAccount(ctx, ledger, client, c.Network.Horizon[0], id, logger) }()
	}
	var errs []error
	for range accounts {
		errs = append(errs, <-made)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return issue(ctx, ledger, c, issuer, logger)
}

// friendbotLimit is how long one request to friendbot may take: it answers once
// a ledger has closed.
const friendbotLimit = 30 * time.Second

// makeAccount asks friendbot for an account that does not exist, until it does:
// whether a request that failed made it is seen at the next look.
func makeAccount(ctx context.Context, ledger *horizon.Client, client *http.Client, base, id string, logger *slog.Logger) error {
	return patiently(ctx, logger, func() error {
		if _, err := ledger.Account(ctx, id); err == nil || anchor.KindOf(err) != anchor.NotFound {
			return err
		}
		return askFriendbot(ctx, client, base, id)
	})
}

func askFriendbot(ctx context.Context, client *http.Client, base, id string) error {
	ctx, cancel := context.WithTimeout(ctx, friendbotLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/friendbot?addr="+url.QueryEscape(id), nil)
	if err != nil {
		return err
	}
	if client == nil {
		client = http.DefaultClient //nolint:forbidigo // a test network that the developer named, and no part of Horizon's API
	}
	res, err := client.Do(req)
	if err != nil {
		return notNow("friendbot", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return notNow("friendbot", err)
	}
	if res.StatusCode == http.StatusOK {
		return nil
	}
	return notNow("friendbot", fmt.Errorf("it answered %s: %.300s", res.Status, body))
}

func notNow(what string, err error) error {
	return &anchor.Error{Kind: anchor.Unavailable, Code: "network_unavailable", Message: what + ": " + err.Error()}
}

// patiently tries again, every second until ctx ends, what failed because the
// network could not be asked.
func patiently(ctx context.Context, logger *slog.Logger, try func() error) error {
	for {
		err := try()
		if err == nil || anchor.KindOf(err) != anchor.Unavailable {
			return err
		}
		logger.WarnContext(ctx, "the network does not answer as it should; trying again", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// issue makes the trustline and the supply, if they are not there.
func issue(ctx context.Context, ledger *horizon.Client, c *Config, issuer *keypair.Full, logger *slog.Logger) error {
	own := slices.IndexFunc(c.terms, func(t *anchor.Terms) bool { return t.Asset.Issuer == issuer.Address() })
	if own < 0 {
		return nil // it is no longer offered
	}
	asset := c.terms[own].Asset
	line := txnbuild.CreditAsset{Code: asset.Code, Issuer: asset.Issuer}
	return patiently(ctx, logger, func() error {
		account, err := ledger.Account(ctx, c.keys.Distribution.Address())
		switch {
		case anchor.KindOf(err) == anchor.NotFound: // another Horizon, behind the one that saw it made
			return notNow("issue the supply", err)
		case err != nil:
			return err
		}
		if _, ok := account.Balance(asset); ok {
			return nil
		}
		tx, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
			SourceAccount:        &txnbuild.SimpleAccount{AccountID: account.ID, Sequence: account.Sequence},
			IncrementSequenceNum: true,
			BaseFee:              1000,
			Preconditions:        txnbuild.Preconditions{TimeBounds: txnbuild.NewTimeout(60)},
			Operations: []txnbuild.Operation{
				&txnbuild.SetOptions{SourceAccount: issuer.Address(), HomeDomain: new(c.HomeDomain)},
				&txnbuild.ChangeTrust{Line: line.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit},
				&txnbuild.Payment{SourceAccount: issuer.Address(), Destination: account.ID, Asset: line, Amount: devSupply.String()},
			},
		})
		if err != nil {
			return err
		}
		if tx, err = tx.Sign(c.Network.Passphrase, c.keys.Distribution, issuer); err != nil {
			return err
		}
		xdr, err := tx.Base64()
		if err != nil {
			return err
		}
		// What became of one that failed is not asked but read off the account
		// above: the trustline is there, or the next round builds it anew. Two
		// rounds share a sequence number, so at most one of them applies.
		if _, err := ledger.Submit(ctx, xdr); err != nil {
			return notNow("issue the supply", err)
		}
		return nil
	})
}
