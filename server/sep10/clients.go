package sep10

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/pelletier/go-toml/v2"
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
	case slices.Contains(c.Custodial, account):
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

// covers reports whether a domain is the pattern, or is below the domain of a
// pattern that begins with "*.".
func covers(pattern, domain string) bool {
	if parent, ok := strings.CutPrefix(pattern, "*"); ok {
		return len(domain) > len(parent) && strings.HasSuffix(domain, parent)
	}
	return pattern == domain
}

// How long what a client domain said holds, and that it said nothing; and how many
// domains are remembered.
const (
	clientKnown   = 5 * time.Minute
	clientUnknown = 30 * time.Second
	maxClients    = 4096
)

// clientKeys looks up client domains' keys, once for all that ask at a time.
type clientKeys struct {
	toml  func(ctx context.Context, domain string) ([]byte, error)
	known *lru.Cache[string, clientKey]
	once  singleflight.Group
}

type clientKey struct {
	address string
	err     error
	until   time.Time
}

func newClientKeys(toml func(context.Context, string) ([]byte, error)) *clientKeys {
	known, err := lru.New[string, clientKey](maxClients)
	if err != nil {
		panic(err) // the size is above 0
	}
	return &clientKeys{toml: toml, known: known}
}

// find is the SIGNING_KEY that a client domain publishes (SEP-10, "Verifying the
// Client Domain").
func (k *clientKeys) find(ctx context.Context, domain string, now time.Time) (string, error) {
	if found, ok := k.known.Get(domain); ok && now.Before(found.until) {
		return found.address, found.err
	}
	// Whoever asked first may go; the others still wait for the answer, which has a
	// time limit of its own.
	answer, _, _ := k.once.Do(domain, func() (any, error) {
		found := clientKey{until: now.Add(clientUnknown)}
		text, err := k.toml(context.WithoutCancel(ctx), domain)
		if err == nil {
			found.address, err = signingKey(text)
		}
		if err == nil {
			found.until = now.Add(clientKnown)
		} else {
			found.err = &anchor.Error{Kind: anchor.Invalid, Code: "client_domain_unreadable", Field: "client_domain", Err: err,
				Message: "the stellar.toml of client_domain, or the SIGNING_KEY in it, could not be read"}
		}
		k.known.Add(domain, found)
		return found, nil
	})
	found, _ := answer.(clientKey) // it is nothing else
	return found.address, found.err
}

// signingKey reads SIGNING_KEY out of a stranger's stellar.toml.
func signingKey(text []byte) (string, error) {
	var t struct {
		SigningKey string `toml:"SIGNING_KEY"`
	}
	if err := toml.Unmarshal(text, &t); err != nil {
		return "", errors.New("it is not TOML")
	}
	if !anchor.IsAccount(t.SigningKey) {
		return "", errors.New("it has no SIGNING_KEY that is an account")
	}
	return t.SigningKey, nil
}

// clientHost checks the looks of a client domain: a host name, perhaps with a
// port, and nothing else. Where it leads is checked when it is called.
func clientHost(domain string) error {
	u, err := url.Parse("//" + domain)
	if err != nil || u.Host != domain || len(domain) > maxData || u.Hostname() == "" || strings.ToLower(domain) != domain || strings.Contains(domain, "*") {
		return &anchor.Error{Kind: anchor.Invalid, Code: "client_domain_malformed", Field: "client_domain",
			Message: fmt.Sprintf("client_domain must be a host name in small letters of at most %d characters, such as wallet.example.com", maxData)}
	}
	return nil
}

// IsLoopback reports whether a domain, perhaps with a port, is this machine.
func IsLoopback(domain string) bool {
	u, err := url.Parse("//" + domain)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && a.IsLoopback()
}
