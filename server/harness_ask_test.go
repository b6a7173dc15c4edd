package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/anchor"
)

// An asker makes one request, in the patience of whoever asks: body is sent as
// JSON, or as a form if it is url.Values, and the JSON answer is read into
// answer. An answer that is no success is an error.
type asker func(method, address string, header http.Header, body, answer any) error

// errLater is a request that may work later: nobody answered, or somebody with
// troubles of their own.
type errLater struct{ error }

func (e errLater) Unwrap() error { return e.error }

func later(err error) error {
	if err != nil {
		return errLater{err}
	}
	return nil
}

// A refusal is an answer that asking again would not change.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %.300s", r.status, r.body) }

// request asks once. Whatever does not fit errLater or refusal is a mistake of ours,
// or an answer that is no JSON.
func request(ctx context.Context, client *http.Client, method, address string, header http.Header, body, answer any) error {
	var sent io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case url.Values:
		sent, kind = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	case form:
		sent, kind = bytes.NewReader(b.content), b.kind
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, sent)
	if err != nil {
		return err
	}
	maps.Copy(req.Header, header)
	if sent != nil {
		req.Header.Set("Content-Type", kind)
	}
	res, err := client.Do(req)
	if err != nil {
		return errLater{err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return errLater{err}
	case res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests:
		return errLater{fmt.Errorf("%s %s: %s %.200s", method, req.URL.Path, res.Status, text)}
	case res.StatusCode >= 400:
		return &refusal{res.StatusCode, string(text)}
	case answer == nil:
		return nil
	}
	if cookies, ok := answer.(*[]*http.Cookie); ok {
		*cookies = res.Cookies()
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s %s: %w in %.200s", method, req.URL.Path, err, text)
	}
	return nil
}

// A form is a body of its own kind.
type form struct {
	kind    string
	content []byte
}

// bearer is the header of whoever has a token.
func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// signInWallet does SEP-10.
func signInWallet(ask asker, public string, key *keypair.Full) (token string, err error) {
	var challenge struct{ Transaction string }
	if err := ask(http.MethodGet, public+"/auth?account="+key.Address(), nil, nil, &challenge); err != nil {
		return "", err
	}
	parsed, err := txnbuild.TransactionFromXDR(challenge.Transaction)
	if err != nil {
		return "", err
	}
	tx, _ := parsed.Transaction()
	if tx, err = tx.Sign(network.TestNetworkPassphrase, key); err != nil {
		return "", err
	}
	signed, err := tx.Base64()
	if err != nil {
		return "", err
	}
	var a struct{ Token string }
	err = ask(http.MethodPost, public+"/auth", nil, map[string]string{"transaction": signed}, &a)
	return a.Token, err
}

// A pageOf is the customer's page of one transaction.
type pageOf struct{ id, bearer string }

// header says whose page it is.
func (p pageOf) header() http.Header {
	h := bearer(p.bearer)
	h.Set("X-Windlass-Transaction", p.id)
	return h
}

// openPage begins a deposit or withdrawal, as the wallet of whoever has the token
// asks for it, and opens its page. The callbacks, if any, get the id appended.
func openPage(ask asker, public, token, kind string, wallet, callbacks map[string]string) (p pageOf, err error) {
	var a struct{ ID, URL string }
	path := map[string]string{"deposit": "deposit", "withdrawal": "withdraw"}[kind]
	if err := ask(http.MethodPost, public+"/sep24/transactions/"+path+"/interactive", bearer(token), wallet, &a); err != nil {
		return p, err
	}
	u, err := url.Parse(a.URL)
	if err != nil {
		return p, err
	}
	exchange := map[string]string{"token": u.Query().Get("token"), "nonce": "nonce-of-this-page-" + a.ID}
	for name, address := range callbacks {
		exchange[name] = address + a.ID
	}
	var session struct{ Bearer string }
	err = ask(http.MethodPost, public+"/interactive/"+a.ID+"/session", nil, exchange, &session)
	return pageOf{a.ID, session.Bearer}, err
}

// gqlError is one of GraphQL's errors.
type gqlError struct {
	Message    string
	Extensions struct{ Code, Reason, Field string }
}

// gqlRefusal is GraphQL's own no: its first error.
type gqlRefusal struct{ gqlError }

func (r *gqlRefusal) Error() string { return fmt.Sprintf("%+v", r.gqlError) }

// graphql runs an operation; data is decoded into answer.
func (ask asker) graphql(listener string, header http.Header, query string, variables map[string]any, answer any) error {
	return ask.operation(listener, header, map[string]any{"query": query, "variables": variables}, answer)
}

// attach sends a document from a customer's page, as the answer to a question.
func (ask asker) attach(listener string, p pageOf, question string, document []byte) error {
	operation, err := json.Marshal(map[string]any{
		"query":     `mutation($id: ID!, $name: ID!, $file: Upload!) { attach(transaction: $id, name: $name, file: $file) { review } }`,
		"variables": map[string]any{"id": p.id, "name": question, "file": nil},
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, part := range []struct {
		name    string
		content []byte
	}{{"operations", operation}, {"map", []byte(`{"0": ["variables.file"]}`)}, {"0", document}} {
		to, err := w.CreateFormFile(part.name, part.name)
		if err == nil {
			_, err = to.Write(part.content)
		}
		if err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return ask.operation(listener, p.header(), form{w.FormDataContentType(), b.Bytes()}, nil)
}

// A question is one of a page's.
type question struct {
	Name, Type string
	From       *anchor.Amount
	Answered   bool
}

// documents are the questions that an amount asks to be answered by a document,
// and that were not yet.
func documents(of []question, in anchor.Amount) (names []string) {
	for _, q := range of {
		if q.Type == "file" && !q.Answered && (q.From == nil || *q.From <= in) {
			names = append(names, q.Name)
		}
	}
	return names
}

func (ask asker) operation(listener string, header http.Header, body, answer any) error {
	var a struct {
		Data   json.RawMessage
		Errors []gqlError
	}
	err := ask(http.MethodPost, listener+"/graphql", header, body, &a)
	switch {
	case err != nil:
		return err
	case len(a.Errors) > 0 && slices.Contains([]string{"INTERNAL", "UNAVAILABLE"}, a.Errors[0].Extensions.Code):
		return errLater{&gqlRefusal{a.Errors[0]}}
	case len(a.Errors) > 0:
		return &gqlRefusal{a.Errors[0]}
	case answer == nil:
		return nil
	}
	return json.Unmarshal(a.Data, answer)
}

// signInStaff lets somebody of staff in, by a link of `windlass staff link`, and
// returns the header to ask with. The client must not follow where it leads.
func signInStaff(ask asker, admin, link string) (http.Header, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, err
	}
	var cookies []*http.Cookie
	if err := ask(http.MethodPost, admin+"/signin", http.Header{"Origin": {admin}}, u.Query(), &cookies); err != nil {
		return nil, err
	}
	if len(cookies) == 0 {
		return nil, errors.New("no cookie")
	}
	return http.Header{"Cookie": {cookies[0].Name + "=" + cookies[0].Value}, "Origin": {admin}}, nil
}
