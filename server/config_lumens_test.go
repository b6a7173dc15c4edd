package main

import (
	"testing"

	"github.com/pelletier/go-toml/v2"

	"windlass/server/anchor"
)

// offerLumens makes of the example's asset lumens at a dollar each.
var offerLumens = []string{
	"code = \"USDX\"\nissuer = \"GBBD47IF6LWK7P7MDEVSCWR7DPUWV3NY3DTQEVFL4NAT4AQH3ZLLFLA5\"", `code = "native"`, `name = "US dollar"`, ``,
	"#price = \"1\"\n\n", "price = \"1\"\n\n", "#price = \"1\"\nmin", "price = \"1\"\nmin",
}

// Lumens are offered without an issuer, and stand in stellar.toml without one. They
// make the accounts of those who buy them, unless the least that can be bought is too
// little; then it is paid as a claimable balance.
func TestLumensAreConfigured(t *testing.T) {
	t.Parallel()
	for least, creates := range map[string]bool{"2": true, "1.99": false} { // less the fee of one
		c, problems := loadExample(t, nil, append(offerLumens, `min = "10"`, `min = "`+least+`"`, `fee_percent = "0.5"`, `fee_percent = "0"`)...)
		if problems != nil {
			t.Fatal(problems)
		}
		if a := c.terms[0]; a.Asset != anchor.Native || a.Name != "XLM" || a.Issues() {
			t.Errorf("%+v", a)
		}
		if c.createsAccounts() != creates || c.paysClaimable() == creates {
			t.Errorf("%s: accounts are made: %t; balances can be claimed: %t", least, c.createsAccounts(), c.paysClaimable())
		}
		if all := issued(c); len(all) != 0 {
			t.Errorf("the supply of %v is compared", all)
		}
		made, err := newSEP1(c)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Currencies []map[string]any `toml:"CURRENCIES"`
		}
		if err := toml.Unmarshal(made.TOML(), &file); err != nil {
			t.Fatal(err)
		}
		entry := file.Currencies[0]
		if _, has := entry["issuer"]; has || entry["code"] != "native" || entry["name"] != "XLM" || entry["anchor_asset_type"] != "crypto" || entry["is_asset_anchored"] != false {
			t.Errorf("stellar.toml has %v", entry)
		}
	}
}
