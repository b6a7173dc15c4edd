package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"windlass/server/anchor"
	"windlass/server/outside"
	"windlass/server/session"
	"windlass/server/store"
)

const (
	base    = "https://anchor.test"
	account = "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR"
	nonce   = "a nonce of a page"
)

var quiet = slog.New(slog.DiscardHandler)

func newKeys(t testing.TB) *session.Keys {
	t.Helper()
	k, err := session.NewKeys([][]byte{bytes.Repeat([]byte{1}, 32)}, [][]byte{bytes.Repeat([]byte{2}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newBooks(t testing.TB) *store.Store {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key.json")
	if err := store.NewKeyFile(key); err != nil {
		t.Fatal(err)
	}
	keys, err := store.LoadKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(context.Background(), filepath.Join(dir, "books.db"), keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// house is a public listener with one transaction.
type house struct {
	t     testing.TB
	keys  *session.Keys
	books *store.Store
	id    string
	h     http.Handler
}

func newHouse(t testing.TB) *house {
	t.Helper()
	x := &house{t: t, keys: newKeys(t), books: newBooks(t)}
	x.id = x.transaction()
	c := session.NewCustomers(session.Config{
		BaseURL: base,
		Match: func(want ...string) string {
			for _, w := range want {
				if strings.HasPrefix(w, "es") || strings.HasPrefix(w, "en") {
					return w[:2]
				}
			}
			return "en"
		},
		Sentence: func(lang, code, _ string, _ map[string]string) string { return lang + ":" + code },
		Log:      quiet, Outside: outside.New(outside.Config{}), CallbackSchemes: []string{"mywallet"},
		Query: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") != "application/json" {
				w.WriteHeader(http.StatusNotAcceptable)
			}
			query, _ := io.ReadAll(r.Body)
			if strings.Contains(string(query), "nonsense") {
				w.WriteHeader(http.StatusUnprocessableEntity)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"query": json.RawMessage(query), "caller": session.FromContext(r.Context())})
		}),
	}, x.keys, x.books)
	r := mux.NewRouter()
	c.Register(r)
	r.Handle("/who", c.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(session.FromContext(r.Context()))
	})))
	x.h = r
	return x
}

func (x *house) transaction() string {
	x.t.Helper()
	side := anchor.Side{Enabled: true, Min: anchor.One, Max: 100 * anchor.One}
	terms := &anchor.Terms{Asset: anchor.Asset{Scheme: "stellar", Code: "USDW", Issuer: account},
		OffChain: anchor.Asset{Scheme: "iso4217", Code: "USD"}, Deposit: side}
	now := time.Now()
	tr := anchor.Start(store.NewID(), anchor.Deposit, terms, anchor.Identity{Account: account}, account, now.Add(time.Hour), now)
	err := x.books.Update(context.Background(), store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(tr) })
	if err != nil {
		x.t.Fatal(err)
	}
	return tr.ID
}

func (x *house) token(id string, now time.Time) string {
	x.t.Helper()
	token, err := x.keys.Interactive(id, now)
	if err != nil {
		x.t.Fatal(err)
	}
	return token
}

func (x *house) send(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	x.h.ServeHTTP(w, r)
	return w
}

func (x *house) exchange(id string, in map[string]any, headers ...string) (*httptest.ResponseRecorder, map[string]string) {
	x.t.Helper()
	b, _ := json.Marshal(in)
	res := x.send("POST", "/interactive/"+id+"/session", string(b), append([]string{"Content-Type", "application/json"}, headers...)...)
	var out map[string]string
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		x.t.Fatal(err)
	}
	return res, out
}

func (x *house) who(headers ...string) session.Caller {
	x.t.Helper()
	var c session.Caller
	if err := json.NewDecoder(x.send("POST", "/who", "", headers...).Body).Decode(&c); err != nil {
		x.t.Fatal(err)
	}
	return c
}
