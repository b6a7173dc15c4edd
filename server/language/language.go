// Package language is the catalogue of what the anchor says to people, and the
// choice of a language they understand.
//
// The catalogue is one JSON file a language, flat, with dotted keys; the web
// pages are built from the same files. Values may hold {{name}}, which is
// replaced by the argument of that name.
//
// It must know nothing of transactions or HTTP, and imports none of our
// packages: callers hand it keys and texts.
package language

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Default is the language of whoever did not ask for one we have (SEP-24,
// parameter lang).
const Default = "en"

//go:embed *.json
var files embed.FS

var catalogue = load()

// Languages lists the languages we have, by their ISO 639-1 codes, the default
// one first.
var Languages = languages()

// load reads the embedded files. A file that cannot be read is a mistake of the
// build, which every test would show.
func load() map[string]map[string]string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err)
	}
	all := map[string]map[string]string{Default: {}}
	for _, e := range entries {
		b, err := files.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		var texts map[string]string
		if err := json.Unmarshal(b, &texts); err != nil {
			panic(fmt.Errorf("language: %s: %w", e.Name(), err))
		}
		all[strings.TrimSuffix(e.Name(), ".json")] = texts
	}
	return all
}

func languages() []string {
	codes := []string{Default}
	for code := range catalogue {
		if code != Default {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes[1:])
	return codes
}

// longest bounds what is parsed of one wish.
const longest = 256

// Match picks the first language we have among the wishes, the default one if
// there is none.
func Match(want ...string) string { return cmp.Or(Known(want...), Default) }

// Known picks the first language we have among the wishes, "" if there is none. A
// wish is a tag such as "es" or "es-MX" (RFC 4646), the value of an
// Accept-Language header, or anything else, which is passed over.
func Known(want ...string) string {
	for _, w := range want {
		if _, ok := catalogue[w]; ok {
			return w
		}
		if w == "" || len(w) > longest {
			continue
		}
		tags, _, err := language.ParseAcceptLanguage(w)
		if err != nil {
			continue
		}
		for _, tag := range tags {
			base, sure := tag.Base()
			if _, ok := catalogue[base.String()]; ok && sure >= language.High {
				return base.String()
			}
		}
	}
	return ""
}

// rightToLeft are the languages of ours that are written from right to left.
var rightToLeft = map[string]bool{"ar": true}

// Direction is how a language is written, as HTML's dir has it: "ltr" or "rtl".
func Direction(lang string) string {
	if rightToLeft[lang] {
		return "rtl"
	}
	return "ltr"
}

// Has reports whether the language itself has the key.
func Has(lang, key string) bool {
	_, ok := catalogue[lang][key]
	return ok
}

// Text is the key's text in the language, with {{name}} replaced by args. What
// the language lacks is taken from English; what English lacks is the key.
// An argument that is missing leaves its {{name}} in place, so that it is seen.
// Arguments are isolated where the sentence runs from right to left: what people are
// to copy stands beside the sentence, or is put into it by whoever shows it.
func Text(lang, key string, args map[string]string) string {
	text, ok := catalogue[lang][key]
	if !ok {
		if text, ok = catalogue[Default][key]; !ok {
			return key
		}
	}
	return fill(text, args, rightToLeft[lang])
}

// TextOr is Text, or the fallback where the catalogue has no such key.
func TextOr(lang, key, fallback string, args map[string]string) string {
	if !Has(lang, key) && !Has(Default, key) {
		return fallback
	}
	return Text(lang, key, args)
}

// Sentence is the text of an error's code, key "error.<code>", or the fallback
// where the catalogue has none.
func Sentence(lang, code, fallback string, args map[string]string) string {
	return TextOr(lang, "error."+code, fallback, args)
}

// A hole is a {{name}}; figures are an amount and its unit, which stay together, or
// a value alone.
var (
	hole    = regexp.MustCompile(`\{\{[^{}]*\}\}`)
	figures = regexp.MustCompile(hole.String() + `(?: ` + hole.String() + `)*`)
)

// fill replaces each {{name}}. Arguments are not looked at again, so that one
// holding {{…}} stays as it is. Isolated (UAX #9, FSI and PDI), they run in their own
// direction and leave the sentence in its; the page's sentence.ts does the same.
func fill(text string, args map[string]string, isolate bool) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	return figures.ReplaceAllStringFunc(text, func(these string) string {
		filled := hole.ReplaceAllStringFunc(these, func(hole string) string {
			value, ok := args[strings.TrimSpace(strings.Trim(hole, "{}"))]
			if !ok {
				return hole
			}
			return value
		})
		if !isolate || filled == these {
			return filled
		}
		return "\u2068" + filled + "\u2069"
	})
}
