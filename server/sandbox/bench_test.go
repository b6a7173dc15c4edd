package sandbox

import (
	"encoding/base64"
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// What the network must manage, with room for a slow machine.
const (
	fullLedger     = 1000
	fullLedgerTime = 100 * time.Millisecond // to close it, on one core
	accountHeap    = 300 << 20 / 100_000    // bytes for an account, its trust line, and the history of both
)

// A crowd is many accounts on a network of its own. It talks to the queue
// directly: HTTP is measured elsewhere.
type crowd struct {
	testing.TB
	net  *Network
	keys []*keypair.Full
	root *keypair.Full
}

func newCrowd(t testing.TB, size int, cfg Config) *crowd {
	t.Helper()
	cfg.CloseEvery = -1
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{TB: t, net: n, root: must(rootKey(n.cfg.Passphrase))}
	for i := range size {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], uint64(i)+1)
		c.keys = append(c.keys, must(keypair.FromRawSeed(seed)))
	}
	var list []txnbuild.Operation
	for i, k := range c.keys {
		list = append(list, &txnbuild.CreateAccount{Destination: k.Address(), Amount: "100"})
		if len(list) == maxTransactionOps || i == size-1 {
			c.enqueue(c.root, list)
			c.net.CloseLedger()
			list = nil
		}
	}
	return c
}

func (c *crowd) enqueue(source *keypair.Full, list []txnbuild.Operation) {
	c.Helper()
	sequence := c.net.state.account(idOf(xdr.MustAddress(source.Address()))).sequence + 1
	tx := must(txnbuild.NewTransaction(params(source, sequence, list)))
	raw := must(base64.StdEncoding.DecodeString(must(must(tx.Sign(c.net.cfg.Passphrase, source)).Base64())))
	if st, result := c.net.enqueue(must(decode(raw, c.net.cfg.Passphrase))); st != statusPending {
		c.Fatalf("%s %v", st, codesOf(result))
	}
}

// everybody submits one operation of each account and closes ledgers of them.
func (c *crowd) everybody(op func(i int) txnbuild.Operation) (closing time.Duration) {
	c.Helper()
	for i, k := range c.keys {
		c.enqueue(k, ops(op(i)))
		if (i+1)%fullLedger == 0 || i == len(c.keys)-1 {
			start := time.Now()
			c.net.CloseLedger()
			closing += time.Since(start)
		}
	}
	return closing
}

func (c *crowd) close() {
	c.Helper()
	if err := c.net.Close(); err != nil {
		c.Error(err)
	}
}

func (c *crowd) trustLines() {
	c.Helper()
	dollar := trust(usd(c.root), "1000")
	c.everybody(func(int) txnbuild.Operation { return dollar })
}

func (c *crowd) payments() time.Duration {
	c.Helper()
	return c.everybody(func(i int) txnbuild.Operation {
		return pay(c.keys[(i+1)%len(c.keys)], "1", lumen)
	})
}

// TestFullLedger allows ten times what BenchmarkLedger must manage: the race
// detector and other tests take their share.
func TestFullLedger(t *testing.T) {
	c := newCrowd(t, fullLedger, Config{Dir: t.TempDir()})
	quickest := min(c.payments(), c.payments())
	if quickest > 10*fullLedgerTime {
		t.Errorf("%d payments take %s", fullLedger, quickest)
	}
	c.close()
}

// BenchmarkLedger closes full ledgers of payments, each of another account:
// valid again, applied, added to the history, durable in the log.
func BenchmarkLedger(b *testing.B) {
	c := newCrowd(b, fullLedger, Config{Dir: b.TempDir()})
	var closing time.Duration
	ledgers := 0
	for b.Loop() {
		closing += c.payments()
		ledgers++
	}
	closing /= time.Duration(ledgers)
	b.ReportMetric(float64(closing.Microseconds())/1000, "ms/ledger")
	if closing > fullLedgerTime {
		b.Errorf("%d payments take %s, not %s", fullLedger, closing, fullLedgerTime)
	}
	c.close()
}

// TestSize is BenchmarkSize in small.
func TestSize(t *testing.T) {
	measureSize(t, 1000)
}

func BenchmarkSize(b *testing.B) {
	for b.Loop() {
		const accounts = 100_000
		bytes, start := measureSize(b, accounts)
		b.ReportMetric(float64(bytes)/(1<<20), "MiB")
		b.ReportMetric(start.Seconds(), "s/start")
	}
}

// measureSize fills a network with accounts that have a trust line each, and
// says how much memory it takes and how long it is until it has started again.
func measureSize(t testing.TB, accounts int) (bytes int64, start time.Duration) {
	t.Helper()
	dir := t.TempDir()
	c := newCrowd(t, accounts, Config{Dir: dir})
	c.trustLines()
	c.close()
	c = nil

	before := heap()
	began := time.Now()
	n := must(Open(Config{Dir: dir, CloseEvery: -1}))
	start = time.Since(began)
	bytes = heap() - before
	if got := len(n.state.accounts); got < accounts {
		t.Errorf("%d accounts after a restart", got)
	}
	if limit := int64(accounts) * accountHeap; bytes > limit {
		t.Errorf("%d accounts take %d bytes, not %d", accounts, bytes, limit)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	return bytes, start
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
