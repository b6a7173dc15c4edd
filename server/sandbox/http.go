package sandbox

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is the size of a request's body that is read, in bytes: Horizon's.
const maxBody = 200 << 10

// An api answers HTTP from a network.
type api struct {
	*Network
	core func() uint32 // the last ledger of the network, which this Horizon may lag behind
}

// Handler serves Horizon's API and /friendbot, to browsers too (CORS). An
// answer may take half a minute and a stream nearly a whole one; deadlines of
// the server are moved accordingly.
func (n *Network) Handler() http.Handler {
	a := n.api()
	return a.common(a.routes())
}

func (n *Network) api() *api {
	return &api{n, func() uint32 { return n.noticed().seq }}
}

func (a *api) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for path, e := range a.endpoints() {
		e.api = a
		mux.Handle(path, e)
		if path != "/{$}" {
			mux.Handle(path+"/{$}", e)
		}
	}
	mux.HandleFunc("/health", a.health)
	mux.HandleFunc("/", a.noSuchPath)
	return mux
}

func (a *api) endpoints() map[string]endpoint {
	return map[string]endpoint{
		"/{$}":       {read: a.root},
		"/fee_stats": {read: a.feeStats},
		"/friendbot": {act: a.friendbot, getToo: true},

		"/ledgers":                    {list: a.ledgers},
		"/ledgers/{seq}":              {read: a.ledger},
		"/ledgers/{seq}/transactions": {list: a.transactionsOfLedger},
		"/ledgers/{seq}/operations":   {list: a.operationsOfLedger},
		"/ledgers/{seq}/payments":     {list: a.operationsOfLedger},
		"/ledgers/{seq}/effects":      {list: a.effectsOfLedger},

		"/accounts":                   {list: a.accounts, state: true},
		"/accounts/{id}":              {read: a.account, live: true, state: true},
		"/accounts/{id}/data/{key}":   {read: a.accountData, raw: a.rawAccountData, live: true, state: true},
		"/accounts/{id}/offers":       {list: offersOfAccount, state: true},
		"/accounts/{id}/transactions": {list: a.transactionsOfAccount},
		"/accounts/{id}/operations":   {list: a.operationsOfAccount},
		"/accounts/{id}/payments":     {list: a.operationsOfAccount},
		"/accounts/{id}/effects":      {list: a.effectsOfAccount},

		"/assets":               {list: a.assets, state: true},
		"/offers":               {list: nothing, state: true},
		"/offers/{id}":          {read: none, state: true},
		"/liquidity_pools":      {list: nothing, state: true},
		"/liquidity_pools/{id}": {read: none, state: true},

		"/claimable_balances":                   {list: a.claimableBalances, state: true},
		"/claimable_balances/{id}":              {read: a.claimableBalance, state: true},
		"/claimable_balances/{id}/transactions": {list: a.transactionsOfBalance},
		"/claimable_balances/{id}/operations":   {list: a.operationsOfBalance},

		"/transactions":                   {list: a.allTransactions, act: a.submitTransaction},
		"/transactions_async":             {act: a.submitAsync},
		"/transactions/{hash}":            {read: a.transaction},
		"/transactions/{hash}/operations": {list: a.operationsOfTransaction},
		"/transactions/{hash}/payments":   {list: a.operationsOfTransaction},
		"/transactions/{hash}/effects":    {list: a.effectsOfTransaction},

		"/operations":              {list: a.allOperations},
		"/operations/{id}":         {read: a.operation},
		"/operations/{id}/effects": {list: a.effectsOfOperation},
		"/payments":                {list: a.allOperations},
		"/effects":                 {list: a.allEffects},
	}
}

// common is what all answers share: headers, CORS, a bounded body.
func (a *api) common(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.URL.Path != "/friendbot" { // elsewhere a server of its own
			h.Set("Cache-Control", "no-cache, no-store, max-age=0")
		}
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			preflight(w, r)
			return
		}
		h.Set("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" && simpleMethod(r.Method) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "Date, Latest-Ledger")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		// The mux would redirect paths with "//" and "..": to Horizon they are
		// unknown.
		switch p := r.URL.EscapedPath(); {
		case p == "//": // a slash at the end of the root
			r.URL.Path, r.URL.RawPath = "/", ""
		case p != "/" && strings.TrimSuffix(p, "/") != path.Clean(p):
			a.noSuchPath(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// preflight answers a browser that asks whether it may ask.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	origin, method := r.Header.Get("Origin"), r.Header.Get("Access-Control-Request-Method")
	if origin != "" && (simpleMethod(method) || method == http.MethodOptions) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", method)
		if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
			h.Set("Access-Control-Allow-Headers", headers)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// simpleMethod says whether pages of other sites may use it.
func simpleMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodPost
}

func (a *api) noSuchPath(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		a.fail(w, r, errNotFound)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// An endpoint answers one path. read and list run under the network's read
// lock, so all they say is of one ledger.
type endpoint struct {
	*api
	read   func(*request) (any, error)      // GET of one object
	list   func(*request) ([]record, error) // GET of a page, or of a stream
	raw    func(*request) ([]byte, error)   // GET of the bytes of what is read, for those who want them
	act    func(*request) (any, error)      // POST
	getToo bool                             // act also on GET, and whatever Accept says
	live   bool                             // what is read can be streamed
	state  bool                             // of the ledger's state: Latest-Ledger says how old; a list has cursors of its own and no stream
}

// A request with what all handlers need of it.
type request struct {
	*http.Request
	query url.Values
	links links
	page  pageQuery
}

// A record is one entry of a list.
type record struct {
	token string // its paging_token
	body  any
}

// An answer is a body with a status of its own.
type answer struct {
	status int
	body   any
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	acting := e.act != nil && (r.Method == http.MethodPost || e.getToo && r.Method == http.MethodGet)
	if !acting && (r.Method != http.MethodGet || e.read == nil && e.list == nil) {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	q := &request{Request: r, query: r.URL.Query(), links: linksOf(r)}
	setDeadlines(w, 2*submitTimeout)
	defer endDeadlines(w)
	want := negotiate(r.Header.Get("Accept"))
	switch {
	case acting && (want == asJSON || e.getToo):
		body, err := e.act(q)
		e.render(w, r, body, err)
	case want == asStream && !acting && (e.live || e.list != nil && !e.state):
		e.stream(w, q)
	case want == asBytes && !acting && e.raw != nil:
		e.bytes(w, q)
	default:
		body, err := e.once(w, q, want == asJSON && !acting)
		e.render(w, r, body, err)
	}
}

// setDeadlines moves what the server allows for one request, where it can: the
// time to write the answer, and the time to read, whose passing cancels the
// request even after its body.
func setDeadlines(w http.ResponseWriter, d time.Duration) {
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(d))
	_ = c.SetReadDeadline(time.Now().Add(d))
}

// endDeadlines leaves the connection as it was. The server itself takes off the
// time to read.
func endDeadlines(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
}

// once answers a GET, if what the client accepts can be given. The answer is of
// one ledger.
func (e endpoint) once(w http.ResponseWriter, q *request, acceptable bool) (any, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.state {
		w.Header().Set("Latest-Ledger", strconv.Itoa(int(e.history.last().seq)))
	}
	if !acceptable {
		return nil, errNotAcceptable
	}
	if e.list == nil {
		return e.read(q)
	}
	var err error
	if q.page, err = e.pageOf(q); err != nil {
		return nil, err
	}
	records, err := e.list(q)
	if err != nil {
		return nil, err
	}
	return q.links.page(q, records), nil
}

// What a client wants, of what Horizon can answer with.
const (
	asJSON   = "application/json"
	asStream = "text/event-stream"
	asBytes  = "application/octet-stream"
)

// negotiate reads an Accept header as Horizon does: the client's first choice
// among all that Horizon knows counts, even if this path cannot give it, which
// is a 406. "" is something unknown.
func negotiate(accept string) string {
	if accept == "" {
		return asJSON
	}
	type choice struct {
		kind  string
		q     float64
		vague int
	}
	var choices []choice
	for part := range strings.SplitSeq(accept, ",") {
		fields := strings.Split(part, ";")
		kind := strings.TrimSpace(fields[0])
		if kind == "*" {
			kind = "*/*"
		}
		c := choice{kind, 1, strings.Count(kind, "*")}
		for _, f := range fields[1:] {
			if v, ok := strings.CutPrefix(strings.TrimSpace(f), "q="); ok {
				c.q, _ = strconv.ParseFloat(v, 32)
			}
		}
		choices = append(choices, c)
	}
	slices.SortStableFunc(choices, func(a, b choice) int {
		return cmp.Or(cmp.Compare(b.q, a.q), cmp.Compare(a.vague, b.vague))
	})
	for _, c := range choices {
		switch c.kind {
		case "application/hal+json", "application/json", "application/*", "*/*":
			return asJSON
		case "text/event-stream", "text/*":
			return asStream
		case "application/octet-stream":
			return asBytes
		}
	}
	return ""
}

func (e endpoint) render(w http.ResponseWriter, r *http.Request, body any, err error) {
	if err != nil {
		e.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if a, ok := body.(answer); ok {
		status, body = a.status, a.body
	}
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		e.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/hal+json; charset=utf-8")
	h.Set("Content-Disposition", "inline")
	if !e.getToo {
		h.Set("Vary", "Accept-Encoding")
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		_, _ = z.Write(text)
		_ = z.Close()
	} else {
		w.WriteHeader(status)
		_, _ = w.Write(text)
	}
	_ = http.NewResponseController(w).Flush() // while the deadline holds
}

// bytes answers a GET with what is read as it is.
func (e endpoint) bytes(w http.ResponseWriter, q *request) {
	text, err := e.readRaw(w, q)
	if err != nil {
		e.fail(w, q.Request, err)
		return
	}
	w.Header().Set("Content-Type", asBytes)
	_, _ = w.Write(text) //nolint:gosec // no page: bytes, which no browser runs
}

func (e endpoint) readRaw(w http.ResponseWriter, q *request) ([]byte, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	w.Header().Set("Latest-Ledger", strconv.Itoa(int(e.history.last().seq)))
	return e.raw(q)
}

// A problem is an error as Horizon writes it (RFC 7807).
type problem struct {
	Type   string         `json:"type"`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail,omitempty"`
	Extras map[string]any `json:"extras,omitempty"`
}

func (p problem) Error() string { return p.Type }

const problemBase = "https://stellar.org/horizon-errors/"

var (
	errNotFound = problem{Type: "not_found", Title: "Resource Missing", Status: http.StatusNotFound,
		Detail: "The resource at the url requested was not found.  This usually occurs for one of two reasons:  The url requested is not valid, or no data in our database could be found with the parameters provided."}
	errBeforeHistory = problem{Type: "before_history", Title: "Data Requested Is Before Recorded History", Status: http.StatusGone,
		Detail: "This horizon instance is configured to only track a portion of the stellar network's latest history. This request is asking for results prior to the recorded history known to this horizon instance."}
	errBadRequest = problem{Type: "bad_request", Title: "Bad Request", Status: http.StatusBadRequest,
		Detail: "The request you sent was invalid in some way."}
	errNotAcceptable = problem{Type: "not_acceptable", Status: http.StatusNotAcceptable,
		Title: "An acceptable response content-type could not be provided for this request"}
	errServer = problem{Type: "server_error", Title: "Internal Server Error", Status: http.StatusInternalServerError,
		Detail: "An error occurred while processing this request.  This is usually due to a bug within the server software.  Trying this request again may succeed if the bug is transient. Otherwise, please contact the system administrator."}
)

func invalidField(field, reason string) problem {
	p := errBadRequest
	p.Extras = map[string]any{"invalid_field": field, "reason": reason}
	return p
}

// fail renders an error; what is not a problem is logged and stays hidden.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p problem
	if !errors.As(err, &p) {
		a.cfg.Logger.ErrorContext(r.Context(), "sandbox: request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		p = errServer
	}
	p.Type = problemBase + p.Type
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		a.cfg.Logger.ErrorContext(r.Context(), "sandbox: rendering a problem", "error", err)
	}
	w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
	w.WriteHeader(p.Status)
	_, _ = w.Write(bytes.TrimRight(text.Bytes(), "\n"))
}

func (a *api) health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(`{"database_connected":true,"core_up":true,"core_synced":true}` + "\n"))
}
