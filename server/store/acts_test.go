package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
		all, err := b.Audit(t.Context(), q)
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
	all, err := b.Audit(t.Context(), store.Trail{})
	if err != nil || len(all) != len(steps)+2 {
		t.Fatalf("%d entries, %v", len(all), err)
	}
	first, err := b.Audit(t.Context(), store.Trail{Before: "2", Limit: 5})
	if err != nil || len(first) != 1 || first[0].Event != "started" || first[0].To != anchor.Incomplete {
		t.Errorf("%+v, %v", first, err)
	}
	_, err = b.Audit(t.Context(), store.Trail{Before: "x"})
	kindIs(t, err, anchor.Invalid, "")

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
	if _, err := b.Audit(t.Context(), store.Trail{}); err == nil || strings.Contains(err.Error(), "first") {
		t.Error(err)
	}
}

// TestStaffLists: what staff look through comes in pages, newest first.
func TestStaffLists(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := t.Context()
	b.do(t, func(tx *store.Tx) error {
		var errs []error
		for i, state := range []anchor.Match{anchor.Unmatched, anchor.Matched, anchor.Unmatched, anchor.Unmatched} {
			errs = append(errs, tx.CreateBankLine(&anchor.BankLine{ID: string(rune('a' + i)), At: noon, Asset: usd, Amount: 5, State: state, Transaction: "t"}))
		}
		for i, state := range []anchor.BankPayoutState{anchor.BankQueued, anchor.BankRefused, anchor.BankRefused} {
			errs = append(errs, tx.CreateBankPayout(&anchor.BankPayout{ID: string(rune('a' + i)), CauseKind: anchor.CauseLine, CauseID: "c", Ordinal: i, Purpose: anchor.ForRefund,
				Asset: usd, Amount: 5, State: state, CreatedAt: noon}))
		}
		for i, state := range []anchor.PayoutState{anchor.PayoutQueued, anchor.PayoutParked, anchor.PayoutParked} {
			p := payout("c", anchor.ForRefund, i)
			p.ID, p.State, p.CauseKind = string(rune('a'+i)), state, anchor.CausePayment
			errs = append(errs, tx.CreatePayout(p))
		}
		return errors.Join(append(errs, tx.CreatePayment(payment("12")))...)
	})
	lines := func(all []*anchor.BankLine, err error) string {
		var ids []string
		for _, l := range all {
			ids = append(ids, l.ID)
		}
		return joined(ids, err)
	}
	orders := func(all []*anchor.BankPayout, err error) string {
		var ids []string
		for _, p := range all {
			ids = append(ids, p.ID)
		}
		return joined(ids, err)
	}
	intents := func(all []*anchor.Payout, err error) string {
		var ids []string
		for _, p := range all {
			ids = append(ids, p.ID)
		}
		return joined(ids, err)
	}
	for name, got := range map[string][2]string{
		"all lines":        {lines(b.BankLines(ctx, false, "", 9)), "d c b a"},
		"unmatched lines":  {lines(b.BankLines(ctx, true, "", 2)), "d c"},
		"and more":         {lines(b.BankLines(ctx, true, "c", 2)), "a"},
		"after no line":    {lines(b.BankLines(ctx, true, "x", 2)), "after must be a line's id"},
		"all orders":       {orders(b.BankPayouts(ctx, "", "", 9)), "c b a"},
		"refused orders":   {orders(b.BankPayouts(ctx, anchor.BankRefused, "", 9)), "c b"},
		"and more orders":  {orders(b.BankPayouts(ctx, anchor.BankRefused, "c", 9)), "b"},
		"parked intents":   {intents(b.PayoutsIn(ctx, anchor.PayoutParked, "", 1)), "c"},
		"and more intents": {intents(b.PayoutsIn(ctx, anchor.PayoutParked, "c", 9)), "b"},
	} {
		if !strings.HasPrefix(got[0], got[1]) || len(got[0]) > 2*len(got[1]) {
			t.Errorf("%s: %q, want %q", name, got[0], got[1])
		}
	}
	of, err := b.PayoutsOfEach(ctx, anchor.CausePayment, []string{"c", "x"})
	if err != nil || len(of) != 1 || intents(of["c"], nil) != "a b c" {
		t.Errorf("%v, %v", of, err)
	}
	to, err := b.BankPayoutsOfEach(ctx, anchor.CauseLine, []string{"c", "x"})
	if err != nil || len(to) != 1 || orders(to["c"], nil) != "a b c" {
		t.Errorf("%v, %v", to, err)
	}
	meant, err := b.BankLinesOfEach(ctx, []string{"t", ""})
	if err != nil || len(meant) != 1 || lines(meant["t"], nil) != "a b c d" {
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

func second[T any](_ T, err error) error { return err }

func joined(ids []string, err error) string {
	if err != nil {
		return err.Error()
	}
	return strings.Join(ids, " ")
}
