package store_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// TestActs: what somebody wishes is done once for its key, in the audit trail
// with it, and known after a crash; what was refused was never wished.
func TestActs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBooks(t, dir)
	id := b.funded(t, anchor.Deposit, 7)
	done := 0
	wish := func(b *books, actor store.Actor, key, operation, input string, refusal error) (answer string, err error) {
		err = b.Update(t.Context(), actor, func(tx *store.Tx) (err error) {
			answer, err = tx.Once(key, operation, []byte(input), "Ada Lovelace called", noon, func() (store.Act, error) {
				a, err := tx.Transaction(id)
				if err != nil {
					return store.Act{}, err
				}
				a.Note = "touched"
				done++
				return store.Act{Transaction: id, Subject: "payment:9", Answer: "answer of " + input}, errors.Join(tx.SaveTransaction(a), refusal)
			})
			return err
		})
		return answer, err
	}

	if _, err := wish(b, "staff:ada", "k", "hold", "this", errors.New("no")); err == nil || done != 1 {
		t.Errorf("%v, done %d times", err, done)
	}
	if answer, err := wish(b, "staff:ada", "k", "hold", "this", nil); answer != "answer of this" || err != nil || done != 2 {
		t.Errorf("%q, %v, done %d times", answer, err, done)
	}
	// The process ends before the answer is told.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openBooks(t, dir)
	if answer, err := wish(b, "staff:bob", "k", "hold", "this", errors.New("not done again")); answer != "answer of this" || err != nil || done != 2 {
		t.Errorf("%q, %v, done %d times", answer, err, done)
	}
	_, err := wish(b, "staff:ada", "k", "release", "this", nil)
	kindIs(t, err, anchor.Conflict, "key_reused")
	_, err = wish(b, "staff:ada", "k", "hold", "that", nil)
	kindIs(t, err, anchor.Conflict, "key_reused")
	if done != 2 {
		t.Errorf("done %d times", done)
	}
	if answer, err := wish(b, "staff:ada", "l", "hold", "that", nil); answer != "answer of that" || err != nil {
		t.Errorf("%q, %v", answer, err)
	}

	// The trail has what was done, by whom, and what they wrote; the customer's
	// timeline has the steps only.
	if n := b.count(t, `SELECT count(*) FROM asked`); n != 2 {
		t.Errorf("%d keys", n)
	}
	for _, q := range []store.Trail{{Transaction: id}, {Transaction: id, Subject: "payment:9"}, {Subject: "payment:9"}, {}} {
		all, _, err := b.Audit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		acts := slices.DeleteFunc(all, func(e *store.AuditEntry) bool { return e.Event != "hold" })
		if len(acts) != 2 || acts[0].ID <= acts[1].ID || acts[1].Actor != "staff:ada" || acts[1].Transaction != id || acts[1].Subject != "payment:9" ||
			acts[1].Note != "Ada Lovelace called" || acts[1].From != "" || !acts[1].At.Equal(noon) {
			t.Errorf("%+v finds %+v", q, acts)
		}
	}
	steps, err := b.Timeline(t.Context(), id)
	if err != nil || slices.ContainsFunc(steps, func(e store.TimelineEntry) bool { return e.To == "" }) || len(steps) < 3 {
		t.Errorf("the timeline is %+v, %v", steps, err)
	}
	all, _, err := b.Audit(t.Context(), store.Trail{})
	if err != nil || len(all) != len(steps)+2 {
		t.Fatalf("%d entries, %v", len(all), err)
	}
	first, end, err := b.Audit(t.Context(), store.Trail{Page: store.Page{Oldest: true, Limit: 1}})
	if err != nil || len(first) != 1 || end == "" || first[0].Event != "started" || first[0].To != anchor.Incomplete {
		t.Errorf("%+v, %v", first, err)
	}

	// What people wrote, and what they wished, cannot be read past the store.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "books.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte("Lovelace")) {
			t.Errorf("%s has the note", f)
		}
	}
}

// TestMovedNote: a note opens beside its own entry only.
func TestMovedNote(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	b.do(t, func(tx *store.Tx) error {
		return errors.Join(tx.Audit("one", "", "", "first", noon), tx.Audit("two", "", "", "", noon))
	})
	if _, err := b.raw(t).Exec(`UPDATE audit_notes SET audit_id = 2`); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Audit(t.Context(), store.Trail{}); err == nil || strings.Contains(err.Error(), "first") {
		t.Error(err)
	}
}

// listed are books with four lines, three orders and three intents, a to d.
func listed(t *testing.T) *books {
	t.Helper()
	b := newBooks(t)
	b.do(t, func(tx *store.Tx) error {
		var errs []error
		for i, state := range []anchor.Match{anchor.Unmatched, anchor.Matched, anchor.Unmatched, anchor.Unmatched} {
			errs = append(errs, tx.CreateBankLine(&anchor.BankLine{ID: string(rune('a' + i)), At: noon.Add(-time.Duration(i/3) * time.Hour), Asset: usd, Amount: 5, State: state, Transaction: "t"}))
		}
		for i, state := range []anchor.BankPayoutState{anchor.BankQueued, anchor.BankRefused, anchor.BankRefused} {
			p := &anchor.BankPayout{ID: string(rune('a' + i)), CauseKind: anchor.CauseLine, CauseID: "c", Ordinal: i, Purpose: anchor.ForRefund,
				Asset: usd, Amount: 5, State: state, CreatedAt: noon}
			if i == 2 {
				p.Retries = "b"
			}
			errs = append(errs, tx.CreateBankPayout(p))
		}
		for i, state := range []anchor.PayoutState{anchor.PayoutQueued, anchor.PayoutParked, anchor.PayoutParked} {
			p := payout("c", anchor.ForRefund, i)
			p.ID, p.State = string(rune('a'+i)), state
			errs = append(errs, tx.CreatePayout(p))
		}
		return errors.Join(append(errs, tx.CreatePayment(payment("12")))...)
	})
	return b
}

// pages walks through a list row by row, and tells the rows' names.
func pages[T any](t *testing.T, oldest bool, list func(store.Page) ([]T, string, error), name func(T) string) string {
	t.Helper()
	var names []string
	for p := (store.Page{Limit: 1, Oldest: oldest}); ; {
		all, end, err := list(p)
		if err != nil || len(all) > 1 {
			t.Fatal(len(all), err)
		}
		for _, row := range all {
			names = append(names, name(row))
		}
		if p.After = end; end == "" {
			return strings.Join(names, " ")
		}
	}
}

// TestStaffLists: what staff look through comes in pages, newest first or oldest
// first.
func TestStaffLists(t *testing.T) {
	t.Parallel()
	b := listed(t)
	ctx := t.Context()
	lines := func(unmatched, oldest bool) string {
		return pages(t, oldest, func(p store.Page) ([]*anchor.BankLine, string, error) { return b.BankLines(ctx, unmatched, p) }, func(l *anchor.BankLine) string { return l.ID })
	}
	orders := func(state anchor.BankPayoutState, undecided, oldest bool) string {
		return pages(t, oldest, func(p store.Page) ([]*anchor.BankPayout, string, error) {
			return b.BankPayouts(ctx, state, undecided, p)
		}, func(p *anchor.BankPayout) string { return p.ID })
	}
	intents := func(state anchor.PayoutState, oldest bool) string {
		return pages(t, oldest, func(p store.Page) ([]*anchor.Payout, string, error) { return b.Payouts(ctx, state, p) }, func(p *anchor.Payout) string { return p.ID })
	}
	for name, got := range map[string][2]string{
		"all lines":               {lines(false, false), "c b a d"},
		"from the oldest":         {lines(false, true), "d a b c"},
		"unmatched lines":         {lines(true, false), "c a d"},
		"unmatched, as they came": {lines(true, true), "d a c"},
		"all orders":              {orders("", false, false), "c b a"},
		"refused orders":          {orders(anchor.BankRefused, false, false), "c b"},
		"that need somebody":      {orders(anchor.BankRefused, true, true), "c"},
		"orders for somebody":     {orders("", true, true), "c"},
		"parked intents":          {intents(anchor.PayoutParked, false), "c b"},
		"as they were made":       {intents("", true), "a b c"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, want %q", name, got[0], got[1])
		}
	}
	of, err := b.PayoutsOfEach(ctx, anchor.CauseTransaction, []string{"c", "x"})
	if err != nil || len(of) != 1 || len(of["c"]) != 3 || of["c"][0].ID != "a" {
		t.Errorf("%v, %v", of, err)
	}
	to, err := b.BankPayoutsOfEach(ctx, anchor.CauseLine, []string{"c", "x"})
	if err != nil || len(to) != 1 || len(to["c"]) != 3 || to["c"][0].ID != "a" {
		t.Errorf("%v, %v", to, err)
	}
	meant, err := b.BankLinesOfEach(ctx, []string{"t", ""})
	if err != nil || len(meant) != 1 || len(meant["t"]) != 4 || meant["t"][0].ID != "d" {
		t.Errorf("%v, %v", meant, err)
	}
	for name, err := range map[string]error{
		"payment": second(b.Payment(ctx, "12")), "line": second(b.BankLine(ctx, "a")), "order": second(b.BankPayout(ctx, "a")), "intent": second(b.Payout(ctx, "a")),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, err := range []error{second(b.Payment(ctx, "x")), second(b.BankLine(ctx, "x")), second(b.BankPayout(ctx, "x")), second(b.Payout(ctx, "x"))} {
		kindIs(t, err, anchor.NotFound, "not_found")
	}
}

// TestCursors: a cursor is good for its own list and order, and nothing else is one.
func TestCursors(t *testing.T) {
	t.Parallel()
	b := listed(t)
	_, end, err := b.BankLines(t.Context(), false, store.Page{Limit: 1})
	if err != nil || end == "" {
		t.Fatal(end, err)
	}
	encoded := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, after := range []string{"x", "!", end[1:], encoded(" "), encoded("null"), encoded("{}"), encoded(`["bank_lines<"]`), encoded(`["bank_lines<", 1]`),
		encoded(`["bank_lines<", 1.5, "a"]`), encoded(`["bank_lines<", 1e300, "a"]`), encoded(`["bank_lines<", "1", "a"]`), encoded(`["bank_lines<", 1, 2]`),
		encoded(`["bank_lines<", 1, null]`), encoded(`["bank_lines<", [1], "a"]`), encoded(`["bank_lines<", 1, "a", "b"]`), encoded(`["payouts<", "a"]`)} {
		_, _, err := b.BankLines(t.Context(), false, store.Page{After: after, Limit: 1})
		kindIs(t, err, anchor.Invalid, "cursor_malformed")
	}
	_, _, err = b.BankLines(t.Context(), false, store.Page{After: end, Limit: 1, Oldest: true})
	kindIs(t, err, anchor.Invalid, "cursor_malformed")
	_, _, err = b.Payouts(t.Context(), "", store.Page{After: end, Limit: 1})
	kindIs(t, err, anchor.Invalid, "cursor_malformed")

	// What comes meanwhile shifts nothing.
	b.do(t, func(tx *store.Tx) error {
		return tx.CreateBankLine(&anchor.BankLine{ID: "z", At: noon.Add(time.Hour), Asset: usd, Amount: 5, State: anchor.Matched})
	})
	if next, _, err := b.BankLines(t.Context(), false, store.Page{After: end, Limit: 1}); err != nil || len(next) != 1 || next[0].ID != "b" {
		t.Errorf("%+v, %v", next, err)
	}
}

func second[T any](_ T, err error) error { return err }
