package sandbox

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

const (
	mayAll      = txnbuild.TrustLineAuthorized
	mayMaintain = txnbuild.TrustLineAuthorizedToMaintainLiabilities
	mayTakeBack = txnbuild.TrustLineClawbackEnabled
)

func lineFlagsOp(trustor *keypair.Full, of txnbuild.Asset, set, clear []txnbuild.TrustLineFlag) *txnbuild.SetTrustLineFlags {
	return &txnbuild.SetTrustLineFlags{Trustor: trustor.Address(), Asset: of, SetFlags: set, ClearFlags: clear}
}

// allowTrust is the older way, which still has to work.
func allowTrust(trustor *keypair.Full, of txnbuild.Asset, all, maintain bool) txnbuild.Operation {
	return &txnbuild.AllowTrust{Trustor: trustor.Address(), Type: of, Authorize: all, AuthorizeToMaintainLiabilities: maintain} //nolint:staticcheck // deprecated, but a valid operation
}

func some(flags ...txnbuild.TrustLineFlag) []txnbuild.TrustLineFlag { return flags }

// lineOf tells of a trust line what its holder may do: "-" nothing, "m" only
// maintain, "a" all, with "c" if the issuer may take it back.
func (w *world) lineOf(k *keypair.Full, of txnbuild.CreditAsset) string {
	w.Helper()
	for _, b := range as[array](w.ok(w.get("/accounts/" + k.Address())).at("balances")) {
		if b := as[object](b); b["asset_code"] == of.Code && b["asset_issuer"] == of.Issuer {
			out := "-"
			if b["is_authorized_to_maintain_liabilities"] == true {
				out = "m"
			}
			if b["is_authorized"] == true {
				out = "a"
			}
			if b["is_clawback_enabled"] == true {
				out += "c"
			}
			return out
		}
	}
	return ""
}

// What an issuer can do to a line, with and without the right to revoke, the
// newer way and the older.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, other, issuer := key("user"), key("other"), key("issuer")
	w.fund("100", user, other, issuer)
	usd, foreign := usd(issuer), usd(other)
	flags := func(set, clear []txnbuild.TrustLineFlag) txnbuild.Operation {
		return lineFlagsOp(user, usd, set, clear)
	}
	allow := func(all, maintain bool) txnbuild.Operation { return allowTrust(user, usd, all, maintain) }
	issuerMay := func(set, clear []txnbuild.AccountFlag) txnbuild.Operation {
		return &txnbuild.SetOptions{SetFlags: set, ClearFlags: clear}
	}
	var (
		required  = []txnbuild.AccountFlag{txnbuild.AuthRequired}
		revocable = []txnbuild.AccountFlag{txnbuild.AuthRevocable}
		clawback  = []txnbuild.AccountFlag{txnbuild.AuthRevocable, txnbuild.AuthClawbackEnabled}
	)
	for _, c := range []struct {
		name   string
		source *keypair.Full
		op     txnbuild.Operation
		code   string
		line   string
	}{
		{"no line", issuer, flags(some(mayAll), nil), "op_no_trust", ""},
		{"no line, older", issuer, allow(true, false), "op_no_trust", ""},
		{"no right and no line", issuer, allow(false, false), "op_cant_revoke", ""},
		{"authorization is required", issuer, issuerMay(required, nil), "", ""},
		{"a line", user, trust(usd, ""), "", "-"},
		{"pay into it", issuer, pay(user, "5", usd), "op_not_authorized", "-"},
		{"maintain", issuer, flags(some(mayMaintain), nil), "", "m"},
		{"both at once", issuer, flags(some(mayAll, mayMaintain), nil), "op_malformed", "m"},
		{"one beside the other", issuer, flags(some(mayAll), nil), "op_invalid_state", "m"},
		{"to less", issuer, flags(nil, some(mayMaintain)), "op_cant_revoke", "m"},
		{"to more", issuer, flags(some(mayAll), some(mayMaintain)), "", "a"},
		{"again", issuer, flags(some(mayAll), nil), "", "a"},
		{"pay", issuer, pay(user, "5", usd), "", "a"},
		{"from all to maintain", issuer, flags(some(mayMaintain), some(mayAll)), "op_cant_revoke", "a"},
		{"from all to nothing", issuer, flags(nil, some(mayAll)), "op_cant_revoke", "a"},
		{"from all to maintain, older", issuer, allow(false, true), "op_cant_revoke", "a"},
		{"from all to nothing, older", issuer, allow(false, false), "op_cant_revoke", "a"},
		{"clear what is not set", issuer, flags(nil, some(mayTakeBack)), "", "a"},

		{"it may revoke from now", issuer, issuerMay(revocable, nil), "", "a"},
		{"to maintain", issuer, flags(some(mayMaintain), some(mayAll)), "", "m"},
		{"pay back", user, pay(issuer, "1", usd), "op_src_not_authorized", "m"},
		{"pay another", user, pay(other, "1", usd), "op_no_trust", "m"},
		{"pay in", issuer, pay(user, "1", usd), "op_not_authorized", "m"},
		{"to nothing", issuer, flags(nil, some(mayMaintain, mayAll)), "", "-"},
		{"more, older", issuer, allow(true, false), "", "a"},
		{"less, older", issuer, allow(false, true), "", "m"},
		{"nothing, older", issuer, allow(false, false), "", "-"},
		{"the limit of a line may still change", user, trust(usd, "7"), "", "-"},

		{"set and clear one", issuer, flags(some(mayAll), some(mayAll)), "op_malformed", "-"},
		{"clawback cannot be set", issuer, flags(some(mayTakeBack), nil), "op_malformed", "-"},
		{"unknown flag", issuer, flags(nil, some(16)), "op_malformed", "-"},
		{"another's asset", issuer, lineFlagsOp(user, foreign, some(mayAll), nil), "op_malformed", "-"},
		{"oneself", issuer, lineFlagsOp(issuer, usd, some(mayAll), nil), "op_malformed", "-"},
		{"oneself, older", issuer, allowTrust(issuer, usd, false, false), "op_malformed", "-"},
		{"not the issuer, older", other, allow(true, false), "op_no_trust", "-"},

		{"clawback for new lines", issuer, issuerMay(clawback, nil), "", "-"},
		{"not without revoking", issuer, issuerMay(nil, revocable), "op_auth_revocable_required", "-"},
		{"a newer line", other, trust(usd, ""), "", "-"},
	} {
		want := c.code
		if want != "" {
			want = "tx_failed [" + want + "]"
		}
		if r := w.send(w.tx(c.source, ops(c.op))); r.code() != want {
			t.Errorf("%s: %q, want %q", c.name, r.code(), want)
		}
		if got := w.lineOf(user, usd); got != c.line {
			t.Errorf("%s: the line is %q, want %q", c.name, got, c.line)
		}
	}
	if got := w.lineOf(other, usd); got != "-c" {
		t.Errorf("the newer line is %q", got)
	}
}

// Both ways tell the same effect, the older one with another before it.
func TestAuthorizationIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, issuer := key("user"), key("issuer")
	w.fund("100", user, issuer)
	usd := usd(issuer)
	w.ok(w.send(w.tx(issuer, ops(&txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthRevocable}}))))
	w.ok(w.send(w.tx(user, ops(trust(usd, "")))))
	const line = " asset_code=USD asset_issuer=issuer asset_type=credit_alphanum4"
	for _, c := range []struct {
		op      txnbuild.Operation
		effects []string
		shown   object
	}{
		{lineFlagsOp(user, usd, some(mayMaintain), some(mayAll, mayTakeBack)),
			[]string{"issuer trustline_flags_updated" + line + " authorized_flag=false clawback_enabled_flag=false trustor=user"},
			object{"type": "set_trust_line_flags", "set_flags": array{2.0}, "set_flags_s": array{"authorized_to_maintain_liabilites"},
				"clear_flags": array{1.0, 4.0}, "clear_flags_s": array{"authorized", "clawback_enabled"}}},
		{allowTrust(user, usd, true, false),
			[]string{"issuer trustline_authorized asset_code=USD asset_type=credit_alphanum4 trustor=user",
				"issuer trustline_flags_updated" + line + " authorized_flag=true trustor=user"},
			object{"type": "allow_trust", "trustee": issuer.Address(), "authorize": true, "authorize_to_maintain_liabilities": false}},
		{allowTrust(user, usd, false, true),
			[]string{"issuer trustline_authorized_to_maintain_liabilities asset_code=USD asset_type=credit_alphanum4 trustor=user",
				"issuer trustline_flags_updated" + line + " trustor=user"},
			object{"type": "allow_trust", "trustee": issuer.Address(), "authorize": false, "authorize_to_maintain_liabilities": true}},
		{allowTrust(user, usd, false, false),
			[]string{"issuer trustline_deauthorized asset_code=USD asset_type=credit_alphanum4 trustor=user",
				"issuer trustline_flags_updated" + line + " authorized_flag=false trustor=user"},
			object{"type": "allow_trust", "trustee": issuer.Address(), "authorize": false, "authorize_to_maintain_liabilities": false}},
	} {
		envelope := w.tx(issuer, ops(c.op))
		w.ok(w.send(envelope))
		if diff := cmp.Diff(c.effects, w.tells(envelope, "-", user, issuer)); diff != "" {
			t.Errorf("%v: %s", c.shown["type"], diff)
		}
		// The line's holder takes part in it.
		shown := as[object](w.get("/accounts/"+user.Address()+"/operations?order=desc&limit=1").at("_embedded", "records", 0))
		c.shown["trustor"], c.shown["asset_code"] = user.Address(), "USD"
		for k, want := range c.shown {
			if !cmp.Equal(shown[k], want) {
				t.Errorf("%v: %s is %v, want %v", c.shown["type"], k, shown[k], want)
			}
		}
	}
}

// The issuer takes back what it may, whatever the holder may do with it.
func TestClawback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, old, issuer := key("user"), key("old"), key("issuer")
	w.fund("100", user, old, issuer)
	usd := usd(issuer)
	take := func(from, amount string) *txnbuild.Clawback {
		return &txnbuild.Clawback{From: from, Amount: amount, Asset: usd}
	}
	w.ok(w.send(w.tx(old, ops(trust(usd, "")))))
	w.ok(w.send(w.tx(issuer, ops(&txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthRevocable, txnbuild.AuthClawbackEnabled}}))))
	w.ok(w.send(w.tx(user, ops(trust(usd, "")))))
	w.ok(w.send(w.tx(issuer, ops(pay(user, "10", usd), pay(old, "10", usd)))))

	w.fails("tx_failed [op_not_clawback_enabled]", issuer, take(old.Address(), "1"))
	w.fails("tx_failed [op_no_trust]", issuer, take(key("nobody").Address(), "1"))
	w.fails("tx_failed [op_no_trust]", issuer, take(muxedAddress(issuer, 1), "1"))
	w.fails("tx_failed [op_malformed]", issuer, take(issuer.Address(), "1"))
	w.fails("tx_failed [op_malformed]", issuer, take(user.Address(), "0"))
	w.fails("tx_failed [op_malformed]", old, take(user.Address(), "1"))
	w.fails("tx_failed [op_success op_underfunded]", issuer, take(user.Address(), "4"), take(user.Address(), "7"))
	w.ok(w.send(w.tx(issuer, ops(lineFlagsOp(user, usd, nil, some(mayAll))))))
	last := w.tx(issuer, ops(take(muxedAddress(user, 9), "10")))
	w.ok(w.send(last))
	if got := w.entry(user); got.line(assetOf(must(usd.ToXDR()))).balance != 0 {
		t.Errorf("the user still has %v", got.lines)
	}
	if diff := cmp.Diff([]string{
		"issuer account_credited amount=10.0000000 asset_code=USD asset_issuer=issuer asset_type=credit_alphanum4",
		"user account_debited account_muxed=ID account_muxed_id=9 amount=10.0000000 asset_code=USD asset_issuer=issuer asset_type=credit_alphanum4",
	}, w.tells(last, muxedAddress(user, 9), user, issuer)); diff != "" {
		t.Error(diff)
	}

	// Once the flag is cleared for good, nothing of this line can be taken.
	w.ok(w.send(w.tx(issuer, ops(lineFlagsOp(user, usd, some(mayAll), some(mayTakeBack)), pay(user, "1", usd)))))
	w.fails("tx_failed [op_not_clawback_enabled]", issuer, take(user.Address(), "1"))
	if r := w.get("/accounts/" + user.Address() + "/payments?order=desc&limit=1"); r.at("_embedded", "records", 0, "type") != "payment" {
		t.Errorf("a clawback is no payment: %s", r.text)
	}
}

// Whoever may not merge is told why; whoever does is gone, with all lumens at
// the other account and all its history where it was.
func TestMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, other, co, pays, frozen := key("user"), key("other"), key("co"), key("sponsor"), key("frozen")
	w.fund("100", user, other, pays, frozen)
	merge := func(into *keypair.Full) *txnbuild.AccountMerge {
		return &txnbuild.AccountMerge{Destination: into.Address()}
	}
	w.fails("tx_failed [op_malformed]", user, merge(user))
	w.fails("tx_failed [op_no_account]", user, merge(co))
	w.ok(w.send(w.tx(frozen, ops(&txnbuild.SetOptions{SetFlags: []txnbuild.AccountFlag{txnbuild.AuthImmutable}}))))
	w.fails("tx_failed [op_immutable_set]", frozen, merge(other))
	for _, entry := range [][2]txnbuild.Operation{
		{trust(usd(other), ""), trust(usd(other), "0")},
		{setData("kyc", "ok"), dropData("kyc")},
	} {
		w.ok(w.send(w.tx(user, ops(entry[0]))))
		w.fails("tx_failed [op_has_sub_entries]", user, merge(other))
		w.ok(w.send(w.tx(user, ops(entry[1]))))
	}
	balance := w.created(w.send(w.tx(user, ops(claimables("1", lumen, other)))), 0)
	w.fails("tx_failed [op_is_sponsor]", user, merge(other))
	w.ok(w.send(w.tx(other, ops(&txnbuild.ClaimClaimableBalance{BalanceID: balance}))))
	w.fails("tx_failed [op_success op_is_sponsor]", user, &txnbuild.BeginSponsoringFutureReserves{SponsoredID: co.Address()}, merge(other))

	// A merge takes the high threshold; the signers, and who pays for one, go
	// with the account.
	signer := &txnbuild.SetOptions{
		Signer: &txnbuild.Signer{Address: co.Address(), Weight: 1}, HighThreshold: new(txnbuild.Threshold(2)), SourceAccount: user.Address(),
	}
	w.ok(w.send(w.tx(pays, ops(&txnbuild.BeginSponsoringFutureReserves{SponsoredID: user.Address()}, signer,
		&txnbuild.EndSponsoringFutureReserves{SourceAccount: user.Address()}), user)))
	w.fails("tx_failed [op_bad_auth]", user, merge(other))
	before, all := w.entry(other).balance, w.entry(user).balance
	last := w.tx(user, ops(merge(other)), co)
	r := w.ok(w.send(last))
	if got := w.entry(other).balance; got != before+all-baseFee {
		t.Errorf("the other has %d, had %d, was to get %d", got, before, all)
	}
	if got := w.entry(pays); got.sponsoring != 0 {
		t.Errorf("who paid for the signer still pays for %d", got.sponsoring)
	}
	if diff := cmp.Diff([]string{
		"user account_debited amount=98.9998800 asset_type=native",
		"other account_credited amount=98.9998800 asset_type=native",
		"user account_removed",
		"user signer_sponsorship_removed former_sponsor=sponsor signer=co",
	}, w.tells(last, "-", user, other, co, pays)); diff != "" {
		t.Error(diff)
	}

	if r := w.get("/accounts/" + user.Address()); r.status != 404 {
		t.Errorf("the account is still there: %s", r.text)
	}
	for _, k := range []*keypair.Full{user, other} {
		r := w.ok(w.get("/accounts/" + k.Address() + "/payments?order=desc&limit=1"))
		if got := as[object](r.at("_embedded", "records", 0)); got["type"] != "account_merge" || got["account"] != user.Address() || got["into"] != other.Address() {
			t.Errorf("the last payment is %v", got)
		}
	}
	if again := w.post("/transactions", url.Values{"tx": {last}}); again.status != 200 || again.at("hash") != r.at("hash") {
		t.Errorf("the same again: %s", again.text)
	}
	next := params(user, 1, ops(pay(other, "1", lumen)))
	if r := w.send(w.build(next, user)); r.code() != "tx_no_source_account" {
		t.Errorf("a dead account sends: %s", r.code())
	}

	// Made again it is a new account, with a new number and only its own key.
	w.fund("2", user)
	if a := w.entry(user); len(a.signers) != 0 || a.sequence != firstSequence(w.net.latest().seq) {
		t.Errorf("made again: %+v", a)
	}
}

// An account made in this ledger, or whose number was raised beyond it, cannot
// be merged: made again it would count from lower. And what two accounts do to
// each other in one ledger goes by the order of their transactions.
func TestMergeInOneLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, other, fresh := key("user"), key("other"), key("fresh")
	w.fund("100", user, other)
	gone := &txnbuild.AccountMerge{Destination: other.Address(), SourceAccount: fresh.Address()}
	create := &txnbuild.CreateAccount{Destination: fresh.Address(), Amount: "2"}
	if r := w.send(w.tx(user, ops(create, gone), fresh)); r.code() != "tx_failed [op_success op_seq_num_too_far]" {
		t.Errorf("made and merged at once: %s", r.code())
	}
	w.fails("tx_failed [op_success op_seq_num_too_far]", user,
		&txnbuild.BumpSequence{BumpTo: firstSequence(w.net.latest().seq + 2)}, &txnbuild.AccountMerge{Destination: other.Address()})
	w.fails("tx_failed [op_success op_no_source_account]", user,
		&txnbuild.AccountMerge{Destination: other.Address()}, pay(other, "1", lumen))

	// One merges the other while that one pays: both fees are taken, and either
	// the payment is in time or its account is gone.
	theirs := &txnbuild.AccountMerge{Destination: other.Address(), SourceAccount: user.Address()}
	replies := w.sendAll(w.tx(other, ops(theirs), user), w.tx(user, ops(pay(other, "1", lumen))))
	if w.ok(replies[0]); replies[1].status != 200 && replies[1].code() != "tx_no_source_account" {
		t.Errorf("paying meanwhile: %s", replies[1].text)
	}
	if r := w.get("/accounts/" + user.Address()); r.status != 404 {
		t.Errorf("the account is still there: %s", r.text)
	}
}

func TestBumpSequence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, other := key("user"), key("other")
	w.fund("100", user, other)
	start := w.sequence(user) // the next number
	negative := edited(func() string { return w.tx(user, ops(&txnbuild.BumpSequence{})) }, user, func(tx *xdr.Transaction) {
		tx.Operations[0].Body.BumpSequenceOp.BumpTo = -1
	})
	if r := w.send(negative()); r.code() != "tx_failed [op_bad_seq]" {
		t.Errorf("to a negative number: %s", r.code())
	}
	up := w.tx(user, ops(&txnbuild.BumpSequence{BumpTo: start + 10}))
	down := w.build(params(user, start+11, ops(&txnbuild.BumpSequence{BumpTo: start})), user)
	w.ok(w.send(up))
	w.ok(w.send(down))
	if got := w.sequence(user); got != start+12 {
		t.Errorf("the next number is %d, want %d", got, start+12)
	}
	if diff := cmp.Diff([]string{fmt.Sprintf("user sequence_bumped new_seq=%d", start+10)}, w.tells(up, "-", user)); diff != "" {
		t.Error(diff)
	}
	if got := w.tells(down, "-", user); got != nil {
		t.Errorf("nothing was bumped: %v", got)
	}
	if got := w.get("/accounts/"+user.Address()+"/operations?order=desc&limit=1").at("_embedded", "records", 0, "bump_to"); got != fmt.Sprint(start) {
		t.Errorf("shown with %v", got)
	}

	// Another's transaction may raise it: what was pending never lands.
	theirs := &txnbuild.BumpSequence{BumpTo: start + 50, SourceAccount: user.Address()}
	pending := w.tx(user, ops(pay(other, "1", lumen)))
	replies := w.sendAll(w.tx(other, ops(theirs), user), pending)
	w.ok(replies[0])
	if replies[1].status != 200 && replies[1].code() != "tx_bad_seq" {
		t.Errorf("beside it: %s", replies[1].text)
	}
}
