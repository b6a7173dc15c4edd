package horizon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"windlass/server/anchor"
)

const (
	readLimit  = 10 * time.Second // for one object
	pageLimit  = 30 * time.Second // for a page of 200 payments
	restAfter  = 5 * time.Second  // how long a Horizon that failed is asked last
	maxObject  = 4 << 20          // bytes of an object
	maxPage    = 64 << 20         // bytes of a page: each record carries its transaction's XDR
	maxProblem = 256 << 10        // bytes of a problem

	eventStream = "text/event-stream"
)

// Config of a client.
type Config struct {
	// URLs of Horizons of one network, best first, without a trailing slash.
	URLs []string
	// Passphrase, if not empty, is the network's: a Horizon that serves another
	// one is never believed.
	Passphrase string
	// HTTP is what to ask through; nil makes a client of its own. It should have
	// no time limit: streams last a minute.
	HTTP *http.Client
	// Logger is told which Horizon failed; nil tells nobody.
	Logger *slog.Logger
}

// Client asks one or more Horizons. It is safe for concurrent use.
type Client struct {
	http       *http.Client
	passphrase string
	logger     *slog.Logger
	silence    time.Duration // of a stream, until it is taken for dead
	servers    []*server
	next       *atomic.Int64 // counts the faults of submissions: who is asked next
}

// server is one Horizon.
type server struct {
	url string

	mu      sync.Mutex
	checked bool // it serves our network
	restsTo time.Time
}

// New makes a client. It asks nobody yet.
func New(c Config) *Client {
	if c.HTTP == nil {
		t, ok := http.DefaultTransport.(*http.Transport)
		if !ok {
			t = &http.Transport{Proxy: http.ProxyFromEnvironment}
		}
		t = t.Clone()
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 64, 64
		// A redirect is no answer of Horizon's, and must not carry a submission away.
		c.HTTP = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	k := &Client{http: c.HTTP, passphrase: c.Passphrase, logger: c.Logger, silence: streamSilence, next: new(atomic.Int64)}
	for _, u := range c.URLs {
		k.servers = append(k.servers, &server{url: strings.TrimRight(u, "/")})
	}
	return k
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Each splits the client into one for each URL.
func (c *Client) Each() []*Client {
	all := make([]*Client, len(c.servers))
	for i, s := range c.servers {
		all[i] = &Client{http: c.http, passphrase: c.passphrase, logger: c.logger, silence: c.silence, servers: []*server{s}, next: new(atomic.Int64)}
	}
	return all
}

// URL is the first Horizon's, for logs.
func (c *Client) URL() string {
	if len(c.servers) == 0 {
		return ""
	}
	return c.servers[0].url
}

// Problem is an error document of Horizon's (application/problem+json).
type Problem struct {
	Type   string `json:"type"` // "https://stellar.org/horizon-errors/transaction_failed"
	Title  string `json:"title"`
	Status int    `json:"status"`
	Extras struct {
		Codes     Codes  `json:"result_codes"`
		ResultXDR string `json:"result_xdr"`
	} `json:"extras"`
	RetryAfter string `json:"-"`
}

// Named reports whether the problem is of a type, named without its URL.
func (p *Problem) Named(name string) bool { return p.Type[strings.LastIndex(p.Type, "/")+1:] == name }

func (p *Problem) Error() string {
	s := fmt.Sprintf("horizon answered %d %s", p.Status, p.Type[strings.LastIndex(p.Type, "/")+1:])
	if c := p.Extras.Codes.String(); c != "" {
		s += " (" + c + ")"
	}
	return s
}

// Codes are the result codes of a transaction that was refused or failed.
type Codes struct {
	Transaction string   `json:"transaction"`
	Inner       string   `json:"inner_transaction"`
	Operations  []string `json:"operations"`
}

// String lists the codes for people: "tx_failed op_success op_no_trust".
func (c Codes) String() string {
	var parts []string
	for _, s := range append([]string{c.Transaction, c.Inner}, c.Operations...) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}

// get reads an object from the first Horizon that works. NotFound (404, and
// 410 for what lies before its history) and other refusals of the question
// itself are definite, unless everywhere asks for a second opinion on them.
func (c *Client) get(ctx context.Context, path string, limit time.Duration, size int64, everywhere bool, into any) (http.Header, error) {
	var definite error
	var faults []error
	for _, s := range c.order() {
		h, err := c.getFrom(ctx, s, path, limit, size, into)
		if err == nil {
			return h, nil
		}
		if ctx.Err() != nil {
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				s.rest() // whoever has time for another try asks another
			}
			return nil, ctx.Err()
		}
		if anchor.KindOf(err) != anchor.Unavailable {
			definite = err
			if !everywhere {
				return nil, definite
			}
			continue
		}
		s.rest()
		c.logger.WarnContext(ctx, "horizon did not answer", "horizon", s.url, "error", err)
		faults = append(faults, fmt.Errorf("%s: %w", s.url, err))
	}
	if definite != nil {
		return nil, definite
	}
	if len(faults) == 0 {
		faults = append(faults, errors.New("no Horizon is configured"))
	}
	return nil, unavailable(errors.Join(faults...))
}

func (c *Client) getFrom(ctx context.Context, s *server, path string, limit time.Duration, size int64, into any) (http.Header, error) {
	if err := c.check(ctx, s); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	resp, err := c.do(ctx, s, path, "application/json")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return resp.Header, decode(resp.Body, size, into)
}

// do asks one Horizon and turns every status but 200 into an error.
func (c *Client) do(ctx context.Context, s *server, path, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, unavailable(err)
	}
	req.Header.Set("Accept", accept)
	if accept == eventStream {
		req.Header.Set("Accept-Encoding", "identity") // a compressor would hold events back
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unavailable(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	p := problemOf(resp)
	switch p.Status {
	case http.StatusNotFound, http.StatusGone:
		// Only Horizon's own word counts: a 404 of something in between (a proxy,
		// a wrong path) must never pass for "this account does not exist".
		if p.Named("not_found") || p.Named("before_history") {
			return nil, &anchor.Error{Kind: anchor.NotFound, Message: "it is not on the ledger", Err: p}
		}
	case http.StatusBadRequest:
		if p.Named("bad_request") || p.Named("invalid_field") {
			return nil, &anchor.Error{Kind: anchor.Invalid, Message: "horizon does not understand " + path, Err: p}
		}
	}
	return nil, unavailable(p)
}

// check asks a Horizon once which network it serves.
func (c *Client) check(ctx context.Context, s *server) error {
	s.mu.Lock()
	checked := s.checked
	s.mu.Unlock()
	if checked || c.passphrase == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	resp, err := c.do(ctx, s, "/", "application/json")
	if err != nil {
		return unavailable(err) // a 404 here is no answer to the caller's question
	}
	defer resp.Body.Close()
	var root Root
	if err := decode(resp.Body, maxObject, &root); err != nil {
		return err
	}
	if root.Passphrase != c.passphrase {
		return &anchor.Error{Kind: anchor.Unavailable, Code: "wrong_network",
			Message: fmt.Sprintf("%s serves the network %q, not %q", s.url, root.Passphrase, c.passphrase)}
	}
	s.mu.Lock()
	s.checked = true
	s.mu.Unlock()
	return nil
}

// order is the Horizons that did not fail lately, then the others.
func (c *Client) order() []*server {
	now := time.Now()
	var well, ill []*server
	for _, s := range c.servers {
		s.mu.Lock()
		rests := now.Before(s.restsTo)
		s.mu.Unlock()
		if rests {
			ill = append(ill, s)
		} else {
			well = append(well, s)
		}
	}
	return append(well, ill...)
}

func (s *server) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restsTo = time.Now().Add(restAfter)
}

func problemOf(resp *http.Response) *Problem {
	p := &Problem{}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil || json.Unmarshal(b, p) != nil {
		p = &Problem{}
	}
	p.Status, p.RetryAfter = resp.StatusCode, resp.Header.Get("Retry-After")
	return p
}

// decode reads a whole body of at most size bytes. One that is cut short or is
// no JSON is a fault of that Horizon's, not an answer.
func decode(r io.Reader, size int64, into any) error {
	b, err := io.ReadAll(io.LimitReader(r, size+1))
	switch {
	case err != nil:
		return unavailable(err)
	case int64(len(b)) > size:
		return unavailable(fmt.Errorf("the answer is larger than %d bytes", size))
	}
	if err := json.Unmarshal(b, into); err != nil {
		return unavailable(err)
	}
	return nil
}

func unavailable(err error) error {
	return &anchor.Error{Kind: anchor.Unavailable, Code: "ledger_unavailable", Message: "the ledger cannot be asked now", Err: err}
}
