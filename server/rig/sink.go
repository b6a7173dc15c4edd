package rig

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"net/http/httptest"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Mail is one that a [Sink] has taken.
type Mail struct {
	From, To string // of the envelope
	Raw      string
	*mail.Message
}

// A Sink is a mail server that keeps what it is given. Its certificate is for
// 127.0.0.1.
type Sink struct {
	Port  int
	Roots *x509.CertPool

	t    testing.TB
	tls  *tls.Config
	from bool // it speaks TLS from the first byte

	mu     sync.Mutex
	answer func(verb, line string) string
	got    []*Mail
	open   map[net.Conn]bool
	users  []string // that signed in, "name password"
}

// NewSink starts a mail server, which speaks TLS from the first byte if so asked.
func NewSink(t testing.TB, implicit bool) *Sink {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	s := &Sink{t: t, Roots: roots, tls: &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}, from: implicit, open: map[net.Conn]bool{}}
	web.Close()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	Must(t, err)
	s.Port = l.Addr().(*net.TCPAddr).Port //nolint:errcheck // it is one
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for conn := range s.open {
			_ = conn.Close()
		}
		s.mu.Unlock()
		serving.Wait()
	})
	return s
}

// Answer has commands answered otherwise: by the verb (or "body", for what was
// written) and the whole line. "" is the usual answer; "hang up" hangs up.
func (s *Sink) Answer(with func(verb, line string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = with
}

// Got are the mails that came.
func (s *Sink) Got() []*Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// Users are who signed in, each with the password.
func (s *Sink) Users() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.users)
}

// serve is one connection.
func (s *Sink) serve(conn net.Conn) {
	s.mu.Lock()
	s.open[conn] = true
	s.mu.Unlock()
	raw := conn
	defer func() {
		_ = raw.Close()
		s.mu.Lock()
		delete(s.open, raw)
		s.mu.Unlock()
	}()
	secure := s.from
	if secure {
		conn = tls.Server(conn, s.tls)
	}
	r := bufio.NewReader(conn)
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") } // who has gone hears nothing
	say("220 sink")
	m := &Mail{}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		verb = strings.ToUpper(verb)
		reply := s.reply(verb, line)
		switch {
		case reply == "hang up":
			return
		case reply != "":
			say(reply)
			continue
		}
		switch verb {
		case "EHLO":
			say("250-sink")
			if !secure {
				say("250-STARTTLS")
			}
			say("250-SMTPUTF8")
			say("250-AUTH PLAIN LOGIN")
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			conn, secure = tls.Server(conn, s.tls), true
			r = bufio.NewReader(conn)
		case "AUTH":
			word, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(rest, "PLAIN "))
			s.mu.Lock()
			s.users = append(s.users, strings.TrimSpace(strings.ReplaceAll(string(word), "\x00", " ")))
			s.mu.Unlock()
			say("235 welcome")
		case "MAIL":
			m = &Mail{From: within(line)}
			say("250 ok")
		case "RCPT":
			m.To = within(line)
			say("250 ok")
		case "DATA":
			say("354 go on")
			body, err := io.ReadAll(textproto.NewReader(r).DotReader())
			if err != nil {
				return
			}
			reply := s.reply("body", "")
			if reply == "" || reply == "hang up" { // it has it, and does not say so
				s.keep(m, string(body))
			}
			switch reply {
			case "hang up":
				return
			case "":
				reply = "250 kept"
			}
			say(reply)
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *Sink) reply(verb, line string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answer == nil {
		return ""
	}
	return s.answer(verb, line)
}

func (s *Sink) keep(m *Mail, body string) {
	var err error
	m.Raw = body
	if m.Message, err = mail.ReadMessage(strings.NewReader(body)); err != nil {
		s.t.Errorf("a mail that cannot be read: %v\n%s", err, body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, m)
}

// within is what stands between < and >.
func within(line string) string {
	_, rest, _ := strings.Cut(line, "<")
	text, _, _ := strings.Cut(rest, ">")
	return text
}
