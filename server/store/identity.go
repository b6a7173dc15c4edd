package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"windlass/server/anchor"
)

// The books have a random name and a mark, which moves whenever something is
// written down that moves money: an envelope, or an order that the bank is about
// to be asked for. After the commit, and before anybody acts on it, both are
// written into the lock file beside the books. So books that are older than that
// file, or others, are noticed when they are opened: a backup that was put back,
// a copy without its lock file, new books under old keys.
//
// A crash in between leaves the file behind the books, which is nothing. After a
// power cut it may be further behind: it is not synced, since what it is for is
// not the disk's forgetting but people's. A copy of both is not noticed by it.

// identityLine is what the lock file holds: always as long, so that it is
// overwritten in place.
func identityLine(id string, mark int64) string { return fmt.Sprintf("%s %020d\n", id, mark) }

// LostIdentity is what a lock file holds that no books can match: whoever opens
// them next has old ones.
const LostIdentity = "restored\n"

type identity struct {
	id   string
	mark int64
}

func (t *Tx) identity() (identity, error) {
	i, err := one(t, "identity", func(r scanner, _ *Keys) (i identity, err error) { return i, r.Scan(&i.id, &i.mark) }, `SELECT id, mark FROM identity WHERE one = 1`)
	if anchor.KindOf(err) == anchor.NotFound {
		return identity{}, nil
	}
	return i, err
}

// identify compares the books with the lock file, and pauses all payments if they
// are not the ones that were open here last.
func (s *Store) identify(ctx context.Context) error {
	kept, err := io.ReadAll(io.NewSectionReader(s.lock, 0, 1000))
	if err != nil {
		return fmt.Errorf("read the lock file: %w", err)
	}
	var now identity
	err = s.Update(ctx, Operator, func(tx *Tx) (err error) {
		if now, err = tx.identity(); err != nil {
			return err
		}
		var file identity
		_, malformed := fmt.Sscanf(string(kept), "%s %d\n", &file.id, &file.mark)
		switch {
		case now.mark == 0 && file.mark == 0 && (malformed == nil || len(bytes.Trim(kept, "\x00")) == 0):
			// New, an earlier version's, or cut off while they were made: neither has ever
			// paid anything that the other could have forgotten.
		case malformed == nil && now.id == file.id && now.mark >= file.mark:
			return nil
		default:
			if err := tx.restored(); err != nil {
				return err
			}
		}
		now = identity{NewID(), max(now.mark, file.mark)}
		_, err = tx.exec(`INSERT INTO identity (one, id, mark) VALUES (1, $1, $2) ON CONFLICT (one) DO UPDATE SET id = excluded.id, mark = excluded.mark`, now.id, now.mark)
		return err
	})
	if err != nil {
		return fmt.Errorf("compare the books with their lock file: %w", err)
	}
	if err := s.lock.Truncate(int64(len(identityLine(now.id, now.mark)))); err != nil {
		return err
	}
	return s.keepIdentity(now)
}

// restored pauses all payments until it is known what these books have forgotten.
func (t *Tx) restored() error {
	if _, err := t.exec(`DELETE FROM pauses WHERE key IN ($1, $2, $3)`, anchor.PausedRestored, anchor.PausedRestoredBank, anchor.PausedUnknownOrders); err != nil {
		return err
	}
	if err := t.Pause(anchor.PausedRestored, "these are not the books that were open here last, but older or other ones: payouts wait until the ledger was read past all that may have been signed; this ends by itself", string(t.actor)); err != nil {
		return err
	}
	return t.Pause(anchor.PausedRestoredBank, "these are not the books that were open here last, but older or other ones: payouts wait until the bank has said what it knows; this ends by itself", string(t.actor))
}

// moves says that this update writes down what moves money.
func (t *Tx) moves() (err error) {
	t.moved, err = one(t, "identity", func(r scanner, _ *Keys) (i identity, err error) { return i, r.Scan(&i.id, &i.mark) },
		`UPDATE identity SET mark = mark + 1 WHERE one = 1 RETURNING id, mark`)
	return err
}

// keepIdentity writes into the lock file what the books have committed.
func (s *Store) keepIdentity(now identity) error {
	if _, err := s.lock.WriteAt([]byte(identityLine(now.id, now.mark)), 0); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	return nil
}

// Doubt says whether the payout engine knows of all that was signed with its
// channels. It is not kept: a start is in doubt until the first look.
func (s *Store) Doubt(on bool) { s.doubt.Store(on) }

// pausedBy reports whether there is any of some pauses.
func (t *Tx) pausedBy(keys ...string) (bool, error) {
	all, err := list(t, func(r scanner, _ *Keys) (n int, err error) { return n, r.Scan(&n) },
		`SELECT 1 FROM pauses WHERE key IN (`+placeholders(len(keys))+`) LIMIT 1`, values(keys)...)
	return len(all) > 0, err
}

// IfCertain does what a person asks for and starts money moving, unless the books
// may have forgotten that it has moved already: then the error is Unavailable with
// code "books_in_doubt", and the update must fail with it. What is only decided
// anew is let through: a payment that an unexplained operation has made, and,
// once the ledger is certain, a refund at the bank, which carries out each order
// once whoever has forgotten it.
func (t *Tx) IfCertain(do func() error) error {
	t.made, t.ordered = nil, nil
	if err := do(); err != nil {
		return err
	}
	onLedger, err := t.pausedBy(anchor.PausedRestored, anchor.PausedUnexplained)
	if err != nil {
		return err
	}
	onLedger = onLedger || t.s.doubt.Load()
	atBank, err := t.pausedBy(anchor.PausedRestoredBank, anchor.PausedUnknownOrders)
	if err != nil || !onLedger && !atBank {
		return err
	}
	if anew, err := t.decidedAnew(onLedger); err != nil || anew {
		return err
	}
	return booksInDoubt()
}

func (t *Tx) decidedAnew(onLedger bool) (bool, error) {
	if len(t.made) == 0 {
		for _, purpose := range t.ordered {
			if purpose != anchor.ForRefund {
				return false, nil
			}
		}
		return len(t.ordered) > 0 && !onLedger, nil
	}
	open, _, err := outgoing(t, true, Page{})
	if err != nil || len(t.ordered) > 0 {
		return false, err
	}
	for _, p := range t.made {
		if !slices.ContainsFunc(open, func(o *anchor.Outgoing) bool { return o.Pays(p) == nil }) {
			return false, nil
		}
	}
	return true, nil
}

func booksInDoubt() error {
	return &anchor.Error{Kind: anchor.Unavailable, Code: "books_in_doubt",
		Message: "these books may have forgotten payments, and it is not known yet whether this money has moved already; nothing was done: look at the pauses, and try again when they are over"}
}
