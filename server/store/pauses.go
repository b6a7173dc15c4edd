package store

import (
	"context"
	"strings"
	"time"

	"windlass/server/anchor"
)

// ReasonPaused is the reason of an order to the bank that waits for the end of a
// pause.
const ReasonPaused = "paused"

const pauseColumns = `key, reason, actor, since`

func scanPause(r scanner, _ *Keys) (p anchor.Pause, err error) {
	var since int64
	err = r.Scan(&p.Key, &p.Reason, &p.Actor, &since)
	p.Since = instant(since)
	return p, err
}

// Pause stops all that is new from being paid, on the ledger and at the bank,
// until Resume of the same key. What is on its way is followed to its end. A key
// that is paused already stays as it is.
func (t *Tx) Pause(key, reason, actor string) error {
	now := time.Now()
	res, err := t.exec(`INSERT INTO pauses (`+pauseColumns+`) VALUES (`+placeholders(4)+`) ON CONFLICT (key) DO NOTHING`, key, reason, actor, micros(now))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return t.pauseAct("paused", key, now)
}

// pauseAct is the entry of the audit trail for what the program did to a pause.
// What staff do is there by their wish, with its note: see Once.
func (t *Tx) pauseAct(event, key string, now time.Time) error {
	if strings.HasPrefix(string(t.actor), staff) {
		return nil
	}
	return t.Audit(event, "", "pause:"+key, "", now)
}

// Resume ends a pause, and wakes what waited for it. None of that key is
// NotFound; one of restored books, which ends by itself, is
// Unavailable with code "books_in_doubt"; one for operations that nobody has explained ends with the last
// explanation only, and is a Conflict with code "unexplained" before.
func (t *Tx) Resume(key string) error {
	if err := t.resume(key); err != nil {
		return err
	}
	return t.pauseAct("resumed", key, time.Now())
}

func (t *Tx) resume(key string) error {
	if (key == anchor.PausedRestored || key == anchor.PausedRestoredBank) && strings.HasPrefix(string(t.actor), staff) {
		return booksInDoubt() // what only the ledger and the bank can know
	}
	if key == anchor.PausedUnexplained {
		if err := t.allExplained(); err != nil {
			return err
		}
	}
	res, err := t.exec(`DELETE FROM pauses WHERE key = $1`, key)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	switch {
	case err != nil:
		return err
	case n == 0:
		return &anchor.Error{Kind: anchor.NotFound, Code: "not_found", Message: "no such pause"}
	}
	if _, err := t.exec(`UPDATE bank_payouts SET not_before = 0 WHERE state = 'queued' AND reason = $1`, ReasonPaused); err != nil {
		return err
	}
	t.Notify(TopicPayouts)
	t.Notify(TopicBankPayouts)
	return nil
}

// allExplained is a Conflict with code "unexplained" while something has left us
// that these books do not know.
func (t *Tx) allExplained() error {
	open, _, err := outgoing(t, true, Page{Limit: 1})
	if err != nil || len(open) == 0 {
		return err
	}
	return &anchor.Error{Kind: anchor.Conflict, Code: "unexplained", Message: "the operation " + open[0].ID + " has left an account of ours and nobody has explained it; match it to a payout, or say what it was"}
}

// Paused reports whether there is any pause.
func (t *Tx) Paused() (bool, error) {
	all, err := list(t, func(r scanner, _ *Keys) (n int, err error) { return n, r.Scan(&n) }, `SELECT 1 FROM pauses LIMIT 1`)
	return len(all) > 0, err
}

// PausedBesides reports whether there is any pause but some.
func (t *Tx) PausedBesides(some ...string) (bool, error) {
	all, err := list(t, func(r scanner, _ *Keys) (n int, err error) { return n, r.Scan(&n) },
		`SELECT 1 FROM pauses WHERE key NOT IN (`+placeholders(len(some))+`) LIMIT 1`, values(some)...)
	return len(all) > 0, err
}

// Pauses lists the pauses, oldest first.
func (s *Store) Pauses(ctx context.Context) ([]anchor.Pause, error) {
	return list(s.reader(ctx), scanPause, `SELECT `+pauseColumns+` FROM pauses ORDER BY since, key`)
}
