package sandbox

import (
	"math"
	"slices"
	"strings"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// Each entry of the ledger ties up a base reserve of whoever pays for it (two
// for an account, one for each claimant of a claimable balance): its owner, or
// a sponsor who said so in the same transaction (CAP-33). A claimable balance
// has no owner and always a sponsor, at first whoever creates it.

// sponsors says who pays for whom while a transaction is applied: the sponsor
// by the sponsored. All must be out of it again at the end.
type sponsors map[accountID]accountID

// pays says whether an account has begun to pay for another.
func (s sponsors) pays(id accountID) bool {
	for _, sponsor := range s {
		if sponsor == id {
			return true
		}
	}
	return false
}

// A sponsorable is an entry whose reserve another may pay, as effects tell it.
type sponsorable struct {
	kind    string
	account xdr.MuxedAccount
	details []detail
}

func sponsoredAccount(id accountID) sponsorable {
	return sponsorable{kind: "account", account: id.muxed()}
}

// sponsoredLine: Horizon tells the kind of asset of pool shares only.
func sponsoredLine(owner accountID, of asset) sponsorable {
	return sponsorable{"trustline", owner.muxed(), []detail{{"asset_type", ""}, {"asset", of.String()}}}
}

func sponsoredSigner(owner accountID, key xdr.SignerKey) sponsorable {
	return sponsorable{"signer", owner.muxed(), []detail{{"signer", key.Address()}}}
}

// sponsoredDatum and sponsoredBalance are told of the operation's source, who
// need not be the owner.
func (s *step) sponsoredDatum(name string) sponsorable {
	return sponsorable{"data", s.actor, []detail{{"data_name", name}}}
}

func (s *step) sponsoredBalance(id balanceID) sponsorable {
	return sponsorable{"claimable_balance", s.actor, []detail{{"balance_id", id.String()}}}
}

// sponsorOf is the account that pays for what another creates now, nil if that
// one does so itself.
func (s *step) sponsorOf(id accountID) *account {
	if sponsor, ok := s.sponsors[id]; ok {
		return s.edit(sponsor)
	}
	return nil
}

// addSubentry counts the reserve of a new trust line, signer or data entry and
// says who pays it, nil for the owner. If nobody can, it says why not; lowCode
// is what the operation calls a reserve too low.
func (s *step) addSubentry(owner *account, what sponsorable, lowCode int32) (*accountID, int32) {
	if owner.subEntries() >= maxSubEntries {
		return nil, s.refuse(xdr.OperationResultCodeOpTooManySubentries)
	}
	owner.modified = s.ledger
	if sponsor := s.sponsorOf(owner.id); sponsor != nil {
		return new(sponsor.id), s.sponsor(sponsor, owner, 1, what, lowCode)
	}
	if owner.available() < baseReserve {
		return nil, lowCode
	}
	return nil, 0
}

// sponsor makes an account pay for a new entry of the owner, nil if it has
// none.
func (s *step) sponsor(sponsor, owner *account, reserves uint32, what sponsorable, lowCode int32) int32 {
	if code := s.takeReserves(sponsor, reserves, lowCode); code != 0 {
		return code
	}
	if owner != nil {
		owner.sponsored += reserves
		owner.modified = s.ledger
	}
	s.sponsorshipEffect(what, nil, &sponsor.id)
	return 0
}

func (s *step) takeReserves(sponsor *account, reserves uint32, lowCode int32) int32 {
	if sponsor.available() < int64(reserves)*baseReserve {
		return lowCode
	}
	if uint64(sponsor.sponsoring)+uint64(sponsor.subEntries())+uint64(reserves) > math.MaxUint32 {
		return s.refuse(xdr.OperationResultCodeOpTooManySponsoring)
	}
	sponsor.sponsoring += reserves
	sponsor.modified = s.ledger
	return 0
}

// release gives the reserve of an entry that is removed back to its sponsor,
// if it has one. The owner is nil if it has none.
func (s *step) release(sponsor *accountID, owner *account, reserves uint32, what sponsorable) {
	if sponsor == nil {
		return
	}
	releaseReserves(s.view, s.ledger, *sponsor, owner, reserves)
	s.sponsorshipEffect(what, sponsor, nil)
}

func releaseReserves(v *view, ledger uint32, sponsor accountID, owner *account, reserves uint32) {
	payer := v.edit(sponsor)
	payer.sponsoring -= reserves
	payer.modified = ledger
	if owner != nil {
		owner.sponsored -= reserves
		owner.modified = ledger
	}
}

// sponsorshipEffect tells that what one paid another pays now; nil is the
// owner.
func (s *step) sponsorshipEffect(what sponsorable, former, current *accountID) {
	e := effect{account: what.account, kind: what.kind + "_sponsorship_", details: what.details}
	switch {
	case former == nil:
		e.kind += "created"
		e.details = append(e.details, detail{"sponsor", current.String()})
	case current == nil:
		e.kind += "removed"
		e.details = append(e.details, detail{"former_sponsor", former.String()})
	default:
		e.kind += "updated"
		e.details = append(e.details, detail{"former_sponsor", former.String()}, detail{"new_sponsor", current.String()})
	}
	s.sponsored = append(s.sponsored, e)
}

// sponsorOfNew is who pays for the entry that an operation created, going by
// its effects; nil if the owner does.
func sponsorOfNew(op xdr.Operation, effects []effect) *accountID {
	if !rules[op.Body.Type].creates {
		return nil
	}
	if ids := sponsorsIn(effects, "sponsor"); len(ids) > 0 {
		return &ids[0]
	}
	return nil
}

// sponsorsIn lists the accounts that effects name as sponsors of these sorts.
func sponsorsIn(effects []effect, sorts ...string) (ids []accountID) {
	for _, e := range effects {
		if !strings.Contains(e.kind, "_sponsorship_") {
			continue
		}
		for _, d := range e.details {
			if slices.Contains(sorts, d.key) {
				address, _ := d.value.(string)
				if key, ok := addressKey(address); ok {
					ids = append(ids, accountID(key))
				}
			}
		}
	}
	return ids
}
