package anchor

import (
	"maps"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Customer is one person behind an [Identity]. Fields are personal data: the
// store encrypts them and no log shows them.
type Customer struct {
	ID string // UUIDv7
	// Owner is the identity the customer belongs to, without its client domain:
	// the same person in another wallet is the same customer.
	Owner Identity
	// Fields are the answers by their SEP-9 names.
	Fields map[string]string
	// Review is what the anchor thinks of them.
	Review    Review
	Lang      string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Review is the state of a customer's KYC.
type Review string

// The states of a review.
const (
	ReviewNone       Review = ""           // nothing submitted yet
	ReviewPending    Review = "pending"    // a person looks at it
	ReviewAccepted   Review = "accepted"   // fine
	ReviewCorrection Review = "correction" // something must be corrected
	ReviewRejected   Review = "rejected"   // no
)

// Answer merges checked answers into the customer. Unknown names are refused,
// empty values of optional fields erase. All faulty fields are reported at
// once, as the errors of FieldErrors.
func (c *Customer) Answer(fields []Field, answers map[string]string, now time.Time) error {
	merged := maps.Clone(c.Fields)
	if merged == nil {
		merged = map[string]string{}
	}
	var bad FieldErrors
	known := map[string]bool{}
	for _, f := range fields {
		known[f.Name] = true
		v, given := answers[f.Name]
		if !given {
			v = merged[f.Name]
		}
		v = strings.TrimSpace(v)
		if err := f.Check(v); err != nil {
			bad = append(bad, err)
			continue
		}
		if v == "" {
			delete(merged, f.Name)
		} else {
			merged[f.Name] = v
		}
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		if !known[name] {
			bad = append(bad, &Error{Kind: Invalid, Code: "field_unknown", Field: name, Message: name + " is not asked for"})
		}
	}
	if len(bad) > 0 {
		return bad
	}
	c.Fields, c.UpdatedAt = merged, now.UTC().Truncate(time.Microsecond)
	return nil
}

// Missing lists the fields that are still to be answered.
func (c *Customer) Missing(fields []Field) []Field {
	var missing []Field
	for _, f := range fields {
		if f.Check(c.Fields[f.Name]) != nil {
			missing = append(missing, f)
		}
	}
	return missing
}

// FieldErrors are several faulty fields. KindOf it is Invalid.
type FieldErrors []*Error

func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i, f := range e {
		parts[i] = f.Message
	}
	return strings.Join(parts, "; ")
}

func (e FieldErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i := range e {
		all[i] = e[i]
	}
	return all
}

// maxField bounds an answer, in characters.
const maxField = 200

// Hidden reports characters that nobody sees but that change what is read:
// controls, zero-width spaces, and the marks that turn text around. The joiners
// that Persian and Indian scripts need are not among them.
func Hidden(r rune) bool {
	switch {
	case r == '\u200b', r == '\u2060', r == '\ufeff', r == '\u200e', r == '\u200f',
		r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	}
	return unicode.IsControl(r)
}

// Check judges one answer, already trimmed.
func (f Field) Check(v string) *Error {
	if v == "" {
		if f.Optional {
			return nil
		}
		return &Error{Kind: Invalid, Code: "field_required", Field: f.Name, Message: f.Name + " is required"}
	}
	if utf8.RuneCountInString(v) > maxField {
		return &Error{Kind: Invalid, Code: "field_too_long", Field: f.Name, Message: f.Name + " must have at most 200 characters"}
	}
	if !utf8.ValidString(v) || strings.ContainsFunc(v, Hidden) {
		return &Error{Kind: Invalid, Code: "field_malformed", Field: f.Name, Message: f.Name + " contains characters that cannot be used"}
	}
	switch f.Type {
	case "email":
		a, err := mail.ParseAddress(v)
		if err != nil || a.Address != v || !strings.Contains(v[strings.LastIndex(v, "@"):], ".") {
			return &Error{Kind: Invalid, Code: "email_malformed", Field: f.Name, Message: f.Name + " must be an e-mail address such as name@example.com"}
		}
	case "account_number":
		// People write IBANs in groups; the spaces do not count.
		signs := strings.NewReplacer(" ", "", "-", "").Replace(v)
		if strings.ContainsFunc(signs, func(r rune) bool {
			return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}) || len(signs) < 4 || len(signs) > 34 {
			return &Error{Kind: Invalid, Code: "account_number_malformed", Field: f.Name,
				Message: f.Name + " must be 4 to 34 letters and digits"}
		}
	}
	return nil
}
