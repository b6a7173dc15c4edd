package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// clerkComes is how often staff look at what waits for a person.
const clerkComes = 3 * time.Hour

// clerk is the anchor's staff, at the console's GraphQL. What cannot be asked for
// now, because the anchor stands still or is busy with it, is done next time.
type clerk struct {
	*lifetime
	name     string
	header   http.Header
	since    time.Time       // when it was got
	released map[string]bool // withdrawals that the bank was to pay again
	// corrected are transactions whose customers were asked for a correction.
	corrected map[string]bool
}

func (c *clerk) work(do func()) {
	for c.sleep(clerkComes) == nil {
		do()
	}
}

// signed signs in, if the last time is long ago.
func (c *clerk) signed() bool {
	if time.Since(c.since) > 4*hour {
		if err := c.signIn(); err != nil {
			c.since = time.Time{}
			c.note("%s cannot sign in: %v", c.name, err)
			return false
		}
	}
	return true
}

// seen is what waits for a person.
type seen struct {
	Payments, BankLines struct{ Nodes []struct{ ID string } }
	Transactions        struct {
		Nodes []struct {
			ID, Kind string
			Staff    struct{ Actions []string }
		}
	}
}

// clear sends back all that nobody can use: money that is unmatched, and what is
// held because it is too much, or because the bank has returned it twice.
func (c *clerk) clear() {
	if !c.signed() {
		return
	}
	var s seen
	err := c.graphql(`{ payments(unmatched: true, first: 100) { nodes { id } } bankLines(unmatched: true, first: 100) { nodes { id } }
		transactions(filter: {status: [on_hold, too_large, too_small]}, first: 100) { nodes { id kind staff { actions } } } }`, nil, &s)
	if err != nil {
		c.note("staff cannot look: %v", err)
		return
	}
	for _, p := range s.Payments.Nodes {
		c.ask("refundPayment", `payment: $id, fee: "0"`, p.ID)
	}
	for _, b := range s.BankLines.Nodes {
		c.ask("refundBankLine", `line: $id, fee: "0"`, b.ID)
	}
	for _, t := range s.Transactions.Nodes {
		c.mu.Lock()
		w, wished := c.wishes[t.ID]
		c.mu.Unlock()
		switch {
		case wished:
			c.fulfil(t.ID, w)
		case t.Kind == "withdrawal" && !c.released[t.ID] && slices.Contains(t.Staff.Actions, "release"):
			c.released[t.ID] = true // perhaps the bank pays it at the second attempt
			c.ask("release", "transaction: $id", t.ID)
		case slices.Contains(t.Staff.Actions, "refundTransaction"):
			c.ask("refundTransaction", `transaction: $id, fee: "0"`, t.ID)
		}
	}
	c.review()
	c.approve()
}

// fulfil sends a part of what is held back, and lets the rest go. Whatever of it
// was done already is answered as before.
func (c *clerk) fulfil(id string, w wish) {
	if !c.ask("refundTransaction", fmt.Sprintf(`transaction: $id, amount: "%s", fee: "%s"`, w.amount, w.fee), id) {
		return
	}
	if w.wavers {
		type refunds []struct {
			ID      string
			Actions []string
		}
		var s struct {
			Transaction struct {
				Staff struct{ Payouts, BankPayouts refunds }
			}
		}
		if err := c.graphql(`query($id: ID!) { transaction(id: $id) { staff { payouts { id actions } bankPayouts { id actions } } } }`, map[string]any{"id": id}, &s); err != nil {
			c.note("staff cannot look at %s: %v", id, err)
			return
		}
		for _, p := range s.Transaction.Staff.Payouts {
			if slices.Contains(p.Actions, "cancelPayout") {
				c.ask("cancelPayout", "payout: $id", p.ID)
			}
		}
		for _, o := range s.Transaction.Staff.BankPayouts {
			if slices.Contains(o.Actions, "cancelBankPayout") {
				c.ask("cancelBankPayout", "order: $id", o.ID)
			}
		}
	}
	c.ask("release", "transaction: $id", id)
}

// approve lets go what is above a limit, but for what this person has asked for,
// which is tried and refused.
func (c *clerk) approve() {
	if !c.signed() {
		return
	}
	type waits struct {
		Nodes []struct{ ID, RequestedBy string }
	}
	var s struct{ Payouts, BankPayouts waits }
	if err := c.graphql(`{ payouts(state: approval, first: 100) { nodes { id requestedBy } } bankPayouts(state: approval, first: 100) { nodes { id requestedBy } } }`, nil, &s); err != nil {
		c.note("%s cannot look: %v", c.name, err)
		return
	}
	for _, kind := range []struct {
		waits
		mutation, arguments string
	}{{s.Payouts, "approvePayout", "payout: $id"}, {s.BankPayouts, "approveBankPayout", "order: $id"}} {
		for _, w := range kind.Nodes {
			if own := w.RequestedBy == "staff:"+c.name; c.ask(kind.mutation, kind.arguments, w.ID) && own {
				c.find("%s has asked for %s, and let it go", c.name, w.ID)
			}
		}
	}
}

// busy are the refusals that pass: the engines were quicker, or are at it.
var busy = []string{"payout_under_way", "not_unmatched", "changed_meanwhile", "nothing_to_refund", "not_in_approval", "four_eyes", "paid_already", "cancelled_already", "reviewed_already", "answers_changed"}

// ask asks for one thing, twice: the second answer must be the first's. It reports
// whether it was done.
func (c *clerk) ask(mutation, arguments, id string) bool {
	query := fmt.Sprintf(`mutation($id: ID!, $key: ID!) { done: %s(%s, key: $key) { id } }`, mutation, arguments)
	for range 2 {
		var answer struct{ Done struct{ ID string } }
		err := c.graphql(query, map[string]any{"id": id, "key": c.name + ":" + mutation + ":" + id}, &answer)
		refused, _ := errors.AsType[*gqlRefusal](err)
		switch {
		case err == nil && answer.Done.ID == id:
			c.note("staff: %s %s", mutation, id)
		case err == nil:
			c.find("staff asked to %s %s and got %q", mutation, id, answer.Done.ID)
		case refused != nil && slices.Contains(busy, refused.Extensions.Reason), refused == nil:
			c.note("staff: %s %s: %v", mutation, id, err)
			return false
		default:
			c.find("staff cannot %s %s: %v", mutation, id, err)
			return false
		}
	}
	return true
}

// signIn is by a link of `windlass staff link`, which the keys make.
func (c *clerk) signIn() error {
	c.turn <- struct{}{}
	if c.running == nil {
		<-c.turn
		return errors.New("the anchor stands still")
	}
	link, err := c.running.app.keys.SignInLink(c.name, time.Now())
	<-c.turn
	if err != nil {
		return err
	}
	c.since = time.Now()
	c.header, err = signInStaff(c.lifetime.ask, "http://"+hostAdmin, link)
	return err
}

func (c *clerk) graphql(query string, variables map[string]any, into any) error {
	return asker(c.lifetime.ask).graphql("http://"+hostAdmin, c.header, query, variables, into)
}
