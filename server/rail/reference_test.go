package rail_test

import (
	"strings"
	"testing"

	"windlass/server/rail"
)

const letters = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

func TestReferenceIsRandomAndChecked(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 200 {
		ref := rail.NewReference()
		if len(ref) != 12 || seen[ref] || rail.Normalise(ref) != ref {
			t.Fatalf("%q: length %d, seen %v, normalised %q", ref, len(ref), seen[ref], rail.Normalise(ref))
		}
		seen[ref] = true
	}
}

// Every single wrong character and every swap of neighbours is noticed.
func TestReferenceCatchesSlips(t *testing.T) {
	t.Parallel()
	for range 20 {
		ref := rail.NewReference()
		body := strings.ReplaceAll(strings.TrimPrefix(ref, "WL-"), "-", "")
		for i := range body {
			for _, c := range letters {
				slip := body[:i] + string(c) + body[i+1:]
				if slip != body && rail.Normalise("WL"+slip) != "" {
					t.Fatalf("%s passes for %s", slip, body)
				}
			}
			if i > 0 && body[i] != body[i-1] {
				slip := body[:i-1] + body[i:i+1] + body[i-1:i] + body[i+1:]
				if rail.Normalise("WL"+slip) != "" {
					t.Fatalf("%s passes for %s", slip, body)
				}
			}
		}
	}
}

func TestNormalise(t *testing.T) {
	t.Parallel()
	ref := rail.NewReference()
	body := strings.ReplaceAll(strings.TrimPrefix(ref, "WL-"), "-", "")
	for _, c := range []struct{ text, want string }{
		{ref, ref},
		{strings.ToLower(ref), ref},
		{" wl " + strings.ToLower(body[:2]) + " " + body[2:] + " ", ref},
		{"WL–" + body[:4] + "–" + body[4:], ref}, // another dash
		{"Deposit " + ref + ", thank you", ref},
		{"SWLAN " + ref, ref}, // a WL of no meaning before it
		{body, ref},
		{body[:4] + "-" + body[4:], ref},
		{"", ""},
		{"rent", ""},
		{"WL", ""},
		{ref[:len(ref)-1], ""},
		{"WL-0OIL-1111", ""},
		{strings.Repeat("WL", 10_000), ""},
	} {
		if got := rail.Normalise(c.text); got != c.want {
			t.Errorf("Normalise(%.40q) = %q, want %q", c.text, got, c.want)
		}
	}
}

// FuzzNormalise: what is found in a text stands for itself, and is found again.
func FuzzNormalise(f *testing.F) {
	f.Add("deposit " + rail.NewReference() + " thanks")
	f.Add("wl" + strings.ToLower(strings.ReplaceAll(rail.NewReference(), "-", "")))
	f.Add("WL-WL-WL-\x00é")
	f.Fuzz(func(t *testing.T, text string) {
		ref := rail.Normalise(text)
		if ref != "" && (len(ref) != 12 || rail.Normalise(ref) != ref || !strings.HasPrefix(ref, "WL-")) {
			t.Errorf("%q gives %q", text, ref)
		}
	})
}
