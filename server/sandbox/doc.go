// Package sandbox is a small Stellar: a ledger with the network's own rules,
// speaking Horizon's HTTP API, with a friendbot. It serves `windlass dev`,
// `windlass sandbox` and the tests, so that an anchor can be built and run
// with no account anywhere.
//
// It holds the ledger's state and rules, the queue of pending transactions,
// the log on disk and the HTTP API. It must not know anything of anchors: no
// other package of this module is imported, and clients reach it over HTTP as
// they would any Horizon.
//
// How a transaction travels:
//
//	http.go, submit.go   POST /transactions            decode, answer, wait
//	queue.go             the pending ones               one per source account
//	validate.go          is it valid now?               signatures, bounds, fee
//	network.go           the clock closes a ledger      select, apply, store
//	apply.go             fees, sequence numbers, then the operations
//	rules.go, op_….go    the table of operations
//	log.go               the ledger on disk, fsynced    before anyone is told
//	history.go           what GET (resources.go) and the streams read
//
// Rules follow stellar-core (protocol 19, with the queue rule of version 20
// and later: one pending transaction per source account), answers follow a
// recorded Horizon 24.
//
// # Limitations
//
//   - Operations: create account, payment, change trust, set options. All
//     others are refused with op_not_supported. No sponsorship.
//   - No effects, offers, trades, assets, claimable balances, liquidity pools,
//     paths; no listing of all accounts. Their paths answer 404.
//   - result_meta_xdr and fee_meta_xdr are valid XDR that tell no changes.
//   - History is kept in memory as well as in the log, and never trimmed;
//     start replays the whole log. No snapshots.
//   - The header's bucketListHash is a chained hash over the changed accounts
//     instead of stellar-core's bucket list.
//   - No rate limit (the 429 of a real Horizon) and no outages on demand.
//
// # Differences from the recordings
//
// All recorded exchanges are replayed by TestConformance; what answers otherwise
// is this, with the recordings' numbers:
//
//   - Friendbot answers on this same server, at /friendbot, so nothing is
//     redirected to it. (002, 008, 029, 251, 261, 272)
//   - Friendbot's hundred channel accounts take more of the root account than
//     the recorded twenty. (013)
//   - History begins with the first ledger; the recorded Horizon's began with
//     the eighth. (002, 007, 008, 022, 251, 261, 272)
//   - The rate limited Horizon had just been started and was one ledger
//     behind. (251)
//   - Requests are not counted: a 429 is a fault that is asked for, and no
//     other answer tells of a limit. (251)
//   - These were recorded with an older core; of an account one transaction is
//     pending at a time, as in 302, 306 and 318. (208, 209, 212, 213, 224,
//     442, 443, 446, 447, 458)
//   - There are no offers, order books or paths. (103, 104, 105, 106, 107,
//     108, 109, 110, 111)
package sandbox
