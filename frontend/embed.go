// Package frontend holds the built web pages and serves them: the customer's
// page, the simulated bank, the demo wallet and the playground. It knows how a
// page is framed, cached and locked down, and nothing of what a page says.
package frontend

import (
	"embed"
	"encoding/json"
	"html"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dist is what `npm run build` writes. In a fresh checkout it holds only .keep,
// so that the Go code compiles before the first build.
//
//go:embed all:dist
var dist embed.FS

var built, _ = fs.Sub(dist, "dist") // fails for invalid paths only

// Boot is what a page needs to know when it starts.
type Boot map[string]any

// Shell is one page, ready to serve: a built HTML file with the language, the
// boot data and the security headers of one request.
type Shell struct {
	// Page names the built file: "customer", "bank", "wallet" or "playground".
	Page string
	// Title is the page's; the built file's own when empty.
	Title string
	// Lang and Dir are the document's language and direction, "en" and "ltr"
	// when empty.
	Lang, Dir string
	// Boot is put into the page as JSON; a page without needs is given null.
	Boot any
	// Body is shown until the app takes over, and without JavaScript instead.
	Body template.HTML
	// Colours are the brand's.
	Colours Colours
	// ConnectSrc are the origins, beside the page's own, that it may talk to.
	ConnectSrc []string
	// Plain leaves the page's scripts out: Body is all there is.
	Plain bool
	// Status is the answer's, 200 when 0.
	Status int
	// FrameAncestors is who may frame the page, "'none'" when empty.
	FrameAncestors string
}

// Assets serves /assets/…. Their names carry a hash of their content, so they
// are cached for good; what the build packed is sent packed.
func Assets() http.Handler { return assets(built) }

// ServeHTTP answers with the page; when the web app is not built, with 503.
func (s Shell) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serve(built, w, r) }

// contentTypes of what a build makes. Go would ask the machine's own tables,
// which differ.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json",
	".svg":   "image/svg+xml",
	".png":   "image/png",
	".ttf":   "font/ttf",
	".woff":  "font/woff",
	".woff2": "font/woff2",
}

// packings are the ways a build packs a file, the smallest first, by what HTTP
// calls them and how the packed file's name ends.
var packings = []struct{ coding, ending string }{{"br", ".br"}, {"gzip", ".gz"}}

func assets(site fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		kind, known := contentTypes[path.Ext(name)]
		if !known || !strings.HasPrefix(name, "assets/") {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		content, coding, err := fitting(site, name, r.Header.Get("Accept-Encoding"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		if coding != "" {
			h.Set("Content-Encoding", coding)
		}
		h.Set("Vary", "Accept-Encoding")
		h.Set("Content-Type", kind)
		h.Set("Content-Length", strconv.Itoa(len(content)))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		if r.Method != http.MethodHead {
			_, _ = w.Write(content) //nolint:gosec // files of our own build; it fails if the client has gone
		}
	})
}

// fitting is a file as a client wants it: packed in a way that it accepts, if
// the build did that.
func fitting(site fs.FS, name, accepts string) (content []byte, coding string, err error) {
	for _, p := range packings {
		if !accepted(accepts, p.coding) {
			continue
		}
		if content, err = fs.ReadFile(site, name+p.ending); err == nil {
			return content, p.coding, nil
		}
	}
	content, err = fs.ReadFile(site, name)
	return content, "", err
}

// accepted reports whether an Accept-Encoding names a coding, and not to refuse
// it (RFC 9110, section 12.5.3). A * is passed over: the plain file will do.
func accepted(header, coding string) bool {
	for one := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(one, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		_, q, given := strings.Cut(weight, "=")
		worth, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return !given || err == nil && worth > 0
	}
	return false
}

func (s Shell) serve(site fs.FS, w http.ResponseWriter, r *http.Request) {
	page, err := fs.ReadFile(site, s.Page+".html")
	if err != nil {
		http.Error(w, "The web pages are not built. Run make build.", http.StatusServiceUnavailable)
		return
	}
	boot, err := json.Marshal(s.Boot) // escapes <, > and &, so it cannot end the script element
	if err != nil {
		slog.ErrorContext(r.Context(), "page cannot be served", "page", s.Page, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}

	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.policy())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", or(openers[s.Page], "same-origin"))
	// The clipboard is left out: details are for copying.
	h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
	if s.Status != 0 {
		w.WriteHeader(s.Status)
	}
	if _, err := w.Write([]byte(s.fill(string(page), string(boot)))); err != nil {
		slog.DebugContext(r.Context(), "page not delivered", "page", s.Page, "error", err)
	}
}

// openers are the pages that other windows know, or that know others.
var openers = map[string]string{
	// A stricter policy would cut window.opener, and with it postMessage (SEP-24).
	"customer": "unsafe-none",
	"wallet":   "same-origin-allow-popups",
}

// scripts are the lines of a built page that load one.
var scripts = regexp.MustCompile(`(?m)^\s*<(script type="module"|link rel="modulepreload").*\n`)

// fill puts this request's values in the places the built page keeps for them.
func (s Shell) fill(page, boot string) string {
	boot = `<script type="application/json" id="boot">` + boot + `</script>`
	if s.Plain {
		page, boot = scripts.ReplaceAllString(page, ""), ""
	}
	values := []string{
		`<html lang="en">`, `<html lang="` + html.EscapeString(or(s.Lang, "en")) + `" dir="` + html.EscapeString(or(s.Dir, "ltr")) + `">`,
		`<!--boot-->`, boot,
		`<div id="app"></div>`, `<div id="app">` + string(s.Body) + `</div>`,
	}
	if style, _ := inline(s.Colours.CSS()); style != "" {
		values = append(values, "</head>", style+"</head>")
	}
	if s.Title != "" {
		_, rest, _ := strings.Cut(page, "<title>")
		old, _, _ := strings.Cut(rest, "</title>")
		values = append(values, "<title>"+old+"</title>", "<title>"+html.EscapeString(s.Title)+"</title>")
	}
	return strings.NewReplacer(values...).Replace(page)
}

// policy is the page's Content-Security-Policy. Scripts and styles come from
// our own files only: nothing inline but the brand's colours, nothing evaluated.
func (s Shell) policy() string {
	styles := []string{}
	if _, source := inline(s.Colours.CSS()); source != "" {
		styles = append(styles, source)
	}
	own := func(name string, more []string) string {
		return strings.Join(append([]string{name, "'self'"}, more...), " ")
	}
	source := "'self'"
	if s.Plain {
		source = "'none'"
	}
	rules := []string{
		"default-src 'none'",
		"script-src " + source,
		own("style-src", styles),
		own("img-src", []string{"data:"}),
		"font-src 'self'",
		own("connect-src", s.ConnectSrc),
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors " + or(s.FrameAncestors, "'none'"),
	}
	// The libraries of the demo wallet and the playground write HTML themselves.
	if slices.Contains([]string{"customer", "bank"}, s.Page) {
		rules = append(rules, "require-trusted-types-for 'script'", "trusted-types svelte-trusted-html")
	}
	return strings.Join(rules, "; ")
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
