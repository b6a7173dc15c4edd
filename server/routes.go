package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/stellar/go-stellar-sdk/network"

	"windlass/frontend"
	"windlass/graph"
	"windlass/server/language"
	"windlass/server/payout"
	"windlass/server/sep24"
	"windlass/server/session"
)

// publicRoutes is what wallets and customers reach. Nothing of staff's is here:
// a mistake in a rule cannot show them what the listener does not have.
func (a *app) publicRoutes() *mux.Router {
	// A redirect to the path made clean would have no CORS headers.
	r := mux.NewRouter().SkipClean(true)
	r.Use(limitSignIns(a.cfg.Limits, a.log))
	a.sep1.Register(r)
	a.sep10.Register(r)
	a.sep24.Register(r)
	a.customers.Register(r)
	r.Handle("/graphql", a.customers.Middleware(limitPages(a.cfg.Limits, a.log, a.queries)))
	r.PathPrefix("/assets/").Handler(frontend.Assets())
	r.PathPrefix(frontend.LogoPath).Handler(a.cfg.brand.Logo)
	if !a.cfg.Public() {
		r.PathPrefix("/bank/api/").Handler(a.bank.Handler())
		r.Handle("/bank", a.page("bank", "Simulated bank"))
	}
	if a.dev.wallet {
		r.Handle("/wallet", a.walletPage())
		r.Handle("/", http.RedirectHandler("/wallet", http.StatusFound))
	}
	return r
}

// adminRoutes is what staff and the operator's own systems reach.
func (a *app) adminRoutes() *mux.Router {
	r := mux.NewRouter()
	a.staff.Register(r)
	r.Handle("/graphql", a.staff.Middleware(a.graphHandler(true)))
	r.Handle(graph.FilesPath+"{id}", a.staff.Middleware(http.HandlerFunc(a.file))).Methods(http.MethodGet)
	r.Handle("/playground", a.staff.Middleware(signedIn(a.page("playground", "Playground"))))
	r.Handle("/", http.RedirectHandler("/playground", http.StatusFound))
	r.PathPrefix("/assets/").Handler(frontend.Assets())
	r.PathPrefix(frontend.LogoPath).Handler(a.cfg.brand.Logo)
	r.HandleFunc("/healthz", a.healthz).Methods(http.MethodGet)
	r.HandleFunc("/readyz", a.readyz).Methods(http.MethodGet)
	return r
}

// page is a page that is the same for everybody.
func (a *app) page(name, title string) http.Handler {
	boot := frontend.Boot{"page": name, "brand": a.cfg.brand.Boot(), "network": a.network()}
	return frontend.Shell{Page: name, Title: title + " · " + a.cfg.brand.Name, Boot: boot, Colours: a.cfg.brand.Colours}
}

// walletPage is the demo wallet. It talks to the network by itself.
func (a *app) walletPage() http.Handler {
	ledger := a.cfg.Network.Horizon[0]
	var assets []map[string]string
	for _, t := range a.cfg.terms {
		assets = append(assets, map[string]string{"code": t.Asset.Code, "issuer": t.Asset.Issuer})
	}
	boot := frontend.Boot{
		"page": "wallet", "brand": a.cfg.brand.Boot(), "network": a.network(),
		"homeDomain": a.cfg.HomeDomain, "horizon": ledger, "friendbot": ledger + "/friendbot",
		"passphrase": a.cfg.Network.Passphrase, "bank": "/bank",
		"assets": assets, "languages": language.Languages,
	}
	return frontend.Shell{Page: "wallet", Title: "Demo wallet", Boot: boot, Colours: a.cfg.brand.Colours, ConnectSrc: []string{origin(ledger)}}
}

// origin is an address without its path.
func origin(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// network tells the pages whether money is play money.
func (a *app) network() frontend.Boot {
	return frontend.Boot{"name": a.networkName(), "test": !a.cfg.Public(), "passphrase": a.cfg.Network.Passphrase}
}

func (a *app) networkName() string {
	switch {
	case a.dev.wallet:
		return "Sandbox"
	case a.cfg.Public():
		return "Public network"
	case a.cfg.Network.Passphrase == network.TestNetworkPassphrase:
		return "Testnet"
	}
	return "Test network"
}

// customerPage is the shell of the customer's page: the interactive one and a
// transaction's own.
//
// Wallets frame it, whoever they are. That is safe because a frame brings no
// session with it: the cookie is partitioned by the site around, so a stranger's
// page can only frame what its own visitor opened there.
func (a *app) customerPage(w http.ResponseWriter, r *http.Request, p sep24.Page) {
	text := func(key string) string { return language.Text(p.Lang, key, nil) }
	frame := frontend.Frame{Brand: a.cfg.brand, Help: text("page.help"), Terms: text("page.terms"), Privacy: text("page.privacy"), Main: p.Body}
	if !a.cfg.Public() {
		frame.Test = text("page.test")
		frame.TestNote = language.Text(p.Lang, "page.test_banner", map[string]string{"network": a.networkName()})
	}
	frontend.Shell{
		Page: "customer", Title: p.Title, Lang: p.Lang, Dir: language.Direction(p.Lang), Body: frame.HTML(),
		Colours: a.cfg.brand.Colours, FrameAncestors: "*", Status: p.Status, Plain: p.Name == sep24.LostPage,
		Boot: frontend.Boot{
			"page": p.Name, "id": p.ID, "brand": a.cfg.brand.Boot(), "network": a.network(),
			"lang": p.Lang, "languages": language.Languages, "mail": a.cfg.Mail.Host != "",
		},
	}.ServeHTTP(w, r)
}

// signedIn lets staff in, and sends everybody else to the sign-in.
func signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if session.FromContext(r.Context()).Role != session.Staff {
			http.Redirect(w, r, "/signin", http.StatusFound)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// healthz says that the process runs and the books answer.
func (a *app) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := a.books.Ping(ctx); err != nil {
		a.log.ErrorContext(ctx, "the books do not answer", "error", err)
		tell(w, http.StatusServiceUnavailable, map[string]any{"status": "failing", "books": "no answer"})
		return
	}
	tell(w, http.StatusOK, map[string]any{"status": "ok"})
}

// readyz says whether money can move: every stream is read, and no payout waits
// for the operator. It tells what is in the way.
func (a *app) readyz(w http.ResponseWriter, _ *http.Request) {
	streams, payouts := a.incoming.Status(), a.payouts.Status()
	ready := !slices.ContainsFunc(payouts.Alarms, func(a payout.Alarm) bool { return !a.Warns() })
	for _, s := range streams {
		ready = ready && s.Alarm == "" && s.Fault == ""
	}
	status, word := http.StatusOK, "ready"
	if !ready {
		status, word = http.StatusServiceUnavailable, "not ready"
	}
	tell(w, status, map[string]any{"status": word, "streams": streams, "payouts": payouts})
}

func tell(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails if the client has gone
}
