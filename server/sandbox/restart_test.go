package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

// story fills a network with everything it knows and returns what it answers.
func story(w *world) func(*world) string {
	a, b, issuer := key("a"), key("b"), key("issuer")
	w.fund("100", a, b, issuer)
	w.ok(w.send(w.tx(a, ops(trust(usd(issuer), "1000")))))
	w.ok(w.send(w.tx(issuer, ops(pay(a, "50", usd(issuer)), &txnbuild.SetOptions{
		HomeDomain: new("example.org"), Signer: &txnbuild.Signer{Address: b.Address(), Weight: 1},
	}))))
	w.ok(w.send(w.tx(b, ops(setData("kept", "yes"), setData("dropped", "no"), dropData("dropped")))))
	w.ok(w.send(w.tx(b, sponsored(b, a, by(a, setData("sponsored", "yes"))), a)))
	w.ok(w.send(w.tx(b, ops(claimables("2", lumen, a, b)))))
	w.send(w.tx(a, ops(pay(b, "5", usd(issuer))))) // fails
	w.ok(w.send(w.bump(w.tx(a, ops(pay(b, "5", lumen))), issuer, 300)))
	w.net.CloseLedger()
	return func(w *world) string {
		var out strings.Builder
		for _, path := range []string{
			"/ledgers?limit=200", "/transactions?include_failed=true&limit=200", "/payments?include_failed=true&limit=200", "/fee_stats",
			"/accounts/" + a.Address(), "/accounts/" + b.Address(), "/accounts/" + issuer.Address(), "/accounts/" + a.Address() + "/operations",
		} {
			out.WriteString(strings.ReplaceAll(w.ok(w.get(path)).text, w.url, "HOST"))
		}
		return out.String()
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(c *Config) { c.Dir = dir }
	w := newWorld(t, in)
	answers := story(w)
	before := answers(w)
	if _, err := Open(Config{Dir: dir, CloseEvery: -1}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second one: %v", err)
	}
	if err := w.net.Close(); err != nil {
		t.Fatal(err)
	}

	again := newWorld(t, in, func(c *Config) { c.MaxOps = 500 })
	if after := answers(again); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	again.ok(again.send(again.tx(key("a"), ops(pay(key("b"), "1", lumen)))))
	if err := again.net.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir, CloseEvery: -1, Passphrase: "another"}); err == nil {
		t.Error("another network's ledgers were accepted")
	}
}

// A crash leaves any part of the last ledger on the disk: what was told stays.
func TestTornTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorld(t, func(c *Config) { c.Dir = dir })
	answers := story(w)
	before := answers(w)
	size := w.net.log.size
	told := w.net.history.last().seq
	w.ok(w.send(w.tx(key("a"), ops(pay(key("b"), "1", lumen)))))
	if err := w.net.Close(); err != nil {
		t.Fatal(err)
	}
	whole := must(os.ReadFile(filepath.Join(dir, logName)))

	for _, tail := range [][]byte{
		nil, whole[size : size+3], whole[size : size+int64(frameHeader)], whole[size : len(whole)-1],
		append(bytes.Clone(whole[size:len(whole)-1]), whole[len(whole)-1]^1),
		make([]byte, 4096), bytes.Repeat([]byte{0xff}, 100),
	} {
		dir := t.TempDir()
		torn := append(bytes.Clone(whole[:size]), tail...)
		if err := os.WriteFile(filepath.Join(dir, logName), torn, 0o600); err != nil {
			t.Fatal(err)
		}
		again := newWorld(t, func(c *Config) { c.Dir = dir })
		if got := again.net.history.last().seq; got != told {
			t.Errorf("with %d bytes of the next: ledger %d, want %d", len(tail), got, told)
		}
		if after := answers(again); after != before {
			t.Errorf("with %d bytes of the next, after:\n%s", len(tail), after)
		}
		again.ok(again.send(again.tx(key("a"), ops(pay(key("b"), "1", lumen)))))
	}

	// Damage before the end is not forgotten about, wherever it is.
	for at := range 40 {
		at = at * int(size) / 40
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, logName), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := Open(Config{Dir: dir, CloseEvery: -1}); err == nil {
			t.Errorf("damaged at byte %d, it was opened at ledger %d", at, n.latest().seq)
			_ = n.Close()
		}
	}
}

// TestKill: another process is killed while it closes ledgers as fast as it
// can; whatever it told is there afterwards.
func TestKill(t *testing.T) {
	if dir := os.Getenv("SANDBOX_KILL"); dir != "" {
		closeLedgers(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), "SANDBOX_KILL="+dir)
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told []byte
	buf := make([]byte, 4096)
	for bytes.Count(told, []byte("\n")) < 40 {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("it told %q, then: %v", told, err)
		}
		told = append(told, buf[:n]...)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	told = append(told, must(io.ReadAll(out))...)
	_ = cmd.Wait()

	w := newWorld(t, func(c *Config) { c.Dir = dir })
	told = told[:bytes.LastIndexByte(told, '\n')]
	for line := range strings.SplitSeq(string(told), "\n") {
		var seq uint32
		var hash string
		if _, err := fmt.Sscan(line, &seq, &hash); err != nil {
			continue // the test framework's own
		}
		if w.net.history.last().seq < seq {
			t.Fatalf("ledger %d was told but is lost", seq)
		}
		w.ok(w.get("/transactions/" + hash))
	}
}

// closeLedgers is the process that TestKill kills.
func closeLedgers(t *testing.T, dir string) {
	t.Helper()
	w := newWorld(t, func(c *Config) { c.Dir = dir })
	a := key("a")
	w.fund("100", a)
	for i := range 10_000 {
		r := w.ok(w.send(w.tx(a, ops(pay(a, fmt.Sprint(i%9+1), lumen)))))
		fmt.Println(r.at("ledger"), r.at("hash"))
	}
}

// A ledger that cannot be stored is told to nobody.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.Dir = t.TempDir() })
	a := key("a")
	w.fund("100", a)
	tx := w.tx(a, ops(pay(a, "1", lumen)))
	if r := w.async(tx); r.status != 201 {
		t.Fatal(r.text)
	}
	good := w.net.log.file
	bad := must(os.Open(good.Name()))  // read only
	defer func() { _ = bad.Close() }() // nothing was written
	before := w.net.history.last().seq
	w.net.log.file = bad
	w.net.CloseLedger()
	w.net.log.file = good
	if w.net.history.last().seq != before || w.get("/transactions/"+w.hashOf(tx)).status != 404 {
		t.Error("it was told")
	}
	w.net.CloseLedger()
	w.ok(w.get("/transactions/" + w.hashOf(tx)))
}

// TestDiskFull: another process runs out of space in the middle of a ledger.
// Nobody is told of that one; with space again it closes, once.
func TestDiskFull(t *testing.T) {
	if dir := os.Getenv("SANDBOX_DISK_FULL"); dir != "" {
		fillDisk(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFull$")
	cmd.Env = append(os.Environ(), "SANDBOX_DISK_FULL="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	w := newWorld(t, func(c *Config) { c.Dir = dir })
	r := w.get("/accounts/" + key("a").Address() + "/payments?limit=100")
	if got := len(as[array](r.at("_embedded", "records"))); got != 2 {
		t.Errorf("%d payments of two: %s", got, r.text)
	}
}

// fillDisk is the process that has no space: no file may grow beyond a limit.
func fillDisk(t *testing.T, dir string) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // or the limit would kill it
	w := newWorld(t, func(c *Config) { c.Dir = dir })
	a := key("a")
	w.fund("100", a)
	tx := w.tx(a, ops(pay(key("a"), "1", lumen)))
	if r := w.async(tx); r.status != 201 {
		t.Fatal(r.text)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	limit := func(bytes uint64) {
		t.Helper()
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: before.Max}); err != nil {
			t.Fatal(err)
		}
	}
	snapshot := w.save()
	last := w.net.history.last()
	size := uint64(w.net.log.size)
	for name, c := range map[string]struct {
		space uint64
		do    func() error
	}{
		"no byte of a ledger": {size, nil},
		"a part of it":        {size + 50, nil},
		"all but its end":     {size + 300, nil},
		"a reset":             {1000, w.net.Reset},
		"a snapshot":          {1000, func() error { return w.net.Load(bytes.NewReader(snapshot)) }},
	} {
		limit(c.space)
		if c.do == nil {
			w.net.CloseLedger()
		} else if err := c.do(); err == nil {
			t.Errorf("%s fits in %d bytes", name, c.space)
		}
		limit(before.Cur)
		if w.net.history.last() != last || w.get("/transactions/"+w.hashOf(tx)).status != 404 {
			t.Errorf("%s: ledger %d was told", name, w.net.history.last().seq)
		}
		if info := must(os.Stat(filepath.Join(dir, logName))); uint64(info.Size()) != size {
			t.Errorf("%s: %d bytes instead of %d", name, info.Size(), size)
		}
	}
	w.net.CloseLedger()
	w.ok(w.get("/transactions/" + w.hashOf(tx)))
	if files := must(os.ReadDir(dir)); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

func TestFriendbotInABurst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) { c.MaxOps = 20 }) // 20 channel accounts
	var keys []*keypair.Full
	for i := range 30 {
		keys = append(keys, key(fmt.Sprint("burst", i)))
	}
	answers := make(chan reply, len(keys))
	for i, k := range keys {
		go func() {
			if i%2 == 0 {
				answers <- w.get("/friendbot?addr=" + k.Address())
			} else {
				answers <- w.post("/friendbot", url.Values{"addr": {k.Address()}})
			}
		}()
	}
	for range 2 {
		w.settle(10)
		w.net.CloseLedger()
	}
	for len(answers) < len(keys) {
		w.net.CloseLedger()
	}
	for range keys {
		w.ok(<-answers)
	}
	for _, k := range keys {
		if got := w.get("/accounts/"+k.Address()).at("balances", 0, "balance"); got != "10000.0000000" {
			t.Errorf("%s has %v", k.Address(), got)
		}
	}
}

// Two ask for the same account at once: one is told that it is funded.
func TestFriendbotTwiceAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answers := make(chan reply, 2)
	for range 2 {
		go func() { answers <- w.get("/friendbot?addr=" + key("twice").Address()) }()
	}
	w.settle(2)
	w.net.CloseLedger()
	x, y := <-answers, <-answers
	if x.status+y.status != 600 {
		t.Errorf("%d and %d", x.status, y.status)
	}
}
