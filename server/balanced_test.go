package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/rail"
	"windlass/server/reconcile"
	"windlass/server/store"
)

// balanced is the invariant at the end of every story about money: it holds the
// books against the ledger and the bank, and fails with all that it finds.
//
// It reads the tables themselves, by their columns, and the ledger's operations
// as Horizon writes them, so that it shares no mistake with the rooms it
// examines. What is only on its way is no finding: see verdict.Open.
//
// That messages of the outbox wait, or were given up on, is no finding either: a
// wallet may be down. Whether one was told is seen at the wallet: see
// verdict.Messages.
func balanced(t testing.TB, b *balance) *verdict {
	t.Helper()
	v, err := b.look(t.Context())
	if err != nil {
		t.Fatalf("the balance cannot be looked at: %v", err)
	}
	const shown = 40
	for i, f := range v.Findings {
		if i == shown {
			t.Errorf("and %d more", len(v.Findings)-shown)
			break
		}
		t.Errorf("%s: %s", f.Kind, f.Text)
	}
	return v
}

// A balance is where an anchor's books are, the ledger and the bank. One value
// can look often: it reads the ledger's history on from where it was.
type balance struct {
	Config *Config
	// Earlier are other configurations that it has had, with other prices.
	Earlier []*Config
	// Horizon is a clean one's address; HTTP is how it is asked, nil for the usual.
	Horizon string
	HTTP    *http.Client
	// Bank is the bank's side of the rail; nil opens the configured one.
	Bank rail.Rail

	history history
}

// A verdict is what became of everybody's money.
type verdict struct {
	Findings []finding
	// Deposits and Withdrawals are completed, Refunds have arrived.
	Deposits, Withdrawals, Refunds int
	// Undone counts the refunds that were taken back before they left.
	Undone int
	// Helped counts what customers were helped with, by purpose or operation.
	Helped map[string]int
	// Approved counts what a second person has let go.
	Approved int
	// Open counts intents and orders that still wait for something to happen by
	// itself, Parked those that wait for a person.
	Open, Parked int
	// Reviewed counts what a person has said of customers, by the mutation.
	Reviewed map[string]int
	// Mails are the e-mails that were sent, by their own ids.
	Mails []string
	// Undelivered counts the messages of the outbox that wait, Messages all there
	// are of each transaction and kind.
	Undelivered int
	Messages    map[message]int
	// Returned is what went back to each account that had paid and was not known.
	Returned map[string]anchor.Amount
}

// A message is what a wallet is told: of which transaction, and which kind.
type message struct{ transaction, kind string }

// A finding is something that must not be.
type finding struct {
	Kind findingKind
	Text string
}

type findingKind string

const (
	lost       findingKind = "lost"       // money that nobody will move any more, or that no row tells of
	doubled    findingKind = "doubled"    // paid twice, or without a cause
	unbalanced findingKind = "unbalanced" // sums, amounts or states that contradict each other
)

// count is how many findings are of a kind.
func (v *verdict) count(k findingKind) (n int) {
	for _, f := range v.Findings {
		if f.Kind == k {
			n++
		}
	}
	return n
}

// look examines everything once. An error says that it could not.
func (b *balance) look(ctx context.Context) (_ *verdict, err error) {
	db, err := sql.Open("sqlite3", (&url.URL{
		Scheme: "file", Opaque: (&url.URL{Path: b.Config.Database.Path}).EscapedPath(),
		RawQuery: "mode=rw&_query_only=true&_busy_timeout=10000",
	}).String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	l := &look{balance: b, verdict: &verdict{Messages: map[message]int{}, Returned: map[string]anchor.Amount{}, Helped: map[string]int{}, Reviewed: map[string]int{}}, db: db, taken: time.Now()}
	if err := l.readBooks(ctx, db); err != nil {
		return nil, fmt.Errorf("read the books: %w", err)
	}
	if err := b.history.read(ctx, b); err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	if l.bank = b.Bank; l.bank == nil {
		bank, err := openBank(b.Config)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, bank.Close()) }()
		l.bank = bank
	}
	for _, examine := range []func(context.Context) error{l.reconciled, l.moneyOut, l.moneyIn, l.bankOut, l.bankIn, l.ownerless, l.transactions, l.inFlight, l.help, l.claimables, l.limits} {
		if err := examine(ctx); err != nil {
			return nil, err
		}
	}
	return l.verdict, nil
}

// look is one examination: what the books said in one moment.
type look struct {
	*balance
	*verdict
	db    *sql.DB
	taken time.Time
	bank  rail.Rail

	txs, payouts, envelopes, payments, bankLines, orders, outgoing []row

	payout, envelope, tx map[string]row      // by id
	carried              map[string][]string // intents, by envelope
	cursors              map[string]row      // by name
	trail, outbox        map[string][]row    // by transaction
	sums                 map[sumOf]int64     // of the journal
	paidFor              map[string][]row    // intents and orders, by what they are for
	replaced             map[string]bool     // refused orders that another took the place of
	credited             map[string]int64    // what came in, by transaction
	customers            map[string]row      // by owner
	verdicts             map[string][]row    // of persons about customers, by owner
	correcting           map[string]bool     // owners who have been asked for a correction
	documents            map[string]bool     // by customer and question
	approvals            map[string]string   // who has let an intent or order go, by "payout:" or "order:" and its id
}

// sumOf is a journal account in one asset, of one transaction.
type sumOf struct{ transaction, account, asset string }

func (l *look) find(k findingKind, format string, args ...any) {
	l.Findings = append(l.Findings, finding{k, fmt.Sprintf(format, args...)})
}

// A row is a row of the books by column. What it does not have is empty.
type row map[string]any

func (r row) text(column string) string {
	s, _ := r[column].(string)
	return s
}

func (r row) num(column string) int64 {
	n, _ := r[column].(int64)
	return n
}

// stops says that nothing more becomes of an intent or order, and that nothing
// was paid.
func (r row) stops() bool { return r.is("state", "cancelled", "refused") }

func (r row) is(column string, values ...string) bool { return slices.Contains(values, r.text(column)) }

// readBooks reads it all in one transaction.
func (l *look) readBooks(ctx context.Context, db *sql.DB) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	read := func(query string) (all []row) {
		if err == nil {
			all, err = rowsOf(ctx, tx, query)
		}
		return all
	}
	l.txs = read(`SELECT * FROM transactions ORDER BY id`)
	l.payouts = read(`SELECT * FROM payouts ORDER BY id`)
	l.envelopes = read(`SELECT * FROM envelopes ORDER BY id`)
	l.payments = read(`SELECT * FROM payments ORDER BY seq`)
	l.bankLines = read(`SELECT * FROM bank_lines ORDER BY at, id`)
	l.orders = read(`SELECT * FROM bank_payouts ORDER BY id`)
	l.outgoing = read(`SELECT * FROM outgoing ORDER BY seq`)
	l.tx, l.payout, l.envelope = by(l.txs, "id"), by(l.payouts, "id"), by(l.envelopes, "id")
	l.trail = groupBy(read(`SELECT * FROM audit WHERE to_status <> '' ORDER BY id`), "transaction_id")
	l.outbox = groupBy(read(`SELECT * FROM outbox ORDER BY id`), "transaction_id")
	l.cursors = by(read(`SELECT * FROM cursors`), "name")
	l.approvals = map[string]string{}
	for _, r := range read(`SELECT subject, actor FROM audit WHERE event IN ('approvePayout', 'approveBankPayout')`) {
		l.approvals[r.text("subject")] = r.text("actor")
	}
	l.readCustomers(read)
	l.carried = map[string][]string{}
	for _, r := range read(`SELECT * FROM envelope_payouts ORDER BY envelope_id, ordinal`) {
		l.carried[r.text("envelope_id")] = append(l.carried[r.text("envelope_id")], r.text("payout_id"))
	}
	l.sums = map[sumOf]int64{}
	for _, r := range read(`SELECT transaction_id, account, asset, SUM(amount) AS amount FROM journal JOIN postings ON entry_id = journal.id GROUP BY transaction_id, account, asset`) {
		l.sums[sumOf{r.text("transaction_id"), r.text("account"), r.text("asset")}] = r.num("amount")
	}
	for _, r := range read(`SELECT entry_id, asset, SUM(amount) AS amount FROM postings GROUP BY entry_id, asset HAVING SUM(amount) <> 0`) {
		l.find(unbalanced, "journal entry %d sums to %d %s", r.num("entry_id"), r.num("amount"), r.text("asset"))
	}
	l.paidFor, l.credited, l.replaced = map[string][]row{}, map[string]int64{}, map[string]bool{}
	for _, o := range l.orders {
		l.replaced[o.text("retries")] = true
	}
	for _, r := range slices.Concat(l.payouts, l.orders) {
		l.paidFor[r.text("cause_id")] = append(l.paidFor[r.text("cause_id")], r)
		switch {
		case r.is("state", "queued", "in_envelope", "waiting", "asked"):
			l.Open++
		case r.is("state", "parked", "in_doubt", "approval"):
			l.Parked++
		case r.is("state", "paid") && r.is("purpose", "refund"):
			l.Refunds++
		case r.is("state", "cancelled") && r.is("purpose", "refund"):
			l.Undone++
		}
	}
	for _, r := range slices.Concat(l.payments, l.bankLines) {
		if id := r.text("transaction_id"); id != "" && r.is("state", "matched") {
			l.credited[id] += r.num("amount")
		}
	}
	return err
}

func by(rows []row, column string) map[string]row {
	all := map[string]row{}
	for _, r := range rows {
		all[r.text(column)] = r
	}
	return all
}

func groupBy(rows []row, column string) map[string][]row {
	all := map[string][]row{}
	for _, r := range rows {
		all[r.text(column)] = append(all[r.text(column)], r)
	}
	return all
}

func rowsOf(ctx context.Context, tx *sql.Tx, query string) (all []row, err error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		cells := make([]any, len(columns))
		to := make([]any, len(columns))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		r := row{}
		for i, c := range columns {
			r[c] = cells[i]
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// reconciled compares the sums: the journal with our accounts, with what exists
// of our assets, and with the bank, to the stroop.
func (l *look) reconciled(ctx context.Context) (err error) {
	books, err := store.OpenReader(ctx, l.Config.Database.Path, l.Config.keys.Encryption)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close()) }()
	ledger := horizon.New(horizon.Config{URLs: []string{l.Horizon}, Passphrase: l.Config.Network.Passphrase, HTTP: l.HTTP})
	defer ledger.Close()
	report, err := reconcile.Run(ctx, reconcile.Config{
		Accounts: followed(l.Config), Own: append(l.Config.keys.channels(), l.Config.Accounts...), Assets: issued(l.Config), Currencies: currencies(l.Config.terms),
		Store: books, Ledger: ledger, Rail: l.bank,
	})
	if err != nil || report.Agrees {
		return err
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		return err
	}
	l.find(unbalanced, "the journal differs:\n%s", &text)
	return nil
}
