package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// storm puts a second, stormy port beside a world's clean one.
func (w *world) storm(seed uint64) (*Weather, *world) {
	w.Helper()
	weather := NewWeather(w.net, seed)
	srv := httptest.NewServer(weather.Handler())
	w.Cleanup(srv.Close)
	return weather, &world{w.T, w.net, srv.URL}
}

func (w *world) set(weather *Weather, f Fault) string {
	w.Helper()
	name, err := weather.Set(f)
	if err != nil {
		w.Fatal(err)
	}
	return name
}

// TestRefusals has each kind of refusal strike each kind of request once, and
// never the clean port.
func TestRefusals(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	weather, w := clean.storm(1)
	a := key("a")
	clean.fund("100", a)
	envelope := clean.tx(a, ops(pay(a, "1", lumen)))
	get := func(path string) func() reply { return func() reply { return w.get(path) } }
	tests := []struct {
		kind   Kind
		ask    func() reply
		status int
		shows  string
	}{
		{RateLimited, get("/ledgers?limit=1"), 429, "rate_limit_exceeded"},
		{ServerError, get("/accounts/" + a.Address()), 500, "horizon-errors/server_error"},
		{ServerError, func() reply { return w.post("/transactions", url.Values{"tx": {envelope}}) }, 500, "horizon-errors/server_error"},
		{ServerError, func() reply { return w.async(envelope) }, 500, "transaction_submission_failed"},
		{StaleHistory, func() reply { return w.async(envelope) }, 503, "stale_history"},
		{StaleHistory, get("/health"), 503, `"core_up":false`},
		{StaleHistory, func() reply { return w.get("/ledgers", "Accept", asStream) }, 503, "stale_history"},
		{Timeout, get("/fee_stats"), 504, "horizon-errors/timeout"},
		{Timeout, func() reply { return w.post("/transactions", url.Values{"tx": {envelope}}) }, 504, "transaction_submission_timeout"},
		{NeverLands, func() reply { return w.post("/transactions", url.Values{"tx": {envelope}}) }, 504, "transaction_submission_timeout"},
		{NeverLands, func() reply { return w.async(envelope) }, 201, "PENDING"},
	}
	for _, tt := range tests {
		weather.ClearAll()
		w.set(weather, Fault{Kind: tt.kind, Next: 1, RetryAfter: 18})
		if r := clean.get("/fee_stats"); r.status != 200 {
			t.Errorf("%s on the clean port: %d", tt.kind, r.status)
		}
		if r := tt.ask(); r.status != tt.status || !strings.Contains(r.text, tt.shows) {
			t.Errorf("%s: %d %s", tt.kind, r.status, r.text)
		} else if tt.kind == RateLimited && (r.header.Get("Retry-After") != "18" || r.header.Get("X-Ratelimit-Remaining") != "0" || r.header.Get("X-Ratelimit-Reset") != "1818") {
			t.Errorf("the headers are %v", r.header)
		}
		if r := weather.Faults()[0]; r.Struck != 1 || r.Active {
			t.Errorf("%s: %+v", tt.kind, r)
		}
		if r := w.get("/fee_stats"); r.status != 200 {
			t.Errorf("%s again: %d", tt.kind, r.status)
		}
	}
	before := clean.sequence(a)
	clean.net.CloseLedger()
	if clean.sequence(a) != before {
		t.Error("what was refused was applied")
	}
}

// TestMatching aims faults at methods and routes.
func TestMatching(t *testing.T) {
	t.Parallel()
	weather, w := newWorld(t).storm(1)
	account := "/accounts/" + w.net.bot.channels[0].Address()
	for _, tt := range []struct {
		method, route string
		hits          []string
	}{
		{"", "*", []string{"GET " + account, "GET " + account + "/payments", "STREAM " + account, "GET /", "POST /transactions", "GET /health"}},
		{"GET", "/accounts/{id}", []string{"GET " + account}},
		{"STREAM", "*", []string{"STREAM " + account}},
		{"", account, []string{"GET " + account, "STREAM " + account}},
		{"", "/accounts/{id}/payments", []string{"GET " + account + "/payments"}},
		{"POST", "/transactions", []string{"POST /transactions"}},
		{"", "/", []string{"GET /"}},
		{"", "/health", []string{"GET /health"}},
	} {
		weather.ClearAll()
		w.set(weather, Fault{Kind: RateLimited, Method: tt.method, Route: tt.route})
		for _, ask := range []string{"GET " + account, "GET " + account + "/payments", "STREAM " + account, "GET /", "POST /transactions", "GET /health"} {
			method, path, _ := strings.Cut(ask, " ")
			var r reply
			if method == methodStream {
				if !slices.Contains(tt.hits, ask) {
					continue // it would last
				}
				r = w.get(path, "Accept", asStream)
			} else {
				r = w.do(method, path, nil)
			}
			if struck := r.status == 429; struck != slices.Contains(tt.hits, ask) {
				t.Errorf("%s %s strikes %s: %v", tt.method, tt.route, ask, struck)
			}
		}
	}
}

// TestDice asks the same of two weathers of one seed, in another order of
// routes, and of one of another seed.
func TestDice(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	one, w1 := clean.storm(7)
	two, w2 := clean.storm(7)
	_, w3 := clean.storm(7)
	other, w4 := clean.storm(8)
	for _, weather := range []*Weather{one, two, other} {
		clean.set(weather, Fault{Kind: ServerError, Rate: 0.3})
	}
	ask := func(w *world, path string) (seen string) {
		for range 60 {
			seen += fmt.Sprint(w.get(path).status/100, " ")
		}
		return seen
	}
	stats, root := ask(w1, "/fee_stats"), ask(w1, "/")
	if ask(w2, "/") != root || ask(w2, "/fee_stats") != stats {
		t.Error("the same seed and requests gave another weather")
	}
	if n := strings.Count(stats, "5"); n < 9 || n > 27 {
		t.Errorf("of 60 requests %d were struck at a rate of 0.3", n)
	}
	if stats == root || ask(w4, "/fee_stats") == stats {
		t.Error("another route or seed gave the same weather")
	}
	if strings.Contains(ask(w3, "/"), "5") {
		t.Error("a weather without faults struck")
	}
	one.ClearAll()
	clean.set(one, Fault{Kind: ServerError, Rate: 0.3})
	if ask(w1, "/fee_stats") != stats {
		t.Error("beginning again gave another weather")
	}
}

// TestCutConnections has the client see nothing at all.
func TestCutConnections(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	weather, w := clean.storm(1)
	a := key("a")
	clean.fund("100", a)
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

	w.set(weather, Fault{Kind: Silence, Wait: Duration(time.Millisecond)})
	if _, err := fresh.Get(w.url + "/"); !errors.Is(err, io.EOF) { //nolint:bodyclose // there is none
		t.Errorf("silence ended with %v", err)
	}
	weather.ClearAll()
	w.set(weather, Fault{Kind: LostAnswer})
	next := clean.sequence(a)
	if _, err := fresh.PostForm(w.url+"/transactions_async", url.Values{"tx": {clean.tx(a, ops(pay(a, "1", lumen)))}}); !errors.Is(err, io.EOF) { //nolint:bodyclose // there is none
		t.Errorf("the lost answer was %v", err)
	}
	clean.net.CloseLedger()
	if clean.sequence(a) != next+1 {
		t.Error("the transaction whose answer was lost was not applied")
	}
	weather.ClearAll()
	w.set(weather, Fault{Kind: Slow, Wait: Duration(time.Millisecond)})
	if r := w.get("/fee_stats"); r.status != 200 || weather.Faults()[0].Struck != 1 {
		t.Errorf("slowly: %d %+v", r.status, weather.Faults())
	}
}

// TestSilenceEnds has silent requests and stalled streams end when their client
// leaves, and when the network closes.
func TestSilenceEnds(t *testing.T) {
	t.Parallel()
	for _, leaves := range []bool{true, false} {
		clean := newWorld(t)
		weather := NewWeather(clean.net, 1)
		clean.set(weather, Fault{Kind: Silence, Method: "GET"})
		clean.set(weather, Fault{Kind: Silence, Method: "POST"})
		clean.set(weather, Fault{Kind: StallStream})
		ended := make(chan error, 3)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				err, _ := recover().(error)
				ended <- err
			}()
			weather.Handler().ServeHTTP(w, r)
		}))
		ctx, leave := context.WithCancel(t.Context())
		for i, method := range []string{"GET", "POST", "GET"} {
			r := must(http.NewRequestWithContext(ctx, method, srv.URL+"/ledgers", strings.NewReader("a=b")))
			if i == 2 {
				r.Header.Set("Accept", asStream)
			}
			go func() {
				if resp, err := http.DefaultClient.Do(r); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}()
		}
		clean.until(nil, func() bool {
			return !slices.ContainsFunc(weather.Faults(), func(r Report) bool { return r.Struck == 0 })
		})
		if leaves {
			leave()
		} else if err := clean.net.Close(); err != nil {
			t.Error(err)
		}
		for range 3 {
			if err := <-ended; !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("leaves %v: it ended with %v", leaves, err)
			}
		}
		leave()
		srv.Close()
	}
}

// TestLandsLate accepts a transaction, answers 504 and applies it two ledgers
// after it would have been.
func TestLandsLate(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	weather, w := clean.storm(1)
	a := key("a")
	clean.fund("100", a)
	for ledgers := range 3 {
		weather.ClearAll()
		w.set(weather, Fault{Kind: LandsLate, Ledgers: ledgers, Next: 1})
		envelope := clean.tx(a, ops(pay(a, "1", lumen)))
		r := w.post("/transactions", url.Values{"tx": {envelope}})
		hash, _ := r.at("extras", "hash").(string)
		if r.status != 504 || hash == "" {
			t.Fatalf("%d %s", r.status, r.text)
		}
		for range ledgers {
			clean.net.CloseLedger()
			if r := clean.get("/transactions/" + hash); r.status != 404 {
				t.Errorf("it is there early: %d", r.status)
			}
		}
		clean.net.CloseLedger()
		if r := clean.get("/transactions/" + hash); r.status != 200 {
			t.Errorf("after %d ledgers: %d", ledgers+1, r.status)
		}
		// It is in the ledger now: nothing is left to be late, nor what is not valid.
		w.set(weather, Fault{Kind: LandsLate})
		if r := w.post("/transactions", url.Values{"tx": {envelope}}); r.status != 200 {
			t.Errorf("again: %d", r.status)
		}
		if r := w.post("/transactions", url.Values{"tx": {clean.build(params(a, 1, ops(pay(a, "1", lumen))), a)}}); r.code() != "tx_bad_seq" {
			t.Errorf("a bad one: %d %s", r.status, r.text)
		}
	}
}

// TestLagging reads a Horizon that is two ledgers behind, root, accounts, lists
// and streams.
func TestLagging(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	weather, w := clean.storm(1)
	a := key("a")
	clean.fund("100", a)
	path := "/accounts/" + a.Address()
	from := clean.net.latest().seq
	name := w.set(weather, Fault{Kind: Lagging, Ledgers: 2})
	for i := range 5 {
		clean.ok(clean.send(clean.tx(a, ops(pay(key("a"), "1", lumen)))))
		seq := from + uint32(i) + 1
		seen := max(from, seq-2)
		r := w.get(path)
		if r.header.Get("Latest-Ledger") != fmt.Sprint(seen) || clean.get(path).header.Get("Latest-Ledger") != fmt.Sprint(seq) {
			t.Errorf("the account is of %s after ledger %d", r.header.Get("Latest-Ledger"), seq)
		}
		if n := len(as[array](w.get(path+"/payments?limit=100").at("_embedded", "records"))); n != 1+int(seen-from) {
			t.Errorf("%d payments after ledger %d", n, seq)
		}
		root := w.get("/")
		if root.at("history_latest_ledger") != float64(seen) || root.at("core_latest_ledger") != float64(seq) {
			t.Errorf("the root says %v of %v", root.at("history_latest_ledger"), root.at("core_latest_ledger"))
		}
		if r := w.get(fmt.Sprintf("/ledgers/%d", seen+1)); (r.status == 404) != (seen < seq) {
			t.Errorf("ledger %d: %d", seen+1, r.status)
		}
		if got, want := w.get(fmt.Sprintf("/ledgers/%d", seen)).at("hash"), clean.get(fmt.Sprintf("/ledgers/%d", seen)).at("hash"); got != want {
			t.Errorf("ledger %d is %v, not %v", seen, got, want)
		}
	}
	// A reset begins anew for it too.
	if err := clean.net.Reset(); err != nil {
		t.Fatal(err)
	}
	if r := w.get(path); r.status != 404 || r.header.Get("Latest-Ledger") != "2" {
		t.Errorf("after a reset: %d, of ledger %s", r.status, r.header.Get("Latest-Ledger"))
	}
	clean.net.CloseLedger()
	if r := w.get("/"); r.at("history_latest_ledger") != 2.0 || r.at("core_latest_ledger") != 3.0 {
		t.Errorf("after a reset the root says %v of %v", r.at("history_latest_ledger"), r.at("core_latest_ledger"))
	}
	// What it streams is of then; when the fault is cleared the stream ends.
	res := w.open("/ledgers?cursor=now")
	if !weather.Clear(name) || weather.Clear(name) {
		t.Error("clearing")
	}
	if text := string(must(io.ReadAll(res))); text != streamHello[len("retry: 1000\n"):]+streamByebye {
		t.Errorf("it streamed %q", text)
	}
	if len(clean.net.followers) != 0 {
		t.Error("the copy of the ledger is kept")
	}
}

// open opens a stream and returns it once it has begun.
func (w *world) open(path string) io.Reader {
	w.Helper()
	req := must(http.NewRequest("GET", w.url+path, nil))
	req.Header.Set("Accept", asStream)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { resp.Body.Close() })
	r := bufio.NewReader(resp.Body)
	if line, err := r.ReadString('\n'); line != "retry: 1000\n" {
		w.Fatalf("it began with %q, %v", line, err)
	}
	return r
}

// TestBentStreams cuts, repeats and rewinds streams.
func TestBentStreams(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	weather, w := clean.storm(1)
	a := key("a")
	clean.fund("100", a)
	for range 4 {
		clean.ok(clean.send(clean.tx(a, ops(pay(key("a"), "1", lumen)))))
	}
	payments := "/accounts/" + a.Address() + "/payments"
	path := payments + "?limit=3"
	whole := strings.SplitAfter(strings.TrimPrefix(clean.get(path, "Accept", asStream).text, streamHello), "\n\n")
	read := func(f Fault, path string) (string, error) {
		weather.ClearAll()
		w.set(weather, f)
		req := must(http.NewRequest("GET", w.url+path, nil))
		req.Header.Set("Accept", asStream)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		// The opening shows that the answer began; what follows it is of interest.
		return strings.TrimPrefix(strings.ReplaceAll(string(text), w.url, clean.url), streamHello), err
	}
	for _, tt := range []struct {
		fault Fault
		want  string
		cut   bool
	}{
		{Fault{Kind: CutStream}, "", true},
		{Fault{Kind: CutStream, Events: 2}, whole[0] + whole[1], true},
		{Fault{Kind: TruncateStream, Events: 1}, whole[0] + whole[1][:len(whole[1])/2], true},
		{Fault{Kind: StallStream, Events: 1, Wait: Duration(time.Millisecond)}, whole[0], true},
		{Fault{Kind: RepeatEvents, Events: 1}, whole[0] + whole[1] + whole[1] + whole[2] + whole[2] + streamByebye, false},
	} {
		text, err := read(tt.fault, path)
		if text != tt.want || tt.cut != errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%+v: %v %q", tt.fault, err, text)
		}
		if n := weather.Faults()[0].Struck; n != 1 {
			t.Errorf("%s struck %d times", tt.fault.Kind, n)
		}
	}
	// An old cursor sends again what was before it.
	last := as[string](as[object](as[array](clean.get(payments+"?order=desc").at("_embedded", "records"))[0])["id"])
	if text, err := read(Fault{Kind: OldCursor, Ledgers: 1}, payments+"?limit=1&cursor="+last); err != nil || !strings.HasPrefix(text, "id: "+last+"\n") {
		t.Errorf("from the old cursor %v %q", err, text)
	}
	// A fault that comes to nothing is not used up.
	if _, err := read(Fault{Kind: CutStream, Events: 100, Next: 1}, path); err != nil || !weather.Faults()[0].Active || weather.Faults()[0].Struck != 0 {
		t.Errorf("a stream that ended before: %v %+v", err, weather.Faults())
	}
}

// TestAnything sends many requests and sees every kind of failure.
func TestAnything(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	weather, w := clean.storm(3)
	a := key("a")
	clean.fund("100", a)
	w.set(weather, Fault{Kind: Anything, Rate: 0.5, Wait: Duration(time.Millisecond)})
	statuses := map[string]int{}
	seen := func(resp *http.Response, err error) {
		if err != nil {
			statuses["cut"]++
			return
		}
		defer resp.Body.Close()
		how := " whole"
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			how = " cut"
		}
		statuses[fmt.Sprint(resp.StatusCode, how)]++
	}
	for range 80 {
		seen(http.DefaultClient.Get(w.url + "/accounts/" + a.Address())) //nolint:bodyclose // seen closes it
		req := must(http.NewRequest("GET", w.url+"/ledgers?limit=1", nil))
		req.Header.Set("Accept", asStream)
		seen(http.DefaultClient.Do(req))                                                                                         //nolint:bodyclose // seen closes it
		seen(http.DefaultClient.PostForm(w.url+"/transactions_async", url.Values{"tx": {clean.tx(a, ops(pay(a, "1", lumen)))}})) //nolint:bodyclose // seen closes it
	}
	for _, want := range []string{"200 whole", "200 cut", "201 whole", "429 whole", "500 whole", "503 whole", "504 whole", "cut"} {
		if statuses[want] == 0 {
			t.Errorf("of %v no %s", statuses, want)
		}
	}
}

// TestRefusedFaults names the field and the mend.
func TestRefusedFaults(t *testing.T) {
	t.Parallel()
	weather, w := newWorld(t).storm(1)
	for _, tt := range []struct {
		fault Fault
		field string
	}{
		{Fault{}, "kind"},
		{Fault{Kind: "rain"}, "kind"},
		{Fault{Kind: ServerError, Name: "a b"}, "name"},
		{Fault{Kind: ServerError, Method: "PUT"}, "method"},
		{Fault{Kind: CutStream, Method: "GET"}, "method"},
		{Fault{Kind: LandsLate, Method: "GET"}, "method"},
		{Fault{Kind: LandsLate, Route: "/accounts/{id}"}, "route"},
		{Fault{Kind: ServerError, Route: "/acounts"}, "route"},
		{Fault{Kind: ServerError, Route: "accounts"}, "route"},
		{Fault{Kind: ServerError, Rate: 2}, "rate"},
		{Fault{Kind: ServerError, Rate: -1}, "rate"},
		{Fault{Kind: ServerError, Next: -1}, "next"},
		{Fault{Kind: Lagging, Ledgers: 1001}, "ledgers"},
		{Fault{Kind: CutStream, Events: 201}, "events"},
		{Fault{Kind: Slow}, "wait"},
		{Fault{Kind: Silence, Wait: Duration(time.Hour)}, "wait"},
		{Fault{Kind: RateLimited, RetryAfter: -1}, "retry_after"},
	} {
		_, err := weather.Set(tt.fault)
		if field := (*FieldError)(nil); !errors.As(err, &field) || field.Field != tt.field {
			t.Errorf("%+v: %v", tt.fault, err)
		}
	}
	for range maxLagging {
		w.set(weather, Fault{Kind: Lagging})
	}
	if _, err := weather.Set(Fault{Kind: Lagging}); err == nil {
		t.Error("there is no end of copies")
	}
	if len(weather.Faults()) != maxLagging || len(w.net.followers) != maxLagging {
		t.Errorf("%d faults, %d copies", len(weather.Faults()), len(w.net.followers))
	}
	w.set(weather, Fault{Name: "lagging-1", Kind: ServerError})
	if weather.Faults()[0].Kind != ServerError || len(w.net.followers) != maxLagging-1 {
		t.Error("a fault of the same name did not replace the other")
	}
	w.set(weather, Fault{Kind: Lagging, Name: "last"})
	if _, err := weather.Set(Fault{Name: "lagging-1", Kind: Anything}); err == nil {
		t.Error("there is no end of copies, by replacing")
	}
	w.set(weather, Fault{Kind: Slow, Name: "silence-6", Wait: 1})
	if name := w.set(weather, Fault{Kind: Silence}); name == "silence-6" {
		t.Error("a name was given twice")
	}
}
