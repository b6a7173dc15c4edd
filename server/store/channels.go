package store

import (
	"context"
	"time"

	"windlass/server/anchor"
)

// ChannelSequence reads the highest sequence number of a channel that the books
// account for: an envelope has used it up or may still use it, or it was
// accepted; 0 if none.
func (s *Store) ChannelSequence(ctx context.Context, channel string) (int64, error) {
	return channelSequence(s.reader(ctx), channel, `state <> 'impossible'`)
}

// ProvenSequence is ChannelSequence without what is only signed: it leaves out
// the live envelope, since another may have used up its sequence number.
func (s *Store) ProvenSequence(ctx context.Context, channel string) (int64, error) {
	return channelSequence(s.reader(ctx), channel, `state IN ('applied', 'failed')`)
}

func channelSequence(src source, channel, which string) (int64, error) {
	all, err := list(src, func(r scanner, _ *Keys) (n int64, err error) { return n, r.Scan(&n) },
		`SELECT sequence FROM envelopes WHERE channel = $1 AND `+which+`
		UNION ALL SELECT sequence FROM channels WHERE account = $1 ORDER BY 1 DESC LIMIT 1`, channel)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[0], nil
}

// AcceptChannel takes a channel's sequence number for accounted for, though no
// envelope of these books has used it.
func (t *Tx) AcceptChannel(channel string, sequence int64, now time.Time) error {
	_, err := t.exec(`INSERT INTO channels (account, sequence, accepted_at) VALUES ($1, $2, $3)
		ON CONFLICT (account) DO UPDATE SET sequence = excluded.sequence, accepted_at = excluded.accepted_at`, channel, sequence, micros(now))
	return err
}

// EnvelopeState reads what became of the envelope with that inner hash, without
// the rest of it; none is NotFound.
func (s *Store) EnvelopeState(ctx context.Context, hash string) (anchor.EnvelopeState, error) {
	return one(s.reader(ctx), "envelope", func(r scanner, _ *Keys) (state anchor.EnvelopeState, err error) { return state, r.Scan(&state) },
		`SELECT state FROM envelopes WHERE hash = $1`, hash)
}
