package incoming

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// Config says which accounts are ours.
type Config struct {
	// Accounts are followed, G…: those that receive withdrawals, and every other
	// whose balance the journal keeps (such as the fee account).
	Accounts []string
	// Own are further accounts of ours that are not followed: channels, a
	// treasury. Their payments are never a customer's. Issuers are ours by Terms.
	Own   []string
	Terms []*anchor.Terms
	// Policies say what becomes of money that cannot be matched.
	Policies anchor.Policies

	// CheckEvery is how often the head of the ledger is looked at besides the
	// stream; 15 s by default. ReadUntil moves with it.
	CheckEvery time.Duration
	// ExpireEvery is how often overdue transactions are looked for; 10 s by default.
	ExpireEvery time.Duration
	// DecideEvery is how often it is looked whether a policy has to decide about
	// unmatched money, though nobody said so; 15 s by default.
	DecideEvery time.Duration
	// Margin is how far past a deadline the ledger must have been read until a
	// withdrawal expires; 1 min by default.
	Margin time.Duration
	// Statement is the name of the cursor that says how far the bank's statement
	// was read; deposits do not expire before it passed their deadline.
	Statement string
	// RetryAfter is the first wait after a fault; 1 s by default. It doubles up
	// to half a minute.
	RetryAfter time.Duration
}

// Incoming follows the ledger. Use New and Run.
type Incoming struct {
	Config
	store  *store.Store
	logger *slog.Logger
	hosts  []*horizon.Client // one for each Horizon: each is checked by itself

	mu     sync.Mutex
	status map[string]Status
}

// Status is how one account's stream is doing.
type Status struct {
	Account string
	// Horizon is the one that is being read, "" if none is.
	Horizon string
	// Cursor is how far the books have read.
	Cursor anchor.Cursor
	// Alarm is set while the stream must not go on by itself: another network, or
	// payments that may have been missed.
	Alarm string
	// Fault is the last fault since it last worked, "" if it works.
	Fault string
	// UpdatedAt is when the above was last true.
	UpdatedAt time.Time
}

// New prepares to follow the configured accounts.
func New(c Config, s *store.Store, h *horizon.Client, logger *slog.Logger) *Incoming {
	or := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	or(&c.CheckEvery, 15*time.Second)
	or(&c.ExpireEvery, 10*time.Second)
	or(&c.DecideEvery, 15*time.Second)
	or(&c.RetryAfter, time.Second)
	or(&c.Margin, time.Minute)
	for _, t := range c.Terms {
		if t.Issues() {
			c.Own = append(slices.Clip(c.Own), t.Asset.Issuer)
		}
	}
	in := &Incoming{Config: c, store: s, logger: logger, hosts: h.Each(), status: map[string]Status{}}
	for _, a := range c.Accounts {
		in.status[a] = Status{Account: a, Fault: "not started yet"}
	}
	return in
}

// Run follows all accounts, sends back what the policies send back and expires
// what was never paid, until ctx ends.
func (in *Incoming) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, a := range in.Accounts {
		wg.Go(func() { (&follower{Incoming: in, account: a}).run(ctx) })
	}
	wg.Go(func() { in.expireLoop(ctx) })
	wg.Go(func() { in.decideLoop(ctx) })
	wg.Wait()
	return context.Cause(ctx)
}

// Status tells how each account's stream is doing, in the configured order.
func (in *Incoming) Status() []Status {
	in.mu.Lock()
	defer in.mu.Unlock()
	var all []Status
	for _, a := range in.Accounts {
		all = append(all, in.status[a])
	}
	return all
}

func (in *Incoming) report(account string, change func(*Status)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.status[account]
	change(&s)
	s.UpdatedAt = time.Now()
	in.status[account] = s
}

// CursorName is the name under which an account's cursor is kept.
func CursorName(account string) string { return "payments:" + account }

// wait waits for d give or take a quarter; it reports false when ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d*3/4 + rand.N(d/2+1)) //nolint:gosec // it spreads attempts, and hides nothing
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
