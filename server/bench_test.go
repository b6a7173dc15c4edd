//go:build bench

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/anchor"
	"windlass/server/sep"
	"windlass/server/store"
)

// The poll that wallets live on, measured as `make bench` does: against the
// same listener, middleware and token check answering a constant of the same
// size, in alternating rounds, because a ratio survives a noisy machine.
const (
	benchRows        = 1_000_000
	benchConnections = 64
	benchRounds      = 5
	benchSeconds     = 5
	pollAim          = 0.6
)

// benchClient makes this binary the load generator.
const benchClient = "RUN_AS_BENCH_CLIENT"

func init() {
	if spec := os.Getenv(benchClient); spec != "" {
		generateLoad(spec)
		os.Exit(0)
	}
}

// measured is one line of docs/benchmarks.json.
type measured struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // requests a second, or ledgers
	Limit float64 `json:"limit"` // what could be at best
	Ratio float64 `json:"ratio"` // 1 is at best
	Aim   float64 `json:"aim"`
	Met   bool    `json:"met"`
}

func TestBenchPoll(t *testing.T) {
	tuneCollector()
	dir, err := filepath.Abs("../bin/bench")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := benchConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	ids, owner := seed(t, cfg)

	logger := newLog(io.Discard, LogConfig{Level: "error", Format: "json"})
	a, err := newApp(t.Context(), cfg, devMode{}, logger)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	// A running anchor's log is never empty, as that of a file just opened is.
	err = a.books.Update(t.Context(), store.Operator, func(tx *store.Tx) error { return tx.SetCursor("bench", anchor.Cursor{}) })
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.keys.AuthToken(owner, cfg.PublicURL+"/auth", cfg.HomeDomain, "bench", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	sample := httpSample(t, a.public, "/sep24/transaction?id="+ids[0], token)
	routes := a.publicRoutes()
	routes.Handle("/bench/constant", a.constant(sample))
	bound, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l := serveOn(bound, "public", routes, logger)
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()

	list := filepath.Join(t.TempDir(), "ids")
	if err := os.WriteFile(list, []byte(strings.Join(ids, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	poll := barrage{bound.Addr().String(), "/sep24/transaction?id=", list, token}
	constant := barrage{bound.Addr().String(), "/bench/constant?id=", list, token}
	poll.run(t, 2)
	constant.run(t, 2)
	var polls, constants, ratios []float64
	for range benchRounds {
		p, c := poll.run(t, benchSeconds), constant.run(t, benchSeconds)
		polls, constants, ratios = append(polls, p), append(constants, c), append(ratios, p/c)
		t.Logf("poll %8.0f/s   constant %8.0f/s   ratio %.2f", p, c, p/c)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r := measured{Name: "GET /sep24/transaction?id=, a second", Value: median(polls), Limit: median(constants), Ratio: median(ratios), Aim: pollAim}
	r.Met = r.Ratio >= r.Aim
	writeBenchmarks(t, r)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// seed fills the books once with a million transactions of a thousand owners
// and checkpoints them. It returns ids of one owner's.
func seed(t *testing.T, cfg *Config) ([]string, anchor.Identity) {
	t.Helper()
	owners := make([]anchor.Identity, 1000)
	for i := range owners {
		raw := [32]byte{byte(i), byte(i >> 8), 1}
		kp, err := keypair.FromRawSeed(raw)
		if err != nil {
			t.Fatal(err)
		}
		owners[i] = anchor.Identity{Account: kp.Address()}
	}
	ctx := t.Context()
	books, err := store.Open(ctx, cfg.Database.Path, cfg.keys.Encryption)
	if err != nil {
		t.Fatal(err)
	}
	// Closing the last connection checkpoints the log into the database.
	defer func() {
		if err := books.Close(); err != nil {
			t.Error(err)
		}
	}()
	have, err := books.History(ctx, owners[0], store.History{})
	if err != nil {
		t.Fatal(err)
	}
	if len(have) < benchRows/len(owners) {
		start := time.Now()
		terms := cfg.terms[0]
		for n := 0; n < benchRows; n += 5000 {
			err := books.Update(ctx, store.Operator, func(tx *store.Tx) error {
				for i := n; i < n+5000; i++ {
					now := time.Now()
					owner := owners[i%len(owners)]
					a := anchor.Start(store.NewID(), anchor.Deposit, terms, owner, anchor.Address(owner.Account), now.Add(time.Hour), now)
					a.Lang = "en"
					if err := a.SetAmount(terms, 100*anchor.One); err != nil {
						return err
					}
					a.Method, a.Reviewed = "bank_transfer", true
					if err := a.Agree(anchor.Instructions{Reference: fmt.Sprintf("BENCH-%d", i), Deadline: now.Add(time.Hour)}, now); err != nil {
						return err
					}
					if err := tx.CreateTransaction(a); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("seeded %d transactions in %s", benchRows, time.Since(start).Round(time.Second))
		if have, err = books.History(ctx, owners[0], store.History{}); err != nil {
			t.Fatal(err)
		}
	}
	ids := make([]string, len(have))
	for i, a := range have {
		ids[i] = a.ID
	}
	return ids, owners[0]
}

// httpSample is one real answer's body, for the constant to be as large.
func httpSample(t *testing.T, h http.Handler, path, token string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	w := &sampleWriter{header: http.Header{}}
	h.ServeHTTP(w, req)
	if w.status != 0 && w.status != http.StatusOK {
		t.Fatalf("%s answered %d %s", path, w.status, w.Bytes())
	}
	return w.Bytes()
}

type sampleWriter struct {
	bytes.Buffer
	header http.Header
	status int
}

func (w *sampleWriter) Header() http.Header    { return w.header }
func (w *sampleWriter) WriteHeader(status int) { w.status = status }

// barrage is one kind of request.
type barrage struct{ addr, path, ids, token string }

// run has a process of its own ask for some seconds, and returns requests a second.
func (l barrage) run(t *testing.T, seconds int) float64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), benchClient+"="+strings.Join([]string{l.addr, l.path, l.ids, l.token, strconv.Itoa(seconds)}, "\t"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return n
}

// generateLoad is the load generator's process: an ordinary HTTP client. It
// shares the machine with the server, which both kinds of request pay for.
func generateLoad(spec string) {
	f := strings.Split(spec, "\t")
	list, err := os.ReadFile(f[2])
	if err != nil {
		panic(err)
	}
	seconds, err := strconv.Atoi(f[4])
	if err != nil {
		panic(err)
	}
	ids := strings.Fields(string(list))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: benchConnections, MaxConnsPerHost: benchConnections}}
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	var wg sync.WaitGroup
	counts := make([]int, benchConnections)
	begin := time.Now()
	for i := range benchConnections {
		wg.Go(func() {
			for n := i; time.Now().Before(end); n++ {
				if err := ask(client, "http://"+f[0]+f[1]+ids[n%len(ids)], f[3]); err != nil {
					panic(err)
				}
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for _, c := range counts {
		total += c
	}
	fmt.Println(float64(total) / time.Since(begin).Seconds())
}

func ask(client *http.Client, address, token string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// writeBenchmarks puts a line into docs/benchmarks.json, in the place of its last
// one, prints it, and writes docs/benchmarks.md anew.
func writeBenchmarks(t *testing.T, r measured) {
	t.Helper()
	var rows []measured
	old, err := os.ReadFile("../docs/benchmarks.json")
	if err == nil {
		err = json.Unmarshal(old, &rows)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(rows, func(other measured) bool { return other.Name == r.Name }); i >= 0 {
		rows[i] = r
	} else {
		rows = append(rows, r)
	}
	var md strings.Builder
	md.WriteString(`# Benchmarks

Written by ` + "`make bench`" + `; run it to see yours. Machines are noisy: the ratio is what counts.

## The poll that wallets live on

The limit is the same listener, middleware and token check answering a constant
of the same size. ` + fmt.Sprintf(`%d kept-alive connections from a separate process, an
ordinary Go HTTP client that shares the processors, %d transactions in the books, checkpointed, median of %d alternating
rounds of %d s.`, benchConnections, benchRows, benchRounds, benchSeconds) + `

## A backlog of payouts

` + fmt.Sprintf(`%d queued payouts without memos to as many accounts, over %d channels, on a network that closes a ledger of
%d operations every %s. Counted are the ledgers from the first that has a payout to the last. The limit is the
network's: an envelope has 99 payouts and its fee bump counts as one operation more. The whole anchor and the network share
one process and its processors.`, benchPayouts, benchChannels, benchMaxOps, benchCloseEvery) + `

## Measured

| what | measured | limit | ratio | aim | met |
|---|--:|--:|--:|--:|---|
`)
	for _, r := range rows {
		met := "no"
		if r.Met {
			met = "yes"
		}
		fmt.Fprintf(&md, "| `%s` | %.0f | %.0f | %.2f | %.2f | %s |\n", r.Name, r.Value, r.Limit, r.Ratio, r.Aim, met)
	}
	j, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../docs/benchmarks.md", []byte(md.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../docs/benchmarks.json", append(j, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	fmt.Print(md.String()[strings.Index(md.String(), "| what"):])
}

// benchConfig is dev's anchor in a folder of the benchmark's.
func benchConfig(dir string) (*Config, error) {
	if _, err := devFiles(dir); err != nil {
		return nil, err
	}
	return Load(filepath.Join(dir, configFile), []string{"WINDLASS_LIMITS_POLLS=1000000"}) // one token polls for all
}

// constant answers body after the middleware and token check that the poll has.
func (a *app) constant(body []byte) http.Handler {
	return sep.Endpoint(map[string]http.HandlerFunc{http.MethodGet: func(w http.ResponseWriter, r *http.Request) {
		if _, err := a.keys.Auth(sep.Bearer(r), time.Now()); err != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		sep.Write(w, http.StatusOK, body)
	}})
}
