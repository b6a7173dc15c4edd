package main

import (
	"strings"
	"testing"
)

// TestMailConfig: off until there is a host; what is wrong is named with its mend,
// and never the password.
func TestMailConfig(t *testing.T) {
	t.Parallel()
	c, problems := loadExample(t, nil)
	if problems != nil || c.Mail.Host != "" || c.Mail.PerAddress != 10 {
		t.Fatal(problems, c.Mail)
	}
	good := []string{"HOST=smtp.example.com", "FROM=money@example.com"}
	for name, c := range map[string]struct {
		environ []string
		want    string // of the one problem; "" is none
		port    int
	}{
		"the least":               {good, "", 587},
		"TLS from the first byte": {append(good, "TLS=implicit"), "", 465},
		"this machine":            {[]string{"HOST=localhost", "FROM=money@example.com", "TLS=none"}, "", 25},
		"a port":                  {append(good, "PORT=2525"), "", 2525},
		"a password":              {append(good, "USERNAME=w", "PASSWORD=hunter2"), "", 587},
		"no host":                 {[]string{"FROM=money@example.com"}, "mail.from: is given without mail.host", 0},
		"no from":                 {good[:1], `mail.from: "" will not do; expected the address alone`, 0},
		"a name before it":        {append(good, "FROM=Anchor <money@example.com>"), "mail.from: ", 0},
		"two lines":               {append(good, "FROM=money@example.com\r\nBcc: x@example.com"), "mail.from: ", 0},
		"a port in the host":      {append(good, "HOST=smtp.example.com:25"), "mail.host: ", 0},
		"a port too high":         {append(good, "PORT=65536"), "mail.port: 65536 will not do", 0},
		"no such way":             {append(good, "TLS=ssl"), "mail.tls: \"ssl\" will not do; expected starttls, implicit", 0},
		"in the clear":            {append(good, "TLS=none"), "mail.tls: none is for a mail server on this machine only", 0},
		"a password in the clear": {[]string{"HOST=localhost", "FROM=money@example.com", "TLS=none", "USERNAME=w", "PASSWORD=hunter2"}, "mail.username: would go over the line in the clear", 0},
		"no name":                 {append(good, "PASSWORD=hunter2"), "mail.username: is missing", 0},
		"no password":             {append(good, "USERNAME=w"), "mail.password: is missing", 0},
		"no such file":            {append(good, "USERNAME=w", "PASSWORD_FILE=nowhere"), "mail.password_file: ", 0},
		"no time":                 {append(good, "TIMEOUT=1ms"), "mail.timeout: 1ms will not do; expected between 1s and 5m", 0},
		"a flood":                 {append(good, "PER_ADDRESS=100000"), "mail.per_address: 100000 will not do", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var environ []string
			for _, e := range c.environ {
				environ = append(environ, envPrefix+"MAIL_"+e)
			}
			got, problems := loadExample(t, environ)
			switch {
			case c.want == "" && (problems != nil || got.Mail.Port != c.port):
				t.Errorf("%v, %v", problems, got)
			case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].String(), c.want)):
				t.Errorf("%v, want %s", problems, c.want)
			case problems != nil && strings.Contains(problems.Error(), "hunter2"):
				t.Error("it shows the password")
			}
		})
	}
}
