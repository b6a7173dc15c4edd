package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/mux"

	"windlass/server/anchor"
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

// TestUploadsAreLimited: a customer may send many documents at once and then one now
// and then; and from one network no more comes in an hour than its share.
func TestUploadsAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		allow := LimitsConfig{Documents: 20_000}.uploads()
		ana, memo := anchor.Identity{Account: "G", Client: "a.example"}, anchor.Identity{Account: "G", Memo: "1"}
		for range 30 {
			if !allow("net", ana, 100) {
				t.Fatal("one of the first is refused")
			}
		}
		other := ana
		other.Client = "b.example"
		if allow("net", ana, 100) || allow("elsewhere", other, 100) {
			t.Error("one too many is taken")
		}
		if !allow("net", memo, 100) {
			t.Error("another customer is refused")
		}
		<-time.After(2 * time.Minute)
		if !allow("net", ana, 100) || allow("net", ana, 100) {
			t.Error("after two minutes not one more is taken")
		}

		taken := 0
		for n := 0; allow("far", anchor.Identity{Account: "G", Memo: fmt.Sprint(n / 3)}, anchor.MaxFile-1); n++ {
			taken++
		}
		if taken != 25 { // of 8 MiB: a hundredth
			t.Errorf("%d large ones are taken of a network", taken)
		}
		<-time.After(time.Hour)
		for taken = 0; allow("far", anchor.Identity{Account: "H", Memo: fmt.Sprint(taken / 3)}, anchor.MaxFile-1); taken++ {
		}
		if taken != 25 {
			t.Errorf("%d an hour later", taken)
		}
		if !allow("net", anchor.Identity{Account: "I"}, anchor.MaxFile) {
			t.Error("another network is refused")
		}
	})
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
		limits := LimitsConfig{SignIns: 1, Starts: 1, Polls: 1, Documents: 1, DocumentsPerCustomer: 1, TrustedProxies: []string{"10.0.0.0/8", "::1"}}
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
