package session

import (
	"context"
	"net/http"

	"windlass/server/store"
)

// Role is what sort of caller a request has, spelled as schema.graphqls spells it.
type Role string

// The roles.
const (
	Nobody   Role = ""         // no credentials, or bad ones
	Customer Role = "CUSTOMER" // came through a wallet and exchanged a token; one transaction
	Viewer   Role = "VIEWER"   // holds a more-info link; one transaction, read-only, masked
	Staff    Role = "STAFF"    // signed in on the admin listener
)

// Caller is who sent a request. The zero value is nobody.
type Caller struct {
	Role Role
	// Transaction is the only one that a customer or viewer may name.
	Transaction string
	// Name is that of a member of staff.
	Name string
}

// Actor is the caller in the audit trail.
func (c Caller) Actor() store.Actor {
	if c.Role == Staff {
		return store.Actor("staff:" + c.Name)
	}
	return store.Customer
}

type callerKey struct{}

// FromContext is the caller that a middleware of this package put into the
// request's context; nobody if none did.
func FromContext(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// WithCaller is a context with a caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// sameOrigin reports whether a browser says that a page of ours sent the
// request. Sec-Fetch-Site is what the browser itself knows; Origin is compared
// where it is missing. A request with neither did not come from a page, or from
// a very old browser: it is not trusted with a cookie.
func sameOrigin(r *http.Request, origin string) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	return r.Header.Get("Origin") == origin
}

// foreign reports whether a browser says that a page of somebody else sent the
// request.
func foreign(r *http.Request, origin string) bool {
	return (r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "") && !sameOrigin(r, origin)
}
