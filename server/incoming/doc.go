// Package incoming follows the ledger: every payment to or from our accounts
// becomes a row and a posting, and what a customer paid for a withdrawal is
// credited to it.
//
// It holds the streams, the matching of payments to transactions, the policies
// for what cannot be matched, and the expiry of what was never paid. It must not
// pay anything itself: what goes back is an intent of the payout engine's.
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
// The same transactions tell what moved our money without being a payment: a
// claimable balance that was claimed, one that was made for us (which has not
// arrived before it is claimed, and is a row without an amount), a clawback. If
// they cannot be read, an operator hears of it and nobody waits for it.
//
// # What cannot be matched
//
// The operator says for each reason whether a person decides, or the money goes
// back by itself (anchor.Policies). Deciding has a loop of its own, behind the
// stream: a payment has the time at which it is decided about from when it is
// booked, the intent is unique by the payment's id, and so it can stop anywhere.
//
// Two anchors that send each other's refunds back could do so for ever. Nothing
// goes back by itself that came back: not with a memo of kind return, nor of kind
// hash, which may name the returned transaction; nor what a sender pays with the
// memo of a refund that it got within a day, in the same asset and no more of it.
// So an answer to our refund is held. Whatever tricks that rule ends at the third
// refund of a day.
//
// Payments of one sender that are too small for their withdrawal add up: they are
// judged as one payment of their sum, once that is near enough.
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
