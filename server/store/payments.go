package store

import (
	"context"
	"strconv"
	"time"

	"windlass/server/anchor"
)

const paymentColumns = `id, seq, account, sender, asset, amount, memo_type, memo, hash, ledger, at, state, reason, transaction_id, decide_at`

func scanPayment(r scanner, _ *Keys) (*anchor.Payment, error) {
	var (
		p               anchor.Payment
		asset           string
		seq, at, decide int64
	)
	err := r.Scan(&p.ID, &seq, &p.Account, &p.From, &asset, &p.Amount, &p.Memo.Type, &p.Memo.Value, &p.Hash, &p.Ledger, &at, &p.State, &p.Reason, &p.Transaction, &decide)
	if err != nil {
		return nil, err
	}
	p.At, p.DecideAt = instant(at), instant(decide)
	// An operation we cannot read is recorded without an asset.
	if asset != "" {
		p.Asset, err = anchor.ParseAsset(asset)
	}
	return &p, err
}

// CreatePayment stores a payment that arrived. One that is known already is a
// Conflict with code "duplicate".
func (t *Tx) CreatePayment(p *anchor.Payment) error {
	seq, err := strconv.ParseInt(p.ID, 10, 64)
	if err != nil {
		return &anchor.Error{Kind: anchor.Internal, Message: "payment id " + p.ID + " is not a paging token"}
	}
	_, err = t.exec(`INSERT INTO payments (`+paymentColumns+`) VALUES (`+placeholders(15)+`)`,
		p.ID, seq, p.Account, p.From, p.Asset.String(), p.Amount, p.Memo.Type, p.Memo.Value, p.Hash, p.Ledger, micros(p.At), p.State, p.Reason, p.Transaction, micros(p.DecideAt))
	if !p.DecideAt.IsZero() {
		t.Notify(TopicUnmatched)
	}
	return err
}

// SavePayment stores what became of a payment: its state, reason, transaction
// and when it is decided about. Only an unmatched or refunding one can change.
func (t *Tx) SavePayment(p *anchor.Payment) error {
	return t.change(`UPDATE payments SET state = $1, reason = $2, transaction_id = $3, decide_at = $4 WHERE id = $5 AND state IN ('unmatched', 'refunding')`,
		p.State, p.Reason, p.Transaction, micros(p.DecideAt), p.ID)
}

// Payment loads one payment that arrived.
func (t *Tx) Payment(id string) (*anchor.Payment, error) {
	return one(t, "payment", scanPayment, `SELECT `+paymentColumns+` FROM payments WHERE id = $1`, id)
}

// PaymentsOf loads the newest payments of a transaction, or that were meant for
// it, of which that became: newest first.
func (t *Tx) PaymentsOf(transaction string, state anchor.Match, limit int) ([]*anchor.Payment, error) {
	return list(t, scanPayment, `SELECT `+paymentColumns+` FROM payments
		WHERE transaction_id = $1 AND transaction_id <> '' AND state = $2 ORDER BY seq DESC LIMIT $3`, transaction, state, limit)
}

// mostShort is how many short payments add up. Somebody who sends dust must not
// make each further payment slower to book.
const mostShort = 100

// shortOf loads the newest short payments of a sender to a transaction.
func (t *Tx) shortOf(transaction string, sender anchor.Address, asset anchor.Asset) ([]*anchor.Payment, error) {
	return list(t, scanPayment, `SELECT `+paymentColumns+` FROM payments
		WHERE transaction_id = $1 AND sender = $2 AND asset = $3 AND reason = 'short' AND state = 'unmatched' ORDER BY seq DESC LIMIT $4`,
		transaction, sender, asset.String(), mostShort)
}

// HasPayment reports whether a payment is in the books.
func (t *Tx) HasPayment(id string) (bool, error) {
	all, err := list(t, scanPayment, `SELECT `+paymentColumns+` FROM payments WHERE id = $1`, id)
	return len(all) > 0, err
}

// Undecided lists payments about which the operator's policy is due to
// decide, in the order in which they are due.
func (s *Store) Undecided(ctx context.Context, now time.Time, limit int) ([]*anchor.Payment, error) {
	return list(s.reader(ctx), scanPayment, `SELECT `+paymentColumns+` FROM payments
		WHERE decide_at <> 0 AND decide_at <= $1 ORDER BY decide_at, seq LIMIT $2`, micros(now), limit)
}

// decideNow has the policy decide about what came for a transaction that no
// longer waits for money.
func (t *Tx) decideNow(a *anchor.Transaction, now time.Time) error {
	table := map[anchor.Kind]string{anchor.Withdrawal: "payments", anchor.Deposit: "bank_lines"}[a.Kind]
	_, err := t.exec(`UPDATE `+table+` SET decide_at = $1 WHERE transaction_id = $2 AND transaction_id <> '' AND decide_at > $1`,
		micros(now), a.ID)
	t.Notify(TopicUnmatched)
	return err
}

// Payments lists payments that arrived; unmatched ones only if so asked.
func (s *Store) Payments(ctx context.Context, unmatched bool, p Page) (all []*anchor.Payment, end string, err error) {
	var w where
	if unmatched {
		w.add(`state = 'unmatched'`)
	}
	return paymentList.page(s.reader(ctx), w, p)
}

// PaymentsOfEach lists the payments matched to many transactions at once, or meant
// for them, each one's oldest first; of very many those that were matched, and the
// newest.
func (s *Store) PaymentsOfEach(ctx context.Context, transactions []string) (map[string][]*anchor.Payment, error) {
	all, err := paymentList.ofEach(s.reader(ctx), transactions)
	return groupBy(all, func(p *anchor.Payment) string { return p.Transaction }), err
}

func cursorOf(src source, name string) (anchor.Cursor, bool, error) {
	all, err := list(src, func(r scanner, _ *Keys) (anchor.Cursor, error) {
		var c anchor.Cursor
		var until int64
		err := r.Scan(&c.Value, &c.Ledger, &c.LedgerHash, &until)
		c.ReadUntil = instant(until)
		return c, err
	}, `SELECT value, ledger, ledger_hash, read_until FROM cursors WHERE name = $1`, name)
	if err != nil || len(all) == 0 {
		return anchor.Cursor{}, false, err
	}
	return all[0], true, nil
}

// Cursor loads a stream's cursor; ok is false if it was never read.
func (t *Tx) Cursor(name string) (c anchor.Cursor, ok bool, err error) { return cursorOf(t, name) }

// Cursor reads a stream's cursor; ok is false if it was never read.
func (s *Store) Cursor(ctx context.Context, name string) (c anchor.Cursor, ok bool, err error) {
	return cursorOf(s.reader(ctx), name)
}

// SetCursor stores a stream's cursor, in the same update as its effect.
func (t *Tx) SetCursor(name string, c anchor.Cursor) error {
	_, err := t.exec(`INSERT INTO cursors (name, value, ledger, ledger_hash, read_until) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value, ledger = excluded.ledger,
		ledger_hash = excluded.ledger_hash, read_until = excluded.read_until`,
		name, c.Value, c.Ledger, c.LedgerHash, micros(c.ReadUntil))
	return err
}
