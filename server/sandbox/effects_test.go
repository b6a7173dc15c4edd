package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// effects lists what a page of effects tells: the account's name, the kind,
// the details.
func (w *world) effects(path string, names map[string]string) []string {
	w.Helper()
	var out []string
	for _, rec := range as[array](w.ok(w.get(path)).at("_embedded", "records")) {
		e := as[object](rec)
		text := names[as[string](e["account"])] + " " + as[string](e["type"])
		for _, key := range []string{"account_muxed_id", "amount", "starting_balance", "asset_code", "limit", "public_key", "weight", "home_domain",
			"low_threshold", "med_threshold", "high_threshold", "auth_required_flag"} {
			if v, ok := e[key]; ok {
				if name := names[fmt.Sprint(v)]; name != "" {
					v = name
				}
				text += fmt.Sprintf(" %s=%v", key, v)
			}
		}
		out = append(out, text)
	}
	return out
}

// Each operation tells what it changed, in Horizon's order, and a failed one
// nothing.
func TestEffectsOfOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, issuer, other, root := key("user"), key("issuer"), key("other"), must(rootKey(w.net.cfg.Passphrase))
	names := map[string]string{user.Address(): "user", issuer.Address(): "issuer", other.Address(): "other", root.Address(): "root"}
	w.fund("100", user, issuer)
	dollar := usd(issuer)
	muxed := pay(user, "3", dollar)
	muxed.Destination = muxedAddress(user, 7)

	for _, c := range []struct {
		name   string
		source *keypair.Full
		ops    []txnbuild.Operation
		want   []string
	}{
		{"create", user, ops(&txnbuild.CreateAccount{Destination: other.Address(), Amount: "5"}), []string{
			"other account_created starting_balance=5.0000000", "user account_debited amount=5.0000000",
			"other signer_created public_key=other weight=1"}},
		{"trust", user, ops(trust(dollar, "10")), []string{"user trustline_created asset_code=USD limit=10.0000000"}},
		{"trust more", user, ops(trust(dollar, "20")), []string{"user trustline_updated asset_code=USD limit=20.0000000"}},
		{"pay to muxed", issuer, ops(muxed), []string{
			"user account_credited account_muxed_id=7 amount=3.0000000 asset_code=USD",
			"issuer account_debited amount=3.0000000 asset_code=USD"}},
		{"pay oneself", user, ops(pay(user, "1", lumen)), []string{
			"user account_credited amount=1.0000000", "user account_debited amount=1.0000000"}},
		{"give back and remove", user, ops(pay(issuer, "3", dollar), trust(dollar, "0")), []string{
			"issuer account_credited amount=3.0000000 asset_code=USD", "user account_debited amount=3.0000000 asset_code=USD",
			"user trustline_removed asset_code=USD limit=0.0000000"}},
		{"options", user, ops(&txnbuild.SetOptions{
			HomeDomain: new("example.com"), LowThreshold: new(txnbuild.Threshold(1)), MediumThreshold: new(txnbuild.Threshold(2)),
			SetFlags: []txnbuild.AccountFlag{txnbuild.AuthRequired}, MasterWeight: new(txnbuild.Threshold(3)),
			Signer: &txnbuild.Signer{Address: other.Address(), Weight: 1},
		}), []string{
			"user account_home_domain_updated home_domain=example.com",
			"user account_thresholds_updated low_threshold=1 med_threshold=2 high_threshold=0",
			"user account_flags_updated auth_required_flag=true",
			"user signer_updated public_key=user weight=3", "user signer_created public_key=other weight=1"}},
		{"signer again", user, ops(&txnbuild.SetOptions{
			ClearFlags: []txnbuild.AccountFlag{txnbuild.AuthRequired}, Signer: &txnbuild.Signer{Address: other.Address(), Weight: 1},
		}), []string{"user account_flags_updated auth_required_flag=false"}},
		{"signer gone", user, ops(&txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: other.Address(), Weight: 0}}), []string{
			"user signer_removed public_key=other weight=0"}},
		{"failed", user, ops(pay(other, "1", lumen), pay(other, "1", dollar)), nil},
	} {
		envelope := w.tx(c.source, c.ops)
		w.send(envelope)
		if diff := cmp.Diff(c.want, w.effects("/transactions/"+w.hashOf(envelope)+"/effects", names)); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", c.name, diff)
		}
	}
}

// Effects page both ways through operations and within them, of the network,
// an account, a ledger, a transaction and an operation; the cursor may name the
// operation alone.
func TestEffectsPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := key("a"), key("b")
	w.fund("100", a, b)
	ledger := w.net.latest().seq
	first, second := at(ledger, 1, 1), at(ledger, 1, 2)

	token := func(p position, n int) string { return fmt.Sprintf("%d-%d", p, n) }
	all := []string{token(first, 1), token(first, 2), token(first, 3), token(second, 1), token(second, 2), token(second, 3)}
	for path, want := range map[string][]string{
		fmt.Sprintf("/ledgers/%d/effects", ledger):                                                 all,
		"/transactions/" + fmt.Sprintf("%x", w.net.latest().txs[0].hash) + "/effects":              all,
		fmt.Sprintf("/operations/%d/effects", first):                                               all[:3],
		fmt.Sprintf("/operations/%d/effects", at(ledger, 9, 1)):                                    nil,
		"/accounts/" + b.Address() + "/effects":                                                    {all[3], all[5]},
		"/accounts/" + b.Address() + "/effects?order=desc":                                         {all[5], all[3]},
		"/effects?cursor=" + all[0] + "&limit=3":                                                   all[1:4],
		"/effects?order=desc&cursor=" + all[4] + "&limit=3":                                        {all[3], all[2], all[1]},
		"/effects?order=desc&limit=2":                                                              {all[5], all[4]},
		fmt.Sprintf("/effects?cursor=%d", first):                                                   all[3:],
		fmt.Sprintf("/effects?order=desc&cursor=%d&limit=3", first):                                {all[2], all[1], all[0]},
		"/effects?cursor=" + all[5]:                                                                nil,
		"/accounts/" + must(rootKey(w.net.cfg.Passphrase)).Address() + "/effects?cursor=" + all[0]: {all[1], all[4]},
	} {
		var got []string
		for _, rec := range as[array](w.ok(w.get(path)).at("_embedded", "records")) {
			got = append(got, as[string](as[object](rec)["paging_token"]))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", path, diff)
		}
	}
	for path, status := range map[string]int{
		"/accounts/" + key("nobody").Address() + "/effects": 404,
		"/ledgers/99/effects":                               404,
		"/operations/x/effects":                             400,
		"/effects?cursor=1-x":                               400,
	} {
		if r := w.get(path); r.status != status {
			t.Errorf("%s: %d", path, r.status)
		}
	}

	r := w.get("/effects?limit=2&cursor="+all[1], "Accept", asStream)
	if strings.Count(r.text, "\nid: ") != 2 || !strings.Contains(r.text, "\nid: "+all[2]+"\n") || !strings.Contains(r.text, "\nid: "+all[3]+"\n") {
		t.Errorf("streamed: %s", r.text)
	}
}

// Whatever an effect tells comes out of storage as it went in, and what the
// envelope holds takes no room.
func TestEffectsStored(t *testing.T) {
	t.Parallel()
	known, unknown := idOf(xdr.MustAddress(key("known").Address())), idOf(xdr.MustAddress(key("unknown").Address()))
	envelope := append([]byte("envelope"), known[:]...)
	id := xdr.Uint64(1 << 63)
	in := [][]effect{
		{{muxedAccount(known, nil), "account_debited", moved(asset{}, -5)}, {muxedAccount(unknown, &id), "account_removed", nil}},
		nil,
		{{muxedAccount(known, nil), "data_created", []detail{
			{"sponsor", unknown.String()}, {"asset", "USD:" + known.String()}, {"balance_id", balanceID(known).String()},
			{"no such name", "x"}, {"value", ""}, {"name", "1.5"}, {"home_domain", "G" + strings.Repeat("A", 55)}, {"key", "00000000FF"},
		}}},
	}
	var want []storedEffect
	for i, effects := range in {
		for j, e := range effects {
			want = append(want, storedEffect{e, uint32(i + 1), uint32(j + 1)})
		}
	}
	show := func(v []storedEffect) string {
		var text strings.Builder
		for _, e := range v {
			fmt.Fprintln(&text, e.op, e.order, e.account.Address(), e.kind, e.details)
		}
		return text.String()
	}
	if got := readEffects(envelope, storeEffects(envelope, in)); show(got) != show(want) {
		t.Errorf("got  %s\nwant %s", show(got), show(want))
	}

	flag := effect{muxedAccount(known, nil), "trustline_flags_updated", []detail{{"authorized_flag", true}, {"weight", 3}}}
	stored := storeEffects(envelope, [][]effect{{flag}})
	if len(stored) > 20 {
		t.Errorf("%d bytes", len(stored))
	}
	text := string(must(json.Marshal(links{}.effect(1, &closedTransaction{}, readEffects(envelope, stored)[0]))))
	if !strings.HasSuffix(text, `"authorized_flag":true,"weight":3}`) {
		t.Error(text)
	}
}
