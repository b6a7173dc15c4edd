package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// The log is one file of closed ledgers, each in a frame: a marker, length and
// CRC-32C of the payload, then the payload. The first frame says which network
// it is. A ledger is fsynced before anyone is told of it, so only the last
// frame can be torn, and nobody has heard of a torn one.
//
// A payload holds what replaying cannot know (close time, limits, envelopes in
// the order applied, rates of exchange if they matter) and what proves that the
// replay went the same way (the results and the ledger's hash).

const (
	logName     = "ledgers.log"
	nextLogName = "ledgers.log.new" // one that is to replace it
	logMagic    = "windlass sandbox 1\n"
	frameMarker = "\xf7wsl"
	frameHeader = len(frameMarker) + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type ledgerLog struct {
	file *os.File
	size int64
	torn int64 // bytes cut off when it was opened

	// filling: nobody is told of what is in it until it replaces another one,
	// so not every ledger is made durable by itself.
	filling bool
}

// openLog opens or creates the log, empties it if fresh, and hands each stored
// payload to replay. The file stays locked: a second process is refused.
func openLog(dir, name string, fresh bool, passphrase string, replay func(payload []byte) error) (*ledgerLog, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	l := &ledgerLog{file: file}
	err = l.lock(dir)
	if err == nil {
		err = l.load(dir, fresh, passphrase, replay)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// lock takes the file for this process, as long as it is the one in the folder:
// another process may just have put a new one in its place.
func (l *ledgerLog) lock(dir string) error {
	err := syscall.Flock(int(l.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("%s is in use by another process", dir)
	}
	if err != nil {
		return fmt.Errorf("locking: %w", err)
	}
	mine, err := l.file.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(l.file.Name()); err != nil || !os.SameFile(mine, there) {
		return fmt.Errorf("%s is in use by another process", dir)
	}
	return nil
}

// logHead is the first frame: it says of which network the ledgers are.
func logHead(passphrase string) []byte {
	about := sha256.Sum256([]byte(passphrase))
	return append([]byte(logMagic), about[:]...)
}

func (l *ledgerLog) load(dir string, fresh bool, passphrase string, replay func([]byte) error) error {
	if fresh {
		if err := l.file.Truncate(0); err != nil {
			return fmt.Errorf("starting over: %w", err)
		}
	}
	first := logHead(passphrase)

	frames := 0
	total, err := l.read(func(payload []byte) error {
		frames++
		if frames > 1 {
			return replay(payload)
		}
		if !bytes.HasPrefix(payload, []byte(logMagic)) {
			return errors.New("not a ledger log of this version")
		}
		if !bytes.Equal(payload, first) {
			return errors.New("the ledgers are those of another network passphrase")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if l.torn = total - l.size; l.torn > 0 {
		if err := l.file.Truncate(l.size); err != nil {
			return fmt.Errorf("cutting off a torn end: %w", err)
		}
	}
	if frames > 0 {
		return nil
	}
	if err := l.append(first); err != nil {
		return err
	}
	return syncDir(dir)
}

// read hands over the whole frames, leaves in size where they end, and returns
// how long the file is. What follows them is the torn end of a ledger that was
// being written, unless there are whole frames behind it: that is damage, and
// ledgers that were told would be lost.
func (l *ledgerLog) read(each func([]byte) error) (total int64, err error) {
	info, err := l.file.Stat()
	if err != nil {
		return 0, err
	}
	total = info.Size()
	for {
		payload, err := l.frameAt(l.size, total)
		if err != nil {
			return 0, err
		}
		if payload == nil {
			break
		}
		if err := each(payload); err != nil {
			return 0, err
		}
		l.size += int64(frameHeader + len(payload))
	}
	rest := make([]byte, total-l.size)
	if _, err := l.file.ReadAt(rest, l.size); err != nil && err != io.EOF {
		return 0, err
	}
	for i := 1; i < len(rest); i++ {
		next := bytes.Index(rest[i:], []byte(frameMarker))
		if next < 0 {
			break
		}
		i += next
		if payload, err := l.frameAt(l.size+int64(i), total); payload != nil || err != nil {
			return 0, errors.Join(fmt.Errorf("damaged at byte %d of %s", l.size, l.file.Name()), err)
		}
	}
	return total, nil
}

// frameAt reads the payload of the frame that begins there, nil if no whole
// one does.
func (l *ledgerLog) frameAt(offset, total int64) ([]byte, error) {
	header := make([]byte, frameHeader)
	if offset+int64(frameHeader) > total {
		return nil, nil
	}
	if _, err := l.file.ReadAt(header, offset); err != nil {
		return nil, err
	}
	numbers, marked := bytes.CutPrefix(header, []byte(frameMarker))
	if !marked {
		return nil, nil
	}
	length := int64(binary.BigEndian.Uint32(numbers[:4]))
	if length == 0 || length > total-offset-int64(frameHeader) {
		return nil, nil
	}
	payload := make([]byte, length)
	if _, err := l.file.ReadAt(payload, offset+int64(frameHeader)); err != nil {
		return nil, err
	}
	if crc32.Checksum(payload, castagnoli) != binary.BigEndian.Uint32(numbers[4:]) {
		return nil, nil
	}
	return payload, nil
}

// append stores a payload and returns once it is on the disk. After an error
// the file is as before and append may be tried again.
func (l *ledgerLog) append(payload []byte) error {
	frame := appendFrame(nil, payload)
	_, err := l.file.WriteAt(frame, l.size)
	if err == nil && !l.filling {
		err = l.file.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing a ledger: %w", err), l.file.Truncate(l.size))
	}
	l.size += int64(len(frame))
	return nil
}

func appendFrame(b, payload []byte) []byte {
	b = slices.Grow(b, frameHeader+len(payload))
	b = append(b, frameMarker...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli))
	return append(b, payload...)
}

// replaces puts this log, filled, in the place of the folder's. Whenever the
// process dies, one of the two is there; it is this one for good once the folder
// is synced.
func (l *ledgerLog) replaces(dir string) error {
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.filling = false
	return os.Rename(l.file.Name(), filepath.Join(dir, logName))
}

func (l *ledgerLog) close() error { return l.file.Close() }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// A storedLedger is the payload of one frame.
type storedLedger struct {
	closeTime int64
	maxOps    uint32
	perOp     int64
	hash      [32]byte
	envelopes [][]byte
	results   [][]byte
	rates     []rate
}

func (l *closedLedger) stored() []byte {
	be := binary.BigEndian
	var b []byte
	b = be.AppendUint64(b, uint64(l.closeTime))
	b = be.AppendUint32(b, l.maxOps)
	b = be.AppendUint64(b, uint64(l.perOp))
	b = append(b, l.hash[:]...)
	b = be.AppendUint32(b, uint32(len(l.txs)))
	for _, t := range l.txs {
		b = be.AppendUint32(b, uint32(len(t.raw)))
		b = append(b, t.raw...)
		b = be.AppendUint32(b, uint32(len(t.result)))
		b = append(b, t.result...)
	}
	for _, r := range l.rates {
		b = r.appendTo(b)
	}
	return b
}

func readStored(payload []byte) (storedLedger, error) {
	r := &reader{b: payload}
	l := storedLedger{closeTime: int64(r.uint64()), maxOps: r.uint32(), perOp: int64(r.uint64())}
	copy(l.hash[:], r.bytes(32))
	for n := r.uint32(); n > 0 && r.err == nil; n-- {
		l.envelopes = append(l.envelopes, r.bytes(int(r.uint32())))
		l.results = append(l.results, r.bytes(int(r.uint32())))
	}
	for len(r.b) > 0 && r.err == nil {
		l.rates = append(l.rates, r.rate(uint32(len(l.rates)+1)))
	}
	return l, r.err
}

// A reader takes a payload apart; after the first error it yields zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) bytes(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.err = io.ErrUnexpectedEOF
		return make([]byte, min(max(n, 0), 64))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }
