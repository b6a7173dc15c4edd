-- +goose Up
-- What became of each attempt to tell a wallet something, and by whose host
-- messages wait together. The rows of one transaction are delivered in their
-- order, so that only the oldest that is due is ever looked for.
ALTER TABLE outbox ADD COLUMN host text NOT NULL DEFAULT '';
CREATE INDEX outbox_order ON outbox (transaction_id, id) WHERE state = 'due';
CREATE INDEX outbox_host ON outbox (host, not_before) WHERE state = 'due';

CREATE TABLE deliveries (
    id        integer NOT NULL PRIMARY KEY,
    outbox_id integer NOT NULL REFERENCES outbox (id),
    at        bigint  NOT NULL,
    took      bigint  NOT NULL,
    outcome   text    NOT NULL
);
CREATE INDEX deliveries_outbox ON deliveries (outbox_id, id);

-- +goose Down
DROP TABLE deliveries;
DROP INDEX outbox_host;
DROP INDEX outbox_order;
ALTER TABLE outbox DROP COLUMN host;
