package graph_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// ordered is a withdrawal's order in a state, as the rail would have brought it
// there.
func (w *world) ordered(state anchor.BankPayoutState) *anchor.BankPayout {
	w.t.Helper()
	tr := w.agreed(anchor.Withdrawal)
	w.came(tr, 100*anchor.One)
	all, err := w.books.BankPayoutsOf(w.t.Context(), tr.ID)
	must(w.t, err)
	if state == anchor.BankQueued {
		return all[0]
	}
	w.update(store.BankRail, func(tx *store.Tx) error {
		p, err := tx.BankPayout(all[0].ID)
		if err != nil {
			return err
		}
		now := time.Now()
		p.Attempts, p.AskedUntil = 1, now.Add(time.Minute)
		switch state {
		case anchor.BankInDoubt, anchor.BankApproval, anchor.BankCancelled:
			p.State, p.Reason = state, "never_arrived"
			return tx.SaveBankPayout(p)
		default:
		}
		refused, err := tx.RecordBankPayout(p, store.Outcome{State: state, BankID: "transfer-" + p.ID[30:], At: now, Reason: "account_closed"}, now)
		return errors.Join(refused, err)
	})
	p, err := w.books.BankPayout(w.t.Context(), all[0].ID)
	must(w.t, err)
	if p.State != state {
		w.t.Fatalf("the order is %s, want %s", p.State, state)
	}
	return p
}

// TestBankPayoutActs holds what staff say of the bank against every state of an
// order.
func TestBankPayoutActs(t *testing.T) {
	t.Parallel()
	for state, c := range map[anchor.BankPayoutState]struct {
		actions string            // but for approval, which others test
		then    map[string]string // what becomes of the withdrawal, or the refusal
	}{
		anchor.BankQueued: {"", map[string]string{"markBankPayoutSettled": "CONFLICT order_state_refused", "markBankPayoutReturned": "CONFLICT order_state_refused", "retryBankPayout": "CONFLICT payout_under_way"}},
		anchor.BankAsked: {"markBankPayoutSettled markBankPayoutReturned", map[string]string{
			"markBankPayoutSettled": "completed paid", "markBankPayoutReturned": "on_hold refused", "retryBankPayout": "CONFLICT payout_under_way"}},
		anchor.BankInDoubt: {"markBankPayoutSettled markBankPayoutReturned", map[string]string{
			"markBankPayoutSettled": "completed paid", "markBankPayoutReturned": "on_hold refused", "retryBankPayout": "CONFLICT payout_under_way"}},
		anchor.BankPaid: {"markBankPayoutReturned", map[string]string{
			"markBankPayoutSettled": "CONFLICT bank_id_differs bankId", "markBankPayoutReturned": "CONFLICT line_missing line", "retryBankPayout": "CONFLICT payout_under_way"}},
		anchor.BankRefused: {"retryBankPayout", map[string]string{
			"markBankPayoutSettled": "CONFLICT bank_id_differs bankId", "markBankPayoutReturned": "on_hold refused", "retryBankPayout": "pending_anchor queued"}},
	} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for name, want := range c.then {
				p := w.ordered(state)
				seen := w.staff().do(`query($s: BankPayoutState) { bankPayouts(state: $s, first: 1) { nodes { id actions transaction to { name value } } }
					undecided: bankPayouts(undecided: true) { nodes { id } } }`, map[string]any{"s": state})
				waits := slices.Contains([]anchor.BankPayoutState{anchor.BankRefused, anchor.BankInDoubt, anchor.BankApproval}, state)
				if (seen.str("undecided.nodes.0.id") == p.ID) != waits {
					t.Errorf("undecided are %v", seen.at("undecided.nodes"))
				}
				if seen.str("bankPayouts.nodes.0.id") != p.ID || strings.Trim(seen.str("bankPayouts.nodes.0.actions"), "[]") != c.actions {
					t.Errorf("seen is %v", seen)
				}
				v := map[string]any{"order": p.ID, "note": "said Ann of the bank"}
				switch {
				case name == "markBankPayoutSettled" && state == anchor.BankAsked:
					v["bankId"], v["at"] = p.BankID, time.Now().Add(-time.Minute)
				case name == "markBankPayoutSettled":
					v["bankId"] = "told-by-phone"
				}
				before := len(w.trail(p.CauseID))
				data, problems := w.staff().press(name, v)
				if strings.Contains(want, "CONFLICT") {
					if told(problems) != want || len(w.trail(p.CauseID)) != before {
						t.Errorf("%s: %q, want %q (%v)", name, told(problems), want, problems)
					}
					continue
				}
				if got := string(w.read(p.CauseID).Status()) + " " + data.str(name+".state"); told(problems) != "" || got != want {
					t.Errorf("%s: %q, want %q (%v)", name, got, want, problems)
				}
				if e := w.trail(p.CauseID)[0]; e.Event != name || e.Subject != "order:"+p.ID || e.Actor != "staff:kim" || e.Note != "said Ann of the bank" {
					t.Errorf("%s: the newest entry is %+v", name, e)
				}
			}
			balanced(t, w.books)
		})
	}
}

// TestPaidElsewhere: what the bank could not deliver goes to another account, by
// one new order, whoever presses again.
func TestPaidElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staff := w.staff()
	p := w.ordered(anchor.BankRefused)
	to := func(pairs ...string) map[string]any { return map[string]any{"order": p.ID, "to": answers(pairs...)} }
	for _, c := range []struct {
		mutation  string
		variables map[string]any
		want      string
	}{
		{"retryBankPayout", to("bank_acount_number", "1"), "INVALID field_unknown bank_acount_number"},
		{"retryBankPayout", to("bank_account_number", "§"), "INVALID account_number_malformed bank_account_number"},
		{"retryBankPayout", to("bank_account_number", "", "bank_name", strings.Repeat("x", 201)), "INVALID field_required bank_account_number, INVALID field_too_long bank_name"},
		{"retryBankPayout", to("bank_account_number", "0001", "bank_phone_number", "555 0143"), "INVALID phone_without_country bank_phone_number"},
		{"retryBankPayout", map[string]any{"order": "x"}, "NOT_FOUND not_found order"},
		{"markBankPayoutReturned", map[string]any{"order": p.ID, "reason": "Because of Bob"}, "INVALID reason_malformed reason"},
		{"markBankPayoutSettled", map[string]any{"order": "x"}, "NOT_FOUND not_found order"},
	} {
		if _, problems := staff.press(c.mutation, c.variables); !sameProblems(told(problems), c.want) {
			t.Errorf("%s %v: %q, want %q", c.mutation, c.variables, told(problems), c.want)
		}
	}
	again := to("bank_account_number", "99887766", "bank_name", "Other Bank")
	again["key"] = "call-12"
	first, problems := staff.press("retryBankPayout", again)
	if told(problems) != "" || first.str("retryBankPayout.retries") != p.ID || first.str("retryBankPayout.requestedBy") != "staff:kim" || first.str("retryBankPayout.amount") != "98.5" {
		t.Fatal(first, problems)
	}
	if got := fmt.Sprint(first.at("retryBankPayout.to")); !strings.Contains(got, "99887766") || !strings.Contains(got, "Other Bank") || !strings.Contains(got, "Ana") {
		t.Error(got)
	}
	second, problems := staff.press("retryBankPayout", again)
	if told(problems) != "" || second.str("retryBankPayout.id") != first.str("retryBankPayout.id") {
		t.Error(second, problems)
	}
	again["key"] = "call-13"
	if _, problems := staff.press("retryBankPayout", again); told(problems) != "CONFLICT retried_already" {
		t.Error(problems)
	}
	all, err := w.books.BankPayoutsOf(t.Context(), p.CauseID)
	must(t, err)
	if len(all) != 2 {
		t.Errorf("%d orders", len(all))
	}
	old := staff.do(`{ bankPayouts(state: refused) { nodes { id replacedBy actions } } undecided: bankPayouts(undecided: true) { nodes { id } } }`, nil)
	if nodes := old.str("undecided.nodes"); nodes != "[]" {
		t.Errorf("%s wait for a person, though another has taken the place", nodes)
	}
	if old.str("bankPayouts.nodes.0.id") != p.ID || old.str("bankPayouts.nodes.0.replacedBy") != first.str("retryBankPayout.id") || old.str("bankPayouts.nodes.0.actions") != "[]" {
		t.Error(old)
	}
	balanced(t, w.books)
}

// sameProblems compares lists whatever their order.
func sameProblems(a, b string) bool {
	sorted := func(s string) []string { return slices.Sorted(slices.Values(strings.Split(s, ", "))) }
	return slices.Equal(sorted(a), sorted(b))
}

// TestBroughtBack: what the bank paid comes back by a line of its statement.
func TestBroughtBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.ordered(anchor.BankPaid)
	little, much := w.strayLine(func(l *anchor.BankLine) { l.Amount = 90 * anchor.One }), w.strayLine()
	if _, problems := w.staff().press("markBankPayoutReturned", map[string]any{"order": p.ID, "line": much}); told(problems) != "CONFLICT does_not_fit line" {
		t.Error(problems)
	}
	if _, problems := w.staff().press("markBankPayoutReturned", map[string]any{"order": p.ID, "line": "x"}); told(problems) != "NOT_FOUND not_found" {
		t.Error(problems)
	}
	got, problems := w.staff().press("markBankPayoutReturned", map[string]any{"order": p.ID, "line": little, "reason": "account_closed"})
	if told(problems) != "" || got.str("markBankPayoutReturned.state") != "refused" || got.str("markBankPayoutReturned.reason") != "account_closed" {
		t.Error(got, problems)
	}
	lines := w.staff().do(`{ bankLines { nodes { id state order transaction } } }`, nil)
	if lines.str("bankLines.nodes.1.order") != p.ID || lines.str("bankLines.nodes.1.state") != "own" || lines.str("bankLines.nodes.1.transaction") != p.CauseID {
		t.Error(lines)
	}
	if s := w.read(p.CauseID).Status(); s != anchor.OnHold {
		t.Error(s)
	}
	balanced(t, w.books)
}

// TestConfirmed: a person's word brings a deposit's money before the statement.
func TestConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staff := w.staff()
	tr, out := w.agreed(anchor.Deposit), w.agreed(anchor.Withdrawal)
	now := time.Now().Add(-time.Second)
	with := func(more ...any) map[string]any {
		v := map[string]any{"transaction": tr.ID, "bankId": "bank-1", "amount": "100", "at": now, "payerName": "Ana Díaz"}
		for i := 0; i < len(more); i += 2 {
			v[fmt.Sprint(more[i])] = more[i+1]
		}
		return v
	}
	for _, c := range []struct {
		variables map[string]any
		want      string
	}{
		{with("transaction", out.ID), "CONFLICT does_not_fit transaction"},
		{with("transaction", "x"), "NOT_FOUND not_found transaction"},
		{with("bankId", ""), "INVALID bank_id_missing bankId"},
		{with("amount", "0"), "INVALID amount_malformed amount"},
		{with("amount", "100.001"), "INVALID amount_malformed amount"},
		{with("at", time.Now().Add(time.Hour)), "INVALID time_malformed at"},
		{with("payerName", strings.Repeat("ñ", 201)), "INVALID argument_too_long payerName"},
		{with("payerName", "Ana\nDíaz"), "INVALID argument_malformed payerName"},
		{with("payerName", "Ana \u202ezaíD"), "INVALID argument_malformed payerName"},
		{with("payerAccount", "555\u200b"), "INVALID argument_malformed payerAccount"},
		{with("bankId", "bank\u0007"), "INVALID argument_malformed bankId"},
		{with("transaction", out.ID, "payerName", strings.Repeat("ñ", 200)), "CONFLICT does_not_fit transaction"}, // long, and a name
		{with(), ""},
		{with(), ""}, // the same word again, under another key
		{with("amount", "99"), "CONFLICT bank_id_used bankId"},
	} {
		got, problems := staff.press("confirmBankFunds", c.variables)
		if told(problems) != c.want {
			t.Errorf("%v: %q, want %q (%v)", c.variables, told(problems), c.want, problems)
		}
		if c.want == "" && (got.str("confirmBankFunds.state") != "matched" || got.str("confirmBankFunds.confirmedBy") != "staff:kim" || got.str("confirmBankFunds.payerName") != "Ana Díaz") {
			t.Error(got)
		}
	}
	if s := w.read(tr.ID).Status(); s != anchor.PendingAnchor {
		t.Error(s)
	}
	// A second one is money whose place is for somebody to decide.
	got, problems := staff.press("confirmBankFunds", with("bankId", "bank-2"))
	if told(problems) != "" || got.str("confirmBankFunds.state") != "unmatched" || got.str("confirmBankFunds.reason") != "second" {
		t.Error(got, problems)
	}
	balanced(t, w.books)
}

// TestUndecidedOrders: what a bank refused waits for a person until something has
// taken its place, whatever that is.
func TestUndecidedOrders(t *testing.T) {
	t.Parallel()
	for mutation, want := range map[string]int{"": 1, "release": 0, "refundTransaction": 0, "a part": 1} {
		t.Run(mutation, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.ordered(anchor.BankRefused)
			v := map[string]any{"transaction": p.CauseID}
			switch mutation {
			case "":
			case "a part":
				v["amount"] = "1"
				mutation = "refundTransaction"
				fallthrough
			default:
				if _, problems := w.staff().press(mutation, v); told(problems) != "" {
					t.Fatal(problems)
				}
			}
			got := w.staff().do(`{ bankPayouts(state: refused) { nodes { id } } undecided: bankPayouts(undecided: true) { nodes { id } } }`, nil)
			undecided, _ := got.at("undecided.nodes").([]any)
			if len(undecided) != want || got.str("bankPayouts.nodes.0.id") != p.ID {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestDismissed: a line that nobody can read leaves the list of what waits by a
// person's word, with a note, and once. One with money in it never does.
func TestDismissed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staff := w.staff()
	for _, id := range []string{"odd", "odder"} {
		w.update(store.BankRail, func(tx *store.Tx) error {
			return tx.RefuseLine(&anchor.BankLine{ID: id, At: time.Now(), Amount: 7, Reference: "?"})
		})
	}
	money := w.strayLine()
	back := w.strayLine()
	if _, problems := staff.press("refundBankLine", map[string]any{"line": back}); told(problems) != "" {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		line, key, note, want string
	}{
		{"odd", "d-1", "", "INVALID note_malformed note"},
		{"odd", "d-1", " \n", "INVALID note_malformed note"},
		{"none", "d-1", "a test of the bank's", "NOT_FOUND not_found line"},
		{money, "d-1", "a test of the bank's", "CONFLICT amount_known line"},
		{back, "d-1", "a test of the bank's", "CONFLICT not_unmatched"},
		{"odd", "d-1", "a test of the bank's", ""}, // a refusal used no key up
		{"odd", "d-1", "a test of the bank's", ""},
		{"odd", "d-1", "another reason", "CONFLICT key_reused key"},
		{"odder", "d-1", "a test of the bank's", "CONFLICT key_reused key"},
		{"odd", "d-2", "a test of the bank's", "CONFLICT not_unmatched"},
	} {
		got, problems := staff.press("dismissBankLine", map[string]any{"line": c.line, "key": c.key, "note": c.note})
		if told(problems) != c.want {
			t.Errorf("%+v: %q (%v)", c, told(problems), problems)
		}
		if c.want == "" && (got.str("dismissBankLine.state") != "dismissed" || got.str("dismissBankLine.reason") != "refused" || got.str("dismissBankLine.actions") != "[]") {
			t.Error(got)
		}
	}
	waits := staff.do(`{ bankLines(unmatched: true) { nodes { id actions } } }`, nil)
	may := map[string]string{}
	nodes, _ := waits.at("bankLines.nodes").([]any)
	for i := range nodes {
		may[waits.str(fmt.Sprintf("bankLines.nodes.%d.id", i))] = waits.str(fmt.Sprintf("bankLines.nodes.%d.actions", i))
	}
	if want := map[string]string{"odder": "[dismissBankLine]", money: "[assignBankLine refundBankLine]"}; !maps.Equal(may, want) {
		t.Errorf("what waits is %v, want %v", may, want)
	}
	trail, _, err := w.books.Audit(t.Context(), store.Trail{Subject: "line:odd", Page: store.Page{Limit: 5}})
	must(t, err)
	if len(trail) != 1 || trail[0].Event != "dismissBankLine" || trail[0].Actor != "staff:kim" || trail[0].Note != "a test of the bank's" {
		t.Errorf("the trail is %+v", trail)
	}
	balanced(t, w.books)
}
