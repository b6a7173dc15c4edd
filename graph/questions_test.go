package graph_test

import (
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// TestQuestionsOfEveryType: what each takes is told, what is right is kept in one
// form, and what a wallet filled in wrongly is not shown as if it were right.
func TestQuestionsOfEveryType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	offered := map[string][]string{"address_country_code": {"ARG", "BRA"}, "city": {"La Plata", "Rosario"}}
	w.terms.Deposit.Fields = nil
	for _, name := range []string{"birth_date", "id_expiration_date", "address_country_code", "sex", "city", "mobile_number"} {
		known, _ := anchor.StandardOf(name)
		w.terms.Deposit.Fields = append(w.terms.Deposit.Fields, known.Field(false, offered[name]))
	}
	now := time.Now()
	tr := w.open(anchor.Deposit, func(t *anchor.Transaction) { t.Lang = "es" })
	must(t, w.books.Update(t.Context(), store.Wallet, func(tx *store.Tx) error {
		_, err := tx.Transaction(tr.ID)
		must(t, err)
		return tx.SetDetails(tr.ID, store.Details{Prefill: map[string]string{"birth_date": "31/12/1990", "id_expiration_date": "2020-01-01", "address_country_code": "URY", "city": "La Plata"}})
	}))
	c := w.customer(tr)
	first := c.do(look, map[string]any{"id": tr.ID})
	for path, want := range map[string]string{
		"0.type": "date", "0.value": "", "0.autocomplete": "bday", "0.earliest": now.UTC().Add(14*time.Hour).AddDate(-130, 0, 0).Format(time.DateOnly),
		"0.latest": now.UTC().Add(14 * time.Hour).Format(time.DateOnly),
		"1.type":   "date", "1.value": "", "1.earliest": now.UTC().Add(-12 * time.Hour).Format(time.DateOnly), "1.latest": "",
		"2.type": "country", "2.value": "", "2.options.0.value": "ARG", "2.options.1.value": "BRA",
		"3.type": "choice", "3.options.0.value": "female", "3.options.0.label": "Mujer",
		"4.type": "choice", "4.options.1.label": "Rosario", "4.value": "La Plata",
		"5.type": "phone", "5.earliest": "",
	} {
		if got := first.str("transaction.questions." + path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}

	said := func(pairs ...string) map[string]any { return map[string]any{"answers": answers(pairs...)} }
	kept := w.walk(c, []takes{
		{
			name:  "faults of every type",
			query: answer, variables: said("birth_date", "1990-02-30", "id_expiration_date", "2020-01-01", "address_country_code", "URY", "sex", "x", "city", "Lima", "mobile_number", "5551234"),
			want: "INVALID date_malformed birth_date, INVALID document_expired id_expiration_date, INVALID choice_unknown address_country_code, " +
				"INVALID choice_unknown sex, INVALID choice_unknown city, INVALID phone_without_country mobile_number",
		},
		{
			name:  "and other faults",
			query: answer, variables: said("birth_date", "2990-01-01", "id_expiration_date", "9999-12-31", "address_country_code", "Urugay", "sex", "female", "city", "Rosario", "mobile_number", "+123"),
			want: "INVALID date_future birth_date, INVALID country_unknown address_country_code, INVALID phone_malformed mobile_number",
		},
		{name: "too old", query: answer, variables: said("birth_date", "1790-01-01", "id_expiration_date", "9999-12-31", "address_country_code", "BRA", "sex", "female", "mobile_number", "+12025550143", "city", "Rosario"), want: "INVALID date_too_early birth_date"},
		{name: "all right", query: answer, variables: said("birth_date", "1990-12-31", "id_expiration_date", "9999-12-31", "address_country_code", "br", "sex", "FEMALE", "city", "rosario", "mobile_number", "+1 (202) 555-0143")},
		{name: "what is kept", query: look},
	})
	for i, want := range []string{"1990-12-31", "9999-12-31", "BRA", "female", "Rosario", "+12025550143"} {
		if got := kept.str("transaction.questions." + string(rune('0'+i)) + ".value"); got != want {
			t.Errorf("question %d is kept as %q, want %q", i, got, want)
		}
	}
	seen := w.viewer(tr).do(look, map[string]any{"id": tr.ID})
	for i := range 6 {
		if got := seen.str("transaction.questions." + string(rune('0'+i)) + ".value"); got != "****" {
			t.Errorf("a viewer sees question %d as %q", i, got)
		}
	}
}
