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
//     envelope's (exclusive) maximum. Or the ledger shows another transaction of
//     the channel with the envelope's sequence number. It can never apply. All
//     its intents are queued again.
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
// # Channels
//
// The network takes one transaction of a source account in a ledger, so that a
// ledger takes as many envelopes as there are channels. The engine makes channel
// accounts that do not exist, at its start and whenever it finds one gone while
// no envelope of it is alive. The fee account sponsors their reserves. Making
// them moves no money but the network's fee, which is booked by whoever reads the
// fee account's transactions; so nothing is written down, and it can be cut off
// anywhere and done again. A channel whose key no longer signs for it is an
// alarm, and the others go on.
//
// While envelopes wait for their ledger, the destinations that come next are
// looked at. Such a look is good for some ledgers, and no proof of anything: one
// that has changed since fails its batch, as it would in any case.
//
// # Pauses
//
// While the books have a pause, nothing new is signed. Envelopes that are alive
// are followed to their fate. A pause is asked for by staff, or follows from an
// operation that took money from an account of ours and that the books do not
// know: it ends when the last of those is matched to an intent or explained.
// Whether there is one is read again in the update that writes an envelope down.
//
// # Old books
//
// Books that were restored or copied know as unpaid what was paid since. So a
// start signs nothing while a channel is further on the ledger than the books
// account for, or was used and they know nothing of it, and neither does a run
// that finds one. It goes on by itself once it is certain that the books have
// read all that they had forgotten: the lifetime of an envelope has passed, so
// that nothing is on its way any more; the ledger was read up to a later answer
// about the channel, which has not moved since; and nothing that left us is
// unexplained. The channel's sequence number is then accepted. A start whose
// channels are where the books have them waits for nothing.
//
// An envelope may be on its way at that very moment, by a channel that was never
// used since, of which the ledger tells nothing. So books that are not the ones
// that were open here last, which their lock file tells, begin with a pause of
// their own, and every channel of theirs is waited for in the same way. While the
// books are in doubt staff start no money moving either.
//
// Until an envelope that is alive is found in the ledger, it accounts for no
// sequence number: what used that number may be just what the books have
// forgotten. If the ledger shows that another transaction used it, the envelope
// can never apply, and its intents are queued again, to be matched with what the
// books have forgotten before anything is signed. If it shows none, the envelope
// stays "lost", and its intents are kept rather than guessed about.
//
// # Whose fault
//
// An intent that its destination cannot take (no account, no trustline, not
// authorized, full) waits for it and is looked at from time to time; most are
// found before they enter a batch. What can be done about it is an intent of its
// own, once: lumens that make the account or cover a trustline's reserve, the
// issuer's permission. Or the payout takes another form: lumens make their account
// themselves, if they are enough, and a wallet that can claim balances is paid by one. What still
// cannot be taken at the deadline goes back to whoever paid. What is our own fault
// (funds, signatures, fees) raises an alarm and pauses, and no customer's
// transaction fails for it. What keeps failing otherwise is parked for a person,
// and so is, whoever asks for it, what would go to an account of ours.
package payout
