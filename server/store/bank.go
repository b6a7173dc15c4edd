package store

import (
	"context"
	"time"

	"windlass/server/anchor"
)

const bankLineColumns = `id, at, asset, amount, reference_box, payer_box, state, reason, transaction_id`

type payer struct{ Name, Account string }

func scanBankLine(r scanner, k *Keys) (*anchor.BankLine, error) {
	var (
		l              anchor.BankLine
		at             int64
		asset          string
		refBox, payBox []byte
		p              payer
	)
	err := r.Scan(&l.ID, &at, &asset, &l.Amount, &refBox, &payBox, &l.State, &l.Reason, &l.Transaction)
	if err != nil {
		return nil, err
	}
	l.At = instant(at)
	// A line in money we do not know is recorded without an asset.
	if asset != "" {
		if l.Asset, err = anchor.ParseAsset(asset); err != nil {
			return nil, err
		}
	}
	if err := k.open("bank_lines.reference:"+l.ID, refBox, &l.Reference); err != nil {
		return nil, err
	}
	if err := k.open("bank_lines.payer:"+l.ID, payBox, &p); err != nil {
		return nil, err
	}
	l.PayerName, l.PayerAccount = p.Name, p.Account
	return &l, nil
}

// CreateBankLine stores a credit of the bank's statement. One that is known
// already is a Conflict with code "duplicate". What customers write into a
// reference may be personal, so that it is encrypted too.
func (t *Tx) CreateBankLine(l *anchor.BankLine) error {
	ref, err := t.box().seal("bank_lines.reference:"+l.ID, l.Reference)
	if err != nil {
		return err
	}
	pay, err := t.box().seal("bank_lines.payer:"+l.ID, payer{l.PayerName, l.PayerAccount})
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO bank_lines (`+bankLineColumns+`) VALUES (`+placeholders(9)+`)`,
		l.ID, micros(l.At), l.Asset.String(), l.Amount, ref, pay, l.State, l.Reason, l.Transaction)
	return err
}

// HasBankLine reports whether a credit of the bank's statement is in the books.
func (t *Tx) HasBankLine(id string) (bool, error) {
	all, err := list(t, func(r scanner, _ *Keys) (n int, err error) { return n, r.Scan(&n) }, `SELECT 1 FROM bank_lines WHERE id = $1`, id)
	return len(all) > 0, err
}

// BankLines lists the statement's credits, newest first.
func (s *Store) BankLines(ctx context.Context, limit int) ([]*anchor.BankLine, error) {
	return list(s.reader(ctx), scanBankLine, `SELECT `+bankLineColumns+` FROM bank_lines ORDER BY at DESC, id DESC LIMIT $1`, limit)
}

const bankPayoutColumns = `id, transaction_id, purpose, ordinal, asset, amount, to_box, state, bank_id, reason, attempts, not_before, created_at`

func scanBankPayout(r scanner, k *Keys) (*anchor.BankPayout, error) {
	var (
		p                anchor.BankPayout
		asset            string
		box              []byte
		notBefore, since int64
	)
	err := r.Scan(&p.ID, &p.Transaction, &p.Purpose, &p.Ordinal, &asset, &p.Amount, &box, &p.State, &p.BankID, &p.Reason, &p.Attempts, &notBefore, &since)
	if err != nil {
		return nil, err
	}
	p.NotBefore, p.CreatedAt = instant(notBefore), instant(since)
	if p.Asset, err = anchor.ParseAsset(asset); err != nil {
		return nil, err
	}
	return &p, k.open("bank_payouts:"+p.ID, box, &p.To)
}

// CreateBankPayout stores an order to the bank before the bank is asked, and
// wakes the rail. A second one for the same transaction, purpose and ordinal is
// a Conflict with code "duplicate".
func (t *Tx) CreateBankPayout(p *anchor.BankPayout) error {
	box, err := t.box().seal("bank_payouts:"+p.ID, p.To)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO bank_payouts (`+bankPayoutColumns+`) VALUES (`+placeholders(13)+`)`,
		p.ID, p.Transaction, p.Purpose, p.Ordinal, p.Asset.String(), p.Amount, box, p.State, p.BankID, p.Reason, p.Attempts, micros(p.NotBefore), micros(p.CreatedAt))
	t.Notify(TopicBankPayouts)
	return err
}

// SaveBankPayout stores an order's state, bank id, reason, attempts and wait.
// One that is paid stays so, unless the bank returns it: anything else is a
// Conflict.
func (t *Tx) SaveBankPayout(p *anchor.BankPayout) error {
	t.Notify(TopicBankPayouts)
	return t.change(`UPDATE bank_payouts SET state = $1, bank_id = $2, reason = $3, attempts = $4, not_before = $5
		WHERE id = $6 AND (state <> 'paid' OR $1 IN ('paid', 'refused'))`,
		p.State, p.BankID, p.Reason, p.Attempts, micros(p.NotBefore), p.ID)
}

// BankPayout loads one order.
func (t *Tx) BankPayout(id string) (*anchor.BankPayout, error) {
	return one(t, "bank payout", scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts WHERE id = $1`, id)
}

// BankPayoutsDue reads orders in a state that may be looked at now, oldest first.
func (s *Store) BankPayoutsDue(ctx context.Context, state anchor.BankPayoutState, now time.Time, limit int) ([]*anchor.BankPayout, error) {
	return list(s.reader(ctx), scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts WHERE state = $1 AND not_before <= $2 ORDER BY id LIMIT $3`,
		state, micros(now), limit)
}

// BankPayoutsOf lists a transaction's orders, oldest first.
func (s *Store) BankPayoutsOf(ctx context.Context, transaction string) ([]*anchor.BankPayout, error) {
	return list(s.reader(ctx), scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts WHERE transaction_id = $1 ORDER BY id`, transaction)
}
