package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

func TestDuplicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := key("a"), key("b")
	w.fund("100", a, b)
	tx := w.tx(a, ops(pay(b, "1", lumen)))
	replies := w.sendAll(tx, tx)
	w.ok(replies[0])
	if replies[0].text != replies[1].text {
		t.Errorf("two answers to one transaction: %s\n%s", replies[0].text, replies[1].text)
	}
	if again := w.ok(w.post("/transactions", url.Values{"tx": {tx}})); again.text != replies[0].text {
		t.Errorf("later: %s", again.text)
	}
	if r := w.async(tx); r.status != 400 || r.at("error_result_xdr") != "AAAAAAAAAGT////7AAAAAA==" {
		t.Errorf("asynchronously: %d %s", r.status, r.text)
	}
	// In the query, too.
	if r := w.ok(w.do("POST", "/transactions?tx="+url.QueryEscape(tx), nil)); r.at("hash") != w.hashOf(tx) {
		t.Errorf("in the query: %s", r.text)
	}
}

func TestManyAccountsInOneLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var keys []*keypair.Full
	for i := range 60 {
		keys = append(keys, key(fmt.Sprint("k", i)))
	}
	w.fund("10", keys...)
	for _, k := range keys {
		if r := w.async(w.tx(k, ops(pay(keys[0], "1", lumen)))); r.status != 201 {
			t.Fatalf("%d %s", r.status, r.text)
		}
	}
	w.net.CloseLedger()
	if got := w.get("/ledgers?order=desc&limit=1").at("_embedded", "records", 0, "successful_transaction_count"); got != 60.0 {
		t.Errorf("%v landed", got)
	}
}

func TestReplaceByFee(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, payer := key("a"), key("b"), key("payer")
	w.fund("100", a, b, payer)
	inner := w.tx(a, ops(pay(b, "1", lumen)))
	if r := w.async(inner); r.status != 201 {
		t.Fatal(r.text)
	}
	if r := w.async(w.bump(inner, payer, 200)); r.at("error_result_xdr") != "AAAAAAAAB9D////3AAAAAA==" {
		t.Errorf("twice the fee: %d %s", r.status, r.text)
	}
	ten := w.bump(inner, payer, 1000)
	if r := w.async(ten); r.status != 201 {
		t.Errorf("ten times the fee: %d %s", r.status, r.text)
	}
	if r := w.async(inner); r.status != 409 {
		t.Errorf("the one inside, again: %d %s", r.status, r.text)
	}
	w.net.CloseLedger()
	r := w.get("/transactions/" + w.hashOf(inner))
	if r.at("fee_bump_transaction", "hash") != w.hashOf(ten) || r.at("fee_charged") != "200" || r.at("max_fee") != "2000" {
		t.Errorf("landed: %s", r.text)
	}
}

// Ledgers of 5 operations, a queue of 10: 40 bid 100, then 20 bid 1,000.
func TestSurge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MaxOps = 100 })
	var keys []*keypair.Full
	for i := range 60 {
		keys = append(keys, key(fmt.Sprint("surge", i)))
	}
	w.fund("10", keys...)
	w.net.cfg.MaxOps, w.net.queue.maxOps = 5, 5
	got := make(map[string]int)
	envelopes := make([]string, len(keys))
	for i, k := range keys {
		p := params(k, w.sequence(k), ops(pay(keys[0], "1", lumen)))
		if i >= 40 {
			p.BaseFee = 1000
		}
		envelopes[i] = w.build(p, k)
		r := w.async(envelopes[i])
		got[fmt.Sprintf("%d: %d %v", p.BaseFee, r.status, r.at("error_result_xdr"))]++
	}
	want := map[string]int{
		"100: 201 <nil>": 10, "100: 400 AAAAAAAAAGX////3AAAAAA==": 30,
		"1000: 201 <nil>": 10, "1000: 400 AAAAAAAAA+n////3AAAAAA==": 10,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("answers %v, want %v", got, want)
	}
	w.net.CloseLedger()
	w.net.CloseLedger()
	landed := make(map[string]int)
	for _, e := range envelopes {
		if r := w.get("/transactions/" + w.hashOf(e)); r.status == 200 {
			landed[fmt.Sprintf("bid %v, charged %v", r.at("max_fee"), r.at("fee_charged"))]++
		}
	}
	// The second ledger held all that was left, so it cost the minimum.
	if want := map[string]int{"bid 1000, charged 1000": 5, "bid 1000, charged 100": 5}; fmt.Sprint(landed) != fmt.Sprint(want) {
		t.Errorf("landed %v, want %v", landed, want)
	}
	if r := w.get("/fee_stats"); r.at("ledger_capacity_usage") != "1" || r.at("max_fee", "p50") != "1000" || r.at("fee_charged", "max") != "1000" {
		t.Errorf("fees %s", r.text)
	}
	// An evicted one is not taken back at once.
	if r := w.async(envelopes[0]); r.status != 503 {
		t.Errorf("evicted, again: %d %s", r.status, r.text)
	}
}

func TestPayerOfManyFeeBumps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	payer := key("payer")
	var channels []*keypair.Full
	for i := range 12 {
		channels = append(channels, key(fmt.Sprint("c", i)))
	}
	w.fund("1.0001", payer) // pays for 5 fee bumps
	w.fund("10", channels...)
	var accepted int
	for _, c := range channels {
		if r := w.async(w.bump(w.tx(c, ops(pay(c, "1", lumen))), payer, 100)); r.status == 201 {
			accepted++
		}
	}
	w.net.CloseLedger()
	if accepted != 5 {
		t.Errorf("%d accepted, want 5", accepted)
	}
	if got := w.get("/accounts/"+payer.Address()).at("balances", 0, "balance"); got != "1.0000000" {
		t.Errorf("the payer has %v", got)
	}
}

// bubble opens a network and answers requests without sockets, under a fake
// clock.
func bubble(t *testing.T, cfg Config) (*Network, func(method, path, form string, headers ...string) *httptest.ResponseRecorder) {
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := n.Handler()
	return n, func(method, path, form string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(form))
		if form != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		out := httptest.NewRecorder()
		h.ServeHTTP(out, r)
		return out
	}
}

// testRoot signs transactions of the root account, which friendbot leaves at
// sequence number 1.
func rootPays(t *testing.T, to string, sequence int64, lumens string) string {
	root := must(rootKey("Test SDF Network ; September 2015"))
	tx := must(txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: root.Address(), Sequence: sequence},
		Operations:    ops(&txnbuild.Payment{Destination: to, Amount: lumens, Asset: lumen}), BaseFee: 100,
		Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewInfiniteTimeout()},
	}))
	return must(must(tx.Sign("Test SDF Network ; September 2015", root)).Base64())
}

func TestSecondTransactionOfAnAccountTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, do := bubble(t, Config{CloseEvery: 5 * time.Second})
		root := must(rootKey(n.cfg.Passphrase)).Address()
		channel := n.bot.channels[0].Address()
		var answers [2]*httptest.ResponseRecorder
		var took [2]time.Duration
		var done sync.WaitGroup
		for i := range answers {
			envelope := rootPays(t, channel, int64(2+i), "1")
			done.Go(func() {
				start := time.Now()
				answers[i] = do("POST", "/transactions", url.Values{"tx": {envelope}}.Encode())
				took[i] = time.Since(start)
			})
			synctest.Wait()
		}
		done.Wait()
		if answers[0].Code != http.StatusOK || took[0] > 5*time.Second {
			t.Errorf("the first: %d after %s", answers[0].Code, took[0])
		}
		if answers[1].Code != http.StatusGatewayTimeout || took[1] != submitTimeout {
			t.Errorf("the second: %d after %s", answers[1].Code, took[1])
		}
		var late map[string]any
		if err := json.Unmarshal(answers[1].Body.Bytes(), &late); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(shape("", recorded(t, "306").Response.Body), shape("", late)); diff != "" {
			t.Errorf("the second (- recorded, + sandbox): %s", diff)
		}
		if r := do("GET", "/accounts/"+root, ""); !strings.Contains(r.Body.String(), `"sequence": "2"`) {
			t.Errorf("the second landed: %s", r.Body)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A transaction whose last moment passes while it is pending is dropped, and
// its number stays free.
func TestExpiresWhilePending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := key("a"), key("b")
	w.fund("100", a, b)
	p := params(a, w.sequence(a), ops(pay(b, "1", lumen)))
	p.Preconditions.LedgerBounds = &txnbuild.LedgerBounds{MaxLedger: w.net.history.last().seq + 2}
	first := w.build(p, a)
	if r := w.async(first); r.status != 201 {
		t.Fatal(r.text)
	}
	// Hold it back, as a full ledger would.
	w.net.queue.maxOps = 0
	w.net.CloseLedger()
	w.net.queue.maxOps = 1000
	w.net.CloseLedger()
	if r := w.get("/transactions/" + w.hashOf(first)); r.status != 404 {
		t.Errorf("it landed past its last ledger: %s", r.text)
	}
	w.ok(w.send(w.tx(a, ops(pay(b, "2", lumen)))))
}

func TestLedgersCloseByThemselves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, do := bubble(t, Config{})
		start := n.latest().seq
		time.Sleep(10*time.Second + time.Millisecond) //nolint:forbidigo // the bubble's time, which nobody waits for
		synctest.Wait()
		if got := n.latest().seq; got != start+10 {
			t.Errorf("after 10 s %d ledgers", got-start)
		}
		for i := start + 1; i <= start+10; i++ {
			if x, y := n.nth(i-1).closeTime, n.nth(i).closeTime; y <= x {
				t.Errorf("ledger %d closes at %d, the one before at %d", i, y, x)
			}
		}
		if r := do("GET", "/accounts/"+must(rootKey(n.cfg.Passphrase)).Address(), ""); r.Header().Get("Latest-Ledger") != fmt.Sprint(start+10) {
			t.Errorf("Latest-Ledger %s", r.Header().Get("Latest-Ledger"))
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}
