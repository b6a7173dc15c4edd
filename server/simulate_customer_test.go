package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
)

// A citizen is a customer: somebody with an account, a wallet, a bank account and
// plans. Everything is
// done one after the other, and remembered, so that in the end it can be told
// what they must own.
type citizen struct {
	*lifetime
	number  int
	dice    *rand.Rand
	visits  []time.Duration // after the beginning
	key     *keypair.Full
	terms   *anchor.Terms // of what they buy
	claims  bool          // their wallet can claim balances
	started bool          // this is not their first visit
	exists  bool          // the account
	trusts  bool          // and its trustline
	scant   bool          // with hardly any lumens
	token   string
	tokenAt time.Time
	closed  time.Time // the ledger of their last transaction

	// What they have by what they have done and been told.
	owns   anchor.Amount // of the anchor's asset on the ledger
	owed   anchor.Amount // what will come back to them there
	banked anchor.Amount // more, or less, in their bank account than at first
}

// kinds are the customers that there are: what they buy, and whether their wallet
// can claim balances. To add one is to add a line.
var kinds = []struct {
	buys   int
	claims bool
}{
	{0, false},
	{0, true},
	{1, true}, // whose issuer authorizes trustlines, so that balances could not be claimed
	{2, false},
}

// newCitizen decides what one does by the seed and the number alone.
func newCitizen(l *lifetime, number int) *citizen {
	c := &citizen{lifetime: l, number: number, dice: rand.New(rand.NewPCG(l.sim.seed, uint64(number)))}
	seed := sha256.Sum256(fmt.Appendf(nil, "customer %d of %d", number, l.sim.seed))
	key, err := keypair.FromRawSeed(seed)
	if err != nil {
		l.find("no key for customer %d: %v", number, err)
	}
	c.key = key
	k := kinds[number%len(kinds)]
	c.terms, c.claims = l.cfg.terms[k.buys], k.claims
	c.trusts = c.terms.Asset.IsNative()
	whole := time.Duration(l.sim.days) * day
	first := time.Duration(c.dice.Int64N(int64(whole)))
	for range 1 + c.dice.IntN(4) {
		at := first
		if len(c.visits) > 0 {
			at = c.visits[len(c.visits)-1] + time.Hour + time.Duration(c.dice.Int64N(int64(min(4*day, whole/2))))
		}
		if c.dice.IntN(4) == 0 { // wages are paid: many come at once
			at = at.Truncate(day) + 17*time.Hour + time.Duration(c.dice.Int64N(int64(2*time.Minute)))
		}
		if at < whole {
			c.visits = append(c.visits, at)
		}
	}
	slices.Sort(c.visits)
	return c
}

// live is all that the customer does.
func (c *citizen) live() {
	for _, at := range c.visits {
		if c.sleep(time.Until(c.begins.Add(at))) != nil {
			return
		}
		s := c.choose()
		c.started = true
		c.count("visits")
		c.count("errand " + s.name)
		c.note("customer %d: %s", c.number, s.name)
		err := s.tell(c)
		if errors.Is(err, errNotWanted) {
			c.note("customer %d is refused", c.number)
			return
		}
		if err != nil && !errors.Is(err, errGone) {
			c.find("customer %d (%s): %s: %v", c.number, c.key.Address(), s.name, err)
			return // what they own is not known any more
		}
		c.note("customer %d: %s is over", c.number, s.name)
	}
}

// patienceOfCustomers is how long a customer goes on trying, and waiting.
const patienceOfCustomers = 4 * 24 * time.Hour

// insist does something until it works.
func (c *citizen) insist(what string, do func() error) error {
	began := time.Now()
	for pause := 15 * time.Second; ; pause = min(2*pause, 10*time.Minute) {
		err := do()
		if _, later := errors.AsType[errLater](err); err == nil || !later {
			return err
		}
		if time.Since(began) > patienceOfCustomers {
			return fmt.Errorf("%s: not in %s: %w", what, patienceOfCustomers, err)
		}
		c.note("customer %d: %s: %v", c.number, what, err)
		if err := c.sleep(pause); err != nil {
			return err
		}
	}
}

// ask is how wallets, pages and people ask.
func (l *lifetime) ask(method, address string, header http.Header, body, answer any) error {
	ctx, cancel := context.WithTimeout(l.ctx, 40*time.Second)
	defer cancel()
	return request(ctx, l.client, method, address, header, body, answer)
}

// graphql runs one operation at the customer's page.
func (c *citizen) graphql(p pageOf, query string, variables map[string]any, answer any) error {
	variables["id"] = p.id
	return asker(c.ask).graphql("http://"+hostPublic, p.header(), query, variables, answer)
}

// signIn gets the wallet's token, if the last one is not good for a while.
func (c *citizen) signIn() (err error) {
	if c.token != "" && time.Since(c.tokenAt) < 12*time.Hour {
		return nil
	}
	c.token, err = signInWallet(c.ask, "http://"+hostPublic, c.key)
	c.tokenAt = time.Now()
	return err
}

// begin opens the page of a new deposit or withdrawal.
func (c *citizen) begin(kind string) (p pageOf, err error) {
	if err := c.signIn(); err != nil {
		return p, err
	}
	return openPage(c.ask, "http://"+hostPublic, c.token, kind, map[string]string{
		"asset_code": c.terms.Asset.Code, "claimable_balance_supported": strconv.FormatBool(c.claims),
	}, nil)
}

// An order is a deposit or withdrawal that the customer has agreed to.
type order struct {
	id, kind  string
	in, out   anchor.Amount
	reference string // of a deposit
	account   string // where a withdrawal is paid to
	memo      string
	deadline  time.Time
	tariff    tariff // that was agreed to
	late      bool   // since the deadline it may be any day's
}

// agree goes through the page up to the yes. Whatever fails on the way, the
// customer closes the popup and begins again later.
func (c *citizen) agree(kind string, amount anchor.Amount, bankAccount string) (o *order, err error) {
	err = c.insist("agree to a "+kind, func() error {
		since := time.Now()
		p, err := c.begin(kind)
		if err != nil {
			return err
		}
		o, err = c.agreeOn(p, kind, amount, bankAccount, since)
		if no, ok := errors.AsType[*gqlRefusal](err); ok && no.Extensions.Reason == "price_changed" {
			return errLater{err}
		}
		return err
	})
	return o, err
}

func (c *citizen) agreeOn(p pageOf, kind string, amount anchor.Amount, bankAccount string, since time.Time) (*order, error) {
	var method []map[string]string
	if kind == "withdrawal" {
		method = answers("bank_account_number", bankAccount, "bank_name", "Harbour Test Bank")
	}
	var a struct {
		ChooseMethod struct {
			AmountOut string
			Questions []question
		}
		Agree struct{ Status string }
	}
	err := c.graphql(p, `mutation($id: ID!, $who: [Answer!]!, $in: Amount!, $method: [Answer!]!) {
		answer(transaction: $id, answers: $who) { review }
		setAmount(transaction: $id, amountIn: $in) { amountOut }
		chooseMethod(transaction: $id, method: "bank_transfer", answers: $method) { amountOut questions { name type from answered } } }`,
		map[string]any{"who": c.who(), "in": amount.String(), "method": append([]map[string]string{}, method...)}, &a)
	if err != nil {
		return nil, err
	}
	shows := documents(a.ChooseMethod.Questions, amount)
	if err := c.show(p, shows); err != nil {
		return nil, err
	}
	out := a.ChooseMethod.AmountOut
	if err := c.graphql(p, `mutation($id: ID!, $out: Amount!) { agree(transaction: $id, amountOut: $out) { status } }`,
		map[string]any{"out": out}, &a); err != nil {
		return nil, err
	}
	o := &order{id: p.id, kind: kind, in: amount, out: anchor.MustAmount(out)}
	if err := c.priced(o, since); err != nil {
		return nil, err
	}
	tx, err := c.cleared(o, p, shows)
	if err != nil {
		return nil, err
	}
	if o.deadline, err = time.Parse(time.RFC3339Nano, tx.Deadline); err != nil {
		return nil, err
	}
	if kind == "withdrawal" {
		o.account, o.memo = tx.WithdrawAnchorAccount, tx.WithdrawMemo
		return o, nil
	}
	var how struct {
		Transaction struct {
			Instructions []struct{ Name, Value string }
		}
	}
	if err := c.graphql(p, `query($id: ID!) { transaction(id: $id) { instructions { name value } } }`, map[string]any{}, &how); err != nil {
		return nil, err
	}
	for _, i := range how.Transaction.Instructions {
		if i.Name == "reference" {
			o.reference = i.Value
		}
	}
	return o, nil
}

// poll is what wallets do.
func (c *citizen) poll(o *order) (*polled, error) {
	if err := c.signIn(); err != nil {
		return nil, err
	}
	var a struct{ Transaction polled }
	err := c.ask(http.MethodGet, "http://"+hostPublic+"/sep24/transaction?id="+o.id, bearer(c.token), nil, &a)
	if err != nil {
		return nil, err
	}
	tx := &a.Transaction
	if tx.AmountOut != "" && tx.Status != "incomplete" { // where nothing is agreed to, or no more
		left := anchor.MustAmount(tx.AmountIn) - anchor.MustAmount(tx.AmountFee) - tx.wentBack()
		if !slices.ContainsFunc(c.tariffs(o), func(f tariff) bool { return f.worth(left) == anchor.MustAmount(tx.AmountOut) }) {
			c.find("%s does not add up: %+v", o.id, *tx)
		}
	}
	return tx, nil
}

// until polls, less and less often, until the transaction has one of the
// statuses.
func (c *citizen) until(o *order, statuses ...string) (tx *polled, err error) {
	began, last := time.Now(), ""
	for pause := 10 * time.Second; ; pause = min(pause*2, time.Hour) {
		now, err := c.poll(o)
		if _, later := errors.AsType[errLater](err); err != nil && !later {
			return nil, err
		}
		if err == nil {
			if last != now.Status {
				c.note("customer %d: %s is %s", c.number, o.id, now.Status)
				last = now.Status
			}
			if slices.Contains(statuses, now.Status) {
				return now, nil
			}
		}
		if time.Since(began) > patienceOfCustomers {
			return nil, fmt.Errorf("%s is %q after %s, and not %v", o.id, last, patienceOfCustomers, statuses)
		}
		if err := c.sleep(pause); err != nil {
			return nil, err
		}
	}
}

// completed waits for what was agreed to.
func (c *citizen) completed(o *order) error { return c.completedBy(o, o.in) }

// completedBy waits for what an amount brings, less what went back of it.
func (c *citizen) completedBy(o *order, in anchor.Amount) error {
	tx, err := c.until(o, "completed")
	if err != nil {
		return err
	}
	out, back := anchor.MustAmount(tx.AmountOut), tx.wentBack()
	if !slices.ContainsFunc(c.tariffs(o), func(f tariff) bool {
		gives, fee := f.gives(in)
		return fee == anchor.MustAmount(tx.AmountFee) && (back > 0 || out == gives) && out == f.worth(in-fee-back)
	}) {
		return fmt.Errorf("%s paid %s for %s where %s for %s was agreed to, and %s went back: %+v", o.id, out, in, o.out, o.in, back, tx)
	}
	if o.kind == "withdrawal" {
		c.banked += out
		return nil
	}
	c.owns += out
	return c.claim(tx)
}

// claim takes the balance that a deposit was paid by, if it was.
func (c *citizen) claim(tx *polled) error {
	if tx.BalanceID == "" {
		return nil
	}
	c.mayComeBack()
	if err := c.open(true); err != nil {
		return err
	}
	return c.submit(nil, &txnbuild.ClaimClaimableBalance{BalanceID: tx.BalanceID})
}

// mayComeBack says that there is a balance which the anchor could take back after
// a while: the run does not end before.
func (c *citizen) mayComeBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.claimable = time.Now().Add(claimBackAfter + 2*hour)
}

// transfer sends money to the anchor at the bank.
func (c *citizen) transfer(amount anchor.Amount, reference string) error {
	key := fmt.Sprintf("%d %d", c.number, c.dice.Uint64())
	c.banked -= amount
	return c.insist("transfer at the bank", func() error {
		return c.ask(http.MethodPost, "http://"+hostBank+"/bank/api/transfers", http.Header{"Idempotency-Key": {key}}, map[string]string{
			"amount": amount.String(), "currency": c.terms.OffChain.Code, "reference": reference, "payer_name": "Ada Lovelace", "payer_account": c.bankAccount(),
		}, nil)
	})
}

// comesBack has a transfer or payment that is wrong come back in the end.
func comesBack(to *anchor.Amount, amount anchor.Amount, err error) error {
	if err == nil {
		*to += amount
	}
	return err
}

func (c *citizen) bankAccount() string { return fmt.Sprintf("5550%06d", c.number) }

// open makes the account, and the trustline where wanted.
func (c *citizen) open(trustline bool) error {
	if !c.exists {
		err := c.insist("make an account", func() error {
			a, err := c.plain.Account(c.ctx, c.key.Address())
			if err == nil {
				lumens, _ := a.Balance(anchor.Native)
				c.scant = lumens.Amount < 10*anchor.One
			}
			if err == nil || anchor.KindOf(err) != anchor.NotFound {
				return later(err)
			}
			// It may tell that the account was made by an attempt that was not answered.
			return later(c.ask(http.MethodGet, "http://"+hostHorizon+"/friendbot?addr="+c.key.Address(), nil, nil, nil))
		})
		if err != nil {
			return err
		}
		c.exists = true
	}
	if c.trusts || !trustline {
		return nil
	}
	c.trusts = true
	return c.submit(nil, addTrust(c.key.Address(), c.terms.Asset))
}

func (c *citizen) asset() txnbuild.Asset { return onLedger(c.terms.Asset) }

// pay pays the anchor on the ledger.
func (c *citizen) pay(to string, amount anchor.Amount, memo txnbuild.Memo) error {
	c.owns -= amount
	return c.submit(memo, &txnbuild.Payment{Destination: to, Asset: c.asset(), Amount: amount.String()})
}

// submit puts a transaction into the ledger, by the same bytes until it is there.
func (c *citizen) submit(memo txnbuild.Memo, ops ...txnbuild.Operation) error {
	var envelope string
	err := c.insist("sign a transaction", func() error {
		a, err := c.plain.Account(c.ctx, c.key.Address())
		if err != nil {
			return later(err)
		}
		tx, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
			SourceAccount: &txnbuild.SimpleAccount{AccountID: a.ID, Sequence: a.Sequence}, IncrementSequenceNum: true,
			BaseFee: 100_000, Memo: memo, Operations: ops, Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewInfiniteTimeout()},
		})
		if err != nil {
			return err
		}
		if tx, err = tx.Sign(network.TestNetworkPassphrase, c.key); err != nil {
			return err
		}
		envelope, err = tx.Base64()
		return err
	})
	if err != nil {
		return err
	}
	return c.insist("submit a transaction", func() error {
		sub, err := c.plain.Submit(c.ctx, envelope)
		if sub.Outcome == horizon.Failed {
			return err
		}
		if err != nil {
			return later(err)
		}
		l, err := c.plain.Ledger(c.ctx, sub.Ledger)
		c.closed = l.ClosedAt
		return later(err)
	})
}
