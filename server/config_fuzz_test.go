package main

import (
	"strconv"
	"testing"

	"windlass/server/anchor"
)

// FuzzFees: of whatever an operator writes for limits and fees, either something
// is refused, or each amount inside the limits leaves something to pay out.
func FuzzFees(f *testing.F) {
	f.Add("10", "10000", "1", "0.5", "0", "", "1000", "5", "0.1", "500.01", 2)
	f.Add("1", "10000", "1", "0.5", "", "0.5", "", "", "", "1", 7)
	f.Add("0", "922337203685.4775807", "", "99.9999999", "", "", "0.0000001", "1", "99", "1", 7)
	f.Add("1e3", "-1", "0x1", "100", "１", "1_0", " 1", "+1", ".5", "5.", 0)
	f.Fuzz(func(t *testing.T, least, most, fixed, percent, minimum, maximum, from, more, share, amount string, decimals int) {
		if decimals < 0 || decimals > anchor.Decimals {
			return
		}
		k := &check{reading: &reading{origin: map[string]string{}}}
		s := SideConfig{Enabled: new(true), Min: least, Max: most, FeeFixed: fixed, FeePercent: percent, FeeMinimum: minimum, FeeMaximum: maximum,
			Window: Duration(1e12), Methods: []MethodConfig{{ID: "bank_transfer"}, {ID: "cash", FeeFixed: more, FeePercent: share, FeeMinimum: fixed}}}
		if from != "" {
			s.Tiers = []TierConfig{{From: from, FeeFixed: more, FeePercent: share}}
		}
		terms := &anchor.Terms{Decimals: decimals, OffChainDecimals: decimals}
		terms.Deposit = k.side("deposit.", s, decimals)
		k.prices("", terms)
		for _, p := range k.problems {
			if p.Key == "" || p.Text == "" {
				t.Errorf("a problem that says nothing: %+v", p)
			}
		}
		if len(k.problems) > 0 {
			return
		}
		in, err := anchor.ParseAmount(amount)
		if err != nil || terms.CheckAmount(anchor.Deposit, "", in) != nil {
			in = terms.Deposit.Min
		}
		for _, method := range []string{"", "bank_transfer", "cash"} {
			p, err := terms.Price(anchor.Deposit, method, in)
			if err != nil || p.Out <= 0 || p.Fee < 0 || p.Out+p.Fee != in {
				t.Errorf("%s by %s: %+v, %v; %s", in, strconv.Quote(method), p, err, least)
			}
		}
	})
}
