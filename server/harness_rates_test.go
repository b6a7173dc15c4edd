package main

import (
	"fmt"
	"math/big"
	"slices"

	"windlass/server/anchor"
)

// The harnesses' anchor has one line of these prices after the other, each from a
// start on: of euros, and of lumens. They lie so far apart that a price of another
// day shows in every cent.
var prices = [][2]price{
	{{"0.4613", "0.4509"}, {"1.9", "1.8412"}},
	{{"0.4971", "0.4818"}, {"2.0611", "1.9977"}},
	{{"0.43", "0.422503"}, {"1.7523", "1.7018"}},
}

type price struct{ buy, sell string }

// priced are the settings of a day's prices.
func priced(day int) (settings []string) {
	for i, p := range prices[day%len(prices)] {
		asset := fmt.Sprintf("WINDLASS_ASSETS_%d_", 1+i)
		settings = append(settings, asset+"DEPOSIT_PRICE="+p.buy, asset+"WITHDRAW_PRICE="+p.sell)
	}
	return settings
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

// net is what an account has got from others on the ledger, less what it has paid
// them: of an asset that it has for other reasons too.
func (h *history) net(account string, others []string, asset anchor.Asset) (sum anchor.Amount) {
	for _, o := range h.operations {
		_, to, of, amount := o.moved()
		switch {
		case of != asset.String():
		case slices.Contains(others, o.Source) && slices.Contains(to, account):
			sum += amount
		case o.Source == account && slices.ContainsFunc(to, func(a string) bool { return slices.Contains(others, a) }):
			sum -= amount
		}
	}
	return sum
}
