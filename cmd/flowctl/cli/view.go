package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"

	"flowctl/engine"
)

// view is a text for people in the making. It knows the screen and the clock, and does no I/O.
type view struct {
	strings.Builder
	zone  *time.Location
	now   time.Time
	width int // of the screen; 0 = unlimited
	color bool
}

// line adds one line; what comes from elsewhere cannot move the cursor.
func (v *view) line(format string, args ...any) {
	v.WriteString(clean(fmt.Sprintf(format, args...)))
	v.WriteByte('\n')
}

// field adds "Name:  value", nothing when the value is empty.
func (v *view) field(name, value string) {
	if value != "" {
		v.line("%-12s %s", name+":", value)
	}
}

// clean replaces control characters, so that a message with escape codes stays text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// table adds rows under their titles, as wide as the screen: the widest column gives way.
func (v *view) table(titles []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	all := make([][]string, 0, len(rows)+1)
	all = append(all, titles)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = clean(c)
		}
		all = append(all, cells)
	}
	widths := fit(columnWidths(all), v.width)
	for n, row := range all {
		var b strings.Builder
		for i, c := range row {
			if i > 0 {
				b.WriteString("  ")
			}
			short := runewidth.Truncate(c, widths[i], "…")
			pad := widths[i] - runewidth.StringWidth(short)
			if n > 0 {
				short = v.paint(c, short)
			}
			b.WriteString(short)
			b.WriteString(strings.Repeat(" ", pad))
		}
		v.WriteString(strings.TrimRight(b.String(), " "))
		v.WriteByte('\n')
	}
}

func columnWidths(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(c))
		}
	}
	return widths
}

// narrowest is the width below which no column is cut.
const narrowest = 8

// fit takes from the widest column until all fit into the screen.
func fit(widths []int, screen int) []int {
	if screen == 0 {
		return widths
	}
	over := 2*(len(widths)-1) - screen
	for _, w := range widths {
		over += w
	}
	for ; over > 0; over-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrowest {
			break
		}
		widths[widest]--
	}
	return widths
}

// The colours of states, as ANSI codes of the 16 that each terminal has.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	grey   = "90"
)

func colorOf(state string) string {
	switch state {
	case "succeeded", "connected", "done":
		return green
	case "failed", "killed", "expired", "rejected", "lost", "revoked", "upstream_failed":
		return red
	case "running", "killing", "assigned", "active":
		return blue
	case "retrying", "paused", "active (paused)":
		return yellow
	case "skipped", "superseded", "cancelled":
		return grey
	}
	return ""
}

// paint colours text when what it stands for is a state.
func (v *view) paint(state, text string) string {
	code := colorOf(state)
	if !v.color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// instant shows a time in the viewer's zone; absent ones are empty.
func (v *view) instant(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.In(v.zone).Format("2006-01-02 15:04:05")
}

func (v *view) at(t time.Time) string { return v.instant(&t) }

// took shows how long something lasted, or lasts since.
func (v *view) took(from, to *time.Time) string {
	if from == nil {
		return ""
	}
	if to == nil {
		return duration(v.now.Sub(*from))
	}
	return duration(to.Sub(*from))
}

// duration shows the two units that matter: 1.2s, 3m 5s, 2h 4m, 3d 1h.
func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// commit shortens the name of a commit; a folder that is served live has names like worktree-ecad0415de….
func commit(hash string) string {
	const folder = "worktree-"
	if n := len(folder) + 10; strings.HasPrefix(hash, folder) && len(hash) > n {
		return hash[:n]
	}
	if len(hash) > 10 && !strings.HasPrefix(hash, folder) {
		return hash[:10]
	}
	return hash
}

// why shows how something failed.
func why(code engine.ErrorCode, message string) string { return first(message, string(code)) }
