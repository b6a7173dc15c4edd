// Package payout pays on the ledger, each intent exactly once.
//
// It holds the engine: batches of intents, the envelopes that pay them, the
// channel accounts that lend envelopes their sequence numbers, and the proof of
// what became of each envelope. It must not decide that something is to be
// paid: an intent is a row before anything here sees it, unique by its cause.
//
// # The life of an envelope
//
// A batch of up to 99 intents becomes one Stellar transaction. Its source is a
// channel account that has no other envelope alive; its operations are sourced
// from the distribution account; it has a maximum ledger; and it is wrapped in
// a fee bump that the fee account pays, so that channels need no lumens. It is
// signed, and one store.Update writes the envelope, its intents' new state, the
// new status of their transactions and the journal's entries. Only then is it
// submitted. Its identity is the inner transaction's hash, which a fee bump with
// a higher fee keeps.
//
// # The four fates
//
//   - Applied, well: the channel's sequence number has reached the envelope's,
//     and its hash is in the ledger as successful. All its intents are paid.
//   - Applied, badly: the same, but failed. Nothing was paid. The operation at
//     fault is known; its intent is taken out and the rest is queued again.
//   - Impossible: one single answer about the channel account says that its
//     sequence number is still lower and that the ledger has reached the
//     envelope's (exclusive) maximum. It can never apply. All its intents are
//     queued again.
//   - Unknown: everything else, such as a time-out, a 504, a 429, a refusal of
//     bytes that were handed in before, a hash that is not found, a crash. Wait,
//     and submit the same bytes again: the network takes them once at the most.
//
// What a submission answers is never a fate, only a hint when to look.
//
// # How money is paid twice
//
// By building a second envelope for an intent while the first could still
// apply. Networks lose answers, not only transactions: after a 504 the payment
// may well be in a queue, and land a minute later. "Not found" right after
// submitting means nothing. So an intent belongs to one live envelope at the
// most, which the schema enforces; a channel is held until its envelope's fate
// is proven; and the proof is the pair of sequence number and ledger in one
// answer of one Horizon, never two answers put together. A restart begins with
// the live envelopes of the books, before anything new is built.
//
// # Old books
//
// Books that were restored or copied know as unpaid what was paid since. So a
// start signs nothing while a channel is further on the ledger than any envelope
// of the books: that is an alarm, and a person's to explain. It cannot notice a
// channel that these books have never used, nor an envelope that is on its way
// just then: after a restore, wait longer than an envelope can live.
//
// # Whose fault
//
// An intent that its destination cannot take (no account, no trustline, not
// authorized, full) waits for it and is looked at from time to time; most are
// found before they enter a batch. What is our own fault (funds, signatures,
// fees) raises an alarm and pauses, and no customer's transaction fails for it.
// What keeps failing otherwise is parked for a person.
package payout
