package anchor_test

import (
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

// TestAnswersAreKeptInOneForm: whatever way people and wallets write it, as of
// noon on 1 March 2026.
func TestAnswersAreKeptInOneForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, kept, code string }{
		{"mobile_number", "+12025550143", "+12025550143", ""},
		{"mobile_number", "+1 (202) 555-0143", "+12025550143", ""},
		{"mobile_number", "+1.202.555.0143", "+12025550143", ""},
		{"mobile_number", "0044 20 7946 0958", "+442079460958", ""},
		{"mobile_number", "+44 (0)20 7946 0958", "+442079460958", ""},
		{"mobile_number", "\u202a+62\u00a0812‑3456‑7890\u202c", "+6281234567890", ""}, // as an address book copies it
		{"mobile_number", "+٢٠ ١٠٠ ١٢٣ ٤٥٦٧", "+201001234567", ""},
		{"mobile_number", "+۹۸ ۹۱۲ ۳۴۵ ۶۷۸۹", "+989123456789", ""},
		{"mobile_number", "+6834000", "+6834000", ""},
		{"mobile_number", "+123456789012345", "+123456789012345", ""},
		{"mobile_number", "+1234567890123456", "", "phone_malformed"},
		{"mobile_number", "+683400", "", "phone_malformed"},
		{"mobile_number", "+0202555014", "", "phone_malformed"},
		{"mobile_number", "+1 202 555 CALL", "", "phone_malformed"},
		{"mobile_number", "++12025550143", "", "phone_malformed"},
		{"mobile_number", "+1202555014\n3", "", "field_malformed"},
		{"mobile_number", "202 555 0143", "", "phone_without_country"},
		{"mobile_number", "- -", "", "field_required"},
		{"mobile_number", strings.Repeat("1", 201), "", "field_too_long"},
		{"bank_phone_number", "5551234", "", "phone_without_country"},
		{"mobile_money_number", "+254 712 345678", "+254712345678", ""},

		{"birth_date", "1990-12-31", "1990-12-31", ""},
		{"birth_date", "2024-02-29", "2024-02-29", ""},
		{"birth_date", "2023-02-29", "", "date_malformed"},
		{"birth_date", "1990-13-01", "", "date_malformed"},
		{"birth_date", "31.12.1990", "", "date_malformed"},
		{"birth_date", "90-11-30", "", "date_malformed"},
		{"birth_date", "1990-1-5", "", "date_malformed"},
		{"birth_date", "1990-12-31T00:00:00Z", "", "date_malformed"},
		{"birth_date", "2026-03-02", "2026-03-02", ""}, // on Kiritimati it is this already
		{"birth_date", "2026-03-03", "", "date_future"},
		{"birth_date", "9999-12-31", "", "date_future"},
		{"birth_date", "1896-03-02", "1896-03-02", ""},
		{"birth_date", "1896-03-01", "", "date_too_early"},
		{"birth_date", "0090-12-31", "", "date_too_early"},
		{"id_issue_date", "2020-03-01", "2020-03-01", ""},
		{"id_issue_date", "2026-03-03", "", "date_future"},
		{"id_expiration_date", "2026-03-01", "2026-03-01", ""},
		{"id_expiration_date", "2026-02-28", "", "document_expired"},
		{"id_expiration_date", "9999-12-31", "9999-12-31", ""}, // as some never do

		{"address_country_code", "ARG", "ARG", ""},
		{"address_country_code", "ar", "ARG", ""},
		{"address_country_code", "Deu", "DEU", ""},
		{"address_country_code", "Argentina", "", "country_unknown"},
		{"address_country_code", "XXX", "", "country_unknown"},
		{"address_country_code", "AN", "", "country_unknown"}, // there was one
		{"id_country_code", "br", "BRA", ""},
		{"id_country_code", "URY", "", "choice_unknown"},
		{"id_country_code", "Uruguay", "", "country_unknown"},

		{"sex", "female", "female", ""},
		{"sex", "FEMALE", "female", ""},
		{"sex", "femme", "", "choice_unknown"},
		{"bank_name", "größte BANK", "Größte Bank", ""},
		{"bank_name", "Harbour", "", "choice_unknown"},
		{"id_type", "Sailor's book", "Sailor's book", ""},
		{"id_type", "id_card", "", "choice_unknown"},
		{"bank_account_type", "savings", "savings", ""},
		{"first_name", " ", " ", ""}, // whoever asks has trimmed it
	} {
		standard, ok := anchor.StandardOf(c.name)
		if !ok {
			t.Fatalf("SEP-9 has no %s", c.name)
		}
		kept, err := standard.Field(false, listed[c.name]).Check(c.value, someday)
		code := ""
		if err != nil {
			code = err.Code
		}
		if kept != c.kept || code != c.code {
			t.Errorf("%s %q is kept as %q, refused as %q; want %q, %q", c.name, c.value, kept, code, c.kept, c.code)
		}
		if err != nil && (err.Kind != anchor.Invalid || err.Field != c.name || strings.Contains(err.Message, c.value)) {
			t.Errorf("%s %q: %+v", c.name, c.value, err)
		}
		if again, err := standard.Field(false, listed[c.name]).Check(kept, someday); kept != "" && (err != nil || again != kept) {
			t.Errorf("%s %q, kept as %q, is %q, %v when it is looked at again", c.name, c.value, kept, again, err)
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
			if err != nil || region.ISO3() != three || !region.IsCountry() {
				t.Errorf("%s is %s, not %s (%v)", two, three, region.ISO3(), err)
			}
			if anchor.Country(three) != three || anchor.Country(strings.ToLower(two)) != three {
				t.Errorf("%s and %s are not one country", two, three)
			}
		}
	}
	if count != 249 { // ISO 3166-1 since 2011
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
