package reference

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"flowctl/dsl/flow"
	"flowctl/engine"
)

// Verdict is what the needs of a task run say about it.
type Verdict int

// The verdicts.
const (
	Wait           Verdict = iota
	Pass                   // it may start, as far as they are concerned
	Skip                   // what it was to start on will not happen
	UpstreamFailed         // what it needs ended badly
)

func (v Verdict) String() string { return [...]string{"wait", "pass", "skip", "upstream_failed"}[v] }

// verdict applies the trigger rule. Signals are beside the rule, and so is what writes the inputs of a rerun: both have to be there.
func (w *World) verdict(r *Run, task string) Verdict {
	if r.Force {
		return Pass
	}
	count := map[Class]int{}
	for _, n := range w.needs(r, task) {
		count[n.class]++
	}
	v := Wait
	switch w.flow(r).Task(task).TriggerRule {
	case flow.AllSuccess:
		if count[Bad] > 0 {
			v = UpstreamFailed
		} else if count[Unmet] == 0 {
			v = Pass
		}
	case flow.AllDone:
		if count[Unmet] == 0 {
			v = Pass
		}
	case flow.OneSuccess:
		if count[Good] > 0 || count[Bad]+count[Unmet] == 0 {
			v = Pass
		} else if count[Unmet] == 0 {
			v = UpstreamFailed
		}
	case flow.OneFailed:
		if count[Bad] > 0 {
			v = Pass
		} else if count[Unmet] == 0 {
			v = Skip
		}
	}
	if v == Pass && len(w.unset(r, task))+len(w.unwritten(r, task)) > 0 {
		return Wait
	}
	return v
}

// condition evaluates `when`. It knows the one form needs.TASK.state == 'STATE' of tasks of the same run.
func (w *World) condition(r *Run, task string) bool {
	when := w.flow(r).Task(task).When
	if when == nil {
		return true
	}
	var name, state string
	source := strings.NewReplacer("needs.", "", ".state == '", " ", "'", "").Replace(when.Parts[0].Expr)
	if _, err := fmt.Sscanf(source, "%s %s", &name, &state); err != nil {
		panic("reference: a condition that it does not know: " + when.Source())
	}
	t := r.task(name)
	return t != nil && string(t.State) == state
}

// Blocker is something that keeps a task run from moving.
type Blocker struct {
	Kind engine.BlockerKind
	Ref  string
	// May says that rows alone do not decide it: who came first, whether somebody has looked.
	May bool
}

func (b Blocker) String() string {
	may := ""
	if b.May {
		may = "?"
	}
	return strings.TrimSpace(string(b.Kind)+may+" "+b.Ref) + ";"
}

// dependencies returns what of the needs, signals and writers of a task run is not there.
func (w *World) dependencies(r *Run, task string) []Blocker {
	var all []Blocker
	for _, n := range w.needs(r, task) {
		var absent []upstream
		for _, up := range n.ups {
			switch {
			case up.class == Good:
			case up.absent:
				absent = append(absent, up)
			default:
				all = append(all, Blocker{Kind: engine.BlockNeed, Ref: up.name})
			}
		}
		if len(absent) > 0 {
			ref := absent[0].name
			if last := absent[len(absent)-1]; len(absent) > 1 {
				ref += ".." + last.label
			}
			all = append(all, Blocker{Kind: engine.BlockAbsent, Ref: ref})
		}
	}
	for _, up := range w.unwritten(r, task) {
		all = append(all, Blocker{Kind: engine.BlockNeed, Ref: up.name})
	}
	for name, labels := range w.unset(r, task) {
		ref := name + "@" + labels[0]
		if len(labels) > 1 {
			ref += ".." + labels[len(labels)-1]
		}
		all = append(all, Blocker{Kind: engine.BlockSignal, Ref: ref})
	}
	return all
}

// pauses returns the pauses that hold a task run.
func (w *World) pauses(r *Run, task string) []Blocker {
	var all []Blocker
	for _, p := range w.Pauses {
		switch {
		case p.Flow == "":
			if r.Due > p.Start {
				all = append(all, Blocker{Kind: engine.BlockHorizon})
			}
		case p.Flow == r.Flow && (p.Task == "" || p.Task == task) && (p.Start == engine.AllPeriods || p.Start == r.Period.Start):
			all = append(all, Blocker{Kind: engine.BlockPaused, Ref: p.Target()})
		}
	}
	return all
}

// backOff is how long an attempt that an agent gave back is not offered again.
const backOff = 5 * time.Second

// gates returns what else holds a task run whose dependencies are there.
func (w *World) gates(r *Run, t *engine.TaskRun) []Blocker {
	var all []Blocker
	f := w.flow(r)
	def := f.Task(t.Task)
	if f.MaxRuns > 0 && w.otherRuns(r) >= w.lowestLimit(r.Flow, f.MaxRuns) {
		all = append(all, Blocker{Kind: engine.BlockFlowLimit, May: true})
	}
	if b := w.backfill(r); b != nil && b.State == engine.BackfillPaused {
		all = append(all, Blocker{Kind: engine.BlockBackfill})
	}
	if ref := w.otherVersion(r, t.Task); ref != "" {
		all = append(all, Blocker{Kind: engine.BlockVersion, Ref: ref})
	}
	if def.StartAfter > 0 && !r.Force && r.Period.End.Add(def.StartAfter) > w.Now {
		all = append(all, Blocker{Kind: engine.BlockStartAfter})
	}
	if w.givenBack(r, t.Task) {
		all = append(all, Blocker{Kind: engine.BlockStartAfter, May: true})
	}
	if !r.Force {
		for _, in := range def.Inputs {
			path, _ := in.Const()
			all = append(all, Blocker{Kind: engine.BlockPath, Ref: path, May: w.Paths[path]})
		}
		if def.Gate != nil && t.GateReleased == 0 {
			address, _ := def.Gate.URL.Const()
			all = append(all, Blocker{Kind: engine.BlockGate, Ref: address})
		}
	}
	return all
}

// lowestLimit returns how many runs of a flow may be active at once by the strictest of the revisions that its runs follow: one that has to wait
// holds those behind it.
func (w *World) lowestLimit(flow string, own int) int {
	for i := range w.Runs {
		if r := &w.Runs[i]; r.Flow == flow && r.State == engine.RunActive {
			if limit := w.flow(r).MaxRuns; limit > 0 {
				own = min(own, limit)
			}
		}
	}
	return own
}

// otherRuns counts the other active runs of a run's flow.
func (w *World) otherRuns(r *Run) int {
	n := 0
	for i := range w.Runs {
		if o := &w.Runs[i]; o.Flow == r.Flow && o.ID != r.ID && o.State == engine.RunActive {
			n++
		}
	}
	return n
}

// otherVersion names the live attempt of the same task and period in another run; empty = there is none.
func (w *World) otherVersion(r *Run, task string) string {
	for i := range w.Attempts {
		a := &w.Attempts[i]
		if o := w.run(a.Run); a.State.Live() && a.Task == task && o.ID != r.ID && o.Flow == r.Flow && o.Period.Start == r.Period.Start {
			return o.Name(task)
		}
	}
	return ""
}

// givenBack tells whether an agent has just given back an attempt of a task run.
func (w *World) givenBack(r *Run, task string) bool {
	return slices.ContainsFunc(w.Attempts, func(a engine.Attempt) bool {
		return a.Run == r.ID && a.Task == task && a.Code == engine.CodeRefused && a.Finished.Add(backOff) > w.Now
	})
}
