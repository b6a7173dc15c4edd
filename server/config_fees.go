package main

import (
	"fmt"
	"time"

	"windlass/server/anchor"
)

// side reads one direction. Nothing but its amounts is asked of a direction
// that is switched off.
func (k *check) side(at string, s SideConfig, decimals int) anchor.Side {
	made := anchor.Side{Enabled: *s.Enabled, Window: time.Duration(s.Window)}
	limit := func(key, value string) anchor.Amount {
		switch {
		case value == "" && !made.Enabled:
			return 0
		case value == "":
			k.wrong(at+key, `is missing; expected an amount in quotes, such as "10"`)
			return 0
		}
		return k.amount(at+key, value, decimals)
	}
	made.Min, made.Max = limit("min", s.Min), limit("max", s.Max)
	made.Fee = k.schedule(at, decimals, s.FeeFixed, s.FeePercent, s.FeeMinimum, s.FeeMaximum, s.Tiers)
	made.Fields = k.fields(at, s.Fields, s.OptionalFields)
	for i := range s.Methods {
		k.method(fmt.Sprintf("%smethods[%d].", at, i), &s.Methods[i], &made, decimals)
	}
	if !made.Enabled {
		return made
	}
	if made.Min > made.Max {
		k.wrong(at+"max", "%s is below min, %s", s.Max, s.Min)
	}
	if len(made.Methods) == 0 {
		k.wrong(at+"methods", `is missing; expected at least one way to pay, such as a [[…methods]] table with id = "bank_transfer"`)
	}
	k.between(at+"window", s.Window, time.Minute, 90*24*time.Hour)
	return made
}

// method reads one way to pay into its side.
func (k *check) method(at string, m *MethodConfig, side *anchor.Side, decimals int) {
	if !methodID.MatchString(m.ID) {
		k.wrong(at+"id", `%q will not do; expected small letters, digits and underscores, such as "bank_transfer"`, m.ID)
	} else if _, twice := side.Method(m.ID); twice {
		k.wrong(at+"id", "%q is listed twice", m.ID)
	}
	made := anchor.Method{ID: m.ID, Fields: k.fields(at, m.Fields, m.OptionalFields), Takes: time.Duration(m.Takes)}
	if m.Takes != 0 {
		k.between(at+"takes", m.Takes, time.Second, 90*24*time.Hour)
	}
	if m.FeeFixed+m.FeePercent+m.FeeMinimum+m.FeeMaximum != "" || len(m.Tiers) > 0 {
		made.Fee = new(k.schedule(at, decimals, m.FeeFixed, m.FeePercent, m.FeeMinimum, m.FeeMaximum, m.Tiers))
	}
	side.Methods = append(side.Methods, made)
}

// schedule reads what is charged; what is not given is nothing.
func (k *check) schedule(at string, decimals int, fixed, percent, minimum, maximum string, tiers []TierConfig) anchor.Schedule {
	amount := func(key, value string) anchor.Amount {
		if value == "" {
			return 0
		}
		return k.amount(key, value, decimals)
	}
	share := func(key, value string) anchor.Amount {
		if value == "" {
			return 0
		}
		p := k.amount(key, value, anchor.Decimals)
		if p >= 100*anchor.One {
			k.wrong(key, "%s leaves nothing to pay out; expected less than 100", value)
		}
		return p
	}
	s := anchor.Schedule{Fixed: amount(at+"fee_fixed", fixed), Percent: share(at+"fee_percent", percent),
		Minimum: amount(at+"fee_minimum", minimum), Maximum: amount(at+"fee_maximum", maximum)}
	if maximum != "" && (s.Maximum == 0 || s.Maximum < s.Minimum) {
		k.wrong(at+"fee_maximum", "%q will not do; expected an amount above 0 and not below fee_minimum, or nothing for no maximum", maximum)
	}
	for i, t := range tiers {
		at := fmt.Sprintf("%stiers[%d].", at, i)
		tier := anchor.Tier{From: k.amount(at+"from", t.From, decimals), Fixed: amount(at+"fee_fixed", t.FeeFixed), Percent: share(at+"fee_percent", t.FeePercent)}
		if tier.From == 0 || i > 0 && tier.From <= s.Tiers[i-1].From {
			k.wrong(at+"from", "%q will not do; expected an amount above 0 and above that of the tier before", t.From)
		}
		s.Tiers = append(s.Tiers, tier)
	}
	return s
}

// prices makes sure that whatever lies inside the limits can pay for its fee. Of
// one tier it is enough to look at the least amount, since no fee grows faster
// than its amount; the largest is for what no longer can be counted.
func (k *check) prices(at string, t *anchor.Terms) {
	for kind, side := range map[anchor.Kind]string{anchor.Deposit: "deposit.", anchor.Withdrawal: "withdraw."} {
		s := t.Side(kind)
		if !s.Enabled || s.Min > s.Max {
			continue
		}
		covers := func(key, method string, in anchor.Amount) bool {
			_, err := t.Price(kind, method, in)
			if err != nil {
				k.wrong(at+side+key, "%s does not cover its own fee%s, %s; raise it, or lower the fee", in, byWay(method), s.Schedule(method).Fee(in))
			}
			return err == nil
		}
		for _, m := range append([]anchor.Method{{}}, s.Methods...) {
			if !covers("max", m.ID, s.Max) || !covers("min", m.ID, s.Min) {
				continue
			}
			for _, tier := range s.Schedule(m.ID).Tiers {
				if tier.From > s.Min && tier.From < s.Max {
					covers("tiers", m.ID, tier.From)
				}
			}
		}
	}
}

// byWay names a method, if it is one.
func byWay(method string) string {
	if method == "" {
		return ""
	}
	return " by " + method
}
