package incoming

import (
	"context"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// What moves our money and is no payment is read from the same transactions as
// their fees.

// reading is what was asked about a transaction before it is booked.
type reading struct {
	horizon.Transaction
	envelope bool // the payout engine's, which books it itself
	besides  []horizon.Beside
}

// look asks what an update must not ask: whether the payout engine made a
// transaction, and what it did beside payments.
func (f *follower) look(ctx context.Context, host *horizon.Client, t horizon.Transaction) (r reading, err error) {
	r.Transaction = t
	if r.besides, err = host.Besides(ctx, &t, f.account); err != nil {
		return r, err
	}
	if t.FeeAccount == f.account || len(r.besides) > 0 {
		r.envelope, err = f.isEnvelope(ctx, t.Inner())
	}
	return r, err
}

// beside books one such operation.
func (f *follower) beside(tx *store.Tx, r *reading, b horizon.Beside) error {
	if known, err := tx.HasPayment(b.ID); err != nil || known {
		return err
	}
	came := &anchor.Payment{
		ID: b.ID, Account: f.account, From: b.Source, Asset: b.Asset, Amount: b.Amount, Memo: b.Memo,
		Hash: r.Hash, Ledger: r.Ledger, At: r.At, State: anchor.Unmatched, Reason: anchor.UnknownOperation,
	}
	switch own := f.ours(b.Source.Account()); {
	case b.What == horizon.Offered && own, b.What != horizon.Offered && r.envelope:
		return nil
	case b.What == horizon.Offered:
		// Whoever may claim it has nothing yet: there is no amount to give back.
		came.Amount, came.Reason = 0, anchor.ToClaim
		return tx.CreatePayment(came)
	case b.What == horizon.Claimed:
		back, err := tx.TookBack(b.BalanceID, f.account, r.Hash, r.At)
		if err != nil || back {
			return err
		}
		came.From = "" // whoever made the balance: the operation does not say
		if err := tx.CreatePayment(came); err != nil {
			return err
		}
		return tx.Post(r.At, anchor.Move("unmatched", "", r.Hash, b.Asset, b.Amount, anchor.Suspense, anchor.Distribution))
	case b.What == horizon.ClawedBack && own:
		return tx.Post(r.At, anchor.Move("own", "", r.Hash, b.Asset, b.Amount, anchor.Distribution, f.place(b.To, b.Asset)))
	}
	f.logger.Error("money left an account of ours by an operation that we did not make", "account", f.account, "operation", b.ID, "hash", r.Hash, "what", b.What)
	return tx.LeftUnexplained(&anchor.Outgoing{
		ID: b.ID, Account: f.account, Destination: b.To, Asset: b.Asset, Amount: b.Amount, Memo: b.Memo,
		BalanceID: b.BalanceID, ClaimBackAt: b.ClaimBackAt, Hash: r.Hash, Ledger: r.Ledger, At: r.At,
	})
}
