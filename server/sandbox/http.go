package sandbox

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxBody = 1 << 20 // bytes of a request

// An api answers HTTP from a network.
type api struct{ *Network }

// Handler serves Horizon's API and /friendbot, to browsers too (CORS). An
// answer may take half a minute and a stream nearly a whole one; write
// deadlines of the server are moved accordingly.
func (n *Network) Handler() http.Handler {
	a := &api{n}
	mux := http.NewServeMux()
	for path, e := range map[string]endpoint{
		"/{$}":       {read: a.root},
		"/fee_stats": {read: a.feeStats},
		"/friendbot": {act: a.friendbot, getToo: true},

		"/ledgers":                    {list: a.ledgers},
		"/ledgers/{seq}":              {read: a.ledger},
		"/ledgers/{seq}/transactions": {list: a.transactionsOfLedger},
		"/ledgers/{seq}/operations":   {list: a.operationsOfLedger},
		"/ledgers/{seq}/payments":     {list: a.operationsOfLedger},

		"/accounts/{id}":              {read: a.account, live: true, state: true},
		"/accounts/{id}/data/{key}":   {read: a.accountData, live: true, state: true},
		"/accounts/{id}/transactions": {list: a.transactionsOfAccount},
		"/accounts/{id}/operations":   {list: a.operationsOfAccount},
		"/accounts/{id}/payments":     {list: a.operationsOfAccount},

		"/transactions":                   {list: a.allTransactions, act: a.submitTransaction},
		"/transactions_async":             {act: a.submitAsync},
		"/transactions/{hash}":            {read: a.transaction},
		"/transactions/{hash}/operations": {list: a.operationsOfTransaction},
		"/transactions/{hash}/payments":   {list: a.operationsOfTransaction},

		"/operations":      {list: a.allOperations},
		"/operations/{id}": {read: a.operation},
		"/payments":        {list: a.allOperations},

		"/": {read: noSuchPath, act: noSuchPath},
	} {
		e.api = a
		mux.Handle(path, e)
	}
	mux.HandleFunc("/health", a.health)
	return common(mux)
}

func noSuchPath(*request) (any, error) { return nil, errNotFound }

// common is what all answers share: headers, CORS, a bounded body, and paths
// with or without a slash at the end.
func common(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-cache, no-store, max-age=0")
		h.Set("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", "Date, Latest-Ledger")
			if method := r.Header.Get("Access-Control-Request-Method"); r.Method == http.MethodOptions && method != "" {
				preflight(w, r, method)
				return
			}
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if len(r.URL.Path) > 1 && strings.HasSuffix(r.URL.Path, "/") {
			r.URL.Path = "/" + strings.Trim(r.URL.Path, "/")
			r.URL.RawPath = ""
		}
		next.ServeHTTP(w, r)
	})
}

func preflight(w http.ResponseWriter, r *http.Request, method string) {
	h := w.Header()
	h.Del("Access-Control-Expose-Headers")
	h.Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", method)
	if headers := r.Header.Get("Access-Control-Request-Headers"); headers != "" {
		h.Set("Access-Control-Allow-Headers", headers)
	}
	w.WriteHeader(http.StatusNoContent)
}

// An endpoint answers one path. read and list run under the network's read
// lock, so all they say is of one ledger.
type endpoint struct {
	*api
	read   func(*request) (any, error)      // GET of one object
	list   func(*request) ([]record, error) // GET of a page, or of a stream
	act    func(*request) (any, error)      // POST
	getToo bool                             // act also on GET
	live   bool                             // what is read can be streamed
	state  bool                             // says how old its answer is, in Latest-Ledger
}

// A request with what all handlers need of it.
type request struct {
	*http.Request
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
	q := &request{Request: r, links: linksOf(r)}
	acting := e.act != nil && (r.Method == http.MethodPost || e.getToo && r.Method == http.MethodGet)
	if !acting && (r.Method != http.MethodGet || e.read == nil && e.list == nil) {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	streaming, err := negotiate(r.Header.Get("Accept"), !acting && (e.list != nil || e.live))
	if err != nil {
		e.fail(w, r, err)
		return
	}
	switch {
	case acting:
		setDeadlines(w, time.Now().Add(2*submitTimeout))
		defer setDeadlines(w, time.Time{})
		body, err := e.act(q)
		e.render(w, r, body, err)
	case streaming:
		e.stream(w, q)
	default:
		body, seq, err := e.once(q)
		if e.state {
			w.Header().Set("Latest-Ledger", strconv.Itoa(int(seq)))
		}
		e.render(w, r, body, err)
	}
}

// setDeadlines moves what the server allows for one request, where it can: the
// time to write, and with it the time for reading, whose passing would cancel
// the request while it is waiting. The zero time takes the limits off again.
func setDeadlines(w http.ResponseWriter, write time.Time) {
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(write)
	_ = c.SetReadDeadline(time.Time{})
}

// once answers a GET, and says of which ledger.
func (e endpoint) once(q *request) (body any, seq uint32, err error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	seq = e.history.last().seq
	if e.list == nil {
		body, err = e.read(q)
		return body, seq, err
	}
	if q.page, err = e.pageOf(q, ""); err != nil {
		return nil, seq, err
	}
	records, err := e.list(q)
	if err != nil {
		return nil, seq, err
	}
	return q.links.page(q, records), seq, nil
}

// negotiate chooses between an event stream and JSON. Horizon knows nothing
// else, and answers 406 to whom only that would do.
func negotiate(accept string, streamable bool) (streaming bool, err error) {
	if accept == "" {
		return false, nil
	}
	type choice struct {
		kind string
		q    float64
	}
	var choices []choice
	for part := range strings.SplitSeq(accept, ",") {
		fields := strings.Split(part, ";")
		c := choice{strings.ToLower(strings.TrimSpace(fields[0])), 1}
		for _, f := range fields[1:] {
			if v, ok := strings.CutPrefix(strings.TrimSpace(f), "q="); ok {
				if c.q, err = strconv.ParseFloat(v, 64); err != nil {
					c.q = 0
				}
			}
		}
		if c.q > 0 {
			choices = append(choices, c)
		}
	}
	slices.SortStableFunc(choices, func(a, b choice) int { return cmp.Compare(b.q, a.q) })
	for _, c := range choices {
		switch c.kind {
		case "*/*", "application/*", "application/json", "application/hal+json":
			return false, nil
		case "text/event-stream", "text/*":
			if streamable {
				return true, nil
			}
		}
	}
	return false, errNotAcceptable
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
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		_, _ = z.Write(text)
		_ = z.Close()
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(text)
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
	errNotAcceptable = problem{Type: "not_acceptable", Status: http.StatusNotAcceptable,
		Title: "An acceptable response content-type could not be provided for this request"}
	errServer = problem{Type: "server_error", Title: "Internal Server Error", Status: http.StatusInternalServerError,
		Detail: "An error occurred while processing this request.  This is usually due to a bug within the server software.  Trying this request again may succeed if the bug is transient. Otherwise, please contact the system administrator."}
)

func invalidField(field, reason string) problem {
	return problem{Type: "bad_request", Title: "Bad Request", Status: http.StatusBadRequest,
		Detail: "The request you sent was invalid in some way.",
		Extras: map[string]any{"invalid_field": field, "reason": reason}}
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
