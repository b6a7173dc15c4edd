package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/sandbox"
)

// devTemplate is the anchor that dev runs.
//
//go:embed dev.toml
var devTemplate string

// devChannels is how many channel accounts dev makes.
const devChannels = 2

type devCommand struct {
	Dir         string        `help:"Where the books, keys and ledgers are kept." default:".windlass" type:"path"`
	Fresh       bool          `help:"Begin again with empty books, new keys and an empty ledger."`
	PublicPort  uint16        `help:"Port for wallets and customers; 0 takes a free one." default:"8000"`
	AdminPort   uint16        `help:"Port for staff; 0 takes a free one." default:"8001"`
	HorizonPort uint16        `help:"Port of the offline network's Horizon and friendbot; 0 takes a free one." default:"8002"`
	Horizon     string        `help:"Use the offline network at this address, as windlass sandbox serves it, instead of one of our own." placeholder:"URL"`
	CloseEvery  time.Duration `help:"Time between ledgers; 5s is the public network's." default:"1s"`
}

// Run starts the offline network, makes the anchor's accounts on it and runs
// the anchor. All state is in one folder, so that the next start goes on where
// this one was, however it ended.
func (c *devCommand) Run(ctx context.Context, p process) (err error) {
	if c.Fresh {
		if err := startOver(c.Dir); err != nil {
			return err
		}
	}
	unlock, err := lockFolder(c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := removeIfThere(filepath.Join(c.Dir, addressesFile)); err != nil {
		return err
	}
	issuer, err := devFiles(c.Dir)
	if err != nil {
		return err
	}

	// The ports come first: one that is taken should stop the start at once.
	ports := map[string]net.Listener{}
	defer func() {
		for _, l := range ports {
			err = errors.Join(err, ignoreClosed(l.Close()))
		}
	}()
	for _, want := range []struct {
		name, flag string
		port       uint16
	}{{"public", "--public-port", c.PublicPort}, {"admin", "--admin-port", c.AdminPort}, {"horizon", "--horizon-port", c.HorizonPort}} {
		if want.name == "horizon" && c.Horizon != "" {
			continue
		}
		if ports[want.name], err = bindPort(ctx, want.port, want.flag); err != nil {
			delete(ports, want.name)
			return err
		}
	}

	ledger := strings.TrimSuffix(c.Horizon, "/")
	if ledger == "" {
		ledger = localURL(ports["horizon"])
	}
	cfg, err := Load(filepath.Join(c.Dir, configFile), append(p.environ,
		envPrefix+"PUBLIC_URL="+localURL(ports["public"]),
		envPrefix+"ADMIN_URL="+localURL(ports["admin"]),
		envPrefix+"NETWORK_HORIZON="+ledger))
	if err != nil {
		return err
	}
	logger := newLog(p.stderr, cfg.Log)
	var network []runner
	if c.Horizon == "" {
		n, err := openSandbox(filepath.Join(c.Dir, "network"), c.CloseEvery, logger)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, n.Close()) }()
		network = append(network, serveOn(ports["horizon"], "horizon", n.Handler(), logger))
	}
	return c.run(ctx, p, cfg, issuer, ports, network, logger)
}

// run makes the accounts on the network, starts the anchor, and says where.
func (c *devCommand) run(ctx context.Context, p process, cfg *Config, issuer *keypair.Full, ports map[string]net.Listener, network []runner, logger *slog.Logger) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	networkDone := make(chan error, 1)
	go func() { networkDone <- runAll(ctx, network...) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-networkDone)
	}()

	ready, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	if err := bootstrap(ready, cfg, issuer, logger); err != nil {
		return fmt.Errorf("make the anchor's accounts: %w", err)
	}
	a, err := newApp(ctx, cfg, devMode{wallet: true}, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	link, err := a.staff.Link("developer", time.Now())
	if err != nil {
		return err
	}
	where := addresses{
		Public: cfg.PublicURL, Admin: cfg.AdminURL, Horizon: cfg.Network.Horizon[0],
		Wallet: cfg.PublicURL + "/wallet", Bank: cfg.PublicURL + "/bank",
		Playground: cfg.AdminURL + "/playground", SignIn: cfg.AdminURL + link,
		Toml: cfg.PublicURL + "/.well-known/stellar.toml",
	}
	serving := make(chan error, 1)
	go func() { serving <- a.Run(ctx, ports["public"], ports["admin"]) }()
	if err := where.write(c.Dir); err != nil {
		return err
	}
	if err := where.print(p.stdout, c.Dir); err != nil {
		return err
	}
	return <-serving
}

// The files in dev's folder.
const (
	configFile    = "anchor.toml"
	addressesFile = "addresses.json"
	issuerFile    = "issuer_seed"
	lockFile      = "lock"
)

// startOver removes what dev keeps in its folder, and nothing else: the folder
// may be one that somebody named by mistake.
func startOver(dir string) error {
	for _, name := range []string{
		"network", "secrets", configFile, addressesFile,
		"books.db", "books.db-wal", "books.db-shm", "bank.db", "bank.db-wal", "bank.db-shm",
	} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("start over: %w", err)
		}
	}
	return nil
}

// devFiles makes the keys and the configuration that are not there yet, and
// returns the issuer's key.
func devFiles(dir string) (*keypair.Full, error) {
	secrets := filepath.Join(dir, "secrets")
	if _, err := makeKeys(secrets, devChannels); err != nil {
		return nil, err
	}
	path := filepath.Join(secrets, issuerFile)
	if err := newFile(path, newSeed); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make %s: %w", issuerFile, err)
	}
	seed, err := os.ReadFile(path) //nolint:gosec // our own folder
	if err != nil {
		return nil, err
	}
	issuer, err := keypair.ParseFull(strings.TrimSpace(string(seed)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	text := func() (string, error) {
		return strings.TrimSuffix(strings.ReplaceAll(devTemplate, "{{ISSUER}}", issuer.Address()), "\n"), nil
	}
	if err := newFile(filepath.Join(dir, configFile), text); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make %s: %w", configFile, err)
	}
	return issuer, nil
}

// lockFolder makes the folder and sees to it that one process at a time uses it.
func lockFolder(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use by another windlass; stop that one, or name another folder with --dir", dir), f.Close())
	}
	return f.Close, nil
}

// bindPort binds a loopback port, 0 for any free one.
func bindPort(ctx context.Context, port uint16, flag string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is taken by another program; stop that one, or choose another port with %s (0 takes a free one)", port, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on port %d (%s): %w", port, flag, err)
	}
	return l, nil
}

// localURL names a loopback listener as people type it.
func localURL(l net.Listener) string {
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return ""
	}
	return "http://localhost:" + port
}

func openSandbox(dir string, closeEvery time.Duration, logger *slog.Logger) (*sandbox.Network, error) {
	return sandbox.Open(sandbox.Config{Dir: dir, CloseEvery: closeEvery, StreamEvery: time.Second, Logger: logger.With("room", "sandbox")})
}

// addresses is where everything is, for people and, in a file, for scripts.
type addresses struct {
	Wallet     string `json:"wallet"`
	Bank       string `json:"bank"`
	Playground string `json:"playground"`
	SignIn     string `json:"sign_in"` // works once
	Toml       string `json:"toml"`
	Public     string `json:"public"`
	Admin      string `json:"admin"`
	Horizon    string `json:"horizon"`
}

// write leaves the addresses in the folder. The file appears whole, once
// everything answers.
func (a addresses) write(dir string) error {
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, addressesFile)
	if err := os.WriteFile(path+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (a addresses) print(w io.Writer, dir string) error {
	_, err := fmt.Fprintf(w, `
Windlass is running on a Stellar network of its own. Nothing here is real money.

  demo wallet      %s
  simulated bank   %s
  playground       %s
                   sign in once with %s
  stellar.toml     %s
  Horizon          %s

Everything is kept in %s: Ctrl-C stops, and the next start goes on from here.

`, a.Wallet, a.Bank, a.Playground, a.SignIn, a.Toml, a.Horizon, dir)
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

type sandboxCommand struct {
	Dir         string        `help:"Where the ledgers are kept, in its folder network." default:".windlass" type:"path"`
	Fresh       bool          `help:"Begin again at the first ledger."`
	HorizonPort uint16        `help:"Port of Horizon and friendbot; 0 takes a free one." default:"8002"`
	CloseEvery  time.Duration `help:"Time between ledgers; 5s is the public network's." default:"1s"`
}

// Run serves the offline network alone, until it is told to stop.
func (c *sandboxCommand) Run(ctx context.Context, p process) (err error) {
	bound, err := bindPort(ctx, c.HorizonPort, "--horizon-port")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ignoreClosed(bound.Close())) }()
	folder := filepath.Join(c.Dir, "network")
	if c.Fresh {
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("start over: %w", err)
		}
	}
	logger := newLog(p.stderr, LogConfig{Level: "info", Format: "auto"})
	n, err := openSandbox(folder, c.CloseEvery, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	if _, err := fmt.Fprintf(p.stdout, "The offline Stellar network is at %s; friendbot at %s/friendbot. Its ledgers are kept in %s.\n",
		localURL(bound), localURL(bound), folder); err != nil {
		return err
	}
	return runAll(ctx, serveOn(bound, "horizon", n.Handler(), logger))
}
