package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"windlass/server/anchor"
	"windlass/server/store"
)

// whatever is one transaction to which anything happens, in any order.
type whatever struct {
	*books
	t     *rapid.T
	id    string
	kind  anchor.Kind
	terms *anchor.Terms // as they are now
	today *big.Rat      // what they give for one
	rate  *big.Rat      // what the transaction does
	now   time.Time
	fresh func() int // memos, references and payments: each is used once
}

// TestWhateverHappens does random things to deposits and withdrawals in real
// books, at prices that move: money that fits and does not, refunds in parts that are taken back again,
// holds, envelopes that apply or do not, a bank that pays, refuses and takes back. What is refused must
// change nothing; and after every step the formula holds, the journal owes what
// the transaction says, and nothing is paid that was not decided.
func TestWhateverHappens(t *testing.T) {
	t.Parallel()
	b, numbers := newBooks(t), 0
	rapid.Check(t, func(t *rapid.T) {
		w := &whatever{books: b, t: t, fresh: func() int { numbers++; return numbers }, kind: rapid.SampledFrom([]anchor.Kind{anchor.Deposit, anchor.Withdrawal}).Draw(t, "kind"), now: noon}
		w.terms = offer()
		decimals := map[anchor.Kind]*int{anchor.Deposit: &w.terms.Decimals, anchor.Withdrawal: &w.terms.OffChainDecimals} // of what is given
		*decimals[w.kind] = rapid.SampledFrom([]int{2, 2, 0, 4, 7}).Draw(t, "decimals")
		w.reprice()
		a := start(w.kind)
		if err := agreeBy(w.terms, a, uint64(w.fresh())); err != nil {
			t.Fatal(err)
		}
		w.id, w.rate = a.ID, w.today
		w.must(func(tx *store.Tx) error { return tx.CreateTransaction(a) })
		type step struct {
			name  string
			often int
			do    func(*store.Tx, *anchor.Transaction) error
		}
		var steps []step
		for _, s := range []step{
			{"ledger", 8, w.ledger},
			{"bank", 8, w.bank},
			{"refund", 4, w.refund},
			{"park", 2, w.park},
			{"take back", 3, w.takeBack},
			{"retry", 4, func(tx *store.Tx, a *anchor.Transaction) error { return tx.Retry(a, w.terms, w.now) }},
			{"release", 3, func(tx *store.Tx, a *anchor.Transaction) error { return tx.Release(a, w.terms, w.now) }},
			{"arrives", 2, w.arrives},
			{"assign", 2, w.assign},
			{"fail", 2, func(tx *store.Tx, a *anchor.Transaction) error {
				return errors.Join(a.Fail("parked", w.now), tx.SaveTransaction(a))
			}},
			{"hold", 1, func(tx *store.Tx, a *anchor.Transaction) error {
				return errors.Join(a.Hold(w.now), tx.SaveTransaction(a))
			}},
			{"cancel", 1, func(tx *store.Tx, a *anchor.Transaction) error {
				return errors.Join(a.Cancel(w.now), tx.SaveTransaction(a))
			}},
			{"expire", 1, func(tx *store.Tx, a *anchor.Transaction) error {
				return errors.Join(a.Expire(late.Add(time.Hour)), tx.SaveTransaction(a))
			}},
		} {
			steps = append(steps, slices.Repeat([]step{s}, s.often)...)
		}
		if rapid.IntRange(0, 3).Draw(t, "pays") > 0 {
			w.step(w.arrives)
		}
		for range 30 {
			w.now = w.now.Add(time.Minute)
			s := steps[rapid.IntRange(0, len(steps)-1).Draw(t, "step")]
			t.Log(s.name)
			if rapid.IntRange(0, 4).Draw(t, "moves") == 0 {
				w.reprice()
			}
			w.step(s.do)
		}
	})
}

// reprice is another day, and mostly another price.
func (w *whatever) reprice() {
	w.t.Helper()
	price := rapid.SampledFrom([]string{"1", "1", "0.1176", "3", "12.5", "0.333333333333"}).Draw(w.t, "price")
	rate, err := anchor.Quote(w.kind, price, w.terms.Decimals, w.terms.OffChainDecimals)
	if err != nil {
		w.t.Fatal(err)
	}
	w.terms.Side(w.kind).Rate = rate
	w.today, _ = new(big.Rat).SetString(price)
	if w.kind == anchor.Deposit {
		w.today.Inv(w.today)
	}
}

// worth is what the transaction's rate gives, in fractions.
func (w *whatever) worth(in anchor.Amount) *big.Rat {
	return new(big.Rat).Mul(w.rate, new(big.Rat).SetInt64(int64(in)))
}

// paysOut is what of it can be paid.
func (w *whatever) paysOut(a *anchor.Transaction, in anchor.Amount) anchor.Amount {
	worth := w.worth(in)
	n := new(big.Int).Div(worth.Num(), worth.Denom())
	return anchor.Amount(n.Int64()).Floor(w.terms.DecimalsOf(a.Out()))
}

func (w *whatever) must(fn func(*store.Tx) error) {
	w.t.Helper()
	if err := w.Update(context.Background(), store.Operator, fn); err != nil {
		w.t.Fatal(err)
	}
}

// step does one thing. A refusal rolls it back; anything but a refusal is a fault.
func (w *whatever) step(do func(*store.Tx, *anchor.Transaction) error) {
	w.t.Helper()
	before := w.entries()
	err := w.Update(context.Background(), store.Operator, func(tx *store.Tx) error {
		a, err := tx.Transaction(w.id)
		if err != nil {
			return err
		}
		return do(tx, a)
	})
	if err != nil {
		if k := anchor.KindOf(err); k != anchor.Conflict && k != anchor.Invalid {
			w.t.Fatalf("%v", err)
		}
		if after := w.entries(); len(after) != len(before) {
			w.t.Fatalf("it was refused (%v), and yet %d entries were made", err, len(after)-len(before))
		}
	}
	w.holds()
}

func (w *whatever) entries() []store.JournalEntry {
	all, err := w.Journal(context.Background(), w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// holds are the invariants.
func (w *whatever) holds() {
	w.t.Helper()
	a, err := w.Transaction(context.Background(), w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	left := a.AmountIn - a.AmountFee - a.AmountRefunded - a.RefundFee
	if a.AmountOut != w.paysOut(a, left) || min(a.AmountOut, a.AmountFee, a.AmountRefunded, a.RefundFee) < 0 {
		w.t.Fatalf("%s: %s − %s − %s − %s at %s is not %s", a.Status(), a.AmountIn, a.AmountFee, a.AmountRefunded, a.RefundFee, w.rate, a.AmountOut)
	}
	sums := map[anchor.Ledger]map[anchor.Asset]anchor.Amount{}
	for _, e := range w.entries() {
		for _, p := range e.Postings {
			if sums[p.Account] == nil {
				sums[p.Account] = map[anchor.Asset]anchor.Amount{}
			}
			sums[p.Account][p.Asset] += p.Amount
		}
	}
	var flying, flyingBack, paid, back, promised anchor.Amount
	var ways []anchor.Amount // to pay it out, of which none has ended for nothing
	count := func(purpose anchor.Purpose, amount anchor.Amount, inFlight, done, open bool) {
		payout := purpose == anchor.ForPayout
		switch {
		case inFlight && payout:
			flying += amount
		case inFlight:
			flyingBack += amount
		case done && payout:
			paid += amount
		case done:
			back += amount
		}
		switch {
		case open && payout:
			ways = append(ways, amount)
		case open:
			promised += amount
		}
	}
	intents, err := w.PayoutsOf(context.Background(), anchor.CauseTransaction, w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range intents {
		count(p.Purpose, p.Amount, p.State == anchor.PayoutInEnvelope, p.State == anchor.PayoutPaid, p.State != anchor.PayoutCancelled)
	}
	orders, err := w.BankPayoutsOf(context.Background(), w.id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range orders {
		ended := o.State == anchor.BankCancelled || o.State == anchor.BankRefused && o.Purpose == anchor.ForPayout
		count(o.Purpose, o.Amount, o.State == anchor.BankAsked, o.State == anchor.BankPaid, !ended)
	}
	var owed anchor.Amount
	if a.Funded() && !a.PaidOut() {
		owed = a.AmountOut
	}
	var came, kept, given anchor.Amount
	if a.Funded() {
		came, kept, given = a.AmountIn, a.AmountFee+a.RefundFee, a.AmountOut
	} else {
		left = 0
	}
	holding := anchor.Distribution
	if a.Kind == anchor.Withdrawal {
		holding = anchor.Bank
	}
	for _, c := range []struct {
		account anchor.Ledger
		asset   anchor.Asset
		want    anchor.Amount
	}{
		{anchor.Customers, a.Out(), -owed},
		{anchor.Refunds, a.In(), back - a.AmountRefunded},
		{anchor.Fees, a.In(), -kept},
		{anchor.Exchange, a.In(), -left},
		{anchor.Exchange, a.Out(), given},
		{anchor.InFlight, a.Out(), flying},
		{anchor.InFlight, a.In(), flyingBack},
		{a.Place(), a.In(), came - flyingBack - back},
		{holding, a.Out(), -flying - paid},
	} {
		has := sums[c.account][c.asset]
		if c.account == a.Place() { // what came for nobody and was found is booked both ways
			has += sums[anchor.Suspense][c.asset]
		}
		if has != c.want {
			w.t.Fatalf("%s %s: %s has %s %s, want %s", a.Kind, a.Status(), c.account, has, c.asset.Code, c.want)
		}
	}
	switch {
	case len(ways) > 1, len(ways) == 1 && ways[0] != a.AmountOut:
		w.t.Fatalf("of %s these are to be paid, or were: %v", a.AmountOut, ways)
	case (a.Status() == anchor.Refunded) != (a.Funded() && a.AmountRefunded+a.RefundFee == a.AmountIn && back == a.AmountRefunded):
		w.t.Fatalf("%s of %s went back, and it is %s", back, a.AmountIn, a.Status())
	case paid != 0 && paid != a.AmountOut, (paid != 0) != a.PaidOut():
		w.t.Fatalf("%s was paid of %s, %s", paid, a.AmountOut, a.Status())
	case promised != a.AmountRefunded:
		w.t.Fatalf("%s is to go back, and %s was decided", promised, a.AmountRefunded)
	case new(big.Rat).SetInt64(int64(paid)).Cmp(w.worth(a.AmountIn-back-a.RefundFee)) > 0:
		w.t.Fatalf("of %s came %s went out and %s back, at %s", a.AmountIn, paid, back, w.rate)
	}
}

// cents draws an amount.
func (w *whatever) cents(name string, most anchor.Amount) anchor.Amount {
	return anchor.Amount(rapid.Int64Range(1, max(1, int64(most/100_000))).Draw(w.t, name)) * 100_000
}

// arrives is money for the transaction, of any amount; what does not fit stays
// unmatched.
func (w *whatever) arrives(tx *store.Tx, a *anchor.Transaction) error {
	in := rapid.SampledFrom([]anchor.Amount{100, 100, 100, 95, 109, 130, 50, 20_000}).Draw(w.t, "in") * anchor.One
	ref := strconv.Itoa(w.fresh())
	arrival, err := tx.Receive(a, w.terms, in, ref, w.now, w.now)
	if err != nil {
		return err
	}
	state := anchor.Matched
	if !arrival.Funds() {
		state = anchor.Unmatched
		if err := tx.Post(w.now, anchor.Move("unmatched", "", ref, a.In(), in, anchor.Suspense, a.Place())); err != nil {
			return err
		}
	}
	if w.kind == anchor.Deposit {
		return tx.CreateBankLine(&anchor.BankLine{ID: ref, At: w.now, Asset: usd, Amount: in, PayerName: "Ada", PayerAccount: "777", State: state, Transaction: w.id})
	}
	p := payment(ref)
	p.Asset, p.Amount, p.Hash, p.State, p.Transaction = usdw, in, ref, state, w.id
	return tx.CreatePayment(p)
}

func (w *whatever) refund(tx *store.Tx, a *anchor.Transaction) error {
	amount := w.cents("refund", a.AmountIn)
	if rapid.Bool().Draw(w.t, "all") {
		amount = a.Refundable()
	}
	return tx.Refund(a, w.terms, amount, anchor.Amount(rapid.IntRange(0, 2).Draw(w.t, "fee"))*anchor.One/2, "staff:ada", w.now)
}

// park leaves a refund to a person, as one is that its sender cannot take.
func (w *whatever) park(tx *store.Tx, _ *anchor.Transaction) error {
	all, err := tx.PayoutsOf(anchor.CauseTransaction, w.id, anchor.ForRefund)
	for _, p := range all {
		if p.State == anchor.PayoutQueued {
			p.State = rapid.SampledFrom([]anchor.PayoutState{anchor.PayoutParked, anchor.PayoutApproval}).Draw(w.t, "as")
			return tx.SavePayout(p)
		}
	}
	return err
}

// takeBack cancels any intent or order at all, which only what brings money back
// and cannot have left allows.
func (w *whatever) takeBack(tx *store.Tx, _ *anchor.Transaction) error {
	var cancel []func() error
	for _, purpose := range []anchor.Purpose{anchor.ForPayout, anchor.ForRefund} {
		intents, err := tx.PayoutsOf(anchor.CauseTransaction, w.id, purpose)
		if err != nil {
			return err
		}
		orders, err := tx.BankPayoutsOf(anchor.CauseTransaction, w.id, purpose)
		if err != nil {
			return err
		}
		for _, p := range intents {
			cancel = append(cancel, func() error { return tx.CancelPayout(p.ID, w.now) })
		}
		for _, o := range orders {
			cancel = append(cancel, func() error { return tx.CancelBankPayout(o.ID, w.now) })
		}
	}
	if len(cancel) == 0 {
		return nil
	}
	return cancel[rapid.IntRange(0, len(cancel)-1).Draw(w.t, "which")]()
}

// assign gives it what came for it and did not fit.
func (w *whatever) assign(tx *store.Tx, a *anchor.Transaction) error {
	waits := !a.Funded()
	if w.kind == anchor.Deposit {
		lines, err := tx.BankLinesOf(w.id, anchor.Unmatched, 1)
		if err != nil || len(lines) == 0 {
			return err
		}
		_, err = tx.AssignLine(lines[0], a, w.terms, w.now)
		return w.assigned(a, waits, err)
	}
	came, err := tx.PaymentsOf(w.id, anchor.Unmatched, 1)
	if err != nil || len(came) == 0 {
		return err
	}
	_, err = tx.AssignPayment(came[0], a, w.terms, w.now)
	return w.assigned(a, waits, err)
}

// assigned is at today's price.
func (w *whatever) assigned(a *anchor.Transaction, waits bool, err error) error {
	if err == nil && waits && a.Funded() {
		w.rate = w.today
	}
	return err
}

// ledger does the next thing to one of the intents, as the payout engine would.
func (w *whatever) ledger(tx *store.Tx, a *anchor.Transaction) error {
	purpose := rapid.SampledFrom([]anchor.Purpose{anchor.ForPayout, anchor.ForRefund}).Draw(w.t, "purpose")
	all, err := tx.PayoutsOf(anchor.CauseTransaction, w.id, purpose)
	if err != nil || len(all) == 0 {
		return err
	}
	p := all[rapid.IntRange(0, len(all)-1).Draw(w.t, "which")]
	payout := purpose == anchor.ForPayout
	var step func() error
	var entry *anchor.Entry
	switch {
	case p.State == anchor.PayoutQueued && (!payout || p.Amount == a.AmountOut):
		e := envelope(fmt.Sprint("channel", w.fresh()), fmt.Sprint("hash", w.fresh()), p.ID)
		if err := tx.CreateEnvelope(e); err != nil {
			return err
		}
		p.State, p.Envelope, entry = anchor.PayoutInEnvelope, e.ID, p.Sent(e.Hash)
		step = func() error { return a.PayoutSigned(w.now) }
	case p.State == anchor.PayoutInEnvelope:
		e, err := tx.Envelope(p.Envelope)
		if err != nil {
			return err
		}
		applied := rapid.Bool().Draw(w.t, "applied")
		if applied {
			e.State, p.State, entry = anchor.EnvelopeApplied, anchor.PayoutPaid, p.Arrived(e.Hash)
			step = func() error { return a.PaidOnLedger(e.Hash, w.now, w.now) }
		} else {
			e.State, p.State, p.Envelope, entry = anchor.EnvelopeImpossible, anchor.PayoutQueued, "", p.Returned(e.Hash)
			step = func() error { return a.PayoutReturned(w.now) }
		}
		if err := tx.SaveEnvelope(e); err != nil {
			return err
		}
		if applied && !payout {
			step = nil
			if _, err := tx.RefundArrived(p.CauseKind, p.CauseID, e.Hash, p.Amount, p.Fee, w.now); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	if err := errors.Join(tx.SavePayout(p), tx.Post(w.now, entry)); err != nil || !payout {
		return err
	}
	if err := step(); err != nil && p.State == anchor.PayoutInEnvelope {
		return err // it is not signed
	}
	return tx.SaveTransaction(a) // what the ledger has done is a fact, whatever the status says
}

// bank does the next thing to one of the orders, as the rail would.
func (w *whatever) bank(tx *store.Tx, a *anchor.Transaction) error {
	purpose := rapid.SampledFrom([]anchor.Purpose{anchor.ForPayout, anchor.ForRefund}).Draw(w.t, "purpose")
	all, err := tx.BankPayoutsOf(anchor.CauseTransaction, w.id, purpose)
	if err != nil || len(all) == 0 {
		return err
	}
	o := all[rapid.IntRange(0, len(all)-1).Draw(w.t, "which")]
	payout := purpose == anchor.ForPayout
	var step func() error
	var entry *anchor.Entry
	arrived := false
	switch o.State {
	case anchor.BankQueued:
		if _, ok := anchor.Find(a, anchor.BankTold); payout && !ok {
			return nil
		}
		o.State, o.Attempts, entry = anchor.BankAsked, 1, o.Sent("b")
		step = func() error { return a.BankTold(w.now) }
	case anchor.BankAsked:
		if rapid.Bool().Draw(w.t, "settles") {
			o.State, entry, arrived = anchor.BankPaid, o.Arrived("b"), true
			step = func() error { return a.PaidByBank("b", w.now, w.now) }
		} else {
			o.State, entry = anchor.BankRefused, o.Returned("b")
			step = func() error { return a.BankGaveBack(w.now) }
		}
	default:
		return nil
	}
	if err := errors.Join(tx.SaveBankPayout(o), tx.Post(w.now, entry)); err != nil {
		return err
	}
	if !payout {
		if arrived {
			_, err = tx.RefundArrived(o.CauseKind, o.CauseID, "b", o.Amount, o.Fee, w.now)
		}
		return err
	}
	_ = step() // what the bank has done is a fact, whatever the status says
	return tx.SaveTransaction(a)
}
