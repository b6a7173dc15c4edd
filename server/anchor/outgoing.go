package anchor

import "time"

// Outgoing is one operation that took something from an account of ours and
// that the books do not know as theirs: books that are older than what was done
// with them, somebody with our key, or the operator's own hand. Payouts pause
// until it is explained.
type Outgoing struct {
	// ID is Horizon's operation id, which is also its paging token.
	ID          string
	Account     string // ours, G…
	Destination string // G…
	Asset       Asset  // the zero Asset if it could not be read
	Amount      Amount // what left; 0 if it could not be read
	Memo        Memo   // the transaction's, or the id of the muxed destination
	// BalanceID is the claimable balance that it made, "" if it made none;
	// ClaimBackAt is when Account may take that back, zero for never.
	BalanceID   string
	ClaimBackAt time.Time
	Hash        string // the ledger transaction's hash, hex
	Ledger      uint32
	At          time.Time // when the ledger closed

	Explained Explanation // "" while it is not
	Payout    string      // the intent that it paid, if AsPayout
	By        string      // the actor who explained it
	ByAt      time.Time
}

// Explanation is what an operation that the books did not know has turned out
// to be.
type Explanation string

// The explanations.
const (
	AsPayout Explanation = "payout" // it paid an intent that these books still had to pay
	AsOwn    Explanation = "own"    // the operator's own movement
	AsLoss   Explanation = "loss"   // it is gone
)

// Against is the journal account that an explanation takes it to out of
// suspense, "" if that is the intent's matter.
func (e Explanation) Against() Ledger {
	switch e {
	case AsOwn:
		return Capital
	case AsLoss:
		return Losses
	case AsPayout:
	}
	return ""
}

// LeftUnexplained is the kind of the entry that books money which left an
// account of ours by an operation that we did not make: it goes to suspense.
const LeftUnexplained = "left_unexplained"

// LeftExplained is the kind of the entry that takes it out of suspense again.
const LeftExplained = "left_explained"

// Pays is nil if the operation can be what pays an intent that the books still
// have open.
func (o *Outgoing) Pays(p *Payout) error {
	refused := func(code, message string) error { return &Error{Kind: Conflict, Code: code, Message: message} }
	switch {
	case o.Explained != "":
		return refused("explained", "the operation is explained already")
	case !p.State.Open():
		return refused("payout_not_open", "the payout is "+string(p.State)+": only one that these books have not signed can have been paid without their knowing")
	case p.Operation != PayPayment && p.Operation != PayCreate && p.Operation != PayClaimable:
		return refused("payout_differs", "the payout is no payment")
	case o.BalanceID != "" && !p.PaysOut():
		return refused("payout_differs", "the operation made a claimable balance, and only a deposit is paid by one")
	case p.Source != o.Account || p.Destination.Account() != o.Destination || p.Asset != o.Asset || p.Amount != o.Amount:
		return refused("payout_differs", "the payout has another source, destination, asset or amount than the operation")
	}
	return nil
}

// Pause is a reason why nothing new is paid for now.
type Pause struct {
	Key    string // names it, such as PausedByStaff
	Reason string // for people
	Actor  string // who asked for it
	Since  time.Time
}

// The pauses that the program knows by their keys.
const (
	PausedByStaff     = "staff"
	PausedUnexplained = "outgoing" // ends with the last unexplained operation
	// The books are not the ones that were open here last: the first ends when the
	// ledger was read past all that may have been signed, then the other when the
	// bank's statement was read and each order of the bank's is known.
	PausedRestored     = "restored"
	PausedRestoredBank = "restored_bank"
	// The bank has carried out orders that these books do not know: it ends when
	// they do, or with a person's word.
	PausedUnknownOrders = "bank_orders"
)
