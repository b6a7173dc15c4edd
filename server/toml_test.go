package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
)

// told is what an operator may add to the example, for stellar.toml.
const told = `
[stellar_toml]
federation_server = "https://federation.example.com"

[[principals]]
name = "Jane Doe"
id_photo_hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

[[validators]]
alias = "example-1"
public_key = "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"
history = "https://history.example.com"

[[currencies]]
code_template = "CORN????????"
issuer = "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"
description = "A ton of corn."
[currencies.about]
status = "dead"
fixed_number = 10
`

// The wallet SDK, unmodified, reads what the configuration says.
func TestWalletSDKReadsStellarTOML(t *testing.T) {
	t.Parallel()
	text := example(t)
	for _, key := range []string{"conditions", "url", "phone", "keybase", "license_type", "official_email"} {
		text = strings.Replace(text, "\n#"+key+" = ", "\n"+key+" = ", 1)
	}
	text = strings.Replace(text, "\n[stellar_toml]\n", "\n", 1) + told
	c, problems := load(t, text, []string{"WINDLASS_PRINCIPALS_0_EMAIL=jane@example.com"})
	if problems != nil {
		t.Fatal(problems)
	}
	h, err := newSEP1(c)
	if err != nil {
		t.Fatal(err)
	}
	r := mux.NewRouter()
	h.Register(r)
	server := httptest.NewServer(r)
	defer server.Close()

	cmd := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", `
import sdk from '@stellar/typescript-wallet-sdk'
const wallet = new sdk.Wallet({ stellarConfiguration: sdk.StellarConfiguration.TestNet() })
const toml = await wallet.anchor({ homeDomain: process.argv[1], allowHttp: true }).sep1()
console.log(JSON.stringify(toml))`, strings.TrimPrefix(server.URL, "http://"))
	cmd.Dir = "../frontend"
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		t.Fatalf("the SDK (npm --prefix frontend ci installs it): %v\n%s", err, &complaints)
	}
	var got any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	const issuer = "GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5"
	want := map[string]any{
		"version": "2.7.0", "networkPassphrase": "Test SDF Network ; September 2015", "federationServer": "https://federation.example.com",
		"transferServerSep24": "https://anchor.example.com/sep24", "webAuthEndpoint": "https://anchor.example.com/auth",
		"signingKey": c.keys.Signing.Address(), "accounts": []any{c.keys.Distribution.Address(), c.keys.Fee.Address()},
		"documentation": map[string]any{"orgName": "Example Anchor Ltd", "orgUrl": "https://www.example.com", "orgPhoneNumber": "+14155550100",
			"orgKeybase": "example", "orgLicenseType": "money transmitter", "orgOfficialEmail": "office@example.com", "orgSupportEmail": "support@example.com"},
		"principals": []any{map[string]any{"name": "Jane Doe", "email": "jane@example.com",
			"idPhotoHash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}},
		"currencies": []any{
			map[string]any{"code": "USDX", "issuer": issuer, "status": "test", "displayDecimals": 2.0, "name": "US dollar",
				"desc": "A dollar at Example Anchor's bank, one for one.", "conditions": "For customers of Example Anchor.", "isUnlimited": true,
				"isAssetAnchored": true, "anchorAssetType": "fiat", "anchorAsset": "USD", "redemptionInstructions": "Withdraw with any wallet that speaks SEP-24."},
			map[string]any{"codeTemplate": "CORN????????", "issuer": issuer, "status": "dead", "desc": "A ton of corn.", "fixedNumber": 10.0,
				"isAssetAnchored": false, "anchorAssetType": "other"},
		},
		"validators": []any{map[string]any{"alias": "example-1", "publicKey": issuer, "history": "https://history.example.com"}},
	}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is printed is what is served; of nothing that will not do is a file made.
func TestTOMLIsPrinted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := devFiles(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, configFile)
	print := func(environ ...string) (int, string) {
		var out bytes.Buffer
		code := execute(t.Context(), process{[]string{"toml", "--config", path}, environ, &out, &out})
		return code, out.String()
	}
	cfg, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := newSEP1(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if code, out := print(); code != 0 || out != string(h.TOML()) {
		t.Errorf("exit code %d:\n%s\nis served as\n%s", code, out, h.TOML())
	}
	if code, out := print("WINDLASS_ORGANIZATION_DESCRIPTION=" + strings.Repeat("x", 100_000)); code == 0 || !strings.Contains(out, "at most 100000 are allowed; shorten") {
		t.Errorf("exit code %d: %.300s", code, out)
	}
	if code, out := print("WINDLASS_ORGANIZATION_PHONE=555", "WINDLASS_PRINCIPALS_0_TWITTER=@jane"); code == 0 ||
		!strings.Contains(out, `WINDLASS_ORGANIZATION_PHONE: organization.phone: "555" is not in E.164 format`) ||
		!strings.Contains(out, `principals[0].name: is missing`) || !strings.Contains(out, `principals[0].twitter: "@jane" will not do`) {
		t.Errorf("exit code %d: %s", code, out)
	}
}
