-- +goose Up
-- What is given for what comes in: '' is one for one, else NUM/DEN/DECIMALS.
ALTER TABLE transactions ADD COLUMN rate text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE transactions DROP COLUMN rate;
