package sandbox

import (
	"strings"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// The JSON bodies, field by field in Horizon's order.

type link struct {
	Href      string `json:"href"`
	Templated bool   `json:"templated,omitempty"`
}

// links makes the addresses in answers, on the host that the client asked.
type links struct{ base string }

// to joins a path to the host.
func (l links) to(path ...string) link {
	p := strings.Join(path, "/")
	return link{Href: l.base + p, Templated: strings.Contains(p, "{")}
}

// paged is the address of a list.
func (l links) paged(path ...string) link {
	h := l.to(path...)
	return link{Href: h.Href + "{?cursor,limit,order}", Templated: true}
}

type rootBody struct {
	Links struct {
		Account             link `json:"account"`
		Accounts            link `json:"accounts"`
		AccountTransactions link `json:"account_transactions"`
		ClaimableBalances   link `json:"claimable_balances"`
		Assets              link `json:"assets"`
		Effects             link `json:"effects"`
		FeeStats            link `json:"fee_stats"`
		Friendbot           link `json:"friendbot"`
		Ledger              link `json:"ledger"`
		Ledgers             link `json:"ledgers"`
		LiquidityPools      link `json:"liquidity_pools"`
		Offer               link `json:"offer"`
		Offers              link `json:"offers"`
		Operation           link `json:"operation"`
		Operations          link `json:"operations"`
		OrderBook           link `json:"order_book"`
		Payments            link `json:"payments"`
		Self                link `json:"self"`
		StrictReceivePaths  link `json:"strict_receive_paths"`
		StrictSendPaths     link `json:"strict_send_paths"`
		TradeAggregations   link `json:"trade_aggregations"`
		Trades              link `json:"trades"`
		Transaction         link `json:"transaction"`
		Transactions        link `json:"transactions"`
	} `json:"_links"`
	HorizonVersion           string    `json:"horizon_version"`
	CoreVersion              string    `json:"core_version"`
	IngestLatestLedger       uint32    `json:"ingest_latest_ledger"`
	HistoryLatestLedger      uint32    `json:"history_latest_ledger"`
	HistoryLatestClosedAt    time.Time `json:"history_latest_ledger_closed_at"`
	HistoryElderLedger       uint32    `json:"history_elder_ledger"`
	CoreLatestLedger         uint32    `json:"core_latest_ledger"`
	NetworkPassphrase        string    `json:"network_passphrase"`
	CurrentProtocolVersion   int       `json:"current_protocol_version"`
	SupportedProtocolVersion int       `json:"supported_protocol_version"`
	CoreSupportedVersion     int       `json:"core_supported_protocol_version"`
}

type feeStatsBody struct {
	LastLedger          uint32          `json:"last_ledger,string"`
	LastLedgerBaseFee   int64           `json:"last_ledger_base_fee,string"`
	LedgerCapacityUsage float64         `json:"ledger_capacity_usage,string"`
	FeeCharged          feeDistribution `json:"fee_charged"`
	MaxFee              feeDistribution `json:"max_fee"`
}

type feeDistribution struct {
	Max  int64 `json:"max,string"`
	Min  int64 `json:"min,string"`
	Mode int64 `json:"mode,string"`
	P10  int64 `json:"p10,string"`
	P20  int64 `json:"p20,string"`
	P30  int64 `json:"p30,string"`
	P40  int64 `json:"p40,string"`
	P50  int64 `json:"p50,string"`
	P60  int64 `json:"p60,string"`
	P70  int64 `json:"p70,string"`
	P80  int64 `json:"p80,string"`
	P90  int64 `json:"p90,string"`
	P95  int64 `json:"p95,string"`
	P99  int64 `json:"p99,string"`
}

type ledgerBody struct {
	Links struct {
		Self         link `json:"self"`
		Transactions link `json:"transactions"`
		Operations   link `json:"operations"`
		Payments     link `json:"payments"`
		Effects      link `json:"effects"`
	} `json:"_links"`
	ID              string    `json:"id"`
	PagingToken     string    `json:"paging_token"`
	Hash            string    `json:"hash"`
	PrevHash        string    `json:"prev_hash,omitempty"`
	Sequence        uint32    `json:"sequence"`
	Successful      int       `json:"successful_transaction_count"`
	Failed          int       `json:"failed_transaction_count"`
	Operations      int       `json:"operation_count"`
	TxSetOperations int       `json:"tx_set_operation_count"`
	ClosedAt        time.Time `json:"closed_at"`
	TotalCoins      string    `json:"total_coins"`
	FeePool         string    `json:"fee_pool"`
	BaseFee         int       `json:"base_fee_in_stroops"`
	BaseReserve     int       `json:"base_reserve_in_stroops"`
	MaxTxSetSize    uint32    `json:"max_tx_set_size"`
	ProtocolVersion int       `json:"protocol_version"`
	HeaderXDR       string    `json:"header_xdr"`
}

type accountBody struct {
	Links struct {
		Self         link `json:"self"`
		Transactions link `json:"transactions"`
		Operations   link `json:"operations"`
		Payments     link `json:"payments"`
		Effects      link `json:"effects"`
		Offers       link `json:"offers"`
		Trades       link `json:"trades"`
		Data         link `json:"data"`
	} `json:"_links"`
	ID                   string    `json:"id"`
	AccountID            string    `json:"account_id"`
	Sequence             int64     `json:"sequence,string"`
	SequenceLedger       uint32    `json:"sequence_ledger,omitempty"`
	SequenceTime         string    `json:"sequence_time,omitempty"`
	SubentryCount        int       `json:"subentry_count"`
	InflationDestination string    `json:"inflation_destination,omitempty"`
	HomeDomain           string    `json:"home_domain,omitempty"`
	LastModifiedLedger   uint32    `json:"last_modified_ledger"`
	LastModifiedTime     time.Time `json:"last_modified_time"`
	Thresholds           struct {
		Low    byte `json:"low_threshold"`
		Medium byte `json:"med_threshold"`
		High   byte `json:"high_threshold"`
	} `json:"thresholds"`
	Flags         flagsBody         `json:"flags"`
	Balances      []balanceBody     `json:"balances"`
	Signers       []signerBody      `json:"signers"`
	Data          map[string]string `json:"data"`
	NumSponsoring uint32            `json:"num_sponsoring"`
	NumSponsored  uint32            `json:"num_sponsored"`
	Sponsor       string            `json:"sponsor,omitempty"`
	PagingToken   string            `json:"paging_token"`
}

type flagsBody struct {
	Required  bool `json:"auth_required"`
	Revocable bool `json:"auth_revocable"`
	Immutable bool `json:"auth_immutable"`
	Clawback  bool `json:"auth_clawback_enabled"`
}

type dataBody struct {
	Value   string `json:"value"`
	Sponsor string `json:"sponsor,omitempty"`
}

type balanceBody struct {
	Balance              string `json:"balance"`
	Limit                string `json:"limit,omitempty"`
	BuyingLiabilities    string `json:"buying_liabilities"`
	SellingLiabilities   string `json:"selling_liabilities"`
	Sponsor              string `json:"sponsor,omitempty"`
	LastModifiedLedger   uint32 `json:"last_modified_ledger,omitempty"`
	Authorized           *bool  `json:"is_authorized,omitempty"`
	AuthorizedToMaintain *bool  `json:"is_authorized_to_maintain_liabilities,omitempty"`
	ClawbackEnabled      *bool  `json:"is_clawback_enabled,omitempty"`
	assetBody
}

type assetBody struct {
	Type   string `json:"asset_type"`
	Code   string `json:"asset_code,omitempty"`
	Issuer string `json:"asset_issuer,omitempty"`
}

type signerBody struct {
	Weight  int    `json:"weight"`
	Key     string `json:"key"`
	Type    string `json:"type"`
	Sponsor string `json:"sponsor,omitempty"`
}

type transactionBody struct {
	Memo      *string `json:"memo,omitempty"`
	MemoBytes *string `json:"memo_bytes,omitempty"`
	Links     struct {
		Self        link `json:"self"`
		Account     link `json:"account"`
		Ledger      link `json:"ledger"`
		Operations  link `json:"operations"`
		Effects     link `json:"effects"`
		Precedes    link `json:"precedes"`
		Succeeds    link `json:"succeeds"`
		Transaction link `json:"transaction"`
	} `json:"_links"`
	ID                string             `json:"id"`
	PagingToken       string             `json:"paging_token"`
	Successful        bool               `json:"successful"`
	Hash              string             `json:"hash"`
	Ledger            uint32             `json:"ledger"`
	CreatedAt         time.Time          `json:"created_at"`
	Account           string             `json:"source_account"`
	AccountMuxed      string             `json:"account_muxed,omitempty"`
	AccountMuxedID    uint64             `json:"account_muxed_id,omitempty,string"`
	AccountSequence   int64              `json:"source_account_sequence,string"`
	FeeAccount        string             `json:"fee_account"`
	FeeAccountMuxed   string             `json:"fee_account_muxed,omitempty"`
	FeeAccountMuxedID uint64             `json:"fee_account_muxed_id,omitempty,string"`
	FeeCharged        int64              `json:"fee_charged,string"`
	MaxFee            int64              `json:"max_fee,string"`
	OperationCount    uint32             `json:"operation_count"`
	EnvelopeXDR       string             `json:"envelope_xdr"`
	ResultXDR         string             `json:"result_xdr"`
	ResultMetaXDR     string             `json:"result_meta_xdr"`
	FeeMetaXDR        string             `json:"fee_meta_xdr"`
	MemoType          string             `json:"memo_type"`
	Signatures        []string           `json:"signatures"`
	Preconditions     *preconditionsBody `json:"preconditions,omitempty"`
	FeeBump           *feeBumpBody       `json:"fee_bump_transaction,omitempty"`
	Inner             *innerBody         `json:"inner_transaction,omitempty"`
}

type preconditionsBody struct {
	TimeBounds         *timeBoundsBody   `json:"timebounds,omitempty"`
	LedgerBounds       *ledgerBoundsBody `json:"ledgerbounds,omitempty"`
	MinSequence        string            `json:"min_account_sequence,omitempty"`
	MinSequenceAge     string            `json:"min_account_sequence_age,omitempty"`
	MinSequenceLedgers uint32            `json:"min_account_sequence_ledger_gap,omitempty"`
	ExtraSigners       []string          `json:"extra_signers,omitempty"`
}

type timeBoundsBody struct {
	Min string `json:"min_time"`
	Max string `json:"max_time,omitempty"`
}

type ledgerBoundsBody struct {
	Min uint32 `json:"min_ledger"`
	Max uint32 `json:"max_ledger,omitempty"`
}

type feeBumpBody struct {
	Hash       string   `json:"hash"`
	Signatures []string `json:"signatures"`
}

type innerBody struct {
	Hash       string   `json:"hash"`
	Signatures []string `json:"signatures"`
	MaxFee     int64    `json:"max_fee,string"`
}

type resultCodes struct {
	Transaction string   `json:"transaction"`
	Inner       string   `json:"inner_transaction,omitempty"`
	Operations  []string `json:"operations,omitempty"`
}

type asyncBody struct {
	ErrorResultXDR string `json:"error_result_xdr,omitempty"`
	Status         status `json:"tx_status"`
	Hash           string `json:"hash"`
}

// operationBody is what all operations share; each kind adds its own.
type operationBody struct {
	Links struct {
		Self        link `json:"self"`
		Transaction link `json:"transaction"`
		Effects     link `json:"effects"`
		Succeeds    link `json:"succeeds"`
		Precedes    link `json:"precedes"`
	} `json:"_links"`
	ID              string           `json:"id"`
	PagingToken     string           `json:"paging_token"`
	Successful      bool             `json:"transaction_successful"`
	Source          string           `json:"source_account"`
	SourceMuxed     string           `json:"source_account_muxed,omitempty"`
	SourceMuxedID   uint64           `json:"source_account_muxed_id,omitempty,string"`
	Type            string           `json:"type"`
	TypeI           int32            `json:"type_i"`
	CreatedAt       time.Time        `json:"created_at"`
	TransactionHash string           `json:"transaction_hash"`
	Transaction     *transactionBody `json:"transaction,omitempty"`
	Sponsor         string           `json:"sponsor,omitempty"` // of the entry that it made
}

type createAccountBody struct {
	operationBody
	StartingBalance string `json:"starting_balance"`
	Funder          string `json:"funder"`
	FunderMuxed     string `json:"funder_muxed,omitempty"`
	FunderMuxedID   uint64 `json:"funder_muxed_id,omitempty,string"`
	Account         string `json:"account"`
}

type paymentBody struct {
	operationBody
	assetBody
	From        string `json:"from"`
	FromMuxed   string `json:"from_muxed,omitempty"`
	FromMuxedID uint64 `json:"from_muxed_id,omitempty,string"`
	To          string `json:"to"`
	ToMuxed     string `json:"to_muxed,omitempty"`
	ToMuxedID   uint64 `json:"to_muxed_id,omitempty,string"`
	Amount      string `json:"amount"`
}

type changeTrustBody struct {
	operationBody
	assetBody
	Limit          string `json:"limit"`
	Trustee        string `json:"trustee,omitempty"`
	Trustor        string `json:"trustor"`
	TrustorMuxed   string `json:"trustor_muxed,omitempty"`
	TrustorMuxedID uint64 `json:"trustor_muxed_id,omitempty,string"`
}

type setOptionsBody struct {
	operationBody
	HomeDomain      string   `json:"home_domain,omitempty"`
	InflationDest   string   `json:"inflation_dest,omitempty"`
	MasterKeyWeight *int     `json:"master_key_weight,omitempty"`
	SignerKey       string   `json:"signer_key,omitempty"`
	SignerWeight    *int     `json:"signer_weight,omitempty"`
	SetFlags        []int    `json:"set_flags,omitempty"`
	SetFlagNames    []string `json:"set_flags_s,omitempty"`
	ClearFlags      []int    `json:"clear_flags,omitempty"`
	ClearFlagNames  []string `json:"clear_flags_s,omitempty"`
	LowThreshold    *int     `json:"low_threshold,omitempty"`
	MedThreshold    *int     `json:"med_threshold,omitempty"`
	HighThreshold   *int     `json:"high_threshold,omitempty"`
}

type manageDataBody struct {
	operationBody
	Name  string `json:"name"`
	Value string `json:"value"`
}

type createClaimableBody struct {
	operationBody
	Asset     string         `json:"asset"`
	Amount    string         `json:"amount"`
	Claimants []claimantBody `json:"claimants"`
}

type claimantBody struct {
	Destination string             `json:"destination"`
	Predicate   xdr.ClaimPredicate `json:"predicate"`
}

type claimBody struct {
	operationBody
	BalanceID       string `json:"balance_id"`
	Claimant        string `json:"claimant"`
	ClaimantMuxed   string `json:"claimant_muxed,omitempty"`
	ClaimantMuxedID uint64 `json:"claimant_muxed_id,omitempty,string"`
}

type clawbackClaimableBody struct {
	operationBody
	BalanceID string `json:"balance_id"`
}

type beginSponsoringBody struct {
	operationBody
	SponsoredID string `json:"sponsored_id"`
}

type endSponsoringBody struct {
	operationBody
	BeginSponsor        string `json:"begin_sponsor,omitempty"`
	BeginSponsorMuxed   string `json:"begin_sponsor_muxed,omitempty"`
	BeginSponsorMuxedID uint64 `json:"begin_sponsor_muxed_id,omitempty,string"`
}

type revokeSponsorshipBody struct {
	operationBody
	AccountID          string `json:"account_id,omitempty"`
	ClaimableBalanceID string `json:"claimable_balance_id,omitempty"`
	DataAccountID      string `json:"data_account_id,omitempty"`
	DataName           string `json:"data_name,omitempty"`
	OfferID            string `json:"offer_id,omitempty"`
	TrustlineAccountID string `json:"trustline_account_id,omitempty"`
	TrustlinePoolID    string `json:"trustline_liquidity_pool_id,omitempty"`
	TrustlineAsset     string `json:"trustline_asset,omitempty"`
	SignerAccountID    string `json:"signer_account_id,omitempty"`
	SignerKey          string `json:"signer_key,omitempty"`
}

type setTrustLineFlagsBody struct {
	operationBody
	assetBody
	Trustor        string   `json:"trustor"`
	SetFlags       []int    `json:"set_flags,omitempty"`
	SetFlagNames   []string `json:"set_flags_s,omitempty"`
	ClearFlags     []int    `json:"clear_flags,omitempty"`
	ClearFlagNames []string `json:"clear_flags_s,omitempty"`
}

type allowTrustBody struct {
	operationBody
	assetBody
	Trustee             string `json:"trustee"`
	TrusteeMuxed        string `json:"trustee_muxed,omitempty"`
	TrusteeMuxedID      uint64 `json:"trustee_muxed_id,omitempty,string"`
	Trustor             string `json:"trustor"`
	Authorize           bool   `json:"authorize"`
	AuthorizeToMaintain bool   `json:"authorize_to_maintain_liabilities"`
}

type clawbackBody struct {
	operationBody
	assetBody
	From        string `json:"from"`
	FromMuxed   string `json:"from_muxed,omitempty"`
	FromMuxedID uint64 `json:"from_muxed_id,omitempty,string"`
	Amount      string `json:"amount"`
}

type accountMergeBody struct {
	operationBody
	Account        string `json:"account"`
	AccountMuxed   string `json:"account_muxed,omitempty"`
	AccountMuxedID uint64 `json:"account_muxed_id,omitempty,string"`
	Into           string `json:"into"`
	IntoMuxed      string `json:"into_muxed,omitempty"`
	IntoMuxedID    uint64 `json:"into_muxed_id,omitempty,string"`
}

type bumpSequenceBody struct {
	operationBody
	BumpTo string `json:"bump_to"`
}

// pathBody is of both kinds of path payments.
type pathBody struct {
	paymentBody
	Path              []assetBody `json:"path"`
	SourceAmount      string      `json:"source_amount"`
	SourceMax         string      `json:"source_max,omitempty"`
	DestinationMin    string      `json:"destination_min,omitempty"`
	SourceAssetType   string      `json:"source_asset_type"`
	SourceAssetCode   string      `json:"source_asset_code,omitempty"`
	SourceAssetIssuer string      `json:"source_asset_issuer,omitempty"`
}
