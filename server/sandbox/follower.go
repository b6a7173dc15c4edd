package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
)

// A follower is a Horizon that lags: a network of its own in memory, which gets
// each ledger so many ledgers late.
type follower struct {
	*Network
	leader  *Network
	routes  *http.ServeMux
	latest  atomic.Uint32 // of the leader
	behind  int
	waiting []*preparedLedger // closed, but not shown yet; the leader's closing guards it
}

// follow makes a follower that stands still at the last ledger until it is so
// many behind.
func (n *Network) follow(behind int) (*follower, error) {
	f := &follower{leader: n, behind: behind}
	if err := f.copy(); err != nil {
		return nil, fmt.Errorf("copying the ledger: %w", err)
	}
	f.routes = (&api{f.Network, f.latest.Load}).routes()
	return f, nil
}

// copy replays the leader's ledgers. Only for the last of them must it not
// close another one; meanwhile they must remain the same.
func (f *follower) copy() error {
	cfg := f.leader.cfg
	cfg.Dir, cfg.CloseEvery = "", -1
	var err error
	if f.Network, err = blank(cfg); err != nil {
		return err
	}
	f.leader.replacing.Lock()
	defer f.leader.replacing.Unlock()
	f.leader.mu.RLock()
	ledgers := f.leader.history.ledgers
	f.leader.mu.RUnlock()
	if err := f.replayAll(ledgers); err != nil {
		return err
	}
	f.leader.closing.Lock()
	defer f.leader.closing.Unlock()
	if err := f.replayAll(f.leader.history.ledgers); err != nil {
		return err
	}
	f.latest.Store(f.leader.history.last().seq)
	f.leader.followers = append(f.leader.followers, f)
	return nil
}

// again begins anew with the leader's ledgers, which are others now. The caller
// holds the leader's closing.
func (f *follower) again() error {
	next, err := blank(f.cfg)
	if err != nil {
		return err
	}
	if err := next.replayAll(f.leader.history.ledgers); err != nil {
		return err
	}
	f.takeOver(next)
	f.waiting = nil
	f.latest.Store(f.history.last().seq)
	return nil
}

func (n *Network) replayAll(ledgers []*closedLedger) error {
	for _, l := range ledgers[n.history.last().seq:] {
		if err := n.replay(l.stored()); err != nil {
			return err
		}
	}
	return nil
}

// feed hands a closed ledger to the followers. The caller holds closing, and
// not mu: a follower's readers look at the leader.
func (n *Network) feed(p *preparedLedger) {
	for _, f := range n.followers {
		f.latest.Store(p.ledger.seq)
		f.waiting = append(f.waiting, p)
		for len(f.waiting) > f.behind {
			f.commit(f.waiting[0])
			f.waiting = slices.Delete(f.waiting, 0, 1)
		}
	}
}

// stop ends the follower's streams: whoever comes back is at the leader.
func (f *follower) stop() {
	f.leader.closing.Lock()
	f.leader.followers = slices.DeleteFunc(f.leader.followers, func(o *follower) bool { return o == f })
	f.leader.closing.Unlock()
	_ = f.Close() // it has no file that could fail
}
