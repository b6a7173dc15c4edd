// Package notify delivers the outbox: it tells wallets at addresses of theirs
// what became of their customers' transactions (SEP-24, "URL Callback
// signature").
//
// Each message is sent until the wallet accepts it with a 2xx, for some days,
// less and less often: at least once, since an answer can be lost. The messages
// of one transaction go out one after the other, in their order. The body is the
// transaction as it is when it is sent, as GET /sep24/transaction answers it: a
// late message never tells of a past that is over.
//
// Wallets are kept apart by host: one that is slow holds few connections, one
// that is down is asked less and less often, and neither keeps others waiting.
//
// It must not change transactions.
package notify

import (
	"context"
	"encoding/base64"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/anchor"
	"windlass/server/outside"
	"windlass/server/store"
)

// Config is what a [Notifier] needs.
type Config struct {
	Store  *store.Store
	Client *outside.Client
	// Signing is the key of stellar.toml's SIGNING_KEY.
	Signing *keypair.Full
	// Body is the JSON that is sent for a transaction.
	Body   func(t *anchor.Transaction) ([]byte, error)
	Logger *slog.Logger

	// Poll is how often the outbox is looked at though nobody said so; 5 s by
	// default.
	Poll time.Duration
	// Retry is the first wait after a failure; 10 s by default. It doubles up to
	// six hours.
	Retry time.Duration
	// Patience is for how long a message is tried; 3 days by default.
	Patience time.Duration
}

const (
	// atOnce is how many messages are under way, perHost how many to one host.
	atOnce, perHost = 64, 4
	maxRetry        = 6 * time.Hour
	// strikes is how many failures in a row say that a host is down, and not
	// only one message unwelcome.
	strikes = 3
)

// Notifier delivers the outbox. Use New and Run.
type Notifier struct {
	Config
}

// New prepares to deliver.
func New(c Config) *Notifier {
	or := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	or(&c.Poll, 5*time.Second)
	or(&c.Retry, 10*time.Second)
	or(&c.Patience, 72*time.Hour)
	return &Notifier{c}
}

// round is what Run's own goroutine knows of what is under way.
type round struct {
	busy  map[int64]bool
	hosts map[string]*host
	done  chan finished
}

type host struct {
	under  int // messages under way
	failed int // in a row
}

type finished struct {
	message store.Message
	ok      bool
}

// Run delivers until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	wake, stop := n.Store.Watch(store.TopicOutbox)
	defer stop()
	var workers sync.WaitGroup
	defer workers.Wait()
	r := &round{busy: map[int64]bool{}, hosts: map[string]*host{}, done: make(chan finished)}
	tick := time.NewTicker(n.Poll)
	defer tick.Stop()
	for {
		if err := n.start(ctx, r, &workers); err != nil && ctx.Err() == nil {
			n.Logger.ErrorContext(ctx, "the outbox cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case f := <-r.done:
			n.finish(ctx, r, f)
		case <-wake:
		case <-tick.C:
		}
	}
}

// start gives what is due to workers, as far as there is room. Hosts that have
// enough under way are left out of the question, so that no wallet's backlog
// hides another's message.
func (n *Notifier) start(ctx context.Context, r *round, workers *sync.WaitGroup) error {
	for len(r.busy) < atOnce {
		due, err := n.Store.MessagesDue(ctx, time.Now(), r.full(), atOnce)
		if err != nil {
			return err
		}
		started := false
		for _, m := range due {
			if r.busy[m.ID] || len(r.busy) >= atOnce || !r.room(m.Host) {
				continue
			}
			started = true
			r.busy[m.ID] = true
			r.hosts[m.Host].under++
			workers.Go(func() {
				f := finished{m, n.send(ctx, m)}
				select {
				case r.done <- f:
				case <-ctx.Done():
				}
			})
		}
		if !started {
			return nil
		}
	}
	return nil
}

// room reports whether one message more may go to a host. One that seems to be
// down is asked one at a time.
func (r *round) room(name string) bool {
	h := r.hosts[name]
	if h == nil {
		h = &host{}
		r.hosts[name] = h
	}
	return h.under < perHost && (h.failed < strikes || h.under == 0)
}

// full are the hosts that have no room.
func (r *round) full() (names []string) {
	for name := range r.hosts {
		if !r.room(name) {
			names = append(names, name)
		}
	}
	return names
}

// finish notes how a message ended. A host that fails again and again rests with
// all that waits for it.
func (n *Notifier) finish(ctx context.Context, r *round, f finished) {
	h := r.hosts[f.message.Host]
	delete(r.busy, f.message.ID)
	h.under--
	if f.ok {
		h.failed = 0
		if h.under == 0 {
			delete(r.hosts, f.message.Host)
		}
		return
	}
	if h.failed++; h.failed < strikes {
		return
	}
	until := time.Now().Add(n.backoff(h.failed - strikes))
	if err := n.Store.Update(ctx, store.Clock, func(tx *store.Tx) error { return tx.RestHost(f.message.Host, until) }); err != nil && ctx.Err() == nil {
		n.Logger.ErrorContext(ctx, "a host cannot be given a rest", "host", f.message.Host, "error", err)
	}
}

// backoff is the wait after so many failures before: longer each time, and never
// the same, so that a host that comes back is not run over.
func (n *Notifier) backoff(failures int) time.Duration {
	d := min(n.Retry<<min(failures, 20), maxRetry)
	return d/2 + rand.N(d/2+1) //nolint:gosec // it spreads load and hides nothing
}

// send tries one message, and writes down what came of it.
func (n *Notifier) send(ctx context.Context, m store.Message) bool {
	began := time.Now()
	outcome, ok := n.post(ctx, m)
	if ctx.Err() != nil && !ok {
		return false // we stopped, not they
	}
	d := store.Delivery{At: began, Took: time.Since(began), Outcome: outcome}
	// The answer is known and must not be lost because we are told to stop.
	err := n.Store.Update(context.WithoutCancel(ctx), store.Clock, func(tx *store.Tx) error {
		switch {
		case ok:
			return tx.Delivered(m, d)
		case began.Sub(m.CreatedAt) > n.Patience:
			return tx.NotDelivered(m, d, time.Time{})
		}
		return tx.NotDelivered(m, d, time.Now().Add(n.backoff(m.Attempts)))
	})
	switch {
	case err != nil:
		n.Logger.ErrorContext(ctx, "a delivery cannot be written down", "message", m.ID, "error", err)
	case !ok:
		n.Logger.WarnContext(ctx, "a wallet did not take a message", "message", m.ID, "transaction", m.Transaction, "host", m.Host, "outcome", outcome, "attempts", m.Attempts+1)
	}
	return ok
}

// post sends the transaction as it is now. ok is whether the wallet took it.
func (n *Notifier) post(ctx context.Context, m store.Message) (outcome string, ok bool) {
	t, err := n.Store.Transaction(ctx, m.Transaction)
	if err != nil {
		return "the transaction cannot be read", false
	}
	body, err := n.Body(t)
	if err != nil {
		return "the transaction cannot be written", false
	}
	signature, err := n.sign(m.URL, body, time.Now())
	if err != nil {
		return "the message cannot be signed", false
	}
	status, err := n.Client.Post(ctx, m.URL, http.Header{
		"Content-Type": {"application/json"}, "Signature": {signature}, "X-Stellar-Signature": {signature},
	}, body)
	if err != nil {
		return err.Error(), false
	}
	return strconv.Itoa(status), status >= 200 && status < 300
}

// sign is the header that proves that the message is ours, for this host, and
// fresh.
func (n *Notifier) sign(address string, body []byte, now time.Time) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	at := strconv.FormatInt(now.Unix(), 10)
	signature, err := n.Signing.Sign(append([]byte(at+"."+u.Hostname()+"."), body...))
	if err != nil {
		return "", err
	}
	return "t=" + at + ", s=" + base64.StdEncoding.EncodeToString(signature), nil
}
