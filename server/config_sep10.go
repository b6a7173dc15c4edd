package main

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"windlass/server/anchor"
	"windlass/server/sep10"
)

// signIn checks who may sign in, and how.
func (k *check) signIn(c *SEP10Config) {
	if !slices.Contains(sep10.Thresholds, c.Threshold) {
		k.wrong("sep10.threshold", "%q will not do; expected %s", c.Threshold, strings.Join(sep10.Thresholds, ", "))
	}
	for _, list := range []struct {
		key     string
		domains []string
	}{{"home_domains", c.HomeDomains}, {"allow_clients", c.AllowClients}, {"deny_clients", c.DenyClients}} {
		clients := list.key != "home_domains" // which name no port, see sep10
		for _, d := range list.domains {
			host := strings.TrimPrefix(d, "*.")
			if u, err := url.Parse("//" + host); err != nil || u.Host != host || u.Hostname() == "" || clients && u.Port() != "" && !sep10.IsLoopback(host) || strings.Contains(host, "*") || strings.ToLower(d) != d || len(d) > 59 {
				k.wrong("sep10."+list.key, `%q will not do; expected host names in small letters, such as "wallet.example.com", or "*.example.com" for all below one`, d)
			}
		}
	}
	if len(c.DenyClients) > 0 && !c.RequireClient && len(c.AllowClients) == 0 {
		k.wrong("sep10.deny_clients", "keeps nobody out who names no client_domain; set require_client, too")
	}
	for _, account := range c.CustodialWallet {
		if !anchor.IsAccount(account) {
			k.wrong("sep10.custodial_wallets", "%q will not do; expected accounts, G…", account)
		}
	}
}

// otherAccounts checks who may deposit to an account that is not the one that signed
// in, or withdraw from it.
func (k *check) otherAccounts(c *SEP24Config) {
	if !slices.Contains([]string{"everybody", "custodial", "nobody"}, c.OtherAccounts) {
		k.wrong("sep24.other_accounts", "%q will not do; expected everybody, custodial (wallets, see sep10.custodial_wallets) or nobody", c.OtherAccounts)
	}
}

// otherAccounts is that for the endpoints.
func (c *Config) otherAccounts() func(anchor.Identity) bool {
	switch c.SEP24.OtherAccounts {
	case "custodial":
		return func(who anchor.Identity) bool { return slices.Contains(c.SEP10.CustodialWallet, who.Account) }
	case "nobody":
		return func(anchor.Identity) bool { return false }
	}
	return nil
}

// clients are the wallets that may sign in. What a client domain publishes is read
// as any address is that a stranger named.
func (a *app) clients() sep10.Clients {
	c := a.cfg.SEP10
	return sep10.Clients{
		Allow: c.AllowClients, Deny: c.DenyClients, Required: c.RequireClient, Custodial: c.CustodialWallet,
		Toml: func(ctx context.Context, domain string) ([]byte, error) {
			scheme := "https"
			if a.cfg.AllowLoopback && sep10.IsLoopback(domain) {
				scheme = "http"
			}
			text, _, err := a.outside.Get(ctx, scheme+"://"+domain+"/.well-known/stellar.toml", maxClientToml)
			return text, err
		},
	}
}

// maxClientToml is the most that SEP-1 lets a stellar.toml have, in bytes.
const maxClientToml = 100 << 10
