package main

import (
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"windlass/server/sep"
	"windlass/server/session"
)

// A page holds one stream, and a customer has it open a few times at the most. What
// all hold together costs memory, and each a look at the books whenever its
// transaction changes. The page that gets none asks every few seconds instead.
const (
	maxStreamsOfOne = 16
	maxStreams      = 10_000
)

// limitPages bounds what may be asked with one session or one more-info link: how
// often, and by how many streams at once. Who holds a link of a transaction takes
// nothing from its customer.
func limitPages(c LimitsConfig, logger *slog.Logger, next http.Handler) http.Handler {
	often, streams := sep.NewLimiter(c.Polls), openStreams{of: map[session.Caller]int{}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := session.FromContext(r.Context())
		if who.Role == session.Nobody {
			next.ServeHTTP(w, r) // who is refused, unread
			return
		}
		wait := often.Wait(string(who.Role)+" "+who.Transaction, time.Now())
		if wait == 0 && wantsStream(r) {
			if !streams.enter(who) {
				wait = time.Minute
			} else {
				defer streams.leave(who)
			}
		}
		if wait > 0 {
			sep.WriteTooMany(w, r, logger, sep.Lang(r, ""), wait)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// wantsStream reports whether an answer may go on as server-sent events.
func wantsStream(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// openStreams counts those that are open, by whose they are.
type openStreams struct {
	mu  sync.Mutex
	all int
	of  map[session.Caller]int
}

func (o *openStreams) enter(who session.Caller) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all >= maxStreams || o.of[who] >= maxStreamsOfOne {
		return false
	}
	o.all++
	o.of[who]++
	return true
}

func (o *openStreams) leave(who session.Caller) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all--
	if o.of[who]--; o.of[who] == 0 {
		delete(o.of, who)
	}
}
