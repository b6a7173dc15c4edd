// Package sep24 is hosted deposit and withdrawal (SEP-24) as wallets see it:
// what is offered, the start of an interactive flow, the status of
// transactions; and the two pages that its addresses lead to, as far as they
// are read without a script.
//
// It must not move a transaction: it starts them, and shows them.
package sep24

import (
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"windlass/server/anchor"
	"windlass/server/rail"
	"windlass/server/sep"
	"windlass/server/session"
	"windlass/server/store"
)

// Path is below what everything but the pages is mounted.
const Path = "/sep24"

// Config is what the operator offers, and how pages are framed.
type Config struct {
	// BaseURL is the public origin, scheme://host[:port].
	BaseURL string
	// Name is the anchor's, for the pages.
	Name  string
	Terms []*anchor.Terms
	// Own are accounts of the anchor's, beside the distribution accounts and
	// issuers of Terms, that no customer may name: G….
	Own []string
	// OtherAccounts says who may name another account than the one that signed in;
	// everybody if nil.
	OtherAccounts func(who anchor.Identity) bool
	// Starts and Polls bound what one signed-in user may ask, in requests a second
	// with ten seconds' worth at once; 0 is no bound.
	Starts, Polls int
	// Unlimited are accounts that may ask as often as they like: custodial wallets,
	// which ask for all of their users.
	Unlimited []string
	// EntryWindow is how long a customer has to enter everything; a day if 0.
	EntryWindow time.Duration
	// AccountCreation and ClaimableBalances are /info's features.
	AccountCreation, ClaimableBalances bool
	// Instructions are the bank's details that a deposit must be paid to, see
	// rail.Rail. May be nil.
	Instructions func(offChain anchor.Asset, method string) []rail.Row
	// Explorer is where a ledger transaction can be looked up, with {hash} in it; "" is
	// nowhere.
	Explorer string
	// Page answers with a page of the web app.
	Page func(http.ResponseWriter, *http.Request, Page)
}

// Page is a page of the web app that is about one transaction.
type Page struct {
	Name   string // "interactive", "transaction" or LostPage
	Status int    // 0 is 200
	ID     string // empty of LostPage
	Lang   string
	Title  string
	// Body is what is read without a script.
	Body template.HTML
}

// LostPage is the name of the page behind an address that leads nowhere. It has no
// script.
const LostPage = "lost"

// Handler is the endpoints. Use New.
type Handler struct {
	cfg    Config
	keys   *session.Keys
	books  *store.Store
	log    *slog.Logger
	terms  map[anchor.Asset]*anchor.Terms
	byCode map[string]*anchor.Terms
	info   []byte
	starts *sep.Limiter
	polls  *sep.Limiter
}

// New checks the configuration.
func New(cfg Config, keys *session.Keys, books *store.Store, log *slog.Logger) (*Handler, error) {
	if cfg.EntryWindow == 0 {
		cfg.EntryWindow = 24 * time.Hour
	}
	h := &Handler{cfg: cfg, keys: keys, books: books, log: log,
		terms: map[anchor.Asset]*anchor.Terms{}, byCode: map[string]*anchor.Terms{},
		starts: sep.NewLimiter(cfg.Starts), polls: sep.NewLimiter(cfg.Polls)}
	for _, t := range cfg.Terms {
		// SEP-24 tells assets apart by their code alone.
		if h.byCode[t.Asset.Code] != nil {
			return nil, fmt.Errorf("sep24: two assets have the code %s", t.Asset.Code)
		}
		h.terms[t.Asset], h.byCode[t.Asset.Code] = t, t
	}
	if len(cfg.Terms) == 0 {
		return nil, errors.New("sep24: there is no asset")
	}
	h.info = h.describe()
	return h, nil
}

// Register mounts the endpoints and the pages.
func (h *Handler) Register(r *mux.Router) {
	get := func(f http.HandlerFunc) http.Handler {
		return sep.Endpoint(map[string]http.HandlerFunc{http.MethodGet: f})
	}
	post := func(f http.HandlerFunc) http.Handler {
		return sep.Endpoint(map[string]http.HandlerFunc{http.MethodPost: f})
	}
	r.Handle(Path+"/info", get(func(w http.ResponseWriter, _ *http.Request) { sep.Write(w, http.StatusOK, h.info) }))
	if h.complexFees() {
		r.Handle(Path+"/fee", get(h.owned(h.polls, h.fee)))
	}
	r.Handle(Path+"/transactions/deposit/interactive", post(h.owned(h.starts, h.start(anchor.Deposit))))
	r.Handle(Path+"/transactions/withdraw/interactive", post(h.owned(h.starts, h.start(anchor.Withdrawal))))
	r.Handle(Path+"/transaction", get(h.owned(h.polls, h.transaction)))
	r.Handle(Path+"/transactions", get(h.owned(h.polls, h.transactions)))
	r.Handle(Path, sep.NoSuchPath())
	r.PathPrefix(Path + "/").Handler(sep.NoSuchPath())
	r.HandleFunc("/interactive/{id}", h.interactivePage).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/transaction/{id}", h.transactionPage).Methods(http.MethodGet, http.MethodHead)
}

// owned checks the wallet's token before anything else of the request, and how
// often its user asks.
func (h *Handler) owned(limit *sep.Limiter, next func(http.ResponseWriter, *http.Request, anchor.Identity)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		who, err := h.keys.Auth(sep.Bearer(r), now)
		if err != nil {
			sep.Write(w, http.StatusForbidden, authenticationRequired)
			return
		}
		if wait := limit.Wait(who.Subject(), now); wait > 0 && !slices.Contains(h.cfg.Unlimited, who.Account) {
			sep.WriteTooMany(w, r, h.log, sep.Lang(r, r.URL.Query().Get("lang")), wait)
			return
		}
		next(w, r, who)
	}
}

// authenticationRequired is exactly what SEP-24 wants of a request without a
// good token ("Authentication required").
var authenticationRequired = []byte(`{"type":"authentication_required"}` + "\n")

// at names the parameter at fault in an error of package anchor, nil included.
func at(field string, err error) error {
	e, ok := errors.AsType[*anchor.Error](err)
	if !ok {
		return err
	}
	named := *e
	named.Field = field
	return &named
}

// invalid is an error in one parameter.
func invalid(code, field, format string, args ...any) error {
	return &anchor.Error{Kind: anchor.Invalid, Code: code, Field: field, Message: fmt.Sprintf(format, args...),
		Args: map[string]string{"name": field}}
}
