package store

import (
	"cmp"
	"context"
	"time"

	"windlass/server/anchor"
)

const bankLineColumns = `id, at, asset, amount, reference_box, payer_box, state, reason, transaction_id, order_id, confirmed_by, decide_at`

type payer struct {
	Name, Account string
	Told          bool
}

func scanBankLine(r scanner, k *Keys) (*anchor.BankLine, error) {
	var (
		l              anchor.BankLine
		at, decideAt   int64
		asset          string
		refBox, payBox []byte
		p              payer
	)
	err := r.Scan(&l.ID, &at, &asset, &l.Amount, &refBox, &payBox, &l.State, &l.Reason, &l.Transaction, &l.Order, &l.ConfirmedBy, &decideAt)
	if err != nil {
		return nil, err
	}
	l.At, l.DecideAt = instant(at), instant(decideAt)
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
	l.PayerName, l.PayerAccount, l.Told = p.Name, p.Account, p.Told
	return &l, nil
}

// CreateBankLine stores a credit of the bank's statement. One that is known
// already is a Conflict with code "duplicate". What customers write into a
// reference may be personal, so that it is encrypted too.
func (t *Tx) CreateBankLine(l *anchor.BankLine) error {
	ref, pay, err := t.sealLine(l)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO bank_lines (`+bankLineColumns+`) VALUES (`+placeholders(12)+`)`,
		l.ID, micros(l.At), l.Asset.String(), l.Amount, ref, pay, l.State, l.Reason, l.Transaction, l.Order, l.ConfirmedBy, micros(l.DecideAt))
	if !l.DecideAt.IsZero() {
		t.Notify(TopicUnmatched)
	}
	return err
}

func (t *Tx) sealLine(l *anchor.BankLine) (ref, pay []byte, err error) {
	if ref, err = t.box().seal("bank_lines.reference:"+l.ID, l.Reference); err != nil {
		return nil, nil, err
	}
	pay, err = t.box().seal("bank_lines.payer:"+l.ID, payer{l.PayerName, l.PayerAccount, l.Told})
	return ref, pay, err
}

// completeBankLine stores who paid a credit, what they wrote and what is odd about
// it, once the statement tells it of one that a person had confirmed.
func (t *Tx) completeBankLine(l *anchor.BankLine) error {
	ref, pay, err := t.sealLine(l)
	if err != nil {
		return err
	}
	return t.change(`UPDATE bank_lines SET reference_box = $1, payer_box = $2, reason = $3 WHERE id = $4 AND confirmed_by <> ''`,
		ref, pay, l.Reason, l.ID)
}

// SaveBankLine stores what became of a credit: its state, reason, transaction,
// order and when a policy decides. Only an unmatched or refunding one can change, or one whose refund
// came back.
func (t *Tx) SaveBankLine(l *anchor.BankLine) error {
	return t.change(`UPDATE bank_lines SET state = $1, reason = $2, transaction_id = $3, order_id = $4,
			decide_at = CASE WHEN $1 = 'unmatched' THEN $5 ELSE 0 END WHERE id = $6
		AND (state IN ('unmatched', 'refunding') OR state = 'refunded' AND $1 = 'refunding')`,
		l.State, l.Reason, l.Transaction, l.Order, micros(l.DecideAt), l.ID)
}

// BankLine loads one credit.
func (t *Tx) BankLine(id string) (*anchor.BankLine, error) {
	return one(t, "bank line", scanBankLine, `SELECT `+bankLineColumns+` FROM bank_lines WHERE id = $1`, id)
}

// BankLinesOf loads the newest credits of a transaction, or that were meant for
// it, of which that became: newest first.
func (t *Tx) BankLinesOf(transaction string, state anchor.Match, limit int) ([]*anchor.BankLine, error) {
	return list(t, scanBankLine, `SELECT `+bankLineColumns+` FROM bank_lines
		WHERE transaction_id = $1 AND transaction_id <> '' AND state = $2 ORDER BY at DESC, id DESC LIMIT $3`, transaction, state, limit)
}

// ConfirmedLines loads the credits that a person said have come for a transaction.
func (t *Tx) ConfirmedLines(transaction string) ([]*anchor.BankLine, error) {
	return list(t, scanBankLine, `SELECT `+bankLineColumns+` FROM bank_lines WHERE transaction_id = $1 AND transaction_id <> '' AND confirmed_by <> ''`, transaction)
}

// UndecidedLines lists credits about which the operator's policy is due to
// decide, in the order in which they are due.
func (s *Store) UndecidedLines(ctx context.Context, now time.Time, limit int) ([]*anchor.BankLine, error) {
	return list(s.reader(ctx), scanBankLine, `SELECT `+bankLineColumns+` FROM bank_lines
		WHERE decide_at <> 0 AND decide_at <= $1 ORDER BY decide_at, id LIMIT $2`, micros(now), limit)
}

// RefusedLines lists the credits that no journal can hold, and that a person has
// not explained.
func (s *Store) RefusedLines(ctx context.Context) ([]*anchor.BankLine, error) {
	return list(s.reader(ctx), scanBankLine, `SELECT `+bankLineColumns+` FROM bank_lines WHERE state = 'unmatched' AND reason = 'refused' AND amount = 0 ORDER BY at`)
}

// cameBack reports whether a line has brought the order's money back.
func (t *Tx) cameBack(order string) (bool, error) {
	all, err := list(t, func(r scanner, _ *Keys) (n int, err error) { return n, r.Scan(&n) }, `SELECT 1 FROM bank_lines WHERE order_id = $1 AND order_id <> ''`, order)
	return len(all) > 0, err
}

const bankPayoutColumns = `id, cause_kind, cause_id, purpose, ordinal, asset, amount, fee, to_box, state, bank_id, reason, requested_by, retries, attempts, asked_until, not_before, created_at, fee_back, pickup_box`

func scanBankPayout(r scanner, k *Keys) (*anchor.BankPayout, error) {
	var (
		p                       anchor.BankPayout
		asset, feeBack          string
		box, pickup             []byte
		asked, notBefore, since int64
	)
	err := r.Scan(&p.ID, &p.CauseKind, &p.CauseID, &p.Purpose, &p.Ordinal, &asset, &p.Amount, &p.Fee, &box, &p.State, &p.BankID, &p.Reason, &p.RequestedBy, &p.Retries,
		&p.Attempts, &asked, &notBefore, &since, &feeBack, &pickup)
	if err != nil {
		return nil, err
	}
	p.AskedUntil, p.NotBefore, p.CreatedAt = instant(asked), instant(notBefore), instant(since)
	if p.Asset, err = anchor.ParseAsset(asset); err != nil {
		return nil, err
	}
	if p.FeeBack, err = parseFeeLines(feeBack); err != nil {
		return nil, err
	}
	if len(pickup) > 0 {
		if err := k.open("bank_payouts.pickup:"+p.ID, pickup, &p.Pickup); err != nil {
			return nil, err
		}
	}
	return &p, k.open("bank_payouts:"+p.ID, box, &p.To)
}

// CreateBankPayout stores an order to the bank before the bank is asked, and
// wakes the rail. One that is above a limit waits for a second person. A second
// one for the same cause, purpose and ordinal is a Conflict with code
// "duplicate", and so is a second one in place of the same refused order.
func (t *Tx) CreateBankPayout(p *anchor.BankPayout) error {
	p.RequestedBy = t.askedBy(p.RequestedBy)
	t.ordered = append(t.ordered, p.Purpose)
	others, err := t.BankPayoutsOf(p.CauseKind, p.CauseID, p.Purpose)
	if err != nil {
		return err
	}
	var before anchor.Amount
	for _, b := range others {
		if b.MayBePaid() {
			before += b.Amount
		}
	}
	above, err := t.aboveLimit(ordersWithin, p.Purpose, p.Asset, p.Amount, before, p.CreatedAt)
	if err != nil {
		return err
	}
	if above != "" {
		p.State, p.Reason = anchor.BankApproval, cmp.Or(p.Reason, above)
		if p.RequestedBy, err = t.vouched(p.RequestedBy, p.CauseKind, p.CauseID); err != nil {
			return err
		}
	}
	box, err := t.box().seal("bank_payouts:"+p.ID, p.To)
	if err != nil {
		return err
	}
	pickup, err := t.sealPickup(p)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO bank_payouts (`+bankPayoutColumns+`) VALUES (`+placeholders(20)+`)`,
		p.ID, p.CauseKind, p.CauseID, p.Purpose, p.Ordinal, p.Asset.String(), p.Amount, p.Fee, box, p.State, p.BankID, p.Reason, p.RequestedBy, p.Retries,
		p.Attempts, micros(p.AskedUntil), micros(p.NotBefore), micros(p.CreatedAt), formatFeeLines(p.FeeBack), pickup)
	t.Notify(TopicBankPayouts)
	return err
}

// sealPickup encrypts how an order's cash is collected; it is empty where none lies
// ready, so that the code is forgotten however the order leaves the bank.
func (t *Tx) sealPickup(p *anchor.BankPayout) ([]byte, error) {
	if p.Pickup == nil || p.State != anchor.BankAsked {
		return []byte{}, nil
	}
	return t.box().seal("bank_payouts.pickup:"+p.ID, p.Pickup)
}

// SaveBankPayout stores an order's state, bank id, reason, attempts and wait, how its
// cash is collected, who asked for it, and its amount while the bank can get nothing of it. One that is paid
// stays so, unless the bank gives it back: anything else is a Conflict.
func (t *Tx) SaveBankPayout(p *anchor.BankPayout) error {
	t.Notify(TopicBankPayouts)
	if p.Attempts > 0 {
		if err := t.moves(); err != nil {
			return err
		}
	}
	pickup, err := t.sealPickup(p)
	if err != nil {
		return err
	}
	return t.change(`UPDATE bank_payouts SET state = $1, bank_id = $2, reason = $3, attempts = $4, asked_until = $5, not_before = $6,
			amount = CASE WHEN asked_until = 0 THEN $7 ELSE amount END, requested_by = $8, pickup_box = $9
		WHERE id = $10 AND (state <> 'paid' OR $1 IN ('paid', 'refused'))`,
		p.State, p.BankID, p.Reason, p.Attempts, micros(p.AskedUntil), micros(p.NotBefore), p.Amount, p.RequestedBy, pickup, p.ID)
}

// BankPayoutsOf loads a cause's orders for one purpose, by ordinal.
func (t *Tx) BankPayoutsOf(kind anchor.Cause, id string, purpose anchor.Purpose) ([]*anchor.BankPayout, error) {
	return list(t, scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts WHERE cause_kind = $1 AND cause_id = $2 AND purpose = $3 ORDER BY ordinal`, kind, id, purpose)
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

// BankPayoutsUnasked lists the orders that the bank is still to be asked for, by
// themselves or by a second person's word.
func (t *Tx) BankPayoutsUnasked() ([]string, error) {
	return list(t, func(r scanner, _ *Keys) (id string, err error) { return id, r.Scan(&id) }, `SELECT id FROM bank_payouts WHERE state IN ('queued', 'approval') ORDER BY id`)
}

// BankPayoutsOf lists a transaction's orders, oldest first.
func (s *Store) BankPayoutsOf(ctx context.Context, transaction string) ([]*anchor.BankPayout, error) {
	return list(s.reader(ctx), scanBankPayout, `SELECT `+bankPayoutColumns+` FROM bank_payouts
		WHERE cause_kind = 'transaction' AND cause_id = $1 ORDER BY created_at, purpose, ordinal`, transaction)
}

// Pickup is how a transaction's cash is collected that lies ready; nil if none does.
func (s *Store) Pickup(ctx context.Context, transaction string) (*anchor.Pickup, error) {
	all, err := s.BankPayoutsOf(ctx, transaction)
	for _, p := range all {
		if p.Payout() && p.State == anchor.BankAsked && p.Pickup != nil {
			return p.Pickup, nil
		}
	}
	return nil, err
}
