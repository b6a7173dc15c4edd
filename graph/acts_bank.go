package graph

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// What staff say of the bank, and ask of it.

// bankField calls the argument at fault what the schema calls it.
func bankField(err error) error {
	if e, ok := errors.AsType[*anchor.Error](err); ok && e.Field == "bank_id" {
		named := *e
		named.Field = "bankId"
		return &named
	}
	return err
}

// ConfirmBankFunds says that a credit has arrived for a deposit.
func (m mutation) ConfirmBankFunds(ctx context.Context, id, bankID string, amount anchor.Amount, valued time.Time, payer, payerAccount *string, _ string, _ *string) (*anchor.BankLine, error) {
	line, err := m.act(ctx, func(tx *store.Tx, by string, now time.Time) (store.Act, error) {
		t, err := tx.Transaction(id)
		if err != nil {
			return store.Act{}, at("transaction", err)
		}
		terms, err := m.sold(t)
		if err != nil {
			return store.Act{}, err
		}
		l, err := tx.ConfirmBankFunds(anchor.BankLine{ID: bankID, At: valued, Amount: amount, PayerName: orNone(payer), PayerAccount: orNone(payerAccount)}, t, terms, by, now)
		if err != nil {
			return store.Act{}, bankField(err)
		}
		return store.Act{Transaction: t.ID, Subject: "line:" + l.ID, Answer: l.ID}, nil
	})
	if err != nil {
		return nil, err
	}
	return m.Store.BankLine(ctx, line)
}

// DismissBankLine puts a line aside that could not be read.
func (m mutation) DismissBankLine(ctx context.Context, id, _, note string) (*anchor.BankLine, error) {
	if strings.TrimSpace(note) == "" {
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "note_malformed", Field: "note", Message: "say what the line was, and how that is known"}
	}
	id, err := m.act(ctx, func(tx *store.Tx, _ string, _ time.Time) (store.Act, error) {
		l, err := tx.BankLine(id)
		if err != nil {
			return store.Act{}, at("line", err)
		}
		return store.Act{Subject: "line:" + l.ID, Answer: l.ID}, tx.DismissLine(l)
	})
	if err != nil {
		return nil, err
	}
	return m.Store.BankLine(ctx, id)
}

// MarkBankPayoutSettled says that the bank has paid an order.
func (m mutation) MarkBankPayoutSettled(ctx context.Context, id string, bankID *string, valued *time.Time, _ string, _ *string) (*anchor.BankPayout, error) {
	return m.order(ctx, id, func(tx *store.Tx, p *anchor.BankPayout, _ string, now time.Time) (string, error) {
		var when time.Time
		if valued != nil {
			when = *valued
		}
		return p.ID, tx.BankPayoutSettled(p.ID, orNone(bankID), when, now)
	})
}

// stable is what words look like that programs may compare.
var stable = regexp.MustCompile(`^[a-z][a-z0-9_]{0,49}$`)

// MarkBankPayoutReturned says that the money of an order is here.
func (m mutation) MarkBankPayoutReturned(ctx context.Context, id string, line *string, reason, _ string, _ *string) (*anchor.BankPayout, error) {
	if !stable.MatchString(reason) {
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "reason_malformed", Field: "reason", Message: "the reason must be a word of at most 50 small letters, digits and underscores; the note has room for more"}
	}
	return m.order(ctx, id, func(tx *store.Tx, p *anchor.BankPayout, _ string, now time.Time) (string, error) {
		return p.ID, tx.BankPayoutReturned(p.ID, orNone(line), reason, now)
	})
}

// RetryBankPayout makes a new order in place of one that the bank refused.
func (m mutation) RetryBankPayout(ctx context.Context, id string, to []*Answer, _ string, _ *string) (*anchor.BankPayout, error) {
	if err := tooMany(to); err != nil {
		return nil, err
	}
	return m.order(ctx, id, func(tx *store.Tx, p *anchor.BankPayout, by string, now time.Time) (string, error) {
		where, err := m.redirected(tx, p, given(to), now)
		if err != nil {
			return "", err
		}
		next, err := tx.RetryBankPayout(p.ID, where, by, now)
		if err != nil {
			return "", err
		}
		return next.ID, nil
	})
}

// redirected is where an order went to, with changes: nil if there are none. What
// the order names can be changed, and what the transaction's method asks for or a
// refund needs.
func (m mutation) redirected(tx *store.Tx, p *anchor.BankPayout, changes map[string]string, now time.Time) (map[string]string, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	fields := map[string]anchor.Field{}
	for name := range p.To {
		known, _ := anchor.StandardOf(name)
		f := known.Field(true, nil)
		if f.Type == anchor.FieldChoice {
			f.Type = anchor.FieldText // the operator may have offered others
		}
		fields[name] = f
	}
	if !p.Payout() {
		fields[store.PayerName] = anchor.Field{Name: store.PayerName, Type: anchor.FieldText, Optional: true}
		fields[store.PayerAccount] = anchor.Field{Name: store.PayerAccount, Type: anchor.FieldAccountNumber}
	}
	if p.Payout() {
		t, err := tx.Transaction(p.CauseID)
		if err != nil {
			return nil, err
		}
		if method, ok := m.termsOf(t).Side(t.Kind).Method(t.Method); ok {
			for _, f := range method.Fields {
				fields[f.Name] = f
			}
		}
	}
	all := make([]anchor.Field, 0, len(fields))
	for _, f := range fields {
		all = append(all, f)
	}
	payee := anchor.Customer{Fields: maps.Clone(p.To)} // merges and checks alike
	err := payee.Answer(all, changes, now)
	return payee.Fields, err
}

// order does something with an order that is there, and answers the order that do
// names.
func (m mutation) order(ctx context.Context, id string, do func(tx *store.Tx, p *anchor.BankPayout, by string, now time.Time) (answer string, err error)) (*anchor.BankPayout, error) {
	id, err := m.act(ctx, func(tx *store.Tx, by string, now time.Time) (store.Act, error) {
		p, err := tx.BankPayout(id)
		if err != nil {
			return store.Act{}, at("order", err)
		}
		done := store.Act{Subject: "order:" + p.ID}
		if p.CauseKind == anchor.CauseTransaction {
			done.Transaction = p.CauseID
		}
		done.Answer, err = do(tx, p, by, now)
		return done, bankField(err)
	})
	if err != nil {
		return nil, several(ctx, err)
	}
	return m.Store.BankPayout(ctx, id)
}
