package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// Config of a network. Zero values are the defaults.
type Config struct {
	// Dir is where the ledger log lives; "" keeps everything in memory only.
	Dir string
	// Fresh throws away the ledgers in Dir, once no other network can be using
	// them, and begins at the first.
	Fresh bool
	// Passphrase of the network, by default the test network's, which is the
	// one for which wallets accept plain http. The public one is refused.
	Passphrase string
	// CloseEvery is the time between ledgers, 1 s by default. If negative only
	// CloseLedger closes them.
	CloseEvery time.Duration
	// StreamEvery is how often a stream looks for news, counted from when it
	// was opened; 5 s by default, as Horizon does.
	StreamEvery time.Duration
	// MaxOps is the number of operations that fit in a ledger, by default
	// 1,000.
	MaxOps int
	// Rates are what path payments exchange at. Ledgers that closed keep theirs.
	Rates []Rate
	// Logger, by default none.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Passphrase == "" {
		c.Passphrase = network.TestNetworkPassphrase
	}
	if c.CloseEvery == 0 {
		c.CloseEvery = time.Second
	}
	if c.StreamEvery <= 0 {
		c.StreamEvery = 5 * time.Second
	}
	if c.MaxOps <= 0 {
		c.MaxOps = 1000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// A Network is a running ledger. Its methods are safe for concurrent use.
type Network struct {
	cfg Config
	log *ledgerLog // nil in memory
	bot *friendbot

	rates []rate // cfg's

	// closing is held while a ledger closes. Only its holder writes what mu
	// guards, so that it may read without mu.
	closing sync.Mutex
	mu      sync.RWMutex
	state   *state
	history *history
	news    chan struct{} // closed with each ledger, then renewed
	looks   time.Duration // into each second, for the last ledger; see noticed
	// replaced is closed when Load or Reset puts other ledgers in the place of
	// these, then renewed. A submission that waits gets its channel closed.
	replaced chan struct{}

	ahead int64 // seconds by which the network's time is later than ours

	followers []*follower // guarded by closing alone
	paused    atomic.Bool

	// queueMu is taken after mu, for reading or writing, and guards the rest.
	queueMu sync.Mutex
	queue   *queue
	waiting map[[32]byte][]chan *closedTransaction

	replacing sync.Mutex // one Load or Reset at a time
	stopOnce  sync.Once
	stopping  chan struct{} // closed by Close
	stopped   sync.WaitGroup
	closeErr  error
}

// Open starts a network, or goes on with the one in cfg.Dir, and starts
// closing ledgers. A directory can be open only once at a time.
func Open(cfg Config) (*Network, error) {
	n, err := open(cfg.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("opening the sandbox network: %w", err)
	}
	return n, nil
}

func open(cfg Config) (*Network, error) {
	n, err := blank(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Dir != "" {
		if n.log, err = openLog(cfg.Dir, logName, cfg.Fresh, cfg.Passphrase, n.replay); err != nil {
			return nil, err
		}
		if n.log.torn > 0 {
			cfg.Logger.Warn("sandbox: a ledger was being written when the network last stopped; nobody was told of it", "bytes", n.log.torn)
		}
		err = removeIfThere(filepath.Join(cfg.Dir, nextLogName)) // of one that died while replacing
	}
	n.keepAhead(jumped)
	if err == nil {
		err = n.found()
	}
	if err != nil {
		return nil, errors.Join(err, n.closeLog())
	}
	if cfg.CloseEvery > 0 {
		n.looks = time.Second / 2
		n.stopped.Go(n.clock)
	}
	return n, nil
}

// blank is a network of one ledger, in memory, whose clock stands still.
func blank(cfg Config) (*Network, error) {
	if cfg.Passphrase == network.PublicNetworkPassphrase {
		return nil, errors.New("the passphrase is the public network's; a sandbox must not pass for it")
	}
	root, err := rootKey(cfg.Passphrase)
	if err != nil {
		return nil, err
	}
	n := newNetwork(cfg)
	if n.rates, err = readRates(cfg.Rates); err != nil {
		return nil, err
	}
	if err := n.genesis(root); err != nil {
		return nil, err
	}
	n.bot, err = newFriendbot(n, root)
	return n, err
}

// found makes the second ledger, with friendbot's accounts, if there is none.
func (n *Network) found() error {
	if n.history.last().seq > 1 {
		return nil
	}
	return n.bot.createChannels()
}

func newNetwork(cfg Config) *Network {
	return &Network{
		cfg:      cfg,
		history:  newHistory(cfg.Passphrase),
		news:     make(chan struct{}),
		replaced: make(chan struct{}),
		queue:    newQueue(cfg.MaxOps),
		waiting:  make(map[[32]byte][]chan *closedTransaction),
		stopping: make(chan struct{}),
	}
}

// rootKey is the master key of the account that holds all lumens at first,
// derived from the passphrase as on every Stellar network.
func rootKey(passphrase string) (*keypair.Full, error) {
	return keypair.FromRawSeed(network.ID(passphrase))
}

// genesis makes the first ledger: one account with all the lumens.
func (n *Network) genesis(root *keypair.Full) error {
	id := idOf(xdr.MustAddress(root.Address()))
	n.state = &state{
		accounts: map[accountID]*account{
			id: {id: id, balance: totalCoins, thresholds: [4]byte{1}, modified: 1},
		},
		claimables: make(map[balanceID]*claimable),
		index:      newIndex(),
	}
	l, err := n.history.close(moment{ledger: 1}, 100, baseFee, nil, &view{below: n.state}, n.state, 0)
	if err != nil {
		return err
	}
	n.state.hash = l.stateHash
	n.history.add(l, nil)
	return nil
}

// replay applies a ledger from the log.
func (n *Network) replay(payload []byte) error {
	seq := n.history.last().seq + 1
	stored, err := readStored(payload)
	if err != nil {
		return fmt.Errorf("reading ledger %d: %w", seq, err)
	}
	var txs []*transaction
	var expected []xdr.TransactionResult
	for i, raw := range stored.envelopes {
		t, err := decode(raw, n.cfg.Passphrase)
		if err != nil {
			return fmt.Errorf("reading ledger %d: %w", seq, err)
		}
		var result xdr.TransactionResult
		if err := xdr.SafeUnmarshal(stored.results[i], &result); err != nil {
			return fmt.Errorf("reading ledger %d: %w", seq, err)
		}
		txs, expected = append(txs, t), append(expected, result)
	}
	m := moment{ledger: seq, earliest: stored.closeTime, latest: stored.closeTime, rates: stored.rates}
	next, err := n.prepare(m, stored.maxOps, stored.perOp, txs, expected)
	if err != nil {
		return err
	}
	if next.ledger.hash != stored.hash {
		return fmt.Errorf("ledger %d replays differently: it was closed by another version; --fresh begins again", seq)
	}
	n.commit(next)
	return nil
}

// Close stops the clock and ends open streams and waiting submissions. Doing
// it twice is fine.
func (n *Network) Close() error {
	n.stopOnce.Do(func() {
		close(n.stopping)
		n.stopped.Wait()
		n.closing.Lock()
		defer n.closing.Unlock()
		for _, f := range n.followers {
			_ = f.Close() // it has no file that could fail
		}
		n.closeErr = n.closeLog()
	})
	return n.closeErr
}

func (n *Network) closeLog() error {
	if n.log == nil {
		return nil
	}
	return n.log.close()
}

func (n *Network) clock() {
	tick := time.NewTicker(n.cfg.CloseEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.stopping:
			return
		case <-tick.C:
			if !n.paused.Load() {
				n.CloseLedger()
			}
		}
	}
}

// CloseLedger closes one ledger now, with what is pending, and returns when it
// is durable. A ledger that cannot be stored does not close: that is logged and
// nobody is told of it.
func (n *Network) CloseLedger() {
	n.closing.Lock()
	defer n.closing.Unlock()
	select {
	case <-n.stopping:
		return
	default:
	}
	if err := n.closeLedger(); err != nil {
		n.cfg.Logger.Error("sandbox: a ledger could not be closed", "ledger", n.history.last().seq+1, "error", err)
	}
}

func (n *Network) closeLedger() error {
	last := n.history.last()
	now := n.closeTime(last)
	m := moment{ledger: last.seq + 1, earliest: now, latest: now, rates: n.rates}

	n.queueMu.Lock()
	n.queue.submitLate(&view{below: n.state}, m)
	txs, perOp := n.queue.choose(&view{below: n.state}, m)
	n.queueMu.Unlock()

	// An order nobody can choose, the same for all who replay it.
	slices.SortFunc(txs, func(a, b *transaction) int {
		x, y := scramble(a.hash, last.hash), scramble(b.hash, last.hash)
		return bytes.Compare(x[:], y[:])
	})
	next, err := n.prepare(m, uint32(n.cfg.MaxOps), perOp, txs, nil)
	if err != nil {
		return err
	}
	if n.log != nil {
		if err := n.log.append(next.ledger.stored()); err != nil {
			return err
		}
	}
	n.commit(next)
	n.feed(next)
	return nil
}

// closeTime is now, and later than the last ledger's. Where ledgers close more
// often than once a second it may be equal, lest it run ahead of the clock.
func (n *Network) closeTime(last *closedLedger) int64 {
	if n.cfg.CloseEvery >= time.Second {
		return max(n.now(), last.closeTime+1)
	}
	return max(n.now(), last.closeTime)
}

func scramble(a, b [32]byte) [32]byte {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}

// A preparedLedger is applied but not part of history yet.
type preparedLedger struct {
	ledger  *closedLedger
	changes *view
	applied []applied
}

// prepare applies transactions without changing anything that others read.
func (n *Network) prepare(m moment, maxOps uint32, perOp int64, txs []*transaction, expected []xdr.TransactionResult) (*preparedLedger, error) {
	changes := &view{below: n.state}
	results, fees := applyAll(changes, m, perOp, txs, expected)
	l, err := n.history.close(m, maxOps, perOp, results, changes, n.state, fees)
	if err != nil {
		return nil, err
	}
	return &preparedLedger{l, changes, results}, nil
}

// commit makes a prepared ledger the last one and tells everybody.
func (n *Network) commit(p *preparedLedger) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state.commit(p.changes)
	n.state.feePool = p.ledger.feePool
	n.state.hash = p.ledger.stateHash
	n.history.add(p.ledger, p.applied)
	close(n.news)
	n.news = make(chan struct{})

	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	n.queue.closed(p.applied, &view{below: n.state}, n.submitMoment())
	for _, t := range p.ledger.txs {
		for _, hash := range [][32]byte{t.hash, t.inner} {
			for _, w := range n.waiting[hash] {
				w <- t
			}
			delete(n.waiting, hash)
		}
	}
}

// submit hands a transaction to the queue. If it has been in a ledger already
// that is returned instead; if it may still come into one, wait gets it then,
// and is closed if Load or Reset puts an end to that. A caller that gives up
// must call forget.
func (n *Network) submit(t *transaction) (done *closedTransaction, st status, result xdr.TransactionResult, wait chan *closedTransaction) {
	t.verifyAhead()
	n.mu.RLock()
	defer n.mu.RUnlock()
	if done := n.history.transaction(t.hash); done != nil {
		return done, "", result, nil
	}
	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	st, result = n.queue.add(t, &view{below: n.state}, n.submitMoment())
	if st != statusError {
		wait = n.await(t.hash)
	}
	return nil, st, result, wait
}

// enqueue is submit for those who do not wait: what is in the ledger already
// is judged as if new.
func (n *Network) enqueue(t *transaction) (status, xdr.TransactionResult) {
	t.verifyAhead()
	n.mu.RLock()
	defer n.mu.RUnlock()
	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	return n.queue.add(t, &view{below: n.state}, n.submitMoment())
}

// await registers for a transaction, by outer or inner hash. The caller holds
// mu and queueMu.
func (n *Network) await(hash [32]byte) chan *closedTransaction {
	w := make(chan *closedTransaction, 2)
	n.waiting[hash] = append(n.waiting[hash], w)
	return w
}

func (n *Network) forget(hash [32]byte, w chan *closedTransaction) {
	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	rest := slices.DeleteFunc(n.waiting[hash], func(o chan *closedTransaction) bool { return o == w })
	if len(rest) == 0 {
		delete(n.waiting, hash)
	} else {
		n.waiting[hash] = rest
	}
}

// noticed is the last ledger as Horizon knew it when it last looked, as it does
// once a second: that is what it says of itself and of fees, and where a cursor
// of now is. A network that is told when to close looks at once. The caller
// holds mu.
func (n *Network) noticed() *closedLedger {
	last := n.history.last()
	if n.looks <= 0 {
		return last
	}
	then := time.Now().Add(-n.looks).Unix() + n.ahead
	for l := last; last.seq-l.seq < mostUnnoticed; l = n.history.ledger(l.seq - 1) {
		if l.closeTime <= then || l.seq == 1 {
			return l
		}
	}
	return last // the ledgers' time is not the clock's
}

// mostUnnoticed is how many ledgers can close between two looks.
const mostUnnoticed = 1000

// submitMoment is the next ledger as far as it is known: it closes after the
// last one, and maybe only two intervals from now. The caller holds mu.
func (n *Network) submitMoment() moment {
	last := n.history.last()
	latest := max(n.now(), last.closeTime)
	if n.cfg.CloseEvery > 0 {
		latest += int64((2*n.cfg.CloseEvery + time.Second - 1) / time.Second)
	}
	return moment{ledger: last.seq + 1, earliest: last.closeTime, latest: latest}
}
