package graph_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"windlass/server/anchor"
	"windlass/server/store"
)

// events is an open stream.
type events struct {
	t     *testing.T
	resp  *http.Response
	lines *bufio.Scanner
}

const follow = `subscription($id: ID!) { transaction(id: $id) { status amountIn lang message } }`

func (c caller) follow(id string) *events {
	c.w.t.Helper()
	resp := c.post(follow, map[string]any{"id": id}, "text/event-stream")
	c.w.t.Cleanup(func() { _ = resp.Body.Close() })
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		c.w.t.Fatal(resp.StatusCode, got)
	}
	return &events{c.w.t, resp, bufio.NewScanner(resp.Body)}
}

// next is the next event's name and data; comments are passed over.
func (e *events) next() (name string, data object, problems []problem) {
	e.t.Helper()
	for e.lines.Scan() {
		line := e.lines.Text()
		if after, ok := strings.CutPrefix(line, "event: "); ok {
			name = after
		}
		if after, ok := strings.CutPrefix(line, "data: "); ok {
			var answer struct {
				Data   object
				Errors []problem
			}
			must(e.t, json.Unmarshal([]byte(after), &answer))
			data, problems = answer.Data, answer.Errors
		}
		if line == "" && name != "" {
			return name, data, problems
		}
	}
	return "", nil, nil
}

func TestStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit)
	viewing, own := w.viewer(tr).follow(tr.ID), w.customer(tr).follow(tr.ID)
	for _, e := range []*events{viewing, own} {
		if name, data, _ := e.next(); name != "next" || data.str("transaction.status") != "incomplete" {
			t.Fatal(name, data)
		}
	}
	c := w.customer(tr)
	c.do(setAmount, map[string]any{"id": tr.ID, "amountIn": "100"})
	for _, e := range []*events{viewing, own} {
		if name, data, _ := e.next(); name != "next" || data.str("transaction.amountIn") != "100" {
			t.Fatal(name, data)
		}
	}
	// Another language is spoken from then on.
	c.do(setLang, map[string]any{"id": tr.ID, "lang": "es"})
	if _, data, _ := own.next(); data.str("transaction.lang") != "es" {
		t.Error(data)
	}
	// Another's changes are no news.
	other := w.open(anchor.Deposit)
	w.customer(other).do(cancel, map[string]any{"id": other.ID})
	c.do(cancel, map[string]any{"id": tr.ID})
	if _, data, _ := own.next(); data.str("transaction.status") != "expired" {
		t.Error(data)
	}
}

// Many changes that nobody read yet are one, and the last.
func TestStreamCoalesces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit)
	e := w.customer(tr).follow(tr.ID)
	for i := range 40 {
		must(t, w.books.Update(t.Context(), store.Customer, func(tx *store.Tx) error {
			a, err := tx.Transaction(tr.ID)
			if err != nil {
				return err
			}
			if err := a.SetAmount(w.terms, anchor.Amount(i+10)*anchor.One); err != nil {
				return err
			}
			return tx.SaveTransaction(a)
		}))
	}
	n := 0
	for {
		n++
		_, data, _ := e.next()
		if data.str("transaction.amountIn") == "49" {
			break
		}
	}
	if n > 41 {
		t.Error(n, "events")
	}
}

func TestStreamRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr, other := w.open(anchor.Deposit), w.open(anchor.Deposit)
	for name, c := range map[string]struct {
		who  caller
		want string
	}{
		"a viewer":  {w.viewer(other), "NOT_FOUND not_found"},
		"another's": {w.customer(other), "NOT_FOUND not_found"},
	} {
		e := c.who.follow(tr.ID)
		_, _, problems := e.next()
		if told(problems) != c.want {
			t.Error(name, problems)
		}
		if last, _, _ := e.next(); last != "complete" {
			t.Error(name, last)
		}
	}
	// A query may be asked for as a stream, too.
	resp := w.customer(tr).post(look, map[string]any{"id": tr.ID}, "text/event-stream")
	defer resp.Body.Close()
	e := &events{t, resp, bufio.NewScanner(resp.Body)}
	if name, data, _ := e.next(); name != "next" || data.str("transaction.id") != tr.ID {
		t.Error(name, data)
	}
	if last, _, _ := e.next(); last != "complete" {
		t.Error(last)
	}
}

// A stream ends with its caller: nobody watches on behalf of the gone.
func TestStreamEndsWithCaller(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tr := w.open(anchor.Deposit)
	ctx, leave := context.WithCancel(t.Context())
	body := `{"query":"subscription { transaction(id: \"` + tr.ID + `\") { status } }"}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.public, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Role", "CUSTOMER")
	r.Header.Set("Transaction", tr.ID)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	e := &events{t, resp, bufio.NewScanner(resp.Body)}
	if name, _, _ := e.next(); name != "next" {
		t.Fatal(name)
	}
	leave()
	must(t, resp.Body.Close())
	// The server's Close, at the end of the test, waits for the handler.
}
