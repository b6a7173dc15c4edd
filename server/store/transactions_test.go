package store_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"windlass/server/anchor"
	"windlass/server/store"
)

// same compares transactions in all but their trail, which is written down apart.
var same = gocmp.Options{gocmp.AllowUnexported(anchor.Transaction{}), cmpopts.IgnoreFields(anchor.Transaction{}, "trail")}

// TestTransactionRoundTrip: every field comes back as it went in.
func TestTransactionRoundTrip(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	a := start(anchor.Withdrawal)
	a.Owner = anchor.Identity{Account: alice, Memo: "12", Muxed: "M1", Client: "wallet.example.com"}
	a.CustomerID, a.Method, a.Reference = "c", "bank_transfer", "WL-9"
	a.Memo, a.AnchorAccount = anchor.IDMemo(9), alice
	a.RefundMemo = anchor.Memo{Type: anchor.MemoText, Value: "back"}
	a.ClaimableBalance, a.AmountsKnown, a.Reviewed = true, true, true
	a.Requested, a.AmountIn, a.AmountOut, a.AmountFee = 1, 1<<62, 3, 4
	a.FeeLines = []anchor.FeeLine{{Name: anchor.FeeFixed, Amount: 3}, {Name: anchor.FeeRounding, Amount: 1}}
	a.AmountRefunded, a.RefundFee, a.Expected = 5, 6, 7
	a.StellarID, a.ExternalID = "hash", "bank"
	for i, at := range []*time.Time{&a.UpdatedAt, &a.CompletedAt, &a.AgreedAt, &a.FundedAt, &a.PaidOutAt, &a.Deadline} {
		*at = noon.Add(time.Duration(i+1) * 1001 * time.Microsecond)
	}
	a.Lang, a.Callback, a.OnChange, a.Note = "es", "postMessage", "https://wallet.example.com/?a=1&b='", "note"
	b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
	got, err := b.Transaction(ctx, a.ID)
	if diff := gocmp.Diff(a, got, same); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	// And as it is saved.
	b.do(t, func(tx *store.Tx) error {
		c, err := tx.Transaction(a.ID)
		if err != nil {
			return err
		}
		c.Note, c.AmountIn, c.Lang, c.FeeLines, c.Reviewed = "", 9, "en", nil, false
		a = c
		return tx.SaveTransaction(c)
	})
	got, err = b.Transaction(ctx, a.ID)
	if diff := gocmp.Diff(a, got, same); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	_, err = b.Transaction(ctx, "nobody")
	kindIs(t, err, anchor.NotFound, "not_found")
}

// TestDepositStory: each step is in the audit trail with who took it, in the
// journal, and told to those whom the wallet named.
func TestDepositStory(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	step := func(actor store.Actor, fn func(*store.Tx) error) {
		t.Helper()
		if err := b.Update(ctx, actor, fn); err != nil {
			t.Fatal(err)
		}
	}
	a := start(anchor.Deposit)
	a.Callback, a.OnChange = "https://wallet.example.com/done", "https://wallet.example.com/change"
	step(store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
	id := a.ID
	change := func(actor store.Actor, fn func(tx *store.Tx, a *anchor.Transaction) error) {
		t.Helper()
		step(actor, func(tx *store.Tx) error {
			a, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			if err := fn(tx, a); err != nil {
				return err
			}
			return tx.SaveTransaction(a)
		})
	}
	// The customer is known now: kyc_verified changed, which the wallet is told.
	change(store.Customer, func(_ *store.Tx, a *anchor.Transaction) error {
		a.Reviewed, a.Method = true, "bank_transfer"
		return nil
	})
	change(store.Customer, func(_ *store.Tx, a *anchor.Transaction) error { return a.SetAmount(offer(), 100*anchor.One) })
	change(store.Customer, func(tx *store.Tx, a *anchor.Transaction) error {
		if err := a.Agree(anchor.Instructions{Reference: "WL-1", Deadline: late}, noon); err != nil {
			return err
		}
		// Saved twice in one update: each step is written down once.
		if err := tx.SaveTransaction(a); err != nil {
			return err
		}
		return a.Sent(noon.Add(time.Second))
	})
	step(store.BankRail, func(tx *store.Tx) error {
		a, err := tx.TransactionByReference("WL-1")
		if err != nil {
			return err
		}
		arrival, err := tx.Receive(a, offer(), 100*anchor.One, "line", noon, noon.Add(2*time.Second))
		if arrival != anchor.Accepted {
			t.Errorf("arrival %s", arrival)
		}
		return err
	})
	due, err := b.PayoutsDue(ctx, anchor.PayoutQueued, noon, 9)
	if err != nil || len(due) != 1 || due[0].CauseID != id || due[0].Amount != anchor.MustAmount("98.5") || due[0].Source != alice || due[0].Destination != bob {
		t.Fatalf("%+v, %v", due, err)
	}
	e := envelope(alice, "h1", due[0].ID)
	change(store.Payouts, func(tx *store.Tx, a *anchor.Transaction) error {
		p := due[0]
		p.State, p.Envelope = anchor.PayoutInEnvelope, e.ID
		if err := tx.CreateEnvelope(e); err != nil {
			return err
		}
		if err := tx.SavePayout(p); err != nil {
			return err
		}
		if err := tx.Post(noon, due[0].Sent("h1")); err != nil {
			return err
		}
		return a.PayoutSigned(noon.Add(3 * time.Second))
	})
	change(store.Payouts, func(tx *store.Tx, a *anchor.Transaction) error {
		e.State = anchor.EnvelopeApplied
		if err := tx.SaveEnvelope(e); err != nil {
			return err
		}
		if err := tx.Post(noon, due[0].Arrived("h1")); err != nil {
			return err
		}
		return a.PaidOnLedger("h1", noon.Add(4*time.Second), noon.Add(5*time.Second))
	})

	got, err := b.Timeline(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	entry := func(by store.Actor, ev anchor.Event, from, to anchor.Status, s int) store.TimelineEntry {
		return store.TimelineEntry{Step: anchor.Step{Event: ev, From: from, To: to, At: at(s)}, Actor: by}
	}
	want := []store.TimelineEntry{
		entry(store.Wallet, "started", anchor.Incomplete, anchor.Incomplete, 0),
		entry(store.Customer, anchor.Agreed, anchor.Incomplete, anchor.PendingUserTransferStart, 0),
		entry(store.Customer, anchor.CustomerSent, anchor.PendingUserTransferStart, anchor.PendingExternal, 1),
		entry(store.BankRail, anchor.FundsReceived, anchor.PendingExternal, anchor.PendingAnchor, 2),
		entry(store.Payouts, anchor.PayoutSigned, anchor.PendingAnchor, anchor.PendingStellar, 3),
		entry(store.Payouts, anchor.PayoutApplied, anchor.PendingStellar, anchor.Completed, 5),
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("the audit trail: %s", diff)
	}
	if diff := gocmp.Diff([]string{
		"on_change_callback incomplete", "on_change_callback pending_user_transfer_start", "callback pending_user_transfer_start",
		"on_change_callback pending_external", "on_change_callback pending_anchor", "on_change_callback pending_stellar", "on_change_callback completed",
	}, outbox(t, b, id)); diff != "" {
		t.Errorf("the outbox: %s", diff)
	}
	journal, err := b.Journal(ctx, id)
	if err != nil || len(journal) != 3 || journal[0].Kind != "received" || journal[1].Kind != "sent" || journal[2].Kind != "arrived" || journal[2].Reference != "h1" {
		t.Errorf("%+v, %v", journal, err)
	}
	balanced(t, b)
}

// outbox is what a transaction's wallet is to be told, in order.
func outbox(t *testing.T, b *books, id string) []string {
	t.Helper()
	rows, err := b.Readers().Query(`SELECT kind, status, state, attempts FROM outbox WHERE transaction_id = $1 ORDER BY id`, id)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var kind, status, state string
		var attempts int
		if err := rows.Scan(&kind, &status, &state, &attempts); err != nil {
			t.Fatal(err)
		}
		if state != "due" || attempts != 0 {
			t.Errorf("%s %s begins as %s, %d", kind, status, state, attempts)
		}
		all = append(all, kind+" "+status)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestOutbox: only addresses are called; the page itself posts messages. And
// the callback is sent at most once.
func TestOutbox(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for i, c := range []struct {
		callback, onChange string
		want               []string
	}{
		{"", "", nil},
		{"postMessage", "postMessage", nil},
		{"postMessage", "https://w/c", []string{"on_change_callback pending_user_transfer_start", "on_change_callback expired"}},
		{"https://w/c", "postMessage", []string{"callback pending_user_transfer_start"}},
		{"http://localhost/c", "", []string{"callback pending_user_transfer_start"}},
		{"javascript:alert(1)", "ftp://w/c", nil},
		{"httpsx://w", "HTTPS", nil},
	} {
		a := start(anchor.Deposit)
		a.Callback, a.OnChange = c.callback, c.onChange
		b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
		wake, stop := b.Watch(store.TopicOutbox)
		for _, step := range []func(a *anchor.Transaction) error{
			func(a *anchor.Transaction) error { return agree(a, uint64(100+i)) },
			func(*anchor.Transaction) error { return nil }, // saved, and nothing happened
			func(a *anchor.Transaction) error { return a.Cancel(noon) },
		} {
			b.do(t, func(tx *store.Tx) error {
				a, err := tx.Transaction(a.ID)
				if err != nil {
					return err
				}
				if err := step(a); err != nil {
					return err
				}
				return tx.SaveTransaction(a)
			})
		}
		if diff := gocmp.Diff(c.want, outbox(t, b, a.ID)); diff != "" {
			t.Errorf("callback %q, on change %q: %s", c.callback, c.onChange, diff)
		}
		select {
		case <-wake:
			if c.want == nil {
				t.Errorf("callback %q, on change %q: woken for nothing", c.callback, c.onChange)
			}
		default:
			if c.want != nil {
				t.Errorf("callback %q, on change %q: nobody was woken", c.callback, c.onChange)
			}
		}
		stop()
	}

	// A transaction that leaves incomplete twice calls back once.
	a := start(anchor.Deposit)
	a.Callback = "https://w/c"
	b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
	for _, status := range []string{"incomplete", "incomplete"} {
		if _, err := b.raw(t).Exec(`UPDATE transactions SET status = $1 WHERE id = $2`, status, a.ID); err != nil {
			t.Fatal(err)
		}
		b.do(t, func(tx *store.Tx) error {
			a, err := tx.Transaction(a.ID)
			if err != nil {
				return err
			}
			if err := agree(a, 999); err != nil {
				return err
			}
			return tx.SaveTransaction(a)
		})
	}
	if all := outbox(t, b, a.ID); len(all) != 1 {
		t.Errorf("called back %v", all)
	}
}

// TestStartedLate: what happened before a transaction was stored is told too.
func TestStartedLate(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	a := start(anchor.Deposit)
	a.OnChange = "https://w/c"
	if err := agree(a, 1); err != nil {
		t.Fatal(err)
	}
	b.do(t, func(tx *store.Tx) error {
		if err := tx.CreateTransaction(a); err != nil {
			return err
		}
		if err := a.Sent(noon); err != nil {
			return err
		}
		return tx.SaveTransaction(a) // one that this Tx created may be saved
	})
	tl, err := b.Timeline(context.Background(), a.ID)
	if err != nil || len(tl) != 3 || tl[0].To != anchor.Incomplete || tl[1].Event != anchor.Agreed || tl[2].Event != anchor.CustomerSent {
		t.Errorf("%+v, %v", tl, err)
	}
	if all := outbox(t, b, a.ID); len(all) != 2 {
		t.Errorf("%v", all)
	}
}

// TestConflict: what changed meanwhile is not overwritten.
func TestConflict(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	id := b.waiting(t, anchor.Deposit, 1)
	save := func(a *anchor.Transaction) error {
		return b.Update(ctx, store.Operator, func(tx *store.Tx) error { return tx.SaveTransaction(a) })
	}
	// Read outside: whether its status or only its facts are older.
	read, err := b.Transaction(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	read.Note = "mine"
	kindIs(t, save(read), anchor.Conflict, "changed_meanwhile")
	// Loaded by another update.
	var kept *anchor.Transaction
	b.do(t, func(tx *store.Tx) (err error) { kept, err = tx.Transaction(id); return err })
	kindIs(t, save(kept), anchor.Conflict, "changed_meanwhile")
	// Never stored.
	kindIs(t, save(start(anchor.Deposit)), anchor.Conflict, "changed_meanwhile")
	// Loaded twice by one update: the second copy is out of date once the first
	// is saved, and both are fresh until then.
	err = b.Update(ctx, store.Operator, func(tx *store.Tx) error {
		one, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		two, err := tx.TransactionByReference("WL-1")
		if err != nil {
			return err
		}
		one.Note = "one"
		if err := tx.SaveTransaction(one); err != nil {
			t.Error(err)
		}
		two.Lang = "two"
		return tx.SaveTransaction(two)
	})
	kindIs(t, err, anchor.Conflict, "changed_meanwhile")
	// The status in the books is another: somebody went past the store.
	err = b.Update(ctx, store.Operator, func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		if err := tx.Exec(`UPDATE transactions SET status = 'on_hold' WHERE id = $1`, id); err != nil {
			return err
		}
		if err := a.Sent(noon); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
	kindIs(t, err, anchor.Conflict, "changed_meanwhile")
	got, err := b.Transaction(ctx, id)
	if err != nil || got.Status() != anchor.PendingUserTransferStart || got.Note != "" || got.Lang != "" {
		t.Errorf("%+v, %v", got, err)
	}
	if tl, err := b.Timeline(ctx, id); err != nil || len(tl) != 2 {
		t.Errorf("the audit trail tells what was rolled back: %v, %v", tl, err)
	}
}

// TestLookups: by memo, by reference, by hash and by the bank's id, each for
// those whose it is only.
func TestLookups(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	fresh := start(anchor.Withdrawal) // no memo, no reference: never found by nothing
	b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(fresh) })
	w, d := b.funded(t, anchor.Withdrawal, 7), b.funded(t, anchor.Deposit, 8)
	find := func(fn func(*store.Tx) (*anchor.Transaction, error)) string {
		t.Helper()
		id := ""
		b.do(t, func(tx *store.Tx) error {
			a, err := fn(tx)
			if err != nil {
				kindIs(t, err, anchor.NotFound, "not_found")
				return nil
			}
			id = a.ID
			return nil
		})
		return id
	}
	byMemo := func(account string, m anchor.Memo) string {
		return find(func(tx *store.Tx) (*anchor.Transaction, error) { return tx.TransactionByMemo(account, m) })
	}
	byReference := func(r string) string {
		return find(func(tx *store.Tx) (*anchor.Transaction, error) { return tx.TransactionByReference(r) })
	}
	for _, c := range []struct{ name, got, want string }{
		{"its memo", byMemo(alice, anchor.IDMemo(7)), w},
		{"another account", byMemo(bob, anchor.IDMemo(7)), ""},
		{"another kind of memo", byMemo(alice, anchor.Memo{Type: anchor.MemoText, Value: "7"}), ""},
		{"another memo", byMemo(alice, anchor.IDMemo(8)), ""},
		{"no memo", byMemo("", anchor.Memo{}), ""},
		{"its reference", byReference("WL-8"), d},
		{"a withdrawal's", byReference("WL-7"), ""},
		{"no reference", byReference(""), ""},
	} {
		if c.got != c.want {
			t.Errorf("by %s: %q, want %q", c.name, c.got, c.want)
		}
	}
	owner := anchor.Identity{Account: alice, Client: "any"}
	for _, c := range []struct {
		owner      anchor.Identity
		hash, bank string
		want       string
	}{
		{owner, "ref-7", "", w},
		{owner, "", "ref-8", d},
		{owner, "ref-8", "", ""},
		{owner, "", "", ""},
		{anchor.Identity{Account: bob}, "ref-7", "", ""},
		{anchor.Identity{Account: alice, Memo: "1"}, "ref-7", "", ""},
	} {
		a, err := b.TransactionOf(ctx, c.owner, c.hash, c.bank)
		if c.want == "" {
			kindIs(t, err, anchor.NotFound, "not_found")
		} else if err != nil || a.ID != c.want {
			t.Errorf("%q %q: %v", c.hash, c.bank, err)
		}
	}
}

// TestExpirable: what waits past its deadline, oldest first.
func TestExpirable(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	var ids []string
	for i := range 4 {
		a := start(anchor.Deposit)
		a.Deadline = noon.Add(time.Duration(4-i) * time.Hour)
		b.do(t, func(tx *store.Tx) error { return tx.CreateTransaction(a) })
		ids = append(ids, a.ID)
	}
	b.funded(t, anchor.Deposit, 1) // waits for nobody
	for _, c := range []struct {
		at    time.Time
		limit int
		want  []string
	}{
		{noon, 9, nil},
		{noon.Add(time.Hour), 9, nil}, // at the deadline it is not over
		{noon.Add(time.Hour + time.Microsecond), 9, []string{ids[3]}},
		{late, 9, []string{ids[3], ids[2], ids[1], ids[0]}},
		{late, 2, []string{ids[3], ids[2]}},
	} {
		all, err := b.Expirable(ctx, anchor.Deposit, "", c.at, c.limit)
		if got := idsOf(all); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v", c.at, got, err)
		}
	}
}

func idsOf(all []*anchor.Transaction) []string {
	var ids []string
	for _, a := range all {
		ids = append(ids, a.ID)
	}
	return ids
}

// TestHistoryAndSearch compares with a list in memory and a loop.
func TestHistoryAndSearch(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	ctx := context.Background()
	owners := []anchor.Identity{{Account: alice}, {Account: alice, Memo: "1"}, {Account: alice, Memo: "2", Client: "w"}, {Account: bob}, {Account: alice, Muxed: "MABC"}}
	assets := []anchor.Asset{usdw, eurw}
	var model []*anchor.Transaction // newest first
	b.do(t, func(tx *store.Tx) error {
		for i := range 240 {
			terms := offer()
			terms.Asset = assets[i/3%2]
			kind := []anchor.Kind{anchor.Deposit, anchor.Withdrawal}[i/2%2]
			account := []anchor.Address{alice, bob}[i/7%2]
			a := anchor.Start(store.NewID(), kind, terms, owners[i%len(owners)], account, late, noon.Add(time.Duration(i/4)*time.Minute))
			if i%4 > 0 {
				if err := agree(a, uint64(i)); err != nil {
					return err
				}
			}
			if i%4 == 2 {
				if _, _, err := a.Receive(terms, 100*anchor.One, fmt.Sprint("ref-", i), noon, noon); err != nil {
					return err
				}
			}
			if i%4 == 3 {
				if err := a.Cancel(noon); err != nil {
					return err
				}
			}
			if err := tx.CreateTransaction(a); err != nil {
				return err
			}
			model = append([]*anchor.Transaction{a}, model...)
		}
		return nil
	})
	if !slices.IsSortedFunc(model, func(x, y *anchor.Transaction) int { return -cmp.Compare(x.ID, y.ID) }) {
		t.Fatal("ids do not sort by age")
	}
	naive := func(keep func(*anchor.Transaction) bool, before string, limit int) []string {
		var ids []string
		for _, a := range model {
			if keep(a) && (before == "" || a.ID < before) && (limit == 0 || len(ids) < limit) {
				ids = append(ids, a.ID)
			}
		}
		return ids
	}
	rapid.Check(t, func(t *rapid.T) {
		owner := rapid.SampledFrom(owners).Draw(t, "owner")
		owner.Client = "another" // the same user in another wallet
		h := store.History{
			Asset: rapid.SampledFrom([]anchor.Asset{{}, usdw, eurw, usd}).Draw(t, "asset"),
			Kind:  rapid.SampledFrom([]anchor.Kind{"", anchor.Deposit, anchor.Withdrawal}).Draw(t, "kind"),
			Limit: rapid.IntRange(0, 30).Draw(t, "limit"),
		}
		if rapid.Bool().Draw(t, "recent") {
			h.NoOlderThan = noon.Add(time.Duration(rapid.IntRange(0, 60*60).Draw(t, "seconds")) * time.Second)
			if rapid.Bool().Draw(t, "exactly") {
				h.NoOlderThan = rapid.SampledFrom(model).Draw(t, "as old as").StartedAt
			}
		}
		keep := func(a *anchor.Transaction) bool {
			return a.Owner.Subject() == owner.Subject() && (h.Asset == anchor.Asset{} || a.Asset == h.Asset) &&
				(h.Kind == "" || a.Kind == h.Kind) && !a.StartedAt.Before(h.NoOlderThan)
		}
		// Page by page until an empty one.
		for range 300 {
			got, err := b.History(ctx, owner, h)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(naive(keep, h.Before, h.Limit), idsOf(got)); diff != "" {
				t.Fatalf("%+v: %s", h, diff)
			}
			if len(got) == 0 || h.Limit == 0 {
				break
			}
			h.Before = got[len(got)-1].ID
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SampledFrom(model).Draw(t, "some")
		q := store.Search{
			Kind:     rapid.SampledFrom([]anchor.Kind{"", anchor.Deposit, anchor.Withdrawal}).Draw(t, "kind"),
			Statuses: rapid.SliceOfN(rapid.SampledFrom(anchor.Statuses), 0, 12).Draw(t, "statuses"),
			Text: rapid.SampledFrom([]string{"", some.ID, some.ID[:len(some.ID)-rapid.IntRange(0, 30).Draw(t, "cut")], strings.ToUpper(some.ID), " " + some.ID + "\n",
				string(some.Account), some.Owner.Account, some.Owner.Muxed, some.StellarID, some.ExternalID, some.Reference, some.Memo.Value,
				"nothing", "%", "_", "' OR 1=1 --", "~", "é"}).Draw(t, "text"),
			Page: store.Page{Limit: rapid.IntRange(0, 30).Draw(t, "limit")},
		}
		text := strings.TrimSpace(q.Text)
		got, end, err := b.Search(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		last := ""
		if end != "" && rapid.Bool().Draw(t, "further") {
			last = got[len(got)-1].ID
			q.After = end
			if got, _, err = b.Search(ctx, q); err != nil {
				t.Fatal(err)
			}
		}
		want := naive(func(a *anchor.Transaction) bool {
			return (q.Kind == "" || a.Kind == q.Kind) && (len(q.Statuses) == 0 || slices.Contains(q.Statuses, a.Status())) &&
				(text == "" || strings.HasPrefix(a.ID, strings.ToLower(text)) ||
					slices.Contains([]string{string(a.Account), a.Owner.Account, a.Owner.Muxed, a.StellarID, a.ExternalID, a.Reference, a.Memo.Value}, text))
		}, last, q.Limit)
		if diff := gocmp.Diff(want, idsOf(got)); diff != "" {
			t.Fatalf("%+v: %s", q, diff)
		}
	})
}
