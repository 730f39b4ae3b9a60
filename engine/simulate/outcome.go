package simulate

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"time"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

// rule is an outcome that is about one task, with its periods as instants.
type rule struct {
	*flow.Outcome
	spans spans
}

// spans are ranges of the begins of periods; none means all.
type spans [][2]period.Instant

func (all spans) covers(begin period.Instant) bool {
	for _, s := range all {
		if s[0] <= begin && begin < s[1] {
			return true
		}
	}
	return len(all) == 0
}

// spansOf reads ranges of periods. One that is none covers nothing: the outcomes were checked against another project.
func spansOf(s *period.Schedule, ranges []flow.Range) (all spans) {
	for _, r := range ranges {
		from, to, err := s.Range(r.From, r.To)
		if err != nil {
			from, to = 0, 0
		}
		all = append(all, [2]period.Instant{from, to})
	}
	return all
}

// behaviour tells how attempts end.
type behaviour struct {
	outcomes *flow.Outcomes
	learnt   map[string]time.Duration
	seed     uint64
	rules    map[*flow.Task][]rule        // made when first asked for
	assumed  map[string]map[string]string // outputs that somebody reads, by flow/task
	looked   []bool                       // which arrivals somebody waited for

	asked map[string]map[period.Instant]bool // periods of signals that somebody waits for
}

func (b *behaviour) rulesOf(f *flow.Flow, t *flow.Task) []rule {
	if rs, known := b.rules[t]; known {
		return rs
	}
	var rs []rule
	for i := range b.outcomes.Tasks {
		o := &b.outcomes.Tasks[i]
		if !o.Matches(f.ID(t)) {
			continue
		}
		rs = append(rs, rule{o, spansOf(f.Schedule, o.Periods)})
	}
	b.rules[t] = rs
	return rs
}

// end tells how long an attempt takes, and how it ends then.
func (b *behaviour) end(f *flow.Flow, t *flow.Task, p period.Period, no int) (time.Duration, engine.Result) {
	span := b.usual(f, t)
	var fail flow.Failure
	outputs := b.assumed[f.ID(t)]
	for _, r := range b.rulesOf(f, t) {
		if !r.spans.covers(f.Schedule.Begin(p)) {
			continue
		}
		if r.Duration != nil {
			span = *r.Duration
		}
		if r.Fail != nil {
			fail = *r.Fail
		}
		if r.Outputs != nil {
			outputs = r.Outputs
		}
	}
	length := span.Min + time.Duration(b.draw("duration", f.ID(t), p, no)*float64(span.Max-span.Min))
	length = length.Truncate(time.Microsecond)
	switch {
	case t.Timeout > 0 && length > t.Timeout:
		return t.Timeout, engine.Result{
			State: engine.Failed, Code: engine.CodeTimeout, ExitCode: -1, Message: "timeout of " + t.Timeout.String() + " passed",
		}
	case fail.Always || no <= fail.First || fail.Chance > 0 && b.draw("fail", f.ID(t), p, no) < fail.Chance:
		return length, engine.Result{State: engine.Failed, Code: engine.CodeExit, ExitCode: 1, Message: "exit code 1"}
	}
	return length, engine.Result{State: engine.Succeeded, Outputs: outputs}
}

// usual is how long attempts of a task take of which the outcomes say nothing.
func (b *behaviour) usual(f *flow.Flow, t *flow.Task) flow.Span {
	if d, ok := b.learnt[f.ID(t)]; ok {
		return flow.Span{Min: d, Max: d}
	}
	if b.outcomes.Duration != nil {
		return *b.outcomes.Duration
	}
	d := flow.DefaultDuration
	if t.Timeout > 0 { // what nobody said makes nothing fail
		d = min(d, t.Timeout)
	}
	return flow.Span{Min: d, Max: d}
}

// past is what is taken to have become of a task before the simulation.
func (b *behaviour) past(f *flow.Flow, t *flow.Task, start period.Instant) engine.LedgerAnswer {
	p := period.Period{Start: start, End: start}
	if q, ok := f.Schedule.Containing(start); ok {
		p = q
	}
	outputs := b.assumed[f.ID(t)]
	for _, r := range b.rulesOf(f, t) {
		if r.Outputs != nil && r.spans.covers(f.Schedule.Begin(p)) {
			outputs = r.Outputs
		}
	}
	return engine.LedgerAnswer{
		Found: true, Outputs: outputs,
		Outcome: engine.Outcome{Flow: f.Name, Task: t.Name, Start: p.Start, End: p.End, Version: 1, State: engine.Succeeded},
	}
}

// exists tells whether a path is there at an instant.
func (b *behaviour) exists(path string, now period.Instant) bool {
	for i := len(b.outcomes.Paths) - 1; i >= 0; i-- {
		if a := &b.outcomes.Paths[i]; a.Matches(path) {
			b.looked[i] = true
			return !a.Never && a.At <= now
		}
	}
	return true
}

// gate tells what the gate of a task, named flow/task, answers.
func (b *behaviour) gate(task string) flow.GateOutcome {
	for i := len(b.outcomes.Gates) - 1; i >= 0; i-- {
		if o := b.outcomes.Gates[i]; o.Matches(task) {
			return o
		}
	}
	return flow.GateOutcome{}
}

// draw returns a number from 0 to 1 that depends on nothing but its arguments and the seed.
func (b *behaviour) draw(what, task string, p period.Period, no int) float64 {
	h := fnv.New64a()
	var numbers [24]byte
	binary.LittleEndian.PutUint64(numbers[:], b.seed)
	binary.LittleEndian.PutUint64(numbers[8:], uint64(p.Start))
	binary.LittleEndian.PutUint64(numbers[16:], uint64(no))
	_, _ = h.Write(numbers[:]) // a hash never fails
	_, _ = h.Write([]byte(what + "\x00" + task))
	x := h.Sum64() // whose high bits depend little on the last bytes: finish as splitmix64 does
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11) / math.Exp2(53)
}
