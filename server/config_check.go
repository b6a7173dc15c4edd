package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"

	"windlass/server/anchor"
	"windlass/server/payout"
	"windlass/server/store"
)

// check judges a configuration whose defaults are filled in.
type check struct {
	*reading
	dir string // relative file names start here
	// options are the operator's answers to choose from, by the fields' names.
	options map[string][]string
	// screening is who is not accepted by itself.
	screening anchor.Screening
}

func (k *check) config(c *Config) {
	k.addresses(c)
	k.network(c)
	k.lifetimes(c)
	k.callbacks(&c.Callbacks)
	k.mail(&c.Mail)
	k.logging(c)
	k.limits(&c.Limits)
	k.customers(&c.Customers)
	k.signIn(&c.SEP10)
	k.otherAccounts(&c.SEP24)
	k.rail(c)
	k.unmatched(c)
	k.secrets(c)
	k.channels(c)
	k.payouts(c)
	k.choices(&c.Choices)
	k.review(&c.Review)
	k.assets(c)
	k.stellarTOML(c)
	k.brand(c)
	c.Database.Path = k.path(c.Database.Path)
}

func (k *check) addresses(c *Config) {
	if c.PublicURL == "" {
		k.wrong("public_url", `is missing; expected the address at which wallets reach this anchor, such as "https://anchor.example.com"`)
	} else if k.site("public_url", c.PublicURL) && c.Public() && !strings.HasPrefix(c.PublicURL, "https://") {
		k.wrong("public_url", "%q must begin with https:// on the public network; put a reverse proxy with a certificate in front", c.PublicURL)
	}
	k.site("admin_url", c.AdminURL)
	if c.Public() && hostOnly(authority(c.PublicURL)) == hostOnly(authority(c.AdminURL)) {
		k.wrong("admin_url", "must have a host name of its own on the public network, since browsers share cookies between the ports of one host")
	}
	if u, err := url.Parse("//" + c.HomeDomain); c.HomeDomain != "" && (err != nil || u.Host != c.HomeDomain) {
		k.wrong("home_domain", `%q will not do; expected a host name without scheme or path, such as "example.com"`, c.HomeDomain)
	}
	if u, err := url.Parse("//" + c.SEP10.WebAuthDomain); c.SEP10.WebAuthDomain != "" && (err != nil || u.Host != c.SEP10.WebAuthDomain) {
		k.wrong("sep10.web_auth_domain", `%q will not do; expected a host name without scheme or path, such as "anchor.example.com"`, c.SEP10.WebAuthDomain)
	}
	if c.AllowLoopback && c.Public() {
		k.wrong("allow_loopback", "is for test networks only; remove it, or set it to false")
	}
	k.bind("listen.public", c.Listen.Public)
	k.bind("listen.admin", c.Listen.Admin)
	if _, port, _ := net.SplitHostPort(c.Listen.Admin); c.Listen.Admin == c.Listen.Public && port != "0" {
		k.wrong("listen.admin", "%q is listen.public already; give each an address of its own", c.Listen.Admin)
	}
}

// site checks a scheme://host[:port] and nothing more.
func (k *check) site(key, value string) bool {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || value != u.Scheme+"://"+u.Host {
		k.wrong(key, `%q will not do; expected scheme, host and perhaps port, without a path or a final slash, such as "https://anchor.example.com"`, value)
		return false
	}
	return true
}

func (k *check) bind(key, value string) {
	if _, port, err := net.SplitHostPort(value); err != nil {
		k.wrong(key, `%q will not do; expected host:port, such as "127.0.0.1:8000", or ":8000" for every interface`, value)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		k.wrong(key, "%q has no usable port; expected a number from 0 to 65535", value)
	}
}

func (k *check) network(c *Config) {
	if c.Network.Passphrase == "" {
		k.wrong("network.passphrase", `is missing; expected the network's passphrase, such as "Test SDF Network ; September 2015"`)
	}
	if len(c.Network.Horizon) == 0 {
		k.wrong("network.horizon", `is missing; expected at least one Horizon, such as ["https://horizon-testnet.stellar.org"]; the first that answers is used`)
	}
	for i, h := range c.Network.Horizon {
		u, err := url.Parse(h)
		switch {
		case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.RawQuery != "", strings.HasSuffix(h, "/"):
			k.wrong("network.horizon", `entry %d, %q, will not do; expected an address without a final slash, such as "https://horizon-testnet.stellar.org"`, i+1, h)
		case c.Public() && u.Scheme != "https":
			k.wrong("network.horizon", "entry %d, %q, must begin with https:// on the public network: it is what we believe about money", i+1, h)
		case slices.Contains(c.Network.Horizon[:i], h):
			k.wrong("network.horizon", "%q is listed twice", h)
		}
	}
	k.explorer(c)
}

func (k *check) explorer(c *Config) {
	e := c.Network.Explorer
	if e == "" || e == noExplorer {
		c.Network.Explorer = ""
		return
	}
	u, err := url.Parse(e)
	switch {
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "", strings.Contains(u.Host, "{"), strings.Count(e, "{hash}") != 1:
		k.wrong("network.explorer", `%q will not do; expected an address with {hash} where the transaction's hash belongs, such as %q, or %q`, e, explorers[network.TestNetworkPassphrase], noExplorer)
	case slices.Contains(slices.Collect(maps.Values(explorers)), e) && e != explorers[c.Network.Passphrase]:
		k.wrong("network.explorer", "%q shows another network than that of network.passphrase; remove the key, or name the right one", e)
	case c.Public() && u.Scheme != "https":
		k.wrong("network.explorer", "%q must begin with https:// on the public network: customers believe what they see there", e)
	}
}

func (k *check) lifetimes(c *Config) {
	k.between("sep10.challenge_lifetime", c.SEP10.ChallengeLifetime, time.Minute, time.Hour)
	k.between("sep10.token_lifetime", c.SEP10.TokenLifetime, time.Minute, 30*24*time.Hour)
}

func (k *check) between(key string, d Duration, least, most time.Duration) {
	if time.Duration(d) < least || time.Duration(d) > most {
		k.wrong(key, "%s will not do; expected between %s and %s", time.Duration(d), short(least), short(most))
	}
}

// short writes whole hours, minutes or seconds without the zeros behind them.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (k *check) rail(c *Config) {
	switch {
	case c.Rail.Kind != "simulated":
		k.wrong("rail.kind", `%q will not do; expected "simulated", the only kind in this version`, c.Rail.Kind)
	case c.Public():
		k.wrong("rail.kind", "the simulated bank is refused on the public network, and this version has no other")
	}
	c.Rail.Path = k.path(c.Rail.Path)
}

func (k *check) unmatched(c *Config) {
	u := &c.Unmatched
	c.unmatched = anchor.Policies{Of: map[string]anchor.Policy{}, PerSender: *u.RefundsPerSender}
	policies := u.policies()
	for _, r := range anchor.Rules {
		p := anchor.Policy(*policies[r.Reason])
		if !slices.Contains(r.Policies, p) {
			var known []string
			for _, p := range r.Policies {
				known = append(known, string(p))
			}
			k.wrong("unmatched."+r.Reason, "%q will not do; expected %s", p, strings.Join(known, " or "))
		}
		c.unmatched.Of[r.Reason] = p
	}
	if *u.RefundsPerSender < 0 || *u.RefundsPerSender > 1000 {
		k.wrong("unmatched.refunds_per_sender", "%d will not do; expected 0 to 1000", *u.RefundsPerSender)
	}
	c.unmatched.LumensMinimum = k.amount("unmatched.lumens_minimum", u.LumensMinimum, anchor.Decimals)
}

// amount reads one that is given in any case, by its default if by nothing else.
func (k *check) amount(key, value string, decimals int) anchor.Amount {
	a, err := anchor.ParseAmount(value)
	switch {
	case err != nil:
		k.wrong(key, `%q will not do; expected a plain decimal in quotes, such as "10" or "0.50"`, value)
	case !a.IsWhole(decimals):
		k.wrong(key, "%s has more than the %d decimals of the asset", value, decimals)
	}
	return a
}

func (k *check) logging(c *Config) {
	if _, ok := levels[c.Log.Level]; !ok {
		k.wrong("log.level", "%q will not do; expected debug, info, warn or error", c.Log.Level)
	}
	if !slices.Contains([]string{"auto", "text", "json"}, c.Log.Format) {
		k.wrong("log.format", "%q will not do; expected auto (text on a terminal, else json), text or json", c.Log.Format)
	}
}

func (k *check) secrets(c *Config) {
	s, made := &c.Secrets, &c.keys
	const keysetHint = "a Tink keyset in JSON, as `windlass keys` makes it"
	const keyHint = "32 random bytes in base64, as `openssl rand -base64 32` prints them"
	const seedHint = "a secret seed, S followed by 55 letters and digits"

	lines := func(text string) []string { return strings.Split(text, "\n") }

	k.secret("secrets.", "encryption_key", &s.EncryptionKey, s.EncryptionKeyFile, keysetHint, func(v string) (err error) {
		made.Encryption, err = store.ParseKeys([]byte(v))
		return err
	})
	k.secret("secrets.", "token_key", &s.TokenKey, s.TokenKeyFile, keyHint+", or several, one on a line", func(v string) error {
		for line := range strings.Lines(v) {
			b, err := key32(strings.TrimSpace(line))
			if err != nil {
				return err
			}
			made.Token = append(made.Token, b)
		}
		return nil
	})
	k.secretList("secrets.", "session_keys", &s.SessionKeys, s.SessionKeysFile, lines, keyHint, func(v string) error {
		b, err := key32(v)
		made.Session = append(made.Session, b)
		return err
	})
	seed := func(to **keypair.Full) func(string) error {
		return func(v string) (err error) {
			*to, err = keypair.ParseFull(v)
			return err
		}
	}
	k.secret("secrets.", "signing_seed", &s.SigningSeed, s.SigningSeedFile, seedHint, seed(&made.Signing))
	k.secret("secrets.", "distribution_seed", &s.DistributionSeed, s.DistributionSeedFile, seedHint, seed(&made.Distribution))
	k.secret("secrets.", "fee_seed", &s.FeeSeed, s.FeeSeedFile, seedHint, seed(&made.Fee))
	k.secretList("secrets.", "channel_seeds", &s.ChannelSeeds, s.ChannelSeedsFile, lines, seedHint, func(v string) error {
		kp, err := keypair.ParseFull(v)
		made.Channels = append(made.Channels, kp)
		return err
	})
	k.accounts(made)
}

// channels takes as many of the channels' seeds as are wanted.
func (k *check) channels(c *Config) {
	seeds, want := c.keys.Channels, c.Payout.Channels
	switch {
	case want < 0 || want > maxChannels:
		k.wrong("payout.channels", "%d will not do; expected 1 to %d, or nothing for all channel seeds", want, maxChannels)
	case want == 0 || len(seeds) == 0:
	case want > len(seeds):
		k.wrong("payout.channels", "%d are wanted, but secrets.channel_seeds holds %d; `windlass keys --channels %[1]d` adds the others to its file, or lower it", want, len(seeds))
	default:
		c.keys.Channels, c.keys.spare = seeds[:want:want], seeds[want:]
	}
}

// accounts holds apart what must not be one account: the signing key holds no
// money, and a channel lends its sequence number to one envelope at a time.
func (k *check) accounts(made *Keys) {
	used := map[string]string{}
	take := func(key string, kp *keypair.Full) {
		if kp == nil {
			return
		}
		if other, ok := used[kp.Address()]; ok {
			k.wrong(key, "%s is in secrets.%s too; each needs an account of its own", kp.Address(), other)
		}
		used[kp.Address()] = strings.TrimPrefix(key, "secrets.")
	}
	take("secrets.signing_seed", made.Signing)
	take("secrets.distribution_seed", made.Distribution)
	take("secrets.fee_seed", made.Fee)
	for _, kp := range made.Channels {
		take("secrets.channel_seeds", kp)
	}
}

// secret reads a secret from its value or its file, and has it understood.
func (k *check) secret(at, name string, value *Secret, file, hint string, understand func(string) error) {
	var list []Secret
	if *value != "" {
		list = []Secret{*value}
	}
	whole := func(text string) []string { return []string{text} }
	k.secretList(at, name, &list, file, whole, hint, understand)
	if len(list) > 0 {
		*value = list[0]
	}
}

// secretList is secret for several, which the file holds as split finds them. A
// variable of the environment outdoes the other way of saying the same in the
// configuration file.
func (k *check) secretList(at, name string, values *[]Secret, file string, split func(string) []string, hint string, understand func(string) error) {
	key, fileKey := at+name, at+name+"_file"
	fromEnv := func(key string) bool { return strings.HasPrefix(k.origin[key], envPrefix) }
	switch {
	case len(*values) > 0 && file != "" && fromEnv(key) == fromEnv(fileKey):
		k.wrong(key, "and %s are both given; keep one of them", fileKey)
		return
	case file != "" && (len(*values) == 0 || fromEnv(fileKey)):
		data, err := os.ReadFile(k.path(file))
		if err != nil {
			k.wrong(fileKey, "%s cannot be read: %s", k.path(file), reason(err))
			return
		}
		key, *values = fileKey, nil
		for _, v := range split(string(data)) {
			if v = strings.TrimSpace(v); v != "" {
				*values = append(*values, Secret(v))
			}
		}
	}
	if len(*values) == 0 {
		k.wrong(key, "is missing; expected %s (or give the name of a file that holds it as %s_file)", hint, name)
		return
	}
	for i, v := range *values {
		if err := understand(v.Reveal()); err != nil {
			at := ""
			if len(*values) > 1 {
				at = fmt.Sprintf("number %d ", i+1)
			}
			k.wrong(key, "%sis not usable; expected %s", at, hint) // never the value: problems are printed
			return
		}
	}
}

func key32(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err == nil && len(b) != 32 {
		err = errors.New("not 32 bytes")
	}
	return b, err
}

// path takes a relative file name from the configuration's own folder.
func (k *check) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(k.dir, name)
}

// reason is a file error without the name of the file and the call.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

func (k *check) assets(c *Config) {
	if len(c.Assets) == 0 {
		k.wrong("assets", "is missing; expected an [[assets]] table for each asset that is offered")
	}
	codes := map[string]bool{}
	for i := range c.Assets {
		a, at := &c.Assets[i], fmt.Sprintf("assets[%d].", i)
		if codes[a.Code] {
			k.wrong(at+"code", "%q is offered twice; wallets tell assets apart by their code alone", a.Code)
		}
		codes[a.Code] = true
		t := &anchor.Terms{Name: a.Name, Description: a.Description, Decimals: *a.Decimals, OffChainDecimals: *a.OffChainDecimals, ThirdParty: a.ThirdParty}
		if c.keys.Distribution != nil {
			t.Account = c.keys.Distribution.Address()
		}
		t.Asset = k.ledgerAsset(at, a)
		var err error
		if t.OffChain, err = anchor.ParseAsset(a.OffChain); err != nil || t.OffChain.OnLedger() {
			k.wrong(at+"off_chain", `%q will not do; expected what the bank moves, such as "iso4217:USD"`, a.OffChain)
		}
		for key, d := range map[string]*int{"decimals": &t.Decimals, "off_chain_decimals": &t.OffChainDecimals} {
			if *d < 0 || *d > anchor.Decimals {
				if d == &t.Decimals || a.OffChainDecimals != a.Decimals { // else it is the same one
					k.wrong(at+key, "%d will not do; expected 0 to %d", *d, anchor.Decimals)
				}
				*d = anchor.Decimals
			}
		}
		t.Deposit = k.side(at+"deposit.", a.Deposit, t.OffChainDecimals)
		t.Withdraw = k.side(at+"withdraw.", a.Withdraw, t.Decimals)
		k.payees(at, &t.Withdraw)
		k.rates(at, a, t)
		k.refunds(at+"deposit.", &a.Deposit, t, anchor.Deposit)
		k.refunds(at+"withdraw.", &a.Withdraw, t, anchor.Withdrawal)
		k.prices(at, t)
		c.terms = append(c.terms, t)
		k.hot(c, at, a, t)
		k.moneyOut(c, at, a, t)
	}
}

// hot reads how much of an asset the distribution account shall hold.
func (k *check) hot(c *Config, at string, a *AssetConfig, t *anchor.Terms) {
	h := payout.Hot{Account: t.Account, Asset: t.Asset}
	for _, bound := range []struct {
		key, value string
		to         *anchor.Amount
	}{{"hot_minimum", a.HotMinimum, &h.Minimum}, {"hot_maximum", a.HotMaximum, &h.Maximum}} {
		if bound.value == "" {
			continue
		}
		var err error
		if *bound.to, err = anchor.ParseAmount(bound.value); err != nil || *bound.to <= 0 {
			k.wrong(at+bound.key, `%q will not do; expected a plain decimal above 0 in quotes, such as "50000", or nothing for no alarm`, bound.value)
		}
	}
	if h.Maximum != 0 && h.Minimum >= h.Maximum {
		k.wrong(at+"hot_maximum", "%s must be above hot_minimum, %s", a.HotMaximum, a.HotMinimum)
	}
	if h.Minimum != 0 || h.Maximum != 0 {
		c.hot = append(c.hot, h)
	}
}

func (k *check) ledgerAsset(at string, a *AssetConfig) anchor.Asset {
	switch {
	case a.Code == "":
		k.wrong(at+"code", `is missing; expected the asset's code on the ledger, such as "USDC"`)
	case !assetCode.MatchString(a.Code):
		k.wrong(at+"code", "%q will not do; expected 1 to 12 letters and digits", a.Code)
	case a.Code == anchor.Native.Code:
		k.lumens(at, a)
		return anchor.Native
	case a.Code == anchor.Native.Symbol() && a.Issuer == "":
		k.wrong(at+"code", `"XLM" is the code of somebody's asset, and its issuer is missing; lumens are "native"`)
	default:
		asset, err := anchor.ParseAsset(anchor.Stellar + ":" + a.Code + ":" + a.Issuer)
		if err != nil {
			k.wrong(at+"issuer", "%q is no account; expected the issuer's address, G followed by 55 letters and digits", a.Issuer)
		}
		return asset
	}
	return anchor.Asset{}
}

// lumens judges what has no meaning for lumens, which nobody issues, and which need
// no trustline.
func (k *check) lumens(at string, a *AssetConfig) {
	for _, never := range []struct {
		key   string
		given bool
		why   string
	}{
		{"issuer", a.Issuer != "", `lumens have none; remove it, or write another code than "native"`},
		{"third_party", a.ThirdParty, "is for what somebody issues, and nobody issues lumens; remove it"},
		{"create_account", a.CreateAccount != "", "lumens that are paid out make the account themselves; remove it"},
		{"top_up", a.TopUp != "", "is for the reserve of a trustline, and lumens need none; remove it"},
		{"authorizer_seed", a.AuthorizerSeed != "", "is for trustlines, and lumens need none; remove it"},
		{"authorizer_seed_file", a.AuthorizerSeedFile != "", "is for trustlines, and lumens need none; remove it"},
	} {
		if never.given {
			k.wrong(at+never.key, "%s", never.why)
		}
	}
}

var (
	assetCode = regexp.MustCompile(`^[a-zA-Z0-9]{1,12}$`)
	methodID  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
)
