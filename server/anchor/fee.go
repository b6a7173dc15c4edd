package anchor

// Schedule is how a fee is worked out of amount_in.
type Schedule struct {
	// Fixed is charged once, in units of amount_in's asset.
	Fixed Amount
	// Percent of amount_in, counted like an amount: 0.5 % is 5,000,000.
	Percent Amount
	// Minimum is the least that Fixed and Percent together charge.
	Minimum Amount
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

// Price is a transaction's arithmetic: In = Out + the sum of the fee's lines.
// All are counted in one asset's units, since both are worth the same.
type Price struct {
	In, Out, Fee Amount
	Lines        []FeeLine
}

// Price works out what leaves of in after the fee of one direction. What is
// paid is rounded down to the asset's decimals and the remainder is a fee line
// of its own. An amount that the fee eats whole is Invalid.
func (t *Terms) Price(k Kind, in Amount) (Price, error) {
	s := t.Side(k).Fee
	percent, err := in.MulDiv(s.Percent, 100*One, Down)
	if err != nil {
		return Price{}, err
	}
	p := Price{In: in}
	add := func(name string, a Amount) {
		if a > 0 && err == nil {
			p.Lines = append(p.Lines, FeeLine{name, a})
			p.Fee, err = p.Fee.Add(a)
		}
	}
	add(FeeFixed, s.Fixed)
	add(FeePercent, percent)
	add(FeeMinimum, s.Minimum-p.Fee)
	if err != nil {
		return Price{}, err
	}
	if p.Fee >= in {
		return Price{}, &Error{Kind: Invalid, Code: "amount_below_fee", Field: "amount",
			Message: "the amount does not cover the fee"}
	}
	p.Out = (in - p.Fee).Floor(t.Decimals)
	add(FeeRounding, in-p.Fee-p.Out)
	if p.Out <= 0 {
		return Price{}, &Error{Kind: Invalid, Code: "amount_below_fee", Field: "amount",
			Message: "the amount does not cover the fee"}
	}
	return p, nil
}
