package anchor_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
)

// tiered asks a name of everybody, a birthday from 1000 on, and papers, a person's
// look and the town from 5000 on.
func tiered(first, second, third anchor.Reviewer) *anchor.Side {
	field := func(name string, kind anchor.FieldType, optional bool) anchor.Field {
		return anchor.Field{Name: name, Type: kind, Optional: optional}
	}
	return &anchor.Side{
		Fields: []anchor.Field{field("first_name", anchor.FieldText, false), field("city", anchor.FieldText, true)}, Review: first,
		Levels: []anchor.Level{
			{From: 1000 * anchor.One, Fields: []anchor.Field{field("birth_date", anchor.FieldDate, false)}, Review: second},
			{From: 5000 * anchor.One, Fields: []anchor.Field{field("id_number", anchor.FieldText, false), field("city", anchor.FieldText, false)}, Review: third},
		},
	}
}

func TestFieldsFor(t *testing.T) {
	t.Parallel()
	s := tiered(anchor.ByNobody, anchor.ByNobody, anchor.ByPerson)
	for _, c := range []struct{ in, asked string }{
		{"0", "first_name city?"},
		{"999.9999999", "first_name city?"},
		{"1000", "first_name city? birth_date"},
		{"4999.99", "first_name city? birth_date"},
		{"5000", "first_name city birth_date id_number"},
		{"922337203685.4775807", "first_name city birth_date id_number"},
	} {
		for range 2 { // what it gives is nobody else's
			var asked []string
			for _, f := range s.FieldsFor(anchor.MustAmount(c.in)) {
				if f.Optional {
					f.Name += "?"
				}
				asked = append(asked, f.Name)
			}
			if got := strings.Join(asked, " "); got != c.asked {
				t.Errorf("%s: %s, want %s", c.in, got, c.asked)
			}
		}
	}
}

// TestReviewOf is the table of who is accepted for how much.
func TestReviewOf(t *testing.T) {
	t.Parallel()
	none, person := anchor.ByNobody, anchor.ByPerson
	all := map[string]string{"first_name": "Ada", "city": "Lima", "birth_date": "1990-12-31", "id_number": "7"}
	without := func(names ...string) map[string]string {
		some := maps.Clone(all)
		for _, n := range names {
			delete(some, n)
		}
		return some
	}
	const low, middle, high = "999", "1000", "5000"
	var rules anchor.Screening
	at := func(s *anchor.Side, screening anchor.Screening) *anchor.Side {
		s.Screening = screening
		return s
	}
	peru := anchor.Screening{Countries: []string{"PER", "CHL"}}
	adults := anchor.Screening{MinimumAge: 18}
	lives := func(m map[string]string, more ...string) map[string]string {
		m = maps.Clone(m)
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	for _, c := range []struct {
		name   string
		side   *anchor.Side
		fields map[string]string
		stored anchor.Review
		vetted bool
		in     string
		want   anchor.Review
	}{
		{"all answered, nobody looks", tiered(none, none, person), all, "accepted", false, low, "accepted"},
		{"the same, more", tiered(none, none, person), all, "accepted", false, middle, "accepted"},
		{"the same, as much as a person looks at", tiered(none, none, person), all, "accepted", false, high, "pending"},
		{"a person did", tiered(none, none, person), all, "accepted", true, high, "accepted"},
		{"a person did, of less", tiered(none, none, person), without("id_number"), "accepted", true, high, ""},
		{"a person did, and it is not asked", tiered(none, none, person), without("id_number"), "accepted", true, middle, "accepted"},
		{"waits for a person over more, and nobody looks at this", tiered(none, none, person), all, "pending", false, low, "accepted"},
		{"something is missing", tiered(none, none, person), without("birth_date"), "accepted", false, middle, ""},
		{"optional at first, and then not", tiered(none, none, person), without("city"), "accepted", false, high, ""},
		{"a person looks at everybody", tiered(person, person, person), all, "pending", false, low, "pending"},
		{"a person looked at everybody", tiered(person, person, person), all, "accepted", true, high, "accepted"},
		{"accepted by itself before a person had to look", tiered(person, person, person), all, "accepted", false, low, "pending"},
		{"a person at small amounts and nobody at large ones", tiered(none, person, none), all, "pending", false, high, "pending"},
		{"forgotten in the configuration", tiered("", "", ""), all, "pending", false, low, "pending"},
		{"a correction is due", tiered(none, none, none), all, "correction", false, low, "correction"},
		{"rejected", tiered(none, none, none), all, "rejected", false, low, "rejected"},
		{"nothing known", tiered(none, none, none), nil, "", false, low, ""},
		{"expected from there", at(tiered(none, none, none), peru), lives(all, "address_country_code", "PER", "id_country_code", "CHL"), "accepted", false, low, "accepted"},
		{"papers of another country", at(tiered(none, none, none), peru), lives(all, "address_country_code", "PER", "id_country_code", "USA"), "pending", false, low, "pending"},
		{"no country said", at(tiered(none, none, none), peru), all, "pending", false, low, "pending"},
		{"another country, and a person looked", at(tiered(none, none, none), peru), lives(all, "address_country_code", "USA"), "accepted", true, low, "accepted"},
		{"of age", at(tiered(none, none, none), adults), lives(all, "birth_date", "2008-03-01"), "accepted", false, low, "accepted"},
		{"a day too young", at(tiered(none, none, none), adults), lives(all, "birth_date", "2008-03-02"), "pending", false, low, "pending"},
		{"no age said", at(tiered(none, none, none), adults), without("birth_date"), "pending", false, low, "pending"},
		{"no rules", at(tiered(none, none, none), rules), without("birth_date"), "accepted", false, low, "accepted"},
	} {
		cust := &anchor.Customer{Fields: c.fields, Review: c.stored}
		if c.vetted {
			cust.Vetting = anchor.Vetted
		}
		if got := c.side.ReviewOf(cust, anchor.MustAmount(c.in), someday); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	doubted := &anchor.Customer{Fields: all, Review: anchor.ReviewAccepted, Vetting: anchor.Doubted}
	if got := tiered(none, none, none).ReviewOf(doubted, anchor.One, someday); got != anchor.ReviewPending {
		t.Errorf("whom a person doubted is %q by itself", got)
	}
	// Where nothing is asked, nobody needs to be known, unless a person looks.
	for _, c := range []struct {
		review anchor.Reviewer
		rules  anchor.Screening
		want   anchor.Review
	}{{none, rules, "accepted"}, {person, rules, ""}, {none, adults, "pending"}} {
		s := &anchor.Side{Review: c.review, Screening: c.rules}
		if got := s.ReviewOf(nil, 0, someday); got != c.want {
			t.Errorf("a stranger where nothing is asked: %q, want %q", got, c.want)
		}
	}
}

// TestVetted: what a person accepted is what they saw.
func TestVetted(t *testing.T) {
	t.Parallel()
	fields := tiered("", "", "").FieldsFor(1000 * anchor.One)
	for _, c := range []struct {
		name    string
		answers map[string]string
		stays   bool
	}{
		{"the same again", map[string]string{"first_name": " Ada ", "birth_date": "1990-12-31"}, true},
		{"nothing", nil, true},
		{"another", map[string]string{"first_name": "Eve"}, false},
		{"one more", map[string]string{"city": "Lima"}, false},
	} {
		cust := &anchor.Customer{Vetting: anchor.Vetted, Fields: map[string]string{"first_name": "Ada", "birth_date": "1990-12-31"}}
		if err := cust.Answer(fields, c.answers, someday.Add(time.Hour)); err != nil || (cust.Vetting == anchor.Vetted) != c.stays {
			t.Errorf("%s: %v %v", c.name, cust.Vetting, err)
		}
	}
}
