package graph

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"windlass/server/anchor"
	"windlass/server/language"
)

// at names the input at fault where the error does not.
func at(field string, err error) error {
	e, ok := errors.AsType[*anchor.Error](err)
	if !ok || e.Field != "" {
		return err
	}
	named := *e
	named.Field = field
	return &named
}

// several reports every faulty field as an error of its own. GraphQL's code
// reports the one that is returned.
func several(ctx context.Context, err error) error {
	fields, ok := errors.AsType[anchor.FieldErrors](err)
	if !ok || len(fields) == 0 {
		return err
	}
	for _, f := range fields[:len(fields)-1] {
		graphql.AddError(ctx, f)
	}
	return fields[len(fields)-1]
}

// present turns an error into what the caller is told: the kind as code, the
// stable word as reason, and a sentence in the caller's language. What nobody
// thought about is Internal: its text goes to the log and nowhere else.
func (s *server) present(ctx context.Context, err error) *gqlerror.Error {
	shown := *graphql.DefaultErrorPresenter(ctx, err)
	e, known := errors.AsType[*anchor.Error](err)
	switch {
	case known && e.Field == "" && len(shown.Path) > 1 && strings.HasPrefix(e.Code, "amount_"):
		e = argument(e, shown.Path)
	case known:
	case shown.Message == "introspection disabled":
		e = &anchor.Error{Kind: anchor.Forbidden, Message: "introspection is off here; schema.graphqls describes this API"}
	case shown.Unwrap() == nil: // the query itself is at fault, and the text says how
		e = &anchor.Error{Kind: anchor.Invalid, Message: shown.Message}
	default:
		e = &anchor.Error{Err: err}
	}
	if e.Kind == anchor.Internal {
		if ctx.Err() != nil { // the caller left, which is no fault of ours
			s.Logger.DebugContext(ctx, "graphql: the caller left", "error", err)
		} else {
			s.Logger.ErrorContext(ctx, "graphql", "path", shown.Path.String(), "error", err)
		}
	}
	shown.Err, shown.Message, shown.Extensions = nil, sentence(langOf(ctx), e), visitOf(ctx).extensions(e)
	if s.Staff && e.Kind != anchor.Internal && e.Message != "" {
		shown.Message = e.Message // the catalogue speaks to customers
	}
	return &shown
}

// argument names the argument whose amount could not be read. All that goes in
// or comes out is "amount" to the domain.
func argument(e *anchor.Error, path ast.Path) *anchor.Error {
	named := *e
	if name, ok := path[len(path)-1].(ast.PathName); ok {
		named.Field = string(name)
	}
	if strings.HasPrefix(named.Field, "amount") {
		named.Field = "amount"
	}
	return &named
}

// extensions are what programs read of an error.
func (v *visit) extensions(e *anchor.Error) map[string]any {
	all := map[string]any{"code": e.Kind.String()}
	for name, value := range map[string]string{"reason": e.Code, "field": e.Field, "requestId": v.request} {
		if value != "" {
			all[name] = value
		}
	}
	return all
}

// general are the catalogue's sentences for errors that have no code. A refusal has
// one, or is told as it is.
var general = map[anchor.ErrorKind]string{
	anchor.Internal:        "internal",
	anchor.Unauthenticated: "session_ended",
	anchor.NotFound:        "not_found",
	anchor.Unavailable:     "unavailable",
}

func sentence(lang string, e *anchor.Error) string {
	code := e.Code
	if code == "" || e.Kind == anchor.Internal {
		code = general[e.Kind]
	}
	fallback := e.Message
	if e.Kind == anchor.Internal {
		fallback = "something went wrong on our side"
	}
	return language.Sentence(lang, code, fallback, e.Args)
}

// recovered makes an internal error of a panic in a resolver.
func (s *server) recovered(_ context.Context, cause any) error {
	return &anchor.Error{Message: "panic", Err: fmt.Errorf("%v\n%s", cause, strings.TrimSpace(string(debug.Stack())))}
}
