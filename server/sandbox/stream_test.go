package sandbox

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStreamOfBacklog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := key("a"), key("b")
	w.fund("100", a, b)
	w.ok(w.send(w.tx(a, ops(pay(b, "1", lumen), pay(b, "2", lumen)))))
	path := "/accounts/" + a.Address() + "/payments"
	r := w.get(path+"?cursor=0&limit=2", "Accept", asStream)
	frame := func(text string) string {
		var kept []string
		for line := range strings.SplitSeq(text, "\n") {
			if id, ok := strings.CutPrefix(line, "id: "); ok && id != "" {
				line = "id:"
			} else if strings.HasPrefix(line, "data: {") {
				line = "data: {"
			}
			kept = append(kept, line)
		}
		return strings.Join(kept, "\n")
	}
	want := recorded(t, "198").streamText()
	if frame(r.text) != frame(want) {
		t.Errorf("streamed %q, recorded %q", frame(r.text), frame(want))
	}
	for k, v := range map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*",
	} {
		if r.header.Get(k) != v {
			t.Errorf("%s is %q", k, r.header.Get(k))
		}
	}
	// Last-Event-ID goes before the cursor.
	records := as[array](w.get(path).at("_embedded", "records"))
	second := as[string](as[object](records[1])["id"])
	r = w.get(path+"?cursor=0&limit=1", "Accept", asStream, "Last-Event-ID", second)
	if third := as[string](as[object](records[2])["id"]); !strings.Contains(r.text, "id: "+third+"\n") {
		t.Errorf("after %s came %s", second, r.text)
	}
	if r := w.get(path, "Accept", asStream, "Last-Event-ID", "abc"); r.status != 400 || r.at("extras", "invalid_field") != "cursor" {
		t.Errorf("a bad id: %d %s", r.status, r.text)
	}
	if r := w.get(path+"?order=desc&limit=3", "Accept", asStream); strings.Count(r.text, "\nid: ") != 3 {
		t.Errorf("descending: %s", r.text)
	}
	if r := w.get("/accounts/"+key("nobody").Address(), "Accept", asStream); r.status != 404 || r.header.Get("Content-Type") != "application/problem+json; charset=utf-8" {
		t.Errorf("an account that is not there: %d %s", r.status, r.text)
	}
}

// A stream looks for news every five seconds counted from its beginning, and
// lasts 55.
func TestStreamTiming(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, do := bubble(t, Config{})
		channel := n.bot.channels[0].Address()
		path := "/accounts/" + channel + "/payments?cursor=now"
		time.Sleep(600 * time.Millisecond) //nolint:forbidigo // the bubble's time, which nobody waits for

		start := time.Now()
		var stream, object, idle *httptest.ResponseRecorder
		timed := &stamps{ResponseRecorder: httptest.NewRecorder(), start: start}
		h := n.Handler()
		ended := make(chan time.Duration, 3)
		go func() {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Accept", asStream)
			h.ServeHTTP(timed, r)
			stream = timed.ResponseRecorder
			ended <- time.Since(start)
		}()
		go func() {
			object = do("GET", "/accounts/"+channel, "", "Accept", asStream)
			ended <- time.Since(start)
		}()
		go func() {
			idle = do("GET", "/accounts/"+n.bot.channels[1].Address()+"/payments?cursor=now", "", "Accept", asStream)
			ended <- time.Since(start)
		}()
		time.Sleep(6 * time.Second) //nolint:forbidigo // the bubble's time, which nobody waits for
		envelope := rootPays(t, channel, 2, "1")
		if r := do("POST", "/transactions", url.Values{"tx": {envelope}}.Encode()); r.Code != 200 {
			t.Fatalf("%d %s", r.Code, r.Body)
		}
		for range 3 {
			if d := <-ended; d != streamFor {
				t.Errorf("a stream lasted %s", d)
			}
		}
		if want := []time.Duration{0, 10 * time.Second, 55 * time.Second}; len(timed.at) != 3 || timed.at[0] != want[0] || timed.at[1] != want[1] || timed.at[2] != want[2] {
			t.Errorf("it wrote at %v", timed.at)
		}
		if got := stream.Body.String(); !strings.HasPrefix(got, streamHello+"id: ") || !strings.HasSuffix(got, "}\n\n"+streamByebye) {
			t.Errorf("it wrote %q", got)
		}
		if got := object.Body.String(); strings.Count(got, "data: {") != 1 || strings.Contains(got, "id: ") {
			t.Errorf("the account's stream wrote %q", got)
		}
		if got := idle.Body.String(); got != streamHello+streamByebye {
			t.Errorf("the idle stream wrote %q", got)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// stamps notes when something was written.
type stamps struct {
	*httptest.ResponseRecorder
	start time.Time
	at    []time.Duration
}

func (s *stamps) Write(p []byte) (int, error) {
	s.at = append(s.at, time.Since(s.start))
	return s.ResponseRecorder.Write(p)
}

func (s *stamps) Unwrap() *httptest.ResponseRecorder { return s.ResponseRecorder }

func TestStreamOfLedgers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, do := bubble(t, Config{StreamEvery: time.Second})
		start := time.Now()
		r := do("GET", "/ledgers?cursor=now", "", "Accept", asStream)
		if got := strings.Count(r.Body.String(), "\nid: "); got != 10 {
			t.Errorf("%d ledgers in %s", got, time.Since(start))
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseEndsStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, do := bubble(t, Config{CloseEvery: -1})
		ended := make(chan string)
		go func() { ended <- do("GET", "/ledgers?cursor=now", "", "Accept", asStream).Body.String() }()
		synctest.Wait()
		for range 2 {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
		if got := <-ended; got != streamHello+streamByebye {
			t.Errorf("it wrote %q", got)
		}
		n.CloseLedger() // does nothing any more
	})
}
