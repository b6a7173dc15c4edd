package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A moment is one around a submission.
type moment string

const (
	beforeSubmit moment = "before" // the network never sees it
	afterSubmit  moment = "after"  // the network has it; the anchor never hears
	answered     moment = "past"   // the anchor has heard
)

// A gate stands between the anchor and its Horizon and can shoot exactly before
// or after a submission passes.
type gate struct {
	url   string
	proxy *httputil.ReverseProxy

	mu    sync.Mutex
	when  moment
	left  int
	shoot func()
	shot  *bool
}

// A mailbox is where the anchor tells wallets what became of their transactions:
// POST /KIND/ID. It can shoot when a message has come and was not answered yet:
// between the outbox's read and its write.
type mailbox struct {
	url string

	mu    sync.Mutex
	got   map[message]int
	left  int
	shoot func()
	shot  *bool
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	m := &mailbox{got: map[message]int{}}
	s := httptest.NewServer(m)
	m.url = s.URL
	t.Cleanup(s.Close)
	return m
}

// arm shoots at the n-th message from now; 0 is never.
func (m *mailbox) arm(n int, shoot func()) (shot *bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left, m.shoot, m.shot = n, shoot, new(bool)
	return m.shot
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	kind, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	m.mu.Lock()
	m.got[message{id, kind}]++
	m.left--
	shoot := m.left == 0
	if shoot {
		*m.shot = true
	}
	m.mu.Unlock()
	if shoot {
		m.shoot()
	}
	w.WriteHeader(http.StatusNoContent)
}

// missing are the messages of which fewer came than there were.
func (m *mailbox) missing(want map[message]int) (all []message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for what, n := range want {
		if m.got[what] < n {
			all = append(all, what)
		}
	}
	return all
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	g := &gate{proxy: &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = target.Host },
		Transport:     transport,
		FlushInterval: -1, // streams
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}}
	s := httptest.NewServer(g)
	g.url = s.URL
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		transport.CloseIdleConnections()
	})
	return g
}

// arm shoots at the n-th submission from now.
func (g *gate) arm(when moment, n int, shoot func()) (shot *bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.when, g.left, g.shoot, g.shot = when, n, shoot, new(bool)
	return g.shot
}

func (g *gate) disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = 0
}

// due counts a submission and says whether it is the one.
func (g *gate) due(r *http.Request) (when moment, shoot func()) {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/transactions") {
		return "", nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.left--; g.left != 0 {
		return "", nil
	}
	*g.shot = true
	return g.when, g.shoot
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		// The proxy ends a broken stream so, which is no news here.
		if p := recover(); p != nil && p != http.ErrAbortHandler { //nolint:errorlint // a panic's value is no chain
			panic(p)
		}
	}()
	switch when, shoot := g.due(r); when {
	case beforeSubmit:
		shoot()
	case afterSubmit:
		g.proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
		shoot()
	case answered:
		g.proxy.ServeHTTP(w, r)
		shoot()
	default:
		g.proxy.ServeHTTP(w, r)
	}
}
