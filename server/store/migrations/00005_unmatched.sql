-- +goose Up
-- Policies for money whose owner is not known.

-- 0 where a person decides, as for all that arrived before there were policies.
ALTER TABLE payments ADD COLUMN decide_at bigint NOT NULL DEFAULT 0;
CREATE INDEX payments_decide ON payments (decide_at, seq) WHERE decide_at <> 0;

-- Refunds that nobody decided: one for each cause, and few for each sender, whose
-- name is a blind index.
CREATE TABLE automatic_refunds (
    cause_kind text   NOT NULL,
    cause_id   text   NOT NULL,
    sender     text   NOT NULL,
    at         bigint NOT NULL,
    PRIMARY KEY (cause_kind, cause_id)
);
CREATE INDEX automatic_refunds_sender ON automatic_refunds (sender, at);

-- The keys of blind indexes, encrypted.
CREATE TABLE blind_keys (
    name    text  NOT NULL PRIMARY KEY,
    key_box bytea NOT NULL
);

-- What the network charged for a transaction is booked once, by its inner hash.
CREATE UNIQUE INDEX journal_network_fee ON journal (reference) WHERE kind = 'network_fee';

-- +goose Down
DROP INDEX journal_network_fee;
DROP TABLE blind_keys;
DROP TABLE automatic_refunds;
DROP INDEX payments_decide;
ALTER TABLE payments DROP COLUMN decide_at;
