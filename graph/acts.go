package graph

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"windlass/server/anchor"
	"windlass/server/session"
	"windlass/server/store"
)

const (
	maxKey  = 100
	maxNote = 500 // characters
	maxText = 200 // characters; our ids have 36, a bank's may have more, and names
)

// act does what one of staff's mutations asks for, once for its key: in one
// update with the effect go the key, what it was used for, and the entry of the
// audit trail (store.Tx.Once). do may run twice. The answer is the name of what
// is answered, which is read afresh: a repeat shows what became of it.
func (m mutation) act(ctx context.Context, do func(tx *store.Tx, by string, now time.Time) (store.Act, error)) (answer string, err error) {
	field := graphql.GetFieldContext(ctx)
	key, note, input, err := wish(field.Args)
	if err != nil {
		return "", err
	}
	defer m.afresh(ctx)
	by := session.FromContext(ctx).Actor()
	err = m.Store.Update(ctx, by, func(tx *store.Tx) (err error) {
		now := time.Now()
		answer, err = tx.Once(key, field.Field.Name, input, note, now, func() (done store.Act, err error) {
			if movesNothing[field.Field.Name] {
				return do(tx, string(by), now)
			}
			err = tx.IfCertain(func() (err error) {
				done, err = do(tx, string(by), now)
				return err
			})
			return done, err
		})
		return err
	})
	return answer, err
}

// movesNothing are the mutations that start no money moving, and may be asked for
// while the books are in doubt.
var movesNothing = map[string]bool{
	"hold": true, "pausePayouts": true, "resumePayouts": true, "explainOutgoing": true,
	"dismissBankLine": true, "forgetSignIn": true, "retryCallback": true,
	"acceptCustomer": true, "askCorrection": true, "rejectCustomer": true,
	"markBankPayoutSettled": true, "markBankPayoutReturned": true,
}

// wish takes a mutation's arguments apart. input is all but the key, as JSON with
// sorted names; an argument that is null is as good as none, so that arguments
// can be added to a mutation later.
func wish(args map[string]any) (key, note string, input []byte, err error) {
	all, said := map[string]json.RawMessage{}, map[string]string{}
	for name, value := range args {
		b, err := json.Marshal(value)
		if err != nil {
			return "", "", nil, err
		}
		text := ""
		if json.Unmarshal(b, &text) == nil {
			if err := checkText(name, text); err != nil {
				return "", "", nil, err
			}
		}
		switch {
		case name == "key":
			key = text
		case string(b) != "null":
			all[name] = b
		}
		switch name {
		case "note", "message":
			said[name] = strings.TrimSpace(text)
		}
	}
	// What a customer was told is in the audit trail too.
	note = strings.TrimSpace(said["message"] + "\n" + said["note"])
	input, err = json.Marshal(all)
	return key, note, input, err
}

// checkText bounds what goes into the books, in characters. None that nobody sees,
// or that turns the others around, may be among them: what staff confirm today,
// others read tomorrow.
func checkText(name, text string) error {
	refuse := func(code, message string) error {
		return &anchor.Error{Kind: anchor.Invalid, Code: code, Field: name, Message: message}
	}
	switch name {
	case "key":
		if text == "" || len(text) > maxKey || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return refuse("key_malformed", "the key must have 1 to 100 visible ASCII characters, such as those of a UUID")
		}
	case "note", "message":
		if utf8.RuneCountInString(text) > maxNote || strings.ContainsFunc(text, func(r rune) bool { return anchor.Hidden(r) && r != '\n' && r != '\t' }) {
			return refuse("note_malformed", "a "+name+" must have at most 500 characters, and none that cannot be seen")
		}
	default:
		switch {
		case utf8.RuneCountInString(text) > maxText:
			return refuse("argument_too_long", name+" must have at most 200 characters")
		case strings.ContainsFunc(text, anchor.Hidden):
			return refuse("argument_malformed", name+" contains characters that cannot be seen, or that turn others around; write it again by hand")
		}
	}
	return nil
}

// move does something with a transaction that is there.
func (m mutation) move(ctx context.Context, id string, do func(tx *store.Tx, t *anchor.Transaction, by string, now time.Time) (subject string, err error)) (*anchor.Transaction, error) {
	id, err := m.act(ctx, func(tx *store.Tx, by string, now time.Time) (store.Act, error) {
		t, err := tx.Transaction(id)
		if err != nil {
			return store.Act{}, at("transaction", err)
		}
		subject, err := do(tx, t, by, now)
		return store.Act{Transaction: t.ID, Subject: subject, Answer: t.ID}, err
	})
	if err != nil {
		return nil, err
	}
	return m.Store.Transaction(ctx, id)
}

// sold are the terms by which a transaction can be paid.
func (s *server) sold(t *anchor.Transaction) (*anchor.Terms, error) {
	if terms := s.terms[t.Asset]; terms != nil && terms.OffChain == t.OffChain {
		return terms, nil
	}
	return nil, &anchor.Error{Kind: anchor.Conflict, Code: "not_offered", Message: "the transaction's asset is not configured any more"}
}

// AssignPayment gives an unmatched payment to a withdrawal.
func (m mutation) AssignPayment(ctx context.Context, id, transaction, _ string, _ *string) (*anchor.Transaction, error) {
	return m.move(ctx, transaction, func(tx *store.Tx, t *anchor.Transaction, _ string, now time.Time) (string, error) {
		p, err := tx.Payment(id)
		if err != nil {
			return "", at("payment", err)
		}
		terms, err := m.sold(t)
		if err != nil {
			return "", err
		}
		_, err = tx.AssignPayment(p, t, terms, now)
		return "payment:" + p.ID, err
	})
}

// AssignBankLine gives an unmatched credit to a deposit.
func (m mutation) AssignBankLine(ctx context.Context, id, transaction, _ string, _ *string) (*anchor.Transaction, error) {
	return m.move(ctx, transaction, func(tx *store.Tx, t *anchor.Transaction, _ string, now time.Time) (string, error) {
		l, err := tx.BankLine(id)
		if err != nil {
			return "", at("line", err)
		}
		terms, err := m.sold(t)
		if err != nil {
			return "", err
		}
		_, err = tx.AssignLine(l, t, terms, now)
		return "line:" + l.ID, err
	})
}

// RefundTransaction sends back what came in, or a part of it. Where the customer's
// account was given lumens for it, the anchor's fee stays with a full refund that
// names none.
func (m mutation) RefundTransaction(ctx context.Context, id string, amount, fee *anchor.Amount, _ string, _ *string) (*anchor.Transaction, error) {
	return m.move(ctx, id, func(tx *store.Tx, t *anchor.Transaction, by string, now time.Time) (string, error) {
		kept := feeOr(fee, m.termsOf(t).Side(t.Kind).RefundFee)
		if fee == nil && (amount == nil || *amount >= t.Exchanged()-kept) { // nothing of it would be paid
			forGift, err := tx.KeptForGift(t)
			if err != nil {
				return "", err
			}
			kept = max(kept, forGift)
		}
		back := t.Refundable() - kept
		if amount != nil {
			back = *amount
		} else if err := t.MayRefund(); err == nil && t.Refundable() == 0 {
			return "", &anchor.Error{Kind: anchor.Conflict, Code: "nothing_to_refund", Message: "all that could go back has been decided to go back"}
		}
		return "", tx.Refund(t, m.termsOf(t), back, kept, by, now)
	})
}

func feeOr(fee *anchor.Amount, usual anchor.Amount) anchor.Amount {
	if fee != nil {
		return *fee
	}
	return usual
}

// refundFee is what is usually kept for sending an asset back, on the ledger or
// off it.
func (s *server) refundFee(a anchor.Asset) anchor.Amount {
	for _, t := range s.Options.Terms {
		if t.Asset == a || t.OffChain == a {
			return t.SideOf(a).RefundFee
		}
	}
	return 0
}

// RefundPayment sends an unmatched payment back.
func (m mutation) RefundPayment(ctx context.Context, id string, fee *anchor.Amount, _ string, _ *string) (*anchor.Payment, error) {
	id, err := m.act(ctx, func(tx *store.Tx, by string, now time.Time) (store.Act, error) {
		p, err := tx.Payment(id)
		if err == nil {
			err = tx.RefundPayment(p, feeOr(fee, m.refundFee(p.Asset)), by, now)
		}
		return store.Act{Subject: "payment:" + id, Answer: id}, err
	})
	if err != nil {
		return nil, err
	}
	return m.Store.Payment(ctx, id)
}

// RefundBankLine sends an unmatched credit back.
func (m mutation) RefundBankLine(ctx context.Context, id string, fee *anchor.Amount, _ string, _ *string) (*anchor.BankLine, error) {
	id, err := m.act(ctx, func(tx *store.Tx, by string, now time.Time) (store.Act, error) {
		l, err := tx.BankLine(id)
		if err == nil {
			err = tx.RefundLine(l, feeOr(fee, m.refundFee(l.Asset)), by, now)
		}
		return store.Act{Subject: "line:" + id, Answer: id}, err
	})
	if err != nil {
		return nil, err
	}
	return m.Store.BankLine(ctx, id)
}

// Hold stops a funded transaction.
func (m mutation) Hold(ctx context.Context, id, _ string, _ *string) (*anchor.Transaction, error) {
	return m.move(ctx, id, func(tx *store.Tx, t *anchor.Transaction, _ string, now time.Time) (string, error) {
		if err := t.Hold(now); err != nil {
			return "", err
		}
		return "", tx.SaveTransaction(t)
	})
}

// Release lets a held transaction go on.
func (m mutation) Release(ctx context.Context, id, _ string, _ *string) (*anchor.Transaction, error) {
	return m.move(ctx, id, func(tx *store.Tx, t *anchor.Transaction, _ string, now time.Time) (string, error) {
		terms, err := m.sold(t)
		if err != nil {
			return "", err
		}
		return "", tx.Release(t, terms, now)
	})
}

// Retry does again what failed.
func (m mutation) Retry(ctx context.Context, id, _ string, _ *string) (*anchor.Transaction, error) {
	return m.move(ctx, id, func(tx *store.Tx, t *anchor.Transaction, _ string, now time.Time) (string, error) {
		terms, err := m.sold(t)
		if err != nil {
			return "", err
		}
		return "", tx.Retry(t, terms, now)
	})
}

// Expire ends the waiting for a customer.
func (m mutation) Expire(ctx context.Context, id, _ string, _ *string) (*anchor.Transaction, error) {
	return m.move(ctx, id, func(tx *store.Tx, t *anchor.Transaction, _ string, now time.Time) (string, error) {
		if err := t.GiveUp(now); err != nil {
			return "", err
		}
		return "", tx.SaveTransaction(t)
	})
}

// AcceptCustomer lets the customer behind a transaction go on.
func (m mutation) AcceptCustomer(ctx context.Context, id, answersVersion, _ string, _ *string) (*anchor.Transaction, error) {
	return m.review(ctx, id, anchor.ReviewAccepted, answersVersion, "")
}

// AskCorrection sends the customer behind a transaction back to their details.
func (m mutation) AskCorrection(ctx context.Context, id, message, _ string, _ *string) (*anchor.Transaction, error) {
	if strings.TrimSpace(message) == "" {
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "note_malformed", Field: "message", Message: "say what the customer is to correct"}
	}
	return m.review(ctx, id, anchor.ReviewCorrection, "", message)
}

// RejectCustomer refuses the customer behind a transaction.
func (m mutation) RejectCustomer(ctx context.Context, id string, message *string, _ string, _ *string) (*anchor.Transaction, error) {
	return m.review(ctx, id, anchor.ReviewRejected, "", orNone(message))
}

func (m mutation) review(ctx context.Context, id string, verdict anchor.Review, seen, words string) (*anchor.Transaction, error) {
	how := store.Reviewing{Seen: seen, Terms: m.termsOf, Draw: func(t *anchor.Transaction) anchor.Instructions {
		how := draw()
		how.AnchorAccount = m.termsOf(t).Account
		return how
	}}
	for try := 1; ; try++ {
		t, err := m.move(ctx, id, func(tx *store.Tx, t *anchor.Transaction, _ string, now time.Time) (string, error) {
			return "", tx.Review(t, verdict, strings.TrimSpace(words), how, now)
		})
		if drawnBefore(err) && try < agreeTries {
			continue
		}
		return t, err
	}
}
