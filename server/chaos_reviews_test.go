package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/rig"
)

// A person looks at some of the customers before they may pay.

// reviews are the settings that say at whom: at all who buy euros, and at those who
// buy or sell many dollars, who show a document besides.
var reviews = []string{
	"WINDLASS_ASSETS_1_DEPOSIT_REVIEW=person",
	"WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_FROM=70", "WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_FIELDS=photo_id_front", "WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_REVIEW=person",
	"WINDLASS_ASSETS_0_WITHDRAW_LEVELS_0_FROM=25", "WINDLASS_ASSETS_0_WITHDRAW_LEVELS_0_FIELDS=photo_id_front", "WINDLASS_ASSETS_0_WITHDRAW_LEVELS_0_REVIEW=person",
}

// introduce says who they are.
func (c *customer) introduce(ctx context.Context, p pageOf) error {
	mail := strings.ToLower(c.key.Address()[:20]) + "@example.com"
	return c.ask(ctx, p, `mutation($id: ID!, $a: [Answer!]!) { answer(transaction: $id, answers: $a) { review } }`,
		map[string]any{"a": answers("first_name", "Ada", "last_name", "Lovelace", "email_address", mail)}, nil)
}

// show sends documents.
func (c *customer) show(ctx context.Context, p pageOf, questions []string) error {
	for _, q := range questions {
		if err := untilAnswered(ctx, func() error { return c.insist(ctx).attach(c.life.at("public"), p, q, rig.Picture(c.name)) }); err != nil {
			return fmt.Errorf("show %s: %w", q, err)
		}
	}
	return nil
}

// cleared waits until the customer may pay: a person may look at them first, ask for
// a correction, or refuse them; and the price may move meanwhile.
func (c *customer) cleared(ctx context.Context, s *story) error {
	for {
		err := c.poll(ctx, s)
		if err != nil {
			return err
		}
		switch anchor.Status(s.last.Status) { //nolint:exhaustive // all others pass
		case anchor.PendingUserTransferStart:
			return nil
		case anchor.PendingUser:
			err = c.correct(ctx, s)
		case anchor.Incomplete:
			err = c.agree(ctx, s)
		case anchor.Failed:
			c.rejected, s.want = true, []anchor.Status{anchor.Failed}
			return nil
		}
		if err == nil {
			err = c.pause(ctx, 50*time.Millisecond, 100*time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
}

// correct shows the documents again, and says the rest once more. Whose answer was
// lost has done so already.
func (c *customer) correct(ctx context.Context, s *story) error {
	err := c.show(ctx, s.page, s.shown)
	if err == nil {
		err = c.introduce(ctx, s.page)
	}
	if no, ok := errors.AsType[*gqlRefusal](err); ok && no.Extensions.Reason == "already_agreed" {
		return nil
	}
	return err
}

// reviewAll decides about all who wait: most are accepted, some must correct
// something first, and a few are refused. Each is asked for twice under its key, and
// done once.
func (c *customer) reviewAll(ctx context.Context) error {
	var waits struct {
		Transactions struct {
			Nodes []struct {
				ID    string
				Staff struct{ AnswersVersion string }
			}
		}
	}
	if err := c.signInStaff(ctx, "Cora"); err != nil {
		return err
	}
	if err := c.operate(ctx, c.life.at("admin"), c.staff["Cora"], `{ transactions(filter: {toReview: true, status: [pending_anchor]}, first: 50) { nodes { id staff { answersVersion } } } }`, nil, &waits); err != nil {
		return err
	}
	for _, t := range waits.Transactions.Nodes {
		what, seen := "acceptCustomer", t.Staff.AnswersVersion
		switch c.rng.IntN(12) {
		case 0:
			what = "rejectCustomer"
		case 1, 2, 3:
			what = "askCorrection"
		}
		err := c.judge(ctx, what, t.ID, seen)
		if no, ok := errors.AsType[*gqlRefusal](err); ok && no.Extensions.Reason == "answers_changed" {
			continue // they are looked at again
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// judge has Cora say something of the customer behind a transaction, whose answers she
// has seen, twice under one key: it is done once.
func (c *customer) judge(ctx context.Context, what, id, seen string) error {
	more := map[string]string{"askCorrection": `, message: "The picture is not sharp."`, "acceptCustomer": fmt.Sprintf(`, answersVersion: %q`, seen)}[what]
	for range 2 {
		if err := c.act(ctx, "Cora", fmt.Sprintf(`mutation { %s(transaction: %q%s, key: "%s-%s") { id } }`, what, id, more, id, seen)); err != nil {
			return err
		}
	}
	c.life.note("Cora: %s %s", what, id)
	return nil
}

// doubted has Cora think otherwise of the customer, who has been told how to pay or has
// paid, by another transaction of theirs, or turn them away by this one: what comes now
// is held, and what is here and has not left.
func (c *customer) doubted(ctx context.Context, s *story) error {
	what, id := "rejectCustomer", s.id
	if c.rng.IntN(3) > 0 {
		p, err := c.open(ctx, "deposit")
		if err != nil {
			return err
		}
		id = p.id
		if c.rng.IntN(2) == 0 {
			what = "askCorrection"
		}
	}
	c.rejected = what == "rejectCustomer"
	err := c.judge(ctx, what, id, "doubted")
	if no, ok := errors.AsType[*gqlRefusal](err); ok && no.Extensions.Reason == "reviewed_already" {
		return nil // they are doubted, and have said nothing since
	}
	return err
}
