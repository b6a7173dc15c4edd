-- +goose Up
-- Refunds: of transactions, and of money whose owner is not known.

ALTER TABLE transactions ADD COLUMN refunds text NOT NULL DEFAULT '';

ALTER TABLE payouts ADD COLUMN operation text NOT NULL DEFAULT 'payment';
ALTER TABLE payouts ADD COLUMN fee bigint NOT NULL DEFAULT 0;
ALTER TABLE payouts ADD COLUMN requested_by text NOT NULL DEFAULT '';
ALTER TABLE payouts ADD COLUMN result_id text NOT NULL DEFAULT '';

-- An order can be for a line of the statement too.
CREATE TABLE orders (
    id           text   NOT NULL PRIMARY KEY,
    cause_kind   text   NOT NULL,
    cause_id     text   NOT NULL,
    purpose      text   NOT NULL,
    ordinal      bigint NOT NULL,
    asset        text   NOT NULL,
    amount       bigint NOT NULL,
    fee          bigint NOT NULL,
    to_box       bytea  NOT NULL,
    state        text   NOT NULL,
    bank_id      text   NOT NULL,
    reason       text   NOT NULL,
    requested_by text   NOT NULL,
    attempts     bigint NOT NULL,
    not_before   bigint NOT NULL,
    created_at   bigint NOT NULL
);
INSERT INTO orders SELECT id, 'transaction', transaction_id, purpose, ordinal, asset, amount, 0, to_box, state, bank_id, reason, '', attempts, not_before, created_at
    FROM bank_payouts;
DROP TABLE bank_payouts;
ALTER TABLE orders RENAME TO bank_payouts;
CREATE UNIQUE INDEX bank_payouts_once ON bank_payouts (cause_kind, cause_id, purpose, ordinal);
CREATE INDEX bank_payouts_state ON bank_payouts (state, id);
CREATE INDEX bank_lines_transaction ON bank_lines (transaction_id) WHERE transaction_id <> '';

-- +goose Down
DROP INDEX bank_lines_transaction;
CREATE TABLE orders (
    id             text   NOT NULL PRIMARY KEY,
    transaction_id text   NOT NULL REFERENCES transactions (id),
    purpose        text   NOT NULL,
    ordinal        bigint NOT NULL,
    asset          text   NOT NULL,
    amount         bigint NOT NULL,
    to_box         bytea  NOT NULL,
    state          text   NOT NULL,
    bank_id        text   NOT NULL,
    reason         text   NOT NULL,
    attempts       bigint NOT NULL,
    not_before     bigint NOT NULL,
    created_at     bigint NOT NULL
);
INSERT INTO orders SELECT id, cause_id, purpose, ordinal, asset, amount, to_box, state, bank_id, reason, attempts, not_before, created_at
    FROM bank_payouts WHERE cause_kind = 'transaction';
DROP TABLE bank_payouts;
ALTER TABLE orders RENAME TO bank_payouts;
CREATE UNIQUE INDEX bank_payouts_once ON bank_payouts (transaction_id, purpose, ordinal);
CREATE INDEX bank_payouts_state ON bank_payouts (state, id);
ALTER TABLE payouts DROP COLUMN result_id;
ALTER TABLE payouts DROP COLUMN requested_by;
ALTER TABLE payouts DROP COLUMN fee;
ALTER TABLE payouts DROP COLUMN operation;
ALTER TABLE transactions DROP COLUMN refunds;
