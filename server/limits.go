package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"windlass/server/anchor"
	"windlass/server/sep"
	"windlass/server/sep10"
)

// LimitsConfig bounds how often callers may ask, in requests a second with ten
// seconds' worth at once, beyond which they are answered 429; and what is kept of them.
type LimitsConfig struct {
	SignIns int `toml:"sign_ins" env:"SIGN_INS"` // by network address: sign-in of wallets and customers
	Starts  int `toml:"starts" env:"STARTS"`     // by signed-in account: deposits and withdrawals begun
	Polls   int `toml:"polls" env:"POLLS"`       // by signed-in account: everything else of SEP-24; by session or link: GraphQL
	// Documents is how many MiB the documents of all customers may have together:
	// anybody may be a customer, and a full disk would stop payments, too.
	Documents int `toml:"documents" env:"DOCUMENTS"`
	// DocumentsPerCustomer is the share of one of them, in MiB.
	DocumentsPerCustomer int `toml:"documents_per_customer" env:"DOCUMENTS_PER_CUSTOMER"`
	// TrustedProxies are networks whose X-Forwarded-For is believed.
	TrustedProxies []string `toml:"trusted_proxies" env:"TRUSTED_PROXIES"`

	proxies []netip.Prefix
}

func (k *check) limits(c *LimitsConfig) {
	for _, l := range []struct {
		key   string
		value int
	}{{"sign_ins", c.SignIns}, {"starts", c.Starts}, {"polls", c.Polls}} {
		if l.value < 1 || l.value > 1_000_000 {
			k.wrong("limits."+l.key, "%d will not do; expected requests a second, 1 to 1000000", l.value)
		}
	}
	if c.Documents < 1 || c.Documents > 100_000_000 {
		k.wrong("limits.documents", "%d will not do; expected MiB, 1 to 100000000", c.Documents)
	}
	if most := max(1, c.Documents/10); c.DocumentsPerCustomer < 1 || c.DocumentsPerCustomer > most {
		k.wrong("limits.documents_per_customer", "%d will not do; expected MiB, 1 to a tenth of limits.documents, which is %d", c.DocumentsPerCustomer, most)
	}
	c.proxies = nil
	for _, s := range c.TrustedProxies {
		p, err := netip.ParsePrefix(s)
		if a, bad := netip.ParseAddr(s); bad == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			k.wrong("limits.trusted_proxies", `%q will not do; expected addresses or networks, such as "10.0.0.0/8"`, s)
			continue
		}
		c.proxies = append(c.proxies, p.Masked())
	}
}

// limitSignIns bounds what can be asked without a token and costs us something:
// challenges, their checks, and the exchange that opens a customer's page.
func limitSignIns(c LimitsConfig, logger *slog.Logger) mux.MiddlewareFunc {
	limit := sep.NewLimiter(c.SignIns)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodOptions || r.URL.Path != sep10.Path && !strings.HasSuffix(r.URL.Path, "/session") {
				next.ServeHTTP(w, r)
				return
			}
			wait := limit.Wait(c.caller(r), time.Now())
			if wait == 0 {
				next.ServeHTTP(w, r)
				return
			}
			sep.CORS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sep.WriteTooMany(w, r, logger, sep.Lang(r, ""), wait)
			})).ServeHTTP(w, r)
		})
	}
}

// uploads tells who may not send a document of so many bytes now: a customer who
// has sent and replaced many, and a network that much comes from. Without the latter
// one computer could be as many customers as fill limits.documents.
func (c LimitsConfig) uploads() func(network string, customer anchor.Identity, size int) bool {
	const kib = 1 << 10
	const several, another = 30, 2 * time.Minute
	hour := max(c.Documents*kib/100, 4*anchor.MaxFile/kib) // a hundredth, in KiB
	customers, networks := sep.NewBudget(several, 1/another.Seconds()), sep.NewBudget(hour, float64(hour)/time.Hour.Seconds())
	return func(network string, customer anchor.Identity, size int) bool {
		now := time.Now()
		return customers.Wait(customer.Account+" "+customer.Memo+" "+customer.Muxed, now) == 0 && networks.Spend(network, size/kib+1, now) == 0
	}
}

// caller is the network that a request came from: an IPv4 address, or the /64 of
// an IPv6 one, which is one customer's. Behind proxies that are trusted it is the
// last address that one of them has seen.
func (c *LimitsConfig) caller(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	at, err := netip.ParseAddr(host)
	for err == nil && slices.ContainsFunc(c.proxies, func(p netip.Prefix) bool { return p.Contains(at.Unmap()) }) && len(hops) > 0 {
		last := strings.TrimSpace(hops[len(hops)-1])
		hops = hops[:len(hops)-1]
		next, bad := netip.ParseAddr(last)
		if with, err := netip.ParseAddrPort(last); err == nil {
			next, bad = with.Addr(), nil
		}
		if bad != nil {
			break
		}
		at = next
	}
	if err != nil {
		return host
	}
	if at = at.Unmap().WithZone(""); at.Is6() {
		return fmt.Sprint(netip.PrefixFrom(at, 64).Masked())
	}
	return at.String()
}
