package main

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"windlass/server/anchor"
	"windlass/server/session"
	"windlass/server/store"
)

// file shows a customer's document to staff, once it is written down who looked.
//
// Whatever is in it, it is shown as the picture that it began as, outside of our
// origin, and runs nothing. A PDF is handed over as a download, so that it does not
// depend on each browser's viewer working inside the sandbox. Chromium's does.
func (a *app) file(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	caller := session.FromContext(r.Context())
	if caller.Role != session.Staff {
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	id := mux.Vars(r)["id"]
	var f *anchor.File
	err := a.books.Update(r.Context(), caller.Actor(), func(tx *store.Tx) (err error) {
		if f, err = tx.File(id); err != nil {
			return err
		}
		return tx.Audit("fileSeen", "", "file:"+f.ID, f.Field, time.Now())
	})
	var content []byte
	if err == nil {
		content, err = a.books.Content(r.Context(), f.ID)
	}
	switch {
	case err != nil && anchor.KindOf(err) == anchor.NotFound:
		http.Error(w, "no such file; the customer may have sent another one", http.StatusNotFound)
		return
	case err != nil:
		a.log.ErrorContext(r.Context(), "a document cannot be shown", "file", id, "error", err)
		http.Error(w, "something went wrong on our side", http.StatusInternalServerError)
		return
	}
	kind, ending, _ := strings.Cut(f.MediaType, "/")
	disposition := "attachment"
	if kind == "image" {
		disposition = "inline"
	}
	h.Set("Content-Type", f.MediaType)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": f.Field + "-" + f.ID + "." + ending}))
	h.Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content) // fails if the client has gone
}
