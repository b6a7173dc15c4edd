package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxControlBody = 64 << 10
	maxCloses      = 1000 // ledgers closed by one request
)

// A Control is the API by which people and their tests make the weather and
// move the network's ledgers: JSON over HTTP, on a port of its own. It does
// nothing that the methods of Network and Weather don't, and speaks in the same
// types.
//
// It has no passwords: it answers to this computer alone. Web pages run on this
// computer too, so it also refuses what a page could send: anything under a host
// name that is not this computer's (which a page can make lead here), from
// another origin, or that is not declared as JSON (which a page may not, unasked).
type Control struct {
	network *Network
	weather *Weather
	folder  string
	saving  sync.Mutex // one snapshot is written at a time
}

// NewControl makes the API for a network and a weather over it. Snapshots are
// kept in the folder, which it makes; without one there are none.
func NewControl(n *Network, w *Weather, folder string) *Control {
	return &Control{network: n, weather: w, folder: folder}
}

// A controlRoute is one thing that can be asked for.
type controlRoute struct {
	method, path string
	about        string
	do           func(*http.Request) (any, error)
}

// Handler serves the API.
func (c *Control) Handler() http.Handler {
	routes := c.routes()
	mux := http.NewServeMux()
	methods := make(map[string]map[string]func(*http.Request) (any, error))
	for _, r := range routes {
		if methods[r.path] == nil {
			methods[r.path] = make(map[string]func(*http.Request) (any, error))
		}
		methods[r.path][r.method] = r.do
	}
	for path, byMethod := range methods {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { c.answer(w, r, byMethod) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.render(w, r, nil, &controlError{http.StatusNotFound, FieldError{"path", "there is nothing; GET / tells what there is"}})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := fromHere(r); err != nil {
			c.render(w, r, nil, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
		mux.ServeHTTP(w, r)
	})
}

func (c *Control) routes() []controlRoute {
	return []controlRoute{
		{"GET", "/{$}", "all there is to know", c.everything},
		{"GET", "/faults", "the faults that are set, and how often each struck", c.faults},
		{"POST", "/faults", "sets a fault", c.set},
		{"DELETE", "/faults", "clears all faults", c.clearAll},
		{"DELETE", "/faults/{name}", "clears a fault", c.clear},
		{"PUT", "/seed", `throws the dice from {"seed": number} again`, c.reseed},
		{"GET", "/ledgers", "the last ledger, the clock, the surge", c.ledgers},
		{"POST", "/ledgers/pause", "stops closing ledgers", c.pause},
		{"POST", "/ledgers/resume", "goes on closing them", c.resume},
		{"POST", "/ledgers/close", `closes a ledger now, or {"count": number}`, c.closeLedgers},
		{"POST", "/ledgers/jump", `puts the ledgers' clock forward {"by": "24h"}`, c.jump},
		{"POST", "/ledgers/surge", `has the next ledgers take only who pays {"base_fee": stroops, "ledgers": number, "refuse": bool}`, c.surge},
		{"DELETE", "/ledgers/surge", "ends a surge", c.endSurge},
		{"POST", "/reset", "begins again at the first ledger, as the test network does", c.reset},
		{"GET", "/snapshots", "the snapshots that are kept", c.snapshots},
		{"POST", "/snapshots", `keeps the ledgers as they are under {"name": text}`, c.save},
		{"POST", "/snapshots/{name}/load", "puts the ledgers of a snapshot in the place of these", c.load},
		{"DELETE", "/snapshots/{name}", "forgets a snapshot", c.forget},
	}
}

// A controlError is an error with the status that tells it.
type controlError struct {
	status int
	FieldError
}

// fromHere refuses whoever is not a program on this computer.
func fromHere(r *http.Request) error {
	forbid := func(field, mend string) error { return &controlError{http.StatusForbidden, FieldError{field, mend}} }
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return forbid("address", "only this computer may control the sandbox")
	}
	if !loopbackHost(r.Host) {
		return forbid("Host", "call it localhost, 127.0.0.1 or [::1]")
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return forbid("Origin", "web pages may not control the sandbox; use a program such as curl")
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return forbid("Sec-Fetch-Site", "web pages may not control the sandbox; use a program such as curl")
	}
	if r.Method == http.MethodGet || r.Method == http.MethodDelete { // a page must ask before a DELETE, and is told nothing
		return nil
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return &controlError{http.StatusUnsupportedMediaType, FieldError{"Content-Type", "send application/json, as curl --json does"}}
	}
	return nil
}

// loopbackHost says whether a Host header names this computer, whatever its
// name servers say.
func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

func (c *Control) answer(w http.ResponseWriter, r *http.Request, byMethod map[string]func(*http.Request) (any, error)) {
	do := byMethod[r.Method]
	if do == nil {
		allowed := strings.Join(slices.Sorted(maps.Keys(byMethod)), ", ")
		w.Header().Set("Allow", allowed)
		c.render(w, r, nil, &controlError{http.StatusMethodNotAllowed, FieldError{"method", "use " + allowed}})
		return
	}
	body, err := do(r)
	if err == nil && r.Method != http.MethodGet {
		c.network.cfg.Logger.InfoContext(r.Context(), "sandbox: controlled", slog.String("method", r.Method), slog.String("path", r.URL.Path))
	}
	c.render(w, r, body, err)
}

func (c *Control) render(w http.ResponseWriter, r *http.Request, body any, err error) {
	status := http.StatusOK
	if a, ok := body.(answer); ok {
		status, body = a.status, a.body
	}
	if err != nil {
		var refused *controlError
		var field *FieldError
		switch {
		case errors.As(err, &refused):
			status = refused.status
			field = &refused.FieldError
		case errors.As(err, &field):
			status = http.StatusBadRequest
		default:
			c.network.cfg.Logger.ErrorContext(r.Context(), "sandbox: control failed", "method", r.Method, "path", r.URL.Path, "error", err)
			status, field = http.StatusInternalServerError, &FieldError{"", err.Error()} // to its owner, who needs to know
		}
		body = map[string]any{"error": field}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	_ = out.Encode(body) // if it cannot be written, the client is gone
}

// read reads the body into a struct, on top of its defaults. An empty body is
// an empty object.
func read(r *http.Request, into any) error {
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	err := in.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if _, more := in.Token(); !errors.Is(more, io.EOF) {
			return &FieldError{"body", "send one JSON object and nothing after it"}
		}
		return nil
	}
	if field, ok := errors.AsType[*FieldError](err); ok {
		return field
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &controlError{http.StatusRequestEntityTooLarge, FieldError{"body", fmt.Sprintf("may have %d bytes", large.Limit)}}
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if kind.Field == "" {
			return &FieldError{"body", "send a JSON object, not a " + kind.Value}
		}
		return &FieldError{kind.Field, fmt.Sprintf("must be of another kind: a %s, not a %s", kindOf(kind.Type), kind.Value)}
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return &FieldError{strings.Trim(name, `"`), "there is no such field; there are " + strings.Join(fieldsOf(into), ", ")}
	}
	return &FieldError{"body", "send a JSON object; this is none: " + err.Error()}
}

// kindOf names a Go type as JSON's.
func kindOf(t reflect.Type) string {
	switch {
	case t.Kind() == reflect.Bool:
		return "bool"
	case t.Kind() == reflect.String || t == reflect.TypeFor[Duration]():
		return "string"
	}
	return "number"
}

func fieldsOf(pointer any) []string {
	var names []string
	for f := range reflect.TypeOf(pointer).Elem().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func (c *Control) everything(r *http.Request) (any, error) {
	ledgers, _ := c.ledgers(r)
	about := make(map[string]string)
	for _, route := range c.routes() {
		about[route.method+" "+strings.TrimSuffix(route.path, "{$}")] = route.about
	}
	names, err := c.kept()
	if err != nil {
		return nil, err
	}
	return struct {
		Seed      uint64            `json:"seed"`
		Faults    []Report          `json:"faults"`
		Ledgers   any               `json:"ledgers"`
		Snapshots []string          `json:"snapshots"`
		Kinds     map[Kind]string   `json:"kinds"`
		Requests  map[string]string `json:"requests"`
	}{c.weather.Seed(), c.weather.Faults(), ledgers, names, Kinds(), about}, nil
}

func (c *Control) faults(*http.Request) (any, error) {
	return struct {
		Seed   uint64   `json:"seed"`
		Faults []Report `json:"faults"`
	}{c.weather.Seed(), c.weather.Faults()}, nil
}

func (c *Control) set(r *http.Request) (any, error) {
	f := Fault{Rate: 1}
	if err := read(r, &f); err != nil {
		return nil, err
	}
	if f.Rate == 0 { // to Go that is the default
		return nil, &FieldError{"rate", "0 never strikes; leave it out for every request, or clear the fault"}
	}
	name, err := c.weather.Set(f)
	if err != nil {
		return nil, err
	}
	for _, report := range c.weather.Faults() {
		if report.Name == name {
			return answer{http.StatusCreated, report}, nil
		}
	}
	return c.faults(r) // somebody has cleared it already
}

func (c *Control) clear(r *http.Request) (any, error) {
	if !c.weather.Clear(r.PathValue("name")) {
		return nil, &controlError{http.StatusNotFound, FieldError{"name", "no fault has it; GET /faults tells which there are"}}
	}
	return c.faults(r)
}

func (c *Control) clearAll(r *http.Request) (any, error) {
	c.weather.ClearAll()
	return c.faults(r)
}

func (c *Control) reseed(r *http.Request) (any, error) {
	var body struct {
		Seed *uint64 `json:"seed"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if body.Seed == nil {
		return nil, &FieldError{"seed", "must be a whole number, 0 or more"}
	}
	c.weather.Reseed(*body.Seed)
	return c.faults(r)
}

func (c *Control) ledgers(*http.Request) (any, error) {
	n := c.network
	n.mu.RLock()
	last := n.history.last()
	n.mu.RUnlock()
	return struct {
		Latest     uint32    `json:"latest"`
		ClosedAt   time.Time `json:"closed_at"`
		Paused     bool      `json:"paused"`
		ClockAhead Duration  `json:"clock_ahead"`
		Surge      Surge     `json:"surge"`
	}{last.seq, last.closedAt(), n.Paused(), Duration(n.ClockAhead()), n.SurgeLeft()}, nil
}

func (c *Control) pause(r *http.Request) (any, error) {
	c.network.Pause()
	return c.ledgers(r)
}

func (c *Control) resume(r *http.Request) (any, error) {
	c.network.Resume()
	return c.ledgers(r)
}

func (c *Control) closeLedgers(r *http.Request) (any, error) {
	body := struct {
		Count int `json:"count"`
	}{1}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if body.Count < 1 || body.Count > maxCloses {
		return nil, &FieldError{"count", fmt.Sprintf("must be a number from 1 to %d", maxCloses)}
	}
	for range body.Count {
		c.network.CloseLedger()
	}
	c.network.countAhead()
	return c.ledgers(r)
}

func (c *Control) jump(r *http.Request) (any, error) {
	var body struct {
		By string `json:"by"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	by, err := time.ParseDuration(body.By)
	if err != nil {
		by = 0 // which is refused in its own words
	}
	if err := c.network.JumpClock(by); err != nil {
		return nil, err
	}
	return c.ledgers(r)
}

func (c *Control) surge(r *http.Request) (any, error) {
	var s Surge
	if err := read(r, &s); err != nil {
		return nil, err
	}
	if s == (Surge{}) {
		return nil, &FieldError{"base_fee", "must be given; to end a surge DELETE /ledgers/surge"}
	}
	if err := c.network.Surge(s); err != nil {
		return nil, err
	}
	return c.ledgers(r)
}

func (c *Control) endSurge(r *http.Request) (any, error) {
	if err := c.network.Surge(Surge{}); err != nil {
		return nil, err
	}
	return c.ledgers(r)
}

func (c *Control) reset(r *http.Request) (any, error) {
	if err := c.network.Reset(); err != nil {
		return nil, err
	}
	return c.ledgers(r)
}
