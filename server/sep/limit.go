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

// Limiter bounds how often each of many callers may ask: so many times a second,
// and ten seconds' worth at once. It remembers the callers seen last; one that it
// has forgotten begins anew.
type Limiter struct {
	perSecond int
	callers   *lru.Cache[string, *rate.Limiter]
}

// maxCallers bounds what a Limiter remembers: some megabytes.
const maxCallers = 1 << 15

// NewLimiter makes a limiter; a rate of 0 limits nobody.
func NewLimiter(perSecond int) *Limiter {
	callers, err := lru.New[string, *rate.Limiter](maxCallers)
	if err != nil {
		panic(err) // the size is above 0
	}
	return &Limiter{perSecond, callers}
}

// Wait counts a request of a caller. It is 0 if the request may go on, else how
// long until the next may.
func (l *Limiter) Wait(caller string, now time.Time) time.Duration {
	if l.perSecond == 0 {
		return 0
	}
	bucket, ok := l.callers.Get(caller)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(l.perSecond), 10*l.perSecond)
		if before, known, _ := l.callers.PeekOrAdd(caller, bucket); known {
			bucket = before
		}
	}
	if bucket.AllowN(now, 1) {
		return 0 // a refusal costs nothing
	}
	lacks := 1 - bucket.TokensAt(now)
	return max(time.Millisecond, time.Duration(lacks/float64(l.perSecond)*float64(time.Second)))
}
