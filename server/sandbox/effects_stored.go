package sandbox

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stellar/go-stellar-sdk/amount"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// Effects are kept with their transaction, in few bytes since there are more of
// them than of anything else. A key that the envelope holds, such as that of an
// account, is told by its place there; amounts and numbers are varints; the
// names of details are numbers.

// detailNames is in the order of their numbers: add new ones at the end.
var detailNames = []string{
	"amount", "asset", "asset_code", "asset_issuer", "asset_type", "auth_required_flag", "authorized_flag",
	"balance_id", "bought_amount", "bought_asset_code", "bought_asset_issuer", "bought_asset_type",
	"claimable_balance_clawback_enabled_flag", "clawback_enabled_flag", "data_name", "former_sponsor",
	"high_threshold", "home_domain", "key", "limit", "low_threshold", "med_threshold", "name", "new_seq",
	"new_sponsor", "offer_id", "predicate", "public_key", "seller", "signer", "sold_amount", "sold_asset_code",
	"sold_asset_issuer", "sold_asset_type", "sponsor", "starting_balance", "trustor", "value", "weight",
}

// What kind of value follows.
const (
	packedText = iota
	packedJSON
	packedAddress
	packedAmount
	packedAsset
	packedBalance
)

// A storedEffect is an effect and which of its transaction it is.
type storedEffect struct {
	effect
	op    uint32 // 1-based
	order uint32 // in the operation, 1-based
}

// storeEffects packs the effects of a transaction's operations.
func storeEffects(envelope []byte, ops [][]effect) []byte {
	w := &effectWriter{envelope: envelope}
	for i, effects := range ops {
		for _, e := range effects {
			w.number(uint64(i + 1))
			w.effect(e)
		}
	}
	return slices.Clip(w.b)
}

type effectWriter struct{ envelope, b []byte }

func (w *effectWriter) effect(e effect) {
	kind, known := effectKinds[e.kind]
	if !known {
		panic("sandbox: no effect is called " + e.kind)
	}
	w.number(uint64(kind))
	if id := e.account.Med25519; id != nil {
		w.number(1)
		w.number(uint64(id.Id))
	} else {
		w.number(0)
	}
	key := idOfMuxed(e.account)
	w.key(key[:])
	w.number(uint64(len(e.details)))
	for _, d := range e.details {
		if i := slices.Index(detailNames, d.key); i >= 0 {
			w.number(uint64(i + 1))
		} else {
			w.number(0)
			w.bytes([]byte(d.key))
		}
		w.value(d.value)
	}
}

func (w *effectWriter) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *effectWriter) bytes(b []byte) {
	w.number(uint64(len(b)))
	w.b = append(w.b, b...)
}

// key writes 32 bytes as their place in the envelope, if they are there.
func (w *effectWriter) key(key []byte) {
	place := bytes.Index(w.envelope, key)
	w.number(uint64(place + 1))
	if place < 0 {
		w.b = append(w.b, key...)
	}
}

func (w *effectWriter) value(v any) {
	text, ok := v.(string)
	if !ok {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(fmt.Sprintf("sandbox: an effect has a detail that is no JSON: %v", err))
		}
		w.number(packedJSON)
		w.bytes(raw)
		return
	}
	if key, ok := addressKey(text); ok {
		w.number(packedAddress)
		w.key(key)
		return
	}
	if n, err := amount.ParseInt64(text); err == nil && amount.StringFromInt64(n) == text {
		w.number(packedAmount)
		w.b = binary.AppendVarint(w.b, n)
		return
	}
	if code, issuer, ok := strings.Cut(text, ":"); ok {
		if key, ok := addressKey(issuer); ok {
			w.number(packedAsset)
			w.bytes([]byte(code))
			w.key(key)
			return
		}
	}
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == 36 && balanceID(raw[4:]).String() == text {
		w.number(packedBalance)
		w.key(raw[4:])
		return
	}
	w.number(packedText)
	w.bytes([]byte(text))
}

// addressKey is the key in a G… address.
func addressKey(text string) ([]byte, bool) {
	if len(text) != 56 {
		return nil, false
	}
	key, err := strkey.Decode(strkey.VersionByteAccountID, text)
	return key, err == nil
}

// readEffects unpacks what storeEffects packed.
func readEffects(envelope, stored []byte) []storedEffect {
	var out []storedEffect
	r := &effectReader{envelope: envelope, b: stored}
	for len(r.b) > 0 {
		e := storedEffect{op: uint32(r.number()), order: 1}
		if last := len(out) - 1; last >= 0 && out[last].op == e.op {
			e.order = out[last].order + 1
		}
		e.effect = r.effect()
		out = append(out, e)
	}
	return out
}

type effectReader struct{ envelope, b []byte }

func (r *effectReader) effect() effect {
	e := effect{kind: effectNames[int32(r.number())]}
	var mux *xdr.Uint64
	if r.number() == 1 {
		id := xdr.Uint64(r.number())
		mux = &id
	}
	e.account = muxedAccount(accountID(r.key()), mux)
	for n := r.number(); n > 0; n-- {
		var d detail
		if i := r.number(); i > 0 {
			d.key = detailNames[i-1]
		} else {
			d.key = string(r.bytes())
		}
		d.value = r.value()
		e.details = append(e.details, d)
	}
	return e
}

func muxedAccount(id accountID, mux *xdr.Uint64) xdr.MuxedAccount {
	key := xdr.Uint256(id)
	if mux == nil {
		return xdr.MuxedAccount{Type: xdr.CryptoKeyTypeKeyTypeEd25519, Ed25519: &key}
	}
	return xdr.MuxedAccount{Type: xdr.CryptoKeyTypeKeyTypeMuxedEd25519, Med25519: &xdr.MuxedAccountMed25519{Id: *mux, Ed25519: key}}
}

func (r *effectReader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	r.take(size)
	return n
}

func (r *effectReader) bytes() []byte { return r.take(int(r.number())) }

func (r *effectReader) key() []byte {
	if place := r.number(); place > 0 {
		return r.envelope[place-1:][:32]
	}
	return r.take(32)
}

func (r *effectReader) value() any {
	switch kind := r.number(); kind {
	case packedText:
		return string(r.bytes())
	case packedJSON:
		return json.RawMessage(r.bytes())
	case packedAddress:
		return accountID(r.key()).String()
	case packedAmount:
		n, size := binary.Varint(r.b)
		r.take(size)
		return amount.StringFromInt64(n)
	case packedAsset:
		code := string(r.bytes())
		return code + ":" + accountID(r.key()).String()
	case packedBalance:
		return balanceID(r.key()).String()
	default:
		panic("sandbox: stored effects of a kind " + strconv.FormatUint(kind, 10))
	}
}

// take is the next n bytes.
func (r *effectReader) take(n int) []byte {
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}
