package rail_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

// pay sends a transfer to the anchor as a customer's bank would.
func (w *world) pay(amount, currency, reference string) {
	w.t.Helper()
	body := `{"amount":"` + amount + `","currency":"` + currency + `","reference":"` + reference + `","payer_name":"Ana Díaz","payer_account":"000123456789"}`
	r := httptest.NewRequest(http.MethodPost, "/bank/api/transfers", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.bank.Handler().ServeHTTP(rec, r)
	if rec.Code != http.StatusCreated {
		w.t.Fatal(rec.Code, rec.Body)
	}
}

// lines waits for so many lines in the books, newest first.
func (w *world) lines(n int) []*anchor.BankLine {
	w.t.Helper()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	look := time.NewTicker(5 * time.Millisecond) // a line that is for nobody wakes nobody
	defer look.Stop()
	for {
		all, _, err := w.books.BankLines(w.t.Context(), false, store.Page{Limit: 100})
		must(w.t, err)
		if len(all) >= n {
			return all
		}
		select {
		case <-look.C:
		case <-patience.C:
			w.t.Fatalf("%d lines, want %d", len(all), n)
		}
	}
}

func TestDepositArrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	w.start(w.bank)
	tr := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.pay("100", "USD", "deposit "+strings.ToLower(tr.Reference)+" thanks")
	tr = w.await(tr.ID, "the money", func(t *anchor.Transaction) bool { return t.Funded() })
	if tr.Status() != anchor.PendingAnchor || tr.AmountOut.String() != "98.5" {
		t.Error(tr.Status(), tr.AmountOut)
	}
	line := w.lines(1)[0]
	if line.State != anchor.Matched || line.Transaction != tr.ID || line.ID != tr.ExternalID || line.PayerName != "Ana Díaz" || !line.At.Equal(tr.FundedAt) {
		t.Errorf("%+v", line)
	}
	if want := anchor.MaskAccount(line.PayerAccount); len(want) != 8 || tr.BankSide != want {
		t.Errorf("paid from %q, expected %q", tr.BankSide, want)
	}
	payouts, err := w.books.PayoutsOf(t.Context(), "transaction", tr.ID)
	must(t, err)
	if len(payouts) != 1 || payouts[0].Amount != tr.AmountOut || payouts[0].Source != account {
		t.Errorf("%+v", payouts)
	}
	if got := balanced(t, w.books)[anchor.Bank]; got != 100*anchor.One {
		t.Error("at the bank:", got)
	}
}

// amended is a bank whose credits are changed on their way to us.
type amended struct {
	*rail.Simulated

	change func(*rail.Credit)
}

func (b amended) Credits(ctx context.Context, after string) (rail.Statement, error) {
	st, err := b.Simulated.Credits(ctx, after)
	for i := range st.Credits {
		b.change(&st.Credits[i])
	}
	return st, err
}

func TestUnmatchedCredits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		amount, currency string
		reference        func(*anchor.Transaction) string
		before           string // a credit that comes first
		change           func(*rail.Credit)
		terms            func(*anchor.Terms)
		reason           string
		meant            bool // for the transaction
	}{
		"no reference":      {amount: "100", reference: func(*anchor.Transaction) string { return "" }, reason: anchor.UnknownReference},
		"a stranger's":      {amount: "100", reference: func(*anchor.Transaction) string { return rail.NewReference() }, reason: anchor.UnknownReference},
		"a slip":            {amount: "100", reference: func(a *anchor.Transaction) string { return a.Reference[:len(a.Reference)-1] + "0" }, reason: anchor.UnknownReference},
		"short":             {amount: "89.99", reason: string(anchor.Short), meant: true},
		"second":            {amount: "100", before: "100", reason: string(anchor.Second), meant: true},
		"late":              {amount: "100", change: func(c *rail.Credit) { c.At = c.At.Add(2 * time.Hour) }, reason: string(anchor.Late), meant: true},
		"another currency":  {amount: "100", currency: "EUR", reason: anchor.WrongAsset, meant: true},
		"no longer offered": {amount: "100", terms: func(t *anchor.Terms) { t.Asset.Code = "OTHER" }, reason: anchor.Unbookable, meant: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, -1)
			tr := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
			if c.terms != nil {
				c.terms(w.terms)
			}
			if c.currency == "" {
				c.currency = "USD"
			}
			if c.reference == nil {
				c.reference = func(a *anchor.Transaction) string { return a.Reference }
			}
			n := 1
			if c.before != "" {
				w.pay(c.before, "USD", tr.Reference)
				n++
			}
			if c.change == nil {
				c.change = func(*rail.Credit) {}
			}
			w.pay(c.amount, c.currency, c.reference(tr))
			w.start(amended{w.bank, c.change})
			lines := w.lines(n)
			if lines[0].State != anchor.Unmatched || lines[0].Reason != c.reason || (lines[0].Transaction == tr.ID) != c.meant {
				t.Errorf("%+v", lines[0])
			}
			after, err := w.books.Transaction(t.Context(), tr.ID)
			must(t, err)
			if after.Funded() != (c.before != "") {
				t.Error("funded:", after.Funded())
			}
			balances := balanced(t, w.books)
			if c.currency == "USD" && balances[anchor.Suspense] != -anchor.MustAmount(c.amount) {
				t.Error("in suspense:", balances[anchor.Suspense])
			}
		})
	}
}

// One odd line must not keep the others waiting, nor those of the days to come:
// tried often enough, it is put aside for a person.
func TestOddLineStopsNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	fine := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.pay("13", "USD", "of no asset")
	w.pay("100", "USD", fine.Reference)
	var told atomic.Int64
	w.start(amended{w.bank, func(c *rail.Credit) {
		if c.Amount == 13*anchor.One {
			told.Add(1)
			c.Asset = anchor.Asset{}
		}
	}})
	w.await(fine.ID, "the other's money", func(t *anchor.Transaction) bool { return t.Funded() })
	next := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.pay("100", "USD", next.Reference)
	w.await(next.ID, "the next one's money", func(t *anchor.Transaction) bool { return t.Funded() })
	odd := w.lines(3)[2]
	if odd.State != anchor.Unmatched || odd.Reason != anchor.Refused || odd.Amount != 0 || told.Load() < 3 {
		t.Errorf("%+v, told %d times", odd, told.Load())
	}
	if b := balanced(t, w.books); b[anchor.Bank] != 200*anchor.One {
		t.Error("at the bank:", b[anchor.Bank])
	}
}

// What can be read but not be matched, whatever the reason, is booked all the same.
func TestOddLineIsBooked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	tr := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.spoil(`CREATE TRIGGER odd BEFORE INSERT ON payouts BEGIN SELECT RAISE(ABORT, 'odd'); END`)
	w.pay("100", "USD", tr.Reference)
	w.start(w.bank)
	line := w.lines(1)[0]
	if line.State != anchor.Unmatched || line.Reason != anchor.Refused || line.Amount != 100*anchor.One {
		t.Errorf("%+v", line)
	}
	if b := balanced(t, w.books); b[anchor.Bank] != 100*anchor.One || b[anchor.Suspense] != -100*anchor.One {
		t.Error(b)
	}
}

// forgetful is a bank that tells its whole statement again and again.
type forgetful struct {
	*rail.Simulated

	told atomic.Int64
}

func (b *forgetful) Credits(ctx context.Context, after string) (rail.Statement, error) {
	n := b.told.Add(1)
	if n > 5 {
		return rail.Statement{Cursor: after, ReadUntil: time.Now()}, nil
	}
	st, err := b.Simulated.Credits(ctx, "")
	st.Cursor = strings.Repeat("x", int(n))
	return st, err
}

func TestLineToldTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	tr := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.pay("100", "USD", tr.Reference)
	w.pay("7", "USD", "who knows")
	bank := &forgetful{Simulated: w.bank}
	w.start(bank)
	w.await(tr.ID, "the money", func(t *anchor.Transaction) bool { return t.Funded() })
	w.eventually("the cursor", func() bool {
		c, _, err := w.books.Cursor(t.Context(), rail.Cursor)
		must(t, err)
		return c.Value == "xxxxx" && !c.ReadUntil.IsZero()
	})
	if got := len(w.lines(2)); got != 2 {
		t.Error(got, "lines")
	}
	b := balanced(t, w.books)
	if b[anchor.Bank] != 107*anchor.One || b[anchor.Suspense] != -7*anchor.One {
		t.Error(b)
	}
}

// eventually is for what no commit of a topic announces.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-patience.C:
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Downtime is caught up with from the cursor, in order.
func TestCatchesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	stop := w.start(w.bank)
	first := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.pay("100", "USD", first.Reference)
	w.await(first.ID, "the money", func(t *anchor.Transaction) bool { return t.Funded() })
	stop()
	var all []*anchor.Transaction
	for range 12 {
		tr := w.agreed(anchor.Deposit, "20", "", time.Now().Add(time.Hour))
		w.pay("20", "USD", tr.Reference)
		all = append(all, tr)
	}
	w.start(w.bank)
	for _, tr := range all {
		w.await(tr.ID, "the money", func(t *anchor.Transaction) bool { return t.Funded() })
	}
	if b := balanced(t, w.books); b[anchor.Bank] != 340*anchor.One {
		t.Error(b)
	}
}

func TestWithdrawalIsPaidOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	w.start(w.bank)
	tr := w.paidWithdrawal("100", "12345678")
	w.await(tr.ID, "the bank's order", func(t *anchor.Transaction) bool { return t.Status() == anchor.PendingExternal })
	if b := balanced(t, w.books); b[anchor.InFlight] != anchor.MustAmount("98.5") {
		t.Error(b)
	}
	must(t, w.bank.Settle(t.Context()))
	tr = w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status().Final() })
	order := w.order(tr.ID)
	if tr.Status() != anchor.Completed || tr.ExternalID == "" || tr.ExternalID != order.BankID || order.State != anchor.BankPaid || order.Attempts != 1 {
		t.Errorf("%s %q %+v", tr.Status(), tr.ExternalID, order)
	}
	if b := balanced(t, w.books); b[anchor.InFlight] != 0 || b[anchor.Bank] != -anchor.MustAmount("98.5") {
		t.Error(b)
	}
	w.paidOnce(anchor.MustAmount("98.5"))
}

// paidOnce compares what the bank paid with what it should have.
func (w *world) paidOnce(amount anchor.Amount) {
	w.t.Helper()
	got, err := w.bank.Balance(w.t.Context(), usd)
	must(w.t, err)
	if got != -amount {
		w.t.Errorf("the bank paid %s, want %s", -got, amount)
	}
}

// unsure is a bank whose answers get lost.
type unsure struct {
	*rail.Simulated

	pay    func(ctx context.Context, o rail.Order, ask func() (rail.Transfer, error)) (rail.Transfer, error)
	lookup func(ask func() (rail.Transfer, error)) (rail.Transfer, error)

	mu    sync.Mutex
	calls []string
}

func (b *unsure) called(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, what)
}

func (b *unsure) Pay(ctx context.Context, o rail.Order) (rail.Transfer, error) {
	b.called("pay")
	return b.pay(ctx, o, func() (rail.Transfer, error) { return b.Simulated.Pay(ctx, o) })
}

func (b *unsure) Lookup(ctx context.Context, id string) (rail.Transfer, error) {
	b.called("look up")
	return b.lookup(func() (rail.Transfer, error) { return b.Simulated.Lookup(ctx, id) })
}

var errLost = errors.New("connection reset")

func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	ask := func(ask func() (rail.Transfer, error)) (rail.Transfer, error) { return ask() }
	for name, c := range map[string]struct {
		pay    func(n int, ask func() (rail.Transfer, error)) (rail.Transfer, error)
		lookup func(ask func() (rail.Transfer, error)) (rail.Transfer, error)
		state  anchor.BankPayoutState
		status anchor.Status
		paid   string
		calls  string // how they begin
		valid  time.Duration
	}{
		"the answer is lost": {
			pay: func(_ int, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
				_, _ = ask()
				return rail.Transfer{}, errLost
			},
			lookup: ask, state: anchor.BankPaid, status: anchor.Completed, paid: "98.5", calls: "pay, look up",
		},
		"the question is lost": {
			pay: func(n int, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
				if n == 1 {
					return rail.Transfer{}, errLost
				}
				return ask()
			},
			lookup: ask, state: anchor.BankPaid, status: anchor.Completed, paid: "98.5", calls: "pay, look up, pay",
		},
		"the bank keeps losing it": {
			pay:    func(int, func() (rail.Transfer, error)) (rail.Transfer, error) { return rail.Transfer{}, errLost },
			lookup: ask, state: anchor.BankInDoubt, status: anchor.PendingAnchor, paid: "0", calls: "pay, look up, pay, look up, pay",
			valid: 50 * time.Millisecond,
		},
		"nobody can look it up": {
			pay: func(_ int, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
				_, _ = ask()
				return rail.Transfer{}, errLost
			},
			lookup: func(func() (rail.Transfer, error)) (rail.Transfer, error) { return rail.Transfer{}, rail.ErrNoLookup },
			state:  anchor.BankInDoubt, status: anchor.PendingAnchor, paid: "98.5", calls: "pay, look up",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, time.Nanosecond)
			w.valid = c.valid
			n := 0
			bank := &unsure{Simulated: w.bank, lookup: c.lookup}
			bank.pay = func(_ context.Context, _ rail.Order, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
				n++
				return c.pay(n, ask)
			}
			w.start(bank)
			tr := w.paidWithdrawal("100", "12345678")
			w.until(store.TopicBankPayouts, "the outcome", func() bool { return w.order(tr.ID).State == c.state })
			tr, err := w.books.Transaction(t.Context(), tr.ID)
			must(t, err)
			if tr.Status() != c.status || (c.state == anchor.BankInDoubt) != (tr.Note == "parked") {
				t.Error(tr.Status(), tr.Note)
			}
			w.paidOnce(anchor.MustAmount(c.paid))
			bank.mu.Lock()
			defer bank.mu.Unlock()
			if got := strings.Join(bank.calls, ", "); !strings.HasPrefix(got, c.calls) {
				t.Error(got)
			}
			balanced(t, w.books)
		})
	}
}

// The process dies after the bank took the order and before the books know:
// the next one looks it up. Even the dead one's last word changes nothing.
func TestCrashBetweenPayAndBooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Nanosecond)
	paid, dead := make(chan struct{}), make(chan struct{})
	stuck := &unsure{Simulated: w.bank, lookup: func(ask func() (rail.Transfer, error)) (rail.Transfer, error) { return ask() }}
	stuck.pay = func(_ context.Context, _ rail.Order, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
		tr, err := ask()
		close(paid)
		<-dead
		return tr, err
	}
	stop := w.start(stuck)
	tr := w.paidWithdrawal("100", "12345678")
	<-paid
	if order := w.order(tr.ID); order.State != anchor.BankQueued || order.Attempts != 1 {
		t.Fatalf("%+v", order)
	}

	next := &unsure{Simulated: w.bank, lookup: stuck.lookup}
	next.pay = func(context.Context, rail.Order, func() (rail.Transfer, error)) (rail.Transfer, error) {
		t.Error("asked again without need")
		return rail.Transfer{}, errLost
	}
	w.start(next)
	w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
	close(dead)
	stop()
	if tr, err := w.books.Transaction(t.Context(), tr.ID); err != nil || tr.Status() != anchor.Completed {
		t.Error(tr.Status(), err)
	}
	w.paidOnce(anchor.MustAmount("98.5"))
	if b := balanced(t, w.books); b[anchor.InFlight] != 0 || b[anchor.Bank] != -anchor.MustAmount("98.5") {
		t.Error(b)
	}
}

func TestBankSendsItBack(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]string{"refused": rail.ClosedAccount, "returned": rail.ReturningAccount} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 10*time.Millisecond)
			w.start(w.bank)
			tr := w.paidWithdrawal("100", to)
			tr = w.await(tr.ID, "a person", func(t *anchor.Transaction) bool { return t.Status() == anchor.OnHold })
			order := w.order(tr.ID)
			if tr.Note != "returned" || order.State != anchor.BankRefused || order.Reason == "" || order.MayBePaid() || tr.PaidOut() {
				t.Errorf("%q %+v", tr.Note, order)
			}
			if b := balanced(t, w.books); b[anchor.InFlight] != 0 || b[anchor.Bank] != 0 || b[anchor.Customers] != -anchor.MustAmount("98.5") {
				t.Error(b)
			}
			w.paidOnce(0)
		})
	}
}

// While there is a pause the bank is asked for nothing new, and when it ends for
// all of it at once.
func TestPausedOrdersWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10*time.Millisecond)
	must(t, w.books.Update(t.Context(), "staff:kim", func(tx *store.Tx) error { return tx.Pause(anchor.PausedByStaff, "lunch", "staff:kim") }))
	tr := w.paidWithdrawal("100", "12345678")
	w.start(w.bank)
	w.until(store.TopicBankPayouts, "the engine's look", func() bool { return w.order(tr.ID).Reason == store.ReasonPaused })
	if o := w.order(tr.ID); o.State != anchor.BankQueued || o.Attempts != 0 {
		t.Errorf("%+v", o)
	}
	w.paidOnce(0)
	must(t, w.books.Update(t.Context(), "staff:kim", func(tx *store.Tx) error { return tx.Resume(anchor.PausedByStaff) }))
	w.await(tr.ID, "the money", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
	w.paidOnce(anchor.MustAmount("98.5"))
}

// What a person stopped is not paid.
func TestHeldWithdrawalIsNotPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	tr := w.paidWithdrawal("100", "12345678")
	must(t, w.books.Update(t.Context(), "staff:kim", func(tx *store.Tx) error {
		a, err := tx.Transaction(tr.ID)
		if err != nil {
			return err
		}
		if err := a.Hold(time.Now()); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	}))
	w.start(w.bank)
	w.until(store.TopicBankPayouts, "the engine's look", func() bool { return w.order(tr.ID).Reason != "" })
	if order := w.order(tr.ID); order.State != anchor.BankQueued || order.Attempts != 0 {
		t.Errorf("%+v", order)
	}
	w.paidOnce(0)
	balanced(t, w.books)
}
