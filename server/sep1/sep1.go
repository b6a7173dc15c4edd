// Package sep1 is the anchor's stellar.toml (SEP-1), made from what the
// operator configured. There is no file to edit: what it says and what the
// anchor does cannot differ.
//
// It must not know what the endpoints do that it names.
package sep1

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"
	"github.com/pelletier/go-toml/v2"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/strkey"

	"windlass/server/anchor"
	"windlass/server/sep"
)

// Version is the version of SEP-1 that the file adheres to.
const Version = "2.7.0"

// Path is where every stellar.toml is found.
const Path = "/.well-known/stellar.toml"

// maxSize is the most a stellar.toml may have, in bytes (SEP-1, "Specification").
const maxSize = 100_000

// Config is what the file is made from.
type Config struct {
	// BaseURL is where the endpoints are: scheme://host[:port].
	BaseURL           string
	NetworkPassphrase string
	// SigningKey signs challenges, a G… address.
	SigningKey string
	// Accounts are those the anchor controls, G….
	Accounts     []string
	Organization Organization
	Principals   []Principal
	Terms        []*anchor.Terms
}

// Organization is the [DOCUMENTATION] table. Only Name is required.
type Organization struct {
	Name               string `toml:"ORG_NAME"`
	DBA                string `toml:"ORG_DBA,omitempty"`
	URL                string `toml:"ORG_URL,omitempty"`
	Logo               string `toml:"ORG_LOGO,omitempty"`
	Description        string `toml:"ORG_DESCRIPTION,omitempty"`
	Address            string `toml:"ORG_PHYSICAL_ADDRESS,omitempty"`
	AddressAttestation string `toml:"ORG_PHYSICAL_ADDRESS_ATTESTATION,omitempty"`
	Phone              string `toml:"ORG_PHONE_NUMBER,omitempty"`
	PhoneAttestation   string `toml:"ORG_PHONE_NUMBER_ATTESTATION,omitempty"`
	Keybase            string `toml:"ORG_KEYBASE,omitempty"`
	Twitter            string `toml:"ORG_TWITTER,omitempty"`
	Github             string `toml:"ORG_GITHUB,omitempty"`
	OfficialEmail      string `toml:"ORG_OFFICIAL_EMAIL,omitempty"`
	SupportEmail       string `toml:"ORG_SUPPORT_EMAIL,omitempty"`
	LicensingAuthority string `toml:"ORG_LICENSING_AUTHORITY,omitempty"`
	LicenseType        string `toml:"ORG_LICENSE_TYPE,omitempty"`
	LicenseNumber      string `toml:"ORG_LICENSE_NUMBER,omitempty"`
}

// Principal is one [[PRINCIPALS]] entry. Only Name is required.
type Principal struct {
	Name              string `toml:"name"`
	Email             string `toml:"email,omitempty"`
	Keybase           string `toml:"keybase,omitempty"`
	Telegram          string `toml:"telegram,omitempty"`
	Twitter           string `toml:"twitter,omitempty"`
	Github            string `toml:"github,omitempty"`
	IDPhotoHash       string `toml:"id_photo_hash,omitempty"`
	VerificationPhoto string `toml:"verification_photo_hash,omitempty"`
}

// file is the document, in the order of SEP-1.
type file struct {
	Version        string   `toml:"VERSION"`
	Network        string   `toml:"NETWORK_PASSPHRASE"`
	TransferServer string   `toml:"TRANSFER_SERVER_SEP0024"`
	WebAuth        string   `toml:"WEB_AUTH_ENDPOINT"`
	SigningKey     string   `toml:"SIGNING_KEY"`
	Accounts       []string `toml:"ACCOUNTS,multiline"`
	// Documentation must be there: wallets' software falls over without it.
	Documentation Organization `toml:"DOCUMENTATION"`
	Principals    []Principal  `toml:"PRINCIPALS,omitempty"`
	Currencies    []currency   `toml:"CURRENCIES"`
}

// currency is one [[CURRENCIES]] entry.
type currency struct {
	Code            string `toml:"code"`
	Issuer          string `toml:"issuer,omitempty"` // lumens have none
	Status          string `toml:"status"`
	DisplayDecimals int    `toml:"display_decimals"`
	Name            string `toml:"name,omitempty"`
	Desc            string `toml:"desc"`
	IsAssetAnchored bool   `toml:"is_asset_anchored"`
	AnchorAssetType string `toml:"anchor_asset_type"`
	AnchorAsset     string `toml:"anchor_asset,omitempty"`
	Redemption      string `toml:"redemption_instructions,omitempty"`
}

// Handler serves the file. Use New.
type Handler struct {
	toml []byte
	etag string
	made time.Time
}

// New makes the file. Its error names every field that will not do, as SEP-1
// spells it.
func New(cfg Config) (*Handler, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	f := file{
		Version: Version, Network: cfg.NetworkPassphrase,
		TransferServer: cfg.BaseURL + "/sep24", WebAuth: cfg.BaseURL + "/auth",
		SigningKey: cfg.SigningKey, Accounts: cfg.Accounts,
		Documentation: cfg.Organization, Principals: cfg.Principals,
	}
	for _, link := range []*string{&f.Documentation.URL, &f.Documentation.Logo,
		&f.Documentation.AddressAttestation, &f.Documentation.PhoneAttestation} {
		*link = strings.TrimRight(*link, "/") // wallets append paths, and the official tests insist
	}
	for _, t := range cfg.Terms {
		f.Currencies = append(f.Currencies, cfg.currency(t))
	}
	b, err := toml.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("sep1: %w", err)
	}
	if len(b) > maxSize {
		return nil, fmt.Errorf("sep1: stellar.toml would have %d bytes; at most %d are allowed", len(b), maxSize)
	}
	sum := sha256.Sum256(b)
	return &Handler{toml: b, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, made: time.Now()}, nil
}

func (cfg *Config) currency(t *anchor.Terms) currency {
	c := currency{
		Code: t.Asset.Code, Issuer: t.Asset.Issuer, Status: "test",
		DisplayDecimals: t.Decimals, Name: t.Name, Desc: t.Description,
		IsAssetAnchored: true, AnchorAssetType: "other", AnchorAsset: t.OffChain.Code,
		Redemption: "Withdraw with any wallet that speaks SEP-24.",
	}
	if cfg.NetworkPassphrase == network.PublicNetworkPassphrase {
		c.Status = "live"
	}
	if t.OffChain.Scheme == anchor.ISO4217 {
		c.AnchorAssetType = "fiat"
	}
	if t.Asset.IsNative() {
		c.IsAssetAnchored, c.AnchorAssetType, c.AnchorAsset, c.Redemption = false, "crypto", "", ""
	}
	if !t.Withdraw.Enabled {
		c.Redemption = ""
	}
	if c.Desc == "" {
		c.Desc = t.Asset.Code + ", exchanged one for one with " + t.OffChain.Code + " by " + cfg.Organization.Name + "."
	}
	return c
}

var phone = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// check finds everything that is wrong.
func (cfg *Config) check() error {
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("sep1: %s: %s", field, fmt.Sprintf(format, args...)))
	}
	public := cfg.NetworkPassphrase == network.PublicNetworkPassphrase
	link := func(field, value string, mustHTTPS bool) {
		u, err := url.Parse(value)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
			wrong(field, "%q is no address such as https://example.com", value)
		case u.Scheme != "https" && mustHTTPS:
			wrong(field, "%q must begin with https://", value)
		}
	}
	link("TRANSFER_SERVER_SEP0024", cfg.BaseURL, public)
	if strings.HasSuffix(cfg.BaseURL, "/") {
		wrong("TRANSFER_SERVER_SEP0024", "%q must not end in /", cfg.BaseURL)
	}
	if cfg.NetworkPassphrase == "" {
		wrong("NETWORK_PASSPHRASE", "is missing")
	}
	if !strkey.IsValidEd25519PublicKey(cfg.SigningKey) {
		wrong("SIGNING_KEY", "%q is no address that starts with G", cfg.SigningKey)
	}
	for _, a := range cfg.Accounts {
		if !strkey.IsValidEd25519PublicKey(a) {
			wrong("ACCOUNTS", "%q is no address that starts with G", a)
		}
	}
	o := cfg.Organization
	if o.Name == "" {
		wrong("ORG_NAME", "is missing")
	}
	for _, l := range []struct{ field, value string }{{"ORG_URL", o.URL}, {"ORG_LOGO", o.Logo},
		{"ORG_PHYSICAL_ADDRESS_ATTESTATION", o.AddressAttestation}, {"ORG_PHONE_NUMBER_ATTESTATION", o.PhoneAttestation}} {
		if l.value != "" {
			link(l.field, l.value, public)
		}
	}
	if o.Phone != "" && !phone.MatchString(o.Phone) {
		wrong("ORG_PHONE_NUMBER", "%q is not in E.164 format, such as +14155552671", o.Phone)
	}
	for i, p := range cfg.Principals {
		if p.Name == "" {
			wrong("PRINCIPALS", "entry %d has no name", i+1)
		}
	}
	if len(cfg.Terms) == 0 {
		wrong("CURRENCIES", "there is no asset")
	}
	for _, t := range cfg.Terms {
		if n := utf8.RuneCountInString(t.Name); n > 20 {
			wrong("CURRENCIES", "the name of %s has %d characters; at most 20 are allowed", t.Asset.Code, n)
		}
		if t.Decimals < 0 || t.Decimals > anchor.Decimals {
			wrong("CURRENCIES", "display_decimals of %s is %d; it must be 0 to 7", t.Asset.Code, t.Decimals)
		}
		if !t.Asset.IsNative() && !strkey.IsValidEd25519PublicKey(t.Asset.Issuer) {
			wrong("CURRENCIES", "the issuer of %s, %q, is no address that starts with G", t.Asset.Code, t.Asset.Issuer)
		}
	}
	return errors.Join(errs...)
}

// TOML is the file.
func (h *Handler) TOML() []byte { return bytes.Clone(h.toml) }

// Register mounts [Path].
func (h *Handler) Register(r *mux.Router) {
	r.Handle(Path, sep.Endpoint(map[string]http.HandlerFunc{http.MethodGet: h.serve}))
}

// serve answers with the file. Browsers and proxies may keep it for a minute,
// and then ask whether it has changed.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", "text/plain; charset=utf-8")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "public, max-age=60")
	head.Set("ETag", h.etag)
	http.ServeContent(w, r, "", h.made, bytes.NewReader(h.toml))
}
