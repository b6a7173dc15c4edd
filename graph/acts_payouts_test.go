package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"windlass/server/anchor"
	"windlass/server/store"
)

// TestPayoutActs: a parked payout begins anew, one above a limit goes when
// somebody else says so, and any other is left alone.
func TestPayoutActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	terms := *w.terms
	terms.PayoutLimit = 50 * anchor.One
	w.books.Limit([]*anchor.Terms{&terms})
	kim, lee := w.staff(), w.staff()
	lee.name = "lee"

	// A deposit, a withdrawal and two refunds that kim decides, all above the limit.
	in, out := w.agreed(anchor.Deposit), w.agreed(anchor.Withdrawal)
	w.came(in, 100*anchor.One)
	w.came(out, 100*anchor.One)
	refund := func(c caller, name string, v map[string]any) string {
		t.Helper()
		got, problems := c.press(name, v)
		if told(problems) != "" || got.str(name+".refund.state") != "approval" {
			t.Fatal(got, problems)
		}
		return got.str(name + ".refund.purpose")
	}
	refund(kim, "refundPayment", map[string]any{"payment": w.strayPayment()})
	refund(kim, "refundBankLine", map[string]any{"line": w.strayLine()})

	waiting := kim.do(`{ payouts(state: approval) { nodes { id purpose reason requestedBy actions } } bankPayouts(state: approval) { nodes { id purpose reason requestedBy actions } } }`, nil)
	for path, want := range map[string]string{
		"payouts.nodes.0.purpose": "refund", "payouts.nodes.0.reason": "payout_limit", "payouts.nodes.0.requestedBy": "staff:kim", "payouts.nodes.0.actions": "[approvePayout cancelPayout]",
		"payouts.nodes.1.purpose": "payout", "payouts.nodes.1.requestedBy": "", "bankPayouts.nodes.0.requestedBy": "staff:kim", "bankPayouts.nodes.0.actions": "[approveBankPayout cancelBankPayout]", "bankPayouts.nodes.1.requestedBy": "",
	} {
		if got := waiting.str(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	theirs, program := waiting.str("payouts.nodes.0.id"), waiting.str("payouts.nodes.1.id")
	orderOfKim, orderOfProgram := waiting.str("bankPayouts.nodes.0.id"), waiting.str("bankPayouts.nodes.1.id")
	for _, c := range []struct {
		who       caller
		mutation  string
		variables map[string]any
		want      string
	}{
		{kim, "approvePayout", map[string]any{"payout": theirs}, "CONFLICT four_eyes"},
		{kim, "approveBankPayout", map[string]any{"order": orderOfKim}, "CONFLICT four_eyes"},
		{lee, "retryPayout", map[string]any{"payout": theirs}, "CONFLICT not_parked"},
		{lee, "approvePayout", map[string]any{"payout": theirs}, ""},
		{lee, "approvePayout", map[string]any{"payout": theirs}, "CONFLICT not_in_approval"},
		{lee, "approveBankPayout", map[string]any{"order": orderOfKim}, ""},
		{lee, "approveBankPayout", map[string]any{"order": orderOfKim}, "CONFLICT not_in_approval"},
		{kim, "approvePayout", map[string]any{"payout": program}, ""},
		{kim, "approveBankPayout", map[string]any{"order": orderOfProgram}, ""},
		{kim, "approvePayout", map[string]any{"payout": "x"}, "NOT_FOUND not_found payout"},
		{kim, "approveBankPayout", map[string]any{"order": "x"}, "NOT_FOUND not_found order"},
		{kim, "retryPayout", map[string]any{"payout": "x"}, "NOT_FOUND not_found payout"},
	} {
		got, problems := c.who.press(c.mutation, c.variables)
		if told(problems) != c.want || c.want == "" && got.str(c.mutation+".state") != "queued" {
			t.Errorf("%s %v by %s: %q, want %q (%v)", c.mutation, c.variables, c.who.name, told(problems), c.want, got)
		}
	}
	for subject, event := range map[string]string{"payout:" + theirs: "approvePayout", "order:" + orderOfKim: "approveBankPayout"} {
		acts, _, err := w.books.Audit(t.Context(), store.Trail{Subject: subject})
		must(t, err)
		if len(acts) != 1 || acts[0].Event != event || acts[0].Actor != "staff:lee" {
			t.Errorf("%s: %+v", subject, acts)
		}
	}

	// Both are parked now: a refund begins anew by itself, a payout with its
	// transaction only.
	park := func(id string) {
		w.update(store.Payouts, func(tx *store.Tx) error {
			p, err := tx.Payout(id)
			if err != nil {
				return err
			}
			p.State, p.Reason, p.Attempts = anchor.PayoutParked, "op_no_trust", 5
			return tx.SavePayout(p)
		})
	}
	park(theirs)
	park(program)
	if _, problems := kim.press("retryPayout", map[string]any{"payout": program}); told(problems) != "CONFLICT state_refused" {
		t.Error(problems)
	}
	w.change(in.ID, failed)
	for _, id := range []string{theirs, program} {
		parked := kim.do(`{ payouts(state: parked) { nodes { id actions reason } } }`, nil)
		if !strings.Contains(parked.str("payouts.nodes.0.actions"), "retryPayout") || parked.str("payouts.nodes.0.reason") != "op_no_trust" {
			t.Error(parked)
		}
		got, problems := kim.press("retryPayout", map[string]any{"payout": id})
		if told(problems) != "" || got.str("retryPayout.state") != "queued" || got.str("retryPayout.attempts") != "0" {
			t.Error(got, problems)
		}
	}
	if s := w.read(in.ID).Status(); s != anchor.PendingAnchor {
		t.Error(s)
	}
	balanced(t, w.books)
}

// TestCancelActs: whoever is asked for a second look can also refuse, a mistake
// can be taken back, and what was to go back can go back anew.
func TestCancelActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	terms := *w.terms
	terms.PayoutLimit = 50 * anchor.One
	w.books.Limit([]*anchor.Terms{&terms})
	kim, lee := w.staff(), w.staff()
	lee.name = "lee"
	in, out := w.agreed(anchor.Deposit), w.agreed(anchor.Withdrawal)
	w.came(in, 100*anchor.One)
	w.came(out, 100*anchor.One)
	payment, line := w.strayPayment(), w.strayLine()
	for _, c := range []struct {
		refund, of, id string // kim's
		cancel, by     string // lee's
		list, is       string
	}{
		{"refundPayment", "payment", payment, "cancelPayout", "payout", "payouts", "cancelPayout.state"},
		{"refundBankLine", "line", line, "cancelBankPayout", "order", "bankPayouts", "cancelBankPayout.state"},
		{"refundTransaction", "transaction", out.ID, "cancelPayout", "payout", "payouts", "cancelPayout.state"},
		{"refundTransaction", "transaction", in.ID, "cancelBankPayout", "order", "bankPayouts", "cancelBankPayout.state"},
	} {
		refund := func() (id string) {
			t.Helper()
			if _, problems := kim.press(c.refund, map[string]any{c.of: c.id}); told(problems) != "" {
				t.Fatal(problems)
			}
			all, _ := kim.do(`{ all: `+c.list+`(state: approval, first: 100) { nodes { id purpose actions } } }`, nil).at("all.nodes").([]any)
			for _, n := range all {
				if o, _ := n.(map[string]any); o["purpose"] == "refund" {
					if actions := object(o).str("actions"); !strings.Contains(actions, c.cancel) {
						t.Errorf("%s: the actions are %s", c.of, actions)
					}
					return object(o).str("id")
				}
			}
			t.Fatalf("%s: no refund waits: %v", c.of, all)
			return ""
		}
		first := refund()
		wish := map[string]any{c.by: first, "key": "cancel-" + c.id, "note": "not the sender's fault"}
		for range 2 { // a repeat is not done again
			got, problems := lee.press(c.cancel, wish)
			if told(problems) != "" || got.str(c.is) != "cancelled" || got.str(c.cancel+".actions") != "[]" {
				t.Errorf("%s: %v, %v", c.of, problems, got)
			}
		}
		for _, again := range []map[string]any{{c.by: first}, {c.by: "x"}} {
			want := map[string]string{first: "CONFLICT cancelled_already", "x": "NOT_FOUND not_found " + c.by}[fmt.Sprint(again[c.by])]
			if _, problems := lee.press(c.cancel, again); told(problems) != want {
				t.Errorf("%s, again: %v", c.of, problems)
			}
		}
		acts, _, err := w.books.Audit(t.Context(), store.Trail{Subject: c.by + ":" + first})
		must(t, err)
		if len(acts) != 1 || acts[0].Event != c.cancel || acts[0].Actor != "staff:lee" || acts[0].Note != "not the sender's fault" {
			t.Errorf("%s: %+v", c.of, acts)
		}
		second := refund()
		if second == first {
			t.Errorf("%s is refunded by what was cancelled", c.of)
		}
		if _, problems := lee.press(map[string]string{"payout": "approvePayout", "order": "approveBankPayout"}[c.by], map[string]any{c.by: second}); told(problems) != "" {
			t.Errorf("%s: %v", c.of, problems)
		}
		balanced(t, w.books)
	}
	payouts, _, err := w.books.Payouts(t.Context(), "", store.Page{})
	must(t, err)
	for _, p := range payouts {
		if p.Purpose == anchor.ForPayout {
			if _, problems := lee.press("cancelPayout", map[string]any{"payout": p.ID}); told(problems) != "CONFLICT not_a_refund" {
				t.Error(problems)
			}
		}
	}
}
