package graph_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	gql "github.com/vektah/gqlparser/v2/ast"
	gqlparse "github.com/vektah/gqlparser/v2/parser"

	"windlass/server/anchor"
)

// contract is schema.graphqls.
var contract = sync.OnceValues(func() (*gql.Schema, error) {
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		return nil, err
	}
	schema, problem := gqlparser.LoadSchema(&gql.Source{Name: "schema.graphqls", Input: string(text)})
	if problem != nil {
		return nil, problem
	}
	return schema, nil
})

// reasons are what @refuses lists among directives.
func reasons(of gql.DirectiveList) (all []string) {
	if d := of.ForName("refuses"); d != nil {
		for _, v := range d.Arguments.ForName("reasons").Value.Children {
			all = append(all, v.Value.Raw)
		}
	}
	return all
}

// expected holds what an operation was refused with against what the schema says
// of it. Every question of every test comes by here.
func expected(t *testing.T, query string, problems []problem) {
	t.Helper()
	if !slices.ContainsFunc(problems, func(p problem) bool { return p.Extensions.Reason != "" }) {
		return
	}
	schema, err := contract()
	must(t, err)
	doc, err := gqlparse.ParseQuery(&gql.Source{Input: query})
	must(t, err)
	op := doc.Operations[0]
	root := map[gql.Operation]*gql.Definition{gql.Query: schema.Query, gql.Mutation: schema.Mutation, gql.Subscription: schema.Subscription}[op.Operation]
	known := reasons(root.Directives)
	for _, selection := range op.SelectionSet {
		if f, ok := selection.(*gql.Field); ok && root.Fields.ForName(f.Name) != nil {
			known = append(known, reasons(root.Fields.ForName(f.Name).Directives)...)
		}
	}
	for _, p := range problems {
		if p.Extensions.Reason != "" && !slices.Contains(known, p.Extensions.Reason) {
			t.Errorf("%s is refused with %s, which schema.graphqls does not say", strings.TrimSpace(query), p.Extensions.Reason)
		}
	}
}

// elsewhere are the codes of errors that no caller of GraphQL meets, and why.
var elsewhere = map[string]string{
	"account_shared": "accounts sign in by SEP-10", "account_not_shared": "as they",
	"account_contract": "addresses come by SEP-24", "account_malformed": "as they", "asset_malformed": "assets come from the configuration",
	"memo_id_malformed": "memos come by SEP-24", "memo_text_malformed": "as they", "memo_hash_malformed": "as they", "memo_type_unknown": "as they",
	"not_expired": "only the clock expires what has a deadline", "used": "tokens are exchanged over REST",
}

// TestReasons: each code that the domain, the books and the resolvers refuse with
// is a Reason of the schema, and each Reason is a code of theirs.
func TestReasons(t *testing.T) {
	t.Parallel()
	schema, err := contract()
	must(t, err)
	var documented []string
	for _, v := range schema.Types["Reason"].EnumValues {
		documented = append(documented, v.Name)
	}
	if !slices.IsSorted(documented) {
		t.Error("the reasons are not in order")
	}
	codes := map[string]string{}
	for _, dir := range []string{"../server/anchor", "../server/store", "."} {
		maps.Copy(codes, codesIn(t, dir))
	}
	if len(codes) < 60 {
		t.Errorf("only %d codes found", len(codes))
	}
	for code, where := range codes {
		if _, other := elsewhere[code]; slices.Contains(documented, code) == other {
			t.Errorf("%s: %q must be a Reason of schema.graphqls or one of those that nobody meets there, and not both", where, code)
		}
	}
	// The playground shows them with each field.
	got := newWorld(t).staff().do(`{ __type(name: "Mutation") { fields { name description } } }`, nil)
	fields, _ := got.at("__type.fields").([]any)
	for i := range fields {
		f := "__type.fields." + strconv.Itoa(i)
		if d := got.str(f + ".description"); strings.Count(d, "Refused: ") != 1 || !strings.Contains(d, strings.Join(reasons(schema.Mutation.Fields.ForName(got.str(f+".name")).Directives), ", ")) {
			t.Errorf("%s: %s", got.str(f+".name"), d)
		}
	}
	for _, reason := range documented {
		if codes[reason] == "" {
			t.Errorf("nothing is refused with %q", reason)
		}
	}
}

// codesIn finds the codes of errors in a package: the field Code of an Error, and
// what is passed as code to a function that makes one.
func codesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	must(t, err)
	codes := map[string]string{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "generated.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		must(t, err)
		note := func(e ast.Expr) {
			if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				code, err := strconv.Unquote(lit.Value)
				must(t, err)
				codes[code] = path
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				name, isName := n.Type.(*ast.Ident)
				if s, ok := n.Type.(*ast.SelectorExpr); ok {
					name, isName = s.Sel, true
				}
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok && isName && name.Name == "Error" && kv.Key.(*ast.Ident).Name == "Code" { //nolint:errcheck // fields of a struct are named
						note(kv.Value)
					}
				}
			case *ast.CallExpr: // refuse("code", "message")
				if f, ok := n.Fun.(*ast.Ident); ok && strings.HasPrefix(f.Name, "refuse") && len(n.Args) > 0 {
					note(n.Args[0])
				}
			}
			return true
		})
	}
	return codes
}

// known tells whether the schema says that an entry of the audit trail may have
// this event: the machine's, a mutation's name, or a word of its description.
func known(t *testing.T, event string) bool {
	t.Helper()
	schema, err := contract()
	must(t, err)
	if slices.ContainsFunc(anchor.Table, func(tr anchor.Transition) bool { return string(tr.Event) == event }) || schema.Mutation.Fields.ForName(event) != nil {
		return true
	}
	words := schema.Types["AuditEntry"].Fields.ForName("event").Description
	return slices.Contains(strings.FieldsFunc(words, func(r rune) bool { return !('a' <= r && r <= 'z') }), event)
}
