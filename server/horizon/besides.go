package horizon

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
)

// Beside is an operation that moves an account's money, or may, though Horizon
// does not list it among the account's payments.
type Beside struct {
	ID   string // as the operation's would be among the payments
	What Besides
	// Source made it; To is who got what left, or may claim it.
	Source anchor.Address
	To     string
	Asset  anchor.Asset
	Amount anchor.Amount
	Memo   anchor.Memo // the transaction's
	// BalanceID is the claimable balance that was made or claimed; ClaimBackAt is
	// when Source may take back one that it made, zero for never.
	BalanceID   string
	ClaimBackAt time.Time
}

// Besides says what such an operation did.
type Besides string

// What there is beside payments.
const (
	Offered    Besides = "offered"     // a claimable balance that the account may claim: nothing has arrived
	Claimed    Besides = "claimed"     // the account claimed one: it has
	SetAside   Besides = "set_aside"   // the account made one for somebody else: it has left
	ClawedBack Besides = "clawed_back" // the issuer took it from the account
	Traded     Besides = "traded"      // an offer or a liquidity pool of the account: what it did is not known
)

// Besides reads out of a transaction what moved an account's money and is no
// payment.
func (c *Client) Besides(ctx context.Context, t *Transaction, account string) ([]Beside, error) {
	if !t.Successful {
		return nil, nil
	}
	var e xdr.TransactionEnvelope
	id, err := strconv.ParseInt(t.Cursor, 10, 64)
	if err == nil {
		err = xdr.SafeUnmarshalBase64(t.EnvelopeXDR, &e)
	}
	if err != nil {
		return nil, unavailable(fmt.Errorf("the transaction %s cannot be read: %w", t.Hash, err))
	}
	var all []Beside
	for i, op := range e.Operations() {
		source := e.SourceAccount()
		if op.SourceAccount != nil {
			source = *op.SourceAccount
		}
		b := Beside{ID: strconv.FormatInt(id|int64(i+1), 10), Source: anchor.Address(source.Address()), Memo: memoOf(e.Memo())}
		if !b.read(op.Body, account) {
			continue
		}
		if b.What == SetAside {
			if b.BalanceID, err = balanceID(e, i); err != nil {
				return nil, err
			}
		}
		if b.What == Claimed {
			if b.BalanceID, err = xdr.MarshalHex(op.Body.ClaimClaimableBalanceOp.BalanceId); err != nil {
				return nil, err
			}
			if b.Asset, b.Amount, err = c.credited(ctx, b.ID, account); err != nil {
				return nil, err
			}
		}
		all = append(all, b)
	}
	return all, nil
}

// read reports whether the operation is one that concerns the account.
func (b *Beside) read(op xdr.OperationBody, account string) bool {
	own := b.Source.Account() == account
	switch op.Type {
	case xdr.OperationTypeCreateClaimableBalance:
		of := op.CreateClaimableBalanceOp
		b.Asset, b.Amount = assetOf(of.Asset), anchor.Amount(of.Amount)
		for i, c := range of.Claimants {
			to := c.V0.Destination.Address()
			if i == 0 && own {
				b.What, b.To = SetAside, to
			}
			switch {
			case own && to == account:
				b.ClaimBackAt = notBefore(c.V0.Predicate)
			case to == account:
				b.What, b.To = Offered, to
			}
		}
	case xdr.OperationTypeClaimClaimableBalance:
		if own {
			b.What, b.To = Claimed, account
		}
	case xdr.OperationTypeClawback:
		if op.ClawbackOp.From.ToAccountId().Address() == account {
			b.What, b.To = ClawedBack, b.Source.Account()
			b.Asset, b.Amount = assetOf(op.ClawbackOp.Asset), anchor.Amount(op.ClawbackOp.Amount)
		}
	case xdr.OperationTypeManageSellOffer, xdr.OperationTypeManageBuyOffer, xdr.OperationTypeCreatePassiveSellOffer,
		xdr.OperationTypeLiquidityPoolDeposit, xdr.OperationTypeLiquidityPoolWithdraw:
		if own {
			b.What = Traded
		}
	}
	return b.What != ""
}

// balanceID is the claimable balance that a transaction's i-th operation makes.
func balanceID(e xdr.TransactionEnvelope, i int) (string, error) {
	source := e.SourceAccount()
	made, err := xdr.HashIdPreimage{Type: xdr.EnvelopeTypeEnvelopeTypeOpId, OperationId: &xdr.HashIdPreimageOperationId{
		SourceAccount: source.ToAccountId(), SeqNum: xdr.SequenceNumber(e.SeqNum()), OpNum: xdr.Uint32(i),
	}}.MarshalBinary()
	if err != nil {
		return "", err
	}
	id, err := xdr.NewClaimableBalanceId(xdr.ClaimableBalanceIdTypeClaimableBalanceIdTypeV0, xdr.Hash(sha256.Sum256(made)))
	if err != nil {
		return "", err
	}
	return xdr.MarshalHex(id)
}

// notBefore is when a claimant may claim at the earliest, as the payout engine
// says so; zero for what it does not say.
func notBefore(p xdr.ClaimPredicate) time.Time {
	not, _ := p.GetNotPredicate()
	if not == nil {
		return time.Time{}
	}
	if at, ok := not.GetAbsBefore(); ok {
		return time.Unix(int64(at), 0).UTC()
	}
	return time.Time{}
}

// credited is what an operation brought an account.
func (c *Client) credited(ctx context.Context, operation, account string) (anchor.Asset, anchor.Amount, error) {
	var p page[struct {
		assetBody
		Type    string        `json:"type"`
		Account string        `json:"account"`
		Amount  anchor.Amount `json:"amount"`
	}]
	if _, err := c.get(ctx, "/operations/"+operation+"/effects?limit=200", readLimit, maxPage, false, &p); err != nil {
		return anchor.Asset{}, 0, err
	}
	for _, e := range p.Embedded.Records {
		if e.Type == "account_credited" && e.Account == account && e.asset() != (anchor.Asset{}) && e.Amount > 0 {
			return e.asset(), e.Amount, nil
		}
	}
	return anchor.Asset{}, 0, unavailable(&Problem{Type: "incomplete_effects", Status: 200})
}

func assetOf(a xdr.Asset) anchor.Asset {
	if a.Type == xdr.AssetTypeAssetTypeNative {
		return anchor.Native
	}
	return anchor.Asset{Scheme: anchor.Stellar, Code: a.GetCode(), Issuer: a.GetIssuer()}
}

// memoOf is a memo as Horizon writes it.
func memoOf(m xdr.Memo) anchor.Memo {
	switch m.Type {
	case xdr.MemoTypeMemoText:
		return anchor.Memo{Type: anchor.MemoText, Value: strings.ToValidUTF8(*m.Text, "\ufffd")}
	case xdr.MemoTypeMemoId:
		return anchor.IDMemo(uint64(*m.Id))
	case xdr.MemoTypeMemoHash:
		return anchor.Memo{Type: anchor.MemoHash, Value: base64.StdEncoding.EncodeToString(m.Hash[:])}
	case xdr.MemoTypeMemoReturn:
		return anchor.Memo{Type: anchor.MemoReturn, Value: base64.StdEncoding.EncodeToString(m.RetHash[:])}
	case xdr.MemoTypeMemoNone:
	}
	return anchor.Memo{}
}
