package anchor

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxField bounds an answer, in characters.
const maxField = 200

// oldest is how many years a life or a document may have begun ago.
const oldest = 130

// fault is why an answer will not do.
type fault struct{ code, message string }

func refuse(code, message string) *fault { return &fault{code, message} }

// Check judges one answer, already trimmed, and brings it to the form in which it
// is kept.
func (f Field) Check(v string, now time.Time) (string, *Error) {
	kept, wrong := f.read(v, now)
	if wrong != nil {
		return "", &Error{Kind: Invalid, Code: wrong.code, Field: f.Name, Message: f.Name + " " + wrong.message}
	}
	return kept, nil
}

func (f Field) read(v string, now time.Time) (string, *fault) {
	if f.Type == FieldPhone {
		v = strings.Map(dialled, strings.ReplaceAll(v, "(0)", "")) // +44 (0)20 …
	}
	switch {
	case v == "" && f.Optional:
		return "", nil
	case v == "":
		return "", refuse("field_required", "is required")
	case utf8.RuneCountInString(v) > maxField:
		return "", refuse("field_too_long", "must have at most 200 characters")
	case !utf8.ValidString(v), strings.ContainsFunc(v, Hidden):
		return "", refuse("field_malformed", "contains characters that cannot be used")
	}
	switch f.Type {
	case FieldEmail:
		return email(v)
	case FieldPhone:
		return phone(v)
	case FieldDate:
		return f.date(v, now)
	case FieldCountry:
		return f.country(v)
	case FieldChoice:
		return f.choice(v)
	case FieldAccountNumber:
		return accountNumber(v)
	case FieldText, FieldFile: // that it is there, Answer sees
	}
	return v, nil
}

func email(v string) (string, *fault) {
	a, err := mail.ParseAddress(v)
	if err != nil || a.Address != v || !strings.Contains(v[strings.LastIndex(v, "@"):], ".") {
		return "", refuse("email_malformed", "must be an e-mail address such as name@example.com")
	}
	return v, nil
}

func accountNumber(v string) (string, *fault) {
	// People write IBANs in groups; the spaces do not count.
	signs := strings.NewReplacer(" ", "", "-", "").Replace(v)
	if strings.ContainsFunc(signs, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) || len(signs) < 4 || len(signs) > 34 {
		return "", refuse("account_number_malformed", "must be 4 to 34 letters and digits")
	}
	return v, nil
}

// dialled drops what people write between the digits of a phone number, and what
// their address book copies around it. Digits become those of the network.
func dialled(r rune) rune {
	switch {
	case strings.ContainsRune(" \u00a0\u202f()-\u2010\u2011\u2013./", r), Hidden(r) && !unicode.IsControl(r):
		return -1
	case r >= '٠' && r <= '٩':
		return '0' + r - '٠'
	case r >= '۰' && r <= '۹':
		return '0' + r - '۰'
	}
	return r
}

// e164 has country codes of one to three digits, and no number of fewer than
// seven in all.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func phone(v string) (string, *fault) {
	if rest, ok := strings.CutPrefix(v, "00"); ok {
		v = "+" + rest
	}
	switch {
	case !strings.HasPrefix(v, "+"):
		return "", refuse("phone_without_country", "must begin with + and the country code, such as +12025550143")
	case !e164.MatchString(v):
		return "", refuse("phone_malformed", "must be + and 7 to 15 digits, such as +12025550143")
	}
	return v, nil
}

// Dates are the first and the last day that an answer may be, "" where there is
// none. The day is the customer's, wherever on earth that is.
func (f Field) Dates(now time.Time) (earliest, latest string) {
	switch f.Name {
	case "birth_date", "id_issue_date":
		today := now.UTC().Add(14 * time.Hour)
		return today.AddDate(-oldest, 0, 0).Format(time.DateOnly), today.Format(time.DateOnly)
	case "id_expiration_date":
		return now.UTC().Add(-12 * time.Hour).Format(time.DateOnly), ""
	}
	return "", ""
}

func (f Field) date(v string, now time.Time) (string, *fault) {
	earliest, latest := f.Dates(now)
	_, err := time.Parse(time.DateOnly, v)
	switch {
	case err != nil:
		return "", refuse("date_malformed", "must be a day that there is, written as 1990-12-31")
	case latest != "" && v > latest:
		return "", refuse("date_future", "must not be in the future")
	case v < earliest && latest == "":
		return "", refuse("document_expired", "must not be over")
	case v < earliest:
		return "", refuse("date_too_early", "must not be more than 130 years ago")
	}
	return v, nil
}

func (f Field) country(v string) (string, *fault) {
	code := Country(v)
	switch {
	case code == "":
		return "", refuse("country_unknown", "must be a country's ISO 3166-1 alpha-3 code, such as ARG")
	case len(f.Options) > 0:
		return f.choice(code)
	}
	return code, nil
}

func (f Field) choice(v string) (string, *fault) {
	// Wallets may write a name in capitals.
	i := slices.IndexFunc(f.Options, func(o string) bool { return strings.EqualFold(o, v) })
	if i < 0 {
		return "", refuse("choice_unknown", "must be one of those that are offered")
	}
	return f.Options[i], nil
}
