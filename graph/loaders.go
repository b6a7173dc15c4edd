package graph

import (
	"context"
	"slices"
	"sync"

	"windlass/server/anchor"
	"windlass/server/store"
)

// loaders answer what the rows of a list ask for one by one. Whoever lists rows
// says ahead what may be asked about each: the first row that asks then gets it
// for all of them, by one statement. They live as long as one answer, so that a
// stream never shows old rows.
type loaders struct {
	payouts loader[cause, []*anchor.Payout]
	orders  loader[cause, []*anchor.BankPayout]
	hashes  loader[string, string] // by envelope

	// By transaction.
	payments loader[string, []*anchor.Payment]
	lines    loader[string, []*anchor.BankLine]
	details  loader[string, store.Details]
	steps    loader[string, []store.TimelineEntry]
	journal  loader[string, []store.JournalEntry]
	audit    loader[string, []*store.AuditEntry]
	messages loader[string, []*store.Message]

	deliveries loader[int64, []*store.Delivery] // by message

	customers  loader[anchor.Identity, *anchor.Customer]
	files      loader[string, []*anchor.File] // by customer
	agreements loader[money, []store.Agreement]
}

// cause is what money leaves for.
type cause struct {
	kind anchor.Cause
	id   string
}

type loadersKey struct{}

func (s *server) withLoaders(ctx context.Context) context.Context {
	return context.WithValue(ctx, loadersKey{}, &loadersBox{s.newLoaders()})
}

// loadersBox holds the loaders of an answer; a mutation has them renewed.
type loadersBox struct{ *loaders }

func loadersOf(ctx context.Context) *loaders {
	return ctx.Value(loadersKey{}).(*loadersBox).loaders //nolint:errcheck // AroundResponses puts them there before any resolver runs
}

// afresh lets what follows in this answer see what a mutation has just changed.
// Mutations run one after the other.
func (s *server) afresh(ctx context.Context) {
	ctx.Value(loadersKey{}).(*loadersBox).loaders = s.newLoaders() //nolint:errcheck // as above
}

func (s *server) newLoaders() *loaders {
	l := &loaders{}
	l.payouts.fetch = ofCauses(s.Store.PayoutsOfEach, l.aboutPayouts)
	l.orders.fetch = ofCauses(s.Store.BankPayoutsOfEach, nil)
	l.hashes.fetch = s.Store.HashesOf
	l.payments.fetch = and(s.Store.PaymentsOfEach, l.aboutPayments)
	l.lines.fetch = and(s.Store.BankLinesOfEach, l.aboutLines)
	l.details.fetch = s.Store.DetailsOfEach
	l.steps.fetch = s.Store.TimelineOfEach
	l.journal.fetch = s.Store.JournalOfEach
	l.audit.fetch = s.Store.AuditOfEach
	l.messages.fetch = and(s.Store.MessagesOfEach, l.aboutMessages)
	l.deliveries.fetch = s.Store.DeliveriesOfEach
	l.customers.fetch = func(ctx context.Context, owners []anchor.Identity) (map[anchor.Identity]*anchor.Customer, error) {
		found, err := s.Store.CustomersOfEach(ctx, owners)
		for _, c := range found {
			l.files.expect(c.ID)
		}
		return found, err
	}
	l.files.fetch = s.Store.FilesOfEach
	l.agreements.fetch = s.agreementsOfEach
	return l
}

// What may be asked about the rows of a list.

func (l *loaders) aboutTransactions(all []*anchor.Transaction) {
	for _, t := range all {
		l.payouts.expect(cause{anchor.CauseTransaction, t.ID})
		l.orders.expect(cause{anchor.CauseTransaction, t.ID})
		l.payments.expect(t.ID)
		l.lines.expect(t.ID)
		l.details.expect(t.ID)
		l.steps.expect(t.ID)
		l.journal.expect(t.ID)
		l.audit.expect(t.ID)
		l.messages.expect(t.ID)
		l.customers.expect(t.Owner)
	}
}

func (l *loaders) aboutPayouts(all []*anchor.Payout) {
	for _, p := range all {
		if p.Envelope != "" {
			l.hashes.expect(p.Envelope)
		}
	}
}

func (l *loaders) aboutOrders(all []*anchor.BankPayout) {
	for _, p := range all {
		l.orders.expect(cause{p.CauseKind, p.CauseID})
	}
}

func (l *loaders) aboutPayments(all []*anchor.Payment) {
	for _, p := range all {
		l.payouts.expect(cause{anchor.CausePayment, p.ID})
	}
}

func (l *loaders) aboutLines(all []*anchor.BankLine) {
	for _, line := range all {
		l.orders.expect(cause{anchor.CauseLine, line.ID})
	}
}

func (l *loaders) aboutMessages(all []*store.Message) {
	for _, m := range all {
		l.deliveries.expect(m.ID)
	}
}

// loader reads values by their keys; one that is not there is the zero value.
type loader[K comparable, T any] struct {
	fetch func(ctx context.Context, keys []K) (map[K]T, error)

	mu       sync.Mutex // held while something is read, for those who want the same
	known    map[K]T
	expected []K
}

// expect says which keys may be asked for.
func (l *loader[K, T]) expect(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected = append(l.expected, key)
}

// fetchedAtOnce bounds one statement's parameters.
const fetchedAtOnce = maxPage

// Load is the value of a key.
func (l *loader[K, T]) Load(ctx context.Context, key K) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.known[key]; ok {
		return v, nil
	}
	if l.known == nil {
		l.known = map[K]T{}
	}
	var keys []K
	asked := map[K]bool{}
	for _, k := range append(l.expected, key) {
		if _, ok := l.known[k]; !ok && !asked[k] {
			keys, asked[k] = append(keys, k), true
		}
	}
	for some := range slices.Chunk(keys, fetchedAtOnce) {
		found, err := l.fetch(ctx, some)
		if err != nil {
			var none T
			return none, err
		}
		for _, k := range some {
			l.known[k] = found[k]
		}
	}
	l.expected = nil
	return l.known[key], nil
}

// and tells about the rows that were read.
func and[K comparable, T any](fetch func(context.Context, []K) (map[K][]T, error), about func([]T)) func(context.Context, []K) (map[K][]T, error) {
	return func(ctx context.Context, keys []K) (map[K][]T, error) {
		found, err := fetch(ctx, keys)
		for _, rows := range found {
			about(rows)
		}
		return found, err
	}
}

// ofCauses asks for each kind of cause at once.
func ofCauses[T any](fetch func(context.Context, anchor.Cause, []string) (map[string]T, error), about func(T)) func(context.Context, []cause) (map[cause]T, error) {
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
				if about != nil {
					about(v)
				}
			}
		}
		return found, nil
	}
}
