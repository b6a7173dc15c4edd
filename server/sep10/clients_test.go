package sep10_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
	"windlass/server/sep10"
)

// publishes is a world of client domains: those in the map publish their keys.
func publishes(domains map[string]*keypair.Full) func(context.Context, string) ([]byte, error) {
	return func(_ context.Context, name string) ([]byte, error) {
		kp := domains[name]
		if kp == nil {
			return nil, errors.New("no such host")
		}
		return []byte(`SIGNING_KEY = "` + kp.Address() + `"`), nil
	}
}

// TestHomeDomains: an endpoint of several domains, and of all below one.
func TestHomeDomains(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *sep10.Config) { c.HomeDomains = []string{home, "*.example.com"} })
	kp := keypair.MustRandom()
	for _, domain := range []string{"a.example.com", "b.a.example.com", "a.example.com:8443"} {
		query := "account=" + kp.Address() + "&home_domain=" + url.QueryEscape(domain)
		if domain == "a.example.com:8443" {
			w.out(domain, w.get(query), "home_domain")
			continue
		}
		text := w.challenge(query)
		if op, ok := parse(t, text).Operations()[0].(*txnbuild.ManageData); !ok || op.Name != domain+" auth" {
			t.Errorf("%s: %+v", domain, op)
		}
		w.in(w.post(sign(t, text, kp)), kp.Address())
	}
	for _, domain := range []string{"example.com", ".example.com", "evil-example.com", "example.com.evil.test", "*.example.com" + strings.Repeat("a", 60), strings.Repeat("a", 50) + ".example.com", "x%0d%0ay.example.com", "%3Cscript%3E.example.com", "a..example.com", "A.example.com"} {
		w.out(domain, w.get("account="+kp.Address()+"&home_domain="+domain), "home_domain")
	}
	if _, err := sep10.New(sep10.Config{HomeDomains: []string{"*.example.com"}}, nil, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "no pattern") {
		t.Error(err)
	}
}

// TestWhoMaySignIn: wallets that are allowed, denied, unnamed or custodial.
func TestWhoMaySignIn(t *testing.T) {
	t.Parallel()
	key, custodian := keypair.MustRandom(), keypair.MustRandom()
	toml := publishes(map[string]*keypair.Full{"good.test": key, "a.wallets.test": key, "bad.wallets.test": key, "other.test": key})
	for name, c := range map[string]struct {
		clients sep10.Clients
		status  map[string]int // by client domain; "custodian" is the custodian without one
	}{
		"everybody":         {sep10.Clients{}, map[string]int{"": 200, "good.test": 200, "other.test": 200, "custodian": 200}},
		"some":              {sep10.Clients{Allow: []string{"good.test", "*.wallets.test"}}, map[string]int{"": 400, "good.test": 200, "a.wallets.test": 200, "other.test": 403, "custodian": 400}},
		"not by its port":   {sep10.Clients{Deny: []string{"bad.wallets.test"}}, map[string]int{"bad.wallets.test": 403, "bad.wallets.test:443": 400, "bad.wallets.test.": 400}},
		"some, but":         {sep10.Clients{Allow: []string{"*.wallets.test"}, Deny: []string{"bad.wallets.test"}}, map[string]int{"a.wallets.test": 200, "bad.wallets.test": 403, "wallets.test": 403}},
		"all but":           {sep10.Clients{Deny: []string{"*.wallets.test"}}, map[string]int{"": 200, "good.test": 200, "a.wallets.test": 403}},
		"whoever names one": {sep10.Clients{Required: true}, map[string]int{"": 400, "other.test": 200, "custodian": 400}},
		"or is custodial":   {sep10.Clients{Required: true, Custodial: []string{custodian.Address()}}, map[string]int{"": 400, "other.test": 200, "custodian": 200}},
		"custodial only":    {sep10.Clients{Allow: []string{"none.test"}, Custodial: []string{custodian.Address()}}, map[string]int{"": 400, "good.test": 403, "custodian": 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(cfg *sep10.Config) {
				cfg.Clients = c.clients
				cfg.Clients.Toml = toml
			})
			for domain, status := range c.status {
				kp, query := keypair.MustRandom(), ""
				signers := []*keypair.Full{}
				switch domain {
				case "":
				case "custodian":
					kp = custodian
				default:
					query = "&client_domain=" + domain
					signers = append(signers, key)
				}
				a := w.get("account=" + kp.Address() + query)
				if a.status != status {
					t.Errorf("%q: %d %v, expected %d", domain, a.status, a.body, status)
				}
				if a.status == 200 {
					text, _ := a.body["transaction"].(string)
					w.in(w.post(sign(t, text, append(signers, kp)...)), kp.Address())
				}
			}
		})
	}
}

// TestAWalletThatIsNoLongerAllowed: the list counts when the token is asked for.
func TestAWalletThatIsNoLongerAllowed(t *testing.T) {
	t.Parallel()
	key, kp := keypair.MustRandom(), keypair.MustRandom()
	toml := publishes(map[string]*keypair.Full{"good.test": key})
	clients := sep10.Clients{Toml: toml}
	before := newWorld(t, func(c *sep10.Config) { c.Clients = clients })
	after := newWorldOn(t, before.ledger, func(c *sep10.Config) {
		c.Signing, c.Clients = before.signing, clients
		c.Clients.Deny = []string{"good.test"}
	})
	text := sign(t, before.challenge("account="+kp.Address()+"&client_domain=good.test"), kp, key)
	after.out("denied since", after.post(text), "not allowed")
}

// TestClientDomainsAreAskedOnce: by all that ask at the same time, and for some
// minutes; also the one that does not answer.
func TestClientDomainsAreAskedOnce(t *testing.T) {
	t.Parallel()
	key := keypair.MustRandom()
	var asked atomic.Int32
	release := make(chan struct{})
	w := newWorld(t, func(c *sep10.Config) {
		c.Clients.Toml = func(ctx context.Context, name string) ([]byte, error) {
			asked.Add(1)
			<-release
			return publishes(map[string]*keypair.Full{"good.test": key})(ctx, name)
		}
	})
	for _, c := range []struct {
		domain string
		status int
	}{{"good.test", 200}, {"gone.test", 400}} {
		asked.Store(0)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if a := w.get("account=" + keypair.MustRandom().Address() + "&client_domain=" + c.domain); a.status != c.status {
					t.Errorf("%s: %d %v", c.domain, a.status, a.body)
				}
			})
		}
		if c.status == 200 {
			close(release)
		}
		all.Wait()
		if a := w.get("account=" + keypair.MustRandom().Address() + "&client_domain=" + c.domain); a.status != c.status || asked.Load() != 1 {
			t.Errorf("%s: %d, asked %d times", c.domain, a.status, asked.Load())
		}
	}
}

// TestSharedAccounts: an account is one user's or many's, as it first signed in.
func TestSharedAccounts(t *testing.T) {
	t.Parallel()
	for _, mixed := range []bool{false, true} {
		w := newWorld(t, func(c *sep10.Config) { c.SharedAccounts = mixed })
		one, many, muxed := keypair.MustRandom(), keypair.MustRandom(), keypair.MustRandom()
		in := func(kp *keypair.Full, query string) answer { return w.post(sign(t, w.challenge(query), kp)) }
		g := func(kp *keypair.Full) string { return "account=" + kp.Address() }
		w.in(in(one, g(one)), one.Address())
		w.in(in(many, g(many)+"&memo=1"), many.Address()+":1")
		w.in(in(muxed, "account="+muxedOf(t, muxed, 4)), muxedOf(t, muxed, 4))
		w.in(in(one, g(one)), one.Address())
		w.in(in(many, g(many)+"&memo=2"), many.Address()+":2")
		w.in(in(many, "account="+muxedOf(t, many, 3)), muxedOf(t, many, 3))
		later := map[string]answer{"shared later": in(one, g(one)+"&memo=1"), "not shared later": in(many, g(many)), "not muxed later": in(muxed, g(muxed))}
		for name, a := range later {
			if mixed && a.status != 200 {
				t.Errorf("%s: %d %v", name, a.status, a.body)
			} else if !mixed {
				w.out(name, a, "memo")
			}
		}
	}
}

// TestNobodyIsTheServer: a client domain that publishes the server's own key would
// be proven by the server's signature.
func TestNobodyIsTheServer(t *testing.T) {
	t.Parallel()
	var own *keypair.Full
	w := newWorld(t, func(c *sep10.Config) {
		own = c.Signing
		c.Clients.Toml = func(context.Context, string) ([]byte, error) {
			return []byte(`SIGNING_KEY = "` + own.Address() + `"`), nil
		}
	})
	kp := keypair.MustRandom()
	w.out("a home domain as client", w.get("account="+kp.Address()+"&client_domain=second.test"), "server's own")
	forged := w.forge(kp, func(p *txnbuild.TransactionParams) {
		p.Operations = append(p.Operations, &txnbuild.ManageData{SourceAccount: own.Address(), Name: "client_domain", Value: []byte("second.test")})
	}, own)
	w.out("an older challenge", w.post(sign(t, forged, kp)), "server's own")
}

// TestWhatAClientPublishes: the line is found, and nothing else is read.
func TestWhatAClientPublishes(t *testing.T) {
	t.Parallel()
	key := keypair.MustRandom()
	a := key.Address()
	var text string
	w := newWorld(t, func(c *sep10.Config) {
		c.Clients.Toml = func(context.Context, string) ([]byte, error) { return []byte(text), nil }
	})
	for i, c := range []struct {
		text string
		ok   bool
	}{
		{`SIGNING_KEY="` + a + `"`, true}, {"VERSION='2.0.0'\r\n  SIGNING_KEY = '" + a + "'  # ours\r\n[DOCUMENTATION]\r\n", true}, {`"SIGNING_KEY" = "` + a + `"`, true},
		{`# SIGNING_KEY="` + a + `"`, false}, {"[[CURRENCIES]]\nSIGNING_KEY=\"" + a + "\"", false}, {`X_SIGNING_KEY="` + a + `"`, false},
		{`SIGNING_KEY=` + a, false}, {`SIGNING_KEY="` + a[:55] + `A"`, false}, {`SIGNING_KEY="` + a + `" "`, false},
		{strings.Repeat("a=[", 30_000) + "\nSIGNING_KEY=\"" + a + "\"", true},
	} {
		text = c.text
		if got := w.get("account=" + keypair.MustRandom().Address() + "&client_domain=w" + strconv.Itoa(i) + ".test"); (got.status == 200) != c.ok {
			t.Errorf("%.80q: %d %v", c.text, got.status, got.body)
		}
	}
}

// TestThresholds: what the signatures must weigh is the operator's choice.
func TestThresholds(t *testing.T) {
	t.Parallel()
	low := newWorld(t, func(c *sep10.Config) { c.Threshold = "low" })
	kp, signer := keypair.MustRandom(), keypair.MustRandom()
	low.fund(kp)
	weight := func(n byte) *txnbuild.Threshold { v := txnbuild.Threshold(n); return &v }
	low.submit(kp, &txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: signer.Address(), Weight: 1},
		MasterWeight: weight(2), LowThreshold: weight(1), MediumThreshold: weight(2), HighThreshold: weight(3)})
	for threshold, want := range map[string][3]bool{"low": {true, true, true}, "medium": {false, true, true}, "high": {false, false, true}} {
		w := newWorldOn(t, low.ledger, func(c *sep10.Config) { c.Threshold = threshold })
		for i, signers := range [][]*keypair.Full{{signer}, {kp}, {kp, signer}} {
			a := w.post(sign(t, w.challenge("account="+kp.Address()), signers...))
			if want[i] {
				w.in(a, kp.Address())
			} else {
				w.out(threshold, a, "the account's "+threshold+" threshold")
			}
		}
	}
	if _, err := sep10.New(sep10.Config{Threshold: "none"}, nil, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "threshold") {
		t.Error(err)
	}
}

// header makes an Authorization header as wallets do (SEP-10, "Request Header").
func header(t testing.TB, kp *keypair.Full, method jwt.SigningMethod, claims map[string]any) string {
	t.Helper()
	seed, err := strkey.Decode(strkey.VersionByteSeed, kp.Seed())
	if err != nil {
		t.Fatal(err)
	}
	var key any = ed25519.NewKeyFromSeed(seed)
	switch method {
	case jwt.SigningMethodHS256:
		key, _ = strkey.Decode(strkey.VersionByteAccountID, kp.Address())
	case jwt.SigningMethodNone:
		key = jwt.UnsafeAllowNoneSignatureType
	}
	token, err := jwt.NewWithClaims(method, jwt.MapClaims(claims)).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + token
}

// TestSignedRequests: the header is bound to the request, whether it is required
// or not.
func TestSignedRequests(t *testing.T) {
	t.Parallel()
	client, kp, other := keypair.MustRandom(), keypair.MustRandom(), keypair.MustRandom()
	m := muxedOf(t, kp, 5)
	now := time.Now().Unix()
	type claims = map[string]any
	with := func(more claims) claims {
		all := claims{"iat": now, "exp": now + 900, "web_auth_endpoint": "https://anchor.test/auth", "account": kp.Address()}
		for k, v := range more {
			if all[k] = v; v == nil {
				delete(all, k)
			}
		}
		return all
	}
	g := "account=" + kp.Address()
	for _, required := range []bool{false, true} {
		w := newWorld(t, func(c *sep10.Config) {
			c.SignedRequests = required
			c.Clients.Toml = publishes(map[string]*keypair.Full{"wallet.test": client})
		})
		none := 200
		if required {
			none = http.StatusUnauthorized
		}
		for name, c := range map[string]struct {
			query, header string
			status        int
		}{
			"none":                {g, "", none},
			"another scheme":      {g, "Basic dTpw", none},
			"signed":              {g, header(t, kp, jwt.SigningMethodEdDSA, with(nil)), 200},
			"all parameters":      {g + "&memo=7&home_domain=second.test", header(t, kp, jwt.SigningMethodEdDSA, with(claims{"memo": "7", "home_domain": "second.test"})), 200},
			"the memo a number":   {g + "&memo=18446744073709551615", header(t, kp, jwt.SigningMethodEdDSA, with(claims{"memo": uint64(18446744073709551615)})), 200},
			"muxed":               {"account=" + m, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"account": m})), 200},
			"client domain":       {g + "&client_domain=wallet.test", header(t, client, jwt.SigningMethodEdDSA, with(claims{"client_domain": "wallet.test"})), 200},
			"not by the client":   {g + "&client_domain=wallet.test", header(t, kp, jwt.SigningMethodEdDSA, with(claims{"client_domain": "wallet.test"})), 400},
			"by somebody else":    {g, header(t, other, jwt.SigningMethodEdDSA, with(nil)), 400},
			"the key as a secret": {g, header(t, kp, jwt.SigningMethodHS256, with(nil)), 400},
			"unsigned":            {g, header(t, kp, jwt.SigningMethodNone, with(nil)), 400},
			"nonsense":            {g, "Bearer x.y.z", 400},
			"empty":               {g, "Bearer ", 400},
			"long":                {g, "Bearer " + strings.Repeat("a", 9000), 400},
			"expired":             {g, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"iat": now - 100, "exp": now - 1})), 400},
			"from the future":     {g, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"iat": now + 600, "exp": now + 900})), 400},
			"for ever":            {g, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"exp": nil})), 400},
			"since when":          {g, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"iat": nil})), 400},
			"another endpoint":    {g, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"web_auth_endpoint": "https://evil.test/auth"})), 400},
			"no endpoint":         {g, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"web_auth_endpoint": nil})), 400},
			"another account":     {g, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"account": other.Address()})), 400},
			"a memo more":         {g + "&memo=7", header(t, kp, jwt.SigningMethodEdDSA, with(nil)), 400},
			"a memo less":         {g, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"memo": "7"})), 400},
			"an unknown one":      {g + "&color=blue", header(t, kp, jwt.SigningMethodEdDSA, with(claims{"color": "blue"})), 200},
			"an unknown one more": {g + "&color=blue", header(t, kp, jwt.SigningMethodEdDSA, with(nil)), 400},
			"an unknown account":  {"account=x", "", map[bool]int{false: 400, true: 401}[required]},
			"an object for one":   {g, header(t, kp, jwt.SigningMethodEdDSA, with(claims{"memo": claims{}})), 400},
		} {
			r := httptest.NewRequest(http.MethodGet, "/auth?"+c.query, nil)
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			if a := w.send(r); a.status != c.status {
				t.Errorf("%s, required %v: %d %v, expected %d", name, required, a.status, a.body, c.status)
			}
		}
	}
	// Two headers: whoever looked at the request on its way may have believed the other.
	strict := newWorld(t, func(c *sep10.Config) { c.SignedRequests = true })
	good := header(t, kp, jwt.SigningMethodEdDSA, with(nil))
	two := httptest.NewRequest(http.MethodGet, "/auth?"+g, nil)
	two.Header["Authorization"] = []string{good, good}
	strict.out("two", strict.send(two), "the only one")
	// Whoever does not verify client domains cannot check what one has signed.
	w := newWorld(t)
	r := httptest.NewRequest(http.MethodGet, "/auth?"+g+"&client_domain=wallet.test", nil)
	r.Header.Set("Authorization", header(t, client, jwt.SigningMethodEdDSA, with(claims{"client_domain": "wallet.test"})))
	w.out("a domain that is not verified", w.send(r), "not verified here")
}

// TestClientDomain verifies a client domain where its key can be looked up.
func TestClientDomain(t *testing.T) {
	t.Parallel()
	domain := keypair.MustRandom()
	server := keypair.MustRandom()
	w := newWorld(t, func(c *sep10.Config) {
		c.Signing = server
		c.Clients.Toml = func(_ context.Context, name string) ([]byte, error) {
			switch name {
			case "wallet.test":
				return []byte("# a wallet\nSIGNING_KEY = \"" + domain.Address() + "\"\n[DOCUMENTATION]\nORG_NAME=\"W\"\n"), nil
			case "ours.test":
				return []byte(`SIGNING_KEY = "` + server.Address() + `"`), nil
			case "odd.test":
				return []byte(`SIGNING_KEY = "not a key"`), nil
			case "seed.test":
				return []byte(`SIGNING_KEY = "` + domain.Seed() + `"`), nil
			case "html.test":
				return []byte(`<html>`), nil
			}
			return nil, errors.New("no such host")
		}
	})
	for _, exists := range []bool{false, true} {
		kp, other := keypair.MustRandom(), keypair.MustRandom()
		if exists {
			w.fund(kp)
		}
		query := "account=" + kp.Address() + "&client_domain=wallet.test"
		text := w.challenge(query)
		op, ok := parse(t, text).Operations()[2].(*txnbuild.ManageData)
		if !ok || op.SourceAccount != domain.Address() || op.Name != "client_domain" || string(op.Value) != "wallet.test" {
			t.Fatalf("the operation is %+v", op)
		}
		w.out("without the domain", w.post(sign(t, text, kp)), "")
		w.out("without the client", w.post(sign(t, text, domain)), "")
		w.out("a stranger", w.post(sign(t, text, kp, domain, other)), "signer")
		a := w.post(sign(t, text, kp, domain))
		w.in(a, kp.Address())
		token, _ := a.body["token"].(string)
		if id, err := w.keys.Auth(token, time.Now()); err != nil || id != (anchor.Identity{Account: kp.Address(), Client: "wallet.test"}) {
			t.Errorf("%+v, %v", id, err)
		}
	}
	// A wallet whose account's key is its domain's: one signature is enough.
	own := "account=" + domain.Address() + "&client_domain=wallet.test"
	w.fund(domain)
	w.in(w.post(sign(t, w.challenge(own), domain)), domain.Address())

	g := "account=" + keypair.MustRandom().Address()
	w.out("our own key", w.get(g+"&client_domain=ours.test"), "server's own")
	w.out("unknown domain", w.get(g+"&client_domain=nowhere.test"), "client_domain")
	w.out("domain without key", w.get(g+"&client_domain=odd.test"), "client_domain")
	w.out("a seed for a key", w.get(g+"&client_domain=seed.test"), "client_domain")
	w.out("no TOML", w.get(g+"&client_domain=html.test"), "client_domain")
	// Each domain has one name only: lists know no other.
	for _, odd := range []string{"wallet.test:443", "wallet.test.", "wallet..test", "-wallet.test", "[::1]", "w%C3%A1llet.test", "https://wallet.test", "wallet.test/x", "user@wallet.test", "wallet.test?x", "wallet.test%23x", "WALLET.test", "*.test", "wallet%0d%0a.test", ":443"} {
		w.out(odd, w.get(g+"&client_domain="+odd), "host name")
	}
	w.out("long domain", w.get(g+"&client_domain="+strings.Repeat("a", 65)), "client_domain")
}

// TestSpecificationsHeaders reads the two examples of the specification.
func TestSpecificationsHeaders(t *testing.T) {
	t.Parallel()
	const endpoint = "https://example.com/sep10/auth"
	for _, c := range []struct {
		signer, query, token string
		issued               int64
	}{
		{"GCADAIACE6CRWGOB3HJRXIOHMQEUKPNLAUIYFIE26F3OK72RSHGAMARK",
			"account=GC6UCXVTAMNG5JLOMZBSCNYXVSNNFHL23SJPYOOFJE2AVYDDS2FFT45C&client_domain=example-wallet.stellar.org",
			"eyJhbGciOiJFZERTQSJ9.eyJpYXQiOjE3MTE2NDg0ODYsImV4cCI6MTcxMTY0OTM4NiwiYWNjb3VudCI6IkdDNlVDWFZUQU1ORzVKTE9NWkJTQ05ZWFZTTk5GSEwyM1NKUFlPT0ZKRTJBVllERFMyRkZUNDVDIiwiY2xpZW50X2RvbWFpbiI6ImV4YW1wbGUtd2FsbGV0LnN0ZWxsYXIub3JnIiwid2ViX2F1dGhfZW5kcG9pbnQiOiJodHRwczovL2V4YW1wbGUuY29tL3NlcDEwL2F1dGgifQ.UQt8FpUK-BlnFw35o8Ke4GDOoCrMe9ztEx4_TGQ06XhMgUbn_b7EMPMVLWJ8RRNgSk2dNhyGUgIbhKzKtWtBBw", 1711648486},
		{"GCXXH6AYJUVTDGIHT42OZNMF3LHCV4DOKCX6HHDKWECUZYXDZSWZN6HS",
			"account=GCXXH6AYJUVTDGIHT42OZNMF3LHCV4DOKCX6HHDKWECUZYXDZSWZN6HS&memo=1234567",
			"eyJhbGciOiJFZERTQSJ9.eyJpYXQiOjE3MTE2NDg0MjIsImV4cCI6MTcxMTY0OTMyMiwiYWNjb3VudCI6IkdDWFhINkFZSlVWVERHSUhUNDJPWk5NRjNMSENWNERPS0NYNkhIREtXRUNVWllYRFpTV1pONkhTIiwibWVtbyI6IjEyMzQ1NjciLCJ3ZWJfYXV0aF9lbmRwb2ludCI6Imh0dHBzOi8vZXhhbXBsZS5jb20vc2VwMTAvYXV0aCJ9.23TJFUWtadeNWW0N1mjk4gWUZJRTOnrxfs3gahNRuhrKHRbHonrksri6lzJdIvO71a_Ad851necSO6TTXB_IBw", 1711648422},
	} {
		r := httptest.NewRequest(http.MethodGet, endpoint+"?"+c.query, nil)
		r.Header.Set("Authorization", "Bearer "+c.token)
		for after, good := range map[time.Duration]bool{-2 * time.Minute: false, 0: true, 899 * time.Second: true, 900 * time.Second: false} {
			if err := sep10.SignedAt(endpoint, r, c.signer, time.Unix(c.issued, 0).Add(after)); (err == nil) != good {
				t.Errorf("%s after %s: %v", c.query, after, err)
			}
		}
	}
}

// TestClientDomainsAreAskedFewAtATime: who names many domains that do not answer keeps
// us from asking others for a moment, and from nothing else.
func TestClientDomainsAreAskedFewAtATime(t *testing.T) {
	t.Parallel()
	key, release, asked := keypair.MustRandom(), make(chan struct{}), make(chan struct{}, 100)
	w := newWorld(t, func(c *sep10.Config) {
		c.Clients.Toml = func(ctx context.Context, name string) ([]byte, error) {
			asked <- struct{}{}
			<-release
			return publishes(map[string]*keypair.Full{"good.test": key})(ctx, name)
		}
	})
	g := "account=" + keypair.MustRandom().Address()
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() { w.out("silent", w.get(g+"&client_domain=silent"+strconv.Itoa(i)+".test"), "client_domain") })
		<-asked
	}
	if a := w.get(g + "&client_domain=good.test"); a.status != 503 || a.header.Get("Retry-After") == "" || len(asked) != 0 {
		t.Errorf("%d %v, and %d more were asked", a.status, a.body, len(asked))
	}
	w.challenge(g)
	close(release)
	all.Wait()
	w.challenge(g + "&client_domain=good.test") // the refusal is not remembered
}

// FuzzChallengeRequest: no query and no header of a request does harm.
func FuzzChallengeRequest(f *testing.F) {
	client := keypair.MustRandom()
	w := newWorldOn(f, "http://127.0.0.1:1", func(c *sep10.Config) {
		c.Clients.Toml = func(_ context.Context, name string) ([]byte, error) { return []byte(name), nil }
	})
	kp := keypair.MustRandom()
	f.Add("account="+kp.Address()+"&memo=1&home_domain=second.test&client_domain=wallet.test", header(f, client, jwt.SigningMethodEdDSA, map[string]any{"iat": 1, "exp": 9e9}))
	f.Add("account="+muxedOf(f, kp, 1), "Bearer a.b.c")
	f.Add("account=%00&account=1", "")
	f.Fuzz(func(t *testing.T, query, header string) {
		w := w.within(t)
		r := httptest.NewRequest(http.MethodGet, "/auth", nil)
		r.URL.RawQuery = query
		r.Header["Authorization"] = []string{header}
		if a := w.send(r); a.status >= 500 {
			w.Errorf("%s: %d %v", query, a.status, a.body)
		}
	})
}

// FuzzClientToml: what a client domain publishes is read or refused.
func FuzzClientToml(f *testing.F) {
	var text []byte
	w := newWorldOn(f, "http://127.0.0.1:1", func(c *sep10.Config) {
		c.Clients.Toml = func(context.Context, string) ([]byte, error) { return text, nil }
	})
	kp := keypair.MustRandom()
	f.Add([]byte(`SIGNING_KEY = "` + kp.Address() + `"`))
	f.Add([]byte("[[CURRENCIES]]\ncode = 1\n[a.b.\"c\"]\nx = [{y = 2026-01-01T00:00:00Z}]\n"))
	n := 0
	f.Fuzz(func(t *testing.T, published []byte) {
		w := w.within(t)
		text = published
		n++ // each is another domain's, lest the answer be remembered
		a := w.get("account=" + kp.Address() + "&client_domain=wallet" + strconv.Itoa(n) + ".test")
		if a.status != 200 && a.status != 400 {
			w.Errorf("%q: %d %v", published, a.status, a.body)
		}
	})
}

// within is the world as one run of a fuzz target sees it.
func (w *world) within(t testing.TB) *world {
	one := *w
	one.TB = t
	return &one
}
