package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/engine"
)

// The views of lists: one table for each kind of thing.

func flowsTable(v *view, flows []engine.FlowView) {
	rows := make([][]string, 0, len(flows))
	for _, f := range flows {
		next := v.instant(f.NextAt)
		switch {
		case !f.Enabled:
			next = "disabled"
		case f.Paused:
			next = strings.TrimSpace(next + " (paused)")
		}
		rows = append(rows, []string{f.Name, f.Group, f.Team, f.Schedule, next, strconv.Itoa(len(f.Tasks))})
	}
	v.table([]string{"FLOW", "GROUP", "TEAM", "SCHEDULE", "NEXT", "TASKS"}, rows)
}

func tasksTable(v *view, tasks []engine.TaskView) {
	rows := make([][]string, 0, len(tasks))
	for _, t := range tasks {
		timeout := ""
		if t.TimeoutS > 0 {
			timeout = seconds(t.TimeoutS)
		}
		id := t.ID
		if t.Paused {
			id += " (paused)"
		}
		needs := strings.Join(t.Needs, ", ")
		if t.Gate != "" {
			needs = strings.TrimPrefix(needs+", gate "+t.Gate, ", ")
		}
		rows = append(rows, []string{id, t.Runner, strconv.Itoa(t.RetryMax), timeout, takes(t), needs})
	}
	v.table([]string{"TASK", "RUNNER", "RETRIES", "TIMEOUT", "TAKES", "NEEDS"}, rows)
}

// takes is how long a task usually takes, empty when that is not known.
func takes(t engine.TaskView) string {
	if t.Samples == 0 {
		return ""
	}
	return seconds(t.MeanS) + " ± " + seconds(t.DeviationS)
}

func runsTable(v *view, runs []engine.RunView) {
	rows := make([][]string, 0, len(runs))
	for _, r := range runs {
		rows = append(rows, []string{
			r.Name, runState(r), string(r.Kind), v.at(r.CreatedAt), v.instant(r.StartedAt), v.took(r.StartedAt, r.FinishedAt),
		})
	}
	v.table([]string{"RUN", "STATE", "KIND", "CREATED", "STARTED", "TOOK"}, rows)
}

// runState is the state of a run, and whether it is held.
func runState(r engine.RunView) string {
	if r.Paused {
		return string(r.State) + " (paused)"
	}
	return string(r.State)
}

func taskRunsTable(v *view, tasks []engine.TaskRunView) {
	rows := make([][]string, 0, len(tasks))
	for _, t := range tasks {
		remark := note(t)
		if t.GateAskedAt != nil && t.GateReleasedAt == nil && t.State == engine.Waiting {
			remark = "waits for its gate since " + v.instant(t.GateAskedAt)
		}
		rows = append(rows, []string{
			t.Name, string(t.State), strconv.Itoa(t.Attempts), v.instant(t.StartedAt), v.took(t.StartedAt, t.FinishedAt), remark,
		})
	}
	v.table([]string{"TASK", "STATE", "ATTEMPTS", "STARTED", "TOOK", "NOTE"}, rows)
}

// note is what there is to say of a task run besides its state.
func note(t engine.TaskRunView) string {
	var parts []string
	if t.Reference != "" {
		parts = append(parts, "as in "+t.Reference)
	}
	if w := why(t.Code, t.Message); w != "" {
		parts = append(parts, w)
	}
	if len(t.Outputs) > 0 {
		parts = append(parts, pairs(t.Outputs))
	}
	return strings.Join(parts, "; ")
}

func attemptsTable(v *view, attempts []engine.AttemptView) {
	rows := make([][]string, 0, len(attempts))
	for _, a := range attempts {
		rows = append(rows, []string{
			a.TaskRun, strconv.Itoa(a.No), string(a.State), a.Agent, v.at(a.AssignedAt), v.took(a.StartedAt, a.FinishedAt), why(a.Code, a.Message),
		})
	}
	v.table([]string{"TASK RUN", "NO", "STATE", "AGENT", "ASSIGNED", "TOOK", "NOTE"}, rows)
}

func agentsTable(v *view, agents []engine.AgentView) {
	rows := make([][]string, 0, len(agents))
	for _, a := range agents {
		rows = append(rows, []string{
			a.Name, agentState(a), fmt.Sprintf("%d/%d", a.Running, a.Slots), loadOf(a), memoryOf(a), diskOf(a), strings.Join(a.Labels, ","),
			a.Version, v.instant(a.CertificateEndsAt), v.at(a.LastSeen),
		})
	}
	v.table([]string{"AGENT", "STATE", "RUNNING", "LOAD", "MEMORY FREE", "DISK FREE", "LABELS", "VERSION", "CERTIFICATE", "SEEN"}, rows)
}

func tokensTable(v *view, tokens []engine.AgentTokenView) {
	rows := make([][]string, 0, len(tokens))
	for _, t := range tokens {
		rows = append(rows, []string{t.ID, t.By, v.at(t.MadeAt), v.at(t.ExpiresAt), strings.Join(t.Labels, ","), strings.Join(t.Accounts, ",")})
	}
	v.table([]string{"ID", "BY", "MADE", "EXPIRES", "LABELS", "ACCOUNTS"}, rows)
}

// agentState is whether an agent is connected, and whether it is kept from being given work.
func agentState(a engine.AgentView) string {
	if a.DrainedBy != "" {
		return a.State + " (drained)"
	}
	if a.Full != "" && a.State == "connected" {
		return a.State + " (full)"
	}
	return a.State
}

func backfillsTable(v *view, backfills []engine.BackfillView) {
	rows := make([][]string, 0, len(backfills))
	for _, b := range backfills {
		rows = append(rows, []string{
			number(b.ID), string(b.State), b.From + ".." + b.To, progress(b), strconv.Itoa(b.Failed), some(b.Flows), b.By, v.at(b.CreatedAt),
		})
	}
	v.table([]string{"ID", "STATE", "PERIODS", "ENDED", "FAILED", "FLOWS", "BY", "CREATED"}, rows)
}

func revisionsTable(v *view, revisions []engine.RevisionView) {
	rows := make([][]string, 0, len(revisions))
	for _, r := range revisions {
		rows = append(rows, []string{
			number(r.ID), r.State, commit(r.Commit), flowCount(r), v.at(r.SeenAt), r.Author, r.Subject,
		})
	}
	v.table([]string{"REVISION", "STATE", "COMMIT", "FLOWS", "SEEN", "AUTHOR", "SUBJECT"}, rows)
}

// flowCount is how many flows the active revision has; of others the server does not tell.
func flowCount(r engine.RevisionView) string {
	if r.State != "active" {
		return ""
	}
	return strconv.Itoa(r.Flows)
}

func operationsTable(v *view, operations []engine.OperationView) {
	rows := make([][]string, 0, len(operations))
	for _, o := range operations {
		rows = append(rows, []string{v.at(o.At), o.By, o.Verb, o.Target, o.Detail})
	}
	v.table([]string{"AT", "BY", "VERB", "TARGET", "DETAIL"}, rows)
}

func pausesTable(v *view, pauses []engine.PauseView) {
	rows := make([][]string, 0, len(pauses))
	for _, p := range pauses {
		what := p.Target
		if p.ScheduledAfter != nil {
			what = "all scheduled after " + v.instant(p.ScheduledAfter)
		}
		rows = append(rows, []string{what, p.By, v.at(p.At)})
	}
	v.table([]string{"PAUSED", "BY", "AT"}, rows)
}

func eventsTable(v *view, events []engine.EventView) {
	rows := make([][]string, 0, len(events))
	for _, e := range events {
		lines := []string{e.Detail}
		if e.Kind == flow.DailyReport { // a list
			lines = strings.Split(e.Detail, "\n")
		}
		rows = append(rows, []string{v.at(e.At), string(e.Kind), e.Subject, e.Agent, lines[0]})
		for _, line := range lines[1:] {
			rows = append(rows, []string{"", "", "", "", line})
		}
	}
	v.table([]string{"AT", "KIND", "SUBJECT", "AGENT", "DETAIL"}, rows)
}

// findings shows diagnostics as `flowctl validate` does, without the snippets: the server has the files, not this host.
func findings(v *view, all []diag.Diagnostic) {
	_ = diag.WriteText(v, all, diag.TextOptions{Color: v.color}) // a view takes everything
}

// ended counts the periods of a backfill that are dealt with: their runs ended, or were there before and are left alone.
func ended(b engine.BackfillView) int { return min(b.Succeeded+b.Failed+b.Skipped, b.Total) }

func progress(b engine.BackfillView) string { return fmt.Sprintf("%d/%d", ended(b), b.Total) }

// some names the first of many.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func pairs(m map[string]string) string {
	var b strings.Builder
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(k + "=" + m[k])
	}
	return b.String()
}

func number[ID ~int64](id ID) string { return strconv.FormatInt(int64(id), 10) }
