package graph_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// How cash is collected is told to the customer alone, while it lies ready.
func TestWhoSeesTheCode(t *testing.T) {
	t.Parallel()
	const code, shown = "271828182", "271828182 at Harbour Test Bank\n1 Quay Street"
	w := newWorld(t)
	w.terms.Withdraw.Methods = append(w.terms.Withdraw.Methods, anchor.Method{ID: anchor.Cash})
	tr := w.open(anchor.Withdrawal)
	c := w.customer(tr)
	w.walk(c, []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "method", query: choose, variables: map[string]any{"method": "cash", "answers": answers()}},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}, status: anchor.PendingUserTransferStart},
	})
	w.came(tr, 100*anchor.One)
	bank := func(state anchor.BankPayoutState, p *anchor.Pickup) {
		t.Helper()
		w.update(store.BankRail, func(tx *store.Tx) error {
			all, err := tx.BankPayoutsOf(anchor.CauseTransaction, tr.ID, anchor.ForPayout)
			if err != nil {
				return err
			}
			all[0].Attempts = 1
			refused, err := tx.RecordBankPayout(all[0], store.Outcome{State: state, BankID: "B1", Pickup: p}, time.Now())
			if err == nil {
				err = refused
			}
			return err
		})
	}
	sees := func(who caller, want string) {
		t.Helper()
		got := who.do(`query($id: ID!) { transaction(id: $id) { pickup { code place } } }`, map[string]any{"id": tr.ID})
		if text := strings.TrimPrefix(got.str("transaction.pickup.code")+" at "+got.str("transaction.pickup.place"), " at "); text != want {
			t.Errorf("%s sees %q of a %s, want %q", who.role, text, w.read(tr.ID).Status(), want)
		}
	}

	bank(anchor.BankAsked, nil)
	sees(c, "")
	bank(anchor.BankAsked, &anchor.Pickup{Code: code, Place: "Harbour Test Bank\n1 Quay Street", Until: time.Now().Add(time.Hour)})
	sees(c, shown)
	sees(w.viewer(tr), "")
	sees(w.staff(), "")

	// Nor is it in anything else that is told.
	everything := map[string]string{
		"the customer's page": look, "a viewer's page": look, "the staff's view": staffView + `query($id: ID!) { transaction(id: $id) { ...t } }`,
		"the audit trail": `query($id: ID!) { audit(transaction: $id, first: 50) { nodes { event note } } }`,
	}
	for what, query := range everything {
		who := map[string]caller{"the customer's page": c, "a viewer's page": w.viewer(tr)}[what]
		if who.role == "" {
			who = w.staff()
		}
		text, err := json.Marshal(who.do(query, map[string]any{"id": tr.ID}))
		must(t, err)
		if strings.Contains(string(text), code) {
			t.Errorf("the code is in %s", what)
		}
	}

	bank(anchor.BankPaid, nil)
	sees(c, "")
	if got := w.read(tr.ID).Status(); got != anchor.Completed {
		t.Error(got)
	}
	if strings.Contains(w.log.String(), code) {
		t.Error("the code is in the log")
	}
	balanced(t, w.books)
}
