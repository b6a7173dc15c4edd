package sep24_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"windlass/server/anchor"
)

// answered checks an answer to a request that nobody should make: JSON, not our
// fault, and no text of ours that was made for something else.
func answered(t *testing.T, res *httptest.ResponseRecorder) {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(res.Body.Bytes(), &out); err != nil || res.Code >= 500 {
		t.Errorf("%d %s: %v", res.Code, res.Body, err)
	}
	if text, _ := out["error"].(string); res.Code != 200 && text == "" || strings.Contains(text, "%!") || len(text) > 2000 {
		t.Errorf("%d %s", res.Code, res.Body)
	}
	for name, values := range res.Header() {
		if strings.ContainsAny(strings.Join(values, ""), "\r\n") {
			t.Errorf("%s: %q", name, values)
		}
	}
}

// FuzzStart: no body of a start does harm.
func FuzzStart(f *testing.F) {
	w := newWorld(f)
	who := newOwner()
	token := w.token(who)
	for _, body := range []string{
		`{"asset_code":"USDW","amount":"100","lang":"es-MX","account":"` + who.Account + `","memo":"1","memo_type":"id"}`,
		`{"asset_code":"native","claimable_balance_supported":true}`, `{"asset_code":"USDW","asset_issuer":"x","source_asset":"iso4217:USD"}`,
		`{"asset_code":"USDW","refund_memo":"AAAA","refund_memo_type":"hash","first_name":"Ana"}`, `{"amount":1e9}`,
	} {
		f.Add(true, "application/json", body)
		f.Add(false, "application/json; charset=utf-8", body)
	}
	f.Add(true, "application/x-www-form-urlencoded", "asset_code=USDW&amount=100")
	f.Add(false, "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"asset_code\"\r\n\r\nUSDW\r\n--x--\r\n")
	f.Fuzz(func(t *testing.T, deposit bool, kind, body string) {
		path := "/sep24/transactions/withdraw/interactive"
		if deposit {
			path = "/sep24/transactions/deposit/interactive"
		}
		answered(t, w.do("POST", path, token, kind, body))
	})
}

// FuzzHistory: no query of a list or of one transaction does harm, or shows
// another's.
func FuzzHistory(f *testing.F) {
	w := newWorld(f)
	w.begin("deposit", newOwner(), map[string]any{"lang": "en"})
	theirs := w.begin("withdraw", newOwner(), map[string]any{})
	token := w.token(anchor.Identity{Account: newOwner().Account, Memo: "1"})
	for _, q := range []string{"asset_code=USDW&limit=1&kind=deposit&lang=es", "asset_code=native&no_older_than=2026-01-31T12:00:00Z",
		"asset_code=USDW&paging_id=" + theirs.ID, "id=" + theirs.ID, "stellar_transaction_id=x&external_transaction_id=y", "limit=-1&limit=2", "lang=%0d%0a"} {
		f.Add(true, q)
		f.Add(false, q)
	}
	f.Fuzz(func(t *testing.T, list bool, query string) {
		r := httptest.NewRequest("GET", base, nil)
		r.URL.Path, r.URL.RawQuery = "/sep24/transaction", query
		if list {
			r.URL.Path += "s"
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res := httptest.NewRecorder()
		w.h.ServeHTTP(res, r)
		answered(t, res)
		if strings.Contains(res.Body.String(), theirs.ID) {
			t.Errorf("%s shows another's: %s", query, res.Body)
		}
	})
}
