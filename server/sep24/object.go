package sep24

import (
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
)

// Object is a transaction as SEP-24 shows it ("Transaction History"). Polls,
// lists, postMessage and callbacks all show this one. A field without a value
// is left out; to of a deposit and from of a withdrawal always have one.
type Object struct {
	ID                    string      `json:"id"`
	Kind                  anchor.Kind `json:"kind"`
	Status                string      `json:"status"`
	StatusETA             int64       `json:"status_eta,omitempty"` // seconds
	KYCVerified           bool        `json:"kyc_verified"`
	MoreInfoURL           string      `json:"more_info_url"`
	AmountIn              string      `json:"amount_in,omitempty"`
	AmountInAsset         string      `json:"amount_in_asset,omitempty"`
	AmountOut             string      `json:"amount_out,omitempty"`
	AmountOutAsset        string      `json:"amount_out_asset,omitempty"`
	AmountFee             string      `json:"amount_fee,omitempty"`
	AmountFeeAsset        string      `json:"amount_fee_asset,omitempty"`
	FeeDetails            *FeeDetails `json:"fee_details,omitempty"`
	StartedAt             string      `json:"started_at"`
	UpdatedAt             string      `json:"updated_at"`
	CompletedAt           string      `json:"completed_at,omitempty"`
	UserActionRequiredBy  string      `json:"user_action_required_by,omitempty"`
	StellarTransactionID  string      `json:"stellar_transaction_id,omitempty"`
	ExternalTransactionID string      `json:"external_transaction_id,omitempty"`
	Message               string      `json:"message,omitempty"`
	Refunds               *Refunds    `json:"refunds,omitempty"`

	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`

	DepositMemo     string `json:"deposit_memo,omitempty"`
	DepositMemoType string `json:"deposit_memo_type,omitempty"`

	ClaimableBalanceID string `json:"claimable_balance_id,omitempty"`

	WithdrawAnchorAccount string `json:"withdraw_anchor_account,omitempty"`
	WithdrawMemo          string `json:"withdraw_memo,omitempty"`
	WithdrawMemoType      string `json:"withdraw_memo_type,omitempty"`
}

// FeeDetails is a fee and how it is made up.
type FeeDetails struct {
	Total     string    `json:"total"`
	Asset     string    `json:"asset"`
	Breakdown []FeePart `json:"breakdown,omitempty"`
}

// FeePart is one part of a fee, named in the customer's language.
type FeePart struct {
	Name   string `json:"name"`
	Amount string `json:"amount"`
}

// Refunds is what went back.
type Refunds struct {
	AmountRefunded string          `json:"amount_refunded"`
	AmountFee      string          `json:"amount_fee"`
	Payments       []RefundPayment `json:"payments"`
}

// RefundPayment is one payment that went back.
type RefundPayment struct {
	ID     string `json:"id"`
	IDType string `json:"id_type"`
	Amount string `json:"amount"`
	Fee    string `json:"fee"`
}

// Object shows a transaction in a language; "" is the transaction's own. With
// resume its more_info_url lets whoever holds it act as the customer for some
// minutes: only for its owner.
func (h *Handler) Object(t *anchor.Transaction, lang string, resume bool) *Object {
	if lang == "" {
		lang = language.Match(t.Lang)
	}
	o := &Object{
		ID: t.ID, Kind: t.Kind, Status: string(t.Status()), KYCVerified: t.Reviewed,
		StartedAt: instant(t.StartedAt), UpdatedAt: instant(t.UpdatedAt), CompletedAt: instant(t.CompletedAt),
		StellarTransactionID: t.StellarID, ExternalTransactionID: t.ExternalID,
		Message: h.message(t, lang), StatusETA: h.eta(t, time.Now()),
	}
	if resume {
		o.MoreInfoURL = h.resumeURL(t.ID, time.Now())
	} else {
		o.MoreInfoURL = h.MoreInfoURL(t.ID)
	}
	if t.AmountsKnown {
		in := t.In().String()
		o.AmountIn, o.AmountInAsset = t.AmountIn.String(), in
		o.AmountOut, o.AmountOutAsset = t.AmountOut.String(), t.Out().String()
		o.AmountFee, o.AmountFeeAsset = t.AmountFee.String(), in
		o.FeeDetails = &FeeDetails{Total: o.AmountFee, Asset: in}
		for _, l := range t.FeeLines {
			o.FeeDetails.Breakdown = append(o.FeeDetails.Breakdown, FeePart{language.Text(lang, "fee."+l.Name, nil), l.Amount.String()})
		}
	}
	if waitsForUser(t.Status()) {
		o.UserActionRequiredBy = instant(t.Deadline)
	}
	if t.AmountRefunded > 0 || t.RefundFee > 0 {
		o.Refunds = refunds(t)
	}
	if t.Kind == anchor.Deposit {
		o.To, o.From = string(t.Account), t.BankSide
		o.ClaimableBalanceID = t.BalanceID
		o.DepositMemo, o.DepositMemoType = t.Memo.Value, string(t.Memo.Type)
	} else {
		o.From, o.To = string(t.Account), t.BankSide
		o.WithdrawAnchorAccount = t.AnchorAccount
		o.WithdrawMemo, o.WithdrawMemoType = t.Memo.Value, string(t.Memo.Type)
	}
	return o
}

// refunds counts what was decided to go back, since that is what amount_out lacks.
// It lists what has arrived, and what is still on its way under the transaction's
// own id, so that the sums always hold (SEP-24, "Amount Formulas").
func refunds(t *anchor.Transaction) *Refunds {
	kind := "stellar"
	if t.Kind == anchor.Deposit {
		kind = "external"
	}
	r := &Refunds{AmountRefunded: t.AmountRefunded.String(), AmountFee: t.RefundFee.String(), Payments: []RefundPayment{}}
	amount, fee := t.AmountRefunded, t.RefundFee
	for _, p := range t.Refunds {
		r.Payments = append(r.Payments, RefundPayment{p.ID, kind, p.Amount.String(), p.Fee.String()})
		amount, fee = amount-p.Amount, fee-p.Fee
	}
	if amount != 0 || fee != 0 {
		r.Payments = append(r.Payments, RefundPayment{t.ID, "external", amount.String(), fee.String()})
	}
	return r
}

// waitsForUser says in which statuses user_action_required_by is given.
func waitsForUser(s anchor.Status) bool {
	switch s {
	case anchor.Incomplete, anchor.PendingUser, anchor.PendingUserTransferStart, anchor.PendingTrust, anchor.PendingUserTransferComplete:
		return true
	default:
		return false
	}
}

// ledgers is how long a transaction usually takes into the ledger, in seconds: it
// misses at most one.
const ledgers = 10

// eta is in how many seconds the next change of status is expected, 0 if nobody can
// tell. Of the bank's side the operator knows, see [anchor.Method].
func (h *Handler) eta(t *anchor.Transaction, now time.Time) int64 {
	switch t.Status() { //nolint:exhaustive // all others end by what people do
	case anchor.PendingStellar:
		return ledgers
	case anchor.PendingExternal:
		if terms := h.terms[t.Asset]; terms != nil {
			m, _ := terms.Side(t.Kind).Method(t.Method)
			return max(0, int64(t.UpdatedAt.Add(m.Takes).Sub(now)/time.Second))
		}
	}
	return 0
}

// message says in the language what the status means and what happens next.
func (h *Handler) message(t *anchor.Transaction, lang string) string {
	if t.Note != "" && (language.Has(lang, "message."+t.Note) || language.Has(language.Default, "message."+t.Note)) {
		return language.Text(lang, "message."+t.Note, nil)
	}
	return language.Text(lang, t.StatusText(), h.Words(t))
}

// Words are what sentences about a transaction may be made with.
func (h *Handler) Words(t *anchor.Transaction) map[string]string {
	return t.Words(h.terms[t.Asset])
}

// instant writes a time as SEP-24 does, in UTC with a Z; "" for none.
func instant(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}
