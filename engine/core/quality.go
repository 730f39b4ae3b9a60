package core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// gate tells whether the quality gate of a task run has released it. It has the gate asked when nobody has done so, and again when the
// machine that did died before the gate was known to have taken the question.
func (m *Machine) gate(t *taskRun) bool {
	switch {
	case t.def.Gate == nil || t.run.row.Force || t.row.GateReleased != 0:
		return true
	case m.gateOverdue(t) || t.gateAsked || t.row.GateTaken != 0:
		return false
	}
	address, err := m.gateURL(t)
	if err != nil {
		m.spoil(t, err)
		return false
	}
	if t.row.GateAsked == 0 {
		t.row.GateAsked = m.now
		m.touchTask(t)
		m.timeGate(t)
	}
	t.gateAsked = true
	r := &t.run.row
	m.out.Questions = append(m.out.Questions, engine.GateQuestion{
		GateKey: engine.GateKey{Run: r.ID, Task: t.row.Task, Asked: t.row.GateAsked}, URL: address,
		TaskRun: m.name(t), Flow: r.Flow, Label: r.Label, Version: r.Version, PeriodStart: r.Period.Start, PeriodEnd: r.Period.End,
		Until: t.gateUntil(),
	})
	return false
}

// gateURL renders the URL of a task run's quality gate.
func (m *Machine) gateURL(t *taskRun) (string, error) {
	text, err := m.programs.Text(t.def.Gate.URL, expr.Dispatch, m.values(t))
	if err == nil && engine.GateAddress(text) == "" {
		pos := t.def.Gate.URL.Pos
		err = fmt.Errorf("%s:%d:%d: the url of the gate is none when its expressions are evaluated", pos.File, pos.Line, pos.Col)
	}
	return text, err
}

// awaitsGate tells whether a task run's quality gate was asked and has not answered.
func (t *taskRun) awaitsGate() bool {
	return t.def.Gate != nil && t.row.GateAsked != 0 && t.row.GateReleased == 0 &&
		(t.row.State == engine.Waiting || t.row.State == engine.UpstreamFailed)
}

// gateUntil returns when it is too late for an answer; 0 = never.
func (t *taskRun) gateUntil() period.Instant {
	if t.def.Gate.Timeout == 0 {
		return 0
	}
	return t.row.GateAsked.Add(t.def.Gate.Timeout)
}

// timeGate sets the timer of a task run that waits for its quality gate.
func (m *Machine) timeGate(t *taskRun) {
	if t.awaitsGate() && t.gateUntil() != 0 {
		m.timers.set(t.gateUntil(), timer{run: t.run.row.ID, task: t.def.Index, gate: true})
	}
}

// gateOverdue fails a task run whose quality gate did not answer in time, whatever else it waits for and also when its upstream has failed, and
// tells whether it did.
func (m *Machine) gateOverdue(t *taskRun) bool {
	if !t.awaitsGate() || t.gateUntil() == 0 || t.gateUntil() > m.now {
		return false
	}
	t.row.Code = engine.CodeGateTimeout
	t.row.Message = fmt.Sprintf("its gate did not answer within %s of %s", t.def.Gate.Timeout, t.row.GateAsked.Time().Format(time.RFC3339))
	if t.gateFault != "" {
		t.row.Message += ", it could not be asked: " + t.gateFault
	}
	m.move(t, engine.Failed)
	return true
}

// keepGate lets a task run that follows another revision now stand with its quality gate as it did before, if that is still the same one.
func (t *taskRun) keepGate(old *taskRun) {
	if t.def.Gate == nil || old.def.Gate == nil || !slices.EqualFunc(t.def.Gate.URL.Parts, old.def.Gate.URL.Parts, sameText) {
		return
	}
	t.row.GateAsked, t.row.GateTaken, t.row.GateReleased = old.row.GateAsked, old.row.GateTaken, old.row.GateReleased
	t.gateAsked, t.gateFault = old.gateAsked, old.gateFault
}

func sameText(a, b flow.Part) bool { return a.Lit == b.Lit && a.Expr == b.Expr }

// GateCaller is who answers for a quality gate, in the operation log.
const GateCaller = "gate"

// gateReported notes what became of asking a quality gate.
func (m *Machine) gateReported(g engine.GateReport) {
	t := m.asked(g.GateKey)
	switch {
	case t == nil: // its answer came first, or it is not waited for any more
	case g.Error != "":
		t.gateFault = g.Error
		m.tellGateFailed(t)
	default:
		t.row.GateTaken, t.gateFault = m.now, ""
		m.touchTask(t)
		if g.Answer != nil {
			m.settleGate(t, *g.Answer, GateCaller)
		}
	}
}

// tellGateFailed tells that a quality gate could not be asked, once for each question.
func (m *Machine) tellGateFailed(t *taskRun) {
	until := ""
	if at := t.gateUntil(); at != 0 {
		until = " until " + at.Time().Format(time.RFC3339)
	}
	e := t.event(flow.GateFailed, fmt.Sprintf("%s could not be asked: %s; the task waits%s for flowctl gate release '%s'", m.gateName(t), t.gateFault, until, m.name(t)))
	e.Key += fmt.Sprintf("/%d", t.row.GateAsked)
	m.tell(e)
	t.row.Alerted = true
	m.touchTask(t)
}

// gateName names the quality gate of a task run for people.
func (m *Machine) gateName(t *taskRun) string {
	if text, err := m.gateURL(t); err == nil {
		return "gate " + engine.GateAddress(text)
	}
	return "its gate"
}

// asked returns the task run that still waits for the answer to a question; nil = none does.
func (m *Machine) asked(k engine.GateKey) *taskRun {
	r := m.runs[k.Run]
	if r == nil {
		return nil
	}
	def := r.flow.Task(k.Task)
	if def == nil || !r.tasks[def.Index].awaitsGate() || r.tasks[def.Index].row.GateAsked != k.Asked {
		return nil
	}
	return &r.tasks[def.Index]
}

// answerGate takes an answer to quality gates, and replies with the names of the task runs that waited for it.
func (m *Machine) answerGate(ev AnswerGate) (any, error) {
	r, ts, err := m.target(ev.Run, ev.Task, ev.Rows)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range ts {
		if t.awaitsGate() && (ev.Asked == 0 || ev.Asked == t.row.GateAsked) {
			m.settleGate(t, ev.Answer, ev.By)
			names = append(names, t.def.Name)
		}
	}
	m.checkEmpty(r)
	if len(names) == 0 {
		return nil, m.noGate(r, ts, ev)
	}
	return names, nil
}

// settleGate lets a task run go on or fail by an answer.
func (m *Machine) settleGate(t *taskRun, a engine.GateAnswer, by string) {
	if a.Release {
		t.row.GateReleased = m.now
		m.touchTask(t)
		m.stir(t)
		m.log(by, "gate release", m.name(t), a.Message)
		return
	}
	t.row.Code, t.row.Message = engine.CodeGateRefused, "refused by "+by
	if a.Message != "" {
		t.row.Message += ": " + a.Message
	}
	m.log(by, "gate refuse", m.name(t), a.Message)
	m.move(t, engine.Failed)
}

// noGate says why nothing waits for an answer.
func (m *Machine) noGate(r *run, ts []*taskRun, ev AnswerGate) error {
	if ev.Task == "" {
		return engine.Errorf(engine.Conflict, "no task of %s waits for its gate: see flowctl explain '%s'", r.row.Name(""), r.row.Name(""))
	}
	t := ts[0]
	name := m.name(t)
	switch {
	case t.def.Gate == nil:
		return engine.Errorf(engine.Conflict, "%s has no gate", name)
	case t.row.GateReleased != 0:
		return engine.Errorf(engine.Conflict, "the gate of %s has released it at %s already", name, t.row.GateReleased.Time().Format(time.RFC3339))
	case t.row.State.Final():
		return engine.Errorf(engine.Conflict, "%s is %s: its gate is not waited for any more", name, t.row.State)
	case t.row.GateAsked == 0:
		return engine.Errorf(engine.Conflict, "the gate of %s has not been asked yet: see flowctl explain '%s'", name, name)
	}
	return engine.Errorf(engine.Conflict, "the gate of %s was asked anew since: this question is void", name)
}

// gateBlocker tells of the quality gate that a task run waits for.
func (m *Machine) gateBlocker(t *taskRun) []engine.Blocker {
	if !t.awaitsGate() {
		return nil
	}
	name, since := m.gateName(t), t.row.GateAsked.Time().Format(time.RFC3339)
	b := engine.Blocker{
		Kind: engine.BlockGate, Ref: strings.TrimPrefix(name, "gate "), Hint: fmt.Sprintf("flowctl gate release '%s'", m.name(t)),
		Message: fmt.Sprintf("%s was asked at %s and has not answered", name, since),
	}
	if t.gateFault != "" {
		b.Message = fmt.Sprintf("%s could not be asked since %s: %s", name, since, t.gateFault)
	}
	if at := t.gateUntil(); at != 0 {
		when := at.Time()
		b.Until = &when
	}
	return []engine.Blocker{b}
}
