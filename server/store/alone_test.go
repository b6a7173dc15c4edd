package store_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// alone is a search through all that one member of staff can ask for, while the rest
// of the world does what it may. What the bank has taken it remembers itself: books
// can be told that it came back.
type alone struct {
	*testing.T
	tx                        *store.Tx
	terms                     *anchor.Terms
	deposit, withdrawal, line string
	taken                     map[string]anchor.Amount // by order
	past                      []string
	seen                      map[string]int // states, and how many steps were left there
	most                      map[string]anchor.Amount
	looked                    int
}

const ada = "staff:ada"

type step struct {
	name  string
	actor store.Actor
	do    func() error
}

// orders and intents are all that there are.
func (s *alone) paid() (orders []*anchor.BankPayout, intents []*anchor.Payout) {
	for _, cause := range []struct {
		kind anchor.Cause
		id   string
	}{{anchor.CauseTransaction, s.deposit}, {anchor.CauseTransaction, s.withdrawal}, {anchor.CauseLine, s.line}} {
		for _, purpose := range []anchor.Purpose{anchor.ForPayout, anchor.ForRefund} {
			some, err := s.tx.BankPayoutsOf(cause.kind, cause.id, purpose)
			more, err2 := s.tx.PayoutsOf(cause.kind, cause.id, purpose)
			if err := errors.Join(err, err2); err != nil {
				s.Fatal(err)
			}
			orders, intents = append(orders, some...), append(intents, more...)
		}
	}
	return orders, intents
}

// steps are all that Ada may try now, and what the world may do.
func (s *alone) steps() (all []step) {
	on := func(name string, id string, do func(a *anchor.Transaction) error) {
		all = append(all, step{name, ada, func() error {
			a, err := s.tx.Transaction(id)
			if err != nil {
				return err
			}
			return do(a)
		}})
	}
	credit := func(id string, amount int64) anchor.BankLine {
		return anchor.BankLine{ID: id, At: noon, Asset: usd, Amount: anchor.Amount(amount) * anchor.One, PayerName: "Bo", PayerAccount: "777"}
	}
	for id, amount := range map[string]int64{"c1": 100, "c2": 85} {
		on("confirm "+id, s.deposit, func(a *anchor.Transaction) error {
			_, err := s.tx.ConfirmBankFunds(credit(id, amount), a, s.terms, ada, noon)
			return err
		})
	}
	on("assign", s.deposit, func(a *anchor.Transaction) error {
		l, err := s.tx.BankLine(s.line)
		if err != nil {
			return err
		}
		_, err = s.tx.AssignLine(l, a, s.terms, noon)
		return err
	})
	for _, id := range []string{s.deposit, s.withdrawal} {
		on("refund "+id, id, func(a *anchor.Transaction) error { return s.tx.Refund(a, s.terms, a.Refundable(), 0, ada, noon) })
		on("refund 40 of "+id, id, func(a *anchor.Transaction) error { return s.tx.Refund(a, s.terms, 40*anchor.One, 0, ada, noon) })
		on("hold "+id, id, func(a *anchor.Transaction) error {
			if err := a.Hold(noon); err != nil {
				return err
			}
			return s.tx.SaveTransaction(a)
		})
		on("release "+id, id, func(a *anchor.Transaction) error { return s.tx.Release(a, s.terms, noon) })
	}
	if s.line != "" {
		all = append(all, step{"refund the line", ada, func() error {
			l, err := s.tx.BankLine(s.line)
			if err != nil {
				return err
			}
			return s.tx.RefundLine(l, 0, ada, noon)
		}})
	}
	orders, intents := s.paid()
	for _, o := range orders {
		act := func(name string, actor store.Actor, do func() error) {
			all = append(all, step{name + " order " + o.CauseID + fmt.Sprint(o.Purpose, o.Ordinal), actor, do})
		}
		act("returned", ada, func() error { return s.tx.BankPayoutReturned(o.ID, "", "by_phone", noon) })
		act("settled", ada, func() error { return s.tx.BankPayoutSettled(o.ID, "T"+o.ID, noon, noon) })
		act("cancel", ada, func() error { return s.tx.CancelBankPayout(o.ID, noon) })
		act("approve", ada, func() error { return s.tx.ApproveBankPayout(o.ID, ada) })
		act("retry", ada, func() error { _, err := s.tx.RetryBankPayout(o.ID, nil, ada, noon); return err })
		act("retry elsewhere", ada, func() error {
			_, err := s.tx.RetryBankPayout(o.ID, map[string]string{store.PayerAccount: "ada's"}, ada, noon)
			return err
		})
		if o.State == anchor.BankQueued {
			for _, state := range []anchor.BankPayoutState{anchor.BankAsked, anchor.BankRefused} {
				act("the bank has "+string(state), store.BankRail, func() error {
					o.Attempts++
					if o.AskedUntil = noon.Add(time.Minute); state == anchor.BankRefused {
						o.AskedUntil = time.Time{}
					} else {
						s.taken[o.ID] = o.Amount
					}
					_, err := s.tx.RecordBankPayout(o, store.Outcome{State: state, BankID: map[bool]string{true: "T" + o.ID}[state == anchor.BankAsked]}, noon)
					return err
				})
			}
		}
	}
	for _, p := range intents {
		act := func(name string, do func() error) {
			all = append(all, step{name + " intent " + p.CauseID + fmt.Sprint(p.Purpose, p.Ordinal), ada, do})
		}
		act("cancel", func() error { return s.tx.CancelPayout(p.ID, noon) })
		act("approve", func() error { return s.tx.ApprovePayout(p.ID, ada) })
	}
	// A cent is enough to have the rest at Ada's word, and a deadline to have it back.
	all = append(all, step{"10 come", store.BankRail, func() error {
		a, err := s.tx.Transaction(s.deposit)
		if err != nil {
			return err
		}
		l := credit("real", 10)
		arrival, err := s.tx.ReceiveLine(&l, a, s.terms, anchor.PolicyHold, noon)
		if err == nil && !arrival.Funds() {
			err = s.tx.UnmatchedLine(&l, string(arrival))
		}
		return err
	}}, step{"it goes back by itself", store.Clock, func() error {
		a, err := s.tx.Transaction(s.deposit)
		if err != nil {
			return err
		}
		return s.tx.Refund(a, s.terms, a.Refundable(), 0, "", noon)
	}})
	return all
}

// look adds up what may leave or have left, for each cause and on each side, and
// answers what the books look like.
func (s *alone) look() string {
	s.looked++
	var state strings.Builder
	left := map[string]anchor.Amount{}
	orders, intents := s.paid()
	real, err := s.tx.BankLine("real")
	told := map[string]bool{"888": true, "777": err == nil && real.State == anchor.Matched}
	for _, o := range orders {
		_, taken := s.taken[o.ID]
		fmt.Fprintln(&state, o.ID, o.State, o.Amount, o.Attempts, o.AskedUntil, o.RequestedBy, o.To, taken)
		waits := o.State == anchor.BankQueued || o.State == anchor.BankInDoubt
		if taken || waits {
			left["bank "+o.CauseID] += o.Amount
		}
		if account := o.To[store.PayerAccount]; o.Purpose == anchor.ForRefund && !told[account] && (taken || waits) {
			s.Errorf("%s goes to %s, at one person's word: %v", o.Amount, account, s.past)
		}
	}
	for _, p := range intents {
		fmt.Fprintln(&state, p.CauseID, p.Purpose, p.Ordinal, p.State, p.Amount, p.RequestedBy)
		if p.State != anchor.PayoutApproval && p.State != anchor.PayoutCancelled {
			left["ledger "+p.CauseID] += p.Amount
		}
	}
	for what, amount := range left {
		s.most[what] = max(s.most[what], amount)
		if amount > s.terms.PayoutLimit {
			s.Errorf("%s: %s leave at one person's word: %v", what, amount, s.past)
		}
	}
	for _, id := range []string{s.deposit, s.withdrawal} {
		a, err := s.tx.Transaction(id)
		if err != nil {
			s.Fatal(err)
		}
		lines, err := s.tx.ConfirmedLines(id)
		if err != nil {
			s.Fatal(err)
		}
		fmt.Fprintln(&state, a.Status(), a.AmountIn, a.AmountOut, a.AmountRefunded, a.PaidOut(), len(lines))
	}
	for _, id := range []string{s.line, "real"} {
		if l, err := s.tx.BankLine(id); err == nil {
			fmt.Fprintln(&state, l.State, l.Transaction)
		}
	}
	return state.String()
}

// search tries everything, so many steps deep.
func (s *alone) search(depth int) {
	if s.Failed() || depth == 0 {
		return
	}
	for _, next := range s.steps() {
		taken := maps.Clone(s.taken)
		s.past = append(s.past, next.name)
		_ = s.tx.Step(next.actor, next.do, func() {
			if state := s.look(); depth-1 > s.seen[state] {
				s.seen[state] = depth - 1
				s.search(depth - 1)
			}
		})
		s.past, s.taken = s.past[:len(s.past)-1], taken
	}
}

// TestNobodyAlone: whatever one member of staff asks for, in whatever order, and
// whatever bank, statement and clock do meanwhile, no more than the limit leaves for
// one cause on one side, and none to an account that only that person has named. What
// the customers' own money pays within the limit counts, too.
func TestNobodyAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit      int64
		withdrawal bool // and a stranger's line
	}{"what is within the limit, again and again": {150, true}, "what is above it": {60, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			terms := offer()
			terms.PayoutLimit = anchor.Amount(c.limit) * anchor.One
			b.Limit([]*anchor.Terms{terms})
			b.SetLimit(time.Hour)
			s := &alone{T: t, terms: terms, taken: map[string]anchor.Amount{}, seen: map[string]int{}, most: map[string]anchor.Amount{}, deposit: b.waiting(t, anchor.Deposit, 8)}
			if s.withdrawal = b.waiting(t, anchor.Withdrawal, 9); c.withdrawal {
				s.withdrawal, s.line = b.paidIn(t, anchor.Withdrawal, 7), "l"
				b.do(t, func(tx *store.Tx) error {
					return tx.UnmatchedLine(&anchor.BankLine{ID: "l", At: noon, Asset: usd, Amount: 100 * anchor.One, PayerName: "Eve", PayerAccount: "888"}, anchor.UnknownReference)
				})
			}
			undone := errors.New("all of it is undone")
			if err := b.Update(t.Context(), ada, func(tx *store.Tx) error { s.tx = tx; s.search(4); return undone }); !errors.Is(err, undone) {
				t.Fatal(err)
			}
			t.Log(s.looked, "looks,", len(s.seen), "states; at most", s.most)
		})
	}
}
