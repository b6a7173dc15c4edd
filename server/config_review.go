package main

import (
	"slices"

	"windlass/server/anchor"
)

// review reads who is not accepted by itself.
func (k *check) review(c *ReviewConfig) {
	for i, code := range c.Countries {
		switch {
		case anchor.Country(code) != code || code == "":
			k.wrong("review.countries", `entry %d, %q, is no country; expected codes of ISO 3166-1 in three capitals, such as ["ARG", "BRA"]`, i+1, code)
		case slices.Contains(c.Countries[:i], code):
			k.wrong("review.countries", "%q is listed twice", code)
		}
	}
	if c.MinimumAge < 0 || c.MinimumAge > 120 {
		k.wrong("review.minimum_age", "%d will not do; expected years, such as 18, or 0 for any age", c.MinimumAge)
	}
	k.screening = anchor.Screening{Countries: c.Countries, MinimumAge: c.MinimumAge}
}

func (k *check) reviewer(at, who string) anchor.Reviewer {
	r := anchor.Reviewer(who)
	if r != anchor.ByPerson && r != anchor.ByNobody {
		k.wrong(at+"review", "%q will not do; expected %s (a person accepts each customer) or %s (whoever answers all is accepted)", who, anchor.ByPerson, anchor.ByNobody)
	}
	return r
}

// level reads what is asked of a larger amount into its side. Who looks at small
// amounts looks at large ones, too.
func (k *check) level(at string, c *LevelConfig, side *anchor.Side, decimals int) {
	made := anchor.Level{From: k.amount(at+"from", c.From, decimals), Fields: k.fields(at, c.Fields, c.OptionalFields), Review: k.reviewer(at, c.Review)}
	least := max(side.Min, 0)
	if n := len(side.Levels); n > 0 {
		least = side.Levels[n-1].From
	}
	if side.Enabled && (made.From <= least || made.From > side.Max) {
		k.wrong(at+"from", "%q will not do; expected an amount above min and that of the level before, and not above max", c.From)
	}
	before := side.ReviewFor(least)
	if before == anchor.ByPerson && made.Review == anchor.ByNobody {
		k.wrong(at+"review", "is none, and a person looks at smaller amounts already; set it to %q, or the smaller ones to %q", anchor.ByPerson, anchor.ByNobody)
	}
	switch {
	case side.Enabled && made.Review == anchor.ByPerson && len(made.Fields) == 0 && len(side.AllFields()) == 0:
		k.wrong(at+"fields", `is missing: a person reviews customers from here on, and nobody says who they are; list what is asked, such as ["first_name", "last_name"]`)
	case side.Enabled && len(made.Fields) == 0 && made.Review == before:
		k.wrong(at+"fields", "is missing: this level asks what is asked below it, and the same one looks; list what it asks in addition, or remove it")
	}
	side.Levels = append(side.Levels, made)
}
