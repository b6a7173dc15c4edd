package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/mux"
)

// TestSignInsAreLimited: by network address, and nothing else is.
func TestSignInsAreLimited(t *testing.T) {
	t.Parallel()
	r := mux.NewRouter()
	r.Use(limitSignIns(LimitsConfig{SignIns: 1}, newLog(io.Discard, LogConfig{Level: "error", Format: "json"})))
	r.PathPrefix("/").HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	ask := func(method, path, remote string) *httptest.ResponseRecorder {
		q := httptest.NewRequest(method, path, nil)
		q.RemoteAddr = remote
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		return w
	}
	for i, path := range []string{"/auth", "/interactive/x/session", "/auth", "/auth", "/auth", "/auth", "/auth", "/auth", "/auth", "/auth"} {
		if w := ask("POST", path, "192.0.2.1:1"); w.Code != http.StatusNoContent {
			t.Fatalf("%d: %d", i, w.Code)
		}
	}
	w := ask("GET", "/auth", "192.0.2.1:2")
	if h := w.Header(); w.Code != http.StatusTooManyRequests || h.Get("Retry-After") != "1" || h.Get("Access-Control-Allow-Origin") != "*" || w.Body.Len() == 0 {
		t.Errorf("%d %v %s", w.Code, h, w.Body)
	}
	for what, w := range map[string]*httptest.ResponseRecorder{
		"another address": ask("POST", "/auth", "192.0.2.2:1"), "a poll": ask("GET", "/sep24/transaction", "192.0.2.1:1"),
		"a preflight": ask("OPTIONS", "/auth", "192.0.2.1:1"),
	} {
		if w.Code != http.StatusNoContent {
			t.Errorf("%s: %d", what, w.Code)
		}
	}
}

// TestCaller: who is limited, and who cannot pretend to be somebody else.
func TestCaller(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		is           string
	}{
		{"direct", "192.0.2.1:5000", nil, "192.0.2.1"},
		{"pretends", "192.0.2.1:5000", []string{"203.0.113.9"}, "192.0.2.1"},
		{"behind a proxy", "10.0.0.1:5000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"behind two", "10.0.0.1:5000", []string{"203.0.113.9, 10.1.1.1"}, "203.0.113.9"},
		{"in two headers", "10.0.0.1:5000", []string{"203.0.113.9", "10.1.1.1"}, "203.0.113.9"},
		{"pretends behind a proxy", "10.0.0.1:5000", []string{"198.51.100.7, 203.0.113.9"}, "203.0.113.9"},
		{"with its port", "10.0.0.1:5000", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		{"nonsense", "10.0.0.1:5000", []string{"203.0.113.9, x"}, "10.0.0.1"},
		{"the proxy itself", "10.0.0.1:5000", nil, "10.0.0.1"},
		{"IPv6", "[2001:db8:1:2:3:4:5:6]:5000", nil, "2001:db8:1:2::/64"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:5000", nil, "192.0.2.1"},
		{"a proxy by IPv4 in IPv6", "[::ffff:10.0.0.1]:5000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"a zone", "[fe80::1%eth0]:5000", nil, "fe80::/64"},
		{"no address", "pipe", nil, "pipe"},
	} {
		limits := LimitsConfig{SignIns: 1, Starts: 1, Polls: 1, Documents: 1, TrustedProxies: []string{"10.0.0.0/8", "::1"}}
		k := check{reading: &reading{}}
		k.limits(&limits)
		r := httptest.NewRequest("GET", "/auth", nil)
		r.RemoteAddr = c.remote
		r.Header["X-Forwarded-For"] = c.forwarded
		if got := limits.caller(r); got != c.is || len(k.problems) != 0 {
			t.Errorf("%s: %s, expected %s (%v)", c.name, got, c.is, k.problems)
		}
	}
}
