package horizon

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
)

// PageSize is how many records a page holds at the most.
const PageSize = 200

// Payment is one record of an account's payments: an operation that moved money
// to or from it, with its transaction's memo. Horizon leaves failed ones out.
type Payment struct {
	ID   string // decimal; its order is the ledger's, and it is the cursor
	Type string // "payment", "path_payment_strict_send", "create_account", …
	Hash string // the transaction's
	// Inner is the inner transaction's hash if Hash is a fee bump, else Hash.
	Inner  string
	Ledger uint32
	At     time.Time // when the ledger closed

	From anchor.Address // muxed where the ledger says so
	To   string         // G…
	// MuxedID is the id of the muxed address that was paid; "" if it was not one.
	MuxedID string
	Memo    anchor.Memo // the transaction's
	Asset   anchor.Asset
	Amount  anchor.Amount // what arrived, not what was sent
	// SentAsset and SentAmount left From; a path payment converts on its way.
	SentAsset  anchor.Asset
	SentAmount anchor.Amount

	// Fault says what could not be read; the fields it concerns are zero. ID is
	// always there.
	Fault string
}

// Payments reads the page of an account's payments after cursor, oldest first;
// "" is the beginning of its history, never now. An account that never existed
// is NotFound.
func (c *Client) Payments(ctx context.Context, account, cursor string, limit int) ([]Payment, error) {
	var p page[json.RawMessage]
	path := paymentsPath(account, cursor, limit)
	if _, err := c.get(ctx, path, pageLimit, maxPage, false, &p); err != nil {
		return nil, err
	}
	all := make([]Payment, 0, len(p.Embedded.Records))
	for _, raw := range p.Embedded.Records {
		one, err := readPayment(raw, "", account)
		if err != nil {
			return nil, unavailable(err)
		}
		all = append(all, one)
	}
	return all, nil
}

func paymentsPath(account, cursor string, limit int) string {
	return pagePath(account, "payments", cursor, limit, "join", "transactions")
}

// pagePath is the path of a page of one of an account's lists, oldest first.
func pagePath(account, list, cursor string, limit int, key, value string) string {
	if cursor == "" {
		cursor = "0"
	}
	q := url.Values{"cursor": {cursor}, "limit": {strconv.Itoa(limit)}, "order": {"asc"}, key: {value}}
	return "/accounts/" + url.PathEscape(account) + "/" + list + "?" + q.Encode()
}

type paymentBody struct {
	ID         string    `json:"id"`
	Type       string    `json:"type"`
	Hash       string    `json:"transaction_hash"`
	Successful *bool     `json:"transaction_successful"`
	At         time.Time `json:"created_at"`
	Source     string    `json:"source_account"`

	assetBody
	From      string `json:"from"`
	FromMuxed string `json:"from_muxed"`
	To        string `json:"to"`
	ToMuxedID string `json:"to_muxed_id"`
	Amount    string `json:"amount"`

	// path payments
	SourceType   string `json:"source_asset_type"`
	SourceCode   string `json:"source_asset_code"`
	SourceIssuer string `json:"source_asset_issuer"`
	SourceAmount string `json:"source_amount"`
	// create_account
	Funder   string `json:"funder"`
	Account  string `json:"account"`
	Starting string `json:"starting_balance"`
	// account_merge
	Into        string `json:"into"`
	IntoMuxedID string `json:"into_muxed_id"`
	// invoke_host_function
	Changes []struct {
		assetBody
		From   string `json:"from"`
		To     string `json:"to"`
		Amount string `json:"amount"`
	} `json:"asset_balance_changes"`

	Transaction *struct {
		Ledger    uint32 `json:"ledger"`
		MemoType  string `json:"memo_type"`
		Memo      string `json:"memo"`
		ResultXDR string `json:"result_xdr"`
		Inner     struct {
			Hash string `json:"hash"`
		} `json:"inner_transaction"`
	} `json:"transaction"`
}

// readPayment reads a record about account. One it cannot make sense of is a
// Payment with a Fault, so that it can be written down and passed: a record
// that somebody crafted must not stop the reading. Only one without an id is an
// error. id is what the stream said, "" on a page.
func readPayment(raw json.RawMessage, id, account string) (Payment, error) {
	var b paymentBody
	if err := json.Unmarshal(raw, &b); err != nil {
		var only struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(raw, &only) == nil && only.ID != "" {
			id = only.ID
		}
		n, idErr := strconv.ParseInt(id, 10, 64)
		if idErr != nil || n <= 0 {
			return Payment{}, fmt.Errorf("a payment record without an id: %w", err)
		}
		return Payment{ID: id, Ledger: uint32(n >> 32), To: account, Fault: "the record cannot be decoded"}, nil
	}
	if b.ID == "" {
		b.ID = id
	}
	n, err := strconv.ParseInt(b.ID, 10, 64)
	if err != nil || n <= 0 {
		return Payment{}, fmt.Errorf("a payment record with the id %q", b.ID)
	}
	// The upper half of an operation's id is its ledger's number (SEP-35).
	p := Payment{ID: b.ID, Type: b.Type, Hash: b.Hash, Inner: b.Hash, At: b.At, Ledger: uint32(n >> 32)}
	if b.Transaction == nil {
		p.Fault = "the record has no transaction"
	} else {
		if t := b.Transaction; t.MemoType != "none" && t.MemoType != "" {
			p.Memo = anchor.Memo{Type: anchor.MemoType(t.MemoType), Value: t.Memo}
		}
		if b.Transaction.Inner.Hash != "" {
			p.Inner = b.Transaction.Inner.Hash
		}
	}
	if b.Successful != nil && !*b.Successful {
		// Nothing has moved, whatever the record says besides.
		p.From, p.To, p.Fault = anchor.Address(b.Source), account, "the transaction has failed"
		return p, nil
	}
	p.movement(&b, account)
	return p, nil
}

// movement reads who paid whom what.
func (p *Payment) movement(b *paymentBody, account string) {
	amount := b.Amount
	switch b.Type {
	case "payment", "path_payment_strict_send", "path_payment_strict_receive":
		p.From, p.To, p.MuxedID, p.Asset = anchor.Address(b.From), b.To, b.ToMuxedID, b.asset()
		if b.FromMuxed != "" {
			p.From = anchor.Address(b.FromMuxed)
		}
	case "create_account":
		p.From, p.To, p.Asset, amount = anchor.Address(b.Funder), b.Account, anchor.Native, b.Starting
	case "account_merge":
		p.From, p.To, p.MuxedID, p.Asset = anchor.Address(b.Account), b.Into, b.IntoMuxedID, anchor.Native
		var err error
		if amount, err = mergedBalance(b); err != nil {
			p.fault(err.Error())
			return
		}
	default:
		// Contracts move assets too. What reached the account is read as far as
		// it can be.
		for _, c := range b.Changes {
			if c.To == account || c.From == account {
				p.From, p.To, p.Asset, amount = anchor.Address(c.From), c.To, c.asset(), c.Amount
				break
			}
		}
		if p.To == "" {
			p.From, p.To = anchor.Address(b.Source), account
			p.fault("the operation " + strings.ToValidUTF8(b.Type, "") + " is not known")
			return
		}
	}
	if p.Asset == (anchor.Asset{}) {
		p.fault("the asset cannot be read")
	} else if _, err := anchor.ParseAsset(p.Asset.String()); err != nil {
		p.Asset = anchor.Asset{}
		p.fault("the asset cannot be read")
	}
	var err error
	if p.Amount, err = anchor.ParseAmount(amount); err != nil {
		p.fault("the amount cannot be read")
	}
	p.SentAsset, p.SentAmount = p.Asset, p.Amount
	if b.SourceAmount != "" {
		p.SentAsset = assetBody{b.SourceType, b.SourceCode, b.SourceIssuer}.asset()
		if p.SentAmount, err = anchor.ParseAmount(b.SourceAmount); err != nil || p.SentAsset == (anchor.Asset{}) {
			p.fault("what was sent cannot be read")
		}
	}
}

func (p *Payment) fault(what string) {
	if p.Fault == "" {
		p.Fault = what
	}
}

// mergedBalance is what an account_merge brought, which Horizon tells in the
// transaction's result only.
func mergedBalance(b *paymentBody) (string, error) {
	if b.Transaction == nil {
		return "", fmt.Errorf("what the merge brought is not told")
	}
	var r xdr.TransactionResult
	if err := xdr.SafeUnmarshalBase64(b.Transaction.ResultXDR, &r); err != nil {
		return "", fmt.Errorf("what the merge brought cannot be read")
	}
	id, err := strconv.ParseInt(b.ID, 10, 64)
	ops, ok := r.OperationResults()
	at := int(id&0xfff) - 1 // operations count from 1 in the lowest 12 bits
	if err != nil || !ok || at < 0 || at >= len(ops) || ops[at].Tr == nil {
		return "", fmt.Errorf("what the merge brought cannot be read")
	}
	m, ok := ops[at].Tr.GetAccountMergeResult()
	if !ok || m.SourceAccountBalance == nil {
		return "", fmt.Errorf("what the merge brought cannot be read")
	}
	return anchor.Amount(*m.SourceAccountBalance).String(), nil
}
