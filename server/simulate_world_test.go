package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/rail"
	"windlass/server/sandbox"
)

// Where everything is on the network in this process.
const (
	hostPublic  = "localhost:8000"
	hostAdmin   = "localhost:8001"
	hostHorizon = "localhost:8002" // clean: customers' wallets give up at one fault
	hostStormy  = "localhost:8003" // the anchor's own way to the network
	hostBank    = "localhost:8004"
)

// ledgerTime is the public network's. Ledgers without transactions are closed as
// well: one costs some microseconds, and a month has half a million.
const ledgerTime = 5 * time.Second

// How long a deposit waits for a trustline, and a claimable balance for its customer.
const trustWindow, claimBackAfter = 36 * time.Hour, 24 * time.Hour

// A lifetime is the world that a simulation happens in.
type lifetime struct {
	sim *simulation
	// revives is an anchor that takes late money and sends back by itself what it
	// cannot use; the other one leaves all of that to its staff.
	revives bool
	ctx     context.Context
	stop    context.CancelFunc

	net     inProcess
	client  *http.Client // of everybody but the anchor
	network *sandbox.Network
	weather *sandbox.Weather
	plain   *horizon.Client // past the weather
	bank    *rail.Simulated // as the bank has it, whether the anchor runs or not
	line    *bankLine       // the anchor's line to the bank
	cfg     *Config
	offers  []*Config // with each day's prices
	servers []*http.Server
	log     *slog.Logger
	files   []*os.File

	turn    chan struct{} // held by whoever stops or starts the anchor
	stopped int           // how many want it to stand still
	running *running
	balance *balance
	verdict *verdict // the last

	begins, ends   time.Time
	claimable      time.Time // until when some balance could be taken back; under mu
	everybody      []*citizen
	busy, troubled sync.WaitGroup

	mu       sync.Mutex
	events   *bufio.Writer
	counts   map[string]int
	quotes   []quote
	wishes   map[string]wish // by transaction
	findings []string
	ledgers  uint32
	struck   int
}

// running is an anchor that was started.
type running struct {
	app    *app
	cancel context.CancelFunc
	ended  chan error
	client *http.Client
}

// newLifetime makes a network, a bank and an anchor's folder and accounts.
func newLifetime(ctx context.Context, s *simulation) (l *lifetime, err error) {
	l = &lifetime{sim: s, revives: s.seed%2 == 0, counts: map[string]int{}, wishes: map[string]wish{}, turn: make(chan struct{}, 1)}
	l.ctx, l.stop = context.WithCancel(ctx)
	if err := l.openLogs(); err != nil {
		return nil, err
	}
	l.network, err = sandbox.Open(sandbox.Config{CloseEvery: ledgerTime, StreamEvery: 3 * ledgerTime, Logger: l.log.With("room", "network")})
	if err != nil {
		return nil, err
	}
	l.weather = sandbox.NewWeather(l.network, s.seed)
	l.client = l.net.client()
	l.serve(hostHorizon, l.network.Handler())
	l.serve(hostStormy, l.weather.Handler())
	l.plain = horizon.New(horizon.Config{URLs: []string{"http://" + hostHorizon}, HTTP: l.client})

	issuer, err := devFiles(s.dir)
	if err != nil {
		return nil, err
	}
	guarded, err := assetFiles(s.dir)
	if err != nil {
		return nil, err
	}
	environ := []string{
		envPrefix + "PUBLIC_URL=http://" + hostPublic, envPrefix + "ADMIN_URL=http://" + hostAdmin,
		envPrefix + "NETWORK_HORIZON=http://" + hostHorizon,
		// Short, so that being late or never paying does not take half a month.
		envPrefix + "ASSETS_0_DEPOSIT_WINDOW=12h", envPrefix + "ASSETS_0_WITHDRAW_WINDOW=6h",
		envPrefix + "ASSETS_1_DEPOSIT_WINDOW=12h", envPrefix + "ASSETS_1_WITHDRAW_WINDOW=6h",
		envPrefix + "ASSETS_2_DEPOSIT_WINDOW=12h", envPrefix + "ASSETS_2_WITHDRAW_WINDOW=6h",
		envPrefix + fmt.Sprintf("PAYOUT_TRUST_WINDOW=%s", trustWindow), envPrefix + fmt.Sprintf("PAYOUT_CLAIM_BACK_AFTER=%s", claimBackAfter),
		// Who cannot receive dollars yet is helped. Much of them, and of lumens, needs a
		// second person alone, and of the euros what is much for a day.
		envPrefix + "ASSETS_0_CREATE_ACCOUNT=2", envPrefix + "ASSETS_0_TOP_UP=0.5", envPrefix + "ASSETS_1_TOP_UP=0.5",
		// A person looks at whoever buys euros, and many dollars, for which a document is
		// shown besides.
		envPrefix + "ASSETS_1_DEPOSIT_REVIEW=person", envPrefix + "ASSETS_0_DEPOSIT_LEVELS_0_FROM=250",
		envPrefix + "ASSETS_0_DEPOSIT_LEVELS_0_FIELDS=photo_id_front", envPrefix + "ASSETS_0_DEPOSIT_LEVELS_0_REVIEW=person",
		envPrefix + "ASSETS_0_PAYOUT_LIMIT=400", envPrefix + "ASSETS_1_DAILY_LIMIT=3000", envPrefix + "ASSETS_2_PAYOUT_LIMIT=250",
	}
	if l.revives {
		for _, reason := range []string{"NO_MEMO", "UNKNOWN_MEMO", "WRONG_MEMO_KIND", "WRONG_ASSET", "SHORT", "SECOND", "UNKNOWN_REFERENCE"} {
			environ = append(environ, envPrefix+"UNMATCHED_"+reason+"=refund")
		}
		environ = append(environ, envPrefix+"UNMATCHED_LATE=revive")
	}
	for day := range prices {
		c, err := Load(l.path(configFile), append(priced(day), environ...))
		if err != nil {
			return nil, err
		}
		l.offers = append(l.offers, c)
	}
	l.cfg = l.offers[0]
	l.bank, err = rail.OpenSimulated(l.cfg.Rail.Path, rail.SimulatedConfig{
		Holder: l.cfg.Rail.Holder, Number: l.cfg.Rail.AccountNumber, Bank: l.cfg.Rail.BankName,
		Currencies: currencies(l.cfg.terms), Delay: 10 * time.Minute,
	})
	if err != nil {
		return nil, err
	}
	l.line = &bankLine{Simulated: l.bank, dice: rand.New(rand.NewPCG(s.seed, 0))}
	l.serve(hostBank, l.bank.Handler())
	l.balance = &balance{Config: l.cfg, Earlier: l.offers[1:], Horizon: "http://" + hostHorizon, HTTP: l.client, Bank: l.bank}
	if err := bootstrap(ctx, l.cfg, issuer, l.client, l.log); err != nil {
		return nil, err
	}
	if err := issueAssets(ctx, l.cfg, guarded, 18, l.client, l.log); err != nil {
		return nil, err
	}
	// One of the Horizons behind the anchor's load balancer lags, all the time.
	_, err = l.weather.Set(sandbox.Fault{Name: "lags", Kind: sandbox.Lagging, Rate: 0.01, Ledgers: 3})
	return l, err
}

// openLogs opens the event log and the anchor's.
func (l *lifetime) openLogs() error {
	for _, name := range []string{"events.log", "anchor.log"} {
		f, err := os.Create(l.path(name))
		if err != nil {
			return err
		}
		l.files = append(l.files, f)
	}
	l.events = bufio.NewWriter(l.files[0])
	l.log = slog.New(quiet{slog.NewTextHandler(l.files[1], nil)})
	return nil
}

// quiet is a log without a line for each request.
type quiet struct{ slog.Handler }

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "request" {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }
func (q quiet) WithGroup(name string) slog.Handler       { return quiet{q.Handler.WithGroup(name)} }

func (l *lifetime) serve(name string, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	l.servers = append(l.servers, s)
	bound := l.net.listen(name)
	go func() { _ = s.Serve(bound) }()
}

// halt stops the anchor, and start lets it run again once nobody wants it to
// stand still any more.
func (l *lifetime) halt() {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.stopped++; l.stopped == 1 {
		l.stopAnchor()
	}
}

func (l *lifetime) start() {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.stopped--; l.stopped == 0 {
		l.startAnchor()
	}
}

// startAnchor starts the anchor on the books that there are.
//
// Only the safety nets are wider than in production, as a month of looking at
// the books every second would be all that it did: what matters must come
// through the wake-ups.
func (l *lifetime) startAnchor() {
	ctx, cancel := context.WithCancel(l.ctx)
	r := &running{cancel: cancel, ended: make(chan error, 1), client: l.net.client()}
	a, err := newApp(ctx, l.quote(), devMode{horizon: "http://" + hostStormy, http: r.client}, l.log)
	if err != nil {
		cancel()
		l.find("the anchor does not start: %v", err)
		return
	}
	a.incoming.CheckEvery, a.incoming.ExpireEvery, a.incoming.DecideEvery = 5*time.Minute, 5*time.Minute, 5*time.Minute
	a.payouts.Poll, a.notify.Poll = 5*time.Minute, 5*time.Minute
	a.rail.Poll, a.rail.Rail = 5*time.Minute, l.line
	r.app = a
	go func() { r.ended <- a.Run(ctx, l.net.listen(hostPublic), l.net.listen(hostAdmin)) }()
	l.running = r
	l.count("starts")
	l.note("the anchor starts")
}

func (l *lifetime) stopAnchor() {
	r := l.running
	if r == nil {
		return
	}
	l.running = nil
	r.cancel()
	if err := errors.Join(<-r.ended, r.app.Close()); err != nil && !errors.Is(err, context.Canceled) {
		l.find("the anchor did not stop well: %v", err)
	}
	r.client.CloseIdleConnections()
	l.note("the anchor stands still")
}

// end stops everything.
func (l *lifetime) end() {
	l.stopAnchor()
	for _, f := range l.weather.Faults() {
		l.struck += f.Struck
	}
	head, err := l.plain.LatestLedger(l.ctx)
	if err != nil {
		l.find("the network does not answer: %v", err)
	}
	l.ledgers = head.Sequence
	l.stop()
	l.client.CloseIdleConnections()
	l.weather.ClearAll()
	if err := errors.Join(l.network.Close(), l.bank.Close()); err != nil {
		l.find("the network or the bank did not stop well: %v", err)
	}
	for _, s := range l.servers {
		_ = s.Close()
	}
	_ = l.events.Flush()
	for _, f := range l.files {
		_ = f.Close()
	}
}

// note writes a line into the event log.
func (l *lifetime) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(fmt.Sprintf(format, args...))
}

func (l *lifetime) write(text string) {
	if l.events != nil {
		_, _ = fmt.Fprintf(l.events, "%s %s\n", time.Now().Format("Jan 02 15:04:05.000"), text)
	}
}

// find notes something that must not be.
func (l *lifetime) find(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	l.write("FINDING " + text)
	_ = l.events.Flush() // however the run ends
	l.findings = append(l.findings, fmt.Sprintf("%s: %s", time.Since(l.begins).Round(time.Second), text))
}

func (l *lifetime) count(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[what]++
}

// check holds the books against the ledger and the bank, whatever is under way.
func (l *lifetime) check(when string) *verdict {
	v, err := l.balance.look(l.ctx)
	if err != nil {
		l.find("%s: the balance cannot be looked at: %v", when, err)
		return &verdict{}
	}
	for _, f := range v.Findings {
		l.find("%s: %s: %s", when, f.Kind, f.Text)
	}
	l.note("%s: %d findings, %d under way, %d wait for a person", when, len(v.Findings), v.Open, v.Parked)
	return v
}

// finalCheck is the last one: nothing is under way, and everybody has what they
// were told, on the ledger and at the bank.
func (l *lifetime) finalCheck() {
	l.verdict = l.check("in the end")
	if v := l.verdict; v.Open+v.Parked > 0 {
		l.find("in the end %d payouts and orders are still under way, and %d wait for a person", v.Open, v.Parked)
	}
	banked, err := l.banked()
	if err != nil {
		l.find("the bank's file cannot be read: %v", err)
	}
	for _, c := range l.everybody {
		for currency, has := range banked[c.bankAccount()] {
			if currency != c.terms.OffChain.Code || has != c.banked {
				l.find("customer %d has got %s %s at the bank, and was told of %s %s", c.number, has, currency, c.banked, c.terms.OffChain.Code)
			}
		}
		if len(banked[c.bankAccount()]) == 0 && c.banked != 0 {
			l.find("customer %d has got nothing at the bank, and was told of %s", c.number, c.banked)
		}
		if !c.exists {
			continue
		}
		a, err := l.plain.Account(l.ctx, c.key.Address())
		if err != nil {
			l.find("customer %d cannot be looked up: %v", c.number, err)
			continue
		}
		b, _ := a.Balance(c.terms.Asset)
		if c.terms.Asset.IsNative() { // of which they have had others
			b.Amount = l.balance.history.net(c.key.Address(), followed(l.cfg), anchor.Native)
		}
		if b.Amount != c.owns+c.owed {
			l.find("customer %d (%s) has %s on the ledger, and was told of %s and %s that come back", c.number, c.key.Address(), b.Amount, c.owns, c.owed)
		}
	}
}

// banked is what everybody has got from the anchor at the bank, less what they
// paid, by account and currency.
func (l *lifetime) banked() (_ map[string]map[string]anchor.Amount, err error) {
	db, err := sql.Open("sqlite3", l.cfg.Rail.Path+"?_busy_timeout=10000&_query_only=true")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(l.ctx, `SELECT account, currency, SUM(CASE WHEN direction = 'in' THEN -amount WHEN fate = 'settled' THEN amount ELSE 0 END) FROM transfers GROUP BY account, currency`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]map[string]anchor.Amount{}
	for rows.Next() {
		var account, currency string
		var amount anchor.Amount
		if err := rows.Scan(&account, &currency, &amount); err != nil {
			return nil, err
		}
		if all[account] == nil {
			all[account] = map[string]anchor.Amount{}
		}
		all[account][currency] = amount
	}
	return all, rows.Err()
}
