package graph_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/store"
)

const stray = `{ payments(unmatched: true) { nodes { id from asset { code } amount memo reason transaction policyAt actions } }
	bankLines(unmatched: true) { nodes { id asset { code } amount reference payerName payerAccount reason transaction policyAt actions } } }`

// TestStrayMoney: staff find money that nobody knows the owner of, send it back
// or give it to whom it belongs, and what is decided stays decided.
func TestStrayMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staff := w.staff()
	w.strayPayment(func(p *anchor.Payment) { p.From = "" })
	wanted, agreedOut, agreedIn := w.strayPayment(), w.agreed(anchor.Withdrawal), w.agreed(anchor.Deposit)
	funded := w.agreed(anchor.Withdrawal)
	w.came(funded, 100*anchor.One)
	otherAsset := w.strayPayment(func(p *anchor.Payment) { p.Asset, p.Reason = anchor.Native, anchor.WrongAsset })
	unread := w.strayPayment(func(p *anchor.Payment) { p.Asset, p.Amount, p.Reason = anchor.Asset{}, 0, anchor.UnknownOperation })
	short := w.strayPayment(func(p *anchor.Payment) {
		p.Amount, p.Reason, p.Transaction, p.DecideAt = anchor.One, string(anchor.Short), agreedOut.ID, time.Now().Add(time.Hour)
	})
	line, nameless := w.strayLine(func(l *anchor.BankLine) { l.DecideAt = time.Now().Add(time.Hour) }), w.strayLine(func(l *anchor.BankLine) { l.PayerName, l.PayerAccount = "", "" })

	seen := staff.do(stray, nil)
	for path, want := range map[string]string{
		"payments.nodes.0.id": short, "payments.nodes.0.transaction": agreedOut.ID, "payments.nodes.0.reason": "short", "payments.nodes.1.id": unread, "payments.nodes.1.asset": "", "payments.nodes.1.actions": "[]",
		"payments.nodes.2.asset.code": "XLM", "payments.nodes.4.actions": "[assignPayment]", "bankLines.nodes.0.actions": "[assignBankLine]", "payments.nodes.3.id": wanted, "payments.nodes.3.from": account, "payments.nodes.3.memo": "hello", "payments.nodes.3.actions": "[assignPayment refundPayment]",
		"payments.nodes.3.policyAt": "", "bankLines.nodes.1.id": line, "bankLines.nodes.1.reference": "rent", "bankLines.nodes.1.payerName": "Bo", "bankLines.nodes.1.payerAccount": "555",
		"bankLines.nodes.1.actions": "[assignBankLine refundBankLine]", "bankLines.nodes.0.payerName": "", "bankLines.nodes.1.asset.code": "USD",
	} {
		if got := seen.str(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if seen.str("payments.nodes.0.policyAt") == "" || seen.str("bankLines.nodes.1.policyAt") == "" || seen.str("bankLines.nodes.0.policyAt") != "" {
		t.Error("nobody knows when the policy decides")
	}

	for _, c := range []struct {
		mutation  string
		variables map[string]any
		want      string
	}{
		{"assignPayment", map[string]any{"payment": "1", "transaction": agreedOut.ID}, "NOT_FOUND not_found payment"},
		{"assignPayment", map[string]any{"payment": wanted, "transaction": "x"}, "NOT_FOUND not_found transaction"},
		{"assignPayment", map[string]any{"payment": wanted, "transaction": agreedIn.ID}, "CONFLICT does_not_fit transaction"},
		{"assignPayment", map[string]any{"payment": otherAsset, "transaction": agreedOut.ID}, "CONFLICT does_not_fit transaction"},
		{"assignPayment", map[string]any{"payment": unread, "transaction": agreedOut.ID}, "CONFLICT does_not_fit transaction"},
		{"assignPayment", map[string]any{"payment": wanted, "transaction": funded.ID}, "CONFLICT not_waiting transaction"},
		{"assignPayment", map[string]any{"payment": wanted, "transaction": agreedOut.ID}, ""},
		{"assignPayment", map[string]any{"payment": wanted, "transaction": agreedOut.ID}, "CONFLICT not_unmatched"},
		{"refundPayment", map[string]any{"payment": wanted}, "CONFLICT not_unmatched"},
		{"refundPayment", map[string]any{"payment": "1"}, "NOT_FOUND not_found"},
		{"refundPayment", map[string]any{"payment": unread}, "CONFLICT amount_unknown"},
		{"refundPayment", map[string]any{"payment": otherAsset, "fee": "100"}, "INVALID refund_too_large fee"},
		{"refundPayment", map[string]any{"payment": otherAsset, "fee": "1.5"}, ""},
		{"refundPayment", map[string]any{"payment": otherAsset, "fee": "1.5"}, "CONFLICT not_unmatched"},
		{"refundPayment", map[string]any{"payment": short}, ""},
		{"assignBankLine", map[string]any{"line": "x", "transaction": agreedIn.ID}, "NOT_FOUND not_found line"},
		{"assignBankLine", map[string]any{"line": line, "transaction": funded.ID}, "CONFLICT does_not_fit transaction"},
		{"assignBankLine", map[string]any{"line": line, "transaction": agreedIn.ID}, ""},
		{"refundBankLine", map[string]any{"line": line}, "CONFLICT not_unmatched"},
		{"refundBankLine", map[string]any{"line": nameless}, "CONFLICT sender_unknown"},
	} {
		data, problems := staff.press(c.mutation, c.variables)
		if got := told(problems); got != c.want {
			t.Errorf("%s of %v: %q, want %q (%v)", c.mutation, c.variables, got, c.want, problems)
		}
		for path, want := range map[string]string{
			"refundPayment.state": "refunding", "refundPayment.refund.state": "queued", "refundPayment.refund.purpose": "refund",
			"refundPayment.refund.requestedBy": "staff:kim", "refundPayment.refund.destination": account, "refundPayment.actions": "[]",
			"assignPayment.status": "pending_anchor", "assignPayment.staff.payments.0.state": "matched", "assignPayment.staff.bankPayouts.0.to.0.value": "0123456789",
			"assignBankLine.status": "pending_anchor", "assignBankLine.staff.bankLines.0.state": "matched", "assignBankLine.staff.payouts.0.amount": "98.5",
		} {
			if got := data.str(path); c.want == "" && strings.HasPrefix(path, c.mutation+".") && got != want {
				t.Errorf("%s is %q, want %q", path, got, want)
			}
		}
	}
	back := staff.do(`query($id: String!) { payments { nodes { id state refund { amount fee payment transaction } } }
		audit(subject: $id) { nodes { actor event subject transaction note } } }`, map[string]any{"id": "payment:" + otherAsset})
	for path, want := range map[string]string{
		"payments.nodes.2.id": otherAsset, "payments.nodes.2.refund.amount": "98.5", "payments.nodes.2.refund.fee": "1.5", "payments.nodes.2.refund.payment": otherAsset, "payments.nodes.2.refund.transaction": "",
		"audit.nodes.0.actor": "staff:kim", "audit.nodes.0.event": "refundPayment", "audit.nodes.0.transaction": "", "audit.nodes.1": "",
	} {
		if got := back.str(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	balanced(t, w.books)
}

// TestRefundFee: what is usually kept is the asset's, unless staff say otherwise.
func TestRefundFee(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *graph.Options) {
		o.Terms[0].Deposit.RefundFee, o.Terms[0].Withdraw.RefundFee = 2*anchor.One, 2*anchor.One
	})
	staff := w.staff()
	tr := w.agreed(anchor.Deposit)
	w.came(tr, 100*anchor.One)
	for _, c := range []struct {
		mutation  string
		variables map[string]any
		amount    string
		path      string
	}{
		{"refundPayment", map[string]any{"payment": w.strayPayment()}, "98", "refundPayment.refund.amount"},
		{"refundPayment", map[string]any{"payment": w.strayPayment(), "fee": "0"}, "100", "refundPayment.refund.amount"},
		{"refundPayment", map[string]any{"payment": w.strayPayment(func(p *anchor.Payment) { p.Asset = anchor.Native })}, "100", "refundPayment.refund.amount"},
		{"refundBankLine", map[string]any{"line": w.strayLine()}, "98", "refundBankLine.refund.amount"},
		{"refundTransaction", map[string]any{"transaction": tr.ID, "amount": "10"}, "86.5", "refundTransaction.staff.payouts.0.amount"},
		{"refundTransaction", map[string]any{"transaction": tr.ID, "fee": "0"}, "98", "refundTransaction.staff.amountRefunded"},
	} {
		data, problems := staff.press(c.mutation, c.variables)
		if got := data.str(c.path); told(problems) != "" || got != c.amount {
			t.Errorf("%s of %v: %q, want %s (%v)", c.mutation, c.variables, got, c.amount, problems)
		}
	}
	balanced(t, w.books)
}

// TestPauses: staff stop and resume payouts, and say what left without the books
// knowing, after which payouts go on.
func TestPauses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staff := w.staff()
	press := func(name string, want string, variables map[string]any) object {
		t.Helper()
		data, problems := staff.press(name, variables)
		if got := told(problems); got != want {
			t.Errorf("%s %v: %q, want %q (%v)", name, variables, got, want, problems)
		}
		return data
	}
	pauses := func(want ...string) {
		t.Helper()
		all, err := w.books.Pauses(t.Context())
		must(t, err)
		var got []string
		for _, p := range all {
			got = append(got, p.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the pauses are %q, want %q", got, want)
		}
	}
	press("resumePayouts", "NOT_FOUND not_found pause", nil)
	if got := press("pausePayouts", "", map[string]any{"note": "Bob is on leave"}); got.str("pausePayouts.0.actor") != "staff:kim" || strings.Contains(fmt.Sprint(got), "Bob") {
		t.Error(got)
	}
	press("pausePayouts", "", nil)
	pauses("staff")

	tr := w.agreed(anchor.Deposit)
	w.came(tr, 100*anchor.One)
	left := func(amount string) string {
		o := &anchor.Outgoing{ID: operations(), Account: account, Destination: account, Asset: usdw, Amount: anchor.MustAmount(amount), Hash: "h" + amount, Ledger: 9, At: time.Now()}
		w.update(store.Ledger, func(tx *store.Tx) error { return tx.LeftUnexplained(o) })
		return o.ID
	}
	stolen, moved, paid := left("5"), left("7"), left("98.5")
	payouts, err := w.books.PayoutsOf(t.Context(), anchor.CauseTransaction, tr.ID)
	must(t, err)
	pauses("staff", "outgoing")
	seen := staff.do(`{ outgoing(unexplained: true) { nodes { id account destination amount asset { code } hash explained actions } } pauses { key } }`, nil)
	if seen.str("outgoing.nodes.0.id") != paid || seen.str("outgoing.nodes.2.amount") != "5" || seen.str("outgoing.nodes.0.actions") != "[explainOutgoing]" || seen.str("outgoing.nodes.0.explained") != "" {
		t.Error(seen)
	}
	press("resumePayouts", "CONFLICT unexplained pause", map[string]any{"pause": "outgoing"})
	press("explainOutgoing", "", map[string]any{"operation": stolen, "as": "loss", "note": "police report 7"})
	press("explainOutgoing", "CONFLICT explained", map[string]any{"operation": stolen, "as": "own"})
	press("explainOutgoing", "NOT_FOUND not_found", map[string]any{"operation": "1", "as": "own"})
	press("explainOutgoing", "INVALID payout_needless payout", map[string]any{"operation": moved, "as": "own", "payout": payouts[0].ID})
	press("explainOutgoing", "INVALID payout_missing payout", map[string]any{"operation": moved, "as": "payout"})
	press("explainOutgoing", "NOT_FOUND not_found payout", map[string]any{"operation": moved, "as": "payout", "payout": "x"})
	press("explainOutgoing", "CONFLICT payout_differs", map[string]any{"operation": moved, "as": "payout", "payout": payouts[0].ID})
	press("explainOutgoing", "", map[string]any{"operation": moved, "as": "own"})
	pauses("staff", "outgoing")
	if got := press("explainOutgoing", "", map[string]any{"operation": paid, "as": "payout", "payout": payouts[0].ID}); got.str("explainOutgoing.payout") != payouts[0].ID ||
		got.str("explainOutgoing.explainedBy") != "staff:kim" || got.str("explainOutgoing.actions") != "[]" {
		t.Error(got)
	}
	pauses("staff")
	if s := w.read(tr.ID).Status(); s != anchor.Completed {
		t.Error(s)
	}
	press("resumePayouts", "", nil)
	pauses()

	// Each act stands once, and so does what follows from one.
	trail := staff.do(`query($operation: String!) { audit(first: 100) { nodes { actor event subject note } } operation: audit(subject: $operation) { nodes { event } }
		staff: audit(subject: "pause:staff") { nodes { event } } outgoing: audit(subject: "pause:outgoing") { nodes { event actor } } }`, map[string]any{"operation": "operation:" + stolen})
	for subject, want := range map[string]string{
		"operation": "[map[event:explainOutgoing]]", "staff": "[map[event:resumePayouts] map[event:pausePayouts] map[event:pausePayouts]]",
		"outgoing": "[map[actor:staff:kim event:resumed] map[actor:ledger event:paused]]",
	} {
		if got := trail.str(subject + ".nodes"); got != want {
			t.Errorf("%s: %s, want %s", subject, got, want)
		}
	}
	for _, note := range []string{"police report 7", "Bob is on leave"} {
		if !strings.Contains(fmt.Sprint(trail), note) {
			t.Errorf("the trail does not say %q", note)
		}
	}
	balanced(t, w.books)
}

// TestStaffOnly: nobody but staff, on the listener that is theirs, can ask for
// any of it.
func TestStaffOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.agreed(anchor.Withdrawal)
	w.came(tr, 100*anchor.One)
	before := len(w.trail(tr.ID))
	everything := map[string]any{"transaction": tr.ID, "payment": w.strayPayment(), "line": w.strayLine(), "operation": "1", "as": "own", "callback": "1",
		"order": "x", "payout": "x", "bankId": "b", "amount": "1", "at": time.Now(), "account": account, "answersVersion": "1"}
	queries := []string{`{ payouts(state: parked) { nodes { id } } }`, `{ bankPayouts { nodes { id } } }`, `{ bankLines { nodes { id } } }`, `{ balances { amount } }`, `{ audit { nodes { id } } }`,
		`{ pauses { key } }`, `{ outgoing { nodes { id } } }`, `{ callbacks { nodes { id } } }`, `{ callbackHosts { nodes { host } } }`, `{ signIn(account: "` + account + `") { shared } }`}
	for _, query := range mutations {
		queries = append(queries, whole(query))
	}
	for _, query := range queries {
		for want, c := range map[string]caller{"FORBIDDEN forbidden": w.customer(tr), "FORBIDDEN forbidden ": w.viewer(tr), "UNAUTHENTICATED": {w: w}} {
			v := maps.Clone(everything)
			v["key"] = nextKey()
			if _, problems := c.ask(query, v); told(problems) != strings.TrimSpace(want) {
				t.Errorf("%s: %v", query, problems)
			}
		}
		// A session of staff is worth nothing to the public listener.
		body := strings.NewReader(`{"query":"{ audit { nodes { id } } }"}`)
		resp := caller{w: w, role: "STAFF"}.send("POST", w.public, "application/json", "", body)
		must(t, resp.Body.Close())
		if resp.StatusCode != 403 {
			t.Error(resp.StatusCode)
		}
	}
	if w.read(tr.ID).Status() != anchor.PendingAnchor || len(w.trail(tr.ID)) != before {
		t.Error("something was changed")
	}
}
