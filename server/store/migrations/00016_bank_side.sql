-- +goose Up
-- The customer's account at the bank as their wallet may show it: masked.
ALTER TABLE transactions ADD COLUMN bank_side text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE transactions DROP COLUMN bank_side;
