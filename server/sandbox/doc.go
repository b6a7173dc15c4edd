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
//	rates.go             what path payments exchange at
//	log.go               the ledger on disk, fsynced    before anyone is told
//	history.go, index.go what GET (resource….go) and the streams read
//
// And what disturbs it, all of it off until somebody asks (docs/sandbox.md):
//
//	weather.go, faults.go   requests and streams that fail, by seed
//	follower.go             a Horizon that lags
//	clock.go, surge.go      ledgers that pause, jump or grow dear
//	snapshot.go             the network saved, loaded, or reset
//	control.go              the same over HTTP, on a port of its own
//
// Rules follow stellar-core (protocol 19, with the queue rule of version 20
// and later: one pending transaction per source account), answers follow a
// recorded Horizon 24.
//
// # Limitations
//
//   - No offers, order books, trades, liquidity pools and path finding, no
//     inflation, no Soroban: their operations are refused with op_not_supported.
//     Path payments exchange at configured rates (Config.Rates), which are no
//     entries of the ledger and reserve nothing of an account's balance.
//   - result_meta_xdr and fee_meta_xdr are valid XDR that tell no changes.
//   - Surge pricing is protocol 19's: a ledger costs more once it has all but a
//     hundred of its operations.
//   - History is kept in memory as well as in the log, and never trimmed;
//     start replays the whole log.
//   - The header's bucketListHash is a chained hash over the changed accounts
//     instead of stellar-core's bucket list.
//   - Faults do not outlive the process, and are in no snapshot.
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
//   - There are no offers, order books or paths; path payments exchange at
//     rates given beforehand. (103, 109, 110, 111)
package sandbox
