package anchor

import (
	"slices"
	"time"
)

// Level is what a side asks in addition, and who accepts a customer, from an
// amount_in on.
type Level struct {
	From   Amount
	Fields []Field
	Review Reviewer
}

// Reviewer says who accepts a customer whose questions are all answered.
type Reviewer string

// The reviewers. Whatever is not ByNobody is a person: what was forgotten lets
// nobody through.
const (
	ByPerson Reviewer = "person"
	ByNobody Reviewer = "none"
)

// Screening says which customers a person looks at where nobody else would have
// to: those whom it does not expect, and those of whom it cannot tell. It turns
// nobody away by itself, since a slip of the finger in a year is no crime.
type Screening struct {
	// Countries are those in which customers live, were born and have their
	// papers from (ISO 3166-1 alpha-3), as far as they say so; none are all.
	Countries []string
	// MinimumAge is in years; 0 is any.
	MinimumAge int
}

// Any reports whether there is a rule at all.
func (s Screening) Any() bool { return len(s.Countries) > 0 || s.MinimumAge > 0 }

// homes are the answers that name a country, by their SEP-9 names.
var homes = []string{"address_country_code", "birth_country_code", "id_country_code"}

// Expects reports whether nobody needs to look at the customer for who they are.
func (s Screening) Expects(c *Customer, now time.Time) bool {
	said := 0
	for _, name := range homes {
		if v := c.Fields[name]; v != "" {
			said++
			if len(s.Countries) > 0 && !slices.Contains(s.Countries, v) {
				return false
			}
		}
	}
	if len(s.Countries) > 0 && said == 0 {
		return false
	}
	if s.MinimumAge == 0 {
		return true
	}
	born, err := time.Parse(time.DateOnly, c.Fields["birth_date"])
	return err == nil && !born.AddDate(s.MinimumAge, 0, 0).After(now)
}

// reached are the levels that an amount lies in.
func (s *Side) reached(in Amount) []Level {
	n := 0
	for n < len(s.Levels) && s.Levels[n].From <= in {
		n++
	}
	return s.Levels[:n]
}

// FieldsFor is what a customer must have answered for an amount that comes in: the
// side's own questions, and those of each level that it reaches. 0 is an amount
// that nobody knows yet. What is asked twice must be answered if either says so.
func (s *Side) FieldsFor(in Amount) []Field {
	asked := s.Fields
	for _, level := range s.reached(in) {
		asked = slices.Clone(asked)
		for _, f := range level.Fields {
			if i := slices.IndexFunc(asked, func(g Field) bool { return g.Name == f.Name }); i >= 0 {
				asked[i].Optional = asked[i].Optional && f.Optional
			} else {
				asked = append(asked, f)
			}
		}
	}
	return asked
}

// AllFields is all that the side may ever ask.
func (s *Side) AllFields() []Field { return s.FieldsFor(MaxAmount) }

// AskedFrom is the amount from which on a field is asked, 0 for one that is asked
// of everybody.
func (s *Side) AskedFrom(name string) Amount {
	is := func(f Field) bool { return f.Name == name }
	if slices.ContainsFunc(s.Fields, is) {
		return 0
	}
	for _, l := range s.Levels {
		if slices.ContainsFunc(l.Fields, is) {
			return l.From
		}
	}
	return 0
}

// ReviewFor is who accepts customers for an amount that comes in: a person, if
// one of the levels that it reaches says so.
func (s *Side) ReviewFor(in Amount) Reviewer {
	if s.Review != ByNobody || slices.ContainsFunc(s.reached(in), func(l Level) bool { return l.Review != ByNobody }) {
		return ByPerson
	}
	return ByNobody
}

// ReviewOf is what the anchor thinks of a customer, nil if there is none yet, for
// an amount that comes in. Whom a person has accepted is good for every amount
// whose questions are answered, and whom one doubted for none; anybody else for
// those at which nobody looks.
func (s *Side) ReviewOf(c *Customer, in Amount, now time.Time) Review {
	fields := s.FieldsFor(in)
	if c != nil && c.Review == ReviewNone {
		c = nil // forgotten, or known by a language only
	}
	if c == nil && len(fields) == 0 && s.ReviewFor(in) == ByNobody {
		c = &Customer{}
	}
	switch {
	case c == nil:
		return ReviewNone
	case c.Review == ReviewRejected, c.Review == ReviewCorrection:
		return c.Review
	case len(c.Missing(fields, now)) > 0:
		return ReviewNone
	case s.trusts(c, in, now):
		return ReviewAccepted
	}
	return ReviewPending
}

// trusts reports whether nobody needs to look at the customer for an amount, whatever
// they have yet to answer.
func (s *Side) trusts(c *Customer, in Amount, now time.Time) bool {
	return c.Vetting == Vetted || c.Vetting == Unvetted && s.ReviewFor(in) == ByNobody && s.Screening.Expects(c, now)
}

// Doubtful reports whether a person must look at whose money came, of a customer who
// is nil if there is none: since they agreed they were doubted or turned away, by
// another transaction of theirs, or are no longer who was accepted; or so much came
// that it asks more of them than what they agreed to, and than they are good for.
func (t *Transaction) Doubtful(terms *Terms, c *Customer, now time.Time) bool {
	s := terms.Side(t.Kind)
	if c != nil && c.Review != ReviewNone && (c.Doubted() || !s.trusts(c, t.AmountIn, now)) {
		return true
	}
	return len(s.reached(t.AmountIn)) > len(s.reached(t.Expected)) && s.ReviewOf(c, t.AmountIn, now) != ReviewAccepted
}

// Foreseen is the amount that comes in, as far as anybody knows: the one that was
// entered, else the one that the wallet proposed, else 0.
func (t *Transaction) Foreseen() Amount {
	if t.AmountsKnown {
		return t.AmountIn
	}
	return t.Requested
}
