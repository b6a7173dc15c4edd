package rail

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	// The SQLite driver registers itself.
	_ "github.com/mattn/go-sqlite3"

	"windlass/server/anchor"
	"windlass/server/store"
)

// SimulatedConfig describes the anchor's account at the simulated bank.
type SimulatedConfig struct {
	Holder, Number, Bank string
	// Page is the address of the bank's own page, for codes that pay; "" is none.
	Page string
	// Currencies are those the account holds, such as "iso4217:USD"; the first
	// is the one that is meant when none is named. All have two decimals.
	Currencies []anchor.Asset
	// Delay is how long the bank takes over an order: default a second.
	// Negative: until Settle is called.
	Delay time.Duration
	// Keep is how long cash lies at the desk until it goes back: default three days.
	Keep time.Duration
}

// Account numbers at which the simulated bank misbehaves, so that it can be
// seen what happens then.
const (
	ClosedAccount    = "00000000" // refused at once
	ReturningAccount = "99999999" // accepted, and sent back instead of settled
	RecallingAccount = "88888888" // settled, and then taken back by the payee's bank
)

// Simulated is a bank for test networks. It keeps its own file, apart from the
// books, because a bank is somewhere else: the two can disagree, and either can
// die alone. What it has answered survives that.
//
// A credit is there at once; an order settles after a while. It knows no
// overdraft: an order is paid whatever the balance. One that comes after its time
// leaves no trace, so that the same order can be sent once more.
type Simulated struct {
	SimulatedConfig

	db      *sql.DB
	name    string // of this file: a cursor belongs to one bank
	changed chan struct{}
	// mu makes value times and positions rise together, which is what
	// Statement.ReadUntil promises, and has no order taken after a look that missed it
	// at a later time than the order may be taken: what Transfer.At promises.
	mu sync.Mutex
	// misses are the last tries at the desk with codes that never were any. mu guards it.
	misses []time.Time
}

const bankSchema = `
CREATE TABLE IF NOT EXISTS bank (one integer PRIMARY KEY CHECK (one = 1), name text NOT NULL);
CREATE TABLE IF NOT EXISTS transfers (
	seq        integer PRIMARY KEY AUTOINCREMENT,
	id         text    NOT NULL UNIQUE,
	direction  text    NOT NULL, -- in, out, back: what brings an order's money back
	key        text    NOT NULL, -- the sender's idempotency key, else the id; of back: the order's
	fate       text    NOT NULL, -- pending, settled, recalled, refused, returned: the one it has when settles_at is past
	currency   text    NOT NULL,
	amount     integer NOT NULL, -- counts of 10^-7
	name       text    NOT NULL,
	account    text    NOT NULL,
	reference  text    NOT NULL,
	at         integer NOT NULL, -- microseconds
	settles_at integer NOT NULL, -- microseconds
	UNIQUE (direction, key)
);`

// pickupSchema is what files lack that were made before the bank handed cash out.
// Cash that lies ready has the fate of what nobody collects: it is returned at its
// settles_at, unless somebody comes before that.
const pickupSchema = `
ALTER TABLE transfers ADD COLUMN code text NOT NULL DEFAULT ''; -- of cash: what is shown at the desk
ALTER TABLE transfers ADD COLUMN lies_at integer NOT NULL DEFAULT 0; -- of cash: from when on it can be collected, microseconds
CREATE UNIQUE INDEX transfers_code ON transfers (code) WHERE code <> '';`

// never is when an order settles that waits to be told.
const never = 1 << 62

// OpenSimulated opens the bank's file, and makes it if it is missing.
func OpenSimulated(path string, c SimulatedConfig) (*Simulated, error) {
	if len(c.Currencies) == 0 {
		return nil, errors.New("rail: the simulated bank needs a currency")
	}
	if c.Delay == 0 {
		c.Delay = time.Second
	}
	if c.Keep == 0 {
		c.Keep = 72 * time.Hour
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // it names customers
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	q := url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_busy_timeout": {"10000"}}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	b := &Simulated{SimulatedConfig: c, db: db, changed: make(chan struct{}, 1)}
	if err := b.prepare(context.Background()); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return b, nil
}

func (b *Simulated) prepare(ctx context.Context) error {
	if _, err := b.db.ExecContext(ctx, bankSchema); err != nil {
		return err
	}
	var columns int
	if err := b.db.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info('transfers') WHERE name = 'code'`).Scan(&columns); err != nil {
		return err
	}
	if columns == 0 {
		if _, err := b.db.ExecContext(ctx, pickupSchema); err != nil {
			return err
		}
	}
	if _, err := b.db.ExecContext(ctx, `INSERT INTO bank (one, name) VALUES (1, $1) ON CONFLICT DO NOTHING`, rand.Text()[:8]); err != nil {
		return err
	}
	return b.db.QueryRowContext(ctx, `SELECT name FROM bank`).Scan(&b.name)
}

// Close closes the file.
func (b *Simulated) Close() error { return b.db.Close() }

// Changed gets a token when a credit arrives or an order settles.
func (b *Simulated) Changed() <-chan struct{} { return b.changed }

// Instructions say where the account is. The bank is a mobile money provider as well,
// under the same number, and takes cash at its desk.
func (b *Simulated) Instructions(_ anchor.Asset, method string) []Row {
	switch method {
	case "cash":
		return []Row{{"cash_desk", b.Bank}, {"account_holder", b.Holder}}
	case "mobile_money":
		return []Row{{"account_holder", b.Holder}, {"mobile_money_number", b.Number}, {"mobile_money_provider", b.Bank}}
	}
	return []Row{{"account_holder", b.Holder}, {"account_number", b.Number}, {"bank_name", b.Bank}}
}

// PaymentCode is the address of the bank's page with the transfer filled in.
func (b *Simulated) PaymentCode(asset anchor.Asset, _ string, amount anchor.Amount, reference string) string {
	if b.Page == "" {
		return ""
	}
	return b.Page + "?" + url.Values{"currency": {asset.Code}}.Encode() + "#" + url.Values{"amount": {amount.String()}, "reference": {reference}}.Encode()
}

// transfer is a row of the bank's file.
type transfer struct {
	seq               int64
	id, dir, key      string
	fate              TransferState
	asset             anchor.Asset
	amount            anchor.Amount
	name, account     string
	reference         string
	bookedAt, readyAt int64
	code              string
	liesAt            int64
}

const transferColumns = `seq, id, direction, key, fate, currency, amount, name, account, reference, at, settles_at, code, lies_at`

func scanTransfer(r interface{ Scan(dest ...any) error }) (transfer, error) {
	var t transfer
	var currency string
	err := r.Scan(&t.seq, &t.id, &t.dir, &t.key, &t.fate, &currency, &t.amount, &t.name, &t.account, &t.reference, &t.bookedAt, &t.readyAt, &t.code, &t.liesAt)
	t.asset = anchor.Asset{Scheme: anchor.ISO4217, Code: currency}
	return t, err
}

// recalled is the fate of a transfer that is settled, and then comes back.
const recalled = "recalled"

// state is where the transfer is now.
func (t transfer) state(now time.Time) TransferState {
	if t.fate != Refused && t.readyAt > now.UnixMicro() {
		if t.code != "" && t.liesAt <= now.UnixMicro() {
			return Ready
		}
		return Pending
	}
	if t.fate == recalled {
		return Settled
	}
	return t.fate
}

func (t transfer) at() time.Time { return time.UnixMicro(t.bookedAt).UTC() }

// same reports whether two transfers under one key are one.
func (t transfer) same(o transfer) bool {
	return t.asset == o.asset && t.amount == o.amount && t.account == o.account
}

func (b *Simulated) query(ctx context.Context, where string, args ...any) ([]transfer, error) {
	return query(ctx, b.db, where, args...)
}

// querier is the bank's file, or one transaction on it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query reads transfers; where is always one of our own literals.
func query(ctx context.Context, db querier, where string, args ...any) ([]transfer, error) {
	rows, err := db.QueryContext(ctx, `SELECT `+transferColumns+` FROM transfers WHERE `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("simulated bank: %w", err)
	}
	defer rows.Close()
	var all []transfer
	for rows.Next() {
		t, err := scanTransfer(rows)
		if err != nil {
			return nil, fmt.Errorf("simulated bank: %w", err)
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// add books a transfer, or finds the one with its key. After add has returned
// it survives whatever happens.
func (b *Simulated) add(ctx context.Context, t transfer, settle time.Duration) (transfer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.insert(ctx, t, settle)
}

// insert is add, with mu held.
func (b *Simulated) insert(ctx context.Context, t transfer, settle time.Duration) (transfer, error) {
	now := time.Now()
	t.id, t.bookedAt, t.readyAt = rand.Text()[:16], now.UnixMicro(), now.Add(settle).UnixMicro()
	if settle < 0 {
		t.readyAt = never
	}
	if t.key == "" {
		t.key = t.id
	}
	if t.code != "" {
		if t.liesAt = t.readyAt; t.liesAt != never {
			t.readyAt += b.Keep.Microseconds()
		}
	}
	_, err := b.db.ExecContext(ctx, `INSERT INTO transfers (id, direction, key, fate, currency, amount, name, account, reference, at, settles_at, code, lies_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (direction, key) DO NOTHING`,
		t.id, t.dir, t.key, t.fate, t.asset.Code, t.amount, t.name, t.account, t.reference, t.bookedAt, t.readyAt, t.code, t.liesAt)
	if err != nil {
		return t, fmt.Errorf("simulated bank: %w", err)
	}
	all, err := b.query(ctx, `direction = $1 AND key = $2`, t.dir, t.key)
	if err != nil {
		return t, err
	}
	if len(all) != 1 || !all[0].same(t) {
		return t, &anchor.Error{Kind: anchor.Conflict, Message: "this key was used for another transfer"}
	}
	nudge(b.changed)
	if settle > 0 && all[0].id == t.id {
		time.AfterFunc(settle, func() { nudge(b.changed) })
	}
	return all[0], nil
}

// Credits reads what came in. A cursor of another bank's file is an error: its
// positions mean nothing here, and reading on could skip money.
func (b *Simulated) Credits(ctx context.Context, after string) (Statement, error) {
	bank, position, _ := strings.Cut(after, ":")
	seq, err := strconv.ParseInt("0"+position, 10, 64)
	if err != nil || after != "" && bank != b.name {
		return Statement{}, &anchor.Error{Kind: anchor.Unavailable, Message: "the cursor " + after + " belongs to another bank's statement than " + b.name}
	}
	b.mu.Lock()
	err = b.recallDue(ctx)
	until := time.Now()
	b.mu.Unlock()
	if err != nil {
		return Statement{}, err
	}
	all, err := b.query(ctx, `direction <> 'out' AND seq > $1 ORDER BY seq LIMIT 200`, seq)
	if err != nil {
		return Statement{}, err
	}
	st := Statement{Cursor: after, ReadUntil: until}
	for _, t := range all {
		c := Credit{
			ID: t.id, At: t.at(), Asset: t.asset, Amount: t.amount, Reference: t.reference, PayerName: t.name, PayerAccount: t.account,
		}
		if t.dir == "back" {
			c.Order = t.key
		}
		st.Credits = append(st.Credits, c)
		st.Cursor = b.name + ":" + strconv.FormatInt(t.seq, 10)
		st.ReadUntil = t.at() // more may follow; the last, empty part says until now
	}
	return st, nil
}

// booked are the transfers that are in the balance: what came in, and what was
// paid out for good. $1 is now.
const booked = `(direction <> 'out' OR fate IN ('settled', 'recalled') AND settles_at <= $1)`

// Account reads the balances and the lines.
func (b *Simulated) Account(ctx context.Context, since time.Time) (_ Account, err error) {
	tx, err := b.db.BeginTx(ctx, nil) // so that both are of one moment
	if err != nil {
		return Account{}, fmt.Errorf("simulated bank: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	now, from := time.Now().UnixMicro(), int64(0)
	if !since.IsZero() {
		from = since.UnixMicro()
	}
	a := Account{Balances: map[anchor.Asset]anchor.Amount{}}
	rows, err := tx.QueryContext(ctx, `SELECT currency, SUM(CASE direction WHEN 'out' THEN -amount ELSE amount END) FROM transfers WHERE `+booked+` GROUP BY currency`, now)
	if err != nil {
		return Account{}, fmt.Errorf("simulated bank: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		asset := anchor.Asset{Scheme: anchor.ISO4217}
		var balance anchor.Amount
		if err := rows.Scan(&asset.Code, &balance); err != nil {
			return Account{}, fmt.Errorf("simulated bank: %w", err)
		}
		a.Balances[asset] = balance
	}
	if err := rows.Err(); err != nil {
		return Account{}, fmt.Errorf("simulated bank: %w", err)
	}
	all, err := query(ctx, tx, booked+` AND settles_at >= $2 ORDER BY settles_at, seq`, now, from)
	for _, t := range all {
		l := Line{ID: t.id, At: time.UnixMicro(t.readyAt).UTC(), Asset: t.asset, Amount: t.amount}
		switch t.dir {
		case "out":
			l.Order, l.Amount = t.key, -t.amount
		case "back":
			l.Order = t.key
		}
		a.Lines = append(a.Lines, l)
	}
	if err != nil {
		return Account{}, err
	}
	open, err := query(ctx, tx, `direction = 'out' AND fate <> 'refused' AND settles_at > $1 ORDER BY seq`, now)
	for _, t := range open {
		a.Open = append(a.Open, Line{ID: t.id, Order: t.key, At: t.at(), Asset: t.asset, Amount: -t.amount})
	}
	return a, err
}

// Pay takes an order.
func (b *Simulated) Pay(ctx context.Context, o Order) (Transfer, error) {
	t := transfer{
		dir: "out", key: o.ID, fate: Settled, asset: o.Asset, amount: o.Amount, reference: o.Reference,
		name:    strings.TrimSpace(o.To["first_name"] + " " + o.To["last_name"]),
		account: anchor.PayeeAccount(o.To),
	}
	if t.name == "" {
		t.name = o.To[store.PayerName]
	}
	settle := b.Delay
	switch strings.NewReplacer(" ", "", "-", "").Replace(t.account) {
	case ClosedAccount:
		t.fate, settle = Refused, 0
	case ReturningAccount:
		t.fate = Returned
	case RecallingAccount:
		t.fate = recalled
		if settle >= 0 {
			time.AfterFunc(settle+b.recallAfter(), func() { nudge(b.changed) })
		}
	}
	if o.Method == anchor.Cash && t.fate != Refused {
		code, err := newCode()
		if err != nil {
			return Transfer{}, err
		}
		t.code, t.fate = code, Returned
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().After(o.Until) {
		return b.find(ctx, o.ID)
	}
	t, err := b.insert(ctx, t, settle)
	if err != nil {
		return Transfer{}, err
	}
	return b.outcome(t), nil
}

// Lookup finds an order's transfer.
func (b *Simulated) Lookup(ctx context.Context, id string) (Transfer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.find(ctx, id)
}

// find is Lookup, with mu held.
func (b *Simulated) find(ctx context.Context, id string) (Transfer, error) {
	all, err := b.query(ctx, `direction = 'out' AND key = $1`, id)
	switch {
	case err != nil:
		return Transfer{}, err
	case len(all) == 0:
		return Transfer{State: Missing, At: time.Now()}, nil
	}
	return b.outcome(all[0]), nil
}

func (b *Simulated) outcome(t transfer) Transfer {
	out := Transfer{ID: t.id, State: t.state(time.Now())}
	switch out.State {
	case Ready:
		out.Pickup = &anchor.Pickup{Code: t.code, Place: strings.TrimSpace(b.Bank + "\n" + b.Page), Until: time.UnixMicro(t.readyAt).UTC()}
	case Settled:
		out.At = time.UnixMicro(t.readyAt).UTC()
	case Returned:
		out.Reason = "returned_by_bank"
		if t.code != "" {
			out.Reason = "not_collected"
		}
	case Refused:
		out.ID, out.Reason = "", "account_closed"
	case Pending, Missing:
	}
	return out
}

// recallAfter is how long after it was settled a transfer is recalled.
func (b *Simulated) recallAfter() time.Duration { return max(2*b.Delay, 0) }

// recallDue recalls what RecallingAccount was paid. The caller holds mu.
func (b *Simulated) recallDue(ctx context.Context) error {
	due, err := b.query(ctx, `direction = 'out' AND fate = 'recalled' AND settles_at <= $1
		AND NOT EXISTS (SELECT 1 FROM transfers AS back WHERE back.direction = 'back' AND back.key = transfers.key) ORDER BY seq`,
		time.Now().Add(-b.recallAfter()).UnixMicro())
	for _, t := range due {
		if _, err := b.insert(ctx, t.back(), 0); err != nil {
			return err
		}
	}
	return err
}

// back is the transfer that brings the money of another back.
func (t transfer) back() transfer {
	t.dir, t.fate, t.code = "back", Settled, ""
	return t
}

// Recall takes a settled transfer back, by the bank's own id, as the payee's bank
// may do for days: once, in a line of the statement of its own. Cash that lies ready
// goes back as if its time were over.
func (b *Simulated) Recall(ctx context.Context, id string) error {
	_, err := b.recall(ctx, id)
	return err
}

func (b *Simulated) recall(ctx context.Context, id string) (transfer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, err := b.query(ctx, `direction = 'out' AND id = $1`, id)
	switch {
	case err != nil:
		return transfer{}, err
	case len(all) == 0:
		return transfer{}, invalid("id", "no transfer that left has this id")
	case all[0].state(time.Now()) == Ready:
		t := all[0]
		t.readyAt = time.Now().UnixMicro()
		if _, err := b.db.ExecContext(ctx, `UPDATE transfers SET settles_at = $1 WHERE seq = $2`, t.readyAt, t.seq); err != nil {
			return transfer{}, fmt.Errorf("simulated bank: %w", err)
		}
		nudge(b.changed)
		return t, nil
	case all[0].state(time.Now()) != Settled:
		return transfer{}, &anchor.Error{Kind: anchor.Conflict, Message: "only a settled transfer can be recalled"}
	case all[0].code != "":
		return transfer{}, &anchor.Error{Kind: anchor.Conflict, Message: "cash that was handed out cannot be recalled"}
	}
	return b.insert(ctx, all[0].back(), 0)
}

// Settle settles every order that waits for it. Cash then lies ready.
func (b *Simulated) Settle(ctx context.Context) error {
	now := time.Now().UnixMicro()
	_, err := b.db.ExecContext(ctx, `UPDATE transfers SET settles_at = $1 WHERE settles_at > $1 AND code = ''`, now)
	if err == nil {
		_, err = b.db.ExecContext(ctx, `UPDATE transfers SET lies_at = $1, settles_at = $2 WHERE lies_at > $1`, now, now+b.Keep.Microseconds())
	}
	nudge(b.changed)
	return err
}
