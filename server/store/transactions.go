package store

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"windlass/server/anchor"
)

const transactionColumns = `id, kind, status, owner_account, owner_memo, owner_muxed, owner_client,
	customer_id, asset, off_chain, account, memo_type, memo, anchor_account, refund_memo_type, refund_memo,
	claimable_balance, requested, amounts_known, rate, amount_in, amount_out, amount_fee, fee_lines,
	amount_refunded, refund_fee, refunds, expected, method, reference, bank_side, reviewed, stellar_id, external_id, balance_id,
	started_at, updated_at, completed_at, agreed_at, funded_at, paid_out_at, deadline,
	lang, callback, on_change, note`

// scanTransaction is on the path of every wallet's poll. The conversions to
// plain strings spare database/sql its slow way for named types.
func scanTransaction(r scanner, _ *Keys) (*anchor.Transaction, error) {
	var c struct { // together, lest each be allocated
		anchor.Transaction

		status, asset, offChain, rate       string
		feeLines, refunds                   string
		started, updated, completed, agreed int64
		fundedAt, paidOut, deadline         int64
		claimable, known, reviewed          int64
	}
	t := &c.Transaction
	err := r.Scan(&t.ID, (*string)(&t.Kind), &c.status, &t.Owner.Account, &t.Owner.Memo, &t.Owner.Muxed, &t.Owner.Client,
		&t.CustomerID, &c.asset, &c.offChain, (*string)(&t.Account), (*string)(&t.Memo.Type), &t.Memo.Value, &t.AnchorAccount,
		(*string)(&t.RefundMemo.Type), &t.RefundMemo.Value,
		&c.claimable, (*int64)(&t.Requested), &c.known, &c.rate, (*int64)(&t.AmountIn), (*int64)(&t.AmountOut), (*int64)(&t.AmountFee), &c.feeLines,
		(*int64)(&t.AmountRefunded), (*int64)(&t.RefundFee), &c.refunds, (*int64)(&t.Expected), &t.Method, &t.Reference, &t.BankSide, &c.reviewed, &t.StellarID, &t.ExternalID, &t.BalanceID,
		&c.started, &c.updated, &c.completed, &c.agreed, &c.fundedAt, &c.paidOut, &c.deadline,
		&t.Lang, &t.Callback, &t.OnChange, &t.Note)
	if err != nil {
		return nil, err
	}
	t.ClaimableBalance, t.AmountsKnown, t.Reviewed = c.claimable != 0, c.known != 0, c.reviewed != 0
	if t.Asset, err = assets.parse(c.asset); err != nil {
		return nil, err
	}
	if t.OffChain, err = assets.parse(c.offChain); err != nil {
		return nil, err
	}
	if t.Rate, err = anchor.ParseRate(c.rate); err != nil {
		return nil, err
	}
	if t.FeeLines, err = parseFeeLines(c.feeLines); err != nil {
		return nil, err
	}
	if c.refunds != "" {
		if err := json.Unmarshal([]byte(c.refunds), &t.Refunds); err != nil {
			return nil, err
		}
	}
	t.StartedAt, t.UpdatedAt, t.CompletedAt, t.AgreedAt = instant(c.started), instant(c.updated), instant(c.completed), instant(c.agreed)
	t.FundedAt, t.PaidOutAt, t.Deadline = instant(c.fundedAt), instant(c.paidOut), instant(c.deadline)
	t.Restore(anchor.Status(c.status))
	return t, nil
}

// facts are the values of transactionColumns.
func facts(t *anchor.Transaction) []any {
	return []any{t.ID, t.Kind, t.Status(), t.Owner.Account, t.Owner.Memo, t.Owner.Muxed, t.Owner.Client,
		t.CustomerID, t.Asset.String(), t.OffChain.String(), t.Account, t.Memo.Type, t.Memo.Value, t.AnchorAccount, t.RefundMemo.Type, t.RefundMemo.Value,
		flag(t.ClaimableBalance), t.Requested, flag(t.AmountsKnown), t.Rate.String(), t.AmountIn, t.AmountOut, t.AmountFee, formatFeeLines(t.FeeLines),
		t.AmountRefunded, t.RefundFee, formatRefunds(t.Refunds), t.Expected, t.Method, t.Reference, t.BankSide, flag(t.Reviewed), t.StellarID, t.ExternalID, t.BalanceID,
		micros(t.StartedAt), micros(t.UpdatedAt), micros(t.CompletedAt), micros(t.AgreedAt), micros(t.FundedAt), micros(t.PaidOutAt), micros(t.Deadline),
		t.Lang, t.Callback, t.OnChange, t.Note}
}

// formatFeeLines writes "fixed=1.00 percent=0.5", in order.
func formatFeeLines(lines []anchor.FeeLine) string {
	parts := make([]string, len(lines))
	for i, l := range lines {
		parts[i] = l.Name + "=" + l.Amount.String()
	}
	return strings.Join(parts, " ")
}

// formatRefunds is "" for none, which costs a poll nothing.
func formatRefunds(all []anchor.Refund) string {
	if len(all) == 0 {
		return ""
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // texts and amounts can always be written
	}
	return string(text)
}

func parseFeeLines(s string) ([]anchor.FeeLine, error) {
	if s == "" {
		return nil, nil
	}
	lines := make([]anchor.FeeLine, 0, 4)
	for part := range strings.FieldsSeq(s) {
		name, text, _ := strings.Cut(part, "=")
		amount, err := anchor.ParseAmount(text)
		if err != nil {
			return nil, err
		}
		lines = append(lines, anchor.FeeLine{Name: name, Amount: amount})
	}
	return lines, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// columnsOf splits a column list; placeholders numbers it: "$1, $2, …".
func columnsOf(list string) []string {
	return strings.Split(strings.Join(strings.Fields(list), ""), ",")
}

func placeholders(n int) string { return placeholdersFrom(1, n) }

// placeholdersFrom is n placeholders, the first numbered first.
func placeholdersFrom(first, n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(all, ", ")
}

// values are texts as arguments of placeholders.
func values(texts []string) []any {
	all := make([]any, len(texts))
	for i, s := range texts {
		all[i] = s
	}
	return all
}

var (
	insertTransaction = `INSERT INTO transactions (` + transactionColumns + `, version) VALUES (` +
		placeholders(len(columnsOf(transactionColumns))) + `, 1)`
	updateTransaction = func() string {
		cols := columnsOf(transactionColumns)
		set := make([]string, len(cols))
		for i, c := range cols {
			set[i] = c + " = $" + strconv.Itoa(i+1)
		}
		// The id is $1, so that the order of first appearance holds.
		return `UPDATE transactions SET ` + strings.Join(set, ", ") + `, version = version + 1 WHERE id = $1 AND status = $` + strconv.Itoa(len(cols)+1)
	}()
)

// CreateTransaction stores a new transaction.
func (t *Tx) CreateTransaction(a *anchor.Transaction) error {
	if _, err := t.exec(insertTransaction, facts(a)...); err != nil {
		return err
	}
	if err := t.audit(a.ID, anchor.Step{Event: "started", From: anchor.Incomplete, To: anchor.Incomplete, At: a.StartedAt}); err != nil {
		return err
	}
	return t.after(a, known{status: anchor.Incomplete, reviewed: a.Reviewed})
}

// SaveTransaction stores a transaction that this Tx loaded or created, with the
// steps it took since: each is an entry of the audit trail and, where the
// wallet asked for it, a row of the outbox. One that another Tx loaded, or
// whose status in the books is another by now, is a Conflict: saving it would
// undo what happened in between.
func (t *Tx) SaveTransaction(a *anchor.Transaction) error {
	was, ok := t.loaded[a]
	if !ok {
		return changedMeanwhile()
	}
	if err := t.change(updateTransaction, append(facts(a), was.status)...); err != nil {
		return err
	}
	return t.after(a, was)
}

// known is what the books say of a transaction that a Tx has loaded or saved.
type known struct {
	status   anchor.Status
	reviewed bool
	steps    int  // of its trail, that are written down
	waiting  bool // for money
}

// remember notes that the books and the transaction agree.
func (t *Tx) remember(a *anchor.Transaction) {
	if t.loaded == nil {
		t.loaded = map[*anchor.Transaction]known{}
	}
	t.loaded[a] = known{a.Status(), a.Reviewed, len(a.Trail()), a.AwaitsMoney()}
}

// after writes down what a saved transaction did since the books knew it,
// enqueues what the wallet wants to be told of it (SEP-24: on_change_callback
// for every change of status or kyc_verified, callback once it is no longer
// incomplete) and what the customer is written to about, and wakes those who watch.
func (t *Tx) after(a *anchor.Transaction, was known) error {
	steps := a.Trail()[was.steps:]
	if len(steps) == 0 && a.Reviewed != was.reviewed && isURL(a.OnChange) {
		if err := t.enqueue(a, "on_change_callback", a.OnChange, anchor.Step{To: a.Status(), At: a.UpdatedAt}); err != nil {
			return err
		}
	}
	for _, step := range steps {
		if err := t.audit(a.ID, step); err != nil {
			return err
		}
		if isURL(a.OnChange) {
			if err := t.enqueue(a, "on_change_callback", a.OnChange, step); err != nil {
				return err
			}
		}
		if step.From == anchor.Incomplete && isURL(a.Callback) {
			if err := t.enqueue(a, "callback", a.Callback, step); err != nil {
				return err
			}
		}
		if err := t.enqueueMail(a, step); err != nil {
			return err
		}
	}
	if a.Status() == anchor.Expired && a.AgreedAt.IsZero() && len(steps) > 0 {
		if err := t.forget(a); err != nil {
			return err
		}
	}
	if was.waiting && !a.AwaitsMoney() {
		if err := t.decideNow(a, a.UpdatedAt); err != nil {
			return err
		}
	}
	for other := range t.loaded { // a copy of it is out of date now
		if other.ID == a.ID {
			delete(t.loaded, other)
		}
	}
	t.remember(a)
	t.Notify(a.ID)
	t.Notify(TopicAny)
	return nil
}

// isURL tells an address that is called from "postMessage" and from an app's
// address, which the page does.
func isURL(s string) bool { return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") }

// enqueue writes an outbox row. The callback has at most one, by its index.
func (t *Tx) enqueue(a *anchor.Transaction, kind, url string, step anchor.Step) error {
	return t.insertMessage(a.ID, kind, url, hostOf(url), step, time.Time{})
}

func (t *Tx) insertMessage(id, kind, url, host string, step anchor.Step, notBefore time.Time) error {
	_, err := t.exec(`INSERT INTO outbox (transaction_id, kind, url, host, status, state, attempts, not_before, created_at, since, version)
		VALUES ($1, $2, $3, $4, $5, 'due', 0, $6, $7, $7, (SELECT version FROM transactions WHERE id = $1)) ON CONFLICT DO NOTHING`, id, kind, url, host, step.To, micros(notBefore), micros(step.At))
	t.Notify(TopicOutbox)
	return err
}

func (t *Tx) audit(id string, step anchor.Step) error {
	_, err := t.exec(`INSERT INTO audit (at, actor, transaction_id, event, from_status, to_status) VALUES ($1, $2, $3, $4, $5, $6)`,
		micros(step.At), t.actor, id, step.Event, step.From, step.To)
	return err
}

func transactionWhere(src source, where string, args ...any) (*anchor.Transaction, error) {
	return one(src, "transaction", scanTransaction, `SELECT `+transactionColumns+` FROM transactions WHERE `+where, args...)
}

// load loads a transaction that may be saved.
func (t *Tx) load(where string, args ...any) (*anchor.Transaction, error) {
	a, err := transactionWhere(t, where, args...)
	if err == nil {
		t.remember(a)
	}
	return a, err
}

// Transaction loads one transaction; none is NotFound.
func (t *Tx) Transaction(id string) (*anchor.Transaction, error) {
	return t.load(`id = $1`, id)
}

// Transaction reads one transaction; none is NotFound.
func (s *Store) Transaction(ctx context.Context, id string) (*anchor.Transaction, error) {
	return transactionWhere(s.reader(ctx), `id = $1`, id)
}

// TransactionByMemo finds the withdrawal that a payment to account with that
// memo is for, whatever its status.
func (t *Tx) TransactionByMemo(account string, memo anchor.Memo) (*anchor.Transaction, error) {
	return t.load(`anchor_account = $1 AND memo_type = $2 AND memo = $3 AND anchor_account <> ''`, account, memo.Type, memo.Value)
}

// TransactionByReference finds the deposit that a bank transfer is for.
func (t *Tx) TransactionByReference(reference string) (*anchor.Transaction, error) {
	return t.load(`reference = $1 AND reference <> ''`, reference)
}

// TransactionOf finds an owner's transaction by a ledger hash or a bank
// transfer's id, the newest if several share it (SEP-24, "Single Historical
// Transaction"). Exactly one of the two must be given.
func (s *Store) TransactionOf(ctx context.Context, owner anchor.Identity, stellarID, externalID string) (*anchor.Transaction, error) {
	column, value := "stellar_id", stellarID
	if stellarID == "" {
		column, value = "external_id", externalID
	}
	return transactionWhere(s.reader(ctx), column+` = $1 AND `+column+` <> '' AND owner_account = $2 AND owner_memo = $3 AND owner_muxed = $4 ORDER BY id DESC LIMIT 1`,
		value, owner.Account, owner.Memo, owner.Muxed)
}

// History narrows down an owner's transactions; zero values do not.
type History struct {
	Asset       anchor.Asset
	Kind        anchor.Kind
	NoOlderThan time.Time // inclusive, of the start
	Before      string    // an id; only older ones
	Limit       int       // 0 means no limit
}

// History lists an owner's transactions, newest first.
func (s *Store) History(ctx context.Context, owner anchor.Identity, h History) ([]*anchor.Transaction, error) {
	w := where{}
	w.add(`owner_account = ?`, owner.Account)
	w.add(`owner_memo = ?`, owner.Memo)
	w.add(`owner_muxed = ?`, owner.Muxed)
	if h.Asset != (anchor.Asset{}) {
		w.add(`asset = ?`, h.Asset.String())
	}
	if h.Kind != "" {
		w.add(`kind = ?`, h.Kind)
	}
	if !h.NoOlderThan.IsZero() {
		w.add(`started_at >= ?`, micros(h.NoOlderThan))
	}
	if h.Before != "" {
		w.add(`id < ?`, h.Before)
	}
	return w.transactions(s.reader(ctx), h.Limit)
}

// Search narrows down all transactions for staff; zero values do not.
type Search struct {
	Kind     anchor.Kind
	Statuses []anchor.Status
	// Text is an account, an id or its beginning, a hash, a memo or a reference.
	Text string
	// ToReview leaves those whose customer waits for a reviewer.
	ToReview bool
	Page
}

// Search lists transactions.
func (s *Store) Search(ctx context.Context, q Search) (all []*anchor.Transaction, end string, err error) {
	w := where{}
	if q.Kind != "" {
		w.add(`kind = ?`, q.Kind)
	}
	if len(q.Statuses) > 0 {
		// Each once: statements are kept by their text.
		statuses := slices.Compact(slices.Sorted(slices.Values(q.Statuses)))
		args := make([]any, len(statuses))
		for i, st := range statuses {
			args[i] = st
		}
		w.add(`status IN (`+strings.TrimSuffix(strings.Repeat("?, ", len(args)), ", ")+`)`, args...)
	}
	if q.ToReview {
		w.add(`status IN ('incomplete', 'pending_anchor') AND funded_at = 0 AND (status = 'pending_anchor' OR reviewed = 0 AND EXISTS (SELECT 1 FROM customers
			WHERE customers.owner_account = transactions.owner_account AND customers.owner_memo = transactions.owner_memo
			AND customers.owner_muxed = transactions.owner_muxed AND review = 'pending'))`)
	}
	if text := strings.TrimSpace(q.Text); text != "" {
		// The columns have an index each, which a list of ORs would not use. An
		// id's beginning is a range.
		var found []string
		var args []any
		for _, column := range []string{"account", "owner_account", "owner_muxed", "stellar_id", "external_id", "reference", "memo"} {
			found = append(found, `SELECT id FROM transactions WHERE `+column+` = ? AND `+column+` <> ''`)
			args = append(args, text)
		}
		id := strings.ToLower(text)
		w.add(`id IN (`+strings.Join(found, ` UNION `)+` UNION SELECT id FROM transactions WHERE id >= ? AND id < ?)`,
			append(args, id, id+"~")...)
	}
	return transactionList.page(s.reader(ctx), w, q.Page)
}

// Expirable lists transactions of one kind whose money never came and whose
// deadline is before at, oldest first. account is where they were to be paid,
// "" for those that were told no account.
func (s *Store) Expirable(ctx context.Context, kind anchor.Kind, account string, at time.Time, limit int) ([]*anchor.Transaction, error) {
	return list(s.reader(ctx), scanTransaction, `SELECT `+transactionColumns+` FROM transactions
		WHERE deadline <> 0 AND deadline < $1 AND kind = $2 AND anchor_account = $3 AND funded_at = 0
		AND status IN ('incomplete', 'pending_user', 'pending_user_transfer_start', 'pending_external', 'pending_anchor')
		ORDER BY deadline LIMIT $4`, micros(at), kind, account, limit)
}

// where gathers conditions with ? in them and numbers them in order.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

// clause is " WHERE …", or "" where nothing is asked.
func (w *where) clause() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return ` WHERE ` + strings.Join(w.conditions, ` AND `)
}

func (w *where) transactions(src source, limit int) ([]*anchor.Transaction, error) {
	q := `SELECT ` + transactionColumns + ` FROM transactions` + w.clause() + ` ORDER BY id DESC`
	if limit > 0 {
		q += ` LIMIT ?`
		w.args = append(w.args, limit)
	}
	return list(src, scanTransaction, numbered(q), w.args...)
}

// numbered writes $1, $2, … for every ? of a query.
func numbered(query string) string {
	parts := strings.Split(query, "?")
	var b strings.Builder
	for i, part := range parts[:len(parts)-1] {
		b.WriteString(part + "$" + strconv.Itoa(i+1))
	}
	return b.String() + parts[len(parts)-1]
}

// TimelineEntry is one step of a transaction and who took it.
type TimelineEntry struct {
	anchor.Step
	Actor Actor
}

// Timeline lists a transaction's steps, oldest first. The first is its start,
// event "started". What staff did besides is in Audit.
func (s *Store) Timeline(ctx context.Context, id string) ([]TimelineEntry, error) {
	each, err := s.TimelineOfEach(ctx, []string{id})
	return each[id], err
}

// TimelineOfEach lists the steps of many transactions at once, each one's oldest
// first.
func (s *Store) TimelineOfEach(ctx context.Context, transactions []string) (map[string][]TimelineEntry, error) {
	all, err := list(s.reader(ctx), scanAudit, `SELECT `+auditColumns+` FROM audit
		WHERE transaction_id IN (`+placeholders(len(transactions))+`) AND to_status <> '' ORDER BY id`, values(transactions)...)
	each := map[string][]TimelineEntry{}
	for _, e := range all {
		step := anchor.Step{Event: anchor.Event(e.Event), From: e.From, To: e.To, At: e.At}
		each[e.Transaction] = append(each[e.Transaction], TimelineEntry{step, e.Actor})
	}
	return each, err
}

// Details are what was entered for one transaction: personal data.
type Details struct {
	// Prefill is what the wallet sent along, by SEP-9 names.
	Prefill map[string]string
	// Answers are those the method asked for.
	Answers map[string]string
	// Saved is the earlier transaction that the account in Answers was taken from; ""
	// if it was entered for this one.
	Saved string `json:",omitempty"`
	// Unsaved says that the account in Answers is offered no more.
	Unsaved bool `json:",omitempty"`
	// Words are a reviewer's to the customer.
	Words string `json:",omitempty"`
}

func detailsOf(src source, transactions ...string) (map[string]Details, error) {
	each := map[string]Details{}
	_, err := list(src, func(r scanner, k *Keys) (d Details, err error) {
		var id string
		var box []byte
		if err := r.Scan(&id, &box); err != nil {
			return d, err
		}
		err = k.open("details:"+id, box, &d)
		each[id] = d
		return d, err
	}, `SELECT transaction_id, data_box FROM details WHERE transaction_id IN (`+placeholders(len(transactions))+`)`, values(transactions)...)
	return each, err
}

// Details loads what was entered for a transaction; nothing is the zero value.
func (t *Tx) Details(id string) (Details, error) {
	each, err := detailsOf(t, id)
	return each[id], err
}

// Details reads what was entered for a transaction; nothing is the zero value.
func (s *Store) Details(ctx context.Context, id string) (Details, error) {
	each, err := detailsOf(s.reader(ctx), id)
	return each[id], err
}

// DetailsOfEach reads what was entered for many transactions at once.
func (s *Store) DetailsOfEach(ctx context.Context, transactions []string) (map[string]Details, error) {
	return detailsOf(s.reader(ctx), transactions...)
}

// SetDetails replaces what was entered for a transaction.
func (t *Tx) SetDetails(id string, d Details) error {
	box, err := t.box().seal("details:"+id, d)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO details (transaction_id, data_box) VALUES ($1, $2)
		ON CONFLICT (transaction_id) DO UPDATE SET data_box = excluded.data_box`, id, box)
	return err
}
