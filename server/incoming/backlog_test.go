package incoming_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/incoming"
	"windlass/server/rig"
	"windlass/server/store"
)

// backlogOf is how many payments TestBacklog makes; `make backlog` asks for
// 10,000.
func backlogOf(t *testing.T) int {
	t.Helper()
	if s := os.Getenv("BACKLOG"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		return n
	}
	return 600
}

// Thousands of payments were made while the anchor was off. They are caught up
// with, each once, in spite of three crashes; late is who was late by the ledger,
// however long the catching up takes; and a Horizon whose history begins in their
// midst is refused.
func TestBacklog(t *testing.T) {
	w := newWorld(t)
	n := backlogOf(t)
	_, stop := w.follow()
	w.balanced()
	stop()

	const each = 100
	for first := uint64(1); first <= uint64(n); first += each {
		var ops []txnbuild.Operation
		for memo := first; memo < first+each; memo++ {
			ops = append(ops, &txnbuild.Payment{Destination: muxed(w.distribution.Address(), memo), Asset: w.line(), Amount: "5"})
		}
		w.do(w.customer, nil, ops)
	}
	paid := w.paid()
	if len(paid) != n {
		t.Fatalf("%d payments are in the ledger, not %d", len(paid), n)
	}
	// Each deadline is the very moment at which the payment's ledger closed, which
	// is in time; every fiftieth is a moment earlier.
	late := func(i int) bool { return i%50 == 7 }
	ids := w.waiting(n, func(i int) time.Time {
		if late(i) {
			return paid[i].At.Add(-time.Microsecond)
		}
		return paid[i].At
	})

	w.gate.Set(forgetful(paid[n/2].Ledger))
	in, stop := w.follow()
	w.untilAlarm(in, "forgotten")
	stop()
	if got := w.readUpTo(); got >= number(t, paid[0].ID) {
		t.Fatalf("it has read up to %d from a Horizon that has forgotten what came before", got)
	}
	w.gate.Set(nil)

	began := time.Now()
	for _, part := range []int{n / 10, n / 3, n / 2} {
		_, stop := w.follow()
		w.until("a part is caught up with", func() bool { return w.readUpTo() >= number(t, paid[part].ID) })
		stop()
	}
	w.follow()
	w.until("all is caught up with", func() bool { return w.readUpTo() >= number(t, paid[n-1].ID) })
	took := time.Since(began)
	t.Logf("backlog: %d payments caught up with in %.1f s, %.0f a second, with three crashes", n, took.Seconds(), float64(n)/took.Seconds())

	rows, _, err := w.books.Payments(t.Context(), false, store.Page{Limit: 2 * n})
	must(t, err)
	slices.Reverse(rows)
	rows = slices.DeleteFunc(rows, func(p *anchor.Payment) bool { return number(t, p.ID) < number(t, paid[0].ID) })
	if len(rows) != n {
		t.Fatalf("%d rows for %d payments", len(rows), n)
	}
	lateOnes := 0
	for i, p := range rows {
		state, reason := anchor.Matched, ""
		if late(i) {
			lateOnes++
			state, reason = anchor.Unmatched, string(anchor.Late)
		}
		if p.ID != paid[i].ID || p.State != state || p.Reason != reason || p.Transaction != ids[i] {
			t.Fatalf("number %d is %+v, and should be %s %q for %s", i, p, state, reason, ids[i])
		}
	}
	w.untilRead()
	for i, id := range ids {
		if late(i) {
			w.untilStatus(anchor.Expired, id)
		} else if s := w.transaction(id).Status(); s != anchor.PendingAnchor {
			t.Fatalf("number %d is %s", i, s)
		}
	}
	w.balanced()
	if got, want := w.sums()["suspense USDW"], -5*anchor.One*anchor.Amount(lateOnes); got != want {
		t.Errorf("%s are in suspense, not %s", got, want)
	}
}

func number(t *testing.T, id string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(id, 10, 64)
	must(t, err)
	return n
}

// paid are the customer's payments to us that the ledger has, in its order.
func (w *world) paid() (all []horizon.Payment) {
	w.t.Helper()
	for cursor := ""; ; {
		page, err := w.plain.Payments(w.t.Context(), w.distribution.Address(), cursor, horizon.PageSize)
		must(w.t, err)
		for _, p := range page {
			cursor = p.ID
			if p.From.Account() == w.customer.Address() {
				all = append(all, p)
			}
		}
		if len(page) < horizon.PageSize {
			return all
		}
	}
}

// waiting opens withdrawals of 5 with the memos from 1 on.
func (w *world) waiting(n int, deadline func(int) time.Time) (ids []string) {
	w.t.Helper()
	now := time.Now()
	for len(ids) < n {
		must(w.t, w.books.Update(w.t.Context(), store.Customer, func(tx *store.Tx) error {
			for range min(500, n-len(ids)) {
				a := anchor.Start(store.NewID(), anchor.Withdrawal, w.terms, anchor.Identity{Account: w.customer.Address()}, anchor.Address(w.customer.Address()), now, now)
				a.Method, a.Reviewed = "bank_transfer", true
				if err := a.SetAmount(w.terms, 5*anchor.One); err != nil {
					return err
				}
				i := len(ids)
				if err := a.Agree(anchor.Instructions{AnchorAccount: w.distribution.Address(), Memo: anchor.IDMemo(uint64(i + 1)), Deadline: deadline(i)}, now); err != nil {
					return err
				}
				if err := tx.CreateTransaction(a); err != nil {
					return err
				}
				ids = append(ids, a.ID)
			}
			return nil
		}))
	}
	return ids
}

// readUpTo is the payment that the books have read last.
func (w *world) readUpTo() int64 {
	w.t.Helper()
	c, _, err := w.books.Cursor(w.t.Context(), incoming.CursorName(w.distribution.Address()))
	must(w.t, err)
	n, err := strconv.ParseInt("0"+c.Value, 10, 64)
	must(w.t, err)
	return n
}

// forgetful makes a Horizon of one whose history begins with the ledger elder, as
// HISTORY_RETENTION_COUNT does: it says so, older ledgers are gone, and a page that
// is asked for from before begins there without a word.
func forgetful(elder uint32) rig.Rule {
	return func(rw http.ResponseWriter, r *http.Request, next http.Handler) bool {
		rw.Header().Set("Content-Type", "application/hal+json")
		name, isLedger := strings.CutPrefix(r.URL.Path, "/ledgers/")
		sequence, err := strconv.ParseUint(name, 10, 32)
		switch {
		case r.URL.Path == "/":
			rec := httptest.NewRecorder()
			plain := r.Clone(r.Context())
			plain.Header.Del("Accept-Encoding")
			next.ServeHTTP(rec, plain)
			var root map[string]any
			if err := json.Unmarshal(rec.Body.Bytes(), &root); err != nil {
				rw.WriteHeader(http.StatusInternalServerError)
				return true
			}
			root["history_elder_ledger"] = elder
			_ = json.NewEncoder(rw).Encode(root)
			return true
		case isLedger && err == nil && sequence < uint64(elder):
			rw.Header().Set("Content-Type", "application/problem+json")
			rw.WriteHeader(http.StatusGone)
			_, _ = fmt.Fprint(rw, `{"type":"https://stellar.org/horizon-errors/before_history","title":"Data Requested Is Before Recorded History","status":410}`)
			return true
		}
		q := r.URL.Query()
		if cursor, err := strconv.ParseInt(q.Get("cursor"), 10, 64); err == nil && cursor < int64(elder)<<32 {
			q.Set("cursor", strconv.FormatInt(int64(elder)<<32, 10))
			r = r.Clone(r.Context())
			r.URL.RawQuery = q.Encode()
			next.ServeHTTP(rw, r)
			return true
		}
		return false
	}
}
