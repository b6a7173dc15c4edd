package store

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// Message is one row of the outbox: a change that a wallet asked to be told of
// at an address of its own (SEP-24, callback and on_change_callback).
type Message struct {
	ID          int64
	Transaction string
	Kind        string // "callback" or "on_change_callback"
	URL         string
	Host        string // of URL, by which messages are kept apart
	Attempts    int    // that failed
	CreatedAt   time.Time
}

// MessagesDue reads the messages that may be sent now, oldest first: of each
// transaction only the first that is not delivered, so that their order holds,
// and none to the hosts named.
func (s *Store) MessagesDue(ctx context.Context, now time.Time, without []string, limit int) ([]Message, error) {
	args := append([]any{micros(now)}, values(without)...)
	return list(s.reader(ctx), func(r scanner, _ *Keys) (m Message, err error) {
		var created int64
		err = r.Scan(&m.ID, &m.Transaction, &m.Kind, &m.URL, &m.Host, &m.Attempts, &created)
		m.CreatedAt = instant(created)
		return m, err
	}, `SELECT id, transaction_id, kind, url, host, attempts, created_at FROM outbox AS m
		WHERE state = 'due' AND not_before <= $1
			AND NOT EXISTS (SELECT 1 FROM outbox AS earlier WHERE earlier.transaction_id = m.transaction_id AND earlier.state = 'due' AND earlier.id < m.id)
			AND host NOT IN (`+placeholdersFrom(2, len(without))+`)
		ORDER BY not_before, id LIMIT $`+strconv.Itoa(len(args)+1), append(args, limit)...)
}

// Delivery is one attempt to send a message.
type Delivery struct {
	At      time.Time
	Took    time.Duration
	Outcome string // "200", or why there was no answer
}

// Delivered notes that a message was accepted.
func (t *Tx) Delivered(m Message, d Delivery) error {
	return t.attempted(m, d, "delivered", time.Time{})
}

// NotDelivered notes that a message was not accepted. It is sent again at next;
// the zero time gives it up.
func (t *Tx) NotDelivered(m Message, d Delivery, next time.Time) error {
	state := "due"
	if next.IsZero() {
		state = "given_up"
	}
	return t.attempted(m, d, state, next)
}

func (t *Tx) attempted(m Message, d Delivery, state string, next time.Time) error {
	if err := t.change(`UPDATE outbox SET state = $1, not_before = $2, attempts = attempts + $3 WHERE id = $4 AND state = 'due'`,
		state, micros(next), flag(state != "delivered"), m.ID); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO deliveries (outbox_id, at, took, outcome) VALUES ($1, $2, $3, $4)`, m.ID, micros(d.At), d.Took.Microseconds(), d.Outcome)
	return err
}

// RestHost lets all messages to a host wait until a time: it does not answer,
// and asking it for each of them would take the place of others.
func (t *Tx) RestHost(host string, until time.Time) error {
	_, err := t.exec(`UPDATE outbox SET not_before = $1 WHERE host = $2 AND not_before < $1 AND state = 'due'`, micros(until), host)
	return err
}

// Deliveries lists the attempts to send a transaction's messages, oldest first.
func (s *Store) Deliveries(ctx context.Context, transaction string) ([]Delivery, error) {
	return list(s.reader(ctx), func(r scanner, _ *Keys) (d Delivery, err error) {
		var at, took int64
		err = r.Scan(&at, &took, &d.Outcome)
		d.At, d.Took = instant(at), time.Duration(took)*time.Microsecond
		return d, err
	}, `SELECT deliveries.at, took, outcome FROM deliveries JOIN outbox ON outbox.id = outbox_id WHERE transaction_id = $1 ORDER BY deliveries.id`, transaction)
}

// hostOf is where a message goes.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
