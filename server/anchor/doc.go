// Package anchor is the domain of Windlass: money, assets, memos, the
// transaction and its state machine, fees, customers, payouts and journal
// postings.
//
// It is pure. Functions take the time as an argument, return values and
// errors, and do no I/O: no HTTP, SQL, Horizon or clock. Everything else in
// the program depends on it and it depends on none of our packages.
//
// # Units
//
// Money is [Amount], an int64 count of 10⁻⁷ units of some asset. Nothing here
// is a float.
//
// # The state machine
//
// A [Transaction]'s status is unexported. The only way to move it is [Table],
// which lists for every event the kinds and statuses it is legal in, the guard
// that must hold and the status that follows. Methods such as
// [Transaction.Agree] gather facts and then fire an event; they never assign a
// status.
package anchor

//go:generate go test . -run TestDiagram -update
