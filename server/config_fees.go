package main

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
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
	made.Review, made.Screening = k.reviewer(at, s.Review), k.screening
	for i := range s.Levels {
		k.level(fmt.Sprintf("%slevels[%d].", at, i), &s.Levels[i], &made, decimals)
	}
	for i := range s.Methods {
		k.method(fmt.Sprintf("%smethods[%d].", at, i), &s.Methods[i], &made, decimals)
	}
	if !made.Enabled {
		return made
	}
	if nobody := made.Review == anchor.ByNobody && !made.Screening.Any(); !nobody && len(made.Fields) == 0 {
		k.wrong(at+"fields", `is missing: a person reviews customers, see [review] and review, and nobody says who they are; list what is asked, such as ["first_name", "last_name"]`)
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
	limit := func(key, value string) anchor.Amount {
		if value == "" {
			return 0
		}
		a := k.amount(at+key, value, decimals)
		if side.Enabled && (a < side.Min || a > side.Max) {
			k.wrong(at+key, "%s lies outside of what its side takes, %s to %s", value, side.Min, side.Max)
		}
		return a
	}
	made.Min, made.Max = limit("min", m.Min), limit("max", m.Max)
	if made.Max > 0 && made.Min > made.Max {
		k.wrong(at+"max", "%s is below min, %s", m.Max, m.Min)
	}
	for _, f := range made.Fields {
		if f.Type == anchor.FieldFile {
			k.wrong(at+"fields", "%q is a document, which is asked of the customer once and not for each transaction; move it to the direction's own fields", f.Name)
		}
	}
	if m.Takes != 0 {
		k.between(at+"takes", m.Takes, time.Second, 90*24*time.Hour)
	}
	if m.FeeFixed+m.FeePercent+m.FeeMinimum+m.FeeMaximum != "" || len(m.Tiers) > 0 {
		made.Fee = new(k.schedule(at, decimals, m.FeeFixed, m.FeePercent, m.FeeMinimum, m.FeeMaximum, m.Tiers))
	}
	side.Methods = append(side.Methods, made)
}

// payees makes sure that each way out asks where the money goes: to an account, or in
// cash to somebody whose name is known at the desk.
func (k *check) payees(at string, s *anchor.Side) {
	for i, m := range s.Methods {
		if !s.Enabled {
			continue
		}
		at := fmt.Sprintf("%swithdraw.methods[%d].fields", at, i)
		asks := func(wanted func(name string) bool) bool {
			return slices.ContainsFunc(slices.Concat(s.Fields, m.Fields), func(f anchor.Field) bool { return wanted(f.Name) && !f.Optional })
		}
		if m.ID != anchor.Cash {
			if !slices.ContainsFunc(m.Fields, func(f anchor.Field) bool { return anchor.SaysWhere(f.Name) && !f.Optional }) {
				k.wrong(at, `%s asks for no account, so that nobody knows where the money goes; add a field such as "bank_account_number" or "mobile_money_number"`, m.ID)
			}
			continue
		}
		for _, name := range []string{"first_name", "last_name"} {
			if !asks(func(field string) bool { return field == name }) {
				k.wrong(at, `%s is handed to somebody whose name the desk must know; add %q to the fields of the direction, or of the method`, m.ID, name)
			}
		}
	}
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
			if e, ok := errors.AsType[*anchor.Error](err); ok && e.Code == "amount_too_large" {
				k.wrong(at+side+key, "%s%s comes to more than can be counted; lower it, or look at the price", in, byWay(method))
			} else if err != nil {
				k.wrong(at+side+key, "%s does not cover its own fee%s, %s; raise it, or lower the fee", in, byWay(method), s.Schedule(method).Fee(in))
			}
			return err == nil
		}
		for _, m := range append([]anchor.Method{{}}, s.Methods...) {
			least, most := s.Limits(m.ID)
			if !covers("max", m.ID, most) || !covers("min", m.ID, least) {
				continue
			}
			for _, tier := range s.Schedule(m.ID).Tiers {
				if tier.From > least && tier.From < most {
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

// rates reads what the asset costs, and what it brings. Whoever could sell for more
// than they bought for would do so until nothing is left.
func (k *check) rates(at string, a *AssetConfig, t *anchor.Terms) {
	quote := func(kind anchor.Kind, key, price string) {
		s := t.Side(kind)
		switch {
		case price == "" && s.Enabled && t.Asset.IsNative():
			k.wrong(at+key, `is missing; expected what one lumen is worth in %s, such as "0.25"`, t.OffChain.Code)
			return
		case price == "":
			price = "1"
		}
		var err error
		if s.Rate, err = anchor.Quote(kind, price, t.Decimals, t.OffChainDecimals); err != nil {
			k.wrong(at+key, `%q will not do; expected what one unit of the asset is worth in units of off_chain, above 0, such as "0.1176"`, price)
		}
	}
	quote(anchor.Deposit, "deposit.price", a.Deposit.Price)
	quote(anchor.Withdrawal, "withdraw.price", a.Withdraw.Price)
	d, w := t.Deposit.Rate, t.Withdraw.Rate
	if !t.Deposit.Enabled || !t.Withdraw.Enabled || d.IsOne() && w.IsOne() {
		return
	}
	bid, _ := new(big.Rat).SetString(w.Price(anchor.Withdrawal))
	ask, _ := new(big.Rat).SetString(d.Price(anchor.Deposit))
	if bid.Cmp(ask) > 0 {
		k.wrong(at+"withdraw.price", "%s is more than deposit.price, %s: customers would buy and sell in turns until nothing is left; lower it", w.Price(anchor.Withdrawal), d.Price(anchor.Deposit))
	}
}

// refunds reads what goes back by itself of what comes in, and for how much.
// Sending money costs the network's fee or the bank's, which nobody tells us; what
// the operator takes in the first place is worth it, and a tenth of that too. Without
// a least amount anybody could have us spend more on sending dust back than it is
// worth. A direction that is not offered goes by what the other one gives.
func (k *check) refunds(at string, c *SideConfig, t *anchor.Terms, kind anchor.Kind) {
	s, decimals := t.Side(kind), t.DecimalsOf(t.In(kind))
	s.RefundFee = k.amount(at+"refund_fee", c.RefundFee, decimals)
	least, most := s.Min, s.Max
	if other := t.Side(otherKind[kind]); !s.Enabled {
		least, most = 0, 0
		if other.Enabled {
			least, _ = other.Rate.Out(other.Min) // what cannot be counted is refused elsewhere
			most, _ = other.Rate.Out(other.Max)
		}
	}
	if most > 0 && s.RefundFee >= max(least, 1) {
		k.wrong(at+"refund_fee", "%s would eat the least that is taken, %s; lower it", c.RefundFee, least)
	}
	if c.RefundMinimum == "" {
		s.RefundMinimum = max((least / 10).Floor(decimals), s.RefundFee+anchor.Unit(decimals))
		return
	}
	switch s.RefundMinimum = k.amount(at+"refund_minimum", c.RefundMinimum, decimals); {
	case s.RefundFee > 0 && s.RefundMinimum <= s.RefundFee:
		k.wrong(at+"refund_minimum", "%s would leave nothing to send back; it must be above refund_fee, %s", c.RefundMinimum, c.RefundFee)
	case most > 0 && s.RefundMinimum > most:
		k.wrong(at+"refund_minimum", "%s is more than is ever taken, %s: nothing would go back by itself; lower it, or set the policies in [unmatched] to hold", c.RefundMinimum, most)
	}
}

var otherKind = map[anchor.Kind]anchor.Kind{anchor.Deposit: anchor.Withdrawal, anchor.Withdrawal: anchor.Deposit}
