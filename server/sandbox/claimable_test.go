package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// The envelope of a recorded transaction and the id that stellar-core gave to
// the balance it created.
func TestBalanceID(t *testing.T) {
	t.Parallel()
	const envelope = "AAAAAgAAAADdF5vSrrwDngOh+0vhorJzFqXZwvLUl6vhMT6NTEv61AAAAGQAAAARAAAAGAAAAAEAAAAAAAAAAAAAAABrAqCVAAAAAAAAAAEAAAAAAAAADgAAAAFVU0QAAAAAACOK4T6zBsjXTpKMQ0HP70NDcD1d0lwpdE3gz5ZueQCBAAAAAA7msoAAAAACAAAAAAAAAABA9mvmztG7IR+W19RxZfC2wsFNju88H4S+ToYHnmLY1gAAAAAAAAAAAAAAAN0Xm9KuvAOeA6H7S+GisnMWpdnC8tSXq+ExPo1MS/rUAAAAAwAAAAEAAAAEAAAAAGsCrXkAAAAAAAAAAUxL+tQAAABA/PnzqJWTHjt9jAyOIWHUpTKOJynKfTLHE2CV5OBPLwiHuXU6o69aprUxID9pgwrT9towghjtxCsH4RLCsLxkAg=="
	s := &step{tx: must(decodeBase64(envelope, "Standalone Network ; February 2017"))}
	if got := s.balanceID().String(); got != "00000000c7d0228111727a40e9bcb49e134eedd9bb54e22bc7503e2d2903d96a30eb3d40" {
		t.Error(got)
	}
	first := s.balanceID()
	if s.index = 1; s.balanceID() == first {
		t.Error("two operations, one id")
	}
}

func TestPredicates(t *testing.T) {
	t.Parallel()
	const now = 1_000_000
	always := txnbuild.UnconditionalPredicate
	before := func(at int64) xdr.ClaimPredicate { return txnbuild.BeforeAbsoluteTimePredicate(at) }
	within := func(seconds int64) xdr.ClaimPredicate { return txnbuild.BeforeRelativeTimePredicate(seconds) }
	and, or, not := txnbuild.AndPredicate, txnbuild.OrPredicate, txnbuild.NotPredicate
	var nothing *xdr.ClaimPredicate
	for name, c := range map[string]struct {
		predicate xdr.ClaimPredicate
		valid     bool
		holds     string // at one second before now, now, one after, and at the end of time
	}{
		"always":             {always, true, "yyyy"},
		"until now":          {before(now), true, "ynnn"},
		"for no time":        {within(0), true, "ynnn"},
		"for a second":       {within(1), true, "yynn"},
		"for ever":           {within(math.MaxInt64), true, "yyyn"},
		"from now":           {not(before(now)), true, "nyyy"},
		"during one second":  {and(not(within(0)), within(1)), true, "nynn"},
		"not in that second": {or(within(0), not(before(now+1))), true, "ynyy"},
		"never":              {not(always), true, "nnnn"},
		"four deep":          {not(not(not(before(now)))), true, "nyyy"},
		"five deep":          {not(not(not(not(before(now))))), false, ""},
		"deep on one side":   {and(always, not(not(not(always)))), false, ""},
		"before time":        {before(-1), false, ""},
		"a past span":        {or(always, within(-1)), false, ""},
		"not what":           {xdr.ClaimPredicate{Type: xdr.ClaimPredicateTypeClaimPredicateNot, NotPredicate: &nothing}, false, ""},
		"and what":           {xdr.ClaimPredicate{Type: xdr.ClaimPredicateTypeClaimPredicateAnd, AndPredicates: &[]xdr.ClaimPredicate{always}}, false, ""},
		"or what":            {xdr.ClaimPredicate{Type: xdr.ClaimPredicateTypeClaimPredicateOr, OrPredicates: &[]xdr.ClaimPredicate{}}, false, ""},
	} {
		if validPredicate(c.predicate, 1) != c.valid {
			t.Errorf("%s: valid is %v", name, !c.valid)
		}
		if !c.valid {
			continue
		}
		given := string(must(json.Marshal(c.predicate)))
		p := fixed(c.predicate, now)
		if text := string(must(json.Marshal(p))); strings.Contains(text, "rel_before") {
			t.Errorf("%s: %s", name, text)
		}
		if after := string(must(json.Marshal(c.predicate))); after != given {
			t.Errorf("%s: the operation changed from %s to %s", name, given, after)
		}
		got := ""
		for _, at := range []int64{now - 1, now, now + 1, math.MaxInt64} {
			if holds(p, at) {
				got += "y"
			} else {
				got += "n"
			}
		}
		if got != c.holds {
			t.Errorf("%s: holds %s, want %s", name, got, c.holds)
		}
	}
}

func claimables(amount string, of txnbuild.Asset, to ...*keypair.Full) *txnbuild.CreateClaimableBalance {
	op := &txnbuild.CreateClaimableBalance{Amount: amount, Asset: of}
	for _, k := range to {
		op.Destinations = append(op.Destinations, txnbuild.NewClaimant(k.Address(), nil))
	}
	return op
}

// created is the id of the balance that a transaction's operation created.
func (w *world) created(r reply, op int) string {
	w.Helper()
	var result xdr.TransactionResult
	if err := xdr.SafeUnmarshalBase64(as[string](w.ok(r).at("result_xdr")), &result); err != nil {
		w.Fatal(err)
	}
	ops, _ := result.OperationResults()
	return balanceID(*ops[op].Tr.CreateClaimableBalanceResult.BalanceId.V0).String()
}

// entry reads an account of the ledger.
func (w *world) entry(k *keypair.Full) account {
	w.Helper()
	w.net.mu.RLock()
	defer w.net.mu.RUnlock()
	a := w.net.state.account(idOf(xdr.MustAddress(k.Address())))
	if a == nil {
		w.Fatalf("no account %s", k.Address())
	}
	return *a
}

// fails sends a transaction of one account that must end with this code.
func (w *world) fails(code string, source *keypair.Full, list ...txnbuild.Operation) {
	w.Helper()
	if got := w.send(w.tx(source, list)).code(); got != code {
		w.Errorf("%q, want %q", got, code)
	}
}

func TestClaimableBalances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issuer, dist, user, poor, stranger := key("issuer"), key("dist"), key("user"), key("poor"), key("stranger")
	w.fund("100", issuer, dist, user)
	w.fund("2", poor)
	usd := usd(issuer)
	claim := func(id string) *txnbuild.ClaimClaimableBalance { return &txnbuild.ClaimClaimableBalance{BalanceID: id} }

	w.fails("tx_failed [op_no_trust]", dist, claimables("1", usd, user))
	w.ok(w.send(w.tx(dist, ops(trust(usd, "100")))))
	w.ok(w.send(w.tx(issuer, ops(pay(dist, "50", usd)))))
	w.fails("tx_failed [op_underfunded]", dist, claimables("50.0000001", usd, user))
	w.fails("tx_failed [op_underfunded]", dist, claimables("99", lumen, user))
	w.fails("tx_failed [op_malformed]", dist, claimables("1", usd, user, dist, user))
	w.fails("tx_failed [op_malformed]", dist, claimables("1", usd))
	w.fails("tx_failed [op_low_reserve]", poor, claimables("0.5", lumen, user, dist))

	// For the user always, for the sender after an hour; two reserves.
	mine := claimables("25", usd, user, dist)
	mine.Destinations[1].Predicate = txnbuild.NotPredicate(txnbuild.BeforeRelativeTimePredicate(3600))
	id := w.created(w.send(w.tx(dist, ops(claimables("1", lumen, user), mine))), 1)
	before := w.entry(dist)
	if before.sponsoring != 3 || before.subEntries() != 1 || before.minBalance() != 6*baseReserve {
		t.Errorf("the sender pays for %d of %d entries", before.sponsoring, before.subEntries())
	}
	if got := before.line(assetOf(must(usd.ToXDR()))).balance; got != 25_0000000 {
		t.Errorf("the sender has %d left", got)
	}
	w.net.mu.RLock()
	c := w.net.state.claimables[balanceID(must(xdrBalance(id)))]
	closed := w.net.history.last().closeTime
	w.net.mu.RUnlock()
	if got, want := int64(*(**c.claimants[1].V0.Predicate.NotPredicate).AbsBefore), closed+3600; got != want || c.modified != before.modified {
		t.Errorf("the sender can claim from %d, want %d", got, want)
	}

	w.fails("tx_failed [op_cannot_claim]", dist, claim(id))
	w.fails("tx_failed [op_cannot_claim]", issuer, claim(id))
	w.fails("tx_failed [op_no_trust]", user, claim(id))
	w.ok(w.send(w.tx(user, ops(trust(usd, "24")))))
	w.fails("tx_failed [op_line_full]", user, claim(id))
	w.ok(w.send(w.tx(user, ops(trust(usd, "25")))))
	w.fails("tx_failed [op_success op_does_not_exist]", user, claim(id), claim(id))
	r := w.ok(w.send(w.tx(user, ops(claim(id)))))
	w.fails("tx_failed [op_does_not_exist]", user, claim(id))
	if after := w.entry(dist); after.sponsoring != 1 || after.modified != w.net.latest().seq-1 {
		t.Errorf("the sender still pays for %d, changed in %d", after.sponsoring, after.modified)
	}
	claimed := w.entry(user)
	if got := claimed.line(assetOf(must(usd.ToXDR()))).balance; got != 25_0000000 {
		t.Errorf("the user has %d", got)
	}
	operation := as[object](as[array](w.get("/transactions/"+as[string](r.at("hash"))+"/operations").at("_embedded", "records"))[0])
	if operation["balance_id"] != id || operation["claimant"] != user.Address() {
		t.Errorf("shown as %v", operation)
	}

	// An issuer pays and takes back its own without a line.
	id = w.created(w.send(w.tx(issuer, ops(claimables("5", usd, issuer, stranger)))), 0)
	w.ok(w.send(w.tx(issuer, ops(claim(id)))))
	if after := w.entry(issuer); after.sponsoring != 0 {
		t.Errorf("the issuer still pays for %d", after.sponsoring)
	}
}

func xdrBalance(id string) (xdr.Hash, error) {
	var b xdr.ClaimableBalanceId
	err := xdr.SafeUnmarshalHex(id, &b)
	return *b.V0, err
}

func TestClawbackOfClaimables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issuer, dist, user := key("issuer"), key("dist"), key("user")
	w.fund("100", issuer, dist, user)
	usd := usd(issuer)
	take := func(id string) *txnbuild.ClawbackClaimableBalance {
		return &txnbuild.ClawbackClaimableBalance{BalanceID: id}
	}
	w.ok(w.send(w.tx(dist, ops(trust(usd, "")))))
	w.ok(w.send(w.tx(issuer, ops(pay(dist, "50", usd)))))
	w.ok(w.send(w.tx(issuer, ops(&txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthRevocable, txnbuild.AuthClawbackEnabled}}))))

	// The flag of the line counts, which is older than the issuer's; the
	// issuer's own balances have the issuer's.
	r := w.send(w.tx(dist, ops(claimables("1", usd, user), claimables("1", lumen, user))))
	old, lumens := w.created(r, 0), w.created(r, 1)
	id := w.created(w.send(w.tx(issuer, ops(claimables("2", usd, user)))), 0)
	w.fails("tx_failed [op_not_clawback_enabled]", issuer, take(old))
	w.fails("tx_failed [op_no_issuer]", issuer, take(lumens))
	w.fails("tx_failed [op_no_issuer]", dist, take(id))
	w.fails("tx_failed [op_success op_does_not_exist]", issuer, take(id), take(id))
	w.ok(w.send(w.tx(issuer, ops(take(id)))))
	w.ok(w.send(w.tx(user, ops(trust(usd, "")))))
	w.ok(w.send(w.tx(dist, ops(pay(user, "10", usd)))))
	newer := w.created(w.send(w.tx(user, ops(claimables("3", usd, dist)))), 0)
	w.ok(w.send(w.tx(issuer, ops(take(newer)))))
	for _, k := range []*keypair.Full{issuer, user} {
		if a := w.entry(k); a.sponsoring != 0 {
			t.Errorf("%s still pays for %d", k.Address(), a.sponsoring)
		}
	}
}

// The effects of a story, as they are handed to whoever keeps them.
func TestClaimableEffects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dist, user := key("dist"), key("user")
	w.fund("100", dist, user)
	create := w.tx(dist, ops(claimables("7", lumen, user, dist)))
	id := w.created(w.send(create), 0)
	if diff := cmp.Diff([]string{
		"dist claimable_balance_created amount=7.0000000 asset=native balance_id=ID",
		"user claimable_balance_claimant_created amount=7.0000000 asset=native balance_id=ID predicate=map[unconditional:true]",
		"dist claimable_balance_claimant_created amount=7.0000000 asset=native balance_id=ID predicate=map[unconditional:true]",
		"dist account_debited amount=7.0000000 asset_type=native",
		"dist claimable_balance_sponsorship_created balance_id=ID sponsor=dist",
	}, w.tells(create, id, dist, user)); diff != "" {
		t.Error(diff)
	}
	take := w.tx(user, ops(&txnbuild.ClaimClaimableBalance{BalanceID: id}))
	w.ok(w.send(take))
	if diff := cmp.Diff([]string{
		"user claimable_balance_claimed amount=7.0000000 asset=native balance_id=ID",
		"user account_credited amount=7.0000000 asset_type=native",
		"user claimable_balance_sponsorship_removed balance_id=ID former_sponsor=dist",
	}, w.tells(take, id, dist, user)); diff != "" {
		t.Error(diff)
	}
	// Whose reserve it gives back finds the transaction among its own, not the
	// operation.
	hash := w.hashOf(take)
	if r := w.get("/accounts/" + dist.Address() + "/transactions?order=desc&limit=1"); r.at("_embedded", "records", 0, "hash") != hash {
		t.Errorf("the sponsor's last transaction: %s", r.text)
	}
	if r := w.get("/accounts/" + dist.Address() + "/operations?order=desc&limit=1"); r.at("_embedded", "records", 0, "transaction_hash") == hash {
		t.Errorf("the sponsor's last operation: %s", r.text)
	}
}

// tells lists all that the effects of a transaction say, with short words for
// an id and for accounts, which are called as these keys are.
func (w *world) tells(envelope, id string, accounts ...*keypair.Full) (out []string) {
	w.Helper()
	words := strings.NewReplacer(append(names(accounts), id, "ID")...)
	for _, rec := range as[array](w.ok(w.get("/transactions/"+w.hashOf(envelope)+"/effects?limit=200")).at("_embedded", "records")) {
		e := as[object](rec)
		text := fmt.Sprint(e["account"], " ", e["type"])
		for _, base := range []string{"_links", "id", "paging_token", "account", "type", "type_i", "created_at"} {
			delete(e, base)
		}
		for _, k := range slices.Sorted(maps.Keys(e)) {
			text += fmt.Sprintf(" %s=%v", k, e[k])
		}
		out = append(out, words.Replace(text))
	}
	return out
}

// names pairs the addresses of keys made by key with what they were made of.
func names(accounts []*keypair.Full) (pairs []string) {
	for _, k := range accounts {
		seed := must(strkey.Decode(strkey.VersionByteSeed, k.Seed()))
		pairs = append(pairs, k.Address(), string(bytes.TrimRight(seed, "\x00")))
	}
	return pairs
}
