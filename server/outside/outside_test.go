package outside_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"windlass/server/outside"
)

// TestForbidden: addresses that may not be called, by their looks or by where
// they lead.
func TestForbidden(t *testing.T) {
	t.Parallel()
	c := outside.New(outside.Config{Timeout: 5 * time.Second})
	defer c.Close()
	for _, address := range []string{
		"http://example.com/", "https://example.com:8443/", "https://user:secret@example.com/", "https://user@example.com/",
		"ftp://example.com/", "https:example.com", "https:///path", "", "postMessage", "://", "https://exa mple.com/", "file:///etc/passwd",
		// This machine, by all of its names.
		"https://127.0.0.1/", "https://127.1.2.3/", "https://[::1]/", "https://localhost/", "https://0.0.0.0/", "https://[::]/",
		"https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://2130706433/", "https://0x7f.1/", "https://017700000001/",
		// Its neighbours.
		"https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/",
		"https://[fe80::1]/", "https://[fc00::1]/", "https://[fd12::1]/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://[64:ff9b:1::1]/",
		"https://[2002:a00:1::]/", "https://224.0.0.1/", "https://[ff02::1]/", "https://255.255.255.255/", "https://240.0.0.1/", "https://198.18.0.1/",
		"https://192.0.2.1/", "https://[2001:db8::1]/",
	} {
		status, err := c.Post(t.Context(), address, nil, nil)
		if err == nil {
			t.Errorf("%s answers %d", address, status)
			continue
		}
		// A resolver may refuse the odd spellings of numbers before we can.
		var dns *net.DNSError
		if !errors.Is(err, outside.ErrForbidden) && !errors.As(err, &dns) {
			t.Errorf("%s: %v", address, err)
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "meta-data") {
			t.Errorf("the error tells the address: %v", err)
		}
	}
}

// TestLoopback: with the flag, this machine and nothing else.
func TestLoopback(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		case "/headers":
			w.Header().Set("X-Long", strings.Repeat("x", 40<<10))
		case "/slow":
			<-r.Context().Done()
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 8<<10)); err != nil {
					return
				}
			}
		}
	}))
	defer server.Close()

	strict := outside.New(outside.Config{})
	if _, err := strict.Post(t.Context(), server.URL, nil, nil); !errors.Is(err, outside.ErrForbidden) {
		t.Errorf("without the flag: %v", err)
	}
	c := outside.New(outside.Config{AllowLoopback: true, Timeout: time.Second})
	if status, err := c.Post(t.Context(), server.URL+"/", http.Header{"X-Test": {"1"}}, []byte("{}")); status != http.StatusOK || err != nil {
		t.Errorf("%d, %v", status, err)
	}
	if status, err := c.Post(t.Context(), server.URL+"/elsewhere", nil, nil); status != http.StatusTemporaryRedirect || err != nil || asked.Load() != 0 {
		t.Errorf("a redirect: %d, %v, followed %d times", status, err, asked.Load())
	}
	if status, err := c.Post(t.Context(), server.URL+"/endless", nil, nil); status != http.StatusOK || err != nil {
		t.Errorf("an endless answer: %d, %v", status, err)
	}
	for _, path := range []string{"/headers", "/slow"} {
		if status, err := c.Post(t.Context(), server.URL+path, nil, nil); err == nil {
			t.Errorf("%s answers %d", path, status)
		}
	}
	for _, address := range []string{"https://10.0.0.1/", "http://10.0.0.1/", "http://example.com/"} {
		if _, err := c.Post(t.Context(), address, nil, nil); !errors.Is(err, outside.ErrForbidden) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
