package sep1_test

import (
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/pelletier/go-toml/v2"
	"github.com/stellar/go-stellar-sdk/network"

	"windlass/server/anchor"
	"windlass/server/sep1"
)

const key = "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR"

func config() sep1.Config {
	return sep1.Config{
		BaseURL: "http://localhost:8000", HomeDomain: "anchor.example.com", NetworkPassphrase: network.TestNetworkPassphrase,
		SigningKey: key, Accounts: []string{key},
		Organization: sep1.Organization{Name: `Ñandú "Bank" Ltd`, URL: "https://www.example.com/", SupportEmail: "support@example.com", Phone: "+14155552671"},
		Principals:   []sep1.Principal{{Name: "Jane Doe", Email: "jane@example.com"}},
		Offers: []sep1.Offer{
			{Terms: &anchor.Terms{Asset: anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: key}, OffChain: anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"},
				Name: "US dollar", Decimals: 2, Withdraw: anchor.Side{Enabled: true}}},
			{Terms: &anchor.Terms{Asset: anchor.Native, OffChain: anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}, Name: "Lumen", Description: "Lumens.", Decimals: 7}},
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
	if post := get("POST", ""); post.Code != 405 || post.Header().Get("Allow") != "GET, HEAD, OPTIONS" || post.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("POST: %d %v", post.Code, post.Header())
	}
	if preflight := get("OPTIONS", ""); preflight.Code != 204 || preflight.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("preflight: %d %v", preflight.Code, preflight.Header())
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
		usdw["anchor_asset_type"] != "fiat" || usdw["anchor_asset"] != "USD" || usdw["display_decimals"] != int64(2) || usdw["desc"] == "" || usdw["is_unlimited"] != true {
		t.Errorf("USDW: %v", usdw)
	}
	if _, limited := xlm["is_unlimited"]; limited {
		t.Errorf("lumens: %v", xlm)
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

// TestEverything tells every field that SEP-1 has and this anchor can fill.
func TestEverything(t *testing.T) {
	t.Parallel()
	h, err := sep1.New(everything())
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := toml.Unmarshal(h.TOML(), &got); err != nil {
		t.Fatal(err)
	}
	fields := map[string]map[string]any{"": got}
	for _, table := range []string{"DOCUMENTATION", "PRINCIPALS", "CURRENCIES", "VALIDATORS"} {
		fields[table] = map[string]any{}
		switch v := got[table].(type) {
		case map[string]any:
			maps.Copy(fields[table], v)
		case []any:
			for _, entry := range v {
				if e, ok := entry.(map[string]any); ok {
					maps.Copy(fields[table], e)
				}
			}
		}
	}
	for table, names := range map[string]string{
		"":              "VERSION NETWORK_PASSPHRASE FEDERATION_SERVER TRANSFER_SERVER_SEP0024 WEB_AUTH_ENDPOINT SIGNING_KEY HORIZON_URL ACCOUNTS URI_REQUEST_SIGNING_KEY",
		"DOCUMENTATION": "ORG_NAME ORG_DBA ORG_URL ORG_LOGO ORG_DESCRIPTION ORG_PHYSICAL_ADDRESS ORG_PHYSICAL_ADDRESS_ATTESTATION ORG_PHONE_NUMBER ORG_PHONE_NUMBER_ATTESTATION ORG_KEYBASE ORG_TWITTER ORG_GITHUB ORG_OFFICIAL_EMAIL ORG_SUPPORT_EMAIL ORG_LICENSING_AUTHORITY ORG_LICENSE_TYPE ORG_LICENSE_NUMBER",
		"PRINCIPALS":    "name email keybase telegram twitter github id_photo_hash verification_photo_hash",
		"CURRENCIES":    "code issuer contract code_template status display_decimals name desc conditions image fixed_number max_number is_unlimited is_asset_anchored anchor_asset_type anchor_asset attestation_of_reserve redemption_instructions collateral_addresses collateral_address_messages collateral_address_signatures regulated approval_server approval_criteria toml",
		"VALIDATORS":    "ALIAS DISPLAY_NAME PUBLIC_KEY HOST HISTORY",
	} {
		for name := range strings.FieldsSeq(names) {
			if v, ok := fields[table][name]; !ok || v == "" {
				t.Errorf("%s.%s is not there", table, name)
			}
		}
	}
	for _, none := range []string{"AUTH_SERVER", "TRANSFER_SERVER", "KYC_SERVER", "WEB_AUTH_FOR_CONTRACTS_ENDPOINT", "WEB_AUTH_CONTRACT_ID", "DIRECT_PAYMENT_SERVER", "ANCHOR_QUOTE_SERVER"} {
		if got[none] != nil {
			t.Errorf("%s is there, and nothing behind it", none)
		}
	}
}

const contract = "CA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUWDA"

// everything is a configuration in which every field is filled.
func everything() sep1.Config {
	c := config()
	hash := strings.Repeat("0a", 32)
	c.Federation, c.Horizon, c.URISigningKey = "https://federation.example.com/", "https://horizon.example.com", key
	c.Organization = sep1.Organization{
		Name: "Example Ltd", DBA: "Example", URL: "https://www.example.com", Logo: "https://www.example.com/logo.png", Description: "An anchor.",
		Address: "1 Harbour Street", AddressAttestation: "https://www.example.com/a.pdf", Phone: "+14155552671", PhoneAttestation: "https://www.example.com/p.pdf",
		Keybase: "example", Twitter: "example", Github: "example", OfficialEmail: "office@example.com", SupportEmail: "support@elsewhere.example",
		LicensingAuthority: "Harbour Master", LicenseType: "money", LicenseNumber: "1",
	}
	c.Principals = []sep1.Principal{{Name: "Jane Doe", Email: "jane@example.com", Keybase: "jane", Telegram: "jane", Twitter: "jane", Github: "jane",
		IDPhotoHash: hash, VerificationPhoto: hash}}
	c.Validators = []sep1.Validator{{Alias: "example-1", DisplayName: "Example 1", PublicKey: key, Host: "core.example.com:11625", History: "https://history.example.com/prd/"}}
	ten := int64(10)
	start := time.Now().UTC()
	c.Currencies = []sep1.Currency{
		{Code: "BTCX", Issuer: key, Name: "Bitcoin", Desc: "A bitcoin.", DisplayDecimals: new(7), About: sep1.About{
			Status: "private", Conditions: "None.", Image: "https://www.example.com/btc.png", MaxNumber: &ten, AnchorAssetType: "crypto", AnchorAsset: "BTC",
			Attestation: "https://www.example.com/audit", Redemption: "Write to us.", Collateral: []string{"2C1mCx3ukix1KfegAY5zgQJV7sanAciZpv"},
			CollateralMessages: []string{"The assets in the account 2C1mCx3ukix1KfegAY5zgQJV7sanAciZpv are reserved to back BTCX issued by " + key +
				" on Stellar. Valid from " + start.Format(time.DateOnly) + " to " + start.AddDate(0, 11, 0).Format(time.DateOnly) + "."},
			CollateralSignatures: []string{"MEUCIQ=="}}},
		{CodeTemplate: "CORN????????", Issuer: key, Desc: "Corn.", About: sep1.About{FixedNumber: &ten, Regulated: true, ApprovalServer: "https://approval.example.com/", ApprovalCriteria: "Ask."}},
		{Code: "TOKEN", Contract: contract, Desc: "A token.", About: sep1.About{Status: "dead"}},
		{Link: "https://www.example.com/.well-known/WHEAT.toml"},
	}
	return c
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	ten, no := int64(10), false
	for name, c := range map[string]struct {
		change func(*sep1.Config)
		names  string
	}{
		"no name":             {func(c *sep1.Config) { c.Organization.Name = "" }, "ORG_NAME: is missing"},
		"bad phone":           {func(c *sep1.Config) { c.Organization.Phone = "415 555" }, "ORG_PHONE_NUMBER"},
		"bad logo":            {func(c *sep1.Config) { c.Organization.Logo = "logo.png" }, "ORG_LOGO"},
		"URL of http":         {func(c *sep1.Config) { c.Organization.URL = "http://example.com" }, "ORG_URL"},
		"URL elsewhere":       {func(c *sep1.Config) { c.Organization.URL = "https://example.org" }, "ORG_URL"},
		"paper elsewhere":     {func(c *sep1.Config) { c.Organization.AddressAttestation = "https://example.org/a" }, "ORG_PHYSICAL_ADDRESS_ATTESTATION"},
		"paper of nobody":     {func(c *sep1.Config) { c.Organization.URL = "" }, "ORG_PHONE_NUMBER_ATTESTATION"},
		"bad mail":            {func(c *sep1.Config) { c.Organization.SupportEmail = "support" }, "ORG_SUPPORT_EMAIL"},
		"mail elsewhere":      {func(c *sep1.Config) { c.Organization.OfficialEmail = "a@example.org" }, "ORG_OFFICIAL_EMAIL"},
		"an address as name":  {func(c *sep1.Config) { c.Organization.Twitter = "https://twitter.com/a" }, "ORG_TWITTER"},
		"no passphrase":       {func(c *sep1.Config) { c.NetworkPassphrase = "" }, "NETWORK_PASSPHRASE"},
		"bad key":             {func(c *sep1.Config) { c.SigningKey = "S" }, "SIGNING_KEY"},
		"bad account":         {func(c *sep1.Config) { c.Accounts = []string{key, "G"} }, "ACCOUNTS[1]"},
		"bad other key":       {func(c *sep1.Config) { c.URISigningKey = "G" }, "URI_REQUEST_SIGNING_KEY"},
		"federation by http":  {func(c *sep1.Config) { c.Federation = "http://a.example" }, "FEDERATION_SERVER"},
		"slash":               {func(c *sep1.Config) { c.BaseURL += "/" }, "TRANSFER_SERVER_SEP0024"},
		"http in public":      {func(c *sep1.Config) { c.NetworkPassphrase = network.PublicNetworkPassphrase }, "https://"},
		"nameless person":     {func(c *sep1.Config) { c.Principals[0].Name = "" }, "PRINCIPALS[0].name"},
		"bad hash":            {func(c *sep1.Config) { c.Principals[0].IDPhotoHash = "0a" }, "PRINCIPALS[0].id_photo_hash"},
		"bad alias":           {func(c *sep1.Config) { c.Validators[0].Alias = "Example" }, "VALIDATORS[0].ALIAS"},
		"bad node":            {func(c *sep1.Config) { c.Validators[0].PublicKey = "" }, "VALIDATORS[0].PUBLIC_KEY"},
		"bad host":            {func(c *sep1.Config) { c.Validators[0].Host = "core.example.com" }, "VALIDATORS[0].HOST"},
		"bad history":         {func(c *sep1.Config) { c.Validators[0].History = "here" }, "VALIDATORS[0].HISTORY"},
		"a node twice":        {func(c *sep1.Config) { c.Validators = append(c.Validators, c.Validators[0]) }, "VALIDATORS[1].PUBLIC_KEY"},
		"long name":           {func(c *sep1.Config) { c.Offers[0].Name = strings.Repeat("é", 21) }, "CURRENCIES[0].name"},
		"no asset":            {func(c *sep1.Config) { c.Offers = nil }, "CURRENCIES"},
		"bad issuer":          {func(c *sep1.Config) { c.Offers[0].Asset.Issuer = "" }, "CURRENCIES[0].issuer"},
		"decimals":            {func(c *sep1.Config) { c.Offers[0].Decimals = 8 }, "CURRENCIES[0].display_decimals"},
		"unknown status":      {func(c *sep1.Config) { c.Offers[0].About.Status = "fine" }, "CURRENCIES[0].status"},
		"live on a test net":  {func(c *sep1.Config) { c.Offers[0].About.Status = "live" }, "CURRENCIES[0].status"},
		"offered, regulated":  {func(c *sep1.Config) { c.Offers[0].About.Regulated = true }, "CURRENCIES[0].regulated"},
		"no approval server":  {func(c *sep1.Config) { c.Currencies[1].ApprovalServer = "" }, "CURRENCIES[3].regulated"},
		"approval of nothing": {func(c *sep1.Config) { c.Currencies[0].ApprovalCriteria = "x" }, "CURRENCIES[2].regulated"},
		"two limits":          {func(c *sep1.Config) { c.Currencies[0].FixedNumber = &ten }, "CURRENCIES[2].max_number"},
		"not unlimited":       {func(c *sep1.Config) { c.Offers[0].About.IsUnlimited = &no }, "CURRENCIES[0].is_unlimited"},
		"anchor type":         {func(c *sep1.Config) { c.Offers[0].About.AnchorAssetType = "money" }, "CURRENCIES[0].anchor_asset_type"},
		"not anchored to":     {func(c *sep1.Config) { c.Offers[0].About.IsAssetAnchored, c.Offers[0].About.AnchorAsset = &no, "USD" }, "CURRENCIES[0].is_asset_anchored"},
		"anchored to nothing": {func(c *sep1.Config) { c.Currencies[2].IsAssetAnchored = new(true) }, "CURRENCIES[4].anchor_asset"},
		"fewer signatures":    {func(c *sep1.Config) { c.Currencies[0].CollateralSignatures = nil }, "CURRENCIES[2].collateral_addresses"},
		"bad signature":       {func(c *sep1.Config) { c.Currencies[0].CollateralSignatures[0] = "%" }, "CURRENCIES[2].collateral_address_signatures"},
		"another message":     {func(c *sep1.Config) { c.Currencies[0].CollateralMessages[0] = "Ours." }, "CURRENCIES[2].collateral_address_messages"},
		"a promise too long": {func(c *sep1.Config) {
			m := &c.Currencies[0].CollateralMessages[0]
			*m = strings.ReplaceAll(*m, "to "+time.Now().UTC().AddDate(0, 11, 0).Format(time.DateOnly), "to "+time.Now().AddDate(2, 0, 0).Format(time.DateOnly))
		}, "CURRENCIES[2].collateral_address_messages"},
		"lumens with issuer":  {func(c *sep1.Config) { c.Currencies[0].Code = "native" }, "CURRENCIES[2].issuer"},
		"code and template":   {func(c *sep1.Config) { c.Currencies[1].Code = "CORN" }, "CURRENCIES[3].code"},
		"no wildcard":         {func(c *sep1.Config) { c.Currencies[1].CodeTemplate = "CORN" }, "CURRENCIES[3].code_template"},
		"issuer and contract": {func(c *sep1.Config) { c.Currencies[2].Issuer = key }, "CURRENCIES[4].issuer"},
		"bad contract":        {func(c *sep1.Config) { c.Currencies[2].Contract = key }, "CURRENCIES[4].contract"},
		"more than a link":    {func(c *sep1.Config) { c.Currencies[3].Code = "WHEAT" }, "CURRENCIES[5].toml"},
		"offered twice":       {func(c *sep1.Config) { c.Currencies[0].Code = "USDW" }, "CURRENCIES[2].code"},
		"too many letters":    {func(c *sep1.Config) { c.Organization.Description = strings.Repeat("x", 100_000) }, "100000"},
	} {
		cfg := everything()
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
