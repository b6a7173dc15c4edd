package session

// IDOf is how the books name a bearer's session.
var IDOf = idOf
