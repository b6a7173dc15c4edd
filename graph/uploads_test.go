package graph

import "testing"

// Only so many documents are received at once, and of one transaction only some: who
// comes later is told to wait, and whichever ends makes room.
func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	u := uploads{of: map[string]int{}}
	var leave []func()
	enter := func(transaction string, want bool) {
		t.Helper()
		out, ok := u.enter(transaction)
		if ok != want {
			t.Fatalf("%s enters beside %d: %t", transaction, u.all, ok)
		}
		if ok {
			leave = append(leave, out)
		}
	}
	for range maxOfOne {
		enter("one", true)
	}
	enter("one", false)
	for len(leave) < maxUploads {
		enter(string(rune('a'+len(leave))), true)
	}
	enter("late", false)
	leave[0]()
	enter("late", true)
	enter("one", false) // there is no room at all again
	for _, out := range leave[1:] {
		out()
	}
	if u.all != 0 || len(u.of) != 0 {
		t.Errorf("%d are left, %v", u.all, u.of)
	}
}
