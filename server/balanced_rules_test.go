package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"windlass/server/anchor"
)

// holds is what a fact must be in a status.
type holds string

const (
	yes    holds = "yes"
	no     holds = "no"
	either holds = ""
)

// factsOf is what each status says about the facts. A deposit waits for the bank
// before the money is here, a withdrawal after.
func factsOf(kind anchor.Kind, s anchor.Status) (agreed, funded, paidOut holds) {
	switch s {
	case anchor.Incomplete, anchor.PendingUser:
		return either, no, no
	case anchor.PendingUserTransferStart:
		return yes, no, no
	case anchor.PendingExternal:
		if kind == anchor.Deposit {
			return yes, no, no
		}
		return yes, yes, no
	case anchor.PendingAnchor:
		return either, either, no
	case anchor.OnHold, anchor.PendingStellar, anchor.PendingTrust, anchor.PendingUserTransferComplete,
		anchor.NoMarket, anchor.TooSmall, anchor.TooLarge, anchor.Refunded:
		return yes, yes, no
	case anchor.Completed:
		return yes, yes, yes
	case anchor.Expired:
		return either, no, no
	case anchor.Failed:
		return either, either, either
	}
	return "?", "?", "?"
}

// transactions looks at each transaction by itself: its facts, amounts, what was
// paid for it, its journal, its trail and its outbox.
func (l *look) transactions(context.Context) error {
	for _, t := range l.txs {
		l.facts(t)
		l.amounts(t)
		l.exchanged(t)
		l.paidForIt(t)
		l.liability(t)
		l.trailOf(t)
		l.outboxOf(t)
		l.reviewOf(t)
		l.mailsOf(t)
		switch {
		case t.is("status", string(anchor.Completed)) && t.is("kind", string(anchor.Deposit)):
			l.Deposits++
		case t.is("status", string(anchor.Completed)):
			l.Withdrawals++
		}
	}
	return nil
}

func (l *look) facts(t row) {
	s := anchor.Status(t.text("status"))
	agreed, funded, paidOut := factsOf(anchor.Kind(t.text("kind")), s)
	for _, f := range []struct {
		name string
		want holds
		is   bool
	}{
		{"agreed", agreed, t.num("agreed_at") != 0 && t.num("amounts_known") != 0},
		{"funded", funded, t.num("funded_at") != 0},
		{"paid out", paidOut, t.num("paid_out_at") != 0},
		{"completed_at", map[bool]holds{true: yes, false: no}[s == anchor.Completed || s == anchor.Refunded], t.num("completed_at") != 0},
	} {
		if f.want != either && (f.want == yes) != f.is {
			l.find(unbalanced, "%s %s is %s, and %q is %t", t.text("kind"), t.text("id"), s, f.name, f.is)
		}
	}
}

// amounts are what came in, and that nothing is below 0.
func (l *look) amounts(t row) {
	in, out, fee := t.num("amount_in"), t.num("amount_out"), t.num("amount_fee")
	refunded, refundFee := t.num("amount_refunded"), t.num("refund_fee")
	if min(in, out, fee, refunded, refundFee) < 0 {
		l.find(unbalanced, "%s %s: %s in, %s fee, %s refunded, %s for it, %s out", t.text("kind"), t.text("id"),
			signed(in), signed(fee), signed(refunded), signed(refundFee), signed(out))
	}
	came := l.credited[t.text("id")]
	if funded := t.num("funded_at") != 0; funded && came != in || !funded && came != 0 {
		l.find(unbalanced, "%s %s (%s) has %s in, and %s came for it", t.text("kind"), t.text("id"), t.text("status"), anchor.Amount(in), anchor.Amount(came))
	}
	sum := int64(0)
	for line := range strings.FieldsSeq(t.text("fee_lines")) {
		_, amount, _ := strings.Cut(line, "=")
		n, err := anchor.ParseAmount(amount)
		if err != nil {
			l.find(unbalanced, "the fee of %s %s cannot be read: %q", t.text("kind"), t.text("id"), line)
		}
		sum += int64(n)
	}
	if sum != fee {
		l.find(unbalanced, "%s %s costs %s, and the lines of its fee are %s", t.text("kind"), t.text("id"), anchor.Amount(fee), anchor.Amount(sum))
	}
	earned := int64(0)
	if t.num("funded_at") != 0 {
		earned = fee + refundFee
	}
	l.owes(t, anchor.Fees, inAsset(t), earned)
	if t.is("status", string(anchor.Refunded)) && (out != 0 || refunded+refundFee != in) {
		l.find(unbalanced, "%s %s is refunded, of %s only %s", t.text("kind"), t.text("id"), anchor.Amount(in), anchor.Amount(refunded))
	}
}

// rateOf is the rate that a transaction keeps; nil is none that can be read.
func rateOf(t row) (rate *big.Rat, decimals int) {
	var num, den int64
	if t.text("rate") == "" {
		return big.NewRat(1, 1), anchor.Decimals
	}
	if _, err := fmt.Sscanf(t.text("rate"), "%d/%d/%d", &num, &den, &decimals); err != nil || den == 0 {
		return nil, 0
	}
	return big.NewRat(num, den), decimals
}

// exchanged holds what is given against the rate that was agreed to: it is one
// that was offered, what is left gives amount_out at it, the journal has exchanged
// exactly that, and nothing was paid at a better one, nor in another asset.
func (l *look) exchanged(t row) {
	id, kind := t.text("id"), anchor.Kind(t.text("kind"))
	rate, decimals := rateOf(t)
	if rate == nil {
		l.find(unbalanced, "%s %s keeps %q for a rate", kind, id, t.text("rate"))
		return
	}
	back := t.num("amount_refunded") + t.num("refund_fee")
	left, out := t.num("amount_in")-t.num("amount_fee")-back, t.num("amount_out")
	if t.num("amounts_known") != 0 {
		if should := (tariff{rate: rate, out: decimals}).worth(anchor.Amount(left)); int64(should) != out {
			l.find(unbalanced, "%s %s: for the %s that are left is given %s, and not %s out", kind, id, signed(left), signed(int64(should)), signed(out))
		}
		if !slices.ContainsFunc(l.offers(), func(c *Config) bool { return offered(c, t, rate, decimals) }) {
			l.find(unbalanced, "%s %s has the rate %s, which was never offered", kind, id, t.text("rate"))
		}
	}
	if t.num("funded_at") == 0 {
		left, out = 0, 0
	}
	l.owes(t, anchor.Exchange, inAsset(t), left)
	l.owes(t, anchor.Exchange, outAsset(t), -out)

	var paid, returned int64
	for _, p := range l.paidFor[id] {
		in := p.is("purpose", string(anchor.ForRefund))
		switch {
		case in && p.text("asset") != inAsset(t), p.is("purpose", string(anchor.ForPayout), string(anchor.ForReclaim)) && p.text("asset") != outAsset(t):
			l.find(unbalanced, "the %s of %s %s is of %s", p.text("purpose"), kind, id, p.text("asset"))
		case !p.is("state", "paid"):
		case in:
			returned += p.num("amount")
		case p.is("purpose", string(anchor.ForPayout)):
			paid += p.num("amount")
		case p.is("purpose", string(anchor.ForReclaim)):
			paid -= p.num("amount")
		}
	}
	rest := l.credited[id] - t.num("amount_fee") - t.num("refund_fee") - returned
	if most := new(big.Rat).Mul(exact(anchor.Amount(rest)), rate); exact(anchor.Amount(paid)).Cmp(most) > 0 && paid > 0 {
		l.find(doubled, "%s %s: %s was paid for %s, better than at %s", kind, id, signed(paid), signed(rest), t.text("rate"))
	}
}

// offers are all configurations that the anchor has had.
func (b *balance) offers() []*Config { return append([]*Config{b.Config}, b.Earlier...) }

// offered reports whether a configuration offers a transaction's rate.
func offered(c *Config, t row, rate *big.Rat, decimals int) bool {
	i := slices.IndexFunc(c.terms, func(o *anchor.Terms) bool { return o.Asset.String() == t.text("asset") })
	if i < 0 {
		return false
	}
	f := tariffOf(c, c.terms[i], anchor.Kind(t.text("kind")))
	return f.rate.Cmp(rate) == 0 && (f.out == decimals || t.text("rate") == "" && f.in == f.out)
}

// paidForIt holds a transaction against the intents and orders that it caused.
func (l *look) paidForIt(t row) {
	id := t.text("id")
	var paid, back, toGo int64
	open := false
	for _, p := range l.paidFor[id] {
		open = open || !p.stops() && !p.is("state", "paid")
		switch {
		case p.is("purpose", "refund") && p.is("state", "paid"):
			back += p.num("amount")
		case p.is("purpose", "refund") && !p.is("state", "cancelled") && !l.replaced[p.text("id")]:
			toGo += p.num("amount")
		case p.is("purpose", "payout") && p.is("state", "paid"):
			paid += p.num("amount")
		case p.is("purpose", "reclaim") && p.is("state", "paid"):
			paid -= p.num("amount")
		}
	}
	switch out := t.num("paid_out_at") != 0; {
	case out && paid == 0:
		l.find(lost, "%s %s is paid out, and nothing was paid for it", t.text("kind"), id)
	case !out && paid != 0:
		l.find(unbalanced, "%s was paid for %s %s, which is not paid out", anchor.Amount(paid), t.text("kind"), id)
	case out && t.is("status", string(anchor.Completed)) && paid != t.num("amount_out"):
		l.find(unbalanced, "%s was paid for %s %s of %s", anchor.Amount(paid), t.text("kind"), id, anchor.Amount(t.num("amount_out")))
	}
	decided := t.num("amount_refunded")
	switch {
	case back > decided || t.is("status", string(anchor.Refunded)) && back != decided:
		l.find(doubled, "%s went back for %s %s, and %s were decided", anchor.Amount(back), t.text("kind"), id, anchor.Amount(decided))
	case back+toGo < decided:
		l.find(lost, "%s should go back for %s %s, and only %s will", anchor.Amount(decided), t.text("kind"), id, anchor.Amount(back+toGo))
	case back+toGo > decided:
		l.find(doubled, "%s should go back for %s %s, and %s will", anchor.Amount(decided), t.text("kind"), id, anchor.Amount(back+toGo))
	}
	var arrived int64
	var told []anchor.Refund
	if text := t.text("refunds"); text != "" && json.Unmarshal([]byte(text), &told) != nil {
		l.find(unbalanced, "the refunds of %s %s cannot be read: %s", t.text("kind"), id, text)
	}
	for _, r := range told {
		arrived += int64(r.Amount)
	}
	if arrived != back {
		l.find(unbalanced, "%s %s tells of %s that came back, and %s did", t.text("kind"), id, anchor.Amount(arrived), anchor.Amount(back))
	}
	l.owes(t, anchor.Refunds, inAsset(t), decided-back)
	waits := t.num("funded_at") != 0 && t.num("paid_out_at") == 0 &&
		t.is("status", string(anchor.PendingAnchor), string(anchor.PendingStellar), string(anchor.PendingExternal), string(anchor.PendingTrust))
	if waits && !open {
		l.find(lost, "%s %s is %s, and nothing will ever pay it", t.text("kind"), id, t.text("status"))
	}
}

// inAsset is the asset of what came in, outAsset of what is paid out.
func inAsset(t row) string {
	if t.is("kind", string(anchor.Withdrawal)) {
		return t.text("asset")
	}
	return t.text("off_chain")
}

func outAsset(t row) string {
	if t.is("kind", string(anchor.Withdrawal)) {
		return t.text("off_chain")
	}
	return t.text("asset")
}

// owes checks what a journal account says that we owe for a transaction.
func (l *look) owes(t row, account anchor.Ledger, asset string, want int64) {
	if has := -l.sums[sumOf{t.text("id"), string(account), asset}]; has != want {
		l.find(unbalanced, "the journal owes %s (%s) for %s %s (%s), which should be %s", signed(has), account, t.text("kind"), t.text("id"), t.text("status"), signed(want))
	}
}

// liability is what the journal says we owe for a transaction: amount_out while
// it is funded and not paid out, nothing otherwise.
func (l *look) liability(t row) {
	var owed int64
	if t.num("funded_at") != 0 && t.num("paid_out_at") == 0 {
		owed = t.num("amount_out")
	}
	l.owes(t, anchor.Customers, outAsset(t), owed)
}

// signed writes an amount that may be negative.
func signed(n int64) string {
	if n < 0 {
		return "-" + anchor.Amount(-n).String()
	}
	return anchor.Amount(n).String()
}

// ownerless looks at money whose owner is not known: it is in suspense (as is,
// with the other sign, what left us and nobody has explained), or on its way
// back, once, or gone back.
func (l *look) ownerless(context.Context) error {
	suspense, refunds := map[string]int64{}, map[string]int64{}
	for _, r := range slices.Concat(l.payments, l.bankLines) {
		id, asset := r.text("id"), r.text("asset")
		var live, paid []row
		for _, p := range l.paidFor[id] {
			switch {
			case p.is("state", "paid"):
				paid = append(paid, p)
			case !p.is("state", "cancelled") && !l.replaced[p.text("id")]:
				live = append(live, p)
			}
		}
		for _, p := range slices.Concat(live, paid) {
			if p.num("amount")+p.num("fee") != r.num("amount") || p.text("asset") != asset {
				l.find(unbalanced, "%s of %s %s should go back, and %s will", id, anchor.Amount(r.num("amount")), asset, anchor.Amount(p.num("amount")))
			}
		}
		want := map[string][2]int{"refunding": {1, 0}, "refunded": {0, 1}}[r.text("state")]
		if len(live) != want[0] || len(paid) != want[1] {
			kind := doubled
			if len(live)+len(paid) < want[0]+want[1] {
				kind = lost
			}
			l.find(kind, "%s is %s: %d are to bring it back, and %d have", id, r.text("state"), len(live), len(paid))
		}
		switch r.text("state") {
		case "unmatched":
			suspense[asset] += r.num("amount")
		case "refunded":
			for _, p := range paid {
				l.Returned[anchor.Address(r.text("sender")).Account()] += anchor.Amount(p.num("amount"))
			}
		case "refunding":
			for _, p := range live {
				refunds[asset] += p.num("amount")
			}
		}
	}
	for _, r := range l.outgoing {
		if r.text("explained") == "" {
			suspense[r.text("asset")] -= r.num("amount")
		}
	}
	for what, has := range l.sums {
		switch {
		case what.account == string(anchor.Suspense):
			suspense[what.asset] += has
		case what.account == string(anchor.Refunds) && what.transaction == "":
			refunds[what.asset] += has
		}
	}
	for asset, rest := range suspense {
		if rest != 0 {
			l.find(unbalanced, "suspense is off by %s %s", signed(rest), asset)
		}
	}
	for asset, rest := range refunds {
		if rest != 0 {
			l.find(unbalanced, "refunds of money without an owner are off by %s %s", signed(rest), asset)
		}
	}
	return nil
}

// trailOf checks that a transaction's trail is whole, and each step one of the
// table's.
func (l *look) trailOf(t row) {
	id, trail := t.text("id"), l.trail[t.text("id")]
	if len(trail) == 0 || !trail[0].is("event", "started") {
		l.find(unbalanced, "%s %s has no trail from its start", t.text("kind"), id)
		return
	}
	at := trail[0].text("to_status")
	for _, step := range trail[1:] {
		if step.text("from_status") != at {
			l.find(unbalanced, "%s %s was %s, and its next step begins at %s", t.text("kind"), id, at, step.text("from_status"))
		}
		at = step.text("to_status")
		legal := slices.ContainsFunc(anchor.Table, func(tr anchor.Transition) bool {
			return step.is("event", string(tr.Event)) && step.is("to_status", string(tr.To)) &&
				slices.Contains(tr.From, anchor.Status(step.text("from_status"))) &&
				(tr.Kinds == nil || slices.Contains(tr.Kinds, anchor.Kind(t.text("kind"))))
		})
		if !legal {
			l.find(unbalanced, "%s %s: the table does not allow %s from %s to %s", t.text("kind"), id, step.text("event"), step.text("from_status"), at)
		}
	}
	if at != t.text("status") {
		l.find(unbalanced, "%s %s is %s, and its trail ends at %s", t.text("kind"), id, t.text("status"), at)
	}
}

// outboxOf checks that a wallet that wants to hear of changes has a row for each,
// in their order. Between them may be others, of the same status, that tell of
// the customer's acceptance.
func (l *look) outboxOf(t row) {
	id := t.text("id")
	var steps, told []string
	left, callbacks := 0, 0
	for _, step := range l.trail[id] {
		if step.is("event", "started") {
			continue
		}
		steps = append(steps, step.text("to_status"))
		if step.is("from_status", string(anchor.Incomplete)) {
			left = 1
		}
	}
	waits := map[string]bool{} // by kind
	for _, r := range l.outbox[id] {
		if r.is("kind", "mail") {
			continue // see mailsOf
		}
		l.Messages[message{id, r.text("kind")}]++
		switch {
		case r.is("state", "due"):
			l.Undelivered++
			waits[r.text("kind")] = waits[r.text("kind")] || r.num("since") == r.num("created_at") // else staff sent it again
		case waits[r.text("kind")]:
			l.find(unbalanced, "%s %s: the message %d was sent before an earlier one", t.text("kind"), id, r.num("id"))
		}
		if r.is("kind", "callback") {
			callbacks++
		} else {
			told = append(told, r.text("status"))
		}
	}
	url := func(column string) bool { return strings.HasPrefix(t.text(column), "http") }
	if url("callback") && callbacks != left || !url("callback") && callbacks > 0 {
		l.find(unbalanced, "%s %s has %d callbacks in the outbox, which should be %d", t.text("kind"), id, callbacks, left)
	}
	if !url("on_change") {
		if len(told) > 0 {
			l.find(unbalanced, "%s %s has changes in the outbox that nobody asked for", t.text("kind"), id)
		}
		return
	}
	at := string(anchor.Incomplete)
	for _, status := range told {
		switch {
		case len(steps) > 0 && status == steps[0]:
			at, steps = status, steps[1:]
		case status != at:
			l.find(unbalanced, "%s %s tells of %s, out of order", t.text("kind"), id, status)
		}
	}
	if len(steps) > 0 {
		l.find(lost, "%s %s does not tell of %v", t.text("kind"), id, steps)
	}
}
