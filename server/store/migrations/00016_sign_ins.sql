-- +goose Up
-- Whether an account is shared by users whom memos tell apart, as it first signed
-- in (SEP-24, "Shared, Omnibus, or Pooled Accounts").
CREATE TABLE sign_ins (
    account  text PRIMARY KEY,
    shared   bigint NOT NULL,
    first_at bigint NOT NULL
);

-- +goose Down
DROP TABLE sign_ins;
