package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"windlass/server/anchor"
	"windlass/server/incoming"
	"windlass/server/rail"
)

// An operation is one that succeeded, as Horizon tells it.
type operation struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Source string `json:"source_account"`
	Hash   string `json:"transaction_hash"`

	AssetType   string `json:"asset_type"`
	AssetCode   string `json:"asset_code"`
	AssetIssuer string `json:"asset_issuer"`
	Asset       string `json:"asset"` // "CODE:ISSUER" of a claimable balance
	Amount      string `json:"amount"`
	To          string `json:"to"`

	Account  string `json:"account"` // create_account, account_merge
	Starting string `json:"starting_balance"`
	Into     string `json:"into"`
	Trustor  string `json:"trustor"`

	BalanceID string `json:"balance_id"`
	Claimants []struct {
		Destination string `json:"destination"`
	} `json:"claimants"`
	Transaction struct {
		Inner struct {
			Hash string `json:"hash"`
		} `json:"inner_transaction"`
	} `json:"transaction"`
}

// inner is the hash by which the books know its transaction.
func (o *operation) inner() string {
	if h := o.Transaction.Inner.Hash; h != "" {
		return h
	}
	return o.Hash
}

func (o *operation) seq() int64 {
	n, _ := strconv.ParseInt(o.ID, 10, 64)
	return n
}

// moved is what an operation brings to whom; several may be able to claim it.
func (o *operation) moved() (kind string, to []string, asset string, amount anchor.Amount) {
	text := o.Amount
	switch o.Type {
	case "payment", "path_payment_strict_send", "path_payment_strict_receive":
		kind, to = "payment", []string{o.To}
	case "create_account":
		kind, to, text, o.AssetType = "create_account", []string{o.Account}, o.Starting, "native"
	case "account_merge":
		return "account_merge", []string{o.Into}, anchor.Native.String(), 0
	case "create_claimable_balance":
		kind = "claimable_balance"
		for _, c := range o.Claimants {
			to = append(to, c.Destination)
		}
	case "claim_claimable_balance": // it comes from there
		return "claim", []string{o.BalanceID}, "", 0
	case "set_trust_line_flags", "allow_trust":
		return "authorize", []string{o.Trustor}, o.asset(), 0
	default:
		return "", nil, "", 0
	}
	amount, err := anchor.ParseAmount(text)
	if err != nil {
		amount = -1 // which nothing else is
	}
	return kind, to, o.asset(), amount
}

func (o *operation) asset() string {
	switch {
	case o.AssetType == "native", o.Asset == "native":
		return anchor.Native.String()
	case o.Asset != "":
		return "stellar:" + o.Asset
	}
	return "stellar:" + o.AssetCode + ":" + o.AssetIssuer
}

// history is every operation that concerns our accounts, read on from look to
// look for as long as it is the same ledger.
type history struct {
	operations map[string]*operation // by id
	cursors    map[string]string     // by account
	claimed    map[string]bool       // balances that are gone
	ledger     uint32                // one that was read, with its hash
	hash       string
}

// ours are the accounts that nobody else can use.
func (b *balance) ours() []string {
	all := append(followed(b.Config), b.Config.keys.channels()...)
	for _, t := range b.Config.terms {
		if t.Issues() {
			all = append(all, t.Asset.Issuer)
		}
	}
	return all
}

func (h *history) read(ctx context.Context, b *balance) error {
	type ledger struct {
		Sequence uint32 `json:"sequence"`
		Hash     string `json:"hash"`
	}
	var latest struct {
		Embedded struct {
			Records []ledger `json:"records"`
		} `json:"_embedded"`
	}
	var known ledger
	if h.ledger != 0 {
		if err := b.ask(ctx, fmt.Sprintf("/ledgers/%d", h.ledger), &known); err != nil {
			return err
		}
	}
	if known.Hash != h.hash || h.ledger == 0 { // the network was reset
		*h = history{operations: map[string]*operation{}, cursors: map[string]string{}, claimed: map[string]bool{}}
	}
	if err := b.ask(ctx, "/ledgers?order=desc&limit=1", &latest); err != nil {
		return err
	}
	for _, account := range b.ours() {
		for more := true; more; {
			var page struct {
				Embedded struct {
					Records []*operation `json:"records"`
				} `json:"_embedded"`
			}
			path := "/accounts/" + account + "/operations?" + url.Values{"join": {"transactions"}, "limit": {"200"}, "cursor": {h.cursors[account]}}.Encode()
			if err := b.ask(ctx, path, &page); err != nil {
				return err
			}
			for _, o := range page.Embedded.Records {
				h.operations[o.ID], h.cursors[account] = o, o.ID
			}
			more = len(page.Embedded.Records) == 200
		}
	}
	if r := latest.Embedded.Records; len(r) == 1 {
		h.ledger, h.hash = r[0].Sequence, r[0].Hash
	}
	return nil
}

// ask reads from Horizon. What does not exist leaves answer as it is.
func (b *balance) ask(ctx context.Context, path string, answer any) error {
	client := b.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Horizon+path, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil || res.StatusCode == http.StatusNotFound:
		return err
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("GET %s: %s %.300s", path, res.Status, body)
	}
	return json.Unmarshal(body, answer)
}

// moneyOut holds our operations on the ledger against the intents: each is one
// intent's, and each intent has exactly one, or none yet.
func (l *look) moneyOut(ctx context.Context) error {
	ours := l.ours()
	byHash, explained := by(l.envelopes, "hash"), by(l.outgoing, "id")
	times := map[string]int{} // that an intent was carried out
	applied := map[string]map[string]bool{}
	for _, o := range l.history.sorted() {
		kind, to, asset, amount := o.moved()
		if kind == "" || !slices.Contains(ours, o.Source) || !slices.ContainsFunc(to, func(a string) bool { return !slices.Contains(ours, a) }) {
			continue
		}
		e := byHash[o.inner()]
		if e == nil && kind == "claim" { // books that these have forgotten took it back
			for _, p := range l.payouts {
				if p.is("state", "paid") && p.is("purpose", "reclaim") && carriesOut(p, kind, to, asset, amount) {
					times[p.text("id")]++
				}
			}
			continue
		}
		if as := explained[o.ID]; e == nil && as.text("explained") != "" { // a person has looked into it
			if id := as.text("payout_id"); id != "" {
				times[id]++
			}
			continue
		}
		if e == nil {
			fresh, err := l.signedSince(ctx, o)
			if err != nil {
				return err
			}
			if !fresh {
				l.find(doubled, "%s of %s %s to %v in %s is no intent's", o.Type, amount, asset, to, o.Hash)
			}
			continue
		}
		if e.is("state", "failed", "impossible") {
			l.find(doubled, "%s is in the ledger, and the books hold it for %s", o.Hash, e.text("state"))
		}
		of := l.carried[e.text("id")]
		if applied[e.text("id")] == nil {
			applied[e.text("id")] = map[string]bool{}
		}
		done := applied[e.text("id")]
		i := slices.IndexFunc(of, func(id string) bool { return !done[id] && carriesOut(l.payout[id], kind, to, asset, amount) })
		if i < 0 {
			l.find(doubled, "%s of %s %s to %v in %s is none of its envelope's intents", o.Type, amount, asset, to, o.Hash)
			continue
		}
		done[of[i]] = true
		times[of[i]]++
	}
	paid := map[string]int{}
	for _, p := range l.payouts {
		n := times[p.text("id")]
		what := fmt.Sprintf("intent %s (%s %s of %s, %s)", p.text("id"), p.text("purpose"), p.text("cause_id"), anchor.Amount(p.num("amount")), p.text("state"))
		switch {
		case n > 1:
			l.find(doubled, "%s has %d successful operations", what, n)
		case n == 0 && p.is("state", "paid"):
			l.find(lost, "%s has none on the ledger", what)
		case n == 1 && !p.is("state", "paid", "in_envelope"):
			l.find(doubled, "%s is on the ledger already", what)
		case p.is("state", "in_envelope") && !l.envelope[p.text("envelope_id")].is("state", "live"):
			l.find(lost, "%s is in an envelope that is not live", what)
		}
		if p.is("state", "paid") {
			paid[p.text("cause_kind")+" "+p.text("cause_id")+" "+p.text("purpose")]++
			if p.is("purpose", "reclaim") { // what came back may be paid again
				paid[p.text("cause_kind")+" "+p.text("cause_id")+" payout"]--
			}
		}
	}
	for what, n := range paid {
		if n > 1 && strings.HasSuffix(what, " payout") {
			l.find(doubled, "%s was paid %d times", what, n)
		}
	}
	return nil
}

// signedSince reports whether an operation is of an envelope that was written
// down after the books were read.
func (l *look) signedSince(ctx context.Context, o *operation) (bool, error) {
	var n int
	err := l.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM envelopes WHERE hash = $1 AND created_at >= $2`, o.inner(), l.taken.UnixMicro()).Scan(&n)
	return n > 0, err
}

// carriesOut reports whether an operation is what an intent asks for.
func carriesOut(p row, kind string, to []string, asset string, amount anchor.Amount) bool {
	if kind == "claim" {
		return p.is("operation", kind) && p.text("result_id") == to[0]
	}
	return p.is("operation", kind) && slices.Contains(to, anchor.Address(p.text("destination")).Account()) &&
		p.text("asset") == asset && (kind == "authorize" || anchor.Amount(p.num("amount")) == amount)
}

// sorted are the operations in the ledger's order.
func (h *history) sorted() []*operation {
	all := make([]*operation, 0, len(h.operations))
	for _, o := range h.operations {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *operation) int { return int(min(max(a.seq()-b.seq(), -1), 1)) })
	return all
}

// moneyIn holds what was paid to our accounts against the rows: each that the
// books have read has its row.
func (l *look) moneyIn(context.Context) error {
	rows := by(l.payments, "id")
	for _, o := range l.history.sorted() {
		kind, to, asset, amount := o.moved()
		if kind == "" || kind == "authorize" || kind == "claimable_balance" || len(to) != 1 || !slices.Contains(followed(l.Config), to[0]) {
			continue
		}
		read, err := strconv.ParseInt("0"+l.cursors[incoming.CursorName(to[0])].text("value"), 10, 64)
		if err != nil {
			return err
		}
		r, has := rows[o.ID]
		switch {
		case !has && o.seq() > read: // it will be
		case !has:
			l.find(lost, "%s %s of %s %s to %s was read and has no row", o.Type, o.ID, amount, asset, to[0])
		case r.text("account") != to[0], kind != "account_merge" && (r.text("asset") != asset || anchor.Amount(r.num("amount")) != amount):
			l.find(unbalanced, "payment %s is %s %s to %s, its row says %s %s to %s", o.ID, amount, asset, to[0], anchor.Amount(r.num("amount")), r.text("asset"), r.text("account"))
		}
	}
	for _, r := range l.payments {
		if l.history.operations[r.text("id")] == nil {
			l.find(unbalanced, "payment %s is in the books and not on the ledger", r.text("id"))
		}
		l.matched("payment", r)
	}
	return nil
}

// matched checks that what is credited to a transaction is credited to one, in
// the asset that it asked for.
func (l *look) matched(what string, r row) {
	t := l.tx[r.text("transaction_id")]
	switch {
	case !r.is("state", "matched"):
	case t == nil:
		l.find(lost, "%s %s is matched to %q, which does not exist", what, r.text("id"), r.text("transaction_id"))
	case r.text("asset") != inAsset(t):
		l.find(unbalanced, "%s %s of %s is matched to %s %s of %s", what, r.text("id"), r.text("asset"), t.text("kind"), t.text("id"), inAsset(t))
	}
}

// bankOut holds what the bank has paid against the orders.
func (l *look) bankOut(ctx context.Context) error {
	account, err := l.bank.Account(ctx, time.Time{})
	if err != nil {
		return err
	}
	times, orders := map[string]int{}, by(l.orders, "id")
	for _, line := range account.Lines {
		if line.Amount >= 0 {
			continue
		}
		times[line.Order]++
		switch o := orders[line.Order]; {
		case o == nil && line.At.After(l.taken):
		case o == nil:
			l.find(doubled, "the bank has paid %s for the order %q, which is not in the books", -line.Amount, line.Order)
		case anchor.Amount(o.num("amount")) != -line.Amount || o.text("asset") != line.Asset.String():
			l.find(unbalanced, "the bank has paid %s %s for the order %s of %s %s", -line.Amount, line.Asset, line.Order, anchor.Amount(o.num("amount")), o.text("asset"))
		}
	}
	for _, r := range l.bankLines { // what the bank gave back, as far as the books have read it
		if id := r.text("order_id"); id != "" {
			times[id]--
		}
	}
	paid := map[string]int{}
	for _, o := range l.orders {
		n := times[o.text("id")]
		switch {
		case n > 1:
			l.find(doubled, "the bank has paid order %s %d times", o.text("id"), n)
		case n < 1 && o.is("state", "paid"):
			l.find(lost, "order %s is paid in the books and not at the bank", o.text("id"))
		case n == 1 && o.is("state", "refused", "returned", "cancelled", "approval"):
			l.find(doubled, "order %s is %s in the books and paid at the bank", o.text("id"), o.text("state"))
		}
		if o.is("state", "paid") && o.is("purpose", "payout") {
			if paid[o.text("cause_id")]++; paid[o.text("cause_id")] == 2 {
				l.find(doubled, "transaction %s was paid by the bank twice", o.text("cause_id"))
			}
		}
	}
	return nil
}

// bankIn holds the bank's credits against the rows.
func (l *look) bankIn(ctx context.Context) error {
	account, err := l.bank.Account(ctx, time.Time{})
	if err != nil {
		return err
	}
	unread, err := l.unreadCredits(ctx)
	if err != nil {
		return err
	}
	rows, seen := by(l.bankLines, "id"), map[string]bool{}
	for _, line := range account.Lines {
		if line.Amount < 0 {
			continue
		}
		seen[line.ID] = true
		r, has := rows[line.ID]
		switch {
		case !has && unread[line.ID]: // it will be
		case !has:
			l.find(lost, "the bank's credit %s of %s was read and has no row", line.ID, line.Amount)
		case r.is("reason", anchor.Refused) && r.num("amount") == 0: // no journal can hold it
		case anchor.Amount(r.num("amount")) != line.Amount || r.text("asset") != line.Asset.String():
			l.find(unbalanced, "the bank's credit %s is %s %s, its row says %s %s", line.ID, line.Amount, line.Asset, anchor.Amount(r.num("amount")), r.text("asset"))
		}
	}
	for _, r := range l.bankLines {
		if !seen[r.text("id")] && r.text("confirmed_by") == "" {
			l.find(unbalanced, "bank line %s is in the books and not at the bank", r.text("id"))
		}
		l.matched("bank line", r)
	}
	return nil
}

func (l *look) unreadCredits(ctx context.Context) (map[string]bool, error) {
	ids := map[string]bool{}
	for after := l.cursors[rail.Cursor].text("value"); ; {
		st, err := l.bank.Credits(ctx, after)
		if err != nil {
			return nil, err
		}
		for _, c := range st.Credits {
			ids[c.ID] = true
		}
		if len(st.Credits) == 0 || st.Cursor == after {
			return ids, nil
		}
		after = st.Cursor
	}
}
