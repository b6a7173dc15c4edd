package notify_test

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"mime"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/mail"
	"windlass/server/rig"
	"windlass/server/store"
)

// office is a world that writes to its customers.
type office struct {
	*world
	sink  *rig.Sink
	terms *anchor.Terms
	log   *lines
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{world: newWorld(t), sink: rig.NewSink(t, false), log: &lines{}}
	o.books.WriteMails()
	side := anchor.Side{Enabled: true, Min: anchor.One, Max: 1000 * anchor.One, Methods: []anchor.Method{{ID: "bank_transfer"}}}
	o.terms = &anchor.Terms{
		Asset:    anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: o.key.Address()},
		OffChain: anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}, Decimals: 2, OffChainDecimals: 2, Account: o.key.Address(), Deposit: side, Withdraw: side,
	}
	o.cfg.Logger = slog.New(slog.NewTextHandler(o.log, nil))
	o.cfg.Mail = mail.New(mail.Config{
		Host: "127.0.0.1", Port: o.sink.Port, TLS: mail.StartTLS, From: "money@anchor.example", Name: "Anchor", Support: "help@anchor.example", Roots: o.sink.Roots,
	})
	o.cfg.Letter = func(t *anchor.Transaction, _ string) mail.Letter {
		return mail.Letter{Text: []string{string(t.Status())}, Link: "https://anchor.example/transaction/" + t.ID, Words: map[string]string{
			"amount_in": t.AmountIn.Fixed(2), "asset_in": t.In().Code, "amount_out": t.AmountOut.Fixed(2), "asset_out": t.Out().Code,
		}}
	}
	t.Cleanup(o.keptQuiet)
	return o
}

// keptQuiet makes sure that nobody's address is in the log, or in the books but
// where it is encrypted.
func (o *office) keptQuiet() {
	for _, name := range []string{"ana", "bea"} {
		if strings.Contains(o.log.String(), name+"@") {
			o.Errorf("the log names an address:\n%s", o.log)
		}
		for _, file := range []string{o.file, o.file + "-wal"} {
			b, err := os.ReadFile(file)
			if err != nil && !os.IsNotExist(err) {
				o.Error(err)
			}
			if bytes.Contains(b, []byte(name+"@")) || bytes.Contains(b, []byte(name+".")) {
				o.Errorf("%s has an address in the clear", file)
			}
		}
	}
}

// customer is somebody who gave an address.
func (o *office) customer(address string) anchor.Identity {
	o.Helper()
	who := anchor.Identity{Account: rig.NewKey(o).Address()}
	rig.Must(o, o.books.Update(o.Context(), store.Customer, func(tx *store.Tx) error {
		return tx.SaveCustomer(&anchor.Customer{ID: store.NewID(), Owner: who, Fields: map[string]string{"email_address": address}, CreatedAt: time.Now()})
	}))
	return who
}

// start begins a deposit of somebody, in their language.
func (o *office) start(who anchor.Identity, lang string, steps ...func(*store.Tx, *anchor.Transaction) error) string {
	o.Helper()
	a := anchor.Start(store.NewID(), anchor.Deposit, o.terms, who, anchor.Address(who.Account), time.Now().Add(time.Hour), time.Now())
	a.Lang, a.Method, a.Reviewed, a.OnChange = lang, "bank_transfer", true, o.wallet.URL+"/w"
	rig.Must(o, o.books.Update(o.Context(), store.Customer, func(tx *store.Tx) error { return tx.CreateTransaction(a) }))
	o.step(a.ID, steps...)
	return a.ID
}

func (o *office) step(id string, steps ...func(*store.Tx, *anchor.Transaction) error) {
	o.Helper()
	for _, step := range steps {
		rig.Must(o, o.books.Update(o.Context(), store.Operator, func(tx *store.Tx) error {
			a, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			if err := step(tx, a); err != nil {
				return err
			}
			return tx.SaveTransaction(a)
		}))
	}
}

func (o *office) agree(_ *store.Tx, a *anchor.Transaction) error {
	if err := a.SetAmount(o.terms, 100*anchor.One); err != nil {
		return err
	}
	return a.Agree(anchor.Instructions{Reference: rand.Text(), Deadline: time.Now().Add(time.Hour)}, time.Now())
}

func (o *office) pay(tx *store.Tx, a *anchor.Transaction) error {
	_, err := tx.Receive(a, o.terms, 100*anchor.One, rand.Text(), time.Now(), time.Now())
	return err
}

func sign(_ *store.Tx, a *anchor.Transaction) error { return a.PayoutSigned(time.Now()) }
func arrive(_ *store.Tx, a *anchor.Transaction) error {
	return a.PaidOnLedger(rand.Text(), time.Now(), time.Now())
}
func cancel(_ *store.Tx, a *anchor.Transaction) error { return a.Cancel(time.Now()) }

// subjects are those of the mails that came, with whom they came to.
func (o *office) subjects() (all []string) {
	o.Helper()
	for _, m := range o.sink.Got() {
		text, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		rig.Must(o, err)
		all = append(all, m.To+": "+text)
	}
	return all
}

// mails are the rows of e-mails about a transaction.
func (o *office) mails(id string) []*store.Message {
	o.Helper()
	return slices.DeleteFunc(o.messages(id), func(m *store.Message) bool { return m.Kind != store.MailKind })
}

// settled waits until no e-mail is due any more that may be sent now.
func (o *office) settled() {
	o.Helper()
	rig.Until(o, "no e-mail is due", func() bool {
		due, err := o.books.MessagesDue(o.Context(), time.Now(), nil, 4, 100)
		rig.Must(o, err)
		return !slices.ContainsFunc(due, func(m *store.Message) bool { return m.Kind == store.MailKind })
	})
}

// TestWritten: a customer is told how to pay and that it is done, each once and in
// their language, and not what was over before it could be told.
func TestWritten(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ana, bea := o.customer("ana@customer.example"), o.customer("bea@customer.example")
	first := o.start(ana, "es", o.agree)
	cancelled := o.start(bea, "en", o.agree, cancel)
	stop := o.run()
	o.settled()
	o.step(first, o.pay, sign, arrive)
	o.settled()
	stop()
	o.step(o.start(bea, "ar", o.agree), o.pay, sign, arrive)
	stop = o.run() // which sends none again
	o.settled()
	stop()
	want := []string{
		"ana@customer.example: " + language.Text("es", "mail.subject.pay.deposit", map[string]string{"amount_in": "100.00", "asset_in": "USD"}),
		"ana@customer.example: " + language.Text("es", "mail.subject.completed.deposit", map[string]string{"amount_out": "100.00", "asset_out": "USDW"}),
		"bea@customer.example: " + language.Text("ar", "mail.subject.completed.deposit", map[string]string{"amount_out": "100.00", "asset_out": "USDW"}),
	}
	got := o.subjects()
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := len(o.mails(cancelled)); n != 0 {
		t.Errorf("%d e-mails of what was cancelled are kept", n)
	}
	for _, m := range o.mails(first) {
		if m.State != store.MessageDelivered || m.URL != "" {
			t.Errorf("%+v", m)
		}
	}
	ids := map[string]bool{}
	for _, m := range o.sink.Got() {
		ids[m.Header.Get("Message-Id")] = true
	}
	if len(ids) != len(o.sink.Got()) {
		t.Errorf("the ids %v", ids)
	}
}

// TestOvertaken: of two that are true, only the later is sent, in its own time.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	untrusted := func(_ *store.Tx, a *anchor.Transaction) error {
		return a.TrustMissing(time.Now().Add(time.Hour), time.Now())
	}
	trusted := func(_ *store.Tx, a *anchor.Transaction) error { return a.TrustReady(time.Now()) }
	id := o.start(o.customer("ana@customer.example"), "en", o.agree, o.pay, untrusted, trusted, untrusted)
	stop := o.run()
	o.settled()
	stop()
	if all := o.mails(id); len(o.sink.Got()) != 0 || len(all) != 1 || all[0].State != store.MessageDue || all[0].Status != anchor.PendingTrust {
		t.Errorf("%q were sent, and %v wait", o.subjects(), all)
	}
}

// TestNobodyToTell: nothing is sent, and nothing is kept, where there is no address,
// and once a customer is forgotten.
func TestNobodyToTell(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	nobody := anchor.Identity{Account: rig.NewKey(t).Address()}
	correction := func(_ *store.Tx, a *anchor.Transaction) error { return a.AskCorrection(time.Hour, time.Now()) }
	ana := o.customer("ana@customer.example")
	ids := []string{
		o.start(nobody, "en", o.agree),
		o.start(o.customer(""), "en", o.agree),
		o.start(nobody, "en", correction),
	}
	bea := o.customer("bea@customer.example")
	ids = append(ids, o.start(bea, "en", o.agree))
	rig.Must(t, o.books.Update(t.Context(), store.Operator, func(tx *store.Tx) error {
		c, err := tx.CustomerOf(bea)
		if err != nil {
			return err
		}
		c.Fields = nil
		return tx.SaveCustomer(c)
	}))
	stop := o.run()
	o.settled()
	for _, id := range ids {
		if n := len(o.mails(id)); n != 0 {
			t.Errorf("%d e-mails are kept", n)
		}
	}
	stop()
	// Who gave one, and was looked at by a person, is written to before any yes.
	o.start(ana, "en", correction)
	stop = o.run()
	o.settled()
	stop()
	if got := o.subjects(); !slices.Equal(got, []string{"ana@customer.example: Your details need a correction"}) {
		t.Errorf("%q", got)
	}

	o.cfg.Mail = nil // the operator wants none any more
	id := o.start(ana, "en", o.agree)
	stop = o.run()
	o.settled()
	stop()
	if len(o.mails(id)) != 0 || len(o.sink.Got()) != 1 {
		t.Errorf("%v, and %q", o.mails(id), o.subjects())
	}
}

// TestMailRefused: what is refused for now is sent again, what is refused for good
// is not, and neither is the server's fault, nor do wallets wait.
func TestMailRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var full atomic.Bool
	full.Store(true)
	o.sink.Answer(func(verb, line string) string {
		switch {
		case verb == "RCPT" && strings.Contains(line, "bea@"):
			return "550 5.1.1 <bea@customer.example> is not here"
		case verb == "RCPT" && full.Load():
			return "451 4.7.1 <ana@customer.example> is greylisted"
		}
		return ""
	})
	ana := o.start(o.customer("ana@customer.example"), "en", o.agree)
	bea := o.start(o.customer("bea@customer.example"), "en", o.agree)
	defer o.run()()
	o.until(2) // the wallet is told
	rig.Until(t, "it is tried again", func() bool { return o.mails(ana)[0].Attempts >= 4 })
	if hosts, _, err := o.books.CallbackHosts(t.Context(), store.Page{}); err != nil || len(hosts) != 0 {
		t.Errorf("the server is blamed: %v, %v", hosts, err)
	}
	full.Store(false)
	rig.Until(t, "both are over", func() bool {
		return !slices.ContainsFunc(slices.Concat(o.mails(ana), o.mails(bea)), func(m *store.Message) bool { return m.State == store.MessageDue })
	})
	for id, want := range map[string][]string{
		ana: {"the mail server refused the address: 451", "accepted"},
		bea: {"the mail server refused the address: 550"},
	} {
		m := o.mails(id)[0]
		log, err := o.books.DeliveriesOfEach(t.Context(), []int64{m.ID})
		rig.Must(t, err)
		var got []string
		for _, d := range log[m.ID] {
			got = append(got, d.Outcome)
		}
		if got = slices.Compact(got); !slices.Equal(got, want) || (m.State == store.MessageGivenUp) != (id == bea) {
			t.Errorf("%+v: %q, want %q", m, got, want)
		}
	}
}

// TestMailServerDown: e-mails wait for it, the newest of each transaction only,
// while wallets are told; and go out when it is back.
func TestMailServerDown(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.sink.Answer(func(string, string) string { return "hang up" })
	id := o.start(o.customer("ana@customer.example"), "en", o.agree)
	defer o.run()()
	rig.Until(t, "it is known to be down", func() bool {
		hosts, _, err := o.books.CallbackHosts(t.Context(), store.Page{})
		return err == nil && len(hosts) == 1 && hosts[0].Failures >= 3
	})
	o.step(id, o.pay, sign, arrive)
	o.until(4) // the wallet is told of all
	if len(o.sink.Got()) > 0 {
		t.Errorf("%q", o.subjects())
	}
	o.sink.Answer(nil)
	rig.Until(t, "it goes out", func() bool { return len(o.sink.Got()) > 0 })
	o.settled()
	if got := o.subjects(); !slices.Equal(got, []string{"ana@customer.example: 100.00 USDW arrived in your account"}) {
		t.Errorf("%q", got)
	}
	if !strings.Contains(o.log.String(), "the mail server cannot be used") {
		t.Errorf("nobody was told at the start:\n%s", o.log)
	}
}

// TestAcceptedAndLost: where the server's word is lost, or we ended before we wrote
// it down, it comes twice, and can be told by its id.
func TestAcceptedAndLost(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var mu sync.Mutex
	bodies := 0
	o.sink.Answer(func(verb, _ string) string {
		mu.Lock()
		defer mu.Unlock()
		if verb == "body" {
			if bodies++; bodies == 1 {
				return "hang up"
			}
		}
		return ""
	})
	o.start(o.customer("ana@customer.example"), "en", o.agree)
	stop := o.run()
	rig.Until(t, "it has come twice", func() bool { return len(o.sink.Got()) == 2 })
	o.settled()
	stop()
	got := o.sink.Got()
	if one, two := got[0].Header.Get("Message-Id"), got[1].Header.Get("Message-Id"); one != two || len(got) != 2 {
		t.Errorf("%d came, as %q and %q", len(got), one, two)
	}
}

// TestFlood: one address gets so many in a day, however it is written and whichever
// stranger gave it.
func TestFlood(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.cfg.MailsPerAddress = 2
	var ids []string
	for _, address := range []string{"ana@customer.example", "Ana@Customer.example", "a.na@customer.example", "ana+2@customer.example"} {
		ids = append(ids, o.start(o.customer(address), "en", o.agree))
	}
	o.start(o.customer("bea@customer.example"), "en", o.agree)
	defer o.run()()
	o.settled()
	if got := o.sink.Got(); len(got) != 3 {
		t.Errorf("%q", o.subjects())
	}
	given := 0
	for _, id := range ids {
		if m := o.mails(id)[0]; m.State == store.MessageGivenUp {
			given++
		}
	}
	if given != 2 {
		t.Errorf("%d were given up", given)
	}
}

// TestNotices: there are words for each notice, and a line of docs/mail.md.
func TestNotices(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/mail.md")
	rig.Must(t, err)
	for _, n := range anchor.Notices {
		kinds := n.Kinds
		if kinds == nil {
			kinds = []anchor.Kind{anchor.Deposit, anchor.Withdrawal}
		}
		var to []string
		for _, s := range n.To {
			to = append(to, "`"+string(s)+"`")
			for _, k := range kinds {
				if got, ok := anchor.NoticeOf(k, s); !ok || got.Why != n.Why {
					t.Errorf("%s of a %s is %+v", s, k, got)
				}
			}
		}
		for _, k := range kinds {
			if !language.Has("en", "mail.subject."+n.Name) && !language.Has("en", "mail.subject."+n.Name+"."+string(k)) {
				t.Errorf("%s of a %s has no subject", n.Name, k)
			}
		}
		kind := "both"
		if len(kinds) == 1 {
			kind = string(kinds[0])
		}
		after := "at once"
		if n.After > 0 {
			after = strings.TrimSuffix(n.After.String(), "0s")
		}
		line := "| " + n.Name + " | " + kind + " | " + strings.Join(to, ", ") + " | " + after + " | " + n.Why + " |"
		if !strings.Contains(string(b), line) {
			t.Errorf("docs/mail.md lacks: %s", line)
		}
	}
}
