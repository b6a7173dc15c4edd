package store

import (
	"context"
	"strings"
	"time"

	"windlass/server/anchor"
)

// E-mails to customers are messages of the outbox: the wish to tell is a row of the
// commit that moved the transaction, and what holds for callbacks holds for them.
// Whom one goes to is looked up when it is sent. See package notify, which sends
// them.

// MailKind is the kind of a message that is an e-mail.
const MailKind = "mail"

// mailHost is whose e-mails are, as hosts keep messages apart: the mail server's.
// The space in it is in no address's host, so that no wallet can share its fate.
const mailHost = "mail server"

// mailsWithin is the time in which the e-mails to one address are counted.
const mailsWithin = 24 * time.Hour

// WriteMails has customers written to by e-mail, of what [anchor.Notices] names.
// Call it before the first update.
func (s *Store) WriteMails() { s.mails = true }

// enqueueMail writes the outbox row of a step that the customer is written to
// about. One that waits already is looked at now: by what has happened since, it is
// most likely over, and the order must hold.
func (t *Tx) enqueueMail(a *anchor.Transaction, step anchor.Step) error {
	n, ok := anchor.NoticeAfter(a.Kind, step)
	if !ok || !t.s.mails {
		return nil
	}
	if _, err := t.exec(`UPDATE outbox SET not_before = 0 WHERE transaction_id = $1 AND kind = $2 AND state = 'due'`, a.ID, MailKind); err != nil {
		return err
	}
	return t.insertMessage(a.ID, MailKind, "", mailHost, step, step.At.Add(n.After))
}

// Overtaken reports whether a later e-mail about the same transaction waits.
func (s *Store) Overtaken(ctx context.Context, m *Message) (bool, error) {
	later, err := list(s.reader(ctx), func(r scanner, _ *Keys) (id int64, err error) { return id, r.Scan(&id) },
		`SELECT id FROM outbox WHERE transaction_id = $1 AND kind = $2 AND state = 'due' AND id > $3 LIMIT 1`, m.Transaction, m.Kind, m.ID)
	return len(later) > 0, err
}

// crowd is how many customers' share one address gets, however many have given it.
const crowd = 10

// Address counts an e-mail against the address it goes to, once however often it is
// tried. ok is false, and nothing was written, if that is too much for a day: most to
// one customer, most to all strangers together, and ten times that to anybody.
//
// Why strangers have one share: whoever can sign with a key can be any number of
// customers for nothing, and type an address that is another's. They shall neither
// flood its owner, nor use up what is the owner's own. A stranger is a customer from
// whom no money ever came; each one more costs them what no flood is worth.
func (t *Tx) Address(m *Message, address string, most int, now time.Time) (ok bool, err error) {
	who, err := t.blind("mail addresses", mailbox(address))
	if err != nil {
		return false, err
	}
	type counts struct {
		stranger             bool
		all, strangers, same int
	}
	n, err := one(t, "transaction", func(r scanner, _ *Keys) (n counts, err error) {
		return n, r.Scan(&n.stranger, &n.all, &n.strangers, &n.same)
	}, `SELECT NOT EXISTS (SELECT 1 FROM transactions AS paid WHERE paid.funded_at <> 0
				AND paid.owner_account = mine.owner_account AND paid.owner_memo = mine.owner_memo AND paid.owner_muxed = mine.owner_muxed),
			COUNT(theirs.id), COUNT(CASE WHEN o.stranger THEN 1 END),
			COUNT(CASE WHEN theirs.owner_account = mine.owner_account AND theirs.owner_memo = mine.owner_memo AND theirs.owner_muxed = mine.owner_muxed THEN 1 END)
		FROM transactions AS mine
		LEFT JOIN outbox AS o ON o.addressee = $1 AND o.addressee <> '' AND o.addressed_at > $2 AND o.id <> $3
		LEFT JOIN transactions AS theirs ON theirs.id = o.transaction_id
		WHERE mine.id = $4 GROUP BY mine.id`, who, micros(now.Add(-mailsWithin)), m.ID, m.Transaction)
	if err != nil || n.same >= most || n.stranger && n.strangers >= most || n.all >= crowd*most {
		return false, err
	}
	return true, t.change(`UPDATE outbox SET addressee = $1, addressed_at = $2, stranger = $3 WHERE id = $4 AND state = 'due'`, who, micros(now), n.stranger, m.ID)
}

// Drop forgets a message that need not be sent any more.
func (t *Tx) Drop(m *Message) error {
	if _, err := t.exec(`DELETE FROM deliveries WHERE outbox_id = $1`, m.ID); err != nil {
		return err
	}
	return t.change(`DELETE FROM outbox WHERE id = $1 AND state = 'due'`, m.ID)
}

// mailbox is an address as those are counted that many servers deliver to one
// person: in small letters, without dots and what follows a plus. It is for counting
// only, and may take two people of one domain for one.
func mailbox(address string) string {
	at := strings.LastIndex(address, "@")
	if at < 0 {
		return address
	}
	name, _, _ := strings.Cut(address[:at], "+")
	return strings.ToLower(strings.ReplaceAll(name, ".", "") + address[at:])
}
