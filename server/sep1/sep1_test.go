package sep1_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/mux"
	"github.com/pelletier/go-toml/v2"
	"github.com/stellar/go-stellar-sdk/network"

	"windlass/server/anchor"
	"windlass/server/sep1"
)

const key = "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR"

func config() sep1.Config {
	return sep1.Config{
		BaseURL: "http://localhost:8000", NetworkPassphrase: network.TestNetworkPassphrase,
		SigningKey: key, Accounts: []string{key},
		Organization: sep1.Organization{Name: `Ñandú "Bank" Ltd`, URL: "https://www.example.com/", SupportEmail: "support@example.com", Phone: "+14155552671"},
		Principals:   []sep1.Principal{{Name: "Jane Doe", Email: "jane@example.com"}},
		Terms: []*anchor.Terms{
			{Asset: anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: key}, OffChain: anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"},
				Name: "US dollar", Decimals: 2, Withdraw: anchor.Side{Enabled: true}},
			{Asset: anchor.Native, OffChain: anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}, Name: "Lumen", Description: "Lumens.", Decimals: 7},
		},
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	h, err := sep1.New(config())
	if err != nil {
		t.Fatal(err)
	}
	r := mux.NewRouter()
	h.Register(r)
	get := func(method, etag string) *httptest.ResponseRecorder {
		q := httptest.NewRequest(method, sep1.Path, nil)
		q.Header.Set("If-None-Match", etag)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		return w
	}
	res := get("GET", "")
	body := res.Body.Bytes()
	if res.Code != 200 || string(body) != string(h.TOML()) || !strings.HasPrefix(res.Header().Get("Content-Type"), "text/plain") ||
		res.Header().Get("Access-Control-Allow-Origin") != "*" || res.Header().Get("ETag") == "" || !strings.Contains(res.Header().Get("Cache-Control"), "max-age") {
		t.Fatalf("%d %v\n%s", res.Code, res.Header(), body)
	}
	if again := get("GET", res.Header().Get("ETag")); again.Code != 304 || again.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("unchanged: %d", again.Code)
	}
	if head := get("HEAD", ""); head.Code != 200 || head.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d", head.Code)
	}
	if post := get("POST", ""); post.Code != 405 {
		t.Errorf("POST: %d", post.Code)
	}

	var got struct {
		Version       string           `toml:"VERSION"`
		Network       string           `toml:"NETWORK_PASSPHRASE"`
		Key           string           `toml:"SIGNING_KEY"`
		Accounts      []string         `toml:"ACCOUNTS"`
		WebAuth       string           `toml:"WEB_AUTH_ENDPOINT"`
		Transfer      string           `toml:"TRANSFER_SERVER_SEP0024"`
		Documentation map[string]any   `toml:"DOCUMENTATION"`
		Currencies    []map[string]any `toml:"CURRENCIES"`
	}
	if err := toml.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != "2.7.0" || got.Network != network.TestNetworkPassphrase || got.Key != key || len(got.Accounts) != 1 ||
		got.WebAuth != "http://localhost:8000/auth" || got.Transfer != "http://localhost:8000/sep24" {
		t.Errorf("%+v", got)
	}
	docs := got.Documentation
	if docs["ORG_NAME"] != `Ñandú "Bank" Ltd` || docs["ORG_URL"] != "https://www.example.com" {
		t.Errorf("DOCUMENTATION: %v", docs)
	}
	usdw, xlm := got.Currencies[0], got.Currencies[1]
	if usdw["code"] != "USDW" || usdw["issuer"] != key || usdw["status"] != "test" || usdw["is_asset_anchored"] != true ||
		usdw["anchor_asset_type"] != "fiat" || usdw["anchor_asset"] != "USD" || usdw["display_decimals"] != int64(2) || usdw["desc"] == "" {
		t.Errorf("USDW: %v", usdw)
	}
	if _, has := xlm["issuer"]; has || xlm["code"] != "native" || xlm["anchor_asset_type"] != "crypto" || xlm["is_asset_anchored"] != false {
		t.Errorf("lumens: %v", xlm)
	}
	for line := range strings.SplitSeq(string(body), "\n") {
		if strings.Contains(line, "://") && strings.HasSuffix(strings.Trim(line, `"' `), "/") {
			t.Errorf("an address ends in a slash: %s", line)
		}
	}
}

// TestMinimal makes sure that the tables wallets rely on are there even when
// next to nothing is configured.
func TestMinimal(t *testing.T) {
	t.Parallel()
	c := config()
	c.Organization, c.Principals = sep1.Organization{Name: "A"}, nil
	h, err := sep1.New(c)
	if err != nil || !strings.Contains(string(h.TOML()), "[DOCUMENTATION]") || strings.Contains(string(h.TOML()), "PRINCIPALS") {
		t.Errorf("%v\n%s", err, h.TOML())
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*sep1.Config)
		names  string
	}{
		"no name":          {func(c *sep1.Config) { c.Organization.Name = "" }, "ORG_NAME"},
		"bad phone":        {func(c *sep1.Config) { c.Organization.Phone = "415 555" }, "ORG_PHONE_NUMBER"},
		"bad logo":         {func(c *sep1.Config) { c.Organization.Logo = "logo.png" }, "ORG_LOGO"},
		"no passphrase":    {func(c *sep1.Config) { c.NetworkPassphrase = "" }, "NETWORK_PASSPHRASE"},
		"bad key":          {func(c *sep1.Config) { c.SigningKey = "S" }, "SIGNING_KEY"},
		"bad account":      {func(c *sep1.Config) { c.Accounts = []string{"G"} }, "ACCOUNTS"},
		"slash":            {func(c *sep1.Config) { c.BaseURL += "/" }, "TRANSFER_SERVER_SEP0024"},
		"http in public":   {func(c *sep1.Config) { c.NetworkPassphrase = network.PublicNetworkPassphrase }, "https://"},
		"nameless person":  {func(c *sep1.Config) { c.Principals[0].Name = "" }, "PRINCIPALS"},
		"long name":        {func(c *sep1.Config) { c.Terms[0].Name = strings.Repeat("é", 21) }, "USDW"},
		"no asset":         {func(c *sep1.Config) { c.Terms = nil }, "CURRENCIES"},
		"bad issuer":       {func(c *sep1.Config) { c.Terms[0].Asset.Issuer = "" }, "issuer of USDW"},
		"too many letters": {func(c *sep1.Config) { c.Organization.Description = strings.Repeat("x", 100_000) }, "100000"},
	} {
		cfg := config()
		c.change(&cfg)
		if _, err := sep1.New(cfg); err == nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := config()
	cfg.SigningKey, cfg.Organization.Name = "", ""
	if _, err := sep1.New(cfg); !strings.Contains(err.Error(), "SIGNING_KEY") || !strings.Contains(err.Error(), "ORG_NAME") {
		t.Errorf("not all that is wrong is told: %v", err)
	}
}
