// Package rail is off-chain money: what a bank adapter must do ([Rail]), the
// references that bank transfers quote, the engine that books the bank's
// credits and sends it orders ([Engine]), and a simulated bank for test networks
// ([Simulated]).
//
// # Why an order is written before the bank is asked
//
// A bank that does not answer may have paid all the same. So an order is a row
// of the books first, its id is the bank's idempotency key (made of what the
// order is for, so that even old books name it the same), and an order that
// was asked for once is looked up before it is asked for again. What the bank
// cannot tell is left to a person: nobody is paid twice to save time.
//
// # When an order is known never to have been taken
//
// That the bank does not have an order proves nothing by itself: the request may
// still be on its way. So each carries the moment after which the bank takes it no
// more ([Order].Until), and the latest of them is in the books before a request
// leaves. Once the bank says, at a later moment of its own clock, that it does not
// have the order, none that was sent can be taken any more, and it may be cancelled
// or changed as if it had never been sent. It is what the maximum ledger is to an
// envelope, and the ledger's number in Horizon's answer.
//
// The bank's clock decides, alone: it is what Until is judged by, and our own may be
// wrong. If ours is behind, orders come too late, are not taken and are asked for
// again, which the log says; if it is ahead, it takes longer until one is given up.
// Who cannot tell that time (zero) proves nothing. So there is no margin here: an
// adapter whose bank answers from several machines takes its own off that time.
//
// It must not hold SEP or GraphQL, and it changes transactions only through
// package anchor.
package rail

import (
	"context"
	"time"

	"windlass/server/anchor"
)

// Rail is what a bank adapter must do. Its methods may be called at the same
// time. They obey ctx; an error means that the outcome is unknown.
type Rail interface {
	// Instructions say where a deposit is paid to: rows such as account_holder,
	// account_number and bank_name. Amount and reference are not among them.
	Instructions(asset anchor.Asset, method string) []Row

	// PaymentCode is what a QR code carries by which a deposit of amount is paid with a
	// reference: what payers' own apps read, such as an EPC069-12 text, or an address.
	// "" if the rail has none for the method.
	PaymentCode(asset anchor.Asset, method string, amount anchor.Amount, reference string) string

	// Credits reads what arrived on the account after a cursor, "" for the
	// beginning, oldest first and some hundreds at a time.
	Credits(ctx context.Context, after string) (Statement, error)

	// Pay asks the bank to carry out an order. Asking twice with the same id
	// must pay once and answer with the first transfer. A refusal is no error
	// but a Transfer in state Refused. What arrives after Order.Until is as if it had
	// never come, and one in state Missing.
	Pay(ctx context.Context, o Order) (Transfer, error)

	// Lookup finds the transfer of an order by the order's id. One in state Missing
	// says that the bank does not have it; ErrNoLookup is the answer of a bank that
	// cannot be asked. One that is Settled stays so: what comes back later
	// is a Credit, since the statement is where money that moved is found.
	Lookup(ctx context.Context, id string) (Transfer, error)

	// Account reads what the bank itself says of the account: its balances, and
	// what it has booked since a time, the beginning if that is zero. It is what
	// the books are compared with.
	Account(ctx context.Context, since time.Time) (Account, error)

	// Changed gets a token when something may have arrived or been settled. It
	// may be nil: the engine looks every second anyway.
	Changed() <-chan struct{}
}

// ErrNoLookup is the answer of a bank that cannot be asked what became of an
// order. A person must.
var ErrNoLookup = &anchor.Error{Kind: anchor.Unavailable, Message: "this bank cannot look up an order"}

// Row is one line of how to pay, named as the catalogue names it under
// "instruction.".
type Row struct{ Name, Value string }

// Statement is a part of the bank's statement.
type Statement struct {
	Credits []Credit // oldest first
	// Cursor is the position after the last of them.
	Cursor string
	// ReadUntil is the time up to which nothing that is missing here can still
	// appear with an earlier value time. Lateness is judged by it.
	ReadUntil time.Time
}

// Credit is money that arrived at the bank.
type Credit struct {
	ID        string    // the bank's own: unique for ever
	At        time.Time // the value time
	Asset     anchor.Asset
	Amount    anchor.Amount
	Reference string // as the payer wrote it
	// Order is the Order that had been settled and whose money this brings back,
	// where the bank says so.
	Order string
	// Payer is personal data.
	PayerName, PayerAccount string
}

// Account is the account as the bank has it at one moment. What is only open is in
// neither the balances nor the lines.
type Account struct {
	Balances map[anchor.Asset]anchor.Amount
	Lines    []Line // both directions, oldest first
	// Open are the orders that the bank has neither settled nor given back, whenever it
	// took them, cash at a desk among them: what their lines will be if they are settled.
	Open []Line
}

// Line is one booking at the bank.
type Line struct {
	ID    string // the Credit's, or the Transfer's
	Order string // the Order that it carries out, or brings back; empty if it is none of ours
	At    time.Time
	Asset anchor.Asset
	// Amount is negative for money that left.
	Amount anchor.Amount
}

// Order is a payment that the bank is asked for.
type Order struct {
	ID     string // the idempotency key
	Asset  anchor.Asset
	Amount anchor.Amount
	// Method is how a customer is paid: "cash" is collected. "" of a refund, which goes
	// back by the way it came.
	Method string
	// To is where the money goes, by SEP-9 names: personal data.
	To map[string]string
	// Reference is what the statement of whoever is paid shows.
	Reference string
	// Until is the last moment, by its own clock, at which the bank may take the
	// order, whatever held it up on its way. It is another one each time that the
	// order is sent, and never an earlier one. Who must round it rounds it down.
	Until time.Time
}

// Transfer is what the bank made of an order.
type Transfer struct {
	ID    string // the bank's own; empty if it refused
	State TransferState
	// At is the value time, of a settled transfer. Of one that is missing it is a time
	// by the clock that Order.Until is judged by: all that the bank took by then it
	// would have found, and whatever arrives from now on it judges by a later one. It
	// is zero where the bank cannot promise that, or pays no heed to Until.
	At time.Time
	// Reason is a stable word, of a refused or returned one: "account_closed".
	Reason string
	// Pickup is how the cash is collected, of one that is ready.
	Pickup *anchor.Pickup
}

// TransferState is where a transfer is.
type TransferState string

// The states of a transfer.
const (
	Pending  TransferState = "pending"  // the bank has the order
	Ready    TransferState = "ready"    // cash lies at a desk: it is settled once it was collected, else returned
	Settled  TransferState = "settled"  // paid, for good as far as the bank can tell
	Refused  TransferState = "refused"  // never carried out
	Returned TransferState = "returned" // taken, and given back before it was settled
	Missing  TransferState = "missing"  // the bank does not have the order: no request came, or only too late
)
