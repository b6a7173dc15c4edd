package sandbox

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// Lists of what the ledger holds: accounts, assets, claimable balances. Their
// cursors are not positions in history but what each list is sorted by.

// listed is the page of a sorted list that begins behind the cursor. compare
// places an entry before (negative), at or behind the cursor.
func listed[T any](all []T, q pageQuery, compare func(T) int, keep func(T) bool) []T {
	from, to := 0, len(all)
	if q.given != "" && q.descending {
		to = sort.Search(len(all), func(i int) bool { return compare(all[i]) >= 0 })
	} else if q.given != "" {
		from = sort.Search(len(all), func(i int) bool { return compare(all[i]) > 0 })
	}
	all = all[from:to]
	var out []T
	for i := 0; i < len(all) && len(out) < q.limit; i++ {
		v := all[i]
		if q.descending {
			v = all[len(all)-1-i]
		}
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

// filterAccount reads a filter that is an address, nil if it is not given.
func (r *request) filterAccount(name string) (*accountID, error) {
	text := r.filter(name)
	if text == "" {
		return nil, nil
	}
	key, err := strkey.Decode(strkey.VersionByteAccountID, text)
	if err != nil {
		return nil, invalidField(name, badAccount)
	}
	id := accountID(key)
	return &id, nil
}

// filterAsset reads a filter such as "USD:G…" or "native", nil if it is not
// given.
func (r *request) filterAsset(name string) (*asset, error) {
	text := r.filter(name)
	if text == "" {
		return nil, nil
	}
	if strings.EqualFold(text, "native") {
		return &asset{}, nil
	}
	a, ok := parseAsset(text)
	if !ok {
		return nil, invalidField(name, `Asset must be the string "native" or a string of the form "Code:IssuerAccountID" for issued assets.`)
	}
	return &a, nil
}

var errAccountsFilter = problem{Type: "invalid_accounts_params", Title: "Invalid Accounts Parameters", Status: http.StatusBadRequest,
	Detail: "Exactly one filter is required. Please ensure that you are including a signer, sponsor, asset, or liquidity pool filter."}

// accounts lists those that have a signer, a sponsor or an asset.
func (a *api) accounts(r *request) ([]record, error) {
	ids, err := a.accountsBy(r)
	if err != nil {
		return nil, err
	}
	compare := func(id accountID) int { return strings.Compare(id.String(), r.page.given) }
	var out []record
	for _, id := range listed(ids, r.page, compare, all) {
		body := r.links.account(a.history, a.state.account(id))
		out = append(out, record{body.PagingToken, body})
	}
	return out, nil
}

func all[T any](T) bool { return true }

// accountsBy finds the accounts by the filter that is given.
func (a *api) accountsBy(r *request) ([]accountID, error) {
	signer, err := r.filterAccount("signer")
	if err != nil {
		return nil, err
	}
	sponsor, err := r.filterAccount("sponsor")
	if err != nil {
		return nil, err
	}
	of, err := r.filterAsset("asset")
	if err != nil {
		return nil, err
	}
	pool := r.filter("liquidity_pool")
	if _, err := hex.DecodeString(pool); err != nil || pool != "" && len(pool) != 64 {
		return nil, invalidField("liquidity_pool", pool+" does not validate as sha256")
	}
	if of != nil && of.native() {
		return nil, invalidField("asset", "you can't filter by asset: native")
	}
	filters := 0
	for _, given := range []bool{signer != nil, sponsor != nil, of != nil, pool != ""} {
		if given {
			filters++
		}
	}
	switch {
	case filters != 1:
		return nil, errAccountsFilter
	case signer != nil:
		return a.accountsOfSigner(*signer), nil
	case sponsor != nil:
		return a.state.index.accounts[indexKey{by: findBySponsor, id: *sponsor}].list(), nil
	case of != nil:
		return a.state.index.accounts[indexKey{by: findByAsset, asset: *of}].list(), nil
	}
	return nil, nil // there are no pools
}

// accountsOfSigner counts the account whose master key it is too, unless that
// has lost its weight.
func (a *api) accountsOfSigner(signer accountID) []accountID {
	ids := a.state.index.accounts[indexKey{by: findBySigner, id: signer}].list()
	own := a.state.account(signer)
	if own == nil || own.thresholds[0] == 0 {
		return ids
	}
	at, _ := slices.BinarySearchFunc(ids, signer, compareAddresses)
	return slices.Insert(slices.Clone(ids), at, signer)
}

// Assets.

type assetStatsBody struct {
	Links struct {
		Toml link `json:"toml"`
	} `json:"_links"`
	assetBody
	PagingToken   string `json:"paging_token"`
	NumClaimables int    `json:"num_claimable_balances"`
	NumPools      int    `json:"num_liquidity_pools"`
	NumContracts  int    `json:"num_contracts"`
	Accounts      struct {
		Authorized   int `json:"authorized"`
		Maintaining  int `json:"authorized_to_maintain_liabilities"`
		Unauthorized int `json:"unauthorized"`
	} `json:"accounts"`
	ClaimablesAmount string `json:"claimable_balances_amount"`
	PoolsAmount      string `json:"liquidity_pools_amount"`
	ContractsAmount  string `json:"contracts_amount"`
	Balances         struct {
		Authorized   string `json:"authorized"`
		Maintaining  string `json:"authorized_to_maintain_liabilities"`
		Unauthorized string `json:"unauthorized"`
	} `json:"balances"`
	Flags flagsBody `json:"flags"`
}

// assets lists those that somebody holds, by code and issuer.
func (a *api) assets(r *request) ([]record, error) {
	code, err := r.parameter("asset_code")
	if err != nil {
		return nil, err
	}
	issuer, err := r.parameter("asset_issuer")
	if err != nil {
		return nil, err
	}
	if _, ok := codeOf(code); code != "" && !ok {
		return nil, invalidField("asset_code", code+" is not a valid asset code")
	}
	if issuer != "" {
		if _, err := strkey.Decode(strkey.VersionByteAccountID, issuer); err != nil {
			return nil, invalidField("asset_issuer", issuer+" is not a valid asset issuer")
		}
	}
	cursorCode, cursorIssuer, err := assetCursor(r.page.given)
	if err != nil {
		return nil, err
	}

	some := a.state.index.sorted.all
	if code != "" {
		from := sort.Search(len(some), func(i int) bool { return some[i].codeString() >= code })
		to := sort.Search(len(some), func(i int) bool { return some[i].codeString() > code })
		some = some[from:to]
	}
	compare := func(of asset) int {
		return cmp.Or(strings.Compare(of.codeString(), cursorCode), strings.Compare(of.issuer.String(), cursorIssuer))
	}
	keep := func(of asset) bool { return issuer == "" || of.issuer.String() == issuer }
	var out []record
	for _, of := range listed(some, r.page, compare, keep) {
		body := a.assetStats(of)
		out = append(out, record{body.PagingToken, body})
	}
	return out, nil
}

// assetCursor takes a cursor such as USD_G…_credit_alphanum4 apart.
func assetCursor(cursor string) (code, issuer string, err error) {
	if cursor == "" {
		return "", "", nil
	}
	bad := func(why string) error { return invalidField("cursor", why) }
	parts := strings.SplitN(cursor, "_", 3)
	if len(parts) != 3 {
		return "", "", bad("the cursor is not a valid paging_token")
	}
	code, issuer = parts[0], parts[1]
	if _, ok := codeOf(code); !ok {
		return "", "", bad(code + " is not a valid asset code")
	}
	if _, err := strkey.Decode(strkey.VersionByteAccountID, issuer); err != nil {
		return "", "", bad(issuer + " is not a valid asset issuer")
	}
	if _, ok := xdr.StringToAssetType[parts[2]]; !ok {
		return "", "", bad(parts[2] + " is not a valid asset type")
	}
	return code, issuer, nil
}

func (a *api) assetStats(of asset) assetStatsBody {
	stats := a.state.index.assets[of]
	var b assetStatsBody
	b.assetBody = of.resource()
	b.PagingToken = b.Code + "_" + b.Issuer + "_" + b.Type
	b.NumClaimables = stats.claimables
	b.Accounts.Authorized = stats.accounts[authorized]
	b.Accounts.Maintaining = stats.accounts[maintaining]
	b.Accounts.Unauthorized = stats.accounts[unauthorized]
	b.ClaimablesAmount, b.PoolsAmount, b.ContractsAmount = bigAmount(&stats.claimable), zero, zero
	b.Balances.Authorized = bigAmount(&stats.amounts[authorized])
	b.Balances.Maintaining = bigAmount(&stats.amounts[maintaining])
	b.Balances.Unauthorized = bigAmount(&stats.amounts[unauthorized])
	if issuer := a.state.account(of.issuer); issuer != nil {
		b.Flags = issuer.flagsResource()
		if issuer.homeDomain != "" {
			b.Links.Toml.Href = "https://" + issuer.homeDomain + "/.well-known/stellar.toml"
		}
	}
	return b
}

// bigAmount writes stroops that may be more than fit an int64, as the sum of
// many balances can be.
func bigAmount(stroops *big.Int) string {
	text, err := amount.IntStringToAmount(stroops.String())
	if err != nil {
		panic(fmt.Sprintf("sandbox: no amount: %s", stroops))
	}
	return text
}

// Claimable balances.

type claimableBody struct {
	Links struct {
		Self         link `json:"self"`
		Transactions link `json:"transactions"`
		Operations   link `json:"operations"`
	} `json:"_links"`
	ID                 string         `json:"id"`
	Asset              string         `json:"asset"`
	Amount             string         `json:"amount"`
	Sponsor            string         `json:"sponsor,omitempty"`
	LastModifiedLedger uint32         `json:"last_modified_ledger"`
	LastModifiedTime   time.Time      `json:"last_modified_time"`
	Claimants          []claimantBody `json:"claimants"`
	Flags              struct {
		Clawback bool `json:"clawback_enabled"`
	} `json:"flags"`
	PagingToken string `json:"paging_token"`
}

// claimableBalances lists those with all the filters that are given, the one
// changed longest ago first.
func (a *api) claimableBalances(r *request) ([]record, error) {
	keys, err := claimableFilters(r)
	if err != nil {
		return nil, err
	}
	ledger, id, err := claimableCursor(r.page.given)
	if err != nil {
		return nil, err
	}
	// Go through the shortest of the lists.
	var some []*claimable
	for i, key := range keys {
		if found := a.state.index.balances[key].list(); i == 0 || len(found) < len(some) {
			some = found
		}
	}
	compare := func(c *claimable) int {
		return cmp.Or(cmp.Compare(int64(c.modified), ledger), strings.Compare(c.id.String(), id))
	}
	keep := func(c *claimable) bool {
		have := c.indexKeys()
		return !slices.ContainsFunc(keys, func(k indexKey) bool { return !slices.Contains(have, k) })
	}
	var out []record
	for _, c := range listed(some, r.page, compare, keep) {
		body := r.links.claimable(a.history, c)
		out = append(out, record{body.PagingToken, body})
	}
	return out, nil
}

func claimableFilters(r *request) ([]indexKey, error) {
	keys := []indexKey{{by: findAll}}
	of, err := r.filterAsset("asset")
	if err != nil {
		return nil, err
	}
	if of != nil {
		keys = append(keys, indexKey{by: findByAsset, asset: *of})
	}
	for _, filter := range []struct {
		name string
		by   indexedBy
	}{{"sponsor", findBySponsor}, {"claimant", findByClaimant}} {
		id, err := r.filterAccount(filter.name)
		if err != nil {
			return nil, err
		}
		if id != nil {
			keys = append(keys, indexKey{by: filter.by, id: *id})
		}
	}
	return keys, nil
}

// claimableCursor takes a cursor such as 74-00000000c7d0… apart.
func claimableCursor(cursor string) (ledger int64, id string, err error) {
	if cursor == "" {
		return 0, "", nil
	}
	number, id, _ := strings.Cut(cursor, "-")
	ledger, err = strconv.ParseInt(number, 10, 64)
	if _, valid := parseBalanceID(id); err != nil || ledger < 0 || !valid {
		return 0, "", invalidField("cursor", "The first part should be a number higher than 0 and the second part should be a valid claimable balance ID")
	}
	return ledger, id, nil
}

// parseBalanceID reads an id as hex of its XDR.
func parseBalanceID(text string) (balanceID, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 36 || [4]byte(raw) != [4]byte{} {
		return balanceID{}, false
	}
	return balanceID(raw[4:]), true
}

// pathBalance reads {id}, as hex or as a B… address.
func pathBalance(r *request, field string) (balanceID, error) {
	text := r.PathValue("id")
	if id, ok := parseBalanceID(text); ok {
		return id, nil
	}
	if raw, err := strkey.Decode(strkey.VersionByteClaimableBalance, text); err == nil && len(raw) == 33 && raw[0] == 0 {
		return balanceID(raw[1:]), nil
	}
	return balanceID{}, invalidField(field, text+" does not validate as claimableBalanceID")
}

func (a *api) claimableBalance(r *request) (any, error) {
	id, err := pathBalance(r, "id")
	if err != nil {
		return nil, err
	}
	c := a.state.claimable(id)
	if c == nil {
		return nil, errNotFound
	}
	return r.links.claimable(a.history, c), nil
}

func (l links) claimable(h *history, c *claimable) claimableBody {
	var b claimableBody
	b.ID = c.id.String()
	self := "/claimable_balances/" + b.ID
	b.Links.Self = l.to(self)
	b.Links.Transactions = l.paged(self, "transactions")
	b.Links.Operations = l.paged(self, "operations")
	b.Asset = c.asset.String()
	b.Amount = amount.StringFromInt64(c.amount)
	b.Sponsor = c.sponsor.String()
	b.LastModifiedLedger = c.modified
	b.LastModifiedTime = h.ledger(c.modified).closedAt()
	b.Claimants = claimantBodies(c.claimants)
	b.Flags.Clawback = c.clawback
	b.PagingToken = fmt.Sprintf("%d-%s", c.modified, b.ID)
	return b
}

func (a *api) operationsOfBalance(r *request) ([]record, error) {
	ops, err := a.opsOfBalance(r)
	if err != nil {
		return nil, err
	}
	return a.operationRecords(r, [][]position{ops})
}

func (a *api) transactionsOfBalance(r *request) ([]record, error) {
	ops, err := a.opsOfBalance(r)
	if err != nil {
		return nil, err
	}
	var txs []position
	for _, p := range ops {
		if tx := at(p.ledger(), p.order(), 0); len(txs) == 0 || txs[len(txs)-1] != tx {
			txs = append(txs, tx)
		}
	}
	return a.transactionRecords(r, [][]position{txs})
}

func (a *api) opsOfBalance(r *request) ([]position, error) {
	id, err := pathBalance(r, "claimable_balance_id")
	if err != nil {
		return nil, err
	}
	ops := a.history.balanceOps[id]
	if len(ops) == 0 {
		return nil, errNotFound
	}
	return ops, nil
}

// There are no offers and no pools, so that all lists of them are empty.

func nothing(*request) ([]record, error) { return nil, nil }

func none(*request) (any, error) { return nil, errNotFound }

func offersOfAccount(r *request) ([]record, error) {
	_, err := pathAccount(r)
	return nil, err
}
