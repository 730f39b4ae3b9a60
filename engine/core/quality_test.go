package core

import (
	"strings"
	"testing"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

const gated = `flow: f
team: data
schedule: {every: day}
tasks:
	up: {run: x}
	down:
		run: x
		needs: [up]
		inputs: [/in]
		when: needs.up.state == 'succeeded'
		start_after: 1h
		retry: {limit: 1, delay: 1m}
		gate: {url: "https://user:secret@dq/check/${{ ds }}?key=secret#x", timeout: 30m}
`

// answer lets the gate of a task run named flow/task@label answer its newest question.
func (w *world) answer(name string, release bool, message string) error {
	w.t.Helper()
	q := w.question(name)
	_, err := w.try(AnswerGate{
		By: GateCaller, Run: q.Run, Task: q.Task, Asked: q.Asked, Answer: engine.GateAnswer{Release: release, Message: message},
		Rows: w.load([]engine.RunID{q.Run}),
	})
	return err
}

// question returns the newest question about a task run.
func (w *world) question(name string) engine.GateQuestion {
	w.t.Helper()
	for i := len(w.questions) - 1; i >= 0; i-- {
		if w.questions[i].TaskRun == name {
			return w.questions[i]
		}
	}
	w.t.Fatalf("no gate was asked about %s: %+v", name, w.questions)
	return engine.GateQuestion{}
}

func (w *world) wantQuestions(want ...string) {
	w.t.Helper()
	var got []string
	for _, q := range w.questions {
		got = append(got, q.TaskRun)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		w.t.Fatalf("gates were asked about %v, want %v", got, want)
	}
}

// startGated lets the first run of the flow wait for its gate alone.
func startGated(t *testing.T, docs string) *world {
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(docs)
	w.join("one", 10)
	w.sleep(12*time.Hour + 2*time.Minute)
	w.drain()
	w.paths["/in"] = true
	w.sleep(58 * time.Minute)
	return w
}

func TestGateIsAskedLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(gated)
	w.join("one", 10)
	w.sleep(12*time.Hour + 2*time.Minute)
	w.wantQuestions()
	w.drain()
	w.sleep(2 * time.Hour) // its earliest start has come, its input is not there
	w.wantQuestions()
	w.paths["/in"] = true
	w.do(Pause{By: "ann", Target: "f", Pauses: []engine.Pause{{PauseKey: engine.PauseKey{Flow: "f", Start: engine.AllPeriods}}}})
	w.sleep(time.Minute)
	w.wantQuestions()
	w.do(Resume{By: "ann", Target: "f", Flow: "f", From: engine.AllPeriods, To: engine.AllPeriods})
	w.wantQuestions("f/down@2026-11-19")
	q := w.question("f/down@2026-11-19")
	if q.URL != "https://user:secret@dq/check/2026-11-19?key=secret#x" || q.Asked != w.now || q.Until != w.now.Add(30*time.Minute) || q.Version != 1 {
		t.Errorf("question %+v", q)
	}
	w.wantHeld()
	w.wantBlockers("f/down@2026-11-19", "gate https://dq/check/2026-11-19 was asked at "+w.now.Time().Format(time.RFC3339)+
		" and has not answered; flowctl gate release 'f/down@2026-11-19'")

	w.sleep(29 * time.Minute)
	if err := w.answer("f/down@2026-11-19", true, "all rows are there"); err != nil {
		t.Fatal(err)
	}
	w.wantHeld("f/down@2026-11-19")
	op := w.rows.ops[len(w.rows.ops)-1]
	if op.By != GateCaller || op.Verb != "gate release" || op.Target != "f/down@2026-11-19" || op.Detail != "all rows are there" {
		t.Errorf("operation %+v", op)
	}
	err := w.answer("f/down@2026-11-19", true, "")
	if e, ok := err.(*engine.Error); !ok || e.Code != engine.Conflict || !strings.Contains(e.Message, "has released it at 2026-11-20T") {
		t.Errorf("the second answer: %v", err)
	}

	// A retry does not ask again, nor does a restart; a rerun does.
	w.finish("f/down@2026-11-19", engine.Failed)
	w.crash()
	w.sleep(time.Hour)
	w.finish("f/down@2026-11-19", engine.Succeeded)
	w.wantQuestions("f/down@2026-11-19")
	r := w.run("f", "2026-11-19")
	w.do(Rerun{By: "ann", Run: r.ID, Version: 1, Task: "down", Rows: w.load([]engine.RunID{r.ID})})
	w.wantQuestions("f/down@2026-11-19", "f/down@2026-11-19#2")
	w.wantHeld()
}

func TestGateRefuses(t *testing.T) {
	t.Parallel()
	w := startGated(t, gated)
	if err := w.answer("f/down@2026-11-19", false, "3 rows are missing"); err != nil {
		t.Fatal(err)
	}
	w.wantState("f/down@2026-11-19", engine.Failed)
	row := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "down"}]
	if row.Code != engine.CodeGateRefused || row.Message != "refused by gate: 3 rows are missing" || row.Attempts != 0 {
		t.Errorf("row %+v", row)
	}
	if e := w.rows.Events["failed/1/down"]; e.Detail != row.Message {
		t.Errorf("events %+v", w.rows.Events)
	}
	err := w.answer("f/down@2026-11-19", true, "")
	if e, ok := err.(*engine.Error); !ok || e.Code != engine.Conflict || !strings.Contains(e.Message, "is failed: its gate is not waited for any more") {
		t.Errorf("an answer to what is over: %v", err)
	}
}

func TestGateDoesNotAnswerInTime(t *testing.T) {
	t.Parallel()
	w := startGated(t, gated)
	asked := w.question("f/down@2026-11-19").Asked
	w.do(GateReported{engine.GateReport{GateKey: w.question("f/down@2026-11-19").GateKey}})
	w.do(Pause{By: "ann", Target: "f", Pauses: []engine.Pause{{PauseKey: engine.PauseKey{Flow: "f", Start: engine.AllPeriods}}}})
	w.sleep(20 * time.Minute)
	w.crash() // it has taken the question: it is not asked again
	w.sleep(time.Hour)
	w.wantQuestions("f/down@2026-11-19")
	row := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "down"}]
	if row.State != engine.Failed || row.Code != engine.CodeGateTimeout || row.Finished != asked.Add(30*time.Minute) {
		t.Errorf("row %+v", row)
	}
	if want := "its gate did not answer within 30m0s of 2026-11-20T01:00:00Z"; row.Message != want || w.rows.Events["failed/1/down"].Detail != want {
		t.Errorf("message %q", row.Message)
	}
}

func TestGateThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	w := startGated(t, gated)
	q := w.question("f/down@2026-11-19")
	failed := GateReported{engine.GateReport{GateKey: q.GateKey, Error: "connection refused"}}
	w.do(failed)
	w.wantBlockers("f/down@2026-11-19",
		"gate https://dq/check/2026-11-19 could not be asked since 2026-11-20T01:00:00Z: connection refused; flowctl gate release 'f/down@2026-11-19'")
	var told []engine.Event
	for _, e := range w.rows.Events {
		if e.Kind == flow.GateFailed {
			told = append(told, e)
		}
	}
	if len(told) != 1 || told[0].Detail != "gate https://dq/check/2026-11-19 could not be asked: connection refused; "+
		"the task waits until 2026-11-20T01:30:00Z for flowctl gate release 'f/down@2026-11-19'" {
		t.Errorf("events %+v", told)
	}

	// After a restart it is asked again, by the same name.
	w.crash()
	w.sleep(time.Minute)
	if again := w.question("f/down@2026-11-19"); len(w.questions) != 2 || again.GateKey != q.GateKey {
		t.Fatalf("questions %+v", w.questions)
	}
	w.do(failed) // the store keeps one event of it
	w.do(AnswerGate{By: "ann", Run: q.Run, Answer: engine.GateAnswer{Release: true}})
	w.wantHeld("f/down@2026-11-19")
	w.finish("f/down@2026-11-19", engine.Succeeded)
	if _, ok := w.rows.Events["recovered/1/down"]; !ok {
		t.Errorf("events %+v", w.rows.Events)
	}
	if _, err := w.try(AnswerGate{By: "ann", Run: q.Run, Answer: engine.GateAnswer{Release: true}, Rows: w.load([]engine.RunID{q.Run})}); err == nil || !strings.Contains(err.Error(), "no task of f@2026-11-19 waits for its gate") {
		t.Errorf("an operator's answer to nothing: %v", err)
	}
}

func TestGateAnswersAtOnce(t *testing.T) {
	t.Parallel()
	w := startGated(t, gated)
	q := w.question("f/down@2026-11-19")
	w.do(GateReported{engine.GateReport{GateKey: q.GateKey, Answer: &engine.GateAnswer{Release: true}}})
	w.wantHeld("f/down@2026-11-19")
	w.do(GateReported{engine.GateReport{GateKey: q.GateKey, Answer: &engine.GateAnswer{}}})
	w.wantHeld("f/down@2026-11-19")
}

func TestForceSkipsTheGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("flow: f\nteam: data\ntasks: {t: {run: x, gate: {url: 'http://dq/'}}}\n")
	w.join("one", 10)
	w.do(StartRun{By: "ann", Flow: "f", Force: true})
	w.wantQuestions()
	if len(w.held()) != 1 {
		t.Errorf("held %v", w.held())
	}
}

// TestGateOfAnotherRevision: a run that has not started follows new revisions. The same gate is not asked again, another one is, and then
// the answer to the first question is void.
func TestGateOfAnotherRevision(t *testing.T) {
	t.Parallel()
	const docs = "flow: f\nteam: data\nschedule: {every: day}\ntasks: {t: {run: x, gate: {url: 'http://dq/URL'}}}\n"
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(docs)
	w.join("one", 10)
	w.sleep(13 * time.Hour)
	first := w.question("f/t@2026-11-19")
	w.activate(strings.Replace(docs, "run: x", "run: y", 1))
	w.wantQuestions("f/t@2026-11-19")
	w.activate(strings.Replace(docs, "URL", "other", 1))
	w.wantQuestions("f/t@2026-11-19", "f/t@2026-11-19")
	_, err := w.try(AnswerGate{By: GateCaller, Run: first.Run, Task: "t", Asked: first.Asked, Answer: engine.GateAnswer{Release: true}})
	if err == nil || !strings.Contains(err.Error(), "asked anew") {
		t.Errorf("the first gate's answer: %v", err)
	}
	w.wantHeld()
	if err := w.answer("f/t@2026-11-19", true, ""); err != nil {
		t.Error(err)
	}
	w.wantHeld("f/t@2026-11-19")
}

// TestAnswerWhileAnUpstreamHasFailed: the run has settled and left memory, and the answer counts once it goes on.
func TestAnswerWhileAnUpstreamHasFailed(t *testing.T) {
	t.Parallel()
	for _, release := range []bool{true, false} {
		w := newWorld(t, "2026-11-19T12:00:00Z")
		w.activate("flow: up\nteam: data\nschedule: {every: day}\ntasks: {u: {run: x}}\n---\n" +
			"flow: f\nteam: data\nschedule: {every: day}\ntasks: {t: {run: x, needs: [up/u], gate: {url: 'http://dq/', timeout: 1h}}}\n")
		w.join("one", 10)
		w.sleep(13 * time.Hour)
		w.drain()
		w.wantQuestions("f/t@2026-11-19")
		up := w.run("up", "2026-11-19")
		w.do(Rerun{By: "ann", Run: up.ID, Version: 1, Rows: w.load([]engine.RunID{up.ID})})
		w.finish("up/u@2026-11-19", engine.Failed)
		w.wantState("f/t@2026-11-19", engine.UpstreamFailed)
		w.crash()
		if err := w.answer("f/t@2026-11-19", release, ""); err != nil {
			t.Fatal(err)
		}
		w.do(Succeed{By: "ann", Run: w.run("up", "2026-11-19").ID, Rows: w.load([]engine.RunID{w.run("up", "2026-11-19").ID})})
		if release {
			w.wantHeld("f/t@2026-11-19")
		} else {
			w.wantState("f/t@2026-11-19", engine.Failed)
		}
		w.wantQuestions("f/t@2026-11-19")
	}
}

// TestNoAnswerWhileAnUpstreamHasFailed: the task run fails at its instant where its run goes on, and after a restart it is the same.
func TestNoAnswerWhileAnUpstreamHasFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("flow: up\nteam: data\nschedule: {every: day}\ntasks: {u: {run: x}}\n---\n" +
		"flow: f\nteam: data\nschedule: {every: day}\ntasks:\n  t: {run: x, needs: [up/u], gate: {url: 'http://dq/', timeout: 1h}}\n  other: {run: x}\n")
	w.join("one", 10)
	w.sleep(13 * time.Hour)
	w.finish("up/u@2026-11-19", engine.Succeeded)
	w.wantQuestions("f/t@2026-11-19")
	up := w.run("up", "2026-11-19")
	w.do(Rerun{By: "ann", Run: up.ID, Version: 1, Rows: w.load([]engine.RunID{up.ID})})
	w.finish("up/u@2026-11-19", engine.Failed)
	w.wantState("f/t@2026-11-19", engine.UpstreamFailed)
	w.sleep(time.Hour)
	w.wantState("f/t@2026-11-19", engine.Failed)
	w.crash()
	w.wantState("f/t@2026-11-19", engine.Failed)
}

func TestGateURLThatIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate("flow: f\nteam: data\nparams: {at: nowhere}\ntasks: {t: {run: x, gate: {url: '${{ params.at }}'}}}\n")
	w.do(StartRun{By: "ann", Flow: "f"})
	row := w.rows.TaskRuns[engine.TaskRunKey{Run: 1, Task: "t"}]
	if row.Code != engine.CodeBadExpression || !strings.HasPrefix(row.Message, "flows.yaml:4:") {
		t.Errorf("row %+v", row)
	}
}
