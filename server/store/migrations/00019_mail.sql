-- +goose Up
-- E-mails to customers are rows of the outbox, kind mail. The address stands
-- nowhere: whom one went to is a blind index, by which those to one address are
-- counted, and when that was.
ALTER TABLE outbox ADD COLUMN addressee text NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN addressed_at bigint NOT NULL DEFAULT 0;
CREATE INDEX outbox_addressee ON outbox (addressee, addressed_at) WHERE addressee <> '';

-- +goose Down
DELETE FROM deliveries WHERE outbox_id IN (SELECT id FROM outbox WHERE kind = 'mail');
DELETE FROM outbox WHERE kind = 'mail';
DROP INDEX outbox_addressee;
ALTER TABLE outbox DROP COLUMN addressed_at;
ALTER TABLE outbox DROP COLUMN addressee;
