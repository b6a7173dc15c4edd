package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/incoming"
	"windlass/server/rail"
	"windlass/server/reconcile"
	"windlass/server/store"
)

// deposits makes some, which bring the customer 99 each, and returns the last.
func (w *world) deposits(n int) (last *anchor.Transaction) {
	w.t.Helper()
	for range n {
		last = w.open(anchor.Deposit)
		w.transfer(last.Reference)
		w.untilStatus(anchor.Completed, last.ID)
	}
	return w.transaction(last.ID)
}

// flows makes two deposits and a withdrawal, and returns the last of each and
// the hash that paid for the withdrawal.
func (w *world) flows() (deposit, withdrawal *anchor.Transaction, hash string) {
	w.t.Helper()
	deposit, withdrawal = w.deposits(2), w.open(anchor.Withdrawal)
	hash = w.pay(w.customer, w.distribution.Address(), "100", memo(withdrawal))
	w.untilStatus(anchor.PendingExternal, withdrawal.ID)
	must(w.t, w.bank.Settle(w.t.Context()))
	w.untilStatus(anchor.Completed, withdrawal.ID)
	return deposit, withdrawal, hash
}

func memo(a *anchor.Transaction) txnbuild.MemoID {
	var id uint64
	_, _ = fmt.Sscan(a.Memo.Value, &id)
	return txnbuild.MemoID(id)
}

// Whatever the anchor is doing, it agrees; and when it has done, to the stroop.
func TestItAgreesWhileTheAnchorWorks(t *testing.T) {
	w := newWorld(t)
	r := w.agrees() // nothing was ever read
	if len(r.Items) == 0 || r.Items[0].Why != reconcile.NotRead {
		t.Errorf("%s", text(t, r))
	}
	w.start()
	w.watched = true
	w.flows()
	w.pay(w.customer, w.distribution.Address(), "7", txnbuild.MemoText("what is this"))
	w.transfer("nobody knows")
	w.do(w.distribution, nil, []txnbuild.Operation{&txnbuild.SetOptions{HomeDomain: new("example.com")}})
	w.do(w.fee, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: w.channel.Address(), Asset: txnbuild.NativeAsset{}, Amount: "5"}})
	w.untilZero()
	r = w.agrees()
	for _, want := range []string{
		"our accounts stellar:USDW:" + w.issuer.Address() + " 999909 999909",
		// friendbot's, less what 3 own transactions and two envelopes of one payment cost
		"our accounts stellar:native 19994.99992 19994.99992",
		"bank iso4217:USD 201 201",
	} {
		if !slices.ContainsFunc(r.Lines, func(l reconcile.Line) bool {
			return fmt.Sprintf("%s %s %s %s", l.Place, l.Asset, l.Journal, l.Actual) == want
		}) {
			t.Errorf("no line %q in\n%s", want, text(t, r))
		}
	}
	if got := text(t, r); !strings.HasSuffix(got, "\nThe journal agrees.\n") {
		t.Error(got)
	}
}

// What has happened while the anchor was down is listed with its price, and is
// no difference.
func TestItAgreesWhileTheAnchorIsDown(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	paid, waiting := w.open(anchor.Withdrawal), w.open(anchor.Withdrawal)
	w.deposits(3)
	w.pay(w.customer, w.distribution.Address(), "100", memo(paid))
	w.untilStatus(anchor.PendingExternal, paid.ID)
	w.untilZero()

	// A deposit's envelope reaches the ledger, and nobody hears of it.
	deposit := w.open(anchor.Deposit)
	w.unheard()
	w.transfer(deposit.Reference)
	tx := w.untilUnheard()
	stop()
	w.gate.Set(nil)

	must(t, w.bank.Settle(t.Context()))
	w.transfer("nobody knows")
	account, err := w.bank.Account(t.Context(), time.Time{})
	must(t, err)
	credit := account.Lines[len(account.Lines)-1]
	order := account.Lines[slices.IndexFunc(account.Lines, func(l rail.Line) bool { return l.Order != "" })]
	known := w.pay(w.customer, w.distribution.Address(), "100", memo(waiting))
	unknown := w.pay(w.customer, w.distribution.Address(), "0.0000001", nil)
	issued := w.do(w.issuer, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: w.distribution.Address(), Asset: w.line(), Amount: "5"}})
	options := w.do(w.distribution, nil, []txnbuild.Operation{&txnbuild.SetOptions{HomeDomain: new("example.com")}})

	r := w.agrees()
	want := []string{
		"our accounts USDW 100 not_read " + known,
		"our accounts USDW 0.0000001 not_read " + unknown,
		"our accounts USDW 5 not_read " + issued,
		"our accounts USDW -99 not_settled " + tx.Listed(),
		"our accounts native -0.00002 not_settled " + tx.Listed(),
		"our accounts native -0.00001 fee_not_read " + options,
		"bank USD -99 order_not_booked " + order.ID,
		"bank USD 100 credit_not_read " + credit.ID,
		"issued USDW 5 not_read " + issued,
	}
	w.items(r, want...)
	for _, i := range r.Items {
		if i.Why == reconcile.OrderNotBooked && !slices.Equal(i.Transactions, []string{paid.ID}) ||
			i.Why == reconcile.NotSettled && !i.Asset.IsNative() && !slices.Equal(i.Transactions, []string{deposit.ID}) {
			t.Errorf("%s is of %v", i.Why, i.Transactions)
		}
	}
	if got := text(t, r); !strings.Contains(got, "not booked yet or was explained") {
		t.Error(got)
	}
	w.start()
	w.untilZero()
}

// Cash is the bank's to hand out until it is collected: the books and the bank agree
// before it lies ready, while it does, when it was collected and nobody has heard of
// it, and after; and when nobody came for it.
func TestItAgreesWhileCashIsCollected(t *testing.T) {
	w := newWorld(t)
	w.method = anchor.Cash
	stop := w.start()
	w.deposits(2)
	collected, left := w.open(anchor.Withdrawal), w.open(anchor.Withdrawal)
	w.pay(w.customer, w.distribution.Address(), "90", memo(collected))
	w.untilStatus(anchor.PendingExternal, collected.ID)
	w.untilZero()
	must(t, w.bank.Settle(t.Context()))
	w.untilStatus(anchor.PendingUserTransferComplete, collected.ID)
	w.untilZero()

	stop()
	p, err := w.books.Pickup(t.Context(), collected.ID)
	must(t, err)
	must(t, w.bank.HandOut(t.Context(), p.Code))
	account, err := w.bank.Account(t.Context(), time.Time{})
	must(t, err)
	r := w.agrees()
	w.items(r, "bank USD -89 order_not_booked "+account.Lines[len(account.Lines)-1].ID)
	if !slices.Equal(r.Items[0].Transactions, []string{collected.ID}) {
		t.Error(r.Items[0].Transactions)
	}
	w.start()
	w.untilStatus(anchor.Completed, collected.ID)
	w.untilZero()

	w.pay(w.customer, w.distribution.Address(), "90", memo(left))
	w.untilStatus(anchor.PendingExternal, left.ID)
	w.bank.Keep = time.Microsecond
	must(t, w.bank.Settle(t.Context()))
	w.untilStatus(anchor.OnHold, left.ID)
	w.untilZero()
	for _, l := range w.agrees().Lines {
		if l.Place == reconcile.Bank && (l.Journal != l.Actual || l.Actual != 111*anchor.One) {
			t.Errorf("the bank has %s and the journal %s", l.Actual, l.Journal)
		}
	}
}

// unheard lets envelopes reach the ledger, and nobody hears of it.
func (w *world) unheard() {
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		switch {
		case r.Method == http.MethodPost:
			next.ServeHTTP(&discard{ResponseWriter: rw}, r)
		case !strings.Contains(r.URL.Path, "/transactions/") || r.Header.Get("Accept") == "text/event-stream":
			return false
		}
		rw.WriteHeader(http.StatusBadGateway)
		return true
	})
}

// untilUnheard waits until one has.
func (w *world) untilUnheard() (tx *horizon.Transaction) {
	w.t.Helper()
	w.until("it is in the ledger", func() bool {
		live, err := w.books.LiveEnvelopes(w.t.Context())
		must(w.t, err)
		if len(live) == 0 {
			return false
		}
		tx, err = w.plain.Transaction(w.t.Context(), live[0].Hash)
		return err == nil
	})
	return tx
}

// A balance that nobody claimed has come back, and nobody heard of it: it is more
// that we have, and no less.
func TestItAgreesWhileABalanceComesBack(t *testing.T) {
	w := newWorld(t)
	w.claimBack = 8 * time.Second
	w.do(w.customer, nil, []txnbuild.Operation{&txnbuild.ChangeTrust{Line: w.line().MustToChangeTrustAsset(), Limit: "0"}})
	stop := w.start()
	deposit := w.open(anchor.Deposit)
	w.transfer(deposit.Reference)
	w.untilStatus(anchor.Completed, deposit.ID)
	w.untilZero()
	w.unheard()
	tx := w.untilUnheard()
	stop()
	w.gate.Set(nil)
	w.items(w.agrees(), "our accounts USDW 99 not_settled "+tx.Listed(), "our accounts native -0.00002 not_settled "+tx.Listed())
	w.start()
	w.untilZero()
}

// discard swallows an answer, so that another can be given.
type discard struct {
	http.ResponseWriter
	header http.Header
}

func (d *discard) Header() http.Header {
	if d.header == nil {
		d.header = http.Header{}
	}
	return d.header
}
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// Money that was moved by hand is a difference, before it was read and after.
func TestMovedByHand(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.flows()
	w.untilZero()
	stop()
	hash := w.pay(w.distribution, w.customer.Address(), "17", nil)
	r, err := w.compare()
	must(t, err)
	if r.Agrees {
		t.Error("it agrees")
	}
	w.items(r, "our accounts USDW -17 left_unexplained "+hash, "our accounts native -0.00001 fee_not_read "+hash)
	w.items(w.agrees(hash), "our accounts USDW -17 left_unexplained "+hash, "our accounts native -0.00001 fee_not_read "+hash)

	w.start()
	w.until("it was read", func() bool {
		r, err = w.compare()
		must(t, err)
		return len(r.Items) == 1
	})
	if r.Agrees || !strings.HasSuffix(text(t, r), "The journal DIFFERS in one line.\n") {
		t.Errorf("it says\n%s", text(t, r))
	}
	w.items(r, "unexplained USDW -17 left_unexplained "+hash)
	w.agrees(strings.ToUpper(hash))
}

// Two errors that cancel each other out do not agree.
func TestErrorsThatCancelOut(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	_, _, hash := w.flows()
	w.untilZero()
	stop()
	w.forget("received", hash) // the journal has 100 too few
	w.pay(w.distribution, w.customer.Address(), "100", nil)
	r, err := w.compare()
	must(t, err)
	if got := text(t, r); r.Agrees || !strings.HasSuffix(got, "The sums agree, but something that is listed above DIFFERS.\n") {
		t.Errorf("it says\n%s", got)
	}
}

// Books that are wrong, each in its own way, and what is said of it.
func TestWrongBooks(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	deposit, withdrawal, hash := w.flows()
	w.untilZero()
	stop()
	envelope, err := w.books.PayoutsOf(t.Context(), "transaction", deposit.ID)
	must(t, err)
	var inner string
	must(t, w.books.Update(t.Context(), store.Operator, func(tx *store.Tx) error {
		e, err := tx.Envelope(envelope[0].Envelope)
		if err == nil {
			inner = e.Hash
		}
		return err
	}))

	// Each spoils the books a little more.
	var all []string
	differs := func(of *anchor.Transaction, want ...string) {
		t.Helper()
		all = append(all, want...)
		r, err := w.compare()
		must(t, err)
		if r.Agrees {
			t.Errorf("it agrees:\n%s", text(t, r))
		}
		w.items(r, all...)
		if of == nil {
			return
		}
		for _, i := range r.Items {
			if strings.HasSuffix(want[0], i.Reference) && !slices.Contains(i.Transactions, of.ID) {
				t.Errorf("%s %s is of %v, not %s", i.Why, i.Reference, i.Transactions, of.ID)
			}
		}
	}
	w.forget("received", hash)
	differs(withdrawal, "our accounts USDW 100 not_in_journal "+hash)

	w.forget("arrived", inner)
	differs(deposit, "our accounts USDW -99 not_in_journal "+deposit.StellarID)

	w.tamper(`UPDATE postings SET amount = amount + 3 * SIGN(amount) WHERE entry_id = (SELECT id FROM journal WHERE kind = 'network_fee' AND reference = $1)`, inner)
	differs(nil, "our accounts native 0.0000003 amounts_differ "+deposit.StellarID)

	must(t, w.books.Update(t.Context(), store.Operator, func(tx *store.Tx) error {
		return tx.Post(time.Now(), anchor.Move("invented", "", "nowhere", w.asset, 1, anchor.Capital, anchor.Distribution))
	}))
	differs(nil, "our accounts USDW -0.0000001 only_in_journal nowhere")

	w.forget("received", deposit.ExternalID)
	differs(deposit, "bank USD 100 not_in_journal "+deposit.ExternalID)

	_, err = w.bank.Pay(t.Context(), rail.Order{ID: "a charge", Asset: usd, Amount: 30 * anchor.One, Until: time.Now().Add(time.Minute)})
	must(t, err)
	must(t, w.bank.Settle(t.Context()))
	account, err := w.bank.Account(t.Context(), time.Time{})
	must(t, err)
	differs(nil, "bank USD -30 not_in_journal "+account.Lines[len(account.Lines)-1].ID)

	r, err := w.compare()
	must(t, err)
	b, err := json.Marshal(r)
	must(t, err)
	if got := string(b); !strings.Contains(got, `"agrees":false`) || !strings.Contains(got, `"amount":"-0.0000001"`) || strings.Contains(got, "Ana") {
		t.Error(got)
	}
	// A person has looked into all of them.
	var explained []string
	for _, i := range r.Items {
		explained = append(explained, i.Reference)
	}
	w.items(w.agrees(explained...), all...)
}

// What the bank does wrong with an order that is open explains nothing, and a
// line that the books could not take is named.
func TestTheBankIsWrong(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.deposits(3)
	var orders []*anchor.BankPayout
	for range 2 {
		a := w.open(anchor.Withdrawal)
		w.pay(w.customer, w.distribution.Address(), "100", memo(a))
		w.untilStatus(anchor.PendingExternal, a.ID)
		all, err := w.books.BankPayoutsOf(t.Context(), a.ID)
		must(t, err)
		orders = append(orders, all...)
	}
	w.untilZero()
	stop()
	must(t, w.bank.Settle(t.Context()))
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		return tx.RefuseLine(&anchor.BankLine{ID: "odd", At: time.Now()})
	}))
	wrong := &wrongBank{Simulated: w.bank}
	look := func(want ...string) {
		t.Helper()
		r, err := w.compareWith(wrong)
		must(t, err)
		w.items(r, want...)
		differs := strings.Contains(strings.Join(want, " "), "differs") || strings.Contains(strings.Join(want, " "), "refused")
		if r.Agrees == differs {
			t.Errorf("it agrees: %v\n%s", r.Agrees, text(t, r))
		}
	}
	id := func(n int) string {
		tr, err := w.bank.Lookup(t.Context(), orders[n].ID)
		must(t, err)
		return tr.ID
	}
	first, second := "bank USD -99 order_not_booked "+id(0), "bank USD -99 order_not_booked "+id(1)
	look(first, second)
	wrong.more = []rail.Line{{ID: "again", Order: orders[0].ID, At: time.Now(), Asset: usd, Amount: -99 * anchor.One}}
	look(first, second, "bank USD -99 order_differs again")
	wrong.more, wrong.change = nil, func(l *rail.Line) {
		if l.Order == orders[1].ID {
			l.Amount -= anchor.One
		}
	}
	look(first, "bank USD -100 order_differs "+id(1))
	wrong.change, wrong.more = nil, []rail.Line{{ID: "odd", At: time.Now(), Asset: usd, Amount: 13 * anchor.One}}
	look(first, second, "bank USD 13 line_refused odd")
}

// wrongBank has booked what it should not have.
type wrongBank struct {
	*rail.Simulated

	more   []rail.Line
	change func(*rail.Line)
}

func (b *wrongBank) Account(ctx context.Context, since time.Time) (rail.Account, error) {
	a, err := b.Simulated.Account(ctx, since)
	for i := range a.Lines {
		if b.change != nil {
			was := a.Lines[i].Amount
			b.change(&a.Lines[i])
			a.Balances[usd] += a.Lines[i].Amount - was
		}
	}
	for _, l := range b.more {
		a.Balances[usd] += l.Amount
	}
	a.Lines = append(a.Lines, b.more...)
	return a, err
}

// What exists of our asset, and who destroyed some of it.
func TestIssued(t *testing.T) {
	w := newWorld(t)
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.URL.Path == "/assets" {
			rw.WriteHeader(http.StatusNotFound)
			_, _ = rw.Write([]byte(`{"type":"https://stellar.org/horizon-errors/not_found","status":404}`))
		}
		return r.URL.Path == "/assets"
	})
	r := w.agrees()
	if !r.Incomplete || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "USDW is not compared") || !strings.Contains(text(t, r), r.Notes[0]) {
		t.Errorf("a Horizon that cannot tell what exists is noted as %q", r.Notes)
	}
	w.gate.Set(nil)
	stop := w.start()
	w.untilZero()
	if w.agrees().Incomplete {
		t.Error("incomplete, though Horizon tells all")
	}
	toCustomer := w.do(w.issuer, nil, []txnbuild.Operation{&txnbuild.Payment{Destination: w.customer.Address(), Asset: w.line(), Amount: "9"}})
	burnt := w.pay(w.customer, w.issuer.Address(), "2.5", nil)
	var err error
	r, err = w.compare()
	must(t, err)
	w.items(r, "issued USDW 9 not_in_journal "+toCustomer, "issued USDW -2.5 not_in_journal "+burnt)
	stop()
	back := w.pay(w.distribution, w.issuer.Address(), "1", nil)
	w.items(w.agrees(toCustomer, burnt), "issued USDW 9 not_in_journal "+toCustomer, "issued USDW -2.5 not_in_journal "+burnt,
		"issued USDW -1 not_read "+back, "our accounts USDW -1 not_read "+back, "our accounts native -0.00001 fee_not_read "+back)
}

// What stands in the way of comparing is an error, and says so.
func TestItCannotBeCompared(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.until("the head was read", func() bool {
		c, _, err := w.books.Cursor(t.Context(), incoming.CursorName(w.fee.Address()))
		must(t, err)
		return c.Ledger != 0
	})
	w.untilZero()
	stop()
	fails := func(says string) {
		t.Helper()
		if _, err := w.compare(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("it says %v, not %q", err, says)
		}
	}
	w.gate.Set(func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		if strings.HasPrefix(r.URL.Path, "/accounts/") {
			next.ServeHTTP(&without{rw}, r)
			return true
		}
		return false
	})
	fails("Latest-Ledger")
	w.gate.Set(func(rw http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
		rw.WriteHeader(http.StatusBadGateway)
		return true
	})
	fails("502")
	w.gate.Set(nil)
	w.tamper(`UPDATE cursors SET ledger_hash = 'another' WHERE name LIKE 'payments:%'`)
	fails("another network")
	w.tamper(`UPDATE cursors SET ledger = 0, ledger_hash = '' WHERE name LIKE 'payments:%'`)
	w.agrees()
	w.tamper(`UPDATE cursors SET value = 'else:1' WHERE name = 'bank'`)
	fails("another bank")
}

// without leaves the ledger's number out of an answer.
type without struct{ http.ResponseWriter }

func (w *without) WriteHeader(status int) {
	w.Header().Del("Latest-Ledger")
	w.ResponseWriter.WriteHeader(status)
}

func (w *without) Write(b []byte) (int, error) {
	w.Header().Del("Latest-Ledger")
	return w.ResponseWriter.Write(b)
}
