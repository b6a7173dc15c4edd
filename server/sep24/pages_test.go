package sep24_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/store"
)

// TestPages reads the two pages without a script.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := newOwner()
	read := func(path string) (int, string) {
		t.Helper()
		res := w.do("GET", path, "", "", "")
		b := res.Body.Bytes()
		if !strings.HasPrefix(res.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%s: %v", path, res.Header())
		}
		return res.Code, string(b)
	}
	has := func(what, page string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(page, p) {
				t.Errorf("%s lacks %q: %s", what, p, page)
			}
		}
	}
	d := w.begin("deposit", who, map[string]any{"lang": "es"})
	_, out := w.get("/sep24/transaction?id="+d.ID, who)
	object, _ := out["transaction"].(map[string]any)
	more := strings.TrimPrefix(text(object["more_info_url"]), base)
	u, _ := url.Parse(more)
	if c := u.Query(); c.Get("c") != w.keys.Capability(d.ID) || c.Get("resume") == "" || w.sep.MoreInfoURL(d.ID) != base+u.Path+"?c="+c.Get("c") {
		t.Errorf("more_info_url is %s", more)
	}
	status, page := read(more)
	has("incomplete", page, `lang="es"`, "transaction "+d.ID, d.ID[:13], `<noscript>`, `&amp;lang=ar" lang="ar" hreflang="ar">العربية</a>`)
	if status != 200 || strings.Contains(page, u.Query().Get("resume")) || strings.Contains(page, who.Account) {
		t.Errorf("%d %s", status, page)
	}
	if n := len(w.audit(d.ID)); n != 1 {
		t.Errorf("reading wrote %d steps", n)
	}

	w.move(d.ID, entered("100"), agreed)
	_, page = read(more + "&lang=en")
	has("to be paid", page, `lang="en"`, "100.00 USD", "98.50 USDW", ">1.00 USD<", ">0.50 USD<", language.Text("en", "fee.fixed", nil), language.Text("en", "instruction.account_number", nil), "000123", "WL-"+d.ID, language.Text("en", "event.agreed", nil), "<time datetime=", "UTC")
	w.move(d.ID, func(_ *store.Tx, x *anchor.Transaction) error {
		x.StellarID = "hash-d"
		return nil
	})
	_, page = read(more)
	has("paid", page, `href="https://explorer.test/hash-d"`)
	q := w.begin("withdraw", who, map[string]any{})
	w.move(q.ID, entered("100"), agreed, func(tx *store.Tx, x *anchor.Transaction) error {
		return tx.SetDetails(x.ID, store.Details{Answers: map[string]string{"bank_account_number": "99887766"}})
	})
	_, page = read(strings.TrimPrefix(w.sep.MoreInfoURL(q.ID), base))
	has("to be paid", page, distribution, "100.00 USDW", "98.50 USD")
	if strings.Contains(page, "99887766") {
		t.Error("the page tells the bank account")
	}

	token, _ := w.keys.Interactive(d.ID, time.Now())
	status, page = read("/interactive/" + d.ID + "?token=" + token + "&callback=%3Cscript%3Ealert(1)%3C/script%3E&lang=en")
	if status != 200 || strings.Contains(page, token) || strings.Contains(page, "<script") || strings.Contains(page, "100.00") {
		t.Errorf("%d %s", status, page)
	}
	has("interactive", page, "interactive "+d.ID, `lang="en"`, "<noscript>")

	gone := store.NewID()
	for path, is := range map[string]int{
		"/interactive/" + gone:                                   404,
		"/interactive/x%3Cscript%3E?lang=es":                     404,
		"/transaction/" + d.ID:                                   403,
		"/transaction/" + d.ID + "?c=x":                          403,
		"/transaction/" + d.ID + "?c=" + w.keys.Capability(q.ID): 403,
		"/transaction/" + gone + "?c=" + w.keys.Capability(gone): 404,
		"/transaction/" + d.ID + "?resume=" + w.token(who):       403,
	} {
		status, page := read(path)
		if status != is || strings.Contains(page, "<script") || !strings.Contains(page, "<!--lost -->") {
			t.Errorf("%s: %d %s", path, status, page)
		}
	}
}
