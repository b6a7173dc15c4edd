package anchor_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"windlass/server/anchor"
)

var (
	usdw = anchor.Asset{Scheme: "stellar", Code: "USDW", Issuer: alice}
	usd  = anchor.Asset{Scheme: "iso4217", Code: "USD"}
)

// offer is what most tests sell: deposits at 1.00 + 0.5 %, withdrawals at
// 2.00 + 0.5 %, both from 10 to 1,000, two decimals.
func offer() *anchor.Terms {
	side := func(fixed string) anchor.Side {
		return anchor.Side{Enabled: true, Min: 10 * anchor.One, Max: 1000 * anchor.One,
			Fee: anchor.Schedule{Fixed: anchor.MustAmount(fixed), Percent: anchor.MustAmount("0.5")}}
	}
	return &anchor.Terms{Asset: usdw, OffChain: usd, Decimals: 2, OffChainDecimals: 2, Account: alice, Deposit: side("1"), Withdraw: side("2")}
}

func TestPrice(t *testing.T) {
	t.Parallel()
	a := anchor.MustAmount
	type lines = []anchor.FeeLine
	tiered := &anchor.Schedule{Fixed: a("1"), Tiers: []anchor.Tier{{From: a("100"), Percent: a("2")}, {From: a("1000"), Fixed: a("3")}}}
	for _, c := range []struct {
		name     string
		kind     anchor.Kind
		fee      *anchor.Schedule
		decimals int
		in       string
		fees     string
		out      string
		lines    lines
	}{
		{"a deposit of 100", anchor.Deposit, nil, 2, "100", "1.5", "98.5", lines{{anchor.FeeFixed, a("1")}, {anchor.FeePercent, a("0.5")}}},
		{"a withdrawal of 50", anchor.Withdrawal, nil, 2, "50", "2.25", "47.75", lines{{anchor.FeeFixed, a("2")}, {anchor.FeePercent, a("0.25")}}},
		{"no fee", anchor.Deposit, &anchor.Schedule{}, 2, "100", "0", "100", nil},
		{"lifted to the minimum", anchor.Deposit, &anchor.Schedule{Fixed: a("0.1"), Percent: a("1"), Minimum: a("3")}, 2, "100", "3", "97",
			lines{{anchor.FeeFixed, a("0.1")}, {anchor.FeePercent, a("1")}, {anchor.FeeMinimum, a("1.9")}}},
		{"only a minimum", anchor.Deposit, &anchor.Schedule{Minimum: a("3")}, 2, "100", "3", "97", lines{{anchor.FeeMinimum, a("3")}}},
		{"above the minimum", anchor.Deposit, &anchor.Schedule{Fixed: a("3"), Minimum: a("3")}, 2, "100", "3", "97", lines{{anchor.FeeFixed, a("3")}}},
		// 0.5 % of 98.51 is 0.49255; what lies below a cent is a line of its own.
		{"a remainder", anchor.Deposit, nil, 2, "98.51", "1.50", "97.01", lines{{anchor.FeeFixed, a("1")}, {anchor.FeePercent, a("0.49255")}, {anchor.FeeRounding, a("0.00745")}}},
		{"whole units only", anchor.Deposit, &anchor.Schedule{}, 0, "99.9999999", "0.9999999", "99", lines{{anchor.FeeRounding, a("0.9999999")}}},
		{"down to the stroop", anchor.Deposit, &anchor.Schedule{Percent: a("0.5")}, 7, "0.0000399", "0.0000001", "0.0000398", lines{{anchor.FeePercent, 1}}},
		{"the largest", anchor.Deposit, &anchor.Schedule{Percent: a("50")}, 7, "922337203685.4775807", "461168601842.7387903", "461168601842.7387904", lines{{anchor.FeePercent, math.MaxInt64 / 2}}},
		{"capped", anchor.Deposit, &anchor.Schedule{Fixed: a("1"), Percent: a("10"), Maximum: a("5")}, 2, "100", "5", "95", lines{{anchor.FeeFixed, a("1")}, {anchor.FeePercent, a("4")}}},
		{"capped below the fixed fee", anchor.Deposit, &anchor.Schedule{Fixed: a("6"), Percent: a("1"), Maximum: a("5")}, 2, "100", "5", "95", lines{{anchor.FeeFixed, a("5")}}},
		{"below the tier", anchor.Deposit, tiered, 2, "99.99", "1", "98.99", lines{{anchor.FeeFixed, a("1")}}},
		{"at the tier", anchor.Deposit, tiered, 2, "100", "2", "98", lines{{anchor.FeePercent, a("2")}}},
		{"at the next", anchor.Deposit, tiered, 2, "1000", "3", "997", lines{{anchor.FeeFixed, a("3")}}},
	} {
		terms := offer()
		terms.Decimals, terms.OffChainDecimals = c.decimals, c.decimals
		if c.fee != nil {
			terms.Deposit.Fee = *c.fee
		}
		p, err := terms.Price(c.kind, "", a(c.in))
		if err != nil || p.In != a(c.in) || p.Fee != a(c.fees) || p.Out != a(c.out) || len(p.Lines) != len(c.lines) {
			t.Errorf("%s: %+v, %v; want fee %s, out %s", c.name, p, err, c.fees, c.out)
			continue
		}
		for i := range p.Lines {
			if p.Lines[i] != c.lines[i] {
				t.Errorf("%s: line %+v, want %+v", c.name, p.Lines[i], c.lines[i])
			}
		}
	}

	for _, c := range []struct {
		name string
		fee  anchor.Schedule
		in   anchor.Amount
		code string
	}{
		{"all of it", anchor.Schedule{Fixed: a("100")}, a("100"), "amount_below_fee"},
		{"more than it", anchor.Schedule{Fixed: a("101")}, a("100"), "amount_below_fee"},
		{"all but half a cent", anchor.Schedule{Fixed: a("99.995")}, a("100"), "amount_below_fee"},
		{"nothing", anchor.Schedule{}, 0, "amount_below_fee"},
		{"a whole percentage", anchor.Schedule{Percent: a("100")}, a("100"), "amount_below_fee"},
		{"less than nothing", anchor.Schedule{}, -1, ""},
		{"too much to count", anchor.Schedule{Fixed: math.MaxInt64, Percent: a("100")}, math.MaxInt64, "amount_too_large"},
		{"a senseless percentage", anchor.Schedule{Percent: math.MaxInt64}, math.MaxInt64, "amount_too_large"},
	} {
		terms := offer()
		terms.Deposit.Fee = c.fee
		p, err := terms.Price(anchor.Deposit, "", c.in)
		kindIs(t, err, anchor.Invalid, c.code)
		if p.Out != 0 || p.Lines != nil {
			t.Errorf("%s: refused with %+v", c.name, p)
		}
	}
}

// TestPriceAddsUp: In = Out + the lines, Out whole, the fee at least what the
// schedule says and less than a unit above it.
func TestPriceAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		some := func(name string, most anchor.Amount) anchor.Amount {
			return anchor.Amount(rapid.OneOf(rapid.Int64Range(0, int64(most)), rapid.Int64Range(0, 1000)).Draw(t, name))
		}
		s := anchor.Schedule{Fixed: some("fixed", 50*anchor.One), Percent: some("percent", 100*anchor.One), Minimum: some("minimum", 50*anchor.One), Maximum: some("maximum", 80*anchor.One)}
		if rapid.Bool().Draw(t, "tiered") {
			s.Tiers = []anchor.Tier{{From: some("from", 1000*anchor.One), Fixed: some("higher", 50*anchor.One), Percent: some("share", 100*anchor.One)}}
		}
		decimals := rapid.IntRange(0, 7).Draw(t, "decimals")
		terms := &anchor.Terms{Decimals: decimals, OffChainDecimals: decimals, Withdraw: anchor.Side{Fee: s}}
		in := some("in", math.MaxInt64)
		p, err := terms.Price(anchor.Withdrawal, "", in)
		// The same in fractions.
		tier := anchor.Tier{Fixed: s.Fixed, Percent: s.Percent}
		if len(s.Tiers) > 0 && in >= s.Tiers[0].From {
			tier = s.Tiers[0]
		}
		percent := new(big.Int).Mul(big.NewInt(int64(in)), big.NewInt(int64(tier.Percent)))
		percent.Quo(percent, big.NewInt(int64(100*anchor.One)))
		if !new(big.Int).Add(percent, big.NewInt(int64(tier.Fixed))).IsInt64() {
			kindIs(t, err, anchor.Invalid, "amount_too_large")
			return
		}
		due := anchor.Amount(percent.Int64()) + tier.Fixed
		due = max(due, s.Minimum)
		if s.Maximum > 0 {
			due = min(due, s.Maximum)
		}
		if err != nil {
			if (in-due).Floor(terms.Decimals) > 0 && due >= 0 {
				t.Fatalf("%s with a fee of %s is refused: %v", in, due, err)
			}
			return
		}
		sum := p.Out
		for _, l := range p.Lines {
			if l.Amount <= 0 || l.Name == "" {
				t.Fatalf("line %+v", l)
			}
			sum += l.Amount
		}
		if sum != in || p.In != in || p.Out+p.Fee != in || p.Out <= 0 || !p.Out.IsWhole(terms.Decimals) {
			t.Fatalf("%s does not add up: %+v", in, p)
		}
		if p.Fee < due || p.Fee-due >= anchor.Unit(terms.Decimals) {
			t.Fatalf("%s costs %s, the schedule says %s", in, p.Fee, due)
		}
	})
}

// A method may cost something else than its side; one that is alone is chosen
// before anybody chooses.
func TestMethodsHaveFees(t *testing.T) {
	t.Parallel()
	terms := offer()
	cash := &anchor.Schedule{Fixed: 9 * anchor.One}
	terms.Deposit.Methods = []anchor.Method{{ID: "cash", Fee: cash}}
	cost := func(method string) anchor.Amount {
		p, err := terms.Price(anchor.Deposit, method, 100*anchor.One)
		if err != nil {
			t.Fatal(err)
		}
		return p.Fee
	}
	if cost("") != cash.Fixed || cost("cash") != cash.Fixed || cost("bank_transfer") != anchor.MustAmount("1.5") {
		t.Errorf("%s, %s, %s", cost(""), cost("cash"), cost("bank_transfer"))
	}
	terms.Deposit.Methods = append(terms.Deposit.Methods, anchor.Method{ID: "bank_transfer"})
	if cost("") != anchor.MustAmount("1.5") || cost("cash") != cash.Fixed {
		t.Errorf("%s, %s", cost(""), cost("cash"))
	}

	a := anchor.Start("1", anchor.Deposit, terms, anchor.Identity{Account: alice}, anchor.Address(alice), deadline, someday)
	must(t, a.SetAmount(terms, 100*anchor.One))
	must(t, a.ChooseMethod(terms, "cash"))
	if a.Method != "cash" || a.AmountFee != cash.Fixed || a.AmountOut != 91*anchor.One {
		t.Errorf("by cash: %+v", a)
	}
	kindIs(t, a.ChooseMethod(terms, "post"), anchor.Invalid, "method_unknown")
	must(t, a.ChooseMethod(terms, "bank_transfer"))
	cash.Fixed = 100 * anchor.One
	kindIs(t, a.ChooseMethod(terms, "cash"), anchor.Invalid, "amount_below_fee")
	if a.Method != "bank_transfer" || a.AmountFee != anchor.MustAmount("1.5") {
		t.Errorf("after a refusal: %+v", a)
	}
}

func TestTerms(t *testing.T) {
	t.Parallel()
	terms := offer()
	terms.Withdraw.Methods = []anchor.Method{{ID: "bank_transfer"}, {ID: "cash"}}
	for _, c := range []struct{ in, code string }{
		{"10", ""}, {"1000", ""}, {"10.01", ""},
		{"9.9999999", "amount_below_minimum"}, {"9.99", "amount_below_minimum"}, {"0", "amount_below_minimum"},
		{"1000.01", "amount_above_maximum"}, {"1000.0000001", "amount_above_maximum"},
		{"10.001", "amount_too_precise"},
	} {
		err := terms.CheckAmount(anchor.Deposit, "", anchor.MustAmount(c.in))
		if c.code == "" {
			if err != nil {
				t.Errorf("%s: %v", c.in, err)
			}
			continue
		}
		kindIs(t, err, anchor.Invalid, c.code)
		var e *anchor.Error
		if !asError(err, &e) || e.Field != "amount" || e.Args["minimum"] != "10.00" || e.Args["maximum"] != "1000.00" || e.Args["asset"] != "USD" {
			t.Errorf("%s: %+v", c.in, e)
		}
	}
	if terms.Side(anchor.Deposit) != &terms.Deposit || terms.Side(anchor.Withdrawal) != &terms.Withdraw {
		t.Error("the sides are swapped")
	}
	for _, k := range []anchor.Kind{anchor.Deposit, anchor.Withdrawal} {
		a := anchor.Transaction{Kind: k, Asset: usdw, OffChain: usd}
		in, out := usd, usdw
		if k == anchor.Withdrawal {
			in, out = usdw, usd
		}
		if terms.In(k) != in || terms.Out(k) != out || a.In() != in || a.Out() != out {
			t.Errorf("a %s takes %s and gives %s", k, terms.In(k), terms.Out(k))
		}
	}
	if m, ok := terms.Withdraw.Method("cash"); !ok || m.ID != "cash" {
		t.Errorf("%+v", m)
	}
	if _, ok := terms.Withdraw.Method("post"); ok {
		t.Error("a method nobody offers")
	}
}

// TestMethodLimits: each method takes what lies inside its own limits; before one is
// chosen, what some method takes will do; an amount that the chosen one does not take
// leaves it to be chosen anew.
func TestMethodLimits(t *testing.T) {
	t.Parallel()
	terms := offer() // 10 to 1000
	terms.Deposit.Methods = []anchor.Method{
		{ID: "cash", Min: 20 * anchor.One, Max: 50 * anchor.One}, {ID: "wire", Min: 100 * anchor.One}, {ID: "mobile_money", Max: 30 * anchor.One},
	}
	for _, c := range []struct {
		method, in, code, least, most string
	}{
		{"", "10", "", "10.00", "1000.00"}, {"", "9.99", "amount_below_minimum", "10.00", "1000.00"},
		{"", "50", "", "10.00", "1000.00"}, {"", "50.01", "amount_below_minimum", "100.00", "1000.00"}, // nobody takes it
		{"", "1000.01", "amount_above_maximum", "10.00", "1000.00"},
		{"cash", "19.99", "amount_below_minimum", "20.00", "50.00"}, {"cash", "20", "", "", ""}, {"cash", "50.01", "amount_above_maximum", "20.00", "50.00"},
		{"wire", "99.99", "amount_below_minimum", "100.00", "1000.00"}, {"mobile_money", "30.01", "amount_above_maximum", "10.00", "30.00"},
	} {
		err := terms.CheckAmount(anchor.Deposit, c.method, anchor.MustAmount(c.in))
		if c.code == "" {
			must(t, err)
			continue
		}
		kindIs(t, err, anchor.Invalid, c.code)
		var e *anchor.Error
		if !asError(err, &e) || e.Args["minimum"] != c.least || e.Args["maximum"] != c.most {
			t.Errorf("%s by %q: %+v", c.in, c.method, e.Args)
		}
	}

	a := anchor.Start("1", anchor.Deposit, terms, anchor.Identity{Account: alice}, anchor.Address(alice), deadline, someday)
	must(t, a.SetAmount(terms, 25*anchor.One))
	kindIs(t, a.ChooseMethod(terms, "wire"), anchor.Invalid, "amount_below_minimum")
	must(t, a.ChooseMethod(terms, "mobile_money"))
	must(t, a.SetAmount(terms, 30*anchor.One))
	if a.Method != "mobile_money" {
		t.Errorf("it is taken, and the method is %q", a.Method)
	}
	must(t, a.SetAmount(terms, 40*anchor.One))
	if a.Method != "" || a.AmountIn != 40*anchor.One {
		t.Errorf("by %q: %s", a.Method, a.AmountIn)
	}
	kindIs(t, a.SetAmount(terms, 60*anchor.One), anchor.Invalid, "amount_below_minimum")
}

// TestMethodLimitsOnArrival: what comes is held against the limits of the method that
// was agreed to.
func TestMethodLimitsOnArrival(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]anchor.Arrival{"50": anchor.Accepted, "50.01": anchor.Large, "1000": anchor.Large, "48": anchor.Accepted, "44": anchor.Short} {
		terms := offer()
		terms.Deposit.Methods = []anchor.Method{{ID: "cash", Min: 20 * anchor.One, Max: 50 * anchor.One}}
		a := anchor.Start("1", anchor.Deposit, terms, anchor.Identity{Account: alice}, anchor.Address(alice), deadline, someday)
		must(t, a.SetAmount(terms, 50*anchor.One))
		must(t, a.ChooseMethod(terms, "cash"))
		a.Reviewed = true
		must(t, a.Agree(anchor.Instructions{Reference: "R", Deadline: deadline}, someday))
		got, _, err := a.Receive(terms, anchor.MustAmount(in), "bank-1", someday, someday)
		must(t, err)
		if got != want {
			t.Errorf("%s is %v, want %v", in, got, want)
		}
	}
}
