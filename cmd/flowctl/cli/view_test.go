package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/engine"
)

var update = flag.Bool("update", false, "write the golden files and docs/reference/cli.md")

// golden compares got with a file, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: go test ./cmd/flowctl/cli -update", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s; is\n%s\nwas\n%s", file, got, want)
	}
}

var (
	noon    = time.Date(2026, 11, 20, 4, 0, 0, 0, time.UTC)
	started = noon.Add(-90 * time.Minute)
	over    = noon.Add(-time.Minute)
	zone    = time.FixedZone("CST", 8*3600)
)

func sampleRun() engine.RunView {
	return engine.RunView{
		ID: 7, Name: "warehouse.orders@2026-11-19#2", Flow: "warehouse.orders", Period: "2026-11-19",
		PeriodStart: noon.Add(-36 * time.Hour), PeriodEnd: noon.Add(-12 * time.Hour), Version: 2, Kind: engine.Rerun, State: engine.RunFailed,
		Revision: 3, Commit: "0123456789abcdef", Pinned: true, Params: map[string]string{"table": "orders", "limit": "5"},
		CreatedAt: started, ScheduledAt: started, StartedAt: &started, FinishedAt: &over,
	}
}

func sampleTasks() []engine.TaskRunView {
	return []engine.TaskRunView{
		{
			Name: "warehouse.orders/extract@2026-11-19#2", Task: "extract", Run: 7, State: engine.Succeeded, Attempts: 1, Attempt: 11,
			Reference: "warehouse.orders@2026-11-19", Outputs: map[string]string{"rows": "12", "bytes": "90"}, StartedAt: &started, FinishedAt: &over,
		},
		{
			Name: "warehouse.orders/load@2026-11-19#2", Task: "load", Run: 7, State: engine.Failed, Attempts: 3, Attempt: 14,
			Code: engine.CodeExit, Message: "exit code 3\x1b[2J\nbye", StartedAt: &started, FinishedAt: &over,
		},
		{Name: "warehouse.orders/report@2026-11-19#2", Task: "report", Run: 7, State: engine.UpstreamFailed},
	}
}

func sampleRevisions() []engine.RevisionView {
	return []engine.RevisionView{
		{ID: 4, Commit: "fedcba98765432100", Author: "bob", Subject: "Add a task that needs nothing that exists", SeenAt: noon, State: "rejected", Diagnostics: []diag.Diagnostic{
			{File: "orders.yaml", Line: 12, Col: 7, Rule: "unknown-task", Message: "no task extrct", Hint: "did you mean extract?"},
			{File: "orders.yaml", Line: 3, Col: 1, Severity: diag.Warning, Rule: "unused", Message: "pool hive is not used"},
		}},
		{ID: 3, Commit: "0123456789abcdef", Author: "alice", Subject: "Load orders", SeenAt: started, State: "active", Flows: 12},
	}
}

// views are all views with data that shows each of their branches.
var views = map[string]func(v *view){
	"flows": func(v *view) {
		flowsTable(v, []engine.FlowView{
			{Name: "warehouse.orders", Group: "warehouse", Team: "data", Schedule: "day at 00:01 Asia/Shanghai", Enabled: true, NextAt: &over, Tasks: []string{"a", "b"}},
			{Name: "adhoc", Team: "data", Schedule: "on demand", Enabled: true},
			{Name: "old", Team: "data", Schedule: "hour at :01 UTC"},
		})
	},
	"flow": func(v *view) {
		flowView(v, flowDetail{
			engine.FlowView{
				Name: "warehouse.orders", Description: "Orders mart", Team: "data", Owner: "alice", Priority: 3, Enabled: true,
				Schedule: "day at 00:01 Asia/Shanghai", NextAt: &over, Labels: map[string]string{"domain": "sales"}, File: "orders.yaml", Line: 1,
			},
			[]engine.TaskView{
				{ID: "warehouse.orders/extract", Runner: "shell", RetryMax: 5},
				{ID: "warehouse.orders/load", Runner: "python", TimeoutS: 3600, MeanS: 185, DeviationS: 12.34, Samples: 7, Needs: []string{"warehouse.orders/extract", "warehouse.orders/load (previous)"}},
			},
		})
	},
	"runs": func(v *view) {
		active := engine.RunView{Name: "hourly@2026-11-20T11", State: engine.RunActive, Kind: engine.Scheduled, CreatedAt: started, StartedAt: &started}
		runsTable(v, []engine.RunView{sampleRun(), active})
	},
	"run": func(v *view) { runView(v, engine.RunDetail{RunView: sampleRun(), Tasks: sampleTasks()}) },
	"attempts": func(v *view) {
		attemptsTable(v, []engine.AttemptView{
			{ID: 14, TaskRun: "f/load@2026-11-19", No: 3, Agent: "local", State: engine.Failed, Code: engine.CodeTimeout, AssignedAt: started, StartedAt: &started, FinishedAt: &over},
			{ID: 15, TaskRun: "f/load@2026-11-19", No: 4, Agent: "local", State: engine.Assigned, AssignedAt: started},
		})
	},
	"attempt": func(v *view) {
		code := 3
		attemptView(v, engine.AttemptView{
			ID: 14, TaskRun: "f/load@2026-11-19", No: 3, Agent: "local", State: engine.Failed, Code: engine.CodeExit, ExitCode: &code,
			AssignedAt: started, StartedAt: &started, FinishedAt: &over, MaxRSS: 5 << 20, CPUS: 1.25,
		})
	},
	"agents": func(v *view) {
		agentsTable(v, []engine.AgentView{{Name: "local", State: "connected", Slots: 8, Running: 2, Labels: []string{"hadoop", "zone=a"}, Version: "1.0", LastSeen: noon}})
	},
	"backfills": func(v *view) {
		backfillsTable(v, []engine.BackfillView{{ID: 3, State: engine.BackfillRunning, Flows: []string{"a", "b", "c", "d", "e"}, From: "2026-11-01", To: "2026-11-07", Total: 40, Succeeded: 9, Failed: 1, By: "admin", CreatedAt: noon}})
	},
	"backfill": func(v *view) {
		backfillView(v, engine.BackfillView{ID: 3, State: engine.BackfillDone, Flows: []string{"a", "b"}, From: "2026-11-01", To: "2026-11-07", Total: 42, Created: 40, Skipped: 2, Succeeded: 39, Failed: 1, MaxActive: 8, Revision: 3, By: "admin", CreatedAt: started, FinishedAt: &over})
	},
	"preview": func(v *view) {
		previewView(v, engine.BackfillPreview{
			Total:   1,
			Items:   []engine.BackfillDecision{{Run: "f@2026-11-01", Action: "create", Reason: "missing"}, {Run: "f@2026-11-02", Action: "leave", Reason: "succeeded"}},
			Missing: []string{"ods.clicks/import@2026-10-31"},
		})
	},
	"revisions": func(v *view) { revisionsView(v, sampleRevisions()) },
	"revision":  func(v *view) { revisionView(v, sampleRevisions()[0]) },
	"signals": func(v *view) {
		signalsTable(v, []engine.SignalView{
			{Name: "crm.export", Schedule: "day UTC", Set: []engine.SetPeriodView{{Period: "2026-11-19", At: noon, By: "admin"}, {Period: "2026-11-18", At: started, By: "crm"}}},
			{Name: "erp", Schedule: "hour UTC"},
		})
	},
	"operations": func(v *view) {
		operationsTable(v, []engine.OperationView{{At: noon, By: "admin", Verb: "rerun", Target: "f@2026-11-19", Detail: "failed tasks"}})
	},
	"events": func(v *view) {
		eventsTable(v, []engine.EventView{
			{At: noon, Kind: flow.Failed, Subject: "warehouse.orders/load@2026-11-19", Agent: "local", Detail: "exit code 3\nbye"},
			{At: started, Kind: flow.DailyReport, Subject: "oncall:data", Detail: "1 took long:\nf/a@2026-11-19 failed after 3h0m0s"},
			{At: started, Kind: flow.BackfillSkipped, Subject: "backfill 3", Detail: "f@2026-11-01, f@2026-11-02"},
		})
	},
	"explanation": func(v *view) {
		tasks := sampleTasks()
		explanationView(v, engine.Explanation{Target: "f", Tasks: []engine.ExplainedTask{
			{TaskRunView: tasks[0]},
			{TaskRunView: engine.TaskRunView{Name: "f/a@2026-11-19", State: engine.Running, Attempts: 1, StartedAt: &started}, Agent: "local"},
			{TaskRunView: engine.TaskRunView{
				Name: "f/b@2026-11-19", State: engine.Failed, Attempt: 7, Attempts: 1, StartedAt: &started, FinishedAt: &over,
				Code: engine.CodeExit, Message: "exit code 7",
			}},
			{TaskRunView: engine.TaskRunView{Name: "f/load@2026-11-19", State: engine.Waiting}, Blockers: []engine.Blocker{
				{Kind: engine.BlockNeed, Ref: "g/x@2026-11-19", State: engine.Running, Message: "g/x@2026-11-19 is running"},
				{Kind: engine.BlockAbsent, Message: "there is no run g@2026-11-18", Hint: "flowctl backfill g --from 2026-11-18 --to 2026-11-18"},
				{Kind: engine.BlockFlowLimit, Message: "4 of 4 runs of f are active", Holders: []string{"f@2026-11-15", "f@2026-11-16"}},
				{Kind: engine.BlockStartAfter, Message: "not before 2h after the period", Until: &over},
			}, Uncounted: []string{"k/x@2026-11-19"}, Roots: []engine.Root{
				engine.EndOfChain("h/x@2026-11-19", engine.Failed),
				{TaskRun: "i/x@2026-11-19", Blocker: engine.Blocker{Kind: engine.BlockPool, Message: "pool p is taken", Holders: []string{"j/x@2026-11-19"}}},
			}, EarliestStartAt: &over},
		}})
	},
}

func TestViews(t *testing.T) {
	t.Parallel()
	for name, draw := range views {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &view{zone: zone, now: noon}
			draw(v)
			golden(t, "testdata/views/"+name+".txt", v.String())
			if strings.ContainsAny(v.String(), "\x1b\x00\r") {
				t.Error("control characters reach the screen")
			}
		})
	}
}

func TestTablesFitTheScreen(t *testing.T) {
	t.Parallel()
	for _, width := range []int{60, 80, 120} {
		v := &view{zone: zone, now: noon, width: width}
		taskRunsTable(v, sampleTasks())
		for l := range strings.Lines(v.String()) {
			if n := len([]rune(strings.TrimRight(l, "\n"))); n > width {
				t.Errorf("%d columns on a screen of %d: %q", n, width, l)
			}
		}
	}
	if got := fit([]int{40, 10, 9}, 20); got[0] != narrowest || got[1] != narrowest || got[2] != narrowest {
		t.Errorf("on a tiny screen the columns are %v", got)
	}
}

func TestOnlyStatesAreColoured(t *testing.T) {
	t.Parallel()
	v := &view{zone: zone, now: noon, color: true}
	runsTable(v, []engine.RunView{sampleRun()})
	if got := strings.Count(v.String(), "\x1b["); got != 2 || !strings.Contains(v.String(), "\x1b[31mfailed\x1b[0m") {
		t.Errorf("%q", v.String())
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second:                  "0s",
		1240 * time.Millisecond:       "1.2s",
		185 * time.Second:             "3m 5s",
		2*time.Hour + 4*time.Minute:   "2h 4m",
		73*time.Hour + 59*time.Minute: "3d 1h",
	} {
		if got := duration(d); got != want {
			t.Errorf("duration(%v) = %q, want %q", d, got, want)
		}
	}
}
