// Package rig is what the stories of several rooms share: a gate before the
// offline network, keys, accounts, transactions, and waiting.
//
// It must not know any room but horizon: each story builds its own world.
package rig

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/horizon"
)

// patience bounds every wait. Nothing waits that long unless it is broken.
const patience = 90 * time.Second

// Must ends the test if err is not nil.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// NewKey is a random key.
func NewKey(t testing.TB) *keypair.Full {
	t.Helper()
	k, err := keypair.Random()
	Must(t, err)
	return k
}

// Log shows what is logged with its test.
type Log struct{ T testing.TB }

func (l Log) Write(p []byte) (int, error) {
	l.T.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

// A Rule does something to a request that networks do. It reports whether the
// request is answered with that.
type Rule func(w http.ResponseWriter, r *http.Request, next http.Handler) bool

// A Gate stands before the network and lets all through but for its rule.
type Gate struct {
	Next http.Handler

	mu   sync.Mutex
	rule Rule
}

// Set replaces the rule; nil is none.
func (g *Gate) Set(rule Rule) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rule = rule
}

func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	rule := g.rule
	g.mu.Unlock()
	if rule == nil || !rule(w, r, g.Next) {
		g.Next.ServeHTTP(w, r)
	}
}

// Fund asks the friendbot beside a Horizon for accounts.
func Fund(t testing.TB, network string, keys ...*keypair.Full) {
	t.Helper()
	errs := make([]error, len(keys))
	var wg sync.WaitGroup
	for i, k := range keys {
		wg.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, network+"/friendbot?addr="+k.Address(), nil)
			if err != nil {
				errs[i] = err
				return
			}
			resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
			if err != nil {
				errs[i] = err
				return
			}
			defer resp.Body.Close()
			if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
				errs[i] = fmt.Errorf("friendbot: %s %s", resp.Status, b)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		Must(t, err)
	}
}

// Submit makes one transaction of a source account and waits for its ledger. The
// source signs first, and then whoever else must.
func Submit(t testing.TB, ledger *horizon.Client, passphrase string, source *keypair.Full, memo txnbuild.Memo, ops []txnbuild.Operation, more ...*keypair.Full) (horizon.Submission, error) {
	t.Helper()
	a, err := ledger.Account(t.Context(), source.Address())
	Must(t, err)
	tx, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: a.ID, Sequence: a.Sequence}, IncrementSequenceNum: true,
		Operations: ops, BaseFee: 1000, Memo: memo, Preconditions: txnbuild.Preconditions{TimeBounds: txnbuild.NewInfiniteTimeout()},
	})
	Must(t, err)
	tx, err = tx.Sign(passphrase, append([]*keypair.Full{source}, more...)...)
	Must(t, err)
	text, err := tx.Base64()
	Must(t, err)
	return ledger.Submit(t.Context(), text)
}

// Until waits for something to be true.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !holds() {
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

// Picture is a JPEG of its own, as far as an anchor looks, with these words in it.
func Picture(words string) []byte {
	return []byte("\xff\xd8\xff\xc0\x00\x0b\x08\x00\x01\x00\x01\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + words + "\xff\xd9")
}
