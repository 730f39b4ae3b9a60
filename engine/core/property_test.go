package core

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flowctl/dsl/period"
	"flowctl/engine"
)

// TestInvariants lets anything happen in any order, on random repositories, and holds the machine to the invariants of
// docs/concepts.md: one run per period and version without gaps; one live attempt per task and period; no attempt before its blockers cleared;
// ended attempts stay; what is told is told once; a rebuilt machine equals the one that wrote the rows, at every step; a stale agent changes
// nothing; a history that was recorded gives the same changes again. At rest the machine is as the reference model has it. In the end, when all is
// well, all that can settle does.
func TestInvariants(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t)
		actions := s.actions()
		actions[""] = func(t *rapid.T) {
			s.T = t
			s.rebuilt()
		}
		t.Repeat(actions)
		s.T = t
		s.rebuilt()
		s.allIsWell()
		s.replay()
	})
}

func (s *sim) actions() map[string]func(*rapid.T) {
	all := map[string]func(){
		"time": func() {
			d := rapid.SampledFrom([]time.Duration{time.Minute, 7 * time.Minute, time.Hour, 5 * time.Hour}).Draw(s.T, "passes")
			s.sleep(d, func() { s.do(Tick{}) })
		},
		"join": func() { s.join(s.pick("agent", "one", "two")) },
		"lose": func() { s.lose(s.pick("agent", "one", "two")) },
		"reboot": func() {
			name := s.pick("agent", "one", "two")
			s.lose(name)
			if h := s.hosts[name]; h != nil {
				h.boot++
				clear(h.held)
			}
		},
		"path":      func() { s.paths[s.pick("path", "/p/a", "/p/b")] = true },
		"signal":    s.signalSome,
		"gate":      s.gateSome,
		"operate":   s.operate,
		"dead":      s.declareDead,
		"drain":     func() { s.do(Drain{By: "ann", Agent: s.pick("agent", "one", "two"), Lift: s.chance("lift", 60)}) },
		"pause":     s.pauseSome,
		"start":     s.startRun,
		"backfill":  s.backfillSome,
		"revision":  s.revise,
		"crash":     s.crash,
		"stale":     s.stale,
		"hear":      s.hearSome,
		"hear more": s.hearSome,
	}
	for _, name := range []string{"end", "end another", "end a third"} {
		all[name] = s.endSome
	}
	actions := map[string]func(*rapid.T){}
	for name, f := range all {
		actions[name] = func(t *rapid.T) { s.T = t; f() }
	}
	return actions
}

// declareDead gives up an agent, which may go on.
func (s *sim) declareDead() {
	name := s.pick("agent", "one", "two")
	if h := s.hosts[name]; h != nil && !h.connected {
		for _, x := range h.held {
			x.given = true
		}
	}
	s.do(DeclareDead{By: "ann", Agent: name})
}

// endSome lets an execution start, end or be given back.
func (s *sim) endSome() {
	type held struct {
		host string
		id   engine.AttemptID
	}
	var all []held
	for _, name := range sortedKeys(s.hosts) {
		for _, id := range sortedKeys(s.hosts[name].held) {
			if s.hosts[name].held[id].result == nil {
				all = append(all, held{name, id})
			}
		}
	}
	if len(all) == 0 {
		s.Skip("nothing runs")
	}
	x := rapid.SampledFrom(all).Draw(s.T, "attempt")
	h := s.hosts[x.host]
	say := func(r engine.Report) {
		r.Attempt = x.id
		if h.connected {
			s.pending = append(s.pending, Reported{Agent: x.host, Reports: []engine.Report{r}})
		}
	}
	switch s.pick("what", "succeeds", "succeeds", "succeeds", "fails", "starts", "refused") {
	case "succeeds":
		s.end(x.host, x.id, engine.Succeeded)
	case "fails":
		s.end(x.host, x.id, engine.Failed)
	case "starts":
		h.held[x.id].started = true
		say(engine.Report{Kind: engine.ReportStarted})
	case "refused":
		if h.connected && !h.held[x.id].started {
			delete(h.held, x.id)
			say(engine.Report{Kind: engine.ReportRefused, Message: "no room"})
		}
	}
}

// gateSome lets the machine hear what became of a question, or lets a gate call back, now and then more than once.
func (s *sim) gateSome() {
	if len(s.reports) > 0 && s.chance("report", 60) {
		s.hearGate(rapid.IntRange(0, len(s.reports)-1).Draw(s.T, "report"))
		return
	}
	if len(s.questions) == 0 {
		s.Skip("no gate was asked")
	}
	s.answerGate(rapid.SampledFrom(s.asked()).Draw(s.T, "question"), s.chance("release", 80))
}

// asked lists the questions that gates have.
func (s *sim) asked() []engine.GateKey {
	return slices.SortedFunc(maps.Keys(s.questions), func(a, b engine.GateKey) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(a.Task, b.Task), cmp.Compare(a.Asked, b.Asked))
	})
}

// hearSome delivers a report, now and then one that was delivered before.
func (s *sim) hearSome() {
	if len(s.heard) > 0 && s.chance("again", 20) {
		s.do(rapid.SampledFrom(s.heard).Draw(s.T, "old report"))
		return
	}
	if len(s.pending) == 0 {
		s.Skip("nothing is on its way")
	}
	s.hear(rapid.IntRange(0, len(s.pending)-1).Draw(s.T, "report"))
}

// newestRun draws a run that is the newest of its period: operators act on these.
func (s *sim) newestRun() engine.Run {
	var ids []engine.RunID
	for id, r := range s.rows.Runs {
		if _, standing := s.rows.Highest(r.Flow, r.Period.Start); r.Extra || standing.ID == id {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		s.Skip("there is no run")
	}
	slices.Sort(ids)
	return s.rows.Runs[rapid.SampledFrom(ids).Draw(s.T, "run")]
}

func (s *sim) drawTaskOf(r *engine.Run) string {
	f := s.revs[r.Revision].Project.Flow(r.Flow)
	return f.Tasks[rapid.IntRange(0, len(f.Tasks)-1).Draw(s.T, "task")].Name
}

// drawOperation returns what an operator does to a run.
func (s *sim) drawOperation() Event {
	r := s.newestRun()
	rows := s.load(s.m, []engine.RunID{r.ID})
	task := ""
	if s.chance("one task", 60) {
		task = s.drawTaskOf(&r)
	}
	switch s.pick("operation", "rerun", "rerun", "reruns", "kill", "succeed", "skip", "delete", "gate") {
	case "gate":
		for _, k := range s.asked() {
			if k.Run == r.ID {
				s.released[k] = true
			}
		}
		return AnswerGate{By: "ann", Run: r.ID, Task: task, Answer: engine.GateAnswer{Release: true}, Rows: rows}
	case "kill":
		return Kill{By: "ann", Run: r.ID, Task: task, Rows: rows}
	case "reruns":
		return s.drawReruns(&r)
	case "skip":
		return Skip{By: "ann", Run: r.ID, Task: task, Rows: rows}
	case "delete":
		ids := []engine.RunID{r.ID}
		if s.chance("all of the flow", 50) {
			ids = sortedKeys(s.rows.Runs)
			ids = slices.DeleteFunc(ids, func(id engine.RunID) bool { return s.rows.Runs[id].Flow != r.Flow })
		}
		return Delete{By: "ann", Target: r.Flow, Runs: ids, DryRun: s.chance("dry run", 10)}
	case "succeed":
		return Succeed{By: "ann", Run: r.ID, Task: task, Rows: rows}
	}
	version, _ := s.rows.Highest(r.Flow, r.Period.Start)
	ev := Rerun{By: "ann", Run: r.ID, Version: version, Rows: rows, Kill: s.chance("kill", 50)}
	switch s.pick("of", "all", "task", "failed", "from") {
	case "task":
		ev.Task = task
	case "failed":
		ev.Failed = true
	case "from":
		ev.FromTask = task
	}
	if s.chance("at its revision", 30) {
		ev.Revision = s.revs[r.Revision]
	}
	return ev
}

// drawReruns returns a rerun of a run together with others.
func (s *sim) drawReruns(first *engine.Run) Event {
	ev := Reruns{}
	ids := []engine.RunID{first.ID}
	for range rapid.IntRange(0, 3).Draw(s.T, "more runs") {
		if r := s.newestRun(); !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	for _, id := range ids {
		r := s.rows.Runs[id]
		version, _ := s.rows.Highest(r.Flow, r.Period.Start)
		if slices.ContainsFunc(ev.Items, func(o Rerun) bool { // an extra run of the same period
			of := s.rows.Runs[o.Run]
			return of.Flow == r.Flow && of.Period.Start == r.Period.Start
		}) {
			continue
		}
		item := Rerun{By: "ann", Run: id, Version: version, Kill: s.chance("kill", 70), Only: s.chance("only some", 60)}
		if item.Only {
			item.Also = []string{s.drawTaskOf(&r)}
		}
		ev.Items = append(ev.Items, item)
	}
	ev.Rows = s.load(s.m, ids)
	return ev
}

func (s *sim) operate() { s.do(s.drawOperation()) }

// pauseSome pauses a flow, a task, a period, or all beyond a horizon, or takes such a pause back.
func (s *sim) pauseSome() {
	if all := s.m.pausesInOrder(); len(all) > 0 && s.chance("resume", 60) {
		p := rapid.SampledFrom(all).Draw(s.T, "pause")
		s.do(Resume{By: "ann", Target: p.Target(), Flow: p.Flow, Task: p.Task, From: p.Start, To: p.Start})
		return
	}
	p := engine.Pause{PauseKey: engine.PauseKey{Start: s.now.Add(-time.Hour)}}
	if s.chance("target", 80) {
		f := rapid.SampledFrom(s.revs[s.rows.Active].Project.Flows).Draw(s.T, "flow")
		p.PauseKey = engine.PauseKey{Flow: f.Name, Start: engine.AllPeriods}
		if s.chance("one task", 40) {
			p.Task = rapid.SampledFrom(f.Tasks).Draw(s.T, "task").Name
		}
		if last, ok := f.Schedule.LastEnded(s.now); ok && f.Schedule.Kind() != period.Demand && s.chance("one period", 40) {
			p.Start, p.Label = last.Start, f.Schedule.Label(last)
		}
	}
	s.do(Pause{By: "ann", Target: p.Target(), Pauses: []engine.Pause{p}})
}

func (s *sim) startRun() {
	f := rapid.SampledFrom(s.revs[s.rows.Active].Project.Flows).Draw(s.T, "flow")
	ev := StartRun{By: "ann", Flow: f.Name, Force: s.chance("force", 20), Extra: s.chance("extra", 20)}
	if f.Schedule.Kind() != period.Demand {
		p, ok := f.Schedule.LastEnded(s.now)
		if ev.Extra && s.chance("open", 50) {
			p, ok = f.Schedule.Containing(s.now)
		}
		if !ok {
			s.Skip("no period")
		}
		ev.Period = &p
		ev.Existing = s.rows.Existing([]engine.RunKey{{Flow: f.Name, Start: p.Start}})[0]
		if s.chance("partial", 30) {
			ev.Task = s.pick("task", f.Tasks[0].Name, f.Tasks[len(f.Tasks)-1].Name)
			if ev.Existing.Run != 0 {
				ev.Rows = s.load(s.m, []engine.RunID{ev.Existing.Run})
			}
		}
	}
	s.do(ev)
}

// signalSome sets or unsets some of the last periods of a signal. Some are so already.
func (s *sim) signalSome() {
	x := s.revs[s.rows.Active].Project.Signals[s.pick("signal", "daily", "hourly")]
	p, _ := x.Schedule.LastEnded(s.now)
	for range rapid.IntRange(0, 4).Draw(s.T, "periods ago") {
		p, _ = x.Schedule.Prev(p)
	}
	ps := []period.Period{p}
	for range rapid.IntRange(0, 30).Draw(s.T, "more periods") {
		p, _ = x.Schedule.Next(p)
		ps = append(ps, p)
	}
	s.do(s.rows.setSignal(x.Name, s.chance("unset", 30), ps...))
}

// signalAll sets all periods of all signals that tasks can wait for.
func (s *sim) signalAll() {
	for _, name := range []string{"daily", "hourly"} {
		x := s.revs[s.rows.Active].Project.Signals[name]
		s.do(s.rows.setSignal(name, false, slices.Collect(x.Schedule.StartingIn(s.now.Add(-30*24*time.Hour), s.now.Add(10*24*time.Hour)))...))
	}
}

func (s *sim) backfillSome() {
	if ids := sortedKeys(s.m.backfills); len(ids) > 0 && s.chance("control", 70) {
		s.do(ControlBackfill{
			By: "ann", ID: rapid.SampledFrom(ids).Draw(s.T, "backfill"), Verb: s.pick("verb", "pause", "resume", "resume", "cancel"),
		})
		return
	}
	rev := s.revs[s.rows.Active]
	var names []string
	for _, f := range rev.Project.Flows {
		if f.Schedule.Kind() == period.Day || f.Schedule.Kind() == period.Week || f.Schedule.Kind() == period.Cron {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		s.Skip("no flow to backfill")
	}
	if s.chance("one flow", 50) {
		names = []string{rapid.SampledFrom(names).Draw(s.T, "flow")}
	}
	s.do(StartBackfill{Revision: rev, Row: engine.BackfillRow{
		Flows: names, From: "2026-11-16", To: s.pick("to", "2026-11-16", "2026-11-18"), MaxActive: rapid.IntRange(1, 5).Draw(s.T, "max active"),
		MissingUpstream: s.pick("missing upstream", "wait", "ignore"), Reprocess: s.pick("reprocess", "missing", "failed", "all"),
	}})
}

// revise changes the repository. What does not compile changes nothing.
func (s *sim) revise() {
	repo := slices.Clone(s.repo)
	i := rapid.IntRange(0, len(repo)-1).Draw(s.T, "flow")
	f := &repo[i]
	f.tasks = slices.Clone(f.tasks)
	change := s.pick("change", "redraw", "rename a task", "rename the flow", "remove a task", "remove the flow", "schedule", "add", "disable")
	switch change {
	case "redraw":
		*f = s.drawFlow(i, repo[:i])
	case "rename a task":
		t := &f.tasks[len(f.tasks)-1]
		if s.chance("formerly", 70) {
			t.former = append(slices.Clone(t.former), f.name+"/"+t.name)
		}
		t.name += "x"
	case "rename the flow":
		for k := range f.tasks {
			t := &f.tasks[k]
			t.former = append(slices.Clone(t.former), f.name+"/"+t.name)
		}
		f.name += "x"
	case "remove a task":
		f.tasks = f.tasks[:max(1, len(f.tasks)-1)]
	case "remove the flow":
		repo = slices.Delete(repo, i, i+1)
	case "schedule":
		f.schedule = s.pick("schedule", "every: hour", "every: day", `cron: "20 */3 * * *"`)
	case "add":
		for k := range 5 {
			if name := "f" + string(rune('0'+k)); !slices.ContainsFunc(repo, func(f simFlow) bool { return f.name == name }) {
				repo = append(repo, s.drawFlow(k, repo))
				break
			}
		}
	case "disable":
		if was := len(f.extra); was > 0 && f.extra[was-1] == "enabled: false" {
			f.extra = f.extra[:was-1]
		} else {
			f.extra = append(slices.Clone(f.extra), "enabled: false")
		}
	}
	if len(repo) > 0 {
		s.now = s.now.Add(time.Millisecond) // so that no gate is asked anew at the instant of the question before
		s.activate(repo)
	}
}

// crash kills the server: an event is lost before its commit, or the effects of a commit are never performed; then time may pass.
func (s *sim) crash() {
	var ev Event = Tick{}
	if len(s.pending) > 0 {
		ev = s.pending[0]
	}
	switch s.pick("crash", "idle", "before the commit", "after the commit", "operator, after the commit") {
	case "before the commit":
		_, _ = s.m.Handle(s.now, ev)
	case "after the commit":
		_, _ = s.handle(ev)
		s.take()
	case "operator, after the commit":
		_, _ = s.handle(s.drawOperation())
		s.take()
	}
	for _, name := range sortedKeys(s.hosts) {
		if h := s.hosts[name]; h.connected {
			s.unplug(h)
		}
	}
	if s.chance("downtime", 30) {
		s.now = s.now.Add(3 * time.Hour)
	}
	s.restore()
}

// allIsWell is the liveness part: agents are there, everything succeeds, all paths exist, nothing is paused. What is left then
// waits for periods that have no run, for time, or for what waits so itself.
func (s *sim) allIsWell() {
	s.paths["/p/a"], s.paths["/p/b"] = true, true
	s.signalAll()
	s.join("one")
	s.join("two")
	for _, name := range []string{"one", "two"} {
		s.do(Drain{By: "ann", Agent: name, Lift: true})
	}
	for _, id := range sortedKeys(s.m.backfills) {
		if s.m.backfills[id].row.State == engine.BackfillPaused {
			s.do(ControlBackfill{By: "ann", ID: id, Verb: "resume"})
		}
	}
	for _, p := range s.m.pausesInOrder() {
		s.do(Resume{By: "ann", Target: p.Target(), Flow: p.Flow, Task: p.Task, From: p.Start, To: p.Start})
	}
	s.finishAll()
	for range 12 {
		s.sleep(time.Hour, func() { s.do(Tick{}); s.finishAll() })
		s.finishAll()
	}
	for _, id := range sortedKeys(s.m.runs) {
		found := s.m.Blockers(id)
		r := s.m.runs[id]
		for i := range r.tasks {
			t := &r.tasks[i]
			if !t.member || t.row.State.Final() || t.run != r {
				continue
			}
			if len(found[t.def.Name]) == 0 && r.stands {
				s.Fatalf("%s is %s and nothing blocks it", s.m.name(t), t.row.State)
			}
			for _, b := range found[t.def.Name] {
				switch b.Kind {
				case engine.BlockNeed, engine.BlockAbsent, engine.BlockStartAfter, engine.BlockFlowLimit:
				default:
					s.Fatalf("%s is %s, blocked by %s: %s", s.m.name(t), t.row.State, b.Kind, b.Message)
				}
			}
		}
	}
	s.rebuilt()
}

// finishAll ends everything with success until nothing runs.
func (s *sim) finishAll() {
	for range 10_000 {
		for len(s.pending) > 0 {
			s.hear(0)
		}
		idle := true
		for _, k := range s.asked() {
			if t := s.m.asked(k); t != nil {
				idle = false
				s.answerGate(k, true)
			}
		}
		for _, name := range sortedKeys(s.hosts) {
			for _, id := range sortedKeys(s.hosts[name].held) {
				if s.hosts[name].held[id].result == nil {
					idle = false
				}
				s.end(name, id, engine.Succeeded)
			}
		}
		if idle && len(s.pending) == 0 {
			return
		}
	}
	s.Fatalf("it never ends: %s", strings.Join(slices.Sorted(func(yield func(string) bool) {
		for _, t := range s.m.attempts {
			if !yield(s.m.name(t)) {
				return
			}
		}
	}), " "))
}
