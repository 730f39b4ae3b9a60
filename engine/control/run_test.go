package control

import (
	"testing"

	"flowctl/engine"
)

const calendarSite = `calendars:
  work: {days: [mon, tue, wed, thu, fri]}
---
flow: work
team: data
schedule: {every: day, start: 2026-11-01, calendar: work}
tasks:
  x: {run: 'true'}
---
flow: after
team: data
schedule: {every: day, start: 2026-11-01}
tasks:
  y: {needs: [work/x], inputs: [/nowhere], start_after: 9h, run: 'true'}
`

// TestRunNow goes through what the design says of it, sentence by sentence.
func TestRunNow(t *testing.T) {
	t.Parallel()
	f := startFixture(t)
	f.write("calendar.yaml", calendarSite)
	f.sync("active")
	start := func(r engine.StartRun) (*engine.RunView, error) { return f.service.StartRun(t.Context(), r) }

	// The last ended period; refused while a run of it has not ended.
	v, err := start(engine.StartRun{Target: "work"})
	f.must(err)
	last := v.Name
	_, err = start(engine.StartRun{Target: "work"})
	f.wantError(err, engine.Conflict, last+" has not ended")
	// The next version when it has ended.
	f.drain()
	v, err = start(engine.StartRun{Target: "work"})
	f.must(err)
	if v.Name != last+"#2" {
		t.Errorf("the next run is %s, want %s#2", v.Name, last)
	}
	f.drain()

	// Off its calendar, and before its end, a period needs extra.
	_, err = start(engine.StartRun{Target: "work@2026-11-14"})
	f.wantError(err, engine.Conflict, "off its schedule: only an extra run is possible (--extra)")
	extra, err := start(engine.StartRun{Target: "work@2026-11-14", Extra: true})
	f.must(err)
	f.drain()
	if s := f.state("work/x@2026-11-14"); s != engine.Succeeded {
		t.Errorf("the extra run %s is %s", extra.Name, s)
	}
	_, err = start(engine.StartRun{Target: "after@2026-11-25"})
	f.wantError(err, engine.Conflict, "--extra")

	// An extra run satisfies no need.
	_, err = start(engine.StartRun{Target: "work@2026-11-12", Extra: true})
	f.must(err)
	f.drain()
	_, err = start(engine.StartRun{Target: "after@2026-11-12"})
	f.must(err)
	x, err := f.service.Explain(t.Context(), "after/y@2026-11-12")
	f.must(err)
	if b := x.Tasks[0].Blockers; len(b) != 1 || b[0].Kind != engine.BlockAbsent {
		t.Errorf("blockers %+v", b)
	}

	// Force skips needs, inputs and the earliest start.
	_, err = start(engine.StartRun{Target: "after@2026-11-11", Force: true})
	f.must(err)
	f.finish("after/y@2026-11-11", engine.Succeeded)
}
