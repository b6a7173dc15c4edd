-- +goose Up
-- Messages to wallets: from when each is tried, and when that ended, so that what
-- is long over can be forgotten. The rows of one transaction and kind keep their
-- order: a callback that nobody takes does not hold up the news of changes.
ALTER TABLE outbox ADD COLUMN since bigint NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN ended_at bigint NOT NULL DEFAULT 0;
UPDATE outbox SET since = created_at;
UPDATE outbox SET ended_at = created_at WHERE state <> 'due';
DROP INDEX outbox_due;
DROP INDEX outbox_order;
CREATE INDEX outbox_order ON outbox (transaction_id, kind, id) WHERE state = 'due';
CREATE INDEX outbox_transaction ON outbox (transaction_id, id);
CREATE INDEX outbox_ended ON outbox (kind, state, ended_at);
CREATE INDEX outbox_given_up ON outbox (host, id) WHERE state = 'given_up';

-- Hosts of wallets that do not take what they are sent, and until when each is
-- left alone. A host that takes a message has no row any more.
CREATE TABLE callback_hosts (
    host       text   NOT NULL PRIMARY KEY,
    failures   bigint NOT NULL, -- in a row
    since      bigint NOT NULL, -- the first of them
    at         bigint NOT NULL, -- the last of them
    outcome    text   NOT NULL, -- of the last
    rest_until bigint NOT NULL  -- 0: it is not left alone
);

-- +goose Down
DROP TABLE callback_hosts;
DROP INDEX outbox_given_up;
DROP INDEX outbox_ended;
DROP INDEX outbox_transaction;
DROP INDEX outbox_order;
CREATE INDEX outbox_order ON outbox (transaction_id, id) WHERE state = 'due';
CREATE INDEX outbox_due ON outbox (state, not_before);
ALTER TABLE outbox DROP COLUMN ended_at;
ALTER TABLE outbox DROP COLUMN since;
