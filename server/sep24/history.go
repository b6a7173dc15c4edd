package sep24

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/sep"
	"windlass/server/store"
)

// transaction answers GET /transaction ("Single Historical Transaction"). It is
// what wallets ask every second or so: one prepared SELECT by primary key.
func (h *Handler) transaction(w http.ResponseWriter, r *http.Request, who anchor.Identity) {
	q, err := sep.Query(r)
	var t *anchor.Transaction
	if err == nil {
		t, err = h.find(r.Context(), who, q)
	}
	if err != nil {
		sep.WriteError(w, r, h.log, sep.Lang(r, q.Get("lang")), err)
		return
	}
	sep.WriteJSON(w, http.StatusOK, single{h.Object(t, asked(q), true)})
}

// single is an answer with one transaction.
type single struct {
	Transaction *Object `json:"transaction"`
}

// asked is the language a request asks for; "" if it does not, and then the
// transaction's own holds.
func asked(q url.Values) string {
	if lang := q.Get("lang"); lang != "" {
		return language.Match(lang)
	}
	return ""
}

// find is the owner's transaction that a query names. That of another owner
// does not exist.
func (h *Handler) find(ctx context.Context, who anchor.Identity, q url.Values) (*anchor.Transaction, error) {
	// The driver watches a context that can end, which costs more than the row is
	// worth.
	ctx = context.WithoutCancel(ctx)
	id, stellar, external := q.Get("id"), q.Get("stellar_transaction_id"), q.Get("external_transaction_id")
	if id == "" && stellar == "" && external == "" {
		return nil, invalid("parameter_required", "id", "one of id, stellar_transaction_id and external_transaction_id is required")
	}
	if id == "" {
		return h.books.TransactionOf(ctx, who, stellar, external)
	}
	t, err := h.books.Transaction(ctx, id)
	if err != nil {
		return nil, err
	}
	if t.Owner.Subject() != who.Subject() || stellar != "" && stellar != t.StellarID || external != "" && external != t.ExternalID {
		return nil, errNotFound
	}
	return t, nil
}

var errNotFound = &anchor.Error{Kind: anchor.NotFound, Code: "not_found", Message: "no such transaction"}

// maxList is how many transactions a list has at the most, and without a limit.
const maxList = 100

// transactions answers GET /transactions ("Transaction History").
func (h *Handler) transactions(w http.ResponseWriter, r *http.Request, who anchor.Identity) {
	var filter store.History
	var list []*anchor.Transaction
	q, err := sep.Query(r)
	if err == nil {
		filter, err = h.filter(q)
	}
	if err == nil {
		list, err = h.books.History(r.Context(), who, filter)
	}
	if err != nil {
		sep.WriteError(w, r, h.log, sep.Lang(r, q.Get("lang")), err)
		return
	}
	objects := make([]*Object, len(list))
	for i, t := range list {
		objects[i] = h.Object(t, asked(q), true)
	}
	sep.WriteJSON(w, http.StatusOK, map[string][]*Object{"transactions": objects})
}

// filter reads the parameters of a list.
func (h *Handler) filter(q url.Values) (store.History, error) {
	f := store.History{Limit: maxList}
	code := q.Get("asset_code")
	if code == "" {
		return f, invalid("parameter_required", "asset_code", "asset_code is required")
	}
	terms := h.byCode[code]
	if terms == nil {
		return f, unknownAsset(code)
	}
	f.Asset = terms.Asset
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return f, invalid("parameter_malformed", "limit", "limit must be a whole number above 0")
		}
		f.Limit = min(n, maxList)
	}
	switch s := q.Get("kind"); s {
	case "", string(anchor.Deposit), string(anchor.Withdrawal):
		f.Kind = anchor.Kind(s)
	default:
		return f, invalid("parameter_malformed", "kind", "kind must be deposit or withdrawal")
	}
	if s := q.Get("paging_id"); s != "" {
		id, err := uuid.Parse(s)
		if err != nil {
			return f, invalid("parameter_malformed", "paging_id", "paging_id must be the id of a transaction")
		}
		f.Before = id.String()
	}
	if s := q.Get("no_older_than"); s != "" {
		at, err := parseInstant(s)
		if err != nil {
			return f, invalid("parameter_malformed", "no_older_than", "no_older_than must be a time such as 2026-01-31T12:00:00Z")
		}
		f.NoOlderThan = at
	}
	return f, nil
}

// parseInstant reads an ISO 8601 time; without a zone it is UTC, without a time
// the day's beginning. A + that came through a query as a space is one again.
func parseInstant(s string) (time.Time, error) {
	var at time.Time
	var err error
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", time.DateOnly} {
		if at, err = time.Parse(layout, strings.ReplaceAll(s, " ", "+")); err == nil {
			return at, nil
		}
	}
	return at, err
}
