-- +goose Up
-- A step of a transaction is told by one e-mail: which step it was is the version of
-- the transaction that it led to. Those of before have none.
ALTER TABLE outbox ADD COLUMN version bigint NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX outbox_mail_once ON outbox (transaction_id, version, status) WHERE kind = 'mail' AND version > 0;

-- Who has typed an address that may be another's counts for less than a customer
-- whose money has come to us, once.
ALTER TABLE outbox ADD COLUMN stranger boolean NOT NULL DEFAULT false;
CREATE INDEX transactions_paid_in ON transactions (owner_account, owner_memo, owner_muxed) WHERE funded_at <> 0;

-- +goose Down
DROP INDEX transactions_paid_in;
ALTER TABLE outbox DROP COLUMN stranger;
DROP INDEX outbox_mail_once;
ALTER TABLE outbox DROP COLUMN version;
