// Package outside is the one HTTP client for addresses that strangers named: a
// wallet's callbacks, a client's domain.
//
// Whoever can make a server call an address of theirs can make it call its
// neighbours: databases, metadata services, its own admin listener. So only
// https on port 443 is called, only addresses of the public internet (judged
// when the connection is made, so that a name which changes its address in
// between gains nothing), without a proxy from the environment, without
// following redirects, and with limits of time and size. On test networks an
// operator can allow addresses of this machine.
//
// It must not know what the calls are for.
package outside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Config is what the operator decides.
type Config struct {
	// AllowLoopback lets addresses of this machine be called, with http and on
	// any port. For test networks.
	AllowLoopback bool
	// Timeout bounds one call, its answer included; 10 s by default.
	Timeout time.Duration
	// Resolver looks names up; the system's by default.
	Resolver *net.Resolver
}

// maxAnswer is how much of an answer is read before its connection is given up
// instead of kept.
const maxAnswer = 64 << 10

// Client calls addresses that strangers named. Use New.
type Client struct {
	cfg    Config
	client *http.Client
}

// New makes a client.
func New(c Config) *Client {
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	public := ssrf.New(ssrf.WithPorts(443))
	guard := func(network, address string, raw syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err == nil && c.AllowLoopback && to.Addr().Unmap().IsLoopback() {
			return nil
		}
		return public.Safe(network, address, raw)
	}
	dialer := &net.Dialer{Timeout: c.Timeout, KeepAlive: 30 * time.Second, Resolver: c.Resolver, Control: guard}
	return &Client{cfg: c, client: &http.Client{
		Timeout: c.Timeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: c.Timeout,
			MaxIdleConns: 100, MaxIdleConnsPerHost: 2, MaxConnsPerHost: 8, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: 32 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.client.CloseIdleConnections() }

// ErrForbidden says that an address is none that may be called.
var ErrForbidden = errors.New("this address may not be called")

// MaxAddress is how many bytes an address may have.
const MaxAddress = 2000

// Check refuses an address by its looks, with an error that is ErrForbidden and
// says why; where it leads is checked when it is called. What it refuses is never
// called, so that whoever is given an address can say so at once.
func (c *Client) Check(address string) error {
	_, err := c.check(address)
	return err
}

func (c *Client) check(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	why := ""
	switch {
	case len(address) > MaxAddress:
		why = fmt.Sprintf("it has more than %d characters", MaxAddress)
	case err != nil || u.Host == "" || u.Opaque != "":
		why = "it is malformed"
	case u.User != nil:
		why = "it has a user name"
	case strings.Contains(address, "#"):
		why = "it has a fragment"
	case c.cfg.AllowLoopback && (u.Scheme == "http" || u.Scheme == "https") && isLoopback(u.Hostname()):
	case u.Scheme != "https":
		why = "it is not https"
	case u.Port() != "" && u.Port() != "443" || strings.HasSuffix(u.Host, ":"):
		why = "its port is not 443"
	case !domain.MatchString(u.Hostname()):
		why = "its host is no domain name in ASCII, such as wallet.example.com"
	}
	if why != "" {
		return nil, fmt.Errorf("%w: %s", ErrForbidden, why)
	}
	return u, nil
}

// domain is a name of the public internet: at least two labels, and the last one
// not a number, in whatever spelling, for then all of it is an address.
var domain = regexp.MustCompile(`^([a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?\.)+[a-zA-Z]([a-zA-Z0-9-]*[a-zA-Z0-9])?$`)

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// Post sends a body, and returns the answer's status. An error means that there
// was none; one that is ErrForbidden will not pass.
func (c *Client) Post(ctx context.Context, address string, header http.Header, body []byte) (status int, err error) {
	res, err := c.do(ctx, http.MethodPost, address, header, body)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	// Read, so that the connection can be used again. What it says is nobody's business.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, nil
}

// maxGet bounds one Get, its answer included: somebody waits for it.
const maxGet = 3 * time.Second

// ErrTooLarge says that an answer is longer than was asked for.
var ErrTooLarge = errors.New("the answer is too large")

// Get reads what is at an address: a whole answer of at most limit bytes with
// status 200, within three seconds, or an error. contentType is what the header
// says, unjudged.
func (c *Client) Get(ctx context.Context, address string, limit int64) (body []byte, contentType string, err error) {
	ctx, cancel := context.WithTimeout(ctx, min(c.cfg.Timeout, maxGet))
	defer cancel()
	res, err := c.do(ctx, http.MethodGet, address, nil, nil)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("the answer is %d", res.StatusCode)
	}
	body, err = io.ReadAll(io.LimitReader(res.Body, limit+1))
	switch {
	case err != nil:
		return nil, "", reason(err)
	case int64(len(body)) > limit:
		return nil, "", fmt.Errorf("%w: it has more than %d bytes", ErrTooLarge, limit)
	}
	return body, res.Header.Get("Content-Type"), nil
}

// do makes one call. Its errors do not tell the address.
func (c *Client) do(ctx context.Context, method, address string, header http.Header, body []byte) (*http.Response, error) {
	u, err := c.check(address)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: it is malformed", ErrForbidden)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("User-Agent", "windlass")
	res, err := c.client.Do(req)
	if err != nil {
		return nil, reason(err)
	}
	return res, nil
}

// reason is what went wrong without the address, which may hold secrets of the
// wallet's.
func reason(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	for _, forbidden := range []error{ssrf.ErrProhibitedIP, ssrf.ErrProhibitedPort, ssrf.ErrProhibitedNetwork} {
		if errors.Is(err, forbidden) {
			return fmt.Errorf("%w: it does not lead to the public internet", ErrForbidden)
		}
	}
	return err
}
