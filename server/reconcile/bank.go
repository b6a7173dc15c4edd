package reconcile

import (
	"context"
	"fmt"

	"windlass/server/anchor"
	"windlass/server/rail"
)

// compareBank compares the account at the bank.
func (r *run) compareBank(ctx context.Context) error {
	account, err := r.Rail.Account(ctx, r.books.since)
	if err != nil {
		return fmt.Errorf("the bank cannot be asked: %w", err)
	}
	unread, err := r.unreadCredits(ctx)
	if err != nil {
		return fmt.Errorf("the bank cannot be asked: %w", err)
	}
	for _, asset := range r.Currencies {
		r.line(spot{Bank, asset})
	}
	for asset, amount := range r.sum(anchor.Bank, anchor.InFlight) {
		if !asset.OnLedger() {
			r.line(spot{Bank, asset}).Journal = amount
		}
	}
	for asset, amount := range account.Balances {
		r.line(spot{Bank, asset}).Actual = amount
	}
	carried := map[string]bool{} // open orders that a line explains
	for _, l := range account.Lines {
		i := Item{Place: Bank, Asset: l.Asset, Amount: l.Amount, Reference: l.ID, At: l.At, NotBooked: true}
		if e := r.books.entries[spot{Bank, l.Asset}][l.ID]; e != nil {
			r.add(&i.Amount, -e.amount)
		}
		order := r.books.orders[l.Order]
		switch {
		case unread[l.ID]:
			i.Why = CreditNotRead
		case r.books.refused[l.ID]:
			i.Why, i.NotBooked = LineRefused, false
		case order != nil && (carried[l.Order] || l.Asset != order.Asset || l.Amount != -order.Amount):
			i.Why, i.NotBooked, i.Transactions = OrderDiffers, false, behind(order)
		case order != nil && order.State != anchor.BankInDoubt:
			carried[l.Order] = true
			i.Why, i.Transactions = OrderNotBooked, behind(order)
		case order != nil: // a person must book it: it will not pass by itself
			carried[l.Order] = true
			i.Why, i.NotBooked, i.Transactions = OrderInDoubt, false, behind(order)
		default:
			continue // booked; or else the sums do not agree, and the lines are put side by side
		}
		r.list(i)
	}
	if r.whole {
		r.nameBank(account.Lines)
	}
	return nil
}

// unreadCredits are the ids of the credits behind the books' cursor.
func (r *run) unreadCredits(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	for after := r.books.bank.Value; ; {
		s, err := r.Rail.Credits(ctx, after)
		if err != nil {
			return nil, err
		}
		for _, c := range s.Credits {
			ids[c.ID] = true
		}
		if len(s.Credits) == 0 || s.Cursor == after {
			return ids, nil
		}
		after = s.Cursor
	}
}

// nameBank puts the bank's lines and the journal's side by side.
func (r *run) nameBank(lines []rail.Line) {
	actual := facts{}
	for _, l := range lines {
		r.fact(actual, spot{Bank, l.Asset}, l.ID, l.Amount, l.At, l.ID)
	}
	for s := range r.spots(Bank, actual) {
		r.sideBySide(s, actual[s], r.books.entries[s], nil)
	}
}

// behind is the transaction that an order is for, if it is for one.
func behind(p *anchor.BankPayout) []string {
	if p.CauseKind != anchor.CauseTransaction {
		return nil
	}
	return []string{p.CauseID}
}
