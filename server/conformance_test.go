package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"windlass/server/language"
)

// TestConformanceTable: docs/conformance.md has no empty cell, and names no test
// that does not exist.
func TestConformanceTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	known := tests(t)
	rows := 0
	for i, line := range strings.Split(string(text), "\n") {
		cells, ok := strings.CutPrefix(line, "| ")
		if !ok || strings.HasPrefix(line, "| Section |") || strings.HasPrefix(line, "| Attack |") {
			continue
		}
		rows++
		all := strings.Split(strings.TrimSuffix(cells, " |"), " | ")
		for _, c := range all {
			if strings.TrimSpace(c) == "" {
				t.Errorf("line %d: an empty cell", i+1)
			}
		}
		for name := range strings.SplitSeq(all[len(all)-1], ", `") {
			if name = strings.Trim(name, "`"); !known[name] {
				t.Errorf("line %d: there is no test %q", i+1, name)
			}
		}
		if n := len(all); n != 5 && n != 3 {
			t.Errorf("line %d: %d cells", i+1, n)
		}
	}
	if rows < 80 {
		t.Errorf("%d rows", rows)
	}
}

// TestRefusalsSpeak: every refusal that a wallet or a customer can get has a
// sentence in the catalogue, and so one in each of its languages.
func TestRefusalsSpeak(t *testing.T) {
	t.Parallel()
	// Only staff get these, in English.
	staffs := regexp.MustCompile(`^(not_funded|refund_\w+|paid_out|payout_under_way)$`)
	code := regexp.MustCompile(`(?:Code: |invalid\()"([a-z]+_[a-z_]+)"`)
	found := 0
	for _, room := range []string{"anchor", "sep", "sep10", "sep24", "session"} {
		files, err := filepath.Glob(room + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range code.FindAllStringSubmatch(string(source), -1) {
				if found++; !language.Has(language.Default, "error."+m[1]) && !staffs.MatchString(m[1]) {
					t.Errorf("%s: the catalogue has no error.%s", file, m[1])
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d refusals found", found)
	}
}

// tests are all tests there are: Go's as package.Test, and the titles of the
// browser's stories and the files of the page's unit tests.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	files, err := filepath.Glob("*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"*_test.go", "../graph/*_test.go"} {
		found, err := filepath.Glob(more)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	find := func(file, pattern, prefix string) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(source, -1) {
			all[prefix+string(m[1])] = true
		}
	}
	for _, file := range files {
		folder, err := filepath.Abs(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		find(file, `(?m)^func ((?:Test|Fuzz)\w+)\(`, filepath.Base(folder)+".")
	}
	units, err := filepath.Glob("../frontend/src/*/*.test.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range units {
		all[filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file)] = true
	}
	stories, err := filepath.Glob("../frontend/story/scenarios/*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range stories {
		find(file, `(?m)^  async '([^']+)'`, "")
	}
	return all
}
