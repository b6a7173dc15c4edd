package rail

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// Config is what an [Engine] needs.
type Config struct {
	Store *store.Store
	Terms []*anchor.Terms
	// Policies are for credits that no rule gives to anybody; the zero value leaves
	// them to people.
	Policies anchor.Policies
	// CheckPayer leaves a credit unmatched that somebody else than the customer
	// paid, as far as account or name tell.
	CheckPayer bool
	Rail       Rail
	Logger     *slog.Logger
	// Poll is how often the bank is looked at when nothing is heard; default a
	// second.
	Poll time.Duration
	// Retry is the first wait after a failure, doubled each time up to
	// maxRetry; default a second.
	Retry time.Duration
	// Valid is how long the bank may take an order that was sent, which it must
	// reach within [bankLimit], and with a clock that is not quite ours; default a
	// minute.
	Valid time.Duration
}

const (
	maxRetry = 5 * time.Minute
	// bankLimit bounds one exchange with the bank.
	bankLimit = 30 * time.Second
)

// Engine books what arrives at the bank and carries out the orders to it.
type Engine struct {
	Config

	terms map[anchor.Asset]*anchor.Terms
	// tried is how often a line could not be booked. Only who reads credits has it.
	tried map[string]int
}

// New makes an engine; Run starts it.
func New(c Config) *Engine {
	e := &Engine{Config: c, terms: map[anchor.Asset]*anchor.Terms{}, tried: map[string]int{}}
	if e.Poll == 0 {
		e.Poll = time.Second
	}
	if e.Retry == 0 {
		e.Retry = time.Second
	}
	if e.Valid == 0 {
		e.Valid = 2 * bankLimit
	}
	for _, t := range c.Terms {
		e.terms[t.Asset] = t
	}
	return e
}

// Run works until ctx ends, and returns nil when all it started has stopped.
// Faults are logged and tried again.
func (e *Engine) Run(ctx context.Context) error {
	ordered, stop := e.Store.Watch(store.TopicBankPayouts)
	defer stop()
	unmatched, stopUnmatched := e.Store.Watch(store.TopicUnmatched)
	defer stopUnmatched()
	credits, settled, due, restored := make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-ordered:
				nudge(due)
				nudge(restored)
			case <-e.Rail.Changed():
				nudge(credits)
				nudge(settled)
			}
		}
	})
	// A bank that is slow to pay must not keep money that arrived waiting, and
	// the other way round.
	wg.Go(func() { e.loop(ctx, "read the bank's credits", credits, e.readCredits) })
	wg.Go(func() { e.loop(ctx, "decide about unmatched credits", unmatched, e.decideDue) })
	wg.Go(func() { e.loop(ctx, "send orders to the bank", due, e.sendOrders) })
	wg.Go(func() { e.loop(ctx, "follow orders at the bank", settled, e.followOrders) })
	wg.Go(func() { e.loop(ctx, "find out what the bank did for restored books", restored, e.remember) })
	wg.Wait()
	return nil
}

func nudge(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// loop works now, whenever it is woken, and from time to time. woken tells work
// whether somebody said that there is news.
func (e *Engine) loop(ctx context.Context, what string, wake <-chan struct{}, work func(ctx context.Context, woken bool) error) {
	failures, woken := 0, true
	for {
		wait := e.Poll
		err := work(ctx, woken)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			wait = e.backoff(failures)
			e.Logger.ErrorContext(ctx, "cannot "+what, "error", err, "again_in", wait)
		default:
			failures = 0
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-wake:
			timer.Stop()
			woken = true
		case <-timer.C:
			woken = false
		}
	}
}

// backoff is the wait after so many failures in a row, 1 or more: with jitter,
// so that several engines do not come back at once.
func (e *Engine) backoff(failures int) time.Duration {
	wait := min(e.Retry<<min(failures-1, 20), maxRetry)
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // it spreads load and hides nothing
}
