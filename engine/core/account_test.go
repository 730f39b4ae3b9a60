package core

import (
	"testing"
	"time"

	"flowctl/engine"
)

const accountFlow = `flow: f
team: data
schedule: {every: day}
tasks:
	a: {run: x, run_as: etl, retry: {limit: 3}}
	b: {run: x}
---
`

// TestAnAccountThatIsTakenFromTheTeamFailsTheTask: the run is pinned to a revision in which the team had it.
func TestAnAccountThatIsTakenFromTheTeamFailsTheTask(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ accounts, message string }{
		"another team": {
			"accounts: {etl: {user: etl, teams: [ops]}}",
			"team data may not run as account etl: add the team to its `teams`, or change `run_as` and rerun",
		},
		"no account": {
			"accounts: {other: {user: etl, teams: [ops]}}",
			"team data may not run as account etl: the account is no longer declared",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "2026-11-19T23:30:00Z")
			w.activate(accountFlow + "accounts: {etl: {user: etl, teams: [data]}}\n")
			w.join("one", 1)
			w.sleep(time.Hour)
			w.wantHeld("f/a@2026-11-19")
			w.finish("f/a@2026-11-19", engine.Failed) // it is retried
			w.activate("flow: g\nteam: data\ntasks:\n  x: {run: x}\n---\nteams: {ops: {members: [ann]}}\n---\n" + test.accounts + "\n")
			w.sleep(2 * time.Minute)
			w.wantHeld("f/b@2026-11-19")
			w.finish("f/b@2026-11-19", engine.Succeeded)
			row := w.rows.TaskRuns[engine.TaskRunKey{Run: w.run("f", "2026-11-19").ID, Task: "a"}]
			if row.State != engine.Failed || row.Code != engine.CodeAccount || row.Message != test.message || row.Attempts != 1 {
				t.Errorf("the task run is %+v", row)
			}
			w.wantEvents("failed/1/a", "retrying/1/a/1")
		})
	}
}

// TestARefusedAccountWaitsForNoAgent: the task fails at once, though there is nobody to run it.
func TestARefusedAccountWaitsForNoAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "2026-11-19T23:30:00Z")
	w.activate(accountFlow + "accounts: {etl: {user: etl, teams: [data]}}\n")
	w.join("one", 1)
	w.sleep(time.Hour)
	w.wantHeld("f/a@2026-11-19")
	w.finish("f/a@2026-11-19", engine.Failed) // it is retried
	w.do(AgentLost{Agent: "one"})
	w.activate("flow: g\nteam: data\ntasks:\n  x: {run: x}\n---\nteams: {ops: {members: [ann]}}\n---\naccounts: {etl: {user: etl, teams: [ops]}}\n")
	w.sleep(2 * time.Minute)
	row := w.rows.TaskRuns[engine.TaskRunKey{Run: w.run("f", "2026-11-19").ID, Task: "a"}]
	if row.State != engine.Failed || row.Code != engine.CodeAccount {
		t.Errorf("the task run is %+v", row)
	}
}
