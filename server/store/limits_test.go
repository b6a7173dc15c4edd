package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// TestLimits: what is above a limit waits, on the ledger and at the bank, whatever
// it is for; what nobody can sum up waits too.
func TestLimits(t *testing.T) {
	t.Parallel()
	m := anchor.MustAmount
	type ask struct {
		bank    bool
		purpose anchor.Purpose
		asset   anchor.Asset
		amount  string
		ago     time.Duration
		want    string
	}
	limited := *offer()
	limited.PayoutLimit, limited.DailyLimit = m("100"), m("250")
	twin := limited
	twin.Asset.Code, twin.PayoutLimit, twin.DailyLimit = "USDX", 0, m("200")
	huge := limited
	huge.PayoutLimit, huge.DailyLimit = 0, anchor.MaxAmount
	single := limited
	single.DailyLimit = 0
	for name, c := range map[string]struct {
		terms []*anchor.Terms
		asks  []ask
	}{
		"none": {nil, []ask{{false, anchor.ForPayout, usdw, "900000000000", 0, ""}, {true, anchor.ForPayout, usd, "900000000000", 0, ""}}},
		"one alone": {[]*anchor.Terms{&single}, []ask{
			{false, anchor.ForPayout, usdw, "100", 0, ""}, {false, anchor.ForPayout, usdw, "100.0000001", 0, store.AbovePayoutLimit},
			{false, anchor.ForRefund, usdw, "101", 0, store.AbovePayoutLimit}, {true, anchor.ForPayout, usd, "100.0000001", 0, store.AbovePayoutLimit},
			{true, anchor.ForRefund, usd, "100", 0, ""}, {false, anchor.ForCreate, anchor.Native, "101", 0, ""}, {false, anchor.ForAuthorize, usdw, "0", 0, ""},
		}},
		"a day": {[]*anchor.Terms{&limited}, []ask{
			{false, anchor.ForPayout, usdw, "100", 26 * time.Hour, ""}, // too long ago to count
			{false, anchor.ForPayout, usdw, "100", 23 * time.Hour, ""}, {false, anchor.ForRefund, usdw, "99.9999999", time.Hour, ""},
			{false, anchor.ForPayout, usdw, "100", time.Minute, store.AboveDailyLimit}, // which does not count either
			{false, anchor.ForPayout, usdw, "50.0000002", 0, store.AboveDailyLimit},
			{false, anchor.ForPayout, usdw, "50.0000001", 0, ""}, {false, anchor.ForPayout, usdw, "0.0000001", 0, store.AboveDailyLimit},
			{true, anchor.ForPayout, usd, "100", 0, ""}, {true, anchor.ForRefund, usd, "100", 0, ""}, {true, anchor.ForPayout, usd, "51", 0, store.AboveDailyLimit},
		}},
		"the lowest at the bank": {[]*anchor.Terms{&limited, &twin}, []ask{
			{true, anchor.ForPayout, usd, "101", 0, store.AbovePayoutLimit}, {true, anchor.ForPayout, usd, "100", 0, ""}, {true, anchor.ForPayout, usd, "100", 0, ""},
			{true, anchor.ForPayout, usd, "1", 0, store.AboveDailyLimit}, {false, anchor.ForPayout, twin.Asset, "150", 0, ""},
		}},
		"beyond all bounds": {[]*anchor.Terms{&huge}, []ask{
			{false, anchor.ForPayout, usdw, "922337203685.4775807", 0, ""}, {false, anchor.ForPayout, usdw, "0.0000001", 0, store.AboveDailyLimit},
			{true, anchor.ForPayout, usd, "600000000000", 0, ""}, {true, anchor.ForPayout, usd, "600000000000", 0, store.AboveDailyLimit},
		}},
	} {
		b := newBooks(t)
		b.Limit(c.terms)
		for i, a := range c.asks {
			at := noon.Add(-a.ago)
			var got string
			b.do(t, func(tx *store.Tx) error {
				if a.bank {
					p := &anchor.BankPayout{ID: store.NewID(), CauseKind: anchor.CauseLine, CauseID: store.NewID(), Purpose: a.purpose, Asset: a.asset, Amount: m(a.amount), State: anchor.BankQueued, CreatedAt: at}
					err := tx.CreateBankPayout(p)
					if got = p.Reason; (p.State == anchor.BankApproval) != (got != "") {
						t.Errorf("%s, %d: it is %s", name, i, p.State)
					}
					return err
				}
				p := &anchor.Payout{ID: store.NewID(), CauseKind: anchor.CausePayment, CauseID: store.NewID(), Purpose: a.purpose, Asset: a.asset, Amount: m(a.amount), Source: alice, Destination: bob, State: anchor.PayoutQueued, CreatedAt: at}
				err := tx.CreatePayout(p)
				if got = p.Reason; (p.State == anchor.PayoutApproval) != (got != "") {
					t.Errorf("%s, %d: it is %s", name, i, p.State)
				}
				return err
			})
			if got != a.want {
				t.Errorf("%s, %d: %s of %s: %q, want %q", name, i, a.purpose, a.amount, got, a.want)
			}
		}
	}
}

// TestLimitsUseTheirIndex: a day of payouts is not read row by row.
func TestLimitsUseTheirIndex(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	for table, sum := range store.Within() {
		steps, err := b.Plan(t.Context(), sum)
		if err != nil || !strings.Contains(steps, "USING COVERING INDEX "+table+"_within") {
			t.Errorf("%s: %s %v", table, steps, err)
		}
	}
}

// TestFourEyes: a second person lets go what is above a limit, and nobody else.
func TestFourEyes(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	terms := *offer()
	terms.PayoutLimit = anchor.One
	b.Limit([]*anchor.Terms{&terms})
	withdrawal := b.paidIn(t, anchor.Withdrawal, 7)
	deposit := b.paidIn(t, anchor.Deposit, 8)
	approve := func(actor store.Actor, do func(*store.Tx) error) error { return b.Update(t.Context(), actor, do) }
	if err := b.refund(t, withdrawal, 40*anchor.One); err != nil { // by Ada
		t.Fatal(err)
	}
	intents, err := b.PayoutsOf(t.Context(), anchor.CauseTransaction, withdrawal)
	if err != nil || intents[0].State != anchor.PayoutApproval || intents[0].Reason != store.AbovePayoutLimit {
		t.Fatalf("%+v, %v", intents, err)
	}
	orders, err := b.BankPayoutsOf(t.Context(), withdrawal)
	if err != nil || orders[0].State != anchor.BankApproval {
		t.Fatalf("%+v, %v", orders, err)
	}
	payout := func(by string) func(*store.Tx) error {
		return func(tx *store.Tx) error { return tx.ApprovePayout(intents[0].ID, by) }
	}
	order := func(by string) func(*store.Tx) error {
		return func(tx *store.Tx) error { return tx.ApproveBankPayout(orders[0].ID, by) }
	}
	kindIs(t, approve("staff:ada", payout("staff:ada")), anchor.Conflict, "four_eyes")
	kindIs(t, approve("staff:ada", payout("ada")), anchor.Conflict, "four_eyes")
	kindIs(t, approve("staff:bob", payout("")), anchor.Invalid, "")
	for _, do := range []func(*store.Tx) error{payout("staff:bob"), order("staff:ada")} { // the order follows by itself
		if err := approve("staff:bob", do); err != nil {
			t.Error(err)
		}
		kindIs(t, approve("staff:eve", do), anchor.Conflict, "not_in_approval")
	}
	if intents, err = b.PayoutsOf(t.Context(), anchor.CauseTransaction, withdrawal); err != nil || intents[0].State != anchor.PayoutQueued || intents[0].Reason != "" {
		t.Errorf("%+v, %v", intents[0], err)
	}
	if orders, err = b.BankPayoutsOf(t.Context(), withdrawal); err != nil || orders[0].State != anchor.BankQueued || orders[0].Reason != "" {
		t.Errorf("%+v, %v", orders[0], err)
	}

	// Whose update makes an intent has asked for it.
	held := func(do func(*anchor.Transaction, *store.Tx) error) {
		t.Helper()
		if err := b.Update(t.Context(), "staff:ada", func(tx *store.Tx) error {
			a, err := tx.Transaction(deposit)
			if err != nil {
				return err
			}
			return do(a, tx)
		}); err != nil {
			t.Fatal(err)
		}
	}
	held(func(a *anchor.Transaction, tx *store.Tx) error {
		all, err := tx.PayoutsOf(anchor.CauseTransaction, deposit, anchor.ForPayout)
		if err != nil {
			return err
		}
		all[0].State = anchor.PayoutCancelled
		if err := a.Hold(noon); err != nil {
			return err
		}
		if err := tx.SavePayout(all[0]); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	})
	held(func(a *anchor.Transaction, tx *store.Tx) error { return tx.Release(a, &terms, noon) })
	if intents, err = b.PayoutsOf(t.Context(), anchor.CauseTransaction, deposit); err != nil || len(intents) != 2 || intents[1].RequestedBy != "staff:ada" || intents[1].State != anchor.PayoutApproval {
		t.Fatalf("%+v, %v", intents, err)
	}
	kindIs(t, approve("staff:ada", func(tx *store.Tx) error { return tx.ApprovePayout(intents[1].ID, "staff:ada") }), anchor.Conflict, "four_eyes")

	// Whoever lets what waits go on has asked for it too.
	other := b.paidIn(t, anchor.Withdrawal, 9)
	for _, id := range []string{deposit, other} {
		if err := b.Update(t.Context(), "staff:bob", func(tx *store.Tx) error {
			a, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			if err := a.Hold(noon); err != nil {
				return err
			}
			return tx.Release(a, &terms, noon)
		}); err != nil {
			t.Fatal(err)
		}
	}
	if orders, err = b.BankPayoutsOf(t.Context(), other); err != nil || len(orders) != 1 || orders[0].RequestedBy != "staff:bob" {
		t.Fatalf("%+v, %v", orders, err)
	}
	again := func(tx *store.Tx) error { return tx.ApprovePayout(intents[1].ID, "staff:bob") }
	kindIs(t, approve("staff:bob", again), anchor.Conflict, "four_eyes")
	kindIs(t, approve("staff:bob", order("staff:bob")), anchor.Conflict, "four_eyes")
	if err := approve("staff:ada", order("staff:ada")); err != nil {
		t.Error(err)
	}

	// Refusing it is a refund, which ends it.
	if err := b.refund(t, deposit, 100*anchor.One); err != nil {
		t.Fatal(err)
	}
	if intents, err = b.PayoutsOf(t.Context(), anchor.CauseTransaction, deposit); err != nil || intents[1].State != anchor.PayoutCancelled {
		t.Errorf("%+v, %v", intents, err)
	}
}

// TestWhoTypedAnAccountIsNotTheSecond: a refund to an account that one person typed
// needs another, whoever decides it and however large it is; and whatever waits goes
// to the statement's account once that tells it.
func TestWhoTypedAnAccountIsNotTheSecond(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		limit   anchor.Amount
		decides store.Actor
		by      string
		refused string
	}{
		"the clock":             {0, store.Clock, "", "staff:ada"},
		"somebody else":         {0, "staff:bob", "staff:bob", "staff:bob"},
		"above a limit":         {anchor.One, "staff:bob", "staff:bob", "staff:bob"},
		"above it by the clock": {anchor.One, store.Clock, "", "staff:ada"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBooks(t)
			terms := offer()
			terms.PayoutLimit = tt.limit
			b.Limit([]*anchor.Terms{terms})
			id := b.waiting(t, anchor.Deposit, 7)
			must(t, b.Update(t.Context(), "staff:ada", func(tx *store.Tx) error {
				a, err := tx.Transaction(id)
				if err != nil {
					return err
				}
				_, err = tx.ConfirmBankFunds(anchor.BankLine{ID: "l", At: noon, Amount: 100 * anchor.One, PayerAccount: "ada's own"}, a, terms, "staff:ada", noon)
				return err
			}))
			must(t, b.Update(t.Context(), tt.decides, func(tx *store.Tx) error {
				a, err := tx.Transaction(id)
				if err != nil {
					return err
				}
				return tx.Refund(a, terms, 40*anchor.One, 0, tt.by, noon)
			}))
			orders, err := b.BankPayoutsOf(t.Context(), id)
			must(t, err)
			approve := func(by string) error {
				return b.Update(t.Context(), store.Actor(by), func(tx *store.Tx) error { return tx.ApproveBankPayout(orders[0].ID, by) })
			}
			if orders[0].State != anchor.BankApproval || orders[0].Reason != store.PayerTyped || orders[0].To[store.PayerAccount] != "ada's own" {
				t.Errorf("%+v", orders[0])
			}
			kindIs(t, approve(tt.refused), anchor.Conflict, "four_eyes")
			b.do(t, func(tx *store.Tx) error {
				known, err := tx.BankLine("l")
				if err != nil {
					return err
				}
				told := *known
				told.PayerAccount = "the customer's"
				_, err = tx.ToldLine(known, &told, false, noon)
				return err
			})
			must(t, approve("staff:eve"))
			orders, err = b.BankPayoutsOf(t.Context(), id)
			must(t, err)
			if orders[0].State != anchor.BankQueued || orders[0].To[store.PayerAccount] != "the customer's" {
				t.Errorf("%+v", orders[0])
			}
		})
	}
}

// TestTypedPayeeIsLookedAtAgain: a refund goes again only to an account that the
// statement has told without a second person, though one has let an order to the typed
// account go before.
func TestTypedPayeeIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	b := newBooks(t)
	deposit := b.waiting(t, anchor.Deposit, 8)
	at := func(actor store.Actor, do func(*store.Tx, *anchor.Transaction) error) {
		t.Helper()
		if err := b.Update(t.Context(), actor, func(tx *store.Tx) error {
			a, err := tx.Transaction(deposit)
			if err != nil {
				return err
			}
			return do(tx, a)
		}); err != nil {
			t.Fatal(err)
		}
	}
	line := anchor.BankLine{ID: "c", At: noon, Amount: 100 * anchor.One, PayerName: "Bo", PayerAccount: "typed"}
	var o *anchor.BankPayout
	refused := func(tx *store.Tx) error {
		_, err := tx.RecordBankPayout(o, store.Outcome{State: anchor.BankRefused, Reason: "account_closed"}, noon)
		return err
	}
	retry := func(to map[string]string, want anchor.BankPayoutState) {
		t.Helper()
		at("staff:ada", func(tx *store.Tx, _ *anchor.Transaction) (err error) {
			o, err = tx.RetryBankPayout(o.ID, to, "staff:ada", noon)
			return err
		})
		if o.State != want || (want == anchor.BankApproval) != (o.Reason == store.PayerTyped) {
			t.Errorf("to %v: %+v", to, o)
		}
	}
	at("staff:ada", func(tx *store.Tx, a *anchor.Transaction) error {
		if _, err := tx.ConfirmBankFunds(line, a, offer(), "staff:ada", noon); err != nil {
			return err
		}
		if err := tx.Refund(a, offer(), 100*anchor.One, 0, "staff:ada", noon); err != nil {
			return err
		}
		all, err := tx.BankPayoutsOf(anchor.CauseTransaction, deposit, anchor.ForRefund)
		o = all[0]
		return err
	})
	at("staff:bob", func(tx *store.Tx, _ *anchor.Transaction) error {
		if err := tx.ApproveBankPayout(o.ID, "staff:bob"); err != nil {
			return err
		}
		return refused(tx)
	})
	retry(nil, anchor.BankApproval)
	at("staff:bob", func(tx *store.Tx, _ *anchor.Transaction) error {
		if err := tx.ApproveBankPayout(o.ID, "staff:bob"); err != nil {
			return err
		}
		known, err := tx.BankLine("c")
		if err != nil {
			return err
		}
		told := line
		told.Asset, told.PayerAccount = usd, "told"
		_, err = tx.ToldLine(known, &told, false, noon)
		return errors.Join(err, refused(tx))
	})
	retry(map[string]string{store.PayerAccount: "to ld"}, anchor.BankQueued)
	at("staff:bob", func(tx *store.Tx, _ *anchor.Transaction) error { return refused(tx) })
	retry(nil, anchor.BankQueued)
	at("staff:bob", func(tx *store.Tx, _ *anchor.Transaction) error { return refused(tx) })
	retry(map[string]string{store.PayerAccount: "typed"}, anchor.BankApproval)
}
