package core

import (
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// expect names the periods that the eras of a world expect within the last hours, and those of them that have no run.
func (w *world) expect(hours int) (expected, unmet []string) {
	all := Expected(w.m.Eras(), w.now.Add(-time.Duration(hours)*time.Hour), w.now)
	keys := make([]engine.RunKey, len(all))
	for i, e := range all {
		keys[i] = e.Key()
		expected = append(expected, e.Flow.Name+"@"+e.Label())
	}
	for _, e := range Unmet(all, w.rows.Existing(keys)) {
		unmet = append(unmet, e.Flow.Name+"@"+e.Label())
	}
	return expected, unmet
}

func TestWhichPeriodsShouldHaveRuns(t *testing.T) {
	t.Parallel()
	const tasks = "\ntasks:\n  a: {run: 'true'}\n"
	for name, c := range map[string]struct {
		from, to string // due within (from, to]
		flow     string
		want     string
	}{
		"due, not ended": {"2026-11-20T02:59:59Z", "2026-11-21T02:59:59Z", "schedule: {every: day, at: '03:00'}", "f@2026-11-19"},
		"the window's begin is outside, its end within": {
			"2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z", "schedule: {every: day, at: '00:00'}", "f@2026-11-20 f@2026-11-21"},
		"since the era": {"2026-11-17T00:00:00Z", "2026-11-20T00:00:00Z", "schedule: {every: day, at: '00:00'}", "f@2026-11-18 f@2026-11-19"},
		"of an era's first period, what is due in the window": {
			"2026-11-17T00:00:00Z", "2026-11-19T02:00:00Z", "schedule: {every: day, at: '03:00'}", ""},
		"since the start":    {"2026-11-17T00:00:00Z", "2026-11-22T00:00:00Z", "schedule: {every: day, at: '00:00', start: 2026-11-20}", "f@2026-11-20 f@2026-11-21"},
		"until the end":      {"2026-11-17T00:00:00Z", "2026-11-23T00:00:00Z", "schedule: {every: day, at: '00:00', end: 2026-11-20}", "f@2026-11-18 f@2026-11-19"},
		"due after the end":  {"2026-11-20T01:00:00Z", "2026-11-23T00:00:00Z", "schedule: {every: day, at: '03:00', end: 2026-11-20}", "f@2026-11-19"},
		"days of a calendar": {"2026-11-20T00:00:00Z", "2026-11-24T00:00:00Z", "schedule: {every: day, at: '00:00', calendar: free}", "f@2026-11-20 f@2026-11-23"},
		"disabled":           {"2026-11-17T00:00:00Z", "2026-11-23T00:00:00Z", "schedule: {every: day, at: '00:00'}\nenabled: false", ""},
		"on demand":          {"2026-11-17T00:00:00Z", "2026-11-23T00:00:00Z", "labels: {x: y}", ""},
		"nothing is due yet": {"2026-11-20T00:00:00Z", "2026-11-20T23:59:59Z", "schedule: {every: day, at: '00:00'}", ""},
	} {
		w := newWorld(t, "2026-11-18T12:00:00Z")
		w.activate("flow: f\nteam: data\n" + c.flow + tasks + "---\ncalendars:\n  free: {days: [mon, tue, wed, thu, fri]}\n")
		var got []string
		for _, e := range Expected(w.m.Eras(), instant(t, c.from), instant(t, c.to)) {
			got = append(got, e.Flow.Name+"@"+e.Label())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

func instant(t *testing.T, text string) period.Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return period.At(at)
}

func TestWhatWasLeftOutForMissedIsNotExpected(t *testing.T) {
	t.Parallel()
	for missed, want := range map[string]int{"all": 6, "latest": 2, "none": 1} {
		w := newWorld(t, "2026-11-19T10:30:00Z")
		w.activate("flow: h\nteam: data\nschedule: {every: hour, missed: " + missed + "}\ntasks:\n  a: {run: 'true'}\n")
		w.now = w.now.Add(5 * time.Hour) // hours 10 to 14 ended
		w.crash()
		w.sleep(time.Hour)
		w.crash() // the memory of it survives
		if expected, unmet := w.expect(24); len(expected) != want || len(unmet) != 0 {
			t.Errorf("missed: %s expects %v, without run %v; want %d, all with one", missed, expected, unmet, want)
		}
	}
}

func TestAPeriodWithoutRunIsUnmet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T10:30:00Z")
	w.activate("flow: h\nteam: data\nschedule: {every: hour}\ntasks:\n  a: {run: 'true'}\n")
	w.sleep(3 * time.Hour)
	for id, r := range w.rows.Runs {
		switch r.Label {
		case "2026-11-19T11":
			delete(w.rows.Runs, id)
		case "2026-11-19T12": // an extra run does not stand for its period
			r.Extra = true
			w.rows.Runs[id] = r
		}
	}
	expected, unmet := w.expect(24)
	if len(expected) != 3 || !slices.Equal(unmet, []string{"h@2026-11-19T11", "h@2026-11-19T12"}) {
		t.Errorf("of %v these have no run: %v", expected, unmet)
	}
}
