package rail

import (
	"crypto/rand"
	"math/big"
	"strings"
)

// alphabet has no 0, O, 1, I or L, which people mistake for each other. It has
// 31 characters, a prime, so that the check character catches every single
// wrong character and every swap of two (as ISBN's does).
const alphabet = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"

const (
	prefix = "WL"
	drawn  = 7 // characters at random, the check character follows
)

// NewReference is what a deposit's bank transfer must quote, such as
// "WL-7K4Q-9XM2": random, and with a check character at the end. The books
// refuse one that was ever used; then take another.
func NewReference() string {
	body := make([]byte, drawn, drawn+1)
	for i := range body {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			panic(err) // crypto/rand does not fail
		}
		body[i] = alphabet[n.Int64()]
	}
	return spell(string(append(body, check(string(body)))))
}

// Normalise finds a reference in what a payer wrote, whatever the case, spaces
// and punctuation: "dep wl7k4q 9xm2 thanks" holds "WL-7K4Q-9XM2". It is "" if
// there is none, or none whose check character holds.
func Normalise(text string) string {
	all := references(text)
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// references lists every reference that could be meant, in order.
func references(text string) []string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, text)
	var all []string
	for i := range plain {
		if body, ok := strings.CutPrefix(plain[i:], prefix); ok && len(body) > drawn && valid(body[:drawn+1]) {
			all = append(all, spell(body[:drawn+1]))
		}
	}
	if len(all) == 0 && valid(plain) { // the prefix was left out
		all = append(all, spell(plain))
	}
	return all
}

func spell(body string) string { return prefix + "-" + body[:4] + "-" + body[4:] }

func valid(body string) bool {
	if len(body) != drawn+1 {
		return false
	}
	for i := range body {
		if strings.IndexByte(alphabet, body[i]) < 0 {
			return false
		}
	}
	return check(body[:drawn]) == body[drawn]
}

// check weighs the characters 8, 7, … 2 and adds what makes the sum a multiple
// of 31.
func check(body string) byte {
	sum := 0
	for i := range body {
		sum += (drawn + 1 - i) * strings.IndexByte(alphabet, body[i])
	}
	return alphabet[(len(alphabet)-sum%len(alphabet))%len(alphabet)]
}
