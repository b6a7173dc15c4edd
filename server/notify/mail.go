package notify

import (
	"context"
	"strconv"
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/mail"
	"windlass/server/store"
)

// What it takes to write to a customer. It goes out as callbacks do: at least once,
// those of one transaction in their order, less and less often and not for ever.
//
// Three things are different. Its address is not in the outbox, but looked up when
// it is sent. It may have nothing to tell any more, or nobody: then it is dropped, and
// nothing is left of it. And a mail server that refuses one address is not down.
//
// Sent twice: if we end between the server's word and our writing it down. The
// Message-ID is the same then.

// write sends one e-mail, if it is still to be sent.
func (n *Notifier) write(ctx context.Context, m *store.Message) answer {
	l, err := n.letter(ctx, m)
	if err != nil {
		return answer{outcome: "the books cannot be read", ours: true}
	}
	if l == nil {
		return answer{needless: true}
	}
	counted := false
	err = n.Store.Update(ctx, store.Clock, func(tx *store.Tx) (err error) {
		counted, err = tx.Address(m, l.To, n.MailsPerAddress, time.Now())
		return err
	})
	switch {
	case err != nil:
		return answer{outcome: "the books cannot be written", ours: true}
	case !counted:
		return answer{outcome: "the address had as many e-mails as it may within a day", ours: true, never: true}
	}
	if f := n.Mail.Send(ctx, *l); f != nil {
		return answer{outcome: f.Error(), ours: f.Letter, never: f.Never}
	}
	return answer{outcome: "accepted", taken: true}
}

// letter is what an e-mail says, and to whom: nil if it is not to be sent, since it
// is over what it was to tell, or overtaken by another, or there is nobody to tell.
func (n *Notifier) letter(ctx context.Context, m *store.Message) (*mail.Letter, error) {
	if n.Mail == nil {
		return nil, nil
	}
	t, err := n.Store.Transaction(ctx, m.Transaction)
	if err != nil {
		return nil, err
	}
	notice, ok := anchor.NoticeOf(t.Kind, m.Status)
	if !ok || !notice.Holds(m.Status, t.Status()) {
		return nil, nil
	}
	if overtaken, err := n.Store.Overtaken(ctx, m); err != nil || overtaken {
		return nil, err
	}
	to, err := n.addressOf(ctx, t)
	if err != nil || to == "" {
		return nil, err
	}
	lang := language.Match(t.Lang)
	l := n.Letter(t, lang)
	l.To, l.Lang, l.Thread = to, lang, t.ID
	// A number of the outbox may be given again, after it is swept; with the time it
	// is not.
	l.ID = t.ID + "." + strconv.FormatInt(m.ID, 10) + "." + strconv.FormatInt(m.CreatedAt.UnixMicro(), 10)
	l.Subject = subject(notice, t, lang, l.Words)
	return &l, nil
}

// subject is a notice's, in words for its kind of transaction, and for its method, if
// there are any.
func subject(notice anchor.Notice, t *anchor.Transaction, lang string, words map[string]string) string {
	key := "mail.subject." + notice.Name
	for _, own := range []string{string(t.Kind), t.Method} {
		if language.Has(language.Default, key+"."+own) {
			key += "." + own
		}
	}
	return language.Text(lang, key, words)
}

// addressOf is where a transaction's customer can be written to: "" for one who gave
// no address on the page, or is forgotten. What a wallet sent along does not count,
// since it may be another person's. Every notice comes after its customer has agreed,
// or a person has looked at them: see [anchor.Notices].
func (n *Notifier) addressOf(ctx context.Context, t *anchor.Transaction) (string, error) {
	c, err := n.Store.CustomerOf(ctx, t.Owner)
	if anchor.KindOf(err) == anchor.NotFound {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return c.Fields["email_address"], nil
}

// checkMail says in the log if the mail server cannot be used as it is configured.
// Nothing waits for it: it may only be down just now.
func (n *Notifier) checkMail(ctx context.Context) {
	if n.Mail == nil {
		return
	}
	if err := n.Mail.Check(ctx); err != nil && ctx.Err() == nil {
		n.Logger.WarnContext(ctx, "the mail server cannot be used: e-mails wait, and all else goes on; if it is not only down, see [mail] in the configuration", "error", err)
	}
}
