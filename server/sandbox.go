package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"windlass/server/sandbox"
)

// weatherFlags are those of both commands that have a network of their own.
type weatherFlags struct {
	Control string `help:"Address of the API that makes the network misbehave on demand, on this computer; port 0 takes a free one, off is none." default:"127.0.0.1:8003" placeholder:"ADDR"`
	Seed    uint64 `help:"What the dice of faults are thrown from: the same seed and requests, the same faults." default:"1"`
}

// bindControl binds the control API's port, nil if there is to be none.
func (f *weatherFlags) bindControl(ctx context.Context) (net.Listener, error) {
	if f.Control == "off" {
		return nil, nil
	}
	return bindHere(ctx, f.Control, "--control")
}

// bindHere binds an address of this computer.
func bindHere(ctx context.Context, address, setting string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; write an address such as 127.0.0.1:8003", setting, err)
	}
	if addr, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !addr.IsLoopback()) {
		return nil, fmt.Errorf("%s is for this computer alone, not %s; write an address such as 127.0.0.1:8003", setting, address)
	}
	return bind(ctx, address, setting)
}

// openSandbox opens the network whose ledgers are in the folder.
func openSandbox(dir string, fresh bool, closeEvery time.Duration, rates []sandbox.Rate, logger *slog.Logger) (*sandbox.Network, error) {
	return sandbox.Open(sandbox.Config{
		Dir: filepath.Join(dir, networkFolder), Fresh: fresh, Rates: rates,
		CloseEvery: closeEvery, StreamEvery: time.Second, Logger: logger.With("room", "sandbox"),
	})
}

// newControl is the control API of the network in the folder.
func newControl(n *sandbox.Network, w *sandbox.Weather, dir string) http.Handler {
	return sandbox.NewControl(n, w, filepath.Join(dir, networkFolder, "snapshots")).Handler()
}

type sandboxCommand struct {
	Dir         string        `help:"Where the ledgers are kept, in its folder network." default:".windlass" type:"path"`
	Fresh       bool          `help:"Begin again at the first ledger." xor:"ledgers"`
	Load        string        `help:"Begin with the ledgers of this file, a snapshot or a copy of another network's ledgers.log." placeholder:"FILE" type:"path" xor:"ledgers"`
	HorizonPort uint16        `help:"Port of Horizon and friendbot; 0 takes a free one." default:"8002"`
	Stormy      string        `help:"Address of a second Horizon of the same network: faults strike there alone, and the first one stays clean." placeholder:"ADDR"`
	CloseEvery  time.Duration `help:"Time between ledgers; 5s is the public network's." default:"1s"`

	Rates []sandbox.Rate `name:"rate" sep:"none" help:"A rate for path payments: who exchanges, what that account sells, what it buys, and how much of this for one of that, such as 'G… EURW:G… USDW:G… 11/10'. Can be given more than once." placeholder:"RATE"`

	weatherFlags
}

// Run serves the offline network alone, until it is told to stop.
func (c *sandboxCommand) Run(ctx context.Context, p process) (err error) {
	ports, err := c.bind(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ports.Close()) }()
	logger := newLog(p.stderr, LogConfig{Level: "info", Format: "auto"})
	n, err := openSandbox(c.Dir, c.Fresh, c.CloseEvery, c.Rates, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()

	if c.Load != "" {
		if err := loadSnapshot(n, c.Load); err != nil {
			return err
		}
	}
	weather := sandbox.NewWeather(n, c.Seed)
	where := fmt.Sprintf("The offline Stellar network is at %s; friendbot at %[1]s/friendbot. Its ledgers are kept in %[2]s.\n",
		localURL(ports.horizon), filepath.Join(c.Dir, networkFolder))
	first := n.Handler()
	var runners []runner
	switch {
	case ports.stormy != nil:
		runners = append(runners, serveOn(ports.stormy, "stormy", weather.Handler(), logger))
		where += fmt.Sprintf("Its stormy side is at %s, where alone the faults strike.\n", localURL(ports.stormy))
	case ports.control != nil:
		first = weather.Handler()
	}
	if ports.control != nil {
		runners = append(runners, serveOn(ports.control, "control", newControl(n, weather, c.Dir), logger))
		where += fmt.Sprintf("Faults on demand: curl %s\n", localURL(ports.control))
	}
	if _, err := fmt.Fprint(p.stdout, where); err != nil {
		return err
	}
	return runAll(ctx, append(runners, serveOn(ports.horizon, "horizon", first, logger))...)
}

// loadSnapshot replaces the network's ledgers by those of a file.
func loadSnapshot(n *sandbox.Network, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(n.Load(f), f.Close())
}

// bind binds the ports that the flags name.
func (c *sandboxCommand) bind(ctx context.Context) (ports devPorts, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, ports.Close())
		}
	}()
	if ports.horizon, err = bind(ctx, loopback(c.HorizonPort), "--horizon-port"); err != nil {
		return ports, err
	}
	if ports.control, err = c.bindControl(ctx); err != nil || c.Stormy == "" {
		return ports, err
	}
	if ports.control == nil {
		return ports, errors.New("--stormy needs --control, which makes the faults")
	}
	ports.stormy, err = bindHere(ctx, c.Stormy, "--stormy")
	return ports, err
}
