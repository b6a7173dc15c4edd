package payout

import (
	"context"
	"sync"
	"time"

	"windlass/server/anchor"
)

// What keeps a backlog waiting is not the ledger, which takes an envelope of
// each channel whenever it closes, but what must be asked before one is signed.
// So while envelopes wait for their ledger, the destinations of those that come
// next are looked at.

const (
	// looksAhead is how many destinations are looked at together meanwhile.
	looksAhead = 32
	// fresh is for how long such a look is good, some ledgers. A destination that
	// has changed since fails its batch, which costs time and a fee, and nothing
	// else.
	fresh = 15 * time.Second
)

// lookout remembers which intents' destinations could take them lately.
type lookout struct {
	wake chan struct{}
	mu   sync.Mutex
	seen map[string]time.Time // by intent
}

// soon has the destinations of what comes next looked at.
func (l *lookout) soon() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// knows reports whether an intent's destination could take it lately.
func (l *lookout) knows(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.seen[id]
	return ok && time.Since(at) < fresh
}

// saw remembers that a destination could take an intent.
func (l *lookout) saw(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[id] = time.Now()
}

// forget drops what is too old to be good.
func (l *lookout) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, at := range l.seen {
		if time.Since(at) >= fresh {
			delete(l.seen, id)
		}
	}
}

// lookAheadLoop looks at what the channels will carry next. What it finds to
// stand in the way is for fit to say, when it is the intent's turn.
func (e *Engine) lookAheadLoop(ctx context.Context) {
	for {
		select {
		case <-e.lookout.wake:
		case <-ctx.Done():
			return
		}
		e.lookout.forget()
		next, err := e.store.PayoutsDue(ctx, anchor.PayoutQueued, time.Now(), len(e.Channels)*anchor.MaxBatch)
		if err != nil {
			continue // whoever needs it says so
		}
		together(len(next), looksAhead, func(i int) {
			p := next[i]
			if ctx.Err() != nil || e.lookout.knows(p.ID) {
				return
			}
			if o, err := e.look(ctx, p); err == nil && o.plain(p) {
				e.lookout.saw(p.ID)
			}
		})
	}
}

// together runs fn for 0 to n-1, some at once.
func together(n, atOnce int, fn func(int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			fn(i)
		})
	}
	wg.Wait()
}
