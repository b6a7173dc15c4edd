-- +goose Up
-- A refund can be taken back: what of the anchor's fee was to go with it, so that
-- it is earned again. And money whose owner is not known is on its way back, or has
-- gone back, once, however often that was decided.
ALTER TABLE payouts ADD COLUMN fee_back text NOT NULL DEFAULT '';
ALTER TABLE bank_payouts ADD COLUMN fee_back text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX payouts_back_once ON payouts (cause_id)
    WHERE cause_kind = 'payment' AND purpose = 'refund' AND state <> 'cancelled';
CREATE UNIQUE INDEX bank_payouts_back_once ON bank_payouts (cause_id)
    WHERE cause_kind = 'line' AND purpose = 'refund' AND state NOT IN ('cancelled', 'refused');

-- +goose Down
DROP INDEX bank_payouts_back_once;
DROP INDEX payouts_back_once;
ALTER TABLE bank_payouts DROP COLUMN fee_back;
ALTER TABLE payouts DROP COLUMN fee_back;
