package payout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

// errNothingNew says that nothing may be signed for now.
var errNothingNew = errors.New("nothing new is signed for now")

// doubt is whether the books may have forgotten what was signed with the
// channels, because they were restored, copied, or are not the only ones. The
// engine starts in doubt, and an ordinary start is out of it with its first look.
type doubt struct {
	tell func(on bool) // those whose acts wait for its end: see store.Doubt
	mu   sync.Mutex
	on   bool
	// since is the ledger of the first look that found a channel ahead, 0 if none
	// has; seen are the answers about such channels that came an envelope's
	// lifetime later.
	since uint32
	seen  map[string]*horizon.Account
}

// rise has all channels looked at before anything new is signed.
func (d *doubt) rise() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on = true
	d.tell(true)
}

func (d *doubt) isOn() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.on
}

func (d *doubt) fall() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.on, d.since, d.seen = false, 0, nil
	d.tell(false)
}

// isAhead reports whether a channel has used sequence numbers which the books do
// not account for. One that they have never used must be as it was made.
func isAhead(sequence, used int64) bool {
	if used == 0 {
		return !untouched(sequence)
	}
	return sequence > used
}

// maySign reports whether anything new may be signed: nobody has paused it, and
// the books know of all that was signed before. Channels that do not exist are
// made on the way.
func (e *Engine) maySign(ctx context.Context, d *dispatcher, workers *sync.WaitGroup) (bool, error) {
	now, err := e.pauses(ctx)
	if err != nil {
		return false, err
	}
	paused := now != (pauses{})
	if now.restored {
		e.doubt.rise()
	}
	if e.doubt.isOn() {
		missing, err := e.complete(ctx, now)
		if err != nil || e.doubt.isOn() {
			return false, err
		}
		missing = slices.DeleteFunc(missing, func(id string) bool { return d.busy[id] })
		for some := range slices.Chunk(missing, channelsAtOnce) {
			if !paused {
				e.start(ctx, d, workers, some, nil, func() time.Duration { return e.keepMaking(ctx, some) })
			}
		}
	}
	return !paused, nil
}

// stillMaySign is maySign's answer again at the moment when an envelope is
// written down.
func (e *Engine) stillMaySign(tx *store.Tx) error {
	paused, err := tx.Paused()
	if err == nil && (paused || e.doubt.isOn()) {
		err = errNothingNew
	}
	return err
}

// pauses are the kinds of pauses that there are.
type pauses struct {
	restored bool // the ledger ends it
	atBank   bool // the bank ends it, once restored has ended
	others   bool
}

// pauses reads the pauses, and shows them as alarms.
func (e *Engine) pauses(ctx context.Context) (now pauses, err error) {
	all, err := e.store.Pauses(ctx)
	if err != nil {
		return now, err
	}
	on := map[string]bool{}
	for _, p := range all {
		on[pausedAlarm+p.Key] = true
		e.raise(ctx, pausedAlarm+p.Key, "payouts are paused: "+p.Reason)
		switch p.Key {
		case anchor.PausedRestored:
			now.restored = true
		case anchor.PausedRestoredBank, anchor.PausedUnknownOrders:
			now.atBank = true
		default:
			now.others = true
		}
	}
	e.lowerOthers(ctx, pausedAlarm, on)
	return now, nil
}

const pausedAlarm = "paused "

// complete looks whether the books know of everything that was signed with the
// channels, and ends the doubt if they do. Nothing new is signed before: old
// books would have it paid again, and by any channel. missing are the channels
// that do not exist, which cannot have signed.
//
// Of restored books every channel is doubtful: an envelope may be on its way that
// nobody has seen yet.
func (e *Engine) complete(ctx context.Context, now pauses) (missing []string, err error) {
	accounts, errs := make([]*horizon.Account, len(e.Channels)), make([]error, len(e.Channels))
	ahead, live := make([]bool, len(e.Channels)), make([]bool, len(e.Channels))
	e.each(len(e.Channels), func(i int) {
		a, err := e.ledger.Account(ctx, e.Channels[i].Address())
		if err != nil {
			if anchor.KindOf(err) != anchor.NotFound {
				errs[i] = err
			}
			return
		}
		accounts[i] = a
		// A live envelope accounts for its sequence number once it is found in the
		// ledger: one that these books have forgotten may have used it up.
		proven, err := e.store.ProvenSequence(ctx, a.ID)
		if ahead[i], errs[i] = isAhead(a.Sequence, proven), err; !ahead[i] || err != nil {
			return
		}
		used, err := e.store.ChannelSequence(ctx, a.ID)
		live[i], errs[i] = !isAhead(a.Sequence, used), err
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var doubtful []*horizon.Account
	settling := map[string]bool{}
	for i, k := range e.Channels {
		switch {
		case accounts[i] == nil:
			missing = append(missing, k.Address())
		case ahead[i] || now.restored:
			doubtful = append(doubtful, accounts[i])
		}
		if ahead[i] {
			settling[k.Address()] = live[i]
		} else {
			e.lower(ctx, "ahead "+k.Address())
		}
	}
	if len(doubtful) == 0 && !now.restored {
		e.doubt.fall()
		return missing, nil
	}
	return nil, e.accept(ctx, doubtful, settling, now)
}

// behind is how many ledgers another Horizon, by whose answer an envelope was
// signed, may have been ahead of the one that is asked now.
const behind = 5

// accept ends the doubt about channels that are ahead once it is certain that
// the books have read whatever was paid with them: an envelope's lifetime has
// passed since they were found, so that nothing can be on its way; the ledger
// was read up to a later answer about them; they have not moved since that; and
// nothing that was read is unexplained, since that would be a pause. settling are
// those that are ahead: with true, if their live envelope may be the explanation,
// as mostly is known at once.
func (e *Engine) accept(ctx context.Context, doubtful []*horizon.Account, settling map[string]bool, now pauses) error {
	d := &e.doubt
	if d.since == 0 {
		head, err := e.ledger.LatestLedger(ctx)
		if err != nil {
			return err
		}
		d.since, d.seen = head.Sequence, map[string]*horizon.Account{}
		for _, a := range doubtful {
			d.since = max(d.since, a.LatestLedger)
		}
	}
	until := d.since + e.Lifetime + behind
	read, err := e.readUpTo(ctx)
	if err != nil {
		return err
	}
	certain := !now.others && read >= until
	for _, a := range doubtful {
		if maybe, ahead := settling[a.ID]; ahead && (!maybe || a.LatestLedger >= until) {
			e.raise(ctx, "ahead "+a.ID, fmt.Sprintf("payouts wait: the channel account %s is at sequence number %d, which no envelope of these books is known to have used: are they old books, restored or copied, or does another program use this channel? They go on by themselves once ledger %d has been read and nothing that left our accounts is unexplained", a.ID, a.Sequence, until))
		}
		s := d.seen[a.ID]
		if (s == nil || s.Sequence != a.Sequence) && a.LatestLedger >= until {
			d.seen[a.ID], s = a, a
		}
		certain = certain && s != nil && s.Sequence == a.Sequence && read >= s.LatestLedger
	}
	if !certain {
		return nil
	}
	return e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		if others, err := tx.PausedBesides(anchor.PausedRestored, anchor.PausedRestoredBank, anchor.PausedUnknownOrders); err != nil || others {
			return err
		}
		for _, a := range doubtful {
			if _, ahead := settling[a.ID]; !ahead {
				continue
			}
			if err := tx.AcceptChannel(a.ID, a.Sequence, time.Now()); err != nil {
				return err
			}
		}
		if now.restored {
			return tx.Resume(anchor.PausedRestored)
		}
		return nil
	})
}

// readUpTo is the ledger up to which the books have read all of our accounts, 0
// if they do not say so of one.
func (e *Engine) readUpTo(ctx context.Context) (uint32, error) {
	var least uint32
	for i, name := range e.Cursors {
		c, _, err := e.store.Cursor(ctx, name)
		if err != nil {
			return 0, err
		}
		if i == 0 || c.Ledger < least {
			least = c.Ledger
		}
	}
	return least, nil
}
