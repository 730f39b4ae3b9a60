package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flowctl/engine"
)

// explained describes the blockers of a task run named flow/task@label: kind, what it names, holders, until, message and hint.
func (w *world) explained(name string) string {
	w.t.Helper()
	id, label, _ := strings.Cut(name, "@")
	f, task, _ := strings.Cut(id, "/")
	r := w.run(f, label)
	if r == nil {
		w.t.Fatalf("there is no run of %s", name)
	}
	var lines []string
	for _, b := range w.m.Blockers(r.ID)[task] {
		line := string(b.Kind)
		for _, part := range []string{b.Ref, string(b.State), strings.Join(b.Holders, " ")} {
			if part != "" {
				line += " [" + part + "]"
			}
		}
		if b.Until != nil {
			line += " until " + b.Until.Format(time.RFC3339)
		}
		if line += ": " + b.Message; b.Hint != "" {
			line += "; " + b.Hint
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// flowOf is a daily flow f with a task a and what follows; its run of the 19th is due at 00:01 on the 20th.
func flowOf(head, task string, more ...string) string {
	return "flow: f\nteam: data\nschedule: {every: day, start: 2026-11-01}\n" + head + "tasks:\n  a: {run: x" + task + "}\n" + strings.Join(more, "")
}

const dayFlow = "---\nflow: %s\nteam: data\nschedule: {every: day, start: 2026-11-01}\ntasks:\n  t: {run: x%s}\n"

// TestEachBlockerSaysWhatHoldsTheTaskRun: what it waits for by name, who has what it wants, and what to do.
func TestEachBlockerSaysWhatHoldsTheTaskRun(t *testing.T) {
	t.Parallel()
	const name = "f/a@2026-11-19"
	for kind, c := range map[engine.BlockerKind]struct {
		docs string
		act  func(w *world) // at 00:01, after the runs of the 19th were made
		task string         // f/a@2026-11-19 when it is empty
		want string
	}{
		engine.BlockNeed: {
			docs: flowOf("", ", needs: [up/t]", fmt.Sprintf(dayFlow, "up", "")),
			want: "need [up/t@2026-11-19] [ready]: up/t@2026-11-19 is ready",
		},
		engine.BlockAbsent: {
			docs: flowOf("", ", needs: [{task: up/t, periods: {last: 3}}]", fmt.Sprintf(dayFlow, "up", "")),
			want: "need [up/t@2026-11-19] [ready]: up/t@2026-11-19 is ready\n" +
				"upstream_absent [up/t@2026-11-17..2026-11-18]: 2 periods have no run: up/t@2026-11-17..2026-11-18; " +
				"flowctl backfill up --from 2026-11-17 --to 2026-11-18",
		},
		engine.BlockSignal: {
			docs: flowOf("", ", signals: [s]", "---\nsignals: {s: {every: day, teams: [data]}}\n"),
			want: "signal [s@2026-11-19]: signal s is not set for 2026-11-19; flowctl signal set s 2026-11-19",
		},
		engine.BlockPath: {
			docs: flowOf("", ", inputs: ['/in/${{ ds }}']"),
			act:  func(w *world) { w.join("one", 1) },
			want: "path [/in/2026-11-19]: input /in/2026-11-19 is not there",
		},
		engine.BlockStartAfter: {
			docs: flowOf("", ", start_after: 2h"),
			want: "start_after until 2026-11-20T02:00:00Z: may start at 2026-11-20T02:00:00Z",
		},
		engine.BlockRetry: {
			docs: flowOf("", ", retry: {limit: 1, delay: 10m}"),
			act:  func(w *world) { w.join("one", 1); w.finish(name, engine.Failed) },
			want: "retry until 2026-11-20T00:11:00Z: waits for its retry at 2026-11-20T00:11:00Z",
		},
		engine.BlockFlowLimit: {
			docs: flowOf("concurrency: {runs: 1}\n", ""),
			act:  func(w *world) { w.join("one", 1); w.sleep(24 * time.Hour) },
			task: "f/a@2026-11-20",
			want: "flow_limit [f@2026-11-19]: concurrency 1 of flow f is taken",
		},
		engine.BlockTaskLimit: {
			docs: flowOf("", ", concurrency: 1"),
			act:  func(w *world) { w.join("one", 4); w.sleep(24 * time.Hour) },
			task: "f/a@2026-11-20",
			want: "task_limit [f/a@2026-11-19]: task concurrency 1 is taken",
		},
		engine.BlockPool: {
			docs: flowOf("", ", pool: {name: p, slots: 2}", fmt.Sprintf(dayFlow, "g", ", pool: {name: p, slots: 2}"), "---\npools: {p: {slots: 3}}\n"),
			act:  func(w *world) { w.join("one", 4) },
			task: "g/t@2026-11-19",
			want: "pool [p] [f/a@2026-11-19]: 2 of the 3 slots of pool p are taken, and it takes 2",
		},
		engine.BlockAgent: {
			docs: flowOf("", ", agents: {labels: [hadoop, zone=a]}"),
			act: func(w *world) {
				w.join("one", 4, "hadoop", "zone=b")
				w.join("two", 4, "zone=a")
				w.join("away", 4, "hadoop", "zone=a")
				w.finish(name, engine.Failed)
				w.do(AgentLost{Agent: "away"})
				w.do(Rerun{By: "ann", Run: 1, Version: 1, Rows: w.load([]engine.RunID{1})})
			},
			want: "no_agent: no eligible agent: away is lost; one lacks zone=a; two lacks hadoop",
		},
		engine.BlockSlots: {
			docs: flowOf("", "", fmt.Sprintf(dayFlow, "g", "")),
			act:  func(w *world) { w.join("one", 1) },
			task: "g/t@2026-11-19",
			want: "agents_busy: all slots of the eligible agents are taken",
		},
		engine.BlockBackfill: {
			docs: flowOf("", ""),
			act: func(w *world) {
				w.backfill(w.revs[1], "f", "2026-11-18", "2026-11-18")
				w.do(ControlBackfill{By: "ann", ID: 1, Verb: "pause"})
			},
			task: "f/a@2026-11-18",
			want: "backfill_paused: backfill 1 is paused; flowctl backfill resume 1",
		},
		engine.BlockVersion: {
			docs: flowOf("", ""),
			act: func(w *world) {
				w.join("one", 4)
				w.deaf = true // the kill does not arrive
				w.do(Rerun{By: "ann", Run: 1, Version: 1, Kill: true})
			},
			want: "other_version [f/a@2026-11-19] [killing]: f/a@2026-11-19 is still running",
		},
		engine.BlockPaused: {
			docs: flowOf("", ""),
			act:  func(w *world) { w.hold("f", "a", "") },
			want: "paused [f/a]: f/a was paused by ann; flowctl resume 'f/a'",
		},
		engine.BlockHorizon: {
			docs: flowOf("", ""),
			act: func(w *world) {
				w.do(Pause{By: "ann", Pauses: []engine.Pause{{PauseKey: engine.PauseKey{Start: w.now.Add(-time.Hour)}}}})
			},
			want: "horizon: nothing that is scheduled after 2026-11-19T23:01:00Z is dispatched, said ann; flowctl resume --all",
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "2026-11-19T12:00:00Z")
			w.activate(c.docs)
			w.sleep(12*time.Hour + time.Minute)
			if c.act != nil {
				c.act(w)
			}
			if c.task == "" {
				c.task = name
			}
			if got := w.explained(c.task); got != c.want {
				t.Errorf("%s is blocked by\n%s\nwant\n%s", c.task, got, c.want)
			}
		})
	}
}

// TestAnOpenQuestionIsABlocker, until the ledger has answered.
func TestAnOpenQuestionIsABlocker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T12:00:00Z")
	w.activate(flowOf("", ", needs: [{task: a, periods: previous}, g/t], signals: [s]", fmt.Sprintf(dayFlow, "g", ""), "---\nsignals: {s: {every: day, teams: [data]}}\n"))
	id, err := w.m.Handle(w.now, StartRun{By: "ann", Flow: "f"}) // and nobody looks
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range w.m.Blockers(id.(engine.RunID))["a"] {
		got = append(got, string(b.Kind)+": "+b.Message)
	}
	want := []string{"checking: looking up f/a@2026-11-17", "checking: looking up g/t@2026-11-18", "checking: looking up signal s"}
	if !slices.Equal(got, want) {
		t.Errorf("blocked by %q", got)
	}
}
