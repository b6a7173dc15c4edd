package sep10_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/sandbox"
	"windlass/server/sep"
	"windlass/server/sep10"
)

// forge makes a challenge of its own, by default a good one.
func (w *world) forge(kp *keypair.Full, change func(*txnbuild.TransactionParams), signers ...*keypair.Full) string {
	w.Helper()
	nonce := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 48))
	p := txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: w.signing.Address(), Sequence: 0},
		Operations: []txnbuild.Operation{
			&txnbuild.ManageData{SourceAccount: kp.Address(), Name: home + " auth", Value: []byte(nonce)},
			&txnbuild.ManageData{SourceAccount: w.signing.Address(), Name: "web_auth_domain", Value: []byte(webAuth)},
		},
		BaseFee: txnbuild.MinBaseFee, Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewTimebounds(time.Now().Unix(), time.Now().Unix()+900)},
	}
	change(&p)
	tx, err := txnbuild.NewTransaction(p)
	if err == nil {
		tx, err = tx.Sign(passphrase, append(signers, kp)...)
	}
	if err != nil {
		w.Fatal(err)
	}
	text, _ := tx.Base64()
	return text
}

// TestHostile refuses whatever is not a challenge of ours.
func TestHostile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kp, other := keypair.MustRandom(), keypair.MustRandom()
	type params = txnbuild.TransactionParams
	data := func(p *params, i int) *txnbuild.ManageData {
		op, ok := p.Operations[i].(*txnbuild.ManageData)
		if !ok {
			t.Fatalf("operation %d is a %T", i, p.Operations[i])
		}
		return op
	}
	// Signed with our key, as if another program used it too.
	for name, c := range map[string]struct {
		change func(*params)
		part   string
	}{
		"good": {func(*params) {}, ""},
		"more of the server's": {func(p *params) {
			p.Operations = append(p.Operations, &txnbuild.ManageData{SourceAccount: w.signing.Address(), Name: "x", Value: []byte("y")})
		}, ""},
		"expired": {func(p *params) { p.Preconditions.TimeBounds = txnbuild.NewTimebounds(1, time.Now().Unix()-1) }, "expired"},
		"not yet": {func(p *params) {
			p.Preconditions.TimeBounds = txnbuild.NewTimebounds(time.Now().Unix()+600, time.Now().Unix()+900)
		}, "not valid yet"},
		"from the future, and expired": {func(p *params) {
			p.Preconditions.TimeBounds = txnbuild.NewTimebounds(time.Now().Unix()+600, 1<<62)
		}, "not valid yet"},
		"for years": {func(p *params) {
			p.Preconditions.TimeBounds = txnbuild.NewTimebounds(time.Now().Unix(), 1<<62)
		}, "lives longer"},
		"endless": {func(p *params) { p.Preconditions.TimeBounds = txnbuild.NewInfiniteTimeout() }, "time bounds"},
		"sequence": {func(p *params) {
			p.SourceAccount = &txnbuild.SimpleAccount{AccountID: w.signing.Address(), Sequence: 1}
		}, "sequence"},
		"source": {func(p *params) { p.SourceAccount = &txnbuild.SimpleAccount{AccountID: other.Address(), Sequence: 0} }, "source account"},
		"muxed source": {func(p *params) {
			p.SourceAccount = &txnbuild.SimpleAccount{AccountID: muxedOf(t, w.signing, 1), Sequence: 0}
		}, "source account"},
		"home domain":                  {func(p *params) { data(p, 0).Name = "evil.test auth" }, "home domain"},
		"no auth":                      {func(p *params) { data(p, 0).Name = home }, "home domain"},
		"web auth domain":              {func(p *params) { data(p, 1).Value = []byte("evil.test") }, "web_auth_domain"},
		"no web auth domain":           {func(p *params) { p.Operations = p.Operations[:1] }, "web_auth_domain"},
		"web auth of a client":         {func(p *params) { data(p, 1).SourceAccount = kp.Address() }, "source account"},
		"short nonce":                  {func(p *params) { data(p, 0).Value = []byte("short") }, "nonce"},
		"nonce not in base64":          {func(p *params) { data(p, 0).Value = bytes.Repeat([]byte{'*'}, 64) }, "nonce"},
		"nonce with line ends":         {func(p *params) { data(p, 0).Value = []byte("\n" + strings.Repeat("A", 62) + "\n") }, "nonce"},
		"no operation of the client's": {func(p *params) { p.Operations = p.Operations[1:] }, "home domain"},
		"two client domains": {func(p *params) {
			op := &txnbuild.ManageData{SourceAccount: other.Address(), Name: "client_domain", Value: []byte("w.test")}
			p.Operations = append(p.Operations, op, op)
		}, "two client domains"},
		"no nonce":  {func(p *params) { data(p, 0).Value = nil }, "nonce"},
		"no source": {func(p *params) { data(p, 0).SourceAccount = "" }, "source account"},
		"a payment": {func(p *params) {
			p.Operations = append(p.Operations, &txnbuild.Payment{SourceAccount: w.signing.Address(), Destination: other.Address(), Amount: "1", Asset: txnbuild.NativeAsset{}})
		}, "manage_data"},
		"a payment first": {func(p *params) {
			p.Operations[0] = &txnbuild.Payment{SourceAccount: kp.Address(), Destination: other.Address(), Amount: "1", Asset: txnbuild.NativeAsset{}}
		}, "manage_data"},
		"text memo":  {func(p *params) { p.Memo = txnbuild.MemoText("hello") }, "memo"},
		"memo and M": {func(p *params) { p.Memo = txnbuild.MemoID(1); data(p, 0).SourceAccount = muxedOf(t, kp, 1) }, "memo"},
		"another's":  {func(p *params) { data(p, 0).SourceAccount = other.Address() }, "signer"},
		"client domain": {func(p *params) {
			p.Operations = append(p.Operations, &txnbuild.ManageData{SourceAccount: other.Address(), Name: "client_domain", Value: []byte("w.test")})
		}, "2 signatures"},
	} {
		a := w.post(w.forge(kp, c.change, w.signing))
		if c.part == "" {
			w.in(a, kp.Address())
		} else {
			w.out(name, a, c.part)
		}
	}

	good := w.challenge("account=" + kp.Address())
	signed := sign(t, good, kp)
	raw, _ := base64.StdEncoding.DecodeString(signed)
	raw[60] ^= 1
	bump, err := txnbuild.NewFeeBumpTransaction(txnbuild.FeeBumpTransactionParams{Inner: parse(t, w.forge(kp, func(p *params) {
		p.SourceAccount = &txnbuild.SimpleAccount{AccountID: w.signing.Address(), Sequence: 1}
	}, w.signing)), FeeAccount: kp.Address(), BaseFee: 200})
	if err != nil {
		t.Fatal(err)
	}
	bumped, _ := bump.Base64()
	bare, _ := parse(t, good).ClearSignatures()
	text, _ := bare.Base64()
	for name, c := range map[string]struct{ text, part string }{
		"not signed by us":     {w.forge(kp, func(*params) {}), "not signed by the server"},
		"signed by another":    {w.forge(kp, func(*params) {}, other), "not signed by the server"},
		"server's removed":     {sign(t, text, kp), "not signed by the server"},
		"other network":        {signFor(t, good, network.PublicNetworkPassphrase, kp), "signature"},
		"all on other network": {signFor(t, text, network.PublicNetworkPassphrase, w.signing, kp), "not signed by the server"},
		"tampered":             {base64.StdEncoding.EncodeToString(raw), "not"},
		"fee bump":             {bumped, "fee bump"},
		"no base64":            {"***", "XDR"},
		"no XDR":               {"AAAA", "XDR"},
		"more behind":          {signed + "AAAA", "XDR"},
		"cut":                  {signed[:100], "XDR"},
		"long":                 {strings.Repeat("A", 20_000), "larger"},
		"empty":                {"", "required"},
	} {
		w.out(name, w.post(c.text), c.part)
	}
	w.out("an object", w.post(map[string]any{"not a transaction string": true}), "transaction")
	w.out("a number", w.post(12), "XDR")
	w.out("null", w.post(nil), "required")
	w.out("no body", w.postAs("application/json", ""), "required")
	w.out("bad JSON", w.postAs("application/json", "{"), "JSON")
	w.out("bad type", w.postAs("text/plain", signed), "content type")
	w.out("twice", w.postAs("application/x-www-form-urlencoded", url.Values{"transaction": {signed, signed}}.Encode()), "twice")
	w.out("a parameter twice", w.get("account="+keypair.MustRandom().Address()+"&account=x"), "twice")
	if a := w.postAs("application/json", `{"transaction":"`+strings.Repeat("A", sep.MaxBody)+`"}`); a.status != 400 {
		t.Errorf("oversize: %d", a.status)
	}
	// After all of that the challenge is still good.
	w.in(w.post(signed), kp.Address())
}

// TestTampered changes every byte of a signed challenge: source, sequence, bounds,
// memo, operations, hints and signatures.
func TestTampered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kp := keypair.MustRandom()
	signed := sign(t, w.challenge("account="+kp.Address()+"&memo=1"), kp)
	raw, err := base64.StdEncoding.DecodeString(signed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for _, bit := range []byte{1, 0x80} {
			raw[i] ^= bit
			w.out("byte "+strconv.Itoa(i), w.post(base64.StdEncoding.EncodeToString(raw)), "")
			raw[i] ^= bit
		}
	}
	w.in(w.post(signed), kp.Address()+":1")
}

// TestBombs: what is deep or long is refused before it is built.
func TestBombs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	predicate := xdr.ClaimPredicate{Type: xdr.ClaimPredicateTypeClaimPredicateUnconditional}
	for range 1000 {
		inner := predicate
		not := &inner
		predicate = xdr.ClaimPredicate{Type: xdr.ClaimPredicateTypeClaimPredicateNot, NotPredicate: &not}
	}
	value := xdr.ScVal{Type: xdr.ScValTypeScvVoid}
	for range 400 {
		vec := &xdr.ScVec{value}
		value = xdr.ScVal{Type: xdr.ScValTypeScvVec, Vec: &vec}
	}
	claimants := []xdr.Claimant{{V0: &xdr.ClaimantV0{Destination: xdr.MustAddress(w.signing.Address()), Predicate: predicate}}}
	contract := xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &xdr.ContractId{}}
	for name, body := range map[string]xdr.OperationBody{
		"a deep predicate": {Type: xdr.OperationTypeCreateClaimableBalance, CreateClaimableBalanceOp: &xdr.CreateClaimableBalanceOp{
			Asset: xdr.MustNewNativeAsset(), Amount: 1, Claimants: claimants}},
		"a deep value": {Type: xdr.OperationTypeInvokeHostFunction, InvokeHostFunctionOp: &xdr.InvokeHostFunctionOp{
			HostFunction: xdr.HostFunction{Type: xdr.HostFunctionTypeHostFunctionTypeInvokeContract,
				InvokeContract: &xdr.InvokeContractArgs{ContractAddress: contract, FunctionName: "f", Args: []xdr.ScVal{value}}}}},
	} {
		text, err := xdr.MarshalBase64(xdr.TransactionEnvelope{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: &xdr.TransactionV1Envelope{Tx: xdr.Transaction{
			SourceAccount: xdr.MustMuxedAddress(w.signing.Address()), Operations: []xdr.Operation{{Body: body}},
			Cond: xdr.Preconditions{Type: xdr.PreconditionTypePrecondTime, TimeBounds: &xdr.TimeBounds{MaxTime: xdr.TimePoint(time.Now().Unix() + 100)}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 16<<10 {
			t.Fatalf("%s has %d bytes, and is refused by its size", name, len(text))
		}
		w.out(name, w.post(text), "XDR")
	}
	// A length that promises four thousand million operations.
	raw, _ := base64.StdEncoding.DecodeString(w.challenge("account=" + keypair.MustRandom().Address()))
	for i := 0; i+4 <= len(raw); i += 4 {
		bomb := bytes.Clone(raw)
		copy(bomb[i:], []byte{0xff, 0xff, 0xff, 0xff})
		w.out("a length at "+strconv.Itoa(i), w.post(base64.StdEncoding.EncodeToString(bomb)), "")
	}
	w.out("a hundred operations", w.post(w.forge(keypair.MustRandom(), func(p *txnbuild.TransactionParams) {
		for len(p.Operations) < 100 {
			p.Operations = append(p.Operations, &txnbuild.ManageData{SourceAccount: w.signing.Address(), Name: strings.Repeat("x", 64), Value: bytes.Repeat([]byte{1}, 64)})
		}
	}, w.signing)), "larger")
}

// TestAnotherServers challenge is none of ours, whatever it says.
func TestAnotherServers(t *testing.T) {
	t.Parallel()
	w, kp := newWorld(t), keypair.MustRandom()
	other := w.with(func(c *sep10.Config) { c.Signing = keypair.MustRandom() })
	w.out("another key's", w.post(sign(t, other.challenge("account="+kp.Address()), kp)), "source account")
	domain := w.with(func(c *sep10.Config) { c.WebAuthDomain = "elsewhere.test" })
	w.out("another domain's", w.post(sign(t, domain.challenge("account="+kp.Address()), kp)), "web_auth_domain")
	network := w.with(func(c *sep10.Config) { c.NetworkPassphrase = "another network" })
	a := network.get("account=" + kp.Address())
	text, _ := a.body["transaction"].(string)
	w.out("another network's", w.post(sign(t, text, kp)), "for this network")
	homes := w.with(func(c *sep10.Config) { c.HomeDomains = []string{"other.test"} })
	w.out("another home domain's", w.post(sign(t, homes.challenge("account="+kp.Address()), kp)), "home domain")
}

// TestHeaders: nothing that a wallet sends gets into a header of ours.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *sep10.Config) { c.Clients.Toml = publishes(nil) })
	g := "account=" + keypair.MustRandom().Address()
	const evil = "x%0d%0aX-Evil:1"
	for _, query := range []string{g + "&home_domain=" + evil, g + "&client_domain=" + evil, g + "&memo=" + evil, "account=" + evil, g + "&" + evil + "=1&" + evil + "=2"} {
		a := w.get(query)
		w.out(query, a, "")
		for name, values := range a.header {
			if strings.Contains(name+strings.Join(values, ""), "Evil") {
				t.Errorf("%s: %v", query, a.header)
			}
		}
	}
}

// FuzzToken: no transaction does harm, or signs anybody in.
func FuzzToken(f *testing.F) {
	f.Add("AAAAAgAAAADIiRu2BrqqeOcP28PWCkD4D5Rjjsqh71HwvqFX")
	f.Add("")
	net, err := sandbox.Open(sandbox.Config{CloseEvery: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	srv := httptest.NewServer(net.Handler())
	f.Cleanup(func() { srv.Close(); _ = net.Close() })
	w := newWorldOn(f, srv.URL)
	f.Add(w.challenge("account=" + keypair.MustRandom().Address() + "&memo=1"))
	f.Add(w.forge(keypair.MustRandom(), func(*txnbuild.TransactionParams) {}))
	f.Fuzz(func(t *testing.T, text string) {
		b, _ := json.Marshal(map[string]string{"transaction": text})
		r := httptest.NewRequest(http.MethodPost, "/auth", bytes.NewReader(b))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		w.h.ServeHTTP(rec, r)
		if rec.Code != 400 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}

// FuzzBody: no body of any kind does harm, or signs anybody in.
func FuzzBody(f *testing.F) {
	w := newWorldOn(f, "http://127.0.0.1:1")
	text := w.challenge("account=" + keypair.MustRandom().Address())
	f.Add("application/json", `{"transaction":"x"}`)
	f.Add("application/x-www-form-urlencoded", url.Values{"transaction": {text[1:]}}.Encode())
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"transaction\"\r\n\r\n"+text[1:]+"\r\n--x--\r\n")
	f.Fuzz(func(t *testing.T, kind, body string) {
		w := w.within(t)
		r := httptest.NewRequest(http.MethodPost, "/auth", strings.NewReader(body))
		r.Header["Content-Type"] = []string{kind}
		if a := w.send(r); a.status != 400 {
			w.Errorf("%q: %d %v", kind, a.status, a.body)
		}
	})
}
