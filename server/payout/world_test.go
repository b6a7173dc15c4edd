package payout_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"go.uber.org/goleak"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/payout"
	"windlass/server/rig"
	"windlass/server/sandbox"
	"windlass/server/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const passphrase = network.TestNetworkPassphrase

// A world is a network behind a gate, books, and an anchor with funds.
type world struct {
	t      *testing.T
	net    *sandbox.Network
	gate   *rig.Gate
	ledger *horizon.Client // through the gate, as the engine sees it
	plain  *horizon.Client // past it
	dir    string          // of the books
	books  *store.Store
	logger *slog.Logger

	issuer, distribution, fee *keypair.Full
	channels                  []*keypair.Full
	terms                     *anchor.Terms
	asset                     anchor.Asset
	feeLumens                 anchor.Amount // before anything was paid
}

// submits makes a rule that concerns submissions only.
func submits(rule func(http.ResponseWriter, *http.Request, http.Handler) bool) func(http.ResponseWriter, *http.Request, http.Handler) bool {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) bool {
		return r.Method == http.MethodPost && rule(w, r, next)
	}
}

// problem answers like a Horizon in trouble.
func problem(w http.ResponseWriter, status int, kind string) {
	w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"type":"https://stellar.org/horizon-errors/%s","title":"x","status":%d}`, kind, status)
}

const supply = 1_000_000 * anchor.One

func newWorld(t *testing.T, channels int) *world {
	t.Helper()
	t.Parallel()
	n, err := sandbox.Open(sandbox.Config{CloseEvery: 50 * time.Millisecond})
	must(t, err)
	w := &world{t: t, net: n, logger: slog.New(slog.NewTextHandler(rig.Log{T: t}, &slog.HandlerOptions{Level: slog.LevelInfo}))}
	w.gate = &rig.Gate{Next: n.Handler()}
	front, back := httptest.NewServer(w.gate), httptest.NewServer(n.Handler())
	w.ledger = horizon.New(horizon.Config{URLs: []string{front.URL}, Passphrase: passphrase})
	w.plain = horizon.New(horizon.Config{URLs: []string{back.URL}})
	t.Cleanup(func() {
		w.ledger.Close()
		w.plain.Close()
		must(t, n.Close())
		front.Close()
		back.Close()
	})
	w.dir = t.TempDir()
	must(t, store.NewKeyFile(filepath.Join(w.dir, "key.json")))
	w.books = openBooks(t, w.dir)

	w.issuer, w.distribution, w.fee = rig.NewKey(t), rig.NewKey(t), rig.NewKey(t)
	for range channels {
		w.channels = append(w.channels, rig.NewKey(t))
	}
	w.fund(append([]*keypair.Full{w.issuer, w.distribution, w.fee}, w.channels...)...)
	w.asset = anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: w.issuer.Address()}
	side := anchor.Side{Enabled: true, Min: anchor.One, Max: 100_000 * anchor.One}
	w.terms = &anchor.Terms{Asset: w.asset, OffChain: anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}, Decimals: 2, OffChainDecimals: 2, Account: w.distribution.Address(), Deposit: side, Withdraw: side}
	w.trust(w.distribution)
	w.issue(supply)
	w.feeLumens = w.balance(w.fee.Address(), anchor.Native)
	return w
}

func openBooks(t *testing.T, dir string) *store.Store {
	t.Helper()
	keys, err := store.LoadKeys(filepath.Join(dir, "key.json"))
	must(t, err)
	s, err := store.Open(context.Background(), filepath.Join(dir, "books.db"), keys)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	rig.Must(t, err)
}

func (w *world) fund(keys ...*keypair.Full) {
	w.t.Helper()
	rig.Fund(w.t, w.plain.URL(), keys...)
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	rig.Until(w.t, what, holds)
}

// do makes one transaction and waits for its ledger.
func (w *world) do(source *keypair.Full, ops []txnbuild.Operation, more ...*keypair.Full) {
	w.t.Helper()
	_, err := rig.Submit(w.t, w.plain, passphrase, source, nil, ops, more...)
	must(w.t, err)
}

func (w *world) line() txnbuild.CreditAsset {
	return txnbuild.CreditAsset{Code: w.asset.Code, Issuer: w.asset.Issuer}
}

func (w *world) trust(k *keypair.Full)   { w.trustUpTo(k, txnbuild.MaxTrustlineLimit) }
func (w *world) untrust(k *keypair.Full) { w.trustUpTo(k, "0") }

func (w *world) trustUpTo(k *keypair.Full, limit string) {
	w.t.Helper()
	w.do(k, []txnbuild.Operation{&txnbuild.ChangeTrust{Line: w.line().MustToChangeTrustAsset(), Limit: limit}})
}

// issue puts more of the asset into the distribution account, and into the journal.
func (w *world) issue(a anchor.Amount) {
	w.t.Helper()
	w.do(w.issuer, []txnbuild.Operation{&txnbuild.Payment{Destination: w.distribution.Address(), Asset: w.line(), Amount: a.String()}})
	must(w.t, w.books.Update(w.t.Context(), store.Operator, func(tx *store.Tx) error {
		return tx.Post(time.Now(), anchor.Move("issued", "", "", w.asset, a, anchor.Issued, anchor.Distribution))
	}))
}

// customers makes accounts with trustlines, nineteen to a transaction: with the
// one who pays for them that is as many signatures as it can have.
func (w *world) customers(n int) []*keypair.Full {
	w.t.Helper()
	const each = 19
	all := make([]*keypair.Full, n)
	for i := range all {
		all[i] = rig.NewKey(w.t)
	}
	funders := make([]*keypair.Full, (n+each-1)/each)
	for i := range funders {
		funders[i] = rig.NewKey(w.t)
	}
	w.fund(funders...)
	var wg sync.WaitGroup
	for i, f := range funders {
		some := all[i*each : min((i+1)*each, n)]
		wg.Go(func() {
			var ops []txnbuild.Operation
			for _, k := range some {
				ops = append(ops,
					&txnbuild.CreateAccount{Destination: k.Address(), Amount: "10"},
					&txnbuild.ChangeTrust{SourceAccount: k.Address(), Line: w.line().MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit})
			}
			w.do(f, ops, some...)
		})
	}
	wg.Wait()
	return all
}

// deposits funds a deposit for each account, of 10, 11, 12 … and returns their ids.
func (w *world) deposits(to ...*keypair.Full) []string {
	w.t.Helper()
	var ids []string
	must(w.t, w.books.Update(w.t.Context(), store.BankRail, func(tx *store.Tx) error {
		ids = nil
		for i, k := range to {
			id, err := w.deposit(tx, anchor.Address(k.Address()), anchor.Memo{}, amount(i))
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	}))
	return ids
}

func amount(i int) anchor.Amount { return anchor.Amount(10+i) * anchor.One }

func (w *world) deposit(tx *store.Tx, to anchor.Address, memo anchor.Memo, in anchor.Amount, change ...func(*anchor.Transaction)) (string, error) {
	return w.depositOf(tx, w.terms, to, memo, in, change...)
}

func (w *world) depositOf(tx *store.Tx, terms *anchor.Terms, to anchor.Address, memo anchor.Memo, in anchor.Amount, change ...func(*anchor.Transaction)) (string, error) {
	now := time.Now()
	a := anchor.Start(store.NewID(), anchor.Deposit, terms, anchor.Identity{Account: to.Account()}, to, now.Add(time.Hour), now)
	a.Method, a.Reviewed, a.Memo = "bank_transfer", true, memo
	for _, f := range change {
		f(a)
	}
	if err := a.SetAmount(terms, in); err != nil {
		return "", err
	}
	if err := tx.CreateTransaction(a); err != nil {
		return "", err
	}
	a, err := tx.Transaction(a.ID)
	if err != nil {
		return "", err
	}
	if err := a.Agree(anchor.Instructions{Reference: a.ID, Deadline: now.Add(time.Hour)}, now); err != nil {
		return "", err
	}
	if err := tx.SaveTransaction(a); err != nil {
		return "", err
	}
	if a, err = tx.Transaction(a.ID); err != nil {
		return "", err
	}
	arrival, err := tx.Receive(a, terms, in, "bank-"+a.ID, now, now)
	if err == nil && arrival != anchor.Accepted {
		err = fmt.Errorf("arrival %s", arrival)
	}
	return a.ID, err
}

// engine starts an engine; stop ends it as a crash would, and waits.
func (w *world) engine(change ...func(*payout.Config)) (e *payout.Engine, stop func()) {
	w.t.Helper()
	c := payout.Config{
		Passphrase: passphrase, Sources: []*keypair.Full{w.distribution}, Fee: w.fee, Channels: w.channels, Terms: []*anchor.Terms{w.terms},
		Lifetime: 100, Poll: 20 * time.Millisecond, Retry: 20 * time.Millisecond,
	}
	for _, f := range change {
		f(&c)
	}
	e = payout.New(c, w.books, w.ledger, w.logger)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = e.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(stop)
	return e, stop
}

func (w *world) untilStatus(status anchor.Status, ids ...string) {
	w.t.Helper()
	w.until(fmt.Sprintf("%d transactions are %s", len(ids), status), func() bool {
		all, _, err := w.books.Search(w.t.Context(), store.Search{Statuses: []anchor.Status{status}})
		must(w.t, err)
		found := map[string]bool{}
		for _, a := range all {
			found[a.ID] = true
		}
		for _, id := range ids {
			if !found[id] {
				return false
			}
		}
		return true
	})
}

func (w *world) transaction(id string) *anchor.Transaction {
	w.t.Helper()
	a, err := w.books.Transaction(w.t.Context(), id)
	must(w.t, err)
	return a
}

func (w *world) intent(id string) *anchor.Payout {
	w.t.Helper()
	all, err := w.books.PayoutsOf(w.t.Context(), "transaction", id)
	must(w.t, err)
	if len(all) != 1 {
		w.t.Fatalf("%d intents", len(all))
	}
	return all[0]
}

func (w *world) live() []*anchor.Envelope {
	w.t.Helper()
	all, err := w.books.LiveEnvelopes(w.t.Context())
	must(w.t, err)
	return all
}

func (w *world) balance(account string, asset anchor.Asset) anchor.Amount {
	w.t.Helper()
	a, err := w.plain.Account(w.t.Context(), account)
	must(w.t, err)
	b, _ := a.Balance(asset)
	return b.Amount
}

// paidOnce checks that each account has what amount says, and not twice.
func (w *world) paidOnce(to ...*keypair.Full) {
	w.t.Helper()
	for i, k := range to {
		if got := w.balance(k.Address(), w.asset); got != amount(i) {
			w.t.Errorf("account %d has %s, not %s", i, got, amount(i))
		}
	}
}

// balanced checks the journal: it sums to zero, and agrees with the ledger to
// the stroop. Nothing may be on its way.
func (w *world) balanced() {
	w.t.Helper()
	all, err := w.books.Balances(w.t.Context())
	must(w.t, err)
	sums, of := map[anchor.Asset]anchor.Amount{}, map[string]anchor.Amount{}
	for _, b := range all {
		sums[b.Asset] += b.Amount
		of[string(b.Account)+" "+b.Asset.String()] = b.Amount
	}
	for asset, sum := range sums {
		if sum != 0 {
			w.t.Errorf("the journal is out of balance by %s %s", sum, asset)
		}
	}
	if got, want := of["distribution "+w.asset.String()], w.balance(w.distribution.Address(), w.asset); got != want {
		w.t.Errorf("the journal's distribution is %s, the ledger's %s", got, want)
	}
	if got := of["in_flight "+w.asset.String()]; got != 0 {
		w.t.Errorf("%s is in flight", got)
	}
	if got, want := of["network_fees "+anchor.Native.String()], w.feeLumens-w.balance(w.fee.Address(), anchor.Native); got != want {
		w.t.Errorf("the journal's network fees are %s, the ledger's %s", got, want)
	}
}

// accountOf is the account that a request asks for, "" if none.
func accountOf(r *http.Request) string {
	id, ok := strings.CutPrefix(r.URL.Path, "/accounts/")
	if !ok || r.Method != http.MethodGet {
		return ""
	}
	return id
}
