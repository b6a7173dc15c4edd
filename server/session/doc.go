// Package session says who calls: the tokens of wallets (SEP-10), the tokens in
// interactive and more-info links, the sessions of customers and staff, and the
// capability that a more-info link carries.
//
// # Why so many keys
//
// Each kind of token is signed with a key of its own and names its audience, so
// that none passes for another: the token in an interactive page's address must
// never open SEP-24's endpoints, nor a wallet's token a customer's page.
//
// # Why tokens are burned
//
// Addresses leak: into histories, logs and screenshots. A token in one is good
// for ten minutes and a single exchange, for a session that the books can
// revoke. Only the page that made the exchange can repeat it, for one minute,
// by a nonce that never was in an address.
//
// It must not hold rules about transactions, nor decide what a caller may do:
// it names the caller, and others decide.
package session
