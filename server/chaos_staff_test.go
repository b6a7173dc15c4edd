package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"windlass/server/anchor"
	"windlass/server/session"
)

// Staff decide what is held, and meddle with what is under way. Each decision has
// a key, and is repeated under it until it is answered.

// signInStaff lets somebody in. A link works once: whose answer was lost takes
// another.
func (c *customer) signInStaff(ctx context.Context, name string) error {
	if c.staff[name] != nil {
		return nil
	}
	keys, err := session.NewKeys(c.life.cfg.keys.Token, c.life.cfg.keys.Session)
	if err != nil {
		return err
	}
	for {
		link, err := keys.SignInLink(name, time.Now())
		if err != nil {
			return err
		}
		c.staff[name], err = signInStaff(c.insist(ctx), c.life.at("admin"), link)
		if _, refused := errors.AsType[*refusal](err); !refused {
			return err
		}
	}
}

// errRefused is what the rules do not allow.
var errRefused = errors.New("refused")

// decide runs a mutation of staff's until it is answered.
func (c *customer) decide(ctx context.Context, s *story, what, arguments string) error {
	c.life.note("%s: %s %s%s", c.name, what, s.id, arguments)
	s.decisions++
	query := fmt.Sprintf(`mutation { %s(transaction: %q, key: "%s-%d"%s) { status } }`, what, s.id, s.id, s.decisions, arguments)
	return c.act(ctx, "Ana", query)
}

// act runs a mutation of somebody of staff's until it is answered.
func (c *customer) act(ctx context.Context, name, query string) error {
	if err := c.signInStaff(ctx, name); err != nil {
		return err
	}
	err := c.operate(ctx, c.life.at("admin"), c.staff[name], query, nil, nil)
	if no, ok := errors.AsType[*gqlRefusal](err); ok && slices.Contains([]string{"CONFLICT", "INVALID"}, no.Extensions.Code) {
		return fmt.Errorf("%w: %s: %w", errRefused, query, err)
	}
	return err
}

// settle is staff's word on what is on hold: all of it goes back, or a part and
// the rest is paid, or all is paid. An account that the bank does not pay is not
// tried again.
func (c *customer) settle(ctx context.Context, s *story) error {
	if s.goesBack { // and it will be refunded once it has arrived
		return nil
	}
	choice := c.rng.IntN(4)
	if s.manner == toClosed || s.manner == toBounce || s.manner == toRecall {
		choice = 0
	}
	switch choice {
	case 0:
		return c.refundAll(ctx, s)
	case 1:
		if err := c.decide(ctx, s, "refundTransaction", `, amount: "2", fee: "0.5"`); err != nil {
			return err
		}
	case 2: // and then they would rather not
		err := c.decide(ctx, s, "refundTransaction", `, amount: "3", fee: "0"`)
		if err == nil {
			err = c.takeBack(ctx, s)
		}
		if err != nil && !errors.Is(err, errRefused) { // it has left
			return err
		}
	}
	return c.decide(ctx, s, "release", "")
}

// refundAll gives back what can go back: after the payout that is the fee only.
func (c *customer) refundAll(ctx context.Context, s *story) error {
	err := c.decide(ctx, s, "refundTransaction", "")
	if err == nil {
		s.goesBack = true
		if s.manner != toRecall {
			s.want = []anchor.Status{anchor.Refunded, anchor.Completed}
		}
	}
	return err
}

// meddle does something to a transaction whose money is on its way, which may be
// allowed or not; a refund is at times thought better of.
func (c *customer) meddle(ctx context.Context, s *story) error {
	var err error
	switch n := c.rng.IntN(13); {
	case n < 4:
		err = c.decide(ctx, s, "refundTransaction", `, amount: "1", fee: "0"`)
	case n < 8:
		err = c.refundAll(ctx, s)
	case n == 8:
		return c.doubted(ctx, s) // which holds all of theirs that is here
	default:
		err = c.decide(ctx, s, "hold", "")
	}
	if err == nil && c.rng.IntN(2) == 0 {
		err = c.takeBack(ctx, s)
	}
	if errors.Is(err, errRefused) {
		return nil
	}
	return err
}

// takeBack takes back what was decided to go back and has not left. What that
// leaves to be paid is then on hold.
func (c *customer) takeBack(ctx context.Context, s *story) error {
	type refunds []struct {
		ID      string
		Actions []string
	}
	var a struct {
		Transaction struct {
			Staff struct{ Payouts, BankPayouts refunds }
		}
	}
	if err := c.operate(ctx, c.life.at("admin"), c.staff["Ana"], `query($id: ID!) { transaction(id: $id) { staff { payouts { id actions } bankPayouts { id actions } } } }`,
		map[string]any{"id": s.id}, &a); err != nil {
		return err
	}
	for _, of := range []struct {
		all          refunds
		press, names string
	}{{a.Transaction.Staff.Payouts, "cancelPayout", "payout"}, {a.Transaction.Staff.BankPayouts, "cancelBankPayout", "order"}} {
		for _, r := range of.all {
			if !slices.Contains(r.Actions, of.press) {
				continue
			}
			err := c.act(ctx, "Ana", fmt.Sprintf(`mutation { %s(%s: %q, key: "back-%s") { state } }`, of.press, of.names, r.ID, r.ID))
			c.life.note("%s: %s %s of %s: %v", c.name, of.press, r.ID, s.id, err)
			if err != nil {
				return err
			}
			s.goesBack = false
		}
	}
	return nil
}

// work has somebody of staff do something again and again, as long as ctx lasts.
func (l *life) work(ctx context.Context, number uint64, do func(*customer, context.Context) error) {
	eyes := l.customer("staff", number<<48, l.cfg.terms[0])
	eyes.report(ctx, func() error {
		for ctx.Err() == nil {
			if err := do(eyes, ctx); err != nil {
				return err
			}
			if err := eyes.pause(ctx, 100*time.Millisecond, 200*time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	})
}

// approveAll lets go what is above a limit. Ana, who decides all else, tries first;
// what she has asked for herself needs Ben.
func (c *customer) approveAll(ctx context.Context) error {
	type page struct {
		Nodes []struct{ ID, RequestedBy string }
	}
	var waits struct{ Payouts, BankPayouts page }
	if err := c.signInStaff(ctx, "Ben"); err != nil {
		return err
	}
	if err := c.operate(ctx, c.life.at("admin"), c.staff["Ben"], `{ payouts(state: approval, first: 50) { nodes { id requestedBy } }
		bankPayouts(state: approval, first: 50) { nodes { id requestedBy } } }`, nil, &waits); err != nil {
		return err
	}
	for what, all := range map[string]page{"approvePayout(payout": waits.Payouts, "approveBankPayout(order": waits.BankPayouts} {
		for _, w := range all.Nodes {
			press := func(by string) (reason string, err error) {
				err = c.act(ctx, by, fmt.Sprintf(`mutation { %s: %q, key: "%s-%s") { state } }`, what, w.ID, w.ID, by))
				if no, refused := errors.AsType[*gqlRefusal](err); refused {
					reason = no.Extensions.Reason
				}
				return reason, err
			}
			by, own := "Ana", w.RequestedBy == "staff:Ana"
			reason, err := press(by)
			if reason == "four_eyes" {
				by, own = "Ben", false
				reason, err = press(by)
			}
			c.life.note("%s approves %s %s: %v", by, what, w.ID, err)
			if own && err == nil {
				return fmt.Errorf("Ana has asked for %s, and let it go herself", w.ID)
			}
			if err != nil && reason != "not_in_approval" { // which was taken back meanwhile
				return err
			}
		}
	}
	return nil
}
