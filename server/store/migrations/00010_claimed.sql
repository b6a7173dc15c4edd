-- +goose Up
-- Intents that wait are found by when they are due, however many wait for longer,
-- and an intent by the claimable balance that it made or takes back.
CREATE INDEX payouts_waiting ON payouts (state, not_before, id) WHERE state = 'waiting';
CREATE INDEX payouts_result ON payouts (result_id, purpose) WHERE result_id <> '';

-- The claimable balance that an operation made which the books did not know, and
-- from when on its source may take it back.
ALTER TABLE outgoing ADD COLUMN balance_id text NOT NULL DEFAULT '';
ALTER TABLE outgoing ADD COLUMN claim_back_at bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE outgoing DROP COLUMN claim_back_at;
ALTER TABLE outgoing DROP COLUMN balance_id;
DROP INDEX payouts_result;
DROP INDEX payouts_waiting;
