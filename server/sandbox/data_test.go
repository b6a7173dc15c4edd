package sandbox

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

func setData(name, value string) *txnbuild.ManageData {
	return &txnbuild.ManageData{Name: name, Value: []byte(value)}
}

func dropData(name string) *txnbuild.ManageData { return &txnbuild.ManageData{Name: name} }

func TestManageData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, poor := key("user"), key("poor")
	w.fund("10", user)
	w.fund("1.6", poor)

	for _, c := range []struct {
		source *keypair.Full
		ops    []txnbuild.Operation
		code   string
		data   object
	}{
		{user, ops(setData("kyc", "ok")), "", object{"kyc": "b2s="}},
		{user, ops(setData("kyc", "no"), setData("a/b ?", "\xff")), "", object{"kyc": "bm8=", "a/b ?": "/w=="}},
		{user, ops(dropData("other")), "tx_failed [op_data_name_not_found]", object{"kyc": "bm8=", "a/b ?": "/w=="}},
		{user, ops(dropData("kyc"), dropData("kyc")), "tx_failed [op_success op_data_name_not_found]", object{"kyc": "bm8=", "a/b ?": "/w=="}},
		{user, ops(setData("", "x")), "tx_failed [op_data_invalid_name]", object{"kyc": "bm8=", "a/b ?": "/w=="}},
		{user, ops(setData("naïve", "x")), "tx_failed [op_data_invalid_name]", object{"kyc": "bm8=", "a/b ?": "/w=="}},
		{user, ops(dropData("a/b ?"), setData("empty", "")), "", object{"kyc": "bm8=", "empty": ""}},
		{user, ops(dropData("empty"), setData(strings.Repeat("n", 64), strings.Repeat("v", 64))), "",
			object{"kyc": "bm8=", strings.Repeat("n", 64): strings.Repeat("dnZ2", 21) + "dg=="}},
		// A lumen and a half holds one entry; changing that one costs nothing.
		{poor, ops(setData("one", "1")), "", object{"one": "MQ=="}},
		{poor, ops(setData("two", "2")), "tx_failed [op_low_reserve]", object{"one": "MQ=="}},
		{poor, ops(setData("one", "3")), "", object{"one": "Mw=="}},
		{poor, ops(dropData("one"), setData("two", "2")), "", object{"two": "Mg=="}},
	} {
		if got := w.send(w.tx(c.source, c.ops)); got.code() != c.code {
			t.Errorf("%v: %q, want %q", c.ops, got.code(), c.code)
		}
		account := w.get("/accounts/" + c.source.Address())
		if diff := cmp.Diff(c.data, account.at("data")); diff != "" {
			t.Errorf("after %q: %s", c.code, diff)
		}
		if count := account.at("subentry_count"); count != float64(len(c.data)) {
			t.Errorf("%v entries counted of %v", count, c.data)
		}
	}
	if r := w.get("/accounts/"+user.Address()+"/data/kyc", "Accept", asBytes); r.text != "no" || r.header.Get("Content-Type") != asBytes {
		t.Errorf("as it is: %q", r.text)
	}
	if r := w.ok(w.get("/accounts/" + user.Address() + "/data/kyc")); r.header.Get("Latest-Ledger") == "" || !cmp.Equal(r.body, object{"value": "bm8="}) {
		t.Errorf("the entry alone: %v %s", r.header, r.text)
	}
	for path, status := range map[string]int{
		user.Address() + "/data/none":              http.StatusNotFound,
		key("nobody").Address() + "/data/kyc":      http.StatusNotFound,
		"GBADADDRESS/data/kyc":                     http.StatusBadRequest,
		poor.Address() + "/data/two?limit=ignored": http.StatusOK,
	} {
		if r := w.get("/accounts/" + path); r.status != status {
			t.Errorf("%s: %d, want %d\n%s", path, r.status, status, r.text)
		}
	}
	last := as[object](as[array](w.get("/accounts/"+user.Address()+"/operations?order=desc").at("_embedded", "records"))[0])
	if last["type"] != "manage_data" || last["name"] != strings.Repeat("n", 64) || last["value"] != strings.Repeat("dnZ2", 21)+"dg==" {
		t.Errorf("the operation is shown as %v", last)
	}
}
