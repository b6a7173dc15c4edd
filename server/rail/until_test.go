package rail_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

// slow is a bank to which every order is on its way until the test lets it arrive,
// long after nobody waits for an answer any more.
type slow struct {
	*rail.Simulated

	mu    sync.Mutex
	onWay []rail.Order
}

func (b *slow) Pay(_ context.Context, o rail.Order) (rail.Transfer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.onWay = append(b.onWay, o)
	return rail.Transfer{}, errLost
}

// arrive lets all that is on its way arrive, and answers what the bank made of it.
func (b *slow) arrive(t *testing.T) (all []rail.Transfer) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range b.onWay {
		tr, err := b.Simulated.Pay(t.Context(), o)
		must(t, err)
		all = append(all, tr)
	}
	return all
}

func allMissing(all []rail.Transfer) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(tr rail.Transfer) bool { return tr.State != rail.Missing || tr.ID != "" })
}

func (w *world) hold(id string) {
	w.t.Helper()
	must(w.t, w.change(id, func(tx *store.Tx, a *anchor.Transaction) error {
		if err := a.Hold(time.Now()); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	}))
}

// An order was sent and never arrived. Once the bank can take it no more the money
// goes back instead; and when the request arrives after all, nothing comes of it.
func TestLostOrderIsRefunded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Nanosecond)
	w.valid = 2 * time.Second
	bank := &slow{Simulated: w.bank}
	w.start(bank)
	tr := w.paidWithdrawal("100", "12345678")
	w.until(store.TopicBankPayouts, "the request", func() bool { return w.order(tr.ID).Attempts > 0 })
	w.hold(tr.ID)
	if err := w.refund(tr.ID, "100", "0"); code(err) != "payout_under_way" {
		t.Error("refunded while the request may arrive:", err)
	}
	asked := w.order(tr.ID).AskedUntil
	w.until(store.TopicBankPayouts, "the end of its time", func() bool { return w.order(tr.ID).AskedUntil.IsZero() })
	if asked.IsZero() || time.Now().Before(asked) {
		t.Error("given up before its end", asked)
	}
	must(t, w.refund(tr.ID, "100", "0"))
	if o := w.order(tr.ID); o.State != anchor.BankCancelled || o.Attempts == 0 {
		t.Errorf("%+v", o)
	}
	if all := bank.arrive(t); !allMissing(all) {
		t.Errorf("the bank took what came too late: %+v", all)
	}
	w.paidOnce(0)
	if b := balanced(t, w.books); b[anchor.Bank] != 0 || b[anchor.Customers] != 0 {
		t.Error(b)
	}
}

// A part goes back, and the rest is paid by the same order: what was sent with the
// first amount is void, and pays nothing besides.
func TestLostOrderIsSentWithLess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Nanosecond)
	w.valid = 2 * time.Second
	bank := &slow{Simulated: w.bank}
	stop := w.start(bank)
	tr := w.paidWithdrawal("100", "12345678")
	w.until(store.TopicBankPayouts, "the request", func() bool { return w.order(tr.ID).Attempts > 0 })
	w.hold(tr.ID)
	w.until(store.TopicBankPayouts, "the end of its time", func() bool { return w.order(tr.ID).AskedUntil.IsZero() })
	must(t, w.refund(tr.ID, "40", "0"))
	stop()
	must(t, w.change(tr.ID, func(tx *store.Tx, a *anchor.Transaction) error { return tx.Release(a, w.terms, time.Now()) }))
	w.valid = 0
	w.start(w.bank)
	w.await(tr.ID, "the rest", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
	for _, late := range bank.arrive(t) {
		if late.State != rail.Settled || late.ID != w.order(tr.ID).BankID {
			t.Errorf("%+v", late)
		}
	}
	w.paidOnce(anchor.MustAmount("58.5"))
	balanced(t, w.books)
}

// The process dies between writing down that the bank is asked and asking. The next
// one must not conclude anything before the request's time is over, and whatever it
// does, the dead one's request pays nothing besides.
func TestCrashBetweenBooksAndPay(t *testing.T) {
	t.Parallel()
	for name, refunds := range map[string]bool{"it is paid by the next": false, "it goes back": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, time.Nanosecond)
			if refunds {
				w.valid = 2 * time.Second
			}
			asking, dead := make(chan rail.Order, 1), make(chan struct{})
			stop := w.start(&unsure{Simulated: w.bank, pay: func(_ context.Context, o rail.Order, _ func() (rail.Transfer, error)) (rail.Transfer, error) {
				asking <- o
				<-dead
				return rail.Transfer{}, errLost
			}})
			die := sync.OnceFunc(func() { close(dead) })
			t.Cleanup(die)
			tr := w.paidWithdrawal("100", "12345678")
			late := <-asking
			if o := w.order(tr.ID); o.Attempts != 1 || !o.AskedUntil.Equal(late.Until) || late.Until.IsZero() {
				t.Errorf("%+v, sent until %s", o, late.Until)
			}
			if refunds {
				w.hold(tr.ID)
			}
			w.start(w.bank)
			if refunds {
				w.until(store.TopicBankPayouts, "the end of its time", func() bool { return w.order(tr.ID).AskedUntil.IsZero() })
				must(t, w.refund(tr.ID, "100", "0"))
			} else {
				w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
			}
			got, err := w.bank.Pay(t.Context(), late)
			must(t, err)
			if want := map[bool]rail.TransferState{true: rail.Missing, false: rail.Settled}[refunds]; got.State != want {
				t.Errorf("%+v", got)
			}
			die()
			stop()
			w.paidOnce(map[bool]anchor.Amount{true: 0, false: anchor.MustAmount("98.5")}[refunds])
			balanced(t, w.books)
		})
	}
}

// tells is a bank that takes nothing, and says as of when.
type tells struct {
	*rail.Simulated

	books *store.Store
	asOf  func(until time.Time) time.Time
	looks *atomic.Int64
}

func (b tells) Pay(context.Context, rail.Order) (rail.Transfer, error) {
	return rail.Transfer{}, errLost
}

func (b tells) Lookup(ctx context.Context, id string) (rail.Transfer, error) {
	b.looks.Add(1)
	o, err := b.books.BankPayout(ctx, id)
	if err != nil { // the engine is stopped
		return rail.Transfer{}, err
	}
	return rail.Transfer{State: rail.Missing, At: b.asOf(o.AskedUntil)}, nil
}

// Only what the bank says of a later moment of its own clock proves that an order
// was never taken. It is asked for again all the same, and left to a person in the
// end, who may give it up only then.
func TestWhatMissingProves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asOf   func(until time.Time) time.Time
		proved bool
	}{
		"later":          {func(until time.Time) time.Time { return until.Add(time.Microsecond) }, true},
		"at that moment": {func(until time.Time) time.Time { return until }, false},
		"before":         {func(until time.Time) time.Time { return until.Add(-3 * time.Hour) }, false},
		"nobody knows":   {func(time.Time) time.Time { return time.Time{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, time.Nanosecond)
			if w.valid = time.Hour; name == "at that moment" {
				w.valid = time.Millisecond // it waits for the next one, for ever
			}
			var looks atomic.Int64
			w.start(tells{w.bank, w.books, c.asOf, &looks})
			tr := w.paidWithdrawal("100", "12345678")
			w.until(store.TopicBankPayouts, "the last look", func() bool { return w.order(tr.ID).State == anchor.BankInDoubt || looks.Load() > 12 })
			if o := w.order(tr.ID); o.Stoppable() != c.proved || o.Attempts != 10 {
				t.Errorf("%+v", o)
			}
			if err := w.refund(tr.ID, "100", "0"); (err == nil) != c.proved || err != nil && code(err) != "payout_under_way" {
				t.Error(err)
			}
			balanced(t, w.books)
		})
	}
}

// A refund that was sent and lost is taken back, while payouts are paused.
func TestLostRefundIsTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Nanosecond)
	w.valid = 2 * time.Second
	bank := &slow{Simulated: w.bank}
	w.start(bank)
	tr := w.funded("000123456789")
	must(t, w.refund(tr.ID, "100", "0"))
	o := w.refunds(tr.ID, anchor.BankQueued)[0]
	cancel := func() error {
		return w.books.Update(t.Context(), staff, func(tx *store.Tx) error { return tx.CancelBankPayout(o.ID, time.Now()) })
	}
	look := func() *anchor.BankPayout { return w.orders(anchor.CauseTransaction, tr.ID, anchor.ForRefund)[0] }
	w.until(store.TopicBankPayouts, "the request", func() bool { return look().Attempts > 0 })
	must(t, w.books.Update(t.Context(), staff, func(tx *store.Tx) error { return tx.Pause(anchor.PausedByStaff, "the bank loses orders", staff) }))
	if err := cancel(); code(err) != "payout_under_way" {
		t.Error("cancelled while the request may arrive:", err)
	}
	w.until(store.TopicBankPayouts, "the end of its time", func() bool { return look().AskedUntil.IsZero() })
	must(t, cancel())
	if all := bank.arrive(t); !allMissing(all) {
		t.Errorf("the bank took what came too late: %+v", all)
	}
	if b := balanced(t, w.books); b[anchor.Refunds] != 0 || b[anchor.Bank] != 100*anchor.One {
		t.Error(b)
	}
}

// The bank's side: what comes too late leaves no trace, the same order can be sent
// once more, and what was taken in time is answered for ever.
func TestSimulatedBankTakesNothingLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	o := rail.Order{ID: "o1", Asset: usd, Amount: anchor.One, To: map[string]string{store.PayerAccount: "12345678"}, Until: time.Now().Add(-time.Microsecond)}
	pay := func(want rail.TransferState) {
		t.Helper()
		tr, err := w.bank.Pay(t.Context(), o)
		must(t, err)
		found, err := w.bank.Lookup(t.Context(), o.ID)
		must(t, err)
		if tr.State != want || found.State != want || found.ID != tr.ID || (want == rail.Missing) != found.At.After(o.Until) {
			t.Errorf("%+v, %+v, want %s", tr, found, want)
		}
	}
	pay(rail.Missing)
	o.Until = time.Time{} // a moment too, and long past
	pay(rail.Missing)
	o.Until = time.Now().Add(time.Hour)
	pay(rail.Pending)
	o.Until = time.Now().Add(-time.Hour)
	pay(rail.Pending)
	if b, err := w.bank.Balance(t.Context(), usd); err != nil || b != -anchor.One {
		t.Error(b, err)
	}
}
