package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"windlass/server/rig"
	"windlass/server/session"
)

// TestPatience: nobody holds a connection for longer than what they do with it takes:
// who sends a request drop by drop, who asks for nothing more, who does not read what
// is streamed, and who does. It is the listener as it is, on synctest's clock.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAsking(t)
		var network inProcess
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		ln := serveOn(network.listen(hostPublic), "public", a.public, slog.New(slog.DiscardHandler))
		go func() { done <- ln.Run(ctx) }()
		defer func() { stop(); rig.Must(t, <-done) }()
		say := func(text string) net.Conn {
			t.Helper()
			conn, err := network.dial(t.Context(), "", hostPublic)
			rig.Must(t, err)
			t.Cleanup(func() { _ = conn.Close() }) // the server closes it, too
			_, err = io.WriteString(conn, text)
			rig.Must(t, err)
			return conn
		}
		// until is after how long the other side closes, and what it said until then.
		until := func(conn net.Conn, begin time.Time) (time.Duration, string) {
			t.Helper()
			text, err := io.ReadAll(conn)
			if err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Error(err)
			}
			return time.Since(begin), string(text)
		}

		begin := time.Now()
		if after, text := until(say("GET /transaction/x HTTP/1.1\r\nHost: x\r\nX: "), begin); after != 5*time.Second || strings.Contains(text, "200") {
			t.Errorf("headers without an end are cut off after %s: %s", after, text)
		}

		idle := say("GET /assets/x HTTP/1.1\r\nHost: x\r\n\r\n")
		begin = time.Now()
		if after, text := until(idle, begin); after != 2*time.Minute || !strings.HasPrefix(text, "HTTP/1.1 404") {
			t.Errorf("who asks for nothing more is cut off after %s: %s", after, text)
		}

		query := `{"query":"subscription { transaction(id: \"` + a.deposit.ID + `\") { status } }"}`
		follow := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n%s: %s\r\nAuthorization: Capability %s\r\nContent-Length: %d\r\n\r\n%s",
			session.TransactionHeader, a.deposit.ID, a.keys.Capability(a.deposit.ID), len(query), query)
		for range maxStreamsOfOne {
			say(follow) // and reads nothing
		}
		synctest.Wait()
		begin = time.Now()
		if status, _, _ := ended(t, say(follow), begin); status != http.StatusTooManyRequests {
			t.Errorf("%d beside %d", status, maxStreamsOfOne)
		}
		<-time.After(31 * time.Second)
		begin = time.Now()
		r, err := http.ReadResponse(bufio.NewReader(say(follow)), nil)
		rig.Must(t, err)
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Fatalf("%d, though nobody reads the others", r.StatusCode)
		}
		body, err := io.ReadAll(r.Body)
		rig.Must(t, err)
		text := string(body)
		if after := time.Since(begin); after != 15*time.Minute || strings.Count(text, ": ping") < 50 || strings.Count(text, "data:") != 1 {
			t.Errorf("a stream ends after %s: %s", after, text)
		}
	})
}
