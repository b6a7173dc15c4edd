package incoming_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/incoming"
	"windlass/server/store"
)

func TestAWithdrawalIsCredited(t *testing.T) {
	w := newWorld(t)
	in, _ := w.follow()
	id, memo := w.withdrawal(soon())
	hash := w.pay("100", memo)
	w.untilStatus(anchor.PendingAnchor, id)

	a := w.transaction(id)
	if a.AmountIn != 100*anchor.One || a.AmountOut != 99*anchor.One || a.StellarID != hash || !a.Funded() {
		t.Errorf("the transaction has in %s, out %s, hash %s", a.AmountIn, a.AmountOut, a.StellarID)
	}
	p := w.untilPaid(hash)
	if p.State != anchor.Matched || p.Transaction != id || p.From != anchor.Address(w.customer.Address()) || p.Memo != anchor.IDMemo(uint64(memo)) {
		t.Errorf("the row is %+v", p)
	}
	due, err := w.books.BankPayoutsOf(t.Context(), id)
	must(t, err)
	if len(due) != 1 || due[0].Amount != 99*anchor.One {
		t.Errorf("the bank is to pay %v", due)
	}
	w.balanced()
	for _, s := range in.Status() {
		if s.Fault != "" || s.Alarm != "" || s.Horizon == "" {
			t.Errorf("the status is %+v", s)
		}
	}
}

// Three hundred payments came while nobody looked: more than a page. The first
// try to catch up dies half-way.
func TestADowntimeIsCaughtUpOnce(t *testing.T) {
	w := newWorld(t)
	id, memo := w.withdrawal(soon())
	for i := range 3 {
		var ops []txnbuild.Operation
		for range 100 {
			ops = append(ops, &txnbuild.Payment{Destination: w.distribution.Address(), Asset: w.line(), Amount: "1"})
		}
		w.do(w.customer, txnbuild.MemoID(1_000_000+i), ops)
	}
	w.pay("100", memo)

	var pages atomic.Int32
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if strings.Contains(r.URL.Path, w.distribution.Address()+"/payments") && pages.Add(1) > 1 {
			rw.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	})
	_, stop := w.follow()
	w.until("the first page is in the books", func() bool { return len(w.payments()) >= 200 && pages.Load() > 1 })
	stop()
	if s := w.transaction(id).Status(); s != anchor.PendingUserTransferStart {
		t.Fatalf("it is %s already", s)
	}

	w.gate.Set(nil)
	w.follow()
	w.untilStatus(anchor.PendingAnchor, id)
	w.balanced()
	if got := w.sums()["suspense USDW"]; got != -300*anchor.One {
		t.Errorf("%s are in suspense", got)
	}
	var unmatched int
	for _, p := range w.payments() {
		if p.State == anchor.Unmatched {
			unmatched++
			if p.Reason != anchor.UnknownMemo {
				t.Fatalf("unmatched for %q", p.Reason)
			}
		}
	}
	if unmatched != 300 {
		t.Errorf("%d rows are unmatched", unmatched)
	}
}

// Every payment is a row with its reason.
func TestReasons(t *testing.T) {
	w := newWorld(t)
	w.follow()
	open := func() txnbuild.MemoID { _, memo := w.withdrawal(soon()); return memo }
	late, lateMemo := w.withdrawal(time.Now().Add(-2 * time.Second))
	second, secondMemo := w.withdrawal(soon())
	w.pay("100", secondMemo)
	w.untilStatus(anchor.PendingAnchor, second)
	good := open()
	us := w.distribution.Address()

	for _, c := range []struct {
		name   string
		hash   string
		state  anchor.Match
		reason string
	}{
		{"no memo", w.pay("10", nil), anchor.Unmatched, anchor.NoMemo},
		{"unknown memo", w.pay("10", txnbuild.MemoID(1<<60)), anchor.Unmatched, anchor.UnknownMemo},
		{"the right digits as text", w.pay("100", txnbuild.MemoText(strconv.FormatUint(uint64(good), 10))), anchor.Unmatched, anchor.WrongMemoKind},
		{"a hash memo", w.pay("100", txnbuild.MemoHash{7}), anchor.Unmatched, anchor.WrongMemoKind},
		{"lumens with the right memo", w.do(w.customer, good, []txnbuild.Operation{&txnbuild.Payment{Destination: us, Asset: txnbuild.NativeAsset{}, Amount: "100"}}), anchor.Unmatched, anchor.WrongAsset},
		{"too short", w.pay("50", good), anchor.Unmatched, string(anchor.Short)},
		{"late", w.pay("100", lateMemo), anchor.Unmatched, string(anchor.Late)},
		{"a second time", w.pay("100", secondMemo), anchor.Unmatched, string(anchor.Second)},
		{"muxed, and another memo", w.pay("100", txnbuild.MemoID(9), muxed(us, uint64(good))), anchor.Unmatched, anchor.MemoDisagrees},
		{"muxed, the id as text", w.pay("100", txnbuild.MemoText("x"), muxed(us, uint64(good))), anchor.Unmatched, anchor.MemoDisagrees},
		{"muxed, unknown id", w.pay("100", nil, muxed(us, 1<<60)), anchor.Unmatched, anchor.UnknownMemo},
		{"one stroop, which must not freeze it", w.pay("0.0000001", good), anchor.Unmatched, string(anchor.Short)},
		{"muxed alone", w.pay("100", nil, muxed(us, uint64(good))), anchor.Matched, ""},
		{"muxed and the same memo", func() string { m := open(); return w.pay("100", m, muxed(us, uint64(m))) }(), anchor.Matched, ""},
		{"a little more", w.pay("109", open()), anchor.Matched, ""},
		{"far more", w.pay("200", open()), anchor.Matched, ""},
		{"the issuer's", w.do(w.issuer, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: us, Asset: w.line(), Amount: "5"}}), anchor.Own, ""},
		{"the channel's lumens", w.do(w.channel, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: us, Asset: txnbuild.NativeAsset{}, Amount: "5"}}), anchor.Own, ""},
	} {
		p := w.untilPaid(c.hash)
		if p.State != c.state || p.Reason != c.reason {
			t.Errorf("%s: %s %q", c.name, p.State, p.Reason)
		}
	}
	w.untilStatus(anchor.Expired, late)
	w.balanced()
}

// Both directions between our own accounts, and what left without us.
func TestOwnMovements(t *testing.T) {
	w := newWorld(t)
	w.follow()
	w.balanced()
	before := w.sums()
	us, lumens := w.distribution.Address(), txnbuild.NativeAsset{}
	move := func(from, to, amount string, asset txnbuild.Asset) txnbuild.Operation {
		return &txnbuild.Payment{SourceAccount: from, Destination: to, Amount: amount, Asset: asset}
	}
	w.do(w.issuer, nil, []txnbuild.Operation{
		move(us, w.issuer.Address(), "7", w.line()),    // burnt
		move(us, w.fee.Address(), "11", lumens),        // both are followed
		move(us, w.channel.Address(), "13", lumens),    // to the operator's pocket
		move(us, w.customer.Address(), "17", w.line()), // nobody knows why
	}, w.distribution)
	w.balanced()
	after := w.sums()
	for account, want := range map[string]string{
		"issued USDW": "7", "distribution USDW": "-24", "suspense USDW": "17", "capital native": "13", "distribution native": "-13",
	} {
		if got := after[account] - before[account]; got.String() != want {
			t.Errorf("%s moved by %s, not %s", account, got, want)
		}
	}
	for _, p := range w.payments() {
		if p.State == anchor.Unmatched {
			t.Errorf("what left us is unmatched money: %+v", p)
		}
	}
}

// What the network charges an account of ours for its own transactions is in
// the journal, once for each, whatever they did.
func TestOwnFees(t *testing.T) {
	w := newWorld(t)
	us, lumens := w.distribution.Address(), txnbuild.NativeAsset{}
	w.do(w.distribution, nil, []txnbuild.Operation{ // as the bootstrap does
		&txnbuild.SetOptions{SourceAccount: w.issuer.Address(), HomeDomain: new("example.com")},
		&txnbuild.Payment{SourceAccount: w.issuer.Address(), Destination: us, Asset: w.line(), Amount: "3"},
		&txnbuild.Payment{SourceAccount: w.issuer.Address(), Destination: us, Asset: w.line(), Amount: "4"},
	}, w.issuer)
	w.follow()
	w.balanced()
	if got := w.sums()["network_fees native"]; got != 300 {
		t.Errorf("%s was charged", got)
	}
	w.do(w.fee, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: us, Asset: lumens, Amount: "5"}}) // both ends are read
	w.do(w.distribution, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: w.customer.Address(), Asset: lumens, Amount: "6"}})
	w.balanced()
	if got := w.sums()["network_fees native"]; got != 500 {
		t.Errorf("%s was charged", got)
	}
	// These pay nobody, and the second does nothing at all.
	w.do(w.distribution, nil, []txnbuild.Operation{&txnbuild.SetOptions{HomeDomain: new("example.com")}, &txnbuild.SetOptions{}})
	w.fails(w.fee, &txnbuild.Payment{Destination: us, Asset: lumens, Amount: "1000000"})
	w.balanced()
	if got := w.sums()["network_fees native"]; got != 800 {
		t.Errorf("%s was charged", got)
	}
}

// Books of a version that had booked fees with payments go on without booking
// one twice.
func TestOwnFeesOfOlderBooks(t *testing.T) {
	w := newWorld(t)
	w.do(w.distribution, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: w.customer.Address(), Asset: txnbuild.NativeAsset{}, Amount: "6"}})
	read, err := w.plain.Payments(t.Context(), w.distribution.Address(), "", horizon.PageSize)
	must(t, err)
	must(t, w.books.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
		return tx.SetCursor(incoming.CursorName(w.distribution.Address()), anchor.Cursor{Value: read[len(read)-1].ID})
	}))
	w.follow()
	w.do(w.distribution, nil, []txnbuild.Operation{&txnbuild.SetOptions{HomeDomain: new("example.com")}})
	w.untilRead()
	if got := w.sums()["network_fees native"]; got != 100 {
		t.Errorf("%s was charged", got)
	}
}

// What the payout engine pays is its own business.
func TestPayoutsAreLeftToTheirEngine(t *testing.T) {
	w := newWorld(t)
	tx := w.do(w.issuer, nil, []txnbuild.Operation{&txnbuild.Payment{SourceAccount: w.distribution.Address(), Destination: w.customer.Address(), Amount: "17", Asset: w.line()}}, w.distribution)
	must(t, w.books.Update(t.Context(), store.Payouts, func(b *store.Tx) error {
		return b.CreateEnvelope(&anchor.Envelope{ID: store.NewID(), Channel: w.channel.Address(), Sequence: 1, Hash: tx, State: anchor.EnvelopeLive, CreatedAt: time.Now()})
	}))
	w.follow()
	head, err := w.plain.LatestLedger(t.Context())
	must(t, err)
	w.until("it was read", func() bool {
		c, _, err := w.books.Cursor(t.Context(), incoming.CursorName(w.distribution.Address()))
		must(t, err)
		return c.Ledger >= head.Sequence
	})
	if got := w.sums()["suspense USDW"]; got != 0 {
		t.Errorf("%s are in suspense", got)
	}
}

// A payment that cannot be booked is put aside, and those behind it are booked.
func TestAPoisonPaymentDoesNotStopTheOthers(t *testing.T) {
	w := newWorld(t)
	bad, badMemo := w.withdrawal(soon())
	good, goodMemo := w.withdrawal(soon())
	// Something of ours is wrong with the first: the bank has paid it already, so
	// that crediting it is refused.
	order := w.transaction(bad).BankPayout(store.NewID(), nil, 0, time.Now())
	order.State = anchor.BankPaid
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error { return tx.CreateBankPayout(order) }))
	poison := w.pay("100", badMemo)
	after := w.pay("100", goodMemo)
	w.follow()
	if p := w.untilPaid(poison); p.State != anchor.Unmatched || p.Reason != anchor.Refused {
		t.Errorf("the row is %s %q", p.State, p.Reason)
	}
	if p := w.untilPaid(after); p.State != anchor.Matched {
		t.Errorf("the row behind it is %s %q", p.State, p.Reason)
	}
	w.untilStatus(anchor.PendingAnchor, good)
	if s := w.transaction(bad).Status(); s != anchor.PendingUserTransferStart {
		t.Errorf("the transaction is %s", s)
	}
	w.balanced()
}

// What left us without our doing and cannot be booked stops payouts, not the stream.
func TestAPoisonThatLeftUsPausesPayouts(t *testing.T) {
	w := newWorld(t)
	db, err := sql.Open("sqlite3", w.file)
	must(t, err)
	_, err = db.ExecContext(t.Context(), `CREATE TRIGGER poison BEFORE INSERT ON journal WHEN NEW.kind = 'left_unexplained' BEGIN SELECT RAISE(ABORT, 'poison'); END`)
	must(t, errors.Join(err, db.Close()))
	good, memo := w.withdrawal(soon())
	hash := w.do(w.distribution, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: w.customer.Address(), Asset: w.line(), Amount: "5"}})
	w.pay("100", memo)
	w.follow()
	w.untilStatus(anchor.PendingAnchor, good)
	out, _, err := w.books.Outgoing(t.Context(), true, store.Page{Limit: 10})
	must(t, err)
	if len(out) != 1 || out[0].Hash != hash || out[0].Destination != w.customer.Address() || out[0].Amount != 0 {
		t.Errorf("what left us is %+v", out)
	}
	if all, err := w.books.Pauses(t.Context()); err != nil || len(all) != 1 || all[0].Key != anchor.PausedUnexplained {
		t.Errorf("payouts are paused by %v %v", all, err)
	}
}

// The same ledger with another hash is another network.
func TestAnotherNetworkStopsTheStream(t *testing.T) {
	w := newWorld(t)
	_, stop := w.follow()
	w.balanced()
	stop()
	name := incoming.CursorName(w.distribution.Address())
	c, _, err := w.books.Cursor(t.Context(), name)
	must(t, err)
	set := func(c anchor.Cursor) {
		must(t, w.books.Update(t.Context(), store.Operator, func(tx *store.Tx) error { return tx.SetCursor(name, c) }))
	}
	other := c
	other.LedgerHash = strings.Repeat("ab", 32)
	set(other)

	id, memo := w.withdrawal(soon())
	in, stop := w.follow()
	w.pay("100", memo)
	w.untilAlarm(in, "another network")
	if s := w.transaction(id).Status(); s != anchor.PendingUserTransferStart {
		t.Errorf("a payment of another network was credited: %s", s)
	}
	stop()

	set(c)
	in, _ = w.follow()
	w.untilStatus(anchor.PendingAnchor, id)
	w.until("the alarm is over", func() bool { return in.Status()[0].Alarm == "" })
	w.balanced()
}

// A Horizon that has forgotten what we have not read would skip it silently.
func TestAForgetfulHorizonStopsTheStream(t *testing.T) {
	w := newWorld(t)
	_, stop := w.follow()
	w.balanced()
	stop()
	id, memo := w.withdrawal(soon())
	w.pay("100", memo)
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		switch {
		case r.URL.Path == "/":
			_, _ = rw.Write([]byte(`{"network_passphrase":"` + passphrase + `","history_latest_ledger":900000,"history_elder_ledger":800000}`))
		case strings.HasPrefix(r.URL.Path, "/ledgers/"):
			rw.WriteHeader(http.StatusGone)
			_, _ = rw.Write([]byte(`{"type":"https://stellar.org/horizon-errors/before_history","status":410}`))
		default:
			return false
		}
		return true
	})
	in, _ := w.follow()
	w.untilAlarm(in, "forgotten")
	if s := w.transaction(id).Status(); s != anchor.PendingUserTransferStart {
		t.Errorf("it went on: %s", s)
	}
	w.gate.Set(nil) // it goes on by itself
	w.untilStatus(anchor.PendingAnchor, id)
}

func (w *world) untilAlarm(in *incoming.Incoming, text string) {
	w.t.Helper()
	w.until("an alarm says: "+text, func() bool { return strings.Contains(in.Status()[0].Alarm, text) })
}

// A stream that died without a word is noticed by the pages beside it.
func TestASilentStreamIsNoticed(t *testing.T) {
	w := newWorld(t)
	var streams atomic.Int32
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Header.Get("Accept") != "text/event-stream" {
			return false
		}
		streams.Add(1)
		rw.Header().Set("Content-Type", "text/event-stream")
		_, _ = rw.Write([]byte("retry: 1000\nevent: open\ndata: \"hello\"\n\n"))
		_ = http.NewResponseController(rw).Flush()
		<-r.Context().Done()
		return true
	})
	w.follow()
	w.until("the stream is open", func() bool { return streams.Load() > 1 })
	id, memo := w.withdrawal(soon())
	w.pay("100", memo)
	w.untilStatus(anchor.PendingAnchor, id)
	w.balanced()
}

// Streams bring payments by themselves, and end and begin again all the time.
func TestStreamsAreReopened(t *testing.T) {
	w := newWorld(t)
	w.config.CheckEvery = time.Hour
	var streams atomic.Int32
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if r.Header.Get("Accept") != "text/event-stream" {
			return false
		}
		streams.Add(1)
		ctx, cancel := context.WithTimeout(r.Context(), 150*time.Millisecond)
		defer cancel()
		next.ServeHTTP(rw, r.WithContext(ctx))
		return true
	})
	w.follow()
	for range 5 {
		id, memo := w.withdrawal(soon())
		w.pay("100", memo)
		w.untilStatus(anchor.PendingAnchor, id)
	}
	if streams.Load() < 3 {
		t.Errorf("there were %d streams", streams.Load())
	}
}

// The first Horizon is dead; the second does.
func TestAnotherHorizonTakesOver(t *testing.T) {
	w := newWorld(t)
	w.ledger = horizon.New(horizon.Config{URLs: []string{"http://127.0.0.1:1", w.url}, Passphrase: passphrase})
	t.Cleanup(w.ledger.Close)
	in, _ := w.follow()
	id, memo := w.withdrawal(soon())
	w.pay("100", memo)
	w.untilStatus(anchor.PendingAnchor, id)
	w.until("the status names it", func() bool { return in.Status()[0].Horizon == w.url })
}

// Late is judged by the ledger: while it cannot be read nobody expires.
func TestExpiryWaitsForTheLedger(t *testing.T) {
	w := newWorld(t)
	_, stop := w.follow()
	w.balanced()
	stop()
	in := incoming.New(w.config, w.books, w.ledger, w.logger)
	c, _, err := w.books.Cursor(t.Context(), incoming.CursorName(w.distribution.Address()))
	must(t, err)
	deadline := c.ReadUntil.Add(time.Second)
	id, _ := w.withdrawal(deadline)
	must(t, in.Expire(t.Context(), deadline.Add(time.Hour)))
	if s := w.transaction(id).Status(); s != anchor.PendingUserTransferStart {
		t.Fatalf("it is %s although the ledger was not read past its deadline", s)
	}
	// Another Horizon at the same address may have told the head.
	w.config.Margin = time.Minute
	c.ReadUntil = deadline.Add(time.Minute)
	set := func() {
		must(t, w.books.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
			return tx.SetCursor(incoming.CursorName(w.distribution.Address()), c)
		}))
	}
	set()
	in = incoming.New(w.config, w.books, w.ledger, w.logger)
	must(t, in.Expire(t.Context(), deadline.Add(time.Hour)))
	if s := w.transaction(id).Status(); s != anchor.PendingUserTransferStart {
		t.Fatalf("it is %s although the ledger was hardly read past its deadline", s)
	}

	c.ReadUntil = deadline.Add(time.Minute + time.Millisecond)
	set()
	must(t, in.Expire(t.Context(), deadline.Add(time.Hour)))
	if s := w.transaction(id).Status(); s != anchor.Expired {
		t.Errorf("it is %s", s)
	}
}

// What was never agreed expires by the clock, and a deposit once the bank's
// statement was read past its deadline.
func TestExpiryWaitsForTheStatement(t *testing.T) {
	w := newWorld(t)
	in := incoming.New(w.config, w.books, w.ledger, w.logger)
	now := time.Now()
	start := func(kind anchor.Kind) string {
		a := anchor.Start(store.NewID(), kind, w.terms, anchor.Identity{Account: w.customer.Address()}, anchor.Address(w.customer.Address()), now, now)
		must(t, w.books.Update(t.Context(), store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(a) }))
		return a.ID
	}
	d, wd := start(anchor.Deposit), start(anchor.Withdrawal)
	must(t, in.Expire(t.Context(), now.Add(time.Second)))
	if s := w.transaction(wd).Status(); s != anchor.Expired {
		t.Errorf("the withdrawal is %s", s)
	}
	if s := w.transaction(d).Status(); s != anchor.Incomplete {
		t.Errorf("the deposit is %s before the statement can have been read", s)
	}
	read := func(until time.Time) {
		must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
			return tx.SetCursor(w.config.Statement, anchor.Cursor{Value: "7", ReadUntil: until})
		}))
		must(t, in.Expire(t.Context(), now.Add(2*time.Hour)))
	}
	read(now.Add(-time.Second))
	if s := w.transaction(d).Status(); s != anchor.Incomplete {
		t.Errorf("the deposit is %s though the statement was not read past its deadline", s)
	}
	read(now.Add(time.Second))
	if s := w.transaction(d).Status(); s != anchor.Expired {
		t.Errorf("the deposit is %s", s)
	}
}
