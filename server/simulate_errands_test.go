package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
	"windlass/server/rail"
)

// An errand is what a customer does in one visit.
type errand struct {
	name  string
	often int // of all that can be chosen
	when  when
	tell  func(*citizen) error
}

// when says which customers can run an errand.
type when func(*citizen) bool

func always(*citizen) bool    { return true }
func first(c *citizen) bool   { return !c.started }                           // who has no account yet
func bare(c *citizen) bool    { return !c.trusts }                            // who has no trustline yet
func waits(c *citizen) bool   { return bare(c) && !(c.claims && dollars(c)) } // and is not paid before there is one
func claims(c *citizen) bool  { return bare(c) && c.claims && dollars(c) }    // and is paid by a balance
func dollars(c *citizen) bool { return c.terms == c.cfg.terms[0] }            // who buys those, and gets an account
func rich(c *citizen) bool    { return c.owns >= least }                      // who has enough to withdraw
func lumens(c *citizen) bool {
	return rich(c) && !c.scant && !c.terms.Asset.IsNative() // and lumens besides
}

// both joins two conditions.
func both(a, b when) when { return func(c *citizen) bool { return a(c) && b(c) } }

// least is what makes a customer rich.
const least = 60 * anchor.One

// errands is the table. To add one is to add a line.
var errands []errand

func init() { // what it calls needs the table
	errands = []errand{
		{"deposit", 40, always, (*citizen).deposits},
		{"deposit before there is an account", 6, first, (*citizen).depositsWithoutAccount},
		{"deposit before there is a trustline", 6, both(first, bare), (*citizen).depositsWithoutTrustline},
		{"deposit that makes an account", 6, both(first, dollars), (*citizen).depositsForAnAccount},
		{"deposit for who has no lumens for a trustline", 6, both(first, bare), (*citizen).depositsPoor},
		{"deposit that nobody claims", 4, claims, (*citizen).depositsUnclaimed},
		{"deposit that is claimed late", 4, claims, (*citizen).depositsClaimedLate},
		{"deposit whose trustline never comes", 4, waits, (*citizen).depositsUntrusted},
		{"deposit whose account never takes it", 3, both(first, both(waits, dollars)), (*citizen).depositsUnwanted},
		{"deposit with a wrong reference first", 3, always, (*citizen).depositsUnderWrongReference},
		{"deposit too little first", 3, always, (*citizen).depositsTooLittle},
		{"deposit too much", 3, always, (*citizen).depositsTooMuch},
		{"deposit too much, of which a part goes back", 4, always, (*citizen).depositsTooMuchInPart},
		{"deposit twice", 3, always, (*citizen).depositsTwice},
		{"deposit too late", 2, always, (*citizen).depositsTooLate},
		{"deposit at the last moment", 3, always, (*citizen).depositsLast},
		{"deposit never paid", 3, always, (*citizen).depositsNothing},
		{"deposit page left", 3, always, (*citizen).leavesThePage},
		{"withdrawal", 90, rich, (*citizen).withdraws},
		{"withdrawal to a muxed address", 4, rich, (*citizen).withdrawsMuxed},
		{"withdrawal with a wrong memo first", 4, rich, withdrawsWith(txnbuild.MemoID(4711))},
		{"withdrawal with a text for a memo first", 4, rich, withdrawsWith(txnbuild.MemoText("thanks"))},
		{"withdrawal without a memo first", 4, rich, withdrawsWith(nil)},
		{"withdrawal of lumens first", 3, lumens, (*citizen).withdrawsLumens},
		{"withdrawal too little first", 4, rich, (*citizen).withdrawsTooLittle},
		{"withdrawal too much, of which a part goes back", 6, rich, (*citizen).withdrawsTooMuchInPart},
		{"withdrawal twice", 4, rich, (*citizen).withdrawsTwice},
		{"withdrawal too late", 3, rich, (*citizen).withdrawsTooLate},
		{"withdrawal at the last moment", 4, rich, (*citizen).withdrawsLast},
		{"withdrawal never paid", 3, rich, (*citizen).withdrawsNothing},
		{"withdrawal to a closed account", 3, rich, withdrawsTo(rail.ClosedAccount)},
		{"withdrawal that the bank returns", 3, rich, withdrawsTo(rail.ReturningAccount)},
		{"withdrawal that is recalled", 3, rich, withdrawsTo(rail.RecallingAccount)},
	}
}

// choose picks the next errand.
func (c *citizen) choose() errand {
	able := slices.DeleteFunc(slices.Clone(errands), func(s errand) bool { return !s.when(c) })
	sum := 0
	for _, s := range able {
		sum += s.often
	}
	n := c.dice.IntN(sum)
	for _, s := range able {
		if n -= s.often; n < 0 {
			return s
		}
	}
	return able[0]
}

// some is an amount to deposit.
func (c *citizen) some() anchor.Amount {
	return anchor.Amount(20+c.dice.IntN(481))*anchor.One + anchor.Amount(c.dice.IntN(100))*anchor.One/100
}

// part is an amount to withdraw, so that what goes wrong first can be afforded.
func (c *citizen) part() anchor.Amount {
	most := int(c.owns / anchor.One / 3)
	some := anchor.Amount(10+c.dice.IntN(max(1, most-10)))*anchor.One + anchor.Amount(c.dice.IntN(10_000))*anchor.One/10_000
	return some.Floor(c.terms.Decimals)
}

// while takes the customer's time.
func (c *citizen) while(most time.Duration) error {
	return c.sleep(time.Minute + time.Duration(c.dice.Int64N(int64(most))))
}

// ordered is a deposit that is agreed to and about to be paid.
func (c *citizen) ordered(trustline bool) (*order, error) {
	if trustline || c.exists {
		if err := c.open(trustline); err != nil {
			return nil, err
		}
	}
	o, err := c.agree("deposit", c.some(), "")
	if err != nil {
		return nil, err
	}
	return o, c.while(3 * time.Hour)
}

func (c *citizen) deposits() error {
	o, err := c.ordered(true)
	if err == nil {
		err = c.transfer(o.in, o.reference)
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

func (c *citizen) depositsWithoutAccount() error {
	o, err := c.ordered(false)
	if err == nil {
		err = c.transfer(o.in, o.reference)
	}
	if err == nil {
		// Long before a balance is taken back: whoever meets the longest outages
		// on the way claims in time, too.
		err = c.while(claimBackAfter / 2)
	}
	if err == nil {
		err = c.open(true)
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

func (c *citizen) depositsWithoutTrustline() error {
	if err := c.open(false); err != nil {
		return err
	}
	return c.depositsWithoutAccount()
}

// again is a deposit that is paid right once something else was tried.
func (c *citizen) again(wrong func(*order) error) error {
	o, err := c.ordered(true)
	if err == nil {
		err = wrong(o)
	}
	if err == nil {
		err = c.while(3 * time.Hour)
	}
	if err == nil {
		err = c.transfer(o.in, o.reference)
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

func (c *citizen) depositsUnderWrongReference() error {
	return c.again(func(o *order) error {
		return comesBack(&c.banked, o.in, c.transfer(o.in, fmt.Sprintf("for my deposit %d", c.number)))
	})
}

func (c *citizen) depositsTooLittle() error {
	return c.again(func(o *order) error { return comesBack(&c.banked, 5*anchor.One, c.transfer(5*anchor.One, o.reference)) })
}

func (c *citizen) depositsTwice() error {
	o, err := c.ordered(true)
	if err == nil {
		err = c.transfer(o.in, o.reference)
	}
	if err == nil {
		err = comesBack(&c.banked, o.in, c.transfer(o.in, o.reference))
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

// late waits until the deadline has passed.
func (c *citizen) late(o *order) error {
	return c.sleep(time.Until(o.deadline) + time.Duration(c.dice.Int64N(int64(8*time.Hour))))
}

// isLate is what becomes of money that came too late: it is taken all the same,
// or comes back.
func (c *citizen) isLate(o *order, back *anchor.Amount) error {
	if c.revives {
		o.late = true
		return c.completed(o)
	}
	if err := c.sleep(12 * hour); err != nil {
		return err
	}
	_, err := c.until(o, "expired")
	return comesBack(back, o.in, err)
}

func (c *citizen) depositsTooLate() error {
	o, err := c.ordered(true)
	if err == nil {
		err = c.late(o)
	}
	if err == nil {
		err = c.transfer(o.in, o.reference)
	}
	if err == nil {
		err = c.isLate(o, &c.banked)
	}
	return err
}

// lastMoment waits until the deadline is near.
func (c *citizen) lastMoment(o *order) error {
	return c.sleep(time.Until(o.deadline) - time.Minute - time.Duration(c.dice.Int64N(int64(5*time.Minute))))
}

// depositsLast is in time, however late the anchor hears of it.
func (c *citizen) depositsLast() error {
	o, err := c.ordered(true)
	if err == nil {
		err = c.lastMoment(o)
	}
	if err == nil {
		err = c.transfer(o.in, o.reference)
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

func (c *citizen) depositsNothing() error {
	o, err := c.ordered(true)
	if err == nil {
		_, err = c.until(o, "expired")
	}
	return err
}

func (c *citizen) leavesThePage() error {
	var p pageOf
	err := c.insist("open the page", func() (err error) {
		p, err = c.begin("deposit")
		return err
	})
	if err == nil {
		_, err = c.until(&order{id: p.id}, "expired")
	}
	return err
}

// wanted is a withdrawal that is agreed to and about to be paid.
func (c *citizen) wanted(bankAccount string) (*order, error) {
	o, err := c.agree("withdrawal", c.part(), bankAccount)
	if err != nil {
		return nil, err
	}
	return o, c.while(time.Hour)
}

// payRight pays as asked.
func (c *citizen) payRight(o *order) error {
	n, err := strconv.ParseUint(o.memo, 10, 64)
	if err != nil {
		return err
	}
	return c.pay(o.account, o.in, txnbuild.MemoID(n))
}

// withdrawsAfter pays right once something else was tried.
func (c *citizen) withdrawsAfter(wrong func(*order) error) error {
	o, err := c.wanted(c.bankAccount())
	if err == nil {
		err = wrong(o)
	}
	if err == nil {
		err = c.while(time.Hour)
	}
	if err == nil {
		err = c.payRight(o)
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

func (c *citizen) withdraws() error {
	return c.withdrawsAfter(func(*order) error { return nil })
}

func (c *citizen) withdrawsMuxed() error {
	o, err := c.wanted(c.bankAccount())
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(o.memo, 10, 64)
	if err != nil {
		return err
	}
	to, err := xdr.MuxedAccountFromAccountId(o.account, n)
	if err == nil {
		err = c.pay(to.Address(), o.in, nil)
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

func withdrawsWith(memo txnbuild.Memo) func(*citizen) error {
	return func(c *citizen) error {
		return c.withdrawsAfter(func(o *order) error { return comesBack(&c.owed, o.in, c.pay(o.account, o.in, memo)) })
	}
}

func (c *citizen) withdrawsLumens() error {
	return c.withdrawsAfter(func(o *order) error {
		n, err := strconv.ParseUint(o.memo, 10, 64)
		if err != nil {
			return err
		}
		return c.submit(txnbuild.MemoID(n), &txnbuild.Payment{Destination: o.account, Asset: txnbuild.NativeAsset{}, Amount: "7"})
	})
}

func (c *citizen) withdrawsTooLittle() error {
	return c.withdrawsAfter(func(o *order) error {
		n, err := strconv.ParseUint(o.memo, 10, 64)
		if err != nil {
			return err
		}
		return comesBack(&c.owed, o.in/2, c.pay(o.account, o.in/2, txnbuild.MemoID(n)))
	})
}

func (c *citizen) withdrawsTwice() error {
	return c.withdrawsAfter(func(o *order) error { return comesBack(&c.owed, o.in, c.payRight(o)) })
}

func (c *citizen) withdrawsTooLate() error {
	o, err := c.wanted(c.bankAccount())
	if err == nil {
		err = c.late(o)
	}
	if err == nil {
		err = c.payRight(o)
	}
	if err == nil {
		err = c.isLate(o, &c.owed)
	}
	return err
}

// withdrawsLast is in time if its ledger closes in time, however late the anchor
// reads it.
func (c *citizen) withdrawsLast() error {
	o, err := c.wanted(c.bankAccount())
	if err == nil {
		err = c.lastMoment(o)
	}
	if err == nil {
		err = c.payRight(o)
	}
	if err == nil && c.closed.After(o.deadline) { // the ledgers stood still
		return c.isLate(o, &c.owed)
	}
	if err == nil {
		err = c.completed(o)
	}
	return err
}

func (c *citizen) withdrawsNothing() error {
	o, err := c.wanted(c.bankAccount())
	if err == nil {
		_, err = c.until(o, "expired")
	}
	return err
}

// withdrawsTo an account that cannot be paid: the bank returns it, and staff
// refund it.
func withdrawsTo(account string) func(*citizen) error {
	return func(c *citizen) error {
		o, err := c.wanted(account)
		if err == nil {
			err = comesBack(&c.owed, o.in, c.payRight(o))
		}
		if err == nil {
			err = c.refunded(o)
		}
		return err
	}
}

// refunded waits until everything went back.
func (c *citizen) refunded(o *order) error {
	tx, err := c.until(o, "refunded")
	if err == nil && anchor.MustAmount(tx.AmountOut) != 0 {
		err = fmt.Errorf("%s is refunded, and %s of it paid out", o.id, tx.AmountOut)
	}
	return err
}

// depositsTooMuch is held, and refunded by staff.
func (c *citizen) depositsTooMuch() error {
	o, err := c.ordered(true)
	if err == nil {
		err = comesBack(&c.banked, 2*o.in, c.transfer(2*o.in, o.reference))
	}
	if err == nil {
		err = c.refunded(o)
	}
	return err
}
