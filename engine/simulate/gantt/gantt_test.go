package gantt

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
	"flowctl/engine/simulate"
)

var start = time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }

func ptr(t time.Time) *time.Time { return &t }

// sample has one run of a flow and tasks with hostile names, and many short attempts.
func sample(attempts int) *simulate.Result {
	run := simulate.Run{
		Name: `<b>&"x"@1`, Flow: `<b>&"x"`, State: engine.RunSucceeded, CreatedAt: at(0), FinishedAt: ptr(at(60)), LateS: 3600,
		CriticalPath: []simulate.Link{{Name: `<b>&"x"/]]>t@1`, StartedAt: at(0), FinishedAt: at(60)}},
	}
	t := simulate.TaskRun{Name: `<b>&"x"/]]>t@1`, Task: "]]>t\x1b", State: engine.Succeeded}
	for i := range attempts {
		t.Attempts = append(t.Attempts, simulate.Attempt{
			No: i + 1, Agent: "a", State: engine.Succeeded, ReadyAt: at(i), AssignedAt: at(i + 1), StartedAt: ptr(at(i + 1)), FinishedAt: ptr(at(i + 2)),
			ReadyBy: simulate.Cause{Kind: simulate.ByEnd, Ref: "</title><script>"},
		})
	}
	t.Attempts = append(t.Attempts, simulate.Attempt{No: attempts + 1, State: engine.Running, ReadyAt: at(90), AssignedAt: at(90)})
	run.Tasks = []simulate.TaskRun{t}
	return &simulate.Result{
		From: at(0), To: at(24 * 60), Runs: []simulate.Run{run}, Totals: simulate.Totals{Runs: 1, Attempts: attempts + 1},
		Agents:   []simulate.Use{{Name: "a", Slots: 4, Peak: 2, Levels: []simulate.Level{{At: at(1), Used: 2}, {At: at(2), Used: 0}}}},
		Pools:    []simulate.Use{{Name: "p", Slots: 2, Peak: 2, Full: .25, WaitedS: 60, Levels: []simulate.Level{{At: at(1), Used: 2}, {At: at(2), Used: 0}}}},
		Events:   []simulate.Event{{At: at(3), Kind: flow.OutputLate, Subject: "f/<b>t@1"}},
		Failures: []simulate.FailureSum{{Task: "f/t", Reason: "<script>", TaskRuns: 1}},
	}
}

// TestSelfContained reads the picture as XML, and looks for what a name could smuggle in or a browser would fetch.
func TestSelfContained(t *testing.T) {
	t.Parallel()
	svg := SVG(sample(3), time.UTC)
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
	}
	for name, text := range map[string]string{"svg": string(svg), "html": string(HTML(sample(3), time.UTC))} {
		text = strings.ReplaceAll(text, "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"<script", "<b>", "http://", "https://", "url(", "@import", "\x1b", "<image", "<link"} {
			if strings.Contains(text, bad) {
				t.Errorf("the %s contains %q", name, bad)
			}
		}
		if !strings.Contains(text, "prefers-color-scheme: dark") {
			t.Errorf("the %s knows no dark scheme", name)
		}
	}
	for _, want := range []string{"pool p", "full 25% of the time", "waits: 1m0s"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the svg does not say %q", want)
		}
	}
	for _, want := range []string{"<td>pool p</td>", "25%", "output_late"} {
		if !strings.Contains(string(HTML(sample(3), time.UTC)), want) {
			t.Errorf("the html does not say %q", want)
		}
	}
	if !bytes.Equal(SVG(sample(3), time.UTC), svg) {
		t.Error("a second picture differs")
	}
}

// TestBarsThatTouchAreOne draws more attempts than there are pixels: the picture does not grow with them.
func TestBarsThatTouchAreOne(t *testing.T) {
	t.Parallel()
	few, many := len(SVG(sample(10), time.UTC)), len(SVG(sample(1000), time.UTC))
	if many > few+1000 {
		t.Errorf("10 attempts make %d bytes, 1000 make %d", few, many)
	}
}

func TestMarksFollowTheClock(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 10, 24, 0, 0, 0, 0, zone)
	c := newChart(&simulate.Result{From: from, To: from.AddDate(0, 0, 4)}, zone)
	days := 0
	for _, m := range c.marks() {
		if m.day {
			days++
		}
	}
	if days != 5 {
		t.Errorf("%d midnights within four days whose clocks change, want 5: %v", days, c.marks())
	}
	c = newChart(&simulate.Result{From: from, To: from.AddDate(0, 0, 30)}, zone)
	for _, m := range c.marks() {
		if !m.day {
			t.Errorf("%s is no midnight", m.at)
		}
	}
}
