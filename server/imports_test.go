package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowed is the map of the house: which of our packages each may import. It
// may name packages that do not exist yet; a package that is not named may not
// exist. Tests obey the same arrows, but for those of allowedInTests.
//
// Why so strict: with arrows that all point at anchor, whoever changes a room
// can tell from this table alone who may notice.
var allowed = map[string][]string{
	"server/anchor":   nil,
	"server/language": nil,
	"server/outside":  nil,
	"server/sandbox":  nil,
	"frontend":        nil,

	"server/store":   {"server/anchor"},
	"server/horizon": {"server/anchor"},
	"server/sep":     {"server/anchor", "server/language"},

	"server/session":  {"server/anchor", "server/store", "server/outside"},
	"server/rail":     {"server/anchor", "server/store"},
	"server/incoming": {"server/anchor", "server/store", "server/horizon"},
	"server/payout":   {"server/anchor", "server/store", "server/horizon"},
	"server/mail":     {"server/language"},
	"server/notify":   {"server/anchor", "server/store", "server/outside", "server/language", "server/mail"},

	"server/reconcile": {"server/anchor", "server/store", "server/horizon", "server/incoming", "server/payout", "server/rail"},

	"server/sep1":  {"server/anchor", "server/sep"},
	"server/sep10": {"server/anchor", "server/sep", "server/session", "server/store", "server/horizon", "server/outside"},
	"server/sep24": {"server/anchor", "server/sep", "server/session", "server/store", "server/rail", "server/language"},

	"graph": {"server/anchor", "server/session", "server/store", "server/rail", "server/language"},

	"server/rig": {"server/horizon"}, // for tests

	"server": {"*"},
}

// allowedInTests are arrows for _test.go files only. The sandbox stands in for
// the network, and tests reach it over HTTP like any Horizon; the rig is what
// their stories share.
var allowedInTests = []string{"server/sandbox", "server/rig"}

// TestImports holds every package of the module to the map.
func TestImports(t *testing.T) {
	t.Parallel()
	const module = "windlass/"
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		may, known := allowed[name]
		if !known {
			t.Errorf("%s has no place on the map: is it a room of its own, or a file in one? See allowed in imports_test.go", name)
			continue
		}
		check := func(imports []string, alsoMay []string, from string) {
			for _, path := range imports {
				to, ours := strings.CutPrefix(path, module)
				if !ours || to == name || slices.Contains(may, "*") || slices.Contains(may, to) || slices.Contains(alsoMay, to) {
					continue
				}
				t.Errorf("%s imports %s%s; it may import: %s", name, to, from, strings.Join(may, ", "))
			}
		}
		check(p.Imports, nil, "")
		check(p.TestImports, allowedInTests, " in a test")
		check(p.XTestImports, allowedInTests, " in a test")
	}
}

type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	// A test's cached result is good for as long as the files it looked at are as
	// they were; what go list looks at does not count. So look at them here.
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "node_modules" || path != ".." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if err == nil && (d.IsDir() || strings.HasSuffix(path, ".go")) {
			_, err = os.Stat(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an editor's or a build's, gone already
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("go list named no package")
	}
	return all
}

// TestMapHasNoCircles makes sure that the table itself is one-way.
func TestMapHasNoCircles(t *testing.T) {
	t.Parallel()
	var reaches func(from, to string) bool
	reaches = func(from, to string) bool {
		return slices.ContainsFunc(allowed[from], func(next string) bool { return next == to || reaches(next, to) })
	}
	for name, may := range allowed {
		if reaches(name, name) {
			t.Errorf("%s can reach itself", name)
		}
		for _, to := range may {
			if _, known := allowed[to]; !known && to != "*" {
				t.Errorf("%s may import %s, which is not on the map", name, to)
			}
		}
	}
}

// TestGraphHasNoModels allows gqlgen no second set of models: GraphQL is bound
// to anchor's types, and only the three roots have none there.
func TestGraphHasNoModels(t *testing.T) {
	t.Parallel()
	const path = "../graph/models.go"
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if errors.Is(err, fs.ErrNotExist) {
		return // nothing was generated at all
	} else if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			t.Errorf("%s declares something that is no type", path)
			continue
		}
		for _, spec := range gen.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok && !slices.Contains([]string{"Query", "Mutation", "Subscription"}, s.Name.Name) {
				t.Errorf("%s declares %s: bind it to a type of anchor in gqlgen.yml", path, s.Name.Name)
			}
		}
	}
}
