package graph_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/store"
)

const (
	offers = `query($id: ID!) { transaction(id: $id) {
		method terms { methods { id questions { name value masked } saved { id label usedAt chosen } } }
		last { amountIn method { id label } account { id label } at }
	} }`
	take = `mutation($id: ID!, $method: ID = "bank_transfer", $answers: [Answer!]! = [], $saved: ID!) {
		transaction: chooseMethod(transaction: $id, method: $method, answers: $answers, saved: $saved) { id } }`
	forget = `mutation($id: ID!, $saved: ID!) { transaction: forgetAccount(transaction: $id, saved: $saved) { id } }`
)

// withdrawn is a withdrawal that its customer agreed to, to this account.
func (w *world) withdrawn(amount, number, bank string, set ...func(*anchor.Transaction)) *anchor.Transaction {
	w.t.Helper()
	tr := w.open(anchor.Withdrawal, set...)
	c := w.customer(tr)
	w.walk(c, []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": amount}},
		{name: "account", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers("bank_account_number", number, "bank_name", bank)}},
	})
	w.walk(c, []takes{{name: "agree", query: agree, variables: map[string]any{"amountOut": w.read(tr.ID).AmountOut.String()}, status: anchor.PendingUserTransferStart}})
	return tr
}

// labels are those of the accounts that a caller is offered.
func (w *world) labels(c caller) []string {
	w.t.Helper()
	all := []string{}
	page := c.do(offers, map[string]any{"id": c.transaction})
	for i := 0; page.at(fmt.Sprintf("transaction.terms.methods.0.saved.%d", i)) != nil; i++ {
		all = append(all, page.str(fmt.Sprintf("transaction.terms.methods.0.saved.%d.label", i)))
	}
	return all
}

func owner(memo, client string) func(*anchor.Transaction) {
	return func(t *anchor.Transaction) {
		t.Owner = anchor.Identity{Account: account, Memo: memo, Client: client}
	}
}

// A returning customer chooses an account they used before, in whichever wallet:
// they see which one it is, and its number is told to nobody's page again.
func TestSavedAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	harbour := w.withdrawn("100", "1234567890", "Harbour", owner("1", "one.test"))
	hill := w.withdrawn("50", "9876543210", "Hill", owner("1", "one.test"))
	again := w.withdrawn("70", "1234567890", "Harbour", owner("1", "one.test"))
	theirs := w.withdrawn("60", "5555555555", "Theirs", owner("2", "one.test"))
	unagreed := w.open(anchor.Withdrawal, owner("1", "one.test"))
	w.walk(w.customer(unagreed), []takes{{name: "only entered", query: choose, variables: map[string]any{
		"method": "bank_transfer", "answers": answers("bank_account_number", "1111222233")}}})

	tr := w.open(anchor.Withdrawal, owner("1", "two.test"))
	c := w.customer(tr)
	if got := strings.Join(w.labels(c), ", "); got != "Harbour ••••7890, Hill ••••3210" {
		t.Errorf("offered are %s", got)
	}
	for name, other := range map[string]caller{"a viewer": w.viewer(tr), "staff": w.staff()} {
		other.transaction = tr.ID
		seen := other.do(offers, map[string]any{"id": tr.ID})
		if len(w.labels(other)) > 0 || seen.at("transaction.last") != nil {
			t.Errorf("%s is told %v", name, seen)
		}
	}

	saved := func(id string, more ...string) map[string]any {
		return map[string]any{"saved": id, "answers": answers(more...)}
	}
	refused := "NOT_FOUND not_found saved"
	w.walk(c, []takes{
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "a stranger's", query: take, variables: saved(theirs.ID), want: refused},
		{name: "one that was never agreed to", query: take, variables: saved(unagreed.ID), want: refused},
		{name: "one's own, which names none", query: take, variables: saved(tr.ID), want: refused},
		{name: "nonsense", query: take, variables: saved("x"), want: refused},
		{name: "with a question nobody asks", query: take, variables: saved(hill.ID, "first_name", "Ana"), want: "INVALID field_unknown first_name"},
		{name: "the older of two alike", query: take, variables: saved(harbour.ID)},
	})
	number := func() string {
		d, err := w.books.Details(t.Context(), tr.ID)
		must(t, err)
		return d.Answers["bank_account_number"] + " " + d.Answers["bank_name"]
	}
	shown := func(wants map[string]string) {
		t.Helper()
		page := c.do(offers, map[string]any{"id": tr.ID})
		for path, want := range wants {
			if got := page.str("transaction." + path); got != want {
				t.Errorf("%s is %q, want %q", path, got, want)
			}
		}
		told, err := json.Marshal(page)
		must(t, err)
		for _, secret := range []string{"1234567890", "9876543210"} {
			if strings.Contains(string(told), secret) {
				t.Errorf("the page is told %s", told)
			}
		}
	}
	if got := number(); got != "1234567890 Harbour" {
		t.Errorf("taken is %s", got)
	}
	shown(map[string]string{
		"method": "bank_transfer", "terms.methods.0.saved.0.id": again.ID, "terms.methods.0.saved.0.chosen": "true", "terms.methods.0.saved.1.chosen": "false",
		"terms.methods.0.questions.0.value": "", "terms.methods.0.questions.0.masked": "••••7890", "terms.methods.0.questions.1.value": "Harbour",
	})
	w.walk(c, []takes{{name: "one answer wins", query: take, variables: saved(hill.ID, "bank_name", "Hill Bank")}})
	if got := number(); got != "9876543210 Hill Bank" {
		t.Errorf("taken is %s", got)
	}
	shown(nil)
	own := map[string]any{"method": "bank_transfer", "answers": answers("bank_name", "Elsewhere")}
	w.walk(c, []takes{
		{name: "what was taken is not kept without being named", query: choose, variables: own, want: "INVALID field_required bank_account_number"},
		{name: "a number of one's own", query: take, variables: saved(hill.ID, "bank_account_number", "4444333322")},
	})
	if page := c.do(offers, map[string]any{"id": tr.ID}); page.str("transaction.terms.methods.0.questions.0.value") != "4444333322" {
		t.Errorf("what was typed is kept from the page: %v", page)
	}
	w.walk(c, []takes{
		{name: "the saved one after all", query: take, variables: saved(again.ID)},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart},
	})
	if tr := w.read(tr.ID); tr.BankSide != "****7890" {
		t.Errorf("paid is to %s", tr.BankSide)
	}
}

// What is removed is offered no more, nor what is the same; what is written down of
// the transactions that used it stays, and using it again offers it again.
func TestForgetAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.withdrawn("100", "1234567890", "Harbour")
	w.withdrawn("50", "9876543210", "Hill")
	same := w.withdrawn("70", "1234567890", "Harbour")
	stranger := w.open(anchor.Withdrawal, owner("9", "wallet.test"))
	tr := w.open(anchor.Withdrawal)
	c := w.customer(tr)
	it := map[string]any{"saved": same.ID}
	w.walk(w.customer(stranger), []takes{{name: "somebody else's", query: forget, variables: it, want: "NOT_FOUND not_found saved"}})
	w.walk(c, []takes{
		{name: "remove", query: forget, variables: it},
		{name: "twice", query: forget, variables: it},
		{name: "take it all the same", query: take, variables: it, want: "NOT_FOUND not_found saved"},
		{name: "or its twin", query: take, variables: map[string]any{"saved": first.ID}, want: "NOT_FOUND not_found saved"},
	})
	if got := strings.Join(w.labels(c), ", "); got != "Hill ••••3210" {
		t.Errorf("offered are %s", got)
	}
	if last := c.do(offers, map[string]any{"id": tr.ID}).at("transaction.last"); last != nil {
		t.Errorf("offered is the account that was removed: %v", last)
	}
	if d, err := w.books.Details(t.Context(), same.ID); err != nil || d.Answers["bank_account_number"] != "1234567890" {
		t.Errorf("the transaction has lost its account: %v, %v", d, err)
	}
	w.withdrawn("100", "1234567890", "Harbour")
	if got := strings.Join(w.labels(c), ", "); got != "Harbour ••••7890, Hill ••••3210" {
		t.Errorf("offered are %s", got)
	}
}

// A saved account is judged by the rules of the day on which it is used.
func TestSavedByTodaysRules(t *testing.T) {
	t.Parallel()
	terms := newTerms()
	w := newWorld(t, func(o *graph.Options) { o.Terms = []*anchor.Terms{terms} })
	for _, n := range []string{"10000001", "10000002", "10000003", "10000004", "10000005", "10000006", "10000007"} {
		w.withdrawn("100", n, "")
	}
	fields := terms.Withdraw.Methods[0].Fields
	terms.Withdraw.Methods[0].Fields = append(fields, anchor.Field{Name: "bank_number", Type: anchor.FieldText})
	tr := w.open(anchor.Withdrawal)
	c := w.customer(tr)
	if got := strings.Join(w.labels(c), " "); got != "••••0007 ••••0006 ••••0005 ••••0004 ••••0003" {
		t.Errorf("offered are %s", got)
	}
	page := c.do(offers, map[string]any{"id": tr.ID})
	if page.at("transaction.last") != nil {
		t.Error("the same is offered, and would not be enough")
	}
	saved := map[string]any{"saved": page.str("transaction.terms.methods.0.saved.0.id")}
	and := func(number string) map[string]any {
		v := maps.Clone(saved)
		v["answers"] = answers("bank_number", number)
		return v
	}
	w.walk(c, []takes{
		{name: "what is new is asked", query: take, variables: saved, want: "INVALID field_required bank_number"},
		{name: "and taken", query: take, variables: and("021000021")},
	})
	terms.Withdraw.Methods[0].Fields = []anchor.Field{{Name: "clabe_number", Type: anchor.FieldText}}
	if got := w.labels(c); len(got) > 0 {
		t.Errorf("offered is what is asked no more: %v", got)
	}
}

// What was done last is offered as long as it is possible.
func TestLastTime(t *testing.T) {
	t.Parallel()
	terms := newTerms()
	w := newWorld(t, func(o *graph.Options) { o.Terms = []*anchor.Terms{terms} })
	last := func(kind anchor.Kind) object {
		tr := w.open(kind)
		return w.customer(tr).do(offers, map[string]any{"id": tr.ID})
	}
	if got := last(anchor.Withdrawal); got.at("transaction.last") != nil {
		t.Errorf("a newcomer has a last time: %v", got)
	}
	w.withdrawn("100", "1234567890", "Harbour")
	if got := last(anchor.Deposit); got.at("transaction.last") != nil {
		t.Errorf("a withdrawal is not the same as a deposit: %v", got)
	}
	got := last(anchor.Withdrawal)
	for path, want := range map[string]string{"amountIn": "100", "method.id": "bank_transfer", "method.label": "Bank transfer", "account.label": "Harbour ••••7890"} {
		if got := got.str("transaction.last." + path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	for name, change := range map[string]func(*anchor.Side){
		"it is too much":            func(s *anchor.Side) { s.Max = 99 * anchor.One },
		"it is too little":          func(s *anchor.Side) { s.Min = 101 * anchor.One },
		"the fee would eat it":      func(s *anchor.Side) { s.Fee.Fixed = 100 * anchor.One },
		"the method is not offered": func(s *anchor.Side) { s.Methods = []anchor.Method{{ID: "cash"}} },
		"the method asks other data": func(s *anchor.Side) {
			s.Methods = []anchor.Method{{ID: "bank_transfer", Fields: []anchor.Field{{Name: "bank_number", Type: anchor.FieldText}}}}
		},
	} {
		was := terms.Withdraw
		change(&terms.Withdraw)
		if got := last(anchor.Withdrawal); got.at("transaction.last") != nil {
			t.Errorf("%s, and it is offered: %v", name, got)
		}
		terms.Withdraw = was
	}
}

// What is shown of a method is what was said when it was chosen, not what the wallet
// had proposed before; and once it was agreed to, no page is told where money goes.
func TestWhatWasSaidOfAMethod(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	harbour := w.withdrawn("100", "1234567890", "")
	tr := w.open(anchor.Withdrawal)
	must(t, w.books.Update(t.Context(), store.Wallet, func(tx *store.Tx) error {
		return tx.SetDetails(tr.ID, store.Details{Prefill: map[string]string{"bank_account_number": "5555555555", "bank_name": "Proposed"}})
	}))
	c := w.customer(tr)
	shows := func(values ...string) {
		t.Helper()
		page := c.do(offers, map[string]any{"id": tr.ID})
		for i, field := range []string{"0.value", "0.masked", "1.value"} {
			if got := page.str("transaction.terms.methods.0.questions." + field); got != values[i] {
				t.Errorf("%s is %q, want %q", field, got, values[i])
			}
		}
	}
	shows("5555555555", "", "Proposed")
	w.walk(c, []takes{
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "a saved account", query: take, variables: map[string]any{"saved": harbour.ID}},
	})
	shows("", "••••7890", "")
	w.walk(c, []takes{{name: "one's own, of no named bank", query: choose, variables: map[string]any{
		"method": "bank_transfer", "answers": answers("bank_account_number", "4444333322", "bank_name", "")}}})
	shows("4444333322", "", "")
	w.walk(c, []takes{{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart}})
	shows("", "••••3322", "")
}
