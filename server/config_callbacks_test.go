package main

import (
	"slices"
	"strings"
	"testing"
)

// TestSchemes: only what a wallet's app has made up for itself is opened.
func TestSchemes(t *testing.T) {
	t.Parallel()
	c, problems := loadExample(t, nil)
	if problems != nil || len(c.Callbacks.Schemes) != 0 {
		t.Fatal(problems, c.Callbacks.Schemes)
	}
	c, problems = loadExample(t, []string{"WINDLASS_CALLBACKS_SCHEMES=mywallet,com.example.wallet,w2+x-y"})
	if problems != nil || !slices.Equal(c.Callbacks.Schemes, []string{"mywallet", "com.example.wallet", "w2+x-y"}) {
		t.Fatal(problems, c)
	}
	const grammar, taken = "will not do; expected the part of an app's addresses before the colon", "belongs to browsers, systems or websites"
	for s, want := range map[string]string{
		"MyWallet": grammar, "my wallet": grammar, "1wallet": grammar, "mywallet:": grammar, "mywallet://": grammar, "c": grammar, "wället": grammar, "*": grammar,
		strings.Repeat("w", 65): grammar,
		"http":                  taken, "https": taken, "javascript": taken, "data": taken, "blob": taken, "file": taken, "about": taken, "intent": taken,
		"ws": taken, "wss": taken, "view-source": taken, "tel": taken, "mailto": taken, "web+stellar": taken, "ms-settings": taken, "chrome-extension": taken,
		"mywallet": "is listed twice",
	} {
		_, problems := loadExample(t, []string{"WINDLASS_CALLBACKS_SCHEMES=mywallet," + s})
		if len(problems) != 1 || !strings.HasPrefix(problems[0].String(), "WINDLASS_CALLBACKS_SCHEMES: callbacks.schemes: ") || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%q: %v", s, problems)
		}
	}
}
