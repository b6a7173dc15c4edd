package frontend

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// A theme is what a brand's accent is set against, out of src/lib/tokens.css; a
// test holds the two together.
type theme struct {
	ink, raised string
	// grounds are what the accent is written on.
	grounds map[string]string
	// onAccent is written on the accent: the end of the scale that it is far from.
	// Strong and suggested accents go towards the other end.
	onAccent, towards string
	soft              float64 // how much of the accent is in its soft ground
}

var (
	light = theme{
		ink: "#131a22", raised: "#ffffff", onAccent: "#ffffff", towards: "#000000", soft: 0.1,
		grounds: map[string]string{"surface": "#f3f5f7", "raised": "#ffffff", "sunken": "#f3f5f7", "warning-soft": "#fdf2dc"},
	}
	dark = theme{
		ink: "#edf1f4", raised: "#171f25", onAccent: "#0e1418", towards: "#ffffff", soft: 0.15,
		grounds: map[string]string{"surface": "#0e1418", "raised": "#171f25", "sunken": "#10171c", "warning-soft": "#352913"},
	}
)

// legible is what WCAG 2.2 AA wants of text (success criterion 1.4.3).
const legible = 4.5

// Colours are a brand's, as CSS that overrides the pages' own. Each is written
// #rrggbb, or is empty for the pages' own; a dark accent is made of the light
// one where that alone is given.
type Colours struct{ Accent, AccentDark string }

// CSS is the style sheet, empty for a brand without colours.
func (c Colours) CSS() string {
	var all string
	if c.Accent != "" {
		all = ":root{" + light.properties(c.Accent) + "}"
		if c.AccentDark == "" {
			c.AccentDark = dark.legible(c.Accent)
		}
	}
	if c.AccentDark != "" {
		all += "@media screen and (prefers-color-scheme:dark){:root{" + dark.properties(c.AccentDark) + "}}"
	}
	return all
}

// Problems are by field, "accent" and "accent_dark", what is wrong with it.
func (c Colours) Problems() map[string]string {
	all := map[string]string{}
	for field, x := range map[string]struct {
		accent string
		theme  theme
		called string
	}{"accent": {c.Accent, light, "light"}, "accent_dark": {c.AccentDark, dark, "dark"}} {
		switch {
		case x.accent == "":
		case !colour.MatchString(x.accent):
			all[field] = fmt.Sprintf(`%q will not do; expected a colour as "#0b5a70"`, x.accent)
		default:
			if on, ground, ratio := x.theme.worst(x.accent); ratio < legible {
				all[field] = fmt.Sprintf("%s has a contrast of %.1f:1 with the %s theme's %s, %s, and people need %.1f:1 to read it (WCAG AA); %s would do",
					x.accent, math.Floor(ratio*10)/10, x.called, on, ground, legible, x.theme.legible(x.accent))
			}
		}
	}
	return all
}

var colour = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

// properties are the tokens that follow from an accent.
func (t theme) properties(accent string) string {
	return fmt.Sprintf("--accent:%s;--accent-strong:%s;--accent-soft:%s;--on-accent:%s",
		strings.ToLower(accent), mix(accent, t.towards, 0.2), t.softOf(accent), t.onAccent)
}

func (t theme) softOf(accent string) string { return mix(t.raised, accent, t.soft) }

// worst is the ground on which the accent is read worst.
func (t theme) worst(accent string) (on, ground string, ratio float64) {
	on, ground = "accent-soft", t.softOf(accent)
	ratio = contrast(accent, ground)
	for name, g := range t.grounds {
		if r := contrast(accent, g); r < ratio || r == ratio && name < on {
			on, ground, ratio = name, g, r
		}
	}
	return on, ground, ratio
}

// legible is the accent, or the nearest to it that can be read on all grounds.
func (t theme) legible(accent string) string {
	made := strings.ToLower(accent)
	for part := 0.0; part <= 1; part += 0.02 {
		made = mix(accent, t.towards, part)
		if _, _, ratio := t.worst(made); ratio >= legible {
			break
		}
	}
	return made
}

// channels are a colour's red, green and blue, 0 to 255.
func channels(c string) (rgb [3]float64) {
	for i := range rgb {
		n, _ := strconv.ParseUint(c[1+2*i:3+2*i], 16, 8) // colour has looked
		rgb[i] = float64(n)
	}
	return rgb
}

// mix is a with so much of b in it.
func mix(a, b string, part float64) string {
	x, y := channels(a), channels(b)
	at := func(i int) int { return int(math.Round(x[i]*(1-part) + y[i]*part)) }
	return fmt.Sprintf("#%02x%02x%02x", at(0), at(1), at(2))
}

// contrast is WCAG 2.2's, from 1 to 21.
func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c string) float64 {
	var l float64
	for i, channel := range channels(c) {
		v := channel / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		l += v * [3]float64{0.2126, 0.7152, 0.0722}[i]
	}
	return l
}
