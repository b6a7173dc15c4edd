package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"windlass/server/anchor"
)

// KeyLife is how long the key of an act is remembered. Whoever repeats a wish
// does so within minutes; a month leaves room for a queue that stood still.
const KeyLife = 30 * 24 * time.Hour

// Act is what somebody did, for the audit trail.
type Act struct {
	// Transaction is the one it was about, "" if none.
	Transaction string
	// Subject is what it was about besides: "payment:ID", "line:ID", "payout:ID",
	// "order:ID", "operation:ID", "callback:ID", "file:ID", "pause:KEY" or "account:G…";
	// "" if the transaction says it all.
	Subject string
	// Answer names what is answered to a repeat of the same wish.
	Answer string
}

// Once does what somebody wishes under a key of their choice, once: the effect of
// do, its entry in the audit trail and the key are committed together. The same
// wish under the same key again is not done again, whoever has it, and gets the
// first one's answer. Another operation or input under that key is a Conflict
// with code "key_reused". A wish that was refused leaves its key unused.
//
// Of the input only a digest is kept, encrypted; of the note, which may tell
// about people, an encrypted copy.
func (t *Tx) Once(key, operation string, input []byte, note string, now time.Time, do func() (Act, error)) (answer string, err error) {
	type wish struct{ operation, input, answer string }
	sum := sha256.Sum256(input)
	digest := hex.EncodeToString(sum[:])
	known, err := list(t, func(r scanner, k *Keys) (w wish, err error) {
		var box []byte
		if err := r.Scan(&w.operation, &box, &w.answer); err != nil {
			return w, err
		}
		return w, k.open("asked:"+key, box, &w.input)
	}, `SELECT operation, input_box, answer FROM asked WHERE key = $1`, key)
	switch {
	case err != nil:
		return "", err
	case len(known) == 0:
	case known[0].operation != operation || known[0].input != digest:
		return "", &anchor.Error{Kind: anchor.Conflict, Code: "key_reused", Field: "key",
			Message: "this key was used for something else already; choose another for what you ask for now"}
	default:
		return known[0].answer, nil
	}
	act, err := do()
	if err != nil {
		return "", err
	}
	box, err := t.box().seal("asked:"+key, digest)
	if err != nil {
		return "", err
	}
	if _, err := t.exec(`INSERT INTO asked (key, operation, input_box, answer, at) VALUES ($1, $2, $3, $4, $5)`,
		key, operation, box, act.Answer, micros(now)); err != nil {
		return "", err
	}
	return act.Answer, t.Audit(operation, act.Transaction, act.Subject, note, now)
}

// Audit writes down that this update's actor did something that is no step of a
// transaction: see [Act] for transaction and subject. The note is encrypted.
func (t *Tx) Audit(event, transaction, subject, note string, now time.Time) error {
	id, err := t.insert(`INSERT INTO audit (at, actor, transaction_id, event, from_status, to_status, subject) VALUES ($1, $2, $3, $4, '', '', $5) RETURNING id`,
		micros(now), t.actor, transaction, event, subject)
	if err != nil || note == "" {
		return err
	}
	box, err := t.box().seal(noteOf(id), note)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO audit_notes (audit_id, note_box) VALUES ($1, $2)`, id, box)
	return err
}

func noteOf(id int64) string { return "audit_notes:" + strconv.FormatInt(id, 10) }

// AuditEntry is one entry of the audit trail: a step of a transaction, or what
// somebody did besides.
type AuditEntry struct {
	ID    int64
	At    time.Time
	Actor Actor
	// Event is the state machine's for a step, else the name of what was asked for.
	Event                string
	Transaction, Subject string // see [Act]
	// From and To are "" for what is no step.
	From, To anchor.Status
	Note     string
}

const auditColumns = `id, at, actor, event, transaction_id, subject, from_status, to_status`

func scanAudit(r scanner, _ *Keys) (*AuditEntry, error) {
	var e AuditEntry
	var at int64
	err := r.Scan(&e.ID, &at, &e.Actor, &e.Event, &e.Transaction, &e.Subject, &e.From, &e.To)
	e.At = instant(at)
	return &e, err
}

// Trail narrows down the audit trail; zero values do not.
type Trail struct {
	Transaction, Subject string
	Page
}

// Audit lists the audit trail.
func (s *Store) Audit(ctx context.Context, q Trail) (all []*AuditEntry, end string, err error) {
	var w where
	if q.Transaction != "" {
		w.add(`transaction_id = ?`, q.Transaction)
	}
	if q.Subject != "" {
		w.add(`subject = ? AND subject <> ''`, q.Subject)
	}
	src := s.reader(ctx)
	if all, end, err = auditList.page(src, w, q.Page); err != nil {
		return nil, "", err
	}
	return all, end, withNotes(src, all)
}

// AuditOfEach lists the trails of many transactions at once, each one's oldest
// entry first.
func (s *Store) AuditOfEach(ctx context.Context, transactions []string) (map[string][]*AuditEntry, error) {
	src := s.reader(ctx)
	all, err := list(src, scanAudit, `SELECT `+auditColumns+` FROM audit WHERE transaction_id IN (`+placeholders(len(transactions))+`) ORDER BY id`, values(transactions)...)
	if err != nil {
		return nil, err
	}
	return groupBy(all, func(e *AuditEntry) string { return e.Transaction }), withNotes(src, all)
}

// notesAtOnce bounds one statement's parameters.
const notesAtOnce = 100

// withNotes reads the notes of entries.
func withNotes(src source, all []*AuditEntry) error {
	type note struct {
		id   int64
		text string
	}
	for some := range slices.Chunk(all, notesAtOnce) {
		ids := make([]any, len(some))
		for i, e := range some {
			ids[i] = e.ID
		}
		notes, err := list(src, func(r scanner, k *Keys) (n note, err error) {
			var box []byte
			if err := r.Scan(&n.id, &box); err != nil {
				return n, err
			}
			return n, k.open(noteOf(n.id), box, &n.text)
		}, `SELECT audit_id, note_box FROM audit_notes WHERE audit_id IN (`+placeholders(len(ids))+`)`, ids...)
		if err != nil {
			return err
		}
		for _, n := range notes {
			for _, e := range some {
				if e.ID == n.id {
					e.Note = n.text
				}
			}
		}
	}
	return nil
}
