package sandbox

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// A closedLedger is one ledger of history: enough for its header.
type closedLedger struct {
	seq        uint32
	closeTime  int64 // seconds since 1970
	hash       [32]byte
	txSetHash  [32]byte
	resultHash [32]byte
	stateHash  [32]byte
	feePool    int64
	maxOps     uint32
	perOp      int64 // the base fee charged, above baseFee in a surge
	txs        []*closedTransaction
	rates      []rate // if a transaction could use them
}

// A closedTransaction is one transaction of history. It never changes, so it
// may be read without a lock.
type closedTransaction struct {
	ledger  uint32
	order   uint32 // 1-based
	time    int64  // when the ledger closed
	ops     uint32
	success bool
	feeBump bool
	hash    [32]byte
	inner   [32]byte // equal to hash unless it is a fee bump
	raw     []byte   // envelope
	result  []byte   // XDR
	effects []byte   // see storeEffects
	charged int64
	bid     int64
}

// A position is a place in the total order of ledgers, transactions and
// operations (SEP-35): 32 bits of ledger, 20 of transaction, 12 of operation.
type position int64

func at(ledger, order, op uint32) position {
	return position(int64(ledger)<<32 | int64(order)<<12 | int64(op))
}

func (p position) ledger() uint32 { return uint32(p >> 32) }
func (p position) order() uint32  { return uint32(p>>12) & 0xfffff }
func (p position) op() uint32     { return uint32(p) & 0xfff }

// A history is all ledgers, with what is needed to find things in them.
type history struct {
	passphrase string
	ledgers    []*closedLedger // from 1, without gaps
	byHash     map[[32]byte]position
	timeline                            // the network's
	of         map[accountID]*timeline  // what each account took part in
	balanceOps map[balanceID][]position // operations on each claimable balance there was
}

// A timeline is what happened, ascending. What lists leave out is kept apart, so
// that none of them has to search a long history for the few it shows.
type timeline struct {
	txs, failedTxs           []position
	ops, failedOps           []position
	payments, failedPayments []position // those of the operations
	touched                  []position // operations of others that changed the account
}

func (l *timeline) addTransaction(p position, success bool) {
	if success {
		l.txs = append(l.txs, p)
	} else {
		l.failedTxs = append(l.failedTxs, p)
	}
}

func (l *timeline) addOperation(p position, success, payment bool) {
	ops, payments := &l.ops, &l.payments
	if !success {
		ops, payments = &l.failedOps, &l.failedPayments
	}
	*ops = append(*ops, p)
	if payment {
		*payments = append(*payments, p)
	}
}

// transactions and operations are the lists that make up what was asked for.
func (l *timeline) transactions(failedToo bool) [][]position {
	switch {
	case l == nil:
		return nil
	case failedToo:
		return [][]position{l.txs, l.failedTxs}
	}
	return [][]position{l.txs}
}

// touch notes what an operation did to an account that takes no part in it.
func (l *timeline) touch(p position) {
	if len(l.touched) == 0 || l.touched[len(l.touched)-1] != p {
		l.touched = append(l.touched, p)
	}
}

// changing is the lists of operations that may have effects.
func (l *timeline) changing() [][]position {
	if l == nil {
		return nil
	}
	return [][]position{l.ops, l.touched}
}

func (l *timeline) operations(paymentsOnly, failedToo bool) [][]position {
	if l == nil {
		return nil
	}
	lists := [][]position{l.ops, l.failedOps}
	if paymentsOnly {
		lists = [][]position{l.payments, l.failedPayments}
	}
	if !failedToo {
		lists = lists[:1]
	}
	return lists
}

func newHistory(passphrase string) *history {
	return &history{
		passphrase: passphrase,
		byHash:     make(map[[32]byte]position),
		of:         make(map[accountID]*timeline),
		balanceOps: make(map[balanceID][]position),
	}
}

func (h *history) last() *closedLedger { return h.ledgers[len(h.ledgers)-1] }

// ledger finds one by its number, nil if it is not closed.
func (h *history) ledger(seq uint32) *closedLedger {
	if seq == 0 || int(seq) > len(h.ledgers) {
		return nil
	}
	return h.ledgers[seq-1]
}

func (t *closedTransaction) closedAt() time.Time { return time.Unix(t.time, 0).UTC() }

func (h *history) at(p position) *closedTransaction {
	return h.ledger(p.ledger()).txs[p.order()-1]
}

// transaction finds one by its hash; a fee bump also by the inner hash.
func (h *history) transaction(hash [32]byte) *closedTransaction {
	p, ok := h.byHash[hash]
	if !ok {
		return nil
	}
	return h.at(p)
}

// knows says whether the account ever took part in a transaction.
func (h *history) knows(id accountID) bool { return h.of[id] != nil }

func (h *history) timelineOf(id accountID) *timeline {
	l := h.of[id]
	if l == nil {
		l = new(timeline)
		h.of[id] = l
	}
	return l
}

// add appends a ledger.
func (h *history) add(l *closedLedger, txs []applied) {
	h.ledgers = append(h.ledgers, l)
	for i, a := range txs {
		t := l.txs[i]
		p := at(l.seq, t.order, 0)
		h.byHash[t.hash] = p
		// An inner transaction that failed without using up its sequence
		// number may land again: keep the one that succeeded.
		if before := h.transaction(t.inner); before == nil || !before.success {
			h.byHash[t.inner] = p
		}
		h.addTransaction(p, t.success)
		concerned := map[accountID]bool{a.tx.source: true, a.tx.feeSource: true}
		for j, op := range a.tx.operations {
			q := at(l.seq, t.order, uint32(j+1))
			payment := rules[op.Body.Type].payment
			h.addOperation(q, t.success, payment)
			participants := a.participants(j)
			for _, id := range participants {
				concerned[id] = true
				h.timelineOf(id).addOperation(q, t.success, payment)
			}
			if t.success {
				h.addEffects(q, a.effects[j], participants)
				for _, id := range sponsorsIn(a.effects[j], "sponsor", "former_sponsor", "new_sponsor") {
					concerned[id] = true
				}
				for _, id := range traders(a.effects[j]) {
					concerned[id] = true
				}
			}
		}
		for id := range concerned {
			h.timelineOf(id).addTransaction(p, t.success)
		}
	}
}

// addEffects notes what an operation changed: accounts that take no part in it,
// claimable balances.
func (h *history) addEffects(p position, effects []effect, participants []accountID) {
	for _, e := range effects {
		if id := idOfMuxed(e.account); !slices.Contains(participants, id) {
			h.timelineOf(id).touch(p)
		}
		for _, d := range e.details {
			if text, _ := d.value.(string); d.key == "balance_id" {
				id, _ := parseBalanceID(text)
				if known := h.balanceOps[id]; len(known) == 0 || known[len(known)-1] != p {
					h.balanceOps[id] = append(known, p)
				}
			}
		}
	}
}

// participants lists each account an operation concerns once.
func (a applied) participants(index int) []accountID {
	op := a.tx.operations[index]
	ids := []accountID{a.tx.sourceOf(op)}
	if rule, known := rules[op.Body.Type]; known {
		ids = append(ids, rule.participants(op.Body)...)
	}
	if succeeded(a.result) {
		if sponsor, ok := a.tx.beginner(index); ok {
			ids = append(ids, idOfMuxed(sponsor))
		}
		if sponsor := sponsorOfNew(op, a.effects[index]); sponsor != nil {
			ids = append(ids, *sponsor)
		}
	}
	var once []accountID
	for _, id := range ids {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once
}

// decode reads a recorded transaction again.
func (h *history) decode(c *closedTransaction) *transaction {
	t, err := decode(c.raw, h.passphrase)
	if err != nil {
		panic(fmt.Sprintf("sandbox: a transaction of ledger %d cannot be read again: %v", c.ledger, err))
	}
	return t
}

// page picks up to limit positions after the cursor, or before it when
// descending, out of some lists.
func page(lists [][]position, cursor position, descending bool, limit int) []position {
	var out []position
	for _, all := range lists {
		if descending {
			i := sort.Search(len(all), func(i int) bool { return all[i] >= cursor })
			out = append(out, all[max(0, i-limit):i]...)
		} else {
			i := sort.Search(len(all), func(i int) bool { return all[i] > cursor })
			out = append(out, all[i:min(len(all), i+limit)]...)
		}
	}
	slices.Sort(out)
	if descending {
		slices.Reverse(out)
	}
	return out[:min(len(out), limit)]
}

// within is the part of a list from one position to before another.
func within(all []position, from, to position) []position {
	find := func(p position) int { return sort.Search(len(all), func(i int) bool { return all[i] >= p }) }
	begin := find(from)
	return all[begin:max(begin, find(to))]
}

func allWithin(lists [][]position, from, to position) [][]position {
	for i, all := range lists {
		lists[i] = within(all, from, to)
	}
	return lists
}

// close makes the record of a ledger from what was applied. The header's hash
// chains it to the one before.
func (h *history) close(m moment, maxOps uint32, perOp int64, txs []applied, v *view, before *state, fees int64) (*closedLedger, error) {
	l := &closedLedger{
		seq: m.ledger, closeTime: m.latest, maxOps: maxOps, perOp: perOp, rates: ratesUsed(m.rates, txs),
		feePool: before.feePool + fees,
	}
	var previous [32]byte
	if len(h.ledgers) > 0 {
		previous = h.last().hash
	}
	set, results := sha256.New(), sha256.New()
	set.Write(previous[:])
	for i, a := range txs {
		result, err := a.result.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("encoding a result: %w", err)
		}
		set.Write(a.tx.raw)
		results.Write(a.tx.hash[:])
		results.Write(result)
		l.txs = append(l.txs, &closedTransaction{
			ledger: m.ledger, order: uint32(i + 1), time: m.latest, ops: uint32(len(a.tx.operations)),
			success: succeeded(a.result), feeBump: a.tx.feeBump,
			hash: a.tx.hash, inner: a.tx.innerHash, raw: a.tx.raw, result: result, effects: storeEffects(a.tx.raw, a.effects),
			charged: int64(a.result.FeeCharged), bid: a.tx.fee,
		})
	}
	l.txSetHash = [32]byte(set.Sum(nil))
	l.resultHash = [32]byte(results.Sum(nil))
	l.stateHash = v.digest(before.hash, l.feePool)
	raw, err := l.header(previous).MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encoding a header: %w", err)
	}
	l.hash = sha256.Sum256(raw)
	return l, nil
}

func (l *closedLedger) header(previous [32]byte) xdr.LedgerHeader {
	return xdr.LedgerHeader{
		LedgerVersion:      protocolVersion,
		PreviousLedgerHash: previous,
		ScpValue:           xdr.StellarValue{TxSetHash: l.txSetHash, CloseTime: xdr.TimePoint(l.closeTime)},
		TxSetResultHash:    l.resultHash,
		BucketListHash:     l.stateHash,
		LedgerSeq:          xdr.Uint32(l.seq),
		TotalCoins:         totalCoins,
		FeePool:            xdr.Int64(l.feePool),
		BaseFee:            baseFee,
		BaseReserve:        baseReserve,
		MaxTxSetSize:       xdr.Uint32(l.maxOps),
	}
}

// previousHash is the hash a ledger's header points to.
func (h *history) previousHash(l *closedLedger) [32]byte {
	if l.seq == 1 {
		return [32]byte{}
	}
	return h.ledger(l.seq - 1).hash
}
