package horizon

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// submitLimit is longer than the half minute that Horizon itself waits for the
// ledger, so that its own answer is heard.
const submitLimit = 45 * time.Second

// Outcome is what one attempt to submit taught.
type Outcome int

// The outcomes. None of them but Applied is a transaction's fate: the same
// bytes may have been handed in before, and may wait somewhere.
const (
	// Unknown: a time-out, a fault on the way, 429, 5xx. It may apply.
	Unknown Outcome = iota
	// Applied: it is in the ledger and succeeded.
	Applied
	// Failed: some of its operations were refused. Mostly it is in the ledger,
	// failed; but Horizon answers the same for what core refused at once (a
	// missing signature, an amount of 0), which is not. Look the hash up.
	Failed
	// Refused: this attempt was refused with a transaction's code. The network
	// did not take it now; whether it has it from before is another question.
	Refused
)

var outcomes = [...]string{"unknown", "applied", "failed", "refused"}

// String is the outcome's name.
func (o Outcome) String() string { return outcomes[o] }

// Submission is the answer to one attempt to submit.
type Submission struct {
	Outcome Outcome
	// Codes and ResultXDR belong to Failed and Refused.
	Codes     Codes
	ResultXDR string
	// Hash and Ledger belong to Applied.
	Hash   string
	Ledger uint32
	// RetryAfter is how long Horizon asks to be left alone; mostly 0.
	RetryAfter time.Duration
}

// Submit hands an envelope to one Horizon and waits until it is in a ledger or
// Horizon gives up waiting. Handing in the same bytes again is harmless. The
// error is nil only when it was Applied.
func (c *Client) Submit(ctx context.Context, xdr string) (Submission, error) {
	if len(c.servers) == 0 {
		return Submission{}, unavailable(errors.New("no Horizon is configured"))
	}
	s := c.servers[int(c.next.Load())%len(c.servers)]
	sub, err := c.submitTo(ctx, s, xdr)
	if sub.Outcome == Unknown && ctx.Err() == nil {
		c.next.Add(1)
		c.logger.WarnContext(ctx, "a submission has no answer", "horizon", s.url, "error", err)
	}
	return sub, err
}

func (c *Client) submitTo(ctx context.Context, s *server, xdr string) (Submission, error) {
	if err := c.check(ctx, s); err != nil {
		return Submission{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, submitLimit)
	defer cancel()
	body := url.Values{"tx": {xdr}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/transactions", strings.NewReader(body))
	if err != nil {
		return Submission{}, unavailable(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return Submission{}, unavailable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		var t Transaction
		if err := decode(resp.Body, maxObject, &t); err != nil {
			return Submission{}, err
		}
		if t.Ledger == 0 || !t.Successful {
			return Submission{}, unavailable(&Problem{Type: "incomplete_transaction", Status: http.StatusOK})
		}
		return Submission{Outcome: Applied, Hash: t.Hash, Ledger: t.Ledger}, nil
	}
	p := problemOf(resp)
	sub := Submission{Codes: p.Extras.Codes, ResultXDR: p.Extras.ResultXDR}
	if n, err := strconv.Atoi(p.RetryAfter); err == nil && n > 0 {
		sub.RetryAfter = time.Duration(n) * time.Second
	}
	if p.Status != http.StatusBadRequest || !p.Named("transaction_failed") || p.Extras.Codes.Transaction == "" {
		return sub, unavailable(p)
	}
	sub.Outcome = Refused
	if len(p.Extras.Codes.Operations) > 0 {
		sub.Outcome = Failed
	}
	return sub, p
}
