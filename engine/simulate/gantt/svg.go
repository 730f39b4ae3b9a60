package gantt

import (
	"fmt"
	"html"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"flowctl/engine/simulate"
)

// Sizes in pixels.
const (
	gutter    = 290 // for the names
	plot      = 1000
	right     = 20
	top       = 64 // title and legend
	strip     = 44 // the use of an agent or a pool
	stripGap  = 10
	axis      = 22
	rowHeight = 16
	barHeight = 10
	groupGap  = 6
	thinnest  = 1.5 // a bar is never narrower
	touching  = 0.5 // bars with less between them are one
	maxStrips = 6
)

// style colours the picture. Colours are told apart by lightness too, for those who do not see the hues.
const style = `
.gantt { font: 12px/1.2 system-ui, sans-serif; background: #ffffff }
.gantt text { fill: #1f2328 } .gantt .dim { fill: #656d76 } .gantt .flow { font-weight: 600 } .gantt .title { font-size: 15px; font-weight: 600 }
.gantt .ground { fill: #ffffff } .gantt .band { fill: #656d76; fill-opacity: .07 } .gantt .grid { stroke: #d8dee4 } .gantt .day { stroke: #afb8c1 }
.gantt .ok { fill: #2f81c7 } .gantt .bad { fill: #cf222e } .gantt .killed { fill: #8250df } .gantt .open { fill: #9a6700 }
.gantt .queue { fill: #afb8c1 } .gantt .wait { stroke: #afb8c1; stroke-width: 2 } .gantt .use { fill: #9cc9ee } .gantt .full { stroke: #cf222e; stroke-dasharray: 4 3 }
.gantt .critical { stroke: #1f2328; stroke-width: 1.2 }
@media (prefers-color-scheme: dark) {
.gantt { background: #0d1117 }
.gantt text { fill: #e6edf3 } .gantt .dim { fill: #8d96a0 }
.gantt .ground { fill: #0d1117 } .gantt .grid { stroke: #30363d } .gantt .day { stroke: #6e7681 }
.gantt .ok { fill: #58a6ff } .gantt .bad { fill: #f85149 } .gantt .killed { fill: #bc8cff } .gantt .open { fill: #d29922 }
.gantt .queue { fill: #6e7681 } .gantt .wait { stroke: #6e7681 } .gantt .use { fill: #1f5f99 } .gantt .full { stroke: #f85149 } .gantt .critical { stroke: #e6edf3 }
}
`

// SVG draws a result; times are shown in the zone.
func SVG(r *simulate.Result, zone *time.Location) []byte {
	d := &drawing{chart: newChart(r, zone)}
	d.draw(r)
	return []byte(d.String())
}

// drawing is an SVG in the making.
type drawing struct {
	strings.Builder
	*chart
}

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

// x is where an instant lies.
func (d *drawing) x(t time.Time) float64 {
	return gutter + plot*float64(t.Sub(d.from))/float64(d.to.Sub(d.from))
}

// escape makes text safe within elements and attributes.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s))
}

// short cuts a name in its middle, where names of one flow differ least.
func short(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	head := (most - 1) / 2
	return string(runes[:head]) + "…" + string(runes[len(runes)-(most-1-head):])
}

func (d *drawing) draw(r *simulate.Result) {
	strips := min(len(d.uses), maxStrips)
	begin := top + strips*(strip+stripGap) + axis // of the rows
	height := begin
	for _, g := range d.groups {
		height += groupGap + rowHeight*(1+len(g.rows))
	}
	height += 12
	width := gutter + plot + right
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" class="gantt" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Simulated runs">`, width, height, width, height)
	d.add("<style>%s</style>", style)
	d.add(`<rect class="ground" width="%d" height="%d"/>`, width, height)
	d.legend(r)
	d.grid(height, begin)
	for i := range strips {
		d.use(&d.uses[i], top+i*(strip+stripGap))
	}
	y := begin
	for _, g := range d.groups {
		y += groupGap
		d.add(`<text class="flow" x="8" y="%d">%s</text>`, y+12, escape(short(g.flow, 36)))
		y += rowHeight
		for k := range g.rows {
			d.row(&g, &g.rows[k], y, k%2 == 0)
			y += rowHeight
		}
	}
	d.add("</svg>")
}

func (d *drawing) legend(r *simulate.Result) {
	span := func(t time.Time) string { return t.In(d.zone).Format("2 Jan 2006 15:04") }
	d.add(`<text class="title" x="8" y="22">%s – %s %s</text>`, span(d.from), span(d.to), escape(d.zone.String()))
	t := r.Totals
	d.add(`<text class="dim" x="%d" y="22" text-anchor="end">%d runs: %d succeeded, %d failed, %d unfinished; %d attempts</text>`,
		gutter+plot, t.Runs, t.Succeeded, t.Failed, t.Unfinished, t.Attempts)
	x := 8
	for _, item := range [][2]string{
		{"ok", "succeeded"}, {"bad", "failed"}, {"killed", "killed"}, {"open", "running at the end"}, {"queue", "ready, waiting for a slot"},
	} {
		d.add(`<rect class="%s" x="%d" y="38" width="12" height="10" rx="2"/><text class="dim" x="%d" y="47">%s</text>`, item[0], x, x+17, item[1])
		x += 35 + 6*len(item[1])
	}
	if d.longest != nil {
		d.add(`<rect class="ok critical" x="%d" y="38" width="12" height="10" rx="2"/><text class="dim" x="%d" y="47">on the critical path of %s</text>`,
			x, x+17, escape(d.longest.Name))
	}
}

func (d *drawing) grid(height, begin int) {
	for _, m := range d.marks() {
		class := "grid"
		if m.day {
			class = "grid day"
		}
		x := d.x(m.at)
		d.add(`<line class="%s" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`, class, x, top, x, height)
		if x < gutter+plot-40 {
			d.add(`<text class="dim" x="%.1f" y="%d">%s</text>`, x+3, begin-6, m.label)
		}
	}
}

// use draws how many slots of an agent or a pool are taken.
func (d *drawing) use(a *simulate.Use, y int) {
	most := max(a.Slots, a.Peak, 1)
	if a.Slots == 0 || a.Slots > 4*a.Peak { // or the little that is used would not be seen
		most = max(a.Peak, 1)
	}
	slots := "unlimited slots"
	if a.Slots > 0 {
		slots = fmt.Sprintf("%d slots", a.Slots)
	}
	d.add(`<text class="flow" x="8" y="%d">%s</text>`, y+14, escape(short(a.Name, 34)))
	d.add(`<text class="dim" x="8" y="%d">%s, at most %d in use</text>`, y+28, slots, a.Peak)
	if a.Full > 0 || a.WaitedS > 0 {
		d.add(`<text class="dim" x="8" y="%d">full %.0f%% of the time, waits: %s</text>`, y+42, 100*a.Full, span(a.WaitedS))
	}
	level := func(used int) float64 { return float64(y+strip) - float64(strip*used)/float64(most) }
	d.add(`<line class="grid" x1="%d" y1="%d" x2="%d" y2="%d"/>`, gutter, y+strip, gutter+plot, y+strip)
	if a.Slots == most {
		d.add(`<line class="full" x1="%d" y1="%d" x2="%d" y2="%d"/>`, gutter, y, gutter+plot, y)
	}
	d.WriteString(`<path class="use" d="`)
	fmt.Fprintf(d, "M%d %d", gutter, y+strip)
	for _, l := range columns(a.Levels, d) {
		fmt.Fprintf(d, "H%.1fV%.1f", l.x, level(l.used))
	}
	d.add(`H%dV%dZ"/>`, gutter+plot, y+strip)
}

// column is the level from a place on.
type column struct {
	x    float64
	used int
}

// columns thins the levels to the highest of each pixel.
func columns(levels []simulate.Level, d *drawing) []column {
	var out []column
	for i := 0; i < len(levels); {
		c := column{d.x(levels[i].At), levels[i].Used}
		last := c.used
		for i++; i < len(levels) && d.x(levels[i].At)-c.x < 1; i++ {
			last = levels[i].Used
			c.used = max(c.used, last)
		}
		out = append(out, c)
		if last != c.used {
			out = append(out, column{c.x + 1, last})
		}
	}
	return out
}

// row draws the attempts of a task.
func (d *drawing) row(g *group, r *row, y int, band bool) {
	if band {
		d.add(`<rect class="band" x="%d" y="%d" width="%d" height="%d"/>`, gutter, y, plot, rowHeight)
	}
	d.add(`<text x="18" y="%d">%s<title>%s</title></text>`, y+12, escape(short(r.task, 36)), escape(g.flow+"/"+r.task))
	shapes := d.merged(r.bars)
	var queued strings.Builder
	for _, s := range shapes {
		if s.x-s.queued >= touching {
			fmt.Fprintf(&queued, "M%.1f %dH%.1f", s.queued, y+rowHeight/2, s.x)
		}
	}
	if queued.Len() > 0 {
		d.add(`<path class="wait" d="%s"/>`, queued.String())
	}
	for _, s := range shapes {
		d.add(`<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d" rx="2"><title>%s</title></rect>`,
			s.class, s.x, y+(rowHeight-barHeight)/2, max(s.end-s.x, thinnest), barHeight, escape(s.text))
	}
}

// shape is one bar in pixels, of one attempt or of several that touch.
type shape struct {
	class          string
	queued, x, end float64
	text           string
}

func (d *drawing) merged(bars []bar) []shape {
	var out []shape
	for i := 0; i < len(bars); {
		b := &bars[i]
		s := shape{class: b.class, queued: d.x(b.ready), x: d.x(b.start), end: d.x(b.end), text: d.describe(b)}
		if d.critical[b.name] {
			s.class += " critical"
		}
		first, n := b, 1
		for i++; i < len(bars); i++ {
			next := &bars[i]
			if next.class != b.class || d.critical[next.name] != d.critical[first.name] || d.x(next.start)-max(s.end, s.x+thinnest) > touching {
				break
			}
			s.end = max(s.end, d.x(next.end))
			n++
			s.text = fmt.Sprintf("%d attempts, from %s to %s", n, first.name, next.name)
		}
		out = append(out, s)
	}
	return out
}

// manyAttempts is how many attempts a picture may have in which each is described in full.
const manyAttempts = 10_000

func (d *drawing) describe(b *bar) string {
	if d.attempts > manyAttempts {
		return b.name
	}
	const clock = "2 Jan 15:04:05"
	text := fmt.Sprintf("%s, attempt %d\n%s – %s (%s)\nwaited for %s", b.name, b.no, b.start.In(d.zone).Format(clock), b.end.In(d.zone).Format(clock),
		b.end.Sub(b.start).Round(time.Second), b.waitedFor)
	if queued := b.start.Sub(b.ready); queued > 0 {
		text += fmt.Sprintf(", then %s for a slot", queued.Round(time.Second))
	}
	if b.because != "" {
		text += "\n" + b.because
	}
	return text
}
