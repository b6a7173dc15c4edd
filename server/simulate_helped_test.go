package main

import (
	"fmt"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
)

// The errands of customers who cannot receive yet what they buy.

// bought is a deposit that is paid for, with an account and a trustline as they are.
func (c *citizen) bought() (*order, error) {
	o, err := c.agree("deposit", c.some(), "")
	if err == nil {
		err = c.while(hour)
	}
	if err == nil {
		err = c.transfer(o.in, o.reference)
	}
	return o, err
}

// await waits until there are so many lumens in the account.
func (c *citizen) await(lumens anchor.Amount) error {
	return c.insist(fmt.Sprintf("have %s lumens", lumens), func() error {
		a, err := c.plain.Account(c.ctx, c.key.Address())
		if err != nil {
			return later(err)
		}
		if has, _ := a.Balance(anchor.Native); has.Amount < lumens {
			return errLater{fmt.Errorf("there are %s", has.Amount)}
		}
		return nil
	})
}

// depositsForAnAccount has the anchor make the account, and adds the trustline
// with its lumens.
func (c *citizen) depositsForAnAccount() error {
	o, err := c.bought()
	if err == nil {
		err = c.await(2 * anchor.One)
	}
	if err == nil {
		err = c.open(true)
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

// depositsPoor has an account whose lumens do not do for a trustline: the anchor
// gives some.
func (c *citizen) depositsPoor() error {
	const left = 11 * anchor.One / 10
	if err := c.open(false); err != nil {
		return err
	}
	a, err := c.plain.Account(c.ctx, c.key.Address())
	if err != nil {
		return err
	}
	has, _ := a.Balance(anchor.Native)
	elsewhere, err := keypair.FromRawSeed([32]byte{byte(c.number >> 16), byte(c.number >> 8), byte(c.number)})
	if err == nil {
		err = c.submit(nil, &txnbuild.CreateAccount{Destination: elsewhere.Address(), Amount: (has.Amount - left).String()})
	}
	if err != nil {
		return err
	}
	c.scant = true
	o, err := c.bought()
	if err == nil {
		err = c.await(left + 4*anchor.One/10)
	}
	if err == nil {
		err = c.open(true)
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

// offered is a deposit that was paid by a balance.
func (c *citizen) offered() (o *order, tx *polled, err error) {
	if err := c.open(false); err != nil {
		return nil, nil, err
	}
	if o, err = c.bought(); err != nil {
		return nil, nil, err
	}
	if tx, err = c.until(o, "completed"); err == nil && tx.BalanceID == "" {
		err = fmt.Errorf("%s is completed, and has no balance to claim", o.id)
	}
	c.mayComeBack()
	return o, tx, err
}

// depositsUnclaimed leaves the balance: it comes back, and staff refund it.
func (c *citizen) depositsUnclaimed() error {
	o, _, err := c.offered()
	if err == nil {
		err = comesBack(&c.banked, o.in, c.refunded(o))
	}
	return err
}

// depositsClaimedLate takes the balance before the anchor may, and keeps it.
func (c *citizen) depositsClaimedLate() error {
	o, tx, err := c.offered()
	if err == nil {
		err = c.while(claimBackAfter - 5*hour)
	}
	if err == nil {
		c.owns += o.out
		err = c.claim(tx)
	}
	if err == nil {
		err = c.sleep(claimBackAfter)
	}
	if err == nil {
		_, err = c.until(o, "completed")
	}
	return err
}

// depositsUntrusted never adds the trustline: after its time all goes back.
func (c *citizen) depositsUntrusted() error {
	if err := c.open(false); err != nil {
		return err
	}
	began := time.Now()
	o, err := c.bought()
	if err == nil {
		err = comesBack(&c.banked, o.in, c.refunded(o))
	}
	if err == nil && time.Since(began) < trustWindow {
		err = fmt.Errorf("%s was given back after %s", o.id, time.Since(began))
	}
	return err
}

// depositsUnwanted never uses the account that the anchor has made: the fee is
// kept for it.
func (c *citizen) depositsUnwanted() error {
	o, err := c.bought()
	if err == nil {
		_, fee := o.tariff.gives(o.in)
		err = comesBack(&c.banked, o.in-fee, c.refunded(o))
	}
	return err
}
