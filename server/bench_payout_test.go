//go:build bench

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/rig"
	"windlass/server/sandbox"
	"windlass/server/store"
)

// The backlog of payouts: how many ledgers it takes until all have left, from
// the first that has one to the last. Ledgers are the public network's: every
// five seconds, a thousand operations each. With 99 payments and the fee bump an
// envelope fills a tenth of one, so that ten channels can fill it.
const (
	benchPayouts    = 5_000
	benchChannels   = 10
	benchCloseEvery = 5 * time.Second
	benchMaxOps     = 1_000
	ledgersAim      = 7
)

func TestBenchPayouts(t *testing.T) {
	tuneCollector()
	dir := t.TempDir()
	customers := benchNetwork(t, dir)
	n, err := sandbox.Open(sandbox.Config{Dir: filepath.Join(dir, networkFolder), CloseEvery: benchCloseEvery, MaxOps: benchMaxOps})
	rig.Must(t, err)
	front := httptest.NewServer(n.Handler())
	t.Cleanup(func() {
		rig.Must(t, n.Close())
		front.Close()
	})
	cfg, err := Load(filepath.Join(dir, configFile), []string{envPrefix + "NETWORK_HORIZON=" + front.URL})
	rig.Must(t, err)
	a, err := newApp(t.Context(), cfg, devMode{}, newLog(io.Discard, LogConfig{Level: "error", Format: "json"}))
	rig.Must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runAll(ctx, a.incoming, a.payouts, a.rail) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		rig.Must(t, a.Close())
	})
	rig.Until(t, "the channels are there", func() bool {
		c, err := a.ledger.Account(t.Context(), cfg.keys.Channels[benchChannels-1].Address())
		return err == nil && c.Reserves == 0
	})

	began := time.Now()
	ids := backlog(t, a, customers)
	t.Logf("%d payouts were queued in %s", len(ids), time.Since(began).Round(time.Millisecond))
	began = time.Now()
	perLedger := map[uint32]int{}
	for _, id := range ids {
		e := paidBy(t, a.books, id)
		tx, err := a.ledger.Transaction(t.Context(), e)
		rig.Must(t, err)
		perLedger[tx.Ledger]++
	}
	took := time.Since(began)
	ledgers := slices.Sorted(maps.Keys(perLedger))
	for _, l := range ledgers {
		t.Logf("ledger %d has %d payouts", l, perLedger[l])
	}
	span := int(ledgers[len(ledgers)-1]-ledgers[0]) + 1
	t.Logf("%d payouts left in %d ledgers, %s after they were queued", len(ids), span, took.Round(time.Second))
	perLedgerMost := min(benchMaxOps/(anchor.MaxBatch+1), benchChannels) * anchor.MaxBatch
	least := (len(ids) + perLedgerMost - 1) / perLedgerMost
	r := measured{Name: fmt.Sprintf("%d payouts, in ledgers", len(ids)), Value: float64(span), Limit: float64(least)}
	r.Ratio, r.Aim = r.Limit/r.Value, r.Limit/ledgersAim
	r.Met = span <= ledgersAim
	writeBenchmarks(t, r)
}

// paidBy waits until a deposit is completed, and returns the hash.
func paidBy(t *testing.T, books *store.Store, id string) string {
	t.Helper()
	var hash string
	rig.Until(t, "a deposit is completed", func() bool {
		a, err := books.Transaction(t.Context(), id)
		rig.Must(t, err)
		hash = a.StellarID
		return a.Status() == anchor.Completed
	})
	return hash
}

// backlog funds a deposit for each customer.
func backlog(t *testing.T, a *app, customers []*keypair.Full) (ids []string) {
	t.Helper()
	terms := a.cfg.terms[0]
	now := time.Now()
	rig.Must(t, a.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		ids = nil
		for i, k := range customers {
			d := anchor.Start(store.NewID(), anchor.Deposit, terms, anchor.Identity{Account: k.Address()}, anchor.Address(k.Address()), now.Add(time.Hour), now)
			d.Method, d.Reviewed = "bank_transfer", true
			if err := d.SetAmount(terms, 100*anchor.One); err != nil {
				return err
			}
			if err := d.Agree(anchor.Instructions{Reference: fmt.Sprintf("BENCH-%d", i), Deadline: now.Add(time.Hour)}, now); err != nil {
				return err
			}
			if err := tx.CreateTransaction(d); err != nil {
				return err
			}
			d, err := tx.Transaction(d.ID)
			if err != nil {
				return err
			}
			if _, err := tx.Receive(d, terms, 100*anchor.One, fmt.Sprintf("bank-%d", i), now, now); err != nil {
				return err
			}
			ids = append(ids, d.ID)
		}
		return nil
	}))
	return ids
}

// benchNetwork makes, in quick and roomy ledgers, the anchor's accounts and
// those of its customers with their trustlines.
func benchNetwork(t *testing.T, dir string) []*keypair.Full {
	t.Helper()
	_, err := makeKeys(filepath.Join(dir, "secrets"), benchChannels)
	rig.Must(t, err)
	issuer, err := devFiles(dir)
	rig.Must(t, err)
	n, err := sandbox.Open(sandbox.Config{Dir: filepath.Join(dir, networkFolder), CloseEvery: 100 * time.Millisecond, MaxOps: 100 * benchMaxOps})
	rig.Must(t, err)
	front := httptest.NewServer(n.Handler())
	defer func() {
		rig.Must(t, n.Close())
		front.Close()
	}()
	cfg, err := Load(filepath.Join(dir, configFile), []string{envPrefix + "NETWORK_HORIZON=" + front.URL})
	rig.Must(t, err)
	rig.Must(t, bootstrap(t.Context(), cfg, issuer, http.DefaultClient, newLog(io.Discard, LogConfig{Level: "error", Format: "json"})))
	ledger := horizon.New(horizon.Config{URLs: cfg.Network.Horizon})
	defer ledger.Close()
	return newCustomers(t, ledger, cfg, benchPayouts)
}
