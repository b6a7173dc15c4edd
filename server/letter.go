package main

import (
	"cmp"
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/mail"
	"windlass/server/sep24"
)

// writesMails reports whether customers are written to.
func (a *app) writesMails() bool { return a.cfg.Mail.Host != "" || a.dev.mail != "" }

// mails is what hands e-mails to the mail server, or keeps them where there is none
// but somebody develops; nil if nobody is written to.
func (a *app) mails() *mail.Sender {
	if !a.writesMails() {
		return nil
	}
	m := a.cfg.Mail
	c := mail.Config{
		Host: m.Host, Port: m.Port, TLS: mail.TLS(m.TLS), Username: m.Username, Password: m.Password.Reveal(),
		From: cmp.Or(m.From, a.cfg.Organization.SupportEmail), Name: a.cfg.Brand.Name, Support: a.cfg.Organization.SupportEmail, Timeout: time.Duration(m.Timeout),
	}
	if m.Host == "" {
		c.Folder = a.dev.mail
	}
	if !a.cfg.Public() {
		c.TestNetwork = a.networkName()
	}
	return mail.New(c)
}

// letter is what an e-mail says of a transaction: what its link shows anyway.
func (a *app) letter(t *anchor.Transaction, lang string) mail.Letter {
	s := a.sep24.Summary(t, lang)
	l := mail.Letter{Words: a.sep24.Words(t), Text: []string{s.Message}, Link: a.sep24.MoreInfoURL(t.ID)}
	if t.Status() == anchor.PendingUser || t.Status() == anchor.Incomplete { // the link shows; the way in is the wallet's
		l.Text = append(l.Text, language.Text(lang, "page.ended.how", nil))
	}
	if s.Deadline != "" {
		l.Text = append(l.Text, language.Text(lang, "mail.deadline", map[string]string{"deadline": s.Deadline}))
	}
	for _, part := range []struct {
		title string
		rows  []sep24.Row
	}{{s.PayTitle, s.Pay}, {"", s.Amounts}, {"", s.References}} {
		if len(part.rows) == 0 {
			continue
		}
		table := mail.Table{Title: part.title}
		for _, r := range part.rows {
			table.Rows = append(table.Rows, mail.Row(r))
		}
		l.Tables = append(l.Tables, table)
	}
	return l
}
