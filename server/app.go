package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/incoming"
	"windlass/server/language"
	"windlass/server/notify"
	"windlass/server/outside"
	"windlass/server/payout"
	"windlass/server/rail"
	"windlass/server/sep1"
	"windlass/server/sep10"
	"windlass/server/sep24"
	"windlass/server/session"
	"windlass/server/store"
)

// devMode is what `windlass dev` adds: the demo wallet, a way of its own to the
// network, and a place for e-mails. The zero value is an anchor as `windlass serve` runs it.
type devMode struct {
	wallet  bool
	horizon string       // "" is the configured one, which wallets use
	http    *http.Client // to ask Horizon through; nil is the usual one
	mail    string       // the folder that e-mails are kept in where there is no mail server; "" is none
}

// An app is one anchor: the rooms, wired.
type app struct {
	cfg *Config
	dev devMode
	log *slog.Logger

	books  *store.Store
	ledger *horizon.Client
	bank   *rail.Simulated
	keys   *session.Keys

	queries   http.Handler // customers' GraphQL
	customers *session.Customers
	staff     *session.SignIn
	sep1      *sep1.Handler
	sep10     *sep10.Handler
	sep24     *sep24.Handler

	incoming *incoming.Incoming
	payouts  *payout.Engine
	rail     *rail.Engine
	outside  *outside.Client
	notify   *notify.Notifier

	public http.Handler // wallets and customers
	admin  http.Handler // staff
}

// newApp opens the books and builds the rooms. Nothing runs yet; Close what it
// returns.
func newApp(ctx context.Context, cfg *Config, dev devMode, logger *slog.Logger) (_ *app, err error) {
	a := &app{cfg: cfg, dev: dev, log: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.books, err = store.Open(ctx, cfg.Database.Path, cfg.keys.Encryption); err != nil {
		return nil, fmt.Errorf("open the books: %w", err)
	}
	a.books.Limit(cfg.terms)
	if a.writesMails() {
		a.books.WriteMails()
	}
	if a.bank, err = openBank(cfg); err != nil {
		return nil, err
	}
	urls := cfg.Network.Horizon
	if dev.horizon != "" {
		urls = []string{dev.horizon}
	}
	a.ledger = horizon.New(horizon.Config{URLs: urls, Passphrase: cfg.Network.Passphrase, HTTP: dev.http, Logger: logger.With("room", "horizon")})
	if a.keys, err = session.NewKeys(cfg.keys.Token, cfg.keys.Session); err != nil {
		return nil, err
	}
	if err := a.protocols(); err != nil {
		return nil, err
	}
	a.engines()
	a.public, a.admin = a.publicRoutes(), a.adminRoutes()
	return a, nil
}

// protocols builds what wallets, customers and staff talk to.
func (a *app) protocols() (err error) {
	cfg := a.cfg
	a.queries = a.graphHandler(false)
	a.outside = outside.New(outside.Config{AllowLoopback: cfg.AllowLoopback})
	a.customers = session.NewCustomers(session.Config{
		BaseURL: cfg.PublicURL, Match: language.Match, Sentence: language.Sentence,
		Outside: a.outside, CallbackSchemes: cfg.Callbacks.Schemes, Query: a.queries, Log: a.log.With("room", "session"),
	}, a.keys, a.books)
	a.staff = session.NewSignIn(session.SignInConfig{BaseURL: cfg.AdminURL, Home: "/playground", Log: a.log.With("room", "session")}, a.keys, a.books)
	if a.sep1, err = newSEP1(cfg); err != nil {
		return err
	}
	if a.sep10, err = sep10.New(sep10.Config{
		Signing: cfg.keys.Signing, HomeDomains: append([]string{cfg.HomeDomain}, cfg.SEP10.HomeDomains...), WebAuthDomain: cfg.SEP10.WebAuthDomain,
		NetworkPassphrase: cfg.Network.Passphrase, Issuer: cfg.PublicURL + sep10.Path,
		ChallengeLife: time.Duration(cfg.SEP10.ChallengeLifetime), TokenLife: time.Duration(cfg.SEP10.TokenLifetime),
		Threshold: cfg.SEP10.Threshold, SignedRequests: cfg.SEP10.SignedRequests, SharedAccounts: cfg.SEP10.SharedAccounts, Clients: a.clients(),
	}, a.keys, a.books, a.ledger, a.log.With("room", "sep10")); err != nil {
		return err
	}
	own := slices.Concat(cfg.keys.channels(), cfg.Accounts, []string{cfg.keys.Signing.Address(), cfg.keys.Fee.Address()})
	a.sep24, err = sep24.New(sep24.Config{
		BaseURL: cfg.PublicURL, Name: cfg.Brand.Name, Terms: cfg.terms, Own: own,
		AccountCreation: cfg.createsAccounts(), ClaimableBalances: cfg.paysClaimable(),
		Instructions: a.bank.Instructions, Explorer: cfg.Network.Explorer, Page: a.customerPage, OtherAccounts: cfg.otherAccounts(), Unlimited: cfg.SEP10.CustodialWallet, Starts: cfg.Limits.Starts, Polls: cfg.Limits.Polls,
	}, a.keys, a.books, a.log.With("room", "sep24"))
	return err
}

// engines builds what works by itself.
func (a *app) engines() {
	cfg := a.cfg
	a.incoming = incoming.New(incoming.Config{
		Accounts: followed(cfg), Own: append(cfg.keys.channels(), cfg.Accounts...), Terms: cfg.terms, Policies: cfg.unmatched, Statement: rail.Cursor,
	}, a.books, a.ledger, a.log.With("room", "incoming"))
	a.notify = notify.New(notify.Config{
		Store: a.books, Client: a.outside, Signing: cfg.keys.Signing, Body: a.message, Logger: a.log.With("room", "notify"),
		Mail: a.mails(), Letter: a.letter, MailsPerAddress: cfg.Mail.PerAddress,
		Patience: time.Duration(cfg.Callbacks.Patience), KeepDelivered: time.Duration(cfg.Callbacks.KeepDelivered), KeepGivenUp: time.Duration(cfg.Callbacks.KeepGivenUp),
	})
	a.rail = rail.New(rail.Config{
		Store: a.books, Terms: cfg.terms, Policies: cfg.unmatched, CheckPayer: cfg.Rail.CheckPayer, Rail: a.bank, Logger: a.log.With("room", "rail"),
	})
	var cursors []string
	for _, account := range followed(cfg) {
		// Payments, and what leaves besides: claimable balances.
		cursors = append(cursors, incoming.CursorName(account), incoming.FeesCursorName(account))
	}
	own := append(append(cfg.keys.channels(), cfg.Accounts...), cfg.keys.Signing.Address())
	a.payouts = payout.New(payout.Config{
		Passphrase: cfg.Network.Passphrase, Sources: []*keypair.Full{cfg.keys.Distribution},
		Fee: cfg.keys.Fee, Channels: cfg.keys.Channels, Terms: cfg.terms, Authorizers: cfg.keys.Authorizers, Own: own,
		TrustWindow: time.Duration(cfg.Payout.TrustWindow), ClaimBackAfter: time.Duration(cfg.Payout.ClaimBackAfter), Cursors: cursors, Hot: cfg.hot,
	}, a.books, a.ledger, a.log.With("room", "payout"))
}

// message is what a wallet is told of a transaction: what GET /sep24/transaction
// answers, without the way back into the page, which only its owner gets.
func (a *app) message(t *anchor.Transaction) ([]byte, error) {
	return json.Marshal(map[string]any{"transaction": a.sep24.Object(t, "", false)})
}

// currencies are what the bank must hold, each once.
func currencies(terms []*anchor.Terms) []anchor.Asset {
	var all []anchor.Asset
	seen := map[anchor.Asset]bool{}
	for _, t := range terms {
		if !seen[t.OffChain] {
			seen[t.OffChain] = true
			all = append(all, t.OffChain)
		}
	}
	return all
}

// Run serves on the two bound listeners and runs the engines until ctx is done.
func (a *app) Run(ctx context.Context, public, admin net.Listener) error {
	return runAll(ctx,
		serveOn(public, "public", a.public, a.log),
		serveOn(admin, "admin", a.admin, a.log),
		a.incoming, a.payouts, a.rail, a.notify,
		sweeper{a.books, a.cfg.Customers, a.log},
	)
}

// Close lets go of the books. It must not be called while Run runs.
func (a *app) Close() error {
	var errs []error
	if a.ledger != nil {
		a.ledger.Close()
	}
	if a.outside != nil {
		a.outside.Close()
	}
	if a.bank != nil {
		errs = append(errs, a.bank.Close())
	}
	if a.books != nil {
		errs = append(errs, a.books.Close())
	}
	return errors.Join(errs...)
}

// sweeper forgets expired sessions and used tokens, and customers who never paid,
// once an hour.
type sweeper struct {
	books *store.Store
	keep  CustomersConfig
	log   *slog.Logger
}

// Run works until ctx is done.
func (s sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := s.books.Update(ctx, store.Clock, func(tx *store.Tx) error { return tx.Sweep(time.Now()) }); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "sweeping failed", "error", err)
		}
		if err := s.forget(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "customers who never paid are not forgotten", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// forgottenAtOnce bounds how long an update takes.
const forgottenAtOnce = 50

// forget forgets customers who never paid.
func (s sweeper) forget(ctx context.Context, now time.Time) error {
	kept := store.Kept{Unpaid: now.Add(-time.Duration(s.keep.KeepUnpaid))}
	if s.keep.KeepReviewed != 0 {
		kept.Reviewed = now.Add(-time.Duration(s.keep.KeepReviewed))
	}
	for {
		if n, err := s.books.ForgetUnpaid(ctx, kept, forgottenAtOnce, now); err != nil || n < forgottenAtOnce {
			return err
		}
	}
}

// graphHandler is the GraphQL endpoint of one listener.
func (a *app) graphHandler(staff bool) http.Handler {
	return graph.New(graph.Options{
		Store: a.books, Terms: a.cfg.terms, Rail: a.bank, Explorer: a.cfg.Network.Explorer, Logger: a.log.With("room", "graph"), Staff: staff, CallbackSchemes: a.cfg.Callbacks.Schemes,
		Documents: graph.Documents{
			All: int64(a.cfg.Limits.Documents) << 20, Each: int64(a.cfg.Limits.DocumentsPerCustomer) << 20, Allow: a.cfg.Limits.uploads(),
		},
		Network:     a.cfg.Limits.caller,
		Object:      func(t *anchor.Transaction, lang string) any { return a.sep24.Object(t, lang, false) },
		MoreInfoURL: func(t *anchor.Transaction) string { return a.sep24.MoreInfoURL(t.ID) },
	})
}
