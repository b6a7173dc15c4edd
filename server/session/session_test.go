package session_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/mux"

	"windlass/server/anchor"
	"windlass/server/outside"
	"windlass/server/rig"
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

func TestAuthToken(t *testing.T) {
	t.Parallel()
	k, now := newKeys(t), time.Now()
	for _, id := range []anchor.Identity{
		{Account: account},
		{Account: account, Memo: "17509749319012223907"},
		{Account: account, Client: "wallet.example"},
	} {
		token, err := k.AuthToken(id, base+"/auth", "anchor.test", "hash", now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Auth(token, now.Add(59*time.Minute))
		if err != nil || got != id {
			t.Errorf("%+v came back as %+v, %v", id, got, err)
		}
		if _, err := k.Auth(token, now.Add(time.Hour)); err == nil || anchor.KindOf(err) != anchor.Unauthenticated {
			t.Errorf("an expired token: %v", err)
		}
		var claims struct {
			Sub    string  `json:"sub"`
			Iss    string  `json:"iss"`
			Jti    string  `json:"jti"`
			Home   string  `json:"home_domain"`
			Client *string `json:"client_domain"`
			Iat    int64   `json:"iat"`
			Exp    int64   `json:"exp"`
		}
		part, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err := json.Unmarshal(part, &claims); err != nil {
			t.Fatal(err)
		}
		if claims.Sub != id.Subject() || claims.Iss != base+"/auth" || claims.Jti != "hash" || claims.Home != "anchor.test" ||
			claims.Exp-claims.Iat != 3600 || (claims.Client != nil) != (id.Client != "") {
			t.Errorf("claims: %+v", claims)
		}
	}
}

// TestAudiences lets no token pass for another, and no forgery for a token.
func TestAudiences(t *testing.T) {
	t.Parallel()
	k, now := newKeys(t), time.Now()
	other, _ := session.NewKeys([][]byte{bytes.Repeat([]byte{3}, 32)}, [][]byte{bytes.Repeat([]byte{4}, 32)})
	must := func(token string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := must(k.AuthToken(anchor.Identity{Account: account}, base, "d", "j", now, time.Hour))
	parts := strings.Split(good, ".")
	c := jwt.MapClaims{"sub": account, "aud": "sep10", "jti": "j", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	bad := map[string]string{
		"empty":           "",
		"nonsense":        "x.y.z",
		"interactive":     must(k.Interactive(account, now)),
		"resume":          must(k.Resume(account, now)),
		"another's key":   must(other.AuthToken(anchor.Identity{Account: account}, base, "d", "j", now, time.Hour)),
		"alg none":        must(jwt.NewWithClaims(jwt.SigningMethodNone, c).SignedString(jwt.UnsafeAllowNoneSignatureType)),
		"alg none forged": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + ".",
		"raw key":         must(jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(bytes.Repeat([]byte{1}, 32))),
		"another method":  must(jwt.NewWithClaims(jwt.SigningMethodHS512, c).SignedString(bytes.Repeat([]byte{1}, 32))),
		"cut":             good[:len(good)-2],
		"no signature":    parts[0] + "." + parts[1] + ".",
		"tampered":        parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+account+`","aud":["sep10"],"jti":"j","exp":9999999999,"iat":1}`)) + "." + parts[2],
		"from the future": must(k.AuthToken(anchor.Identity{Account: account}, base, "d", "j", now.Add(time.Hour), time.Hour)),
		"huge":            good + strings.Repeat("x", 5000),
		"no account":      must(k.AuthToken(anchor.Identity{Account: "nobody"}, base, "d", "j", now, time.Hour)),
	}
	for name, token := range bad {
		if id, err := k.Auth(token, now); err == nil || anchor.KindOf(err) != anchor.Unauthenticated {
			t.Errorf("%s opens %+v, %v", name, id, err)
		}
	}
}

func TestCapabilityAndRotation(t *testing.T) {
	t.Parallel()
	one, two := bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{5}, 32)
	token := [][]byte{bytes.Repeat([]byte{1}, 32)}
	old, _ := session.NewKeys(token, [][]byte{one})
	turned, _ := session.NewKeys(token, [][]byte{two, one})
	gone, _ := session.NewKeys(token, [][]byte{two})
	c := old.Capability("a")
	for _, x := range []struct {
		k            *session.Keys
		transaction  string
		given        string
		opens        bool
		whyOtherwise string
	}{
		{old, "a", c, true, "its own"},
		{turned, "a", c, true, "an older key's"},
		{gone, "a", c, false, "a retired key's"},
		{old, "b", c, false, "another transaction's"},
		{old, "a", "", false, "none"},
		{old, "a", c[:len(c)-1], false, "a part of it"},
	} {
		if x.k.Allows(x.transaction, x.given) != x.opens {
			t.Errorf("%s: opens is not %v", x.whyOtherwise, x.opens)
		}
	}
	for _, short := range [][][]byte{{[]byte("short")}, nil} {
		if _, err := session.NewKeys(token, short); err == nil {
			t.Errorf("keys %q are accepted", short)
		}
		if _, err := session.NewKeys(short, token); err == nil {
			t.Errorf("token keys %q are accepted", short)
		}
	}
}

// TestTokenKeysRotate: nobody is signed out by a new key, and a token says which
// one has signed it.
func TestTokenKeysRotate(t *testing.T) {
	t.Parallel()
	one, two, sessions := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{5}, 32), [][]byte{bytes.Repeat([]byte{2}, 32)}
	keys := func(tokens ...[]byte) *session.Keys {
		k, err := session.NewKeys(tokens, sessions)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	old, turned, gone := keys(one), keys(two, one), keys(two)
	id, now := anchor.Identity{Account: account}, time.Now()
	make := func(k *session.Keys) (token, kid string) {
		token, err := k.AuthToken(id, base, "d", "j", now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		kid, _ = parsed.Header["kid"].(string)
		return token, kid
	}
	first, firstID := make(old)
	second, secondID := make(turned)
	if firstID == "" || secondID == "" || firstID == secondID {
		t.Errorf("the keys are %q and %q", firstID, secondID)
	}
	for i, x := range []struct {
		k     *session.Keys
		token string
		good  bool
	}{{old, first, true}, {turned, first, true}, {turned, second, true}, {gone, second, true}, {gone, first, false}, {old, second, false},
		{keys(two, bytes.Repeat([]byte{6}, 32)), first, false}} {
		if got, err := x.k.Auth(x.token, now); (err == nil && got == id) != x.good {
			t.Errorf("%d: %v, %v", i, got, err)
		}
	}
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

// TestExchangeAnswersFirst gives the page what it shows first, as its customer
// would get it, and without it nothing less.
func TestExchangeAnswersFirst(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	for request, want := range map[string]string{
		`{"query": "{ good }"}`:     `{"caller":{"Role":"CUSTOMER","Transaction":"` + x.id + `","Name":""},"query":{"query":"{ good }"}}`,
		`{"query": "{ nonsense }"}`: "",
	} {
		body := `{"token": "` + x.token(x.id, time.Now()) + `", "nonce": "` + nonce + `", "first": ` + request + `}`
		res := x.send("POST", "/interactive/"+x.id+"/session", body, "Content-Type", "application/json", "Accept", "text/event-stream")
		var out struct {
			Bearer string
			First  json.RawMessage
		}
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.Code != 200 || out.Bearer == "" {
			t.Fatal(res.Code, err)
		}
		var got bytes.Buffer
		if len(out.First) > 0 {
			if err := json.Compact(&got, out.First); err != nil {
				t.Fatal(err)
			}
		}
		if got.String() != want {
			t.Errorf("%s: %s, want %s", request, &got, want)
		}
	}
	// Whose token is refused hears nothing.
	res, out := x.exchange(x.id, map[string]any{"token": "x", "nonce": nonce, "first": map[string]string{"query": "{ good }"}})
	if res.Code != 401 || out["first"] != "" {
		t.Error(res.Code, out)
	}
}

// TestSpokenTo: the address that the wallet opens names the language, else the
// transaction has one by what its customer chose before, else the browser says.
func TestSpokenTo(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	for _, c := range []struct{ address, before, browser, want string }{
		{"", "", "", "en"},
		{"", "", "es-MX,es;q=0.9,en;q=0.8", "es"},
		{"", "en", "es", "en"},
		{"es-MX", "en", "en", "es"},
		{"tlh", "es", "en", "es"},
		{"tlh", "", "es", "es"},
	} {
		id := x.transaction()
		err := x.books.Update(t.Context(), store.Wallet, func(tx *store.Tx) error {
			tr, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			tr.Lang = c.before
			return tx.SaveTransaction(tr)
		})
		if err != nil {
			t.Fatal(err)
		}
		res, _ := x.exchange(id, map[string]any{"token": x.token(id, time.Now()), "nonce": nonce, "lang": c.address}, "Accept-Language", c.browser)
		if tr, err := x.books.Transaction(t.Context(), id); res.Code != 200 || err != nil || tr.Lang != c.want {
			t.Errorf("%+v: %d, %q, %v", c, res.Code, tr.Lang, err)
		}
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	res, out := x.exchange(x.id, map[string]any{"token": x.token(x.id, time.Now()), "nonce": nonce, "lang": "es-MX",
		"callback": "postmessage", "on_change_callback": "https://wallet.example/hook?a=1"}, "Sec-Fetch-Site", "same-origin")
	if res.Code != 200 || out["bearer"] == "" || len(out) != 1 {
		t.Fatal(res.Code, out)
	}
	cookie := res.Header().Get("Set-Cookie")
	for _, part := range []string{"__Host-windlass-" + x.id + "=", "Path=/", "HttpOnly", "Secure", "SameSite=None", "Partitioned", "Max-Age=86400"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie lacks %s: %s", part, cookie)
		}
	}
	if strings.Contains(cookie, "Domain") {
		t.Errorf("the cookie names a domain: %s", cookie)
	}
	tr, err := x.books.Transaction(t.Context(), x.id)
	if err != nil || tr.Callback != "postMessage" || tr.OnChange != "https://wallet.example/hook?a=1" || tr.Lang != "es" {
		t.Errorf("the transaction has %q, %q, %q, %v", tr.Callback, tr.OnChange, tr.Lang, err)
	}

	pair, _, _ := strings.Cut(cookie, ";")
	me := session.Caller{Role: session.Customer, Transaction: x.id}
	other := x.transaction()
	for _, c := range []struct {
		name    string
		headers []string
		is      session.Caller
	}{
		{"cookie", []string{"Cookie", pair, "X-Windlass-Transaction", x.id, "Sec-Fetch-Site", "same-origin"}, me},
		{"cookie and our origin", []string{"Cookie", pair, "X-Windlass-Transaction", x.id, "Origin", base}, me},
		{"cookie alone", []string{"Cookie", pair, "X-Windlass-Transaction", x.id}, session.Caller{}},
		{"cookie from elsewhere", []string{"Cookie", pair, "X-Windlass-Transaction", x.id, "Origin", "https://evil.example"}, session.Caller{}},
		{"cookie from a neighbour", []string{"Cookie", pair, "X-Windlass-Transaction", x.id, "Sec-Fetch-Site", "same-site", "Origin", base}, session.Caller{}},
		{"cookie without a transaction", []string{"Cookie", pair, "Sec-Fetch-Site", "same-origin"}, session.Caller{}},
		{"cookie for another", []string{"Cookie", strings.Replace(pair, x.id, other, 1), "X-Windlass-Transaction", other, "Sec-Fetch-Site", "same-origin"}, session.Caller{}},
		{"forged cookie", []string{"Cookie", "__Host-windlass-" + x.id + "=" + out["bearer"], "X-Windlass-Transaction", x.id, "Sec-Fetch-Site", "same-origin"}, session.Caller{}},
		{"bearer", []string{"Authorization", "Bearer " + out["bearer"], "X-Windlass-Transaction", x.id}, me},
		{"bearer for another", []string{"Authorization", "Bearer " + out["bearer"], "X-Windlass-Transaction", other}, session.Caller{}},
		{"bearer alone", []string{"Authorization", "Bearer " + out["bearer"]}, session.Caller{}},
		{"bad bearer", []string{"Authorization", "Bearer " + out["bearer"] + "x", "X-Windlass-Transaction", x.id}, session.Caller{}},
		{"a wallet's token", []string{"Authorization", "Bearer " + mustAuth(t, x.keys), "X-Windlass-Transaction", x.id}, session.Caller{}},
		{"the page's token", []string{"Authorization", "Bearer " + x.token(x.id, time.Now()), "X-Windlass-Transaction", x.id}, session.Caller{}},
		{"capability", []string{"Authorization", "Capability " + x.keys.Capability(x.id), "X-Windlass-Transaction", x.id}, session.Caller{Role: session.Viewer, Transaction: x.id}},
		{"another's capability", []string{"Authorization", "Capability " + x.keys.Capability(other), "X-Windlass-Transaction", x.id}, session.Caller{}},
		{"capability alone", []string{"Authorization", "Capability " + x.keys.Capability(x.id)}, session.Caller{}},
		{"nothing", nil, session.Caller{}},
	} {
		if got := x.who(c.headers...); got != c.is {
			t.Errorf("%s: %+v, expected %+v", c.name, got, c.is)
		}
	}
}

func mustAuth(t *testing.T, k *session.Keys) string {
	t.Helper()
	token, err := k.AuthToken(anchor.Identity{Account: account}, base, "d", "j", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestExchangeOnce burns each token once, but for the page that burned it.
func TestExchangeOnce(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	for _, make := range []func(string, time.Time) (string, error){x.keys.Interactive, x.keys.Resume} {
		token, err := make(x.id, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, first := x.exchange(x.id, map[string]any{"token": token, "nonce": nonce})
		res, again := x.exchange(x.id, map[string]any{"token": token, "nonce": nonce})
		if first["bearer"] == "" || again["bearer"] != first["bearer"] || res.Header().Get("Set-Cookie") == "" {
			t.Errorf("the same page: %v then %v", first, again)
		}
		res, out := x.exchange(x.id, map[string]any{"token": token, "nonce": "another page's nonce", "lang": "es"})
		if res.Code != 401 || out["code"] != "token_used" || out["error"] != "es:token_used" || res.Header().Get("Set-Cookie") != "" {
			t.Errorf("another page: %d, %v", res.Code, out)
		}
	}
}

// TestExchangeRace lets only one of many pages in.
func TestExchangeRace(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	token := x.token(x.id, time.Now())
	var wg sync.WaitGroup
	var mu sync.Mutex
	bearers := map[string]int{}
	for i := range 20 {
		wg.Go(func() {
			_, out := x.exchange(x.id, map[string]any{"token": token, "nonce": nonce + string(rune('a'+i%4))})
			mu.Lock()
			defer mu.Unlock()
			if out["bearer"] != "" {
				bearers[out["bearer"]]++
			}
		})
	}
	wg.Wait()
	if len(bearers) != 1 {
		t.Errorf("%d sessions for one token", len(bearers))
	}
	for _, n := range bearers {
		if n != 5 {
			t.Errorf("the winning page was answered %d times of 5", n)
		}
	}
}

func TestExchangeRefusals(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	now := time.Now()
	other := x.transaction()
	for _, c := range []struct {
		name    string
		in      map[string]any
		headers []string
		status  int
		code    string
	}{
		{"expired", map[string]any{"token": x.token(x.id, now.Add(-time.Hour)), "nonce": nonce}, nil, 401, "token_expired"},
		{"another transaction's", map[string]any{"token": x.token(other, now), "nonce": nonce}, nil, 401, "token_invalid"},
		{"none", map[string]any{"nonce": nonce}, nil, 401, "token_invalid"},
		{"a wallet's", map[string]any{"token": mustAuth(t, x.keys), "nonce": nonce}, nil, 401, "token_invalid"},
		{"a capability", map[string]any{"token": x.keys.Capability(x.id), "nonce": nonce}, nil, 401, "token_invalid"},
		{"no nonce", map[string]any{"token": x.token(x.id, now)}, nil, 400, "nonce_malformed"},
		{"short nonce", map[string]any{"token": x.token(x.id, now), "nonce": "x"}, nil, 400, "nonce_malformed"},
		{"wrong type", map[string]any{"token": 1, "nonce": nonce}, nil, 400, "json_malformed"},
		{"huge", map[string]any{"token": x.token(x.id, now), "nonce": nonce, "callback": strings.Repeat("x", 1<<20)}, nil, 413, "body_too_large"},
		{"a form", map[string]any{"token": x.token(x.id, now), "nonce": nonce}, []string{"Content-Type", "text/plain"}, 400, "content_type_unknown"},
		{"another site", map[string]any{"token": x.token(x.id, now), "nonce": nonce}, []string{"Origin", "https://evil.example"}, 403, "forbidden"},
		{"another site, newer browser", map[string]any{"token": x.token(x.id, now), "nonce": nonce}, []string{"Sec-Fetch-Site", "cross-site", "Origin", base}, 403, "forbidden"},
	} {
		res, out := x.exchange(x.id, c.in, c.headers...)
		if res.Code != c.status || out["code"] != c.code || out["error"] != "en:"+c.code || res.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v", c.name, res.Code, out)
		}
	}
	// Nothing of it was kept, and no token was burned by a refusal.
	tr, err := x.books.Transaction(t.Context(), x.id)
	if err != nil || tr.Callback != "" {
		t.Errorf("the transaction has %q, %v", tr.Callback, err)
	}
}

// TestCallbacks: what is kept of a callback, or why it is left out, which stops no
// customer. The first value wins, whatever the next page says.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	long := "https://w.example/" + strings.Repeat("x", 3000)
	for _, c := range []struct{ given, kept, refused string }{
		{"postMessage", "postMessage", ""},
		{"https://wallet.example/x", "https://wallet.example/x", ""},
		{"https://wallet.example:443/x?a=b", "https://wallet.example:443/x?a=b", ""},
		{"", "", ""},
		{"http://wallet.example/x", "", "it is not https"},
		{"https://user:pw@wallet.example", "", "it has a user name"},
		{"https://wallet.example:8443/x", "", "its port is not 443"},
		{"https://wallet.example/x#y", "", "it has a fragment"},
		{"https://127.0.0.1/x", "", "its host is no domain name"},
		{"https://localhost/x", "", "its host is no domain name"},
		{"https:///x", "", "it is malformed"},
		{"https://:443/x", "", "its host is no domain name"},
		{"javascript:alert(1)", "", "it is malformed"},
		{"data:text/html,x", "", "it is malformed"},
		{"mywallet.evil://x", "", "it is not https"},
		{" mywallet://x", "", "it is malformed"},
		{"otherwallet://x", "", "it is not https"},
		{"//wallet.example", "", "it is not https"},
		{long, "", "it has more than 2000 characters"},
		{"my" + long, "", "it has more than 2000 characters"},
	} {
		for _, field := range []string{"callback", "on_change_callback"} {
			id := x.transaction()
			token := x.token(id, time.Now())
			res, out := x.exchange(id, map[string]any{"token": token, "nonce": nonce, field: c.given, "lang": nil})
			if refused := out["refused"]; res.Code != 200 || (c.refused == "") != (refused == "") || !strings.Contains(refused, c.refused) ||
				c.refused != "" && !strings.HasPrefix(refused, field+": ") {
				t.Errorf("%.40q: %d %v", c.given, res.Code, out)
			}
			res, _ = x.exchange(id, map[string]any{"token": x.token(id, time.Now()), "nonce": nonce, field: "https://late.example"})
			tr, err := x.books.Transaction(t.Context(), id)
			rig.Must(t, err)
			kept := map[string]string{"callback": tr.Callback, "on_change_callback": tr.OnChange}
			if want := cmp.Or(c.kept, "https://late.example"); res.Code != 200 || kept[field] != want {
				t.Errorf("%.40q is kept as %v", c.given, kept)
			}
		}
	}
}

// TestAppCallbacks: an app can be opened at the end, and told of nothing before.
func TestAppCallbacks(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	for given, want := range map[string]string{
		"mywallet://done?x=1":                     "mywallet://done?x=1",
		"MyWallet://Done/%7b?x=%20":               "mywallet://Done/%7b?x=%20",
		"mywallet:done":                           "mywallet:done",
		"mywallet://done#now":                     "it has a fragment",
		"mywallet://done?a b":                     "it is malformed",
		"mywallet://done?\u0001":                  "it is malformed",
		"mywallet://döner":                        "it is malformed",
		"mywallet://%zz":                          "it is malformed",
		"mywallet://" + strings.Repeat("x", 2000): "it has more than 2000 characters",
	} {
		id := x.transaction()
		res, out := x.exchange(id, map[string]any{"token": x.token(id, time.Now()), "nonce": nonce, "callback": given, "on_change_callback": given})
		tr, err := x.books.Transaction(t.Context(), id)
		rig.Must(t, err)
		refused := strings.Split(out["refused"], "; ")
		if kept := strings.HasPrefix(want, "mywallet:"); res.Code != 200 || tr.OnChange != "" ||
			!strings.Contains(out["refused"], "on_change_callback: an app can only be opened at the end") ||
			kept && (tr.Callback != want || strings.HasPrefix(refused[0], "callback:")) ||
			!kept && (tr.Callback != "" || !strings.HasPrefix(refused[0], "callback: ") || !strings.HasSuffix(refused[0], want)) ||
			strings.Contains(out["refused"], "wallet:") {
			t.Errorf("%.40q: %q, %q, %v", given, tr.Callback, tr.OnChange, out)
		}
	}
}

// TestSessionEnds looks at sessions that are revoked, expired or of staff.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	for name, change := range map[string]func(*store.Session){
		"revoked": func(s *store.Session) { s.RevokedAt = time.Now() },
		"expired": func(s *store.Session) { s.ExpiresAt = time.Now().Add(-time.Second) },
	} {
		token := x.token(x.id, time.Now())
		_, out := x.exchange(x.id, map[string]any{"token": token, "nonce": nonce})
		auth := []string{"Authorization", "Bearer " + out["bearer"], "X-Windlass-Transaction", x.id}
		if x.who(auth...).Role != session.Customer {
			t.Fatal("no session to begin with")
		}
		id := session.IDOf(out["bearer"])
		err := x.books.Update(t.Context(), store.Operator, func(tx *store.Tx) error {
			s, err := tx.Session(id)
			if err != nil {
				return err
			}
			change(s)
			return tx.SaveSession(s)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := x.who(auth...); got != (session.Caller{}) {
			t.Errorf("%s: %+v", name, got)
		}
		if name == "revoked" {
			if res, out := x.exchange(x.id, map[string]any{"token": token, "nonce": nonce}); res.Code != 401 {
				t.Errorf("a revoked session came back: %v", out)
			}
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"https://admin.test", "http://localhost:8001"} {
		keys, books := newKeys(t), newBooks(t)
		s := session.NewSignIn(session.SignInConfig{BaseURL: origin, Home: "/playground", Log: quiet}, keys, books)
		r := mux.NewRouter()
		s.Register(r)
		r.Handle("/who", s.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewEncoder(w).Encode(session.FromContext(r.Context()))
		})))
		send := func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
			q := httptest.NewRequest(method, origin+path, strings.NewReader(body))
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for i := 0; i < len(headers); i += 2 {
				q.Header.Set(headers[i], headers[i+1])
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, q)
			return w
		}
		who := func(method string, headers ...string) session.Caller {
			var c session.Caller
			if err := json.NewDecoder(send(method, "/who", "", headers...).Body).Decode(&c); err != nil {
				t.Fatal(err)
			}
			return c
		}

		link, err := keys.SignInLink("Ana <script>", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // as often as a messenger likes
			res := send("GET", link, "")
			b := res.Body.Bytes()
			if res.Code != 200 || !strings.Contains(string(b), `method="post"`) || strings.Contains(string(b), "<script>") || res.Header().Get("Set-Cookie") != "" {
				t.Fatalf("%d: %s", res.Code, b)
			}
		}
		form := strings.TrimPrefix(link, "/signin?")
		if res := send("POST", "/signin", form, "Sec-Fetch-Site", "cross-site"); res.Code != 403 {
			t.Errorf("from another site: %d", res.Code)
		}
		res := send("POST", "/signin", form, "Sec-Fetch-Site", "same-origin", "Origin", "null")
		cookie := res.Header().Get("Set-Cookie")
		if res.Code != 303 || res.Header().Get("Location") != "/playground" || !strings.Contains(cookie, "SameSite=Strict") ||
			!strings.Contains(cookie, "HttpOnly") || strings.HasPrefix(cookie, "__Host-") != strings.HasPrefix(origin, "https") {
			t.Fatalf("%d %s", res.Code, cookie)
		}
		if res := send("POST", "/signin", form, "Origin", origin); res.Code != 401 {
			t.Errorf("a second time: %d", res.Code)
		}
		pair, _, _ := strings.Cut(cookie, ";")
		me := session.Caller{Role: session.Staff, Name: "Ana <script>"}
		if got := who("GET", "Cookie", pair); got != me {
			t.Errorf("%+v", got)
		}
		if got := who("POST", "Cookie", pair, "Origin", origin); got != me {
			t.Errorf("%+v", got)
		}
		if me.Actor() != "staff:Ana <script>" {
			t.Errorf("the actor is %q", me.Actor())
		}
		for _, headers := range [][]string{{}, {"Origin", base}, {"Sec-Fetch-Site", "same-site"}} {
			if got := who("POST", append(headers, "Cookie", pair)...); got != (session.Caller{}) {
				t.Errorf("%v: %+v", headers, got)
			}
		}
		if res := send("POST", "/signout", "", "Cookie", pair, "Origin", origin); res.Code != 200 || !strings.Contains(res.Header().Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("sign-out: %d %s", res.Code, res.Header().Get("Set-Cookie"))
		}
		if got := who("GET", "Cookie", pair); got != (session.Caller{}) {
			t.Errorf("after signing out: %+v", got)
		}

		old, _ := keys.SignInLink("Ana", time.Now().Add(-time.Hour))
		for _, path := range []string{old, "/signin?token=x"} {
			if res := send("GET", path, ""); res.Code != 401 {
				t.Errorf("%s: %d", path, res.Code)
			}
		}
		if res := send("GET", "/signin", ""); res.Code != 200 || !strings.Contains(res.Body.String(), "windlass staff link") {
			t.Errorf("no token: %d %s", res.Code, res.Body)
		}
		if res := send("GET", "/signin.css", ""); res.Code != 200 || res.Header().Get("Content-Type") != "text/css; charset=utf-8" {
			t.Errorf("the stylesheet: %d %s", res.Code, res.Header())
		}
		if _, err := keys.SignInLink(" ", time.Now()); err == nil {
			t.Error("a link for nobody")
		}
	}
}

// TestSignInLooksLikeTheRest holds the sign-in page's colours to the web app's.
func TestSignInLooksLikeTheRest(t *testing.T) {
	t.Parallel()
	tokens := func(file string) [][]string {
		css, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var themes [][]string
		for theme := range strings.SplitSeq(string(css), "prefers-color-scheme: dark") {
			themes = append(themes, regexp.MustCompile(`--[a-z-]+: [^;]+;`).FindAllString(theme, -1))
		}
		return themes
	}
	ours, theirs := tokens("signin.css"), tokens("../../frontend/src/lib/tokens.css")
	if len(ours) != 2 || len(theirs) != 2 {
		t.Fatalf("%d and %d themes, want light and dark", len(ours), len(theirs))
	}
	for i, theme := range ours {
		for _, token := range theme {
			if !slices.Contains(theirs[i], token) {
				t.Errorf("tokens.css has no %s in theme %d", token, i)
			}
		}
	}
}

// TestStaffAndCustomersApart lets neither cookie nor secret of one into the other.
func TestStaffAndCustomersApart(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	res, _ := x.exchange(x.id, map[string]any{"token": x.token(x.id, time.Now()), "nonce": nonce})
	value := regexp.MustCompile(`=([^;]+);`).FindStringSubmatch(res.Header().Get("Set-Cookie"))[1]
	s := session.NewSignIn(session.SignInConfig{BaseURL: base, Log: quiet}, x.keys, x.books)
	r := httptest.NewRequest("GET", base+"/who", nil)
	r.AddCookie(&http.Cookie{Name: "__Host-windlass-staff", Value: value})
	s.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got := session.FromContext(r.Context()); got.Role != session.Nobody {
			t.Errorf("a customer's cookie makes %+v", got)
		}
	})).ServeHTTP(httptest.NewRecorder(), r)
}

// FuzzExchange: no body of an exchange does harm, or opens a session without the
// token.
func FuzzExchange(f *testing.F) {
	x := newHouse(f)
	good, err := json.Marshal(map[string]any{"token": x.token(x.id, time.Now().Add(-time.Hour)), "nonce": nonce, "callback": "https://w.test/c", "lang": "es"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good), "application/json", "")
	f.Add(`{"token":"a.b.c","nonce":"aaaaaaaaaaaaaaaa","on_change_callback":"postMessage"}`, "application/json", "https://evil.test")
	f.Add(`[]`, "text/plain", "null")
	f.Fuzz(func(t *testing.T, body, kind, origin string) {
		res := x.send("POST", "/interactive/"+x.id+"/session", body, "Content-Type", kind, "Origin", origin)
		var out map[string]string
		if err := json.Unmarshal(res.Body.Bytes(), &out); err != nil || res.Code >= 500 || res.Code == 200 || out["code"] == "" || res.Header().Get("Set-Cookie") != "" {
			t.Errorf("%d %s %v", res.Code, res.Body, err)
		}
	})
}
