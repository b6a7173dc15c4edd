package main

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"windlass/server/rail"
	"windlass/server/sandbox"
)

// A trouble is what happens to the anchor, the network or the bank for a while.
type trouble struct {
	name        string
	every       time.Duration // on average, from the end of one to the beginning of the next
	least, most time.Duration // how long one lasts
	begin       beginning
}

// A beginning starts a trouble that is to last so long, and returns what ends it.
type beginning func(l *lifetime, name string, lasts time.Duration, dice *rand.Rand) (over func())

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// troubles is the table. To add one is to add a line.
var troubles = []trouble{
	{"Horizon is down", 2 * day, time.Minute, 2 * hour, weather(sandbox.Fault{Kind: sandbox.ServerError})},
	{"Horizon is silent", 2 * day, time.Minute, hour, weather(sandbox.Fault{Kind: sandbox.Silence, Wait: sandbox.Duration(2 * time.Minute)})},
	{"Horizon has lost its core", 2 * day, time.Minute, hour, weather(sandbox.Fault{Kind: sandbox.StaleHistory, Method: "POST"})},
	{"Horizon limits requests", 2 * day, 10 * time.Minute, 3 * hour, weather(sandbox.Fault{Kind: sandbox.RateLimited, Rate: 0.5, RetryAfter: 20})},
	{"answers are lost", day, 10 * time.Minute, 4 * hour, weather(sandbox.Fault{Kind: sandbox.LostAnswer, Rate: 0.3})},
	{"submissions land late", day, 10 * time.Minute, 4 * hour, weather(sandbox.Fault{Kind: sandbox.LandsLate, Rate: 0.5, Ledgers: 8})},
	{"submissions are evicted", day, 10 * time.Minute, 4 * hour, weather(sandbox.Fault{Kind: sandbox.NeverLands, Rate: 0.5})},
	{"streams are cut", 2 * day, 10 * time.Minute, 6 * hour, weather(sandbox.Fault{Kind: sandbox.CutStream, Events: 1})},
	{"streams stall", 2 * day, 10 * time.Minute, 6 * hour, weather(sandbox.Fault{Kind: sandbox.StallStream, Events: 1})},
	{"streams repeat themselves", 2 * day, 10 * time.Minute, 6 * hour, weather(sandbox.Fault{Kind: sandbox.RepeatEvents})},
	{"streams go back", 2 * day, 10 * time.Minute, 6 * hour, weather(sandbox.Fault{Kind: sandbox.OldCursor, Ledgers: 300})},
	{"ledgers stand still", 2 * day, time.Minute, hour, ledgersStandStill},
	{"fees surge", 2 * day, 5 * time.Minute, 2 * hour, feesSurge},
	{"the bank is down", 2 * day, 5 * time.Minute, 5 * hour, bankTrouble(lineDown)},
	{"the bank's answers are lost", 2 * day, 5 * time.Minute, 5 * hour, bankTrouble(lineLoses)},
	{"orders to the bank are held up", 2 * day, 5 * time.Minute, 5 * hour, bankTrouble(lineDelays)},
	{"the anchor is stopped", 2 * day, 10 * time.Second, 5 * hour, anchorStops},
	{"the anchor is restarted", day, time.Millisecond, time.Second, anchorStops},
}

// trouble has one kind come and go until the last day ends. When, is decided by
// the seed and the name, so that another line in the table changes none of it.
func (l *lifetime) trouble(k trouble) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(k.name))
	dice := rand.New(rand.NewPCG(l.sim.seed, h.Sum64()))
	for at := l.begins; ; {
		at = at.Add(time.Duration(dice.ExpFloat64() * float64(k.every)))
		lasts := k.least + time.Duration(dice.Int64N(int64(k.most-k.least)))
		if at.Add(lasts).After(l.ends) || l.sleep(time.Until(at)) != nil {
			return
		}
		l.count("trouble " + k.name)
		l.note("%s, for %s", k.name, lasts.Round(time.Second))
		over := k.begin(l, k.name, lasts, dice)
		at = at.Add(lasts)
		_ = l.sleep(time.Until(at))
		over()
		l.note("%s: over", k.name)
	}
}

// weather is a fault of the anchor's Horizon.
func weather(f sandbox.Fault) beginning {
	return func(l *lifetime, name string, _ time.Duration, _ *rand.Rand) func() {
		f := f
		f.Name = strings.Map(func(r rune) rune {
			if r == ' ' {
				return '-'
			}
			return r
		}, name)
		if _, err := l.weather.Set(f); err != nil {
			l.find("%s: %v", name, err)
		}
		return func() {
			for _, r := range l.weather.Faults() {
				if r.Name == f.Name {
					l.mu.Lock()
					l.struck += r.Struck
					l.mu.Unlock()
				}
			}
			l.weather.Clear(f.Name)
		}
	}
}

func ledgersStandStill(l *lifetime, _ string, _ time.Duration, _ *rand.Rand) func() {
	l.network.Pause()
	return l.network.Resume
}

// feesSurge is sometimes above what the anchor is ready to pay.
func feesSurge(l *lifetime, name string, lasts time.Duration, dice *rand.Rand) func() {
	s := sandbox.Surge{BaseFee: 200 << dice.IntN(8), Ledgers: 1 + int(lasts/ledgerTime), Refuse: dice.IntN(2) == 0}
	if err := l.network.Surge(s); err != nil {
		l.find("%s: %v", name, err)
	}
	return func() {}
}

func anchorStops(l *lifetime, _ string, _ time.Duration, _ *rand.Rand) func() {
	l.halt()
	return l.start
}

// troubleAtBank is what is wrong with the line to the bank.
type troubleAtBank int

const (
	lineDown   troubleAtBank = iota // nothing gets through
	lineLoses                       // orders get through, and answers often do not
	lineDelays                      // orders often arrive long after nobody waits for an answer, or while others do
)

func bankTrouble(what troubleAtBank) beginning {
	return func(l *lifetime, _ string, _ time.Duration, _ *rand.Rand) func() {
		l.line.set(what, true)
		return func() { l.line.set(what, false) }
	}
}

// A bankLine is the anchor's line to its bank.
type bankLine struct {
	*rail.Simulated

	mu    sync.Mutex
	dice  *rand.Rand
	wrong [3]bool // by what is wrong
}

func (b *bankLine) set(what troubleAtBank, wrong bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wrong[what] = wrong
}

var errBank = errors.New("the bank does not answer")

// through lets a call through to the bank, or not, or not its answer.
func through[T any](ctx context.Context, b *bankLine, call func() (T, error)) (T, error) {
	b.mu.Lock()
	down, loses, silent := b.wrong[lineDown], b.wrong[lineLoses] && b.dice.IntN(2) == 0, b.dice.IntN(2) == 0
	b.mu.Unlock()
	var none T
	switch {
	case down && silent:
		<-ctx.Done()
		return none, ctx.Err()
	case down:
		return none, errBank
	}
	v, err := call()
	if loses {
		return none, errBank
	}
	return v, err
}

// Credits, Pay and Lookup are the calls of the engine.
func (b *bankLine) Credits(ctx context.Context, after string) (rail.Statement, error) {
	return through(ctx, b, func() (rail.Statement, error) { return b.Simulated.Credits(ctx, after) })
}

func (b *bankLine) Pay(ctx context.Context, o rail.Order) (rail.Transfer, error) {
	b.mu.Lock()
	delayed, late := b.wrong[lineDelays] && b.dice.IntN(2) == 0, time.Duration(b.dice.Int64N(int64(10*time.Minute)))
	b.mu.Unlock()
	if delayed {
		time.AfterFunc(late, func() { _, _ = b.Simulated.Pay(context.WithoutCancel(ctx), o) })
		return rail.Transfer{}, errBank
	}
	return through(ctx, b, func() (rail.Transfer, error) { return b.Simulated.Pay(ctx, o) })
}

func (b *bankLine) Lookup(ctx context.Context, id string) (rail.Transfer, error) {
	return through(ctx, b, func() (rail.Transfer, error) { return b.Simulated.Lookup(ctx, id) })
}
