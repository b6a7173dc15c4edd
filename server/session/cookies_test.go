package session_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"windlass/server/session"
)

// TestManyCookies: whoever goes through many transactions, or is led through them,
// keeps the last ones, and what their browser says with each request stays as short as
// proxies take.
func TestManyCookies(t *testing.T) {
	t.Parallel()
	x := newHouse(t)
	jar := map[string]string{"theme": "dark", "windlass-staff": "kim"}
	for range 60 { // from before this was so
		jar["__Host-windlass-"+x.transaction()] = "long forgotten"
	}
	header := func() string {
		var all []string
		for name, value := range jar {
			all = append(all, name+"="+value)
		}
		return strings.Join(all, "; ")
	}
	var ids []string
	for range 40 {
		id := x.transaction()
		ids = append(ids, id)
		before := len(jar)
		res, out := x.exchange(id, map[string]any{"token": x.token(id, time.Now()), "nonce": nonce}, "Cookie", header())
		if res.Code != http.StatusOK {
			t.Fatal(res.Code, out)
		}
		answer := res.Result()
		for _, c := range answer.Cookies() {
			if c.MaxAge < 0 {
				delete(jar, c.Name)
			} else {
				jar[c.Name] = c.Value
			}
			if c.Path != "/" || !c.Secure || !c.Partitioned || c.SameSite != http.SameSiteNoneMode {
				t.Errorf("no browser knows which cookie is meant: %s", c.Raw)
			}
		}
		if err := answer.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if cleared := before + 1 - len(jar); cleared > 5 {
			t.Errorf("%d cookies are cleared at once", cleared)
		}
	}
	if n := len(header()); n > 6<<10 || jar["theme"] != "dark" || jar["windlass-staff"] != "kim" {
		t.Errorf("the browser says %d bytes: %s", n, header())
	}
	for i, id := range ids {
		who := x.who("Cookie", header(), "Sec-Fetch-Site", "same-origin", session.TransactionHeader, id)
		if kept := i >= len(ids)-20; (who.Transaction == id) != kept {
			t.Errorf("of %d transactions, number %d: %+v", len(ids), i+1, who)
		}
	}
}
