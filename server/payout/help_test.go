package payout_test

import (
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/payout"
	"windlass/server/rig"
	"windlass/server/store"
)

// wallet says that the wallet can claim balances.
func wallet(a *anchor.Transaction) { a.ClaimableBalance = true }

// one funds a deposit of 10.
func (w *world) one(to anchor.Address, change ...func(*anchor.Transaction)) (id string) {
	w.t.Helper()
	must(w.t, w.books.Update(w.t.Context(), store.BankRail, func(tx *store.Tx) (err error) {
		id, err = w.deposit(tx, to, anchor.Memo{}, amount(0), change...)
		return err
	}))
	return id
}

// given are the intents that gave lumens to an account.
func (w *world) given(account string) []*anchor.Payout {
	w.t.Helper()
	all, err := w.books.PayoutsOf(w.t.Context(), anchor.CauseAccount, account)
	must(w.t, err)
	return all
}

// payouts are a deposit's intents for a purpose.
func (w *world) payouts(id string, purpose anchor.Purpose) (all []*anchor.Payout) {
	w.t.Helper()
	every, err := w.books.PayoutsOf(w.t.Context(), anchor.CauseTransaction, id)
	must(w.t, err)
	for _, p := range every {
		if p.Purpose == purpose {
			all = append(all, p)
		}
	}
	return all
}

// journal is what an account of the journal has.
func (w *world) journal(account anchor.Ledger, asset anchor.Asset) anchor.Amount {
	w.t.Helper()
	all, err := w.books.Balances(w.t.Context())
	must(w.t, err)
	for _, b := range all {
		if b.Account == account && b.Asset == asset {
			return b.Amount
		}
	}
	return 0
}

// waits waits until a deposit's intent has been looked at in vain.
func (w *world) waits(reason string, ids ...string) {
	w.t.Helper()
	w.untilStatus(anchor.PendingTrust, ids...)
	for _, id := range ids {
		w.until("it waits for "+reason, func() bool {
			p := w.payouts(id, anchor.ForPayout)[0]
			return p.State == anchor.PayoutWaiting && p.Reason == reason
		})
	}
}

// A customer without an account gets one, once for ever: who closes it and comes
// again must make it.
func TestAnAccountIsMadeOnce(t *testing.T) {
	w := newWorld(t, 2)
	w.terms.CreateAccount = 2 * anchor.One
	k := rig.NewKey(t)
	w.engine()
	id := w.one(anchor.Address(k.Address()))
	w.until("there is an account", func() bool {
		all := w.given(k.Address())
		return len(all) == 1 && all[0].State == anchor.PayoutPaid
	})
	if got := w.balance(k.Address(), anchor.Native); got != 2*anchor.One {
		t.Errorf("it has %s lumens", got)
	}
	w.waits("no_trust", id)
	w.trust(k)
	w.untilStatus(anchor.Completed, id)
	w.paidOnce(k)
	if got := w.journal(anchor.Reserves, anchor.Native); got != 2*anchor.One {
		t.Errorf("the journal has %s lumens given away", got)
	}

	w.do(k, []txnbuild.Operation{&txnbuild.Payment{Destination: w.issuer.Address(), Asset: w.line(), Amount: amount(0).String()}})
	w.untrust(k)
	w.do(k, []txnbuild.Operation{&txnbuild.AccountMerge{Destination: w.issuer.Address()}})
	again := w.one(anchor.Address(k.Address()))
	w.waits("no_account", again)
	if all := w.given(k.Address()); len(all) != 1 {
		t.Errorf("it was given lumens %d times", len(all))
	}
	w.balanced()
}

// Somebody makes the account at the same moment: the intent to do so ends, and
// spoils nothing.
func TestAnAccountThatIsThereAlready(t *testing.T) {
	w := newWorld(t, 2)
	w.terms.CreateAccount = 2 * anchor.One
	k, to := rig.NewKey(t), w.customers(1)
	w.fund(k)
	must(t, w.books.Update(t.Context(), store.Payouts, func(tx *store.Tx) error {
		p := &anchor.Payout{Source: w.distribution.Address(), Destination: anchor.Address(k.Address())}
		return tx.CreatePayout(p.Gift(store.NewID(), anchor.ForCreate, 2*anchor.One, time.Now()))
	}))
	w.engine()
	w.untilStatus(anchor.Completed, w.deposits(to...)...)
	w.until("the intent has ended", func() bool { return w.given(k.Address())[0].State == anchor.PayoutCancelled })
	w.balanced()
}

// Lumens for the reserve of a trustline are given once, to who needs them.
func TestATopUpIsGivenOnce(t *testing.T) {
	w := newWorld(t, 2)
	w.terms.TopUp = anchor.One / 2
	funder, poor, rich := rig.NewKey(t), rig.NewKey(t), rig.NewKey(t)
	w.fund(funder)
	w.do(funder, []txnbuild.Operation{
		&txnbuild.CreateAccount{Destination: poor.Address(), Amount: "1.1"},
		&txnbuild.CreateAccount{Destination: rich.Address(), Amount: "2"},
	})
	w.engine()
	ids := []string{w.one(anchor.Address(poor.Address())), w.one(anchor.Address(poor.Address())), w.one(anchor.Address(rich.Address()))}
	w.until("the poor one has lumens", func() bool { return w.balance(poor.Address(), anchor.Native) == anchor.MustAmount("1.6") })
	w.waits("no_trust", ids...)
	w.trust(poor)
	w.trust(rich)
	w.untilStatus(anchor.Completed, ids...)
	if n, m := len(w.given(poor.Address())), len(w.given(rich.Address())); n != 1 || m != 0 {
		t.Errorf("the poor one was given lumens %d times, the rich one %d times", n, m)
	}
	w.balanced()
}

// A wallet that can claim balances is paid by one where there is no trustline. A
// missing account is made first; a muxed address waits.
func TestClaimableBalances(t *testing.T) {
	w := newWorld(t, 2)
	w.terms.CreateAccount = 2 * anchor.One
	w.terms.TopUp = anchor.One / 2
	to := w.customers(3)
	w.untrust(to[1])
	w.untrust(to[2])
	none := rig.NewKey(t)
	var ids []string
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		ids = nil
		for i, a := range []string{to[0].Address(), to[1].Address(), none.Address(), muxed(t, to[2].Address(), 7)} {
			id, err := w.deposit(tx, anchor.Address(a), anchor.Memo{}, amount(i), wallet)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	}))
	w.engine()
	w.untilStatus(anchor.Completed, ids[:3]...)
	w.waits("no_trust", ids[3])
	w.balanced()

	if a := w.transaction(ids[0]); a.BalanceID != "" {
		t.Errorf("a payment made the balance %s", a.BalanceID)
	}
	for i, k := range map[int]*keypair.Full{1: to[1], 2: none} {
		a, p := w.transaction(ids[i]), w.payouts(ids[i], anchor.ForPayout)[0]
		if a.BalanceID == "" || p.ResultID != a.BalanceID || p.Operation != anchor.PayClaimable {
			t.Fatalf("%d: the balance is %q, the intent's %q", i, a.BalanceID, p.ResultID)
		}
		if there, err := w.plain.HasClaimableBalance(t.Context(), a.BalanceID); err != nil || !there {
			t.Errorf("%d: the ledger has no balance %s: %v", i, a.BalanceID, err)
		}
		w.trust(k)
		w.do(k, []txnbuild.Operation{&txnbuild.ClaimClaimableBalance{BalanceID: a.BalanceID}})
		if got := w.balance(k.Address(), w.asset); got != amount(i) {
			t.Errorf("%d: the customer has claimed %s", i, got)
		}
	}
	if n := len(w.payouts(ids[1], anchor.ForReclaim)); n != 0 {
		t.Errorf("%d intents to take it back, which nobody asked for", n)
	}
	w.balanced()
}

// What nobody has claimed comes back once, and is owed to the customer again. What
// was claimed does not.
func TestAnUnclaimedBalanceComesBack(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(2)
	w.untrust(to[0])
	w.untrust(to[1])
	var ids []string
	for _, k := range to {
		ids = append(ids, w.one(anchor.Address(k.Address()), wallet))
	}
	w.engine(func(c *payout.Config) { c.ClaimBackAfter = 4 * time.Second })
	w.untilStatus(anchor.Completed, ids...)
	before := w.journal(anchor.Customers, w.asset)
	w.trust(to[0])
	w.do(to[0], []txnbuild.Operation{&txnbuild.ClaimClaimableBalance{BalanceID: w.transaction(ids[0]).BalanceID}})
	w.untilStatus(anchor.OnHold, ids[1])
	a := w.transaction(ids[1])
	if a.PaidOut() || a.BalanceID != "" || a.Note != "reclaimed" || a.AmountOut != amount(0) {
		t.Errorf("the deposit is %+v", a)
	}
	if got := w.journal(anchor.Customers, w.asset); got != before-amount(0) {
		t.Errorf("the customers are owed %s, before it was %s", got, before)
	}
	w.until("the other is let go", func() bool { return w.payouts(ids[0], anchor.ForReclaim)[0].State == anchor.PayoutCancelled })
	if s := w.transaction(ids[0]).Status(); s != anchor.Completed {
		t.Errorf("what was claimed is %s", s)
	}
	w.balanced()

	// It is paid again, by a person's word.
	w.trust(to[1])
	w.staff(func(tx *store.Tx) error {
		a, err := tx.Transaction(ids[1])
		if err != nil {
			return err
		}
		return tx.Release(a, w.terms, time.Now())
	})
	w.untilStatus(anchor.Completed, ids...)
	for _, k := range to {
		if got := w.balance(k.Address(), w.asset); got != amount(0) {
			t.Errorf("a customer has %s", got)
		}
	}
	w.balanced()
}

// An issuer that authorizes each trustline does so by a key of low weight. What
// somebody has frozen stays so.
func TestTrustlinesAreAuthorized(t *testing.T) {
	w := newWorld(t, 2)
	authorizer := rig.NewKey(t)
	one, two := txnbuild.Threshold(1), txnbuild.Threshold(2)
	w.do(w.issuer, []txnbuild.Operation{&txnbuild.SetOptions{
		SetFlags:     []txnbuild.AccountFlag{txnbuild.AuthRequired, txnbuild.AuthRevocable},
		LowThreshold: &one, MediumThreshold: &two, HighThreshold: &two, MasterWeight: &two,
		Signer: &txnbuild.Signer{Address: authorizer.Address(), Weight: 1},
	}})
	to := w.customers(3)
	w.do(w.issuer, []txnbuild.Operation{
		&txnbuild.SetTrustLineFlags{Trustor: to[1].Address(), Asset: w.line(), SetFlags: []txnbuild.TrustLineFlag{txnbuild.TrustLineAuthorized}},
		&txnbuild.SetTrustLineFlags{Trustor: to[1].Address(), Asset: w.line(), ClearFlags: []txnbuild.TrustLineFlag{txnbuild.TrustLineAuthorized}, SetFlags: []txnbuild.TrustLineFlag{txnbuild.TrustLineAuthorizedToMaintainLiabilities}},
	})
	_, stop := w.engine()
	ids := w.deposits(to...)
	w.waits("not_authorized", ids...)
	stop()
	w.engine(func(c *payout.Config) {
		c.Authorizers = map[string]*keypair.Full{w.issuer.Address(): authorizer}
	})
	w.untilStatus(anchor.Completed, ids[0], ids[2])
	if n := len(w.payouts(ids[1], anchor.ForAuthorize)); n != 0 || w.transaction(ids[1]).Status() != anchor.PendingTrust {
		t.Errorf("a frozen customer: %d intents, %s", n, w.transaction(ids[1]).Status())
	}
	w.balanced()
	w.do(w.issuer, []txnbuild.Operation{&txnbuild.SetTrustLineFlags{Trustor: to[1].Address(), Asset: w.line(), SetFlags: []txnbuild.TrustLineFlag{txnbuild.TrustLineAuthorized}, ClearFlags: []txnbuild.TrustLineFlag{txnbuild.TrustLineAuthorizedToMaintainLiabilities}}})
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
}

// A destination that cannot take a deposit until the deadline costs it: all goes
// back to the bank account it came from, or a person sees to it.
func TestTheTrustDeadline(t *testing.T) {
	w := newWorld(t, 2)
	to := w.customers(2)
	w.untrust(to[0])
	w.untrust(to[1])
	ids := w.deposits(to...)
	usd := w.terms.OffChain
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error { // of the other nobody knows who paid
		return tx.CreateBankLine(&anchor.BankLine{ID: "bank-" + ids[0], At: time.Now(), Asset: usd, Amount: amount(0), PayerName: "Ada", PayerAccount: "777",
			State: anchor.Matched, Transaction: ids[0]})
	}))
	w.engine(func(c *payout.Config) { c.TrustWindow = 300 * time.Millisecond })
	w.untilStatus(anchor.PendingTrust, ids...)
	w.untilStatus(anchor.Failed, ids[1])
	if p := w.intent(ids[1]); p.State != anchor.PayoutParked || p.Reason != "trust_deadline" {
		t.Errorf("the intent is %s, %q", p.State, p.Reason)
	}
	w.until("the other goes back", func() bool { return w.intent(ids[0]).State == anchor.PayoutCancelled })
	orders, err := w.books.BankPayoutsOf(t.Context(), ids[0])
	must(t, err)
	if len(orders) != 1 || orders[0].Purpose != anchor.ForRefund || orders[0].Amount != amount(0) || orders[0].State != anchor.BankQueued || orders[0].To["bank_account_number"] != "777" {
		t.Errorf("the orders are %+v", orders)
	}
	if a := w.transaction(ids[0]); a.AmountRefunded != amount(0) || a.AmountOut != 0 {
		t.Errorf("%s go back, %s are to be paid", a.AmountRefunded, a.AmountOut)
	}
	steps, err := w.books.Timeline(t.Context(), ids[1])
	must(t, err)
	if last := steps[len(steps)-1]; last.Actor != store.Clock {
		t.Errorf("%s is what %s did", last.Event, last.Actor)
	}
	w.trust(to[0])
	w.trust(to[1])
	w.balanced()
	if got := w.balance(to[0].Address(), w.asset); got != 0 {
		t.Errorf("the customer was paid %s besides", got)
	}
}

// An account that was made for a deposit, and never took it, costs the anchor's fee.
func TestTheTrustDeadlineKeepsTheFeeForTheAccount(t *testing.T) {
	w := newWorld(t, 1)
	w.terms.CreateAccount = 2 * anchor.One
	w.terms.Deposit.Fee.Fixed = anchor.One / 2
	k := rig.NewKey(t)
	id := w.one(anchor.Address(k.Address()))
	in := w.transaction(id).AmountIn
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		return tx.CreateBankLine(&anchor.BankLine{ID: "bank-" + id, At: time.Now(), Asset: w.terms.OffChain, Amount: in, PayerName: "Ada", PayerAccount: "777",
			State: anchor.Matched, Transaction: id})
	}))
	_, stop := w.engine()
	w.until("the account is made", func() bool {
		all := w.given(k.Address())
		return len(all) == 1 && all[0].State == anchor.PayoutPaid
	})
	w.waits("no_trust", id)
	stop()
	must(t, w.books.Update(t.Context(), store.Payouts, func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		a.Deadline = time.Now()
		return tx.SaveTransaction(a)
	}))
	w.engine()
	w.until("it goes back", func() bool { return w.intent(id).State == anchor.PayoutCancelled })
	if a := w.transaction(id); a.RefundFee != anchor.One/2 || a.AmountRefunded != in-anchor.One/2 || a.AmountFee != 0 {
		t.Errorf("of %s %s go back, %s and %s are kept", in, a.AmountRefunded, a.RefundFee, a.AmountFee)
	}
	w.balanced()
}

// Nobody is given money back while it is not certain that he was not paid.
func TestTheTrustDeadlineWaitsForAPause(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	w.untrust(to[0])
	id := w.deposits(to...)[0]
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		return tx.CreateBankLine(&anchor.BankLine{ID: "bank-" + id, At: time.Now(), Asset: w.terms.OffChain, Amount: amount(0), PayerName: "Ada", PayerAccount: "777",
			State: anchor.Matched, Transaction: id})
	}))
	w.engine()
	w.untilStatus(anchor.PendingTrust, id)
	must(t, w.books.Update(t.Context(), store.Payouts, func(tx *store.Tx) error {
		a, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		a.Deadline = time.Now()
		if err := tx.SaveTransaction(a); err != nil {
			return err
		}
		return tx.Pause(anchor.PausedByStaff, "for the test", "staff:ada")
	}))
	then, err := w.plain.LatestLedger(t.Context())
	must(t, err)
	w.until("some ledgers have closed", func() bool {
		now, err := w.plain.LatestLedger(t.Context())
		must(t, err)
		return now.Sequence > then.Sequence+10
	})
	if p := w.intent(id); p.State != anchor.PayoutWaiting {
		t.Errorf("the intent is %s", p.State)
	}
	must(t, w.books.Update(t.Context(), store.Payouts, func(tx *store.Tx) error { return tx.Resume(anchor.PausedByStaff) }))
	w.until("it goes back", func() bool { return w.intent(id).State == anchor.PayoutCancelled })
}

// What one account pays shares its envelopes, whatever the assets and operations,
// and each operation is its intent's.
func TestAssetsShareAnEnvelope(t *testing.T) {
	w := newWorld(t, 1)
	w.terms.CreateAccount = 2 * anchor.One
	other := *w.terms
	other.Asset.Code = "EURW"
	line := txnbuild.CreditAsset{Code: "EURW", Issuer: w.issuer.Address()}
	w.do(w.distribution, []txnbuild.Operation{&txnbuild.ChangeTrust{Line: line.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit}})
	w.do(w.issuer, []txnbuild.Operation{&txnbuild.Payment{Destination: w.distribution.Address(), Asset: line, Amount: "100"}})
	to := w.customers(4)
	w.do(to[1], []txnbuild.Operation{&txnbuild.ChangeTrust{Line: line.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit}})
	w.untrust(to[2])
	none := rig.NewKey(t)
	var ids []string
	must(t, w.books.Update(t.Context(), store.BankRail, func(tx *store.Tx) error {
		ids = make([]string, 4)
		for i := range ids {
			terms := w.terms
			if i == 1 {
				terms = &other
			}
			var err error
			if ids[i], err = w.depositOf(tx, terms, anchor.Address(to[i].Address()), anchor.Memo{}, amount(i), wallet); err != nil {
				return err
			}
		}
		p := &anchor.Payout{Source: w.distribution.Address(), Destination: anchor.Address(none.Address())}
		return tx.CreatePayout(p.Gift(store.NewID(), anchor.ForCreate, 2*anchor.One, time.Now()))
	}))
	w.engine()
	w.untilStatus(anchor.Completed, ids...)
	if n := w.envelopes(ids); n != 1 {
		t.Errorf("they went in %d envelopes", n)
	}
	if got := w.given(none.Address())[0].Envelope; got != w.intent(ids[0]).Envelope {
		t.Errorf("the account was made in the envelope %s", got)
	}
	eurw := anchor.Asset{Scheme: anchor.Stellar, Code: "EURW", Issuer: w.issuer.Address()}
	for i, asset := range []anchor.Asset{w.asset, eurw, {}, w.asset} {
		if i == 2 {
			continue
		}
		if got := w.balance(to[i].Address(), asset); got != amount(i) {
			t.Errorf("customer %d has %s", i, got)
		}
	}
	if there, err := w.plain.HasClaimableBalance(t.Context(), w.transaction(ids[2]).BalanceID); err != nil || !there {
		t.Errorf("the balance %s is not there: %v", w.transaction(ids[2]).BalanceID, err)
	}
}

// What is above a limit leaves when a second person says so.
func TestAboveALimitAPayoutWaits(t *testing.T) {
	w := newWorld(t, 1)
	limited := *w.terms
	limited.PayoutLimit = amount(0)
	w.books.Limit([]*anchor.Terms{&limited})
	to := w.customers(2)
	ids := w.deposits(to...) // the second is more than the limit
	w.engine()
	w.untilStatus(anchor.Completed, ids[0])
	p := w.intent(ids[1])
	if p.State != anchor.PayoutApproval || w.transaction(ids[1]).Status() != anchor.PendingAnchor {
		t.Errorf("it is %s", p.State)
	}
	w.staff(func(tx *store.Tx) error { return tx.ApprovePayout(p.ID, "staff:ada") })
	w.untilStatus(anchor.Completed, ids...)
	w.paidOnce(to...)
	w.balanced()
}

// An intent whose claimable balance was not made names none.
func TestABalanceThatWasNotMadeIsForgotten(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	w.untrust(to[0])
	open := w.shut()
	w.engine(func(c *payout.Config) { c.Lifetime, c.MaxAttempts = 3, 1 })
	id := w.one(anchor.Address(to[0].Address()), wallet)
	w.until("it is signed", func() bool { return w.payouts(id, anchor.ForPayout)[0].ResultID != "" })
	w.untilStatus(anchor.Failed, id)
	if p := w.payouts(id, anchor.ForPayout)[0]; p.State != anchor.PayoutParked || p.Operation != anchor.PayClaimable || p.ResultID != "" {
		t.Errorf("the intent is %s, by %s, and names the balance %q", p.State, p.Operation, p.ResultID)
	}
	open()
}
