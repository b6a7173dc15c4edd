package sep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
)

// statuses are the HTTP statuses of the kinds of error.
var statuses = map[anchor.ErrorKind]int{
	anchor.Internal:        http.StatusInternalServerError,
	anchor.Invalid:         http.StatusBadRequest,
	anchor.Unauthenticated: http.StatusUnauthorized,
	anchor.Forbidden:       http.StatusForbidden,
	anchor.NotFound:        http.StatusNotFound,
	anchor.Conflict:        http.StatusConflict,
	anchor.Unavailable:     http.StatusServiceUnavailable,
}

// WriteJSON answers with v as JSON.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	e := encoders.Get().(*encoder) //nolint:errcheck // New puts nothing else there
	defer encoders.Put(e)
	e.Reset()
	if err := e.json.Encode(v); err != nil {
		// Only a value that cannot be JSON fails: our own bug, caught as any panic is.
		panic(err)
	}
	Write(w, status, e.Bytes())
}

// encoder writes JSON into its buffer; encoders are the idle ones.
type encoder struct {
	bytes.Buffer

	json *json.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.json = json.NewEncoder(e)
	e.json.SetEscapeHTML(false) // a URL's & stays an &
	return e
}}

// Write answers with a JSON document that is encoded already.
func Write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = noStore
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails if the client has gone, and then nobody is left to tell
}

var (
	jsonType = []string{"application/json"}
	noSniff  = []string{"nosniff"}
	noStore  = []string{"no-store"}
)

// WriteError answers with the error body of all SEPs, {"error": sentence}, in
// the language, with the status of the error's kind. The sentence names the
// parameter at fault. The text of an internal error goes to the log and not to
// the caller.
func WriteError(w http.ResponseWriter, r *http.Request, log *slog.Logger, lang string, err error) {
	status := statuses[anchor.KindOf(err)]
	if errors.Is(err, ErrTooLarge) {
		status = http.StatusRequestEntityTooLarge
		w.Header().Set("Connection", "close") // the rest of the body is not read
	}
	switch {
	case errors.Is(err, ErrContentType):
		status = http.StatusUnsupportedMediaType
	case errors.Is(err, ErrTooMany):
		status = http.StatusTooManyRequests
	}
	switch status {
	case http.StatusInternalServerError:
		level := slog.LevelError
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			level = slog.LevelDebug // the client has gone
		}
		log.Log(r.Context(), level, "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	case http.StatusServiceUnavailable:
		log.WarnContext(r.Context(), "request could not be served now", "method", r.Method, "path", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", "5")
	}
	WriteJSON(w, status, struct {
		Error string `json:"error"`
	}{sentence(lang, err)})
}

// WriteTooMany refuses a request by a [Limiter]'s answer.
func WriteTooMany(w http.ResponseWriter, r *http.Request, log *slog.Logger, lang string, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	WriteError(w, r, log, lang, ErrTooMany)
}

// sentence is an error for people, in the language.
func sentence(lang string, err error) string {
	e, ok := errors.AsType[*anchor.Error](err)
	if !ok || e.Kind == anchor.Internal {
		return language.Sentence(lang, "internal", "something went wrong on our side; please try again later", nil)
	}
	if e.Kind == anchor.Unavailable && !language.Has(language.Default, "error."+e.Code) {
		return language.Sentence(lang, "unavailable", e.Message, e.Args)
	}
	fallback := e.Message
	if fallback == "" {
		fallback = strings.ToLower(strings.ReplaceAll(e.Kind.String(), "_", " "))
	}
	text := language.Sentence(lang, e.Code, fallback, e.Args)
	if !strings.Contains(text, e.Field) {
		// The catalogue's sentences are made to stand beside a form's field.
		text = e.Field + ": " + text
	}
	return text
}

// Number writes an amount as a JSON number, exactly.
func Number(a anchor.Amount) json.Number { return json.Number(a.String()) }

// CORS lets pages of any origin use an endpoint, as SEP-1, 10 and 24 demand for
// every answer, errors included, and answers preflight requests. Credentials
// are not allowed: browsers must not send our cookies along.
func CORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Access-Control-Allow-Origin"] = anyOrigin
		h["Access-Control-Expose-Headers"] = exposed
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		headers := "Authorization, Content-Type"
		if asked := r.Header.Get("Access-Control-Request-Headers"); len(asked) > 0 && len(asked) < 1024 {
			headers = asked // with a wildcard browsers would leave out Authorization
		}
		h.Set("Access-Control-Allow-Headers", headers)
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
		h.Set("Access-Control-Max-Age", "86400")
		h.Set("Vary", "Access-Control-Request-Headers")
		w.WriteHeader(http.StatusNoContent)
	})
}

var (
	anyOrigin = []string{"*"}
	exposed   = []string{"X-Request-Id, Retry-After"}
)

// Endpoint answers one path with a handler for each method, under [CORS]. HEAD
// is answered as GET; a method without a handler gets 405 and the error body.
func Endpoint(handlers map[string]http.HandlerFunc) http.Handler {
	allow := []string{http.MethodOptions}
	for method := range handlers {
		allow = append(allow, method)
		if method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	return CORS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if next, ok := handlers[method]; ok {
			next(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(allow, ", "))
		WriteJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": "the method must be one of " + strings.Join(allow, ", ")})
	}))
}

// NoSuchPath answers every path below a SEP's that does not exist.
func NoSuchPath() http.Handler {
	return CORS(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusNotFound, map[string]string{"error": "there is nothing at this address"})
	}))
}
