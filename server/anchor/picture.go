package anchor

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// What cameras and programs write into pictures beside the picture (where it was
// taken, with which device, a smaller copy of it from before it was cut) is left out
// without touching the picture: its parts are copied as they are, or not at all.
// Which way up it is stays, and its colours. A list says what is copied, so that
// what nobody thought of is left out.
//
// Why not decode and encode again: that loses quality, and opens a decoder to
// whatever strangers send.

// MaxPixels bounds a picture: a small file can be a picture that the computer of
// whoever looks at it has no memory for.
const MaxPixels = 50_000_000

// maxScans bounds how often a JPEG's picture is gone over, each time at the cost of
// all of it. Programs that make one come clearer and clearer take ten or so.
const maxScans = 64

// picture reads a file from its start, and writes down what is left of it.
type picture struct {
	rest, out     []byte
	width, height int
	turn          uint16 // the Exif orientation, 0 for none said
	bad           bool
}

// take is the next n bytes; of a file that has fewer, so many zeros.
func (p *picture) take(n int) []byte {
	if n < 0 || n > len(p.rest) {
		p.bad, p.rest = true, nil
		return make([]byte, 32) // as much as any caller looks at
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

func (p *picture) keep(parts ...[]byte) {
	for _, b := range parts {
		p.out = append(p.out, b...)
	}
}

// stripped is a picture without what is written beside it, and its size in pixels;
// not ok if it is none that can be read to its end.
func stripped(mediaType string, content []byte) (out []byte, width, height int, ok bool) {
	p := &picture{rest: content, out: make([]byte, 0, len(content)+64)}
	switch mediaType {
	case "image/jpeg":
		p.jpeg()
	case "image/png":
		p.png()
	case "image/webp":
		p.webp()
	}
	return p.out, p.width, p.height, !p.bad && p.width > 0 && p.height > 0
}

// The second bytes of JPEG's markers (ITU-T T.81, table B.1).
const (
	markSOF0, markSOF2 = 0xc0, 0xc2 // baseline, extended and progressive: what browsers can show
	markDHT            = 0xc4
	markSOI, markEOI   = 0xd8, 0xd9
	markSOS            = 0xda
	markDQT, markDRI   = 0xdb, 0xdd
	markAPP0           = 0xe0
	markAPP1           = 0xe1
	markAPP15          = 0xef
	markCOM            = 0xfe
)

// jpeg copies the segments that make the picture, and ends at its end: what
// follows it, such as the film that some phones append, is left out.
func (p *picture) jpeg() {
	p.keep(p.take(2)) // its start
	scans := 0
	for !p.bad {
		if p.take(1)[0] != 0xff {
			p.bad = true
			return
		}
		mark := p.take(1)[0]
		for mark == 0xff { // fills up
			mark = p.take(1)[0]
		}
		if mark == markEOI {
			p.keep([]byte{0xff, markEOI})
			p.bad = p.bad || scans == 0
			return
		}
		size := p.take(2)
		data := p.take(int(binary.BigEndian.Uint16(size)) - 2)
		if p.bad {
			return
		}
		switch {
		case mark >= markSOF0 && mark <= markSOF2:
			if p.bad = p.width > 0 || len(data) < 6; p.bad {
				return
			}
			p.height, p.width = int(binary.BigEndian.Uint16(data[1:])), int(binary.BigEndian.Uint16(data[3:]))
		case mark == markDHT, mark == markDQT, mark == markDRI:
		case mark == markSOS:
			scans++
			p.bad = p.width == 0 || scans > maxScans
		case mark == markAPP0 && bytes.HasPrefix(data, []byte("JFIF\x00")):
			if len(data) >= 14 {
				size, data = []byte{0, 16}, slices.Concat(data[:12], []byte{0, 0}) // without its small copy
			}
		case mark == markAPP0+2 && bytes.HasPrefix(data, []byte("ICC_PROFILE\x00")), // the colours it means
			mark == markAPP0+14 && bytes.HasPrefix(data, []byte("Adobe")) && len(data) >= 12: // and how they are written
		case mark == markAPP1 && bytes.HasPrefix(data, []byte("Exif\x00")) && len(data) > 6 && p.turn == 0:
			p.turn = orientation(data[6:])
			if p.turn == 0 {
				continue
			}
			data = slices.Concat([]byte("Exif\x00\x00"), turned(p.turn))
			size = binary.BigEndian.AppendUint16(nil, uint16(len(data)+2))
		case mark >= markAPP0 && mark <= markAPP15, mark == markCOM:
			continue
		default:
			p.bad = true
			return
		}
		p.keep([]byte{0xff, mark}, size, data)
		if mark == markSOS {
			p.keep(p.take(scanned(p.rest)))
		}
	}
}

// scanned is how long a scan's data is: up to the first marker that is not of the
// data itself. It is too long where there is none.
func scanned(b []byte) int {
	for i := 0; i+1 < len(b); i++ {
		if b[i] == 0xff && b[i+1] != 0 && (b[i+1] < 0xd0 || b[i+1] > 0xd7) {
			return i
		}
	}
	return len(b) + 1
}

// pngChunks are those of a PNG's chunks that make the picture and say what colours
// it means (PNG, third edition, section 11).
var pngChunks = []string{"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM", "gAMA", "iCCP", "sBIT", "sRGB", "cICP", "bKGD", "pHYs"}

func (p *picture) png() {
	p.keep(p.take(8)) // its signature
	var before string
	drawn := false
	for !p.bad {
		head := p.take(8)
		name, length := string(head[4:8]), binary.BigEndian.Uint32(head)
		if length > MaxFile {
			p.bad = true
			return
		}
		data, sum := p.take(int(length)), p.take(4)
		if p.bad || binary.BigEndian.Uint32(sum) != crc32.Update(crc32.ChecksumIEEE(head[4:]), crc32.IEEETable, data) || (before == "") != (name == "IHDR") {
			p.bad = true
			return
		}
		switch {
		case name == "IHDR":
			if p.bad = length != 13 || binary.BigEndian.Uint32(data) > 1<<31-1 || binary.BigEndian.Uint32(data[4:]) > 1<<31-1; p.bad {
				return
			}
			p.width, p.height = int(binary.BigEndian.Uint32(data)), int(binary.BigEndian.Uint32(data[4:]))
		case name == "IDAT":
			p.bad = drawn && before != "IDAT"
			drawn = true
		case name == "eXIf" && p.turn == 0:
			if p.turn = orientation(data); p.turn != 0 {
				p.keep(pngChunk("eXIf", turned(p.turn)))
			}
		}
		switch {
		case slices.Contains(pngChunks, name):
			p.keep(head, data, sum)
		case name[0]&0x20 == 0: // whoever does not know it must not show the picture
			p.bad = true
		}
		if name == "IEND" {
			p.bad = p.bad || !drawn || length > 0
			return
		}
		before = name
	}
}

func pngChunk(name string, data []byte) []byte {
	b := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), name...)
	b = append(b, data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// webpChunks are those of a WebP's chunks that make the picture and say what
// colours it means (RFC 9649). One that moves is not taken.
var webpChunks = []string{"VP8X", "VP8 ", "VP8L", "ALPH", "ICCP"}

// The bits of the chunk VP8X that say what else there is.
const webpMoves, webpXMP, webpExif = 0x02, 0x04, 0x08

func (p *picture) webp() {
	head := p.take(12)
	length := binary.LittleEndian.Uint32(head[4:])
	if length < 4 || int64(length)-4 > int64(len(p.rest)) {
		p.bad = true
		return
	}
	p.rest = p.rest[:length-4] // what follows is not of it
	p.keep(head)
	flags, drawn, canvas := -1, false, [2]int{}
	for len(p.rest) > 0 && !p.bad {
		head := p.take(8)
		name, length := string(head[:4]), binary.LittleEndian.Uint32(head[4:])
		if length > MaxFile {
			p.bad = true
			return
		}
		data := p.take(int(length))
		if length%2 == 1 && len(p.rest) > 0 { // some leave the last one out
			p.take(1)
		}
		if p.bad {
			return
		}
		switch name {
		case "VP8X": // comes first, or not at all
			if p.bad = length != 10 || len(p.out) > 12 || data[0]&webpMoves != 0; p.bad {
				return
			}
			flags = len(p.out) + 8
			canvas = [2]int{1 + (int(data[4]) | int(data[5])<<8 | int(data[6])<<16), 1 + (int(data[7]) | int(data[8])<<8 | int(data[9])<<16)}
		case "VP8 ", "VP8L":
			if p.bad = drawn; !p.bad {
				drawn = true
				p.width, p.height = webpSize(name, data)
			}
		case "EXIF":
			if p.turn == 0 {
				p.turn = orientation(bytes.TrimPrefix(data, []byte("Exif\x00\x00")))
			}
		}
		if slices.Contains(webpChunks, name) {
			p.keep(head, data, make([]byte, length%2))
		}
	}
	if p.bad = p.bad || !drawn; p.bad {
		return
	}
	if flags >= 0 {
		p.bad = canvas != [2]int{p.width, p.height} // each program goes by another
		p.out[flags] &^= webpXMP | webpExif
		if p.turn != 0 {
			p.out[flags] |= webpExif
			t := turned(p.turn)
			p.keep([]byte("EXIF"), binary.LittleEndian.AppendUint32(nil, uint32(len(t))), t)
		}
	}
	binary.LittleEndian.PutUint32(p.out[4:], uint32(len(p.out)-8))
}

// webpSize is how large the picture of a bitstream is: lossy (RFC 6386, section
// 9.1) or lossless (RFC 9649, section 3.4).
func webpSize(name string, b []byte) (width, height int) {
	switch {
	case name == "VP8 " && len(b) >= 10 && b[0]&1 == 0 && bytes.Equal(b[3:6], []byte{0x9d, 0x01, 0x2a}):
		return int(binary.LittleEndian.Uint16(b[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(b[8:]) & 0x3fff)
	case name == "VP8L" && len(b) >= 5 && b[0] == 0x2f:
		bits := binary.LittleEndian.Uint32(b[1:])
		return 1 + int(bits&0x3fff), 1 + int(bits>>14&0x3fff)
	}
	return 0, 0
}

// exifOrientation is the number of the one entry that is kept of Exif.
const exifOrientation = 0x0112

// orientation is which way up Exif says that a picture is: 2 to 8, or 0 if it says
// nothing, or that it is upright.
func orientation(exif []byte) uint16 {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(exif, []byte("MM\x00*")):
		order = binary.BigEndian
	case !bytes.HasPrefix(exif, []byte("II*\x00")):
		return 0
	}
	if len(exif) < 8 {
		return 0
	}
	at := int64(order.Uint32(exif[4:]))
	if at+2 > int64(len(exif)) {
		return 0
	}
	entries := exif[at:]
	count := int(order.Uint16(entries))
	entries = entries[2:]
	for ; count > 0 && len(entries) >= 12; count-- {
		if order.Uint16(entries) == exifOrientation {
			if v := order.Uint16(entries[8:]); order.Uint16(entries[2:]) == 3 && order.Uint32(entries[4:]) == 1 && v >= 2 && v <= 8 {
				return v
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}

// turned is Exif that says which way up a picture is, and nothing else.
func turned(orientation uint16) []byte {
	return slices.Concat([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00"), []byte{byte(orientation), 0, 0, 0}, make([]byte, 4))
}
