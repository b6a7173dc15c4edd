package graph_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/language"
)

func TestWhoMayAskWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine, theirs := w.open(anchor.Deposit), w.open(anchor.Deposit)
	customer, viewer, staff := w.customer(mine), w.viewer(mine), w.staff()
	nobody := caller{w: w}
	const list = `{ transactions { nodes { id } } }`
	one := func(query string, tr *anchor.Transaction) string {
		return strings.NewReplacer("$id", fmt.Sprintf("%q", tr.ID)).Replace(query)
	}
	for name, c := range map[string]struct {
		who   caller
		query string
		want  string
	}{
		"nobody":                      {nobody, one(`{ transaction(id: $id) { id } }`, mine), "UNAUTHENTICATED"},
		"nobody changes":              {nobody, one(`mutation { cancel(transaction: $id) { id } }`, mine), "UNAUTHENTICATED"},
		"customer, own":               {customer, one(`{ transaction(id: $id) { id } }`, mine), ""},
		"customer, another's":         {customer, one(`{ transaction(id: $id) { id } }`, theirs), "NOT_FOUND not_found"},
		"customer, no id":             {customer, `{ transaction(id: "") { id } }`, "NOT_FOUND not_found"},
		"customer, another's price":   {customer, one(`{ price(transaction: $id, amountIn: "100") { amountOut } }`, theirs), "NOT_FOUND not_found"},
		"customer cancels another's":  {customer, one(`mutation { cancel(transaction: $id) { id } }`, theirs), "NOT_FOUND not_found"},
		"customer amends another's":   {customer, one(`mutation { setAmount(transaction: $id, amountIn: "100") { id } }`, theirs), "NOT_FOUND not_found"},
		"customer answers another's":  {customer, one(`mutation { answer(transaction: $id, answers: []) { id } }`, theirs), "NOT_FOUND not_found"},
		"customer agrees another's":   {customer, one(`mutation { agree(transaction: $id, amountOut: "1") { id } }`, theirs), "NOT_FOUND not_found"},
		"customer chooses another's":  {customer, one(`mutation { chooseMethod(transaction: $id, method: "bank_transfer") { id } }`, theirs), "NOT_FOUND not_found"},
		"customer lists":              {customer, list, "FORBIDDEN forbidden"},
		"customer, payouts":           {customer, `{ payouts { nodes { id } } }`, "FORBIDDEN forbidden"},
		"customer, payments":          {customer, `{ payments { nodes { id } } }`, "FORBIDDEN forbidden"},
		"viewer, own":                 {viewer, one(`{ transaction(id: $id) { id } }`, mine), ""},
		"viewer, another's":           {viewer, one(`{ transaction(id: $id) { id } }`, theirs), "NOT_FOUND not_found"},
		"viewer, price":               {viewer, one(`{ price(transaction: $id, amountIn: "100") { amountOut } }`, mine), "FORBIDDEN forbidden"},
		"viewer cancels":              {viewer, one(`mutation { cancel(transaction: $id) { id } }`, mine), "FORBIDDEN forbidden"},
		"viewer amends":               {viewer, one(`mutation { setAmount(transaction: $id, amountIn: "100") { id } }`, mine), "FORBIDDEN forbidden"},
		"viewer answers":              {viewer, one(`mutation { answer(transaction: $id, answers: []) { id } }`, mine), "FORBIDDEN forbidden"},
		"viewer agrees":               {viewer, one(`mutation { agree(transaction: $id, amountOut: "1") { id } }`, mine), "FORBIDDEN forbidden"},
		"viewer says sent":            {viewer, one(`mutation { markSent(transaction: $id) { id } }`, mine), "FORBIDDEN forbidden"},
		"viewer chooses":              {viewer, one(`mutation { chooseMethod(transaction: $id, method: "bank_transfer") { id } }`, mine), "FORBIDDEN forbidden"},
		"viewer sets language":        {viewer, one(`mutation { setLanguage(transaction: $id, lang: "es") { id } }`, mine), "FORBIDDEN forbidden"},
		"viewer lists":                {viewer, list, "FORBIDDEN forbidden"},
		"staff, any":                  {staff, one(`{ transaction(id: $id) { id } }`, theirs), ""},
		"staff lists":                 {staff, list, ""},
		"staff acts as customer":      {staff, one(`mutation { cancel(transaction: $id) { id } }`, mine), "FORBIDDEN forbidden"},
		"staff, none":                 {staff, `{ transaction(id: "x") { id } }`, "NOT_FOUND not_found"},
		"a query that does not parse": {customer, `{ transaction(`, "INVALID"},
		"an unknown field":            {customer, one(`{ transaction(id: $id) { idd } }`, mine), "INVALID"},
		"no operation":                {customer, ``, "INVALID"},
		"introspection, public":       {customer, `{ __schema { queryType { name } } }`, "FORBIDDEN"},
		"introspection, type":         {customer, `{ __type(name: "Transaction") { name } }`, "FORBIDDEN"},
		"introspection, staff":        {staff, `{ __schema { queryType { name } } }`, ""},
		"too many fields":             {customer, `{` + aliases(600, one(`transaction(id: $id) { id }`, mine)) + `}`, "INVALID"},
		"fragments that multiply":     {customer, bomb(28), "INVALID"},
		"fragments, staff":            {staff, bomb(40), "INVALID"},
		"fragments that do not":       {customer, bomb(3), ""},
		"nested":                      {customer, `{` + strings.Repeat(`...{`, 300) + `__typename` + strings.Repeat(`}`, 301), "INVALID"},
		"nested, not too deep":        {customer, `{` + strings.Repeat(`...{`, 25) + `__typename` + strings.Repeat(`}`, 26), ""},
		"nobody, anything":            {nobody, `{ __typename }`, "UNAUTHENTICATED"},
		"nobody, nonsense":            {nobody, `{ transaction(`, "UNAUTHENTICATED"},
		"too many words":              {customer, `{` + strings.Repeat(" __typename", 5000) + `}`, "INVALID"},
	} {
		t.Run(name, func(t *testing.T) {
			c.who.w = &world{t: t, public: w.public, admin: w.admin}
			_, problems := c.who.ask(c.query, nil)
			if got := told(problems); got != c.want {
				t.Errorf("%q, want %q: %+v", got, c.want, problems)
			}
			for _, p := range problems {
				if strings.Contains(p.Message, "Did you mean") && c.who.role != "STAFF" {
					t.Error("the public is told field names:", p.Message)
				}
			}
		})
	}
	for _, lang := range language.Languages {
		viewer.lang = lang
		_, problems := viewer.ask(list, nil)
		if len(problems) != 1 || problems[0].Message != language.Text(lang, "error.forbidden", nil) {
			t.Errorf("refused in %s with %+v", lang, problems)
		}
	}
	for _, tr := range []*anchor.Transaction{mine, theirs} {
		if s := w.read(tr.ID); s.Status() != anchor.Incomplete || s.AmountsKnown || s.Lang != "" {
			t.Errorf("something was changed: %+v", s)
		}
	}
	if s := w.log.String(); s != "" {
		t.Error("logged:", s)
	}
}

// bomb is a short query of 2ⁿ fields, once its fragments are written out.
func bomb(n int) string {
	q := "{ ...f0 }"
	for i := range n {
		q += fmt.Sprintf(" fragment f%d on Query { ...f%d ...f%d }", i, i+1, i+1)
	}
	return q + fmt.Sprintf(" fragment f%d on Query { __typename }", n)
}

func aliases(n int, field string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: %s ", i, field)
	}
	return b.String()
}

// TestNobodyElseActs: whatever a customer may do, they may do to their own transaction
// only, and whoever has its link may do nothing; acts that are yet to come, too.
func TestNobodyElseActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine, theirs := w.open(anchor.Deposit), w.open(anchor.Deposit)
	values := map[string]string{"ID": `"x"`, "Answer": `[]`, "Amount": `"1"`, "String": `"es"`}
	acts := 0
	for _, f := range schemaOf(t).Mutation.Fields {
		if !strings.Contains(f.Directives.ForName("allow").Arguments.ForName("roles").Value.String(), "CUSTOMER") || f.Name == "attach" { // which TestDocumentsRefused sends
			continue
		}
		acts++
		arguments := fmt.Sprintf("transaction: %q", theirs.ID)
		for _, a := range f.Arguments[1:] {
			if a.Type.NonNull {
				arguments += fmt.Sprintf(", %s: %s", a.Name, values[a.Type.Name()])
			}
		}
		act := "mutation { " + f.Name + "(" + arguments + ") { id } }"
		for want, who := range map[string]caller{"NOT_FOUND not_found": w.customer(mine), "FORBIDDEN forbidden": w.viewer(theirs)} {
			if _, problems := who.ask(act, nil); told(problems) != want {
				t.Errorf("%s by %s: %v", act, who.role, problems)
			}
		}
	}
	if acts < 8 {
		t.Errorf("only %d acts were found", acts)
	}
	if s := w.read(theirs.ID); s.Status() != anchor.Incomplete || s.Lang != "" || s.AmountsKnown {
		t.Errorf("something was changed: %+v", s)
	}
}

func schemaOf(t *testing.T) *ast.Schema {
	t.Helper()
	text, err := os.ReadFile("../schema.graphqls")
	must(t, err)
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)})
}

// The listener decides too: a caller of the other one is refused.
func TestListenersApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit)
	for url, role := range map[string]string{w.public: "STAFF", w.admin: "CUSTOMER"} {
		c := caller{w: w, role: role, transaction: tr.ID}
		resp := c.send(http.MethodPost, url, "application/json", "", strings.NewReader(`{"query":"{ transaction(id: \"`+tr.ID+`\") { id } }"}`))
		var answer struct{ Errors []problem }
		must(t, json.NewDecoder(resp.Body).Decode(&answer))
		must(t, resp.Body.Close())
		if told(answer.Errors) != "FORBIDDEN forbidden" {
			t.Error(role, answer)
		}
	}
}

func TestViewerSeesMasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Withdrawal, func(t *anchor.Transaction) { t.Callback = "https://wallet.test/secret" })
	w.walk(w.customer(tr), []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers("bank_account_number", "0123456789", "bank_name", "Ñandú Bank")}},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}},
	})
	all := map[string]any{}
	for _, query := range everything(t) {
		found, _ := w.viewer(tr).do(query, map[string]any{"id": tr.ID}).at("transaction").(map[string]any)
		maps.Copy(all, found)
	}
	seen := object{"transaction": all}
	for path, want := range map[string]string{
		"transaction.questions.0.value": "A****", "transaction.questions.1.value": "D****", "transaction.questions.2.value": "a****",
		"transaction.terms.methods.0.questions.0.value": "****6789", "transaction.terms.methods.0.questions.1.value": "Ñ****",
		"transaction.account": "GAIH…ZNSR", "transaction.callback": "", "transaction.sep24.id": "",
		"transaction.amountIn": "100", "transaction.instructions.2.value": w.read(tr.ID).Memo.Value,
	} {
		if got := seen.str(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	text, err := json.Marshal(seen)
	must(t, err)
	for _, secret := range []string{"Ana", "Díaz", "ana@", "0123456789", "andú", "secret"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("a viewer sees %q", secret)
		}
	}
}

// everything asks all that there is to know of a transaction, but for what is staff's:
// a query for each of its fields, which together would be too much for one.
func everything(t *testing.T) (queries []string) {
	t.Helper()
	schema := schemaOf(t)
	var whole func(f *ast.FieldDefinition) string
	whole = func(f *ast.FieldDefinition) string {
		of := schema.Types[f.Type.Name()]
		if of.Kind != ast.Object {
			return f.Name
		}
		parts := []string{f.Name, "{"}
		for _, inner := range of.Fields {
			parts = append(parts, whole(inner))
		}
		return strings.Join(append(parts, "}"), " ")
	}
	for _, f := range schema.Types["Transaction"].Fields {
		if f.Name != "staff" {
			queries = append(queries, "query($id: ID!) { transaction(id: $id) { "+whole(f)+" } }")
		}
	}
	return queries
}

// TestAppURL: what the page opens names the transaction and its status, and only a
// scheme that is configured today is opened, for the customer.
func TestAppURL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *graph.Options) { o.CallbackSchemes = []string{"mywallet"} })
	for callback, want := range map[string]string{
		"mywallet://done":          "mywallet://done?transaction_id=ID&status=incomplete",
		"mywallet:done?a=b":        "mywallet:done?a=b&transaction_id=ID&status=incomplete",
		"once.configured://done":   "",
		"mywallet.evil://done":     "",
		"https://wallet.test/done": "",
		"javascript:alert(1)":      "",
		"postMessage":              "",
		"mywallet":                 "",
		"":                         "",
	} {
		tr := w.open(anchor.Deposit, func(t *anchor.Transaction) { t.Callback = callback })
		if got, want := w.customer(tr).do(look, map[string]any{"id": tr.ID}).str("transaction.appUrl"), strings.ReplaceAll(want, "ID", tr.ID); got != want {
			t.Errorf("%q: the page opens %q, want %q", callback, got, want)
		}
		if got := w.viewer(tr).do(look, map[string]any{"id": tr.ID}).str("transaction.appUrl"); got != "" {
			t.Errorf("%q: a viewer opens %q", callback, got)
		}
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit)
	c := w.customer(tr)
	good := `{"query":"{ transaction(id: \"` + tr.ID + `\") { id } }"}`
	for name, b := range map[string]struct {
		method, contentType, body string
		status                    int
	}{
		"good":          {"POST", "application/json; charset=utf-8", good, 200},
		"GET":           {"GET", "application/json", "", 405},
		"a form":        {"POST", "application/x-www-form-urlencoded", "query={__typename}", 415},
		"plain text":    {"POST", "text/plain", good, 415},
		"graphql":       {"POST", "application/graphql", "{__typename}", 415},
		"nothing":       {"POST", "application/json", "", 400},
		"no JSON":       {"POST", "application/json", "secret{", 400},
		"two values":    {"POST", "application/json", good + good, 400},
		"a batch":       {"POST", "application/json", "[" + good + "]", 400},
		"odd query":     {"POST", "application/json", `{"query":1}`, 400},
		"a long query":  {"POST", "application/json", `{"query":"{__typename} #` + strings.Repeat("x", 70_000) + `"}`, 413},
		"huge":          {"POST", "application/json", `{"query":"` + strings.Repeat(" ", 1<<20) + `"}`, 413},
		"invalid query": {"POST", "application/json", `{"query":"{"}`, 422},
		"subscription":  {"POST", "application/json", `{"query":"subscription { transaction(id: \"` + tr.ID + `\") { id } }"}`, 406},
		"persisted":     {"POST", "application/json", `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}`, 422},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := caller{w: &world{t: t}, role: c.role, transaction: c.transaction}
			resp := c.send(b.method, w.public, b.contentType, "", strings.NewReader(b.body))
			defer resp.Body.Close()
			var answer struct{ Errors []problem }
			must(t, json.NewDecoder(resp.Body).Decode(&answer))
			if h := resp.Header; h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Error(h)
			}
			if resp.StatusCode != b.status || (b.status != 200) != (told(answer.Errors) == "INVALID") {
				t.Error(resp.StatusCode, answer)
			}
			for _, p := range answer.Errors {
				if strings.Contains(p.Message, "secret") {
					t.Error("the body is repeated:", p.Message)
				}
			}
		})
	}
}

// What nobody thought about is logged once and told to nobody.
func TestInternalErrorsAreHidden(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func() any{
		"a panic":         func() any { panic("the secret cause") },
		"no JSON":         func() any { return broken{} },
		"a wrapped error": func() any { panic(&anchor.Error{Message: "the secret cause"}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *graph.Options) { o.Object = func(*anchor.Transaction, string) any { return broken() } })
			tr := w.open(anchor.Deposit)
			_, problems := w.customer(tr).ask(`query($id: ID!) { transaction(id: $id) { sep24 } }`, map[string]any{"id": tr.ID})
			if told(problems) != "INTERNAL" || strings.Contains(problems[0].Message, "secret") {
				t.Error(problems)
			}
			if log := w.log.String(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "the secret cause") {
				t.Error(log)
			}
		})
	}
}

type broken struct{}

func (broken) MarshalJSON() ([]byte, error) { return nil, errors.New("the secret cause") }
