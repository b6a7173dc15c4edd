package reconcile_test

import (
	"context"
	"database/sql"
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
	"windlass/server/incoming"
	"windlass/server/payout"
	"windlass/server/rail"
	"windlass/server/reconcile"
	"windlass/server/rig"
	"windlass/server/sandbox"
	"windlass/server/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const passphrase = network.TestNetworkPassphrase

var usd = anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}

// A world is a whole anchor: a network behind a gate, a bank, books, and the
// engines that can be started and stopped.
type world struct {
	t      *testing.T
	gate   *rig.Gate
	ledger *horizon.Client // through the gate
	plain  *horizon.Client // past it
	bank   *rail.Simulated
	books  *store.Store
	path   string // of the books
	keys   *store.Keys
	logger *slog.Logger

	issuer, distribution, fee, channel, customer *keypair.Full
	asset                                        anchor.Asset
	terms                                        *anchor.Terms
	memos                                        uint64
	// method is how customers pay and are paid.
	method string
	// claimBack is when balances that the customer did not claim come back; 0 is that
	// none are made.
	claimBack time.Duration
	// watched compares at every look at what is waited for.
	watched bool
}

// newWorld makes an anchor as `windlass dev` makes it: the distribution account
// pays for the transaction that issues its supply.
func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	n, err := sandbox.Open(sandbox.Config{CloseEvery: 200 * time.Millisecond, StreamEvery: 50 * time.Millisecond})
	must(t, err)
	w := &world{t: t, method: "bank_transfer", gate: &rig.Gate{Next: n.Handler()}, logger: slog.New(slog.NewTextHandler(rig.Log{T: t}, nil))}
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
	dir := t.TempDir()
	must(t, store.NewKeyFile(filepath.Join(dir, "key.json")))
	w.keys, err = store.LoadKeys(filepath.Join(dir, "key.json"))
	must(t, err)
	w.path = filepath.Join(dir, "books.db")
	w.books, err = store.Open(t.Context(), w.path, w.keys)
	must(t, err)
	w.bank, err = rail.OpenSimulated(filepath.Join(dir, "bank.db"), rail.SimulatedConfig{Currencies: []anchor.Asset{usd}, Delay: -1})
	must(t, err)
	t.Cleanup(func() { must(t, w.books.Close()); must(t, w.bank.Close()) })

	for _, k := range []**keypair.Full{&w.issuer, &w.distribution, &w.fee, &w.channel, &w.customer} {
		*k = keypair.MustRandom()
	}
	w.fund(w.issuer, w.distribution, w.fee, w.channel, w.customer)
	w.asset = anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: w.issuer.Address()}
	side := anchor.Side{Enabled: true, Min: anchor.One, Max: 5000 * anchor.One, Fee: anchor.Schedule{Fixed: anchor.One}}
	w.terms = &anchor.Terms{Asset: w.asset, OffChain: usd, Decimals: 2, OffChainDecimals: 2, Account: w.distribution.Address(), Deposit: side, Withdraw: side}
	trust := w.line().MustToChangeTrustAsset()
	w.do(w.distribution, nil, []txnbuild.Operation{
		&txnbuild.ChangeTrust{Line: trust, Limit: txnbuild.MaxTrustlineLimit},
		&txnbuild.Payment{SourceAccount: w.issuer.Address(), Destination: w.distribution.Address(), Asset: w.line(), Amount: "1000000"},
	}, w.issuer)
	w.do(w.customer, nil, []txnbuild.Operation{&txnbuild.ChangeTrust{Line: trust, Limit: txnbuild.MaxTrustlineLimit}})
	return w
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
func (w *world) do(source *keypair.Full, memo txnbuild.Memo, ops []txnbuild.Operation, more ...*keypair.Full) string {
	w.t.Helper()
	sub, err := rig.Submit(w.t, w.plain, passphrase, source, memo, ops, more...)
	must(w.t, err)
	return sub.Hash
}

func (w *world) line() txnbuild.CreditAsset {
	return txnbuild.CreditAsset{Code: w.asset.Code, Issuer: w.asset.Issuer}
}

// pay pays in our asset.
func (w *world) pay(from *keypair.Full, to, amount string, memo txnbuild.Memo) string {
	w.t.Helper()
	return w.do(from, memo, []txnbuild.Operation{&txnbuild.Payment{Destination: to, Asset: w.line(), Amount: amount}})
}

// start starts the engines; stop ends them as a crash would, and waits.
func (w *world) start() (stop func()) {
	w.t.Helper()
	in := incoming.New(incoming.Config{
		Accounts: w.accounts(), Own: []string{w.channel.Address()}, Terms: []*anchor.Terms{w.terms}, Statement: rail.Cursor,
		CheckEvery: 100 * time.Millisecond, RetryAfter: 20 * time.Millisecond,
	}, w.books, w.ledger, w.logger)
	out := payout.New(payout.Config{
		Passphrase: passphrase, Sources: []*keypair.Full{w.distribution}, Fee: w.fee, Channels: []*keypair.Full{w.channel},
		Lifetime: 10_000, Poll: 20 * time.Millisecond, Retry: 20 * time.Millisecond, ClaimBackAfter: w.claimBack,
	}, w.books, w.ledger, w.logger)
	bank := rail.New(rail.Config{Store: w.books, Terms: []*anchor.Terms{w.terms}, Rail: w.bank, Logger: w.logger, Poll: 20 * time.Millisecond, Retry: time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{in.Run, out.Run, bank.Run} {
		wg.Go(func() { _ = run(ctx) })
	}
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	w.t.Cleanup(stop)
	return stop
}

func (w *world) accounts() []string { return []string{w.distribution.Address(), w.fee.Address()} }

// open starts a transaction of 100 that the customer has agreed to.
func (w *world) open(kind anchor.Kind) *anchor.Transaction {
	w.t.Helper()
	w.memos++
	now := time.Now()
	customer := w.customer.Address()
	a := anchor.Start(store.NewID(), kind, w.terms, anchor.Identity{Account: customer}, anchor.Address(customer), now.Add(time.Hour), now)
	a.Method, a.Reviewed, a.ClaimableBalance = w.method, true, w.claimBack > 0
	must(w.t, a.SetAmount(w.terms, 100*anchor.One))
	must(w.t, w.books.Update(w.t.Context(), store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(a) }))
	must(w.t, w.books.Update(w.t.Context(), store.Customer, func(tx *store.Tx) error {
		a, err := tx.Transaction(a.ID)
		if err != nil {
			return err
		}
		in := anchor.Instructions{Deadline: now.Add(time.Hour), Reference: rail.NewReference()}
		if kind == anchor.Withdrawal {
			in = anchor.Instructions{Deadline: now.Add(time.Hour), AnchorAccount: w.distribution.Address(), Memo: anchor.IDMemo(w.memos)}
		}
		if err := a.Agree(in, now); err != nil {
			return err
		}
		if err := tx.SetDetails(a.ID, store.Details{Answers: map[string]string{"bank_account_number": "12345678"}}); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	}))
	return w.transaction(a.ID)
}

func (w *world) transaction(id string) *anchor.Transaction {
	w.t.Helper()
	a, err := w.books.Transaction(w.t.Context(), id)
	must(w.t, err)
	return a
}

func (w *world) untilStatus(status anchor.Status, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		w.until("it is "+string(status), func() bool { return w.transaction(id).Status() == status })
	}
}

// transfer sends 100 to the anchor at the bank.
func (w *world) transfer(reference string) {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/bank/api/transfers",
		strings.NewReader(`{"amount":"100","currency":"USD","reference":"`+reference+`","payer_name":"Ana","payer_account":"0001234"}`))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.bank.Handler().ServeHTTP(rec, r)
	if rec.Code != http.StatusCreated {
		w.t.Fatalf("the bank answers %d %s", rec.Code, rec.Body)
	}
}

// compare runs as the command does: on the books that this process has open.
func (w *world) compare(explained ...string) (*reconcile.Report, error) {
	w.t.Helper()
	return w.compareWith(w.bank, explained...)
}

func (w *world) compareWith(bank rail.Rail, explained ...string) (*reconcile.Report, error) {
	w.t.Helper()
	books, err := store.OpenReader(w.t.Context(), w.path, w.keys)
	must(w.t, err)
	defer func() { must(w.t, books.Close()) }()
	return reconcile.Run(w.t.Context(), reconcile.Config{
		Accounts: w.accounts(), Own: []string{w.channel.Address()}, Assets: []anchor.Asset{w.asset}, Explained: explained,
		Store: books, Ledger: w.ledger, Rail: bank,
	})
}

// agrees checks that nothing differs, and returns the report.
func (w *world) agrees(explained ...string) *reconcile.Report {
	w.t.Helper()
	r, err := w.compare(explained...)
	must(w.t, err)
	if !r.Agrees {
		w.t.Fatalf("it differs:\n%s", text(w.t, r))
	}
	return r
}

// untilZero waits until everything is booked.
func (w *world) untilZero() {
	w.t.Helper()
	w.until("everything is booked", func() bool { return len(w.agrees().Items) == 0 })
}

func text(t *testing.T, r *reconcile.Report) string {
	t.Helper()
	var b strings.Builder
	must(t, r.WriteText(&b))
	return b.String()
}

// items checks what the report lists: "place asset amount why reference".
func (w *world) items(r *reconcile.Report, want ...string) {
	w.t.Helper()
	var got []string
	for _, i := range r.Items {
		got = append(got, fmt.Sprintf("%s %s %s %s %s", i.Place, i.Asset.Code, i.Amount, i.Why, i.Reference))
	}
	seen := map[string]int{}
	for _, s := range want {
		seen[s]++
	}
	for _, s := range got {
		seen[s]--
	}
	for s, n := range seen {
		if n != 0 {
			w.t.Errorf("%+d times %s; all are:\n%s", -n, s, strings.Join(got, "\n"))
		}
	}
	sums := map[string]anchor.Amount{}
	for _, l := range r.Lines {
		sums[string(l.Place)+l.Asset.String()] = l.Actual - l.Journal
	}
	for _, i := range r.Items {
		sums[string(i.Place)+i.Asset.String()] -= i.Amount
	}
	for s, rest := range sums {
		if rest != 0 {
			w.t.Errorf("%s is left of %s", rest, s)
		}
	}
}

// tamper changes the books past the store.
func (w *world) tamper(statement string, args ...any) {
	w.t.Helper()
	db, err := sql.Open("sqlite3", w.path)
	must(w.t, err)
	defer func() { must(w.t, db.Close()) }()
	res, err := db.ExecContext(w.t.Context(), statement, args...)
	must(w.t, err)
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		w.t.Fatalf("nothing was changed: %v", err)
	}
}

// forget removes the journal's entries of a kind and reference.
func (w *world) forget(kind, reference string) {
	w.t.Helper()
	w.tamper(`DELETE FROM postings WHERE entry_id IN (SELECT id FROM journal WHERE kind = $1 AND reference = $2)`, kind, reference)
	w.tamper(`DELETE FROM journal WHERE kind = $1 AND reference = $2`, kind, reference)
}
