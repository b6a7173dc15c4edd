package payout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// channelsAtOnce is how many accounts one transaction makes: each signs for
// itself, the fee account signs too, and a transaction takes 20 signatures.
const channelsAtOnce = 19

// channelReserves is how many base reserves the fee account sponsors for each.
const channelReserves = 2

// errNoChannel says that a channel account is not on the ledger.
var errNoChannel = errors.New("the channel account does not exist")

// channel reads a channel's sequence number and the ledger as of which it holds.
func (e *Engine) channel(ctx context.Context, id string) (sequence int64, latest uint32, err error) {
	key := "channel " + id
	a, err := e.ledger.Account(ctx, id)
	if err != nil {
		if anchor.KindOf(err) == anchor.NotFound {
			return 0, 0, errNoChannel
		}
		return 0, 0, err
	}
	if a.LatestLedger == 0 {
		e.raise(ctx, key, "Horizon does not send the Latest-Ledger header, without which nothing can be proven")
		return 0, 0, errors.New("the Latest-Ledger header is missing")
	}
	if !signsFor(a) {
		e.raise(ctx, key, "the key of the channel account "+id+" may not sign for it any more: somebody has changed its signers; configure another channel in its place")
		return 0, 0, errors.New("the channel's key is no signer of it")
	}
	used, err := e.store.ChannelSequence(ctx, id)
	if err != nil {
		return 0, 0, err
	}
	// An envelope whose sequence number is used already could never be told from
	// the one that used it.
	if a.Sequence < used {
		e.raise(ctx, key, fmt.Sprintf("the channel account %s is at sequence number %d here, but the books have seen it at %d: Horizon lags, or the network was reset", id, a.Sequence, used))
		return 0, 0, errors.New("the channel's sequence number is older than the books'")
	}
	if isAhead(a.Sequence, used) {
		e.doubt.rise()
		return 0, 0, errors.New("the channel's sequence number is newer than the books'")
	}
	e.lower(ctx, key)
	return a.Sequence, a.LatestLedger, nil
}

// signsFor reports whether an account's own key can lend its sequence number.
func signsFor(a *horizon.Account) bool {
	for _, s := range a.Signers {
		if s.Key == a.ID {
			return s.Weight > 0 && s.Weight >= int32(a.Thresholds.Low)
		}
	}
	return false
}

// makeChannels makes channel accounts that do not exist, which no envelope may
// be using. It returns how long they should rest: not at all once they exist.
//
// The fee account sponsors their reserves, so that they hold no lumens. Nothing
// of it is written down: what it cost is booked by whoever reads the fee
// account's transactions, and whether it is done is read off the ledger. So it
// can be cut off anywhere and done again: a channel that is made twice fails the
// second time, and costs a fee. Each attempt ends with proof that it has applied
// or never can, so that even that is rare.
func (e *Engine) makeChannels(ctx context.Context, ids []string) time.Duration {
	if e.making.take(ctx) != nil {
		return 0
	}
	defer e.making.give()
	missing, err := e.missing(ctx, ids)
	if err == nil && len(missing) > 0 {
		e.logger.InfoContext(ctx, "channel accounts are made", "channels", missing)
		if err = e.sponsor(ctx, missing); err == nil {
			missing, err = e.missing(ctx, missing)
		}
	}
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		e.logger.WarnContext(ctx, "channel accounts could not be made", "channels", ids, "error", err)
		return 5 * e.Retry
	}
	for _, id := range ids {
		e.lower(ctx, "channel "+id)
	}
	for _, id := range missing {
		e.raise(ctx, "channel "+id, "the channel account "+id+" does not exist and could not be made; it is tried again")
	}
	if len(missing) > 0 {
		return 5 * e.Retry
	}
	return 0
}

// keepMaking makes channel accounts, again and again until all of them exist: no
// payout may ever need the one that could not be made at first.
func (e *Engine) keepMaking(ctx context.Context, ids []string) time.Duration {
	for {
		rest := e.makeChannels(ctx, ids)
		if rest == 0 || !wait(ctx, rest) {
			return rest
		}
	}
}

// missing are those of some channels that do not exist. One that exists again
// begins with a sequence number that no envelope has used: it is accepted.
func (e *Engine) missing(ctx context.Context, ids []string) (all []string, err error) {
	for _, id := range ids {
		a, err := e.ledger.Account(ctx, id)
		switch {
		case err != nil && anchor.KindOf(err) == anchor.NotFound:
			all = append(all, id)
		case err != nil:
			return nil, err
		case untouched(a.Sequence):
			if err := e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error { return tx.AcceptChannel(id, a.Sequence, time.Now()) }); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// untouched reports whether a sequence number is one that an account begins
// with: the ledger's that made it in the upper half, and nothing in the lower.
func untouched(sequence int64) bool { return sequence&0xffffffff == 0 }

// sponsor makes accounts with one transaction, and returns once it has applied,
// well or badly, or never can.
func (e *Engine) sponsor(ctx context.Context, ids []string) error {
	fee, err := e.bid(ctx, 3*len(ids))
	if err != nil {
		return err
	}
	a, err := e.ledger.Account(ctx, e.Fee.Address())
	if err != nil {
		return err
	}
	need := channelReserves*baseReserve*anchor.Amount(len(ids)) + anchor.Amount(fee)*3*anchor.Amount(len(ids))
	switch {
	case a.LatestLedger == 0:
		return errors.New("the Latest-Ledger header is missing")
	case spendable(a) < feeMargin+need:
		e.raise(ctx, alarmLumens, "the fee account "+a.ID+" has not the lumens to sponsor channel accounts: it can spend "+spendable(a).String()+" and needs "+(feeMargin+need).String())
		return errors.New("the fee account has not enough lumens")
	}
	bound := a.LatestLedger + e.Lifetime
	text, err := e.sponsoring(a, bound, fee, ids)
	if err != nil {
		return err
	}
	if _, err := e.ledger.Submit(ctx, text); err != nil {
		e.logger.WarnContext(ctx, "making channel accounts was not confirmed", "error", err)
	}
	for {
		now, err := e.ledger.Account(ctx, a.ID)
		if err == nil && (now.Sequence > a.Sequence || now.LatestLedger >= bound) {
			return nil
		}
		if !wait(ctx, e.Retry) {
			return ctx.Err()
		}
	}
}

// sponsoring is the signed transaction that makes accounts.
func (e *Engine) sponsoring(payer *horizon.Account, bound uint32, fee int64, ids []string) (string, error) {
	keys := []*keypair.Full{e.Fee}
	var ops []txnbuild.Operation
	for _, id := range ids {
		keys = append(keys, e.channels[id])
		ops = append(ops,
			&txnbuild.BeginSponsoringFutureReserves{SponsoredID: id},
			&txnbuild.CreateAccount{Destination: id, Amount: "0"},
			&txnbuild.EndSponsoringFutureReserves{SourceAccount: id})
	}
	t, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: payer.ID, Sequence: payer.Sequence}, IncrementSequenceNum: true,
		Operations: ops, BaseFee: fee,
		Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewInfiniteTimeout(), LedgerBounds: &txnbuild.LedgerBounds{MaxLedger: bound}},
	})
	if err != nil {
		return "", err
	}
	if t, err = t.Sign(e.Passphrase, keys...); err != nil {
		return "", err
	}
	return t.Base64()
}
