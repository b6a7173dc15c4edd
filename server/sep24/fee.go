package sep24

import (
	"encoding/json"
	"net/http"
	"net/url"

	"windlass/server/anchor"
	"windlass/server/sep"
)

// complexFees reports whether some fee is more than /info can say, so that there
// is /fee (SEP-24, "Fee").
func (h *Handler) complexFees() bool {
	for _, t := range h.cfg.Terms {
		for _, kind := range []anchor.Kind{anchor.Deposit, anchor.Withdrawal} {
			if t.Side(kind).Enabled && !simple(t, kind) {
				return true
			}
		}
	}
	return false
}

// simple reports whether one simple schedule holds for all of a side, in units of
// the asset.
func simple(t *anchor.Terms, kind anchor.Kind) bool {
	s := t.Side(kind)
	all := s.Schedule("")
	for _, m := range s.Methods {
		if s.Schedule(m.ID) != all {
			return false
		}
	}
	return all.Simple() && !counted(t, kind)
}

// counted reports whether a side counts its amounts in another asset than the one on
// the ledger, which is the one that /info, /fee and the amount parameter are about.
func counted(t *anchor.Terms, kind anchor.Kind) bool {
	return kind == anchor.Deposit && !t.Deposit.Rate.IsOne()
}

// amountIn is what must come in for an amount of the asset on the ledger.
func amountIn(t *anchor.Terms, kind anchor.Kind, method, text string) (anchor.Amount, error) {
	in, err := anchor.ParseAmount(text)
	if err != nil {
		return 0, err
	}
	if counted(t, kind) {
		in = t.Asking(kind, method, in)
	}
	return in, t.CheckAmount(kind, method, in)
}

// fee answers GET /fee: what the page will say that the amount costs.
func (h *Handler) fee(w http.ResponseWriter, r *http.Request, _ anchor.Identity) {
	q, err := sep.Query(r)
	var fee anchor.Amount
	if err == nil {
		fee, err = h.price(q)
	}
	if err != nil {
		sep.WriteError(w, r, h.log, sep.Lang(r, q.Get("lang")), err)
		return
	}
	sep.WriteJSON(w, http.StatusOK, map[string]json.Number{"fee": sep.Number(fee)})
}

// operations are SEP-24's names for the kinds.
var operations = map[string]anchor.Kind{"deposit": anchor.Deposit, "withdraw": anchor.Withdrawal}

// price reads the parameters and works the fee out.
func (h *Handler) price(q url.Values) (anchor.Amount, error) {
	for _, name := range []string{"operation", "asset_code", "amount"} {
		if q.Get(name) == "" {
			return 0, invalid("parameter_required", name, "%s is required", name)
		}
	}
	kind, ok := operations[q.Get("operation")]
	if !ok {
		return 0, invalid("parameter_malformed", "operation", "operation must be deposit or withdraw")
	}
	terms, err := h.asset(kind, map[string]string{"asset_code": q.Get("asset_code")})
	if err != nil {
		return 0, err
	}
	method := q.Get("type")
	if _, ok := terms.Side(kind).Method(method); method != "" && !ok {
		return 0, invalid("parameter_malformed", "type", "%.40q is no type of %s that is offered for %s", method, kind, terms.Asset.Code)
	}
	cost := func(method string) (anchor.Amount, error) {
		in, err := amountIn(terms, kind, method, q.Get("amount"))
		if err != nil {
			return 0, at("amount", err)
		}
		p, err := terms.Price(kind, method, in)
		if err == nil && counted(terms, kind) {
			return p.Rate.Out(p.Fee)
		}
		return p.Fee, err
	}
	if method != "" {
		return cost(method)
	}
	// Before the customer has chosen, it may be the dearest.
	var most anchor.Amount
	for _, m := range terms.Side(kind).Methods {
		fee, err := cost(m.ID)
		if err != nil {
			return 0, err
		}
		most = max(most, fee)
	}
	return most, nil
}
