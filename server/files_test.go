package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/rig"
	"windlass/server/session"
	"windlass/server/store"
)

// asking is an anchor that asks for documents, and one deposit at it.
type asking struct {
	*app
	deposit *anchor.Transaction
}

func newAsking(t *testing.T) *asking {
	t.Helper()
	dir := t.TempDir()
	_, err := devFiles(dir)
	rig.Must(t, err)
	cfg, err := Load(filepath.Join(dir, configFile), []string{"WINDLASS_ASSETS_0_DEPOSIT_FIELDS=first_name,photo_id_front,photo_proof_residence"})
	rig.Must(t, err)
	a, err := newApp(t.Context(), cfg, devMode{}, slog.New(slog.DiscardHandler))
	rig.Must(t, err)
	t.Cleanup(func() { rig.Must(t, a.Close()) })
	now, who := time.Now(), anchor.Identity{Account: cfg.keys.Signing.Address()} // any account will do
	d := anchor.Start(store.NewID(), anchor.Deposit, cfg.terms[0], who, anchor.Address(who.Account), now.Add(time.Hour), now)
	rig.Must(t, a.books.Update(t.Context(), store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(d) }))
	return &asking{a, d}
}

// bearer opens the deposit's page at where the public listener is.
func (a *asking) bearer(ask asker, public string) (http.Header, error) {
	token, err := a.keys.Interactive(a.deposit.ID, time.Now())
	if err != nil {
		return nil, err
	}
	var got struct{ Bearer string }
	err = ask(http.MethodPost, public+"/interactive/"+a.deposit.ID+"/session", nil, map[string]string{"token": token, "nonce": "nonce-of-this-page"}, &got)
	return pageOf{a.deposit.ID, got.Bearer}.header(), err
}

// keep stores documents as the customer's answers, and returns their ids.
func (a *asking) keep(t *testing.T, contents map[string]string) map[string]string {
	t.Helper()
	ids, now := map[string]string{}, time.Now()
	c := &anchor.Customer{ID: store.NewID(), Owner: a.deposit.Owner, Fields: map[string]string{}, CreatedAt: now}
	var all []*store.Document
	for field, content := range contents {
		f, kept, err := anchor.NewFile(store.NewID(), c.ID, field, []byte(content), now)
		rig.Must(t, err)
		sealed, err := a.books.Seal(f, kept)
		rig.Must(t, err)
		all = append(all, sealed)
		c.Fields[field], ids[field] = f.ID, f.ID
	}
	rig.Must(t, a.books.Update(t.Context(), store.Customer, func(tx *store.Tx) error {
		if err := tx.SaveCustomer(c); err != nil {
			return err
		}
		for _, d := range all {
			if err := tx.AddFile(d, 1<<20); err != nil {
				return err
			}
		}
		return nil
	}))
	return ids
}

// TestFiles: what staff get of a document, and nobody else; who looked is known.
func TestFiles(t *testing.T) {
	t.Parallel()
	a := newAsking(t)
	picture := func(name string) string {
		b, err := os.ReadFile(filepath.Join("anchor", "testdata", "pictures", name))
		rig.Must(t, err)
		return string(b)
	}
	contents := map[string]string{
		"photo_id_front":              string(rig.Picture("a passport")),
		"photo_id_back":               picture("plain.png"),
		"proof_of_liveness":           picture("plain.webp"),
		"photo_proof_residence":       "%PDF-1.7 a bill %%EOF",
		"notary_approval_of_photo_id": "%PDF-1.7 <script>alert(1)</script> %%EOF",
	}
	ids := a.keep(t, contents)
	admin, _ := start(t, a.admin, &logged{})
	public, _ := start(t, a.public, &logged{})
	ask := func(method, address string, header http.Header, body, answer any) error {
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		if header != nil {
			header.Set("Origin", a.cfg.AdminURL) // the test's port is another
		}
		return request(t.Context(), &client, method, address, header, body, answer)
	}
	link, err := a.keys.SignInLink("kim", time.Now())
	rig.Must(t, err)
	staff, err := signInStaff(ask, admin, link)
	rig.Must(t, err)
	customer, err := a.bearer(ask, public)
	rig.Must(t, err)
	viewer := http.Header{"Authorization": {"Capability " + a.keys.Capability(a.deposit.ID)}, session.TransactionHeader: {a.deposit.ID}}

	trail := func(id string) int {
		t.Helper()
		all, _, err := a.books.Audit(t.Context(), store.Trail{Subject: "file:" + id, Page: store.Page{Limit: 10}})
		rig.Must(t, err)
		for _, e := range all {
			if e.Event != "fileSeen" || e.Actor != "staff:kim" || contents[e.Note] == "" || ids[e.Note] != id {
				t.Errorf("%+v", e)
			}
		}
		return len(all)
	}
	guarded := func(name string, r *http.Response) {
		t.Helper()
		for header, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
		} {
			if got := r.Header.Get(header); got != want {
				t.Errorf("%s: %s: %q, want %q", name, header, got, want)
			}
		}
	}

	front := ids["photo_id_front"]
	for name, c := range map[string]struct {
		method, address string
		who             http.Header
		status          int
	}{
		"nobody":                 {"GET", admin + graph.FilesPath + front, nil, 401},
		"nobody, of none":        {"GET", admin + graph.FilesPath + store.NewID(), nil, 401},
		"a customer":             {"GET", admin + graph.FilesPath + front, customer, 401},
		"a viewer":               {"GET", admin + graph.FilesPath + front, viewer, 401},
		"a bearer of staff's":    {"GET", admin + graph.FilesPath + front, bearer(strings.TrimPrefix(staff.Get("Cookie"), "windlass-staff=")), 401},
		"one that is none":       {"GET", admin + graph.FilesPath + store.NewID(), staff, 404},
		"a word":                 {"GET", admin + graph.FilesPath + "x", staff, 404},
		"all":                    {"GET", admin + graph.FilesPath, staff, 404},
		"its headers alone":      {"HEAD", admin + graph.FilesPath + front, staff, 405},
		"to be written":          {"POST", admin + graph.FilesPath + front, staff, 405},
		"staff in public":        {"GET", public + graph.FilesPath + front, staff, 404},
		"the customer in public": {"GET", public + graph.FilesPath + front, customer, 404},
	} {
		r := send(t, c.method, c.address, c.who, "")
		body, err := io.ReadAll(r.Body)
		rig.Must(t, errors.Join(err, r.Body.Close()))
		if r.StatusCode != c.status || strings.Contains(string(body), "passport") {
			t.Errorf("%s: %d %s, want %d", name, r.StatusCode, body, c.status)
		}
		if strings.HasPrefix(c.address, admin+graph.FilesPath) && (c.status == 401 || c.method == "GET" && name != "all") {
			guarded(name, r)
		}
	}
	if n := trail(front); n != 0 {
		t.Errorf("%d entries of who saw nothing", n)
	}

	for field, want := range map[string]struct{ kind, disposition, ending string }{
		"photo_id_front":              {"image/jpeg", "inline", "jpeg"},
		"photo_id_back":               {"image/png", "inline", "png"},
		"proof_of_liveness":           {"image/webp", "inline", "webp"},
		"photo_proof_residence":       {"application/pdf", "attachment", "pdf"},
		"notary_approval_of_photo_id": {"application/pdf", "attachment", "pdf"},
	} {
		r := send(t, "GET", admin+graph.FilesPath+ids[field], staff, "")
		body, err := io.ReadAll(r.Body)
		rig.Must(t, errors.Join(err, r.Body.Close()))
		name := want.disposition + "; filename=" + field + "-" + ids[field] + "." + want.ending
		if r.StatusCode != http.StatusOK || string(body) != contents[field] || r.Header.Get("Content-Type") != want.kind ||
			r.Header.Get("Content-Disposition") != name || r.ContentLength != int64(len(body)) {
			t.Errorf("%s: %d %q %v", field, r.StatusCode, body, r.Header)
		}
		guarded(field, r)
		if n := trail(ids[field]); n != 1 {
			t.Errorf("%s: %d entries", field, n)
		}
	}
}

// TestSlowDocuments: a phone's slow network is waited for, as long as something
// comes; who sends nothing is cut off, and of a stranger nothing is read. It is the
// listener as it is, with its own limits, on synctest's clock.
func TestSlowDocuments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(t)
		var network inProcess
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		ln := serveOn(network.listen(hostPublic), "public", a.public, slog.New(slog.DiscardHandler))
		go func() { done <- ln.Run(ctx) }()
		defer func() { stop(); rig.Must(t, <-done) }()
		client := network.client()
		defer client.CloseIdleConnections()
		ask := func(method, address string, header http.Header, body, answer any) error {
			return request(t.Context(), client, method, address, header, body, answer)
		}
		customer, err := a.bearer(ask, "http://"+hostPublic)
		rig.Must(t, err)

		operation, err := json.Marshal(map[string]any{
			"query":     `mutation($id: ID!, $file: Upload!) { attach(transaction: $id, name: "photo_id_front", file: $file) { id } }`,
			"variables": map[string]any{"id": a.deposit.ID, "file": nil},
		})
		rig.Must(t, err)
		body := ""
		for _, part := range [][2]string{{"operations", string(operation)}, {"map", `{"0": ["variables.file"]}`}, {"0", string(rig.Picture("a passport"))}} {
			body += fmt.Sprintf("--edge\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", part[0], part[1])
		}
		body += "--edge--\r\n"

		// upload announces so many bytes and sends this much of the body in pieces, with
		// a pause before each. It says how it ended and after how long.
		upload := func(who http.Header, length, much, pieces int, pause time.Duration) (status int, text string, after time.Duration) {
			conn, err := network.dial(t.Context(), "", hostPublic)
			rig.Must(t, err)
			defer func() { _ = conn.Close() }() // the server closes it, too
			begin := time.Now()
			go func() {
				var headers strings.Builder
				rig.Must(t, who.Write(&headers))
				_, err := fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: multipart/form-data; boundary=edge\r\nContent-Length: %d\r\n%s\r\n", hostPublic, length, &headers)
				for i := 0; i < pieces && err == nil; i++ {
					<-time.After(pause)
					_, err = io.WriteString(conn, body[much*i/pieces:much*(i+1)/pieces])
				}
			}()
			return ended(t, conn, begin)
		}
		seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
		for _, c := range []struct {
			name          string
			who           http.Header
			length        int
			much, pieces  int
			pause         time.Duration
			status        int
			text          string
			earliest, end time.Duration
		}{
			{"at once", customer, len(body), len(body), 1, 0, 200, a.deposit.ID, 0, 0},
			{"14 seconds between pieces", customer, len(body), len(body), 12, seconds(14), 200, a.deposit.ID, seconds(168), seconds(168)},
			{"nothing comes", customer, len(body), 0, 0, 0, 400, "broke off", seconds(15), seconds(15)},
			{"half of it", customer, len(body), len(body) / 2, 2, seconds(10), 400, "broke off", seconds(35), seconds(35)},
			{"16 seconds between pieces", customer, len(body), len(body), 12, seconds(16), 400, "broke off", seconds(15), seconds(15)},
			{"without an end", customer, len(body), len(body), 40, seconds(10), 400, "broke off", seconds(180), seconds(180)},
			{"a stranger", http.Header{}, anchor.MaxFile, 0, 0, 0, 401, "UNAUTHENTICATED", 0, 0},
			{"a stranger with the transaction's id", http.Header{session.TransactionHeader: {a.deposit.ID}}, anchor.MaxFile, 0, 0, 0, 401, "UNAUTHENTICATED", 0, 0},
			// What is small the server itself waits for, as of any request, and for no longer.
			{"a stranger's small one", http.Header{}, len(body), 0, 0, 0, 401, "UNAUTHENTICATED", 0, seconds(30)},
		} {
			status, text, after := upload(c.who, c.length, c.much, c.pieces, c.pause)
			if status != c.status || !strings.Contains(text, c.text) || after < c.earliest || after > c.end {
				t.Errorf("%s: %d %s after %s, want %d %s after %s to %s", c.name, status, text, after, c.status, c.text, c.earliest, c.end)
			}
		}
		// The slow ones have left their places.
		for range 3 {
			if status, text, _ := upload(customer, len(body), len(body), 1, 0); status != http.StatusOK {
				t.Errorf("%d %s", status, text)
			}
		}
	})
}

// TestNeverPaid: the documents of who never paid go as soon as anchor.toml says, and
// those of whom a person has looked at stay until it says so of them.
func TestNeverPaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		vetting anchor.Vetting
		keep    CustomersConfig
		days    int
		left    bool
	}{
		{anchor.Unvetted, CustomersConfig{}, 89, true},
		{anchor.Unvetted, CustomersConfig{}, 91, false},
		{anchor.Vetted, CustomersConfig{}, 9999, true},
		{anchor.Vetted, CustomersConfig{KeepReviewed: Duration(100 * 24 * time.Hour)}, 99, true},
		{anchor.Vetted, CustomersConfig{KeepReviewed: Duration(100 * 24 * time.Hour)}, 101, false},
	} {
		a := newAsking(t)
		c.keep.KeepUnpaid = a.cfg.Customers.KeepUnpaid // the default
		id := a.keep(t, map[string]string{"photo_id_front": string(rig.Picture("a passport"))})["photo_id_front"]
		now := time.Now()
		rig.Must(t, a.books.Update(t.Context(), store.Customer, func(tx *store.Tx) error {
			customer, err := tx.CustomerOf(a.deposit.Owner)
			if err != nil {
				return err
			}
			customer.Vetting = c.vetting
			d, err := tx.Transaction(a.deposit.ID)
			if err != nil {
				return err
			}
			d.AgreedAt, d.Reviewed = now, true
			return errors.Join(d.Cancel(now), tx.SaveTransaction(d), tx.SaveCustomer(customer))
		}))
		rig.Must(t, sweeper{a.books, c.keep, a.log}.forget(t.Context(), now.AddDate(0, 0, c.days)))
		if _, err := a.books.Content(t.Context(), id); (err == nil) != c.left {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// ended is what a connection answers, and after how long.
func ended(t *testing.T, conn net.Conn, begin time.Time) (status int, text string, after time.Duration) {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	after = time.Since(begin)
	if err != nil {
		return 0, err.Error(), after
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	rig.Must(t, err)
	return r.StatusCode, string(b), after
}
