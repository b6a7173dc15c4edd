package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

// A measurement is what became of many transactions sent at once, whose
// envelopes are not recorded; a replay sends others like them. Those of the
// older core's queue and those whose exchanges are all recorded are left out.
type measurement struct {
	Answers, Landed map[string]int
	Count           int
}

// A load is the replay of a measurement.
type load struct {
	replay  *replay
	number  string
	mu      sync.Mutex
	answers map[string]int
	sent    []sentLoad
}

type sentLoad struct {
	label string
	hash  [32]byte
}

func (r *replay) load(number string) *load {
	l := &load{replay: r, number: number, answers: make(map[string]int)}
	r.loads = append(r.loads, l)
	return l
}

// send plans one transaction of the load; its label is part of what is counted.
func (l *load) send(at time.Time, label, path, envelope string) {
	l.note(label, envelope)
	l.replay.at(at, func() {
		status, body := l.replay.quietly("POST", path, url.Values{"tx": {envelope}}.Encode())
		l.count(label, status, body)
	})
}

func (l *load) note(label, envelope string) {
	l.sent = append(l.sent, sentLoad{label, must(decodeBase64(envelope, recordedPassphrase)).hash})
}

func (l *load) count(label string, status int, body []byte) {
	var answer struct {
		Status string `json:"tx_status"`
		Result string `json:"error_result_xdr"`
		Type   string
	}
	_ = json.Unmarshal(body, &answer)
	key := []string{label, fmt.Sprint(status), answer.Status, answer.Result}
	if answer.Type != "" {
		key = append(key, path.Base(answer.Type))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers[words(strings.Join(key, " "))]++
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }

// check holds a load against its measurement, once all is over.
func (l *load) check() {
	want := must(recordings()).measurements[l.number]
	landed := make(map[string]int)
	for _, s := range l.sent {
		key := s.label + " not in a ledger"
		if t := l.replay.net.history.transaction(s.hash); t != nil {
			key = fmt.Sprintf("%s ledger %d", s.label, t.ledger)
			if s.label != "" {
				key += fmt.Sprintf(" (fee charged %d)", t.charged)
			}
		}
		landed[words(key)]++
	}
	for _, pair := range [][2]map[string]int{{want.Answers, l.answers}, {want.Landed, landed}} {
		recorded := make(map[string]int)
		for k, n := range pair[0] {
			recorded[words(k)] += n
		}
		if !maps.Equal(recorded, pair[1]) {
			l.replay.Errorf("measurement %s: recorded %v, here %v", l.number, recorded, pair[1])
		}
	}
}

// burst sends as many transactions of one account as were measured, to be in a
// ledger, back to back.
func (r *replay) burst(number string, ledger uint32) {
	k, l := key("burst "+number), r.load(number)
	r.friendbot(ledger-3, k.Address())
	for i := range must(recordings()).measurements[number].Count {
		l.send(r.shortlyBefore(ledger), "", "/transactions_async", r.payment(k, ledger-3, int64(i+1), baseFee))
	}
}

// crowd lets 200 accounts send one transaction each at the same time.
func (r *replay) crowd(number string, ledger uint32) {
	l := r.load(number)
	for i, k := range slices.Concat(r.found(ledger-4, number+" a", 100), r.found(ledger-3, number+" b", 100)) {
		l.send(r.shortlyBefore(ledger), "", "/transactions", r.payment(k, ledger-4+uint32(i/100), 1, baseFee))
	}
}

// surge lets 40 accounts send at the minimum fee and then 20 at ten times that,
// all to be in ledger 149, while ledgers take five operations.
func (r *replay) surge() {
	for ledger, ops := range map[uint32]int{148: 5, 152: 1000} {
		r.at(r.schedule.closes(ledger).Add(-10*time.Millisecond), func() { r.net.setMaxOps(ops) })
	}
	l := r.load("238")
	for i, k := range r.found(146, "surge", 56) {
		after, label, fee := "231", "fee 100:", int64(baseFee)
		if i >= 38 {
			after, label, fee = "233", "fee 1000:", 10*baseFee
		}
		l.send(recorded(r.T, after).StartedAt.Add(time.Millisecond), label, "/transactions_async", r.payment(k, 146, 1, fee))
	}
	// The first of each fee, and the first refused, are recorded.
	for number, label := range map[string]string{"231": "fee 100:", "232": "fee 100:", "233": "fee 1000:", "234": "fee 1000:"} {
		exchange := recorded(r.T, number)
		l.note(label, envelopesSent(exchange)[0])
		l.count(label, exchange.Response.Status, must(json.Marshal(exchange.Response.Body)))
	}
}

// found creates accounts in a ledger, as many as fit into a transaction.
func (r *replay) found(ledger uint32, name string, count int) []*keypair.Full {
	var keys []*keypair.Full
	var creates []txnbuild.Operation
	for i := range count {
		keys = append(keys, key(fmt.Sprint(name, " ", i)))
		creates = append(creates, &txnbuild.CreateAccount{Destination: keys[i].Address(), Amount: "101"})
	}
	r.rootSent++
	r.sign(ledger, must(rootKey(recordedPassphrase)), 1+r.rootSent, creates)
	return keys
}

// payment is the nth transaction of an account that was created in a ledger.
func (r *replay) payment(k *keypair.Full, created uint32, nth, fee int64) string {
	root := must(rootKey(recordedPassphrase))
	p := params(k, int64(created)<<32+nth, ops(pay(root, "0.0000001", lumen)))
	p.BaseFee, p.Preconditions.TimeBounds = fee, txnbuild.NewInfiniteTimeout()
	return must(must(must(txnbuild.NewTransaction(p)).Sign(recordedPassphrase, k)).Base64())
}
