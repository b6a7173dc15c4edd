package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPortTaken starts what listens where something listens already. The answer
// names the setting, and nothing is touched before.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	taken, err := bind(t.Context(), "127.0.0.1:0", "nothing")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after the parallel tests below, as a defer would not be
		if err := unbind(taken); err != nil {
			t.Error(err)
		}
	})
	address := taken.Addr().String()
	_, number, _ := strings.Cut(address, ":")

	served := t.TempDir()
	if _, err := devFiles(served); err != nil {
		t.Fatal(err)
	}
	serve := "serve --config " + filepath.Join(served, configFile)
	tests := []struct{ args, setting string }{
		{"dev --fresh --public-port " + number, "--public-port"},
		{"dev --fresh --public-port 0 --admin-port " + number, "--admin-port"},
		{"dev --fresh --public-port 0 --admin-port 0 --horizon-port " + number, "--horizon-port"},
		{"dev --fresh --public-port 0 --admin-port 0 --horizon-port 0 --control " + address, "--control"},
		{"sandbox --fresh --horizon-port " + number, "--horizon-port"},
		{"sandbox --fresh --horizon-port 0 --control " + address, "--control"},
		{"sandbox --fresh --horizon-port 0 --control 127.0.0.1:0 --stormy " + address, "--stormy"},
		{serve, "listen.public"},
		{serve, "listen.admin"},
	}
	for _, tt := range tests {
		t.Run(tt.args+" "+tt.setting, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			kept := filepath.Join(dir, configFile)
			if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			args := strings.Fields(tt.args)
			if args[0] != "serve" {
				args = append(args, "--dir", dir)
			}
			environ := []string{"WINDLASS_LISTEN_PUBLIC=127.0.0.1:0", "WINDLASS_LISTEN_ADMIN=127.0.0.1:0"}
			switch tt.setting {
			case "listen.public":
				environ[0] = "WINDLASS_LISTEN_PUBLIC=" + address
			case "listen.admin":
				environ[1] = "WINDLASS_LISTEN_ADMIN=" + address
			}
			var out bytes.Buffer
			code := execute(t.Context(), process{args, environ, &out, &out})
			want := fmt.Sprintf("windlass: %s is taken by another program; stop that one, or choose another port with %s\n", address, tt.setting)
			if code != 1 || out.String() != want {
				t.Errorf("exit code %d: %s\nwant %s", code, &out, want)
			}
			if b, err := os.ReadFile(kept); err != nil || string(b) != "mine" {
				t.Errorf("%s holds %q now, %v", configFile, b, err)
			}
		})
	}
}

// TestDevTwice starts a second dev in a folder in use, which must leave the
// first one's files alone even if it was to begin again.
func TestDevTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := devFiles(dir); err != nil {
		t.Fatal(err)
	}
	before := fingerprint(t, dir)
	for _, fresh := range []string{"", "--fresh"} {
		var out bytes.Buffer
		args := strings.Fields("dev " + fresh + " --public-port 0 --admin-port 0 --horizon-port 0 --control 127.0.0.1:0 --dir " + dir)
		code := execute(t.Context(), process{args, nil, &out, &out})
		want := fmt.Sprintf("windlass: %s is in use by another windlass; stop that one, or name another folder with --dir\n", dir)
		if code != 1 || out.String() != want {
			t.Errorf("%s: exit code %d: %s\nwant %s", fresh, code, &out, want)
		}
	}
	if diff := cmp.Diff(before, fingerprint(t, dir)); diff != "" {
		t.Errorf("the folder changed: %s", diff)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again(); err != nil {
		t.Error(err)
	}
}

// fingerprint is what is in a folder.
func fingerprint(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestFreshSandbox refuses to begin again under a network that runs, and does
// so where none runs.
func TestFreshSandbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(p *program) string { return p.told(t, `http://localhost:\d+`) }
	latest := func(ledger string) (sequence int) {
		var root struct {
			Latest int `json:"history_latest_ledger"`
		}
		call(t, http.MethodGet, ledger+"/", nil, nil, &root)
		return root.Latest
	}
	first := launch(t, "sandbox", "--dir", dir, "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "20ms")
	ledger := at(first)
	eventually(t, "fifty ledgers close", func() bool { return latest(ledger) >= 50 })

	second := launch(t, "sandbox", "--dir", dir, "--horizon-port", "0", "--control", "127.0.0.1:0", "--fresh")
	<-second.done
	if code := second.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(second.log.String(), "in use by another process") {
		t.Errorf("exit code %d: %s", code, second.log)
	}
	if code := first.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	kept := filepath.Join(t.TempDir(), "kept")
	ledgers, err := os.ReadFile(filepath.Join(dir, networkFolder, "ledgers.log"))
	if err == nil {
		err = os.WriteFile(kept, ledgers, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	third := launch(t, "sandbox", "--dir", dir, "--horizon-port", "0", "--control", "127.0.0.1:0", "--fresh", "--close-every", "1h")
	if got := latest(at(third)); got >= 50 {
		t.Errorf("it goes on at ledger %d", got)
	}
	if code := third.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	// The first one's ledgers, loaded into another folder and kept there.
	elsewhere := t.TempDir()
	for _, args := range [][]string{{"--load", kept}, nil} {
		loaded := launch(t, append([]string{"sandbox", "--dir", elsewhere, "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "1h"}, args...)...)
		if got := latest(at(loaded)); got < 50 {
			t.Errorf("with %q it goes on at ledger %d", args, got)
		}
		if code := loaded.stop(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	for _, args := range [][]string{{"--load", filepath.Join(dir, "missing")}, {"--load", kept, "--fresh"}} {
		refused := launch(t, append([]string{"sandbox", "--dir", elsewhere, "--horizon-port", "0", "--control", "127.0.0.1:0"}, args...)...)
		<-refused.done
		if code := refused.cmd.ProcessState.ExitCode(); code == 0 {
			t.Errorf("%q was accepted: %s", args, refused.log)
		}
	}
}

// TestStop stops dev while a customer's page and a follower of the ledger hold
// streams open that would not end by themselves.
func TestStop(t *testing.T) {
	t.Parallel()
	p, at := dev(t, t.TempDir(), "--public-port", "0", "--admin-port", "0", "--horizon-port", "0", "--control", "127.0.0.1:0")
	w := newWallet(t, at)
	deposit := w.begin("deposit", "100")

	subscription, err := json.Marshal(map[string]any{
		"query": `subscription($id: ID!) { transaction(id: $id) { status } }`, "variables": map[string]string{"id": deposit.id},
	})
	if err != nil {
		t.Fatal(err)
	}
	header := deposit.header()
	header.Set("Content-Type", "application/json")
	header.Set("Accept", "text/event-stream")
	ended := make(chan error, 2)
	openStream(t, ended, http.MethodPost, at.Public+"/graphql", header, string(subscription))
	openStream(t, ended, http.MethodGet, at.Horizon+"/accounts/"+w.key.Address()+"/payments?cursor=now",
		http.Header{"Accept": {"text/event-stream"}}, "")
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Errorf("a stream was cut off: %v", err)
		}
	}
	// Requests that do not end by themselves are cut off after drainTime, and said to be.
	if log := p.log.String(); strings.Contains(log, "cut off") || strings.Contains(log, "panic") {
		t.Errorf("it said:\n%s", tail(log, 2000))
	}
}

// openStream reads a stream until it ends, which ended is told. It has begun
// when this returns.
func openStream(t *testing.T, ended chan<- error, method, address string, header http.Header, body string) {
	t.Helper()
	begun := make(chan string, 1)
	res := send(t, method, address, header, body) //nolint:bodyclose // closed when the stream has ended
	go func() {
		defer res.Body.Close()
		events := bufio.NewReader(res.Body)
		first, _ := events.ReadString('\n')
		begun <- first
		_, err := io.Copy(io.Discard, events)
		ended <- err
	}()
	if first := <-begun; res.StatusCode != http.StatusOK || first == "" {
		t.Fatalf("%s answered %s %q", address, res.Status, first)
	}
}

// TestDevFilesServe runs the other commands on the files that dev left.
func TestDevFilesServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, at := dev(t, dir, "--public-port", "0", "--admin-port", "0", "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "200ms")
	if code := p.stop(t); code != 0 {
		t.Fatalf("exit code %d", code)
	}

	// As the file says: anyone may change it. Dev's ports were free ones.
	file := filepath.Join(dir, configFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("[listen]\npublic = \"127.0.0.1:%s\"\nadmin = \"127.0.0.1:%s\"\n\n[database]", port(at.Public), port(at.Admin))
	changed := strings.NewReplacer(
		"http://localhost:8000", at.Public, "http://localhost:8001", at.Admin, "http://localhost:8002", at.Horizon, "[database]", listen,
	).Replace(string(text))
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := execute(t.Context(), process{append(args, "--config", file), nil, &stdout, &stderr}); code != 0 || stderr.Len() > 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, &stderr)
		}
		return stdout.String()
	}
	toml := run("toml")
	if got := run("migrate"); !strings.Contains(got, "books.db is at this version") {
		t.Errorf("migrate said %q", got)
	}

	network := launch(t, "sandbox", "--dir", dir, "--horizon-port", port(at.Horizon), "--control", "127.0.0.1:0", "--close-every", "200ms")
	network.told(t, "is at "+at.Horizon)
	anchor := launch(t, "serve", "--config", file)
	eventually(t, "serve is ready", func() bool { return call(t, http.MethodGet, at.Admin+"/readyz", nil, nil, nil) == http.StatusOK })
	if diff := cmp.Diff(toml, fetch(t, at.Public+"/.well-known/stellar.toml")); diff != "" {
		t.Errorf("printed (-) and served (+) differ:\n%s", diff)
	}
	w := newWallet(t, at)
	deposit := w.begin("deposit", "100")
	deposit.agree("100")
	w.transfer("100", deposit.instruction("reference"))
	w.until(deposit.id, "completed")

	signIn(t, at, strings.TrimSpace(run("staff", "link", "Ana")))
	if code := anchor.stop(t); code != 0 {
		t.Errorf("serve: exit code %d", code)
	}
	if code := network.stop(t); code != 0 {
		t.Errorf("sandbox: exit code %d", code)
	}
}

// signIn lets a member of staff in by a link, asks who that is, and is refused
// when it is tried again. The public listener knows nothing of it.
func signIn(t *testing.T, at addresses, link string) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || !strings.HasPrefix(link, at.Admin+"/signin?token=") {
		t.Fatalf("the link is %s", link)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(address, kind, body string, header http.Header) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(req.Header, header)
		req.Header.Set("Content-Type", kind)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	const form = "application/x-www-form-urlencoded"
	in := ask(at.Admin+"/signin", form, u.RawQuery, nil)
	defer in.Body.Close()
	if in.StatusCode != http.StatusSeeOther || len(in.Cookies()) != 1 {
		t.Fatalf("signing in: %s", in.Status)
	}
	again := ask(at.Admin+"/signin", form, u.RawQuery, nil)
	defer again.Body.Close()
	if again.StatusCode != http.StatusUnauthorized {
		t.Errorf("signing in again: %s", again.Status)
	}
	for _, c := range []struct{ listener, want string }{{at.Admin, `"kind":"deposit"`}, {at.Public, `"UNAUTHENTICATED"`}} {
		res := ask(c.listener+"/graphql", "application/json", `{"query":"{ transactions(first: 1) { nodes { kind } } }"}`,
			http.Header{"Cookie": {in.Cookies()[0].String()}, "Origin": {c.listener}})
		defer res.Body.Close()
		if b, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(b), c.want) {
			t.Errorf("%s answered %s %s, %v; want %s", c.listener, res.Status, b, err, c.want)
		}
	}
}

// TestDevWeather makes the anchor's own connection misbehave while the wallets'
// Horizon stays clean.
func TestDevWeather(t *testing.T) {
	t.Parallel()
	_, at := dev(t, t.TempDir(), "--public-port", "0", "--admin-port", "0", "--horizon-port", "0", "--control", "127.0.0.1:0", "--close-every", "200ms")
	fault := map[string]any{"kind": "rate_limited"}
	if code := call(t, http.MethodPost, at.Control+"/faults", nil, fault, nil); code != http.StatusCreated {
		t.Fatalf("setting a fault: %d", code)
	}
	var list struct {
		Faults []struct {
			Struck int `json:"struck"`
		} `json:"faults"`
	}
	eventually(t, "the anchor's connection is struck", func() bool {
		call(t, http.MethodGet, at.Control+"/faults", nil, nil, &list)
		if code := call(t, http.MethodGet, at.Horizon+"/", nil, nil, nil); code != http.StatusOK {
			t.Fatalf("the wallets' Horizon answered %d", code)
		}
		return list.Faults[0].Struck > 0
	})
	if code := call(t, http.MethodGet, at.Horizon+"/faults", nil, nil, nil); code != http.StatusNotFound {
		t.Errorf("Horizon has the control API: %d", code)
	}
}

// TestSandboxWeather chooses which port is stormy.
func TestSandboxWeather(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		flags      string
		first, two int
	}{
		{"--control 127.0.0.1:0", http.StatusTooManyRequests, 0},
		{"--control 127.0.0.1:0 --stormy localhost:0", http.StatusOK, http.StatusTooManyRequests},
		{"--control off", http.StatusOK, 0},
	} {
		p := launch(t, append([]string{"sandbox", "--dir", t.TempDir(), "--horizon-port", "0"}, strings.Fields(tt.flags)...)...)
		horizon := p.told(t, `http://localhost:\d+`)
		if strings.Contains(tt.flags, "off") {
			if code := call(t, http.MethodGet, horizon+"/", nil, nil, nil); code != tt.first {
				t.Errorf("%s: %d", tt.flags, code)
			}
			continue
		}
		_, control, _ := strings.Cut(p.told(t, `curl http://localhost:\d+`), " ")
		if code := call(t, http.MethodPost, control+"/faults", nil, map[string]any{"kind": "rate_limited"}, nil); code != http.StatusCreated {
			t.Fatalf("setting a fault: %d", code)
		}
		if code := call(t, http.MethodGet, horizon+"/", nil, nil, nil); code != tt.first {
			t.Errorf("%s: the first port answered %d", tt.flags, code)
		}
		if tt.two != 0 {
			_, stormy, _ := strings.Cut(p.told(t, `stormy side is at http://localhost:\d+`), "at ")
			if code := call(t, http.MethodGet, stormy+"/", nil, nil, nil); code != tt.two {
				t.Errorf("%s: the stormy port answered %d", tt.flags, code)
			}
		}
	}
}

// TestControlAddress refuses addresses that others can reach.
func TestControlAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:8003", ":8003", "192.168.1.2:8003", "[::]:8003", "example.com:8003", "8003"} {
		var out bytes.Buffer
		args := []string{"sandbox", "--dir", t.TempDir(), "--horizon-port", "0", "--control", address}
		code := execute(t.Context(), process{args, nil, &out, &out})
		if code != 1 || !strings.HasPrefix(out.String(), "windlass: --control") || !strings.Contains(out.String(), "127.0.0.1:8003") {
			t.Errorf("%s: exit code %d: %s", address, code, &out)
		}
	}
}
