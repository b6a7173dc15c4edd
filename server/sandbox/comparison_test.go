package sandbox

import (
	"slices"
	"strings"
	"testing"
)

// TestComparison makes sure that what should not pass does not.
func TestComparison(t *testing.T) {
	t.Parallel()
	hash := func(c string) string { return strings.Repeat(c, 64) }
	json := func(pairs ...any) object {
		out := make(object)
		for i := 0; i < len(pairs); i += 2 {
			out[as[string](pairs[i])] = pairs[i+1]
		}
		return out
	}
	stream := func(at int, text string) []chunk { return []chunk{{at, text}} }
	for name, c := range map[string]struct {
		recorded, ours any
		differ         []string
	}{
		"the same":             {json("a", "1", "b", array{true, nil}), json("a", "1", "b", array{true, nil}), nil},
		"a value":              {json("a", "1"), json("a", "2"), []string{"x.a"}},
		"a type":               {json("a", "1"), json("a", true), []string{"x.a"}},
		"a key more":           {json(), json("a", nil), []string{"x.a"}},
		"a key less":           {json("a", nil), json(), []string{"x.a"}},
		"an array's length":    {array{"a"}, array{"a", "a"}, []string{"x"}},
		"a ledger's hash":      {array{hash("1"), hash("1")}, array{hash("a"), hash("a")}, nil},
		"one is two":           {array{hash("1"), hash("1")}, array{hash("a"), hash("b")}, []string{"x[1]"}},
		"two are one":          {array{hash("1"), hash("2")}, array{hash("a"), hash("a")}, []string{"x[1]"}},
		"of a sent envelope":   {"/transactions/" + hash("5"), "/transactions/" + hash("a"), []string{"x"}},
		"another account":      {"G" + strings.Repeat("A", 55), "G" + strings.Repeat("B", 55), []string{"x"}},
		"a version":            {json("core_version", "v19"), json("core_version", "v1"), nil},
		"no version":           {json("core_version", "v19"), json("core_version", ""), []string{"x.core_version"}},
		"metadata":             {json("fee_meta_xdr", "AAAAAg=="), json("fee_meta_xdr", "AAAAAA=="), nil},
		"no metadata":          {json("fee_meta_xdr", "AAAAAA=="), json("fee_meta_xdr", "AAAA"), []string{"x.fee_meta_xdr"}},
		"a stream":             {stream(5, "id: 1\ndata: {}\n\n"), stream(9, "id: 1\ndata: {}\n\n"), nil},
		"a late event":         {stream(5, "data: {}\n\n"), stream(500, "data: {}\n\n"), []string{"event[0].at"}},
		"an event's id":        {stream(5, "id: 1\n\n"), stream(5, "id: 2\n\n"), []string{"event[0].id"}},
		"an event's data":      {stream(5, `data: {"a":1}`+"\n\n"), stream(5, `data: {"a":2}`+"\n\n"), []string{"event[0].data.a"}},
		"lines the other way":  {stream(5, "id: 1\ndata: 2\n\n"), stream(5, "data: 2\nid: 1\n\n"), []string{"event[0].field", "event[0].id", "event[0].field", "event[0].data"}},
		"an event more":        {stream(5, "data: 1\n\n"), stream(5, "data: 1\n\ndata: 2\n\n"), []string{"event[1]"}},
		"an event cut in half": {stream(5, "data: 1\n\n"), stream(5, "data: 1\n"), []string{"event[0].field", "event[0].data"}},
	} {
		comparison := newComparison(nil)
		comparison.sent[hash("5")] = true
		if chunks, ok := c.recorded.([]chunk); ok {
			comparison.streams(chunks, as[[]chunk](c.ours))
		} else {
			comparison.value("x", c.recorded, c.ours)
		}
		var got []string
		for _, d := range comparison.found {
			got = append(got, d.path)
		}
		if !slices.Equal(got, c.differ) {
			t.Errorf("%s: differ %q, want %q", name, got, c.differ)
		}
	}
}
