package graph

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vikstrous/dataloadgen"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

// maxPage is how many rows a list answers at the most.
const maxPage = 100

func page(first int, after *string) (limit int, before string, err error) {
	if first < 1 || first > maxPage {
		return 0, "", &anchor.Error{Kind: anchor.Invalid, Field: "first", Message: "first must be between 1 and 100"}
	}
	if after != nil {
		before = *after
	}
	return first, before, nil
}

// Transactions lists transactions, newest first.
func (q query) Transactions(ctx context.Context, f *TransactionFilter, first int, after *string) (*TransactionPage, error) {
	limit, before, err := page(first, after)
	if err != nil {
		return nil, err
	}
	s := store.Search{Before: before, Limit: limit + 1} // one more tells whether there are more
	if f != nil {
		s.Statuses = f.Status
		if f.Kind != nil {
			s.Kind = *f.Kind
		}
		if f.Search != nil {
			s.Text = sought(*f.Search)
		}
	}
	all, err := q.Store.Search(ctx, s)
	if err != nil {
		return nil, err
	}
	p := &TransactionPage{Nodes: all}
	if len(all) > limit {
		p.Nodes = all[:limit]
		p.EndCursor = new(all[limit-1].ID)
	}
	return p, nil
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
func (q query) Payouts(ctx context.Context, state *anchor.PayoutState, first int, after *string) ([]*anchor.Payout, error) {
	limit, before, err := page(first, after)
	switch {
	case err != nil:
		return nil, err
	case state == nil:
		return q.Store.Payouts(ctx, before, limit)
	}
	return q.Store.PayoutsIn(ctx, *state, before, limit)
}

// BankPayouts lists orders to the bank.
func (q query) BankPayouts(ctx context.Context, state *anchor.BankPayoutState, first int, after *string) ([]*anchor.BankPayout, error) {
	limit, before, err := page(first, after)
	if err != nil {
		return nil, err
	}
	var in anchor.BankPayoutState
	if state != nil {
		in = *state
	}
	return q.Store.BankPayouts(ctx, in, before, limit)
}

// Payments lists payments that arrived on the ledger.
func (q query) Payments(ctx context.Context, unmatched *bool, first int, after *string) ([]*anchor.Payment, error) {
	limit, before, err := page(first, after)
	if err != nil {
		return nil, err
	}
	return q.Store.Payments(ctx, unmatched != nil && *unmatched, before, limit)
}

// BankLines lists credits of the bank's statement.
func (q query) BankLines(ctx context.Context, unmatched *bool, first int, after *string) ([]*anchor.BankLine, error) {
	limit, before, err := page(first, after)
	if err != nil {
		return nil, err
	}
	return q.Store.BankLines(ctx, unmatched != nil && *unmatched, before, limit)
}

// Outgoing lists operations that the books did not know.
func (q query) Outgoing(ctx context.Context, unexplained *bool, first int, after *string) ([]*anchor.Outgoing, error) {
	limit, before, err := page(first, after)
	if err != nil {
		return nil, err
	}
	return q.Store.Outgoing(ctx, unexplained != nil && *unexplained, before, limit)
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
func (q query) Audit(ctx context.Context, transaction, subject *string, first int, after *string) ([]*store.AuditEntry, error) {
	limit, before, err := page(first, after)
	if err != nil {
		return nil, err
	}
	return q.Store.Audit(ctx, store.Trail{Transaction: textOf(transaction), Subject: textOf(subject), Before: before, Limit: limit})
}

// textOf is an argument's text, "" if there is none.
func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// What only staff see of a transaction.

func (staffView) Owner(_ context.Context, v *StaffView) (string, error) {
	return v.of.Owner.Subject(), nil
}

func (staffView) ClientDomain(_ context.Context, v *StaffView) (*string, error) {
	return filled(v.of.Owner.Client), nil
}

func (staffView) CustomerID(_ context.Context, v *StaffView) (*string, error) {
	return filled(v.of.CustomerID), nil
}

func (staffView) Actions(_ context.Context, v *StaffView) ([]Action, error) {
	return actionsOf(v.of), nil
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

func (r staffView) Journal(ctx context.Context, v *StaffView) ([]*store.JournalEntry, error) {
	all, err := r.Store.Journal(ctx, v.of.ID)
	return pointers(all), err
}

func (r staffView) Audit(ctx context.Context, v *StaffView) ([]*store.AuditEntry, error) {
	all, err := r.Store.Audit(ctx, store.Trail{Transaction: v.of.ID})
	slices.Reverse(all)
	return all, err
}

// loaders gather what the rows of a list ask for one by one into one query a
// list. They live as long as one answer, so that a stream never shows old rows.
type loaders struct {
	payouts  *dataloadgen.Loader[cause, []*anchor.Payout]
	orders   *dataloadgen.Loader[cause, []*anchor.BankPayout]
	payments *dataloadgen.Loader[string, []*anchor.Payment]  // by transaction
	lines    *dataloadgen.Loader[string, []*anchor.BankLine] // by transaction
	hashes   *dataloadgen.Loader[string, string]             // by envelope
}

// cause is what money leaves for.
type cause struct {
	kind anchor.Cause
	id   string
}

type loadersKey struct{}

// gather is how long a loader waits for more.
const gather = time.Millisecond

func (s *server) withLoaders(ctx context.Context) context.Context {
	return context.WithValue(ctx, loadersKey{}, &loaders{
		payouts:  each(ofCauses(s.Store.PayoutsOfEach)),
		orders:   each(ofCauses(s.Store.BankPayoutsOfEach)),
		payments: each(s.Store.PaymentsOfEach),
		lines:    each(s.Store.BankLinesOfEach),
		hashes:   each(s.Store.HashesOf),
	})
}

// ofCauses asks for each kind of cause at once.
func ofCauses[T any](fetch func(context.Context, anchor.Cause, []string) (map[string]T, error)) func(context.Context, []cause) (map[cause]T, error) {
	return func(ctx context.Context, all []cause) (map[cause]T, error) {
		ids := map[anchor.Cause][]string{}
		for _, c := range all {
			ids[c.kind] = append(ids[c.kind], c.id)
		}
		found := map[cause]T{}
		for kind, of := range ids {
			some, err := fetch(ctx, kind, of)
			if err != nil {
				return nil, err
			}
			for id, v := range some {
				found[cause{kind, id}] = v
			}
		}
		return found, nil
	}
}

// each is a loader for which a missing key is the zero value.
func each[K comparable, T any](fetch func(ctx context.Context, keys []K) (map[K]T, error)) *dataloadgen.Loader[K, T] {
	return dataloadgen.NewLoader(func(ctx context.Context, keys []K) ([]T, []error) {
		found, err := fetch(ctx, keys)
		if err != nil {
			return nil, []error{err}
		}
		values := make([]T, len(keys))
		for i, k := range keys {
			values[i] = found[k]
		}
		return values, nil
	}, dataloadgen.WithWait(gather))
}

func loadersOf(ctx context.Context) *loaders {
	return ctx.Value(loadersKey{}).(*loaders) //nolint:errcheck // AroundResponses puts them there before any resolver runs
}
