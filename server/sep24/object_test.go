package sep24_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/store"
)

// TestObject follows a deposit and a withdrawal through their statuses.
func TestObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := newOwner()
	show := func(id, more string) map[string]any {
		t.Helper()
		status, out := w.get("/sep24/transaction?id="+id+more, who)
		x, _ := out["transaction"].(map[string]any)
		if status != 200 || len(out) != 1 || x == nil {
			t.Fatalf("%d %v", status, out)
		}
		for name, v := range x {
			if v == nil || v == "" {
				t.Errorf("%s is %v", name, v)
			}
			if s, ok := v.(string); ok && (strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "_by")) {
				if at, err := time.Parse(time.RFC3339Nano, s); err != nil || !strings.HasSuffix(s, "Z") || at.Location() != time.UTC {
					t.Errorf("%s is %s", name, s)
				}
			}
			if strings.HasPrefix(name, "amount_") {
				if _, ok := v.(string); !ok {
					t.Errorf("%s is %v", name, v)
				}
			}
		}
		return x
	}
	want := func(what string, x map[string]any, fields map[string]any, absent ...string) {
		t.Helper()
		for name, v := range fields {
			if !cmp.Equal(x[name], v) {
				t.Errorf("%s: %s is %v, expected %v", what, name, x[name], v)
			}
		}
		for _, name := range absent {
			if v, has := x[name]; has {
				t.Errorf("%s: %s is %v, expected none", what, name, v)
			}
		}
	}
	amounts := []string{"amount_in", "amount_in_asset", "amount_out", "amount_out_asset", "amount_fee", "amount_fee_asset", "fee_details"}
	priced := map[string]any{"amount_in": "100", "amount_out": "98.5", "amount_fee": "1.5", "amount_fee_asset": "iso4217:USD",
		"amount_in_asset": "iso4217:USD", "amount_out_asset": "stellar:USDW:" + issuer,
		"fee_details": map[string]any{"total": "1.5", "asset": "iso4217:USD", "breakdown": []any{
			map[string]any{"name": language.Text("en", "fee.fixed", nil), "amount": "1"}, map[string]any{"name": language.Text("en", "fee.percent", nil), "amount": "0.5"}}}}

	d := w.begin("deposit", who, map[string]any{"memo": "3", "memo_type": "id"})
	x := show(d.ID, "")
	want("begun", x, map[string]any{"id": d.ID, "kind": "deposit", "status": "incomplete", "to": who.Account, "deposit_memo": "3", "deposit_memo_type": "id", "kyc_verified": false},
		append(amounts, "completed_at", "stellar_transaction_id", "from", "withdraw_memo", "refunds")...)
	for _, name := range []string{"more_info_url", "started_at", "updated_at", "user_action_required_by", "message"} {
		if x[name] == nil {
			t.Errorf("no %s", name)
		}
	}

	w.move(d.ID, entered("100"))
	want("entered", show(d.ID, ""), priced)
	w.move(d.ID, agreed)
	want("agreed", show(d.ID, ""), map[string]any{"status": "pending_user_transfer_start", "kyc_verified": true, "amount_in": "100"})
	if es := show(d.ID, "&lang=es"); es["message"] == show(d.ID, "")["message"] {
		t.Errorf("the message is always %v", es["message"])
	}
	w.move(d.ID, func(tx *store.Tx, x *anchor.Transaction) error {
		arrival, entry, err := x.Receive(terms()[0], anchor.MustAmount("100"), "BANK-1", time.Now(), time.Now())
		if arrival != anchor.Accepted {
			t.Error(arrival)
		}
		if err != nil {
			return err
		}
		return tx.Post(time.Now(), entry)
	})
	want("received", show(d.ID, ""), map[string]any{"status": "pending_anchor", "external_transaction_id": "BANK-1"}, "user_action_required_by", "completed_at")
	w.move(d.ID, func(_ *store.Tx, x *anchor.Transaction) error { return x.PayoutSigned(time.Now()) })
	want("submitted", show(d.ID, ""), map[string]any{"status": "pending_stellar", "status_eta": 10.})
	w.move(d.ID,
		func(_ *store.Tx, x *anchor.Transaction) error {
			return x.PaidOnLedger("hash-1", time.Now(), time.Now())
		})
	x = show(d.ID, "")
	want("completed", x, priced)
	want("completed", x, map[string]any{"status": "completed", "stellar_transaction_id": "hash-1", "external_transaction_id": "BANK-1", "to": who.Account})
	if x["completed_at"] == nil || x["completed_at"] != x["updated_at"] {
		t.Errorf("completed at %v, updated at %v", x["completed_at"], x["updated_at"])
	}

	q := w.begin("withdraw", who, map[string]any{})
	want("begun", show(q.ID, ""), map[string]any{"kind": "withdrawal", "status": "incomplete", "from": who.Account},
		"to", "withdraw_memo", "withdraw_memo_type", "withdraw_anchor_account", "deposit_memo")
	w.move(q.ID, entered("100"), agreed)
	pay := show(q.ID, "")
	want("agreed", pay, map[string]any{"withdraw_anchor_account": distribution, "withdraw_memo_type": "id", "amount_in": "100", "amount_in_asset": "stellar:USDW:" + issuer, "amount_out_asset": "iso4217:USD"})
	memo := pay["withdraw_memo"]
	w.move(q.ID, func(tx *store.Tx, x *anchor.Transaction) error {
		_, entry, err := x.Receive(terms()[0], anchor.MustAmount("105"), "hash-2", time.Now(), time.Now())
		if err != nil {
			return err
		}
		return tx.Post(time.Now(), entry)
	}, func(_ *store.Tx, x *anchor.Transaction) error { return x.BankTold(time.Now()) })
	x = show(q.ID, "")
	want("the bank told", x, map[string]any{"status": "pending_external", "to": "****6789"})
	if eta, _ := x["status_eta"].(float64); eta < 3000 || eta > 3600 {
		t.Errorf("an hour is %v", x["status_eta"])
	}
	w.move(q.ID,
		func(_ *store.Tx, x *anchor.Transaction) error { return x.PaidByBank("BANK-2", time.Now(), time.Now()) })
	want("completed", show(q.ID, ""), map[string]any{"status": "completed", "withdraw_memo": memo, "withdraw_memo_type": "id", "withdraw_anchor_account": distribution,
		"stellar_transaction_id": "hash-2", "external_transaction_id": "BANK-2", "amount_in": "105", "amount_out": "103.47", "from": who.Account, "to": "****6789"}, "status_eta")

	r := w.begin("withdraw", who, map[string]any{})
	w.move(r.ID, entered("100"), agreed, func(tx *store.Tx, x *anchor.Transaction) error {
		_, entry, err := x.Receive(terms()[0], anchor.MustAmount("100"), "hash-3", time.Now(), time.Now())
		if err != nil {
			return err
		}
		return tx.Post(time.Now(), entry)
	})
	back := func(amount, fee string) func(*store.Tx, *anchor.Transaction) error {
		return func(tx *store.Tx, x *anchor.Transaction) error {
			entry, _, err := x.Refund(terms()[0], anchor.MustAmount(amount), anchor.MustAmount(fee))
			if err != nil {
				return err
			}
			return tx.Post(time.Now(), entry)
		}
	}
	arrived := func(id, amount, fee string) func(*store.Tx, *anchor.Transaction) error {
		return func(_ *store.Tx, x *anchor.Transaction) error {
			return x.RefundArrived(anchor.Refund{ID: id, Amount: anchor.MustAmount(amount), Fee: anchor.MustAmount(fee)}, time.Now())
		}
	}
	payment := func(id, kind, amount, fee string) any {
		return map[string]any{"id": id, "id_type": kind, "amount": amount, "fee": fee}
	}
	w.move(r.ID, back("10", "1"))
	want("part goes back", show(r.ID, ""), map[string]any{"status": "pending_anchor", "amount_out": "87.5", "refunds": map[string]any{
		"amount_refunded": "10", "amount_fee": "1", "payments": []any{payment(r.ID, "external", "10", "1")}}})
	w.move(r.ID, arrived("hash-4", "10", "1"), back("89", "0"))
	want("the rest goes back", show(r.ID, ""), map[string]any{"status": "pending_anchor", "amount_out": "0", "amount_fee": "0", "refunds": map[string]any{
		"amount_refunded": "99", "amount_fee": "1", "payments": []any{payment("hash-4", "stellar", "10", "1"), payment(r.ID, "external", "89", "0")}}})
	w.move(r.ID, arrived("hash-5", "89", "0"))
	x = show(r.ID, "")
	want("all went back", x, map[string]any{"status": "refunded", "refunds": map[string]any{
		"amount_refunded": "99", "amount_fee": "1", "payments": []any{payment("hash-4", "stellar", "10", "1"), payment("hash-5", "stellar", "89", "0")}}})
	if x["completed_at"] == nil {
		t.Error("refunded without completed_at")
	}

	c := w.begin("deposit", who, map[string]any{})
	w.move(c.ID, func(_ *store.Tx, x *anchor.Transaction) error { return x.Cancel(time.Now()) })
	x = show(c.ID, "")
	want("cancelled", x, map[string]any{"status": "expired"}, "user_action_required_by")
	if x["message"] != language.Text("en", "message.cancelled", nil) {
		t.Errorf("the message is %v", x["message"])
	}

	// While a person looks at the customer there is nowhere to pay to, and nothing to do.
	v := w.begin("withdraw", who, map[string]any{})
	w.move(v.ID, entered("100"), func(_ *store.Tx, x *anchor.Transaction) error {
		x.Reviewed = false
		return x.Submit(anchor.Instructions{BankSide: "****6789", Deadline: time.Now().Add(time.Hour)}, time.Now())
	})
	want("under review", show(v.ID, ""), map[string]any{"status": "pending_anchor", "kyc_verified": false, "amount_in": "100", "message": language.Text("en", "message.review", nil)},
		"withdraw_anchor_account", "withdraw_memo", "withdraw_memo_type", "user_action_required_by", "status_eta")

	// Cash waits for the customer.
	cash := w.begin("withdraw", who, map[string]any{})
	w.move(cash.ID, entered("100"), agreed, func(tx *store.Tx, x *anchor.Transaction) error {
		_, entry, err := x.Receive(terms()[0], anchor.MustAmount("100"), "hash", time.Now(), time.Now())
		if err != nil {
			return err
		}
		return tx.Post(time.Now(), entry)
	})
	until := time.Now().Add(72 * time.Hour).UTC().Truncate(time.Microsecond)
	w.move(cash.ID, func(_ *store.Tx, x *anchor.Transaction) error { return x.CashReady(until, time.Now()) })
	x = show(cash.ID, "")
	want("cash", x, map[string]any{"status": "pending_user_transfer_complete"}, "completed_at")
	if by, err := time.Parse(time.RFC3339Nano, fmt.Sprint(x["user_action_required_by"])); err != nil || !by.Equal(until) {
		t.Errorf("it is to be collected by %v, expected %s", x["user_action_required_by"], until)
	}
}
