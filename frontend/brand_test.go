package frontend

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const svg = `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><script>alert(1)</script></svg>`

func picture(t *testing.T, width, height int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLogos(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, data, problem string }{
		{"a/logo.svg", svg, ""},
		{"logo.PNG", picture(t, 64, 64), ""},
		{"logo.png", picture(t, 1025, 1), "is 1025 by 1; expected at most 1024 by 1024"},
		{"logo.png", svg, "is not a PNG"},
		{"logo.svg", picture(t, 1, 1), "is not a well-formed SVG"},
		{"logo.svg", "<html></html>", "is not a well-formed SVG"},
		{"logo.svg", "<svg>", "is not a well-formed SVG"},
		{"logo.svg", "", "is not a well-formed SVG"},
		{"logo.html", svg, "expected an SVG or a PNG"},
		{"logo.svg", "<svg>" + strings.Repeat(" ", maxLogo) + "</svg>", "expected at most 32768"},
	} {
		_, err := NewLogo(c.file, []byte(c.data))
		if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s: %v, want %q", c.file, err, c.problem)
		}
	}
}

// A logo is a picture and nothing more, even for who opens its address.
func TestLogoIsServed(t *testing.T) {
	t.Parallel()
	logo, err := NewLogo("logo.svg", []byte(svg))
	if err != nil {
		t.Fatal(err)
	}
	get := func(l *Logo, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		l.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	w := get(logo, logo.Path())
	h := w.Header()
	if w.Code != 200 || w.Body.String() != svg || h.Get("Content-Type") != "image/svg+xml" || h.Get("X-Content-Type-Options") != "nosniff" ||
		h.Get("Content-Security-Policy") != "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox" {
		t.Errorf("%d %v %s", w.Code, h, w.Body)
	}
	for _, other := range []*httptest.ResponseRecorder{get(logo, LogoPath), get(logo, logo.Path()+"x"), get(nil, logo.Path()), get(nil, "/")} {
		if other.Code != http.StatusNotFound {
			t.Errorf("%d %s", other.Code, other.Body)
		}
	}
}

func TestFrame(t *testing.T) {
	t.Parallel()
	logo, err := NewLogo("logo.svg", []byte(svg))
	if err != nil {
		t.Fatal(err)
	}
	texts := Frame{Test: "TEST", TestNote: "no real money", Help: "Help", Terms: "Terms", Privacy: "Privacy", Main: "<main>100 USDW</main>"}
	full, bare := texts, texts
	full.Brand = Brand{Name: `A <b> & "Co"`, SupportEmail: "help@example.com", Terms: "https://example.com/t?a=1&b", Privacy: "javascript:alert(1)", Logo: logo}
	bare.Brand, bare.Test = Brand{Name: "éclat"}, ""
	for name, c := range map[string]struct {
		frame Frame
		has   []string
		lacks []string
	}{
		"full": {full, []string{
			`<aside class="test" aria-label="TEST"><strong>TEST</strong> no real money</aside>`, `A &lt;b&gt; &amp; &#34;Co&#34;</span>`, "<main>100 USDW</main>",
			`<img class="brand-mark" src="` + logo.Path() + `"`, `href="mailto:help@example.com"`, `href="https://example.com/t?a=1&amp;b"`,
		}, []string{"javascript:", "<b>"}},
		"bare": {bare, []string{`aria-hidden="true">É</span> éclat`, "<main>100 USDW</main>"}, []string{"<a ", "<img", "<aside"}},
	} {
		html := string(c.frame.HTML())
		for _, part := range c.has {
			if !strings.Contains(html, part) {
				t.Errorf("%s lacks %s: %s", name, part, html)
			}
		}
		for _, part := range c.lacks {
			if strings.Contains(html, part) {
				t.Errorf("%s has %s: %s", name, part, html)
			}
		}
	}
}

// The brand's colours stand in the page, and the policy allows them alone.
func TestShellHasTheBrandsColours(t *testing.T) {
	t.Parallel()
	colours := Colours{Accent: "#0b5a70"}
	w := page(t, site, Shell{Page: "customer", Colours: colours})
	element, source := inline(colours.CSS())
	if !strings.Contains(w.Body.String(), element+"</head>") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "style-src 'self' "+source+";") {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	if plain := page(t, site, Shell{Page: "customer"}); strings.Contains(plain.Body.String(), "<style>") || strings.Contains(plain.Header().Get("Content-Security-Policy"), "sha256") {
		t.Errorf("a brand without colours: %v %s", plain.Header(), plain.Body)
	}
}
