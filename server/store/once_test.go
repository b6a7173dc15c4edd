package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

func payout(cause string, purpose anchor.Purpose, ordinal int) *anchor.Payout {
	return &anchor.Payout{ID: store.NewID(), CauseKind: "transaction", CauseID: cause, Purpose: purpose, Ordinal: ordinal, Asset: usdw, Amount: 1,
		Source: alice, Destination: bob, State: anchor.PayoutQueued, CreatedAt: noon}
}

// stray is an intent, and strayOrder an order, that brings money back whose owner
// is not known.
func stray(cause string, ordinal int, state anchor.PayoutState) *anchor.Payout {
	p := payout(cause, anchor.ForRefund, ordinal)
	p.CauseKind, p.State = anchor.CausePayment, state
	return p
}

func strayOrder(cause string, ordinal int, state anchor.BankPayoutState) *anchor.BankPayout {
	return &anchor.BankPayout{ID: store.NewID(), CauseKind: anchor.CauseLine, CauseID: cause, Purpose: anchor.ForRefund, Ordinal: ordinal,
		Asset: usd, Amount: 1, State: state, CreatedAt: noon}
}

func envelope(channel, hash string, intents ...string) *anchor.Envelope {
	return &anchor.Envelope{ID: store.NewID(), Channel: channel, Sequence: 1, Hash: hash, XDR: "x", MaxLedger: 9, Fee: 100, State: anchor.EnvelopeLive, CreatedAt: noon, Intents: intents}
}

func payment(id string) *anchor.Payment {
	return &anchor.Payment{ID: id, Account: alice, From: bob, Asset: usdw, Amount: 1, Memo: anchor.IDMemo(7), Hash: "h", Ledger: 3, At: noon, State: anchor.Unmatched, Reason: anchor.UnknownMemo}
}

// TestOnce: everything that may happen once is refused the second time, by the
// books themselves, and its neighbours are not.
func TestOnce(t *testing.T) {
	t.Parallel()
	type closure = func(*store.Tx) error
	for _, c := range []struct {
		name  string
		first func(t *testing.T, b *books) closure
		again func(t *testing.T, b *books) closure
		next  func(t *testing.T, b *books) closure // nearly the same, and fine
		code  string
	}{
		{
			name: "a transaction's id",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { a := start(anchor.Deposit); a.ID = "1"; return tx.CreateTransaction(a) }
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateTransaction(start(anchor.Deposit)) }
			},
		},
		{
			name: "the memo of a withdrawal",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					a := start(anchor.Withdrawal)
					return errors.Join(agree(a, 7), tx.CreateTransaction(a))
				}
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { // the same number at another account
					a := start(anchor.Withdrawal)
					err := agree(a, 7)
					a.AnchorAccount = bob
					return errors.Join(err, tx.CreateTransaction(a))
				}
			},
		},
		{
			name: "the memo of a withdrawal, agreed later",
			first: func(_ *testing.T, b *books) closure {
				return func(tx *store.Tx) error {
					a := start(anchor.Withdrawal)
					return errors.Join(agree(a, 7), tx.CreateTransaction(a))
				}
			},
			again: func(t *testing.T, b *books) closure {
				a := start(anchor.Withdrawal)
				b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
				return func(tx *store.Tx) error {
					a, err := tx.Transaction(a.ID)
					if err != nil {
						return err
					}
					if err := agree(a, 7); err != nil {
						return err
					}
					return tx.SaveTransaction(a)
				}
			},
		},
		{
			name: "a deposit's reference",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					a := start(anchor.Deposit)
					return errors.Join(agree(a, 7), tx.CreateTransaction(a))
				}
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					a := start(anchor.Deposit)
					return errors.Join(agree(a, 8), tx.CreateTransaction(a))
				}
			},
		},
		{
			name: "a customer",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					return tx.SaveCustomer(&anchor.Customer{ID: store.NewID(), Owner: anchor.Identity{Account: alice, Memo: "1"}, CreatedAt: noon, UpdatedAt: noon})
				}
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { // another user of the shared account
					return tx.SaveCustomer(&anchor.Customer{ID: store.NewID(), Owner: anchor.Identity{Account: alice, Memo: "2"}, CreatedAt: noon, UpdatedAt: noon})
				}
			},
		},
		{
			name: "a payment",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreatePayment(payment("42")) }
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreatePayment(payment("43")) }
			},
		},
		{
			name: "a line of the statement",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					return tx.CreateBankLine(&anchor.BankLine{ID: "l", At: noon, Asset: usd, Amount: 1, State: anchor.Unmatched})
				}
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					return tx.CreateBankLine(&anchor.BankLine{ID: "m", At: noon, Asset: usd, Amount: 1, State: anchor.Unmatched})
				}
			},
		},
		{
			name: "what brings a stray payment back",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreatePayout(stray("p", 0, anchor.PayoutQueued)) }
			},
			again: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreatePayout(stray("p", 1, anchor.PayoutParked)) }
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					return errors.Join(tx.CreatePayout(stray("p", 2, anchor.PayoutCancelled)), tx.CreatePayout(stray("q", 0, anchor.PayoutQueued)))
				}
			},
		},
		{
			name: "what brings a stray credit back",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateBankPayout(strayOrder("l", 0, anchor.BankQueued)) }
			},
			again: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateBankPayout(strayOrder("l", 1, anchor.BankPaid)) }
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					return errors.Join(tx.CreateBankPayout(strayOrder("l", 2, anchor.BankCancelled)), tx.CreateBankPayout(strayOrder("l", 3, anchor.BankRefused)), tx.CreateBankPayout(strayOrder("m", 0, anchor.BankQueued)))
				}
			},
		},
		{
			name: "the intent to pay",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreatePayout(payout("c", "payout", 0)) }
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					return errors.Join(tx.CreatePayout(payout("c", "payout", 1)), tx.CreatePayout(payout("c", "refund", 0)), tx.CreatePayout(payout("d", "payout", 0)))
				}
			},
		},
		{
			name: "the order to the bank",
			first: func(t *testing.T, b *books) closure {
				a := start(anchor.Withdrawal)
				a.ID = "w"
				if _, err := b.Transaction(t.Context(), "w"); err != nil {
					b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
				}
				return func(tx *store.Tx) error { return tx.CreateBankPayout(a.BankPayout(store.NewID(), nil, 0, noon)) }
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error {
					return tx.CreateBankPayout(&anchor.BankPayout{ID: store.NewID(), CauseKind: anchor.CauseTransaction, CauseID: "w", Purpose: "refund", Asset: usd, Amount: 1, State: anchor.BankQueued})
				}
			},
		},
		{
			name: "a token",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.UseOnce("interactive", "j", late) }
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.UseOnce("resume", "j", late) }
			},
			code: "used",
		},
		{
			name: "a channel",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateEnvelope(envelope("C", "1")) }
			},
			again: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateEnvelope(envelope("C", "2")) }
			},
			next: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateEnvelope(envelope("D", "3")) }
			},
		},
		{
			name: "an inner hash",
			first: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateEnvelope(envelope("C", "1")) }
			},
			again: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateEnvelope(envelope("D", "1")) }
			},
		},
		{
			name: "a live intent",
			first: func(t *testing.T, b *books) closure {
				p := payout("c", "payout", 0)
				p.ID = "p"
				b.do(t, func(tx *store.Tx) error { return tx.CreatePayout(p) })
				return func(tx *store.Tx) error { return tx.CreateEnvelope(envelope("C", "1", "p")) }
			},
			again: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateEnvelope(envelope("D", "2", "p")) }
			},
		},
		{
			name: "an intent, twice in one envelope",
			first: func(t *testing.T, b *books) closure {
				p := payout("c", "payout", 0)
				p.ID = "p"
				b.do(t, func(tx *store.Tx) error { return tx.CreatePayout(p) })
				return func(*store.Tx) error { return nil }
			},
			again: func(*testing.T, *books) closure {
				return func(tx *store.Tx) error { return tx.CreateEnvelope(envelope("D", "2", "p", "p")) }
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			if c.again == nil {
				c.again = c.first
			}
			if c.code == "" {
				c.code = "duplicate"
			}
			b.do(t, c.first(t, b))
			again := c.again(t, b)
			errs := b.CommitTogether(store.Operator, mark("before"), again, mark("after"))
			kindIs(t, errs[1], anchor.Conflict, c.code)
			if errs[0] != nil || errs[2] != nil || !b.marked(t, "before") || !b.marked(t, "after") {
				t.Errorf("the neighbours: %v, %v", errs[0], errs[2])
			}
			if c.next != nil {
				b.do(t, c.next(t, b))
			}
			// The rows that nothing may be left of.
			for _, table := range []string{"envelope_payouts", "audit"} {
				owner := map[string]string{"envelope_payouts": "envelopes WHERE id = envelope_id", "audit": "transactions WHERE id = transaction_id"}[table]
				if n := b.count(t, `SELECT count(*) FROM `+table+` WHERE NOT EXISTS (SELECT 1 FROM `+owner+`)`); n != 0 {
					t.Errorf("%d orphans in %s", n, table)
				}
			}
			balanced(t, b)
		})
	}
}

// TestEnvelopeLife: a channel and its intents are held until the fate is known,
// and a paid intent for ever.
func TestEnvelopeLife(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	p := payout("c", "payout", 0)
	b.do(t, func(tx *store.Tx) error { return tx.CreatePayout(p) })
	next, sequence := 0, int64(1)
	create := func() (*anchor.Envelope, error) {
		next++
		e := envelope("C", fmt.Sprint("h", next), p.ID)
		e.Sequence = sequence
		return e, b.Update(ctx, store.Payouts, func(tx *store.Tx) error { return tx.CreateEnvelope(e) })
	}
	end := func(e *anchor.Envelope, s anchor.EnvelopeState) error {
		e.State, e.Result = s, "tx_"+string(s)
		return b.Update(ctx, store.Payouts, func(tx *store.Tx) error { return tx.SaveEnvelope(e) })
	}
	for _, fate := range []anchor.EnvelopeState{anchor.EnvelopeFailed, anchor.EnvelopeImpossible, anchor.EnvelopeApplied} {
		e, err := create()
		if err != nil {
			t.Fatalf("before %s: %v", fate, err)
		}
		if _, err := create(); anchor.KindOf(err) != anchor.Conflict {
			t.Errorf("a second live envelope: %v", err)
		}
		// While it lives its bytes and bid may be replaced.
		e.XDR, e.Fee = "y", 1000
		if err := end(e, anchor.EnvelopeLive); err != nil {
			t.Fatal(err)
		}
		live, err := b.LiveEnvelopes(ctx)
		if err != nil || len(live) != 1 || live[0].XDR != "y" || live[0].Fee != 1000 || len(live[0].Intents) != 1 || live[0].Intents[0] != p.ID {
			t.Errorf("%+v, %v", live, err)
		}
		if err := end(e, fate); err != nil {
			t.Fatal(err)
		}
		// A fate is final.
		kindIs(t, end(e, anchor.EnvelopeLive), anchor.Conflict, "changed_meanwhile")
		kindIs(t, end(e, anchor.EnvelopeImpossible), anchor.Conflict, "changed_meanwhile")
		got, err := b.EnvelopeByHash(ctx, e.Hash)
		if err != nil || got.State != fate || got.ID != e.ID {
			t.Errorf("%+v, %v", got, err)
		}
		// Of two envelopes with one sequence number the other's fate could never be
		// proven. Only one that never applied has not used it.
		if fate != anchor.EnvelopeImpossible {
			_, err = create()
			kindIs(t, err, anchor.Conflict, "duplicate")
			sequence++
		}
	}
	// Applied: paid, for ever, also on another channel.
	e := envelope("D", "other", p.ID)
	err := b.Update(ctx, store.Payouts, func(tx *store.Tx) error { return tx.CreateEnvelope(e) })
	kindIs(t, err, anchor.Conflict, "duplicate")
	if seq, err := b.ChannelSequence(ctx, "C"); err != nil || seq != 2 {
		t.Errorf("sequence %d, %v", seq, err)
	}
	if seq, err := b.ChannelSequence(ctx, "D"); err != nil || seq != 0 {
		t.Errorf("an unused channel's sequence is %d, %v", seq, err)
	}
}

// TestPaidStaysPaid: an older copy of an intent or an order does not undo it.
func TestPaidStaysPaid(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	p := payout("c", "payout", 0)
	b.do(t, func(tx *store.Tx) error { return tx.CreatePayout(p) })
	save := func(s anchor.PayoutState, reason string) error {
		c := *p
		c.State, c.Reason = s, reason
		return b.Update(ctx, store.Payouts, func(tx *store.Tx) error { return tx.SavePayout(&c) })
	}
	for _, s := range []anchor.PayoutState{anchor.PayoutInEnvelope, anchor.PayoutQueued, anchor.PayoutWaiting, anchor.PayoutParked, anchor.PayoutPaid, anchor.PayoutPaid} {
		if err := save(s, string(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []anchor.PayoutState{anchor.PayoutQueued, anchor.PayoutInEnvelope, anchor.PayoutWaiting, anchor.PayoutParked} {
		kindIs(t, save(s, "x"), anchor.Conflict, "changed_meanwhile")
	}
	due, err := b.PayoutsDue(ctx, anchor.PayoutPaid, noon, 9)
	if err != nil || len(due) != 1 || due[0].Reason != "paid" {
		t.Errorf("%+v, %v", due, err)
	}

	id := b.funded(t, anchor.Withdrawal, 1)
	orders, err := b.BankPayoutsOf(ctx, id)
	if err != nil || len(orders) != 1 {
		t.Fatal(orders, err)
	}
	order := func(s anchor.BankPayoutState) error {
		c := *orders[0]
		c.State = s
		return b.Update(ctx, store.BankRail, func(tx *store.Tx) error { return tx.SaveBankPayout(&c) })
	}
	for _, s := range []anchor.BankPayoutState{anchor.BankAsked, anchor.BankInDoubt, anchor.BankQueued, anchor.BankPaid, anchor.BankPaid} {
		if err := order(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []anchor.BankPayoutState{anchor.BankQueued, anchor.BankAsked, anchor.BankInDoubt} {
		kindIs(t, order(s), anchor.Conflict, "changed_meanwhile")
	}
	if err := order(anchor.BankRefused); err != nil {
		t.Errorf("the bank returns what it paid: %v", err)
	}
	// Nobody's.
	kindIs(t, b.Update(ctx, store.Payouts, func(tx *store.Tx) error { return tx.SavePayout(payout("x", "payout", 0)) }), anchor.Conflict, "changed_meanwhile")
}

// TestOneArrival: the same payment, told by many at once, credits once.
func TestOneArrival(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	id := b.waiting(t, anchor.Withdrawal, 7)
	var wg sync.WaitGroup
	results := make(chan error, 16)
	for range 16 {
		wg.Go(func() {
			results <- b.Update(ctx, store.Ledger, func(tx *store.Tx) error {
				if known, err := tx.HasPayment("42"); err != nil || known {
					return errors.Join(err, errors.New("known"))
				}
				a, err := tx.TransactionByMemo(alice, anchor.IDMemo(7))
				if err != nil {
					return err
				}
				p := payment("42")
				p.State, p.Transaction = anchor.Matched, a.ID
				if err := tx.CreatePayment(p); err != nil {
					return err
				}
				if err := tx.SetCursor("stream", anchor.Cursor{Value: "42", Ledger: 3, LedgerHash: "h", ReadUntil: noon}); err != nil {
					return err
				}
				arrival, err := tx.Receive(a, offer(), 100*anchor.One, "h", noon, noon)
				if err == nil && arrival != anchor.Accepted {
					err = errors.New(string(arrival))
				}
				return err
			})
		})
	}
	wg.Wait()
	close(results)
	credited := 0
	for err := range results {
		if err == nil {
			credited++
		}
	}
	if credited != 1 {
		t.Errorf("credited %d times", credited)
	}
	orders, err := b.BankPayoutsOf(ctx, id)
	if err != nil || len(orders) != 1 || orders[0].Amount != anchor.MustAmount("98.5") {
		t.Errorf("%+v, %v", orders, err)
	}
	of, err := b.PaymentsOfEach(ctx, []string{id})
	if err != nil || len(of[id]) != 1 || of[id][0].ID != "42" {
		t.Errorf("%+v, %v", of, err)
	}
	c, ok, err := b.Cursor(ctx, "stream")
	if err != nil || !ok || c != (anchor.Cursor{Value: "42", Ledger: 3, LedgerHash: "h", ReadUntil: noon}) {
		t.Errorf("%+v %v, %v", c, ok, err)
	}
	if _, ok, err := b.Cursor(ctx, "another"); ok || err != nil {
		t.Errorf("a cursor nobody set: %v", err)
	}
	// A second payment with the memo changes nothing.
	b.do(t, func(tx *store.Tx) error {
		a, err := tx.TransactionByMemo(alice, anchor.IDMemo(7))
		if err != nil {
			return err
		}
		arrival, err := tx.Receive(a, offer(), 100*anchor.One, "h2", noon, noon)
		if arrival != anchor.Second {
			t.Errorf("the second is %s", arrival)
		}
		return err
	})
	if j, err := b.Journal(ctx, id); err != nil || len(j) != 1 {
		t.Errorf("%v, %v", j, err)
	}
	balanced(t, b)
}

// TestSessions: what was revoked stays so, what is over is forgotten, and what
// may be used once may not after that either.
func TestSessions(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	s := store.Session{ID: "s", Kind: "customer", Transaction: "1", Name: "n", CreatedAt: noon, ExpiresAt: late}
	save := func(s store.Session) { t.Helper(); b.do(t, func(tx *store.Tx) error { return tx.SaveSession(&s) }) }
	save(s)
	if got, err := b.Session(ctx, "s"); err != nil || *got != s {
		t.Errorf("%+v, %v", got, err)
	}
	longer, revoked := s, s
	longer.ExpiresAt, longer.Kind = late.Add(time.Hour), "staff"
	revoked.RevokedAt = noon.Add(time.Minute)
	save(revoked)
	save(longer) // by a request that read it before
	got, err := b.Session(ctx, "s")
	if err != nil || !got.RevokedAt.Equal(revoked.RevokedAt) || !got.ExpiresAt.Equal(longer.ExpiresAt) || got.Kind != "customer" {
		t.Errorf("revived: %+v, %v", got, err)
	}
	_, err = b.Session(ctx, "t")
	kindIs(t, err, anchor.NotFound, "not_found")

	b.do(t, func(tx *store.Tx) error {
		return errors.Join(tx.UseOnce("a", "short", noon), tx.UseOnce("a", "long", late), tx.UseOnce("a", "ever", time.Time{}))
	})
	b.do(t, func(tx *store.Tx) error { return tx.Sweep(noon) }) // not before it is over
	if n := b.count(t, `SELECT count(*) FROM used`); n != 3 {
		t.Errorf("%d left", n)
	}
	b.do(t, func(tx *store.Tx) error { return tx.Sweep(noon.Add(time.Second)) })
	b.do(t, func(tx *store.Tx) error { return tx.UseOnce("a", "short", noon) })
	for _, key := range []string{"long", "ever"} {
		if used, err := b.Used(ctx, "a", key); !used || err != nil {
			t.Errorf("%s is used: %t, %v", key, used, err)
		}
		if used, err := b.Used(ctx, "b", key); used || err != nil {
			t.Errorf("%s is used for something else: %t, %v", key, used, err)
		}
		kindIs(t, b.Update(ctx, store.Wallet, func(tx *store.Tx) error { return tx.UseOnce("a", key, late) }), anchor.Conflict, "used")
	}
	b.do(t, func(tx *store.Tx) error { return tx.Sweep(late.Add(24 * time.Hour)) })
	_, err = b.Session(ctx, "s")
	kindIs(t, err, anchor.NotFound, "not_found")
	kindIs(t, b.Update(ctx, store.Wallet, func(tx *store.Tx) error { return tx.UseOnce("a", "ever", late) }), anchor.Conflict, "used")
}
