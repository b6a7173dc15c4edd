package sandbox

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

func send(amount string, from txnbuild.Asset, to *keypair.Full, least string, in txnbuild.Asset, path ...txnbuild.Asset) *txnbuild.PathPaymentStrictSend {
	return &txnbuild.PathPaymentStrictSend{SendAsset: from, SendAmount: amount, Destination: to.Address(), DestAsset: in, DestMin: least, Path: path}
}

func receive(most string, from txnbuild.Asset, to *keypair.Full, amount string, in txnbuild.Asset, path ...txnbuild.Asset) *txnbuild.PathPaymentStrictReceive {
	return &txnbuild.PathPaymentStrictReceive{SendAsset: from, SendMax: most, Destination: to.Address(), DestAsset: in, DestAmount: amount, Path: path}
}

func rateOf(account *keypair.Full, sells, buys string, n, d int32) Rate {
	return Rate{Account: account.Address(), Sells: sells, Buys: buys, N: n, D: d}
}

// holds tells how much of an asset an account has, in units.
func (w *world) holds(k *keypair.Full, of txnbuild.Asset) string {
	w.Helper()
	for _, b := range as[array](w.ok(w.get("/accounts/" + k.Address())).at("balances")) {
		b := as[object](b)
		if of.IsNative() && b["asset_type"] == "native" || !of.IsNative() && b["asset_code"] == of.GetCode() && b["asset_issuer"] == of.GetIssuer() {
			return strings.TrimRight(strings.TrimRight(as[string](b["balance"]), "0"), ".")
		}
	}
	return ""
}

// A market has people with both dollars and euros, and a maker who sells euros
// for dollars at 11/10, lumens for euros at 1/3 and nothing else.
type market struct {
	*world
	sender, receiver, maker, issuer *keypair.Full
	usd, eur                        txnbuild.CreditAsset
}

func newMarket(t *testing.T, change ...func(*Config)) *market {
	t.Helper()
	m := &market{sender: key("sender"), receiver: key("receiver"), maker: key("maker"), issuer: key("issuer")}
	m.usd, m.eur = usd(m.issuer), txnbuild.CreditAsset{Code: "EUR", Issuer: m.issuer.Address()}
	m.world = newWorld(t, append(change, func(c *Config) { c.Rates = append(c.Rates, m.rates()...) })...)
	m.fund("1000", m.sender, m.receiver, m.maker, m.issuer)
	for _, k := range []*keypair.Full{m.sender, m.receiver, m.maker} {
		m.ok(m.send(m.tx(k, ops(trust(m.usd, "1000"), trust(m.eur, "1000")))))
	}
	m.ok(m.send(m.tx(m.issuer, ops(pay(m.sender, "500", m.usd), pay(m.maker, "300", m.eur)))))
	return m
}

func (m *market) rates() []Rate {
	return []Rate{
		rateOf(m.maker, canonical(m.eur), canonical(m.usd), 11, 10),
		rateOf(m.maker, "native", canonical(m.eur), 1, 3),
	}
}

func canonical(a txnbuild.CreditAsset) string { return a.Code + ":" + a.Issuer }

// Each way a path payment can go: what it answers, and what the four have then.
func TestPathPayments(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	usd, eur, stranger := m.usd, m.eur, key("stranger")
	gbp := txnbuild.CreditAsset{Code: "GBP", Issuer: m.issuer.Address()}
	for _, c := range []struct {
		name string
		op   txnbuild.Operation
		code string
		// What changes by it: dollars of the sender; euros of the receiver and
		// the maker.
		sent, got, left string
	}{
		{"send", send("11", usd, m.receiver, "10", eur), "", "489", "10", "290"},
		{"receive", receive("5.5", usd, m.receiver, "5", eur), "", "483.5", "15", "285"},
		{"what is sent is rounded up", receive("0.0000002", usd, m.receiver, "0.0000001", eur), "", "483.4999998", "15.0000001", "284.9999999"},
		{"what is got is rounded down", send("0.0000002", usd, m.receiver, "0.0000001", eur), "", "483.4999996", "15.0000002", "284.9999998"},
		{"too little for anything", send("0.0000001", usd, m.receiver, "0.0000001", eur), "op_under_dest_min", "483.4999996", "15.0000002", "284.9999998"},
		{"less than asked for", send("11", usd, m.receiver, "10.0000001", eur), "op_under_dest_min", "483.4999996", "15.0000002", "284.9999998"},
		{"dearer than allowed", receive("5.4999999", usd, m.receiver, "5", eur), "op_over_source_max", "483.4999996", "15.0000002", "284.9999998"},
		{"none of it", send("1", eur, m.receiver, "1", usd), "op_underfunded", "483.4999996", "15.0000002", "284.9999998"},
		{"no rate", receive("1", usd, m.receiver, "1", lumen), "op_too_few_offers", "483.4999996", "15.0000002", "284.9999998"},
		{"no rate on the way", send("1", usd, m.receiver, "1", eur, gbp), "op_too_few_offers", "483.4999996", "15.0000002", "284.9999998"},
		{"more than the maker has", receive("400", usd, m.receiver, "285", eur), "op_too_few_offers", "483.4999996", "15.0000002", "284.9999998"},
		{"more than there can be", receive("922337203685.4775807", usd, m.issuer, "922337203685.4775807", eur), "op_too_few_offers", "483.4999996", "15.0000002", "284.9999998"},
		{"more than the sender has", send("500", usd, m.receiver, "1", eur), "op_underfunded", "483.4999996", "15.0000002", "284.9999998"},
		{"nobody there", send("1", usd, stranger, "0.5", eur), "op_no_destination", "483.4999996", "15.0000002", "284.9999998"},
		{"nobody there to be paid", receive("1", usd, stranger, "0.5", eur), "op_no_destination", "483.4999996", "15.0000002", "284.9999998"},
		{"no line", send("1", usd, m.receiver, "0.5", gbp), "op_too_few_offers", "483.4999996", "15.0000002", "284.9999998"},
		{"no line to be paid", receive("1", usd, m.receiver, "0.5", gbp), "op_no_trust", "483.4999996", "15.0000002", "284.9999998"},
		{"nothing", receive("1", usd, m.receiver, "0", eur), "op_malformed", "483.4999996", "15.0000002", "284.9999998"},
		{"for nothing", send("1", usd, m.receiver, "0", eur), "op_malformed", "483.4999996", "15.0000002", "284.9999998"},

		// One asset, on whatever way, is a payment.
		{"one asset", send("3.4999996", usd, m.receiver, "3.4999996", usd), "", "480", "15.0000002", "284.9999998"},
		{"one asset thrice", receive("5", usd, m.receiver, "5", usd, usd), "", "475", "15.0000002", "284.9999998"},
		{"one asset and more is asked for", send("1", usd, m.receiver, "1.0000001", usd), "op_under_dest_min", "475", "15.0000002", "284.9999998"},
		{"back to the issuer", send("1", usd, m.issuer, "0.9", eur), "", "474", "15.0000002", "284.0909089"},
		{"lumens", send("1", lumen, m.receiver, "1", lumen), "", "474", "15.0000002", "284.0909089"},
		// Two hops: 11 dollars are 10 euros are 30 lumens.
		{"over euros", send("11", usd, m.receiver, "30", lumen, eur), "", "463", "15.0000002", "284.0909089"},
		{"over euros to be paid", receive("11", usd, m.receiver, "30", lumen, eur), "", "452", "15.0000002", "284.0909089"},
		{"over euros, more", receive("11", usd, m.receiver, "30.0000001", lumen, eur), "op_over_source_max", "452", "15.0000002", "284.0909089"},
	} {
		want := c.code
		if want != "" {
			want = "tx_failed [" + want + "]"
		}
		if r := m.send(m.tx(m.sender, ops(c.op))); r.code() != want {
			t.Errorf("%s: %q, want %q", c.name, r.code(), want)
		}
		if diff := cmp.Diff([]string{c.sent, c.got, c.left}, []string{m.holds(m.sender, usd), m.holds(m.receiver, eur), m.holds(m.maker, eur)}); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if got := m.holds(m.maker, usd); got != "39.5000004" {
		t.Errorf("the maker has taken in %s dollars", got)
	}
	if got := m.holds(m.receiver, lumen); got != "1060.99998" {
		t.Errorf("the receiver has %s lumens", got)
	}
	// A path payment of lumens changed the maker's account, one of euros only a
	// line.
	if n := len(as[array](m.get("/accounts/"+m.maker.Address()+"/transactions").at("_embedded", "records"))); n != 5 {
		t.Errorf("the maker took part in %d transactions", n)
	}
}

// The maker's account has to be able to exchange, like anybody's that offers.
func TestRatesNeedAccounts(t *testing.T) {
	t.Parallel()
	m := newMarket(t, func(c *Config) {
		c.Rates = append(c.Rates, rateOf(key("nobody"), canonical(usd(key("issuer"))), "native", 1, 1))
	})
	fails := func(name, code string, source *keypair.Full, op txnbuild.Operation) {
		t.Helper()
		if r := m.send(m.tx(source, ops(op))); r.code() != "tx_failed ["+code+"]" {
			t.Errorf("%s: %q", name, r.code())
		}
	}
	works := func(source *keypair.Full, op txnbuild.Operation) { t.Helper(); m.ok(m.send(m.tx(source, ops(op)))) }
	over := send("1.1", m.usd, m.receiver, "1", m.eur)

	fails("nobody has the rate", "op_too_few_offers", m.sender, send("1", lumen, m.receiver, "1", m.usd))
	fails("with oneself", "op_cross_self", m.maker, receive("1", m.eur, m.receiver, "1", lumen))
	fails("into the maker's reserve", "op_too_few_offers", m.issuer, receive("400", m.eur, m.receiver, "999", lumen))
	works(m.maker, trust(m.usd, "1"))
	fails("no room", "op_too_few_offers", m.sender, over)
	works(m.maker, trust(m.usd, "1000"))
	works(m.sender, over)

	// A line that may only maintain goes on exchanging, one that may not does
	// not; the sender's and the receiver's must be authorized.
	works(m.issuer, &txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthRevocable}})
	works(m.issuer, lineFlagsOp(m.maker, m.eur, some(mayMaintain), some(mayAll)))
	works(m.sender, over)
	works(m.issuer, lineFlagsOp(m.maker, m.eur, nil, some(mayMaintain)))
	fails("not authorized", "op_too_few_offers", m.sender, over)
	works(m.issuer, lineFlagsOp(m.maker, m.eur, some(mayAll), nil))
	works(m.issuer, lineFlagsOp(m.receiver, m.eur, some(mayMaintain), some(mayAll)))
	fails("the receiver", "op_not_authorized", m.sender, over)
	works(m.issuer, lineFlagsOp(m.sender, m.usd, some(mayMaintain), some(mayAll)))
	fails("the sender", "op_src_not_authorized", m.sender, over)
}

// What is told of path payments: the exchange in the result and as trades, and
// in the operation what it came to, or nothing if it failed.
func TestPathPaymentsAreTold(t *testing.T) {
	t.Parallel()
	m := newMarket(t)
	op := receive("12", m.usd, m.receiver, "30", lumen, m.eur)
	op.Destination, op.SourceAccount = muxedAddress(m.receiver, 5), muxedAddress(m.sender, 7)
	envelope := m.tx(m.sender, ops(op))
	m.ok(m.send(envelope))
	const (
		usd, eur = "asset_code=USD asset_issuer=issuer asset_type=credit_alphanum4", "asset_code=EUR asset_issuer=issuer asset_type=credit_alphanum4"
		sender   = " account_muxed=ID account_muxed_id=7"
	)
	trade := func(bought, boughtAsset, sold, soldAsset string) string {
		as := func(prefix, asset string) string {
			return prefix + "_" + strings.ReplaceAll(asset, " asset", " "+prefix+"_asset")
		}
		return " bought_amount=" + bought + " " + as("bought", boughtAsset) + " SELLER sold_amount=" + sold + " " + as("sold", soldAsset)
	}
	by := func(text, number, seller string) string {
		return strings.Replace(text, "SELLER", "offer_id="+number+" "+seller, 1)
	}
	want := []string{
		"receiver account_credited account_muxed=OTHER account_muxed_id=5 amount=30.0000000 asset_type=native",
		"sender account_debited" + sender + " amount=11.0000000 " + usd,
		"sender trade" + sender + by(trade("10.0000000", eur, "11.0000000", usd), "1", "seller=maker"),
		"maker trade" + by(trade("11.0000000", usd, "10.0000000", eur), "1", "seller=sender seller_muxed=ID seller_muxed_id=7"),
		"sender trade" + sender + by(trade("30.0000000", "asset_type=native", "10.0000000", eur), "2", "seller=maker"),
		"maker trade" + by(trade("10.0000000", eur, "30.0000000", "asset_type=native"), "2", "seller=sender seller_muxed=ID seller_muxed_id=7"),
	}
	got := m.tells(envelope, muxedAddress(m.sender, 7), m.sender, m.receiver, m.maker, m.issuer)
	got[0] = strings.Replace(got[0], muxedAddress(m.receiver, 5), "OTHER", 1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	// Beside one that fails, one that would have worked shows no amount.
	m.send(m.tx(m.sender, ops(send("11", m.usd, m.receiver, "1", m.eur), send("11", m.usd, m.receiver, "900", m.eur))))
	shown := as[array](m.get("/payments?order=desc&limit=3&include_failed=true").at("_embedded", "records"))
	for i, want := range []object{
		{"type": "path_payment_strict_send", "transaction_successful": false, "amount": "0.0000000", "source_amount": "11.0000000", "destination_min": "900.0000000"},
		{"type": "path_payment_strict_send", "transaction_successful": false, "amount": "0.0000000", "source_amount": "11.0000000", "destination_min": "1.0000000"},
		{"type": "path_payment_strict_receive", "transaction_successful": true, "amount": "30.0000000", "source_amount": "11.0000000", "source_max": "12.0000000",
			"source_asset_code": "USD", "asset_type": "native", "to_muxed_id": "5", "from_muxed_id": "7",
			"path": array{object{"asset_type": "credit_alphanum4", "asset_code": "EUR", "asset_issuer": m.issuer.Address()}}},
	} {
		for k, v := range want {
			if got := as[object](shown[i])[k]; !cmp.Equal(got, v) {
				t.Errorf("%s of operation %d is %v, want %v", k, i, got, v)
			}
		}
	}
}

// Ledgers that closed at one rate stay as they are when the network is opened
// at another, or loaded where there is none.
func TestRatesOfOldLedgers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(c *Config) { c.Dir = dir }
	m := newMarket(t, in)
	m.ok(m.send(m.tx(m.sender, ops(send("11", m.usd, m.receiver, "30", lumen, m.eur)))))
	before := m.get("/effects?limit=200").text
	var saved strings.Builder
	if err := m.net.Save(&saved); err != nil {
		t.Fatal(err)
	}
	if err := m.net.Close(); err != nil {
		t.Fatal(err)
	}

	again := newWorld(t, in, func(c *Config) {
		c.Rates = []Rate{rateOf(m.maker, canonical(m.eur), canonical(m.usd), 2, 1)}
	})
	loaded := newWorld(t)
	if err := loaded.net.Load(strings.NewReader(saved.String())); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*world{again, loaded} {
		if after := w.get("/effects?limit=200").text; strings.ReplaceAll(after, w.url, m.url) != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	}
	over := send("11", m.usd, m.receiver, "1", m.eur)
	again.ok(again.send(again.tx(m.sender, ops(over))))
	if got := again.holds(m.receiver, m.eur); got != "5.5" {
		t.Errorf("at the new rate the receiver got %s", got)
	}
	loaded.fails("tx_failed [op_too_few_offers]", m.sender, over)
}

func TestBadRates(t *testing.T) {
	t.Parallel()
	maker, issuer := key("maker"), key("issuer")
	dollars := canonical(usd(issuer))
	good := rateOf(maker, dollars, "native", 1, 1)
	for name, list := range map[string][]Rate{
		"account":         {{Account: "GBAD", Sells: dollars, Buys: "native", N: 1, D: 1}},
		"no account":      {{Sells: dollars, Buys: "native", N: 1, D: 1}},
		"asset":           {rateOf(maker, "USD", "native", 1, 1)},
		"code":            {rateOf(maker, "native", "US$:"+issuer.Address(), 1, 1)},
		"one asset":       {rateOf(maker, dollars, dollars, 1, 1)},
		"no price":        {rateOf(maker, dollars, "native", 0, 1)},
		"below zero":      {rateOf(maker, dollars, "native", 1, -1)},
		"twice":           {good, rateOf(issuer, dollars, "native", 2, 1)},
		"the second is":   {good, rateOf(maker, "native", "", 1, 1)},
		"largest, refuse": {rateOf(maker, dollars, "native", math.MinInt32, math.MaxInt32)},
	} {
		if n, err := Open(Config{CloseEvery: -1, Rates: list}); err == nil {
			t.Errorf("%s was accepted", name)
			_ = n.Close()
		} else if !strings.Contains(err.Error(), "rate") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRateTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Rate{
		"GA native USD:GB 11/10":      {"GA", "native", "USD:GB", 11, 10},
		"  GA  USD:GB\tEUR:GC  2  ":   {"GA", "USD:GB", "EUR:GC", 2, 1},
		"GA native USD:GB":            {},
		"GA native USD:GB 1 2":        {},
		"GA native USD:GB 1.5":        {},
		"GA native USD:GB 1/x":        {},
		"GA native USD:GB 1/2/3":      {},
		"GA native USD:GB 3000000000": {},
		"":                            {},
	} {
		var got Rate
		if err := got.UnmarshalText([]byte(text)); got != want || (err == nil) != (want != Rate{}) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}
