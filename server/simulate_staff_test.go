package main

import (
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// clerkComes is how often staff look at what waits for a person.
const clerkComes = 3 * time.Hour

// clerk is the anchor's staff.
func (l *lifetime) clerk() {
	for l.sleep(clerkComes) == nil {
		l.clear()
	}
}

const clerkName = "staff:clerk"

// clear sends back all that nobody can use: money that is unmatched, and what is
// held because the bank has returned it or because it is too much.
func (l *lifetime) clear() {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.running == nil {
		return
	}
	books := l.running.app.books
	payments, err := books.Payments(l.ctx, true, "", 1000)
	l.cleared("list unmatched payments", err)
	for _, p := range payments {
		l.cleared("refund payment "+p.ID, books.Update(l.ctx, clerkName, func(tx *store.Tx) error {
			p, err := tx.Payment(p.ID)
			if err != nil {
				return err
			}
			return tx.RefundPayment(p, 0, clerkName, time.Now())
		}))
	}
	lines, err := books.BankLines(l.ctx, 1000)
	l.cleared("list the statement", err)
	for _, line := range lines {
		if line.State != anchor.Unmatched {
			continue
		}
		l.cleared("refund line "+line.ID, books.Update(l.ctx, clerkName, func(tx *store.Tx) error {
			line, err := tx.BankLine(line.ID)
			if err != nil {
				return err
			}
			return tx.RefundLine(line, 0, clerkName, time.Now())
		}))
	}
	held, err := books.Search(l.ctx, store.Search{Statuses: []anchor.Status{anchor.OnHold, anchor.TooLarge, anchor.TooSmall}, Limit: 1000})
	l.cleared("list what is held", err)
	for _, t := range held {
		if t.Refundable() == 0 {
			continue // it is on its way back
		}
		l.cleared("refund transaction "+t.ID, books.Update(l.ctx, clerkName, func(tx *store.Tx) error {
			t, err := tx.Transaction(t.ID)
			if err != nil {
				return err
			}
			return tx.Refund(t, l.cfg.terms[0], t.Refundable(), 0, clerkName, time.Now())
		}))
	}
}

// cleared notes how it went.
func (l *lifetime) cleared(what string, err error) {
	if err != nil {
		l.find("staff cannot %s: %v", what, err)
	} else {
		l.note("staff: %s", what)
	}
}
