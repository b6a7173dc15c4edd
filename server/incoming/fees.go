package incoming

import (
	"context"
	"strconv"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// FeesCursorName is the name under which is kept how far an account's
// transactions were read for their fees.
func FeesCursorName(account string) string { return "fees:" + account }

// transactionPart is what is left of an operation's id without the operation's
// number in its lowest bits: its transaction's (SEP-35).
const transactionPart = ^int64(0xfff)

// FeesFrom is where the fees' cursor begins when there is none. Books that an
// earlier version has kept have the fees of all transactions whose payments were
// read.
func FeesFrom(payments anchor.Cursor) (anchor.Cursor, error) {
	last, err := parseCursor(payments.Value)
	return anchor.Cursor{Value: strconv.FormatInt(last&transactionPart, 10)}, err
}

// beginFees makes the fees' cursor when there is none.
func (f *follower) beginFees(ctx context.Context) error {
	if _, known, err := f.store.Cursor(ctx, FeesCursorName(f.account)); known || err != nil {
		return err
	}
	return f.store.Update(ctx, store.Ledger, func(tx *store.Tx) error {
		c, _, err := tx.Cursor(CursorName(f.account))
		if err != nil {
			return err
		}
		if c, err = FeesFrom(c); err != nil {
			return err
		}
		return tx.SetCursor(FeesCursorName(f.account), c)
	})
}

// readFees books what the network has charged the account up to now.
//
// Payments alone do not tell: a transaction that sets options or a trustline
// pays nobody, one that failed has paid nobody, and both cost a fee.
func (f *follower) readFees(ctx context.Context, host *horizon.Client) error {
	for {
		c, _, err := f.store.Cursor(ctx, FeesCursorName(f.account))
		if err != nil {
			return err
		}
		page, err := host.Transactions(ctx, f.account, c.Value, horizon.PageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := f.bookFees(ctx, page); err != nil || len(page) < horizon.PageSize {
			return err
		}
	}
}

// bookFees is one update: the fees of the page, and the cursor behind it. What
// an envelope of the payout engine has cost is booked by the engine.
func (f *follower) bookFees(ctx context.Context, page []horizon.Transaction) error {
	envelope := map[string]bool{}
	for _, t := range page {
		if t.FeeAccount == f.account {
			var err error
			if envelope[t.Hash], err = f.isEnvelope(ctx, t.Inner()); err != nil {
				return err
			}
		}
	}
	return f.store.Update(ctx, store.Ledger, func(tx *store.Tx) error {
		c, _, err := tx.Cursor(FeesCursorName(f.account))
		if err != nil {
			return err
		}
		last, err := parseCursor(c.Value)
		if err != nil {
			return err
		}
		for _, t := range page {
			id, err := parseCursor(t.Cursor)
			if err != nil {
				return err
			}
			if id <= last {
				continue
			}
			last, c.Value = id, t.Cursor
			if t.FeeAccount != f.account || t.FeeCharged <= 0 || envelope[t.Hash] {
				continue
			}
			if err := tx.Post(t.At, anchor.Move("network_fee", "", t.Hash, anchor.Native, anchor.Amount(t.FeeCharged), anchor.Distribution, anchor.NetworkFees)); err != nil {
				return err
			}
		}
		return tx.SetCursor(FeesCursorName(f.account), c)
	})
}
