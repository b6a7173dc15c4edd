package main

import (
	"fmt"
	"math/big"
	"slices"

	"windlass/server/anchor"
)

// The harnesses' anchor has one of these prices after the other, each from a start
// on, for what is not worth as much as the bank's money. They lie so far apart that
// a price of another day shows in every cent.
var prices = []struct{ buy, sell string }{{"0.8613", "0.8409"}, {"0.9271", "0.9018"}, {"0.79", "0.772503"}}

// priced are the settings of a day's prices.
func priced(day int) []string {
	p := prices[day%len(prices)]
	return []string{"WINDLASS_ASSETS_1_DEPOSIT_PRICE=" + p.buy, "WINDLASS_ASSETS_1_WITHDRAW_PRICE=" + p.sell}
}

// A tariff is what an asset costs in one direction, as a configuration words it.
// What it gives is worked out in fractions, so that no mistake is shared with the
// anchor.
type tariff struct {
	rate           *big.Rat // units of what is paid, for one of what comes in
	fixed, percent *big.Rat
	in, out        int // decimals
}

func tariffOf(c *Config, t *anchor.Terms, kind anchor.Kind) tariff {
	a := c.Assets[slices.IndexFunc(c.terms, func(o *anchor.Terms) bool { return o.Asset == t.Asset })]
	side, on, off := a.Deposit, *a.Decimals, *a.OffChainDecimals
	if kind == anchor.Withdrawal {
		side = a.Withdraw
	}
	number := func(text, usual string) *big.Rat {
		if text == "" {
			text = usual
		}
		r, ok := new(big.Rat).SetString(text)
		if !ok {
			panic(fmt.Sprintf("the configuration has the number %q", text))
		}
		return r
	}
	f := tariff{number(side.Price, "1"), number(side.FeeFixed, "0"), number(side.FeePercent, "0"), on, off}
	if kind == anchor.Deposit {
		f.rate.Inv(f.rate)
		f.in, f.out = off, on
	}
	return f
}

// tariffs are what holds by each of the configurations.
func tariffs(all []*Config, t *anchor.Terms, kind anchor.Kind) (fs []tariff) {
	for _, c := range all {
		fs = append(fs, tariffOf(c, t, kind))
	}
	return fs
}

// gives is what is paid for in, and the fee: what of in is not needed for that.
func (f tariff) gives(in anchor.Amount) (out, fee anchor.Amount) {
	part := new(big.Rat).Quo(new(big.Rat).Mul(exact(in), f.percent), big.NewRat(100, 1))
	due := new(big.Rat).Mul(f.fixed, big.NewRat(int64(anchor.One), 1))
	due.Add(due, exact(down(part, anchor.Decimals)))
	out = f.worth(down(new(big.Rat).Sub(exact(in), due), f.in))
	return out, in + down(new(big.Rat).Neg(new(big.Rat).Quo(exact(out), f.rate)), f.in)
}

// worth is what is paid for in, no fee apart.
func (f tariff) worth(in anchor.Amount) anchor.Amount {
	return down(new(big.Rat).Mul(exact(in), f.rate), f.out)
}

// exact is an amount as a fraction.
func exact(a anchor.Amount) *big.Rat { return big.NewRat(int64(a), 1) }

// down is the next amount that is no more than x, in whole units of decimals.
func down(x *big.Rat, decimals int) anchor.Amount {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(anchor.Decimals-decimals)), nil)
	n := new(big.Int)
	n.Div(x.Num(), new(big.Int).Mul(x.Denom(), unit)) // Euclidean: down, also below 0
	return anchor.Amount(n.Mul(n, unit).Int64())
}
