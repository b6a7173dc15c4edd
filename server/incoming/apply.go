package incoming

import (
	"context"
	"slices"
	"strconv"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// refuseAfter is how often booking a payment must fail, while the books can be
// written otherwise, until it is put aside.
const refuseAfter = 3

// apply books payments in their order, and moves the cursor behind them. It
// returns an error only when ctx ends.
//
// All are booked in one update, which is how a long backlog is read at full
// speed. If that fails each is booked by itself, to find the one at fault.
func (f *follower) apply(ctx context.Context, page []horizon.Payment) error {
	if len(page) > 1 {
		if err := f.book(ctx, page, false); err == nil {
			return nil
		}
	}
	for _, p := range page {
		if err := f.applyOne(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// applyOne books one payment, whatever it takes. A fault of the database is
// waited for. A payment that cannot be booked though the database works is put
// aside, as unmatched or unexplained, because one bad payment must not stop all
// others.
func (f *follower) applyOne(ctx context.Context, p horizon.Payment) error {
	pause := f.RetryAfter
	for poison := 0; ; {
		err := f.book(ctx, []horizon.Payment{p}, false)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.logger.ErrorContext(ctx, "a payment could not be booked", "account", f.account, "payment", p.ID, "hash", p.Hash, "error", err)
		f.report(f.account, func(s *Status) { s.Fault = err.Error() })
		if f.canWrite(ctx) {
			poison++
		}
		if poison >= refuseAfter {
			if err := f.book(ctx, []horizon.Payment{p}, true); err == nil {
				f.logger.ErrorContext(ctx, "the payment is put aside", "account", f.account, "payment", p.ID)
				return nil
			}
			poison = 0
		}
		if !wait(ctx, pause) {
			return ctx.Err()
		}
		pause = min(2*pause, retryMost)
	}
}

// canWrite tells a bad payment from a bad database.
func (f *follower) canWrite(ctx context.Context) bool {
	return f.store.Update(ctx, store.Ledger, func(tx *store.Tx) error {
		c, known, err := tx.Cursor(CursorName(f.account))
		if err != nil || !known {
			return err
		}
		return tx.SetCursor(CursorName(f.account), c)
	}) == nil
}

// book is one update: what each payment does, and the cursor behind the last.
// Payments that the cursor has passed already are left out. With aside set they
// are only written down.
func (f *follower) book(ctx context.Context, page []horizon.Payment, aside bool) error {
	paidOut := map[string]bool{}
	for _, p := range page {
		if p.From.Account() == f.account && p.To != f.account {
			var err error
			if paidOut[p.Inner], err = f.isEnvelope(ctx, p.Inner); err != nil {
				return err
			}
		}
	}
	return f.store.Update(ctx, store.Ledger, func(tx *store.Tx) error {
		c, _, err := tx.Cursor(CursorName(f.account))
		if err != nil {
			return err
		}
		last, err := parseCursor(c.Value)
		if err != nil {
			return err
		}
		now := time.Now()
		for _, p := range page {
			id, err := parseCursor(p.ID)
			if err != nil {
				return err
			}
			if id <= last {
				continue
			}
			if err := f.bookOne(tx, p, paidOut[p.Inner], aside, now); err != nil {
				return err
			}
			// What is still to be read of this ledger closed at the same time.
			last, c.Value = id, p.ID
			if p.At.After(c.ReadUntil) {
				c.ReadUntil = p.At
			}
		}
		return tx.SetCursor(CursorName(f.account), c)
	})
}

// isEnvelope reports whether the payout engine made a transaction and books it.
// It stores an envelope before it submits it, so that all of its hashes are
// known. One that it took for impossible it never books: that in the ledger is
// the one thing that must not pass in silence.
func (f *follower) isEnvelope(ctx context.Context, inner string) (bool, error) {
	state, err := f.store.EnvelopeState(ctx, inner)
	switch {
	case err == nil:
		return state != anchor.EnvelopeImpossible, nil
	case anchor.KindOf(err) == anchor.NotFound:
		return false, nil
	}
	return false, err
}

func parseCursor(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseInt(s, 10, 64)
}

// bookOne does what one payment does.
func (f *follower) bookOne(tx *store.Tx, p horizon.Payment, paidOut, aside bool, now time.Time) error {
	if known, err := tx.HasPayment(p.ID); err != nil || known {
		return err
	}
	switch {
	case aside && p.To == f.account:
		return f.unmatched(tx, p, anchor.Refused, nil)
	case p.To == f.account && (f.ours(p.From.Account()) || p.Type == "create_account"):
		return f.own(tx, p)
	case p.To == f.account:
		return f.fromOutside(tx, p, now)
	case p.From.Account() != f.account || paidOut || slices.Contains(f.Accounts, p.To):
		return nil // not ours, posted by the payout engine, or read at its other end
	case aside:
		// What left us must not pass in silence. A person finds the amount by the
		// hash, and payouts pause until then.
		f.logger.Error("what left an account of ours cannot be booked", "account", f.account, "payment", p.ID, "hash", p.Hash)
		return tx.LeftUnexplained(&anchor.Outgoing{ID: p.ID, Account: f.account, Destination: p.To, Hash: p.Hash, Ledger: p.Ledger, At: p.At})
	case f.ours(p.To):
		return f.own(tx, p)
	}
	// It left our account, and not by us. Payouts pause until a person has
	// explained it.
	f.logger.Error("money left an account of ours by an operation that we did not make", "account", f.account, "payment", p.ID, "hash", p.Hash)
	return tx.LeftUnexplained(&anchor.Outgoing{
		ID: p.ID, Account: f.account, Destination: p.To, Asset: p.SentAsset, Amount: p.SentAmount, Memo: memoOf(p),
		Hash: p.Hash, Ledger: p.Ledger, At: p.At,
	})
}

// ours reports whether an account is one of our own.
func (f *follower) ours(account string) bool {
	return slices.Contains(f.Accounts, account) || slices.Contains(f.Own, account)
}

// row is the payment as the books keep it.
func row(p horizon.Payment, state anchor.Match, reason string) *anchor.Payment {
	return &anchor.Payment{
		ID: p.ID, Account: p.To, From: p.From, Asset: p.Asset, Amount: p.Amount, Memo: memoOf(p),
		Hash: p.Hash, Ledger: p.Ledger, At: p.At, State: state, Reason: reason,
	}
}

// own books a transfer between our own accounts. Those that are followed are
// the journal's "distribution". An issuer makes and destroys its own asset; all
// other accounts are the operator's pocket.
func (f *follower) own(tx *store.Tx, p horizon.Payment) error {
	if err := tx.CreatePayment(row(p, anchor.Own, p.Fault)); err != nil {
		return err
	}
	from, to := f.place(p.From.Account(), p.SentAsset), f.place(p.To, p.Asset)
	switch {
	case p.Fault != "" || p.Amount == 0 || p.SentAmount == 0:
		return nil
	case p.SentAsset != p.Asset:
		e := &anchor.Entry{Kind: "own_converted", Reference: p.Hash, Postings: []anchor.Posting{
			{Account: from, Asset: p.SentAsset, Amount: -p.SentAmount}, {Account: anchor.Exchange, Asset: p.SentAsset, Amount: p.SentAmount},
			{Account: anchor.Exchange, Asset: p.Asset, Amount: -p.Amount}, {Account: to, Asset: p.Asset, Amount: p.Amount},
		}}
		return tx.Post(p.At, e)
	case from == to:
		return nil
	}
	return tx.Post(p.At, anchor.Move("own", "", p.Hash, p.Asset, p.Amount, from, to))
}

// place is where the journal keeps what an account of ours holds.
func (f *follower) place(account string, asset anchor.Asset) anchor.Ledger {
	switch {
	case account == asset.Issuer && !f.thirdParty(asset):
		return anchor.Issued
	case slices.Contains(f.Accounts, account):
		return anchor.Distribution
	}
	return anchor.Capital
}

// thirdParty reports whether an asset that is offered is issued by somebody else.
// That issuer may be an account of the operator's all the same, for whom it is
// another pocket.
func (f *follower) thirdParty(asset anchor.Asset) bool {
	terms := f.termsOf(asset)
	return terms != nil && terms.ThirdParty
}

// fromOutside books what somebody paid us.
func (f *follower) fromOutside(tx *store.Tx, p horizon.Payment, now time.Time) error {
	reason, a, err := f.match(tx, p)
	if err != nil {
		return err
	}
	terms := f.termsOf(p.Asset)
	switch {
	case reason != "":
		return f.unmatched(tx, p, reason, nil)
	case terms == nil:
		return f.unmatched(tx, p, anchor.WrongAsset, nil) // it is no longer offered
	}
	r := row(p, anchor.Matched, "")
	r.Transaction = a.ID
	arrival, err := tx.Receive(a, terms, p.Amount, p.Hash, p.At, now)
	switch {
	case err != nil:
		return err
	case arrival == anchor.Short:
		arrival, err = tx.AddUp(a, terms, r, now)
	case arrival == anchor.Late && f.Policies.Of[string(anchor.Late)] == anchor.PolicyRevive:
		arrival, err = tx.Revive(a, terms, p.Amount, p.Hash, p.At, now)
	}
	switch {
	case err != nil:
		return err
	case !arrival.Funds():
		return f.unmatched(tx, p, string(arrival), a)
	}
	if err := tx.CreatePayment(r); err != nil || arrival == anchor.Accepted || arrival == anchor.Held {
		return err
	}
	return f.outside(tx, a, terms, r, arrival, now)
}

// outside gives money back that came outside the limits, where the policy is to.
func (f *follower) outside(tx *store.Tx, a *anchor.Transaction, terms *anchor.Terms, r *anchor.Payment, arrival anchor.Arrival, now time.Time) error {
	fee, ok, err := f.mayRefund(tx, r, string(arrival), anchor.CauseTransaction, a.ID, a.AmountIn, now)
	if err != nil || !ok {
		return err
	}
	return tx.Refund(a, terms, a.AmountIn-fee, fee, "", now)
}

// credited are the operations that can pay for a withdrawal. All others that
// bring money (merges, contracts, what is invented next) wait for a person.
var credited = []string{"payment", "path_payment_strict_send", "path_payment_strict_receive"}

// match finds the withdrawal that a payment is for, or the reason why there is
// none. Only the account, the kind of memo, the memo and the asset together
// name one: a payment that is nearly right waits for a person.
func (f *follower) match(tx *store.Tx, p horizon.Payment) (reason string, a *anchor.Transaction, err error) {
	memo := memoOf(p)
	switch {
	case p.Fault != "", !slices.Contains(credited, p.Type), p.Amount <= 0:
		return anchor.UnknownOperation, nil, nil
	case p.MuxedID != "" && !p.Memo.IsZero() && p.Memo != memo:
		return anchor.MemoDisagrees, nil, nil
	case memo.IsZero():
		return anchor.NoMemo, nil, nil
	case memo.Type != anchor.MemoID:
		return anchor.WrongMemoKind, nil, nil
	}
	a, err = tx.TransactionByMemo(f.account, memo)
	switch {
	case err != nil && anchor.KindOf(err) == anchor.NotFound:
		return anchor.UnknownMemo, nil, nil
	case err != nil:
		return "", nil, err
	case a.Kind != anchor.Withdrawal:
		return anchor.UnknownMemo, nil, nil
	case a.Asset != p.Asset:
		return anchor.WrongAsset, nil, nil
	}
	return "", a, nil
}

// memoOf is the payment's memo: a muxed destination's id, else the
// transaction's.
func memoOf(p horizon.Payment) anchor.Memo {
	if p.MuxedID != "" {
		return anchor.Memo{Type: anchor.MemoID, Value: p.MuxedID}
	}
	return p.Memo
}

// unmatched writes down money that is nobody's yet. meant is the transaction that
// it came for, if that is known.
func (f *follower) unmatched(tx *store.Tx, p horizon.Payment, reason string, meant *anchor.Transaction) error {
	if p.Asset == (anchor.Asset{}) {
		p.Amount = 0
	}
	r := row(p, anchor.Unmatched, reason)
	r.DecideAt = f.decideAt(p, reason, meant)
	if meant != nil {
		r.Transaction = meant.ID
	}
	if err := tx.CreatePayment(r); err != nil {
		return err
	}
	if p.Amount <= 0 || p.To != f.account {
		return nil
	}
	return tx.Post(p.At, anchor.Move("unmatched", "", p.Hash, p.Asset, p.Amount, anchor.Suspense, anchor.Distribution))
}
