package graph_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"windlass/server/anchor"
)

// TestDocs: what staff copy from docs/staff.md, and what the playground opens
// with, is what the schema knows; and every mutation of theirs is explained.
func TestDocs(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		b, err := os.ReadFile(path)
		must(t, err)
		return string(b)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: read("../schema.graphqls")})
	must(t, err)
	docs := read("../docs/staff.md")
	var queries []string
	for _, m := range regexp.MustCompile("(?s)```graphql\n(.*?)```").FindAllStringSubmatch(docs, -1) {
		queries = append(queries, m[1])
	}
	for _, m := range regexp.MustCompile("(?s)query: `(.*?)`").FindAllStringSubmatch(read("../frontend/src/playground/examples.ts"), -1) {
		queries = append(queries, m[1])
	}
	if len(queries) < 20 {
		t.Fatalf("%d queries found", len(queries))
	}
	for _, q := range queries {
		if _, err := gqlparser.LoadQueryWithRules(schema, q, rules.NewDefaultRules()); err != nil {
			t.Errorf("%v in\n%s", err, q)
		}
	}
	for name := range mutations {
		// As code: hold and retry are words of every day besides.
		if !regexp.MustCompile("(?m)(^ *|`)" + name + "[`(]").MatchString(docs) {
			t.Errorf("docs/staff.md does not mention %s", name)
		}
	}
	// The list of what waits costs what it may cost.
	w := newWorld(t)
	w.open(anchor.Deposit)
	w.staff().do(queries[0], nil)
}
