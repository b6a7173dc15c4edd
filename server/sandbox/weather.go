package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Weather makes a Horizon misbehave on demand. Network.Handler stays the
// clean network; Weather.Handler is the same network under this weather, so
// that of two ports one can be clean and one stormy. Without faults they are
// alike. Its methods are safe for concurrent use.
//
// The same seed and the same requests give the same weather: the dice of a
// request are thrown from the seed, the fault's name, the method, the route and
// the number of requests for that route before it, so that what happens on
// other routes, or at which time, does not matter.
type Weather struct {
	api     *api
	routes  *http.ServeMux
	handler http.Handler

	setting sync.Mutex // one fault is set at a time; taken before mu

	mu     sync.Mutex
	seed   uint64
	number int // given to the last fault without a name
	faults []*standing
}

// NewWeather makes a calm weather over a network.
func NewWeather(n *Network, seed uint64) *Weather {
	w := &Weather{api: n.api(), seed: seed}
	w.routes = w.api.routes()
	w.handler = w.api.common(http.HandlerFunc(w.serve))
	return w
}

// Handler serves what Network.Handler serves, under the weather.
func (w *Weather) Handler() http.Handler { return w.handler }

// A Fault says what goes wrong, for which requests and how often. The zero
// value of a field is its default.
type Fault struct {
	// Name of the fault, for clearing it. Setting another one of the same name
	// replaces it. By default its kind and a number.
	Name string `json:"name"`
	// Kind of the fault; see Kinds.
	Kind Kind `json:"kind"`
	// Method is "GET", "POST", or "STREAM" for a GET that asks for events. By
	// default all of them.
	Method string `json:"method,omitempty"`
	// Route is a path, in which {…} stands for anything up to the next slash:
	// "/accounts/{id}/payments". By default "*", all paths.
	Route string `json:"route"`
	// Rate is the fraction of requests that are struck, by default 1: all.
	Rate float64 `json:"rate"`
	// Next is how many requests are struck at most, by default any number.
	Next int `json:"next,omitempty"`
	// Wait is how long the request waits first. With silence and stall_stream
	// it is when the connection is cut, by default once the client leaves, or
	// after ten minutes.
	Wait Duration `json:"wait,omitempty"`
	// Ledgers is how far a lagging Horizon or an old cursor lies back, 3 by
	// default; or after how many more ledgers a late transaction is submitted.
	Ledgers int `json:"ledgers,omitempty"`
	// Events of a stream that pass before it is struck, by default none.
	Events int `json:"events,omitempty"`
	// RetryAfter is the header of a 429, in seconds, by default 1.
	RetryAfter int `json:"retry_after,omitempty"`
}

// A Duration is a time.Duration that JSON has as a text such as "1.5s".
type Duration time.Duration

// MarshalText writes it as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration can. An error is a *FieldError,
// of the one field that has this type.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return badWait
	}
	*d = Duration(v)
	return nil
}

var badWait = &FieldError{"wait", fmt.Sprintf(`must be a text such as "2s" or "500ms", at most %s`, maxWait)}

// A FieldError says what is wrong with one field and what would do.
type FieldError struct {
	Field string `json:"field"`
	Mend  string `json:"mend"`
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Mend }

const (
	maxFaults     = 100
	maxLagging    = 4                // each costs as much memory as the network itself
	maxLedgers    = 1000             // that a fault looks back or ahead
	maxWait       = 10 * time.Minute // of a request
	defaultBehind = 3
)

var faultName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// check fills in the defaults and refuses what could never strike.
func (f *Fault) check(routes []string) error {
	if f.Route == "" {
		f.Route = "*"
	}
	if f.Rate == 0 {
		f.Rate = 1
	}
	if f.Ledgers == 0 && (f.Kind == Lagging || f.Kind == OldCursor || f.Kind == Anything) {
		f.Ledgers = defaultBehind
	}
	if f.RetryAfter == 0 && (f.Kind == RateLimited || f.Kind == Anything) {
		f.RetryAfter = 1
	}
	switch {
	case f.Name != "" && !faultName.MatchString(f.Name):
		return &FieldError{"name", "must be 1 to 64 letters, digits, dots, dashes or underscores"}
	case kinds[f.Kind].strike == nil:
		return &FieldError{"kind", fmt.Sprintf("there is no %q; choose one of %s", f.Kind, joinKinds())}
	case f.Method != "" && f.Method != http.MethodGet && f.Method != http.MethodPost && f.Method != methodStream:
		return &FieldError{"method", "must be GET, POST or STREAM, or left out for all of them"}
	case f.Route != "*" && !slices.ContainsFunc(routes, func(r string) bool { return matches(f.Route, r) }):
		return &FieldError{"route", fmt.Sprintf(`Horizon has no %q; write "*" for all, or one such as "/transactions" or "/accounts/{id}/payments"`, f.Route)}
	case kinds[f.Kind].streams && f.Method != "" && f.Method != methodStream:
		return &FieldError{"method", fmt.Sprintf("%s happens to streams only: leave it out, or write STREAM", f.Kind)}
	case kinds[f.Kind].submits && f.Method != "" && f.Method != http.MethodPost:
		return &FieldError{"method", fmt.Sprintf("%s happens to submitted transactions only: leave it out, or write POST", f.Kind)}
	case kinds[f.Kind].submits && !slices.Contains([]string{"*", "/transactions", "/transactions_async"}, f.Route):
		return &FieldError{"route", fmt.Sprintf("%s happens to submitted transactions only: leave it out, or write /transactions or /transactions_async", f.Kind)}
	case math.IsNaN(f.Rate) || f.Rate < 0 || f.Rate > 1:
		return &FieldError{"rate", "must be above 0 and at most 1, such as 0.1 for one request in ten"}
	case f.Wait < 0 || time.Duration(f.Wait) > maxWait:
		return badWait
	case f.Kind == Slow && f.Wait == 0:
		return &FieldError{"wait", `slow needs to know how slow: a text such as "2s"`}
	}
	for _, bound := range []struct {
		field   string
		n, most int
	}{
		{"next", f.Next, math.MaxInt32}, {"ledgers", f.Ledgers, maxLedgers},
		{"events", f.Events, maxLimit}, {"retry_after", f.RetryAfter, 86400},
	} {
		if bound.n < 0 || bound.n > bound.most {
			return &FieldError{bound.field, fmt.Sprintf("must be a number from 0 to %d, is %d", bound.most, bound.n)}
		}
	}
	return nil
}

// matches says whether two paths are the same where neither has a {…}.
func matches(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	open := func(s string) bool { return strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") }
	return slices.EqualFunc(x, y, func(s, t string) bool { return s == t || open(s) || open(t) })
}

// A standing fault is one that is set.
type standing struct {
	Fault
	behind  *follower         // of what may show the past
	asked   map[string]uint64 // requests it could have struck, by method and route
	claimed int               // of Next
	struck  int
}

// A Report is a fault and what it did so far.
type Report struct {
	Fault
	// Active is false once the fault has struck as often as Next allows.
	Active bool `json:"active"`
	// Struck is how often it did.
	Struck int `json:"struck"`
}

// Set adds a fault, or replaces the one of that name, and returns its name. An
// error that is the fault's is a *FieldError.
func (w *Weather) Set(f Fault) (name string, err error) {
	if err := f.check(w.api.paths()); err != nil {
		return "", err
	}
	w.setting.Lock()
	defer w.setting.Unlock()
	s := &standing{Fault: f, asked: make(map[string]uint64)}
	if err := w.admit(s); err != nil {
		return "", err
	}
	if s.showsPast() {
		if s.behind, err = w.api.follow(f.Ledgers); err != nil {
			return "", err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := w.find(s.Name); i >= 0 {
		w.faults[i].end()
		w.faults[i] = s
	} else {
		w.faults = append(w.faults, s)
	}
	return s.Name, nil
}

// admit gives a fault a name, and refuses what would be too much.
func (w *Weather) admit(s *standing) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for given := s.Name; given == "" && (s.Name == "" || w.find(s.Name) >= 0); {
		w.number++
		s.Name = fmt.Sprintf("%s-%d", s.Kind, w.number)
	}
	others, past := 0, 0
	for _, o := range w.faults {
		if o.Name == s.Name {
			continue // this one replaces it
		}
		others++
		if o.showsPast() {
			past++
		}
	}
	switch {
	case others >= maxFaults:
		return &FieldError{"name", fmt.Sprintf("%d faults are set already; clear some first", maxFaults)}
	case s.showsPast() && past >= maxLagging:
		return &FieldError{"kind", fmt.Sprintf("%d faults that show the past are set already, and each keeps a copy of the ledger; clear one first", maxLagging)}
	}
	return nil
}

// showsPast says whether the fault needs a Horizon that lags.
func (f *Fault) showsPast() bool { return f.Kind == Lagging || f.Kind == Anything }

func (s *standing) end() {
	if s.behind != nil {
		s.behind.stop()
	}
}

func (w *Weather) find(name string) int {
	return slices.IndexFunc(w.faults, func(s *standing) bool { return s.Name == name })
}

// Clear takes a fault away and says whether there was one of that name.
// Requests that it has struck stay struck.
func (w *Weather) Clear(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.find(name)
	if i < 0 {
		return false
	}
	w.faults[i].end()
	w.faults = slices.Delete(w.faults, i, i+1)
	return true
}

// ClearAll takes all faults away.
func (w *Weather) ClearAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.faults {
		s.end()
	}
	w.faults, w.number = nil, 0
}

// Reseed throws the dice of all faults from the beginning, with that seed.
func (w *Weather) Reseed(seed uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seed = seed
	for _, s := range w.faults {
		clear(s.asked)
	}
}

// Seed is what the dice are thrown from.
func (w *Weather) Seed() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seed
}

// Faults lists what is set, in the order in which they were.
func (w *Weather) Faults() []Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Report, 0, len(w.faults))
	for _, s := range w.faults {
		out = append(out, Report{s.Fault, s.Next == 0 || s.claimed < s.Next, s.struck})
	}
	return out
}

// serve is the stormy network behind what all answers share.
func (w *Weather) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	faults := slices.Clone(w.faults)
	w.mu.Unlock()
	if len(faults) > 0 {
		q := w.classify(rw, r)
		for _, f := range faults {
			if s := w.claim(f, q); s != nil {
				defer s.release()
				kinds[s.Kind].strike(s)
				return
			}
		}
	}
	w.routes.ServeHTTP(rw, r)
}

// claim decides whether a fault strikes a request, and with "anything" how.
func (w *Weather) claim(f *standing, q *asked) *strike {
	if f.Method != "" && f.Method != q.method || f.Route != "*" && !matches(f.Route, q.path) {
		return nil
	}
	able := []Kind{f.Kind}
	if f.Kind == Anything {
		able = slices.Sorted(maps.Keys(kinds))
	}
	able = slices.DeleteFunc(able, func(k Kind) bool {
		return f.Kind == Anything && !kinds[k].picked || !kinds[k].applies(q)
	})
	if len(able) == 0 {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.Next > 0 && f.claimed >= f.Next {
		return nil
	}
	where := q.method + " " + q.route
	dice := throw(w.seed, f.Name, where, f.asked[where])
	f.asked[where]++
	if dice.fraction(0) >= f.Rate {
		return nil
	}
	f.claimed++
	s := &strike{Fault: f.Fault, asked: q, weather: w, standing: f}
	if f.Kind == Anything {
		s.Kind = able[dice.below(1, len(able))]
		if s.Events == 0 {
			s.Events = dice.below(2, 4)
		}
	}
	return s
}

// Dice are random numbers that depend on nothing but what they are thrown from.
type dice [32]byte

func throw(seed uint64, name, where string, n uint64) dice {
	return sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%s\n%d", seed, name, where, n))
}

func (d dice) number(i int) uint64 { return binary.BigEndian.Uint64(d[8*i:]) }

// fraction is from 0 to below 1.
func (d dice) fraction(i int) float64 { return float64(d.number(i)>>11) / (1 << 53) }

func (d dice) below(i, n int) int { return int(d.number(i) % uint64(n)) }

// A strike is a fault that happens to a request.
type strike struct {
	Fault
	*asked
	weather  *Weather
	standing *standing
	done     bool
}

// hit counts the strike, once it shows.
func (s *strike) hit() {
	s.weather.mu.Lock()
	defer s.weather.mu.Unlock()
	if !s.done {
		s.done = true
		s.standing.struck++
	}
}

// release gives back what was claimed if it came to nothing, as with a stream
// that ended before.
func (s *strike) release() {
	s.weather.mu.Lock()
	defer s.weather.mu.Unlock()
	if !s.done {
		s.standing.claimed--
	}
}
