package main

import (
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"windlass/server/rig"
)

// errNotWanted ends what a customer does whom a person has refused.
var errNotWanted = errors.New("refused by a person")

// who is what the customer says of themselves.
func (c *citizen) who() []map[string]string {
	return answers("first_name", "Ada", "last_name", "Lovelace", "email_address", fmt.Sprintf("ada%d@example.com", c.number))
}

// show sends documents.
func (c *citizen) show(p pageOf, questions []string) error {
	for _, q := range questions {
		if err := asker(c.ask).attach("http://"+hostPublic, p, q, rig.Picture(c.bankAccount())); err != nil {
			return err
		}
	}
	return nil
}

// cleared waits until the customer may pay: a person may look at them first, ask for
// a correction, or refuse them. Where the price has moved meanwhile they begin again.
func (c *citizen) cleared(o *order, p pageOf, shows []string) (tx *polled, err error) {
	for began := time.Now(); time.Since(began) < patienceOfCustomers; {
		if tx, err = c.poll(o); err != nil {
			tx = &polled{}
			if _, passes := errors.AsType[errLater](err); !passes {
				return nil, err
			}
		}
		switch tx.Status {
		case "pending_user_transfer_start":
			return tx, nil
		case "error":
			return nil, errNotWanted
		case "incomplete":
			return nil, errLater{errors.New("the price has moved")}
		case "pending_user":
			err := c.show(p, shows)
			if err == nil {
				err = c.graphql(p, `mutation($id: ID!, $who: [Answer!]!) { answer(transaction: $id, answers: $who) { review } }`, map[string]any{"who": c.who()}, nil)
			}
			if err != nil { // or it was heard, and its answer lost
				c.note("customer %d corrects %s: %v", c.number, o.id, err)
			}
		}
		if err := c.sleep(5 * time.Minute); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s waits for a review after %s", o.id, patienceOfCustomers)
}

// review decides about those who wait: most are accepted, some after a correction,
// and a few are refused.
func (c *clerk) review() {
	var s struct {
		Transactions struct {
			Nodes []struct {
				ID    string
				Staff struct{ AnswersVersion string }
			}
		}
	}
	if err := c.graphql(`{ transactions(filter: {toReview: true, status: [pending_anchor]}, first: 100) { nodes { id staff { answersVersion } } } }`, nil, &s); err != nil {
		c.note("staff cannot look: %v", err)
		return
	}
	for _, t := range s.Transactions.Nodes {
		h := fnv.New32a()
		_, _ = h.Write([]byte(t.ID))
		switch n := h.Sum32() % 12; {
		case n == 0:
			c.judge("rejectCustomer", "", t.ID)
		case n < 4 && !c.corrected[t.ID]:
			c.corrected[t.ID] = c.judge("askCorrection", `, message: "The picture is not sharp."`, t.ID)
		default:
			c.judge("acceptCustomer", fmt.Sprintf(`, answersVersion: %q`, t.Staff.AnswersVersion), t.ID)
		}
	}
}

func (c *clerk) judge(mutation, words, id string) bool {
	done := c.ask(mutation, "transaction: $id"+words, id)
	if done {
		c.count("review " + mutation)
	}
	return done
}
