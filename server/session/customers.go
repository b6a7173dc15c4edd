package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/gorilla/sessions"

	"windlass/server/anchor"
	"windlass/server/outside"
	"windlass/server/store"
)

// Config is what the sessions of customers need to know.
type Config struct {
	// BaseURL is the public origin, scheme://host[:port].
	BaseURL string
	// Match picks a language we have, Sentence is an error's text in it; see
	// package language.
	Match    func(want ...string) string
	Sentence func(lang, code, fallback string, args map[string]string) string
	// Outside refuses an address that messages could not be sent to. CallbackSchemes
	// are those of wallets' apps, in small letters: the page opens their addresses.
	Outside         *outside.Client
	CallbackSchemes []string
	// Query answers POST /graphql for the caller in the request's context.
	Query http.Handler
	Log   *slog.Logger
}

// Customers are the sessions of the customers' pages. Each opens one
// transaction. Use NewCustomers.
type Customers struct {
	cfg     Config
	keys    *Keys
	books   *store.Store
	cookies *cookies
}

// CustomerLife is how long a customer's session lasts.
const CustomerLife = 24 * time.Hour

// TransactionHeader names the transaction that a request of a customer's page
// is about.
const TransactionHeader = "X-Windlass-Transaction"

// NewCustomers makes the sessions of customers.
func NewCustomers(cfg Config, keys *Keys, books *store.Store) *Customers {
	return &Customers{cfg: cfg, keys: keys, books: books, cookies: newCookies(books, "customer", keys.customers, CustomerLife,
		// Wallets show the page in iframes: None lets the cookie go along there,
		// Partitioned keeps it apart from the same page elsewhere.
		sessions.Options{Secure: true, SameSite: http.SameSiteNoneMode, Partitioned: true})}
}

// Register mounts the exchange.
func (c *Customers) Register(r *mux.Router) {
	r.HandleFunc("/interactive/{id}/session", c.exchange).Methods(http.MethodPost)
}

// cookieName is one transaction's: two open popups do not disturb each other.
// The prefix pins the cookie to this host, over https.
func cookieName(transaction string) string { return cookiePrefix + transaction }

const cookiePrefix = "__Host-windlass-"

// maxCookies is how many transactions one browser remembers. All their cookies go
// along with every request, and more than 8 KiB of them many proxies refuse: whoever
// leads somebody through forty transactions would lock them out of their own.
const maxCookies = 20

// forgetOldest makes room for one more cookie. Each answer clears a few at the most,
// since proxies bound answers' headers, too.
func (c *Customers) forgetOldest(w http.ResponseWriter, r *http.Request, transaction string) {
	var others []string
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, cookiePrefix) && cookie.Name != cookieName(transaction) {
			others = append(others, cookie.Name)
		}
	}
	slices.Sort(others) // ids begin with their time
	gone := c.cookies.options
	gone.MaxAge = -1
	for _, name := range others[:min(max(0, len(others)-maxCookies+1), 5)] {
		http.SetCookie(w, sessions.NewCookie(name, "", &gone))
	}
}

// exchange burns a token for a session:
//
//	POST /interactive/{id}/session
//	{"token", "nonce", "callback", "on_change_callback", "lang", "first"}  ->  {"bearer", "first"} and a cookie
//
// The first is the body of a GraphQL request, and its answer: what the page
// shows first needs no second round trip. Where it is not answered well it is
// left out, and the page asks again.
//
// The nonce is 16 characters or more that the page made up. The same token and
// nonce within a minute give the same session again, so that a reload or a lost
// answer does not lock the customer out.
func (c *Customers) exchange(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token    string          `json:"token"`
		Nonce    string          `json:"nonce"`
		Callback string          `json:"callback"` // null is as good as absent, here and below
		OnChange string          `json:"on_change_callback"`
		Lang     string          `json:"lang"`
		First    json.RawMessage `json:"first"`
	}
	err := readJSON(w, r, &in)
	lang := c.cfg.Match(in.Lang, r.Header.Get("Accept-Language"))
	if err == nil && foreign(r, c.cfg.BaseURL) {
		err = &anchor.Error{Kind: anchor.Forbidden, Code: "forbidden", Message: "this page may not do that"}
	}
	if err == nil && (len(in.Nonce) < 16 || len(in.Nonce) > 128 || strings.ContainsRune(in.Nonce, 0)) {
		err = &anchor.Error{Kind: anchor.Invalid, Code: "nonce_malformed", Field: "nonce", Message: "the nonce must have 16 to 128 characters"}
	}
	if err != nil {
		c.fail(w, r, lang, err)
		return
	}
	// A wallet's mistake in an address must not stop its customer, who could do
	// nothing about it: the address is left out, and the answer and the log say so.
	var refused []string
	for field, address := range map[string]*string{"callback": &in.Callback, "on_change_callback": &in.OnChange} {
		kept, err := c.callback(field, *address)
		if *address = kept; err != nil {
			refused = append(refused, field+": "+err.Error())
			c.cfg.Log.WarnContext(r.Context(), "a wallet's callback is left out", "parameter", field, "error", err)
		}
	}
	slices.Sort(refused)
	id := mux.Vars(r)["id"]
	token, err := c.addressToken(id, in.Token, time.Now())
	if err != nil {
		c.fail(w, r, lang, err)
		return
	}
	secret := c.keys.secret(token, in.Nonce)
	err = c.books.Update(r.Context(), store.Customer, func(tx *store.Tx) error {
		now := time.Now()
		old, err := tx.Session(idOf(secret))
		switch {
		case err == nil && old.RevokedAt.IsZero() && now.Before(old.CreatedAt.Add(repeat)):
			return nil
		case err == nil:
			return errTokenUsed
		case anchor.KindOf(err) != anchor.NotFound:
			return err
		}
		if err := tx.UseOnce(token.Audience[0], token.ID, token.ExpiresAt.Time); err != nil {
			if anchor.KindOf(err) == anchor.Conflict {
				return errTokenUsed
			}
			return err
		}
		if err := c.remember(tx, id, in.Callback, in.OnChange, in.Lang, r.Header.Get("Accept-Language")); err != nil {
			return err
		}
		return tx.SaveSession(&store.Session{
			ID: idOf(secret), Kind: "customer", Transaction: id, CreatedAt: now, ExpiresAt: now.Add(CustomerLife)})
	})
	if err != nil {
		c.fail(w, r, lang, err)
		return
	}
	s := sessions.NewSession(c.cookies, cookieName(id))
	options := c.cookies.options
	s.ID, s.Options = secret, &options
	if err := c.cookies.set(w, s); err != nil {
		c.fail(w, r, lang, err)
		return
	}
	c.forgetOldest(w, r, id)
	answer := map[string]any{"bearer": secret}
	if first := c.first(w, r, id, in.First); first != nil {
		answer["first"] = first
	}
	if len(refused) > 0 {
		answer["refused"] = strings.Join(refused, "; ")
	}
	writeJSON(w, http.StatusOK, answer)
}

// first answers the request that came along with an exchange, as the session
// that it opened would have it answered; nil if it came without, or not well.
func (c *Customers) first(w http.ResponseWriter, r *http.Request, id string, request json.RawMessage) json.RawMessage {
	if len(request) == 0 {
		return nil
	}
	asked := r.Clone(WithCaller(r.Context(), Caller{Role: Customer, Transaction: id}))
	asked.Body = io.NopCloser(bytes.NewReader(request))
	asked.Header.Set("Accept", "application/json")
	kept := &kept{header: w.Header().Clone(), status: http.StatusOK}
	c.cfg.Query.ServeHTTP(kept, asked)
	if kept.status != http.StatusOK || !json.Valid(kept.body.Bytes()) {
		return nil
	}
	return kept.body.Bytes()
}

// kept is an answer that is passed on inside another one.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header         { return k.header }
func (k *kept) WriteHeader(status int)      { k.status = status }
func (k *kept) Write(b []byte) (int, error) { return k.body.Write(b) }

// repeat is how long an exchange can be repeated.
const repeat = time.Minute

// addressToken checks a token out of a page's address: the interactive page's
// or a more-info page's, for this transaction.
func (c *Customers) addressToken(transaction, token string, now time.Time) (*claims, error) {
	found, err := verify(c.keys.interactive, audienceInteractive, token, now)
	if errors.Is(err, errTokenInvalid) {
		found, err = verify(c.keys.resume, audienceResume, token, now)
	}
	if err == nil && found.Subject != transaction {
		err = errTokenInvalid
	}
	return found, err
}

// remember keeps what the wallet added to the page's address. The first
// callback wins: who reloads the page with another address changes nothing. Where
// neither the wallet nor the customer ever named a language, the browser does.
func (c *Customers) remember(tx *store.Tx, id, callback, onChange, lang, browser string) error {
	t, err := tx.Transaction(id)
	if err != nil {
		return err
	}
	before := [3]string{t.Callback, t.OnChange, t.Lang}
	if t.Callback == "" {
		t.Callback = callback
	}
	if t.OnChange == "" {
		t.OnChange = onChange
	}
	if lang != "" || t.Lang == "" {
		t.Lang = c.cfg.Match(lang, t.Lang, browser)
	}
	if before == [3]string{t.Callback, t.OnChange, t.Lang} {
		return nil
	}
	return tx.SaveTransaction(t)
}

// callback is a callback as it is kept: "" for one that could never be used, and
// why. The reason does not tell the address, which may hold the wallet's secrets.
func (c *Customers) callback(field, s string) (string, error) {
	switch scheme, _, named := strings.Cut(s, ":"); {
	case s == "":
		return "", nil
	case strings.EqualFold(s, "postMessage"):
		return "postMessage", nil
	case named && slices.Contains(c.cfg.CallbackSchemes, strings.ToLower(scheme)):
		if err := appAddress(field, s); err != nil {
			return "", err
		}
		return strings.ToLower(scheme) + s[len(scheme):], nil
	}
	if err := c.cfg.Outside.Check(s); err != nil {
		return "", err
	}
	return s, nil
}

// appAddress says why an address cannot be opened on the customer's device, to
// hand them back to the wallet's app. What is no plain RFC 3986 is understood by
// each system in its own way.
func appAddress(field, s string) error {
	_, err := url.Parse(s)
	switch {
	case field != "callback":
		return errors.New("an app can only be opened at the end, by callback; changes are told to https addresses, or by postMessage")
	case len(s) > outside.MaxAddress:
		return fmt.Errorf("this address may not be opened: it has more than %d characters", outside.MaxAddress)
	case strings.Contains(s, "#"):
		return errors.New("this address may not be opened: it has a fragment")
	case err != nil || !visible.MatchString(s):
		return errors.New("this address may not be opened: it is malformed")
	}
	return nil
}

// visible are the characters of RFC 3986, and few others.
var visible = regexp.MustCompile(`^[!-~]*$`)

// Middleware finds out who calls and puts it into the request's context. It
// understands, in this order,
//
//	Authorization: Bearer SECRET       a session, where cookies are refused
//	Authorization: Capability CAP      a viewer
//	the transaction's cookie           a session, if a page of ours asks
//
// where the header X-Windlass-Transaction always names the transaction.
// Credentials that are not good, or good for another transaction, make the
// caller nobody.
func (c *Customers) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := c.caller(r)
		if err != nil {
			c.cfg.Log.WarnContext(r.Context(), "session could not be read", "error", err)
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), caller)))
	})
}

func (c *Customers) caller(r *http.Request) (Caller, error) {
	transaction := r.Header.Get(TransactionHeader)
	scheme, credentials, given := strings.Cut(r.Header.Get("Authorization"), " ")
	var s *store.Session
	var err error
	switch {
	case given && strings.EqualFold(scheme, "Capability"):
		if transaction == "" || !c.keys.Allows(transaction, credentials) {
			return Caller{}, nil
		}
		return Caller{Role: Viewer, Transaction: transaction}, nil
	case given && strings.EqualFold(scheme, "Bearer"):
		s, err = c.cookies.find(r, strings.TrimSpace(credentials), time.Now())
	case !given && transaction != "" && sameOrigin(r, c.cfg.BaseURL):
		var found *sessions.Session
		if found, err = c.cookies.New(r, cookieName(transaction)); err == nil && !found.IsNew {
			s, _ = found.Values[row].(*store.Session)
		}
	}
	if err != nil || s == nil || transaction != s.Transaction {
		return Caller{}, err
	}
	return Caller{Role: Customer, Transaction: s.Transaction}, nil
}

// maxJSON bounds the bodies that this package reads.
const maxJSON = 64 << 10

func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &anchor.Error{Kind: anchor.Invalid, Code: "content_type_unknown", Message: "the content type must be application/json"}
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return errTooLarge
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return &anchor.Error{Kind: anchor.Invalid, Code: "json_malformed", Message: "the request's body is not the JSON object expected", Err: err}
	}
	return nil
}

var errTooLarge = &anchor.Error{Kind: anchor.Invalid, Code: "body_too_large", Message: "the request's body must have at most 64 KiB"}

// fail answers {"error": sentence, "code": code}, for the page to act on, and
// where one field is at fault {"field", "detail"}, for whoever made it so.
func (c *Customers) fail(w http.ResponseWriter, r *http.Request, lang string, err error) {
	status, code, message, field := http.StatusInternalServerError, "internal", "something went wrong on our side; please try again later", ""
	if e, ok := errors.AsType[*anchor.Error](err); ok {
		known := map[anchor.ErrorKind]int{
			anchor.Invalid: http.StatusBadRequest, anchor.Unauthenticated: http.StatusUnauthorized,
			anchor.Forbidden: http.StatusForbidden, anchor.NotFound: http.StatusNotFound,
			anchor.Conflict: http.StatusConflict, anchor.Unavailable: http.StatusServiceUnavailable,
		}
		if s, ok := known[e.Kind]; ok {
			status, code, message, field = s, e.Code, e.Message, e.Field
		}
	}
	if errors.Is(err, errTooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	if status >= http.StatusInternalServerError {
		c.cfg.Log.ErrorContext(r.Context(), "exchange failed", "error", err)
	}
	out := map[string]string{"error": c.cfg.Sentence(lang, code, message, map[string]string{"field": field}), "code": code}
	if field != "" {
		out["field"], out["detail"] = field, message
	}
	writeJSON(w, status, out)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		panic(err) // what is given is texts, and JSON that was looked at
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // fails if the client has gone
}
