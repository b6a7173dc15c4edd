package frontend

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Brand is how the anchor presents itself on its pages.
type Brand struct {
	Name, SupportEmail string
	// Terms and Privacy are addresses of the operator's own pages, or empty.
	Terms, Privacy string
	Logo           *Logo // nil is the first letter of the name
	Colours        Colours
}

// Boot is the brand as the pages' scripts know it.
func (b Brand) Boot() Boot {
	boot := Boot{"name": b.Name, "supportEmail": b.SupportEmail}
	for key, value := range map[string]string{"terms": b.Terms, "privacy": b.Privacy, "logo": b.Logo.Path()} {
		if value != "" {
			boot[key] = value
		}
	}
	return boot
}

// A Logo is a picture of the operator's that we serve ourselves.
type Logo struct {
	data []byte
	kind string // its content type
	path string
}

// LogoPath is where logos are served. Their names carry a hash of their content.
const LogoPath = "/brand/"

// maxLogo is what a customer's phone may have to load for it.
const maxLogo = 32 << 10

// NewLogo takes the content of a file; the error says what was expected.
func NewLogo(file string, data []byte) (*Logo, error) {
	ending := strings.ToLower(filepath.Ext(file))
	switch {
	case ending != ".svg" && ending != ".png":
		return nil, errors.New("will not do; expected an SVG or a PNG, by its ending")
	case len(data) > maxLogo:
		return nil, fmt.Errorf("has %d bytes; expected at most %d, since every customer's phone loads it", len(data), maxLogo)
	case ending == ".svg" && !isSVG(data):
		return nil, errors.New("is not a well-formed SVG")
	}
	if ending == ".png" {
		if size, err := png.DecodeConfig(bytes.NewReader(data)); err != nil {
			return nil, errors.New("is not a PNG")
		} else if size.Width > 1024 || size.Height > 1024 {
			return nil, fmt.Errorf("is %d by %d; expected at most 1024 by 1024, of which 32 by 32 are shown", size.Width, size.Height)
		}
	}
	sum := sha256.Sum256(data)
	return &Logo{data, contentTypes[ending], LogoPath + "logo-" + hex.EncodeToString(sum[:6]) + ending}, nil
}

// isSVG reports whether data is XML to its end, of an svg.
func isSVG(data []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(data))
	root := ""
	for {
		token, err := d.Token()
		if err != nil {
			return errors.Is(err, io.EOF) && root == "svg"
		}
		if start, ok := token.(xml.StartElement); ok && root == "" {
			root = start.Name.Local
		}
	}
}

// Path is the logo's address, empty without one.
func (l *Logo) Path() string {
	if l == nil {
		return ""
	}
	return l.path
}

// ServeHTTP serves the logo. The pages show it as an image, where no browser
// runs an SVG's scripts or loads what it names; whoever opens its address gets
// it without either too, and outside of our origin.
func (l *Logo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if l == nil || r.URL.Path != l.path {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", l.kind)
	h.Set("Content-Length", strconv.Itoa(len(l.data)))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if r.Method != http.MethodHead {
		_, _ = w.Write(l.data) // fails if the client has gone
	}
}

// Frame is what stands around what a customer's page says: the brand, the note
// that money is play money, and the links below. The page's script makes the
// same, so that nothing moves when it takes over.
type Frame struct {
	Brand Brand
	// Test and TestNote tell of a test network; empty elsewhere.
	Test, TestNote string
	// Help, Terms and Privacy are the links' texts.
	Help, Terms, Privacy string
	Main                 template.HTML // the main element
}

var frameTemplate = template.Must(template.New("frame").Parse(
	`{{with .Test}}<aside class="test" aria-label="{{.}}"><strong>{{.}}</strong> {{$.TestNote}}</aside>{{end}}` +
		`<div class="page"><header><span class="brand">` +
		`{{with .Brand.Logo}}<img class="brand-mark" src="{{.Path}}" alt="" width="32" height="32">{{else}}<span class="brand-mark" aria-hidden="true">{{.Brand.Initial}}</span>{{end}} ` +
		`{{.Brand.Name}}</span></header>{{.Main}}<footer>` +
		`{{with .Brand.SupportEmail}}<a class="contact" data-address="{{.}}" href="mailto:{{.}}">{{$.Help}}</a>{{end}}` +
		`{{with .Brand.Terms}}<a href="{{.}}" target="_blank" rel="noopener noreferrer">{{$.Terms}}</a>{{end}}` +
		`{{with .Brand.Privacy}}<a href="{{.}}" target="_blank" rel="noopener noreferrer">{{$.Privacy}}</a>{{end}}` +
		`</footer></div>`))

// Initial stands in for a logo.
func (b Brand) Initial() string {
	first, _ := utf8.DecodeRuneInString(b.Name)
	return strings.ToUpper(string(first))
}

// HTML is the page's body.
func (f Frame) HTML() template.HTML {
	var b strings.Builder
	if err := frameTemplate.Execute(&b, f); err != nil {
		panic(err) // a template that does not fit its data: every test would show it
	}
	return template.HTML(b.String()) //nolint:gosec // html/template has escaped it
}

// inline is a style element, and what allows it in a policy: itself alone.
func inline(css string) (element, source string) {
	if css == "" {
		return "", ""
	}
	sum := sha256.Sum256([]byte(css))
	return "<style>" + css + "</style>", "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
