package store

import (
	"context"
	"time"

	"windlass/server/anchor"
)

const payoutColumns = `id, cause_kind, cause_id, purpose, ordinal, operation, asset, amount, fee, source, destination, memo_type, memo,
	state, envelope_id, attempts, reason, requested_by, result_id, not_before, created_at, fee_back`

func scanPayout(r scanner, _ *Keys) (*anchor.Payout, error) {
	var (
		p                anchor.Payout
		asset, feeBack   string
		notBefore, since int64
	)
	err := r.Scan(&p.ID, &p.CauseKind, &p.CauseID, &p.Purpose, &p.Ordinal, &p.Operation, &asset, &p.Amount, &p.Fee, &p.Source, &p.Destination, &p.Memo.Type, &p.Memo.Value,
		&p.State, &p.Envelope, &p.Attempts, &p.Reason, &p.RequestedBy, &p.ResultID, &notBefore, &since, &feeBack)
	if err != nil {
		return nil, err
	}
	p.NotBefore, p.CreatedAt = instant(notBefore), instant(since)
	if p.FeeBack, err = parseFeeLines(feeBack); err != nil {
		return nil, err
	}
	p.Asset, err = anchor.ParseAsset(asset)
	return &p, err
}

// CreatePayout stores an intent and wakes the payout engine. One that is above a
// limit waits for a second person instead. A second intent for the same cause,
// purpose and ordinal is a Conflict with code "duplicate".
func (t *Tx) CreatePayout(p *anchor.Payout) error {
	p.RequestedBy = t.askedBy(p.RequestedBy)
	t.made = append(t.made, p)
	var before anchor.Amount
	if p.Purpose == anchor.ForRefund {
		parts, err := t.PayoutsOf(p.CauseKind, p.CauseID, p.Purpose)
		if err != nil {
			return err
		}
		for _, b := range parts {
			if b.State != anchor.PayoutCancelled {
				before += b.Amount
			}
		}
	}
	above, err := t.aboveLimit(payoutsWithin, p.Purpose, p.Asset, p.Amount, before, p.CreatedAt)
	if err != nil {
		return err
	}
	if above != "" {
		p.State, p.Reason = anchor.PayoutApproval, above
		if p.RequestedBy, err = t.vouched(p.RequestedBy, p.CauseKind, p.CauseID); err != nil {
			return err
		}
	}
	_, err = t.exec(`INSERT INTO payouts (`+payoutColumns+`) VALUES (`+placeholders(22)+`)`,
		p.ID, p.CauseKind, p.CauseID, p.Purpose, p.Ordinal, p.Operation, p.Asset.String(), p.Amount, p.Fee, p.Source, p.Destination, p.Memo.Type, p.Memo.Value,
		p.State, p.Envelope, p.Attempts, p.Reason, p.RequestedBy, p.ResultID, micros(p.NotBefore), micros(p.CreatedAt), formatFeeLines(p.FeeBack))
	t.Notify(TopicPayouts)
	return err
}

// SavePayout stores an intent's state and what goes with it, who asked for it, and
// while it is in no envelope its operation and amount. One that is paid stays paid:
// anything else is a Conflict.
func (t *Tx) SavePayout(p *anchor.Payout) error {
	t.Notify(TopicPayouts)
	return t.change(`UPDATE payouts SET state = $1, envelope_id = $2, attempts = $3, reason = $4, not_before = $5, result_id = $6,
			operation = CASE WHEN state = 'in_envelope' THEN operation ELSE $7 END, amount = CASE WHEN state = 'in_envelope' THEN amount ELSE $8 END, requested_by = $9
		WHERE id = $10 AND (state <> 'paid' OR $1 = 'paid')`,
		p.State, p.Envelope, p.Attempts, p.Reason, micros(p.NotBefore), p.ResultID, p.Operation, p.Amount, p.RequestedBy, p.ID)
}

// Payout loads one intent.
func (t *Tx) Payout(id string) (*anchor.Payout, error) {
	return one(t, "payout", scanPayout, `SELECT `+payoutColumns+` FROM payouts WHERE id = $1`, id)
}

// PayoutsOf loads a cause's intents for one purpose, by ordinal.
func (t *Tx) PayoutsOf(kind anchor.Cause, id string, purpose anchor.Purpose) ([]*anchor.Payout, error) {
	return list(t, scanPayout, `SELECT `+payoutColumns+` FROM payouts WHERE cause_kind = $1 AND cause_id = $2 AND purpose = $3 ORDER BY ordinal`, kind, id, purpose)
}

// PayoutsDue reads intents in a state that may be looked at now, oldest first.
// Those that wait, many of which do so for months, come by when they are due.
func (s *Store) PayoutsDue(ctx context.Context, state anchor.PayoutState, now time.Time, limit int) ([]*anchor.Payout, error) {
	if state == anchor.PayoutWaiting {
		return list(s.reader(ctx), scanPayout, `SELECT `+payoutColumns+` FROM payouts WHERE state = 'waiting' AND not_before <= $1 ORDER BY not_before, id LIMIT $2`,
			micros(now), limit)
	}
	return list(s.reader(ctx), scanPayout, `SELECT `+payoutColumns+` FROM payouts WHERE state = $1 AND not_before <= $2 ORDER BY id LIMIT $3`,
		state, micros(now), limit)
}

// PayoutsOf lists a cause's intents, oldest first.
func (s *Store) PayoutsOf(ctx context.Context, causeKind anchor.Cause, causeID string) ([]*anchor.Payout, error) {
	return list(s.reader(ctx), scanPayout, `SELECT `+payoutColumns+` FROM payouts WHERE cause_kind = $1 AND cause_id = $2 ORDER BY id`, causeKind, causeID)
}

const envelopeColumns = `id, channel, sequence, hash, xdr, max_ledger, fee, state, result, created_at`

func scanEnvelope(r scanner, _ *Keys) (*anchor.Envelope, error) {
	var e anchor.Envelope
	var created int64
	err := r.Scan(&e.ID, &e.Channel, &e.Sequence, &e.Hash, &e.XDR, &e.MaxLedger, &e.Fee, &e.State, &e.Result, &created)
	e.CreatedAt = instant(created)
	return &e, err
}

func withIntents(src source, e *anchor.Envelope) error {
	var err error
	e.Intents, err = list(src, func(r scanner, _ *Keys) (id string, err error) { return id, r.Scan(&id) },
		`SELECT payout_id FROM envelope_payouts WHERE envelope_id = $1 ORDER BY ordinal`, e.ID)
	return err
}

// CreateEnvelope stores a signed envelope before it is submitted. A channel or
// an intent that another live envelope holds, or an intent that was paid, is a
// Conflict with code "duplicate"; so is a sequence number of the channel's that
// is accounted for already, since the envelope's fate could never be proven. The
// intents themselves are saved by the caller.
func (t *Tx) CreateEnvelope(e *anchor.Envelope) error {
	used, err := channelSequence(t, e.Channel, `state <> 'impossible'`)
	if err != nil {
		return err
	}
	if used > 0 && e.Sequence <= used {
		return &anchor.Error{Kind: anchor.Conflict, Code: "duplicate", Message: "the channel has used this sequence number"}
	}
	if err := t.moves(); err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO envelopes (`+envelopeColumns+`) VALUES (`+placeholders(10)+`)`,
		e.ID, e.Channel, e.Sequence, e.Hash, e.XDR, e.MaxLedger, e.Fee, e.State, e.Result, micros(e.CreatedAt)); err != nil {
		return err
	}
	for i, id := range e.Intents {
		if _, err := t.exec(`INSERT INTO envelope_payouts (envelope_id, ordinal, payout_id, live) VALUES ($1, $2, $3, 1)`, e.ID, i, id); err != nil {
			return err
		}
	}
	return nil
}

// SaveEnvelope stores an envelope's state, result, and its bytes and fee where
// the fee bump was replaced. A failed or impossible one lets go of its intents.
// Only a live envelope can change.
func (t *Tx) SaveEnvelope(e *anchor.Envelope) error {
	if err := t.change(`UPDATE envelopes SET state = $1, result = $2, xdr = $3, fee = $4 WHERE id = $5 AND state = 'live'`,
		e.State, e.Result, e.XDR, e.Fee, e.ID); err != nil {
		return err
	}
	if e.State == anchor.EnvelopeFailed || e.State == anchor.EnvelopeImpossible {
		_, err := t.exec(`UPDATE envelope_payouts SET live = 0 WHERE envelope_id = $1`, e.ID)
		return err
	}
	return nil
}

// Envelope loads one envelope with its intents.
func (t *Tx) Envelope(id string) (*anchor.Envelope, error) {
	e, err := one(t, "envelope", scanEnvelope, `SELECT `+envelopeColumns+` FROM envelopes WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	return e, withIntents(t, e)
}

// EnvelopeByHash reads the envelope with that inner hash; none is NotFound.
func (s *Store) EnvelopeByHash(ctx context.Context, hash string) (*anchor.Envelope, error) {
	src := s.reader(ctx)
	e, err := one(src, "envelope", scanEnvelope, `SELECT `+envelopeColumns+` FROM envelopes WHERE hash = $1`, hash)
	if err != nil {
		return nil, err
	}
	return e, withIntents(src, e)
}

// HashesOf reads the inner hashes of many envelopes, by the envelopes' ids.
func (s *Store) HashesOf(ctx context.Context, envelopes []string) (map[string]string, error) {
	type pair struct{ id, hash string }
	all, err := list(s.reader(ctx), func(r scanner, _ *Keys) (p pair, err error) { return p, r.Scan(&p.id, &p.hash) },
		`SELECT id, hash FROM envelopes WHERE id IN (`+placeholders(len(envelopes))+`)`, values(envelopes)...)
	hashes := map[string]string{}
	for _, p := range all {
		hashes[p.id] = p.hash
	}
	return hashes, err
}

// LiveEnvelopes reads the envelopes whose fate is unknown, with their intents,
// oldest first.
func (s *Store) LiveEnvelopes(ctx context.Context) ([]*anchor.Envelope, error) {
	src := s.reader(ctx)
	all, err := list(src, scanEnvelope, `SELECT `+envelopeColumns+` FROM envelopes WHERE state = 'live' ORDER BY id`)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if err := withIntents(src, e); err != nil {
			return nil, err
		}
	}
	return all, nil
}
