package anchor

import (
	"strings"
	"unicode"
)

// Field is one thing a customer is asked, named as SEP-9 names it.
type Field struct {
	Name     string // "first_name", "bank_account_number"
	Type     FieldType
	Optional bool
	// Options are the answers to choose from. Where it is a country, they are those
	// that are offered, and none are all.
	Options []string
}

// FieldType is what kind of answer a field takes.
type FieldType string

// The types of fields, and how their answers are kept.
const (
	FieldText          FieldType = "text"
	FieldEmail         FieldType = "email"
	FieldPhone         FieldType = "phone"          // E.164: "+12025550143"
	FieldDate          FieldType = "date"           // "1990-12-31"
	FieldCountry       FieldType = "country"        // ISO 3166-1 alpha-3: "ARG"
	FieldChoice        FieldType = "choice"         // one of the options
	FieldAccountNumber FieldType = "account_number" // of a bank account
	FieldFile          FieldType = "file"           // the id of a File: see [Customer.Attach]
)

// SEP9 lists what SEP-9 lets one ask of a person, and of their account
// at a bank or a mobile money provider, in its order.
var SEP9 = []Standard{
	{Name: "first_name", Autocomplete: "given-name"},
	{Name: "last_name", Autocomplete: "family-name"},
	{Name: "additional_name", Autocomplete: "additional-name"},
	{Name: "email_address", Type: FieldEmail, Autocomplete: "email"},
	{Name: "mobile_number", Type: FieldPhone, Autocomplete: "tel"},
	{Name: "birth_date", Type: FieldDate, Autocomplete: "bday"},
	{Name: "birth_place"},
	{Name: "birth_country_code", Type: FieldCountry},
	{Name: "address", Autocomplete: "street-address"},
	{Name: "city", Autocomplete: "address-level2"},
	{Name: "state_or_province", Autocomplete: "address-level1"},
	{Name: "postal_code", Autocomplete: "postal-code"},
	{Name: "address_country_code", Type: FieldCountry, Autocomplete: "country"},
	{Name: "occupation", Autocomplete: "organization-title"},
	{Name: "employer_name", Autocomplete: "organization"},
	{Name: "employer_address"},
	{Name: "language_code", Autocomplete: "language"},
	{Name: "sex", Type: FieldChoice, Autocomplete: "sex", Options: []string{"female", "male", "other"}},
	{Name: "tax_id"},
	{Name: "tax_id_name"},
	{Name: "id_type", Type: FieldChoice, Options: []string{"passport", "id_card", "drivers_license"}},
	{Name: "id_country_code", Type: FieldCountry},
	{Name: "id_issue_date", Type: FieldDate},
	{Name: "id_expiration_date", Type: FieldDate},
	{Name: "id_number"},
	{Name: "photo_id_front", Type: FieldFile},
	{Name: "photo_id_back", Type: FieldFile},
	{Name: "notary_approval_of_photo_id", Type: FieldFile},
	{Name: "photo_proof_residence", Type: FieldFile},
	{Name: "proof_of_income", Type: FieldFile},
	{Name: "proof_of_liveness", Type: FieldFile},
	{Name: "bank_name"},
	{Name: "bank_account_type", Type: FieldChoice, Options: []string{"checking", "savings"}},
	{Name: "bank_account_number", Type: FieldAccountNumber},
	{Name: "bank_number"},
	{Name: "bank_phone_number", Type: FieldPhone},
	{Name: "bank_branch_number"},
	{Name: "external_transfer_memo"},
	{Name: "clabe_number"},
	{Name: "cbu_number"},
	{Name: "cbu_alias"},
	{Name: "mobile_money_number", Type: FieldPhone},
	{Name: "mobile_money_provider"},
	{Name: "crypto_address"},
}

// Standard is what is known of a field by its name.
type Standard struct {
	Name string
	Type FieldType // "" is text
	// Autocomplete is HTML's token, so that browsers fill the field in.
	Autocomplete string
	Options      []string
}

// StandardOf finds what SEP-9 says of a name; only the name of anything else.
func StandardOf(name string) (Standard, bool) {
	for _, s := range SEP9 {
		if s.Name == name {
			return s, true
		}
	}
	return Standard{Name: name}, false
}

// Field is the field to ask. Options that are given take the place of its own, and
// make a choice of a text.
func (s Standard) Field(optional bool, options []string) Field {
	f := Field{Name: s.Name, Type: s.Type, Optional: optional, Options: s.Options}
	if f.Type == "" {
		f.Type = FieldText
	}
	if len(options) > 0 {
		f.Options = options
		if f.Type == FieldText {
			f.Type = FieldChoice
		}
	}
	return f
}

// Hidden reports characters that nobody sees but that change what is read: controls,
// formats such as the marks that turn text around, breaks of lines, and letters that
// are blank. The joiners that Persian and Indian scripts need are not among them.
func Hidden(r rune) bool {
	if r == '\u200c' || r == '\u200d' {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || strings.ContainsRune("\u115f\u1160\u2800\u3164\uffa0", r)
}
