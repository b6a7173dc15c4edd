package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/server/sep"
)

// logged is a log that a test can read.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) logger() *slog.Logger {
	return newLog(l, LogConfig{Level: "debug", Format: "json"})
}

// lines are the entries with the given message.
func (l *logged) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(l.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if entry["msg"] == message {
			out = append(out, entry)
		}
	}
	return out
}

// start runs a listener on a free port; stop ends it and waits.
func start(t *testing.T, h http.Handler, l *logged) (url string, stop func() error) {
	t.Helper()
	bound, err := bind(t.Context(), "127.0.0.1:0", "listen.public")
	if err != nil {
		t.Fatal(err)
	}
	ln := serveOn(bound, "public", h, l.logger())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ln.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return localURL(bound), stop
}

type answer struct {
	status int
	header http.Header
	body   string
}

func get(t *testing.T, url string, header ...string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	var l logged
	logger := l.logger()
	url, stop := start(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		logger.InfoContext(r.Context(), "from a room")
	}), &l)
	tests := []struct {
		sent string
		kept bool
	}{
		{"", false},
		{"0199b2b4-6f5e-7b8a-9c3d-2f1e0d4c5b6a", true},
		{"short", false},
		{strings.Repeat("a", 65), false},
		{`inject"ed=value`, false},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		got, err := get(t, url, "X-Request-Id", tt.sent)
		if err != nil {
			t.Fatal(err)
		}
		id := got.header.Get("X-Request-Id")
		if (id == tt.sent) != tt.kept || !saneRequestID.MatchString(id) || seen[id] {
			t.Errorf("sent %q, got %q", tt.sent, id)
		}
		seen[id] = true
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, message := range []string{"from a room", "request"} {
		entries := l.lines(t, message)
		if len(entries) != len(tests) {
			t.Errorf("%d entries %q, want %d", len(entries), message, len(tests))
		}
		for _, e := range entries {
			if id, _ := e["request_id"].(string); !seen[id] {
				t.Errorf("an entry without its request's id: %v", e)
			}
		}
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	var l logged
	url, stop := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	}), &l)
	if _, err := get(t, url+"/sep24/transactions?asset_code=USDX&token=eyJsecret&memo=123", "Authorization", "Bearer eyJsecret"); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, url+"/healthz"); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	entries := l.lines(t, "request")
	if len(entries) != 2 {
		t.Fatalf("%d entries", len(entries))
	}
	for _, e := range entries {
		for _, changing := range []string{"time", "took", "request_id"} {
			delete(e, changing)
		}
	}
	want := []map[string]any{{
		"level": "INFO", "msg": "request", "listener": "public", "method": "GET", "path": "/sep24/transactions",
		"query": "asset_code=USDX&token=[redacted]&memo=[redacted]", "authorization": "bearer",
		"status": 418.0, "bytes": 15.0,
	}, {
		"level": "DEBUG", "msg": "request", "listener": "public", "method": "GET", "path": "/healthz",
		"query": "", "authorization": "", "status": 418.0, "bytes": 15.0,
	}}
	if diff := cmp.Diff(want, entries); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if strings.Contains(l.String(), "secret") {
		t.Errorf("the log holds a secret:\n%s", &l)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		handler http.HandlerFunc
		cut     bool // the client sees a broken answer
		logged  int
	}{
		{"before the answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Encoding", "gzip")
			panic("the drum is stuck")
		}, false, 1},
		{"where wallets' pages read", sep.CORS(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the drum is stuck") })).ServeHTTP, false, 1},
		{"with an error", func(http.ResponseWriter, *http.Request) { panic(errors.New("the drum is stuck")) }, false, 1},
		{"amid the answer", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("half", 10_000))
			panic("the drum is stuck")
		}, true, 1},
		{"meant as an abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l logged
			url, stop := start(t, tt.handler, &l)
			got, err := get(t, url)
			switch {
			case tt.cut && err == nil:
				t.Errorf("the answer looks whole: %d %q", got.status, got.body)
			case tt.cut:
			case err != nil:
				t.Error(err)
			default:
				var told struct{ Error string }
				if err := json.Unmarshal([]byte(got.body), &told); err != nil {
					t.Errorf("%v in %q", err, got.body)
				}
				id := got.header.Get("X-Request-Id")
				if got.status != 500 || id == "" || !strings.Contains(told.Error, id) || strings.Contains(got.body, "drum") {
					t.Errorf("%d %q, id %q", got.status, got.body, id)
				}
				if ct := got.header.Get("Content-Type"); ct != "application/json" || got.header.Get("Content-Encoding") != "" {
					t.Errorf("headers %v", got.header)
				}
				open := got.header.Get("Access-Control-Allow-Origin") == "*" && strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "X-Request-Id")
				if open != (tt.name == "where wallets' pages read") {
					t.Errorf("CORS: %v", got.header)
				}
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			entries := l.lines(t, "panic")
			if len(entries) != tt.logged || len(l.lines(t, "request")) != 1 {
				t.Errorf("%d panics logged, want %d:\n%s", len(entries), tt.logged, &l)
			}
			for _, e := range entries {
				if e["cause"] != "the drum is stuck" || e["request_id"] == nil || e["stack"] == nil {
					t.Errorf("entry %v", e)
				}
			}
		})
	}
}

func TestRedactQuery(t *testing.T) {
	t.Parallel()
	tests := []struct{ query, want string }{
		{"", ""},
		{"lang=es&kind=deposit", "lang=es&kind=deposit"},
		{"token=abc", "token=[redacted]"},
		{"TOKEN=abc&t%6Fken=abc", "…&token=[redacted]"},
		{"c%3DhAeX0WATCe8KWWPbF3jxMA", "…"}, // a link that was encoded once more
		{"hAeX0WATCe8KWWPbF3jxMA", "…"},
		{"bare", "bare=[redacted]"},
		{"callback=https://wallet.example/?jwt=abc", "callback=[redacted]"},
		{"a=1&&b=2", "a=[redacted]&b=[redacted]"},
		{"lang=" + strings.Repeat("x", 41), "lang=[redacted]"},
		{strings.Repeat("x", 41) + "=1", "…"},
		{"%zz=1", "…"},
		{strings.Repeat("a=1&", 30), strings.Repeat("a=[redacted]&", 20) + "…"},
	}
	for _, tt := range tests {
		if got := redactQuery(tt.query); got != tt.want {
			t.Errorf("redactQuery(%q) = %q, want %q", tt.query, got, tt.want)
		}
	}
}

func TestRedactPath(t *testing.T) {
	t.Parallel()
	const id = "0199b2b4-6f5e-7b8a-9c3d-2f1e0d4c5b6a"
	for path, want := range map[string]string{
		"/transaction/" + id:                 "/transaction/" + id,
		"/.well-known/stellar.toml":          "/.well-known/stellar.toml",
		"/transaction/" + id + "?c=secret":   "/transaction/" + id + "…", // from …%3Fc=secret
		"/transaction/" + id + "&c=secret":   "/transaction/" + id + "…",
		"/interactive/" + id + "\n=secret":   "/interactive/" + id + "…",
		"/" + strings.Repeat("x", 60_000):    "/" + strings.Repeat("x", maxLogged-1) + "…",
		"/" + strings.Repeat("é", maxLogged): "/…",
		"":                                   "",
	} {
		if got := redactPath(path); got != want {
			t.Errorf("redactPath(%.60q) = %q, want %q", path, got, want)
		}
	}
}

func TestRedactAuthorization(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "", "Bearer abc": "bearer", "basic abc": "basic", "abc": "other", "Secret abc": "other", "Bearer": "other",
	} {
		if got := redactAuthorization(header); got != want {
			t.Errorf("redactAuthorization(%q) = %q, want %q", header, got, want)
		}
	}
}

// TestStopLetsRequestsFinish stops a listener with a request in flight and an
// event stream open: the one is answered, the other is ended.
func TestStopLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	var l logged
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "done")
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, ":\n\n")
		if f, ok := w.(http.Flusher); ok { // as the GraphQL event streams ask for it
			f.Flush()
		} else {
			t.Error("the answer cannot be flushed")
		}
		entered <- struct{}{}
		<-r.Context().Done()
		close(release) // the stream was ended while the request is in flight
	})
	url, stop := start(t, mux, &l)
	type result struct {
		answer

		err error
	}
	results := make(chan result, 2)
	for _, path := range []string{"/slow", "/stream"} {
		go func() {
			got, err := get(t, url+path, "Accept", map[string]string{"/slow": "*/*", "/stream": "text/event-stream"}[path])
			results <- result{got, err}
		}()
		<-entered
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	got := map[string]bool{}
	for range 2 {
		a := <-results
		if a.err != nil {
			t.Error(a.err)
		}
		got[a.body] = true
	}
	if !got["done"] || !got[":\n\n"] {
		t.Errorf("answers: %v", got)
	}
}
