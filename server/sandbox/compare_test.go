package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// A difference is one value that the sandbox answers otherwise.
type difference struct {
	exchange       string
	path           string // as body._links.self.href, header.Vary, event[3].data.id
	recorded, ours string
}

func (d difference) String() string {
	return fmt.Sprintf("%s %s\n    recorded: %s\n    sandbox:  %s", d.exchange, d.path, d.recorded, d.ours)
}

// A comparison holds what has been learned of the names that differ by nature:
// hashes of ledgers and of friendbot's transactions, friendbot's own accounts.
type comparison struct {
	ours, theirs map[string]string // both ways, so that nothing is two things
	sent         map[string]bool   // hashes of what was sent; these are the same
	channels     map[string]bool   // friendbot's accounts here
	found        []difference
	exchange     string
}

func newComparison(exchanges []*recording) *comparison {
	c := &comparison{ours: make(map[string]string), theirs: make(map[string]string), sent: make(map[string]bool), channels: make(map[string]bool)}
	for _, r := range exchanges {
		for _, envelope := range envelopesSent(r) {
			if t, err := decodeBase64(envelope, recordedPassphrase); err == nil {
				c.sent[fmt.Sprintf("%x", t.hash)], c.sent[fmt.Sprintf("%x", t.innerHash)] = true, true
			}
		}
	}
	return c
}

func (c *comparison) differ(path string, recorded, ours any) {
	c.found = append(c.found, difference{c.exchange, path, show(recorded), show(ours)})
}

func show(v any) string {
	if v == nil {
		return "(nothing)"
	}
	text := fmt.Sprint(v)
	if _, is := v.(string); !is {
		if raw, err := json.Marshal(v); err == nil {
			text = string(raw)
		}
	}
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return text
}

// byNature are headers that say nothing to clients or follow from the time of
// day, and values that say which software it is. They must be there, no more.
var (
	unreadHeaders = map[string]bool{"Date": true, "Connection": true, "(transfer-encoding)": true}
	byNature      = regexp.MustCompile(`\.(core_version|horizon_version|fee_pool)$`)
)

// exchangeOf compares one exchange.
func (c *comparison) exchangeOf(r *recording, got *replayed) {
	c.exchange = r.id()
	if r.Response.Status != got.status {
		c.differ("status", r.Response.Status, fmt.Sprint(got.status, " ", string(got.body)))
		return
	}
	// When ledgers close is up to the schedule; when patience ends is not.
	if took := int(got.took.Milliseconds()); got.status == http.StatusGatewayTimeout && (took > r.ElapsedMS || took < r.ElapsedMS-500) {
		c.differ("after", r.ElapsedMS, took)
	}
	names := make(map[string]bool)
	for name := range r.Response.Headers {
		names[name] = true
	}
	for name := range got.headers {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !unreadHeaders[name] {
			c.text("header."+name, r.Response.Headers[name], got.headers.Get(name))
		}
	}
	switch {
	case got.headers.Get("Content-Encoding") != "": // the recorded bytes are not whole
	case r.streamed() && r.Response.Body == nil:
		c.streams(r.Chunks, got.chunks)
	case r.Response.Raw != "":
		c.text("body", r.Response.Raw, string(got.body))
	default:
		var body any
		if len(got.body) > 0 {
			if err := decodeExactly(got.body, &body); err != nil {
				c.differ("body", r.Response.Body, string(got.body))
				return
			}
		}
		c.value("body", r.Response.Body, body)
	}
}

// value compares two JSON values, with all their keys and types.
func (c *comparison) value(path string, recorded, ours any) {
	switch recorded := recorded.(type) {
	case object:
		o, ok := ours.(object)
		if !ok {
			c.differ(path, recorded, ours)
			return
		}
		keys := maps.Clone(recorded)
		maps.Copy(keys, o)
		if c.friendbots(path, recorded, o) {
			for _, k := range []string{"envelope_xdr", "source_account_sequence", "signatures"} {
				delete(keys, k)
			}
		}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			_, expected := recorded[k]
			_, has := o[k]
			if expected != has {
				c.differ(path+"."+k, recorded[k], o[k])
			} else {
				c.value(path+"."+k, recorded[k], o[k])
			}
		}
	case array:
		o, ok := ours.(array)
		if !ok || len(o) != len(recorded) {
			c.differ(path, fmt.Sprint(len(recorded), ": ", show(recorded)), fmt.Sprint(len(o), ": ", show(ours)))
			return
		}
		for i := range recorded {
			c.value(fmt.Sprintf("%s[%d]", path, i), recorded[i], o[i])
		}
	case string:
		o, ok := ours.(string)
		if !ok {
			c.differ(path, recorded, ours)
			return
		}
		c.text(path, recorded, o)
	default: // numbers as written, booleans, null
		if recorded != ours {
			c.differ(path, recorded, ours)
		}
	}
}

var nameLike = regexp.MustCompile(`\b[0-9a-f]{64}\b|\bG[A-Z2-7]{55}\b`)

func (c *comparison) text(path, recorded, ours string) {
	switch key := path[strings.LastIndex(path, ".")+1:]; {
	case recorded == ours && !nameLike.MatchString(recorded):
	case recorded != "" && ours != "" && byNature.MatchString(path):
	case key == "result_meta_xdr":
		c.valid(path, ours, &xdr.TransactionMeta{})
	case key == "fee_meta_xdr":
		c.valid(path, ours, &xdr.LedgerEntryChanges{})
	case key == "header_xdr":
		c.header(path, recorded, ours)
	default:
		a, b := nameLike.FindAllString(recorded, -1), nameLike.FindAllString(ours, -1)
		if nameLike.ReplaceAllString(recorded, "*") != nameLike.ReplaceAllString(ours, "*") || len(a) != len(b) ||
			slices.ContainsFunc(slices.Collect(zip(a, b)), func(p [2]string) bool { return !c.same(p[0], p[1]) }) {
			c.differ(path, recorded, ours)
		}
	}
}

func zip(a, b []string) func(func([2]string) bool) {
	return func(yield func([2]string) bool) {
		for i := range a {
			if !yield([2]string{a[i], b[i]}) {
				return
			}
		}
	}
}

// recordedChannels are the accounts through which the recorded friendbot sent.
var recordedChannels = map[string]bool{
	"GAZEB2E3QWCNAUQ7JXP73BKGXTTWJ2R4W577F2HU3U4XA2BBKBD77757": true,
	"GBN6C5JVPEP2AWGAX4QZ23YONMXXA5MF44R6OK2IKPCYRX3P6OJK55GM": true,
}

// same says whether a hash or an address stands for a recorded one.
func (c *comparison) same(recorded, ours string) bool {
	if recordedChannels[recorded] {
		return c.channels[ours]
	}
	if recorded == ours || c.sent[recorded] || recorded[0] == 'G' {
		return recorded == ours
	}
	c.ours[recorded] = cmp.Or(c.ours[recorded], ours)
	c.theirs[ours] = cmp.Or(c.theirs[ours], recorded)
	return c.ours[recorded] == ours && c.theirs[ours] == recorded
}

func (c *comparison) valid(path, text string, into any) {
	if err := xdr.SafeUnmarshalBase64(text, into); err != nil {
		c.differ(path, "valid XDR", err.Error())
	}
}

// header compares what a ledger header tells of the network; its hashes follow
// from much that is hidden.
func (c *comparison) header(path, recorded, ours string) {
	var a, b xdr.LedgerHeader
	c.valid(path, recorded, &a)
	c.valid(path, ours, &b)
	told := func(h xdr.LedgerHeader) string {
		return fmt.Sprint(h.LedgerVersion, h.LedgerSeq, h.ScpValue.CloseTime, h.TotalCoins, h.InflationSeq, h.BaseFee, h.BaseReserve, h.MaxTxSetSize)
	}
	if told(a) != told(b) {
		c.differ(path, told(a), told(b))
	}
}

// friendbots says whether this is a transaction by friendbot, in which envelope,
// sequence number and signatures follow from the channel account that sent it.
// Then the rest of the envelope is compared here.
func (c *comparison) friendbots(path string, recorded, ours object) bool {
	source, _ := recorded["source_account"].(string)
	envelope, _ := recorded["envelope_xdr"].(string)
	if !recordedChannels[source] || envelope == "" {
		return false
	}
	neutral := func(text any) string {
		var e xdr.TransactionEnvelope
		if s, ok := text.(string); !ok || xdr.SafeUnmarshalBase64(s, &e) != nil || e.V1 == nil || len(e.V1.Signatures) != 2 {
			return fmt.Sprint("not friendbot's: ", text)
		}
		e.V1.Tx.SourceAccount, e.V1.Tx.SeqNum = xdr.MuxedAccount{Ed25519: &xdr.Uint256{}}, 0
		e.V1.Signatures = nil
		out, err := e.MarshalBinary()
		return fmt.Sprint(base64.StdEncoding.EncodeToString(out), err)
	}
	if a, b := neutral(envelope), neutral(ours["envelope_xdr"]); a != b {
		c.differ(path+".envelope_xdr", a, b)
	}
	return true
}

// An event of a stream: its lines and when it came.
type streamEvent struct {
	lines []string
	at    int
}

func eventsIn(chunks []chunk) []streamEvent {
	var out []streamEvent
	var rest string
	at := 0
	for _, c := range chunks {
		if rest == "" {
			at = c.AtMS
		}
		rest += c.Data
		for {
			text, after, whole := strings.Cut(rest, "\n\n")
			if !whole {
				break
			}
			out = append(out, streamEvent{strings.Split(text, "\n"), at})
			rest, at = after, c.AtMS
		}
	}
	if rest != "" {
		out = append(out, streamEvent{[]string{"unfinished: " + rest}, at})
	}
	return out
}

// streams compares line by line, and when the lines came.
func (c *comparison) streams(recorded, ours []chunk) {
	a, b := eventsIn(recorded), eventsIn(ours)
	for i := range max(len(a), len(b)) {
		path := fmt.Sprintf("event[%d]", i)
		switch {
		case i >= len(b):
			c.differ(path, a[i].lines, nil)
			continue
		case i >= len(a):
			c.differ(path, nil, b[i].lines)
			continue
		}
		if late := b[i].at - a[i].at; late < -100 || late > 100 {
			c.differ(path+".at", a[i].at, b[i].at)
		}
		if len(a[i].lines) != len(b[i].lines) {
			c.differ(path, a[i].lines, b[i].lines)
			continue
		}
		for j, line := range a[i].lines {
			field, text, _ := strings.Cut(line, ": ")
			ourField, ourText, _ := strings.Cut(b[i].lines[j], ": ")
			c.text(path+".field", field, ourField)
			var x, y any
			if field == "data" && decodeExactly([]byte(text), &x) == nil && decodeExactly([]byte(ourText), &y) == nil {
				c.value(path+".data", x, y)
			} else {
				c.text(path+"."+field, text, ourText)
			}
		}
	}
}
