package anchor

import (
	"slices"
	"time"
)

// Transaction is one deposit or withdrawal (SEP-24, "Transaction History").
//
// Its fields are facts. Its status moves only through [Table]: the methods
// below gather the facts an event brings and fire it. Load it, call one of
// them, save it, all inside one store.Update.
type Transaction struct {
	ID   string // UUIDv7: a handle, never an authorization
	Kind Kind

	status Status
	trail  []Step

	// Owner signed in with SEP-10 and may see the transaction.
	Owner Identity
	// CustomerID is the person behind Owner.
	CustomerID string
	// Asset is the one on the ledger, OffChain the bank's.
	Asset, OffChain Asset

	// Account is the other party on the ledger: where a deposit is paid to,
	// where a withdrawal is expected from. Never empty.
	Account Address
	// Memo goes on a deposit's payout as the wallet asked; for a withdrawal it
	// is the one the payment must carry, set when it is agreed and kept.
	Memo Memo
	// AnchorAccount is where a withdrawal must be paid, set with Memo. G….
	AnchorAccount string
	// RefundMemo goes on a refund in place of the original memo.
	RefundMemo Memo
	// ClaimableBalance says that the wallet can claim balances.
	ClaimableBalance bool

	// Requested is the amount the wallet proposed; 0 if none.
	Requested Amount
	// AmountsKnown says that the amounts below hold. From then on AmountOut is what
	// Rate gives for AmountIn − AmountFee − AmountRefunded − RefundFee.
	AmountsKnown                   bool
	Rate                           Rate
	AmountIn, AmountOut, AmountFee Amount
	FeeLines                       []FeeLine
	// AmountRefunded and RefundFee count from the moment a refund is decided.
	AmountRefunded, RefundFee Amount
	// Refunds are those that have arrived.
	Refunds []Refund
	// Expected is the amount_in the customer agreed to, 0 before.
	Expected Amount

	// Method is how the bank side moves, such as "bank_transfer".
	Method string
	// Reference is what a deposit's bank transfer must quote; unique for ever.
	Reference string
	// BankSide is the customer's account at the bank, masked: where a withdrawal
	// is paid to, or where a deposit came from. "" until known.
	BankSide string
	// Reviewed says that the customer behind it was accepted (kyc_verified).
	Reviewed bool

	// StellarID is the ledger transaction's hash, ExternalID the bank's name
	// for its transfer; empty until known.
	StellarID, ExternalID string
	// BalanceID is the claimable balance that paid a deposit, "" if none did.
	BalanceID string

	StartedAt time.Time
	// UpdatedAt is when the present status was reached.
	UpdatedAt   time.Time
	CompletedAt time.Time // zero unless completed or refunded
	AgreedAt    time.Time // zero until agreed
	FundedAt    time.Time // zero until the money is here
	PaidOutAt   time.Time // zero until the money has left
	// Deadline is when the waiting for the customer ends; zero if nobody waits.
	Deadline time.Time

	// Lang is the customer's language, as the catalogue names it.
	Lang string
	// Callback and OnChange are what the wallet added to the page's address:
	// "postMessage", a URL to call, or "". Callback may be an app's address, too.
	Callback, OnChange string
	// Note is a catalogue key under "message." that explains the status where
	// the status alone does not; may be empty.
	Note string
}

// Funded reports whether the customer's money is here.
func (t *Transaction) Funded() bool { return !t.FundedAt.IsZero() }

// PaidOut reports whether the money has left to its destination for good.
func (t *Transaction) PaidOut() bool { return !t.PaidOutAt.IsZero() }

// agreed reports whether the customer said yes to the amounts.
func (t *Transaction) agreed() bool { return t.AmountsKnown && !t.AgreedAt.IsZero() }

// Status is the transaction's present status.
func (t *Transaction) Status() Status { return t.status }

// Trail is the steps taken since the transaction was made or restored, for the
// store to write down with it.
func (t *Transaction) Trail() []Step { return t.trail }

// Restore gives a transaction read from the books its status. Only package
// store calls it; it panics on one that has a status.
func (t *Transaction) Restore(s Status) {
	if t.status != "" {
		panic("anchor: Restore of a transaction that has a status")
	}
	t.status = s
}

// BareTerms are what is known of the terms of an asset that is offered no more.
func (t *Transaction) BareTerms() *Terms {
	return &Terms{Asset: t.Asset, OffChain: t.OffChain, Decimals: Decimals, OffChainDecimals: Decimals, Account: t.AnchorAccount}
}

// In is the asset of AmountIn and of the fee; Out that of AmountOut.
func (t *Transaction) In() Asset {
	if t.Kind == Deposit {
		return t.OffChain
	}
	return t.Asset
}

// InCash reports whether the customer collects the money at a desk.
func (t *Transaction) InCash() bool { return t.Kind == Withdrawal && t.Method == Cash }

// StatusText is the key of the sentence that explains the status. Lumens need no
// trustline: what keeps them waiting is another thing. Cash is not sent: it is
// collected.
func (t *Transaction) StatusText() string {
	key := "status." + string(t.Kind) + "." + string(t.status)
	switch {
	case t.status == PendingTrust && t.Asset.IsNative():
		key += ".native"
	case t.InCash() && slices.Contains([]Status{PendingUserTransferStart, PendingExternal, Completed}, t.status):
		key += ".cash"
	}
	return key
}

// Out is the asset of AmountOut.
func (t *Transaction) Out() Asset {
	if t.Kind == Deposit {
		return t.Asset
	}
	return t.OffChain
}

// Start opens a transaction in status incomplete.
func Start(id string, kind Kind, terms *Terms, owner Identity, account Address, deadline, now time.Time) *Transaction {
	now = now.UTC().Truncate(time.Microsecond)
	return &Transaction{
		ID: id, Kind: kind, status: Incomplete, Owner: owner, Account: account,
		Asset: terms.Asset, OffChain: terms.OffChain,
		StartedAt: now, UpdatedAt: now, Deadline: deadline.UTC().Truncate(time.Microsecond),
	}
}

// SetAmount enters or changes the amount while everything can still be
// changed. It checks the limits and sets the arithmetic. A method that does not take
// the amount is to be chosen anew.
func (t *Transaction) SetAmount(terms *Terms, in Amount) error {
	if t.status != Incomplete {
		return &Error{Kind: Conflict, Code: "already_agreed", Message: "the amount can no longer be changed"}
	}
	if err := terms.CheckAmount(t.Kind, "", in); err != nil {
		return err
	}
	was := t.Method
	if !terms.Side(t.Kind).Takes(t.Method, in) {
		t.Method = ""
	}
	err := t.price(terms, in)
	if err != nil {
		t.Method = was
	}
	return err
}

// ChooseMethod says how the bank side moves, which may cost something else.
func (t *Transaction) ChooseMethod(terms *Terms, method string) error {
	if t.status != Incomplete {
		return &Error{Kind: Conflict, Code: "already_agreed", Message: "the method can no longer be changed"}
	}
	if _, ok := terms.Side(t.Kind).Method(method); !ok {
		return &Error{Kind: Invalid, Code: "method_unknown", Field: "method", Message: "this way to pay is not offered"}
	}
	if t.AmountsKnown {
		if err := terms.CheckAmount(t.Kind, method, t.AmountIn); err != nil {
			return err
		}
	}
	was := t.Method
	t.Method = method
	if !t.AmountsKnown {
		return nil
	}
	err := t.price(terms, t.AmountIn)
	if err != nil {
		t.Method = was
	}
	return err
}

func (t *Transaction) price(terms *Terms, in Amount) error {
	p, err := terms.Price(t.Kind, t.Method, in)
	if err != nil {
		return err
	}
	t.setPrice(p)
	return nil
}

func (t *Transaction) setPrice(p Price) {
	t.AmountsKnown = true
	t.AmountIn, t.AmountFee, t.FeeLines, t.Rate, t.AmountOut = p.In, p.Fee, p.Lines, p.Rate, p.Out
}

// Instructions tell the customer how to pay: a bank reference for a deposit,
// the anchor's account and a memo for a withdrawal.
type Instructions struct {
	Reference     string
	AnchorAccount string
	Memo          Memo
	BankSide      string // see Transaction
	Deadline      time.Time
}

// Agree is the customer's yes to the summary. It needs an amount, a method and
// an accepted customer, and fixes the instructions: those of an earlier yes
// stay, since somebody may be paying by them.
func (t *Transaction) Agree(how Instructions, now time.Time) error {
	err := t.agreeable()
	switch {
	case err != nil:
		return err
	case !t.Reviewed:
		return &Error{Kind: Conflict, Code: "customer_missing", Message: "tell us who you are first"}
	case !t.instructs(how):
		return &Error{Kind: Internal, Message: "agreed without instructions"}
	}
	return t.fireWith(Agreed, now, func() {
		t.agree(how, now)
		t.instruct(how)
	})
}

// Submit is the same yes of a customer at whom a person must look first. It has no
// instructions: those are made when the review has passed (Accept), so that nobody
// can pay before.
func (t *Transaction) Submit(how Instructions, now time.Time) error {
	if err := t.agreeable(); err != nil {
		return err
	}
	return t.fireWith(Submitted, now, func() {
		t.agree(how, now)
		t.Note = NoteReview
	})
}

// agreeable reports what is missing for a yes.
func (t *Transaction) agreeable() error {
	switch {
	case !t.AmountsKnown:
		return &Error{Kind: Conflict, Code: "amount_missing", Field: "amount", Message: "enter an amount first"}
	case t.Method == "":
		return &Error{Kind: Conflict, Code: "method_missing", Field: "method", Message: "choose how to pay first"}
	}
	return nil
}

func (t *Transaction) agree(how Instructions, now time.Time) {
	if t.AgreedAt.IsZero() {
		t.AgreedAt = now.UTC().Truncate(time.Microsecond)
	}
	t.Expected, t.Note = t.AmountIn, ""
	if t.Kind == Withdrawal {
		t.BankSide = how.BankSide
	}
	t.Deadline = how.Deadline.UTC().Truncate(time.Microsecond)
}

// disagree takes a yes back that no reviewer has let become an agreement.
func (t *Transaction) disagree() {
	if !t.Reviewed {
		t.AgreedAt, t.Expected = time.Time{}, 0
	}
}

// Instructed reports whether the customer was told how to pay.
func (t *Transaction) Instructed() bool {
	return t.Kind == Deposit && t.Reference != "" || t.Kind == Withdrawal && t.AnchorAccount != ""
}

// instructs reports whether somebody can pay with them.
func (t *Transaction) instructs(how Instructions) bool {
	return t.Instructed() || t.Kind == Deposit && how.Reference != "" || t.Kind == Withdrawal && how.AnchorAccount != "" && !how.Memo.IsZero()
}

func (t *Transaction) instruct(how Instructions) {
	switch {
	case t.Instructed():
	case t.Kind == Deposit:
		t.Reference = how.Reference
	default:
		t.AnchorAccount, t.Memo = how.AnchorAccount, how.Memo
	}
}

// Sent is the customer's word that the bank transfer is on its way.
func (t *Transaction) Sent(now time.Time) error { return t.fire(CustomerSent, now) }

// Cancel is the customer's no, before money moves.
func (t *Transaction) Cancel(now time.Time) error {
	if err := t.fire(Cancelled, now); err != nil {
		return err
	}
	t.disagree()
	t.Deadline, t.Note = time.Time{}, "cancelled"
	return nil
}

// Expire ends a transaction whose money never came. The caller must know that
// the ledger, or the bank's statement, was read past the deadline. Money that
// comes at the very deadline is in time.
func (t *Transaction) Expire(now time.Time) error {
	if t.Deadline.IsZero() || !now.After(t.Deadline) {
		return &Error{Kind: Conflict, Code: "not_expired", Message: "the deadline has not passed"}
	}
	return t.GiveUp(now)
}

// GiveUp ends the waiting for a customer before its deadline, by a person's word.
// Money that comes all the same is late, and a person decides over it.
func (t *Transaction) GiveUp(now time.Time) error {
	if err := t.fire(DeadlinePassed, now); err != nil {
		return err
	}
	t.disagree()
	t.Deadline = time.Time{}
	return nil
}

// PayoutSigned says that an envelope paying it will now be submitted.
func (t *Transaction) PayoutSigned(now time.Time) error { return t.fire(PayoutSigned, now) }

// PayoutReturned says that the envelope can never apply, so that it is paid anew.
func (t *Transaction) PayoutReturned(now time.Time) error { return t.fire(PayoutReturned, now) }

// TrustMissing says that the destination cannot hold the asset; the money waits
// for it until the deadline.
func (t *Transaction) TrustMissing(deadline, now time.Time) error {
	if err := t.fire(TrustMissing, now); err != nil {
		return err
	}
	t.Deadline = deadline.UTC().Truncate(time.Microsecond)
	return nil
}

// TrustReady says that the destination can hold the asset now.
func (t *Transaction) TrustReady(now time.Time) error {
	if err := t.fire(TrustReady, now); err != nil {
		return err
	}
	t.Deadline = time.Time{}
	return nil
}

// PaidOnLedger completes a deposit: its payment applied in the ledger
// transaction hash, closed at the given time. Where the status refuses that,
// the fact is kept all the same, so that nobody pays or refunds it again.
func (t *Transaction) PaidOnLedger(hash string, at, now time.Time) error {
	if !t.PaidOut() {
		t.PaidOutAt, t.StellarID = at.UTC().Truncate(time.Microsecond), hash
	}
	return t.fire(PayoutApplied, now)
}

// Reclaimed says that nobody claimed the balance that paid a deposit, and that
// the anchor took it back: it is owed again, and a person decides.
func (t *Transaction) Reclaimed(now time.Time) error {
	err := t.fireWith(Reclaimed, now, func() { t.PaidOutAt, t.BalanceID = time.Time{}, "" })
	if err == nil {
		t.Note = "reclaimed"
	}
	return err
}

// BankTold says that the bank has the order to pay a withdrawal.
func (t *Transaction) BankTold(now time.Time) error { return t.fire(BankTold, now) }

// CashReady says that the cash of a withdrawal lies at a desk, to be collected until
// a moment; zero is for ever. Said again it changes the moment only.
func (t *Transaction) CashReady(until, now time.Time) error {
	if t.status != PendingUserTransferComplete {
		if err := t.fire(PickupReady, now); err != nil {
			return err
		}
	}
	t.Deadline = until.UTC().Truncate(time.Microsecond)
	return nil
}

// PaidByBank completes a withdrawal: the bank paid under its own reference, or the
// cash was collected. Where the status refuses that, the fact is kept all the same.
func (t *Transaction) PaidByBank(ref string, at, now time.Time) error {
	if !t.PaidOut() {
		t.PaidOutAt, t.ExternalID = at.UTC().Truncate(time.Microsecond), ref
	}
	ev := BankSettled
	if t.status == PendingUserTransferComplete {
		ev = PickedUp
	}
	if err := t.fire(ev, now); err != nil {
		return err
	}
	t.Note, t.Deadline = "", time.Time{} // what was said of money that came back holds no more
	return nil
}

// Hold stops a funded transaction for review; Release lets it go on.
func (t *Transaction) Hold(now time.Time) error {
	if err := t.fire(HeldForReview, now); err != nil {
		return err
	}
	t.Deadline = time.Time{}
	return nil
}

// BankGaveBack says that a withdrawal's order was refused, returned or recalled:
// the money is here again, and a person decides. One that a person holds
// already stays so.
func (t *Transaction) BankGaveBack(now time.Time) error {
	if t.status == OnHold {
		t.PaidOutAt, t.Note = time.Time{}, "returned"
		return nil
	}
	note := "returned"
	if t.status == PendingUserTransferComplete {
		note = "not_collected"
	}
	err := t.fireWith(BankReturned, now, func() { t.PaidOutAt = time.Time{} })
	if err == nil {
		t.Note, t.Deadline = note, time.Time{}
	}
	return err
}

// Release lets a held transaction go on.
func (t *Transaction) Release(now time.Time) error { return t.again(ReleasedHold, now) }

// Retry is a person's word that what failed is done again.
func (t *Transaction) Retry(now time.Time) error { return t.again(Retried, now) }

func (t *Transaction) again(ev Event, now time.Time) error {
	if err := t.fire(ev, now); err != nil {
		return err
	}
	t.Note = ""
	return nil
}

// Fail parks the transaction for a person; note is a catalogue key under
// "message.". For one that is pending_stellar the caller must know that its
// envelope can never apply.
func (t *Transaction) Fail(note string, now time.Time) error {
	if err := t.fire(Broke, now); err != nil {
		return err
	}
	t.disagree()
	t.Note, t.Deadline = note, time.Time{}
	return nil
}

// Payout is the intent that pays a funded deposit, for the ordinal-th time. id
// is the intent's own, source our account that pays.
func (t *Transaction) Payout(id, source string, ordinal int, now time.Time) *Payout {
	return &Payout{
		ID: id, CauseKind: CauseTransaction, CauseID: t.ID, Purpose: ForPayout, Ordinal: ordinal, Operation: PayPayment,
		Asset: t.Asset, Amount: t.AmountOut, Source: source, Destination: t.Account, Memo: t.Memo,
		State: PayoutQueued, CreatedAt: now.UTC().Truncate(time.Microsecond),
	}
}

// BankPayout is the order that pays a funded withdrawal out, to the account the
// customer named, for the ordinal-th time.
func (t *Transaction) BankPayout(id string, to map[string]string, ordinal int, now time.Time) *BankPayout {
	return &BankPayout{
		ID: id, CauseKind: CauseTransaction, CauseID: t.ID, Purpose: ForPayout, Ordinal: ordinal,
		Asset: t.OffChain, Amount: t.AmountOut, To: to, State: BankQueued, CreatedAt: now.UTC().Truncate(time.Microsecond),
	}
}
