package anchor_test

import (
	"strings"
	"testing"

	"windlass/server/anchor"
)

func TestPaidBySomebodyElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line     anchor.BankLine
		account  string
		names    []string
		stranger bool
	}{
		"nothing is known":             {},
		"only the customer is":         {names: []string{"Ana", "Díaz"}},
		"only the payer is":            {line: anchor.BankLine{PayerName: "Ana Díaz"}},
		"the same name":                {line: anchor.BankLine{PayerName: "ANA DIAZ"}, names: []string{"Ana", "Díaz"}},
		"in another order":             {line: anchor.BankLine{PayerName: "Diaz, A."}, names: []string{"Ana", "Díaz"}},
		"a family's":                   {line: anchor.BankLine{PayerName: "Luis Díaz"}, names: []string{"Ana", "Díaz"}},
		"another name":                 {line: anchor.BankLine{PayerName: "Kim Lee"}, names: []string{"Ana", "Díaz"}, stranger: true},
		"initials tell nothing":        {line: anchor.BankLine{PayerName: "A D"}, names: []string{"Ana", "Díaz"}},
		"the account, another name":    {line: anchor.BankLine{PayerName: "Kim Lee", PayerAccount: "DE12 3456"}, account: "de123456", names: []string{"Ana"}},
		"another account, the name":    {line: anchor.BankLine{PayerName: "Ana", PayerAccount: "DE12 3457"}, account: "de123456", names: []string{"Ana"}, stranger: true},
		"an account of signs is none":  {line: anchor.BankLine{PayerAccount: "--"}, account: "--", names: []string{"Ana"}},
		"the payer's account is known": {line: anchor.BankLine{PayerName: "Ana", PayerAccount: "DE123456"}, names: []string{"Ana"}},
	} {
		if got := c.line.PaidBySomebodyElse(c.account, c.names...); got != c.stranger {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestQuotes: what answers a refund of ours quotes its id whole. Strangers write
// all sorts of things, and banks space them as they like.
func TestQuotes(t *testing.T) {
	t.Parallel()
	const order, line = "019ab7c2-4d10-7c3e-b3ab-0d2f6a1c9e55", "SIM-0000000001"
	for text, want := range map[string]struct{ order, line bool }{
		order:                               {order: true},
		line:                                {line: true},
		"REFUND OF " + order:                {order: true},
		strings.ToUpper(order):              {order: true},
		strings.ReplaceAll(order, "-", ""):  {order: true},
		strings.ReplaceAll(order, "-", " "): {order: true},
		"019ab7c2-4d10-7c3e-b3ab-0d2f6 a1c9e55 thanks": {order: true}, // wrapped by a bank
		"0 1 9 a b 7 c 2 4d10 7c3e b3ab 0d2f6a1c9e55":  {order: true},
		"/ROC/" + order + "//URI/back":                 {order: true},
		"019 " + order:                                 {order: true}, // begins like it, and begins again
		"sim 0000000001, " + order:                     {order: true, line: true},
		"SIM0000000001":                                {line: true},
		"":                                             {},
		"-":                                            {},
		"019ab7c2":                                     {},
		"4d10-7c3e-b3ab-0d2f6a1c9e55":                  {},
		order[:len(order)-1]:                           {},
		order + "0":                                    {},
		"x" + order:                                    {},
		"é" + order:                                    {}, // a letter too
		order + "٠":                                    {}, // and a digit
		"SIM-00000000012":                              {},
		"NOSIM-0000000001":                             {},
		"SIM-1":                                        {},
		"0000000001":                                   {},
		"SIM-0000000001X":                              {},
		"SIM 00000 not 00001":                          {},
		order[:18] + " and " + order[18:]:              {},
	} {
		l := anchor.BankLine{Reference: text}
		if l.Quotes(order) != want.order || l.Quotes(line) != want.line {
			t.Errorf("%q: %v, %v", text, l.Quotes(order), l.Quotes(line))
		}
	}
	for _, none := range []string{"", "--"} {
		if l := (anchor.BankLine{Reference: "anything at all"}); l.Quotes(none) {
			t.Errorf("%q is quoted", none)
		}
	}
}
