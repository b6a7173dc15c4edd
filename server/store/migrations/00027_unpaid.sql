-- +goose Up
-- Who agreed to something and never paid is looked for, to be forgotten.
CREATE INDEX transactions_unpaid ON transactions (status, updated_at) WHERE agreed_at <> 0 AND funded_at = 0;

-- +goose Down
DROP INDEX transactions_unpaid;
