package payout

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// prepare makes an envelope of a batch and writes it down, with everything that
// follows from it, in one update. It is not submitted yet. It returns the
// intents that are in it, with their funds reserved. No envelope and no error
// means that nothing of the batch can be paid now.
func (e *Engine) prepare(ctx context.Context, channel string, batch []*anchor.Payout) (env *anchor.Envelope, in []*anchor.Payout, err error) {
	if in, err = e.fit(ctx, batch); err != nil || len(in) == 0 {
		return nil, nil, err
	}
	for _, p := range in {
		p.NotBefore = time.Time{}
		if p.Operation == anchor.PayClaimable && e.ClaimBackAfter > 0 {
			p.NotBefore = time.Now().Add(e.ClaimBackAfter).Truncate(time.Second)
		}
	}
	if in, err = e.afford(ctx, in); err != nil || len(in) == 0 {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			e.funds.release(in)
		}
	}()
	fee, err := e.bid(ctx, len(in))
	if err != nil {
		return nil, in, err
	}
	// Last, so that the bound counts from now.
	sequence, latest, err := e.channel(ctx, channel)
	if err != nil {
		return nil, in, err
	}
	if env, err = e.build(channel, sequence+1, latest+e.Lifetime, fee, in); err != nil {
		e.funds.release(in)
		return nil, nil, e.unbuildable(ctx, in, err)
	}
	if err := e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		if err := e.stillMaySign(tx); err != nil {
			return err
		}
		return e.record(tx, env, in)
	}); err != nil {
		return nil, in, fmt.Errorf("write the envelope down: %w", err)
	}
	return env, in, nil
}

// build makes and signs an envelope. fee is the bid for each operation.
func (e *Engine) build(channel string, sequence int64, maxLedger uint32, fee int64, batch []*anchor.Payout) (*anchor.Envelope, error) {
	env := &anchor.Envelope{ID: store.NewID(), Channel: channel, Sequence: sequence, MaxLedger: maxLedger, State: anchor.EnvelopeLive, CreatedAt: time.Now()}
	memo, err := memoOf(batch[0].Memo)
	if err != nil {
		return nil, err
	}
	source := e.sources[batch[0].Source]
	ops := make([]txnbuild.Operation, len(batch))
	for i, p := range batch {
		if ops[i], err = operation(p); err != nil {
			return nil, err
		}
		env.Intents = append(env.Intents, p.ID)
	}
	inner, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: channel, Sequence: sequence},
		Operations:    ops,
		BaseFee:       txnbuild.MinBaseFee,
		Memo:          memo,
		Preconditions: txnbuild.Preconditions{
			TimeBounds:   txnbuild.NewInfiniteTimeout(), // the ledger bound is the one that can be proven
			LedgerBounds: &txnbuild.LedgerBounds{MaxLedger: maxLedger},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	if inner, err = inner.Sign(e.Passphrase, signers(e.channels[channel], source)...); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if env.Hash, err = inner.HashHex(e.Passphrase); err != nil {
		return nil, err
	}
	for i, p := range batch {
		if p.Operation == anchor.PayClaimable {
			if p.ResultID, err = inner.ClaimableBalanceID(i); err != nil {
				return nil, err
			}
		}
	}
	return env, e.bump(env, inner, fee)
}

// signers leaves out a key that is there twice: a signature too many is refused.
func signers(channel, source *keypair.Full) []*keypair.Full {
	if channel.Address() == source.Address() {
		return []*keypair.Full{channel}
	}
	return []*keypair.Full{channel, source}
}

// bump wraps the inner transaction in a fee bump that bids fee for each
// operation, itself counted.
func (e *Engine) bump(env *anchor.Envelope, inner *txnbuild.Transaction, fee int64) error {
	outer, err := txnbuild.NewFeeBumpTransaction(txnbuild.FeeBumpTransactionParams{Inner: inner, FeeAccount: e.Fee.Address(), BaseFee: fee})
	if err != nil {
		return fmt.Errorf("fee bump: %w", err)
	}
	if outer, err = outer.Sign(e.Passphrase, e.Fee); err != nil {
		return fmt.Errorf("sign the fee bump: %w", err)
	}
	env.XDR, err = outer.Base64()
	env.Fee = fee * int64(len(inner.Operations())+1)
	return err
}

// raiseFee replaces the fee bump of a live envelope. The inner transaction, and
// so its identity, stays: at most one of the two can apply.
func (e *Engine) raiseFee(ctx context.Context, env *anchor.Envelope, least int64) error {
	t, err := txnbuild.TransactionFromXDR(env.XDR)
	if err != nil {
		return err
	}
	outer, ok := t.FeeBump()
	if !ok {
		return errors.New("the envelope is no fee bump")
	}
	inner := outer.InnerTransaction()
	size := int64(len(inner.Operations()) + 1)
	fee := (least + size - 1) / size
	if fee > e.MaxFee {
		e.raise(ctx, alarmFees, fmt.Sprintf("the network wants %d stroops for an operation, more than the %d allowed", fee, e.MaxFee))
		return nil
	}
	if fee*size <= env.Fee {
		return nil
	}
	next := *env
	if err := e.bump(&next, inner, fee); err != nil {
		return err
	}
	if err := e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error { return tx.SaveEnvelope(&next) }); err != nil {
		return err
	}
	*env = next
	e.lower(ctx, alarmFees)
	e.logger.InfoContext(ctx, "an envelope's fee was raised", "envelope", env.ID, "fee", env.Fee)
	return nil
}

func assetOf(a anchor.Asset) txnbuild.Asset {
	if a.IsNative() {
		return txnbuild.NativeAsset{}
	}
	return txnbuild.CreditAsset{Code: a.Code, Issuer: a.Issuer}
}

func memoOf(m anchor.Memo) (txnbuild.Memo, error) {
	switch m.Type {
	case anchor.MemoNone:
		return nil, nil //nolint:nilnil // no memo is a nil Memo
	case anchor.MemoText:
		return txnbuild.MemoText(m.Value), nil
	case anchor.MemoID:
		n, err := strconv.ParseUint(m.Value, 10, 64)
		return txnbuild.MemoID(n), err
	case anchor.MemoHash, anchor.MemoReturn:
		b, err := base64.StdEncoding.DecodeString(m.Value)
		if err != nil || len(b) != 32 {
			return nil, errors.New("a memo of this kind has 32 bytes")
		}
		if m.Type == anchor.MemoReturn {
			return txnbuild.MemoReturn(b), nil
		}
		return txnbuild.MemoHash(b), nil
	}
	return nil, fmt.Errorf("the memo kind %q is not known", m.Type)
}

// A turn is had by one at a time, while the network is asked. That can take long,
// and whoever waits behind gives up when told to stop, as nobody who waits for a
// mutex can.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// feeWatch remembers what the network charges and what the fee account has.
type feeWatch struct {
	asking turn
	at     time.Time
	stats  horizon.FeeStats
	lumens anchor.Amount // that may be spent
}

// baseReserve is what an account must keep for each entry that it has or
// sponsors; feeMargin is a little more.
const baseReserve, feeMargin = anchor.One / 2, anchor.One

// spendable is what of its lumens an account can pay with.
func spendable(a *horizon.Account) anchor.Amount {
	b, _ := a.Balance(anchor.Native)
	return b.Amount - b.SellingLiabilities - anchor.Amount(a.Reserves)*baseReserve
}

// payable is what of an asset an account can pay with.
func payable(a *horizon.Account, asset anchor.Asset) anchor.Amount {
	b, _ := a.Balance(asset)
	switch {
	case asset.IsNative():
		return spendable(a)
	case asset.Issuer == a.ID:
		return anchor.MaxAmount // an issuer never runs out
	}
	return b.Amount - b.SellingLiabilities
}

// bid is what is offered for each operation of a batch: as much as nearly all
// paid lately, within the cap. What is charged is the least that got into the
// ledger, so that a high bid costs nothing on a quiet network.
func (e *Engine) bid(ctx context.Context, operations int) (int64, error) {
	w := &e.fees
	if err := w.asking.take(ctx); err != nil {
		return 0, err
	}
	defer w.asking.give()
	if time.Since(w.at) > 5*time.Second {
		s, err := e.ledger.FeeStats(ctx)
		if err != nil {
			return 0, err
		}
		a, err := e.ledger.Account(ctx, e.Fee.Address())
		if err != nil {
			return 0, err
		}
		w.stats, w.lumens, w.at = s, spendable(a), time.Now()
	}
	s := w.stats
	fee := max(txnbuild.MinBaseFee, 2*s.BaseFee, s.ChargedP99)
	if s.Capacity > 0.5 {
		fee = max(fee, s.MaxFeeP90)
	}
	fee = min(fee, max(e.MaxFee, txnbuild.MinBaseFee))
	// Every channel may have an envelope that waits for its fee.
	need := anchor.Amount(fee) * (anchor.MaxBatch + 1) * anchor.Amount(len(e.Channels))
	switch {
	case w.lumens < feeMargin+anchor.Amount(fee)*anchor.Amount(operations+1):
		e.raise(ctx, alarmLumens, "payouts wait: the fee account "+e.Fee.Address()+" has no lumens left")
		return 0, errors.New("the fee account has no lumens left")
	case w.lumens < feeMargin+10*need:
		e.raise(ctx, alarmLumens, "the fee account "+e.Fee.Address()+" is running out of lumens: it can spend "+w.lumens.String())
	default:
		e.lower(ctx, alarmLumens)
	}
	return fee, nil
}

// purse is what an account holds of an asset.
type purse struct {
	account string
	asset   anchor.Asset
}

// funds keeps account of what live envelopes will take from a purse.
type funds struct {
	mu       sync.Mutex
	reserved map[purse]anchor.Amount
	ever     map[purse]anchor.Amount // all that was reserved since the start; it may wrap around
}

func (f *funds) reserve(batch []*anchor.Payout) { f.add(batch, 1) }
func (f *funds) release(batch []*anchor.Payout) { f.add(batch, -1) }

func (f *funds) add(batch []*anchor.Payout, sign anchor.Amount) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addLocked(batch, sign)
}

func (f *funds) addLocked(batch []*anchor.Payout, sign anchor.Amount) {
	for _, p := range batch {
		for asset, need := range takes(p) {
			of := purse{p.Source, asset}
			f.reserved[of] += sign * need
			if sign > 0 {
				f.ever[of] += need
			}
		}
	}
}

// standing is a moment of the funds.
type standing struct{ reserved, ever anchor.Amount }

func (f *funds) of(p purse) standing {
	f.mu.Lock()
	defer f.mu.Unlock()
	return standing{f.reserved[p], f.ever[p]}
}

// afford returns the intents that the source can pay besides all that is on its
// way, and reserves what they need. What it cannot pay stays queued, with an
// alarm if nothing on its way explains it.
//
// What is on its way is read before the balance: an envelope that applies in
// between is then counted twice, never not at all. What other batches reserve
// while the balance is asked for is counted too, and nothing that they release.
func (e *Engine) afford(ctx context.Context, batch []*anchor.Payout) ([]*anchor.Payout, error) {
	source := batch[0].Source
	before := map[anchor.Asset]standing{}
	for _, p := range batch {
		for asset := range takes(p) {
			before[asset] = e.funds.of(purse{source, asset})
		}
	}
	a, err := e.ledger.Account(ctx, source)
	if err != nil {
		if anchor.KindOf(err) == anchor.NotFound {
			e.raise(ctx, "low_funds "+source, "the distribution account "+source+" does not exist")
		}
		return nil, err
	}
	good, poor, onTheWay, short := e.allot(a, before, batch)
	for asset, reserved := range onTheWay {
		key := "low_funds " + source + " " + asset.String()
		switch {
		case !short[asset]:
			e.lower(ctx, key)
		case reserved == 0:
			e.raise(ctx, key, "payouts wait: "+source+" has not enough "+asset.Symbol())
		}
	}
	// Those that cannot be paid make room for those behind them.
	for _, p := range poor {
		if err := e.postpone(ctx, p, 5*e.Retry); err != nil {
			e.funds.release(good)
			return nil, err
		}
	}
	return good, nil
}

// allot reserves for the intents that the balances of a can pay, one batch at a
// time.
func (e *Engine) allot(a *horizon.Account, before map[anchor.Asset]standing, batch []*anchor.Payout) (good, poor []*anchor.Payout, onTheWay map[anchor.Asset]anchor.Amount, short map[anchor.Asset]bool) {
	f := &e.funds
	f.mu.Lock()
	defer f.mu.Unlock()
	onTheWay, short = map[anchor.Asset]anchor.Amount{}, map[anchor.Asset]bool{}
	left := map[anchor.Asset]anchor.Amount{}
	for asset, was := range before {
		onTheWay[asset] = was.reserved + f.ever[purse{a.ID, asset}] - was.ever
		left[asset] = payable(a, asset) - onTheWay[asset]
	}
	for _, p := range batch {
		need, can := takes(p), true
		for asset, amount := range need {
			if amount > left[asset] {
				short[asset], can = true, false
			}
		}
		if !can {
			poor = append(poor, p)
			continue
		}
		for asset, amount := range need {
			left[asset] -= amount
		}
		good = append(good, p)
	}
	f.addLocked(good, 1)
	return good, poor, onTheWay, short
}
