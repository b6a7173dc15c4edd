package sandbox

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Kind of fault.
type Kind string

// The kinds of faults.
const (
	RateLimited    Kind = "rate_limited"
	ServerError    Kind = "server_error"
	StaleHistory   Kind = "stale_history"
	Timeout        Kind = "timeout"
	Silence        Kind = "silence"
	Slow           Kind = "slow"
	LostAnswer     Kind = "lost_answer"
	LandsLate      Kind = "lands_late"
	NeverLands     Kind = "never_lands"
	Lagging        Kind = "lagging"
	CutStream      Kind = "cut_stream"
	StallStream    Kind = "stall_stream"
	TruncateStream Kind = "truncate_stream"
	RepeatEvents   Kind = "repeat_events"
	OldCursor      Kind = "old_cursor"
	Anything       Kind = "anything"
)

// methodStream is a GET that asks for events.
const methodStream = "STREAM"

// A kindRule is what a kind of fault does, in words and in fact.
type kindRule struct {
	about   string
	picked  bool // "anything" may pick it
	streams bool // happens to streams only
	submits bool // happens to submitted transactions only
	applies func(*asked) bool
	strike  func(*strike)
}

var kinds map[Kind]kindRule

func init() { // else the table and what it calls would need each other to begin
	always := func(*asked) bool { return true }
	once := func(q *asked) bool { return q.method != methodStream }
	streams := func(q *asked) bool { return q.method == methodStream }
	refusal := func(about string, strike func(*strike)) kindRule {
		return kindRule{about: about, picked: true, applies: always, strike: strike}
	}
	submission := func(about string, strike func(*strike)) kindRule {
		return kindRule{about: about, picked: true, submits: true, applies: (*asked).acceptable, strike: strike}
	}
	stream := func(about string) kindRule {
		return kindRule{about: about, picked: true, streams: true, applies: streams, strike: (*strike).bendStream}
	}
	kinds = map[Kind]kindRule{
		RateLimited:  refusal("429 with Retry-After (retry_after, in seconds) and X-Ratelimit-…; nothing is done", (*strike).rateLimited),
		ServerError:  refusal("500, as in the first moment after stellar-core died; nothing is done", (*strike).serverError),
		StaleHistory: refusal("503 stale_history, as when stellar-core stays away; nothing is done", (*strike).staleHistory),
		Timeout:      refusal("504; nothing is done", (*strike).timeout),
		Silence:      refusal("no answer at all until the client leaves, or the connection is cut after wait; nothing is done", (*strike).silence),
		Slow:         {about: "all as ever, but only after wait", applies: always, strike: (*strike).slow},
		LostAnswer:   {about: "the request is carried out, and the connection cut instead of an answer", picked: true, applies: once, strike: (*strike).lostAnswer},

		LandsLate:  submission("a valid transaction gets 504 (asynchronously PENDING) after wait, and is submitted after so many more ledgers", (*strike).landsLate),
		NeverLands: submission("a valid transaction gets 504 (asynchronously PENDING) after wait, and is forgotten", (*strike).neverLands),

		Lagging: {about: "a GET or a stream is answered by a Horizon so many ledgers behind, which stood still from when the fault was set",
			picked: true, applies: (*asked).readable, strike: (*strike).lagging},

		CutStream:      stream("the connection is cut after so many events"),
		StallStream:    stream("nothing comes after so many events; the connection stays until the client leaves, or is cut after wait"),
		TruncateStream: stream("the connection is cut in the middle of the event that follows so many"),
		RepeatEvents:   stream("after so many events each one comes twice"),
		OldCursor: {about: "a stream begins so many ledgers before where it was to",
			picked: true, streams: true, applies: (*asked).hasCursor, strike: (*strike).oldCursor},

		Anything: {about: "each time another of the others that can happen to the request, but for slow", applies: always, strike: func(*strike) {}},
	}
}

// Kinds tells what each kind of fault does.
func Kinds() map[Kind]string {
	out := make(map[Kind]string)
	for k, v := range kinds {
		out[k] = v.about
	}
	return out
}

func joinKinds() string {
	var names []string
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// asked is a request as the faults see it.
type asked struct {
	*api
	w        http.ResponseWriter
	r        *http.Request
	next     http.Handler // the clean network
	method   string
	path     string // without a slash at the end
	route    string // the pattern that the path matches
	endpoint endpoint
	judged   bool
	tx       *transaction // a submitted one that the queue may take
}

func (w *Weather) classify(rw http.ResponseWriter, r *http.Request) *asked {
	q := &asked{api: w.api, w: rw, r: r, next: w.routes, method: r.Method}
	h, route := w.routes.Handler(r)
	q.route = strings.TrimSuffix(route, "/{$}") // with a slash at the end
	if q.path = strings.TrimSuffix(r.URL.Path, "/"); q.path == "" {
		q.path = "/"
	}
	q.endpoint, _ = h.(endpoint)
	if e := q.endpoint; r.Method == http.MethodGet && (e.live || e.list != nil && !e.state) && negotiate(r.Header.Get("Accept")) == asStream {
		q.method = methodStream
	}
	return q
}

// paths are all patterns that are served.
func (a *api) paths() []string {
	paths := []string{"/health"}
	for p := range a.endpoints() {
		paths = append(paths, strings.TrimSuffix(p, "{$}")) // of the root
	}
	return paths
}

// readable says whether the request reads the ledger.
func (q *asked) readable() bool {
	return q.r.Method == http.MethodGet && (q.endpoint.read != nil || q.endpoint.list != nil)
}

// hasCursor says whether the request is a stream that does not begin at the
// first ledger or go backwards.
func (q *asked) hasCursor() bool {
	return q.method == methodStream && q.endpoint.list != nil && q.r.URL.Query().Get("order") != "desc" && q.cursor() > 0
}

// cursor is where a stream is to begin, 0 if it does not say in numbers.
func (q *asked) cursor() position {
	given := q.r.URL.Query().Get("cursor")
	if id := q.r.Header.Get("Last-Event-ID"); id != "" {
		given = id
	}
	if given == "now" {
		q.mu.RLock()
		defer q.mu.RUnlock()
		return at(q.history.last().seq+1, 0, 0) - 1
	}
	number, _, _ := strings.Cut(given, "-") // effects have a second number
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return position(n)
}

// acceptable says whether the request submits a transaction that is valid now
// and was in no ledger yet; all others are answered as ever.
func (q *asked) acceptable() bool {
	if q.r.Method != http.MethodPost || q.route != "/transactions" && q.route != "/transactions_async" {
		return false
	}
	if q.judged {
		return q.tx != nil
	}
	q.judged = true
	t, err := q.readEnvelope(&request{Request: q.r, query: q.r.URL.Query()}, false)
	if err != nil {
		return false
	}
	t.verifyAhead()
	q.mu.RLock()
	defer q.mu.RUnlock()
	if q.history.transaction(t.hash) != nil {
		return false
	}
	if _, ok := t.validate(&view{below: q.state}, q.submitMoment()); ok {
		q.tx = t
	}
	return q.tx != nil
}

func (q *asked) async() bool { return q.route == "/transactions_async" }

// wait lets time pass, and says whether the client is still there.
func (s *strike) wait(d time.Duration) bool {
	noDeadlines(s.w)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stopping:
	case <-s.r.Context().Done():
	}
	return false
}

// noDeadlines takes off what the server allows for one request.
func noDeadlines(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Time{})
	_ = c.SetReadDeadline(time.Time{})
}

// cut ends the connection in the middle of whatever was being said.
func cut() { panic(http.ErrAbortHandler) }

// refuse answers with a problem, once the request has waited.
func (s *strike) refuse(p problem) {
	s.hit()
	if s.Wait > 0 && !s.wait(time.Duration(s.Wait)) {
		cut()
	}
	s.fail(s.w, s.r, p)
}

func (s *strike) rateLimited() {
	h := s.w.Header()
	h.Set("Retry-After", strconv.Itoa(s.RetryAfter))
	h.Set("X-Ratelimit-Limit", "101")
	h.Set("X-Ratelimit-Remaining", "0")
	h.Set("X-Ratelimit-Reset", strconv.Itoa(s.RetryAfter+1800))
	s.refuse(problem{Type: "rate_limit_exceeded", Title: "Rate Limit Exceeded", Status: http.StatusTooManyRequests,
		Detail: "The rate limit for the requesting IP address is over its alloted limit.  The allowed limit and requests left per time period are communicated to clients via the http response headers 'X-RateLimit-*' headers."})
}

func (s *strike) serverError() {
	switch {
	case s.route == "/health":
		s.unhealthy()
	case s.async() && s.r.Method == http.MethodPost:
		// Read back as it came: the envelope need not be a good one.
		envelope := s.r.FormValue("tx")
		s.refuse(problem{Type: "transaction_submission_failed", Title: "Transaction Submission Failed", Status: http.StatusInternalServerError,
			Detail: "Could not submit transaction to stellar-core. The `extras.error` field on this response contains further details.  Descriptions of each code can be found at: https://developers.stellar.org/api/errors/http-status-codes/horizon-specific/transaction-submission-async/transaction_submission_failed",
			Extras: map[string]any{"envelope_xdr": envelope, "error": struct{}{}}})
	default:
		s.refuse(errServer)
	}
}

func (s *strike) staleHistory() {
	if s.route == "/health" {
		s.unhealthy()
		return
	}
	s.refuse(problem{Type: "stale_history", Title: "Historical DB Is Too Stale", Status: http.StatusServiceUnavailable,
		Detail: "This horizon instance is configured to reject client requests when it can determine that the history database is lagging too far behind the connected instance of Stellar-Core or read replica. It's also possible that Stellar-Core is out of sync. Please try again later."})
}

// unhealthy answers GET /health, which has a form of its own.
func (s *strike) unhealthy() {
	s.hit()
	if s.Wait > 0 && !s.wait(time.Duration(s.Wait)) {
		cut()
	}
	s.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	s.w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = s.w.Write([]byte(`{"database_connected":true,"core_up":false,"core_synced":false}` + "\n"))
}

func (s *strike) timeout() {
	if s.acceptable() && !s.async() {
		s.refuse(timeoutProblem(s.tx))
		return
	}
	s.refuse(problem{Type: "timeout", Title: "Timeout", Status: http.StatusGatewayTimeout,
		Detail: "Your request timed out before completing.  Please try your request again. If you are submitting a transaction make sure you are sending exactly the same transaction (with the same sequence number)."})
}

func (s *strike) silence() {
	s.hit()
	// Only once the body is read does the server notice that the client leaves.
	_, _ = io.Copy(io.Discard, s.r.Body)
	s.wait(s.patience())
	cut()
}

// patience is how long a silent connection stays.
func (s *strike) patience() time.Duration {
	if s.Wait == 0 {
		return maxWait
	}
	return time.Duration(s.Wait)
}

func (s *strike) slow() {
	s.hit()
	if !s.wait(time.Duration(s.Wait)) {
		cut()
	}
	s.next.ServeHTTP(s.w, s.r)
}

func (s *strike) lostAnswer() {
	s.hit()
	noDeadlines(s.w)
	s.next.ServeHTTP(unheard{make(http.Header)}, s.r)
	cut()
}

// unheard is where an answer goes that nobody gets.
type unheard struct{ header http.Header }

func (u unheard) Header() http.Header         { return u.header }
func (u unheard) Write(p []byte) (int, error) { return len(p), nil }
func (u unheard) WriteHeader(int)             {}

func (s *strike) landsLate() {
	s.submitLater(s.tx, s.Ledgers)
	s.neverLands()
}

// A late transaction is submitted once a ledger has closed.
type late struct {
	*transaction
	after uint32
}

// submitLater submits a transaction after so many more ledgers, whatever comes
// of it then.
func (n *Network) submitLater(t *transaction, ledgers int) {
	if ledgers == 0 {
		n.enqueue(t)
		return
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	n.queue.late = append(n.queue.late, late{t, n.history.last().seq + uint32(ledgers)})
}

// submitLate submits what is due before the next ledger.
func (q *queue) submitLate(v *view, next moment) {
	q.late = slices.DeleteFunc(q.late, func(l late) bool {
		if l.after >= next.ledger {
			return false
		}
		q.add(l.transaction, v, next)
		return true
	})
}

func (s *strike) neverLands() {
	if !s.async() {
		s.refuse(timeoutProblem(s.tx))
		return
	}
	s.hit()
	if s.Wait > 0 && !s.wait(time.Duration(s.Wait)) {
		cut()
	}
	body := asyncBody{Status: statusPending, Hash: fmt.Sprintf("%x", s.tx.hash)}
	endpoint{api: s.api}.render(s.w, s.r, answer{http.StatusCreated, body}, nil)
}

func (s *strike) lagging() {
	s.hit()
	s.standing.behind.routes.ServeHTTP(s.w, s.r)
}

func (s *strike) oldCursor() {
	s.hit()
	r := s.r.Clone(s.r.Context())
	r.Header.Del("Last-Event-ID")
	values := r.URL.Query()
	values.Set("cursor", strconv.FormatInt(max(0, int64(s.cursor())-int64(s.Ledgers)<<32), 10))
	r.URL.RawQuery = values.Encode()
	s.next.ServeHTTP(s.w, r)
}
