package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// testdata holds exchanges recorded from a real Horizon. Answers must have the
// same keys, types and texts; hashes, addresses, times and numbers differ.

type recording struct {
	Request struct {
		Method  string
		Path    string
		Headers map[string]string
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    any
	}
	// Recordings of streams have these at the top.
	Status int
	Chunks []struct{ Data string }
}

func recorded(t *testing.T, name string) recording {
	t.Helper()
	files, err := filepath.Glob("testdata/" + name + "_*.json")
	if err != nil || len(files) != 1 {
		t.Fatalf("recording %s: %v %v", name, files, err)
	}
	var r recording
	if err := json.Unmarshal(must(os.ReadFile(files[0])), &r); err != nil {
		t.Fatal(err)
	}
	if r.Status != 0 {
		r.Response.Status = r.Status
		if err := json.Unmarshal([]byte(r.Chunks[0].Data), &r.Response.Body); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// conforms compares an answer with a recording, or parts of their bodies.
func (w *world) conforms(name string, got reply) {
	w.Helper()
	want := recorded(w.T, name)
	if got.status != want.Response.Status {
		w.Errorf("%s: status %d, recorded %d\n%s", name, got.status, want.Response.Status, got.text)
	}
	for _, h := range []string{"Content-Type", "Cache-Control", "Vary", "Content-Disposition",
		"Access-Control-Allow-Origin", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Expose-Headers"} {
		if want.Response.Headers != nil && got.header.Get(h) != want.Response.Headers[h] && !strings.HasPrefix(name, "03") {
			w.Errorf("%s: header %s is %q, recorded %q", name, h, got.header.Get(h), want.Response.Headers[h])
		}
	}
	if _, has := want.Response.Headers["Latest-Ledger"]; has != (got.header.Get("Latest-Ledger") != "") {
		w.Errorf("%s: Latest-Ledger %q, recorded: %v", name, got.header.Get("Latest-Ledger"), has)
	}
	var body any
	if got.body != nil {
		body = got.body
	}
	w.alike(name, body, want.Response.Body)
}

func (w *world) alike(name string, got, want any) {
	w.Helper()
	if diff := cmp.Diff(shape("", want), shape("", got)); diff != "" {
		w.Errorf("%s (- recorded, + sandbox):\n%s", name, diff)
	}
}

var masks = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`http://[0-9.]+:[0-9]+`), "HOST"},
	{regexp.MustCompile(`\bG[A-Z2-7]{55}\b`), "ACCOUNT"},
	{regexp.MustCompile(`\bM[A-Z2-7]{68}\b`), "MUXED"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "HASH"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`\d+`), "N"},
}

// shape replaces what may differ.
func shape(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any)
		for k, x := range v {
			out[k] = shape(k, x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = shape(key, x)
		}
		return out
	case string:
		if strings.HasSuffix(key, "_xdr") || key == "signatures" || key == "core_version" || key == "horizon_version" || key == "reason" && strings.Contains(v, "strkey") {
			return "opaque"
		}
		for _, m := range masks {
			v = m.what.ReplaceAllString(v, m.as)
		}
		return v
	case nil:
		return nil
	}
	return fmt.Sprintf("%T", v)
}

func TestRecordedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Passphrase = "Standalone Network ; February 2017" })
	for range 5 { // so that the fees of the first ledgers are forgotten
		w.net.CloseLedger()
	}
	// Requests that need nothing in the ledger, repeated as recorded.
	for _, name := range []string{"004", "005", "006", "008", "009", "011", "012", "014", "015", "017", "018", "019",
		"021", "024", "025", "026", "027", "032", "033", "145", "146", "201", "203"} {
		r := recorded(t, name)
		path := r.Request.Path
		if u := must(url.Parse(path)); u.Host != "" {
			path = "/friendbot?" + u.RawQuery
		}
		var headers []string
		for k, v := range r.Request.Headers {
			headers = append(headers, k, v)
		}
		got := w.do(r.Request.Method, path, nil, headers...)
		if name == "008" {
			delete(as[object](got.at("_links")), "friendbot")
			want := as[object](as[object](r.Response.Body)["_links"])
			delete(want, "friendbot")
			w.alike(name, got.body, r.Response.Body)
			continue
		}
		if name == "201" { // the account of the recording is unknown here
			path = strings.Replace(path, strings.Split(path, "/")[2], must(rootKey(w.net.cfg.Passphrase)).Address(), 1)
			got = w.do(r.Request.Method, path, nil, headers...)
		}
		w.conforms(name, got)
	}

	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	w.conforms("084", w.do("POST", "/transactions", strings.NewReader("tx=AAAAnotxdr"), form...))
	w.conforms("086", w.do("POST", "/transactions", strings.NewReader("foo=bar"), form...))
	w.conforms("142", w.do("POST", "/transactions_async", strings.NewReader("tx=AAAAnotxdr"), form...))
	w.conforms("088", w.do("POST", "/transactions", strings.NewReader(`{"tx":"AAAA"}`), "Content-Type", "application/json"))
	if r := w.get("/friendbot?addr=GBAD"); r.at("extras", "reason") != as[object](as[object](recorded(t, "033").Response.Body)["extras"])["reason"] {
		t.Errorf("friendbot says %s", r.text)
	}
}

func TestRecordedScenario(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, dist, issuer, other := key("user"), key("dist"), key("issuer"), key("other")
	funded := make(chan reply)
	go func() { funded <- w.get("/friendbot?addr=" + user.Address()) }()
	w.settle(1)
	w.net.CloseLedger()
	w.conforms("030", <-funded)
	w.conforms("031", w.get("/friendbot?addr="+user.Address()))
	w.conforms("034", w.get("/accounts/"+user.Address()))

	root := must(rootKey(w.net.cfg.Passphrase))
	w.conforms("036", w.send(w.tx(root, ops(&txnbuild.CreateAccount{Destination: issuer.Address(), Amount: "10000"}))))
	w.fund("1000", dist, other)
	usd, eur := usd(issuer), txnbuild.CreditAsset{Code: "EUR", Issuer: issuer.Address()}
	w.ok(w.send(w.tx(user, ops(trust(eur, ""), trust(usd, "1000000")))))
	w.ok(w.send(w.tx(dist, ops(trust(usd, "")))))
	w.ok(w.send(w.tx(issuer, ops(pay(dist, "5000", usd)))))
	w.conforms("151", w.get("/accounts/"+user.Address()))

	withMemo := func(m txnbuild.Memo, op txnbuild.Operation) string {
		p := params(dist, w.sequence(dist), ops(op))
		p.Memo = m
		return w.build(p, dist)
	}
	hash := [32]byte{1, 2, 3}
	w.conforms("040", w.send(withMemo(txnbuild.MemoText("hello anchor"), pay(user, "10.5", usd))))
	w.ok(w.send(withMemo(txnbuild.MemoText("née ¥ 漢字"), pay(user, "1", usd))))
	w.conforms("042", w.send(withMemo(txnbuild.MemoText("bad\xff\xfe"), pay(user, "1", usd))))
	w.conforms("043", w.send(withMemo(txnbuild.MemoID(18446744073709551615), pay(user, "1", usd))))
	for name, m := range map[string]txnbuild.Memo{"044": txnbuild.MemoHash(hash), "045": txnbuild.MemoReturn(hash)} {
		want, got := recorded(t, name), w.ok(w.send(withMemo(m, pay(user, "1", usd))))
		body := as[object](want.Response.Body)
		body["memo"], got.body["memo"] = "base64", "base64"
		w.alike(name, got.body, body)
	}
	w.conforms("156", w.get("/accounts/"+user.Address()+"/payments?order=asc&limit=3&join=transactions"))

	// Muxed accounts, lumens.
	muxedDist := txnbuild.SimpleAccount{AccountID: muxedAddress(dist, 42), Sequence: w.sequence(dist)}
	p := params(dist, muxedDist.Sequence, ops(pay(user, "0.0000001", usd)))
	p.SourceAccount = &muxedDist
	w.conforms("047", w.send(w.build(p, dist)))
	w.ok(w.send(w.tx(dist, ops(&txnbuild.Payment{Destination: muxedAddress(user, 123456789), Amount: "13", Asset: usd}))))
	w.ok(w.send(w.tx(user, ops(pay(dist, "3.7654321", lumen)))))
	records := as[array](w.get("/accounts/"+user.Address()+"/payments?order=desc&limit=3").at("_embedded", "records"))
	recordedOnes := as[array](as[object](as[object](recorded(t, "161").Response.Body)["_embedded"])["records"])
	w.alike("161, lumens", records[0], recordedOnes[9])
	w.alike("161, to muxed", records[1], recordedOnes[7])
	w.alike("161, from muxed", records[2], recordedOnes[8])
	w.conforms("164", w.get("/accounts/"+user.Address()+"/payments?cursor=9223372036854775807"))
	w.conforms("169", w.get("/accounts/"+user.Address()+"/payments?join=accounts"))

	// Failures.
	w.conforms("051", w.send(w.tx(dist, ops(pay(other, "1", usd)))))
	w.conforms("065", w.send(w.tx(user, ops(pay(dist, "1", usd), pay(dist, "999999", usd)))))
	failed := w.tx(user, ops(pay(dist, "999999", usd)))
	w.send(failed)
	hex := w.hashOf(failed)
	w.conforms("067", w.get("/transactions/"+hex))
	w.conforms("068", w.get("/transactions/"+hex+"/operations"))
	w.conforms("206", w.get("/transactions/"+hex, "Accept", "text/event-stream"))
	w.conforms("075", w.send(w.tx(user, ops(pay(dist, "1", usd)), other)))

	// A fee bump, by both its hashes.
	inner := w.tx(user, ops(pay(dist, "1", usd)))
	bump := w.bump(inner, dist, 200)
	w.conforms("128", w.send(bump))
	w.conforms("313", w.get("/transactions/"+w.hashOf(inner)))
	w.conforms("131", w.send(w.bump(w.tx(user, ops(pay(dist, "999999", usd))), dist, 200)))

	// Asynchronous.
	next := w.tx(dist, ops(pay(user, "1", usd)))
	w.conforms("135", w.async(next))
	w.conforms("136", w.async(next))
	p = params(dist, w.sequence(dist)+1, ops(pay(user, "2", usd)))
	w.conforms("302", w.async(w.build(p, dist)))
	w.conforms("311", w.async(w.bump(next, user, 200)))
	w.net.CloseLedger()
	w.conforms("140", w.async(next))

	// Signers.
	cosigner := key("cosigner")
	w.ok(w.send(w.tx(other, ops(&txnbuild.SetOptions{
		LowThreshold: new(txnbuild.Threshold(1)), MediumThreshold: new(txnbuild.Threshold(2)), HighThreshold: new(txnbuild.Threshold(2)),
		Signer: &txnbuild.Signer{Address: cosigner.Address(), Weight: 1},
	}))))
	want := as[object](recorded(t, "123").Response.Body)
	want["data"] = map[string]any{}
	got := w.get("/accounts/" + other.Address())
	sortSigners(want)
	sortSigners(got.body)
	w.alike("123", got.body, want)
}

func sortSigners(account map[string]any) {
	key := func(signer any) string { return as[string](as[object](signer)["key"]) }
	slices.SortFunc(as[array](account["signers"]), func(a, b any) int { return strings.Compare(key(a), key(b)) })
}

func muxedAddress(k *keypair.Full, id uint64) string {
	m := must(xdr.MuxedAccountFromAccountId(k.Address(), id))
	return m.Address()
}

// settle waits until so many transactions are pending.
func (w *world) settle(pending int) {
	w.until(nil, func() bool {
		w.net.queueMu.Lock()
		defer w.net.queueMu.Unlock()
		return len(w.net.queue.pending) >= pending
	})
}

func (w *world) hashOf(envelope string) string {
	t := must(decodeBase64(envelope, w.net.cfg.Passphrase))
	return fmt.Sprintf("%x", t.hash)
}
