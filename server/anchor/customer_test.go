package anchor_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/server/anchor"
)

var someday = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// TestFieldCheck is about any kind of answer; each kind's own are in answers.json.
func TestFieldCheck(t *testing.T) {
	t.Parallel()
	if _, err := (anchor.Field{Name: "f", Type: "text"}).Check("\xff\xfe", someday); err == nil || err.Code != "field_malformed" {
		t.Errorf("no UTF-8: %v", err)
	}
	if _, err := (anchor.Field{Name: "f", Type: "email", Optional: true}).Check("", someday); err != nil {
		t.Errorf("nothing in an optional field: %v", err)
	}
	if _, err := (anchor.Field{Name: "f", Type: "email", Optional: true}).Check("x", someday); err == nil {
		t.Error("an optional field takes anything")
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	fields := []anchor.Field{{Name: "first_name", Type: "text"}, {Name: "email_address", Type: "email"}, {Name: "city", Type: "text", Optional: true}}
	before := func() *anchor.Customer {
		return &anchor.Customer{ID: "1", Fields: map[string]string{"first_name": "Ada", "email_address": "ada@example.com", "city": "London", "tax_id": "other side"}, UpdatedAt: someday}
	}
	later := someday.Add(time.Hour + 999*time.Nanosecond)
	for _, c := range []struct {
		name    string
		answers map[string]string
		want    map[string]string // of the three asked for; nil if refused
		faults  []string
	}{
		{"one of them", map[string]string{"first_name": "  Grace "}, map[string]string{"first_name": "Grace", "email_address": "ada@example.com", "city": "London"}, nil},
		{"nothing", nil, map[string]string{"first_name": "Ada", "email_address": "ada@example.com", "city": "London"}, nil},
		{"an optional one erased", map[string]string{"city": " "}, map[string]string{"first_name": "Ada", "email_address": "ada@example.com"}, nil},
		{"a required one erased", map[string]string{"first_name": ""}, nil, []string{"first_name"}},
		{"several faults at once", map[string]string{"first_name": " ", "email_address": "x", "city": "Paris", "zz": "1", "aa": "2"}, nil, []string{"first_name", "email_address", "aa", "zz"}},
		{"another side's field", map[string]string{"tax_id": "1"}, nil, []string{"tax_id"}},
	} {
		cust := before()
		err := cust.Answer(fields, c.answers, later)
		if c.faults != nil {
			var all anchor.FieldErrors
			if !errors.As(err, &all) || anchor.KindOf(err) != anchor.Invalid {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			var names []string
			for _, e := range all {
				names = append(names, e.Field)
			}
			if diff := cmp.Diff(c.faults, names); diff != "" {
				t.Errorf("%s: faults %s", c.name, diff)
			}
			if diff := cmp.Diff(before(), cust); diff != "" {
				t.Errorf("%s: refused, and changed the customer: %s", c.name, diff)
			}
			continue
		}
		want := maps.Clone(c.want)
		want["tax_id"] = "other side"
		if diff := cmp.Diff(want, cust.Fields); err != nil || diff != "" {
			t.Errorf("%s: %v %s", c.name, err, diff)
		}
		if got := cust.UpdatedAt; !got.Equal(later.Truncate(time.Microsecond)) {
			t.Errorf("%s: updated at %v", c.name, got)
		}
	}

	// The first answers of a new customer.
	var c anchor.Customer
	if got := c.Missing(fields, someday); len(got) != 2 {
		t.Errorf("a new customer misses %v", got)
	}
	kindIs(t, c.Answer(fields, nil, someday), anchor.Invalid, "field_required")
	if err := c.Answer(fields, map[string]string{"first_name": "Ada", "email_address": "ada@example.com"}, someday); err != nil {
		t.Fatal(err)
	}
	if got := c.Missing(fields, someday); len(got) != 0 {
		t.Errorf("still missing %v", got)
	}
}
