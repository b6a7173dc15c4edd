package session

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"windlass/server/anchor"
)

// Keys make and check every token and capability. Use NewKeys.
type Keys struct {
	auth ring // SEP-10 tokens

	interactive, resume, link ring // tokens in addresses
	capability                ring
	secrets                   ring // sessions' secrets
	customers, staff          ring // cookies
}

// ring is one purpose's keys: the first makes, all check.
type ring []*key

// key is a secret, and the HMACs under it that are idle: making one costs more
// than using it, and every poll needs two. The id tells keys apart in a wallet's
// token; the secret cannot be told from it.
type key struct {
	id     string
	secret []byte
	macs   sync.Pool
}

func newKey(secret []byte) *key {
	k := &key{secret: secret, macs: sync.Pool{New: func() any { return hmac.New(sha256.New, secret) }}}
	sum := k.mac([]byte("key id"))
	k.id = hex.EncodeToString(sum[:4])
	return k
}

// mac is the HMAC-SHA256 of the parts, one behind the other.
func (k *key) mac(parts ...[]byte) [sha256.Size]byte {
	h := k.macs.Get().(hash.Hash) //nolint:errcheck // New puts nothing else there
	defer k.macs.Put(h)
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}

// minKey is the least that a secret must have, in bytes.
const minKey = 32

// NewKeys derives the keys of all purposes. tokens are for wallets' tokens; of
// each list the first is used and the others still accepted, so that it can be
// changed without ending every session. Each must have at least 32 random bytes.
func NewKeys(tokens, sessions [][]byte) (*Keys, error) {
	if len(tokens) == 0 || len(sessions) == 0 {
		return nil, errors.New("session: no token key, or no session key")
	}
	var k Keys
	for _, p := range []struct {
		purpose string
		from    [][]byte
		to      *ring
	}{
		{"sep10", tokens, &k.auth},
		{"interactive", sessions, &k.interactive},
		{"resume", sessions, &k.resume},
		{"link", sessions, &k.link},
		{"capability", sessions, &k.capability},
		{"session", sessions, &k.secrets},
		{"customer cookie", sessions, &k.customers},
		{"staff cookie", sessions, &k.staff},
	} {
		for _, secret := range p.from {
			if len(secret) < minKey {
				return nil, fmt.Errorf("session: a key of %d bytes; at least %d are needed", len(secret), minKey)
			}
			derived, err := hkdf.Key(sha256.New, secret, nil, "windlass "+p.purpose, sha256.Size)
			if err != nil {
				return nil, fmt.Errorf("session: derive a key: %w", err)
			}
			*p.to = append(*p.to, newKey(derived))
		}
	}
	return &k, nil
}

// The audiences. A token is good for the one it names.
const (
	audienceAuth        = "sep10"
	audienceInteractive = "interactive"
	audienceResume      = "resume"
	audienceLink        = "staff-link"
)

// TokenLife is how long the tokens in addresses are good for.
const TokenLife = 10 * time.Minute

// claims are what all our tokens say.
type claims struct {
	jwt.RegisteredClaims

	ClientDomain string `json:"client_domain,omitempty"`
	HomeDomain   string `json:"home_domain,omitempty"`
}

// AuthToken is the token that a wallet gets for a signed challenge (SEP-10,
// "Token"). jti should name the challenge.
func (k *Keys) AuthToken(id anchor.Identity, issuer, homeDomain, jti string, now time.Time, life time.Duration) (string, error) {
	return sign(k.auth, audienceAuth, claims{
		RegisteredClaims: jwt.RegisteredClaims{Issuer: issuer, Subject: id.Subject(), ID: jti},
		ClientDomain:     id.Client, HomeDomain: homeDomain,
	}, now, life)
}

// Auth checks a wallet's token and says whose it is. Whatever is wrong with it
// is Unauthenticated.
func (k *Keys) Auth(token string, now time.Time) (anchor.Identity, error) {
	c, err := verify(k.auth, audienceAuth, token, now)
	if err != nil {
		return anchor.Identity{}, err
	}
	return anchor.ParseSubject(c.Subject, c.ClientDomain)
}

// Interactive is the token in the address of a transaction's interactive page.
func (k *Keys) Interactive(transaction string, now time.Time) (string, error) {
	return signOnce(k.interactive, audienceInteractive, transaction, now)
}

// Resume is the token in a more-info address that the transaction's owner was
// given, with which its page becomes the customer's again. It is made without a
// write, since every poll makes one.
func (k *Keys) Resume(transaction string, now time.Time) (string, error) {
	return signOnce(k.resume, audienceResume, transaction, now)
}

// header is that of every token made by signOnce.
var header = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))

// signOnce makes a token that can be burned. It writes the token by hand, some
// four times as fast as sign: a wallet's poll makes one each. The subject may be
// anything; the audience is one of ours.
func signOnce(keys ring, audience, subject string, now time.Time) (string, error) {
	quoted, err := json.Marshal(subject)
	if err != nil {
		return "", err
	}
	p := make([]byte, 0, 256)
	p = append(p, `{"aud":["`...)
	p = append(p, audience...)
	p = append(p, `"],"sub":`...)
	p = append(p, quoted...)
	p = append(p, `,"jti":"`...)
	p = append(p, rand.Text()...)
	p = append(p, `","iat":`...)
	p = strconv.AppendInt(p, now.Unix(), 10)
	p = append(p, `,"exp":`...)
	p = strconv.AppendInt(p, now.Add(TokenLife).Unix(), 10)
	p = append(p, '}')

	token := make([]byte, 0, 512)
	token = append(token, header...)
	token = append(token, '.')
	token = base64.RawURLEncoding.AppendEncode(token, p)
	sum := keys[0].mac(token)
	token = append(token, '.')
	return string(base64.RawURLEncoding.AppendEncode(token, sum[:])), nil
}

func sign(keys ring, audience string, c claims, now time.Time, life time.Duration) (string, error) {
	c.Audience = jwt.ClaimStrings{audience}
	c.IssuedAt, c.ExpiresAt = jwt.NewNumericDate(now), jwt.NewNumericDate(now.Add(life))
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
	t.Header["kid"] = keys[0].id
	return t.SignedString(keys[0].secret)
}

// parser leaves the claims to verify, which knows the time.
var parser = jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithoutClaimsValidation())

// maxToken is far more than any of our tokens has, in bytes.
const maxToken = 4096

// skew is how much the clocks of two processes may differ.
const skew = time.Minute

func verify(keys ring, audience, token string, now time.Time) (*claims, error) {
	if token == "" || len(token) > maxToken {
		return nil, errTokenInvalid
	}
	var c claims
	_, err := parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		id, named := t.Header["kid"].(string)
		for _, key := range keys {
			if len(keys) == 1 || named && key.id == id {
				return key.secret, nil
			}
		}
		if named {
			return nil, errTokenInvalid
		}
		var set jwt.VerificationKeySet
		for _, key := range keys {
			set.Keys = append(set.Keys, key.secret)
		}
		return set, nil
	})
	switch {
	case err != nil, len(c.Audience) != 1 || c.Audience[0] != audience, c.Subject == "", c.ID == "",
		c.ExpiresAt == nil, c.IssuedAt == nil || now.Add(skew).Before(c.IssuedAt.Time):
		return nil, errTokenInvalid
	case !now.Before(c.ExpiresAt.Time):
		return nil, errTokenExpired
	}
	return &c, nil
}

var (
	errTokenInvalid = &anchor.Error{Kind: anchor.Unauthenticated, Code: "token_invalid", Message: "the token is not valid"}
	errTokenExpired = &anchor.Error{Kind: anchor.Unauthenticated, Code: "token_expired", Message: "the token has expired"}
	errTokenUsed    = &anchor.Error{Kind: anchor.Unauthenticated, Code: "token_used", Message: "the link was used already"}
)

// Capability opens a transaction's more-info page: stable, read-only, masked.
func (k *Keys) Capability(transaction string) string { return capability(k.capability[0], transaction) }

// Allows reports whether a capability opens the transaction.
func (k *Keys) Allows(transaction, given string) bool {
	for _, key := range k.capability {
		if hmac.Equal([]byte(capability(key, transaction)), []byte(given)) {
			return true
		}
	}
	return false
}

func capability(k *key, transaction string) string {
	sum := k.mac([]byte(transaction), nul)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// nul ends each part of what is authenticated. No part holds one.
var nul = []byte{0}

// secret is that of the session which the page with the nonce gets for a token:
// always the same one, so that a repeated exchange finds its session again.
func (k *Keys) secret(c *claims, nonce string) string {
	sum := k.secrets[0].mac([]byte(c.Audience[0]), nul, []byte(c.ID), nul, []byte(nonce), nul)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// idOf is the name of a secret's session in the books, from which the secret
// cannot be told.
func idOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
