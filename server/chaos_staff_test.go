package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/session"
)

// Staff decide what is held, and meddle with what is under way. Each decision has
// a key, and is repeated under it until it is answered.

// signInStaff lets somebody in. A link works once: whose answer was lost takes
// another.
func (c *customer) signInStaff(ctx context.Context) error {
	keys, err := session.NewKeys(c.life.cfg.keys.Token, c.life.cfg.keys.Session)
	if err != nil {
		return err
	}
	for c.cookie == "" {
		link, err := keys.SignInLink("Ana", time.Now())
		if err != nil {
			return err
		}
		u, err := url.Parse(link)
		if err != nil {
			return err
		}
		if err := c.enter(ctx, u.Query()); err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}

func (c *customer) enter(ctx context.Context, form url.Values) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.life.at("admin")+"/signin", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.http.Transport.RoundTrip(req) // without following
	if err != nil {
		wait(ctx, 100*time.Millisecond)
		return err
	}
	defer res.Body.Close()
	for _, cookie := range res.Cookies() {
		c.cookie = cookie.Name + "=" + cookie.Value
	}
	return nil
}

// errRefused is what the rules do not allow.
var errRefused = errors.New("refused")

// decide runs a mutation of staff's until it is answered.
func (c *customer) decide(ctx context.Context, s *story, what, arguments string) error {
	if err := c.signInStaff(ctx); err != nil {
		return err
	}
	c.life.note("%s: %s %s%s", c.name, what, s.id, arguments)
	s.decisions++
	query := fmt.Sprintf(`mutation { %s(transaction: %q, key: "%s-%d"%s) { status } }`, what, s.id, s.id, s.decisions, arguments)
	for {
		var a struct {
			Data   json.RawMessage
			Errors []gqlError
		}
		if err := c.insist(ctx, http.MethodPost, c.life.at("admin")+"/graphql",
			http.Header{"Cookie": {c.cookie}, "Origin": {c.life.at("admin")}}, map[string]any{"query": query}, &a); err != nil {
			return err
		}
		switch {
		case len(a.Errors) == 0:
			return nil
		case slices.Contains([]string{"INTERNAL", "UNAVAILABLE"}, a.Errors[0].Extensions.Code) && ctx.Err() == nil:
			continue
		case slices.Contains([]string{"CONFLICT", "INVALID"}, a.Errors[0].Extensions.Code):
			return fmt.Errorf("%w: %s: %+v", errRefused, query, a.Errors)
		}
		return fmt.Errorf("%s: %+v", query, a.Errors)
	}
}

// settle is staff's word on what is on hold: all of it goes back, or a part and
// the rest is paid, or all is paid. An account that the bank does not pay is not
// tried again.
func (c *customer) settle(ctx context.Context, s *story) error {
	if s.goesBack { // and it will be refunded once it has arrived
		return nil
	}
	choice := c.rng.IntN(3)
	if s.manner == toClosed || s.manner == toBounce {
		choice = 0
	}
	switch choice {
	case 0:
		return c.refundAll(ctx, s)
	case 1:
		if err := c.decide(ctx, s, "refundTransaction", `, amount: "2", fee: "0.5"`); err != nil {
			return err
		}
	}
	return c.decide(ctx, s, "release", "")
}

// refundAll gives back what can go back: after the payout that is the fee only.
func (c *customer) refundAll(ctx context.Context, s *story) error {
	err := c.decide(ctx, s, "refundTransaction", "")
	if err == nil {
		s.goesBack, s.want = true, []anchor.Status{anchor.Refunded, anchor.Completed}
	}
	return err
}

// meddle does something to a transaction whose money is on its way, which may be
// allowed or not.
func (c *customer) meddle(ctx context.Context, s *story) error {
	var err error
	switch c.rng.IntN(3) {
	case 0:
		err = c.decide(ctx, s, "refundTransaction", `, amount: "1", fee: "0"`)
	case 1:
		err = c.refundAll(ctx, s)
	default:
		err = c.decide(ctx, s, "hold", "")
	}
	if errors.Is(err, errRefused) {
		return nil
	}
	return err
}
