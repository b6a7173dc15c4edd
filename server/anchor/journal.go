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
	place, ref := Bank, t.ExternalID
	if t.Kind == Withdrawal {
		place, ref = Distribution, t.StellarID
	}
	in, out := t.In(), t.Out()
	e := &Entry{Kind: "received", Transaction: t.ID, Reference: ref, Postings: []Posting{
		{place, in, t.AmountIn},
		{Fees, in, -t.AmountFee},
		{Exchange, in, -t.AmountOut},
		{Exchange, out, t.AmountOut},
		{Customers, out, -t.AmountOut},
	}}
	if t.status == TooSmall || t.status == TooLarge || t.status == OnHold {
		e.Postings = []Posting{{place, in, t.AmountIn}, {Customers, in, -t.AmountIn}}
	}
	e.Postings = slices.DeleteFunc(e.Postings, func(p Posting) bool { return p.Amount == 0 })
	return e
}

// SentEntry books that amount_out is on its way: signed into an envelope, or
// ordered at the bank.
func (t *Transaction) SentEntry(reference string) *Entry {
	return Move("sent", t.ID, reference, t.Out(), t.AmountOut, t.holding(), InFlight)
}

// ReturnedEntry undoes SentEntry.
func (t *Transaction) ReturnedEntry(reference string) *Entry {
	return Move("returned", t.ID, reference, t.Out(), t.AmountOut, InFlight, t.holding())
}

// ArrivedEntry books that amount_out reached the customer for good.
func (t *Transaction) ArrivedEntry(reference string) *Entry {
	return Move("arrived", t.ID, reference, t.Out(), t.AmountOut, InFlight, Customers)
}

func (t *Transaction) holding() Ledger {
	if t.Kind == Deposit {
		return Distribution
	}
	return Bank
}
