package graph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

const list = `query($filter: TransactionFilter, $first: Int!, $after: String) {
  transactions(filter: $filter, first: $first, after: $after) {
    nodes { id kind status account timeline { event actor }
      staff { owner clientDomain customerId payouts { id state hash amount transaction } payments { id from memo } journal { kind reference postings { account amount asset { code } } } } }
    endCursor } }`

// funded is a deposit whose money is here and whose payout is in an envelope.
func (w *world) funded(hash string) *anchor.Transaction {
	w.t.Helper()
	tr := w.open(anchor.Deposit)
	w.walk(w.customer(tr), []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}},
	})
	must(w.t, w.books.Update(w.t.Context(), store.BankRail, func(tx *store.Tx) error {
		a, err := tx.Transaction(tr.ID)
		if err != nil {
			return err
		}
		_, err = tx.Receive(a, w.terms, 100*anchor.One, "bank "+hash, time.Now(), time.Now())
		return err
	}))
	payouts, err := w.books.PayoutsOf(w.t.Context(), "transaction", tr.ID)
	must(w.t, err)
	must(w.t, w.books.Update(w.t.Context(), store.Payouts, func(tx *store.Tx) error {
		e := &anchor.Envelope{ID: store.NewID(), Channel: "channel " + hash, Hash: hash, State: anchor.EnvelopeLive, Intents: []string{payouts[0].ID}}
		if err := tx.CreateEnvelope(e); err != nil {
			return err
		}
		payouts[0].State, payouts[0].Envelope = anchor.PayoutInEnvelope, e.ID
		return tx.SavePayout(payouts[0])
	}))
	return w.read(tr.ID)
}

func TestStaffSeeEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all []*anchor.Transaction
	for i := range 5 {
		all = append(all, w.funded(fmt.Sprintf("%064x", i+1)))
	}
	must(t, w.books.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
		for i, tr := range all {
			p := &anchor.Payment{ID: fmt.Sprint(100 + i), Account: account, From: account, Asset: usdw, Amount: anchor.One, Memo: anchor.IDMemo(7),
				Hash: "h", Ledger: 9, At: time.Now(), State: anchor.Matched, Transaction: tr.ID}
			if i == 4 {
				p.State, p.Transaction, p.Reason, p.Memo = anchor.Unmatched, "", anchor.NoMemo, anchor.Memo{}
			}
			if err := tx.CreatePayment(p); err != nil {
				return err
			}
		}
		return nil
	}))
	staff := w.staff()

	// Pages, newest first.
	var ids []string
	var after any
	for pages := 0; ; pages++ {
		got := staff.do(list, map[string]any{"first": 2, "after": after})
		nodes, _ := got.at("transactions.nodes").([]any)
		for i := range nodes {
			node := fmt.Sprintf("transactions.nodes.%d.", i)
			n := 4 - len(ids)
			for path, want := range map[string]string{
				"id": all[n].ID, "account": account, "staff.clientDomain": "wallet.test", "staff.customerId": all[n].CustomerID,
				"staff.payouts.0.hash": fmt.Sprintf("%064x", n+1), "staff.payouts.0.transaction": all[n].ID, "staff.payouts.0.state": "in_envelope",
				"staff.journal.0.kind": "received", "timeline.1.actor": "customer", "timeline.2.actor": "bank",
			} {
				if v := got.str(node + path); v != want {
					t.Errorf("%d: %s is %q, want %q", n, path, v, want)
				}
			}
			if id := got.str(node + "staff.payments.0.id"); n < 4 && id != fmt.Sprint(100+n) || n == 4 && id != "" {
				t.Errorf("%d: payment %q", n, id)
			}
			ids = append(ids, got.str(node+"id"))
		}
		if after = got.at("transactions.endCursor"); after == nil {
			if pages != 2 {
				t.Error(pages, "full pages")
			}
			break
		}
	}
	if len(ids) != 5 {
		t.Error(ids)
	}

	// Payments and payouts of everybody.
	got := staff.do(`{ payments(unmatched: true) { nodes { id reason memo transaction } } payouts(first: 3) { nodes { hash destination reason } } }`, nil)
	payments, _ := got.at("payments.nodes").([]any)
	payouts, _ := got.at("payouts.nodes").([]any)
	if len(payments) != 1 || got.str("payments.nodes.0.reason") != "no_memo" || got.str("payments.nodes.0.memo") != "" ||
		len(payouts) != 3 || got.str("payouts.nodes.0.hash") != fmt.Sprintf("%064x", 5) {
		t.Error(got)
	}
	balanced(t, w.books)
}

// TestPages: every list comes in pages of a bounded size, with one kind of cursor,
// and whoever follows the cursors sees each row once, in either order.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 3 {
		w.funded(fmt.Sprintf("%064x", i+1))
		w.strayPayment()
		w.strayLine()
		w.told("https://wallet.example/")
		w.ordered(anchor.BankQueued)
		w.update(store.Ledger, func(tx *store.Tx) error {
			return tx.LeftUnexplained(&anchor.Outgoing{ID: operations(), Account: account, Destination: account, Asset: usdw, Amount: anchor.One, Hash: fmt.Sprint(i), Ledger: 9, At: time.Now()})
		})
	}
	for _, name := range []string{"transactions", "payouts", "bankPayouts", "payments", "bankLines", "outgoing", "callbacks", "audit"} {
		walk := func(oldest bool) (ids []string) {
			var after any
			for range 100 {
				got := w.staff().do(`query($first: Int!, $after: String, $oldest: Boolean!) { list: `+name+`(first: $first, after: $after, oldestFirst: $oldest) { nodes { id } endCursor } }`,
					map[string]any{"first": 2, "after": after, "oldest": oldest})
				nodes, _ := got.at("list.nodes").([]any)
				for i := range nodes {
					ids = append(ids, got.str(fmt.Sprintf("list.nodes.%d.id", i)))
				}
				if after = got.at("list.endCursor"); after == nil {
					break
				}
			}
			return ids
		}
		newest, oldest := walk(false), walk(true)
		slices.Reverse(oldest)
		unique := slices.Compact(slices.Sorted(slices.Values(newest)))
		if len(newest) < 3 || len(unique) != len(newest) || !slices.Equal(newest, oldest) {
			t.Errorf("%s: newest first %v, oldest first, turned around, %v", name, newest, oldest)
		}
		for arguments, want := range map[string]string{
			"first: 0": "INVALID first_malformed first", "first: -1": "INVALID first_malformed first", "first: 101": "INVALID first_malformed first",
			"first: 100": "", `after: "x"`: "INVALID cursor_malformed after",
		} {
			if _, problems := w.staff().ask(`{ `+name+`(`+arguments+`) { nodes { id } } }`, nil); told(problems) != want {
				t.Errorf("%s(%s): %q, want %q", name, arguments, told(problems), want)
			}
		}
	}
}

// TestFewStatements: a page costs the same number of statements however many rows
// it has, with all that can be asked of them.
func TestFewStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const rows = 20
	for i := range rows {
		w.funded(fmt.Sprintf("%064x", i+1))
		w.ordered(anchor.BankAsked)
		for mutation, v := range map[string]map[string]any{"refundPayment": {"payment": w.strayPayment()}, "refundBankLine": {"line": w.strayLine()}} {
			if _, problems := w.staff().press(mutation, v); len(problems) > 0 {
				t.Fatal(problems)
			}
		}
	}
	for name, fields := range map[string]string{
		"transactions": strings.Replace(page, "staff { owner }", `staff {
			payouts { hash actions } bankPayouts { id replacedBy actions } payments { id refund { id hash } } bankLines { id refund { id replacedBy } }
			journal { kind postings { amount } } audit { event note } }`, 1),
		"payouts": `{ hash actions }`, "bankPayouts": `{ replacedBy actions }`, "payments": `{ refund { hash } }`, "bankLines": `{ refund { replacedBy } }`,
		"audit": `{ event note }`,
	} {
		query := `query($first: Int!) { list: ` + name + `(first: $first) { nodes ` + fields + ` endCursor } }`
		if name == "transactions" {
			query += fragments
		}
		cost := func(first int) int64 {
			before := w.books.Reads()
			got := w.staff().do(query, map[string]any{"first": first})
			if nodes, _ := got.at("list.nodes").([]any); len(nodes) != first {
				t.Fatal(name, len(nodes), "rows")
			}
			return w.books.Reads() - before
		}
		if one, all := cost(1), cost(rows); one > 14 || all > one+5 { // what is read of payouts and orders may be for two kinds of causes
			t.Errorf("%s: one row takes %d statements, %d rows take %d", name, one, rows, all)
		}
	}
}

// TestMutationsInARow: each mutation of an operation answers what is so after it.
func TestMutationsInARow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit)
	got := w.customer(tr).do(`mutation($id: ID!, $answers: [Answer!]!) {
		before: setAmount(transaction: $id, amountIn: "50") { review questions { value } }
		after: answer(transaction: $id, answers: $answers) { review questions { value } } }`, map[string]any{"id": tr.ID, "answers": ana})
	if got.str("before.review") != "none" || got.str("after.review") != "accepted" || got.str("after.questions.1.value") != "Díaz" {
		t.Error(got)
	}
}

func TestStaffSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.funded(strings.Repeat("ab", 32))
	w.open(anchor.Withdrawal)
	search := func(s string) map[string]any { return map[string]any{"search": s} }
	for name, c := range map[string]struct {
		filter map[string]any
		n      int
	}{
		"all":                 {nil, 2},
		"kind":                {map[string]any{"kind": "withdrawal"}, 1},
		"status":              {map[string]any{"status": []string{"pending_anchor", "completed"}}, 1},
		"id":                  {search(tr.ID), 1},
		"support reference":   {search(tr.ID[:13]), 1},
		"shouted":             {search(strings.ToUpper(tr.ID[:13])), 1},
		"bank reference":      {search(tr.Reference), 1},
		"as heard":            {search(" " + strings.ToLower(strings.ReplaceAll(tr.Reference, "-", " ")) + " "), 1},
		"account":             {search(account), 2},
		"the bank's name":     {search(tr.ExternalID), 1},
		"nonsense":            {search("nonsense"), 0},
		"kind and its search": {map[string]any{"kind": "withdrawal", "search": tr.ID}, 0},
	} {
		got := w.staff().do(list, map[string]any{"filter": c.filter, "first": 10})
		if nodes, _ := got.at("transactions.nodes").([]any); len(nodes) != c.n {
			t.Errorf("%s finds %d, want %d", name, len(nodes), c.n)
		}
	}
	if _, problems := w.staff().ask(list, map[string]any{"first": 100}); told(problems) != "" {
		t.Error("a full page costs too much:", problems)
	}
}
