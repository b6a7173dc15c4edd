package sep24_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/sep"
	"windlass/server/sep24"
	"windlass/server/store"
)

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
