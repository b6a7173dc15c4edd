package sep10_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/sandbox"
	"windlass/server/sep"
	"windlass/server/sep10"
	"windlass/server/session"
	"windlass/server/store"
)

const (
	home       = "anchor.test:8000"
	webAuth    = "anchor.test"
	passphrase = network.TestNetworkPassphrase
)

// world is the endpoint in front of a ledger of its own.
type world struct {
	testing.TB
	signing *keypair.Full
	keys    *session.Keys
	books   *store.Store
	ledger  string // Horizon's URL
	h       http.Handler
	client  *keypair.Full // the client domain's
}

func newWorld(t *testing.T, change ...func(*sep10.Config)) *world {
	t.Helper()
	net, err := sandbox.Open(sandbox.Config{CloseEvery: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(net.Handler())
	t.Cleanup(func() {
		srv.Close()
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	return newWorldOn(t, srv.URL, change...)
}

func newWorldOn(t testing.TB, ledger string, change ...func(*sep10.Config)) *world {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "key.json")
	if err := store.NewKeyFile(file); err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, signing: keypair.MustRandom(), client: keypair.MustRandom(), ledger: ledger}
	box, err := store.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	if w.books, err = store.Open(context.Background(), filepath.Join(dir, "books.db"), box); err != nil {
		t.Fatal(err)
	}
	if w.keys, err = session.NewKeys([][]byte{bytes.Repeat([]byte{1}, 32)}, [][]byte{bytes.Repeat([]byte{2}, 32)}); err != nil {
		t.Fatal(err)
	}
	cfg := sep10.Config{
		Signing: w.signing, HomeDomains: []string{home, "second.test"}, WebAuthDomain: webAuth, NetworkPassphrase: passphrase,
		Issuer: "https://anchor.test/auth", ChallengeLife: 15 * time.Minute, TokenLife: time.Hour,
		SharedAccounts: true,
	}
	for _, c := range change {
		c(&cfg)
	}
	client := horizon.New(horizon.Config{URLs: []string{ledger}, Passphrase: passphrase})
	h, err := sep10.New(cfg, w.keys, w.books, client, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		if err := w.books.Close(); err != nil {
			t.Error(err)
		}
	})
	r := mux.NewRouter()
	h.Register(r)
	w.h = r
	return w
}

// answer is a status and a JSON object.
type answer struct {
	status int
	body   map[string]any
}

func (w *world) send(r *http.Request) answer {
	w.Helper()
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	a := answer{status: rec.Code}
	if err := json.Unmarshal(rec.Body.Bytes(), &a.body); err != nil {
		w.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
	}
	if rec.Header().Get("Access-Control-Allow-Origin") != "*" || rec.Header().Get("Content-Type") != "application/json" {
		w.Errorf("headers: %v", rec.Header())
	}
	if a.status != 200 {
		if s, ok := a.body["error"].(string); !ok || s == "" || len(a.body) != 1 {
			w.Errorf("an error is %v", a.body)
		}
	}
	return a
}

func (w *world) get(query string) answer {
	w.Helper()
	return w.send(httptest.NewRequest(http.MethodGet, "/auth?"+query, nil))
}

func (w *world) post(transaction any) answer {
	w.Helper()
	b, _ := json.Marshal(map[string]any{"transaction": transaction})
	return w.postAs("application/json", string(b))
}

func (w *world) postAs(kind, body string) answer {
	w.Helper()
	r := httptest.NewRequest(http.MethodPost, "/auth", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return w.send(r)
}

// challenge asks for one.
func (w *world) challenge(query string) string {
	w.Helper()
	a := w.get(query)
	text, ok := a.body["transaction"].(string)
	if a.status != 200 || !ok || a.body["network_passphrase"] != passphrase || len(a.body) != 2 {
		w.Fatalf("%s: %d %v", query, a.status, a.body)
	}
	return text
}

func parse(t testing.TB, text string) *txnbuild.Transaction {
	t.Helper()
	g, err := txnbuild.TransactionFromXDR(text)
	if err != nil {
		t.Fatal(err)
	}
	tx, _ := g.Transaction()
	return tx
}

// sign adds signatures to a challenge.
func sign(t testing.TB, text string, signers ...*keypair.Full) string {
	t.Helper()
	return signFor(t, text, passphrase, signers...)
}

func signFor(t testing.TB, text, passphrase string, signers ...*keypair.Full) string {
	t.Helper()
	tx := parse(t, text)
	for _, kp := range signers {
		var err error
		if tx, err = tx.Sign(passphrase, kp); err != nil {
			t.Fatal(err)
		}
	}
	out, err := tx.Base64()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fund makes an account; submit changes it.
func (w *world) fund(kp *keypair.Full) {
	w.Helper()
	res, err := http.DefaultClient.Get(w.ledger + "/friendbot?addr=" + kp.Address())
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		b, _ := io.ReadAll(res.Body)
		w.Fatalf("friendbot: %s", b)
	}
}

func (w *world) submit(kp *keypair.Full, ops ...txnbuild.Operation) {
	w.Helper()
	res, err := http.DefaultClient.Get(w.ledger + "/accounts/" + kp.Address())
	if err != nil {
		w.Fatal(err)
	}
	var account struct {
		Sequence string `json:"sequence"`
	}
	err = json.NewDecoder(res.Body).Decode(&account)
	res.Body.Close()
	if err != nil {
		w.Fatal(err)
	}
	sequence, _ := strconv.ParseInt(account.Sequence, 10, 64)
	tx, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: kp.Address(), Sequence: sequence}, IncrementSequenceNum: true,
		Operations: ops, BaseFee: 1000, Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewTimeout(60)},
	})
	if err == nil {
		tx, err = tx.Sign(passphrase, kp)
	}
	if err != nil {
		w.Fatal(err)
	}
	text, _ := tx.Base64()
	res, err = http.DefaultClient.PostForm(w.ledger+"/transactions", url.Values{"tx": {text}})
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		b, _ := io.ReadAll(res.Body)
		w.Fatalf("submit: %s", b)
	}
}

// in wants a token for a subject.
func (w *world) in(a answer, subject string) {
	w.Helper()
	token, _ := a.body["token"].(string)
	id, err := w.keys.Auth(token, time.Now())
	if a.status != 200 || len(a.body) != 1 || err != nil || id.Subject() != subject {
		w.Errorf("%d %v: %v, %v", a.status, a.body, id, err)
	}
}

// out wants a refusal whose sentence has a part.
func (w *world) out(name string, a answer, part string) {
	w.Helper()
	if text, _ := a.body["error"].(string); a.status != 400 || !strings.Contains(text, part) {
		w.Errorf("%s: %d %v, expected 400 and %q", name, a.status, a.body, part)
	}
}

// TestChallenge reads challenges as wallets do.
func TestChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kp := keypair.MustRandom()
	muxed := muxedOf(t, kp, 1234)
	for _, c := range []struct {
		query, client, home string
		memo                uint64
	}{
		{"account=" + kp.Address(), kp.Address(), home, 0},
		{"account=" + kp.Address() + "&memo=17509749319012223907", kp.Address(), home, 17509749319012223907},
		{"account=" + muxed, muxed, home, 0},
		{"account=" + kp.Address() + "&home_domain=second.test", kp.Address(), "second.test", 0},
		{"account=" + kp.Address() + "&home_domain=" + url.QueryEscape(home) + "&unknown=1&client_domain=wallet.test", kp.Address(), home, 0},
	} {
		before := time.Now().Unix()
		text := w.challenge(c.query)
		tx, client, matched, memo, err := txnbuild.ReadChallengeTx(text, w.signing.Address(), passphrase, webAuth, []string{home, "second.test"})
		if err != nil || client != c.client || matched != c.home || (memo != nil) != (c.memo != 0) || memo != nil && uint64(*memo) != c.memo {
			t.Errorf("%s: %s %s %v %v", c.query, client, matched, memo, err)
			continue
		}
		if b := tx.Timebounds(); b.MinTime < before || b.MinTime > time.Now().Unix() || b.MaxTime != b.MinTime+900 {
			t.Errorf("%s: bounds %+v at %d", c.query, b, before)
		}
		if len(tx.Signatures()) != 1 || len(tx.Operations()) != 2 {
			t.Errorf("%s: %d signatures, %d operations", c.query, len(tx.Signatures()), len(tx.Operations()))
		}
		if again := w.challenge(c.query); again == text {
			t.Error("two challenges are the same")
		}
	}
}

func muxedOf(t testing.TB, kp *keypair.Full, id uint64) string {
	t.Helper()
	m, err := xdr.MuxedAccountFromAccountId(kp.Address(), id)
	if err != nil {
		t.Fatal(err)
	}
	return m.Address()
}

func TestChallengeRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	g := keypair.MustRandom()
	contract, _ := strkey.Encode(strkey.VersionByteContract, make([]byte, 32))
	for name, c := range map[string]struct{ query, part string }{
		"no account":         {"", "account is required"},
		"empty account":      {"account=", "account"},
		"no address":         {"account=invalid-account", "G or M"},
		"seed":               {"account=" + g.Seed(), "G or M"},
		"bad checksum":       {"account=" + g.Address()[:55] + "A", "G or M"},
		"contract":           {"account=" + contract, "C…"},
		"our own":            {"account=" + w.signing.Address(), "server's own"},
		"text memo":          {"account=" + g.Address() + "&memo=hello", "memo"},
		"negative memo":      {"account=" + g.Address() + "&memo=-1", "memo"},
		"large memo":         {"account=" + g.Address() + "&memo=18446744073709551616", "memo"},
		"memo with M":        {"account=" + muxedOf(t, g, 1) + "&memo=1", "exclude"},
		"other home domain":  {"account=" + g.Address() + "&home_domain=evil.test", "home_domain"},
		"home without port":  {"account=" + g.Address() + "&home_domain=anchor.test", "home_domain"},
		"home domain script": {"account=" + g.Address() + "&home_domain=%3Cscript%3E", "home_domain"},
	} {
		w.out(name, w.get(c.query), c.part)
	}
}

// TestNoAccount signs in accounts that are not on the ledger.
func TestNoAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kp, other := keypair.MustRandom(), keypair.MustRandom()
	g := "account=" + kp.Address()

	w.in(w.post(sign(t, w.challenge(g), kp)), kp.Address())
	w.in(w.post(sign(t, w.challenge(g+"&memo=7"), kp)), kp.Address()+":7")
	muxed := muxedOf(t, kp, 7)
	w.in(w.post(sign(t, w.challenge("account="+muxed), kp)), muxed)
	w.in(w.postAs("application/x-www-form-urlencoded", url.Values{"transaction": {sign(t, w.challenge(g), kp)}}.Encode()), kp.Address())
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	_ = form.WriteField("transaction", sign(t, w.challenge(g), kp))
	_ = form.Close()
	w.in(w.postAs(form.FormDataContentType(), b.String()), kp.Address())

	w.out("not signed", w.post(w.challenge(g)), "no signer")
	w.out("another's signature", w.post(sign(t, w.challenge(g), other)), "not of a signer")
	w.out("a signature too many", w.post(sign(t, w.challenge(g), kp, other)), "not of a signer")
	w.out("signed twice", w.post(sign(t, w.challenge(g), kp, kp)), "3 signatures")
	w.out("server twice", w.post(sign(t, w.challenge(g), w.signing)), "not signed by the account")
}

// TestSigners signs in accounts with signers and thresholds.
func TestSigners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	threshold := func(n byte) *txnbuild.Threshold { v := txnbuild.Threshold(n); return &v }
	signer := func(kp keypair.KP, weight byte) *txnbuild.SetOptions {
		return &txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: kp.Address(), Weight: txnbuild.Threshold(weight)}}
	}
	one, two, stranger := keypair.MustRandom(), keypair.MustRandom(), keypair.MustRandom()
	account := func(medium byte, ops ...txnbuild.Operation) *keypair.Full {
		kp := keypair.MustRandom()
		w.fund(kp)
		w.submit(kp, append(ops, &txnbuild.SetOptions{LowThreshold: threshold(1), MediumThreshold: threshold(medium), HighThreshold: threshold(medium)})...)
		return kp
	}
	master := account(1)
	high := account(2)
	shared := account(2, signer(one, 1), signer(two, 1))
	lost := account(1, signer(one, 1), &txnbuild.SetOptions{MasterWeight: threshold(0)})
	ours := account(2, signer(w.signing, 5), signer(one, 1))
	zero := account(0)
	all := func(kps ...*keypair.Full) []*keypair.Full { return kps }
	for name, c := range map[string]struct {
		kp      *keypair.Full
		signers []*keypair.Full
		refused string
	}{
		"master":                     {master, all(master), ""},
		"master twice":               {master, all(master, master), ""},
		"nobody":                     {master, nil, "no signer"},
		"nobody, threshold 0":        {zero, nil, "no signer"},
		"master, threshold 0":        {zero, all(zero), ""},
		"below":                      {high, all(high), "weigh 1"},
		"below, twice":               {high, all(high, high), "weigh 1"},
		"one of two":                 {shared, all(one), "weigh 1"},
		"one of two, twice":          {shared, all(one, one), "weigh 1"},
		"two":                        {shared, all(one, two), ""},
		"master and one":             {shared, all(shared, two), ""},
		"enough, and a stranger":     {shared, all(one, two, stranger), "not of a signer"},
		"a stranger":                 {master, all(stranger), "not of a signer"},
		"not the master":             {lost, all(one), ""},
		"the master without weight":  {lost, all(lost), "not of a signer"},
		"the server helps out":       {ours, all(one), "weigh 1"},
		"the server helps out twice": {ours, all(one, w.signing), "weigh 1"},
		"without the server":         {ours, all(ours, one), ""},
	} {
		a := w.post(sign(t, w.challenge("account="+c.kp.Address()), c.signers...))
		if c.refused == "" {
			w.in(a, c.kp.Address())
		} else {
			w.out(name, a, c.refused)
		}
	}
	w.in(w.post(sign(t, w.challenge("account="+muxedOf(t, shared, 3)), one, two)), muxedOf(t, shared, 3))
}

// TestOnce gives one token for a challenge, however many ask at once.
func TestOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kp := keypair.MustRandom()
	w.fund(kp)
	text := sign(t, w.challenge("account="+kp.Address()), kp)
	var mu sync.Mutex
	var wg sync.WaitGroup
	tokens := 0
	for range 10 {
		wg.Go(func() {
			a := w.post(text)
			mu.Lock()
			defer mu.Unlock()
			if a.status == 200 {
				tokens++
			} else {
				w.out("again", a, "exchanged already")
			}
		})
	}
	wg.Wait()
	if tokens != 1 {
		t.Errorf("%d tokens", tokens)
	}
	// The same challenge with more signatures is still the same challenge.
	w.out("signed once more", w.post(sign(t, text, kp)), "exchanged already")
}

// TestRefusedIsNotUsed lets a wallet try again with the same challenge after a
// refusal: nothing was stored.
func TestRefusedIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kp, stranger := keypair.MustRandom(), keypair.MustRandom()
	text := w.challenge("account=" + kp.Address())
	w.out("stranger", w.post(sign(t, text, stranger)), "signer")
	w.in(w.post(sign(t, text, kp)), kp.Address())
}

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
		"endless": {func(p *params) { p.Preconditions.TimeBounds = txnbuild.NewInfiniteTimeout() }, "time bounds"},
		"sequence": {func(p *params) {
			p.SourceAccount = &txnbuild.SimpleAccount{AccountID: w.signing.Address(), Sequence: 1}
		}, "sequence"},
		"source": {func(p *params) { p.SourceAccount = &txnbuild.SimpleAccount{AccountID: other.Address(), Sequence: 0} }, "source account"},
		"muxed source": {func(p *params) {
			p.SourceAccount = &txnbuild.SimpleAccount{AccountID: muxedOf(t, w.signing, 1), Sequence: 0}
		}, "source account"},
		"home domain":          {func(p *params) { data(p, 0).Name = "evil.test auth" }, "home domain"},
		"no auth":              {func(p *params) { data(p, 0).Name = home }, "home domain"},
		"web auth domain":      {func(p *params) { data(p, 1).Value = []byte("evil.test") }, "web_auth_domain"},
		"no web auth domain":   {func(p *params) { p.Operations = p.Operations[:1] }, "web_auth_domain"},
		"web auth of a client": {func(p *params) { data(p, 1).SourceAccount = kp.Address() }, "source account"},
		"short nonce":          {func(p *params) { data(p, 0).Value = []byte("short") }, "nonce"},
		"no nonce":             {func(p *params) { data(p, 0).Value = nil }, "nonce"},
		"no source":            {func(p *params) { data(p, 0).SourceAccount = "" }, "source account"},
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

// TestNothingBelow answers wrong addresses and methods as it answers all others.
func TestNothingBelow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/auth/", 404}, {"POST", "/auth/x", 404}, {"PUT", "/auth", 405}} {
		if a := w.send(httptest.NewRequest(c.method, c.path, nil)); a.status != c.status || a.body["error"] == nil {
			t.Errorf("%s %s: %d %v", c.method, c.path, a.status, a.body)
		}
	}
}

// TestFailsClosed never takes a silent ledger for a missing account.
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	kp := keypair.MustRandom()
	for name, serve := range map[string]http.HandlerFunc{
		"500":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"a proxy's 404": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"429":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) },
		"nonsense":      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"another ledger": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"network_passphrase":"other"}`)
		},
		"no signers": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				_, _ = io.WriteString(w, `{"network_passphrase":"`+passphrase+`"}`)
				return
			}
			_, _ = io.WriteString(w, `{"account_id":"`+kp.Address()+`","sequence":"1"}`)
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		srv := httptest.NewServer(serve)
		w := newWorldOn(t, srv.URL)
		text := sign(t, w.challenge("account="+kp.Address()), kp)
		if a := w.post(text); a.status != 503 {
			t.Errorf("%s: %d %v", name, a.status, a.body)
		}
		srv.Close()
		if a := w.post(text); a.status != 503 {
			t.Errorf("%s, then gone: %d", name, a.status)
		}
	}
}

// TestRidesOutFaults: a fault or two of Horizon's are not the wallet's, even
// one that says nothing at all; a Horizon that stays away is.
func TestRidesOutFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault  sandbox.Fault
		status int
	}{
		{sandbox.Fault{Kind: sandbox.ServerError, Next: 2}, 200},
		{sandbox.Fault{Kind: sandbox.LostAnswer, Next: 2}, 200},
		{sandbox.Fault{Kind: sandbox.Silence, Next: 1}, 200},
		{sandbox.Fault{Kind: sandbox.StaleHistory}, 503},
	} {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			t.Parallel()
			n, err := sandbox.Open(sandbox.Config{CloseEvery: 10 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			weather := sandbox.NewWeather(n, 1)
			srv := httptest.NewServer(weather.Handler())
			t.Cleanup(func() {
				srv.Close()
				if err := n.Close(); err != nil {
					t.Error(err)
				}
			})
			w := newWorldOn(t, srv.URL)
			kp := keypair.MustRandom()
			w.fund(kp)
			if _, err := weather.Set(c.fault); err != nil {
				t.Fatal(err)
			}
			if a := w.post(sign(t, w.challenge("account="+kp.Address()), kp)); a.status != c.status {
				t.Errorf("%d %v", a.status, a.body)
			}
		})
	}
}

// TestClientDomain verifies a client domain where its key can be looked up.
func TestClientDomain(t *testing.T) {
	t.Parallel()
	domain := keypair.MustRandom()
	w := newWorld(t, func(c *sep10.Config) {
		c.Clients.Toml = func(_ context.Context, name string) ([]byte, error) {
			switch name {
			case "wallet.test":
				return []byte("# a wallet\nSIGNING_KEY = \"" + domain.Address() + "\"\n[DOCUMENTATION]\nORG_NAME=\"W\"\n"), nil
			case "odd.test":
				return []byte(`SIGNING_KEY = "not a key"`), nil
			case "seed.test":
				return []byte(`SIGNING_KEY = "` + domain.Seed() + `"`), nil
			case "html.test":
				return []byte(`<html>`), nil
			}
			return nil, errors.New("no such host")
		}
	})
	for _, exists := range []bool{false, true} {
		kp, other := keypair.MustRandom(), keypair.MustRandom()
		if exists {
			w.fund(kp)
		}
		query := "account=" + kp.Address() + "&client_domain=wallet.test"
		text := w.challenge(query)
		op, ok := parse(t, text).Operations()[2].(*txnbuild.ManageData)
		if !ok || op.SourceAccount != domain.Address() || op.Name != "client_domain" || string(op.Value) != "wallet.test" {
			t.Fatalf("the operation is %+v", op)
		}
		w.out("without the domain", w.post(sign(t, text, kp)), "")
		w.out("without the client", w.post(sign(t, text, domain)), "")
		w.out("a stranger", w.post(sign(t, text, kp, domain, other)), "signer")
		a := w.post(sign(t, text, kp, domain))
		w.in(a, kp.Address())
		token, _ := a.body["token"].(string)
		if id, err := w.keys.Auth(token, time.Now()); err != nil || id != (anchor.Identity{Account: kp.Address(), Client: "wallet.test"}) {
			t.Errorf("%+v, %v", id, err)
		}
	}
	g := "account=" + keypair.MustRandom().Address()
	w.out("unknown domain", w.get(g+"&client_domain=nowhere.test"), "client_domain")
	w.out("domain without key", w.get(g+"&client_domain=odd.test"), "client_domain")
	w.out("a seed for a key", w.get(g+"&client_domain=seed.test"), "client_domain")
	w.out("no TOML", w.get(g+"&client_domain=html.test"), "client_domain")
	for _, odd := range []string{"https://wallet.test", "wallet.test/x", "user@wallet.test", "wallet.test?x", "wallet.test%23x", "WALLET.test", "*.test", "wallet%0d%0a.test", ":443"} {
		w.out(odd, w.get(g+"&client_domain="+odd), "host name")
	}
	w.out("long domain", w.get(g+"&client_domain="+strings.Repeat("a", 65)), "client_domain")
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := sep10.New(sep10.Config{HomeDomains: []string{strings.Repeat("a", 60)}}, nil, nil, nil, nil)
	for _, part := range []string{"signing key", "home domain", "web auth domain", "passphrase", "live"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told: %v", part, err)
		}
	}
}

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
