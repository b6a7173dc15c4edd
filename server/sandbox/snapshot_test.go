package sandbox

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func (w *world) save() []byte {
	w.Helper()
	var out bytes.Buffer
	if err := w.net.Save(&out); err != nil {
		w.Fatal(err)
	}
	return out.Bytes()
}

func (w *world) load(snapshot []byte) {
	w.Helper()
	if err := w.net.Load(bytes.NewReader(snapshot)); err != nil {
		w.Fatal(err)
	}
}

func TestSnapshot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.Dir = dir })
	answers := story(w)
	before := answers(w)
	snapshot := w.save()
	if log := must(os.ReadFile(filepath.Join(dir, logName))); !bytes.HasSuffix(snapshot, log[len(log)-1000:]) {
		t.Error("the snapshot does not end with the log's frames")
	}

	// Into a network on disk that has a past of its own, and into one in memory.
	other := t.TempDir()
	for _, in := range []string{other, ""} {
		for _, from := range [][]byte{snapshot, must(os.ReadFile(filepath.Join(dir, logName)))} {
			to := newWorld(t, func(c *Config) { c.Dir = in })
			to.fund("10", key("elsewhere"))
			pending := to.tx(key("elsewhere"), ops(pay(key("elsewhere"), "1", lumen)))
			if r := to.async(pending); r.status != 201 {
				t.Fatal(r.text)
			}
			to.load(from)
			if after := answers(to); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			if !bytes.Equal(to.save(), snapshot) {
				t.Error("saved again, it differs")
			}
			if r := to.async(pending); r.at("error_result_xdr") == nil {
				t.Errorf("what was pending before: %d %s", r.status, r.text)
			}
			to.ok(to.send(to.tx(key("a"), ops(pay(key("b"), "1", lumen)))))
			if err := to.net.Close(); err != nil {
				t.Fatal(err)
			}
			if in == "" {
				continue
			}
			again := newWorld(t, func(c *Config) { c.Dir = in })
			again.ok(again.get("/accounts/" + key("a").Address()))
			if r := again.get("/accounts/" + key("elsewhere").Address()); r.status != 404 {
				t.Errorf("the account of before: %s", r.text)
			}
			if again.net.history.last().hash != to.net.history.last().hash {
				t.Error("after a restart the last ledger is another")
			}
			if err := again.net.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(in, logName)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What cannot be loaded changes nothing.
func TestBadSnapshots(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.Dir = dir })
	answers := story(w)
	before := answers(w)
	good := w.save()
	foreign := newWorld(t, func(c *Config) { c.Passphrase = "another" }).save()
	second := 2*frameHeader + len(snapshotHead("", w.net.history.last())) // where the payload of ledger 2 begins
	damaged := bytes.Clone(good)
	damaged[second+50] ^= 1
	log := must(os.ReadFile(filepath.Join(dir, logName)))
	last := bytes.LastIndex(good, []byte(frameMarker))
	for name, c := range map[string]struct {
		snapshot []byte
		want     string
	}{
		"nothing":              {nil, "EOF"},
		"something else":       {bytes.Repeat([]byte("text "), 100), "no frame begins"},
		"another passphrase":   {foreign, "another network passphrase"},
		"one byte too few":     {good[:len(good)-1], "cut off"},
		"one ledger too few":   {good[:last], "cut off behind ledger"},
		"a ledger left out":    {append(bytes.Clone(good[:second-frameHeader]), good[last:]...), "replays differently"},
		"a flipped bit":        {damaged, "checksum"},
		"an endless frame":     {append(bytes.Clone(good[:last]), append([]byte(frameMarker), bytes.Repeat([]byte{0xff}, 100)...)...), "cut off"},
		"another version":      {appendFrame(nil, []byte("windlass sandbox 9\n")), "this version"},
		"a log that is torn":   {log[:len(log)-1], "cut off"},
		"rubbish in a ledger":  {appendFrame(appendFrame(nil, logHead(w.net.cfg.Passphrase)), []byte("rubbish")), "ledger 2"},
		"an empty second head": {appendFrame(nil, nil), "this version"},
	} {
		if err := w.net.Load(bytes.NewReader(c.snapshot)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if after := answers(w); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	w.ok(w.send(w.tx(key("a"), ops(pay(key("b"), "1", lumen)))))
	files := must(os.ReadDir(dir))
	if len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	if err := w.net.Save(full{}); !errors.Is(err, errFull) {
		t.Errorf("saving where there is no space: %v", err)
	}
}

var errFull = errors.New("no space")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestReset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.Dir = dir })
	a := key("a")
	friendbot := func(w *world) {
		w.Helper()
		answer := make(chan reply, 1)
		go func() { answer <- w.get("/friendbot?addr=" + a.Address()) }()
		w.settle(1)
		w.net.CloseLedger()
		w.ok(<-answer)
	}
	friendbot(w)
	for range 3 {
		w.net.CloseLedger()
	}

	// A disk that fails leaves everything as it was.
	blocked := filepath.Join(dir, nextLogName)
	if err := os.Mkdir(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := w.net.Reset(); err == nil {
		t.Error("reset without a file to write")
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	w.ok(w.get("/accounts/" + a.Address()))

	for range 2 {
		if err := w.net.Reset(); err != nil {
			t.Fatal(err)
		}
		if got := w.get("/").at("history_latest_ledger"); got != 2.0 {
			t.Errorf("after a reset ledger %v is the last", got)
		}
		for _, path := range []string{"/accounts/" + a.Address(), "/ledgers/3"} {
			if r := w.get(path); r.status != 404 {
				t.Errorf("%s after a reset: %s", path, r.text)
			}
		}
		friendbot(w)
	}
	conserved(t, w.net)
	if err := w.net.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.net.Reset(); err == nil {
		t.Error("reset after Close")
	}

	// A process that died while it replaced the ledgers leaves a file behind.
	if err := os.WriteFile(blocked, []byte("half of something"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := newWorld(t, func(c *Config) { c.Dir = dir })
	again.ok(again.get("/accounts/" + a.Address()))
	if got := again.net.history.last().seq; got != 3 {
		t.Errorf("after a restart ledger %d is the last", got)
	}
	if _, err := os.Stat(blocked); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// Streams and submissions of the ledgers that went end at once.
func TestResetEndsWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, do := bubble(t, Config{CloseEvery: -1})
		start := time.Now()
		root := must(rootKey(n.cfg.Passphrase)).Address()
		answers := make([]*httptest.ResponseRecorder, 4)
		var done sync.WaitGroup
		for i, ask := range []func() *httptest.ResponseRecorder{
			func() *httptest.ResponseRecorder {
				return do("GET", "/ledgers?cursor=now", "", "Accept", "text/event-stream")
			},
			func() *httptest.ResponseRecorder {
				return do("GET", "/accounts/"+root, "", "Accept", "text/event-stream")
			},
			func() *httptest.ResponseRecorder {
				return do("POST", "/transactions", url.Values{"tx": {rootPays(t, n.bot.channels[0].Address(), 2, "1")}}.Encode())
			},
			func() *httptest.ResponseRecorder { return do("GET", "/friendbot?addr="+key("a").Address(), "") },
		} {
			done.Go(func() { answers[i] = ask() })
		}
		synctest.Wait()
		if err := n.Reset(); err != nil {
			t.Error(err)
		}
		done.Wait()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("they waited %s", waited)
		}
		for i, r := range answers {
			if i < 2 && !strings.HasSuffix(r.Body.String(), streamByebye) || i >= 2 && r.Code != 504 {
				t.Errorf("%d: %d %s", i, r.Code, r.Body)
			}
		}
		if len(n.waiting) != 0 {
			t.Errorf("%d still wait", len(n.waiting))
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A Horizon that lags forgets, too, and lags behind the new ledgers.
func TestResetWhileLagging(t *testing.T) {
	t.Parallel()
	clean := newWorld(t)
	weather, w := clean.storm(1)
	a := key("a")
	clean.fund("100", a)
	w.set(weather, Fault{Kind: Lagging, Ledgers: 2})
	clean.net.CloseLedger()
	if err := clean.net.Reset(); err != nil {
		t.Fatal(err)
	}
	if r := w.get("/accounts/" + a.Address()); r.status != 404 {
		t.Errorf("the account of before: %s", r.text)
	}
	clean.fund("50", a)
	for i, want := range []any{2.0, 2.0, 3.0} {
		if got := w.get("/").at("history_latest_ledger"); got != want {
			t.Errorf("%d ledgers later it shows ledger %v, want %v", i+1, got, want)
		}
		clean.net.CloseLedger()
	}
	if got := w.get("/accounts/"+a.Address()).at("balances", 0, "balance"); got != "50.0000000" {
		t.Errorf("the account has %v", got)
	}
}

// While ledgers close, people read, pay and ask friendbot, the ledgers are
// saved, reset and loaded: every snapshot is whole, and nobody gets an answer
// that is not Horizon's.
func TestReplaceInTraffic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Dir = t.TempDir() })
	a := key("a")
	w.fund("100", a)
	payment := w.tx(a, ops(pay(key("a"), "1", lumen)))
	var busy sync.WaitGroup
	done := make(chan struct{})
	keep := func(what func()) {
		busy.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					what()
				}
			}
		})
	}
	sound := func(r reply) {
		if r.status >= 500 && r.status != 503 && r.status != 504 {
			t.Errorf("%d %s", r.status, r.text)
		}
	}
	keep(w.net.CloseLedger)
	keep(func() {
		for _, path := range []string{"/", "/fee_stats", "/accounts/" + a.Address(), "/payments?order=desc", "/effects", "/ledgers?order=desc"} {
			sound(w.get(path))
		}
	})
	keep(func() { sound(w.async(payment)) })
	keep(func() { sound(w.post("/transactions", url.Values{"tx": {payment}})) })
	keep(func() { sound(w.get("/friendbot?addr=" + key("b").Address())) })
	keep(func() { sound(w.get("/ledgers?cursor=0", "Accept", "text/event-stream")) })

	for range 5 {
		snapshot := w.save()
		other := newWorld(t)
		other.load(snapshot)
		if err := w.net.Reset(); err != nil {
			t.Error(err)
		}
		w.load(snapshot)
	}
	w.ok(w.get("/accounts/" + a.Address()))
	close(done)
	if err := w.net.Close(); err != nil { // ends what still waits
		t.Error(err)
	}
	busy.Wait()
}
