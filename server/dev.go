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
	"slices"
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
	weatherFlags
}

// Run starts the offline network, makes the anchor's accounts on it and runs
// the anchor. All state is in one folder, so that the next start goes on where
// this one was, however it ended.
func (c *devCommand) Run(ctx context.Context, p process) (err error) {
	// First what may stand in the way, before anything is changed.
	unlock, err := lockFolder(c.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	ports, err := c.bind(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ports.Close()) }()

	if c.Fresh {
		if err := startOver(c.Dir); err != nil {
			return err
		}
	}
	if err := removeIfThere(filepath.Join(c.Dir, addressesFile)); err != nil {
		return err
	}
	issuer, err := devFiles(c.Dir)
	if err != nil {
		return err
	}
	cfg, err := c.config(p, ports)
	if err != nil {
		return err
	}
	logger := cfg.newLog(ctx, p.stderr)

	runners := []runner{runFunc(func(ctx context.Context) error {
		return c.anchor(ctx, p, cfg, issuer, ports, logger)
	})}
	if ports.horizon != nil {
		n, err := openSandbox(c.Dir, c.Fresh, c.CloseEvery, nil, logger)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, n.Close()) }()
		runners = append(runners, serveOn(ports.horizon, "horizon", n.Handler(), logger))
		if ports.control != nil {
			weather := sandbox.NewWeather(n, c.Seed)
			runners = append(runners,
				serveOn(ports.stormy, "stormy", weather.Handler(), logger),
				serveOn(ports.control, "control", newControl(n, weather, c.Dir), logger))
		}
	}
	return runAll(ctx, runners...)
}

// devPorts are what dev listens on. With a network elsewhere horizon and what
// follows it are nil, with the control API off what follows.
type devPorts struct {
	public, admin, horizon net.Listener
	// stormy is the anchor's own way to the network, which the control API can
	// make misbehave while wallets' stays clean.
	control, stormy net.Listener
}

// bind binds the ports that the flags name.
func (c *devCommand) bind(ctx context.Context) (ports devPorts, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, ports.Close())
		}
	}()
	if ports.public, err = bind(ctx, loopback(c.PublicPort), "--public-port"); err != nil {
		return ports, err
	}
	if ports.admin, err = bind(ctx, loopback(c.AdminPort), "--admin-port"); err != nil || c.Horizon != "" {
		return ports, err
	}
	if ports.horizon, err = bind(ctx, loopback(c.HorizonPort), "--horizon-port"); err != nil {
		return ports, err
	}
	if ports.control, err = c.bindControl(ctx); err != nil || ports.control == nil {
		return ports, err
	}
	ports.stormy, err = bind(ctx, loopback(0), "--horizon-port")
	return ports, err
}

func loopback(port uint16) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// Close lets go of the ports.
func (ports devPorts) Close() error {
	var errs []error
	for _, bound := range []net.Listener{ports.public, ports.admin, ports.horizon, ports.control, ports.stormy} {
		if bound != nil {
			errs = append(errs, unbind(bound))
		}
	}
	return errors.Join(errs...)
}

// config reads the folder's configuration, with the addresses of this start.
func (c *devCommand) config(p process, ports devPorts) (*Config, error) {
	ledger := strings.TrimSuffix(c.Horizon, "/")
	if ports.horizon != nil {
		ledger = localURL(ports.horizon)
	}
	return Load(filepath.Join(c.Dir, configFile), append(slices.Clip(p.environ),
		envPrefix+"PUBLIC_URL="+localURL(ports.public),
		envPrefix+"ADMIN_URL="+localURL(ports.admin),
		envPrefix+"NETWORK_HORIZON="+ledger,
		// No explorer knows this network; Horizon itself shows what is there.
		envPrefix+"NETWORK_EXPLORER="+ledger+"/transactions/{hash}"))
}

// anchor makes the accounts on the network, says where everything is, and runs
// the anchor. The network must be running, or about to.
func (c *devCommand) anchor(ctx context.Context, p process, cfg *Config, issuer *keypair.Full, ports devPorts, logger *slog.Logger) (err error) {
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := bootstrap(soon, cfg, issuer, nil, logger); err != nil {
		return fmt.Errorf("make the anchor's accounts: %w", err)
	}
	mode := devMode{wallet: true}
	if cfg.Mail.Host == "" && !cfg.Public() {
		mode.mail = filepath.Join(c.Dir, mailFolder)
	}
	if ports.stormy != nil {
		mode.horizon = localURL(ports.stormy)
	}
	a, err := newApp(ctx, cfg, mode, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	link, err := a.keys.SignInLink("developer", time.Now())
	if err != nil {
		return err
	}
	where := addresses{
		Public: cfg.PublicURL, Admin: cfg.AdminURL, Horizon: cfg.Network.Horizon[0],
		Wallet: cfg.PublicURL + "/wallet", Bank: cfg.PublicURL + "/bank",
		Playground: cfg.AdminURL + "/playground", SignIn: cfg.AdminURL + link,
		Toml: cfg.PublicURL + "/.well-known/stellar.toml", Mail: mode.mail,
	}
	if ports.control != nil {
		where.Control = localURL(ports.control)
	}
	// The ports are bound: whoever reads this and asks at once is answered.
	if err := where.write(c.Dir); err != nil {
		return err
	}
	if err := where.print(p.stdout, c.Dir); err != nil {
		return err
	}
	return a.Run(ctx, ports.public, ports.admin)
}

// The files in dev's folder.
const (
	configFile    = "anchor.toml"
	addressesFile = "addresses.json"
	issuerFile    = "issuer_seed"
	lockFile      = "lock"
	mailFolder    = "mail"
	networkFolder = "network"
)

// startOver removes what dev keeps in its folder, and nothing else: the folder
// may be one that somebody named by mistake. The ledgers are the sandbox's to
// begin again: another process may be running on them.
func startOver(dir string) error {
	for _, name := range []string{
		"secrets", configFile, addressesFile, mailFolder,
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
	seed, err := os.ReadFile(path)
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
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use by another windlass; stop that one, or name another folder with --dir", dir), f.Close())
	}
	return f.Close, nil
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
	Control    string `json:"control,omitempty"` // of the offline network, if it is ours
	Mail       string `json:"mail,omitempty"`    // the folder, if there is no mail server
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
	control := ""
	if a.Control != "" {
		control = "\n  faults on demand " + a.Control
	}
	mail := ""
	if a.Mail != "" {
		mail = "\n  e-mails          " + a.Mail + ": kept as files, and sent to nobody"
	}
	_, err := fmt.Fprintf(w, `
Windlass is running on a Stellar network of its own. Nothing here is real money.

  demo wallet      %s
  simulated bank   %s
  playground       %s
                   sign in, once within ten minutes: %s
  stellar.toml     %s
  Horizon          %s%s%s

Everything is kept in %s: Ctrl-C stops, and the next start goes on from here.

`, a.Wallet, a.Bank, a.Playground, a.SignIn, a.Toml, a.Horizon, control, mail, dir)
	return err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
