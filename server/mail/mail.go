// Package mail writes e-mails and hands them to the operator's mail server.
//
// It holds how a letter looks, in plain text and in HTML, and the talk with the
// server; and it must not know what a letter is about, whom it is for, or when it
// is sent again: package notify knows, which delivers the outbox.
//
// Why a room of its own: it brings the one library that speaks SMTP, and needs
// nothing of ours but the catalogue. notify would otherwise be the courier and the
// stationer, too.
//
// Nothing that a server answers is kept but its number: servers like to quote the
// address, and errors of this package are logged.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
	"golang.org/x/net/idna"
)

// TLS says how the talk with the mail server is kept secret.
type TLS string

// The ways. Without any, only a server on this machine is talked to.
const (
	StartTLS TLS = "starttls" // begun in the clear, and never gone on with in it
	Implicit TLS = "implicit" // from the first byte
	NoTLS    TLS = "none"
)

// Config is what a [Sender] needs.
type Config struct {
	Host               string
	Port               int
	TLS                TLS
	Username, Password string // without a name nobody signs in
	// From is the address that e-mails come from, Name who that is, and Support
	// where an answer goes.
	From, Name, Support string
	// Folder takes e-mails as files in place of a server, for who develops and has
	// none; "" otherwise.
	Folder string
	// TestNetwork is the network's name where money is play money, else "".
	TestNetwork string
	// Timeout bounds all that one e-mail takes at the server; 30 s by default.
	Timeout time.Duration
	// Roots are whom the server's certificate may be from; nil is whom the system
	// trusts.
	Roots *x509.CertPool
}

// Sender hands e-mails to a mail server. Use New.
type Sender struct {
	Config
}

// New prepares to send. Nothing is asked of the server yet.
func New(c Config) *Sender {
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	return &Sender{c}
}

// Fault is why an e-mail was not taken.
type Fault struct {
	// Step is what was refused, Code the server's number for why: 0 if it was never
	// answered.
	Step string
	Code int
	// Letter says that it is this e-mail that is not taken, or its address, and not
	// any; Never that it would be the same every time.
	Letter, Never bool
}

func (f *Fault) Error() string {
	if f.Code == 0 {
		return f.Step
	}
	return f.Step + ": " + strconv.Itoa(f.Code)
}

// Check signs in at the server and leaves again.
func (s *Sender) Check(ctx context.Context) error {
	if s.Folder != "" {
		return os.MkdirAll(s.Folder, 0o700)
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	talk, err := s.dial(ctx)
	if err != nil {
		return err
	}
	talk.end()
	return nil
}

// Send hands one e-mail over; nil says that the server has it.
//
// A server that took it and whose word was lost gets it again: its Message-ID is
// then the same, by which servers and readers may tell.
func (s *Sender) Send(ctx context.Context, l Letter) *Fault {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	m, err := s.message(l)
	if err != nil {
		return &Fault{Step: err.Error(), Letter: true, Never: true}
	}
	if s.Folder != "" {
		if err := s.keep(l.ID, m); err != nil {
			return &Fault{Step: "the e-mail could not be kept: " + err.Error()}
		}
		return nil
	}
	talk, err := s.dial(ctx)
	if err != nil {
		return &Fault{Step: err.Error()}
	}
	defer talk.end()
	err = talk.client.SendWithSMTPClient(talk.smtp, m)
	if m.IsDelivered() {
		return nil // whatever went wrong after that
	}
	return fault(err)
}

// keep writes an e-mail into the folder: one that is sent again, over itself.
func (s *Sender) keep(id string, m *gomail.Msg) error {
	if err := os.MkdirAll(s.Folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.Folder, ".new-*")
	if err != nil {
		return err
	}
	_, err = m.WriteTo(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), filepath.Join(s.Folder, id+".eml"))
}

// fault is what an error means.
func fault(err error) *Fault {
	e, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return &Fault{Step: "the mail server did not answer"}
	}
	f := &Fault{Step: "the mail server went away", Code: e.ErrorCode()}
	switch e.Reason { //nolint:exhaustive // the others are before or after, and nobody's fault
	case gomail.ErrSMTPMailFrom:
		f.Step = "the mail server refused our own address"
	case gomail.ErrSMTPRcptTo:
		// 421 and 530 are about the talk, not the address: it closes, or wants a sign-in.
		f.Step, f.Letter = "the mail server refused the address", f.Code != 0 && f.Code != 421 && f.Code != 530
	case gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		f.Step, f.Letter = "the mail server refused what was written", f.Code >= 500
	}
	f.Never = f.Letter && f.Code >= 500
	return f
}

// talk is a connection to the server, signed in.
type talk struct {
	client *gomail.Client
	smtp   *smtp.Client
	end    func()
}

// dial connects and signs in. The connection ends with ctx.
func (s *Sender) dial(ctx context.Context) (_ *talk, err error) {
	ctx, end := context.WithCancel(ctx)
	defer func() {
		if err != nil {
			end()
		}
	}()
	secure := &tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	options := []gomail.Option{
		gomail.WithPort(s.Port), gomail.WithTimeout(s.Timeout), gomail.WithTLSConfig(secure), gomail.WithHELO(domain(s.From)), gomail.WithTLSPolicy(gomail.TLSMandatory),
		gomail.WithDialContextFunc(func(_ context.Context, network, address string) (net.Conn, error) {
			return s.connect(ctx, secure, network, address)
		}),
	}
	switch s.TLS {
	case Implicit:
		options = append(options, gomail.WithSSL())
	case NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	case StartTLS:
	}
	if s.Username != "" {
		options = append(options, gomail.WithUsername(s.Username), gomail.WithPassword(s.Password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	client, err := gomail.NewClient(s.Host, options...)
	if err != nil {
		return nil, err
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("the mail server cannot be talked to: %w", numbered(err))
	}
	return &talk{client, session, func() {
		_ = client.CloseWithSMTPClient(session) // politeness, after all is said
		end()
	}}, nil
}

// connect connects until ctx ends, which the library looks at no more once it has
// the connection: it keeps to time limits for each answer.
func (s *Sender) connect(ctx context.Context, secure *tls.Config, network, address string) (conn net.Conn, err error) {
	if s.TLS == Implicit {
		conn, err = (&tls.Dialer{Config: secure}).DialContext(ctx, network, address)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, nil
}

// numbered is an error with no more of the server's words than their number.
func numbered(err error) error {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("it answered %d", e.Code)
	}
	return err
}

// address checks an address once more, whoever gave it, since it is spoken to the
// server: one line, without a name, and a domain that every server can read.
func address(text string) (string, error) {
	bad := errors.New("the address cannot be written to")
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", bad
	}
	name, host := text[:strings.LastIndex(text, "@")], domain(text)
	if host, err = idna.Lookup.ToASCII(host); err != nil {
		return "", bad
	}
	return name + "@" + host, nil
}

// domain is what stands behind an address's @.
func domain(address string) string { return address[strings.LastIndex(address, "@")+1:] }
