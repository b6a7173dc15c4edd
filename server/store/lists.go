package store

import (
	"context"
	"strconv"

	"windlass/server/anchor"
)

// What staff look through.

// Payment reads one payment that arrived.
func (s *Store) Payment(ctx context.Context, id string) (*anchor.Payment, error) {
	return one(s.reader(ctx), "payment", scanPayment, `SELECT `+paymentColumns+` FROM payments WHERE id = $1`, id)
}

// BankLine reads one credit of the bank's statement.
func (s *Store) BankLine(ctx context.Context, id string) (*anchor.BankLine, error) {
	return one(s.reader(ctx), "bank line", scanBankLine, `SELECT `+bankLineColumns+` FROM bank_lines WHERE id = $1`, id)
}

// Payout reads one intent.
func (s *Store) Payout(ctx context.Context, id string) (*anchor.Payout, error) {
	return one(s.reader(ctx), "payout", scanPayout, `SELECT `+payoutColumns+` FROM payouts WHERE id = $1`, id)
}

// BankPayout reads one order to the bank.
func (s *Store) BankPayout(ctx context.Context, id string) (*anchor.BankPayout, error) {
	return one(s.reader(ctx), "bank payout", scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts WHERE id = $1`, id)
}

// OutgoingByID reads one operation that the books did not know.
func (s *Store) OutgoingByID(ctx context.Context, id string) (*anchor.Outgoing, error) {
	return one(s.reader(ctx), "operation", scanOutgoing, `SELECT `+outgoingColumns+` FROM outgoing WHERE id = $1`, id)
}

// BankLines lists the statement's credits; unmatched ones only if so asked.
func (s *Store) BankLines(ctx context.Context, unmatched bool, p Page) (all []*anchor.BankLine, end string, err error) {
	var w where
	if unmatched {
		w.add(`state = 'unmatched'`)
	}
	return bankLineList.page(s.reader(ctx), w, p)
}

// Payouts lists intents; those in one state, if it is not "".
func (s *Store) Payouts(ctx context.Context, state anchor.PayoutState, p Page) (all []*anchor.Payout, end string, err error) {
	var w where
	if state != "" {
		w.add(`state = ?`, state)
	}
	return payoutList.page(s.reader(ctx), w, p)
}

// needsSomebody are the orders to the bank that a person must decide over. One
// that was refused is settled once another took its place, or all that it was to
// pay out goes back.
const needsSomebody = `(state IN ('in_doubt', 'approval') OR state = 'refused'
	AND NOT EXISTS (SELECT 1 FROM bank_payouts later WHERE later.cause_kind = bank_payouts.cause_kind AND later.cause_id = bank_payouts.cause_id
		AND later.purpose = bank_payouts.purpose AND (later.retries = bank_payouts.id OR later.purpose = 'payout' AND later.ordinal > bank_payouts.ordinal))
	AND (purpose <> 'payout' OR EXISTS (SELECT 1 FROM transactions
		WHERE transactions.id = cause_id AND status <> 'completed' AND amount_refunded + refund_fee < amount_in)))`

// BankPayouts lists orders to the bank; those in one state, if it is not "", and
// those that a person must decide over, if so asked.
func (s *Store) BankPayouts(ctx context.Context, state anchor.BankPayoutState, undecided bool, p Page) (all []*anchor.BankPayout, end string, err error) {
	var w where
	if state != "" {
		w.add(`state = ?`, state)
	}
	if undecided {
		w.add(needsSomebody)
	}
	return bankPayoutList.page(s.reader(ctx), w, p)
}

// PayoutsOfEach reads the intents of many causes of a kind at once, each one's
// oldest first.
func (s *Store) PayoutsOfEach(ctx context.Context, kind anchor.Cause, causes []string) (map[string][]*anchor.Payout, error) {
	all, err := list(s.reader(ctx), scanPayout, `SELECT `+payoutColumns+` FROM payouts
		WHERE cause_id IN (`+placeholders(len(causes))+`) AND cause_kind = $`+strconv.Itoa(len(causes)+1)+` ORDER BY id`, append(values(causes), kind)...)
	return groupBy(all, func(p *anchor.Payout) string { return p.CauseID }), err
}

// BankPayoutsOfEach reads the orders of many causes of a kind at once, each one's
// oldest first.
func (s *Store) BankPayoutsOfEach(ctx context.Context, kind anchor.Cause, causes []string) (map[string][]*anchor.BankPayout, error) {
	all, err := list(s.reader(ctx), scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts
		WHERE cause_id IN (`+placeholders(len(causes))+`) AND cause_kind = $`+strconv.Itoa(len(causes)+1)+` ORDER BY created_at, purpose, ordinal`, append(values(causes), kind)...)
	return groupBy(all, func(p *anchor.BankPayout) string { return p.CauseID }), err
}

// BankLinesOfEach lists the credits matched to many transactions at once, or
// meant for them, each one's oldest first; of very many those that were matched,
// and the newest.
func (s *Store) BankLinesOfEach(ctx context.Context, transactions []string) (map[string][]*anchor.BankLine, error) {
	all, err := bankLineList.ofEach(s.reader(ctx), transactions)
	return groupBy(all, func(l *anchor.BankLine) string { return l.Transaction }), err
}

func groupBy[T any](all []T, key func(T) string) map[string][]T {
	each := map[string][]T{}
	for _, v := range all {
		each[key(v)] = append(each[key(v)], v)
	}
	return each
}
