package sep24_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/sep24"
)

func TestAuthenticationRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := newOwner()
	tr := w.begin("deposit", who, map[string]any{})
	must := func(s string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tokens := map[string]string{
		"none":        "",
		"nonsense":    "x",
		"interactive": must(w.keys.Interactive(tr.ID, time.Now())),
		"resume":      must(w.keys.Resume(tr.ID, time.Now())),
		"capability":  w.keys.Capability(tr.ID),
		"expired":     must(w.keys.AuthToken(who, base, "d", "j", time.Now().Add(-2*time.Hour), time.Hour)),
		"alg none":    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4IiwiYXVkIjoic2VwMTAifQ.",
	}
	for name, token := range tokens {
		for _, path := range []string{"/sep24/transaction", "/sep24/transaction?id=" + tr.ID, "/sep24/transactions", "/sep24/transactions?asset_code=nope"} {
			if status, out := w.api("GET", path, token, "", ""); status != 403 || !cmp.Equal(out, map[string]any{"type": "authentication_required"}) {
				t.Errorf("%s: GET %s: %d %v", name, path, status, out)
			}
		}
		for _, kind := range []string{"deposit", "withdraw"} {
			// Before the body is looked at, however bad it is.
			if status, out := w.api("POST", "/sep24/transactions/"+kind+"/interactive", token, "text/xml", "<"); status != 403 || !cmp.Equal(out, map[string]any{"type": "authentication_required"}) {
				t.Errorf("%s: POST %s: %d %v", name, kind, status, out)
			}
		}
	}
}

// TestLimits: each user is limited alone, and starts are counted by themselves.
func TestLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // whose clock stands still, however slow we are
		w := newWorld(t, func(c *sep24.Config) { c.Polls, c.Starts = 2, 1 })
		who, other := newOwner(), newOwner()
		poll := func(who anchor.Identity) *httptest.ResponseRecorder {
			return w.do("GET", "/sep24/transactions?asset_code=USDW&lang=es", w.token(who), "", "")
		}
		for range 10 {
			w.begin("deposit", who, map[string]any{})
		}
		if status, out := w.api("POST", "/sep24/transactions/withdraw/interactive", w.token(who), "application/json", `{"asset_code":"USDW"}`); status != 429 {
			t.Errorf("%d %v", status, out)
		}
		for i := range 20 {
			if res := poll(who); res.Code != 200 {
				t.Fatalf("poll %d: %d", i, res.Code)
			}
		}
		res := poll(who)
		if res.Code != 429 || res.Header().Get("Retry-After") != "1" || !strings.Contains(res.Body.String(), language.Text("es", "error.too_many_requests", nil)) {
			t.Errorf("%d %v %s", res.Code, res.Header(), res.Body)
		}
		for _, free := range []anchor.Identity{other, {Account: who.Account, Memo: "1"}} {
			if res := poll(free); res.Code != 200 {
				t.Errorf("another user: %d", res.Code)
			}
		}
		time.Sleep(time.Second) //nolint:forbidigo // the bubble's time, which nobody waits for
		if first, second, third := poll(who).Code, poll(who).Code, poll(who).Code; first != 200 || second != 200 || third != 429 {
			t.Errorf("a second later: %d, %d, %d", first, second, third)
		}
	})
}

func TestInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, token := range []string{"", "nonsense"} {
		res := w.do("GET", "/sep24/info?lang=es", token, "", "")
		b := res.Body.Bytes()
		side := `{"enabled":true,"min_amount":10,"max_amount":10000,"fee_fixed":1,"fee_percent":0.5}`
		want := `{"deposit":{"USDW":` + side + `,"native":` + side + `},"withdraw":{"USDW":` + side + `,"native":{"enabled":false}},` +
			`"fee":{"enabled":false},"features":{"account_creation":true,"claimable_balances":false}}` + "\n"
		if res.Code != 200 || string(b) != want {
			t.Errorf("%d\n%s\n%s", res.Code, b, want)
		}
	}
	for _, path := range []string{"/sep24/transaction?id=a&id=b", "/sep24/transactions?asset_code=USDW&limit=1&limit=1", "/sep24/transaction?id=%ff", "/sep24/transaction?id=%zz"} {
		if got, out := w.api("GET", path, w.token(newOwner()), "", ""); got != 400 {
			t.Errorf("%s: %d %v", path, got, out)
		}
	}
	if got, _ := w.api("POST", "/sep24/transactions/deposit/interactive", w.token(newOwner()), "text/xml", "<a/>"); got != 415 {
		t.Errorf("XML: %d", got)
	}
	for path, status := range map[string]int{"/sep24": 404, "/sep24/fee": 404, "/sep24/": 404, "/sep24/transaction/x": 404} {
		if got, _ := w.api("GET", path, "", "", ""); got != status {
			t.Errorf("%s: %d", path, got)
		}
	}
	if got, _ := w.api("DELETE", "/sep24/info", "", "", ""); got != 405 {
		t.Errorf("DELETE: %d", got)
	}
	if res := w.do("OPTIONS", "/sep24/transactions/deposit/interactive", "", "", ""); res.Code != 204 || res.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("OPTIONS: %d", res.Code)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	twice := append(terms(), terms()[0])
	if _, err := sep24.New(sep24.Config{Terms: twice}, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "USDW") {
		t.Errorf("%v", err)
	}
	if _, err := sep24.New(sep24.Config{}, nil, nil, nil); err == nil {
		t.Error("nothing is offered")
	}
}
