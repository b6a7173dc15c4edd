package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"windlass/server/anchor"
)

// limits looks for what left, or may leave at any moment, above a limit and
// without the word of somebody else than whoever asked for it. At the bank a limit
// is what it is worth there, by whichever of the prices makes it highest.
func (l *look) limits(context.Context) error {
	for _, t := range l.Config.terms {
		worth := func(limit anchor.Amount) (most int64) {
			for _, f := range tariffs(l.offers(), t, anchor.Withdrawal) {
				most = max(most, int64(f.worth(limit)))
			}
			return most
		}
		l.limitsOf(l.payouts, "payout:", t.Asset.String(), int64(t.PayoutLimit), int64(t.DailyLimit))
		l.limitsOf(l.orders, "order:", t.OffChain.String(), worth(t.PayoutLimit), worth(t.DailyLimit))
	}
	return nil
}

func (l *look) limitsOf(rows []row, subject, asset string, single, daily int64) {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool {
		return r.text("asset") != asset || !r.is("purpose", "payout", "refund") || r.is("state", "approval", "cancelled")
	})
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.num("created_at"), b.num("created_at")) })
	var alone []row                // whom nobody has let go
	var within int64               // what they add up to, of a day
	refunded := map[string]int64{} // by cause: a refund in parts is one
	for _, r := range rows {
		what, amount := subject+r.text("id"), r.num("amount")
		before := refunded[r.text("cause_id")]
		if r.is("purpose", "refund") {
			refunded[r.text("cause_id")] += amount
		} else {
			before = 0
		}
		if by, approved := l.approvals[what]; approved {
			l.Approved++
			if by == r.text("requested_by") {
				l.find(doubled, "%s of %s was asked for and let go by %s", what, anchor.Amount(amount), by)
			}
			continue
		}
		if single != 0 && amount > single-before {
			l.find(doubled, "%s of %s (%s) is above the limit of %s, and nobody has let it go", what, anchor.Amount(amount), r.text("state"), anchor.Amount(single))
		}
		alone, within = append(alone, r), within+amount
		for alone[0].num("created_at") <= r.num("created_at")-(24*time.Hour).Microseconds() {
			alone, within = alone[1:], within-alone[0].num("amount")
		}
		if daily != 0 && within > daily {
			l.find(doubled, "with %s %s have left within a day, above the limit of %s, and nobody has let any of it go", what, anchor.Amount(within), anchor.Amount(daily))
		}
	}
}
