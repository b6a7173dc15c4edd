package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"windlass/server/rig"
	"windlass/server/session"
)

// TestStreamsOfOneLink: whoever was shown a customer's link cannot hold more than some
// streams with it, and those who close one make room. The customer's own have theirs.
func TestStreamsOfOneLink(t *testing.T) {
	t.Parallel()
	a := newAsking(t)
	server := httptest.NewServer(a.public)
	t.Cleanup(server.Close)
	follow := func(authorization string) (status int, header http.Header, leave func() error) {
		t.Helper()
		body := `{"query":"subscription { transaction(id: \"` + a.deposit.ID + `\") { status } }"}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/graphql", strings.NewReader(body))
		rig.Must(t, err)
		r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"},
			session.TransactionHeader: {a.deposit.ID}, "Authorization": {authorization}}
		resp, err := http.DefaultClient.Do(r)
		rig.Must(t, err)
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp.StatusCode, resp.Header, resp.Body.Close
	}
	link := "Capability " + a.keys.Capability(a.deposit.ID)
	status, _, leave := follow(link)
	for n := 1; n < maxStreamsOfOne && status == http.StatusOK; n++ {
		status, _, _ = follow(link)
	}
	if status != http.StatusOK {
		t.Fatalf("%d before there are %d", status, maxStreamsOfOne)
	}
	if status, header, _ := follow(link); status != http.StatusTooManyRequests || header.Get("Retry-After") == "" {
		t.Errorf("one more is answered %d %v", status, header)
	}
	bearer, err := a.bearer(func(method, address string, header http.Header, body, answer any) error {
		return request(t.Context(), http.DefaultClient, method, address, header, body, answer)
	}, server.URL)
	rig.Must(t, err)
	if status, _, _ := follow(bearer.Get("Authorization")); status != http.StatusOK {
		t.Errorf("the customer is answered %d", status)
	}
	rig.Must(t, leave())
	rig.Until(t, "a place that was left is free", func() bool {
		status, _, _ := follow(link)
		return status == http.StatusOK
	})
}

// TestPagesAreLimited: how often one session asks is bounded, and the next one's asks
// are its own.
func TestPagesAreLimited(t *testing.T) {
	t.Parallel()
	pages := limitPages(LimitsConfig{Polls: 1}, slog.New(slog.DiscardHandler), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	ask := func(who session.Caller) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, httptest.NewRequestWithContext(session.WithCaller(t.Context(), who), http.MethodPost, "/graphql", nil))
		return w
	}
	one := session.Caller{Role: session.Customer, Transaction: "one"}
	answered := 0
	var w *httptest.ResponseRecorder
	for w = ask(one); w.Code == http.StatusOK && answered < 1000; w = ask(one) {
		answered++
	}
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" || answered < 10 {
		t.Errorf("after %d: %d %v", answered, w.Code, w.Header())
	}
	for _, other := range []session.Caller{{Role: session.Viewer, Transaction: "one"}, {Role: session.Customer, Transaction: "two"}, {}} {
		if w := ask(other); w.Code != http.StatusOK {
			t.Errorf("%+v: %d", other, w.Code)
		}
	}
}

// TestStreamsOfAll: all together are bounded, too, and the books forget who has gone.
func TestStreamsOfAll(t *testing.T) {
	t.Parallel()
	o := openStreams{of: map[session.Caller]int{}}
	who := func(i int) session.Caller {
		return session.Caller{Role: session.Customer, Transaction: string(rune(i / maxStreamsOfOne))}
	}
	for i := range maxStreams {
		if !o.enter(who(i)) {
			t.Fatalf("no place beside %d", i)
		}
	}
	if late := (session.Caller{Role: session.Viewer}); o.enter(late) {
		t.Error("one more has a place")
	}
	for i := range maxStreams {
		o.leave(who(i))
	}
	if o.all != 0 || len(o.of) != 0 {
		t.Errorf("%d are left, %v", o.all, o.of)
	}
}
