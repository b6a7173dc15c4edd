package sandbox

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// control puts the control API beside a world.
func (w *world) control(weather *Weather, folder string) *world {
	w.Helper()
	srv := httptest.NewServer(NewControl(w.net, weather, folder).Handler())
	w.Cleanup(srv.Close)
	return &world{w.T, w.net, srv.URL}
}

// tell sends JSON.
func (w *world) tell(method, path, body string) reply {
	w.Helper()
	return w.do(method, path, strings.NewReader(body), "Content-Type", "application/json")
}

// TestControlFaults sets, lists and clears faults, and sees them strike.
func TestControlFaults(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	weather, w := clean.storm(5)
	c := clean.control(weather, "")
	r := c.tell("POST", "/faults", `{"kind": "rate_limited", "route": "/accounts/{id}", "next": 2, "retry_after": 7}`)
	if r.status != 201 || r.at("name") != "rate_limited-1" || r.at("active") != true || r.at("struck") != 0.0 || r.at("rate") != 1.0 {
		t.Errorf("setting: %d %s", r.status, r.text)
	}
	c.tell("POST", "/faults", `{"kind": "slow", "name": "mine", "wait": "1ms", "rate": 0.5}`)
	for _, want := range []int{429, 429, 404} {
		if r := w.get("/accounts/" + key("nobody").Address()); r.status != want || want == 429 && r.header.Get("Retry-After") != "7" {
			t.Errorf("%d, not %d", r.status, want)
		}
	}
	list := c.get("/faults")
	if list.at("seed") != 5.0 || list.at("faults", 0, "struck") != 2.0 || list.at("faults", 0, "active") != false || list.at("faults", 1, "wait") != "1ms" {
		t.Errorf("the list: %s", list.text)
	}
	if r := c.tell("PUT", "/seed", `{"seed": 18446744073709551615}`); r.status != 200 || weather.Seed() != 1<<64-1 {
		t.Errorf("the seed: %d %s", r.status, r.text)
	}
	if r := c.do("DELETE", "/faults/mine", nil); r.status != 200 || len(as[array](r.at("faults"))) != 1 {
		t.Errorf("clearing one: %d %s", r.status, r.text)
	}
	if r := c.do("DELETE", "/faults", nil); r.status != 200 || len(weather.Faults()) != 0 {
		t.Errorf("clearing all: %d %s", r.status, r.text)
	}
	if all := c.get("/"); all.at("ledgers", "latest") == nil || all.at("kinds", "anything") == nil || all.at("requests", "POST /faults") == nil {
		t.Errorf("everything: %s", all.text)
	}
}

// TestControlMistakes names what is wrong and what would do.
func TestControlMistakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	weather, _ := w.storm(1)
	c := w.control(weather, t.TempDir())
	for _, tt := range []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"POST", "/faults", `{"kind": "rain"}`, 400, "kind"},
		{"POST", "/faults", `{"kind": 1}`, 400, "kind"},
		{"POST", "/faults", `{"kind": "server_error", "rate": 0}`, 400, "rate"},
		{"POST", "/faults", `{"kind": "server_error", "rate": "0.1"}`, 400, "rate"},
		{"POST", "/faults", `{"kind": "server_error", "wait": "soon"}`, 400, "wait"},
		{"POST", "/faults", `{"kind": "server_error", "wait": 2}`, 400, "wait"},
		{"POST", "/faults", `{"kind": "server_error", "routes": "*"}`, 400, "routes"},
		{"POST", "/faults", `{"kind": "server_error"} {}`, 400, "body"},
		{"POST", "/faults", `[]`, 400, "body"},
		{"POST", "/faults", `kind=server_error`, 400, "body"},
		{"POST", "/faults", `{"kind": "` + strings.Repeat("x", maxControlBody) + `"}`, 413, "body"},
		{"POST", "/faults", ``, 400, "kind"},
		{"DELETE", "/faults/none", ``, 404, "name"},
		{"PATCH", "/faults", `{}`, 405, "method"},
		{"GET", "/weather", ``, 404, "path"},
		{"GET", "/accounts", ``, 404, "path"},
		{"PUT", "/seed", `{"seed": -1}`, 400, "seed"},
		{"PUT", "/seed", `{}`, 400, "seed"},
		{"POST", "/ledgers/close", `{"count": 0}`, 400, "count"},
		{"POST", "/ledgers/close", `{"count": 1001}`, 400, "count"},
		{"POST", "/ledgers/jump", `{"by": "-1h"}`, 400, "by"},
		{"POST", "/ledgers/jump", `{"by": "tomorrow"}`, 400, "by"},
		{"POST", "/ledgers/surge", `{}`, 400, "base_fee"},
		{"POST", "/ledgers/surge", `{"base_fee": 50, "ledgers": 1}`, 400, "base_fee"},
		{"POST", "/ledgers/surge", `{"base_fee": 500}`, 400, "ledgers"},
		{"POST", "/snapshots", `{}`, 400, "name"},
		{"POST", "/snapshots", `{"name": "../x"}`, 400, "name"},
		{"POST", "/snapshots/none/load", ``, 404, "name"},
		{"DELETE", "/snapshots/none", ``, 404, "name"},
	} {
		r := c.tell(tt.method, tt.path, tt.body)
		if mend, _ := r.at("error", "mend").(string); r.status != tt.status || r.at("error", "field") != tt.field || mend == "" {
			t.Errorf("%s %s %.60s: %d %s", tt.method, tt.path, tt.body, r.status, r.text)
		}
	}
	if len(weather.Faults()) != 0 {
		t.Errorf("set are %+v", weather.Faults())
	}
}

// TestControlIsOutOfReach tries what a web page could, and looks for the control
// on Horizon's ports.
func TestControlIsOutOfReach(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	weather, w := clean.storm(1)
	c := clean.control(weather, t.TempDir())
	for _, port := range []*world{clean, w} {
		for _, path := range []string{"/faults", "/ledgers/close", "/reset", "/seed"} {
			if r := port.tell("POST", path, `{"kind": "server_error"}`); r.status != 404 && r.status != 405 {
				t.Errorf("Horizon answered POST %s: %d %s", path, r.status, r.text)
			}
		}
	}
	ask := func(change func(*http.Request)) int {
		r := httptest.NewRequest("POST", "/faults", strings.NewReader(`{"kind": "server_error"}`))
		r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost:8003"
		r.Header.Set("Content-Type", "application/json")
		change(r)
		answer := httptest.NewRecorder()
		NewControl(clean.net, weather, "").Handler().ServeHTTP(answer, r)
		if answer.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Error("it lets pages in")
		}
		return answer.Code
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for i, tt := range []struct {
		change func(*http.Request)
		want   int
	}{
		{host("127.0.0.1:8003"), 201},
		{host("[::1]:8003"), 201},
		{host("LOCALHOST"), 201},
		{header("Origin", "http://localhost:8003"), 201},
		{header("Content-Type", "application/json; charset=utf-8"), 201},
		{host("evil.example:8003"), 403}, // a name that was made to lead here
		{host("localhost.evil.example"), 403},
		{host("192.168.1.2:8003"), 403},
		{host(""), 403},
		{func(r *http.Request) { r.RemoteAddr = "192.168.1.2:5000" }, 403},
		{header("Origin", "http://localhost:8000"), 403},
		{header("Origin", "https://evil.example"), 403},
		{header("Origin", "null"), 403},
		{header("Sec-Fetch-Site", "cross-site"), 403},
		{header("Sec-Fetch-Site", "same-site"), 403}, // another port of this computer
		{header("Content-Type", "text/plain"), 415},
		{header("Content-Type", "application/x-www-form-urlencoded"), 415},
		{header("Content-Type", ""), 415},
	} {
		if got := ask(tt.change); got != tt.want {
			t.Errorf("request %d: %d, not %d", i, got, tt.want)
		}
	}
	if r := c.do("OPTIONS", "/faults", nil, "Origin", "https://evil.example", "Access-Control-Request-Method", "DELETE"); r.status != 403 {
		t.Errorf("a page may ask: %d", r.status)
	}
	if r := c.do("DELETE", "/faults", nil, "Origin", "https://evil.example"); r.status != 403 {
		t.Errorf("a page may delete: %d", r.status)
	}
}

// TestControlLedgers moves the ledgers.
func TestControlLedgers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	weather, _ := w.storm(1)
	c := w.control(weather, "")
	from := w.net.latest().seq
	steps := []struct{ method, path, body, field, want string }{
		{"POST", "/ledgers/pause", "", "paused", "true"},
		{"POST", "/ledgers/close", "", "latest", fmt.Sprint(from + 1)},
		{"POST", "/ledgers/close", `{"count": 3}`, "latest", fmt.Sprint(from + 4)},
		{"POST", "/ledgers/jump", `{"by": "36h"}`, "clock_ahead", "36h0m0s"},
		{"POST", "/ledgers/surge", `{"base_fee": 5000, "ledgers": 2}`, "surge", "map[base_fee:5000 ledgers:2 refuse:false]"},
		{"DELETE", "/ledgers/surge", "", "surge", "map[base_fee:0 ledgers:0 refuse:false]"},
	}
	for _, s := range steps {
		if r := c.tell(s.method, s.path, s.body); r.status != 200 || fmt.Sprint(r.at(s.field)) != s.want {
			t.Errorf("%s %s: %d %s", s.method, s.path, r.status, r.text)
		}
	}
}

// TestControlSnapshots keeps the ledgers, goes on, and goes back.
func TestControlSnapshots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	weather, _ := w.storm(1)
	folder := filepath.Join(t.TempDir(), "snapshots")
	c := w.control(weather, folder)
	a := key("a")
	w.fund("100", a)
	hash := w.net.latest().hash
	if r := c.tell("POST", "/snapshots", `{"name": "funded"}`); r.status != 201 || r.at("snapshots", 0) != "funded" {
		t.Fatalf("saving: %d %s", r.status, r.text)
	}
	w.ok(w.send(w.tx(a, ops(pay(a, "1", lumen)))))
	if r := c.tell("POST", "/reset", ""); r.status != 200 || r.at("latest") != 2.0 {
		t.Errorf("resetting: %d %s", r.status, r.text)
	}
	if r := w.get("/accounts/" + a.Address()); r.status != 404 {
		t.Errorf("after a reset: %d", r.status)
	}
	if r := c.tell("POST", "/snapshots/funded/load", ""); r.status != 200 || w.net.latest().hash != hash {
		t.Errorf("loading: %d %s", r.status, r.text)
	}
	if r := w.get("/accounts/" + a.Address()); r.status != 200 {
		t.Errorf("after loading: %d", r.status)
	}
	if err := os.WriteFile(filepath.Join(folder, "bad.snapshot"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := c.tell("POST", "/snapshots/bad/load", ""); r.status != 400 || r.at("error", "field") != "name" || w.net.latest().hash != hash {
		t.Errorf("loading a bad one: %d %s", r.status, r.text)
	}
	if r := c.do("DELETE", "/snapshots/bad", nil); r.status != 200 || len(as[array](r.at("snapshots"))) != 1 {
		t.Errorf("forgetting: %d %s", r.status, r.text)
	}
	if r := w.control(weather, "").tell("POST", "/snapshots", `{"name": "x"}`); r.status != 409 {
		t.Errorf("without a folder: %d %s", r.status, r.text)
	}
}
