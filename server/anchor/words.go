package anchor

import "time"

// Words are what sentences about the transaction may be made with, by the names that
// the catalogue has for them; terms are nil if the asset is offered no more.
func (t *Transaction) Words(terms *Terms) map[string]string {
	in, out := t.Decimals(terms)
	return map[string]string{
		"amount_in": t.AmountIn.Shown(in), "amount_out": t.AmountOut.Shown(out),
		"asset_in": t.In().Symbol(), "asset_out": t.Out().Symbol(), "deadline": Readable(t.Deadline),
	}
}

// Readable writes a time for people who may be anywhere; "" for none.
func Readable(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}
