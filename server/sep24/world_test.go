package sep24_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/sep24"
	"windlass/server/session"
	"windlass/server/store"
)

const base = "https://anchor.test"

var (
	issuer       = keypair.MustRandom().Address()
	distribution = keypair.MustRandom().Address()
	feeAccount   = keypair.MustRandom().Address()
	usd          = anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}
)

func terms() []*anchor.Terms {
	method := []anchor.Method{{ID: "bank_transfer", Takes: time.Hour, Fields: []anchor.Field{{Name: "bank_account_number", Type: "account_number"}}}}
	fields := []anchor.Field{{Name: "first_name", Type: "text"}, {Name: "last_name", Type: "text"}, {Name: "email_address", Type: "email"}}
	side := anchor.Side{Enabled: true, Min: anchor.MustAmount("10"), Max: anchor.MustAmount("10000"), Window: time.Hour,
		Fee: anchor.Schedule{Fixed: anchor.One, Percent: anchor.MustAmount("0.5")}, Fields: fields, Methods: method}
	return []*anchor.Terms{
		{Asset: anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: issuer}, OffChain: usd, Decimals: 2, OffChainDecimals: 2, Account: distribution, Deposit: side, Withdraw: side},
		{Asset: anchor.Native, OffChain: usd, Decimals: 7, OffChainDecimals: 7, Account: distribution, Deposit: side},
	}
}

// world is the endpoints over books of their own.
type world struct {
	testing.TB
	keys  *session.Keys
	books *store.Store
	sep   *sep24.Handler
	h     http.Handler
	log   *bytes.Buffer
	// header is what every request has.
	header http.Header
}

func newWorld(t testing.TB, change ...func(*sep24.Config)) *world {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "key.json")
	if err := store.NewKeyFile(file); err != nil {
		t.Fatal(err)
	}
	box, err := store.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: &bytes.Buffer{}}
	if w.books, err = store.Open(context.Background(), filepath.Join(dir, "books.db"), box); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.books.Close(); err != nil {
			t.Error(err)
		}
	})
	if w.keys, err = session.NewKeys([][]byte{bytes.Repeat([]byte{1}, 32)}, [][]byte{bytes.Repeat([]byte{2}, 32)}); err != nil {
		t.Fatal(err)
	}
	cfg := sep24.Config{
		BaseURL: base, Name: "Test & Co", Terms: terms(), Own: []string{feeAccount}, AccountCreation: true, Explorer: "https://explorer.test/{hash}",
		Instructions: func(anchor.Asset, string) []rail.Row { return []rail.Row{{Name: "account_number", Value: "000123"}} },
		Page: func(w http.ResponseWriter, _ *http.Request, p sep24.Page) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			if p.Status != 0 {
				w.WriteHeader(p.Status)
			}
			_, _ = fmt.Fprintf(w, "<html lang=%q><title>%s</title><!--%s %s-->%s</html>", p.Lang, p.Title, p.Name, p.ID, p.Body)
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	if w.sep, err = sep24.New(cfg, w.keys, w.books, slog.New(slog.NewTextHandler(w.log, nil))); err != nil {
		t.Fatal(err)
	}
	r := mux.NewRouter()
	w.sep.Register(r)
	w.h = r
	return w
}

func (w *world) token(id anchor.Identity) string {
	w.Helper()
	token, err := w.keys.AuthToken(id, base+"/auth", "anchor.test", "jti", time.Now(), time.Hour)
	if err != nil {
		w.Fatal(err)
	}
	return token
}

func newOwner() anchor.Identity { return anchor.Identity{Account: keypair.MustRandom().Address()} }

func muxed(t testing.TB, account string, id uint64) string {
	t.Helper()
	m, err := xdr.MuxedAccountFromAccountId(account, id)
	if err != nil {
		t.Fatal(err)
	}
	return m.Address()
}

func (w *world) do(method, path, token, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	maps.Copy(r.Header, w.header)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec
}

// api asks for JSON and checks what holds for every answer.
func (w *world) api(method, path, token, kind, body string) (int, map[string]any) {
	w.Helper()
	res := w.do(method, path, token, kind, body)
	b := res.Body.Bytes()
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		w.Fatalf("%s %s: %s: %v", method, path, b, err)
	}
	if res.Header().Get("Content-Type") != "application/json" || res.Header().Get("Access-Control-Allow-Origin") != "*" {
		w.Errorf("%s %s: headers %v", method, path, res.Header())
	}
	if text, _ := out["error"].(string); res.Code != 200 && res.Code != 403 && (text == "" || len(out) != 1) {
		w.Errorf("%s %s: an error is %v", method, path, out)
	}
	return res.Code, out
}

func (w *world) get(path string, who anchor.Identity) (int, map[string]any) {
	w.Helper()
	return w.api("GET", path, w.token(who), "", "")
}

// text is a JSON value that should be a string.
func text(v any) string {
	s, _ := v.(string)
	return s
}

// begin starts a flow and returns the transaction.
func (w *world) begin(kind string, who anchor.Identity, fields map[string]any) *anchor.Transaction {
	w.Helper()
	if fields["asset_code"] == nil {
		fields["asset_code"] = "USDW"
	}
	b, _ := json.Marshal(fields)
	status, out := w.api("POST", "/sep24/transactions/"+kind+"/interactive", w.token(who), "application/json", string(b))
	if status != 200 || out["type"] != "interactive_customer_info_needed" || len(out) != 3 {
		w.Fatalf("%s: %d %v", kind, status, out)
	}
	id, _ := out["id"].(string)
	t, err := w.books.Transaction(context.Background(), id)
	if err != nil {
		w.Fatal(err)
	}
	u, err := url.Parse(text(out["url"]))
	if err != nil || u.Scheme+"://"+u.Host+u.Path != base+"/interactive/"+id || u.Query().Get("token") == "" || u.Query().Get("lang") != t.Lang {
		w.Errorf("the address is %v", u)
	}
	return t
}

// move changes a transaction as the rooms do.
func (w *world) move(id string, steps ...func(*store.Tx, *anchor.Transaction) error) {
	w.Helper()
	for i, step := range steps {
		err := w.books.Update(context.Background(), store.Operator, func(tx *store.Tx) error {
			t, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			if err := step(tx, t); err != nil {
				return err
			}
			return tx.SaveTransaction(t)
		})
		if err != nil {
			w.Fatalf("step %d: %v", i, err)
		}
	}
}

func entered(amount string) func(*store.Tx, *anchor.Transaction) error {
	return func(_ *store.Tx, t *anchor.Transaction) error {
		t.Method, t.Reviewed = "bank_transfer", true
		return t.SetAmount(terms()[0], anchor.MustAmount(amount))
	}
}

func agreed(_ *store.Tx, t *anchor.Transaction) error {
	return t.Agree(anchor.Instructions{Reference: "WL-" + t.ID, AnchorAccount: distribution,
		Memo: anchor.IDMemo(uint64(time.Now().UnixNano())), BankSide: "****6789", Deadline: time.Now().Add(time.Hour)}, time.Now())
}

func (w *world) audit(id string) []store.TimelineEntry {
	w.Helper()
	steps, err := w.books.Timeline(context.Background(), id)
	if err != nil {
		w.Fatal(err)
	}
	return steps
}
