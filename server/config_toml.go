package main

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"windlass/server/anchor"
	"windlass/server/sep1"
)

// StellarTOMLConfig is what stellar.toml tells of services that run beside this
// program.
type StellarTOMLConfig struct {
	Federation    string `toml:"federation_server" env:"FEDERATION_SERVER"`
	Horizon       string `toml:"horizon_url" env:"HORIZON_URL"`
	URISigningKey string `toml:"uri_request_signing_key" env:"URI_REQUEST_SIGNING_KEY"`
}

// CurrencyConfig is one [[currencies]] table: a token of the operator's that is
// not exchanged here.
type CurrencyConfig struct {
	Code         string     `toml:"code" env:"CODE"`
	Issuer       string     `toml:"issuer" env:"ISSUER"`
	Contract     string     `toml:"contract" env:"CONTRACT"`
	CodeTemplate string     `toml:"code_template" env:"CODE_TEMPLATE"`
	Name         string     `toml:"name" env:"NAME"`
	Description  string     `toml:"description" env:"DESCRIPTION"`
	Decimals     *int       `toml:"decimals" env:"DECIMALS"`
	TOML         string     `toml:"toml" env:"TOML"`
	About        sep1.About `toml:"about" envPrefix:"ABOUT_"`
}

// ValidatorConfig is one [[validators]] table.
type ValidatorConfig struct {
	Alias       string `toml:"alias" env:"ALIAS"`
	DisplayName string `toml:"display_name" env:"DISPLAY_NAME"`
	PublicKey   string `toml:"public_key" env:"PUBLIC_KEY"`
	Host        string `toml:"host" env:"HOST"`
	History     string `toml:"history" env:"HISTORY"`
}

// newSEP1 builds stellar.toml, for serving it and for `windlass toml`.
func newSEP1(cfg *Config) (*sep1.Handler, error) { return sep1.New(cfg.stellarTOML()) }

// stellarTOML is what stellar.toml is made from. It works on a configuration
// that has problems, too.
func (c *Config) stellarTOML() sep1.Config {
	o := c.Organization
	made := sep1.Config{
		BaseURL: c.PublicURL, HomeDomain: c.HomeDomain, NetworkPassphrase: c.Network.Passphrase,
		Federation: c.StellarTOML.Federation, Horizon: c.StellarTOML.Horizon, URISigningKey: c.StellarTOML.URISigningKey,
		Organization: sep1.Organization{
			Name: o.Name, DBA: o.DBA, URL: o.URL, Logo: o.Logo, Description: o.Description,
			Address: o.Address, AddressAttestation: o.AddressAttestation, Phone: o.Phone, PhoneAttestation: o.PhoneAttestation,
			Keybase: o.Keybase, Twitter: o.Twitter, Github: o.Github, OfficialEmail: o.OfficialEmail, SupportEmail: o.SupportEmail,
			LicensingAuthority: o.LicensingAuthority, LicenseType: o.LicenseType, LicenseNumber: o.LicenseNumber,
		},
		Principals: c.Principals,
	}
	if c.keys.Signing != nil {
		made.SigningKey = c.keys.Signing.Address()
	}
	made.Accounts = c.accounts()
	for i, t := range c.terms {
		made.Offers = append(made.Offers, sep1.Offer{Terms: t, About: c.Assets[i].About})
	}
	for _, e := range c.Currencies {
		made.Currencies = append(made.Currencies, sep1.Currency{
			Code: e.Code, Issuer: e.Issuer, Contract: e.Contract, CodeTemplate: e.CodeTemplate,
			Name: e.Name, Desc: e.Description, DisplayDecimals: e.Decimals, Link: e.TOML, About: e.About,
		})
	}
	for _, v := range c.Validators {
		made.Validators = append(made.Validators, sep1.Validator(v))
	}
	return made
}

// accounts are those that stellar.toml lists: what pays and receives, what pays
// the network's fees, and what else the operator names. The channels are not
// worth anybody's attention: they hold nothing, and there may be a thousand.
func (c *Config) accounts() []string {
	var all []string
	if c.keys.Distribution != nil && c.keys.Fee != nil {
		all = []string{c.keys.Distribution.Address(), c.keys.Fee.Address()}
	}
	for _, a := range c.Accounts {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// stellarTOML judges all that stellar.toml tells, by the keys that the operator
// wrote it under. What others have judged already it leaves alone.
func (k *check) stellarTOML(c *Config) {
	for _, p := range c.stellarTOML().Problems() {
		if key := keyOfField(p.Field, c); key != "" {
			k.wrong(key, "%s", p.Text)
		}
	}
	if c.Organization.SupportEmail == "" {
		k.wrong("organization.support_email", "is missing; expected the address that customers in trouble write to")
	}
}

// organizationKeys are the keys whose names are not SEP-1's in small letters.
var organizationKeys = map[string]string{
	"ORG_PHYSICAL_ADDRESS": "address", "ORG_PHYSICAL_ADDRESS_ATTESTATION": "address_attestation",
	"ORG_PHONE_NUMBER": "phone", "ORG_PHONE_NUMBER_ATTESTATION": "phone_attestation",
}

var numbered = regexp.MustCompile(`^([A-Z]+)\[(\d+)\]\.?(.*)$`)

// keyOfField is the key that a field of stellar.toml is made from, "" for those
// that the operator does not write.
func keyOfField(field string, c *Config) string {
	if rest, ok := strings.CutPrefix(field, "ORG_"); ok {
		if key := organizationKeys[field]; key != "" {
			return "organization." + key
		}
		return "organization." + strings.ToLower(rest)
	}
	if _, ok := fieldOf(reflect.TypeFor[StellarTOMLConfig](), field); ok {
		return "stellar_toml." + strings.ToLower(field)
	}
	m := numbered.FindStringSubmatch(field)
	if m == nil {
		return ""
	}
	n, _ := strconv.Atoi(m[2]) // digits they are
	switch m[1] {
	case "ACCOUNTS":
		return "accounts"
	case "CURRENCIES":
		if n < len(c.terms) && (c.terms[n].Asset == (anchor.Asset{}) || c.terms[n].OffChain == (anchor.Asset{})) {
			return "" // what it is has been asked already
		}
		return keyOfCurrency(n, m[3], c)
	}
	return fmt.Sprintf("%s[%d].%s", strings.ToLower(m[1]), n, strings.ToLower(m[3]))
}

// keyOfCurrency is keyOfField for a field of one currency.
func keyOfCurrency(n int, field string, c *Config) string {
	at := fmt.Sprintf("assets[%d].", n)
	if n >= len(c.terms) {
		at = fmt.Sprintf("currencies[%d].", n-len(c.terms))
	}
	switch field {
	case "desc":
		return at + "description"
	case "display_decimals":
		return at + "decimals"
	}
	if _, ok := fieldOf(reflect.TypeFor[CurrencyConfig](), field); ok {
		return at + field
	}
	return at + "about." + field
}
