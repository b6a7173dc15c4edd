package anchor

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// PaidFrom reports whether the credit's payer has that account, however it is
// spaced. An account that is not known is nobody's.
func (l *BankLine) PaidFrom(account string) bool {
	return l.Sender() != "" && l.Sender() == plainAccount(account)
}

// PayerTyped reports whether who paid is a person's word alone.
func (l *BankLine) PayerTyped() bool { return l.ConfirmedBy != "" && !l.Told }

// Quotes reports whether the payer wrote an id, whole: in whatever case, and however
// a bank has spaced or split it, but as words of its own. A part of an id, or one
// inside a longer word, is something else.
func (l *BankLine) Quotes(id string) bool {
	id = plainAccount(id)
	written := strings.FieldsFunc(l.Reference, func(r rune) bool { return plainAccount(string(r)) == "" })
	for i := range written {
		rest := id
		for _, w := range written[i:] {
			after, ok := strings.CutPrefix(rest, plainAccount(w))
			if !ok {
				break
			}
			if rest = after; rest == "" {
				return true
			}
		}
	}
	return false
}

// Sender is the payer's account as it compares.
func (l *BankLine) Sender() string { return plainAccount(l.PayerAccount) }

func plainAccount(account string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, account))
}

// MaskAccount leaves just enough of an account's number, at a bank or elsewhere,
// for its owner to recognise it: at most the last four of eight characters or
// more, else the first (SEP-24: "replace most of the digits … with *s").
func MaskAccount(number string) string {
	r := []rune(plainAccount(number))
	switch {
	case len(r) >= 8:
		return "****" + string(r[len(r)-4:])
	case len(r) > 0:
		return string(r[:1]) + "****"
	}
	return ""
}

// PaidBySomebodyElse reports whether the payer is clearly not the customer, going
// by the account that the customer gave, or else by the names: not one word of the
// customer's is in the payer's. What is not known is no reason for doubt.
func (l *BankLine) PaidBySomebodyElse(account string, names ...string) bool {
	if l.PayerAccount != "" && plainAccount(account) != "" {
		return !l.PaidFrom(account)
	}
	given, payer := words(strings.Join(names, " ")), words(l.PayerName)
	return len(given) > 0 && len(payer) > 0 && !slices.ContainsFunc(given, func(w string) bool { return slices.Contains(payer, w) })
}

// words are a name's, without case and accents. Initials tell nothing.
func words(name string) []string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsLetter(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, norm.NFD.String(name))
	return slices.DeleteFunc(strings.Fields(plain), func(w string) bool { return len([]rune(w)) < 2 })
}
