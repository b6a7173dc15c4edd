package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"windlass/server/anchor"
)

// Page is a part of a list that staff look through.
type Page struct {
	// Oldest first, as work is done; else newest first.
	Oldest bool
	// After is the cursor of the row that the page comes after, "" for the first
	// page.
	After string
	Limit int // 0 means no limit
}

// listing is a table as staff page through it. A cursor is the keys of a row:
// rows that come, change or go meanwhile shift nothing.
type listing[T any] struct {
	table, columns string
	scan           func(scanner, *Keys) (T, error)
	// keys are the columns that order it, which are unique together; of are a row's.
	keys []sortKey
	of   func(T) []any
}

type sortKey struct {
	column string
	number bool // else a text
}

var (
	byID  = []sortKey{{"id", false}}
	bySeq = []sortKey{{"seq", true}}
)

var (
	transactionList = listing[*anchor.Transaction]{"transactions", transactionColumns, scanTransaction, byID, func(t *anchor.Transaction) []any { return []any{t.ID} }}
	payoutList      = listing[*anchor.Payout]{"payouts", payoutColumns, scanPayout, byID, func(p *anchor.Payout) []any { return []any{p.ID} }}
	bankPayoutList  = listing[*anchor.BankPayout]{"bank_payouts", bankPayoutColumns, scanBankPayout, byID, func(p *anchor.BankPayout) []any { return []any{p.ID} }}
	paymentList     = listing[*anchor.Payment]{"payments", paymentColumns, scanPayment, bySeq, func(p *anchor.Payment) []any { return []any{token(p.ID)} }}
	bankLineList    = listing[*anchor.BankLine]{"bank_lines", bankLineColumns, scanBankLine, []sortKey{{"at", true}, {"id", false}}, func(l *anchor.BankLine) []any { return []any{micros(l.At), l.ID} }}
	outgoingList    = listing[*anchor.Outgoing]{"outgoing", outgoingColumns, scanOutgoing, bySeq, func(o *anchor.Outgoing) []any { return []any{token(o.ID)} }}
	auditList       = listing[*AuditEntry]{"audit", auditColumns, scanAudit, []sortKey{{"id", true}}, func(e *AuditEntry) []any { return []any{e.ID} }}
	messageList     = listing[*Message]{"outbox", messageColumns, scanMessage, []sortKey{{"id", true}}, func(m *Message) []any { return []any{m.ID} }}

	callbackHostList = listing[*CallbackHost]{"callback_hosts", callbackHostColumns, scanCallbackHost, []sortKey{{"since", true}, {"host", false}},
		func(h *CallbackHost) []any { return []any{micros(h.Since), h.Host} }}
)

// token is the number of Horizon's that an id is; the books take no other.
func token(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// page lists the rows for which w holds. end is the cursor of the last one, ""
// if there are no more.
func (l listing[T]) page(src source, w where, p Page) (all []T, end string, err error) {
	order, direction := "<", " DESC"
	if p.Oldest {
		order, direction = ">", " ASC"
	}
	var columns, sorted, marks []string
	for _, k := range l.keys {
		columns, sorted, marks = append(columns, k.column), append(sorted, k.column+direction), append(marks, "?")
	}
	if p.After != "" {
		after, err := l.after(p.After, order)
		if err != nil {
			return nil, "", err
		}
		w.add(`(`+strings.Join(columns, ", ")+`) `+order+` (`+strings.Join(marks, ", ")+`)`, after...)
	}
	limit := int64(math.MaxInt64)
	if p.Limit > 0 {
		limit = int64(p.Limit) + 1 // one more tells whether there are more
	}
	all, err = list(src, l.scan, numbered(`SELECT `+l.columns+` FROM `+l.table+w.clause()+` ORDER BY `+strings.Join(sorted, ", ")+` LIMIT ?`), append(w.args, limit)...)
	if p.Limit > 0 && len(all) > p.Limit {
		all = all[:p.Limit]
		end = l.cursor(all[p.Limit-1], order)
	}
	return all, end, err
}

// mostOfEach is how many rows of one transaction are listed. Anybody can send it
// as many payments as they like, each of next to nothing. What was taken for it
// never is as much (see mostShort).
const mostOfEach = 2 * mostShort

// ofEach lists what came for many transactions at once, in the order of the keys:
// of one that has more than mostOfEach, first what was matched, which is also the
// first of the states as texts, and then the newest of each state.
func (l listing[T]) ofEach(src source, transactions []string) ([]T, error) {
	if len(transactions) == 0 {
		return nil, nil
	}
	var newest, oldest, some []string
	for _, k := range l.keys {
		newest, oldest = append(newest, k.column+" DESC"), append(oldest, k.column)
	}
	for i := range transactions {
		some = append(some, `SELECT * FROM (SELECT `+l.columns+` FROM `+l.table+` WHERE transaction_id = $`+strconv.Itoa(i+1)+` AND transaction_id <> ''
			ORDER BY state, `+strings.Join(newest, ", ")+` LIMIT `+strconv.Itoa(mostOfEach)+`)`)
	}
	return list(src, l.scan, strings.Join(some, ` UNION ALL `)+` ORDER BY `+strings.Join(oldest, ", "), values(transactions)...)
}

// cursor stands for a row of this list in this order.
func (l listing[T]) cursor(row T, order string) string {
	text, err := json.Marshal(append([]any{l.table + order}, l.of(row)...))
	if err != nil {
		panic(err) // texts and numbers can always be written
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// after reads a cursor back.
func (l listing[T]) after(cursor, order string) ([]any, error) {
	refused := &anchor.Error{Kind: anchor.Invalid, Code: "cursor_malformed", Field: "after", Message: "after must be the endCursor of a page of the same list in the same order"}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, refused
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var parts []any
	if d.Decode(&parts) != nil || len(parts) != 1+len(l.keys) || parts[0] != l.table+order {
		return nil, refused
	}
	keys := parts[1:]
	for i, k := range l.keys {
		switch v := keys[i].(type) {
		case json.Number:
			n, err := v.Int64()
			if err != nil || !k.number {
				return nil, refused
			}
			keys[i] = n
		case string:
			if k.number {
				return nil, refused
			}
		default:
			return nil, refused
		}
	}
	return keys, nil
}
