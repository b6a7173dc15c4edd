package graph

import (
	"context"
	"errors"
	"slices"
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/rail"
	"windlass/server/session"
	"windlass/server/store"
)

// Transaction is the query of the same name.
func (q query) Transaction(ctx context.Context, id string) (*anchor.Transaction, error) {
	return q.own(ctx, id)
}

// entered is the amount_in of an amount that was entered as it or as what comes out,
// and the method that it is for: the one that is chosen, as long as that can do it,
// else "", which is one to be chosen anew.
func entered(terms *anchor.Terms, t *anchor.Transaction, in, out *anchor.Amount) (anchor.Amount, string, error) {
	switch {
	case in != nil && out != nil:
		return 0, "", &anchor.Error{Kind: anchor.Invalid, Code: "amount_twice", Field: "amount", Message: "name one amount: what goes in, or what comes out"}
	case in != nil:
		method := t.Method
		if !terms.Side(t.Kind).Takes(method, *in) {
			method = ""
		}
		return *in, method, terms.CheckAmount(t.Kind, "", *in)
	case out != nil:
		if in, err := terms.AmountFor(t.Kind, t.Method, *out); err == nil {
			return in, t.Method, nil
		}
		in, err := terms.AmountFor(t.Kind, "", *out)
		return in, "", err
	}
	return 0, "", &anchor.Error{Kind: anchor.Invalid, Code: "amount_missing", Field: "amount", Message: "enter an amount first"}
}

// Price works an amount out by the transaction's terms.
func (q query) Price(ctx context.Context, id string, wantIn, wantOut *anchor.Amount) (*Price, error) {
	t, err := q.own(ctx, id)
	if err != nil {
		return nil, err
	}
	terms, err := q.offered(t)
	if err != nil {
		return nil, err
	}
	in, method, err := entered(terms, t, wantIn, wantOut)
	if err != nil {
		return nil, err
	}
	p, err := terms.Price(t.Kind, method, in)
	if err != nil {
		return nil, err
	}
	return priceOf(t, p), nil
}

func priceOf(t *anchor.Transaction, p anchor.Price) *Price {
	return &Price{p.In, p.Out, Fee{p.Fee, t.In(), p.Lines}, shownRate(p.Rate, t.Kind)}
}

// Transaction sends the transaction now and after every commit that touched it.
// Changes that come faster than they are read are one.
func (s subscription) Transaction(ctx context.Context, id string) (<-chan *anchor.Transaction, error) {
	if err := allowed(ctx, id); err != nil {
		return nil, err
	}
	// Watching begins before the first look, so that no change falls between.
	changed, stop := s.Store.Watch(id)
	t, err := s.own(ctx, id)
	if err != nil {
		stop()
		return nil, err
	}
	states := make(chan *anchor.Transaction)
	go func() {
		defer close(states)
		defer stop()
		for {
			select {
			case states <- t:
			case <-ctx.Done():
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			var err error
			if t, err = s.own(ctx, id); err != nil {
				if ctx.Err() == nil {
					s.Logger.ErrorContext(ctx, "graphql: a subscription ends", "transaction", id, "error", err)
				}
				return
			}
		}
	}()
	return states, nil
}

// errDone says that what was asked for is so already.
var errDone = errors.New("done already")

// change applies a rule to the caller's transaction and saves it, in one
// update. The rule may run twice.
func (m mutation) change(ctx context.Context, id string, rule func(*store.Tx, *anchor.Transaction, time.Time) error) (*anchor.Transaction, error) {
	if err := allowed(ctx, id); err != nil {
		return nil, err
	}
	defer m.afresh(ctx)
	var t *anchor.Transaction
	err := m.Store.Update(ctx, session.FromContext(ctx).Actor(), func(tx *store.Tx) (err error) {
		if t, err = tx.Transaction(id); err != nil {
			return err
		}
		now := time.Now()
		if err := m.recognise(tx, t, now); err != nil {
			return err
		}
		if err := rule(tx, t, now); err != nil {
			return err
		}
		if err := m.recognise(tx, t, now); err != nil { // another amount may ask more, or less
			return err
		}
		return tx.SaveTransaction(t)
	})
	if t != nil {
		speak(ctx, t)
	}
	if err != nil && !errors.Is(err, errDone) {
		return nil, several(ctx, err)
	}
	return t, nil
}

// offered are the terms by which a transaction can still be entered.
func (s *server) offered(t *anchor.Transaction) (*anchor.Terms, error) {
	terms := s.terms[t.Asset]
	if terms == nil || terms.OffChain != t.OffChain || !terms.Side(t.Kind).Enabled {
		return nil, &anchor.Error{Kind: anchor.Conflict, Code: "not_offered", Message: "this is not offered at present"}
	}
	return terms, nil
}

// recognise holds the customer against the amount as it is now, for as long as it
// can be changed: everybody is asked once, and nobody is good for an amount that
// asks more than they said, or that a person has not accepted them for.
func (s *server) recognise(tx *store.Tx, t *anchor.Transaction, now time.Time) error {
	terms := s.terms[t.Asset]
	if t.Status() != anchor.Incomplete || terms == nil {
		return nil
	}
	c, err := tx.CustomerOf(t.Owner)
	if err != nil && anchor.KindOf(err) != anchor.NotFound {
		return err
	}
	t.Reviewed = terms.Side(t.Kind).ReviewOf(c, t.Foreseen(), now) == anchor.ReviewAccepted
	if t.Reviewed && c != nil {
		t.CustomerID = c.ID
	}
	return nil
}

// given are answers by their names.
func given(answers []*Answer) map[string]string {
	all := make(map[string]string, len(answers))
	for _, a := range answers {
		all[a.Name] = a.Value
	}
	return all
}

// maxAnswers is more than any form asks.
const maxAnswers = 100

func tooMany(answers []*Answer) error {
	if len(answers) > maxAnswers {
		return &anchor.Error{Kind: anchor.Invalid, Field: "answers", Message: "these are more answers than we have questions"}
	}
	return nil
}

func alreadyAgreed() error {
	return &anchor.Error{Kind: anchor.Conflict, Code: "already_agreed", Message: "this can no longer be changed"}
}

// asked are the customer, who may be new, and the terms by which they are asked,
// while they still are.
func (s *server) asked(tx *store.Tx, t *anchor.Transaction, now time.Time) (*anchor.Customer, *anchor.Terms, error) {
	if t.Status() != anchor.Incomplete && t.Status() != anchor.PendingUser {
		return nil, nil, alreadyAgreed()
	}
	terms, err := s.offered(t)
	if err != nil {
		return nil, nil, err
	}
	c, err := tx.CustomerOf(t.Owner)
	switch {
	case err == nil && c.Review == anchor.ReviewRejected:
		return nil, nil, &anchor.Error{Kind: anchor.Forbidden, Code: "rejected", Message: language.Text(language.Match(t.Lang), "message.rejected", nil)}
	case err != nil && anchor.KindOf(err) == anchor.NotFound:
		return newCustomer(t, now), terms, nil
	}
	return c, terms, err
}

// Answer keeps what the customer says about themselves, for this transaction
// and all to come.
func (m mutation) Answer(ctx context.Context, id string, answers []*Answer) (*anchor.Transaction, error) {
	if err := tooMany(answers); err != nil {
		return nil, err
	}
	return m.change(ctx, id, func(tx *store.Tx, t *anchor.Transaction, now time.Time) error {
		c, terms, err := m.asked(tx, t, now)
		if err != nil {
			return err
		}
		side := terms.Side(t.Kind)
		said := given(answers)
		// What an amount asks in addition is asked on a page of its own, unless they
		// correct something: the reviewer wants to see all of it.
		later := func(f anchor.Field) bool {
			_, given := said[f.Name]
			return t.Status() == anchor.Incomplete && !given && c.Fields[f.Name] == "" && side.AskedFrom(f.Name) > 0
		}
		if err := c.Answer(slices.DeleteFunc(slices.Clone(side.FieldsFor(t.Foreseen())), later), said, now); err != nil {
			return err
		}
		c.Review = anchor.ReviewPending // whatever it was: they have said something
		if side.ReviewOf(c, t.Foreseen(), now) == anchor.ReviewAccepted {
			c.Review = anchor.ReviewAccepted
		}
		if err := tx.SaveCustomer(c); err != nil {
			return err
		}
		t.CustomerID = c.ID
		if t.Status() != anchor.PendingUser {
			return nil // see recognise
		}
		return t.Corrected(side.Window, now)
	})
}

// SetAmount enters the amount by what goes in, or by what comes out.
func (m mutation) SetAmount(ctx context.Context, id string, wantIn, wantOut *anchor.Amount) (*anchor.Transaction, error) {
	return m.change(ctx, id, func(_ *store.Tx, t *anchor.Transaction, _ time.Time) error {
		terms, err := m.offered(t)
		if err != nil {
			return err
		}
		if t.Status() != anchor.Incomplete {
			return alreadyAgreed()
		}
		in, method, err := entered(terms, t, wantIn, wantOut)
		if err != nil {
			return err
		}
		t.Method = method
		return t.SetAmount(terms, in)
	})
}

// ChooseMethod chooses how the bank side moves. Answers to a method are kept
// with the transaction; those to another method are forgotten.
func (m mutation) ChooseMethod(ctx context.Context, id, method string, answers []*Answer, saved *string) (*anchor.Transaction, error) {
	if err := tooMany(answers); err != nil {
		return nil, err
	}
	return m.change(ctx, id, func(tx *store.Tx, t *anchor.Transaction, now time.Time) error {
		terms, err := m.offered(t)
		if err != nil {
			return err
		}
		if err := t.ChooseMethod(terms, method); err != nil {
			return err
		}
		chosen, _ := terms.Side(t.Kind).Method(method)
		d, err := tx.Details(id)
		if err != nil {
			return err
		}
		if d, err = take(tx, t, chosen, d, given(answers), orNone(saved), now); err != nil {
			return err
		}
		return tx.SetDetails(id, d)
	})
}

// answered merges answers to a method's questions into those known before.
func answered(m anchor.Method, known store.Details, answers map[string]string, now time.Time) (map[string]string, error) {
	form := anchor.Customer{Fields: map[string]string{}} // merges and checks alike
	for _, f := range m.Fields {
		form.Fields[f.Name] = known.Answers[f.Name]
	}
	err := form.Answer(m.Fields, answers, now)
	return form.Fields, err
}

// agreeTries is how often a reference or memo is drawn that was used before.
const agreeTries = 5

// draw makes what tells one payment from all others.
func draw() anchor.Instructions {
	return anchor.Instructions{Reference: rail.NewReference(), Memo: randomMemo()}
}

func drawnBefore(err error) bool {
	e, _ := errors.AsType[*anchor.Error](err)
	return e != nil && e.Code == "duplicate"
}

// Agree is the customer's yes to the summary. Saying it twice is saying it once.
func (m mutation) Agree(ctx context.Context, id string, out anchor.Amount, rate *string) (*anchor.Transaction, error) {
	for try := 1; ; try++ {
		how := draw()
		t, err := m.change(ctx, id, func(tx *store.Tx, t *anchor.Transaction, now time.Time) error {
			if !t.AgreedAt.IsZero() && t.AmountOut == out && (t.Status() == anchor.PendingUserTransferStart || t.AwaitsReview()) {
				return errDone
			}
			terms, err := m.offered(t)
			if err != nil {
				return err
			}
			if t.AmountsKnown && t.Status() == anchor.Incomplete {
				// By today's terms, which may no longer be those that were shown.
				if err := t.SetAmount(terms, t.AmountIn); err != nil {
					return err
				}
			}
			// Rounding may hide in what comes out that the rate is another one.
			if t.AmountsKnown && (t.AmountOut != out || rate != nil && t.Rate.Price(t.Kind) != *rate) {
				return &anchor.Error{Kind: anchor.Conflict, Code: "price_changed", Field: "amountOut",
					Message: "the amounts are not those that were agreed to; look at them again"}
			}
			side := terms.Side(t.Kind)
			answers, err := complete(tx, t, side, now)
			if err != nil {
				return err
			}
			how.AnchorAccount, how.Deadline, how.BankSide = terms.Account, now.Add(side.Window), anchor.BankSide(answers)
			if waits, err := m.mustWait(tx, t, now); err != nil {
				return err
			} else if waits {
				return t.Submit(how, now)
			}
			return t.Agree(how, now)
		})
		if drawnBefore(err) && try < agreeTries {
			continue
		}
		return t, err
	}
}

// mustWait reports whether all is said, and a person looks at it before anybody pays.
func (s *server) mustWait(tx *store.Tx, t *anchor.Transaction, now time.Time) (bool, error) {
	if t.Reviewed || t.Status() != anchor.Incomplete {
		return false, nil
	}
	c, err := tx.CustomerOf(t.Owner)
	if err != nil {
		if anchor.KindOf(err) == anchor.NotFound {
			return false, nil
		}
		return false, err
	}
	t.CustomerID = c.ID
	return s.termsOf(t).Side(t.Kind).ReviewOf(c, t.Foreseen(), now) == anchor.ReviewPending, nil
}

// complete makes sure that the chosen method is offered still and all that it
// asks is answered, and returns the answers.
func complete(tx *store.Tx, t *anchor.Transaction, side *anchor.Side, now time.Time) (map[string]string, error) {
	if t.Method == "" {
		return nil, nil // which Agree refuses
	}
	chosen, ok := side.Method(t.Method)
	d, err := tx.Details(t.ID)
	if err != nil {
		return nil, err
	}
	answered := anchor.Customer{Fields: d.Answers}
	if !ok || len(answered.Missing(chosen.Fields, now)) > 0 {
		return nil, &anchor.Error{Kind: anchor.Conflict, Code: "method_missing", Field: "method", Message: "choose how to pay first"}
	}
	return d.Answers, nil
}

// MarkSent is the customer's word that the transfer is on its way.
func (m mutation) MarkSent(ctx context.Context, id string) (*anchor.Transaction, error) {
	return m.change(ctx, id, func(_ *store.Tx, t *anchor.Transaction, now time.Time) error {
		if t.Kind == anchor.Deposit && t.Status() == anchor.PendingExternal {
			return errDone
		}
		return t.Sent(now)
	})
}

// Cancel calls it off before any money moved.
func (m mutation) Cancel(ctx context.Context, id string) (*anchor.Transaction, error) {
	return m.change(ctx, id, func(_ *store.Tx, t *anchor.Transaction, now time.Time) error {
		if t.Status() == anchor.Expired && t.Note == "cancelled" {
			return errDone
		}
		return t.Cancel(now)
	})
}

// newCustomer is the person behind a transaction, of whom nothing is known.
func newCustomer(t *anchor.Transaction, now time.Time) *anchor.Customer {
	owner := t.Owner
	owner.Client = "" // the same person in every wallet
	return &anchor.Customer{ID: store.NewID(), Owner: owner, CreatedAt: now, UpdatedAt: now}
}

// SetLanguage changes the language of page and messages, and is remembered.
func (m mutation) SetLanguage(ctx context.Context, id, lang string) (*anchor.Transaction, error) {
	if !slices.Contains(language.Languages, lang) {
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "lang_unknown", Field: "lang", Message: "we do not speak this language yet"}
	}
	return m.change(ctx, id, func(tx *store.Tx, t *anchor.Transaction, now time.Time) error {
		c, err := tx.CustomerOf(t.Owner)
		if anchor.KindOf(err) == anchor.NotFound {
			c, err = newCustomer(t, now), nil
		}
		if err != nil {
			return err
		}
		t.Lang, c.Lang = lang, lang
		return tx.SaveCustomer(c)
	})
}
