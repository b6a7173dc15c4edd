-- +goose Up
-- Times are microseconds since 1970 in UTC, 0 for none. Amounts are counts of
-- 10^-7 units. Columns ending in _box are encrypted.

CREATE TABLE transactions (
    id                text   NOT NULL PRIMARY KEY,
    version           bigint NOT NULL,
    kind              text   NOT NULL,
    status            text   NOT NULL,
    owner_account     text   NOT NULL,
    owner_memo        text   NOT NULL,
    owner_muxed       text   NOT NULL,
    owner_client      text   NOT NULL,
    customer_id       text   NOT NULL,
    asset             text   NOT NULL,
    off_chain         text   NOT NULL,
    account           text   NOT NULL,
    memo_type         text   NOT NULL,
    memo              text   NOT NULL,
    anchor_account    text   NOT NULL,
    refund_memo_type  text   NOT NULL,
    refund_memo       text   NOT NULL,
    claimable_balance bigint NOT NULL,
    requested         bigint NOT NULL,
    amounts_known     bigint NOT NULL,
    amount_in         bigint NOT NULL,
    amount_out        bigint NOT NULL,
    amount_fee        bigint NOT NULL,
    fee_lines         text   NOT NULL,
    amount_refunded   bigint NOT NULL,
    refund_fee        bigint NOT NULL,
    expected          bigint NOT NULL,
    method            text   NOT NULL,
    reference         text   NOT NULL,
    reviewed          bigint NOT NULL,
    stellar_id        text   NOT NULL,
    external_id       text   NOT NULL,
    started_at        bigint NOT NULL,
    updated_at        bigint NOT NULL,
    completed_at      bigint NOT NULL,
    agreed_at         bigint NOT NULL,
    funded_at         bigint NOT NULL,
    paid_out_at       bigint NOT NULL,
    deadline          bigint NOT NULL,
    lang              text   NOT NULL,
    callback          text   NOT NULL,
    on_change         text   NOT NULL,
    note              text   NOT NULL
);
-- What wallets list: one user's transactions, newest first. Ids are UUIDv7, so
-- their order is the order in which transactions began.
CREATE INDEX transactions_owner ON transactions (owner_account, owner_memo, owner_muxed, id);
CREATE INDEX transactions_owner_muxed ON transactions (owner_muxed) WHERE owner_muxed <> '';
CREATE INDEX transactions_stellar_id ON transactions (stellar_id, owner_account, owner_memo, owner_muxed, id) WHERE stellar_id <> '';
CREATE INDEX transactions_external_id ON transactions (external_id, owner_account, owner_memo, owner_muxed, id) WHERE external_id <> '';
CREATE INDEX transactions_status ON transactions (status, id);
CREATE INDEX transactions_expirable ON transactions (kind, anchor_account, deadline) WHERE deadline <> 0 AND funded_at = 0;
CREATE INDEX transactions_account ON transactions (account, id);
-- A memo belongs to one withdrawal for ever, a reference to one deposit.
CREATE UNIQUE INDEX transactions_memo ON transactions (anchor_account, memo_type, memo) WHERE anchor_account <> '';
CREATE INDEX transactions_any_memo ON transactions (memo) WHERE memo <> '';
CREATE UNIQUE INDEX transactions_reference ON transactions (reference) WHERE reference <> '';

-- What was entered for one transaction: prefill and the method's answers.
CREATE TABLE details (
    transaction_id text  NOT NULL PRIMARY KEY REFERENCES transactions (id),
    data_box       bytea NOT NULL
);

CREATE TABLE customers (
    id            text   NOT NULL PRIMARY KEY,
    owner_account text   NOT NULL,
    owner_memo    text   NOT NULL,
    owner_muxed   text   NOT NULL,
    review        text   NOT NULL,
    lang          text   NOT NULL,
    fields_box    bytea  NOT NULL,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL
);
CREATE UNIQUE INDEX customers_owner ON customers (owner_account, owner_memo, owner_muxed);

CREATE TABLE audit (
    id             integer NOT NULL PRIMARY KEY,
    at             bigint  NOT NULL,
    actor          text    NOT NULL,
    transaction_id text    NOT NULL,
    event          text    NOT NULL,
    from_status    text    NOT NULL,
    to_status      text    NOT NULL
);
CREATE INDEX audit_transaction ON audit (transaction_id, id);

CREATE TABLE journal (
    id             integer NOT NULL PRIMARY KEY,
    at             bigint  NOT NULL,
    kind           text    NOT NULL,
    transaction_id text    NOT NULL,
    reference      text    NOT NULL
);
CREATE INDEX journal_transaction ON journal (transaction_id, id);
CREATE TABLE postings (
    entry_id integer NOT NULL REFERENCES journal (id),
    ordinal  bigint  NOT NULL,
    account  text    NOT NULL,
    asset    text    NOT NULL,
    amount   bigint  NOT NULL,
    PRIMARY KEY (entry_id, ordinal)
);
CREATE INDEX postings_account ON postings (account, asset, amount);

CREATE TABLE payments (
    id             text   NOT NULL PRIMARY KEY,
    seq            bigint NOT NULL,
    account        text   NOT NULL,
    sender         text   NOT NULL,
    asset          text   NOT NULL,
    amount         bigint NOT NULL,
    memo_type      text   NOT NULL,
    memo           text   NOT NULL,
    hash           text   NOT NULL,
    ledger         bigint NOT NULL,
    at             bigint NOT NULL,
    state          text   NOT NULL,
    reason         text   NOT NULL,
    transaction_id text   NOT NULL
);
CREATE INDEX payments_state ON payments (state, seq);
CREATE INDEX payments_seq ON payments (seq);
CREATE INDEX payments_transaction ON payments (transaction_id) WHERE transaction_id <> '';

CREATE TABLE cursors (
    name        text   NOT NULL PRIMARY KEY,
    value       text   NOT NULL,
    ledger      bigint NOT NULL,
    ledger_hash text   NOT NULL,
    read_until  bigint NOT NULL
);

CREATE TABLE payouts (
    id          text   NOT NULL PRIMARY KEY,
    cause_kind  text   NOT NULL,
    cause_id    text   NOT NULL,
    purpose     text   NOT NULL,
    ordinal     bigint NOT NULL,
    asset       text   NOT NULL,
    amount      bigint NOT NULL,
    source      text   NOT NULL,
    destination text   NOT NULL,
    memo_type   text   NOT NULL,
    memo        text   NOT NULL,
    state       text   NOT NULL,
    envelope_id text   NOT NULL,
    attempts    bigint NOT NULL,
    reason      text   NOT NULL,
    not_before  bigint NOT NULL,
    created_at  bigint NOT NULL
);
CREATE UNIQUE INDEX payouts_once ON payouts (cause_kind, cause_id, purpose, ordinal);
-- In the order in which they are taken up, so that none is sorted.
CREATE INDEX payouts_state ON payouts (state, id);

CREATE TABLE envelopes (
    id         text   NOT NULL PRIMARY KEY,
    channel    text   NOT NULL,
    sequence   bigint NOT NULL,
    hash       text   NOT NULL,
    xdr        text   NOT NULL,
    max_ledger bigint NOT NULL,
    fee        bigint NOT NULL,
    state      text   NOT NULL,
    result     text   NOT NULL,
    created_at bigint NOT NULL
);
CREATE UNIQUE INDEX envelopes_hash ON envelopes (hash);
CREATE INDEX envelopes_channel ON envelopes (channel, sequence);
CREATE INDEX envelopes_live ON envelopes (id) WHERE state = 'live';
CREATE UNIQUE INDEX envelopes_channel_live ON envelopes (channel) WHERE state = 'live';
CREATE TABLE envelope_payouts (
    envelope_id text   NOT NULL REFERENCES envelopes (id),
    ordinal     bigint NOT NULL,
    payout_id   text   NOT NULL REFERENCES payouts (id),
    live        bigint NOT NULL,
    PRIMARY KEY (envelope_id, ordinal)
);
-- At most one live or applied envelope per intent.
CREATE UNIQUE INDEX envelope_payouts_once ON envelope_payouts (payout_id) WHERE live = 1;

CREATE TABLE bank_lines (
    id             text   NOT NULL PRIMARY KEY,
    at             bigint NOT NULL,
    asset          text   NOT NULL,
    amount         bigint NOT NULL,
    reference_box  bytea  NOT NULL,
    payer_box      bytea  NOT NULL,
    state          text   NOT NULL,
    reason         text   NOT NULL,
    transaction_id text   NOT NULL
);
CREATE INDEX bank_lines_at ON bank_lines (at, id);
CREATE INDEX bank_lines_state ON bank_lines (state, at);

CREATE TABLE bank_payouts (
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
CREATE UNIQUE INDEX bank_payouts_once ON bank_payouts (transaction_id, purpose, ordinal);
CREATE INDEX bank_payouts_state ON bank_payouts (state, id);

CREATE TABLE outbox (
    id             integer NOT NULL PRIMARY KEY,
    transaction_id text    NOT NULL REFERENCES transactions (id),
    kind           text    NOT NULL,
    url            text    NOT NULL,
    status         text    NOT NULL,
    state          text    NOT NULL,
    attempts       bigint  NOT NULL,
    not_before     bigint  NOT NULL,
    created_at     bigint  NOT NULL
);
-- The callback is sent at most once (SEP-24).
CREATE UNIQUE INDEX outbox_callback_once ON outbox (transaction_id) WHERE kind = 'callback';
CREATE INDEX outbox_due ON outbox (state, not_before);

-- What may be used once: challenges, interactive and resume tokens, links.
CREATE TABLE used (
    purpose    text   NOT NULL,
    key        text   NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (purpose, key)
);
CREATE INDEX used_expires ON used (expires_at);

CREATE TABLE sessions (
    id             text   NOT NULL PRIMARY KEY,
    kind           text   NOT NULL,
    transaction_id text   NOT NULL,
    name           text   NOT NULL,
    created_at     bigint NOT NULL,
    expires_at     bigint NOT NULL,
    revoked_at     bigint NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- +goose Down
DROP TABLE sessions;
DROP TABLE used;
DROP TABLE outbox;
DROP TABLE bank_payouts;
DROP TABLE bank_lines;
DROP TABLE envelope_payouts;
DROP TABLE envelopes;
DROP TABLE payouts;
DROP TABLE cursors;
DROP TABLE payments;
DROP TABLE postings;
DROP TABLE journal;
DROP TABLE audit;
DROP TABLE customers;
DROP TABLE details;
DROP TABLE transactions;
