package anchor_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"

	"windlass/server/anchor"
)

// The operator's answers to choose from, where there are some.
var listed = map[string][]string{
	"bank_name": {"Harbour Bank", "Größte Bank"}, "id_country_code": {"BRA", "ARG"}, "id_type": {"passport", "Sailor's book"},
}

// answerCases are testdata/answers.json: what people and wallets write, at noon on 1
// March 2026, as it is kept, or else why not. The page's own checks are held to it too.
func answerCases(t *testing.T) (all []struct{ Name, Value, Kept, Code string }) {
	t.Helper()
	data, err := os.ReadFile("testdata/answers.json")
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil || len(all) < 50 {
		t.Fatal(len(all), err)
	}
	return all
}

// TestAnswersAreKeptInOneForm: whatever way they are written.
func TestAnswersAreKeptInOneForm(t *testing.T) {
	t.Parallel()
	for _, c := range answerCases(t) {
		standard, ok := anchor.StandardOf(c.Name)
		if !ok {
			t.Fatalf("SEP-9 has no %s", c.Name)
		}
		kept, err := standard.Field(false, listed[c.Name]).Check(c.Value, someday)
		code := ""
		if err != nil {
			code = err.Code
		}
		if kept != c.Kept || code != c.Code {
			t.Errorf("%s %q is kept as %q, refused as %q; want %q, %q", c.Name, c.Value, kept, code, c.Kept, c.Code)
		}
		if err != nil && (err.Kind != anchor.Invalid || err.Field != c.Name || c.Value != "" && strings.Contains(err.Message, c.Value)) {
			t.Errorf("%s %q: %+v", c.Name, c.Value, err)
		}
		if again, err := standard.Field(false, listed[c.Name]).Check(kept, someday); kept != "" && (err != nil || again != kept) {
			t.Errorf("%s %q, kept as %q, is %q, %v when it is looked at again", c.Name, c.Value, kept, again, err)
		}
	}
}

// TestAnswersAreJudgedAgain: what is kept is what was brought to form, and a
// document that has expired since is asked for anew.
func TestAnswersAreJudgedAgain(t *testing.T) {
	t.Parallel()
	var fields []anchor.Field
	for _, name := range []string{"mobile_number", "address_country_code", "id_expiration_date"} {
		standard, _ := anchor.StandardOf(name)
		fields = append(fields, standard.Field(false, nil))
	}
	var c anchor.Customer
	err := c.Answer(fields, map[string]string{"mobile_number": " +1 202 555 0143 ", "address_country_code": "us", "id_expiration_date": "2026-03-10"}, someday)
	if err != nil || c.Fields["mobile_number"] != "+12025550143" || c.Fields["address_country_code"] != "USA" {
		t.Fatalf("%v %v", c.Fields, err)
	}
	if got := c.Missing(fields, someday); len(got) != 0 {
		t.Errorf("missing at once: %v", got)
	}
	if got := c.Missing(fields, someday.AddDate(0, 0, 10)); len(got) != 1 || got[0].Name != "id_expiration_date" {
		t.Errorf("missing when the document is over: %v", got)
	}
}

// TestCountries holds the table of countries to another one.
func TestCountries(t *testing.T) {
	t.Parallel()
	count := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			two := string(a) + string(b)
			three := anchor.Country(two)
			if three == "" {
				continue
			}
			count++
			region, err := language.ParseRegion(two)
			if kosovo := two == "XK" && three == "XKX"; err != nil || region.ISO3() != three && !kosovo || !region.IsCountry() {
				t.Errorf("%s is %s, not %s (%v)", two, three, region.ISO3(), err)
			}
			if anchor.Country(three) != three || anchor.Country(strings.ToLower(two)) != three {
				t.Errorf("%s and %s are not one country", two, three)
			}
		}
	}
	if count != 249+1 { // ISO 3166-1 since 2011, and Kosovo
		t.Errorf("there are %d countries", count)
	}
}

// TestStandardFields: a choice has answers, every name is there once.
func TestStandardFields(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range anchor.SEP9 {
		f := s.Field(true, nil)
		if f.Type == anchor.FieldChoice != (len(f.Options) > 0) || f.Type == "" || slices.Contains(names, s.Name) {
			t.Errorf("%+v", f)
		}
		names = append(names, s.Name)
	}
}
