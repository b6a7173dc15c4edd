package anchor_test

import (
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
