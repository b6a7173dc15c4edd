-- +goose Up
-- What a returning customer is offered again comes from what they agreed to last.
CREATE INDEX transactions_agreed ON transactions (owner_account, owner_memo, owner_muxed, off_chain, id) WHERE agreed_at <> 0;

-- +goose Down
DROP INDEX transactions_agreed;
