package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

func (a *api) allEffects(r *request) ([]record, error) {
	return a.effectRecords(r, a.history.changing(), nil), nil
}

func (a *api) effectsOfAccount(r *request) ([]record, error) {
	id, err := a.knownAccount(r)
	if err != nil {
		return nil, err
	}
	return a.effectRecords(r, a.history.of[id].changing(), &id), nil
}

func (a *api) effectsOfLedger(r *request) ([]record, error) {
	l, err := a.pathLedger(r)
	if err != nil {
		return nil, err
	}
	return a.effectRecords(r, allWithin(a.history.changing(), at(l.seq, 0, 0), at(l.seq+1, 0, 0)), nil), nil
}

func (a *api) effectsOfTransaction(r *request) ([]record, error) {
	t, _, err := a.pathTransaction(r)
	if err != nil {
		return nil, err
	}
	lists := allWithin(a.history.changing(), at(t.ledger, t.order, 0), at(t.ledger, t.order+1, 0))
	return a.effectRecords(r, lists, nil), nil
}

// effectsOfOperation does not ask whether there is such an operation.
func (a *api) effectsOfOperation(r *request) ([]record, error) {
	n, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, invalidField("op_id", "Operation ID must be an integer higher than 0")
	}
	p := position(n)
	return a.effectRecords(r, allWithin(a.history.changing(), p, p+1), nil), nil
}

// effectRecords pages through the effects of these operations, those of one
// account if it is given.
func (a *api) effectRecords(r *request, ops [][]position, of *accountID) []record {
	q, out := r.page, []record(nil)
	read := &effectsReader{history: a.history}
	cursor := q.cursor - 1 // the operation of the cursor may have more
	if q.descending {
		cursor = max(q.cursor, q.cursor+1)
	}
	for len(out) < q.limit {
		some := page(ops, cursor, q.descending, q.limit)
		if len(some) == 0 {
			break
		}
		for _, p := range some {
			for _, e := range read.beyond(p, q) {
				if of == nil || idOfMuxed(e.account) == *of {
					body := r.links.effect(p, a.history.at(p), e)
					out = append(out, record{body.PagingToken, body})
				}
			}
		}
		cursor = some[len(some)-1]
	}
	return out[:min(len(out), q.limit)]
}

// An effectsReader unpacks the effects of a transaction once for all its
// operations in a row.
type effectsReader struct {
	history *history
	last    *closedTransaction
	effects []storedEffect
}

// of lists the effects of an operation in their order.
func (e *effectsReader) of(p position, c *closedTransaction) []storedEffect {
	if c != e.last {
		e.last, e.effects = c, readEffects(c.raw, c.effects)
	}
	var out []storedEffect
	for _, one := range e.effects {
		if one.op == p.op() {
			out = append(out, one)
		}
	}
	return out
}

// beyond lists those that come after the cursor, or before it when descending,
// in that order.
func (e *effectsReader) beyond(p position, q pageQuery) []storedEffect {
	out := slices.DeleteFunc(e.of(p, e.history.at(p)), func(one storedEffect) bool {
		if q.descending {
			return p == q.cursor && int64(one.order) >= q.second
		}
		return p == q.cursor && int64(one.order) <= q.second
	})
	if q.descending {
		slices.Reverse(out)
	}
	return out
}

type effectBody struct {
	effectBase
	details []detail
}

// effectBase is what all effects share.
type effectBase struct {
	Links struct {
		Operation link `json:"operation"`
		Succeeds  link `json:"succeeds"`
		Precedes  link `json:"precedes"`
	} `json:"_links"`
	ID             string    `json:"id"`
	PagingToken    string    `json:"paging_token"`
	Account        string    `json:"account"`
	AccountMuxed   string    `json:"account_muxed,omitempty"`
	AccountMuxedID uint64    `json:"account_muxed_id,omitempty,string"`
	Type           string    `json:"type"`
	TypeI          int32     `json:"type_i"`
	CreatedAt      time.Time `json:"created_at"`
}

func (l links) effect(p position, c *closedTransaction, e storedEffect) effectBody {
	b := effectBody{details: e.details}
	b.ID = fmt.Sprintf("%019d-%010d", p, e.order)
	b.PagingToken = fmt.Sprintf("%d-%d", p, e.order)
	b.Account, b.AccountMuxed, b.AccountMuxedID = muxed(e.account)
	b.Type = e.kind
	b.TypeI = effectKinds[e.kind]
	b.CreatedAt = c.closedAt()
	b.Links.Operation = l.to(fmt.Sprintf("/operations/%d", p))
	b.Links.Succeeds = l.to("/effects?order=desc&cursor=" + b.PagingToken)
	b.Links.Precedes = l.to("/effects?order=asc&cursor=" + b.PagingToken)
	return b
}

// MarshalJSON writes the details behind what all effects have.
func (b effectBody) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(b.effectBase)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(text[:len(text)-1])
	for _, d := range b.details {
		value, err := json.Marshal(d.value)
		if err != nil {
			return nil, fmt.Errorf("encoding %s of an effect: %w", d.key, err)
		}
		fmt.Fprintf(out, ",%q:%s", d.key, value)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
