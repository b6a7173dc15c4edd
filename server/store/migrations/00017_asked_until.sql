-- +goose Up
-- Until when the bank may take what it was asked for, by its own clock: 0 if it can
-- get nothing of the order. What was sent before there was such a moment has none
-- that makes it void.
ALTER TABLE bank_payouts ADD COLUMN asked_until bigint NOT NULL DEFAULT 0;
UPDATE bank_payouts SET asked_until = 253402214400000000 WHERE attempts > 0 OR state = 'in_doubt'; -- the year 9999

-- +goose Down
ALTER TABLE bank_payouts DROP COLUMN asked_until;
