package sandbox

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"

	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/xdr"
	xdr3 "github.com/stellar/go-xdr/xdr3"
)

// A transaction is a decoded envelope and what follows from its bytes alone.
type transaction struct {
	raw       []byte // the envelope's XDR
	hash      [32]byte
	innerHash [32]byte // of a fee bump the hash of the inner one, else hash

	feeBump   bool
	fee       int64     // the bid, stroops, for the whole of it
	feeSource accountID // pays
	feeSigs   []xdr.DecoratedSignature

	source     accountID // lends its sequence number
	sequence   int64
	innerFee   int64
	operations []xdr.Operation
	cond       conditions
	sigs       []xdr.DecoratedSignature

	envelope xdr.TransactionEnvelope
	verified map[verification]bool // ed25519 results, so that applying is cheap
}

type verification struct {
	key, message [32]byte
	signature    [64]byte
}

// conditions are the preconditions, in one shape for all their versions.
type conditions struct {
	time         *xdr.TimeBounds
	ledger       *xdr.LedgerBounds
	minSequence  *xdr.SequenceNumber
	minAge       uint64
	minGap       uint32
	extraSigners []xdr.SignerKey
}

// decodeBase64 reads an envelope as clients send it.
func decodeBase64(text, passphrase string) (*transaction, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return decode(raw, passphrase)
}

// maxEnvelope is about how much memory an envelope may take: a few bytes of XDR
// can stand for much.
const maxEnvelope = 1 << 20

func decode(raw []byte, passphrase string) (*transaction, error) {
	t := &transaction{raw: raw, verified: make(map[verification]bool)}
	reader := bytes.NewReader(raw)
	limited := xdr3.NewDecoderWithOptions(reader, xdr3.DecodeOptions{MaxInputLen: len(raw), MaxMemoryBytes: maxEnvelope})
	if _, err := t.envelope.DecodeFrom(limited, xdr3.DecodeDefaultMaxDepth); err != nil {
		return nil, fmt.Errorf("decoding an envelope: %w", err)
	}
	if reader.Len() > 0 {
		return nil, fmt.Errorf("%d bytes follow the envelope", reader.Len())
	}
	env := t.envelope
	var err error
	switch env.Type {
	case xdr.EnvelopeTypeEnvelopeTypeTxV0:
	case xdr.EnvelopeTypeEnvelopeTypeTx:
	case xdr.EnvelopeTypeEnvelopeTypeTxFeeBump:
		t.feeBump = true
		inner := xdr.TransactionEnvelope{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: env.FeeBump.Tx.InnerTx.V1}
		if t.innerHash, err = network.HashTransactionInEnvelope(inner, passphrase); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("not the envelope of a transaction")
	}
	if t.hash, err = network.HashTransactionInEnvelope(env, passphrase); err != nil {
		return nil, err
	}

	t.source = idOfMuxed(env.SourceAccount())
	t.sequence = env.SeqNum()
	t.innerFee = int64(env.Fee())
	t.operations = env.Operations()
	t.sigs = env.Signatures()
	t.cond = conditionsOf(env)
	if t.feeBump {
		t.fee = env.FeeBumpFee()
		t.feeSource = idOfMuxed(env.FeeBumpAccount())
		t.feeSigs = env.FeeBumpSignatures()
	} else {
		t.innerHash = t.hash
		t.fee = t.innerFee
		t.feeSource = t.source
	}
	return t, nil
}

func conditionsOf(env xdr.TransactionEnvelope) conditions {
	p := env.Preconditions()
	switch p.Type {
	case xdr.PreconditionTypePrecondTime:
		return conditions{time: p.TimeBounds}
	case xdr.PreconditionTypePrecondV2:
		return conditions{
			time:         p.V2.TimeBounds,
			ledger:       p.V2.LedgerBounds,
			minSequence:  p.V2.MinSeqNum,
			minAge:       uint64(p.V2.MinSeqAge),
			minGap:       uint32(p.V2.MinSeqLedgerGap),
			extraSigners: p.V2.ExtraSigners,
		}
	}
	return conditions{}
}

// size is the number of operations it takes in a ledger and pays for: a fee
// bump counts as one more.
func (t *transaction) size() int {
	if t.feeBump {
		return len(t.operations) + 1
	}
	return max(1, len(t.operations))
}

// sourceOf is the account an operation acts for.
func (t *transaction) sourceOf(op xdr.Operation) accountID {
	if op.SourceAccount != nil {
		return idOfMuxed(*op.SourceAccount)
	}
	return t.source
}

// actorOf is that account as it is named, maybe muxed.
func (t *transaction) actorOf(op xdr.Operation) xdr.MuxedAccount {
	if op.SourceAccount != nil {
		return *op.SourceAccount
	}
	return t.envelope.SourceAccount()
}

// charge is the fee at a base fee, never more than was bid.
func (t *transaction) charge(perOperation int64) int64 {
	return min(t.fee, perOperation*int64(t.size()))
}

// compareRates orders by fee per operation, without rounding.
func compareRates(feeA int64, sizeA int, feeB int64, sizeB int) int {
	hiA, loA := bits.Mul64(uint64(feeA), uint64(sizeB))
	hiB, loB := bits.Mul64(uint64(feeB), uint64(sizeA))
	switch {
	case hiA != hiB:
		return boolSign(hiA > hiB)
	case loA != loB:
		return boolSign(loA > loB)
	}
	return 0
}

func boolSign(greater bool) int {
	if greater {
		return 1
	}
	return -1
}

// A checker counts the signatures of one envelope and which were of use.
type checker struct {
	tx      *transaction
	hash    [32]byte
	sigs    []xdr.DecoratedSignature
	used    []bool
	trusted bool // replaying what was checked before it was stored
}

func (t *transaction) checker(trusted bool) *checker {
	return &checker{tx: t, hash: t.innerHash, sigs: t.sigs, used: make([]bool, len(t.sigs)), trusted: trusted}
}

func (t *transaction) feeChecker(trusted bool) *checker {
	return &checker{tx: t, hash: t.hash, sigs: t.feeSigs, used: make([]bool, len(t.feeSigs)), trusted: trusted}
}

// signed says whether the signatures of these keys weigh enough. Even at a
// threshold of 0 there must be one.
func (c *checker) signed(keys []signer, threshold byte) bool {
	if c.trusted {
		return true
	}
	total := 0
	for _, k := range keys {
		if k.key.Type == xdr.SignerKeyTypeSignerKeyTypePreAuthTx && *k.key.PreAuthTx == c.hash {
			if total += int(k.weight); total >= int(threshold) {
				return true
			}
		}
	}
	// Each kind in turn; a key counts once however often it signed.
	for _, kind := range []xdr.SignerKeyType{
		xdr.SignerKeyTypeSignerKeyTypeHashX,
		xdr.SignerKeyTypeSignerKeyTypeEd25519,
		xdr.SignerKeyTypeSignerKeyTypeEd25519SignedPayload,
	} {
		spent := make([]bool, len(keys))
		for i, sig := range c.sigs {
			for j, k := range keys {
				if spent[j] || k.key.Type != kind || !c.matches(sig, k.key) {
					continue
				}
				spent[j], c.used[i] = true, true
				if total += int(k.weight); total >= int(threshold) {
					return true
				}
				break
			}
		}
	}
	return false
}

// allUsed says whether no signature was superfluous.
func (c *checker) allUsed() bool {
	for _, used := range c.used {
		if !used && !c.trusted {
			return false
		}
	}
	return true
}

func (c *checker) matches(sig xdr.DecoratedSignature, key xdr.SignerKey) bool {
	switch key.Type {
	case xdr.SignerKeyTypeSignerKeyTypeHashX:
		return bytes.Equal(sig.Hint[:], key.HashX[28:]) && sha256.Sum256(sig.Signature) == *key.HashX
	case xdr.SignerKeyTypeSignerKeyTypeEd25519:
		return bytes.Equal(sig.Hint[:], key.Ed25519[28:]) && c.verify(*key.Ed25519, c.hash[:], sig.Signature)
	case xdr.SignerKeyTypeSignerKeyTypeEd25519SignedPayload:
		p := key.Ed25519SignedPayload
		return sig.Hint == payloadHint(p) && c.verify(p.Ed25519, p.Payload, sig.Signature)
	}
	return false
}

// payloadHint is the key's hint XOR the payload's last four bytes (CAP-40).
func payloadHint(p *xdr.SignerKeyEd25519SignedPayload) (hint xdr.SignatureHint) {
	copy(hint[:], p.Ed25519[28:])
	tail := p.Payload
	if len(tail) > 4 {
		tail = tail[len(tail)-4:]
	}
	for i, b := range tail {
		hint[i] ^= b
	}
	return hint
}

func (c *checker) verify(key [32]byte, message, signature []byte) bool {
	if len(signature) != ed25519.SignatureSize {
		return false
	}
	v := verification{key, sha256.Sum256(message), [64]byte(signature)}
	ok, known := c.tx.verified[v]
	if !known {
		ok = ed25519.Verify(key[:], message, signature)
		c.tx.verified[v] = ok
	}
	return ok
}

// verifyAhead checks the signatures that look like those of the accounts named
// in the transaction, so that nobody waits for it under a lock.
func (t *transaction) verifyAhead() {
	accounts := map[accountID]bool{t.source: true, t.feeSource: true}
	for _, op := range t.operations {
		accounts[t.sourceOf(op)] = true
	}
	for _, c := range []*checker{t.checker(false), t.feeChecker(false)} {
		for _, sig := range c.sigs {
			for id := range accounts {
				c.matches(sig, id.signerKey())
			}
		}
	}
}
