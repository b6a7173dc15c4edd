package graph

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/session"
	"windlass/server/store"
)

// termsOf are a transaction's terms, for reading. One whose asset is no longer
// configured has bare ones.
func (s *server) termsOf(t *anchor.Transaction) *anchor.Terms {
	if terms := s.terms[t.Asset]; terms != nil {
		return terms
	}
	return t.BareTerms()
}

// lang is the language of a transaction's messages.
func lang(ctx context.Context, t *anchor.Transaction) string {
	if t.Lang == "" {
		return langOf(ctx)
	}
	return language.Match(t.Lang)
}

func role(ctx context.Context) session.Role { return session.FromContext(ctx).Role }

// Message explains the status, in a reviewer's own words to the customer where
// there are such.
func (r transaction) Message(ctx context.Context, t *anchor.Transaction) (string, error) {
	if (t.Note == anchor.NoteCorrection || t.Note == anchor.NoteRejected) && role(ctx) != session.Viewer {
		if d, err := loadersOf(ctx).details.Load(ctx, t.ID); err != nil || d.Words != "" {
			return d.Words, err
		}
	}
	l := lang(ctx, t)
	key := t.StatusText()
	if note := "message." + t.Note; language.Has(language.Default, note) {
		key = note
	}
	return language.Text(l, key, t.Words(r.termsOf(t))), nil
}

func (transaction) AssetIn(_ context.Context, t *anchor.Transaction) (*anchor.Asset, error) {
	return new(t.In()), nil
}

func (transaction) AssetOut(_ context.Context, t *anchor.Transaction) (*anchor.Asset, error) {
	return new(t.Out()), nil
}

func (transaction) AmountIn(_ context.Context, t *anchor.Transaction) (*anchor.Amount, error) {
	return known(t.AmountIn, t.AmountsKnown), nil
}

func (transaction) AmountOut(_ context.Context, t *anchor.Transaction) (*anchor.Amount, error) {
	return known(t.AmountOut, t.AmountsKnown), nil
}

func (transaction) RequestedAmount(_ context.Context, t *anchor.Transaction) (*anchor.Amount, error) {
	return known(t.Requested, t.Requested > 0), nil
}

func known(a anchor.Amount, is bool) *anchor.Amount {
	if !is {
		return nil
	}
	return &a
}

func (transaction) Fee(_ context.Context, t *anchor.Transaction) (*Fee, error) {
	if !t.AmountsKnown {
		return nil, nil
	}
	return &Fee{t.AmountFee, t.In(), t.FeeLines}, nil
}

func (transaction) AmountRefunded(_ context.Context, t *anchor.Transaction) (*anchor.Amount, error) {
	return known(t.AmountRefunded, t.AmountRefunded > 0), nil
}

func (transaction) RefundFee(_ context.Context, t *anchor.Transaction) (*anchor.Amount, error) {
	return known(t.RefundFee, t.AmountRefunded > 0), nil
}

func (transaction) Rate(_ context.Context, t *anchor.Transaction) (*string, error) {
	return shownRate(t.Rate, t.Kind), nil
}

// shownRate is nil where there is nothing to tell.
func shownRate(r anchor.Rate, k anchor.Kind) *string {
	if r.IsOne() {
		return nil
	}
	return new(r.Price(k))
}

func (r transaction) Terms(_ context.Context, t *anchor.Transaction) (*Terms, error) {
	side := r.termsOf(t).Side(t.Kind)
	v := &Terms{FeeFixed: side.Fee.Fixed, FeePercent: side.Fee.Percent, Methods: make([]*Method, len(side.Methods))}
	v.Minimum, v.Maximum = side.Limits("")
	for i, m := range side.Methods {
		v.Methods[i] = newMethod(side, m, t)
	}
	return v, nil
}

// Questions are those about the customer, with what is known already: what
// they said before, else what the wallet filled in.
func (r transaction) Questions(ctx context.Context, t *anchor.Transaction) ([]*Question, error) {
	side := r.termsOf(t).Side(t.Kind)
	fields := side.FieldsFor(t.Foreseen())
	c, err := r.customer(ctx, t)
	if err != nil {
		return nil, err
	}
	if role(ctx) == session.Staff && c != nil {
		fields = append(slices.Clip(fields), besides(c, fields)...)
	}
	if len(fields) == 0 {
		return nil, nil
	}
	d, err := loadersOf(ctx).details.Load(ctx, t.ID)
	if err != nil {
		return nil, err
	}
	values := []map[string]string{d.Prefill}
	if c != nil {
		values = []map[string]string{c.Fields, d.Prefill}
	}
	var missing []anchor.Field
	if c != nil {
		missing = c.Missing(fields, time.Now())
	}
	all := questions(ctx, fields, values...)
	for _, q := range all {
		from := side.AskedFrom(q.Name)
		q.From = known(from, from > 0)
		q.Answered = c != nil && c.Fields[q.Name] != "" && !slices.ContainsFunc(missing, func(f anchor.Field) bool { return f.Name == q.Name })
	}
	return all, withFiles(ctx, c, all)
}

// besides are the questions that a customer has answered for another amount, direction
// or asset. Who accepts a customer vouches for all that they have said.
func besides(c *anchor.Customer, fields []anchor.Field) []anchor.Field {
	var others []anchor.Field
	for _, standard := range anchor.SEP9 {
		asked := func(f anchor.Field) bool { return f.Name == standard.Name }
		if c.Fields[standard.Name] == "" || slices.ContainsFunc(fields, asked) {
			continue
		}
		if standard.Type == anchor.FieldChoice { // among the operator's words, perhaps
			standard = anchor.Standard{Name: standard.Name}
		}
		others = append(others, standard.Field(true, nil))
	}
	return others
}

// withFiles tells of the documents that answer questions: to staff, where to see
// them, and to a viewer nothing.
func withFiles(ctx context.Context, c *anchor.Customer, questions []*Question) error {
	if c == nil || role(ctx) == session.Viewer || !slices.ContainsFunc(questions, func(q *Question) bool { return q.Type == anchor.FieldFile }) {
		return nil
	}
	files, err := loadersOf(ctx).files.Load(ctx, c.ID)
	for _, f := range files {
		shown := &File{File: f}
		if role(ctx) == session.Staff {
			shown.URL = new(FilesPath + f.ID)
		}
		for _, q := range questions {
			if q.Type == anchor.FieldFile && q.Value != nil && *q.Value == f.ID {
				q.File = shown
			}
		}
	}
	return err
}

// FilesPath is where staff see documents, on the admin listener: add the id.
const FilesPath = "/files/"

// customer is the person behind a transaction, nil if there is none yet.
func (*server) customer(ctx context.Context, t *anchor.Transaction) (*anchor.Customer, error) {
	return loadersOf(ctx).customers.Load(ctx, t.Owner)
}

// Review is what the anchor thinks of the customer, as far as this
// transaction's questions and amount go. Once everything is entered, it is what
// was decided then.
func (r transaction) Review(ctx context.Context, t *anchor.Transaction) (anchor.Review, error) {
	switch {
	case t.AwaitsReview():
		return anchor.ReviewPending, nil
	case t.Status() == anchor.PendingUser: // whatever they have said elsewhere meanwhile
		return anchor.ReviewCorrection, nil
	case t.Reviewed && t.Status() != anchor.Incomplete:
		return anchor.ReviewAccepted, nil
	}
	c, err := r.customer(ctx, t)
	if err != nil {
		return "", err
	}
	return r.termsOf(t).Side(t.Kind).ReviewOf(c, t.Foreseen(), time.Now()), nil
}

func (transaction) Method(_ context.Context, t *anchor.Transaction) (*string, error) {
	return filled(t.Method), nil
}

// Instructions say how to pay, from the agreement until the end.
func (r transaction) Instructions(ctx context.Context, t *anchor.Transaction) ([]*Instruction, error) {
	if t.AgreedAt.IsZero() || !t.Instructed() || t.Expected == 0 || t.Status().Final() {
		return nil, nil
	}
	var rows []*Instruction
	add := func(name, value string, important bool) {
		rows = append(rows, &Instruction{
			Name: name, Label: language.Text(langOf(ctx), "instruction."+name, nil), Value: value,
			Important: important, Help: optional(langOf(ctx), "instruction."+name+".help"),
		})
	}
	add("amount", t.Expected.String(), false)
	if t.Kind == anchor.Deposit {
		add("reference", t.Reference, true)
		for _, row := range r.Rail.Instructions(t.OffChain, t.Method) {
			add(row.Name, row.Value, false)
		}
		return rows, nil
	}
	add("account", t.AnchorAccount, false)
	add("memo", t.Memo.Value, true)
	add("memo_type", string(t.Memo.Type), false)
	return rows, nil
}

// PaymentCode is only for who may pay by it.
func (r transaction) PaymentCode(_ context.Context, t *anchor.Transaction) (*string, error) {
	if t.Kind != anchor.Deposit || t.Funded() || t.Status() != anchor.PendingUserTransferStart && t.Status() != anchor.PendingExternal {
		return nil, nil
	}
	return filled(r.Rail.PaymentCode(t.OffChain, t.Method, t.Expected, t.Reference)), nil
}

// Pickup is for the customer alone: whoever has the code has the money.
func (r transaction) Pickup(ctx context.Context, t *anchor.Transaction) (*anchor.Pickup, error) {
	if role(ctx) != session.Customer || t.Status() != anchor.PendingUserTransferComplete {
		return nil, nil
	}
	return r.Store.Pickup(ctx, t.ID)
}

// optional is a text of the catalogue, nil if it has none.
func optional(lang, key string) *string { return filled(language.TextOr(lang, key, "", nil)) }

func (r transaction) Timeline(ctx context.Context, t *anchor.Transaction) ([]*store.TimelineEntry, error) {
	all, err := loadersOf(ctx).steps.Load(ctx, t.ID)
	return pointers(all), err
}

func pointers[T any](all []T) []*T {
	ps := make([]*T, len(all))
	for i := range all {
		ps[i] = &all[i]
	}
	return ps
}

// Account is shortened for a viewer.
func (transaction) Account(ctx context.Context, t *anchor.Transaction) (string, error) {
	if role(ctx) == session.Viewer {
		return t.Account.Short(), nil
	}
	return string(t.Account), nil
}

func (transaction) Wallet(_ context.Context, t *anchor.Transaction) (*string, error) {
	return filled(t.Owner.Client), nil
}

func (transaction) StellarTransactionID(_ context.Context, t *anchor.Transaction) (*string, error) {
	return filled(t.StellarID), nil
}

func (r transaction) ExplorerURL(_ context.Context, t *anchor.Transaction) (*string, error) {
	if t.StellarID == "" || r.Explorer == "" {
		return nil, nil
	}
	return new(strings.ReplaceAll(r.Explorer, "{hash}", t.StellarID)), nil
}

func (transaction) ExternalTransactionID(_ context.Context, t *anchor.Transaction) (*string, error) {
	return filled(t.ExternalID), nil
}

// SupportReference is the part of the id that holds its millisecond: short
// enough for the phone, and what a search finds it by.
func (transaction) SupportReference(_ context.Context, t *anchor.Transaction) (string, error) {
	return t.ID[:min(13, len(t.ID))], nil
}

func (transaction) Lang(ctx context.Context, t *anchor.Transaction) (string, error) {
	return lang(ctx, t), nil
}

// Callback is the wallet's and no viewer's business, as is OnChangeCallback.
func (transaction) Callback(ctx context.Context, t *anchor.Transaction) (*string, error) {
	return hidden(ctx, t.Callback), nil
}

func (transaction) OnChangeCallback(ctx context.Context, t *anchor.Transaction) (*string, error) {
	return hidden(ctx, t.OnChange), nil
}

// AppURL says nothing of the customer: an app's address is seen by other apps, by
// the system and, where the scheme is taken, by whoever took it. Its scheme is held
// to the configuration again: what it no longer lists is not opened.
func (r transaction) AppURL(ctx context.Context, t *anchor.Transaction) (*string, error) {
	scheme, _, named := strings.Cut(t.Callback, ":")
	if !named || !slices.Contains(r.CallbackSchemes, scheme) {
		return nil, nil
	}
	with := "?"
	if strings.Contains(t.Callback, "?") {
		with = "&"
	}
	return hidden(ctx, t.Callback+with+"transaction_id="+t.ID+"&status="+string(t.Status())), nil
}

func hidden(ctx context.Context, s string) *string {
	if role(ctx) == session.Viewer {
		return nil
	}
	return filled(s)
}

// PostMessageOrigin is the wallet's page when SEP-10 verified its domain.
func (transaction) PostMessageOrigin(_ context.Context, t *anchor.Transaction) (string, error) {
	domain := t.Owner.Client
	if domain == "" {
		return "*", nil
	}
	host, _, err := net.SplitHostPort(domain)
	if err != nil {
		host = domain
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return "http://" + domain, nil // a wallet under development
	}
	return "https://" + domain, nil
}

// Sep24 is empty for a viewer: it holds the customer's accounts.
func (r transaction) Sep24(ctx context.Context, t *anchor.Transaction) (any, error) {
	if role(ctx) == session.Viewer {
		return map[string]any{}, nil
	}
	b, err := json.Marshal(r.Object(t, lang(ctx, t)))
	return json.RawMessage(b), err
}

func (r transaction) MoreInfoURL(_ context.Context, t *anchor.Transaction) (string, error) {
	return r.Options.MoreInfoURL(t), nil
}

// Staff is null for everybody else.
func (transaction) Staff(ctx context.Context, t *anchor.Transaction) (*StaffView, error) {
	if role(ctx) != session.Staff {
		return nil, nil
	}
	return &StaffView{t}, nil
}

// The method's label and questions.

func (method) Label(ctx context.Context, m *Method) (string, error) {
	return label(langOf(ctx), "method."+m.ID, m.ID), nil
}

// Price is what the amount that was entered would cost and leave by the method; nil
// once it cannot be chosen any more.
func (r method) Price(_ context.Context, m *Method) (*Price, error) {
	t := m.of
	terms, unoffered := r.offered(t)
	if unoffered != nil || t.Status() != anchor.Incomplete || !t.AmountsKnown || !terms.Side(t.Kind).Takes(m.ID, t.AmountIn) {
		return nil, nil
	}
	p, err := terms.Price(t.Kind, m.ID, t.AmountIn)
	if err != nil {
		return nil, nil //nolint:nilerr // its fee would eat the amount
	}
	return priceOf(t, p), nil
}

func (r method) Questions(ctx context.Context, m *Method) ([]*Question, error) {
	if len(m.fields) == 0 {
		return nil, nil
	}
	d, err := loadersOf(ctx).details.Load(ctx, m.of.ID)
	switch {
	case m.ID == m.of.Method:
		d.Prefill = nil // the customer has said what counts, and may have said nothing
	case d.Saved != "":
		d.Answers = nil // which are another method's
	}
	// To be looked at is what was typed, until it was agreed to.
	known := d.Saved != "" || m.of.Status() != anchor.Incomplete
	all := questions(ctx, m.fields, d.Answers, d.Prefill)
	for _, q := range all {
		if known && q.Value != nil && anchor.SaysWhere(q.Name) && role(ctx) == session.Customer {
			q.Value, q.Masked = nil, new(dotted(anchor.MaskAccount(*q.Value)))
		}
	}
	return all, err
}

// questions ask for fields, with the first value that is known of each.
func questions(ctx context.Context, fields []anchor.Field, values ...map[string]string) []*Question {
	all, now := make([]*Question, len(fields)), time.Now()
	for i, f := range fields {
		known, _ := anchor.StandardOf(f.Name)
		q := &Question{
			Name: f.Name, Label: label(langOf(ctx), "field."+f.Name, f.Name), Help: optional(langOf(ctx), "field."+f.Name+".help"),
			Type: f.Type, Required: !f.Optional, Autocomplete: known.Autocomplete, Options: make([]Option, len(f.Options)),
		}
		for i, v := range f.Options {
			q.Options[i] = Option{v, language.TextOr(langOf(ctx), "option."+f.Name+"."+v, v, nil)}
		}
		earliest, latest := f.Dates(now)
		q.Earliest, q.Latest = filled(earliest), filled(latest)
		for _, v := range values {
			if kept, err := f.Check(v[f.Name], now); q.Value == nil && err == nil {
				q.Value = filled(kept)
			}
		}
		if q.Value != nil && role(ctx) == session.Viewer {
			q.Value = new(masked(*q.Value, f.Type))
		}
		all[i] = q
	}
	return all
}

// label is a text of the catalogue, or the name itself in plain words.
func label(lang, key, name string) string {
	return language.TextOr(lang, key, strings.ReplaceAll(name, "_", " "), nil)
}

// masked leaves just enough for the owner to recognise it.
func masked(value string, kind anchor.FieldType) string {
	switch kind {
	case anchor.FieldAccountNumber:
		return anchor.MaskAccount(value)
	case anchor.FieldDate, anchor.FieldCountry, anchor.FieldChoice, anchor.FieldPhone, anchor.FieldFile:
		return "****" // one sign may tell all
	default:
		return string([]rune(value)[:1]) + "****"
	}
}

// The assets of a transaction.

func (asset) ID(_ context.Context, a *anchor.Asset) (string, error)   { return a.String(), nil }
func (asset) Code(_ context.Context, a *anchor.Asset) (string, error) { return a.Symbol(), nil }

// Name is the operator's word for what they offer; a bank's money has its code only.
func (r asset) Name(_ context.Context, a *anchor.Asset) (*string, error) {
	if t := r.terms[*a]; t != nil {
		return filled(t.Name), nil
	}
	return nil, nil
}

func (asset) Issuer(_ context.Context, a *anchor.Asset) (*string, error) {
	return filled(a.Issuer), nil
}

// Decimals are the most of all terms: several may share what the bank moves, and
// nothing of an amount may be hidden.
func (r asset) Decimals(_ context.Context, a *anchor.Asset) (int, error) {
	most := -1
	for _, t := range r.Options.Terms {
		if t.Asset == *a || t.OffChain == *a {
			most = max(most, t.DecimalsOf(*a))
		}
	}
	if most < 0 {
		return anchor.Decimals, nil
	}
	return most, nil
}

func (feeLine) Label(ctx context.Context, l *anchor.FeeLine) (string, error) {
	return label(langOf(ctx), "fee."+l.Name, l.Name), nil
}

func (step) Event(_ context.Context, e *store.TimelineEntry) (string, error) {
	return string(e.Step.Event), nil
}

func (step) Label(ctx context.Context, e *store.TimelineEntry) (string, error) {
	return label(langOf(ctx), "event."+string(e.Step.Event), string(e.Step.Event)), nil
}

// Actor is for staff to know.
func (step) Actor(ctx context.Context, e *store.TimelineEntry) (*string, error) {
	if role(ctx) != session.Staff {
		return nil, nil
	}
	return filled(string(e.Actor)), nil
}
