package sandbox

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

const (
	friendbotBalance  = "10000" // lumens a new account gets
	channelBalance    = "1000"  // lumens a channel account gets, for fees
	friendbotChannels = 100     // transactions it can have in one ledger
)

// A friendbot creates accounts with lumens of the root account. Channel
// accounts lend their sequence numbers, since an account can have only one
// transaction in a ledger.
type friendbot struct {
	network  *Network
	root     *keypair.Full
	channels []*keypair.Full
}

func newFriendbot(n *Network, root *keypair.Full) (*friendbot, error) {
	f := &friendbot{network: n, root: root}
	for i := range min(friendbotChannels, n.cfg.MaxOps) {
		seed := sha256.Sum256(fmt.Appendf(nil, "friendbot channel %d of %s", i, n.cfg.Passphrase))
		key, err := keypair.FromRawSeed(seed)
		if err != nil {
			return nil, err
		}
		f.channels = append(f.channels, key)
	}
	return f, nil
}

// createChannels puts the channel accounts into the second ledger.
func (f *friendbot) createChannels() error {
	var ops []txnbuild.Operation
	for _, c := range f.channels {
		ops = append(ops, &txnbuild.CreateAccount{Destination: c.Address(), Amount: channelBalance})
	}
	t, err := f.build(f.root, 1, ops, f.root)
	if err != nil {
		return err
	}
	if st, result := f.network.enqueue(t); st != statusPending {
		return fmt.Errorf("creating friendbot's channels: %s %s", st, codesOf(result).Transaction)
	}
	return f.network.closeLedger()
}

func (f *friendbot) build(source *keypair.Full, sequence int64, ops []txnbuild.Operation, signers ...*keypair.Full) (*transaction, error) {
	tx, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: source.Address(), Sequence: sequence},
		Operations:    ops,
		BaseFee:       max(baseFee, f.network.queue.surge.BaseFee),
		Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewInfiniteTimeout()},
	})
	if err == nil {
		tx, err = tx.Sign(f.network.cfg.Passphrase, signers...)
	}
	if err != nil {
		return nil, fmt.Errorf("building friendbot's transaction: %w", err)
	}
	text, err := tx.Base64()
	if err != nil {
		return nil, err
	}
	return decodeBase64(text, f.network.cfg.Passphrase)
}

// send puts a funding transaction into the queue, through a channel account
// that has nothing pending. It waits for the next ledger while there is none.
func (f *friendbot) send(ctx context.Context, to string) (*transaction, chan *closedTransaction, error) {
	for {
		t, wait, news, err := f.trySend(to)
		if t != nil || err != nil {
			return t, wait, err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, nil, errBusy
		case <-f.network.stopping:
			return nil, nil, errBusy
		}
	}
}

func (f *friendbot) trySend(to string) (*transaction, chan *closedTransaction, chan struct{}, error) {
	n := f.network
	n.mu.RLock()
	defer n.mu.RUnlock()
	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	for _, channel := range f.channels {
		id := idOf(xdr.MustAddress(channel.Address()))
		source := n.state.account(id)
		if source == nil || n.queue.pending[id] != nil {
			continue
		}
		t, err := f.build(channel, source.sequence+1, []txnbuild.Operation{&txnbuild.CreateAccount{
			SourceAccount: f.root.Address(), Destination: to, Amount: friendbotBalance,
		}}, channel, f.root)
		if err != nil {
			return nil, nil, nil, err
		}
		st, result := n.queue.add(t, &view{below: n.state}, n.submitMoment())
		switch {
		case st == statusPending:
			return t, n.await(t.hash), nil, nil
		case st == statusError && result.Result.Code == xdr.TransactionResultCodeTxInsufficientBalance:
			continue // this one has paid its last fee
		case st == statusError && result.Result.Code != xdr.TransactionResultCodeTxInsufficientFee:
			return nil, nil, nil, fmt.Errorf("friendbot's transaction: %s", codesOf(result).Transaction)
		}
		return nil, nil, n.news, nil
	}
	return nil, nil, n.news, nil
}

var errBusy = problem{Type: "timeout", Title: "Timeout", Status: http.StatusGatewayTimeout,
	Detail: "friendbot had no channel account free in time; try again"}

var errFunded = problem{Type: "bad_request", Title: "Bad Request", Status: http.StatusBadRequest,
	Detail: "account already funded to starting balance"}

// friendbot answers GET and POST /friendbot?addr=G….
func (a *api) friendbot(r *request) (any, error) {
	addr := r.FormValue("addr")
	key, err := strkey.Decode(strkey.VersionByteAccountID, addr)
	if err != nil {
		return nil, invalidField("addr", err.Error())
	}
	a.mu.RLock()
	exists := a.state.account(accountID(key)) != nil
	a.mu.RUnlock()
	if exists {
		return nil, errFunded
	}

	// The account is funded even if the client goes away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), submitTimeout)
	defer cancel()
	t, wait, err := a.bot.send(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer a.forget(t.hash, wait)
	select {
	case done := <-wait:
		switch {
		case done == nil: // the ledgers were replaced
		case !done.success:
			// Its channel and funds are in order: somebody else was quicker.
			return nil, errFunded
		default:
			return a.outcome(r, done, t)
		}
	case <-ctx.Done():
	case <-a.stopping:
	}
	return nil, timeoutProblem(t)
}
