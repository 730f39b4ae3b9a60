package core

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

// misnamed is a flow whose task b has an input that cannot be told, until the param is a time.
func misnamed(name, from string) string {
	return "flow: " + name + "\nteam: data\nschedule: {every: day}\nparams: {from: '" + from + `'}
tasks:
  a: {run: x}
  b: {run: x, inputs: ["/d/${{ date(params.from, '%Y') }}"]}
  c: {run: x, needs: [b]}
---
flow: other
team: data
schedule: {every: day}
tasks:
  a: {run: x}
`
}

func TestAGenerationThatFailsIsRetriedThenTold(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		w := newWorld(t, "2026-11-19T23:00:00Z")
		w.join("one", 4)
		w.activate(misnamed("f", "yesterday"))
		w.sleep(time.Hour + time.Minute)
		w.wantHeld("other/a@2026-11-19") // it need not wait
		if r := w.run("f", "2026-11-19"); r != nil {
			t.Fatalf("run %+v was made", r)
		}
		if restart {
			w.crash()
		}
		w.sleep(generateRetries*generateRetryAfter - time.Second)
		w.wantEvents()
		w.sleep(time.Second)
		w.wantHeld("f/a@2026-11-19", "other/a@2026-11-19")
		w.wantState("f/b@2026-11-19", engine.Failed)
		w.wantState("f/c@2026-11-19", engine.UpstreamFailed)
		r := w.run("f", "2026-11-19")
		row := w.rows.TaskRuns[engine.TaskRunKey{Run: r.ID, Task: "b"}]
		if row.Code != engine.CodeBadExpression || !strings.HasPrefix(row.Message, "flows.yaml:") || !strings.Contains(row.Message, "is no time") {
			t.Errorf("the task run is %+v", row)
		}
		key := fmt.Sprintf("generation_failed/f/%d", r.ID)
		w.wantEvents(fmt.Sprintf("failed/%d/b", r.ID), key)
		if e := w.rows.Events[key]; e.Flow != "f" || e.Detail != "after 3 retries, b of f@2026-11-19 could not be made: "+row.Message {
			t.Errorf("event %+v", e)
		}
		if _, unmet := w.expect(3); len(unmet) != 0 {
			t.Errorf("%v have no runs", unmet)
		}
		w.sleep(24*time.Hour - generateRetries*generateRetryAfter)
		if got := w.run("f", "2026-11-20"); got == nil && !restart { // retries did not help the day before
			t.Error("the next day is put off again")
		}
	}
}

// TestACommitMendsAGenerationThatFails, while it is retried, and no one need hear of it.
func TestACommitMendsAGenerationThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:00:00Z")
	w.join("one", 4)
	w.activate(misnamed("f", "yesterday"))
	w.sleep(time.Hour + time.Minute + generateRetryAfter)
	w.activate(misnamed("f", "2026-11-19"))
	w.do(Tick{})
	w.wantEvents()
	w.wantState("f/b@2026-11-19", engine.Waiting)
	if got := w.run("f", "2026-11-19"); got.Version != 1 || got.Created != w.now {
		t.Errorf("run %+v", got)
	}
}

// TestManyFailuresOfOneRoundAreThePlatforms: ten are not, eleven are.
func TestManyFailuresOfOneRoundAreThePlatforms(t *testing.T) {
	t.Parallel()
	for n := failuresPaged; n <= failuresPaged+1; n++ {
		w := newWorld(t, "2026-11-19T23:00:00Z")
		var docs []string
		for i := range n {
			doc, _, _ := strings.Cut(misnamed(fmt.Sprintf("f%02d", i), "yesterday"), "---\n")
			docs = append(docs, doc)
		}
		w.activate(strings.Join(docs, "---\n"))
		w.sleep(2 * time.Hour)
		e, paged := w.rows.Events[fmt.Sprintf("generations_failed/%d", w.run("f00", "2026-11-19").Created)]
		if paged != (n > failuresPaged) || paged && !strings.HasPrefix(e.Detail, "11 runs: f00@2026-11-19, f01@2026-11-19") {
			t.Errorf("%d failures: %+v", n, e)
		}
	}
}

// TestAPeriodThatIsPutOffBelongsToItsEra: within the retries the flow is changed so that the period would not be generated any more.
func TestAPeriodThatIsPutOffBelongsToItsEra(t *testing.T) {
	t.Parallel()
	_, other, _ := strings.Cut(misnamed("f", "yesterday"), "---\n")
	for name, docs := range map[string]string{
		"another schedule": strings.Replace(misnamed("f", "yesterday"), "every: day", "every: week", 1),
		"disabled":         strings.Replace(misnamed("f", "yesterday"), "team: data", "team: data\nenabled: false", 1),
		"removed":          other,
	} {
		w := newWorld(t, "2026-11-19T23:00:00Z")
		w.join("one", 4)
		w.activate(misnamed("f", "yesterday"))
		w.sleep(time.Hour + time.Minute + generateRetryAfter)
		w.activate(docs)
		r := w.run("f", "2026-11-19")
		if r == nil {
			t.Errorf("%s: the period has no run", name)
			continue
		}
		w.wantEvents(fmt.Sprintf("failed/%d/b", r.ID), fmt.Sprintf("generation_failed/f/%d", r.ID))
		if b := w.rows.TaskRuns[engine.TaskRunKey{Run: r.ID, Task: "b"}]; b.State != engine.Failed {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

// TestTwoFailedGenerationsOfOneInstantAreTwo: a day begins when an hour of the era before did.
func TestTwoFailedGenerationsOfOneInstantAreTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.activate(strings.Replace(misnamed("f", "yesterday"), "every: day", "every: hour", 1))
	w.sleep(time.Hour + 45*time.Minute)
	hour := w.run("f", "2026-11-20T00")
	w.activate(misnamed("f", "yesterday"))
	w.sleep(24 * time.Hour)
	day := w.run("f", "2026-11-20")
	for _, r := range []*engine.Run{hour, day} {
		if e, told := w.rows.Events[fmt.Sprintf("generation_failed/f/%d", r.ID)]; !told || e.At != r.Created {
			t.Errorf("%s: %+v", r.Name(""), e)
		}
	}
}
