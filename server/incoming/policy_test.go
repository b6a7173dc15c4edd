package incoming_test

import (
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/rig"
	"windlass/server/store"
)

// refundAll sends back for every reason, ten times a day to a sender.
func (w *world) refundAll() {
	w.config.Policies = anchor.Policies{Of: map[string]anchor.Policy{}, PerSender: 10, LumensMinimum: anchor.One}
	for _, r := range anchor.Rules {
		w.config.Policies.Of[r.Reason] = anchor.PolicyRefund
	}
	w.config.DecideEvery = 20 * time.Millisecond
}

// sender is somebody else with 1,000 of the asset.
func (w *world) sender() *keypair.Full {
	w.t.Helper()
	k := rig.NewKey(w.t)
	w.fund(k)
	w.do(w.issuer, nil, []txnbuild.Operation{
		&txnbuild.ChangeTrust{SourceAccount: k.Address(), Line: w.line().MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit},
		&txnbuild.Payment{Destination: k.Address(), Asset: w.line(), Amount: "1000"},
	}, k)
	return k
}

func (w *world) payAs(from *keypair.Full, amount string, memo txnbuild.Memo) string {
	w.t.Helper()
	return w.do(from, memo, []txnbuild.Operation{&txnbuild.Payment{Destination: w.distribution.Address(), Asset: w.line(), Amount: amount}})
}

// intents are those that bring something back for a cause.
func (w *world) intents(kind anchor.Cause, id string) (all []*anchor.Payout) {
	w.t.Helper()
	must(w.t, w.books.Update(w.t.Context(), store.Operator, func(tx *store.Tx) (err error) {
		all, err = tx.PayoutsOf(kind, id, anchor.ForRefund)
		return err
	}))
	return all
}

// untilDecided waits until the policy has decided about the row of a ledger
// transaction's only payment.
func (w *world) untilDecided(hash string) (row *anchor.Payment) {
	w.t.Helper()
	w.until("it is decided", func() bool { row = w.untilPaid(hash); return row.DecideAt.IsZero() })
	return row
}

// What nobody expected goes back, once, less the fee; but never what came back
// itself, what is too little, or what no account sent.
func TestUnmatchedMoneyGoesBack(t *testing.T) {
	w := newWorld(t)
	w.refundAll()
	w.terms.Withdraw.RefundFee, w.terms.Withdraw.RefundMinimum = anchor.One, 3*anchor.One
	in, _ := w.follow()
	us, lumens := w.distribution.Address(), txnbuild.NativeAsset{}
	second, secondMemo := w.withdrawal(soon())
	w.pay("100", secondMemo)
	w.untilStatus(anchor.PendingAnchor, second)
	_, lateMemo := w.withdrawal(time.Now().Add(-2 * time.Second))
	muxedSender := muxed(w.customer.Address(), 77)

	op := func(op txnbuild.Operation) []txnbuild.Operation { return []txnbuild.Operation{op} }
	for _, c := range []struct {
		name  string
		hash  string
		fee   anchor.Amount
		to    string // "" if it stays
		memo  anchor.Memo
		asset anchor.Asset
	}{
		{"no memo", w.pay("10", nil), anchor.One, w.customer.Address(), anchor.Memo{}, w.asset},
		{"an unknown memo", w.pay("11", txnbuild.MemoID(1<<60)), anchor.One, w.customer.Address(), anchor.IDMemo(1 << 60), w.asset},
		{"a text", w.pay("12", txnbuild.MemoText("1")), anchor.One, w.customer.Address(), anchor.Memo{Type: anchor.MemoText, Value: "1"}, w.asset},
		{"two memos", w.pay("13", txnbuild.MemoID(9), muxed(us, 8)), anchor.One, w.customer.Address(), anchor.IDMemo(8), w.asset},
		{"a second time", w.pay("100", secondMemo), anchor.One, w.customer.Address(), anchor.IDMemo(uint64(secondMemo)), w.asset},
		{"late", w.pay("100", lateMemo), anchor.One, w.customer.Address(), anchor.IDMemo(uint64(lateMemo)), w.asset},
		{"from a muxed address", w.do(w.customer, nil, op(&txnbuild.Payment{SourceAccount: muxedSender, Destination: us, Asset: w.line(), Amount: "14"})),
			anchor.One, muxedSender, anchor.Memo{}, w.asset},
		{"lumens", w.do(w.customer, txnbuild.MemoID(3), op(&txnbuild.Payment{Destination: us, Asset: lumens, Amount: "1"})), 0, w.customer.Address(), anchor.IDMemo(3), anchor.Native},

		{"few lumens", w.do(w.customer, txnbuild.MemoID(3), op(&txnbuild.Payment{Destination: us, Asset: lumens, Amount: "0.9999999"})), 0, "", anchor.Memo{}, anchor.Native},
		{"below the minimum", w.pay("2.9999999", nil), 0, "", anchor.Memo{}, w.asset},
		{"what was returned to us", w.pay("20", txnbuild.MemoReturn{7}), 0, "", anchor.Memo{}, w.asset},
		{"what was returned to a muxed address of ours", w.pay("21", txnbuild.MemoReturn{7}, muxed(us, 5)), 0, "", anchor.Memo{}, w.asset},
		{"what may be a return", w.pay("22", txnbuild.MemoHash{7}), 0, "", anchor.Memo{}, w.asset},
		{"lumens for an account that receives nothing", w.do(w.customer, nil, op(&txnbuild.Payment{Destination: w.fee.Address(), Asset: lumens, Amount: "9"})), 0, "", anchor.Memo{}, anchor.Native},
	} {
		p := w.untilDecided(c.hash)
		intents := w.intents(anchor.CausePayment, p.ID)
		if c.to == "" {
			if p.State != anchor.Unmatched || len(intents) != 0 {
				t.Errorf("%s: it is %s, and %d intents bring it back", c.name, p.State, len(intents))
			}
			continue
		}
		if p.State != anchor.Refunding || len(intents) != 1 {
			t.Errorf("%s: it is %s, and %d intents bring it back", c.name, p.State, len(intents))
			continue
		}
		if i := intents[0]; i.Amount != p.Amount-c.fee || i.Fee != c.fee || string(i.Destination) != c.to || i.Memo != c.memo || i.Asset != c.asset || i.Source != us || i.RequestedBy != "" {
			t.Errorf("%s: %+v", c.name, i)
		}
	}
	more, err := in.Decide(t.Context(), time.Now().Add(time.Hour))
	if more || err != nil {
		t.Errorf("there is more to decide: %v, %v", more, err)
	}
	w.balanced()
	if got := w.sums()["fees USDW"]; got != -8*anchor.One { // seven, and that of the withdrawal
		t.Errorf("the fees are %s", got)
	}
}

// A sender gets three in a day, whichever of its muxed addresses pays; and what
// answers a refund does not go to and fro.
func TestRefundsEnd(t *testing.T) {
	w := newWorld(t)
	w.refundAll()
	w.config.Policies.PerSender = 3
	w.follow()
	mallory, other := w.sender(), w.sender()
	for i, c := range []struct {
		from   *keypair.Full
		amount string
		memo   txnbuild.Memo
		want   anchor.Match
	}{
		{mallory, "10", nil, anchor.Refunding},
		{mallory, "10", nil, anchor.Unmatched},                // our refund, sent back to us
		{mallory, "9.5", nil, anchor.Unmatched},               // less the other anchor's fee
		{mallory, "10", txnbuild.MemoID(4), anchor.Refunding}, // that is another
		{mallory, "11", nil, anchor.Refunding},                // and more than we gave
		{mallory, "12", nil, anchor.Unmatched},                // the fourth
		{other, "12", nil, anchor.Refunding},                  // of somebody else
		{mallory, "12", txnbuild.MemoID(5), anchor.Unmatched}, // the fourth again
		{other, "12", txnbuild.MemoText("5"), anchor.Refunding},
	} {
		if p := w.untilDecided(w.payAs(c.from, c.amount, c.memo)); p.State != c.want {
			t.Errorf("number %d is %s", i, p.State)
		}
	}
	w.balanced()
}

// Short payments wait for more. They add up to what was agreed, or go back when
// nothing waits for them any longer.
func TestShortPaymentsAddUp(t *testing.T) {
	w := newWorld(t)
	w.refundAll()
	in, _ := w.follow()
	stranger := w.sender()
	id, memo := w.withdrawal(soon())
	first, alien := w.pay("40", memo), w.payAs(stranger, "55", memo)
	for _, hash := range []string{first, alien} {
		if p := w.untilPaid(hash); p.State != anchor.Unmatched || p.Reason != string(anchor.Short) || p.Transaction != id {
			t.Fatalf("it is %+v", p)
		}
	}
	// Past the deadline, but the ledger was not read up to there: more may come.
	_, err := in.Decide(t.Context(), time.Now().Add(2*time.Hour))
	must(t, err)
	if s := w.untilPaid(first).State; s != anchor.Unmatched || w.transaction(id).Status() != anchor.PendingUserTransferStart {
		t.Fatalf("it is %s although its transaction waits for more", s)
	}

	middle, last := w.pay("30", memo), w.pay("25", memo)
	w.untilStatus(anchor.PendingAnchor, id)
	a := w.transaction(id)
	if a.AmountIn != 95*anchor.One || a.AmountOut != 94*anchor.One || a.StellarID != last {
		t.Errorf("it has %s in, %s out, hash %s", a.AmountIn, a.AmountOut, a.StellarID)
	}
	for _, hash := range []string{first, middle, last} {
		if p := w.untilDecided(hash); p.State != anchor.Matched || p.Transaction != id {
			t.Errorf("it is %+v", p)
		}
	}
	// What somebody else paid meanwhile does not belong to it, and goes back now.
	w.until("the stranger's money goes back", func() bool { return w.untilPaid(alien).State == anchor.Refunding })

	// A refund by staff goes to the sender of the last, in one piece.
	must(t, w.books.Update(t.Context(), "staff:ann", func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		return tx.Refund(a, w.terms, 95*anchor.One, 0, "staff:ann", time.Now())
	}))
	if i := w.intents(anchor.CauseTransaction, id); len(i) != 1 || i[0].Amount != 95*anchor.One || string(i[0].Destination) != w.customer.Address() {
		t.Errorf("it goes back as %+v", i)
	}
	w.balanced()
	if got := w.sums()["suspense USDW"]; got != 0 {
		t.Errorf("%s are in suspense", got)
	}
}

// A sum is judged as one payment of as much would be: over the tolerance it is
// held, over the limits it goes back, whole.
func TestSumsAreJudgedAsOnePayment(t *testing.T) {
	w := newWorld(t)
	w.refundAll()
	w.terms.Withdraw.Max = 150 * anchor.One
	w.follow()
	over, overMemo := w.withdrawal(soon())
	w.pay("60", overMemo)
	w.pay("65", overMemo)
	w.untilStatus(anchor.OnHold, over)

	large, largeMemo := w.withdrawal(soon())
	w.pay("80", largeMemo)
	w.pay("80", largeMemo)
	w.untilStatus(anchor.TooLarge, large)
	if i := w.intents(anchor.CauseTransaction, large); len(i) != 1 || i[0].Amount != 160*anchor.One {
		t.Errorf("it goes back as %+v", i)
	}

	// Once it is over, short ones go back each by itself.
	gone, goneMemo := w.withdrawal(soon())
	one, two := w.pay("10", goneMemo), w.pay("20", goneMemo)
	w.untilPaid(two)
	must(t, w.books.Update(t.Context(), store.Customer, func(tx *store.Tx) error {
		a, err := tx.Transaction(gone)
		if err != nil {
			return err
		}
		if err := a.Cancel(time.Now()); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	}))
	for hash, amount := range map[string]anchor.Amount{one: 10 * anchor.One, two: 20 * anchor.One} {
		p := w.untilDecided(hash)
		if i := w.intents(anchor.CausePayment, p.ID); len(i) != 1 || i[0].Amount != amount {
			t.Errorf("%s goes back as %+v", amount, i)
		}
	}
	w.balanced()
}

// What is outside the limits goes back in the very update that books it, unless
// the policy holds it.
func TestAmountsOutsideTheLimitsGoBack(t *testing.T) {
	w := newWorld(t)
	w.refundAll()
	w.terms.Withdraw.RefundFee = 2 * anchor.One
	w.terms.Withdraw.Min = 100 * anchor.One
	w.config.Policies.Of[string(anchor.Small)] = anchor.PolicyHold
	w.follow()
	large, largeMemo := w.withdrawal(soon())
	w.pay("6000", largeMemo)
	w.untilStatus(anchor.TooLarge, large)
	a, intents := w.transaction(large), w.intents(anchor.CauseTransaction, large)
	if len(intents) != 1 || intents[0].Amount != 5998*anchor.One || a.AmountRefunded != 5998*anchor.One || a.RefundFee != 2*anchor.One || a.AmountOut != 0 {
		t.Errorf("it goes back as %+v of %s, less %s", intents, a.AmountIn, a.RefundFee)
	}
	small, smallMemo := w.withdrawal(soon())
	w.pay("95", smallMemo)
	w.untilStatus(anchor.TooSmall, small)
	if i := w.intents(anchor.CauseTransaction, small); len(i) != 0 {
		t.Errorf("it goes back as %+v though the policy holds it", i)
	}
	w.balanced()
}

// Late money is taken at today's price where the policy says so, and held if it
// is not what was agreed.
func TestLateMoneyIsRevived(t *testing.T) {
	w := newWorld(t)
	w.refundAll()
	w.config.Policies.Of[string(anchor.Late)] = anchor.PolicyRevive
	good, goodMemo := w.withdrawal(time.Now().Add(-2 * time.Second))
	bad, badMemo := w.withdrawal(time.Now().Add(-2 * time.Second))
	w.terms.Withdraw.Fee.Fixed = 3 * anchor.One
	w.follow()
	w.untilRead()
	w.untilStatus(anchor.Expired, good)
	hash, off := w.pay("100", goodMemo), w.pay("120", badMemo)
	w.untilStatus(anchor.PendingAnchor, good)
	if a := w.transaction(good); a.AmountOut != 97*anchor.One || a.StellarID != hash {
		t.Errorf("it has %s out, hash %s", a.AmountOut, a.StellarID)
	}
	if p := w.untilDecided(off); p.State != anchor.Unmatched || p.Reason != string(anchor.Late) || p.Transaction != bad {
		t.Errorf("the other is %+v", p)
	}
	w.balanced()
}
