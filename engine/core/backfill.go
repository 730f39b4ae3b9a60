package core

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"flowctl/dsl/flow"
	"flowctl/dsl/period"
	"flowctl/engine"
)

const (
	// DefaultMaxActive is how many runs of a backfill are active at once when it does not say.
	DefaultMaxActive = 256
	// maxActiveTasks bounds the task runs of a backfill in memory, whatever the number of its runs.
	maxActiveTasks = 20_000
)

// backfill is one cold start that is not over. Its runs are made a few at a time, in the order of (period end, depth, flow).
type backfill struct {
	row    engine.BackfillRow
	rev    *Revision
	ahead  candidates  // one for each flow that has periods left
	next   []candidate // the ones asked about, in order
	live   map[*run]bool
	tasks  int // in live runs
	asking bool
	dirty  bool
	late   bool // it was told, in this life of the machine
}

// candidate is the next period of one flow of a backfill.
type candidate struct {
	flow   *flow.Flow
	depth  int
	period period.Period
	next   func() (period.Period, bool)
	stop   func()
}

// Candidate is a period of a flow within a backfill.
type Candidate struct {
	Flow   *flow.Flow
	Period period.Period
}

type candidates []*candidate

func (h candidates) Len() int { return len(h) }

// Less is the order in which a backfill makes its runs: a run comes after all that it can need.
func (h candidates) Less(i, j int) bool { return h[i].compare(h[j].mark()) < 0 }

func (h candidates) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *candidates) Push(x any) { *h = append(*h, x.(*candidate)) }

// Pop is for container/heap.
func (h *candidates) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// mark is a place in the order of a backfill.
type mark struct {
	end   period.Instant
	depth int
	flow  string
}

func (c *candidate) mark() mark { return mark{c.period.End, c.depth, c.flow.Name} }

func (c *candidate) compare(k mark) int {
	return cmp.Or(cmp.Compare(c.period.End, k.end), cmp.Compare(c.depth, k.depth), strings.Compare(c.flow.Name, k.flow))
}

// String is the form that is stored.
func (k mark) String() string {
	return strconv.FormatInt(int64(k.end), 10) + "|" + strconv.Itoa(k.depth) + "|" + k.flow
}

func parseMark(s string) (mark, error) {
	parts := strings.SplitN(s, "|", 3)
	if len(parts) != 3 {
		return mark{}, fmt.Errorf("backfill cursor %q is not end|depth|flow", s)
	}
	end, err1 := strconv.ParseInt(parts[0], 10, 64)
	depth, err2 := strconv.Atoi(parts[1])
	if err := cmp.Or(err1, err2); err != nil {
		return mark{}, fmt.Errorf("backfill cursor %q: %w", s, err)
	}
	return mark{period.Instant(end), depth, parts[2]}, nil
}

// Depths returns how many flows can stand before each flow: one more than the deepest flow it needs. Flows that need
// each other for earlier periods only share the depth of where they were entered.
func Depths(p *flow.Project) map[string]int {
	depths := make(map[string]int, len(p.Flows))
	var visit func(f *flow.Flow) int
	visit = func(f *flow.Flow) int {
		if d, seen := depths[f.Name]; seen {
			return d
		}
		depths[f.Name] = 0 // while its needs are visited
		deepest := 0
		for _, t := range f.Tasks {
			for _, n := range t.Needs {
				if up := p.Flow(n.Flow); n.Flow != f.Name && up != nil && n.Rule.Kind != period.Offset {
					deepest = max(deepest, visit(up)+1)
				}
			}
		}
		depths[f.Name] = deepest
		return deepest
	}
	for _, f := range p.Flows {
		visit(f)
	}
	return depths
}

// begin sets up the iteration of a backfill after its cursor; empty = from its start.
func (b *backfill) begin() error {
	var after mark
	if b.row.Cursor != "" {
		k, err := parseMark(b.row.Cursor)
		if err != nil {
			return err
		}
		after = k
	}
	depths := Depths(b.rev.Project)
	for _, name := range b.row.Flows {
		f := b.rev.Project.Flow(name)
		from, to, err := f.Schedule.Range(b.row.From, b.row.To)
		if err != nil {
			return err
		}
		next, stop := iter.Pull(f.Schedule.StartingIn(from, to))
		c := &candidate{flow: f, depth: depths[name], next: next, stop: stop}
		if c.advance() {
			b.ahead = append(b.ahead, c)
		}
	}
	if b.row.Cursor != "" {
		b.ahead = slices.DeleteFunc(b.ahead, func(c *candidate) bool {
			for c.compare(after) <= 0 {
				if !c.advance() {
					return true
				}
			}
			return false
		})
	}
	heap.Init(&b.ahead)
	return nil
}

// advance moves to the flow's next period, false when there is none.
func (c *candidate) advance() bool {
	p, ok := c.next()
	c.period = p
	if !ok {
		c.stop()
	}
	return ok
}

// Candidates lists the periods of a backfill in its order.
func Candidates(rev *Revision, row engine.BackfillRow) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		b := &backfill{row: row, rev: rev}
		if err := b.begin(); err != nil {
			yield(Candidate{}, err)
			return
		}
		defer b.close()
		for len(b.ahead) > 0 {
			c := b.ahead[0]
			if !yield(Candidate{c.flow, c.period}, nil) {
				return
			}
			b.skip()
		}
	}
}

// skip moves the best candidate on.
func (b *backfill) skip() {
	if b.ahead[0].advance() {
		heap.Fix(&b.ahead, 0)
	} else {
		heap.Pop(&b.ahead)
	}
}

// close ends the iterators.
func (b *backfill) close() {
	for _, c := range b.ahead {
		c.stop()
	}
	b.ahead, b.next = nil, nil
}

func (m *Machine) touchBackfill(b *backfill) {
	if !b.dirty {
		b.dirty = true
		m.dirtyBackfills = append(m.dirtyBackfills, b)
	}
}

// startBackfill stores a backfill and replies with its number.
func (m *Machine) startBackfill(ev StartBackfill) (any, error) {
	row := ev.Row
	m.lastBackfill++
	row.ID, row.State, row.CreatedAt, row.Revision = m.lastBackfill, engine.BackfillRunning, m.now, ev.Revision.ID
	if row.MaxActive <= 0 {
		row.MaxActive = DefaultMaxActive
	}
	b, err := m.takeUp(row, ev.Revision)
	if err != nil {
		m.lastBackfill--
		return nil, &engine.Error{Code: engine.Invalid, Message: err.Error()}
	}
	m.touchBackfill(b)
	m.log(row.By, "backfill", strings.Join(row.Flows, " "), row.From+".."+row.To)
	m.refill(b)
	return row.ID, nil
}

func (m *Machine) takeUp(row engine.BackfillRow, rev *Revision) (*backfill, error) {
	m.keepRevision(rev)
	b := &backfill{row: row, rev: rev, live: map[*run]bool{}}
	if err := b.begin(); err != nil {
		return nil, err
	}
	m.backfills[row.ID] = b
	return b, nil
}

// ignores tells whether upstreams that are missing do not count for its runs.
func (b *backfill) ignores() bool { return b.row.MissingUpstream == "ignore" }

// room returns how many more runs of a backfill may be made.
func (b *backfill) room() int {
	if b.tasks >= maxActiveTasks {
		return 0
	}
	return b.row.MaxActive - len(b.live)
}

// refill asks about the next periods of a backfill once enough of its runs have ended.
func (m *Machine) refill(b *backfill) {
	if b.asking || b.row.State != engine.BackfillRunning {
		return
	}
	if len(b.ahead)+len(b.next) == 0 {
		m.conclude(b)
		return
	}
	if n := b.room(); n > 0 && (n >= b.row.MaxActive/8 || len(b.live) == 0) {
		b.asking = true
		m.thirsty = append(m.thirsty, b)
	}
}

// question asks which runs the next periods of a backfill have.
func (m *Machine) question(b *backfill) {
	n := max(1, b.room())
	for len(b.next) < n && len(b.ahead) > 0 {
		b.next = append(b.next, *b.ahead[0])
		b.skip()
	}
	q := ExistingQuestion{Backfill: b.row.ID}
	for _, c := range b.next {
		q.Keys = append(q.Keys, engine.RunKey{Flow: c.flow.Name, Start: c.period.Start})
	}
	for _, c := range b.next {
		for _, name := range FormerFlows(c.flow) {
			q.Keys = append(q.Keys, engine.RunKey{Flow: name, Start: c.period.Start})
		}
	}
	m.inquire(q)
}

// inquire asks which runs there are. What is made before the answer comes is kept in mind, for the answer does not know of it.
func (m *Machine) inquire(q ExistingQuestion) {
	m.inquiries++
	m.out.Existing = append(m.out.Existing, q)
}

// inquired takes an answer, brought up to date.
func (m *Machine) inquired(ev ExistingAnswered) []engine.Existing {
	found := ev.Found
	if len(m.made) > 0 {
		found = slices.Clone(found)
		for i, k := range ev.Keys {
			r := m.made[k]
			if r == nil || r.row.Version <= found[i].Version {
				continue
			}
			found[i].Version = r.row.Version
			if !r.row.Extra {
				found[i].Run, found[i].State, found[i].Bad = r.row.ID, r.row.State, r.bad()
			}
		}
	}
	if m.inquiries--; m.inquiries == 0 {
		clear(m.made)
	}
	return found
}

// materialise makes the runs of the next periods of a backfill.
func (m *Machine) materialise(ev ExistingAnswered) {
	all := m.inquired(ev)
	if ev.Backfill == 0 {
		m.sure(ev.Keys[0], all[0])
		return
	}
	b := m.backfills[ev.Backfill]
	if b == nil {
		return
	}
	b.asking = false
	if b.row.State != engine.BackfillRunning {
		return
	}
	var unfinished []string
	former := all[len(b.next):]
	for i, c := range b.next {
		standing := m.flowState(c.flow.Name).standing[c.period.Start] != nil
		names := len(FormerFlows(c.flow))
		d := Decide(Former(all[i], former[:names]), standing, b.row.Reprocess)
		former = former[names:]
		if d.Create {
			m.replaces(all[i], c.flow, c.period.Start)
			m.create(newRun{
				flow: c.flow, rev: b.rev, period: c.period, version: all[i].Version + 1, kind: engine.Backfill,
				bf: b, due: m.now, pinned: true,
			})
			b.row.Created++
		} else {
			b.row.Skipped++
		}
		if d.Reason == unfinishedRun {
			b.row.Unfinished++
			unfinished = append(unfinished, c.flow.Name+"@"+c.flow.Schedule.Label(c.period))
		}
		b.row.Cursor = c.mark().String()
	}
	m.tellSkipped(b, unfinished)
	b.next = b.next[:0]
	m.touchBackfill(b)
	m.refill(b)
}

// Decision is what becomes of one period of a backfill.
type Decision struct {
	Create bool
	Reason string // missing, failed, succeeded, unfinished: what the period has now
}

const unfinishedRun = "unfinished"

// Decide tells whether a backfill creates a run for a period, given what there is. Unfinished runs are always left alone.
func Decide(found engine.Existing, active bool, reprocess string) Decision {
	switch {
	case active || found.Run != 0 && found.State == engine.RunActive:
		return Decision{false, unfinishedRun}
	case found.Run == 0:
		return Decision{true, "missing"}
	case found.State == engine.RunFailed:
		return Decision{reprocess == "failed" || reprocess == "all", "failed"}
	}
	return Decision{reprocess == "all", "succeeded"}
}

// ended notes that a run of a backfill has settled.
func (m *Machine) ended(b *backfill, r *run) {
	m.count(b, r.row.State, 1)
	if b.row.State == engine.BackfillCancelled {
		m.conclude(b)
	}
	m.refill(b)
}

func (m *Machine) count(b *backfill, s engine.RunState, n int) {
	if s == engine.RunSucceeded {
		b.row.Succeeded += n
	} else {
		b.row.Failed += n
	}
	m.touchBackfill(b)
}

// conclude ends a backfill that has no period left and no run that can move.
func (m *Machine) conclude(b *backfill) {
	if len(b.live) > 0 {
		return
	}
	if b.row.State == engine.BackfillRunning {
		b.row.State = engine.BackfillDone
	}
	b.row.FinishedAt = m.now
	m.touchBackfill(b)
	m.tell(b.event(flow.BackfillFinished, fmt.Sprintf("%s: %d succeeded, %d failed, %d periods left alone",
		b.row.State, b.row.Succeeded, b.row.Failed, b.row.Skipped)))
	b.close()
	delete(m.backfills, b.row.ID)
}

// controlBackfill pauses, resumes or cancels a backfill.
func (m *Machine) controlBackfill(ev ControlBackfill) (any, error) {
	b := m.backfills[ev.ID]
	if b == nil {
		return nil, engine.Errorf(engine.Conflict, "backfill %d is over, or was never: see flowctl get backfills", ev.ID)
	}
	if b.row.State == engine.BackfillCancelled && ev.Verb != "cancel" {
		return nil, engine.Errorf(engine.Conflict, "backfill %d was cancelled and ends when what it runs has ended: start another one", ev.ID)
	}
	switch ev.Verb {
	case "pause", "resume":
		b.row.State = engine.BackfillPaused
		if ev.Verb == "resume" {
			b.row.State = engine.BackfillRunning
		}
		for _, r := range b.runs() {
			for i := range r.tasks {
				m.stir(&r.tasks[i])
			}
		}
		m.refill(b)
	case "cancel":
		b.row.State = engine.BackfillCancelled
		b.close()
		for _, r := range b.runs() {
			for i := len(r.tasks) - 1; i >= 0; i-- {
				if t := &r.tasks[i]; t.member {
					m.killTask(t, "backfill cancelled by "+ev.By)
				}
			}
		}
		m.conclude(b)
	default:
		return nil, engine.Errorf(engine.Invalid, "a backfill can be paused, resumed or cancelled, not %q", ev.Verb)
	}
	m.touchBackfill(b)
	m.log(ev.By, ev.Verb, "backfill "+strconv.FormatInt(int64(ev.ID), 10), "")
	return ev.ID, nil
}

// runs returns the active runs of a backfill by number.
func (b *backfill) runs() []*run {
	rs := slices.Collect(maps.Keys(b.live))
	slices.SortFunc(rs, func(x, y *run) int { return cmp.Compare(x.row.ID, y.row.ID) })
	return rs
}
