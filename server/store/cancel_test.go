package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// decided is a decision that money goes back, of which there are four kinds.
type decided struct {
	*books
	t     *testing.T
	bank  bool   // else on the ledger
	cause string // what the money came as
	of    anchor.Cause
	fresh int
}

// refunds are the intents or orders that are to bring it back, the first one first.
func (d *decided) refunds() (ids, states []string) {
	d.t.Helper()
	d.do(d.t, func(tx *store.Tx) error {
		ids, states = nil, nil
		if d.bank {
			all, err := tx.BankPayoutsOf(d.of, d.cause, anchor.ForRefund)
			for _, o := range all {
				ids, states = append(ids, o.ID), append(states, string(o.State))
			}
			return err
		}
		all, err := tx.PayoutsOf(d.of, d.cause, anchor.ForRefund)
		for _, p := range all {
			ids, states = append(ids, p.ID), append(states, string(p.State))
		}
		return err
	})
	return ids, states
}

// decide refunds all that came, less 1.
func (d *decided) decide() error {
	return d.Update(d.t.Context(), "staff:ada", func(tx *store.Tx) error {
		switch d.of {
		case anchor.CausePayment:
			p, err := tx.Payment(d.cause)
			if err != nil {
				return err
			}
			return tx.RefundPayment(p, anchor.One, "staff:ada", noon)
		case anchor.CauseLine:
			l, err := tx.BankLine(d.cause)
			if err != nil {
				return err
			}
			return tx.RefundLine(l, anchor.One, "staff:ada", noon)
		case anchor.CauseTransaction, anchor.CauseAccount:
		}
		a, err := tx.Transaction(d.cause)
		if err != nil {
			return err
		}
		return tx.Refund(a, offer(), a.Refundable()-anchor.One, anchor.One, "staff:ada", noon)
	})
}

// becomes puts an intent or order into a state, as engine and rail would.
func (d *decided) becomes(id, state string) {
	d.t.Helper()
	d.do(d.t, func(tx *store.Tx) error {
		if !d.bank {
			p, err := tx.Payout(id)
			if err != nil {
				return err
			}
			if p.State = anchor.PayoutState(state); state == "in_envelope" || state == "paid" {
				d.fresh++
				e := envelope(fmt.Sprint("channel", d.fresh), fmt.Sprint("hash", d.fresh), id)
				p.Envelope = e.ID
				if err := errors.Join(tx.CreateEnvelope(e), tx.Post(noon, p.Sent(e.Hash))); err != nil {
					return err
				}
			}
			return tx.SavePayout(p)
		}
		o, err := tx.BankPayout(id)
		if err != nil {
			return err
		}
		switch state {
		case "tried", "void":
			o.Attempts++
			if o.AskedUntil = noon; state == "void" {
				o.AskedUntil = time.Time{}
			}
			return tx.SaveBankPayout(o)
		case "in_doubt", "given_up":
			o.Attempts, o.State = 1, anchor.BankInDoubt
			if o.AskedUntil = anchor.ForEver; state == "given_up" {
				o.AskedUntil = time.Time{}
			}
			return tx.SaveBankPayout(o)
		case "asked", "paid":
			_, err = tx.RecordBankPayout(o, store.Outcome{State: anchor.BankPayoutState(state), BankID: "b"}, noon)
			return err
		case "refused":
			_, err = tx.RecordBankPayout(o, store.Outcome{State: anchor.BankRefused, Reason: "account_closed"}, noon)
			return err
		case "returned":
			_, err = tx.RecordBankPayout(o, store.Outcome{State: anchor.BankRefused, BankID: "b", Reason: "account_closed"}, noon)
			return err
		case "retried":
			_, err = tx.RecordBankPayout(o, store.Outcome{State: anchor.BankRefused, Reason: "account_closed"}, noon)
			if err == nil {
				_, err = tx.RetryBankPayout(id, nil, "staff:ada", noon)
			}
			return err
		}
		o.State = anchor.BankPayoutState(state)
		return tx.SaveBankPayout(o)
	})
}

func (d *decided) cancel(id string) error {
	return d.Update(d.t.Context(), "staff:bob", func(tx *store.Tx) error {
		if d.bank {
			return tx.CancelBankPayout(id, noon)
		}
		return tx.CancelPayout(id, noon)
	})
}

// sums are what the journal says.
func (d *decided) sums() string {
	d.t.Helper()
	all, err := d.Balances(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	text := ""
	for _, l := range all {
		if l.Amount != 0 {
			text += fmt.Sprintf("%s %s %d; ", l.Account, l.Asset.Code, l.Amount)
		}
	}
	return text
}

// TestCancel: what was to go back and cannot have left stays after all, as if
// nobody had decided otherwise; and can be sent back again. What may have left is
// left alone.
func TestCancel(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(*testing.T) *decided{
		"a payment": func(t *testing.T) *decided {
			d := &decided{books: newBooks(t), t: t, of: anchor.CausePayment}
			p := payment("4294967297")
			p.Amount, d.cause = 100*anchor.One, p.ID
			d.do(t, func(tx *store.Tx) error {
				return errors.Join(tx.CreatePayment(p), tx.Post(noon, anchor.Move("unmatched", "", p.Hash, usdw, p.Amount, anchor.Suspense, anchor.Distribution)))
			})
			return d
		},
		"a line": func(t *testing.T) *decided {
			d := &decided{books: newBooks(t), t: t, of: anchor.CauseLine, bank: true, cause: "l"}
			d.do(t, func(tx *store.Tx) error {
				return tx.UnmatchedLine(&anchor.BankLine{ID: "l", At: noon, Asset: usd, Amount: 100 * anchor.One, PayerName: "Bo", PayerAccount: "777"}, anchor.UnknownReference)
			})
			return d
		},
		"a withdrawal": func(t *testing.T) *decided {
			d := &decided{books: newBooks(t), t: t, of: anchor.CauseTransaction}
			d.cause = d.paidIn(t, anchor.Withdrawal, 7)
			return d
		},
		"a deposit": func(t *testing.T) *decided {
			d := &decided{books: newBooks(t), t: t, of: anchor.CauseTransaction, bank: true}
			d.cause = d.paidIn(t, anchor.Deposit, 7)
			return d
		},
	}
	onLedger := map[string]string{"queued": "", "approval": "", "parked": "", "waiting": "",
		"in_envelope": "payout_under_way", "paid": "paid_already", "cancelled": "cancelled_already"}
	atBank := map[string]string{"queued": "", "approval": "", "refused": "", "returned": "", "void": "", "given_up": "",
		"tried": "payout_under_way", "asked": "payout_under_way", "in_doubt": "payout_under_way", "paid": "paid_already", "cancelled": "cancelled_already", "retried": "retried_already"}
	for kind, make1 := range kinds {
		states := onLedger
		if make1(t).bank {
			states = atBank
		}
		for state, code := range states {
			t.Run(kind+", "+state, func(t *testing.T) {
				t.Parallel()
				d := make1(t)
				before := d.sums()
				if err := d.decide(); err != nil {
					t.Fatal(err)
				}
				ids, _ := d.refunds()
				d.becomes(ids[0], state)
				decidedSums := d.sums()
				err := d.cancel(ids[0])
				if code != "" {
					kindIs(t, err, anchor.Conflict, code)
					if d.sums() != decidedSums {
						t.Errorf("it was refused, and the journal changed")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := d.sums(); got != before {
					t.Errorf("the journal was %s, and is %s", before, got)
				}
				kindIs(t, d.cancel(ids[0]), anchor.Conflict, "cancelled_already")
				d.stays()
				if err := d.decide(); err != nil {
					t.Fatal(err)
				}
				ids, now := d.refunds()
				if len(now) != 2 || now[0] != "cancelled" || now[1] != "queued" || ids[0] == ids[1] {
					t.Fatalf("the refunds are %v", now)
				}
				if d.sums() == before {
					t.Errorf("refunded again, and nothing goes back")
				}
				balanced(t, d.books)
			})
		}
	}
}

// stays checks that what was to go back is what it was, and that a transaction
// is paid once somebody lets it.
func (d *decided) stays() {
	d.t.Helper()
	if d.of != anchor.CauseTransaction {
		var is anchor.Match
		d.do(d.t, func(tx *store.Tx) error {
			if d.bank {
				l, err := tx.BankLine(d.cause)
				is = l.State
				return err
			}
			p, err := tx.Payment(d.cause)
			is = p.State
			return err
		})
		if is != anchor.Unmatched {
			d.t.Errorf("it is %s", is)
		}
		return
	}
	a, err := d.Transaction(d.t.Context(), d.cause)
	if err != nil || a.Status() != anchor.OnHold || a.AmountOut != anchor.MustAmount("98.5") || a.AmountFee != anchor.MustAmount("1.5") || a.AmountRefunded != 0 || a.RefundFee != 0 {
		d.t.Fatalf("%v; %+v", err, a)
	}
	d.do(d.t, func(tx *store.Tx) error {
		a, err := tx.Transaction(d.cause)
		if err != nil {
			return err
		}
		return tx.Release(a, offer(), noon)
	})
	d.do(d.t, func(tx *store.Tx) error {
		var now []string
		intents, err := tx.PayoutsOf(anchor.CauseTransaction, d.cause, anchor.ForPayout)
		for _, p := range intents {
			now = append(now, fmt.Sprint(p.State, p.Amount))
		}
		orders, err2 := tx.BankPayoutsOf(anchor.CauseTransaction, d.cause, anchor.ForPayout)
		for _, o := range orders {
			now = append(now, fmt.Sprint(o.State, o.Amount))
		}
		if len(now) != 2 || now[0] != "cancelled0" || now[1] != "queued98.5" {
			d.t.Errorf("to be paid: %v", now)
		}
		return errors.Join(err, err2)
	})
}

// TestCancelOnlyRefunds: a payout is stopped by a hold and ended by a refund, and
// nothing is cancelled while something has left us that may be it.
func TestCancelOnlyRefunds(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	deposit, withdrawal := b.paidIn(t, anchor.Deposit, 7), b.paidIn(t, anchor.Withdrawal, 8)
	cancel := func(bank bool, id string) error {
		d := decided{books: b, t: t, bank: bank}
		return d.cancel(id)
	}
	intents, err := b.PayoutsOf(t.Context(), anchor.CauseTransaction, deposit)
	if err != nil || len(intents) != 1 {
		t.Fatal(intents, err)
	}
	orders, err := b.BankPayoutsOf(t.Context(), withdrawal)
	if err != nil || len(orders) != 1 {
		t.Fatal(orders, err)
	}
	kindIs(t, cancel(false, intents[0].ID), anchor.Conflict, "not_a_refund")
	kindIs(t, cancel(true, orders[0].ID), anchor.Conflict, "not_a_refund")
	kindIs(t, cancel(false, "x"), anchor.NotFound, "not_found")
	kindIs(t, cancel(true, "x"), anchor.NotFound, "not_found")

	if err := errors.Join(b.refund(t, deposit, 10*anchor.One), b.refund(t, withdrawal, 10*anchor.One)); err != nil {
		t.Fatal(err)
	}
	onLedger, atBank := decided{books: b, t: t, of: anchor.CauseTransaction, cause: withdrawal}, decided{books: b, t: t, of: anchor.CauseTransaction, cause: deposit, bank: true}
	back, _ := onLedger.refunds()
	order, _ := atBank.refunds()
	b.do(t, func(tx *store.Tx) error {
		return tx.LeftUnexplained(&anchor.Outgoing{ID: "4294967297", Account: alice, Destination: bob, Asset: usdw, Amount: 10 * anchor.One, Hash: "h", Ledger: 9, At: noon})
	})
	kindIs(t, cancel(false, back[0]), anchor.Conflict, "unexplained")
	kindIs(t, cancel(true, order[0]), anchor.Conflict, "unexplained")
	b.do(t, func(tx *store.Tx) error { return tx.Explain("4294967297", anchor.AsOwn, "staff:ada", noon) })

	// The rest of a deposit may be paid at this moment.
	b.do(t, func(tx *store.Tx) error {
		p, err := tx.Payout(intents[0].ID)
		if err != nil {
			return err
		}
		p.State = anchor.PayoutInEnvelope
		return tx.SavePayout(p)
	})
	kindIs(t, cancel(true, order[0]), anchor.Conflict, "payout_under_way")
	if err := cancel(false, back[0]); err != nil {
		t.Error(err)
	}
	balanced(t, b)
}

// TestItsOwnLine: an order was in doubt, or with the bank, and a person said that
// its money is here. The statement's line that brings it, sooner or later and even
// after the refund was taken back, is that money and no other: nothing counts twice.
func TestItsOwnLine(t *testing.T) {
	t.Parallel()
	for _, was := range []anchor.BankPayoutState{anchor.BankInDoubt, anchor.BankAsked} {
		for _, cancelled := range []bool{false, true} {
			for _, c := range []struct {
				named  bool // the bank says whose money the line brings, else a person does
				amount anchor.Amount
				lost   anchor.Amount
			}{{true, 99 * anchor.One, 0}, {false, 99 * anchor.One, 0}, {false, 95 * anchor.One, 4 * anchor.One}} {
				t.Run(fmt.Sprintf("%s, %t, %+v", was, cancelled, c), func(t *testing.T) {
					t.Parallel()
					d := &decided{books: newBooks(t), t: t, of: anchor.CauseLine, bank: true, cause: "l"}
					d.do(t, func(tx *store.Tx) error {
						return tx.UnmatchedLine(&anchor.BankLine{ID: "l", At: noon, Asset: usd, Amount: 100 * anchor.One, PayerName: "Bo", PayerAccount: "777"}, anchor.UnknownReference)
					})
					if err := d.decide(); err != nil {
						t.Fatal(err)
					}
					ids, _ := d.refunds()
					d.do(t, func(tx *store.Tx) error {
						o, err := tx.BankPayout(ids[0])
						if err != nil {
							return err
						}
						o.Attempts = 1
						if was == anchor.BankInDoubt {
							o.State = was
							return tx.SaveBankPayout(o)
						}
						if err := tx.SaveBankPayout(o); err != nil {
							return err
						}
						_, err = tx.RecordBankPayout(o, store.Outcome{State: was, BankID: "b"}, noon)
						return err
					})
					d.do(t, func(tx *store.Tx) error { return tx.BankPayoutReturned(ids[0], "", "by_phone", noon) })
					if cancelled {
						if err := d.cancel(ids[0]); err != nil {
							t.Fatal(err)
						}
					}
					said, _, err := d.BankPayouts(t.Context(), "", false, store.Page{})
					if err != nil {
						t.Fatal(err)
					}
					before := d.balance(t, anchor.Bank, usd)
					line := func(id string) *anchor.BankLine {
						return &anchor.BankLine{ID: id, At: noon, Asset: usd, Amount: c.amount, PayerAccount: "777", Order: ids[0]}
					}
					for range 2 {
						d.do(t, func(tx *store.Tx) error {
							_, err := tx.BankLine("back")
							unread := anchor.KindOf(err) == anchor.NotFound
							switch {
							case c.named && unread:
								_, err = tx.ReturnedLine(line("back"), noon)
								return err
							case c.named:
								return err
							case unread:
								if err := tx.UnmatchedLine(line("back"), anchor.Refused); err != nil { // as what could not be booked
									return err
								}
							}
							return tx.BankPayoutReturned(ids[0], "back", "returned", noon)
						})
					}
					if got := before - d.balance(t, anchor.Bank, usd); got != c.lost {
						t.Errorf("the bank has %s less, want %s", got, c.lost)
					}
					if got := d.balance(t, anchor.Losses, usd); got != c.lost {
						t.Errorf("%s are lost, want %s", got, c.lost)
					}
					stray := map[bool]anchor.Amount{true: -100 * anchor.One, false: 0}[cancelled]
					if got := d.balance(t, anchor.Suspense, usd); got != stray {
						t.Errorf("in suspense are %s, want %s", got, stray)
					}
					now, _, err := d.BankPayouts(t.Context(), "", false, store.Page{})
					if err != nil || len(now) != 1 || now[0].State != said[0].State || now[0].Reason != said[0].Reason {
						t.Errorf("the order is %v, %v", now, err)
					}
					// Another line for it is a stranger's.
					d.do(t, func(tx *store.Tx) error {
						_, err := tx.ReturnedLine(line("another"), noon)
						return err
					})
					if l, err := d.BankLine(t.Context(), "another"); err != nil || l.State != anchor.Unmatched || l.Reason != anchor.UnknownReturn {
						t.Errorf("%+v, %v", l, err)
					}
					balanced(t, d.books)
				})
			}
		}
	}
}
