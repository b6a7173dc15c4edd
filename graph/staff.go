package graph

import (
	"context"
	"regexp"
	"strings"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

// maxPage is how many rows a list answers at the most.
const maxPage = 100

func page(first int, after *string, oldestFirst bool) (store.Page, error) {
	if first < 1 || first > maxPage {
		return store.Page{}, &anchor.Error{Kind: anchor.Invalid, Code: "first_malformed", Field: "first", Message: "first must be between 1 and 100"}
	}
	return store.Page{Oldest: oldestFirst, After: orNone(after), Limit: first}, nil
}

// paged is what a list answers.
func paged[T any](all []T, end string, err error) (Page[T], error) {
	return Page[T]{all, filled(end)}, err
}

// Transactions lists transactions.
func (q query) Transactions(ctx context.Context, f *TransactionFilter, first int, after *string, oldestFirst bool) (*TransactionPage, error) {
	part, err := page(first, after, oldestFirst)
	if err != nil {
		return nil, err
	}
	s := store.Search{Page: part}
	if f != nil {
		s.Statuses = f.Status
		if f.Kind != nil {
			s.Kind = *f.Kind
		}
		s.ToReview = orNone(f.ToReview)
		if f.Search != nil {
			s.Text = sought(*f.Search)
		}
	}
	all, err := paged(q.Store.Search(ctx, s))
	loadersOf(ctx).aboutTransactions(all.Nodes)
	return &TransactionPage{all}, err
}

var hexadecimal = regexp.MustCompile(`^[0-9a-fA-F-]+$`)

// sought is what somebody typed, as the books write it.
func sought(text string) string {
	text = strings.TrimSpace(text)
	if ref := rail.Normalise(text); ref != "" && len(text) <= 20 {
		return ref
	}
	if hexadecimal.MatchString(text) {
		return strings.ToLower(text)
	}
	return text
}

// Payouts lists payments that leave on the ledger.
func (q query) Payouts(ctx context.Context, state *anchor.PayoutState, first int, after *string, oldestFirst bool) (*PayoutPage, error) {
	part, err := page(first, after, oldestFirst)
	if err != nil {
		return nil, err
	}
	all, err := paged(q.Store.Payouts(ctx, orNone(state), part))
	loadersOf(ctx).aboutPayouts(all.Nodes)
	return &PayoutPage{all}, err
}

// BankPayouts lists orders to the bank.
func (q query) BankPayouts(ctx context.Context, state *anchor.BankPayoutState, undecided *bool, first int, after *string, oldestFirst bool) (*BankPayoutPage, error) {
	part, err := page(first, after, oldestFirst)
	if err != nil {
		return nil, err
	}
	all, err := paged(q.Store.BankPayouts(ctx, orNone(state), orNone(undecided), part))
	loadersOf(ctx).aboutOrders(all.Nodes)
	return &BankPayoutPage{all}, err
}

// Payments lists payments that arrived on the ledger.
func (q query) Payments(ctx context.Context, unmatched *bool, first int, after *string, oldestFirst bool) (*PaymentPage, error) {
	part, err := page(first, after, oldestFirst)
	if err != nil {
		return nil, err
	}
	all, err := paged(q.Store.Payments(ctx, orNone(unmatched), part))
	loadersOf(ctx).aboutPayments(all.Nodes)
	return &PaymentPage{all}, err
}

// BankLines lists credits of the bank's statement.
func (q query) BankLines(ctx context.Context, unmatched *bool, first int, after *string, oldestFirst bool) (*BankLinePage, error) {
	part, err := page(first, after, oldestFirst)
	if err != nil {
		return nil, err
	}
	all, err := paged(q.Store.BankLines(ctx, orNone(unmatched), part))
	loadersOf(ctx).aboutLines(all.Nodes)
	return &BankLinePage{all}, err
}

// Outgoing lists operations that the books did not know.
func (q query) Outgoing(ctx context.Context, unexplained *bool, first int, after *string, oldestFirst bool) (*OutgoingPage, error) {
	part, err := page(first, after, oldestFirst)
	if err != nil {
		return nil, err
	}
	all, err := paged(q.Store.Outgoing(ctx, orNone(unexplained), part))
	return &OutgoingPage{all}, err
}

// Pauses lists the pauses.
func (q query) Pauses(ctx context.Context) ([]*anchor.Pause, error) {
	all, err := q.Store.Pauses(ctx)
	return pointers(all), err
}

// Balances sums the journal.
func (q query) Balances(ctx context.Context) ([]*store.Balance, error) {
	all, err := q.Store.Balances(ctx)
	return pointers(all), err
}

// Audit lists the audit trail.
func (q query) Audit(ctx context.Context, transaction, subject *string, first int, after *string, oldestFirst bool) (*AuditPage, error) {
	part, err := page(first, after, oldestFirst)
	if err != nil {
		return nil, err
	}
	all, err := paged(q.Store.Audit(ctx, store.Trail{Transaction: orNone(transaction), Subject: orNone(subject), Page: part}))
	return &AuditPage{all}, err
}

// orNone is an argument, its zero value if there is none.
func orNone[T any](v *T) (none T) {
	if v == nil {
		return none
	}
	return *v
}

// What only staff see of a transaction.

func (staffView) Owner(_ context.Context, v *StaffView) (string, error) {
	return v.of.Owner.Subject(), nil
}

func (staffView) ClientDomain(_ context.Context, v *StaffView) (*string, error) {
	return filled(v.of.Owner.Client), nil
}

// AnswersVersion is that of the answers which the same query shows.
func (r staffView) AnswersVersion(ctx context.Context, v *StaffView) (*string, error) {
	c, err := r.customer(ctx, v.of)
	if err != nil || c == nil || c.Review == anchor.ReviewNone {
		return nil, err
	}
	return new(c.Version()), nil
}

func (staffView) CustomerID(_ context.Context, v *StaffView) (*string, error) {
	return filled(v.of.CustomerID), nil
}

func (r staffView) Actions(ctx context.Context, v *StaffView) ([]Action, error) {
	c, err := r.customer(ctx, v.of)
	return actionsOf(v.of, c), err
}

func (staffView) AmountRefunded(_ context.Context, v *StaffView) (anchor.Amount, error) {
	return v.of.AmountRefunded, nil
}

func (staffView) RefundFee(_ context.Context, v *StaffView) (anchor.Amount, error) {
	return v.of.RefundFee, nil
}

func (staffView) Refundable(_ context.Context, v *StaffView) (anchor.Amount, error) {
	return v.of.Refundable(), nil
}

func (staffView) Refunds(_ context.Context, v *StaffView) ([]*anchor.Refund, error) {
	return pointers(v.of.Refunds), nil
}

func (staffView) Payouts(ctx context.Context, v *StaffView) ([]*anchor.Payout, error) {
	return loadersOf(ctx).payouts.Load(ctx, cause{anchor.CauseTransaction, v.of.ID})
}

func (staffView) BankPayouts(ctx context.Context, v *StaffView) ([]*anchor.BankPayout, error) {
	return loadersOf(ctx).orders.Load(ctx, cause{anchor.CauseTransaction, v.of.ID})
}

func (staffView) Payments(ctx context.Context, v *StaffView) ([]*anchor.Payment, error) {
	return loadersOf(ctx).payments.Load(ctx, v.of.ID)
}

func (staffView) BankLines(ctx context.Context, v *StaffView) ([]*anchor.BankLine, error) {
	return loadersOf(ctx).lines.Load(ctx, v.of.ID)
}

func (staffView) Journal(ctx context.Context, v *StaffView) ([]*store.JournalEntry, error) {
	all, err := loadersOf(ctx).journal.Load(ctx, v.of.ID)
	return pointers(all), err
}

func (staffView) Audit(ctx context.Context, v *StaffView) ([]*store.AuditEntry, error) {
	return loadersOf(ctx).audit.Load(ctx, v.of.ID)
}
