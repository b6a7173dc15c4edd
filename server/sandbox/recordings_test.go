package sandbox

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
)

// A recording is one exchange with a real Horizon; see testdata/README.md.
type recording struct {
	No        int
	Folder    string    `json:"-"`
	Name      string    `json:"name"`
	StartedAt time.Time `json:"started_at"`
	ElapsedMS int       `json:"elapsed_ms"`
	Request   struct {
		Method, Path, Body string
		Headers            map[string]string
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    any
		Raw     string
	}
	// Recordings of streams have these instead of a response.
	Status   int
	Headers  map[string]string
	ClosedBy string `json:"closed_by"`
	Chunks   []chunk
}

// A chunk is what a stream sent at one time.
type chunk struct {
	AtMS int `json:"at_ms"`
	Data string
}

func (r *recording) id() string     { return fmt.Sprintf("%03d", r.No) }
func (r *recording) streamed() bool { return r.Status != 0 }

// An archive is all of testdata: the exchanges and the measurements by number,
// and the keys of the scenario's accounts by name.
type archive struct {
	exchanges    map[string]*recording
	measurements map[string]measurement
	keys         map[string]*keypair.Full
}

// streamText is all that a stream sent.
func (r *recording) streamText() string {
	var text strings.Builder
	for _, c := range r.Chunks {
		text.WriteString(c.Data)
	}
	return text.String()
}

// recordings is read once.
var recordings = sync.OnceValues(func() (archive, error) {
	a := archive{make(map[string]*recording), make(map[string]measurement), make(map[string]*keypair.Full)}
	packed, err := os.ReadFile("testdata/recordings.tar.gz")
	if err != nil {
		return a, err
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return a, err
	}
	for files := tar.NewReader(unzipped); ; {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err == nil {
			err = a.add(file.Name, files)
		}
		if err != nil {
			return a, err
		}
	}
})

func (a archive) add(name string, content io.Reader) error {
	text, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(name, "001_"):
		var accounts map[string]struct{ Seed string }
		err = json.Unmarshal(text, &accounts)
		for account, k := range accounts {
			a.keys[account] = keypair.MustParseFull(k.Seed)
		}
	case strings.HasSuffix(name, "_result.json"):
		var m measurement
		err = json.Unmarshal(text, &m)
		a.measurements[path.Base(name)[:3]] = m
	case bytes.Contains(text, []byte(`"started_at"`)):
		var r *recording
		if r, err = readRecording(text); err == nil {
			r.Folder = path.Dir(name)
			a.exchanges[r.id()] = r
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func readRecording(text []byte) (*recording, error) {
	r := &recording{}
	if err := decodeExactly(text, r); err != nil {
		return nil, err
	}
	if r.streamed() {
		r.Response.Status, r.Response.Headers = r.Status, r.Headers
		if strings.Contains(r.Headers["Content-Type"], "json") {
			return r, decodeExactly([]byte(r.Chunks[0].Data), &r.Response.Body)
		}
	}
	return r, nil
}

// decodeExactly keeps numbers as they are written.
func decodeExactly(text []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(to)
}

// exchangesOf lists the exchanges of some folders in the order they were made.
func exchangesOf(t *testing.T, folders ...string) []*recording {
	t.Helper()
	all, err := recordings()
	if err != nil {
		t.Fatal(err)
	}
	var out []*recording
	for _, r := range all.exchanges {
		if slices.Contains(folders, r.Folder) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *recording) int { return a.StartedAt.Compare(b.StartedAt) })
	return out
}

func recorded(t *testing.T, name string) *recording {
	t.Helper()
	all, err := recordings()
	if err != nil || all.exchanges[name] == nil {
		t.Fatalf("recording %s: %v", name, err)
	}
	return all.exchanges[name]
}
