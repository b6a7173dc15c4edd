package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/txnbuild"
)

const recordedPassphrase = "Standalone Network ; February 2017"

// TestConformance replays all that was recorded and compares every answer. It
// fails on a difference that knownDifferences does not tell, and on one told
// there that is none any more.
func TestConformance(t *testing.T) {
	t.Parallel()
	var found []difference
	compared := 0
	for _, s := range []retelling{
		{[]string{".", "one-tx"}, (*replay).secondLedgers, 380, schedule{
			{2, "07:52:01.97", time.Second},
			{57, "07:52:57.03", time.Second},
			{273, "07:56:53.03", time.Second}, // the core was stopped in between
			{292, "07:57:18.03", time.Second}, // and exchanged for another
		}},
		{[]string{"normal-5s", "normal-5s-one-tx"}, func(r *replay) { r.burst("469", 164) }, 180, schedule{
			{2, "07:54:44.9", 5 * time.Second},
			{86, "08:01:48.03", 5 * time.Second},  // the core was restarted
			{150, "08:07:09.03", 5 * time.Second}, // and exchanged
		}},
	} {
		exchanges := exchangesOf(t, s.folders...)
		c := newComparison(exchanges)
		answers := s.replay(t, c, exchanges)
		for _, r := range exchanges {
			if got := answers[r.id()]; got != nil {
				c.exchangeOf(r, got)
				compared++
			}
		}
		found = append(found, c.found...)
	}
	judge(t, compared, found)
}

// A retelling is what was recorded on one network.
type retelling struct {
	folders    []string
	unrecorded func(*replay) // what had to happen besides
	until      uint32
	schedule   schedule
}

func (s retelling) replay(t *testing.T, c *comparison, exchanges []*recording) (answers map[string]*replayed) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newReplay(t, s.schedule)
		for _, k := range r.net.bot.channels {
			c.channels[k.Address()] = true
		}
		r.fundSources(exchanges)
		s.unrecorded(r)
		for _, e := range exchanges {
			r.exchange(e)
		}
		r.run(s.until)
		for _, l := range r.loads {
			l.check()
		}
		answers = r.answers
	})
	return answers
}

// envelopesSent are the transactions in a request, as base64.
func envelopesSent(r *recording) []string {
	var out []string
	_, query, _ := strings.Cut(r.Request.Path, "?")
	for _, form := range []string{r.Request.Body, query} {
		if values, err := url.ParseQuery(form); err == nil {
			out = append(out, values["tx"]...)
		}
	}
	return out
}

// fundSources has friendbot create the accounts that send transactions, each in
// the ledger that its sequence numbers begin with. Those of user and poor are
// recorded, nobody has none.
func (r *replay) fundSources(exchanges []*recording) {
	done := make(map[string]bool)
	for name, k := range must(recordings()).keys {
		done[k.Address()] = slices.Contains([]string{"user", "poor", "nobody"}, name)
	}
	for _, e := range exchanges {
		for _, text := range envelopesSent(e) {
			t, err := decodeBase64(text, recordedPassphrase)
			if err != nil {
				continue
			}
			begins := uint32(t.sequence >> 32)
			for i, id := range []accountID{t.source, t.feeSource} { // who only pays came a ledger later
				if address := id.String(); !done[address] {
					done[address] = true
					r.friendbot(begins+uint32(i), address)
				}
			}
		}
	}
}

// secondLedgers is what happened unrecorded on the network with a ledger every
// second.
func (r *replay) secondLedgers() {
	keys := must(recordings()).keys
	issuer, user2, maker := keys["issuer"], keys["user2"], keys["maker"]
	usd, eur := usd(issuer), txnbuild.CreditAsset{Code: "EUR", Issuer: issuer.Address()}

	r.found(14, "channel", 20) // the recorded friendbot's
	r.surge()
	r.crowd("248", 182)
	r.burst("309", 337)
	r.burst("331", 362)
	r.burst("332", 369)
	r.crowd("333", 378)

	// The 252nd exchange was one too many.
	r.fault("252", Fault{Kind: RateLimited, Next: 1, RetryAfter: 18})
	// The core was stopped before the 261st, back after the 268th, and killed
	// right before the 275th.
	for number, kind := range map[string]Kind{"261": StaleHistory, "275": ServerError} {
		for _, route := range []string{"/transactions", "/transactions_async", "/health"} {
			r.fault(number, Fault{Kind: kind, Route: route})
		}
		r.fault(number, Fault{Kind: ServerError, Route: "/friendbot"})
	}
	for _, number := range []string{"268", "277"} {
		r.at(recorded(r.T, number).StartedAt.Add(time.Second), func() { r.weather.ClearAll() })
	}

	r.sign(43, user2, 18<<32+5, ops(trust(usd, "10")))
	r.friendbot(205, keys["idle"].Address())

	// The path payments went through an offer of the maker's, which is a rate
	// here.
	r.sign(65, maker, 64<<32+1, ops(trust(eur, ""), trust(usd, "")))
	r.sign(66, issuer, 16<<32+3, ops(pay(maker, "100000", eur), pay(maker, "100000", usd)))
	r.submit(67, envelopeIn(recorded(r.T, "172"), 67))
}

// fault plans bad weather from an exchange on.
func (r *replay) fault(exchange string, f Fault) {
	r.at(recorded(r.T, exchange).StartedAt.Add(-time.Millisecond), func() {
		if _, err := r.weather.Set(f); err != nil {
			r.Errorf("weather before %s: %v", exchange, err)
		}
	})
}

// sign submits a transaction of our own that is to be in a ledger.
func (r *replay) sign(ledger uint32, source *keypair.Full, sequence int64, ops []txnbuild.Operation, others ...*keypair.Full) {
	p := params(source, sequence, ops)
	p.Preconditions.TimeBounds = txnbuild.NewInfiniteTimeout()
	tx := must(must(txnbuild.NewTransaction(p)).Sign(recordedPassphrase, append(others, source)...))
	r.submit(ledger, must(tx.Base64()))
}

// envelopeIn finds the transaction of a ledger in a recorded page.
func envelopeIn(r *recording, ledger int) string {
	for _, t := range as[array](as[object](as[object](r.Response.Body)["_embedded"])["records"]) {
		if t := as[object](t); t["ledger"] == json.Number(strconv.Itoa(ledger)) {
			return as[string](t["envelope_xdr"])
		}
	}
	return ""
}

// judge holds what was found against what is known.
func judge(t *testing.T, compared int, found []difference) {
	t.Helper()
	differing := make(map[string]bool)
	occurs := make([]map[string]int, len(knownDifferences)) // by exchange
	for _, d := range found {
		differing[d.exchange] = true
		known := false
		for i, k := range knownDifferences {
			if slices.Contains(strings.Fields(k.exchanges), d.exchange) && regexp.MustCompile(`^(\d+ )?(`+k.path+`)$`).MatchString(d.exchange+" "+d.path) {
				if occurs[i] == nil {
					occurs[i] = make(map[string]int)
				}
				known = true
				occurs[i][d.exchange]++
			}
		}
		if !known {
			t.Errorf("unknown difference: %s", d)
		}
	}
	table := &strings.Builder{}
	fmt.Fprintf(table, "%d exchanges compared: %d the same, %d differ.\n", compared, compared-len(differing), len(differing))
	for i, k := range knownDifferences {
		values := 0
		for exchange := range strings.FieldsSeq(k.exchanges) {
			values += occurs[i][exchange]
			if occurs[i][exchange] == 0 {
				t.Errorf("no difference any more in %s: %s", exchange, k.reason)
			}
		}
		fmt.Fprintf(table, "%s\n    in %s (%d values)\n", k.reason, k.exchanges, values)
	}
	if _, err := io.WriteString(t.Output(), table.String()); err != nil {
		t.Error(err)
	}
}

// TestKnownDifferencesAreTold compares the table with the package's comment.
func TestKnownDifferencesAreTold(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(string(must(os.ReadFile("doc.go"))), "# Differences from the recordings")
	section, _, _ = strings.Cut(section, "\npackage ")
	section, _, _ = strings.Cut(section, "\n// # ")
	var told []string
	for i, item := range strings.Split(section, "//   - ") {
		if i > 0 {
			told = append(told, strings.Join(strings.Fields(strings.ReplaceAll(item, "//", " ")), " "))
		}
	}
	var known []string
	for _, k := range knownDifferences {
		known = append(known, k.reason+" ("+strings.ReplaceAll(k.exchanges, " ", ", ")+")")
	}
	if strings.Join(told, "\n") != strings.Join(known, "\n") {
		t.Errorf("doc.go tells\n%s\n\nbut the table is\n%s", strings.Join(told, "\n"), strings.Join(known, "\n"))
	}
}
