package main

import (
	"context"
	"io"
	"log/slog"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
	"windlass/server/rig"
	"windlass/server/store"
)

// TestLetter: what the anchor as it is configured writes to its customer, and that
// the link in it opens the page.
func TestLetter(t *testing.T) {
	t.Parallel()
	dir, sink := t.TempDir(), rig.NewSink(t, false)
	if _, err := devFiles(dir); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(filepath.Join(dir, configFile), []string{
		"WINDLASS_MAIL_HOST=127.0.0.1", "WINDLASS_MAIL_PORT=" + strconv.Itoa(sink.Port), "WINDLASS_MAIL_TLS=none", "WINDLASS_MAIL_FROM=money@anchor.example",
	})
	rig.Must(t, err)
	a, err := newApp(t.Context(), cfg, devMode{}, slog.New(slog.DiscardHandler))
	rig.Must(t, err)
	defer func() { rig.Must(t, a.Close()) }()

	terms, now := cfg.terms[0], time.Now()
	who := anchor.Identity{Account: cfg.keys.Signing.Address()} // any account will do
	d := anchor.Start(store.NewID(), anchor.Deposit, terms, who, anchor.Address(who.Account), now.Add(time.Hour), now)
	d.Lang, d.Reviewed = "es", true
	rig.Must(t, d.SetAmount(terms, terms.Deposit.Min))
	rig.Must(t, d.ChooseMethod(terms, terms.Deposit.Methods[0].ID))
	rig.Must(t, d.Agree(anchor.Instructions{Reference: "WL-TEST-1", Deadline: time.Date(2031, 5, 6, 7, 8, 0, 0, time.UTC)}, now))
	rig.Must(t, a.books.Update(t.Context(), store.Customer, func(tx *store.Tx) error {
		c := &anchor.Customer{ID: store.NewID(), Owner: who, Fields: map[string]string{"email_address": "ana@customer.example", "first_name": "Ana"}, CreatedAt: now}
		if err := tx.SaveCustomer(c); err != nil {
			return err
		}
		return tx.CreateTransaction(d)
	}))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.notify.Run(ctx) }()
	eventually(t, "it is written", func() bool { return len(sink.Got()) > 0 })
	stop()
	rig.Must(t, <-done)

	m := sink.Got()[0]
	_, boundary, _ := strings.Cut(m.Header.Get("Content-Type"), "boundary=")
	part, err := multipart.NewReader(m.Body, strings.Trim(boundary, `"`)).NextRawPart()
	rig.Must(t, err)
	b, err := io.ReadAll(quotedprintable.NewReader(part))
	rig.Must(t, err)
	text := string(b)
	for _, want := range []string{
		terms.Deposit.Min.Fixed(terms.OffChainDecimals) + " " + d.OffChain.Code, "Referencia: WL-TEST-1", "2031-05-06 07:08 UTC", cfg.Rail.AccountNumber,
		"Ver los detalles", cfg.Organization.Name, cfg.Organization.SupportEmail, d.Account.Short(), d.ID[:13],
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, who.Account) || strings.Contains(text, "Ana") {
		t.Errorf("it has more than its link shows:\n%s", text)
	}
	link := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(cfg.PublicURL) + `(\S+)\r?$`).FindStringSubmatch(text)
	if link == nil {
		t.Fatalf("there is no link:\n%s", text)
	}
	w := httptest.NewRecorder()
	a.public.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, link[1], nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "WL-TEST-1") {
		t.Errorf("the link %s answers %d", link[1], w.Code)
	}
}
