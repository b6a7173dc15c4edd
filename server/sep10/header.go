package sep10

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stellar/go-stellar-sdk/strkey"

	"windlass/server/anchor"
)

// maxHeader is far more than any Authorization header of SEP-10 has, in bytes.
const maxHeader = 8 << 10

// headerParser leaves the times to signedRequest, which knows the clocks.
var headerParser = jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithoutClaimsValidation(), jwt.WithJSONNumber())

// signedAtAll refuses a request without a header where one is required, before
// anybody is asked anything for its sake.
func (h *Handler) signedAtAll(r *http.Request) error {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if h.cfg.SignedRequests && !strings.EqualFold(scheme, "Bearer") {
		return &anchor.Error{Kind: anchor.Unauthenticated, Code: "authorization_missing", Message: "the Authorization header is missing; sign the request"}
	}
	return nil
}

// signedRequest checks the Authorization header of a request for a challenge
// (SEP-10, "Verifying request header"): a JWT signed by key, the client domain's
// or else the account's, that holds the endpoint's address and exactly the
// request's parameters, those included that we do not know. One that is not there is
// signedAtAll's to judge.
func (h *Handler) signedRequest(r *http.Request, q url.Values, key string, now time.Time) error {
	header := r.Header.Values("Authorization")
	if len(header) == 0 {
		return nil
	}
	scheme, token, _ := strings.Cut(header[0], " ")
	if len(header) == 1 && !strings.EqualFold(scheme, "Bearer") {
		return nil // signedAtAll has let it pass
	}
	switch {
	case len(header) > 1:
		return badHeader("is not the only one")
	case len(header[0]) > maxHeader:
		return badHeader("is too long")
	}
	public, err := strkey.Decode(strkey.VersionByteAccountID, key)
	if err != nil {
		return fmt.Errorf("decode a key: %w", err)
	}
	claims := jwt.MapClaims{}
	if _, err := headerParser.ParseWithClaims(strings.TrimSpace(token), claims, func(*jwt.Token) (any, error) { return ed25519.PublicKey(public), nil }); err != nil {
		return badHeader("is not a JWT that " + key + " has signed by EdDSA")
	}
	issued, err := claims.GetIssuedAt()
	expires, err2 := claims.GetExpirationTime()
	switch {
	case err != nil || err2 != nil || issued == nil || expires == nil:
		return badHeader("lacks iat or exp")
	case now.Add(skew).Before(issued.Time):
		return badHeader("is not valid yet")
	case !now.Before(expires.Time):
		return badHeader("has expired")
	case claims["web_auth_endpoint"] != h.cfg.Issuer:
		return badHeader("is for another web_auth_endpoint than " + h.cfg.Issuer)
	}
	names := []string{"account", "memo", "home_domain", "client_domain"}
	for name := range q {
		names = append(names, name)
	}
	for _, name := range names {
		claimed, ok := text(claims[name])
		if !ok || claimed != q.Get(name) {
			return badHeader(fmt.Sprintf("does not hold the request's %.80q", name))
		}
	}
	return nil
}

// text is a claim as the query would have it; none is "".
func text(claim any) (string, bool) {
	switch v := claim.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

func badHeader(what string) error {
	return &anchor.Error{Kind: anchor.Invalid, Code: "authorization_invalid", Message: "the JWT in the Authorization header " + what, Args: map[string]string{"what": what}}
}
