// Command windlass is a Stellar anchor in one binary.
//
// Package main holds the configuration, the wiring of the rooms, the routes,
// and start and stop. It is the only package that knows all the others, and it
// holds no rule of the domain, no SQL and no protocol.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"windlass/server/session"
	"windlass/server/store"
)

func main() {
	tuneCollector()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, process{os.Args[1:], os.Environ(), os.Stdout, os.Stderr}))
}

// tuneCollector lets garbage grow to four times what is in use. That is little,
// some tens of megabytes, while a wallet's poll leaves 20 kB behind, so that the
// default would collect many times a second; `make bench` shows the difference.
// GOGC and GOMEMLIMIT hold as ever.
func tuneCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// A process is what a command has from the operating system.
type process struct {
	args    []string
	environ []string // "NAME=value"
	stdout  io.Writer
	stderr  io.Writer
}

// configVariable names the configuration file; it is no key of that file.
const configVariable = envPrefix + "CONFIG"

// commands is the command line.
type commands struct {
	Dev       devCommand       `cmd:"" help:"Start everything offline: the anchor, a simulated bank, and a Stellar network of its own."`
	Sandbox   sandboxCommand   `cmd:"" help:"Start the offline Stellar network alone."`
	Serve     serveCommand     `cmd:"" help:"Start the anchor that anchor.toml describes."`
	Reconcile reconcileCommand `cmd:"" help:"Compare the journal with the ledger and the bank."`
	Backup    backupCommand    `cmd:"" help:"Copy the books into a file, while the anchor runs or not."`
	Restore   restoreCommand   `cmd:"" help:"Put a backup in the place of the books."`
	Keys      keysCommand      `cmd:"" help:"Make the secrets that anchor.toml names, where there are none yet."`
	Staff     staffCommand     `cmd:"" help:"Let staff in."`
	Toml      tomlCommand      `cmd:"" help:"Print the stellar.toml that would be served."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database up to this version and stop."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

// execute runs the command that p's arguments name, and returns the exit code:
// 0, 1 for a failure, 2 for a command line or configuration that will not do.
// A command whose code says more returns an exitStatus.
func execute(ctx context.Context, p process) (code int) {
	// kong prints help and ends the process by this; here it only ends the parsing.
	type exit int
	defer func() {
		if cause := recover(); cause != nil {
			c, ok := cause.(exit)
			if !ok {
				panic(cause)
			}
			code = int(c)
		}
	}()
	parser, err := kong.New(&commands{},
		kong.Name("windlass"),
		kong.Description("A Stellar anchor in one binary."),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)
	if err != nil {
		panic(err) // the grammar above is wrong, which every test would show
	}
	line, err := parser.Parse(p.args)
	if err != nil {
		return fail(p, 2, fmt.Errorf("%w; `windlass --help` lists the commands", err))
	}
	err = line.Run()
	if status, ok := errors.AsType[exitStatus](err); ok {
		if status.err != nil {
			return fail(p, status.code, status.err)
		}
		return status.code
	} else if _, ok := errors.AsType[Problems](err); ok {
		return fail(p, 2, err)
	} else if err != nil {
		return fail(p, 1, err)
	}
	return 0
}

// An exitStatus is the error of a command that has chosen its exit code. Without
// an err it has said everything already.
type exitStatus struct {
	code int
	err  error
}

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d: %v", e.code, e.err) }

func (e exitStatus) Unwrap() error { return e.err }

func fail(p process, code int, err error) int {
	_, _ = fmt.Fprintln(p.stderr, "windlass:", err) // when even this cannot be told, the exit code still does
	return code
}

// configFlag is shared by the commands that read anchor.toml.
type configFlag struct {
	Config string `help:"The configuration file." default:"anchor.toml" env:"WINDLASS_CONFIG" type:"path"`
}

// load reads the configuration and makes the log that it asks for.
func (f configFlag) load(ctx context.Context, p process) (*Config, *slog.Logger, error) {
	c, err := Load(f.Config, p.environ)
	if err != nil {
		return nil, nil, err
	}
	return c, c.newLog(ctx, p.stderr), nil
}

// newLog makes the log and puts the configuration's oddities into it.
func (c *Config) newLog(ctx context.Context, w io.Writer) *slog.Logger {
	logger := newLog(w, c.Log)
	for _, oddity := range c.warnings {
		logger.WarnContext(ctx, oddity)
	}
	return logger
}

type serveCommand struct {
	configFlag
}

// Run serves the anchor until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, p process) (err error) {
	cfg, logger, err := c.load(ctx, p)
	if err != nil {
		return err
	}
	public, err := bind(ctx, cfg.Listen.Public, "listen.public")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unbind(public)) }()
	admin, err := bind(ctx, cfg.Listen.Admin, "listen.admin")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unbind(admin)) }()
	a, err := newApp(ctx, cfg, devMode{}, logger)
	switch {
	case err != nil && ctx.Err() != nil:
		logger.InfoContext(ctx, "stopped while starting", "error", err)
		return nil
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	logger.InfoContext(ctx, "serving", "public", cfg.PublicURL, "admin", cfg.AdminURL)
	return a.Run(ctx, public, admin)
}

type staffCommand struct {
	Link linkCommand `cmd:"" help:"Print a link that signs a member of staff in, once within ten minutes."`
}

type linkCommand struct {
	configFlag
	Name string `arg:"" help:"Who it is for. The audit trail carries this name."`
}

// Run prints a link. It needs the keys alone: what it signs, serve lets in.
func (c *linkCommand) Run(ctx context.Context, p process) error {
	cfg, _, err := c.load(ctx, p)
	if err != nil {
		return err
	}
	keys, err := session.NewKeys(cfg.keys.Token, cfg.keys.Session)
	if err != nil {
		return err
	}
	link, err := keys.SignInLink(c.Name, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, cfg.AdminURL+link)
	return err
}

type tomlCommand struct {
	configFlag
}

// Run prints what /.well-known/stellar.toml answers.
func (c *tomlCommand) Run(ctx context.Context, p process) error {
	cfg, _, err := c.load(ctx, p)
	if err != nil {
		return err
	}
	h, err := newSEP1(cfg)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(h.TOML())
	return err
}

type migrateCommand struct {
	configFlag
}

// Run brings the database up to this version.
func (c *migrateCommand) Run(ctx context.Context, p process) error {
	cfg, _, err := c.load(ctx, p)
	if err != nil {
		return err
	}
	books, err := store.Open(ctx, cfg.Database.Path, cfg.keys.Encryption)
	if err != nil {
		return err
	}
	if err := books.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s is at this version\n", cfg.Database.Path)
	return err
}

type versionCommand struct{}

// version is set by the build, see Makefile.
var version string

func (c *versionCommand) Run(p process) error {
	_, err := fmt.Fprintln(p.stdout, versionLine())
	return err
}

// versionLine is the version for people and for bug reports.
func versionLine() string {
	v := version
	if v == "" {
		v = "unknown"
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			v = info.Main.Version
		}
	}
	return fmt.Sprintf("windlass %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// A runner is anything long-lived: it works until ctx is done and returns when
// all it started has stopped. A nil error before that is a reason to stop, too.
type runner interface {
	Run(ctx context.Context) error
}

// A runFunc is a function that is a runner.
type runFunc func(ctx context.Context) error

// Run calls f.
func (f runFunc) Run(ctx context.Context) error { return f(ctx) }

// runAll runs everything until ctx is done or one of them returns, and returns
// when all have, with everything that went wrong.
func runAll(ctx context.Context, runners ...runner) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(runners))
	var wg sync.WaitGroup
	for i, r := range runners {
		wg.Go(func() {
			defer cancel()
			if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
