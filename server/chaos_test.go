package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"windlass/server/rig"
	"windlass/server/store"
)

// TestChaos lets customers deposit and withdraw, all at once, while the anchor is
// killed in the middle of it, and sometimes the network beside it. When the
// killing is over everything must come to its end, and be balanced; and each
// customer must have on the ledger what the anchor told their wallet.
//
// It lives several lives, each with books of its own and a seed of its own, so
// that one that fails can be lived again: SEED is the first life's, the next one
// has the next. KILLS is how many there are in all. `make chaos` does it at
// length; docs/chaos.md has the figures.
func TestChaos(t *testing.T) {
	t.Parallel()
	kills, seed := setting(t, "KILLS", 26), setting(t, "SEED", 1)
	const perLife = 50
	lives := (kills + perLife - 1) / perLife
	began := time.Now()
	var all tally
	for n := 0; n < lives && !t.Failed(); n++ {
		life := uint64(seed + n)
		t.Run(fmt.Sprintf("seed %d", life), func(t *testing.T) {
			l := newLife(t, life, (kills+n)/lives)
			defer func() { // however it ends
				lived := l.sum()
				all.add(lived)
				t.Logf("%s, in %s; newcomers %d, approvals %d, refunds taken back %d, payouts %v, reviews %v, e-mails %d", lived, time.Since(began).Round(time.Second), len(l.newcomers), l.verdict.Approved, l.verdict.Undone, l.verdict.Helped, l.verdict.Reviewed, len(l.verdict.Mails))
			}()
			l.live()
		})
	}
	t.Logf("seeds %d to %d: %s, in %s", seed, seed+lives-1, all, time.Since(began).Round(time.Second))
	if path := os.Getenv("CHAOS_REPORT"); path != "" {
		if err := os.WriteFile(path, []byte(all.String()+"\n"), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// A tally is what a run is about.
type tally struct{ kills, deposits, withdrawals, refunds, lost, doubled, unbalanced int }

func (a *tally) add(b tally) {
	a.kills += b.kills
	a.deposits += b.deposits
	a.withdrawals += b.withdrawals
	a.refunds += b.refunds
	a.lost += b.lost
	a.doubled += b.doubled
	a.unbalanced += b.unbalanced
}

func (a tally) String() string {
	return fmt.Sprintf("kills %d, deposits %d, withdrawals %d, refunds %d, lost %d, doubled %d, unbalanced %d",
		a.kills, a.deposits, a.withdrawals, a.refunds, a.lost, a.doubled, a.unbalanced)
}

// diesAt is the environment variable that tells a windlass of this test binary
// when to kill itself: the name of a moment of the store's, and at the how
// manieth of them.
const diesAt = "CHAOS_DIES_AT"

// dieAt prepares for that; see TestMain.
func dieAt(when string) {
	name, count, _ := strings.Cut(when, " ")
	left, err := strconv.Atoi(count)
	if err != nil {
		return
	}
	var mu sync.Mutex
	store.Moment = func(moment string) {
		mu.Lock()
		defer mu.Unlock()
		if moment != name {
			return
		}
		if left--; left == 0 {
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				_ = self.Kill() // SIGKILL: nothing runs after it
			}
			select {}
		}
	}
}

// A life is one set of books, from the first start to the end.
type life struct {
	t     *testing.T
	dir   string // everything is kept here, and stays if the life fails
	rng   *rand.Rand
	seed  uint64
	kills int

	cfg     *Config
	offers  []*Config // with each day's prices
	horizon string    // clean; wallets use it
	control string
	ports   map[string]int
	gate    *gate
	mail    *mailbox
	post    *rig.Sink // where e-mails come
	balance *balance
	killed  int
	untold  int      // messages that wallets did not get
	verdict *verdict // the last one

	network *program
	events  *os.File

	mu     sync.Mutex
	anchor *program

	http      *http.Client // of everybody but the anchor
	customers []*customer
	newcomers []*customer // under mu, while they come
}

func newLife(t *testing.T, seed uint64, kills int) *life {
	t.Helper()
	dir, err := os.MkdirTemp("", fmt.Sprintf("chaos-seed-%d-", seed)) //nolint:usetesting // it outlives a test that fails
	if err != nil {
		t.Fatal(err)
	}
	l := &life{t: t, dir: dir, seed: seed, kills: kills, verdict: &verdict{}, rng: rand.New(rand.NewPCG(seed, 0)), ports: map[string]int{}}
	l.events = l.file("events.log")
	l.http = &http.Client{
		Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(l.http.CloseIdleConnections)
	t.Cleanup(func() {
		if !t.Failed() && os.Getenv("CHAOS_KEEP") == "" {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
			return
		}
		t.Logf("the logs, books, bank and ledgers of seed %d are in %s", seed, dir)
	})
	for _, name := range []string{"public", "admin", "horizon", "stormy", "control"} {
		l.ports[name] = freePort(t)
	}
	l.horizon, l.control = l.at("horizon"), l.at("control")
	l.startNetwork()
	l.prepare()
	return l
}

// freePort is one that nobody has just now, and nobody is given by chance while
// whoever listens there is dead: it lies below those that systems give away.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := 10_000 + rand.IntN(20_000)
		n, err := new(net.ListenConfig).Listen(t.Context(), "tcp", loopback(uint16(port)))
		if err != nil {
			continue
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
}

func (l *life) at(name string) string { return "http://localhost:" + strconv.Itoa(l.ports[name]) }

// file makes or opens a log in the life's folder.
func (l *life) file(name string) *os.File {
	l.t.Helper()
	f, err := os.OpenFile(filepath.Join(l.dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = f.Close() })
	return f
}

// note writes down what was done to the anchor.
func (l *life) note(format string, args ...any) {
	_, _ = fmt.Fprintf(l.events, "%s %s\n", time.Now().UTC().Format("15:04:05.000"), fmt.Sprintf(format, args...))
}

// start runs this test binary as windlass; what it prints goes into a file.
func (l *life) start(log string, environ []string, args ...string) *program {
	l.t.Helper()
	out := l.file(log)
	defer func() { _ = out.Close() }() // the program has its own
	p := spawn(l.t, out, environ, args...)
	l.t.Cleanup(p.kill)
	return p
}

// startNetwork starts the sandbox and waits until it answers.
func (l *life) startNetwork() {
	l.t.Helper()
	p := l.start("sandbox.log", nil, "sandbox", "--dir", filepath.Join(l.dir, "network"), "--horizon-port", strconv.Itoa(l.ports["horizon"]),
		"--stormy", fmt.Sprintf("127.0.0.1:%d", l.ports["stormy"]), "--control", fmt.Sprintf("127.0.0.1:%d", l.ports["control"]),
		"--close-every", "200ms", "--seed", strconv.FormatUint(l.seed, 10))
	eventually(l.t, "the network answers", func() bool {
		select {
		case <-p.done:
			l.t.Fatal("the network has ended")
		default:
		}
		return call(l.t, http.MethodGet, l.horizon+"/", nil, nil, nil) == http.StatusOK
	})
	l.network = p
}

// chaosSettings are those of the anchor that are not dev's.
var chaosSettings = []string{
	// What nobody asked for goes back by itself, as often as it comes.
	"WINDLASS_UNMATCHED_NO_MEMO=refund", "WINDLASS_UNMATCHED_SECOND=refund", "WINDLASS_UNMATCHED_UNKNOWN_REFERENCE=refund",
	"WINDLASS_UNMATCHED_REFUNDS_PER_SENDER=1000",
	// Whoever cannot receive yet is helped.
	"WINDLASS_ASSETS_0_CREATE_ACCOUNT=2", "WINDLASS_ASSETS_0_TOP_UP=0.5", "WINDLASS_ASSETS_1_CREATE_ACCOUNT=2",
	// Who wants cash comes for it.
	"WINDLASS_ASSETS_0_WITHDRAW_METHODS_1_ID=cash", "WINDLASS_ASSETS_1_WITHDRAW_METHODS_1_ID=cash", "WINDLASS_ASSETS_2_WITHDRAW_METHODS_1_ID=cash",
	// Much of it needs a second person.
	"WINDLASS_ASSETS_0_PAYOUT_LIMIT=60", "WINDLASS_ASSETS_1_PAYOUT_LIMIT=100", "WINDLASS_ASSETS_1_DAILY_LIMIT=400", "WINDLASS_ASSETS_2_PAYOUT_LIMIT=40",
}

// prepare makes the keys, the configuration and the anchor's accounts, but no
// books: their first start is the anchor's own.
func (l *life) prepare() {
	l.t.Helper()
	issuer, err := devFiles(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	guarded, err := assetFiles(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	for day := range prices {
		l.offers = append(l.offers, balanceOf(l.t, l.dir, l.horizon, slices.Concat(priced(day), chaosSettings, reviews)...).Config)
	}
	l.cfg = l.offers[0]
	l.balance = &balance{Config: l.cfg, Earlier: l.offers[1:], Horizon: l.horizon}
	log := newLog(l.file("bootstrap.log"), l.cfg.Log)
	if err := bootstrap(l.t.Context(), l.cfg, issuer, nil, log); err != nil {
		l.t.Fatal(err)
	}
	if err := issueAssets(l.t.Context(), l.cfg, guarded, 2, nil, log); err != nil {
		l.t.Fatal(err)
	}
	l.gate, l.mail, l.post = newGate(l.t, l.at("stormy")), newMailbox(l.t), rig.NewSink(l.t, false)
}

// startAnchor starts serve; it does not wait.
func (l *life) startAnchor(dies string) *program {
	l.t.Helper()
	environ := []string{
		"WINDLASS_NETWORK_HORIZON=" + l.gate.url, "WINDLASS_PUBLIC_URL=" + l.at("public"), "WINDLASS_ADMIN_URL=" + l.at("admin"),
		fmt.Sprintf("WINDLASS_LISTEN_PUBLIC=127.0.0.1:%d", l.ports["public"]), fmt.Sprintf("WINDLASS_LISTEN_ADMIN=127.0.0.1:%d", l.ports["admin"]),
		diesAt + "=" + dies,
	}
	environ = slices.Concat(environ, chaosSettings, reviews, l.mailed(), priced(l.killed)) // each start is a day
	p := l.start("anchor.log", environ, "serve", "--config", filepath.Join(l.dir, configFile))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.anchor = p
	return p
}

const mailDomain = "anchor.example"

// mailed are the settings by which customers are written to.
func (l *life) mailed() []string {
	return []string{"WINDLASS_MAIL_HOST=127.0.0.1", fmt.Sprintf("WINDLASS_MAIL_PORT=%d", l.post.Port), "WINDLASS_MAIL_TLS=none", "WINDLASS_MAIL_FROM=money@" + mailDomain}
}

// killAnchor kills whatever runs just now.
func (l *life) killAnchor() {
	l.mu.Lock()
	p := l.anchor
	l.mu.Unlock()
	p.kill()
}

// live is the whole life.
func (l *life) live() {
	l.t.Helper()
	l.birth()
	var customers, staff sync.WaitGroup
	ctx, cancel := context.WithCancel(l.t.Context())
	defer func() { // however it ends
		cancel()
		customers.Wait()
		staff.Wait()
	}()
	closing := make(chan struct{}) // customers begin nothing new
	l.open(min(3*l.kills, 150))
	for _, c := range l.customers {
		customers.Go(func() { c.live(ctx, closing) })
	}
	staff.Go(func() { l.work(ctx, 1, (*customer).approveAll) })
	staff.Go(func() { l.work(ctx, 2, (*customer).reviewAll) })
	for i, a := range slices.Repeat(arrivals, 4) {
		customers.Go(func() { l.welcome(ctx, closing, i, a) })
	}
	for l.killed < l.kills && !l.t.Failed() {
		l.once()
	}
	close(closing)
	l.weather(false)
	p := l.startAnchor("")
	l.quiet(cancel, &customers)
	for _, c := range l.everybody() {
		c.audit()
	}
	if code := p.stop(l.t); code != 0 {
		l.t.Errorf("the anchor ended with %d", code)
	}
	l.verdict = balanced(l.t, l.balance)
}

func (l *life) everybody() []*customer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.customers, l.newcomers)
}

// quiet waits until nothing moves any more.
func (l *life) quiet(cancel func(), customers *sync.WaitGroup) {
	l.t.Helper()
	done := make(chan struct{})
	go func() { customers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		l.t.Errorf("after %s customers still wait", patience)
		cancel()
		<-done
		l.see()
		return
	}
	eventually(l.t, "nothing is open any more", func() bool { v := l.see(); return v.Open+v.Parked+v.Undelivered == 0 })
	for _, m := range l.mail.missing(l.verdict.Messages) {
		l.untold++
		l.t.Errorf("the wallet was not told as often as the outbox says: %v", m)
	}
	came := map[string]bool{}
	for _, m := range l.post.Got() {
		came[m.Header.Get("Message-Id")] = true
	}
	for _, id := range l.verdict.Mails {
		if !came["<"+id+"@"+mailDomain+">"] {
			l.untold++
			l.t.Errorf("the customer was not written to as the outbox says: %s", id)
		}
	}
}

// see looks at the balance and remembers it.
func (l *life) see() *verdict {
	l.t.Helper()
	v, err := l.balance.look(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	l.verdict = v
	return v
}

// sum counts what has happened, as far as it was looked at.
func (l *life) sum() tally {
	a := tally{
		kills: l.killed, deposits: l.verdict.Deposits, withdrawals: l.verdict.Withdrawals, refunds: l.verdict.Refunds,
		lost: l.verdict.count(lost), doubled: l.verdict.count(doubled), unbalanced: l.verdict.count(unbalanced),
	}
	a.lost += l.untold
	for _, c := range l.everybody() {
		a.lost += c.lost
		a.doubled += c.doubled
	}
	return a
}

// birth kills the first starts while the books are made: somewhere, and then before
// the first migration, after some, and before and after the first commit.
func (l *life) birth() {
	l.t.Helper()
	for range 3 {
		d := 10*time.Millisecond + time.Duration(l.rng.IntN(40))*time.Millisecond
		l.end(l.startAnchor(""), d)
		l.note("killed %s after the first start", d)
		for _, name := range []string{"", "-wal", "-shm"} {
			if err := removeIfThere(l.cfg.Database.Path + name); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	migrations, err := os.ReadDir("store/migrations")
	if err != nil {
		l.t.Fatal(err)
	}
	moments := []string{"migrating 1"}
	for left := len(migrations); left > 0; { // some of them, in each life others
		n := 1 + l.rng.IntN(min(left, 8))
		moments, left = append(moments, fmt.Sprintf("migrated %d", n)), left-n
	}
	for _, dies := range append(moments, "committing 1", "committed 1") {
		l.end(l.startAnchor(dies), patience)
		l.note("killed by itself while the books are made, %s", dies)
	}
}

// end waits until a program has died by itself, and kills it if it did not.
func (l *life) end(p *program, after time.Duration) {
	select {
	case <-p.done:
	case <-time.After(after):
		p.kill()
	}
	if code := p.cmd.ProcessState.ExitCode(); code > 0 {
		l.t.Fatalf("the anchor was not killed, but ended with %d", code)
	}
	l.killed++
}

// once starts the anchor and kills it in one of the ways.
func (l *life) once() {
	l.t.Helper()
	if l.killed%10 == 0 {
		l.weather(true)
	}
	within := func(most time.Duration) time.Duration { return time.Duration(l.rng.Int64N(int64(most))) }
	const long = 2 * time.Second // to wait for a moment that may not come
	way := l.rng.IntN(100)
	switch {
	case way < 10: // while it starts
		d := within(150 * time.Millisecond)
		l.end(l.startAnchor(""), d)
		l.note("killed %s after the start", d)
	case way < 28:
		d := within(long)
		l.end(l.startAnchor(""), d)
		l.note("killed %s after the start", d)
	case way < 32:
		d, then := within(long), within(100*time.Millisecond)
		p := l.startAnchor("")
		wait(l.t.Context(), d)
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		l.end(p, then)
		l.note("killed while it stops, %s after the start", d)
	case way < 58:
		dies := []string{"committed", "committed", "committing"}[l.rng.IntN(3)] + " " + strconv.Itoa(1+l.rng.IntN(60))
		l.end(l.startAnchor(dies), long)
		l.note("killed by itself, %s", dies)
	case way < 67:
		n := 1 + l.rng.IntN(20)
		shot := l.mail.arm(n, l.killAnchor)
		l.end(l.startAnchor(""), long)
		l.mail.arm(0, nil)
		l.note("killed when a wallet was told for the %d. time: %t", n, *shot)
	case way < 90:
		when := []moment{beforeSubmit, afterSubmit, answered}[l.rng.IntN(3)]
		n := 1 + l.rng.IntN(3)
		shot := l.gate.arm(when, n, l.killAnchor)
		p := l.startAnchor("")
		l.end(p, long)
		l.gate.disarm()
		l.note("killed %s submission %d: %t", when, n, *shot)
	case l.kills-l.killed >= 2:
		l.killNetwork(within(long/2), within(long/2))
	}
	if l.killed%12 == 0 { // money in the middle of its way is balanced too
		v := l.see()
		if len(v.Findings) > 0 {
			l.t.Errorf("after %d kills: %v", l.killed, v.Findings)
		}
		l.note("looked: %+v", v)
	}
}

// killNetwork kills the network under a running anchor, or both at once, and
// starts it again.
func (l *life) killNetwork(after, down time.Duration) {
	l.t.Helper()
	p := l.startAnchor("")
	wait(l.t.Context(), after)
	both := l.rng.IntN(2) == 0
	l.network.kill()
	if both {
		p.kill()
	}
	l.killed++
	l.note("killed the network after %s; the anchor too: %t", after, both)
	wait(l.t.Context(), down)
	l.startNetwork()
	l.weather(true)
	l.end(p, down)
	l.note("the network came back after %s", down)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// weather sets the faults between the anchor and the network anew, or ends them.
func (l *life) weather(stormy bool) {
	l.t.Helper()
	faults := []map[string]any{}
	if stormy {
		// Where nothing is answered the connection is cut after a while.
		faults = append(faults, map[string]any{"kind": "anything", "rate": []float64{0, 0.02, 0.05, 0.1}[l.rng.IntN(4)], "wait": "1s"})
		switch l.rng.IntN(4) {
		case 0:
			faults = append(faults, map[string]any{"kind": "never_lands", "rate": 0.5, "wait": "300ms", "next": 10})
		case 1:
			faults = append(faults, map[string]any{"kind": "lands_late", "rate": 0.5, "wait": "300ms", "ledgers": 3, "next": 10})
		case 2:
			faults = append(faults, map[string]any{"kind": "lagging", "rate": 0.3, "ledgers": 2})
		}
	}
	l.note("weather: %v", faults)
	call(l.t, http.MethodDelete, l.control+"/faults", nil, nil, nil)
	for _, f := range faults {
		if f["rate"] == 0.0 {
			continue
		}
		if code := call(l.t, http.MethodPost, l.control+"/faults", nil, f, nil); code != http.StatusCreated {
			l.t.Errorf("setting the fault %v: %d", f, code)
		}
	}
}
