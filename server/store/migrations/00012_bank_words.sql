-- +goose Up
-- What came for a transaction is found by what became of it, newest first, however
-- much a stranger sent there.
DROP INDEX payments_transaction;
CREATE INDEX payments_transaction ON payments (transaction_id, state, seq DESC) WHERE transaction_id <> '';
DROP INDEX bank_lines_transaction;
CREATE INDEX bank_lines_transaction ON bank_lines (transaction_id, state, at DESC, id DESC) WHERE transaction_id <> '';

-- +goose Down
DROP INDEX bank_lines_transaction;
CREATE INDEX bank_lines_transaction ON bank_lines (transaction_id) WHERE transaction_id <> '';
DROP INDEX payments_transaction;
CREATE INDEX payments_transaction ON payments (transaction_id) WHERE transaction_id <> '';
