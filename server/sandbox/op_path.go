package sandbox

import (
	"slices"
	"strconv"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// Path payments: the sender pays in one asset, the receiver gets another, and
// what lies between is exchanged at the network's rates, hop by hop.

// Codes that both kinds have beyond those of payments, the same numbers in both.
const (
	tooFewOffers   = int32(xdr.PathPaymentStrictSendResultCodePathPaymentStrictSendTooFewOffers)
	offerCrossSelf = int32(xdr.PathPaymentStrictSendResultCodePathPaymentStrictSendOfferCrossSelf)
)

func checkPathSend(_ accountID, body xdr.OperationBody) int32 {
	op := body.PathPaymentStrictSendOp
	return checkPath(op.SendAmount, op.DestMin, append([]xdr.Asset{op.SendAsset, op.DestAsset}, op.Path...))
}

func checkPathReceive(_ accountID, body xdr.OperationBody) int32 {
	op := body.PathPaymentStrictReceiveOp
	return checkPath(op.DestAmount, op.SendMax, append([]xdr.Asset{op.SendAsset, op.DestAsset}, op.Path...))
}

func checkPath(amount, bound xdr.Int64, assets []xdr.Asset) int32 {
	if amount <= 0 || bound <= 0 || slices.ContainsFunc(assets, func(a xdr.Asset) bool { return !assetOf(a).valid() }) {
		return int32(xdr.PathPaymentStrictSendResultCodePathPaymentStrictSendMalformed)
	}
	return 0
}

// applyPathSend takes the amount first and exchanges it forwards.
func applyPathSend(s *step, body xdr.OperationBody) int32 {
	op := body.PathPaymentStrictSendOp
	hops := hopsOf(op.SendAsset, op.Path, op.DestAsset)
	if s.misses(op.Destination, hops) {
		return int32(xdr.PathPaymentStrictSendResultCodePathPaymentStrictSendNoDestination)
	}
	if code := s.take(hops[0], int64(op.SendAmount)); code != 0 {
		return code
	}
	got, claims := int64(op.SendAmount), []xdr.ClaimAtom{}
	for i, to := range hops[1:] {
		if hops[i] == to || got == 0 {
			continue
		}
		r := findRate(s.rates, to, hops[i])
		if r == nil {
			return tooFewOffers
		}
		sold, ok := r.sold(got)
		if !ok {
			return tooFewOffers
		}
		if code := s.exchange(r, sold, got); code != 0 {
			return code
		}
		claims = append(claims, r.claim(sold, got))
		got = sold
	}
	if got < int64(op.DestMin) {
		return int32(xdr.PathPaymentStrictSendResultCodePathPaymentStrictSendUnderDestmin)
	}
	if code := s.give(op.Destination, hops[len(hops)-1], got); code != 0 {
		return code
	}
	s.pathEffects(op.Destination, hops, got, int64(op.SendAmount), claims)
	s.fill = func(r *xdr.OperationResultTr) {
		*r.PathPaymentStrictSendResult.Success = xdr.PathPaymentStrictSendResultSuccess{Offers: claims, Last: lastPayment(op.Destination, op.DestAsset, got)}
	}
	return 0
}

// applyPathReceive pays out first, then finds backwards what that costs.
func applyPathReceive(s *step, body xdr.OperationBody) int32 {
	op := body.PathPaymentStrictReceiveOp
	hops := hopsOf(op.SendAsset, op.Path, op.DestAsset)
	if s.misses(op.Destination, hops) {
		return int32(xdr.PathPaymentStrictReceiveResultCodePathPaymentStrictReceiveNoDestination)
	}
	if code := s.give(op.Destination, hops[len(hops)-1], int64(op.DestAmount)); code != 0 {
		return code
	}
	owed, claims := int64(op.DestAmount), []xdr.ClaimAtom{}
	for i := len(hops) - 2; i >= 0; i-- {
		if hops[i] == hops[i+1] {
			continue
		}
		r := findRate(s.rates, hops[i+1], hops[i])
		if r == nil {
			return tooFewOffers
		}
		cost, ok := r.cost(owed)
		if !ok {
			return tooFewOffers
		}
		if code := s.exchange(r, owed, cost); code != 0 {
			return code
		}
		claims = append([]xdr.ClaimAtom{r.claim(owed, cost)}, claims...)
		owed = cost
	}
	if owed > int64(op.SendMax) {
		return int32(xdr.PathPaymentStrictReceiveResultCodePathPaymentStrictReceiveOverSendmax)
	}
	if code := s.take(hops[0], owed); code != 0 {
		return code
	}
	s.pathEffects(op.Destination, hops, int64(op.DestAmount), owed, claims)
	s.fill = func(r *xdr.OperationResultTr) {
		*r.PathPaymentStrictReceiveResult.Success = xdr.PathPaymentStrictReceiveResultSuccess{Offers: claims, Last: lastPayment(op.Destination, op.DestAsset, int64(op.DestAmount))}
	}
	return 0
}

// hopsOf are the assets on the way, with those at its ends.
func hopsOf(from xdr.Asset, path []xdr.Asset, to xdr.Asset) []asset {
	hops := []asset{assetOf(from)}
	for _, a := range append(slices.Clone(path), to) {
		hops = append(hops, assetOf(a))
	}
	return hops
}

// misses says whether there is nobody to pay to. An issuer takes its own asset
// back even after its account is gone.
func (s *step) misses(to xdr.MuxedAccount, hops []asset) bool {
	comesBack := len(hops) == 2 && hops[0] == hops[1] && !hops[0].native() && hops[0].issuer == idOfMuxed(to)
	return !comesBack && s.account(idOfMuxed(to)) == nil
}

// exchange does a rate's part: its account gets what the payment brings and
// pays out what it sells. Lines that may only maintain are enough for that.
func (s *step) exchange(r *rate, sold, bought int64) int32 {
	if r.seller == s.source {
		return offerCrossSelf
	}
	if s.account(r.seller) == nil ||
		s.change(r.seller, r.buys, bought, authFlags) != changed || s.change(r.seller, r.sells, -sold, authFlags) != changed {
		return tooFewOffers
	}
	return 0
}

// claim tells of an exchange as of an offer that was taken.
func (r *rate) claim(sold, bought int64) xdr.ClaimAtom {
	return xdr.ClaimAtom{Type: xdr.ClaimAtomTypeClaimAtomTypeOrderBook, OrderBook: &xdr.ClaimOfferAtom{
		SellerId: r.seller.xdr(), OfferId: xdr.Int64(r.number),
		AssetSold: r.sells.xdr(), AmountSold: xdr.Int64(sold),
		AssetBought: r.buys.xdr(), AmountBought: xdr.Int64(bought),
	}}
}

// nothingPaid is in the result of what would have succeeded if all had.
var nothingPaid = xdr.SimplePaymentResult{Destination: accountID{}.xdr()}

func lastPayment(to xdr.MuxedAccount, what xdr.Asset, amount int64) xdr.SimplePaymentResult {
	return xdr.SimplePaymentResult{Destination: to.ToAccountId(), Asset: what, Amount: xdr.Int64(amount)}
}

// pathEffects: the receiver's, the sender's, then of each exchange both sides.
func (s *step) pathEffects(to xdr.MuxedAccount, hops []asset, got, paid int64, claims []xdr.ClaimAtom) {
	s.effectOn(to, "account_credited", moved(hops[len(hops)-1], got)...)
	s.effectOn(s.actor, "account_debited", moved(hops[0], paid)...)
	address, muxedAddress, muxedID := muxed(s.actor)
	for _, c := range claims {
		o := c.OrderBook
		sold, bought := moved(assetOf(o.AssetSold), int64(o.AmountSold)), moved(assetOf(o.AssetBought), int64(o.AmountBought))
		offer := detail{"offer_id", strconv.FormatInt(int64(o.OfferId), 10)}
		s.effectOn(s.actor, "trade", slices.Concat([]detail{{"seller", o.SellerId.Address()}, offer}, prefixed("sold_", bought), prefixed("bought_", sold))...)

		buyer := []detail{{"seller", address}}
		if muxedAddress != "" {
			buyer = append(buyer, detail{"seller_muxed", muxedAddress}, detail{"seller_muxed_id", strconv.FormatUint(muxedID, 10)})
		}
		s.effect(idOf(o.SellerId), "trade", slices.Concat(buyer, []detail{offer}, prefixed("sold_", sold), prefixed("bought_", bought))...)
	}
}

func prefixed(prefix string, details []detail) []detail {
	out := slices.Clone(details)
	for i := range out {
		out[i].key = prefix + out[i].key
	}
	return out
}

// traders lists whose lumens were exchanged: as with a sponsor, their account
// changed, so they find the transaction among theirs.
func traders(effects []effect) (ids []accountID) {
	for _, e := range effects {
		if e.kind == "trade" && slices.ContainsFunc(e.details, func(d detail) bool { return d.value == "native" }) {
			ids = append(ids, idOfMuxed(e.account))
		}
	}
	return ids
}
