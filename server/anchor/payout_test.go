package anchor_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"windlass/server/anchor"
)

// TestJudge: an envelope with sequence 100 that is good in ledgers below 50.
func TestJudge(t *testing.T) {
	t.Parallel()
	e := &anchor.Envelope{Sequence: 100, MaxLedger: 50}
	for _, c := range []struct {
		sequence int64
		latest   uint32
		want     anchor.Verdict
	}{
		{99, 48, anchor.Unknown},
		{99, 49, anchor.Unknown}, // the last ledger it was good in has closed, but one answer may still lag
		{99, 50, anchor.Impossible},
		{99, math.MaxUint32, anchor.Impossible},
		{0, 0, anchor.Unknown},
		// The sequence is used: by it, since its channel is ours alone.
		{100, 1, anchor.InLedger},
		{100, 50, anchor.InLedger},
		{100, 51, anchor.InLedger},
		{math.MaxInt64, math.MaxUint32, anchor.InLedger},
	} {
		if got := e.Judge(c.sequence, c.latest); got != c.want {
			t.Errorf("sequence %d at ledger %d is %v, want %v", c.sequence, c.latest, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		e := anchor.Envelope{Sequence: rapid.Int64Range(1, 9).Draw(t, "sequence"), MaxLedger: rapid.Uint32Range(1, 9).Draw(t, "max")}
		seq, latest := rapid.Int64Range(0, 10).Draw(t, "seen"), rapid.Uint32Range(0, 10).Draw(t, "latest")
		got := e.Judge(seq, latest)
		// What frees the intents to be paid again must be sure.
		if got == anchor.Impossible && (seq >= e.Sequence || latest < e.MaxLedger) {
			t.Fatalf("%+v is called impossible at %d, %d", e, seq, latest)
		}
		// More ledgers never make it uncertain again.
		if later := e.Judge(seq, latest+1); got != anchor.Unknown && later != got {
			t.Fatalf("%+v was %v and is %v a ledger later", e, got, later)
		}
	})
	if anchor.Unknown != 0 {
		t.Error("the zero verdict is not unknown")
	}
}
