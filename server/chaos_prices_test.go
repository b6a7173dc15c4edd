package main

import (
	"fmt"

	"windlass/server/anchor"
)

// told is what the page says that comes out: it must be what one of the prices
// gives, and that one holds from the yes on, whatever it is after a next start.
func (c *customer) told(s *story, out string) error {
	for _, f := range tariffs(c.life.offers, c.terms, anchor.Kind(s.kind)) {
		if gives, _ := f.gives(s.agreed); gives == anchor.MustAmount(out) {
			s.tariff = f
			return nil
		}
	}
	c.doubled++
	return fmt.Errorf("%s for %s is what no price gives", out, s.agreed)
}

// fair says what is wrong about the amounts that the wallet was told at last: what
// is left of what counts, after the fee and what went back, is exchanged at the
// price that was agreed to.
func (s *story) fair() error {
	if s.paid == 0 || s.last.AmountOut == "" {
		return nil
	}
	amount := func(text string) anchor.Amount {
		if text == "" {
			return 0
		}
		return anchor.MustAmount(text)
	}
	out, fee, r := amount(s.last.AmountOut), amount(s.last.AmountFee), s.last.Refunds
	back := amount(r.AmountRefunded) + amount(r.AmountFee)
	gives, costs := s.tariff.gives(s.paid)
	switch left := s.tariff.worth(s.paid - fee - back); {
	case back == 0 && (out != gives || fee != costs):
		return fmt.Errorf("%s after a fee of %s for %s, which gives %s after %s", out, fee, s.paid, gives, costs)
	case out != left:
		return fmt.Errorf("%s for the rest of %s after %s that went back and a fee of %s, which gives %s", out, s.paid, back, fee, left)
	case fee > costs:
		return fmt.Errorf("a fee of %s, which is %s", fee, costs)
	}
	return nil
}
