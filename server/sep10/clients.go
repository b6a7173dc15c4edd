package sep10

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"windlass/server/anchor"
)

// Clients says which wallets may sign in. The zero value lets everybody.
type Clients struct {
	// Toml reads what a client domain publishes as its stellar.toml. If nil, no
	// client domain is verified and the parameter is ignored, as SEP-10 asks.
	Toml func(ctx context.Context, domain string) ([]byte, error)
	// Allow and Deny are client domains; "*.example.com" stands for all below it.
	// If any is allowed, all others are refused. Deny goes first.
	Allow, Deny []string
	// Required refuses who names no client domain, but for the Custodial accounts:
	// those of wallets that sign in for their users, known by their key.
	Required  bool
	Custodial []string
}

// may refuses a wallet that is not wanted. Custodial wallets are known by their
// account, all others by their domain.
func (c *Clients) may(account, domain string) error {
	listed := func(list []string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool { return covers(pattern, domain) })
	}
	switch {
	case domain != "" && listed(c.Deny):
	case domain == "" && slices.Contains(c.Custodial, account):
		return nil
	case domain == "" && (c.Required || len(c.Allow) > 0):
		return &anchor.Error{Kind: anchor.Invalid, Code: "client_domain_required", Field: "client_domain",
			Message: "client_domain is required here, so that it is known which wallet asks"}
	case domain == "" || len(c.Allow) == 0 || listed(c.Allow):
		return nil
	}
	return &anchor.Error{Kind: anchor.Forbidden, Code: "client_not_allowed", Field: "client_domain",
		Message: fmt.Sprintf("the wallet %.80s is not allowed to sign in here", domain), Args: map[string]string{"client": domain}}
}

// labels are a domain's, in small letters: each domain has one spelling only.
const labels = `[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*`

var (
	domainForm = regexp.MustCompile(`^` + labels + `$`)
	portForm   = regexp.MustCompile(`:[0-9]{1,5}$`)
)

// covers reports whether a domain is the pattern, or is below the domain of a
// pattern that begins with "*.".
func covers(pattern, domain string) bool {
	parent, ok := strings.CutPrefix(pattern, "*")
	if !ok {
		return pattern == domain
	}
	below, ok := strings.CutSuffix(domain, parent)
	return ok && domainForm.MatchString(below)
}

// How long what a client domain said holds, and that it said nothing; and how many
// domains are remembered, and are asked at once.
const (
	clientKnown   = 5 * time.Minute
	clientUnknown = 30 * time.Second
	clientStale   = time.Hour // what was read is used for so long where it cannot be read now
	maxClients    = 4096
	maxLookups    = 16 // at once
)

// clientKeys looks up client domains' keys, once for all that ask at a time.
type clientKeys struct {
	toml  func(ctx context.Context, domain string) ([]byte, error)
	known *lru.Cache[string, clientKey]
	once  singleflight.Group
	busy  chan struct{} // holds one for each look-up under way
}

type clientKey struct {
	address string
	err     error
	until   time.Time
	read    time.Time // when the address was
}

func newClientKeys(toml func(context.Context, string) ([]byte, error)) *clientKeys {
	known, err := lru.New[string, clientKey](maxClients)
	if err != nil {
		panic(err) // the size is above 0
	}
	return &clientKeys{toml: toml, known: known, busy: make(chan struct{}, maxLookups)}
}

// find is the SIGNING_KEY that a client domain publishes (SEP-10, "Verifying the
// Client Domain"). An error is Invalid; or Unavailable, and not remembered, where too
// many domains are being asked.
func (k *clientKeys) find(ctx context.Context, domain string, now time.Time) (string, error) {
	if found, ok := k.remembered(domain, now); ok {
		return found.address, found.err
	}
	// Whoever asked first may go; the others still wait for the answer, which has a
	// time limit of its own.
	answer, _, _ := k.once.Do(domain, func() (any, error) {
		// Somebody else's answer may just have come.
		if found, ok := k.remembered(domain, now); ok {
			return found, nil
		}
		select {
		case k.busy <- struct{}{}:
			defer func() { <-k.busy }()
		default:
			return clientKey{err: &anchor.Error{Kind: anchor.Unavailable, Code: "busy", Message: "too many client domains are looked up at this moment; try again"}}, nil
		}
		found := clientKey{until: now.Add(clientUnknown)}
		text, err := k.toml(context.WithoutCancel(ctx), domain)
		if err == nil {
			found.address, err = signingKey(text)
		}
		before, _ := k.known.Get(domain)
		switch {
		case err == nil:
			found.until, found.read = now.Add(clientKnown), now
		case before.err == nil && now.Before(before.read.Add(clientStale)):
			found.address, found.read = before.address, before.read
		default:
			found.err = &anchor.Error{Kind: anchor.Invalid, Code: "client_domain_unreadable", Field: "client_domain", Err: err,
				Message: "the stellar.toml of client_domain, or the SIGNING_KEY in it, could not be read"}
		}
		k.known.Add(domain, found)
		return found, nil
	})
	found, _ := answer.(clientKey) // it is nothing else
	return found.address, found.err
}

// remembered is what a domain said, unless that was too long ago.
func (k *clientKeys) remembered(domain string, now time.Time) (clientKey, bool) {
	found, ok := k.known.Get(domain)
	return found, ok && now.Before(found.until)
}

// signingKey reads SIGNING_KEY out of a stranger's stellar.toml: its line, among
// those before the first table. The rest is not parsed, since a stranger could make
// that cost a lot.
func signingKey(text []byte) (string, error) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("[")) {
			break
		}
		if m := signingKeyLine.FindSubmatch(line); m != nil && anchor.IsAccount(string(m[1])) {
			return string(m[1]), nil
		}
	}
	return "", errors.New("it has no SIGNING_KEY that is an account")
}

var signingKeyLine = regexp.MustCompile(`^["']?SIGNING_KEY["']?\s*=\s*["'](G[A-Z2-7]{55})["']\s*(?:#.*)?$`)

// clientHost checks the looks of a client domain: a host name and nothing else. Only
// this machine has ports: elsewhere "wallet.example.com:443" would be another name of
// wallet.example.com, which no list knows. Where it leads is checked when it is called.
func clientHost(domain string) error {
	host := domain
	if IsLoopback(domain) {
		host = portForm.ReplaceAllString(domain, "")
	}
	if len(domain) > maxData || !domainForm.MatchString(host) {
		return &anchor.Error{Kind: anchor.Invalid, Code: "client_domain_malformed", Field: "client_domain",
			Message: fmt.Sprintf("client_domain must be a host name in small letters of at most %d characters, such as wallet.example.com, without a port", maxData)}
	}
	return nil
}

// hostName is a host's name in small letters, perhaps with a port.
var hostName = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*(:[0-9]{1,5})?$`)

// IsLoopback reports whether a domain, perhaps with a port, is this machine.
func IsLoopback(domain string) bool {
	u, err := url.Parse("//" + domain)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && a.IsLoopback()
}
