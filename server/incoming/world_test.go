package incoming_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
	"go.uber.org/goleak"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/incoming"
	"windlass/server/rig"
	"windlass/server/sandbox"
	"windlass/server/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const passphrase = network.TestNetworkPassphrase

// A world is a network behind a gate, books, and an anchor's accounts.
type world struct {
	t      *testing.T
	gate   *rig.Gate
	url    string          // through the gate
	ledger *horizon.Client // through the gate, as the streams see it
	plain  *horizon.Client // past it
	books  *store.Store
	file   string // of the books
	logger *slog.Logger

	issuer, distribution, fee, channel *keypair.Full
	customer                           *keypair.Full // has 100,000 of the asset, and lumens
	asset                              anchor.Asset
	terms                              *anchor.Terms
	config                             incoming.Config
	memos                              uint64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, logger: slog.New(slog.NewTextHandler(rig.Log{T: t}, nil))}
	w.issuer, w.distribution, w.fee, w.channel, w.customer = rig.NewKey(t), rig.NewKey(t), rig.NewKey(t), rig.NewKey(t), rig.NewKey(t)
	n, err := sandbox.Open(sandbox.Config{
		CloseEvery: 50 * time.Millisecond, StreamEvery: 50 * time.Millisecond,
		// Two lumens buy one of the asset.
		Rates: []sandbox.Rate{{Account: w.issuer.Address(), Sells: "USDW:" + w.issuer.Address(), Buys: "native", N: 2, D: 1}},
	})
	must(t, err)
	w.gate = &rig.Gate{Next: n.Handler()}
	front, back := httptest.NewServer(w.gate), httptest.NewServer(n.Handler())
	w.url = front.URL
	w.ledger = horizon.New(horizon.Config{URLs: []string{front.URL}, Passphrase: passphrase})
	w.plain = horizon.New(horizon.Config{URLs: []string{back.URL}})
	t.Cleanup(func() {
		w.ledger.Close()
		w.plain.Close()
		must(t, n.Close())
		front.Close()
		back.Close()
	})
	w.books, w.file = newBooks(t)

	w.fund(w.issuer, w.distribution, w.fee, w.channel, w.customer)
	w.asset = anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: w.issuer.Address()}
	side := anchor.Side{Enabled: true, Min: anchor.One, Max: 5000 * anchor.One, Fee: anchor.Schedule{Fixed: anchor.One}}
	w.terms = &anchor.Terms{Asset: w.asset, OffChain: anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}, Decimals: 2, OffChainDecimals: 2, Account: w.distribution.Address(), Deposit: side, Withdraw: side}
	w.config = incoming.Config{
		Statement: "bank",
		Accounts:  []string{w.distribution.Address(), w.fee.Address()}, Own: []string{w.channel.Address()}, Terms: []*anchor.Terms{w.terms},
		CheckEvery: 100 * time.Millisecond, ExpireEvery: 20 * time.Millisecond, RetryAfter: 20 * time.Millisecond, Margin: time.Nanosecond,
	}
	line := w.line()
	// The issuer pays the network's fees, so that payments alone move our balances.
	w.do(w.issuer, nil, []txnbuild.Operation{
		&txnbuild.ChangeTrust{SourceAccount: w.distribution.Address(), Line: line.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit},
		&txnbuild.ChangeTrust{SourceAccount: w.customer.Address(), Line: line.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit},
		&txnbuild.Payment{Destination: w.customer.Address(), Asset: line, Amount: "100000"},
		&txnbuild.Payment{Destination: w.distribution.Address(), Asset: line, Amount: "1000000"},
	}, w.distribution, w.customer)
	return w
}

func newBooks(t *testing.T) (*store.Store, string) {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key.json")
	must(t, store.NewKeyFile(key))
	keys, err := store.LoadKeys(key)
	must(t, err)
	file := filepath.Join(dir, "books.db")
	s, err := store.Open(context.Background(), file, keys)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, file
}

// fails makes a transaction that fails in its ledger.
func (w *world) fails(source *keypair.Full, op txnbuild.Operation) {
	w.t.Helper()
	if sub, err := w.submit(source, nil, []txnbuild.Operation{op}); sub.Outcome != horizon.Failed {
		w.t.Fatalf("it is %s: %v", sub.Outcome, err)
	}
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
	sub, err := w.submit(source, memo, ops, more...)
	must(w.t, err)
	return sub.Hash
}

func (w *world) submit(source *keypair.Full, memo txnbuild.Memo, ops []txnbuild.Operation, more ...*keypair.Full) (horizon.Submission, error) {
	w.t.Helper()
	return rig.Submit(w.t, w.plain, passphrase, source, memo, ops, more...)
}

func (w *world) line() txnbuild.CreditAsset {
	return txnbuild.CreditAsset{Code: w.asset.Code, Issuer: w.asset.Issuer}
}

// pay pays the distribution account, or the address given, in our asset.
func (w *world) pay(amount string, memo txnbuild.Memo, to ...string) string {
	w.t.Helper()
	if len(to) == 0 {
		to = []string{w.distribution.Address()}
	}
	return w.do(w.customer, memo, []txnbuild.Operation{&txnbuild.Payment{Destination: to[0], Asset: w.line(), Amount: amount}})
}

// withdrawal opens one that waits for 100, until the deadline, and returns its
// id and memo.
func (w *world) withdrawal(deadline time.Time) (string, txnbuild.MemoID) {
	w.t.Helper()
	return w.withdrawalOf(w.terms, deadline)
}

func (w *world) withdrawalOf(terms *anchor.Terms, deadline time.Time) (string, txnbuild.MemoID) {
	w.t.Helper()
	w.memos++
	memo := w.memos
	now := time.Now()
	a := anchor.Start(store.NewID(), anchor.Withdrawal, terms, anchor.Identity{Account: w.customer.Address()}, anchor.Address(w.customer.Address()), soon(), now)
	a.Method, a.Reviewed = "bank_transfer", true
	must(w.t, a.SetAmount(terms, 100*anchor.One))
	must(w.t, w.books.Update(w.t.Context(), store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(a) }))
	must(w.t, w.books.Update(w.t.Context(), store.Customer, func(tx *store.Tx) error {
		a, err := tx.Transaction(a.ID)
		if err != nil {
			return err
		}
		if err := a.Agree(anchor.Instructions{AnchorAccount: w.distribution.Address(), Memo: anchor.IDMemo(memo), Deadline: deadline}, now); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	}))
	return a.ID, txnbuild.MemoID(memo)
}

func soon() time.Time { return time.Now().Add(time.Hour) }

// follow starts the streams; stop ends them as a crash would, and waits.
func (w *world) follow() (in *incoming.Incoming, stop func()) {
	w.t.Helper()
	in = incoming.New(w.config, w.books, w.ledger, w.logger)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { _ = in.Run(ctx); close(done) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(stop)
	return in, stop
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

// payments are the rows, oldest first.
func (w *world) payments() []*anchor.Payment {
	w.t.Helper()
	all, _, err := w.books.Payments(w.t.Context(), false, store.Page{Limit: 10_000})
	must(w.t, err)
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// untilPaid waits for the row of a ledger transaction's only payment.
func (w *world) untilPaid(hash string) (row *anchor.Payment) {
	w.t.Helper()
	w.until("the payment is a row", func() bool {
		for _, p := range w.payments() {
			if p.Hash == hash {
				row = p
			}
		}
		return row != nil
	})
	return row
}

// sums are the journal's balances by "account asset".
func (w *world) sums() map[string]anchor.Amount {
	w.t.Helper()
	all, err := w.books.Balances(w.t.Context())
	must(w.t, err)
	of, zero := map[string]anchor.Amount{}, map[anchor.Asset]anchor.Amount{}
	for _, b := range all {
		of[string(b.Account)+" "+b.Asset.Code] = b.Amount
		zero[b.Asset] += b.Amount
	}
	for asset, sum := range zero {
		if sum != 0 {
			w.t.Errorf("the journal is out of balance by %s %s", sum, asset)
		}
	}
	return of
}

// balanced waits until the head of the ledger was read, and then compares the
// journal with it, to the stroop.
func (w *world) balanced() {
	w.t.Helper()
	w.untilRead()
	of := w.sums()
	for _, asset := range []anchor.Asset{w.asset, anchor.Native} {
		var held anchor.Amount
		for _, account := range w.config.Accounts {
			a, err := w.plain.Account(w.t.Context(), account)
			must(w.t, err)
			b, _ := a.Balance(asset)
			held += b.Amount
		}
		if got := of["distribution "+asset.Code]; got != held {
			w.t.Errorf("the journal's distribution is %s %s, the ledger's %s", got, asset.Code, held)
		}
	}
}

// untilRead waits until the head of the ledger was read.
func (w *world) untilRead() {
	w.t.Helper()
	head, err := w.plain.LatestLedger(w.t.Context())
	must(w.t, err)
	for _, account := range w.config.Accounts {
		w.until("the head was read", func() bool {
			c, _, err := w.books.Cursor(w.t.Context(), incoming.CursorName(account))
			must(w.t, err)
			return c.Ledger >= head.Sequence
		})
	}
}

func muxed(account string, id uint64) string {
	g := xdr.MustAddress(account)
	m := xdr.MuxedAccount{Type: xdr.CryptoKeyTypeKeyTypeMuxedEd25519, Med25519: &xdr.MuxedAccountMed25519{Id: xdr.Uint64(id), Ed25519: *g.Ed25519}}
	return m.Address()
}
