package anchor

// Policy says what becomes by itself of money that no rule gives to anybody.
type Policy string

// The policies.
const (
	PolicyHold   Policy = "hold"   // a person decides
	PolicyRefund Policy = "refund" // it goes back to its sender
	PolicyRevive Policy = "revive" // late money is taken at today's price
)

// Ruled is a reason why money is not taken, and the policies it may have; the
// first is the default.
type Ruled struct {
	Reason   string
	Policies []Policy
}

// Rules lists the reasons that have a policy. Money that stays unmatched for
// any other (such as a fault of our own) is held.
var Rules = []Ruled{
	{NoMemo, holdOrRefund},
	{UnknownMemo, holdOrRefund},
	{WrongMemoKind, holdOrRefund},
	{MemoDisagrees, holdOrRefund},
	{WrongAsset, holdOrRefund},
	{string(Short), holdOrRefund},
	{string(Late), []Policy{PolicyHold, PolicyRefund, PolicyRevive}},
	{string(Second), holdOrRefund},
	{UnknownOperation, holdOrRefund},
	{UnknownReference, holdOrRefund},
	{WrongPayer, holdOrRefund},
	{Unbookable, holdOrRefund},
	{string(Small), refundOrHold},
	{string(Large), refundOrHold},
}

var (
	holdOrRefund = []Policy{PolicyHold, PolicyRefund}
	refundOrHold = []Policy{PolicyRefund, PolicyHold}
)

// Policies are the operator's: the [unmatched] table of anchor.toml. The zero
// value holds everything.
type Policies struct {
	// Of has the policy of each reason in Rules; what it lacks is held.
	Of map[string]Policy
	// PerSender is how many refunds a sender gets by itself in a day.
	PerSender int
	// LumensMinimum is the least amount of lumens that goes back by itself where they
	// are not offered, so that no Terms say it.
	LumensMinimum Amount
}

// Refunds reports whether money goes back by itself that was not taken for
// reason, and what is kept for it. t are the terms of its asset, nil if it is not
// offered: of those, only lumens ever go back by themselves. The other conditions
// are the caller's: that it goes back once, to a stranger, and not too often.
func (p *Policies) Refunds(reason string, t *Terms, asset Asset, in Amount) (fee Amount, ok bool) {
	switch {
	case p.Of[reason] != PolicyRefund || in <= 0:
		return 0, false
	case t != nil:
		s := t.SideOf(asset)
		return s.RefundFee, in >= s.RefundMinimum && in > s.RefundFee
	}
	return 0, asset.IsNative() && in >= p.LumensMinimum
}
