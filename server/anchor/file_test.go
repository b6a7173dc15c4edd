package anchor_test

import (
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
)

// Documents are taken by what they are, whatever they are called.
func TestNewFile(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		string(picture(t, "plain.jpg")):  "image/jpeg",
		string(picture(t, "plain.png")):  "image/png",
		string(picture(t, "plain.webp")): "image/webp",
		"%PDF-1.7\n%%EOF":                "application/pdf",

		"":                                   "file_kind_unknown",
		"\xff\xd8\xff":                       "file_kind_unknown", // and nothing more
		"RIFF\x00\x00\x00\x00WAVEfmt ":       "file_kind_unknown",
		"GIF89a\x00":                         "file_kind_unknown",
		"<svg xmlns=\"\">":                   "file_kind_unknown",
		"\n%PDF-1.7":                         "file_kind_unknown",
		"<html>%PDF-1.7":                     "file_kind_unknown",
		"\x00\x00\x00\x24ftypmp42\x00\x00":   "file_kind_unknown",
		"\x00\x00\x00\x24ftypheic\x00\x00":   "file_heic",
		"\x00\x00\x00\x24ftypmif1\x00\x00":   "file_heic",
		"%PDF-" + strings.Repeat("x", 8<<20): "file_too_large",
	} {
		if _, got := kept([]byte(content)); got != want {
			t.Errorf("%.20q is %s, want %s", content, got, want)
		}
	}
}

// A document answers a question that is asked for one, and what a person accepted
// before they have not accepted with it.
func TestAttach(t *testing.T) {
	t.Parallel()
	now := time.Now()
	asked := []anchor.Field{{Name: "first_name", Type: anchor.FieldText}, {Name: "photo_id_front", Type: anchor.FieldFile}}
	c := &anchor.Customer{Fields: map[string]string{"first_name": "Ana"}, Vetting: anchor.Vetted}
	for field, want := range map[string]string{"first_name": "field_unknown", "photo_id_back": "field_unknown"} {
		if err := c.Attach(asked, &anchor.File{ID: "1", Field: field}, now); codeOf(err) != want {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := c.Attach(asked, &anchor.File{ID: "1", Field: "photo_id_front"}, now); err != nil || c.Fields["photo_id_front"] != "1" || c.Vetting != anchor.Unvetted || len(c.Missing(asked, now)) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
	for answer, want := range map[string]string{"1": "", "2": "file_unknown", "": "field_required"} {
		if err := c.Answer(asked, map[string]string{"photo_id_front": answer}, now); codeOf(err) != want {
			t.Errorf("%q: %v, want %q", answer, err, want)
		}
	}
}
