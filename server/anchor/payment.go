package anchor

import "time"

// Payment is one operation that brought money to an account of ours. Every one
// becomes a row, whatever it was for.
type Payment struct {
	// ID is Horizon's operation id, which is also its paging token.
	ID      string
	Account string  // ours, G…
	From    Address // the sender, muxed where the ledger says so
	Asset   Asset
	Amount  Amount // what arrived
	// Memo is the transaction's memo, or the id of our muxed address.
	Memo   Memo
	Hash   string // the ledger transaction's hash, hex
	Ledger uint32
	At     time.Time // when the ledger closed

	State  Match
	Reason string // why it is, or was, unmatched
	// Transaction is the one it was matched to. While a Short, Second or Late one
	// is unmatched it is the one that it was meant for.
	Transaction string
	// DecideAt is when the operator's policy decides about an unmatched one; zero
	// if a person does.
	DecideAt time.Time
}

// Match is what became of money that arrived on the ledger or at the bank.
type Match string

// The fates of arriving money.
const (
	Matched   Match = "matched"   // credited to a transaction
	Own       Match = "own"       // ours: from our own accounts, or what the bank gave back
	Unmatched Match = "unmatched" // a person, or a policy, must decide
	Refunding Match = "refunding" // decided to go back; an intent or an order says how far it is
	GoneBack  Match = "refunded"  // it went back
	Dismissed Match = "dismissed" // nobody knows how much it was; a person has looked into it
)

// The reasons why money stays unmatched.
const (
	NoMemo           = "no_memo"
	UnknownMemo      = "unknown_memo"
	WrongMemoKind    = "wrong_memo_kind"
	MemoDisagrees    = "memo_disagrees" // a muxed address and a transaction memo that differ
	WrongAsset       = "wrong_asset"
	UnknownReference = "unknown_reference"
	UnknownOperation = "unknown_operation"
	// ToClaim is no money yet: a claimable balance that was made for us.
	ToClaim = "claimable_balance"
	// UnknownReturn says that it brings an order's money back, the bank says, but
	// the order was not paid, came back already, or was of another amount.
	UnknownReturn = "unknown_return"
	// Refused could not be booked as what it is, though the books could be
	// written: our own fault, or somebody's malice.
	Refused    = "refused"
	WrongPayer = "wrong_payer" // a deposit paid from somebody else's account
	// Unbookable belongs to a transaction whose rules refuse it, such as when its
	// asset is no longer offered.
	Unbookable = "unbookable"
	// and the Arrivals Short, Second and Late
)

// Cursor is how far a stream was read.
type Cursor struct {
	Value string // Horizon's paging token
	// Ledger and LedgerHash pin the network it belongs to: the same ledger with
	// another hash is another network, or a reset one.
	Ledger     uint32
	LedgerHash string
	// ReadUntil is the close time of the newest ledger that was read, which is
	// what lateness is judged by.
	ReadUntil time.Time
}

// BankLine is one line of the bank's statement: a credit that arrived.
type BankLine struct {
	ID        string // the bank's own id: unique
	At        time.Time
	Asset     Asset
	Amount    Amount
	Reference string
	// Payer is personal data.
	PayerName, PayerAccount string

	State  Match
	Reason string // why it is, or was, unmatched
	// Transaction is the one it was matched to, or while it is unmatched the one
	// that it was meant for, if that is known.
	Transaction string
	Order       string // the order whose money it brought back; each comes back once
	// ConfirmedBy is the actor who said that it arrived, before the statement did.
	ConfirmedBy string
	// Told says that the statement has told who paid such a one since.
	Told bool
	// DecideAt is when the operator's policy decides about an unmatched one; zero
	// if a person does.
	DecideAt time.Time
}

// ByHand is the reason of an order that a person says the bank has paid, and of what
// a person has cancelled.
const ByHand = "by_hand"

// Returned is the reason of a line that brought an order's money back.
const Returned = "returned"

// BankPayout is an order to the bank, written before the bank is asked. Its ID
// is the bank's idempotency key. (CauseKind, CauseID, Purpose, Ordinal) is
// unique.
type BankPayout struct {
	ID        string
	CauseKind Cause // CauseTransaction or CauseLine
	CauseID   string
	Purpose   Purpose
	Ordinal   int
	Asset     Asset
	Amount    Amount
	Fee       Amount    // of a refund: what was kept for it
	FeeBack   []FeeLine // of a refund: what of the anchor's fee goes back with it
	// To is where the money goes, by SEP-9 names: personal data.
	To map[string]string

	State       BankPayoutState
	BankID      string // the bank's name for the transfer, once it has one
	Reason      string
	RequestedBy string // the actor who asked for it, "" if it follows from its cause by itself
	Retries     string // the refused order that it takes the place of, if any; each has one such at most
	Attempts    int
	// AskedUntil is zero while the bank has nothing of the order, nor can get it: it
	// was never asked, has said later than this that it does not have it, or has
	// refused it or given it back. Else it is the latest moment, by the bank's clock, at
	// which it may take what was sent; ForEver if nobody knows.
	AskedUntil time.Time
	NotBefore  time.Time
	CreatedAt  time.Time
	// Pickup is how the cash is collected, of an order whose cash lies ready; else nil.
	Pickup *Pickup
}

// Pickup is how cash is collected that lies ready at a desk. Whoever has Code has
// the money: it is shown to the customer alone, and nowhere else.
type Pickup struct {
	Code  string    // what is shown at the desk
	Place string    // where that is: a name and an address, in lines
	Until time.Time // when the cash goes back; zero if it waits for ever
}

// Same reports whether two say the same.
func (p *Pickup) Same(o *Pickup) bool {
	return p != nil && o != nil && p.Code == o.Code && p.Place == o.Place && p.Until.Equal(o.Until)
}

// ForEver is the AskedUntil of an order that no moment makes void.
var ForEver = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Stoppable reports whether the order can still be changed or cancelled: nothing of
// it is at the bank, nor can come there any more.
func (p *BankPayout) Stoppable() bool {
	return p.State == BankApproval || (p.State == BankQueued || p.State == BankInDoubt) && p.AskedUntil.IsZero()
}

// Payout is whether the order pays a transaction out, rather than back.
func (p *BankPayout) Payout() bool { return p.CauseKind == CauseTransaction && p.Purpose == ForPayout }

// IsHere reports whether the money of an order that the bank was asked for is here,
// as far as anybody knows: it was refused or given back, and may have been
// cancelled after that.
func (p *BankPayout) IsHere() bool { return p.State == BankRefused || p.State == BankCancelled }

// MayBePaid reports whether the bank may pay the order yet, or has paid it. Of one
// that a person says is here only the bank's own word, or its line, proves that it
// does not.
func (p *BankPayout) MayBePaid() bool { return !p.IsHere() || !p.AskedUntil.IsZero() }

// BankPayoutState is where an order to the bank is.
type BankPayoutState string

// The states of an order to the bank.
const (
	BankQueued  BankPayoutState = "queued"   // nothing was sent, or nobody knows: look up before asking again
	BankAsked   BankPayoutState = "asked"    // the bank has it
	BankPaid    BankPayoutState = "paid"     // settled; only a line of the statement can bring it back
	BankRefused BankPayoutState = "refused"  // returned or refused: a person decides
	BankInDoubt BankPayoutState = "in_doubt" // it cannot be looked up, or never arrives: a person decides

	BankApproval  BankPayoutState = "approval"  // above a limit: waits for a second person
	BankCancelled BankPayoutState = "cancelled" // never to be paid: something else took its place
)
