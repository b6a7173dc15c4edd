package horizon

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// streamSilence is how long a stream may say nothing. Horizon sends no
	// heartbeat, but ends every stream after 55 seconds.
	streamSilence = 70 * time.Second
	// streamShort is how long a stream that brought nothing must have lasted to
	// be reopened at once.
	streamShort = 5 * time.Second
	// maxEvent bounds one event, in bytes.
	maxEvent = 8 << 20
)

// Stream calls fn with each of an account's payments after cursor, oldest
// first, and waits for more. The cursor moves past a payment only when fn has
// returned nil for it: what Stream returns is the last id that fn accepted (or
// cursor), together with why it ended, which is never nil: fn's error, ctx's,
// or a fault of Horizon's.
//
// It stays with one Horizon and reopens by itself when that ends the stream in
// good order. After a fault it returns, and the caller decides when to come
// back and to whom.
func (c *Client) Stream(ctx context.Context, account, cursor string, fn func(Payment) error) (string, error) {
	if len(c.servers) == 0 {
		return cursor, unavailable(errors.New("no Horizon is configured"))
	}
	s := c.order()[0]
	if err := c.check(ctx, s); err != nil {
		return cursor, err
	}
	for {
		opened, was := time.Now(), cursor
		err := c.streamOnce(ctx, s, account, &cursor, fn)
		switch {
		case ctx.Err() != nil:
			return cursor, ctx.Err()
		case err != nil:
			return cursor, err
		case cursor == was && time.Since(opened) < streamShort:
			return cursor, unavailable(errors.New("the stream ended at once"))
		}
	}
}

// streamOnce reads one connection until Horizon ends it.
func (c *Client) streamOnce(ctx context.Context, s *server, account string, cursor *string, fn func(Payment) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(c.silence, func() { cancel(errors.New("the stream fell silent")) })
	defer silence.Stop()

	resp, err := c.do(ctx, s, paymentsPath(account, *cursor, PageSize), eventStream)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	events := newEvents(resp.Body, func() { silence.Reset(c.silence) })
	for {
		e, err := events.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && context.Cause(ctx) != nil:
			return unavailable(context.Cause(ctx))
		case err != nil:
			return unavailable(err)
		case e.name == "" || e.name == "message":
			p, err := readPayment(e.data, e.id, account)
			if err != nil {
				return unavailable(err)
			}
			silence.Stop() // fn may take its time
			if err := fn(p); err != nil {
				return err
			}
			*cursor = p.ID
			silence.Reset(c.silence)
		}
	}
}

// event is one message of a server-sent stream.
type event struct {
	name, id string
	data     []byte
}

// events reads server-sent events (HTML standard, section 9.2).
type events struct {
	r     *bufio.Reader
	alive func()
}

func newEvents(r io.Reader, alive func()) *events {
	return &events{bufio.NewReaderSize(r, 64<<10), alive}
}

// next reads up to the next event that has data. What the end of the stream
// cuts off is dropped.
func (e *events) next() (event, error) {
	var ev event
	size := 0
	for {
		line, err := e.line(maxEvent - size)
		if err != nil {
			return event{}, err
		}
		e.alive()
		size += len(line)
		if len(line) == 0 {
			if ev.data != nil {
				return ev, nil
			}
			ev, size = event{}, 0
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "event":
			ev.name = string(value)
		case "id":
			ev.id = string(value)
		case "data":
			if ev.data == nil {
				ev.data = []byte{}
			} else {
				ev.data = append(ev.data, '\n')
			}
			ev.data = append(ev.data, value...)
		}
	}
}

// line reads one line without its end.
func (e *events) line(limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := e.r.ReadSlice('\n')
		if len(line)+len(part) > limit {
			return nil, fmt.Errorf("an event is larger than %d bytes", maxEvent)
		}
		line = append(line, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
}
