// Package sep10 signs wallets in (SEP-10, Stellar Web Authentication): it hands
// out challenges and gives a token for one that the account's signers signed.
//
// It fails closed. Only Horizon's own word that an account does not exist lets
// its master key alone sign in; a Horizon that cannot be asked is a 503.
//
// It must not know what a token is good for.
package sep10

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/sep"
	"windlass/server/session"
	"windlass/server/store"
)

// Path is where the endpoint is mounted.
const Path = "/auth"

// Config is what the operator decides.
type Config struct {
	// Signing is the key pair of stellar.toml's SIGNING_KEY.
	Signing *keypair.Full
	// HomeDomains are the domains whose stellar.toml names this endpoint, with
	// the port if they have one; the first is the default. Of the others
	// "*.example.com" stands for all below it.
	HomeDomains []string
	// WebAuthDomain is the domain that wallets expect in the challenge.
	WebAuthDomain     string
	NetworkPassphrase string
	// Issuer is the iss of the tokens, and the endpoint's address as stellar.toml
	// has it.
	Issuer        string
	ChallengeLife time.Duration
	TokenLife     time.Duration
	// Threshold is what signatures must reach: "low", "medium" or "high". Medium is
	// what moving the account's money takes, and the default.
	Threshold string
	// SignedRequests refuses requests for a challenge without an Authorization
	// header (SEP-10, "Request Header").
	SignedRequests bool
	// SharedAccounts lets an account sign in with a memo though it did so without
	// one before, or the reverse. SEP-24 advises against it.
	SharedAccounts bool
	Clients        Clients
}

// Handler is the endpoint. Use New.
type Handler struct {
	cfg     Config
	keys    *session.Keys
	books   *store.Store
	ledger  *horizon.Client
	log     *slog.Logger
	clients *clientKeys
}

// maxData is the most that a key or value of a challenge's operations may have,
// in bytes: the ledger's own limit.
const maxData = 64

// New checks the configuration.
func New(cfg Config, keys *session.Keys, books *store.Store, ledger *horizon.Client, log *slog.Logger) (*Handler, error) {
	var errs []error
	if cfg.Signing == nil {
		errs = append(errs, errors.New("sep10: there is no signing key"))
	}
	if len(cfg.HomeDomains) == 0 {
		errs = append(errs, errors.New("sep10: there is no home domain"))
	}
	for _, d := range cfg.HomeDomains {
		if d == "" || len(d+auth) > maxData {
			errs = append(errs, fmt.Errorf("sep10: the home domain %q must have 1 to %d characters", d, maxData-len(auth)))
		}
	}
	if cfg.WebAuthDomain == "" || len(cfg.WebAuthDomain) > maxData {
		errs = append(errs, fmt.Errorf("sep10: the web auth domain %q must have 1 to %d characters", cfg.WebAuthDomain, maxData))
	}
	if len(cfg.HomeDomains) > 0 && strings.HasPrefix(cfg.HomeDomains[0], "*") {
		errs = append(errs, errors.New("sep10: the first home domain must be one, and no pattern"))
	}
	if cfg.Threshold == "" {
		cfg.Threshold = "medium"
	}
	if !slices.Contains(Thresholds, cfg.Threshold) {
		errs = append(errs, fmt.Errorf("sep10: the threshold %q is none of %v", cfg.Threshold, Thresholds))
	}
	if cfg.NetworkPassphrase == "" {
		errs = append(errs, errors.New("sep10: there is no network passphrase"))
	}
	if cfg.ChallengeLife < time.Second || cfg.TokenLife < time.Second {
		errs = append(errs, errors.New("sep10: challenges and tokens must live for a second at least"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Handler{cfg, keys, books, ledger, log, newClientKeys(cfg.Clients.Toml)}, nil
}

// Thresholds are those of an account.
var Thresholds = []string{"low", "medium", "high"}

// Register mounts [Path], and answers what is asked for below it.
func (h *Handler) Register(r *mux.Router) {
	r.Handle(Path, sep.Endpoint(map[string]http.HandlerFunc{
		http.MethodGet:  h.answer(h.challenge),
		http.MethodPost: h.answer(h.token),
	}))
	r.PathPrefix(Path + "/").Handler(sep.NoSuchPath())
}

// answer renders what a handler returns.
func (h *Handler) answer(handle func(http.ResponseWriter, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := handle(w, r)
		if err != nil {
			sep.WriteError(w, r, h.log, sep.Lang(r, ""), err)
			return
		}
		sep.WriteJSON(w, http.StatusOK, body)
	}
}

// refuse is an error in what the wallet sent, which is always a 400.
func refuse(format string, args ...any) error {
	return &anchor.Error{Kind: anchor.Invalid, Message: fmt.Sprintf(format, args...)}
}

// challenge answers GET: a transaction to sign (SEP-10, "Challenge"). Unknown
// parameters are ignored.
func (h *Handler) challenge(_ http.ResponseWriter, r *http.Request) (any, error) {
	if err := h.signedAtAll(r); err != nil {
		return nil, err
	}
	q, err := sep.Query(r)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	c := challenge{home: h.cfg.HomeDomains[0]}
	if home := q.Get("home_domain"); home != "" {
		if !h.serves(home) {
			return nil, refuse("home_domain %.80q is not served here", home)
		}
		c.home = home
	}
	if c.identity, err = h.asks(q); err != nil {
		return nil, err
	}
	domain := q.Get("client_domain")
	if h.cfg.Clients.Toml == nil {
		domain = ""
		if q.Has("client_domain") && r.Header.Get("Authorization") != "" {
			return nil, refuse("client_domain is not verified here, and so cannot sign the request")
		}
	}
	if domain != "" {
		if err := clientHost(domain); err != nil {
			return nil, err
		}
	}
	if err := h.cfg.Clients.may(c.identity.Account, domain); err != nil {
		return nil, err
	}
	signer := c.identity.Account
	if domain != "" {
		if c.clientKey, err = h.clients.find(r.Context(), domain, now); err != nil {
			return nil, err
		}
		if c.clientKey == h.cfg.Signing.Address() {
			return nil, errServersKey
		}
		c.identity.Client, signer = domain, c.clientKey
	}
	if err := h.signedRequest(r, q, signer, now); err != nil {
		return nil, err
	}
	text, err := h.build(c, now)
	if err != nil {
		return nil, err
	}
	return struct {
		Transaction string `json:"transaction"`
		Passphrase  string `json:"network_passphrase"`
	}{text, h.cfg.NetworkPassphrase}, nil
}

// errServersKey refuses a client domain that publishes our own key: our signature is
// on every challenge, and would prove any wallet to be that one.
var errServersKey = refuse("the SIGNING_KEY of client_domain is this server's own")

// serves reports whether a home domain's stellar.toml names this endpoint.
func (h *Handler) serves(home string) bool {
	return len(home)+len(auth) <= maxData && hostName.MatchString(home) && slices.ContainsFunc(h.cfg.HomeDomains, func(pattern string) bool { return covers(pattern, home) })
}

// asks reads whom a challenge is asked for.
func (h *Handler) asks(q url.Values) (anchor.Identity, error) {
	var nobody anchor.Identity
	if !q.Has("account") {
		return nobody, refuse("account is required")
	}
	address, err := anchor.ParseAddress(q.Get("account"))
	if err != nil {
		return nobody, err
	}
	if address.Account() == h.cfg.Signing.Address() {
		return nobody, refuse("this account is the server's own")
	}
	subject := string(address)
	if memo := q.Get("memo"); memo != "" {
		if _, muxed := address.MuxedID(); muxed {
			return nobody, refuse("memo and a muxed account (M…) exclude each other: the account's id is the memo")
		}
		if _, err := anchor.ParseMemo(string(anchor.MemoID), memo); err != nil {
			return nobody, err
		}
		subject += ":" + memo
	}
	return anchor.ParseSubject(subject, "")
}

// token answers POST: a token for a signed challenge (SEP-10, "Token"), once.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) (any, error) {
	fields, err := sep.Fields(w, r)
	if e, ok := errors.AsType[*anchor.Error](err); ok {
		same := *e // and no other status than 400, which SEP-10's clients know
		return nil, &same
	} else if err != nil {
		return nil, err
	}
	if fields["transaction"] == "" {
		return nil, refuse("transaction is required")
	}
	now := time.Now()
	c, err := h.read(fields["transaction"], now)
	if err != nil {
		return nil, err
	}
	if len(c.signatures) < 2 {
		return nil, refuse("no signer of the account has signed the challenge") // which the ledger need not be asked for
	}
	// Nor for one that was exchanged: whoever repeats it would have us ask for free.
	jti := hex.EncodeToString(c.hash[:])
	switch used, err := h.books.Used(r.Context(), usedChallenge, jti); {
	case err != nil:
		return nil, fmt.Errorf("look a challenge up: %w", err)
	case used:
		return nil, errExchanged
	}
	if err := h.cfg.Clients.may(c.identity.Account, c.identity.Client); err != nil {
		return nil, refuse("%s", err.Error())
	}
	if err := h.authorized(r.Context(), c); err != nil {
		return nil, err
	}
	if err := h.signIn(r.Context(), c, jti, now); err != nil {
		return nil, err
	}
	token, err := h.keys.AuthToken(c.identity, h.cfg.Issuer, c.home, jti, now, h.cfg.TokenLife)
	if err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	return struct {
		Token string `json:"token"`
	}{token}, nil
}

// usedChallenge is what the books call challenges that were exchanged.
const usedChallenge = "challenge"

var errExchanged = refuse("this challenge was exchanged already; ask for another")

// signIn burns a challenge, and holds an account to being shared or not. Whatever
// the reason of a refusal is, it is a 400.
func (h *Handler) signIn(ctx context.Context, c *challenge, jti string, now time.Time) error {
	err := h.books.Update(ctx, store.Wallet, func(tx *store.Tx) error {
		if err := tx.UseOnce(usedChallenge, jti, c.until); err != nil {
			return err
		}
		if h.cfg.SharedAccounts || slices.Contains(h.cfg.Clients.Custodial, c.identity.Account) {
			return nil
		}
		return tx.SignIn(c.identity.Account, c.identity.Memo != "" || c.identity.Muxed != "", now)
	})
	e, ok := errors.AsType[*anchor.Error](err)
	switch {
	case err == nil:
		return nil
	case ok && e.Code == "used":
		return errExchanged
	case ok && e.Kind == anchor.Conflict:
		return &anchor.Error{Kind: anchor.Invalid, Code: e.Code, Message: e.Message}
	}
	return fmt.Errorf("use a challenge: %w", err)
}

// authorized checks the signatures beside the server's (SEP-10, "Verification"):
// those of signers whose weights reach the configured threshold; or, for an
// account that does not exist, its master key's alone.
func (h *Handler) authorized(ctx context.Context, c *challenge) error {
	account, err := h.account(ctx, c.identity.Account)
	switch {
	case err != nil && anchor.KindOf(err) == anchor.NotFound:
		return h.master(c)
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &anchor.Error{Kind: anchor.Unavailable, Code: "ledger_unavailable", Err: err,
			Message: "the account's signers cannot be looked up now; try again in a minute"}
	}
	// The server's own signature never speaks for the client, even where the
	// account names it as a signer.
	weights := map[string]int32{}
	for _, s := range account.Signers {
		if s.Type == signerKey && s.Key != h.cfg.Signing.Address() && s.Weight > 0 {
			weights[s.Key] = s.Weight
		}
	}
	addresses := []string{h.cfg.Signing.Address()}
	for address := range weights {
		addresses = append(addresses, address)
	}
	if c.clientKey != "" {
		addresses = append(addresses, c.clientKey)
	}
	signed, err := c.signedBy(addresses)
	if err != nil {
		return err
	}
	var weight, signers int32
	for address := range signed {
		if weights[address] > 0 { // the server and the client domain weigh nothing
			signers++
			weight += weights[address]
		}
	}
	if signers == 0 {
		return refuse("no signer of the account has signed the challenge")
	}
	threshold := map[string]int32{"low": int32(account.Thresholds.Low), "medium": int32(account.Thresholds.Medium), "high": int32(account.Thresholds.High)}[h.cfg.Threshold]
	if weight < threshold {
		return refuse("the signatures weigh %d, and the account's %s threshold is %d", weight, h.cfg.Threshold, threshold)
	}
	return c.clientSigned(signed)
}

// Looking an account up: how often it is tried, and how long each time. Wallets
// give up at the first fault, and one lost answer of Horizon's should not be
// theirs.
const (
	lookups    = 3
	lookupTime = 4 * time.Second
	lookupRest = 200 * time.Millisecond
)

// account looks the account up, more than once where Horizon cannot be asked.
func (h *Handler) account(ctx context.Context, id string) (*horizon.Account, error) {
	for n := 1; ; n++ {
		once, cancel := context.WithTimeout(ctx, lookupTime)
		account, err := h.ledger.Account(once, id)
		out := once.Err() != nil
		cancel()
		if err == nil || n == lookups || ctx.Err() != nil || !out && anchor.KindOf(err) != anchor.Unavailable {
			return account, err
		}
		select {
		case <-time.After(lookupRest):
		case <-ctx.Done():
		}
	}
}

// signerKey is Horizon's name for a signer that is a plain key.
const signerKey = "ed25519_public_key"

// master is authorized for an account that does not exist: the signatures are
// exactly the server's, the account's own key's and the client domain's.
func (h *Handler) master(c *challenge) error {
	addresses := []string{h.cfg.Signing.Address(), c.identity.Account}
	if c.clientKey != "" {
		addresses = append(addresses, c.clientKey)
	}
	signed, err := c.signedBy(addresses)
	if err != nil {
		return err
	}
	if !signed[c.identity.Account] {
		return refuse("the challenge is not signed by the account")
	}
	if len(c.signatures) != len(addresses) || len(signed) != len(addresses) {
		return refuse("the challenge has %d signatures, and %d are expected for an account that does not exist", len(c.signatures), len(addresses))
	}
	return c.clientSigned(signed)
}

// signedBy finds which of the addresses have signed. A signer counts once, by
// however many signatures; a signature of nobody among them is an error.
func (c *challenge) signedBy(addresses []string) (map[string]bool, error) {
	signed := map[string]bool{}
	for _, s := range c.signatures {
		who, err := signerOf(c.hash, s, addresses)
		if err != nil {
			return nil, err
		}
		signed[who] = true
	}
	return signed, nil
}

func signerOf(hash [32]byte, s xdr.DecoratedSignature, addresses []string) (string, error) {
	for _, address := range addresses {
		kp, err := keypair.ParseAddress(address)
		if err != nil {
			return "", fmt.Errorf("a signer's address: %w", err)
		}
		if kp.Hint() == s.Hint && kp.Verify(hash[:], s.Signature) == nil {
			return address, nil
		}
	}
	return "", refuse("the challenge carries a signature that is not valid, or not of a signer of the account")
}

// clientSigned makes sure that the client domain signed, if the challenge names one.
func (c *challenge) clientSigned(signed map[string]bool) error {
	if c.clientKey != "" && !signed[c.clientKey] {
		return refuse("the challenge is not signed by the client domain's SIGNING_KEY")
	}
	return nil
}
