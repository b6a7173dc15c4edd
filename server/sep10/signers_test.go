package sep10_test

import (
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/sandbox"
)

// TestSigners signs in accounts with signers and thresholds.
func TestSigners(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	threshold := func(n byte) *txnbuild.Threshold { v := txnbuild.Threshold(n); return &v }
	signer := func(kp keypair.KP, weight byte) *txnbuild.SetOptions {
		return &txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: kp.Address(), Weight: txnbuild.Threshold(weight)}}
	}
	one, two, stranger := keypair.MustRandom(), keypair.MustRandom(), keypair.MustRandom()
	account := func(medium byte, ops ...txnbuild.Operation) *keypair.Full {
		kp := keypair.MustRandom()
		w.fund(kp)
		w.submit(kp, append(ops, &txnbuild.SetOptions{LowThreshold: threshold(1), MediumThreshold: threshold(medium), HighThreshold: threshold(medium)})...)
		return kp
	}
	master := account(1)
	high := account(2)
	shared := account(2, signer(one, 1), signer(two, 1))
	lost := account(1, signer(one, 1), &txnbuild.SetOptions{MasterWeight: threshold(0)})
	ours := account(2, signer(w.signing, 5), signer(one, 1))
	zero := account(0)
	// Signers that are no keys never count, though their weight would do.
	preimage := []byte("open sesame")
	digest := sha256.Sum256(preimage)
	odd := func(version strkey.VersionByte) *txnbuild.SetOptions {
		address, err := strkey.Encode(version, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return &txnbuild.SetOptions{Signer: &txnbuild.Signer{Address: address, Weight: 9}}
	}
	keyless := account(2, odd(strkey.VersionByteHashX), odd(strkey.VersionByteHashTx))
	all := func(kps ...*keypair.Full) []*keypair.Full { return kps }
	for name, c := range map[string]struct {
		kp      *keypair.Full
		signers []*keypair.Full
		refused string
	}{
		"master":                     {master, all(master), ""},
		"master twice":               {master, all(master, master), ""},
		"nobody":                     {master, nil, "no signer"},
		"nobody, threshold 0":        {zero, nil, "no signer"},
		"master, threshold 0":        {zero, all(zero), ""},
		"below":                      {high, all(high), "weigh 1"},
		"below, twice":               {high, all(high, high), "weigh 1"},
		"one of two":                 {shared, all(one), "weigh 1"},
		"one of two, twice":          {shared, all(one, one), "weigh 1"},
		"two":                        {shared, all(one, two), ""},
		"master and one":             {shared, all(shared, two), ""},
		"enough, and a stranger":     {shared, all(one, two, stranger), "not of a signer"},
		"a stranger":                 {master, all(stranger), "not of a signer"},
		"not the master":             {lost, all(one), ""},
		"the master without weight":  {lost, all(lost), "not of a signer"},
		"the server helps out":       {ours, all(one), "weigh 1"},
		"the server helps out twice": {ours, all(one, w.signing), "weigh 1"},
		"without the server":         {ours, all(ours, one), ""},
		"signers that are no keys":   {keyless, all(keyless), "weigh 1"},
	} {
		a := w.post(sign(t, w.challenge("account="+c.kp.Address()), c.signers...))
		if c.refused == "" {
			w.in(a, c.kp.Address())
		} else {
			w.out(name, a, c.refused)
		}
	}
	w.in(w.post(sign(t, w.challenge("account="+muxedOf(t, shared, 3)), one, two)), muxedOf(t, shared, 3))
	g := "account=" + keyless.Address()
	opened, err := parse(t, sign(t, w.challenge(g), keyless)).SignHashX(preimage)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := opened.Base64()
	w.out("a hash opened", w.post(text), "not of a signer")
	w.out("a key without weight added", w.post(sign(t, w.challenge("account="+lost.Address()), one, lost)), "not of a signer")
	// What counts is the ledger when the challenge comes back, not when it was made.
	before := w.challenge("account=" + master.Address())
	w.submit(master, &txnbuild.SetOptions{MediumThreshold: threshold(2), HighThreshold: threshold(2)})
	w.out("raised meanwhile", w.post(sign(t, before, master)), "medium threshold is 2")
}

// TestFailsClosed never takes a silent ledger for a missing account.
func TestFailsClosed(t *testing.T) {
	t.Parallel()
	kp := keypair.MustRandom()
	for name, serve := range map[string]http.HandlerFunc{
		"500":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"a proxy's 404": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"429":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) },
		"nonsense":      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"another ledger": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"network_passphrase":"other"}`)
		},
		"no signers": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				_, _ = io.WriteString(w, `{"network_passphrase":"`+passphrase+`"}`)
				return
			}
			_, _ = io.WriteString(w, `{"account_id":"`+kp.Address()+`","sequence":"1"}`)
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		srv := httptest.NewServer(serve)
		w := newWorldOn(t, srv.URL)
		text := sign(t, w.challenge("account="+kp.Address()), kp)
		if a := w.post(text); a.status != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v %v", name, a.status, a.body, a.header)
		}
		srv.Close()
		if a := w.post(text); a.status != 503 {
			t.Errorf("%s, then gone: %d", name, a.status)
		}
	}
}

// TestRidesOutFaults: a fault or two of Horizon's are not the wallet's, even
// one that says nothing at all; a Horizon that stays away is.
func TestRidesOutFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault  sandbox.Fault
		status int
	}{
		{sandbox.Fault{Kind: sandbox.ServerError, Next: 2}, 200},
		{sandbox.Fault{Kind: sandbox.LostAnswer, Next: 2}, 200},
		{sandbox.Fault{Kind: sandbox.Silence, Next: 1}, 200},
		{sandbox.Fault{Kind: sandbox.StaleHistory}, 503},
	} {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			t.Parallel()
			n, err := sandbox.Open(sandbox.Config{CloseEvery: 10 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			weather := sandbox.NewWeather(n, 1)
			srv := httptest.NewServer(weather.Handler())
			t.Cleanup(func() {
				srv.Close()
				if err := n.Close(); err != nil {
					t.Error(err)
				}
			})
			w := newWorldOn(t, srv.URL)
			kp := keypair.MustRandom()
			w.fund(kp)
			if _, err := weather.Set(c.fault); err != nil {
				t.Fatal(err)
			}
			if a := w.post(sign(t, w.challenge("account="+kp.Address()), kp)); a.status != c.status {
				t.Errorf("%d %v", a.status, a.body)
			}
		})
	}
}
