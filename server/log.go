package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
)

// levels are what log.level may say.
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug,
	"info":  slog.LevelInfo,
	"warn":  slog.LevelWarn,
	"error": slog.LevelError,
}

// newLog writes text to a terminal and JSON anywhere else, unless the
// configuration says which. Whatever is logged with a request's context carries
// the request's id.
func newLog(w io.Writer, c LogConfig) *slog.Logger {
	options := &slog.HandlerOptions{Level: levels[c.Level]}
	var h slog.Handler = slog.NewJSONHandler(w, options)
	if c.Format == "text" || c.Format != "json" && terminal(w) {
		h = slog.NewTextHandler(w, options)
	}
	return slog.New(withRequestID{h})
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// requestIDKey is where a request's context keeps its id.
type requestIDKey struct{}

// requestID is the id of the request that ctx belongs to, or "".
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// withRequestID is a log handler that adds request_id. The rooms log with the
// request's context and need not know how it got there.
type withRequestID struct{ slog.Handler }

func (h withRequestID) Handle(ctx context.Context, r slog.Record) error {
	if id := requestID(ctx); id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h withRequestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withRequestID{h.Handler.WithAttrs(attrs)}
}

func (h withRequestID) WithGroup(name string) slog.Handler {
	return withRequestID{h.Handler.WithGroup(name)}
}

// lineWriter hands what net/http has to complain about to the log.
type lineWriter struct{ log *slog.Logger }

func (w lineWriter) Write(p []byte) (int, error) {
	w.log.Warn(strings.TrimSpace(string(p)))
	return len(p), nil
}
