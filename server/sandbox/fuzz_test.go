package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// A town is a network in which something has happened, and nobody serves it.
type town struct {
	testing.TB
	net     *Network
	handler http.Handler
	keys    []*keypair.Full // some of those recorded
}

// alarm fails the test when the network logs an error.
type alarm struct {
	slog.Handler
	testing.TB
}

func (a alarm) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (a alarm) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(attr slog.Attr) bool {
		a.Errorf("%s: %s", r.Message, attr)
		return true
	})
	return nil
}

func newTown(t testing.TB) *town {
	t.Helper()
	// One operation in a ledger at first means one channel of friendbot.
	n, err := Open(Config{CloseEvery: -1, MaxOps: 1, Logger: slog.New(alarm{slog.DiscardHandler, t})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	n.cfg.MaxOps, n.queue.maxOps = 1000, 1000
	k := must(recordings()).keys
	w := &town{TB: t, net: n, handler: n.Handler()}
	var create []txnbuild.Operation
	for _, name := range []string{"issuer", "user", "dist", "user2", "authreq", "authuser", "maker", "merged"} {
		w.keys = append(w.keys, k[name])
		create = append(create, &txnbuild.CreateAccount{Destination: k[name].Address(), Amount: "1000"})
	}
	w.send(must(rootKey(n.cfg.Passphrase)), create)
	user, dist, issuer, strict := k["user"], k["dist"], k["issuer"], k["authreq"]
	reg := txnbuild.CreditAsset{Code: "REG", Issuer: strict.Address()}
	w.send(user, ops(
		&txnbuild.SetOptions{SourceAccount: strict.Address(), SetFlags: []txnbuild.AccountFlag{
			txnbuild.AuthRequired, txnbuild.AuthRevocable, txnbuild.AuthClawbackEnabled,
		}},
		trust(usd(issuer), "1000"), trust(reg, ""),
		&txnbuild.ChangeTrust{SourceAccount: dist.Address(), Line: must(usd(issuer).ToChangeTrustAsset())},
		&txnbuild.Payment{SourceAccount: issuer.Address(), Destination: dist.Address(), Amount: "500", Asset: usd(issuer)},
		&txnbuild.Payment{SourceAccount: dist.Address(), Destination: muxedAddress(user, 7), Amount: "5", Asset: usd(issuer)},
		&txnbuild.ManageData{Name: "kyc", Value: []byte("done")},
		&txnbuild.SetOptions{SourceAccount: k["user2"].Address(), HomeDomain: new("example.org"),
			Signer: &txnbuild.Signer{Address: dist.Address(), Weight: 1}},
		&txnbuild.BeginSponsoringFutureReserves{SourceAccount: dist.Address(), SponsoredID: user.Address()},
		&txnbuild.ManageData{Name: "sponsored", Value: []byte{1}},
		&txnbuild.EndSponsoringFutureReserves{},
		&txnbuild.CreateClaimableBalance{Amount: "3", Asset: usd(issuer), Destinations: []txnbuild.Claimant{
			txnbuild.NewClaimant(dist.Address(), nil),
		}},
	), issuer, dist, strict, k["user2"])
	w.send(k["maker"], ops(pay(user, "5", usd(issuer)))) // fails
	return w
}

// send puts a transaction into a ledger of its own.
func (w *town) send(source *keypair.Full, list []txnbuild.Operation, others ...*keypair.Full) {
	w.Helper()
	tx := must(txnbuild.NewTransaction(params(source, w.next(idOf(xdr.MustAddress(source.Address()))), list)))
	text := must(must(tx.Sign(w.net.cfg.Passphrase, append(others, source)...)).Base64())
	if st, result := w.net.enqueue(must(decodeBase64(text, w.net.cfg.Passphrase))); st != statusPending {
		w.Fatal(st, codesOf(result))
	}
	w.net.CloseLedger()
}

func (w *town) next(id accountID) int64 {
	if a := w.net.state.account(id); a != nil {
		return a.sequence + 1
	}
	return 1
}

// answer serves a request. What the client would have waited for is not
// waited for.
func (w *town) answer(r *http.Request) reply {
	ctx, cancel := context.WithCancel(w.Context())
	cancel()
	out := httptest.NewRecorder()
	w.handler.ServeHTTP(out, r.WithContext(ctx))
	got := reply{status: out.Code, header: out.Header(), text: out.Body.String()}
	_ = json.Unmarshal(out.Body.Bytes(), &got.body)
	return got
}

func (w *town) get(path string) reply {
	return w.answer(httptest.NewRequest("GET", path, nil))
}

func (w *town) post(path string, form url.Values) reply {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.answer(r)
}

// sound fails unless an answer is of a known status, and a refusal a problem.
func (w *town) sound(what string, got reply, known ...int) {
	w.Helper()
	if !slices.Contains(known, got.status) {
		w.Fatalf("%s: status %d: %s", what, got.status, got.text)
	}
	kind, _ := got.at("type").(string)
	title, _ := got.at("title").(string)
	problem := strings.HasPrefix(kind, problemBase) && title != "" && got.at("status") == float64(got.status) &&
		got.header.Get("Content-Type") == "application/problem+json; charset=utf-8"
	switch {
	case got.status == 405 && got.text == "":
	case got.status == 200 && strings.HasPrefix(got.header.Get("Content-Type"), asStream):
		if !wholeStream.MatchString(got.text) {
			w.Fatalf("%s: no stream: %q", what, got.text)
		}
	case got.status == 200 && strings.HasPrefix(got.header.Get("Content-Type"), asBytes):
	case got.status < 300 && got.body == nil:
		w.Fatalf("%s: no JSON: %q", what, got.text)
	case got.status >= 400 && !problem && got.at("tx_status") == nil:
		w.Fatalf("%s: no problem: %v %q", what, got.header, got.text)
	}
}

var wholeStream = regexp.MustCompile(`^retry: 1000\nevent: open\ndata: "hello"\n\n(id: [^\n]+\ndata: \{[^\n]+\}\n\n)*(data: \{[^\n]+\}\n\n)*retry: 10\nevent: close\ndata: "byebye"\n\n$`)

// FuzzEnvelope submits whatever it is given, first as it is, then as its
// accounts might have meant it: between accounts there are, with the right
// sequence number, fee and signatures. Whatever happens, nothing panics, takes
// long, or makes money.
func FuzzEnvelope(f *testing.F) {
	for _, t := range recordedEnvelopes(f) {
		f.Add(t.raw)
	}
	w := newTown(f)
	for _, list := range w.rareOperations() {
		f.Add(must(must(txnbuild.NewTransaction(params(w.keys[1], 1, list))).ToXDR().MarshalBinary()))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		start := time.Now()
		w := newTown(t)
		landed := w.submit(raw)
		if tx, err := decode(raw, w.net.cfg.Passphrase); err == nil {
			w.faithful(tx)
			landed = w.submit(w.meant(tx)) || landed
		}
		if landed {
			for _, k := range w.keys {
				w.sound("account", w.get("/accounts/"+k.Address()), 200, 404)
			}
			for _, path := range []string{"/effects?order=desc&limit=200", "/assets", "/claimable_balances?claimant=" + w.keys[0].Address()} {
				w.sound(path, w.get(path), 200)
			}
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("it took %s", d)
		}
	})
}

// rareOperations were not recorded.
func (w *town) rareOperations() [][]txnbuild.Operation {
	issuer, user, dist := w.keys[0], w.keys[1], w.keys[2]
	begin := &txnbuild.BeginSponsoringFutureReserves{SponsoredID: dist.Address()}
	end := &txnbuild.EndSponsoringFutureReserves{SourceAccount: dist.Address()}
	account, name := user.Address(), "sponsored"
	var balance string
	for id := range w.net.state.claimables {
		balance = id.String()
	}
	claimants := []txnbuild.Claimant{txnbuild.NewClaimant(dist.Address(), new(txnbuild.AndPredicate(
		txnbuild.NotPredicate(txnbuild.BeforeRelativeTimePredicate(1)), txnbuild.BeforeAbsoluteTimePredicate(1<<40))))}
	return [][]txnbuild.Operation{
		ops(begin, &txnbuild.ManageData{SourceAccount: dist.Address(), Name: "x", Value: []byte("y")}, end),
		ops(begin, &txnbuild.ChangeTrust{SourceAccount: dist.Address(), Line: must(usd(user).ToChangeTrustAsset())}, end),
		ops(begin, &txnbuild.CreateClaimableBalance{SourceAccount: dist.Address(), Amount: "1", Asset: lumen, Destinations: claimants}, end),
		ops(begin, &txnbuild.SetOptions{SourceAccount: dist.Address(), Signer: &txnbuild.Signer{Address: user.Address(), Weight: 1}}, end),
		ops(begin, &txnbuild.CreateAccount{SourceAccount: dist.Address(), Destination: key("new").Address(), Amount: "0"}, end),
		ops(&txnbuild.RevokeSponsorship{SourceAccount: dist.Address(), SponsorshipType: txnbuild.RevokeSponsorshipTypeData, Data: &txnbuild.DataID{Account: account, DataName: name}}),
		ops(&txnbuild.RevokeSponsorship{SponsorshipType: txnbuild.RevokeSponsorshipTypeAccount, Account: &account}),
		ops(&txnbuild.RevokeSponsorship{SponsorshipType: txnbuild.RevokeSponsorshipTypeClaimableBalance, ClaimableBalance: &balance}),
		ops(&txnbuild.ClaimClaimableBalance{SourceAccount: dist.Address(), BalanceID: balance}),
		ops(&txnbuild.ClawbackClaimableBalance{SourceAccount: issuer.Address(), BalanceID: balance}),
		ops(&txnbuild.AccountMerge{SourceAccount: w.keys[7].Address(), Destination: account}, pay(w.keys[7], "1", lumen)),
		ops(&txnbuild.BumpSequence{BumpTo: 1 << 62}, &txnbuild.BumpSequence{BumpTo: 0}),
		ops(&txnbuild.Inflation{}),
		ops(&txnbuild.SetTrustLineFlags{SourceAccount: issuer.Address(), Trustor: account, Asset: usd(issuer), SetFlags: []txnbuild.TrustLineFlag{txnbuild.TrustLineAuthorized}}),
		ops(&txnbuild.PathPaymentStrictSend{SendAsset: usd(issuer), SendAmount: "1", Destination: dist.Address(), DestAsset: usd(issuer), DestMin: "1"},
			&txnbuild.PathPaymentStrictReceive{SendAsset: lumen, SendMax: "1", Destination: dist.Address(), DestAsset: usd(issuer), DestAmount: "1", Path: []txnbuild.Asset{lumen}}),
	}
}

// recordedEnvelopes are of each kind one.
func recordedEnvelopes(t testing.TB) map[string]*transaction {
	t.Helper()
	all, err := recordings()
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]*transaction)
	for _, id := range slices.Sorted(maps.Keys(all.exchanges)) {
		for _, text := range envelopesSent(all.exchanges[id]) {
			tx, err := decodeBase64(text, recordedPassphrase)
			if err != nil {
				continue
			}
			kind := fmt.Sprint(tx.envelope.Type, tx.envelope.Memo().Type, tx.envelope.Preconditions().Type)
			for _, op := range tx.operations {
				kind += fmt.Sprint(op.Body.Type, op.SourceAccount != nil)
			}
			kinds[kind] = tx
		}
	}
	return kinds
}

// submit sends an envelope, closes a ledger and looks at what came of it.
func (w *town) submit(raw []byte) (landed bool) {
	form := url.Values{"tx": {base64.StdEncoding.EncodeToString(raw)}}
	got := w.post("/transactions_async", form)
	w.sound("asynchronously", got, 201, 400, 409, 503)
	w.net.CloseLedger()
	conserved(w, w.net)
	if got.status == 400 {
		w.sound("once more", w.post("/transactions", form), 400, 504)
		return false
	}
	path := fmt.Sprint("/transactions/", got.at("hash"))
	found := w.get(path)
	w.sound("the transaction", found, 200, 404)
	if landed = found.status == 200; landed {
		w.sound("once more", w.post("/transactions", form), 200, 400)
		for _, list := range []string{"/operations?join=transactions", "/payments", "/effects"} {
			w.sound(list, w.get(path+list), 200)
		}
	}
	return landed
}

// faithful checks that an envelope is what it says: encoded again it is the
// same, under the same hash.
func (w *town) faithful(t *transaction) {
	again := must(t.envelope.MarshalBinary())
	if !bytes.Equal(again, t.raw) {
		w.Errorf("decoded and encoded again:\n%x\n%x", t.raw, again)
	}
	if hash := must(network.HashTransactionInEnvelope(t.envelope, w.net.cfg.Passphrase)); hash != t.hash {
		w.Errorf("hash %x, then %x", t.hash, hash)
	}
	if back := must(decode(again, w.net.cfg.Passphrase)); back.hash != t.hash || back.innerHash != t.innerHash {
		w.Errorf("hash %x, decoded again %x", t.hash, back.hash)
	}
}

// meant is the envelope with its sources replaced, and signed by everybody.
func (w *town) meant(t *transaction) []byte {
	inner := t.envelope
	if t.feeBump {
		inner = xdr.TransactionEnvelope{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: t.envelope.FeeBump.Tx.InnerTx.V1}
	}
	switch {
	case inner.V0 != nil:
		w.mean(&inner.V0.Tx.SourceAccountEd25519, inner.V0.Tx.Operations)
		inner.V0.Tx.SeqNum = xdr.SequenceNumber(w.next(accountID(inner.V0.Tx.SourceAccountEd25519)))
		inner.V0.Tx.Fee, inner.V0.Tx.TimeBounds = 1e6, nil
		inner.V0.Signatures = w.signatures(inner)
	default:
		w.meanMuxed(&inner.V1.Tx.SourceAccount)
		w.mean(nil, inner.V1.Tx.Operations)
		inner.V1.Tx.SeqNum = xdr.SequenceNumber(w.next(idOfMuxed(inner.V1.Tx.SourceAccount)))
		inner.V1.Tx.Fee, inner.V1.Tx.Cond = 1e6, xdr.Preconditions{}
		inner.V1.Signatures = w.signatures(inner)
	}
	if t.feeBump {
		bump := t.envelope.FeeBump
		w.meanMuxed(&bump.Tx.FeeSource)
		bump.Tx.Fee = 1e7
		bump.Signatures = w.signatures(t.envelope)
		inner = t.envelope
	}
	return must(inner.MarshalBinary())
}

// mean gives the sources of operations to accounts there are.
func (w *town) mean(source *xdr.Uint256, list []xdr.Operation) {
	if source != nil {
		*source = w.someone(*source)
	}
	for i := range list {
		if list[i].SourceAccount != nil {
			w.meanMuxed(list[i].SourceAccount)
		}
	}
}

func (w *town) meanMuxed(m *xdr.MuxedAccount) {
	if m.Ed25519 != nil {
		*m.Ed25519 = w.someone(*m.Ed25519)
	} else {
		m.Med25519.Ed25519 = w.someone(m.Med25519.Ed25519)
	}
}

func (w *town) someone(like xdr.Uint256) xdr.Uint256 {
	if slices.ContainsFunc(w.keys, func(k *keypair.Full) bool { return k.Address() == accountID(like).String() }) {
		return like
	}
	return xdr.Uint256(must(strkey.Decode(strkey.VersionByteAccountID, w.keys[int(like[0])%len(w.keys)].Address())))
}

// signatures are those of all that an envelope needs.
func (w *town) signatures(env xdr.TransactionEnvelope) []xdr.DecoratedSignature {
	hash := must(network.HashTransactionInEnvelope(env, w.net.cfg.Passphrase))
	needed := make(map[string]bool)
	if env.IsFeeBump() {
		payer := env.FeeBumpAccount()
		needed[idOfMuxed(payer).String()] = true
	} else {
		source := env.SourceAccount()
		needed[idOfMuxed(source).String()] = true
		for _, op := range env.Operations() {
			if op.SourceAccount != nil {
				needed[idOfMuxed(*op.SourceAccount).String()] = true
			}
		}
	}
	var out []xdr.DecoratedSignature
	for _, k := range w.keys {
		if needed[k.Address()] {
			out = append(out, must(k.SignDecorated(hash[:])))
		}
	}
	return out
}

// FuzzQuery asks every path anything. The answer is one that Horizon gives,
// never an error of the server.
func FuzzQuery(f *testing.F) {
	w := newTown(f)
	var routes []string
	for route, e := range w.net.api().endpoints() {
		if e.act == nil || e.list != nil {
			routes = append(routes, strings.TrimSuffix(route, "{$}"))
		}
	}
	routes = append(routes, "/health", "/%s", "/friendbot", "/transactions_async")
	slices.Sort(routes)
	user := w.keys[1].Address()
	last := w.net.history.last()
	ids := []string{
		user, user[:55], "GBAD", muxedAddress(w.keys[1], 1), "0", "1", "2", "-1", fmt.Sprint(int64(at(last.seq, 1, 1))),
		"9223372036854775807", "18446744073709551615", fmt.Sprintf("%x", last.txs[0].hash), strings.Repeat("AB", 32), "%2e%2e", "%ff", "a%2Fb", "",
	}
	queries := []string{
		"", "limit=200&order=desc", "limit=0", "order=sideways", "cursor=now", "cursor=-5", "cursor=1-2", "cursor=9223372036854775807-9223372036854775807&order=desc",
		"cursor=0&limit=1", "join=transactions&include_failed=true", "join=x&include_failed=x", "asset=native", "asset=USD:" + w.keys[0].Address(),
		"asset=native:&signer=x", "signer=" + user, "sponsor=" + user, "claimant=" + user, "asset_code=USD&asset_issuer=" + w.keys[0].Address(),
		"asset_code=%00&asset_issuer=x", "cursor=USD_" + w.keys[0].Address() + "_credit_alphanum4&order=desc", "addr=GBAD", "tx=AAAA", "%zz;&=&&a=%ff",
	}
	for i := range routes {
		for j, id := range ids {
			f.Add(uint8(i), id, queries[(i+j)%len(queries)], "", "")
		}
		for _, q := range queries {
			f.Add(uint8(i), user, q, asStream, "")
		}
		f.Add(uint8(i), user, "cursor=now", "*/*;q=0.1, application/octet-stream, text/event-stream;q=1e9", "0")
		f.Add(uint8(i), user, "", asStream, "99999999999999999999-")
	}
	f.Fuzz(func(t *testing.T, route uint8, id, query, accept, lastEvent string) {
		w := &town{TB: t, net: w.net, handler: w.handler}
		path := anyPart.ReplaceAllLiteralString(strings.ReplaceAll(routes[int(route)%len(routes)], "%s", "{}"), id)
		line := "GET " + path + "?" + query + " HTTP/1.1"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line + "\r\nHost: x\r\nAccept: " + accept + "\r\nLast-Event-ID: " + lastEvent + "\r\n\r\n")))
		if err != nil {
			return // net/http refuses it
		}
		if _, err := strkey.Decode(strkey.VersionByteAccountID, r.URL.Query().Get("addr")); err == nil {
			return // friendbot would wait for a ledger
		}
		start := time.Now()
		got := w.answer(r)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %s", line, d)
		}
		w.sound(line, got, 200, 400, 404, 405, 406, 410)
		if records, is := got.at("_embedded", "records").([]any); is && len(records) > maxLimit {
			t.Errorf("%s gave %d records", line, len(records))
		}
	})
}

var anyPart = regexp.MustCompile(`\{[^/]*\}`)
