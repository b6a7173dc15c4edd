package graph_test

import (
	"fmt"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// told is a transaction whose wallet is to be told of its end at an address.
func (w *world) told(address string) *anchor.Transaction {
	w.t.Helper()
	tr := w.open(anchor.Deposit, func(a *anchor.Transaction) { a.OnChange = address })
	w.change(tr.ID, (*anchor.Transaction).GiveUp)
	return w.read(tr.ID)
}

const callbackView = `{ id kind host state status transaction createdAt attempts nextAt endedAt deliveries { at milliseconds outcome } actions }`

// TestCallbacks: staff see what became of each message to a wallet and which
// hosts are in trouble, and send again what was given up, once for their key.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost, waits, taken := w.told("https://a.down.example/secret"), w.told("https://b.down.example/secret"), w.told("https://well.example/secret")
	message := func(tr *anchor.Transaction) *store.Message {
		each, err := w.books.MessagesOfEach(t.Context(), []string{tr.ID})
		must(t, err)
		return each[tr.ID][0]
	}
	began := time.Now()
	refused := store.Delivery{At: began, Took: 1500 * time.Millisecond, Outcome: "502"}
	w.update(store.Clock, func(tx *store.Tx) error {
		for _, m := range []struct {
			of   *anchor.Transaction
			next time.Time
		}{{lost, time.Time{}}, {waits, began.Add(time.Hour)}} {
			if err := tx.HostFailed("down.example", refused, func(int) time.Time { return began.Add(2 * time.Hour) }); err != nil {
				return err
			}
			if err := tx.NotDelivered(message(m.of), refused, m.next); err != nil {
				return err
			}
		}
		return tx.Delivered(message(taken), store.Delivery{At: began, Outcome: "204"})
	})
	staff := w.staff()
	shown := func(tr *anchor.Transaction) string {
		got := staff.do(`query($id: ID!) { transaction(id: $id) { staff { callbacks `+callbackView+` } } }`, map[string]any{"id": tr.ID})
		at := func(field string) any { return got.at("transaction.staff.callbacks.0." + field) }
		if at("transaction") != tr.ID || at("status") != "expired" || at("kind") != "on_change_callback" {
			t.Errorf("%v", got)
		}
		return fmt.Sprint(at("host"), " ", at("state"), " ", at("attempts"), " ", at("nextAt") != nil, " ", at("endedAt") != nil, " ",
			at("deliveries.0.outcome"), " ", at("deliveries.0.milliseconds"), " ", at("actions"))
	}
	for want, tr := range map[string]*anchor.Transaction{
		"down.example given_up 1 false true 502 1500 [retryCallback]": lost,
		"down.example due 1 true false 502 1500 [retryCallback]":      waits,
		"well.example delivered 0 false true 204 0 []":                taken,
	} {
		if got := shown(tr); got != want {
			t.Errorf("shown is %s, want %s", got, want)
		}
	}
	for filter, n := range map[string]int{"": 3, "(state: given_up)": 1, "(state: due)": 1, "(state: delivered)": 1,
		`(host: "down.example")`: 2, `(host: "down.example", state: given_up)`: 1, `(host: "other.example")`: 0} {
		nodes, _ := staff.do(`{ callbacks`+filter+` { nodes `+callbackView+` } }`, nil).at("callbacks.nodes").([]any)
		if len(nodes) != n {
			t.Errorf("callbacks%s are %d", filter, len(nodes))
		}
	}
	hosts := func() string {
		got := staff.do(`{ callbackHosts { nodes { host failures since at outcome restUntil waiting givenUp } endCursor } }`, nil)
		at := func(field string) any { return got.at("callbackHosts.nodes.0." + field) }
		return fmt.Sprint(at("host"), " ", at("failures"), " ", at("outcome"), " ", at("restUntil") != nil, " ", at("waiting"), " ", at("givenUp"))
	}
	if got := hosts(); got != "down.example 2 502 true 1 1" {
		t.Errorf("hosts in trouble: %s", got)
	}

	// Nobody else sees them.
	if _, problems := w.customer(waits).ask(`{ callbacks { nodes { id } } }`, nil); told(problems) == "" {
		t.Error("a customer lists callbacks")
	}

	id := func(tr *anchor.Transaction) string { return fmt.Sprint(message(tr).ID) }
	for _, c := range []struct{ callback, want string }{
		{"x", "NOT_FOUND not_found callback"}, {"999", "NOT_FOUND not_found callback"}, {id(taken), "CONFLICT delivered"},
	} {
		if _, problems := staff.press("retryCallback", map[string]any{"callback": c.callback}); told(problems) != c.want {
			t.Errorf("retry of %s: %s, want %s", c.callback, told(problems), c.want)
		}
	}
	wake, stop := w.books.Watch(store.TopicOutbox)
	defer stop()
	again := map[string]any{"callback": id(lost), "key": "ticket-9", "note": "their server is back"}
	got, problems := staff.press("retryCallback", again)
	if told(problems) != "" || got.str("retryCallback.state") != "due" || got.at("retryCallback.endedAt") != nil || fmt.Sprint(got.at("retryCallback.attempts")) != "0" {
		t.Errorf("%v %v", got, problems)
	}
	<-wake
	if got := hosts(); got != "down.example 2 502 false 2 0" {
		t.Errorf("after the retry: %s", got)
	}
	due, err := w.books.MessagesDue(t.Context(), time.Now(), nil, 4, 10)
	if err != nil || len(due) != 1 || due[0].Transaction != lost.ID {
		t.Errorf("due are %v, %v", due, err)
	}
	// A repeat sends nothing again, and shows what became of it.
	w.update(store.Clock, func(tx *store.Tx) error {
		return tx.Delivered(message(lost), store.Delivery{At: time.Now(), Outcome: "200"})
	})
	if got, problems := staff.press("retryCallback", again); told(problems) != "" || got.str("retryCallback.state") != "delivered" {
		t.Errorf("the repeat: %v %v", got, problems)
	}
	trail := w.trail(lost.ID)
	if e := trail[0]; e.Event != "retryCallback" || e.Actor != "staff:kim" || e.Subject != "callback:"+id(lost) || e.Note != "their server is back" {
		t.Errorf("the newest entry is %+v", e)
	}
}
