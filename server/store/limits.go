package store

import (
	"strings"
	"time"

	"windlass/server/anchor"
)

// The reasons of intents and orders that wait for a second person.
const (
	AbovePayoutLimit = "payout_limit"
	AboveDailyLimit  = "daily_limit"
	// PayerTyped is a refund to an account that a person typed, and that the
	// statement has not told.
	PayerTyped = "payer_typed"
)

// limitedWithin is the time that a daily limit is about.
const limitedWithin = 24 * time.Hour

type limit struct{ single, daily anchor.Amount }

// Limit says above which amounts a payout or a refund, on the ledger or at the
// bank, waits for a second person's word: the limits of the terms, and of several
// that share their money at the bank the lowest there. Call it before the first
// update.
func (s *Store) Limit(terms []*anchor.Terms) {
	s.limits = map[anchor.Asset]limit{}
	lower := func(a, b anchor.Amount) anchor.Amount {
		if a == 0 || b != 0 && b < a {
			return b
		}
		return a
	}
	for _, t := range terms {
		l := s.limits[t.Asset]
		s.limits[t.Asset] = limit{lower(l.single, t.PayoutLimit), lower(l.daily, t.DailyLimit)}
		l = s.limits[t.OffChain]
		s.limits[t.OffChain] = limit{lower(l.single, t.AtBank(t.PayoutLimit)), lower(l.daily, t.AtBank(t.DailyLimit))}
	}
}

// What left, or is about to, counts from when it was asked for. What waits for a
// person does not: it would keep all others waiting.
const (
	payoutsWithin = `SELECT ` + sumOf + ` FROM payouts
		WHERE asset = $1 AND created_at > $2 AND purpose IN ('payout', 'refund') AND state NOT IN ('approval', 'cancelled')`
	ordersWithin = `SELECT ` + sumOf + ` FROM bank_payouts
		WHERE asset = $1 AND created_at > $2 AND purpose IN ('payout', 'refund') AND state NOT IN ('approval', 'cancelled')`
)

// aboveLimit is the reason why amount more must wait for a second person, "" if
// it need not. within is one of the statements above.
// before is what left for the same cause and purpose before, or may have: a refund
// in parts is one, and so is what takes the place of an order that only a person says
// has come back.
func (t *Tx) aboveLimit(within string, purpose anchor.Purpose, asset anchor.Asset, amount, before anchor.Amount, now time.Time) (string, error) {
	l := t.s.limits[asset]
	switch {
	case purpose != anchor.ForPayout && purpose != anchor.ForRefund:
		return "", nil
	case l.single > 0 && amount > l.single-before:
		return AbovePayoutLimit, nil
	case l.daily == 0:
		return "", nil
	}
	sums, err := list(t, func(r scanner, _ *Keys) (s sum, err error) { return s, r.Scan(&s.whole, &s.rest) }, within, asset.String(), micros(now.Add(-limitedWithin)))
	if err != nil {
		return "", err
	}
	if left, fits := sums[0].amount(); !fits || left > l.daily-amount {
		return AboveDailyLimit, nil
	}
	return "", nil
}

// askedBy is who asked for an intent or order: whoever is named, or whose update
// this is if that is a person.
func (t *Tx) askedBy(named string) string {
	if named == "" && strings.HasPrefix(string(t.actor), staff) {
		return string(t.actor)
	}
	return named
}

// askedAgain is who has asked for an intent or order that waits for a second
// person: whose update this is if that is a person, who thereby wants it paid, else
// who did before.
func (t *Tx) askedAgain(before string) string {
	if now := t.askedBy(""); now != "" {
		return now
	}
	return before
}

// vouched is who has asked for an intent or order above a limit that nobody has asked
// for: whoever said that money came for its transaction which the statement has not
// told of. Whatever set it off, it is paid at that person's word.
func (t *Tx) vouched(asked string, kind anchor.Cause, id string) (string, error) {
	if asked != "" || kind != anchor.CauseTransaction {
		return asked, nil
	}
	all, err := t.ConfirmedLines(id)
	for _, l := range all {
		if l.PayerTyped() {
			return l.ConfirmedBy, nil
		}
	}
	return "", err
}

// staff begins the names of people among the actors.
const staff = "staff:"

// ApprovePayout lets an intent go that waits for a second person. by is that
// person's actor, and must be another than the one who asked for it: else it is a
// Conflict with code "four_eyes".
func (t *Tx) ApprovePayout(id, by string) error {
	p, err := t.Payout(id)
	if err != nil {
		return err
	}
	if err := approvable(p.State == anchor.PayoutApproval, p.RequestedBy, by); err != nil {
		return err
	}
	return t.requeue(p)
}

// ApproveBankPayout is ApprovePayout for an order to the bank.
func (t *Tx) ApproveBankPayout(id, by string) error {
	p, err := t.BankPayout(id)
	if err != nil {
		return err
	}
	if err := approvable(p.State == anchor.BankApproval, p.RequestedBy, by); err != nil {
		return err
	}
	p.State, p.Reason, p.NotBefore = anchor.BankQueued, "", time.Time{}
	return t.SaveBankPayout(p)
}

func approvable(waits bool, asked, by string) error {
	switch {
	case !waits:
		return &anchor.Error{Kind: anchor.Conflict, Code: "not_in_approval", Message: "it does not wait for anybody's approval"}
	case strings.TrimPrefix(by, staff) == "":
		return &anchor.Error{Kind: anchor.Invalid, Field: "by", Message: "an approval is somebody's"}
	case strings.TrimPrefix(by, staff) == strings.TrimPrefix(asked, staff):
		return &anchor.Error{Kind: anchor.Conflict, Code: "four_eyes", Message: "whoever asked for it cannot approve it; somebody else must"}
	}
	return nil
}
