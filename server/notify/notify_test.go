package notify_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	file  string
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
	file := filepath.Join(dir, "books.db")
	books, err := store.Open(t.Context(), file, keys)
	rig.Must(t, err)
	w := &world{T: t, file: file, books: books, key: rig.NewKey(t), asked: map[string]int{}}
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
func (w *world) begin(base, path string) (id string) {
	w.Helper()
	rig.Must(w, w.books.Update(w.Context(), store.Wallet, func(tx *store.Tx) error {
		a := w.transaction(base, path)
		id = a.ID
		return tx.CreateTransaction(a)
	}))
	return id
}

// beginMany makes n transactions that have failed already: each has two messages.
func (w *world) beginMany(n int, address func(i int) (base, path string)) {
	w.Helper()
	rig.Must(w, w.books.Update(w.Context(), store.Wallet, func(tx *store.Tx) error {
		for i := range n {
			a := w.transaction(address(i))
			if err := fail(a); err != nil {
				return err
			}
			if err := tx.CreateTransaction(a); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (w *world) transaction(base, path string) *anchor.Transaction {
	asset := anchor.Asset{Scheme: anchor.Stellar, Code: "USDW", Issuer: w.key.Address()}
	terms := &anchor.Terms{Asset: asset, OffChain: anchor.Asset{Scheme: anchor.ISO4217, Code: "USD"}}
	a := anchor.Start(store.NewID(), anchor.Deposit, terms, anchor.Identity{Account: w.key.Address()}, anchor.Address(w.key.Address()), time.Now().Add(time.Hour), time.Now())
	a.OnChange, a.Callback = base+path, base+path+"/done"
	a.Reference = rand.Text()
	return a
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
func (w *world) tried(id string, n int) []*store.Delivery {
	w.Helper()
	var all []*store.Delivery
	rig.Until(w, "the attempts are written down", func() bool {
		all = all[:0]
		for _, m := range w.messages(id) {
			some, err := w.books.DeliveriesOfEach(w.Context(), []int64{m.ID})
			rig.Must(w, err)
			all = append(all, some[m.ID]...)
		}
		return len(all) >= n
	})
	slices.SortFunc(all, func(a, b *store.Delivery) int { return a.At.Compare(b.At) })
	return all
}

// messages are those about a transaction.
func (w *world) messages(id string) []*store.Message {
	w.Helper()
	each, err := w.books.MessagesOfEach(w.Context(), []string{id})
	rig.Must(w, err)
	return each[id]
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
	slices.SortFunc(got[:2], func(a, b message) int { return strings.Compare(a.path, b.path) }) // they go side by side
	want := []message{{"/w", id, "error"}, {"/w/done", id, "error"}, {"/w", id, "incomplete"}, {"/w", id, "error"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(log) != 4 || log[0].Outcome != "204" || log[0].At.IsZero() {
		t.Errorf("the log of deliveries: %v", log)
	}
}

// TestRefused: what is not taken is sent again, in its order, with the news of
// by then, and the callback does not wait for it.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refusals := []int{500, 404, 302, 429, 503}
	w.answer = func(r *http.Request, nth int) int {
		if r.URL.Path == "/w" && nth <= len(refusals) {
			return refusals[nth-1]
		}
		return http.StatusOK
	}
	id := w.begin(w.wallet.URL, "/w")
	w.change(id, fail, retry)
	stop := w.run()
	got := w.until(3)
	w.tried(id, 8)
	stop()
	if want := []message{{"/w/done", id, "incomplete"}, {"/w", id, "incomplete"}, {"/w", id, "incomplete"}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, m := range w.messages(id) {
		log, err := w.books.DeliveriesOfEach(t.Context(), []int64{m.ID})
		rig.Must(t, err)
		var outcomes []string
		for _, d := range log[m.ID] {
			outcomes = append(outcomes, d.Outcome)
		}
		want := []string{"200"}
		if m.Attempts > 0 {
			want = []string{"500", "404", "302", "429", "503", "200"}
		}
		if !slices.Equal(outcomes, want) || m.State != store.MessageDelivered || m.EndedAt.IsZero() {
			t.Errorf("%+v: %v, want %v", m, outcomes, want)
		}
	}
}

// TestGivenUp: what is not taken for days, and at once what can never be called,
// is given up. It keeps nothing back.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Patience = time.Nanosecond
	w.answer = func(r *http.Request, _ int) int {
		if r.URL.Path == "/never" {
			return http.StatusGone
		}
		return http.StatusOK
	}
	never := w.begin(w.wallet.URL, "/never")
	inward := w.begin("https://wallet.example:8443", "/w")
	for _, id := range []string{never, inward} {
		w.change(id, fail, retry)
	}
	defer w.run()()
	for id, outcomes := range map[string][]string{
		never:  {"410", "410", "200"},
		inward: {"this address may not be called: its port is not 443", "this address may not be called: its port is not 443", "this address may not be called: its port is not 443"},
	} {
		log := w.tried(id, 3)
		var got []string
		for _, d := range log {
			got = append(got, d.Outcome)
		}
		slices.Sort(got)
		slices.Sort(outcomes)
		if !slices.Equal(got, outcomes) {
			t.Errorf("%v, want %v", got, outcomes)
		}
		for _, m := range w.messages(id) {
			want := store.MessageGivenUp
			if strings.HasSuffix(m.URL, "/never/done") {
				want = store.MessageDelivered
			}
			if m.State != want {
				t.Errorf("%s is %s", m.URL, m.State)
			}
		}
	}
}

// TestUnrecorded: as long as the books cannot be written, what a wallet answered
// is kept, and nothing is sent again; and no more is sent than there is room for.
// Then it is written down, and what was refused is sent again.
func TestUnrecorded(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]int{"accepted": http.StatusNoContent, "refused": http.StatusServiceUnavailable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var mended atomic.Bool
			w.answer = func(*http.Request, int) int {
				if mended.Load() {
					return http.StatusOK
				}
				return first
			}
			var failures atomic.Int64
			w.cfg.Logger = slog.New(slog.NewTextHandler(counter{&failures, "cannot be written down"}, nil))
			var ids []string
			for i := range 10 {
				id := w.begin(w.wallet.URL, "/"+strconv.Itoa(i))
				w.change(id, fail)
				ids = append(ids, id)
			}
			mend := w.breakBooks()
			stop := w.run()
			rig.Until(t, "the books were tried again and again", func() bool { return failures.Load() >= 40 })
			w.mu.Lock()
			if len(w.asked) != 4 {
				t.Errorf("%d messages were sent to one host: %v", len(w.asked), w.asked)
			}
			for path, n := range w.asked {
				if n != 1 {
					t.Errorf("%s was sent %d times", path, n)
				}
			}
			w.mu.Unlock()
			mended.Store(true)
			mend()
			want := 2 * len(ids)
			if first >= 300 {
				want += 4
			}
			attempts := 0
			rig.Until(t, "all is delivered", func() bool {
				due, _, err := w.books.Messages(t.Context(), store.MessageDue, "", store.Page{})
				rig.Must(t, err)
				return len(due) == 0
			})
			for _, id := range ids {
				attempts += len(w.tried(id, 2))
			}
			stop()
			asked := 0
			for _, n := range w.asked {
				asked += n
			}
			if attempts != want || asked != want {
				t.Errorf("%d attempts are in the books, and %d were made; want %d", attempts, asked, want)
			}
		})
	}
}

// counter counts the lines that contain a text.
type counter struct {
	n    *atomic.Int64
	text string
}

func (c counter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.n.Add(1)
	}
	return len(p), nil
}

// breakBooks makes the books refuse every delivery, until they are mended.
func (w *world) breakBooks() (mend func()) {
	w.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.file+"?_busy_timeout=10000")
	rig.Must(w, err)
	exec := func(statement string) {
		_, err := db.ExecContext(w.Context(), statement)
		rig.Must(w, err)
	}
	exec(`CREATE TRIGGER broken BEFORE INSERT ON deliveries BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
	return func() {
		exec(`DROP TRIGGER broken`)
		rig.Must(w, db.Close())
	}
}

// TestApart: a wallet that never answers, with thousands of messages, one whose
// names are never looked up, though it makes up a new one for each message, one
// that is not there, and one whose address may not be called keep nobody else
// waiting: not even until a single call to them has ended.
func TestApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var called, ended, lookups, most atomic.Int64
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called.Add(1)
		_, _ = io.Copy(io.Discard, r.Body) // or the end of the connection would not be noticed
		<-r.Context().Done()
		ended.Add(1)
	}))
	t.Cleanup(func() { hanging.CloseClientConnections(); hanging.Close() })
	gone := httptest.NewServer(nil)
	gone.Close()
	w.cfg.Client = outside.New(outside.Config{AllowLoopback: true, Timeout: time.Minute, Resolver: &net.Resolver{
		PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			n := lookups.Add(1)
			defer lookups.Add(-1)
			for before := most.Load(); n > before && !most.CompareAndSwap(before, n); before = most.Load() {
			}
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}})
	t.Cleanup(w.cfg.Client.Close)
	w.beginMany(2500, func(int) (string, string) { return hanging.URL, "/w" })
	w.beginMany(2500, func(i int) (string, string) { return "https://w" + strconv.Itoa(i) + ".hanging.example", "/w" })
	w.beginMany(150, func(int) (string, string) { return gone.URL, "/w" })
	w.beginMany(150, func(int) (string, string) { return "https://10.0.0.1", "/w" })
	w.beginMany(300, func(int) (string, string) { return w.wallet.URL, "/w" }) // after all of them
	stop := w.run()
	w.until(600)
	id := w.begin(w.wallet.URL, "/w") // and while they hang
	w.change(id, fail)
	w.until(602)
	if called.Load() > 4 || ended.Load() > 0 {
		t.Errorf("the one that hangs was called %d times, and %d calls ended", called.Load(), ended.Load())
	}
	if n := most.Load(); n < 1 || n > 2*4 { // for both kinds of addresses
		t.Errorf("%d look-ups hung at once for one domain", n)
	}
	stop()
}

// TestDown: a host that fails is asked less and less, not once for each message,
// and not for new ones either, nor after a restart.
func TestDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Retry = time.Hour
	var asked atomic.Int64
	down := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		rw.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(down.Close)
	w.beginMany(100, func(i int) (string, string) { return down.URL, "/" + strconv.Itoa(i) })
	stop := w.run()
	rig.Until(t, "the host rests", func() bool {
		due, err := w.books.MessagesDue(t.Context(), time.Now(), nil, 10, 1000)
		rig.Must(t, err)
		return len(due) == 0
	})
	others := w.another(0)
	n := asked.Load()
	if n < 3 || n > 3+4 {
		t.Errorf("it was asked for %d of 200 messages", n)
	}
	for range 3 {
		w.change(w.begin(down.URL, "/new"), fail)
		others = w.another(others)
		stop()
		stop = w.run()
		others = w.another(others)
	}
	stop()
	if asked.Load() != n {
		t.Errorf("while it rests it was asked %d times", asked.Load()-n)
	}
	hosts, _, err := w.books.CallbackHosts(t.Context(), store.Page{})
	rig.Must(t, err)
	if len(hosts) != 1 || int64(hosts[0].Failures) != n || hosts[0].Outcome != "502" || hosts[0].Waiting != 206 {
		t.Errorf("%+v", hosts)
	}

}

// another is a message to a wallet that is well, and answers how many there were:
// whatever was due before it has been looked at by then.
func (w *world) another(before int) int {
	w.Helper()
	w.change(w.begin(w.wallet.URL, "/w"), fail)
	w.until(before + 2)
	return before + 2
}

// TestForgotten: what was delivered long ago is forgotten, and what waits for a
// host that has been gone for days is given up, untried.
func TestForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Retry = time.Hour
	gone := httptest.NewServer(nil)
	gone.Close()
	w.beginMany(600, func(int) (string, string) { return gone.URL, "/w" })
	id := w.begin(w.wallet.URL, "/w")
	w.change(id, fail)
	stop := w.run()
	w.tried(id, 2)
	rig.Until(t, "the host rests", func() bool {
		due, err := w.books.MessagesDue(t.Context(), time.Now(), nil, 10, 1000)
		rig.Must(t, err)
		return len(due) == 0
	})
	stop()

	w.cfg.Patience, w.cfg.KeepDelivered = time.Nanosecond, time.Nanosecond
	stop = w.run()
	defer stop()
	rig.Until(t, "all is over", func() bool {
		due, _, err := w.books.Messages(t.Context(), store.MessageDue, "", store.Page{})
		rig.Must(t, err)
		return len(due) == 0 && len(w.messages(id)) == 0
	})
	givenUp, _, err := w.books.Messages(t.Context(), store.MessageGivenUp, "", store.Page{})
	rig.Must(t, err)
	if len(givenUp) != 1200 {
		t.Errorf("%d were given up", len(givenUp))
	}
}
