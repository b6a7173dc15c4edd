package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/network"
)

// TestOddAddresses: addresses made to lead somewhere else do not. What is said of
// tokens, challenges and parameters is tested in the rooms; docs/conformance.md
// lists it.
func TestOddAddresses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := devFiles(dir); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(filepath.Join(dir, configFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(t.Context(), cfg, devMode{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	listeners := map[string]*httptest.Server{"public": httptest.NewServer(a.public), "admin": httptest.NewServer(a.admin)}
	for name, l := range listeners {
		defer l.Close()
		for _, path := range []string{
			"//evil.example", "//evil.example/%2e%2e", "/%2f/evil.example", `/\evil.example`, "/%5cevil.example", "/.//evil.example", "/x/..//evil.example",
			"/../../../etc/passwd", "/assets/../../../etc/passwd", "/assets/..%2f..%2f..%2fetc%2fpasswd", "/assets/%2e%2e/%2e%2e/etc/passwd",
			"/assets/", "/assets", "/assets/.keep", "/assets//customer.html", "/dist/customer.html", "/assets/%00",
			"/sep24/../healthz", "/sep24/%2e%2e/playground", "/.well-known/../healthz", "/.well-known/stellar.toml/", "/.well-known/../.well-known/stellar.toml",
			"/transaction/..%2f..%2fhealthz", "/transaction/x%0d%0aSet-Cookie:%20a=b?c=x", "/interactive/x?lang=en%0d%0aSet-Cookie:%20a=b",
			"/interactive/%3Cscript%3Ealert(1)%3C/script%3E", "/transaction/%ff?c=%ff", "/interactive/" + strings.Repeat("x", 5000),
			"/signin?next=//evil.example", "/signin?next=https://evil.example", "/auth?home_domain=evil.example%0d%0aX:1&account=x", "/bank/../playground",
		} {
			status, header, body := raw(t, l, path)
			if to := header.Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`)) {
				t.Errorf("%s: %s leads to %s", name, path, to)
			}
			if status >= 500 || status == http.StatusOK && !strings.HasPrefix(path, "/signin") {
				t.Errorf("%s: %s answers %d: %.200s", name, path, status, body)
			}
			if header.Get("X") != "" || strings.Contains(header.Get("Set-Cookie"), "a=b") {
				t.Errorf("%s: %s sets %v", name, path, header)
			}
			if strings.Contains(body, "root:") || strings.Contains(body, "<script>alert") {
				t.Errorf("%s: %s answers %.300s", name, path, body)
			}
		}
	}
	if status, header, body := raw(t, listeners["public"], "/sep24//info"); status != http.StatusNotFound || header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("a doubled slash answers %d %v %s", status, header, body)
	}
	// What staff and operators use is not on the public listener at all.
	for _, path := range []string{"/playground", "/console", "/signin", "/healthz", "/readyz", "/metrics", "/files/x", "/wallet", "/"} {
		if status, _, _ := raw(t, listeners["public"], path); status != http.StatusNotFound {
			t.Errorf("%s answers %d to everybody", path, status)
		}
	}
	// Where money is real there is no simulated bank either.
	a.cfg.Network.Passphrase = network.PublicNetworkPassphrase
	realMoney := httptest.NewServer(a.publicRoutes())
	defer realMoney.Close()
	for _, path := range []string{"/bank", "/bank/", "/bank/api/statement", "/wallet"} {
		if status, _, _ := raw(t, realMoney, path); status != http.StatusNotFound {
			t.Errorf("%s answers %d on the public network", path, status)
		}
	}
	a.cfg.Network.Passphrase = network.TestNetworkPassphrase
	// What is not a protocol's is not for other sites' scripts.
	for _, path := range []string{"/bank", "/bank/api/accounts", "/graphql", "/interactive/x", "/transaction/x", "/assets/x"} {
		if _, header, _ := raw(t, listeners["public"], path); header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s is open to %s", path, header.Get("Access-Control-Allow-Origin"))
		}
	}
}

// raw asks for a path exactly as it is written.
func raw(t *testing.T, l *httptest.Server, path string) (status int, header http.Header, body string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the server closes it, too
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: anchor.test\r\nConnection: close\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}
