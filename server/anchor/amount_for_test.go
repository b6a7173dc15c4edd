package anchor_test

import (
	"testing"

	"pgregory.net/rapid"

	"windlass/server/anchor"
)

// TestAmountFor: whoever says what is to come out pays in the least that gives it,
// never less; what no amount gives is refused with what can come out.
func TestAmountFor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		decimals := rapid.IntRange(0, 4).Draw(t, "decimals")
		unit := anchor.Unit(decimals)
		units := func(name string, most int64) anchor.Amount {
			return anchor.Amount(rapid.Int64Range(0, most).Draw(t, name)) * unit
		}
		s := anchor.Side{Enabled: true, Min: units("min", 100) + unit, Rate: anchor.Rate{},
			Fee: anchor.Schedule{Fixed: units("fixed", 10), Percent: anchor.Amount(rapid.SampledFrom([]int{0, 1, 5, 30}).Draw(t, "percent")) * anchor.One, Minimum: units("minimum", 10)}}
		s.Max = s.Min + 100*unit + units("more", 2_000)
		// Tiers that get cheaper, and dearer ones, where more that goes in gives less.
		for i, n := 0, rapid.IntRange(0, 2).Draw(t, "tiers"); i < n; i++ {
			from := s.Min + unit + units("from", 300)
			if i > 0 {
				from += s.Fee.Tiers[i-1].From - s.Min
			}
			s.Fee.Tiers = append(s.Fee.Tiers, anchor.Tier{From: from, Fixed: units("tier", 50), Percent: anchor.Amount(rapid.SampledFrom([]int{0, 2, 10, 50}).Draw(t, "share")) * anchor.One})
		}
		terms := &anchor.Terms{Decimals: decimals, OffChainDecimals: decimals, Withdraw: s}
		gives := func(in anchor.Amount) anchor.Amount {
			p, err := terms.Price(anchor.Withdrawal, "", in)
			if err != nil {
				return 0
			}
			return p.Out
		}
		// Every amount, one after the other.
		least := gives(s.Min)
		var most anchor.Amount
		first := map[anchor.Amount]anchor.Amount{} // the least that gives as much, of each record
		for in := s.Min; in <= s.Max; in += unit {
			if out := gives(in); out > most {
				for o := most + unit; o <= out; o += unit {
					first[o] = in
				}
				most = out
			}
		}
		if least == 0 {
			return // the configuration would be refused
		}
		out := max(0, least-3*unit) + units("out", int64((most-least)/unit)+6)
		in, err := terms.AmountFor(anchor.Withdrawal, "", out)
		switch {
		case out < least && codeOf(err) == "amount_out_below_minimum":
		case out > most && codeOf(err) == "amount_out_above_maximum":
		case err != nil || out > most:
			t.Fatalf("%s of %s to %s: %s, %v", out, least, most, in, err)
		case in != first[out]:
			t.Fatalf("%s gives %s, %s was asked for, which %s gives", in, gives(in), out, first[out])
		}
	})
}

// TestAmountForLimits: the refusals name what can come out, in its own unit.
func TestAmountForLimits(t *testing.T) {
	t.Parallel()
	terms := exchange(t)
	for _, c := range []struct{ out, code string }{
		{"76.1054420", "amount_out_below_minimum"},
		{"8452.3809524", "amount_out_above_maximum"},
		{"837.59", ""},
	} {
		_, err := terms.AmountFor(anchor.Deposit, "", anchor.MustAmount(c.out))
		e, _ := err.(*anchor.Error) //nolint:errorlint // it is one, or nil
		if codeOf(err) != c.code || e != nil && (e.Args["minimum"] != "76.1054421" || e.Args["maximum"] != "8452.3809523" || e.Field != "amountOut") {
			t.Errorf("%s: %+v", c.out, e)
		}
	}
	_, err := terms.AmountFor(anchor.Withdrawal, "", anchor.MustAmount("56.981"))
	if codeOf(err) != "amount_too_precise" {
		t.Error(err)
	}
}
