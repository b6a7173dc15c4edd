package payout_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs/payout.pml proves the protocol, by the names of its states. The model is
// only about this code as long as both have the same ones.
func TestTheModelHasTheStatesOfTheCode(t *testing.T) {
	t.Parallel()
	model, err := os.ReadFile("../../docs/payout.pml")
	must(t, err)
	var sets [][]string
	for _, m := range regexp.MustCompile(`(?m)^mtype = \{ (.*) \}$`).FindAllSubmatch(model, -1) {
		sets = append(sets, strings.Split(string(m[1]), ", "))
	}
	if len(sets) < 3 {
		t.Fatalf("the model has %d sets of names", len(sets))
	}
	for i, kind := range []string{"PayoutState", "EnvelopeState", "Verdict"} {
		want := constants(t, "../anchor/payout.go", kind)
		slices.Sort(want)
		slices.Sort(sets[i])
		if len(want) == 0 || !slices.Equal(sets[i], want) {
			t.Errorf("%s: the model has %q, the code %q", kind, sets[i], want)
		}
	}
}

// constants reads the values of a type's constants out of a source file, or the
// names of those that count.
func constants(t *testing.T, file, kind string) (all []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	must(t, err)
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		counts := false
		for _, s := range g.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			typed, _ := v.Type.(*ast.Ident)
			if typed != nil && typed.Name == kind {
				if text, ok := v.Values[0].(*ast.BasicLit); ok {
					all = append(all, strings.Trim(text.Value, `"`))
					continue
				}
				counts = true
			}
			if counts {
				all = append(all, v.Names[0].Name)
			}
		}
	}
	return all
}
