package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSimulation lives some days of an anchor's life in one process, on
// synctest's clock: the program as it is, with its listeners, engines, books and
// bank, a sandbox network whose ledgers close every 5 seconds, and customers who
// reach all of it over HTTP, as wallets and browsers do. Connections are pipes in
// memory, because the clock stands still while somebody waits for a socket.
//
// The seed decides who comes when and does what, and what goes wrong when; how
// goroutines interleave it does not decide. What customers do is the table in
// simulate_errands_test.go, what goes wrong that in simulate_troubles_test.go.
//
// Every midnight the books are held against the ledger and the bank. In the end
// nothing may be under way any more, every customer must own to the stroop what
// they were told, and the bank must have paid every withdrawal once.
//
// `make simulate DAYS=30 SEED=1` is the long form; docs/simulation.md has more.
func TestSimulation(t *testing.T) {
	t.Parallel()
	s := simulation{
		days: setting(t, "SIMULATE_DAYS", 1), customers: setting(t, "SIMULATE_CUSTOMERS", 30),
		seed: uint64(setting(t, "SIMULATE_SEED", 1)), dir: simulationFolder(t),
	}
	began := time.Now()
	t.Cleanup(func() { // also where the bubble has ended the test
		_, _ = fmt.Fprintf(t.Output(), "%s  real time %s, findings %d\n", s.summary, time.Since(began).Round(100*time.Millisecond), s.findings)
		if t.Failed() {
			t.Errorf("seed %d fails; the event log, the anchor's log, the books and the bank's file are in %s", s.seed, s.dir)
		} else if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, s.live)
}

// A simulation is one run.
type simulation struct {
	days      int
	customers int // new ones a day
	seed      uint64
	dir       string

	summary  string
	findings int
}

func setting(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s is no number", name, text)
	}
	return n
}

// simulationFolder is in memory where the machine allows: a simulated month
// syncs the books to disk a hundred thousand times, and no power fails in it.
func simulationFolder(t *testing.T) string {
	t.Helper()
	parent := "/dev/shm"
	if _, err := os.Stat(parent); err != nil {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, "windlass-simulation-") //nolint:usetesting // it must outlive a run that fails
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// shownFindings of a run are printed; the event log has all.
const shownFindings = 20

// settleTime is how long the world is left alone after the last day, once every
// customer has gone home.
const settleTime = 2 * time.Hour

// live is the whole run, in its bubble.
func (s *simulation) live(t *testing.T) {
	l, err := newLifetime(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	l.startAnchor()
	l.begins = time.Now()
	l.ends = l.begins.Add(time.Duration(s.days) * 24 * time.Hour)
	staff, second := &clerk{lifetime: l, name: "clerk", released: map[string]bool{}, corrected: map[string]bool{}}, &clerk{lifetime: l, name: "supervisor"}
	go staff.work(staff.clear)
	go second.work(second.approve)
	for _, k := range troubles {
		l.troubled.Go(func() { l.trouble(k) })
	}
	for i := range s.days * s.customers {
		c := newCitizen(l, i)
		l.everybody = append(l.everybody, c)
		l.busy.Go(c.live)
	}
	for day := range s.days {
		<-time.After(time.Until(l.begins.Add(time.Duration(day+1) * 24 * time.Hour)))
		l.check(fmt.Sprintf("midnight after day %d", day+1))
	}
	l.troubled.Wait()
	l.busy.Wait()
	<-time.After(max(settleTime, time.Until(l.claimable)))
	staff.clear() // what they have not seen yet
	second.approve()
	<-time.After(settleTime)
	l.finalCheck()
	l.end()

	s.summary = l.summary()
	s.findings = len(l.findings)
	for _, f := range l.findings[:min(len(l.findings), shownFindings)] {
		t.Error(f)
	}
}

// summary tells what was lived.
func (l *lifetime) summary() string {
	b := &strings.Builder{}
	lived := time.Since(l.begins)
	fmt.Fprintf(b, "%d days and %s to settle, seed %d: %d customers, %d visits, %d ledgers\n",
		l.sim.days, (lived - time.Duration(l.sim.days)*24*time.Hour).Round(time.Minute), l.sim.seed, len(l.everybody), l.counts["visits"], l.ledgers)
	fmt.Fprintf(b, "  deposits %d, withdrawals %d, refunds %d and %d taken back, starts of the anchor %d, requests to Horizon that failed %d\n",
		l.verdict.Deposits, l.verdict.Withdrawals, l.verdict.Refunds, l.verdict.Undone, l.counts["starts"], l.struck)
	for _, sort := range []string{"errand", "trouble", "review"} {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(l.counts)) {
			if what, ok := strings.CutPrefix(name, sort+" "); ok {
				parts = append(parts, fmt.Sprintf("%s %d", what, l.counts[name]))
			}
		}
		fmt.Fprintf(b, "  %s: %s\n", sort+"s", strings.Join(parts, ", "))
	}
	return b.String()
}

// errGone ends what a customer or a trouble does when the run is over.
var errGone = errors.New("the run is over")

// sleep waits, or tells that the run is over.
func (l *lifetime) sleep(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-l.ctx.Done():
		return errGone
	}
}

func (l *lifetime) path(name string) string { return filepath.Join(l.sim.dir, name) }
