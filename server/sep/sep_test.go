package sep_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/server/anchor"
	"windlass/server/sep"
)

func TestFields(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, kind, body string
		is               map[string]string
		fails            string // part of the message
	}{
		{name: "JSON", kind: "application/json", body: `{"a":"x","n":12.50,"b":true,"z":null}`,
			is: map[string]string{"a": "x", "n": "12.50", "b": "true"}},
		{name: "JSON with a charset", kind: "application/json; charset=utf-8", body: `{"a":"ñ"}`, is: map[string]string{"a": "ñ"}},
		{name: "a number keeps its digits", kind: "application/json", body: `{"n":9007199254740993.0000001}`,
			is: map[string]string{"n": "9007199254740993.0000001"}},
		{name: "empty JSON", kind: "application/json", body: ``, is: map[string]string{}},
		{name: "bad JSON", kind: "application/json", body: `{"a":`, fails: "not a JSON object"},
		{name: "no object", kind: "application/json", body: `["a"]`, fails: "not a JSON object"},
		{name: "trailing", kind: "application/json", body: `{"a":"x"} {}`, fails: "not a JSON object"},
		{name: "an object inside", kind: "application/json", body: `{"transaction":{"x":1}}`, fails: "transaction must be"},
		{name: "a list inside", kind: "application/json", body: `{"amount":[1]}`, fails: "amount must be"},
		{name: "deep", kind: "application/json", body: strings.Repeat(`{"a":`, 20000), fails: "not a JSON object"},
		{name: "form", kind: form, body: "a=x+y&b=%C3%B1", is: map[string]string{"a": "x y", "b": "ñ"}},
		{name: "twice in a form", kind: form, body: "a=x&b=y&a=x", fails: "a is given twice"},
		{name: "twice in JSON", kind: "application/json", body: `{"a":"x","\u0061":null}`, fails: "a is given twice"},
		{name: "twice in multipart", kind: "multipart/form-data; boundary=x", fails: "a is given twice",
			body: strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n", 2) + "--x--\r\n"},
		{name: "bad form", kind: form, body: "a=%zz", fails: "cannot be read"},
		{name: "not UTF-8", kind: form, body: "name=%ff", fails: "name is not text"},
		{name: "NUL", kind: form, body: "name=a%00b", fails: "name is not text"},
		{name: "no body, no type", is: map[string]string{}},
		{name: "no type", body: "a=x", fails: "not supported"},
		{name: "XML", kind: "text/xml", body: "<a/>", fails: "not supported"},
		{name: "nonsense type", kind: ";;;", body: "a", fails: "not supported"},
		{name: "multipart without boundary", kind: "multipart/form-data", body: "a", fails: "not supported"},
		{name: "broken multipart", kind: "multipart/form-data; boundary=x", body: "--x\r\nfoo", fails: "cannot be read"},
		{name: "large", kind: "application/json", body: `{"a":"` + strings.Repeat("x", sep.MaxBody) + `"}`, fails: "1048576"},
		{name: "large form", kind: form, body: "a=" + strings.Repeat("x", sep.MaxBody), fails: "1048576"},
		{name: "large multipart", kind: "multipart/form-data; boundary=x", fails: "1048576",
			body: "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + strings.Repeat("x", sep.MaxBody) + "\r\n--x--\r\n"},
		{name: "large unknown", body: strings.Repeat("x", sep.MaxBody+1), fails: "1048576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			if c.kind != "" {
				r.Header.Set("Content-Type", c.kind)
			}
			got, err := sep.Fields(httptest.NewRecorder(), r)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) || anchor.KindOf(err) != anchor.Invalid {
					t.Fatalf("the error is %v, expected one with %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got == nil {
				got = map[string]string{}
			}
			if d := cmp.Diff(c.is, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFieldsMultipart(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.WriteField("asset_code", "USDW")
	_ = m.WriteField("first_name", "Ñandú")
	f, _ := m.CreateFormFile("photo_id_front", "id.png")
	_, _ = f.Write([]byte{0xff, 0, 1})
	_ = m.WriteField("amount", "10")
	_ = m.Close()
	r := httptest.NewRequest(http.MethodPost, "/", &b)
	r.Header.Set("Content-Type", m.FormDataContentType())
	got, err := sep.Fields(httptest.NewRecorder(), r)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"asset_code": "USDW", "first_name": "Ñandú", "amount": "10"}, got); d != "" {
		t.Error(d)
	}
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		text   string
	}{
		{errors.New("the disk is on fire"), 500, ""},
		{&anchor.Error{Message: "unbalanced by 3"}, 500, ""},
		{&anchor.Error{Kind: anchor.Invalid, Message: "not so"}, 400, "not so"},
		{&anchor.Error{Kind: anchor.Unauthenticated, Message: "who?"}, 401, "who?"},
		{&anchor.Error{Kind: anchor.Forbidden, Message: "no"}, 403, "no"},
		{&anchor.Error{Kind: anchor.NotFound, Message: "gone"}, 404, "gone"},
		{&anchor.Error{Kind: anchor.Conflict, Message: "later"}, 409, "later"},
		{&anchor.Error{Kind: anchor.Unavailable, Message: "wait", Err: errors.New("secret address")}, 503, ""},
		{sep.ErrTooLarge, 413, "1 MiB"},
		{sep.ErrContentType, 415, "JSON"},
		{&anchor.Error{Kind: anchor.Forbidden}, 403, "forbidden"},
		{&anchor.Error{Kind: anchor.Invalid, Code: "memo_id_malformed", Field: "refund_memo"}, 400, "refund_memo: "},
		{&anchor.Error{Kind: anchor.Invalid, Field: "limit", Message: "limit must be more"}, 400, "limit must"},
	} {
		var log bytes.Buffer
		w := httptest.NewRecorder()
		sep.WriteError(w, httptest.NewRequest(http.MethodGet, "/x?token=t", nil), slog.New(slog.NewTextHandler(&log, nil)), "en", c.err)
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		text := body["error"]
		if w.Code != c.status || len(body) != 1 || text == "" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%v: %d %v", c.err, w.Code, body)
		}
		if c.text != "" && !strings.Contains(text, c.text) {
			t.Errorf("%v: the sentence is %q", c.err, text)
		}
		for _, hidden := range []string{"disk", "unbalanced", "secret"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%v: the caller reads %q", c.err, text)
			}
		}
		if lines := strings.Count(log.String(), "\n"); lines > 1 || (c.status >= 500) != (lines == 1) {
			t.Errorf("%v: logged %d times", c.err, lines)
		}
		if strings.Contains(log.String(), "token=t") {
			t.Error("the log has the query")
		}
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	h := sep.Endpoint(map[string]http.HandlerFunc{"GET": func(w http.ResponseWriter, _ *http.Request) {
		sep.WriteJSON(w, 200, map[string]string{"url": "a&b"})
	}})
	ask := func(method string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/", nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s without CORS", method)
		}
		return w
	}
	res := ask("GET")
	if b := res.Body.String(); b != `{"url":"a&b"}`+"\n" {
		t.Errorf("GET: %s", b)
	}
	if res = ask("HEAD"); res.Code != 200 {
		t.Errorf("HEAD: %d", res.Code)
	}
	if res = ask("PUT"); res.Code != 405 || res.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("PUT: %d, %q", res.Code, res.Header().Get("Allow"))
	}
	res = ask("OPTIONS", "Access-Control-Request-Headers", "authorization,x-client-name", "Access-Control-Request-Method", "GET")
	if res.Code != 204 || res.Header().Get("Access-Control-Allow-Headers") != "authorization,x-client-name" ||
		res.Header().Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("OPTIONS: %d, %v", res.Code, res.Header())
	}
	if res = ask("OPTIONS"); !strings.Contains(res.Header().Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("OPTIONS: %v", res.Header())
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for header, is := range map[string]string{
		"": "", "Bearer abc": "abc", "bearer  abc ": "abc", "Basic abc": "", "abc": "", "Bearer": "", "Bearerabc": "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", header)
		if got := sep.Bearer(r); got != is {
			t.Errorf("%q: %q", header, got)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(map[string]any{"a": sep.Number(anchor.MustAmount("0.0000001")), "b": sep.Number(anchor.MaxAmount)})
	if err != nil || string(b) != `{"a":0.0000001,"b":922337203685.4775807}` {
		t.Errorf("%s, %v", b, err)
	}
}

func FuzzFields(f *testing.F) {
	f.Add("application/json", `{"a":1}`)
	f.Add("application/x-www-form-urlencoded", url.Values{"a": {"b"}}.Encode())
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n")
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		if _, err := sep.Fields(httptest.NewRecorder(), r); err != nil && anchor.KindOf(err) != anchor.Invalid {
			t.Error(err)
		}
	})
}
