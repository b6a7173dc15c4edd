package payout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/payout"
	"windlass/server/rig"
	"windlass/server/store"
)

// lumens offers lumens, one for one, with an engine that knows it, and returns a way
// to fund a deposit of them. balanced holds the journal's lumens against the ledger.
func (w *world) lumens(change ...func(*payout.Config)) (e *payout.Engine, buy func(to string, in string, change ...func(*anchor.Transaction)) (id string), balanced func()) {
	w.t.Helper()
	terms, account := *w.terms, w.distribution.Address()
	terms.Asset, terms.Decimals, terms.OffChainDecimals, terms.Deposit.Min = anchor.Native, 7, 7, anchor.One/10
	capital := w.balance(account, anchor.Native)
	e, _ = w.engine(append(change, func(c *payout.Config) { c.Terms = append(c.Terms, &terms) })...)
	buy = func(to, in string, change ...func(*anchor.Transaction)) (id string) {
		w.t.Helper()
		must(w.t, w.books.Update(w.t.Context(), store.BankRail, func(tx *store.Tx) (err error) {
			id, err = w.depositOf(tx, &terms, anchor.Address(to), anchor.Memo{}, anchor.MustAmount(in), change...)
			return err
		}))
		return id
	}
	return e, buy, func() {
		w.t.Helper()
		w.balanced()
		if got, want := w.journal(anchor.Distribution, anchor.Native)+w.journal(anchor.NetworkFees, anchor.Native), w.balance(account, anchor.Native)-capital; got != want {
			w.t.Errorf("the journal's lumens have moved by %s, the ledger's by %s", got, want)
		}
	}
}

// Lumens that a customer buys make the account themselves, if they are enough, and
// with what is paid out: nothing is given. Fewer wait for the account, as do those
// for a muxed address, which would lose its id; or they can be claimed.
func TestLumensMakeTheirAccount(t *testing.T) {
	w := newWorld(t, 2)
	made, least, few, claims, many := rig.NewKey(t), rig.NewKey(t), rig.NewKey(t), rig.NewKey(t), w.customers(1)[0]
	user := muxed(t, rig.NewKey(t).Address(), 7)
	had := w.balance(many.Address(), anchor.Native)
	_, buy, balanced := w.lumens()
	claimed := buy(claims.Address(), "0.9999999", wallet)
	waiting := []string{buy(few.Address(), "0.9999999"), buy(user, "5", wallet)}
	w.untilStatus(anchor.Completed, buy(made.Address(), "5"), buy(least.Address(), "1"), buy(many.Address(), "3"), claimed)
	w.waits("no_account", waiting...)
	for k, want := range map[*keypair.Full]anchor.Amount{made: 5 * anchor.One, least: anchor.One, many: had + 3*anchor.One} {
		if got := w.balance(k.Address(), anchor.Native); got != want {
			t.Errorf("%s has %s, not %s", k.Address(), got, want)
		}
	}
	if w.transaction(claimed).BalanceID == "" {
		t.Error("there is nothing to claim")
	}
	balanced()

	// The second time it is a payment like any other.
	w.fund(few, claims)
	w.do(claims, []txnbuild.Operation{&txnbuild.ClaimClaimableBalance{BalanceID: w.transaction(claimed).BalanceID}})
	w.untilStatus(anchor.Completed, waiting[0], buy(made.Address(), "2"))
	if got := w.balance(made.Address(), anchor.Native); got != 7*anchor.One {
		t.Errorf("the account has %s", got)
	}
	if got := w.balance(few.Address(), anchor.Native); got != anchor.MustAmount("10000.9999999") {
		t.Errorf("the account that was too small has %s", got)
	}
	if given := w.journal(anchor.Reserves, anchor.Native); given != 0 {
		t.Errorf("%s lumens were given", given)
	}
	balanced()
}

// Lumens that nobody has claimed come back, and are owed again.
func TestUnclaimedLumensComeBack(t *testing.T) {
	w := newWorld(t, 1)
	_, buy, balanced := w.lumens(func(c *payout.Config) { c.ClaimBackAfter = 2 * time.Second })
	before := w.balance(w.distribution.Address(), anchor.Native)
	id := buy(rig.NewKey(t).Address(), "0.5", wallet)
	w.untilStatus(anchor.OnHold, id)
	if owed := w.journal(anchor.Customers, anchor.Native); owed != -anchor.One/2 {
		t.Errorf("%s is owed", owed)
	}
	if got := w.balance(w.distribution.Address(), anchor.Native); got != before {
		t.Errorf("%s lumens are left of %s", got, before)
	}
	balanced()
}

// What the account that pays must keep of its lumens is never paid away: a payout
// that would take some of it waits for more, and those behind it go on.
func TestLumensThatMustStayAreNotPaid(t *testing.T) {
	w := newWorld(t, 1)
	to, account := w.customers(3), w.distribution.Address()
	other := txnbuild.CreditAsset{Code: "EURW", Issuer: w.issuer.Address()}
	w.do(w.distribution, []txnbuild.Operation{&txnbuild.ChangeTrust{Line: other.MustToChangeTrustAsset(), Limit: txnbuild.MaxTrustlineLimit}})
	w.do(w.distribution, []txnbuild.Operation{&txnbuild.Payment{Destination: w.issuer.Address(), Asset: txnbuild.NativeAsset{}, Amount: "9900"}})
	spare := w.balance(account, anchor.Native) - 2*anchor.One // two base reserves, and one for each of two trustlines
	hot := payout.Hot{Account: account, Asset: anchor.Native, Minimum: anchor.One}
	e, buy, balanced := w.lumens(func(c *payout.Config) { c.Hot = []payout.Hot{hot} })
	large := buy(to[0].Address(), (spare + 1).String())
	alarms := func(n int, prefix string) {
		t.Helper()
		w.until(fmt.Sprintf("there are %d alarms, %q", n, prefix), func() bool {
			all := e.Status().Alarms
			return len(all) == n && (n == 0 || strings.HasPrefix(all[0].Key, prefix+account) && strings.Contains(all[0].Text, " XLM"))
		})
	}
	alarms(1, "low_funds ")
	w.untilStatus(anchor.Completed, buy(to[1].Address(), "1"))
	if p := w.payouts(large, anchor.ForPayout)[0]; p.State != anchor.PayoutQueued || p.Attempts != 0 || w.transaction(large).Status() != anchor.PendingAnchor {
		t.Errorf("the payout is %+v", p)
	}

	rest := spare - anchor.One
	w.untilStatus(anchor.Completed, buy(to[2].Address(), rest.String()))
	if got := w.balance(account, anchor.Native); got != 2*anchor.One {
		t.Errorf("%s lumens are left", got)
	}
	alarms(2, "hot_minimum ")
	balanced()

	funder := rig.NewKey(t)
	w.fund(funder)
	w.do(funder, []txnbuild.Operation{&txnbuild.Payment{Destination: account, Asset: txnbuild.NativeAsset{}, Amount: "99"}})
	must(t, w.books.Update(t.Context(), store.Operator, func(tx *store.Tx) error {
		return tx.Post(time.Now(), anchor.Move("own", "", "", anchor.Native, 99*anchor.One, anchor.Capital, anchor.Distribution))
	}))
	w.untilStatus(anchor.Completed, large)
	balanced()
}
