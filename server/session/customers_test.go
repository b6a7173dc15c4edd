package session_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rig"
	"windlass/server/session"
	"windlass/server/store"
)

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
