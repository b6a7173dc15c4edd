package main

import (
	"fmt"
	"slices"
	"time"

	"windlass/server/anchor"
)

// A quote is the prices from a start of the anchor on.
type quote struct {
	from  time.Time
	offer *Config
}

// quote has the next prices from now on.
func (l *lifetime) quote() *Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := quote{time.Now(), l.offers[len(l.quotes)%len(l.offers)]}
	l.quotes = append(l.quotes, q)
	return q.offer
}

// inForce are the configurations that there were since some time.
func (l *lifetime) inForce(since time.Time) (all []*Config) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range slices.Backward(l.quotes) {
		if all = append(all, q.offer); q.from.Before(since) {
			break
		}
	}
	return all
}

// priced finds out which price was agreed to: one that there was since the page
// was opened, and that gives what the page has said.
func (c *citizen) priced(o *order, since time.Time) error {
	for _, f := range tariffs(c.inForce(since), c.terms, anchor.Kind(o.kind)) {
		if out, _ := f.gives(o.in); out == o.out {
			o.tariff = f
			return nil
		}
	}
	return fmt.Errorf("%s was to bring %s for %s, which no price since %s gives", o.id, o.out, o.in, since)
}

// tariffs are those by which a transaction may be reckoned: the one that was agreed
// to, and for late money any since it was late.
func (c *citizen) tariffs(o *order) []tariff {
	if !o.late {
		return []tariff{o.tariff}
	}
	return append(tariffs(c.inForce(o.deadline), c.terms, anchor.Kind(o.kind)), o.tariff)
}

// wentBack is what of a transaction is not exchanged.
func (p *polled) wentBack() anchor.Amount {
	if p.Refunds.AmountRefunded == "" {
		return 0
	}
	return anchor.MustAmount(p.Refunds.AmountRefunded) + anchor.MustAmount(p.Refunds.AmountFee)
}

// A wish is what a customer has asked staff for on the telephone: that a part goes
// back of what is held. Who wavers takes it back, which may be too late.
type wish struct {
	amount, fee anchor.Amount
	wavers      bool
}

// wishesFor has a part go back of what is too much, and waits for the rest. What did is
// what the wallet is told.
func (c *citizen) wishesFor(o *order, paid anchor.Amount, to *anchor.Amount) error {
	w := wish{paid - o.in, anchor.One, c.dice.IntN(2) == 0}
	c.mu.Lock()
	c.lifetime.wishes[o.id] = w
	c.mu.Unlock()
	if err := c.completedBy(o, paid); err != nil {
		return err
	}
	tx, err := c.until(o, "completed")
	if err != nil {
		return err
	}
	switch back := tx.wentBack(); {
	case back == w.amount+w.fee:
		*to += w.amount
	case back != 0 || !w.wavers:
		return fmt.Errorf("%s of %s went back, where %s was wished for", back, o.id, w.amount)
	}
	return nil
}

// depositsTooMuchInPart is held; a part goes back, and the rest is paid.
func (c *citizen) depositsTooMuchInPart() error {
	o, err := c.ordered(true)
	if err != nil {
		return err
	}
	paid := o.in + (o.in / 2).Floor(o.tariff.in)
	if err := c.transfer(paid, o.reference); err != nil {
		return err
	}
	return c.wishesFor(o, paid, &c.banked)
}

// withdrawsTooMuchInPart is that of a withdrawal.
func (c *citizen) withdrawsTooMuchInPart() error {
	o, err := c.wanted(c.bankAccount())
	if err != nil {
		return err
	}
	paid := o.in + (o.in / 2).Floor(o.tariff.in)
	more := *o
	more.in = paid
	if err := c.payRight(&more); err != nil {
		return err
	}
	return c.wishesFor(o, paid, &c.owed)
}
