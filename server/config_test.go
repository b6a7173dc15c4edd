package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/anchor"
	"windlass/server/payout"
)

func randomKey(t *testing.T) string {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func example(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../anchor.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// loadExample loads the example with each old text replaced by the new one.
func loadExample(t *testing.T, environ []string, oldnew ...string) (*Config, Problems) {
	t.Helper()
	text := example(t)
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("the example does not contain %q", oldnew[i])
		}
		text = strings.Replace(text, oldnew[i], oldnew[i+1], 1)
	}
	return load(t, text, environ)
}

func load(t *testing.T, text string, environ []string) (*Config, Problems) {
	t.Helper()
	dir := t.TempDir()
	if _, err := makeKeys(filepath.Join(dir, "secrets"), 2); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "anchor.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, environ)
	problems, ok := errors.AsType[Problems](err)
	if err != nil && !ok {
		t.Fatalf("Load: %v is not Problems", err)
	}
	if (c == nil) != (len(problems) > 0) {
		t.Fatalf("Load gave %v and %v", c, problems)
	}
	return c, problems
}

func TestExampleLoads(t *testing.T) {
	t.Parallel()
	c, problems := loadExample(t, nil)
	if problems != nil {
		t.Fatal(problems)
	}
	person := []anchor.Field{
		{Name: "first_name", Type: "text"}, {Name: "last_name", Type: "text"}, {Name: "email_address", Type: "email"}}
	want := []*anchor.Terms{{
		Asset:       anchor.Asset{Scheme: "stellar", Code: "USDX", Issuer: "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"},
		OffChain:    anchor.Asset{Scheme: "iso4217", Code: "USD"},
		Name:        "US dollar",
		Description: "A dollar at Example Anchor's bank, one for one.",
		Decimals:    2, OffChainDecimals: 2,
		Account: c.keys.Distribution.Address(),
		Deposit: anchor.Side{
			Enabled: true, RefundMinimum: anchor.One,
			Review: anchor.ByPerson, Min: anchor.MustAmount("10"), Max: anchor.MustAmount("10000"),
			Fee:     anchor.Schedule{Fixed: anchor.MustAmount("1"), Percent: anchor.MustAmount("0.5")},
			Fields:  person,
			Methods: []anchor.Method{{ID: "bank_transfer"}},
			Window:  72 * time.Hour,
		},
		Withdraw: anchor.Side{
			Enabled: true, RefundMinimum: anchor.One,
			Review: anchor.ByPerson, Min: anchor.MustAmount("10"), Max: anchor.MustAmount("10000"),
			Fee:    anchor.Schedule{Fixed: anchor.MustAmount("2")},
			Fields: person,
			Methods: []anchor.Method{{ID: "bank_transfer", Fields: []anchor.Field{
				{Name: "bank_account_number", Type: "account_number"}, {Name: "bank_number", Type: "text"}}}},
			Window: 24 * time.Hour,
		},
	}}
	if diff := cmp.Diff(want, c.terms); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
	if len(c.unmatched.Of) != len(anchor.Rules) || c.unmatched.Of[anchor.NoMemo] != anchor.PolicyHold ||
		c.unmatched.Of[string(anchor.Small)] != anchor.PolicyRefund || c.unmatched.PerSender != 3 || c.unmatched.LumensMinimum != anchor.One {
		t.Errorf("policies %+v", c.unmatched)
	}
	if c.keys.Encryption == nil || len(c.keys.Token) != 1 || len(c.keys.Session) != 1 || len(c.keys.Channels) != 2 {
		t.Errorf("keys: %v %d %d %d", c.keys.Encryption, len(c.keys.Token), len(c.keys.Session), len(c.keys.Channels))
	}
	if c.HomeDomain != "anchor.example.com" || c.SEP10.WebAuthDomain != "anchor.example.com" || c.Public() {
		t.Errorf("home domain %q, web auth domain %q, public %v", c.HomeDomain, c.SEP10.WebAuthDomain, c.Public())
	}
	if !filepath.IsAbs(c.Database.Path) || !strings.HasSuffix(c.Database.Path, "/.windlass/windlass.db") {
		t.Errorf("database path %q", c.Database.Path)
	}
}

// TestLevelsLoad: what is asked of larger amounts, and who accepts; what says
// nothing is looked at by a person.
func TestLevelsLoad(t *testing.T) {
	t.Parallel()
	c, problems := loadExample(t, []string{"WINDLASS_REVIEW_MINIMUM_AGE=18", "WINDLASS_REVIEW_COUNTRIES=ARG,BRA", "WINDLASS_ASSETS_0_DEPOSIT_REVIEW=none",
		"WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_FROM=1000", "WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_FIELDS=birth_date",
		"WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_OPTIONAL_FIELDS=city", "WINDLASS_ASSETS_0_DEPOSIT_LEVELS_0_REVIEW=none",
		"WINDLASS_ASSETS_0_DEPOSIT_LEVELS_1_FROM=5000"})
	if problems != nil {
		t.Fatal(problems)
	}
	s := c.terms[0].Deposit
	want := []anchor.Level{
		{From: 1000 * anchor.One, Review: anchor.ByNobody, Fields: []anchor.Field{{Name: "birth_date", Type: anchor.FieldDate}, {Name: "city", Type: anchor.FieldText, Optional: true}}},
		{From: 5000 * anchor.One, Review: anchor.ByPerson},
	}
	if diff := cmp.Diff(want, s.Levels); diff != "" || s.Review != anchor.ByNobody || s.Screening.MinimumAge != 18 || len(s.Screening.Countries) != 2 {
		t.Errorf("%s %+v", diff, s)
	}
	if other := c.terms[0].Withdraw; other.Review != anchor.ByPerson || len(other.Levels) != 0 || !other.Screening.Any() {
		t.Errorf("%+v", other)
	}
}

// A name says what kind of answer it takes, and the operator what there is to choose.
func TestFieldsAreTyped(t *testing.T) {
	t.Parallel()
	c, problems := loadExample(t, []string{
		"WINDLASS_ASSETS_0_DEPOSIT_FIELDS=city,birth_date,mobile_number,sex,birth_country_code",
		"WINDLASS_ASSETS_0_DEPOSIT_OPTIONAL_FIELDS=address_country_code,id_type",
		"WINDLASS_ASSETS_0_DEPOSIT_METHODS_0_FIELDS=bank_name",
		"WINDLASS_CHOICES_BANK_NAME=Harbour Bank,Quay Savings Bank"},
		`#address_country_code =`, `address_country_code =`, `#id_type = ["passport", "id_card", "drivers_license"]`, `id_type = ["passport", "Sailor's book"]`)
	if problems != nil {
		t.Fatal(problems)
	}
	want := []anchor.Field{{Name: "city", Type: "text"}, {Name: "birth_date", Type: "date"}, {Name: "mobile_number", Type: "phone"},
		{Name: "sex", Type: "choice", Options: []string{"female", "male", "other"}}, {Name: "birth_country_code", Type: "country"},
		{Name: "address_country_code", Type: "country", Optional: true, Options: []string{"ARG", "BRA", "URY"}},
		{Name: "id_type", Type: "choice", Optional: true, Options: []string{"passport", "Sailor's book"}}}
	if diff := cmp.Diff(want, c.terms[0].Deposit.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	want = []anchor.Field{{Name: "bank_name", Type: "choice", Options: []string{"Harbour Bank", "Quay Savings Bank"}}}
	if diff := cmp.Diff(want, c.terms[0].Deposit.Methods[0].Fields); diff != "" {
		t.Errorf("the method's fields (-want +got):\n%s", diff)
	}
}

// What goes back by itself is worth sending, whatever is left out.
func TestRefundMinimum(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		oldnew  []string
		environ []string
		want    string
	}{
		"a tenth of the least":      {nil, nil, "1"},
		"of its own direction's":    {nil, []string{"WINDLASS_ASSETS_0_WITHDRAW_MIN=4"}, "1"},
		"that is offered":           {nil, []string{"WINDLASS_ASSETS_0_WITHDRAW_MIN=4", "WINDLASS_ASSETS_0_DEPOSIT_ENABLED=false"}, "0.4"},
		"at what that brings":       {nil, []string{"WINDLASS_ASSETS_0_WITHDRAW_PRICE=0.5", "WINDLASS_ASSETS_0_DEPOSIT_ENABLED=false"}, "0.5"},
		"in what the bank moves":    {nil, []string{"WINDLASS_ASSETS_0_DEPOSIT_MIN=4.57"}, "0.45"},
		"one unit of that at least": {nil, []string{"WINDLASS_ASSETS_0_DEPOSIT_MIN=0.05", "WINDLASS_ASSETS_0_DEPOSIT_FEE_FIXED=0"}, "0.01"},
		"and more than the fee":     {[]string{`#refund_fee = "0"`, `refund_fee = "4"`}, nil, "4.01"},
		"what is said":              {[]string{`#refund_minimum = "1"`, `refund_minimum = "25"`}, nil, "25"},
		"nothing, if that is said":  {[]string{`#refund_minimum = "1"`, `refund_minimum = "0"`}, nil, "0"},
	} {
		got, problems := loadExample(t, c.environ, c.oldnew...)
		if problems != nil {
			t.Fatalf("%s: %v", name, problems)
		}
		if got := got.terms[0].Deposit.RefundMinimum; got != anchor.MustAmount(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Some of the seeds are used, and the others stay ours.
func TestChannelsAreConfigured(t *testing.T) {
	t.Parallel()
	c, problems := loadExample(t, []string{"WINDLASS_PAYOUT_CHANNELS=1"}, `#hot_minimum = "50000"`, `hot_minimum = "50000"`)
	if problems != nil {
		t.Fatal(problems)
	}
	if len(c.keys.Channels) != 1 || len(c.keys.channels()) != 2 || c.keys.Channels[0].Address() != c.keys.channels()[0] {
		t.Errorf("%d channels of %v", len(c.keys.Channels), c.keys.channels())
	}
	want := []payout.Hot{{Account: c.keys.Distribution.Address(), Asset: c.terms[0].Asset, Minimum: anchor.MustAmount("50000")}}
	if diff := cmp.Diff(want, c.hot); diff != "" {
		t.Errorf("hot balances (-want +got):\n%s", diff)
	}
}

// Money out is as the operator says; the issuer's own seed is no authorizer's.
func TestMoneyOutIsConfigured(t *testing.T) {
	t.Parallel()
	issuer, other := keypair.MustRandom(), keypair.MustRandom()
	change := []string{`#payout_limit = "5000"`, `payout_limit = "5000"`, `#daily_limit = "100000"`, `daily_limit = "100000"`,
		`#create_account = "2"`, `create_account = "2"`, `#top_up = "0.5"`, `top_up = "0.5"`, `#claim_back_after = "2160h"`, `claim_back_after = "2160h"`,
		"\nissuer = \"GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5", "\nissuer = \"" + issuer.Address()}
	c, problems := loadExample(t, []string{"WINDLASS_ASSETS_0_AUTHORIZER_SEED=" + other.Seed()}, change...)
	if problems != nil {
		t.Fatal(problems)
	}
	a := c.terms[0]
	if a.PayoutLimit != anchor.MustAmount("5000") || a.DailyLimit != anchor.MustAmount("100000") || a.CreateAccount != 2*anchor.One || a.TopUp != anchor.One/2 ||
		time.Duration(c.Payout.TrustWindow) != 720*time.Hour || time.Duration(c.Payout.ClaimBackAfter) != 2160*time.Hour {
		t.Errorf("%+v %+v", a, c.Payout)
	}
	if c.keys.Authorizers[issuer.Address()].Address() != other.Address() || !c.createsAccounts() || c.paysClaimable() {
		t.Errorf("%v %t %t", c.keys.Authorizers, c.createsAccounts(), c.paysClaimable())
	}
	_, problems = loadExample(t, []string{"WINDLASS_ASSETS_0_AUTHORIZER_SEED=" + issuer.Seed()}, change...)
	if problems == nil || !strings.Contains(problems.Error(), "assets[0].authorizer_seed: is the issuer's own") || strings.Contains(problems.Error(), issuer.Seed()) {
		t.Errorf("the issuer's own seed: %v", problems)
	}
}

var optionalKey = regexp.MustCompile(`(?m)^#([a-z0-9_]+ = |\[)`)

// TestExampleIsComplete holds the example to the struct: every key stands in
// it, no other does, and the defaults it names are the real ones.
func TestExampleIsComplete(t *testing.T) {
	t.Parallel()
	all := optionalKey.ReplaceAllString(example(t), "$1")

	r := &reading{origin: map[string]string{}}
	documented := &Config{}
	r.decode([]byte(all), documented)
	if len(r.problems) > 0 {
		t.Fatal(r.problems)
	}
	keys := map[string]bool{}
	for key := range r.origin {
		keys[index.ReplaceAllString(key, "")] = true
	}
	for _, key := range allKeys(reflect.TypeFor[Config](), "") {
		if !keys[key] {
			t.Errorf("%s is not in anchor.example.toml", key)
		}
	}

	// What is optional, but for keys without a default, shows the default.
	var written, filled Config
	for _, c := range []*Config{&written, &filled} {
		if err := toml.Unmarshal([]byte(example(t)), c); err != nil {
			t.Fatal(err)
		}
	}
	filled.defaults()
	for key, def := range leaves(reflect.ValueOf(filled), "") {
		if before := leaves(reflect.ValueOf(written), "")[key]; before == "" && def != "" {
			// These are made from another key, and the example shows its own.
			if key == "organization.official_email" || key == "organization.dba" {
				continue
			}
			if shown := leaves(reflect.ValueOf(*documented), "")[key]; shown != def {
				t.Errorf("%s: anchor.example.toml shows %s, the default is %s", key, shown, def)
			}
		}
	}
}

// allKeys are the keys of a table and all below it, without numbers.
func allKeys(table reflect.Type, prefix string) []string {
	var keys []string
	for f := range table.Fields() {
		tag := tomlKey(f)
		if tag == "" {
			continue
		}
		keys = append(keys, prefix+tag)
		if element(f.Type).Kind() == reflect.Struct {
			keys = append(keys, allKeys(element(f.Type), prefix+tag+".")...)
		}
	}
	return keys
}

// leaves are the values of all keys as text; "" for unset.
func leaves(v reflect.Value, prefix string) map[string]string {
	out := map[string]string{}
	for f, fv := range v.Fields() {
		tag := tomlKey(f)
		switch {
		case tag == "":
		case fv.Kind() == reflect.Struct:
			maps.Copy(out, leaves(fv, prefix+tag+"."))
		case fv.Kind() == reflect.Slice && fv.Type().Elem().Kind() == reflect.Struct:
			for i := range fv.Len() {
				maps.Copy(out, leaves(fv.Index(i), fmt.Sprintf("%s%s[%d].", prefix, tag, i)))
			}
		case fv.IsZero() && fv.Kind() != reflect.Bool:
			out[prefix+tag] = ""
		default:
			out[prefix+tag] = fmt.Sprint(reflect.Indirect(fv))
		}
	}
	return out
}
