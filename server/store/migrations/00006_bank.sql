-- +goose Up
-- Money that the bank gives back, and what a person says of the bank.

-- The order whose money a line brought back: once for each order.
ALTER TABLE bank_lines ADD COLUMN order_id text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX bank_lines_order ON bank_lines (order_id) WHERE order_id <> '';
-- The actor who confirmed a line before the statement told it.
ALTER TABLE bank_lines ADD COLUMN confirmed_by text NOT NULL DEFAULT '';
-- When a policy decides about a line: 0 where a person does, as for all that
-- arrived before there were policies.
ALTER TABLE bank_lines ADD COLUMN decide_at bigint NOT NULL DEFAULT 0;
CREATE INDEX bank_lines_decide ON bank_lines (decide_at, id) WHERE decide_at <> 0;
-- The refused order that an order takes the place of: one takes it.
ALTER TABLE bank_payouts ADD COLUMN retries text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX bank_payouts_retries ON bank_payouts (retries) WHERE retries <> '';

-- +goose Down
DROP INDEX bank_payouts_retries;
ALTER TABLE bank_payouts DROP COLUMN retries;
DROP INDEX bank_lines_decide;
ALTER TABLE bank_lines DROP COLUMN decide_at;
ALTER TABLE bank_lines DROP COLUMN confirmed_by;
DROP INDEX bank_lines_order;
ALTER TABLE bank_lines DROP COLUMN order_id;
