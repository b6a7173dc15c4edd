package sep24

import (
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/rail"
	"windlass/server/store"
)

// interactivePage answers GET /interactive/{id}. Nothing of the transaction is
// shown: the page is anybody's until its script has exchanged the token, which
// is left alone here.
func (h *Handler) interactivePage(w http.ResponseWriter, r *http.Request) {
	t, err := h.books.Transaction(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		h.lost(w, r, err)
		return
	}
	lang := pageLang(r, t)
	h.page(w, r, Page{Name: "interactive", ID: t.ID, Lang: lang, Title: h.cfg.Name}, doorTemplate, door{
		Opening: text(lang, "page.opening", "Opening"), Script: text(lang, "page.no_script", "This page needs JavaScript. Please turn it on and open the page again from your wallet."),
	})
}

// transactionPage answers GET /transaction/{id}?c=CAPABILITY, a transaction's
// more_info_url, with a summary that is read without a script.
func (h *Handler) transactionPage(w http.ResponseWriter, r *http.Request) {
	id := mux.Vars(r)["id"]
	if !h.keys.Allows(id, r.URL.Query().Get("c")) {
		h.lost(w, r, &anchor.Error{Kind: anchor.Forbidden, Code: "forbidden"})
		return
	}
	t, err := h.books.Transaction(r.Context(), id)
	if err != nil {
		h.lost(w, r, err)
		return
	}
	steps, err := h.books.Timeline(r.Context(), id)
	if err != nil {
		h.lost(w, r, err)
		return
	}
	lang := pageLang(r, t)
	h.page(w, r, Page{Name: "transaction", ID: t.ID, Lang: lang, Title: h.cfg.Name}, summaryTemplate, h.summary(t, steps, lang))
}

// pageLang is the language of the address, of the transaction or of the browser.
func pageLang(r *http.Request, t *anchor.Transaction) string {
	return language.Match(r.URL.Query().Get("lang"), t.Lang, r.Header.Get("Accept-Language"))
}

func (h *Handler) page(w http.ResponseWriter, r *http.Request, p Page, body *template.Template, data any) {
	var b strings.Builder
	if err := body.Execute(&b, data); err != nil {
		panic(err) // a template that does not fit its data: every test would show it
	}
	p.Body = template.HTML(b.String()) //nolint:gosec // html/template has escaped it
	h.cfg.Page(w, r, p)
}

// text is a text of the catalogue, or the English one given here.
func text(lang, key, english string) string { return language.TextOr(lang, key, english, nil) }

// door is what is seen of an interactive page before its script runs, and
// without one.
type door struct{ Opening, Script string }

// The places that the page's script keeps while it loads (Loading.svelte).
var doorTemplate = template.Must(template.New("door").Parse(
	`<main><h1 class="visually-hidden">{{.Opening}}</h1><noscript><p>{{.Script}}</p></noscript>` +
		`<div class="skeleton" aria-busy="true"><span class="title"></span><span class="box"></span><span></span><span></span></div></main>`))

// Row is a label and a value, for people.
type Row struct{ Label, Value string }

// Summary is what whoever holds a transaction's link may know of it: amounts, status
// and how to pay. Of the customer's own bank account it tells nothing.
type Summary struct {
	Message                  string
	Amounts, Pay, References []Row
	PayTitle                 string
	// Deadline is until when the customer must do something else than pay or collect;
	// "" if there is none.
	Deadline string
}

type (
	step    struct{ At, Machine, Label string }
	link    struct{ Href, Text, Lang string }
	summary struct {
		Summary

		StepsTitle string
		Steps      []step
		Explorer   link // no Href if there is none
		Languages  []link
	}
)

var summaryTemplate = template.Must(template.New("summary").Parse(`
{{- define "rows"}}<dl>{{range .}}<dt>{{.Label}}</dt><dd><bdi>{{.Value}}</bdi></dd>{{end}}</dl>{{end -}}
<main class="told"><h1>{{.Message}}</h1>
{{with .Amounts}}{{template "rows" .}}{{end}}
{{with .Pay}}<h2>{{$.PayTitle}}</h2>{{template "rows" .}}{{end}}
<h2>{{.StepsTitle}}</h2><ol>{{range .Steps}}<li><time datetime="{{.Machine}}">{{.At}}</time> {{.Label}}</li>{{end}}</ol>
{{template "rows" .References}}
{{with .Explorer}}{{if .Href}}<p><a href="{{.Href}}" rel="noopener noreferrer">{{.Text}}</a></p>{{end}}{{end}}
<noscript><p class="languages">{{range .Languages}}<a href="{{.Href}}" lang="{{.Lang}}" hreflang="{{.Lang}}">{{.Text}}</a> {{end}}</p></noscript></main>`))

func (h *Handler) summary(t *anchor.Transaction, steps []store.TimelineEntry, lang string) summary {
	s := summary{Summary: h.Summary(t, lang), StepsTitle: text(lang, "page.timeline", "Steps")}
	for _, e := range steps {
		s.Steps = append(s.Steps, step{anchor.Readable(e.At), e.At.UTC().Format(time.RFC3339), language.Text(lang, "event."+string(e.Event), nil)})
	}
	if t.StellarID != "" && h.cfg.Explorer != "" {
		s.Explorer = link{Href: strings.ReplaceAll(h.cfg.Explorer, "{hash}", t.StellarID), Text: text(lang, "page.explorer", "See it on the Stellar network")}
	}
	for _, l := range language.Languages {
		if l != lang {
			s.Languages = append(s.Languages, link{h.MoreInfoURL(t.ID) + "&lang=" + l, language.Text(l, "language.name", nil), l})
		}
	}
	return s
}

// Summary tells of a transaction as it is now.
func (h *Handler) Summary(t *anchor.Transaction, lang string) Summary {
	s := Summary{Message: h.message(t, lang), PayTitle: text(lang, "page.pay.lead", "Make a payment with these details.")}
	in, out := t.Decimals(h.terms[t.Asset])
	if t.AmountsKnown {
		s.Amounts = []Row{{text(lang, "page.you_send", "You send"), t.AmountIn.Shown(in) + " " + t.In().Symbol()}}
		for _, l := range t.FeeLines {
			s.Amounts = append(s.Amounts, Row{language.Text(lang, "fee."+l.Name, nil), l.Amount.Shown(in) + " " + t.In().Symbol()})
		}
		if !t.Rate.IsOne() {
			s.Amounts = append(s.Amounts, Row{text(lang, "page.rate", "Exchange rate"), "1 " + t.Asset.Symbol() + " = " + t.Rate.Price(t.Kind) + " " + t.OffChain.Code})
		}
		s.Amounts = append(s.Amounts, Row{text(lang, "page.you_receive", "You receive"), t.AmountOut.Shown(out) + " " + t.Out().Symbol()})
	}
	if t.AmountRefunded > 0 {
		s.Amounts = append(s.Amounts, Row{text(lang, "page.milestone.refunded", "Sent back"), t.AmountRefunded.Shown(in) + " " + t.In().Symbol()})
	}
	for _, i := range h.instructions(t, in) {
		s.Pay = append(s.Pay, Row{language.Text(lang, "instruction."+i.Name, nil), i.Value})
	}
	if len(s.Pay) > 0 && !t.Deadline.IsZero() {
		s.Pay = append(s.Pay, Row{text(lang, "page.deadline", "Please pay by"), anchor.Readable(t.Deadline)})
	}
	if t.Status() == anchor.PendingUserTransferComplete && !t.Deadline.IsZero() {
		s.Amounts = append(s.Amounts, Row{text(lang, "page.pickup.deadline", "Please collect by"), anchor.Readable(t.Deadline)})
	} else if len(s.Pay) == 0 && waitsForUser(t.Status()) {
		s.Deadline = anchor.Readable(t.Deadline)
	}
	account := text(lang, "page.to_account", "To your account")
	if t.Kind == anchor.Withdrawal {
		account = text(lang, "page.from_account", "From your account")
	}
	s.References = []Row{{account, t.Account.Short()}}
	for _, r := range []Row{
		{text(lang, "page.ledger_reference", "Stellar transaction"), t.StellarID},
		{text(lang, "page.bank_reference", "Payment number"), t.ExternalID},
		// The part of the id that holds its millisecond: staff search by it.
		{text(lang, "page.support_reference", "Support reference"), t.ID[:min(13, len(t.ID))]},
	} {
		if r.Value != "" {
			s.References = append(s.References, r)
		}
	}
	return s
}

// instructions are how to pay, while the payment is waited for.
func (h *Handler) instructions(t *anchor.Transaction, decimals int) []rail.Row {
	if s := t.Status(); s != anchor.PendingUserTransferStart && (s != anchor.PendingExternal || t.Kind != anchor.Deposit) {
		return nil
	}
	amount := rail.Row{Name: "amount", Value: t.AmountIn.Shown(decimals) + " " + t.In().Symbol()}
	if t.Kind == anchor.Withdrawal {
		return []rail.Row{amount, {Name: "account", Value: t.AnchorAccount},
			{Name: "memo", Value: t.Memo.Value}, {Name: "memo_type", Value: string(t.Memo.Type)}}
	}
	var rows []rail.Row
	if h.cfg.Instructions != nil {
		rows = h.cfg.Instructions(t.OffChain, t.Method)
	}
	return append(slices.Clip(rows), amount, rail.Row{Name: "reference", Value: t.Reference})
}

// lostTemplate is what an address that leads nowhere says.
var lostTemplate = template.Must(template.New("lost").Parse(`<main class="told"><h1>{{.Text}}</h1><p>{{.How}}</p></main>`))

// lost answers with a page that has no script: there is nothing to do on it.
func (h *Handler) lost(w http.ResponseWriter, r *http.Request, err error) {
	p := Page{Name: LostPage, Status: http.StatusInternalServerError, Lang: language.Match(r.URL.Query().Get("lang"), r.Header.Get("Accept-Language")), Title: h.cfg.Name}
	code, english := "internal", "Something went wrong on our side. Please try again in a moment."
	switch anchor.KindOf(err) {
	case anchor.NotFound:
		p.Status, code, english = http.StatusNotFound, "not_found", "We can't find this. Please check the link."
	case anchor.Forbidden:
		p.Status, code, english = http.StatusForbidden, "token_invalid", "This link is incomplete or damaged."
	default:
		h.log.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
	}
	h.page(w, r, p, lostTemplate, struct{ Text, How string }{
		language.Sentence(p.Lang, code, english, nil),
		text(p.Lang, "page.ended.how", "Find this deposit or withdrawal in your wallet's history and open it there."),
	})
}
