package payout

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// Config says with whose keys and how carefully is paid.
type Config struct {
	Passphrase string
	// Sources are the distribution accounts that pay, each by its own key.
	Sources []*keypair.Full
	// Fee pays the network's fees.
	Fee *keypair.Full
	// Channels lend their sequence numbers. Each can carry 99 payments in a
	// ledger. Nobody else may use them. Those that do not exist are made.
	Channels []*keypair.Full
	// Terms say which customers are helped with lumens, and what they are given.
	Terms []*anchor.Terms
	// Authorizers are keys that may authorize trustlines for issuers that require
	// it, by the issuers' addresses.
	Authorizers map[string]*keypair.Full
	// ClaimBackAfter is after how long the source may take back a claimable balance
	// that its customer did not claim; 0 is never.
	ClaimBackAfter time.Duration
	// Own are further accounts of ours, issuers above all. Like Sources, Fee and
	// Channels they are never paid, whatever an intent says.
	Own []string
	// Cursors are the names under which the books keep how far the ledger was
	// read for each of Sources and Fee. Without them a channel that is further
	// than the books know is never accepted.
	Cursors []string
	// Hot are the balances that are watched.
	Hot []Hot

	// MaxFee is the most that is bid for one operation, in stroops; 10,000 by
	// default.
	MaxFee int64
	// Lifetime is for how many ledgers an envelope can apply; 12 by default,
	// about a minute. A longer one holds a channel longer when the network is
	// in trouble, a shorter one is rebuilt more often.
	Lifetime uint32
	// TrustWindow is how long money waits for a trustline; 30 days by default.
	TrustWindow time.Duration
	// MaxAttempts is in how many envelopes an intent may have been, until it is
	// parked for a person; 30 by default. With the growing wait between them
	// that is some hours.
	MaxAttempts int
	// Poll is how often the books are looked at though nobody said so; 1 s by
	// default.
	Poll time.Duration
	// Retry is the first wait before the same bytes are submitted again; 1 s by
	// default. It doubles up to 10 s.
	Retry time.Duration
}

// Engine pays. Use New and Run; one engine for a set of books and channels.
type Engine struct {
	Config
	store    *store.Store
	ledger   *horizon.Client
	logger   *slog.Logger
	sources  map[string]*keypair.Full
	channels map[string]*keypair.Full
	own      map[string]bool // accounts that are never paid
	terms    map[anchor.Asset]*anchor.Terms

	fees    feeWatch
	funds   funds
	making  turn // one transaction of the fee account at a time
	doubt   doubt
	lookout lookout

	mu     sync.Mutex
	alarms map[string]Alarm
	live   int
}

// New prepares an engine.
func New(c Config, s *store.Store, h *horizon.Client, logger *slog.Logger) *Engine {
	fill(&c.MaxFee, 10_000)
	fill(&c.Lifetime, 12)
	fill(&c.TrustWindow, 30*24*time.Hour)
	fill(&c.MaxAttempts, 30)
	fill(&c.Poll, time.Second)
	fill(&c.Retry, time.Second)
	e := &Engine{
		Config: c, store: s, ledger: h, logger: logger,
		sources: map[string]*keypair.Full{}, channels: map[string]*keypair.Full{},
		own: map[string]bool{c.Fee.Address(): true}, terms: map[anchor.Asset]*anchor.Terms{}, alarms: map[string]Alarm{},
	}
	maps.Copy(e.sources, c.Authorizers)
	for _, k := range c.Sources {
		e.sources[k.Address()], e.own[k.Address()] = k, true
	}
	for _, k := range c.Channels {
		e.channels[k.Address()], e.own[k.Address()] = k, true
	}
	for _, t := range c.Terms {
		e.terms[t.Asset], e.own[t.Account], e.own[t.Asset.Issuer] = t, true, true
	}
	for _, id := range c.Own {
		e.own[id] = true
	}
	e.funds.reserved, e.funds.ever = map[purse]anchor.Amount{}, map[purse]anchor.Amount{}
	e.lookout.wake, e.lookout.seen = make(chan struct{}, 1), map[string]time.Time{}
	e.doubt.tell = s.Doubt
	e.doubt.rise()
	e.fees.asking, e.making = make(turn, 1), make(turn, 1)
	return e
}

func fill[T int | int64 | uint32 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// dispatcher is what Run's own goroutine knows. Only it chooses intents and
// channels, so that no two workers can ever choose the same.
type dispatcher struct {
	busy  map[string]bool      // channels whose envelope has no proven fate, or is being built
	rests map[string]time.Time // channels that had trouble, until when
	taken map[string]bool      // intents that a worker holds
	done  chan finished
}

// finished is a worker's last word.
type finished struct {
	channels, intents []string
	rest              time.Duration
}

// Run pays until ctx ends. Envelopes that are alive then stay in the books and
// are taken up by the next start.
func (e *Engine) Run(ctx context.Context) error {
	wake, stop := e.store.Watch(store.TopicPayouts)
	defer stop()
	var workers sync.WaitGroup
	defer workers.Wait()
	d := &dispatcher{busy: map[string]bool{}, rests: map[string]time.Time{}, taken: map[string]bool{}, done: make(chan finished)}

	for {
		err := e.resume(ctx, d, &workers)
		if err == nil {
			break
		}
		e.logger.ErrorContext(ctx, "live envelopes cannot be read", "error", err)
		if !wait(ctx, e.Poll) {
			return context.Cause(ctx)
		}
	}
	workers.Go(func() { e.waitingLoop(ctx) })
	workers.Go(func() { e.hotLoop(ctx) })
	workers.Go(func() { e.lookAheadLoop(ctx) })

	tick := time.NewTicker(e.Poll)
	defer tick.Stop()
	for {
		if err := e.dispatch(ctx, d, &workers); err != nil && ctx.Err() == nil {
			e.logger.ErrorContext(ctx, "payouts cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case f := <-d.done:
			for _, c := range f.channels {
				delete(d.busy, c)
				if f.rest > 0 {
					d.rests[c] = time.Now().Add(f.rest)
				}
			}
			for _, id := range f.intents {
				delete(d.taken, id)
			}
		case <-wake:
		case <-tick.C:
		}
	}
}

// start gives channels and intents to a worker.
func (e *Engine) start(ctx context.Context, d *dispatcher, workers *sync.WaitGroup, channels, intents []string, work func() time.Duration) {
	for _, c := range channels {
		d.busy[c] = true
	}
	for _, id := range intents {
		d.taken[id] = true
	}
	workers.Go(func() {
		f := finished{channels: channels, intents: intents, rest: work()}
		select {
		case d.done <- f:
		case <-ctx.Done():
		}
	})
}

// resume takes up the envelopes whose fate was unknown when the last run ended.
func (e *Engine) resume(ctx context.Context, d *dispatcher, workers *sync.WaitGroup) error {
	live, err := e.store.LiveEnvelopes(ctx)
	if err != nil {
		return err
	}
	for _, env := range live {
		e.logger.InfoContext(ctx, "an envelope is taken up again", "envelope", env.ID, "hash", env.Hash, "channel", env.Channel, "intents", len(env.Intents))
		e.start(ctx, d, workers, []string{env.Channel}, env.Intents, func() time.Duration { return e.settle(ctx, env, nil) })
	}
	return nil
}

// dispatch gives queued intents to free channels.
func (e *Engine) dispatch(ctx context.Context, d *dispatcher, workers *sync.WaitGroup) error {
	if ok, err := e.maySign(ctx, d, workers); err != nil || !ok {
		return err
	}
	now := time.Now()
	var free []string
	for _, k := range e.Channels {
		if c := k.Address(); !d.busy[c] && now.After(d.rests[c]) {
			free = append(free, c)
		}
	}
	if len(free) == 0 {
		return nil
	}
	due, err := e.store.PayoutsDue(ctx, anchor.PayoutQueued, now, len(d.taken)+len(free)*anchor.MaxBatch)
	if err != nil {
		return err
	}
	due = slices.DeleteFunc(due, func(p *anchor.Payout) bool { return d.taken[p.ID] })
	for i, batch := range split(due, len(free)) {
		ids := make([]string, len(batch))
		for j, p := range batch {
			ids[j] = p.ID
		}
		e.start(ctx, d, workers, free[i:i+1], ids, func() time.Duration { return e.pay(ctx, free[i], batch) })
	}
	return nil
}

// pay turns a batch into an envelope and sees it through. It returns how long
// the channel should rest.
func (e *Engine) pay(ctx context.Context, channel string, batch []*anchor.Payout) time.Duration {
	env, batch, err := e.prepare(ctx, channel, batch)
	switch {
	case err == nil && env == nil:
		return 0
	case err == nil:
		e.lookout.soon()
		return e.settle(ctx, env, batch)
	case ctx.Err() != nil || errors.Is(err, errNothingNew):
		return 0
	case errors.Is(err, errNoChannel):
		return e.makeChannels(ctx, []string{channel})
	}
	e.logger.WarnContext(ctx, "a batch could not be made", "channel", channel, "intents", len(batch), "error", err)
	// A commit whose answer was lost may have left an envelope. It holds the
	// channel like any other, and nobody else would follow it.
	for {
		live, err := e.store.LiveEnvelopes(ctx)
		if err == nil {
			for _, env := range live {
				if env.Channel == channel {
					return e.settle(ctx, env, nil)
				}
			}
			return 2 * e.Retry
		}
		e.logger.ErrorContext(ctx, "live envelopes cannot be read", "error", err)
		if !wait(ctx, e.Retry) {
			return 0
		}
	}
}

// Alarm is something that a person must see to. Payouts that it concerns pause;
// they go on by themselves when it is mended.
type Alarm struct {
	Key   string // "low_funds …", "refused", …
	Text  string
	Since time.Time
}

// Status is how the engine is doing.
type Status struct {
	Live   int // envelopes whose fate is not proven
	Alarms []Alarm
}

// Status tells how the engine is doing.
func (e *Engine) Status() Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Status{Live: e.live}
	for _, a := range e.alarms {
		s.Alarms = append(s.Alarms, a)
	}
	slices.SortFunc(s.Alarms, func(a, b Alarm) int { return strings.Compare(a.Key, b.Key) })
	return s
}

// raise logs an alarm once and keeps it for Status; lower ends it.
func (e *Engine) raise(ctx context.Context, key, text string) {
	e.mu.Lock()
	old, known := e.alarms[key]
	if !known {
		old.Since = time.Now()
	}
	e.alarms[key] = Alarm{Key: key, Text: text, Since: old.Since}
	e.mu.Unlock()
	if !known {
		e.logger.ErrorContext(ctx, "payouts need a person", "alarm", key, "text", text)
	}
}

func (e *Engine) lower(ctx context.Context, key string) {
	e.mu.Lock()
	_, known := e.alarms[key]
	delete(e.alarms, key)
	e.mu.Unlock()
	if known {
		e.logger.InfoContext(ctx, "an alarm about payouts is over", "alarm", key)
	}
}

// lowerOthers ends the alarms whose keys begin so and are not among those.
func (e *Engine) lowerOthers(ctx context.Context, prefix string, on map[string]bool) {
	e.mu.Lock()
	var over []string
	for key := range e.alarms {
		if strings.HasPrefix(key, prefix) && !on[key] {
			over = append(over, key)
		}
	}
	e.mu.Unlock()
	for _, key := range over {
		e.lower(ctx, key)
	}
}

func (e *Engine) count(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.live += n
}

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
