package payout

import (
	"context"
	"fmt"
	"strconv"

	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/horizon"
)

// forgotten reads what a channel was used for since the books' last envelope of
// it, and returns what left us by a claimable balance. Payments need no search:
// whoever follows our accounts reads them. A claimable balance is no payment to
// Horizon, and would be made again if nobody knew of it.
func (e *Engine) forgotten(ctx context.Context, channel string) (all []*anchor.Outgoing, err error) {
	cursor := ""
	hash, err := e.store.LastHash(ctx, channel)
	if err != nil {
		return nil, err
	}
	if hash != "" {
		last, err := e.ledger.Transaction(ctx, hash)
		if err != nil {
			return nil, fmt.Errorf("the last envelope of %s that the books know: %w", channel, err)
		}
		cursor = last.Cursor
	}
	for {
		page, err := e.ledger.Transactions(ctx, channel, cursor, horizon.PageSize)
		if err != nil {
			return nil, err
		}
		for _, t := range page {
			cursor = t.Cursor
			some, err := e.claimables(ctx, &t)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		if len(page) < horizon.PageSize {
			return all, nil
		}
	}
}

// claimables are the claimable balances that a transaction has made of our
// money, unless the books know it.
func (e *Engine) claimables(ctx context.Context, t *horizon.Transaction) (all []*anchor.Outgoing, err error) {
	if !t.Successful {
		return nil, nil
	}
	state, err := e.store.EnvelopeState(ctx, t.Inner())
	if err == nil && state != anchor.EnvelopeImpossible {
		return nil, nil
	}
	if err != nil && anchor.KindOf(err) != anchor.NotFound {
		return nil, err
	}
	id, err := strconv.ParseInt(t.Cursor, 10, 64)
	if err != nil {
		return nil, err
	}
	any, err := txnbuild.TransactionFromXDR(t.EnvelopeXDR)
	if err != nil {
		return nil, fmt.Errorf("the transaction %s: %w", t.Hash, err)
	}
	inner, ok := any.Transaction()
	if bump, is := any.FeeBump(); is {
		inner, ok = bump.InnerTransaction(), true
	}
	if !ok {
		return nil, fmt.Errorf("the transaction %s cannot be read", t.Hash)
	}
	for i, op := range inner.Operations() {
		made, is := op.(*txnbuild.CreateClaimableBalance)
		if !is || e.sources[made.SourceAccount] == nil {
			continue
		}
		o := &anchor.Outgoing{ID: strconv.FormatInt(id+int64(i)+1, 10), Account: made.SourceAccount, Hash: t.Listed(), Ledger: t.Ledger, At: t.At}
		for _, c := range made.Destinations {
			if c.Destination != made.SourceAccount {
				o.Destination = c.Destination
			}
		}
		if o.Amount, err = anchor.ParseAmount(made.Amount); err != nil {
			return nil, err
		}
		o.Asset = anchor.Native
		if !made.Asset.IsNative() {
			o.Asset = anchor.Asset{Scheme: anchor.Stellar, Code: made.Asset.GetCode(), Issuer: made.Asset.GetIssuer()}
		}
		all = append(all, o)
	}
	return all, nil
}
