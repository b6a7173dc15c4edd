package language

import (
	"regexp"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want []string
		is   string
	}{
		{nil, "en"},
		{[]string{""}, "en"},
		{[]string{"en"}, "en"},
		{[]string{"es"}, "es"},
		{[]string{"es-MX"}, "es"},
		{[]string{"es_419"}, "es"},
		{[]string{"ES"}, "es"},
		{[]string{"es-MX", "fr"}, "es"},
		{[]string{"fr-CA"}, "fr"},
		{[]string{"pt-BR"}, "pt"},
		{[]string{"ar-EG"}, "ar"},
		{[]string{"id"}, "id"},
		{[]string{"de"}, "en"},
		{[]string{"de", "es"}, "es"},
		{[]string{"en-US", "es"}, "en"},
		{[]string{"de;q=1, es;q=0.8, en;q=0.9"}, "en"},
		{[]string{"de, es-AR;q=0.5"}, "es"},
		{[]string{"*"}, "en"},
		{[]string{"und"}, "en"},
		{[]string{"not a language", "es"}, "es"},
		{[]string{"../es"}, "en"},
		{[]string{strings.Repeat("es,", 1000), "en"}, "en"},
	} {
		if got := Match(c.want...); got != c.is {
			t.Errorf("Match(%q) = %q, expected %q", c.want, got, c.is)
		}
	}
}

// TestDirection: Arabic alone is written from right to left.
func TestDirection(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages {
		if want := map[bool]string{true: "rtl", false: "ltr"}[lang == "ar"]; Direction(lang) != want {
			t.Errorf("%s is written %s", lang, Direction(lang))
		}
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	args := map[string]string{"a": "1", "b": "{{a}}"}
	for text, is := range map[string]string{
		"plain":          "plain",
		"{{a}}":          "1",
		"x {{ a }} y":    "x 1 y",
		"{{b}}{{a}}":     "{{a}}1",
		"{{missing}}!":   "{{missing}}!",
		"{{a":            "{{a",
		"} {{a}} {{":     "} 1 {{",
		"ñ {{a}} {{a}}.": "ñ 1 1.",
	} {
		if got := fill(text, args, false); got != is {
			t.Errorf("fill(%q) = %q, expected %q", text, got, is)
		}
	}
}

// TestIsolated: an amount and its unit keep their order in Arabic, and the
// sentence's is not theirs. Elsewhere nothing that nobody sees is put in.
func TestIsolated(t *testing.T) {
	t.Parallel()
	args := map[string]string{"amount_out": "97.50", "asset_out": "USDW", "deadline": "2026-11-23 14:30 UTC"}
	for _, c := range []struct{ lang, key, is string }{
		{"ar", "status.deposit.completed", "وصل \u206897.50 USDW\u2069 إلى حسابك."},
		{"ar", "mail.deadline", "يرجى القيام بذلك قبل \u20682026-11-23 14:30 UTC\u2069."},
		{"ar", "mail.ask", catalogue["ar"]["mail.ask"]}, // what is missing is seen
		{"ar", "mail.open", catalogue["ar"]["mail.open"]},
		{"en", "status.deposit.completed", "97.50 USDW arrived in your account."},
	} {
		if got := Text(c.lang, c.key, args); got != c.is {
			t.Errorf("%s in %s: %q, expected %q", c.key, c.lang, got, c.is)
		}
	}
}

func TestTextFallsBack(t *testing.T) {
	t.Parallel()
	if got := Text("es", "no.such.key", nil); got != "no.such.key" {
		t.Errorf("an unknown key is %q", got)
	}
	if got := Sentence("es", "no_such_code", "as it was", nil); got != "as it was" {
		t.Errorf("an unknown code is %q", got)
	}
	if got := Sentence("es", "", "as it was", nil); got != "as it was" {
		t.Errorf("no code is %q", got)
	}
}

// TestLanguagesAgree holds every language to the keys of English and to their
// arguments. Plural forms differ from language to language.
func TestLanguagesAgree(t *testing.T) {
	t.Parallel()
	plural := regexp.MustCompile(`_(zero|one|two|few|many|other)$`)
	argument := regexp.MustCompile(`\{\{\s*\w+\s*\}\}`)
	names := func(texts map[string]string) map[string]bool {
		keys := map[string]bool{}
		for k := range texts {
			keys[plural.ReplaceAllString(k, "")] = true
		}
		return keys
	}
	english := names(catalogue[Default])
	for _, lang := range Languages[1:] {
		theirs := names(catalogue[lang])
		for k := range english {
			if !theirs[k] {
				t.Errorf("%s has no %q", lang, k)
			}
		}
		for k := range theirs {
			if !english[k] {
				t.Errorf("%s has %q, which English has not", lang, k)
			}
		}
		for k, text := range catalogue[lang] {
			original, ok := catalogue[Default][k]
			if !ok || plural.MatchString(k) {
				continue
			}
			for _, a := range argument.FindAllString(text, -1) {
				if !strings.Contains(original, a) {
					t.Errorf("%s: %q uses %s, which English does not", lang, k, a)
				}
			}
		}
	}
}

// TestPunctuation: each language has its own marks, and none is left at the start of
// a line without its word.
func TestPunctuation(t *testing.T) {
	t.Parallel()
	wrong := map[string]*regexp.Regexp{
		"":   regexp.MustCompile(`’|  |\s[,.)]|^\s|\s$`),
		"fr": regexp.MustCompile(`[^\x{202f}][;!?]|[^\x{a0}]:|«[^\x{a0}]|[^\x{a0}]»`),
		"ar": regexp.MustCompile(`[;?,]`),
	}
	for _, lang := range Languages {
		for k, text := range catalogue[lang] {
			plain := hole.ReplaceAllString(text, "x")
			if wrong[""].MatchString(plain) || wrong[lang] != nil && wrong[lang].MatchString(plain) {
				t.Errorf("%s: %q is not how it is written there: %q", lang, k, text)
			}
			if lang == "es" && (strings.Count(plain, "?") != strings.Count(plain, "¿") || strings.Count(plain, "!") != strings.Count(plain, "¡")) {
				t.Errorf("es: %q opens and ends no question: %q", k, text)
			}
		}
	}
}

// TestNoSentenceSaysBank: what is said of any transaction holds for one in cash or
// mobile money too. Names of fields, documents and ways to pay are their own.
func TestNoSentenceSaysBank(t *testing.T) {
	t.Parallel()
	bank := regexp.MustCompile(`(?i)bank|banc|banque|virement|مصرف`)
	about := regexp.MustCompile(`^(status|message|mail|event|error|page|instruction\..*help)`)
	for _, lang := range Languages {
		for k, text := range catalogue[lang] {
			if about.MatchString(k) && bank.MatchString(text) {
				t.Errorf("%s: %q speaks of a bank: %s", lang, k, text)
			}
		}
	}
}
