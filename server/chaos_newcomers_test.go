package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
)

// An arrival is how somebody comes who cannot receive yet what they buy. One after
// the other comes so until the end, each with an account of their own.
type arrival struct {
	name   string
	lumens anchor.Amount // in their account; 0 is no account
	claims bool          // their wallet can claim balances
	buys   int           // which of the assets
}

// arrivals is the table. To add one is to add a line.
var arrivals = []arrival{
	{"without an account", 0, false, 0},                                             // the anchor makes it
	{"without an account, and claims", 0, true, 0},                                  // and pays by a balance
	{"without a trustline", 5 * anchor.One, false, 0},                               // the anchor waits for it
	{"without a trustline, and claims", 5 * anchor.One, true, 0},                    // it does not wait
	{"without lumens for a trustline", 11 * anchor.One / 10, false, 0},              // the anchor gives some
	{"without a trustline that the issuer wants to allow", 5 * anchor.One, true, 1}, // it is allowed, and never paid by a balance
	{"without an account, where the issuer allows", 0, false, 1},
	{"without an account, for lumens", 0, false, 2}, // which make it
}

// welcome has one after the other come until closing: what each arrival does is
// done once for an account.
func (l *life) welcome(ctx context.Context, closing <-chan struct{}, way int, a arrival) {
	for n := 0; !closed(closing); n++ {
		c := l.customer(fmt.Sprintf("newcomer %d %s", n, a.name), uint64(way+1)<<32+uint64(n), l.cfg.terms[a.buys])
		c.claims = a.claims
		l.mu.Lock()
		l.newcomers = append(l.newcomers, c)
		l.mu.Unlock()
		c.report(ctx, func() error {
			if err := c.arrive(ctx, a.lumens); err != nil {
				return fmt.Errorf("arrive: %w", err)
			}
			if _, err := c.visit(ctx); err != nil {
				return err
			}
			return c.finish(ctx)
		})
		if ctx.Err() != nil {
			return
		}
	}
}

// arrive makes the account, with so many lumens.
func (c *customer) arrive(ctx context.Context, lumens anchor.Amount) error {
	if lumens == 0 {
		return nil
	}
	err := c.insist(ctx)(http.MethodGet, c.life.horizon+"/friendbot?addr="+c.key.Address(), nil, nil, nil)
	if _, refused := errors.AsType[*refusal](err); err != nil && !refused { // it has made it, and the answer was lost
		return err
	}
	_, has, err := c.holds(ctx)
	if err != nil {
		return err
	}
	const fee = 1000
	return c.submit(ctx, nil, []txnbuild.Operation{&txnbuild.Payment{
		Destination: c.life.customers[0].key.Address(), Amount: (has - lumens - fee).String(), Asset: txnbuild.NativeAsset{},
	}})
}

// trust adds the trustline, once there is an account with the lumens for it.
func (c *customer) trust(ctx context.Context) error {
	const needs = 15*anchor.One/10 + 10_000
	if _, lumens, err := c.holds(ctx); err != nil || c.trusts || lumens < needs {
		return err
	}
	c.trusts = true
	return c.submit(ctx, nil, []txnbuild.Operation{c.line()})
}

func (c *customer) line() txnbuild.Operation {
	return addTrust(c.key.Address(), c.terms.Asset)
}

// claim takes the balance that a story was paid by.
func (c *customer) claim(ctx context.Context, s *story) error {
	if s.last.BalanceID == "" || s.claimed {
		return nil
	}
	ops := []txnbuild.Operation{&txnbuild.ClaimClaimableBalance{BalanceID: s.last.BalanceID}}
	if !c.trusts {
		ops = append([]txnbuild.Operation{c.line()}, ops...)
	}
	s.claimed, c.trusts = true, true
	if err := c.submit(ctx, nil, ops); err != nil {
		return fmt.Errorf("claim %s: %w", s.last.BalanceID, err)
	}
	return nil
}
