package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Problem is one thing wrong with the configuration.
type Problem struct {
	Key   string // "assets[0].deposit.min"
	Where string // "line 12", "WINDLASS_PUBLIC_URL"; "" when it stands nowhere
	Text  string // what was expected and how to mend it
}

func (p Problem) String() string {
	if p.Where == "" {
		return p.Key + ": " + p.Text
	}
	return p.Where + ": " + p.Key + ": " + p.Text
}

// Problems is all that is wrong with the configuration.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = "  " + p.String()
	}
	noun := "problems"
	if len(ps) == 1 {
		noun = "problem"
	}
	return fmt.Sprintf("the configuration has %d %s:\n%s", len(ps), noun, strings.Join(lines, "\n"))
}

// reading collects problems and remembers where each key was written.
type reading struct {
	file     string
	origin   map[string]string // key -> "line 12" or "WINDLASS_…"
	problems Problems
}

// wrong records a problem, the first one for each key.
func (r *reading) wrong(key, format string, args ...any) {
	r.wrongAt(r.origin[key], key, format, args...)
}

func (r *reading) wrongAt(where, key, format string, args ...any) {
	same := func(p Problem) bool { return p.Key == key || p.Key == index.ReplaceAllString(key, "") }
	if !slices.ContainsFunc(r.problems, same) {
		r.problems = append(r.problems, Problem{key, where, fmt.Sprintf(format, args...)})
	}
}

var index = regexp.MustCompile(`\[\d+\]`)

// decode reads the file's bytes into c. The decoder stops at the first value of
// a wrong type; that line is then taken out and the rest is read again, so that
// all of them are reported.
func (r *reading) decode(data []byte, c *Config) {
	r.lines(data)
	lines := bytes.Split(bytes.Clone(data), []byte("\n"))
	for {
		*c = Config{}
		err := toml.NewDecoder(bytes.NewReader(bytes.Join(lines, []byte("\n")))).DisallowUnknownFields().Decode(c)
		if err == nil {
			return
		}
		if unknown, ok := errors.AsType[*toml.StrictMissingError](err); ok {
			for _, e := range unknown.Errors {
				row, _ := e.Position()
				r.unknownKey(row, e.Key())
			}
			return
		}
		bad, ok := errors.AsType[*toml.DecodeError](err)
		if !ok {
			r.wrong(r.file, "%v", err)
			return
		}
		row, column := bad.Position()
		if len(bad.Key()) == 0 { // not TOML at all; after an earlier problem, its echo
			if len(r.problems) == 0 {
				r.wrongAt(fmt.Sprintf("line %d", row), r.file, "%s (column %d)", strings.TrimPrefix(bad.Error(), "toml: "), column)
			}
			return
		}
		r.wrongAt(fmt.Sprintf("line %d", row), r.named(row, bad.Key()), "%s", typeProblem(bad))
		line := lines[row-1]
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("[")) || len(bytes.TrimSpace(line)) == 0 {
			return // without its header a table's keys would land in the table before
		}
		lines[row-1] = nil
	}
}

// lines notes on which line each key stands.
func (r *reading) lines(data []byte) {
	var p unstable.Parser
	p.Reset(data)
	var table string
	counts := map[string]int{} // array table, with its parents' numbers -> tables seen so far
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind != unstable.Table && e.Kind != unstable.ArrayTable && e.Kind != unstable.KeyValue {
			continue
		}
		key := ""
		if e.Kind == unstable.KeyValue {
			key = table
		}
		line := 0
		for it := e.Key(); it.Next(); {
			n := it.Node()
			if line == 0 {
				line = p.Shape(n.Raw).Start.Line
			}
			key = strings.TrimPrefix(key+"."+strings.ToLower(string(n.Data)), ".")
			if e.Kind == unstable.ArrayTable && it.IsLast() {
				counts[key]++
			}
			if seen := counts[key]; seen > 0 && e.Kind != unstable.KeyValue {
				key += "[" + strconv.Itoa(seen-1) + "]"
			}
		}
		r.origin[key] = fmt.Sprintf("line %d", line)
		if e.Kind != unstable.KeyValue {
			table = key
		}
	}
}

// typeProblem says what was expected in place of a value of the wrong type.
func typeProblem(e *toml.DecodeError) string {
	text := strings.TrimPrefix(e.Error(), "toml: ")
	if !strings.Contains(text, "struct field") && !strings.Contains(text, "cannot store") {
		return text // such as a key that is given twice
	}
	t, _ := typeAt(e.Key())
	return "expected " + expected(t)
}

func expected(t reflect.Type) string {
	switch {
	case t == nil:
		return "something else"
	case t == reflect.TypeFor[Duration]():
		return `a duration in quotes, such as "15m"`
	case t.Kind() == reflect.Pointer:
		return expected(t.Elem())
	case t.Kind() == reflect.String:
		return `a text in quotes, such as "10"`
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return "a whole number"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return `a list of texts, such as ["a", "b"]`
	case t.Kind() == reflect.Slice:
		return "one or more tables, each under a header in double brackets"
	default:
		return "a table, under a header in single brackets"
	}
}

// unknownKey records a key that does not exist, with those that do.
func (r *reading) unknownKey(row int, key []string) {
	// The key may stand in a table that is itself unknown: blame the table.
	table, depth := reflect.TypeFor[Config](), 0
	for ; depth < len(key)-1; depth++ {
		t, ok := typeAt(key[:depth+1])
		if !ok || element(t).Kind() != reflect.Struct {
			break
		}
		table = element(t)
	}
	known := tomlKeys(table)
	mend := ""
	if near := nearest(key[depth], known); near != "" {
		mend = fmt.Sprintf("did you mean %q? ", near)
	}
	place := "at the top"
	if depth > 0 {
		place = "in " + strings.Join(key[:depth], ".")
	}
	r.wrongAt(fmt.Sprintf("line %d", row), r.named(row, key[:depth+1]),
		"there is no such key; %sknown %s: %s", mend, place, strings.Join(known, ", "))
}

// named is a key as it is to be shown, with the tables above it and their
// numbers when the line tells them.
func (r *reading) named(row int, key []string) string {
	plain := strings.Join(key, ".")
	for k, where := range r.origin {
		full := "." + index.ReplaceAllString(k, "")
		if where == fmt.Sprintf("line %d", row) && strings.HasSuffix(full, "."+strings.ToLower(plain)) {
			return k
		}
	}
	return plain
}

// typeAt is the type that a dotted key, without numbers, has.
func typeAt(key []string) (reflect.Type, bool) {
	t := reflect.TypeFor[Config]()
	for _, name := range key {
		f, ok := fieldOf(element(t), name)
		if !ok {
			return nil, false
		}
		t = f.Type
	}
	return t, true
}

// element is the type of one of a list's tables, and any other type itself.
func element(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct {
		return t.Elem()
	}
	return t
}

func fieldOf(table reflect.Type, name string) (reflect.StructField, bool) {
	if table.Kind() == reflect.Struct {
		for f := range table.Fields() {
			if strings.EqualFold(tomlKey(f), name) {
				return f, true
			}
		}
	}
	return reflect.StructField{}, false
}

// tomlKey is the key that a field is read from, "" if from none.
func tomlKey(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	return key
}

// tomlKeys are the keys of one table, as they stand in the struct.
func tomlKeys(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		if tag := tomlKey(f); tag != "" {
			keys = append(keys, tag)
		}
	}
	return keys
}

const envPrefix = "WINDLASS_"

// environment lays the WINDLASS_ variables over c; empty ones count as unset.
// It returns warnings about variables that mean nothing here. They are no
// problems, since a cluster that runs a service called windlass sets
// WINDLASS_PORT and its like in every container.
func (r *reading) environment(environ []string, c *Config) (warnings []string) {
	all := map[string]string{}
	for name, value := range env.ToMap(environ) {
		if strings.HasPrefix(name, envPrefix) && name != configVariable && value != "" {
			all[name] = value
		}
	}
	// One at a time, so that an error and its variable stay together. A list is as
	// long as its numbers go up without a gap from 0: the lower ones, which may
	// stand in the file, are shown to the parser by names that mean nothing else.
	for _, name := range slices.Sorted(maps.Keys(all)) {
		key, known := keyOf(reflect.TypeFor[Config](), strings.TrimPrefix(name, envPrefix))
		if !known {
			warnings = append(warnings, "the environment variable "+name+" is not one of Windlass's settings and is ignored")
			continue
		}
		one := map[string]string{name: all[name]}
		for _, at := range number.FindAllStringSubmatchIndex(name, -1) {
			n, _ := strconv.Atoi(name[at[2]:at[3]]) // keyOf has read it
			for i := range n {
				one[fmt.Sprintf("%s%d_", name[:at[2]], i)] = ""
			}
		}
		r.origin[key] = name
		if err := env.ParseWithOptions(c, env.Options{Prefix: envPrefix, Environment: one}); err != nil {
			t, _ := typeAt(strings.Split(index.ReplaceAllString(key, ""), "."))
			r.wrong(key, "%q will not do; expected %s", all[name], strings.ReplaceAll(expected(t), " in quotes", ""))
		}
	}
	return warnings
}

var number = regexp.MustCompile(`_(\d+)_`)

// keyOf is the key that an environment variable, without its prefix, stands for.
func keyOf(table reflect.Type, name string) (string, bool) {
	for f := range table.Fields() {
		key, t := tomlKey(f), f.Type
		if name == f.Tag.Get("env") && name != "" {
			return key, true
		}
		rest, ok := strings.CutPrefix(name, f.Tag.Get("envPrefix"))
		if !ok || element(t).Kind() != reflect.Struct || key == "" {
			continue
		}
		if t.Kind() == reflect.Slice {
			digits, after, _ := strings.Cut(rest, "_")
			n, err := strconv.ParseUint(digits, 10, 8)
			if err != nil {
				continue
			}
			key, rest, t = fmt.Sprintf("%s[%d]", key, n), after, t.Elem()
		}
		if inner, ok := keyOf(t, rest); ok {
			return key + "." + inner, true
		}
	}
	return "", false
}

// nearest is the known name that differs from s by a slip of the fingers, or "".
func nearest(s string, known []string) string {
	best, least := "", 1+len(s)/3
	for _, k := range known {
		if d := distance(strings.ToLower(s), k); d <= least && (best == "" || d < distance(strings.ToLower(s), best)) {
			best = k
		}
	}
	return best
}

// distance counts the letters to change, add or drop (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
