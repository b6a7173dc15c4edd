package horizon

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
)

// Root is what a Horizon says about itself.
type Root struct {
	Passphrase string `json:"network_passphrase"`
	Latest     uint32 `json:"history_latest_ledger"` // the newest ledger it has taken in
	Elder      uint32 `json:"history_elder_ledger"`  // the oldest it still has
}

// Root asks a Horizon about itself.
func (c *Client) Root(ctx context.Context) (Root, error) {
	var r Root
	_, err := c.get(ctx, "/", readLimit, maxObject, false, &r)
	return r, err
}

// Ledger is a closed ledger.
type Ledger struct {
	Sequence uint32    `json:"sequence"`
	Hash     string    `json:"hash"`
	ClosedAt time.Time `json:"closed_at"`
}

// Ledger reads a ledger; one that Horizon does not have (yet, or any more) is
// NotFound.
func (c *Client) Ledger(ctx context.Context, sequence uint32) (Ledger, error) {
	var l Ledger
	_, err := c.get(ctx, "/ledgers/"+strconv.FormatUint(uint64(sequence), 10), readLimit, maxObject, false, &l)
	return l, err
}

// LatestLedger reads the newest ledger that Horizon has taken in.
func (c *Client) LatestLedger(ctx context.Context) (Ledger, error) {
	var p page[Ledger]
	if _, err := c.get(ctx, "/ledgers?order=desc&limit=1", readLimit, maxObject, false, &p); err != nil {
		return Ledger{}, err
	}
	if len(p.Embedded.Records) != 1 {
		return Ledger{}, unavailable(&Problem{Type: "no_ledger", Status: 200})
	}
	return p.Embedded.Records[0], nil
}

type page[T any] struct {
	Embedded struct {
		Records []T `json:"records"`
	} `json:"_embedded"`
}

// Account is an account as of one ledger.
type Account struct {
	ID       string
	Sequence int64
	// LatestLedger is the newest ledger that this very answer reflects, 0 if
	// Horizon did not say. Sequence and LatestLedger together are a proof.
	LatestLedger uint32
	Balances     []Balance
	Signers      []Signer
	Thresholds   Thresholds
	Flags        Flags
	HomeDomain   string
	// Reserves is how many base reserves of lumens it must keep: its own, and
	// those that it sponsors for others.
	Reserves int64
}

// Balance is one holding: lumens, a trustline, or (with no asset) a share of a
// liquidity pool.
type Balance struct {
	Asset                                 anchor.Asset
	Amount                                anchor.Amount
	Limit                                 anchor.Amount // of the trustline
	BuyingLiabilities, SellingLiabilities anchor.Amount
	Authorized                            bool // may receive and send
	Maintains                             bool // may keep what it has, and no more
}

// Room is how much more of the asset the holder can take.
func (b *Balance) Room() anchor.Amount {
	if b.Asset.IsNative() {
		return anchor.MaxAmount - b.Amount - b.BuyingLiabilities
	}
	return b.Limit - b.Amount - b.BuyingLiabilities
}

// Signer is a key that can sign for the account.
type Signer struct {
	Key    string `json:"key"`
	Weight int32  `json:"weight"`
	Type   string `json:"type"` // "ed25519_public_key", …
}

// Thresholds are the weights that an account's operations need.
type Thresholds struct {
	Low    byte `json:"low_threshold"`
	Medium byte `json:"med_threshold"`
	High   byte `json:"high_threshold"`
}

// Flags are an issuer's.
type Flags struct {
	AuthRequired        bool `json:"auth_required"`
	AuthRevocable       bool `json:"auth_revocable"`
	AuthImmutable       bool `json:"auth_immutable"`
	AuthClawbackEnabled bool `json:"auth_clawback_enabled"`
}

// Balance finds the holding of an asset.
func (a *Account) Balance(asset anchor.Asset) (Balance, bool) {
	for _, b := range a.Balances {
		if b.Asset == asset && asset != (anchor.Asset{}) {
			return b, true
		}
	}
	return Balance{}, false
}

type accountBody struct {
	ID         string      `json:"account_id"`
	Sequence   *int64      `json:"sequence,string"`
	HomeDomain string      `json:"home_domain"`
	Thresholds *Thresholds `json:"thresholds"`
	Flags      Flags       `json:"flags"`
	Balances   []struct {
		assetBody
		Balance    anchor.Amount `json:"balance"`
		Limit      anchor.Amount `json:"limit"`
		Buying     anchor.Amount `json:"buying_liabilities"`
		Selling    anchor.Amount `json:"selling_liabilities"`
		Authorized bool          `json:"is_authorized"`
		Maintains  bool          `json:"is_authorized_to_maintain_liabilities"`
	} `json:"balances"`
	Signers    []Signer `json:"signers"`
	Subentries int64    `json:"subentry_count"`
	Sponsoring int64    `json:"num_sponsoring"`
	Sponsored  int64    `json:"num_sponsored"`
}

// assetBody is how Horizon spells an asset.
type assetBody struct {
	Type   string `json:"asset_type"`
	Code   string `json:"asset_code"`
	Issuer string `json:"asset_issuer"`
}

// asset is zero for what is neither lumens nor a credit.
func (a assetBody) asset() anchor.Asset {
	switch a.Type {
	case "native":
		return anchor.Native
	case "credit_alphanum4", "credit_alphanum12":
		return anchor.Asset{Scheme: anchor.Stellar, Code: a.Code, Issuer: a.Issuer}
	}
	return anchor.Asset{}
}

// Account reads an account. One that does not exist is NotFound; whatever else
// goes wrong is Unavailable.
func (c *Client) Account(ctx context.Context, id string) (*Account, error) {
	var b accountBody
	h, err := c.get(ctx, "/accounts/"+url.PathEscape(id), readLimit, maxObject, false, &b)
	if err != nil {
		return nil, err
	}
	// An answer without its essentials is no answer: an account without signers
	// or thresholds would let anybody in, and one without a sequence number would
	// prove that what is on its way can never apply.
	if b.ID != id || b.Sequence == nil || len(b.Signers) == 0 || b.Thresholds == nil {
		return nil, unavailable(&Problem{Type: "incomplete_account", Status: 200})
	}
	a := &Account{ID: b.ID, Sequence: *b.Sequence, Signers: b.Signers, Thresholds: *b.Thresholds, Flags: b.Flags, HomeDomain: b.HomeDomain,
		Reserves: 2 + b.Subentries + b.Sponsoring - b.Sponsored}
	if n, err := strconv.ParseUint(h.Get("Latest-Ledger"), 10, 32); err == nil {
		a.LatestLedger = uint32(n)
	}
	for _, x := range b.Balances {
		a.Balances = append(a.Balances, Balance{
			Asset: x.asset(), Amount: x.Balance, Limit: x.Limit, BuyingLiabilities: x.Buying, SellingLiabilities: x.Selling,
			Authorized: x.Authorized || x.asset().IsNative(), Maintains: x.Maintains && !x.Authorized,
		})
	}
	return a, nil
}

// HasClaimableBalance reports whether a claimable balance is there to be claimed.
func (c *Client) HasClaimableBalance(ctx context.Context, id string) (bool, error) {
	var b struct {
		ID string `json:"id"`
	}
	_, err := c.get(ctx, "/claimable_balances/"+url.PathEscape(id), readLimit, maxObject, true, &b)
	switch {
	case err != nil && anchor.KindOf(err) == anchor.NotFound:
		return false, nil
	case err == nil && b.ID != id:
		return false, unavailable(&Problem{Type: "incomplete_claimable_balance", Status: 200})
	}
	return err == nil, err
}

// Transaction is a transaction in the ledger, applied well or badly.
type Transaction struct {
	// Hash is the one asked for: a fee bump is found by its inner hash too.
	Hash       string    `json:"hash"`
	Successful bool      `json:"successful"`
	Ledger     uint32    `json:"ledger"`
	At         time.Time `json:"created_at"`
	FeeAccount string    `json:"fee_account"`
	FeeCharged int64     `json:"fee_charged,string"` // stroops
	// EnvelopeXDR is what was signed, ResultXDR what became of it.
	EnvelopeXDR string `json:"envelope_xdr"`
	ResultXDR   string `json:"result_xdr"`
	FeeBump     struct {
		Hash string `json:"hash"`
	} `json:"fee_bump_transaction"`
	InnerTransaction struct {
		Hash string `json:"hash"`
	} `json:"inner_transaction"`
	Cursor string `json:"paging_token"`
}

// Listed is the hash by which the ledger, its payments and every explorer name
// the transaction: the fee bump's own, if it is one.
func (t *Transaction) Listed() string {
	if t.FeeBump.Hash != "" {
		return t.FeeBump.Hash
	}
	return t.Hash
}

// Inner is the inner transaction's hash if it is a fee bump, else its own.
func (t *Transaction) Inner() string {
	if t.InnerTransaction.Hash != "" {
		return t.InnerTransaction.Hash
	}
	return t.Hash
}

// Transactions reads the page of an account's transactions after cursor, oldest
// first; "" is the beginning of its history. Those that failed are among them:
// they cost a fee, too. An account that never existed is NotFound.
func (c *Client) Transactions(ctx context.Context, account, cursor string, limit int) ([]Transaction, error) {
	var p page[Transaction]
	path := pagePath(account, "transactions", cursor, limit, "include_failed", "true")
	if _, err := c.get(ctx, path, pageLimit, maxPage, false, &p); err != nil {
		return nil, err
	}
	for _, t := range p.Embedded.Records {
		// What is missing must not pass for nothing: the network charges a fee for
		// every transaction.
		if t.Cursor == "" || t.Hash == "" || t.Ledger == 0 || t.At.IsZero() || t.FeeAccount == "" || t.FeeCharged <= 0 {
			return nil, unavailable(&Problem{Type: "incomplete_transaction", Status: 200})
		}
	}
	return p.Embedded.Records, nil
}

// Supply is how much of an asset exists, wherever it is, and the newest ledger
// that the answer reflects. NotFound says that this Horizon cannot tell.
func (c *Client) Supply(ctx context.Context, asset anchor.Asset) (supply anchor.Amount, latest uint32, err error) {
	var p page[struct {
		assetBody
		Balances *struct {
			Authorized   anchor.Amount `json:"authorized"`
			Maintains    anchor.Amount `json:"authorized_to_maintain_liabilities"`
			Unauthorized anchor.Amount `json:"unauthorized"`
		} `json:"balances"`
		Claimable anchor.Amount `json:"claimable_balances_amount"`
		Pools     anchor.Amount `json:"liquidity_pools_amount"`
		Contracts anchor.Amount `json:"contracts_amount"`
	}]
	q := url.Values{"asset_code": {asset.Code}, "asset_issuer": {asset.Issuer}}
	h, err := c.get(ctx, "/assets?"+q.Encode(), readLimit, maxObject, false, &p)
	if err != nil {
		return 0, 0, err
	}
	if n, err := strconv.ParseUint(h.Get("Latest-Ledger"), 10, 32); err == nil {
		latest = uint32(n)
	}
	for _, r := range p.Embedded.Records {
		if r.asset() != asset || r.Balances == nil {
			return 0, 0, unavailable(&Problem{Type: "incomplete_asset", Status: 200})
		}
		for _, part := range []anchor.Amount{r.Balances.Authorized, r.Balances.Maintains, r.Balances.Unauthorized, r.Claimable, r.Pools, r.Contracts} {
			if supply, err = supply.Add(part); err != nil {
				return 0, 0, err
			}
		}
	}
	return supply, latest, nil
}

// Transaction looks a hash up, on every Horizon if the first does not know it.
// NotFound proves nothing: it may still be on its way, or older than a Horizon's
// history, or on one that did not answer.
func (c *Client) Transaction(ctx context.Context, hash string) (*Transaction, error) {
	var t Transaction
	if _, err := c.get(ctx, "/transactions/"+url.PathEscape(hash), readLimit, maxObject, true, &t); err != nil {
		return nil, err
	}
	// Nor is one about another transaction, or one that contradicts itself.
	var r xdr.TransactionResult
	if err := xdr.SafeUnmarshalBase64(t.ResultXDR, &r); err != nil || t.Hash != hash || t.Ledger == 0 || t.Successful != r.Successful() {
		return nil, unavailable(&Problem{Type: "incomplete_transaction", Status: 200})
	}
	return &t, nil
}

// FeeStats are what transactions paid lately, in stroops for each operation.
type FeeStats struct {
	BaseFee    int64   // the network's minimum
	Capacity   float64 // how full ledgers are, 0 to 1
	ChargedP99 int64   // what was charged
	MaxFeeP90  int64   // what was bid
}

// FeeStats reads what transactions paid lately.
func (c *Client) FeeStats(ctx context.Context) (FeeStats, error) {
	var b struct {
		BaseFee  int64   `json:"last_ledger_base_fee,string"`
		Capacity float64 `json:"ledger_capacity_usage,string"`
		Charged  struct {
			P99 int64 `json:"p99,string"`
		} `json:"fee_charged"`
		MaxFee struct {
			P90 int64 `json:"p90,string"`
		} `json:"max_fee"`
	}
	if _, err := c.get(ctx, "/fee_stats", readLimit, maxObject, false, &b); err != nil {
		return FeeStats{}, err
	}
	return FeeStats{BaseFee: b.BaseFee, Capacity: b.Capacity, ChargedP99: b.Charged.P99, MaxFeeP90: b.MaxFee.P90}, nil
}
