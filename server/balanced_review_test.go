package main

import (
	"fmt"
	"slices"
	"strings"

	"windlass/server/anchor"
)

// ownerOf is whose a transaction or customer is.
func ownerOf(r row) string {
	return r.text("owner_account") + " " + r.text("owner_memo") + " " + r.text("owner_muxed")
}

// readCustomers reads what persons have said of whom, and which documents there are.
func (l *look) readCustomers(read func(string) []row) {
	l.customers, l.verdicts, l.documents, l.correcting = map[string]row{}, map[string][]row{}, map[string]bool{}, map[string]bool{}
	for _, c := range read(`SELECT * FROM customers`) {
		l.customers[ownerOf(c)] = c
	}
	for _, f := range read(`SELECT customer_id, field FROM files`) {
		l.documents[f.text("customer_id")+" "+f.text("field")] = true
	}
	for _, v := range read(`SELECT * FROM audit WHERE event IN ('acceptCustomer', 'askCorrection', 'rejectCustomer') ORDER BY id`) {
		who := ownerOf(l.tx[v.text("transaction_id")])
		l.verdicts[who] = append(l.verdicts[who], v)
		l.Reviewed[v.text("event")]++
	}
	for _, t := range l.txs {
		if t.is("status", string(anchor.PendingUser)) {
			l.correcting[ownerOf(t)] = true
		}
	}
}

// reviewOf holds a transaction against what a person has said of its customer: one
// that waits for that is looked at, and nothing is paid out for whoever was not
// accepted for as much when it was decided.
func (l *look) reviewOf(t row) {
	kind, id, customer := t.text("kind"), t.text("id"), l.customers[ownerOf(t)]
	if t.is("status", string(anchor.PendingAnchor)) && t.num("funded_at") == 0 &&
		!customer.is("review", string(anchor.ReviewPending)) && !(customer.is("review", string(anchor.ReviewCorrection)) && l.correcting[ownerOf(t)]) {
		l.find(lost, "%s %s waits for a review, and that of its customer is %q", kind, id, customer.text("review"))
	}
	if !slices.ContainsFunc(l.paidFor[id], func(p row) bool { return p.is("purpose", string(anchor.ForPayout)) && !p.stops() }) {
		return
	}
	if t.num("reviewed") == 0 {
		l.find(doubled, "%s %s is paid out, and its customer was not accepted", kind, id)
	}
	person, documents := asks(l.Config, t)
	if !l.accepted(t, person) {
		l.find(doubled, "%s %s of %s is paid out without a person's yes to its customer", kind, id, anchor.Amount(t.num("amount_in")))
	}
	for _, name := range documents {
		if customer.text("review") != "" && !l.documents[t.text("customer_id")+" "+name] && !l.released(t) {
			l.find(unbalanced, "%s %s of %s is paid out, and its customer has shown no %s", kind, id, anchor.Amount(t.num("amount_in")), name)
		}
	}
}

// asks is what the configuration's own words ask of an amount: whether a person
// looks at the customer, and which documents they show.
func asks(c *Config, t row) (person bool, documents []string) {
	i := slices.IndexFunc(c.terms, func(o *anchor.Terms) bool { return o.Asset.String() == t.text("asset") })
	if i < 0 {
		return false, nil
	}
	side := c.Assets[i].Deposit
	if t.is("kind", string(anchor.Withdrawal)) {
		side = c.Assets[i].Withdraw
	}
	person = side.Review != string(anchor.ByNobody)
	fields := slices.Clone(side.Fields)
	for _, level := range side.Levels {
		if from, err := anchor.ParseAmount(level.From); err == nil && int64(from) <= t.num("amount_in") {
			person = person || level.Review != string(anchor.ByNobody)
			fields = append(fields, level.Fields...)
		}
	}
	return person, slices.DeleteFunc(fields, func(name string) bool { return !strings.HasPrefix(name, "photo_") })
}

// accepted reports whether the last that a person said of the customer, before the
// money came, is what it must be: yes, where one looks at such an amount, or at least
// no doubt. Whatever came otherwise a person has let go.
func (l *look) accepted(t row, person bool) bool {
	came := slices.IndexFunc(l.trail[t.text("id")], func(step row) bool {
		return step.is("event", string(anchor.FundsReceived), string(anchor.Revived), string(anchor.HeldForReview))
	})
	good := !person
	for _, v := range l.verdicts[ownerOf(t)] {
		if came >= 0 && v.num("id") < l.trail[t.text("id")][came].num("id") {
			good = v.is("event", "acceptCustomer")
		}
	}
	return good || l.released(t)
}

// released reports whether a person has let a transaction go that was held.
func (l *look) released(t row) bool {
	return slices.ContainsFunc(l.trail[t.text("id")], func(step row) bool {
		return step.is("event", string(anchor.ReleasedHold)) && strings.HasPrefix(step.text("actor"), "staff:")
	})
}

// mailsOf checks that each e-mail tells of a step that customers are written about,
// and none of one that another tells of. There may be none: those that are true no
// more when their time comes are deleted.
func (l *look) mailsOf(t row) {
	told := map[string]bool{}
	for _, r := range l.outbox[t.text("id")] {
		if !r.is("kind", "mail") {
			continue
		}
		if r.is("state", "delivered") {
			l.Mails = append(l.Mails, fmt.Sprintf("%s.%d.%d", t.text("id"), r.num("id"), r.num("created_at")))
		}
		of := fmt.Sprintf("%s at %d", r.text("status"), r.num("created_at"))
		if told[of] {
			l.find(doubled, "%s %s has two e-mails about %s", t.text("kind"), t.text("id"), of)
		}
		told[of] = true
		tells := slices.ContainsFunc(l.trail[t.text("id")], func(s row) bool {
			step := anchor.Step{Event: anchor.Event(s.text("event")), From: anchor.Status(s.text("from_status")), To: anchor.Status(s.text("to_status"))}
			_, is := anchor.NoticeAfter(anchor.Kind(t.text("kind")), step)
			return is && s.is("to_status", r.text("status")) && s.num("at") == r.num("created_at")
		})
		if !tells {
			l.find(unbalanced, "%s %s has an e-mail about %s, which is no step to tell of", t.text("kind"), t.text("id"), of)
		}
	}
}
