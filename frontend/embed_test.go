package frontend

import (
	"html/template"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const builtPage = `<!doctype html>
<html lang="en">
  <head><title>Windlass</title>
    <!--boot-->
    <script type="module" crossorigin src="/assets/customer-1.js"></script>
    <link rel="modulepreload" crossorigin href="/assets/shared-1.js">
    <link rel="stylesheet" crossorigin href="/assets/customer-1.css">
  </head>
  <body><div id="app"></div></body>
</html>`

var site = fstest.MapFS{
	"customer.html":           {Data: []byte(builtPage)},
	"bank.html":               {Data: []byte(builtPage)},
	"wallet.html":             {Data: []byte(builtPage)},
	"assets/customer-1.js":    {Data: []byte("export {}")},
	"assets/customer-1.js.br": {Data: []byte("(brotli)")},
	"assets/customer-1.js.gz": {Data: []byte("(gzip)")},
	"assets/customer-1.css":   {Data: []byte("body{}")},
}

func page(t *testing.T, from fs.FS, s Shell) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.serve(from, w, httptest.NewRequest(http.MethodGet, "/interactive/1", nil))
	return w
}

func TestShellFillsThePage(t *testing.T) {
	t.Parallel()
	w := page(t, site, Shell{
		Page: "customer", Title: "Add <money>", Lang: "ar", Dir: "rtl",
		Boot: Boot{"brand": Boot{"name": `</script><script>alert(1)</script>`}},
		Body: template.HTML(`<p>100 USDW</p>`), FrameAncestors: "*",
	})
	if w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	for _, want := range []string{
		`<html lang="ar" dir="rtl">`,
		`<title>Add &lt;money&gt;</title>`,
		`<script type="application/json" id="boot">{"brand":{"name":"\u003c/script\u003e\u003cscript\u003ealert(1)\u003c/script\u003e"}}</script>`,
		`<div id="app"><p>100 USDW</p></div>`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("page lacks %s:\n%s", want, w.Body)
		}
	}
}

func TestShellEscapesWhatItDidNotMake(t *testing.T) {
	t.Parallel()
	w := page(t, site, Shell{Page: "customer", Lang: `en" onload="x`, Dir: `"><script>`, Title: "<!--boot-->"})
	body := w.Body.String()
	for _, bad := range []string{`en" onload`, `"><script>`} {
		if strings.Contains(body, bad) {
			t.Errorf("page contains %s", bad)
		}
	}
	if strings.Count(body, `id="boot"`) != 1 {
		t.Errorf("boot data is not there exactly once:\n%s", body)
	}
}

// TestPlainShell: a page of which only its body is needed loads no script, and may not.
func TestPlainShell(t *testing.T) {
	t.Parallel()
	w := page(t, site, Shell{Page: "customer", Plain: true, Status: http.StatusNotFound, Body: template.HTML(`<p>Not here</p>`)})
	if w.Code != http.StatusNotFound || !strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'none';") {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
	body := w.Body.String()
	if strings.Contains(body, "<script") || strings.Contains(body, "modulepreload") || !strings.Contains(body, `rel="stylesheet"`) || !strings.Contains(body, `<p>Not here</p>`) {
		t.Error(body)
	}
}

func TestShellHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		shell Shell
		want  map[string]string
	}{
		{"customer", Shell{Page: "customer", FrameAncestors: "*", Colours: Colours{Accent: "#0b5a70"}}, map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-ZCzFHCZndRcTDygeb2/TTAuTNbHF26MfzPqyoB/59bU='; img-src 'self' data:; " +
				"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors *; " +
				"require-trusted-types-for 'script'; trusted-types svelte-trusted-html",
			"Cross-Origin-Opener-Policy": "unsafe-none",
			"Cache-Control":              "no-store",
			"Referrer-Policy":            "no-referrer",
			"X-Content-Type-Options":     "nosniff",
			"X-Robots-Tag":               "noindex",
			"Content-Type":               "text/html; charset=utf-8",
			"Permissions-Policy":         "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
		}},
		{"wallet", Shell{Page: "wallet", ConnectSrc: []string{"http://localhost:8002"}}, map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
				"font-src 'self'; connect-src 'self' http://localhost:8002; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Cross-Origin-Opener-Policy": "same-origin-allow-popups",
		}},
		{"bank", Shell{Page: "bank"}, map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
				"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
				"require-trusted-types-for 'script'; trusted-types svelte-trusted-html",
			"Cross-Origin-Opener-Policy": "same-origin",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := page(t, site, c.shell)
			for name, want := range c.want {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s:\n got %s\nwant %s", name, got, want)
				}
			}
		})
	}
}

func TestShellWithoutABuild(t *testing.T) {
	t.Parallel()
	w := page(t, fstest.MapFS{".keep": {}}, Shell{Page: "customer"})
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "make build") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestShellWithBootThatIsNoJSON(t *testing.T) {
	t.Parallel()
	if w := page(t, site, Shell{Page: "customer", Boot: func() {}}); w.Code != http.StatusInternalServerError {
		t.Errorf("status %d", w.Code)
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, kind string
		code       int
	}{
		{"/assets/customer-1.js", "text/javascript; charset=utf-8", 200},
		{"/assets/customer-1.css", "text/css; charset=utf-8", 200},
		{"/assets/", "", 404},
		{"/assets", "", 404},
		{"/assets/other.js", "", 404},
		{"/assets/customer-1.js.br", "", 404},
		{"/assets/../customer.html", "", 404},
		{"/customer.html", "", 404},
	} {
		w := httptest.NewRecorder()
		assets(site).ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.path, nil))
		if w.Code != c.code {
			t.Errorf("%s: status %d, want %d", c.path, w.Code, c.code)
			continue
		}
		if c.code != http.StatusOK {
			continue
		}
		if got := w.Header().Get("Content-Type"); got != c.kind {
			t.Errorf("%s: type %s", c.path, got)
		}
		if got := w.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %s", c.path, got)
		}
	}
}

func TestAssetsArePacked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, accepts, coding, body string }{
		{"/assets/customer-1.js", "gzip, deflate, br, zstd", "br", "(brotli)"},
		{"/assets/customer-1.js", "gzip, deflate", "gzip", "(gzip)"},
		{"/assets/customer-1.js", "BR;q=0.5", "br", "(brotli)"},
		{"/assets/customer-1.js", "br;q=0, gzip;q=1.0", "gzip", "(gzip)"},
		{"/assets/customer-1.js", "br; q=0.000, identity", "", "export {}"},
		{"/assets/customer-1.js", "brr", "", "export {}"},
		{"/assets/customer-1.js", "", "", "export {}"},
		{"/assets/customer-1.css", "gzip, br", "", "body{}"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r := httptest.NewRequest(method, c.path, nil)
			r.Header.Set("Accept-Encoding", c.accepts)
			w := httptest.NewRecorder()
			assets(site).ServeHTTP(w, r)
			h := w.Header()
			if h.Get("Content-Encoding") != c.coding || h.Get("Content-Length") != strconv.Itoa(len(c.body)) || h.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s %s, accepting %q: %v", method, c.path, c.accepts, h)
			}
			want := c.body
			if method == http.MethodHead {
				want = ""
			}
			if w.Body.String() != want {
				t.Errorf("%s %s, accepting %q: %s", method, c.path, c.accepts, w.Body)
			}
		}
	}
}

// Whatever is embedded in this very build is served, or said to be missing.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	Shell{Page: "customer"}.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if _, err := fs.Stat(built, "customer.html"); err != nil {
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d without a build", w.Code)
		}
		return
	}
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "<!--boot-->") || !strings.Contains(w.Body.String(), `id="boot"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	_, rest, _ := strings.Cut(w.Body.String(), `src="`)
	script, _, _ := strings.Cut(rest, `"`)
	a := httptest.NewRecorder()
	Assets().ServeHTTP(a, httptest.NewRequest(http.MethodGet, script, nil))
	if a.Code != http.StatusOK {
		t.Errorf("%s: status %d", script, a.Code)
	}
}
