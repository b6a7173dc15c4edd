package anchor

import (
	"regexp"
	"strings"
)

// The schemes of SEP-38's asset identification format.
const (
	Stellar = "stellar"
	ISO4217 = "iso4217"
)

// Asset is one kind of money, on or off the ledger (SEP-38, "Asset
// Identification Format"). Values are comparable; the zero value is no asset.
type Asset struct {
	Scheme string // "stellar" or "iso4217"
	Code   string // "USDW", "USD"; "native" for lumens
	Issuer string // a G… address; empty for lumens and off the ledger
}

// Native is the lumen, XLM.
var Native = Asset{Scheme: Stellar, Code: "native"}

var (
	stellarCode = regexp.MustCompile(`^[a-zA-Z0-9]{1,12}$`)
	isoCode     = regexp.MustCompile(`^[A-Z]{3}$`)
)

// ParseAsset reads "stellar:USDW:G…", "stellar:native" or "iso4217:USD".
func ParseAsset(s string) (Asset, error) {
	scheme, rest, _ := strings.Cut(s, ":")
	code, issuer, _ := strings.Cut(rest, ":")
	switch {
	case s == Native.String():
		return Native, nil
	case scheme == ISO4217 && issuer == "" && isoCode.MatchString(code) && s == ISO4217+":"+code:
		return Asset{Scheme: ISO4217, Code: code}, nil
	case scheme == Stellar && stellarCode.MatchString(code) && IsAccount(issuer):
		return Asset{Scheme: Stellar, Code: code, Issuer: issuer}, nil
	}
	return Asset{}, &Error{Kind: Invalid, Code: "asset_malformed",
		Message: `the asset must be written as "stellar:CODE:ISSUER", "stellar:native" or "iso4217:CODE"`}
}

// String is the asset's SEP-38 identification, "" for the zero value.
func (a Asset) String() string {
	if a == (Asset{}) {
		return ""
	}
	s := a.Scheme + ":" + a.Code
	if a.Issuer != "" {
		s += ":" + a.Issuer
	}
	return s
}

// IsNative reports whether the asset is the lumen.
func (a Asset) IsNative() bool { return a == Native }

// Symbol is the code that people know the asset by: "XLM" for lumens.
func (a Asset) Symbol() string {
	if a.IsNative() {
		return "XLM"
	}
	return a.Code
}

// OnLedger reports whether the asset lives on the Stellar network.
func (a Asset) OnLedger() bool { return a.Scheme == Stellar }

// MarshalText writes the SEP-38 identification.
func (a Asset) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the SEP-38 identification.
func (a *Asset) UnmarshalText(text []byte) error {
	v, err := ParseAsset(string(text))
	*a = v
	return err
}
