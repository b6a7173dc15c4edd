package store

import (
	"context"
	"time"

	"windlass/server/anchor"
)

// Session is a signed-in customer or member of staff. Its id is a hash of the
// secret in the cookie, so that the books alone let nobody in.
type Session struct {
	ID          string
	Kind        string // "customer", "staff"
	Transaction string // the one a customer's session opens
	Name        string // a member of staff
	CreatedAt   time.Time
	ExpiresAt   time.Time
	RevokedAt   time.Time
}

const sessionColumns = `id, kind, transaction_id, name, created_at, expires_at, revoked_at`

func scanSession(r scanner, _ *Keys) (*Session, error) {
	var s Session
	var created, expires, revoked int64
	err := r.Scan(&s.ID, &s.Kind, &s.Transaction, &s.Name, &created, &expires, &revoked)
	s.CreatedAt, s.ExpiresAt, s.RevokedAt = instant(created), instant(expires), instant(revoked)
	return &s, err
}

// SaveSession stores a session, or its expiry and revocation if it exists. One
// that was revoked stays so, whoever saves an older copy of it.
func (t *Tx) SaveSession(s *Session) error {
	_, err := t.exec(`INSERT INTO sessions (`+sessionColumns+`) VALUES (`+placeholders(7)+`)
		ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at,
		revoked_at = CASE WHEN sessions.revoked_at = 0 THEN excluded.revoked_at ELSE sessions.revoked_at END`,
		s.ID, s.Kind, s.Transaction, s.Name, micros(s.CreatedAt), micros(s.ExpiresAt), micros(s.RevokedAt))
	return err
}

const sessionByID = `SELECT ` + sessionColumns + ` FROM sessions WHERE id = $1`

// Session reads a session, expired and revoked ones included; none is NotFound.
func (s *Store) Session(ctx context.Context, id string) (*Session, error) {
	return one(s.reader(ctx), "session", scanSession, sessionByID, id)
}

// Session loads a session, expired and revoked ones included; none is NotFound.
func (t *Tx) Session(id string) (*Session, error) {
	return one(t, "session", scanSession, sessionByID, id)
}

// UseOnce marks a key as used until expires, after which nobody could use it
// anyway; zero is for ever. The second use is a Conflict with code "used".
func (t *Tx) UseOnce(purpose, key string, expires time.Time) error {
	_, err := t.exec(`INSERT INTO used (purpose, key, expires_at) VALUES ($1, $2, $3)`, purpose, key, micros(expires))
	if err != nil && anchor.KindOf(err) == anchor.Conflict {
		return &anchor.Error{Kind: anchor.Conflict, Code: "used", Message: "it was used already"}
	}
	return err
}

// Used reports whether a key is marked as used. Another may use it right after;
// only UseOnce settles whose it is.
func (s *Store) Used(ctx context.Context, purpose, key string) (bool, error) {
	n, err := one(s.reader(ctx), "used key", func(r scanner, _ *Keys) (n int64, err error) { return n, r.Scan(&n) },
		`SELECT COUNT(*) FROM used WHERE purpose = $1 AND key = $2`, purpose, key)
	return n > 0, err
}

// Sweep forgets sessions and used keys that expired before now, and the keys of
// acts after KeyLife.
func (t *Tx) Sweep(now time.Time) error {
	if _, err := t.exec(`DELETE FROM used WHERE expires_at <> 0 AND expires_at < $1`, micros(now)); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM asked WHERE at < $1`, micros(now.Add(-KeyLife))); err != nil {
		return err
	}
	// An account that signed in and began nothing may be anybody's, and there is no
	// end of them. Those of the last days are looked at only, since most of the
	// older ones stay.
	if _, err := t.exec(`DELETE FROM sign_ins WHERE first_at > $1 AND first_at < $2
		AND NOT EXISTS (SELECT 1 FROM transactions WHERE owner_account = sign_ins.account)`, micros(now.AddDate(0, 0, -10)), micros(now.AddDate(0, 0, -2))); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM sessions WHERE expires_at < $1`, micros(now))
	return err
}

// SignIn holds an account to what it was at its first sign-in: shared by users whom
// memos tell apart, or not. Another answer is a Conflict.
func (t *Tx) SignIn(account string, shared bool, now time.Time) error {
	if _, err := t.exec(`INSERT INTO sign_ins (account, shared, first_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		account, flag(shared), micros(now)); err != nil {
		return err
	}
	was, err := one(t, "sign-in", func(r scanner, _ *Keys) (is int64, err error) { return is, r.Scan(&is) },
		`SELECT shared FROM sign_ins WHERE account = $1`, account)
	switch {
	case err != nil || was == flag(shared):
		return err
	case shared:
		return &anchor.Error{Kind: anchor.Conflict, Code: "account_not_shared", Message: "this account has signed in without a memo before, and so is one user's"}
	}
	return &anchor.Error{Kind: anchor.Conflict, Code: "account_shared", Message: "this account has signed in with a memo before, and so is shared: say whose with a memo"}
}

// SignIn is how an account signed in first: as one that users share whom memos tell
// apart, or not.
type SignIn struct {
	Account string
	Shared  bool
	FirstAt time.Time
}

// SignIn reads how an account signed in first; none is NotFound.
func (s *Store) SignIn(ctx context.Context, account string) (*SignIn, error) {
	return one(s.reader(ctx), "sign-in", func(r scanner, _ *Keys) (*SignIn, error) {
		in := &SignIn{Account: account}
		var shared, first int64
		err := r.Scan(&shared, &first)
		in.Shared, in.FirstAt = shared != 0, instant(first)
		return in, err
	}, `SELECT shared, first_at FROM sign_ins WHERE account = $1`, account)
}

// ForgetSignIn lets an account's next sign-in decide anew whether it is shared. One
// that is not known is NotFound.
func (t *Tx) ForgetSignIn(account string) error {
	n, err := t.count(`DELETE FROM sign_ins WHERE account = $1`, account)
	if err == nil && n == 0 {
		return &anchor.Error{Kind: anchor.NotFound, Code: "not_found", Field: "account", Message: "this account has never signed in"}
	}
	return err
}
