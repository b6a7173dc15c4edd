package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"time"
)

// Event streams, byte for byte as Horizon's: an opening, events without a
// type, a farewell that tells the client to come back at once. There is no
// heartbeat.
const (
	streamHello  = "retry: 1000\nevent: open\ndata: \"hello\"\n\n"
	streamByebye = "retry: 10\nevent: close\ndata: \"byebye\"\n\n"

	// streamFor is how long a stream lasts at most.
	streamFor = 55 * time.Second
	// streamStuck is how long a client may take to accept what is written.
	streamStuck = 30 * time.Second
)

// stream answers a GET with events. It looks for news every StreamEvery
// counted from now, and ends after as many events as the limit says.
func (e endpoint) stream(w http.ResponseWriter, q *request) {
	source, err := e.newSource(q)
	var news []record
	if err == nil {
		news, err = source.next()
	}
	if err != nil {
		e.fail(w, q.Request, err) // nothing is streamed yet
		return
	}
	out := newEventWriter(w)
	look := time.NewTicker(e.cfg.StreamEvery)
	defer look.Stop()
	end := time.NewTimer(streamFor)
	defer end.Stop()

	out.send(streamHello)
	// With it, a body that nobody wants has been read or given up.
	_ = out.out.SetReadDeadline(time.Now().Add(streamFor + streamStuck))
	for ; ; news, err = source.next() {
		if err != nil {
			out.fail(e.api, q, err)
			return
		}
		out.events(news)
		if source.left -= len(news); source.left <= 0 || out.err != nil || !source.wait(look, end) {
			break
		}
	}
	out.send(streamByebye)
}

// wait waits until it is time to look, or tells that it is time to end.
func (s *source) wait(look *time.Ticker, end *time.Timer) bool {
	select {
	case <-look.C:
	case <-end.C:
		return false
	case <-s.stopping:
		return false
	case <-s.replaced:
		return false
	case <-s.q.Context().Done():
		return false
	}
	select {
	case <-end.C: // both at once
		return false
	case <-s.replaced:
		return false
	default:
		return true
	}
}

// An eventWriter writes a stream, as long as the client takes it.
type eventWriter struct {
	w   http.ResponseWriter
	out *http.ResponseController
	err error
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	out := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "keep-alive")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Del("Access-Control-Expose-Headers")
	w.WriteHeader(http.StatusOK)
	return &eventWriter{w: w, out: out}
}

// send writes and flushes. After an error it does nothing.
func (o *eventWriter) send(text string) {
	if o.err != nil {
		return
	}
	_ = o.out.SetWriteDeadline(time.Now().Add(streamStuck))
	if _, o.err = o.w.Write([]byte(text)); o.err == nil {
		o.err = o.out.Flush()
	}
}

// events writes one message for each record; an object's has no id.
func (o *eventWriter) events(news []record) {
	for _, r := range news {
		data, err := json.Marshal(r.body)
		if err != nil {
			o.err = err
			return
		}
		if r.token == "" {
			o.send(fmt.Sprintf("data: %s\n\n", data))
		} else {
			o.send(fmt.Sprintf("id: %s\ndata: %s\n\n", r.token, data))
		}
	}
}

// fail ends a stream that has begun, such as that of an account merged away,
// as Horizon does: without a farewell.
func (o *eventWriter) fail(a *api, q *request, err error) {
	text := "Unexpected stream error"
	if p, ok := errors.AsType[problem](err); ok {
		text = fmt.Sprintf("problem: %s. full details: %s", p.Type, p.Detail)
	} else {
		a.cfg.Logger.ErrorContext(q.Context(), "sandbox: stream", "path", q.URL.Path, "error", err)
	}
	o.send(fmt.Sprintf("event: error\ndata: %s\n\n", text))
}

// A source yields what is new since it was last asked.
type source struct {
	endpoint
	q        *request
	left     int           // of the limit
	seen     uint32        // the ledger of the last look
	last     any           // of an object, what was sent
	replaced chan struct{} // closed when the ledgers are others
}

func (e endpoint) newSource(q *request) (*source, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s := &source{endpoint: e, q: q, left: defaultLimit, replaced: e.replaced}
	if e.list == nil {
		return s, nil
	}
	var err error
	q.page, err = e.pageOf(q)
	s.left = q.page.limit
	return s, err
}

// next looks, if there has been a ledger since.
func (s *source) next() ([]record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.history.last().seq
	if s.seen == now {
		return nil, nil
	}
	s.seen = now
	if s.list == nil {
		body, err := s.read(s.q)
		if err != nil || sameObject(body, s.last) {
			return nil, err
		}
		s.last = body
		return []record{{body: body}}, nil
	}
	page := &s.q.page
	page.limit = s.left
	news, err := s.list(s.q)
	// Fewer than the limit are all there are, and with as many the stream ends:
	// nothing has to be looked at twice.
	switch {
	case !page.descending:
		page.cursor, page.second = endOf(now), math.MaxInt64
	case len(news) > 0 || page.given != "":
		page.cursor, page.second = 0, 0
	}
	return news, err
}

// sameObject says whether a streamed object is not worth sending again. Horizon
// compares accounts by their ids alone, so one is told only once, whatever
// happens to it.
func sameObject(a, b any) bool {
	x, is := a.(accountBody)
	y, was := b.(accountBody)
	if is && was {
		return x.ID == y.ID
	}
	return reflect.DeepEqual(a, b)
}
