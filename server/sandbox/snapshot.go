package sandbox

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A snapshot is the ledgers in the frames of the log, behind a first frame that
// says how many they are and what the last one's hash is: replaying them gives
// the state and the history again. A copy of the log can be loaded too.

const snapshotMagic = "windlass sandbox snapshot 1\n"

// Save writes everything the network holds up to its last ledger, while it goes
// on. What is pending is not part of it.
func (n *Network) Save(w io.Writer) error {
	n.mu.RLock()
	ledgers := n.history.ledgers
	n.mu.RUnlock()
	out := bufio.NewWriter(w)
	_, err := out.Write(appendFrame(nil, snapshotHead(n.cfg.Passphrase, ledgers[len(ledgers)-1])))
	for _, l := range ledgers[1:] { // the first follows from the passphrase
		if err != nil {
			break
		}
		_, err = out.Write(appendFrame(nil, l.stored()))
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("saving the sandbox network: %w", err)
	}
	return nil
}

func snapshotHead(passphrase string, last *closedLedger) []byte {
	about := sha256.Sum256([]byte(passphrase))
	b := append([]byte(snapshotMagic), about[:]...)
	b = binary.BigEndian.AppendUint32(b, last.seq)
	return append(b, last.hash[:]...)
}

// Load replaces all ledgers by those of a snapshot of a network with the same
// passphrase. Streams end, and submissions that wait time out at once. After an
// error, and if the process dies, the network is as before.
func (n *Network) Load(r io.Reader) error {
	err := n.replace(func(next *Network) error { return next.read(bufio.NewReader(r)) })
	if err != nil {
		return fmt.Errorf("loading a sandbox snapshot: %w", err)
	}
	return nil
}

// Reset begins at the first ledger again, as the public test network does a few
// times a year: a new network with the same passphrase, whose accounts are gone.
// Streams and waiting submissions end as with Load.
func (n *Network) Reset() error {
	if err := n.replace(func(*Network) error { return nil }); err != nil {
		return fmt.Errorf("resetting the sandbox network: %w", err)
	}
	return nil
}

// replace fills another network beside this one, then takes over its ledgers.
func (n *Network) replace(fill func(next *Network) error) (err error) {
	n.replacing.Lock()
	defer n.replacing.Unlock()
	next, err := blank(n.cfg)
	if err != nil {
		return err
	}
	next.ahead = int64(n.ClockAhead() / time.Second)
	if n.cfg.Dir != "" {
		if next.log, err = openLog(n.cfg.Dir, nextLogName, true, n.cfg.Passphrase, next.replay); err != nil {
			return err
		}
		next.log.filling = true
		defer func() {
			if err != nil && n.log != next.log {
				err = errors.Join(err, next.closeLog(), removeIfThere(filepath.Join(n.cfg.Dir, nextLogName)))
			}
		}()
	}
	if err := fill(next); err != nil {
		return err
	}
	if err := next.found(); err != nil {
		return err
	}
	return n.become(next)
}

// read replays a snapshot into a network that is blank.
func (n *Network) read(r io.Reader) error {
	head, err := readFrame(r)
	if err != nil {
		return fmt.Errorf("its beginning: %w", err)
	}
	about, whole := bytes.CutPrefix(head, []byte(snapshotMagic))
	if !whole {
		about = bytes.TrimPrefix(head, []byte(logMagic))
	}
	switch network := sha256.Sum256([]byte(n.cfg.Passphrase)); {
	case len(about) == len(head):
		return errors.New("not a snapshot of this version")
	case !bytes.HasPrefix(about, network[:]):
		return errors.New("the ledgers are those of another network passphrase")
	}
	for {
		payload, err := readFrame(r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = n.replay(payload)
		}
		if err == nil && n.log != nil {
			err = n.log.append(payload)
		}
		if err != nil {
			return fmt.Errorf("ledger %d: %w", n.history.last().seq+1, err)
		}
	}
	if last := n.history.last(); whole && !bytes.Equal(head, snapshotHead(n.cfg.Passphrase, last)) {
		return fmt.Errorf("cut off behind ledger %d", last.seq)
	}
	return nil
}

// readFrame reads the next payload; the error is io.EOF if there is no frame,
// and says so if there is only a part of one.
func readFrame(r io.Reader) ([]byte, error) {
	header := make([]byte, frameHeader)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	numbers, marked := bytes.CutPrefix(header, []byte(frameMarker))
	if !marked {
		return nil, errors.New("damaged: no frame begins where one should")
	}
	var payload bytes.Buffer // grows with what comes, whatever the header says
	if _, err := io.CopyN(&payload, r, int64(binary.BigEndian.Uint32(numbers[:4]))); err != nil {
		return nil, fmt.Errorf("cut off: %w", io.ErrUnexpectedEOF)
	}
	if crc32.Checksum(payload.Bytes(), castagnoli) != binary.BigEndian.Uint32(numbers[4:]) {
		return nil, errors.New("damaged: its checksum is wrong")
	}
	return payload.Bytes(), nil
}

// become takes over another network's ledgers, first on the disk.
func (n *Network) become(next *Network) error {
	n.closing.Lock()
	defer n.closing.Unlock()
	select {
	case <-n.stopping:
		return errors.New("the network is closed")
	default:
	}
	if next.log != nil {
		if err := next.log.replaces(n.cfg.Dir); err != nil {
			return err
		}
		if err := n.log.close(); err != nil {
			n.cfg.Logger.Warn("sandbox: closing the ledgers that were replaced", "error", err)
		}
		n.log = next.log
	}
	n.takeOver(next)
	n.keepAhead(jumped)
	var err error
	if n.log != nil {
		err = syncDir(n.cfg.Dir)
	}
	for _, f := range n.followers {
		err = errors.Join(err, f.again())
	}
	return err
}

// takeOver makes another network's ledgers the ones that everybody sees.
func (n *Network) takeOver(next *Network) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queueMu.Lock()
	defer n.queueMu.Unlock()
	next.queue.surge = n.queue.surge // the weather stays, whatever the ledgers
	n.state, n.history, n.queue = next.state, next.history, next.queue
	for _, all := range n.waiting {
		for _, w := range all {
			close(w)
		}
	}
	clear(n.waiting)
	close(n.news)
	n.news = make(chan struct{})
	close(n.replaced)
	n.replaced = make(chan struct{})
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
