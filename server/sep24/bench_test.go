package sep24_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"windlass/server/sep"
)

// BenchmarkPoll is what a wallet's poll costs beside an answer that is always
// the same behind the same check of the token: over HTTP, and in the handler
// alone.
func BenchmarkPoll(b *testing.B) {
	w := newWorld(b)
	who := newOwner()
	tr := w.begin("withdraw", who, map[string]any{})
	w.move(tr.ID, entered("100"), agreed)
	token := w.token(who)

	body := []byte(`{"transaction":{"id":"x"}}`)
	r := mux.NewRouter()
	r.PathPrefix("/sep24").Handler(w.h)
	r.Handle("/constant", sep.Endpoint(map[string]http.HandlerFunc{"GET": func(rw http.ResponseWriter, q *http.Request) {
		if _, err := w.keys.Auth(sep.Bearer(q), time.Now()); err != nil {
			b.Error(err)
		}
		sep.Write(rw, http.StatusOK, body)
	}}))
	srv := httptest.NewServer(r)
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	for _, c := range []struct{ name, path string }{
		{"Transaction", "/sep24/transaction?id=" + tr.ID},
		{"Constant", "/constant"},
	} {
		b.Run("HTTP/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					q, _ := http.NewRequest(http.MethodGet, srv.URL+c.path, nil)
					q.Header.Set("Authorization", "Bearer "+token)
					res, err := client.Do(q)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if res.StatusCode != 200 {
						b.Error(res.Status)
					}
				}
			})
		})
		b.Run("Handler/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q := httptest.NewRequest(http.MethodGet, c.path, nil)
				q.Header.Set("Authorization", "Bearer "+token)
				rec := httptest.NewRecorder()
				r.ServeHTTP(rec, q)
				if rec.Code != 200 {
					b.Fatal(rec.Code)
				}
			}
		})
	}
	b.Run("Store", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.books.Transaction(b.Context(), tr.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Object", func(b *testing.B) {
		b.ReportAllocs()
		t, err := w.books.Transaction(b.Context(), tr.ID)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			w.sep.Object(t, "en", true)
		}
	})
}
