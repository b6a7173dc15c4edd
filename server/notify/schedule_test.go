package notify

import (
	"testing"
	"time"
)

// TestSchedule: the waits that docs/callbacks.md tells wallets of.
func TestSchedule(t *testing.T) {
	t.Parallel()
	n := New(Config{})
	if n.Patience != 72*time.Hour || n.KeepDelivered != 30*24*time.Hour || n.KeepGivenUp != 90*24*time.Hour || atOnce != 256 || perHost != 4 {
		t.Errorf("%+v", n.Config)
	}
	for failures, most := range map[int]time.Duration{
		0: 10 * time.Second, 1: 20 * time.Second, 2: 40 * time.Second, 5: 320 * time.Second, 11: 20480 * time.Second,
		12: 6 * time.Hour, 20: 6 * time.Hour, 63: 6 * time.Hour, 1 << 40: 6 * time.Hour,
	} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := n.backoff(failures)
			if d < most/2 || d > most {
				t.Errorf("after %d failures: %v, want between %v and %v", failures, d, most/2, most)
			}
			seen[d] = true
		}
		if len(seen) < 50 {
			t.Errorf("after %d failures it is always the same", failures)
		}
	}
	for failures, rests := range map[int]bool{1: false, 2: false, 3: true, 1000: true} {
		if until := n.rest(failures); until.IsZero() == rests || time.Until(until) > maxRetry {
			t.Errorf("after %d failures in a row it rests until %v", failures, until)
		}
	}
}
