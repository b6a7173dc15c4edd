package mail

import (
	"embed"
	"fmt"
	"html/template"
	"net/mail"
	"strings"
	texttemplate "text/template"

	gomail "github.com/wneessen/go-mail"

	"windlass/server/language"
)

// Letter is what one e-mail says. Its texts are ours: what a customer or a wallet
// could have written has no place in it, lest it carry their words to strangers.
type Letter struct {
	To   string // an address
	Lang string // of the catalogue
	// ID is the letter's own, the same whenever it is sent; Thread is that of all
	// about one matter. Letters, digits, dots and dashes.
	ID, Thread string

	Subject string
	// Words are what the subject may be made with, see [language.Text].
	Words  map[string]string
	Text   []string // paragraphs
	Tables []Table
	// Link leads to where the matter can be followed.
	Link string
}

// Table is rows under a title, which may be "".
type Table struct {
	Title string
	Rows  []Row
}

// Row is a label and a value.
type Row struct{ Label, Value string }

//go:embed letter.txt letter.html
var templates embed.FS

var (
	plain = texttemplate.Must(texttemplate.ParseFS(templates, "letter.txt"))
	rich  = template.Must(template.ParseFS(templates, "letter.html"))
)

// page is what the templates show.
type page struct {
	Letter

	Dir, Name, Test         string
	Open, Careful, Why, Ask string
}

// page adds what every letter says.
func (s *Sender) page(l Letter) page {
	text := func(key string, args map[string]string) string { return language.Text(l.Lang, key, args) }
	p := page{Letter: l, Dir: language.Direction(l.Lang), Name: s.Name, Open: text("mail.open", nil), Careful: text("mail.careful", nil),
		Why: text("mail.why", map[string]string{"name": s.Name}), Ask: strings.Replace(text("mail.ask", nil), "{{support}}", s.Support, 1)} // to be copied: nothing that nobody sees goes with it
	if len(l.Text) > 0 && strings.TrimSuffix(l.Text[0], ".") == l.Subject {
		p.Text = l.Text[1:] // nothing is said twice
	}
	if s.TestNetwork != "" {
		p.Test = text("page.test", nil) + " · " + text("page.test_banner", map[string]string{"network": s.TestNetwork})
	}
	return p
}

// Line is a row in plain text. Where it runs from right to left its value is isolated,
// or figures apart would change places: what isolates stands behind a space on either
// side, so that it is not copied with the word.
func (p page) Line(r Row) string {
	if p.Dir == "rtl" {
		r.Value += " "
	}
	return language.Text(p.Lang, "mail.row", map[string]string{"label": r.Label, "value": r.Value})
}

// message is the letter as it travels.
func (s *Sender) message(l Letter) (*gomail.Msg, error) {
	to, err := address(l.To)
	if err != nil {
		return nil, err
	}
	var text, html strings.Builder
	p := s.page(l)
	if err := plain.Execute(&text, p); err != nil {
		return nil, fmt.Errorf("the letter cannot be written: %w", err)
	}
	if err := rich.Execute(&html, p); err != nil {
		return nil, fmt.Errorf("the letter cannot be written: %w", err)
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(&mail.Address{Name: s.Name, Address: s.From})
	m.ToMailAddress(&mail.Address{Address: to})
	m.ReplyToMailAddress(&mail.Address{Name: s.Name, Address: s.Support})
	m.Subject(l.Subject)
	at := "@" + domain(s.From)
	m.SetMessageIDWithValue(l.ID + at)
	m.SetGenHeader(gomail.HeaderReferences, "<"+l.Thread+at+">")
	m.SetGenHeader(gomail.HeaderContentLang, l.Lang)
	// RFC 3834, section 5, and Exchange's own: no answer by a machine is wanted.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	m.SetBodyString(gomail.TypeTextPlain, text.String())
	m.AddAlternativeString(gomail.TypeTextHTML, html.String())
	return m, nil
}
