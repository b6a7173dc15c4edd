package payout_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
	"windlass/server/payout"
	"windlass/server/store"
)

// refuse answers a submission as Horizon does for what core does not take.
func refuse(w http.ResponseWriter, code xdr.TransactionResultCode, name string, fee int64) {
	result, err := xdr.MarshalBase64(xdr.TransactionResult{FeeCharged: xdr.Int64(fee), Result: xdr.TransactionResultResult{Code: code}})
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprintf(w, `{"type":"https://stellar.org/horizon-errors/transaction_failed","status":400,"extras":{"result_codes":{"transaction":%q},"result_xdr":%q}}`, name, result)
}

// The network wants more: the same inner transaction gets a better fee bump.
func TestTheFeeIsRaisedUnderItsCap(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(2)
	var asked atomic.Int32
	var ask atomic.Int64 // for each operation
	ask.Store(700)
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if asked.Add(1) > 3 {
			return false
		}
		refuse(rw, xdr.TransactionResultCodeTxInsufficientFee, "tx_insufficient_fee", 3*ask.Load())
		return true
	}))
	e, stop := w.engine(func(c *payout.Config) { c.MaxFee = 500 })
	ids := w.deposits(to...)
	w.until("the cap is an alarm", func() bool { s := e.Status(); return len(s.Alarms) == 1 && s.Alarms[0].Key == "fees" })
	env := w.live()[0]
	if env.Fee > 3*500 {
		t.Fatalf("%d was bid, over the cap", env.Fee)
	}
	stop()
	ask.Store(400)
	asked.Store(2) // one more refusal, which can be met
	e, _ = w.engine(func(c *payout.Config) { c.MaxFee = 500 })
	w.untilStatus(anchor.Completed, ids...)
	after, err := w.books.EnvelopeByHash(t.Context(), env.Hash)
	must(t, err)
	if after.Fee != 3*400 || after.Hash != env.Hash || after.State != anchor.EnvelopeApplied {
		t.Errorf("the envelope is %s with the fee %d", after.State, after.Fee)
	}
	if s := e.Status(); len(s.Alarms) != 0 {
		t.Errorf("alarms: %v", s.Alarms)
	}
	w.paidOnce(to...)
	w.balanced()
}

// Our own fault is an alarm, and no customer's.
func TestRefusalsOfOursFailNobody(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	var well atomic.Bool
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if well.Load() {
			return false
		}
		refuse(rw, xdr.TransactionResultCodeTxBadAuth, "tx_bad_auth", 100)
		return true
	}))
	e, stop := w.engine(func(c *payout.Config) { c.Lifetime, c.MaxAttempts = 2, 1 })
	ids := w.deposits(to...)
	w.until("it is an alarm", func() bool { return len(e.Status().Alarms) == 1 })
	w.until("the first envelope is given up", func() bool { return w.intent(ids[0]).State == anchor.PayoutQueued && len(w.live()) == 0 })
	if s := w.transaction(ids[0]).Status(); s != anchor.PendingAnchor {
		t.Errorf("the customer sees %s", s)
	}
	stop()
	well.Store(true)
	w.engine()
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
}

// What fails for ever is parked for a person.
func TestAttemptsAreBounded(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		problem(rw, http.StatusGatewayTimeout, "timeout")
		return true
	}))
	w.engine(func(c *payout.Config) { c.Lifetime, c.MaxAttempts = 2, 3 })
	ids := w.deposits(to...)
	w.untilStatus(anchor.Failed, ids...)
	if p := w.intent(ids[0]); p.State != anchor.PayoutParked || p.Attempts != 3 || p.Reason != "attempts_used_up" {
		t.Errorf("the intent is %s after %d attempts, %q", p.State, p.Attempts, p.Reason)
	}
	w.balanced()
}

// Somebody else takes an envelope's sequence number away. Where the ledger shows
// no transaction that used it nobody may guess, and the envelope keeps its intents.
func TestALostHashIsNotPaidAgain(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	open := w.shut()
	e, _ := w.engine()
	ids := w.deposits(to...)
	w.until("an envelope is written down", func() bool { return len(w.live()) > 0 })
	env := w.live()[0]
	w.do(w.issuer, []txnbuild.Operation{&txnbuild.BumpSequence{SourceAccount: env.Channel, BumpTo: env.Sequence}}, w.channels[0])
	open()
	w.until("it is an alarm", func() bool { s := e.Status(); return len(s.Alarms) == 1 && s.Alarms[0].Key == "lost "+env.Hash })
	if live := w.live(); len(live) != 1 || live[0].ID != env.ID || w.intent(ids[0]).State != anchor.PayoutInEnvelope {
		t.Errorf("the envelope was let go")
	}
}

// Where the ledger shows another transaction in its place the envelope ends. Its
// intents are queued, and wait until all that these books may have forgotten was
// read: what took the place may have paid them.
func TestAnEnvelopeWhosePlaceIsTakenEnds(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	open := w.shut()
	change := func(c *payout.Config) { c.Lifetime, c.Cursors = 10, []string{"read"} }
	e, _ := w.engine(change)
	ids := w.deposits(to...)
	w.until("an envelope is written down", func() bool { return len(w.live()) > 0 })
	env := w.live()[0]
	w.do(w.channels[0], []txnbuild.Operation{&txnbuild.Payment{Destination: w.fee.Address(), Asset: txnbuild.NativeAsset{}, Amount: "1"}})
	open()
	w.until("it has ended", func() bool { return w.intent(ids[0]).State == anchor.PayoutQueued })
	if after, err := w.books.EnvelopeByHash(t.Context(), env.Hash); err != nil || after.State != anchor.EnvelopeImpossible || !strings.HasPrefix(after.Result, "sequence number used by ") {
		t.Errorf("the envelope is %+v: %v", after, err)
	}
	w.until("it is an alarm", func() bool { s := e.Status(); return len(s.Alarms) == 1 && s.Alarms[0].Key == "ahead "+env.Channel })
	w.passes(20)
	if p := w.intent(ids[0]); p.State != anchor.PayoutQueued || p.Attempts != 1 || len(w.live()) != 0 {
		t.Errorf("the intent is %s after %d attempts", p.State, p.Attempts)
	}
	must(t, w.books.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
		return tx.SetCursor("read", anchor.Cursor{Value: "0", Ledger: 1 << 30})
	}))
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
}

// Whoever uses a channel of ours while its past is read begins anew: what it has just
// done may have paid what is queued, and is read, too, before anything is signed.
func TestAChannelThatGoesOnMovingIsWaitedFor(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	used := func() {
		w.do(w.channels[0], []txnbuild.Operation{&txnbuild.Payment{Destination: w.fee.Address(), Asset: txnbuild.NativeAsset{}, Amount: "1"}})
	}
	read := func(ledger uint32) {
		must(t, w.books.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
			return tx.SetCursor("read", anchor.Cursor{Value: "0", Ledger: ledger})
		}))
	}
	used()
	e, _ := w.engine(func(c *payout.Config) { c.Lifetime, c.Cursors = 10, []string{"read"} })
	id := w.deposits(to...)[0]
	w.until("it is an alarm", func() bool { return len(e.Status().Alarms) == 1 })
	w.passes(20)
	before, err := w.plain.LatestLedger(t.Context())
	must(t, err)
	used()
	w.passes(3)
	read(before.Sequence)
	w.passes(10)
	if p := w.intent(id); p.State != anchor.PayoutQueued || p.Attempts != 0 {
		t.Errorf("the intent is %s after %d attempts", p.State, p.Attempts)
	}
	read(1 << 30)
	w.untilStatus(anchor.Completed, id)
	w.paidOnce(to...)
}

// shut answers every submission with a time-out, and drops it, until open.
func (w *world) shut() (open func()) {
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		problem(rw, http.StatusGatewayTimeout, "timeout")
		return true
	}))
	return func() { w.gate.Set(nil) }
}

// passes waits until so many more ledgers have closed.
func (w *world) passes(n uint32) {
	w.t.Helper()
	then, err := w.plain.LatestLedger(w.t.Context())
	must(w.t, err)
	w.until("ledgers close", func() bool {
		now, err := w.plain.LatestLedger(w.t.Context())
		must(w.t, err)
		return now.Sequence > then.Sequence+n
	})
}

// The books fail while an envelope is written down, and may have it all the same:
// here another engine has written one for the same channel and stopped. It is
// followed to its end once the books can be read again.
func TestAnEnvelopeWhoseCommitWasNotAnsweredIsFollowed(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(2)
	var unread atomic.Int32
	w.logger = slog.New(&counted{w.logger.Handler(), "live envelopes cannot be read", &unread})

	held, release := make(chan struct{}, 1), make(chan struct{})
	var first atomic.Bool
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if strings.HasSuffix(r.URL.Path, "/fee_stats") && first.CompareAndSwap(false, true) {
			held <- struct{}{}
			<-release
		}
		if r.Method == http.MethodPost {
			problem(rw, http.StatusGatewayTimeout, "timeout")
		}
		return r.Method == http.MethodPost
	})
	w.engine()
	ids := w.deposits(to...)
	<-held // it has chosen what to pay, with which channel
	_, stop := w.engine()
	w.until("an envelope is written down", func() bool { return len(w.live()) > 0 })
	stop()
	hash := w.live()[0].Hash

	db, err := sql.Open("sqlite3", filepath.Join(w.dir, "books.db")+"?_busy_timeout=10000")
	must(t, err)
	defer func() { must(t, db.Close()) }()
	rename := func(from, to string) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to)
		must(t, err)
	}
	rename("envelopes", "away")
	close(release)
	w.until("the books were read in vain, and again", func() bool { return unread.Load() >= 2 })
	rename("away", "envelopes")
	w.gate.Set(nil)
	w.untilStatus(anchor.Completed, ids...)
	if env, err := w.books.EnvelopeByHash(t.Context(), hash); err != nil || env.State != anchor.EnvelopeApplied || len(env.Intents) != 2 {
		t.Errorf("the envelope is %+v: %v", env, err)
	}
	w.paidOnce(to...)
	w.balanced()
}

// counted counts a message of the log.
type counted struct {
	slog.Handler
	message string
	n       *atomic.Int32
}

func (c *counted) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == c.message {
		c.n.Add(1)
	}
	return c.Handler.Handle(ctx, r)
}

// Books that were restored do not know that the deposit in their queue was paid.
func TestOldBooksPayNothing(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(2)
	_, stop := w.engine()
	w.untilStatus(anchor.Completed, w.deposits(to[0])...)
	stop()
	ids := w.deposits(to[1])
	old := t.TempDir()
	must(t, os.CopyFS(old, os.DirFS(w.dir)))
	_, stop = w.engine()
	w.untilStatus(anchor.Completed, ids...)
	stop()

	w.books = openBooks(t, old)
	e, _ := w.engine()
	w.until("it is an alarm", func() bool {
		s := e.Status()
		return len(s.Alarms) == 1 && s.Alarms[0].Key == "ahead "+w.channels[0].Address()
	})
	then, err := w.plain.LatestLedger(t.Context())
	must(t, err)
	w.until("some ledgers have closed", func() bool {
		now, err := w.plain.LatestLedger(t.Context())
		must(t, err)
		return now.Sequence > then.Sequence+5
	})
	if p := w.intent(ids[0]); p.State != anchor.PayoutQueued || p.Attempts != 0 {
		t.Errorf("the intent is %s after %d attempts", p.State, p.Attempts)
	}
	if got := w.balance(to[1].Address(), w.asset); got != amount(0) {
		t.Errorf("the customer has %s", got)
	}
}

// Old books again, but with an envelope that was alive when they were copied: it
// never applied, and what the channel used its sequence number for is what they
// have forgotten.
func TestOldBooksWithALiveEnvelopePayNothing(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(2)
	var shut atomic.Bool
	shut.Store(true)
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if shut.Load() {
			problem(rw, http.StatusGatewayTimeout, "timeout")
		}
		return shut.Load()
	}))
	one := func(c *payout.Config) { c.Channels, c.Lifetime = w.channels[:1], 4 }
	_, stop := w.engine(one)
	ids := w.deposits(to[0])
	w.until("an envelope is written down", func() bool { return len(w.live()) > 0 })
	stop()
	lost := w.live()[0]
	ids = append(ids, w.deposits(to[1])...)
	old := t.TempDir()
	must(t, os.CopyFS(old, os.DirFS(w.dir)))

	_, stop = w.engine(one, func(c *payout.Config) { c.Lifetime = 1000 })
	w.until("another envelope takes its place", func() bool { l := w.live(); return len(l) == 1 && l[0].Hash != lost.Hash })
	again := w.live()[0]
	shut.Store(false)
	w.untilStatus(anchor.Completed, ids...)
	stop()
	if again.Sequence != lost.Sequence || again.Channel != lost.Channel || len(again.Intents) != 2 {
		t.Fatalf("%+v is no other use of %+v", again, lost)
	}

	w.books = openBooks(t, old)
	e, _ := w.engine()
	w.until("it is an alarm, or a payout was signed", func() bool {
		return w.intent(ids[1]).State != anchor.PayoutQueued ||
			slices.ContainsFunc(e.Status().Alarms, func(a payout.Alarm) bool { return a.Key == "ahead "+lost.Channel })
	})
	if p := w.intent(ids[1]); p.State != anchor.PayoutQueued || p.Attempts != 0 {
		t.Errorf("the intent is %s after %d attempts", p.State, p.Attempts)
	}
	for _, k := range to {
		w.paidOnce(k)
	}
}

// The commit of an envelope's fate happened, but its answer was lost.
func TestAFateThatIsWrittenAlready(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	var shut atomic.Bool
	shut.Store(true)
	w.gate.Set(submits(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		if shut.Load() {
			problem(rw, http.StatusGatewayTimeout, "timeout")
		}
		return shut.Load()
	}))
	e, _ := w.engine()
	w.deposits(to...)
	w.until("an envelope is written down", func() bool { return len(w.live()) > 0 })
	env := w.live()[0]
	env.State = anchor.EnvelopeApplied
	must(t, w.books.Update(t.Context(), store.Payouts, func(tx *store.Tx) error { return tx.SaveEnvelope(env) }))
	shut.Store(false)
	w.until("its channel is free", func() bool { return e.Status().Live == 0 })
	w.paidOnce(to...)
}

// A destination that looks well and refuses each payment in the ledger would
// cost us a fee each time, for ever.
func TestWaitingIsBounded(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	account := to[0].Address()
	before := httptest.NewRecorder()
	w.gate.Next.ServeHTTP(before, httptest.NewRequest(http.MethodGet, "/accounts/"+account, nil))
	w.untrust(to[0])
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if accountOf(r) != account {
			return false
		}
		_, _ = rw.Write(before.Body.Bytes())
		return true
	})
	w.engine(func(c *payout.Config) { c.MaxAttempts = 3 })
	ids := w.deposits(to...)
	w.untilStatus(anchor.Failed, ids...)
	if p := w.intent(ids[0]); p.State != anchor.PayoutParked || p.Attempts != 3 || p.Reason != "attempts_used_up" {
		t.Errorf("the intent is %s after %d attempts, %q", p.State, p.Attempts, p.Reason)
	}
	w.balanced()
}

// Everything goes wrong, all the time: answers are lost before and after they
// take effect, hashes are not found, accounts do not answer, and the engine is
// killed again and again. At the end each intent is paid once.
func TestChaosPaysOnce(t *testing.T) {
	w := newWorld(t, 3)
	to := w.customers(57)
	var calm atomic.Bool
	var mu sync.Mutex
	var lost, dropped int
	dice := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	roll := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return dice.IntN(n)
	}
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if calm.Load() {
			return false
		}
		switch {
		case r.Method == http.MethodPost:
			switch roll(6) {
			case 0: // the answer is lost
				next.ServeHTTP(httptest.NewRecorder(), r)
				problem(rw, http.StatusGatewayTimeout, "transaction_submission_timeout")
				mu.Lock()
				lost++
				mu.Unlock()
				return true
			case 1, 2: // the question is lost
				mu.Lock()
				dropped++
				mu.Unlock()
				problem(rw, http.StatusServiceUnavailable, "stale_history")
				return true
			case 3: // it is taken by a queue, and the line breaks
				body, _ := io.ReadAll(r.Body)
				go func() {
					again := httptest.NewRequest(http.MethodPost, "/transactions", strings.NewReader(string(body)))
					again.Header = r.Header
					next.ServeHTTP(httptest.NewRecorder(), again)
				}()
				panic(http.ErrAbortHandler)
			}
		case strings.HasPrefix(r.URL.Path, "/transactions/") && roll(3) == 0:
			problem(rw, http.StatusNotFound, "not_found")
			return true
		case accountOf(r) != "" && roll(20) == 0:
			problem(rw, http.StatusInternalServerError, "server_error")
			return true
		}
		return false
	})
	var ids []string
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		ids = nil
		for i, k := range to {
			memo := anchor.Memo{}
			if i%19 == 0 {
				memo = anchor.IDMemo(uint64(i))
			}
			id, err := w.deposit(tx, anchor.Address(k.Address()), memo, amount(i))
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	}))
	for range 6 { // killed while it is busy
		_, stop := w.engine(func(c *payout.Config) { c.Lifetime = 6 })
		w.until("it has something in its hands", func() bool { return len(w.live()) > 0 || w.done(ids) })
		limit := time.NewTimer(time.Duration(roll(300)) * time.Millisecond)
		<-limit.C
		stop()
	}
	calm.Store(true)
	w.engine()
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
	mu.Lock()
	defer mu.Unlock()
	t.Logf("%d answers and %d questions were lost", lost, dropped)
}

func (w *world) done(ids []string) bool {
	for _, id := range ids {
		if w.transaction(id).Status() != anchor.Completed {
			return false
		}
	}
	return true
}
