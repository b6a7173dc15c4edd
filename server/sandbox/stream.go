package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
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
	var events []event
	if err == nil {
		events, err = source.next()
	}
	if err != nil {
		e.fail(w, q.Request, err) // nothing is streamed yet
		return
	}

	out := http.NewResponseController(w)
	send := func(text string) bool {
		setDeadlines(w, time.Now().Add(streamStuck))
		if _, err := w.Write([]byte(text)); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	defer setDeadlines(w, time.Time{})
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "keep-alive")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Del("Access-Control-Expose-Headers")
	w.WriteHeader(http.StatusOK)

	look := time.NewTicker(e.cfg.StreamEvery)
	defer look.Stop()
	end := time.NewTimer(streamFor)
	defer end.Stop()

	text := streamHello
	for left := source.limit; ; {
		for _, ev := range events {
			text += ev.String()
			left--
		}
		if text != "" && !send(text) {
			return
		}
		if left <= 0 {
			break
		}
		select {
		case <-look.C:
			if events, err = source.next(); err != nil {
				e.cfg.Logger.Error("sandbox: stream", "path", q.URL.Path, "error", err)
				return
			}
			events = events[:min(len(events), left)]
			text = ""
			continue
		case <-end.C:
		case <-e.stopping:
		case <-q.Context().Done():
			return
		}
		break
	}
	send(streamByebye)
}

// An event is one message. An object's has no id.
type event struct {
	id   string
	data []byte
}

func (e event) String() string {
	if e.id == "" {
		return fmt.Sprintf("data: %s\n\n", e.data)
	}
	return fmt.Sprintf("id: %s\ndata: %s\n\n", e.id, e.data)
}

// A source yields what is new since it was last asked.
type source struct {
	endpoint
	q     *request
	limit int
	last  []byte // of an object, what was sent
}

func (e endpoint) newSource(q *request) (*source, error) {
	s := &source{endpoint: e, q: q, limit: defaultLimit}
	if e.list == nil {
		return s, nil
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	var err error
	if q.page, err = e.pageOf(q, q.Header.Get("Last-Event-ID")); err != nil {
		return nil, err
	}
	s.limit = q.page.limit
	return s, nil
}

func (s *source) next() ([]event, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.list == nil {
		body, err := s.read(s.q)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(body)
		if err != nil || bytes.Equal(data, s.last) {
			return nil, err
		}
		s.last = data
		return []event{{data: data}}, nil
	}
	records, err := s.list(s.q)
	if err != nil {
		return nil, err
	}
	var events []event
	for _, r := range records {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		events = append(events, event{r.token, data})
	}
	if n := len(records); n > 0 {
		if _, err := fmt.Sscan(records[n-1].token, &s.q.page.cursor); err != nil {
			return nil, fmt.Errorf("the paging token %q: %w", records[n-1].token, err)
		}
	}
	return events, nil
}
