package notify_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"windlass/server/anchor"
	"windlass/server/notify"
	"windlass/server/outside"
	"windlass/server/rig"
	"windlass/server/store"
)

// world is books, a wallet's server, and the notifier between them.
type world struct {
	*testing.T
	books *store.Store
	key   *keypair.Full
	cfg   notify.Config

	mu     sync.Mutex
	got    []message
	answer func(r *http.Request, nth int) int // the status, by how often the path was asked
	asked  map[string]int
	wallet *httptest.Server
}

type message struct{ path, id, status string }

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "key")
	rig.Must(t, store.NewKeyFile(keyFile))
	keys, err := store.LoadKeys(keyFile)
	rig.Must(t, err)
	books, err := store.Open(t.Context(), filepath.Join(dir, "books.db"), keys)
	rig.Must(t, err)
	w := &world{T: t, books: books, key: rig.NewKey(t), asked: map[string]int{}}
	w.wallet = httptest.NewServer(http.HandlerFunc(w.serve))
	client := outside.New(outside.Config{AllowLoopback: true, Timeout: 20 * time.Second})
	w.cfg = notify.Config{
		Store: books, Client: client, Signing: w.key, Poll: 20 * time.Millisecond, Retry: 10 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(rig.Log{T: t}, nil)),
		Body: func(t *anchor.Transaction) ([]byte, error) {
			return json.Marshal(map[string]any{"transaction": map[string]string{"id": t.ID, "status": string(t.Status())}})
		},
	}
	t.Cleanup(func() {
		client.Close()
		w.wallet.CloseClientConnections()
		w.wallet.Close()
		rig.Must(t, books.Close())
	})
	return w
}

// serve is the wallet: it takes what is signed, and notes it.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.Errorf("read: %v", err)
	}
	w.verify(r, body)
	w.mu.Lock()
	w.asked[r.URL.Path]++
	nth, answer := w.asked[r.URL.Path], w.answer
	w.mu.Unlock()
	status := http.StatusNoContent
	if answer != nil {
		status = answer(r, nth)
	}
	if status < 300 {
		var m struct {
			Transaction struct{ ID, Status string } `json:"transaction"`
		}
		if err := json.Unmarshal(body, &m); err != nil {
			w.Errorf("%s: %v", body, err)
		}
		w.mu.Lock()
		w.got = append(w.got, message{r.URL.Path, m.Transaction.ID, m.Transaction.Status})
		w.mu.Unlock()
	}
	rw.WriteHeader(status)
}

// verify does what SEP-24 asks of a wallet ("VERIFY signature").
func (w *world) verify(r *http.Request, body []byte) {
	header := r.Header.Get("Signature")
	if header != r.Header.Get("X-Stellar-Signature") {
		w.Errorf("the two headers differ")
	}
	at, sig, _ := strings.Cut(header, ", s=")
	at = strings.TrimPrefix(at, "t=")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if age := time.Since(time.Unix(seconds, 0)); err != nil || age > time.Minute || age < -time.Minute {
		w.Errorf("signed at %q", at)
	}
	raw, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		w.Errorf("%q: %v", sig, err)
	}
	host, _, _ := strings.Cut(r.Host, ":")
	if err := w.key.Verify([]byte(at+"."+host+"."+string(body)), raw); err != nil {
		w.Errorf("the signature: %v", err)
	}
	if r.Header.Get("Content-Type") != "application/json" || r.Method != http.MethodPost {
		w.Errorf("%s %v", r.Method, r.Header)
	}
}

// begin makes a transaction that is told of under a path.
func (w *world) begin(base, path string) string {
	w.Helper()
	asset := anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: w.key.Address()}
	terms := &anchor.Terms{Asset: asset, OffChain: anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}}
	a := anchor.Start(store.NewID(), anchor.Deposit, terms, anchor.Identity{Account: w.key.Address()}, anchor.Address(w.key.Address()), time.Now().Add(time.Hour), time.Now())
	a.OnChange, a.Callback = base+path, base+path+"/done"
	a.Reference = rand.Text()
	rig.Must(w, w.books.Update(w.Context(), store.Wallet, func(tx *store.Tx) error { return tx.CreateTransaction(a) }))
	return a.ID
}

func (w *world) change(id string, steps ...func(a *anchor.Transaction) error) {
	w.Helper()
	for _, step := range steps {
		rig.Must(w, w.books.Update(w.Context(), store.Operator, func(tx *store.Tx) error {
			a, err := tx.Transaction(id)
			if err != nil {
				return err
			}
			if err := step(a); err != nil {
				return err
			}
			return tx.SaveTransaction(a)
		}))
	}
}

func fail(a *anchor.Transaction) error  { return a.Fail("parked", time.Now()) }
func retry(a *anchor.Transaction) error { return a.Retry(time.Now()) }

// run delivers until stop is called.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan error, 1)
	go func() { ended <- notify.New(w.cfg).Run(ctx) }()
	return func() {
		cancel()
		rig.Must(w, <-ended)
	}
}

func (w *world) received() []message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.got)
}

func (w *world) until(n int) []message {
	w.Helper()
	rig.Until(w, "the messages have arrived", func() bool { return len(w.received()) >= n })
	return w.received()
}

// tried waits until so many attempts are written down: who stops before that has
// the last one made again.
func (w *world) tried(id string, n int) []store.Delivery {
	w.Helper()
	var all []store.Delivery
	rig.Until(w, "the attempts are written down", func() bool {
		var err error
		all, err = w.books.Deliveries(w.Context(), id)
		rig.Must(w, err)
		return len(all) >= n
	})
	return all
}

// TestDelivered: each change is told of once, signed, to both addresses, and
// none again after a restart.
func TestDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.begin(w.wallet.URL, "/w")
	w.change(id, fail)
	stop := w.run()
	w.until(2)
	w.change(id, retry)
	w.until(3)
	w.tried(id, 3)
	stop()
	stop = w.run()
	w.change(id, fail)
	got := w.until(4)
	log := w.tried(id, 4)
	stop()
	want := []message{{"/w", id, "error"}, {"/w/done", id, "error"}, {"/w", id, "incomplete"}, {"/w", id, "error"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(log) != 4 || log[0].Outcome != "204" || log[0].At.IsZero() {
		t.Errorf("the log of deliveries: %v", log)
	}
}

// TestRefused: what is not taken is sent again, in its order, with the news of
// by then; and what is not taken for days is given up, and keeps nothing back.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer = func(r *http.Request, nth int) int {
		switch {
		case r.URL.Path == "/w" && nth <= 5:
			return []int{500, 404, 302, 429, 503}[nth-1]
		}
		return http.StatusOK
	}
	id := w.begin(w.wallet.URL, "/w")
	w.change(id, fail, retry)
	stop := w.run()
	got := w.until(3)
	log := w.tried(id, 8)
	stop()
	if want := []message{{"/w", id, "incomplete"}, {"/w/done", id, "incomplete"}, {"/w", id, "incomplete"}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(log) != 8 || log[0].Outcome != "500" || log[2].Outcome != "302" {
		t.Errorf("the log of deliveries: %v", log)
	}

	w.answer = func(r *http.Request, _ int) int {
		if r.URL.Path == "/never" {
			return http.StatusGone
		}
		return http.StatusOK
	}
	w.cfg.Patience = time.Nanosecond
	w.change(w.begin(w.wallet.URL, "/never"), fail)
	defer w.run()()
	if got := w.until(4); got[3].path != "/never/done" {
		t.Errorf("%v", got)
	}
}

// TestApart: a wallet that never answers, one that is not there, and one whose
// address may not be called keep nobody else waiting.
func TestApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection would not be noticed
		<-r.Context().Done()
	}))
	t.Cleanup(func() { hanging.CloseClientConnections(); hanging.Close() })
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, base := range []string{hanging.URL, gone.URL, "https://10.0.0.1", "http://example.com"} {
		for range 150 { // more than are looked at together
			w.change(w.begin(base, "/w"), fail)
		}
	}
	id := w.begin(w.wallet.URL, "/w")
	w.change(id, fail)
	stop := w.run()
	defer stop()
	w.until(2)
}

// TestDown: a host that fails is asked less and less, not once for each message.
func TestDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Retry = time.Hour
	var asked sync.Map
	down := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path, true)
		rw.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(down.Close)
	for i := range 100 {
		w.change(w.begin(down.URL, "/"+strconv.Itoa(i)), fail)
	}
	id := w.begin(w.wallet.URL, "/w")
	stop := w.run()
	host, err := url.Parse(down.URL)
	rig.Must(t, err)
	rig.Until(t, "the host rests", func() bool {
		due, err := w.books.MessagesDue(t.Context(), time.Now(), nil, 1000)
		rig.Must(t, err)
		return !slices.ContainsFunc(due, func(m store.Message) bool { return m.Host == host.Host })
	})
	w.change(id, fail)
	w.until(2)
	stop()
	n := 0
	asked.Range(func(any, any) bool { n++; return true })
	if n > 10 {
		t.Errorf("it was asked for %d of 100 messages", n)
	}
}
