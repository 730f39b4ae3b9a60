package control

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"flowctl/dsl/diag"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
	"flowctl/engine/core"
)

// instant returns nil for an instant that is not known yet.
func instant(i period.Instant) *time.Time {
	if i == 0 {
		return nil
	}
	t := i.Time()
	return &t
}

func runView(r *engine.Run, commit string, paused []engine.Pause) engine.RunView {
	return engine.RunView{
		ID: r.ID, Name: r.Name(""), Flow: r.Flow, Period: r.Label,
		PeriodStart: r.Period.Start.Time(), PeriodEnd: r.Period.End.Time(),
		Version: r.Version, Kind: r.Kind, State: r.State, Revision: r.Revision, Commit: commit, Pinned: r.Pinned, Paused: pausedRun(paused, r),
		Backfill: r.Backfill, Params: r.Params, CreatedAt: r.Created.Time(), ScheduledAt: r.Due.Time(),
		StartedAt: instant(r.Started), FinishedAt: instant(r.Finished),
	}
}

func taskRunView(r *engine.Run, t *engine.TaskRun, from string) engine.TaskRunView {
	return engine.TaskRunView{
		Name: r.Name(t.Task), Task: t.Task, Run: t.Run, State: t.State, Attempts: t.Attempts, Attempt: t.Attempt,
		Reference: from, Code: t.Code, Message: t.Message, Outputs: t.Outputs,
		StartedAt: instant(t.Started), FinishedAt: instant(t.Finished),
		DependencyLateAt: instant(t.DependencyLate), OutputLateAt: instant(t.OutputLate),
		GateAskedAt: instant(t.GateAsked), GateReleasedAt: instant(t.GateReleased),
	}
}

func attemptView(r *engine.Run, a *engine.Attempt) engine.AttemptView {
	v := engine.AttemptView{
		ID: a.ID, TaskRun: r.Name(a.Task), Run: a.Run, No: a.No, Agent: a.Agent, State: a.State, Code: a.Code, Message: a.Message,
		AssignedAt: a.Assigned.Time(), StartedAt: instant(a.Started), FinishedAt: instant(a.Finished),
		MaxRSS: a.MaxRSS, CPUS: float64(a.CPU) / 1e6, Read: a.Read, Written: a.Written,
	}
	if a.Finished != 0 && a.ExitCode >= 0 {
		v.ExitCode = &a.ExitCode
	}
	return v
}

func revisionView(r *engine.Revision, flows int) engine.RevisionView {
	state := "superseded"
	switch {
	case r.Rejected:
		state = "rejected"
	case r.Active:
		state = "active"
	}
	found := r.Diagnostics
	if found == nil {
		found = []diag.Diagnostic{}
	}
	return engine.RevisionView{
		ID: r.ID, Commit: r.Commit, Author: r.Author, Subject: r.Subject, CommittedAt: r.CommittedAt.UTC(), SeenAt: r.SeenAt.UTC(),
		State: state, Flows: flows, Diagnostics: found,
	}
}

func flowView(f *flow.Flow, cursor period.Instant, paused []engine.Pause) engine.FlowView {
	v := engine.FlowView{
		Name: f.Name, Description: f.Description, Team: f.Team, Owner: f.Owner, Group: f.Group, Folder: f.Folder,
		Labels: f.Labels, Priority: f.Priority, Enabled: f.Enabled, Schedule: f.Schedule.String(), Kind: f.Schedule.Kind().String(),
		Tasks: make([]string, len(f.Tasks)), File: f.Pos.File, Line: f.Pos.Line, Paused: pausedTask(paused, f, ""),
	}
	for i, t := range f.Tasks {
		v.Tasks[i] = t.Name
	}
	if f.Enabled && f.Schedule.Kind() != period.Demand {
		if next, ok := f.Schedule.FirstEndingAfter(cursor); ok {
			v.NextAt = instant(f.Schedule.Due(next))
		}
	}
	return v
}

func taskView(f *flow.Flow, t *flow.Task, paused []engine.Pause) engine.TaskView {
	v := engine.TaskView{
		ID: f.ID(t), Flow: f.Name, Name: t.Name, Runner: t.Runner, Needs: []string{}, RetryMax: t.Retry.Limit,
		TimeoutS: t.Timeout.Seconds(), Paused: pausedTask(paused, f, t.Name),
	}
	if t.Gate != nil {
		v.Gate = gateText(t.Gate)
	}
	for _, n := range t.Needs {
		v.Needs = append(v.Needs, n.Flow+"/"+n.Task+ruleText(n.Rule))
	}
	return v
}

// gateText is the URL of a quality gate as its flow has it, up to the query.
func gateText(g *flow.Gate) string {
	var b strings.Builder
	for _, p := range g.URL.Parts {
		if p.Expr != "" {
			b.WriteString("${{ " + p.Expr + " }}")
			continue
		}
		text, _, cut := strings.Cut(p.Lit, "?")
		b.WriteString(text)
		if cut {
			break
		}
	}
	scheme, rest, _ := strings.Cut(b.String(), "://")
	host, path, _ := strings.Cut(rest, "/")
	return scheme + "://" + host[strings.LastIndex(host, "@")+1:] + "/" + path
}

func ruleText(r period.Rule) string {
	switch r.Kind {
	case period.Offset:
		if r.N == 1 {
			return " (previous)"
		}
		return " (" + itoa(r.N) + " periods before)"
	case period.Last:
		return " (last " + itoa(r.N) + ")"
	case period.Latest:
		return " (latest)"
	}
	return ""
}

func agentView(a *engine.Agent, s core.AgentState, now time.Time) engine.AgentView {
	v := engine.AgentView{
		Name: a.Name, State: "lost", Labels: append([]string{}, a.Labels...), Slots: a.Slots, Running: len(s.Live),
		Version: a.Version, LastSeen: a.LastSeen.UTC(), JoinedAt: a.JoinedAt.UTC(),
		Host: a.Host.Name, HeartbeatS: a.Host.Interval.Seconds(), CPUs: float64(a.Host.CPU) / 1000, Memory: a.Host.Memory,
		TaskCPUs: float64(a.Host.TaskCPU) / 1000, TaskMemory: a.Host.TaskMemory, Accounts: append([]string{}, a.Host.Users...),
	}
	if s.Connected {
		v.State, v.LastSeen = "connected", now.UTC()
	}
	if ends := a.CertificateEnds.UTC(); !ends.IsZero() {
		v.CertificateEndsAt = &ends
	}
	if revoked := a.Revoked.UTC(); !revoked.IsZero() {
		v.State, v.RevokedAt = "revoked", &revoked
	}
	if started := a.Host.Started.UTC(); !started.IsZero() {
		v.StartedAt = &started
	}
	if b := s.Beat; s.BeatAt != 0 {
		v.Heartbeat = &engine.Heartbeat{
			At: s.BeatAt.Time(), CPUUsed: float64(b.CPU) / 1000, Load: float64(b.Load) / 1000,
			MemoryFree: b.MemoryFree, Disk: b.Disk, DiskFree: b.DiskFree,
		}
	}
	v.Full = s.Full
	v.DrainedBy, v.DrainedAt = s.Drain.By, instant(s.Drain.At)
	return v
}

func backfillView(b *engine.BackfillRow) engine.BackfillView {
	return engine.BackfillView{
		ID: b.ID, State: b.State, Flows: b.Flows, From: b.From, To: b.To, Total: b.Total, Created: b.Created, Skipped: b.Skipped, Unfinished: b.Unfinished,
		Succeeded: b.Succeeded, Failed: b.Failed, MaxActive: b.MaxActive, Revision: b.Revision, By: b.By,
		CreatedAt: b.CreatedAt.Time(), FinishedAt: instant(b.FinishedAt),
	}
}

// inOrder sorts the task runs of a run so that needs come first, as the flow has them; tasks that the flow does not know come last.
func inOrder(ts []engine.TaskRunView, f *flow.Flow) {
	index := func(name string) int {
		if f != nil {
			if t := f.Task(name); t != nil {
				return t.Index
			}
		}
		return len(ts) + 1
	}
	slices.SortStableFunc(ts, func(a, b engine.TaskRunView) int { return cmp.Compare(index(a.Task), index(b.Task)) })
}

// page cuts a part out of a list that is in memory. The cursor is the name of the last item before the part.
func page[T any](all []T, name func(T) string, p engine.Page) *engine.List[T] {
	from := 0
	if p.Cursor != "" {
		from = len(all)
		for i, item := range all {
			if name(item) > p.Cursor {
				from = i
				break
			}
		}
	}
	to := min(len(all), from+limit(p))
	l := &engine.List[T]{Items: append([]T{}, all[from:to]...)}
	if to < len(all) {
		l.Next = name(all[to-1])
	}
	return l
}

// limit is how many items a page has.
func limit(p engine.Page) int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, 1000)
}
