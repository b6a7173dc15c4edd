// Package incoming follows the ledger: every payment to or from our accounts
// becomes a row and a posting, and what a customer paid for a withdrawal is
// credited to it.
//
// It holds the streams, the matching of payments to transactions, and the
// expiry of what was never paid. It must not pay anything back: unmatched money
// waits for a person, or a policy that lives elsewhere.
//
// # Never skipped, never twice
//
// For each account there is one cursor, and it moves in the same store.Update
// as the effect of what it moves past. Whatever dies when, the next start goes
// on behind the last payment whose effect is in the books. The payment's row,
// whose key is Horizon's id for the operation, stands guard besides.
//
// A stream starts at the beginning of the account's history, never at "now":
// what was paid while nobody looked is read like everything else.
//
// # Lumens
//
// What the network charges a followed account is booked from the account's
// transactions, which have a cursor of their own and are read whenever the head
// of the ledger is looked at: setting options or a trustline costs a fee and is
// no payment, and so does what failed. For its own envelopes the payout engine
// books the fee.
//
// # Which ledger is this?
//
// With the cursor goes the hash of a ledger that was read. A Horizon that has
// another hash for it serves another network, or one that was reset; one that
// no longer has it may have forgotten payments that we never saw. Neither is
// followed: the stream stops with an alarm, and looks again from time to time.
//
// One address may stand for several Horizons, of which one lags a little behind
// another. None of their payments is skipped, since the cursor is a payment's
// own; but "read up to the head" may be true of the other one only. So nothing
// expires before the ledger was read past its deadline by a margin.
//
// # One bad payment
//
// Anybody can send us anything. What cannot be read, or cannot be credited, is
// written down as unmatched with its reason, and the stream goes on. Faults of
// Horizon's or the database's are different: they pass, and nothing is skipped
// until they have.
package incoming
