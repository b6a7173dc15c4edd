package anchor

import "time"

// MaxBatch is how many intents one envelope may carry: a Stellar transaction
// has at most 100 operations and the fee bump counts as one more.
const MaxBatch = 99

// Cause is the kind of thing that money leaves for.
type Cause string

// The causes. With its id, a purpose and an ordinal a cause names one intent or
// order for ever.
const (
	CauseTransaction Cause = "transaction" // a deposit or withdrawal
	CausePayment     Cause = "payment"     // a Payment whose owner is not known
	CauseLine        Cause = "line"        // a BankLine whose owner is not known
	CauseAccount     Cause = "account"     // a customer's account, which is given lumens once for ever
)

// Purpose says what money leaves for.
type Purpose string

// The purposes.
const (
	ForPayout    Purpose = "payout"    // what the customer bought
	ForRefund    Purpose = "refund"    // what came in goes back
	ForCreate    Purpose = "create"    // lumens that make the customer's account
	ForTopUp     Purpose = "top_up"    // lumens for the reserve of a trustline
	ForAuthorize Purpose = "authorize" // nothing is paid: the trustline is authorized
	ForReclaim   Purpose = "reclaim"   // nothing is paid: a balance that nobody claimed comes back
)

// Operation is the operation that an intent becomes.
type Operation string

// The operations.
const (
	PayPayment   Operation = "payment"
	PayCreate    Operation = "create_account"    // a payment of lumens that makes its destination
	PayClaimable Operation = "claimable_balance" // put down for the destination to take
	PayAuthorize Operation = "authorize"         // the destination's trustline is authorized by the issuer, the source
	PayReclaim   Operation = "claim"             // the source takes back the claimable balance ResultID
)

// Payout is an intent to pay on the ledger, written before anything is signed.
// (CauseKind, CauseID, Purpose, Ordinal) is unique: that is what makes a payout
// happen once.
type Payout struct {
	ID        string
	CauseKind Cause
	CauseID   string
	Purpose   Purpose
	Ordinal   int // counts repeats; 0 at first

	Operation   Operation
	Asset       Asset
	Amount      Amount
	Fee         Amount    // of a refund: what was kept for it
	FeeBack     []FeeLine // of a refund: what of the anchor's fee goes back with it
	Source      string    // the distribution account, G…
	Destination Address
	Memo        Memo

	State PayoutState
	// Envelope is the one that carries it, while State is PayoutInEnvelope or PayoutPaid.
	Envelope string
	// Attempts counts the envelopes it was in; Reason is why it is parked or waits.
	Attempts    int
	Reason      string
	RequestedBy string // the actor who asked for it, "" if it follows from its cause by itself
	ResultID    string // the claimable balance that it made, or takes back; empty if none
	// NotBefore is zero, or when it may be tried again; of a claimable balance
	// that was made, when the anchor may take it back.
	NotBefore time.Time
	CreatedAt time.Time
}

// PaysOut is whether the intent pays a transaction out, whose status then
// follows it. It may have to wait for its destination; no other has promised that.
func (p *Payout) PaysOut() bool { return p.CauseKind == CauseTransaction && p.Purpose == ForPayout }

// Gift is the intent that gives lumens to the account of a customer whom p pays:
// to make it, or for the reserve of a trustline. Each happens once for an account,
// whoever asks: else whoever closes it and comes again would drain us.
func (p *Payout) Gift(id string, purpose Purpose, amount Amount, now time.Time) *Payout {
	account := p.Destination.Account()
	g := &Payout{
		ID: id, CauseKind: CauseAccount, CauseID: account, Purpose: purpose, Operation: PayPayment,
		Asset: Native, Amount: amount, Source: p.Source, Destination: Address(account),
		State: PayoutQueued, CreatedAt: now.UTC().Truncate(time.Microsecond),
	}
	if purpose == ForCreate {
		g.Operation = PayCreate
	}
	return g
}

// Authorize is the intent by which the issuer lets the customer whom p pays hold
// the asset, for the ordinal-th time.
func (p *Payout) Authorize(id string, ordinal int, now time.Time) *Payout {
	return &Payout{
		ID: id, CauseKind: p.CauseKind, CauseID: p.CauseID, Purpose: ForAuthorize, Ordinal: ordinal, Operation: PayAuthorize,
		Asset: p.Asset, Source: p.Asset.Issuer, Destination: Address(p.Destination.Account()),
		State: PayoutQueued, CreatedAt: now.UTC().Truncate(time.Microsecond),
	}
}

// Reclaim is the intent that takes back the claimable balance that p made, once,
// if nobody has claimed it by NotBefore.
func (p *Payout) Reclaim(id string, now time.Time) *Payout {
	return &Payout{
		ID: id, CauseKind: p.CauseKind, CauseID: p.CauseID, Purpose: ForReclaim, Ordinal: p.Ordinal, Operation: PayReclaim,
		Asset: p.Asset, Amount: p.Amount, Source: p.Source, Destination: Address(p.Source), ResultID: p.ResultID,
		State: PayoutWaiting, NotBefore: p.NotBefore, CreatedAt: now.UTC().Truncate(time.Microsecond),
	}
}

// PayoutState is where an intent is.
type PayoutState string

// The states of an intent.
const (
	PayoutQueued     PayoutState = "queued"      // waits for an envelope
	PayoutInEnvelope PayoutState = "in_envelope" // in a live envelope
	PayoutPaid       PayoutState = "paid"        // applied
	PayoutWaiting    PayoutState = "waiting"     // the destination cannot take it yet
	PayoutParked     PayoutState = "parked"      // a person must decide
	PayoutApproval   PayoutState = "approval"    // above a limit: waits for a second person
	PayoutCancelled  PayoutState = "cancelled"   // never to be paid: something else took its place
)

// Open reports whether the intent may still be paid, and is in no envelope.
func (s PayoutState) Open() bool {
	return s == PayoutQueued || s == PayoutWaiting || s == PayoutParked || s == PayoutApproval
}

// Envelope is one signed Stellar transaction that pays a batch of intents. At
// most one live envelope holds an intent, and at most one a channel.
type Envelope struct {
	ID       string
	Channel  string // G…; lends its sequence number
	Sequence int64  // the inner transaction's
	// Hash is the inner transaction's hash in hex: the envelope's identity. A
	// replaced fee bump keeps it.
	Hash string
	// XDR is the fee bump envelope as last submitted, base64.
	XDR string
	// MaxLedger is the exclusive upper ledger bound of the inner transaction.
	MaxLedger uint32
	// Fee is the fee bump's bid in stroops.
	Fee       int64
	State     EnvelopeState
	Result    string // result codes of a failed one, for people
	CreatedAt time.Time
	// Intents are the payouts in it, in the order of the operations.
	Intents []string
}

// EnvelopeState is an envelope's fate, as far as it is known.
type EnvelopeState string

// The fates of an envelope.
const (
	EnvelopeLive       EnvelopeState = "live"       // unknown: submit the same bytes again, or wait
	EnvelopeApplied    EnvelopeState = "applied"    // in the ledger, successful
	EnvelopeFailed     EnvelopeState = "failed"     // in the ledger, failed: the sequence is used, nothing was paid
	EnvelopeImpossible EnvelopeState = "impossible" // its bound passed with the sequence unused
)

// Verdict is what one look at the channel account proves about an envelope.
type Verdict int

// The verdicts.
const (
	Unknown    Verdict = iota // it may still apply
	InLedger                  // it has applied, well or badly: look the hash up
	Impossible                // it can never apply
)

// Judge draws the only conclusion that one consistent answer about the channel
// allows: its sequence number as of ledger latest. Errors, timeouts, 404s on
// the hash and PENDING prove nothing and must not be passed here.
func (e *Envelope) Judge(sequence int64, latest uint32) Verdict {
	switch {
	case sequence >= e.Sequence:
		return InLedger
	case latest >= e.MaxLedger:
		return Impossible
	}
	return Unknown
}
