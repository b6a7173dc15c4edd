package graph

import (
	"context"
	"regexp"
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
func (q query) Payouts(ctx context.Context, first int, after *string) ([]*anchor.Payout, error) {
	limit, before, err := page(first, after)
	if err != nil {
		return nil, err
	}
	return q.Store.Payouts(ctx, before, limit)
}

// Payments lists payments that arrived on the ledger.
func (q query) Payments(ctx context.Context, unmatched *bool, first int, after *string) ([]*anchor.Payment, error) {
	limit, before, err := page(first, after)
	if err != nil {
		return nil, err
	}
	return q.Store.Payments(ctx, unmatched != nil && *unmatched, before, limit)
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

func (staffView) Payouts(ctx context.Context, v *StaffView) ([]*anchor.Payout, error) {
	return loadersOf(ctx).payouts.Load(ctx, v.of.ID)
}

func (staffView) Payments(ctx context.Context, v *StaffView) ([]*anchor.Payment, error) {
	return loadersOf(ctx).payments.Load(ctx, v.of.ID)
}

func (r staffView) Journal(ctx context.Context, v *StaffView) ([]*store.JournalEntry, error) {
	all, err := r.Store.Journal(ctx, v.of.ID)
	return pointers(all), err
}

// loaders gather what the rows of a list ask for one by one into one query a
// list. They live as long as one answer, so that a stream never shows old rows.
type loaders struct {
	payouts  *dataloadgen.Loader[string, []*anchor.Payout]  // by transaction
	payments *dataloadgen.Loader[string, []*anchor.Payment] // by transaction
	hashes   *dataloadgen.Loader[string, string]            // by envelope
}

type loadersKey struct{}

// gather is how long a loader waits for more.
const gather = time.Millisecond

func (s *server) withLoaders(ctx context.Context) context.Context {
	return context.WithValue(ctx, loadersKey{}, &loaders{
		payouts:  each(s.Store.PayoutsOfEach),
		payments: each(s.Store.PaymentsOfEach),
		hashes:   each(s.Store.HashesOf),
	})
}

// each is a loader for which a missing key is the zero value.
func each[T any](fetch func(ctx context.Context, keys []string) (map[string]T, error)) *dataloadgen.Loader[string, T] {
	return dataloadgen.NewLoader(func(ctx context.Context, keys []string) ([]T, []error) {
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

// Payouts.

func (payout) Destination(_ context.Context, p *anchor.Payout) (string, error) {
	return string(p.Destination), nil
}

func (payout) State(_ context.Context, p *anchor.Payout) (string, error) { return string(p.State), nil }

func (payout) Reason(_ context.Context, p *anchor.Payout) (*string, error) {
	return filled(p.Reason), nil
}

func (payout) Hash(ctx context.Context, p *anchor.Payout) (*string, error) {
	if p.Envelope == "" {
		return nil, nil
	}
	hash, err := loadersOf(ctx).hashes.Load(ctx, p.Envelope)
	return filled(hash), err
}

func (payout) Transaction(_ context.Context, p *anchor.Payout) (*string, error) {
	if p.CauseKind != "transaction" {
		return nil, nil
	}
	return filled(p.CauseID), nil
}

// Payments.

func (payment) From(_ context.Context, p *anchor.Payment) (string, error) {
	return string(p.From), nil
}

func (payment) Memo(_ context.Context, p *anchor.Payment) (*string, error) {
	return filled(p.Memo.Value), nil
}

func (payment) State(_ context.Context, p *anchor.Payment) (string, error) {
	return string(p.State), nil
}

func (payment) Reason(_ context.Context, p *anchor.Payment) (*string, error) {
	return filled(p.Reason), nil
}

func (payment) Transaction(_ context.Context, p *anchor.Payment) (*string, error) {
	return filled(p.Transaction), nil
}

// The journal.

func (journalEntry) Reference(_ context.Context, e *store.JournalEntry) (*string, error) {
	return filled(e.Entry.Reference), nil
}

func (posting) Account(_ context.Context, p *anchor.Posting) (string, error) {
	return string(p.Account), nil
}
