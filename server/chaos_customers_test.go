package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/rail"
)

// A customer has a wallet and a bank, and does one thing after the other until
// the end. Whatever is not answered is asked again, as a careful wallet would:
// transfers carry a key, and a payment that nobody has confirmed is handed in
// again as it is.
type customer struct {
	life *life
	name string
	rng  *rand.Rand

	key      *keypair.Full
	terms    *anchor.Terms
	asset    txnbuild.Asset
	currency string // at the bank
	claims   bool   // claimable balances
	trusts   bool   // there is a trustline
	token    string
	staff    map[string]http.Header // by name, when they are called
	sequence int64
	sent     anchor.Amount // to the anchor, on the ledger
	stories  []*story
	rejected bool // a person has refused them

	lost, doubled int
}

// A story is one deposit or withdrawal.
type story struct {
	id, kind string
	page     pageOf
	manner   manner
	agreed   anchor.Amount
	tariff   tariff          // that was agreed to
	paid     anchor.Amount   // that of it which counts
	shown    []string        // the questions that documents were sent for
	want     []anchor.Status // any of them is an end
	last     *polled
	claimed  bool // the balance that it was paid by

	decisions int  // of staff
	goesBack  bool // all of it, they have decided
}

// A manner is how the customer pays.
type manner string

const (
	exactly   manner = "exactly"
	nearly    manner = "nearly"        // within the tolerance
	tooMuch   manner = "too much"      // held
	tooLittle manner = "too little"    // unmatched
	wrongly   manner = "wrongly"       // without reference or memo: unmatched
	twice     manner = "twice"         // the second one is unmatched
	toClosed  manner = "to a closed"   // the bank refuses the payout: held
	toBounce  manner = "to a bounced"  // the bank sends the payout back: held
	toRecall  manner = "to a recaller" // it is completed, and comes back: held
	inCash    manner = "in cash"       // and comes for it
)

// pick chooses a manner; most people do as they are told.
func pick(rng *rand.Rand, kind string) manner {
	some := []manner{nearly, nearly, tooMuch, tooLittle, wrongly, wrongly, twice, twice}
	if kind == "withdrawal" {
		some = append(some, toClosed, toBounce, toRecall, inCash, inCash, inCash)
	}
	if rng.IntN(10) < 6 {
		return exactly
	}
	return some[rng.IntN(len(some))]
}

// customer is somebody new, of whom nobody has heard. What they do is decided by
// the life's seed and a number of their own.
func (l *life) customer(name string, number uint64, terms *anchor.Terms) *customer {
	l.t.Helper()
	var seed [32]byte
	rng := rand.New(rand.NewPCG(l.seed, number))
	for j := range seed {
		seed[j] = byte(rng.Uint32())
	}
	key, err := keypair.FromRawSeed(seed)
	if err != nil {
		l.t.Fatal(err)
	}
	return &customer{
		life: l, name: name, rng: rng, key: key, staff: map[string]http.Header{}, terms: terms,
		asset: onLedger(terms.Asset), currency: terms.OffChain.Code, trusts: terms.Asset.IsNative(),
	}
}

// open makes customers with accounts and trustlines.
func (l *life) open(n int) {
	l.t.Helper()
	for i := range n {
		c := l.customer(fmt.Sprintf("customer %d", i), uint64(i+1), l.cfg.terms[[]int{0, 0, 1, 0, 0, 2}[i%6]]) // four in six have dollars
		c.claims, c.trusts = true, true
		l.customers = append(l.customers, c)
	}
	// One of them has lumens from the friendbot, and makes the others. A
	// transaction has twenty signatures at the most.
	rich := l.customers[0]
	if code := call(l.t, http.MethodGet, l.horizon+"/friendbot?addr="+rich.key.Address(), nil, nil, nil); code != http.StatusOK {
		l.t.Fatalf("friendbot answered %d", code)
	}
	for group := range slices.Chunk(l.customers, 19) {
		var ops []txnbuild.Operation
		var keys []*keypair.Full
		for _, c := range group {
			if c != rich {
				ops = append(ops, &txnbuild.CreateAccount{Destination: c.key.Address(), Amount: "10"})
			}
			if !c.terms.Asset.IsNative() {
				ops = append(ops, c.line())
				keys = append(keys, c.key)
			}
		}
		keys = slices.DeleteFunc(keys, func(k *keypair.Full) bool { return k == rich.key }) // who signs anyway
		if err := rich.submit(l.t.Context(), nil, ops, keys...); err != nil {
			l.t.Fatal(err)
		}
	}
}

// insist is an asker that asks until there is an answer. Its error is a refusal,
// or that ctx ended.
func (c *customer) insist(ctx context.Context) asker {
	return func(method, address string, header http.Header, body, answer any) error {
		for {
			err := request(ctx, c.life.http, method, address, header, body, answer)
			if _, passes := errors.AsType[errLater](err); !passes {
				return err
			}
			if stop := c.pause(ctx, 30*time.Millisecond, 60*time.Millisecond); stop != nil {
				return fmt.Errorf("%s %s: %w", method, address, err)
			}
		}
	}
}

// pause takes a while.
func (c *customer) pause(ctx context.Context, least, more time.Duration) error {
	timer := time.NewTimer(least + time.Duration(c.rng.Int64N(int64(more))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// submit signs one transaction and hands it in until its outcome is known.
func (c *customer) submit(ctx context.Context, memo txnbuild.Memo, ops []txnbuild.Operation, more ...*keypair.Full) error {
	if c.sequence == 0 {
		var account struct {
			Sequence int64 `json:"sequence,string"`
		}
		if err := c.insist(ctx)(http.MethodGet, c.life.horizon+"/accounts/"+c.key.Address(), nil, nil, &account); err != nil {
			return err
		}
		c.sequence = account.Sequence
	}
	c.sequence++
	tx, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: c.key.Address(), Sequence: c.sequence}, BaseFee: 1000, Memo: memo,
		Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewInfiniteTimeout()}, Operations: ops,
	})
	if err == nil {
		tx, err = tx.Sign(network.TestNetworkPassphrase, append([]*keypair.Full{c.key}, more...)...)
	}
	if err != nil {
		return err
	}
	envelope, err := tx.Base64()
	if err != nil {
		return err
	}
	return c.insist(ctx)(http.MethodPost, c.life.horizon+"/transactions", nil, url.Values{"tx": {envelope}}, nil)
}

// live does one thing after the other until closing, some while the last one is
// still under way, and sees each to its end.
func (c *customer) live(ctx context.Context, closing <-chan struct{}) {
	c.report(ctx, func() error {
		for !closed(closing) && !c.rejected {
			s, err := c.visit(ctx)
			if err == nil && c.rng.IntN(3) > 0 {
				err = c.until(ctx, s)
			}
			if err != nil {
				return err
			}
		}
		return c.finish(ctx)
	})
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// report says what went wrong, unless nobody waits for it any more.
func (c *customer) report(ctx context.Context, do func() error) {
	if err := do(); err != nil && ctx.Err() == nil {
		c.life.t.Errorf("%s: %v", c.name, err)
	}
}

// visit begins one thing, and perhaps has staff meddle with it.
func (c *customer) visit(ctx context.Context) (*story, error) {
	s, err := c.story(ctx)
	if err == nil && !c.rejected && s.manner != tooLittle && s.manner != wrongly && s.manner != toRecall && c.rng.IntN(6) == 0 {
		err = c.meddle(ctx, s)
	}
	return s, err
}

// finish sees everything to its end.
func (c *customer) finish(ctx context.Context) error {
	for _, s := range c.stories {
		if err := c.until(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// story begins a deposit or a withdrawal and pays for it.
func (c *customer) story(ctx context.Context) (*story, error) {
	if c.token == "" {
		if err := c.signIn(ctx); err != nil {
			return nil, fmt.Errorf("sign in: %w", err)
		}
	}
	s := &story{kind: "deposit"}
	holds, _, err := c.holds(ctx)
	if err != nil {
		return nil, err
	}
	if holds >= 60*anchor.One && c.rng.IntN(2) == 0 {
		s.kind = "withdrawal"
	}
	s.manner = pick(c.rng, s.kind)
	s.tariff = tariffOf(c.life.cfg, c.terms, anchor.Kind(s.kind))
	most := 900_000 // in hundredths of a cent, which not every money has
	if s.kind == "withdrawal" {
		most = 200_000
	}
	s.agreed = (anchor.Amount(100_000+c.rng.IntN(most)) * anchor.One / 10_000).Floor(s.tariff.in)
	switch s.manner {
	case tooLittle, wrongly:
		s.want = []anchor.Status{anchor.PendingUserTransferStart}
	case toRecall:
		s.want = []anchor.Status{anchor.Refunded}
	default:
		s.want = []anchor.Status{anchor.Completed}
	}
	if err := c.begin(ctx, s); err != nil {
		return nil, fmt.Errorf("begin a %s: %w", s.kind, err)
	}
	c.stories = append(c.stories, s)
	if err := c.cleared(ctx, s); err != nil {
		return nil, fmt.Errorf("wait for a review of a %s: %w", s.kind, err)
	}
	if c.rejected {
		return s, nil
	}
	if c.rng.IntN(30) == 0 {
		if err := c.doubted(ctx, s); err != nil {
			return nil, fmt.Errorf("be doubted: %w", err)
		}
	}
	if s.kind == "deposit" {
		err = c.payAtBank(ctx, s)
	} else {
		err = c.payOnLedger(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("pay a %s %s: %w", s.kind, s.manner, err)
	}
	return s, nil
}

// signIn gets the wallet's token.
func (c *customer) signIn(ctx context.Context) (err error) {
	for {
		c.token, err = signInWallet(c.insist(ctx), c.life.at("public"), c.key)
		if _, refused := errors.AsType[*refusal](err); !refused {
			return err
		}
		// The answer with the token was lost, and a challenge mints one only.
	}
}

// holds is what the ledger says: of the asset, and in lumens. Where there is no
// account it is nothing.
func (c *customer) holds(ctx context.Context) (asset, lumens anchor.Amount, err error) {
	var account struct {
		Balances []struct {
			Balance anchor.Amount
			Type    string `json:"asset_type"`
			Code    string `json:"asset_code"`
		}
	}
	err = c.insist(ctx)(http.MethodGet, c.life.horizon+"/accounts/"+c.key.Address(), nil, nil, &account)
	if no, refused := errors.AsType[*refusal](err); refused && no.status == http.StatusNotFound {
		return 0, 0, nil
	}
	for _, b := range account.Balances {
		switch {
		case b.Type == "native":
			lumens = b.Balance
		case b.Code == c.terms.Asset.Code:
			asset = b.Balance
		}
	}
	if c.terms.Asset.IsNative() {
		asset = lumens
	}
	return asset, lumens, err
}

// begin starts a transaction and goes through its page up to the yes.
func (c *customer) begin(ctx context.Context, s *story) error {
	p, err := c.open(ctx, s.kind)
	if s.id, s.page = p.id, p; err != nil {
		return err
	}
	return c.agree(ctx, s)
}

// open starts a transaction and opens its page.
func (c *customer) open(ctx context.Context, kind string) (p pageOf, err error) {
	wallet := map[string]string{"asset_code": c.terms.Asset.Code, "claimable_balance_supported": strconv.FormatBool(c.claims)}
	mail := map[string]string{"callback": c.life.mail.url + "/callback/", "on_change_callback": c.life.mail.url + "/on_change_callback/"}
	for {
		p, err = openPage(c.insist(ctx), c.life.at("public"), c.token, kind, wallet, mail)
		if _, refused := errors.AsType[*refusal](err); !refused || p.id == "" {
			return p, err
		}
		// It took longer than the page may: the wallet opens another.
	}
}

// ask runs an operation of the page's until it is answered.
func (c *customer) ask(ctx context.Context, p pageOf, query string, variables map[string]any, answer any) error {
	variables["id"] = p.id
	return c.operate(ctx, c.life.at("public"), p.header(), query, variables, answer)
}

// operate runs a GraphQL operation until it is answered.
func (c *customer) operate(ctx context.Context, listener string, header http.Header, query string, variables map[string]any, answer any) error {
	return untilAnswered(ctx, func() error { return c.insist(ctx).graphql(listener, header, query, variables, answer) })
}

// untilAnswered does something until there is an answer to it.
func untilAnswered(ctx context.Context, do func() error) error {
	for {
		err := do()
		if _, passes := errors.AsType[errLater](err); !passes || ctx.Err() != nil {
			return err
		}
	}
}

// agree enters everything and says yes.
func (c *customer) agree(ctx context.Context, s *story) error {
	var method []string
	if s.kind == "withdrawal" && s.manner != inCash {
		account := map[manner]string{toClosed: rail.ClosedAccount, toBounce: rail.ReturningAccount, toRecall: rail.RecallingAccount}[s.manner]
		if account == "" {
			account = "777000999"
		}
		method = []string{"bank_account_number", account, "bank_name", "Far Bank"}
	}
	for {
		err := c.enter(ctx, s, s.page, method)
		if no, ok := errors.AsType[*gqlRefusal](err); !ok || no.Extensions.Reason != "price_changed" {
			return err
		}
	}
}

// enter goes through the page up to the yes, at the price that is told.
func (c *customer) enter(ctx context.Context, s *story, p pageOf, method []string) error {
	var asked struct {
		SetAmount struct{ Questions []question }
	}
	var chosen struct{ ChooseMethod struct{ AmountOut string } }
	err := c.introduce(ctx, p)
	if err == nil {
		err = c.ask(ctx, p, `mutation($id: ID!, $in: Amount!) { setAmount(transaction: $id, amountIn: $in) { questions { name type from answered } } }`,
			map[string]any{"in": s.agreed.String()}, &asked)
	}
	if err == nil {
		questions := documents(asked.SetAmount.Questions, s.agreed)
		s.shown = append(s.shown, questions...)
		err = c.show(ctx, p, questions)
	}
	if err == nil {
		err = c.ask(ctx, p, `mutation($id: ID!, $m: ID!, $a: [Answer!]!) { chooseMethod(transaction: $id, method: $m, answers: $a) { amountOut } }`,
			map[string]any{"m": s.method(), "a": append([]map[string]string{}, answers(method...)...)}, &chosen)
	}
	if err != nil {
		return err
	}
	if err := c.told(s, chosen.ChooseMethod.AmountOut); err != nil {
		return err
	}
	err = c.ask(ctx, p, `mutation($id: ID!, $out: Amount!) { agree(transaction: $id, amountOut: $out) { status } }`,
		map[string]any{"out": chosen.ChooseMethod.AmountOut}, nil)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// An earlier yes may have been heard, and its answer lost.
	if poll := c.poll(ctx, s); poll != nil || s.last.Status == string(anchor.Incomplete) {
		return errors.Join(err, poll)
	}
	return nil
}

// method is how the bank's side moves.
func (s *story) method() string {
	if s.manner == inCash {
		return anchor.Cash
	}
	return "bank_transfer"
}

// collect shows the code of the cash that lies ready at the bank's desk.
func (c *customer) collect(ctx context.Context, s *story) error {
	var a struct {
		Transaction struct{ Pickup *struct{ Code string } }
	}
	if err := c.ask(ctx, s.page, `query($id: ID!) { transaction(id: $id) { pickup { code } } }`, map[string]any{}, &a); err != nil || a.Transaction.Pickup == nil {
		return err
	}
	err := c.insist(ctx)(http.MethodPost, c.life.at("public")+"/bank/api/pickups", nil, map[string]string{"code": a.Transaction.Pickup.Code}, nil)
	if no, refused := errors.AsType[*refusal](err); refused && no.status == http.StatusBadRequest {
		return nil // an earlier answer was lost: the books will hear of it
	}
	return err
}

// poll asks how the transaction is.
func (c *customer) poll(ctx context.Context, s *story) error {
	var a struct{ Transaction *polled }
	if err := c.insist(ctx)(http.MethodGet, c.life.at("public")+"/sep24/transaction?id="+s.id, bearer(c.token), nil, &a); err != nil {
		return err
	}
	s.last = a.Transaction
	return nil
}

func (s *story) ended() bool { return slices.Contains(s.want, anchor.Status(s.last.Status)) }

// until polls until the story is where it must end.
func (c *customer) until(ctx context.Context, s *story) error {
	for {
		if err := c.poll(ctx, s); err != nil {
			return err
		}
		switch {
		case s.ended():
			return c.claim(ctx, s)
		case s.last.Status == string(anchor.PendingUserTransferComplete):
			if err := c.collect(ctx, s); err != nil {
				return fmt.Errorf("collect the cash: %w", err)
			}
		case s.last.Status == string(anchor.PendingTrust):
			if err := c.trust(ctx); err != nil {
				return fmt.Errorf("add the trustline: %w", err)
			}
		case s.last.Status == string(anchor.OnHold):
			err := c.settle(ctx, s)
			if no, ok := errors.AsType[*gqlRefusal](err); ok && no.Extensions.Reason == "payout_under_way" {
				break // it was held while the bank was being asked: look again
			}
			if err != nil {
				return fmt.Errorf("settle a %s paid %s: %w", s.kind, s.manner, err)
			}
		case s.last.Status == string(anchor.Failed):
			return fmt.Errorf("%s %s, paid %s, ended in error", s.kind, s.id, s.manner)
		}
		if err := c.pause(ctx, 150*time.Millisecond, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// audit is the customer's own look at the end: all stories are where they must
// be, with what was paid, and the ledger has what the anchor has told.
func (c *customer) audit() {
	t := c.life.t
	t.Helper()
	due := -c.sent + c.life.verdict.Returned[c.key.Address()]
	for _, s := range c.stories {
		if err := c.poll(t.Context(), s); err != nil {
			t.Errorf("%s: %v", c.name, err)
			return
		}
		if !s.ended() {
			c.lost++
			t.Errorf("%s: %s %s, paid %s, is %s and not %s", c.name, s.kind, s.id, s.manner, s.last.Status, s.want)
		}
		if s.paid != 0 && s.last.AmountIn != "" && anchor.MustAmount(s.last.AmountIn) != s.paid {
			c.lost++
			t.Errorf("%s: %s %s, paid %s, was credited %s of %s", c.name, s.kind, s.id, s.manner, s.last.AmountIn, s.paid)
		}
		if err := s.fair(); err != nil {
			c.doubled++
			t.Errorf("%s: %s %s, paid %s: %v", c.name, s.kind, s.id, s.manner, err)
		}
		if s.kind == "deposit" && s.last.Status == string(anchor.Completed) {
			due += anchor.MustAmount(s.last.AmountOut)
		}
		if s.kind == "withdrawal" {
			for _, r := range s.last.Refunds.Payments {
				due += anchor.MustAmount(r.Amount)
			}
		}
	}
	has, _, err := c.holds(t.Context())
	if c.terms.Asset.IsNative() { // of which they have had others
		has = c.life.balance.history.net(c.key.Address(), followed(c.life.cfg), anchor.Native)
	}
	switch {
	case err != nil:
		t.Errorf("%s: %v", c.name, err)
	case has < due:
		c.lost++
		t.Errorf("%s has %s on the ledger, and should have %s", c.name, has, due)
	case has > due:
		c.doubled++
		t.Errorf("%s has %s on the ledger, and should have %s", c.name, has, due)
	}
}
