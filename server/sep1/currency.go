package sep1

import (
	"windlass/server/anchor"
)

// Currency is one [[CURRENCIES]] entry. What is left out is not in the file.
type Currency struct {
	Code            string `toml:"code,omitempty"`
	Issuer          string `toml:"issuer,omitempty"`   // lumens have none
	Contract        string `toml:"contract,omitempty"` // of a token that is no Stellar asset
	CodeTemplate    string `toml:"code_template,omitempty"`
	DisplayDecimals *int   `toml:"display_decimals,omitempty"`
	Name            string `toml:"name,omitempty"`
	Desc            string `toml:"desc,omitempty"`
	About
	// Link is the address of a file that describes the currency, alone.
	Link string `toml:"toml,omitempty"`
}

// About is what the operator tells of a currency beside what follows from what
// is exchanged. The names are SEP-1's in the configuration, too.
type About struct {
	Status               string   `toml:"status,omitempty" env:"STATUS"`
	Conditions           string   `toml:"conditions,omitempty" env:"CONDITIONS"`
	Image                string   `toml:"image,omitempty" env:"IMAGE"`
	FixedNumber          *int64   `toml:"fixed_number,omitempty" env:"FIXED_NUMBER"`
	MaxNumber            *int64   `toml:"max_number,omitempty" env:"MAX_NUMBER"`
	IsUnlimited          *bool    `toml:"is_unlimited,omitempty" env:"IS_UNLIMITED"`
	IsAssetAnchored      *bool    `toml:"is_asset_anchored,omitempty" env:"IS_ASSET_ANCHORED"`
	AnchorAssetType      string   `toml:"anchor_asset_type,omitempty" env:"ANCHOR_ASSET_TYPE"`
	AnchorAsset          string   `toml:"anchor_asset,omitempty" env:"ANCHOR_ASSET"`
	Attestation          string   `toml:"attestation_of_reserve,omitempty" env:"ATTESTATION_OF_RESERVE"`
	Redemption           string   `toml:"redemption_instructions,omitempty" env:"REDEMPTION_INSTRUCTIONS"`
	Collateral           []string `toml:"collateral_addresses,omitempty" env:"COLLATERAL_ADDRESSES"`
	CollateralMessages   []string `toml:"collateral_address_messages,omitempty" env:"COLLATERAL_ADDRESS_MESSAGES"`
	CollateralSignatures []string `toml:"collateral_address_signatures,omitempty" env:"COLLATERAL_ADDRESS_SIGNATURES"`
	Regulated            bool     `toml:"regulated,omitempty" env:"REGULATED"`
	ApprovalServer       string   `toml:"approval_server,omitempty" env:"APPROVAL_SERVER"`
	ApprovalCriteria     string   `toml:"approval_criteria,omitempty" env:"APPROVAL_CRITERIA"`
}

// currencies are all, those that are exchanged first.
func (cfg *Config) currencies() []Currency {
	var all []Currency
	for _, o := range cfg.Offers {
		all = append(all, cfg.offered(o))
	}
	for _, c := range cfg.Currencies {
		if c.Link == "" {
			c.complete(cfg.public())
		}
		all = append(all, c)
	}
	return all
}

// offered describes an asset that is exchanged. What the operator does not tell
// follows from the terms.
func (cfg *Config) offered(o Offer) Currency {
	c := Currency{Code: o.Asset.Code, Issuer: o.Asset.Issuer, DisplayDecimals: &o.Decimals, Name: o.Name, Desc: o.Description, About: o.About}
	if o.Asset.IsNative() {
		c.complete(cfg.public())
		c.AnchorAssetType = "crypto"
	} else {
		fill(&c.IsAssetAnchored, new(true))
		if *c.IsAssetAnchored {
			fill(&c.AnchorAsset, o.OffChain.Code)
			if c.AnchorAsset == o.OffChain.Code && o.OffChain.Scheme == anchor.ISO4217 {
				fill(&c.AnchorAssetType, "fiat")
			}
			if o.Withdraw.Enabled {
				fill(&c.Redemption, "Withdraw with any wallet that speaks SEP-24.")
			}
		}
		c.complete(cfg.public())
	}
	fill(&c.Desc, o.Asset.Symbol()+", exchanged for "+o.OffChain.Code+" by "+cfg.Organization.Name+".")
	return c
}

// complete fills in what wallets look for in every entry.
func (c *Currency) complete(public bool) {
	fill(&c.Status, map[bool]string{true: "live", false: "test"}[public])
	fill(&c.IsAssetAnchored, new(c.AnchorAsset != ""))
	fill(&c.AnchorAssetType, "other")
	if c.Code != anchor.Native.Code && c.FixedNumber == nil && c.MaxNumber == nil {
		fill(&c.IsUnlimited, new(true))
	}
}

func fill[T comparable](v *T, def T) {
	var empty T
	if *v == empty {
		*v = def
	}
}
