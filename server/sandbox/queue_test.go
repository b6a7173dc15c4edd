package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
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
	// The second ledger held all that was left, but was full all the same.
	if want := map[string]int{"bid 1000, charged 1000": 10}; fmt.Sprint(landed) != fmt.Sprint(want) {
		t.Errorf("landed %v, want %v", landed, want)
	}
	// Ledgers of 0, 100 and 60 operations of 100, then twice 5 of 5.
	if r := w.get("/fee_stats"); r.at("ledger_capacity_usage") != "0.55" || r.at("max_fee", "p50") != "1000" || r.at("fee_charged", "max") != "1000" {
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

// What had to go since the last ledger raises the price for all who come after
// it, even where there is room again.
func TestEvictionRaisesThePrice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MaxOps = 100 })
	keys := make([]*keypair.Full, 12)
	for i := range keys {
		keys[i] = key(fmt.Sprint("price", i))
	}
	w.fund("10", keys...)
	w.net.cfg.MaxOps, w.net.queue.maxOps = 5, 5
	send := func(i, size int, perOp int64) string {
		var list []txnbuild.Operation
		for range size {
			list = append(list, pay(keys[0], "1", lumen))
		}
		p := params(keys[i], w.sequence(keys[i]), list)
		p.BaseFee = perOp
		r := w.async(w.build(p, keys[i]))
		return fmt.Sprintf("%d %v", r.status, r.at("error_result_xdr"))
	}
	for i, step := range []struct {
		size  int
		perOp int64
		want  string
	}{
		{3, 100, "201 <nil>"},
		{4, 500, "201 <nil>"},
		{3, 500, "201 <nil>"}, // full
		{1, 200, "201 <nil>"}, // three of 100 go
		{1, 100, "400 AAAAAAAAAGX////3AAAAAA=="},
		{2, 100, "400 AAAAAAAAAMn////3AAAAAA=="},
		{1, 101, "201 <nil>"},
		{1, 102, "201 <nil>"}, // full again
		{1, 103, "201 <nil>"},
		{1, 101, "400 AAAAAAAAAGb////3AAAAAA=="},
		{11, 1000, "503 <nil>"}, // more than the queue ever holds
	} {
		if got := send(i, step.size, step.perOp); got != step.want {
			t.Errorf("%d operations at %d: %s, want %s", step.size, step.perOp, got, step.want)
		}
	}
	w.net.CloseLedger()
	if got := send(11, 1, 100); got != "201 <nil>" {
		t.Errorf("after the next ledger: %s", got)
	}
}

// emptyLedger closes a ledger with room for nothing.
func (w *world) emptyLedger() {
	all := w.net.queue.maxOps
	w.net.queue.maxOps = 0
	w.net.CloseLedger()
	w.net.queue.maxOps = all
}

// Who waited for four ledgers is dropped and not taken back for ten. A fee
// bump takes over the age of what it replaces.
func TestWaitsTooLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, payer := key("a"), key("b"), key("payer")
	w.fund("100", a, b, payer)
	plain := w.tx(a, ops(pay(b, "1", lumen)))
	replaced := w.tx(b, ops(pay(a, "1", lumen)))
	bump := w.bump(replaced, payer, 1000)
	for _, tx := range []string{plain, replaced} {
		if r := w.async(tx); r.status != 201 {
			t.Fatal(r.text)
		}
	}
	for range pendingLedgers - 1 {
		w.emptyLedger()
	}
	if r := w.async(bump); r.status != 201 {
		t.Fatal(r.text)
	}
	if r := w.async(plain); r.status != 409 {
		t.Errorf("still pending: %d %s", r.status, r.text)
	}
	w.emptyLedger()
	for range bannedLedgers {
		for _, tx := range []string{plain, bump} {
			if r := w.async(tx); r.status != 503 {
				t.Fatalf("banned: %d %s", r.status, r.text)
			}
		}
		w.net.CloseLedger()
	}
	for _, tx := range []string{plain, bump} {
		if r := w.async(tx); r.status != 201 {
			t.Errorf("after the ban: %d %s", r.status, r.text)
		}
	}
}

// Answers to what comes while the account has something pending.
func TestBesideAPendingOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, payer := key("a"), key("b"), key("payer")
	w.fund("100", a, b, payer)
	w.ok(w.send(w.tx(a, ops(&txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: b.Address(), Weight: 1}}))))
	at := w.sequence(a)
	payment := func(sequence int64, signers ...*keypair.Full) string {
		return w.build(params(a, sequence, ops(pay(b, "1", lumen))), signers...)
	}
	first := payment(at, a) // built later, it would be another: it names its time
	if r := w.async(first); r.status != 201 {
		t.Fatal(r.text)
	}
	for name, c := range map[string]struct {
		envelope string
		want     string
	}{
		"the same":               {first, "409 <nil>"},
		"the same, signed by b":  {payment(at, b), "503 <nil>"},
		"the next":               {payment(at+1, a), "503 <nil>"},
		"an older one":           {payment(at-1, a), "400 AAAAAAAAAAD////7AAAAAA=="},
		"a fee bump of the next": {w.bump(payment(at+1, a), payer, 10_000), "503 <nil>"},
		"a fee bump of an older": {w.bump(payment(at-1, a), payer, 10_000), "400 AAAAAAAAAAD////7AAAAAA=="},
		"a fee bump, too low":    {w.bump(payment(at, a), payer, 999), "400 AAAAAAAAB9D////3AAAAAA=="},
		"one of a negative fee":  {w.negativeFee(payment(at, a), payer), "400 AAAAAAAAAAD////wAAAAAA=="},
	} {
		if r := w.async(c.envelope); fmt.Sprint(r.status, " ", r.at("error_result_xdr")) != c.want {
			t.Errorf("%s: %d %v, want %s", name, r.status, r.at("error_result_xdr"), c.want)
		}
	}
}

// negativeFee is a fee bump that no builder would make.
func (w *world) negativeFee(inner string, payer *keypair.Full) string {
	w.Helper()
	env := must(txnbuild.TransactionFromXDR(w.bump(inner, payer, 1000)))
	fb, _ := env.FeeBump()
	x := fb.ToXDR()
	x.FeeBump.Tx.Fee = -1
	return must(xdr.MarshalBase64(x))
}

// A payer who cannot pay for all that is pending any more loses all of it.
func TestPayerBecomesPoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c, payer := key("a"), key("b"), key("c"), key("payer")
	w.fund("10", a, b, c)
	w.fund("1.0003", payer) // 3,000 stroops above the reserve
	bumps := []string{w.bump(w.tx(a, ops(pay(c, "1", lumen))), payer, 400), w.bump(w.tx(b, ops(pay(c, "1", lumen))), payer, 400)}
	for _, tx := range append(bumps, w.tx(payer, ops(pay(c, "0.00015", lumen)))) {
		if r := w.async(tx); r.status != 201 {
			t.Fatal(r.text)
		}
	}
	w.net.queue.maxOps = 1 // the fee bumps stay outside
	w.net.CloseLedger()
	w.net.queue.maxOps = 1000
	w.net.CloseLedger()
	for _, tx := range bumps {
		if r := w.async(tx); r.status != 503 {
			t.Errorf("%d %s", r.status, r.text)
		}
	}
}

// While ledgers do not close nobody is answered, until the wait is over.
func TestNoLedgerInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, do := bubble(t, Config{CloseEvery: -1})
		start := time.Now()
		r := do("POST", "/transactions", url.Values{"tx": {rootPays(t, n.bot.channels[0].Address(), 2, "1")}}.Encode())
		if r.Code != http.StatusGatewayTimeout || time.Since(start) != submitTimeout {
			t.Errorf("%d after %s: %s", r.Code, time.Since(start), r.Body)
		}
		if len(n.waiting) != 0 {
			t.Errorf("%d still wait", len(n.waiting))
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Fees per operation are those of five ledgers, rounded down; a fee bump counts
// as one operation more.
func TestFeeStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := key("a"), key("b")
	w.fund("100", a, b)
	if r := w.get("/fee_stats"); r.at("ledger_capacity_usage") != "0.05" {
		t.Errorf("102 operations in ledgers of 100, 1,000 and 1,000: %s", r.text)
	}
	odd := params(a, w.sequence(a), ops(pay(b, "1", lumen), pay(b, "1", lumen), pay(b, "1", lumen)))
	odd.BaseFee = 133
	w.ok(w.send(w.build(odd, a)))
	w.ok(w.send(w.bump(w.tx(a, ops(pay(b, "1", lumen))), b, 250)))
	w.send(w.tx(b, ops(pay(a, "1000", lumen)))) // fails, and counts
	for range 2 {
		w.net.CloseLedger()
	}
	r := w.get("/fee_stats")
	for at, want := range map[string]string{"min": "100", "max": "250", "mode": "100", "p10": "100", "p30": "100", "p40": "133", "p60": "133", "p70": "250", "p99": "250"} {
		if got := r.at("max_fee", at); got != want {
			t.Errorf("max_fee.%s is %v, want %s", at, got, want)
		}
	}
	if r.at("fee_charged", "max") != "100" || r.at("ledger_capacity_usage") != "0" {
		t.Errorf("charged: %s", r.text)
	}
	for range 5 {
		w.net.CloseLedger()
	}
	if r := w.get("/fee_stats"); r.at("max_fee", "max") != "100" || r.at("max_fee", "min") != "100" {
		t.Errorf("five ledgers of nothing: %s", r.text)
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
	w.emptyLedger()
	if r := w.async(first); r.status != 503 {
		t.Errorf("it is late for the next ledger, but was not banned: %d %s", r.status, r.text)
	}
	w.net.CloseLedger()
	if r := w.get("/transactions/" + w.hashOf(first)); r.status != 404 {
		t.Errorf("it landed past its last ledger: %s", r.text)
	}
	if r := w.post("/transactions", url.Values{"tx": {w.build(p, b)}}); r.code() != "tx_too_late" {
		t.Errorf("sent too late: %s", r.text)
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
