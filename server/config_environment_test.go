package main

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/server/anchor"
)

// TestEnvironmentNames holds each env tag to its toml tag, so that one rule
// tells the operator every variable's name.
func TestEnvironmentNames(t *testing.T) {
	t.Parallel()
	var walk func(reflect.Type)
	walk = func(table reflect.Type) {
		for f := range table.Fields() {
			tag := tomlKey(f)
			if tag == "" {
				continue
			}
			want, got := strings.ToUpper(tag), f.Tag.Get("env")
			if element(f.Type).Kind() == reflect.Struct {
				want, got = want+"_", f.Tag.Get("envPrefix")
				walk(element(f.Type))
			}
			if got != want {
				t.Errorf("%s.%s has the variable %q, want %q", table.Name(), f.Name, got, want)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

// TestDocumentsNameRealVariables looks for WINDLASS_… in what users read.
func TestDocumentsNameRealVariables(t *testing.T) {
	t.Parallel()
	variable := regexp.MustCompile(`\bWINDLASS_[A-Z0-9_]*[A-Z0-9]\b`)
	paths, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "../README.md", "../CONTRIBUTING.md", "../anchor.example.toml") {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		for _, name := range variable.FindAllString(string(data), -1) {
			if _, ok := keyOf(reflect.TypeFor[Config](), strings.TrimPrefix(name, envPrefix)); !ok && name != configVariable && name != "WINDLASS_PORT" {
				t.Errorf("%s names %s, which is no setting", path, name)
			}
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	token := randomKey(t)
	c, problems := loadExample(t, []string{
		"WINDLASS_PUBLIC_URL=https://other.example.com:8443",
		"WINDLASS_NETWORK_HORIZON=https://one.example.com,https://two.example.com",
		"WINDLASS_SEP10_TOKEN_LIFETIME=1h",
		"WINDLASS_ALLOW_LOOPBACK=true",
		"WINDLASS_LOG_LEVEL=", // empty is unset
		"WINDLASS_SECRETS_TOKEN_KEY=" + token,
		"WINDLASS_ASSETS_0_DEPOSIT_MAX=500",
		"WINDLASS_ASSETS_0_WITHDRAW_METHODS_1_ID=mobile_money",
		"WINDLASS_ASSETS_0_WITHDRAW_METHODS_1_FIELDS=mobile_money_number",
		"WINDLASS_ASSETS_1_CODE=EURX",
		"WINDLASS_ASSETS_1_ISSUER=GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5",
		"WINDLASS_ASSETS_1_OFF_CHAIN=iso4217:EUR",
		"WINDLASS_ASSETS_1_DEPOSIT_ENABLED=false",
		"WINDLASS_CONFIG=anchor.toml",
		"WINDLASS_PORT=tcp://10.0.0.1:8000",
		"PATH=/bin",
	}, `[assets.withdraw]`, `[assets.withdraw] # below it is a method`)
	if problems != nil {
		t.Fatal(problems)
	}
	got := []any{c.PublicURL, c.HomeDomain, c.SEP10.WebAuthDomain, c.Network.Horizon, time.Duration(c.SEP10.TokenLifetime),
		c.AllowLoopback, c.Log.Level, base64.StdEncoding.EncodeToString(c.keys.Token[0]),
		c.terms[0].Deposit.Max, c.terms[0].Withdraw.Methods[1].ID, c.terms[1].Asset.Code, c.terms[1].Deposit.Enabled}
	want := []any{"https://other.example.com:8443", "other.example.com:8443", "other.example.com",
		[]string{"https://one.example.com", "https://two.example.com"}, time.Hour,
		true, "info", token,
		anchor.MustAmount("500"), "mobile_money", "EURX", false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(c.warnings) != 1 || !strings.Contains(c.warnings[0], "WINDLASS_PORT ") {
		t.Errorf("warnings: %q", c.warnings)
	}
}
