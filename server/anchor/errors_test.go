package anchor_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"windlass/server/anchor"
)

// codeOf is the code of the first anchor error in err's chain.
func codeOf(err error) string {
	if e, ok := errors.AsType[*anchor.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestErrorKinds(t *testing.T) {
	t.Parallel()
	names := map[anchor.ErrorKind]string{
		anchor.Internal: "INTERNAL", anchor.Invalid: "INVALID", anchor.Unauthenticated: "UNAUTHENTICATED",
		anchor.Forbidden: "FORBIDDEN", anchor.NotFound: "NOT_FOUND", anchor.Conflict: "CONFLICT", anchor.Unavailable: "UNAVAILABLE",
		// What nobody thought of is our fault, and says so.
		-1: "INTERNAL", 7: "INTERNAL", 1000: "INTERNAL",
	}
	for k, want := range names {
		if k.String() != want {
			t.Errorf("kind %d is %s, want %s", int(k), k, want)
		}
	}
	if (&anchor.Error{}).Kind != anchor.Internal {
		t.Error("the zero error is not internal")
	}

	conflict := &anchor.Error{Kind: anchor.Conflict, Message: "it was changed", Err: io.EOF}
	for _, c := range []struct {
		err  error
		want anchor.ErrorKind
	}{
		{io.EOF, anchor.Internal},
		{conflict, anchor.Conflict},
		{fmt.Errorf("save: %w", conflict), anchor.Conflict},
		{errors.Join(io.EOF, conflict), anchor.Conflict},
		{fmt.Errorf("text only: %v", conflict), anchor.Internal}, //nolint:errorlint // a cause that was cut off is unknown
		// An internal error that hides a conflict stays internal.
		{&anchor.Error{Message: "wrapped", Err: conflict}, anchor.Internal},
		{anchor.FieldErrors{{Kind: anchor.Invalid, Field: "a"}, {Kind: anchor.Invalid, Field: "b"}}, anchor.Invalid},
	} {
		if got := anchor.KindOf(c.err); got != c.want {
			t.Errorf("%v is %s, want %s", c.err, got, c.want)
		}
	}
	if !errors.Is(conflict, io.EOF) || conflict.Error() != "it was changed: EOF" {
		t.Errorf("%v does not tell its cause", conflict)
	}
	if got := (&anchor.Error{Kind: anchor.NotFound}).Error(); got != "NOT_FOUND" {
		t.Errorf("an error without message reads %q", got)
	}
}
