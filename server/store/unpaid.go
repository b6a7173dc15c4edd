package store

import (
	"context"
	"time"

	"windlass/server/anchor"
)

// Kept says until when those who never paid are kept: who agreed to something, of
// whom no money ever came, and who have nothing under way.
type Kept struct {
	// Unpaid is before when all that they agreed to must have ended; Reviewed, where a
	// person has said something of them. Zero is for ever.
	Unpaid, Reviewed time.Time
}

// unpaidOwners are whom nothing is kept of any longer. What money came for, in
// whatever way, whether it became the transaction's or not, is kept.
const unpaidOwners = `SELECT t.owner_account, t.owner_memo, t.owner_muxed FROM transactions t
	LEFT JOIN customers c ON c.owner_account = t.owner_account AND c.owner_memo = t.owner_memo AND c.owner_muxed = t.owner_muxed
	WHERE t.status = 'expired' AND t.agreed_at <> 0 AND t.funded_at = 0 AND t.updated_at < $1
	AND NOT EXISTS (SELECT 1 FROM transactions o
		WHERE o.owner_account = t.owner_account AND o.owner_memo = t.owner_memo AND o.owner_muxed = t.owner_muxed
		AND (o.status <> 'expired' OR o.funded_at <> 0 OR o.updated_at >= CASE WHEN COALESCE(c.vetted, 0) = 0 THEN $1 ELSE $2 END
		OR EXISTS (SELECT 1 FROM payments WHERE transaction_id = o.id AND transaction_id <> '')
		OR EXISTS (SELECT 1 FROM bank_lines WHERE transaction_id = o.id AND transaction_id <> '')))`

func scanOwner(r scanner, _ *Keys) (o anchor.Identity, err error) {
	return o, r.Scan(&o.Account, &o.Memo, &o.Muxed)
}

// ForgetUnpaid erases what those said and sent who never paid, some of them at a
// time, and says how many. Whom to look at is read beside the updates, which would
// wait for it, and each is looked at again.
func (s *Store) ForgetUnpaid(ctx context.Context, kept Kept, limit int, now time.Time) (int, error) {
	all, err := list(s.reader(ctx), scanOwner, unpaidOwners+` LIMIT $3`, micros(kept.Unpaid), micros(kept.Reviewed), limit)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return len(all), s.Update(ctx, Clock, func(tx *Tx) error {
		for _, owner := range all {
			if err := tx.forgetUnpaid(owner, kept, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetUnpaid forgets somebody with what they entered for their transactions, and
// that they agreed: money that comes now is nobody's, since nobody knows any longer
// what was to become of it.
func (t *Tx) forgetUnpaid(owner anchor.Identity, kept Kept, now time.Time) error {
	still, err := list(t, scanOwner, unpaidOwners+` AND t.owner_account = $3 AND t.owner_memo = $4 AND t.owner_muxed = $5 LIMIT 1`,
		micros(kept.Unpaid), micros(kept.Reviewed), owner.Account, owner.Memo, owner.Muxed)
	if err != nil || len(still) == 0 {
		return err
	}
	for _, query := range []string{
		`DELETE FROM details WHERE transaction_id IN (SELECT id FROM transactions WHERE owner_account = $1 AND owner_memo = $2 AND owner_muxed = $3)`,
		`UPDATE transactions SET agreed_at = 0, bank_side = '', version = version + 1
			WHERE owner_account = $1 AND owner_memo = $2 AND owner_muxed = $3 AND agreed_at <> 0`,
	} {
		if _, err := t.exec(query, owner.Account, owner.Memo, owner.Muxed); err != nil {
			return err
		}
	}
	return t.forgetCustomer(owner, now)
}
