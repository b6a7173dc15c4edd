package graph_test

import (
	"strings"
	"testing"
	"time"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/store"
)

// submit enters all of a transaction of 100 at which a person must look, and agrees.
func (w *world) submit(kind anchor.Kind, more ...func(*anchor.Transaction)) (*anchor.Transaction, caller) {
	w.t.Helper()
	tr := w.open(kind, more...)
	c := w.customer(tr)
	bank, out := answers(), "98.5"
	if kind == anchor.Withdrawal {
		bank = answers("bank_account_number", "12345678")
	}
	last := w.walk(c, []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": bank}},
		{name: "yes", query: agree, variables: map[string]any{"amountOut": out}, status: anchor.PendingAnchor},
		{name: "yes again", query: agree, variables: map[string]any{"amountOut": out}, status: anchor.PendingAnchor},
		{name: "another yes", query: agree, variables: map[string]any{"amountOut": "98"}, want: "CONFLICT price_changed amountOut", status: anchor.PendingAnchor},
		{name: "another amount", query: setAmount, variables: map[string]any{"amountIn": "50"}, want: "CONFLICT already_agreed"},
	})
	for who, got := range map[string]object{"the customer": last, "a viewer": w.viewer(tr).do(look, map[string]any{"id": tr.ID})} {
		if got.str("transaction.instructions") != "[]" || got.str("transaction.review") != "pending" || !strings.Contains(got.str("transaction.message"), "checking your details") {
			w.t.Errorf("%s, before the review: %v", who, got)
		}
	}
	if now := w.read(tr.ID); now.Reference != "" || now.AnchorAccount != "" || !now.Memo.IsZero() || now.Reviewed || now.Expected != 100*anchor.One {
		w.t.Errorf("before the review: %+v", now)
	}
	return tr, c
}

func (w *world) pressed(name string, tr *anchor.Transaction, want string) {
	w.t.Helper()
	if _, problems := w.staff().press(name, map[string]any{"transaction": tr.ID, "message": "Look at your name again."}); told(problems) != want {
		w.t.Errorf("%s: %q, want %q", name, told(problems), want)
	}
}

// TestSubmitted: a customer at whom a person must look goes through everything, and
// is told how to pay when the review has passed, and not before.
func TestSubmitted(t *testing.T) {
	t.Parallel()
	for _, kind := range []anchor.Kind{anchor.Deposit, anchor.Withdrawal} {
		w := newWorld(t, byHand)
		tr, c := w.submit(kind)
		found := w.staff().do(`{ transactions(filter: {toReview: true}) { nodes { id staff { actions } } } }`, nil)
		if found.str("transactions.nodes.0.id") != tr.ID || found.str("transactions.nodes.0.staff.actions") != "[expire acceptCustomer askCorrection rejectCustomer]" {
			t.Error(found)
		}
		before := w.read(tr.ID)
		w.pressed("acceptCustomer", tr, "")
		got := c.do(look, map[string]any{"id": tr.ID})
		if got.str("transaction.status") != "pending_user_transfer_start" || got.str("transaction.review") != "accepted" || got.str("transaction.instructions") == "[]" {
			t.Errorf("%s: %v", kind, got)
		}
		now := w.read(tr.ID)
		if !now.Instructed() || !now.Reviewed || !now.Deadline.After(before.Deadline) || now.AgreedAt != before.AgreedAt || now.AmountOut != before.AmountOut || now.Note != "" {
			t.Errorf("%s, accepted: %+v", kind, now)
		}
		// The same yes, said late, changes nothing; and the review is over.
		w.walk(c, []takes{{name: "yes", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart}})
		if again := w.read(tr.ID); again.Reference != now.Reference || again.Memo != now.Memo {
			t.Errorf("%+v", again)
		}
		w.pressed("acceptCustomer", tr, "CONFLICT reviewed_already")
		w.pressed("askCorrection", tr, "CONFLICT state_refused")
		balanced(t, w.books)
	}
}

// TestSubmittedCorrection: a correction keeps the agreement, and what comes waits
// for the reviewer again.
func TestSubmittedCorrection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byHand)
	tr, c := w.submit(anchor.Deposit)
	w.pressed("askCorrection", tr, "")
	got := c.do(look, map[string]any{"id": tr.ID})
	if got.str("transaction.review") != "correction" || got.str("transaction.message") != "Look at your name again." || got.str("transaction.instructions") != "[]" {
		t.Error(got)
	}
	w.walk(c, []takes{
		{name: "yes", query: agree, variables: map[string]any{"amountOut": "98.5"}, want: "CONFLICT customer_missing", status: anchor.PendingUser},
		{name: "the correction", query: answer, variables: map[string]any{"answers": answers("last_name", "Diaz")}, status: anchor.PendingAnchor},
	})
	w.pressed("acceptCustomer", tr, "")
	if now := w.read(tr.ID); now.Status() != anchor.PendingUserTransferStart || !now.Instructed() {
		t.Errorf("%+v", now)
	}
}

// TestSubmittedEnds: with the review ends the agreement, and nobody can be given
// money by it.
func TestSubmittedEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byHand)
	for i, c := range []struct {
		name string
		end  func(*anchor.Transaction, caller)
		want anchor.Status
	}{
		{"rejected", func(tr *anchor.Transaction, _ caller) { w.pressed("rejectCustomer", tr, "") }, anchor.Failed},
		{"cancelled", func(tr *anchor.Transaction, c caller) { c.do(cancel, map[string]any{"id": tr.ID}) }, anchor.Expired},
		{"expired", func(tr *anchor.Transaction, _ caller) {
			w.change(tr.ID, func(a *anchor.Transaction, _ time.Time) error { return a.Expire(a.Deadline.Add(time.Second)) })
		}, anchor.Expired},
		{"parked", func(tr *anchor.Transaction, _ caller) {
			w.change(tr.ID, func(a *anchor.Transaction, now time.Time) error { return a.Fail("parked", now) })
		}, anchor.Failed},
	} {
		tr, who := w.submit(anchor.Deposit, func(tr *anchor.Transaction) { tr.Owner.Memo = string(rune('1' + i)) })
		c.end(tr, who)
		if now := w.read(tr.ID); now.Status() != c.want || !now.AgreedAt.IsZero() || now.Expected != 0 || now.MayAssign() || now.Instructed() {
			t.Errorf("%s: %+v", c.name, now)
		}
	}
}

// TestPriceMovedMeanwhile: what is no longer what was agreed to is shown again, and
// needs another yes, but no other review.
func TestPriceMovedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*anchor.Side){
		"the fee": func(s *anchor.Side) { s.Fee.Fixed += anchor.One },
		"the fee of something that does not matter, and the method": func(s *anchor.Side) { s.Methods[0].ID = "wire" },
		"the limits":   func(s *anchor.Side) { s.Min = 200 * anchor.One },
		"it is closed": func(s *anchor.Side) { s.Enabled = false },
	} {
		w := newWorld(t, byHand)
		tr, c := w.submit(anchor.Deposit)
		change(&w.terms.Deposit)
		w.pressed("acceptCustomer", tr, "")
		got := c.do(look, map[string]any{"id": tr.ID})
		if got.str("transaction.status") != "incomplete" || got.str("transaction.review") != "accepted" || !strings.Contains(got.str("transaction.message"), "price has changed") || w.read(tr.ID).Instructed() {
			t.Errorf("%s: %v", name, got)
		}
		if name == "the fee" {
			w.walk(c, []takes{
				{name: "yesterday's", query: agree, variables: map[string]any{"amountOut": "98.5"}, want: "CONFLICT price_changed amountOut"},
				{name: "today's", query: agree, variables: map[string]any{"amountOut": "97.5"}, status: anchor.PendingUserTransferStart},
			})
			if now := w.read(tr.ID); now.Note != "" || now.AmountOut != anchor.MustAmount("97.5") {
				t.Errorf("%+v", now)
			}
		}
	}
}

// leveled asks for a birthday and a person's look from 500 on.
func leveled(o *graph.Options) {
	for _, t := range o.Terms {
		t.Deposit.Levels = []anchor.Level{{From: 500 * anchor.One, Fields: []anchor.Field{{Name: "birth_date", Type: anchor.FieldDate}}, Review: anchor.ByPerson}}
	}
}

// TestLevels: who is accepted by itself is so for small amounts; more is asked of
// larger ones, and a person looks; and whom one accepted is good for all of them,
// until they change what they said.
func TestLevels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leveled)
	to := func(in string) map[string]any { return map[string]any{"amountIn": in} }
	yes := func(out string) map[string]any { return map[string]any{"amountOut": out} }
	say := func(pairs ...string) map[string]any { return map[string]any{"answers": answers(pairs...)} }
	review := func(c caller, want string) {
		t.Helper()
		if got := c.do(look, map[string]any{"id": c.transaction}); got.str("transaction.review") != want || w.read(c.transaction).Reviewed != (want == "accepted") {
			t.Errorf("%s, want %s", got.str("transaction.review"), want)
		}
	}
	c := w.customer(w.open(anchor.Deposit))
	w.walk(c, []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}},
		{name: "little", query: setAmount, variables: to("499.99")},
	})
	review(c, "accepted")
	last := w.walk(c, []takes{{name: "much", query: setAmount, variables: to("500")}})
	review(c, "none")
	asked := c.do(`query($id: ID!) { transaction(id: $id) { questions { name from } } }`, map[string]any{"id": c.transaction})
	if asked.str("transaction.questions.4.name") != "birth_date" || asked.str("transaction.questions.4.from") != "500" || asked.str("transaction.questions.0.from") != "" {
		t.Error(asked)
	}
	w.walk(c, []takes{
		{name: "yes too early", query: agree, variables: yes(last.str("transaction.amountOut")), want: "CONFLICT customer_missing"},
		{name: "the first questions again", query: answer, variables: map[string]any{"answers": ana}},
		{name: "an empty birthday", query: answer, variables: say("birth_date", ""), want: "INVALID field_required birth_date"},
	})
	review(c, "none")
	w.walk(c, []takes{{name: "the birthday", query: answer, variables: say("birth_date", "1990-12-31")}})
	review(c, "pending")
	w.walk(c, []takes{{name: "little again", query: setAmount, variables: to("100")}})
	review(c, "accepted")

	// Two tabs: one says yes to what the other has raised meanwhile.
	w.walk(c, []takes{
		{name: "much in the other tab", query: setAmount, variables: to("600")},
		{name: "yes to little", query: agree, variables: yes("98.5"), want: "CONFLICT price_changed amountOut", status: anchor.Incomplete},
		{name: "yes to much", query: agree, variables: yes("596"), status: anchor.PendingAnchor},
	})
	tr := w.read(c.transaction)
	w.pressed("acceptCustomer", tr, "")
	if now := w.read(tr.ID); now.Status() != anchor.PendingUserTransferStart {
		t.Errorf("%+v", now)
	}

	// Next time nobody looks, unless what a person accepted is not what they say now.
	next := w.customer(w.open(anchor.Deposit))
	w.walk(next, []takes{
		{name: "much", query: setAmount, variables: to("600")},
		{name: "the same answers", query: answer, variables: map[string]any{"answers": ana}},
	})
	review(next, "accepted")
	w.walk(next, []takes{{name: "another name", query: answer, variables: say("last_name", "Gómez")}})
	review(next, "pending")
	w.walk(next, []takes{{name: "little", query: setAmount, variables: to("100")}})
	review(next, "accepted")
	balanced(t, w.books)
}

// TestMoreThanAgreed: whoever agrees to a little less than what is asked more of, and
// sends more, waits for a person, however the money comes.
func TestMoreThanAgreed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		came   string
		vetted bool
		how    string
		want   anchor.Arrival
		status anchor.Status
	}{
		{"as agreed", "480", false, "receive", anchor.Accepted, anchor.PendingAnchor},
		{"a little more", "499.99", false, "receive", anchor.Accepted, anchor.PendingAnchor},
		{"over the line", "500", false, "receive", anchor.Held, anchor.OnHold},
		{"over the line, of somebody who is good for it", "500", true, "receive", anchor.Accepted, anchor.PendingAnchor},
		{"over the line, late", "500", false, "revive", anchor.Held, anchor.OnHold},
		{"late", "480", false, "revive", anchor.Accepted, anchor.PendingAnchor},
	} {
		w := newWorld(t, leveled)
		tr := w.open(anchor.Deposit)
		w.walk(w.customer(tr), []takes{
			{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
			{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "480"}},
			{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}},
			{name: "yes", query: agree, variables: map[string]any{"amountOut": "476.6"}, status: anchor.PendingUserTransferStart},
		})
		w.update(store.Clock, func(tx *store.Tx) error {
			who, err := tx.CustomerOf(tr.Owner)
			if err != nil || !c.vetted {
				return err
			}
			who.Fields["birth_date"] = "1990-12-31"
			who.Judged(anchor.ReviewAccepted, time.Now())
			return tx.SaveCustomer(who)
		})
		w.update(store.Clock, func(tx *store.Tx) error {
			a, err := tx.Transaction(tr.ID)
			if err != nil {
				return err
			}
			came, now := anchor.MustAmount(c.came), time.Now()
			take := tx.Receive
			if c.how == "revive" {
				take, now = tx.Revive, a.Deadline.Add(time.Second)
			}
			arrival, err := take(a, w.terms, came, "bank-1", now, now)
			if arrival != c.want {
				t.Errorf("%s: %s, want %s", c.name, arrival, c.want)
			}
			return err
		})
		payouts := 0
		w.update(store.Clock, func(tx *store.Tx) error {
			all, err := tx.PayoutsOf(anchor.CauseTransaction, tr.ID, anchor.ForPayout)
			payouts = len(all)
			return err
		})
		if now := w.read(tr.ID); now.Status() != c.status || (payouts == 1) != (c.want == anchor.Accepted) {
			t.Errorf("%s: %s, %d payouts", c.name, now.Status(), payouts)
		}
		if c.want == anchor.Held { // a person decides
			if _, problems := w.staff().press("release", map[string]any{"transaction": tr.ID}); told(problems) != "" || w.read(tr.ID).Status() != anchor.PendingAnchor {
				t.Errorf("%s: %v", c.name, problems)
			}
		}
		balanced(t, w.books)
	}
}
