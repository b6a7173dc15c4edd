package session_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"windlass/server/session"
)

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
