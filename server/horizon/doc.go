// Package horizon is a small client of any Horizon: accounts, ledgers, fees,
// transactions by hash, an account's payments as pages and as a stream, and
// submission.
//
// It holds Horizon's wire format and its failures, nothing of anchors: which
// payment is whose, and what a fate of an envelope means, is decided by those
// who ask. The one rule it keeps for them is that it never makes an answer up:
// what is not known is an error of kind Unavailable, or [Unknown].
//
// # Why not the SDK's client
//
// The SDK's horizonclient takes no context, hides the Latest-Ledger header
// (without which "the channel's sequence is still lower" proves nothing) and
// reads an empty cursor as "now", which skips payments silently.
//
// # Several Horizons
//
// A [Client] holds one or more URLs of the same network. A read goes to the
// first one that works; a fault moves on to the next. A submission goes to one
// of them, and after a fault the next attempt goes to another: the same bytes
// are the same transaction wherever they are handed in. Where all answers must
// come from one Horizon, because one was checked and the others were not, see
// [Client.Each].
package horizon
