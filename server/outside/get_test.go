package outside_test

import (
	"compress/gzip"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"windlass/server/outside"
)

// TestGet: what is read, and what is an error instead. A wrong content type is
// the caller's to judge.
func TestGet(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.ContentLength != 0 || r.Header.Get("User-Agent") != "windlass" {
			t.Errorf("%s with %d bytes by %q", r.Method, r.ContentLength, r.Header.Get("User-Agent"))
		}
		w.Header().Set("Content-Type", "text/x-test")
		switch r.URL.Path {
		case "/full":
			_, _ = w.Write(make([]byte, 1000))
		case "/over":
			_, _ = w.Write(make([]byte, 1001))
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 8<<10)); err != nil {
					return
				}
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 1<<20))
			_ = z.Close()
		case "/drip":
			drop := time.NewTicker(10 * time.Millisecond)
			defer drop.Stop()
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte("x"))
				_ = http.NewResponseController(w).Flush()
				<-drop.C
			}
		case "/silent":
			<-r.Context().Done()
		case "/cut":
			w.Header().Set("Content-Length", "500")
			_, _ = w.Write(make([]byte, 100))
		case "/moved":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/inward":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusMovedPermanently)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	c := outside.New(outside.Config{AllowLoopback: true})
	defer c.Close()

	body, kind, err := c.Get(t.Context(), server.URL+"/full", 1000)
	if len(body) != 1000 || kind != "text/x-test" || err != nil {
		t.Errorf("%d bytes of %q, %v", len(body), kind, err)
	}
	for path, want := range map[string]string{
		"/over": "more than 1000 bytes", "/endless": "more than 1000 bytes", "/bomb": "more than 1000 bytes",
		"/drip": "context deadline exceeded", "/silent": "context deadline exceeded", "/cut": "unexpected EOF",
		"/moved": "the answer is 302", "/inward": "the answer is 301", "/missing": "the answer is 404", "/empty": "the answer is 204",
	} {
		began := time.Now()
		body, _, err := c.Get(t.Context(), server.URL+path, 1000)
		if body != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d bytes, %v; want %q", path, len(body), err, want)
		}
		if err != nil && strings.Contains(err.Error(), path) {
			t.Errorf("the error tells the address: %v", err)
		}
		if took := time.Since(began); took > 8*time.Second { // of the 10 that the client would wait for others
			t.Errorf("%s took %v", path, took)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if _, _, err := c.Get(t.Context(), server.URL+"/over", 1000); !errors.Is(err, outside.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for _, address := range []string{"http://example.com/", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://example.com:8443/"} {
		if _, _, err := c.Get(t.Context(), address, 1000); !errors.Is(err, outside.ErrForbidden) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestNames: a name is judged by the address that is called, not by one that it
// had before: who answers with a public address first and with one of ours the
// second time is asked once, and who answers with one of ours is not called.
func TestNames(t *testing.T) {
	t.Parallel()
	nobody := netip.MustParseAddr("3ffe::1") // public by its looks, and given to nobody since 2006
	inward := []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00::1", "0.0.0.0"}
	for _, private := range inward {
		t.Run(private, func(t *testing.T) {
			t.Parallel()
			names := &names{first: nobody, then: netip.MustParseAddr(private)}
			c := outside.New(outside.Config{Timeout: 5 * time.Second, Resolver: names.serve(t)})
			defer c.Close()
			for nth := range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				if nth > 0 {
					ctx = t.Context()
				}
				_, _, err := c.Get(ctx, "https://wallet.example/.well-known/stellar.toml", 1000)
				cancel()
				switch {
				case err == nil:
					t.Fatal("it was called")
				case nth == 0 && errors.Is(err, outside.ErrForbidden):
					t.Errorf("the public address is not called: %v", err)
				case nth > 0 && !errors.Is(err, outside.ErrForbidden):
					t.Errorf("the private address is called: %v", err)
				}
				if asked := names.asked.Load(); asked != int64(nth)+1 {
					t.Fatalf("the name was looked up %d times for call %d", asked, nth+1)
				}
			}
		})
	}
}

// names is a name server whose answer for every name changes after the first
// look-up.
type names struct {
	first, then netip.Addr
	asked       atomic.Int64 // look-ups: each asks for both kinds of addresses
}

func (n *names) serve(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		seen := map[dnsmessage.Type]int{}
		b := make([]byte, 2048)
		for {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(b[:size]); err != nil || len(m.Questions) != 1 {
				t.Errorf("%d questions, %v", len(m.Questions), err)
				return
			}
			q := m.Questions[0]
			if seen[q.Type]++; q.Type == dnsmessage.TypeA {
				n.asked.Add(1)
			}
			answer := n.first
			if seen[q.Type] > 1 {
				answer = n.then
			}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 0}
			switch {
			case q.Type == dnsmessage.TypeA && answer.Is4():
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: answer.As4()}}}
			case q.Type == dnsmessage.TypeAAAA && answer.Is6():
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: answer.As16()}}}
			}
			packed, err := m.Pack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = conn.WriteTo(packed, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}
