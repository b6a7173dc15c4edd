package anchor

import (
	"strconv"
	"strings"
)

// Rate is what is given for what comes in, fees apart: Num of the one for Den of
// the other, rounded down to the decimals that can be paid. Values are comparable;
// the zero value is one for one, to the last stroop.
type Rate struct {
	Num, Den Amount
	Decimals int // of what is given
}

// priceDigits is how many digits a price may have, and priceDecimals how many of
// them behind the point.
const (
	priceDigits   = 18
	priceDecimals = 12
)

// Quote is the rate of a direction by the price of one unit of the asset on the
// ledger, in units of what the bank moves, such as "0.1176": a deposit buys at it, a
// withdrawal sells. decimals are those of the asset on the ledger and of what the
// bank moves.
func Quote(k Kind, price string, ledger, bank int) (Rate, error) {
	whole, fraction, _ := strings.Cut(price, ".")
	fraction = strings.TrimRight(fraction, "0")
	digits, err := strconv.ParseUint(whole+fraction, 10, 63)
	if err != nil || digits == 0 || whole == "" || strings.HasSuffix(price, ".") || len(whole+fraction) > priceDigits || len(fraction) > priceDecimals {
		return Rate{}, &Error{Kind: Invalid, Field: "price",
			Message: `the price must be a plain decimal above 0, such as "0.1176"`}
	}
	scale := Amount(1)
	for range fraction {
		scale *= 10
	}
	switch {
	case digits == 1 && scale == 1 && ledger == bank:
		return Rate{}, nil
	case k == Deposit:
		return Rate{Num: scale, Den: Amount(digits), Decimals: ledger}, nil
	}
	return Rate{Num: Amount(digits), Den: scale, Decimals: bank}, nil
}

// IsOne reports whether as much is given as comes in.
func (r Rate) IsOne() bool { return r == Rate{} }

// Out is what is given for in.
func (r Rate) Out(in Amount) (Amount, error) {
	if r.IsOne() {
		return in, nil
	}
	out, err := in.MulDiv(r.Num, r.Den, Down)
	return out.Floor(r.Decimals), err
}

// In is the least of what comes in that out is given for, in whole units of
// decimals.
func (r Rate) In(out Amount, decimals int) (Amount, error) {
	in := out
	if !r.IsOne() {
		var err error
		if in, err = out.MulDiv(r.Den, r.Num, Up); err != nil {
			return 0, err
		}
	}
	if rest := in % Unit(decimals); rest > 0 {
		return in.Add(Unit(decimals) - rest)
	}
	return in, nil
}

// Price is what Quote made the rate of; "1" if as much is given as comes in.
func (r Rate) Price(k Kind) string {
	digits, scale := r.Num, r.Den
	if k == Deposit {
		digits, scale = r.Den, r.Num
	}
	s, decimals := strconv.FormatInt(int64(digits), 10), len(strconv.FormatInt(int64(scale), 10))-1
	switch {
	case r.IsOne():
		return "1"
	case decimals == 0:
		return s
	}
	s = strings.Repeat("0", max(0, decimals+1-len(s))) + s
	return s[:len(s)-decimals] + "." + s[len(s)-decimals:]
}

// String is how the books keep the rate: "NUM/DEN/DECIMALS", "" for one for one.
func (r Rate) String() string {
	if r.IsOne() {
		return ""
	}
	return strconv.FormatInt(int64(r.Num), 10) + "/" + strconv.FormatInt(int64(r.Den), 10) + "/" + strconv.Itoa(r.Decimals)
}

// ParseRate reads what String wrote.
func ParseRate(s string) (Rate, error) {
	if s == "" {
		return Rate{}, nil
	}
	parts := strings.Split(s, "/")
	var n [3]int64
	ok := len(parts) == len(n)
	for i := 0; ok && i < len(n); i++ {
		v, err := strconv.ParseInt(parts[i], 10, 64)
		n[i], ok = v, err == nil
	}
	if !ok || n[0] <= 0 || n[1] <= 0 || n[2] < 0 || n[2] > Decimals {
		return Rate{}, &Error{Message: "the books have a rate that is none: " + strconv.Quote(s)}
	}
	return Rate{Num: Amount(n[0]), Den: Amount(n[1]), Decimals: int(n[2])}, nil
}
