package anchor_test

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"
	"pgregory.net/rapid"

	"windlass/server/anchor"
)

const (
	alice = "GAIH3ULLFQ4DGSECF2AR555KZ4KNDGEKN4AFI4SU2M7B43MGK3QJZNSR"
	// SEP-23's own example: the account below with id 1234.
	muxedAccount = "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"
	contract     = "CA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUWDA"
)

// muxed is the M… address of an account with an id.
func muxed(t interface {
	Helper()
	Fatal(...any)
}, account string, id uint64) string {
	t.Helper()
	m, err := xdr.MuxedAccountFromAccountId(account, id)
	if err != nil {
		t.Fatal(err)
	}
	return m.Address()
}

func TestParseAsset(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want anchor.Asset
		ok   bool
	}{
		{"stellar:native", anchor.Native, true},
		{"stellar:USDW:" + alice, anchor.Asset{Scheme: "stellar", Code: "USDW", Issuer: alice}, true},
		{"stellar:a:" + alice, anchor.Asset{Scheme: "stellar", Code: "a", Issuer: alice}, true},
		{"stellar:ABCDEFGHIJKL:" + alice, anchor.Asset{Scheme: "stellar", Code: "ABCDEFGHIJKL", Issuer: alice}, true},
		{"iso4217:USD", anchor.Asset{Scheme: "iso4217", Code: "USD"}, true},

		{"", anchor.Asset{}, false},
		{"native", anchor.Asset{}, false},
		{"XLM", anchor.Asset{}, false},
		{"stellar", anchor.Asset{}, false},
		{"stellar:", anchor.Asset{}, false},
		{"stellar:native:", anchor.Asset{}, false},
		{"stellar:XLM", anchor.Asset{}, false},
		{"stellar:USDW", anchor.Asset{}, false},
		{"stellar:USDW:", anchor.Asset{}, false},
		{"stellar::" + alice, anchor.Asset{}, false},
		{"stellar:ABCDEFGHIJKLM:" + alice, anchor.Asset{}, false},
		{"stellar:US-W:" + alice, anchor.Asset{}, false},
		{"stellar:USDW:" + alice + ":x", anchor.Asset{}, false},
		{"stellar:USDW:" + alice[:55] + "A", anchor.Asset{}, false},
		{"stellar:USDW:" + strings.ToLower(alice), anchor.Asset{}, false},
		{"stellar:USDW:" + contract, anchor.Asset{}, false},
		{"Stellar:USDW:" + alice, anchor.Asset{}, false},
		{"stellar:USDW:" + alice + "\n", anchor.Asset{}, false},
		{"iso4217:usd", anchor.Asset{}, false},
		{"iso4217:US", anchor.Asset{}, false},
		{"iso4217:USDT", anchor.Asset{}, false},
		{"iso4217:USD:", anchor.Asset{}, false},
		{"iso4217:USD:" + alice, anchor.Asset{}, false},
		{"iso4217:USD\n", anchor.Asset{}, false},
		{"iso4217", anchor.Asset{}, false},
	} {
		got, err := anchor.ParseAsset(c.in)
		if c.ok != (err == nil) || got != c.want {
			t.Errorf("%q is %+v, %v", c.in, got, err)
		}
		if !c.ok {
			kindIs(t, err, anchor.Invalid, "asset_malformed")
			continue
		}
		if got.String() != c.in {
			t.Errorf("%q is written %q", c.in, got)
		}
		if got.IsNative() != (c.in == "stellar:native") || got.OnLedger() != strings.HasPrefix(c.in, "stellar:") {
			t.Errorf("%q: native %v, on the ledger %v", c.in, got.IsNative(), got.OnLedger())
		}
		j, err := json.Marshal(got)
		var back anchor.Asset
		if err != nil || json.Unmarshal(j, &back) != nil || back != got {
			t.Errorf("%q travels through JSON %s as %+v", c.in, j, back)
		}
	}
	if s := (anchor.Asset{}).String(); s != "" {
		t.Errorf("no asset is written %q", s)
	}
	// A token that calls itself native is not the lumen.
	fake, err := anchor.ParseAsset("stellar:native:" + alice)
	if err != nil || fake.IsNative() {
		t.Errorf("%+v, %v", fake, err)
	}
}

func FuzzParseAsset(f *testing.F) {
	for _, s := range []string{"", "stellar:native", "stellar:USDW:" + alice, "iso4217:USD", "iso4217:USD:", "stellar:native:" + alice, "stellar:USDW:" + alice + ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := anchor.ParseAsset(s)
		if err != nil {
			kindIs(t, err, anchor.Invalid, "asset_malformed")
			if a != (anchor.Asset{}) {
				t.Errorf("%q is refused and %+v", s, a)
			}
			return
		}
		if a.String() != s {
			t.Errorf("%q is written %q", s, a)
		}
	})
}

func TestParseMemo(t *testing.T) {
	t.Parallel()
	hash := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	for _, c := range []struct{ kind, value, code string }{
		{"", "", ""},
		{"id", "0", ""},
		{"id", "18446744073709551615", ""},
		{"text", "x", ""},
		{"text", "an order of 28 bytes, really", ""},
		{"text", "日本語のメモ", ""}, // 18 bytes
		{"text", " ", ""},
		{"hash", hash, ""},

		{"id", "", "memo_id_malformed"},
		{"id", "18446744073709551616", "memo_id_malformed"},
		{"id", "-1", "memo_id_malformed"},
		{"id", "+1", "memo_id_malformed"},
		{"id", "007", "memo_id_malformed"},
		{"id", "1.0", "memo_id_malformed"},
		{"id", "0x10", "memo_id_malformed"},
		{"id", " 1", "memo_id_malformed"},
		{"text", "", "memo_text_malformed"},
		{"text", strings.Repeat("x", 29), "memo_text_malformed"},
		{"text", strings.Repeat("日", 10), "memo_text_malformed"},
		{"text", "\xff", "memo_text_malformed"},
		{"hash", "", "memo_hash_malformed"},
		{"hash", hash[:40], "memo_hash_malformed"},
		{"hash", strings.Repeat("0", 64), "memo_hash_malformed"}, // hex
		{"hash", strings.TrimRight(hash, "="), "memo_hash_malformed"},
		{"hash", hash[:20] + "\n" + hash[20:], "memo_hash_malformed"},
		{"hash", hash[:42] + "Z=", "memo_hash_malformed"}, // another spelling of the same bytes
		{"return", hash, "memo_type_unknown"},
		{"none", "", "memo_type_unknown"},
		{"ID", "1", "memo_type_unknown"},
		{"", "1", "memo_type_unknown"},
	} {
		m, err := anchor.ParseMemo(c.kind, c.value)
		if c.code != "" {
			kindIs(t, err, anchor.Invalid, c.code)
			if !m.IsZero() {
				t.Errorf("%s %q is refused and %+v", c.kind, c.value, m)
			}
			continue
		}
		if err != nil || string(m.Type) != c.kind || m.Value != c.value || m.IsZero() != (c.kind == "") {
			t.Errorf("%s %q is %+v, %v", c.kind, c.value, m, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		m := anchor.IDMemo(rapid.Uint64().Draw(t, "id"))
		if back, err := anchor.ParseMemo(string(m.Type), m.Value); err != nil || back != m {
			t.Fatalf("%+v is read as %+v, %v", m, back, err)
		}
	})
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, code string }{
		{alice, ""},
		{muxed(t, muxedAccount, 1234), ""},
		{contract, "account_contract"},
		{"", "account_malformed"},
		{"G", "account_malformed"},
		{alice[:55] + "A", "account_malformed"},
		{alice + "A", "account_malformed"},
		{alice + "\n", "account_malformed"},
		{alice[:20] + "\r\n" + alice[20:], "account_malformed"},
		{muxed(t, muxedAccount, 1234)[:20] + "\r\r" + muxed(t, muxedAccount, 1234)[20:], "account_malformed"},
		{strings.ToLower(alice), "account_malformed"},
		{keypair.MustRandom().Seed(), "account_malformed"},
		{"alice*example.com", "account_malformed"},
		{muxed(t, muxedAccount, 1234)[:68] + "A", "account_malformed"},
	} {
		a, err := anchor.ParseAddress(c.in)
		if c.code != "" {
			kindIs(t, err, anchor.Invalid, c.code)
			if a != "" {
				t.Errorf("%q is refused and %q", c.in, a)
			}
		} else if err != nil || string(a) != c.in {
			t.Errorf("%q is %q, %v", c.in, a, err)
		}
	}

	g := anchor.Address(alice)
	if id, ok := g.MuxedID(); g.Account() != alice || ok || id != 0 || g.Short() != "GAIH…ZNSR" {
		t.Errorf("%s: account %s, id %d %v, short %s", g, g.Account(), id, ok, g.Short())
	}
	if zero := anchor.Address(""); zero.Account() != "" || zero.Short() != "" {
		t.Error("no address is something")
	}
	if broken := anchor.Address("Mxyz"); broken.Account() != "" {
		t.Errorf("a broken address has the account %q", broken.Account())
	}
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")
		want := strkey.MustEncode(strkey.VersionByteAccountID, raw)
		id := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, math.MaxInt64, math.MaxUint64})).Draw(t, "id")
		m, err := anchor.ParseAddress(muxed(t, want, id))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := m.MuxedID(); !ok || got != id || m.Account() != want {
			t.Fatalf("%s is %s with %d (%v), want %s with %d", m, m.Account(), got, ok, want, id)
		}
	})
}

// TestSubject: a token's sub tells its user apart from all others, and back.
func TestSubject(t *testing.T) {
	t.Parallel()
	m := muxed(t, muxedAccount, 1234)
	for _, c := range []struct {
		sub  string
		want anchor.Identity
	}{
		{alice, anchor.Identity{Account: alice}},
		{alice + ":0", anchor.Identity{Account: alice, Memo: "0"}},
		{alice + ":18446744073709551615", anchor.Identity{Account: alice, Memo: "18446744073709551615"}},
		{m, anchor.Identity{Account: muxedAccount, Muxed: m}},
	} {
		for _, client := range []string{"", "wallet.example.com"} {
			c.want.Client = client
			got, err := anchor.ParseSubject(c.sub, client)
			if err != nil || got != c.want || got.Subject() != c.sub {
				t.Errorf("%s is %+v (%s), %v", c.sub, got, got.Subject(), err)
			}
		}
	}
	for _, bad := range []string{"", ":", alice + ":", alice + ":x", alice + ":-1", alice + ":007", alice + ":18446744073709551616",
		alice + ":1:2", m + ":1", contract, contract + ":1", alice + " ", strings.ToLower(alice), alice[:55] + "A:1", "GABC", "1"} {
		id, err := anchor.ParseSubject(bad, "")
		kindIs(t, err, anchor.Unauthenticated, "")
		if id != (anchor.Identity{}) {
			t.Errorf("%q is refused and %+v", bad, id)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		g := strkey.MustEncode(strkey.VersionByteAccountID, rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
		n := rapid.Uint64().Draw(t, "n")
		var want anchor.Identity
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			want = anchor.Identity{Account: g}
		case 1:
			want = anchor.Identity{Account: g, Memo: strconv.FormatUint(n, 10)}
		default:
			want = anchor.Identity{Account: g, Muxed: muxed(t, g, n)}
		}
		if got, err := anchor.ParseSubject(want.Subject(), ""); err != nil || got != want {
			t.Fatalf("%+v is read as %+v, %v", want, got, err)
		}
	})
}

func FuzzParseSubject(f *testing.F) {
	for _, s := range []string{"", alice, alice + ":1", alice + ":", alice + ":01", muxed(f, muxedAccount, 1234), contract} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := anchor.ParseSubject(s, "wallet.example.com")
		if err != nil {
			kindIs(t, err, anchor.Unauthenticated, "")
			return
		}
		if id.Subject() != s || !strkey.IsValidEd25519PublicKey(id.Account) || id.Memo != "" && id.Muxed != "" {
			t.Errorf("%q is %+v, written %q", s, id, id.Subject())
		}
	})
}
