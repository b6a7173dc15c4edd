-- +goose Up
-- How cash is collected that lies ready at a desk: encrypted, and empty before and
-- after.
ALTER TABLE bank_payouts ADD COLUMN pickup_box bytea NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE bank_payouts DROP COLUMN pickup_box;
