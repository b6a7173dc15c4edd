package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"windlass/server/anchor"
	"windlass/server/session"
)

func TestAuthToken(t *testing.T) {
	t.Parallel()
	k, now := newKeys(t), time.Now()
	for _, id := range []anchor.Identity{
		{Account: account},
		{Account: account, Memo: "17509749319012223907"},
		{Account: account, Client: "wallet.example"},
	} {
		token, err := k.AuthToken(id, base+"/auth", "anchor.test", "hash", now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Auth(token, now.Add(59*time.Minute))
		if err != nil || got != id {
			t.Errorf("%+v came back as %+v, %v", id, got, err)
		}
		if _, err := k.Auth(token, now.Add(time.Hour)); err == nil || anchor.KindOf(err) != anchor.Unauthenticated {
			t.Errorf("an expired token: %v", err)
		}
		var claims struct {
			Sub    string  `json:"sub"`
			Iss    string  `json:"iss"`
			Jti    string  `json:"jti"`
			Home   string  `json:"home_domain"`
			Client *string `json:"client_domain"`
			Iat    int64   `json:"iat"`
			Exp    int64   `json:"exp"`
		}
		part, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err := json.Unmarshal(part, &claims); err != nil {
			t.Fatal(err)
		}
		if claims.Sub != id.Subject() || claims.Iss != base+"/auth" || claims.Jti != "hash" || claims.Home != "anchor.test" ||
			claims.Exp-claims.Iat != 3600 || (claims.Client != nil) != (id.Client != "") {
			t.Errorf("claims: %+v", claims)
		}
	}
}

// TestAudiences lets no token pass for another, and no forgery for a token.
func TestAudiences(t *testing.T) {
	t.Parallel()
	k, now := newKeys(t), time.Now()
	other, _ := session.NewKeys([][]byte{bytes.Repeat([]byte{3}, 32)}, [][]byte{bytes.Repeat([]byte{4}, 32)})
	must := func(token string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := must(k.AuthToken(anchor.Identity{Account: account}, base, "d", "j", now, time.Hour))
	parts := strings.Split(good, ".")
	c := jwt.MapClaims{"sub": account, "aud": "sep10", "jti": "j", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	bad := map[string]string{
		"empty":           "",
		"nonsense":        "x.y.z",
		"interactive":     must(k.Interactive(account, now)),
		"resume":          must(k.Resume(account, now)),
		"another's key":   must(other.AuthToken(anchor.Identity{Account: account}, base, "d", "j", now, time.Hour)),
		"alg none":        must(jwt.NewWithClaims(jwt.SigningMethodNone, c).SignedString(jwt.UnsafeAllowNoneSignatureType)),
		"alg none forged": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + ".",
		"raw key":         must(jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(bytes.Repeat([]byte{1}, 32))),
		"another method":  must(jwt.NewWithClaims(jwt.SigningMethodHS512, c).SignedString(bytes.Repeat([]byte{1}, 32))),
		"cut":             good[:len(good)-2],
		"no signature":    parts[0] + "." + parts[1] + ".",
		"tampered":        parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+account+`","aud":["sep10"],"jti":"j","exp":9999999999,"iat":1}`)) + "." + parts[2],
		"from the future": must(k.AuthToken(anchor.Identity{Account: account}, base, "d", "j", now.Add(time.Hour), time.Hour)),
		"huge":            good + strings.Repeat("x", 5000),
		"no account":      must(k.AuthToken(anchor.Identity{Account: "nobody"}, base, "d", "j", now, time.Hour)),
	}
	for name, token := range bad {
		if id, err := k.Auth(token, now); err == nil || anchor.KindOf(err) != anchor.Unauthenticated {
			t.Errorf("%s opens %+v, %v", name, id, err)
		}
	}
}

func TestCapabilityAndRotation(t *testing.T) {
	t.Parallel()
	one, two := bytes.Repeat([]byte{2}, 32), bytes.Repeat([]byte{5}, 32)
	token := [][]byte{bytes.Repeat([]byte{1}, 32)}
	old, _ := session.NewKeys(token, [][]byte{one})
	turned, _ := session.NewKeys(token, [][]byte{two, one})
	gone, _ := session.NewKeys(token, [][]byte{two})
	c := old.Capability("a")
	for _, x := range []struct {
		k            *session.Keys
		transaction  string
		given        string
		opens        bool
		whyOtherwise string
	}{
		{old, "a", c, true, "its own"},
		{turned, "a", c, true, "an older key's"},
		{gone, "a", c, false, "a retired key's"},
		{old, "b", c, false, "another transaction's"},
		{old, "a", "", false, "none"},
		{old, "a", c[:len(c)-1], false, "a part of it"},
	} {
		if x.k.Allows(x.transaction, x.given) != x.opens {
			t.Errorf("%s: opens is not %v", x.whyOtherwise, x.opens)
		}
	}
	for _, short := range [][][]byte{{[]byte("short")}, nil} {
		if _, err := session.NewKeys(token, short); err == nil {
			t.Errorf("keys %q are accepted", short)
		}
		if _, err := session.NewKeys(short, token); err == nil {
			t.Errorf("token keys %q are accepted", short)
		}
	}
}

// TestTokenKeysRotate: nobody is signed out by a new key, and a token says which
// one has signed it.
func TestTokenKeysRotate(t *testing.T) {
	t.Parallel()
	one, two, sessions := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{5}, 32), [][]byte{bytes.Repeat([]byte{2}, 32)}
	keys := func(tokens ...[]byte) *session.Keys {
		k, err := session.NewKeys(tokens, sessions)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	old, turned, gone := keys(one), keys(two, one), keys(two)
	id, now := anchor.Identity{Account: account}, time.Now()
	make := func(k *session.Keys) (token, kid string) {
		token, err := k.AuthToken(id, base, "d", "j", now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
		if err != nil {
			t.Fatal(err)
		}
		kid, _ = parsed.Header["kid"].(string)
		return token, kid
	}
	first, firstID := make(old)
	second, secondID := make(turned)
	if firstID == "" || secondID == "" || firstID == secondID {
		t.Errorf("the keys are %q and %q", firstID, secondID)
	}
	for i, x := range []struct {
		k     *session.Keys
		token string
		good  bool
	}{{old, first, true}, {turned, first, true}, {turned, second, true}, {gone, second, true}, {gone, first, false}, {old, second, false},
		{keys(two, bytes.Repeat([]byte{6}, 32)), first, false}} {
		if got, err := x.k.Auth(x.token, now); (err == nil && got == id) != x.good {
			t.Errorf("%d: %v, %v", i, got, err)
		}
	}
}
