package anchor

import (
	"slices"
	"time"
)

// Kind is a transaction's direction, spelled as SEP-24 spells it.
type Kind string

// The two kinds of transaction.
const (
	Deposit    Kind = "deposit"    // money from the bank, tokens to the ledger
	Withdrawal Kind = "withdrawal" // tokens from the ledger, money to the bank
)

// Terms are what the operator offers for one asset: the [[assets]] table of
// anchor.toml.
type Terms struct {
	// Asset is what the customer holds on the ledger.
	Asset Asset
	// OffChain is what the bank moves: "iso4217:USD". What the one is worth in the
	// other, each direction's rate says.
	OffChain Asset
	// ThirdParty says that somebody else issues the asset: what its issuer sends is
	// a payment like any other, and how much there is of it is not our matter.
	ThirdParty bool
	// Name is the asset's name for people, such as "US dollar".
	Name string
	// Description is one sentence for stellar.toml.
	Description string
	// Decimals is how many decimals of the asset are shown, entered and paid, 0 to
	// 7; OffChainDecimals those of what the bank moves.
	Decimals, OffChainDecimals int
	// CreateAccount is how many lumens make the account of a customer who has
	// none, TopUp how many are given for the reserve of a trustline; each once for
	// an account. 0 is none: then the deposit waits.
	CreateAccount, TopUp Amount
	// PayoutLimit is the most that is paid, or goes back, at once without a second
	// person's word; DailyLimit within a day, both in units of the asset. Each holds
	// for the ledger and, by what it is worth there, for the bank. 0 is no limit.
	PayoutLimit, DailyLimit Amount
	// Account is the distribution account: it receives withdrawals and pays
	// deposits. A G… address.
	Account  string
	Deposit  Side
	Withdraw Side
}

// Side is one direction of [Terms]. Its amounts are of the asset that comes in.
type Side struct {
	Enabled bool
	// Min and Max bound amount_in, both inclusive.
	Min, Max Amount
	Fee      Schedule
	// Rate is today's; a transaction keeps the one that was agreed to.
	Rate Rate
	// RefundFee is kept from a refund that nobody decided, and is what staff are
	// proposed for theirs.
	RefundFee Amount
	// RefundMinimum is the least amount that goes back by itself.
	RefundMinimum Amount
	// Fields are asked of each customer once, whatever the amount; see FieldsFor.
	Fields []Field
	// Review says who accepts customers whose questions are all answered.
	Review Reviewer
	// Levels ask more of larger amounts, the smallest From first.
	Levels []Level
	// Screening says who is not accepted by itself.
	Screening Screening
	// Methods are the ways the money can move; at least one when Enabled.
	Methods []Method
	// Window is how long the customer has to pay after agreeing.
	Window time.Duration
}

// Method is one way to pay in or out, such as a bank transfer.
type Method struct {
	ID string // "bank_transfer"
	// Min and Max bound what it takes, inside the limits of its side; 0 is the side's.
	Min, Max Amount
	// Fee is what it costs where that is not what the side costs otherwise.
	Fee *Schedule
	// Fields are asked for each transaction that uses the method.
	Fields []Field
	// Takes is how long the bank's side usually takes; 0 if nobody can tell.
	Takes time.Duration
}

// Cash is the method whose money is handed in, or collected, at a desk.
const Cash = "cash"

// accounts are the fields that say where money goes, by their SEP-9 names.
var accounts = []string{"bank_account_number", "clabe_number", "cbu_number", "cbu_alias", "mobile_money_number", "crypto_address"}

// SaysWhere reports whether the answer to a field is an account that money goes to.
func SaysWhere(field string) bool { return slices.Contains(accounts, field) }

// PayeeAccount is the account that the answers to a method name; "" if they name none.
func PayeeAccount(answers map[string]string) string {
	for _, name := range accounts {
		if v := answers[name]; v != "" {
			return v
		}
	}
	return ""
}

// BankSide is that account, masked.
func BankSide(answers map[string]string) string {
	if v := PayeeAccount(answers); v != "" {
		return MaskAccount(v)
	}
	return ""
}

// Side returns the terms of one direction.
func (t *Terms) Side(k Kind) *Side {
	if k == Deposit {
		return &t.Deposit
	}
	return &t.Withdraw
}

// Method finds a method of the side by its id.
func (s *Side) Method(id string) (Method, bool) {
	for _, m := range s.Methods {
		if m.ID == id {
			return m, true
		}
	}
	return Method{}, false
}

// Issues reports whether the operator makes the asset. Nobody makes lumens.
func (t *Terms) Issues() bool { return !t.ThirdParty && !t.Asset.IsNative() }

// In is the asset the anchor receives, Out the one it pays.
func (t *Terms) In(k Kind) Asset {
	if k == Deposit {
		return t.OffChain
	}
	return t.Asset
}

// Out is the asset the anchor pays.
func (t *Terms) Out(k Kind) Asset {
	if k == Deposit {
		return t.Asset
	}
	return t.OffChain
}

// DecimalsOf is how many decimals of one of the two assets are shown and paid.
func (t *Terms) DecimalsOf(a Asset) int {
	if a == t.OffChain {
		return t.OffChainDecimals
	}
	return t.Decimals
}

// SideOf is the direction in which an asset comes in.
func (t *Terms) SideOf(a Asset) *Side {
	if a == t.OffChain {
		return &t.Deposit
	}
	return &t.Withdraw
}

// AtBank is what an amount of the asset is worth at the bank, up to the largest
// there is.
func (t *Terms) AtBank(a Amount) Amount {
	worth, err := t.Withdraw.Rate.Out(a)
	if !t.Withdraw.Enabled && t.Deposit.Enabled {
		worth, err = t.Deposit.Rate.In(a, t.OffChainDecimals)
	}
	switch {
	case err != nil:
		return MaxAmount
	case a > 0:
		return max(worth, 1) // 0 would be no limit
	}
	return worth
}

// Decimals are those in which a transaction's amounts are shown, both of its fee's
// asset and of the one that is paid; terms are nil if the asset is offered no more.
func (t *Transaction) Decimals(terms *Terms) (in, out int) {
	if terms == nil {
		return Decimals, Decimals
	}
	return terms.DecimalsOf(t.In()), terms.DecimalsOf(t.Out())
}

// limits are what a method takes.
func (s *Side) limits(m Method) (least, most Amount) {
	least, most = s.Min, s.Max
	if m.Min > 0 {
		least = m.Min
	}
	if m.Max > 0 {
		most = m.Max
	}
	return least, most
}

// Limits are the least and the most of an amount_in by one method; "" is one that is
// still to be chosen: then it is what the methods take together.
func (s *Side) Limits(method string) (least, most Amount) {
	if m, ok := s.Method(method); ok || len(s.Methods) == 0 {
		return s.limits(m)
	}
	least, most = s.limits(s.Methods[0])
	for _, m := range s.Methods[1:] {
		l, u := s.limits(m)
		least, most = min(least, l), max(most, u)
	}
	return least, most
}

// Takes reports whether an amount lies inside the limits of a method, or of any if
// it is still to be chosen.
func (s *Side) Takes(method string, in Amount) bool {
	inside := func(m Method) bool {
		least, most := s.limits(m)
		return in >= least && in <= most
	}
	if m, ok := s.Method(method); ok || len(s.Methods) == 0 {
		return inside(m)
	}
	return slices.ContainsFunc(s.Methods, inside)
}

// CheckAmount judges an amount_in a person or wallet entered, for a method or one
// that is still to be chosen: inside the limits and with no more decimals than the
// asset has.
func (t *Terms) CheckAmount(k Kind, method string, in Amount) error {
	s, decimals := t.Side(k), t.DecimalsOf(t.In(k))
	least, most := s.Limits(method)
	if in > least && in < most && !s.Takes(method, in) {
		least = s.above(in) // between what one method takes and the next
	}
	args := map[string]string{"minimum": least.Shown(decimals), "maximum": most.Shown(decimals), "asset": t.In(k).Symbol()}
	switch {
	case in < least:
		return &Error{Kind: Invalid, Code: "amount_below_minimum", Field: "amount", Args: args,
			Message: "the amount must be at least " + args["minimum"] + " " + args["asset"]}
	case in > most:
		return &Error{Kind: Invalid, Code: "amount_above_maximum", Field: "amount", Args: args,
			Message: "the amount must be at most " + args["maximum"] + " " + args["asset"]}
	case !in.IsWhole(decimals):
		return &Error{Kind: Invalid, Code: "amount_too_precise", Field: "amount", Args: args,
			Message: "the amount has more decimals than " + args["asset"] + " has"}
	}
	return nil
}

// above is the least amount over in that a method takes.
func (s *Side) above(in Amount) Amount {
	next := s.Max
	for _, m := range s.Methods {
		if least, _ := s.limits(m); least > in {
			next = min(next, least)
		}
	}
	return next
}
