package core

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"flowctl/dsl"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// sim is a machine in a world that draws what happens: agents come and go, reports are late or doubled, the server crashes, people
// operate. Every round is one event, one commit, its effects.
type sim struct {
	*rapid.T
	m       *Machine
	now     period.Instant
	rows    *rows
	revs    map[engine.RevisionID]*Revision
	repo    []simFlow
	hosts   map[string]*host
	paths   map[string]bool
	pending []Reported // said by agents, not yet heard
	heard   []Reported
	newest  engine.AttemptID
	log     []entry
	revived map[engine.RunID]bool // they had settled once, and went on
	judge   judge
	silent  []dueSilence

	questions map[engine.GateKey]put
	reports   []engine.GateReport     // of what became of questions, not yet heard
	released  map[engine.GateKey]bool // by a gate or an operator
}

// put is how a question was put to a gate.
type put struct {
	since    bool // the last crash
	revision engine.RevisionID
}

// entry is one step that a replay must repeat: a machine rebuilt, an event handled, or an output taken.
type entry struct {
	at       period.Instant
	snapshot *engine.Snapshot
	event    Event
	took     string
}

// host is an agent and what its machine executes.
type host struct {
	boot      int
	connected bool
	held      map[engine.AttemptID]*execution
}

type execution struct {
	as      *engine.Assignment
	started bool
	given   bool           // up by an operator, who declared the agent dead
	result  *engine.Result // nil = it runs
	until   period.Instant // when its lease ends, unless it is renewed
}

// dueSilence is a silence that is sent back at an instant.
type dueSilence struct {
	at period.Instant
	Silent
}

// simFlow is a flow as the generator has it.
type simFlow struct {
	name, schedule string
	extra          []string
	tasks          []simTask
}

type simTask struct {
	name   string
	former []string // its ids before
	needs  []string
	fields []string
}

func (f *simFlow) yaml(b *strings.Builder) {
	fmt.Fprintf(b, "---\nflow: %s\nteam: data\n", f.name)
	if f.schedule != "" {
		fmt.Fprintf(b, "schedule: {%s}\n", f.schedule)
	}
	for _, x := range f.extra {
		b.WriteString(x + "\n")
	}
	b.WriteString("tasks:\n")
	for _, t := range f.tasks {
		fields := append([]string{`run: "true"`}, t.fields...)
		if len(t.needs) > 0 {
			fields = append(fields, "needs: ["+strings.Join(t.needs, ", ")+"]")
		}
		if len(t.former) > 0 {
			fields = append(fields, "formerly: ["+strings.Join(t.former, ", ")+"]")
		}
		fmt.Fprintf(b, "  %s: {%s}\n", t.name, strings.Join(fields, ", "))
	}
}

func (s *sim) pick(label string, list ...string) string {
	return rapid.SampledFrom(list).Draw(s.T, label)
}

func (s *sim) chance(label string, percent int) bool {
	return rapid.IntRange(0, 99).Draw(s.T, label) < percent
}

func (s *sim) drawFlow(i int, before []simFlow) simFlow {
	f := simFlow{name: "f" + strconv.Itoa(i)}
	f.schedule = s.pick("schedule", "every: hour", "every: day", "every: day, at: '03:00'", `cron: "20 */3 * * *"`, "every: week", "")
	if f.schedule != "" && s.chance("start", 50) {
		f.schedule += ", start: 2026-11-16"
	}
	if f.schedule != "" && s.chance("missed", 40) {
		f.schedule += s.pick("which", ", missed: latest", ", missed: none")
	}
	if s.chance("limit runs", 30) {
		f.extra = append(f.extra, s.pick("runs", "concurrency: {runs: 1}", "concurrency: {runs: 2, order: newest}"))
	}
	if s.chance("expires", 15) {
		f.extra = append(f.extra, s.pick("expire", "expire_after: 2h", "expire_after: 12h"))
	}
	if s.chance("priority", 20) {
		f.extra = append(f.extra, s.pick("level", "priority: 1", "priority: 8"))
	}
	for k := range rapid.IntRange(1, 3).Draw(s.T, "tasks") {
		f.tasks = append(f.tasks, s.drawTask(&f, k, before))
	}
	return f
}

func (s *sim) drawTask(f *simFlow, k int, before []simFlow) simTask {
	t := simTask{name: "t" + strconv.Itoa(k)}
	for _, up := range f.tasks {
		if s.chance("local need", 50) {
			t.needs = append(t.needs, up.name)
		}
	}
	// A run that has a place of its flow can lose it to another in a restart, before it has started, and then asks its conditions later.
	limited := slices.ContainsFunc(f.extra, func(x string) bool { return strings.HasPrefix(x, "concurrency") })
	if len(t.needs) > 0 && !limited && s.chance("when", 20) {
		t.fields = append(t.fields, "when: needs."+t.needs[0]+".state == 'succeeded'")
	}
	if strings.Contains(f.schedule, "start") && s.chance("needs itself", 30) {
		t.needs = append(t.needs, "{task: "+t.name+", periods: previous}")
	}
	if len(before) > 0 && s.chance("outer need", 50) {
		up := rapid.SampledFrom(before).Draw(s.T, "upstream")
		name := up.name + "/" + rapid.SampledFrom(up.tasks).Draw(s.T, "upstream task").name
		rule := s.pick("rule", "", "", "previous", "{offset: -2}", "{last: 2}", "latest")
		if rule == "" || up.schedule == "" || f.schedule == "" {
			t.needs = append(t.needs, name)
		} else {
			t.needs = append(t.needs, "{task: "+name+", periods: "+rule+"}")
		}
	}
	add := func(percent int, options ...string) {
		if s.chance("field", percent) {
			t.fields = append(t.fields, s.pick("value", options...))
		}
	}
	add(30, "retry: {limit: 1, delay: 1m}", "retry: {limit: 2, delay: 10m, backoff: 3}")
	add(20, "concurrency: 1", "concurrency: 2")
	add(15, "inputs: [/p/a]", "inputs: [/p/a, /p/b]")
	add(15, "signals: [daily]", "signals: [hourly]", "signals: [daily, hourly]")
	add(15, "start_after: 30m", "start_after: 5h")
	add(30, "on_agent_lost: restart", "on_agent_lost: restart, lost_after: 2m", "on_agent_lost: fail")
	add(20, "pool: p", "pool: {name: p, slots: 2}")
	add(20, "gate: {url: 'http://dq/check'}", "gate: {url: 'http://dq/check', timeout: 2h}", "gate: {url: 'http://dq/other', timeout: 20m}")
	add(15, "agents: {labels: [big]}")
	add(10, "outputs: [/p/a]")
	add(15, "dependency_timeout: 1h", "output_timeout: 2h")
	if len(t.needs) > 0 {
		add(30, "trigger_rule: all_done", "trigger_rule: one_success", "trigger_rule: one_failed")
	}
	return t
}

// newSim draws a repository and starts a machine on it.
func newSim(t *rapid.T) *sim {
	s := &sim{
		T: t, m: New(), now: period.At(time.Date(2026, 11, 19, 21, 30, 0, 0, time.UTC)), rows: newRows(t),
		revs: map[engine.RevisionID]*Revision{}, hosts: map[string]*host{}, paths: map[string]bool{},
		revived: map[engine.RunID]bool{}, judge: newJudge(), questions: map[engine.GateKey]put{}, released: map[engine.GateKey]bool{},
	}
	s.log = append(s.log, entry{})
	s.m.RedispatchAfter = simRedispatch
	for i := range rapid.IntRange(2, 5).Draw(t, "flows") {
		s.repo = append(s.repo, s.drawFlow(i, s.repo))
	}
	if !s.activate(s.repo) {
		t.Skip("the drawn repository does not compile")
	}
	s.join("one")
	return s
}

// hostSlots is how many attempts a host takes at once.
const hostSlots = 3

// hostLabels are the labels of a host.
func hostLabels(name string) []string {
	if name == "two" {
		return []string{"big"}
	}
	return nil
}

// simRedispatch is rare enough for steps of time to be short.
const simRedispatch = 20 * time.Minute

// poolSlots is the size of the pool that tasks share.
const poolSlots = 2

const signalsYAML = "signals: {daily: {every: day, teams: [data]}, hourly: {every: hour, teams: [data]}}\n"

// activate makes a repository the active revision, if it compiles.
func (s *sim) activate(repo []simFlow) bool {
	var b strings.Builder
	for i := range repo {
		repo[i].yaml(&b)
	}
	p, _ := dsl.New().Compile([]dsl.File{
		{Path: "flowctl.yaml", Mode: 0o644, Data: []byte("version: 1\ntimezone: UTC\n")},
		{Path: "teams.yaml", Mode: 0o644, Data: []byte(strings.SplitN(settings, "---\n", 2)[1])},
		{Path: "pools.yaml", Mode: 0o644, Data: fmt.Appendf(nil, "pools: {p: {slots: %d}}\n", poolSlots)},
		{Path: "signals.yaml", Mode: 0o644, Data: []byte(signalsYAML)},
		{Path: "flows.yaml", Mode: 0o644, Data: []byte(strings.TrimPrefix(b.String(), "---\n"))},
	})
	if p == nil {
		return false
	}
	rev := &Revision{ID: engine.RevisionID(len(s.revs) + 1), Commit: fmt.Sprintf("c%d", len(s.revs)+1), Tree: p.Hash, Project: p}
	s.revs[rev.ID] = rev
	s.rows.Active = rev.ID
	s.repo = repo
	s.Logf("revision %d:\n%s", rev.ID, b.String())
	s.judge.activated(s.now, p)
	s.do(Activated{Revision: rev})
	return true
}

// handle applies an event. It never panics, and refuses only operators.
func (s *sim) handle(ev Event) (any, error) {
	s.log = append(s.log, entry{at: s.now, event: ev})
	reply, err := s.m.Handle(s.now, ev)
	if _, ok := err.(*engine.Error); err != nil && !ok {
		s.Fatalf("%T: %v", ev, err)
	}
	return reply, err
}

func (s *sim) do(ev Event) {
	_, _ = s.handle(ev)
	s.settle()
}

// settle commits, and performs effects, until no question is open.
func (s *sim) settle() {
	for {
		out := s.take()
		questions := s.perform(out)
		s.m.Done()
		if len(questions) == 0 {
			break
		}
		for _, ev := range questions {
			_, _ = s.handle(ev)
		}
	}
	s.noGap()
	s.expected()
	s.told()
	s.asJudged()
}

// take commits what changed.
func (s *sim) take() *Output {
	out := s.m.Take()
	s.log = append(s.log, entry{took: transcript(out)})
	for _, r := range out.Changes.Runs {
		if old, ok := s.rows.Runs[r.ID]; ok && old.State != engine.RunActive && r.State == engine.RunActive {
			s.revived[r.ID] = true
		}
	}
	s.rows.apply(&out.Changes)
	for _, a := range out.Changes.Attempts {
		if a.ID > s.newest && a.State == engine.Assigned {
			s.mayStart(&a)
		}
	}
	for _, a := range out.Changes.Attempts {
		s.newest = max(s.newest, a.ID)
	}
	return out
}

func transcript(out *Output) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", out.Changes)
	for _, name := range sortedKeys(out.Assign) {
		for _, as := range out.Assign[name] {
			fmt.Fprintf(&b, "assign %s %+v\n", name, *as)
		}
	}
	fmt.Fprintf(&b, "%v %v %v %v %v %v %v %v %v %v", out.Kill, out.Recall, out.Ack, out.Probe, out.Silences, out.Questions, out.Lookups, out.Existing,
		out.Wake, out.Overdue)
	return b.String()
}

// perform does what a committed round asks for and returns the answers to its questions.
func (s *sim) perform(out *Output) []Event {
	for name, as := range out.Assign {
		if h := s.hosts[name]; h.connected {
			for _, a := range as {
				if h.held[a.Attempt] == nil {
					s.alone(a)
					h.held[a.Attempt] = &execution{as: a}
				}
			}
		}
	}
	for name, ids := range out.Ack {
		if h := s.hosts[name]; h.connected {
			for _, id := range ids {
				delete(h.held, id)
			}
		}
	}
	for _, name := range sortedKeys(out.Kill) {
		for _, id := range out.Kill[name] {
			s.kill(name, id)
		}
	}
	for i := range out.Questions {
		s.askGate(&out.Questions[i])
	}
	for _, name := range sortedKeys(out.Recall) {
		for _, id := range out.Recall[name] {
			s.recall(name, id)
		}
	}
	for _, x := range out.Silences {
		s.silent = append(s.silent, dueSilence{s.now.Add(x.After), x})
	}
	var questions []Event
	for _, q := range out.Existing {
		questions = append(questions, ExistingAnswered{Backfill: q.Backfill, Keys: q.Keys, Found: s.rows.Existing(q.Keys)})
	}
	if len(out.Lookups) > 0 {
		keys := slices.Clone(out.Lookups)
		questions = append(questions, LedgerAnswered{Keys: keys, Answers: s.rows.Outcomes(keys)})
	}
	if ids := s.rows.Waiting(out.Wake); len(ids) > 0 {
		questions = append(questions, Loaded{Rows: s.load(s.m, ids)})
	}
	if len(out.Overdue) > 0 {
		questions = append(questions, Overdue{Rows: s.load(s.m, out.Overdue)})
	}
	for _, name := range sortedKeys(out.Probe) {
		var ps []engine.PathState
		for _, p := range out.Probe[name] {
			ps = append(ps, engine.PathState{Path: p, Exists: s.paths[p]})
		}
		questions = append(questions, Probed{Agent: name, Paths: ps})
	}
	return questions
}

// askGate puts a question to a gate: once, and again only after a crash when the gate was not known to have it. It may be out of reach.
func (s *sim) askGate(q *engine.GateQuestion) {
	row := s.rows.TaskRuns[engine.TaskRunKey{Run: q.Run, Task: q.Task}]
	if row.GateAsked != q.Asked || row.GateTaken != 0 || row.GateReleased != 0 {
		s.Fatalf("%s: the question of %d is put, and stored is %+v", q.TaskRun, q.Asked, row)
	}
	if s.questions[q.GateKey].since {
		s.Fatalf("%s: the question of %d is put twice", q.TaskRun, q.Asked)
	}
	follows := s.rows.Runs[q.Run].Revision
	for other, p := range s.questions {
		if other.Run == q.Run && other.Task == q.Task && other.Asked != q.Asked && p.revision == follows {
			s.Fatalf("%s was asked about at %d and again at %d", q.TaskRun, other.Asked, q.Asked)
		}
	}
	s.questions[q.GateKey] = put{since: true, revision: follows}
	report := engine.GateReport{GateKey: q.GateKey}
	switch rapid.IntRange(0, 5).Draw(s.T, "gate") {
	case 0:
		report.Error = "connection refused"
	case 1:
		report.Answer = &engine.GateAnswer{Release: true}
	case 2:
		report.Answer = &engine.GateAnswer{Message: "rows are missing"}
	}
	s.reports = append(s.reports, report)
}

// hearGate lets the machine hear of a question what became of it.
func (s *sim) hearGate(i int) {
	r := s.reports[i]
	s.reports = slices.Delete(s.reports, i, i+1)
	if r.Answer != nil && r.Answer.Release {
		s.released[r.GateKey] = true
	}
	s.do(GateReported{r})
}

// answerGate lets a gate call back. As with operators, only the newest run of a period is acted on.
func (s *sim) answerGate(k engine.GateKey, release bool) {
	r := s.rows.Runs[k.Run]
	if _, standing := s.rows.Highest(r.Flow, r.Period.Start); r.ID == 0 || !r.Extra && standing.ID != r.ID {
		return
	}
	if release {
		s.released[k] = true
	}
	s.do(AnswerGate{
		By: GateCaller, Run: k.Run, Task: k.Task, Asked: k.Asked, Answer: engine.GateAnswer{Release: release},
		Rows: s.load(s.m, []engine.RunID{k.Run}),
	})
}

func (s *sim) load(m *Machine, ids []engine.RunID) *engine.Snapshot {
	rows := s.rows.LoadRuns(ids)
	for _, r := range rows.Runs {
		m.Hold(s.revs[r.Revision])
	}
	return rows
}

func (s *sim) kill(name string, id engine.AttemptID) {
	h := s.hosts[name]
	if !h.connected {
		return
	}
	report := engine.Report{Attempt: id, Kind: engine.ReportUnknown}
	if x := h.held[id]; x != nil {
		if x.result == nil {
			x.result = &engine.Result{State: engine.Killed, Code: engine.CodeKilled, ExitCode: -1}
		}
		report = engine.Report{Attempt: id, Kind: engine.ReportFinished, Result: *x.result}
	}
	s.pending = append(s.pending, Reported{Agent: name, Reports: []engine.Report{report}})
}

// recall lets a host give an attempt back that it has not started. Another one is just being started.
func (s *sim) recall(name string, id engine.AttemptID) {
	h := s.hosts[name]
	x := h.held[id]
	if !h.connected || x == nil || x.result != nil { // its end is on its way
		return
	}
	report := engine.Report{Attempt: id, Kind: engine.ReportStarted}
	if !x.started && id%3 > 0 {
		delete(h.held, id)
		report.Kind, report.Message = engine.ReportRefused, "recalled"
	}
	x.started = true
	s.pending = append(s.pending, Reported{Agent: name, Reports: []engine.Report{report}})
}

// join opens an agent's stream, with all that it holds.
func (s *sim) join(name string) {
	h := s.hosts[name]
	if h == nil {
		h = &host{held: map[engine.AttemptID]*execution{}}
		s.hosts[name] = h
	}
	if h.connected {
		return
	}
	h.connected = true
	hello := engine.Hello{Name: name, BootID: strconv.Itoa(h.boot), Slots: hostSlots, Labels: hostLabels(name)}
	for _, id := range sortedKeys(h.held) {
		r := engine.Report{Attempt: id, Kind: engine.ReportStarted}
		if x := h.held[id]; x.result != nil {
			r.Kind, r.Result = engine.ReportFinished, *x.result
		}
		hello.Attempts = append(hello.Attempts, r)
	}
	s.do(AgentJoined{Hello: hello})
}

// alone is invariant 2 as the hosts see it: no other of them executes the task for that period. What an operator declared dead is the
// operator's word.
func (s *sim) alone(a *engine.Assignment) {
	for name, h := range s.hosts {
		for id, x := range h.held {
			if x.result == nil && !x.given && x.as.Flow == a.Flow && x.as.Task == a.Task && x.as.PeriodStart == a.PeriodStart && id != a.Attempt {
				s.Fatalf("attempt %d of %s/%s is given away while %s executes attempt %d", a.Attempt, a.Flow, a.Task, name, id)
			}
		}
	}
}

// unplug leaves what a host executes to its leases. The last word from the server is some time ago, for one sooner than for another.
func (s *sim) unplug(h *host) {
	h.connected = false
	for id, x := range h.held {
		x.until = s.now.Add(time.Duration(x.as.Lease)*time.Microsecond - time.Duration(id%7)*time.Second)
	}
}

// endLeases ends what has had no word from the server for too long.
func (s *sim) endLeases() {
	for _, h := range s.hosts {
		for _, x := range h.held {
			if !h.connected && x.as.Lease > 0 && x.until <= s.now && x.result == nil {
				x.result = &engine.Result{State: engine.Failed, Code: engine.CodeAgentLost, ExitCode: -1}
			}
		}
	}
}

// endSilences sends back the silences that are over.
func (s *sim) endSilences() {
	for i := 0; i < len(s.silent); {
		if x := s.silent[i]; x.at <= s.now {
			s.silent = slices.Delete(s.silent, i, i+1)
			s.do(x.Silent)
			i = 0
			continue
		}
		i++
	}
}

// lose closes an agent's stream: what was on its way is gone.
func (s *sim) lose(name string) {
	if h := s.hosts[name]; h != nil && h.connected {
		s.unplug(h)
		s.pending = slices.DeleteFunc(s.pending, func(r Reported) bool { return r.Agent == name })
		s.do(AgentLost{Agent: name})
	}
}

// end lets an execution end.
func (s *sim) end(name string, id engine.AttemptID, state engine.State) {
	h := s.hosts[name]
	x := h.held[id]
	if x == nil || x.result != nil {
		return
	}
	x.result = &engine.Result{State: state}
	if state == engine.Failed {
		x.result.Code, x.result.ExitCode = engine.CodeExit, 1
	}
	if h.connected {
		s.pending = append(s.pending, Reported{Agent: name, Reports: []engine.Report{{Attempt: id, Kind: engine.ReportFinished, Result: *x.result}}})
	}
}

// hear delivers one of the reports that are on their way. Those of one agent may overtake each other.
func (s *sim) hear(i int) {
	r := s.pending[i]
	s.pending = slices.Delete(s.pending, i, i+1)
	s.heard = append(s.heard, r)
	s.do(r)
}

// sleep lets time pass, with a tick at each instant that the machine asks for.
func (s *sim) sleep(d time.Duration, tick func()) {
	until := s.now.Add(d)
	for {
		at, ok := s.m.NextWake()
		for _, x := range s.silent {
			if !ok || x.at < at {
				at, ok = x.at, true
			}
		}
		if !ok || at > until {
			break
		}
		s.now = max(s.now, at)
		s.endLeases()
		s.endSilences()
		tick()
	}
	s.now = until
	s.endLeases()
}

// restore rebuilds the machine from the rows, at once or later. All streams are gone.
func (s *sim) restore() {
	s.endLeases()
	s.pending, s.heard, s.silent, s.reports = nil, nil, nil, nil
	for k, p := range s.questions {
		s.questions[k] = put{revision: p.revision}
	}
	s.now = s.now.Add(time.Millisecond) // so that no request comes at the instant of one before
	snapshot := s.rows.Snapshot()
	s.log = append(s.log, entry{at: s.now, snapshot: snapshot})
	m, err := Restore(s.now, snapshot, s.revs)
	if err != nil {
		s.Fatalf("restore: %v", err)
	}
	s.m, m.RedispatchAfter = m, simRedispatch
	s.judge.restarted(s.now)
	s.do(Boot{})
	if woken := s.rows.Woken(); len(woken) > 0 {
		s.do(Loaded{Rows: s.load(s.m, woken)})
	}
	s.judge.away = false
	s.asJudged()
}

// noGap is invariant 1, the part that rows.check does not see: each period of the present era has its run.
func (s *sim) noGap() {
	for _, f := range s.revs[s.rows.Active].Project.Flows {
		row, ok := s.rows.Flows[f.Name]
		if !ok || f.Schedule.Kind() == period.Demand || row.Removed || !f.Enabled {
			continue
		}
		for p := range f.Schedule.EndingIn(row.Era, row.Cursor) {
			if s.rows.deleted[engine.RunKey{Flow: f.Name, Start: p.Start}] {
				continue
			}
			if !slices.ContainsFunc(slices.Collect(maps.Values(s.rows.Runs)), func(r engine.Run) bool {
				return r.Flow == f.Name && r.Period == p && !r.Extra
			}) {
				s.Fatalf("%s has no run of %s", f.Name, f.Schedule.Label(p))
			}
		}
		if next, ok := f.Schedule.FirstEndingAfter(row.Cursor); ok && f.Schedule.Due(next) <= s.now {
			s.Fatalf("%s: period %s is due and was not generated", f.Name, f.Schedule.Label(next))
		}
	}
}

// expected is noGap as the monitor sees it: over the store's answers, whatever the machine has generated.
func (s *sim) expected() {
	all := Expected(s.m.Eras(), s.now.Add(-3*24*time.Hour), s.now)
	keys := make([]engine.RunKey, len(all))
	for i := range all {
		keys[i] = all[i].Key()
	}
	for _, e := range Unmet(all, s.rows.Existing(keys)) {
		if !s.rows.deleted[e.Key()] {
			s.Fatalf("%s: period %s is expected, and has no run", e.Flow.Name, e.Label())
		}
	}
}

// mayStart is invariant 3, read from the rows slowly and plainly.
func (s *sim) mayStart(a *engine.Attempt) {
	r := s.rows.Runs[a.Run]
	f := s.revs[r.Revision].Project.Flow(r.Flow)
	t := f.Task(a.Task)
	name := r.Name(a.Task)
	if _, standing := s.rows.Highest(r.Flow, r.Period.Start); !r.Extra && standing.ID != r.ID {
		s.Fatalf("%s started although %s replaced it", name, standing.Name(""))
	}
	if b, ok := s.rows.Backfills[r.Backfill]; ok && b.State == engine.BackfillPaused {
		s.Fatalf("%s started although its backfill is %s", name, b.State)
	}
	for _, p := range s.rows.Pauses {
		if p.Holds(&r, a.Task) {
			s.Fatalf("%s started although %q is paused", name, p.Target())
		}
	}
	s.withinLimits(name, a, &r, f, t)
	if r.Force {
		return
	}
	if at := r.Period.End.Add(t.StartAfter); t.StartAfter > 0 && at > s.now {
		s.Fatalf("%s started before %s", name, at.Time())
	}
	for _, in := range t.Inputs {
		if path, _ := in.Const(); !s.paths[path] {
			s.Fatalf("%s started without its input %s", name, path)
		}
	}
	s.needsHold(name, &r, f, t)
	s.signalsSet(name, &r, f, t)
	row := s.rows.TaskRuns[engine.TaskRunKey{Run: r.ID, Task: a.Task}]
	if t.Gate != nil && (row.GateReleased == 0 || !s.released[engine.GateKey{Run: r.ID, Task: a.Task, Asked: row.GateAsked}]) {
		s.Fatalf("%s started without its gate: %+v", name, row)
	}
}

// signalsSet looks for the periods of a task's signals that are not set.
func (s *sim) signalsSet(name string, r *engine.Run, f *flow.Flow, t *flow.Task) {
	if s.absentClass(r) == good {
		return
	}
	for _, signal := range t.Signals {
		x := s.revs[r.Revision].Project.Signals[signal]
		for _, p := range period.Join(x.Schedule, f.Schedule, r.Period, period.Rule{}) {
			if _, set := s.rows.Signals[engine.LedgerKey{Signal: signal, Start: p.Start}]; !set {
				s.Fatalf("%s started although signal %s is not set for %s", name, signal, x.Schedule.Label(p))
			}
		}
	}
}

// withinLimits compares an attempt with those that were assigned before it. Runs hold their place in a flow from before their first
// attempt, so only those count that had no wider limit; nor do runs that had settled and went on.
func (s *sim) withinLimits(name string, a *engine.Attempt, r *engine.Run, f *flow.Flow, t *flow.Task) {
	live, first, started, pooled := 0, true, map[engine.RunID]bool{}, 0
	for _, o := range s.rows.Attempts {
		of := s.rows.Runs[o.Run]
		if use := s.revs[of.Revision].Project.Flow(of.Flow).Task(o.Task).Pool; use != nil && o.State.Live() && o.ID <= a.ID {
			pooled += use.Slots
		}
		if of.Flow != r.Flow || o.ID >= a.ID {
			continue
		}
		first = first && o.Run != r.ID
		if o.State.Live() && o.Task == a.Task {
			live++
		}
		limit := s.revs[of.Revision].Project.Flow(of.Flow).MaxRuns
		if of.State == engine.RunActive && limit > 0 && limit <= f.MaxRuns && !s.revived[of.ID] {
			started[of.ID] = true
		}
	}
	switch {
	case t.Pool != nil && pooled > poolSlots:
		s.Fatalf("%s started: %d slots of its pool are taken, there are %d", name, pooled, poolSlots)
	case t.Concurrency > 0 && live >= t.Concurrency:
		s.Fatalf("%s started: %d are live, %d may be", name, live, t.Concurrency)
	case f.MaxRuns > 0 && first && len(started) >= f.MaxRuns:
		s.Fatalf("%s started: %d runs are active, %d may be", name, len(started), f.MaxRuns)
	}
}

func (s *sim) needsHold(name string, r *engine.Run, f *flow.Flow, t *flow.Task) {
	counts := map[class]int{}
	var told []string
	for i := range t.Needs {
		c := s.needClass(r, f, &t.Needs[i])
		counts[c]++
		told = append(told, fmt.Sprintf("%s/%s %v: %d", t.Needs[i].Flow, t.Needs[i].Task, t.Needs[i].Rule, c))
	}
	holds := counts[unmet]+counts[bad] == 0
	switch t.TriggerRule {
	case flow.AllDone:
		holds = counts[unmet] == 0
	case flow.OneSuccess:
		holds = counts[good] > 0 || len(t.Needs) == 0
	case flow.OneFailed:
		holds = counts[bad] > 0
	}
	if !holds {
		s.Fatalf("%s started although its needs do not hold under %s: %v", name, t.TriggerRule, told)
	}
}

func (s *sim) needClass(r *engine.Run, f *flow.Flow, n *flow.Need) class {
	if n.Local >= 0 {
		if row, ok := s.rows.TaskRuns[engine.TaskRunKey{Run: r.ID, Task: n.Task}]; ok {
			return classOf(row.State)
		}
	}
	up := s.revs[r.Revision].Project.Flow(n.Flow)
	if n.Local < 0 && (n.Rule.Kind == period.Latest || up.Schedule.Kind() == period.Demand) {
		ids := append([]string{n.Flow + "/" + n.Task}, up.Task(n.Task).Formerly...)
		for k, row := range s.rows.TaskRuns {
			if o := s.rows.Runs[k.Run]; slices.Contains(ids, o.Flow+"/"+k.Task) && !o.Extra && row.State.Satisfies() {
				if _, standing := s.rows.Highest(o.Flow, o.Period.Start); standing.ID != o.ID {
					continue
				}
				return good
			}
		}
		return s.absentClass(r)
	}
	starts := []period.Instant{r.Period.Start}
	if n.Local < 0 || f.Schedule.Kind() != period.Demand {
		starts = nil
		for _, p := range period.Join(up.Schedule, f.Schedule, r.Period, n.Rule) {
			starts = append(starts, p.Start)
		}
	}
	worst := good
	for _, start := range starts {
		switch c := s.upstreamClass(r, n, up, start); {
		case c == bad:
			return bad
		case c == unmet:
			worst = unmet
		}
	}
	return worst
}

func (s *sim) upstreamClass(r *engine.Run, n *flow.Need, up *flow.Flow, start period.Instant) class {
	_, standing := s.rows.Highest(n.Flow, start)
	var row engine.TaskRun
	has := false
	if standing != nil {
		row, has = s.rows.TaskRuns[engine.TaskRunKey{Run: standing.ID, Task: n.Task}]
	}
	switch {
	case has:
		return classOf(row.State)
	case n.Local < 0 || up.Schedule.Kind() != period.Demand: // a run of one task needs those of its flow that other runs had
		for _, id := range up.Task(n.Task).Formerly {
			former, task, _ := strings.Cut(id, "/")
			if _, old := s.rows.Highest(former, start); old != nil {
				if row, has := s.rows.TaskRuns[engine.TaskRunKey{Run: old.ID, Task: task}]; has {
					return classOf(row.State)
				}
			}
		}
	}
	switch {
	case standing != nil && !standing.Partial:
		return good // its revision does not have the task
	}
	return s.absentClass(r)
}

// absentClass is how a need on what no run exists for counts.
func (s *sim) absentClass(r *engine.Run) class {
	if r.Backfill != 0 && s.rows.Backfills[r.Backfill].MissingUpstream == "ignore" {
		return good
	}
	return unmet
}

// rebuilt is invariant 7: the machine built from the rows is the one that wrote them.
func (s *sim) rebuilt() {
	rows := s.rows
	defer func() { s.rows = rows }()
	s.rows = rows.clone()
	m, err := Restore(s.now, s.rows.Snapshot(), s.revs)
	if err != nil {
		s.Fatalf("restore: %v", err)
	}
	ask := []Event{Boot{}}
	for len(ask) > 0 {
		for _, ev := range ask {
			if _, err := m.Handle(s.now, ev); err != nil {
				s.Fatalf("%T: %v", ev, err)
			}
		}
		out := m.Take()
		s.rows.apply(&out.Changes)
		ask = nil
		for _, q := range out.Existing {
			ask = append(ask, ExistingAnswered{Backfill: q.Backfill, Keys: q.Keys, Found: s.rows.Existing(q.Keys)})
		}
		if len(out.Lookups) > 0 {
			keys := slices.Clone(out.Lookups)
			ask = append(ask, LedgerAnswered{Keys: keys, Answers: s.rows.Outcomes(keys)})
		}
		if ids := s.rows.Waiting(out.Wake); len(ids) > 0 {
			ask = append(ask, Loaded{Rows: s.load(m, ids)})
		}
		if len(out.Overdue) > 0 {
			ask = append(ask, Overdue{Rows: s.load(m, out.Overdue)})
		}
		m.Done()
	}
	was, is := s.m.snapshot(s.now), m.snapshot(s.now)
	var differs strings.Builder
	for _, k := range slices.Sorted(maps.Keys(union(was, is))) {
		if was[k] != is[k] {
			fmt.Fprintf(&differs, "%s:\n\tis  %s\n\twas %s\n", k, is[k], was[k])
		}
	}
	if differs.Len() > 0 {
		s.Fatalf("the rebuilt machine differs:\n%s", differs.String())
	}
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// snapshot describes what of a machine must survive its death. What depends on agents, paths and the order of events is found anew:
// whether a task run is ready or waits, and which of the runs that have not started are within their flow's concurrency.
func (m *Machine) snapshot(now period.Instant) map[string]string {
	found := map[string]string{}
	for id, r := range m.runs {
		row := r.row
		if !row.Pinned {
			row.Revision = r.rev.ID // the number that is stored may be of an equal flow
		}
		found["run "+r.row.Name("")] = fmt.Sprintf("%d %+v stands=%v open=%d spoiled=%d", id, row, r.stands, r.open, r.spoiled)
		for i := range r.tasks {
			t := &r.tasks[i]
			if !t.member {
				continue
			}
			row := t.row
			if row.State == engine.Ready {
				row.State = engine.Waiting
			}
			if row.GateTaken == 0 && row.GateReleased == 0 { // it is asked when nothing else holds it, as when it is ready
				row.GateAsked = 0
			}
			text := fmt.Sprintf("%+v", row)
			if !row.State.Final() {
				text += fmt.Sprintf(" unmet=%d bad=%d good=%d unset=%d live=%v", t.unmet, t.bad, t.good, t.unset, t.agent != nil)
			}
			if row.State == engine.Retrying {
				text += fmt.Sprintf(" wake=%d", t.wake)
			}
			found["task "+m.name(t)] = text
		}
	}
	for name, f := range m.flows {
		if reflect.DeepEqual(f.row, engine.FlowState{Flow: name}) {
			continue
		}
		var standing []string
		for start, r := range f.standing {
			standing = append(standing, fmt.Sprint(start, "=", r.row.ID))
		}
		slices.Sort(standing)
		found["flow "+name] = fmt.Sprintf("%+v due=%d runs=%d %v", f.row, f.due, f.admitted+len(f.waiting.runs), standing)
	}
	for id, b := range m.backfills {
		found["backfill "+strconv.Itoa(int(id))] = fmt.Sprintf("%+v live=%d tasks=%d", b.row, len(b.live), b.tasks)
	}
	for k, p := range m.pauses {
		found[fmt.Sprintf("pause %+v", k)] = fmt.Sprintf("%+v horizon=%v", *p, p == m.horizon)
	}
	for id, t := range m.attempts {
		found["attempt "+strconv.Itoa(int(id))] = fmt.Sprintf("%+v on %s", t.attempt, t.agent.name)
	}
	for k, p := range m.points {
		if len(p.waiters) > 0 && k.start != newest {
			found["point "+p.signal+p.flow+"/"+p.task+"@"+strconv.Itoa(int(k.start))] = fmt.Sprint(p.class(), p.status == absent)
		}
	}
	for id, a := range m.anomalies {
		found["anomaly "+strconv.Itoa(int(id))] = fmt.Sprintf("%+v", a)
	}
	for id, at := range m.lates { // what is due, the next tick tells
		if at > now {
			found["late "+strconv.Itoa(int(id))] = fmt.Sprint(at)
		}
	}
	for _, p := range m.paces {
		found["pace "+p.row.Flow+"/"+p.row.Task] = fmt.Sprintf("%+v", p.row)
	}
	for _, a := range m.fleet {
		if a.drain.Agent != "" {
			found["drain "+a.name] = fmt.Sprintf("%+v", a.drain)
		}
	}
	found["numbers"] = fmt.Sprint(m.lastRun, m.lastAttempt, m.lastBackfill)
	return found
}

func (s *rows) clone() *rows {
	return &rows{Ledger: s.Clone(), t: s.t, deleted: maps.Clone(s.deleted), dropped: maps.Clone(s.dropped)}
}
