package incoming

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// retryMost is the longest wait between two tries.
const retryMost = 30 * time.Second

// lagging is how many ledgers a Horizon may be behind the books without an
// alarm: some minutes of them.
const lagging = 60

// follower follows one account.
type follower struct {
	*Incoming
	account string
}

// alarm is a fault that does not pass by itself.
type alarm struct{ text string }

func (a alarm) Error() string { return a.text }

// run tries one Horizon after the other for as long as ctx lasts. Nothing that
// happens here ends it: a stream that stopped silently is money that is lost.
func (f *follower) run(ctx context.Context) {
	pause := f.RetryAfter
	for i := 0; ctx.Err() == nil; i++ {
		if len(f.hosts) == 0 {
			<-ctx.Done()
			return
		}
		host := f.hosts[i%len(f.hosts)]
		worked, err := f.follow(ctx, host)
		if ctx.Err() != nil {
			return
		}
		if worked {
			pause = f.RetryAfter
		}
		if a, ok := errors.AsType[alarm](err); ok {
			f.logger.ErrorContext(ctx, "the ledger is not followed", "account", f.account, "horizon", host.URL(), "alarm", a.text)
			f.report(f.account, func(s *Status) { s.Horizon, s.Alarm, s.Fault = "", a.text, a.text })
		} else {
			f.logger.WarnContext(ctx, "following the ledger was interrupted", "account", f.account, "horizon", host.URL(), "error", err)
			f.report(f.account, func(s *Status) { s.Horizon, s.Fault = "", err.Error() })
		}
		// The next Horizon is tried at once; only a whole round of faults waits.
		if (i+1)%len(f.hosts) == 0 || worked {
			if !wait(ctx, pause) {
				return
			}
			pause = min(2*pause, retryMost)
		}
	}
}

// follow reads from one Horizon until something goes wrong. worked says that
// it had caught up.
//
// The stream is for speed, the pages are for certainty: every CheckEvery the
// page behind the cursor is read besides, which notices a stream that has died
// without a word and moves ReadUntil when nothing is paid.
func (f *follower) follow(ctx context.Context, host *horizon.Client) (worked bool, err error) {
	cursor, err := f.catchUp(ctx, host)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	arrived, done, ended := make(chan horizon.Payment), make(chan error), make(chan error, 1)
	go func() {
		_, err := host.Stream(ctx, f.account, cursor, func(p horizon.Payment) error {
			select {
			case arrived <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case err := <-done:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		ended <- err
	}()
	streaming := true
	defer func() {
		cancel()
		if streaming {
			<-ended //nolint:errcheck // it has no more to say than ctx
		}
	}()

	tick := time.NewTicker(f.CheckEvery)
	defer tick.Stop()
	for {
		select {
		case p := <-arrived:
			err := f.apply(ctx, []horizon.Payment{p})
			select {
			case done <- err:
			case <-ctx.Done():
			}
			if err != nil {
				return true, err
			}
		case <-tick.C:
			if _, err := f.catchUp(ctx, host); err != nil {
				return true, err
			}
		case err := <-ended:
			streaming = false
			return true, err
		}
	}
}

// catchUp reads pages until one is not full, and returns the cursor. All that
// had happened up to the head of the ledger, as it was before the last page was
// asked for, has then been read.
func (f *follower) catchUp(ctx context.Context, host *horizon.Client) (string, error) {
	if err := f.beginFees(ctx); err != nil {
		return "", err
	}
	for {
		c, known, err := f.store.Cursor(ctx, CursorName(f.account))
		if err != nil {
			return "", err
		}
		head, err := host.LatestLedger(ctx)
		if err != nil {
			return "", err
		}
		page, err := host.Payments(ctx, f.account, c.Value, horizon.PageSize)
		if err != nil {
			return "", err
		}
		// After the page was read: what a Horizon forgets meanwhile was in it.
		if err := f.verify(ctx, host, c, known); err != nil {
			return "", err
		}
		if len(page) > 0 {
			if err := f.apply(ctx, page); err != nil {
				return "", err
			}
		}
		if len(page) == horizon.PageSize {
			if next, _, err := f.store.Cursor(ctx, CursorName(f.account)); err != nil || next.Value == c.Value {
				return "", cmp.Or(err, errRepeats)
			}
			continue
		}
		// Fees that cannot be read must not make anybody wait.
		fault := ""
		if err := f.readFees(ctx, host, head); err != nil {
			if ctx.Err() != nil {
				return "", err
			}
			f.logger.ErrorContext(ctx, "the account's transactions could not be read for their fees", "account", f.account, "horizon", host.URL(), "error", err)
			fault = err.Error()
		}
		if c, err = f.mark(ctx, head); err != nil {
			return "", err
		}
		f.report(f.account, func(s *Status) { s.Horizon, s.Cursor, s.Alarm, s.Fault = host.URL(), c, "", fault })
		return c.Value, nil
	}
}

// verify makes sure that a Horizon serves the ledger that the cursor belongs
// to, and that nothing between the cursor and now is missing from it.
func (f *follower) verify(ctx context.Context, host *horizon.Client, c anchor.Cursor, known bool) error {
	if !known {
		return nil
	}
	if c.Ledger != 0 {
		l, err := host.Ledger(ctx, c.Ledger)
		if err == nil && l.Hash != c.LedgerHash {
			return alarm{fmt.Sprintf("ledger %d has the hash %s here, but the books have read it as %s: another network, or one that was reset", c.Ledger, l.Hash, c.LedgerHash)}
		}
		if err == nil || anchor.KindOf(err) != anchor.NotFound {
			return err
		}
	}
	root, err := host.Root(ctx)
	if err != nil {
		return err
	}
	read := c.Ledger
	if n, err := strconv.ParseInt(c.Value, 10, 64); err == nil && uint32(n>>32) > read {
		read = uint32(n >> 32)
	}
	switch {
	case read > root.Latest && read-root.Latest < lagging:
		return fmt.Errorf("the books have read up to ledger %d, but this Horizon knows none after %d: it lags", read, root.Latest)
	case read > root.Latest:
		return alarm{fmt.Sprintf("the books have read up to ledger %d, but this Horizon knows none after %d: it lags, or its network was reset", read, root.Latest)}
	case root.Elder > read+1:
		return alarm{fmt.Sprintf("the books have read up to ledger %d, but this Horizon has forgotten all before %d: payments in between would be skipped", read, root.Elder)}
	case c.Ledger != 0:
		return alarm{fmt.Sprintf("this Horizon does not have ledger %d, so that nobody can tell whether it is the same network", c.Ledger)}
	}
	return nil
}

// mark writes down that everything up to head was read.
func (f *follower) mark(ctx context.Context, head horizon.Ledger) (c anchor.Cursor, err error) {
	err = f.store.Update(ctx, store.Ledger, func(tx *store.Tx) error {
		if c, _, err = tx.Cursor(CursorName(f.account)); err != nil {
			return err
		}
		if c.Value == "" {
			c.Value = "0"
		}
		if head.Sequence < c.Ledger {
			return nil
		}
		c.Ledger, c.LedgerHash = head.Sequence, head.Hash
		if head.ClosedAt.After(c.ReadUntil) {
			c.ReadUntil = head.ClosedAt
		}
		return tx.SetCursor(CursorName(f.account), c)
	})
	return c, err
}
