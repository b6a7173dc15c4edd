// Package store is the books: transactions, customers, payments, payouts, the
// journal, the outbox and every "once" that the rest of the program relies on,
// on SQLite.
//
// # One way through
//
// Every write is [Store.Update]: a closure that loads what it needs, runs rules
// of package anchor and saves, in one database transaction. Only a [Tx] writes.
// Closures do no I/O and may run twice. What they wake ([Tx.Notify], and every
// saved transaction) is told after the commit.
//
// # Why one writer
//
// SQLite has one writer at a time. One goroutine takes all closures that wait,
// runs each inside a savepoint and commits them together: with
// synchronous=FULL the disk is asked once for many updates. A closure that fails
// is rolled back to its savepoint without touching its neighbours, which is
// also why its statements run under the store's time limit and not the
// caller's context: a cancelled statement would make SQLite roll all of them
// back.
//
// SQLite rolls a transaction back by itself when the disk is full or a statement
// is cancelled. A [Tx] asks before each statement whether its transaction still
// stands: what a closure that overlooked the error did next would otherwise be
// committed alone. Such a group fails as a whole, and nobody is told that it was
// committed.
//
// # SQL
//
// Statements are written for SQLite and PostgreSQL alike. Placeholders stand in
// order of first appearance, because SQLite numbers $2, $1 by that order and
// would swap them silently; a test reads all statements for it.
//
// It must not hold business rules or talk to anything but its database.
package store
