package anchor

import "slices"

// Ledger is the name of a journal account. Balances of assets we hold (bank,
// distribution, in flight) are positive; what we owe or have earned is
// negative, so that every entry sums to zero per asset.
type Ledger string

// The journal's accounts.
const (
	Bank         Ledger = "bank"         // money at the bank
	Distribution Ledger = "distribution" // tokens and lumens on our accounts on the ledger
	InFlight     Ledger = "in_flight"    // left for a destination, not yet final
	Customers    Ledger = "customers"    // owed to customers
	Fees         Ledger = "fees"         // fees earned
	NetworkFees  Ledger = "network_fees" // lumens the network charged
	Exchange     Ledger = "exchange"     // the position between an asset on and off the ledger
	Refunds      Ledger = "refunds"      // on the way back to customers
	Suspense     Ledger = "suspense"     // arrived, owner unknown
	Issued       Ledger = "issued"       // our own asset in circulation
	Capital      Ledger = "capital"      // what the operator put in
	Losses       Ledger = "losses"       // written off
	Reserves     Ledger = "reserves"     // lumens given to customers' accounts
)

// Posting is one line of an entry: Amount is added to Account's balance in Asset.
type Posting struct {
	Account Ledger
	Asset   Asset
	Amount  Amount
}

// Entry is one balanced movement of the journal.
type Entry struct {
	Kind string // "received", "priced", "payout_signed", …
	// Transaction is the transaction it belongs to; "" for the anchor's own.
	Transaction string
	// Reference is the ledger hash or bank reference behind it; may be empty.
	Reference string
	Postings  []Posting
}

// Balanced is nil if the entry's postings sum to zero for every asset and none
// is empty. An unbalanced entry is our own bug: Internal.
func (e *Entry) Balanced() error {
	sums := map[Asset]Amount{}
	for _, p := range e.Postings {
		if p.Asset == (Asset{}) || p.Account == "" {
			return &Error{Message: "journal entry " + e.Kind + " has a posting without account or asset"}
		}
		sum, err := sums[p.Asset].Add(p.Amount)
		if err != nil {
			return &Error{Message: "journal entry " + e.Kind + " overflows", Err: err}
		}
		sums[p.Asset] = sum
	}
	for asset, sum := range sums {
		if sum != 0 {
			return &Error{Message: "journal entry " + e.Kind + " is out of balance by " + sum.String() + " " + asset.String()}
		}
	}
	return nil
}

// Move is an entry that takes amount of asset from one account to another.
func Move(kind, transaction, reference string, asset Asset, amount Amount, from, to Ledger) *Entry {
	return &Entry{Kind: kind, Transaction: transaction, Reference: reference, Postings: []Posting{
		{from, asset, -amount}, {to, asset, amount}}}
}

// receivedEntry books the money that came in, takes the fee out of it and turns
// the rest into the asset that is owed.
func (t *Transaction) receivedEntry() *Entry {
	ref := t.ExternalID
	if t.Kind == Withdrawal {
		ref = t.StellarID
	}
	in, out := t.In(), t.Out()
	return entry("received", t.ID, ref, Posting{t.Place(), in, t.AmountIn}, Posting{Fees, in, -t.AmountFee},
		Posting{Exchange, in, -t.Exchanged()}, Posting{Exchange, out, t.AmountOut}, Posting{Customers, out, -t.AmountOut})
}

// Place is where the money that comes in for the transaction arrives.
func (t *Transaction) Place() Ledger {
	if t.Kind == Withdrawal {
		return Distribution
	}
	return Bank
}

// entry leaves out the postings of nothing.
func entry(kind, transaction, reference string, postings ...Posting) *Entry {
	return &Entry{Kind: kind, Transaction: transaction, Reference: reference,
		Postings: slices.DeleteFunc(postings, func(p Posting) bool { return p.Amount == 0 })}
}

// The journal follows an intent and an order from where the money was (our
// accounts, or the bank) into in_flight, and from there to what it was for.

// leaves is what leaves our accounts with the intent.
func (p *Payout) leaves() Amount {
	if p.Purpose == ForReclaim {
		return 0
	}
	return p.Amount
}

// Sent books that the intent was signed into an envelope, whose hash is
// reference.
func (p *Payout) Sent(reference string) *Entry {
	return Move("sent", p.transaction(), reference, p.Asset, p.leaves(), Distribution, InFlight)
}

// Returned undoes Sent.
func (p *Payout) Returned(reference string) *Entry {
	return Move("returned", p.transaction(), reference, p.Asset, p.leaves(), InFlight, Distribution)
}

// Arrived books that it was paid. What is taken back is owed to the customer
// again: it is never ours.
func (p *Payout) Arrived(reference string) *Entry {
	if p.Purpose == ForReclaim {
		return Move("reclaimed", p.transaction(), reference, p.Asset, p.Amount, Customers, Distribution)
	}
	return Move("arrived", p.transaction(), reference, p.Asset, p.Amount, InFlight, spentOn(p.Purpose))
}

func (p *Payout) transaction() string {
	if p.CauseKind == CauseTransaction {
		return p.CauseID
	}
	return ""
}

// Sent books that the bank has the order, under its own reference.
func (p *BankPayout) Sent(reference string) *Entry {
	return Move("sent", p.transaction(), reference, p.Asset, p.Amount, Bank, InFlight)
}

// Returned undoes Sent.
func (p *BankPayout) Returned(reference string) *Entry {
	return Move("returned", p.transaction(), reference, p.Asset, p.Amount, InFlight, Bank)
}

// Arrived books that it was paid.
func (p *BankPayout) Arrived(reference string) *Entry {
	return Move("arrived", p.transaction(), reference, p.Asset, p.Amount, InFlight, spentOn(p.Purpose))
}

// CameBack books that a line of the statement brought the order's money back,
// less what the bank kept. to is where the line is booked: Bank, or Suspense if
// nobody knew at first what it was. The order must still be as it was.
func (p *BankPayout) CameBack(line string, amount Amount, to Ledger) *Entry {
	kind, from := "recalled", spentOn(p.Purpose)
	switch p.State {
	case BankPaid:
	case BankAsked:
		kind, from = "returned", InFlight
	case BankQueued, BankInDoubt, BankRefused, BankApproval, BankCancelled: // that it left is not booked
		kind, from = "returned", Bank
	}
	return entry(kind, p.transaction(), line, Posting{from, p.Asset, -p.Amount}, Posting{to, p.Asset, amount}, Posting{Losses, p.Asset, p.Amount - amount})
}

func (p *BankPayout) transaction() string {
	if p.CauseKind == CauseTransaction {
		return p.CauseID
	}
	return ""
}

// spentOn is the account that says what money that left was for.
func spentOn(purpose Purpose) Ledger {
	switch purpose {
	case ForPayout:
		return Customers
	case ForRefund:
		return Refunds
	case ForCreate, ForTopUp, ForAuthorize, ForReclaim:
	}
	return Reserves
}

// GoesBack is the entry by which money whose owner was not known, in place (our
// accounts or the bank), is owed to its sender again, less a fee.
func GoesBack(reference string, asset Asset, amount, fee Amount) *Entry {
	return entry("refund_owed", "", reference, Posting{Suspense, asset, amount}, Posting{Refunds, asset, fee - amount}, Posting{Fees, asset, -fee})
}

// RefundUndone is the kind of the entry by which it goes back to nobody.
const RefundUndone = "refund_undone"

// StaysHere undoes GoesBack.
func StaysHere(reference string, asset Asset, amount, fee Amount) *Entry {
	return entry(RefundUndone, "", reference, Posting{Suspense, asset, -amount}, Posting{Refunds, asset, amount - fee}, Posting{Fees, asset, fee})
}

// Found is the entry that takes money out of suspense again, once its owner is
// known and before it is received for them.
func Found(transaction, reference string, asset Asset, amount Amount, place Ledger) *Entry {
	return Move("found", transaction, reference, asset, amount, place, Suspense)
}
