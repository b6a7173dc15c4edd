package main

import (
	"context"
	"net/url"
	"slices"

	"windlass/server/anchor"
)

// help holds what was given to customers' accounts against the deposits that it
// was for, and against the journal: lumens are given once for an account, for ever.
func (l *look) help(context.Context) error {
	bought := map[string]bool{}
	for _, t := range l.txs {
		if t.is("kind", string(anchor.Deposit)) && t.num("funded_at") != 0 {
			bought[anchor.Address(t.text("account")).Account()] = true
		}
	}
	given, times := map[string]int64{}, map[string]int{}
	for _, p := range l.payouts {
		switch {
		case !p.is("state", "paid") || p.is("purpose", string(anchor.ForRefund)):
		case p.is("purpose", string(anchor.ForPayout)):
			l.Helped[p.text("operation")]++
		default:
			l.Helped[p.text("purpose")]++
		}
		if !p.is("cause_kind", string(anchor.CauseAccount)) {
			continue
		}
		account := p.text("cause_id")
		if !p.is("state", "cancelled") {
			if times[p.text("purpose")+account]++; times[p.text("purpose")+account] > 1 {
				l.find(doubled, "%s: %s more than once", account, p.text("purpose"))
			}
		}
		if !bought[account] || anchor.Address(p.text("destination")).Account() != account {
			l.find(doubled, "%s lumens go to %s (%s), for which nobody has paid", anchor.Amount(p.num("amount")), p.text("destination"), p.text("purpose"))
		}
		if p.is("state", "paid") {
			given[p.text("asset")] += p.num("amount")
		}
	}
	for what, has := range l.sums {
		if what.account == string(anchor.Reserves) {
			given[what.asset] -= has
		}
	}
	for asset, rest := range given {
		if rest != 0 {
			l.find(unbalanced, "what was given to customers' accounts is off by %s %s", signed(rest), asset)
		}
	}
	return nil
}

// inFlight holds what the journal has on its way against what is: intents in an
// envelope, and orders that the bank has.
func (l *look) inFlight(context.Context) error {
	flies := map[sumOf]int64{}
	add := func(r row, amount int64) {
		what := sumOf{"", string(anchor.InFlight), r.text("asset")}
		if r.is("cause_kind", string(anchor.CauseTransaction)) {
			what.transaction = r.text("cause_id")
		}
		flies[what] += amount
	}
	for _, p := range l.payouts {
		if p.is("state", "in_envelope") && !p.is("purpose", "reclaim") {
			add(p, p.num("amount"))
		}
	}
	for _, o := range l.orders {
		if o.is("state", "asked") {
			add(o, o.num("amount"))
		}
	}
	for what, has := range l.sums {
		if what.account == string(anchor.InFlight) {
			flies[what] -= has
		}
	}
	for what, rest := range flies {
		if rest != 0 {
			l.find(unbalanced, "what is in flight for %q is off by %s %s", what.transaction, signed(rest), what.asset)
		}
	}
	return nil
}

// claimable is a balance as Horizon tells it.
type claimable struct {
	ID        string        `json:"id"`
	Asset     string        `json:"asset"`
	Amount    anchor.Amount `json:"amount"`
	Claimants []struct {
		Destination string `json:"destination"`
		Predicate   struct {
			Unconditional bool `json:"unconditional"`
		} `json:"predicate"`
	} `json:"claimants"`
}

// claimables looks for each balance that a deposit was paid by: it waits for its
// customer, without a condition, or they have it, or it came back to us.
func (l *look) claimables(ctx context.Context) error {
	back, coming := map[string]bool{}, map[string]bool{}
	for _, p := range l.payouts {
		if p.is("purpose", string(anchor.ForReclaim)) && !p.is("state", "cancelled") {
			back[p.text("result_id")], coming[p.text("result_id")] = p.is("state", "paid"), true
		}
	}
	for _, p := range l.payouts {
		id, to := p.text("result_id"), p.text("destination")
		if !p.is("operation", string(anchor.PayClaimable)) || !p.is("state", "paid") || l.history.claimed[id] {
			continue
		}
		if t := l.tx[p.text("cause_id")]; !back[id] && t.text("balance_id") != id {
			l.find(lost, "the wallet of deposit %s is told of the balance %q, and not of %s", t.text("id"), t.text("balance_id"), id)
		}
		var b claimable
		if err := l.ask(ctx, "/claimable_balances/"+id, &b); err != nil {
			return err
		}
		if b.ID == "" {
			by, err := l.claimant(ctx, id)
			switch {
			case err != nil:
				return err
			case by == to || by == p.text("source") && back[id]:
				l.history.claimed[id] = true
			case by != p.text("source") || !coming[id]:
				l.find(lost, "the balance %s for %s is gone, to %q", id, to, by)
			}
			continue
		}
		theirs := false
		for _, c := range b.Claimants {
			theirs = theirs || c.Destination == to && c.Predicate.Unconditional
			if !slices.Contains([]string{to, p.text("source")}, c.Destination) {
				l.find(doubled, "the balance %s for %s can be claimed by %s", id, to, c.Destination)
			}
		}
		if !theirs || anchor.Stellar+":"+b.Asset != p.text("asset") || int64(b.Amount) != p.num("amount") || back[id] {
			l.find(unbalanced, "the balance %s is %+v, and should be %s of %s for %s (taken back: %t)", id, b, anchor.Amount(p.num("amount")), p.text("asset"), to, back[id])
		}
	}
	return nil
}

// claimant is who has taken a balance.
func (l *look) claimant(ctx context.Context, id string) (string, error) {
	var page struct {
		Embedded struct {
			Records []*operation `json:"records"`
		} `json:"_embedded"`
	}
	err := l.ask(ctx, "/claimable_balances/"+id+"/operations?"+url.Values{"limit": {"200"}}.Encode(), &page)
	for _, o := range page.Embedded.Records {
		if o.Type == "claim_claimable_balance" {
			return o.Source, err
		}
	}
	return "", err
}
