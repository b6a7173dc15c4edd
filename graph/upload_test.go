package graph_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"windlass/graph"
	"windlass/server/anchor"
	"windlass/server/language"
	"windlass/server/rig"
	"windlass/server/store"
)

const (
	attach = `mutation($id: ID!, $name: ID!, $file: Upload!) { transaction: attach(transaction: $id, name: $name, file: $file) {
		status review questions { name type value file { id mediaType size url createdAt } } } }`
	seen = `query($id: ID!) { transaction(id: $id) { review questions { name value file { id mediaType size url } } } }`
)

var (
	jpeg = photo("a passport")
	pdf  = "%PDF-1.7 a bill %%EOF"
)

func photo(of string) string { return string(rig.Picture(of)) }

// asksFiles asks for documents besides.
func asksFiles(t *anchor.Terms) {
	t.Deposit.Fields = append(t.Deposit.Fields[:3:3], anchor.Field{Name: "photo_id_front", Type: anchor.FieldFile},
		anchor.Field{Name: "photo_proof_residence", Type: anchor.FieldFile, Optional: true})
}

// form is a multipart request, which a test may spoil.
type form struct {
	parts   [][2]string
	without string // a header
}

// sending is what the page sends: query, map and file.
func (c caller) sending(query, name, content string) form {
	operations, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{"id": c.transaction, "name": name, "file": nil}})
	must(c.w.t, err)
	return form{parts: [][2]string{{"operations", string(operations)}, {"map", `{"0": ["variables.file"]}`}, {"0", content}}}
}

// body writes the form down.
func (f form) body(t *testing.T) (content, kind string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range f.parts {
		part, err := w.CreateFormFile(p[0], "../../Ana Díaz.jpg")
		must(t, err)
		_, err = io.WriteString(part, p[1])
		must(t, err)
	}
	must(t, w.Close())
	return b.String(), w.FormDataContentType()
}

// send sends a form, and reads the answer.
func (c caller) sendForm(f form) (int, object, []problem) {
	c.w.t.Helper()
	body, kind := f.body(c.w.t)
	return c.sendBody(strings.NewReader(body), kind, f.without)
}

func (c caller) sendBody(body io.Reader, kind, without string) (int, object, []problem) {
	c.w.t.Helper()
	url := c.w.public
	if c.role == "STAFF" {
		url = c.w.admin
	}
	r, err := http.NewRequestWithContext(c.w.t.Context(), http.MethodPost, url, body)
	must(c.w.t, err)
	for name, value := range map[string]string{"Content-Type": kind, "Role": c.role, "Transaction": c.transaction, "X-Windlass-Transaction": c.transaction} {
		if name != without {
			r.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	must(c.w.t, err)
	defer resp.Body.Close()
	var answer struct {
		Data   object
		Errors []problem
	}
	must(c.w.t, json.NewDecoder(resp.Body).Decode(&answer))
	return resp.StatusCode, answer.Data, answer.Errors
}

// attach sends a document and insists on success.
func (c caller) attach(name, content string) object {
	c.w.t.Helper()
	status, data, problems := c.sendForm(c.sending(attach, name, content))
	if status != http.StatusOK || len(problems) > 0 {
		c.w.t.Fatalf("%d %+v", status, problems)
	}
	return data
}

// A customer sends documents, one in the place of another, and answers the rest;
// staff are told where to see them, and a viewer nothing.
func TestDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asksFiles(w.terms)
	tr := w.open(anchor.Deposit)
	c := w.customer(tr)
	const front, bill = "transaction.questions.3", "transaction.questions.4"

	if _, problems := c.ask(answer, map[string]any{"id": tr.ID, "answers": ana}); told(problems) != "INVALID field_required photo_id_front" {
		t.Fatalf("%+v", problems)
	}
	data := c.attach("photo_id_front", jpeg)
	first := data.str(front + ".value")
	if first == "" || data.str(front+".file.id") != first || data.str(front+".file.mediaType") != "image/jpeg" || data.str(front+".file.size") != fmt.Sprint(len(jpeg)) ||
		data.at(front+".file.url") != nil || data.at(bill+".file") != nil || data.str("transaction.review") != "none" {
		t.Fatalf("%+v", data)
	}
	second := c.attach("photo_id_front", photo("a passport again")).str(front + ".value")
	if _, err := w.books.Content(t.Context(), first); anchor.KindOf(err) != anchor.NotFound || first == second {
		t.Errorf("the first is there: %v", err)
	}
	c.do(answer, map[string]any{"id": tr.ID, "answers": ana})
	c.attach("photo_proof_residence", pdf)

	data = w.staff().do(seen, map[string]any{"id": tr.ID})
	if data.str(front+".file.url") != graph.FilesPath+second || data.str(bill+".file.mediaType") != "application/pdf" {
		t.Errorf("staff: %+v", data)
	}
	data = w.viewer(tr).do(seen, map[string]any{"id": tr.ID})
	if data.at(front+".file") != nil || data.str(front+".value") != "****" {
		t.Errorf("a viewer: %+v", data)
	}
	// What is not asked for is erased by its question's answer.
	c.do(answer, map[string]any{"id": tr.ID, "answers": append(answers("photo_proof_residence", ""), ana...)})
	if data = c.do(seen, map[string]any{"id": tr.ID}); data.at(bill+".file") != nil || data.str(front+".file.id") != second {
		t.Errorf("%+v", data)
	}
}

// A document that nobody has looked at takes an acceptance away.
func TestDocumentAfterAcceptance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byHand)
	asksFiles(w.terms)
	tr := w.open(anchor.Deposit)
	c := w.customer(tr)
	c.do(setAmount, map[string]any{"id": tr.ID, "amountIn": "100"})
	c.attach("photo_id_front", jpeg)
	c.do(answer, map[string]any{"id": tr.ID, "answers": ana})
	w.pressed("acceptCustomer", tr, "")
	if got := c.do(seen, map[string]any{"id": tr.ID}).str("transaction.review"); got != "accepted" {
		t.Fatal(got)
	}
	if got := c.attach("photo_id_front", photo("somebody else's")).str("transaction.review"); got != "pending" || w.read(tr.ID).Reviewed {
		t.Errorf("%s, reviewed: %v", got, w.read(tr.ID).Reviewed)
	}
	w.pressed("acceptCustomer", tr, "")
}

func TestDocumentsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asksFiles(w.terms)
	tr, theirs := w.open(anchor.Deposit), w.open(anchor.Deposit, func(t *anchor.Transaction) {
		t.Owner.Account = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
	})
	over := w.open(anchor.Deposit)
	w.customer(over).do(cancel, map[string]any{"id": over.ID})
	c := w.customer(tr)
	others := w.customer(theirs).attach("photo_id_front", jpeg).str("transaction.questions.3.value")
	good := c.sending(attach, "photo_id_front", jpeg)
	with := func(i int, part, content string) form {
		f := form{parts: append([][2]string{}, good.parts...)}
		f.parts[i] = [2]string{part, content}
		return f
	}
	bare := good
	bare.without = "X-Windlass-Transaction"
	for name, c := range map[string]struct {
		who    caller
		form   form
		status int
		want   string
	}{
		"nobody":                {caller{w: w, transaction: tr.ID}, good, 401, "UNAUTHENTICATED"},
		"a viewer":              {w.viewer(tr), good, 403, "FORBIDDEN forbidden"},
		"staff":                 {w.staff(), good, 415, "INVALID"},
		"without the header":    {c, bare, 403, "FORBIDDEN"},
		"another's transaction": {w.customer(theirs), good, 200, "NOT_FOUND not_found"},
		"over":                  {w.customer(over), w.customer(over).sending(attach, "photo_id_front", jpeg), 200, "CONFLICT already_agreed"},
		"not asked for":         {c, c.sending(attach, "photo_id_back", jpeg), 200, "INVALID field_unknown photo_id_back"},
		"no question of files":  {c, c.sending(attach, "first_name", jpeg), 200, "INVALID field_unknown first_name"},
		"a page":                {c, c.sending(attach, "photo_id_front", "<html><script>"), 200, "INVALID file_kind_unknown photo_id_front"},
		"a drawing":             {c, c.sending(attach, "photo_id_front", "<svg xmlns='http://www.w3.org/2000/svg'>"), 200, "INVALID file_kind_unknown photo_id_front"},
		"nothing":               {c, c.sending(attach, "photo_id_front", ""), 200, "INVALID file_kind_unknown photo_id_front"},
		"cut off":               {c, c.sending(attach, "photo_id_front", jpeg[:len(jpeg)-2]), 200, "INVALID file_damaged photo_id_front"},
		"a sky of pixels": {c, c.sending(attach, "photo_id_front", strings.Replace(jpeg, "\x08\x00\x01\x00\x01", "\x08\xff\xff\xff\xff", 1)), 200,
			"INVALID file_too_many_pixels photo_id_front"},
		"an iPhone's":         {c, c.sending(attach, "photo_id_front", "\x00\x00\x00\x24ftypheic\x00\x00"), 200, "INVALID file_heic photo_id_front"},
		"too large":           {c, c.sending(attach, "photo_id_front", jpeg+strings.Repeat("x", anchor.MaxFile)), 413, "INVALID file_too_large photo_id_front"},
		"far too large":       {c, c.sending(attach, "photo_id_front", jpeg+strings.Repeat("x", anchor.MaxFile+1<<20)), 413, "INVALID file_too_large photo_id_front"},
		"a large operation":   {c, with(0, "operations", `{"query": "`+strings.Repeat(" ", 200<<10)+`"}`), 400, "INVALID"},
		"no operation":        {c, with(0, "operations", `x`), 400, "INVALID"},
		"in another order":    {c, with(0, "map", `{}`), 400, "INVALID"},
		"no map":              {c, with(1, "map", `{}`), 400, "INVALID"},
		"a map of two":        {c, with(1, "map", `{"0": ["variables.file"], "1": ["variables.name"]}`), 400, "INVALID"},
		"a file twice":        {c, with(1, "map", `{"0": ["variables.file", "variables.name"]}`), 400, "INVALID"},
		"another variable":    {c, with(1, "map", `{"0": ["variables.name"]}`), 400, "INVALID"},
		"an unknown variable": {c, with(1, "map", `{"0": ["variables.x"]}`), 400, "INVALID"},
		"another part":        {c, with(2, "1", jpeg), 400, "INVALID"},
		"no file":             {c, form{parts: good.parts[:2]}, 400, "INVALID"},
		"not in the form": {c, c.sending(`mutation($id: ID!, $name: ID!, $file: ID) { attach(transaction: $id, name: $name, file: "x") { id } }`,
			"photo_id_front", jpeg), 422, "INVALID"},
		"twice": {c, c.sending(`mutation($id: ID!, $name: ID!, $file: Upload!) {
			a: attach(transaction: $id, name: $name, file: $file) { id } b: attach(transaction: $id, name: $name, file: $file) { id } }`,
			"photo_id_front", jpeg), 422, "INVALID"},
	} {
		t.Run(name, func(t *testing.T) {
			c.who.w = &world{t: t, public: w.public, admin: w.admin}
			status, _, problems := c.who.sendForm(c.form)
			if status != c.status || told(problems) != c.want {
				t.Errorf("%d %s, want %d %s: %+v", status, told(problems), c.status, c.want, problems)
			}
		})
	}
	for name, value := range map[string]string{"another's": others, "one that is none": store.NewID(), "a text": "x"} {
		_, problems := c.ask(answer, map[string]any{"id": tr.ID, "answers": append(answers("photo_id_front", value), ana...)})
		if told(problems) != "INVALID file_unknown photo_id_front" {
			t.Errorf("%s is an answer: %+v", name, problems)
		}
	}
	// In the customer's language, not the browser's.
	arabic := w.open(anchor.Deposit, func(t *anchor.Transaction) { t.Lang = "ar" })
	a := w.customer(arabic)
	for content, want := range map[string]string{
		"<html>": language.Text("ar", "error.file_kind_unknown", nil),
		jpeg + strings.Repeat("x", anchor.MaxFile): language.Text("ar", "error.file_too_large", map[string]string{"limit": "8"}),
	} {
		if _, _, problems := a.sendForm(a.sending(attach, "photo_id_front", content)); len(problems) != 1 || problems[0].Message != want {
			t.Errorf("%+v, want %s", problems, want)
		}
	}
	// As JSON, nothing is a file.
	_, problems := c.ask(attach, map[string]any{"id": tr.ID, "name": "photo_id_front", "file": map[string]string{"content": jpeg}})
	if len(problems) != 1 || problems[0].Extensions.Code != "INVALID" {
		t.Errorf("%+v", problems)
	}
	if _, err := w.books.CustomerOf(t.Context(), tr.Owner); anchor.KindOf(err) != anchor.NotFound {
		t.Errorf("something was kept: %v", err)
	}
	if s := w.log.String(); s != "" {
		t.Error("logged:", s)
	}
}

// A body that breaks off leaves nothing, and the next one finds room.
func TestDocumentBreaksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asksFiles(w.terms)
	tr := w.open(anchor.Deposit)
	c := w.customer(tr)
	content, kind := c.sending(attach, "photo_id_front", jpeg).body(t)
	for range 20 {
		status, _, problems := c.sendBody(strings.NewReader(content[:len(content)-40]), kind, "")
		if status != http.StatusBadRequest || told(problems) != "INVALID" {
			t.Fatalf("%d %+v", status, problems)
		}
	}
	c.attach("photo_id_front", jpeg)
}

// Who comes when all places are taken is told so in their language, and finds one
// when another has left.
func TestDocumentsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asksFiles(w.terms)
	tr := w.open(anchor.Deposit, func(t *anchor.Transaction) { t.Lang = "ar" })
	c := w.customer(tr)
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour}}
	defer client.CloseIdleConnections()
	content, kind := c.sending(attach, "photo_id_front", jpeg).body(t)

	// begin begins to send one, and returns once the server asks for its body: it has
	// its place then. finish sends the body, and waits for the answer.
	begin := func() (finish func() int) {
		inPlace, ended := make(chan struct{}), make(chan int, 1)
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(inPlace) }})
		from, to := io.Pipe()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.public, from)
		must(t, err)
		for name, value := range map[string]string{"Content-Type": kind, "Role": c.role, "Transaction": tr.ID, "X-Windlass-Transaction": tr.ID, "Expect": "100-continue"} {
			r.Header.Set(name, value)
		}
		go func() {
			resp, err := client.Do(r)
			if err != nil {
				t.Error(err)
				ended <- 0
				return
			}
			ended <- resp.StatusCode
			_ = resp.Body.Close()
		}()
		<-inPlace
		return func() int {
			_, err := io.WriteString(to, content)
			must(t, errors.Join(err, to.Close()))
			return <-ended
		}
	}
	var all []func() int
	for range 3 {
		all = append(all, begin())
	}
	status, _, problems := c.sendForm(c.sending(attach, "photo_id_front", jpeg))
	if status != http.StatusServiceUnavailable || told(problems) != "UNAVAILABLE uploads_busy" || problems[0].Message != language.Text("ar", "error.uploads_busy", nil) {
		t.Errorf("%d %+v", status, problems)
	}
	for _, finish := range all {
		if status := finish(); status != http.StatusOK {
			t.Errorf("one that had its place: %d", status)
		}
	}
	c.attach("photo_id_front", jpeg)
}

// Beyond what all documents may have together none is taken, and nothing is left of
// it; one in the place of another as large still is. Who has paid before has room that
// strangers do not.
func TestDocumentsFull(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *graph.Options) { o.Documents.All = int64(4 * len(jpeg)) })
	asksFiles(w.terms)
	tr := w.open(anchor.Deposit)
	c := w.customer(tr)
	full := func(n int) string { return photo("a passport" + strings.Repeat(" ", n)) }
	c.attach("photo_id_front", jpeg)
	was := c.attach("photo_proof_residence", full(len(jpeg)))
	c.attach("photo_id_front", photo("another's"))
	refused := func(content string) {
		t.Helper()
		status, _, problems := c.sendForm(c.sending(attach, "photo_proof_residence", content))
		if status != http.StatusOK || told(problems) != "CONFLICT documents_full" || !strings.Contains(w.log.String(), "limits.documents is reached") {
			t.Errorf("%d %+v, logged %s", status, problems, w.log.String())
		}
	}
	refused(full(len(jpeg) + 2))
	if got := c.do(seen, map[string]any{"id": tr.ID}).str("transaction.questions.4.value"); got != was.str("transaction.questions.4.value") {
		t.Errorf("the one before is %s", got)
	}
	w.open(anchor.Deposit, func(t *anchor.Transaction) { t.FundedAt = time.Now() })
	c.attach("photo_proof_residence", full(2*len(jpeg)-1))
	refused(full(2*len(jpeg) + 2))
}

// A customer's share is what their documents have together, and those that were
// replaced are no part of it; how often they send is bounded, too.
func TestDocumentsOfOne(t *testing.T) {
	t.Parallel()
	left := 6
	w := newWorld(t, func(o *graph.Options) {
		o.Documents.Each = 1 << 20
		o.Documents.Allow = func(network string, customer anchor.Identity, size int) bool {
			if network == "" || customer.Account == "" || size < len(jpeg) {
				t.Errorf("%q, %+v, %d", network, customer, size)
			}
			left--
			return left >= 0
		}
	})
	asksFiles(w.terms)
	tr := w.open(anchor.Deposit)
	c := w.customer(tr)
	large := photo(strings.Repeat("-", 900<<10))
	for range 3 {
		c.attach("photo_id_front", large)
	}
	_, _, problems := c.sendForm(c.sending(attach, "photo_proof_residence", large))
	if told(problems) != "INVALID files_too_large photo_proof_residence" || problems[0].Message != language.Text("en", "error.files_too_large", map[string]string{"limit": "1"}) {
		t.Errorf("%+v", problems)
	}
	c.attach("photo_id_front", jpeg)
	c.attach("photo_proof_residence", large)
	_, _, problems = c.sendForm(c.sending(attach, "photo_id_front", jpeg))
	if told(problems) != "CONFLICT documents_too_often" {
		t.Errorf("%+v", problems)
	}
}
