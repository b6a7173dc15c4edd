package sandbox

import (
	"bytes"
	"net/http"
	"strings"
)

// bendStream serves a stream whose events a bentStream passes on.
func (s *strike) bendStream() {
	s.next.ServeHTTP(&bentStream{ResponseWriter: s.w, strike: s}, s.r)
}

// A bentStream takes a stream of events apart and does to it what the fault
// says. Answers that are no stream pass as they are.
type bentStream struct {
	http.ResponseWriter
	strike *strike
	rest   []byte // of a message that has not ended
	passed int    // events
}

// Unwrap lets http.ResponseController flush and reach the deadlines.
func (b *bentStream) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// Write passes whole messages on.
func (b *bentStream) Write(p []byte) (int, error) {
	if !strings.HasPrefix(b.Header().Get("Content-Type"), asStream) {
		return b.ResponseWriter.Write(p)
	}
	b.rest = append(b.rest, p...)
	for {
		end := bytes.Index(b.rest, []byte("\n\n"))
		if end < 0 {
			return len(p), nil
		}
		message := b.rest[:end+2]
		b.rest = b.rest[end+2:]
		if err := b.pass(message); err != nil {
			return 0, err
		}
	}
}

func (b *bentStream) pass(message []byte) error {
	// The opening and the farewell are events with a type.
	event := !bytes.HasPrefix(message, []byte("event: ")) && !bytes.Contains(message, []byte("\nevent: "))
	due := b.passed >= b.strike.Events
	switch {
	case event && due && b.strike.Kind == TruncateStream:
		b.strike.hit()
		message = message[:len(message)/2]
	case event && due && b.strike.Kind == RepeatEvents:
		b.strike.hit()
		message = bytes.Repeat(message, 2)
	}
	if _, err := b.ResponseWriter.Write(message); err != nil { //nolint:gosec // it passes on what the stream has written
		return err
	}
	if event {
		b.passed++
	}
	b.strikeAfter(event && due)
	return nil
}

// strikeAfter does what follows a message: late tells that the event was the
// one to strike.
func (b *bentStream) strikeAfter(late bool) {
	switch kind := b.strike.Kind; {
	case kind == TruncateStream && late:
	case kind == CutStream && b.passed >= b.strike.Events:
	case kind == StallStream && b.passed >= b.strike.Events:
	default:
		return
	}
	b.strike.hit()
	_ = http.NewResponseController(b.ResponseWriter).Flush() // if it cannot, the client is gone
	if b.strike.Kind == StallStream {
		b.strike.wait(b.strike.patience())
	}
	cut()
}
