package main

import (
	"net/url"
	"os"
	"unicode/utf8"

	"windlass/frontend"
)

// BrandConfig is how customers see the anchor.
type BrandConfig struct {
	Name       string `toml:"name" env:"NAME"`
	Logo       string `toml:"logo" env:"LOGO"`     // a file
	Accent     string `toml:"accent" env:"ACCENT"` // #rrggbb, as below; "" is Windlass's own
	AccentDark string `toml:"accent_dark" env:"ACCENT_DARK"`
	Terms      string `toml:"terms" env:"TERMS"` // URL, as below
	Privacy    string `toml:"privacy" env:"PRIVACY"`
}

// longestName is what a phone shows beside the logo in two lines at most.
const longestName = 60

// brand judges what customers see, and reads the logo.
func (k *check) brand(c *Config) {
	b := &c.Brand
	c.brand = frontend.Brand{
		Name: b.Name, SupportEmail: c.Organization.SupportEmail, Terms: b.Terms, Privacy: b.Privacy,
		Colours: frontend.Colours{Accent: b.Accent, AccentDark: b.AccentDark},
	}
	if utf8.RuneCountInString(b.Name) > longestName {
		k.wrong("brand.name", "has more than %d characters; expected the short name that customers know you by", longestName)
	}
	for field, problem := range c.brand.Colours.Problems() {
		k.wrong("brand."+field, "%s", problem)
	}
	for key, address := range map[string]string{"brand.terms": b.Terms, "brand.privacy": b.Privacy} {
		u, err := url.Parse(address)
		if address != "" && (err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || c.Public())) {
			k.wrong(key, `%q will not do; expected the address of a page of yours, such as "https://www.example.com/terms"`, address)
		}
	}
	if b.Logo == "" {
		return
	}
	file := k.path(b.Logo)
	info, err := os.Stat(file)
	if err == nil && info.Size() > 1<<20 {
		k.wrong("brand.logo", "%s has %d bytes; expected a small picture", file, info.Size())
		return
	}
	data, err := os.ReadFile(file)
	if err != nil {
		k.wrong("brand.logo", "%s cannot be read: %s", file, reason(err))
		return
	}
	if c.brand.Logo, err = frontend.NewLogo(file, data); err != nil {
		k.wrong("brand.logo", "%s %s", file, err)
	}
}
