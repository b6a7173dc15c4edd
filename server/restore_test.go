package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/payout"
	"windlass/server/rail"
	"windlass/server/rig"
	"windlass/server/sandbox"
	"windlass/server/store"
)

// A house is an anchor in this process with a network of its own, which can be
// stopped and started on other books.
type house struct {
	t      *testing.T
	dir    string
	at     addresses // the Horizon only
	gate   *rig.Gate // before the network
	cfg    *Config
	ledger *horizon.Client
	app    *app
	stop   func()
	// claimable says that the customers' wallets can claim balances.
	claimable bool
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	n, err := sandbox.Open(sandbox.Config{CloseEvery: 100 * time.Millisecond, StreamEvery: 100 * time.Millisecond})
	rig.Must(t, err)
	gate := &rig.Gate{Next: n.Handler()}
	front := httptest.NewServer(gate)
	h := &house{t: t, dir: dir, at: addresses{Horizon: front.URL}, gate: gate, claimable: true}
	issuer, err := devFiles(dir)
	rig.Must(t, err)
	h.cfg, err = Load(filepath.Join(dir, configFile), []string{envPrefix + "NETWORK_HORIZON=" + front.URL})
	rig.Must(t, err)
	h.ledger = horizon.New(horizon.Config{URLs: h.cfg.Network.Horizon})
	t.Cleanup(func() {
		h.ledger.Close()
		rig.Must(t, n.Close())
		front.Close()
	})
	rig.Must(t, bootstrap(t.Context(), h.cfg, issuer, nil, newLog(rig.Log{T: t}, h.cfg.Log)))
	h.start()
	return h
}

// start runs the anchor on the books in its folder.
func (h *house) start() {
	h.t.Helper()
	a, err := newApp(h.t.Context(), h.cfg, devMode{}, newLog(rig.Log{T: h.t}, LogConfig{Level: "warn", Format: "text"}))
	rig.Must(h.t, err)
	a.incoming.CheckEvery, a.payouts.Poll, a.payouts.Retry, a.payouts.Lifetime = 200*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond, 30
	a.rail.Poll = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runAll(ctx, a.incoming, a.payouts, a.rail) }()
	h.app = a
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, a.Close()); err != nil {
			h.t.Error(err)
		}
	})
	h.t.Cleanup(h.stop)
}

// update is something that a member of staff does.
func (h *house) update(do func(*store.Tx) error) error {
	return h.app.books.Update(h.t.Context(), "staff:sam", do)
}

// deposits has each customer pay 100 at the bank, and returns the ids.
func (h *house) deposits(customers ...*keypair.Full) (ids []string) {
	h.t.Helper()
	terms, now := h.cfg.terms[0], time.Now()
	for _, k := range customers {
		d := anchor.Start(store.NewID(), anchor.Deposit, terms, anchor.Identity{Account: k.Address()}, anchor.Address(k.Address()), now.Add(time.Hour), now)
		d.Method, d.Reviewed, d.ClaimableBalance = "bank_transfer", true, h.claimable
		rig.Must(h.t, d.SetAmount(terms, 100*anchor.One))
		reference := rail.NewReference()
		rig.Must(h.t, d.Agree(anchor.Instructions{Reference: reference, Deadline: now.Add(time.Hour)}, now))
		rig.Must(h.t, h.update(func(tx *store.Tx) error { return tx.CreateTransaction(d) }))
		r := httptest.NewRequest(http.MethodPost, "/bank/api/transfers", strings.NewReader(fmt.Sprintf(
			`{"amount": "100", "currency": "USD", "reference": %q, "payer_name": "Ada Lovelace", "payer_account": "555000111"}`, reference)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.app.bank.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusCreated {
			h.t.Fatalf("the bank answered %d %s", w.Code, w.Body)
		}
		ids = append(ids, d.ID)
	}
	return ids
}

func (h *house) until(status anchor.Status, ids ...string) {
	h.t.Helper()
	rig.Until(h.t, fmt.Sprintf("%d are %s", len(ids), status), func() bool {
		return !slices.ContainsFunc(ids, func(id string) bool {
			a, err := h.app.books.Transaction(h.t.Context(), id)
			rig.Must(h.t, err)
			return a.Status() != status
		})
	})
}

// have checks what each account has of the asset.
func (h *house) have(want string, customers ...*keypair.Full) {
	h.t.Helper()
	for i, k := range customers {
		a, err := h.ledger.Account(h.t.Context(), k.Address())
		rig.Must(h.t, err)
		if b, _ := a.Balance(h.cfg.terms[0].Asset); b.Amount != anchor.MustAmount(want) {
			h.t.Errorf("customer %d has %s, not %s", i, b.Amount, want)
		}
	}
}

// unexplained waits for so many operations that the books do not know.
func (h *house) unexplained(n int) (all []*anchor.Outgoing) {
	h.t.Helper()
	rig.Until(h.t, fmt.Sprintf("%d operations are unexplained", n), func() (ok bool) {
		var err error
		all, _, err = h.app.books.Outgoing(h.t.Context(), true, store.Page{Limit: 1000})
		rig.Must(h.t, err)
		return len(all) == n
	})
	return all
}

// alarms waits for alarms whose keys begin so, and for no others.
func (h *house) alarms(prefixes ...string) {
	h.t.Helper()
	rig.Until(h.t, fmt.Sprintf("the alarms are %v", prefixes), func() bool {
		seen := map[string]bool{}
		for _, a := range h.app.payouts.Status().Alarms {
			i := slices.IndexFunc(prefixes, func(p string) bool { return strings.HasPrefix(a.Key, p) })
			if i < 0 {
				return false
			}
			seen[prefixes[i]] = true
		}
		return len(seen) == len(prefixes)
	})
}

// passes waits until so many more ledgers have closed.
func (h *house) passes(n uint32) {
	h.t.Helper()
	then, err := h.ledger.LatestLedger(h.t.Context())
	rig.Must(h.t, err)
	rig.Until(h.t, "ledgers close", func() bool {
		now, err := h.ledger.LatestLedger(h.t.Context())
		rig.Must(h.t, err)
		return now.Sequence >= then.Sequence+n
	})
}

// refused checks the code of an error.
func refused(t *testing.T, err error, code string) {
	t.Helper()
	if e, ok := errors.AsType[*anchor.Error](err); !ok || e.Code != code {
		t.Errorf("%v, not %s", err, code)
	}
}

// Yesterday's books are put back while payouts are queued in them that were paid
// today. None is paid again: payouts wait until the ledger was read and staff
// have said which operation paid what, and then the rest is paid once.
func TestYesterdaysBooksPayNothingTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.stop()
	h.cfg.Payout.ClaimBackAfter = Duration(time.Hour)
	h.start()
	customers := newCustomers(t, h.ledger, h.cfg, 20)
	early, today, later := customers[:5], customers[5:15], customers[15:]
	h.until(anchor.Completed, h.deposits(early...)...)

	rig.Must(t, h.update(func(tx *store.Tx) error { return tx.Pause(anchor.PausedByStaff, "closing for today", "staff:sam") }))
	h.alarms("paused staff")
	poor := rig.NewKey(t) // without a trustline: what it is paid is no payment to Horizon
	rig.Fund(t, h.at.Horizon, poor)
	ids := h.deposits(append(slices.Clone(today), poor)...)
	h.until(anchor.PendingAnchor, ids...)
	h.stop()
	yesterday, err := os.ReadFile(h.cfg.Database.Path)
	rig.Must(t, err)

	h.start()
	h.alarms("paused staff")
	h.have("0", today...)
	resume := func(key string) error {
		return h.update(func(tx *store.Tx) error { return tx.Resume(key) })
	}
	rig.Must(t, resume(anchor.PausedByStaff))
	h.until(anchor.Completed, ids...)
	h.stop()
	rig.Must(t, os.WriteFile(h.cfg.Database.Path, yesterday, 0o600))

	h.start()
	rig.Must(t, resume(anchor.PausedByStaff))
	more := h.deposits(later...)
	left := h.unexplained(len(ids))
	h.alarms("ahead", "paused outgoing", "paused restored")
	h.until(anchor.PendingAnchor, more...)
	h.passes(2 * h.app.payouts.Lifetime)
	h.have("0", later...)
	refused(t, resume(anchor.PausedUnexplained), "unexplained")

	h.match(left)
	h.until(anchor.Completed, append(ids, more...)...)
	h.alarms()
	h.have("98.5", customers...)
	for _, id := range ids {
		a, err := h.app.books.Transaction(t.Context(), id)
		rig.Must(t, err)
		if !slices.ContainsFunc(left, func(o *anchor.Outgoing) bool { return o.Hash == a.StellarID }) {
			t.Errorf("%s was paid by %q", id, a.StellarID)
		}
	}
	last := ids[len(ids)-1]
	a, err := h.app.books.Transaction(t.Context(), last)
	rig.Must(t, err)
	all, err := h.app.books.PayoutsOf(t.Context(), anchor.CauseTransaction, last)
	rig.Must(t, err)
	if there, err := h.ledger.HasClaimableBalance(t.Context(), a.BalanceID); err != nil || !there {
		t.Errorf("the balance %q is not there: %v", a.BalanceID, err)
	}
	if len(all) != 2 || all[0].Operation != anchor.PayClaimable || all[1].Purpose != anchor.ForReclaim || all[1].ResultID != a.BalanceID || all[1].NotBefore.IsZero() || !all[0].NotBefore.Equal(all[1].NotBefore) {
		t.Errorf("its intents are %+v", all)
	}
	balanced(t, &balance{Config: h.cfg, Horizon: h.at.Horizon, Bank: h.app.bank})
	reconciles(t, h.dir, h.at)

	// An ordinary start has nothing to wait for.
	h.stop()
	h.start()
	h.app.payouts.Lifetime = 1_000_000
	h.until(anchor.Completed, h.deposits(early[0])...)
}

// Too much or too little money on the account that pays is told, and leaves the
// anchor ready.
func TestMoneyOutsideItsBoundsLeavesTheAnchorReady(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for key, hot := range map[string]payout.Hot{"hot_maximum": {Maximum: 1}, "hot_minimum": {Minimum: math.MaxInt64}} {
		h.stop()
		hot.Account, hot.Asset = h.cfg.terms[0].Account, h.cfg.terms[0].Asset
		h.cfg.hot = []payout.Hot{hot}
		h.start()
		rig.Until(t, key+" is told", func() bool {
			r := httptest.NewRecorder()
			h.app.readyz(r, nil)
			return r.Code == http.StatusOK && strings.Contains(r.Body.String(), key)
		})
	}
}

// Books are put back that have forgotten a claimable balance was taken back: it is
// owed to the customer again all the same.
func TestYesterdaysBooksKnowWhatCameBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.stop()
	h.cfg.Payout.ClaimBackAfter = Duration(8 * time.Second)
	h.start()
	poor := rig.NewKey(t)
	rig.Fund(t, h.at.Horizon, poor)
	id := h.deposits(poor)[0]
	h.until(anchor.Completed, id)
	h.stop()
	yesterday, err := os.ReadFile(h.cfg.Database.Path)
	rig.Must(t, err)
	h.start()
	h.until(anchor.OnHold, id)
	h.stop()
	rig.Must(t, os.WriteFile(h.cfg.Database.Path, yesterday, 0o600))

	h.start()
	h.until(anchor.OnHold, id)
	h.alarms()
	balanced(t, &balance{Config: h.cfg, Horizon: h.at.Horizon, Bank: h.app.bank})
	reconciles(t, h.dir, h.at)
}

// match says of each operation which intent it paid.
func (h *house) match(left []*anchor.Outgoing) {
	h.t.Helper()
	queued, err := h.app.books.PayoutsDue(h.t.Context(), anchor.PayoutQueued, time.Now().Add(time.Hour), 1000)
	rig.Must(h.t, err)
	other := slices.IndexFunc(queued, func(p *anchor.Payout) bool {
		return !slices.ContainsFunc(left, func(o *anchor.Outgoing) bool { return o.Destination == p.Destination.Account() })
	})
	for _, o := range left {
		i := slices.IndexFunc(queued, func(p *anchor.Payout) bool { return p.Destination.Account() == o.Destination })
		explain := func(i int) error {
			return h.update(func(tx *store.Tx) error { return tx.ExplainAsPayout(o.ID, queued[i].ID, "staff:sam", time.Now()) })
		}
		if other >= 0 {
			refused(h.t, explain(other), "payout_differs")
		}
		rig.Must(h.t, explain(i))
		refused(h.t, explain(i), "explained")
	}
}

// Somebody with our key sends money away: nothing is paid, on the ledger or at
// the bank, until a person has said what that was.
func TestPayoutsPauseForWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	customers := newCustomers(t, h.ledger, h.cfg, 2)
	first := h.deposits(customers[0])
	h.until(anchor.Completed, first...)
	asset := h.cfg.terms[0].Asset
	line := txnbuild.CreditAsset{Code: asset.Code, Issuer: asset.Issuer}
	for i, explain := range []func(*store.Tx, string) error{
		func(tx *store.Tx, id string) error { return tx.Explain(id, anchor.AsLoss, "staff:sam", time.Now()) },
		func(tx *store.Tx, id string) error { return tx.Explain(id, anchor.AsOwn, "staff:sam", time.Now()) },
	} {
		_, err := rig.Submit(t, h.ledger, h.cfg.Network.Passphrase, h.cfg.keys.Distribution, nil,
			[]txnbuild.Operation{&txnbuild.Payment{Destination: customers[1].Address(), Asset: line, Amount: "7"}})
		rig.Must(t, err)
		o := h.unexplained(1)[0]
		if o.Amount != 7*anchor.One || o.Asset != asset || o.Destination != customers[1].Address() || o.Account != h.cfg.keys.Distribution.Address() {
			t.Errorf("it is %+v", o)
		}
		if code, stdout, _ := compare(t, h.dir, h.at); code != 1 || !strings.Contains(stdout, o.Hash) {
			t.Errorf("reconcile says %d:\n%s", code, stdout)
		}
		h.alarms("paused outgoing")
		waits := h.deposits(customers[0])
		h.until(anchor.PendingAnchor, waits...)
		h.passes(5)
		h.until(anchor.PendingAnchor, waits...)
		rig.Must(t, h.update(func(tx *store.Tx) error { return explain(tx, o.ID) }))
		refused(t, h.update(func(tx *store.Tx) error { return explain(tx, o.ID) }), "explained")
		h.until(anchor.Completed, waits...)
		h.have([]string{"197", "295.5"}[i], customers[0])
		reconciles(t, h.dir, h.at)
	}
	sums := map[anchor.Ledger]anchor.Amount{}
	all, err := h.app.books.Balances(t.Context())
	rig.Must(t, err)
	for _, b := range all {
		if b.Asset == asset {
			sums[b.Account] = b.Amount
		}
	}
	if sums[anchor.Losses] != 7*anchor.One || sums[anchor.Suspense] != 0 {
		t.Errorf("the journal has %v", sums)
	}
}

// newCustomers makes accounts with trustlines, nineteen to a transaction: with
// the one who pays for them that is as many signatures as it can have.
func newCustomers(t *testing.T, ledger *horizon.Client, cfg *Config, n int) []*keypair.Full {
	t.Helper()
	const each = 19
	asset := cfg.terms[0].Asset
	line := txnbuild.CreditAsset{Code: asset.Code, Issuer: asset.Issuer}.MustToChangeTrustAsset()
	all := make([]*keypair.Full, n)
	for i := range all {
		all[i] = rig.NewKey(t)
	}
	slots := make(chan struct{}, 32)
	var wg sync.WaitGroup
	for some := range slices.Chunk(all, each) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			funder := rig.NewKey(t)
			rig.Fund(t, ledger.URL(), funder)
			var ops []txnbuild.Operation
			for _, k := range some {
				ops = append(ops,
					&txnbuild.CreateAccount{Destination: k.Address(), Amount: "10"},
					&txnbuild.ChangeTrust{SourceAccount: k.Address(), Line: line, Limit: txnbuild.MaxTrustlineLimit})
			}
			if _, err := rig.Submit(t, ledger, cfg.Network.Passphrase, funder, nil, ops, some...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return all
}
