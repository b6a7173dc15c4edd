package sandbox

import (
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

func TestPublicPassphraseIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := Open(Config{Passphrase: network.PublicNetworkPassphrase}); err == nil {
		t.Fatal("it must not pass for the public network")
	}
}

// Each failure with the code and the result that the real network gave. Those
// found at submission cost nothing, those of operations a fee and the number.
func TestFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, dist, issuer, poor, stranger := key("user"), key("dist"), key("issuer"), key("poor"), key("stranger")
	w.fund("100", user, dist, issuer)
	w.fund("1", poor)
	usd, eur := usd(issuer), txnbuild.CreditAsset{Code: "EUR", Issuer: issuer.Address()}
	w.ok(w.send(w.tx(user, ops(trust(usd, "")))))
	w.ok(w.send(w.tx(issuer, ops(pay(user, "10", usd)))))
	w.ok(w.send(w.tx(dist, ops(trust(eur, "10")))))

	one := func(source *keypair.Full, op ...txnbuild.Operation) func() string {
		return func() string { return w.tx(source, op) }
	}
	with := func(change func(*txnbuild.TransactionParams), signers ...*keypair.Full) func() string {
		return func() string {
			p := params(user, w.sequence(user), ops(pay(dist, "1", lumen)))
			change(&p)
			return w.build(p, signers...)
		}
	}
	times := func(from, to int64) func(*txnbuild.TransactionParams) {
		return func(p *txnbuild.TransactionParams) { p.Preconditions.TimeBounds = txnbuild.NewTimebounds(from, to) }
	}
	ledgers := func(from, to uint32) func(*txnbuild.TransactionParams) {
		return func(p *txnbuild.TransactionParams) {
			p.Preconditions.LedgerBounds = &txnbuild.LedgerBounds{MinLedger: from, MaxLedger: to}
		}
	}
	next := func() uint32 { return w.net.history.last().seq + 1 }
	now := time.Now().Unix()
	ghost := txnbuild.CreditAsset{Code: "USD", Issuer: stranger.Address()}

	for _, c := range []struct {
		name    string
		tx      func() string
		code    string
		result  string // as recorded, "" if nothing was
		applied bool
	}{
		{"no trust line", one(user, pay(dist, "1", usd)), "tx_failed [op_no_trust]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAB////+gAAAAA=", true},
		{"source without one", one(user, pay(dist, "1", eur)), "tx_failed [op_src_no_trust]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAB/////QAAAAA=", true},
		{"more than the balance", one(user, pay(issuer, "11", usd)), "tx_failed [op_underfunded]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAB/////gAAAAA=", true},
		{"into the reserve", one(user, pay(dist, "98.5", lumen)), "tx_failed [op_underfunded]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAB/////gAAAAA=", true},
		{"no destination", one(user, pay(stranger, "1", lumen)), "tx_failed [op_no_destination]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAB////+wAAAAA=", true},
		{"issuer gone", one(user, pay(dist, "1", ghost)), "tx_failed [op_no_trust]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAB////+gAAAAA=", true},
		{"trust of no issuer", one(user, trust(ghost, "")), "tx_failed [op_no_issuer]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAG/////gAAAAA=", true},
		{"limit below balance", one(user, trust(usd, "5")), "tx_failed [op_invalid_limit]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAG/////QAAAAA=", true},
		{"drop a line in use", one(user, trust(usd, "0")), "tx_failed [op_invalid_limit]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAG/////QAAAAA=", true},
		{"drop no line", one(user, trust(eur, "0")), "tx_failed [op_invalid_limit]", "", true},
		{"trust oneself", one(issuer, trust(usd, "1")), "tx_failed [op_malformed]", "", false},
		{"line full", one(issuer, pay(dist, "10.0000001", eur)), "tx_failed [op_line_full]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAB////+AAAAAA=", true},
		{"account below reserve", one(user, &txnbuild.CreateAccount{Destination: stranger.Address(), Amount: "0.5"}), "tx_failed [op_low_reserve]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAA/////QAAAAA=", true},
		{"account exists", one(user, &txnbuild.CreateAccount{Destination: dist.Address(), Amount: "5"}), "tx_failed [op_already_exists]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAA/////AAAAAA=", true},
		{"account too dear", one(user, &txnbuild.CreateAccount{Destination: stranger.Address(), Amount: "500"}), "tx_failed [op_underfunded]", "", true},
		{"second of two", one(user, pay(dist, "1", lumen), pay(dist, "999", lumen)), "tx_failed [op_success op_underfunded]", "AAAAAAAAAMj/////AAAAAgAAAAAAAAABAAAAAAAAAAAAAAAB/////gAAAAA=", true},
		{"first of two", one(user, pay(dist, "999", lumen), pay(dist, "1", lumen)), "tx_failed [op_underfunded op_success]", "AAAAAAAAAMj/////AAAAAgAAAAAAAAAB/////gAAAAAAAAABAAAAAAAAAAA=", true},
		{"no fee left", one(poor, pay(user, "1", lumen)), "tx_insufficient_balance", "AAAAAAAAAGT////5AAAAAA==", false},
		{"flags that contradict", one(user, &txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthRequired}, ClearFlags: []txnbuild.AccountFlag{txnbuild.AuthRequired}}), "tx_failed [op_bad_flags]", "", false},
		{"clawback without revocable", one(user, &txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthClawbackEnabled}}), "tx_failed [op_auth_revocable_required]", "", true},
		{"oneself as signer", one(user, &txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: user.Address(), Weight: 1}}), "tx_failed [op_bad_signer]", "", false},
		{"another kind", one(user, &txnbuild.Inflation{}), "tx_failed [op_not_supported]", "", false},

		{"used number", with(func(p *txnbuild.TransactionParams) { sequence(p, -1) }, user), "tx_bad_seq", "AAAAAAAAAGT////7AAAAAA==", false},
		{"gap", with(func(p *txnbuild.TransactionParams) { sequence(p, 5) }, user), "tx_bad_seq", "AAAAAAAAAGT////7AAAAAA==", false},
		{"another's key", with(func(*txnbuild.TransactionParams) {}, dist), "tx_bad_auth", "AAAAAAAAAGT////6AAAAAA==", false},
		{"no key", with(func(*txnbuild.TransactionParams) {}), "tx_bad_auth", "AAAAAAAAAGT////6AAAAAA==", false},
		{"a key too many", with(func(*txnbuild.TransactionParams) {}, user, dist), "tx_bad_auth_extra", "AAAAAAAAAGT////2AAAAAA==", false},
		{"the same key twice", with(func(*txnbuild.TransactionParams) {}, user, user), "tx_bad_auth_extra", "AAAAAAAAAGT////2AAAAAA==", false},
		{"too late", with(times(0, now-100), user), "tx_too_late", "AAAAAAAAAGT////9AAAAAA==", false},
		{"too early", with(times(now+1000, 0), user), "tx_too_early", "AAAAAAAAAGT////+AAAAAA==", false},
		{"past the last ledger", func() string { return with(ledgers(0, next()), user)() }, "tx_too_late", "", false},
		{"before the first ledger", func() string { return with(ledgers(next()+1, 0), user)() }, "tx_too_early", "", false},
		{"too young", with(func(p *txnbuild.TransactionParams) { p.Preconditions.MinSequenceNumberLedgerGap = 1000 }, user), "tx_bad_minseq_age_or_gap", "", false},
		{"an extra signer missing", with(func(p *txnbuild.TransactionParams) { p.Preconditions.ExtraSigners = []string{dist.Address()} }, user), "tx_bad_auth", "", false},
		{"no account", func() string { return w.build(params(stranger, 1, ops(pay(dist, "1", lumen))), stranger) }, "tx_no_source_account", "AAAAAAAAAGT////4AAAAAA==", false},
		{"nothing for the operation's source", func() string {
			op := pay(dist, "1", lumen)
			op.SourceAccount = dist.Address()
			return w.tx(user, ops(op))
		}, "tx_failed [op_bad_auth]", "AAAAAAAAAGT/////AAAAAf////8AAAAA", false},
		{"low fee", edited(with(func(*txnbuild.TransactionParams) {}), user, func(tx *xdr.Transaction) { tx.Fee = 10 }), "tx_insufficient_fee", "AAAAAAAAAGT////3AAAAAA==", false},
		{"no operation", edited(with(func(*txnbuild.TransactionParams) {}), user, func(tx *xdr.Transaction) { tx.Operations = nil }), "tx_missing_operation", "AAAAAAAAAGT////8AAAAAA==", false},
		{"payment of nothing", edited(with(func(*txnbuild.TransactionParams) {}), user, func(tx *xdr.Transaction) { tx.Operations[0].Body.PaymentOp.Amount = 0 }), "tx_failed [op_malformed]", "AAAAAAAAAGT/////AAAAAQAAAAAAAAAB/////wAAAAA=", false},
		{"payment of less", edited(with(func(*txnbuild.TransactionParams) {}), user, func(tx *xdr.Transaction) { tx.Operations[0].Body.PaymentOp.Amount = math.MinInt64 }), "tx_failed [op_malformed]", "", false},
	} {
		before := w.get("/accounts/" + user.Address()).at("sequence")
		envelope := c.tx()
		r := w.send(envelope)
		if r.status != 400 || r.code() != c.code {
			t.Errorf("%s: %d %q, want %q", c.name, r.status, r.code(), c.code)
		}
		if got := r.at("extras", "result_xdr"); c.result != "" && got != c.result {
			t.Errorf("%s: result %v, want %s", c.name, got, c.result)
		}
		found := w.get("/transactions/" + w.hashOf(envelope))
		if (found.status == 200) != c.applied {
			t.Errorf("%s: looking it up gives %d", c.name, found.status)
		}
		if c.applied {
			again := w.post("/transactions", url.Values{"tx": {envelope}})
			if again.text != r.text {
				t.Errorf("%s: the second answer differs: %s", c.name, again.text)
			}
		} else if after := w.get("/accounts/" + user.Address()).at("sequence"); after != before {
			t.Errorf("%s: used up a sequence number", c.name)
		}
	}
}

func sequence(p *txnbuild.TransactionParams, by int64) {
	a := as[*txnbuild.SimpleAccount](p.SourceAccount)
	a.Sequence += by
}

// edited changes what txnbuild would not build, and signs it.
func edited(build func() string, signer *keypair.Full, change func(*xdr.Transaction)) func() string {
	return func() string {
		var e xdr.TransactionEnvelope
		if err := xdr.SafeUnmarshalBase64(build(), &e); err != nil {
			panic(err)
		}
		change(&e.V1.Tx)
		hash := must(network.HashTransactionInEnvelope(e, network.TestNetworkPassphrase))
		e.V1.Signatures = []xdr.DecoratedSignature{must(signer.SignDecorated(hash[:]))}
		return must(xdr.MarshalBase64(e))
	}
}

func TestPaymentsBothWays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, issuer := key("a"), key("b"), key("issuer")
	w.fund("100", a, b, issuer)
	usd := usd(issuer)
	w.ok(w.send(w.tx(a, ops(trust(usd, "")))))
	w.ok(w.send(w.tx(b, ops(trust(usd, "100")))))
	w.ok(w.send(w.tx(issuer, ops(pay(a, "60", usd)))))
	// A payment to oneself, on to another, and back to the issuer.
	w.ok(w.send(w.tx(a, ops(pay(a, "60", usd), pay(b, "50.0000001", usd), pay(a, "1", lumen)))))
	w.ok(w.send(w.tx(b, ops(pay(issuer, "0.0000001", usd)))))
	if got := w.get("/accounts/"+a.Address()).at("balances", 0, "balance"); got != "9.9999999" {
		t.Errorf("a has %v", got)
	}
	if got := w.get("/accounts/"+b.Address()).at("balances", 0, "balance"); got != "50.0000000" {
		t.Errorf("b has %v", got)
	}
	// An emptied line can go, and gives its reserve back.
	w.ok(w.send(w.tx(a, ops(pay(issuer, "9.9999999", usd), trust(usd, "0")))))
	if got := w.get("/accounts/" + a.Address()).at("subentry_count"); got != 0.0 {
		t.Errorf("a has %v subentries", got)
	}
}

func TestTrustLineOfAuthRequiredIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, issuer := key("a"), key("issuer")
	w.fund("100", a, issuer)
	w.ok(w.send(w.tx(issuer, ops(&txnbuild.SetOptions{
		SetFlags:   []txnbuild.AccountFlag{txnbuild.AuthRequired, txnbuild.AuthRevocable, txnbuild.AuthClawbackEnabled},
		HomeDomain: new("anchor.example"),
	}))))
	w.ok(w.send(w.tx(a, ops(trust(usd(issuer), "")))))
	line := as[object](w.get("/accounts/"+a.Address()).at("balances", 0))
	if line["is_authorized"] != false || line["is_clawback_enabled"] != true || line["limit"] != "922337203685.4775807" {
		t.Errorf("the line is %v", line)
	}
	if r := w.send(w.tx(issuer, ops(pay(a, "1", usd(issuer))))); r.code() != "tx_failed [op_not_authorized]" {
		t.Errorf("paying into it: %s", r.code())
	}
	if got := w.get("/accounts/" + issuer.Address()).at("home_domain"); got != "anchor.example" {
		t.Errorf("home domain %v", got)
	}
}

func TestMultisig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, co := key("a"), key("b"), key("co")
	w.fund("100", a, b)
	w.ok(w.send(w.tx(a, ops(&txnbuild.SetOptions{
		LowThreshold: new(txnbuild.Threshold(1)), MediumThreshold: new(txnbuild.Threshold(2)), HighThreshold: new(txnbuild.Threshold(3)),
		Signer: &txnbuild.Signer{Address: co.Address(), Weight: 1},
	}))))
	if r := w.send(w.tx(a, ops(pay(b, "1", lumen)))); r.code() != "tx_failed [op_bad_auth]" {
		t.Errorf("one of two: %q", r.code())
	}
	w.ok(w.send(w.tx(a, ops(pay(b, "1", lumen)), co)))
	if r := w.send(w.tx(a, ops(&txnbuild.SetOptions{MasterWeight: new(txnbuild.Threshold(5))}), co)); r.code() != "tx_failed [op_bad_auth]" {
		t.Errorf("below the high threshold: %q", r.code())
	}
	// The co-signer alone may lend the sequence number: that takes only the
	// low threshold.
	op := pay(b, "1", lumen)
	op.SourceAccount = b.Address()
	w.ok(w.send(w.build(params(a, w.sequence(a), ops(op)), co, b)))
}

func TestFeeBump(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, payer := key("a"), key("b"), key("payer")
	w.fund("100", a, b, payer)
	before := w.get("/accounts/"+a.Address()).at("balances", 0, "balance")

	// A channel that pays nothing itself.
	inner := edited(func() string { return w.tx(a, ops(pay(a, "1", lumen))) }, a, func(tx *xdr.Transaction) { tx.Fee = 0 })()
	r := w.ok(w.send(w.bump(inner, payer, 100)))
	if r.at("fee_charged") != "200" || r.at("max_fee") != "200" || r.at("inner_transaction", "max_fee") != "0" || r.at("fee_account") != payer.Address() {
		t.Errorf("the fee bump is %s", r.text)
	}
	if after := w.get("/accounts/"+a.Address()).at("balances", 0, "balance"); after != before {
		t.Errorf("the channel had %v and has %v", before, after)
	}
	// The inner one has landed with it.
	if again := w.ok(w.post("/transactions", url.Values{"tx": {inner}})); again.at("hash") != w.hashOf(inner) {
		t.Errorf("the inner one: %s", again.text)
	}

	for name, c := range map[string]struct{ envelope, code string }{
		"an account without lumens pays": {w.bump(w.tx(a, ops(pay(b, "1", lumen))), key("nobody"), 100), "tx_no_source_account"},
		"a bid below the inner one's":    {lowBump(w, w.tx(a, ops(pay(b, "1", lumen))), payer, 199), "tx_insufficient_fee"},
		"a bad inner number": {w.bump(w.build(params(a, w.sequence(a)+7, ops(pay(b, "1", lumen))), a), payer, 100),
			"tx_fee_bump_inner_failed tx_bad_seq"},
	} {
		if r := w.send(c.envelope); r.code() != c.code {
			t.Errorf("%s: %q, want %q", name, r.code(), c.code)
		}
	}
}

// lowBump makes a fee bump that txnbuild would not.
func lowBump(w *world, inner string, payer *keypair.Full, fee int64) string {
	var e xdr.TransactionEnvelope
	if err := xdr.SafeUnmarshalBase64(w.bump(inner, payer, 100), &e); err != nil {
		panic(err)
	}
	e.FeeBump.Tx.Fee = xdr.Int64(fee)
	hash := must(network.HashTransactionInEnvelope(e, w.net.cfg.Passphrase))
	e.FeeBump.Signatures = []xdr.DecoratedSignature{must(payer.SignDecorated(hash[:]))}
	return must(xdr.MarshalBase64(e))
}

// What was valid when submitted can fail when applied: it is in the ledger,
// its fee is gone.
func TestFailsWhenApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := key("a"), key("b"), key("c")
	w.fund("100", a, b, c)
	// Two in one ledger both spend what c has only once.
	spend := func(source *keypair.Full) string {
		op := pay(source, "60", lumen)
		op.SourceAccount = c.Address()
		return w.tx(source, ops(op), c)
	}
	replies := w.sendAll(spend(a), spend(b))
	good, bad := replies[0], replies[1]
	if good.status != http.StatusOK {
		good, bad = bad, good
	}
	if good.status != 200 || bad.code() != "tx_failed [op_underfunded]" {
		t.Fatalf("%d %q and %d %q", good.status, good.code(), bad.status, bad.code())
	}
	r := w.get("/accounts/" + c.Address() + "/payments?include_failed=true&order=desc&limit=2")
	if x, y := r.at("_embedded", "records", 0, "transaction_successful"), r.at("_embedded", "records", 1, "transaction_successful"); x == y {
		t.Errorf("both are %v", x)
	}
	if n := len(as[array](w.get("/accounts/"+c.Address()+"/payments").at("_embedded", "records"))); n != 2 {
		t.Errorf("%d payments without the failed one, want 2", n)
	}
	l := w.get("/ledgers?order=desc&limit=1")
	if l.at("_embedded", "records", 0, "failed_transaction_count") != 1.0 || l.at("_embedded", "records", 0, "successful_transaction_count") != 1.0 {
		t.Errorf("the ledger is %s", l.text)
	}
}

func TestPreAuthorizedTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := key("a"), key("b")
	w.fund("100", a, b)
	later := w.build(params(a, w.sequence(a)+1, ops(pay(b, "1", lumen)))) // unsigned
	t0 := must(decodeBase64(later, w.net.cfg.Passphrase))
	hashKey := xdr.Uint256(t0.hash)
	signer := xdr.SignerKey{Type: xdr.SignerKeyTypeSignerKeyTypePreAuthTx, PreAuthTx: &hashKey}
	w.ok(w.send(w.tx(a, ops(&txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: signer.Address(), Weight: 1}}))))
	if got := w.get("/accounts/" + a.Address()).text; !strings.Contains(got, "preauth_tx") {
		t.Errorf("no such signer: %s", got)
	}
	w.ok(w.send(later))
	if got := w.get("/accounts/" + a.Address()).at("subentry_count"); got != 0.0 {
		t.Errorf("the one-time signer is still there")
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := key("a"), key("b")
	w.fund("1000", a, b)
	for range 3 {
		w.ok(w.send(w.tx(a, ops(pay(b, "1", lumen), pay(b, "2", lumen), trustNothing()))))
	}
	var all []string
	path := "/accounts/" + a.Address() + "/payments?limit=2"
	for {
		r := w.ok(w.get(path))
		records := as[array](r.at("_embedded", "records"))
		if len(records) == 0 {
			break
		}
		for _, rec := range records {
			all = append(all, as[string](as[object](rec)["id"]))
		}
		path = strings.TrimPrefix(as[string](r.at("_links", "next", "href")), w.url)
	}
	if len(all) != 7 {
		t.Fatalf("%d payments: %v", len(all), all)
	}
	// Backwards from the end gives the same.
	var back []string
	path = "/accounts/" + a.Address() + "/payments?limit=3&order=desc"
	for {
		r := w.ok(w.get(path))
		records := as[array](r.at("_embedded", "records"))
		if len(records) == 0 {
			break
		}
		for _, rec := range records {
			back = append([]string{as[string](as[object](rec)["id"])}, back...)
		}
		path = strings.TrimPrefix(as[string](r.at("_links", "next", "href")), w.url)
	}
	if strings.Join(all, " ") != strings.Join(back, " ") {
		t.Errorf("forwards %v, backwards %v", all, back)
	}
	// The prev link of a page leads back before it.
	r := w.get("/accounts/" + a.Address() + "/payments?limit=2&cursor=" + all[3])
	prev := w.get(strings.TrimPrefix(as[string](r.at("_links", "prev", "href")), w.url))
	if got := prev.at("_embedded", "records", 0, "id"); got != all[3] {
		t.Errorf("prev begins with %v, want %v", got, all[3])
	}
	if n := len(as[array](w.get("/accounts/"+a.Address()+"/operations?limit=200").at("_embedded", "records"))); n != 10 {
		t.Errorf("%d operations, want 10", n)
	}
	if n := len(as[array](w.get("/accounts/"+b.Address()+"/transactions?limit=200").at("_embedded", "records"))); n != 4 {
		t.Errorf("%d transactions, want 4", n)
	}
	if r := w.get("/operations/" + all[2] + "?join=transactions"); r.at("transaction", "memo_type") != "none" {
		t.Errorf("the operation is %s", r.text)
	}
	for _, path := range []string{"/payments?limit=200", "/operations?limit=200", "/transactions", "/ledgers/4/payments", "/ledgers/4/transactions", "/ledgers/4"} {
		w.ok(w.get(path))
	}
}

// trustNothing is an operation that is no payment.
func trustNothing() txnbuild.Operation {
	return &txnbuild.SetOptions{HomeDomain: new("example.org")}
}
