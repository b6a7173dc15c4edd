package sep1

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stellar/go-stellar-sdk/strkey"

	"windlass/server/anchor"
)

// Problem is a field that will not do, and how to mend it.
type Problem struct {
	Field string // as SEP-1 spells it: "ORG_URL", "PRINCIPALS[0].email", "CURRENCIES[1].status"
	Text  string
}

// Problems finds everything that is wrong. CURRENCIES counts what is offered
// first.
func (cfg Config) Problems() []Problem {
	c := &checker{cfg: &cfg}
	c.general()
	c.organization()
	c.principals()
	currencies := cfg.currencies()
	if len(cfg.Offers) == 0 {
		c.wrong("CURRENCIES", "there is no asset")
	}
	for i := range currencies {
		c.currency(fmt.Sprintf("CURRENCIES[%d].", i), &currencies[i], i < len(cfg.Offers), currencies[:i])
	}
	c.validators()
	return c.problems
}

type checker struct {
	cfg      *Config
	problems []Problem
}

func (c *checker) wrong(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{field, fmt.Sprintf(format, args...)})
}

// link checks an address, if there is one.
func (c *checker) link(field, value string, secure bool) {
	u, err := url.Parse(value)
	switch {
	case value == "":
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil:
		c.wrong(field, `%q will not do; expected an address such as "https://www.example.com/logo.png"`, value)
	case u.Scheme != "https" && secure:
		c.wrong(field, "%q must begin with https://", value)
	}
}

func (c *checker) email(field, value string) {
	if a, err := mail.ParseAddress(value); value != "" && (err != nil || a.Address != value) {
		c.wrong(field, `%q is no e-mail address; expected something like "support@example.com"`, value)
	}
}

var handle = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func (c *checker) handle(field, value string) {
	if value != "" && !handle.MatchString(value) {
		c.wrong(field, "%q will not do; expected the account's name alone, without @ and without an address", value)
	}
}

func (c *checker) account(field, value string) {
	if !anchor.IsAccount(value) {
		c.wrong(field, "%q is no account; expected an address, G followed by 55 letters and digits", value)
	}
}

func (c *checker) general() {
	cfg := c.cfg
	c.link("TRANSFER_SERVER_SEP0024", cfg.BaseURL, cfg.public())
	if cfg.BaseURL == "" || strings.HasSuffix(cfg.BaseURL, "/") {
		c.wrong("TRANSFER_SERVER_SEP0024", "%q must be an address, and not end in /", cfg.BaseURL)
	}
	if cfg.NetworkPassphrase == "" {
		c.wrong("NETWORK_PASSPHRASE", "is missing")
	}
	c.account("SIGNING_KEY", cfg.SigningKey)
	for i, a := range cfg.Accounts {
		c.account(fmt.Sprintf("ACCOUNTS[%d]", i), a)
	}
	c.link("FEDERATION_SERVER", cfg.Federation, true)
	c.link("HORIZON_URL", cfg.Horizon, cfg.public())
	if cfg.URISigningKey != "" {
		c.account("URI_REQUEST_SIGNING_KEY", cfg.URISigningKey)
	}
}

var phone = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func (c *checker) organization() {
	o := c.cfg.Organization
	if o.Name == "" {
		c.wrong("ORG_NAME", "is missing; expected the name that customers and wallets are shown")
	}
	c.link("ORG_URL", o.URL, true)
	c.link("ORG_LOGO", o.Logo, false)
	if o.URL != "" && !sameSite(host(o.URL), c.cfg.HomeDomain) {
		c.wrong("ORG_URL", "%q is on another domain than stellar.toml, %s; wallets would not believe it", o.URL, c.cfg.HomeDomain)
	}
	for _, l := range []struct{ field, value string }{
		{"ORG_PHYSICAL_ADDRESS_ATTESTATION", o.AddressAttestation}, {"ORG_PHONE_NUMBER_ATTESTATION", o.PhoneAttestation}} {
		c.link(l.field, l.value, true)
		if l.value != "" && (o.URL == "" || !sameSite(host(l.value), host(o.URL))) {
			c.wrong(l.field, "%q must be on the domain of ORG_URL, %q", l.value, o.URL)
		}
	}
	if o.Phone != "" && !phone.MatchString(o.Phone) {
		c.wrong("ORG_PHONE_NUMBER", `%q is not in E.164 format; expected something like "+14155552671"`, o.Phone)
	}
	c.handle("ORG_KEYBASE", o.Keybase)
	c.handle("ORG_TWITTER", o.Twitter)
	c.handle("ORG_GITHUB", o.Github)
	c.email("ORG_SUPPORT_EMAIL", o.SupportEmail)
	c.email("ORG_OFFICIAL_EMAIL", o.OfficialEmail)
	if _, at, ok := strings.Cut(o.OfficialEmail, "@"); ok && o.URL != "" && !sameSite(at, host(o.URL)) {
		c.wrong("ORG_OFFICIAL_EMAIL", "%q must be at the domain of ORG_URL, %q", o.OfficialEmail, o.URL)
	}
}

func host(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Host
}

// sameSite reports whether two hosts, perhaps with ports, may belong to one
// organization: their last two names agree. It is for slips of the pen: under
// shared suffixes such as co.uk it lets strangers pass. A host of this machine
// belongs to everybody.
func sameSite(a, b string) bool {
	site := func(s string) string {
		if h, _, err := net.SplitHostPort(s); err == nil {
			s = h
		}
		names := strings.Split(strings.ToLower(s), ".")
		return strings.Join(names[max(0, len(names)-2):], ".")
	}
	return site(a) == site(b) || site(a) == "localhost" || site(b) == "localhost" || net.ParseIP(strings.Split(b, ":")[0]) != nil
}

func (c *checker) principals() {
	for i, p := range c.cfg.Principals {
		at := fmt.Sprintf("PRINCIPALS[%d].", i)
		if p.Name == "" {
			c.wrong(at+"name", "is missing; expected the person's full legal name")
		}
		c.email(at+"email", p.Email)
		c.handle(at+"keybase", p.Keybase)
		c.handle(at+"telegram", p.Telegram)
		c.handle(at+"twitter", p.Twitter)
		c.handle(at+"github", p.Github)
		for _, h := range []struct{ field, value string }{{"id_photo_hash", p.IDPhotoHash}, {"verification_photo_hash", p.VerificationPhoto}} {
			if b, err := hex.DecodeString(h.value); h.value != "" && (err != nil || len(b) != 32) {
				c.wrong(at+h.field, "%q is no SHA-256 hash; expected 64 hexadecimal digits, as `sha256sum` prints them", h.value)
			}
		}
	}
}

var (
	code     = regexp.MustCompile(`^[a-zA-Z0-9]{1,12}$`)
	template = regexp.MustCompile(`^[a-zA-Z0-9?]{1,12}$`)
	statuses = []string{"live", "dead", "test", "private"}
	anchored = []string{"fiat", "crypto", "nft", "stock", "bond", "commodity", "realestate", "other"}
)

// currency judges one entry; before are those above it.
func (c *checker) currency(at string, e *Currency, offered bool, before []Currency) {
	if e.Link != "" {
		c.link(at+"toml", e.Link, true)
		if !reflect.DeepEqual(*e, Currency{Link: e.Link}) {
			c.wrong(at+"toml", "stands for the whole entry; leave out everything else")
		}
		return
	}
	c.identity(at, e, before)
	if !slices.Contains(statuses, e.Status) {
		c.wrong(at+"status", "%q will not do; expected %s", e.Status, strings.Join(statuses, ", "))
	} else if e.Status == "live" && !c.cfg.public() {
		c.wrong(at+"status", "nothing is live on a test network; expected test, private or dead")
	}
	if n := utf8.RuneCountInString(e.Name); n > 20 {
		c.wrong(at+"name", "has %d characters; at most 20 are allowed", n)
	}
	if d := e.DisplayDecimals; d != nil && (*d < 0 || *d > anchor.Decimals) {
		c.wrong(at+"display_decimals", "%d will not do; expected 0 to %d", *d, anchor.Decimals)
	}
	c.link(at+"image", e.Image, false)
	c.link(at+"attestation_of_reserve", e.Attestation, false)
	c.issuance(at, e)
	c.backing(at, e)
	c.regulation(at, e, offered)
}

// identity judges how the entry names its currency.
func (c *checker) identity(at string, e *Currency, before []Currency) {
	switch {
	case e.Code != "" && !code.MatchString(e.Code):
		c.wrong(at+"code", "%q will not do; expected 1 to 12 letters and digits", e.Code)
	case e.CodeTemplate != "" && (!template.MatchString(e.CodeTemplate) || !strings.Contains(e.CodeTemplate, "?")):
		c.wrong(at+"code_template", `%q will not do; expected 1 to 12 letters, digits and ?, such as "CORN????????"`, e.CodeTemplate)
	case (e.Code == "") == (e.CodeTemplate == ""):
		c.wrong(at+"code", "is missing, or is given beside code_template; expected one of them")
	}
	native := e.Code == anchor.Native.Code
	switch {
	case native && e.Issuer+e.Contract != "":
		c.wrong(at+"issuer", "lumens have none; remove it")
	case native:
	case (e.Issuer == "") == (e.Contract == ""):
		c.wrong(at+"issuer", "is missing, or is given beside contract; expected the issuer of a Stellar asset, or the contract of another token")
	case e.Contract != "" && !strkey.IsValidContractAddress(e.Contract):
		c.wrong(at+"contract", "%q is no contract; expected C followed by 55 letters and digits", e.Contract)
	case e.Issuer != "":
		c.account(at+"issuer", e.Issuer)
	}
	same := func(o Currency) bool {
		return o.Code == e.Code && o.CodeTemplate == e.CodeTemplate && o.Issuer == e.Issuer && o.Contract == e.Contract
	}
	if slices.ContainsFunc(before, same) {
		c.wrong(at+"code", "%s%s is described already; what is offered is told of under its own [assets.about]", e.Code, e.CodeTemplate)
	}
}

// issuance judges how many there can be ("Include exactly one of those fields").
func (c *checker) issuance(at string, e *Currency) {
	given := 0
	for _, n := range []struct {
		field string
		value *int64
	}{{"fixed_number", e.FixedNumber}, {"max_number", e.MaxNumber}} {
		if n.value == nil {
			continue
		}
		given++
		if *n.value <= 0 {
			c.wrong(at+n.field, "%d will not do; expected a number above 0", *n.value)
		}
	}
	if e.IsUnlimited != nil {
		given++
		if !*e.IsUnlimited {
			c.wrong(at+"is_unlimited", "is false; tell fixed_number or max_number instead")
		}
	}
	if given > 1 {
		c.wrong(at+"max_number", "and fixed_number and is_unlimited exclude each other; expected one of them")
	}
}

// backing judges what stands behind a token.
func (c *checker) backing(at string, e *Currency) {
	if !slices.Contains(anchored, e.AnchorAssetType) {
		c.wrong(at+"anchor_asset_type", "%q will not do; expected %s", e.AnchorAssetType, strings.Join(anchored, ", "))
	}
	switch {
	case *e.IsAssetAnchored && e.AnchorAsset == "":
		c.wrong(at+"anchor_asset", `is missing; expected what the token is redeemed for, such as "USD"`)
	case !*e.IsAssetAnchored && e.AnchorAsset+e.Redemption != "":
		c.wrong(at+"is_asset_anchored", "is false; then there is no anchor_asset and no redemption_instructions")
	}
	n := len(e.Collateral)
	switch {
	case len(e.CollateralMessages) != n || len(e.CollateralSignatures) != n:
		c.wrong(at+"collateral_addresses", "has %d entries, collateral_address_messages %d and collateral_address_signatures %d; expected one of each for every address",
			n, len(e.CollateralMessages), len(e.CollateralSignatures))
		return
	case n > 0 && e.AnchorAssetType != "crypto":
		c.wrong(at+"collateral_addresses", "are for anchored crypto tokens; set anchor_asset_type, or remove them")
	}
	for i, address := range e.Collateral {
		c.collateral(at, e, address, e.CollateralMessages[i], time.Now())
		if b, err := base64.StdEncoding.DecodeString(e.CollateralSignatures[i]); err != nil || len(b) == 0 {
			c.wrong(at+"collateral_address_signatures", "entry %d is no signature in base64", i+1)
		}
	}
}

var valid = regexp.MustCompile(`^ Valid from (\S+) to (\S+)\.$`)

// collateral judges the promise that an address backs the token.
func (c *checker) collateral(at string, e *Currency, address, message string, now time.Time) {
	start := fmt.Sprintf("The assets in the account %s are reserved to back %s issued by %s on Stellar.", address, e.Code, e.Issuer)
	rest, ok := strings.CutPrefix(message, start)
	dates := valid.FindStringSubmatch(rest)
	if !ok || dates == nil {
		c.wrong(at+"collateral_address_messages", `expected "%s Valid from 2026-01-01 to 2026-12-31."`, start)
		return
	}
	from, err := day(dates[1])
	to, err2 := day(dates[2])
	if err != nil || err2 != nil || !from.Before(to) || to.After(now.AddDate(1, 0, 0)) {
		c.wrong(at+"collateral_address_messages", "from %s to %s will not do; expected two dates such as 2026-01-31, the second later and at most a year from now", dates[1], dates[2])
	}
}

func day(s string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	return time.Parse(time.DateOnly, s)
}

// regulation judges what SEP-8 adds. A regulated asset cannot be offered: each
// of its payments needs the approval server's signature.
func (c *checker) regulation(at string, e *Currency, offered bool) {
	c.link(at+"approval_server", e.ApprovalServer, true)
	switch {
	case e.Regulated && offered:
		c.wrong(at+"regulated", "is true, and then each payment would need the approval server's signature, which this anchor does not ask for; it cannot be offered")
	case e.Regulated && (e.ApprovalServer == "" || e.ApprovalCriteria == ""):
		c.wrong(at+"regulated", "needs approval_server and approval_criteria")
	case !e.Regulated && e.ApprovalServer+e.ApprovalCriteria != "":
		c.wrong(at+"regulated", "is false; remove approval_server and approval_criteria, or set it to true")
	}
}

var alias = regexp.MustCompile(`^[a-z0-9-]{2,16}$`)

func (c *checker) validators() {
	for i, v := range c.cfg.Validators {
		at := fmt.Sprintf("VALIDATORS[%d].", i)
		c.account(at+"PUBLIC_KEY", v.PublicKey)
		if v.Alias != "" && !alias.MatchString(v.Alias) {
			c.wrong(at+"ALIAS", "%q will not do; expected 2 to 16 small letters, digits and hyphens", v.Alias)
		}
		if h, port, err := net.SplitHostPort(v.Host); v.Host != "" && (err != nil || h == "" || port == "") {
			c.wrong(at+"HOST", `%q will not do; expected host:port, such as "core.example.com:11625"`, v.Host)
		}
		c.link(at+"HISTORY", v.History, false)
		for _, o := range c.cfg.Validators[:i] {
			if o.PublicKey == v.PublicKey || o.Alias == v.Alias && v.Alias != "" {
				c.wrong(at+"PUBLIC_KEY", "or ALIAS is that of another node; each needs its own")
			}
		}
	}
}
