package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// runAsWindlass makes this test binary windlass itself, for the stories that
// need it in a process of its own.
const runAsWindlass = "RUN_AS_WINDLASS"

func TestMain(m *testing.M) {
	if os.Getenv(runAsWindlass) != "" {
		dieAt(os.Getenv(diesAt))
		main()
	}
	goleak.VerifyTestMain(m)
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("public_ulr = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"version", 0, runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n", ""},
		{"--help", 0, "Usage: windlass <command>", ""},
		{"serve --help", 0, "--config", ""},
		{"", 2, "", "expected one of"},
		{"sevre", 2, "", "windlass --help"},
		{"keys --channels 0", 1, "", "expected 1 to 1000"},
		{"dev --public-port 65536", 2, "", "--public-port"},
		{"serve --config " + filepath.Join(dir, "none.toml"), 2, "", "no such file"},
		{"serve --config " + bad, 2, "", `did you mean "public_url"?`},
		{"reconcile --help", 0, "2 it could not be compared", ""},
		{"reconcile --config " + bad, 2, "", "the configuration has"},
		{"migrate --config " + bad, 2, "", "the configuration has"},
		{"toml --config " + bad, 2, "", "the configuration has"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := execute(t.Context(), process{strings.Fields(tt.args), nil, &stdout, &stderr})
			if code != tt.code || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nstderr: %s", code, tt.code, &stdout, &stderr)
			}
			if tt.stderr == "" && stderr.Len() > 0 {
				t.Errorf("stderr: %s", &stderr)
			}
		})
	}
}

// TestKeys makes keys twice: the second time nothing may change.
func TestKeys(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "secrets")
	var before map[string]string
	for _, want := range []string{"new keys now: encryption_key, token_key,", "nothing was changed"} {
		var out bytes.Buffer
		if code := execute(t.Context(), process{[]string{"keys", "--dir", dir, "--channels", "3"}, nil, &out, &out}); code != 0 || !strings.Contains(out.String(), want) {
			t.Fatalf("exit code %d: %s", code, &out)
		}
		files := map[string]string{}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", e.Name(), info.Mode())
			}
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			files[e.Name()] = string(data)
		}
		if len(files) != 7 || strings.Count(files["channel_seeds"], "\n") != 3 {
			t.Errorf("files: %v", slices.Collect(maps.Keys(files)))
		}
		if before != nil && !maps.Equal(before, files) {
			t.Error("a key was changed")
		}
		before = files
	}
}

// TestNewEncryptionKey puts a key beside those that are there, and changes no other file.
func TestNewEncryptionKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "secrets")
	for i, want := range []string{"new keys now: encryption_key, token_key,", "new keys now: one more in encryption_key\n", "new keys now: one more in encryption_key\n"} {
		seeds, err := os.ReadFile(filepath.Join(dir, "fee_seed"))
		if i > 0 && err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if code := execute(t.Context(), process{[]string{"keys", "--dir", dir, "--new-encryption-key"}, nil, &out, &out}); code != 0 || !strings.Contains(out.String(), want) {
			t.Fatalf("exit code %d: %s", code, &out)
		}
		keys, err := os.ReadFile(filepath.Join(dir, "encryption_key"))
		if err != nil || strings.Count(string(keys), `"keyId"`) != 1+i {
			t.Errorf("%d keys, %v", strings.Count(string(keys), `"keyId"`), err)
		}
		if now, err := os.ReadFile(filepath.Join(dir, "fee_seed")); err != nil || i > 0 && !bytes.Equal(now, seeds) {
			t.Errorf("a seed was changed, %v", err)
		}
	}
}

// TestMoreChannels adds seeds to those that are there, and takes none away.
func TestMoreChannels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, channelSeeds)
	var before string
	for _, c := range []struct {
		args, want string
		seeds      int
	}{
		{"--channels 3", "channel_seeds", 3},
		{"--channels 5", "new keys now: 2 more in channel_seeds", 5},
		{"--channels 4", "nothing was changed", 5},
		{"", "nothing was changed", 5},
	} {
		var out bytes.Buffer
		if code := execute(t.Context(), process{append([]string{"keys", "--dir", dir}, strings.Fields(c.args)...), nil, &out, &out}); code != 0 || !strings.Contains(out.String(), c.want) {
			t.Fatalf("%s: exit code %d: %s", c.args, code, &out)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if seeds := strings.Fields(string(data)); len(seeds) != c.seeds || !strings.HasPrefix(string(data), before) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d seeds, mode %v, the old ones are there: %v", c.args, len(seeds), info.Mode(), strings.HasPrefix(string(data), before))
		}
		before = string(data)
	}
}

func TestVersionOfABrokenPipe(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	_ = r.Close()
	if code := execute(t.Context(), process{[]string{"version"}, nil, w, io.Discard}); code != 1 {
		t.Errorf("exit code %d", code)
	}
}

func TestRunAll(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	waits := runFunc(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	tests := []struct {
		name    string
		runners []runner
		want    error
	}{
		{"nothing", nil, nil},
		{"one fails, the others stop", []runner{waits, runFunc(func(context.Context) error { return broken }), waits}, broken},
		{"one ends, the others stop", []runner{waits, runFunc(func(context.Context) error { return nil })}, nil},
		{"one fails while stopping", []runner{
			runFunc(func(ctx context.Context) error { <-ctx.Done(); return broken }),
			runFunc(func(context.Context) error { return nil })}, broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := runAll(t.Context(), tt.runners...); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestLogFormat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		c    LogConfig
		want string // how a line begins; "" when there is none
	}{
		{LogConfig{Level: "info", Format: "auto"}, `{"time":`}, // no terminal
		{LogConfig{Level: "info", Format: "json"}, `{"time":`},
		{LogConfig{Level: "info", Format: "text"}, "time="},
		{LogConfig{Level: "warn", Format: "text"}, ""},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		ctx := context.WithValue(t.Context(), requestIDKey{}, "id-of-request")
		newLog(&out, tt.c).With("a", 1).WithGroup("g").InfoContext(ctx, "hello", "b", 2)
		if got := out.String(); !strings.HasPrefix(got, tt.want) || (tt.want == "") != (got == "") ||
			tt.want != "" && !strings.Contains(got, "id-of-request") {
			t.Errorf("%+v: %q", tt.c, got)
		}
	}
}
