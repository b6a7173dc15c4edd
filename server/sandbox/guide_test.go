package sandbox

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestGuide sends everything that docs/sandbox.md tells people to send to the
// control API, and finds each kind of fault there.
func TestGuide(t *testing.T) {
	t.Parallel()
	guide := string(must(os.ReadFile("../../docs/sandbox.md")))
	w := newWorld(t)
	weather, _ := w.storm(1)
	c := w.control(weather, t.TempDir())
	command := regexp.MustCompile(`(?m)^    curl (?:-X (\w+) )?(?:--json '(.*?)' )?localhost:8003(/\S*)?(?: +#.*)?$`)
	sent := command.FindAllStringSubmatch(guide, -1)
	if all := regexp.MustCompile(`(?m)^    curl .*localhost:8003`).FindAllString(guide, -1); len(sent) != len(all) {
		t.Errorf("of %d commands %d are understood", len(all), len(sent))
	}
	for _, m := range sent {
		method, body, path := m[1], m[2], m[3]
		if method == "" {
			method = "GET"
			if strings.Contains(m[0], "--json") {
				method = "POST"
			}
		}
		if path == "" {
			path = "/"
		}
		want := 2
		if strings.Contains(body, "rain") {
			want = 4
		}
		if r := c.tell(method, path, body); r.status/100 != want {
			t.Errorf("%s: %d %s", m[0], r.status, r.text)
		}
	}
	for kind := range kinds {
		if !strings.Contains(guide, "**`"+string(kind)+"`**") {
			t.Errorf("%s is not explained", kind)
		}
	}
}
