package sep24_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/rail"
	"windlass/server/sep"
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

func TestDeposit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := anchor.Identity{Account: keypair.MustRandom().Address(), Client: "wallet.test"}
	other := keypair.MustRandom().Address()
	hash := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	for _, c := range []struct {
		name   string
		who    anchor.Identity
		fields map[string]any
		check  func(*anchor.Transaction) bool
	}{
		{"bare", who, map[string]any{}, func(x *anchor.Transaction) bool {
			return x.Account == anchor.Address(who.Account) && x.Owner == who && x.Memo.IsZero() && x.Lang == "" && x.Requested == 0 &&
				x.Deadline.Sub(x.StartedAt) == 24*time.Hour && x.Status() == anchor.Incomplete
		}},
		{"all", who, map[string]any{"asset_issuer": issuer, "source_asset": "iso4217:USD", "amount": 100.5, "account": other, "memo": "hello", "memo_type": "text",
			"wallet_name": "W", "wallet_url": "https://w.test", "lang": "es-MX", "claimable_balance_supported": true, "customer_id": "c", "unknown": "x"},
			func(x *anchor.Transaction) bool {
				return x.Account == anchor.Address(other) && x.Memo == anchor.Memo{Type: "text", Value: "hello"} && x.Lang == "es" &&
					x.Requested == anchor.MustAmount("100.5") && x.ClaimableBalance
			}},
		{"id memo", who, map[string]any{"memo": 12, "memo_type": "id"}, func(x *anchor.Transaction) bool { return x.Memo == anchor.IDMemo(12) }},
		{"hash memo", who, map[string]any{"memo": hash, "memo_type": "hash"}, func(x *anchor.Transaction) bool { return x.Memo == anchor.Memo{Type: "hash", Value: hash} }},
		{"muxed account", who, map[string]any{"account": muxed(t, other, 9)}, func(x *anchor.Transaction) bool { return x.Account == anchor.Address(muxed(t, other, 9)) }},
		{"muxed owner", anchor.Identity{Account: other, Muxed: muxed(t, other, 9)}, map[string]any{}, func(x *anchor.Transaction) bool { return x.Account == anchor.Address(muxed(t, other, 9)) }},
		{"shared owner", anchor.Identity{Account: other, Memo: "77"}, map[string]any{}, func(x *anchor.Transaction) bool {
			return x.Account == anchor.Address(other) && x.Memo == anchor.IDMemo(77) && x.Owner.Memo == "77"
		}},
		{"shared owner with a memo", anchor.Identity{Account: other, Memo: "77"}, map[string]any{"memo": "r", "memo_type": "text"}, func(x *anchor.Transaction) bool { return x.Memo.Value == "r" }},
		{"shared owner, another account", anchor.Identity{Account: other, Memo: "77"}, map[string]any{"account": who.Account}, func(x *anchor.Transaction) bool { return x.Memo.IsZero() }},
		{"unknown language", who, map[string]any{"lang": "tlh"}, func(x *anchor.Transaction) bool { return x.Lang == "" }},
		{"native", who, map[string]any{"asset_code": "native"}, func(x *anchor.Transaction) bool { return x.Asset == anchor.Native }},
		{"limits", who, map[string]any{"amount": "10000.00"}, func(x *anchor.Transaction) bool { return x.Requested == anchor.MustAmount("10000") }},
		{"empty strings", who, map[string]any{"amount": "", "account": "", "memo": "", "memo_type": "", "quote_id": "", "asset_issuer": nil}, func(x *anchor.Transaction) bool { return x.Account == anchor.Address(who.Account) }},
	} {
		x := w.begin("deposit", c.who, c.fields)
		if x.Kind != anchor.Deposit || !c.check(x) {
			t.Errorf("%s: %+v", c.name, x)
		}
	}
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := newOwner()
	x := w.begin("withdraw", who, map[string]any{"amount": "50", "destination_asset": "iso4217:USD", "refund_memo": "9", "refund_memo_type": "id", "memo": "5", "memo_type": "id"})
	if x.Kind != anchor.Withdrawal || x.RefundMemo != anchor.IDMemo(9) || !x.Memo.IsZero() || x.Requested != anchor.MustAmount("50") {
		t.Errorf("%+v", x)
	}
}

// TestOtherAccounts: where not everybody may name another account than their own.
func TestOtherAccounts(t *testing.T) {
	t.Parallel()
	custodian, other := newOwner(), keypair.MustRandom().Address()
	w := newWorld(t, func(c *sep24.Config) {
		c.OtherAccounts = func(who anchor.Identity) bool { return who.Account == custodian.Account }
	})
	who := newOwner()
	for _, kind := range []string{"deposit", "withdraw"} {
		for _, own := range []map[string]any{{}, {"account": who.Account}, {"account": muxed(t, who.Account, 1)}} {
			w.begin(kind, who, own)
		}
		w.begin(kind, anchor.Identity{Account: custodian.Account, Memo: "1"}, map[string]any{"account": other})
		for _, foreign := range []string{other, muxed(t, other, 1)} {
			status, out := w.api("POST", "/sep24/transactions/"+kind+"/interactive", w.token(who), "application/json", `{"asset_code":"USDW","account":"`+foreign+`"}`)
			if status != 400 || !strings.Contains(text(out["error"]), language.Text("en", "error.account_other", nil)) {
				t.Errorf("%s of %s: %d %v", kind, foreign, status, out)
			}
		}
	}
}

// TestEncodings sends the same request in every encoding SEP-24 names.
func TestEncodings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(newOwner())
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	_ = form.WriteField("asset_code", "USDW")
	_ = form.WriteField("first_name", " Ñandú ")
	f, _ := form.CreateFormFile("photo_id_front", "id.png")
	_, _ = f.Write([]byte{0, 0xff})
	_ = form.Close()
	for kind, body := range map[string]string{
		form.FormDataContentType():          b.String(),
		"application/x-www-form-urlencoded": url.Values{"asset_code": {"USDW"}, "first_name": {"Ñandú"}}.Encode(),
		"application/json":                  `{"asset_code":"USDW","first_name":"Ñandú"}`,
	} {
		status, out := w.api("POST", "/sep24/transactions/deposit/interactive", token, kind, body)
		if status != 200 {
			t.Errorf("%s: %d %v", kind, status, out)
			continue
		}
		d, err := w.books.Details(t.Context(), text(out["id"]))
		if err != nil || !cmp.Equal(d.Prefill, map[string]string{"first_name": "Ñandú"}) {
			t.Errorf("%s: %v, %v", kind, d, err)
		}
	}
}

func TestPrefill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *sep24.Config) {
		for _, name := range []string{"address_country_code", "birth_date", "sex"} {
			known, _ := anchor.StandardOf(name)
			c.Terms[0].Deposit.Fields = append(slices.Clip(c.Terms[0].Deposit.Fields), known.Field(false, nil))
		}
	})
	x := w.begin("deposit", newOwner(), map[string]any{
		"address_country_code": "ar", "birth_date": "31/12/1990", "sex": "FEMALE",
		"given_name": "Ana", "family_name": "Old", "last_name": "New", "email_address": "no e-mail", "bank_account_number": "12345678",
		"tax_id": "not asked for", "first_name": "", "organization.name": "x",
	})
	d, err := w.books.Details(t.Context(), x.ID)
	if err != nil || !cmp.Equal(d.Prefill, map[string]string{"first_name": "Ana", "last_name": "New", "bank_account_number": "12345678",
		"address_country_code": "ARG", "sex": "female"}) {
		t.Errorf("%v, %v", d.Prefill, err)
	}
}

func TestStartRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := newOwner()
	contract, _ := strkey.Encode(strkey.VersionByteContract, make([]byte, 32))
	type fields = map[string]any
	for _, c := range []struct {
		name, kind string
		fields     fields
		part       string
	}{
		{"no asset", "deposit", fields{"asset_code": ""}, "asset_code"},
		{"unknown asset", "deposit", fields{"asset_code": "NOPE"}, "NOPE"},
		{"case", "deposit", fields{"asset_code": "usdw"}, "usdw"},
		{"other issuer", "deposit", fields{"asset_issuer": distribution}, "issuer"},
		{"lumens by another code than that of /info", "deposit", fields{"asset_code": "XLM"}, "XLM"},
		{"native with an issuer", "deposit", fields{"asset_code": "native", "asset_issuer": issuer}, "issuer"},
		{"disabled", "withdraw", fields{"asset_code": "native"}, "not offered"},
		{"source asset", "deposit", fields{"source_asset": "iso4217:EUR"}, "source_asset"},
		{"source asset malformed", "deposit", fields{"source_asset": "dollars"}, "source_asset"},
		{"destination asset", "withdraw", fields{"destination_asset": "iso4217:EUR"}, "destination_asset"},
		{"quote", "deposit", fields{"quote_id": "q"}, "uote"},
		{"quote", "withdraw", fields{"quote_id": "q"}, "uote"},
		{"no amount", "deposit", fields{"amount": "ten"}, "amount"},
		{"negative", "deposit", fields{"amount": -10}, "amount"},
		{"exponent", "deposit", fields{"amount": json.Number("1e2")}, "amount"},
		{"huge exponent", "deposit", fields{"amount": json.Number("1e999999999")}, "amount"},
		{"beyond int64", "deposit", fields{"amount": "922337203685.4775808"}, "amount"},
		{"eight decimals", "withdraw", fields{"amount": "10.00000001"}, "amount"},
		{"below", "deposit", fields{"amount": "9.99"}, "amount: The least you can send is 10.00 USD."},
		{"above", "withdraw", fields{"amount": "10000.01"}, "10000.00 USDW"},
		{"too precise", "deposit", fields{"amount": "10.001"}, "decimals"},
		{"contract", "deposit", fields{"account": contract}, "C…"},
		{"contract", "withdraw", fields{"account": contract}, "C…"},
		{"bad account", "deposit", fields{"account": "GABC"}, "G or M"},
		{"our own account", "deposit", fields{"account": distribution}, "own"},
		{"another of ours", "deposit", fields{"account": feeAccount}, "own"},
		{"another asset's issuer", "deposit", fields{"asset_code": "native", "account": issuer}, "own"},
		{"the issuer", "withdraw", fields{"account": issuer}, "own"},
		{"memo without type", "deposit", fields{"memo": "1"}, "memo"},
		{"type without memo", "deposit", fields{"memo_type": "text"}, "memo is required"},
		{"unknown memo type", "deposit", fields{"memo": "x", "memo_type": "return"}, "memo_type"},
		{"bad id", "deposit", fields{"memo": "x", "memo_type": "id"}, "memo"},
		{"long text", "deposit", fields{"memo": strings.Repeat("x", 29), "memo_type": "text"}, "memo"},
		{"bad hash", "deposit", fields{"memo": "abcd", "memo_type": "hash"}, "memo"},
		{"memo and M", "deposit", fields{"memo": "1", "memo_type": "id", "account": muxed(t, who.Account, 1)}, "M…"},
		{"refund memo alone", "withdraw", fields{"refund_memo": "1"}, "refund_memo_type"},
		{"refund type alone", "withdraw", fields{"refund_memo_type": "id"}, "refund_memo is required"},
		{"bad refund memo", "withdraw", fields{"refund_memo": "x", "refund_memo_type": "id"}, "refund_memo"},
		{"withdrawal's old memo", "withdraw", fields{"memo": "x", "memo_type": "id"}, "memo"},
		{"claimable", "deposit", fields{"claimable_balance_supported": "maybe"}, "claimable_balance_supported"},
		{"an object", "deposit", fields{"amount": fields{"x": 1}}, "amount"},
	} {
		if c.fields["asset_code"] == nil {
			c.fields["asset_code"] = "USDW"
		}
		b, _ := json.Marshal(c.fields)
		status, out := w.api("POST", "/sep24/transactions/"+c.kind+"/interactive", w.token(who), "application/json", string(b))
		if text, _ := out["error"].(string); status != 400 || !strings.Contains(text, c.part) {
			t.Errorf("%s: %d %v, expected %q", c.name, status, out, c.part)
		}
	}
	for _, c := range []struct {
		kind, body string
		status     int
	}{
		{"application/json", `{"asset_code":`, 400},
		{"text/plain", "asset_code=USDW", 415},
		{"", "", 400},
		{"application/json", `{"asset_code":"USDW","x":"` + strings.Repeat("x", sep.MaxBody) + `"}`, 413},
	} {
		if status, out := w.api("POST", "/sep24/transactions/deposit/interactive", w.token(who), c.kind, c.body); status != c.status {
			t.Errorf("%.40s: %d %v", c.body, status, out)
		}
	}
	// Nothing was stored half-way.
	if list, err := w.books.History(t.Context(), who, store.History{}); err != nil || len(list) != 0 {
		t.Errorf("%d transactions, %v", len(list), err)
	}
}

// TestBegunInTheirLanguage: the one that the wallet asks for, else the one that the
// customer last chose by hand, in whichever wallet; else the page's browser is asked.
func TestBegunInTheirLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.header = http.Header{"Accept-Language": {"fr"}} // the wallet's server, wherever that is
	for _, c := range []struct{ chosen, wish, want string }{
		{"", "", ""},
		{"", "fr", "fr"},
		{"es", "", "es"},
		{"es", "tlh", "es"},
		{"es", "fr", "fr"},
		{"es", "en", "en"}, // even if it says so of everybody: the wallet is asked first
	} {
		who := newOwner()
		if c.chosen != "" {
			owner := who
			owner.Client = ""
			err := w.books.Update(t.Context(), store.Customer, func(tx *store.Tx) error {
				return tx.SaveCustomer(&anchor.Customer{ID: store.NewID(), Owner: owner, Lang: c.chosen, CreatedAt: time.Now()})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		who.Client = "another.test"
		if x := w.begin("deposit", who, map[string]any{"lang": c.wish}); x.Lang != c.want {
			t.Errorf("who chose %q and comes with %q is spoken to in %q, want %q", c.chosen, c.wish, x.Lang, c.want)
		}
	}
}

// TestErrorsSpeak answers in the language asked for.
func TestErrorsSpeak(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(newOwner())
	ask := func(lang string) string {
		_, out := w.api("POST", "/sep24/transactions/deposit/interactive", token, "application/json", `{"asset_code":"USDW","amount":"1","lang":"`+lang+`"}`)
		text, _ := out["error"].(string)
		return text
	}
	if en, es := ask("en"), ask("es-AR"); en == es || !strings.Contains(es, "10.00") {
		t.Errorf("%q and %q", en, es)
	}
	w.header = http.Header{"Accept-Language": {"fr;q=0.1, es-MX, en;q=0.5"}}
	if given, browser := ask("en"), ask(""); given == browser || browser != ask("es") {
		t.Errorf("the browser's language gives %q", browser)
	}
	for _, wish := range []string{"", "tlh", "en\r\nSet-Cookie: a=b"} {
		if x := w.begin("deposit", newOwner(), map[string]any{"lang": wish}); x.Lang != "" {
			t.Errorf("begun in %s: what a wallet's own request accepts is nobody's choice", x.Lang)
		}
	}
	w.header = nil
	_, en := w.api("GET", "/sep24/transaction?id=x", token, "", "")
	_, es := w.api("GET", "/sep24/transaction?id=x&lang=es", token, "", "")
	if en["error"] == es["error"] {
		t.Errorf("%v and %v", en, es)
	}
}

// TestObject follows a deposit and a withdrawal through their statuses.
func TestObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := newOwner()
	show := func(id, more string) map[string]any {
		t.Helper()
		status, out := w.get("/sep24/transaction?id="+id+more, who)
		x, _ := out["transaction"].(map[string]any)
		if status != 200 || len(out) != 1 || x == nil {
			t.Fatalf("%d %v", status, out)
		}
		for name, v := range x {
			if v == nil || v == "" {
				t.Errorf("%s is %v", name, v)
			}
			if s, ok := v.(string); ok && (strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "_by")) {
				if at, err := time.Parse(time.RFC3339Nano, s); err != nil || !strings.HasSuffix(s, "Z") || at.Location() != time.UTC {
					t.Errorf("%s is %s", name, s)
				}
			}
			if strings.HasPrefix(name, "amount_") {
				if _, ok := v.(string); !ok {
					t.Errorf("%s is %v", name, v)
				}
			}
		}
		return x
	}
	want := func(what string, x map[string]any, fields map[string]any, absent ...string) {
		t.Helper()
		for name, v := range fields {
			if !cmp.Equal(x[name], v) {
				t.Errorf("%s: %s is %v, expected %v", what, name, x[name], v)
			}
		}
		for _, name := range absent {
			if v, has := x[name]; has {
				t.Errorf("%s: %s is %v, expected none", what, name, v)
			}
		}
	}
	amounts := []string{"amount_in", "amount_in_asset", "amount_out", "amount_out_asset", "amount_fee", "amount_fee_asset", "fee_details"}
	priced := map[string]any{"amount_in": "100", "amount_out": "98.5", "amount_fee": "1.5", "amount_fee_asset": "iso4217:USD",
		"amount_in_asset": "iso4217:USD", "amount_out_asset": "stellar:USDW:" + issuer,
		"fee_details": map[string]any{"total": "1.5", "asset": "iso4217:USD", "breakdown": []any{
			map[string]any{"name": language.Text("en", "fee.fixed", nil), "amount": "1"}, map[string]any{"name": language.Text("en", "fee.percent", nil), "amount": "0.5"}}}}

	d := w.begin("deposit", who, map[string]any{"memo": "3", "memo_type": "id"})
	x := show(d.ID, "")
	want("begun", x, map[string]any{"id": d.ID, "kind": "deposit", "status": "incomplete", "to": who.Account, "deposit_memo": "3", "deposit_memo_type": "id", "kyc_verified": false},
		append(amounts, "completed_at", "stellar_transaction_id", "from", "withdraw_memo", "refunds")...)
	for _, name := range []string{"more_info_url", "started_at", "updated_at", "user_action_required_by", "message"} {
		if x[name] == nil {
			t.Errorf("no %s", name)
		}
	}

	w.move(d.ID, entered("100"))
	want("entered", show(d.ID, ""), priced)
	w.move(d.ID, agreed)
	want("agreed", show(d.ID, ""), map[string]any{"status": "pending_user_transfer_start", "kyc_verified": true, "amount_in": "100"})
	if es := show(d.ID, "&lang=es"); es["message"] == show(d.ID, "")["message"] {
		t.Errorf("the message is always %v", es["message"])
	}
	w.move(d.ID, func(tx *store.Tx, x *anchor.Transaction) error {
		arrival, entry, err := x.Receive(terms()[0], anchor.MustAmount("100"), "BANK-1", time.Now(), time.Now())
		if arrival != anchor.Accepted {
			t.Error(arrival)
		}
		if err != nil {
			return err
		}
		return tx.Post(time.Now(), entry)
	})
	want("received", show(d.ID, ""), map[string]any{"status": "pending_anchor", "external_transaction_id": "BANK-1"}, "user_action_required_by", "completed_at")
	w.move(d.ID, func(_ *store.Tx, x *anchor.Transaction) error { return x.PayoutSigned(time.Now()) })
	want("submitted", show(d.ID, ""), map[string]any{"status": "pending_stellar", "status_eta": 10.})
	w.move(d.ID,
		func(_ *store.Tx, x *anchor.Transaction) error {
			return x.PaidOnLedger("hash-1", time.Now(), time.Now())
		})
	x = show(d.ID, "")
	want("completed", x, priced)
	want("completed", x, map[string]any{"status": "completed", "stellar_transaction_id": "hash-1", "external_transaction_id": "BANK-1", "to": who.Account})
	if x["completed_at"] == nil || x["completed_at"] != x["updated_at"] {
		t.Errorf("completed at %v, updated at %v", x["completed_at"], x["updated_at"])
	}

	q := w.begin("withdraw", who, map[string]any{})
	want("begun", show(q.ID, ""), map[string]any{"kind": "withdrawal", "status": "incomplete", "from": who.Account},
		"to", "withdraw_memo", "withdraw_memo_type", "withdraw_anchor_account", "deposit_memo")
	w.move(q.ID, entered("100"), agreed)
	pay := show(q.ID, "")
	want("agreed", pay, map[string]any{"withdraw_anchor_account": distribution, "withdraw_memo_type": "id", "amount_in": "100", "amount_in_asset": "stellar:USDW:" + issuer, "amount_out_asset": "iso4217:USD"})
	memo := pay["withdraw_memo"]
	w.move(q.ID, func(tx *store.Tx, x *anchor.Transaction) error {
		_, entry, err := x.Receive(terms()[0], anchor.MustAmount("105"), "hash-2", time.Now(), time.Now())
		if err != nil {
			return err
		}
		return tx.Post(time.Now(), entry)
	}, func(_ *store.Tx, x *anchor.Transaction) error { return x.BankTold(time.Now()) })
	x = show(q.ID, "")
	want("the bank told", x, map[string]any{"status": "pending_external", "to": "****6789"})
	if eta, _ := x["status_eta"].(float64); eta < 3000 || eta > 3600 {
		t.Errorf("an hour is %v", x["status_eta"])
	}
	w.move(q.ID,
		func(_ *store.Tx, x *anchor.Transaction) error { return x.PaidByBank("BANK-2", time.Now(), time.Now()) })
	want("completed", show(q.ID, ""), map[string]any{"status": "completed", "withdraw_memo": memo, "withdraw_memo_type": "id", "withdraw_anchor_account": distribution,
		"stellar_transaction_id": "hash-2", "external_transaction_id": "BANK-2", "amount_in": "105", "amount_out": "103.47", "from": who.Account, "to": "****6789"}, "status_eta")

	r := w.begin("withdraw", who, map[string]any{})
	w.move(r.ID, entered("100"), agreed, func(tx *store.Tx, x *anchor.Transaction) error {
		_, entry, err := x.Receive(terms()[0], anchor.MustAmount("100"), "hash-3", time.Now(), time.Now())
		if err != nil {
			return err
		}
		return tx.Post(time.Now(), entry)
	})
	back := func(amount, fee string) func(*store.Tx, *anchor.Transaction) error {
		return func(tx *store.Tx, x *anchor.Transaction) error {
			entry, _, err := x.Refund(terms()[0], anchor.MustAmount(amount), anchor.MustAmount(fee))
			if err != nil {
				return err
			}
			return tx.Post(time.Now(), entry)
		}
	}
	arrived := func(id, amount, fee string) func(*store.Tx, *anchor.Transaction) error {
		return func(_ *store.Tx, x *anchor.Transaction) error {
			return x.RefundArrived(anchor.Refund{ID: id, Amount: anchor.MustAmount(amount), Fee: anchor.MustAmount(fee)}, time.Now())
		}
	}
	payment := func(id, kind, amount, fee string) any {
		return map[string]any{"id": id, "id_type": kind, "amount": amount, "fee": fee}
	}
	w.move(r.ID, back("10", "1"))
	want("part goes back", show(r.ID, ""), map[string]any{"status": "pending_anchor", "amount_out": "87.5", "refunds": map[string]any{
		"amount_refunded": "10", "amount_fee": "1", "payments": []any{payment(r.ID, "external", "10", "1")}}})
	w.move(r.ID, arrived("hash-4", "10", "1"), back("89", "0"))
	want("the rest goes back", show(r.ID, ""), map[string]any{"status": "pending_anchor", "amount_out": "0", "amount_fee": "0", "refunds": map[string]any{
		"amount_refunded": "99", "amount_fee": "1", "payments": []any{payment("hash-4", "stellar", "10", "1"), payment(r.ID, "external", "89", "0")}}})
	w.move(r.ID, arrived("hash-5", "89", "0"))
	x = show(r.ID, "")
	want("all went back", x, map[string]any{"status": "refunded", "refunds": map[string]any{
		"amount_refunded": "99", "amount_fee": "1", "payments": []any{payment("hash-4", "stellar", "10", "1"), payment("hash-5", "stellar", "89", "0")}}})
	if x["completed_at"] == nil {
		t.Error("refunded without completed_at")
	}

	c := w.begin("deposit", who, map[string]any{})
	w.move(c.ID, func(_ *store.Tx, x *anchor.Transaction) error { return x.Cancel(time.Now()) })
	x = show(c.ID, "")
	want("cancelled", x, map[string]any{"status": "expired"}, "user_action_required_by")
	if x["message"] != language.Text("en", "message.cancelled", nil) {
		t.Errorf("the message is %v", x["message"])
	}

	// While a person looks at the customer there is nowhere to pay to, and nothing to do.
	v := w.begin("withdraw", who, map[string]any{})
	w.move(v.ID, entered("100"), func(_ *store.Tx, x *anchor.Transaction) error {
		x.Reviewed = false
		return x.Submit(anchor.Instructions{BankSide: "****6789", Deadline: time.Now().Add(time.Hour)}, time.Now())
	})
	want("under review", show(v.ID, ""), map[string]any{"status": "pending_anchor", "kyc_verified": false, "amount_in": "100", "message": language.Text("en", "message.review", nil)},
		"withdraw_anchor_account", "withdraw_memo", "withdraw_memo_type", "user_action_required_by", "status_eta")

	// Cash waits for the customer.
	cash := w.begin("withdraw", who, map[string]any{})
	w.move(cash.ID, entered("100"), agreed, func(tx *store.Tx, x *anchor.Transaction) error {
		_, entry, err := x.Receive(terms()[0], anchor.MustAmount("100"), "hash", time.Now(), time.Now())
		if err != nil {
			return err
		}
		return tx.Post(time.Now(), entry)
	})
	until := time.Now().Add(72 * time.Hour).UTC().Truncate(time.Microsecond)
	w.move(cash.ID, func(_ *store.Tx, x *anchor.Transaction) error { return x.CashReady(until, time.Now()) })
	x = show(cash.ID, "")
	want("cash", x, map[string]any{"status": "pending_user_transfer_complete"}, "completed_at")
	if by, err := time.Parse(time.RFC3339Nano, fmt.Sprint(x["user_action_required_by"])); err != nil || !by.Equal(until) {
		t.Errorf("it is to be collected by %v, expected %s", x["user_action_required_by"], until)
	}
}

// TestFind looks a transaction up by each of its names, and lets nobody see
// another's.
func TestFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := keypair.MustRandom().Address()
	who := anchor.Identity{Account: account, Memo: "1", Client: "one.test"}
	x := w.begin("deposit", who, map[string]any{})
	w.move(x.ID, func(_ *store.Tx, x *anchor.Transaction) error {
		x.StellarID, x.ExternalID = "hash-x", "ext-x"
		return nil
	})
	for _, query := range []string{"id=" + x.ID, "stellar_transaction_id=hash-x", "external_transaction_id=ext-x", "id=" + x.ID + "&stellar_transaction_id=hash-x"} {
		for name, c := range map[string]struct {
			who    anchor.Identity
			status int
		}{
			"owner":                   {who, 200},
			"owner in another wallet": {anchor.Identity{Account: account, Memo: "1", Client: "two.test"}, 200},
			"no memo":                 {anchor.Identity{Account: account}, 404},
			"another memo":            {anchor.Identity{Account: account, Memo: "2"}, 404},
			"muxed":                   {anchor.Identity{Account: account, Muxed: muxed(t, account, 1)}, 404},
			"stranger":                {newOwner(), 404},
		} {
			status, out := w.get("/sep24/transaction?"+query, c.who)
			if status != c.status {
				t.Errorf("%s: %s: %d %v", name, query, status, out)
			}
		}
	}
	for query, status := range map[string]int{
		"": 400, "id=": 400, "lang=es": 400, "id=nonsense": 404, "id=" + store.NewID(): 404, "stellar_transaction_id=x": 404, "external_transaction_id=x": 404,
		"id=" + x.ID + "&stellar_transaction_id=other": 404, "id=" + url.QueryEscape("' OR 1=1 --"): 404,
	} {
		if got, out := w.get("/sep24/transaction?"+query, who); got != status {
			t.Errorf("%s: %d %v", query, got, out)
		}
	}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := newOwner()
	var ids []string
	for _, kind := range []string{"deposit", "withdraw", "deposit"} {
		ids = append(ids, w.begin(kind, who, map[string]any{}).ID)
	}
	w.begin("deposit", newOwner(), map[string]any{})
	w.begin("deposit", anchor.Identity{Account: who.Account, Memo: "1"}, map[string]any{})
	native := w.begin("deposit", who, map[string]any{"asset_code": "native"}).ID
	first, err := w.books.Transaction(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	newest := []string{ids[2], ids[1], ids[0]}
	for query, is := range map[string][]string{
		"asset_code=USDW":                                                                   newest,
		"asset_code=native":                                                                 {native},
		"asset_code=USDW&limit=1":                                                           newest[:1],
		"asset_code=USDW&limit=1000000":                                                     newest,
		"asset_code=USDW&kind=withdrawal":                                                   {ids[1]},
		"asset_code=USDW&kind=deposit":                                                      {ids[2], ids[0]},
		"asset_code=USDW&paging_id=" + ids[2]:                                               {ids[1], ids[0]},
		"asset_code=USDW&paging_id=" + ids[2] + "&limit=1":                                  {ids[1]},
		"asset_code=USDW&paging_id=" + ids[0]:                                               {},
		"asset_code=USDW&no_older_than=2020-01-01":                                          newest,
		"asset_code=USDW&no_older_than=2020-01-01T00:00:00":                                 newest,
		"asset_code=USDW&no_older_than=2020-01-01T00:00:00.5Z":                              newest,
		"asset_code=USDW&no_older_than=2020-01-01T00:00:00+02:00":                           newest,
		"asset_code=USDW&no_older_than=2999-01-01T00:00:00Z":                                {},
		"asset_code=USDW&lang=es&no_older_than=" + first.StartedAt.Format(time.RFC3339Nano): newest,
		"asset_code=USDW&no_older_than=" + first.StartedAt.Add(time.Microsecond).Format(time.RFC3339Nano): newest[:2],
	} {
		status, out := w.get("/sep24/transactions?"+query, who)
		got := []string{}
		list, ok := out["transactions"].([]any)
		for _, x := range list {
			object, _ := x.(map[string]any)
			got = append(got, text(object["id"]))
		}
		if status != 200 || !ok || !slices.Equal(got, is) {
			t.Errorf("%s: %d %v, expected %v", query, status, got, is)
		}
	}
	if _, out := w.get("/sep24/transactions?asset_code=USDW", newOwner()); !cmp.Equal(out, map[string]any{"transactions": []any{}}) {
		t.Errorf("somebody new has %v", out)
	}
	for _, query := range []string{"", "asset_code=NOPE", "asset_code=USDW&limit=0", "asset_code=USDW&limit=-1", "asset_code=USDW&limit=x", "asset_code=USDW&kind=withdraw",
		"asset_code=USDW&paging_id=x", "asset_code=USDW&no_older_than=yesterday"} {
		if status, out := w.get("/sep24/transactions?"+query, who); status != 400 {
			t.Errorf("%s: %d %v", query, status, out)
		}
	}
}

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

func (w *world) audit(id string) []store.TimelineEntry {
	w.Helper()
	steps, err := w.books.Timeline(context.Background(), id)
	if err != nil {
		w.Fatal(err)
	}
	return steps
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
