package sep24_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/mux"
	"pgregory.net/rapid"

	"windlass/server/anchor"
	"windlass/server/sep24"
	"windlass/server/store"
)

// complexTerms cost more than /info can say.
func complexTerms() []*anchor.Terms {
	all := terms()
	a := anchor.MustAmount
	d := &all[0].Deposit
	d.Fee = anchor.Schedule{Fixed: a("1"), Tiers: []anchor.Tier{{From: a("1000"), Percent: a("0.1")}}, Maximum: a("5")}
	d.Methods = append(d.Methods, anchor.Method{ID: "cash", Fee: &anchor.Schedule{Percent: a("2"), Minimum: a("3")}})
	return all
}

func TestFee(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *sep24.Config) { c.Terms = complexTerms() })
	token := w.token(newOwner())
	_, out := w.api("GET", "/sep24/info", "", "", "")
	info, err := json.Marshal(out)
	want := `{"deposit":{"USDW":{"enabled":true,"max_amount":10000,"min_amount":10},"native":{"enabled":true,"fee_fixed":1,"fee_percent":0.5,"max_amount":10000,"min_amount":10}},` +
		`"features":{"account_creation":true,"claimable_balances":false},"fee":{"authentication_required":true,"enabled":true},` +
		`"withdraw":{"USDW":{"enabled":true,"fee_fixed":1,"fee_percent":0.5,"max_amount":10000,"min_amount":10},"native":{"enabled":false}}}`
	if err != nil || string(info) != want {
		t.Errorf("info: %v\n%s\n%s", err, info, want)
	}
	for query, fee := range map[string]string{
		"operation=deposit&asset_code=USDW&amount=100":                      "3", // by the dearer method
		"operation=deposit&asset_code=USDW&amount=1000&type=bank_transfer":  "1", // 0.1 %
		"operation=deposit&asset_code=USDW&amount=10000&type=bank_transfer": "5",
		"operation=deposit&asset_code=USDW&amount=100.00&type=cash":         "3",
		"operation=deposit&asset_code=USDW&amount=1000&type=cash&lang=es":   "20",
		"operation=withdraw&asset_code=USDW&amount=100":                     "1.5",
		"operation=withdraw&asset_code=USDW&amount=98.51":                   "1.5", // a cent's rest included
		"operation=deposit&asset_code=native&amount=100":                    "1.5",
	} {
		res := w.do("GET", "/sep24/fee?"+query, token, "", "")
		if res.Code != 200 || res.Body.String() != `{"fee":`+fee+"}\n" || res.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %s, want %s", query, res.Code, res.Body, fee)
		}
	}
	for query, names := range map[string]string{
		"asset_code=USDW&amount=100":                                  "operation",
		"operation=deposit&amount=100":                                "asset_code",
		"operation=deposit&asset_code=USDW":                           "amount",
		"operation=withdrawal&asset_code=USDW&amount=100":             "operation",
		"operation=deposit&asset_code=NOPE&amount=100":                "NOPE",
		"operation=withdraw&asset_code=native&amount=100":             "asset_code",
		"operation=deposit&asset_code=USDW&amount=1e2":                "amount",
		"operation=deposit&asset_code=USDW&amount=-1":                 "amount",
		"operation=deposit&asset_code=USDW&amount=9.99":               "10.00",
		"operation=deposit&asset_code=USDW&amount=10000.01":           "10000.00",
		"operation=deposit&asset_code=USDW&amount=10.001":             "amount",
		"operation=deposit&asset_code=USDW&amount=100&type=SEPA":      "type",
		"operation=withdraw&asset_code=USDW&amount=100&type=cash":     "type",
		"operation=deposit&asset_code=USDW&amount=100&amount=101":     "amount",
		"operation=deposit&asset_code=USDW&amount=100&lang=es&type=%": "",
	} {
		res := w.do("GET", "/sep24/fee?"+query, token, "", "")
		if res.Code != 400 || !strings.Contains(res.Body.String(), `{"error":"`) || !strings.Contains(res.Body.String(), names) {
			t.Errorf("%s: %d %s", query, res.Code, res.Body)
		}
	}
	if status, _ := w.api("POST", "/sep24/fee", "", "", ""); status != 405 {
		t.Errorf("POST: %d", status)
	}
	if status, _ := w.api("GET", "/sep24/fee?operation=deposit&asset_code=USDW&amount=100", "", "", ""); status != 403 {
		t.Errorf("without a token: %d", status)
	}
	// Nothing is there that /info says already.
	if status, _ := newWorld(t).api("GET", "/sep24/fee?operation=deposit&asset_code=USDW&amount=100", "", "", ""); status != 404 {
		t.Errorf("simple fees: %d", status)
	}
}

// TestFeeIsWhatIsPaid: whatever the schedule, /fee and the customer's page say
// the same.
func TestFeeIsWhatIsPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys, token := w.keys, w.token(newOwner())
	rapid.Check(t, func(t *rapid.T) {
		some := func(name string, most anchor.Amount) anchor.Amount {
			return anchor.Amount(rapid.Int64Range(0, int64(most/100_000)).Draw(t, name)) * 100_000
		}
		schedule := func(name string) anchor.Schedule {
			s := anchor.Schedule{Fixed: some(name+" fixed", 20*anchor.One), Percent: some(name+" percent", 90*anchor.One), Minimum: some(name+" minimum", 10*anchor.One), Maximum: some(name+" maximum", 50*anchor.One)}
			return anchor.Schedule{Fixed: s.Fixed, Percent: s.Percent, Minimum: s.Minimum, Maximum: max(s.Maximum, s.Minimum),
				Tiers: []anchor.Tier{{From: some(name+" from", 500*anchor.One), Fixed: some(name+" more", 20*anchor.One), Percent: some(name+" share", 90*anchor.One)}}}
		}
		all := terms()[:1]
		all[0].Deposit.Fee = schedule("side")
		all[0].Deposit.Methods = []anchor.Method{{ID: "bank_transfer"}, {ID: "cash", Fee: new(schedule("cash"))}}
		h, err := sep24.New(sep24.Config{Terms: all}, keys, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := mux.NewRouter()
		h.Register(r)

		in := 10*anchor.One + some("in", 9990*anchor.One)
		method := rapid.SampledFrom([]string{"bank_transfer", "cash"}).Draw(t, "method")
		res := httptest.NewRecorder()
		q := httptest.NewRequest(http.MethodGet, "/sep24/fee?"+url.Values{
			"operation": {"deposit"}, "asset_code": {"USDW"}, "amount": {in.String()}, "type": {method}}.Encode(), nil)
		q.Header.Set("Authorization", "Bearer "+token)
		r.ServeHTTP(res, q)
		paid := &anchor.Transaction{Kind: anchor.Deposit, Method: method}
		paid.Restore(anchor.Incomplete)
		refused := paid.SetAmount(all[0], in)
		var out struct{ Fee json.Number }
		if err := json.Unmarshal(res.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		if (refused == nil) != (res.Code == http.StatusOK) || refused == nil && out.Fee.String() != paid.AmountFee.String() {
			t.Fatalf("%s by %s: /fee answers %d %s, the page %s %v", in, method, res.Code, res.Body, paid.AmountFee, refused)
		}
	})
}

// FuzzFee: no query does harm, and every fee leaves something.
func FuzzFee(f *testing.F) {
	w := newWorld(f, func(c *sep24.Config) { c.Terms = complexTerms() })
	f.Add("operation=deposit&asset_code=USDW&amount=100&type=cash")
	f.Add("operation=withdraw&asset_code=USDW&amount=9223372036854775807")
	f.Add("operation=deposit&asset_code=native&amount=1e9&lang=es")
	token := w.token(newOwner())
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, "/sep24/fee", nil)
		r.URL.RawQuery = query
		r.Header.Set("Authorization", "Bearer "+token)
		res := httptest.NewRecorder()
		w.h.ServeHTTP(res, r)
		answered(t, res)
		var out struct{ Fee json.Number }
		if res.Code == http.StatusOK {
			q, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(res.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
			fee, err := anchor.ParseAmount(out.Fee.String())
			in, err2 := anchor.ParseAmount(q.Get("amount"))
			if err != nil || err2 != nil || fee >= in {
				t.Errorf("%s costs %s", in, fee)
			}
		}
	})
}

// TestUnlike: what wallets say and hear of an exchange of lumens for euros is in
// lumens, until the transaction names both.
func TestUnlike(t *testing.T) {
	t.Parallel()
	all := terms()
	x := all[1]
	x.OffChain, x.OffChainDecimals = anchor.Asset{Scheme: anchor.ISO4217, Code: "EUR"}, 2
	x.Withdraw = x.Deposit
	for kind, price := range map[anchor.Kind]string{anchor.Deposit: "0.1176", anchor.Withdrawal: "0.115"} {
		var err error
		if x.Side(kind).Rate, err = anchor.Quote(kind, price, x.Decimals, x.OffChainDecimals); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, func(c *sep24.Config) { c.Terms = all })
	token := w.token(newOwner())
	_, out := w.api("GET", "/sep24/info", "", "", "")
	info, err := json.Marshal(out)
	for _, want := range []string{
		`"native":{"enabled":true,"max_amount":84600.340136,"min_amount":76.1054421}`, // 9,949 and 8.95 euros
		`"native":{"enabled":true,"fee_fixed":1,"fee_percent":0.5,"max_amount":10000,"min_amount":10}`,
		`"fee":{"authentication_required":true,"enabled":true}`,
	} {
		if err != nil || !strings.Contains(string(info), want) {
			t.Errorf("info: %v\n%s\nlacks %s", err, info, want)
		}
	}
	for query, fee := range map[string]string{
		"operation=deposit&asset_code=native&amount=837.585034": "12.755102", // 1.5 euros of 100
		"operation=withdraw&asset_code=native&amount=500":       "3.5652173",
	} {
		res := w.do("GET", "/sep24/fee?"+query, token, "", "")
		if res.Code != 200 || res.Body.String() != `{"fee":`+fee+"}\n" {
			t.Errorf("%s: %d %s, want %s", query, res.Code, res.Body, fee)
		}
	}
	start := func(kind, more string) (int, map[string]any) {
		return w.api("POST", "/sep24/transactions/"+kind+"/interactive", token, "application/json", `{"asset_code":"native"`+more+`}`)
	}
	for _, c := range []struct {
		kind, more string
		requested  string   // "" if it is refused
		page       []string // says so
	}{
		{"deposit", `,"amount":"837.585034","source_asset":"iso4217:EUR"`, "100", []string{">100.00 EUR<", " = 0.1176 EUR<", ">837.585034"}},
		{"deposit", `,"amount":"76.1054421"`, "10", nil},
		{"deposit", `,"amount":"76.105442"`, "", nil},
		{"deposit", `,"amount":"84600.34014"`, "", nil},
		{"withdraw", `,"amount":"500","destination_asset":"iso4217:EUR"`, "500", []string{">500.00", ">0.0652173", " = 0.115 EUR<", ">57.09 EUR<"}},
		{"withdraw", `,"amount":"500","destination_asset":"iso4217:USD"`, "", nil},
	} {
		status, out := start(c.kind, c.more)
		if (status == 200) != (c.requested != "") {
			t.Errorf("%s of %s: %d %v", c.kind, c.more, status, out)
		}
		if status != 200 {
			continue
		}
		id, _ := out["id"].(string)
		a, err := w.books.Transaction(t.Context(), id)
		if err != nil || a.Requested != anchor.MustAmount(c.requested) {
			t.Errorf("%s of %s: %s, %v", c.kind, c.more, a.Requested, err)
			continue
		}
		// Without a script, too, the page tells the rate, and each amount by its asset.
		w.move(id, func(_ *store.Tx, a *anchor.Transaction) error { return a.SetAmount(x, a.Requested) })
		page := w.do("GET", strings.TrimPrefix(w.sep.MoreInfoURL(id), base), "", "", "").Body.String()
		for _, want := range c.page {
			if !strings.Contains(page, want) {
				t.Errorf("%s of %s: the page lacks %q: %s", c.kind, c.more, want, page)
			}
		}
	}
}
