package sandbox

import (
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"
)

func checkBeginSponsoring(source accountID, body xdr.OperationBody) int32 {
	if idOf(body.BeginSponsoringFutureReservesOp.SponsoredId) == source {
		return int32(xdr.BeginSponsoringFutureReservesResultCodeBeginSponsoringFutureReservesMalformed)
	}
	return 0
}

// applyBeginSponsoring: the sponsored need not exist yet. Who sponsors may not
// be sponsored, nor the other way round.
func applyBeginSponsoring(s *step, body xdr.OperationBody) int32 {
	sponsored := idOf(body.BeginSponsoringFutureReservesOp.SponsoredId)
	if _, already := s.sponsors[sponsored]; already {
		return int32(xdr.BeginSponsoringFutureReservesResultCodeBeginSponsoringFutureReservesAlreadySponsored)
	}
	if _, recursive := s.sponsors[s.source]; recursive || s.sponsors.pays(sponsored) {
		return int32(xdr.BeginSponsoringFutureReservesResultCodeBeginSponsoringFutureReservesRecursive)
	}
	s.sponsors[sponsored] = s.source
	return 0
}

func applyEndSponsoring(s *step, _ xdr.OperationBody) int32 {
	if _, ok := s.sponsors[s.source]; !ok {
		return int32(xdr.EndSponsoringFutureReservesResultCodeEndSponsoringFutureReservesNotSponsored)
	}
	delete(s.sponsors, s.source)
	return 0
}

// beginner is who began the sponsoring that an operation ends, false if it is
// another kind. It is only to be relied on if the transaction succeeded.
func (t *transaction) beginner(index int) (xdr.MuxedAccount, bool) {
	end := t.operations[index]
	if end.Body.Type != xdr.OperationTypeEndSponsoringFutureReserves {
		return xdr.MuxedAccount{}, false
	}
	sponsored := t.sourceOf(end)
	for _, op := range slices.Backward(t.operations[:index]) {
		if begin := op.Body.BeginSponsoringFutureReservesOp; begin != nil && idOf(begin.SponsoredId) == sponsored {
			return t.actorOf(op), true
		}
	}
	return xdr.MuxedAccount{}, false
}

func checkRevokeSponsorship(_ accountID, body xdr.OperationBody) int32 {
	if key := body.RevokeSponsorshipOp.LedgerKey; key != nil && !validKey(*key) {
		return int32(xdr.RevokeSponsorshipResultCodeRevokeSponsorshipMalformed)
	}
	return 0
}

func validKey(key xdr.LedgerKey) bool {
	switch key.Type {
	case xdr.LedgerEntryTypeAccount, xdr.LedgerEntryTypeClaimableBalance:
		return true
	case xdr.LedgerEntryTypeTrustline:
		if key.TrustLine.Asset.Type == xdr.AssetTypeAssetTypePoolShare {
			return true
		}
		of := assetOf(key.TrustLine.Asset.ToAsset())
		return !of.native() && of.valid() && of.issuer != idOf(key.TrustLine.AccountId)
	case xdr.LedgerEntryTypeOffer:
		return key.Offer.OfferId > 0
	case xdr.LedgerEntryTypeData:
		return key.Data.DataName != "" && printable(string(key.Data.DataName))
	}
	return false
}

// An entry is one whose sponsor may change.
type entry struct {
	sponsorable
	owner    *account   // an edit; nil if it has none
	sponsor  *accountID // nil if the owner pays
	reserves uint32
	set      func(sponsor *accountID)
}

// payer is the account that pays for it, or would without a sponsor.
func (e *entry) payer() accountID {
	if e.owner == nil {
		return *e.sponsor
	}
	return e.owner.id
}

// applyRevokeSponsorship: whoever pays for an entry no longer does. If it is
// sponsored now, its sponsor pays instead, else the entry's owner.
func applyRevokeSponsorship(s *step, body xdr.OperationBody) int32 {
	e := s.entryOf(*body.RevokeSponsorshipOp)
	switch {
	case e == nil:
		return int32(xdr.RevokeSponsorshipResultCodeRevokeSponsorshipDoesNotExist)
	case e.sponsor != nil && *e.sponsor != s.source, e.sponsor == nil && e.owner.id != s.source:
		return int32(xdr.RevokeSponsorshipResultCodeRevokeSponsorshipNotSponsor)
	}
	next := s.sponsorOf(s.source)
	if next != nil && next.id == e.payer() {
		next = nil
	}
	if next == nil && e.owner == nil {
		return int32(xdr.RevokeSponsorshipResultCodeRevokeSponsorshipOnlyTransferable)
	}
	return s.responsor(e, next)
}

// responsor makes next pay for an entry, or its owner if next is nil.
func (s *step) responsor(e *entry, next *account) int32 {
	const lowReserve = int32(xdr.RevokeSponsorshipResultCodeRevokeSponsorshipLowReserve)
	former := e.sponsor
	switch {
	case former == nil && next == nil:
		e.set(nil)
	case former == nil:
		if code := s.sponsor(next, e.owner, e.reserves, e.sponsorable, lowReserve); code != 0 {
			return code
		}
		e.set(new(next.id))
	case next == nil:
		if e.owner.available() < int64(e.reserves)*baseReserve {
			return lowReserve
		}
		s.release(former, e.owner, e.reserves, e.sponsorable)
		e.set(nil)
	default:
		if code := s.takeReserves(next, e.reserves, lowReserve); code != 0 {
			return code
		}
		releaseReserves(s.view, s.ledger, *former, nil, e.reserves)
		s.sponsorshipEffect(e.sponsorable, former, &next.id)
		e.set(new(next.id))
	}
	return 0
}

// entryOf finds what the operation names, nil if there is no such entry.
func (s *step) entryOf(op xdr.RevokeSponsorshipOp) *entry {
	if op.Type == xdr.RevokeSponsorshipTypeRevokeSponsorshipSigner {
		return s.signerEntry(idOf(op.Signer.AccountId), op.Signer.SignerKey)
	}
	switch key := op.LedgerKey; key.Type {
	case xdr.LedgerEntryTypeAccount:
		return s.accountEntry(idOf(key.Account.AccountId))
	case xdr.LedgerEntryTypeTrustline:
		if key.TrustLine.Asset.Type != xdr.AssetTypeAssetTypePoolShare {
			return s.lineEntry(idOf(key.TrustLine.AccountId), assetOf(key.TrustLine.Asset.ToAsset()))
		}
	case xdr.LedgerEntryTypeData:
		return s.datumEntry(idOf(key.Data.AccountId), string(key.Data.DataName))
	case xdr.LedgerEntryTypeClaimableBalance:
		return s.balanceEntry(balanceID(*key.ClaimableBalance.BalanceId.V0))
	}
	return nil
}

func (s *step) accountEntry(id accountID) *entry {
	a := s.edit(id)
	if a == nil {
		return nil
	}
	return &entry{sponsoredAccount(id), a, a.sponsor, 2, func(sponsor *accountID) {
		a.sponsor, a.modified = sponsor, s.ledger
	}}
}

func (s *step) signerEntry(id accountID, key xdr.SignerKey) *entry {
	a := s.edit(id)
	if a == nil {
		return nil
	}
	i := slices.IndexFunc(a.signers, func(s signer) bool { return s.key.Equals(key) })
	if i < 0 {
		return nil
	}
	return &entry{sponsoredSigner(id, key), a, a.signers[i].sponsor, 1, func(sponsor *accountID) {
		a.signers = slices.Clone(a.signers)
		a.signers[i].sponsor, a.modified = sponsor, s.ledger
	}}
}

func (s *step) lineEntry(id accountID, of asset) *entry {
	a := s.edit(id)
	if a == nil || a.line(of) == nil {
		return nil
	}
	line := *a.line(of)
	return &entry{sponsoredLine(id, of), a, line.sponsor, 1, func(sponsor *accountID) {
		line.sponsor, line.modified = sponsor, s.ledger
		a.setLine(line)
	}}
}

func (s *step) datumEntry(id accountID, name string) *entry {
	a := s.edit(id)
	if a == nil || a.datum(name) == nil {
		return nil
	}
	d := *a.datum(name)
	return &entry{s.sponsoredDatum(name), a, d.sponsor, 1, func(sponsor *accountID) {
		d.sponsor, d.modified = sponsor, s.ledger
		a.setDatum(d)
	}}
}

func (s *step) balanceEntry(id balanceID) *entry {
	have := s.claimable(id)
	if have == nil {
		return nil
	}
	c := *have
	return &entry{s.sponsoredBalance(id), nil, &have.sponsor, c.reserves(), func(sponsor *accountID) {
		c.sponsor, c.modified = *sponsor, s.ledger
		s.putClaimable(&c)
	}}
}

// revokedFrom is who owns the entry the operation names; of a claimable
// balance nobody does.
func revokedFrom(body xdr.OperationBody) []accountID {
	op := body.RevokeSponsorshipOp
	if op.Type == xdr.RevokeSponsorshipTypeRevokeSponsorshipSigner {
		return []accountID{idOf(op.Signer.AccountId)}
	}
	switch key := op.LedgerKey; key.Type {
	case xdr.LedgerEntryTypeAccount:
		return []accountID{idOf(key.Account.AccountId)}
	case xdr.LedgerEntryTypeTrustline:
		return []accountID{idOf(key.TrustLine.AccountId)}
	case xdr.LedgerEntryTypeData:
		return []accountID{idOf(key.Data.AccountId)}
	case xdr.LedgerEntryTypeOffer:
		return []accountID{idOf(key.Offer.SellerId)}
	}
	return nil
}
