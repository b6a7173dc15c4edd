package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
)

// amounts are what is paid for a story, and what of it counts.
func (s *story) amounts() (all []anchor.Amount, counts anchor.Amount) {
	switch s.manner {
	case nearly:
		a := (s.agreed * 104 / 100).Floor(s.tariff.in)
		return []anchor.Amount{a}, a
	case tooMuch:
		a := (s.agreed * 13 / 10).Floor(s.tariff.in)
		return []anchor.Amount{a}, a
	case tooLittle:
		return []anchor.Amount{(s.agreed / 2).Floor(s.tariff.in)}, 0
	case wrongly:
		return []anchor.Amount{s.agreed}, 0
	case twice:
		return []anchor.Amount{s.agreed, s.agreed}, s.agreed
	default:
		return []anchor.Amount{s.agreed}, s.agreed
	}
}

// payAtBank makes the transfers of a deposit.
func (c *customer) payAtBank(ctx context.Context, s *story) error {
	var a struct {
		Transaction struct {
			Instructions []struct{ Name, Value string }
		}
	}
	if err := c.ask(ctx, s.page, `query($id: ID!) { transaction(id: $id) { instructions { name value } } }`, map[string]any{}, &a); err != nil {
		return err
	}
	reference := ""
	for _, i := range a.Transaction.Instructions {
		if i.Name == "reference" {
			reference = i.Value
		}
	}
	if reference == "" {
		return fmt.Errorf("no reference in %+v", a)
	}
	if s.manner == wrongly {
		reference = "for my account"
	}
	all, counts := s.amounts()
	s.paid = counts
	for i, amount := range all {
		if err := c.insist(ctx)(http.MethodPost, c.life.at("public")+"/bank/api/transfers", http.Header{"Idempotency-Key": {fmt.Sprintf("%s-%d", s.id, i)}},
			map[string]string{"amount": amount.String(), "currency": c.currency, "reference": reference, "payer_name": "Ada Lovelace", "payer_account": "555000111"}, nil); err != nil {
			return err
		}
	}
	return nil
}

// payOnLedger makes the payments of a withdrawal.
func (c *customer) payOnLedger(ctx context.Context, s *story) error {
	if err := c.poll(ctx, s); err != nil {
		return err
	}
	var memo txnbuild.Memo
	if s.manner != wrongly {
		memo = memoID(c.life.t, s.last.WithdrawMemo)
	}
	all, counts := s.amounts()
	s.paid = counts
	for _, amount := range all {
		c.sent += amount
		if err := c.submit(ctx, memo, []txnbuild.Operation{&txnbuild.Payment{Destination: s.last.WithdrawAnchorAccount, Amount: amount.String(), Asset: c.asset}}); err != nil {
			return err
		}
	}
	return nil
}
