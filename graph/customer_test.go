package graph_test

import (
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

var ana = answers("first_name", "Ana", "last_name", "Díaz", "email_address", "ana@example.com")

// a customer's step: what is sent, and what comes of it. A step without want is
// to succeed.
type takes struct {
	name, query string
	variables   map[string]any
	want        string // problems, as told writes them
	status      anchor.Status
}

func (w *world) walk(c caller, steps []takes) object {
	w.t.Helper()
	var last object
	for _, s := range steps {
		v := map[string]any{"id": c.transaction}
		maps.Copy(v, s.variables)
		data, problems := c.ask(s.query, v)
		if got := told(problems); got != s.want {
			w.t.Fatalf("%s: %q, want %q (%+v)", s.name, got, s.want, problems)
		}
		for _, p := range problems {
			if p.Message == "" || p.Extensions.RequestID != "request-1" {
				w.t.Errorf("%s: %+v", s.name, p)
			}
		}
		if s.status != "" && w.read(c.transaction).Status() != s.status {
			w.t.Fatalf("%s: %s, want %s", s.name, w.read(c.transaction).Status(), s.status)
		}
		if s.want == "" {
			last = data
		}
	}
	return last
}

func TestDeposit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit, func(t *anchor.Transaction) { t.Requested = 50 * anchor.One; t.Lang = "en"; t.OnChange = "postMessage" })
	c := w.customer(tr)

	first := c.do(look, map[string]any{"id": tr.ID})
	for path, want := range map[string]string{
		"transaction.status": "incomplete", "transaction.review": "none", "transaction.amountIn": "", "transaction.fee": "",
		"transaction.requestedAmount": "50", "transaction.questions.0.name": "first_name", "transaction.questions.0.value": "Ana",
		"transaction.questions.0.label": "First name", "transaction.questions.0.autocomplete": "given-name", "transaction.questions.1.value": "",
		"transaction.questions.2.type": "email", "transaction.questions.3.required": "false",
		"transaction.terms.minimum": "10", "transaction.terms.feePercent": "0.5", "transaction.terms.methods.0.label": "Bank transfer",
		"transaction.assetIn.id": "iso4217:USD", "transaction.assetIn.onLedger": "false", "transaction.assetIn.decimals": "2",
		"transaction.asset.name": "US dollar", "transaction.assetOut.issuer": account, "transaction.assetOut.onLedger": "true", "transaction.timeline.0.event": "started",
		"transaction.timeline.0.actor": "", "transaction.wallet": "wallet.test", "transaction.postMessageOrigin": "https://wallet.test",
		"transaction.onChangeCallback": "postMessage", "transaction.callback": "", "transaction.sep24.id": tr.ID, "transaction.staff": "",
		"transaction.moreInfoUrl": "http://anchor.test/transaction/" + tr.ID, "transaction.supportReference": tr.ID[:13],
	} {
		if got := first.str(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}

	amount := func(a any) map[string]any { return map[string]any{"amountIn": a} }
	agreed := w.walk(c, []takes{
		{name: "agree to nothing", query: agree, variables: map[string]any{"amountOut": "98.5"}, want: "CONFLICT amount_missing amount"},
		{name: "no amount", query: setAmount, variables: amount("much"), want: "INVALID amount_malformed amount"},
		{name: "an amount that is a number", query: setAmount, variables: amount(100), want: "INVALID amount_malformed amount"},
		{name: "negative", query: setAmount, variables: amount("-100"), want: "INVALID amount_malformed amount"},
		{name: "an exponent", query: setAmount, variables: amount("1e2"), want: "INVALID amount_malformed amount"},
		{name: "eight decimals", query: setAmount, variables: amount("100.00000001"), want: "INVALID amount_malformed amount"},
		{name: "a stroop beyond int64", query: setAmount, variables: amount("922337203685.4775808"), want: "INVALID amount_too_large amount"},
		{name: "beyond Stellar", query: setAmount, variables: amount("999999999999999"), want: "INVALID amount_too_large amount"},
		{name: "too little", query: setAmount, variables: amount("9.99"), want: "INVALID amount_below_minimum amount"},
		{name: "too much", query: setAmount, variables: amount("1000.01"), want: "INVALID amount_above_maximum amount"},
		{name: "tenth of a cent", query: setAmount, variables: amount("100.001"), want: "INVALID amount_too_precise amount"},
		{name: "price of too little", query: price, variables: amount("1"), want: "INVALID amount_below_minimum amount"},
		{name: "price", query: price, variables: amount("100"), status: anchor.Incomplete},
		{name: "amount", query: setAmount, variables: amount("200")},
		{name: "another amount", query: setAmount, variables: amount("100")},
		{name: "agree without method", query: agree, variables: map[string]any{"amountOut": "98.5"}, want: "CONFLICT method_missing method"},
		{name: "a method of others", query: choose, variables: map[string]any{"method": "cash", "answers": answers()}, want: "INVALID method_unknown method"},
		{name: "answers nobody asked for", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers("first_name", "Ana")}, want: "INVALID field_unknown first_name"},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}},
		{name: "agree as nobody", query: agree, variables: map[string]any{"amountOut": "98.5"}, want: "CONFLICT customer_missing"},
		{
			name: "several faulty answers", query: answer, variables: map[string]any{"answers": answers("first_name", "A\u0000", "last_name", " ", "email_address", "ana")},
			want: "INVALID field_malformed first_name, INVALID field_required last_name, INVALID email_malformed email_address",
		},
		{name: "sent before agreed", query: markSent, want: "CONFLICT state_refused"},
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}, status: anchor.Incomplete},
		{name: "another figure", query: agree, variables: map[string]any{"amountOut": "98.51"}, want: "CONFLICT price_changed amountOut", status: anchor.Incomplete},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.50"}, status: anchor.PendingUserTransferStart},
		{name: "agree again", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart},
		{name: "agree to another figure", query: agree, variables: map[string]any{"amountOut": "90"}, want: "CONFLICT price_changed amountOut"},
		{name: "too late for an amount", query: setAmount, variables: amount("50"), want: "CONFLICT already_agreed"},
		{name: "too late for a method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}, want: "CONFLICT already_agreed"},
		{name: "too late for answers", query: answer, variables: map[string]any{"answers": ana}, want: "CONFLICT already_agreed"},
		{name: "how to pay", query: look},
	})

	stored := w.read(tr.ID)
	if rail.Normalise(stored.Reference) != stored.Reference || time.Until(stored.Deadline) > time.Hour || stored.CustomerID == "" {
		t.Errorf("%+v", stored)
	}
	for path, want := range map[string]string{
		"transaction.amountIn": "100", "transaction.amountOut": "98.5", "transaction.fee.total": "1.5", "transaction.fee.asset.code": "USD",
		"transaction.fee.lines.0.label": "Fixed fee", "transaction.fee.lines.1.amount": "0.5", "transaction.review": "accepted", "transaction.method": "bank_transfer",
		"transaction.instructions.0.name": "amount", "transaction.instructions.0.value": "100", "transaction.instructions.1.value": stored.Reference,
		"transaction.instructions.1.important": "true", "transaction.instructions.2.value": "Example Anchor Ltd", "transaction.instructions.3.label": "Account number",
		"transaction.instructions.3.value": "1234567890", "transaction.timeline.1.label": "Details confirmed", "transaction.lang": "en",
		"transaction.message": "Send 100.00 USD with the reference we gave you. We send your USDW as soon as the money is here.",
	} {
		if got := agreed.str(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}

	// The money arrives.
	w.walk(c, []takes{
		{name: "sent", query: markSent, status: anchor.PendingExternal},
		{name: "sent again", query: markSent, status: anchor.PendingExternal},
		{name: "cancel what was sent", query: cancel, want: "CONFLICT state_refused"},
	})
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		a, err := tx.TransactionByReference(stored.Reference)
		if err != nil {
			return err
		}
		_, err = tx.Receive(a, w.terms, 100*anchor.One, "bank-1", time.Now(), time.Now())
		return err
	}))
	paid := c.do(look, map[string]any{"id": tr.ID})
	if paid.str("transaction.externalTransactionId") != "bank-1" || paid.str("transaction.status") != "pending_anchor" {
		t.Error(paid)
	}
	balanced(t, w.books)

	// The same person is not asked again, whichever wallet they come with.
	again := w.open(anchor.Deposit, func(t *anchor.Transaction) { t.Owner.Client = "another.test" })
	c = w.customer(again)
	if known := c.do(look, map[string]any{"id": again.ID}); known.str("transaction.review") != "accepted" || known.str("transaction.questions.1.value") != "Díaz" {
		t.Error(known)
	}
	w.walk(c, []takes{
		{name: "amount", query: setAmount, variables: amount("100")},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart},
		{name: "cancel", query: cancel, status: anchor.Expired},
		{name: "cancel again", query: cancel, status: anchor.Expired},
	})
	if w.read(again.ID).CustomerID != stored.CustomerID {
		t.Error("another customer for the same person")
	}
	if gone := c.do(look, map[string]any{"id": again.ID}); gone.str("transaction.message") != "You cancelled before any money moved." || gone.at("transaction.instructions.0") != nil {
		t.Error(gone)
	}
}

func TestWithdrawal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Withdrawal)
	c := w.customer(tr)
	way := func(pairs ...string) map[string]any {
		return map[string]any{"method": "bank_transfer", "answers": answers(pairs...)}
	}
	agreed := w.walk(c, []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "no account", query: choose, variables: way(), want: "INVALID field_required bank_account_number"},
		{name: "odd account", query: choose, variables: way("bank_account_number", "x"), want: "INVALID account_number_malformed bank_account_number"},
		{name: "account", query: choose, variables: way("bank_account_number", " 1234 5678 ")},
		{name: "only the bank's name", query: choose, variables: way("bank_name", "My Bank")},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart},
		{name: "sent is for banks", query: markSent, want: "CONFLICT state_refused"},
		{name: "how to pay", query: look},
	})
	stored := w.read(tr.ID)
	if stored.Memo.Type != anchor.MemoID || stored.AnchorAccount != account || stored.BankSide != "****5678" {
		t.Errorf("%+v", stored)
	}
	for path, want := range map[string]string{
		"transaction.instructions.1.name": "account", "transaction.instructions.1.value": account,
		"transaction.instructions.2.value": stored.Memo.Value, "transaction.instructions.2.important": "true", "transaction.instructions.3.value": "id",
		"transaction.terms.methods.0.questions.0.value": "", "transaction.terms.methods.0.questions.1.value": "My Bank",
	} {
		if got := agreed.str(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	must(t, w.books.Update(t.Context(), store.Ledger, func(tx *store.Tx) error {
		a, err := tx.TransactionByMemo(account, stored.Memo)
		if err != nil {
			return err
		}
		_, err = tx.Receive(a, w.terms, 100*anchor.One, "abcdef", time.Now(), time.Now())
		return err
	}))
	paid := c.do(look, map[string]any{"id": tr.ID})
	if paid.str("transaction.stellarTransactionId") != "abcdef" || paid.str("transaction.explorerUrl") != "http://explorer.test/tx/abcdef" {
		t.Error(paid)
	}
	orders, err := w.books.BankPayoutsOf(t.Context(), tr.ID)
	must(t, err)
	if len(orders) != 1 || orders[0].To["bank_account_number"] != "1234 5678" || orders[0].To["bank_name"] != "My Bank" {
		t.Errorf("%+v", orders)
	}
	balanced(t, w.books)
}

// Fees that changed since they were shown are not agreed to by accident.
func TestAgreeByTodaysTerms(t *testing.T) {
	t.Parallel()
	terms := newTerms()
	w := newWorld(t, func(o *graph.Options) { o.Terms = []*anchor.Terms{terms} })
	tr := w.open(anchor.Deposit)
	c := w.customer(tr)
	out := func(a string) map[string]any { return map[string]any{"amountOut": a} }
	w.walk(c, []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}},
	})
	terms.Deposit.Fee.Fixed = 2 * anchor.One
	w.walk(c, []takes{
		{name: "the old figure", query: agree, variables: out("98.5"), want: "CONFLICT price_changed amountOut"},
		{name: "today's", query: agree, variables: out("97.5"), status: anchor.PendingUserTransferStart},
	})
	terms.Deposit.Enabled = false
	other := w.open(anchor.Deposit)
	w.walk(w.customer(other), []takes{
		{name: "no longer offered", query: setAmount, variables: map[string]any{"amountIn": "100"}, want: "CONFLICT not_offered"},
		{name: "cancel is always possible", query: cancel, status: anchor.Expired},
	})
}

// TestMethods: each method tells what it takes, costs and leaves of the amount, and how
// long it takes; an amount beyond the chosen one leaves the choice to be made again.
func TestMethods(t *testing.T) {
	t.Parallel()
	terms := newTerms()
	terms.Deposit.Methods = []anchor.Method{
		{ID: "bank_transfer", Takes: 24 * time.Hour},
		{ID: "cash", Min: 20 * anchor.One, Max: 50 * anchor.One, Fee: &anchor.Schedule{Fixed: 3 * anchor.One}},
	}
	w := newWorld(t, func(o *graph.Options) { o.Terms = []*anchor.Terms{terms} })
	tr := w.open(anchor.Deposit)
	c := w.customer(tr)
	shows := func(want map[string]string) {
		t.Helper()
		got := c.do(look, map[string]any{"id": tr.ID})
		for path, text := range want {
			if got.str("transaction."+path) != text {
				t.Errorf("%s is %q, want %q", path, got.str("transaction."+path), text)
			}
		}
	}
	shows(map[string]string{
		"terms.minimum": "10", "terms.maximum": "1000", "terms.methods.0.takes": "86400", "terms.methods.0.price": "",
		"terms.methods.1.minimum": "20", "terms.methods.1.maximum": "50", "terms.methods.1.takes": "", "terms.methods.1.label": "Cash",
	})
	w.walk(c, []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "50"}},
		{name: "method", query: choose, variables: map[string]any{"method": "cash", "answers": answers()}},
	})
	shows(map[string]string{
		"method": "cash", "amountOut": "47", "terms.methods.0.price.amountOut": "48.75",
		"terms.methods.1.price.amountOut": "47", "terms.methods.1.price.fee.total": "3", "paymentCode": "",
	})
	w.walk(c, []takes{{name: "more than cash leaves of what it takes", query: `mutation($id: ID!) { setAmount(transaction: $id, amountOut: "48") { id } }`}})
	shows(map[string]string{"method": "", "amountIn": "49.25", "amountOut": "48"})
	w.walk(c, []takes{{name: "cash once more", query: choose, variables: map[string]any{"method": "cash", "answers": answers()}}})
	w.walk(c, []takes{{name: "more than cash takes", query: setAmount, variables: map[string]any{"amountIn": "100"}}})
	shows(map[string]string{"method": "", "amountOut": "98.5", "terms.methods.1.price": "", "terms.methods.0.price.amountOut": "98.5"})
	w.walk(c, []takes{
		{name: "cash again", query: choose, variables: map[string]any{"method": "cash", "answers": answers()}, want: "INVALID amount_above_maximum amount"},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}, want: "CONFLICT method_missing method"},
		{name: "by bank", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart},
	})
	code := c.do(look, map[string]any{"id": tr.ID}).str("transaction.paymentCode")
	if u, err := url.Parse(code); err != nil || u.Query().Get("currency") != "USD" || u.Fragment != "amount=100&reference="+w.read(tr.ID).Reference {
		t.Errorf("%q: %v", code, err)
	}
	if got := w.viewer(tr).do(look, map[string]any{"id": tr.ID}).str("transaction.terms.methods.0.price"); got != "" {
		t.Error(got)
	}
}

// Where the two assets are not worth the same, the customer sees at which rate, each
// amount with the decimals of its own asset, and agrees to no other.
func TestAgreeToRate(t *testing.T) {
	t.Parallel()
	terms := newTerms()
	terms.Asset, terms.Decimals = anchor.Native, 7
	quote := func(kind anchor.Kind, price string) {
		rate, err := anchor.Quote(kind, price, 7, 2)
		must(t, err)
		terms.Side(kind).Rate = rate
	}
	quote(anchor.Deposit, "0.1176")
	quote(anchor.Withdrawal, "0.115")
	w := newWorld(t, func(o *graph.Options) { o.Terms = []*anchor.Terms{terms} })
	w.terms = terms
	shows := func(o object, wants map[string]string) {
		t.Helper()
		for path, want := range wants {
			if got := o.str(path); got != want {
				t.Errorf("%s is %q, want %q", path, got, want)
			}
		}
	}
	enter := func(c caller, in string, account ...string) {
		t.Helper()
		w.walk(c, []takes{
			{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
			{name: "amount", query: setAmount, variables: map[string]any{"amountIn": in}},
			{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers(account...)}},
		})
	}

	deposit := w.open(anchor.Deposit)
	c := w.customer(deposit)
	shows(c.do(look, map[string]any{"id": deposit.ID}), map[string]string{
		"transaction.rate": "", "transaction.assetIn.decimals": "2", "transaction.assetOut.decimals": "7", "transaction.assetOut.code": "XLM",
	})
	shows(c.do(price, map[string]any{"id": deposit.ID, "amountIn": "100"}), map[string]string{
		"price.rate": "0.1176", "price.amountOut": "837.585034", "price.fee.total": "1.5", "price.fee.asset.code": "USD",
	})
	// The same from the other end: as much as can come out, or a little more.
	byOut := `query($id: ID!, $in: Amount, $out: Amount) { price(transaction: $id, amountIn: $in, amountOut: $out) { amountIn amountOut } }`
	shows(c.do(byOut, map[string]any{"id": deposit.ID, "out": "837.585034"}), map[string]string{"price.amountIn": "100", "price.amountOut": "837.585034"})
	shows(c.do(byOut, map[string]any{"id": deposit.ID, "out": "837.59"}), map[string]string{"price.amountIn": "100.02", "price.amountOut": "837.670068"})
	for reason, both := range map[string]map[string]any{
		"INVALID amount_missing amount":              {},
		"INVALID amount_twice amount":                {"in": "100", "out": "837.59"},
		"INVALID amount_out_above_maximum amountOut": {"out": "1000000"},
		"INVALID amount_out_below_minimum amountOut": {"out": "1"},
		"INVALID amount_too_precise amount":          {"in": "100.001"},
		"INVALID amount_malformed amount":            {"out": "much"},
	} {
		both["id"] = deposit.ID
		if _, problems := c.ask(byOut, both); told(problems) != reason {
			t.Errorf("%v: %s, want %s", both, told(problems), reason)
		}
	}
	c.do(`mutation($id: ID!) { setAmount(transaction: $id, amountOut: "837.585034") { id } }`, map[string]any{"id": deposit.ID})
	shows(c.do(look, map[string]any{"id": deposit.ID}), map[string]string{"transaction.amountIn": "100", "transaction.amountOut": "837.585034"})
	enter(c, "100")
	shows(c.do(look, map[string]any{"id": deposit.ID}), map[string]string{
		"transaction.rate": "0.1176", "transaction.amountIn": "100", "transaction.amountOut": "837.585034",
	})
	to := func(out, rate string) map[string]any { return map[string]any{"amountOut": out, "rate": rate} }
	quote(anchor.Deposit, "0.118")
	w.walk(c, []takes{
		{name: "yesterday's rate", query: agree, variables: to("837.585034", "0.1176"), want: "CONFLICT price_changed amountOut", status: anchor.Incomplete},
		{name: "yesterday's rate, untold", query: agree, variables: map[string]any{"amountOut": "837.585034"}, want: "CONFLICT price_changed amountOut"},
		{name: "look again", query: setAmount, variables: map[string]any{"amountIn": "100"}},
	})
	agreed := w.walk(c, []takes{{name: "today's rate", query: agree, variables: to("834.7457627", "0.118"), status: anchor.PendingUserTransferStart}})
	quote(anchor.Deposit, "0.2")
	shows(agreed, map[string]string{"transaction.rate": "0.118"})
	shows(w.viewer(deposit).do(look, map[string]any{"id": deposit.ID}), map[string]string{"transaction.rate": "0.118", "transaction.amountOut": "834.7457627"})

	// Rounding gives as much at either rate: the rate tells that it is another one.
	withdrawal := w.open(anchor.Withdrawal)
	c = w.customer(withdrawal)
	enter(c, "20", "bank_account_number", "12345678")
	shows(c.do(look, map[string]any{"id": withdrawal.ID}), map[string]string{
		"transaction.rate": "0.115", "transaction.amountOut": "2.17", "transaction.fee.total": "1.1304347", "transaction.fee.asset.code": "XLM",
	})
	quote(anchor.Withdrawal, "0.1151")
	w.walk(c, []takes{
		{name: "as much, at yesterday's rate", query: agree, variables: to("2.17", "0.115"), want: "CONFLICT price_changed amountOut"},
		{name: "as much, at today's", query: agree, variables: to("2.17", "0.1151"), status: anchor.PendingUserTransferStart},
	})
	shows(w.staff().do(look, map[string]any{"id": withdrawal.ID}), map[string]string{"transaction.rate": "0.1151"})
}

// Assets that share what the bank moves may count it in other decimals: nothing of
// an amount is hidden, in whichever order they are offered.
func TestDecimals(t *testing.T) {
	t.Parallel()
	whole, cents := newTerms(), newTerms()
	whole.Asset, whole.Decimals, whole.OffChainDecimals = anchor.Asset{Scheme: anchor.Stellar, Code: "USDX", Issuer: account}, 0, 0
	for _, terms := range [][]*anchor.Terms{{whole, cents}, {cents, whole}} {
		w := newWorld(t, func(o *graph.Options) { o.Terms = terms })
		for _, its := range terms {
			w.terms = its
			tr := w.open(anchor.Deposit)
			got := w.customer(tr).do(look, map[string]any{"id": tr.ID})
			if in, out := got.str("transaction.assetIn.decimals"), got.str("transaction.assetOut.decimals"); in != "2" || out != strconv.Itoa(its.Decimals) {
				t.Errorf("%s: %s decimals in and %s out", its.Asset.Code, in, out)
			}
		}
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit, func(t *anchor.Transaction) { t.Lang = "es" })
	c := w.customer(tr)
	if got := c.do(look, map[string]any{"id": tr.ID}); got.str("transaction.lang") != "es" || got.str("transaction.questions.0.label") == "First name" {
		t.Error(got)
	}
	_, problems := c.ask(setAmount, map[string]any{"id": tr.ID, "amountIn": "1"})
	if len(problems) != 1 || strings.Contains(problems[0].Message, "least") || !strings.Contains(problems[0].Message, "10.00 USD") {
		t.Error(problems)
	}
	if got := w.walk(c, []takes{
		{name: "unknown", query: setLang, variables: map[string]any{"lang": "tlh"}, want: "INVALID lang_unknown lang"},
		{name: "English", query: setLang, variables: map[string]any{"lang": "en"}},
	}); got.str("transaction.lang") != "en" || got.str("transaction.questions.0.label") != "First name" {
		t.Error(got)
	}
	// It is remembered of the person, whom nothing else is known of yet, and is not
	// what the next wallet happens to ask for.
	chosen := func() string {
		c, err := w.books.CustomerOf(t.Context(), tr.Owner)
		must(t, err)
		return c.Lang
	}
	if got := chosen(); got != "en" {
		t.Errorf("remembered is %q", got)
	}
	french := w.open(anchor.Deposit, func(t *anchor.Transaction) { t.Lang = "fr" })
	w.walk(w.customer(french), []takes{{name: "answers", query: answer, variables: map[string]any{"answers": ana}}})
	if got := chosen(); got != "en" {
		t.Errorf("remembered is %q, which nobody chose", got)
	}
	// Nobody knows the language of a stranger but the browser.
	stranger := caller{w: w, lang: "es-MX,es;q=0.9"}
	_, problems = stranger.ask(look, map[string]any{"id": tr.ID})
	if told(problems) != "UNAUTHENTICATED" || strings.HasPrefix(problems[0].Message, "For") {
		t.Error(problems)
	}
}

// The users of one shared account are different people, and nobody sees what
// another said; in another wallet the same person is known.
func TestCustomersApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m, err := xdr.MuxedAccountFromAccountId(account, 1)
	must(t, err)
	open := func(owner anchor.Identity) *anchor.Transaction {
		return w.open(anchor.Deposit, func(t *anchor.Transaction) { t.Owner = owner })
	}
	known := open(anchor.Identity{Account: account, Memo: "1", Client: "one.test"})
	w.walk(w.customer(known), []takes{{name: "answers", query: answer, variables: map[string]any{
		"answers": answers("first_name", "Berta", "last_name", "Díaz", "email_address", "ana@example.com")}}})
	for name, c := range map[string]struct {
		owner               anchor.Identity
		first, last, review string
	}{
		"the same":          {anchor.Identity{Account: account, Memo: "1"}, "Berta", "Díaz", "accepted"},
		"in another wallet": {anchor.Identity{Account: account, Memo: "1", Client: "two.test"}, "Berta", "Díaz", "accepted"},
		"another memo":      {anchor.Identity{Account: account, Memo: "2"}, "Ana", "", "none"},
		"no memo":           {anchor.Identity{Account: account}, "Ana", "", "none"},
		"muxed":             {anchor.Identity{Account: account, Muxed: m.Address()}, "Ana", "", "none"},
	} {
		tr := open(c.owner)
		seen := w.customer(tr).do(look, map[string]any{"id": tr.ID})
		// What the wallet says, Ana, is only for whom we do not know.
		if got := [3]string{seen.str("transaction.questions.0.value"), seen.str("transaction.questions.1.value"), seen.str("transaction.review")}; got != [3]string{c.first, c.last, c.review} {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Two tabs at once: there is one agreement, and the bank account does not
// change after it.
func TestAgreeWhileChanging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Withdrawal)
	c := w.customer(tr)
	way := func(number string) map[string]any {
		return map[string]any{"id": tr.ID, "method": "bank_transfer", "answers": answers("bank_account_number", number)}
	}
	out := map[string]any{"id": tr.ID, "amountOut": "98.5"}
	w.walk(c, []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "account", query: choose, variables: way("00000000")},
	})
	var agreed [8]object
	var wg sync.WaitGroup
	for i := range agreed {
		wg.Go(func() {
			data, problems := c.ask(agree, out)
			if len(problems) > 0 {
				t.Errorf("agree: %+v", problems)
			}
			agreed[i] = data
		})
		wg.Go(func() {
			if _, problems := c.ask(choose, way(fmt.Sprintf("1111%04d", i))); len(problems) > 0 && told(problems) != "CONFLICT already_agreed" {
				t.Errorf("choose: %+v", problems)
			}
		})
		wg.Go(func() {
			if _, problems := c.ask(setAmount, map[string]any{"id": tr.ID, "amountIn": "100"}); len(problems) > 0 && told(problems) != "CONFLICT already_agreed" {
				t.Errorf("amount: %+v", problems)
			}
		})
	}
	wg.Wait()
	memo := w.read(tr.ID).Memo.Value
	for _, a := range agreed {
		if got := a.str("transaction.instructions.2.value"); got != memo {
			t.Errorf("told the memo %q, and it is %q", got, memo)
		}
	}
	steps, err := w.books.Timeline(t.Context(), tr.ID)
	must(t, err)
	if len(steps) != 2 { // its start and one agreement
		t.Errorf("%+v", steps)
	}
	before, err := w.books.Details(t.Context(), tr.ID)
	must(t, err)
	w.walk(c, []takes{
		{name: "another account", query: choose, variables: way("99999999"), want: "CONFLICT already_agreed"},
		{name: "another person", query: answer, variables: map[string]any{"answers": ana}, want: "CONFLICT already_agreed"},
	})
	if after, err := w.books.Details(t.Context(), tr.ID); err != nil || after.Answers["bank_account_number"] != before.Answers["bank_account_number"] {
		t.Errorf("%v, then %v (%v)", before.Answers, after.Answers, err)
	}
}

// Whoever has only chosen a language is as unknown as anybody: what asks nothing of
// a stranger asks nothing of them.
func TestLanguageIsNoReview(t *testing.T) {
	t.Parallel()
	terms := newTerms()
	terms.Deposit.Fields = nil
	w := newWorld(t, func(o *graph.Options) { o.Terms = []*anchor.Terms{terms} })
	tr := w.open(anchor.Deposit)
	w.walk(w.customer(tr), []takes{
		{name: "Spanish", query: setLang, variables: map[string]any{"lang": "es"}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart},
	})
}
