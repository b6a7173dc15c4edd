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

// BankLines lists the statement's credits, newest first; unmatched ones only if
// so asked. before is a line's id, "" for the newest.
func (s *Store) BankLines(ctx context.Context, unmatched bool, before string, limit int) ([]*anchor.BankLine, error) {
	q, args := `SELECT `+bankLineColumns+` FROM bank_lines WHERE `, []any(nil)
	if unmatched {
		q += `state = 'unmatched' AND `
	}
	if before != "" {
		last, err := s.BankLine(ctx, before)
		if err != nil {
			return nil, &anchor.Error{Kind: anchor.Invalid, Field: "after", Message: "after must be a line's id", Err: err}
		}
		q, args = q+`(at, id) < ($1, $2)`, []any{micros(last.At), last.ID}
	} else {
		q += `at >= 0`
	}
	return list(s.reader(ctx), scanBankLine, q+` ORDER BY at DESC, id DESC LIMIT $`+strconv.Itoa(len(args)+1), append(args, limit)...)
}

// PayoutsIn lists intents in a state, newest first; before is an id, "" for the
// newest.
func (s *Store) PayoutsIn(ctx context.Context, state anchor.PayoutState, before string, limit int) ([]*anchor.Payout, error) {
	if before == "" {
		before = "~"
	}
	return list(s.reader(ctx), scanPayout, `SELECT `+payoutColumns+` FROM payouts WHERE state = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, state, before, limit)
}

// BankPayouts lists orders to the bank, newest first; those in one state, if it
// is not "". before is an id, "" for the newest.
func (s *Store) BankPayouts(ctx context.Context, state anchor.BankPayoutState, before string, limit int) ([]*anchor.BankPayout, error) {
	if before == "" {
		before = "~"
	}
	if state == "" {
		return list(s.reader(ctx), scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts WHERE id < $1 ORDER BY id DESC LIMIT $2`, before, limit)
	}
	return list(s.reader(ctx), scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts WHERE state = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, state, before, limit)
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
// meant for them, each one's oldest first.
func (s *Store) BankLinesOfEach(ctx context.Context, transactions []string) (map[string][]*anchor.BankLine, error) {
	all, err := list(s.reader(ctx), scanBankLine, `SELECT `+bankLineColumns+` FROM bank_lines
		WHERE transaction_id IN (`+placeholders(len(transactions))+`) AND transaction_id <> '' ORDER BY at, id`, values(transactions)...)
	return groupBy(all, func(l *anchor.BankLine) string { return l.Transaction }), err
}

func groupBy[T any](all []T, key func(T) string) map[string][]T {
	each := map[string][]T{}
	for _, v := range all {
		each[key(v)] = append(each[key(v)], v)
	}
	return each
}
