package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/rig"
	"windlass/server/store"
)

// books reads the books, or puts them in place, while the anchor stands still.
func (h *house) books() (copied []byte) {
	h.t.Helper()
	h.stop()
	copied, err := os.ReadFile(h.cfg.Database.Path)
	rig.Must(h.t, err)
	return copied
}

func (h *house) putBack(copied []byte) {
	h.t.Helper()
	h.stop()
	rig.Must(h.t, os.WriteFile(h.cfg.Database.Path, copied, 0o600))
}

// staff asks for a mutation as a member of staff does, and returns the reason why
// it was refused, "" if it was not.
func (h *house) staff(mutation string, arguments ...any) (reason string) {
	h.t.Helper()
	ask := func(path, kind, cookie, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, h.cfg.AdminURL+path, strings.NewReader(body))
		r.Header = http.Header{"Content-Type": {kind}, "Cookie": {cookie}, "Origin": {h.cfg.AdminURL}}
		w := httptest.NewRecorder()
		h.app.admin.ServeHTTP(w, r)
		return w
	}
	link, err := h.app.keys.SignInLink("sam", time.Now())
	rig.Must(h.t, err)
	u, err := url.Parse(link)
	rig.Must(h.t, err)
	in := ask("/signin", "application/x-www-form-urlencoded", "", u.RawQuery)
	cookie, err := http.ParseSetCookie(in.Header().Get("Set-Cookie"))
	rig.Must(h.t, err)
	query, err := json.Marshal(map[string]string{"query": "mutation { " + fmt.Sprintf(mutation, arguments...) + " }"})
	rig.Must(h.t, err)
	var answer struct{ Errors []gqlError }
	text := ask("/graphql", "application/json", cookie.Name+"="+cookie.Value, string(query)).Body.Bytes()
	if err := json.Unmarshal(text, &answer); err != nil {
		h.t.Fatalf("%s: %v", text, err)
	}
	if len(answer.Errors) > 0 {
		if reason = answer.Errors[0].Extensions.Reason; reason == "" {
			h.t.Fatalf("%s", text)
		}
	}
	return reason
}

// sent adds up what the bank has paid out.
func (h *house) sent() (sum anchor.Amount) {
	h.t.Helper()
	a, err := h.app.bank.Account(h.t.Context(), time.Time{})
	rig.Must(h.t, err)
	for _, l := range a.Lines {
		if l.Amount < 0 {
			sum -= l.Amount
		}
	}
	return sum
}

func (h *house) ends(what string) {
	h.t.Helper()
	rig.Until(h.t, what+" is over", func() bool {
		all, err := h.app.books.Pauses(h.t.Context())
		rig.Must(h.t, err)
		return !slices.ContainsFunc(all, func(p anchor.Pause) bool { return strings.HasPrefix(p.Key, what) })
	})
}

// A customer was paid today, and yesterday's books are put back. They say that the
// deposit is still to be paid. Whoever asks for the money back at that moment would
// have both: refunds wait until it is known what the ledger has seen.
func TestRefundsWaitUntilTheBooksKnowWhatWasPaid(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	customers := newCustomers(t, h.ledger, h.cfg, 1)
	rig.Must(t, h.update(func(tx *store.Tx) error { return tx.Pause(anchor.PausedByStaff, "closing for today", "staff:sam") }))
	id := h.deposits(customers...)[0]
	h.until(anchor.PendingAnchor, id)
	yesterday := h.books()
	h.start()
	rig.Must(t, h.update(func(tx *store.Tx) error { return tx.Resume(anchor.PausedByStaff) }))
	h.until(anchor.Completed, id)
	h.putBack(yesterday)

	h.start()
	refund := func(key string) string {
		return h.staff(`refundTransaction(transaction: %q, key: %q) { status }`, id, key)
	}
	if reason := refund("at-once"); reason != "books_in_doubt" {
		t.Errorf("a refund at once: %q", reason)
	}
	if reason := h.staff(`hold(transaction: %q, key: "hold") { status }`, id); reason != "" {
		t.Errorf("hold: %q", reason)
	}
	if reason := h.staff(`release(transaction: %q, key: "release") { status }`, id); reason != "books_in_doubt" {
		t.Errorf("a release: %q", reason)
	}
	left := h.unexplained(1)
	if reason := refund("unexplained"); reason != "books_in_doubt" {
		t.Errorf("a refund while something is unexplained: %q", reason)
	}
	for _, pause := range []string{anchor.PausedRestored, anchor.PausedRestoredBank} {
		if reason := h.staff(`resumePayouts(pause: %q, key: %q) { key }`, pause, pause); reason != "books_in_doubt" {
			t.Errorf("resuming %s: %q", pause, reason)
		}
	}
	h.match(left)
	h.until(anchor.Completed, id)
	rig.Must(t, h.update(func(tx *store.Tx) error { return tx.Resume(anchor.PausedByStaff) }))
	h.ends("")
	rig.Until(t, "the doubt is over", func() bool { return refund("afterwards") != "books_in_doubt" })
	h.have("98.5", customers...)
	if got := h.sent(); got > anchor.MustAmount("1.5") { // the fee is all that was left
		t.Errorf("the bank has paid %s besides", got)
	}
	balanced(t, &balance{Config: h.cfg, Horizon: h.at.Horizon, Bank: h.app.bank})
}

// An envelope is on its way when yesterday's books are put back, by a channel that
// was not used since: nothing on the ledger tells of it. It lands while payouts
// wait, and is not paid again by another channel.
func TestAnEnvelopeOnItsWayIsWaitedFor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	customers := newCustomers(t, h.ledger, h.cfg, 2)
	h.until(anchor.Completed, h.deposits(customers[1])...)
	rig.Must(t, h.update(func(tx *store.Tx) error { return tx.Pause(anchor.PausedByStaff, "closing for today", "staff:sam") }))
	id := h.deposits(customers[0])[0]
	h.until(anchor.PendingAnchor, id)
	yesterday := h.books()

	var mu sync.Mutex
	var kept string
	h.gate.Set(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method != http.MethodPost {
			return false
		}
		rig.Must(t, r.ParseForm())
		mu.Lock()
		defer mu.Unlock()
		kept = r.PostForm.Get("tx")
		w.WriteHeader(http.StatusGatewayTimeout)
		return true
	})
	slices.Reverse(h.cfg.keys.Channels)
	h.start()
	rig.Must(t, h.update(func(tx *store.Tx) error { return tx.Resume(anchor.PausedByStaff) }))
	rig.Until(t, "an envelope is on its way", func() bool { mu.Lock(); defer mu.Unlock(); return kept != "" })
	h.putBack(yesterday)
	h.gate.Set(nil)
	slices.Reverse(h.cfg.keys.Channels)

	h.start()
	rig.Must(t, h.update(func(tx *store.Tx) error { return tx.Resume(anchor.PausedByStaff) }))
	more := h.deposits(customers[1])
	h.until(anchor.PendingAnchor, more...)
	h.passes(10)
	h.have("0", customers[0])
	all, err := h.app.books.Pauses(t.Context()) // what the ledger will tell makes orders, too
	rig.Must(t, err)
	if !slices.ContainsFunc(all, func(p anchor.Pause) bool { return p.Key == anchor.PausedRestoredBank }) {
		t.Errorf("the bank is done before the ledger: %+v", all)
	}
	_, err = h.ledger.Submit(t.Context(), kept)
	rig.Must(t, err)
	h.match(h.unexplained(1))
	h.until(anchor.Completed, append(more, id)...)
	h.alarms()
	h.have("98.5", customers[0])
	h.have("197", customers[1])
	balanced(t, &balance{Config: h.cfg, Horizon: h.at.Horizon, Bank: h.app.bank})
	reconciles(t, h.dir, h.at)
}

// The bank has given a deposit back today, which yesterday's books do not know. The
// customer, who could not be paid on the ledger then, can be now, and is not paid
// besides: payouts wait until a person has said again what was decided, and the
// bank, which knows the order, carries it out once.
func TestARefundThatTheBooksHaveForgottenIsDecidedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	customer := rig.NewKey(t)
	rig.Fund(t, h.at.Horizon, customer)
	h.claimable = false
	id := h.deposits(customer)[0]
	h.until(anchor.PendingTrust, id)
	yesterday := h.books()
	h.start()
	rig.Until(t, "the start is over", func() bool { return h.staff(`refundTransaction(transaction: %q, key: "today") { status }`, id) == "" })
	h.until(anchor.Refunded, id)
	h.putBack(yesterday)

	h.start()
	_, err := rig.Submit(t, h.ledger, h.cfg.Network.Passphrase, customer, nil, []txnbuild.Operation{&txnbuild.ChangeTrust{
		Line: txnbuild.CreditAsset{Code: h.cfg.terms[0].Asset.Code, Issuer: h.cfg.terms[0].Asset.Issuer}.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit,
	}})
	rig.Must(t, err)
	h.alarms("paused " + anchor.PausedUnknownOrders)
	h.until(anchor.PendingAnchor, id)
	h.passes(10)
	h.have("0", customer)
	if reason := h.staff(`hold(transaction: %q, key: "hold") { status }`, id); reason != "" {
		t.Errorf("hold: %q", reason)
	}
	if reason := h.staff(`release(transaction: %q, key: "release") { status }`, id); reason != "books_in_doubt" {
		t.Errorf("a release while the bank knows more than the books: %q", reason)
	}
	if reason := h.staff(`refundTransaction(transaction: %q, key: "again") { status }`, id); reason != "" {
		t.Errorf("it is not decided again: %q", reason)
	}
	h.until(anchor.Refunded, id)
	h.alarms()
	h.have("0", customer)
	if got := h.sent(); got != 100*anchor.One {
		t.Errorf("the bank has paid %s", got)
	}
	balanced(t, &balance{Config: h.cfg, Horizon: h.at.Horizon, Bank: h.app.bank})
	reconciles(t, h.dir, h.at)
}

// A refund waited for a second person yesterday, who let it go today. The books that
// are put back have it waiting still: the bank, which has paid it, is asked before
// anybody can take it back, and pay the same money in another way.
func TestWhatWasApprovedSinceIsLookedUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.stop()
	h.cfg.terms[0].PayoutLimit = 10 * anchor.One
	h.start()
	id := h.deposits(newCustomers(t, h.ledger, h.cfg, 1)...)[0]
	h.until(anchor.PendingAnchor, id)
	rig.Until(t, "the start is over", func() bool { return h.staff(`refundTransaction(transaction: %q, key: "back") { status }`, id) == "" })
	orders, err := h.app.books.BankPayoutsOf(t.Context(), id)
	rig.Must(t, err)
	if len(orders) != 1 || orders[0].State != anchor.BankApproval {
		t.Fatalf("the orders are %+v", orders)
	}
	yesterday := h.books()
	h.start()
	rig.Must(t, h.app.books.Update(t.Context(), "staff:ben", func(tx *store.Tx) error { return tx.ApproveBankPayout(orders[0].ID, "staff:ben") }))
	h.until(anchor.Refunded, id)
	h.putBack(yesterday)

	h.start()
	h.ends("restored")
	rig.Until(t, "the start is over", func() bool {
		reason := h.staff(`cancelBankPayout(order: %q, key: "cancel") { state }`, orders[0].ID)
		if reason != "books_in_doubt" && reason != "paid_already" {
			t.Fatalf("cancelling it: %q", reason)
		}
		return reason == "paid_already"
	})
	h.until(anchor.Refunded, id)
	v, err := (&balance{Config: h.cfg, Horizon: h.at.Horizon, Bank: h.app.bank}).look(t.Context())
	rig.Must(t, err)
	if len(v.Findings) != 1 || !strings.Contains(v.Findings[0].Text, "nobody has let it go") { // that somebody has is forgotten
		t.Errorf("%+v", v.Findings)
	}
	reconciles(t, h.dir, h.at)
}
