package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"windlass/server/anchor"
	"windlass/server/session"
	"windlass/server/store"
)

// Attach keeps a document as the answer to a question.
func (m mutation) Attach(ctx context.Context, id, name string, file Upload) (*anchor.Transaction, error) {
	t, err := m.own(ctx, id)
	if err != nil {
		return nil, err
	}
	f, content, err := anchor.NewFile(store.NewID(), "", name, file.content, time.Now())
	if err != nil {
		return nil, err
	}
	if !m.Documents.Allow(visitOf(ctx).network, t.Owner, f.Size) {
		m.Logger.WarnContext(ctx, "a document is refused: too many came from one customer, or from one network")
		return nil, errTooOften
	}
	sealed, err := m.Store.Seal(f, content) // before the update, for which others wait
	if err != nil {
		return nil, err
	}
	return m.change(ctx, id, func(tx *store.Tx, t *anchor.Transaction, now time.Time) error {
		c, terms, err := m.asked(tx, t, now)
		if err != nil {
			return err
		}
		f.Customer = c.ID
		side := terms.Side(t.Kind)
		if err := c.Attach(side.FieldsFor(t.Foreseen()), f, now); err != nil {
			return err
		}
		if review := side.ReviewOf(c, t.Foreseen(), now); review != anchor.ReviewNone {
			c.Review = review // it was the last that was missing
		}
		if err := tx.SaveCustomer(c); err != nil {
			return err
		}
		t.CustomerID = c.ID
		if err := tx.AddFile(sealed, m.Documents.Each); err != nil {
			return err
		}
		return m.room(ctx, tx, c.Owner)
	})
}

// room refuses a document that all of them have no room for. Some is left to those
// who have paid before: strangers, of whom there is no end, do not take it from them.
func (m mutation) room(ctx context.Context, tx *store.Tx, owner anchor.Identity) error {
	size, err := tx.FilesSize()
	limit := m.Documents.All
	if strangers := limit - limit/4; err == nil && size > strangers {
		var paid bool
		if paid, err = tx.HasPaid(owner); !paid {
			limit = strangers
		}
	}
	if err == nil && size > limit {
		m.Logger.ErrorContext(ctx, "a document is refused: limits.documents is reached", "bytes", size, "limit", limit)
		err = errFull
	}
	return err
}

// Upload is the content of a file that came with a request.
type Upload struct{ content []byte }

// MarshalUpload is what gqlgen asks of a scalar; nothing answers one.
func MarshalUpload(Upload) graphql.Marshaler { return graphql.Null }

// UnmarshalUpload takes what receive has put among the variables, and nothing that
// a caller could write there.
func UnmarshalUpload(v any) (Upload, error) {
	u, ok := v.(Upload)
	if !ok {
		return u, invalid("a file comes as multipart/form-data")
	}
	return u, nil
}

const (
	formData = "multipart/form-data"
	// maxForm is what may be in the form beside the file.
	maxForm = maxQuery + 16<<10
	// uploadTime is how long a document may take: a phone's poor network carries
	// 8 MiB in little more than a minute. pieceTime is how long nothing may come.
	uploadTime = 3 * time.Minute
	pieceTime  = 15 * time.Second
	// maxUploads are received at once, and maxOfOne for one transaction: that is two
	// on their way and one whose connection died unnoticed. Each takes four times
	// its size of memory, since it is stripped and encrypted before it is stored.
	maxUploads = 16
	maxOfOne   = 3
)

var errBusy = &anchor.Error{Kind: anchor.Unavailable, Code: "uploads_busy", Message: "too many documents are being received; try again in a moment"}

// These are no Unavailable: a page that sends it over again would be of no use.
var (
	errTooOften = &anchor.Error{Kind: anchor.Conflict, Code: "documents_too_often", Message: "too many documents came from you; try again in an hour"}
	errFull     = &anchor.Error{Kind: anchor.Conflict, Code: "documents_full", Message: "no more documents are taken at present; ask us when they are"}
)

// uploads counts those that are being received, by their transactions.
type uploads struct {
	mu  sync.Mutex
	all int
	of  map[string]int
}

// enter lets one more in, until leave is called.
func (u *uploads) enter(transaction string) (leave func(), ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all >= maxUploads || u.of[transaction] >= maxOfOne {
		return nil, false
	}
	u.all++
	u.of[transaction]++
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.all--
		if u.of[transaction]--; u.of[transaction] == 0 {
			delete(u.of, transaction)
		}
	}, true
}

// receive reads an operation with one file: the GraphQL multipart request
// specification, of which that is all we need.
func (x exchange) receive(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, int, *anchor.Error) {
	if role(r.Context()) != session.Customer {
		return nil, http.StatusForbidden, errNotAllowed
	}
	control := http.NewResponseController(w)
	until := time.Now().Add(pieceTime) // for what of a refused form is still under way
	defer func() {
		_ = control.SetReadDeadline(until)
		_ = control.SetWriteDeadline(time.Now().Add(writeLimit)) // as all others have, from when the answer begins
	}()
	r.Body = http.MaxBytesReader(w, &arriving{r.Body, control, time.Now().Add(uploadTime)}, anchor.MaxFile+maxForm)
	form, err := r.MultipartReader()
	if err != nil {
		return nil, http.StatusBadRequest, invalid("the form has no boundary")
	}
	text, problem := part(form, "operations", maxForm)
	if problem != nil {
		return nil, http.StatusBadRequest, problem
	}
	params, status, problem := x.parse(text)
	if problem != nil {
		return nil, status, problem
	}
	if text, problem = part(form, "map", maxForm); problem != nil {
		return nil, http.StatusBadRequest, problem
	}
	name, variable, problem := mapped(text)
	if problem != nil {
		return nil, http.StatusBadRequest, problem
	}
	if given, ok := params.Variables[variable]; !ok || given != nil {
		return nil, http.StatusBadRequest, invalid("the operation's variable %q must be there, and null", variable)
	}
	content, problem := part(form, name, anchor.MaxFile)
	switch {
	case problem != nil && problem.Code == "file_too_large":
		problem.Field, _ = params.Variables["name"].(string)
		return nil, http.StatusRequestEntityTooLarge, problem
	case problem != nil:
		return nil, http.StatusBadRequest, problem
	}
	until = time.Time{} // all is here: no deadline may end the request now
	params.Variables[variable] = Upload{content}
	return params, http.StatusOK, nil
}

// part reads the next part of a form, which must have this name.
func part(form *multipart.Reader, name string, limit int64) ([]byte, *anchor.Error) {
	p, err := form.NextPart()
	if err == nil && p.FormName() != name {
		return nil, invalid("the form must have the parts operations, map and one file, in this order")
	}
	var content []byte
	if err == nil {
		content, err = io.ReadAll(io.LimitReader(p, limit+1))
	}
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case (large || int64(len(content)) > limit) && limit == anchor.MaxFile:
		return nil, anchor.FileTooLarge("")
	case large || int64(len(content)) > limit:
		return nil, invalid("the part %s must have at most %d bytes", name, limit)
	case err != nil:
		return nil, invalid("the body broke off")
	}
	return content, nil
}

// mapped is what a form's map says: the name of the part with the file, and the
// variable that it is.
func mapped(text []byte) (name, variable string, _ *anchor.Error) {
	var all map[string][]string
	err := json.Unmarshal(text, &all)
	for part, paths := range all {
		if len(paths) == 1 {
			name, variable = part, strings.TrimPrefix(paths[0], "variables.")
		}
	}
	if err != nil || len(all) != 1 || variable == "" {
		return "", "", invalid(`the form's map must name one file and one variable, as {"0": ["variables.file"]}`)
	}
	return name, variable, nil
}

// arriving is a body that may take longer than others for as long as more of it
// comes: the server's deadline is for small ones.
type arriving struct {
	io.ReadCloser

	control *http.ResponseController
	end     time.Time
}

func (a *arriving) Read(b []byte) (int, error) {
	by := time.Now().Add(pieceTime)
	if by.After(a.end) {
		by = a.end
	}
	if err := a.control.SetReadDeadline(by); err != nil {
		return 0, fmt.Errorf("set the deadline: %w", err)
	}
	return a.ReadCloser.Read(b)
}
