package anchor_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"windlass/server/anchor"
)

// funded is a transaction whose money has just come in.
func funded(t fatal, kind anchor.Kind, in anchor.Amount) (*anchor.Transaction, *anchor.Terms) {
	t.Helper()
	terms := offer()
	a := waiting(t, kind, terms, in)
	if _, _, err := a.Receive(terms, in, "ref", someday, someday); err != nil {
		t.Fatalf("receive: %v", err)
	}
	return a, terms
}

type fatal interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
	Fatal(...any)
}

// TestRefund: what may go back, and what is left to pay.
func TestRefund(t *testing.T) {
	t.Parallel()
	m := func(s string) anchor.Amount {
		if s[0] == '-' {
			return -anchor.MustAmount(s[1:])
		}
		return anchor.MustAmount(s)
	}
	for _, c := range []struct {
		name        string
		amount, fee string
		paid        bool // the payout has arrived before
		code        string
		out, earned string
	}{
		{name: "all of it, the anchor's fee included", amount: "50", fee: "0", out: "0", earned: "0"},
		{name: "all of it, less a fee for doing so", amount: "49", fee: "1", out: "0", earned: "0"},
		{name: "a part", amount: "10", fee: "0", out: "37.75", earned: "2.25"},
		{name: "a part, with a fee", amount: "10", fee: "0.5", out: "37.25", earned: "2.25"},
		{name: "all but a cent of what would be paid", amount: "47.74", fee: "0", out: "0.01", earned: "2.25"},
		{name: "all that would be paid", amount: "47.75", fee: "0", code: "refund_leaves_nothing"},
		{name: "more than came in", amount: "50.0000001", fee: "0", code: "refund_too_large"},
		{name: "more than came in with the fee", amount: "50", fee: "0.01", code: "refund_too_large"},
		{name: "a fee beyond all bounds", amount: "1", fee: "922337203685.4775807", code: "refund_too_large"},
		{name: "nothing", amount: "0", fee: "0", code: "refund_malformed"},
		{name: "less than nothing", amount: "-1", fee: "0", code: "refund_malformed"},
		{name: "a negative fee", amount: "10", fee: "-1", code: "refund_malformed"},
		{name: "what the bank cannot pay the rest of", amount: "0.001", fee: "0", code: "amount_too_precise"},
		{name: "after the payout: the fee", amount: "2.25", fee: "0", paid: true, out: "47.75", earned: "0"},
		{name: "after the payout: a part of the fee", amount: "1", fee: "0.25", paid: true, out: "47.75", earned: "1"},
		{name: "after the payout: more than the fee", amount: "2.26", fee: "0", paid: true, code: "refund_too_large"},
	} {
		a, terms := funded(t, anchor.Withdrawal, m("50"))
		if c.paid {
			must(t, a.BankTold(someday))
			must(t, a.PaidByBank("b", someday, someday))
		}
		was := *a
		e, _, err := a.Refund(terms, m(c.amount), m(c.fee))
		if c.code != "" {
			if got := codeOf(err); got != c.code {
				t.Errorf("%s: %v, want %s", c.name, err, c.code)
			}
			if a.AmountOut != was.AmountOut || a.AmountRefunded != 0 || a.AmountFee != was.AmountFee {
				t.Errorf("%s: refused, and yet %+v", c.name, a)
			}
			continue
		}
		if err != nil || a.AmountOut != m(c.out) || a.AmountFee != m(c.earned) || a.AmountRefunded != m(c.amount) || a.RefundFee != m(c.fee) {
			t.Errorf("%s: %v; out %s, fee %s", c.name, err, a.AmountOut, a.AmountFee)
			continue
		}
		adds(t, a)
		var lines anchor.Amount
		for _, l := range a.FeeLines {
			lines += l.Amount
		}
		if lines != a.AmountFee {
			t.Errorf("%s: the fee's lines add up to %s, not %s", c.name, lines, a.AmountFee)
		}
		if err := e.Balanced(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		must(t, a.RefundArrived(anchor.Refund{ID: "h", Amount: m(c.amount), Fee: m(c.fee)}, someday.Add(time.Hour)))
		want := map[bool]anchor.Status{true: anchor.Refunded, false: anchor.PendingAnchor}[c.out == "0"]
		if c.paid {
			want = anchor.Completed
		}
		if a.Status() != want {
			t.Errorf("%s: it is %s, want %s", c.name, a.Status(), want)
		}
	}
}

// TestRefundWhen: only money that is here, and not on its way, can go back; and
// what goes back is not paid out.
func TestRefundWhen(t *testing.T) {
	t.Parallel()
	terms := offer()
	refund := func(a *anchor.Transaction) error { _, _, err := a.Refund(terms, 10*anchor.One, 0); return err }
	kindIs(t, refund(waiting(t, anchor.Withdrawal, terms, 50*anchor.One)), anchor.Conflict, "not_funded")
	a, _ := funded(t, anchor.Deposit, 50*anchor.One)
	must(t, a.PayoutSigned(someday))
	kindIs(t, refund(a), anchor.Conflict, "state_refused")
	b, _ := funded(t, anchor.Withdrawal, 50*anchor.One)
	must(t, b.BankTold(someday))
	kindIs(t, refund(b), anchor.Conflict, "state_refused")

	// Two halves make a whole, which ends it only when both have arrived.
	c, _ := funded(t, anchor.Withdrawal, 50*anchor.One)
	for _, part := range []anchor.Amount{20 * anchor.One, 30 * anchor.One} {
		if _, _, err := c.Refund(terms, part, 0); err != nil {
			t.Fatal(err)
		}
	}
	kindIs(t, c.BankTold(someday), anchor.Conflict, "state_refused")
	kindIs(t, refund(c), anchor.Invalid, "refund_too_large")
	must(t, c.RefundArrived(anchor.Refund{ID: "1", Amount: 30 * anchor.One}, someday))
	if c.Status() != anchor.PendingAnchor {
		t.Errorf("half of it has arrived, and it is %s", c.Status())
	}
	must(t, c.RefundArrived(anchor.Refund{ID: "2", Amount: 20 * anchor.One}, someday))
	if c.Status() != anchor.Refunded || c.AmountOut != 0 || c.AmountFee != 0 {
		t.Errorf("%+v", c)
	}

	// The bank takes back what it had paid: then all of it can go back.
	d, _ := funded(t, anchor.Withdrawal, 50*anchor.One)
	must(t, d.BankTold(someday))
	must(t, d.PaidByBank("b", someday, someday))
	must(t, d.BankGaveBack(someday))
	if d.Status() != anchor.OnHold || d.PaidOut() {
		t.Fatalf("%s", d.Status())
	}
	if _, _, err := d.Refund(terms, 50*anchor.One, 0); err != nil {
		t.Error(err)
	}
	kindIs(t, d.Release(someday), anchor.Conflict, "state_refused")
}

// TestUndoRefund: a refund that was taken back leaves the transaction as it was,
// in whatever order several are, and what it would pay more waits for a person.
func TestUndoRefund(t *testing.T) {
	t.Parallel()
	type refund struct{ amount, fee string }
	m := anchor.MustAmount
	for _, c := range []struct {
		name    string
		kind    anchor.Kind
		refunds []refund
		undo    []int
		then    func(*anchor.Transaction) error // after the refunds
		code    string                          // of the last undo
		status  anchor.Status
		out     string
		fee     string
	}{
		{"all of it", anchor.Withdrawal, []refund{{"50", "0"}}, []int{0}, nil, "", anchor.OnHold, "47.75", "2.25"},
		{"all, less a fee", anchor.Deposit, []refund{{"49", "1"}}, []int{0}, nil, "", anchor.OnHold, "48.75", "1.25"},
		{"a part", anchor.Deposit, []refund{{"10", "0.5"}}, []int{0}, nil, "", anchor.OnHold, "48.75", "1.25"},
		{"one of two parts", anchor.Deposit, []refund{{"10", "0"}, {"20", "1"}}, []int{0}, nil, "", anchor.OnHold, "27.75", "1.25"},
		{"the rest of it", anchor.Withdrawal, []refund{{"10", "0"}, {"40", "0"}}, []int{1}, nil, "", anchor.OnHold, "37.75", "2.25"},
		{"a part, the rest of it has gone too", anchor.Withdrawal, []refund{{"10", "0"}, {"40", "0"}}, []int{0}, nil, "", anchor.OnHold, "10", "0"},
		{"both, as they were made", anchor.Withdrawal, []refund{{"10", "0"}, {"40", "0"}}, []int{0, 1}, nil, "", anchor.OnHold, "47.75", "2.25"},
		{"what is held stays so", anchor.Withdrawal, []refund{{"10", "0"}}, []int{0}, func(a *anchor.Transaction) error { return a.Hold(someday) }, "", anchor.OnHold, "47.75", "2.25"},
		{"what has failed stays so", anchor.Deposit, []refund{{"10", "0"}}, []int{0}, func(a *anchor.Transaction) error { return a.Fail("parked", someday) }, "", anchor.Failed, "48.75", "1.25"},
		{"while its destination cannot take it", anchor.Deposit, []refund{{"10", "0"}}, []int{0}, func(a *anchor.Transaction) error { return a.TrustMissing(deadline, someday) }, "", anchor.OnHold, "48.75", "1.25"},
		{"while the rest is on its way", anchor.Deposit, []refund{{"10", "0"}}, []int{0}, func(a *anchor.Transaction) error { return a.PayoutSigned(someday) }, "payout_under_way", anchor.PendingStellar, "38.75", "1.25"},
		{"while the bank has the rest", anchor.Withdrawal, []refund{{"10", "0"}}, []int{0}, func(a *anchor.Transaction) error { return a.BankTold(someday) }, "payout_under_way", anchor.PendingExternal, "37.75", "2.25"},
		{"while the cash of the rest lies ready", anchor.Withdrawal, []refund{{"10", "0"}}, []int{0}, func(a *anchor.Transaction) error { return a.CashReady(deadline, someday) }, "payout_under_way", anchor.PendingUserTransferComplete, "37.75", "2.25"},
		{"the rest was paid", anchor.Withdrawal, []refund{{"10", "0"}}, []int{0}, paidByBank, "paid_out", anchor.Completed, "37.75", "2.25"},
	} {
		a, terms := funded(t, c.kind, m("50"))
		backs := make([][]anchor.FeeLine, len(c.refunds))
		for i, r := range c.refunds {
			_, back, err := a.Refund(terms, m(r.amount), m(r.fee))
			must(t, err)
			backs[i] = back
		}
		var err error
		if c.then != nil {
			err = c.then(a)
		}
		for _, i := range c.undo {
			if err != nil {
				break
			}
			var e *anchor.Entry
			if e, err = a.UndoRefund(m(c.refunds[i].amount), m(c.refunds[i].fee), backs[i], someday); err == nil {
				must(t, e.Balanced())
			}
			adds(t, a)
		}
		if got := codeOf(err); got != c.code || a.Status() != c.status || a.AmountOut != m(c.out) || a.AmountFee != m(c.fee) {
			t.Errorf("%s: %v; %s, out %s, fee %s", c.name, err, a.Status(), a.AmountOut, a.AmountFee)
		}
		var lines anchor.Amount
		for _, l := range a.FeeLines {
			lines += l.Amount
		}
		if lines != a.AmountFee {
			t.Errorf("%s: the fee's lines add up to %s, not %s", c.name, lines, a.AmountFee)
		}
	}

	// Of what was paid out only the fee can go back, and stay after all.
	a, terms := funded(t, anchor.Withdrawal, m("50"))
	was := a.FeeLines
	must(t, paidByBank(a))
	_, back, err := a.Refund(terms, m("2"), m("0.25"))
	must(t, err)
	if _, err := a.UndoRefund(m("2"), m("0.25"), back, someday); err != nil || a.AmountFee != m("2.25") || a.AmountOut != m("47.75") || a.Status() != anchor.Completed || !slices.Equal(a.FeeLines, was) {
		t.Errorf("%v; %+v", err, a)
	}
	// What was not decided cannot be taken back.
	if _, err := a.UndoRefund(1, 0, nil, someday); anchor.KindOf(err) != anchor.Internal {
		t.Error(err)
	}
}

func paidByBank(a *anchor.Transaction) error {
	return errors.Join(a.BankTold(someday), a.PaidByBank("b", someday, someday))
}

// TestRefundsKeepTheBooks: whatever is refunded in whatever parts, with whatever
// fees, and taken back in whatever order, each step's entry balances, the formula
// holds, and when all has gone back nothing is owed and nothing earned but the fees
// for refunds.
func TestRefundsKeepTheBooks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(bothKinds).Draw(t, "kind")
		cents := func(name string, most anchor.Amount) anchor.Amount {
			return anchor.Amount(rapid.Int64Range(0, int64(most/100_000)).Draw(t, name)) * 100_000
		}
		in := 10*anchor.One + cents("in", 990*anchor.One)
		terms := offer()
		terms.Side(kind).Rate = someRate(t, kind, terms)
		a := waiting(t, kind, terms, in)
		books := map[anchor.Ledger]map[anchor.Asset]anchor.Amount{}
		post := func(e *anchor.Entry) {
			if err := e.Balanced(); err != nil {
				t.Fatalf("%v", err)
			}
			for _, p := range e.Postings {
				if books[p.Account] == nil {
					books[p.Account] = map[anchor.Asset]anchor.Amount{}
				}
				books[p.Account][p.Asset] += p.Amount
			}
		}
		_, e, err := a.Receive(terms, in, "ref", someday, someday)
		if err != nil {
			t.Fatalf("%v", err)
		}
		post(e)
		type refund struct {
			amount, fee anchor.Amount
			back        []anchor.FeeLine
		}
		var open []refund // decided, and not on their way
		one := func() refund {
			i := rapid.IntRange(0, len(open)-1).Draw(t, "which")
			r := open[i]
			open = slices.Delete(open, i, i+1)
			return r
		}
		decide := func() {
			amount, fee := cents("amount", in), cents("fee", anchor.One)
			if rapid.Bool().Draw(t, "the rest") {
				amount = a.Refundable() - fee
			}
			e, back, err := a.Refund(terms, amount, fee)
			if err != nil {
				return
			}
			post(e)
			open = append(open, refund{amount, fee, back})
		}
		arrive := func() {
			r := one()
			post(anchor.Move("sent", a.ID, "", a.In(), r.amount, a.Place(), anchor.InFlight))
			post(anchor.Move("arrived", a.ID, "", a.In(), r.amount, anchor.InFlight, anchor.Refunds))
			if err := a.RefundArrived(anchor.Refund{ID: "r", Amount: r.amount, Fee: r.fee}, someday); err != nil {
				t.Fatalf("%v", err)
			}
		}
		undo := func() {
			r := one()
			e, err := a.UndoRefund(r.amount, r.fee, r.back, someday)
			if err != nil {
				t.Fatalf("%v", err)
			}
			post(e)
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			steps := []func(){decide}
			if len(open) > 0 {
				steps = append(steps, arrive, undo)
			}
			steps[rapid.IntRange(0, len(steps)-1).Draw(t, "step")]()
			adds(t, a)
			var owed, lines, arrived anchor.Amount
			for _, r := range open {
				owed += r.amount
			}
			for _, l := range a.FeeLines {
				lines += l.Amount
			}
			for _, r := range a.Refunds {
				arrived += r.Amount
			}
			if lines != a.AmountFee || arrived+owed != a.AmountRefunded {
				t.Fatalf("%s of fees in lines of %s; %s went and %s goes back of %s", a.AmountFee, lines, arrived, owed, a.AmountRefunded)
			}
			if books[anchor.Exchange][a.In()] != -a.Exchanged() || books[anchor.Exchange][a.Out()] != a.AmountOut {
				t.Fatalf("exchanged %s for %s, and the books have %v", a.Exchanged(), a.AmountOut, books[anchor.Exchange])
			}
			if books[anchor.Customers][a.Out()] != -a.AmountOut || books[anchor.Fees][a.In()] != -(a.AmountFee+a.RefundFee) || books[anchor.Refunds][a.In()] != -owed {
				t.Fatalf("owed %s, earned %s, on the way back %s; the transaction says out %s, fee %s and %s kept",
					books[anchor.Customers][a.Out()], books[anchor.Fees][a.In()], books[anchor.Refunds][a.In()], a.AmountOut, a.AmountFee, a.RefundFee)
			}
			if whole := arrived+a.RefundFee == in && len(open) == 0; whole != (a.Status() == anchor.Refunded) {
				t.Fatalf("%s of %s went back, and it is %s", arrived, in, a.Status())
			}
		}
	})
}

// TestReviveAndAssign: what came late, or as nobody expected, and is taken all
// the same.
func TestReviveAndAssign(t *testing.T) {
	t.Parallel()
	m := anchor.MustAmount
	after := deadline.Add(time.Hour)
	expired := func(terms *anchor.Terms) *anchor.Transaction {
		a := waiting(t, anchor.Withdrawal, terms, m("100"))
		must(t, a.Expire(after))
		return a
	}
	for _, c := range []struct {
		name   string
		in     string
		revive anchor.Arrival
		assign anchor.Arrival
	}{
		{"the amount", "100", anchor.Accepted, anchor.Accepted},
		{"nearly the amount", "91", anchor.Accepted, anchor.Accepted},
		{"half of it", "50", anchor.Late, anchor.Accepted},
		{"twice as much", "200", anchor.Late, anchor.Accepted},
		{"below the limits", "9", anchor.Late, anchor.Small},
		{"above the limits", "1001", anchor.Late, anchor.Large},
	} {
		terms := offer()
		terms.Withdraw.Fee.Fixed = 3 * anchor.One // today's price is another
		a := expired(offer())
		got, e, err := a.Revive(terms, m(c.in), "ref", after, after)
		if err != nil || got != c.revive || (e != nil) != (got == anchor.Accepted) || (a.Status() == anchor.PendingAnchor) != (got == anchor.Accepted) {
			t.Errorf("%s revives as %s, %s, %v", c.name, got, a.Status(), err)
		}
		if got == anchor.Accepted && a.AmountFee < 3*anchor.One {
			t.Errorf("%s is revived at yesterday's price: %s", c.name, a.AmountFee)
		}
		b := expired(offer())
		got, e, err = b.Assign(terms, m(c.in), "ref", after, after)
		if err != nil || got != c.assign || e == nil {
			t.Errorf("%s is assigned as %s, %v", c.name, got, err)
			continue
		}
		adds(t, b)
		booked(t, b, e, got)
	}
	// Neither takes money for what has its money, or never was agreed to.
	f, terms := funded(t, anchor.Withdrawal, m("50"))
	if got, _, _ := f.Assign(terms, m("50"), "ref", after, after); got != anchor.Second {
		t.Errorf("assigned twice: %s", got)
	}
	if got, _, _ := f.Revive(terms, m("50"), "ref", after, after); got != anchor.Second {
		t.Errorf("revived with its money: %s", got)
	}
	never := anchor.Start("1", anchor.Withdrawal, terms, anchor.Identity{Account: alice}, alice, deadline, someday)
	must(t, never.Expire(after))
	if got, _, _ := never.Assign(terms, m("50"), "ref", after, after); got != anchor.Late {
		t.Errorf("assigned to what nobody agreed to: %s", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
