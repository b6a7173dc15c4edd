-- +goose Up
-- What was accepted of a channel account besides the envelopes: the sequence
-- number that it had when nothing was unexplained any more.
CREATE TABLE channels (
    account     text   NOT NULL PRIMARY KEY,
    sequence    bigint NOT NULL,
    accepted_at bigint NOT NULL
);

-- While there is a row, nothing new is signed, and no order goes to the bank.
CREATE TABLE pauses (
    key    text   NOT NULL PRIMARY KEY,
    reason text   NOT NULL,
    actor  text   NOT NULL,
    since  bigint NOT NULL
);

-- What left an account of ours by an operation that we did not make. The id is
-- Horizon's for the operation, which is also its place in the ledger.
CREATE TABLE outgoing (
    id           text   NOT NULL PRIMARY KEY,
    seq          bigint NOT NULL,
    account      text   NOT NULL,
    destination  text   NOT NULL,
    asset        text   NOT NULL,
    amount       bigint NOT NULL,
    memo_type    text   NOT NULL,
    memo         text   NOT NULL,
    hash         text   NOT NULL,
    ledger       bigint NOT NULL,
    at           bigint NOT NULL,
    explained    text   NOT NULL,
    payout_id    text   NOT NULL,
    explained_by text   NOT NULL,
    explained_at bigint NOT NULL
);
CREATE INDEX outgoing_seq ON outgoing (seq);
CREATE INDEX outgoing_open ON outgoing (seq) WHERE explained = '';
-- One operation pays one intent, and no intent is paid twice.
CREATE UNIQUE INDEX outgoing_payout ON outgoing (payout_id) WHERE payout_id <> '';
