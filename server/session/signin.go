package session

import (
	_ "embed"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/gorilla/sessions"

	"windlass/server/anchor"
	"windlass/server/store"
)

// SignInConfig is what signing in staff needs to know.
type SignInConfig struct {
	// BaseURL is the admin listener's origin, scheme://host[:port].
	BaseURL string
	// Home is the path where staff find themselves after signing in.
	Home string
	Log  *slog.Logger
}

// SignIn lets staff in by one-time links. Use NewSignIn.
type SignIn struct {
	cfg     SignInConfig
	keys    *Keys
	books   *store.Store
	cookies *cookies
	cookie  string
}

// StaffLife is how long a member of staff stays signed in.
const StaffLife = 12 * time.Hour

// NewSignIn makes the sign-in of staff.
func NewSignIn(cfg SignInConfig, keys *Keys, books *store.Store) *SignIn {
	secure, name := strings.HasPrefix(cfg.BaseURL, "https://"), "windlass-staff"
	if secure {
		name = "__Host-" + name
	}
	return &SignIn{cfg: cfg, keys: keys, books: books, cookie: name, cookies: newCookies(books, "staff", keys.staff, StaffLife,
		sessions.Options{Secure: secure, SameSite: http.SameSiteStrictMode})}
}

// Register mounts /signin, its stylesheet, and /signout.
func (s *SignIn) Register(r *mux.Router) {
	r.HandleFunc("/signin", s.show).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/signin", s.enter).Methods(http.MethodPost)
	r.HandleFunc("/signin.css", style).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/signout", s.leave).Methods(http.MethodPost)
}

// SignInLink is the path, with a query, at which the person of that name can
// sign in once within [TokenLife].
func (k *Keys) SignInLink(name string, now time.Time) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 64 || strings.ContainsAny(name, "\x00\n\r:") {
		return "", &anchor.Error{Kind: anchor.Invalid, Field: "name", Message: "the name must have 1 to 64 characters, and no colon"}
	}
	token, err := signOnce(k.link, audienceLink, name, now)
	if err != nil {
		return "", err
	}
	return "/signin?token=" + url.QueryEscape(token), nil
}

// show asks for a click. It burns nothing: mail programs and messengers look at
// links before people do.
func (s *SignIn) show(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if token == "" {
		s.page(w, http.StatusOK, signInPage{Title: "Sign in", Text: "Staff sign in with a link that works once.", Hint: true})
		return
	}
	c, err := verify(s.keys.link, audienceLink, token, time.Now())
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.page(w, http.StatusOK, signInPage{Title: "Sign in", Text: "You are signing in as " + c.Subject + ".", Token: token})
}

// enter burns the link's token for a session.
func (s *SignIn) enter(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxJSON)
	if s.foreign(r) {
		s.refuse(w, &anchor.Error{Kind: anchor.Forbidden, Message: "another site sent you here; open the link yourself"})
		return
	}
	now := time.Now()
	c, err := verify(s.keys.link, audienceLink, r.PostFormValue("token"), now)
	if err != nil {
		s.refuse(w, err)
		return
	}
	secret := s.keys.secret(c, "staff")
	err = s.books.Update(r.Context(), "staff:"+store.Actor(c.Subject), func(tx *store.Tx) error {
		if err := tx.UseOnce(audienceLink, c.ID, c.ExpiresAt.Time); err != nil {
			if anchor.KindOf(err) == anchor.Conflict {
				return errTokenUsed
			}
			return err
		}
		return tx.SaveSession(&store.Session{ID: idOf(secret), Kind: "staff", Name: c.Subject, CreatedAt: now, ExpiresAt: now.Add(StaffLife)})
	})
	if err == nil {
		session := sessions.NewSession(s.cookies, s.cookie)
		options := s.cookies.options
		session.ID, session.Options = secret, &options
		err = s.cookies.set(w, session)
	}
	if err != nil {
		if anchor.KindOf(err) == anchor.Internal {
			s.cfg.Log.ErrorContext(r.Context(), "sign-in failed", "error", err)
		}
		s.refuse(w, err)
		return
	}
	http.Redirect(w, r, s.cfg.Home, http.StatusSeeOther)
}

// leave revokes the session.
func (s *SignIn) leave(w http.ResponseWriter, r *http.Request) {
	if s.foreign(r) {
		s.refuse(w, &anchor.Error{Kind: anchor.Forbidden, Message: "another site sent you here"})
		return
	}
	session, err := s.cookies.New(r, s.cookie)
	if err == nil {
		session.Options.MaxAge = -1
		err = s.cookies.Save(r, w, session)
	}
	if err != nil {
		s.cfg.Log.ErrorContext(r.Context(), "sign-out failed", "error", err)
		s.refuse(w, err)
		return
	}
	s.page(w, http.StatusOK, signInPage{Title: "Signed out", Text: "You are signed out on this device.", Hint: true})
}

// foreign is foreign, but for the "null" that browsers send as the Origin of a
// form on a page without referrers: the form's token is proof enough.
func (s *SignIn) foreign(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return false
	}
	return foreign(r, s.cfg.BaseURL)
}

// Middleware puts the member of staff into the request's context. Anything but
// reading must come from a page of ours.
func (s *SignIn) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var caller Caller
		reading := r.Method == http.MethodGet || r.Method == http.MethodHead
		if reading || sameOrigin(r, s.cfg.BaseURL) {
			found, err := s.cookies.New(r, s.cookie)
			if err != nil {
				s.cfg.Log.WarnContext(r.Context(), "session could not be read", "error", err)
				http.Error(w, "try again later", http.StatusServiceUnavailable)
				return
			}
			if saved, ok := found.Values[row].(*store.Session); ok {
				caller = Caller{Role: Staff, Name: saved.Name}
			}
		}
		next.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), caller)))
	})
}

type signInPage struct {
	Title, Text string
	Token       string // "" where there is nothing to press
	Hint        bool   // says where links come from
}

var signInTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}} · Windlass</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/signin.css">
</head>
<body>
<main>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{with .Token}}<form method="post" action="/signin"><input type="hidden" name="token" value="{{.}}"><button type="submit">Sign in</button></form>
{{end}}{{if .Hint}}<p class="hint">A new link comes from the command <code>windlass staff link NAME</code> on the server. On your own machine, <code>windlass dev</code> prints one at each start. A link is good for ten minutes.</p>
{{end}}</main>
</body>
</html>
`))

//go:embed signin.css
var signInStyle []byte

func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(signInStyle) // fails if the client has gone
}

func (s *SignIn) refuse(w http.ResponseWriter, err error) {
	status, page := http.StatusInternalServerError, signInPage{Title: "Sign in", Text: "Something went wrong on our side; please try again later."}
	switch anchor.KindOf(err) {
	case anchor.Unauthenticated:
		status, page = http.StatusUnauthorized, signInPage{Title: "This link no longer works", Text: "It has been used already, has expired, or is incomplete.", Hint: true}
	case anchor.Forbidden:
		status, page.Text = http.StatusForbidden, err.Error()
	default:
	}
	s.page(w, status, page)
}

func (s *SignIn) page(w http.ResponseWriter, status int, p signInPage) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = signInTemplate.Execute(w, p) // fails if the client has gone
}
