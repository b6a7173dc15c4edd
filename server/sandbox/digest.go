package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// digest is the chained hash of the state once these changes are in.
func (v *view) digest(previous [32]byte, feePool int64) [32]byte {
	h := sha256.New()
	h.Write(previous[:])
	var buf []byte
	buf = binary.BigEndian.AppendUint64(buf, uint64(feePool))
	for _, id := range slices.SortedFunc(maps.Keys(v.changed), func(a, b accountID) int { return bytes.Compare(a[:], b[:]) }) {
		buf = append(buf, id[:]...)
		buf = v.changed[id].appendTo(buf)
	}
	for _, id := range slices.SortedFunc(maps.Keys(v.balances), func(a, b balanceID) int { return bytes.Compare(a[:], b[:]) }) {
		buf = append(buf, id[:]...)
		buf = v.balances[id].appendTo(buf)
	}
	h.Write(buf)
	return [32]byte(h.Sum(nil))
}

// appendTo writes the account in a form that differs whenever it differs.
func (a *account) appendTo(b []byte) []byte {
	if a == nil {
		return append(b, 0)
	}
	be := binary.BigEndian
	b = append(b, 1)
	b = be.AppendUint64(b, uint64(a.balance))
	b = be.AppendUint64(b, uint64(a.sequence))
	b = be.AppendUint32(b, a.seqLedger)
	b = be.AppendUint64(b, uint64(a.seqTime))
	b = be.AppendUint32(b, uint32(a.flags))
	b = append(b, a.thresholds[:]...)
	b = appendBytes(b, a.homeDomain)
	b = appendOptional(b, a.inflation)
	b = be.AppendUint32(b, uint32(len(a.signers)))
	for _, s := range a.signers {
		b = append(appendBytes(b, s.key.Address()), s.weight)
		b = appendOptional(b, s.sponsor)
	}
	b = be.AppendUint32(b, uint32(len(a.lines)))
	for _, l := range a.lines {
		b = l.asset.appendTo(b)
		b = be.AppendUint64(b, uint64(l.balance))
		b = be.AppendUint64(b, uint64(l.limit))
		b = be.AppendUint32(b, uint32(l.flags))
		b = appendOptional(b, l.sponsor)
		b = be.AppendUint32(b, l.modified)
	}
	b = be.AppendUint32(b, uint32(len(a.data)))
	for _, d := range a.data {
		b = appendBytes(appendBytes(b, d.name), d.value)
		b = appendOptional(b, d.sponsor)
		b = be.AppendUint32(b, d.modified)
	}
	b = appendOptional(b, a.sponsor)
	b = be.AppendUint32(b, a.sponsored)
	b = be.AppendUint32(b, a.sponsoring)
	return be.AppendUint32(b, a.modified)
}

// appendTo is account.appendTo for a claimable balance.
func (c *claimable) appendTo(b []byte) []byte {
	if c == nil {
		return append(b, 0)
	}
	be := binary.BigEndian
	b = c.asset.appendTo(append(b, 1))
	b = be.AppendUint64(b, uint64(c.amount))
	b = be.AppendUint32(b, uint32(len(c.claimants)))
	for _, claimant := range c.claimants {
		b = appendBytes(b, mustEncode(claimant))
	}
	b = append(b, c.sponsor[:]...)
	if c.clawback {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return be.AppendUint32(b, c.modified)
}

func (a asset) appendTo(b []byte) []byte {
	b = append(b, byte(a.kind))
	b = append(b, a.code[:]...)
	return append(b, a.issuer[:]...)
}

// appendBytes writes the length, then the bytes.
func appendBytes[T string | []byte](b []byte, text T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...)
}

func appendOptional(b []byte, id *accountID) []byte {
	if id == nil {
		return append(b, 0)
	}
	return append(append(b, 1), id[:]...)
}

// mustEncode is the XDR of what was decoded before and can be encoded again.
func mustEncode(v interface{ MarshalBinary() ([]byte, error) }) []byte {
	raw, err := v.MarshalBinary()
	if err != nil {
		panic(fmt.Sprintf("sandbox: %T cannot be encoded: %v", v, err))
	}
	return raw
}
