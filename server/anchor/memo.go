package anchor

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// MemoType is a Stellar memo's kind, spelled as SEP-24 and Horizon spell it.
type MemoType string

// The kinds of memo. Only id, text and hash may be asked for by a client.
const (
	MemoNone   MemoType = ""
	MemoText   MemoType = "text"
	MemoID     MemoType = "id"
	MemoHash   MemoType = "hash"
	MemoReturn MemoType = "return"
)

// Memo is a Stellar memo; the zero value is none. Value is the decimal number
// for id, the text for text, and standard base64 of 32 bytes for hash and
// return (as SEP-24 and Horizon write them).
type Memo struct {
	Type  MemoType
	Value string
}

// ParseMemo checks a memo a client sent (SEP-24 memo_type, memo). Both empty is
// no memo.
func ParseMemo(kind, value string) (Memo, error) {
	if kind == "" && value == "" {
		return Memo{}, nil
	}
	switch MemoType(kind) {
	case MemoID:
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || strconv.FormatUint(n, 10) != value {
			return Memo{}, &Error{Kind: Invalid, Code: "memo_id_malformed", Field: "memo",
				Message: "a memo of type id must be a whole number between 0 and 18446744073709551615"}
		}
	case MemoText:
		if value == "" || len(value) > 28 || !utf8.ValidString(value) {
			return Memo{}, &Error{Kind: Invalid, Code: "memo_text_malformed", Field: "memo",
				Message: "a memo of type text must have 1 to 28 bytes of UTF-8"}
		}
	case MemoHash:
		// One spelling only, or it would not compare with Horizon's: the decoder
		// alone lets line breaks and stray last bits pass.
		if b, err := base64.StdEncoding.DecodeString(value); err != nil || len(b) != 32 || base64.StdEncoding.EncodeToString(b) != value {
			return Memo{}, &Error{Kind: Invalid, Code: "memo_hash_malformed", Field: "memo",
				Message: "a memo of type hash must be 32 bytes in base64"}
		}
	case MemoNone, MemoReturn:
		fallthrough
	default:
		return Memo{}, &Error{Kind: Invalid, Code: "memo_type_unknown", Field: "memo_type",
			Message: "memo_type must be id, text or hash, and be given whenever memo is"}
	}
	return Memo{Type: MemoType(kind), Value: value}, nil
}

// IDMemo is a memo of kind id.
func IDMemo(id uint64) Memo { return Memo{Type: MemoID, Value: strconv.FormatUint(id, 10)} }

// IsZero reports whether there is no memo.
func (m Memo) IsZero() bool { return m == Memo{} }
