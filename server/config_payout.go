package main

import (
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/anchor"
)

// payouts judges how long money that left, or cannot leave, is waited for.
func (k *check) payouts(c *Config) {
	k.between("payout.trust_window", c.Payout.TrustWindow, time.Hour, 365*24*time.Hour)
	if c.Payout.ClaimBackAfter != 0 {
		k.between("payout.claim_back_after", c.Payout.ClaimBackAfter, 24*time.Hour, 10*365*24*time.Hour)
	}
}

// The least lumens that make an account, and the most that one customer is given:
// more is a slip of the finger.
const leastLumens, mostLumens = anchor.One, 100 * anchor.One

// moneyOut reads what of an asset leaves without a second person, and how
// customers are helped to receive it.
func (k *check) moneyOut(c *Config, at string, a *AssetConfig, t *anchor.Terms) {
	amount := func(key, value string, least, most anchor.Amount, hint string) anchor.Amount {
		if value == "" {
			return 0
		}
		v, err := anchor.ParseAmount(value)
		if err != nil || v != 0 && v < least || v > most {
			k.wrong(at+key, "%q will not do; expected %s in quotes, or nothing for none", value, hint)
		}
		return v
	}
	t.PayoutLimit = amount("payout_limit", a.PayoutLimit, 1, anchor.MaxAmount, `a plain decimal such as "5000"`)
	t.DailyLimit = amount("daily_limit", a.DailyLimit, 1, anchor.MaxAmount, `a plain decimal such as "100000"`)
	if t.DailyLimit != 0 && t.PayoutLimit > t.DailyLimit {
		k.wrong(at+"daily_limit", "%s is below payout_limit, %s", a.DailyLimit, a.PayoutLimit)
	}
	t.CreateAccount = amount("create_account", a.CreateAccount, leastLumens, mostLumens, "1 to 100 lumens")
	t.TopUp = amount("top_up", a.TopUp, anchor.One/2, mostLumens, "0.5 to 100 lumens")
	k.authorizer(c, at, a, t)
}

// authorizer reads the key that authorizes trustlines, which need not be.
func (k *check) authorizer(c *Config, at string, a *AssetConfig, t *anchor.Terms) {
	if a.AuthorizerSeed == "" && a.AuthorizerSeedFile == "" {
		return
	}
	var key *keypair.Full
	k.secret(at, "authorizer_seed", &a.AuthorizerSeed, a.AuthorizerSeedFile, "a secret seed, S followed by 55 letters and digits", func(v string) (err error) {
		key, err = keypair.ParseFull(v)
		return err
	})
	if key == nil {
		return
	}
	other := c.keys.Authorizers[t.Asset.Issuer]
	switch {
	case t.ThirdParty:
		k.wrong(at+"authorizer_seed", "is for assets of your own, and third_party says that somebody else issues this one; remove one of them")
	case key.Address() == t.Asset.Issuer:
		k.wrong(at+"authorizer_seed", "is the issuer's own: whoever has it can make any amount of the asset; add another key to the issuer's signers, with a weight that reaches its low threshold only")
	case other != nil && other.Address() != key.Address():
		k.wrong(at+"authorizer_seed", "is another than that of another asset of the same issuer; give both the same")
	default:
		if c.keys.Authorizers == nil {
			c.keys.Authorizers = map[string]*keypair.Full{}
		}
		c.keys.Authorizers[t.Asset.Issuer] = key
	}
}

// makesAccount reports whether each deposit of an asset can make its customer's
// account: with what is given for it, or with the lumens that are paid out.
func makesAccount(t *anchor.Terms) bool {
	if !t.Asset.IsNative() {
		return t.CreateAccount > 0
	}
	for _, m := range t.Deposit.Methods {
		if p, err := t.Price(anchor.Deposit, m.ID, t.Deposit.Min); err != nil || p.Out < leastLumens {
			return false
		}
	}
	return true
}

// createsAccounts reports whether every deposit can make its customer's account.
func (c *Config) createsAccounts() bool {
	for _, t := range c.terms {
		if t.Deposit.Enabled && !makesAccount(t) {
			return false
		}
	}
	return true
}

// paysClaimable reports whether some deposit can be paid by a claimable balance:
// one of an asset whose issuer authorizes trustlines could not be claimed, and
// lumens need none where they make the account.
func (c *Config) paysClaimable() bool {
	for _, t := range c.terms {
		if t.Deposit.Enabled && c.keys.Authorizers[t.Asset.Issuer] == nil && !(t.Asset.IsNative() && makesAccount(t)) {
			return true
		}
	}
	return false
}
