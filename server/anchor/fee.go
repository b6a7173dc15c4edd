package anchor

import "sort"

// Schedule is how a fee is worked out of amount_in, in units of its asset.
type Schedule struct {
	// Fixed is charged once.
	Fixed Amount
	// Percent of amount_in, counted like an amount: 0.5 % is 5,000,000.
	Percent Amount
	// Tiers take the place of Fixed and Percent from an amount on, lowest first.
	Tiers []Tier
	// Minimum is the least that is charged, Maximum the most; 0 is no maximum.
	Minimum, Maximum Amount
}

// Tier is what an amount costs, all of it, that is From or more.
type Tier struct{ From, Fixed, Percent Amount }

// Simple reports whether SEP-24's /info can say it: fee_fixed, fee_percent and
// fee_minimum.
func (s *Schedule) Simple() bool { return len(s.Tiers) == 0 && s.Maximum == 0 }

// tier is what holds for an amount.
func (s *Schedule) tier(in Amount) Tier {
	held := Tier{Fixed: s.Fixed, Percent: s.Percent}
	for _, t := range s.Tiers {
		if in >= t.From {
			held = t
		}
	}
	return held
}

// The names of fee lines, keys of the language catalogue under "fee.<name>".
const (
	FeeFixed    = "fixed"
	FeePercent  = "percent"
	FeeMinimum  = "minimum"  // what lifts the fee to the minimum
	FeeRounding = "rounding" // what lies below the smallest unit that can be paid
)

// FeeLine is one line of a fee's breakdown (SEP-24 fee_details).
type FeeLine struct {
	Name   string `json:"name"`
	Amount Amount `json:"amount"`
}

// of is the fee of an amount, line by line.
func (s *Schedule) of(in Amount) (fee Amount, lines []FeeLine, err error) {
	tier := s.tier(in)
	percent, err := in.MulDiv(tier.Percent, 100*One, Down)
	if err != nil {
		return 0, nil, err
	}
	if fee, err = tier.Fixed.Add(percent); err != nil {
		return 0, nil, err
	}
	lines = lineUp(FeeLine{FeeFixed, tier.Fixed}, FeeLine{FeePercent, percent}, FeeLine{FeeMinimum, s.Minimum - fee})
	fee = max(fee, s.Minimum)
	if over := fee - s.Maximum; s.Maximum > 0 && over > 0 {
		fee = s.Maximum
		lines, _ = splitFee(lines, over)
	}
	return fee, lines, nil
}

// Fee is what an amount costs, before anything is rounded; the largest amount
// there is if it cannot be counted.
func (s *Schedule) Fee(in Amount) Amount {
	fee, _, err := s.of(in)
	if err != nil {
		return MaxAmount
	}
	return fee
}

// lineUp leaves out the lines of nothing.
func lineUp(all ...FeeLine) (lines []FeeLine) {
	for _, l := range all {
		if l.Amount > 0 {
			lines = append(lines, l)
		}
	}
	return lines
}

// Price is a transaction's arithmetic: what is left of In after the sum of the
// fee's lines gives Out at the rate.
type Price struct {
	In, Fee Amount // of the asset that comes in
	Lines   []FeeLine
	Rate    Rate
	Out     Amount
}

// Schedule is what a direction costs by one of its methods; "" is one that is
// still to be chosen.
func (s *Side) Schedule(method string) *Schedule {
	if method == "" && len(s.Methods) == 1 {
		method = s.Methods[0].ID
	}
	if m, _ := s.Method(method); m.Fee != nil {
		return m.Fee
	}
	return &s.Fee
}

// Price works out what is given for in after the fee of one direction, by one of
// its methods or by one that is still to be chosen, at today's rate. What is paid is
// rounded down to its asset's decimals, and what that leaves over is a fee line of
// its own. An amount that the fee eats whole is Invalid.
//
// Everybody's price is made here: /fee, the page, the summary that is agreed to,
// and what arrives otherwise than expected.
func (t *Terms) Price(k Kind, method string, in Amount) (Price, error) {
	return t.priceAt(t.Side(k).Rate, k, method, in)
}

func (t *Terms) priceAt(r Rate, k Kind, method string, in Amount) (Price, error) {
	fee, lines, err := t.Side(k).Schedule(method).of(in)
	if err != nil {
		return Price{}, err
	}
	decimals := t.DecimalsOf(t.In(k))
	out, err := r.Out(max(0, in-fee).Floor(decimals))
	if err != nil {
		return Price{}, err
	}
	if fee >= in || out <= 0 {
		return Price{}, &Error{Kind: Invalid, Code: "amount_below_fee", Field: "amount",
			Message: "the amount does not cover the fee"}
	}
	// Never more than what is left: that gave no more than out.
	worth, err := r.In(out, decimals)
	if err != nil {
		return Price{}, err
	}
	return Price{In: in, Fee: in - worth, Lines: append(lines, lineUp(FeeLine{FeeRounding, in - fee - worth})...), Rate: r, Out: out}, nil
}

// Asking is the least amount_in that gives out by a method. If it would lie outside the limits, so does the answer.
func (t *Terms) Asking(k Kind, method string, out Amount) Amount {
	unit := Unit(t.DecimalsOf(t.In(k)))
	least, most := t.Side(k).Limits(method)
	if t.gives(k, method, least) > out {
		return least - unit
	}
	for _, r := range t.tiers(k, method) {
		n := sort.Search(int((r[1]-r[0])/unit)+1, func(i int) bool { return t.gives(k, method, r[0]+Amount(i)*unit) >= out })
		if in := r[0] + Amount(n)*unit; in <= r[1] {
			return in
		}
	}
	return most + unit
}

// gives is what comes out of an amount_in, 0 if the fee eats it.
func (t *Terms) gives(k Kind, method string, in Amount) Amount {
	p, err := t.Price(k, method, in)
	if err != nil {
		return 0
	}
	return p.Out
}

// tiers are the first and the last amount_in of each tier of the fee. Within one, more
// comes out of more; where a dearer one begins, less may.
func (t *Terms) tiers(k Kind, method string) (ranges [][2]Amount) {
	s, unit := t.Side(k), Unit(t.DecimalsOf(t.In(k)))
	from, most := s.Limits(method)
	for _, tier := range s.Schedule(method).Tiers {
		if tier.From > from && tier.From <= most {
			ranges, from = append(ranges, [2]Amount{from, tier.From - unit}), tier.From
		}
	}
	return append(ranges, [2]Amount{from, most})
}

// AmountFor is the amount_in that a customer enters by what is to come out: the least
// by which that much does. What cannot be reached is refused with the limits of what
// comes out.
func (t *Terms) AmountFor(k Kind, method string, out Amount) (Amount, error) {
	decimals, symbol := t.DecimalsOf(t.Out(k)), t.Out(k).Symbol()
	if !out.IsWhole(decimals) {
		return 0, &Error{Kind: Invalid, Code: "amount_too_precise", Field: "amountOut", Args: map[string]string{"asset": symbol},
			Message: "the amount has more decimals than " + symbol + " has"}
	}
	in := t.Asking(k, method, out)
	minimum, maximum := t.Side(k).Limits(method)
	var most Amount
	for _, r := range t.tiers(k, method) {
		most = max(most, t.gives(k, method, r[1]))
	}
	args := map[string]string{"minimum": t.gives(k, method, minimum).Shown(decimals), "maximum": most.Shown(decimals), "asset": symbol}
	switch {
	case in < minimum:
		return 0, &Error{Kind: Invalid, Code: "amount_out_below_minimum", Field: "amountOut", Args: args,
			Message: "what comes out must be at least " + args["minimum"] + " " + symbol}
	case in > maximum:
		return 0, &Error{Kind: Invalid, Code: "amount_out_above_maximum", Field: "amountOut", Args: args,
			Message: "what comes out must be at most " + args["maximum"] + " " + symbol}
	}
	return in, t.CheckAmount(k, method, in)
}
