package rail_test

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

const account = "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR"

var (
	usdw = anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: account}
	usd  = anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}
	eur  = anchor.Asset{Scheme: anchor.ISO4217, Code: "EUR"}
)

func newTerms() *anchor.Terms {
	side := anchor.Side{
		Enabled: true, Min: 10 * anchor.One, Max: 1000 * anchor.One, Window: time.Hour,
		Fee:     anchor.Schedule{Fixed: anchor.One, Percent: anchor.MustAmount("0.5")},
		Methods: []anchor.Method{{ID: "bank_transfer"}, {ID: anchor.Cash}},
	}
	return &anchor.Terms{Asset: usdw, OffChain: usd, Decimals: 2, OffChainDecimals: 2, Account: account, Deposit: side, Withdraw: side}
}

// world is books, a bank and what stands between them.
type world struct {
	t     *testing.T
	books *store.Store
	bank  *rail.Simulated
	path  string // of the bank's file
	file  string // of the books
	terms *anchor.Terms
	// method is how customers pay and are paid.
	method string
	// What the engines are started with.
	policies   anchor.Policies
	checkPayer bool
	valid      time.Duration
	log        *slog.Logger
}

func newWorld(t *testing.T, delay time.Duration) *world {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key.json")
	must(t, store.NewKeyFile(key))
	keys, err := store.LoadKeys(key)
	must(t, err)
	books, err := store.Open(t.Context(), filepath.Join(dir, "books.db"), keys)
	must(t, err)
	t.Cleanup(func() { must(t, books.Close()) })
	w := &world{t: t, books: books, path: filepath.Join(dir, "bank.db"), file: filepath.Join(dir, "books.db"), terms: newTerms(), method: "bank_transfer", log: slog.New(slog.DiscardHandler)}
	w.bank = openBank(t, w.path, delay)
	t.Cleanup(func() { must(t, w.bank.Close()) })
	return w
}

// spoil does to the books what their own rooms never would.
func (w *world) spoil(statement string) { spoil(w.t, w.file, statement) }

func spoil(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+file+"?_busy_timeout=10000")
	must(t, err)
	_, err = db.ExecContext(t.Context(), statement)
	must(t, err)
	must(t, db.Close())
}

func openBank(t *testing.T, path string, delay time.Duration) *rail.Simulated {
	t.Helper()
	bank, err := rail.OpenSimulated(path, rail.SimulatedConfig{
		Holder: "Example Anchor Ltd", Number: "1234567890", Bank: "Sandbox Bank",
		Currencies: []anchor.Asset{usd, eur}, Delay: delay,
	})
	must(t, err)
	return bank
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs an engine until the test ends, or until the returned stop.
func (w *world) start(bank rail.Rail) (stop func()) {
	w.t.Helper()
	e := rail.New(rail.Config{
		Store: w.books, Terms: []*anchor.Terms{w.terms}, Policies: w.policies, CheckPayer: w.checkPayer, Rail: bank, Logger: w.log,
		Poll: 20 * time.Millisecond, Retry: time.Millisecond, Valid: w.valid,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			must(w.t, <-done)
		}
	}
	w.t.Cleanup(stop)
	return stop
}

// agreed is a transaction whose money is awaited until the deadline.
func (w *world) agreed(kind anchor.Kind, amount, to string, deadline time.Time) *anchor.Transaction {
	w.t.Helper()
	now := time.Now()
	tr := anchor.Start(store.NewID(), kind, w.terms, anchor.Identity{Account: account}, account, now.Add(time.Hour), now)
	must(w.t, w.books.Update(w.t.Context(), store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(tr) }))
	must(w.t, w.books.Update(w.t.Context(), store.Customer, func(tx *store.Tx) error {
		a, err := tx.Transaction(tr.ID)
		if err != nil {
			return err
		}
		a.Method, a.Reviewed = w.method, true
		if err := a.SetAmount(w.terms, anchor.MustAmount(amount)); err != nil {
			return err
		}
		memo := anchor.IDMemo(uint64(now.UnixNano()))
		if err := a.Agree(anchor.Instructions{Reference: rail.NewReference(), AnchorAccount: account, Memo: memo, Deadline: deadline}, now); err != nil {
			return err
		}
		if err := tx.SetDetails(a.ID, store.Details{Answers: map[string]string{"bank_account_number": to}}); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	}))
	tr, err := w.books.Transaction(w.t.Context(), tr.ID)
	must(w.t, err)
	return tr
}

// paidWithdrawal is a withdrawal whose payment is in the ledger: an order to
// the bank is queued.
func (w *world) paidWithdrawal(amount, to string) *anchor.Transaction {
	w.t.Helper()
	tr := w.agreed(anchor.Withdrawal, amount, to, time.Now().Add(time.Hour))
	must(w.t, w.books.Update(w.t.Context(), store.Ledger, func(tx *store.Tx) error {
		a, err := tx.Transaction(tr.ID)
		if err != nil {
			return err
		}
		if _, err = tx.Receive(a, w.terms, a.AmountIn, "hash "+a.ID, time.Now(), time.Now()); err != nil {
			return err
		}
		return tx.CreatePayment(&anchor.Payment{
			ID: strconv.FormatInt(time.Now().UnixNano(), 10), Hash: "hash " + a.ID, Account: account, From: account, Asset: a.Asset, Amount: a.AmountIn,
			At: time.Now(), State: anchor.Matched, Transaction: a.ID,
		})
	}))
	return tr
}

// await returns the transaction as soon as ok holds.
func (w *world) await(id string, what string, ok func(*anchor.Transaction) bool) *anchor.Transaction {
	w.t.Helper()
	var tr *anchor.Transaction
	w.until(id, what, func() bool {
		var err error
		tr, err = w.books.Transaction(w.t.Context(), id)
		must(w.t, err)
		return ok(tr)
	})
	return tr
}

// until waits for commits that touch a topic until ok holds.
func (w *world) until(topic, what string, ok func() bool) {
	w.t.Helper()
	wake, stop := w.books.Watch(topic)
	defer stop()
	patience := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-wake:
		case <-patience:
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (w *world) order(transaction string) *anchor.BankPayout {
	w.t.Helper()
	all, err := w.books.BankPayoutsOf(w.t.Context(), transaction)
	must(w.t, err)
	if len(all) != 1 {
		w.t.Fatalf("%d orders for one withdrawal", len(all))
	}
	return all[0]
}

// balanced is the invariant of every story: the journal sums to zero for every
// asset. It returns the balances.
func balanced(t *testing.T, books *store.Store) map[anchor.Ledger]anchor.Amount {
	t.Helper()
	all, err := books.Balances(t.Context())
	must(t, err)
	sums, usdOnly := map[anchor.Asset]anchor.Amount{}, map[anchor.Ledger]anchor.Amount{}
	for _, b := range all {
		sums[b.Asset] += b.Amount
		if b.Asset == usd {
			usdOnly[b.Account] = b.Amount
		}
	}
	for asset, sum := range sums {
		if sum != 0 {
			t.Errorf("the journal is out of balance by %s %s", sum, asset)
		}
	}
	return usdOnly
}
