package anchor

import (
	"slices"
	"testing"
)

// TestNoticesAreWanted: nobody is written to before they have agreed to something, or
// a reviewer has looked at them: until then the address could be anybody's.
func TestNoticesAreWanted(t *testing.T) {
	t.Parallel()
	byReviewers := []Event{CorrectionDue, ReviewPassed}
	before := []Status{Incomplete, PendingUser, PendingAnchor}
	for _, line := range Table {
		step := Step{Event: line.Event, To: line.To}
		if slices.ContainsFunc(line.From, func(s Status) bool { return slices.Contains(before, s) }) && !slices.Contains(byReviewers, line.Event) &&
			!slices.Contains([]string{agreed.Name, arrived.Name, funded.Name, paidOut.Name, refunded.Name}, line.Guard.Name) {
			for _, kind := range []Kind{Deposit, Withdrawal} {
				for _, step.From = range line.From {
					if n, ok := NoticeAfter(kind, step); ok && slices.Contains(before, step.From) {
						t.Errorf("%s of a %s that is %s may come before any yes, and is told: %s", line.Event, kind, step.From, n.Name)
					}
				}
			}
		}
	}
}

// TestToldAfterReview: who waited for a person is told at once that they may pay; who
// goes through by themselves only if their wallet has not paid soon.
func TestToldAfterReview(t *testing.T) {
	t.Parallel()
	for ev, soonEnough := range map[Event]bool{ReviewPassed: true, Agreed: false} {
		n, ok := NoticeAfter(Withdrawal, Step{Event: ev, From: PendingAnchor, To: PendingUserTransferStart})
		if !ok || n.Name != "pay" || (n.After == 0) != soonEnough {
			t.Errorf("after %s: %+v, %v", ev, n, ok)
		}
	}
}
