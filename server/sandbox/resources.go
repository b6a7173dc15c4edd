package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// The root, fees, ledgers.

func (a *api) root(r *request) (any, error) {
	l, last := r.links, a.noticed()
	var b rootBody
	b.Links.Account = l.to("/accounts/{account_id}")
	b.Links.Accounts = l.to("/accounts{?signer,sponsor,asset,liquidity_pool,cursor,limit,order}")
	b.Links.AccountTransactions = l.paged("/accounts/{account_id}/transactions")
	b.Links.ClaimableBalances = l.to("/claimable_balances{?asset,sponsor,claimant,cursor,limit,order}")
	b.Links.Assets = l.to("/assets{?asset_code,asset_issuer,cursor,limit,order}")
	b.Links.Effects = l.paged("/effects")
	b.Links.FeeStats = l.to("/fee_stats")
	b.Links.Friendbot = l.to("/friendbot{?addr}")
	b.Links.Ledger = l.to("/ledgers/{sequence}")
	b.Links.Ledgers = l.paged("/ledgers")
	b.Links.LiquidityPools = l.to("/liquidity_pools{?reserves,account,cursor,limit,order}")
	b.Links.Offer = l.to("/offers/{offer_id}")
	b.Links.Offers = l.to("/offers{?selling,buying,seller,sponsor,cursor,limit,order}")
	b.Links.Operation = l.to("/operations/{id}")
	b.Links.Operations = l.to("/operations{?cursor,limit,order,include_failed}")
	b.Links.OrderBook = l.to("/order_book{?selling_asset_type,selling_asset_code,selling_asset_issuer,buying_asset_type,buying_asset_code,buying_asset_issuer,limit}")
	b.Links.Payments = l.to("/payments{?cursor,limit,order,include_failed}")
	b.Links.Self = l.to("/")
	b.Links.StrictReceivePaths = l.to("/paths/strict-receive{?source_assets,source_account,destination_account,destination_asset_type,destination_asset_issuer,destination_asset_code,destination_amount}")
	b.Links.StrictSendPaths = l.to("/paths/strict-send{?destination_account,destination_assets,source_asset_type,source_asset_issuer,source_asset_code,source_amount}")
	b.Links.TradeAggregations = l.to("/trade_aggregations?base_asset_type={base_asset_type}&base_asset_code={base_asset_code}&base_asset_issuer={base_asset_issuer}&counter_asset_type={counter_asset_type}&counter_asset_code={counter_asset_code}&counter_asset_issuer={counter_asset_issuer}")
	b.Links.Trades = l.to("/trades?base_asset_type={base_asset_type}&base_asset_code={base_asset_code}&base_asset_issuer={base_asset_issuer}&counter_asset_type={counter_asset_type}&counter_asset_code={counter_asset_code}&counter_asset_issuer={counter_asset_issuer}")
	b.Links.Transaction = l.to("/transactions/{hash}")
	b.Links.Transactions = l.paged("/transactions")

	b.HorizonVersion = "24.0.0-windlass-sandbox"
	b.CoreVersion = "windlass-sandbox"
	b.IngestLatestLedger = last.seq
	b.HistoryLatestLedger = last.seq
	b.HistoryLatestClosedAt = last.closedAt()
	b.HistoryElderLedger = 1
	b.CoreLatestLedger = a.core()
	b.NetworkPassphrase = a.cfg.Passphrase
	b.CurrentProtocolVersion = protocolVersion
	b.SupportedProtocolVersion = 24
	b.CoreSupportedVersion = protocolVersion
	return b, nil
}

func (l *closedLedger) closedAt() time.Time { return time.Unix(l.closeTime, 0).UTC() }

// feeStats describes the fees per operation, rounded down, of the last five
// ledgers, and how full those were.
func (a *api) feeStats(*request) (any, error) {
	var charged, bid []int64
	var used, room int
	last := a.noticed().seq
	for _, l := range a.history.ledgers[max(5, last)-5 : last] {
		room += int(l.maxOps)
		for _, t := range l.txs {
			used += int(t.ops)
			charged = append(charged, t.charged/int64(t.size()))
			bid = append(bid, t.bid/int64(t.size()))
		}
		others := slices.Repeat([]int64{l.perOp}, l.others())
		used += len(others)
		charged, bid = append(charged, others...), append(bid, others...)
	}
	return feeStatsBody{
		LastLedger:          last,
		LastLedgerBaseFee:   baseFee,
		LedgerCapacityUsage: math.Round(100*float64(used)/float64(room)) / 100,
		FeeCharged:          distribution(charged),
		MaxFee:              distribution(bid),
	}, nil
}

func (t *closedTransaction) size() int {
	if t.feeBump {
		return int(t.ops) + 1
	}
	return max(1, int(t.ops))
}

func distribution(fees []int64) feeDistribution {
	if len(fees) == 0 {
		fees = []int64{baseFee}
	}
	slices.Sort(fees)
	at := func(percent int) int64 { return fees[max(0, (percent*len(fees)+99)/100-1)] }
	mode, most := fees[0], 0
	for i, count := 0, 0; i < len(fees); i++ {
		if i > 0 && fees[i] == fees[i-1] {
			count++
		} else {
			count = 1
		}
		if count > most {
			mode, most = fees[i], count
		}
	}
	return feeDistribution{
		Max: fees[len(fees)-1], Min: fees[0], Mode: mode,
		P10: at(10), P20: at(20), P30: at(30), P40: at(40), P50: at(50),
		P60: at(60), P70: at(70), P80: at(80), P90: at(90), P95: at(95), P99: at(99),
	}
}

func (a *api) ledgers(r *request) ([]record, error) {
	var out []record
	last := int64(a.history.last().seq)
	seq, step := int64(r.page.cursor.ledger())+1, int64(1)
	if r.page.descending {
		// The ledger of the cursor itself counts if the cursor is inside it.
		seq, step = min(last, int64((r.page.cursor-1)>>32)), -1
		if r.page.cursor == 0 {
			seq = 0
		}
	}
	for ; seq >= 1 && seq <= last && len(out) < r.page.limit; seq += step {
		l := a.history.ledger(uint32(seq))
		body, err := r.links.ledger(a.history, l)
		if err != nil {
			return nil, err
		}
		out = append(out, record{body.PagingToken, body})
	}
	return out, nil
}

func (a *api) ledger(r *request) (any, error) {
	l, err := a.pathLedger(r)
	if err != nil {
		return nil, err
	}
	return r.links.ledger(a.history, l)
}

func (a *api) pathLedger(r *request) (*closedLedger, error) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 32)
	if err != nil {
		return nil, invalidField("ledger_id", "Ledger ID must be an integer higher than 0")
	}
	if seq == 0 || seq > math.MaxInt32 {
		return nil, errBeforeHistory // Horizon's numbers have a sign here
	}
	l := a.history.ledger(uint32(seq))
	if l == nil {
		return nil, errNotFound
	}
	return l, nil
}

func (l links) ledger(h *history, c *closedLedger) (ledgerBody, error) {
	var b ledgerBody
	self := fmt.Sprintf("/ledgers/%d", c.seq)
	b.Links.Self = l.to(self)
	b.Links.Transactions = l.paged(self, "transactions")
	b.Links.Operations = l.paged(self, "operations")
	b.Links.Payments = l.paged(self, "payments")
	b.Links.Effects = l.paged(self, "effects")

	for _, t := range c.txs {
		b.TxSetOperations += int(t.ops)
		if t.success {
			b.Successful++
			b.Operations += int(t.ops)
		} else {
			b.Failed++
		}
	}
	previous := h.previousHash(c)
	header, err := xdr.MarshalBase64(c.header(previous))
	if err != nil {
		return b, fmt.Errorf("encoding a header: %w", err)
	}
	b.ID = hex.EncodeToString(c.hash[:])
	b.Hash = b.ID
	b.PagingToken = strconv.FormatInt(int64(at(c.seq, 0, 0)), 10)
	if c.seq > 1 {
		b.PrevHash = hex.EncodeToString(previous[:])
	}
	b.Sequence = c.seq
	b.ClosedAt = c.closedAt()
	b.TotalCoins = amount.StringFromInt64(totalCoins)
	b.FeePool = amount.StringFromInt64(c.feePool)
	b.BaseFee = baseFee
	b.BaseReserve = baseReserve
	b.MaxTxSetSize = c.maxOps
	b.ProtocolVersion = protocolVersion
	b.HeaderXDR = header
	return b, nil
}

// Accounts.

const badAccount = "Account ID must start with `G` and contain 56 alphanum characters"

// pathAccount reads {id}; only a G address will do.
func pathAccount(r *request) (accountID, error) {
	key, err := strkey.Decode(strkey.VersionByteAccountID, r.PathValue("id"))
	if err != nil {
		return accountID{}, invalidField("account_id", badAccount)
	}
	return accountID(key), nil
}

func (a *api) account(r *request) (any, error) {
	id, err := pathAccount(r)
	if err != nil {
		return nil, err
	}
	account := a.state.account(id)
	if account == nil {
		return nil, errNotFound
	}
	return r.links.account(a.history, account), nil
}

func (l links) account(h *history, a *account) accountBody {
	var b accountBody
	b.ID = a.id.String()
	self := "/accounts/" + b.ID
	b.Links.Self = l.to(self)
	b.Links.Transactions = l.paged(self, "transactions")
	b.Links.Operations = l.paged(self, "operations")
	b.Links.Payments = l.paged(self, "payments")
	b.Links.Effects = l.paged(self, "effects")
	b.Links.Offers = l.paged(self, "offers")
	b.Links.Trades = l.paged(self, "trades")
	b.Links.Data = l.to(self, "data/{key}")

	b.AccountID, b.PagingToken = b.ID, b.ID
	b.Sequence = a.sequence
	if a.seqLedger > 0 {
		b.SequenceLedger = a.seqLedger
		b.SequenceTime = strconv.FormatInt(a.seqTime, 10)
	}
	b.SubentryCount = a.subEntries()
	if a.inflation != nil {
		b.InflationDestination = a.inflation.String()
	}
	b.HomeDomain = a.homeDomain
	b.LastModifiedLedger = a.modified
	b.LastModifiedTime = h.ledger(a.modified).closedAt()
	b.Thresholds.Low, b.Thresholds.Medium, b.Thresholds.High = a.thresholds[low], a.thresholds[medium], a.thresholds[high]
	b.Flags = a.flagsResource()
	for _, line := range a.lines {
		b.Balances = append(b.Balances, line.resource())
	}
	b.Balances = append(b.Balances, balanceBody{
		Balance: amount.StringFromInt64(a.balance), BuyingLiabilities: zero, SellingLiabilities: zero,
		assetBody: assetBody{Type: "native"},
	})
	b.Signers = a.signerResources()
	b.Data = make(map[string]string, len(a.data))
	for _, d := range a.data {
		b.Data[d.name] = base64.StdEncoding.EncodeToString(d.value)
	}
	b.NumSponsoring, b.NumSponsored = a.sponsoring, a.sponsored
	b.Sponsor = a.sponsor.optional()
	return b
}

func (a *account) flagsResource() flagsBody {
	return flagsBody{
		Required:  a.flags.IsAuthRequired(),
		Revocable: a.flags.IsAuthRevocable(),
		Immutable: a.flags.IsAuthImmutable(),
		Clawback:  a.flags.IsAuthClawbackEnabled(),
	}
}

// accountData answers one data entry.
func (a *api) accountData(r *request) (any, error) {
	d, err := a.pathData(r)
	if err != nil {
		return nil, err
	}
	return dataBody{Value: base64.StdEncoding.EncodeToString(d.value), Sponsor: d.sponsor.optional()}, nil
}

func (a *api) rawAccountData(r *request) ([]byte, error) {
	d, err := a.pathData(r)
	if err != nil {
		return nil, err
	}
	return d.value, nil
}

func (a *api) pathData(r *request) (*dataEntry, error) {
	id, err := pathAccount(r)
	if err != nil {
		return nil, err
	}
	account := a.state.account(id)
	if account == nil {
		return nil, errNotFound
	}
	d := account.datum(r.PathValue("key"))
	if d == nil {
		return nil, errNotFound
	}
	return d, nil
}

const zero = "0.0000000"

func (l trustline) resource() balanceBody {
	authorized, clawback := l.authorized(), l.flags&xdr.TrustLineFlagsTrustlineClawbackEnabledFlag != 0
	maintain := l.flags&(xdr.TrustLineFlagsAuthorizedFlag|xdr.TrustLineFlagsAuthorizedToMaintainLiabilitiesFlag) != 0
	b := balanceBody{
		Balance: amount.StringFromInt64(l.balance), Limit: amount.StringFromInt64(l.limit),
		BuyingLiabilities: zero, SellingLiabilities: zero,
		Sponsor:            l.sponsor.optional(),
		LastModifiedLedger: l.modified,
		Authorized:         &authorized, AuthorizedToMaintain: &maintain,
		assetBody: l.asset.resource(),
	}
	if clawback {
		b.ClawbackEnabled = &clawback
	}
	return b
}

func (a asset) resource() assetBody {
	if a.native() {
		return assetBody{Type: "native"}
	}
	return assetBody{Type: xdr.AssetTypeToString[a.kind], Code: a.codeString(), Issuer: a.issuer.String()}
}

// signerResources lists the signers by address, a master key without weight
// at the end.
func (a *account) signerResources() []signerBody {
	master := signerBody{Weight: int(a.thresholds[0]), Key: a.id.String(), Type: "ed25519_public_key"}
	var out []signerBody
	for _, s := range a.signers {
		address := s.key.Address()
		out = append(out, signerBody{Weight: int(s.weight), Key: address, Type: signerKinds[s.key.Type], Sponsor: s.sponsor.optional()})
	}
	out = append(out, master)
	if master.Weight > 0 {
		slices.SortFunc(out, func(x, y signerBody) int { return cmp.Compare(x.Key, y.Key) })
	}
	return out
}

var signerKinds = map[xdr.SignerKeyType]string{
	xdr.SignerKeyTypeSignerKeyTypeEd25519:              "ed25519_public_key",
	xdr.SignerKeyTypeSignerKeyTypePreAuthTx:            "preauth_tx",
	xdr.SignerKeyTypeSignerKeyTypeHashX:                "sha256_hash",
	xdr.SignerKeyTypeSignerKeyTypeEd25519SignedPayload: "ed25519_signed_payload",
}

// Transactions.

func (a *api) transaction(r *request) (any, error) {
	t, hash, err := a.pathTransaction(r)
	if err != nil {
		return nil, err
	}
	return r.links.transaction(a.history, t, hash)
}

func (a *api) pathTransaction(r *request) (*closedTransaction, [32]byte, error) {
	text := r.PathValue("hash")
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 32 || text != strings.ToLower(text) {
		return nil, [32]byte{}, invalidField("tx_id", "Transaction hash must be a hex-encoded, lowercase SHA-256 hash")
	}
	t := a.history.transaction([32]byte(raw))
	if t == nil {
		return nil, [32]byte{}, errNotFound
	}
	return t, [32]byte(raw), nil
}

func (a *api) allTransactions(r *request) ([]record, error) {
	return a.transactionRecords(r, a.history.transactions(r.page.includeFailed))
}

func (a *api) transactionsOfAccount(r *request) ([]record, error) {
	id, err := a.knownAccount(r)
	if err != nil {
		return nil, err
	}
	return a.transactionRecords(r, a.history.of[id].transactions(r.page.includeFailed))
}

func (a *api) transactionsOfLedger(r *request) ([]record, error) {
	l, err := a.pathLedger(r)
	if err != nil {
		return nil, err
	}
	return a.transactionRecords(r, allWithin(a.history.transactions(r.page.includeFailed), at(l.seq, 0, 0), at(l.seq+1, 0, 0)))
}

// knownAccount reads {id} of an account that is or was in the ledger.
func (a *api) knownAccount(r *request) (accountID, error) {
	id, err := pathAccount(r)
	if err == nil && a.state.account(id) == nil && !a.history.knows(id) {
		err = errNotFound
	}
	return id, err
}

func (a *api) transactionRecords(r *request, lists [][]position) ([]record, error) {
	var out []record
	for _, p := range page(lists, r.page.cursor, r.page.descending, r.page.limit) {
		t := a.history.at(p)
		body, err := r.links.transaction(a.history, t, t.hash)
		if err != nil {
			return nil, err
		}
		out = append(out, record{body.PagingToken, body})
	}
	return out, nil
}

// transaction makes the resource; that needs no lock. It goes under the
// hash by which it was asked for: a fee bump found by its inner hash shows that
// one and its signatures.
func (l links) transaction(h *history, c *closedTransaction, hash [32]byte) (transactionBody, error) {
	t := h.decode(c)
	env := t.envelope
	var b transactionBody
	b.ID = hex.EncodeToString(hash[:])
	b.Hash = b.ID
	b.PagingToken = strconv.FormatInt(int64(at(c.ledger, c.order, 0)), 10)
	b.Successful = c.success
	b.Ledger = c.ledger
	b.CreatedAt = c.closedAt()
	b.Account, b.AccountMuxed, b.AccountMuxedID = muxed(env.SourceAccount())
	b.AccountSequence = t.sequence
	payer := env.SourceAccount()
	if t.feeBump {
		payer = env.FeeBumpAccount()
	}
	b.FeeAccount, b.FeeAccountMuxed, b.FeeAccountMuxedID = muxed(payer)
	b.FeeCharged = c.charged
	b.MaxFee = t.fee
	b.OperationCount = c.ops
	b.EnvelopeXDR = base64.StdEncoding.EncodeToString(c.raw)
	b.ResultXDR = base64.StdEncoding.EncodeToString(c.result)
	var err error
	if b.ResultMetaXDR, err = emptyMeta(c); err != nil {
		return b, err
	}
	b.FeeMetaXDR = emptyChanges
	b.setMemo(env.Memo())
	b.Signatures = signatures(t.sigs)
	b.Preconditions = preconditions(env.Preconditions())
	if t.feeBump {
		b.FeeBump = &feeBumpBody{Hash: hex.EncodeToString(c.hash[:]), Signatures: signatures(t.feeSigs)}
		b.Inner = &innerBody{Hash: hex.EncodeToString(c.inner[:]), Signatures: b.Signatures, MaxFee: t.innerFee}
		if hash == c.hash {
			b.Signatures = b.FeeBump.Signatures
		}
	}

	self := "/transactions/" + b.ID
	b.Links.Self = l.to(self)
	b.Links.Account = l.to("/accounts", b.Account)
	b.Links.Ledger = l.to(fmt.Sprintf("/ledgers/%d", c.ledger))
	b.Links.Operations = l.paged(self, "operations")
	b.Links.Effects = l.paged(self, "effects")
	b.Links.Precedes = l.to("/transactions?order=asc&cursor=" + b.PagingToken)
	b.Links.Succeeds = l.to("/transactions?order=desc&cursor=" + b.PagingToken)
	b.Links.Transaction = b.Links.Self
	return b, nil
}

// muxed is the G address, and the M address and id if it came as one.
func muxed(m xdr.MuxedAccount) (address, muxedAddress string, id uint64) {
	address = idOfMuxed(m).String()
	if m.Type == xdr.CryptoKeyTypeKeyTypeMuxedEd25519 {
		return address, m.Address(), uint64(m.Med25519.Id)
	}
	return address, "", 0
}

// setMemo: invalid UTF-8 in a text becomes U+FFFD when encoded; the bytes are
// beside it.
func (b *transactionBody) setMemo(m xdr.Memo) {
	var text string
	switch m.Type {
	case xdr.MemoTypeMemoText:
		b.MemoType, text = "text", *m.Text
		raw := base64.StdEncoding.EncodeToString([]byte(text))
		b.MemoBytes = &raw
	case xdr.MemoTypeMemoId:
		b.MemoType, text = "id", strconv.FormatUint(uint64(*m.Id), 10)
	case xdr.MemoTypeMemoHash:
		b.MemoType, text = "hash", base64.StdEncoding.EncodeToString(m.Hash[:])
	case xdr.MemoTypeMemoReturn:
		b.MemoType, text = "return", base64.StdEncoding.EncodeToString(m.RetHash[:])
	default:
		b.MemoType = "none"
		return
	}
	b.Memo = &text
}

func signatures(sigs []xdr.DecoratedSignature) []string {
	out := make([]string, len(sigs))
	for i, s := range sigs {
		out[i] = base64.StdEncoding.EncodeToString(s.Signature)
	}
	return out
}

func preconditions(p xdr.Preconditions) *preconditionsBody {
	if p.Type == xdr.PreconditionTypePrecondNone {
		return nil
	}
	var b preconditionsBody
	times := p.TimeBounds
	if v2 := p.V2; v2 != nil {
		times = v2.TimeBounds
		if v2.LedgerBounds != nil {
			b.LedgerBounds = &ledgerBoundsBody{
				Min: uint32(v2.LedgerBounds.MinLedger), Max: uint32(v2.LedgerBounds.MaxLedger)}
		}
		if v2.MinSeqNum != nil {
			b.MinSequence = strconv.FormatInt(int64(*v2.MinSeqNum), 10)
		}
		if v2.MinSeqAge > 0 {
			b.MinSequenceAge = strconv.FormatUint(uint64(v2.MinSeqAge), 10)
		}
		b.MinSequenceLedgers = uint32(v2.MinSeqLedgerGap)
		for _, key := range v2.ExtraSigners {
			b.ExtraSigners = append(b.ExtraSigners, key.Address())
		}
	}
	if times != nil {
		b.TimeBounds = &timeBoundsBody{Min: strconv.FormatUint(uint64(times.MinTime), 10)}
		if times.MaxTime > 0 {
			b.TimeBounds.Max = strconv.FormatUint(uint64(times.MaxTime), 10)
		}
	}
	return &b
}

// emptyChanges is the XDR of no changes of ledger entries.
const emptyChanges = "AAAAAA=="

func emptyMeta(c *closedTransaction) (string, error) {
	ops := make([]xdr.OperationMeta, c.ops)
	if !c.success {
		ops = nil
	}
	text, err := xdr.MarshalBase64(xdr.TransactionMeta{V: 2, V2: &xdr.TransactionMetaV2{Operations: ops}})
	if err != nil {
		return "", fmt.Errorf("encoding meta: %w", err)
	}
	return text, nil
}
