package main

import (
	"net/mail"
	"slices"
	"strings"
	"time"

	"windlass/server/anchor"
	letters "windlass/server/mail"
	"windlass/server/sep10"
)

// MailConfig is the mail server that customers are written to through; without a
// host nobody is written to.
type MailConfig struct {
	Host         string   `toml:"host" env:"HOST"`
	Port         int      `toml:"port" env:"PORT"` // 0 is the usual one for tls
	TLS          string   `toml:"tls" env:"TLS"`   // starttls, implicit or none
	From         string   `toml:"from" env:"FROM"` // an address, without a name
	Username     string   `toml:"username" env:"USERNAME"`
	Password     Secret   `toml:"password" env:"PASSWORD"`
	PasswordFile string   `toml:"password_file" env:"PASSWORD_FILE"`
	Timeout      Duration `toml:"timeout" env:"TIMEOUT"`
	PerAddress   int      `toml:"per_address" env:"PER_ADDRESS"` // in 24 hours
}

// mailPorts are the usual ports for each way.
var mailPorts = map[letters.TLS]int{letters.StartTLS: 587, letters.Implicit: 465, letters.NoTLS: 25}

func (k *check) mail(m *MailConfig) {
	if m.Host == "" {
		for key, given := range map[string]bool{"from": m.From != "", "username": m.Username != "", "password": m.Password != "", "password_file": m.PasswordFile != ""} {
			if given {
				k.wrong("mail."+key, "is given without mail.host; expected the mail server's name there, such as \"smtp.example.com\"")
			}
		}
		return
	}
	if strings.ContainsAny(m.Host, ":/@ ") && !sep10.IsLoopback(m.Host) {
		k.wrong("mail.host", `%q will not do; expected a host name alone, such as "smtp.example.com"; the port is mail.port`, m.Host)
	}
	port, known := mailPorts[letters.TLS(m.TLS)]
	switch {
	case !known:
		k.wrong("mail.tls", "%q will not do; expected starttls, implicit (TLS from the first byte) or none (for this machine only)", m.TLS)
	case m.TLS == string(letters.NoTLS) && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, m.Host):
		k.wrong("mail.tls", "none is for a mail server on this machine only, and %q is elsewhere: everybody on the way could read what customers are told; expected starttls or implicit", m.Host)
	}
	if fill(&m.Port, port); known && (m.Port < 1 || m.Port > 65535) {
		k.wrong("mail.port", "%d will not do; expected 1 to 65535", m.Port)
	}
	if a, err := mail.ParseAddress(m.From); err != nil || a.Address != m.From || strings.ContainsFunc(m.From, anchor.Hidden) {
		k.wrong("mail.from", `%q will not do; expected the address alone that e-mails come from, such as "money@example.com"`, m.From)
	}
	switch secret := m.Password != "" || m.PasswordFile != ""; {
	case m.Username == "" && secret:
		k.wrong("mail.username", "is missing; expected the name that goes with the password")
	case m.Username != "" && m.TLS == string(letters.NoTLS):
		k.wrong("mail.username", "would go over the line in the clear; expected none with tls = \"none\"")
	case m.Username != "":
		k.secret("mail.", "password", &m.Password, m.PasswordFile, "the password that the mail server knows", func(string) error { return nil })
	}
	k.between("mail.timeout", m.Timeout, time.Second, 5*time.Minute)
	if m.PerAddress < 1 || m.PerAddress > 1000 {
		k.wrong("mail.per_address", "%d will not do; expected 1 to 1000", m.PerAddress)
	}
}
