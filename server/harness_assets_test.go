package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
)

// guardedCode is the second asset of the harnesses: euros, which the bank sells and
// buys for pounds, and whose issuer authorizes each trustline by a key that can do
// nothing else. They have more decimals on the ledger than pounds at the bank.
const guardedCode = "EURW"

// assetFiles adds that asset to the configuration of dev's folder, and makes its
// keys. The third asset are lumens, which the bank sells and buys for dollars.
func assetFiles(dir string) (issuer *keypair.Full, err error) {
	seeds := map[string]*keypair.Full{"guarded_seed": nil, "authorizer_seed": nil}
	for name := range seeds {
		path := filepath.Join(dir, "secrets", name)
		if err := newFile(path, newSeed); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if seeds[name], err = keypair.ParseFull(strings.TrimSpace(string(text))); err != nil {
			return nil, err
		}
	}
	issuer = seeds["guarded_seed"]
	_, asset, _ := strings.Cut(devTemplate, "[[assets]]")
	euros := strings.NewReplacer(`"USDW"`, `"`+guardedCode+`"`+"\nauthorizer_seed_file = \"secrets/authorizer_seed\"",
		"{{ISSUER}}", issuer.Address(), "iso4217:USD", "iso4217:GBP", "US dollar", "euro", "one for one", "for pounds",
		"decimals = 2", "decimals = 4\noff_chain_decimals = 2").Replace(asset)
	lumens := strings.NewReplacer(`"USDW"`, `"native"`, "issuer = \"{{ISSUER}}\"\n", "", "US dollar", "lumens", "one for one", "for dollars",
		"decimals = 2", "decimals = 7\noff_chain_decimals = 2").Replace(asset)
	f, err := os.OpenFile(filepath.Join(dir, configFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString("\n[[assets]]" + euros + "\n[[assets]]" + lumens)
	return issuer, errors.Join(err, f.Close())
}

// onLedger is an asset as transactions have it.
func onLedger(a anchor.Asset) txnbuild.Asset {
	if a.IsNative() {
		return txnbuild.NativeAsset{}
	}
	return txnbuild.CreditAsset{Code: a.Code, Issuer: a.Issuer}
}

// addTrust is how an account gets a trustline.
func addTrust(of string, a anchor.Asset) *txnbuild.ChangeTrust {
	line := txnbuild.CreditAsset{Code: a.Code, Issuer: a.Issuer}
	return &txnbuild.ChangeTrust{SourceAccount: of, Line: line.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit}
}

// issueAssets makes the issuer and gives the anchor's account its asset, and the
// lumens of so many accounts, which are its own as they come from the issuer.
func issueAssets(ctx context.Context, c *Config, issuer *keypair.Full, donors int, client *http.Client, logger *slog.Logger) error {
	ledger := horizon.New(horizon.Config{URLs: c.Network.Horizon, HTTP: client, Logger: logger})
	defer ledger.Close()
	distribution, signers := c.keys.Distribution, []*keypair.Full{issuer, c.keys.Distribution}
	var give []txnbuild.Operation
	for i := range donors {
		donor, err := keypair.FromRawSeed(sha256.Sum256(fmt.Appendf(nil, "donor %d", i)))
		if err == nil {
			err = makeAccount(ctx, ledger, client, c.Network.Horizon[0], donor.Address(), logger)
		}
		if err != nil {
			return err
		}
		signers = append(signers, donor)
		give = append(give, &txnbuild.AccountMerge{SourceAccount: donor.Address(), Destination: issuer.Address()},
			&txnbuild.Payment{Destination: distribution.Address(), Asset: txnbuild.NativeAsset{}, Amount: "10000"})
	}
	if err := makeAccount(ctx, ledger, client, c.Network.Horizon[0], issuer.Address(), logger); err != nil {
		return err
	}
	account, err := ledger.Account(ctx, issuer.Address())
	if err != nil {
		return err
	}
	line := txnbuild.CreditAsset{Code: guardedCode, Issuer: issuer.Address()}
	tx, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount:        &txnbuild.SimpleAccount{AccountID: account.ID, Sequence: account.Sequence},
		IncrementSequenceNum: true, BaseFee: 1000, Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewInfiniteTimeout()},
		Operations: append(give,
			&txnbuild.ChangeTrust{SourceAccount: distribution.Address(), Line: line.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit},
			&txnbuild.Payment{Destination: distribution.Address(), Asset: line, Amount: devSupply.String()},
			&txnbuild.SetOptions{
				SetFlags:     []txnbuild.AccountFlag{txnbuild.AuthRequired, txnbuild.AuthRevocable},
				LowThreshold: new(txnbuild.Threshold(1)), MediumThreshold: new(txnbuild.Threshold(2)), HighThreshold: new(txnbuild.Threshold(2)), MasterWeight: new(txnbuild.Threshold(2)),
				Signer: &txnbuild.Signer{Address: c.keys.Authorizers[issuer.Address()].Address(), Weight: 1},
			}),
	})
	if err == nil {
		tx, err = tx.Sign(c.Network.Passphrase, signers...)
	}
	if err != nil {
		return err
	}
	text, err := tx.Base64()
	if err != nil {
		return err
	}
	_, err = ledger.Submit(ctx, text)
	return err
}
