package main

import (
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"

	"windlass/frontend"
	"windlass/server/anchor"
	"windlass/server/payout"
	"windlass/server/sep1"
	"windlass/server/sep10"
	"windlass/server/store"
)

// Config is anchor.toml: what the operator decides. anchor.example.toml
// documents every key, and a test keeps the two in step.
//
// The toml tag is the key; the env tag is the same name in capitals, and with
// those of the tables above it and the prefix WINDLASS_ it is the environment
// variable that overrides the key (WINDLASS_NETWORK_PASSPHRASE,
// WINDLASS_ASSETS_0_DEPOSIT_MIN). Amounts and percentages are texts, so that no
// float ever touches them.
type Config struct {
	HomeDomain    string `toml:"home_domain" env:"HOME_DOMAIN"`       // host[:port], no scheme
	PublicURL     string `toml:"public_url" env:"PUBLIC_URL"`         // scheme://host[:port]
	AdminURL      string `toml:"admin_url" env:"ADMIN_URL"`           // scheme://host[:port]
	AllowLoopback bool   `toml:"allow_loopback" env:"ALLOW_LOOPBACK"` // for addresses that strangers name
	// Accounts are the operator's own beside those whose seeds are below, G….
	Accounts []string `toml:"accounts" env:"ACCOUNTS"`

	Network      NetworkConfig      `toml:"network" envPrefix:"NETWORK_"`
	Listen       ListenConfig       `toml:"listen" envPrefix:"LISTEN_"`
	Database     DatabaseConfig     `toml:"database" envPrefix:"DATABASE_"`
	Organization OrganizationConfig `toml:"organization" envPrefix:"ORGANIZATION_"`
	Brand        BrandConfig        `toml:"brand" envPrefix:"BRAND_"`
	SEP10        SEP10Config        `toml:"sep10" envPrefix:"SEP10_"`
	SEP24        SEP24Config        `toml:"sep24" envPrefix:"SEP24_"`
	Payout       PayoutConfig       `toml:"payout" envPrefix:"PAYOUT_"`
	Callbacks    CallbacksConfig    `toml:"callbacks" envPrefix:"CALLBACKS_"`
	Mail         MailConfig         `toml:"mail" envPrefix:"MAIL_"`
	Rail         RailConfig         `toml:"rail" envPrefix:"RAIL_"`
	Unmatched    UnmatchedConfig    `toml:"unmatched" envPrefix:"UNMATCHED_"`
	Secrets      SecretsConfig      `toml:"secrets" envPrefix:"SECRETS_"`
	Limits       LimitsConfig       `toml:"limits" envPrefix:"LIMITS_"`
	Customers    CustomersConfig    `toml:"customers" envPrefix:"CUSTOMERS_"`
	Log          LogConfig          `toml:"log" envPrefix:"LOG_"`
	Choices      ChoicesConfig      `toml:"choices" envPrefix:"CHOICES_"`
	Review       ReviewConfig       `toml:"review" envPrefix:"REVIEW_"`
	Assets       []AssetConfig      `toml:"assets" envPrefix:"ASSETS_"`
	// What only stellar.toml tells, see config_toml.go.
	StellarTOML StellarTOMLConfig `toml:"stellar_toml" envPrefix:"STELLAR_TOML_"`
	Principals  []sep1.Principal  `toml:"principals" envPrefix:"PRINCIPALS_"`
	Currencies  []CurrencyConfig  `toml:"currencies" envPrefix:"CURRENCIES_"`
	Validators  []ValidatorConfig `toml:"validators" envPrefix:"VALIDATORS_"`

	// What the check made of the above.
	keys  Keys
	terms []*anchor.Terms
	brand frontend.Brand
	// unmatched is what becomes of money that no rule gives to anybody.
	unmatched anchor.Policies
	hot       []payout.Hot
	// warnings are oddities that do not stop the start; they are logged once.
	warnings []string
}

// NetworkConfig says which Stellar network, and through which Horizons.
type NetworkConfig struct {
	Passphrase string   `toml:"passphrase" env:"PASSPHRASE"`
	Horizon    []string `toml:"horizon" env:"HORIZON"` // URLs without a trailing slash, best first
	// Explorer is where customers look a ledger transaction up, with {hash} in it;
	// noExplorer is none.
	Explorer string `toml:"explorer" env:"EXPLORER"`
}

const noExplorer = "none"

// ListenConfig holds the addresses bound, as host:port.
type ListenConfig struct {
	Public string `toml:"public" env:"PUBLIC"`
	Admin  string `toml:"admin" env:"ADMIN"`
}

// DatabaseConfig says where the books are.
type DatabaseConfig struct {
	Path string `toml:"path" env:"PATH"`
}

// OrganizationConfig is who runs the anchor, for stellar.toml and the pages.
type OrganizationConfig struct {
	Name               string `toml:"name" env:"NAME"`
	DBA                string `toml:"dba" env:"DBA"`
	URL                string `toml:"url" env:"URL"`
	Logo               string `toml:"logo" env:"LOGO"`
	Description        string `toml:"description" env:"DESCRIPTION"`
	Address            string `toml:"address" env:"ADDRESS"`
	AddressAttestation string `toml:"address_attestation" env:"ADDRESS_ATTESTATION"`
	Phone              string `toml:"phone" env:"PHONE"`
	PhoneAttestation   string `toml:"phone_attestation" env:"PHONE_ATTESTATION"`
	Keybase            string `toml:"keybase" env:"KEYBASE"`
	Twitter            string `toml:"twitter" env:"TWITTER"`
	Github             string `toml:"github" env:"GITHUB"`
	OfficialEmail      string `toml:"official_email" env:"OFFICIAL_EMAIL"`
	SupportEmail       string `toml:"support_email" env:"SUPPORT_EMAIL"`
	LicensingAuthority string `toml:"licensing_authority" env:"LICENSING_AUTHORITY"`
	LicenseType        string `toml:"license_type" env:"LICENSE_TYPE"`
	LicenseNumber      string `toml:"license_number" env:"LICENSE_NUMBER"`
}

// SEP10Config tunes the sign-in of wallets.
type SEP10Config struct {
	WebAuthDomain     string   `toml:"web_auth_domain" env:"WEB_AUTH_DOMAIN"`
	ChallengeLifetime Duration `toml:"challenge_lifetime" env:"CHALLENGE_LIFETIME"`
	TokenLifetime     Duration `toml:"token_lifetime" env:"TOKEN_LIFETIME"`
	HomeDomains       []string `toml:"home_domains" env:"HOME_DOMAINS"` // beside home_domain
	Threshold         string   `toml:"threshold" env:"THRESHOLD"`
	SignedRequests    bool     `toml:"signed_requests" env:"SIGNED_REQUESTS"`
	SharedAccounts    bool     `toml:"shared_accounts" env:"SHARED_ACCOUNTS"`

	// Which wallets may sign in, see sep10.Clients.
	AllowClients    []string `toml:"allow_clients" env:"ALLOW_CLIENTS"`
	DenyClients     []string `toml:"deny_clients" env:"DENY_CLIENTS"`
	RequireClient   bool     `toml:"require_client" env:"REQUIRE_CLIENT"`
	CustodialWallet []string `toml:"custodial_wallets" env:"CUSTODIAL_WALLETS"` // G…
}

// SEP24Config tunes hosted deposits and withdrawals.
type SEP24Config struct {
	OtherAccounts string `toml:"other_accounts" env:"OTHER_ACCOUNTS"` // everybody, custodial or nobody
}

// PayoutConfig says how payouts leave on the ledger.
type PayoutConfig struct {
	Channels       int      `toml:"channels" env:"CHANNELS"` // of the seeds; 0 is all of them
	TrustWindow    Duration `toml:"trust_window" env:"TRUST_WINDOW"`
	ClaimBackAfter Duration `toml:"claim_back_after" env:"CLAIM_BACK_AFTER"` // 0 is never
}

// RailConfig says how money moves at the bank. The only kind so far is
// "simulated", a bank of our own for test networks.
type RailConfig struct {
	Kind string `toml:"kind" env:"KIND"`
	Path string `toml:"path" env:"PATH"` // the simulated bank's own books
	// The anchor's account there, as customers are told to pay it.
	Holder        string `toml:"holder" env:"HOLDER"`
	AccountNumber string `toml:"account_number" env:"ACCOUNT_NUMBER"`
	BankName      string `toml:"bank_name" env:"BANK_NAME"`
	CheckPayer    bool   `toml:"check_payer" env:"CHECK_PAYER"`
}

// UnmatchedConfig has the policy for each reason why money is not taken
// ([anchor.Rules]), and what bounds the refunds that nobody decides.
type UnmatchedConfig struct {
	NoMemo           string `toml:"no_memo" env:"NO_MEMO"`
	UnknownMemo      string `toml:"unknown_memo" env:"UNKNOWN_MEMO"`
	WrongMemoKind    string `toml:"wrong_memo_kind" env:"WRONG_MEMO_KIND"`
	MemoDisagrees    string `toml:"memo_disagrees" env:"MEMO_DISAGREES"`
	WrongAsset       string `toml:"wrong_asset" env:"WRONG_ASSET"`
	Short            string `toml:"short" env:"SHORT"`
	Late             string `toml:"late" env:"LATE"`
	Second           string `toml:"second" env:"SECOND"`
	UnknownOperation string `toml:"unknown_operation" env:"UNKNOWN_OPERATION"`
	UnknownReference string `toml:"unknown_reference" env:"UNKNOWN_REFERENCE"`
	WrongPayer       string `toml:"wrong_payer" env:"WRONG_PAYER"`
	Unbookable       string `toml:"unbookable" env:"UNBOOKABLE"`
	TooSmall         string `toml:"too_small" env:"TOO_SMALL"`
	TooLarge         string `toml:"too_large" env:"TOO_LARGE"`

	RefundsPerSender *int   `toml:"refunds_per_sender" env:"REFUNDS_PER_SENDER"` // in a day
	LumensMinimum    string `toml:"lumens_minimum" env:"LUMENS_MINIMUM"`
}

// policies are where each reason's policy stands.
func (u *UnmatchedConfig) policies() map[string]*string {
	return map[string]*string{
		anchor.NoMemo: &u.NoMemo, anchor.UnknownMemo: &u.UnknownMemo, anchor.WrongMemoKind: &u.WrongMemoKind,
		anchor.MemoDisagrees: &u.MemoDisagrees, anchor.WrongAsset: &u.WrongAsset, string(anchor.Short): &u.Short,
		string(anchor.Late): &u.Late, string(anchor.Second): &u.Second, anchor.UnknownOperation: &u.UnknownOperation,
		anchor.UnknownReference: &u.UnknownReference, anchor.WrongPayer: &u.WrongPayer, anchor.Unbookable: &u.Unbookable,
		string(anchor.Small): &u.TooSmall, string(anchor.Large): &u.TooLarge,
	}
}

// SecretsConfig holds each secret as a value or as the name of a file.
type SecretsConfig struct {
	EncryptionKey        Secret   `toml:"encryption_key" env:"ENCRYPTION_KEY"`
	EncryptionKeyFile    string   `toml:"encryption_key_file" env:"ENCRYPTION_KEY_FILE"`
	TokenKey             Secret   `toml:"token_key" env:"TOKEN_KEY"`
	TokenKeyFile         string   `toml:"token_key_file" env:"TOKEN_KEY_FILE"`
	SessionKeys          []Secret `toml:"session_keys" env:"SESSION_KEYS"`
	SessionKeysFile      string   `toml:"session_keys_file" env:"SESSION_KEYS_FILE"`
	SigningSeed          Secret   `toml:"signing_seed" env:"SIGNING_SEED"`
	SigningSeedFile      string   `toml:"signing_seed_file" env:"SIGNING_SEED_FILE"`
	DistributionSeed     Secret   `toml:"distribution_seed" env:"DISTRIBUTION_SEED"`
	DistributionSeedFile string   `toml:"distribution_seed_file" env:"DISTRIBUTION_SEED_FILE"`
	FeeSeed              Secret   `toml:"fee_seed" env:"FEE_SEED"`
	FeeSeedFile          string   `toml:"fee_seed_file" env:"FEE_SEED_FILE"`
	ChannelSeeds         []Secret `toml:"channel_seeds" env:"CHANNEL_SEEDS"`
	ChannelSeedsFile     string   `toml:"channel_seeds_file" env:"CHANNEL_SEEDS_FILE"`
}

// LogConfig says what is logged, and how.
type LogConfig struct {
	Level  string `toml:"level" env:"LEVEL"`   // debug, info, warn, error
	Format string `toml:"format" env:"FORMAT"` // auto, text, json
}

// ChoicesConfig has the answers that customers choose from, by the fields' names,
// where the operator has some of their own; see [anchor.Standard].
type ChoicesConfig struct {
	BirthCountryCode    []string `toml:"birth_country_code" env:"BIRTH_COUNTRY_CODE"`
	City                []string `toml:"city" env:"CITY"`
	StateOrProvince     []string `toml:"state_or_province" env:"STATE_OR_PROVINCE"`
	AddressCountryCode  []string `toml:"address_country_code" env:"ADDRESS_COUNTRY_CODE"`
	Occupation          []string `toml:"occupation" env:"OCCUPATION"`
	Sex                 []string `toml:"sex" env:"SEX"`
	TaxIDName           []string `toml:"tax_id_name" env:"TAX_ID_NAME"`
	IDType              []string `toml:"id_type" env:"ID_TYPE"`
	IDCountryCode       []string `toml:"id_country_code" env:"ID_COUNTRY_CODE"`
	BankName            []string `toml:"bank_name" env:"BANK_NAME"`
	BankAccountType     []string `toml:"bank_account_type" env:"BANK_ACCOUNT_TYPE"`
	BankNumber          []string `toml:"bank_number" env:"BANK_NUMBER"`
	BankBranchNumber    []string `toml:"bank_branch_number" env:"BANK_BRANCH_NUMBER"`
	MobileMoneyProvider []string `toml:"mobile_money_provider" env:"MOBILE_MONEY_PROVIDER"`
}

// ReviewConfig says which customers a person looks at in any case.
type ReviewConfig struct {
	Countries  []string `toml:"countries" env:"COUNTRIES"`
	MinimumAge int      `toml:"minimum_age" env:"MINIMUM_AGE"`
}

// AssetConfig is one [[assets]] table; the check makes anchor.Terms of it.
type AssetConfig struct {
	Code             string `toml:"code" env:"CODE"`
	Issuer           string `toml:"issuer" env:"ISSUER"`
	OffChain         string `toml:"off_chain" env:"OFF_CHAIN"` // SEP-38's "iso4217:USD"
	ThirdParty       bool   `toml:"third_party" env:"THIRD_PARTY"`
	Name             string `toml:"name" env:"NAME"`
	Description      string `toml:"description" env:"DESCRIPTION"`
	Decimals         *int   `toml:"decimals" env:"DECIMALS"`
	OffChainDecimals *int   `toml:"off_chain_decimals" env:"OFF_CHAIN_DECIMALS"` // nil is decimals
	HotMinimum       string `toml:"hot_minimum" env:"HOT_MINIMUM"`               // on the distribution account; "" is none
	HotMaximum       string `toml:"hot_maximum" env:"HOT_MAXIMUM"`
	PayoutLimit      string `toml:"payout_limit" env:"PAYOUT_LIMIT"` // "" is none, as below
	DailyLimit       string `toml:"daily_limit" env:"DAILY_LIMIT"`
	CreateAccount    string `toml:"create_account" env:"CREATE_ACCOUNT"` // lumens
	TopUp            string `toml:"top_up" env:"TOP_UP"`                 // lumens
	// The seed of a key that may authorize trustlines for the issuer.
	AuthorizerSeed     Secret     `toml:"authorizer_seed" env:"AUTHORIZER_SEED"`
	AuthorizerSeedFile string     `toml:"authorizer_seed_file" env:"AUTHORIZER_SEED_FILE"`
	About              sep1.About `toml:"about" envPrefix:"ABOUT_"`
	Deposit            SideConfig `toml:"deposit" envPrefix:"DEPOSIT_"`
	Withdraw           SideConfig `toml:"withdraw" envPrefix:"WITHDRAW_"`
}

// SideConfig is one direction of an asset.
type SideConfig struct {
	Enabled        *bool          `toml:"enabled" env:"ENABLED"`
	Price          string         `toml:"price" env:"PRICE"` // of one unit of the asset, in units of off_chain
	Min            string         `toml:"min" env:"MIN"`
	Max            string         `toml:"max" env:"MAX"`
	RefundFee      string         `toml:"refund_fee" env:"REFUND_FEE"`
	RefundMinimum  string         `toml:"refund_minimum" env:"REFUND_MINIMUM"` // "" is a tenth of min
	FeeFixed       string         `toml:"fee_fixed" env:"FEE_FIXED"`
	FeePercent     string         `toml:"fee_percent" env:"FEE_PERCENT"`
	FeeMinimum     string         `toml:"fee_minimum" env:"FEE_MINIMUM"`
	FeeMaximum     string         `toml:"fee_maximum" env:"FEE_MAXIMUM"` // "" is none
	Tiers          []TierConfig   `toml:"tiers" envPrefix:"TIERS_"`
	Window         Duration       `toml:"window" env:"WINDOW"`
	Fields         []string       `toml:"fields" env:"FIELDS"` // SEP-9 names, asked of each customer once
	OptionalFields []string       `toml:"optional_fields" env:"OPTIONAL_FIELDS"`
	Review         string         `toml:"review" env:"REVIEW"` // person or none
	Levels         []LevelConfig  `toml:"levels" envPrefix:"LEVELS_"`
	Methods        []MethodConfig `toml:"methods" envPrefix:"METHODS_"`
}

// TierConfig is a fee that holds from an amount on.
type TierConfig struct {
	From       string `toml:"from" env:"FROM"`
	FeeFixed   string `toml:"fee_fixed" env:"FEE_FIXED"`
	FeePercent string `toml:"fee_percent" env:"FEE_PERCENT"`
}

// LevelConfig is what is asked in addition from an amount on, and who accepts.
type LevelConfig struct {
	From           string   `toml:"from" env:"FROM"`
	Fields         []string `toml:"fields" env:"FIELDS"`
	OptionalFields []string `toml:"optional_fields" env:"OPTIONAL_FIELDS"`
	Review         string   `toml:"review" env:"REVIEW"`
}

// MethodConfig is one way the money can move off the ledger.
type MethodConfig struct {
	ID             string   `toml:"id" env:"ID"`
	Fields         []string `toml:"fields" env:"FIELDS"` // SEP-9 names, asked for each transaction
	OptionalFields []string `toml:"optional_fields" env:"OPTIONAL_FIELDS"`
	Min            string   `toml:"min" env:"MIN"`     // "" is the side's
	Max            string   `toml:"max" env:"MAX"`     // as well
	Takes          Duration `toml:"takes" env:"TAKES"` // usually, at the bank
	// What it costs, in place of what its side costs if any of them is given.
	FeeFixed   string       `toml:"fee_fixed" env:"FEE_FIXED"`
	FeePercent string       `toml:"fee_percent" env:"FEE_PERCENT"`
	FeeMinimum string       `toml:"fee_minimum" env:"FEE_MINIMUM"`
	FeeMaximum string       `toml:"fee_maximum" env:"FEE_MAXIMUM"`
	Tiers      []TierConfig `toml:"tiers" envPrefix:"TIERS_"`
}

// Keys are the secrets, read and understood.
type Keys struct {
	Encryption *store.Keys // personal data at rest
	Token      [][]byte    // 32 bytes each: SEP-10 tokens; the first signs, all are accepted
	Session    [][]byte    // 32 bytes each: the first signs, all are accepted

	Signing      *keypair.Full   // stellar.toml's SIGNING_KEY
	Distribution *keypair.Full   // receives withdrawals, pays deposits
	Fee          *keypair.Full   // pays the network's fees
	Channels     []*keypair.Full // those that are used
	// Authorizers may authorize trustlines for the issuers that these are.
	Authorizers map[string]*keypair.Full
	spare       []*keypair.Full // further channels, which are ours all the same
}

// channels are the addresses of the channel accounts, those included that are
// not used now.
func (k *Keys) channels() []string {
	all := make([]string, len(k.Channels)+len(k.spare))
	for i, ch := range slices.Concat(k.Channels, k.spare) {
		all[i] = ch.Address()
	}
	return all
}

// defaults fills in what was left out. Every default is here and nowhere else.
func (c *Config) defaults() {
	fill(&c.Listen.Public, "127.0.0.1:8000")
	fill(&c.Listen.Admin, "127.0.0.1:8001")
	fill(&c.HomeDomain, authority(c.PublicURL))
	fill(&c.AdminURL, "http://"+c.Listen.Admin)
	fill(&c.Database.Path, ".windlass/windlass.db")
	fill(&c.Organization.OfficialEmail, c.Organization.SupportEmail)
	fill(&c.Brand.Name, c.Organization.DBA)
	fill(&c.Brand.Name, c.Organization.Name)
	fill(&c.SEP10.WebAuthDomain, hostOnly(c.HomeDomain))
	fill(&c.SEP10.ChallengeLifetime, Duration(15*time.Minute))
	fill(&c.SEP10.Threshold, "medium")
	fill(&c.SEP24.OtherAccounts, "everybody")
	fill(&c.SEP10.TokenLifetime, Duration(24*time.Hour))
	fill(&c.Payout.TrustWindow, Duration(30*24*time.Hour))
	fill(&c.Callbacks.Patience, Duration(72*time.Hour))
	fill(&c.Callbacks.KeepDelivered, Duration(30*24*time.Hour))
	fill(&c.Callbacks.KeepGivenUp, Duration(90*24*time.Hour))
	fill(&c.Mail.TLS, "starttls")
	fill(&c.Mail.Timeout, Duration(30*time.Second))
	fill(&c.Network.Explorer, explorers[c.Network.Passphrase])
	fill(&c.Mail.PerAddress, 10)
	fill(&c.Rail.Kind, "simulated")
	fill(&c.Rail.Path, ".windlass/bank.db")
	fill(&c.Rail.Holder, c.Organization.Name)
	fill(&c.Rail.AccountNumber, "1002003004")
	fill(&c.Rail.BankName, "Harbour Test Bank")
	policies := c.Unmatched.policies()
	for _, r := range anchor.Rules {
		fill(policies[r.Reason], string(r.Policies[0]))
	}
	fill(&c.Unmatched.RefundsPerSender, new(3))
	fill(&c.Unmatched.LumensMinimum, "1")
	if c.Limits.TrustedProxies == nil && sep10.IsLoopback(c.Listen.Public) {
		// Whoever comes from this machine is the proxy in front, or as good as that.
		c.Limits.TrustedProxies = []string{"127.0.0.1", "::1"}
	}
	fill(&c.Limits.SignIns, 50)
	fill(&c.Limits.Starts, 10)
	fill(&c.Limits.Polls, 100)
	fill(&c.Limits.Documents, 20_480)
	fill(&c.Limits.DocumentsPerCustomer, min(24, max(1, c.Limits.Documents/10)))
	fill(&c.Customers.KeepUnpaid, Duration(90*24*time.Hour))
	fill(&c.Log.Level, "info")
	fill(&c.Log.Format, "auto")
	for i := range c.Assets {
		a := &c.Assets[i]
		fill(&a.Name, anchor.Asset{Scheme: anchor.Stellar, Code: a.Code, Issuer: a.Issuer}.Symbol())
		fill(&a.Decimals, new(2))
		fill(&a.OffChainDecimals, a.Decimals)
		for _, s := range []*SideConfig{&a.Deposit, &a.Withdraw} {
			fill(&s.Enabled, new(len(s.Methods) > 0))
			fill(&s.RefundFee, "0")
			fill(&s.FeeFixed, "0")
			fill(&s.FeePercent, "0")
			fill(&s.FeeMinimum, "0")
			fill(&s.Review, string(anchor.ByPerson))
			for j := range s.Levels {
				fill(&s.Levels[j].Review, string(anchor.ByPerson))
			}
		}
		fill(&a.Deposit.Window, Duration(72*time.Hour))
		fill(&a.Withdraw.Window, Duration(24*time.Hour))
	}
}

// explorers are those that everybody knows, by the passphrase of their network.
var explorers = map[string]string{
	network.PublicNetworkPassphrase: "https://stellar.expert/explorer/public/tx/{hash}",
	network.TestNetworkPassphrase:   "https://stellar.expert/explorer/testnet/tx/{hash}",
}

// fill gives an empty value its default.
func fill[T comparable](v *T, def T) {
	var empty T
	if *v == empty {
		*v = def
	}
}

// Load reads the configuration file, lays the environment ("NAME=value") over
// it, fills in the defaults and checks everything. File names inside the
// configuration are taken relative to its own folder. The error is a Problems
// that lists all that is wrong, not only the first.
func Load(path string, environ []string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, Problems{{Key: path, Text: "cannot be read: " + reason(err) +
			"; start from a copy of anchor.example.toml, or name another file with --config"}}
	}
	return parse(path, data, environ)
}

func parse(path string, data []byte, environ []string) (*Config, error) {
	c := &Config{}
	r := &reading{file: path, origin: map[string]string{}}
	r.decode(data, c)
	c.warnings = r.environment(environ, c)
	c.defaults()
	k := &check{reading: r, dir: filepath.Dir(path)}
	k.config(c)
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return c, nil
}

// Public reports whether real money is at stake: the public network, where
// everything made for tests is refused.
func (c *Config) Public() bool { return c.Network.Passphrase == network.PublicNetworkPassphrase }

// Duration is a time.Duration written as "15m" or "72h".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New(`expected a duration in quotes, such as "15m" or "72h"; the units are s, m and h`)
	}
	*d = Duration(v)
	return nil
}

// Secret is a text that does not show itself when it is printed or logged.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[secret]"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the secret from the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// authority is a URL's host[:port], "" if it is no URL.
func authority(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Host
}

// hostOnly cuts the port off host[:port].
func hostOnly(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		return host
	}
	return strings.Trim(s, "[]")
}
