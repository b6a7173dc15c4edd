package store

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"windlass/server/anchor"
)

// refundsWithin is the time in which a sender's refunds are counted.
const refundsWithin = 24 * time.Hour

// CountRefund counts a refund that nobody decided, once for its cause, against
// its sender: an account on the ledger, or at the bank. ok is false, and nothing
// was written, if the sender had as many as most within a day.
func (t *Tx) CountRefund(kind anchor.Cause, cause, sender string, most int, now time.Time) (ok bool, err error) {
	who, err := t.blind("refund senders", sender)
	if err != nil {
		return false, err
	}
	had, err := list(t, func(r scanner, _ *Keys) (n int, err error) { return n, r.Scan(&n) },
		`SELECT COUNT(*) FROM automatic_refunds WHERE sender = $1 AND at > $2`, who, micros(now.Add(-refundsWithin)))
	if err != nil || had[0] >= most {
		return false, err
	}
	_, err = t.exec(`INSERT INTO automatic_refunds (cause_kind, cause_id, sender, at) VALUES ($1, $2, $3, $4)`, kind, cause, who, micros(now))
	return err == nil, err
}

// AnswersRefund reports whether a payment looks like a refund of ours that is sent
// back: its sender got one lately that nobody had decided, of the same asset, with
// the same memo, and no smaller. Two anchors whose policies refund each other's
// refunds are so parted after one round.
func (t *Tx) AnswersRefund(p *anchor.Payment, now time.Time) (bool, error) {
	who, err := t.blind("refund senders", p.From.Account())
	if err != nil {
		return false, err
	}
	all, err := list(t, func(r scanner, _ *Keys) (id string, err error) { return id, r.Scan(&id) },
		`SELECT payouts.id FROM automatic_refunds JOIN payouts ON payouts.cause_kind = automatic_refunds.cause_kind
			AND payouts.cause_id = automatic_refunds.cause_id AND payouts.purpose = 'refund'
		WHERE sender = $1 AND at > $2 AND asset = $3 AND memo_type = $4 AND memo = $5 AND amount >= $6`,
		who, micros(now.Add(-refundsWithin)), p.Asset.String(), p.Memo.Type, p.Memo.Value, p.Amount)
	return len(all) > 0, err
}

// RefundsOfSender lists the causes of the refunds that a sender got lately and
// that nobody had decided.
func (t *Tx) RefundsOfSender(sender string, now time.Time) ([]string, error) {
	who, err := t.blind("refund senders", sender)
	if err != nil {
		return nil, err
	}
	return list(t, func(r scanner, _ *Keys) (id string, err error) { return id, r.Scan(&id) },
		`SELECT cause_id FROM automatic_refunds WHERE sender = $1 AND at > $2`, who, micros(now.Add(-refundsWithin)))
}

// blind is a value's blind index: equal values are found by it, but none can be
// told from it, nor be guessed without the key.
func (t *Tx) blind(name, value string) (string, error) {
	where := "blind_keys:" + name
	keys, err := list(t, func(r scanner, k *Keys) (key []byte, err error) {
		var box []byte
		if err := r.Scan(&box); err != nil {
			return nil, err
		}
		err = k.open(where, box, &key)
		return key, err
	}, `SELECT key_box FROM blind_keys WHERE name = $1`, name)
	if err != nil {
		return "", err
	}
	if len(keys) == 0 {
		key := make([]byte, sha256.Size)
		if _, err := rand.Read(key); err != nil {
			return "", err
		}
		box, err := t.box().seal(where, key)
		if err != nil {
			return "", err
		}
		if _, err := t.exec(`INSERT INTO blind_keys (name, key_box) VALUES ($1, $2)`, name, box); err != nil {
			return "", err
		}
		keys = append(keys, key)
	}
	m := hmac.New(sha256.New, keys[0])
	m.Write([]byte(value))
	return base64.RawStdEncoding.EncodeToString(m.Sum(nil)), nil
}
