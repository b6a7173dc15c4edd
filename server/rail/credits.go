package rail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// Cursor is the name under which the books keep how far the bank's statement
// was read. Its ReadUntil is what lateness is judged by.
const Cursor = "bank"

// refuseAfter is how often booking a line must fail, while the books can be
// written otherwise, until it is put aside.
const refuseAfter = 3

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
		for i := range st.Credits {
			if c := &st.Credits[i]; c.ID == "" {
				c.ID = nameOf(*c, at.Value, i)
			}
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
// is a row, so that none is booked twice. The cursor waits for the odd one until
// it was tried often enough.
func (e *Engine) book(ctx context.Context, credits []Credit, next anchor.Cursor) error {
	now := time.Now()
	var oddities []any // of lines, for the log
	all := func(tx *store.Tx) error {
		oddities = nil
		for _, c := range credits {
			oddity, err := e.credit(tx, c, now)
			if err != nil {
				return err
			}
			if oddity != nil {
				oddities = append(oddities, slog.Any(c.ID, oddity.Error()))
			}
		}
		return tx.SetCursor(Cursor, next)
	}
	err := e.Store.Update(ctx, store.BankRail, all)
	if err != nil && ctx.Err() == nil {
		if err := e.bookEach(ctx, credits, now); err != nil {
			return err
		}
		err = e.Store.Update(ctx, store.BankRail, all) // all are known by now: this moves the cursor
	}
	if err == nil && len(oddities) > 0 {
		e.Logger.ErrorContext(ctx, "lines of the bank's statement need a person", oddities...)
	}
	return err
}

// bookEach books credits one by one. What the rules refuse is unmatched; what
// cannot be booked refuseAfter times, though the books can be written, is put
// aside for a person, because one bad line must not stop all others.
func (e *Engine) bookEach(ctx context.Context, credits []Credit, now time.Time) error {
	var odd []error
	writable := true
	for _, c := range credits {
		one := func(book func(tx *store.Tx) error) error { return e.Store.Update(ctx, store.BankRail, book) }
		err := one(func(tx *store.Tx) error { _, err := e.credit(tx, c, now); return err })
		if err != nil && anchor.KindOf(err) != anchor.Internal {
			e.Logger.WarnContext(ctx, "a credit cannot be booked", "line", c.ID, "error", err)
			err = one(func(tx *store.Tx) error { return e.unmatched(tx, lineOf(c), anchor.Unbookable, nil) })
		}
		if err == nil {
			delete(e.tried, c.ID)
			continue
		}
		if writable = writable && e.canWrite(ctx); writable {
			e.tried[c.ID]++
		}
		if e.tried[c.ID] >= refuseAfter {
			aside := one(func(tx *store.Tx) error { return tx.UnmatchedLine(lineOf(c), anchor.Refused) })
			if aside != nil {
				aside = one(func(tx *store.Tx) error { return tx.RefuseLine(lineOf(c)) })
			}
			if aside == nil {
				e.Logger.ErrorContext(ctx, "a line of the bank's statement cannot be booked, and is put aside for a person", "line", c.ID, "error", err)
				delete(e.tried, c.ID)
				continue
			}
		}
		odd = append(odd, fmt.Errorf("book line %s: %w", c.ID, err))
	}
	return errors.Join(odd...)
}

// canWrite tells a bad line from a bad database.
func (e *Engine) canWrite(ctx context.Context) bool {
	return e.Store.Update(ctx, store.BankRail, func(tx *store.Tx) error {
		c, _, err := tx.Cursor(Cursor)
		if err != nil {
			return err
		}
		return tx.SetCursor(Cursor, c)
	}) == nil
}

// credit makes a row of a credit and gives the money to whom it belongs. One that
// is known already changes nothing.
func (e *Engine) credit(tx *store.Tx, c Credit, now time.Time) (oddity error, err error) {
	if known, err := tx.BankLine(c.ID); err == nil {
		if known.PayerTyped() {
			return e.told(tx, lineOf(c), known, now)
		}
		return nil, again(c, known)
	} else if anchor.KindOf(err) != anchor.NotFound {
		return nil, err
	}
	line := lineOf(c)
	if c.Order != "" {
		return tx.ReturnedLine(line, now)
	}
	t, err := find(tx, c.Reference)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, e.unmatched(tx, line, anchor.UnknownReference, nil)
	case c.Asset != t.OffChain:
		return nil, e.unmatched(tx, line, anchor.WrongAsset, t)
	case e.terms[t.Asset] == nil:
		return nil, e.unmatched(tx, line, anchor.Unbookable, t)
	}
	if wrong, err := e.wrongPayer(tx, t, line); err != nil {
		return nil, err
	} else if wrong {
		return nil, e.unmatched(tx, line, anchor.WrongPayer, t)
	}
	arrival, err := tx.ReceiveLine(line, t, e.terms[t.Asset], e.Policies.Of[string(anchor.Late)], now)
	switch {
	case err != nil:
		return nil, err
	case !arrival.Funds():
		return nil, e.unmatched(tx, line, string(arrival), t)
	case arrival == anchor.Small || arrival == anchor.Large:
		return nil, e.outside(tx, t, line, arrival, now)
	}
	return nil, nil
}

// unmatched makes a row of a credit that is nobody's yet. meant is the
// transaction that it came for, nil if that is not known.
func (e *Engine) unmatched(tx *store.Tx, l *anchor.BankLine, reason string, meant *anchor.Transaction) error {
	l.DecideAt = e.decideAt(l, reason, meant)
	if meant != nil {
		l.Transaction = meant.ID
	}
	return tx.UnmatchedLine(l, reason)
}

// told is a credit that a person had confirmed, as the statement has it. Whether
// somebody else than the customer paid is judged by what the statement says.
func (e *Engine) told(tx *store.Tx, l, known *anchor.BankLine, now time.Time) (oddity error, err error) {
	var wrong bool
	if known.State == anchor.Matched {
		t, err := tx.Transaction(known.Transaction)
		if err != nil {
			return nil, err
		}
		if wrong, err = e.wrongPayer(tx, t, l); err != nil {
			return nil, err
		}
	}
	differs, err := tx.ToldLine(known, l, wrong, now)
	if err != nil || len(differs) == 0 {
		return nil, err
	}
	return fmt.Errorf("a person confirmed it otherwise: other %s", strings.Join(differs, ", ")), nil
}

// again is a credit that the books have. They keep what they were told first:
// another amount under the same name is for a person.
func again(c Credit, known *anchor.BankLine) (oddity error) {
	told := lineOf(c)
	var differs []string // names only: the values may be personal
	for _, f := range []struct {
		name string
		same bool
	}{
		{"asset", known.Asset == told.Asset},
		{"amount", known.Amount == told.Amount},
		{"time", known.At.Equal(told.At.Truncate(time.Microsecond)) || known.ConfirmedBy != ""},
		{"reference", known.Reference == told.Reference || known.ConfirmedBy != ""},
		{"payer", known.PayerName == told.PayerName && known.PayerAccount == told.PayerAccount || known.ConfirmedBy != ""},
	} {
		if !f.same {
			differs = append(differs, f.name)
		}
	}
	if len(differs) == 0 || known.Reason == anchor.Refused {
		return nil
	}
	return fmt.Errorf("the statement has another credit under the name of one that is booked: other %s", strings.Join(differs, ", "))
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

// nameOf is a name for a credit that the bank gave none: made of its place in the
// statement and of what it says, so that it has the same when it is read again.
func nameOf(c Credit, cursor string, place int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d/%s/%d/%s/%s/%s", cursor, place, c.At.UnixMicro(), c.Asset, c.Amount, c.Reference, c.PayerName, c.PayerAccount))
	return "unnamed-" + hex.EncodeToString(sum[:8])
}

func lineOf(c Credit) *anchor.BankLine {
	return &anchor.BankLine{
		ID: c.ID, At: c.At, Asset: c.Asset, Amount: c.Amount, Reference: c.Reference,
		PayerName: c.PayerName, PayerAccount: c.PayerAccount, Order: c.Order,
	}
}
