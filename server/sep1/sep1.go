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
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/pelletier/go-toml/v2"
	"github.com/stellar/go-stellar-sdk/network"

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
	// BaseURL is where the endpoints are: scheme://host[:port]. HomeDomain is the
	// domain that serves the file, host[:port].
	BaseURL, HomeDomain string
	NetworkPassphrase   string
	// SigningKey signs challenges, a G… address.
	SigningKey string
	// Accounts are those the anchor controls, G….
	Accounts []string
	// What the organization runs beside the anchor; each may be "".
	Federation, Horizon, URISigningKey string

	Organization Organization
	Principals   []Principal
	Offers       []Offer
	// Currencies are further ones, which this anchor does not exchange.
	Currencies []Currency
	Validators []Validator
}

// Offer is an asset that the anchor exchanges.
type Offer struct {
	*anchor.Terms

	About About
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

// Principal is one [[PRINCIPALS]] entry. Only Name is required. The operator
// writes it by the same names in the configuration, of which env is part.
type Principal struct {
	Name              string `toml:"name" env:"NAME"`
	Email             string `toml:"email,omitempty" env:"EMAIL"`
	Keybase           string `toml:"keybase,omitempty" env:"KEYBASE"`
	Telegram          string `toml:"telegram,omitempty" env:"TELEGRAM"`
	Twitter           string `toml:"twitter,omitempty" env:"TWITTER"`
	Github            string `toml:"github,omitempty" env:"GITHUB"`
	IDPhotoHash       string `toml:"id_photo_hash,omitempty" env:"ID_PHOTO_HASH"`
	VerificationPhoto string `toml:"verification_photo_hash,omitempty" env:"VERIFICATION_PHOTO_HASH"`
}

// Validator is one [[VALIDATORS]] entry.
type Validator struct {
	Alias       string `toml:"ALIAS,omitempty"`
	DisplayName string `toml:"DISPLAY_NAME,omitempty"`
	PublicKey   string `toml:"PUBLIC_KEY"`
	Host        string `toml:"HOST,omitempty"`
	History     string `toml:"HISTORY,omitempty"`
}

// file is the document, in the order of SEP-1. Of the endpoints only those that
// there are.
type file struct {
	Version        string   `toml:"VERSION"`
	Network        string   `toml:"NETWORK_PASSPHRASE"`
	Federation     string   `toml:"FEDERATION_SERVER,omitempty"`
	TransferServer string   `toml:"TRANSFER_SERVER_SEP0024"`
	WebAuth        string   `toml:"WEB_AUTH_ENDPOINT"`
	SigningKey     string   `toml:"SIGNING_KEY"`
	Horizon        string   `toml:"HORIZON_URL,omitempty"`
	Accounts       []string `toml:"ACCOUNTS,multiline"`
	URISigningKey  string   `toml:"URI_REQUEST_SIGNING_KEY,omitempty"`
	// Documentation must be there: wallets' software falls over without it.
	Documentation Organization `toml:"DOCUMENTATION"`
	Principals    []Principal  `toml:"PRINCIPALS,omitempty"`
	Currencies    []Currency   `toml:"CURRENCIES"`
	Validators    []Validator  `toml:"VALIDATORS,omitempty"`
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
	var errs []error
	for _, p := range cfg.Problems() {
		errs = append(errs, fmt.Errorf("sep1: %s: %s", p.Field, p.Text))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	f := file{
		Version: Version, Network: cfg.NetworkPassphrase, Federation: cfg.Federation,
		TransferServer: cfg.BaseURL + "/sep24", WebAuth: cfg.BaseURL + "/auth",
		SigningKey: cfg.SigningKey, Horizon: cfg.Horizon, Accounts: cfg.Accounts, URISigningKey: cfg.URISigningKey,
		Documentation: cfg.Organization, Principals: cfg.Principals, Currencies: cfg.currencies(),
	}
	links := []*string{&f.Federation, &f.Horizon, &f.Documentation.URL, &f.Documentation.Logo,
		&f.Documentation.AddressAttestation, &f.Documentation.PhoneAttestation}
	for i := range f.Currencies {
		c := &f.Currencies[i]
		links = append(links, &c.Link, &c.Image, &c.Attestation, &c.ApprovalServer)
	}
	for _, v := range cfg.Validators {
		v.History = strings.TrimRight(v.History, "/")
		f.Validators = append(f.Validators, v)
	}
	for _, link := range links {
		*link = strings.TrimRight(*link, "/") // wallets append paths, and the official tests insist
	}
	b, err := toml.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("sep1: %w", err)
	}
	if len(b) > maxSize {
		return nil, fmt.Errorf("sep1: stellar.toml would have %d bytes, and at most %d are allowed; shorten descriptions, or move currencies into files of their own", len(b), maxSize)
	}
	sum := sha256.Sum256(b)
	return &Handler{toml: b, etag: `"` + hex.EncodeToString(sum[:12]) + `"`, made: time.Now()}, nil
}

func (cfg *Config) public() bool { return cfg.NetworkPassphrase == network.PublicNetworkPassphrase }

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
