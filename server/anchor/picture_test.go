package anchor_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/server/anchor"
)

func picture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "pictures", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// kept is what is kept of a document, and its kind or why it is refused.
func kept(content []byte) ([]byte, string) {
	f, out, err := anchor.NewFile("id", "customer", "photo_id_front", content, time.Now())
	if err != nil {
		return nil, codeOf(err)
	}
	if f.Size != len(out) {
		return nil, "its size is another"
	}
	return out, f.MediaType
}

// Of a picture the picture is kept, bit by bit, with its colours and which way up it
// is; and nothing of what was written beside it.
func TestPictures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want  string
		parts string // what is left of it, in order
	}{
		"plain.jpg":     {"image/jpeg", "JFIF"},
		"upright.jpg":   {"image/jpeg", "JFIF"},
		"turned.jpg":    {"image/jpeg", "JFIF Exif:6 ICC_PROFILE"},
		"grey.jpg":      {"image/jpeg", "JFIF"},
		"cmyk.jpg":      {"image/jpeg", "Adobe Exif:8"},
		"film.jpg":      {"image/jpeg", "JFIF Exif:3"},
		"plain.png":     {"image/png", "IHDR IDAT IEND"},
		"turned.png":    {"image/png", "IHDR iCCP eXIf:6 IDAT IEND"},
		"palette.png":   {"image/png", "IHDR PLTE tRNS pHYs IDAT IEND"},
		"moves.png":     {"image/png", "IHDR IDAT IEND"},
		"plain.webp":    {"image/webp", "VP8 "},
		"lossless.webp": {"image/webp", "VP8L"},
		"turned.webp":   {"image/webp", "VP8X:28 ICCP VP8L EXIF:6"},
		"alpha.webp":    {"image/webp", "VP8X:10 ALPH VP8 "},
		"moves.webp":    {"file_damaged", ""},
	} {
		content := picture(t, name)
		out, got := kept(content)
		if got != c.want || parts(out) != c.parts {
			t.Errorf("%s is %s: %s, want %s: %s", name, got, parts(out), c.want, c.parts)
		}
		for _, secret := range []string{"Secret", "2026:01:02", "mp42", "acTL"} {
			if bytes.Contains(out, []byte(secret)) {
				t.Errorf("%s has %q in it", name, secret)
			}
		}
		same(t, name, content, out)
		if again, _ := kept(out); !bytes.Equal(again, out) {
			t.Errorf("%s: what is kept of what was kept is another", name)
		}
		if strings.HasPrefix(name, "plain.") && !bytes.Equal(out, content) {
			t.Errorf("%s has nothing to leave out, and is another", name)
		}
	}
}

// parts names what a picture consists of.
func parts(b []byte) string {
	var all []string
	add := func(name string, exif []byte) {
		if exif != nil {
			name += ":" + string('0'+exif[18])
		}
		all = append(all, name)
	}
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8")):
		for b = b[2:]; b[1] != 0xda; b = b[2+int(binary.BigEndian.Uint16(b[2:])):] {
			name, _, _ := strings.Cut(string(b[4:16]), "\x00")
			switch {
			case b[1] == 0xe1:
				add(name, b[10:])
			case b[1] == 0xee:
				add("Adobe", nil)
			case b[1]&0xf0 == 0xe0 || b[1] == 0xfe:
				add(name, nil)
			}
		}
	case bytes.HasPrefix(b, []byte("\x89PNG")):
		for b = b[8:]; len(b) > 0; b = b[12+binary.BigEndian.Uint32(b):] {
			if name := string(b[4:8]); name == "eXIf" {
				add(name, b[8:])
			} else {
				add(name, nil)
			}
		}
	case bytes.HasPrefix(b, []byte("RIFF")):
		for b = b[12:]; len(b) > 0; b = b[8+(binary.LittleEndian.Uint32(b[4:])+1)/2*2:] {
			switch name := string(b[:4]); name {
			case "EXIF":
				add(name, b[8:])
			case "VP8X":
				all = append(all, name+":"+strings.ToLower(string("0123456789abcdef"[b[8]>>4])+string("0123456789abcdef"[b[8]&15])))
			default:
				add(name, nil)
			}
		}
	}
	return strings.Join(all, " ")
}

// same holds that who decodes what is kept sees what they would have seen.
func same(t testing.TB, name string, content, out []byte) {
	t.Helper()
	c, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil || out == nil || c.Width*c.Height > 1<<16 {
		return
	}
	before, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return
	}
	after, _, err := image.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatalf("%s: nobody can decode it: %v", name, err)
	}
	if before.Bounds() != after.Bounds() {
		t.Fatalf("%s is %v, was %v", name, after.Bounds(), before.Bounds())
	}
	for y := range c.Height {
		for x := range c.Width {
			if before.At(x, y) != after.At(x, y) {
				t.Fatalf("%s has another colour at %d, %d", name, x, y)
			}
		}
	}
}

// However a picture is cut short, it is refused; and what is no picture at all, though
// it begins as one.
func TestPicturesDamaged(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain.jpg", "turned.jpg", "cmyk.jpg", "turned.png", "palette.png", "plain.webp", "turned.webp", "alpha.webp"} {
		whole := picture(t, name)
		for n := range whole {
			if _, got := kept(whole[:n]); got != "file_damaged" && got != "file_kind_unknown" {
				t.Fatalf("%d of %s's %d bytes are %s", n, name, len(whole), got)
			}
		}
	}
	jpeg, png, webp := picture(t, "plain.jpg"), picture(t, "plain.png"), picture(t, "turned.webp")
	scan := bytes.Index(jpeg, []byte{0xff, 0xda})
	sof := bytes.Index(jpeg, []byte{0xff, 0xc0})
	idat := bytes.Index(png, []byte("IDAT")) - 4
	for name, content := range map[string][]byte{
		"without a scan":           slices.Concat(jpeg[:scan], []byte{0xff, 0xd9}),
		"without a frame":          slices.Concat(jpeg[:sof], jpeg[scan:]),
		"of two frames":            slices.Concat(jpeg[:scan], jpeg[sof:]),
		"lossless JPEG":            changed(jpeg, sof+1, 0xc3),
		"a page":                   []byte("\xff\xd8\xff<html>"),
		"a scan too often":         slices.Concat(jpeg[:scan], bytes.Repeat(jpeg[scan:len(jpeg)-2], 65), []byte{0xff, 0xd9}),
		"without a height":         changed(jpeg, sof+5, 0, 0),
		"a PNG with a wrong sum":   changed(png, idat+9, png[idat+9]^1),
		"a PNG without a picture":  slices.Concat(png[:idat], png[len(png)-12:]),
		"a PNG's unknown chunk":    slices.Concat(png[:idat], chunk("ABCD", ""), png[idat:]),
		"a PNG's head twice":       slices.Concat(png[:idat], png[8:]),
		"a PNG with a gap":         slices.Concat(png[:len(png)-12], chunk("tEXt", ""), png[idat:]),
		"a WebP of two canvases":   changed(webp, 24, 200),
		"a WebP without a picture": []byte("RIFF\x10\x00\x00\x00WEBPXMP \x04\x00\x00\x00text"),
	} {
		if _, got := kept(content); got != "file_damaged" {
			t.Errorf("%s is %s", name, got)
		}
	}
	for content, want := range map[string]string{
		"%PDF-1.7\n%%EOF":                                "application/pdf",
		"%PDF-1.7\n%%EOF\r\n\x00\x00":                    "application/pdf",
		"%PDF-1.7\n%%EOF" + strings.Repeat("x", 1000):    "application/pdf",
		"%PDF-1.7\n%%EOF" + strings.Repeat("x", 2000):    "file_damaged",
		"%PDF-1.7\n%%EOF" + strings.Repeat("\x00", 5000): "application/pdf",
		"%PDF-1.7\nxref\nstartxref\n10\n":                "file_damaged",
	} {
		if _, got := kept([]byte(content)); got != want {
			t.Errorf("%.30q is %s, want %s", content, got, want)
		}
	}
}

// A few bytes can say that they are a picture which no computer has the memory for.
func TestPicturesOfManyPixels(t *testing.T) {
	t.Parallel()
	jpeg, png, lossy, lossless, alpha := picture(t, "plain.jpg"), picture(t, "plain.png"), picture(t, "plain.webp"), picture(t, "lossless.webp"), picture(t, "alpha.webp")
	sof := bytes.Index(jpeg, []byte{0xff, 0xc0})
	head := func(width, height uint32) []byte {
		b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
		return slices.Concat(png[:8], chunk("IHDR", string(b)+"\x08\x02\x00\x00\x00"), png[33:])
	}
	large := changed(alpha, 24, 0x3e, 0x1f, 0, 0x3f, 0x1f, 0) // 7999 by 8000
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"JPEG":          {changed(jpeg, sof+5, 0xff, 0xff, 0xff, 0xff), "file_too_many_pixels"},
		"PNG":           {head(1<<31-1, 1<<31-1), "file_too_many_pixels"},
		"just too many": {head(50_000_001, 1), "file_too_many_pixels"},
		"as many":       {head(5000, 10_000), "image/png"},
		"none":          {head(0, 1), "file_damaged"},
		"negative":      {head(1<<31, 1), "file_damaged"},
		"lossy WebP":    {changed(lossy, 26, 0xff, 0x3f, 0xff, 0x3f), "file_too_many_pixels"},
		"lossless WebP": {changed(lossless, 21, 0xff, 0xff, 0xff, 0x0f), "file_too_many_pixels"},
		"a canvas":      {large, "file_damaged"},
		"a canvas and its picture": {changed(large, bytes.Index(large, []byte("\x9d\x01\x2a"))+3, 0x3f, 0x1f, 0x40, 0x1f),
			"file_too_many_pixels"},
	} {
		if _, got := kept(c.content); got != c.want {
			t.Errorf("%s is %s, want %s", name, got, c.want)
		}
	}
}

// chunk is a PNG's.
func chunk(name, data string) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), name+data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// changed is content with other bytes from one on.
func changed(content []byte, at int, with ...byte) []byte {
	return slices.Concat(content[:at], with, content[at+len(with):])
}

// Which way up a picture is comes from Exif of either order of bytes, and from no Exif
// that is broken.
func TestPicturesTurned(t *testing.T) {
	t.Parallel()
	jpeg := picture(t, "plain.jpg")
	for exif, want := range map[string]string{
		"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x05\x00\x00\x00":                                                  "Exif:5 JFIF",
		"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x07\x00\x00\x00\x00\x00\x00":                                  "Exif:7 JFIF",
		"II*\x00\x09\x00\x00\x00.\x02\x00\x00\x01\x03\x00\x01\x00\x00\x00\x05\x00\x00\x00\x12\x01\x03\x00\x01\x00\x00\x00\x02\x00\x00\x00": "Exif:2 JFIF",
		"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x09\x00\x00\x00":                                                  "JFIF", // there is no ninth
		"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x04\x00\x01\x00\x00\x00\x05\x00\x00\x00":                                                  "JFIF", // of another type
		"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x05\x00\x00":                                                      "JFIF", // cut off
		"II*\x00\xff\xff\xff\xff\x01\x00": "JFIF",
		"II*\x00":                         "JFIF",
		"":                                "JFIF",
	} {
		segment := append([]byte{0xff, 0xe1, 0, byte(8 + len(exif))}, "Exif\x00\x00"+exif...)
		out, got := kept(slices.Concat(jpeg[:2], segment, jpeg[2:]))
		if parts(out) != want {
			t.Errorf("%q: %s %s, want %s", exif, got, parts(out), want)
		}
	}
}

// FuzzPictures: whatever comes, what is kept of it is kept again as it is, and who
// decodes it sees the same picture.
func FuzzPictures(f *testing.F) {
	all, err := os.ReadDir(filepath.Join("testdata", "pictures"))
	if err != nil {
		f.Fatal(err)
	}
	for _, entry := range all {
		f.Add(picture(f, entry.Name()))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		out, kind := kept(content)
		if !strings.HasPrefix(kind, "image/") {
			return
		}
		if again, got := kept(out); !bytes.Equal(again, out) {
			t.Fatalf("kept again, it is %s", got)
		}
		if c, _, err := image.DecodeConfig(bytes.NewReader(out)); err == nil && c.Width*c.Height > anchor.MaxPixels {
			t.Fatalf("it is %d by %d pixels", c.Width, c.Height)
		}
		same(t, kind, content, out)
	})
}
