package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// A piped is a network in a synctest bubble, served over pipes: unlike sockets
// they hold nothing, so that what a client does not read blocks at once. Its
// server has no deadlines of its own.
type piped struct {
	*testing.T
	net    *Network
	dialed chan net.Conn
	server http.Server
	active atomic.Int64 // requests being answered
	client http.Client
}

func newPiped(t *testing.T, cfg Config) *piped {
	cfg.CloseEvery, cfg.MaxOps = -1, 10 // ten channels are enough
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &piped{T: t, net: n, dialed: make(chan net.Conn)}
	h := n.Handler()
	p.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.active.Add(1)
		defer p.active.Add(-1)
		h.ServeHTTP(w, r)
	})
	p.client.Transport = &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return p.dial(), nil },
		DisableKeepAlives: true, DisableCompression: true,
	}
	served := make(chan error)
	go func() { served <- p.server.Serve(p) }()
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := p.server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return p
}

func (p *piped) Accept() (net.Conn, error) {
	if c, open := <-p.dialed; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p *piped) Close() error {
	close(p.dialed)
	return nil
}

func (p *piped) Addr() net.Addr { return new(net.TCPAddr) }

func (p *piped) dial() net.Conn {
	here, there := net.Pipe()
	p.dialed <- there
	return here
}

func (p *piped) send(c net.Conn, request string) {
	if _, err := io.WriteString(c, request); err != nil {
		p.Error(err)
	}
}

func (p *piped) get(path string, headers ...string) reply {
	r := must(http.NewRequestWithContext(p.Context(), "GET", "http://pipe"+path, nil))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := p.client.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	return replyOf(resp)
}

// ledger closes one with that many payments of the channels, which all
// concern the root account.
func (p *piped) ledger(payments int) {
	p.Helper()
	root := must(rootKey(p.net.cfg.Passphrase))
	for i := range payments {
		c := p.net.bot.channels[i]
		sequence := p.net.state.account(idOf(xdr.MustAddress(c.Address()))).sequence + 1
		text := must(must(must(txnbuild.NewTransaction(params(c, sequence, ops(pay(root, "0.0000001", lumen))))).Sign(p.net.cfg.Passphrase, c)).Base64())
		if st, result := p.net.enqueue(must(decodeBase64(text, p.net.cfg.Passphrase))); st != statusPending {
			p.Fatal(st, codesOf(result))
		}
	}
	p.net.CloseLedger()
}

// idle fails unless all requests end within the time, without anybody's help.
func (p *piped) idle(within time.Duration) {
	p.Helper()
	start := time.Now()
	for p.active.Load() > 0 && time.Since(start) < 10*time.Minute {
		<-time.After(time.Second)
	}
	if d := time.Since(start); d > within+time.Second {
		p.Errorf("it took %s until nobody was served any more", d)
	}
}

// A client that does not read, or does not send what it announced, holds up
// nobody and is given up in time.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"a stream not read":       "GET /ledgers?cursor=0 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
		"a page not read":         "GET /payments?limit=200&join=transactions HTTP/1.1\r\nHost: x\r\n\r\n",
		"a refusal not read":      "GET /ledgers?limit=0 HTTP/1.1\r\nHost: x\r\n\r\n",
		"a compressed page":       "GET /payments?limit=200 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n",
		"a form that never comes": "POST /transactions HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\ntx=",
		"a body nobody wants":     "GET /ledgers?cursor=now HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: 500\r\n\r\n",
		"a form for a list":       "GET /payments HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPiped(t, Config{})
				p.ledger(10)
				p.send(p.dial(), request)
				synctest.Wait()
				before := p.net.history.last().seq
				p.ledger(1) // nothing is locked
				if after := p.net.history.last().seq; after != before+1 {
					t.Errorf("ledger %d came after %d", after, before)
				}
				p.idle(2 * submitTimeout)
			})
		})
	}
}

// One that reads slowly but steadily gets all of a stream.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPiped(t, Config{})
		p.ledger(3)
		c := p.dial()
		p.send(c, "GET /payments?cursor=0&limit=3 HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n")
		var text strings.Builder
		for buffer := make([]byte, 500); ; <-time.After(time.Second) {
			n, err := c.Read(buffer)
			text.Write(buffer[:n])
			if err != nil {
				break
			}
		}
		if got := text.String(); strings.Count(got, "\nid: ") != 3 || !strings.HasSuffix(got, streamByebye) {
			t.Errorf("it read %q", got)
		}
	})
}

// A thousand streams cost some memory, and one look each when there has been a
// ledger. When the clients leave, nothing of them stays. The test runs alone,
// since it measures memory.
func TestManyIdleStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams = 1000
		p := newPiped(t, Config{})
		memory := func() int64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc + m.StackInuse)
		}
		before := memory()
		path := "/accounts/" + must(rootKey(p.net.cfg.Passphrase)).Address() + "/payments?cursor=now"
		var clients []net.Conn
		var got atomic.Int64
		var readers sync.WaitGroup
		for range streams {
			c := p.dial()
			clients = append(clients, c)
			readers.Go(func() {
				p.send(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
				for lines := bufio.NewReaderSize(c, 512); ; {
					line, _, err := lines.ReadLine()
					if err != nil {
						return
					}
					if strings.HasPrefix(string(line), "id: ") {
						got.Add(1)
					}
				}
			})
		}
		<-time.After(21 * time.Second) // four looks without a ledger
		synctest.Wait()
		if each := (memory() - before) / streams; each > 64<<10 {
			t.Errorf("%d bytes for each stream and its client", each)
		}
		p.ledger(2)
		<-time.After(5 * time.Second)
		synctest.Wait()
		if n := got.Load(); n != 2*streams {
			t.Errorf("%d events came, not two on each stream", n)
		}
		for _, c := range clients {
			_ = c.Close()
		}
		readers.Wait()
		synctest.Wait()
		if n := p.active.Load(); n != 0 {
			t.Errorf("%d streams are still served", n)
		}
	})
}

// A stream asks for news once when it begins, then only after a ledger.
func TestStreamLooksOncePerLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPiped(t, Config{})
		var looks []position
		e := endpoint{api: &api{Network: p.net}, list: func(r *request) ([]record, error) {
			looks = append(looks, r.page.cursor)
			return nil, nil
		}}
		go func() {
			<-time.After(12 * time.Second)
			p.ledger(0)
			p.ledger(0)
			<-time.After(30 * time.Second)
			p.ledger(0)
		}()
		p.server.Handler = e
		p.get("/x?cursor=7", "Accept", asStream)
		// What has been looked at is not looked at again.
		if want := []position{7, endOf(2), endOf(4)}; !slices.Equal(looks, want) {
			t.Errorf("it looked after %d, want %d", looks, want)
		}
	})
}

// An object that is gone ends its stream without a farewell.
func TestStreamOfWhatVanishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPiped(t, Config{})
		left := 2
		e := endpoint{api: &api{Network: p.net}, live: true, read: func(*request) (any, error) {
			if left--; left < 0 {
				return nil, errNotFound
			}
			return left, nil
		}}
		p.server.Handler = e
		go func() {
			for range 2 {
				<-time.After(6 * time.Second)
				p.ledger(0)
			}
		}()
		got := p.get("/x", "Accept", asStream).text
		want := streamHello + "data: 1\n\ndata: 0\n\nevent: error\ndata: problem: not_found. full details: " + errNotFound.Detail + "\n\n"
		if got != want {
			t.Errorf("streamed %q, want %q", got, want)
		}
	})
}

// Whenever ledgers close, and however full they are, a client that comes back
// with the last id sees everything once and in order.
func TestStreamsMissNothing(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"/payments", "/effects", "/transactions", "/ledgers", "/accounts/%s/operations"} {
		for _, limit := range []int{1, 7, 200} {
			t.Run(fmt.Sprint(list, limit), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					p := newPiped(t, Config{StreamEvery: time.Second})
					path := list
					if strings.Contains(list, "%s") {
						path = fmt.Sprintf(list, must(rootKey(p.net.cfg.Passphrase)).Address())
					}
					stop := make(chan struct{})
					go func() {
						random := rand.New(rand.NewPCG(uint64(limit), uint64(len(list))))
						for range 8 {
							// Often at the very moment of a look.
							<-time.After(time.Duration(random.IntN(8)) * 500 * time.Millisecond)
							p.ledger(random.IntN(11))
						}
						close(stop)
					}()
					seen := p.follow(path+"?limit="+fmt.Sprint(limit)+"&cursor=0", stop)
					var want []string
					for next := path + "?limit=200"; ; {
						r := p.get(next)
						records := as[array](r.at("_embedded", "records"))
						for _, record := range records {
							want = append(want, as[string](as[object](record)["paging_token"]))
						}
						if len(records) < 200 {
							break
						}
						next = must(url.Parse(as[string](r.at("_links", "next", "href")))).RequestURI()
					}
					if !slices.Equal(seen, want) {
						t.Errorf("streamed %v\nlisted   %v", seen, want)
					}
				})
			})
		}
	}
}

// follow reads a stream as an EventSource does, again and again, until there
// was nothing new on a whole one that began after stop.
func (p *piped) follow(path string, stop chan struct{}) (ids []string) {
	for {
		ended := false
		select {
		case <-stop:
			ended = true
		default:
		}
		var last []string
		if n := len(ids); n > 0 {
			last = []string{"Last-Event-ID", ids[n-1]}
		}
		text := p.get(path, append(last, "Accept", asStream)...).text
		if !strings.HasPrefix(text, streamHello) || !strings.HasSuffix(text, streamByebye) {
			p.Errorf("streamed %q", text)
		}
		fresh := 0
		for line := range strings.Lines(text) {
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				ids = append(ids, strings.TrimSpace(id))
				fresh++
			}
		}
		if ended && fresh == 0 {
			return ids
		}
	}
}
