package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		environ []string
		oldnew  []string
		want    []string // each a part of one problem, in any order
	}{
		{name: "a key misspelled at the top",
			oldnew: []string{"public_url =", "public_ulr ="},
			want: []string{
				`public_ulr: there is no such key; did you mean "public_url"? known at the top: home_domain, public_url, admin_url, allow_loopback, accounts, network, listen,`,
				`public_url: is missing`,
			}},
		{name: "a key misspelled in a table of a list",
			oldnew: []string{`fee_percent = "0.5"`, `fee_precent = "0.5"`},
			want:   []string{`assets[0].deposit.fee_precent: there is no such key; did you mean "fee_percent"? known in assets.deposit: enabled, price, min,`}},
		{name: "a table misspelled",
			oldnew: []string{"[sep10]", "[sep01]\nchallenge_lifetime = \"5m\""},
			want:   []string{`sep01: there is no such key; did you mean "sep10"?`}},
		{name: "a key of nowhere",
			oldnew: []string{"[log]", "[log]\nrotation.days = 3"},
			want:   []string{`log.rotation: there is no such key; known in log: level, format`}},
		{name: "several wrong types at once",
			oldnew: []string{
				`min = "10"`, `min = 10`,
				`fields = ["first_name", "last_name", "email_address"]`, `fields = "first_name"`,
				`[log]`, "[log]\nlevel = true",
				`#decimals = 2`, `decimals = 2.5`,
				`#token_lifetime = "24h"`, `token_lifetime = "a day"`},
			want: []string{
				`assets[0].deposit.min: expected a text in quotes, such as "10"`,
				`assets[0].deposit.fields: expected a list of texts`,
				`log.level: expected a text in quotes`,
				`assets[0].decimals: expected a whole number`,
				`sep10.token_lifetime: expected a duration in quotes, such as "15m" or "72h"`,
			}},
		{name: "not TOML",
			oldnew: []string{`name = "US dollar"`, `name = US dollar`},
			want:   []string{`anchor.toml: unexpected character`}},
		{name: "a key given twice",
			oldnew: []string{`name = "US dollar"`, "name = \"US dollar\"\nname = \"Dollar\""},
			want:   []string{`assets[0].name: key name is already defined`}},
		{name: "addresses",
			oldnew: []string{
				`"https://anchor.example.com"`, `"anchor.example.com"`,
				`#home_domain = "anchor.example.com"`, `home_domain = "https://anchor.example.com"`,
				`"https://anchor-admin.example.com"`, `"https://anchor-admin.example.com/"`,
				`#web_auth_domain = "anchor.example.com"`, `web_auth_domain = "a/b"`,
				`#public = "127.0.0.1:8000"`, `public = "8000"`,
				`#admin = "127.0.0.1:8001"`, `admin = "127.0.0.1:80001"`},
			want: []string{
				`public_url: "anchor.example.com" will not do`, `home_domain: "https://anchor.example.com" will not do`,
				`admin_url: "https://anchor-admin.example.com/" will not do`, `sep10.web_auth_domain: "a/b" will not do`,
				`listen.public: "8000" will not do; expected host:port`, `listen.admin: "127.0.0.1:80001" has no usable port`}},
		{name: "who may sign in",
			oldnew: []string{
				`#home_domains = ["*.example.com"]`, `home_domains = ["https://x.example.com"]`, `#threshold = "medium"`, `threshold = "most"`,
				`#allow_clients = ["wallet.example.org", "*.example.net"]`, `allow_clients = ["Wallet.example.org"]`,
				`#deny_clients = ["bad.example.org"]`, `deny_clients = ["bad.example.org:443"]`,
				`#custodial_wallets = ["GAIH`, `custodial_wallets = ["GBIH`},
			want: []string{
				`sep10.home_domains: "https://x.example.com" will not do`, `sep10.threshold: "most" will not do; expected low, medium, high`,
				`sep10.allow_clients: "Wallet.example.org" will not do`, `sep10.deny_clients: "bad.example.org:443" will not do`, `sep10.custodial_wallets: "GBIH`}},
		{name: "how often callers may ask",
			oldnew: []string{`#sign_ins = 50`, `sign_ins = -1`, `#documents = 20480`, `documents = 200`, `#documents_per_customer = 24`, `documents_per_customer = 21`, `#trusted_proxies = ["127.0.0.1", "::1"]`, `trusted_proxies = ["proxy.example.com"]`},
			want:   []string{`limits.sign_ins: -1 will not do`, `limits.documents_per_customer: 21 will not do; expected MiB, 1 to a tenth of limits.documents, which is 20`, `limits.trusted_proxies: "proxy.example.com" will not do`}},
		{name: "for how long customers are kept",
			oldnew: []string{`#keep_unpaid = "2160h"`, `keep_unpaid = "24h"`, `#keep_reviewed = "43800h"`, `keep_reviewed = "23h"`},
			want:   []string{`customers.keep_reviewed: 23h0m0s will not do; expected between 24h and 175200h`}},
		{name: "no name to reach the admin listener by",
			oldnew: []string{`admin_url =`, `#admin_url =`, `#admin = "127.0.0.1:8001"`, `admin = ":8001"`},
			want:   []string{`admin_url: "http://:8001" will not do`}},
		{name: "one address for both listeners",
			oldnew: []string{`#admin = "127.0.0.1:8001"`, `admin = "127.0.0.1:8000"`},
			want:   []string{`listen.admin: "127.0.0.1:8000" is listen.public already`}},
		{name: "the public network",
			oldnew: []string{
				"Test SDF Network ; September 2015", network.PublicNetworkPassphrase,
				`public_url = "https:`, `public_url = "http:`,
				"https://anchor-admin.example.com", "https://anchor.example.com:8001",
				"https://horizon-testnet.stellar.org", "http://horizon.stellar.org",
				"#allow_loopback = false", "allow_loopback = true"},
			want: []string{`public_url: "http://anchor.example.com" must begin with https://`,
				`network.explorer: "https://stellar.expert/explorer/testnet/tx/{hash}" shows another network`,
				`network.horizon: entry 1, "http://horizon.stellar.org", must begin with https://`,
				`admin_url: must have a host name of its own`, `allow_loopback: is for test networks only`,
				`rail.kind: the simulated bank is refused`}},
		{name: "the network",
			oldnew: []string{
				`passphrase = "Test SDF Network ; September 2015"`, `passphrase = ""`,
				`["https://horizon-testnet.stellar.org"]`, `["https://horizon-testnet.stellar.org/"]`},
			want: []string{`network.passphrase: is missing`, `network.horizon: entry 1, "https://horizon-testnet.stellar.org/", will not do`,
				`network.explorer: "https://stellar.expert/explorer/testnet/tx/{hash}" shows another network`}},
		{name: "an explorer without a place for the hash",
			oldnew: []string{`explorer = "https://stellar.expert/explorer/testnet/tx/{hash}"`, `explorer = "https://explorer.example.com/tx/"`},
			want:   []string{`network.explorer: "https://explorer.example.com/tx/" will not do`}},
		{name: "a method that takes more than its side",
			oldnew: []string{"#min = \"10\"\n#max = \"500\"\n# What this way costs", "min = \"20000\"\n#max = \"500\"\n# What this way costs"},
			want:   []string{`assets[0].deposit.methods[0].min: 20000 lies outside of what its side takes, 10 to 10000`}},
		{name: "a way out to nowhere",
			oldnew: []string{`fields = ["bank_account_number", "bank_number"]`, `fields = ["bank_number"]`},
			want:   []string{`assets[0].withdraw.methods[0].fields: bank_transfer asks for no account`}},
		{name: "cash for somebody without a name",
			oldnew: []string{
				"#window = \"24h\"\nfields = [\"first_name\", \"last_name\", \"email_address\"]\n", "#window = \"24h\"\nfields = [\"last_name\"]\n",
				"id = \"bank_transfer\"\n#min = \"10\"\n#max = \"500\"\n#fee_fixed", "id = \"cash\"\n#min = \"10\"\n#max = \"500\"\n#fee_fixed"},
			want: []string{`assets[0].withdraw.methods[0].fields: cash is handed to somebody whose name the desk must know; add "first_name"`}},
		{name: "no Horizon",
			oldnew: []string{`["https://horizon-testnet.stellar.org"]`, `[]`},
			want:   []string{`network.horizon: is missing`}},
		{name: "the same Horizon twice",
			environ: []string{"WINDLASS_NETWORK_HORIZON=https://a.example,https://a.example"},
			want:    []string{`WINDLASS_NETWORK_HORIZON: network.horizon: "https://a.example" is listed twice`}},
		{name: "the organization",
			oldnew: []string{
				`name = "Example Anchor Ltd"`, ``, `"support@example.com"`, `"support"`,
				`#logo = "https://www.example.com/logo.png"`, `logo = "logo.png"`,
				`#official_email = "office@example.com"`, `official_email = "Office <office@example.com>"`},
			want: []string{`organization.name: is missing`, `organization.support_email: "support" is no e-mail address`,
				`organization.logo: "logo.png" will not do`, `organization.official_email: "Office <office@example.com>" is no e-mail address`}},
		{name: "what only stellar.toml tells",
			oldnew: []string{`#url = "https://www.example.com"`, `url = "https://example.org"`, `#phone_attestation = "https://www.example.com/phone.pdf"`, `phone_attestation = "https://x.example/p"`,
				`#twitter = "example"`, `twitter = "@example"`, `#federation_server = "https://federation.example.com"`, `federation_server = "http://f.example"`,
				`#status = "test"`, `status = "live"`, `#accounts = [`, `accounts = ["G", `, `name = "US dollar"`, `name = "The dollar of the United States"`,
				`#regulated = false`, `regulated = true`, `#max_number = 10000`, `max_number = "many"`,
				"#[[validators]]\n#alias = \"example-1\"", "[[validators]]\nalias = \"Example\"", "#[[currencies]]\n#code = \"CORN20261231\"", "[[currencies]]\ncode = \"CORN\"",
				"#[currencies.about]\n#status = \"test\"", "[currencies.about]\nstatus = \"gone\""},
			want: []string{`organization.url: "https://example.org" is on another domain than stellar.toml, anchor.example.com`,
				`organization.phone_attestation: "https://x.example/p" must be on the domain of ORG_URL`, `organization.official_email: "support@example.com" must be at the domain of ORG_URL`,
				`organization.twitter: "@example" will not do`, `stellar_toml.federation_server: "http://f.example" must begin with https://`,
				`assets[0].about.status: nothing is live on a test network`, `accounts: "G" is no account`, `assets[0].name: has 31 characters`,
				`assets[0].about.regulated: is true`, `assets[0].about.max_number: expected a whole number`,
				`validators[0].alias: "Example" will not do`, `validators[0].public_key: "" is no account`,
				`currencies[0].issuer: is missing`, `currencies[0].about.status: "gone" will not do`}},
		{name: "answers to choose from",
			oldnew: []string{`#bank_name = ["Harbour Bank", "Quay Savings Bank"]`, `bank_name = ["Harbour Bank", "harbour bank"]`,
				`#address_country_code = ["ARG", "BRA", "URY"]`, `address_country_code = ["ARG", "BR"]`, `#birth_country_code = ["ARG", "BRA", "URY"]`, `birth_country_code = ["ARX"]`,
				`#city = ["La Plata", "Rosario"]`, `city = ["La Plata "]`, `#sex = ["female", "male", "other"]`, `sex = [""]`, `#occupation =`, `job =`},
			want: []string{`choices.bank_name: "harbour bank" is listed twice`, `choices.address_country_code: entry 2, "BR", is no country`,
				`choices.birth_country_code: entry 1, "ARX", is no country`, `choices.city: entry 1, "La Plata ", will not do`, `choices.sex: entry 1, "", will not do`,
				`choices.job: there is no such key; known in choices: birth_country_code,`}},
		{name: "lifetimes, log",
			environ: []string{"WINDLASS_SEP10_CHALLENGE_LIFETIME=1s", "WINDLASS_SEP10_TOKEN_LIFETIME=1000h", "WINDLASS_LOG_LEVEL=loud", "WINDLASS_LOG_FORMAT=xml",
				"WINDLASS_CALLBACKS_PATIENCE=1s", "WINDLASS_CALLBACKS_KEEP_DELIVERED=1m", "WINDLASS_CALLBACKS_KEEP_GIVEN_UP=200000h"},
			want: []string{
				`WINDLASS_SEP10_CHALLENGE_LIFETIME: sep10.challenge_lifetime: 1s will not do; expected between 1m and 1h`,
				`WINDLASS_SEP10_TOKEN_LIFETIME: sep10.token_lifetime: 1000h0m0s will not do; expected between 1m and 720h`,
				`WINDLASS_CALLBACKS_PATIENCE: callbacks.patience: 1s will not do; expected between 1m and 720h`,
				`callbacks.keep_delivered: 1m0s will not do`, `callbacks.keep_given_up: 200000h0m0s will not do`,
				`log.level: "loud" will not do`, `log.format: "xml" will not do`}},
		{name: "variables of a wrong type, all of them",
			environ: []string{"WINDLASS_ALLOW_LOOPBACK=maybe", "WINDLASS_ASSETS_0_DECIMALS=two", "WINDLASS_SEP10_TOKEN_LIFETIME=day"},
			want: []string{
				`WINDLASS_ALLOW_LOOPBACK: allow_loopback: "maybe" will not do; expected true or false`,
				`WINDLASS_ASSETS_0_DECIMALS: assets[0].decimals: "two" will not do; expected a whole number`,
				`WINDLASS_SEP10_TOKEN_LIFETIME: sep10.token_lifetime: "day" will not do; expected a duration`}},
		{name: "a gap in a list's numbers",
			environ: []string{"WINDLASS_ASSETS_0_DEPOSIT_METHODS_2_ID=cash"},
			want:    []string{`assets[0].deposit.methods[1].id: "" will not do`}},
		{name: "a secret both ways",
			oldnew: []string{`#token_key =`, `token_key =`},
			want:   []string{`secrets.token_key: and secrets.token_key_file are both given; keep one of them`}},
		{name: "no secret",
			oldnew: []string{`signing_seed_file =`, `#signing_seed_file =`},
			want:   []string{"secrets.signing_seed: is missing; expected a secret seed"}},
		{name: "no such file",
			oldnew: []string{`"secrets/fee_seed"`, `"secrets/fee"`},
			want:   []string{"/secrets/fee cannot be read: no such file or directory"}},
		{name: "one account twice",
			environ: func() []string {
				seed := keypair.MustRandom().Seed()
				return []string{"WINDLASS_SECRETS_FEE_SEED=" + seed, "WINDLASS_SECRETS_CHANNEL_SEEDS=" + seed}
			}(),
			want: []string{"is in secrets.fee_seed too; each needs an account of its own"}},
		{name: "the wrong kind of secret",
			environ: []string{
				"WINDLASS_SECRETS_ENCRYPTION_KEY=c2hvcnQ=", "WINDLASS_SECRETS_SESSION_KEYS=" + randomKey(t) + ",%",
				"WINDLASS_SECRETS_SIGNING_SEED=" + keypair.MustRandom().Address()},
			want: []string{
				`secrets.encryption_key: is not usable; expected a Tink keyset in JSON`,
				`secrets.session_keys: number 2 is not usable`, `secrets.signing_seed: is not usable; expected a secret seed`}},
		{name: "several lines where one belongs",
			oldnew: []string{`"secrets/fee_seed"`, `"secrets/channel_seeds"`},
			want:   []string{"secrets.fee_seed_file: is not usable; expected a secret seed"}},
		{name: "more channels than seeds",
			oldnew: []string{`#channels = 10`, `channels = 12`},
			want:   []string{"payout.channels: 12 are wanted, but secrets.channel_seeds holds 2; `windlass keys --channels 12` adds the others"}},
		{name: "a negative number of channels",
			oldnew: []string{`#channels = 10`, `channels = -1`},
			want:   []string{`payout.channels: -1 will not do; expected 1 to 1000`}},
		{name: "hot balances",
			oldnew: []string{`#hot_minimum = "50000"`, `hot_minimum = "0"`, `#hot_maximum = "500000"`, `hot_maximum = "1e6"`},
			want:   []string{`assets[0].hot_minimum: "0" will not do; expected a plain decimal above 0`, `assets[0].hot_maximum: "1e6" will not do`}},
		{name: "hot balances the wrong way round",
			oldnew: []string{`#hot_minimum = "50000"`, `hot_minimum = "50000"`, `#hot_maximum = "500000"`, `hot_maximum = "50000"`},
			want:   []string{`assets[0].hot_maximum: 50000 must be above hot_minimum, 50000`}},
		{name: "limits and lumens",
			oldnew: []string{`#payout_limit = "5000"`, `payout_limit = "5e3"`, `#create_account = "2"`, `create_account = "0.5"`, `#top_up = "0.5"`, `top_up = "1000"`},
			want: []string{`assets[0].payout_limit: "5e3" will not do`, `assets[0].create_account: "0.5" will not do; expected 1 to 100 lumens`,
				`assets[0].top_up: "1000" will not do; expected 0.5 to 100 lumens`}},
		{name: "limits the wrong way round",
			oldnew: []string{`#payout_limit = "5000"`, `payout_limit = "5000"`, `#daily_limit = "100000"`, `daily_limit = "4000"`},
			want:   []string{`assets[0].daily_limit: 4000 is below payout_limit, 5000`}},
		{name: "windows of payouts",
			oldnew: []string{`#trust_window = "720h"`, `trust_window = "1m"`, `#claim_back_after = "2160h"`, `claim_back_after = "1h"`},
			want:   []string{`payout.trust_window: 1m0s will not do`, `payout.claim_back_after: 1h0m0s will not do`}},
		{name: "the issuer's authorizer",
			oldnew: []string{`#authorizer_seed = "S…"`, `authorizer_seed = "SX"`},
			want:   []string{`assets[0].authorizer_seed: is not usable; expected a secret seed`}},
		{name: "an authorizer of somebody else's asset",
			environ: []string{"WINDLASS_ASSETS_0_THIRD_PARTY=true", "WINDLASS_ASSETS_0_AUTHORIZER_SEED=" + keypair.MustRandom().Seed()},
			want:    []string{`assets[0].authorizer_seed: is for assets of your own`}},
		{name: "the asset",
			oldnew: []string{`code = "USDX"`, `code = "US-D"`, `"iso4217:USD"`, `"USD"`, `#decimals = 2`, `decimals = 8`},
			want: []string{`assets[0].code: "US-D" will not do`, `assets[0].off_chain: "USD" will not do`,
				`assets[0].decimals: 8 will not do; expected 0 to 7`}},
		{name: "the issuer",
			oldnew: []string{`issuer = "G`, `issuer = "H`},
			want:   []string{`assets[0].issuer: "HBBD47IF`}},
		{name: "lumens with an issuer",
			oldnew: []string{`code = "USDX"`, `code = "native"`},
			want:   []string{`assets[0].issuer: lumens have none`, `assets[0].deposit.price: is missing`, `assets[0].withdraw.price: is missing`}},
		{name: "lumens by their other name",
			oldnew: []string{"code = \"USDX\"\nissuer = \"GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5\"", `code = "XLM"`},
			want:   []string{`assets[0].code: "XLM" is the code of somebody's asset, and its issuer is missing; lumens are "native"`}},
		{name: "what lumens do not need",
			oldnew: append(offerLumens, `#third_party = false`, `third_party = true`, `#create_account = "2"`, `create_account = "2"`, `#top_up = "0.5"`, `top_up = "0.5"`,
				`#authorizer_seed_file = "secrets/authorizer_seed"`, `authorizer_seed = "`+keypair.MustRandom().Seed()+`"`),
			want: []string{`assets[0].third_party: is for what somebody issues`, `assets[0].create_account: lumens that are paid out make the account themselves`,
				`assets[0].top_up: is for the reserve of a trustline`, `assets[0].authorizer_seed: is for trustlines`}},
		{name: "an asset twice",
			environ: []string{"WINDLASS_ASSETS_1_CODE=USDX", "WINDLASS_ASSETS_1_OFF_CHAIN=iso4217:USD",
				"WINDLASS_ASSETS_1_ISSUER=GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"},
			want: []string{`assets[1].code: "USDX" is offered twice`}},
		{name: "limits and fees",
			oldnew: []string{`min = "10"`, `min = "10.001"`, `max = "10000"`, `max = "1,000"`,
				`fee_fixed = "1"`, `fee_fixed = "-1"`, `fee_percent = "0.5"`, `fee_percent = "100"`},
			want: []string{`assets[0].deposit.min: 10.001 has more than the 2 decimals of the asset`,
				`assets[0].deposit.max: "1,000" will not do; expected a plain decimal`,
				`assets[0].deposit.fee_fixed: "-1" will not do`, `assets[0].deposit.fee_percent: 100 leaves nothing to pay out`}},
		{name: "limits the wrong way round",
			oldnew: []string{`max = "10000"`, `max = "5"`},
			want:   []string{`assets[0].deposit.max: 5 is below min, 10`}},
		{name: "no limits",
			oldnew: []string{`min = "10"`, ``},
			want:   []string{`assets[0].deposit.min: is missing`}},
		{name: "a maximum below the fee",
			oldnew: []string{`fee_fixed = "1"`, `fee_fixed = "10000"`},
			want:   []string{`assets[0].deposit.max: 10000 does not cover its own fee, 10050; raise it, or lower the fee`}},
		{name: "a minimum below the fee",
			oldnew: []string{`min = "10"`, `min = "1"`},
			want:   []string{`assets[0].deposit.min: 1 does not cover its own fee, 1.005; raise it, or lower the fee`}},
		{name: "a minimum below the fee of a method",
			environ: []string{"WINDLASS_ASSETS_0_DEPOSIT_METHODS_0_FEE_MINIMUM=10"},
			want:    []string{`assets[0].deposit.min: 10 does not cover its own fee, 10`}},
		{name: "complex fees",
			environ: []string{"WINDLASS_ASSETS_0_DEPOSIT_FEE_MAXIMUM=0", "WINDLASS_ASSETS_0_DEPOSIT_TIERS_0_FROM=100", "WINDLASS_ASSETS_0_DEPOSIT_TIERS_1_FROM=100",
				"WINDLASS_ASSETS_0_DEPOSIT_TIERS_1_FEE_PERCENT=100", "WINDLASS_ASSETS_0_WITHDRAW_METHODS_0_FEE_FIXED=1.001"},
			want: []string{`assets[0].deposit.fee_maximum: "0" will not do`, `assets[0].deposit.tiers[1].from: "100" will not do`,
				`assets[0].deposit.tiers[1].fee_percent: 100 leaves nothing to pay out`, `assets[0].withdraw.methods[0].fee_fixed: 1.001 has more than the 2 decimals`,
				`assets[0].deposit.max: 10000 does not cover its own fee, 10000`}},
		{name: "a tier that eats its amount",
			environ: []string{"WINDLASS_ASSETS_0_WITHDRAW_TIERS_0_FROM=20", "WINDLASS_ASSETS_0_WITHDRAW_TIERS_0_FEE_FIXED=20"},
			want:    []string{`assets[0].withdraw.tiers: 20 does not cover its own fee, 20`}},
		{name: "methods, fields, window",
			oldnew: []string{`id = "bank_transfer"`, `id = "Bank transfer"`,
				`"first_name", "last_name"`, `"fist_name", "last_name", "last_name"`,
				`#optional_fields = ["mobile_number"]`, `optional_fields = ["shoe_size"]`, `#window = "72h"`, `window = "1s"`},
			environ: []string{"WINDLASS_ASSETS_0_WITHDRAW_METHODS_0_FIELDS=bank_account_number,photo_id_front"},
			want: []string{`assets[0].deposit.methods[0].id: "Bank transfer" will not do`,
				`assets[0].deposit.fields: "fist_name" is none of the fields that can be asked; did you mean "first_name"?`,
				`assets[0].deposit.optional_fields: "shoe_size" is none of the fields that can be asked (known: first_name,`,
				`assets[0].deposit.window: 1s will not do`,
				`assets[0].withdraw.methods[0].fields: "photo_id_front" is a document, which is asked of the customer once`}},
		{name: "levels and who looks",
			oldnew: []string{`#countries = ["ARG", "BRA", "URY"]`, `countries = ["ARG", "arg", "BRA", "BRA"]`, `#minimum_age = 18`, `minimum_age = 180`,
				`#review = "person"`, `review = "nobody"`},
			environ: []string{"WINDLASS_ASSETS_0_WITHDRAW_LEVELS_0_FROM=10", "WINDLASS_ASSETS_0_WITHDRAW_LEVELS_0_FIELDS=shoe_size",
				"WINDLASS_ASSETS_0_WITHDRAW_LEVELS_1_FROM=500", "WINDLASS_ASSETS_0_WITHDRAW_LEVELS_1_REVIEW=none",
				"WINDLASS_ASSETS_0_WITHDRAW_LEVELS_2_FROM=500.001", "WINDLASS_ASSETS_0_WITHDRAW_LEVELS_2_FIELDS=tax_id",
				"WINDLASS_ASSETS_0_WITHDRAW_LEVELS_3_FROM=10001", "WINDLASS_ASSETS_0_WITHDRAW_LEVELS_3_FIELDS=tax_id"},
			want: []string{`review.countries: entry 2, "arg", is no country`, `review.minimum_age: 180 will not do`,
				`assets[0].deposit.review: "nobody" will not do; expected person`,
				`assets[0].withdraw.levels[0].from: "10" will not do; expected an amount above min`,
				`assets[0].withdraw.levels[0].fields: "shoe_size" is none of the fields`,
				`assets[0].withdraw.levels[1].review: is none, and a person looks at smaller amounts already`,
				`assets[0].withdraw.levels[2].from: 500.001 has more than the 2 decimals`,
				`assets[0].withdraw.levels[3].from: "10001" will not do`}},
		{name: "a person, and nothing to look at",
			oldnew: []string{`fields = ["first_name", "last_name", "email_address"]`, `fields = []`},
			want:   []string{`assets[0].deposit.fields: is missing: a person reviews customers`}},
		{name: "a person from a level on, and nothing to look at",
			oldnew: []string{`fields = ["first_name", "last_name", "email_address"]`, `fields = []`, `#review = "person"`, `review = "none"`},
			environ: []string{"WINDLASS_ASSETS_0_WITHDRAW_REVIEW=person", "WINDLASS_ASSETS_0_WITHDRAW_FIELDS=first_name",
				"WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_FROM=500"},
			want: []string{`assets[0].deposit.levels[0].fields: is missing: a person reviews customers from here on`}},
		{name: "a level that changes nothing",
			environ: []string{"WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_FROM=500", "WINDLASS_ASSETS_0_WITHDRAW_REVIEW=none",
				"WINDLASS_ASSETS_0_WITHDRAW_LEVELS_0_FROM=500", "WINDLASS_ASSETS_0_WITHDRAW_LEVELS_1_FROM=600"},
			want: []string{`assets[0].deposit.levels[0].fields: is missing: this level asks what is asked below it`,
				`assets[0].withdraw.levels[1].fields: is missing: this level asks what is asked below it`}},
		{name: "a direction without a method",
			oldnew: []string{"#enabled = true", "enabled = true", "[[assets.deposit.methods]]\nid = \"bank_transfer\"", ""},
			want:   []string{`assets[0].deposit.methods: is missing`}},
		{name: "what becomes of money that nobody expected",
			oldnew: []string{`#wrong_asset = "hold"`, `wrong_assets = "hold"`, `#no_memo = "hold"`, `no_memo = "keep"`, `#short = "hold"`, `short = "revive"`, `#late = "hold"`, `late = "never"`,
				`#lumens_minimum = "1"`, `lumens_minimum = "some"`, `#refunds_per_sender = 3`, `refunds_per_sender = -1`,
				`#refund_fee = "0"`, `refund_fee = "0.001"`, `#refund_minimum = "1"`, `refund_minimum = "1e3"`},
			want: []string{`unmatched.wrong_assets: there is no such key; did you mean "wrong_asset"?`, `unmatched.no_memo: "keep" will not do; expected hold or refund`, `unmatched.short: "revive" will not do; expected hold or refund`,
				`unmatched.late: "never" will not do; expected hold or refund or revive`, `unmatched.lumens_minimum: "some" will not do`,
				`unmatched.refunds_per_sender: -1 will not do; expected 0 to 1000`,
				`assets[0].deposit.refund_fee: 0.001 has more than the 2 decimals`, `assets[0].deposit.refund_minimum: "1e3" will not do`}},
		{name: "refunds that leave nothing",
			oldnew: []string{`#refund_fee = "0"`, `refund_fee = "10"`, `#refund_minimum = "1"`, `refund_minimum = "10"`},
			want: []string{`assets[0].deposit.refund_fee: 10 would eat the least that is taken, 10`,
				`assets[0].deposit.refund_minimum: 10 would leave nothing to send back; it must be above refund_fee, 10`}},
		{name: "refunds that never are",
			oldnew: []string{`#refund_minimum = "1"`, `refund_minimum = "10000.01"`},
			want:   []string{`assets[0].deposit.refund_minimum: 10000.01 is more than is ever taken, 10000`}},
		{name: "prices",
			environ: []string{"WINDLASS_ASSETS_0_DEPOSIT_PRICE=0.1176", "WINDLASS_ASSETS_0_WITHDRAW_PRICE=0.11760000001"},
			want:    []string{`assets[0].withdraw.price: 0.11760000001 is more than deposit.price, 0.1176: customers would buy and sell`}},
		{name: "a price that nobody can count",
			environ: []string{"WINDLASS_ASSETS_0_DEPOSIT_PRICE=0.000000000001", "WINDLASS_ASSETS_0_WITHDRAW_PRICE=0.000000000001", "WINDLASS_ASSETS_0_WITHDRAW_ENABLED=false"},
			want:    []string{`assets[0].deposit.max: 10000 comes to more than can be counted`}},
		{name: "no prices",
			environ: []string{"WINDLASS_ASSETS_0_DEPOSIT_PRICE=0", "WINDLASS_ASSETS_0_WITHDRAW_PRICE=1e3", "WINDLASS_ASSETS_0_OFF_CHAIN_DECIMALS=8"},
			want:    []string{`assets[0].deposit.price: "0" will not do`, `assets[0].withdraw.price: "1e3" will not do`, `assets[0].off_chain_decimals: 8 will not do; expected 0 to 7`}},
		{name: "a brand that nobody could read, or see",
			oldnew: []string{`#name = "Example Anchor Ltd"`, `name = "` + strings.Repeat("x", 61) + `"`, `#logo = "logo.svg"`, `logo = "nowhere.svg"`,
				`#accent = "#0b5a70"`, `accent = "#ffcc00"`, `#accent_dark = "#6bc9dd"`, `accent_dark = "teal"`,
				`#terms = "https`, `terms = "ftp`, `#privacy = "https`, `privacy = "javascript`},
			want: []string{
				`brand.name: has more than 60 characters`, `nowhere.svg cannot be read: no such file or directory`,
				`: brand.accent: #ffcc00 has a contrast of 1.3:1`, `: brand.accent_dark: "teal" will not do`,
				`brand.terms: "ftp://www.example.com/terms" will not do`, `brand.privacy: "javascript://www.example.com/privacy" will not do`}},
		{name: "no assets",
			oldnew: []string{example(t)[strings.Index(example(t), "[[assets]]"):], ""},
			want:   []string{`assets: is missing; expected an [[assets]] table`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := loadExample(t, tt.environ, tt.oldnew...)
			var rest []string
			for _, p := range problems {
				rest = append(rest, p.String())
			}
			for _, want := range tt.want {
				i := slices.IndexFunc(rest, func(s string) bool { return strings.Contains(s, want) })
				if i < 0 {
					t.Errorf("no problem says %q", want)
					continue
				}
				rest = slices.Delete(rest, i, i+1)
			}
			for _, p := range rest {
				t.Errorf("unexpected: %s", p)
			}
			if t.Failed() {
				t.Log(problems)
			}
		})
	}
}

func TestProblemsNameTheirLine(t *testing.T) {
	t.Parallel()
	text := example(t)
	_, problems := load(t, strings.Replace(text, `max = "10000"`, `max = "5"`, 1), nil)
	line := 1 + strings.Count(text[:strings.Index(text, `max = "10000"`)], "\n")
	if len(problems) != 1 || problems[0].Where != fmt.Sprintf("line %d", line) {
		t.Errorf("got %v, want line %d", problems, line)
	}
}

func TestConfigurationMissing(t *testing.T) {
	t.Parallel()
	_, err := Load(filepath.Join(t.TempDir(), "anchor.toml"), nil)
	if err == nil || !strings.Contains(err.Error(), "no such file") || !strings.Contains(err.Error(), "anchor.example.toml") {
		t.Errorf("got %v", err)
	}
}

// TestSecretsStaySecret prints a configuration in every usual way.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const seed = "SCZANGBA5YHTNYVVV4C3U252E2B6P6F5T3U6MM63WBSBZATAQI3EBTQ4"
	c := Config{Secrets: SecretsConfig{SigningSeed: seed, ChannelSeeds: []Secret{seed}}}
	var out bytes.Buffer
	for _, s := range []string{fmt.Sprint(c.Secrets), fmt.Sprintf("%+v", c.Secrets), fmt.Sprintf("%#v", c.Secrets), fmt.Sprintf("%q", c.Secrets)} {
		out.WriteString(s)
	}
	slog.New(slog.NewTextHandler(io.Writer(&out), nil)).Info("secrets", "seed", c.Secrets.SigningSeed, "all", c.Secrets)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("secrets", "seed", c.Secrets.SigningSeed, "all", c.Secrets)
	if strings.Contains(out.String(), seed) {
		t.Errorf("the seed shows: %s", &out)
	}

	_, problems := loadExample(t, []string{"WINDLASS_SECRETS_SIGNING_SEED=" + seed[:55]})
	if len(problems) != 1 || strings.Contains(problems.Error(), seed[:55]) {
		t.Errorf("a problem shows the seed: %v", problems)
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"public_url", "admin_url", "home_domain", "log"}
	for s, want := range map[string]string{
		"public_url": "public_url", "publicurl": "public_url", "Public_URL": "public_url", "adminurl": "admin_url",
		"lgo": "log", "logs": "log", "domain": "", "x": "",
	} {
		if got := nearest(s, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", s, got, want)
		}
	}
}
