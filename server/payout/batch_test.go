package payout

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/server/anchor"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	const g = "GBAPM27GZ3I3WII7S3L5I4LF6C3MFQKNR3XTYH4EXZHIMB46MLMNMMPZ"
	const sameG = "MBAPM27GZ3I3WII7S3L5I4LF6C3MFQKNR3XTYH4EXZHIMB46MLMNMAAAAAAAAAAAMNVGW"
	one, two := anchor.IDMemo(1), anchor.IDMemo(2)
	many := func(n int, memo anchor.Memo) (all []*anchor.Payout) {
		for i := range n {
			all = append(all, &anchor.Payout{ID: fmt.Sprint(i), Source: "s", Memo: memo, Destination: anchor.Address(fmt.Sprint("d", i))})
		}
		return all
	}
	for _, c := range []struct {
		name string
		due  []*anchor.Payout
		n    int
		want [][]string
	}{
		{"nothing", nil, 3, [][]string{}},
		{"no channel is free", many(2, one), 0, [][]string{}},
		{"one batch for all", many(3, one), 3, [][]string{{"0", "1", "2"}}},
		{"one memo, one transaction", []*anchor.Payout{{ID: "a", Memo: one, Destination: "x"}, {ID: "b", Memo: two, Destination: "y"}, {ID: "c", Memo: one, Destination: "z"}}, 3, [][]string{{"a", "c"}, {"b"}}},
		{"one source, one transaction", []*anchor.Payout{{ID: "a", Source: "s", Destination: "x"}, {ID: "b", Source: "t", Destination: "y"}}, 3, [][]string{{"a"}, {"b"}}},
		{"an account once", []*anchor.Payout{{ID: "a", Destination: g}, {ID: "b", Destination: sameG}, {ID: "c", Destination: "x"}}, 3, [][]string{{"a", "c"}, {"b"}}},
		{"what comes back goes together, each balance once", []*anchor.Payout{
			{ID: "a", Destination: "s", Operation: anchor.PayReclaim, ResultID: "1"}, {ID: "b", Destination: "s", Operation: anchor.PayReclaim, ResultID: "2"},
			{ID: "c", Destination: "s", Operation: anchor.PayReclaim, ResultID: "1"}, {ID: "d", Destination: "x"},
		}, 3, [][]string{{"a", "b", "d"}, {"c"}}},
		{"who spoiled a batch goes alone", []*anchor.Payout{{ID: "a", Destination: "x"}, {ID: "b", Destination: "y", Reason: "op_no_trust"}, {ID: "c", Destination: "z"}}, 3, [][]string{{"a", "c"}, {"b"}}},
		{"no more batches than channels", []*anchor.Payout{{ID: "a", Memo: one, Destination: "x"}, {ID: "b", Memo: two, Destination: "y"}, {ID: "c", Memo: one, Destination: "z"}}, 1, [][]string{{"a", "c"}}},
	} {
		got := [][]string{}
		for _, b := range split(c.due, c.n) {
			var ids []string
			for _, p := range b {
				ids = append(ids, p.ID)
			}
			got = append(got, ids)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	var sizes []int
	for _, b := range split(many(250, one), 9) {
		sizes = append(sizes, len(b))
	}
	if d := cmp.Diff([]int{99, 99, 52}, sizes); d != "" {
		t.Error(d)
	}
}

// Results as a real Horizon sent them.
func TestOperationCodes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ xdr, want string }{
		{"AAAAAAAAAMj////zOH7NDR2xEHSNxwkfB5GjDBXHnAnltVP5s4/NVu3RQCgAAAAAAAAAZP////8AAAABAAAAAAAAAAH////+AAAAAAAAAAA=", "tx_fee_bump_inner_failed tx_failed op_underfunded"},
		{"AAAAAAAAAGT/////AAAAAQAAAAAAAAAB/////gAAAAA=", "tx_failed op_underfunded"},
		{"AAAAAAAAAGT////4AAAAAA==", "tx_no_account"},
	} {
		got, err := operationCodes(c.xdr)
		if err != nil || got.String() != c.want {
			t.Errorf("got %q, %v; want %q", got, err, c.want)
		}
	}
	for _, bad := range []string{"", "AAAA", "AAAAAAAAAGQAAAAAAAAAAQAAAAAAAAABAAAAAAAAAAA="} { // the last is a success
		if got, err := operationCodes(bad); err == nil {
			t.Errorf("%q was read as %q", bad, got)
		}
	}
}

func TestMemoOf(t *testing.T) {
	t.Parallel()
	for _, m := range []anchor.Memo{{Type: anchor.MemoID, Value: "x"}, {Type: anchor.MemoHash, Value: "AAAA"}, {Type: "odd", Value: "1"}} {
		if got, err := memoOf(m); err == nil {
			t.Errorf("%v became %v", m, got)
		}
	}
}
