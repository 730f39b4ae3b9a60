package core

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

const (
	// reportHour is when a daily report is made, in the zone of who receives it (R22).
	reportHour = 10
	// R22 has a duration reported that is over 120 minutes, which is longRunning, or deviates much. That is: by more than manyDeviations from
	// what paceSamples successes say is usual, by more than half of that, and by more than leastOff, for the times of small tasks scatter.
	manyDeviations = 3
	leastOff       = 5 * time.Minute
	// reportLines bounds how many task runs a report names, and reportBytes its detail.
	reportLines = 100
	reportBytes = 32 << 10
)

// unusual tells whether the owner of a task should read how long an attempt took; usual is nil when nothing is known.
func unusual(took time.Duration, state engine.State, usual *pace) bool {
	if took > longRunning {
		return true
	}
	if state != engine.Succeeded || usual == nil || usual.row.Count < paceSamples {
		return false
	}
	mean, deviation := time.Duration(usual.row.Mean)*time.Microsecond, time.Duration(usual.row.Deviation)*time.Microsecond
	off := (took - mean).Abs()
	return off > leastOff && off > mean/2 && off > manyDeviations*deviation
}

// remark keeps for the next daily report that an attempt which has just ended took unusually long or short.
func (m *Machine) remark(t *taskRun) {
	a := &t.attempt
	took, usual := time.Duration(a.Finished-a.Started)*time.Microsecond, m.paces[t.id]
	if a.Started == 0 || !unusual(took, a.State, usual) {
		return
	}
	odd := engine.Anomaly{Attempt: a.ID, Name: m.name(t), Owner: ownerOf(t.run.flow), At: m.now, Took: took.Microseconds(), State: a.State}
	if usual != nil {
		odd.Count, odd.Mean, odd.Deviation = usual.row.Count, usual.row.Mean, usual.row.Deviation
	}
	m.anomalies[a.ID] = odd
	m.out.Changes.Anomalies = append(m.out.Changes.Anomalies, odd)
	m.awaitReport(m.reportAt(odd))
}

// ownerOf names who answers for a flow, as a receiver of alerts is named.
func ownerOf(f *flow.Flow) string {
	if f.Owner != "" {
		return f.Owner
	}
	return "oncall:" + f.Team
}

// planReport sets the timer of the next daily report that has something to tell.
func (m *Machine) planReport() {
	m.nextReport = 0
	for _, id := range sortedKeys(m.anomalies) {
		m.awaitReport(m.reportAt(m.anomalies[id]))
	}
}

func (m *Machine) awaitReport(at period.Instant) {
	if m.nextReport == 0 || at < m.nextReport {
		m.nextReport = at
		m.timers.set(at, timer{report: true})
	}
}

// reportAt returns when the owner of an attempt reads of it: at the first reportHour after its end, where the owner is.
func (m *Machine) reportAt(a engine.Anomaly) period.Instant {
	ended := a.At.Time().In(m.zoneOf(a.Owner))
	due := time.Date(ended.Year(), ended.Month(), ended.Day(), reportHour, 0, 0, 0, ended.Location())
	if !due.After(ended) {
		due = time.Date(ended.Year(), ended.Month(), ended.Day()+1, reportHour, 0, 0, 0, ended.Location())
	}
	return period.At(due)
}

// zoneOf returns the time zone of an owner: the person's own or that of the team's rotation, else the repository's.
func (m *Machine) zoneOf(owner string) *time.Location {
	if zone := m.zones[owner]; zone != nil {
		return zone
	}
	p := m.active.Project
	name := p.Timezone
	if team, isTeam := strings.CutPrefix(owner, "oncall:"); isTeam {
		if t := p.Teams[team]; t != nil && t.Oncall != nil {
			name = cmp.Or(t.Oncall.Timezone, name)
		}
	} else if person := p.People[owner]; person != nil {
		name = cmp.Or(person.Timezone, name)
	}
	zone, err := period.Zone(name)
	if err != nil { // no revision with such a zone compiles
		zone = time.UTC
	}
	m.zones[owner] = zone
	return zone
}

// report tells each owner of what is due. What was reported is kept no longer.
func (m *Machine) report(at period.Instant) {
	if at != m.nextReport {
		return
	}
	m.nextReport = 0
	due := map[string][]engine.Anomaly{}
	for _, id := range sortedKeys(m.anomalies) {
		if a := m.anomalies[id]; m.reportAt(a) <= m.now {
			due[a.Owner] = append(due[a.Owner], a)
			delete(m.anomalies, id)
			m.out.Changes.NoAnomalies = append(m.out.Changes.NoAnomalies, id)
		}
	}
	for _, owner := range sortedKeys(due) {
		m.tell(engine.Event{Kind: flow.DailyReport, Owner: owner, Key: fmt.Sprintf("%s/%d", owner, m.now), Detail: reportText(due[owner])})
	}
	m.planReport()
}

// reportText is a line for each attempt, after one that counts them.
func reportText(all []engine.Anomaly) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of the attempts of the last day took longer than %s or deviated much:", len(all), longRunning)
	for i, a := range all {
		if i == reportLines || b.Len() > reportBytes-1<<10 {
			fmt.Fprintf(&b, "\nand %d more", len(all)-i)
			break
		}
		fmt.Fprintf(&b, "\n%s %s after %s", a.Name, a.State, span(a.Took))
		if a.Count > 0 {
			fmt.Fprintf(&b, "; it usually takes %s, give or take %s", span(a.Mean), span(a.Deviation))
		}
	}
	return b.String()
}
