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
	header   http.Header
	since    time.Time       // when it was got
	released map[string]bool // withdrawals that the bank was to pay again
}

func (c *clerk) work() {
	for c.sleep(clerkComes) == nil {
		c.clear()
	}
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
	if time.Since(c.since) > 4*hour {
		if err := c.signIn(); err != nil {
			c.since = time.Time{}
			c.note("staff cannot sign in: %v", err)
			return
		}
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
		switch {
		case t.Kind == "withdrawal" && !c.released[t.ID] && slices.Contains(t.Staff.Actions, "release"):
			c.released[t.ID] = true // perhaps the bank pays it at the second attempt
			c.ask("release", "transaction: $id", t.ID)
		case slices.Contains(t.Staff.Actions, "refundTransaction"):
			c.ask("refundTransaction", `transaction: $id, fee: "0"`, t.ID)
		}
	}
}

// busy are the refusals that pass: the engines were quicker, or are at it.
var busy = []string{"payout_under_way", "not_unmatched", "changed_meanwhile", "nothing_to_refund"}

// ask asks for one thing, twice: the second answer must be the first's.
func (c *clerk) ask(mutation, arguments, id string) {
	query := fmt.Sprintf(`mutation($id: ID!, $key: ID!) { done: %s(%s, key: $key) { id } }`, mutation, arguments)
	for range 2 {
		var answer struct{ Done struct{ ID string } }
		err := c.graphql(query, map[string]any{"id": id, "key": mutation + ":" + id}, &answer)
		refused, _ := errors.AsType[*gqlRefusal](err)
		switch {
		case err == nil && answer.Done.ID == id:
			c.note("staff: %s %s", mutation, id)
		case err == nil:
			c.find("staff asked to %s %s and got %q", mutation, id, answer.Done.ID)
		case refused != nil && slices.Contains(busy, refused.Extensions.Reason), refused == nil:
			c.note("staff: %s %s: %v", mutation, id, err)
			return
		default:
			c.find("staff cannot %s %s: %v", mutation, id, err)
			return
		}
	}
}

// signIn is by a link of `windlass staff link`, which the keys make.
func (c *clerk) signIn() error {
	c.turn <- struct{}{}
	if c.running == nil {
		<-c.turn
		return errors.New("the anchor stands still")
	}
	link, err := c.running.app.keys.SignInLink("clerk", time.Now())
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
