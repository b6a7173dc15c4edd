package anchor

import "errors"

// An ErrorKind says what sort of failure an [Error] is. The edges (package sep for
// REST, package graph for GraphQL) turn it into a status; nothing else does.
type ErrorKind int

// The zero value is Internal, so that an error nobody thought about is never
// shown to a caller.
const (
	Internal        ErrorKind = iota // our fault; the text stays in the log
	Invalid                          // the caller sent something wrong; Field and Message say what
	Unauthenticated                  // no credentials, or bad ones
	Forbidden                        // known, but not allowed
	NotFound                         // no such thing, or not the caller's
	Conflict                         // legal in itself, but not in the present state
	Unavailable                      // something we depend on does not answer; try later
)

var errorKinds = [...]string{"INTERNAL", "INVALID", "UNAUTHENTICATED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "UNAVAILABLE"}

// String is the kind's stable upper-case name, used as GraphQL's error code.
func (k ErrorKind) String() string {
	if k < 0 || int(k) >= len(errorKinds) {
		return errorKinds[Internal]
	}
	return errorKinds[k]
}

// Error is a failure the domain can name.
type Error struct {
	Kind ErrorKind
	// Code is stable and machine-readable, such as "amount_below_minimum"; the
	// language catalogue has its sentence under "error.<code>". May be empty.
	Code string
	// Field is the SEP or form field at fault, such as "amount". May be empty.
	Field string
	// Message says in English what is wrong and how to mend it.
	Message string
	// Args are the values a translated sentence needs, such as "minimum".
	Args map[string]string
	// Err is the cause, for the log only.
	Err error
}

func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = e.Kind.String()
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the first [Error] in err's chain, Internal for any
// other error. It must not be called with nil.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}
