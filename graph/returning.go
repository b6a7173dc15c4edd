package graph

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/session"
	"windlass/server/store"
)

// What a returning customer finds: the accounts that they used before, and what
// they did last. Both are read from the transactions that they agreed to, in
// whichever wallet: the same person in another wallet is the same customer. An
// account's number stays here; the page names the account by its transaction.

// money is whose, and which, the bank moves.
type money struct {
	owner    anchor.Identity
	offChain anchor.Asset
}

func (s *server) agreementsOfEach(ctx context.Context, all []money) (map[money][]store.Agreement, error) {
	each := map[money][]store.Agreement{}
	for _, m := range all {
		found, err := s.Store.Agreements(ctx, m.owner, m.offChain)
		if err != nil {
			return nil, err
		}
		each[m] = found
	}
	return each, nil
}

// agreements are what the customer who asks agreed to before, while there is
// something to enter; nobody else is told.
func (*server) agreements(ctx context.Context, t *anchor.Transaction) ([]store.Agreement, error) {
	if role(ctx) != session.Customer || t.Status() != anchor.Incomplete {
		return nil, nil
	}
	return loadersOf(ctx).agreements.Load(ctx, money{t.Owner, t.OffChain})
}

// asked are the answers to what a method asks today.
func asked(m anchor.Method, answers map[string]string) map[string]string {
	some := map[string]string{}
	for _, f := range m.Fields {
		if v := answers[f.Name]; v != "" {
			some[f.Name] = v
		}
	}
	return some
}

// accountOf is the account that an agreement used, as a method asks for it today;
// nil if it names none, or one that is to be offered no more.
func accountOf(a store.Agreement, m anchor.Method) *SavedAccount {
	answers := asked(m, a.Answers)
	if a.Method != m.ID || a.Unsaved || anchor.BankSide(answers) == "" {
		return nil
	}
	return &SavedAccount{ID: a.ID, UsedAt: a.AgreedAt, answers: answers}
}

// maxSaved is how many accounts are offered.
const maxSaved = 5

// Saved lists the accounts that were used with a method, each once.
func (r method) Saved(ctx context.Context, m *Method) ([]*SavedAccount, error) {
	all, err := r.agreements(ctx, m.of)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	d, err := loadersOf(ctx).details.Load(ctx, m.of.ID)
	if err != nil {
		return nil, err
	}
	way := anchor.Method{ID: m.ID, Fields: m.fields}
	var saved []*SavedAccount
	for _, a := range all {
		account := accountOf(a, way)
		if account == nil || slices.ContainsFunc(saved, func(s *SavedAccount) bool { return maps.Equal(s.answers, account.answers) }) {
			continue
		}
		account.Chosen = d.Saved != "" && m.of.Method == m.ID && maps.Equal(asked(way, d.Answers), account.answers)
		if saved = append(saved, account); len(saved) == maxSaved {
			break
		}
	}
	return saved, nil
}

// Label is what the owner of an account knows it by: no more of its number than
// [anchor.MaskAccount] leaves.
func (savedAccount) Label(ctx context.Context, s *SavedAccount) (string, error) {
	label := dotted(anchor.BankSide(s.answers))
	for _, name := range []string{"bank_name", "mobile_money_provider"} {
		if v := s.answers[name]; v != "" {
			return language.TextOr(langOf(ctx), "option."+name+"."+v, v, nil) + " " + label, nil
		}
	}
	return label, nil
}

// dotted is a masked number as people write it.
func dotted(masked string) string { return strings.ReplaceAll(masked, "*", "•") }

// Last is what the customer did last, if it is possible today.
func (r transaction) Last(ctx context.Context, t *anchor.Transaction) (*LastTime, error) {
	all, err := r.agreements(ctx, t)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(a store.Agreement) bool { return a.Asset == t.Asset && a.Kind == t.Kind })
	terms, unoffered := r.offered(t)
	if i < 0 || unoffered != nil {
		return nil, nil
	}
	last := all[i]
	way, _ := terms.Side(t.Kind).Method(last.Method)
	then := *t
	then.AmountsKnown = false
	if then.ChooseMethod(terms, last.Method) != nil || then.SetAmount(terms, last.Expected) != nil || then.Method != last.Method {
		return nil, nil
	}
	var known anchor.Customer
	account := accountOf(last, way)
	if account != nil {
		known.Fields = account.answers
	}
	if len(known.Missing(way.Fields, time.Now())) > 0 {
		return nil, nil
	}
	return &LastTime{last.Expected, newMethod(terms.Side(t.Kind), way, t), account, last.AgreedAt}, nil
}

// take brings answers to a method together with those of a saved account, "" for
// none: d is then what is kept.
func take(tx *store.Tx, t *anchor.Transaction, m anchor.Method, d store.Details, answers map[string]string, saved string, now time.Time) (store.Details, error) {
	if d.Saved != "" {
		d.Answers, d.Saved = nil, ""
	}
	if saved != "" {
		all, err := tx.Agreements(t.Owner, t.OffChain)
		if err != nil {
			return d, err
		}
		i := slices.IndexFunc(all, func(a store.Agreement) bool { return a.ID == saved && accountOf(a, m) != nil })
		if i < 0 {
			return d, noSuchAccount()
		}
		d.Answers, d.Saved = accountOf(all[i], m).answers, saved
		for name := range answers {
			if anchor.SaysWhere(name) { // another account: nothing of the saved one leads there
				maps.DeleteFunc(d.Answers, func(name, _ string) bool { return anchor.SaysWhere(name) })
				d.Saved = ""
			}
		}
	}
	var err error
	d.Answers, err = answered(m, d, answers, now)
	return d, err
}

func noSuchAccount() error {
	return &anchor.Error{Kind: anchor.NotFound, Code: "not_found", Field: "saved", Message: "there is no such account"}
}

// ForgetAccount offers an account no more: none of what used it is looked at for
// that again. Doing it twice is doing it once.
func (m mutation) ForgetAccount(ctx context.Context, id, saved string) (*anchor.Transaction, error) {
	return m.change(ctx, id, func(tx *store.Tx, t *anchor.Transaction, _ time.Time) error {
		terms, err := m.offered(t)
		if err != nil {
			return err
		}
		all, err := tx.Agreements(t.Owner, t.OffChain)
		if err != nil {
			return err
		}
		slices.Reverse(all) // rows are locked in the order of their ids
		i := slices.IndexFunc(all, func(a store.Agreement) bool { return a.ID == saved })
		if i < 0 {
			return noSuchAccount()
		}
		way, ok := terms.Side(t.Kind).Method(all[i].Method)
		if !ok {
			return noSuchAccount()
		}
		for _, a := range all {
			if a.Method != way.ID || !maps.Equal(asked(way, a.Answers), asked(way, all[i].Answers)) {
				continue
			}
			a.Unsaved = true
			if err := tx.SetDetails(a.ID, a.Details); err != nil {
				return err
			}
		}
		return nil
	})
}
