package frontend

import (
	"maps"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The colours that a brand's are judged against are those of the pages.
func TestThemesAreThePages(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("src/lib/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	lightCSS, darkCSS, ok := strings.Cut(string(css), "@media screen and (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("tokens.css has no dark theme")
	}
	for _, x := range []struct {
		css   string
		theme theme
	}{{lightCSS, light}, {darkCSS, dark}} {
		want := map[string]string{"ink": x.theme.ink}
		maps.Copy(want, x.theme.grounds)
		for name, value := range want {
			if m := regexp.MustCompile(`--` + name + `: (#\w+);`).FindStringSubmatch(x.css); m == nil || m[1] != value {
				t.Errorf("--%s is %v in tokens.css, %s here", name, m, value)
			}
		}
	}
}

func TestContrast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"#000000", "#ffffff", 21}, {"#777777", "#FFFFFF", 4.478}, {"#767676", "#ffffff", 4.542}, {"#123456", "#123456", 1},
	} {
		if got := contrast(c.a, c.b); math.Abs(got-c.want) > 0.001 {
			t.Errorf("%s and %s: %f, want %f", c.a, c.b, got, c.want)
		}
	}
}

func TestColours(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		colours  Colours
		problems map[string]string
	}{
		{"none", Colours{}, nil},
		{"good ones", Colours{"#0B5A70", "#6bc9dd"}, nil},
		{"too light on light", Colours{"#ffcc00", ""}, map[string]string{
			"accent": "#ffcc00 has a contrast of 1.3:1 with the light theme's warning-soft, #fdf2dc, and people need 4.5:1 to read it (WCAG AA); "}},
		{"too dark on dark", Colours{"", "#0b5a70"}, map[string]string{
			"accent_dark": "#0b5a70 has a contrast of 1.8:1 with the dark theme's warning-soft, #352913, and people need 4.5:1 to read it (WCAG AA); "}},
		{"no colours", Colours{"teal", "#fff"}, map[string]string{
			"accent": `"teal" will not do; expected a colour as "#0b5a70"`, "accent_dark": `"#fff" will not do; expected a colour as "#0b5a70"`}},
		{"a way out of the style", Colours{"#0b5a7;}x", ""}, map[string]string{"accent": "will not do"}},
	} {
		got := c.colours.Problems()
		if len(got) != len(c.problems) {
			t.Errorf("%s: %v", c.name, got)
		}
		for field, want := range c.problems {
			if !strings.Contains(got[field], want) {
				t.Errorf("%s: %s: %s, want %s", c.name, field, got[field], want)
			}
			// What is suggested will do.
			if _, suggested, ok := strings.Cut(got[field], "(WCAG AA); "); ok {
				mended := Colours{Accent: suggested[:7]}
				if field == "accent_dark" {
					mended = Colours{AccentDark: suggested[:7]}
				}
				if p := mended.Problems(); len(p) > 0 {
					t.Errorf("%s: the suggestion: %v", c.name, p)
				}
			}
		}
	}
}

// Whatever accent passes, all that is made of it can be read.
func TestMadeColoursAreLegible(t *testing.T) {
	t.Parallel()
	property := regexp.MustCompile(`--([\w-]+):(#[0-9a-f]{6})`)
	for _, accent := range []string{"#0b5a70", "#ffcc00", "#ff0000", "#00ff00", "#0000ff", "#777777", "#000000", "#ffffff", "#8a2be2"} {
		accent := light.legible(accent)
		css := Colours{Accent: accent}.CSS()
		lightCSS, darkCSS, ok := strings.Cut(css, "@media screen and (prefers-color-scheme:dark)")
		if !ok || !strings.Contains(lightCSS, "--accent:"+accent) {
			t.Fatalf("%s: %s", accent, css)
		}
		for _, x := range []struct {
			css   string
			theme theme
		}{{lightCSS, light}, {darkCSS, dark}} {
			made := map[string]string{"ink": x.theme.ink}
			maps.Copy(made, x.theme.grounds)
			for _, m := range property.FindAllStringSubmatch(x.css, -1) {
				made[m[1]] = m[2]
			}
			for _, pair := range [][2]string{
				{"accent", "surface"}, {"accent", "raised"}, {"accent", "sunken"}, {"accent", "warning-soft"}, {"accent", "accent-soft"},
				{"on-accent", "accent"}, {"on-accent", "accent-strong"}, {"ink", "accent-soft"},
			} {
				if r := contrast(made[pair[0]], made[pair[1]]); r < legible {
					t.Errorf("%s: %s on %s has %.2f: %v", accent, pair[0], pair[1], r, made)
				}
			}
		}
	}
}
