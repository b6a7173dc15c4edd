package store_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

var placeholder = regexp.MustCompile(`\$(\d+)`)

// misordered reports whether placeholders do not appear as $1, $2, … by first
// appearance. SQLite would number them by appearance, and PostgreSQL by name.
func misordered(sql string, first int) bool {
	next := first
	for _, m := range placeholder.FindAllStringSubmatch(sql, -1) {
		n, _ := strconv.Atoi(m[1])
		switch {
		case next == 0:
			next = n + 1 // the statement begins elsewhere
		case n > next || n < 1:
			return true
		case n == next:
			next++
		}
	}
	return false
}

// TestPlaceholders reads the statements in the sources.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]bool{"a = $1 AND b = $2 AND c = $1": false, "a = $2 AND b = $1": true, "a = $1 AND b = $3": true, "none": false} {
		if misordered(sql, 1) != want {
			t.Errorf("%q: %v", sql, !want)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.BinaryExpr, *ast.BasicLit:
			default:
				return true
			}
			expr, _ := n.(ast.Expr)
			sql, first := flatten(expr)
			if !placeholder.MatchString(sql) {
				return false
			}
			seen++
			if misordered(sql, first) {
				t.Errorf("placeholders out of order: %s", sql)
			}
			return false
		})
	}
	if seen < 30 {
		t.Errorf("%d statements found", seen)
	}
	for name, sql := range store.Generated() {
		if misordered(sql, 1) {
			t.Errorf("%s: placeholders out of order: %s", name, sql)
		}
	}
}

// flatten is the text of a concatenation. first is 1, or 0 where something
// unknown stands in front of it.
func flatten(e ast.Expr) (sql string, first int) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", 1
		}
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			return "", 1
		}
		if n := placeholder.FindStringSubmatch(s); n != nil && n[1] != "1" && !strings.Contains(s, "SELECT") && !strings.Contains(s, "UPDATE") {
			return s, 0
		}
		return s, 1
	case *ast.BinaryExpr:
		left, first := flatten(e.X)
		right, _ := flatten(e.Y)
		if !placeholder.MatchString(left) && placeholder.MatchString(right) {
			_, first = flatten(e.Y)
		}
		return left + right, first
	case *ast.CallExpr: // placeholders(17)
		if f, ok := e.Fun.(*ast.Ident); ok && f.Name == "placeholders" && len(e.Args) == 1 {
			if lit, ok := e.Args[0].(*ast.BasicLit); ok {
				n, _ := strconv.Atoi(lit.Value)
				var b strings.Builder
				for i := range n {
					b.WriteString("$" + strconv.Itoa(i+1) + " ")
				}
				return b.String(), 1
			}
		}
	}
	return "", 1
}

// TestPlans: what is asked often, or of many rows, finds an index, and sorts
// nothing that an index has in order. It runs every query, so that it also
// checks the placeholders of those that are put together.
func TestPlans(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	owner := anchor.Identity{Account: alice}
	in := func(fn func(*store.Tx) error) func() error {
		return func() error { return b.Update(ctx, store.Operator, fn) }
	}
	var ignore error
	known := map[string]bool{}
	cursor := func(parts ...any) string {
		text, err := json.Marshal(parts)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	for _, c := range []struct {
		name string
		run  func() error
		want []string // parts of the plan
		sort bool     // may sort
	}{
		{"a transaction", func() error { _, ignore = b.Transaction(ctx, "x"); return nil }, []string{"SEARCH transactions USING INDEX sqlite_autoindex_transactions_1 (id=?)"}, false},
		{"by memo", in(func(tx *store.Tx) error { _, ignore = tx.TransactionByMemo(alice, anchor.IDMemo(1)); return nil }), []string{"USING INDEX transactions_memo (anchor_account=? AND memo_type=? AND memo=?)"}, false},
		{"by reference", in(func(tx *store.Tx) error { _, ignore = tx.TransactionByReference("r"); return nil }), []string{"USING INDEX transactions_reference (reference=?)"}, false},
		{"by hash", func() error { _, ignore = b.TransactionOf(ctx, owner, "h", ""); return nil }, []string{"USING INDEX transactions_stellar_id (stellar_id=? AND owner_account=? AND owner_memo=? AND owner_muxed=?)"}, false},
		{"by the bank's id", func() error { _, ignore = b.TransactionOf(ctx, owner, "", "x"); return nil }, []string{"USING INDEX transactions_external_id (external_id=? AND owner_account=? AND owner_memo=? AND owner_muxed=?)"}, false},
		{"history", func() error { _, err := b.History(ctx, owner, store.History{Limit: 5}); return err }, []string{"USING INDEX transactions_owner (owner_account=? AND owner_memo=? AND owner_muxed=?)"}, false},
		{"history, narrowed down", func() error {
			_, err := b.History(ctx, owner, store.History{Limit: 5, Asset: usdw, Kind: anchor.Deposit, NoOlderThan: noon, Before: "x"})
			return err
		}, []string{"USING INDEX transactions_owner (owner_account=? AND owner_memo=? AND owner_muxed=? AND id<?)"}, false},
		{"the newest", func() error { _, _, err := b.Search(ctx, store.Search{Page: store.Page{Limit: 5}}); return err }, []string{"SCAN transactions USING INDEX sqlite_autoindex_transactions_1"}, false},
		{"one status", func() error {
			_, _, err := b.Search(ctx, store.Search{Page: store.Page{Limit: 5}, Statuses: []anchor.Status{anchor.OnHold, anchor.OnHold}})
			return err
		}, []string{"USING INDEX transactions_status (status=?)"}, false},
		{"a text", func() error {
			_, _, err := b.Search(ctx, store.Search{Page: store.Page{Limit: 5}, Text: "x"})
			return err
		}, []string{
			"SEARCH transactions USING INDEX sqlite_autoindex_transactions_1 (id=?)",
			"transactions_account (account=?)", "transactions_owner (owner_account=?)", "transactions_owner_muxed (owner_muxed=?)", "transactions_stellar_id (stellar_id=?)",
			"transactions_external_id (external_id=?)", "transactions_reference (reference=?)", "transactions_any_memo (memo=?)", "(id>? AND id<?)"}, true},
		{"to review", func() error {
			_, _, err := b.Search(ctx, store.Search{ToReview: true, Page: store.Page{Limit: 5, Oldest: true}})
			return err
		}, []string{"USING INDEX transactions_status (status=?)", "customers_owner (owner_account=? AND owner_memo=? AND owner_muxed=?)"}, true},
		{"expirable", func() error { _, err := b.Expirable(ctx, anchor.Deposit, "", late, 5); return err }, []string{"USING INDEX transactions_expirable (kind=? AND anchor_account=? AND deadline<?)"}, false},
		{"timeline", func() error { _, err := b.Timeline(ctx, "x"); return err }, []string{"USING INDEX audit_transaction (transaction_id=?)"}, false},
		{"details", func() error { _, err := b.Details(ctx, "x"); return err }, []string{"(transaction_id=?)"}, false},
		{"customer", func() error { _, ignore = b.CustomerOf(ctx, owner); return nil }, []string{"USING INDEX customers_owner"}, false},
		{"journal", func() error { _, err := b.Journal(ctx, "x"); return err }, []string{"USING INDEX journal_transaction (transaction_id=?)", "(entry_id=?)"}, true},
		{"balances", func() error { _, err := b.Balances(ctx); return err }, []string{"SCAN postings USING COVERING INDEX postings_account"}, false},
		{"is a payment known", in(func(tx *store.Tx) error { _, err := tx.HasPayment("x"); return err }), []string{"(id=?)"}, false},
		{"payments", func() error { _, _, err := b.Payments(ctx, false, store.Page{Limit: 5}); return err }, []string{"SCAN payments USING INDEX payments_seq"}, false},
		{"unmatched payments", func() error { _, _, err := b.Payments(ctx, true, store.Page{Limit: 5}); return err }, []string{"USING INDEX payments_state (state=?)"}, false},
		{"a transaction's payments", func() error { _, err := b.PaymentsOfEach(ctx, []string{"x"}); return err }, []string{"USING INDEX payments_transaction (transaction_id=?)"}, true},
		{"what was taken", in(func(tx *store.Tx) error { _, err := tx.PaymentsOf("x", anchor.Matched, 1); return err }), []string{"USING INDEX payments_transaction (transaction_id=? AND state=?)"}, false},
		{"what the bank took", in(func(tx *store.Tx) error { _, err := tx.BankLinesOf("x", anchor.Matched, 1); return err }), []string{"USING INDEX bank_lines_transaction (transaction_id=? AND state=?)"}, false},
		{"what a person confirmed", in(func(tx *store.Tx) error { _, err := tx.ConfirmedLines("x"); return err }), []string{"USING INDEX bank_lines_transaction (transaction_id=?)"}, false},
		{"undecided payments", func() error { _, err := b.Undecided(ctx, noon, 5); return err }, []string{"USING INDEX payments_decide (decide_at<?)"}, false},
		{"an answer to a refund", in(func(tx *store.Tx) error { _, err := tx.AnswersRefund(payment("1"), noon); return err }),
			[]string{"automatic_refunds_sender (sender=? AND at>?)", "payouts_once (cause_kind=? AND cause_id=? AND purpose=?)"}, false},
		{"a sender's refunds", in(func(tx *store.Tx) error {
			_, err := tx.CountRefund(anchor.CausePayment, "x", alice, 1, noon)
			return err
		}), []string{"USING COVERING INDEX automatic_refunds_sender (sender=? AND at>?)"}, false},
		{"cursor", func() error { _, _, err := b.Cursor(ctx, "x"); return err }, []string{"(name=?)"}, false},
		{"payouts due", func() error { _, err := b.PayoutsDue(ctx, anchor.PayoutQueued, noon, 5); return err }, []string{"USING INDEX payouts_state (state=?)"}, false},
		{"waiting payouts due", func() error { _, err := b.PayoutsDue(ctx, anchor.PayoutWaiting, noon, 5); return err }, []string{"USING INDEX payouts_waiting (state=? AND not_before<?)"}, false},
		{"what takes a balance back", in(func(tx *store.Tx) error { _, err := tx.TookBack("x", "y", "z", noon); return err }), []string{"USING INDEX payouts_result (result_id=? AND purpose=?)"}, false},
		{"the newest payouts", func() error { _, _, err := b.Payouts(ctx, "", store.Page{Limit: 5}); return err }, []string{"SCAN payouts USING INDEX sqlite_autoindex_payouts_1"}, false},
		{"a cause's payouts", func() error { _, err := b.PayoutsOf(ctx, "transaction", "x"); return err }, []string{"USING INDEX payouts_once (cause_kind=? AND cause_id=?)"}, true},
		{"an envelope by hash", func() error { _, ignore = b.EnvelopeByHash(ctx, "x"); return nil }, []string{"USING INDEX envelopes_hash (hash=?)"}, false},
		{"live envelopes", func() error { _, err := b.LiveEnvelopes(ctx); return err }, []string{"SCAN envelopes USING INDEX envelopes_live"}, false},
		{"a channel's sequence", func() error { _, err := b.ChannelSequence(ctx, "x"); return err }, []string{"USING INDEX envelopes_channel (channel=?)"}, false},
		{"orders due", func() error { _, err := b.BankPayoutsDue(ctx, anchor.BankQueued, noon, 5); return err }, []string{"USING INDEX bank_payouts_state (state=?)"}, false},
		{"a transaction's orders", func() error { _, err := b.BankPayoutsOf(ctx, "x"); return err }, []string{"USING INDEX bank_payouts_once (cause_kind=? AND cause_id=?)"}, true},
		{"the statement", func() error { _, _, err := b.BankLines(ctx, false, store.Page{Limit: 5}); return err }, []string{"SCAN bank_lines USING INDEX bank_lines_at"}, false},
		{"unmatched lines", func() error { _, _, err := b.BankLines(ctx, true, store.Page{Limit: 5, Oldest: true}); return err }, []string{"bank_lines_state (state=?)"}, true},
		{"undecided lines", func() error { _, err := b.UndecidedLines(ctx, noon, 5); return err }, []string{"USING INDEX bank_lines_decide (decide_at<?)"}, false},
		{"refused lines", func() error { _, err := b.RefusedLines(ctx); return err }, []string{"USING INDEX bank_lines_state (state=?)"}, false},
		{"an order's return", in(func(tx *store.Tx) error {
			if err := tx.CreateBankPayout(&anchor.BankPayout{ID: "o", CauseKind: anchor.CauseLine, CauseID: "x", Purpose: anchor.ForRefund, Asset: usd, State: anchor.BankQueued}); err != nil {
				return err
			}
			_, err := tx.ReturnedLine(&anchor.BankLine{ID: "r", Order: "o", Asset: usd, Amount: 1}, noon)
			return err
		}), []string{"bank_lines_order (order_id=?)"}, true},
		{"a sender's refunds' causes", in(func(tx *store.Tx) error { _, err := tx.RefundsOfSender(alice, noon); return err }), []string{"automatic_refunds_sender (sender=? AND at>?)"}, false},
		{"a state's payouts", func() error { _, _, err := b.Payouts(ctx, anchor.PayoutParked, store.Page{Limit: 5}); return err }, []string{"USING INDEX payouts_state (state=?)"}, false},
		{"further payouts of it", func() error {
			_, _, err := b.Payouts(ctx, anchor.PayoutParked, store.Page{Limit: 5, After: cursor("payouts<", "x")})
			return err
		}, []string{"USING INDEX payouts_state (state=? AND id<?)"}, false},
		{"the newest orders", func() error { _, _, err := b.BankPayouts(ctx, "", false, store.Page{Limit: 5}); return err }, []string{"SCAN bank_payouts USING INDEX sqlite_autoindex_bank_payouts_1"}, false},
		{"a state's orders", func() error {
			_, _, err := b.BankPayouts(ctx, anchor.BankRefused, false, store.Page{Limit: 5, After: cursor("bank_payouts<", "x")})
			return err
		}, []string{"USING INDEX bank_payouts_state (state=? AND id<?)"}, false},
		{"undecided orders", func() error { _, _, err := b.BankPayouts(ctx, "", true, store.Page{Limit: 5}); return err }, []string{"bank_payouts_state (state=?)", "bank_payouts_once (cause_kind=? AND cause_id=? AND purpose=?)", "transactions_1 (id=?)"}, true},
		{"further lines", func() error {
			_, _, err := b.BankLines(ctx, false, store.Page{Limit: 5, Oldest: true, After: cursor("bank_lines>", 1, "x")})
			return err
		}, []string{"USING INDEX bank_lines_at"}, false},
		{"many causes' payouts", func() error { _, err := b.PayoutsOfEach(ctx, "transaction", []string{"x"}); return err }, []string{"USING INDEX payouts_once (cause_kind=? AND cause_id=?)"}, true},
		{"many causes' orders", func() error { _, err := b.BankPayoutsOfEach(ctx, "transaction", []string{"x"}); return err }, []string{"USING INDEX bank_payouts_once (cause_kind=? AND cause_id=?)"}, true},
		{"lines of transactions", func() error { _, err := b.BankLinesOfEach(ctx, []string{"x"}); return err }, []string{"USING INDEX bank_lines_transaction (transaction_id=?)"}, true},
		{"many transactions' journals", func() error { _, err := b.JournalOfEach(ctx, []string{"x", "y"}); return err }, []string{"USING INDEX journal_transaction (transaction_id=?)", "(entry_id=?)"}, true},
		{"many transactions' trails", func() error { _, err := b.AuditOfEach(ctx, []string{"x", "y"}); return err }, []string{"USING INDEX audit_transaction (transaction_id=?)"}, true},
		{"many transactions' steps", func() error { _, err := b.TimelineOfEach(ctx, []string{"x", "y"}); return err }, []string{"USING INDEX audit_transaction (transaction_id=?)"}, true},
		{"many transactions' details", func() error { _, err := b.DetailsOfEach(ctx, []string{"x", "y"}); return err }, []string{"(transaction_id=?)"}, false},
		{"many customers", func() error { _, err := b.CustomersOfEach(ctx, []anchor.Identity{owner, owner}); return err }, []string{"USING INDEX customers_owner (owner_account=? AND owner_memo=? AND owner_muxed=?)", "SCAN 2-ROW VALUES CLAUSE"}, true},
		{"a key", in(func(tx *store.Tx) error {
			_, err := tx.Once("k", "o", nil, "", noon, func() (store.Act, error) { return store.Act{}, nil })
			return err
		}), []string{"SEARCH asked", "(key=?)"}, false},
		{"the trail", func() error { _, _, err := b.Audit(ctx, store.Trail{Page: store.Page{Limit: 5}}); return err }, []string{"SCAN audit", "SEARCH audit_notes"}, false},
		{"a transaction's trail", func() error { _, _, err := b.Audit(ctx, store.Trail{Transaction: "x"}); return err }, []string{"USING INDEX audit_transaction (transaction_id=?)"}, false},
		{"a subject's trail", func() error { _, _, err := b.Audit(ctx, store.Trail{Subject: "x"}); return err }, []string{"USING INDEX audit_subject (subject=?)"}, false},
		{"messages due", func() error { _, err := b.MessagesDue(ctx, noon, []string{"x"}, 4, 5); return err }, []string{
			"COVERING INDEX outbox_host", "COVERING INDEX outbox_host (host>?)", "SCAN hosts", "callback_hosts_1 (host=?)", "INTEGER PRIMARY KEY (rowid=?)",
			"USING INDEX outbox_host (host=? AND not_before<?)", "outbox_order (transaction_id=? AND kind=? AND id<?)"}, true},
		{"e-mails to an address", in(func(tx *store.Tx) error {
			_, err := tx.Address(&store.Message{}, "a@b.example", 1, noon)
			if anchor.KindOf(err) == anchor.NotFound {
				err = nil
			}
			return err
		}), []string{"paid USING INDEX transactions_paid_in (owner_account=? AND owner_memo=? AND owner_muxed=?)", "USING INDEX outbox_addressee (addressee=? AND addressed_at>?)",
			"mine USING INDEX sqlite_autoindex_transactions_1 (id=?)", "theirs USING INDEX sqlite_autoindex_transactions_1 (id=?)"}, false},
		{"messages", func() error { _, _, err := b.Messages(ctx, "", "", store.Page{Limit: 5}); return err }, []string{"SCAN outbox"}, false},
		{"a host's messages that were given up", func() error {
			_, _, err := b.Messages(ctx, store.MessageGivenUp, "x", store.Page{Limit: 5})
			return err
		}, []string{"outbox_given_up (host=?)"}, false},
		{"messages of transactions", func() error { _, err := b.MessagesOfEach(ctx, []string{"x"}); return err }, []string{"outbox_transaction (transaction_id=?)"}, false},
		{"deliveries", func() error { _, err := b.DeliveriesOfEach(ctx, []int64{1}); return err }, []string{"deliveries_outbox (outbox_id=?)"}, false},
		{"hosts in trouble", func() error { _, _, err := b.CallbackHosts(ctx, store.Page{Limit: 5}); return err }, []string{
			"SCAN callback_hosts", "outbox_host (host=?)", "outbox_given_up (host=?)"}, true},
		{"what became of a message", in(func(tx *store.Tx) error {
			if err := tx.HostFailed("x", store.Delivery{}, func(int) time.Time { return noon }); err != nil {
				return err
			}
			if err := tx.Delivered(&store.Message{}, store.Delivery{}); anchor.KindOf(err) != anchor.Conflict {
				return err
			}
			if err := tx.NotDelivered(&store.Message{}, store.Delivery{}, noon); anchor.KindOf(err) != anchor.Conflict {
				return err
			}
			return nil
		}), []string{"callback_hosts_1 (host=?)", "INTEGER PRIMARY KEY (rowid=?)"}, false},
		{"sweeping messages", in(func(tx *store.Tx) error { _, err := tx.SweepMessages(noon, noon, noon, 5); return err }), []string{
			"outbox_ended (kind=? AND state=? AND ended_at<?)", "deliveries_outbox (outbox_id=?)", "SCAN callback_hosts", "outbox_host (host=?)"}, false},
		{"giving up messages", in(func(tx *store.Tx) error { _, err := tx.GiveUpMessages(noon, noon, 5); return err }), []string{
			"SCAN callback_hosts", "outbox_host (host=?)"}, false},
		{"session", func() error { _, ignore = b.Session(ctx, "x"); return nil }, []string{"(id=?)"}, false},
		{"who never paid", func() error { _, err := b.ForgetUnpaid(ctx, store.Kept{Unpaid: noon}, 5, noon); return err }, []string{
			"transactions_unpaid (status=? AND updated_at<?)", "USING INDEX customers_owner", "payments_transaction (transaction_id=?", "bank_lines_transaction (transaction_id=?"}, false},
		{"sweeping", in(func(tx *store.Tx) error { return tx.Sweep(noon) }), []string{"used_expires", "sessions_expires", "asked_at"}, false},
	} {
		if err := c.run(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var plan strings.Builder
		for _, sql := range b.Statements() {
			if known[sql] {
				continue
			}
			known[sql] = true
			if misordered(sql, 1) {
				t.Errorf("%s: placeholders out of order: %s", c.name, sql)
			}
			if head := strings.Fields(sql)[0]; slices.Contains([]string{"BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK"}, head) {
				continue
			}
			steps, err := b.Plan(ctx, sql)
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			plan.WriteString(steps)
		}
		for _, part := range c.want {
			if !strings.Contains(plan.String(), part) {
				t.Errorf("%s: no %q in\n%s", c.name, part, plan.String())
			}
		}
		for step := range strings.Lines(plan.String()) {
			if strings.HasPrefix(step, "SCAN") && !slices.ContainsFunc(c.want, func(w string) bool { return strings.Contains(step, w) }) && !strings.Contains(step, "(subquery") {
				t.Errorf("%s: %s", c.name, step)
			}
		}
		if !c.sort && strings.Contains(plan.String(), "TEMP B-TREE") {
			t.Errorf("%s sorts:\n%s", c.name, plan.String())
		}
	}
	_ = ignore // not found, as nothing is there
}

// TestMigration: the schema's columns are of the types that both engines have.
func TestMigration(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("migrations/00001_books.sql")
	if err != nil {
		t.Fatal(err)
	}
	column := regexp.MustCompile(`(?m)^    ([a-z_]+)\s+([a-z]+)\s+NOT NULL`)
	all := column.FindAllStringSubmatch(string(b), -1)
	if len(all) < 100 {
		t.Fatalf("%d columns found", len(all))
	}
	for _, c := range all {
		if !slices.Contains([]string{"text", "bigint", "bytea", "boolean", "integer"}, c[2]) {
			t.Errorf("%s is %s", c[1], c[2])
		}
		if strings.HasSuffix(c[1], "_box") != (c[2] == "bytea") {
			t.Errorf("%s is %s: what is encrypted ends in _box", c[1], c[2])
		}
	}
}
