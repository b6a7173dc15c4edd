package graph_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/session"
	"windlass/server/store"
)

const account = "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR"

var (
	usdw = anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: account}
	usd  = anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}
)

func newTerms() *anchor.Terms {
	who := []anchor.Field{
		{Name: "first_name", Type: "text"}, {Name: "last_name", Type: "text"},
		{Name: "email_address", Type: "email"}, {Name: "mobile_number", Type: "phone", Optional: true},
	}
	bank := []anchor.Field{{Name: "bank_account_number", Type: "account_number"}, {Name: "bank_name", Type: "text", Optional: true}, {Name: "bank_phone_number", Type: "phone", Optional: true}}
	fee := anchor.Schedule{Fixed: anchor.One, Percent: anchor.MustAmount("0.5")}
	return &anchor.Terms{
		Asset: usdw, OffChain: usd, Name: "US dollar", Decimals: 2, OffChainDecimals: 2, Account: account,
		Deposit: anchor.Side{
			Enabled: true, Min: 10 * anchor.One, Max: 1000 * anchor.One, Fee: fee, Fields: who, Review: anchor.ByNobody,
			Methods: []anchor.Method{{ID: "bank_transfer"}}, Window: time.Hour,
		},
		Withdraw: anchor.Side{
			Enabled: true, Min: 10 * anchor.One, Max: 1000 * anchor.One, Fee: fee, Fields: who, Review: anchor.ByNobody,
			Methods: []anchor.Method{{ID: "bank_transfer", Fields: bank}}, Window: time.Hour,
		},
	}
}

// world is the real handlers over real books.
type world struct {
	t             *testing.T
	books         *store.Store
	terms         *anchor.Terms
	public, admin string // URLs
	log           *lockedBuffer
}

func newWorld(t *testing.T, set ...func(*graph.Options)) *world {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key.json")
	must(t, store.NewKeyFile(key))
	keys, err := store.LoadKeys(key)
	must(t, err)
	books, err := store.Open(t.Context(), filepath.Join(dir, "books.db"), keys)
	must(t, err)
	t.Cleanup(func() { must(t, books.Close()) })
	bank, err := rail.OpenSimulated(filepath.Join(dir, "bank.db"), rail.SimulatedConfig{
		Page:   "http://bank.test/bank",
		Holder: "Example Anchor Ltd", Number: "1234567890", Bank: "Sandbox Bank", Currencies: []anchor.Asset{usd}, Delay: -1,
	})
	must(t, err)
	t.Cleanup(func() { must(t, bank.Close()) })

	w := &world{t: t, books: books, terms: newTerms(), log: &lockedBuffer{}}
	o := graph.Options{
		Store: books, Terms: []*anchor.Terms{w.terms}, Rail: bank,
		Object:      func(t *anchor.Transaction, lang string) any { return map[string]any{"id": t.ID, "lang": lang} },
		MoreInfoURL: func(t *anchor.Transaction) string { return "http://anchor.test/transaction/" + t.ID },
		Explorer:    "http://explorer.test/tx/{hash}",
		Documents: graph.Documents{
			All: 1 << 30, Each: 3 * anchor.MaxFile, Allow: func(string, anchor.Identity, int) bool { return true },
		},
		Network: func(r *http.Request) string { return r.RemoteAddr },
		Logger:  slog.New(slog.NewTextHandler(w.log, nil)),
	}
	for _, f := range set {
		f(&o)
	}
	w.public = w.serve(o)
	o.Staff = true
	w.admin = w.serve(o)
	return w
}

// serve stands in for package session: the caller comes in headers.
func (w *world) serve(o graph.Options) string {
	h := graph.New(o)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c := session.Caller{Role: session.Role(r.Header.Get("Role")), Transaction: r.Header.Get("Transaction"), Name: cmp.Or(r.Header.Get("Name"), "kim")}
		rw.Header().Set("X-Request-Id", "request-1")
		h.ServeHTTP(rw, r.WithContext(session.WithCaller(r.Context(), c)))
	}))
	w.t.Cleanup(srv.Close)
	return srv.URL
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open begins a transaction, as a wallet would.
func (w *world) open(kind anchor.Kind, set ...func(*anchor.Transaction)) *anchor.Transaction {
	w.t.Helper()
	now := time.Now()
	tr := anchor.Start(store.NewID(), kind, w.terms, anchor.Identity{Account: account, Client: "wallet.test"}, account, now.Add(time.Hour), now)
	for _, f := range set {
		f(tr)
	}
	must(w.t, w.books.Update(w.t.Context(), store.Wallet, func(tx *store.Tx) error {
		if err := tx.CreateTransaction(tr); err != nil {
			return err
		}
		return tx.SetDetails(tr.ID, store.Details{Prefill: map[string]string{"first_name": "Ana"}})
	}))
	return tr
}

func (w *world) read(id string) *anchor.Transaction {
	w.t.Helper()
	tr, err := w.books.Transaction(w.t.Context(), id)
	must(w.t, err)
	return tr
}

// caller is somebody who asks.
type caller struct {
	w                 *world
	role, transaction string
	name              string // of staff, kim if empty
	lang              string
}

func (w *world) customer(tr *anchor.Transaction) caller {
	return caller{w: w, role: "CUSTOMER", transaction: tr.ID}
}
func (w *world) viewer(tr *anchor.Transaction) caller {
	return caller{w: w, role: "VIEWER", transaction: tr.ID}
}
func (w *world) staff() caller { return caller{w: w, role: "STAFF"} }

type problem struct {
	Message    string
	Extensions struct{ Code, Reason, Field, RequestID string }
}

// object is any JSON object; at follows a dotted path through it.
type object map[string]any

func (o object) at(path string) any {
	var v any = map[string]any(o)
	for part := range strings.SplitSeq(path, ".") {
		if i := 0; strings.Trim(part, "0123456789") == "" {
			if _, err := fmt.Sscan(part, &i); err != nil {
				return nil
			}
			list, _ := v.([]any)
			if i >= len(list) {
				return nil
			}
			v = list[i]
			continue
		}
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}

func (o object) str(path string) string {
	if o.at(path) == nil {
		return ""
	}
	return fmt.Sprint(o.at(path))
}

// ask sends an operation to the listener that is the caller's.
func (c caller) ask(query string, variables map[string]any) (object, []problem) {
	c.w.t.Helper()
	resp := c.post(query, variables, "application/json")
	defer resp.Body.Close()
	var answer struct {
		Data   object
		Errors []problem
	}
	must(c.w.t, json.NewDecoder(resp.Body).Decode(&answer))
	expected(c.w.t, query, answer.Errors)
	return answer.Data, answer.Errors
}

func (c caller) post(query string, variables map[string]any, accept string) *http.Response {
	c.w.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	must(c.w.t, err)
	url := c.w.public
	if c.role == "STAFF" {
		url = c.w.admin
	}
	return c.send(http.MethodPost, url, "application/json", accept, bytes.NewReader(body))
}

func (c caller) send(method, url, contentType, accept string, body io.Reader) *http.Response {
	c.w.t.Helper()
	r, err := http.NewRequestWithContext(c.w.t.Context(), method, url, body)
	must(c.w.t, err)
	for name, value := range map[string]string{
		"Content-Type": contentType, "Accept": accept, "Role": c.role, "Transaction": c.transaction, "Name": c.name, "Accept-Language": c.lang,
	} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	must(c.w.t, err)
	return resp
}

// do asks and insists on an answer without errors.
func (c caller) do(query string, variables map[string]any) object {
	c.w.t.Helper()
	data, problems := c.ask(query, variables)
	if len(problems) > 0 {
		c.w.t.Fatalf("%s: %+v", query, problems)
	}
	return data
}

// told writes problems as "CODE reason field, …".
func told(problems []problem) string {
	parts := make([]string, len(problems))
	for i, p := range problems {
		parts[i] = strings.Join(strings.Fields(p.Extensions.Code+" "+p.Extensions.Reason+" "+p.Extensions.Field), " ")
	}
	return strings.Join(parts, ", ")
}

// balanced is the invariant of every story with money: the journal sums to zero
// for every asset, and the audit trail has no event but what the schema tells of.
func balanced(t *testing.T, books *store.Store) {
	t.Helper()
	trail, _, err := books.Audit(t.Context(), store.Trail{})
	must(t, err)
	for _, e := range trail {
		if !known(t, e.Event) {
			t.Errorf("schema.graphqls does not say that the event of an entry may be %q", e.Event)
		}
	}
	all, err := books.Balances(t.Context())
	must(t, err)
	sums := map[anchor.Asset]anchor.Amount{}
	for _, b := range all {
		sums[b.Asset] += b.Amount
	}
	for asset, sum := range sums {
		if sum != 0 {
			t.Errorf("the journal is out of balance by %s %s", sum, asset)
		}
	}
}

// page is what the customer's app asks for, in full.
const page = `{
  id kind status message
  asset { ...a name } assetIn { ...a } assetOut { ...a }
  amountIn amountOut fee { total asset { ...a } lines { name label amount } } rate requestedAmount
  terms { minimum maximum feeFixed feePercent methods { id label minimum maximum takes price { amountOut fee { total asset { ...a } } } questions { ...q } } }
  questions { ...q } review method
  instructions { name label value important help } paymentCode deadline
  timeline { at event from to label actor }
  account wallet stellarTransactionId explorerUrl externalTransactionId supportReference
  startedAt updatedAt completedAt lang callback onChangeCallback appUrl postMessageOrigin sep24 moreInfoUrl
  staff { owner }
}`

const fragments = `
fragment a on Asset { id code issuer decimals onLedger }
fragment q on Question { name label help type options { value label } required from answered autocomplete earliest latest value }`

const look = `query($id: ID!) { transaction(id: $id) ` + page + `}` + fragments

// The mutations, as the customer's app sends them.
const (
	answer    = `mutation($id: ID!, $answers: [Answer!]!) { transaction: answer(transaction: $id, answers: $answers) ` + page + `}` + fragments
	setAmount = `mutation($id: ID!, $amountIn: Amount!) { transaction: setAmount(transaction: $id, amountIn: $amountIn) ` + page + `}` + fragments
	choose    = `mutation($id: ID!, $method: ID!, $answers: [Answer!]!) { transaction: chooseMethod(transaction: $id, method: $method, answers: $answers) ` + page + `}` + fragments
	agree     = `mutation($id: ID!, $amountOut: Amount!, $rate: String) { transaction: agree(transaction: $id, amountOut: $amountOut, rate: $rate) ` + page + `}` + fragments
	markSent  = `mutation($id: ID!) { transaction: markSent(transaction: $id) ` + page + `}` + fragments
	cancel    = `mutation($id: ID!) { transaction: cancel(transaction: $id) ` + page + `}` + fragments
	setLang   = `mutation($id: ID!, $lang: String!) { transaction: setLanguage(transaction: $id, lang: $lang) ` + page + `}` + fragments
	price     = `query($id: ID!, $amountIn: Amount!) { price(transaction: $id, amountIn: $amountIn) { amountIn amountOut fee { total asset { code } lines { name label amount } } rate } }`
)

func answers(pairs ...string) []map[string]string {
	all := []map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, map[string]string{"name": pairs[i], "value": pairs[i+1]})
	}
	return all
}
