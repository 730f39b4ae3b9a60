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

const (
	// A run whose paths cannot be told is tried again generateRetries times (R2), for a commit may mend its flow meanwhile. After that it is
	// made all the same: the tasks that are wrong fail, and the others need not suffer.
	generateRetries    = 3
	generateRetryAfter = 10 * time.Second
	// failuresPaged is how many failures of one round are some flows' own trouble; more are the platform's (R2).
	failuresPaged = 10
)

// badPaths returns what is wrong with the paths of a run that is about to be generated, by index of its tasks; nil = nothing.
func (m *Machine) badPaths(fs *flowState, p period.Period) map[int]error {
	f := fs.flow
	plan := m.planOf(f)
	if len(plan.pathed) == 0 || fs.ahead[p.Start].Made {
		return nil
	}
	r := &run{
		row:  engine.Run{Flow: f.Name, Period: p, Label: f.Schedule.Label(p), Version: 1, Kind: engine.Scheduled, Due: f.Schedule.Due(p)},
		flow: f, rev: m.active, plan: plan, tasks: make([]taskRun, len(f.Tasks)),
	}
	for i := range r.tasks {
		m.initTask(r, i)
	}
	var bad map[int]error
	for _, i := range plan.pathed {
		text := renderer{programs: &m.programs, values: func() *expr.Values { return m.values(&r.tasks[i]) }}
		for _, path := range slices.Concat(f.Tasks[i].Inputs, f.Tasks[i].Outputs) {
			text.text(path, expr.Creation)
		}
		if text.err != nil {
			if bad == nil {
				bad = map[int]error{}
			}
			bad[i] = text.err
		}
	}
	return bad
}

// tryAgain puts a generation off that has failed; false = there is no point in it any more.
func (m *Machine) tryAgain(fs *flowState) bool {
	if fs.tried != fs.flow {
		fs.tried, fs.tries = fs.flow, 0
	}
	if fs.tries == generateRetries { // nor for the next periods
		return false
	}
	fs.tries++
	fs.due, fs.rung = m.now.Add(generateRetryAfter), false
	m.timers.set(fs.due, timer{flow: fs})
	return true
}

// makePutOff makes the runs that are put off where a new revision ends the era that they belong to.
func (m *Machine) makePutOff(rev *Revision) {
	for _, name := range sortedKeys(m.flows) {
		fs := m.flows[name]
		if fs.flow == nil || fs.due == 0 || fs.tried != fs.flow || m.gridOf(rev.Project.Flow(name)) == fs.row.Schedule {
			continue
		}
		for {
			next, ok := fs.flow.Schedule.FirstEndingAfter(fs.row.Cursor)
			if !ok || fs.flow.Schedule.Due(next) > m.now {
				break
			}
			m.generatePeriod(fs, next, m.badPaths(fs, next))
		}
	}
}

// misgenerate fails the tasks of a new run whose paths are wrong, and tells of it.
func (m *Machine) misgenerate(r *run, bad map[int]error) {
	var names []string
	for _, i := range sortedKeys(bad) {
		m.spoil(&r.tasks[i], bad[i])
		names = append(names, r.tasks[i].def.Name)
	}
	first := r.tasks[sortedKeys(bad)[0]].row.Message
	m.tell(engine.Event{
		Kind: flow.GenerationFailed, Flow: r.row.Flow, Run: r.row.ID, Key: fmt.Sprintf("%s/%d", r.row.Flow, r.row.ID),
		Detail: fmt.Sprintf("after %d retries, %s of %s could not be made: %s", generateRetries, strings.Join(names, ", "), r.row.Name(""), first),
	})
	m.misgenerated = append(m.misgenerated, r.row.Name(""))
}

// tellRound tells the platform when too many runs of one round could not be made.
func (m *Machine) tellRound() {
	if n := len(m.misgenerated); n > failuresPaged {
		m.tell(engine.Event{
			Kind: flow.GenerationsFailed, Key: fmt.Sprint(m.now),
			Detail: fmt.Sprintf("%d runs: %s", n, strings.Join(m.misgenerated[:min(n, namesTold)], ", ")),
		})
	}
	m.misgenerated = m.misgenerated[:0]
}
