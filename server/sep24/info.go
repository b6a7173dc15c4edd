package sep24

import (
	"encoding/json"

	"windlass/server/anchor"
	"windlass/server/sep"
)

// offer is one entry of /info. Wallets and the official tests know these fields
// and no others.
type offer struct {
	Enabled    bool         `json:"enabled"`
	MinAmount  *json.Number `json:"min_amount,omitempty"`
	MaxAmount  *json.Number `json:"max_amount,omitempty"`
	FeeFixed   *json.Number `json:"fee_fixed,omitempty"`
	FeePercent *json.Number `json:"fee_percent,omitempty"`
	FeeMinimum *json.Number `json:"fee_minimum,omitempty"`
}

// describe is the answer to /info (SEP-24, "Info"), the same for everybody.
func (h *Handler) describe() []byte {
	sides := map[anchor.Kind]map[string]offer{anchor.Deposit: {}, anchor.Withdrawal: {}}
	for _, t := range h.cfg.Terms {
		for kind, offers := range sides {
			offers[t.Asset.Code] = offerOf(t, kind)
		}
	}
	fee := map[string]bool{"enabled": h.complexFees()}
	if h.complexFees() {
		fee["authentication_required"] = true
	}
	b, err := json.Marshal(struct {
		Deposit  map[string]offer `json:"deposit"`
		Withdraw map[string]offer `json:"withdraw"`
		Fee      map[string]bool  `json:"fee"`
		Features map[string]bool  `json:"features"`
	}{
		sides[anchor.Deposit], sides[anchor.Withdrawal],
		fee,
		map[string]bool{"account_creation": h.cfg.AccountCreation, "claimable_balances": h.cfg.ClaimableBalances},
	})
	if err != nil {
		panic(err) // decimal numbers and booleans always encode
	}
	return append(b, '\n')
}

// offerOf tells of one direction, in units of the asset on the ledger.
func offerOf(t *anchor.Terms, kind anchor.Kind) offer {
	s := t.Side(kind)
	if !s.Enabled {
		return offer{}
	}
	number := func(a anchor.Amount) *json.Number { n := sep.Number(a); return &n }
	minimum, maximum := s.Limits("")
	o := offer{Enabled: true, MinAmount: number(minimum), MaxAmount: number(maximum)}
	if counted(t, kind) {
		// The configuration was refused if these had no price.
		least, _ := t.Price(kind, "", minimum)
		most, _ := t.Price(kind, "", maximum)
		o.MinAmount, o.MaxAmount = number(least.Out), number(most.Out)
	}
	if !simple(t, kind) {
		return o // /fee tells
	}
	fee := s.Schedule("")
	o.FeeFixed, o.FeePercent = number(fee.Fixed), number(fee.Percent)
	if fee.Minimum > 0 {
		o.FeeMinimum = number(fee.Minimum)
	}
	return o
}
