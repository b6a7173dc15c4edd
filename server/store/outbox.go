package store

import (
	"context"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"windlass/server/anchor"
)

// Message is one row of the outbox: a change that a wallet asked to be told of
// at an address of its own (SEP-24, callback and on_change_callback), or that the
// customer is written to about.
type Message struct {
	ID          int64
	Transaction string
	Kind        string // "callback", "on_change_callback" or MailKind
	URL         string // "" of an e-mail
	// Host is whose it is, by which messages are kept apart: the registrable domain
	// of URL, so that nobody is many by making up names; of all e-mails one.
	Host     string
	Status   anchor.Status // that it was written for
	State    MessageState
	Attempts int // that failed
	// NotBefore is when it may be sent (again), Since from when it is tried and
	// EndedAt when that ended.
	CreatedAt, NotBefore, Since, EndedAt time.Time
	// Failures are those of its host in a row. MessagesDue alone knows them.
	Failures int
}

// MessageState is what became of a message.
type MessageState string

// The states. What was swept is but a mark that there was a callback once.
const (
	MessageDue       MessageState = "due"
	MessageDelivered MessageState = "delivered"
	MessageGivenUp   MessageState = "given_up"
	messageSwept     MessageState = "swept"
)

const messageColumns = `id, transaction_id, kind, url, host, status, state, attempts, created_at, not_before, since, ended_at`

func scanMessage(r scanner, _ *Keys) (*Message, error) { return scanMessageAnd(r) }

// scanMessageAnd reads what comes after the columns, too.
func scanMessageAnd(r scanner, more ...any) (*Message, error) {
	var (
		m                               Message
		created, notBefore, since, over int64
	)
	columns := []any{&m.ID, &m.Transaction, &m.Kind, &m.URL, &m.Host, &m.Status, &m.State, &m.Attempts, &created, &notBefore, &since, &over}
	err := r.Scan(append(columns, more...)...)
	m.CreatedAt, m.NotBefore, m.Since, m.EndedAt = instant(created), instant(notBefore), instant(since), instant(over)
	return &m, err
}

// MessagesDue reads the messages that may be sent now, those that have waited
// longest first: of each transaction and kind only the first that is not over, so
// that their order holds; of each host only perHost; and none to hosts that are
// named or that are left alone for now.
//
// Why host by host: it looks at a few rows of each, however many wait there. A
// wallet's backlog costs the others nothing.
func (s *Store) MessagesDue(ctx context.Context, now time.Time, without []string, perHost, limit int) ([]*Message, error) {
	args := append([]any{micros(now), perHost}, values(without)...)
	return list(s.reader(ctx), func(r scanner, _ *Keys) (*Message, error) {
		failures := 0
		m, err := scanMessageAnd(r, &failures)
		m.Failures = failures
		return m, err
	}, `WITH RECURSIVE hosts (name) AS (
			SELECT min(host) FROM outbox WHERE state = 'due'
			UNION ALL
			SELECT (SELECT min(host) FROM outbox WHERE state = 'due' AND host > hosts.name) FROM hosts WHERE hosts.name IS NOT NULL)
		SELECT `+prefixed("m", messageColumns)+`, COALESCE(failures, 0) FROM hosts
		LEFT JOIN callback_hosts AS trouble ON trouble.host = hosts.name
		JOIN outbox AS m ON m.id IN (SELECT first.id FROM outbox AS first
			WHERE first.host = hosts.name AND first.state = 'due' AND first.not_before <= $1
				AND NOT EXISTS (SELECT 1 FROM outbox AS earlier
					WHERE earlier.transaction_id = first.transaction_id AND earlier.kind = first.kind AND earlier.state = 'due' AND earlier.id < first.id)
			ORDER BY first.not_before, first.id LIMIT $2)
		WHERE COALESCE(rest_until, 0) <= $1 AND hosts.name NOT IN (`+placeholdersFrom(3, len(without))+`)
		ORDER BY m.not_before, m.id LIMIT $`+strconv.Itoa(len(args)+1), append(args, limit)...)
}

// prefixed is a list of columns of a table that has another name here.
func prefixed(name, columns string) string {
	return name + "." + strings.Join(columnsOf(columns), ", "+name+".")
}

// Delivery is one attempt to send a message.
type Delivery struct {
	At      time.Time
	Took    time.Duration
	Outcome string // "200", or why there was no answer
}

// Delivered notes that a message was accepted, and with it that its host is well.
func (t *Tx) Delivered(m *Message, d Delivery) error {
	if err := t.attempted(m, d, MessageDelivered, time.Time{}); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM callback_hosts WHERE host = $1`, m.Host)
	return err
}

// NotDelivered notes that a message was not accepted. It is sent again at next;
// the zero time gives it up.
func (t *Tx) NotDelivered(m *Message, d Delivery, next time.Time) error {
	state := MessageDue
	if next.IsZero() {
		state = MessageGivenUp
	}
	return t.attempted(m, d, state, next)
}

func (t *Tx) attempted(m *Message, d Delivery, state MessageState, next time.Time) error {
	ended := time.Time{}
	if state != MessageDue {
		ended = d.At
	}
	if err := t.change(`UPDATE outbox SET state = $1, not_before = $2, attempts = attempts + $3, ended_at = $4 WHERE id = $5 AND state = 'due'`,
		state, micros(next), flag(state != MessageDelivered), micros(ended), m.ID); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO deliveries (outbox_id, at, took, outcome) VALUES ($1, $2, $3, $4)`, m.ID, micros(d.At), d.Took.Microseconds(), d.Outcome)
	return err
}

// HostFailed notes that a host did not take a message. rest is until when it is
// left alone with all that waits for it and all that is yet to come, after so many
// failures in a row; the zero time does not.
func (t *Tx) HostFailed(host string, d Delivery, rest func(failures int) time.Time) error {
	failures, err := list(t, func(r scanner, _ *Keys) (n int, err error) { return n, r.Scan(&n) }, `SELECT failures FROM callback_hosts WHERE host = $1`, host)
	if err != nil {
		return err
	}
	n := 1
	if len(failures) > 0 {
		n += failures[0]
	}
	_, err = t.exec(`INSERT INTO callback_hosts (host, failures, since, at, outcome, rest_until) VALUES ($1, $2, $3, $3, $4, $5)
		ON CONFLICT (host) DO UPDATE SET failures = excluded.failures, at = excluded.at, outcome = excluded.outcome, rest_until = excluded.rest_until`,
		host, n, micros(d.At), d.Outcome, micros(rest(n)))
	return err
}

// GiveUpMessages gives up what has been due since before a time at hosts that
// have taken nothing since before it: a few at a time, which it counts. Each of
// them by itself would be tried once more, at a host that is hardly ever asked.
func (t *Tx) GiveUpMessages(before, now time.Time, limit int) (int, error) {
	return t.count(`UPDATE outbox SET state = 'given_up', ended_at = $1 WHERE id IN (SELECT m.id FROM callback_hosts CROSS JOIN outbox AS m
		WHERE m.host = callback_hosts.host AND m.state = 'due' AND callback_hosts.since < $2 AND m.since < $2 LIMIT $3)`, micros(now), micros(before), limit)
}

// SweepMessages forgets messages that were delivered or given up before these
// times, with their deliveries: a few at a time, which it counts. Of a callback
// the row stays, without its address, as what says that there was one; e-mails stay
// as long as those to one address are counted.
func (t *Tx) SweepMessages(delivered, givenUp, now time.Time, limit int) (n int, err error) {
	const doomed = `(SELECT id FROM outbox WHERE kind = $1 AND state = $2 AND ended_at < $3 ORDER BY ended_at LIMIT $4)`
	for state, before := range map[MessageState]time.Time{MessageDelivered: delivered, MessageGivenUp: givenUp} {
		for kind, forget := range map[string]string{
			"on_change_callback": `DELETE FROM outbox WHERE id IN ` + doomed,
			MailKind:             `DELETE FROM outbox WHERE id IN ` + doomed,
			"callback":           `UPDATE outbox SET url = '', state = '` + string(messageSwept) + `' WHERE id IN ` + doomed,
		} {
			until := before
			if counted := now.Add(-mailsWithin); kind == MailKind && until.After(counted) {
				until = counted
			}
			args := []any{kind, state, micros(until), limit}
			if _, err := t.exec(`DELETE FROM deliveries WHERE outbox_id IN `+doomed, args...); err != nil {
				return n, err
			}
			some, err := t.count(forget, args...)
			if n += some; err != nil {
				return n, err
			}
		}
	}
	_, err = t.exec(`DELETE FROM callback_hosts WHERE at < $1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.host = callback_hosts.host AND state = 'due')`, micros(givenUp))
	return n, err
}

// count runs a statement and counts the rows that it touched.
func (t *Tx) count(query string, args ...any) (int, error) {
	res, err := t.exec(query, args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// RetryMessage sends a message that is not delivered again now, as if it had
// never been tried, and so its host is no longer left alone.
func (t *Tx) RetryMessage(m *Message, now time.Time) error {
	if m.State != MessageDue && m.State != MessageGivenUp {
		return &anchor.Error{Kind: anchor.Conflict, Code: "delivered", Message: "this message has been accepted"}
	}
	if err := t.change(`UPDATE outbox SET state = 'due', not_before = 0, attempts = 0, since = $1, ended_at = 0 WHERE id = $2`, micros(now), m.ID); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE callback_hosts SET rest_until = 0 WHERE host = $1`, m.Host)
	t.Notify(TopicOutbox)
	return err
}

const messageByID = `SELECT ` + messageColumns + ` FROM outbox WHERE id = $1 AND state <> 'swept'`

// Message loads a message; none is NotFound.
func (t *Tx) Message(id int64) (*Message, error) {
	return one(t, "callback", scanMessage, messageByID, id)
}

// Message reads a message; none is NotFound.
func (s *Store) Message(ctx context.Context, id int64) (*Message, error) {
	return one(s.reader(ctx), "callback", scanMessage, messageByID, id)
}

// Messages lists messages: of one state and of one host, if they are not "".
func (s *Store) Messages(ctx context.Context, state MessageState, host string, p Page) (all []*Message, end string, err error) {
	var w where
	switch state { // written out, for there are indexes of them
	case MessageDue:
		w.add(`state = 'due'`)
	case MessageGivenUp:
		w.add(`state = 'given_up'`)
	case MessageDelivered:
		w.add(`state = 'delivered'`)
	default:
		w.add(`state <> 'swept'`)
	}
	if host != "" {
		w.add(`host = ?`, host)
	}
	return messageList.page(s.reader(ctx), w, p)
}

// MessagesOfEach lists the messages about many transactions, each one's oldest
// first.
func (s *Store) MessagesOfEach(ctx context.Context, transactions []string) (map[string][]*Message, error) {
	all, err := list(s.reader(ctx), scanMessage, `SELECT `+messageColumns+` FROM outbox
		WHERE transaction_id IN (`+placeholders(len(transactions))+`) AND state <> 'swept' ORDER BY transaction_id, id`, values(transactions)...)
	return groupBy(all, func(m *Message) string { return m.Transaction }), err
}

// DeliveriesOfEach lists the attempts to send many messages, each one's oldest
// first.
func (s *Store) DeliveriesOfEach(ctx context.Context, messages []int64) (map[int64][]*Delivery, error) {
	ids := make([]any, len(messages))
	for i, id := range messages {
		ids[i] = id
	}
	each := map[int64][]*Delivery{}
	_, err := list(s.reader(ctx), func(r scanner, _ *Keys) (none struct{}, err error) {
		var (
			d            Delivery
			id, at, took int64
		)
		err = r.Scan(&id, &at, &took, &d.Outcome)
		d.At, d.Took = instant(at), time.Duration(took)*time.Microsecond
		each[id] = append(each[id], &d)
		return none, err
	}, `SELECT outbox_id, at, took, outcome FROM deliveries WHERE outbox_id IN (`+placeholders(len(ids))+`) ORDER BY outbox_id, id`, ids...)
	return each, err
}

// CallbackHost is a wallet's domain that does not take what it is sent.
type CallbackHost struct {
	Host      string
	Failures  int       // in a row
	Since, At time.Time // the first of them, and the last
	Outcome   string    // of the last
	RestUntil time.Time // it is left alone until then
	// Waiting and GivenUp count its messages.
	Waiting, GivenUp int
}

const callbackHostColumns = `host, failures, since, at, outcome, rest_until,
	(SELECT COUNT(*) FROM outbox WHERE outbox.host = callback_hosts.host AND state = 'due'),
	(SELECT COUNT(*) FROM outbox WHERE outbox.host = callback_hosts.host AND state = 'given_up')`

func scanCallbackHost(r scanner, _ *Keys) (*CallbackHost, error) {
	var (
		h               CallbackHost
		since, at, rest int64
	)
	err := r.Scan(&h.Host, &h.Failures, &since, &at, &h.Outcome, &rest, &h.Waiting, &h.GivenUp)
	h.Since, h.At, h.RestUntil = instant(since), instant(at), instant(rest)
	return &h, err
}

// CallbackHosts lists the hosts in trouble, by when that began.
func (s *Store) CallbackHosts(ctx context.Context, p Page) (all []*CallbackHost, end string, err error) {
	return callbackHostList.page(s.reader(ctx), where{}, p)
}

// hostOf is whose an address is: the domain that somebody registered, or else,
// for addresses of this machine, host and port.
//
// Why not the host: whoever owns a domain can make up names below it without end,
// and each would have its own share of what we can send.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if _, err := netip.ParseAddr(name); err == nil || !strings.Contains(name, ".") {
		return strings.ToLower(u.Host)
	}
	if domain, err := publicsuffix.EffectiveTLDPlusOne(name); err == nil {
		return domain
	}
	return name
}
