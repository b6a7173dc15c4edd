package graph_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/store"
)

// The mutations of staff, by their names, and what they are told of.
var mutations = map[string]string{
	"hold":    `mutation($transaction: ID!, $key: ID!, $note: String) { hold(transaction: $transaction, key: $key, note: $note) { ...t } }`,
	"release": `mutation($transaction: ID!, $key: ID!, $note: String) { release(transaction: $transaction, key: $key, note: $note) { ...t } }`,
	"retry":   `mutation($transaction: ID!, $key: ID!, $note: String) { retry(transaction: $transaction, key: $key, note: $note) { ...t } }`,
	"expire":  `mutation($transaction: ID!, $key: ID!, $note: String) { expire(transaction: $transaction, key: $key, note: $note) { ...t } }`,
	"acceptCustomer": `mutation($transaction: ID!, $answersVersion: ID!, $key: ID!, $note: String) {
		acceptCustomer(transaction: $transaction, answersVersion: $answersVersion, key: $key, note: $note) { ...t } }`,
	"askCorrection": `mutation($transaction: ID!, $message: String = "Your name, please", $key: ID!, $note: String) {
		askCorrection(transaction: $transaction, message: $message, key: $key, note: $note) { ...t } }`,
	"rejectCustomer": `mutation($transaction: ID!, $message: String, $key: ID!, $note: String) {
		rejectCustomer(transaction: $transaction, message: $message, key: $key, note: $note) { ...t } }`,
	"refundTransaction": `mutation($transaction: ID!, $amount: Amount, $fee: Amount, $key: ID!, $note: String) {
		refundTransaction(transaction: $transaction, amount: $amount, fee: $fee, key: $key, note: $note) { ...t } }`,
	"assignPayment": `mutation($payment: ID!, $transaction: ID!, $key: ID!, $note: String) {
		assignPayment(payment: $payment, transaction: $transaction, key: $key, note: $note) { ...t } }`,
	"assignBankLine": `mutation($line: ID!, $transaction: ID!, $key: ID!, $note: String) {
		assignBankLine(line: $line, transaction: $transaction, key: $key, note: $note) { ...t } }`,
	"refundPayment": `mutation($payment: ID!, $fee: Amount, $key: ID!, $note: String) {
		refundPayment(payment: $payment, fee: $fee, key: $key, note: $note) {
			id state reason actions transaction refund { purpose amount fee state destination requestedBy payment transaction } } }`,
	"refundBankLine": `mutation($line: ID!, $fee: Amount, $key: ID!, $note: String) {
		refundBankLine(line: $line, fee: $fee, key: $key, note: $note) {
			id state reason actions payerName refund { purpose amount fee state to { name value } requestedBy line transaction } } }`,
	"dismissBankLine": `mutation($line: ID!, $key: ID!, $note: String! = "A test of the bank's") {
		dismissBankLine(line: $line, key: $key, note: $note) { id state reason actions } }`,
	"confirmBankFunds": `mutation($transaction: ID!, $bankId: ID!, $amount: Amount!, $at: Time!, $payerName: String, $payerAccount: String, $key: ID!, $note: String) {
		confirmBankFunds(transaction: $transaction, bankId: $bankId, amount: $amount, at: $at, payerName: $payerName, payerAccount: $payerAccount, key: $key, note: $note) {
			id state reason transaction confirmedBy payerName amount } }`,
	"markBankPayoutSettled": `mutation($order: ID!, $bankId: ID, $at: Time, $key: ID!, $note: String) {
		markBankPayoutSettled(order: $order, bankId: $bankId, at: $at, key: $key, note: $note) { ...o } }`,
	"markBankPayoutReturned": `mutation($order: ID!, $line: ID, $reason: String! = "returned", $key: ID!, $note: String) {
		markBankPayoutReturned(order: $order, line: $line, reason: $reason, key: $key, note: $note) { ...o } }`,
	"retryBankPayout": `mutation($order: ID!, $to: [Answer!], $key: ID!, $note: String) {
		retryBankPayout(order: $order, to: $to, key: $key, note: $note) { ...o } }`,
	"retryPayout":       `mutation($payout: ID!, $key: ID!, $note: String) { retryPayout(payout: $payout, key: $key, note: $note) { id state reason attempts actions } }`,
	"approvePayout":     `mutation($payout: ID!, $key: ID!, $note: String) { approvePayout(payout: $payout, key: $key, note: $note) { id state reason actions } }`,
	"approveBankPayout": `mutation($order: ID!, $key: ID!, $note: String) { approveBankPayout(order: $order, key: $key, note: $note) { ...o } }`,
	"cancelPayout":      `mutation($payout: ID!, $key: ID!, $note: String) { cancelPayout(payout: $payout, key: $key, note: $note) { id state reason actions } }`,
	"cancelBankPayout":  `mutation($order: ID!, $key: ID!, $note: String) { cancelBankPayout(order: $order, key: $key, note: $note) { ...o } }`,
	"retryCallback":     `mutation($callback: ID!, $key: ID!, $note: String) { retryCallback(callback: $callback, key: $key, note: $note) { id state attempts nextAt endedAt actions } }`,
	"pausePayouts":      `mutation($key: ID!, $note: String) { pausePayouts(key: $key, note: $note) { key actor reason since } }`,
	"resumePayouts":     `mutation($pause: ID! = "staff", $key: ID!, $note: String) { resumePayouts(pause: $pause, key: $key, note: $note) { key } }`,
	"forgetSignIn":      `mutation($account: ID!, $key: ID!, $note: String) { forgetSignIn(account: $account, key: $key, note: $note) { account shared firstAt } }`,
	"explainOutgoing": `mutation($operation: ID!, $as: Explanation!, $payout: ID, $key: ID!, $note: String) {
		explainOutgoing(operation: $operation, as: $as, payout: $payout, key: $key, note: $note) { id explained payout explainedBy explainedAt actions } }`,
}

const staffView = `fragment t on Transaction { id status amountRefunded refundFee staff { actions amountRefunded refundFee refundable refunds { id amount fee }
	payouts { purpose amount state requestedBy } bankPayouts { purpose amount state to { name value } } payments { id state } bankLines { id state }
	audit { actor event subject from to note transaction } } }`

const orderView = `fragment o on BankPayout { id state reason bankId retries amount requestedBy to { name value } actions transaction line }`

// whole is a mutation with the fragments that it uses.
func whole(query string) string {
	if strings.Contains(query, "...t") {
		query += staffView
	}
	if strings.Contains(query, "...o") {
		query += orderView
	}
	return query
}

var nextKey = func() func() string {
	var mu sync.Mutex
	n := 0
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		n++
		return fmt.Sprintf("key-%d", n)
	}
}()

// press is one of staff's mutations, under a key of its own if none is given.
func (c caller) press(name string, variables map[string]any) (object, []problem) {
	c.w.t.Helper()
	v := map[string]any{"key": nextKey()}
	maps.Copy(v, variables)
	if name == "acceptCustomer" && v["answersVersion"] == nil { // they look first
		v["answersVersion"] = c.w.version(v["transaction"])
	}
	return c.ask(whole(mutations[name]), v)
}

// version is that of the answers that staff see, "none" if there are none.
func (w *world) version(transaction any) string {
	w.t.Helper()
	got, _ := w.staff().ask(`query($id: ID!) { transaction(id: $id) { staff { answersVersion } } }`, map[string]any{"id": transaction})
	return cmp.Or(got.str("transaction.staff.answersVersion"), "none")
}

// update changes the books, as somebody else.
func (w *world) update(actor store.Actor, fn func(*store.Tx) error) {
	w.t.Helper()
	must(w.t, w.books.Update(w.t.Context(), actor, fn))
}

// change changes a transaction, as somebody else.
func (w *world) change(id string, fn func(*anchor.Transaction, time.Time) error) {
	w.t.Helper()
	w.update(store.Operator, func(tx *store.Tx) error {
		t, err := tx.Transaction(id)
		if err != nil {
			return err
		}
		if err := fn(t, time.Now()); err != nil {
			return err
		}
		return tx.SaveTransaction(t)
	})
}

// agreed is a transaction whose customer may pay.
func (w *world) agreed(kind anchor.Kind) *anchor.Transaction {
	w.t.Helper()
	tr := w.open(kind)
	method := answers()
	if kind == anchor.Withdrawal {
		method = answers("bank_account_number", "0123456789")
	}
	w.walk(w.customer(tr), []takes{
		{name: "answers", query: answer, variables: map[string]any{"answers": ana}},
		{name: "amount", query: setAmount, variables: map[string]any{"amountIn": "100"}},
		{name: "method", query: choose, variables: map[string]any{"method": "bank_transfer", "answers": method}},
		{name: "agree", query: agree, variables: map[string]any{"amountOut": "98.5"}},
	})
	return w.read(tr.ID)
}

var operations = func() func() string {
	var mu sync.Mutex
	n := 4294967297
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		n += 4096
		return fmt.Sprint(n)
	}
}()

// came is money that came: a payment for a withdrawal, a line for a deposit.
func (w *world) came(tr *anchor.Transaction, amount anchor.Amount) {
	w.t.Helper()
	w.update(store.Ledger, func(tx *store.Tx) error {
		a, err := tx.Transaction(tr.ID)
		if err != nil {
			return err
		}
		ref, now := operations(), time.Now()
		if _, err := tx.Receive(a, w.terms, amount, ref, now, now); err != nil {
			return err
		}
		if tr.Kind == anchor.Deposit {
			return tx.CreateBankLine(&anchor.BankLine{ID: ref, At: now, Asset: usd, Amount: amount, Reference: a.Reference,
				PayerName: "Ana Díaz", PayerAccount: "777", State: anchor.Matched, Transaction: a.ID})
		}
		return tx.CreatePayment(&anchor.Payment{ID: ref, Account: account, From: account, Asset: usdw, Amount: amount, Memo: a.Memo,
			Hash: ref, Ledger: 9, At: now, State: anchor.Matched, Transaction: a.ID})
	})
}

// strayPayment and strayLine are money that nobody knows the owner of.
func (w *world) strayPayment(set ...func(*anchor.Payment)) string {
	w.t.Helper()
	p := &anchor.Payment{ID: operations(), Account: account, From: account, Asset: usdw, Amount: 100 * anchor.One, Memo: anchor.Memo{Type: anchor.MemoText, Value: "hello"},
		Hash: "h", Ledger: 9, At: time.Now(), State: anchor.Unmatched, Reason: anchor.UnknownMemo}
	for _, f := range set {
		f(p)
	}
	p.Hash = p.ID
	w.update(store.Ledger, func(tx *store.Tx) error {
		if err := tx.CreatePayment(p); err != nil || p.Amount == 0 {
			return err
		}
		return tx.Post(p.At, anchor.Move("unmatched", "", p.Hash, p.Asset, p.Amount, anchor.Suspense, anchor.Distribution))
	})
	return p.ID
}

func (w *world) strayLine(set ...func(*anchor.BankLine)) string {
	w.t.Helper()
	l := &anchor.BankLine{ID: "bank-" + operations(), At: time.Now(), Asset: usd, Amount: 100 * anchor.One, Reference: "rent", PayerName: "Bo", PayerAccount: "555",
		State: anchor.Unmatched, Reason: anchor.UnknownReference}
	for _, f := range set {
		f(l)
	}
	w.update(store.BankRail, func(tx *store.Tx) error {
		if err := tx.CreateBankLine(l); err != nil {
			return err
		}
		return tx.Post(l.At, anchor.Move("unmatched", "", l.ID, l.Asset, l.Amount, anchor.Suspense, anchor.Bank))
	})
	return l.ID
}

func ignore(*anchor.Transaction, time.Time) error { return nil }

func failed(a *anchor.Transaction, now time.Time) error { return a.Fail("parked", now) }

// TestStaffActs holds every mutation on transactions against every state: what
// the state machine allows is done and shown among the actions, all else is
// refused with a code and changes nothing.
func TestStaffActs(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		kind   anchor.Kind
		came   string                                     // "" if no money has come
		then   func(*anchor.Transaction, time.Time) error // nil for one that was not agreed to
		status anchor.Status
		may    string
	}{
		{"begun", anchor.Deposit, "", nil, anchor.Incomplete, "expire"},
		{"agreed", anchor.Deposit, "", ignore, anchor.PendingUserTransferStart, "assignBankLine confirmBankFunds expire"},
		{"agreed", anchor.Withdrawal, "", ignore, anchor.PendingUserTransferStart, "assignPayment expire"},
		{"sent", anchor.Deposit, "", (*anchor.Transaction).Sent, anchor.PendingExternal, "assignBankLine confirmBankFunds expire"},
		{"expired", anchor.Deposit, "", (*anchor.Transaction).GiveUp, anchor.Expired, "assignBankLine"},
		{"cancelled", anchor.Withdrawal, "", (*anchor.Transaction).Cancel, anchor.Expired, "assignPayment"},
		{"failed, unpaid", anchor.Withdrawal, "", failed, anchor.Failed, "retry"},
		{"funded", anchor.Deposit, "100", ignore, anchor.PendingAnchor, "refundTransaction hold"},
		{"funded", anchor.Withdrawal, "100", ignore, anchor.PendingAnchor, "refundTransaction hold"},
		{"too much", anchor.Deposit, "120", ignore, anchor.OnHold, "refundTransaction release"},
		{"held", anchor.Withdrawal, "100", (*anchor.Transaction).Hold, anchor.OnHold, "refundTransaction release"},
		{"beyond the limit", anchor.Withdrawal, "1000.01", ignore, anchor.TooLarge, "refundTransaction"},
		{"waits for a trustline", anchor.Deposit, "100", func(a *anchor.Transaction, now time.Time) error { return a.TrustMissing(now, now) }, anchor.PendingTrust, "refundTransaction hold"},
		{"on its way", anchor.Deposit, "100", (*anchor.Transaction).PayoutSigned, anchor.PendingStellar, ""},
		{"the bank has it", anchor.Withdrawal, "100", (*anchor.Transaction).BankTold, anchor.PendingExternal, ""},
		{"failed", anchor.Deposit, "100", failed, anchor.Failed, "refundTransaction retry"},
		{"failed", anchor.Withdrawal, "100", failed, anchor.Failed, "refundTransaction retry"},
		{"returned by the bank", anchor.Withdrawal, "100", (*anchor.Transaction).BankGaveBack, anchor.OnHold, "refundTransaction release"},
		{"paid", anchor.Deposit, "100", func(a *anchor.Transaction, now time.Time) error {
			if err := a.PayoutSigned(now); err != nil {
				return err
			}
			return a.PaidOnLedger("hash", now, now)
		}, anchor.Completed, "refundTransaction"},
	}
	for _, c := range cases {
		t.Run(c.name+", "+string(c.kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			make1 := func() *anchor.Transaction {
				var tr *anchor.Transaction
				if c.then == nil {
					return w.open(c.kind)
				}
				tr = w.agreed(c.kind)
				if c.came != "" {
					w.came(tr, anchor.MustAmount(c.came))
				}
				w.change(tr.ID, c.then)
				return w.read(tr.ID)
			}
			may := strings.Fields(c.may)
			if c.then != nil { // there is a customer: whatever they have bought, they can be turned away
				may = append(may, "rejectCustomer")
			}
			for _, name := range []string{"assignPayment", "assignBankLine", "refundTransaction", "confirmBankFunds", "hold", "release", "retry", "expire", "acceptCustomer", "askCorrection", "rejectCustomer"} {
				tr := make1()
				if tr.Status() != c.status {
					t.Fatalf("it is %s", tr.Status())
				}
				if seen := w.staff().do(`query($id: ID!) { transaction(id: $id) { staff { actions } } }`, map[string]any{"id": tr.ID}).at("transaction.staff.actions"); fmt.Sprint(seen) != fmt.Sprint(may) {
					t.Fatalf("the actions are %v", seen)
				}
				v := map[string]any{"transaction": tr.ID, "note": "why: " + name}
				switch name {
				case "assignPayment":
					v["payment"] = w.strayPayment()
				case "assignBankLine":
					v["line"] = w.strayLine()
				case "confirmBankFunds":
					if c.kind == anchor.Deposit && !slices.Contains(may, name) {
						continue // it is booked, as any credit is, and stays unmatched
					}
					v["bankId"], v["amount"], v["at"] = "bank-"+tr.ID, "100", time.Now()
				}
				entries := len(w.trail(tr.ID))
				data, problems := w.staff().press(name, v)
				trail := w.trail(tr.ID)
				if slices.Contains(may, name) {
					if told(problems) != "" || data.str(name+".id") != tr.ID && data.str(name+".transaction") != tr.ID {
						t.Errorf("%s: %v", name, problems)
						continue
					}
					e := trail[0]
					if e.Event != name || e.Actor != "staff:kim" || e.Note != "why: "+name || e.From != "" {
						t.Errorf("%s: the newest entry is %+v", name, e)
					}
					if name == "rejectCustomer" {
						want := c.status
						if c.came != "" && (want == anchor.PendingAnchor || want == anchor.PendingTrust) {
							want = anchor.OnHold
						}
						if now := w.read(tr.ID); now.Status() != want || len(trail) > entries+2 {
							t.Errorf("whose customer was turned away is %s, want %s", now.Status(), want)
						}
						continue
					}
					if step := trail[1]; name != "refundTransaction" && (step.Actor != "staff:kim" || step.To != w.read(tr.ID).Status() || step.From != c.status) {
						t.Errorf("%s: the step is %+v", name, step)
					}
					continue
				}
				if code := told(problems); !strings.HasPrefix(code, "CONFLICT ") || !slices.Contains([]string{"state_refused", "not_funded", "not_waiting", "does_not_fit", "customer_missing", "reviewed_already"}, strings.Fields(code)[1]) {
					t.Errorf("%s: %q", name, code)
				}
				if now := w.read(tr.ID); now.Status() != c.status || now.AmountRefunded != 0 || len(trail) != entries {
					t.Errorf("%s was refused, and changed something", name)
				}
			}
			balanced(t, w.books)
		})
	}
}

// trail is a transaction's audit trail, newest first.
func (w *world) trail(id string) []*store.AuditEntry {
	w.t.Helper()
	all, _, err := w.books.Audit(w.t.Context(), store.Trail{Transaction: id})
	must(w.t, err)
	return all
}

// TestStaffKeys: a wish is done once for its key, whoever repeats it, and its
// key is good for nothing else.
func TestStaffKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.agreed(anchor.Withdrawal)
	w.came(tr, 100*anchor.One)
	staff := w.staff()
	wish := map[string]any{"transaction": tr.ID, "amount": "10", "key": "ticket-7", "note": "half was promised"}
	with := func(more ...any) map[string]any {
		v := maps.Clone(wish)
		for i := 0; i < len(more); i += 2 {
			v[fmt.Sprint(more[i])] = more[i+1]
		}
		return v
	}
	for _, c := range []struct {
		name, mutation string
		variables      map[string]any
		want           string
		refunded       string
	}{
		{"refused", "refundTransaction", with("amount", "1000"), "INVALID refund_too_large amount", ""},
		{"a refusal uses no key", "refundTransaction", wish, "", "10"},
		{"again", "refundTransaction", wish, "", "10"},
		{"written another way", "refundTransaction", with("amount", "10.00"), "", "10"},
		{"with what is not given", "refundTransaction", with("fee", nil), "", "10"},
		{"another amount", "refundTransaction", with("amount", "11"), "CONFLICT key_reused key", "10"},
		{"a fee", "refundTransaction", with("fee", "0"), "CONFLICT key_reused key", "10"},
		{"another note", "refundTransaction", with("note", "all"), "CONFLICT key_reused key", "10"},
		{"another mutation", "hold", map[string]any{"transaction": tr.ID, "key": "ticket-7", "note": "half was promised"}, "CONFLICT key_reused key", "10"},
		{"another key", "refundTransaction", with("key", "ticket-8"), "", "20"},
		{"no key", "refundTransaction", with("key", ""), "INVALID key_malformed key", "20"},
		{"a long key", "refundTransaction", with("key", strings.Repeat("k", 101)), "INVALID key_malformed key", "20"},
		{"a key with a space", "refundTransaction", with("key", "ticket 9"), "INVALID key_malformed key", "20"},
		{"a key of letters", "refundTransaction", with("key", "ñ"), "INVALID key_malformed key", "20"},
		{"a long note", "refundTransaction", with("key", "k", "note", strings.Repeat("ñ", 501)), "INVALID note_malformed note", "20"},
		{"a note nobody sees", "refundTransaction", with("key", "k", "note", "a\u0000"), "INVALID note_malformed note", "20"},
		{"a note that turns around", "refundTransaction", with("key", "k", "note", "a\u202e"), "INVALID note_malformed note", "20"},
		{"a long id", "refundTransaction", with("key", "k", "transaction", strings.Repeat("x", 100_000)), "INVALID argument_too_long transaction", "20"},
		{"no such transaction", "refundTransaction", with("key", "k", "transaction", "x"), "NOT_FOUND not_found transaction", "20"},
		{"negative", "refundTransaction", with("key", "k", "amount", "-1"), "INVALID amount_malformed amount", "20"},
		{"an exponent", "refundTransaction", with("key", "k", "amount", "1e2"), "INVALID amount_malformed amount", "20"},
		{"eight decimals", "refundTransaction", with("key", "k", "amount", "1.00000001"), "INVALID amount_malformed amount", "20"},
		{"beyond int64", "refundTransaction", with("key", "k", "amount", "922337203685.4775808"), "INVALID amount_too_large amount", "20"},
		{"all of int64", "refundTransaction", with("key", "k", "amount", "922337203685.4775807"), "INVALID refund_too_large amount", "20"},
		{"all of int64, twice", "refundTransaction", with("key", "k", "amount", "922337203685.4775807", "fee", "922337203685.4775807"), "INVALID refund_too_large amount", "20"},
		{"a number", "refundTransaction", with("key", "k", "amount", 1), "INVALID amount_malformed amount", "20"},
		{"a negative fee", "refundTransaction", with("key", "k", "fee", "-1"), "INVALID amount_malformed fee", "20"},
		{"a fee beyond int64", "refundTransaction", with("key", "k", "fee", "1000000000000"), "INVALID amount_too_large fee", "20"},
		{"a fee larger than what came", "refundTransaction", with("key", "k", "amount", nil, "fee", "81"), "INVALID refund_malformed amount", "20"},
		{"nothing", "refundTransaction", with("key", "k", "amount", "0"), "INVALID refund_malformed amount", "20"},
		{"all but the fee", "refundTransaction", with("key", "k", "amount", "79"), "INVALID refund_leaves_nothing amount", "20"},
		{"all, less a fee", "refundTransaction", with("key", "k", "amount", nil, "fee", "5"), "", "95"},
		{"all again", "refundTransaction", with("key", "l", "amount", nil), "CONFLICT nothing_to_refund", "95"},
	} {
		_, problems := staff.press(c.mutation, c.variables)
		if got := told(problems); got != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.name, got, c.want, problems)
		}
		if got := w.read(tr.ID).AmountRefunded; c.refunded != "" && got != anchor.MustAmount(c.refunded) {
			t.Errorf("%s: %s is refunded", c.name, got)
		}
	}
	if acts := slices.DeleteFunc(w.trail(tr.ID), func(e *store.AuditEntry) bool { return e.Event != "refundTransaction" }); len(acts) != 3 {
		t.Errorf("%d acts", len(acts))
	}

	// A repeat answers what has become of it, also to somebody else.
	answer, problems := staff.press("refundTransaction", wish)
	if told(problems) != "" || answer.str("refundTransaction.staff.amountRefunded") != "95" || answer.str("refundTransaction.amountRefunded") != "95" {
		t.Error(answer, problems)
	}
	// After a month the key is forgotten.
	w.update(store.Clock, func(tx *store.Tx) error { return tx.Sweep(time.Now().Add(store.KeyLife - time.Minute)) })
	if _, problems := staff.press("hold", map[string]any{"transaction": tr.ID, "key": "ticket-7"}); told(problems) != "CONFLICT key_reused key" {
		t.Error(problems)
	}
	w.update(store.Clock, func(tx *store.Tx) error { return tx.Sweep(time.Now().Add(store.KeyLife + time.Minute)) })
	if _, problems := staff.press("hold", map[string]any{"transaction": tr.ID, "key": "ticket-7"}); told(problems) != "CONFLICT state_refused" {
		t.Error(problems)
	}
	balanced(t, w.books)
	if s := w.log.String(); s != "" {
		t.Error("logged:", s)
	}
}

// TestRefundKeepsTheFeeForGifts: lumens that were given to an account for a deposit
// are not given for nothing, unless somebody says so.
func TestRefundKeepsTheFeeForGifts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more           map[string]any
		code           string
		refunded, kept string
	}{
		"all":                {nil, "", "98.5", "1.5"},
		"without a fee":      {map[string]any{"fee": "0"}, "", "100", "0"},
		"with another":       {map[string]any{"fee": "2"}, "", "98", "2"},
		"a part":             {map[string]any{"amount": "40"}, "", "40", "0.25"},
		"all, by its amount": {map[string]any{"amount": "98.5"}, "", "98.5", "1.5"},
		"too much":           {map[string]any{"amount": "99"}, "INVALID refund_too_large amount", "0", "0"},
		"all of int64":       {map[string]any{"amount": "922337203685.4775807"}, "INVALID refund_too_large amount", "0", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.terms.Deposit.RefundFee = anchor.One / 4
			tr := w.agreed(anchor.Deposit)
			w.came(tr, 100*anchor.One)
			w.update(store.Payouts, func(tx *store.Tx) error {
				p := &anchor.Payout{Source: account, Destination: tr.Account}
				gift := p.Gift(store.NewID(), anchor.ForCreate, 2*anchor.One, time.Now())
				gift.State = anchor.PayoutPaid
				return tx.CreatePayout(gift)
			})
			v := map[string]any{"transaction": tr.ID}
			maps.Copy(v, c.more)
			if _, problems := w.staff().press("refundTransaction", v); told(problems) != c.code {
				t.Fatal(problems)
			}
			if a := w.read(tr.ID); a.AmountRefunded != anchor.MustAmount(c.refunded) || a.RefundFee != anchor.MustAmount(c.kept) {
				t.Errorf("%s went back, %s was kept", a.AmountRefunded, a.RefundFee)
			}
			balanced(t, w.books)
		})
	}
}

// TestStaffAtOnce: of many who press at once one does it, and with one key all
// are told so.
func TestStaffAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key  func(i int) string
		want map[string]int
	}{
		"one key":   {func(int) string { return "the-key" }, map[string]int{"": 16}},
		"many keys": {func(i int) string { return fmt.Sprint("key-of-", i) }, map[string]int{"": 1, "CONFLICT not_unmatched": 15}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.strayPayment()
			answers := make([]string, 16)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() {
					data, problems := w.staff().press("refundPayment", map[string]any{"payment": id, "key": c.key(i)})
					answers[i] = told(problems)
					if answers[i] == "" && data.str("refundPayment.state") != "refunding" {
						t.Error(data)
					}
				})
			}
			wg.Wait()
			got := map[string]int{}
			for _, a := range answers {
				got[a]++
			}
			if !maps.Equal(got, c.want) {
				t.Error(got)
			}
			intents, err := w.books.PayoutsOf(t.Context(), anchor.CausePayment, id)
			must(t, err)
			acts, _, err := w.books.Audit(t.Context(), store.Trail{Subject: "payment:" + id})
			must(t, err)
			if len(intents) != 1 || len(acts) != 1 {
				t.Errorf("%d intents, %d acts", len(intents), len(acts))
			}
			balanced(t, w.books)
		})
	}
}
