package sep

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"windlass/server/anchor"
)

// ErrTooMany is a caller that asks more often than it may. [WriteError] answers it
// with 429; how long to wait is the Retry-After header's.
var ErrTooMany = &anchor.Error{Kind: anchor.Unavailable, Code: "too_many_requests",
	Message: "too many requests; wait a moment and try again"}

// Limiter bounds how often each of many callers may ask, or how much they may send:
// so much at once, and so much more a second. It remembers the callers seen last; one
// that it has forgotten begins anew.
type Limiter struct {
	perSecond float64
	most      int
	callers   *lru.Cache[string, *rate.Limiter]
}

// maxCallers bounds what a Limiter remembers: some megabytes.
const maxCallers = 1 << 15

// NewLimiter makes a limiter of so many requests a second, and ten seconds' worth at
// once; a rate of 0 limits nobody.
func NewLimiter(perSecond int) *Limiter { return NewBudget(10*perSecond, float64(perSecond)) }

// NewBudget makes a limiter of so much at once, and so much more a second.
func NewBudget(most int, perSecond float64) *Limiter {
	callers, err := lru.New[string, *rate.Limiter](maxCallers)
	if err != nil {
		panic(err) // the size is above 0
	}
	return &Limiter{perSecond, most, callers}
}

// Wait counts a request of a caller. It is 0 if the request may go on, else how
// long until the next may.
func (l *Limiter) Wait(caller string, now time.Time) time.Duration { return l.Spend(caller, 1, now) }

// Spend counts what a caller sends, as [Limiter.Wait] counts a request.
func (l *Limiter) Spend(caller string, n int, now time.Time) time.Duration {
	if l.perSecond == 0 {
		return 0
	}
	bucket, ok := l.callers.Get(caller)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(l.perSecond), l.most)
		if before, known, _ := l.callers.PeekOrAdd(caller, bucket); known {
			bucket = before
		}
	}
	if bucket.AllowN(now, n) {
		return 0 // a refusal costs nothing
	}
	lacks := float64(n) - bucket.TokensAt(now)
	return max(time.Millisecond, time.Duration(lacks/l.perSecond*float64(time.Second)))
}
