package sep24_test

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/anchor"
	"windlass/server/store"
)

// TestFind looks a transaction up by each of its names, and lets nobody see
// another's.
func TestFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := keypair.MustRandom().Address()
	who := anchor.Identity{Account: account, Memo: "1", Client: "one.test"}
	x := w.begin("deposit", who, map[string]any{})
	w.move(x.ID, func(_ *store.Tx, x *anchor.Transaction) error {
		x.StellarID, x.ExternalID = "hash-x", "ext-x"
		return nil
	})
	for _, query := range []string{"id=" + x.ID, "stellar_transaction_id=hash-x", "external_transaction_id=ext-x", "id=" + x.ID + "&stellar_transaction_id=hash-x"} {
		for name, c := range map[string]struct {
			who    anchor.Identity
			status int
		}{
			"owner":                   {who, 200},
			"owner in another wallet": {anchor.Identity{Account: account, Memo: "1", Client: "two.test"}, 200},
			"no memo":                 {anchor.Identity{Account: account}, 404},
			"another memo":            {anchor.Identity{Account: account, Memo: "2"}, 404},
			"muxed":                   {anchor.Identity{Account: account, Muxed: muxed(t, account, 1)}, 404},
			"stranger":                {newOwner(), 404},
		} {
			status, out := w.get("/sep24/transaction?"+query, c.who)
			if status != c.status {
				t.Errorf("%s: %s: %d %v", name, query, status, out)
			}
		}
	}
	for query, status := range map[string]int{
		"": 400, "id=": 400, "lang=es": 400, "id=nonsense": 404, "id=" + store.NewID(): 404, "stellar_transaction_id=x": 404, "external_transaction_id=x": 404,
		"id=" + x.ID + "&stellar_transaction_id=other": 404, "id=" + url.QueryEscape("' OR 1=1 --"): 404,
	} {
		if got, out := w.get("/sep24/transaction?"+query, who); got != status {
			t.Errorf("%s: %d %v", query, got, out)
		}
	}
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	who := newOwner()
	var ids []string
	for _, kind := range []string{"deposit", "withdraw", "deposit"} {
		ids = append(ids, w.begin(kind, who, map[string]any{}).ID)
	}
	w.begin("deposit", newOwner(), map[string]any{})
	w.begin("deposit", anchor.Identity{Account: who.Account, Memo: "1"}, map[string]any{})
	native := w.begin("deposit", who, map[string]any{"asset_code": "native"}).ID
	first, err := w.books.Transaction(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	newest := []string{ids[2], ids[1], ids[0]}
	for query, is := range map[string][]string{
		"asset_code=USDW":                                                                   newest,
		"asset_code=native":                                                                 {native},
		"asset_code=USDW&limit=1":                                                           newest[:1],
		"asset_code=USDW&limit=1000000":                                                     newest,
		"asset_code=USDW&kind=withdrawal":                                                   {ids[1]},
		"asset_code=USDW&kind=deposit":                                                      {ids[2], ids[0]},
		"asset_code=USDW&paging_id=" + ids[2]:                                               {ids[1], ids[0]},
		"asset_code=USDW&paging_id=" + ids[2] + "&limit=1":                                  {ids[1]},
		"asset_code=USDW&paging_id=" + ids[0]:                                               {},
		"asset_code=USDW&no_older_than=2020-01-01":                                          newest,
		"asset_code=USDW&no_older_than=2020-01-01T00:00:00":                                 newest,
		"asset_code=USDW&no_older_than=2020-01-01T00:00:00.5Z":                              newest,
		"asset_code=USDW&no_older_than=2020-01-01T00:00:00+02:00":                           newest,
		"asset_code=USDW&no_older_than=2999-01-01T00:00:00Z":                                {},
		"asset_code=USDW&lang=es&no_older_than=" + first.StartedAt.Format(time.RFC3339Nano): newest,
		"asset_code=USDW&no_older_than=" + first.StartedAt.Add(time.Microsecond).Format(time.RFC3339Nano): newest[:2],
	} {
		status, out := w.get("/sep24/transactions?"+query, who)
		got := []string{}
		list, ok := out["transactions"].([]any)
		for _, x := range list {
			object, _ := x.(map[string]any)
			got = append(got, text(object["id"]))
		}
		if status != 200 || !ok || !slices.Equal(got, is) {
			t.Errorf("%s: %d %v, expected %v", query, status, got, is)
		}
	}
	if _, out := w.get("/sep24/transactions?asset_code=USDW", newOwner()); !cmp.Equal(out, map[string]any{"transactions": []any{}}) {
		t.Errorf("somebody new has %v", out)
	}
	for _, query := range []string{"", "asset_code=NOPE", "asset_code=USDW&limit=0", "asset_code=USDW&limit=-1", "asset_code=USDW&limit=x", "asset_code=USDW&kind=withdraw",
		"asset_code=USDW&paging_id=x", "asset_code=USDW&no_older_than=yesterday"} {
		if status, out := w.get("/sep24/transactions?"+query, who); status != 400 {
			t.Errorf("%s: %d %v", query, status, out)
		}
	}
}
