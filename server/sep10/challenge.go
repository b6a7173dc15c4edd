package sep10

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
)

// challenge is what a challenge transaction says.
type challenge struct {
	identity  anchor.Identity // Client is the client domain
	home      string
	clientKey string // the client domain's account; "" if none is named

	// Of a signed one:
	until      time.Time
	hash       [32]byte
	signatures []xdr.DecoratedSignature
}

// nonceBytes is the size of a challenge's nonce before it is encoded.
const nonceBytes = 48

// build makes and signs the transaction (SEP-10, "Response"). Its minimum time
// is now: wallets and the official tests look.
func (h *Handler) build(c challenge, now time.Time) (string, error) {
	nonce := make([]byte, nonceBytes)
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("make a nonce: %w", err)
	}
	server := h.cfg.Signing.Address()
	client := c.identity.Account
	if c.identity.Muxed != "" {
		client = c.identity.Muxed
	}
	p := txnbuild.TransactionParams{
		// Sequence number 0 can never be submitted.
		SourceAccount: &txnbuild.SimpleAccount{AccountID: server, Sequence: 0},
		Operations: []txnbuild.Operation{
			&txnbuild.ManageData{SourceAccount: client, Name: c.home + auth, Value: []byte(base64.StdEncoding.EncodeToString(nonce))},
			&txnbuild.ManageData{SourceAccount: server, Name: webAuthDomain, Value: []byte(h.cfg.WebAuthDomain)},
		},
		BaseFee:       txnbuild.MinBaseFee,
		Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewTimebounds(now.Unix(), now.Add(h.cfg.ChallengeLife).Unix())},
	}
	if c.clientKey != "" {
		p.Operations = append(p.Operations,
			&txnbuild.ManageData{SourceAccount: c.clientKey, Name: clientDomain, Value: []byte(c.identity.Client)})
	}
	if c.identity.Memo != "" {
		id, err := strconv.ParseUint(c.identity.Memo, 10, 64)
		if err != nil {
			return "", fmt.Errorf("memo: %w", err)
		}
		p.Memo = txnbuild.MemoID(id)
	}
	tx, err := txnbuild.NewTransaction(p)
	if err != nil {
		return "", fmt.Errorf("build a challenge: %w", err)
	}
	if tx, err = tx.Sign(h.cfg.NetworkPassphrase, h.cfg.Signing); err != nil {
		return "", fmt.Errorf("sign a challenge: %w", err)
	}
	return tx.Base64()
}

// The keys of the operations after the first.
const (
	webAuthDomain = "web_auth_domain"
	clientDomain  = "client_domain"
)

// auth follows the home domain in the key of the first operation.
const auth = " auth"

const (
	// maxChallenge is far more than a challenge with all its twenty signatures
	// has, in base64; maxNesting and maxMemory are that for its structure.
	maxChallenge = 16 << 10
	maxNesting   = 64
	maxMemory    = 256 << 10
	// skew is how much the clocks of two processes may differ.
	skew = time.Minute
)

// read checks everything about a signed challenge but the signatures beside the
// server's: those depend on the ledger. Errors are Invalid.
//
// The SDK's ReadChallengeTx does the same, but knows no client_domain, and builds
// every kind of operation before it refuses it.
func (h *Handler) read(text string, now time.Time) (*challenge, error) {
	if len(text) > maxChallenge {
		return nil, refuse("transaction is larger than any challenge")
	}
	var tx xdr.TransactionEnvelope
	if err := xdr.SafeUnmarshalBase64WithOptions(text, &tx, xdr.DecodeOptions{MaxDepth: maxNesting, MaxMemoryBytes: maxMemory}); err != nil {
		return nil, refuse("transaction is not a transaction envelope in base64 XDR")
	}
	if tx.IsFeeBump() {
		return nil, refuse("a challenge cannot be a fee bump")
	}
	server := h.cfg.Signing.Address()
	bounds, source := tx.TimeBounds(), tx.SourceAccount()
	switch {
	case source.Address() != server:
		return nil, refuse("the challenge's source account is not the server's")
	case tx.SeqNum() != 0:
		return nil, refuse("the challenge's sequence number is not 0")
	case bounds == nil || bounds.MaxTime == 0:
		return nil, refuse("the challenge has no time bounds")
	case bounds.MinTime > point(now.Add(skew)):
		return nil, refuse("the challenge is not valid yet")
	case bounds.MaxTime < point(now):
		return nil, refuse("the challenge has expired; ask for another")
	case bounds.MaxTime > point(now.Add(h.cfg.ChallengeLife+skew)):
		return nil, refuse("the challenge lives longer than ours do; ask for another")
	}
	c := &challenge{until: time.Unix(int64(bounds.MaxTime), 0).Add(skew), signatures: tx.Signatures()}
	if err := h.readOperations(c, &tx); err != nil {
		return nil, err
	}
	var err error
	if c.hash, err = network.HashTransactionInEnvelope(tx, h.cfg.NetworkPassphrase); err != nil {
		return nil, refuse("the challenge cannot be hashed")
	}
	for _, s := range c.signatures {
		if _, err := signerOf(c.hash, s, []string{server}); err == nil {
			return c, nil
		}
	}
	return nil, refuse("the challenge is not signed by the server for this network")
}

// point is a time after 1970 as transactions write it.
func point(t time.Time) xdr.TimePoint {
	return xdr.TimePoint(t.Unix())
}

// readOperations reads whom a challenge is about. All of its operations set
// data; the first is the client's, the others the server's, but for the client
// domain's.
func (h *Handler) readOperations(c *challenge, tx *xdr.TransactionEnvelope) error {
	server, webAuth := h.cfg.Signing.Address(), false
	for i, operation := range tx.Operations() {
		data, ok := operation.Body.GetManageDataOp()
		switch {
		case !ok:
			return refuse("every operation of a challenge must be manage_data")
		case operation.SourceAccount == nil:
			return refuse("every operation of a challenge must have a source account")
		}
		source, name, value := operation.SourceAccount.Address(), string(data.DataName), ""
		if data.DataValue != nil {
			value = string(*data.DataValue)
		}
		switch {
		case i == 0:
			if err := h.readClient(c, source, name, value, tx.Memo()); err != nil {
				return err
			}
		case name == clientDomain && source == server:
			return errServersKey
		case name == clientDomain:
			if c.clientKey != "" {
				return refuse("the challenge names two client domains")
			}
			c.clientKey, c.identity.Client = source, value
		case source != server:
			return refuse("an operation of the challenge has another source account than the server's")
		case name == webAuthDomain:
			if value != h.cfg.WebAuthDomain {
				return refuse("the challenge is for the web_auth_domain %q, and this is %q", value, h.cfg.WebAuthDomain)
			}
			webAuth = true
		}
	}
	if c.identity == (anchor.Identity{}) {
		return refuse("the challenge has no operation")
	}
	if !webAuth {
		return refuse("the challenge names no web_auth_domain")
	}
	return nil
}

// readClient reads a challenge's first operation and memo.
func (h *Handler) readClient(c *challenge, subject, name, value string, memo xdr.Memo) error {
	home, ok := strings.CutSuffix(name, auth)
	if !ok || !h.serves(home) {
		return refuse("the challenge is for another home domain")
	}
	c.home = home
	if nonce, err := base64.StdEncoding.DecodeString(value); err != nil || len(nonce) != nonceBytes || len(value) != base64.StdEncoding.EncodedLen(nonceBytes) {
		return refuse("the challenge's nonce is not %d bytes in base64", nonceBytes)
	}
	if memo.Type != xdr.MemoTypeMemoNone {
		id, ok := memo.GetId()
		if !ok {
			return refuse("the challenge's memo must be of type id")
		}
		if subject[0] == 'M' {
			return refuse("a challenge for a muxed account has no memo")
		}
		subject += fmt.Sprintf(":%d", id)
	}
	var err error
	if c.identity, err = anchor.ParseSubject(subject, ""); err != nil {
		return refuse("the challenge's first operation has no usable source account")
	}
	return nil
}
