package rail_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/store"
)

func refunds(reasons ...string) anchor.Policies {
	p := anchor.Policies{Of: map[string]anchor.Policy{}, PerSender: 3}
	for _, r := range reasons {
		p.Of[r] = anchor.PolicyRefund
	}
	return p
}

// A policy sends back what it says, less the fee, from its least amount on.
func TestPoliciesAtTheBank(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policies  anchor.Policies
		amount    string
		reference string // "" is the deposit's
		late      bool
		line      anchor.Match
		status    anchor.Status
		paid      string // back
	}{
		"held":              {anchor.Policies{}, "50", "whose?", false, anchor.Unmatched, anchor.PendingUserTransferStart, "0"},
		"unknown reference": {refunds(anchor.UnknownReference), "50", "whose?", false, anchor.GoneBack, anchor.PendingUserTransferStart, "49"},
		"too little":        {refunds(anchor.UnknownReference), "4.99", "whose?", false, anchor.Unmatched, anchor.PendingUserTransferStart, "0"},
		"the least":         {refunds(anchor.UnknownReference), "5", "whose?", false, anchor.GoneBack, anchor.PendingUserTransferStart, "4"},
		"short waits":       {refunds(string(anchor.Short)), "50", "", false, anchor.Unmatched, anchor.PendingUserTransferStart, "0"},
		"late":              {refunds(string(anchor.Late)), "100", "", true, anchor.GoneBack, anchor.PendingUserTransferStart, "99"},
		"late, revived": {anchor.Policies{Of: map[string]anchor.Policy{string(anchor.Late): anchor.PolicyRevive}}, "100", "", true,
			anchor.Matched, anchor.PendingAnchor, "0"},
		"late and odd, not revived": {anchor.Policies{Of: map[string]anchor.Policy{string(anchor.Late): anchor.PolicyRevive}}, "50", "", true,
			anchor.Unmatched, anchor.PendingUserTransferStart, "0"},
		"too large":       {refunds(string(anchor.Large)), "1001", "", false, anchor.Matched, anchor.Refunded, "1000"},
		"too large, held": {anchor.Policies{}, "1001", "", false, anchor.Matched, anchor.TooLarge, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, time.Nanosecond)
			w.terms.Deposit.RefundFee, w.terms.Deposit.RefundMinimum = anchor.One, 5*anchor.One
			w.policies = c.policies
			deadline := time.Now().Add(time.Hour)
			if c.late {
				deadline = time.Now().Add(-time.Second)
			}
			tr := w.agreed(anchor.Deposit, "100", "", deadline)
			if c.reference == "" {
				c.reference = tr.Reference
			}
			w.payFrom("000123456789", c.amount, c.reference)
			w.start(w.bank)
			w.eventually("the line", func() bool {
				all, _, err := w.books.BankLines(t.Context(), false, store.Page{Limit: 1})
				must(t, err)
				return len(all) == 1 && all[0].State == c.line
			})
			w.eventually("the deposit", func() bool {
				tr, err := w.books.Transaction(t.Context(), tr.ID)
				must(t, err)
				return tr.Status() == c.status
			})
			w.paidOnce(anchor.MustAmount(c.paid) - anchor.MustAmount(c.amount))
			b := balanced(t, w.books)
			if b[anchor.Refunds] != 0 || b[anchor.Bank] != anchor.MustAmount(c.amount)-anchor.MustAmount(c.paid) {
				t.Error(b)
			}
		})
	}
}

// Nobody gets more than a few in a day, whatever they call their account.
func TestRefundsOfAPayer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Nanosecond)
	w.policies = refunds(anchor.UnknownReference)
	w.start(w.bank)
	back := func() (n int) {
		all, _, err := w.books.BankLines(t.Context(), false, store.Page{Limit: 100})
		must(t, err)
		for _, l := range all {
			if l.State == anchor.GoneBack {
				n++
			}
		}
		return n
	}
	for i, from := range []string{"000123456789", "000 123 456 789", "000-123-456789"} {
		w.payFrom(from, "20", "whose?")
		w.eventually("the refund", func() bool { return back() == i+1 })
	}
	w.payFrom("000123456789", "20", "whose?")
	w.payFrom("999999", "20", "whose?")
	w.eventually("the other's refund", func() bool { return back() == 4 })
	w.eventually("a person's turn", func() bool {
		for _, l := range w.lines(5) {
			if l.State == anchor.Unmatched && l.DecideAt.IsZero() {
				return true
			}
		}
		return false
	})
	w.paidOnce(-20 * anchor.One)
}

// Two anchors do not send one sum to and fro: a refund of ours that comes back by
// its reference waits for a person.
func TestRefundThatIsAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Nanosecond)
	w.policies = refunds(anchor.UnknownReference)
	w.start(w.bank)
	w.payFrom("000123456789", "20", "whose?")
	var ours string
	w.eventually("the refund", func() bool {
		l := w.statement()[0]
		ours = l.Reference
		return l.Direction == "out"
	})
	w.payFrom("000123456789", "20", "REFUND OF "+ours)
	w.eventually("a person's turn", func() bool {
		l := w.lines(1)[0]
		return strings.HasPrefix(l.Reference, "REFUND") && l.DecideAt.IsZero()
	})
	if l := w.lines(1)[0]; l.State != anchor.Unmatched {
		t.Errorf("it is %s", l.State)
	}
	w.paidOnce(-20 * anchor.One)
}

// Short credits of one payer add up to what was agreed; another's do not count.
func TestShortCreditsAddUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Nanosecond)
	w.policies = refunds(string(anchor.Short), string(anchor.Second))
	w.start(w.bank)
	tr := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.payFrom("000123456789", "50", tr.Reference)
	w.payFrom("999999", "50", tr.Reference)
	for _, l := range w.lines(2) {
		if l.State != anchor.Unmatched || l.Reason != string(anchor.Short) || l.Transaction != tr.ID || l.DecideAt.IsZero() {
			t.Errorf("%+v", l)
		}
	}
	w.payFrom("000 123 456 789", "45", tr.Reference)
	tr = w.await(tr.ID, "the sum", func(t *anchor.Transaction) bool { return t.Funded() })
	if tr.AmountIn != 95*anchor.One || tr.Status() != anchor.PendingAnchor {
		t.Error(tr.AmountIn, tr.Status())
	}
	// Nothing waits for the other's any more.
	w.eventually("the other's refund", func() bool {
		for _, l := range w.lines(3) {
			if (l.PayerAccount == "999999") != (l.State == anchor.GoneBack) || l.PayerAccount != "999999" && l.State != anchor.Matched {
				return false
			}
		}
		return true
	})
	for _, l := range w.lines(3) {
		if !l.DecideAt.IsZero() {
			t.Errorf("it is decided about again: %+v", l)
		}
	}
	if b := balanced(t, w.books); b[anchor.Bank] != 95*anchor.One || b[anchor.Suspense] != 0 || b[anchor.Refunds] != 0 {
		t.Error(b)
	}
	must(t, w.refund(tr.ID, "95", "0"))
	w.await(tr.ID, "the refund", func(t *anchor.Transaction) bool { return t.Status() == anchor.Refunded })
	w.paidOnce(0)
}

// Past the deadline a short credit still waits until the deposit is known to have
// expired: the statement may be behind.
func TestShortCreditWaitsForTheStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Nanosecond)
	w.policies = refunds(string(anchor.Short))
	tr := w.agreed(anchor.Deposit, "100", "", time.Now().Add(100*time.Millisecond))
	w.payFrom("000123456789", "50", tr.Reference)
	w.start(w.bank)
	w.eventually("a second look", func() bool { return w.lines(1)[0].DecideAt.After(tr.Deadline) })
	if l := w.lines(1)[0]; l.State != anchor.Unmatched {
		t.Errorf("%+v", l)
	}
	must(t, w.change(tr.ID, func(tx *store.Tx, a *anchor.Transaction) error {
		if err := a.Expire(time.Now()); err != nil {
			return err
		}
		return tx.SaveTransaction(a)
	}))
	w.eventually("the refund", func() bool { return w.lines(1)[0].State == anchor.GoneBack })
	w.paidOnce(0)
}

// Where the operator asks for it, somebody else's money waits.
func TestWrongPayer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		check bool
		given string // account
		payer string
		wrong bool
	}{
		"not asked for":         {false, "111", "000123456789", false},
		"the account given":     {true, "000-123-456-789", "000123456789", false},
		"another account":       {true, "111", "000123456789", true},
		"nothing else is known": {true, "", "000123456789", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, -1)
			w.checkPayer = c.check
			w.start(w.bank)
			tr := w.agreed(anchor.Deposit, "100", c.given, time.Now().Add(time.Hour))
			w.payFrom(c.payer, "100", tr.Reference)
			l := w.lines(1)[0]
			if (l.Reason == anchor.WrongPayer) != c.wrong || (l.State == anchor.Unmatched) != c.wrong || l.Transaction != tr.ID {
				t.Errorf("%+v", l)
			}
		})
	}
}

// What a person, or the anchor's own systems, confirm before the statement does
// is booked once, whoever says it how often.
func TestConfirmBankFunds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	tr := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	other := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	withdrawal := w.agreed(anchor.Withdrawal, "100", "", time.Now().Add(time.Hour))
	w.payFrom("000123456789", "100", "no reference at all")
	id := w.statement()[0].ID
	at := time.Now().Add(-time.Minute).Truncate(time.Microsecond)
	word := anchor.BankLine{ID: id, Amount: 100 * anchor.One, At: at}
	confirm := func(l anchor.BankLine, transaction string) (line *anchor.BankLine, err error) {
		return line, w.change(transaction, func(tx *store.Tx, a *anchor.Transaction) (err error) {
			line, err = tx.ConfirmBankFunds(l, a, w.terms, staff, time.Now())
			return err
		})
	}
	with := func(change func(*anchor.BankLine)) anchor.BankLine {
		l := word
		change(&l)
		return l
	}
	for name, c := range map[string]struct {
		l    anchor.BankLine
		id   string
		code string
	}{
		"a withdrawal":   {word, withdrawal.ID, "does_not_fit"},
		"no name":        {with(func(l *anchor.BankLine) { l.ID = "" }), tr.ID, "bank_id_missing"},
		"nothing":        {with(func(l *anchor.BankLine) { l.Amount = 0 }), tr.ID, "amount_malformed"},
		"less":           {with(func(l *anchor.BankLine) { l.Amount = -1 }), tr.ID, "amount_malformed"},
		"half a cent":    {with(func(l *anchor.BankLine) { l.Amount = 50000 }), tr.ID, "amount_malformed"},
		"no time":        {with(func(l *anchor.BankLine) { l.At = time.Time{} }), tr.ID, "time_malformed"},
		"tomorrow's":     {with(func(l *anchor.BankLine) { l.At = time.Now().Add(time.Hour) }), tr.ID, "time_malformed"},
		"an endless one": {with(func(l *anchor.BankLine) { l.ID = strings.Repeat("x", 256) }), tr.ID, "bank_id_missing"},
	} {
		if _, err := confirm(c.l, c.id); code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	for range 2 {
		line, err := confirm(word, tr.ID)
		must(t, err)
		if line.State != anchor.Matched || line.Transaction != tr.ID || line.ConfirmedBy != staff {
			t.Errorf("%+v", line)
		}
	}
	for name, c := range map[string]struct {
		l  anchor.BankLine
		id string
	}{
		"another amount":   {with(func(l *anchor.BankLine) { l.Amount = 101 * anchor.One }), tr.ID},
		"another time":     {with(func(l *anchor.BankLine) { l.At = at.Add(time.Second) }), tr.ID},
		"another deposit":  {word, other.ID},
		"another's money":  {with(func(l *anchor.BankLine) { l.PayerAccount = "1" }), tr.ID},
		"somebody's money": {with(func(l *anchor.BankLine) { l.PayerName = "Kim" }), tr.ID},
	} {
		if _, err := confirm(c.l, c.id); code(err) != "bank_id_used" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.refund(tr.ID, "100", "0"); code(err) != "sender_unknown" {
		t.Error("a refund to nobody:", err)
	}
	w.start(w.bank) // which tells the line itself, and who paid it
	w.eventually("the statement", func() bool { return w.lines(1)[0].PayerAccount != "" })
	for range 2 {
		_, err := confirm(word, tr.ID)
		must(t, err)
	}
	if b := balanced(t, w.books); b[anchor.Bank] != 100*anchor.One || b[anchor.Suspense] != 0 {
		t.Error(b)
	}
	must(t, w.refund(tr.ID, "100", "0"))
}

// What a person typed about a credit gives way to the statement: whoever that says
// paid is paid back, and what differs is shown, audited, and stops the deposit where
// money or payer are not what they should be. Until the statement tells, a second
// person looks at where a refund goes.
func TestStatementOverConfirmation(t *testing.T) {
	t.Parallel()
	const payer = "000123456789"
	for name, c := range map[string]struct {
		typed, given string // accounts: the payer's by staff, the customer's own
		check        bool
		amount       string // as confirmed; the statement has 100
		differs      string // part of the note
		reason       string
		status       anchor.Status
	}{
		"the same":                  {payer, payer, true, "100", "", "", anchor.PendingAnchor},
		"spaced otherwise":          {"000 123-456 789", payer, true, "100", "", "", anchor.PendingAnchor},
		"another payer":             {"111", payer, true, "100", "payer_account: 111 was confirmed, the statement has " + payer, "", anchor.PendingAnchor},
		"a payer nobody checks":     {"111", "111", false, "100", "payer_account: 111", "", anchor.PendingAnchor},
		"not the customer":          {"111", "111", true, "100", "customer: ", anchor.WrongPayer, anchor.OnHold},
		"not the customer, untyped": {"", "111", true, "100", "customer: ", anchor.WrongPayer, anchor.OnHold},
		"another amount":            {payer, payer, true, "95", "amount: 95 was confirmed, the statement has 100", "", anchor.OnHold},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, -1)
			w.checkPayer = c.check
			log := &lockedBuffer{}
			w.log = slog.New(slog.NewTextHandler(log, nil))
			tr := w.agreed(anchor.Deposit, "100", c.given, time.Now().Add(time.Hour))
			w.payFrom(payer, "100", "no reference at all")
			id := w.statement()[0].ID
			must(t, w.change(tr.ID, func(tx *store.Tx, a *anchor.Transaction) error {
				_, err := tx.ConfirmBankFunds(anchor.BankLine{ID: id, Amount: anchor.MustAmount(c.amount), At: time.Now().Add(-time.Minute), PayerAccount: c.typed}, a, w.terms, staff, time.Now())
				return err
			}))
			refunds := func() []*anchor.BankPayout { return w.orders(anchor.CauseTransaction, tr.ID, anchor.ForRefund) }
			err := w.refund(tr.ID, "10", "0")
			switch {
			case c.typed == "":
				if code(err) != "sender_unknown" {
					t.Error(err)
				}
			case err != nil:
				t.Fatal(err)
			default:
				if all := refunds(); len(all) != 1 || all[0].State != anchor.BankApproval || all[0].Reason != store.PayerTyped || all[0].To[store.PayerAccount] != c.typed {
					t.Errorf("before the statement: %+v", all)
				}
			}
			w.start(w.bank)
			w.eventually("the statement", func() bool { return w.lines(1)[0].Told })
			l := w.lines(1)[0]
			if l.PayerAccount != payer || l.PayerTyped() || l.Reason != c.reason || l.State != anchor.Matched || l.ConfirmedBy != staff {
				t.Errorf("%+v", l)
			}
			got, err := w.books.Transaction(t.Context(), tr.ID)
			must(t, err)
			if got.Status() != c.status || got.BankSide != anchor.MaskAccount(payer) {
				t.Error(got.Status(), got.BankSide)
			}
			trail, _, err := w.books.Audit(t.Context(), store.Trail{Transaction: tr.ID, Subject: "line:" + id})
			must(t, err)
			if c.differs == "" && len(trail) != 0 || c.differs != "" && (len(trail) != 1 || trail[0].Event != "statementDiffers" || !strings.Contains(trail[0].Note, c.differs)) {
				t.Errorf("the trail is %+v", trail)
			}
			if c.differs != "" {
				w.eventually("the alarm", func() bool { return strings.Contains(log.String(), "a person confirmed it otherwise") })
			}
			if strings.Contains(log.String(), payer) {
				t.Error("the log names accounts")
			}
			for _, o := range refunds() {
				if o.To[store.PayerAccount] != payer || o.State != anchor.BankApproval {
					t.Errorf("it goes to %v", o.To)
				}
			}
			must(t, w.refund(tr.ID, "10", "0"))
			all := refunds()
			if last := all[len(all)-1]; last.State == anchor.BankApproval || last.To[store.PayerAccount] != payer {
				t.Errorf("after the statement: %+v", last)
			}
			balanced(t, w.books)
		})
	}
}

// A name that the bank uses again for other money is for a person: the books keep
// what they have, and the log names the line and what differs, but nobody's data.
func TestLineToldOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t, -1)
	w.payFrom("000123456789", "20", "whose?")
	stop := w.start(w.bank)
	first := w.lines(1)[0]
	stop()
	log := &lockedBuffer{}
	w.log = slog.New(slog.NewTextHandler(log, nil))
	w.payFrom("000123456789", "30", "another's")
	w.start(amended{w.bank, func(c *rail.Credit) { c.ID, c.PayerName = first.ID, "Ben Secret" }})
	w.eventually("the alarm", func() bool { return strings.Contains(log.String(), "other amount, time, reference, payer") })
	if text := log.String(); !strings.Contains(text, first.ID) || !strings.Contains(text, "level=ERROR") || strings.Contains(text, "Secret") || strings.Contains(text, "another's") {
		t.Error(text)
	}
	if l := w.lines(1); len(l) != 1 || fmt.Sprint(*l[0]) != fmt.Sprint(*first) {
		t.Errorf("%+v", l[0])
	}
	if b := balanced(t, w.books); b[anchor.Bank] != 20*anchor.One {
		t.Error(b)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A credit that the bank gave no name is booked like any other, and the statement
// is read on behind it.
func TestANamelessCredit(t *testing.T) {
	w := newWorld(t, -1)
	nameless := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.pay("100", "USD", nameless.Reference)
	w.start(amended{w.bank, func(c *rail.Credit) {
		if c.Reference == nameless.Reference {
			c.ID = ""
		}
	}})
	w.await(nameless.ID, "its money", func(t *anchor.Transaction) bool { return t.Funded() })
	next := w.agreed(anchor.Deposit, "100", "", time.Now().Add(time.Hour))
	w.pay("100", "USD", next.Reference)
	w.await(next.ID, "its money", func(t *anchor.Transaction) bool { return t.Funded() })
}
