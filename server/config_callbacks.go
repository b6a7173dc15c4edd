package main

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// CallbacksConfig says for how long wallets' servers are told of their
// transactions, how long it is remembered, and which apps are handed back to.
type CallbacksConfig struct {
	Patience      Duration `toml:"patience" env:"PATIENCE"`
	KeepDelivered Duration `toml:"keep_delivered" env:"KEEP_DELIVERED"`
	KeepGivenUp   Duration `toml:"keep_given_up" env:"KEEP_GIVEN_UP"`
	// Schemes are the address schemes of wallets that are apps.
	Schemes []string `toml:"schemes" env:"SCHEMES"`
}

func (k *check) callbacks(c *CallbacksConfig) {
	const year = 365 * 24 * time.Hour
	k.between("callbacks.patience", c.Patience, time.Minute, 30*24*time.Hour)
	k.between("callbacks.keep_delivered", c.KeepDelivered, time.Hour, 10*year)
	k.between("callbacks.keep_given_up", c.KeepGivenUp, time.Hour, 10*year)
	for i, s := range c.Schemes {
		switch {
		case !appScheme.MatchString(s):
			k.wrong("callbacks.schemes", `entry %d, %q, will not do; expected the part of an app's addresses before the colon, in small letters, such as "mywallet"`, i+1, s)
		case slices.Contains(takenSchemes, s), slices.ContainsFunc(takenFamilies, func(p string) bool { return strings.HasPrefix(s, p) }):
			k.wrong("callbacks.schemes", "entry %d, %q, belongs to browsers, systems or websites; only one that a single wallet's app has made up for itself will do", i+1, s)
		case slices.Contains(c.Schemes[:i], s):
			k.wrong("callbacks.schemes", "%q is listed twice", s)
		}
	}
}

// appScheme is RFC 3986's, section 3.1, as it is compared: in small letters.
var appScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]{1,63}$`)

// takenSchemes are those that lead elsewhere than to one wallet's app: to a
// website, a script, a file, a call or a payment. takenFamilies are how such
// schemes begin. With one of them in the list, whoever opens an interactive page
// could send its customer there. A scheme of one letter is a drive of Windows'.
var (
	takenSchemes = []string{
		// Browsers' own, and what they fetch or run.
		"about", "blob", "cid", "data", "feed", "file", "filesystem", "ftp", "ftps", "gopher", "http", "https", "jar", "javascript",
		"livescript", "mhtml", "mid", "mocha", "resource", "vbscript", "view-source", "wais", "ws", "wss", "wyciwyg",
		// Systems' own: any app, a shop of apps, a share, a call, a message.
		"android-app", "app-settings", "applescript", "content", "facetime", "facetime-audio", "intent", "itms", "itms-apps",
		"itms-appss", "itms-services", "macappstore", "market", "nfs", "prefs", "rdp", "search", "search-ms", "shell", "shortcuts", "smb", "vnc",
		// What a website may handle by registerProtocolHandler (HTML, 8.9.1.3), which
		// would be a redirect to it, and what asks for another payment.
		"bitcoin", "ethereum", "geo", "im", "irc", "ircs", "lightning", "magnet", "mailto", "matrix", "mms", "news", "nntp", "openpgp4fpr",
		"sftp", "sip", "sips", "skype", "sms", "smsto", "ssh", "tel", "telnet", "upi", "urn", "webcal", "wtai", "xmpp",
	}
	takenFamilies = []string{"web+", "ext+", "ms-", "chrome", "edge", "moz-", "safari-", "x-apple", "x-safari", "x-web-search"}
)
