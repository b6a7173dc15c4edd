package sandbox

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A replay repeats recorded exchanges on a network of its own, over HTTP, at
// the recorded times: the clock is synctest's, and is wound on to the day of
// the recording. Ledgers close when the recorded ones did and accounts are
// created in the recorded ledgers, so sequence numbers, paging tokens, times,
// the envelopes and with them the hashes of transactions are the recorded ones,
// and requests go out as they are, byte for byte.
type replay struct {
	*testing.T
	net      *Network
	weather  *Weather
	http     *http.Client
	schedule schedule
	plan     []planned
	running  sync.WaitGroup
	loads    []*load
	rootSent int64

	mu      sync.Mutex
	answers map[string]*replayed
}

// A planned is what happens at one time.
type planned struct {
	at time.Time
	do func()
}

// replayed is what the sandbox said.
type replayed struct {
	status  int
	headers http.Header
	body    []byte
	chunks  []chunk
	took    time.Duration
}

// A schedule tells when ledgers close: from a ledger on at regular times.
type schedule []struct {
	ledger uint32
	at     string // the time of day when it closes
	every  time.Duration
}

const (
	recordedDay = "2026-11-22T"
	recordedURL = "http://127.0.0.1:18000"
)

func timeOfDay(s string) time.Time {
	return must(time.Parse(time.RFC3339Nano, recordedDay+s+"Z"))
}

// closes is when a ledger closes.
func (s schedule) closes(ledger uint32) time.Time {
	part := s[0]
	for _, p := range s {
		if p.ledger <= ledger {
			part = p
		}
	}
	return timeOfDay(part.at).Add(time.Duration(ledger-part.ledger) * part.every)
}

func newReplay(t *testing.T, s schedule) *replay {
	t.Helper()
	<-time.After(time.Until(s.closes(2))) // which opening closes
	n, err := Open(Config{CloseEvery: -1, Passphrase: recordedPassphrase, Rates: []Rate{recordedOffer()}})
	if err != nil {
		t.Fatal(err)
	}
	listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	n.looks = 450 * time.Millisecond // as the recorded Horizon did
	weather := NewWeather(n, 1)
	server := &http.Server{Handler: weather.Handler(), ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	transport := &http.Transport{DialContext: listener.dial, DisableKeepAlives: true, DisableCompression: true}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		_ = server.Close()
		<-served
		conserved(t, n)
	})
	return &replay{T: t, net: n, weather: weather, schedule: s, answers: make(map[string]*replayed), http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// recordedOffer is the offer of the 103rd exchange as a rate.
func recordedOffer() Rate {
	keys := must(recordings()).keys
	issuer := keys["issuer"].Address()
	return Rate{Account: keys["maker"].Address(), Sells: "EUR:" + issuer, Buys: "USD:" + issuer, N: 11, D: 10}
}

// pipes is a listener without a network, whose connections synctest can see
// waiting.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// at plans something for a time.
func (r *replay) at(when time.Time, do func()) {
	r.plan = append(r.plan, planned{when, do})
}

// before plans something that is to be in a ledger.
func (r *replay) before(ledger uint32, do func()) { r.at(r.shortlyBefore(ledger), do) }

func (r *replay) shortlyBefore(ledger uint32) time.Time {
	return r.schedule.closes(ledger).Add(-300 * time.Millisecond)
}

// exchange plans a recorded exchange.
func (r *replay) exchange(rec *recording) {
	at := rec.StartedAt
	if rec.No == 29 { // would fund at once where the recorded one redirected
		at = at.Add(time.Second)
	}
	r.at(at, func() {
		answer := r.send(rec)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.answers[rec.id()] = answer
	})
}

// run lets all that is planned happen, each when it is due and not before what
// was due earlier is waiting or done.
func (r *replay) run(lastLedger uint32) {
	for ledger := uint32(3); ledger <= lastLedger; ledger++ {
		r.at(r.schedule.closes(ledger), r.net.CloseLedger)
	}
	slices.SortStableFunc(r.plan, func(a, b planned) int { return a.at.Compare(b.at) })
	for _, e := range r.plan {
		<-time.After(time.Until(e.at))
		r.running.Go(e.do)
		synctest.Wait()
	}
	r.running.Wait()
}

func (r *replay) send(rec *recording) *replayed {
	ctx := r.Context()
	if strings.HasPrefix(rec.ClosedBy, "client") {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(rec.ElapsedMS)*time.Millisecond)
		defer stop()
	}
	base := recordedURL
	if strings.HasPrefix(rec.Name, "ratelimited") { // asked of another Horizon
		base = "http://127.0.0.1:18100"
	}
	target := must(url.Parse(rec.Request.Path))
	if target.Host != "" { // friendbot's own port
		target.Path = "/friendbot"
	}
	req, err := http.NewRequestWithContext(ctx, rec.Request.Method, base+target.RequestURI(), strings.NewReader(rec.Request.Body))
	if err != nil {
		r.Errorf("%s: %v", rec.id(), err)
		return nil
	}
	if rec.Request.Body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range rec.Request.Headers {
		req.Header.Set(k, v)
	}
	began := time.Now()
	resp, err := r.http.Do(req)
	if err != nil {
		r.Errorf("%s: %v", rec.id(), err)
		return nil
	}
	defer resp.Body.Close()
	out := &replayed{status: resp.StatusCode, headers: resp.Header, took: time.Since(began)}
	piece := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(piece)
		if n > 0 {
			out.body = append(out.body, piece[:n]...)
			out.chunks = append(out.chunks, chunk{int(time.Since(began).Milliseconds()), string(piece[:n])})
		}
		if err != nil {
			if err != io.EOF && ctx.Err() == nil {
				r.Errorf("%s: %v", rec.id(), err)
			}
			return out
		}
	}
}

// What the recorder did without recording it.

// friendbot funds accounts in a ledger.
func (r *replay) friendbot(ledger uint32, addresses ...string) {
	for _, a := range addresses {
		r.before(ledger, func() { r.quietly("GET", "/friendbot?addr="+a, "") })
	}
}

// submit hands in an envelope that is to be in a ledger.
func (r *replay) submit(ledger uint32, envelope string) {
	r.before(ledger, func() { r.quietly("POST", "/transactions", url.Values{"tx": {envelope}}.Encode()) })
}

func (r *replay) quietly(method, path, form string) (status int, body []byte) {
	req, err := http.NewRequestWithContext(r.Context(), method, recordedURL+path, strings.NewReader(form))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		var resp *http.Response
		if resp, err = r.http.Do(req); err == nil {
			status = resp.StatusCode
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
	}
	if err != nil {
		r.Errorf("%s %s: %v", method, path, err)
	}
	return status, body
}

// setMaxOps changes how much fits into a ledger, as an upgrade of the network
// does.
func (n *Network) setMaxOps(ops int) {
	n.closing.Lock()
	defer n.closing.Unlock()
	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	n.cfg.MaxOps, n.queue.maxOps = ops, ops
}
