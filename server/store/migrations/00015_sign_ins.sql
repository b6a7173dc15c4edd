-- +goose Up
-- Whether an account is shared by users whom memos tell apart, as it first signed
-- in (SEP-24, "Shared, Omnibus, or Pooled Accounts").
CREATE TABLE sign_ins (
    account  text PRIMARY KEY,
    shared   bigint NOT NULL,
    first_at bigint NOT NULL
);
CREATE INDEX sign_ins_first_at ON sign_ins (first_at);
INSERT INTO sign_ins (account, shared, first_at)
    SELECT owner_account, MAX(CASE WHEN owner_memo <> '' OR owner_muxed <> '' THEN 1 ELSE 0 END), MIN(started_at)
    FROM transactions GROUP BY owner_account;

-- +goose Down
DROP TABLE sign_ins;
