package sandbox

import (
	"encoding/base64"
	"encoding/hex"
	"path"
	"strconv"

	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// Operations and, among them, payments: a path that ends in /payments lists
// only those that pay.

func (r *request) operationsIn(l *timeline, failedToo bool) [][]position {
	return l.operations(path.Base(r.URL.Path) == "payments", failedToo)
}

func (a *api) allOperations(r *request) ([]record, error) {
	return a.operationRecords(r, r.operationsIn(&a.history.timeline, r.page.includeFailed))
}

func (a *api) operationsOfAccount(r *request) ([]record, error) {
	id, err := a.knownAccount(r)
	if err != nil {
		return nil, err
	}
	return a.operationRecords(r, r.operationsIn(a.history.of[id], r.page.includeFailed))
}

func (a *api) operationsOfLedger(r *request) ([]record, error) {
	l, err := a.pathLedger(r)
	if err != nil {
		return nil, err
	}
	lists := r.operationsIn(&a.history.timeline, r.page.includeFailed)
	return a.operationRecords(r, allWithin(lists, at(l.seq, 0, 0), at(l.seq+1, 0, 0)))
}

// operationsOfTransaction shows those of a failed one too.
func (a *api) operationsOfTransaction(r *request) ([]record, error) {
	t, _, err := a.pathTransaction(r)
	if err != nil {
		return nil, err
	}
	lists := r.operationsIn(&a.history.timeline, true)
	return a.operationRecords(r, allWithin(lists, at(t.ledger, t.order, 0), at(t.ledger, t.order+1, 0)))
}

func (a *api) operationRecords(r *request, lists [][]position) ([]record, error) {
	read := a.newOperationReader(r)
	var out []record
	for _, p := range page(lists, r.page.cursor, r.page.descending, r.page.limit) {
		body, err := read.resource(p, r.page.join)
		if err != nil {
			return nil, err
		}
		out = append(out, record{strconv.FormatInt(int64(p), 10), body})
	}
	return out, nil
}

func (a *api) operation(r *request) (any, error) {
	n, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, invalidField("id", `schema: error converting value for "id"`)
	}
	join, err := r.joined()
	if err != nil {
		return nil, err
	}
	p := position(n)
	if p < at(1, 0, 0) {
		return nil, errBeforeHistory
	}
	l := a.history.ledger(p.ledger())
	if l == nil || p.order() == 0 || int(p.order()) > len(l.txs) || p.op() == 0 || p.op() > l.txs[p.order()-1].ops {
		return nil, errNotFound
	}
	return a.newOperationReader(r).resource(p, join)
}

// An operationReader reads operations out of history, decoding each of their
// transactions once.
type operationReader struct {
	history *history
	links   links
	decoded map[*closedTransaction]*transaction
	effects map[*closedTransaction][]storedEffect
	joined  map[*closedTransaction]*transactionBody
}

func (a *api) newOperationReader(r *request) *operationReader {
	return &operationReader{
		history: a.history, links: r.links,
		decoded: make(map[*closedTransaction]*transaction),
		effects: make(map[*closedTransaction][]storedEffect),
		joined:  make(map[*closedTransaction]*transactionBody),
	}
}

func (o *operationReader) transaction(c *closedTransaction) *transaction {
	t := o.decoded[c]
	if t == nil {
		t = o.history.decode(c)
		o.decoded[c] = t
	}
	return t
}

// effectsOf reads the effects of one operation.
func (o *operationReader) effectsOf(p position) (out []effect) {
	c := o.history.at(p)
	all, read := o.effects[c]
	if !read {
		all = readEffects(c.raw, c.effects)
		o.effects[c] = all
	}
	for _, e := range all {
		if e.op == p.op() {
			out = append(out, e.effect)
		}
	}
	return out
}

// resultOf reads the result of one operation, nothing if the transaction failed.
func (t *closedTransaction) resultOf(op uint32) (none xdr.OperationResultTr) {
	var r xdr.TransactionResult
	if err := xdr.SafeUnmarshal(t.result, &r); err != nil || !t.success {
		return none
	}
	ops, _ := r.OperationResults()
	return *ops[op-1].Tr
}

func (o *operationReader) operation(p position) xdr.Operation {
	return o.transaction(o.history.at(p)).operations[p.op()-1]
}

func (o *operationReader) resource(p position, join bool) (any, error) {
	c := o.history.at(p)
	t, op := o.transaction(c), o.operation(p)
	b, err := o.base(p, c, t, op, join)
	if err != nil {
		return nil, err
	}
	source := t.actorOf(op)
	switch op.Body.Type {
	case xdr.OperationTypeCreateAccount:
		d := createAccountBody{operationBody: b}
		d.StartingBalance = amount.String(op.Body.CreateAccountOp.StartingBalance)
		d.Funder, d.FunderMuxed, d.FunderMuxedID = muxed(source)
		d.Account = op.Body.CreateAccountOp.Destination.Address()
		return d, nil
	case xdr.OperationTypePayment:
		d := paymentBody{operationBody: b, assetBody: assetOf(op.Body.PaymentOp.Asset).resource()}
		d.From, d.FromMuxed, d.FromMuxedID = muxed(source)
		d.To, d.ToMuxed, d.ToMuxedID = muxed(op.Body.PaymentOp.Destination)
		d.Amount = amount.String(op.Body.PaymentOp.Amount)
		return d, nil
	case xdr.OperationTypePathPaymentStrictSend:
		return pathSendResource(b, source, *op.Body.PathPaymentStrictSendOp, c.resultOf(p.op()).PathPaymentStrictSendResult), nil
	case xdr.OperationTypePathPaymentStrictReceive:
		return pathReceiveResource(b, source, *op.Body.PathPaymentStrictReceiveOp, c.resultOf(p.op()).PathPaymentStrictReceiveResult), nil
	case xdr.OperationTypeChangeTrust:
		line, _ := assetToTrust(op.Body.ChangeTrustOp.Line)
		d := changeTrustBody{operationBody: b}
		d.assetBody = line.resource()
		d.Limit = amount.String(op.Body.ChangeTrustOp.Limit)
		d.Trustee = line.issuer.String()
		d.Trustor, d.TrustorMuxed, d.TrustorMuxedID = muxed(source)
		return d, nil
	case xdr.OperationTypeSetOptions:
		return setOptionsResource(b, *op.Body.SetOptionsOp), nil
	case xdr.OperationTypeManageData:
		return manageDataResource(b, *op.Body.ManageDataOp), nil
	case xdr.OperationTypeCreateClaimableBalance:
		return createClaimableResource(b, *op.Body.CreateClaimableBalanceOp), nil
	case xdr.OperationTypeClaimClaimableBalance:
		d := claimBody{operationBody: b, BalanceID: balanceID(*op.Body.ClaimClaimableBalanceOp.BalanceId.V0).String()}
		d.Claimant, d.ClaimantMuxed, d.ClaimantMuxedID = muxed(source)
		return d, nil
	case xdr.OperationTypeBeginSponsoringFutureReserves:
		return beginSponsoringBody{b, op.Body.BeginSponsoringFutureReservesOp.SponsoredId.Address()}, nil
	case xdr.OperationTypeEndSponsoringFutureReserves:
		d := endSponsoringBody{operationBody: b}
		if sponsor, ok := t.beginner(int(p.op()) - 1); ok && c.success {
			d.BeginSponsor, d.BeginSponsorMuxed, d.BeginSponsorMuxedID = muxed(sponsor)
		}
		return d, nil
	case xdr.OperationTypeRevokeSponsorship:
		return revokeSponsorshipResource(b, *op.Body.RevokeSponsorshipOp), nil
	case xdr.OperationTypeClawbackClaimableBalance:
		return clawbackClaimableBody{b, balanceID(*op.Body.ClawbackClaimableBalanceOp.BalanceId.V0).String()}, nil
	case xdr.OperationTypeSetTrustLineFlags:
		return setTrustLineFlagsResource(b, *op.Body.SetTrustLineFlagsOp), nil
	case xdr.OperationTypeAllowTrust:
		return allowTrustResource(b, source, *op.Body.AllowTrustOp), nil
	case xdr.OperationTypeClawback:
		d := clawbackBody{operationBody: b, assetBody: assetOf(op.Body.ClawbackOp.Asset).resource()}
		d.From, d.FromMuxed, d.FromMuxedID = muxed(op.Body.ClawbackOp.From)
		d.Amount = amount.String(op.Body.ClawbackOp.Amount)
		return d, nil
	case xdr.OperationTypeAccountMerge:
		d := accountMergeBody{operationBody: b}
		d.Account, d.AccountMuxed, d.AccountMuxedID = muxed(source)
		d.Into, d.IntoMuxed, d.IntoMuxedID = muxed(*op.Body.Destination)
		return d, nil
	case xdr.OperationTypeBumpSequence:
		return bumpSequenceBody{b, strconv.FormatInt(int64(op.Body.BumpSequenceOp.BumpTo), 10)}, nil
	}
	return b, nil
}

func (o *operationReader) base(p position, c *closedTransaction, t *transaction, op xdr.Operation, join bool) (operationBody, error) {
	l := o.links
	var b operationBody
	b.ID = strconv.FormatInt(int64(p), 10)
	b.PagingToken = b.ID
	b.Successful = c.success
	b.Source, b.SourceMuxed, b.SourceMuxedID = muxed(t.actorOf(op))
	b.Type = rules[op.Body.Type].name
	b.TypeI = int32(op.Body.Type)
	b.CreatedAt = c.closedAt()
	b.TransactionHash = hex.EncodeToString(c.hash[:])
	if rules[op.Body.Type].creates && c.success {
		if sponsor := sponsorOfNew(op, o.effectsOf(p)); sponsor != nil {
			b.Sponsor = sponsor.String()
		}
	}
	b.Links.Self = l.to("/operations/" + b.ID)
	b.Links.Transaction = l.to("/transactions/" + b.TransactionHash)
	b.Links.Effects = l.to("/operations/" + b.ID + "/effects")
	b.Links.Succeeds = l.to("/effects?order=desc&cursor=" + b.ID)
	b.Links.Precedes = l.to("/effects?order=asc&cursor=" + b.ID)
	if join {
		if o.joined[c] == nil {
			tx, err := l.transaction(o.history, c, c.hash)
			if err != nil {
				return b, err
			}
			o.joined[c] = &tx
		}
		b.Transaction = o.joined[c]
	}
	return b, nil
}

func setOptionsResource(b operationBody, op xdr.SetOptionsOp) setOptionsBody {
	d := setOptionsBody{
		operationBody:   b,
		MasterKeyWeight: optional(op.MasterWeight),
		LowThreshold:    optional(op.LowThreshold),
		MedThreshold:    optional(op.MedThreshold),
		HighThreshold:   optional(op.HighThreshold),
	}
	if op.HomeDomain != nil {
		d.HomeDomain = string(*op.HomeDomain)
	}
	if op.InflationDest != nil {
		d.InflationDest = op.InflationDest.Address()
	}
	if op.Signer != nil {
		d.SignerKey = op.Signer.Key.Address()
		d.SignerWeight = optional(&op.Signer.Weight)
	}
	d.SetFlags, d.SetFlagNames = flagNames(int(flagsOf(op.SetFlags)), accountFlags)
	d.ClearFlags, d.ClearFlagNames = flagNames(int(flagsOf(op.ClearFlags)), accountFlags)
	return d
}

// manageDataResource: a deletion has an empty value.
func manageDataResource(b operationBody, op xdr.ManageDataOp) manageDataBody {
	d := manageDataBody{operationBody: b, Name: string(op.DataName)}
	if op.DataValue != nil {
		d.Value = base64.StdEncoding.EncodeToString(*op.DataValue)
	}
	return d
}

func createClaimableResource(b operationBody, op xdr.CreateClaimableBalanceOp) createClaimableBody {
	d := createClaimableBody{operationBody: b, Asset: assetOf(op.Asset).String(), Amount: amount.String(op.Amount)}
	d.Claimants = claimantBodies(op.Claimants)
	return d
}

func claimantBodies(claimants []xdr.Claimant) []claimantBody {
	out := make([]claimantBody, len(claimants))
	for i, c := range claimants {
		out[i] = claimantBody{Destination: c.V0.Destination.Address(), Predicate: c.V0.Predicate}
	}
	return out
}

func revokeSponsorshipResource(b operationBody, op xdr.RevokeSponsorshipOp) revokeSponsorshipBody {
	d := revokeSponsorshipBody{operationBody: b}
	if op.Type == xdr.RevokeSponsorshipTypeRevokeSponsorshipSigner {
		d.SignerAccountID, d.SignerKey = op.Signer.AccountId.Address(), op.Signer.SignerKey.Address()
		return d
	}
	switch key := op.LedgerKey; key.Type {
	case xdr.LedgerEntryTypeAccount:
		d.AccountID = key.Account.AccountId.Address()
	case xdr.LedgerEntryTypeClaimableBalance:
		d.ClaimableBalanceID = balanceID(*key.ClaimableBalance.BalanceId.V0).String()
	case xdr.LedgerEntryTypeData:
		d.DataAccountID, d.DataName = key.Data.AccountId.Address(), string(key.Data.DataName)
	case xdr.LedgerEntryTypeOffer:
		d.OfferID = strconv.FormatInt(int64(key.Offer.OfferId), 10)
	case xdr.LedgerEntryTypeTrustline:
		d.TrustlineAccountID = key.TrustLine.AccountId.Address()
		if pool := key.TrustLine.Asset.LiquidityPoolId; pool != nil {
			d.TrustlinePoolID = hex.EncodeToString(pool[:])
		} else {
			d.TrustlineAsset = assetOf(key.TrustLine.Asset.ToAsset()).String()
		}
	}
	return d
}

// What a failed path payment would have exchanged is shown as nothing.
func pathResource(b operationBody, from, to xdr.MuxedAccount, hops []asset) pathBody {
	d := pathBody{paymentBody: paymentBody{operationBody: b, assetBody: hops[len(hops)-1].resource()}, Path: []assetBody{}}
	d.From, d.FromMuxed, d.FromMuxedID = muxed(from)
	d.To, d.ToMuxed, d.ToMuxedID = muxed(to)
	for _, a := range hops[1 : len(hops)-1] {
		d.Path = append(d.Path, a.resource())
	}
	source := hops[0].resource()
	d.SourceAssetType, d.SourceAssetCode, d.SourceAssetIssuer = source.Type, source.Code, source.Issuer
	return d
}

func pathSendResource(b operationBody, from xdr.MuxedAccount, op xdr.PathPaymentStrictSendOp, result *xdr.PathPaymentStrictSendResult) pathBody {
	d := pathResource(b, from, op.Destination, hopsOf(op.SendAsset, op.Path, op.DestAsset))
	d.SourceAmount, d.DestinationMin = amount.String(op.SendAmount), amount.String(op.DestMin)
	d.Amount = amount.String(0)
	if result != nil {
		d.Amount = amount.String(result.DestAmount())
	}
	return d
}

func pathReceiveResource(b operationBody, from xdr.MuxedAccount, op xdr.PathPaymentStrictReceiveOp, result *xdr.PathPaymentStrictReceiveResult) pathBody {
	d := pathResource(b, from, op.Destination, hopsOf(op.SendAsset, op.Path, op.DestAsset))
	d.Amount, d.SourceMax = amount.String(op.DestAmount), amount.String(op.SendMax)
	d.SourceAmount = amount.String(0)
	if result != nil {
		d.SourceAmount = amount.String(result.SendAmount())
	}
	return d
}

func setTrustLineFlagsResource(b operationBody, op xdr.SetTrustLineFlagsOp) setTrustLineFlagsBody {
	d := setTrustLineFlagsBody{operationBody: b, assetBody: assetOf(op.Asset).resource(), Trustor: op.Trustor.Address()}
	d.SetFlags, d.SetFlagNames = flagNames(int(op.SetFlags), lineFlags)
	d.ClearFlags, d.ClearFlagNames = flagNames(int(op.ClearFlags), lineFlags)
	return d
}

func allowTrustResource(b operationBody, source xdr.MuxedAccount, op xdr.AllowTrustOp) allowTrustBody {
	d := allowTrustBody{operationBody: b, assetBody: ownAsset(idOfMuxed(source), op.Asset).resource()}
	d.Trustee, d.TrusteeMuxed, d.TrusteeMuxedID = muxed(source)
	d.Trustor = op.Trustor.Address()
	allowed := xdr.TrustLineFlags(op.Authorize)
	d.Authorize = allowed.IsAuthorized()
	d.AuthorizeToMaintain = allowed.IsAuthorizedToMaintainLiabilitiesFlag()
	return d
}

func optional(n *xdr.Uint32) *int {
	if n == nil {
		return nil
	}
	i := int(*n)
	return &i
}

type flagName struct {
	flag int
	name string
}

var accountFlags = []flagName{
	{int(xdr.AccountFlagsAuthRequiredFlag), "auth_required"},
	{int(xdr.AccountFlagsAuthRevocableFlag), "auth_revocable"},
	{int(xdr.AccountFlagsAuthImmutableFlag), "auth_immutable"},
	{int(xdr.AccountFlagsAuthClawbackEnabledFlag), "auth_clawback_enabled"},
}

// lineFlags are spelled as Horizon does.
var lineFlags = []flagName{
	{int(xdr.TrustLineFlagsAuthorizedFlag), "authorized"},
	{int(xdr.TrustLineFlagsAuthorizedToMaintainLiabilitiesFlag), "authorized_to_maintain_liabilites"},
	{int(xdr.TrustLineFlagsTrustlineClawbackEnabledFlag), "clawback_enabled"},
}

func flagNames(flags int, all []flagName) (numbers []int, names []string) {
	for _, f := range all {
		if flags&f.flag != 0 {
			numbers = append(numbers, f.flag)
			names = append(names, f.name)
		}
	}
	return numbers, names
}
