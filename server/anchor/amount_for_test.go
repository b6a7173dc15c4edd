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
		s := anchor.Side{Enabled: true, Min: units("min", 1000) + unit, Rate: anchor.Rate{},
			Fee: anchor.Schedule{Fixed: units("fixed", 100), Percent: anchor.Amount(rapid.Int64Range(0, int64(50*anchor.One)).Draw(t, "percent")), Minimum: units("minimum", 100)}}
		s.Max = s.Min + units("more", 10_000)
		terms := &anchor.Terms{Decimals: decimals, OffChainDecimals: decimals, Withdraw: s}
		gives := func(in anchor.Amount) anchor.Amount {
			p, err := terms.Price(anchor.Withdrawal, "", in)
			if err != nil {
				return 0
			}
			return p.Out
		}
		least, most := gives(s.Min), gives(s.Max)
		if least == 0 {
			return // the configuration would be refused
		}
		out := units("out", int64(s.Max/unit)+10)
		in, err := terms.AmountFor(anchor.Withdrawal, "", out)
		switch {
		case out < least && codeOf(err) == "amount_out_below_minimum":
		case out > most && codeOf(err) == "amount_out_above_maximum":
		case err != nil || out > most:
			t.Fatalf("%s of %s to %s: %s, %v", out, least, most, in, err)
		case gives(in) < out || in < s.Min || in > s.Max || in > s.Min && gives(in-unit) >= out:
			t.Fatalf("%s gives %s, %s was asked for", in, gives(in), out)
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
