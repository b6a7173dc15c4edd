package anchor

import (
	"math"
	"math/bits"
	"strings"
)

// Decimals is the number of decimal places an [Amount] carries, Stellar's own.
const Decimals = 7

// One is one whole unit of an asset.
const One Amount = 10_000_000

// MaxAmount is the largest amount Stellar can hold, 922,337,203,685.4775807.
const MaxAmount Amount = math.MaxInt64

// Amount is a count of 10⁻⁷ units ("stroops") of an asset. It may be negative
// in postings and differences; amounts parsed from outside never are.
type Amount int64

// ParseAmount reads a plain decimal such as "10", "98.5" or "0.0000001": digits
// with at most one point and seven decimals, no sign, exponent or separators.
// Everything else is an Invalid error.
func ParseAmount(s string) (Amount, error) {
	whole, frac, point := strings.Cut(s, ".")
	if len(s) > 32 || whole == "" || (point && frac == "") || len(frac) > Decimals {
		return 0, invalidAmount()
	}
	var n uint64
	for _, c := range whole + frac + strings.Repeat("0", Decimals-len(frac)) {
		if c < '0' || c > '9' {
			return 0, invalidAmount()
		}
		d := uint64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, &Error{Kind: Invalid, Code: "amount_too_large", Message: "the amount is larger than Stellar can hold"}
		}
		n = n*10 + d
	}
	return Amount(n), nil
}

// MustAmount is ParseAmount for literals; it panics on a bad one.
func MustAmount(s string) Amount {
	a, err := ParseAmount(s)
	if err != nil {
		panic("anchor: bad amount literal " + s)
	}
	return a
}

func invalidAmount() error {
	return &Error{Kind: Invalid, Code: "amount_malformed",
		Message: `the amount must be a plain decimal number with at most seven decimals, such as "98.50"`}
}

// String writes the shortest exact decimal: "98.5", "100", "-0.0000001".
func (a Amount) String() string {
	s := a.full()
	s = strings.TrimRight(s, "0")
	return strings.TrimSuffix(s, ".")
}

// Fixed writes the amount with the given number of decimals, 0 to 7, cutting
// what lies below: Fixed(2) of 98.5 is "98.50".
func (a Amount) Fixed(decimals int) string {
	s := a.full()
	if decimals <= 0 {
		return s[:len(s)-Decimals-1]
	}
	return s[:len(s)-Decimals+min(decimals, Decimals)]
}

// Shown writes the amount for people: with the given number of decimals, or more if
// it has more, since sums must add up. Of more decimals than currencies have, zeros
// beyond the second say nothing: Shown(7) of 10 is "10.00".
func (a Amount) Shown(decimals int) string {
	if decimals > mostOfCurrencies {
		decimals = 2
	}
	if a.IsWhole(decimals) {
		return a.Fixed(decimals)
	}
	return a.String()
}

// mostOfCurrencies is how many decimals a currency has at the most.
const mostOfCurrencies = 3

func (a Amount) full() string {
	neg := a < 0
	u := uint64(a)
	if neg {
		u = -u
	}
	var buf [24]byte
	i := len(buf)
	for n := 0; n <= Decimals || u > 0; n++ {
		if n == Decimals {
			i--
			buf[i] = '.'
		}
		i--
		buf[i] = byte('0' + u%10)
		u /= 10
	}
	if neg {
		i--
		buf[i] = '-'
	}
	return string(buf[i:])
}

// Add returns a+b, or an Invalid error when the sum does not fit.
func (a Amount) Add(b Amount) (Amount, error) {
	c := a + b
	if (c > a) != (b > 0) && b != 0 {
		return 0, overflow()
	}
	return c, nil
}

// Sub returns a−b, or an Invalid error when the difference does not fit.
func (a Amount) Sub(b Amount) (Amount, error) {
	c := a - b
	if (c < a) != (b > 0) && b != 0 {
		return 0, overflow()
	}
	return c, nil
}

// Rounding says what MulDiv does with the part below one unit.
type Rounding bool

// Down cuts towards zero; Up goes to the next whole unit.
const (
	Down Rounding = false
	Up   Rounding = true
)

// MulDiv returns a·num/den with a 128-bit intermediate result. a, num and den
// must not be negative and den not zero; a result that does not fit is an
// Invalid error.
func (a Amount) MulDiv(num, den Amount, r Rounding) (Amount, error) {
	if a < 0 || num < 0 || den <= 0 {
		return 0, overflow()
	}
	hi, lo := bits.Mul64(uint64(a), uint64(num))
	if hi >= uint64(den) {
		return 0, overflow()
	}
	q, rem := bits.Div64(hi, lo, uint64(den))
	if r == Up && rem > 0 {
		q++
	}
	if q > math.MaxInt64 {
		return 0, overflow()
	}
	return Amount(q), nil
}

// Unit is the smallest amount of an asset with the given number of decimals:
// Unit(2) is 0.01.
func Unit(decimals int) Amount {
	u := One
	for range min(max(decimals, 0), Decimals) {
		u /= 10
	}
	return u
}

// Floor rounds a non-negative amount down to a whole number of units of the
// given decimals.
func (a Amount) Floor(decimals int) Amount { return a - a%Unit(decimals) }

// IsWhole reports whether the amount has no digits below the given decimals.
func (a Amount) IsWhole(decimals int) bool { return a%Unit(decimals) == 0 }

func overflow() error {
	return &Error{Kind: Invalid, Code: "amount_too_large", Message: "the amount is larger than Stellar can hold"}
}

// MarshalText writes the shortest exact decimal.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAmount accepts.
func (a *Amount) UnmarshalText(text []byte) error {
	v, err := ParseAmount(string(text))
	*a = v
	return err
}
