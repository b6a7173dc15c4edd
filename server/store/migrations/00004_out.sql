-- +goose Up
-- Money out: limits, and claimable balances.

-- What was asked for within a day is added up from the index alone.
CREATE INDEX payouts_within ON payouts (asset, created_at, purpose, state, amount);
CREATE INDEX bank_payouts_within ON bank_payouts (asset, created_at, purpose, state, amount);

-- The claimable balance that paid a deposit.
ALTER TABLE transactions ADD COLUMN balance_id text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE transactions DROP COLUMN balance_id;
DROP INDEX bank_payouts_within;
DROP INDEX payouts_within;
