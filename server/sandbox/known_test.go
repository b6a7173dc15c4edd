package sandbox

// A knownDifference is where the sandbox answers otherwise than recorded, and
// why. doc.go tells the same.
type knownDifference struct {
	exchanges string // numbers
	path      string // regular expression of what differs, maybe with the number before it
	reason    string
}

var knownDifferences = []knownDifference{
	{"002 008 029 251 261 272", `029 status|body\._links\.friendbot\.href`,
		"Friendbot answers on this same server, at /friendbot, so nothing is redirected to it."},
	{"013", `body\.sequence|body\.balances\[0\]\.balance`,
		"Friendbot's hundred channel accounts take more of the root account than the recorded twenty."},
	{"002 007 008 022 251 261 272", `body\.history_elder_ledger|007 body\._(embedded|links).*|022 status`,
		"History begins with the first ledger; the recorded Horizon's began with the eighth."},
	{"251", `body\.(core|history|ingest)_latest_ledger.*`,
		"The rate limited Horizon had just been started and was one ledger behind."},
	{"251", `header\.X-Ratelimit-.*`,
		"Requests are not counted: a 429 is a fault that is asked for, and no other answer tells of a limit."},
	{"208 209 212 213 224 442 443 446 447 458", `status`,
		"These were recorded with an older core; of an account one transaction is pending at a time, as in 302, 306 and 318."},
	{"103 109 110 111", `.*`,
		"There are no offers, order books or paths; path payments exchange at rates given beforehand."},
}
