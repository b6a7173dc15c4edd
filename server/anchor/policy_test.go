package anchor_test

import (
	"testing"

	"windlass/server/anchor"
)

func TestRefundsByPolicy(t *testing.T) {
	t.Parallel()
	usd := anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: alice}
	terms := &anchor.Terms{Asset: usd, Withdraw: anchor.Side{RefundFee: 2 * anchor.One, RefundMinimum: anchor.One}}
	refund := &anchor.Policies{Of: map[string]anchor.Policy{anchor.NoMemo: anchor.PolicyRefund}, LumensMinimum: 5 * anchor.One}
	for name, c := range map[string]struct {
		policies *anchor.Policies
		reason   string
		terms    *anchor.Terms
		asset    anchor.Asset
		in, fee  anchor.Amount
		ok       bool
	}{
		"as configured":             {refund, anchor.NoMemo, terms, usd, 3 * anchor.One, 2 * anchor.One, true},
		"another reason":            {refund, anchor.UnknownMemo, terms, usd, 3 * anchor.One, 0, false},
		"a reason without a policy": {refund, "refused", terms, usd, 3 * anchor.One, 0, false},
		"no policies at all":        {&anchor.Policies{}, anchor.NoMemo, terms, usd, 3 * anchor.One, 0, false},
		"the fee would eat it":      {refund, anchor.NoMemo, terms, usd, 2 * anchor.One, 2 * anchor.One, false},
		"below the minimum":         {refund, anchor.NoMemo, &anchor.Terms{Withdraw: anchor.Side{RefundMinimum: 4 * anchor.One}}, usd, 4*anchor.One - 1, 0, false},
		"at the minimum":            {refund, anchor.NoMemo, &anchor.Terms{Withdraw: anchor.Side{RefundMinimum: 4 * anchor.One}}, usd, 4 * anchor.One, 0, true},
		"nothing":                   {refund, anchor.NoMemo, &anchor.Terms{}, usd, 0, 0, false},
		"not offered":               {refund, anchor.NoMemo, nil, usd, 3 * anchor.One, 0, false},
		"lumens":                    {refund, anchor.NoMemo, nil, anchor.Native, 5 * anchor.One, 0, true},
		"few lumens":                {refund, anchor.NoMemo, nil, anchor.Native, 5*anchor.One - 1, 0, false},
	} {
		fee, ok := c.policies.Refunds(c.reason, c.terms, c.asset, c.in)
		if ok != c.ok || (ok && fee != c.fee) {
			t.Errorf("%s: %s, %v", name, fee, ok)
		}
	}
}

// TestRules holds the reasons together: each has a default that it allows, and
// late money alone is ever revived.
func TestRules(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range anchor.Rules {
		if seen[r.Reason] || len(r.Policies) == 0 {
			t.Errorf("%+v", r)
		}
		seen[r.Reason] = true
		for _, p := range r.Policies {
			if p == anchor.PolicyRevive && r.Reason != string(anchor.Late) {
				t.Errorf("%s is revived", r.Reason)
			}
		}
	}
}
