package graph_test

import (
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
		"payouts.nodes.0.purpose": "refund", "payouts.nodes.0.reason": "payout_limit", "payouts.nodes.0.requestedBy": "staff:kim", "payouts.nodes.0.actions": "[approvePayout]",
		"payouts.nodes.1.purpose": "payout", "payouts.nodes.1.requestedBy": "", "bankPayouts.nodes.0.requestedBy": "staff:kim", "bankPayouts.nodes.0.actions": "[approveBankPayout]", "bankPayouts.nodes.1.requestedBy": "",
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
