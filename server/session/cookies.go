package session

import (
	"net/http"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"windlass/server/anchor"
	"windlass/server/store"
)

// cookies is gorilla's Store over the books. A session's ID is its secret, of
// which the books hold a hash; its row is Values[row].
type cookies struct {
	books   *store.Store
	kind    string // of the rows: "customer", "staff"
	codecs  []securecookie.Codec
	options sessions.Options
}

// row is the key of a session's *store.Session among its values.
const row = "row"

func newCookies(books *store.Store, kind string, keys ring, life time.Duration, options sessions.Options) *cookies {
	c := &cookies{books: books, kind: kind, options: options}
	c.options.Path, c.options.HttpOnly = "/", true
	c.options.MaxAge = int(life.Seconds())
	for _, key := range keys {
		codec := securecookie.New(key.secret, nil)
		codec.MaxAge(c.options.MaxAge)
		c.codecs = append(c.codecs, codec)
	}
	return c
}

// Get is New, remembered for the request.
func (c *cookies) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(c, name)
}

// New is the session of the request's cookie. Without one, or with one that is
// forged, expired or revoked, it is new; the error is only ever the database's.
func (c *cookies) New(r *http.Request, name string) (*sessions.Session, error) {
	s := sessions.NewSession(c, name)
	options := c.options
	s.Options, s.IsNew = &options, true
	cookie, err := r.Cookie(name)
	if err != nil || securecookie.DecodeMulti(name, cookie.Value, &s.ID, c.codecs...) != nil {
		s.ID = ""
		return s, nil
	}
	found, err := c.find(r, s.ID, time.Now())
	if err != nil || found == nil {
		s.ID = ""
		return s, err
	}
	s.Values[row], s.IsNew = found, false
	return s, nil
}

// Save writes the session's row and sets its cookie. With Options.MaxAge below
// zero it revokes the session and clears the cookie.
func (c *cookies) Save(r *http.Request, w http.ResponseWriter, s *sessions.Session) error {
	saved, ok := s.Values[row].(*store.Session)
	if ok {
		if s.Options.MaxAge < 0 {
			saved.RevokedAt = time.Now()
		}
		err := c.books.Update(r.Context(), store.Actor(c.kind), func(tx *store.Tx) error { return tx.SaveSession(saved) })
		if err != nil {
			return err
		}
	}
	return c.set(w, s)
}

// set sets the cookie of a session whose row is in the books already.
func (c *cookies) set(w http.ResponseWriter, s *sessions.Session) error {
	value, err := securecookie.EncodeMulti(s.Name(), s.ID, c.codecs...)
	if err != nil {
		return err
	}
	http.SetCookie(w, sessions.NewCookie(s.Name(), value, s.Options))
	return nil
}

// find is the row of a secret, nil if there is none that is good now.
func (c *cookies) find(r *http.Request, secret string, now time.Time) (*store.Session, error) {
	s, err := c.books.Session(r.Context(), idOf(secret))
	switch {
	case err != nil && anchor.KindOf(err) == anchor.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case s.Kind != c.kind, !s.RevokedAt.IsZero(), !now.Before(s.ExpiresAt):
		return nil, nil
	}
	return s, nil
}
