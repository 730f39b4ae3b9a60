package simulate

import (
	"slices"

	"flowctl/dsl/expr"
	"flowctl/dsl/flow"
)

// assumedValue is what an output holds that an expression reads and of which the outcomes say nothing.
const assumedValue = "0"

// assumed finds the outputs that expressions of a project read, by the flow/task that is to write them.
func assumed(p *flow.Project) map[string]map[string]string {
	found := map[string]map[string]string{}
	var programs expr.Programs
	for _, f := range p.Flows {
		for _, t := range f.Tasks {
			for _, o := range outputsRead(&programs, t) {
				for _, n := range t.Needs {
					up := p.Flow(n.Flow).Task(n.Task)
					if o.Need != n.Task && o.Need != n.Flow+"/"+n.Task && o.Need != up.Base {
						continue
					}
					id := n.Flow + "/" + n.Task
					if found[id] == nil {
						found[id] = map[string]string{}
					}
					found[id][o.Name] = assumedValue
				}
			}
		}
	}
	return found
}

// outputsRead lists the outputs that a task's expressions read.
func outputsRead(programs *expr.Programs, t *flow.Task) []expr.Output {
	found := append(programs.Outputs(t.When, expr.When), programs.Outputs(t.Run, expr.Run)...)
	for _, a := range t.Args {
		found = append(found, programs.Outputs(a.Value, expr.Dispatch)...)
	}
	for _, e := range t.Env {
		found = append(found, programs.Outputs(e.Value, expr.Dispatch)...)
	}
	return append(found, outputsIn(programs, t.With)...)
}

// outputsIn lists the outputs that a value of `with` reads.
func outputsIn(programs *expr.Programs, v any) (found []expr.Output) {
	switch v := v.(type) {
	case *flow.Template:
		return programs.Outputs(v, expr.Dispatch)
	case map[string]any:
		for _, k := range sorted(v) {
			found = append(found, outputsIn(programs, v[k])...)
		}
	case []any:
		for _, x := range v {
			found = append(found, outputsIn(programs, x)...)
		}
	}
	return found
}

// idle names the arrivals that nobody waited for: mostly, somebody has mistyped them.
func (b *behaviour) idle() []string {
	names := []string{}
	for i, looked := range b.looked {
		if !looked {
			names = append(names, b.outcomes.Paths[i].Path)
		}
	}
	return names
}

// assumptions names the assumed outputs that no outcome declares, as flow/task.output.
func (b *behaviour) assumptions() []string {
	names := []string{}
	for _, id := range sorted(b.assumed) {
		declared := false
		for i := range b.outcomes.Tasks {
			o := &b.outcomes.Tasks[i]
			declared = declared || o.Outputs != nil && o.Matches(id)
		}
		if declared {
			continue
		}
		for _, output := range sorted(b.assumed[id]) {
			names = append(names, id+"."+output)
		}
	}
	return names
}

// idleSignals names the signals of the outcomes that nobody waited for.
func (b *behaviour) idleSignals() []string {
	names := []string{}
	for i := range b.outcomes.Signals {
		a := &b.outcomes.Signals[i]
		if !slices.ContainsFunc(sorted(b.asked), a.Matches) && !slices.Contains(names, a.Signal) {
			names = append(names, a.Signal)
		}
	}
	return names
}
