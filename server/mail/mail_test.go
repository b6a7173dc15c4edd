package mail_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/server/language"
	"windlass/server/mail"
	"windlass/server/rig"
)

func config(sink *rig.Sink, secure mail.TLS) mail.Config {
	c := mail.Config{
		Host: "127.0.0.1", Port: sink.Port, TLS: secure, From: "money@anchor.example", Name: "Ñandú “Anchor”, Ltd",
		Support: "help@anchor.example", Roots: sink.Roots, TestNetwork: "Testnet", Timeout: 20 * time.Second,
	}
	if secure != mail.NoTLS {
		c.Username, c.Password = "windlass", "s3cret"
	}
	return c
}

func letter(lang string) mail.Letter {
	return mail.Letter{
		To: "ana@customer.example", Lang: lang, ID: "tx-1.7.1", Thread: "tx-1",
		Subject: language.Text(lang, "mail.subject.completed.deposit", map[string]string{"amount_out": "97.50", "asset_out": "USDW"}),
		Text:    []string{"It is <b>here</b> & now."},
		Tables:  []mail.Table{{Title: "How", Rows: []mail.Row{{"Amount", "97.50 USDW"}}}, {Rows: []mail.Row{{"Reference", "WL-1"}}}},
		Link:    "https://anchor.example/transaction/tx-1?c=abc&d=e",
	}
}

// parts are the texts of a mail by their types.
func parts(t *testing.T, m *rig.Mail) map[string]string {
	t.Helper()
	kind, args, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%q: %v", kind, err)
	}
	all, order := map[string]string{}, []string{}
	for r := multipart.NewReader(m.Body, args["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		rig.Must(t, err)
		kind, args, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil || !strings.EqualFold(args["charset"], "utf-8") || p.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Errorf("a part %v", p.Header)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		rig.Must(t, err)
		all[kind] = string(body)
		order = append(order, kind)
	}
	if !slices.Equal(order, []string{"text/plain", "text/html"}) { // the last is the best (RFC 2046, 5.1.4)
		t.Errorf("parts %v", order)
	}
	return all
}

func decoded(t *testing.T, header string) string {
	t.Helper()
	text, err := new(mime.WordDecoder).DecodeHeader(header)
	rig.Must(t, err)
	return text
}

// TestSent: what arrives, by each way to keep the talk secret, in every language.
func TestSent(t *testing.T) {
	t.Parallel()
	for _, secure := range []mail.TLS{mail.StartTLS, mail.Implicit, mail.NoTLS} {
		t.Run(string(secure), func(t *testing.T) {
			t.Parallel()
			sink := rig.NewSink(t, secure == mail.Implicit)
			s := mail.New(config(sink, secure))
			rig.Must(t, s.Check(t.Context()))
			for i, lang := range language.Languages {
				l := letter(lang)
				if f := s.Send(t.Context(), l); f != nil {
					t.Fatal(f)
				}
				m := sink.Got()[i]
				if m.From != "money@anchor.example" || m.To != l.To {
					t.Errorf("from %q to %q", m.From, m.To)
				}
				for key, want := range map[string]string{
					"Subject": l.Subject, "To": "<ana@customer.example>", "Message-Id": "<tx-1.7.1@anchor.example>", "References": "<tx-1@anchor.example>",
					"Auto-Submitted": "auto-generated", "Content-Language": lang, "X-Mailer": "", "List-Unsubscribe": "",
				} {
					if got := decoded(t, m.Header.Get(key)); got != want {
						t.Errorf("%s: %q, want %q", key, got, want)
					}
				}
				for key, want := range map[string]string{"From": "money@anchor.example", "Reply-To": "help@anchor.example"} {
					a, err := m.Header.AddressList(key)
					if err != nil || len(a) != 1 || a[0].Address != want || a[0].Name != "Ñandú “Anchor”, Ltd" {
						t.Errorf("%s: %v, %v", key, a, err)
					}
				}
				if at, err := m.Header.Date(); err != nil || time.Since(at) > time.Minute {
					t.Errorf("%v, %v", at, err)
				}
				looks(t, l, parts(t, m))
			}
			if want := secure != mail.NoTLS; (len(sink.Users()) > 0) != want || want && sink.Users()[0] != "windlass s3cret" {
				t.Errorf("signed in: %q", sink.Users())
			}
		})
	}
}

var address = regexp.MustCompile(`(?i)(src|href|url|background)\s*[=(]\s*["']?([^"'\s)>]+)`)

// looks reads a letter as its two readers do.
func looks(t *testing.T, l mail.Letter, of map[string]string) {
	t.Helper()
	text, html := of["text/plain"], of["text/html"]
	for _, want := range []string{l.Text[0], line(l.Lang, "Amount", "97.50 USDW"), line(l.Lang, "Reference", "WL-1"), "\n" + l.Link + "\n", "help@anchor.example", "Testnet"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: the text has no %q:\n%s", l.Lang, want, text)
		}
	}
	for _, want := range []string{`lang="` + l.Lang + `" dir="` + language.Direction(l.Lang) + `"`, "It is &lt;b&gt;here&lt;/b&gt; &amp; now.", "<bdi>97.50 USDW</bdi>", "<h1", `name="color-scheme" content="light dark"`, "Testnet"} {
		if !strings.Contains(html, want) {
			t.Errorf("%s: the page has no %q:\n%s", l.Lang, want, html)
		}
	}
	// What is copied carries nothing that nobody sees.
	if !strings.Contains(html, "<bdi>WL-1</bdi>") || strings.Contains(text+html, "\u2068help@") {
		t.Errorf("%s: %q", l.Lang, text)
	}
	for _, found := range address.FindAllStringSubmatch(html, -1) {
		if found[1] != "href" || found[2] != "https://anchor.example/transaction/tx-1?c=abc&amp;d=e" {
			t.Errorf("%s: the page leads to %q", l.Lang, found)
		}
	}
	if strings.Contains(text+html, "{{") || strings.Contains(html, "<style") || strings.Contains(html, "<script") || strings.Contains(html, "<img") {
		t.Errorf("%s: %s\n%s", l.Lang, text, html)
	}
}

// line is a row in plain text. From right to left its value is set apart, with spaces
// around it so that it can be copied alone; French leaves room before a colon.
func line(lang, label, value string) string {
	switch lang {
	case "ar":
		return "\n\u2068" + label + "\u2069: \u2068" + value + " \u2069\n"
	case "fr":
		return "\n" + label + "\u00a0: " + value + "\n"
	}
	return "\n" + label + ": " + value + "\n"
}

// TestRefused: what each answer means, and that no more of it is kept than its
// number.
func TestRefused(t *testing.T) {
	t.Parallel()
	const words = " 5.1.1 <ana@customer.example> says no"
	for name, c := range map[string]struct {
		verb, answer string
		want         mail.Fault
	}{
		"sign-in":         {"AUTH", "535", mail.Fault{Step: "the mail server cannot be talked to: SMTP AUTH failed"}},
		"the greeting":    {"EHLO", "421", mail.Fault{}},
		"our address":     {"MAIL", "550", mail.Fault{Code: 550}},
		"not now":         {"MAIL", "451", mail.Fault{Code: 451}},
		"no such box":     {"RCPT", "550", mail.Fault{Code: 550, Letter: true, Never: true}},
		"a full box":      {"RCPT", "452", mail.Fault{Code: 452, Letter: true}},
		"closing":         {"RCPT", "421", mail.Fault{Code: 421}},
		"a sign-in":       {"RCPT", "530", mail.Fault{Code: 530}},
		"gone at the box": {"RCPT", "hang up", mail.Fault{}},
		"no data":         {"DATA", "451", mail.Fault{Code: 451}},
		"spam":            {"body", "554", mail.Fault{Code: 554, Letter: true, Never: true}},
		"no room":         {"body", "452", mail.Fault{Code: 452}},
		"gone at the end": {"body", "hang up", mail.Fault{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink := rig.NewSink(t, false)
			sink.Answer(func(verb, _ string) string {
				switch {
				case verb != c.verb:
					return ""
				case c.answer == "hang up":
					return c.answer
				}
				return c.answer + words
			})
			f := mail.New(config(sink, mail.StartTLS)).Send(t.Context(), letter("en"))
			switch {
			case f == nil:
				t.Fatal("it was sent")
			case f.Code != c.want.Code, f.Letter != c.want.Letter, f.Never != c.want.Never:
				t.Errorf("%+v, want %+v", f, c.want)
			case strings.Contains(f.Error(), "customer"):
				t.Errorf("it tells the address: %v", f)
			}
		})
	}
	t.Run("after it", func(t *testing.T) { // it has it: nothing that comes then matters
		t.Parallel()
		sink := rig.NewSink(t, false)
		written := false
		sink.Answer(func(verb, _ string) string {
			if written {
				return "hang up"
			}
			written = verb == "body"
			return ""
		})
		if f := mail.New(config(sink, mail.StartTLS)).Send(t.Context(), letter("en")); f != nil {
			t.Error(f)
		}
	})
}

// TestSecret: neither the password nor a letter goes over a line that anybody can
// read, or to somebody who only says to be the server.
func TestSecret(t *testing.T) {
	t.Parallel()
	plain := rig.NewSink(t, false)
	plain.Answer(func(verb, _ string) string {
		if verb == "EHLO" {
			return "250-sink\r\n250 AUTH PLAIN LOGIN" // as somebody on the way would have it
		}
		return ""
	})
	stranger := rig.NewSink(t, false)
	c := config(stranger, mail.StartTLS)
	c.Roots = nil
	implicit := config(rig.NewSink(t, true), mail.Implicit)
	implicit.Roots = nil
	for name, c := range map[string]mail.Config{"no STARTTLS": config(plain, mail.StartTLS), "a stranger": c, "a stranger's TLS": implicit} {
		if f := mail.New(c).Send(t.Context(), letter("en")); f == nil || f.Letter || f.Never || strings.Contains(f.Error(), "s3cret") {
			t.Errorf("%s: %v", name, f)
		}
	}
	if len(plain.Users())+len(stranger.Users())+len(plain.Got())+len(stranger.Got()) > 0 {
		t.Errorf("it spoke: %v, %v", plain.Users(), stranger.Users())
	}
}

// TestInjected: what would be a line of its own, or another's address, is not.
func TestInjected(t *testing.T) {
	t.Parallel()
	sink := rig.NewSink(t, false)
	c := config(sink, mail.StartTLS)
	for _, to := range []string{
		"", "ana", "ana@customer.example\r\nBcc: eve@evil.example", "ana@customer.example>\r\nRCPT TO:<eve@evil.example", "ana@customer.example, eve@evil.example",
		"Ana <ana@customer.example>", "\"a b\"@customer.example", "ana@customer.example\x00", "ana@cust omer.example", "ana@-.example", "ana@\u202ecustomer.example",
	} {
		l := letter("en")
		l.To = to
		if f := mail.New(c).Send(t.Context(), l); f == nil || !f.Never || !f.Letter || strings.Contains(f.Error(), "ana") {
			t.Errorf("%q: %v", to, f)
		}
	}
	if len(sink.Got()) > 0 {
		t.Errorf("%d were sent", len(sink.Got()))
	}
	c.Name = "Anchor\r\nBcc: eve@evil.example"
	l := letter("en")
	l.Subject, l.To = "Hello\r\nBcc: eve@evil.example\r\n\r\nbody", "ana@müller.example"
	if f := mail.New(c).Send(t.Context(), l); f != nil {
		t.Fatal(f)
	}
	m := sink.Got()[0]
	if m.To != "ana@xn--mller-kva.example" {
		t.Errorf("to %q", m.To)
	}
	for key := range m.Header {
		if !slices.Contains([]string{"From", "To", "Reply-To", "Subject", "Date", "Message-Id", "References", "Mime-Version", "Content-Type", "Content-Language", "Auto-Submitted", "X-Auto-Response-Suppress"}, key) {
			t.Errorf("a header %s: %q", key, m.Header[key])
		}
	}
}

// TestHangs: a server that says nothing holds an e-mail for its time only, and not
// when we are told to stop.
func TestHangs(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	rig.Must(t, err)
	defer func() { rig.Must(t, l.Close()) }()                                                                                 // connections wait unanswered until then
	c := mail.Config{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: mail.StartTLS, From: "money@anchor.example"} //nolint:errcheck // it is one
	c.Timeout = 50 * time.Millisecond
	if f := mail.New(c).Send(t.Context(), letter("en")); f == nil || f.Letter {
		t.Errorf("%v", f)
	}
	if err := mail.New(c).Check(t.Context()); err == nil {
		t.Error("the check passed")
	}
	c.Timeout = time.Hour
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if f := mail.New(c).Send(ctx, letter("en")); f == nil || f.Letter {
		t.Errorf("%v", f)
	}
}

// TestSaidOnce: a letter whose subject says it all does not say it again.
func TestSaidOnce(t *testing.T) {
	t.Parallel()
	sink := rig.NewSink(t, false)
	l := letter("en")
	l.Text = []string{l.Subject + ".", "More."}
	if f := mail.New(config(sink, mail.NoTLS)).Send(t.Context(), l); f != nil {
		t.Fatal(f)
	}
	for kind, text := range parts(t, sink.Got()[0]) {
		if strings.Contains(text, l.Text[0]) || !strings.Contains(text, "More.") {
			t.Errorf("%s: %s", kind, text)
		}
	}
}

// TestKept: where somebody develops without a mail server, an e-mail is a file, and
// one that is sent again no second one.
func TestKept(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "mail")
	s := mail.New(mail.Config{Folder: folder, From: "money@anchor.example", Name: "Ñandú “Anchor”, Ltd", Support: "help@anchor.example", TestNetwork: "Testnet"})
	rig.Must(t, s.Check(t.Context()))
	for range 2 {
		if f := s.Send(t.Context(), letter("es")); f != nil {
			t.Fatal(f)
		}
	}
	files, err := os.ReadDir(folder)
	rig.Must(t, err)
	if len(files) != 1 || files[0].Name() != "tx-1.7.1.eml" {
		t.Fatal(files)
	}
	path := filepath.Join(folder, files[0].Name())
	b, err := os.ReadFile(path)
	rig.Must(t, err)
	m, err := netmail.ReadMessage(strings.NewReader(strings.ReplaceAll(string(b), "\r\n", "\n")))
	rig.Must(t, err)
	looks(t, letter("es"), parts(t, &rig.Mail{Message: m}))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
}
