package sandbox

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A page of a timeline is what searching all that happened would find.
func TestPages(t *testing.T) {
	t.Parallel()
	type event struct {
		position
		success, payment bool
	}
	rapid.Check(t, func(t *rapid.T) {
		var l timeline
		var all []event
		for i := range rapid.IntRange(0, 40).Draw(t, "events") {
			e := event{position(10 * i), rapid.Bool().Draw(t, "success"), rapid.Bool().Draw(t, "payment")}
			l.addOperation(e.position, e.success, e.payment)
			l.addTransaction(e.position, e.success)
			all = append(all, e)
		}
		cursor := position(rapid.IntRange(0, 420).Draw(t, "cursor"))
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		descending := rapid.Bool().Draw(t, "descending")
		payments, failedToo := rapid.Bool().Draw(t, "payments only"), rapid.Bool().Draw(t, "failed too")
		search := func(keep func(event) bool) []position {
			var out []position
			for _, e := range all {
				if keep(e) && (e.success || failedToo) && (descending && e.position < cursor || !descending && e.position > cursor) {
					out = append(out, e.position)
				}
			}
			if descending {
				slices.Reverse(out)
			}
			return out[:min(len(out), limit)]
		}
		if got, want := page(l.transactions(failedToo), cursor, descending, limit), search(func(event) bool { return true }); !slices.Equal(got, want) {
			t.Errorf("transactions %v, want %v", got, want)
		}
		want := search(func(e event) bool { return e.payment || !payments })
		if got := page(l.operations(payments, failedToo), cursor, descending, limit); !slices.Equal(got, want) {
			t.Errorf("operations %v, want %v", got, want)
		}
		from, to := cursor, cursor+100
		for _, p := range page(allWithin(l.operations(false, true), from, to), 0, false, 100) {
			if p < from || p >= to {
				t.Errorf("%d is not from %d to %d", p, from, to)
			}
		}
	})
}
