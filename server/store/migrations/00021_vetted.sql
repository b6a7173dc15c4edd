-- +goose Up
-- A person accepted this customer with the answers that are kept. Of those whom the
-- books have as accepted nobody wrote down who did it, and accepting was done by
-- itself: where a person must look, one looks once more.
ALTER TABLE customers ADD COLUMN vetted bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE customers DROP COLUMN vetted;
