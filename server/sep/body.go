package sep

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"windlass/server/anchor"
	"windlass/server/language"
)

// MaxBody is how many bytes a request's body may have, files included.
const MaxBody = 1 << 20

// ErrTooLarge is a body over [MaxBody]. [WriteError] answers it with 413.
var ErrTooLarge = &anchor.Error{Kind: anchor.Invalid, Code: "body_too_large",
	Message: "the request's body is larger than the limit of 1 MiB (1048576 bytes)",
	Args:    map[string]string{"limit": "1 MiB"}}

// ErrContentType is a body that is none of the three kinds. [WriteError] answers
// it with 415.
var ErrContentType = &anchor.Error{Kind: anchor.Invalid, Code: "content_type_unknown",
	Message: "the content type is not supported; use application/json, application/x-www-form-urlencoded or multipart/form-data"}

// Fields reads the parameters in a request's body: a JSON object, a form or a
// multipart form. JSON numbers and booleans become the text they were written
// as, null is as good as absent; an object or array is an error that names the
// field. So is a parameter that is given twice: whoever looked at the request on
// its way may have believed the other one. Files in a multipart form are read
// over. No body is no parameters.
//
// Errors are Invalid, [ErrTooLarge] and [ErrContentType] among them.
func Fields(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	kind, options, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get("Content-Type") == "" {
		kind, err = "", nil
	}
	var fields map[string]string
	switch {
	case err != nil:
		return nil, ErrContentType
	case kind == "application/json":
		fields, err = jsonFields(r.Body)
	case kind == "application/x-www-form-urlencoded":
		fields, err = formFields(r.Body)
	case kind == "multipart/form-data" && options["boundary"] != "":
		fields, err = multipartFields(multipart.NewReader(r.Body, options["boundary"]))
	default:
		var b []byte
		if b, err = io.ReadAll(r.Body); err == nil && len(b) > 0 {
			return nil, ErrContentType
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	if fields == nil {
		fields = map[string]string{}
	}
	for name, value := range fields {
		if !utf8.ValidString(name) || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return nil, badField(name, "is not text in UTF-8")
		}
	}
	return fields, nil
}

func badField(name, what string) error {
	if len(name) > 80 || !utf8.ValidString(name) {
		name = "a parameter"
	}
	return &anchor.Error{Kind: anchor.Invalid, Code: "parameter_malformed", Field: name,
		Message: name + " " + what, Args: map[string]string{"name": name}}
}

func twice(name string) error {
	e, _ := errors.AsType[*anchor.Error](badField(name, "is given twice"))
	e.Code = "parameter_twice"
	return e
}

func malformed(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return &anchor.Error{Kind: anchor.Invalid, Code: "body_malformed",
		Message: "the request's body cannot be read as what its content type says", Err: err}
}

func jsonFields(body io.Reader) (map[string]string, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, malformed(err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	var whole map[string]json.RawMessage
	err = json.Unmarshal(b, &whole)
	object := json.NewDecoder(bytes.NewReader(b))
	if err == nil {
		_, err = object.Token() // the brace
	}
	if err != nil {
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "json_malformed", Err: err,
			Message: "the request's body is not a JSON object"}
	}
	fields, seen := make(map[string]string, len(whole)), make(map[string]bool, len(whole))
	for object.More() {
		key, err := object.Token()
		if err != nil {
			return nil, malformed(err)
		}
		name, _ := key.(string) // what else could a member's name be
		var value json.RawMessage
		if err := object.Decode(&value); err != nil {
			return nil, malformed(err)
		}
		if seen[name] {
			return nil, twice(name)
		}
		seen[name] = true
		switch value[0] {
		case 'n':
		case '{', '[':
			return nil, badField(name, "must be a string, number or boolean")
		case '"':
			var s string
			if err := json.Unmarshal(value, &s); err != nil {
				return nil, badField(name, "is not a JSON string")
			}
			fields[name] = s
		default:
			fields[name] = string(value)
		}
	}
	return fields, nil
}

func formFields(body io.Reader) (map[string]string, error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, malformed(err)
	}
	values, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, malformed(err)
	}
	fields := make(map[string]string, len(values))
	for name, given := range values {
		if len(given) > 1 {
			return nil, twice(name)
		}
		fields[name] = given[0]
	}
	return fields, nil
}

func multipartFields(parts *multipart.Reader) (map[string]string, error) {
	fields := map[string]string{}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return fields, nil
		} else if err != nil {
			return nil, malformed(err)
		}
		if part.FileName() != "" {
			continue // NextPart reads over it
		}
		b, err := io.ReadAll(part)
		if err != nil {
			return nil, malformed(err)
		}
		if _, given := fields[part.FormName()]; given {
			return nil, twice(part.FormName())
		}
		fields[part.FormName()] = string(b)
	}
}

// Query reads the parameters in a request's query: as [Fields], none twice.
func Query(r *http.Request) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "query_malformed", Err: err, Message: "the address's query cannot be read"}
	}
	for name, given := range q {
		if len(given) > 1 {
			return nil, twice(name)
		}
		if !utf8.ValidString(name) || !utf8.ValidString(given[0]) || strings.ContainsRune(given[0], 0) {
			return nil, badField(name, "is not text in UTF-8")
		}
	}
	return q, nil
}

// Lang is the language to answer a request in: the wish of its parameter lang,
// else the caller's Accept-Language.
func Lang(r *http.Request, wish string) string {
	return language.Match(wish, r.Header.Get("Accept-Language"))
}

// Bearer is the token in the request's Authorization header, "" if there is none.
func Bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
