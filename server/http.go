package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bind binds an address before anything is built to be served there, so that
// what is in the way stops the start at once. The error names the setting that
// chooses the address. Port 0 takes any free one.
func bind(ctx context.Context, address, setting string) (net.Listener, error) {
	bound, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program; stop that one, or choose another port with %s", address, setting)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return bound, nil
}

// localURL names a bound loopback address as people type it.
func localURL(bound net.Listener) string {
	_, port, err := net.SplitHostPort(bound.Addr().String())
	if err != nil {
		return "" // a listener that is no TCP's; there is none
	}
	return "http://localhost:" + port
}

// unbind closes a listener that may be closed already: serving closes it.
func unbind(bound net.Listener) error {
	if err := bound.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// A listener is a bound address and what is served there.
type listener struct {
	name   string
	bound  net.Listener
	server *http.Server
	log    *slog.Logger
}

// drainTime is how long requests in flight have to finish at the end.
const drainTime = 10 * time.Second

// serveOn prepares to serve handler on a bound address, with the middleware
// that every listener has.
func serveOn(bound net.Listener, name string, handler http.Handler, logger *slog.Logger) *listener {
	logger = logger.With("listener", name)
	l := &listener{name: name, bound: bound, log: logger}
	stopping, stop := context.WithCancel(context.Background())
	l.server = &http.Server{
		Handler:           requests(logger, endStreams(stopping, handler)),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute, // streams clear it for themselves
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(lineWriter{logger}, "", 0),
	}
	l.server.RegisterOnShutdown(stop)
	return l
}

// Run serves until ctx is done, then lets requests in flight finish.
func (l *listener) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- l.server.Serve(l.bound) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", l.name, err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err := l.server.Shutdown(drain)
	if err != nil {
		l.log.WarnContext(ctx, "requests were cut off at the end", "after", drainTime)
		err = l.server.Close()
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// endStreams ends server-sent event streams when the server stops: they would
// not end by themselves, and every stop would take the whole drainTime.
func endStreams(stopping context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wantsStream(r) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(stopping, cancel)()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// requests is the outermost middleware: it gives each request an id, catches
// panics and writes the access log.
func requests(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := r.Header.Get("X-Request-Id")
		if !saneRequestID.MatchString(id) {
			id = rand.Text()
		}
		w.Header().Set("X-Request-Id", id)
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		seen := &response{ResponseWriter: w}
		cut := serve(logger, next, seen, r)

		level := slog.LevelInfo
		if slices.Contains(quietPaths, r.URL.Path) {
			level = slog.LevelDebug
		}
		// Neither the address nor the browser of the client: those are personal data.
		logger.LogAttrs(r.Context(), level, "request",
			slog.String("method", redactPath(r.Method)),
			slog.String("path", redactPath(r.URL.Path)),
			slog.String("query", redactQuery(r.URL.RawQuery)),
			slog.String("authorization", redactAuthorization(r.Header.Get("Authorization"))),
			slog.Int("status", seen.code()),
			slog.Int64("bytes", seen.bytes),
			slog.Duration("took", time.Since(start)))
		if cut {
			panic(http.ErrAbortHandler) // the client must not take half an answer for a whole one
		}
	})
}

// serve calls next and turns a panic into one log line and a 500. It reports
// whether the answer had begun by then, so that it can only be cut off.
func serve(logger *slog.Logger, next http.Handler, w *response, r *http.Request) (cut bool) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			cut = true // asked for, so nothing to report
			return
		}
		logger.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		if w.status != 0 {
			cut = true
			return
		}
		h := w.Header()
		// Whose pages may read the answer is as true of this one.
		maps.DeleteFunc(h, func(name string, _ []string) bool { return !strings.HasPrefix(name, "Access-Control-") })
		id := requestID(r.Context())
		h.Set("X-Request-Id", id)
		h.Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, err := fmt.Fprintf(w, `{"error":"something went wrong on our side; when you ask us about it, quote request %s"}`+"\n", id)
		if err != nil {
			cut = true
		}
	}()
	next.ServeHTTP(w, r)
	return false
}

// saneRequestID is what we accept from a proxy in front: long enough to be an
// id, short and plain enough for the log.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// quietPaths are asked every few seconds by machines.
var quietPaths = []string{"/healthz", "/readyz", "/metrics"}

// maxLogged is how much of a path the access log shows.
const maxLogged = 200

// redactPath is a path for the access log, up to what no path of ours has: what
// follows may be a query, tokens and all, that was encoded on its way here.
func redactPath(path string) string {
	plain := path[:min(len(path), maxLogged)]
	if i := strings.IndexFunc(plain, unplain); i >= 0 {
		plain = plain[:i]
	}
	if plain != path {
		plain += "…"
	}
	return plain
}

func unplain(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-", r)
}

// parameterName is what a parameter's name looks like. What does not may be a value.
var parameterName = regexp.MustCompile(`^[a-z_]{1,40}$`)

// plainParameters are the query parameters whose values the access log shows.
// All others may be a capability, a token or personal data.
var plainParameters = []string{"asset_code", "kind", "lang", "limit", "no_older_than"}

// redactQuery is a query for the access log: names, but only harmless values.
func redactQuery(raw string) string {
	var out []string
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		switch {
		case part == "":
			continue
		case err != nil, !parameterName.MatchString(name), len(out) == 20:
			out = append(out, "…")
		case slices.Contains(plainParameters, name) && len(value) <= 40:
			out = append(out, name+"="+value)
		default:
			out = append(out, name+"=[redacted]")
		}
		if len(out) > 20 {
			break
		}
	}
	return strings.Join(out, "&")
}

// redactAuthorization says how the client signed in and never with what.
func redactAuthorization(header string) string {
	scheme, _, found := strings.Cut(header, " ")
	switch {
	case header == "":
		return ""
	case found && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Basic")):
		return strings.ToLower(scheme)
	default:
		return "other"
	}
}

// response remembers what was answered. It flushes, since the event streams
// ask for that by type, and unwraps for http.ResponseController.
type response struct {
	http.ResponseWriter

	status int
	bytes  int64
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // what is below 200 comes before the answer
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Flush sends what was written so far.
func (w *response) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	// The only error is that the writer below cannot flush: then there is no hurry.
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the deadlines.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// code is the status that was sent; a handler that wrote nothing sends 200.
func (w *response) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
