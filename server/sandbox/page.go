package sandbox

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

const (
	defaultLimit = 10
	maxLimit     = 200
)

// A pageQuery is the parameters that all lists share.
type pageQuery struct {
	given         string // the cursor as it came, "now" replaced
	cursor        position
	limit         int
	descending    bool
	join          bool // join=transactions
	includeFailed bool
}

// pageOf reads the parameters. A stream's Last-Event-ID goes before the
// cursor. The caller holds mu.
func (a *api) pageOf(r *request, lastEventID string) (pageQuery, error) {
	q := pageQuery{limit: defaultLimit}
	values := r.URL.Query()

	q.given = values.Get("cursor")
	if lastEventID != "" {
		q.given = lastEventID
	}
	if q.given == "now" {
		q.given = strconv.FormatInt(int64(a.history.last().seq)<<32|math.MaxUint32, 10)
	}
	switch order := values.Get("order"); order {
	case "", "asc":
	case "desc":
		q.descending = true
	default:
		return q, invalidField("order", "order: invalid value")
	}
	switch n, err := strconv.ParseInt(q.given, 10, 64); {
	case q.given == "" && q.descending:
		q.cursor = math.MaxInt64
	case q.given == "":
	case err != nil || n < 0:
		return q, invalidField("cursor", "cursor: invalid value")
	default:
		q.cursor = position(n)
	}
	if limit := values.Get("limit"); limit != "" {
		n, err := strconv.ParseInt(limit, 10, 64)
		switch {
		case err != nil:
			return q, invalidField("limit", "unparseable value")
		case n <= 0:
			return q, invalidField("limit", "invalid limit: non-positive value provided")
		case n > maxLimit:
			return q, invalidField("limit", fmt.Sprintf("invalid limit: value provided that is over limit max of %d", maxLimit))
		}
		q.limit = int(n)
	}
	switch join := values.Get("join"); join {
	case "":
	case "transactions":
		q.join = true
	default:
		return q, invalidField("join", "Accepted values: transactions")
	}
	if failed := values.Get("include_failed"); failed != "" {
		var err error
		if q.includeFailed, err = strconv.ParseBool(failed); err != nil {
			return q, invalidField("include_failed", "unparseable value")
		}
	}
	return q, nil
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
	return link{Href: l.base + strings.TrimRight(r.URL.Path, "/") + "?" + values.Encode()}
}
