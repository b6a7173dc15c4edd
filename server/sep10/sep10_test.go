package sep10_test

import (
	"bytes"
	"context"
	"encoding/json"
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

	"windlass/server/horizon"
	"windlass/server/sandbox"
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
	cfg     sep10.Config
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
	w.cfg = sep10.Config{
		Signing: w.signing, HomeDomains: []string{home, "second.test"}, WebAuthDomain: webAuth, NetworkPassphrase: passphrase,
		Issuer: "https://anchor.test/auth", ChallengeLife: 15 * time.Minute, TokenLife: time.Hour,
		SharedAccounts: true,
	}
	t.Cleanup(func() {
		if err := w.books.Close(); err != nil {
			t.Error(err)
		}
	})
	return w.with(change...)
}

// with is the endpoint started again, on the same books, with another configuration.
func (w *world) with(change ...func(*sep10.Config)) *world {
	w.Helper()
	x := *w
	for _, c := range change {
		c(&x.cfg)
	}
	client := horizon.New(horizon.Config{URLs: []string{w.ledger}, Passphrase: passphrase})
	w.Cleanup(client.Close)
	h, err := sep10.New(x.cfg, w.keys, w.books, client, slog.New(slog.DiscardHandler))
	if err != nil {
		w.Fatal(err)
	}
	r := mux.NewRouter()
	h.Register(r)
	x.h = r
	return &x
}

// answer is a status and a JSON object.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func (w *world) send(r *http.Request) answer {
	w.Helper()
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header()}
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
	w.submitSigned([]*keypair.Full{kp}, ops...)
}

// submitSigned changes the first signer's account.
func (w *world) submitSigned(signers []*keypair.Full, ops ...txnbuild.Operation) {
	w.Helper()
	kp := signers[0]
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
		tx, err = tx.Sign(passphrase, signers...)
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
	w.out("after a restart", w.with().post(text), "exchanged already")
	// The same challenge with more signatures is still the same challenge.
	w.out("signed once more", w.post(sign(t, text, kp)), "exchanged already")
	// The ledger is not asked about it any more: there is none.
	w.ledger = "http://127.0.0.1:1"
	w.out("without a ledger", w.with().post(text), "exchanged already")
	if a := w.with().post(sign(t, w.challenge("account="+kp.Address()), kp)); a.status != 503 {
		t.Errorf("another, without a ledger: %d %v", a.status, a.body)
	}
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

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := sep10.New(sep10.Config{HomeDomains: []string{strings.Repeat("a", 60)}}, nil, nil, nil, nil)
	for _, part := range []string{"signing key", "home domain", "web auth domain", "passphrase", "live"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told: %v", part, err)
		}
	}
}
