package graph_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/store"
)

// byHand has a person look at everybody.
func byHand(o *graph.Options) {
	for _, t := range o.Terms {
		t.Deposit.Review, t.Withdraw.Review = anchor.ByPerson, anchor.ByPerson
	}
}

// somebody is another customer than that of the other transactions.
func somebody(tr *anchor.Transaction) { tr.Owner.Memo = "7" }

// TestReview: a reviewer asks for a correction, and accepts what comes then. The
// customer reads the reviewer's words, and nobody else does.
func TestReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byHand)
	tr, other := w.open(anchor.Deposit), w.open(anchor.Withdrawal)
	staff, customer := w.staff(), w.customer(tr)
	press := func(name, want string, variables map[string]any) {
		t.Helper()
		v := map[string]any{"transaction": tr.ID}
		maps.Copy(v, variables)
		if _, problems := staff.press(name, v); told(problems) != want {
			t.Errorf("%s %v: %q, want %q", name, variables, told(problems), want)
		}
	}
	is := func(c caller, status anchor.Status, review, message string) {
		t.Helper()
		got := c.do(look, map[string]any{"id": tr.ID})
		if got.str("transaction.status") != string(status) || got.str("transaction.review") != review || !strings.Contains(got.str("transaction.message"), message) {
			t.Errorf("%s, %s: %s", got.str("transaction.status"), got.str("transaction.review"), got.str("transaction.message"))
		}
	}
	toReview := func(want ...string) {
		t.Helper()
		got := staff.do(`{ transactions(filter: {toReview: true}) { nodes { id staff { actions } } } }`, nil)
		nodes, _ := got.at("transactions.nodes").([]any)
		var ids []string
		for _, n := range nodes {
			ids = append(ids, object(n.(map[string]any)).str("id")) //nolint:errcheck // nodes are objects
		}
		if slices.Sort(ids); !slices.Equal(ids, want) {
			t.Errorf("to review are %v, want %v", ids, want)
		}
		if len(want) > 0 && got.str("transactions.nodes.0.staff.actions") != "[expire acceptCustomer askCorrection rejectCustomer]" {
			t.Error(got)
		}
	}

	press("acceptCustomer", "CONFLICT customer_missing", nil)
	toReview()
	customer.do(answer, map[string]any{"id": tr.ID, "answers": ana})
	toReview(tr.ID, other.ID) // one customer, of both

	const words = "Your family name has an accent, we think."
	press("askCorrection", "INVALID note_malformed message", map[string]any{"message": " "})
	press("askCorrection", "INVALID note_malformed message", map[string]any{"message": "a\u202e"})
	press("askCorrection", "INVALID note_malformed message", map[string]any{"message": strings.Repeat("ñ", 501)})
	for range 2 { // the same wish is done once
		press("askCorrection", "", map[string]any{"message": words, "note": "as the passport", "key": "ticket-1"})
	}
	press("askCorrection", "CONFLICT reviewed_already", map[string]any{"message": words})
	is(customer, anchor.PendingUser, "correction", words)
	is(w.viewer(tr), anchor.PendingUser, "correction", "needs a correction")
	if trail := w.trail(tr.ID); trail[0].Event != "askCorrection" || trail[0].Note != words+"\nas the passport" || trail[1].Event != string(anchor.CorrectionDue) {
		t.Errorf("%+v, %+v", trail[0], trail[1])
	}
	toReview()

	customer.do(answer, map[string]any{"id": tr.ID, "answers": ana})
	is(customer, anchor.PendingAnchor, "pending", "")
	if got := customer.do(look, map[string]any{"id": tr.ID}); strings.Contains(got.str("transaction.message"), words) {
		t.Error(got.str("transaction.message"))
	}
	if _, problems := customer.ask(answer, map[string]any{"id": tr.ID, "answers": ana}); told(problems) != "CONFLICT already_agreed" {
		t.Error(problems)
	}
	toReview(tr.ID, other.ID)
	before, seen := w.read(tr.ID).Deadline, w.version(tr.ID)
	// While the reviewer looks, the customer says something else in another window.
	w.customer(other).do(answer, map[string]any{"id": other.ID, "answers": answers("last_name", "Doe")})
	press("acceptCustomer", "CONFLICT answers_changed answersVersion", map[string]any{"answersVersion": seen})
	if w.version(tr.ID) == seen {
		t.Error("other answers have the same version")
	}
	press("acceptCustomer", "", nil)
	press("acceptCustomer", "CONFLICT reviewed_already", nil)
	is(customer, anchor.Incomplete, "accepted", "")
	if now := w.read(tr.ID); !now.Reviewed || !w.read(other.ID).Reviewed || !now.Deadline.After(before) {
		t.Errorf("%+v", now)
	}
	// And goes on as anybody.
	w.walk(customer, []takes{
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers()}},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}},
	})
	// Once the customer may pay, the review is over; but they can be turned away.
	press("askCorrection", "CONFLICT state_refused", nil)
	press("rejectCustomer", "", nil)
	press("rejectCustomer", "CONFLICT reviewed_already", nil)
	if now := w.read(tr.ID); now.Status() != anchor.PendingUserTransferStart { // what comes is held
		t.Error(now.Status())
	}
	balanced(t, w.books)
}

// TestRejected: whoever is rejected is told so, ends with all that is theirs and
// unpaid, and cannot begin again; others can.
func TestRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byHand)
	tr, other, stranger := w.open(anchor.Deposit), w.open(anchor.Withdrawal), w.open(anchor.Deposit, somebody)
	w.customer(tr).do(answer, map[string]any{"id": tr.ID, "answers": ana})
	w.customer(stranger).do(answer, map[string]any{"id": stranger.ID, "answers": ana})
	const words = "We serve nobody under eighteen."
	if _, problems := w.staff().press("rejectCustomer", map[string]any{"transaction": tr.ID, "message": words}); told(problems) != "" {
		t.Fatal(problems)
	}
	for _, c := range []struct {
		tr      *anchor.Transaction
		status  anchor.Status
		message string
	}{{tr, anchor.Failed, words}, {other, anchor.Failed, "can't offer you this service"}, {stranger, anchor.Incomplete, ""}} {
		got := w.customer(c.tr).do(look, map[string]any{"id": c.tr.ID})
		if got.str("transaction.status") != string(c.status) || !strings.Contains(got.str("transaction.message"), c.message) || (got.str("transaction.review") == "rejected") != (c.status == anchor.Failed) {
			t.Errorf("%v", got)
		}
	}
	again := w.open(anchor.Deposit)
	if _, problems := w.customer(again).ask(answer, map[string]any{"id": again.ID, "answers": ana}); told(problems) != "FORBIDDEN rejected" {
		t.Error(problems)
	}
	// A mistake is mended where they begin again.
	if _, problems := w.staff().press("acceptCustomer", map[string]any{"transaction": again.ID}); told(problems) != "" || !w.read(again.ID).Reviewed {
		t.Error(problems)
	}
}

// TestCorrectionAccepted: where every full set of answers is accepted, a person who
// doubted one looks at what comes then, here and in all else of the customer's.
func TestCorrectionAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit, func(tr *anchor.Transaction) { tr.OnChange = "https://wallet.test/changes" })
	w.customer(tr).do(answer, map[string]any{"id": tr.ID, "answers": ana})
	if _, problems := w.staff().press("askCorrection", map[string]any{"transaction": tr.ID}); told(problems) != "" {
		t.Fatal(problems)
	}
	got := w.customer(tr).do(answer, map[string]any{"id": tr.ID, "answers": ana})
	if got.str("transaction.status") != "pending_anchor" || got.str("transaction.review") != "pending" {
		t.Error(got)
	}
	other := w.open(anchor.Deposit)
	if got := w.customer(other).do(answer, map[string]any{"id": other.ID, "answers": ana}); got.str("transaction.review") != "pending" {
		t.Error(got)
	}
	if _, problems := w.staff().press("acceptCustomer", map[string]any{"transaction": tr.ID}); told(problems) != "" || !w.read(other.ID).Reviewed {
		t.Error(problems)
	}
	steps, err := w.books.Timeline(t.Context(), tr.ID)
	must(t, err)
	var events []string
	for _, s := range steps {
		events = append(events, string(s.Event)+" by "+string(s.Actor))
	}
	if want := []string{"started by wallet", "correction_due by staff:kim", "corrected by " + string(store.Customer), "review_passed by staff:kim"}; !slices.Equal(events, want) {
		t.Errorf("%q, want %q", events, want)
	}
}

// Money for what was agreed to is held, where its customer has since been turned away,
// doubted, or made somebody else of themselves by another transaction; and money that
// is here already where a person has turned its customer away or doubts them.
func TestDoubtedAfterAgreeing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then         func(w *world, other *anchor.Transaction)
		before, here anchor.Status // of what comes afterwards, and of what had come
	}{
		"nothing": {func(*world, *anchor.Transaction) {}, anchor.PendingAnchor, anchor.PendingAnchor},
		"the same said again": {func(w *world, other *anchor.Transaction) {
			w.customer(other).do(answer, map[string]any{"id": other.ID, "answers": ana})
		}, anchor.PendingAnchor, anchor.PendingAnchor},
		"another name": {func(w *world, other *anchor.Transaction) {
			w.customer(other).do(answer, map[string]any{"id": other.ID, "answers": answers("last_name", "Doe")})
		}, anchor.OnHold, anchor.PendingAnchor},
		"another name, accepted": {func(w *world, other *anchor.Transaction) {
			w.customer(other).do(answer, map[string]any{"id": other.ID, "answers": answers("last_name", "Doe")})
			w.pressed("acceptCustomer", other, "")
		}, anchor.PendingAnchor, anchor.PendingAnchor},
		"a correction": {func(w *world, other *anchor.Transaction) {
			w.pressed("askCorrection", other, "")
		}, anchor.OnHold, anchor.OnHold},
		"a rejection": {func(w *world, other *anchor.Transaction) {
			w.pressed("rejectCustomer", other, "")
		}, anchor.OnHold, anchor.OnHold},
	} {
		for _, here := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, money here %t", name, here), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, byHand)
				tr, other := w.open(anchor.Withdrawal), w.open(anchor.Deposit)
				customer := w.customer(tr)
				customer.do(answer, map[string]any{"id": tr.ID, "answers": ana})
				w.pressed("acceptCustomer", tr, "")
				agreeAll := func(tr *anchor.Transaction) {
					w.walk(w.customer(tr), []takes{
						{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
						{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": answers("bank_account_number", "12345678")}},
						{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart},
					})
				}
				agreeAll(tr)
				again := w.open(anchor.Withdrawal)
				agreeAll(again)
				comes := func() {
					t.Helper()
					w.came(tr, 100*anchor.One)
					// Nor does it help that staff say whose it is.
					if _, problems := w.staff().press("assignPayment", map[string]any{"payment": w.strayPayment(), "transaction": again.ID}); len(problems) > 0 {
						t.Error(told(problems))
					}
				}
				want := c.before
				if here {
					want = c.here
					comes()
				}
				c.then(w, other)
				if !here {
					comes()
				}
				for _, id := range []string{tr.ID, again.ID} {
					if got := w.read(id).Status(); got != want {
						t.Errorf("it is %s, want %s", got, want)
					}
				}
				if want == anchor.OnHold {
					if _, problems := w.staff().press("release", map[string]any{"transaction": tr.ID}); len(problems) > 0 { // a person decides
						t.Error(told(problems))
					}
					if got := w.read(tr.ID).Status(); got != anchor.PendingAnchor {
						t.Errorf("released, it is %s", got)
					}
				}
				balanced(t, w.books)
			})
		}
	}
}

// What is on its way back to a customer who is turned away goes on its way.
func TestRejectedWithARefundUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr, other := w.agreed(anchor.Withdrawal), w.open(anchor.Deposit)
	w.came(tr, 100*anchor.One)
	if _, problems := w.staff().press("refundTransaction", map[string]any{"transaction": tr.ID}); len(problems) > 0 {
		t.Fatal(told(problems))
	}
	was := w.read(tr.ID).Status()
	w.pressed("rejectCustomer", other, "")
	w.pressed("rejectCustomer", tr, "CONFLICT reviewed_already")
	if got := w.read(tr.ID).Status(); got != was {
		t.Errorf("it is %s, and was %s", got, was)
	}
	balanced(t, w.books)
}

// Who accepts a customer accepts all that they have said: so that is what a reviewer
// sees, whichever transaction asked for it, and with the documents.
func TestReviewerSeesAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byHand, leveled)
	small, large := w.open(anchor.Deposit), w.open(anchor.Deposit)
	w.customer(small).do(answer, map[string]any{"id": small.ID, "answers": ana})
	w.walk(w.customer(large), []takes{
		{name: "much", query: setAmount, variables: map[string]any{"amountIn": "600"}},
		{name: "the birthday", query: answer, variables: map[string]any{"answers": answers("birth_date", "1990-12-31")}},
	})
	const questions = `query($id: ID!) { transaction(id: $id) { questions { name required value } } }`
	base := "[map[name:first_name required:true value:Ana] map[name:last_name required:true value:Díaz] " +
		"map[name:email_address required:true value:ana@example.com] map[name:mobile_number required:false value:<nil>]"
	for who, c := range map[string]struct {
		caller
		want string
	}{
		"the customer": {w.customer(small), base + "]"},
		"staff":        {w.staff(), base + " map[name:birth_date required:false value:1990-12-31]]"},
	} {
		if got := c.do(questions, map[string]any{"id": small.ID}).str("transaction.questions"); got != c.want {
			t.Errorf("%s: %s", who, got)
		}
	}
	w.pressed("acceptCustomer", small, "")
	if !w.read(large.ID).Reviewed {
		t.Error("accepted, they are not good for the larger amount")
	}
}

// A transaction of which a correction was asked stays the customer's to mend, though
// they said the same in another one, and gave that up.
func TestCorrectedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byHand)
	tr, other := w.open(anchor.Deposit), w.open(anchor.Withdrawal)
	w.customer(tr).do(answer, map[string]any{"id": tr.ID, "answers": ana})
	w.pressed("askCorrection", tr, "")
	w.customer(other).do(answer, map[string]any{"id": other.ID, "answers": answers("last_name", "Gómez")})
	w.customer(other).do(cancel, map[string]any{"id": other.ID})
	if got := w.customer(tr).do(look, map[string]any{"id": tr.ID}); got.str("transaction.review") != "correction" {
		t.Errorf("nothing is to be corrected: %s", got.str("transaction.review"))
	}
	w.walk(w.customer(tr), []takes{{name: "as it is", query: answer, variables: map[string]any{"answers": answers()}, status: anchor.PendingAnchor}})
	w.pressed("acceptCustomer", tr, "")
}

// A reviewer who asked for a correction gets all that the amount asks: else nobody
// could be accepted.
func TestCorrectionOfALargeAmount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, leveled)
	tr := w.open(anchor.Deposit, func(tr *anchor.Transaction) { tr.Requested = 600 * anchor.One })
	c := w.customer(tr)
	c.do(answer, map[string]any{"id": tr.ID, "answers": ana})
	w.pressed("acceptCustomer", tr, "CONFLICT customer_missing")
	w.pressed("askCorrection", tr, "")
	say := func(pairs ...string) map[string]any { return map[string]any{"answers": answers(pairs...)} }
	w.walk(c, []takes{
		{name: "the name alone", query: answer, variables: say("last_name", "Gómez"), want: "INVALID field_required birth_date", status: anchor.PendingUser},
		{name: "all", query: answer, variables: say("last_name", "Gómez", "birth_date", "1990-12-31"), status: anchor.PendingAnchor},
	})
	w.pressed("acceptCustomer", tr, "")
	if now := w.read(tr.ID); now.Status() != anchor.Incomplete || !now.Reviewed {
		t.Errorf("%s, %t", now.Status(), now.Reviewed)
	}
}
