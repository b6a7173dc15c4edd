package rail_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

// newCashWorld is a world whose customers are paid in cash.
func newCashWorld(t *testing.T, delay time.Duration) *world {
	t.Helper()
	w := newWorld(t, delay)
	w.method = anchor.Cash
	return w
}

// pickup is how a withdrawal's cash is collected; nil if none lies ready.
func (w *world) pickup(transaction string) *anchor.Pickup {
	w.t.Helper()
	p, err := w.books.Pickup(w.t.Context(), transaction)
	must(w.t, err)
	return p
}

// ready waits until a withdrawal's cash can be collected.
func (w *world) ready(id string) *anchor.Transaction {
	w.t.Helper()
	return w.await(id, "the cash", func(t *anchor.Transaction) bool { return t.Status() == anchor.PendingUserTransferComplete })
}

// booked compares what the bank has booked, money that left being negative, with what
// it should have. Cash is not booked until it is collected.
func (w *world) booked(n int, balance anchor.Amount) {
	w.t.Helper()
	a, err := w.bank.Account(w.t.Context(), time.Time{})
	must(w.t, err)
	if len(a.Lines) != n || a.Balances[usd] != balance {
		w.t.Errorf("the bank has %d lines and %s, want %d and %s", len(a.Lines), a.Balances[usd], n, balance)
	}
}

func TestCashIsCollected(t *testing.T) {
	t.Parallel()
	w := newCashWorld(t, -1)
	w.start(w.bank)
	tr := w.paidWithdrawal("100", "")
	w.await(tr.ID, "the bank's order", func(t *anchor.Transaction) bool { return t.Status() == anchor.PendingExternal })
	if p := w.pickup(tr.ID); p != nil {
		t.Errorf("%+v lies ready already", p)
	}
	must(t, w.bank.Settle(t.Context()))

	tr = w.ready(tr.ID)
	p := w.pickup(tr.ID)
	if len(p.Code) != 9 || !strings.HasPrefix(p.Place, "Sandbox Bank") || !p.Until.Equal(tr.Deadline) || !p.Until.After(time.Now().Add(71*time.Hour)) {
		t.Errorf("%+v until %s", p, tr.Deadline)
	}
	if err := tr.MayRefund(); anchor.KindOf(err) != anchor.Conflict {
		t.Errorf("what may be collected at this moment can be refunded: %v", err)
	}
	if b := balanced(t, w.books); b[anchor.InFlight] != anchor.MustAmount("98.5") {
		t.Error(b)
	}
	w.booked(0, 0)

	wrong := strings.Repeat("0", 9)
	if p.Code == wrong {
		wrong = strings.Repeat("1", 9)
	}
	for _, code := range []string{wrong, p.Code[:8], ""} {
		if err := w.bank.HandOut(t.Context(), code); anchor.KindOf(err) != anchor.Invalid {
			t.Errorf("%q at the desk: %v", code, err)
		}
	}
	must(t, w.bank.HandOut(t.Context(), p.Code[:3]+" "+p.Code[3:6]+"-"+p.Code[6:]))
	tr = w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status().Final() })
	order := w.order(tr.ID)
	if tr.Status() != anchor.Completed || tr.ExternalID == "" || order.State != anchor.BankPaid || order.Attempts != 1 {
		t.Errorf("%s %q %+v", tr.Status(), tr.ExternalID, order)
	}
	if order.Pickup != nil || w.pickup(tr.ID) != nil {
		t.Error("the books keep the code of what was collected")
	}
	if !tr.Deadline.IsZero() {
		t.Error("what was collected is waited for until", tr.Deadline)
	}
	if err := w.bank.HandOut(t.Context(), p.Code); anchor.KindOf(err) != anchor.Invalid {
		t.Errorf("the desk hands out twice: %v", err)
	}
	if err := w.bank.Recall(t.Context(), order.BankID); anchor.KindOf(err) != anchor.Conflict {
		t.Errorf("cash is recalled: %v", err)
	}
	w.booked(1, -anchor.MustAmount("98.5"))
	if b := balanced(t, w.books); b[anchor.InFlight] != 0 || b[anchor.Bank] != -anchor.MustAmount("98.5") {
		t.Error(b)
	}
}

// Nobody comes in time: the money is here again, and a person decides.
func TestCashThatNobodyCollects(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(*world, string){
		"three days later": func(w *world, _ string) { spoil(w.t, w.path, `UPDATE transfers SET settles_at = 1`) },
		"sent back": func(w *world, order string) {
			lies, err := w.bank.Lookup(w.t.Context(), order)
			must(w.t, err)
			must(w.t, w.bank.Recall(w.t.Context(), lies.ID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nobodyCollects(t, back)
		})
	}
}

func nobodyCollects(t *testing.T, back func(w *world, order string)) {
	w := newCashWorld(t, time.Nanosecond)
	w.start(w.bank)
	tr := w.paidWithdrawal("100", "")
	w.ready(tr.ID)
	code := w.pickup(tr.ID).Code
	back(w, w.order(tr.ID).ID)

	tr = w.await(tr.ID, "a person", func(t *anchor.Transaction) bool { return t.Status() == anchor.OnHold })
	order := w.order(tr.ID)
	if tr.Note != "not_collected" || !tr.Deadline.IsZero() || order.State != anchor.BankRefused || order.Reason != "not_collected" || order.MayBePaid() || order.Pickup != nil {
		t.Errorf("%q %s %+v", tr.Note, tr.Deadline, order)
	}
	if err := w.bank.HandOut(t.Context(), code); anchor.KindOf(err) != anchor.Invalid {
		t.Errorf("the desk hands out what has gone back: %v", err)
	}
	if err := tr.MayRefund(); err != nil {
		t.Error(err)
	}
	w.booked(0, 0)
	if b := balanced(t, w.books); b[anchor.InFlight] != 0 || b[anchor.Customers] != -anchor.MustAmount("98.5") {
		t.Error(b)
	}
}

// The bank does not take the order: nothing ever lies ready.
func TestCashThatTheBankRefuses(t *testing.T) {
	t.Parallel()
	w := newCashWorld(t, time.Nanosecond)
	w.start(w.bank)
	tr := w.paidWithdrawal("100", rail.ClosedAccount)
	tr = w.await(tr.ID, "a person", func(t *anchor.Transaction) bool { return t.Status() == anchor.OnHold })
	if o := w.order(tr.ID); o.State != anchor.BankRefused || o.Reason != "account_closed" || o.Pickup != nil || o.MayBePaid() {
		t.Errorf("%+v", o)
	}
	if err := tr.MayRefund(); err != nil {
		t.Error(err)
	}
	w.booked(0, 0)
	if b := balanced(t, w.books); b[anchor.InFlight] != 0 || b[anchor.Customers] != -anchor.MustAmount("98.5") {
		t.Error(b)
	}
}

// A person says which line has brought the money of cash back that lay ready: the
// code is forgotten with it. Their word alone does not do, while it can be collected.
func TestCashThatALineBringsBack(t *testing.T) {
	t.Parallel()
	w := newCashWorld(t, time.Nanosecond)
	stop := w.start(w.bank)
	tr := w.paidWithdrawal("100", "")
	w.ready(tr.ID)
	w.pay("98.50", "USD", "what nobody knows")
	line := w.lines(1)[0].ID
	stop()
	back := func(line string) error {
		return w.books.Update(t.Context(), staff, func(tx *store.Tx) error {
			return tx.BankPayoutReturned(w.order(tr.ID).ID, line, "desk_closed", time.Now())
		})
	}
	if e, ok := errors.AsType[*anchor.Error](back("")); !ok || e.Code != "cash_ready" {
		t.Errorf("without a line: %v", e)
	}
	must(t, back(line))
	if o := w.order(tr.ID); o.State != anchor.BankRefused || o.Pickup != nil {
		t.Errorf("%+v", o)
	}
}

// Who tries codes is kept from the desk for a while, and so is the right code: else
// it would tell which one that is. Codes that were good once are no tries.
func TestTriesAtTheDesk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bank := openBank(t, filepath.Join(t.TempDir(), "bank.db"), time.Nanosecond)
		defer func() { must(t, bank.Close()) }()
		cash := func(id string) string {
			_, err := bank.Pay(t.Context(), rail.Order{ID: id, Asset: usd, Amount: anchor.One, Method: anchor.Cash, Until: time.Now().Add(time.Minute)})
			must(t, err)
			<-time.After(time.Millisecond) // by the bubble's clock
			tr, err := bank.Lookup(t.Context(), id)
			must(t, err)
			return tr.Pickup.Code
		}
		asks := func(code string) int {
			return call(bank, "POST", "/bank/api/pickups", `{"code":"`+code+`"}`).Code
		}
		collected, next := cash("1"), cash("2")
		if got := asks(collected); got != http.StatusCreated {
			t.Fatal(got)
		}
		for range 20 {
			if got := asks(collected); got != http.StatusBadRequest {
				t.Fatalf("a collected code again: %d", got)
			}
		}
		for i := range 10 {
			if got := asks(fmt.Sprintf("no code %d", i)); got != http.StatusBadRequest {
				t.Fatalf("try %d: %d", i, got)
			}
		}
		for _, code := range []string{"no code", collected, next} {
			if got := asks(code); got != http.StatusTooManyRequests {
				t.Errorf("%s after ten tries: %d", code, got)
			}
		}
		<-time.After(time.Minute)
		if got := asks(next); got != http.StatusCreated {
			t.Errorf("the right code after a minute: %d", got)
		}
	})
}

// The cash is collected before the books hear that it lies ready, or that the bank
// has the order at all.
func TestCashIsCollectedUnseen(t *testing.T) {
	t.Parallel()
	collect := func(t *testing.T, w *world, order string) {
		t.Helper()
		must(t, w.bank.Settle(t.Context()))
		tr, err := w.bank.Lookup(t.Context(), order)
		must(t, err)
		must(t, w.bank.HandOut(t.Context(), tr.Pickup.Code))
	}
	t.Run("while the engine is away", func(t *testing.T) {
		t.Parallel()
		w := newCashWorld(t, -1)
		stop := w.start(w.bank)
		tr := w.paidWithdrawal("100", "")
		w.await(tr.ID, "the bank's order", func(t *anchor.Transaction) bool { return t.Status() == anchor.PendingExternal })
		stop()
		collect(t, w, w.order(tr.ID).ID)
		w.start(w.bank)
		w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
		w.booked(1, -anchor.MustAmount("98.5"))
		balanced(t, w.books)
	})
	t.Run("and the bank's answer was lost", func(t *testing.T) {
		t.Parallel()
		w := newCashWorld(t, -1)
		w.start(&unsure{
			Simulated: w.bank,
			lookup:    func(ask func() (rail.Transfer, error)) (rail.Transfer, error) { return ask() },
			pay: func(_ context.Context, o rail.Order, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
				if _, err := ask(); err != nil {
					return rail.Transfer{}, err
				}
				collect(t, w, o.ID)
				return rail.Transfer{}, errLost
			},
		})
		tr := w.paidWithdrawal("100", "")
		tr = w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
		if o := w.order(tr.ID); o.Attempts != 1 || tr.ExternalID != o.BankID {
			t.Errorf("%q %+v", tr.ExternalID, o)
		}
		w.booked(1, -anchor.MustAmount("98.5"))
		balanced(t, w.books)
	})
}

// A person holds the withdrawal while the bank takes its order. Once they let it go
// on, the cash that lies ready is the customer's to collect.
func TestCashReadyOfAHeldWithdrawal(t *testing.T) {
	t.Parallel()
	w := newCashWorld(t, time.Nanosecond)
	change := func(id string, do func(tx *store.Tx, a *anchor.Transaction) error) error {
		return w.books.Update(t.Context(), "staff:kim", func(tx *store.Tx) error {
			a, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			return do(tx, a)
		})
	}
	hold := func(tx *store.Tx, a *anchor.Transaction) error {
		if err := a.Hold(time.Now()); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	}
	w.start(&unsure{
		Simulated: w.bank,
		lookup:    func(ask func() (rail.Transfer, error)) (rail.Transfer, error) { return ask() },
		pay: func(_ context.Context, o rail.Order, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
			if err := change(o.Reference, hold); err != nil {
				return rail.Transfer{}, err
			}
			return ask()
		},
	})
	tr := w.paidWithdrawal("100", "")
	w.until(store.TopicBankPayouts, "the cash", func() bool { return w.pickup(tr.ID) != nil })
	if a, err := w.books.Transaction(t.Context(), tr.ID); err != nil || a.Status() != anchor.OnHold {
		t.Fatal(a.Status(), err)
	}
	must(t, change(tr.ID, func(tx *store.Tx, a *anchor.Transaction) error { return tx.Release(a, w.terms, time.Now()) }))
	w.ready(tr.ID)
	must(t, w.bank.HandOut(t.Context(), w.pickup(tr.ID).Code))
	w.await(tr.ID, "the end", func(t *anchor.Transaction) bool { return t.Status() == anchor.Completed })
	w.booked(1, -anchor.MustAmount("98.5"))
	balanced(t, w.books)
}

// A bank that has cash ready and does not say how it is collected is not believed,
// and what it says when it does is.
func TestCashReadyWithoutCode(t *testing.T) {
	t.Parallel()
	w := newCashWorld(t, time.Nanosecond)
	looks := make(chan struct{}, 2)
	w.start(&unsure{
		Simulated: w.bank,
		pay: func(_ context.Context, _ rail.Order, ask func() (rail.Transfer, error)) (rail.Transfer, error) {
			tr, err := ask()
			return rail.Transfer{ID: tr.ID, State: rail.Pending}, err
		},
		lookup: func(ask func() (rail.Transfer, error)) (rail.Transfer, error) {
			tr, err := ask()
			select {
			case looks <- struct{}{}:
				tr.Pickup = nil
			default:
			}
			return tr, err
		},
	})
	tr := w.paidWithdrawal("100", "")
	tr = w.ready(tr.ID)
	if len(looks) != cap(looks) || w.pickup(tr.ID).Code == "" {
		t.Errorf("%d looks, %+v", len(looks), w.pickup(tr.ID))
	}
}

// Books that were restored do not know what the bank was asked for since. Nothing else
// may leave while it can still be paid: what paid for it might go back besides.
func TestRestoredBooksLearnOfWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, account string
		delay           time.Duration
	}{
		"cash that lies ready": {method: anchor.Cash, delay: time.Nanosecond},
		"a pending transfer":   {method: "bank_transfer", account: rail.ReturningAccount, delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.delay)
			_, err := w.bank.Pay(t.Context(), rail.Order{ID: "forgotten", Asset: usd, Amount: anchor.One, Method: c.method,
				To: map[string]string{"bank_account_number": c.account}, Until: time.Now().Add(time.Minute)})
			must(t, err)
			must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
				return tx.Pause(anchor.PausedRestoredBank, "restored", string(store.BankRail))
			}))
			paused := func() (keys string) {
				all, err := w.books.Pauses(t.Context())
				must(t, err)
				for _, p := range all {
					keys += p.Key + " "
				}
				return keys
			}
			w.start(w.bank)
			w.eventually("the end of the first pause", func() bool { return !strings.Contains(paused(), anchor.PausedRestoredBank) })
			if got := paused(); got != anchor.PausedUnknownOrders+" " {
				t.Errorf("paused by %q", got)
			}
			spoil(t, w.path, `UPDATE transfers SET settles_at = 1`) // it went back
			w.eventually("the end of the second", func() bool { return paused() == "" })
		})
	}
}

// A bank's file from before there was a cash desk opens.
func TestFileWithoutDesk(t *testing.T) {
	t.Parallel()
	w := newCashWorld(t, time.Nanosecond)
	w.pay("10", "USD", "before")
	spoil(t, w.path, `DROP INDEX transfers_code; ALTER TABLE transfers DROP COLUMN code; ALTER TABLE transfers DROP COLUMN lies_at`)
	b := openBank(t, w.path, time.Nanosecond)
	t.Cleanup(func() { must(t, b.Close()) })
	_, err := b.Pay(t.Context(), rail.Order{ID: "1", Asset: usd, Amount: anchor.One, Method: anchor.Cash, Until: time.Now().Add(time.Minute)})
	must(t, err)
	if tr, err := b.Lookup(t.Context(), "1"); err != nil || tr.State != rail.Ready {
		t.Errorf("%+v %v", tr, err)
	}
	w.bank = b
	w.booked(1, 10*anchor.One)
}
