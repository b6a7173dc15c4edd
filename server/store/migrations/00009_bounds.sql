-- +goose Up
-- Payments that may add up are found however many others were sent there, and the
-- bank's name of a transfer is one order's.
CREATE INDEX payments_short ON payments (transaction_id, sender, asset, seq) WHERE state = 'unmatched' AND reason = 'short';
CREATE INDEX bank_payouts_bank_id ON bank_payouts (bank_id) WHERE bank_id <> '';

-- +goose Down
DROP INDEX bank_payouts_bank_id;
DROP INDEX payments_short;
