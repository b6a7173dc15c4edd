package anchor

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"
)

// File is what is known of a document of a customer's, beside its content. The name
// that it had on their device is not kept: it may tell more than the document.
type File struct {
	ID       string // UUIDv7, and the customer's answer to the question
	Customer string
	// Field is the question that it answers: "photo_id_front".
	Field string
	// MediaType is what the content is, whatever it was called.
	MediaType string
	Size      int
	CreatedAt time.Time
}

// MaxFile bounds a document, in bytes.
const MaxFile = 8 << 20

// kindsOfFile are the documents that are taken, by how their content begins. None
// of them can run anything where it is shown as what it is.
var kindsOfFile = []struct {
	mediaType string
	begins    func([]byte) bool
}{
	{"image/jpeg", beginning("\xff\xd8\xff")},
	{"image/png", beginning("\x89PNG\r\n\x1a\n")},
	{"image/webp", func(b []byte) bool { return len(b) > 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP" }},
	{"application/pdf", beginning("%PDF-")},
}

func beginning(signs string) func([]byte) bool {
	return func(b []byte) bool { return len(b) > len(signs) && bytes.HasPrefix(b, []byte(signs)) }
}

// heic are the brands of ISO media (ISO/IEC 23008-12) that an iPhone's photos have.
var heic = []string{"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"}

// NewFile judges a document by its content alone, and returns what is to be kept of
// it: of a picture nothing but the picture.
func NewFile(id, customer, field string, content []byte, now time.Time) (*File, []byte, error) {
	if len(content) > MaxFile {
		return nil, nil, FileTooLarge(field)
	}
	for _, kind := range kindsOfFile {
		if kind.begins(content) {
			content, err := readable(kind.mediaType, field, content)
			if err != nil {
				return nil, nil, err
			}
			return &File{ID: id, Customer: customer, Field: field, MediaType: kind.mediaType, Size: len(content), CreatedAt: now.UTC().Truncate(time.Microsecond)}, content, nil
		}
	}
	if len(content) >= 12 && string(content[4:8]) == "ftyp" && slices.Contains(heic, string(content[8:12])) {
		return nil, nil, &Error{Kind: Invalid, Code: "file_heic", Field: field,
			Message: field + " is an HEIC photo, which not everybody can open; take the photo here, or send it as JPEG"}
	}
	return nil, nil, &Error{Kind: Invalid, Code: "file_kind_unknown", Field: field, Message: field + " must be a JPEG, PNG or WebP picture, or a PDF"}
}

// pdfEnd is how far before its last byte a PDF may end: programs find the end there.
const pdfEnd = 1024

// readable is a file's content without what is written beside its picture. A file
// that is not whole, or larger than can be looked at, is refused.
func readable(mediaType, field string, content []byte) ([]byte, error) {
	if mediaType == "application/pdf" {
		if text := bytes.TrimRight(content, "\x00\t\n\f\r "); !bytes.Contains(text[max(0, len(text)-pdfEnd):], []byte("%%EOF")) {
			return nil, fileDamaged(field)
		}
		return content, nil
	}
	out, width, height, ok := stripped(mediaType, content)
	if !ok {
		return nil, fileDamaged(field)
	}
	if int64(width)*int64(height) > MaxPixels {
		limit := fmt.Sprint(MaxPixels / 1_000_000)
		return nil, &Error{Kind: Invalid, Code: "file_too_many_pixels", Field: field, Args: map[string]string{"limit": limit},
			Message: "the picture must have at most " + limit + " megapixels; take the photo here, or make it smaller"}
	}
	return out, nil
}

func fileDamaged(field string) *Error {
	return &Error{Kind: Invalid, Code: "file_damaged", Field: field,
		Message: field + " is not whole, or cannot be read; take the photo here, or save it anew as JPEG or PDF and send that"}
}

// FilesTooLarge is the refusal of one that is too much beside the customer's others,
// which may have so many bytes together.
func FilesTooLarge(field string, most int64) *Error {
	limit := fmt.Sprint(most >> 20)
	return &Error{Kind: Invalid, Code: "files_too_large", Field: field, Args: map[string]string{"limit": limit},
		Message: "all documents together must have at most " + limit + " MiB; send smaller ones"}
}

// FileTooLarge is the refusal of a document that is larger than MaxFile.
func FileTooLarge(field string) *Error {
	limit := fmt.Sprint(MaxFile >> 20)
	return &Error{Kind: Invalid, Code: "file_too_large", Field: field, Args: map[string]string{"limit": limit},
		Message: "the document must have at most " + limit + " MiB; take a photo of it, or send fewer pages"}
}

// Attach makes a stored document the answer to one of the questions, and is the
// only way to answer a question for one. The other questions may be open still.
func (c *Customer) Attach(fields []Field, f *File, now time.Time) error {
	if !slices.ContainsFunc(fields, func(field Field) bool { return field.Name == f.Field && field.Type == FieldFile }) {
		return &Error{Kind: Invalid, Code: "field_unknown", Field: f.Field, Message: f.Field + " is not asked for"}
	}
	merged := maps.Clone(c.Fields)
	if merged == nil {
		merged = map[string]string{}
	}
	merged[f.Field] = f.ID
	// Whoever accepted the customer has not seen it.
	c.says(merged, now)
	return nil
}
