package store

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"windlass/server/anchor"
)

// NewID is a fresh UUIDv7.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Receive credits money that arrived to a transaction this Tx loaded, on the
// ledger or at the bank, and does all that follows from it in this update: the
// journal entry, the intent to pay (once, by its index) and the new state. See
// anchor's Transaction.Receive for ref, at and what the arrivals mean; Short,
// Second and Late change nothing.
func (t *Tx) Receive(a *anchor.Transaction, terms *anchor.Terms, in anchor.Amount, ref string, at, now time.Time) (anchor.Arrival, error) {
	arrival, entry, err := a.Receive(terms, in, ref, at, now)
	return t.received(a, terms, arrival, entry, err, at, now)
}

// Revive is Receive for money that came after the deadline, where the
// operator's policy is to take it at today's price (anchor's
// Transaction.Revive). A transaction that nobody has expired yet is expired.
func (t *Tx) Revive(a *anchor.Transaction, terms *anchor.Terms, in anchor.Amount, ref string, at, now time.Time) (anchor.Arrival, error) {
	if a.Status() != anchor.Expired {
		if err := a.Expire(now); err != nil {
			return anchor.Late, nil //nolint:nilerr // it cannot be revived, and stays what it is
		}
	}
	arrival, entry, err := a.Revive(terms, in, ref, at, now)
	return t.received(a, terms, arrival, entry, err, at, now)
}

// AddUp is Receive for a payment that is Short by itself, together with those
// that the same sender made for the same withdrawal before: the same address, since
// a muxed one's neighbours are strangers. They are taken as one
// payment of their sum would be, or not at all: then nothing changes, and all of
// them wait for more.
func (t *Tx) AddUp(a *anchor.Transaction, terms *anchor.Terms, p *anchor.Payment, now time.Time) (anchor.Arrival, error) {
	before, err := t.shortOf(a.ID, p.From, p.Asset)
	if err != nil {
		return "", err
	}
	sum := p.Amount
	for _, b := range before {
		if sum, err = sum.Add(b.Amount); err != nil {
			return anchor.Short, nil //nolint:nilerr // more than Stellar can hold is not what anybody agreed to
		}
	}
	if len(before) == 0 {
		return anchor.Short, nil
	}
	arrival, err := t.Receive(a, terms, sum, p.Hash, p.At, now)
	if err != nil || !arrival.Funds() {
		return arrival, err
	}
	for _, b := range before {
		if err := t.Post(p.At, anchor.Found(a.ID, b.Hash, b.Asset, b.Amount, anchor.Distribution)); err != nil {
			return "", err
		}
		b.State, b.DecideAt = anchor.Matched, time.Time{}
		if err := t.SavePayment(b); err != nil {
			return "", err
		}
	}
	return arrival, nil
}

func (t *Tx) received(a *anchor.Transaction, terms *anchor.Terms, arrival anchor.Arrival, entry *anchor.Entry, err error, at, now time.Time) (anchor.Arrival, error) {
	if err != nil || entry == nil {
		return arrival, err
	}
	if err := t.Post(at, entry); err != nil {
		return "", err
	}
	if arrival == anchor.Accepted {
		if arrival, err = t.judgeAgain(a, terms, now); err != nil {
			return "", err
		}
	}
	if arrival == anchor.Accepted {
		if err := t.pay(a, terms, now); err != nil {
			return "", err
		}
	}
	return arrival, t.SaveTransaction(a)
}

// judgeAgain holds money where a person must look at whom it is from, though all was
// well when it was agreed to: who is turned away, or says to be somebody else, by
// another transaction, or agrees to a little less than what is asked more of and
// sends more, gets no further than who does so at once.
func (t *Tx) judgeAgain(a *anchor.Transaction, terms *anchor.Terms, now time.Time) (anchor.Arrival, error) {
	c, err := t.CustomerOf(a.Owner)
	if err != nil && anchor.KindOf(err) != anchor.NotFound {
		return "", err
	}
	if !a.Doubtful(terms, c, now) {
		return anchor.Accepted, nil
	}
	return anchor.Held, a.Hold(now)
}

// AssignPayment gives an unmatched payment to the withdrawal that a person says
// it is for (anchor's Transaction.Assign).
func (t *Tx) AssignPayment(p *anchor.Payment, a *anchor.Transaction, terms *anchor.Terms, now time.Time) (anchor.Arrival, error) {
	if p.State != anchor.Unmatched || a.Kind != anchor.Withdrawal || p.Asset != a.Asset || p.Amount <= 0 {
		return "", unassignable(p.State, a.Kind == anchor.Withdrawal && p.Asset == a.Asset)
	}
	if err := t.Post(now, anchor.Found(a.ID, p.Hash, p.Asset, p.Amount, anchor.Distribution)); err != nil {
		return "", err
	}
	arrival, err := t.assign(a, terms, p.Amount, p.Hash, p.At, now)
	if err != nil {
		return "", err
	}
	p.State, p.Transaction, p.DecideAt = anchor.Matched, a.ID, time.Time{}
	return arrival, t.SavePayment(p)
}

// AssignLine gives an unmatched credit of the bank's statement to the deposit
// that a person says it is for.
func (t *Tx) AssignLine(l *anchor.BankLine, a *anchor.Transaction, terms *anchor.Terms, now time.Time) (anchor.Arrival, error) {
	if l.State != anchor.Unmatched || a.Kind != anchor.Deposit || l.Asset != a.OffChain || l.Amount <= 0 {
		return "", unassignable(l.State, a.Kind == anchor.Deposit && l.Asset == a.OffChain)
	}
	if err := t.Post(now, anchor.Found(a.ID, l.ID, l.Asset, l.Amount, anchor.Bank)); err != nil {
		return "", err
	}
	a.BankSide = anchor.MaskAccount(l.PayerAccount)
	arrival, err := t.assign(a, terms, l.Amount, l.ID, l.At, now)
	if err != nil {
		return "", err
	}
	l.State, l.Transaction = anchor.Matched, a.ID
	return arrival, t.SaveBankLine(l)
}

func unassignable(state anchor.Match, fits bool) error {
	if state != anchor.Unmatched {
		return &anchor.Error{Kind: anchor.Conflict, Code: "not_unmatched", Message: "this money is " + string(state) + " already"}
	}
	if !fits {
		return &anchor.Error{Kind: anchor.Conflict, Code: "does_not_fit", Field: "transaction", Message: "the transaction waits for another kind of money"}
	}
	return &anchor.Error{Kind: anchor.Conflict, Code: "amount_unknown", Message: "how much came in is not known"}
}

// assign refuses what would change nothing.
func (t *Tx) assign(a *anchor.Transaction, terms *anchor.Terms, in anchor.Amount, ref string, at, now time.Time) (anchor.Arrival, error) {
	arrival, entry, err := a.Assign(terms, in, ref, at, now)
	if err == nil && !arrival.Funds() {
		return "", &anchor.Error{Kind: anchor.Conflict, Code: "not_waiting", Field: "transaction",
			Message: "the transaction is " + string(a.Status()) + " and waits for no money"}
	}
	return t.received(a, terms, arrival, entry, err, at, now)
}

// Release lets a held transaction go on, and has it paid.
func (t *Tx) Release(a *anchor.Transaction, terms *anchor.Terms, now time.Time) error {
	return t.again(a, terms, a.Release, now)
}

// Retry does again what failed, by a person's word.
func (t *Tx) Retry(a *anchor.Transaction, terms *anchor.Terms, now time.Time) error {
	return t.again(a, terms, a.Retry, now)
}

// RetryPayout queues a parked intent as if it had never been tried, by a person's
// word. One that pays a transaction out goes through the transaction's Retry.
func (t *Tx) RetryPayout(id string, terms []*anchor.Terms, now time.Time) error {
	p, err := t.Payout(id)
	switch {
	case err != nil:
		return err
	case p.State != anchor.PayoutParked:
		return &anchor.Error{Kind: anchor.Conflict, Code: "not_parked", Message: "the payout is " + string(p.State) + ": only one that is parked is tried again"}
	case !p.PaysOut():
		return t.requeue(p)
	}
	a, err := t.Transaction(p.CauseID)
	if err != nil {
		return err
	}
	for _, offered := range terms {
		if offered.Asset == a.Asset {
			return t.Retry(a, offered, now)
		}
	}
	return &anchor.Error{Kind: anchor.Conflict, Code: "not_offered", Message: a.Asset.Symbol() + " is no longer offered"}
}

// requeue lets an intent begin anew.
func (t *Tx) requeue(p *anchor.Payout) error {
	p.State, p.Reason, p.Attempts, p.NotBefore = anchor.PayoutQueued, "", 0, time.Time{}
	return t.SavePayout(p)
}

func (t *Tx) again(a *anchor.Transaction, terms *anchor.Terms, step func(time.Time) error, now time.Time) error {
	if err := step(now); err != nil {
		return err
	}
	if a.Funded() {
		if err := t.pay(a, terms, now); err != nil {
			return err
		}
	}
	return t.SaveTransaction(a)
}

// pay makes sure that something pays a funded transaction out: the intent or
// order that there is already, or the next one if none can pay it any more.
func (t *Tx) pay(a *anchor.Transaction, terms *anchor.Terms, now time.Time) error {
	if a.Kind == anchor.Deposit {
		return t.payOnLedger(a, terms, now)
	}
	all, err := t.BankPayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForPayout)
	if err != nil {
		return err
	}
	for _, o := range all {
		switch o.State {
		case anchor.BankQueued:
			o.NotBefore = time.Time{}
			return t.SaveBankPayout(o)
		case anchor.BankAsked: // it was held while the bank was being asked
			return a.BankTold(now)
		case anchor.BankApproval:
			o.RequestedBy = t.askedAgain(o.RequestedBy)
			return t.SaveBankPayout(o)
		case anchor.BankInDoubt:
			return &anchor.Error{Kind: anchor.Conflict, Code: "order_in_doubt", Message: "say first what the bank made of its order " + o.ID}
		case anchor.BankPaid:
			return &anchor.Error{Kind: anchor.Conflict, Code: "paid_already", Message: "the bank has paid its order " + o.ID}
		case anchor.BankRefused, anchor.BankCancelled:
		}
	}
	to, err := t.payee(a)
	if err != nil {
		return err
	}
	return t.CreateBankPayout(a.BankPayout(orderID(anchor.CauseTransaction, a.ID, anchor.ForPayout, len(all), a.StartedAt), to, len(all), now))
}

func (t *Tx) payOnLedger(a *anchor.Transaction, terms *anchor.Terms, now time.Time) error {
	all, err := t.PayoutsOf(anchor.CauseTransaction, a.ID, anchor.ForPayout)
	if err != nil {
		return err
	}
	for _, p := range all {
		switch p.State {
		case anchor.PayoutQueued, anchor.PayoutParked, anchor.PayoutWaiting:
			return t.requeue(p)
		case anchor.PayoutApproval:
			p.RequestedBy = t.askedAgain(p.RequestedBy)
			return t.SavePayout(p)
		case anchor.PayoutInEnvelope:
			return nil
		case anchor.PayoutPaid:
			if back, err := t.reclaimed(p); err != nil || back {
				if err != nil {
					return err
				}
				continue
			}
			return &anchor.Error{Kind: anchor.Conflict, Code: "paid_already", Message: "it was paid on the ledger by the payout " + p.ID}
		case anchor.PayoutCancelled:
		}
	}
	return t.CreatePayout(a.Payout(NewID(), terms.Account, len(all), now))
}

// reclaimed reports whether what an intent paid has come back, because nobody
// claimed it.
func (t *Tx) reclaimed(p *anchor.Payout) (bool, error) {
	all, err := t.PayoutsOf(p.CauseKind, p.CauseID, anchor.ForReclaim)
	return slices.ContainsFunc(all, func(r *anchor.Payout) bool { return r.Ordinal == p.Ordinal && r.State == anchor.PayoutPaid }), err
}

// payee is where a withdrawal is paid to: the method's answers, and the
// customer's name. It is written into the order, so that what the customer
// answers later for another transaction does not change an order that was made.
func (t *Tx) payee(a *anchor.Transaction) (map[string]string, error) {
	to := map[string]string{}
	c, err := t.CustomerOf(a.Owner)
	switch {
	case err == nil:
		for _, name := range []string{"first_name", "last_name"} {
			if v := c.Fields[name]; v != "" {
				to[name] = v
			}
		}
	case anchor.KindOf(err) != anchor.NotFound:
		return nil, err
	}
	d, err := t.Details(a.ID)
	maps.Copy(to, d.Answers)
	return to, err
}
