package anchor_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"windlass/server/anchor"
)

func asError(err error, e **anchor.Error) bool { return errors.As(err, e) }

// sameTransaction compares transactions with what is not exported.
var sameTransaction = cmp.AllowUnexported(anchor.Transaction{})

var deadline = someday.Add(24 * time.Hour)

// waiting is a transaction whose customer agreed to an amount and may pay now.
func waiting(t interface {
	Helper()
	Fatal(...any)
}, kind anchor.Kind, terms *anchor.Terms, in anchor.Amount) *anchor.Transaction {
	t.Helper()
	a := anchor.Start("1", kind, terms, anchor.Identity{Account: alice}, anchor.Address(alice), someday.Add(time.Hour), someday)
	if err := a.SetAmount(terms, in); err != nil {
		t.Fatal(err)
	}
	a.Method, a.Reviewed = "bank_transfer", true
	if err := a.Agree(instructions(), someday); err != nil {
		t.Fatal(err)
	}
	return a
}

func instructions() anchor.Instructions {
	return anchor.Instructions{Reference: "WL-1", AnchorAccount: alice, Memo: anchor.IDMemo(7), Deadline: deadline}
}

// adds fails the test unless the amounts obey SEP-24's formula and the fee's
// lines are its sum.
func adds(t interface {
	Helper()
	Errorf(string, ...any)
}, a *anchor.Transaction) {
	t.Helper()
	given, err := a.Rate.Out(a.AmountIn - a.AmountFee - a.AmountRefunded - a.RefundFee)
	if uncounted := err != nil && (a.Status() == anchor.TooLarge || a.Status() == anchor.Refunded); a.AmountOut != given && !uncounted {
		t.Errorf("%s %s: out %s is not in %s − fee %s − refunded %s − %s at %q", a.Kind, a.Status(), a.AmountOut, a.AmountIn, a.AmountFee, a.AmountRefunded, a.RefundFee, a.Rate)
	}
	var sum anchor.Amount
	for _, l := range a.FeeLines {
		sum += l.Amount
	}
	if sum != a.AmountFee {
		t.Errorf("%s %s: the lines sum up to %s, the fee is %s", a.Kind, a.Status(), sum, a.AmountFee)
	}
}

var bothKinds = []anchor.Kind{anchor.Deposit, anchor.Withdrawal}

func TestStart(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 13, 0, 0, 123456789, time.FixedZone("CET", 3600))
	a := anchor.Start("1", anchor.Deposit, offer(), anchor.Identity{Account: alice}, anchor.Address(alice), now.Add(time.Hour), now)
	want := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	if a.Status() != anchor.Incomplete || len(a.Trail()) != 0 || a.StartedAt != want || a.UpdatedAt != want || a.Deadline != want.Add(time.Hour) ||
		a.Asset != usdw || a.OffChain != usd || a.AmountsKnown || a.Funded() || a.PaidOut() {
		t.Errorf("%+v", a)
	}
}

func TestSetAmount(t *testing.T) {
	t.Parallel()
	terms := offer()
	a := anchor.Start("1", anchor.Deposit, terms, anchor.Identity{Account: alice}, anchor.Address(alice), deadline, someday)
	for _, in := range []string{"100", "50", "1000"} { // it may be changed
		if err := a.SetAmount(terms, anchor.MustAmount(in)); err != nil || !a.AmountsKnown || a.AmountIn != anchor.MustAmount(in) {
			t.Errorf("%s: %v", in, err)
		}
		adds(t, a)
	}
	was := *a
	kindIs(t, a.SetAmount(terms, anchor.One), anchor.Invalid, "amount_below_minimum")
	terms.Deposit.Fee.Fixed = 2000 * anchor.One
	kindIs(t, a.SetAmount(terms, 100*anchor.One), anchor.Invalid, "amount_below_fee")
	if diff := cmp.Diff(was, *a, sameTransaction); diff != "" {
		t.Errorf("refused amounts changed it: %s", diff)
	}
	b := waiting(t, anchor.Deposit, offer(), 100*anchor.One)
	kindIs(t, b.SetAmount(offer(), 200*anchor.One), anchor.Conflict, "already_agreed")
}

func TestAgree(t *testing.T) {
	t.Parallel()
	for _, kind := range bothKinds {
		fresh := func() *anchor.Transaction {
			return anchor.Start("1", kind, offer(), anchor.Identity{Account: alice}, anchor.Address(alice), someday.Add(time.Hour), someday)
		}
		// What is asked for, in the order of the screens.
		a := fresh()
		kindIs(t, a.Agree(instructions(), someday), anchor.Conflict, "amount_missing")
		if err := a.SetAmount(offer(), 100*anchor.One); err != nil {
			t.Fatal(err)
		}
		kindIs(t, a.Agree(instructions(), someday), anchor.Conflict, "method_missing")
		a.Method = "bank_transfer"
		kindIs(t, a.Agree(instructions(), someday), anchor.Conflict, "customer_missing")
		a.Reviewed = true
		was := *a
		kindIs(t, a.Agree(anchor.Instructions{Deadline: deadline}, someday), anchor.Internal, "")
		if diff := cmp.Diff(was, *a, sameTransaction); diff != "" {
			t.Errorf("refused, and changed: %s", diff)
		}
		later := someday.Add(time.Minute)
		if err := a.Agree(instructions(), later); err != nil {
			t.Fatal(err)
		}
		if a.Status() != anchor.PendingUserTransferStart || a.AgreedAt != later || a.Expected != 100*anchor.One || a.Deadline != deadline {
			t.Errorf("%+v", a)
		}
		if kind == anchor.Deposit && (a.Reference != "WL-1" || a.AnchorAccount != "" || !a.Memo.IsZero()) ||
			kind == anchor.Withdrawal && (a.Reference != "" || a.AnchorAccount != alice || a.Memo != anchor.IDMemo(7)) {
			t.Errorf("a %s got the instructions %q, %q, %+v", kind, a.Reference, a.AnchorAccount, a.Memo)
		}
		adds(t, a)
		// A second yes is refused: by a second click, or another tab.
		was = *a
		kindIs(t, a.Agree(instructions(), later), anchor.Conflict, "state_refused")
		if diff := cmp.Diff(was, *a, sameTransaction); diff != "" {
			t.Errorf("a second yes changed: %s", diff)
		}
	}
}

// TestAgreeAgain: after a correction the customer may agree again, and the
// instructions that somebody may be paying by already stay.
func TestAgreeAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range bothKinds {
		first := waiting(t, kind, offer(), 100*anchor.One)
		a := *first // as if read from the books, in the hands of a reviewer
		b := anchor.Transaction{Kind: kind, AmountsKnown: true, AmountIn: a.AmountIn, Method: a.Method, Reviewed: true, AgreedAt: a.AgreedAt,
			Reference: a.Reference, AnchorAccount: a.AnchorAccount, Memo: a.Memo}
		b.Restore(anchor.PendingUser)
		next := someday.Add(48 * time.Hour)
		for _, how := range []anchor.Instructions{{Deadline: next}, {Reference: "WL-2", AnchorAccount: muxedAccount, Memo: anchor.IDMemo(8), Deadline: next}} {
			c := b
			if err := c.Agree(how, someday.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if c.Reference != a.Reference || c.AnchorAccount != a.AnchorAccount || c.Memo != a.Memo || c.AgreedAt != a.AgreedAt || c.Deadline != next {
				t.Errorf("a %s's instructions became %q, %q, %+v", kind, c.Reference, c.AnchorAccount, c.Memo)
			}
		}
		// Without instructions from before, they are needed now.
		d := anchor.Transaction{Kind: kind, AmountsKnown: true, Method: "bank_transfer", Reviewed: true}
		d.Restore(anchor.PendingUser)
		kindIs(t, d.Agree(anchor.Instructions{Deadline: next}, someday), anchor.Internal, "")
	}
}

// TestReceive is the table of arrivals: limits 10 to 1,000, then ±10 % of what
// was agreed.
func TestReceive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expected, in string
		arrival      anchor.Arrival
		status       anchor.Status
	}{
		{"100", "100", anchor.Accepted, anchor.PendingAnchor},
		{"100", "90", anchor.Accepted, anchor.PendingAnchor},
		{"100", "89.9999999", anchor.Short, anchor.PendingUserTransferStart},
		{"100", "110", anchor.Accepted, anchor.PendingAnchor},
		{"100", "110.0000001", anchor.Held, anchor.OnHold},
		{"100", "1000", anchor.Held, anchor.OnHold},
		{"100", "1000.0000001", anchor.Large, anchor.TooLarge},
		{"100", "922337203685.4775807", anchor.Large, anchor.TooLarge},
		{"100", "0.0000001", anchor.Short, anchor.PendingUserTransferStart},
		{"100", "0", anchor.Short, anchor.PendingUserTransferStart},
		// More decimals than the asset has: the rest is a fee line.
		{"100", "98.7654321", anchor.Accepted, anchor.PendingAnchor},
		// The lower limit.
		{"10", "10", anchor.Accepted, anchor.PendingAnchor},
		{"10", "9.9999999", anchor.Small, anchor.TooSmall},
		{"10", "9", anchor.Small, anchor.TooSmall},
		{"10", "8.9999999", anchor.Short, anchor.PendingUserTransferStart},
		{"10.50", "9.45", anchor.Small, anchor.TooSmall},
		{"10.50", "9.4499999", anchor.Short, anchor.PendingUserTransferStart},
		{"10.50", "10", anchor.Accepted, anchor.PendingAnchor},
		// The upper limit: the limit comes first, then the ±10 %.
		{"1000", "1000", anchor.Accepted, anchor.PendingAnchor},
		{"1000", "1000.0000001", anchor.Large, anchor.TooLarge},
		{"1000", "1050", anchor.Large, anchor.TooLarge},
		{"950", "1000", anchor.Accepted, anchor.PendingAnchor},
		{"900", "990", anchor.Accepted, anchor.PendingAnchor},
		{"900", "990.0000001", anchor.Held, anchor.OnHold},
		// A tenth that is not whole: no more than 10 % either way.
		{"33.33", "29.997", anchor.Accepted, anchor.PendingAnchor},
		{"33.33", "29.9969999", anchor.Short, anchor.PendingUserTransferStart},
		{"33.33", "36.663", anchor.Accepted, anchor.PendingAnchor},
		{"33.33", "36.6630001", anchor.Held, anchor.OnHold},
	} {
		for _, kind := range bothKinds {
			terms := offer()
			a := waiting(t, kind, terms, anchor.MustAmount(c.expected))
			was := *a
			in := anchor.MustAmount(c.in)
			at, now := someday.Add(time.Hour), someday.Add(2*time.Hour)
			arrival, entry, err := a.Receive(terms, in, "ref", at, now)
			if err != nil || arrival != c.arrival || a.Status() != c.status {
				t.Errorf("%s of %s for %s: %s, %s, %v; want %s, %s", kind, c.in, c.expected, arrival, a.Status(), err, c.arrival, c.status)
				continue
			}
			adds(t, a)
			if arrival == anchor.Short {
				if diff := cmp.Diff(was, *a, sameTransaction); diff != "" || entry != nil {
					t.Errorf("a short payment changed: %s, and booked %+v", diff, entry)
				}
				continue
			}
			if a.AmountIn != in || a.FundedAt != at || a.UpdatedAt != now || !a.Deadline.IsZero() || a.Expected != was.Expected {
				t.Errorf("%s of %s: in %s, funded %v, deadline %v", kind, c.in, a.AmountIn, a.FundedAt, a.Deadline)
			}
			if kind == anchor.Deposit && (a.ExternalID != "ref" || a.StellarID != "") || kind == anchor.Withdrawal && (a.StellarID != "ref" || a.ExternalID != "") {
				t.Errorf("a %s keeps the reference as %q, %q", kind, a.ExternalID, a.StellarID)
			}
			if back := arrival == anchor.Small || arrival == anchor.Large; back && (a.AmountFee != 0 || a.AmountOut != in) {
				t.Errorf("what only goes back costs %s", a.AmountFee)
			} else if !back && !a.AmountOut.IsWhole(2) {
				t.Errorf("%s cannot be paid", a.AmountOut)
			}
			booked(t, a, entry, arrival)
		}
	}
}

// booked fails the test unless the entry says what an arrival means.
func booked(t interface {
	Helper()
	Errorf(string, ...any)
}, a *anchor.Transaction, e *anchor.Entry, arrival anchor.Arrival) {
	t.Helper()
	if err := e.Balanced(); err != nil {
		t.Errorf("%s: %v", arrival, err)
	}
	if e.Transaction != a.ID || e.Reference != "ref" || e.Kind != "received" {
		t.Errorf("%+v", e)
	}
	place, in, out := anchor.Bank, usd, usdw
	if a.Kind == anchor.Withdrawal {
		place, in, out = anchor.Distribution, usdw, usd
	}
	want := slices.DeleteFunc([]anchor.Posting{
		{Account: place, Asset: in, Amount: a.AmountIn}, {Account: anchor.Fees, Asset: in, Amount: -a.AmountFee},
		{Account: anchor.Exchange, Asset: in, Amount: -a.Exchanged()}, {Account: anchor.Exchange, Asset: out, Amount: a.AmountOut},
		{Account: anchor.Customers, Asset: out, Amount: -a.AmountOut},
	}, func(p anchor.Posting) bool { return p.Amount == 0 })
	if !slices.Equal(e.Postings, want) {
		t.Errorf("%s %s is booked as %v, want %v", a.Kind, arrival, e.Postings, want)
	}
}

// TestReceiveWhen: too late, twice, and to whom money is not due.
func TestReceiveWhen(t *testing.T) {
	t.Parallel()
	terms := offer()
	sent := func(a *anchor.Transaction) error { return a.Sent(someday) }
	type step = func(*anchor.Transaction) error
	pay := func(a *anchor.Transaction) error {
		_, _, err := a.Receive(terms, 100*anchor.One, "first", someday, someday)
		return err
	}
	for _, c := range []struct {
		name  string
		kinds []anchor.Kind
		steps []step
		at    time.Time
		want  anchor.Arrival
	}{
		{"at the deadline", bothKinds, nil, deadline, anchor.Accepted},
		{"after the deadline", bothKinds, nil, deadline.Add(time.Microsecond), anchor.Late},
		{"noticed late, arrived in time", bothKinds, nil, someday, anchor.Accepted},
		{"the customer said it is sent", bothKinds[:1], []step{sent}, someday, anchor.Accepted},
		{"twice", bothKinds, []step{pay}, someday, anchor.Second},
		{"twice and late", bothKinds, []step{pay}, deadline.Add(time.Hour), anchor.Second},
		{"cancelled", bothKinds, []step{func(a *anchor.Transaction) error { return a.Cancel(someday) }}, someday, anchor.Late},
		{"expired", bothKinds, []step{func(a *anchor.Transaction) error { return a.Expire(deadline.Add(time.Second)) }}, someday, anchor.Late},
		{"parked", bothKinds, []step{func(a *anchor.Transaction) error { return a.Fail("x", someday) }}, someday, anchor.Late},
	} {
		for _, kind := range c.kinds {
			a := waiting(t, kind, terms, 100*anchor.One)
			for _, s := range c.steps {
				if err := s(a); err != nil {
					t.Fatal(err)
				}
			}
			was := *a
			now := deadline.Add(72 * time.Hour) // what counts is when it arrived
			got, entry, err := a.Receive(terms, 100*anchor.One, "ref", c.at, now)
			if err != nil || got != c.want || (entry != nil) != (c.want == anchor.Accepted) {
				t.Errorf("%s %s: %s, %v, %v; want %s", kind, c.name, got, entry, err, c.want)
			}
			if c.want != anchor.Accepted {
				if diff := cmp.Diff(was, *a, sameTransaction); diff != "" {
					t.Errorf("%s %s changed: %s", kind, c.name, diff)
				}
			}
		}
	}
	a := anchor.Start("1", anchor.Deposit, terms, anchor.Identity{Account: alice}, anchor.Address(alice), deadline, someday)
	if got, _, err := a.Receive(terms, 100*anchor.One, "ref", someday, someday); got != anchor.Late || err != nil {
		t.Errorf("money for what nobody agreed to is %s, %v", got, err)
	}
}

// TestReceiveAsAgreed: the operator has changed the terms since, and lowered the
// maximum. Whoever pays what they agreed to gets what they agreed to.
func TestReceiveAsAgreed(t *testing.T) {
	t.Parallel()
	for _, kind := range bothKinds {
		terms := offer()
		a := waiting(t, kind, terms, 100*anchor.One)
		was := *a
		side := terms.Side(kind)
		side.Fee.Fixed, side.Max = 50*anchor.One, 60*anchor.One
		got, entry, err := a.Receive(terms, 100*anchor.One, "ref", someday, someday)
		if err != nil || got != anchor.Accepted || a.AmountOut != was.AmountOut || a.AmountFee != was.AmountFee || !slices.Equal(a.FeeLines, was.FeeLines) {
			t.Fatalf("%s: %s, out %s after the fee %s; agreed were %s and %s; %v", kind, got, a.AmountOut, a.AmountFee, was.AmountOut, was.AmountFee, err)
		}
		adds(t, a)
		booked(t, a, entry, got)
	}
}

// TestReceiveNeverFails: an arrival is judged whatever the terms became in the
// meantime. One that were an error would stop the reading of the ledger.
func TestReceiveNeverFails(t *testing.T) {
	t.Parallel()
	terms := offer()
	a := waiting(t, anchor.Withdrawal, terms, 100*anchor.One)
	terms.Withdraw.Fee.Fixed = 500 * anchor.One // the operator raised the fee
	got, entry, err := a.Receive(terms, 101*anchor.One, "ref", someday, someday)
	if err != nil || got != anchor.Small || a.Status() != anchor.TooSmall || a.AmountFee != 0 {
		t.Fatalf("%s, %s, fee %s, %v", got, a.Status(), a.AmountFee, err)
	}
	adds(t, a)
	booked(t, a, entry, got)

	rapid.Check(t, func(t *rapid.T) {
		some := func(name string, least, most int64) anchor.Amount {
			return anchor.Amount(rapid.OneOf(rapid.Int64Range(least, most), rapid.SampledFrom([]int64{least, most})).Draw(t, name))
		}
		terms := offer()
		terms.Decimals = rapid.IntRange(0, 7).Draw(t, "decimals")
		terms.OffChainDecimals = terms.Decimals
		kind := rapid.SampledFrom(bothKinds).Draw(t, "kind")
		side := terms.Side(kind)
		side.Max = some("max", int64(10*anchor.One), math.MaxInt64)
		expected := some("expected", int64(side.Min), int64(side.Max)).Floor(terms.Decimals)
		side.Rate = someRate(t, kind, terms)
		if _, err := terms.Price(kind, "", expected); err != nil {
			side.Rate = anchor.Rate{} // what nobody can count is not agreed to
		}
		a := waiting(t, kind, terms, expected)
		side.Fee = anchor.Schedule{Fixed: some("fixed", 0, int64(20*anchor.One)), Percent: some("percent", 0, int64(100*anchor.One)), Minimum: some("minimum", 0, int64(20*anchor.One))}
		in := some("in", 0, math.MaxInt64)
		if rapid.Bool().Draw(t, "near") {
			in = expected/10*9 + some("more", 0, int64(min(expected/4, math.MaxInt64-expected)+10))
		}
		got, entry, err := a.Receive(terms, in, "ref", someday, someday)
		if err != nil {
			t.Fatalf("%s for %s: %v", in, expected, err)
		}
		adds(t, a)
		if got == anchor.Short {
			// Exactly: less than nine tenths, in numbers that cannot overflow.
			if in > side.Max || in-expected+expected/10 >= 0 {
				t.Fatalf("%s for %s is short", in, expected)
			}
			return
		}
		booked(t, a, entry, got)
		switch over := in - expected; got {
		case anchor.Accepted:
			if in > side.Max || in < side.Min || over > expected/10 || over < -(expected/10) {
				t.Fatalf("%s for %s (%s to %s) is accepted", in, expected, side.Min, side.Max)
			}
		case anchor.Held:
			if in > side.Max || over <= expected/10 {
				t.Fatalf("%s for %s (to %s) is held", in, expected, side.Max)
			}
		case anchor.Large:
			if in <= side.Max {
				t.Fatalf("%s (to %s) is too large", in, side.Max)
			}
		case anchor.Small:
			if _, err := terms.Price(kind, "", in); in >= side.Min && err == nil {
				t.Fatalf("%s (from %s) is too small", in, side.Min)
			}
		default:
			t.Fatalf("%s for %s is %s", in, expected, got)
		}
	})
}

// TestExpire: late is what comes after the deadline, and only that expires.
func TestExpire(t *testing.T) {
	t.Parallel()
	a := waiting(t, anchor.Deposit, offer(), 100*anchor.One)
	for _, now := range []time.Time{someday, deadline.Add(-time.Microsecond), deadline} {
		kindIs(t, a.Expire(now), anchor.Conflict, "not_expired")
	}
	if err := a.Expire(deadline.Add(time.Microsecond)); err != nil || a.Status() != anchor.Expired || !a.Deadline.IsZero() {
		t.Errorf("%s, %v", a.Status(), err)
	}
	kindIs(t, a.Expire(deadline.Add(time.Hour)), anchor.Conflict, "not_expired")

	// With the money here, no deadline expires it.
	b := waiting(t, anchor.Deposit, offer(), 100*anchor.One)
	if _, _, err := b.Receive(offer(), 100*anchor.One, "ref", someday, someday); err != nil {
		t.Fatal(err)
	}
	if err := b.TrustMissing(deadline, someday); err != nil || b.Deadline != deadline {
		t.Fatal(err)
	}
	kindIs(t, b.Expire(deadline.Add(time.Hour)), anchor.Conflict, "state_refused")
	// Nobody waits for the customer while a person reviews it.
	if err := b.Hold(someday); err != nil || !b.Deadline.IsZero() {
		t.Errorf("held until %v, %v", b.Deadline, err)
	}
}

// TestDepositStory pays a deposit, with a detour: the first envelope never
// applies and the trustline is missing.
func TestDepositStory(t *testing.T) {
	t.Parallel()
	terms := offer()
	a := waiting(t, anchor.Deposit, terms, 100*anchor.One)
	a.Account, a.Memo = anchor.Address(muxedAccount), anchor.Memo{Type: anchor.MemoText, Value: "rent"}
	books := map[anchor.Ledger]map[anchor.Asset]anchor.Amount{}
	post := func(e *anchor.Entry) {
		t.Helper()
		if err := e.Balanced(); err != nil {
			t.Error(err)
		}
		for _, p := range e.Postings {
			if books[p.Account] == nil {
				books[p.Account] = map[anchor.Asset]anchor.Amount{}
			}
			books[p.Account][p.Asset] += p.Amount
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(a.Sent(someday))
	_, e, err := a.Receive(terms, 100*anchor.One, "line", someday, someday)
	do(err)
	post(e)
	p := a.Payout("p", alice, 0, someday)
	if p.CauseKind != "transaction" || p.CauseID != "1" || p.Purpose != "payout" || p.Ordinal != 0 || p.Asset != usdw || p.Amount != anchor.MustAmount("98.5") ||
		p.Destination != a.Account || p.Memo != a.Memo || p.State != anchor.PayoutQueued {
		t.Errorf("%+v", p)
	}
	do(a.PayoutSigned(someday))
	post(p.Sent("h1"))
	kindIs(t, a.Hold(someday), anchor.Conflict, "state_refused") // it may apply at this moment
	do(a.PayoutReturned(someday))
	post(p.Returned("h1"))
	do(a.PayoutSigned(someday))
	post(p.Sent("h2"))
	do(a.TrustMissing(deadline, someday))
	post(p.Returned("h2"))
	do(a.TrustReady(someday))
	if !a.Deadline.IsZero() {
		t.Error("a deadline is left")
	}
	do(a.PayoutSigned(someday))
	post(p.Sent("h3"))
	closed := someday.Add(time.Minute)
	do(a.PaidOnLedger("h3", closed, closed.Add(time.Second)))
	post(p.Arrived("h3"))
	if a.Status() != anchor.Completed || a.StellarID != "h3" || a.ExternalID != "line" || a.PaidOutAt != closed || a.CompletedAt != closed.Add(time.Second) {
		t.Errorf("%+v", a)
	}
	adds(t, a)
	want := map[anchor.Ledger]map[anchor.Asset]anchor.Amount{
		anchor.Bank: {usd: 100 * anchor.One}, anchor.Fees: {usd: -anchor.MustAmount("1.5")}, anchor.Exchange: {usd: -anchor.MustAmount("98.5"), usdw: anchor.MustAmount("98.5")},
		anchor.Customers: {usdw: 0}, anchor.InFlight: {usdw: 0}, anchor.Distribution: {usdw: -anchor.MustAmount("98.5")},
	}
	if diff := cmp.Diff(want, books); diff != "" {
		t.Errorf("the books: %s", diff)
	}
	var trail []anchor.Event
	for _, s := range a.Trail() {
		trail = append(trail, s.Event)
	}
	if diff := cmp.Diff([]anchor.Event{anchor.Agreed, anchor.CustomerSent, anchor.FundsReceived, anchor.PayoutSigned, anchor.PayoutReturned, anchor.PayoutSigned,
		anchor.TrustMissing, anchor.TrustReady, anchor.PayoutSigned, anchor.PayoutApplied}, trail); diff != "" {
		t.Errorf("the trail: %s", diff)
	}
}

// TestWithdrawalStory pays a withdrawal out.
func TestWithdrawalStory(t *testing.T) {
	t.Parallel()
	terms := offer()
	a := waiting(t, anchor.Withdrawal, terms, 50*anchor.One)
	kindIs(t, a.Sent(someday), anchor.Conflict, "state_refused") // only deposits are announced
	if _, _, err := a.Receive(terms, 50*anchor.One, "hash", someday, someday); err != nil {
		t.Fatal(err)
	}
	to := map[string]string{"bank_account_number": "1234"}
	p := a.BankPayout("o", to, 0, someday)
	if p.CauseKind != anchor.CauseTransaction || p.CauseID != "1" || p.Purpose != "payout" || p.Amount != anchor.MustAmount("47.75") || p.Asset != usd || p.State != anchor.BankQueued || p.To["bank_account_number"] != "1234" {
		t.Errorf("%+v", p)
	}
	if err := a.BankTold(someday); err != nil {
		t.Fatal(err)
	}
	if err := a.PaidByBank("b", someday, someday.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if a.Status() != anchor.Completed || a.ExternalID != "b" || a.StellarID != "hash" {
		t.Errorf("%+v", a)
	}
	if s, r := p.Sent("b"), p.Returned("b"); s.Postings[0].Account != anchor.Bank || r.Postings[1].Account != anchor.Bank {
		t.Errorf("a withdrawal leaves from %v, comes back to %v", s.Postings, r.Postings)
	}
	adds(t, a)

	// The bank gives the order back: a person decides.
	c := waiting(t, anchor.Withdrawal, terms, 50*anchor.One)
	if _, _, err := c.Receive(terms, 50*anchor.One, "hash", someday, someday); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.BankTold(someday), c.BankGaveBack(someday)); err != nil || c.Status() != anchor.OnHold || c.Trail()[len(c.Trail())-1].Event != anchor.BankReturned {
		t.Errorf("%s, %v", c.Status(), err)
	}

	// Nobody came for the cash, it seems; then somebody did after all.
	d := waiting(t, anchor.Withdrawal, terms, 50*anchor.One)
	if _, _, err := d.Receive(terms, 50*anchor.One, "hash", someday, someday); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.CashReady(someday, someday), d.BankGaveBack(someday)); err != nil || d.Status() != anchor.OnHold || d.Note != "not_collected" {
		t.Errorf("%s %q, %v", d.Status(), d.Note, err)
	}
	if err := d.PaidByBank("b", someday, someday); err != nil || d.Status() != anchor.Completed || d.Note != "" {
		t.Errorf("%s %q, %v", d.Status(), d.Note, err)
	}

	// A bank that nobody could ask turns out to have paid.
	b := waiting(t, anchor.Withdrawal, terms, 50*anchor.One)
	if _, _, err := b.Receive(terms, 50*anchor.One, "hash", someday, someday); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.BankTold(someday), b.Fail("bank_in_doubt", someday), b.PaidByBank("b", someday, someday)); err != nil || b.Status() != anchor.Completed {
		t.Errorf("%s, %v", b.Status(), err)
	}
}

// TestBalanced: an entry balances in every asset by itself.
func TestBalanced(t *testing.T) {
	t.Parallel()
	post := func(p ...anchor.Posting) *anchor.Entry { return &anchor.Entry{Kind: "x", Postings: p} }
	for _, c := range []struct {
		name string
		e    *anchor.Entry
		ok   bool
	}{
		{"nothing", post(), true},
		{"a move", anchor.Move("x", "", "", usd, 5, anchor.Bank, anchor.Customers), true},
		{"a move back", anchor.Move("x", "", "", usd, -5, anchor.Bank, anchor.Customers), true},
		{"too little", post(anchor.Posting{Account: anchor.Bank, Asset: usd, Amount: 5}, anchor.Posting{Account: anchor.Fees, Asset: usd, Amount: -4}), false},
		{"apples for pears", post(anchor.Posting{Account: anchor.Bank, Asset: usd, Amount: 5}, anchor.Posting{Account: anchor.Fees, Asset: usdw, Amount: -5}), false},
		{"no asset", post(anchor.Posting{Account: anchor.Bank, Amount: 5}, anchor.Posting{Account: anchor.Fees, Amount: -5}), false},
		{"no account", post(anchor.Posting{Asset: usd, Amount: 5}, anchor.Posting{Account: anchor.Fees, Asset: usd, Amount: -5}), false},
		{"overflow", post(anchor.Posting{Account: anchor.Bank, Asset: usd, Amount: math.MaxInt64}, anchor.Posting{Account: anchor.Bank, Asset: usd, Amount: math.MaxInt64},
			anchor.Posting{Account: anchor.Bank, Asset: usd, Amount: 2}), false},
	} {
		err := c.e.Balanced()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.ok {
			kindIs(t, err, anchor.Internal, "")
		}
	}
	if diff := cmp.Diff([]anchor.Posting{{Account: anchor.Bank, Asset: usd, Amount: -5}, {Account: anchor.Fees, Asset: usd, Amount: 5}},
		anchor.Move("x", "t", "r", usd, 5, anchor.Bank, anchor.Fees).Postings, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
