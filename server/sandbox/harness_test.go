package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// A world is a network reached over HTTP, whose ledgers close when told.
type world struct {
	*testing.T
	net *Network
	url string
}

func newWorld(t *testing.T, change ...func(*Config)) *world {
	t.Helper()
	cfg := Config{CloseEvery: -1, Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil))}
	for _, c := range change {
		c(&cfg)
	}
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(n.Handler())
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		srv.Close()
		conserved(t, n)
	})
	return &world{t, n, srv.URL}
}

func (n *Network) nth(seq uint32) *closedLedger {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.history.ledger(seq)
}

func (n *Network) latest() *closedLedger {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.history.last()
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

// conserved checks that no lumen was made or lost, that no balance is outside
// its bounds, and that who pays how many reserves is counted right.
func conserved(t interface{ Errorf(string, ...any) }, n *Network) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	sum := n.state.feePool
	sponsoring := make(map[accountID]uint32)
	for id, a := range n.state.accounts {
		sum += a.balance
		if a.balance < 0 || a.id != id {
			t.Errorf("%s has %d stroops, under %s", a.id, a.balance, id)
		}
		var sponsored uint32
		pays := func(sponsor *accountID, reserves uint32) {
			if sponsor != nil {
				sponsored += reserves
				sponsoring[*sponsor] += reserves
			}
		}
		pays(a.sponsor, 2)
		for _, s := range a.signers {
			pays(s.sponsor, 1)
		}
		for _, d := range a.data {
			pays(d.sponsor, 1)
		}
		for _, l := range a.lines {
			pays(l.sponsor, 1)
			if l.balance < 0 || l.balance > l.limit {
				t.Errorf("%s has %d of %s, limit %d", a.id, l.balance, l.asset, l.limit)
			}
		}
		if sponsored != a.sponsored {
			t.Errorf("others pay %d reserves of %s, counted are %d", sponsored, a.id, a.sponsored)
		}
	}
	for id, c := range n.state.claimables {
		if c.asset.native() {
			sum += c.amount
		}
		if c.amount <= 0 || c.id != id {
			t.Errorf("%s holds %d of %s, under %s", c.id, c.amount, c.asset, id)
		}
		sponsoring[c.sponsor] += c.reserves()
	}
	for id, reserves := range sponsoring {
		if n.state.accounts[id] == nil {
			t.Errorf("%s pays %d reserves and is gone", id, reserves)
		}
	}
	for id, a := range n.state.accounts {
		if a.sponsoring != sponsoring[id] {
			t.Errorf("%s pays %d reserves of others, counted are %d", id, sponsoring[id], a.sponsoring)
		}
	}
	if sum != totalCoins {
		t.Errorf("there are %d stroops, not %d", sum, int64(totalCoins))
	}
	indexed(t, n.state)
}

// key is a key pair by name, the same in each run.
func key(name string) *keypair.Full {
	var seed [32]byte
	copy(seed[:], name)
	return keypair.MustParseFull(must(keypair.FromRawSeed(seed)).Seed())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A reply is an answer with its JSON decoded.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (w *world) do(method, path string, body io.Reader, headers ...string) reply {
	w.Helper()
	req := must(http.NewRequest(method, w.url+path, body))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatalf("%s %s: %v", method, path, err)
	}
	return replyOf(resp)
}

func replyOf(resp *http.Response) reply {
	defer resp.Body.Close()
	text := must(io.ReadAll(resp.Body))
	r := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	_ = json.Unmarshal(text, &r.body)
	return r
}

func (w *world) get(path string, headers ...string) reply {
	w.Helper()
	return w.do("GET", path, nil, headers...)
}

func (w *world) post(path string, form url.Values) reply {
	w.Helper()
	return w.do("POST", path, bytes.NewBufferString(form.Encode()), "Content-Type", "application/x-www-form-urlencoded")
}

// at digs a value out of JSON: keys, and numbers into arrays.
func (r reply) at(path ...any) any {
	var v any = r.body
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			s, _ := v.([]any)
			if p >= len(s) {
				return nil
			}
			v = s[p]
		}
	}
	return v
}

// as is v, which must be of that type.
func as[T any](v any) T {
	typed, ok := v.(T)
	if !ok {
		panic(fmt.Sprintf("%T is no %T", v, typed))
	}
	return typed
}

type (
	object = map[string]any // JSON's
	array  = []any
)

// code is the result codes of a failed submission, "" if there are none.
func (r reply) code() string {
	codes, _ := r.at("extras", "result_codes").(map[string]any)
	out := fmt.Sprint(codes["transaction"])
	if codes == nil {
		return ""
	}
	if inner := codes["inner_transaction"]; inner != nil {
		out += " " + fmt.Sprint(inner)
	}
	if ops, _ := codes["operations"].([]any); ops != nil {
		out += fmt.Sprint(" ", ops)
	}
	return out
}

// fund creates accounts with lumens, closing a ledger.
func (w *world) fund(lumens string, keys ...*keypair.Full) {
	w.Helper()
	root := must(rootKey(w.net.cfg.Passphrase))
	var ops []txnbuild.Operation
	for _, k := range keys {
		ops = append(ops, &txnbuild.CreateAccount{Destination: k.Address(), Amount: lumens})
	}
	w.ok(w.send(w.tx(root, ops)))
}

// sequence is an account's next sequence number.
func (w *world) sequence(k *keypair.Full) int64 {
	w.Helper()
	n, err := strconv.ParseInt(fmt.Sprint(w.get("/accounts/"+k.Address()).at("sequence")), 10, 64)
	if err != nil {
		w.Fatalf("no sequence number of %s", k.Address())
	}
	return n + 1
}

// tx builds and signs with the source, then the others.
func (w *world) tx(source *keypair.Full, ops []txnbuild.Operation, others ...*keypair.Full) string {
	w.Helper()
	return w.build(params(source, w.sequence(source), ops), append([]*keypair.Full{source}, others...)...)
}

func params(source *keypair.Full, sequence int64, ops []txnbuild.Operation) txnbuild.TransactionParams {
	return txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: source.Address(), Sequence: sequence},
		Operations:    ops, BaseFee: baseFee,
		Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewTimeout(600)},
	}
}

func (w *world) build(p txnbuild.TransactionParams, signers ...*keypair.Full) string {
	w.Helper()
	return must(must(must(txnbuild.NewTransaction(p)).Sign(w.net.cfg.Passphrase, signers...)).Base64())
}

func (w *world) bump(inner string, payer *keypair.Full, perOp int64) string {
	w.Helper()
	tx, _ := must(txnbuild.TransactionFromXDR(inner)).Transaction()
	fb := must(txnbuild.NewFeeBumpTransaction(txnbuild.FeeBumpTransactionParams{Inner: tx, FeeAccount: payer.Address(), BaseFee: perOp}))
	return must(must(fb.Sign(w.net.cfg.Passphrase, payer)).Base64())
}

// send submits transactions at the same time and closes the ledger once all
// are pending or refused.
func (w *world) send(envelopes ...string) reply {
	w.Helper()
	return w.sendAll(envelopes...)[0]
}

func (w *world) sendAll(envelopes ...string) []reply {
	w.Helper()
	out := make([]reply, len(envelopes))
	var done sync.WaitGroup
	for i, e := range envelopes {
		arrived := make(chan struct{})
		done.Go(func() {
			defer close(arrived)
			out[i] = w.post("/transactions", url.Values{"tx": {e}})
		})
		w.pendingOr(e, arrived)
	}
	w.net.CloseLedger()
	done.Wait()
	return out
}

// pendingOr waits until an envelope is waited for, or its request has ended.
func (w *world) pendingOr(envelope string, ended chan struct{}) {
	w.Helper()
	t, err := decodeBase64(envelope, w.net.cfg.Passphrase)
	if err != nil {
		<-ended
		return
	}
	w.until(ended, func() bool {
		w.net.queueMu.Lock()
		defer w.net.queueMu.Unlock()
		return len(w.net.waiting[t.hash]) > 0
	})
}

func (w *world) until(ended chan struct{}, holds func() bool) {
	for !holds() {
		select {
		case <-ended:
			return
		default:
			runtime.Gosched()
		}
	}
}

func (w *world) ok(r reply) reply {
	w.Helper()
	if r.status != http.StatusOK {
		w.Fatalf("status %d: %s %s", r.status, r.code(), r.text)
	}
	return r
}

func (w *world) async(envelope string) reply {
	w.Helper()
	return w.post("/transactions_async", url.Values{"tx": {envelope}})
}

// Operations, for short.

func pay(to *keypair.Full, amount string, asset txnbuild.Asset) *txnbuild.Payment {
	return &txnbuild.Payment{Destination: to.Address(), Amount: amount, Asset: asset}
}

func ops(list ...txnbuild.Operation) []txnbuild.Operation { return list }

var lumen = txnbuild.NativeAsset{}

func usd(issuer *keypair.Full) txnbuild.CreditAsset {
	return txnbuild.CreditAsset{Code: "USD", Issuer: issuer.Address()}
}

func trust(a txnbuild.CreditAsset, limit string) *txnbuild.ChangeTrust {
	return &txnbuild.ChangeTrust{Line: must(a.ToChangeTrustAsset()), Limit: limit}
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
