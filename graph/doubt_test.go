package graph

import (
	"slices"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
)

// What staff may not do while the books are in doubt says so in the schema, and
// what may be done then is there.
func TestDoubtIsDocumented(t *testing.T) {
	t.Parallel()
	mutations := NewExecutableSchema(Config{}).Schema().Mutation.Fields
	seen := 0
	for _, f := range mutations {
		if f.Arguments.ForName("key") == nil {
			continue // a customer's
		}
		var refused bool
		if d := f.Directives.ForName("refuses"); d != nil {
			refused = slices.ContainsFunc(d.Arguments.ForName("reasons").Value.Children, func(v *ast.ChildValue) bool { return v.Value.Raw == "books_in_doubt" })
		}
		if movesNothing[f.Name] {
			seen++
		}
		// Payouts resume for nobody before the books are certain: that has a check of its own.
		if !movesNothing[f.Name] && !refused || movesNothing[f.Name] && refused && f.Name != "resumePayouts" {
			t.Errorf("%s: in doubt it is refused: %t by the code, %t by the schema", f.Name, !movesNothing[f.Name], refused)
		}
	}
	if seen != len(movesNothing) {
		t.Errorf("of %d mutations that move nothing the schema has %d", len(movesNothing), seen)
	}
}
