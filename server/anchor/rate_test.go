package anchor_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"windlass/server/anchor"
)

var eur = anchor.Asset{Scheme: anchor.ISO4217, Code: "EUR"}

// exchange is what an exchange of lumens for euros sells: at 0.1176, and buys back
// at 0.115.
func exchange(t interface {
	Helper()
	Fatal(...any)
}) *anchor.Terms {
	t.Helper()
	terms := offer()
	terms.Asset, terms.OffChain, terms.Decimals = anchor.Native, eur, 7
	var err error
	if terms.Deposit.Rate, err = anchor.Quote(anchor.Deposit, "0.1176", 7, 2); err != nil {
		t.Fatal(err)
	}
	if terms.Withdraw.Rate, err = anchor.Quote(anchor.Withdrawal, "0.115", 7, 2); err != nil {
		t.Fatal(err)
	}
	return terms
}

// someRate draws one, often that of one for one.
func someRate(t *rapid.T, k anchor.Kind, terms *anchor.Terms) anchor.Rate {
	r, err := anchor.Quote(k, rapid.SampledFrom([]string{"1", "1", "0.1176", "3", "0.333333333333", "99.5"}).Draw(t, "price"), terms.Decimals, terms.OffChainDecimals)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return r
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		price        string
		ledger, bank int
		want         anchor.Rate // of a withdrawal
		said         string
	}{
		{"1", 2, 2, anchor.Rate{}, "1"},
		{"1.000", 2, 2, anchor.Rate{}, "1"},
		{"1", 7, 2, anchor.Rate{Num: 1, Den: 1, Decimals: 2}, "1"},
		{"0.1176", 7, 2, anchor.Rate{Num: 1176, Den: 10000, Decimals: 2}, "0.1176"},
		{"0.11760", 7, 2, anchor.Rate{Num: 1176, Den: 10000, Decimals: 2}, "0.1176"},
		{"12.5", 7, 0, anchor.Rate{Num: 125, Den: 10, Decimals: 0}, "12.5"},
		{"1900", 7, 0, anchor.Rate{Num: 1900, Den: 1, Decimals: 0}, "1900"},
		{"0.000000000001", 2, 2, anchor.Rate{Num: 1, Den: 1_000_000_000_000, Decimals: 2}, "0.000000000001"},
		{"999999.999999999999", 2, 2, anchor.Rate{Num: 999_999_999_999_999_999, Den: 1_000_000_000_000, Decimals: 2}, "999999.999999999999"},
	} {
		w, err := anchor.Quote(anchor.Withdrawal, c.price, c.ledger, c.bank)
		if err != nil || w != c.want || w.Price(anchor.Withdrawal) != c.said {
			t.Errorf("%s: %+v says %s, %v", c.price, w, w.Price(anchor.Withdrawal), err)
		}
		d, err := anchor.Quote(anchor.Deposit, c.price, c.ledger, c.bank)
		if err != nil || d.Num != w.Den || d.Den != w.Num || d.Price(anchor.Deposit) != c.said || !d.IsOne() && d.Decimals != c.ledger {
			t.Errorf("%s: %+v says %s, %v", c.price, d, d.Price(anchor.Deposit), err)
		}
		for _, r := range []anchor.Rate{w, d} {
			if back, err := anchor.ParseRate(r.String()); err != nil || back != r {
				t.Errorf("%+v is kept as %q, which is %+v, %v", r, r, back, err)
			}
		}
	}
	for _, price := range []string{"", "0", "0.0", ".5", "5.", "-1", "+1", "1e3", "1,5", "1.2.3", " 1", "0.0000000000001", "1234567890123456789", "1_000"} {
		_, err := anchor.Quote(anchor.Deposit, price, 2, 2)
		kindIs(t, err, anchor.Invalid, "")
	}
	for _, kept := range []string{"1", "1/2", "1/0/2", "0/1/2", "-1/1/2", "1/1/8", "1/1/-1", "a/b/c", "1/1/1/1", "1//2"} {
		_, err := anchor.ParseRate(kept)
		kindIs(t, err, anchor.Internal, "")
	}
}

// TestExchange: what an exchange of unlike assets comes to, to the last digit.
func TestExchange(t *testing.T) {
	t.Parallel()
	a := anchor.MustAmount
	for _, c := range []struct {
		kind          anchor.Kind
		in, fees, out string
		rounding      string
	}{
		// 100 − 1.50 = 98.50 euros, over 0.1176.
		{anchor.Deposit, "100", "1.5", "837.585034", "0"},
		// 500 − 4.50 = 495.50 lumens bring 56.9825 euros. The least that brings 56.98 is
		// 495.4782609, and what is over is the rounding.
		{anchor.Withdrawal, "500", "4.5217391", "56.98", "0.0217391"},
	} {
		p, err := exchange(t).Price(c.kind, "", a(c.in))
		if err != nil || p.Fee != a(c.fees) || p.Out != a(c.out) {
			t.Errorf("%s: %+v, %v", c.kind, p, err)
			continue
		}
		var rounding anchor.Amount
		for _, l := range p.Lines {
			if l.Name == anchor.FeeRounding {
				rounding = l.Amount
			}
		}
		if rounding != a(c.rounding) {
			t.Errorf("%s is rounded by %s", c.kind, rounding)
		}
	}
}

// TestPriceIsExact: what is given is what the rate gives for what is left of in
// after the fee, in fractions: not a unit more, and less by no more than one; and
// nothing less than what is left would have given it.
func TestPriceIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		terms := offer()
		terms.Decimals, terms.OffChainDecimals = rapid.IntRange(0, 7).Draw(t, "decimals"), rapid.IntRange(0, 7).Draw(t, "at the bank")
		kind := rapid.SampledFrom(bothKinds).Draw(t, "kind")
		side := terms.Side(kind)
		side.Rate = someRate(t, kind, terms)
		decimalsIn, decimalsOut := terms.DecimalsOf(terms.In(kind)), terms.DecimalsOf(terms.Out(kind))
		in := anchor.Amount(rapid.OneOf(rapid.Int64Range(0, math.MaxInt64), rapid.Int64Range(0, int64(1000*anchor.One))).Draw(t, "in")).Floor(decimalsIn)
		p, err := terms.Price(kind, "", in)
		if err != nil {
			return
		}
		num, den := int64(p.Rate.Num), int64(p.Rate.Den)
		if p.Rate.IsOne() {
			num, den = 1, 1
		}
		gives := func(in anchor.Amount) *big.Rat {
			return new(big.Rat).Mul(new(big.Rat).SetInt64(int64(in)), big.NewRat(num, den))
		}
		out := new(big.Rat).SetInt64(int64(p.Out))
		if !p.Out.IsWhole(decimalsOut) || out.Cmp(gives(in-p.Fee)) > 0 || p.Out <= 0 {
			t.Fatalf("%+v: %s for %s", p, p.Out, gives(in-p.Fee))
		}
		if !p.Fee.IsWhole(decimalsIn) {
			t.Fatalf("the fee %s is not in whole units of %d decimals", p.Fee, decimalsIn)
		}
		unit := anchor.Unit(decimalsIn)
		if less := gives(in - p.Fee - unit); p.Rate.Decimals == decimalsOut && out.Cmp(less) <= 0 {
			t.Fatalf("%+v: one unit less would have given %s", p, less)
		}
		next := new(big.Rat).SetInt64(int64(p.Out) + int64(anchor.Unit(decimalsOut)))
		if due := side.Fee.Fee(in); next.Cmp(gives((in-due).Floor(decimalsIn))) <= 0 && in > due {
			t.Fatalf("%+v: the schedule leaves enough for another unit", p)
		}
		if again, err := p.Rate.Out(in - p.Fee); err != nil || again != p.Out {
			t.Fatalf("what is left gives %s, %v, and %s was said", again, err, p.Out)
		}
	})
}

// TestAgreedRate: what was agreed to is kept, whatever the price is by then; late
// money has today's.
func TestAgreedRate(t *testing.T) {
	t.Parallel()
	m := anchor.MustAmount
	terms := exchange(t)
	agreed := terms.Withdraw.Rate
	late := func() *anchor.Transaction {
		a := waiting(t, anchor.Withdrawal, terms, m("500"))
		must(t, a.Expire(deadline.Add(1)))
		return a
	}
	a, b, c := waiting(t, anchor.Withdrawal, terms, m("500")), waiting(t, anchor.Withdrawal, terms, m("500")), late()
	var err error
	if terms.Withdraw.Rate, err = anchor.Quote(anchor.Withdrawal, "0.05", 7, 2); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		a    *anchor.Transaction
		in   string
		rate anchor.Rate
		out  string
	}{{a, "500", agreed, "56.98"}, {b, "501", agreed, "57.09"}, {c, "500", terms.Withdraw.Rate, "24.77"}} {
		receive := x.a.Receive
		if x.a == c {
			receive = x.a.Revive
		}
		arrival, e, err := receive(terms, m(x.in), "ref", someday, someday)
		if err != nil || arrival != anchor.Accepted || x.a.Rate != x.rate || x.a.AmountOut != m(x.out) {
			t.Errorf("%s: %s, %s at %s, %v", x.in, arrival, x.a.AmountOut, x.a.Rate, err)
			continue
		}
		adds(t, x.a)
		if err := e.Balanced(); err != nil {
			t.Error(err)
		}
	}
}

// What nobody can count is taken, since it came, and goes back.
func TestArrivalBeyondCounting(t *testing.T) {
	t.Parallel()
	terms := exchange(t)
	a := waiting(t, anchor.Deposit, terms, 100*anchor.One)
	arrival, e, err := a.Receive(terms, math.MaxInt64, "ref", someday, someday)
	if err != nil || arrival != anchor.Large || a.AmountOut != 0 || e.Balanced() != nil {
		t.Fatalf("%s, %s, %v", arrival, a.AmountOut, err)
	}
	if e, _, err = a.Refund(terms, math.MaxInt64, 0); err != nil || e.Balanced() != nil || a.AmountOut != 0 || a.Exchanged() != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
}

// A refund of a part leaves what the rest brings, and one that is taken back leaves
// what there was.
func TestRefundAtARate(t *testing.T) {
	t.Parallel()
	m := anchor.MustAmount
	terms := exchange(t)
	a := waiting(t, anchor.Withdrawal, terms, m("500"))
	if _, _, err := a.Receive(terms, m("500"), "ref", someday, someday); err != nil {
		t.Fatal(err)
	}
	_, _, err := a.Refund(terms, m("495.45"), 0) // what is left brings less than a cent
	kindIs(t, err, anchor.Invalid, "refund_leaves_nothing")
	_, back, err := a.Refund(terms, m("100"), m("1"))
	// 500 − 4.5217391 − 101 = 394.4782609 lumens.
	if err != nil || len(back) != 0 || a.AmountOut != m("45.36") || a.AmountFee != m("4.5217391") {
		t.Fatalf("%s, %s, %v", a.AmountOut, a.AmountFee, err)
	}
	adds(t, a)
	if _, err := a.UndoRefund(m("100"), m("1"), back, someday); err != nil || a.AmountOut != m("56.98") {
		t.Fatalf("%s, %v", a.AmountOut, err)
	}
	adds(t, a)
}

// TestAsking: what must be paid in for an amount to come out.
func TestAsking(t *testing.T) {
	t.Parallel()
	terms := exchange(t)
	for _, c := range []struct {
		kind    anchor.Kind
		out, in string
	}{
		{anchor.Deposit, "837.585034", "100"},
		{anchor.Deposit, "837.59", "100.02"},
		{anchor.Withdrawal, "56.98", "499.9781516"},
		{anchor.Deposit, "76.1054421", "10"},
		{anchor.Deposit, "76.105442", "9.99"},
		{anchor.Deposit, "8452.3809523", "1000"},
		{anchor.Deposit, "8452.3809524", "1000.01"},
	} {
		if got := terms.Asking(c.kind, "", anchor.MustAmount(c.out)); got != anchor.MustAmount(c.in) {
			t.Errorf("%s of %s asks for %s, want %s", c.kind, c.out, got, c.in)
		}
	}
}

// A limit holds at the bank by what it is worth there.
func TestAtBank(t *testing.T) {
	t.Parallel()
	terms := exchange(t)
	if got := terms.AtBank(5000 * anchor.One); got != 575*anchor.One {
		t.Errorf("%s", got)
	}
	if got := terms.AtBank(1); got != 1 {
		t.Errorf("the least limit is %s", got)
	}
	if got := terms.AtBank(0); got != 0 {
		t.Errorf("no limit is %s", got)
	}
	terms.Withdraw = anchor.Side{}
	if got := terms.AtBank(5000 * anchor.One); got != 588*anchor.One {
		t.Errorf("with deposits alone %s", got)
	}
	if got := offer().AtBank(anchor.MaxAmount); got != anchor.MaxAmount {
		t.Errorf("one for one %s", got)
	}
}
