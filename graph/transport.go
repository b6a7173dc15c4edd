package graph

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/session"
)

const (
	maxBody = 1 << 20
	// pingEvery keeps proxies from taking a quiet stream for a dead one.
	pingEvery = 15 * time.Second
	// writeLimit is how long one event may take to be written.
	writeLimit = 30 * time.Second
	// streamLife ends a stream, so that who comes back signs in anew.
	streamLife = 15 * time.Minute
)

// checked lets nothing through but a POST with JSON of at most a MiB, by
// somebody we know: no GET and no form, which a foreign page could send along
// with our cookie. A customer's document comes as a form with a header that no form
// of a page has; its size is for receive to bound.
func (s *server) checked(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{request: w.Header().Get("X-Request-Id"), network: s.Network(r)}
		lang := language.Match(r.Header.Get("Accept-Language"))
		v.lang.Store(&lang)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		form := kind == formData && !s.Staff
		stranger := s.admit(role(r.Context()))
		switch {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, v, http.StatusMethodNotAllowed, invalid("use POST"))
		case err != nil || kind != "application/json" && !form:
			refuse(w, v, http.StatusUnsupportedMediaType, invalid("Content-Type must be application/json"))
		case stranger != nil && stranger.Kind == anchor.Unauthenticated:
			refuse(w, v, http.StatusUnauthorized, stranger)
		case stranger != nil:
			refuse(w, v, http.StatusForbidden, stranger)
		case form && r.Header.Get(session.TransactionHeader) == "":
			refuse(w, v, http.StatusForbidden, &anchor.Error{Kind: anchor.Forbidden, Message: "a form needs the header " + session.TransactionHeader})
		default:
			if !form {
				r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
		}
	})
}

// refuse answers a request whose query was not looked at.
func refuse(w http.ResponseWriter, v *visit, status int, err *anchor.Error) {
	e := &gqlerror.Error{Message: sentence(*v.lang.Load(), err), Extensions: v.extensions(err)}
	reply(w, status, &graphql.Response{Errors: gqlerror.List{e}})
}

func invalid(format string, args ...any) *anchor.Error {
	return &anchor.Error{Kind: anchor.Invalid, Message: fmt.Sprintf(format, args...)}
}

func reply(w http.ResponseWriter, status int, response *graphql.Response) {
	b, err := json.Marshal(response)
	if err != nil {
		panic(err) // what we made ourselves is JSON
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // when the caller is gone there is nobody to tell
}

// exchange answers a POST, with one JSON answer or, where the caller accepts
// text/event-stream, with server-sent events: "next" for each answer and
// "complete" at the end.
//
// Why not gqlgen's own transports: they repeat bodies that they cannot read,
// personal data included, in answers and in the log, and write pings from a
// goroutine that may outlive the request.
type exchange struct {
	*server

	uploads *uploads
}

func (exchange) Supports(*http.Request) bool { return true } // checked has looked

func (x exchange) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	v := visitOf(r.Context())
	start := graphql.Now()
	read := x.read
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == formData {
		transaction := session.FromContext(r.Context()).Transaction
		_, _ = x.own(r.Context(), transaction) // whose language refusals are in; attach reads it again, and says what is wrong
		leave, ok := x.uploads.enter(transaction)
		if !ok {
			refuse(w, v, http.StatusServiceUnavailable, errBusy)
			return
		}
		defer leave() // its content is held until it is answered
		read = func(r *http.Request) (*graphql.RawParams, int, *anchor.Error) { return x.receive(w, r) }
	}
	params, status, err := read(r)
	if err != nil {
		refuse(w, v, status, err)
		return
	}
	params.Headers, params.ReadTime = r.Header, graphql.TraceTiming{Start: start, End: graphql.Now()}

	events := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	op, errs := exec.CreateOperationContext(r.Context(), params)
	ctx := graphql.WithOperationContext(r.Context(), op)
	switch {
	case errs != nil:
		reply(w, http.StatusUnprocessableEntity, exec.DispatchError(ctx, errs))
	case events:
		stream(ctx, w, exec, op)
	case op.Operation.Operation == ast.Subscription:
		refuse(w, v, http.StatusNotAcceptable, invalid("a subscription needs Accept: text/event-stream"))
	default:
		answers, ctx := exec.DispatchOperation(ctx, op)
		reply(w, http.StatusOK, answers(ctx))
	}
}

func (x exchange) read(r *http.Request) (*graphql.RawParams, int, *anchor.Error) {
	b, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, http.StatusRequestEntityTooLarge, invalid("the body must have at most 1 MiB")
	} else if err != nil {
		return nil, http.StatusBadRequest, invalid("the body broke off")
	}
	return x.parse(b)
}

// parse reads an operation.
func (x exchange) parse(b []byte) (*graphql.RawParams, int, *anchor.Error) {
	var params graphql.RawParams
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	err := d.Decode(&params)
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	switch {
	case err != nil:
		return nil, http.StatusBadRequest, invalid(`the body must be one JSON object such as {"query": "…", "variables": {}}`)
	case len(params.Query) > maxQuery:
		return nil, http.StatusRequestEntityTooLarge, invalid("the query must have at most %d bytes", maxQuery)
	case strings.Count(params.Query, "{") > x.limits.braces:
		return nil, http.StatusUnprocessableEntity, invalid("the query must have at most %d opening braces", x.limits.braces)
	}
	return &params, http.StatusOK, nil
}

// stream sends every answer of an operation until it ends, the caller leaves or
// streamLife is over. Only this goroutine writes.
func stream(ctx context.Context, w http.ResponseWriter, exec graphql.GraphExecutor, op *graphql.OperationContext) {
	ctx, cancel := context.WithTimeout(ctx, streamLife)
	answers, ctx := exec.DispatchOperation(ctx, op)
	next := make(chan []byte)
	go func() {
		defer close(next)
		for {
			answer := answers(ctx)
			if answer == nil {
				return
			}
			b, err := json.Marshal(answer) // at once: the next answer takes its place
			if err != nil {
				return // what we made ourselves is JSON; were it not, the page would come back and ask
			}
			select {
			case next <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range next { // until it has stopped: nothing outlives the request
		}
	}()

	// The server's deadlines are for requests that end.
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // a connection without deadlines has none to clear
	send := func(text string) bool {
		_ = c.SetWriteDeadline(time.Now().Add(writeLimit))
		_, err := io.WriteString(w, text)
		return err == nil && c.Flush() == nil
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	w.WriteHeader(http.StatusOK)
	if !send(":\n\n") {
		return
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case answer, more := <-next:
			if !more {
				send("event: complete\n\n")
				return
			}
			if !send("event: next\ndata: " + string(answer) + "\n\n") {
				return
			}
			ping.Reset(pingEvery)
		case <-ping.C:
			if !send(": ping\n\n") {
				return
			}
		}
	}
}
