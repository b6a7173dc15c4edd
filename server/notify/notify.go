// Package notify delivers the outbox: it tells wallets at addresses of theirs
// what became of their customers' transactions (SEP-24, "URL Callback
// signature"), and customers by e-mail when they must do something or money moved.
//
// Each message is sent until the wallet accepts it with a 2xx, for some days,
// less and less often: at least once, since an answer can be lost. The messages
// of one transaction go out one after the other, in their order. The body is the
// transaction as it is when it is sent, as GET /sep24/transaction answers it: a
// late message never tells of a past that is over.
//
// Wallets are kept apart by their domains: one that is slow holds few connections,
// one that is down is asked less and less often, and neither keeps others waiting.
// Each has at most perHost of the atOnce workers, so that as long as fewer than
// atOnce/perHost of them hang, nobody else waits even for the end of one call.
//
// What was answered is told again only if we end before it could be written down.
//
// The mail server is one host more, so that its troubles are the wallets' in
// nothing, nor theirs its. See mail.go.
//
// docs/callbacks.md and docs/mail.md tell wallets and operators what to expect. It
// must not change transactions.
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
	"windlass/server/mail"
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
	// Mail sends e-mails; nil for none, which drops those that wait.
	Mail *mail.Sender
	// Letter is what an e-mail says of a transaction in a language: all but its
	// subject, whom it is for, and its ids.
	Letter func(t *anchor.Transaction, lang string) mail.Letter
	// MailsPerAddress is how many e-mails about one customer an address gets in 24
	// hours, and more, see [store.Tx.Address]; 10 by default.
	MailsPerAddress int

	// Poll is how often the outbox is looked at though nobody said so; 5 s by
	// default.
	Poll time.Duration
	// Retry is the first wait after a failure; 10 s by default. It doubles up to
	// six hours.
	Retry time.Duration
	// Patience is for how long a message is tried; 3 days by default.
	Patience time.Duration
	// KeepDelivered and KeepGivenUp are for how long messages are remembered that
	// were delivered, or never; 30 and 90 days by default.
	KeepDelivered, KeepGivenUp time.Duration
}

const (
	// atOnce is how many messages are under way, perHost how many to one host.
	atOnce, perHost = 256, 4
	maxRetry        = 6 * time.Hour
	// maxRecord bounds the wait between two attempts to write an answer down.
	maxRecord = time.Minute
	// strikes is how many failures in a row say that a host is down, and not
	// only one message unwelcome.
	strikes = 3
	// sweepEach is how often what is long over is forgotten, sweepAtOnce how much
	// of it in one update: others write, too.
	sweepEach, sweepAtOnce = time.Hour, 500
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
	or(&c.KeepDelivered, 30*24*time.Hour)
	or(&c.KeepGivenUp, 90*24*time.Hour)
	if c.MailsPerAddress <= 0 {
		c.MailsPerAddress = 10
	}
	return &Notifier{c}
}

// round is what Run's own goroutine knows of what is under way.
type round struct {
	busy  map[int64]bool
	hosts map[string]*host // that something is under way to
	done  chan *store.Message
}

type host struct {
	under  int // messages under way
	failed int // in a row, as the books say
}

// Run delivers until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	wake, stop := n.Store.Watch(store.TopicOutbox)
	defer stop()
	var workers sync.WaitGroup
	defer workers.Wait()
	workers.Go(func() { n.forget(ctx) })
	workers.Go(func() { n.checkMail(ctx) })
	r := &round{busy: map[int64]bool{}, hosts: map[string]*host{}, done: make(chan *store.Message)}
	tick := time.NewTicker(n.Poll)
	defer tick.Stop()
	for {
		if err := n.start(ctx, r, &workers); err != nil && ctx.Err() == nil {
			n.Logger.ErrorContext(ctx, "the outbox cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case m := <-r.done:
			r.finish(m)
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
		due, err := n.Store.MessagesDue(ctx, time.Now(), r.full(), perHost, atOnce+len(r.busy))
		if err != nil {
			return err
		}
		started := false
		for _, m := range due {
			if r.busy[m.ID] || len(r.busy) >= atOnce || !r.take(m) {
				continue
			}
			started = true
			workers.Go(func() {
				n.send(ctx, m)
				select {
				case r.done <- m:
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

// take notes that a message is under way, if there is room for it.
func (r *round) take(m *store.Message) bool {
	h := r.hosts[m.Host]
	if h == nil {
		h = &host{}
	}
	if h.failed = m.Failures; !h.room() {
		return false
	}
	r.hosts[m.Host], r.busy[m.ID] = h, true
	h.under++
	return true
}

// finish notes that a message is no longer under way.
func (r *round) finish(m *store.Message) {
	delete(r.busy, m.ID)
	h := r.hosts[m.Host]
	if h.under--; h.under == 0 {
		delete(r.hosts, m.Host)
	}
}

// room reports whether one message more may go to a host. One that seems to be
// down is asked one at a time.
func (h *host) room() bool { return h.under < perHost && (h.failed < strikes || h.under == 0) }

// full are the hosts that have no room.
func (r *round) full() (names []string) {
	for name, h := range r.hosts {
		if !h.room() {
			names = append(names, name)
		}
	}
	return names
}

// backoff is the wait after so many failures before: longer each time, and never
// the same, so that a host that comes back is not run over.
func (n *Notifier) backoff(failures int) time.Duration {
	d := min(n.Retry<<min(failures, 20), maxRetry)
	return d/2 + rand.N(d/2+1) //nolint:gosec // it spreads load and hides nothing
}

// rest is until when a host is left alone after so many failures in a row.
func (n *Notifier) rest(failures int) time.Time {
	if failures < strikes {
		return time.Time{}
	}
	return time.Now().Add(n.backoff(failures - strikes))
}

// An answer is what became of one attempt.
type answer struct {
	outcome  string
	taken    bool // by the wallet
	ours     bool // we are at fault, or the address, and not the host
	never    bool // and it would be the same every time
	needless bool // there is nothing to tell any more, or nobody
}

// send tries one message, and writes down what came of it.
func (n *Notifier) send(ctx context.Context, m *store.Message) {
	began := time.Now()
	try := n.post
	if m.Kind == store.MailKind {
		try = n.write
	}
	a := try(ctx, m)
	if ctx.Err() != nil && !a.taken {
		return // we stopped, not they
	}
	if a.needless {
		n.record(ctx, m, func(tx *store.Tx) error { return tx.Drop(m) })
		return
	}
	if !a.taken {
		n.Logger.WarnContext(ctx, "a message was not taken", "message", m.ID, "transaction", m.Transaction, "host", m.Host, "outcome", a.outcome, "attempts", m.Attempts+1)
	}
	d := store.Delivery{At: began, Took: time.Since(began), Outcome: a.outcome}
	n.record(ctx, m, func(tx *store.Tx) error {
		switch {
		case a.taken:
			return tx.Delivered(m, d)
		case !a.ours:
			if err := tx.HostFailed(m.Host, d, n.rest); err != nil {
				return err
			}
		}
		next := time.Time{}
		if !a.never && began.Sub(m.Since) <= n.Patience {
			next = time.Now().Add(n.backoff(m.Attempts))
		}
		return tx.NotDelivered(m, d, next)
	})
}

// record writes down what became of a message, however often that must be tried:
// until then it is under way and not sent again, and as many others as have no
// place beside it wait.
func (n *Notifier) record(ctx context.Context, m *store.Message, write func(*store.Tx) error) {
	for wait := n.Retry; ; wait = min(2*wait, maxRecord) {
		// The answer is known and must not be lost because we are told to stop.
		err := n.Store.Update(context.WithoutCancel(ctx), store.Clock, write)
		if err == nil {
			return
		}
		n.Logger.ErrorContext(ctx, "a delivery cannot be written down", "message", m.ID, "error", err)
		if anchor.KindOf(err) == anchor.Conflict {
			return // it is due no more
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// post sends the transaction as it is now.
func (n *Notifier) post(ctx context.Context, m *store.Message) answer {
	if err := n.Client.Check(m.URL); err != nil {
		return answer{outcome: err.Error(), ours: true, never: true}
	}
	t, err := n.Store.Transaction(ctx, m.Transaction)
	if err != nil {
		return answer{outcome: "the transaction cannot be read", ours: true}
	}
	body, err := n.Body(t)
	if err != nil {
		return answer{outcome: "the transaction cannot be written", ours: true}
	}
	signature, err := n.sign(m.URL, body, time.Now())
	if err != nil {
		return answer{outcome: "the message cannot be signed", ours: true}
	}
	status, err := n.Client.Post(ctx, m.URL, http.Header{
		"Content-Type": {"application/json"}, "Signature": {signature}, "X-Stellar-Signature": {signature},
	}, body)
	if err != nil {
		return answer{outcome: err.Error()}
	}
	return answer{outcome: strconv.Itoa(status), taken: status >= 200 && status < 300}
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

// forget sweeps until ctx ends.
func (n *Notifier) forget(ctx context.Context) {
	tick := time.NewTicker(sweepEach)
	defer tick.Stop()
	for {
		if err := n.sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			n.Logger.ErrorContext(ctx, "the outbox cannot be swept", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweep gives up what waits for hosts that are gone, and forgets what is long
// over.
func (n *Notifier) sweep(ctx context.Context, now time.Time) error {
	for _, some := range []func(tx *store.Tx) (int, error){
		func(tx *store.Tx) (int, error) { return tx.GiveUpMessages(now.Add(-n.Patience), now, sweepAtOnce) },
		func(tx *store.Tx) (int, error) {
			return tx.SweepMessages(now.Add(-n.KeepDelivered), now.Add(-n.KeepGivenUp), now, sweepAtOnce)
		},
	} {
		for swept := 1; swept > 0; {
			if err := n.Store.Update(ctx, store.Clock, func(tx *store.Tx) (err error) { swept, err = some(tx); return err }); err != nil {
				return err
			}
		}
	}
	return nil
}
