package anchor

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
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
	Review Review
	// Vetting is what a person said of them last.
	Vetting Vetting
	// Lang is the language that they last chose by hand, "" if they never did.
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

// Vetting is what a person said of a customer last.
type Vetting int

// The kinds of vetting.
const (
	Unvetted Vetting = iota // nobody looked, or they changed what was accepted
	Vetted                  // accepted, with the answers that they have now
	Doubted                 // a correction was asked for: whatever comes, a person looks at it
)

// Judged writes down a person's verdict.
func (c *Customer) Judged(verdict Review, now time.Time) {
	c.Review, c.Vetting, c.UpdatedAt = verdict, Doubted, now
	if verdict == ReviewAccepted {
		c.Vetting = Vetted
	}
}

// Doubted reports whether a person turned them away, or doubted them and has not
// accepted them since, whatever they have said meanwhile.
func (c *Customer) Doubted() bool {
	return c.Vetting == Doubted || c.Review == ReviewRejected || c.Review == ReviewCorrection
}

// Version names what the customer has said, so that a reviewer can say what they saw:
// it is another one after every answer, and after every verdict.
func (c *Customer) Version() string { return strconv.FormatInt(c.UpdatedAt.UnixMicro(), 36) }

// Decided reports whether a person need not say so again.
func (c *Customer) Decided(verdict Review) bool {
	return c.Review == verdict && (verdict != ReviewAccepted || c.Vetting == Vetted)
}

// Answer merges checked answers into the customer. Unknown names are refused, as
// are documents that are not there; empty values of optional fields erase. Whatever
// changes takes away that a person accepted what was there. All faulty fields are reported at
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
		v, err := f.Check(strings.TrimSpace(v), now)
		if err == nil && f.Type == FieldFile && v != "" && v != c.Fields[f.Name] {
			err = &Error{Kind: Invalid, Code: "file_unknown", Field: f.Name, Message: f.Name + " is not among the documents that were sent; send it first"}
		}
		if err != nil {
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
	c.says(merged, now)
	return nil
}

// says takes the customer's answers, which are no longer those that a person
// accepted if one of them is another.
func (c *Customer) says(answers map[string]string, now time.Time) {
	if c.Vetting == Vetted && !maps.Equal(answers, c.Fields) {
		c.Vetting = Unvetted
	}
	c.Fields, c.UpdatedAt = answers, now.UTC().Truncate(time.Microsecond)
}

// Missing lists the fields that are still to be answered, or again: what was right
// once, such as a document's last day, need not be so now.
func (c *Customer) Missing(fields []Field, now time.Time) []Field {
	var missing []Field
	for _, f := range fields {
		if _, err := f.Check(c.Fields[f.Name], now); err != nil {
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
