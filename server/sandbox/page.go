package sandbox

import (
	"fmt"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	defaultLimit = 10
	maxLimit     = 200
)

// A pageQuery is the parameters that all lists share.
type pageQuery struct {
	given         string   // the cursor as it came, "now" replaced
	cursor        position // its number, or the first of two: 4294971393-2 is an effect's
	second        int64    // the other, else the largest
	limit         int
	descending    bool
	join          bool // join=transactions
	includeFailed bool
}

// pageOf reads the parameters. Last-Event-ID goes before the cursor, for pages
// as well as for streams. The caller holds mu.
func (e endpoint) pageOf(r *request) (pageQuery, error) {
	q := pageQuery{limit: defaultLimit}
	var err error
	if q.given, err = e.givenCursor(r); err != nil {
		return q, err
	}
	order, err := r.parameter("order")
	if err != nil {
		return q, err
	}
	if q.limit, err = r.limit(); err != nil {
		return q, err
	}
	switch order {
	case "", "asc":
	case "desc":
		q.descending = true
	default:
		return q, invalidField("order", "order: invalid value")
	}
	if e.state { // what its cursors are, the list itself knows
		return q, nil
	}
	if err = q.place(r); err != nil {
		return q, err
	}
	// What these lists take besides.
	switch kind := path.Base(r.URL.Path); kind {
	case "transactions", "operations", "payments":
		if q.includeFailed, err = r.boolean("include_failed"); err == nil && kind != "transactions" {
			q.join, err = r.joined()
		}
	}
	return q, err
}

func (e endpoint) givenCursor(r *request) (string, error) {
	cursor, err := r.parameter("cursor")
	if err != nil {
		return "", err
	}
	if cursor == "now" {
		cursor = strconv.FormatInt(int64(endOf(e.noticed().seq)), 10)
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		cursor = id
	}
	if n, err := strconv.ParseInt(cursor, 10, 64); err == nil && n < 0 {
		return "", invalidField("cursor", fmt.Sprintf("the cursor %d is a negative number: ", n))
	}
	return cursor, nil
}

// endOf is after all that a ledger holds.
func endOf(ledger uint32) position { return position(int64(ledger)<<32 | math.MaxUint32) }

// place reads the cursor's numbers.
func (q *pageQuery) place(r *request) error {
	q.second = math.MaxInt64
	if q.given == "" {
		if q.descending {
			q.cursor = math.MaxInt64
		}
		return nil
	}
	first, second, two := strings.Cut(q.given, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	if err == nil && two {
		q.second, err = strconv.ParseInt(second, 10, 64)
	}
	switch q.cursor = position(n); {
	case err != nil || n < 0 || q.second < 0:
		return invalidField("cursor", "cursor: invalid value")
	case q.descending && q.cursor <= at(1, 0, 0):
		return errBeforeHistory
	case two && path.Base(r.URL.Path) != "effects":
		return errBadRequest
	}
	return nil
}

// parameter is the first of that name in the query, as Horizon's paging and
// submission read it.
func (r *request) parameter(name string) (string, error) {
	value := r.query.Get(name)
	if !utf8.ValidString(value) {
		return "", invalidField(name, "invalid value")
	}
	return value, nil
}

// filter is the last of that name in the query, as Horizon's filters read it.
func (r *request) filter(name string) string {
	if values := r.query[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

func (r *request) limit() (int, error) {
	value, err := r.parameter("limit")
	if err != nil || value == "" {
		return defaultLimit, err
	}
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		return 0, invalidField("limit", "unparseable value")
	case n <= 0:
		return 0, invalidField("limit", "invalid limit: non-positive value provided")
	case n > maxLimit:
		return 0, invalidField("limit", fmt.Sprintf("invalid limit: value provided that is over limit max of %d", maxLimit))
	}
	return int(n), nil
}

// joined says whether operations shall come with their transactions.
func (r *request) joined() (bool, error) {
	switch r.filter("join") {
	case "":
		return false, nil
	case "transactions":
		return true, nil
	}
	return false, invalidField("join", "Accepted values: transactions")
}

func (r *request) boolean(name string) (bool, error) {
	value := r.filter(name)
	if value == "" {
		return false, nil
	}
	is, err := strconv.ParseBool(value)
	if err != nil && value != "on" {
		return false, invalidField(name, "Filter should be true or false")
	}
	return is || value == "on", nil
}

func linksOf(r *http.Request) links {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return links{base: scheme + "://" + r.Host}
}

type pageBody struct {
	Links struct {
		Self link `json:"self"`
		Next link `json:"next"`
		Prev link `json:"prev"`
	} `json:"_links"`
	Embedded struct {
		Records []any `json:"records"`
	} `json:"_embedded"`
}

func (l links) page(r *request, records []record) pageBody {
	var p pageBody
	p.Embedded.Records = make([]any, len(records))
	first, last := r.page.given, r.page.given
	for i, rec := range records {
		p.Embedded.Records[i] = rec.body
		if i == 0 {
			first = rec.token
		}
		last = rec.token
	}
	order, reverse := "asc", "desc"
	if r.page.descending {
		order, reverse = reverse, order
	}
	p.Links.Self = l.pageLink(r, r.page.given, order)
	p.Links.Next = l.pageLink(r, last, order)
	p.Links.Prev = l.pageLink(r, first, reverse)
	return p
}

func (l links) pageLink(r *request, cursor, order string) link {
	values := r.URL.Query()
	values.Set("cursor", cursor)
	values.Set("order", order)
	values.Set("limit", strconv.Itoa(r.page.limit))
	return link{Href: l.base + r.URL.EscapedPath() + "?" + values.Encode()}
}
