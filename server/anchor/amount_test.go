package anchor_test

import (
	"encoding/json"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"windlass/server/anchor"
)

// kindIs fails the test unless err is an anchor error of that kind and code.
func kindIs(t interface {
	Helper()
	Errorf(string, ...any)
}, err error, kind anchor.ErrorKind, code string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %s %s", kind, code)
		return
	}
	if anchor.KindOf(err) != kind || code != "" && codeOf(err) != code {
		t.Errorf("error %v is %s %q, want %s %q", err, anchor.KindOf(err), codeOf(err), kind, code)
	}
}

func TestParseAmount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want anchor.Amount
		code string
	}{
		{"0", 0, ""},
		{"1", 10_000_000, ""},
		{"98.5", 985_000_000, ""},
		{"98.50", 985_000_000, ""},
		{"0.0000001", 1, ""},
		{"0.0000000", 0, ""},
		{"007", 70_000_000, ""},
		{"922337203685.4775807", math.MaxInt64, ""},
		{"00000000000922337203685.4775807", math.MaxInt64, ""},

		{"922337203685.4775808", 0, "amount_too_large"},
		{"922337203686", 0, "amount_too_large"},
		{"99999999999999999999999999999999", 0, "amount_too_large"},

		{"", 0, "amount_malformed"},
		{".", 0, "amount_malformed"},
		{".5", 0, "amount_malformed"},
		{"5.", 0, "amount_malformed"},
		{"1.2.3", 0, "amount_malformed"},
		{"-1", 0, "amount_malformed"},
		{"+1", 0, "amount_malformed"},
		{" 1", 0, "amount_malformed"},
		{"1 ", 0, "amount_malformed"},
		{"1e3", 0, "amount_malformed"},
		{"0x10", 0, "amount_malformed"},
		{"1,000", 0, "amount_malformed"},
		{"1_000", 0, "amount_malformed"},
		{"NaN", 0, "amount_malformed"},
		{"Inf", 0, "amount_malformed"},
		{"0.00000001", 0, "amount_malformed"},
		{"1.00000000", 0, "amount_malformed"},
		{"١٢", 0, "amount_malformed"},
		{"1\x00", 0, "amount_malformed"},
		{"1\n", 0, "amount_malformed"},
		{strings.Repeat("0", 32), 0, ""},
		{strings.Repeat("0", 33), 0, "amount_malformed"},
		{"1e999999999", 0, "amount_malformed"},
	} {
		got, err := anchor.ParseAmount(c.in)
		if c.code != "" {
			kindIs(t, err, anchor.Invalid, c.code)
		} else if err != nil {
			t.Errorf("%q: %v", c.in, err)
		}
		if got != c.want {
			t.Errorf("%q is %d, want %d", c.in, got, c.want)
		}
	}
}

func TestAmountText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a                        anchor.Amount
		text, fixed0, two, seven string
	}{
		{0, "0", "0", "0.00", "0.0000000"},
		{1, "0.0000001", "0", "0.00", "0.0000001"},
		{985_000_000, "98.5", "98", "98.50", "98.5000000"},
		{1_000_000_000, "100", "100", "100.00", "100.0000000"},
		{999_999_999, "99.9999999", "99", "99.99", "99.9999999"},
		{-1, "-0.0000001", "-0", "-0.00", "-0.0000001"},
		{-15_000_000, "-1.5", "-1", "-1.50", "-1.5000000"},
		{math.MaxInt64, "922337203685.4775807", "922337203685", "922337203685.47", "922337203685.4775807"},
		{math.MinInt64, "-922337203685.4775808", "-922337203685", "-922337203685.47", "-922337203685.4775808"},
	} {
		for _, x := range []struct{ got, want string }{
			{c.a.String(), c.text},
			{c.a.Fixed(-1), c.fixed0}, {c.a.Fixed(0), c.fixed0}, {c.a.Fixed(2), c.two}, {c.a.Fixed(7), c.seven}, {c.a.Fixed(9), c.seven},
		} {
			if x.got != x.want {
				t.Errorf("%d is written %q, want %q", int64(c.a), x.got, x.want)
			}
		}
	}
}

// TestAmountRoundTrip: what is written is what is read, and JSON carries text.
func TestAmountRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := anchor.Amount(rapid.Int64Min(0).Draw(t, "a"))
		for _, s := range []string{a.String(), a.Fixed(anchor.Decimals)} {
			if b, err := anchor.ParseAmount(s); err != nil || b != a {
				t.Fatalf("%d is written %s and read %d, %v", int64(a), s, int64(b), err)
			}
		}
		// The decimal itself, by other arithmetic.
		r, ok := new(big.Rat).SetString(a.String())
		if !ok || r.Cmp(big.NewRat(int64(a), int64(anchor.One))) != 0 {
			t.Fatalf("%d is not %s", int64(a), a)
		}
		j, err := json.Marshal(map[string]anchor.Amount{"a": a})
		if err != nil || !strings.Contains(string(j), `"a":"`+a.String()+`"`) {
			t.Fatalf("%s, %v", j, err)
		}
		var back map[string]anchor.Amount
		if err := json.Unmarshal(j, &back); err != nil || back["a"] != a {
			t.Fatalf("%s is read as %v, %v", j, back, err)
		}
	})
	var a anchor.Amount
	for _, bad := range []string{`1.5`, `"-1"`, `""`, `1e3`, `{}`} {
		if err := json.Unmarshal([]byte(bad), &a); err == nil {
			t.Errorf("an amount was read from JSON %s", bad)
		}
	}
}

// TestSums compares Add and Sub with numbers that cannot overflow.
func TestSums(t *testing.T) {
	t.Parallel()
	edge := []anchor.Amount{0, 1, -1, math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1}
	check := func(t interface {
		Helper()
		Errorf(string, ...any)
	}, a, b anchor.Amount) {
		t.Helper()
		x, y := big.NewInt(int64(a)), big.NewInt(int64(b))
		for _, c := range []struct {
			name string
			fn   func(anchor.Amount) (anchor.Amount, error)
			want *big.Int
		}{{"+", a.Add, new(big.Int).Add(x, y)}, {"-", a.Sub, new(big.Int).Sub(x, y)}} {
			got, err := c.fn(b)
			if !c.want.IsInt64() {
				kindIs(t, err, anchor.Invalid, "amount_too_large")
				if got != 0 {
					t.Errorf("%d %s %d overflowed to %d", a, c.name, b, got)
				}
			} else if err != nil || int64(got) != c.want.Int64() {
				t.Errorf("%d %s %d is %d, %v", a, c.name, b, got, err)
			}
		}
	}
	for _, a := range edge {
		for _, b := range edge {
			check(t, a, b)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, anchor.Amount(rapid.Int64().Draw(t, "a")), anchor.Amount(rapid.Int64().Draw(t, "b")))
	})
}

// TestMulDiv compares with math/big.
func TestMulDiv(t *testing.T) {
	t.Parallel()
	check := func(t interface {
		Helper()
		Errorf(string, ...any)
	}, a, num, den anchor.Amount, r anchor.Rounding) {
		t.Helper()
		got, err := a.MulDiv(num, den, r)
		if a < 0 || num < 0 || den <= 0 {
			kindIs(t, err, anchor.Invalid, "amount_too_large")
			return
		}
		p := new(big.Int).Mul(big.NewInt(int64(a)), big.NewInt(int64(num)))
		q, rem := new(big.Int).QuoRem(p, big.NewInt(int64(den)), new(big.Int))
		if r == anchor.Up && rem.Sign() > 0 {
			q.Add(q, big.NewInt(1))
		}
		if !q.IsInt64() {
			kindIs(t, err, anchor.Invalid, "amount_too_large")
		} else if err != nil || int64(got) != q.Int64() {
			t.Errorf("%d·%d/%d (%v) is %d, %v; want %s", a, num, den, r, got, err, q)
		}
	}
	edge := []anchor.Amount{0, 1, 2, 3, 7, anchor.One, 100 * anchor.One, math.MaxInt64/2 + 1, math.MaxInt64 - 1, math.MaxInt64, -1, math.MinInt64}
	for _, a := range edge {
		for _, num := range edge {
			for _, den := range edge {
				check(t, a, num, den, anchor.Down)
				check(t, a, num, den, anchor.Up)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Min(0)
		check(t, anchor.Amount(n.Draw(t, "a")), anchor.Amount(n.Draw(t, "num")), anchor.Amount(n.Draw(t, "den")),
			anchor.Rounding(rapid.Bool().Draw(t, "up")))
	})
}

func TestUnits(t *testing.T) {
	t.Parallel()
	units := map[int]anchor.Amount{-3: anchor.One, 0: anchor.One, 1: 1_000_000, 2: 100_000, 6: 10, 7: 1, 12: 1}
	for d, want := range units {
		if got := anchor.Unit(d); got != want {
			t.Errorf("Unit(%d) is %d, want %d", d, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a := anchor.Amount(rapid.Int64Min(0).Draw(t, "a"))
		d := rapid.IntRange(0, 7).Draw(t, "decimals")
		f := a.Floor(d)
		if f > a || a-f >= anchor.Unit(d) || !f.IsWhole(d) || f.Floor(d) != f || a.IsWhole(d) != (f == a) {
			t.Fatalf("%s floored to %d decimals is %s", a, d, f)
		}
		if f.String() != mustParse(t, a.Fixed(d)).String() {
			t.Fatalf("Floor gives %s, Fixed %s", f, a.Fixed(d))
		}
	})
}

func mustParse(t *rapid.T, s string) anchor.Amount {
	a, err := anchor.ParseAmount(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestMustAmount(t *testing.T) {
	t.Parallel()
	if anchor.MustAmount("98.5") != 985_000_000 {
		t.Error("98.5")
	}
	defer func() {
		if recover() == nil {
			t.Error("a bad literal went through")
		}
	}()
	anchor.MustAmount("98,5")
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"", "0", "98.5", "0.0000001", "922337203685.4775807", "922337203685.4775808", ".5", "5.", "-1", "1e3", "1\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := anchor.ParseAmount(s)
		if err != nil {
			kindIs(t, err, anchor.Invalid, "")
			if a != 0 {
				t.Errorf("%q is refused and %d", s, a)
			}
			return
		}
		r, ok := new(big.Rat).SetString(s)
		if a < 0 || !ok || r.Cmp(big.NewRat(int64(a), int64(anchor.One))) != 0 {
			t.Errorf("%q is read as %d", s, int64(a))
		}
		if b, err := anchor.ParseAmount(a.String()); err != nil || b != a {
			t.Errorf("%q is written %s and read %d, %v", s, a, int64(b), err)
		}
	})
}

func TestShown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount   string
		decimals int
		want     string
	}{
		{"98.5", 2, "98.50"},
		{"100", 0, "100"},
		{"1.5", 3, "1.500"},
		{"98.5051", 2, "98.5051"}, // a fee's rounding
		{"10000", 7, "10000.00"},
		{"837.585034", 7, "837.585034"},
		{"0.5", 7, "0.50"},
		{"0.0000001", 7, "0.0000001"},
		{"0", 7, "0.00"},
	} {
		if got := anchor.MustAmount(c.amount).Shown(c.decimals); got != c.want {
			t.Errorf("%s with %d decimals is shown as %s, want %s", c.amount, c.decimals, got, c.want)
		}
	}
}
