package rail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// Cursor is the name under which the books keep how far the bank's statement
// was read. Its ReadUntil is what lateness is judged by.
const Cursor = "bank"

// Unbookable is why a credit stays unmatched that belongs to a transaction
// whose rules refuse it, such as when its asset is no longer offered.
const Unbookable = "unbookable"

// untilStep is how far ReadUntil moves before it is worth a commit of its own.
const untilStep = 5 * time.Second

// readCredits books all that arrived since the cursor.
func (e *Engine) readCredits(ctx context.Context, _ bool) error {
	for {
		at, _, err := e.Store.Cursor(ctx, Cursor)
		if err != nil {
			return err
		}
		st, err := e.statement(ctx, at.Value)
		if err != nil {
			return err
		}
		next := anchor.Cursor{Value: st.Cursor, ReadUntil: st.ReadUntil}
		if next.ReadUntil.Before(at.ReadUntil) {
			next.ReadUntil = at.ReadUntil
		}
		if len(st.Credits) == 0 {
			if st.ReadUntil.Sub(at.ReadUntil) < untilStep {
				return nil
			}
			next.Value = at.Value
			return e.Store.Update(ctx, store.BankRail, func(tx *store.Tx) error { return tx.SetCursor(Cursor, next) })
		}
		if next.Value == at.Value {
			return fmt.Errorf("the statement after %q does not move on", at.Value)
		}
		if err := e.book(ctx, st.Credits, next); err != nil {
			return err
		}
	}
}

func (e *Engine) statement(ctx context.Context, after string) (Statement, error) {
	ctx, cancel := context.WithTimeout(ctx, bankLimit)
	defer cancel()
	return e.Rail.Credits(ctx, after)
}

// book commits credits and the cursor together. Where one of them spoils it,
// they are committed one by one, so that one odd line stops no other: each line
// is a row, so that none is booked twice. The cursor waits for the odd one.
func (e *Engine) book(ctx context.Context, credits []Credit, next anchor.Cursor) error {
	now := time.Now()
	all := func(tx *store.Tx) error {
		for _, c := range credits {
			if err := e.credit(tx, c, now); err != nil {
				return err
			}
		}
		return tx.SetCursor(Cursor, next)
	}
	if err := e.Store.Update(ctx, store.BankRail, all); err == nil || ctx.Err() != nil {
		return err
	}
	var odd []error
	for _, c := range credits {
		err := e.Store.Update(ctx, store.BankRail, func(tx *store.Tx) error { return e.credit(tx, c, now) })
		if err != nil && anchor.KindOf(err) != anchor.Internal {
			e.Logger.WarnContext(ctx, "a credit cannot be booked", "line", c.ID, "error", err)
			err = e.Store.Update(ctx, store.BankRail, func(tx *store.Tx) error { return unmatched(tx, c, Unbookable) })
		}
		if err != nil {
			odd = append(odd, fmt.Errorf("book line %s: %w", c.ID, err))
		}
	}
	if len(odd) > 0 {
		return errors.Join(odd...)
	}
	return e.Store.Update(ctx, store.BankRail, all) // all are known by now: this moves the cursor
}

// credit makes a row of a credit and gives the money to whom it belongs. A
// credit that is known already changes nothing.
func (e *Engine) credit(tx *store.Tx, c Credit, now time.Time) error {
	if known, err := tx.HasBankLine(c.ID); known || err != nil {
		return err
	}
	t, err := find(tx, c.Reference)
	if err != nil {
		return err
	}
	switch {
	case t == nil:
		return unmatched(tx, c, anchor.UnknownReference)
	case c.Asset != t.OffChain:
		return unmatched(tx, c, anchor.WrongAsset)
	case e.terms[t.Asset] == nil:
		return unmatched(tx, c, Unbookable)
	}
	arrival, err := tx.Receive(t, e.terms[t.Asset], c.Amount, c.ID, c.At, now)
	if err != nil {
		return err
	}
	switch arrival {
	case anchor.Short, anchor.Second, anchor.Late:
		return unmatched(tx, c, string(arrival))
	case anchor.Accepted, anchor.Held, anchor.Small, anchor.Large:
	}
	line := lineOf(c)
	line.State, line.Transaction = anchor.Matched, t.ID
	return tx.CreateBankLine(line)
}

// find is the deposit whose reference the payer quoted, nil if there is none.
func find(tx *store.Tx, text string) (*anchor.Transaction, error) {
	for _, ref := range references(text) {
		t, err := tx.TransactionByReference(ref)
		if err == nil || anchor.KindOf(err) != anchor.NotFound {
			return t, err
		}
	}
	return nil, nil
}

// unmatched makes a row of a credit for a person to look at.
func unmatched(tx *store.Tx, c Credit, reason string) error {
	line := lineOf(c)
	line.State, line.Reason = anchor.Unmatched, reason
	if err := tx.CreateBankLine(line); err != nil {
		return err
	}
	return tx.Post(c.At, anchor.Move("unmatched", "", c.ID, c.Asset, c.Amount, anchor.Suspense, anchor.Bank))
}

func lineOf(c Credit) *anchor.BankLine {
	return &anchor.BankLine{
		ID: c.ID, At: c.At, Asset: c.Asset, Amount: c.Amount, Reference: c.Reference,
		PayerName: c.PayerName, PayerAccount: c.PayerAccount,
	}
}
