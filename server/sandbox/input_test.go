package sandbox

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// A refusal is what a bad request gets: status, kind of problem, the field and
// the reason. Without a kind there is no body.
type refusal struct {
	status              int
	kind, field, reason string
}

func (w *world) refused(got reply, want refusal) {
	w.Helper()
	kind, _ := got.at("type").(string)
	field, _ := got.at("extras", "invalid_field").(string)
	reason, _ := got.at("extras", "reason").(string)
	have := refusal{got.status, strings.TrimPrefix(kind, problemBase), field, reason}
	if have != want {
		w.Errorf("got  %+v\nwant %+v", have, want)
	}
	if want.kind == "" {
		if got.text != "" {
			w.Errorf("it said %q", got.text)
		}
		return
	}
	if ct := got.header.Get("Content-Type"); ct != "application/problem+json; charset=utf-8" {
		w.Errorf("content type %q", ct)
	}
	if got.at("status") != float64(got.status) || got.at("title") == nil {
		w.Errorf("no problem document: %s", got.text)
	}
}

// bad is the refusal of one field.
func bad(field, reason string) refusal { return refusal{400, "bad_request", field, reason} }

var (
	absent     = refusal{status: 404, kind: "not_found"}
	gone       = refusal{status: 410, kind: "before_history"}
	notAllowed = refusal{status: 405}
	unsuitable = refusal{status: 406, kind: "not_acceptable"}

	badAddress = bad("account_id", "Account ID must start with `G` and contain 56 alphanum characters")
	badLedger  = bad("ledger_id", "Ledger ID must be an integer higher than 0")
	badHash    = bad("tx_id", "Transaction hash must be a hex-encoded, lowercase SHA-256 hash")
	badCursor  = bad("cursor", "cursor: invalid value")
)

func TestBadPaths(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := must(rootKey(w.net.cfg.Passphrase)).Address()
	contract := must(strkey.Encode(strkey.VersionByteContract, make([]byte, 32)))
	hash := strings.Repeat("ab", 32)
	for _, root := range []string{"", "/", "//"} {
		if r := w.ok(w.get(root)); r.at("horizon_version") == nil {
			t.Errorf("%q: %s", root, r.text)
		}
	}
	for path, want := range map[string]refusal{
		"/no_such_thing":                          absent,
		"/no_such_thing/":                         absent,
		"/x//":                                    absent,
		"//ledgers":                               absent,
		"/ledgers//":                              absent,
		"/ledgers/../ledgers":                     absent,
		"/accounts/%2e%2e/ledgers":                absent,
		"/accounts//payments":                     absent,
		"/Ledgers":                                absent,
		"/accounts/" + g + "/nothing":             absent,
		"/accounts/GBAD":                          badAddress,
		"/accounts/" + g[:55]:                     badAddress,
		"/accounts/" + g + "A":                    badAddress,
		"/accounts/" + strings.ToLower(g):         badAddress,
		"/accounts/" + g[:54] + "AA":              badAddress,
		"/accounts/" + muxedAddress(key("a"), 1):  badAddress,
		"/accounts/" + contract:                   badAddress,
		"/accounts/" + contract + "/payments":     badAddress,
		"/accounts/" + g + "%00":                  badAddress,
		"/accounts/%ff%fe":                        badAddress,
		"/accounts/a%2Fb":                         badAddress,
		"/accounts/" + strings.Repeat("G", 9000):  badAddress,
		"/accounts/" + key("nobody").Address():    absent,
		"/ledgers/0":                              gone,
		"/ledgers/-1":                             badLedger,
		"/ledgers/abc":                            badLedger,
		"/ledgers/abc/transactions":               badLedger,
		"/ledgers/2147483647":                     absent,
		"/ledgers/2147483648":                     gone,
		"/ledgers/4294967295":                     gone,
		"/ledgers/4294967296":                     badLedger,
		"/ledgers/999999999/payments":             absent,
		"/transactions/xyz":                       badHash,
		"/transactions/" + strings.ToUpper(hash):  badHash,
		"/transactions/" + hash + "ab/operations": badHash,
		"/transactions/" + hash:                   absent,
		"/transactions/" + hash + "/payments":     absent,
		"/operations/abc":                         bad("id", `schema: error converting value for "id"`),
		"/operations/18446744073709551616":        bad("id", `schema: error converting value for "id"`),
		"/operations/0":                           gone,
		"/operations/18446744073709551615":        gone,
		"/operations/9223372036854775807":         absent,
		"/operations/8589938689?join=accounts":    bad("join", "Accepted values: transactions"),
	} {
		t.Run(path[:min(len(path), 60)], func(t *testing.T) {
			w := &world{t, w.net, w.url}
			w.refused(w.get(path), want)
		})
	}
}

func TestBadParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := must(rootKey(w.net.cfg.Passphrase)).Address()
	tooLarge := bad("limit", "invalid limit: value provided that is over limit max of 200")
	notPositive := bad("limit", "invalid limit: non-positive value provided")
	notBool := bad("include_failed", "Filter should be true or false")
	for path, want := range map[string]refusal{
		"/ledgers?limit=0":                                  notPositive,
		"/ledgers?limit=-9223372036854775808":               notPositive,
		"/ledgers?limit=201":                                tooLarge,
		"/ledgers?limit=9223372036854775807":                tooLarge,
		"/ledgers?limit=9223372036854775808":                bad("limit", "unparseable value"),
		"/ledgers?limit=1e2":                                bad("limit", "unparseable value"),
		"/ledgers?limit=0x10":                               bad("limit", "unparseable value"),
		"/ledgers?limit=%ff":                                bad("limit", "invalid value"),
		"/ledgers?limit=500&limit=1":                        tooLarge, // the first counts
		"/ledgers?order=sideways":                           bad("order", "order: invalid value"),
		"/ledgers?order=DESC":                               bad("order", "order: invalid value"),
		"/ledgers?cursor=-5":                                bad("cursor", "the cursor -5 is a negative number: "),
		"/ledgers?cursor=9223372036854775808":               badCursor,
		"/ledgers?cursor=notanumber":                        badCursor,
		"/ledgers?cursor=1-x":                               badCursor,
		"/ledgers?cursor=1--1":                              badCursor,
		"/ledgers?cursor=-":                                 badCursor,
		"/ledgers?cursor=NOW":                               badCursor,
		"/ledgers?cursor=%c3%28":                            bad("cursor", "invalid value"),
		"/ledgers?cursor=1-2":                               {status: 400, kind: "bad_request"}, // only effects have two numbers
		"/ledgers?order=desc&cursor=0":                      gone,
		"/transactions?order=desc&cursor=4294967296":        gone,
		"/transactions?include_failed=maybe":                notBool,
		"/transactions?include_failed=true&include_failed=": {status: 200},
		"/payments?include_failed=2":                        notBool,
		"/payments?join=accounts":                           bad("join", "Accepted values: transactions"),
		"/payments?join=transactions&join=x":                bad("join", "Accepted values: transactions"), // the last counts
		"/accounts/GBAD/payments?limit=x":                   bad("limit", "unparseable value"),
		"/accounts/GBAD/payments?join=x":                    bad("join", "Accepted values: transactions"),
		"/accounts/GBAD/payments?cursor=x":                  badCursor,
		"/accounts/" + g + "/payments?cursor=x&limit=x":     bad("limit", "unparseable value"),
		// Taken as they are.
		"/ledgers?limit=1&limit=500":                     {status: 200},
		"/ledgers?limit=%2B5&order=":                     {status: 200},
		"/ledgers?cursor=&limit=&join=accounts":          {status: 200},
		"/ledgers?cursor=9223372036854775807":            {status: 200},
		"/ledgers?order=desc&cursor=9223372036854775807": {status: 200},
		"/ledgers?limit=1;cursor=x&unknown=%zz":          {status: 200}, // unreadable parts are skipped
		"/transactions?join=accounts":                    {status: 200},
		"/payments?join=x&join=transactions":             {status: 200},
		"/payments?include_failed=on":                    {status: 200},
		"/accounts/" + g + "/payments/?limit=1":          {status: 200},
	} {
		t.Run(path, func(t *testing.T) {
			w := &world{t, w.net, w.url}
			got := w.get(path)
			if want.status == 200 {
				w.ok(got)
				return
			}
			w.refused(got, want)
			// A stream is refused in the same words.
			w.refused(w.get(path, "Accept", asStream), want)
		})
	}
	// The id of the last event goes before the cursor, for pages too.
	if r := w.ok(w.get("/ledgers?cursor=now", "Last-Event-ID", "0")); len(as[array](r.at("_embedded", "records"))) == 0 {
		t.Errorf("after event 0 came %s", r.text)
	}
	for id, want := range map[string]refusal{
		"now": badCursor, "abc": badCursor, "-1": bad("cursor", "the cursor -1 is a negative number: "),
	} {
		w.refused(w.get("/ledgers", "Last-Event-ID", id), want)
		w.refused(w.get("/ledgers", "Last-Event-ID", id, "Accept", asStream), want)
	}
	// Links keep what was asked, with and without a slash at the end.
	for _, path := range []string{"/ledgers", "/ledgers/"} {
		self := as[string](w.get(path+"?x=a%26b&limit=1").at("_links", "self", "href"))
		if want := w.url + path + "?cursor=&limit=1&order=asc&x=a%26b"; self != want {
			t.Errorf("self is %s, want %s", self, want)
		}
	}
}

func TestBadMethodsAndAccepts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := must(rootKey(w.net.cfg.Passphrase)).Address()
	for _, c := range []struct {
		method, path, accept string
		want                 refusal
	}{
		{"HEAD", "/", "", notAllowed},
		{"DELETE", "/ledgers", "", notAllowed},
		{"POST", "/ledgers/", "", notAllowed},
		{"OPTIONS", "/ledgers", "", notAllowed},
		{"PUT", "/transactions", "", notAllowed},
		{"GET", "/transactions_async", "", notAllowed},
		{"POST", "/health", "", notAllowed},
		{"PROPFIND", "/ledgers", "", notAllowed},
		{"PROPFIND", "/no_such_thing", "", notAllowed},
		{"POST", "/no_such_thing", "", absent},
		{"DELETE", "/no_such_thing", "", absent},
		{"OPTIONS", "/no_such_thing", "", absent},
		{"GET", "/", "text/html", unsuitable},
		{"GET", "/", "application/octet-stream", unsuitable},
		{"GET", "/", "Application/JSON", unsuitable},
		{"GET", "/", ",;;q=,/", unsuitable},
		{"GET", "/", strings.Repeat("a/b,", 5000), unsuitable},
		{"GET", "/", asStream, unsuitable},
		{"GET", "/", "application/json;q=0.5, " + asStream, unsuitable}, // the first choice counts
		{"GET", "/transactions/" + strings.Repeat("ab", 32), asStream, unsuitable},
		{"POST", "/transactions", asStream, unsuitable},
		{"POST", "/transactions", "text/html", unsuitable},
		{"GET", "/", asStream + ";q=0.1, */*", refusal{status: 200}},
		{"GET", "/ledgers", "text/html, application/xhtml+xml, */*;q=0.8", refusal{status: 200}},
		{"GET", "/ledgers", "*", refusal{status: 200}},
		{"GET", "/accounts/" + g, "*/*, application/json", refusal{status: 200}},
		{"GET", "/health", "text/html", refusal{status: 200}},
	} {
		t.Run(fmt.Sprint(c.method, c.path, c.accept[:min(len(c.accept), 40)]), func(t *testing.T) {
			w := &world{t, w.net, w.url}
			got := w.do(c.method, c.path, nil, "Accept", c.accept)
			if c.want.status != 200 {
				if c.method == "HEAD" {
					got.text = ""
				}
				w.refused(got, c.want)
			} else if got.status != 200 || got.header.Get("Content-Type") == "text/event-stream; charset=utf-8" {
				t.Errorf("%d %s", got.status, got.text)
			}
		})
	}
	// A browser's own request shows friendbot's answer.
	w.refused(w.get("/friendbot", "Accept", "text/html"), bad("addr", "strkey is 0 bytes long; minimum valid length is 5"))
	// How old the state is is told with a refusal too.
	if r := w.get("/accounts/"+g, "Accept", "text/html"); r.status != 406 || r.header.Get("Latest-Ledger") == "" {
		t.Errorf("%d, latest ledger %q", r.status, r.header.Get("Latest-Ledger"))
	}
	// Other sites' pages may use simple methods only.
	for method, want := range map[string]string{"POST": "https://example.com", "DELETE": ""} {
		r := w.do("OPTIONS", "/transactions", nil, "Origin", "https://example.com", "Access-Control-Request-Method", method)
		if r.status != 204 || r.header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("preflight of %s: %d %v", method, r.status, r.header)
		}
		r = w.do(method, "/transactions", nil, "Origin", "https://example.com")
		if r.header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("%s from another site: %v", method, r.header)
		}
	}
}

// What is no transaction is refused before the network hears of it.
func TestBadEnvelopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := key("a"), key("b")
	w.fund("100", a, b)
	good := w.tx(a, ops(pay(b, "1", lumen)))
	raw := must(base64.StdEncoding.DecodeString(good))
	changed := func(change func([]byte) []byte) string {
		return base64.StdEncoding.EncodeToString(change([]byte(string(raw))))
	}
	many := func(n int) string {
		env := must(txnbuild.NewTransaction(params(a, 1, ops(pay(b, "1", lumen))))).ToXDR()
		for len(env.V1.Tx.Operations) < n {
			env.V1.Tx.Operations = append(env.V1.Tx.Operations, env.V1.Tx.Operations[0])
		}
		env.V1.Tx.Operations = env.V1.Tx.Operations[:n]
		return must(xdr.MarshalBase64(env))
	}
	signatures := func(n int) string {
		var env xdr.TransactionEnvelope
		if err := xdr.SafeUnmarshalBase64(good, &env); err != nil {
			t.Fatal(err)
		}
		for len(env.V1.Signatures) < n {
			env.V1.Signatures = append(env.V1.Signatures, env.V1.Signatures[0])
		}
		return must(xdr.MarshalBase64(env))
	}
	for name, text := range map[string]string{
		"nothing":              "",
		"no base64":            "%%%%",
		"no XDR":               "AAAAnotxdr",
		"base64 for URLs":      strings.NewReplacer("+", "-", "/", "_").Replace(good[:len(good)-4]) + "-_-_",
		"a byte too many":      changed(func(b []byte) []byte { return append(b, 0) }),
		"four bytes too many":  changed(func(b []byte) []byte { return append(b, 0, 0, 0, 0) }),
		"cut short":            changed(func(b []byte) []byte { return b[:len(b)-4] }),
		"the envelope of none": changed(func(b []byte) []byte { b[3] = 7; return b }),
		"a huge array":         changed(func(b []byte) []byte { copy(b[len(b)-4-72:], "\xff\xff\xff\xff"); return b }),
		"101 operations":       many(101),
		"21 signatures":        signatures(21),
		"a memo of 29 bytes":   longMemo(good),
		"deeply nested":        nested(),
		"a result":             must(xdr.MarshalBase64(xdr.TransactionResult{Result: xdr.TransactionResultResult{Code: xdr.TransactionResultCodeTxBadSeq}})),
		"too large":            strings.Repeat("A", 2*maxBody),
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t, w.net, w.url}
			for path, async := range map[string]bool{"/transactions": false, "/transactions_async": true} {
				got := w.post(path, url.Values{"tx": {text}})
				w.refused(got, refusal{status: 400, kind: "transaction_malformed"})
				echo := text
				if len(text) > maxBody {
					echo = "" // it was not even read
				}
				if got.at("extras", "envelope_xdr") != echo || (got.at("extras", "error") != nil) != async {
					t.Errorf("extras: %.200s", got.text)
				}
			}
		})
	}
	// Well-formed ones reach the network: these go through all its checks.
	for envelope, want := range map[string]string{
		many(100): "tx_insufficient_fee", many(0): "tx_missing_operation", signatures(20): "tx_bad_auth_extra",
	} {
		if got := w.post("/transactions", url.Values{"tx": {envelope}}).code(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	// Line ends do no harm. The first parameter counts, the body before the query.
	form := url.Values{"tx": {good[:40] + "\r\n" + good[40:] + "\n", "x"}}.Encode()
	if r := w.do("POST", "/transactions_async?tx=AAAA", strings.NewReader(form), "Content-Type", "application/x-www-form-urlencoded; charset=utf-8"); r.status != 201 {
		t.Errorf("%d %s", r.status, r.text)
	}
	w.refused(w.post("/transactions", url.Values{"tx": {"\xff\xfe"}}), bad("tx", "invalid value"))
	for _, kind := range []string{"application/json", "text/plain", "application/octet-stream", "x", "application/", ";"} {
		got := w.do("POST", "/transactions", strings.NewReader(`{"tx":"AAAA"}`), "Content-Type", kind)
		w.refused(got, refusal{status: http.StatusUnsupportedMediaType, kind: "unsupported_media_type"})
	}
	multipart := "--x\r\nContent-Disposition: form-data; name=\"tx\"\r\n\r\n" + good + "\r\n--x--\r\n"
	if r := w.do("POST", "/transactions_async", strings.NewReader(multipart), "Content-Type", "multipart/form-data; boundary=x"); r.at("hash") != w.hashOf(good) {
		t.Errorf("as a multipart form: %d %s", r.status, r.text)
	}
	for _, kind := range []string{"multipart/form-data", "multipart/form-data; boundary=y"} {
		w.refused(w.do("POST", "/transactions", strings.NewReader(multipart), "Content-Type", kind), refusal{status: 400, kind: "transaction_malformed"})
	}
}

// longMemo puts a text one byte too long into an envelope.
func longMemo(envelope string) string {
	var env xdr.TransactionEnvelope
	if err := xdr.SafeUnmarshalBase64(envelope, &env); err != nil {
		panic(err)
	}
	env.V1.Tx.Memo = xdr.MemoText(strings.Repeat("m", 28))
	raw := must(env.MarshalBinary())
	text := strings.Repeat("m", 28)
	at := strings.Index(string(raw), text)
	raw[at-1] = 29
	out := string(raw[:at]) + text + "m\x00\x00\x00" + string(raw[at+28:])
	return base64.StdEncoding.EncodeToString([]byte(out))
}

// nested is a claimable balance whose claimant may claim if not not not … it
// is before a time.
func nested() string {
	p := txnbuild.UnconditionalPredicate
	for range 10_000 {
		p = txnbuild.NotPredicate(p)
	}
	env := must(txnbuild.NewTransaction(params(key("a"), 1, ops(pay(key("b"), "1", lumen))))).ToXDR()
	env.V1.Tx.Operations[0].Body = xdr.OperationBody{
		Type: xdr.OperationTypeCreateClaimableBalance,
		CreateClaimableBalanceOp: &xdr.CreateClaimableBalanceOp{
			Asset: xdr.MustNewNativeAsset(), Amount: 1,
			Claimants: []xdr.Claimant{{V0: &xdr.ClaimantV0{Destination: xdr.MustAddress(key("b").Address()), Predicate: p}}},
		},
	}
	return must(xdr.MarshalBase64(env))
}
