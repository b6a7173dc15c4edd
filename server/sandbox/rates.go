package sandbox

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// A Rate lets path payments exchange one asset for another, as an offer without
// end would. It is an account that exchanges: what it sells leaves its balance
// and what it buys comes there, so it needs trust lines for both, but for what
// it issues itself. If it does not have what it sells, or no room for what it
// buys, there is no such offer for this payment.
type Rate struct {
	Account     string // G…
	Sells, Buys string // "native" or "CODE:G…"
	// N/D is the exact price: so much it takes for one unit of what it sells.
	N, D int32
}

// UnmarshalText reads a rate's parts in their order: "G… EURW:G… native 11/10".
func (r *Rate) UnmarshalText(text []byte) error {
	parts := strings.Fields(string(text))
	if len(parts) != 4 {
		return fmt.Errorf("%q: a rate is an account, what it sells, what it buys and a price such as 11/10", text)
	}
	n, d, _ := strings.Cut(parts[3], "/")
	if d == "" {
		d = "1"
	}
	over, err := strconv.ParseInt(n, 10, 32)
	under, errUnder := strconv.ParseInt(d, 10, 32)
	if err != nil || errUnder != nil {
		return fmt.Errorf("%q: a price is two whole numbers such as 11/10", parts[3])
	}
	*r = Rate{Account: parts[0], Sells: parts[1], Buys: parts[2], N: int32(over), D: int32(under)}
	return nil
}

// A rate is a Rate that was read. Its number is its place in the list, from 1.
type rate struct {
	seller       accountID
	sells, buys  asset
	number, n, d uint32
}

// readRates: of each pair there is at most one.
func readRates(list []Rate) ([]rate, error) {
	var out []rate
	for i, r := range list {
		key, err := strkey.Decode(strkey.VersionByteAccountID, r.Account)
		if err != nil {
			return nil, fmt.Errorf("rate %d: the account: %w", i+1, err)
		}
		sells, ok := parseAsset(r.Sells)
		buys, alsoOK := parseAsset(r.Buys)
		switch {
		case !ok || !alsoOK:
			return nil, fmt.Errorf("rate %d: %q for %q: an asset is native or CODE:G…", i+1, r.Sells, r.Buys)
		case sells == buys:
			return nil, fmt.Errorf("rate %d: %s for itself", i+1, r.Sells)
		case r.N <= 0 || r.D <= 0:
			return nil, fmt.Errorf("rate %d: the price %d/%d is not above zero", i+1, r.N, r.D)
		case findRate(out, sells, buys) != nil:
			return nil, fmt.Errorf("rate %d: a second one of %s for %s", i+1, r.Sells, r.Buys)
		}
		out = append(out, rate{accountID(key), sells, buys, uint32(i + 1), uint32(r.N), uint32(r.D)})
	}
	return out, nil
}

func findRate(rates []rate, sells, buys asset) *rate {
	for i, r := range rates {
		if r.sells == sells && r.buys == buys {
			return &rates[i]
		}
	}
	return nil
}

// cost is what it takes to get an amount, sold what one gets for an amount: in
// favour of who exchanges, as an offer's price is. Both are false for what is
// no amount.
func (r *rate) cost(amount int64) (int64, bool) { return mulDiv(amount, r.n, r.d, r.d-1) }
func (r *rate) sold(amount int64) (int64, bool) { return mulDiv(amount, r.d, r.n, 0) }

// mulDiv is (a*b+more)/c, rounded down.
func mulDiv(a int64, b, c, more uint32) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, uint64(more), 0)
	if hi += carry; hi >= uint64(c) {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q), q <= math.MaxInt64
}

// ratesUsed are the rates, if one of the transactions could use them: those
// must be known to replay the ledger, whatever the rates are by then.
func ratesUsed(rates []rate, txs []applied) []rate {
	for _, a := range txs {
		for _, op := range a.tx.operations {
			if op.Body.Type == xdr.OperationTypePathPaymentStrictSend || op.Body.Type == xdr.OperationTypePathPaymentStrictReceive {
				return rates
			}
		}
	}
	return nil
}

// appendTo writes a rate into a stored ledger.
func (r rate) appendTo(b []byte) []byte {
	b = append(b, r.seller[:]...)
	b = r.buys.appendTo(r.sells.appendTo(b))
	b = binary.BigEndian.AppendUint32(b, r.n)
	return binary.BigEndian.AppendUint32(b, r.d)
}

// rate reads what rate.appendTo wrote.
func (r *reader) rate(number uint32) rate {
	out := rate{seller: accountID(r.bytes(32)), number: number}
	for _, a := range []*asset{&out.sells, &out.buys} {
		a.kind = xdr.AssetType(r.bytes(1)[0])
		copy(a.code[:], r.bytes(12))
		a.issuer = accountID(r.bytes(32))
	}
	out.n, out.d = r.uint32(), r.uint32()
	return out
}
