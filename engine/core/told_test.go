package core

import (
	"fmt"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// told is the part of invariant 4 about what is stored: each failure and each mark of lateness has its event, which is there once because no key
// comes twice. That the marks come in time is for the reference model to say.
func (s *sim) told() {
	for k, row := range s.rows.TaskRuns {
		if row.From == 0 && !s.rows.dropped[k] { // else the events are those of another task run
			s.toldOf(k, &row)
		}
	}
	for id, a := range s.rows.Attempts {
		_, again := s.rows.Events[fmt.Sprintf("%s/%d/%s/%d", flow.Retrying, a.Run, a.Task, id)]
		last, failed := s.rows.Events[fmt.Sprintf("%s/%d/%s", flow.Failed, a.Run, a.Task)]
		if a.State == engine.Failed && a.Code != engine.CodeRefused && again == (failed && last.Attempt == id) {
			s.Fatalf("attempt %d failed: retrying %v, failed %v", id, again, failed)
		}
	}
	for key, e := range s.rows.Events {
		row, ok := s.rows.TaskRuns[engine.TaskRunKey{Run: e.Run, Task: e.Task}]
		if ok && (e.Kind == flow.Failed || e.Kind == flow.Expired) && row.State != engine.State(e.Kind) && !row.State.Satisfies() {
			s.Fatalf("event %s, but the task run is %s", key, row.State)
		}
	}
	s.reported()
}

// toldOf compares a task run with the events that tell of it once.
func (s *sim) toldOf(k engine.TaskRunKey, row *engine.TaskRun) {
	ended := map[engine.State]period.Instant{row.State: row.Finished}
	r := s.rows.Runs[k.Run]
	_, standing := s.rows.Highest(r.Flow, r.Period.Start)
	replaced := !r.Extra && standing.ID != r.ID                                                   // maybe since somebody killed it, and before it ended
	if row.State == engine.Killed && (replaced || !strings.HasPrefix(row.Message, "killed by")) { // by a newer version or with a backfill
		delete(ended, engine.Killed)
	}
	for kind, at := range map[flow.Event]period.Instant{
		flow.Failed: ended[engine.Failed], flow.Expired: ended[engine.Expired], flow.Killed: ended[engine.Killed],
		flow.DependencyLate: row.DependencyLate, flow.OutputLate: row.OutputLate,
	} {
		mark := kind == flow.DependencyLate || kind == flow.OutputLate
		if e, told := s.rows.Events[fmt.Sprintf("%s/%d/%s", kind, k.Run, k.Task)]; (at != 0 || mark) && (told != (at != 0) || e.At != at) {
			s.Fatalf("%s/%s: %s at %d, and the event is %+v; the row is %+v", r.Flow, k.Task, kind, at, e, *row)
		}
	}
}

// reported holds daily reports to R22: each attempt that took over two hours is in one by the next time at which they are made, and an owner has one a day.
func (s *sim) reported() {
	reports := map[string]engine.Event{}
	for _, e := range s.rows.Events {
		if e.Kind != flow.DailyReport {
			continue
		}
		day := e.Owner + " " + e.At.Time().Format(time.DateOnly)
		if other, twice := reports[day]; twice {
			s.Fatalf("two reports of a day: %+v, %+v", e, other)
		}
		reports[day] = e
	}
	for id, a := range s.rows.Attempts {
		lost := a.Code == engine.CodeLost || a.Code == engine.CodeRefused // when it ended is not known, or it never began
		if lost || a.Started == 0 || a.Finished == 0 || a.Finished.Sub(a.Started) <= longRunning {
			continue
		}
		due := a.Finished.Time().Truncate(24 * time.Hour).Add(reportHour * time.Hour)
		if !due.After(a.Finished.Time()) {
			due = due.Add(24 * time.Hour)
		}
		r := s.rows.Runs[a.Run]
		told := false
		for _, e := range reports {
			told = told || e.At >= a.Finished && strings.Contains(e.Detail, "\n"+r.Name(a.Task)+" "+string(a.State))
		}
		switch _, kept := s.rows.Anomalies[id]; {
		case !kept && !told:
			s.Fatalf("%s took from %s to %s, and that is forgotten", r.Name(a.Task), a.Started.Time(), a.Finished.Time())
		case kept && due.Before(s.now.Time()):
			s.Fatalf("%s took long, and that should have been reported at %s", r.Name(a.Task), due)
		}
	}
}
