package graph_test

import (
	"fmt"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// TestForgetSignIn: staff let an account that is wrongly known as shared, or as one
// user's, be the other, once for their key; and what it had stays as it was.
func TestForgetSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit)
	signIn := func(shared bool) error {
		return w.books.Update(t.Context(), store.Wallet, func(tx *store.Tx) error { return tx.SignIn(account, shared, time.Now()) })
	}
	must(t, signIn(true))
	if err := signIn(false); anchor.KindOf(err) != anchor.Conflict {
		t.Fatalf("a shared account signs in as one user's: %v", err)
	}
	staff := w.staff()
	known := func() string {
		got := staff.do(`query($account: ID!) { signIn(account: $account) { account shared firstAt } }`, map[string]any{"account": account})
		if got.at("signIn") == nil {
			return "unknown"
		}
		if _, err := time.Parse(time.RFC3339Nano, got.str("signIn.firstAt")); err != nil || got.str("signIn.account") != account {
			t.Errorf("%v %v", got, err)
		}
		return fmt.Sprint(got.at("signIn.shared"))
	}
	if got := known(); got != "true" {
		t.Errorf("shared: %s", got)
	}
	for _, unknown := range []string{"G", "", "someone\u0000"} {
		if _, problems := staff.press("forgetSignIn", map[string]any{"account": unknown}); told(problems) == "" {
			t.Errorf("%q is forgotten", unknown)
		}
	}
	wish := map[string]any{"account": account, "key": "ticket-12", "note": "tried with a memo by mistake"}
	if got, problems := staff.press("forgetSignIn", wish); told(problems) != "" || got.at("forgetSignIn") != nil || known() != "unknown" {
		t.Errorf("%v %v", got, problems)
	}
	must(t, signIn(false))
	// A repeat forgets nothing again, and shows what became of it.
	if got, problems := staff.press("forgetSignIn", wish); told(problems) != "" || got.str("forgetSignIn.shared") != "false" || known() != "false" {
		t.Errorf("the repeat: %v %v", got, problems)
	}
	if err := signIn(true); anchor.KindOf(err) != anchor.Conflict {
		t.Errorf("one user's account signs in as shared: %v", err)
	}
	got := staff.do(`query($of: String) { audit(subject: $of) { nodes { actor event subject note } } }`, map[string]any{"of": "account:" + account})
	if want := "[map[actor:staff:kim event:forgetSignIn note:tried with a memo by mistake subject:account:" + account + "]]"; got.str("audit.nodes") != want {
		t.Errorf("the trail is %s, want %s", got.str("audit.nodes"), want)
	}
	if w.read(tr.ID).Owner != tr.Owner {
		t.Error("a transaction changed hands")
	}
}
