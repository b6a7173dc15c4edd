package sep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"windlass/server/anchor"
)

// MaxBody is how many bytes a request's body may have, files included.
const MaxBody = 1 << 20

// ErrTooLarge is a body over [MaxBody]. [WriteError] answers it with 413.
var ErrTooLarge = &anchor.Error{Kind: anchor.Invalid, Code: "body_too_large",
	Message: "the request's body is larger than the limit of 1 MiB (1048576 bytes)",
	Args:    map[string]string{"limit": "1 MiB"}}

// Fields reads the parameters in a request's body: a JSON object, a form or a
// multipart form. JSON numbers and booleans become the text they were written
// as, null is as good as absent; an object or array is an error that names the
// field. Of a parameter that is given twice in a form the first counts. Files
// in a multipart form are read over. No body is no parameters.
//
// Errors are Invalid, [ErrTooLarge] among them.
func Fields(w http.ResponseWriter, r *http.Request) (map[string]string, error) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	kind, options, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get("Content-Type") == "" {
		kind, err = "", nil
	}
	var fields map[string]string
	switch {
	case err != nil:
		return nil, unknownType(r)
	case kind == "application/json":
		fields, err = jsonFields(r.Body)
	case kind == "application/x-www-form-urlencoded":
		fields, err = formFields(r.Body)
	case kind == "multipart/form-data" && options["boundary"] != "":
		fields, err = multipartFields(multipart.NewReader(r.Body, options["boundary"]))
	default:
		var b []byte
		if b, err = io.ReadAll(r.Body); err == nil && len(b) > 0 {
			return nil, unknownType(r)
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	for name, value := range fields {
		if !utf8.ValidString(name) || !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return nil, badField(name, "is not text in UTF-8")
		}
	}
	return fields, nil
}

func unknownType(r *http.Request) error {
	return &anchor.Error{Kind: anchor.Invalid, Code: "content_type_unknown",
		Message: fmt.Sprintf("the content type %.80q is not supported; use application/json, "+
			"application/x-www-form-urlencoded or multipart/form-data", r.Header.Get("Content-Type"))}
}

func badField(name, what string) error {
	if len(name) > 80 || !utf8.ValidString(name) {
		name = "a parameter"
	}
	return &anchor.Error{Kind: anchor.Invalid, Code: "parameter_malformed", Field: name,
		Message: name + " " + what, Args: map[string]string{"name": name}}
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
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, &anchor.Error{Kind: anchor.Invalid, Code: "json_malformed", Err: err,
			Message: "the request's body is not a JSON object"}
	}
	fields := make(map[string]string, len(raw))
	for name, value := range raw {
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
	for name := range values {
		fields[name] = values.Get(name)
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
		if _, twice := fields[part.FormName()]; !twice {
			fields[part.FormName()] = string(b)
		}
	}
}

// Bearer is the token in the request's Authorization header, "" if there is none.
func Bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
