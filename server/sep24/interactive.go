package sep24

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/sep"
	"windlass/server/store"
)

// start answers POST …/deposit/interactive and …/withdraw/interactive: it opens
// a transaction and says where the customer goes on.
func (h *Handler) start(kind anchor.Kind) func(http.ResponseWriter, *http.Request, anchor.Identity) {
	return func(w http.ResponseWriter, r *http.Request, who anchor.Identity) {
		fields, err := sep.Fields(w, r)
		var begun *started
		if err == nil {
			begun, err = h.begin(r.Context(), kind, who, fields, time.Now())
		}
		if err != nil {
			sep.WriteError(w, r, h.log, sep.Lang(r, fields["lang"]), err)
			return
		}
		sep.WriteJSON(w, http.StatusOK, begun)
	}
}

// started is the answer to a start ("Interactive customer information needed").
type started struct {
	Type string `json:"type"`
	URL  string `json:"url"`
	ID   string `json:"id"`
}

func (h *Handler) begin(ctx context.Context, kind anchor.Kind, who anchor.Identity, fields map[string]string, now time.Time) (*started, error) {
	t, prefill, err := h.open(kind, who, fields, now)
	if err != nil {
		return nil, err
	}
	err = h.books.Update(ctx, store.Wallet, func(tx *store.Tx) error {
		if err := speakTheirs(tx, t, fields["lang"]); err != nil {
			return err
		}
		if err := tx.CreateTransaction(t); err != nil || len(prefill) == 0 {
			return err
		}
		return tx.SetDetails(t.ID, store.Details{Prefill: prefill})
	})
	if err != nil {
		return nil, fmt.Errorf("start a %s: %w", kind, err)
	}
	token, err := h.keys.Interactive(t.ID, now)
	if err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	// Wallets append &callback=… without looking, so there must be a query.
	address := h.cfg.BaseURL + "/interactive/" + t.ID + "?token=" + url.QueryEscape(token)
	if t.Lang != "" {
		address += "&lang=" + t.Lang
	}
	return &started{"interactive_customer_info_needed", address, t.ID}, nil
}

// speakTheirs sets a transaction's language: the one that the wallet asks for, else
// the one that its customer last chose. Else the browser says, when the page opens
// (package session): what the wallet's own request accepts may be its server's.
func speakTheirs(tx *store.Tx, t *anchor.Transaction, wish string) error {
	if t.Lang = language.Known(wish); t.Lang != "" {
		return nil
	}
	c, err := tx.CustomerOf(t.Owner)
	switch {
	case err == nil:
		t.Lang = c.Lang
	case anchor.KindOf(err) != anchor.NotFound:
		return err
	}
	return nil
}

// open makes a transaction of a request's parameters, and what of them prefills
// the customer's form. Parameters that SEP-24 does not name and nobody asks for
// are ignored.
func (h *Handler) open(kind anchor.Kind, who anchor.Identity, fields map[string]string, now time.Time) (*anchor.Transaction, map[string]string, error) {
	if fields["quote_id"] != "" {
		return nil, nil, invalid("quote_unsupported", "quote_id", "quotes are not supported here; leave quote_id out")
	}
	terms, err := h.asset(kind, fields)
	if err != nil {
		return nil, nil, err
	}
	account, err := h.account(who, fields["account"])
	if err != nil {
		return nil, nil, err
	}
	t := anchor.Start(store.NewID(), kind, terms, who, account, now.Add(h.cfg.EntryWindow), now)
	if s := fields["amount"]; s != "" {
		if t.Requested, err = amountIn(terms, kind, "", s); err != nil {
			return nil, nil, at("amount", err)
		}
	}
	if err := h.memos(t, who, fields); err != nil {
		return nil, nil, err
	}
	if s := fields["claimable_balance_supported"]; s != "" && kind == anchor.Deposit {
		if t.ClaimableBalance, err = strconv.ParseBool(s); err != nil {
			return nil, nil, invalid("parameter_malformed", "claimable_balance_supported", "claimable_balance_supported must be true or false")
		}
	}
	return t, prefill(terms.Side(kind), fields, now), nil
}

// asset finds what is offered for a request's asset parameters.
func (h *Handler) asset(kind anchor.Kind, fields map[string]string) (*anchor.Terms, error) {
	code, issuer := fields["asset_code"], fields["asset_issuer"]
	if code == "" {
		return nil, invalid("parameter_required", "asset_code", "asset_code is required")
	}
	terms := h.byCode[code]
	if terms == nil {
		return nil, unknownAsset(code)
	}
	if issuer != "" && issuer != terms.Asset.Issuer {
		return nil, invalid("asset_issuer_unknown", "asset_issuer", "%s of the issuer %.60q is not supported here", code, issuer)
	}
	if !terms.Side(kind).Enabled {
		return nil, invalid("asset_disabled", "asset_code", "a %s of %s is not offered at present", kind, code)
	}
	off := "source_asset"
	if kind == anchor.Withdrawal {
		off = "destination_asset"
	}
	if s := fields[off]; s != "" {
		a, err := anchor.ParseAsset(s)
		if err != nil {
			return nil, at(off, err)
		}
		if a != terms.OffChain {
			return nil, invalid("off_chain_unknown", off, "%s must be %s for %s", off, terms.OffChain, code)
		}
	}
	return terms, nil
}

func unknownAsset(code string) error {
	code = fmt.Sprintf("%.20s", code) // it is said again, and may be as long as a body
	return &anchor.Error{Kind: anchor.Invalid, Code: "asset_unknown", Field: "asset_code",
		Message: fmt.Sprintf("this anchor doesn't support the given currency code: %s", code), Args: map[string]string{"asset": code}}
}

// account is the other party on the ledger. It may be another one than the one
// that signed in, and need not exist; our own accounts are nobody's.
func (h *Handler) account(who anchor.Identity, given string) (anchor.Address, error) {
	if given == "" {
		given = who.Account
		if who.Muxed != "" {
			given = who.Muxed
		}
	}
	a, err := anchor.ParseAddress(given)
	if err != nil {
		return "", err
	}
	g := a.Account()
	if g != who.Account && h.cfg.OtherAccounts != nil && !h.cfg.OtherAccounts(who) {
		return "", invalid("account_other", "account", "account must be the one that signed in")
	}
	ours := func(t *anchor.Terms) bool { return g == t.Account || g == t.Asset.Issuer }
	if slices.ContainsFunc(h.cfg.Terms, ours) || slices.Contains(h.cfg.Own, g) {
		return "", invalid("account_ours", "account", "this account is the anchor's own")
	}
	return a, nil
}

// memos reads the memo of a deposit's payment and the one of a withdrawal's
// refund. What a withdrawal's own memo parameter once meant, the token says now
// (SEP-24, "Shared, Omnibus, or Pooled Accounts").
func (h *Handler) memos(t *anchor.Transaction, who anchor.Identity, fields map[string]string) error {
	memo, err := parseMemo(fields, "memo")
	if err != nil {
		return err
	}
	if t.Kind == anchor.Withdrawal {
		t.RefundMemo, err = parseMemo(fields, "refund_memo")
		return err
	}
	_, muxed := t.Account.MuxedID()
	if muxed && !memo.IsZero() {
		return invalid("memo_and_muxed", "memo", "memo and a muxed account (M…) exclude each other: the account's id is the memo")
	}
	if memo.IsZero() && who.Memo != "" && string(t.Account) == who.Account {
		// The account is shared: without its user's memo the deposit would be the
		// custodian's riddle.
		memo = anchor.Memo{Type: anchor.MemoID, Value: who.Memo}
	}
	t.Memo = memo
	return nil
}

// parseMemo reads the parameters NAME and NAME_type.
func parseMemo(fields map[string]string, name string) (anchor.Memo, error) {
	kind, value := fields[name+"_type"], fields[name]
	if kind != "" && value == "" {
		return anchor.Memo{}, invalid("parameter_required", name, "%s is required where %s_type is given", name, name)
	}
	memo, err := anchor.ParseMemo(kind, value)
	if e, ok := errors.AsType[*anchor.Error](err); ok {
		return memo, at(name+strings.TrimPrefix(e.Field, "memo"), err)
	}
	return memo, err
}

// aliases are SEP-9's second names.
var aliases = map[string]string{"family_name": "last_name", "given_name": "first_name"}

// prefill is what the wallet knows of the customer (SEP-9), as far as it will be
// asked and looks right; the customer sees it and may change it.
func prefill(side *anchor.Side, fields map[string]string, now time.Time) map[string]string {
	asked := side.AllFields()
	for _, m := range side.Methods {
		asked = append(slices.Clip(asked), m.Fields...)
	}
	out := map[string]string{}
	take := func(field anchor.Field, value string) {
		if field.Type == anchor.FieldFile {
			return // the customer sends it themselves
		}
		if known, err := field.Check(strings.TrimSpace(value), now); err == nil && known != "" {
			out[field.Name] = known
		}
	}
	for _, f := range asked {
		for alias, name := range aliases {
			if name == f.Name {
				take(f, fields[alias])
			}
		}
		take(f, fields[f.Name])
	}
	return out
}

// MoreInfoURL is the stable address of a transaction's page: read-only, masked.
func (h *Handler) MoreInfoURL(id string) string {
	return h.cfg.BaseURL + "/transaction/" + id + "?c=" + h.keys.Capability(id)
}

// resumeURL is MoreInfoURL for the transaction's owner: for as long as
// session.TokenLife it opens the page as the customer's.
func (h *Handler) resumeURL(id string, now time.Time) string {
	token, err := h.keys.Resume(id, now)
	if err != nil {
		return h.MoreInfoURL(id) // it cannot fail, and less is still right
	}
	return h.MoreInfoURL(id) + "&resume=" + token
}
