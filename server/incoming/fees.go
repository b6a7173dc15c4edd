package incoming

import (
	"context"
	"errors"
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

// readFees books what the network has charged the account up to the head of the
// ledger, and what moved its money without being a payment.
//
// Payments alone do not tell: a transaction that sets options or a trustline
// pays nobody, one that failed has paid nobody, and both cost a fee; and a
// balance that is claimed, or clawed back, is no payment.
func (f *follower) readFees(ctx context.Context, host *horizon.Client, head horizon.Ledger) error {
	for {
		c, _, err := f.store.Cursor(ctx, FeesCursorName(f.account))
		if err != nil {
			return err
		}
		page, err := host.Transactions(ctx, f.account, c.Value, horizon.PageSize)
		if err != nil {
			return err
		}
		if err := f.verify(ctx, host, c, c.Ledger != 0); err != nil {
			return err
		}
		full := len(page) == horizon.PageSize
		read := make([]reading, len(page))
		for i, t := range page {
			if read[i], err = f.look(ctx, host, t); err != nil {
				return err
			}
		}
		moved, err := f.bookFees(ctx, read, head, !full)
		if err != nil || !full {
			return err
		}
		if !moved {
			return errRepeats
		}
	}
}

// errRepeats is a Horizon that shows the same full page again: whoever went on
// would ask for ever, and never see what is behind it.
var errRepeats = errors.New("this Horizon repeats a page though it was asked for what is behind it")

// bookFees is one update: what the transactions did, and the cursor behind them;
// up to the head if all was read. moved says that the cursor has moved. What an
// envelope of the payout engine has cost is booked by the engine.
func (f *follower) bookFees(ctx context.Context, page []reading, head horizon.Ledger, all bool) (moved bool, err error) {
	err = f.store.Update(ctx, store.Ledger, func(tx *store.Tx) error {
		moved = false
		c, _, err := tx.Cursor(FeesCursorName(f.account))
		if err != nil {
			return err
		}
		last, err := parseCursor(c.Value)
		if err != nil {
			return err
		}
		for _, r := range page {
			id, err := parseCursor(r.Cursor)
			if err != nil {
				return err
			}
			if id <= last {
				continue
			}
			last, c.Value, moved = id, r.Cursor, true
			if r.FeeAccount == f.account && !r.envelope {
				if err := tx.NetworkFee(r.At, r.Inner(), anchor.Amount(r.FeeCharged)); err != nil {
					return err
				}
			}
			for _, b := range r.besides {
				if err := f.beside(tx, &r, b); err != nil {
					return err
				}
			}
		}
		if all && head.Sequence > c.Ledger {
			c.Ledger, c.LedgerHash = head.Sequence, head.Hash
		}
		return tx.SetCursor(FeesCursorName(f.account), c)
	})
	return moved, err
}
